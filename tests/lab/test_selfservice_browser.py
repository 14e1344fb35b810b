"""The account pages in a browser: on a phone, without JavaScript and with it, in light and dark, and on paper."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from passlib.totp import TOTP
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Response as ResponseSeen
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from tests.circular.browser import BROWSERS, PHONE, RULES
from tests.core.selfservice import AN, APP, BETTER, BINH, GOOD, OFFICER, OTHER, Pages, number
from tests.lab.test_portal_html import complaints

ROOT = APP.parents[2]
NGINX = ROOT / "templates" / "selfservice" / "etc" / "nginx" / "sites" / "selfservice.conf.j2"
AXE = Path(AXE_FILE_PATH).read_text("utf-8")
DESKTOP = {"width": 1280, "height": 900}
EXECUTABLE = next(filter(None, map(shutil.which, BROWSERS)), None)


class Site(Pages):
    """The pages as the gateway shows them: below the host's path, with the files beside them and nginx's policy."""

    url = ""

    def serve(self) -> Callable[[], None]:
        """Begin to answer; what ends it."""
        policy = re.search(r'Content-Security-Policy "([^"]+)"', NGINX.read_text("utf-8"))
        assert policy

        def root(environ: dict[str, Any], start: Any) -> Any:
            if environ["PATH_INFO"] == "/tim":
                return self.app(environ, start)
            return Response((APP / "static" / "start.html").read_bytes(), mimetype="text/html")(environ, start)

        files = SharedDataMiddleware(
            DispatcherMiddleware(root, {"/mail-so": self.app}), {"/static": str(APP / "static")}
        )

        def guarded(environ: dict[str, Any], start: Any) -> Any:
            def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                return start(status, [*headers, ("Content-Security-Policy", policy[1])], *more)

            return files(environ, begin)

        server = make_server("localhost", 0, guarded, threaded=True)
        self.url = f"http://localhost:{server.port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        return stop


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    stop = site.serve()
    yield site
    stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Somebody at a browser. Each page that is seen is judged, once by its name."""

    def __init__(self, site: Site, chromium: Browser, scripts: bool, screen: dict[str, int] = PHONE):
        self.site = site
        self.context: BrowserContext = chromium.new_context(java_script_enabled=scripts, viewport=screen)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.faults: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if "Content Security" in said.text else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site.url}/{path}")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"[name={name.replace('_', '-')}]", value)

    def click(self, text: str) -> None:
        with self.page.expect_navigation():
            self.page.locator("main, nav").get_by_text(text, exact=True).first.click()

    def at(self) -> str:
        return self.page.url.removeprefix(self.site.url).partition("?")[0]

    def says(self, text: str) -> bool:
        return text in self.page.inner_text("body")

    def fits(self, name: str) -> None:
        """No scrolling to the side."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name}: {wide} pixels too wide"

    def judge(self, name: str) -> None:
        """Nothing that the rules for accessibility know of, and no scrolling; axe needs the page's JavaScript."""
        self.fits(name)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if not self.page.evaluate("typeof window.axe === 'object'"):
                self.page.evaluate(AXE)
            rules = [*RULES, "wcag22aa", "best-practice"]
            found = self.page.evaluate("rules => axe.run({runOnly: rules})", rules)["violations"]
            assert not found, (name, scheme, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found])
        self.page.emulate_media(color_scheme="light")
        assert not self.faults, (name, self.faults)


