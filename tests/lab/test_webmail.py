"""The webmail under the front's name, in a real browser: people of all hosts read, write, filter and sort there."""

from __future__ import annotations

import email
import email.policy
import re
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from selenium.webdriver.support.ui import Select

from tests.lab.browser import Webmail, chromium
from tests.lab.province import LabProvince
from tests.lab.test_deploy import deploy
from tests.lab.test_faults import wait
from tests.lab.test_filtering import learnt, receive, unheard_of

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # on mail-xa; both hold SCHOOL
SCHOOL, SCHOOL_NAME = "thsuoimo@suoimo.minhha.test", "Trường Tiểu học Suối Mơ"
TEACHER = "yendth@thptsongque.test"  # on mail-thpt; holds nothing
OWN_FOLDERS = ["Hộp thư đến", "Thư nháp", "Thư đã gửi", "Thư rác", "Thùng rác", "Lưu trữ"]


@pytest.fixture(scope="module")
def browser(province: LabProvince, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webmail]:
    front = province.province.settings.front_name
    address = str(province.mail.gateway.ipv4)
    with chromium(tmp_path_factory.mktemp("home"), front, address, province.network.authority) as webmail:
        yield webmail


@pytest.fixture
def webmail(browser: Webmail) -> Iterator[Webmail]:
    """The browser; after each test it has nothing to complain of: no page asked for what its policy refuses."""
    browser.errors()
    yield browser
    assert browser.errors() == []


@pytest.fixture
def subject() -> str:
    """A subject with all kinds of marks, and no other message's."""
    return f"Về việc bồi dưỡng đội ngũ, kỳ nghỉ Tết {secrets.token_hex(4)}"


def sign_in(webmail: Webmail, province: LabProvince, person: str) -> None:
    webmail.sign_in(person, province.password(person))
    webmail.one("#taskmenu")
    webmail.settle()


def send(webmail: Webmail) -> None:
    """Send what is written, and wait until it is gone."""
    webmail.click("button.send")
    webmail.one("#mailboxlist")


def received(province: LabProvince, address: str, subject: str, folder: str = "INBOX") -> EmailMessage:
    """The message with a subject that the test made; waits for it."""
    end = time.monotonic() + 30
    with province.imap(address) as client:
        while True:
            client.select(folder)
            _, data = client.search(None, "SUBJECT", subject.rpartition(" ")[2])
            if data[0]:
                _, parts = client.fetch(data[0].split()[0], "(RFC822)")
                return email.message_from_bytes(parts[0][1], policy=email.policy.default)  # type: ignore[index,return-value]
            assert time.monotonic() < end, f"{subject} did not come to {address}"
            time.sleep(0.3)


def test_a_person_of_another_host_signs_in_and_sees_everything_in_vietnamese(
    webmail: Webmail, province: LabProvince
) -> None:
    webmail.open()
    assert webmail.one("#rcmloginuser").get_attribute("placeholder") == "Địa chỉ thư"
    assert webmail.texts(".support-link, #login-footer a") == ["Trợ giúp"]
    sign_in(webmail, province, TEACHER)
    # The number of unread messages may stand before it.
    assert webmail.driver.title.endswith("Thư điện tử Tỉnh Minh Hà :: Hộp thư đến")
    assert webmail.folders() == OWN_FOLDERS
    assert webmail.texts("#taskmenu a") == [
        "Soạn thư",
        "Thư",
        "Danh bạ",
        "Cài đặt",
        "Nền tối",
        "Giới thiệu",
        "Đăng xuất",
    ]
    assert "rip=198.18.37.1," in province.run("mail-thpt", f"journalctl -u dovecot -n 200 -o cat | grep {TEACHER}")


def show(webmail: Webmail, subject: str) -> str:
    """Open a message beside the list; gives all that is shown of it."""
    webmail.message(subject).click()
    with webmail.frame("#messagecontframe"):
        assert subject in webmail.one("h2.subject").text
        return webmail.one("#message-header").text + "\n" + webmail.one("#messagebody").text


def test_a_message_with_marks_is_read_as_it_was_written(webmail: Webmail, province: LabProvince, subject: str) -> None:
    province.read(CLERK, province.send(HEAD, CLERK, subject=subject))
    sign_in(webmail, province, CLERK)
    shown = show(webmail, subject)
    assert "Kính gửi quý thầy cô,\nĐây là thư thử nghiệm." in shown
    assert re.search(r"\d\d/\d\d/\d{4} \d\d:\d\d", shown)


