"""The account pages through the gateway: what is done there is what mail programs meet on the host of the mailbox."""

from __future__ import annotations

import contextlib
import http.client
import imaplib
import secrets
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from passlib.hash import bcrypt, ldap_salted_sha512, sha512_crypt
from playwright.sync_api import Browser, Page, sync_playwright

from roles.common.paths import TLS
from roles.selfservice.render import PEER_PATH
from tests.lab.province import LabProvince, new_message
from tests.lab.test_selfservice_browser import EXECUTABLE

NEWCOMERS = ("ngaht@suoimo.minhha.test", "uomlt@suoimo.minhha.test")
"""Of one domain, on two hosts: mail-xa and, at the gateway, mail-so."""
PROGRAMS, CHANGES, CAME = (f"{name}@suoimo.minhha.test" for name in ("sendt", "khanhdd", "loantt"))
SIGN_OUT_SECONDS = 15
ASKS = """\
import http.client, socket, ssl, sys
name, path, *certificate = sys.argv[1:]
context = ssl._create_unverified_context()
for one in certificate:
    context.load_cert_chain(one + ".pem", one + ".key")
connection = http.client.HTTPSConnection(name, timeout=15)
connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", 443)), server_hostname=name)
connection.request("GET", path)
print(connection.getresponse().status)
"""
"""From the gateway: a host's status for a path, with the certificate that is named or with none."""


class Pages:
    """Browsers without JavaScript that know the name of the account pages."""

    def __init__(self, province: LabProvince, chromium: Browser):
        self.province, self.chromium = province, chromium
        self.name = province.province.settings.accounts_name
        self.began: set[str] = set()

    def host(self, address: str) -> str:
        return self.province.mail.home[address]

    def browser(self) -> Page:
        """Somebody's, at the first page."""
        context = self.chromium.new_context(java_script_enabled=False, ignore_https_errors=True)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(f"https://{self.name}/")
        return page

    def at(self, page: Page) -> str:
        return page.url.removeprefix(f"https://{self.name}").partition("?")[0]

    def activate(self, address: str, password: str) -> Page:
        """First use, from the first page on, with a code that the administrator has made."""
        self.forget(address)
        code = self.province.run(self.host(address), f"edumail-accounts code {address}").strip()
        page = self.browser()
        send(page, "Kích hoạt bằng mã trên phiếu", dia_chi=address)
        assert self.at(page) == f"/{self.host(address)}/kich-hoat"
        send(page, "Tiếp tục", ma=code)
        send(page, "Lưu mật khẩu", mat_khau=password, mat_khau_lai=password)
        assert self.at(page) == f"/{self.host(address)}/"
        return page

    def open(self, page: Page, address: str, name: str) -> None:
        page.goto(f"https://{self.name}/{self.host(address)}/{name}")

    @contextlib.contextmanager
    def imap(self, address: str, password: str, front: bool = False) -> Iterator[imaplib.IMAP4]:
        """A mail program's session, on the host itself or through the front."""
        host = self.province.front if front else self.province.fqdn(address)
        with self.province.network.imap(host, address, password) as client:
            client.select()
            yield client

    def signs_in(self, address: str, password: str, front: bool = False) -> bool:
        """Whether a mail program gets in."""
        try:
            with self.imap(address, password, front):
                return True
        except imaplib.IMAP4.error:
            return False

    def submits(self, address: str, password: str, host: str, port: int) -> bool:
        """Whether it could send."""
        with self.province.network.smtp(host, port) as client:
            if port != 465:
                client.starttls(context=self.province.network.context())
            try:
                client.login(address, password)
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    def forget(self, address: str) -> None:
        """As if somebody had never begun."""
        self.began.add(address)
        tables = "".join(
            f"DELETE FROM {table} WHERE address = '{address}';"
            for table in ("app_password", "session", "sign_in", "act")
        )
        self.province.run(
            self.host(address),
            "python3 -c \"import sqlite3, sys; sqlite3.connect('/var/lib/edumail/accounts/accounts.db')"
            '.executescript(sys.stdin.read())"',
            stdin=f"{tables} UPDATE account SET state = 'waiting', hash = NULL, code = NULL, totp = '', suspended = 0"
            f" WHERE address = '{address}';",
        )


def send(page: Page, button: str, **fields: str) -> None:
    """Fill a form in and send it."""
    for name, value in fields.items():
        page.fill(f"[name={name.replace('_', '-')}]", value)
    with page.expect_navigation():
        page.get_by_role("button", name=button).first.click()


