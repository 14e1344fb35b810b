"""The audit's questions about portals, asked of the pages that the core renders: each passes once and fails once."""

from __future__ import annotations

import asyncio
import html
import itertools
import re
import ssl
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dns.exception
import dns.resolver
import pytest

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Verdict
from edumail.load import load
from edumail.mail import Mail
from edumail.portal import disclosed
from edumail.portal.load import Contents
from edumail.portal.model import Content, Diploma, Examination, Link, Result
from edumail.portal.said import said
from edumail.portal.sections import BY_ID, incomplete, missing
from edumail.portal.site import Portals
from edumail.portal.view import Views
from edumail.text import fold
from tests.circular import browser as browser_of
from tests.circular import mailed, sections
from tests.circular import test_article_2_terms as article_2
from tests.circular import test_article_3_general as article_3
from tests.circular import test_article_6_role as article_6
from tests.circular import test_article_7_principles as article_7
from tests.circular import test_article_8_managing_bodies as article_8
from tests.circular import test_article_9_schools as article_9
from tests.circular import test_article_10_other_content as article_10
from tests.circular import test_article_11_operation as article_11
from tests.circular import test_article_12_technology as article_12
from tests.circular import test_article_16_assessment as article_16
from tests.circular.audit import AuditError
from tests.circular.browser import ARGUMENTS, Browser, Seen
from tests.circular.exchangers import Reply
from tests.circular.mailed import Mailed, finished
from tests.circular.network import Confined
from tests.circular.pages import Page, Portal, nowhere
from tests.circular.portal import Answer, Reading

ROOT = Path(__file__).parents[2]
CHECKS = {**article_8.CHECKS, **article_9.CHECKS, **article_16.CHECKS}
GOOD: Mapping[str, Verdict] = dict.fromkeys(CHECKS, "pass") | dict.fromkeys(article_16.CHECKS, "not-tested")
"""What a full portal gets: where a paper belongs to it, pages alone are no pass."""
OPEN = {("mn-hoa-sen", "C37-9.7.2"), ("th-suoi-mo", "C37-9.7.2")}
"""A preschool's plans are not looked at; a school with menus that says that it serves no meals."""
APP = {"C37-8.1b", "C37-9.1b", "C37-8.11", "C37-8.12"}
"""What a program answers, not a file: tests/lab asks those."""
REFUSED = Reply(550, "no such user")
ASKED = sorted(set(CHECKS) - APP)


class Response:
    def __init__(self, status: int, headers: Mapping[str, str]):
        self.status, self.headers = status, headers

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self.headers.items())


class Instead(Contents):
    """What a folder has, but for one unit."""

    instead: Content | None = None

    def of(self, unit: str) -> Content:
        return self.instead if self.instead and self.instead.unit == unit else super().of(unit)


Outside = Callable[[str, str, int], tuple[Response, bytes]]


def signs_in(host: str, path: str, port: int) -> tuple[Response, bytes]:
    """What every page of others is, if a test says nothing else."""
    return Response(200, {}), b'<input type="password">'


class Files:
    """The pages of a province as they would be served, and an outside world in which every link answers."""

    outside: Outside = staticmethod(signs_in)

    def __init__(self, folder: Path, instead: Content | None = None):
        self.province = load(folder)
        self.contents = Instead(folder, self.province)
        self.contents.instead = instead
        portals = Portals(self.province, self.contents)
        self.files: dict[tuple[str, str], bytes] = {}
        names = {unit.id: unit.portal for unit in self.province.units.values()}
        for host in self.province.hosts.values():
            for path, file in portals.files(host).items():
                kind, _, rest = path.partition("/")
                if kind == "sites":
                    unit, _, rest = rest.partition("/")
                    self.files[names[unit], f"/{rest}".removesuffix("index.html")] = file.content

    def https(self, host: str, path: str = "/", form: object = None, port: int = 443) -> tuple[Response, bytes]:
        own = {unit.portal for unit in self.province.units.values()}
        if host not in own:
            return self.outside(host, path, port)
        if (host, path) not in self.files:
            return Response(404, {}), b""
        return Response(200, {}), self.files[host, path]


class Exchangers:
    """Every address is accepted, but for those that are not."""

    def __init__(self, refused: Collection[str]):
        self.refused = refused

    def rcpts(self, addresses: Iterable[str], sender: str = "<>") -> dict[str, Reply]:
        return {address: REFUSED if address in self.refused else Reply(250, "ok") for address in addresses}


class Letters:
    """All letters have arrived, or none has."""

    def __init__(self, arrived: bool):
        self.exchanger, self.reply, self.unsent, self._arrived = "mx", "250 ok", "", arrived

    def letter(self, address: str) -> Letters:
        return self

    def arrived(self, mailbox: str) -> bool:
        return self._arrived


def reading(files: Files, unit: str, refused: Collection[str] = ()) -> Reading:
    audit: Any = SimpleNamespace(
        network=files,
        province=files.province,
        contents=files.contents,
        mail=Mail(files.province),
        views=Views(files.province),
        exchangers=Exchangers(refused),
        left_out=lambda unit: "",
        kept={},
        homes={},
    )
    return Reading(audit, files.province.units[unit])


def answer(requirement: str, reading: Reading) -> Answer:
    """What pages and mail say together."""
    asked = [(reading.unit, CHECKS[requirement](reading))]
    ((_, found),) = finished(reading.audit, reading.unit.host, requirement, asked)
    return found


@pytest.fixture(scope="module")
def files() -> Files:
    return Files(ROOT / "inventories" / "lab")


@pytest.fixture
def edited(files: Files) -> Iterator[Callable[..., None]]:
    """Change the text of pages of one unit; put back at the end."""
    kept = dict(files.files)

    def edit(name: str, path: str, pattern: str, new: str) -> None:
        found = [key for key in files.files if key[0] == name and re.fullmatch(path, key[1])]
        changed = 0
        for key in found:
            text = files.files[key].decode()
            files.files[key] = re.sub(pattern, new, text, flags=re.S).encode()
            changed += files.files[key] != text.encode()
        assert changed, "an edit that changes nothing breaks nothing"

    yield edit
    files.files.clear()
    files.files.update(kept)


def unit_for(requirement: str) -> str:
    if requirement == "C37-16.5":
        return "vhxh-suoi-mo"
    return "so" if requirement.startswith(("C37-8", "C37-16")) else "thcs-suoi-mo"


@pytest.mark.parametrize("requirement", ASKED)
def test_a_full_portal_passes(files: Files, requirement: str) -> None:
    for unit in files.province.units.values():
        if requirements()[requirement].applies_to(files.province.kinds[unit.kind]):
            verdict, evidence = answer(requirement, reading(files, unit.id))
            good = "not-tested" if (unit.id, requirement) in OPEN else GOOD[requirement]
            assert verdict == good or (verdict, requirement) == ("not-applicable", "C37-9.11"), (unit.id, evidence)
            assert evidence


FAULTS: dict[str, tuple[str, str, str]] = {
    "C37-8.1a.1": ("/gioi-thieu/", "<h2[^>]*>Chức năng.*?<h2", "<h2"),
    "C37-8.1a.2": ("/lanh-dao/", r"(<tbody>\s*<tr>.*?<td data-label=\"Điện thoại\">).*?</td>", r"\1</td>"),
    "C37-8.2": ("/tin-tuc/.+/", r"\d\d/\d\d/20\d\d|DC\.date", ""),
    "C37-8.3": ("/van-ban/", r'href="/files/[^"]*"', 'href="/"'),
    "C37-8.4a": ("/dich-vu/", 'https://dichvucong[^"]*', "/"),
    "C37-8.4b": ("/dich-vu/", '"https://vanbang[^"]*', '"/'),
    "C37-8.4c.1": ("/thu-tuc/.+/", r"(<dt>Phí, lệ phí</dt>\s*<dd[^>]*>).*?</dd>", r"\1chưa công bố</dd>"),
    "C37-8.4c.2": ("/dich-vu/", 'https://tuyensinh[^"]*', "/"),
    "C37-8.5": ("/phap-luat/", "<main.*?</main>", "<main><h1>Pháp luật</h1></main>"),
    "C37-8.6": ("/lay-y-kien/.+/", "<dt>Địa chỉ nhận ý kiến</dt>", "<dt>x</dt>"),
    "C37-8.7": ("/tin-tuc/.+/", '<meta name="DC.creator"[^>]*>', '<meta name="DC.creator" content=" ">'),
    "C37-8.8": ("/thong-ke/", r"<tr><th scope=\"row\">2023.*?</tr>", ""),
    "C37-8.9.1": ("/hoc-lieu/", "<table.*?</table>", ""),
    "C37-8.9.2": ("/hoc-lieu/", 'https://thuvien[^"]*', "/"),
    "C37-8.10": ("/kiem-dinh/", "<main.*?</main>", "<main><h1>x</h1></main>"),
    "C37-8.13": ("/du-an/", "<main.*?</main>", "<main><h1>x</h1></main>"),
    "C37-8.14": ("/dich-vu/", 'https://hoinghi[^"]*', "/"),
    "C37-8.15": ("/en/", '<h2 id="services">.*?</main>', "</main>"),
    "C37-8.16": ("/trung-tam/", "<tbody>.*?</tbody>", ""),
    "C37-16.4": ("/xep-hang/", r"<tr>\s*<th scope=\"row\">Trường THCS Suối Mơ<.*?</tr>", ""),
    "C37-16.5": ("/xep-hang/", "Công bố ngày", "Ngày"),
    "C37-9.1a.1": ("/gioi-thieu/", "<h2[^>]*>Lịch sử.*?</main>", "</main>"),
    "C37-9.1a.2": ("/lanh-dao/", r"(<tbody>\s*<tr>.*?<td data-label=\"Nhiệm vụ\">).*?</td>", r"\1</td>"),
    "C37-9.2": ("/tin-tuc/.*", r"\d\d/\d\d/20\d\d", "01/01/2019"),
    "C37-9.3": ("/van-ban/", r"<th scope=\"row\">[^<]*</th>", '<th scope="row"></th>'),
    "C37-9.4": ("/dich-vu/", 'https://tuyensinh[^"]*', "/"),
    "C37-9.5": ("/lay-y-kien/.+/", "<dt>Thời hạn nhận ý kiến</dt>", "<dt>x</dt>"),
    "C37-9.6": ("/gioi-thieu/", '<meta name="DC.date"[^>]*>', ""),
    "C37-9.7.1": ("/cong-khai/.+/", r"\.pdf", ""),
    "C37-9.7.2": ("/cong-khai/2024-2025/", r"\d\d/\d\d/2025</time>", "01/07/2025</time>"),
    "C37-9.8": ("/tuyen-sinh/.+/", "<dt>Chỉ tiêu</dt>", "<dt>x</dt>"),
    "C37-9.9": ("/thong-ke/", r"<tr><th scope=\"row\">2021.*?</tr>", ""),
    "C37-9.10.1": ("/hoc-lieu/", "<table.*?</table>", ""),
    "C37-9.10.2": ("/hoc-lieu/", 'https://vhxh[^"]*', "/"),
    "C37-9.11": ("/dich-vu/", 'https://truonghoc[^"]*', "/"),
}
"""Requirement → pages, what on them is broken, and how."""


