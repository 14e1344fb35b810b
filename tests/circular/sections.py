"""What a unit's portal must show, section by section (Articles 8 and 9): a function a question, read from live pages.

Each takes the unit's :class:`~tests.circular.portal.Reading` and gives a verdict with its evidence. None sends mail:
what mail has a say in is left open (:class:`~tests.circular.portal.Mailed`). A page that says of itself that the unit
has not published something is never a pass; where one page meets several requirements, each is looked for by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import lxml.etree

from edumail.circular.texts import in_force
from edumail.circular.verdicts import Verdict
from edumail.portal import disclosed
from edumail.portal.said import WORDS, said
from edumail.portal.sections import RECENT, YEARS
from edumail.portal.view import DUE, due_year
from edumail.text import fold, nfc
from tests.circular.mailed import Mailed
from tests.circular.pages import DATE, Links, Page, lies_in, links_below, plain
from tests.circular.portal import Answer, Reading

LEADER = ("Họ và tên", "Chức vụ", "Điện thoại", "Thư điện tử", "Nhiệm vụ")
DOCUMENT = ("Số, ký hiệu", "Ngày", "Trích yếu", "Tệp")
PROCEDURE = (
    "Trình tự thực hiện",
    "Hồ sơ",
    "Nơi tiếp nhận",
    "Người xử lý",
    "Liên hệ của người xử lý",
    "Thời hạn giải quyết",
    "Phí, lệ phí",
)
CONSULTATION = ("Địa chỉ nhận ý kiến", "Thư điện tử nhận ý kiến", "Thời hạn nhận ý kiến")
ADMISSION = ("Đối tượng", "Chỉ tiêu", "Hình thức", "Điều kiện", "Hồ sơ", "Thời gian", "Địa điểm")
MANAGING = ("Năm học", "Trường", "Lớp", "Học sinh", "Phòng học, phòng chức năng")
SCHOOL = ("Năm học", "Trường", "Lớp", "Giáo viên", "Học sinh", "Phòng học, phòng chức năng")
ENGLISH = {
    "Họ và tên": "name", "Chức vụ": "post", "Điện thoại": "telephone", "Thư điện tử": "mail", "Nhiệm vụ": "duties",
    "Chức năng": "functions", "Cơ cấu tổ chức": "structure", "Lịch sử": "history",
    "Trình tự thực hiện": "steps", "Hồ sơ": "dossier", "Nơi tiếp nhận": "where it is received",
    "Người xử lý": "who handles it", "Liên hệ của người xử lý": "how to reach them",
    "Thời hạn giải quyết": "time limit", "Phí, lệ phí": "fees",
    "Địa chỉ nhận ý kiến": "address for opinions", "Thư điện tử nhận ý kiến": "mail address for opinions",
    "Thời hạn nhận ý kiến": "last day",
    "Đối tượng": "who may apply", "Chỉ tiêu": "quota", "Hình thức": "form of selection", "Điều kiện": "conditions",
    "Thời gian": "time", "Địa điểm": "place",
}  # fmt: skip
"""What the headings and columns are called in a line of evidence."""
DISCLOSURE = ("Thông tin chung", "Thu, chi tài chính", "Điều kiện bảo đảm chất lượng", "Kế hoạch và kết quả giáo dục")
REGISTER = "Số vào sổ gốc"
REPORT = "Báo cáo thường niên"
PLANS = (
    "không xem: kế hoạch tháng (trước ngày 25) và kế hoạch tuần của trường mầm non"
    " / not looked at: a preschool's plans of the month (before the 25th) and of the week"
)
RANKING = ("Đơn vị", "Hạng", "Điểm")
ONE_ASSESSMENT = timedelta(days=92)
"""Offices and schools may be ranked by decisions some weeks apart; what was published longer before the newest is of
another assessment. A figure of this suite."""
NAMED = 20
"""How many units a line of evidence names."""
SHOWN = 5
"""How many links it names."""
WHOSE = "phải có người xem là của ai / somebody has to look whose it is"
NOBODY = "KHONGCO999"
"""A number that no candidate and no diploma has."""
TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
BUSY = (
    "429, giới hạn của máy chủ cho mạng này đã bị dùng hết, hãy hỏi lại sau"
    " / what the server allows this network is used up, ask again later"
)
LOOK = "thiếu đề mục, cần người xem nội dung có ở chỗ khác không / no such heading, somebody has to look for it"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
SEPTEMBER = 9
"""In which school years begin."""
SATURDAY = 5
"""As Python counts the days of a week."""
PUBLISHED = re.compile(r"Công bố ngày (\d{2})/(\d{2})/(\d{4})")
POSTED = re.compile(r"Đăng ngày (\d{2})/(\d{2})/(\d{4})")
NONE_OPEN = re.compile(r"(\d{2})/(\d{2})/(\d{4})[^.]*khong co van de nao dang lay y kien")
"""How a page says, folded, that no opinions are asked for."""
HALF_A_YEAR = timedelta(days=183)
"""For so long a page's word holds that no opinions are asked for; a figure of this suite."""
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
TYPED_INTO = "input[not(@type) or @type='text' or @type='search']"
"""A field whose value is what the asker typed, as an XPath."""


def introduction(reading: Reading) -> Answer:
    """A chart or list of sections, and functions, tasks and powers (8.1a)."""
    return _headed(reading, "/gioi-thieu/", ("Chức năng", "Cơ cấu tổ chức"))


