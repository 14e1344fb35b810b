"""How people reach their mail: every protocol over TLS only, folders, search, filters, and one name for all hosts."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import secrets
import smtplib
import socket
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import parseaddr

import pytest

from lab import lab
from tests.lab.managesieve import ManageSieve, filtered
from tests.lab.province import LabProvince, new_message
from tests.lab.test_mail import foreign_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # mail-xa
TEACHER = "yendth@thptsongque.test"  # mail-thpt
DIRECTOR = "thinhdq@sogddt.minhha.test"  # the gateway itself
EVERYWHERE = pytest.mark.parametrize("login", [CLERK, TEACHER, DIRECTOR])


@contextlib.contextmanager
def pop3(province: LabProvince, host: str) -> Iterator[poplib.POP3]:
    """A POP3S session before sign-in; Python's class can't be told the address apart from the name."""
    client = poplib.POP3.__new__(poplib.POP3)
    client.host, client.port, client._debugging, client._tls_established = host, 995, 0, True
    client.sock = province.network.tls(host, 995)
    client.file = client.sock.makefile("rb")
    client.welcome = client._getresp()
    yield client
    client.quit()


@pytest.mark.parametrize("host", ["mail-so", "mail-xa", "mail-thpt"])
def test_imap_on_143_takes_no_password_before_tls(province: LabProvince, host: str) -> None:
    fqdn = province.province.hosts[host].fqdn
    client = imaplib.IMAP4(province.network.address(fqdn), 143, timeout=10)
    assert "LOGINDISABLED" in client.capabilities
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        client.login(CLERK, province.password(CLERK))
    client.shutdown()


@EVERYWHERE
def test_the_front_serves_imap_with_starttls_to_people_of_every_host(province: LabProvince, login: str) -> None:
    client = imaplib.IMAP4(province.network.address(province.gateway), 143, timeout=10)
    client.host = province.front
    client.starttls(province.network.context())
    client.login(login, province.password(login))
    assert client.select("INBOX")[0] == "OK"
    client.logout()


@EVERYWHERE
def test_the_front_serves_imaps_pop3s_and_submission(province: LabProvince, login: str) -> None:
    message = new_message(login, login)
    for port in (465, 587):
        with province.submission(login, port, host=province.front) as client:
            message.replace_header("Message-ID", f"<{port}.{message['Message-ID'].strip('<>')}>")
            client.send_message(message, from_addr=login, to_addrs=[login])
    message_id = message["Message-ID"].strip("<>")
    province.read(login, message_id)
    with province.network.imap(province.front, login, province.password(login)) as client:
        client.select("INBOX")
        assert client.search(None, "HEADER", "Message-ID", message_id)[1][0]
    with pop3(province, province.front) as client:
        client.user(login)
        client.pass_(province.password(login))
        newest = b"\r\n".join(client.retr(client.stat()[0])[1])
    assert message_id.encode() in newest


def test_the_front_asks_the_host_of_the_mailbox_for_the_password(province: LabProvince) -> None:
    for login in (CLERK, DIRECTOR):
        with pytest.raises(imaplib.IMAP4.error), province.network.imap(province.front, login, "khong dung"):
            pass
        with province.network.smtp(province.front, 587) as client:
            client.starttls(context=province.network.context())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(login, "khong dung")


def test_a_password_of_another_host_opens_nothing_on_the_gateway_s_own_postfix(province: LabProvince) -> None:
    """The front's answer for people of other hosts is "any password will do": only Dovecot's proxies may get it."""
    script = f"doveadm auth test -x service=smtp {CLERK} khong-dung 2>&1; true"
    assert "auth failed" in province.run("mail-so", script)
    own = f"doveadm auth test -x service=smtp {DIRECTOR} {province.password(DIRECTOR)} 2>&1; true"
    assert "auth succeeded" in province.run("mail-so", own)


def test_the_host_behind_the_front_logs_where_the_client_really_is(province: LabProvince) -> None:
    before = time.time()
    with province.network.imap(province.front, CLERK, province.password(CLERK)) as client:
        port = client.sock.getsockname()[1]
    with province.submission(CLERK, host=province.front) as client:
        client.send_message(new_message(CLERK, HEAD), from_addr=CLERK, to_addrs=[HEAD])
        sent_from = client.sock.getsockname()[1]
    log = province.run("mail-xa", f"journalctl --since=@{int(before)} -u dovecot -u postfix -o cat")
    assert f"rip=198.18.37.1, rport={port}," in log
    assert f"[198.18.37.1]:{sent_from}, sasl_method=PLAIN, sasl_username={CLERK}" in log


def test_a_stranger_can_not_pretend_to_be_the_front(province: LabProvince) -> None:
    with province.network.smtp("mail-xa.minhha.test", 587) as client:
        client.starttls(context=province.network.context())
        client.ehlo()
        assert not client.has_extn("xclient")
        assert client.docmd("XCLIENT", "ADDR=1.2.3.4")[0] in (503, 550)


def test_folders_are_there_with_their_purpose_and_subscribed(province: LabProvince) -> None:
    with province.imap(TEACHER) as client:
        _, rows = client.list()
        _, subscribed = client.lsub()
    for name in ("Drafts", "Sent", "Archive", "Junk", "Trash"):
        assert [row for row in rows if row.endswith(f'"/" {name}'.encode()) and f"\\{name}".encode() in row], rows
        assert [row for row in subscribed if row.endswith(f'"/" {name}'.encode())], subscribed


def test_a_folder_s_name_may_hold_dots(province: LabProvince) -> None:
    with province.imap(TEACHER) as client:
        try:
            assert client.create('"Cong van 12.2026"')[0] == "OK"
            assert [row for row in client.list()[1] if b"Cong van 12.2026" in row]
        finally:
            client.delete('"Cong van 12.2026"')


WORDS = [
    ("đường", True), ("duong", True), ("DUONG", True), ("Điện Biên", True), ("dien bien", True), ("phượng", True),
    ("phuong", True), ("khongcotu", False), ("hải phòng", False),
]  # fmt: skip


def test_search_finds_vietnamese_with_and_without_marks(province: LabProvince) -> None:
    message = EmailMessage()
    message["Subject"] = "Sửa đường Điện Biên Phủ"
    message["Message-ID"] = f"<tim.{time.time()}@kiemtra.invalid>"
    message.set_content("Hàng cây hoa phượng trước cổng trường.\n")
    with province.imap(TEACHER) as client:
        client.create("Tim")
        try:
            client.append("Tim", None, None, message.as_bytes())
            client.select("Tim")
            for words, found in WORDS:
                client.literal = words.encode()
                _, data = client.search("UTF-8", "TEXT")
                assert bool(data[0].split()) == found, words
        finally:
            client.close()
            client.delete("Tim")


@EVERYWHERE
def test_people_file_their_mail_by_rules_of_their_own(province: LabProvince, login: str) -> None:
    rule = (
        'require ["fileinto", "mailbox"];\nif header :contains "Subject" "hop giao ban" { fileinto :create "Hop"; }\n'
    )
    with ManageSieve(province.network, province.front, login, province.password(login)) as sieve:
        assert "AUTH" not in sieve.before_tls
        assert sieve.put("thu", "this is no sieve;").startswith("NO")
        assert sieve.put("thu", rule).startswith("OK")
        assert sieve.command('SETACTIVE "thu"').startswith("OK")
        try:
            province.read(login, province.send(login, login, subject="Thu moi hop giao ban"), folder="Hop")
        finally:
            sieve.command('SETACTIVE ""')
            sieve.command('DELETESCRIPT "thu"')
            with province.imap(login) as client:
                client.delete("Hop")


class TestFilters:
    """What people's filters send is bound as what they send themselves."""

    def test_there_is_no_sending_of_free_texts(self, province: LabProvince) -> None:
        rule = 'require ["enotify"]; notify :message "x" "mailto:phuhuynh@ngoai.test?body=x";'
        with ManageSieve(province.network, province.front, TEACHER, province.password(TEACHER)) as sieve:
            assert sieve.put("thu", rule).startswith("NO")

    def test_an_answer_goes_out_as_the_mailbox_and_as_nobody_else(self, province: LabProvince) -> None:
        rule = 'require ["vacation"]; vacation :subject "Nghi phep" %s "Toi nghi den thu hai.";'
        with filtered(province, TEACHER, rule % ""):
            province.send(DIRECTOR, TEACHER)
            answer = province.wait_for(DIRECTOR, "SUBJECT", "Nghi phep")
            assert parseaddr(str(answer["From"]))[1] == TEACHER
        forged = "phuctd@thptsongque.test"
        with filtered(province, TEACHER, rule % f':from "{forged}" :days 1 :handle "khac"'):
            province.read(TEACHER, province.send(CLERK, TEACHER))
            log = "journalctl -u postfix --since -1min -o cat | grep -c 'From header is not the mailbox' || true"
            end = time.monotonic() + 20
            while not int(province.run("mail-thpt", log)):
                assert time.monotonic() < end, "the forged answer was not refused"
                time.sleep(0.5)

    @pytest.mark.parametrize("forged", ["phuctd@thptsongque.test", CLERK], ids=["same host", "another host"])
    def test_an_answer_that_calls_itself_a_forward_is_none(self, province: LabProvince, forged: str) -> None:
        """With :mime a filter writes headers itself."""
        marks = "X-Sieve: Pigeonhole\r\nX-Sieve-Redirected-From: x@ngoai.test\r\n"
        rule = (
            f'require ["vacation"]; vacation :mime :from "{forged}" :days 1 :handle "{secrets.token_hex(4)}" text:\r\n'
            f"{marks}Content-Type: text/plain\r\n\r\nToi.\r\n.\r\n;"
        )
        with filtered(province, TEACHER, rule):
            since = province.run("mail-thpt", "date +%s").strip()
            province.read(TEACHER, province.send(HEAD, TEACHER))
            log = f"journalctl -u postfix --since=@{since} -o cat | grep 'from=<{TEACHER}> to=<{HEAD}>' || true"
            end = time.monotonic() + 20
            while "From header is not the mailbox" not in province.run("mail-thpt", log):
                assert time.monotonic() < end, "the forged answer was not refused"
                time.sleep(0.5)

    @pytest.mark.parametrize("author", [DIRECTOR, "phuhuynh@ngoai.test"], ids=["of ours", "stranger"])
    def test_a_forward_leaves_under_the_address_of_whoever_forwards(self, province: LabProvince, author: str) -> None:
        message = new_message(author, TEACHER)
        message_id = message["Message-ID"].strip("<>")
        with filtered(province, TEACHER, 'require ["copy"]; redirect :copy "nharieng@ngoai.test";'):
            if author == DIRECTOR:
                with province.submission(author) as client:
                    client.send_message(message, from_addr=author, to_addrs=[TEACHER])
            else:
                lab.foreign_send(author, TEACHER, message.as_bytes())
            seen = foreign_message("nharieng", message_id).decode(errors="replace")
        assert f"Return-Path: <{TEACHER}>" in seen
        assert "Received-SPF: Pass" in seen
        assert "dkim=pass" in seen

    def test_a_forward_opens_no_closed_group(self, province: LabProvince) -> None:
        rule = 'require ["copy"]; redirect :copy "toantruong@thptsongque.test";'
        with filtered(province, TEACHER, rule):
            message_id = province.send(CLERK, TEACHER)
            province.read(TEACHER, message_id)
        log = province.run("mail-thpt", "journalctl -u postfix --since -1min -o cat")
        assert "toantruong@thptsongque.test>: Recipient address rejected" in log
        assert province.count("vangt@thptsongque.test", message_id) == 0


@pytest.mark.parametrize("port", [110, 2000])
def test_doors_for_passwords_in_the_clear_are_shut(province: LabProvince, port: int) -> None:
    for host in province.province.hosts.values():
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((str(host.ipv4), port), timeout=2)