def test_every_check_has_its_fault() -> None:
    assert sorted(FAULTS) == ASKED


@pytest.mark.parametrize("requirement", ASKED)
def test_a_page_that_lacks_what_is_asked_fails(files: Files, edited: Callable[..., None], requirement: str) -> None:
    unit = files.province.units[unit_for(requirement)]
    edited(unit.portal, *FAULTS[requirement])
    verdict, evidence = answer(requirement, reading(files, unit.id))
    assert verdict == "fail", evidence


@pytest.mark.parametrize("requirement", ASKED)
def test_a_portal_that_does_not_answer_passes_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    monkeypatch.setattr(files, "files", {})
    verdict, evidence = answer(requirement, reading(files, unit_for(requirement)))
    assert verdict == "fail", evidence


@pytest.mark.parametrize("requirement", ["C37-8.1a.2", "C37-8.6", "C37-9.1a.2", "C37-9.5"])
def test_an_address_that_is_refused_turns_a_pass_into_a_fail(files: Files, requirement: str) -> None:
    unit = unit_for(requirement)
    asked = CHECKS[requirement](reading(files, unit))
    assert isinstance(asked, Mailed)
    assert asked.rcpt
    verdict, evidence = answer(requirement, reading(files, unit, refused=[asked.rcpt[-1]]))
    assert verdict == "fail"
    assert evidence == [*asked.evidence, f"bị từ chối ở RCPT / refused at RCPT: {asked.rcpt[-1]}"]
    verdict, evidence = answer(requirement, reading(files, unit))
    assert verdict == "pass"
    assert evidence == [*asked.evidence, f"{len(asked.rcpt)} địa chỉ được nhận ở RCPT / addresses accepted at RCPT"]


@pytest.mark.parametrize("day", ["31/06/2025", "30/06/2099"])
def test_a_disclosure_with_a_day_that_is_not_there_or_to_come_is_not_dated(
    files: Files, edited: Callable[..., None], day: str
) -> None:
    unit = files.province.units[unit_for("C37-9.7.2")]
    edited(unit.portal, "/cong-khai/2024-2025/", r"\d\d/\d\d/2025</time>", f"{day}</time>")
    verdict, evidence = answer("C37-9.7.2", reading(files, unit.id))
    assert verdict == "fail"
    assert "không ghi ngày công bố" in " | ".join(evidence)


def test_a_document_without_its_file_is_counted(files: Files, edited: Callable[..., None]) -> None:
    unit = files.province.units[unit_for("C37-9.3")]
    edited(unit.portal, "/van-ban/", r'href="/files/[^"]*"', 'href="/"')
    verdict, evidence = answer("C37-9.3", reading(files, unit.id))
    assert verdict == "fail"
    assert ", 0 rows with a link to a file" in evidence[0]


def test_a_feed_that_is_no_xml_says_where(files: Files, edited: Callable[..., None]) -> None:
    unit = files.province.units["th-suoi-mo"]
    edited(unit.portal, "/rss.xml", "</channel>", "")
    verdict, evidence = article_12._feed(reading(files, unit.id))
    assert verdict == "fail"
    assert "XML: " in " | ".join(evidence)


@pytest.mark.parametrize(
    ("pattern", "new", "said"),
    [
        ("</urlset>", "", "XML: "),
        ("urlset", "sitemapindex", "no sitemap: "),
        ("(?=</urlset>)", "<url><loc>https://khac.test/</loc></url>", "outside this portal: https://khac.test/"),
        (r"<url><loc>[^<]*/tin-tuc/20-11[^<]*</loc>.*?</url>", "", "not in the sitemap: "),
    ],
)
def test_a_sitemap_is_one_and_has_the_pages_that_were_read(
    files: Files, edited: Callable[..., None], pattern: str, new: str, said: str
) -> None:
    unit = files.province.units["th-suoi-mo"]
    edited(unit.portal, "/sitemap.xml", pattern, new)
    verdict, evidence = answer("C37-9.6", reading(files, unit.id))
    assert verdict == "fail"
    assert said in " | ".join(evidence)


@pytest.mark.parametrize("requirement", ["C37-8.6", "C37-9.5"])
@pytest.mark.parametrize("instead", [r"\1", r'<a href="mailto:">\1</a>', r'<a href="mailto:?subject=a@b.test">\1</a>'])
def test_a_consultation_without_an_address_to_write_to_fails(
    files: Files, edited: Callable[..., None], requirement: str, instead: str
) -> None:
    unit = files.province.units[unit_for(requirement)]
    edited(unit.portal, "/lay-y-kien/.+/", '<a href="mailto:[^"]*">([^<]*)</a>', instead)
    verdict, evidence = answer(requirement, reading(files, unit.id))
    assert verdict == "fail"
    assert "no mail address to send an opinion to" in " | ".join(evidence)


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("form", [True, False])
def test_an_address_or_a_form_is_enough_to_ask_by(
    files: Files, edited: Callable[..., None], shown: bool, form: bool
) -> None:
    unit = files.province.units["thcs-suoi-mo"]
    if form:
        files.files[unit.portal, "/phan-anh"] = b"<main><form method=post action=/phan-anh></form></main>"
    if not shown:
        edited(unit.portal, "/lien-he/", "mailto:", "x:")
    said = CHECKS["C37-9.1b"](reading(files, unit.id))
    assert isinstance(said, Mailed)
    assert (said.verdict, said.letter) == ("pass" if shown or form else "fail", unit.public_address)