def introduction_with_history(reading: Reading) -> Answer:
    """The same and a short history (9.1a)."""
    return _headed(reading, "/gioi-thieu/", ("Chức năng", "Cơ cấu tổ chức", "Lịch sử"))


def leaders(reading: Reading) -> Answer | Mailed:
    """Five fields for every leader whom the roster has, and every address is accepted by its exchanger (8.1a, 9.1a)."""
    page, bad = _published(reading, "/lanh-dao/")
    if bad:
        return bad
    rows = page.table(*LEADER)
    blank = [f"{row[LEADER[1]] or '?'}: {name}" for row in rows for name in LEADER if not said(row[name])]
    shown = {row[LEADER[3]].lower() for row in rows}
    absent = sorted(person.address for person in reading.leaders if person.address not in shown)
    evidence = [f"{page.said}: {len(rows)} lãnh đạo / leaders ({_both(LEADER)})"]
    evidence += [f"bỏ trống / blank: {', '.join(blank)}"] if blank else []
    if absent:
        evidence.append(
            "lãnh đạo trong danh sách nhân sự mà trang không nêu / of the roster's leaders not shown:"
            f" {', '.join(absent)}"
        )
    addresses = tuple(sorted(address for address in shown if "@" in address))
    return Mailed(_pass(bool(rows) and not (blank or absent)), evidence, rcpt=addresses)


def contact(reading: Reading) -> Answer | Mailed:
    """A contact page, the published address on it or a form to ask by, and mail to that address arrives (8.1b, 9.1b).

    The form has to be there without JavaScript; nothing is sent by it.
    """
    page, bad = _published(reading, "/lien-he/")
    if bad:
        return bad
    address = reading.unit.public_address
    shown = any(url.lower() == f"mailto:{address}" for url, _ in page.links())
    form = reading.portal.page("/phan-anh")
    posts = [f for f in form.main.xpath(".//form[@action]") if (f.get("method") or "").lower() == "post"]
    evidence = [
        f"{page.said}, mailto:{address} {'có / shown' if shown else 'KHÔNG CÓ / NOT shown'}",
        f"{form.said}, {'có mẫu đơn / a form' if posts else 'KHÔNG có mẫu đơn / NO form'}",
    ]
    return Mailed(_pass(shown or bool(posts)), evidence, letter=address)


def news(reading: Reading) -> Answer:
    """A dated item, and the newest no older than the unit's own limit where it has one (8.2, 9.2)."""
    page, bad = _published(reading, "/tin-tuc/")
    if bad:
        return bad
    own = own_days(reading)
    newest = max(own, default=None)
    dated = (
        f"mới nhất / newest: {newest}" if newest else "KHÔNG tin nào mở được mà ghi ngày / NONE that opens has a day"
    )
    evidence = [f"{page.said}: {len(reading.portal.below('/tin-tuc/'))} tin / items; {dated}"]
    if newest is None:
        return "fail", evidence
    fresh, age = reading.fresh(newest)
    return _pass(fresh), [*evidence, age]


def own_days(reading: Reading) -> list[date]:
    """Of each news item that answers the day that it has as its own, whatever other days its text names."""
    return [day for item in reading.portal.below("/tin-tuc/") if item.good and (day := _own_day(item))]


def _own_day(item: Page) -> date | None:
    words = " ".join(item.main.text_content().split())
    posted = _day(POSTED, words)
    marks = re.match(r"(\d{4})-(\d{2})-(\d{2})", next(iter(item.metadata("DC.date")), ""))
    return posted or (_day(DATE, f"{marks[3]}/{marks[2]}/{marks[1]}") if marks else None)


def documents(reading: Reading) -> Answer:
    """A list with number, date, title and a file that can be had and is one (8.3, 9.3)."""
    page, bad = _published(reading, "/van-ban/")
    if bad:
        return bad
    rows = page.table(*DOCUMENT)
    blank = [row[DOCUMENT[0]] or "?" for row in rows if not all(row[name] for name in DOCUMENT)]
    files = [url for url, _ in page.links(".//table") if urlsplit(url).path.startswith("/files/")]
    linked = page.main.xpath(".//table//tr[.//a[contains(@href, '/files/')]]")
    there, broken, unseen = _files(reading, files)
    evidence = [
        f"{page.said}: {len(rows)} văn bản, {len(linked)} dòng có liên kết đến tệp, {len(there)} tệp tải được"
        f" / {len(rows)} documents, {len(linked)} rows with a link to a file, {len(there)} files can be had",
        *broken,
        *unseen,
    ]
    evidence += [f"chưa đủ / incomplete: {', '.join(blank)}"] if blank else []
    return told(bool(rows) and len(linked) >= len(rows) and not (blank or broken), unseen), evidence


def _files(reading: Reading, urls: list[str]) -> Links:
    """Which of ``urls`` answer with a file: one that is called a PDF begins as such, no other is empty or a page."""
    there, broken, unseen = reading.answered(urls)
    others = [url for url in there if not _is_file(url, reading.fetched(url).body)]
    wrong = [f"{url}: không phải tệp như tên gọi / not the file that it is called" for url in others]
    return Links([url for url in there if url not in others], [*broken, *wrong], unseen)


def _is_file(url: str, body: bytes) -> bool:
    if urlsplit(url).path.lower().endswith(".pdf"):
        return body.startswith(b"%PDF-")
    return bool(body) and not re.match(rb"\s*<(!doctype html|html)", body, re.I)


def public_services(reading: Reading) -> Answer:
    """The page of services leads to the national or provincial portal that the inventory declares as such (8.4a)."""
    wanted = reading.content.portal.public_services
    return _leads(reading, "/dich-vu/", [wanted.url] if wanted else [])