def walk(person: Person, judge: Callable[[str], None]) -> None:
    """Through every page, as an officer does it who begins, changes what can be changed, and gives a code."""
    site = person.site
    person.open("")
    judge("start")
    person.fill(dia_chi=OFFICER)
    person.click("Kích hoạt bằng mã trên phiếu")
    assert person.at() == "/mail-so/kich-hoat"
    judge("activate")
    person.fill(ma="aaaa-bbbb-cccc")
    person.click("Tiếp tục")
    assert person.says("mã không đúng")
    judge("wrong code")
    person.fill(ma=site.code(OFFICER))
    person.click("Tiếp tục")
    judge("choose")
    person.fill(mat_khau="a" * 14, mat_khau_lai="a" * 14)
    person.click("Lưu mật khẩu")
    assert person.says("Mật khẩu cần ít nhất")
    judge("weak password")
    person.fill(mat_khau=GOOD, mat_khau_lai=GOOD)
    person.click("Lưu mật khẩu")
    assert person.at() == "/mail-so/"
    judge("home")
    person.click("Mật khẩu")
    judge("password")
    person.fill(mat_khau_cu=GOOD, mat_khau=BETTER, mat_khau_lai=BETTER)
    person.click("Đổi mật khẩu")
    assert person.says("Đã đổi mật khẩu")
    judge("changed")
    person.click("Mật khẩu ứng dụng")
    judge("no app passwords")
    person.fill(ten="Điện thoại của tôi, một cái tên dài để xem trang có rộng ra không")
    person.click("Tạo mật khẩu ứng dụng")
    judge("app password")
    person.click("Xóa")
    assert not person.says("bắt đầu bằng")
    person.click("Hai bước")
    judge("second step off")
    totp = TOTP(person.page.inner_text(".code.small"))
    person.fill(so="000000")
    person.click("Bật xác thực hai bước")
    assert person.says("Mã xác thực không đúng")
    person.fill(so=number(totp, site.now))
    person.click("Bật xác thực hai bước")
    assert person.says("Đang bật")
    judge("second step on")
    person.click("Đăng xuất")
    judge("sign in")
    person.fill(dia_chi=OFFICER, mat_khau=GOOD)
    person.page.locator("main form button").click()
    assert person.says("không đúng")
    person.fill(dia_chi=OFFICER, mat_khau=BETTER)
    person.page.locator("main form button").click()
    judge("second step")
    site.now += 30
    person.fill(so=number(totp, site.now))
    person.click("Tiếp tục")
    assert person.at() == "/mail-so/"
    person.click("Đơn vị")
    judge("unit")
    row = person.page.locator(".rows li", has_text=AN)
    row.get_by_role("button").click()
    assert person.says(f"Mã mới cho Người <{AN}>")
    judge("code for somebody")
    person.open("mail-so/khong-co")
    judge("no such page")


def test_all_can_be_done_without_javascript(site: Site, chromium: Browser) -> None:
    person = Person(site, chromium, scripts=False)
    walk(person, person.fits)
    person.context.close()


def test_every_page_is_accessible_on_a_phone(site: Site, chromium: Browser) -> None:
    person = Person(site, chromium, scripts=True)
    walk(person, person.judge)
    person.context.close()


def too_much(person: Person, judge: Callable[[str], None]) -> None:
    """Through the pages of somebody who tries too often, sends too much, or comes when nothing can be written."""
    site = person.site
    answers: list[int] = []

    def seen(answer: ResponseSeen) -> None:
        if answer.request.is_navigation_request():
            answers.append(answer.status)

    person.page.on("response", seen)

    def tried_out(click: str, **fields: str) -> None:
        for _ in range(11):
            person.fill(**fields)
            person.click(click)
        assert answers[-1] == 429
        assert person.says("Quá nhiều lần thử")

    person.open("mail-so/dang-nhap")
    tried_out("Đăng nhập", dia_chi=AN, mat_khau="không phải mật khẩu")
    judge("sign in 429")
    person.open("mail-so/kich-hoat")
    tried_out("Tiếp tục", dia_chi=BINH, ma="aaaa-bbbb-cccc")
    judge("activate 429")
    site.turn_on(site.activate(OFFICER))
    person.open("mail-so/dang-nhap")
    person.fill(dia_chi=OFFICER, mat_khau=GOOD)
    person.click("Đăng nhập")
    tried_out("Tiếp tục", so="000000")
    judge("second step 429")
    site.now += 600
    person.open("mail-so/kich-hoat")
    person.fill(dia_chi=OTHER, ma="a" * 60)
    longer = "field => { field.removeAttribute('maxlength'); field.value = 'a'.repeat(60000) }"
    person.page.locator("[name=ma]").evaluate(longer)
    person.click("Tiếp tục")
    assert (answers[-1], person.says("Nội dung quá dài.")) == (413, True)
    judge("too much 413")
    with site.database() as database:
        database.execute("CREATE TRIGGER full BEFORE UPDATE ON account BEGIN SELECT raise(ABORT, 'disk is full'); END")
    person.open("mail-so/kich-hoat")
    person.fill(dia_chi=OTHER, ma="aaaa-bbbb-cccc")
    person.click("Tiếp tục")
    assert (answers[-1], person.says("Máy chủ tạm thời không ghi được.")) == (503, True)
    judge("nothing is written 503")