@pytest.mark.parametrize("arrived", [True, False])
def test_the_letter_to_the_published_address_decides(
    files: Files, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    unit = reading(files, "thcs-suoi-mo")
    monkeypatch.setattr(mailed, "post", lambda audit, serving, requirement: Letters(arrived))
    asked = Mailed("pass", ["the page"], letter=unit.unit.public_address)
    came = "đến nơi / arrived" if arrived else "KHÔNG THẤY / NOT FOUND"
    said = f"từ bên ngoài / from outside → {unit.unit.public_address}: 250 ok; IMAP: {came}"
    wanted = [("pass" if arrived else "fail", ["the page", said]), ("fail", ["another"])]
    answers = [(unit.unit, asked), (unit.unit, ("fail", ["another"]))]
    assert [answer for _, answer in finished(unit.audit, "mail-xa", "C37-9.1b", answers)] == wanted


def test_what_mail_can_not_decide_leaves_that_unit_open_and_no_other(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that is refused only for now, and a letter; a page that fails needs neither."""

    class Later(Letters):
        def arrived(self, mailbox: str) -> bool:
            raise AuditError("451 later")

    monkeypatch.setattr(mailed, "post", lambda audit, serving, requirement: Later(True))
    unit = reading(files, "thcs-suoi-mo")
    replies = {"a@x.test": Reply(451, "later"), "b@x.test": Reply(250, "ok")}
    unit.audit.exchangers.rcpts = lambda addresses: {address: replies[address] for address in addresses}
    letter = unit.unit.public_address
    asked = [
        Mailed("pass", ["1"], rcpt=("a@x.test", "b@x.test")),
        Mailed("pass", ["2"], letter=letter),
        Mailed("pass", ["3"], rcpt=("b@x.test",)),
        Mailed("fail", ["4"], rcpt=("a@x.test",), letter=letter),
    ]
    found = finished(unit.audit, "mail-xa", "C37-9.1b", [(unit.unit, one) for one in asked])
    assert [(verdict, evidence[0]) for _, (verdict, evidence) in itertools.islice(found, 2)] == [
        ("pass", "3"),
        ("fail", "4"),
    ]
    with pytest.raises(AuditError, match=r"a@x\.test: .*451 later.*; .*451 later"):
        next(found)


def test_a_leader_whose_mailbox_is_full_has_one(files: Files) -> None:
    unit = reading(files, "thcs-suoi-mo")
    person, public = unit.audit.province.people[0].address, unit.unit.public_address
    full = Reply(552, "5.2.2 hop thu day / the mailbox is full")
    unit.audit.exchangers.rcpts = lambda addresses: dict.fromkeys(addresses, full)
    answers = [(unit.unit, Mailed("pass", [], rcpt=(address,))) for address in (person, public)]
    assert [verdict for _, (verdict, _) in finished(unit.audit, "mail-xa", "C37-9.1a.2", answers)] == ["pass", "fail"]


def test_full_mailboxes_are_named_and_not_counted_among_those_that_accept(files: Files) -> None:
    unit = reading(files, "thcs-suoi-mo")
    first, other = (person.address for person in unit.audit.province.people[:2])
    replies = {first: Reply(250, "ok"), other: Reply(552, "5.2.2 hop thu day / the mailbox is full")}
    unit.audit.exchangers.rcpts = lambda addresses: replies
    asked = Mailed("pass", [], rcpt=(first, other))
    ((_, (verdict, evidence)),) = finished(unit.audit, "mail-xa", "C37-9.1a.2", [(unit.unit, asked)])
    assert verdict == "pass"
    said = ["addresses accepted at RCPT", f"full, and there: {other}"]
    assert [line.partition(" / ")[2] for line in evidence] == said
    assert evidence[0].startswith("1 ")


@pytest.mark.parametrize("where", ["rcpt", "letter"])
def test_a_network_that_lets_no_mail_out_leaves_open_only_what_pages_do_not_decide(
    files: Files, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def confined(*words: object) -> Any:
        raise Confined("no way out to port 25")

    unit = reading(files, "thcs-suoi-mo")
    monkeypatch.setattr(mailed, "post", confined)
    unit.audit.exchangers.rcpts = lambda addresses: dict.fromkeys(
        addresses, Reply.lacking(Confined("no way out to port 25"))
    )
    said: Any = {"rcpt": ("a@x.test",)} if where == "rcpt" else {"letter": unit.unit.public_address}
    asked = [("pass", ["1"]), Mailed("pass", ["2"], **said), Mailed("fail", ["3"], **said), ("pass", ["4"])]
    found = finished(unit.audit, "mail-xa", "C37-9.1b", [(unit.unit, one) for one in asked])
    answers = [answer for _, answer in itertools.islice(found, 3)]
    assert [(verdict, evidence[0]) for verdict, evidence in answers] == [("pass", "1"), ("fail", "3"), ("pass", "4")]
    with pytest.raises(AuditError, match="no way out to port 25"):
        next(found)


def test_a_page_that_fails_is_mended_by_no_letter(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = reading(files, "thcs-suoi-mo")
    monkeypatch.setattr(mailed, "post", lambda audit, serving, requirement: Letters(True))
    asked = Mailed("fail", [], rcpt=("a@x.test",), letter=unit.unit.public_address)
    ((_, (verdict, _)),) = finished(unit.audit, "mail-xa", "C37-9.1b", [(unit.unit, asked)])
    assert verdict == "fail"


RANKING = "/xep-hang/"


@pytest.mark.parametrize(
    ("pattern", "new", "said"),
    [
        (r"<tr>\s*<th scope=\"row\">Trường Tiểu học.*?</tr>", "", "without a row of rank and points: Trường Tiểu học"),
        (r"Trường THPT Sông Quế<", "Trường THPT Sông Mơ<", "not the name of one unit below: Trường THPT Sông Mơ"),
        (r"(data-label=\"Hạng\">)1<", r"\1<", "without a row of rank and points: Trường THPT Sông Quế"),
        (r"(data-label=\"Điểm\">)94,5<", r"\1tốt<", "without a row of rank and points: Trường THPT Sông Quế"),
        ("/2026</time>", "/2036</time>", "without the day, not in the future: Quyết định số 1163"),
        (">16/10/2026<", ">16/13/2026<", "without the day, not in the future"),
        ("<caption.*?</caption>", "", "without the day, not in the future: bảng không có tên / no caption"),
        ("<main.*?</main>", "<main><h1>x</h1></main>", "no table with these columns"),
        ("<h1>", '<p data-missing="ranking">Còn thiếu</p><h1>', "the page says: Còn thiếu"),
    ],
)
def test_a_ranking_says_why_it_fails(
    files: Files, edited: Callable[..., None], pattern: str, new: str, said: str
) -> None:
    edited(files.province.units["so"].portal, RANKING, pattern, new)
    verdict, evidence = CHECKS["C37-16.4"](reading(files, "so"))
    assert verdict == "fail"
    assert said in " | ".join(evidence)


def test_what_another_assessment_said_of_a_unit_is_not_this_one_s(files: Files, edited: Callable[..., None]) -> None:
    """A school that the newest decision leaves out is missing, even though last year's has it."""
    so = files.province.units["so"].portal
    table = re.search("<table.*?</table>", files.files[so, RANKING].decode(), re.S)
    assert table
    edited(so, RANKING, r"<tr>\s*<th scope=\"row\">Trường THCS Suối Mơ<.*?</tr>", "")
    assert CHECKS["C37-16.4"](reading(files, "so"))[0] == "fail"
    edited(so, RANKING, "</main>", table[0].replace("16/10/2026", "16/09/2026") + "</main>")
    assert CHECKS["C37-16.4"](reading(files, "so"))[0] == "not-tested", "of the same assessment, a month before"
    edited(so, RANKING, "16/09/2026", "16/10/2025")
    assert CHECKS["C37-16.4"](reading(files, "so"))[0] == "fail"


def test_units_of_one_name_are_told_apart_by_where_they_are(files: Files) -> None:
    about = reading(files, "so")
    units = files.province.units
    th, mn = units["th-suoi-mo"], units["mn-hoa-sen"]
    twin = th.model_copy(update={"id": "twin", "parent": "so", "street_address": "Thôn Đồng, xã Đồng Chiêm"})
    about.below = [th, twin, mn]
    assert about.named("TRƯỜNG MẦM NON HOA SEN") is about.named(f"{mn.name} (xã Suối Mơ)") is mn
    assert about.named(th.name) is None, "two have it"
    assert about.named(f"{th.name} (xã Suối Mơ)") is th
    assert about.named(f"{th.name} (xã Suối)") is None
    assert about.named(f"{th.name}, {twin.street_address}") is about.named(f"{th.name} – xã Đồng Chiêm") is twin
    assert about.named(f"{th.name} (Sở Giáo dục và Đào tạo Minh Hà)") is twin
    assert about.named("") is about.named("Trường Tiểu học") is None


def test_who_has_nobody_below_has_nobody_to_rank(files: Files) -> None:
    about = reading(files, "vhxh-suoi-mo")
    about.below = []
    assert CHECKS["C37-16.5"](about)[0] == "not-applicable"


MENUS = "/thuc-don/"


@pytest.mark.parametrize(
    ("day", "pattern", "new", "verdict"),
    [
        (date(2026, 11, 27), "x", "x", "pass"),
        (date(2026, 11, 28), "x", "x", "pass"),
        (date(2026, 11, 27), ">23/11/2026</time></h2>", ">16/11/2026</time></h2>", "fail"),
        (date(2026, 11, 27), ">30/11/2026</time></h2>", ">16/11/2026</time></h2>", "pass"),
        (date(2026, 11, 28), ">30/11/2026</time></h2>", ">16/11/2026</time></h2>", "fail"),
        (date(2026, 11, 30), "27/11/2026", "28/11/2026", "fail"),
        (date(2026, 11, 30), "27/11/2026", "37/11/2026", "fail"),
        (date(2026, 11, 30), "<ul>.*?</ul>", "", "fail"),
        (date(2027, 1, 4), "x", "x", "fail"),
    ],
)
def test_the_menu_of_the_week_was_there_before_saturday(
    files: Files,
    edited: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    day: date,
    pattern: str,
    new: str,
    verdict: str,
) -> None:
    monkeypatch.setattr(sections, "today", lambda: day)
    if pattern != new:
        edited(files.province.units["th-suoi-mo"].portal, MENUS, pattern, new)
    found, evidence = CHECKS["C37-9.7.2"](with_meals(reading(files, "th-suoi-mo"), True))
    assert found == verdict, evidence


def with_meals(about: Reading, meals: bool | None) -> Reading:
    """The same, of a school that says so."""
    portal = about.content.portal.model_copy(update={"meals": meals})
    about.content = about.content.model_copy(update={"portal": portal})
    return about


@pytest.mark.parametrize(
    ("unit", "meals", "verdict", "why"),
    [
        ("thcs-suoi-mo", None, "not-tested", "does not say whether meals are served"),
        ("thcs-suoi-mo", True, "fail", "there is NO menu"),
        ("thcs-suoi-mo", False, "pass", "says that no meals are served"),
        ("th-suoi-mo", False, "not-tested", "says that no meals are served, and there are menus"),
        ("mn-hoa-sen", True, "not-tested", "not looked at: a preschool's plans of the month"),
    ],
)
def test_menus_are_asked_of_a_school_that_says_that_it_serves_meals(
    files: Files, monkeypatch: pytest.MonkeyPatch, unit: str, meals: bool | None, verdict: str, why: str
) -> None:
    monkeypatch.setattr(sections, "today", lambda: date(2026, 11, 27))
    about = with_meals(reading(files, unit), meals)
    found, evidence = CHECKS["C37-9.7.2"](about)
    assert found == verdict, evidence
    said = " | ".join(evidence)
    assert why in said
    assert "not looked at: changes within 10 working days" in said
    assert answer("C37-9.7.1", about)[0] == "pass", "what the menus lack is not the headings'"


@pytest.mark.parametrize(
    ("path", "day", "verdict"),
    [
        ("/cong-khai/2024-2025/", "29/06/2025", "pass"),
        ("/cong-khai/2024-2025/", "30/06/2025", "fail"),
        ("/cong-khai/2023-2024/", "20/07/2024", "pass"),
        ("/cong-khai/2023-2024/", "", "pass"),
    ],
)
def test_a_disclosure_is_late_by_the_circular_that_was_in_force(
    files: Files, edited: Callable[..., None], path: str, day: str, verdict: str
) -> None:
    edited("thcssuoimo.suoimo.minhha.test", path, r"\d\d/\d\d/20\d\d</time>", f"{day}</time>")
    found, evidence = answer("C37-9.7.2", reading(files, "thcs-suoi-mo"))
    assert found == verdict, evidence


@pytest.mark.parametrize(
    ("requirement", "path", "pattern", "new", "verdict"),
    [
        ("C37-9.7.1", "/cong-khai/.+/", "<h3>Liên hệ</h3>.*?<h3>", "<h3>Liên hệ</h3><p>{}</p><h3>", "not-tested"),
        ("C37-9.1a.1", "/gioi-thieu/", "<h2>Lịch sử.*?</main>", "<h2>Lịch sử</h2><p>{}</p></div></main>", "fail"),
        ("C37-9.1a.2", "/lanh-dao/", r"(Nhiệm vụ\">)[^<]*<", r"\1{}<", "fail"),
        ("C37-9.8", "/tuyen-sinh/.+/", '(data-field="place">)[^<]*<', r"\1{}<", "fail"),
        ("C37-10.3", "/doan-the/.+/", 'articleBody">.*?</div>', 'articleBody">{}</div>', "fail"),
        (
            "C37-9.5",
            "/lay-y-kien/.+/",
            "<h2>Nội dung lấy ý kiến.*?</main>",
            "<h2>Nội dung</h2><p>{}</p></div></main>",
            "fail",
        ),
    ],
)
@pytest.mark.parametrize(
    "words", ["Nội dung đang cập nhật.", "Đang xây dựng", "To be updated", "Lorem ipsum dolor sit"]
)
def test_a_promise_of_words_is_none(
    files: Files,
    edited: Callable[..., None],
    requirement: str,
    path: str,
    pattern: str,
    new: str,
    verdict: str,
    words: str,
) -> None:
    about = reading(files, "thcs-suoi-mo")
    if requirement == "C37-9.5":
        edited(about.unit.portal, path, '<a class="file".*?</a>', "")
    edited(about.unit.portal, path, pattern, new.format(words))
    checks = {**CHECKS, "C37-10.3": partial(article_10._switched, "organisations")}
    asked = checks[requirement](about)
    found = asked.verdict if isinstance(asked, Mailed) else asked[0]
    assert found == verdict or (words[:5], requirement, found) == ("Lorem", "C37-9.7.1", "fail"), asked


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Phụ trách chung; đang xây dựng đề án trường chuẩn quốc gia mức độ hai đến năm 2030", 18),
        ("Không", 1),
        ("–", 0),
        ("Lorem ipsum dolor sit amet. Consectetur adipiscing elit", 0),
        ("Đang cập nhật…", 0),
        ("Hồ sơ: đang cập nhật", 0),
        ("Nội dung đang cập nhật. Nội dung đang cập nhật.", 0),
        ("Nội dung đang xây dựng", 0),
        ("Khu B đang xây dựng", 5),
        ("Khu nhà B đang xây dựng, tầng 1", 8),
        ("Quản lý công trình trường học đang xây dựng", 9),
        ("Trường hiện đang xây dựng kế hoạch", 7),
        ("Trường có 12 lớp. Nội dung đang được cập nhật!", 10),
    ],
)
def test_what_a_text_says(text: str, number: int) -> None:
    assert len(said(text)) == number