def services(reading: Reading) -> Answer:
    """The list of services; its links answer (8.4b)."""
    return _leads(reading, "/dich-vu/", [link.url for link in reading.content.portal.services])


def gathered(reading: Reading) -> Answer:
    """The list, and the portal of public services where one is declared; all these links answer (6.1)."""
    portal = reading.content.portal
    listed = [*portal.services, *filter(None, [portal.public_services])] if portal.services else []
    return _leads(reading, "/dich-vu/", [link.url for link in listed])


def procedures(reading: Reading) -> Answer:
    """Each procedure has the six fields (8.4c)."""
    return _fields(reading, "/thu-tuc/", PROCEDURE)


def admission_service(reading: Reading) -> Answer:
    """Where one registers and sees the result: linked, and it answers (8.4c, 9.4)."""
    wanted = reading.content.portal.admission_service
    return _leads(reading, "/dich-vu/", [wanted.url] if wanted else [])


def law(reading: Reading) -> Answer:
    """Explanation of laws, regimes and policies (8.5)."""
    return _articles(reading, "/phap-luat/")


def consultations(reading: Reading) -> Answer | Mailed:
    """A list; each item has text, address, mail address that is accepted, and closing day (8.6, 9.5).

    Where there is none the page may say so, with its day: of one long past nobody knows whether it still holds.
    """
    verdict, evidence = _fields(reading, "/lay-y-kien/", CONSULTATION)
    addresses: set[str] = set()
    items = reading.portal.below("/lay-y-kien/")
    if not items and (day := _day(NONE_OPEN, reading.portal.page("/lay-y-kien/").words)):
        why = f"{day}: trang ghi không có vấn đề nào đang lấy ý kiến / the page says that nothing is open for opinions"
        if today() - day > HALF_A_YEAR:
            old = f"quá {HALF_A_YEAR.days} ngày, không rõ còn đúng không (con số của bộ kiểm tra này)"
            old += f" / older than {HALF_A_YEAR.days} days, nobody knows whether it holds (a figure of this suite)"
            return "not-tested", [*evidence, why, old]
        return "pass", [*evidence, why]
    for page in items:
        links = (url[7:].partition("?")[0].lower() for url, _ in page.links() if url.lower().startswith("mailto:"))
        found = {address for address in links if "@" in address}
        if not found:
            why = f"{page.url}: không có địa chỉ thư nhận ý kiến / no mail address to send an opinion to"
            verdict, evidence = "fail", [*evidence, why]
        addresses |= found
        if not _has_text(reading, page):
            why = f"{page.url}: không có nội dung để góp ý / no text to give an opinion on"
            verdict, evidence = "fail", [*evidence, why]
    return Mailed(verdict, evidence, rcpt=tuple(sorted(addresses)))


def _has_text(reading: Reading, page: Page) -> bool:
    """Whether a consultation has the matter itself, besides fields and outcome: below a heading, or as a file."""
    headed = (words for heading, words in page.headed("h2", "h3") if not fold(heading).startswith("ket qua"))
    files = [url for url, _ in page.links() if urlsplit(url).path.startswith("/files/")]
    return any(map(_enough, headed)) or bool(_files(reading, files).good)


def metadata(reading: Reading) -> Answer:
    """Dublin Core's six mandatory elements on home, introduction and every article; a sitemap (8.7, 9.6, 12.6).

    Which six are mandatory: Circular 24/2011/TT-BTTTT.
    """
    wanted = ("title", "creator", "date", "description", "publisher", "identifier")
    pages = [reading.portal.page("/"), reading.portal.page("/gioi-thieu/"), *reading.portal.below("/tin-tuc/")]
    lacking = [
        f"{page.url}: {name}" for page in pages for name in wanted if not (page.good and page.metadata(f"DC.{name}"))
    ]
    sitemap = reading.portal.page("/sitemap.xml")
    places, why = _places(sitemap)
    home = f"https://{reading.unit.portal}/"
    strange = [place for place in places if not place.startswith(home)]
    known = {plain(place) for place in places if place not in strange}
    absent = [page.url for page in pages if page.good and plain(page.url) not in known]
    whole = bool(places) and not (strange or absent)
    evidence = [
        f"DC.{', DC.'.join(wanted)}: {len(pages)} trang, thiếu {len(lacking)}"
        f" / {len(pages)} pages, {len(lacking)} lacking",
        *lacking[:5],
    ]
    evidence.append(f"{sitemap.said}, {len(places)} địa chỉ / places{'' if whole else '; KHÔNG trọn vẹn / NOT whole'}")
    evidence += [why] if why else []
    evidence += [f"không có trong sitemap / not in the sitemap: {url}" for url in absent[:5]]
    evidence += [f"ngoài cổng này / outside this portal: {url}" for url in strange[:5]]
    return _pass(not lacking and whole), evidence


def _places(sitemap: Page) -> tuple[list[str], str]:
    """The addresses of a sitemap (sitemaps.org), and why there are none."""
    if not sitemap.good:
        return [], ""
    try:
        root = lxml.etree.fromstring(sitemap.body, lxml.etree.XMLParser(resolve_entities=False, no_network=True))
    except lxml.etree.XMLSyntaxError as error:
        return [], f"XML: {error}"
    if root.tag != f"{SITEMAP}urlset":
        return [], f"không phải sitemap / no sitemap: <{root.tag}>"
    return [(place.text or "").strip() for place in root.iterfind(f"{SITEMAP}url/{SITEMAP}loc")], ""


