"""Bytes that no mail program sends: each has one outcome that was decided, nothing is smuggled, nothing breaks."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import secrets
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from lab import lab, ssh
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import wait
from tests.lab.test_mail import foreign_message

DIRECTOR = "thinhdq@sogddt.minhha.test"  # on the gateway
CLERK = "nhilt@suoimo.minhha.test"  # on mail-xa
OUTSIDE = "phuhuynh@ngoai.test"
HOSTS = ("mail-so", "mail-xa")
# What a careless server could take for the end of a message; RFC 5321, 4.1.1.4 knows CR LF "." CR LF only.
ENDS = {
    "lf-dot-lf": b"\n.\n",
    "lf-dot-crlf": b"\n.\r\n",
    "crlf-dot-lf": b"\r\n.\n",
    "cr-dot-cr": b"\r.\r",
    "cr-dot-crlf": b"\r.\r\n",
    "crlf-dot-cr": b"\r\n.\r",
}


@pytest.fixture(autouse=True, scope="module")
def _nothing_breaks(province: LabProvince) -> Iterator[None]:
    """No daemon dies or panics of anything here."""
    since = {host: province.run(host, "date +%s").strip() for host in HOSTS}
    yield
    for host in HOSTS:
        log = province.run(host, f"journalctl --since @{since[host]} --no-pager -o cat")
        assert not re.findall(r".*(?:panic|fatal|killed by signal|dumped core|segfault).*", log, re.IGNORECASE)


class Dialogue:
    """SMTP by hand: what is sent is sent to the byte."""

    def __init__(self, read: BinaryIO, write: BinaryIO):
        self.read, self.write = read, write
        assert self.reply()[0] == 220

    def reply(self) -> tuple[int, str]:
        """One reply; (0, "") when the other side has hung up."""
        text = ""
        while line := self.read.readline():
            text += line[4:].decode(errors="replace")
            if line[3:4] != b"-":
                return int(line[:3]), text
        return 0, text

    def send(self, *content: bytes) -> None:
        for piece in content:
            self.write.write(piece)
        self.write.flush()

    def say(self, line: bytes) -> tuple[int, str]:
        self.send(line, b"\r\n")
        return self.reply()

    def to(self, recipient: str, sender: str = OUTSIDE) -> None:
        """Up to DATA."""
        self.say(f"MAIL FROM:<{sender}>".encode())
        code, said = self.say(f"RCPT TO:<{recipient}>".encode())
        assert code == 250, said
        assert self.say(b"DATA")[0] == 354

    def data(self, *content: bytes) -> tuple[int, str]:
        """The reply to the end of DATA."""
        self.send(*content, b"\r\n.\r\n")
        return self.reply()


@pytest.fixture
def outside(province: LabProvince) -> Iterator[Dialogue]:
    """A stranger at the gateway, from the address that the foreign domain sends from."""
    *words, host = ssh.command("internet")
    command = [*words, "-W", f"{province.network.address(province.gateway)}:25", host]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pipe:
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        dialogue = Dialogue(pipe.stdout, pipe.stdin)  # type: ignore[arg-type]
        assert dialogue.say(b"EHLO mx.ngoai.test")[0] == 250
        yield dialogue
        pipe.kill()


@pytest.fixture
def signed_in(province: LabProvince) -> Iterator[Dialogue]:
    """The clerk at the submission port."""
    host = province.fqdn(CLERK)
    with province.network.tls(host, 465) as sock:
        dialogue = Dialogue(sock.makefile("rb"), sock.makefile("wb"))
        dialogue.say(b"EHLO kiemtra.invalid")
        login = base64.b64encode(f"\0{CLERK}\0{province.password(CLERK)}".encode())
        assert dialogue.say(b"AUTH PLAIN " + login)[0] == 235
        yield dialogue


def plain(sender: str, recipient: str, body: bytes, **headers: str) -> tuple[str, bytes]:
    """Message-ID and a message whose body is to the byte."""
    head = new_message(sender, recipient)
    lines = [f"{name}: {head[name]}" for name in ("From", "To", "Date", "Message-ID")]
    lines += ["Subject: thu", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    lines += ["Content-Transfer-Encoding: 8bit", *(f"{name}: {value}" for name, value in headers.items())]
    return head["Message-ID"].strip("<>"), "\r\n".join([*lines, "", ""]).encode() + body


def smuggled(sender: str, recipient: str) -> tuple[str, bytes]:
    """The commands and the message that an attacker hides, and the hidden Message-ID."""
    message_id, message = plain(sender, recipient, b"smuggled")
    return message_id, f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode() + message


class TestSmuggling:
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
    def test_the_gateway_sees_one_message(self, province: LabProvince, outside: Dialogue, end: bytes) -> None:
        _, hidden = smuggled(DIRECTOR, CLERK)
        message_id, message = plain(OUTSIDE, CLERK, b"start" + end + hidden)
        outside.to(CLERK)
        assert outside.data(message)[0] == 250
        # Had the hidden commands been heard, their replies would come first.
        assert outside.say(b"QUIT")[0] == 221
        assert b"smuggled" in province.fetch(CLERK, message_id)

    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
    def test_what_people_send_is_one_message_outside(self, signed_in: Dialogue, end: bytes) -> None:
        hidden_id, hidden = smuggled("giamdoc@sogddt.minhha.test", "giamkhao@ngoai.test")
        message_id, message = plain(CLERK, "giamkhao@ngoai.test", b"start" + end + hidden)
        signed_in.to("giamkhao@ngoai.test", CLERK)
        assert signed_in.data(message)[0] == 250
        assert signed_in.say(b"QUIT")[0] == 221
        assert b"smuggled" in foreign_message("giamkhao", message_id)
        assert len([m for m in lab.foreign_inbox("giamkhao") if hidden_id.encode() in m]) == 1

    def test_commands_sent_before_their_time_are_refused(self, province: LabProvince) -> None:
        with socket.create_connection((province.network.address(province.gateway), 25), timeout=30) as sock:
            dialogue = Dialogue(sock.makefile("rb"), sock.makefile("wb"))
            commands = f"EHLO a.invalid\r\nMAIL FROM:<>\r\nRCPT TO:<{CLERK}>\r\nDATA\r\n".encode()
            dialogue.send(commands, plain(OUTSIDE, CLERK, b"x")[1], b"\r\n.\r\n")
            codes = []
            while (code := dialogue.reply()[0]) != 0 and len(codes) < 20:
                codes.append(code)
        assert 250 not in codes[1:]
        assert max(codes) >= 500


class TestLines:
    def test_a_command_without_end_is_none(self, outside: Dialogue) -> None:
        for start in (b"MAIL FROM:<", b"RCPT TO:<", b"VRFY "):
            assert outside.say(start + b"a" * 1500)[0] >= 500
        assert outside.say(b"NOOP")[0] == 250
        # Each piece of it that fits is heard as a command of its own; who goes on so is cut off.
        with contextlib.suppress(BrokenPipeError):
            outside.send(b"MAIL FROM:<" + b"a" * 1_000_000 + b"\r\n")
        replies = [outside.reply()[0] for _ in range(30)]
        assert {code for code in replies if code} <= {421, 500, 501, 502, 555}
        assert replies[-1] == 0

    def test_a_very_long_line_arrives_whole(self, province: LabProvince, outside: Dialogue) -> None:
        message_id, message = plain(OUTSIDE, CLERK, b"x" * 1_000_000)
        outside.to(CLERK)
        assert outside.data(message)[0] == 250
        assert province.fetch(CLERK, message_id).rstrip().endswith(b"\r\n\r\n" + b"x" * 1_000_000)

    def test_a_lone_lf_becomes_a_line_end_and_a_lone_cr_a_space(self, province: LabProvince, outside: Dialogue) -> None:
        message_id, message = plain(OUTSIDE, CLERK, b"mot\nhai\rba")
        outside.to(CLERK)
        assert outside.data(message)[0] == 250
        assert province.fetch(CLERK, message_id).partition(b"\r\n\r\n")[2].rstrip() == b"mot\r\nhai ba"

    def test_eight_bits_need_no_announcement(self, province: LabProvince, outside: Dialogue) -> None:
        body = "Kính gửi quý thầy cô".encode() + b" \xff\xfe"
        message_id, message = plain(OUTSIDE, CLERK, body)
        outside.to(CLERK)
        assert outside.data(message)[0] == 250
        assert province.fetch(CLERK, message_id).rstrip().endswith(body)

    @pytest.mark.parametrize("where", ["header", "body"])
    def test_nul_is_in_no_message(self, outside: Dialogue, where: str) -> None:
        headers = {"X-Thu": "a\0b"} if where == "header" else {}
        message = plain(OUTSIDE, CLERK, b"a\0b" if where == "body" else b"ab", **headers)[1]
        outside.to(CLERK)
        assert outside.data(message)[0] == 550
        assert outside.say(b"NOOP\0\0")[0] in (250, 500, 502)
        assert outside.say(b"NOOP")[0] == 250


class TestSizes:
    MEBIBYTE = 1024 * 1024

    def test_fifty_megabytes_are_refused_when_announced(self, outside: Dialogue) -> None:
        code, said = outside.say(b"MAIL FROM:<> SIZE=52428800")
        assert (code, said[:5]) == (552, "5.3.4")

    def test_fifty_megabytes_are_refused_when_not(self, outside: Dialogue, signed_in: Dialogue) -> None:
        block = (b"x" * 76 + b"\r\n") * 13_798  # a little more than a mebibyte
        for dialogue, sender in ((outside, OUTSIDE), (signed_in, CLERK)):
            dialogue.to(DIRECTOR, sender)
            code, said = dialogue.data(plain(CLERK, DIRECTOR, b"")[1], *[block] * 50)
            assert (code, said[:5]) == (552, "5.3.4")
            assert dialogue.say(b"NOOP")[0] == 250

    def test_what_fits_is_taken(self, province: LabProvince) -> None:
        message = new_message(CLERK, DIRECTOR)
        content = secrets.token_bytes(17 * self.MEBIBYTE)
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename="anh.tif")
        with province.submission(CLERK) as client:
            client.send_message(message)
        read = province.read(DIRECTOR, message["Message-ID"].strip("<>"), seconds=60)
        assert [part.get_content() for part in read.iter_attachments()] == [content]

    def test_a_thousand_recipients_from_outside(self, province: LabProvince, outside: Dialogue) -> None:
        message_id, message = plain(OUTSIDE, DIRECTOR, b"x")
        people = [box.address for box in province.mail.mailboxes["mail-so"].values() if box.person]
        names = [f"RCPT TO:<{people[n % len(people)].replace('@', f'+{n}@')}>".encode() for n in range(1001)]
        outside.say(f"MAIL FROM:<{OUTSIDE}>".encode())
        assert {outside.say(name)[0] for name in names[:1000]} == {250}
        assert outside.say(names[1000])[0] == 452
        outside.say(b"DATA")
        assert outside.data(message)[0] == 250
        query = f"-A MAILBOX '*' HEADER Message-ID '<{message_id}>'"
        found = f"doveadm search {query} | wc -l"
        wait("all delivered", lambda: province.run("mail-so", found).strip() == "1000")
        province.run("mail-so", f"doveadm expunge {query}")


class TestArchives:
    def bomb(self, levels: int) -> bytes:
        """100 MiB of nothing in an archive, that in another, and so on."""
        content, name = bytes(100 * 1024 * 1024), "khong.txt"
        for _ in range(levels):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr(name, content)
            content, name = packed.getvalue(), "goi.zip"
        return content

    @pytest.mark.parametrize(("levels", "code"), [(1, 250), (2, 554), (20, 554)])
    def test_an_archive_is_opened_one_level_deep(self, outside: Dialogue, levels: int, code: int) -> None:
        message = new_message(OUTSIDE, DIRECTOR)
        message.add_attachment(self.bomb(levels), maintype="application", subtype="zip", filename="goi.zip")
        started = time.monotonic()
        outside.to(DIRECTOR)
        answered, said = outside.data(message.as_bytes())
        assert answered == code, said
        assert time.monotonic() - started < 30

    def test_parts_in_parts_without_end(self, outside: Dialogue) -> None:
        message = new_message(OUTSIDE, DIRECTOR)
        inner = b"Content-Type: text/plain\r\n\r\nx\r\n"
        for level in range(500):
            mark = f"b{level}".encode()
            inner = b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n--' + mark + b"\r\n" + inner
            inner += b"\r\n--" + mark + b"--\r\n"
        head = message.as_bytes().partition(b"Content-Type:")[0]
        outside.to(DIRECTOR)
        code, said = outside.data(head, inner)
        assert code == 250, said