@pytest.mark.parametrize(
    ("body", "verdict"),
    [(b"%PDF-1.4 x", "pass"), (b"<!DOCTYPE html><p>Not here", "fail"), (b"", "fail")],
)
@pytest.mark.parametrize("requirement", ["C37-9.3", "C37-9.7.1"])
def test_a_file_is_what_it_is_called(files: Files, edited: object, requirement: str, body: bytes, verdict: str) -> None:
    for name in [key for key in files.files if key[1].endswith(".pdf")]:
        files.files[name] = body
    assert answer(requirement, reading(files, "thcs-suoi-mo"))[0] == verdict


def test_another_pdf_is_no_annual_report(files: Files, edited: Callable[..., None]) -> None:
    edited("thcssuoimo.suoimo.minhha.test", "/cong-khai/.+/", "<h2>Báo cáo thường niên", "<h2>Tệp khác")
    assert answer("C37-9.7.1", reading(files, "thcs-suoi-mo"))[0] == "fail"


def test_news_are_as_new_as_their_own_day(files: Files, edited: Callable[..., None]) -> None:
    """Not as a day that a summary names, or an item that is gone."""
    about = reading(files, "thcs-suoi-mo")
    edited(about.unit.portal, "/tin-tuc/.+/", r"\d\d/\d\d/20\d\d", "01/01/2019")
    edited(about.unit.portal, "/tin-tuc/.*", "</h1>", "</h1><p>Nộp hồ sơ trước ngày 15/11/2026</p>")
    for judge in (CHECKS["C37-9.2"], article_6._dated, article_11._in_time):
        verdict, evidence = judge(about)
        assert verdict == "fail", evidence
    assert "5 tin ghi ngày / dated items" in evidence[0]


@pytest.mark.parametrize(
    ("pattern", "new", "verdict", "why"),
    [
        ("2026–2027", "2020–2021", "fail", "newest notice: school year 2020–2021, taken from 2025–2026 on"),
        ("2026–2027", "2025–2026", "pass", "newest notice: school year 2025–2026"),
        ("2026–2027", "sắp tới", "not-tested", "no notice says its school year"),
        ('<ul class="numbers">.*?</ul>', "", "fail", "0 candidates listed"),
        ('2026–2027|<ul class="numbers">.*?</ul>', "2027–2028", "not-tested", "no list yet"),
        ('(class="numbers">\\s*<li>)[^<]*', r"\1NGUYENVANA", "fail", "1 by what is not a number alone"),
        ("x", "x", "pass", "not looked at: names of people in tables"),
    ],
)
def test_admission_is_of_a_year_and_lists_numbers(
    files: Files,
    edited: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    new: str,
    verdict: str,
    why: str,
) -> None:
    monkeypatch.setattr(sections, "today", lambda: date(2026, 11, 30))
    if pattern != new:
        edited("thcssuoimo.suoimo.minhha.test", "/tuyen-sinh/.+/", pattern, new)
    found, evidence = answer("C37-9.8", reading(files, "thcs-suoi-mo"))
    assert found == verdict, evidence
    assert why in " | ".join(evidence)


def test_of_a_year_that_has_not_begun_no_list_is_missed(files: Files) -> None:
    about = reading(files, "thcs-suoi-mo")
    view = about.audit.views.of(about.unit)
    for begins, number in ((view.due + 1, 1), (view.due + 2, 0)):
        change = {"candidates": (), "school_year": f"{begins}-{begins + 1}"}
        notices = tuple(item.model_copy(update=change) for item in about.content.admissions)
        instead = about.content.model_copy(update={"admissions": notices})
        assert len(missing(BY_ID["admission"], view, instead)) == number


def test_vietnamese_under_english_headings_is_not_english(files: Files, edited: Callable[..., None]) -> None:
    edited(
        files.province.units["so"].portal,
        "/en/",
        "(Introduction</h2>\\s*<p>).*?<h2",
        r"\1Sở quản lý giáo dục của tỉnh<h2",
    )
    verdict, evidence = answer("C37-8.15", reading(files, "so"))
    assert verdict == "fail"
    assert "most words are Vietnamese: Introduction" in evidence[-1]


def test_a_centre_without_its_address_is_no_row(files: Files, edited: Callable[..., None]) -> None:
    edited(files.province.units["so"].portal, "/trung-tam/", r"(Địa chỉ\">)[^<]*", r"\1")
    assert answer("C37-8.16", reading(files, "so"))[0] == "fail"


def test_what_excuses_a_unit_says_why(files: Files) -> None:
    of_polls = article_10._switched("polls", reading(files, "thcs-suoi-mo"))
    assert of_polls[0] == "not-applicable"
    assert "only where it is fitting" in of_polls[1][0]
    of_system = answer("C37-9.11", reading(files, "mn-hoa-sen"))
    assert of_system[0] == "not-applicable"
    assert "only of a school that has such a system" in of_system[1][0]


def test_services_are_gathered_with_the_portal_of_public_services(files: Files, edited: Callable[..., None]) -> None:
    assert sections.gathered(reading(files, "so"))[0] == "pass"
    edited(files.province.units["so"].portal, "/dich-vu/", "https://dichvucong.ngoai.test/", "https://khac.ngoai.test/")
    assert sections.gathered(reading(files, "so"))[0] == "fail"


@pytest.mark.parametrize("unit", ["mn-hoa-sen", "th-suoi-mo", "thcs-suoi-mo", "thpt-song-que"])
def test_every_heading_of_a_disclosure_is_missed_by_name(files: Files, edited: Callable[..., None], unit: str) -> None:
    """The auditor on its page, the editor in its text; which headings, the school's level decides."""
    about = reading(files, unit)
    view, content = about.audit.views.of(about.unit), about.content
    newest, asked = content.disclosures[0], disclosed.asked(about.unit.levels)
    own = {"mn-hoa-sen": "Kế hoạch nuôi dưỡng, chăm sóc, giáo dục"}.get(unit, "Kế hoạch giáo dục")
    assert len(asked) == 15
    assert own in {vi for vi, _ in asked}
    for heading, field in asked.items():
        vi, en = heading
        path, kept = f"/cong-khai/{newest.school_year}/", dict(files.files)
        edited(about.unit.portal, path, f"<h3>{vi}</h3>", "<h3>Khác</h3>")
        verdict, evidence = CHECKS["C37-9.7.1"](reading(files, unit))
        assert (verdict, evidence[-1]) == ("not-tested", f"{sections.LOOK}: {vi}")
        files.files.update(kept)
        spoilt = newest.model_copy(update={field: getattr(newest, field).replace(f"### {vi}\n", "### Khác\n")})
        instead = content.model_copy(update={"disclosures": (spoilt, *content.disclosures[1:])})
        lacks = missing(BY_ID["disclosure"], view, instead)
        assert [lack.en for lack in lacks] == [f"{en}, {newest.school_year}"]


ON_ONE_PAGE: Mapping[str, tuple[str, str, str]] = {
    "services": ("so", "/dich-vu/", "C37-8.4a C37-8.4b C37-8.4c.2 C37-8.14 C37-6.1"),
    "resources": ("so", "/hoc-lieu/", "C37-8.9.1 C37-8.9.2"),
    "a school's services": ("thcs-suoi-mo", "/dich-vu/", "C37-9.4 C37-9.11 C37-6.1"),
    "a school's resources": ("thcs-suoi-mo", "/hoc-lieu/", "C37-9.10.1 C37-9.10.2"),
    "disclosure": ("thcs-suoi-mo", "/cong-khai/", "C37-9.7.1 C37-9.7.2"),
}