def test_a_message_with_an_attachment_reaches_another_host(
    webmail: Webmail, province: LabProvince, subject: str, tmp_path: Path
) -> None:
    file = tmp_path / "Công văn số 12.txt"
    file.write_text("Nội dung công văn: họp giao ban.\n")
    sign_in(webmail, province, CLERK)
    webmail.open(task="mail", action="compose", to=TEACHER)
    webmail.one("#compose-subject").send_keys(subject)
    webmail.one("#composebody").send_keys("Kính gửi thầy cô,\nxin xem tệp đính kèm.")
    webmail.one("#uploadformInput").send_keys(str(file))
    webmail.one("#attachment-list li:not(.uploading) .attachment-name")
    send(webmail)
    read = received(province, TEACHER, subject)
    assert str(read["From"]) == f"Lục Thị Nhị <{CLERK}>"
    attachment = next(iter(read.iter_attachments()))
    assert (attachment.get_filename(), attachment.get_payload(decode=True)) == (file.name, file.read_bytes())
    assert read.get_body().get_content().startswith("Kính gửi thầy cô,")
    sent = received(province, CLERK, subject, folder="Sent")
    assert sent["Message-ID"] == read["Message-ID"]


def test_a_filter_made_by_clicking_files_what_comes(webmail: Webmail, province: LabProvince, subject: str) -> None:
    # Whoever has switched a set of filters off, as other tests do, gets it back switched off.
    province.run("mail-xa", f"doveadm sieve delete -a -u {CLERK} webmail 2>&1 || true")
    sign_in(webmail, province, CLERK)
    webmail.open(task="settings", action="plugin.managesieve")
    webmail.command("plugin.managesieve-add")
    try:
        with webmail.frame("#filter-box"):
            webmail.one("#_name").send_keys("Bồi dưỡng")
            webmail.one("#rule_target0 + * input").send_keys(subject)
            Select(webmail.one("#action_mailbox0")).select_by_visible_text("Lưu trữ")
            webmail.click("button.submit")
        assert webmail.says() == "Lưu bộ lọc thành công"
        province.read(CLERK, province.send(HEAD, CLERK, subject=subject), folder="Archive")
    finally:
        webmail.open(task="settings", action="plugin.managesieve")
        webmail.click("#filterslist tbody tr")
        with webmail.frame("#filter-box"):
            webmail.one("#_name")
        webmail.command("plugin.managesieve-del")
        webmail.click(".ui-dialog-buttonset .delete")
        webmail.until(lambda: not webmail.all("#filterslist tbody tr"))


def test_the_junk_button_moves_to_junk_and_back_and_the_filter_learns(
    webmail: Webmail, province: LabProvince, subject: str
) -> None:
    message_id = receive(province, unheard_of("phuhuynh@ngoai.test", CLERK, subject=subject))["Message-ID"].strip("<>")
    spam, ham = learnt(province)
    sign_in(webmail, province, CLERK)
    show(webmail, subject)
    webmail.click("a.junk:not(.disabled)")
    province.read(CLERK, message_id, folder="Junk")
    assert province.count(CLERK, message_id) == 0
    wait("learnt as spam", lambda: learnt(province) == (spam + 1, ham))
    webmail.open(task="mail", mbox="Junk")
    show(webmail, subject)
    webmail.click("a.notjunk:not(.disabled)")
    province.read(CLERK, message_id)
    wait("learnt as good", lambda: learnt(province) == (spam, ham + 1))