def statistics_of_a_managing_body(reading: Reading) -> Answer:
    """Five consecutive years, each with the four measures (8.8)."""
    return _statistics(reading, MANAGING)


def statistics_of_a_school(reading: Reading) -> Answer:
    """Five consecutive years, each with the five measures (9.9)."""
    return _statistics(reading, SCHOOL)


def resources(reading: Reading) -> Answer:
    """The page of digital resources answers and is not empty (8.9, 9.10). A library above is no resource of its own."""
    page, bad = _there(reading, "/hoc-lieu/")
    if bad:
        return bad
    parent = reading.audit.province.units.get(reading.unit.parent or "")
    above = {plain(url) for url in (reading.library, f"https://{parent.portal}/hoc-lieu/" if parent else None) if url}
    own = [url for url, _ in page.links() if plain(url) not in above and not url.startswith("mailto:")]
    there, broken, unseen = reading.answered(own)
    evidence = [f"{page.said}: {len(there)} học liệu trả lời / resources answer", *broken, *unseen]
    return told(bool(there or unseen) and not broken, unseen), evidence


def library_of_the_ministry(reading: Reading) -> Answer:
    """The link from a managing body's resources to the Ministry's library (8.9)."""
    return _leads_into(reading, "/hoc-lieu/", reading.library, reading.ministry)


def library_above(reading: Reading) -> Answer:
    """The link from a school's resources to the library of a unit above (9.10)."""
    return _leads_into(reading, "/hoc-lieu/", reading.library, reading.above)


def accreditation(reading: Reading) -> Answer:
    """Quality accreditation, universal education and literacy (8.10)."""
    return _articles(reading, "/kiem-dinh/")


def results(reading: Reading) -> Answer:
    """Look-up by candidate number alone: a number of the inventory finds its own marks and nobody else's (8.11).

    That whoever tries numbers is stopped is not tried: it would shut this network out.
    """
    found = [(e, r) for e in reading.content.examinations for r in e.results]
    marked = next((both for both in found if both[1].marks), None)  # not somebody who was absent
    if marked is None:
        why = "inventory không có điểm nào của đơn vị / the inventory has no marks for this unit"
        return _empty(reading, "/tra-cuu/diem", why)
    examination, result = marked
    form = reading.portal.page("/tra-cuu/diem")
    if left_out := _not_looked_up(reading, form):
        return left_out
    asked = reading.portal.answer("/tra-cuu/diem", {"ky-thi": examination.slug, "sbd": result.candidate})
    nobody = reading.portal.answer("/tra-cuu/diem", {"ky-thi": examination.slug, "sbd": NOBODY})
    shown = asked.rows()
    own = [shown.get(fold(subject)) == mark for subject, mark in result.marks.items()]
    # A year in a title, or a mark, may look like a number.
    called = (words for e in reading.content.examinations for words in (e.slug, e.title))
    alike = _words([*result.marks, *result.marks.values(), *called])
    numbers = {r.candidate for _, r in found} - alike
    others, listed = (numbers - {result.candidate}) & _said(asked), numbers & (_said(form) | _said(nobody))
    evidence = [
        f"{form.said}: liệt kê {len(listed)} số báo danh / {len(listed)} candidate numbers listed",
        f"{asked.said}, một số của inventory: {sum(own)}/{len(own)} điểm, {len(others)} thí sinh khác"
        f" / one number of the inventory: {sum(own)} of {len(own)} marks, {len(others)} other candidates",
        _of_nobody(nobody),
    ]
    busy, answered = _looked_up(form, asked, nobody)
    right = answered and (asked.status == TOO_MANY or all(own))
    return told(right and not (others or listed or nobody.rows()), busy), evidence + busy


def _not_looked_up(reading: Reading, form: Page) -> Answer | None:
    """The answer of a unit that was not drawn: who asks for numbers everywhere is shut out as one who tries them."""
    left_out = reading.audit.left_out(reading.unit)
    if not left_out:
        return None
    return "not-tested" if form.good else "fail", [form.said, "không tra số nào / nothing was looked up", left_out]


def _of_nobody(page: Page) -> str:
    """A line on what a look-up answers to a number that nobody has."""
    return (
        f"{page.said}, số không ai có: {'CÓ' if page.rows() else 'không có'} kết quả"
        f" / a number that nobody has: {'A RESULT' if page.rows() else 'no result'}"
    )


def _looked_up(form: Page, *answers: Page) -> tuple[list[str], bool]:
    """Why some numbers were not looked up, and whether nothing else than the server's limit kept any from it."""
    busy = [BUSY] if TOO_MANY in [page.status for page in answers] else []
    return busy, all(page.good or page.status == TOO_MANY for page in (form, *answers))


def diplomas(reading: Reading) -> Answer:
    """Look-up of diplomas and certificates here, or a link to where it is (8.12)."""
    elsewhere = reading.content.portal.diploma_lookup
    if elsewhere:
        return _leads(reading, "/van-bang/", [elsewhere.url])
    if not reading.content.diplomas:
        why = "inventory không có văn bằng và không có liên kết / the inventory has no diplomas and no link"
        return _empty(reading, "/van-bang/", why)
    form = reading.portal.page("/van-bang/")
    if left_out := _not_looked_up(reading, form):
        return left_out
    diploma = reading.content.diplomas[0]
    asked, nobody = (reading.portal.answer("/tra-cuu/van-bang", {"so-hieu": n}) for n in (diploma.number, NOBODY))
    numbers = {d.number for d in reading.content.diplomas}
    others = (numbers - _words([diploma.number, diploma.register, diploma.kind, f"{diploma.issued}"])) & _said(asked)
    entered = asked.good and nfc(asked.rows().get(fold(REGISTER), "")) == nfc(diploma.register)
    evidence = [
        form.said,
        f"{asked.said}, một số của inventory: {'thấy' if entered else 'KHÔNG THẤY'}, {len(others)} số khác"
        f" / one number of the inventory: {'found' if entered else 'NOT found'}, {len(others)} others",
        _of_nobody(nobody),
    ]
    busy, answered = _looked_up(form, asked, nobody)
    right = answered and (asked.status == TOO_MANY or entered)
    return told(right and not (others or nobody.rows()), busy), evidence + busy