@pytest.mark.parametrize("name", ON_ONE_PAGE)
def test_what_a_page_lacks_for_one_requirement_fails_no_other(
    files: Files, edited: Callable[..., None], name: str
) -> None:
    unit, path, asked = ON_ONE_PAGE[name]
    edited(files.province.units[unit].portal, path, "</h1>", '</h1><p data-missing="x">Còn thiếu: mục khác</p>')
    checks = {**CHECKS, "C37-6.1": sections.services}
    for requirement in asked.split():
        verdict, evidence = checks[requirement](reading(files, unit))
        assert verdict == "pass", (requirement, evidence)


def test_a_library_above_is_no_resource_of_an_office(files: Files, edited: Callable[..., None]) -> None:
    about = reading(files, "vhxh-suoi-mo")
    edited(about.unit.portal, "/hoc-lieu/", "<table.*?</table>", '<a href="https://sogddt.minhha.test/hoc-lieu/">x</a>')
    assert CHECKS["C37-8.9.1"](about)[0] == "fail"


def test_a_heading_in_other_words_is_looked_at_by_somebody(files: Files) -> None:
    """On the pages as they are made, which say themselves that the heading is not there."""
    content = files.contents.of("thcs-suoi-mo")
    newest = content.disclosures[0]
    spoilt = newest.model_copy(update={"general": newest.general.replace("Liên hệ", "Địa chỉ liên hệ")})
    instead = content.model_copy(update={"disclosures": (spoilt, *content.disclosures[1:])})
    verdict, evidence = answer("C37-9.7.1", reading(Files(ROOT / "inventories" / "lab", instead), "thcs-suoi-mo"))
    assert (verdict, evidence[-1]) == ("not-tested", f"{sections.LOOK}: Liên hệ")


def test_what_continuing_education_must_disclose_by_name_is_not_made_up(files: Files) -> None:
    about = reading(files, "thcs-suoi-mo")
    about.unit = about.unit.model_copy(update={"levels": ("gdtx",)})
    verdict, evidence = CHECKS["C37-9.7.1"](about)
    assert verdict == "not-tested"
    assert "not looked at: what Circular 09/2024 lists for continuing education" in evidence[-1]
    assert len(disclosed.asked(("gdtx",))) == 10


@pytest.mark.parametrize(("days", "verdict"), [(0, "pass"), (183, "pass"), (184, "not-tested")])
def test_that_nothing_is_open_for_opinions_holds_for_half_a_year(files: Files, days: int, verdict: str) -> None:
    content = files.contents.of("thcs-suoi-mo").model_copy(update={"consultations": ()})
    instead = _without(no_consultations=sections.today() - timedelta(days=days))(content)
    found, evidence = answer("C37-9.5", reading(Files(ROOT / "inventories" / "lab", instead), "thcs-suoi-mo"))
    assert found == verdict, evidence
    assert ("a figure of this suite" in evidence[-1]) == (verdict == "not-tested")


def _older(content: Content, years: int) -> Content:
    rows = tuple(row.model_copy(update={"year": row.year - years}) for row in content.statistics)
    return content.model_copy(update={"statistics": rows})


def _without(**fields: object) -> Callable[[Content], Content]:
    """Without what these fields of the portal said."""
    return lambda content: content.model_copy(update={"portal": content.portal.model_copy(update=fields)})


SPOILT: Mapping[str, tuple[str, str, str, Callable[[Content], Content]]] = {
    "one year of disclosure": ("thcs-suoi-mo", "C37-9.7.2", "disclosure",
                               lambda c: c.model_copy(update={"disclosures": c.disclosures[:1]})),
    "no newest disclosure": ("thcs-suoi-mo", "C37-9.7.2", "disclosure",
                             lambda c: c.model_copy(update={"disclosures": c.disclosures[1:]})),
    "a disclosure of one letter": ("thcs-suoi-mo", "C37-9.7.1", "disclosure",
                                   lambda c: c.model_copy(update={"disclosures": (
                                       c.disclosures[0].model_copy(update={"finance": "x"}), *c.disclosures[1:])})),
    "a history that is promised": ("thcs-suoi-mo", "C37-9.1a.1", "introduction", lambda c: _without(
        introduction=c.portal.introduction.model_copy(update={"history": "Nội dung đang cập nhật."}))(c)),
    "meals without a menu": ("thcs-suoi-mo", "C37-9.7.2", "disclosure", _without(meals=True)),
    "old statistics of a school": ("thcs-suoi-mo", "C37-9.9", "statistics", lambda c: _older(c, 15)),
    "old statistics of the department": ("so", "C37-8.8", "statistics", lambda c: _older(c, 4)),
    "no portal of public services": ("so", "C37-8.4a", "services", _without(public_services=None)),
    "no library of the Ministry's": ("so", "C37-8.9.2", "resources", _without(resource_library=None)),
    "an office that links to the department's library": ("vhxh-suoi-mo", "C37-8.9.2", "resources",
                                                         _without(resource_library=None)),
    "no link to the Ministry": ("so", "C37-10.1.1", "links", lambda c: _without(
        links=tuple(link for link in c.portal.links if "bo.ngoai" not in link.url))(c)),
    "no links at all": ("so", "C37-10.1.1", "links", _without(links=())),
    "a link to no Ministry": ("so", "C37-10.1.1", "links", lambda c: _without(links=tuple(
        link.model_copy(update={"url": link.url.replace("//bo.", "//khongbo.")}) for link in c.portal.links))(c)),
}  # fmt: skip
"""What is spoilt → unit, requirement that an audit must fail, section that an editor must be told of, how."""


@pytest.mark.parametrize("spoilt", SPOILT)
def test_editor_and_auditor_agree(files: Files, spoilt: str) -> None:
    unit, requirement, section, change = SPOILT[spoilt]
    checks = {**CHECKS, "C37-10.1.1": article_10.department}
    for instead, verdict in ((None, "pass"), (change(files.contents.of(unit)), "fail")):
        about = reading(Files(ROOT / "inventories" / "lab", instead), unit)
        asked = checks[requirement](about)
        assert not isinstance(asked, Mailed)
        assert asked[0] == verdict, asked
        # As the editor's command looks at it: without the units below.
        lacks = incomplete(about.audit.views.of(about.unit), about.content)
        assert set(lacks) == ({section} if instead else set())


def _young(content: Content, year: int) -> Content:
    rows = tuple(row for row in content.statistics if row.year >= year)
    kept = tuple(item for item in content.disclosures if int(item.school_year[:4]) >= year)
    return _without(opened=year)(content).model_copy(update={"statistics": rows, "disclosures": kept})


MENDED: Mapping[str, tuple[str, str, Callable[[Content], Content], Callable[[Content], Content]]] = {
    "statistics of a young school": ("C37-9.9", "statistics", lambda c: _young(c, 2024), _without(opened=None)),
    "disclosures of a young school": ("C37-9.7.2", "disclosure", lambda c: _young(c, 2024), _without(opened=None)),
    "a dated word that nothing is open for opinions": (
        "C37-9.5", "consultations",
        lambda c: _without(no_consultations=sections.today())(c.model_copy(update={"consultations": ()})),
        _without(no_consultations=None)),
}  # fmt: skip
"""What the inventory says of what is not there → requirement, section, how, and without that word."""


@pytest.mark.parametrize("requirement", ["C37-9.9", "C37-9.7.1", "C37-9.7.2"])
@pytest.mark.parametrize(("opened", "verdict"), [(True, "not-tested"), (False, "fail")])
def test_a_unit_opened_this_year_has_nothing_due_and_nothing_to_pass(
    files: Files, requirement: str, opened: bool, verdict: str
) -> None:
    year = files.province.today.year
    content = _young(files.contents.of("thcs-suoi-mo"), year)
    instead = content if opened else _without(opened=None)(content)
    about = reading(Files(ROOT / "inventories" / "lab", instead), "thcs-suoi-mo")
    found, evidence = answer(requirement, about)
    assert found == verdict, evidence
    assert (f"opened in {year}; " in " | ".join(evidence)) == opened
    assert ("a figure of this suite" in evidence[-1]) == (opened and requirement == "C37-9.9")
    lacks = set(incomplete(about.audit.views.of(about.unit), instead))
    assert lacks == (set() if opened else {"statistics", "disclosure"})


@pytest.mark.parametrize("name", MENDED)
def test_what_need_not_be_there_is_not_missed_by_a_unit_that_says_so(files: Files, name: str) -> None:
    requirement, section, change, unsaid = MENDED[name]
    content = change(files.contents.of("thcs-suoi-mo"))
    for instead, verdict in ((content, "pass"), (unsaid(content), "fail")):
        about = reading(Files(ROOT / "inventories" / "lab", instead), "thcs-suoi-mo")
        found, evidence = answer(requirement, about)
        assert found == verdict, evidence
        assert ("opened in 2024" in " | ".join(evidence)) == (instead.portal.opened is not None)
        assert (section in incomplete(about.audit.views.of(about.unit), instead)) == (verdict == "fail")


def test_an_office_that_links_to_its_department_s_library_does_not_link_to_the_ministry_s(
    files: Files, edited: Callable[..., None]
) -> None:
    about = reading(files, "vhxh-suoi-mo")
    above = f"https://{files.province.units['so'].portal}/hoc-lieu/"
    edited(about.unit.portal, "/hoc-lieu/", 'https://thuvien.bo.ngoai.test/"', f'{above}"')
    assert CHECKS["C37-8.9.2"](about)[0] == "fail"
    about = reading(files, "vhxh-suoi-mo")
    about.content = _without(resource_library=None)(about.content)
    assert CHECKS["C37-8.9.2"](about)[0] == "fail", "nobody said that it is the Ministry's"
    assert reading(files, "thcs-suoi-mo").library == "https://vhxh.suoimo.minhha.test/hoc-lieu/"