class TestSharedMailboxes:
    """Who holds a unit's mailbox reads it and writes as it, without setting anything up."""

    def test_a_holder_reads_what_comes_to_the_unit(self, webmail: Webmail, province: LabProvince, subject: str) -> None:
        province.send(TEACHER, SCHOOL, subject=subject)
        sign_in(webmail, province, CLERK)
        folders = webmail.folders()
        assert folders[6:8] == ["Hộp thư đơn vị", SCHOOL_NAME]
        assert set(folders[8:]) <= set(OWN_FOLDERS)
        webmail.open(task="mail", mbox=f"Donvi/{SCHOOL}")
        webmail.until(lambda: webmail.command("checkmail") or subject in webmail.one("#messagelist").text)

    def test_a_holder_writes_as_the_unit(self, webmail: Webmail, province: LabProvince, subject: str) -> None:
        sign_in(webmail, province, CLERK)
        webmail.open(task="mail", action="compose", to=TEACHER)
        Select(webmail.one("#_from")).select_by_visible_text(f"{SCHOOL_NAME} <{SCHOOL}>")
        webmail.one("#compose-subject").send_keys(subject)
        webmail.one("#composebody").send_keys("Kính gửi thầy cô.")
        send(webmail)
        read = received(province, TEACHER, subject)
        # Python puts a space too many where an encoded word begins with one.
        assert str(read["From"]).split() == f"{SCHOOL_NAME} <{SCHOOL}>".split()

    def test_who_holds_nothing_has_one_address(self, webmail: Webmail, province: LabProvince) -> None:
        sign_in(webmail, province, TEACHER)
        webmail.open(task="mail", action="compose")
        assert [option.text for option in Select(webmail.one("#_from")).options] == [f"Đỗ Thị Hải Yến <{TEACHER}>"]

    def test_an_address_can_not_be_typed(self, webmail: Webmail, province: LabProvince) -> None:
        sign_in(webmail, province, TEACHER)
        webmail.open(task="settings", action="identities")
        webmail.click("#identities-table tbody tr")
        with webmail.frame("#preferences-frame"):
            address = webmail.one("#rcmfd_email")
            assert not address.is_enabled()
            # As somebody would who knows how pages work.
            webmail.driver.execute_script(
                "arguments[0].disabled = false; arguments[0].value = arguments[1]", address, HEAD
            )
            webmail.click("button.submit")
        webmail.says()
        webmail.open(task="mail", action="compose")
        assert TEACHER in Select(webmail.one("#_from")).first_selected_option.text

    def test_posts_change_hands_and_addresses_follow(self, webmail: Webmail, province: LabProvince) -> None:
        sign_in(webmail, province, CLERK)
        # As if the clerk had held another school's mailbox, and not yet this one's, at the last sign-in.
        other = "UPDATE identities SET email = 'thcssuoimo@suoimo.minhha.test'"
        mine = f"email = '{SCHOOL}' AND user_id = (SELECT user_id FROM users WHERE username = '{CLERK}')"
        database = "/var/lib/dbconfig-common/sqlite3/roundcube/roundcube"
        province.run("mail-so", f"sqlite3 {database}", stdin=f"{other} WHERE {mine};\n")
        sign_in(webmail, province, CLERK)
        webmail.open(task="mail", action="compose")
        addresses = [option.text.partition("<")[2].rstrip(">") for option in Select(webmail.one("#_from")).options]
        assert addresses == [CLERK, SCHOOL]


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(webmail: Webmail, province: LabProvince) -> None:
    province.password(CLERK)
    answers = []
    for address in (CLERK, "khongco@suoimo.minhha.test"):
        webmail.sign_in(address, "mat khau sai")
        assert webmail.all("#rcmloginuser")
        answers.append(webmail.says())
    assert answers[0] == answers[1]
    assert answers[0].startswith("Không đăng nhập được: sai địa chỉ hoặc mật khẩu")
    # The webmail comes to Dovecot from one address for all; what is counted is where its users come from.
    log = province.run("mail-so", "journalctl -u dovecot -n 50 -o cat")
    assert "auth_failed): user=<khongco@suoimo.minhha.test>, method=PLAIN, rip=198.18.37.1," in log


def test_after_signing_out_nothing_is_left_to_come_back_to(webmail: Webmail, province: LabProvince) -> None:
    sign_in(webmail, province, CLERK)
    webmail.click("a.logout")
    webmail.one("#rcmloginuser")
    webmail.open(task="mail")
    webmail.one("#rcmloginuser")
    assert not webmail.all("#messagelist")


def test_whoever_chose_english_keeps_it_over_a_deploy(webmail: Webmail, province: LabProvince, inventory: Path) -> None:
    def choose(language: str) -> None:
        webmail.open(task="settings")
        webmail.click("#sections-table tr")
        with webmail.frame("#preferences-frame"):
            Select(webmail.one("#rcmfd_lang")).select_by_value(language)
            webmail.click("button.submit")
        webmail.until(lambda: webmail.one("html").get_attribute("lang") == language.partition("_")[0])

    sign_in(webmail, province, TEACHER)
    choose("en_US")
    try:
        province.run("mail-so", "rm -f /var/lib/edumail/trees/webmail/active")  # as if something had changed
        assert deploy(inventory, "--host", "mail-so").returncode == 0
        sign_in(webmail, province, TEACHER)
        assert webmail.folders() == ["Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive"]
    finally:
        choose("vi_VN")


class Front(HTTPSConnection):
    """A verified connection to the front's name on the gateway."""

    def __init__(self, province: LabProvince, address: object = None):
        super().__init__(province.province.settings.front_name, timeout=20)
        self.address = str(address or province.mail.gateway.ipv4)
        self.context = province.network.context()

    def connect(self) -> None:
        self.sock: ssl.SSLSocket = self.context.wrap_socket(
            socket.create_connection((self.address, 443), timeout=20), server_hostname=self.host
        )

    def get(self, path: str = "/") -> tuple[HTTPResponse, bytes]:
        self.request("GET", path)
        response = self.getresponse()
        return response, response.read()