def _said(page: Page) -> set[str]:
    """The words that stand in a page's own part, each alone, and in its attributes; none of what was typed in.

    A list to choose from may give all numbers as values, and links may as addresses, under whatever text.
    """
    return _words(page.main.xpath(f".//text() | .//@*[not(name()='value' and parent::{TYPED_INTO})]"))


def _words(texts: Iterable[str]) -> set[str]:
    return set(re.findall(r"\w+", " ".join(texts)))


def projects(reading: Reading) -> Answer:
    """Projects, investment, tenders, purchases; a dated notice that there is none will do (8.13)."""
    return _articles(reading, "/du-an/")


def conference(reading: Reading) -> Answer:
    """The Ministry's web-conference system (8.14)."""
    wanted = reading.content.portal.conference
    return _leads_into(reading, "/dich-vu/", wanted.url if wanted else None, reading.ministry)


def english(reading: Reading) -> Answer:
    """Introduction, contact and services for foreigners, marked as English (8.15)."""
    page, bad = _published(reading, "/en/")
    if bad:
        return bad
    marked = (page.root.get("lang") or "").lower().startswith("en")
    wanted = ("Introduction", "Contact", "Services")
    parts = [part for part in wanted if not _part(page, part)]
    foreign = [title for title, words in page.headed("h2", "h3") if title.startswith(wanted) and _vietnamese(words)]
    evidence = [f"{page.said}, lang={page.root.get('lang')}", *(f"thiếu / missing: {part}" for part in parts)]
    evidence += [f"phần lớn chữ là tiếng Việt / most words are Vietnamese: {title}" for title in foreign]
    return _pass(marked and not parts and not foreign), evidence


def _vietnamese(text: str) -> bool:
    """Whether most words bear Vietnamese marks; in English only names of people and places do."""
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text))
    return sum(fold(word) != word.casefold() for word in words) * 2 > len(words)


def centres(reading: Reading) -> Answer:
    """The list of foreign-language and IT centres (8.16)."""
    page, bad = _published(reading, "/trung-tam/")
    if bad:
        return bad
    rows = page.table("Tên", "Địa chỉ")
    blank = sum(not all(said(cell) for cell in row.values()) for row in rows)
    lines = f"{len(rows)} trung tâm, {blank} dòng thiếu tên hay địa chỉ / centres, {blank} without name or address"
    return _pass(bool(rows) and not blank), [f"{page.said}: {lines}"]


def ranking(reading: Reading) -> Answer:
    """The newest assessment, dated, with points and rank of every unit below (16.4, 16.5); the decision is on paper."""
    if not reading.below:
        return "not-applicable", ["không có đơn vị cấp dưới / no unit stands below this one"]
    page, bad = _published(reading, "/xep-hang/")
    if bad:
        return bad
    tables = [(_published_on(caption), caption, rows) for caption, rows in page.tables(*RANKING)]
    undated = [caption or "bảng không có tên / no caption" for day, caption, _ in tables if day is None]
    newest = max((day for day, _, _ in tables if day), default=None)
    if newest is None or undated:
        why = "không có bảng nào đủ các cột này / no table with these columns"
        if undated:
            said = "; ".join(undated)[:200]
            why = f"thiếu ngày công bố, hoặc ngày chưa đến / without the day, not in the future: {said}"
        return "fail", [f"{page.said}: {', '.join(RANKING)}", why]
    rows = [row for day, _, rows in tables if day and newest - day <= ONE_ASSESSMENT for row in rows]
    called = [(reading.named(row["Đơn vị"]), row) for row in rows]
    ranked = {
        unit.id for unit, row in called if unit and NUMBER.fullmatch(row["Hạng"]) and NUMBER.fullmatch(row["Điểm"])
    }
    absent = [unit.name for unit in reading.below if unit.id not in ranked]
    strange = [row["Đơn vị"] or "?" for unit, row in called if unit is None]
    number = f"{len(ranked)}/{len(reading.below)}"
    evidence = [f"{page.said}, {newest}: {number} đơn vị cấp dưới có hạng và điểm / units below with rank and points"]
    if absent:
        evidence.append(f"không có dòng đủ hạng và điểm / without a row of rank and points: {_some(absent)}")
    if strange:
        evidence.append(
            f"không phải tên của đúng một đơn vị cấp dưới / not the name of one unit below: {_some(strange)}"
        )
    evidence.append(
        "quyết định công bố xếp hạng còn phải được xác nhận"
        " / the decision that publishes the ranking has to be attested"
    )
    return "fail" if absent else "not-tested", evidence