def ends(client: imaplib.IMAP4) -> bool:
    """Whether the host ends a session that is open."""
    end = time.monotonic() + SIGN_OUT_SECONDS
    while time.monotonic() < end:
        try:
            if client.noop()[0] == "BYE":
                return True
        except (imaplib.IMAP4.abort, OSError):
            return True
        time.sleep(0.3)
    return False


def new_password() -> str:
    return f"aA1 {secrets.token_urlsafe(12)}"


@pytest.fixture(scope="module")
def chromium(province: LabProvince) -> Iterator[Browser]:
    name = province.province.settings.accounts_name
    rules = f"MAP {name} {province.network.address(name)}, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=EXECUTABLE, args=["--no-sandbox", f"--host-resolver-rules={rules}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def pages(province: LabProvince, chromium: Browser) -> Iterator[Pages]:
    """Whoever has begun in a test has not afterwards."""
    result = Pages(province, chromium)
    yield result
    for address in sorted(result.began):
        result.forget(address)


@pytest.mark.parametrize("address", NEWCOMERS)
def test_a_newcomer_begins_in_a_browser_and_reads_mail(pages: Pages, address: str) -> None:
    password = new_password()
    page = pages.activate(address, password)
    assert address in page.inner_text("main")
    assert pages.signs_in(address, password)
    assert pages.signs_in(address, password, front=True)
    assert pages.province.accounts(pages.host(address), f"SELECT what FROM act WHERE address = '{address}'").endswith(
        "('code',), ('activate',)]\n"
    )


def test_a_program_s_own_password_reads_and_sends_until_it_is_deleted(pages: Pages) -> None:
    page = pages.activate(PROGRAMS, new_password())
    pages.open(page, PROGRAMS, "mat-khau-ung-dung")
    send(page, "Tạo mật khẩu ứng dụng", ten="Điện thoại")
    password = page.inner_text("p.code")
    doors = [(pages.province.fqdn(PROGRAMS), 587), (pages.province.fqdn(PROGRAMS), 465)]
    doors += [(pages.province.front, 587), (pages.province.front, 465)]
    assert [pages.submits(PROGRAMS, password, *door) for door in doors] == [True] * 4
    assert not pages.signs_in(PROGRAMS, password[:-1] + "?")
    with pages.imap(PROGRAMS, password) as client, pages.imap(PROGRAMS, password, front=True) as through_front:
        send(page, "Xóa mật khẩu của Điện thoại")
        assert ends(client)
        assert ends(through_front)
    assert not pages.signs_in(PROGRAMS, password)
    assert not pages.signs_in(PROGRAMS, password, front=True)
    assert [pages.submits(PROGRAMS, password, *door) for door in doors[::2]] == [False] * 2


def test_a_new_password_signs_mail_programs_out_also_when_many_change_theirs(pages: Pages) -> None:
    old, new = new_password(), new_password()
    page = pages.activate(CHANGES, old)
    host = pages.host(CHANGES)
    pages.province.run(host, "for i in 1 2 3 4 5 6 7 8; do touch /var/lib/edumail/accounts/end; sleep 0.5; done")
    with pages.imap(CHANGES, old) as client:
        pages.open(page, CHANGES, "mat-khau")
        send(page, "Đổi mật khẩu", mat_khau_cu=old, mat_khau=new, mat_khau_lai=new)
        assert "Đã đổi mật khẩu" in page.inner_text("main")
        assert ends(client)
    assert (pages.signs_in(CHANGES, old), pages.signs_in(CHANGES, new)) == (False, True)


def test_the_owner_sees_sign_ins_of_mail_programs(pages: Pages) -> None:
    province, host, password = pages.province, pages.host(CHANGES), new_password()
    look = "systemctl start edumail-sign-ins.service"
    with province.without_work_of("edumail-sign-ins", host):
        province.run(host, look)  # what other tests left in the journal: an activation forgets it
        page = pages.activate(CHANGES, password)
        with province.network.tls(province.front, 993) as door:
            here = door.getsockname()[0]
        assert pages.signs_in(CHANGES, password, front=True)
        with province.network.smtp(province.fqdn(CHANGES), 465) as client:
            client.login(CHANGES, password)
            client.send_message(new_message(CHANGES, CHANGES))
        province.run(host, look)
    pages.open(page, CHANGES, "")
    rows = page.locator("table").first.locator("tbody tr").all_inner_texts()
    assert sorted((row.split("\t")[1], row.split("\t")[2]) for row in rows) == sorted(
        [("IMAP", here), ("gửi thư / sending", here), ("trang này", here)]
    )