@pytest.mark.parametrize(
    ("unit", "requirement", "path", "field"),
    [
        ("so", "C37-8.9.2", "/hoc-lieu/", "resource_library"),
        ("so", "C37-8.14", "/dich-vu/", "conference"),
        ("thcs-suoi-mo", "C37-9.10.2", "/hoc-lieu/", "resource_library"),
    ],
)
def test_whose_a_link_is_that_lies_elsewhere_has_to_be_looked_at(
    files: Files, edited: Callable[..., None], unit: str, requirement: str, path: str, field: str
) -> None:
    about = reading(files, unit)
    edited(about.unit.portal, path, "</h1>", '</h1><a href="https://khac.ngoai.test/">x</a>')
    about.content = _without(**{field: Link(title="x", url="https://khac.ngoai.test/")})(about.content)
    verdict, evidence = answer(requirement, about)
    assert verdict == "not-tested"
    assert evidence[0].endswith(
        "1/1 liên kết đã khai có trên trang và trả lời / declared links stand there and answer: https://khac.ngoai.test/"
    )
    assert "somebody has to look whose it is" in evidence[-1]


@pytest.mark.parametrize(
    "path", ["/van-ban/", "/cong-khai/2025-2026/", "/lay-y-kien/.+/", "/hoc-lieu/", "/tin-tuc/.+/"]
)
def test_marks_of_secrecy_are_looked_for_on_pages_and_files_are_said_to_be_unread(
    files: Files, edited: Callable[..., None], path: str
) -> None:
    verdict, evidence = article_7._secrecy(reading(files, "thcs-suoi-mo"))
    published = sum(url[0] == "thcssuoimo.suoimo.minhha.test" and url[1].endswith(".pdf") for url in files.files)
    assert verdict == "not-tested"
    assert published
    assert evidence[-2].endswith(f" / files that they lead to and that were NOT looked into: {published} pdf")
    edited("thcssuoimo.suoimo.minhha.test", path, "</h1>", " (MẬT)</h1>")
    assert article_7._secrecy(reading(files, "thcs-suoi-mo"))[0] == "fail"


def test_a_page_that_is_not_there_bears_no_mark_of_secrecy_and_is_not_counted(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (count, *_) = article_7._secrecy(reading(files, "thcs-suoi-mo"))
    monkeypatch.delitem(files.files, ("thcssuoimo.suoimo.minhha.test", "/van-ban/"))
    verdict, evidence = article_7._secrecy(reading(files, "thcs-suoi-mo"))
    assert verdict == "not-tested"
    assert int(evidence[0].split()[0]) == int(count.split()[0]) - 1
    assert evidence[1].startswith("không đọc được / not read: GET https://thcssuoimo.suoimo.minhha.test/van-ban/ → 404")


OF_OTHERS = {
    "so": ("C37-8.4a", "C37-8.4b", "C37-8.4c.2", "C37-8.9.1", "C37-8.9.2", "C37-8.12", "C37-8.14"),
    "thcs-suoi-mo": ("C37-9.4", "C37-9.10.1", "C37-9.11"),
}
"""Unit → what is asked of it by links to servers of others."""
MISSING = dns.resolver.NXDOMAIN(qnames=["x.test"], responses={})


def test_an_address_is_no_name_that_could_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, MISSING)
    assert nowhere("khong-co.test")
    assert not nowhere("203.0.113.7")


def answers(status: int, **headers: str) -> Outside:
    return lambda host, path, port: (Response(status, headers), b"")


def unreached(host: str, path: str, port: int) -> tuple[Response, bytes]:
    raise ssl.SSLCertVerificationError("unable to get local issuer certificate")


