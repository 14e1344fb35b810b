"""Portals in a real browser, from the outside: a page of every kind, for the eye, the keyboard, the phone and paper."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import feedparser
import pytest
from lxml import html
from markupsafe import Markup
from playwright.sync_api import Browser, BrowserContext, Page
from usp.tree import sitemap_from_str

from edumail.portal import pages as core
from edumail.portal.load import Contents
from edumail.portal.site import Portals, build
from edumail.templates import FOLDER
from roles.portal.render import ERRORS, error_page
from tests.lab import portal_browser as visitor
from tests.lab.province import LabProvince
from tests.lab.refused_pages import REFUSED, UNIT, Pages, refused_pages
from tests.lab.test_feedback import PORTAL, arrived, ask, reply, state, tidied
from tests.lab.test_search import CANDIDATE, DEPARTMENT

PARTS = {"layout", "macros", "fields", "ladder_table"}
"""Templates that others take parts from."""
KINDS = sorted(path.name.split(".")[0] for path in (FOLDER / "portal" / "site").glob("*.html.j2"))
KINDS = [kind for kind in KINDS if kind not in PARTS]
UNITS = ["so", "vhxh-suoi-mo", "thpt-song-que", "mn-hoa-sen", "th-suoi-mo", "thcs-suoi-mo"]
EXAM, DIPLOMA = "tuyen-sinh-lop-10-2026", "MH2600101"
LEAST_SECONDS = 4
"""Nobody fills a form faster."""


@pytest.fixture(scope="module")
def chromium(province: LabProvince) -> Iterator[Browser]:
    """The browser, with the names as the lab's DNS has them."""
    names = [unit.portal for unit in province.province.units.values()]
    with visitor.browser({name: province.network.address(name) for name in names}) as browser:
        yield browser


@pytest.fixture(scope="module")
def everybody(chromium: Browser) -> Iterator[BrowserContext]:
    """One visitor for all tests that only look: portals give no cookies, so that nobody is known again."""
    with visitor.visitor_of(chromium) as context:
        yield context


@pytest.fixture
def page(everybody: BrowserContext) -> Iterator[Page]:
    """A tab of its own."""
    page = everybody.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def portals(province: LabProvince) -> Portals:
    """What the core makes of the inventory."""
    return Portals(province.province, Contents(province.folder, province.province))