class TestFromOutside:
    """What the front's name shows to those who ask it directly."""

    @pytest.mark.parametrize(
        "path",
        [
            "/installer/",
            "/config/config.inc.php",
            "/SQL/sqlite.initial.sql",
            "/logs/errors.log",
            "/temp/",
            "/plugins/",
            "/plugins/edumail/edumail.php",
            "/plugins/managesieve/composer.json",
            "/program/include/iniset.php",
            "/index.php/../config/config.inc.php",
            "/.htaccess",
        ],
    )
    def test_only_the_program_and_what_browsers_load_is_served(self, province: LabProvince, path: str) -> None:
        response, body = Front(province).get(path)
        assert response.status == 404
        assert b"<?php" not in body

    def test_the_page_is_locked_down(self, province: LabProvince) -> None:
        response, _ = Front(province).get()
        cookies = response.headers.get_all("Set-Cookie", [])
        assert cookies
        for cookie in cookies:
            assert {"secure", "httponly", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "X-Powered-By" not in response.headers
        assert response.headers["Server"] == "nginx"

    def test_http_only_leads_to_https(self, province: LabProvince) -> None:
        name = province.province.settings.front_name
        connection = HTTPConnection(str(province.mail.gateway.ipv4), timeout=10)
        connection.request("GET", "/?_task=mail", headers={"Host": name})
        response = connection.getresponse()
        assert (response.status, response.headers["Location"]) == (301, f"https://{name}/?_task=mail")

    def test_a_name_that_no_site_has_gets_no_certificate(self, province: LabProvince) -> None:
        raw = socket.create_connection((str(province.mail.gateway.ipv4), 443), timeout=10)
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            province.network.context().wrap_socket(raw, server_hostname="khongco.minhha.test")

    def test_a_hundred_people_behind_one_address_get_in_and_a_flood_does_not(self, province: LabProvince) -> None:
        def post(times: int) -> list[int]:
            front = Front(province, province.mail.gateway.ipv6)  # the browser comes by the other address
            answers = []
            for _ in range(times):
                front.request("POST", "/?_task=login", headers={"Content-Type": "application/x-www-form-urlencoded"})
                response = front.getresponse()
                response.read()
                answers.append(response.status)
            return answers

        with ThreadPoolExecutor(10) as pool:
            school = [status for answers in pool.map(post, [10] * 10) for status in answers]
            flood = [status for answers in pool.map(post, [25] * 10) for status in answers]
        assert set(school) == {200}
        assert 429 in flood

    def test_what_is_too_large_for_a_message_is_not_taken(self, province: LabProvince) -> None:
        front = Front(province)
        front.putrequest("POST", "/")
        front.putheader("Content-Length", str(2 * province.province.message_size_limit_mb * 2**20))
        front.endheaders()
        assert front.getresponse().status == 413


def test_php_comes_back_when_it_is_killed(webmail: Webmail, province: LabProvince) -> None:
    province.run("mail-so", "systemctl kill --signal=KILL php8.4-fpm")
    end = time.monotonic() + 20
    while Front(province).get()[0].status != 200:
        assert time.monotonic() < end
        time.sleep(0.3)


def test_roundcube_s_key_is_the_host_s_own_and_unreadable_to_others(province: LabProvince) -> None:
    file = "/etc/roundcube/config.inc.php"
    assert province.run("mail-so", f"stat -c '%U:%G %a' {file}").split() == ["root:www-data", "640"]
    key = re.search(r"\['des_key'\] = '(.{24})'", province.run("mail-so", f"cat {file}"))
    assert key is not None
    assert key[1] not in province.run("mail-so", "cat /var/lib/edumail/trees/webmail/current/config.inc.php")


TEXTS = r"""<?php
function texts($file) {
    $labels = $messages = $texts = [];
    if (is_file($file)) include $file;
    return $labels + $messages + $texts;
}
function untranslated($path, $prefix = '') {
    $english = texts(sprintf("/usr/share/roundcube/$path", 'en_US'));
    $vietnamese = texts(sprintf("/usr/share/roundcube/$path", 'vi_VN'));
    $ours = texts('/var/lib/roundcube/plugins/edumail/localization/vi_VN.inc');
    foreach (array_diff_key($english, $vietnamese) as $name => $text)
        if (!isset($ours[$prefix . $name])) echo "$prefix$name\n";
    return count($english);
}
$texts = untranslated('program/localization/%s/labels.inc') + untranslated('program/localization/%s/messages.inc');
foreach (['archive', 'managesieve', 'markasjunk', 'subscriptions_option', 'zipdownload'] as $plugin)
    $texts += untranslated("plugins/$plugin/localization/%s.inc", "$plugin.");
if ($texts < 1000) echo "only $texts texts were looked at\n";
"""


def test_no_text_is_left_in_english(province: LabProvince) -> None:
    assert province.run("mail-so", "php", stdin=TEXTS) == ""