def disclosure(reading: Reading) -> Answer:
    """The newest school year with the annual report as PDF and the four parts of Circular 09/2024/TT-BGDĐT, each with
    the headings of the school's level (9.7): :mod:`edumail.portal.disclosed` says which, and what was not looked at.

    Those headings were not compared with that circular's text, so that one lacks proves nothing: somebody has to look.
    """
    page, bad = _there(reading, "/cong-khai/")
    if bad:
        return bad
    years = reading.portal.below("/cong-khai/")
    if not years:
        none = f"{page.said}: không có năm học nào / no school year"
        if _opened(reading) > due_year(today()):
            return "not-tested", [none, _young(reading)]
        return "fail", [none]
    newest = max(years, key=lambda year: year.url)
    levels = reading.unit.levels
    headings = [heading for heading, _ in disclosed.asked(levels)]
    lacking = [part for part in DISCLOSURE if not _part(newest, part)]
    unseen = [heading for heading in headings if not _part(newest, heading)]
    reports = [url for url in links_below(newest, REPORT) if urlsplit(url).path.lower().endswith(".pdf")]
    there, broken, unknown = _files(reading, reports)
    parts = f"{len(DISCLOSURE) - len(lacking)}/{len(DISCLOSURE)}"
    known = f"{len(headings) - len(unseen)}/{len(headings)}"
    evidence = [
        f"{newest.said}: {len(there)} PDF dưới đề mục «{REPORT}», {parts} phần, {known} đề mục"
        f" / {len(there)} PDF below the heading of the annual report, {parts} parts, {known} headings",
        *broken,
    ]
    evidence += [f"thiếu / missing: {', '.join(lacking)}"] if lacking else []
    open_ = [*unknown]
    if not levels or not disclosed.LEVELS.keys() >= set(levels):
        open_.append(
            "không xem: những gì Thông tư 09/2024 liệt kê cho giáo dục thường xuyên (Điều 10 và Điều 11)"
            " / not looked at: what Circular 09/2024 lists for continuing education (its Articles 10 and 11)"
        )
    if unseen:
        open_.append(f"{LOOK}: {', '.join(unseen)}")
    return told(bool(there or unknown) and not (lacking or broken), open_), [*evidence, *open_]


def disclosure_in_time(reading: Reading) -> Answer:
    """Before 30 June, kept for five years; the week's menu before Saturday where meals are served (Circular 09/2024).

    Whether a year's came late is judged from the first 30 June on at which that circular was in force, by the day that
    the page itself says. What else the circular sets a time for is not looked at, and the evidence says so.
    """
    page, bad = _there(reading, "/cong-khai/")
    if bad:
        return bad
    evidence, good, kept = [], True, set()
    newest = due_year(today())
    wanted = set(range(max(newest - YEARS + 1, _opened(reading)), newest + 1))
    for year in reading.portal.below("/cong-khai/"):
        found = re.search(r"/(\d{4})-(\d{4})/$", year.url)
        if not (found and year.good):
            continue
        kept.add(int(found[1]))
        due = date(int(found[2]), *DUE)
        if int(found[1]) <= newest - YEARS or in_force("disclosure", due) != in_force("disclosure", today()):
            continue
        published = _published_on(" ".join(year.main.text_content().split()))
        if not published:
            good = False
            evidence.append(f"{year.said}: không ghi ngày công bố / without the day on which it was published")
            continue
        late = published >= due
        good &= not late
        in_time = "QUÁ HẠN, phải trước / LATE, due before" if late else "kịp hạn, trước / in time, before"
        evidence.append(
            f"{found[1]}-{found[2]}: trang ghi công bố / the page says published {published}: {in_time} {due}"
        )
    evidence.append(f"còn giữ / kept: {', '.join(f'{year}-{year + 1}' for year in sorted(wanted & kept)) or 0}")
    evidence += [_said_opened(reading)] if _opened(reading) and wanted else []
    absent = sorted(wanted - kept)
    if absent:
        evidence.append(f"không còn giữ / not kept: {', '.join(f'{year}-{year + 1}' for year in absent)}")
    served, menus = _menu_in_time(reading)
    plans = [PLANS] if "mamnon" in reading.unit.levels else []
    young = [] if wanted else [_young(reading)]
    open_ = [*young, *(menus if served == "not-tested" else []), *plans]
    evidence += [
        *young,
        *menus,
        *plans,
        "không xem: thay đổi trong 10 ngày làm việc / not looked at: changes within 10 working days",
    ]
    return told(good and served != "fail" and not absent, open_), [page.said, *evidence]


def _opened(reading: Reading) -> int:
    """The year in which the inventory says that the unit was opened, 0 where it says nothing."""
    return reading.content.portal.opened or 0


def _said_opened(reading: Reading) -> str:
    return f"inventory nói mở năm {_opened(reading)} / the inventory says opened in {_opened(reading)}"


def _young(reading: Reading) -> str:
    return f"{_said_opened(reading)}; chưa có năm học nào đến hạn / no school year is due yet"


def _menu_in_time(reading: Reading) -> Answer:
    """Whether the menu of the week is there, and was before the Saturday before it; on a Saturday, of the next week."""
    meals = reading.content.portal.meals
    if meals is None:
        return "not-tested", [
            "inventory không nói có tổ chức bữa ăn không, nên không xem thực đơn"
            " / the inventory does not say whether meals are served, so menus were not looked at"
        ]
    page = reading.portal.page("/thuc-don/")
    if not meals:
        if any(said(words) for _, words in page.headed("h2")):
            return "not-tested", [
                f"{page.said}: inventory nói không tổ chức bữa ăn, mà trang có thực đơn, cần người xem"
                " / the inventory says that no meals are served, and there are menus: somebody has to look"
            ]
        return "pass", ["inventory nói không tổ chức bữa ăn / the inventory says that no meals are served"]
    day = today()
    week = day - timedelta(days=day.weekday()) + (timedelta(weeks=1) if day.weekday() >= SATURDAY else timedelta())
    words = next((text for title, text in page.headed("h2") if f"{week:%d/%m/%Y}" in title), "")
    published = _published_on(words)
    there = (
        f"{published or '?'}: công bố thực đơn tuần từ / published the menu of the week from {week}"
        if words
        else f"KHÔNG CÓ thực đơn tuần từ / there is NO menu of the week from {week}"
    )
    # Besides the day there is to be a menu.
    good = published is not None and published < week - timedelta(days=2) and _enough(PUBLISHED.sub("", words))
    return _pass(good), [f"{page.said}: {there}"]


