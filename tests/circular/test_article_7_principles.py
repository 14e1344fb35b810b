"""Article 7: author and source of what is posted, and nothing secret among it."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from edumail.portal.model import ARTICLE_SECTIONS
from edumail.portal.sections import SECTIONS
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.pages import Page
from tests.circular.portal import Answer, Reading

SECRET = re.compile(r"(?<![\w-])(?:TUYỆT MẬT|TỐI MẬT|MẬT)(?![\w-])")
"""The marks of the law on state secrets, as they stand on documents, in capitals; :func:`_marked` says if it is one."""
BEFORE, AFTER = re.compile(r"(?<![\w/-])([^\W\d_]+) $"), re.compile(r"^ ([^\W\d_]+)(?![\w/-])")
"""A word with nothing but a space between; «12/QĐ-UBND» is none."""

URGENCY = r"H(?:ỎA|OẢ) TỐC|THƯỢNG KHẨN|KHẨN"
KINDS = (
    "NGHỊ QUYẾT|QUYẾT ĐỊNH|CHỈ THỊ|QUY CHẾ|QUY ĐỊNH|THÔNG CÁO|THÔNG BÁO|HƯỚNG DẪN|CHƯƠNG TRÌNH|KẾ HOẠCH|PHƯƠNG ÁN|ĐỀ ÁN"
    "|DỰ ÁN|BÁO CÁO|BIÊN BẢN|TỜ TRÌNH|HỢP ĐỒNG|CÔNG VĂN|CÔNG ĐIỆN|GIẤY MỜI|PHIẾU GỬI|PHIẾU CHUYỂN|PHIẾU BÁO"
)
"""Of the kinds of paper that Decree 30/2020/NĐ-CP lists, those that come with a mark."""
WITH = rf"{URGENCY}|{KINDS}"
WITH_BEFORE = re.compile(rf"(?:(?<![\w/-])(?:{WITH}) )+$")
WITH_AFTER = re.compile(rf"^(?: (?:{WITH}|S[ốỐ](?=:| \d))(?![\w/-]))+")
"""What stands beside a mark on a document, and makes it no ordinary word: urgency, kind of paper, its number."""

POSTED = ("/hoc-lieu/", "/lay-y-kien/", "/cong-khai/")
"""Where a unit posts documents besides its list of them."""

ORIGIN = re.compile(r"Tác giả: \w.*? ?\. Nguồn: \w")


def _articles(reading: Reading) -> list[Page]:
    paths = [section.path for section in SECTIONS if section.id in ARTICLE_SECTIONS]
    return [page for path in paths if reading.portal.page(path).good for page in reading.portal.below(path)]


def _origin(reading: Reading) -> Answer:
    articles = _articles(reading)
    bare = [page.url for page in articles if not ORIGIN.search(" ".join(page.main.text_content().split()))]
    count = f"{len(articles) - len(bare)}/{len(articles)}"
    evidence = [f"{count} bài có tác giả và nguồn / articles with author and source", *bare[:5]]
    return "pass" if articles and not bare else "fail", evidence


@pytest.mark.requirement("C37-7.3")
@each_unit(_origin)
def test_what_is_posted_names_author_and_source(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-7.3", *answer)


def _marked(text: str) -> bool:
    """Whether a piece of text bears a mark; «BẢO MẬT» and «ĐỔI MẬT KHẨU» are ordinary words in capitals.

    ``MẬT`` is a mark where no word stands beside it, the others where none in capitals does; what documents bear
    together with a mark does not count. Who names several speaks of them.
    """
    text = " ".join(text.split())
    apart = set()
    for mark in SECRET.finditer(text):
        before, after = WITH_BEFORE.sub("", text[: mark.start()]), WITH_AFTER.sub("", text[mark.end() :])
        beside = BEFORE.findall(before) + AFTER.findall(after)
        if not (beside if mark[0] == "MẬT" else any(map(str.isupper, beside))):
            apart.add(mark[0])
    return len(apart) == 1


def _bears_a_mark(page: Page) -> bool:
    # Few pages have the word at all, and each piece of text costs more than to know that.
    return "MẬT" in page.main.text_content() and any(map(_marked, page.main.xpath(".//text()")))


def _secrecy(reading: Reading) -> Answer:
    documents = reading.portal.page("/van-ban/")
    listed = [page for page in map(reading.portal.page, POSTED) if page.good]
    found = [documents, *listed, *(item for path in POSTED for item in reading.portal.below(path)), *_articles(reading)]
    pages, lost = [page for page in found if page.good], [page.said for page in found if not page.good]
    marked = [page.url for page in pages if _bears_a_mark(page)]
    files = {url for page in pages for url, _ in page.links() if urlsplit(url).path.startswith("/files/")}
    kinds = Counter(url.rpartition(".")[2] for url in files)
    count = f"{len(pages)} trang đã đọc / pages read; {len(marked)} có dấu mật / with a mark of secrecy"
    evidence = [count, *marked[:5], *(f"không đọc được / not read: {said}" for said in lost[:5])]
    unread = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    evidence.append(
        f"tệp mà các trang ấy dẫn tới và KHÔNG được xem / files that they lead to and that were NOT looked into:"
        f" {unread or 0}"
    )
    evidence.append(
        "việc không tệp nào mang dấu mật và việc tuân thủ pháp luật phải có người xác nhận"
        " / that no file bears a mark, and obedience to the law, have to be attested"
    )
    return "fail" if marked else "not-tested", evidence


@pytest.mark.requirement("C37-7.2")
@each_unit(_secrecy)
def test_nothing_posted_bears_a_mark_of_secrecy(of_pages: Answers, record: Record) -> None:
    """The half that pages show: no file is opened, and the rest of the law is for the head to answer."""
    for unit, answer in of_pages:
        record(unit.id, "C37-7.2", *answer)