def test_what_is_too_much_or_broken_is_said_in_pages_as_good(site: Site, chromium: Browser) -> None:
    person = Person(site, chromium, scripts=True)
    too_much(person, person.judge)
    person.context.close()


def test_every_page_conforms(site: Site, chromium: Browser, tmp_path: Path) -> None:
    """By the W3C's checker; as it was sent, which is not what a browser makes of it."""
    pages = tmp_path / "pages"
    pages.mkdir()
    person = Person(site, chromium, scripts=True)
    sent: list[str] = []

    def keep(answer: ResponseSeen) -> None:
        if answer.headers.get("content-type", "").startswith("text/html") and answer.status not in range(300, 400):
            sent.append(answer.text())

    person.page.on("requestfinished", lambda asked: keep(asked.response()))
    walk(person, person.fits)
    person.context.close()
    for at, text in enumerate(dict.fromkeys(sent)):
        (pages / f"{at}.html").write_text(text, "utf-8")
    assert len(list(pages.iterdir())) > 15
    # What it says of old browsers is no fault: a field that asks for digits is in them one that asks for text.
    assert [said for said in complaints(pages) if "not supported in all browsers" not in said] == []


def test_the_rule_follows_what_is_typed(site: Site, chromium: Browser) -> None:
    person = Person(site, chromium, scripts=True)
    person.open(f"mail-so/kich-hoat?dia-chi={BINH}")
    person.fill(ma=site.code(BINH))
    person.click("Tiếp tục")

    def rules() -> list[str]:
        items = person.page.locator(".rule li").all()
        return [item.get_attribute("class") or "" for item in items]

    assert rules() == ["", "", ""]
    for typed, wanted in (
        ("a", ["fails", "fails", "holds"]),
        ("aB3", ["fails", "holds", "holds"]),
        ("aB3 aB3 aB3 ", ["holds", "holds", "holds"]),
        ("BINHTT aB3 aB3", ["holds", "holds", "fails"]),
        ("Đường mùa thu", ["holds", "holds", "holds"]),
        ("", ["", "", ""]),
    ):
        person.fill(mat_khau=typed)
        assert [re.sub(r"\s+", "", one) for one in rules()] == wanted, typed
    person.fill(mat_khau=GOOD, mat_khau_lai=BETTER)
    assert person.says("chưa giống nhau")
    person.judge("rule")
    person.fill(mat_khau_lai=GOOD)
    assert not person.says("chưa giống nhau")
    person.click("Lưu mật khẩu")
    assert person.at() == "/mail-so/"
    person.context.close()


def test_the_slip_with_a_code_can_be_printed(site: Site, chromium: Browser) -> None:
    person = Person(site, chromium, scripts=False, screen=DESKTOP)
    person.open(f"mail-so/kich-hoat?dia-chi={OFFICER}")
    person.fill(ma=site.code(OFFICER))
    person.click("Tiếp tục")
    person.fill(mat_khau=GOOD, mat_khau_lai=GOOD)
    person.click("Lưu mật khẩu")
    person.click("Đơn vị")
    person.page.locator(".rows li", has_text=AN).get_by_role("button").click()
    code = person.page.inner_text("p.code")
    person.page.emulate_media(media="print")
    printed = person.page.inner_text("body")
    assert code in printed
    assert AN in printed
    assert "https://taikhoan.x.test/" in printed
    assert BINH not in printed  # whoever gets the slip need not know the others
    assert "Đăng xuất" not in printed
    assert site.show_code(AN, code).location == "chon-mat-khau"
    person.context.close()
