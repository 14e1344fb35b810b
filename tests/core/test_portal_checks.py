"""The audit's questions about portals, asked of the pages that the core renders: each passes once and fails once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Verdict
from edumail.load import load
from edumail.mail import Mail
from edumail.portal import disclosed
from edumail.portal.load import Contents
from edumail.portal.model import Content
from edumail.portal.sections import BY_ID, incomplete, missing
from edumail.portal.site import Portals
from edumail.portal.view import Views
from tests.circular import mailed, sections
from tests.circular import test_article_7_principles as article_7
from tests.circular import test_article_8_managing_bodies as article_8
from tests.circular import test_article_9_schools as article_9
from tests.circular import test_article_10_other_content as article_10
from tests.circular import test_article_12_technology as article_12
from tests.circular import test_article_16_assessment as article_16
from tests.circular.audit import AuditError
from tests.circular.exchangers import Reply
from tests.circular.mailed import Mailed, finished
from tests.circular.portal import Answer, Reading

ROOT = Path(__file__).parents[2]
CHECKS = {**article_8.CHECKS, **article_9.CHECKS, **article_16.CHECKS}
GOOD: Mapping[str, Verdict] = dict.fromkeys(CHECKS, "pass") | dict.fromkeys(article_16.CHECKS, "not-tested")
"""What a full portal gets: where a paper belongs to it, pages alone are no pass."""
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


class Files:
    """The pages of a province as they would be served, and an outside world in which every link answers."""

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

    def https(self, host: str, path: str = "/", form: object = None) -> tuple[Response, bytes]:
        own = {unit.portal for unit in self.province.units.values()}
        if host not in own:
            return Response(200, {}), b'<input type="password">'
        if (host, path) not in self.files:
            return Response(404, {}), b""
        return Response(200, {}), self.files[host, path]


class Exchangers:
    """Every address is accepted, but for those that are not."""

    def __init__(self, refused: Collection[str]):
        self.refused = refused

    def rcpts(self, addresses: Iterable[str]) -> dict[str, Reply]:
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
            assert verdict == GOOD[requirement] or (verdict, requirement) == ("not-applicable", "C37-9.11"), (
                unit.id,
                evidence,
            )
            assert evidence


FAULTS: dict[str, tuple[str, str, str]] = {
    "C37-8.1a.1": ("/gioi-thieu/", "<h2[^>]*>Chức năng.*?<h2", "<h2"),
    "C37-8.1a.2": ("/lanh-dao/", r"(<tbody>\s*<tr>.*?<td data-label=\"Điện thoại\">).*?</td>", r"\1</td>"),
    "C37-8.2": ("/tin-tuc/.*", r"\d\d/\d\d/20\d\d", ""),
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
    assert ", 0 links to files" in evidence[0]


def test_a_feed_that_is_no_xml_says_where(files: Files, edited: Callable[..., None]) -> None:
    unit = files.province.units["th-suoi-mo"]
    edited(unit.portal, "/rss.xml", "</channel>", "")
    verdict, evidence = article_12._feed(reading(files, unit.id))
    assert verdict == "fail"
    assert "XML: " in " | ".join(evidence)


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


@pytest.mark.parametrize(("meals", "verdict"), [(None, "fail"), (True, "fail"), (False, "pass")])
def test_no_menu_is_asked_of_a_school_that_says_that_it_serves_no_meals(
    files: Files, meals: bool | None, verdict: str
) -> None:
    about = with_meals(reading(files, "thcs-suoi-mo"), meals)
    found, evidence = CHECKS["C37-9.7.2"](about)
    assert found == verdict, evidence
    assert "not looked at: changes within 10 working days" in " | ".join(evidence)


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


def test_what_continuing_education_must_disclose_by_name_is_not_made_up(files: Files) -> None:
    about = reading(files, "thcs-suoi-mo")
    about.unit = about.unit.model_copy(update={"levels": ("gdtx",)})
    verdict, evidence = CHECKS["C37-9.7.1"](about)
    assert verdict == "pass"
    assert "not looked at: what Circular 09/2024 lists for continuing education" in evidence[-1]
    assert len(disclosed.asked(("gdtx",))) == 10


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
    "meals that nobody speaks of": ("thcs-suoi-mo", "C37-9.7.2", "disclosure", _without(meals=None)),
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