def test_a_password_of_the_former_system_works_and_is_renewed(pages: Pages) -> None:
    host, password = pages.host(CAME), new_password()

    def kept() -> str:
        return pages.province.accounts(host, f"SELECT hash FROM account WHERE address = '{CAME}'")

    for value in (
        sha512_crypt.using(rounds=5000).hash(password),
        bcrypt.using(rounds=6, ident="2y").hash(password),
        "{SHA512-CRYPT}" + sha512_crypt.using(rounds=5000).hash(password),
        ldap_salted_sha512.hash(password),
    ):
        pages.forget(CAME)
        # The timer has looked at the accounts since the deploy.
        pages.province.run(host, "edumail-accounts sign-ins")
        done = pages.province.run(host, "edumail-accounts take-over -", stdin=f"{CAME},{value}\n")
        assert f'"taken": ["{CAME}"]' in done
        assert pages.signs_in(CAME, password), value
    assert not pages.signs_in(CAME, password + "x")
    assert "argon2" not in kept()
    page = pages.browser()
    send(page, "Đăng nhập", dia_chi=CAME)
    send(page, "Đăng nhập", mat_khau=password)
    assert pages.at(page) == f"/{host}/"
    assert "$argon2id$" in kept()
    assert pages.signs_in(CAME, password)


def test_nobody_but_the_gateway_reaches_a_host_s_own_door(pages: Pages) -> None:
    fqdn, path = pages.province.fqdn(PROGRAMS), f"{PEER_PATH}dang-nhap"

    def answer(name: str, path: str) -> int:
        """By a host's own name at the one door that the world reaches, without a certificate of ours; 0: no answer."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(name, timeout=15)
        with socket.create_connection((pages.province.network.address(pages.name), 443), timeout=15) as plain:
            try:
                connection.sock = context.wrap_socket(plain, server_hostname=name)
                connection.request("GET", path, headers={"X-Real-IP": "203.0.113.1"})
                return connection.getresponse().status
            except (ssl.SSLError, ConnectionError):
                return 0

    with pytest.raises(TimeoutError):
        socket.create_connection((pages.province.network.address(fqdn), 443), timeout=3)
    assert answer(fqdn, path) in (0, 400)
    assert pages.province.run("mail-so", f"python3 - {fqdn} {path}", stdin=ASKS) == "400\n"
    assert pages.province.run("mail-so", f"python3 - {fqdn} {path} {TLS}/host", stdin=ASKS) == "200\n"
    response, _ = pages.province.network.https(pages.name, path)
    assert response.status == 404
    response, body = pages.province.network.https(pages.name, f"/{pages.host(PROGRAMS)}/dang-nhap")
    assert response.status == 200
    assert b"<form" in body
    for header in ("Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options"):
        assert response.headers.get_all(header) is not None
        assert len(response.headers.get_all(header) or ()) == 1
    assert "Secure; HttpOnly; Path=/mail-xa/; SameSite=Strict" in response.headers["Set-Cookie"]


def test_what_people_typed_stands_in_no_log(pages: Pages, journal_since: float) -> None:
    marker = f"nhat{secrets.token_hex(6)}"
    for host in ("mail-so", "mail-xa"):
        for page in ("dang-nhap", "kich-hoat", f"khong-co/{marker}-duong"):
            pages.province.network.https(pages.name, f"/{host}/{page}?dia-chi={marker}@suoimo.minhha.test")
    browser = pages.browser()
    send(browser, "Đăng nhập", dia_chi=f"{marker}@suoimo.minhha.test")
    send(browser, "Đăng nhập", mat_khau=f"{marker}-mat-khau")
    assert "không đúng" in browser.inner_text("main")
    units = "-u edumail-selfservice -u edumail-end-sessions -u edumail-sign-ins -u edumail-accounts -u nginx"
    for host in ("mail-so", "mail-xa"):
        log = pages.province.run(host, f"sleep 1; grep -h {marker} /var/log/nginx/access.log || true")
        assert not [line for line in log.splitlines() if f"{marker}@" in line or f"{marker}-mat" in line]
        if host == "mail-so":
            assert f"/khong-co/{marker}-duong" in log  # the log is the one where it would stand
        journal = pages.province.run(host, f"journalctl -q --no-pager --since=@{int(journal_since)} {units}")
        assert marker not in journal
        assert "Traceback" not in journal