@pytest.fixture(scope="module")
def refusals(province: LabProvince, portals: Portals, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """What the department's programs say when something is too much or broken."""
    files = portals.unit(province.province.units[UNIT])
    contents = {path: file.content for path, file in files.items()}
    return refused_pages(tmp_path_factory.mktemp("refused"), DEPARTMENT, contents)


@pytest.fixture(scope="module")
def kinds(province: LabProvince, portals: Portals) -> Mapping[str, tuple[str, str, str]]:
    """Kind of page → the fullest page of that kind: portal, path, and what the core makes of it."""
    made: dict[str, tuple[str, str, str]] = {}
    main = core.Maker.main

    def noted(maker: core.Maker, template: str, **values: object) -> object:
        return main(maker, template, **values) + Markup(f"<!--{template}-->")  # noqa: S704 - ours

    # A page of the ladder by itself is what only a large province has.
    for most in (core.ONE_PAGE, 0):
        with patch.object(core.Maker, "main", noted), patch.object(core, "ONE_PAGE", most):
            for unit in province.province.units.values():
                site = build(portals.view(unit), portals.contents.of(unit.id))
                for page in site.pages:
                    kind = str(page.main).rpartition("<!--")[2].removesuffix("-->")
                    file = site.files[f"sites/{unit.id}{page.url}index.html"].content.decode()
                    if kind not in made or (most and len(file) > len(made[kind][2])):
                        made[kind] = (unit.portal, page.url, file)
    return made


def open_page(page: Page, portal: str, path: str, status: int = 200) -> Page:
    """Go there; what comes has the wanted status."""
    answer = page.goto(f"https://{portal}{path}")
    assert answer is not None
    assert answer.status == status, (portal, path)
    return page


def show(page: Page, status: int, text: str) -> None:
    """Text as if the portal had answered it, with the portal's own stylesheets."""
    page.route("**/cho-xem", lambda route: route.fulfill(status=status, body=text, content_type="text/html"))
    open_page(page, DEPARTMENT, "/cho-xem", status)


def written(page: Page, subject: str, **more: str) -> None:
    """Fill the form for feedback as a citizen does, and send it."""
    open_page(page, PORTAL, "/phan-anh")
    page.get_by_label("Tiêu đề (bắt buộc)").fill(subject)
    page.get_by_label("Nội dung (bắt buộc)").fill("Trường có nhận bán trú không ạ?")
    for label, value in more.items():
        page.get_by_label(label).fill(value)
    time.sleep(LEAST_SECONDS)
    page.get_by_role("button", name="Gửi", exact=True).click()


@pytest.fixture(scope="module")
def matter(province: LabProvince, chromium: Browser) -> Iterator[str]:
    """The code of a matter that somebody without scripts sent, and that the clerk answered."""
    subject = f"Hỏi về bán trú {secrets.token_hex(4)}"
    try:
        with visitor.visitor_of(chromium, scripts=False, viewport=visitor.PHONE) as context:
            page = context.new_page()
            written(page, subject)
            assert page.get_by_role("heading", level=1).inner_text() == "Đã ghi nhận phản ánh"
            code = page.locator(".code").inner_text()
            letter = arrived(province, subject)
            assert "Trường có nhận bán trú không ạ?" in letter.get_content()
            reply(province, letter, f"#congkhai\nTrường có nhận. {subject}")
            state(province, code, "answered")
            page.get_by_role("link", name="theo dõi phản ánh").click()
            assert "Đã trả lời" in page.locator("p.state").inner_text()
            assert page.locator(".answer").inner_text() == f"Trường có nhận. {subject}"
        yield code
    finally:
        tidied(province)


def searched(page: Page) -> None:
    open_page(page, DEPARTMENT, "/")
    page.get_by_label("Tìm trên cổng").fill("trường")
    page.get_by_label("Tìm trên cổng").press("Enter")
    assert page.locator(".results li").count() > 2


def looked_up(page: Page, path: str, number: str, **chosen: str) -> None:
    open_page(page, DEPARTMENT, path)
    for label, value in chosen.items():
        page.get_by_label(label).select_option(value)
    page.locator("main input").fill(number)
    page.locator("main button").click()


ANSWERS: Mapping[str, Callable[[Page, str], object]] = {
    "search: something is found": lambda page, _: searched(page),
    "search: nothing is found": lambda page, _: open_page(page, DEPARTMENT, "/tim-kiem?q=xyzzy"),
    "search: more than a page is found": lambda page, _: open_page(page, DEPARTMENT, "/tim-kiem?q=minh&trang=2"),
    "marks: form": lambda page, _: open_page(page, DEPARTMENT, "/tra-cuu/diem"),
    "marks: answer": lambda page, _: looked_up(page, "/tra-cuu/diem", CANDIDATE, **{"Kỳ thi": EXAM}),
    "marks: not found": lambda page, _: looked_up(page, "/tra-cuu/diem", "000000"),
    "diplomas: form": lambda page, _: open_page(page, DEPARTMENT, "/tra-cuu/van-bang"),
    "diplomas: answer": lambda page, _: looked_up(page, "/tra-cuu/van-bang", DIPLOMA),
    "feedback: form": lambda page, _: open_page(page, PORTAL, "/phan-anh"),
    "feedback: refused": lambda page, _: written(page, "Hỏi", **{"Điện thoại (không bắt buộc)": "không có"}),
    "feedback: taken": lambda page, _: written(page, f"Hỏi {secrets.token_hex(4)}"),
    "feedback: asks for a code": lambda page, _: open_page(page, PORTAL, "/phan-anh/theo-doi"),
    "feedback: state": lambda page, code: open_page(page, PORTAL, f"/phan-anh/theo-doi?ma={code}"),
    "feedback: no such code": lambda page, _: open_page(page, PORTAL, "/phan-anh/theo-doi?ma=0000-0000-0000-0000", 404),
    "feedback: published": lambda page, _: open_page(page, PORTAL, "/hoi-dap"),
}
"""What programs answer, by how one gets there; the second argument is the code of a matter that was answered."""


class TestEveryKindOfPage:
    """Accessible, not wider than a phone, walked by keyboard, and fit to be printed."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_template(self, page: Page, kinds: Mapping[str, tuple[str, str, str]], kind: str) -> None:
        portal, path, made = kinds[kind]
        if kind == "ladder":
            page.route(f"**{path}", lambda route: route.fulfill(body=made, content_type="text/html"))
        open_page(page, portal, path)
        assert visitor.faults(page) == []

    @pytest.mark.parametrize("unit", UNITS)
    def test_the_home_page_of_every_unit(self, province: LabProvince, page: Page, unit: str) -> None:
        open_page(page, province.province.units[unit].portal, "/")
        assert visitor.accessible(page) + visitor.fits_a_phone(page) == []

    @pytest.mark.parametrize("answer", ANSWERS)
    def test_that_a_program_makes(self, page: Page, matter: str, answer: str) -> None:
        ANSWERS[answer](page, matter)
        assert visitor.faults(page) == []

    @pytest.mark.parametrize("refused", REFUSED)
    def test_of_a_program_that_is_asked_too_much_or_is_broken(self, page: Page, refusals: Pages, refused: str) -> None:
        show(page, *refusals[refused])
        assert visitor.faults(page) == []

    @pytest.mark.parametrize("status", ERRORS)
    def test_that_comes_in_place_of_a_page(self, page: Page, status: int) -> None:
        """It has no menu, and so nothing to skip."""
        if status == 404:
            open_page(page, PORTAL, "/khong-co/", 404)
        else:
            show(page, status, error_page(status))
        checks = [check for check in visitor.CHECKS if check is not visitor.skips_to_content]
        assert [(check.__name__, fault) for check in checks for fault in check(page)] == []
        assert page.get_by_role("heading", level=1).inner_text() == ERRORS[status][0][0]


class TestWithoutScripts:
    """What a browser does by itself is enough."""

    @pytest.fixture
    def page(self, chromium: Browser) -> Iterator[Page]:
        with visitor.visitor_of(chromium, scripts=False, viewport=visitor.PHONE) as context:
            yield context.new_page()

    def test_the_menu_of_a_phone_opens_and_leads_on(self, page: Page) -> None:
        open_page(page, PORTAL, "/")
        link = (
            page.get_by_role("navigation", name="Menu chính")
            .get_by_role("link", name="Sứ mệnh")
            .or_(page.locator(".groups a[href='/lanh-dao/']"))
        )
        assert not link.first.is_visible()
        page.locator("summary").click()
        assert link.first.is_visible()
        link.first.click()
        assert page.url == f"https://{PORTAL}/lanh-dao/"

    def test_a_search_leads_to_what_was_looked_for(self, province: LabProvince, page: Page) -> None:
        open_page(page, province.province.units["thcs-suoi-mo"].portal, "/")
        page.get_by_label("Tìm trên cổng").fill("tuoi rau tu dong")
        page.get_by_role("button", name="Tìm").first.click()
        page.locator(".results a").first.click()
        assert "STEM" in page.get_by_role("heading", level=1).inner_text()

    def test_results_are_looked_up(self, page: Page) -> None:
        looked_up(page, "/tra-cuu/diem", CANDIDATE, **{"Kỳ thi": EXAM})
        assert CANDIDATE in page.locator("table.result").inner_text()

    def test_a_question_goes_to_the_clerk_and_the_answer_comes_back(self, page: Page, matter: str) -> None:
        """The fixture has done it; another visitor who has the code sees the same."""
        open_page(page, PORTAL, "/phan-anh/theo-doi")
        page.get_by_label("Mã theo dõi").fill(matter.lower())
        page.get_by_role("button", name="Xem").click()
        assert "Đã trả lời" in page.locator("p.state").inner_text()
        assert "Trường có nhận." in page.locator(".answer").inner_text()

    def test_what_was_typed_is_still_there_when_a_form_is_refused(self, page: Page) -> None:
        written(page, "Hỏi về bán trú", **{"Điện thoại (không bắt buộc)": "không có"})
        assert page.get_by_role("alert").inner_text() == "Số điện thoại không đúng."
        assert page.get_by_label("Tiêu đề (bắt buộc)").input_value() == "Hỏi về bán trú"


class TestLists:
    """What a portal says of itself, read by other people's programs."""

    @pytest.mark.parametrize("unit", UNITS)
    def test_both_site_maps_have_every_page(self, province: LabProvince, portals: Portals, unit: str) -> None:
        known = province.province.units[unit]
        made = build(portals.view(known), portals.contents.of(unit)).pages
        _, text = ask(province, "/sitemap.xml", portal=known.portal)
        listed = list(sitemap_from_str(text).all_pages())
        assert [page.url for page in listed] == [f"https://{known.portal}{page.url}" for page in made]
        assert all(page.last_modified is None or page.last_modified.year > 2000 for page in listed)
        assert any(page.last_modified for page in listed)
        _, text = ask(province, "/so-do/", portal=known.portal)
        links = {link for *_, link, _ in html.document_fromstring(text).find("body").find("main").iterlinks()}
        assert {page.url for page in made} - links == {"/so-do/"}
        programs = links - {page.url for page in made}
        assert {link: ask(province, link, portal=known.portal)[0] for link in programs} == dict.fromkeys(programs, 200)

    @pytest.mark.parametrize("unit", UNITS)
    def test_the_feed_is_read(self, province: LabProvince, unit: str) -> None:
        portal = province.province.units[unit].portal
        feed = feedparser.parse(ask(province, "/rss.xml", portal=portal)[1])
        assert not feed.bozo
        assert feed.version == "rss20"
        assert feed.feed.link == f"https://{portal}/"
        assert len(feed.entries) >= 3
        for entry in feed.entries:
            assert entry.title
            assert entry.author
            assert datetime(*entry.published_parsed[:6], tzinfo=UTC) < datetime.now(UTC) + timedelta(days=1)
        assert ask(province, feed.entries[0].link.removeprefix(f"https://{portal}"), portal=portal)[0] == 200


FAULTS: Mapping[str, tuple[Callable[[Page], list[str]], str, str]] = {
    "grey on white": (visitor.accessible, "css", "main p { color: #bbb }"),
    "grey on black in the dark": (
        visitor.accessible, "css", "@media (prefers-color-scheme: dark) { main p { color: #444 } }",
    ),
    "a picture without words": (visitor.accessible, "js", "document.querySelector('img').removeAttribute('alt')"),
    "a field without a label": (visitor.accessible, "js", "document.querySelector('label[for=q]').remove()"),
    "no heading": (visitor.accessible, "js", "document.querySelector('h1').outerHTML = '<p>x</p>'"),
    "a wide page": (visitor.fits_a_phone, "css", "main h1 { min-width: 30rem }"),
    "a wide menu": (visitor.fits_a_phone, "css", ".groups { min-width: 40rem }"),
    "text that is cut off": (visitor.fits_a_phone, "css", "html { overflow: hidden } main p { width: 50rem }"),
    "no focus to be seen": (visitor.walks_by_keyboard, "css", ".quick a { outline: none !important }"),
    "a focus in the colour of the paper": (visitor.walks_by_keyboard, "css", ".quick a { outline-color: #fff }"),
    "something lies over a link": (
        visitor.walks_by_keyboard, "css", "footer::after { content: ''; position: fixed; inset: 0 }",
    ),
    "a link that the keyboard does not reach": (
        visitor.walks_by_keyboard, "js",
        "document.querySelector('.quick').addEventListener('focusin', e => e.target.blur())",
    ),
    "an order of its own": (visitor.walks_by_keyboard, "js", "document.querySelector('.reach a').tabIndex = 1"),
    "a trap": (
        visitor.walks_by_keyboard, "js",
        "document.querySelector('.reach').addEventListener('keydown', e => e.preventDefault())",
    ),
    "no way past the menu": (visitor.walks_by_keyboard, "js", "document.querySelector('.skip').remove()"),
    "a way past the menu that leads nowhere": (
        visitor.skips_to_content, "js", "document.querySelector('main').removeAttribute('id')",
    ),
    "a menu on paper": (visitor.prints, "css", ".bar { display: block !important }"),
    "white on paper": (visitor.prints, "css", "main p { color: #ddd !important }"),
    "grey paper": (visitor.prints, "css", ".columns { background: #999 !important }"),
    "cut off on paper": (visitor.prints, "css", "main h2 { width: 60rem }"),
    "no address on paper": (
        visitor.prints, "js",
        "document.querySelector('main').innerHTML = '<style>.text a::after { content: none !important }</style>"
        "<div class=text><a href=https://thuvien.test/>x</a></div>'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_check_finds_a_fault(page: Page, fault: str) -> None:
    check, language, text = FAULTS[fault]
    open_page(page, DEPARTMENT, "/")
    if language == "css":
        page.add_style_tag(content=text)
    else:
        page.evaluate(text)
    assert check(page)