def names(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """What this machine's resolver says of every name."""

    def resolve(name: str, **_: object) -> None:
        if error:
            raise error

    monkeypatch.setattr(dns.resolver, "resolve", resolve)


@pytest.mark.parametrize(("unit", "requirement"), [(u, r) for u, those in OF_OTHERS.items() for r in those])
@pytest.mark.parametrize(
    ("outside", "error", "verdict"),
    [
        (answers(403), None, "not-tested"),
        (answers(429), None, "not-tested"),
        (answers(503), None, "not-tested"),
        (unreached, None, "not-tested"),
        (unreached, dns.exception.Timeout(), "not-tested"),
        (unreached, MISSING, "fail"),
        (answers(404), None, "fail"),
        (answers(410), None, "fail"),
    ],
)
def test_what_another_s_server_keeps_from_an_auditor_is_no_fault_of_the_unit(
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    unit: str,
    requirement: str,
    outside: Outside,
    error: Exception | None,
    verdict: str,
) -> None:
    monkeypatch.setattr(files, "outside", outside)
    names(monkeypatch, error)
    found, evidence = answer(requirement, reading(files, unit))
    assert found == verdict, evidence
    assert "GET https://" in " | ".join(evidence)


@pytest.mark.parametrize("broken", [False, True])
def test_a_page_that_the_network_shuts_leaves_its_own_unit_open_and_hides_no_fault(
    files: Files, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    units = files.province.units
    shut, other = units["th-suoi-mo"], units["thcs-suoi-mo"]
    usual = Files.https

    def https(self: Files, host: str, path: str = "/", form: object = None, port: int = 443) -> tuple[Response, bytes]:
        if host == shut.portal:
            raise Confined("no way out by IPv4")
        if broken and host == other.portal:
            return Response(503, {}), b""
        return usual(self, host, path, form, port)

    monkeypatch.setattr(Files, "https", https)
    above = reading(files, "vhxh-suoi-mo")
    audit: Any = above.audit
    said: dict[str, tuple[str, list[str]]] = {}

    def record(unit: str, requirement: str, verdict: str, evidence: list[str]) -> None:
        said[requirement] = (verdict, evidence)

    pages = [(above.unit, None)]
    article_3.test_every_school_below_has_a_portal_of_its_own(audit, of_pages=iter(pages), record=record)
    article_10.test_an_office_links_to_its_department_and_its_schools(audit, of_pages=iter(pages), record=record)
    so = [(units["so"], None)]
    article_10.test_the_department_links_to_the_ministry_and_to_all_units(audit, of_pages=iter(so), record=record)
    assert {verdict for verdict, _ in said.values()} == {"fail" if broken else "not-tested"}
    assert all(f"{shut.id}: no way out by IPv4" in evidence for _, evidence in said.values())
    with pytest.raises(AuditError, match=f"^{shut.id}: no way out"):
        article_10.test_an_office_links_to_its_department_and_its_schools(
            audit, of_pages=iter([(shut, None), *pages]), record=record
        )


def test_the_browser_finds_names_by_ipv6_too_and_none_that_has_no_address() -> None:
    assert [browser_of._place(address) for address in ("192.0.2.1", "2001:db8::1", None)] == [
        "192.0.2.1",
        "[2001:db8::1]",
        "~NOTFOUND",
    ]


def test_a_portal_without_an_address_ends_no_other_s_look_by_the_browser(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = [files.province.units[name] for name in ("th-suoi-mo", "thcs-suoi-mo", "vhxh-suoi-mo")]
    none, shut, sound = (unit.portal for unit in units)

    def address(name: str) -> str:
        if name == none:
            raise OSError("no A record")
        if name == shut:
            raise Confined("no way out by IPv4")
        return "192.0.2.1"

    def look(reading: Reading, browser: object) -> Any:
        if reading.unit.portal == shut:
            raise Confined("no way out by IPv4")
        verdict = "pass" if reading.unit.portal == sound else "fail"
        return (verdict, ["seen"]), (verdict, ["seen"])

    monkeypatch.setattr(article_12, "_rendered", look)
    audit: Any = reading(files, "so").audit
    audit.network = SimpleNamespace(address=address)
    audit.judged, audit.pages, audit.bound = {"h", ""}, lambda host: units, lambda name, units: units
    assert article_12._addresses(audit) == {none: None, shut: None, sound: "192.0.2.1"}
    said: dict[str, str] = {}
    chromium: Any = object()
    with pytest.raises(AuditError, match=f"^{units[1].id}: no way out"):
        article_12.test_pages_serve_phones_and_people_with_disabilities(
            audit, "h", chromium, lambda unit, requirement, verdict, evidence: said.update({unit: verdict})
        )
    assert said == {units[0].id: "fail", units[2].id: "pass"}


@pytest.mark.parametrize(("outside", "verdict"), [(answers(403), "not-tested"), (answers(404), "fail")])
def test_a_ministry_that_refuses_an_auditor_is_no_fault_of_the_department(
    files: Files, monkeypatch: pytest.MonkeyPatch, outside: Outside, verdict: str
) -> None:
    monkeypatch.setattr(files, "outside", outside)
    found, evidence = article_10.department(reading(files, "so"))
    assert found == verdict, evidence


def test_the_department_that_an_office_links_to_has_to_answer(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    assert article_10.office(reading(files, "vhxh-suoi-mo"))[0] == "pass"
    monkeypatch.delitem(files.files, (files.province.units["so"].portal, "/"))
    assert article_10.office(reading(files, "vhxh-suoi-mo"))[0] == "fail"


def test_a_link_within_the_province_has_to_answer(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    about = reading(files, "thcs-suoi-mo")
    names(monkeypatch, None)
    monkeypatch.setattr(files, "outside", answers(503))
    settings = files.province.settings
    own = [f"https://{settings.accounts_name}/", f"https://{settings.front_name}/webmail/"]
    good, broken, unseen = about.answered([*own, "https://khac.test/"])
    assert (len(good), len(broken), len(unseen)) == (0, 2, 1)
    monkeypatch.delitem(files.files, (files.province.units["vhxh-suoi-mo"].portal, "/hoc-lieu/"))
    assert answer("C37-9.10.2", about)[0] == "fail"


@pytest.mark.parametrize(
    ("location", "status", "verdict"),
    [
        ("https://dangnhap.ngoai.test/", 200, "pass"),
        ("https://dangnhap.ngoai.test/", 403, "not-tested"),
        ("https://dangnhap.ngoai.test/", 404, "fail"),
        ("https://tuyensinh.ngoai.test/", 200, "not-tested"),
        ("http://dangnhap.ngoai.test/", 200, "not-tested"),
    ],
)
def test_a_redirect_is_judged_by_the_page_that_it_leads_to(
    files: Files, monkeypatch: pytest.MonkeyPatch, location: str, status: int, verdict: str
) -> None:
    def outside(host: str, path: str, port: int) -> tuple[Response, bytes]:
        first = host == "tuyensinh.ngoai.test"
        return (Response(302, {"Location": location}) if first else Response(status, {})), b""

    monkeypatch.setattr(files, "outside", outside)
    found, evidence = answer("C37-9.4", reading(files, "thcs-suoi-mo"))
    assert found == verdict, evidence


@pytest.mark.parametrize(
    ("location", "verdict"),
    [
        ("https://dangnhap.ngoai.test/", "pass"),
        ("/dang-nhap", "pass"),
        ("http://dangnhap.ngoai.test/", "not-tested"),
        ("https://truonghoc.ngoai.test/", "not-tested"),
        ("https://[", "not-tested"),
    ],
)
def test_a_sign_in_may_stand_on_another_page(
    files: Files, monkeypatch: pytest.MonkeyPatch, location: str, verdict: str
) -> None:
    def outside(host: str, path: str, port: int) -> tuple[Response, bytes]:
        if (host, path) == ("truonghoc.ngoai.test", "/"):
            return Response(302, {"Location": location}), b""
        return Response(200, {}), b"<form><input TYPE='Password'></form>"

    monkeypatch.setattr(files, "outside", outside)
    found, evidence = answer("C37-9.11", reading(files, "thcs-suoi-mo"))
    assert found == verdict, evidence


def test_a_sign_in_by_a_script_proves_nothing(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "outside", lambda *_: (Response(200, {}), b"<script src=x></script>"))
    verdict, evidence = answer("C37-9.11", reading(files, "thcs-suoi-mo"))
    assert verdict == "not-tested"
    assert "somebody has to look" in evidence[-1]


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://truonghoc.ngoai.test/#/dang-nhap", ("/", 443)),
        ("https://truonghoc.ngoai.test:8443/", ("/", 8443)),
        ("https://truonghoc.ngoai.test/đăng-nhập?lớp=1", ("/%C4%91%C4%83ng-nh%E1%BA%ADp?l%E1%BB%9Bp=1", 443)),
        ("https://truonghoc.ngoai.test/a%20b", ("/a%20b", 443)),
    ],
)
def test_a_link_is_asked_as_the_inventory_has_it(
    files: Files, edited: Callable[..., None], monkeypatch: pytest.MonkeyPatch, url: str, asked: tuple[str, int]
) -> None:
    seen = []

    def outside(host: str, path: str, port: int) -> tuple[Response, bytes]:
        assert path.isascii()
        seen.append((path, port))
        return signs_in(host, path, port)

    about = reading(files, "thcs-suoi-mo")
    edited(about.unit.portal, "/dich-vu/", 'https://truonghoc[^"]*', url)
    link = Link(title="x", url=url)
    about.content = _without(school_management=link, services=(link,))(about.content)
    monkeypatch.setattr(files, "outside", outside)
    assert answer("C37-9.11", about)[0] == "pass"
    assert seen == [asked]
    moved = SimpleNamespace(plain_http=lambda name: (301, f"https://{about.unit.portal}/"), https=files.https)
    about.audit.network = moved
    about.unit = about.unit.model_copy(update={"former_portals": ()})
    verdict, evidence = article_2._leads(about)
    assert verdict == "pass", evidence


@pytest.mark.parametrize(
    ("domain", "leads_to", "verdict"),
    [
        ("thcs.minhha.edu.vn", "thcssuoimo.suoimo.minhha.test", "pass"),
        ("thcs.minhha.edu.vn", "nhacungcap.test", "fail"),  # who had the page before still has the name
        ("suoimo.minhha.gov.vn", "thcssuoimo.suoimo.minhha.test", "not-tested"),
        ("suoimo.minhha.gov.vn", "nhacungcap.test", "fail"),
        ("suoimo.minhha.gov.vn", "", "fail"),
    ],
)
def test_a_name_below_edu_vn_leads_to_the_portal(files: Files, domain: str, leads_to: str, verdict: Verdict) -> None:
    """The name comes in addition: a mail domain elsewhere is nothing wrong, and no pass."""
    about = reading(files, "thcs-suoi-mo")
    about.unit = about.unit.model_copy(update={"former_portals": ("thcs.minhha.edu.vn",), "domain": domain})
    there = Response(301, {"location": f"https://{leads_to}/"})
    about.audit.network = SimpleNamespace(
        lookup=lambda name, kind: [leads_to] if leads_to else [],
        plain_http=lambda name: (301, f"https://{leads_to}/"),
        https=lambda name, *words, **more: (there, b"") if name.endswith(".edu.vn") else files.https(name, *words),
    )
    said, evidence = article_3._below_edu_vn(about)
    assert said == verdict
    assert (article_3.MAIL_ELSEWHERE in evidence) == (verdict == "not-tested")


def test_without_the_ministry_s_lists_its_own_domain_is_the_ministry_s(
    files: Files, edited: Callable[..., None]
) -> None:
    about = reading(files, "so")
    settings = files.province.settings.model_copy(update={"ministry": None})
    about.audit.province = files.province.model_copy(update={"settings": settings})
    assert article_10.department(about)[0] == "fail", "the lab's Ministry is another"
    edited(about.unit.portal, "/lien-ket/", '"https://bo.ngoai.test/"', '"https://moet.gov.vn/"')
    about = reading(files, "so")
    about.audit.province = files.province.model_copy(update={"settings": settings})
    verdict, evidence = article_10.department(about)
    assert verdict == "pass", evidence
    assert Views(about.audit.province).of(about.unit).ministry == ("moet.gov.vn",)


@pytest.mark.parametrize("name", ["Trường 'Hoa Sen'", 'Trường "Hoa Sen"', "Trường Hoa & Sen"])
@pytest.mark.parametrize("shown", [True, False])
def test_a_unit_s_name_is_read_as_words(files: Files, name: str, shown: bool) -> None:
    about = reading(files, "thcs-suoi-mo")
    about.unit = about.unit.model_copy(update={"name": name})
    words = html.escape(name).replace(" ", "\n ") if shown else "Trường khác"
    body = f"<h1>{words}</h1>".encode()
    about.portal._pages["/"] = Page("https://x.test/", 200, {"content-type": "text/html; charset=utf-8"}, body, "GET")
    assert article_12._written(about).named is shown


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("text/html; charset=utf-8", "Mơ".encode(), True),
        ("text/html; charset=windows-1258", "Mơ".encode(), False),
        ("text/html; charset=utf-8", "Mơ".encode("utf-16"), False),
        ("text/html; charset=utf-8", unicodedata.normalize("NFD", "Mơ").encode(), False),
    ],
)
def test_the_letters_of_news_are_looked_at_too(files: Files, kind: str, body: bytes, encoded: bool) -> None:
    about = reading(files, "thcs-suoi-mo")
    good = {"content-type": "text/html; charset=utf-8"}
    for path in ("/", *(urlsplit(page.url).path for page in about.portal.below("/tin-tuc/"))):
        about.portal._pages[path] = Page(f"https://x.test{path}", 200, good, b"", "GET")
    path = next(path for path in about.portal._pages if path.startswith("/tin-tuc/") and path != "/tin-tuc/")
    about.portal._pages[path] = Page(f"https://x.test{path}", 200, {"content-type": kind}, body, "GET")
    assert article_12._written(about).encoded is encoded


@pytest.mark.parametrize(
    "text",
    ["MẬT", " MẬT\n", "MẬT: Kế hoạch", "Kế hoạch (MẬT)", "Độ mật: MẬT", "12/QĐ-UBND – MẬT", "TỐI MẬT",
     "ĐỘ MẬT: TUYỆT MẬT", "Văn bản TỐI MẬT của tỉnh", "Số 12/QĐ-UBND TỐI MẬT",
     "HỎA TỐC TỐI MẬT", "MẬT KHẨN", "THƯỢNG KHẨN MẬT", "CÔNG VĂN TỐI MẬT", "HỎA TỐC CÔNG VĂN MẬT", "MẬT CÔNG VĂN",
     "MẬT Số: 12", "TỐI MẬT SỐ 12/UBND"],
)  # fmt: skip
def test_a_mark_of_secrecy_stands_apart(text: str) -> None:
    assert article_7._marked(text)


@pytest.mark.parametrize(
    "text",
    ["BẢO MẬT THÔNG TIN", "ĐỔI MẬT KHẨU", "BÍ MẬT NHÀ NƯỚC", "BẢO\n  MẬT", "MẬT ONG", "BẢO MẬT, AN TOÀN", "bảo mật",
     "XMẬT", "GIỮ TUYỆT MẬT HỒ SƠ", "BÍ MẬT CÓ BA ĐỘ: TUYỆT MẬT, TỐI MẬT, MẬT", "ĐỘ MẬT CỦA VĂN BẢN",
     "QUY ĐỊNH BẢO MẬT", "HƯỚNG DẪN MẬT KHẨU",
     "QUẢN LÝ CÔNG VĂN MẬT", "BẢO MẬT KẾ HOẠCH", "MẬT SỐ"],
)  # fmt: skip
def test_ordinary_capitals_are_no_mark_of_secrecy(text: str) -> None:
    assert not article_7._marked(text)


class Asked:
    """A look-up by number: its form, and what it answers to one."""

    def __init__(self, answers: Mapping[str, Page], form: str = ""):
        self.answers, self.form = answers, form

    def page(self, path: str) -> Page:
        return found(self.form)

    def answer(self, path: str, form: Mapping[str, str]) -> Page:
        number = form.get("sbd") or form["so-hieu"]
        return self.answers.get(number, found("<p>Không tìm thấy</p>"))


def found(text: str, status: int = 200) -> Page:
    page = f"<main>{text}</main><footer>0299 324 001</footer>"
    return Page("https://x.test/", status, {}, page.encode(), f"→ {status}")


ENTERED = "<tr><th>Số vào sổ gốc</th><td>sổ 2026/7</td></tr>"
MARKS = "<h1>Kỳ thi 2026</h1><input value='SQ002'><table><tr><th>Toán</th><td>850</td></tr></table>"


@pytest.mark.parametrize(
    ("form", "right", "nobody", "verdict"),
    [
        ("<h1>Kỳ thi 2026</h1>", found(MARKS), found("không"), "pass"),
        ("<li>001</li>", found(MARKS), found("không"), "fail"),
        ("<option value='001'>An</option>", found(MARKS), found("không"), "fail"),
        ("<a href='/tra-cuu/diem?sbd=001'>An</a>", found(MARKS), found("không"), "fail"),
        ("<button name='sbd' value='001'>An</button>", found(MARKS), found("không"), "fail"),
        ("<input type='radio' name='sbd' value='001'>", found(MARKS), found("không"), "fail"),
        ("<option value='thi-2025'>Kỳ thi</option>", found(MARKS), found("không"), "pass"),
        ("", found(f"{MARKS}<td>SQ002</td>"), found("không"), "fail"),
        ("", found(f"{MARKS}<td>SQ002X</td>"), found("không"), "pass"),
        ("", found("", 429), found("không"), "not-tested"),
        ("", found(MARKS), found("", 429), "not-tested"),
        ("", found("", 429), found("<li>SQ002</li>"), "fail"),
        ("", found("", 503), found("không"), "fail"),
        ("", found(MARKS), found("", 503), "fail"),
    ],
)
def test_a_number_is_another_candidate_s_where_it_stands_alone(
    files: Files, form: str, right: Page, nobody: Page, verdict: str
) -> None:
    about = reading(files, "so")
    absent = ((number, {}) for number in ("SQ002", "001", "2025", "2026", "850"))
    rows = [("SQ000", {}), ("SQ001", {"Toán": "850"}), *absent]
    results = tuple(Result(candidate=number, marks=marks) for number, marks in rows)
    examination = Examination(slug="thi-2025", title="Kỳ thi 2026", published=date(2026, 6, 1), results=results)
    about.content = about.content.model_copy(update={"examinations": (examination,)})
    about.__dict__["portal"] = Asked({"SQ001": right, sections.NOBODY: nobody}, form)
    said = CHECKS["C37-8.11"](about)
    assert not isinstance(said, Mailed)
    assert said[0] == verdict, said


@pytest.mark.parametrize(
    ("page", "nobody", "verdict"),
    [
        (found(f"<td>Bằng 001</td>{ENTERED}"), found("không"), "fail"),
        (found(f"<td>Bằng</td>{ENTERED}"), found("không"), "pass"),
        (found(f"<td data-so='001'>Bằng</td>{ENTERED}"), found("không"), "fail"),
        (found(ENTERED.replace("7", "71")), found("không"), "fail"),
        (found("sổ 2026/7"), found("không"), "fail"),
        (found(ENTERED), found(ENTERED), "fail"),
        (found(ENTERED), found("", 503), "fail"),
        (found("", 429), found("không"), "not-tested"),
        (found("", 503), found("không"), "fail"),
    ],
)
def test_a_diploma_is_found_alone(files: Files, page: Page, nobody: Page, verdict: str) -> None:
    about = reading(files, "so")
    diplomas = tuple(
        Diploma(number=number, kind="Bằng", issued=date(2026, 1, 2), register="sổ 2026/7")
        for number in ("B100", "001", "2026")
    )
    about.content = _without(diploma_lookup=None)(about.content).model_copy(update={"diplomas": diplomas})
    about.__dict__["portal"] = Asked({"B100": page, sections.NOBODY: nobody})
    said = CHECKS["C37-8.12"](about)
    assert not isinstance(said, Mailed)
    assert said[0] == verdict, said


class Screen:
    """A browser in which some pages do not open so many times."""

    def __init__(
        self, crashes: int = 0, overflow: int = 0, violations: Sequence[str] = (), undecided: Sequence[str] = ()
    ):
        self.crashes, self.overflow = crashes, overflow
        self.said = tuple(violations), tuple(undecided)

    def look(self, urls: Iterable[str]) -> list[Seen | str]:
        return [*map(self._judge, urls)]

    def _judge(self, url: str) -> Seen | str:
        if url.endswith("/lanh-dao/") and self.crashes:
            self.crashes -= 1
            return f"{url}: Target crashed"
        return Seen(url, self.overflow, *self.said)


@pytest.mark.parametrize(
    ("screen", "there", "verdicts"),
    [
        (Screen(), True, ("pass", "pass")),
        (Screen(crashes=1), True, ("pass", "pass")),
        (Screen(crashes=2), True, ("not-tested", "not-tested")),
        (Screen(crashes=2, overflow=9), True, ("fail", "not-tested")),
        (Screen(crashes=1), False, ("fail", "fail")),
        (Screen(undecided=["color-contrast"]), True, ("pass", "not-tested")),
        (Screen(undecided=["color-contrast"], violations=["label"]), True, ("pass", "fail")),
    ],
)
def test_a_page_that_the_auditor_s_browser_does_not_open_is_no_fault_if_it_answers(
    files: Files, monkeypatch: pytest.MonkeyPatch, screen: Any, there: bool, verdicts: tuple[str, str]
) -> None:
    about = reading(files, "thcs-suoi-mo")
    if not there:
        monkeypatch.delitem(files.files, (about.unit.portal, "/lanh-dao/"))
    assert tuple(verdict for verdict, _ in article_12._rendered(about, screen)) == verdicts


class Searched:
    """A portal with news and other pages, and a search that finds beginnings of words, ten pages at a time."""

    def __init__(
        self,
        articles: Mapping[str, str],
        others: int = 0,
        *,
        down: bool = False,
        lost: bool = False,
        listed: bool = True,
        deaf: bool = False,
        titles: bool = False,
    ):
        self.pages = {f"/tin-tuc/{name}/": article(name, text) for name, text in articles.items()}
        self.others, self.down, self.lost, self.listed = others, down, lost, listed
        self.deaf, self.titles = deaf, titles

    def https(self, host: str, path: str, form: object = None) -> tuple[Response, bytes]:
        parts = urlsplit(path)
        if parts.path != "/tim-kiem":
            links = "".join(f"<a href={url}>x</a>" for url in self.pages)
            pages = self.pages | ({"/tin-tuc/": links} if self.listed else {})
            return Response(200 if path in pages else 404, {}), page_of(pages.get(path, ""))
        asked = parse_qs(parts.query)
        word, number = fold(asked["q"][0]), int(asked.get("trang", ["1"])[0])
        hits = [f"/khac/{other}/" for other in range(self.others)]
        known = {} if self.lost else self.pages
        known = {url: text.partition("<div")[0] if self.titles else text for url, text in known.items()}
        hits += [url for url, text in known.items() if self.deaf or re.search(rf"\b{re.escape(word)}", fold(text))]
        shown = "".join(f"<a href={url}>x</a>" for url in hits[number * 10 - 10 : number * 10])
        more = "<nav><a rel=next href=x>x</a></nav>" if len(hits) > number * 10 else ""
        return Response(503 if self.down else 200, {}), page_of(shown + more)


def article(title: str, body: str) -> str:
    return f"<h1>{title}</h1><div itemprop=articleBody>{body}</div><p>Lê Nghiễn</p>"


def page_of(text: str) -> bytes:
    return f"<main>{text}</main>".encode()


ONE, TWO = {"mot": "hội khoẻ nghiệm"}, {"mot": "hội khoẻ nghiệm", "hai": "hội khoẻ nghiêm nghiệmx"}


@pytest.mark.parametrize(
    ("portal", "verdict"),
    [
        (Searched(ONE), "pass"),
        (Searched(ONE, others=25), "pass"),
        (Searched(ONE, others=60), "not-tested"),
        (Searched(ONE, deaf=True), "fail"),
        (Searched(ONE, titles=True), "fail"),
        (Searched(ONE, lost=True), "fail"),
        (Searched(ONE, others=25, lost=True), "fail"),
        (Searched(TWO), "pass"),
        (Searched({"mot": "trường nghiêm", "hai": "trường nghiệm"}), "not-tested"),
        (Searched({"mot": "hop bao"}), "not-tested"),
        (Searched({}), "not-tested"),
        (Searched({}, listed=False), "fail"),
        *((Searched(articles, down=True), "fail") for articles in (ONE, {"mot": "hop bao"}, {})),
    ],
)
def test_search_is_judged_by_a_word_that_tells_an_article_from_others(files: Files, portal: Any, verdict: str) -> None:
    about = reading(files, "thcs-suoi-mo")
    about.__dict__["portal"] = Portal(portal, about.unit)
    found, evidence = article_12._search(about)
    assert found == verdict, evidence


def test_a_word_that_begins_another_article_s_does_not_tell_them_apart() -> None:
    def news(*articles: tuple[str, str]) -> list[Page]:
        return [
            Page(f"https://x.test/{title}/", 200, {}, page_of(article(title, body)), "") for title, body in articles
        ]

    alike = [("1", "chuyện nghiệm"), ("2", "chuyen nghiemx")]
    assert article_12._telling_word(news(*alike)) == ("", "")
    three = news(*alike, ("ba", "chuyển bảng"))
    assert article_12._telling_word(three) == ("https://x.test/ba/", "bảng")
    assert article_12._telling_word(three, ["Tin: Bảng mới"]) == ("", "")
    assert article_12._telling_word(news(("Kiểng", "kiểng Quách"))) == ("", ""), "a title, and perhaps a name"


def test_a_browser_that_has_died_is_told_from_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit goes on; what is raised would break it for all units of the host."""

    async def dies(*_: object, **__: object) -> None:
        raise OSError("Target page, context or browser has been closed")

    async def opens() -> object:
        return SimpleNamespace(goto=dies, close=dies)

    browser = Browser.__new__(Browser)
    with asyncio.Runner() as here:
        monkeypatch.setattr(browser, "_here", here, raising=False)
        for new_page in (dies, opens):
            monkeypatch.setattr(browser, "_context", SimpleNamespace(new_page=new_page), raising=False)
            one, other = browser.look(["https://x.test/", "https://y.test/"])
            assert "x.test/: Target page, context or browser has been closed" in str(one)
            assert "y.test/: Target page" in str(other)


def test_a_browser_asks_no_proxy_and_needs_no_shared_memory() -> None:
    assert {"--no-proxy-server", "--disable-dev-shm-usage"} <= set(ARGUMENTS)