def admission(reading: Reading) -> Answer:
    """The notice with its seven fields, not older than of the last school year; a list of candidates by number (9.8).

    Before its school year begins nobody can tell from a page whether a list is due.
    """
    verdict, evidence = _fields(reading, "/tuyen-sinh/", ADMISSION)
    pages = reading.portal.below("/tuyen-sinh/")
    newest, begun = max((year for page in pages for year in _school_years(page)), default=None), _school_year()
    items = [
        item.text_content().strip()
        for page in pages
        for item in page.main.xpath(".//ul[contains(@class, 'numbers')]/li")
    ]
    names = [item for item in items if not re.fullmatch(r"(?=.*\d)[A-Z0-9]+", item)]
    shown = f"{newest}–{newest + 1}" if newest else "?"
    evidence += [
        f"thông báo mới nhất: năm học {shown}, nhận từ {begun - 1}–{begun} (con số của bộ kiểm tra này)"
        f" / newest notice: school year {shown}, taken from {begun - 1}–{begun} on (a figure of this suite)",
        f"danh sách dự tuyển: {len(items)} dòng, {len(names)} dòng không chỉ là một số"
        f" / {len(items)} candidates listed, {len(names)} by what is not a number alone",
        "không xem: tên người trong bảng, trong tệp và trong lời văn"
        " / not looked at: names of people in tables, in files and in the text",
    ]
    open_ = [] if newest else ["không thông báo nào ghi năm học, cần người xem / no notice says its school year: look"]
    if not items and newest and newest > begun:
        open_.append("năm học ấy chưa bắt đầu, chưa biết đã phải có danh sách / that year has not begun: no list yet")
    old = newest is not None and newest < begun - 1
    good = verdict == "pass" and not old and not names and bool(items or open_)
    return told(good, open_), [*evidence, *open_]


def _school_year() -> int:
    """When the school year began that is running."""
    return today().year - (today().month < SEPTEMBER)


def _school_years(page: Page) -> list[int]:
    """The years in which the school years begin that a page names."""
    pairs = re.findall(r"\b(20\d\d) ?[-–] ?(20\d\d)\b", page.main.text_content())
    return [int(begins) for begins, ends in pairs if int(ends) == int(begins) + 1]


def school_management(reading: Reading) -> Answer:
    """If the school has one: linked, answers, asks for a sign-in (9.11).

    One that shows no field for a password may ask for it by a script or another page, so that proves nothing.
    """
    wanted = reading.content.portal.school_management
    if wanted is None:
        why = (
            "thông tư chỉ yêu cầu ở trường có hệ thống này, và inventory không khai hệ thống nào"
            " / the circular asks it only of a school that has such a system, and the inventory declares none"
        )
        return "not-applicable", [why]
    verdict, evidence = _leads(reading, "/dich-vu/", [wanted.url])
    if verdict != "pass":
        return verdict, evidence
    page = reading.fetched(wanted.url)
    if page.root.xpath("//input[translate(@type, 'PASWORD', 'pasword')='password']"):
        return "pass", [*evidence, f"{page.said}: đòi đăng nhập / asks for a sign-in"]
    why = "không thấy ô mật khẩu, cần người xem có đòi đăng nhập không / no password field, somebody has to look"
    return "not-tested", [*evidence, f"{page.said}: {why}"]


def today() -> date:
    """The day of the audit."""
    return datetime.now(UTC).date()


def days(page: Page) -> list[date]:
    """Every day that stands in the page's own part and is not in the future."""
    found = []
    for day, month, year in DATE.findall(page.main.text_content()):
        try:
            when = date(int(year), int(month), int(day))
        except ValueError:
            continue
        if when <= today() + timedelta(days=1):
            found.append(when)
    return found


def _published_on(text: str) -> date | None:
    """The day on which something says that it was published; none that is not there, or is still to come."""
    return _day(PUBLISHED, text)


def _day(pattern: re.Pattern[str], text: str) -> date | None:
    """The first day that stands so in a text; none that is not there, or is still to come."""
    said_so = pattern.search(text)
    try:
        day = date(int(said_so[3]), int(said_so[2]), int(said_so[1])) if said_so else None
    except ValueError:
        return None
    return day if day and day <= today() + timedelta(days=1) else None


def _both(names: Sequence[str]) -> str:
    """Headings and columns in both languages."""
    return f"{', '.join(names)} / {', '.join(ENGLISH[name] for name in names)}"


def _some(names: list[str]) -> str:
    more = f", … (+{len(names) - NAMED})" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _pass(good: bool) -> Verdict:
    return "pass" if good else "fail"


def told(good: bool, unseen: list[str]) -> Verdict:
    """A pass only where nothing was left unseen; what was seen to be wrong stays wrong."""
    return "not-tested" if good and unseen else _pass(good)


def _there(reading: Reading, path: str) -> tuple[Page, Answer | None]:
    """The page at ``path``, and the answer when there is none."""
    page = reading.portal.page(path)
    return page, None if page.good else ("fail", [page.said])


def _published(reading: Reading, path: str) -> tuple[Page, Answer | None]:
    """The same, and the answer when the page says that something is missing; for one that meets one requirement."""
    page, bad = _there(reading, path)
    if not bad and page.missing:
        bad = "fail", [page.said, f"trang ghi / the page says: {'; '.join(page.missing)[:200]}"]
    return page, bad


def _empty(reading: Reading, path: str, why: str) -> Answer:
    return "fail", [reading.portal.page(path).said, why]


def _part(page: Page, title: str) -> bool:
    """Whether a heading begins with ``title`` and words stand below it, before the next heading of its level."""
    return any(fold(heading).startswith(fold(title)) and _enough(words) for heading, words in page.headed("h2", "h3"))


def _enough(words: str) -> bool:
    """Whether there are words that say something."""
    return len(said(words)) >= WORDS


def written(item: Page) -> bool:
    """Whether an article is there and has words of its own, besides headings and days."""
    bodies = item.main.xpath(".//*[@itemprop='articleBody']") or item.main.xpath(".//p | .//li | .//td | .//dd")
    return item.good and _enough(DATE.sub("", " ".join(body.text_content() for body in bodies)))


def _headed(reading: Reading, path: str, parts: tuple[str, ...]) -> Answer:
    page, bad = _published(reading, path)
    if bad:
        return bad
    lacking = [part for part in parts if not _part(page, part)]
    evidence = [f"{page.said}: {_both(parts)}"]
    evidence += [f"thiếu / missing: {_both(lacking)}"] if lacking else []
    return _pass(not lacking), evidence


def _articles(reading: Reading, path: str) -> Answer:
    page, bad = _published(reading, path)
    if bad:
        return bad
    items = [item for item in reading.portal.below(path) if written(item) and days(item)]
    return _pass(bool(items)), [
        f"{page.said}: {len(items)} bài có lời văn và ghi ngày / items that open, with text and a day"
    ]


def _fields(reading: Reading, path: str, names: tuple[str, ...]) -> Answer:
    page, bad = _there(reading, path)
    if bad:
        return bad
    items = reading.portal.below(path)
    evidence, good = [f"{page.said}: {len(items)} mục / items ({_both(names)})"], bool(items)
    for item in items:
        terms = item.terms()
        lacking = [name for name in names if not any(k.startswith(fold(name)) and said(v) for k, v in terms.items())]
        if lacking or not item.good:
            good = False
            evidence.append(f"{item.said}: thiếu / missing: {_both(lacking)}")
    return _pass(good), evidence


def _leads(reading: Reading, path: str, urls: list[str]) -> Answer:
    page, bad = _there(reading, path)
    if bad:
        return bad
    if not urls:
        return "fail", [page.said, "inventory không khai liên kết nào / the inventory declares none"]
    shown = {plain(url) for url, _ in page.links()}
    absent = [url for url in urls if plain(url) not in shown]
    there, broken, unseen = reading.answered([url for url in urls if url not in absent])
    number = f"{len(there)}/{len(urls)}"
    evidence = [
        f"{page.said}: {number} liên kết đã khai có trên trang và trả lời / declared links stand there and answer"
        f": {', '.join(there[:SHOWN]) or 0}",
        *broken,
        *unseen,
    ]
    evidence += [f"không có trên trang / not on the page: {url}" for url in absent]
    return told(not (absent or broken), unseen), evidence


def _leads_into(reading: Reading, path: str, url: str | None, names: Collection[str]) -> Answer:
    """As :func:`_leads`; where the link lies in none of ``names``, nobody but a reader can tell whose it is."""
    verdict, evidence = _leads(reading, path, [url] if url else [])
    if verdict == "pass" and url and not lies_in(url, names):
        evidence.append(f"{url}: ngoài / outside {', '.join(sorted(names)) or '–'}; {WHOSE}")
        return "not-tested", evidence
    return verdict, evidence


def _statistics(reading: Reading, columns: tuple[str, ...]) -> Answer:
    page, bad = _published(reading, "/thong-ke/")
    if bad:
        return bad
    rows = page.table(*columns)
    whole = {int(row[columns[0]][:4]) for row in rows if re.match(r"\d{4}", row[columns[0]]) and all(row.values())}
    newest = max(whole, default=0)
    run = next((n for n in range(len(whole) + 1) if newest - n not in whole), 0)
    opened, least = _opened(reading), today().year - RECENT
    if opened > least and not whole:
        asked = f"số liệu một năm học đến hạn sau {RECENT} năm (con số của bộ kiểm tra này)"
        asked += f" / figures of a school year are due {RECENT} years after it began (a figure of this suite)"
        return "not-tested", [page.said, _young(reading), asked]
    wanted = max(1, min(YEARS, newest - opened + 1))
    last = newest or "–"
    evidence = [
        f"{page.said}: {len(whole)} năm đủ số liệu, {run} năm liên tiếp đến {last}"
        f" / {len(whole)} whole years, {run} in a row up to {last}",
        f"cần {wanted} năm, năm cuối từ {least} trở đi ({least}: con số của bộ kiểm tra này)"
        f" / {wanted} wanted, the last from {least} on (a figure of this suite)",
    ]
    evidence += [_said_opened(reading)] if opened else []
    return _pass(run >= wanted and newest >= least), evidence
