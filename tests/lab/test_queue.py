"""What the sender hears when a message waits or comes back, and how large a message may be at each door."""

from __future__ import annotations

import base64
import email
import email.policy
import os
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from edumail.mail import HEADROOM_MB, MIB
from lab import lab
from roles.common.paths import live
from tests.lab.province import LabProvince, new_message
from tests.lab.test_transport import Log

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # mail-xa
TEACHER, DIRECTOR = "yendth@thptsongque.test", "thinhdq@sogddt.minhha.test"  # mail-thpt, the gateway
NOBODY = "khongai@kiemtra.invalid"  # a domain that does not exist (RFC 6761)
UNREACHABLE = "khongtraloi@kiemtra.example"  # one whose name servers do not answer in the lab


def report(province: LabProvince, address: str, message_id: str) -> EmailMessage:
    """The delivery report for a message, as its sender reads it."""
    end = time.monotonic() + 30
    while True:
        with province.imap(address) as client:
            client.select("INBOX")
            _, data = client.search(None, "FROM", "MAILER-DAEMON")
            for number in reversed(data[0].split()):
                _, parts = client.fetch(number, "(RFC822)")
                raw: bytes = parts[0][1]  # type: ignore[index,assignment]
                if message_id.encode() in raw:
                    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]
        assert time.monotonic() < end, "no delivery report came"
        time.sleep(0.5)


def text_of(message: EmailMessage) -> str:
    """The part that people read, as one line."""
    assert message.get_content_type() == "multipart/report"
    first = next(message.iter_parts())
    assert (first.get_content_type(), first.get_content_charset()) == ("text/plain", "utf-8")
    return " ".join(first.get_content().split())  # type: ignore[attr-defined]


@pytest.mark.parametrize("sender", [DIRECTOR, CLERK])
def test_a_message_that_comes_back_says_why_in_both_languages(province: LabProvince, sender: str) -> None:
    message = report(province, sender, province.send(sender, NOBODY))
    assert message["Subject"] == "Thư không gửi được / Undelivered Mail Returned to Sender"
    (author,) = message["From"].addresses
    assert author.display_name == "Hệ thống thư / Mail Delivery System"
    assert author.addr_spec.startswith("MAILER-DAEMON@mail")
    assert message["To"].addresses[0].addr_spec == sender
    text = text_of(message)
    assert "Thư của bạn KHÔNG đến được một hay nhiều người nhận." in text
    assert "Your message could NOT be delivered to one or more recipients." in text
    assert NOBODY in text  # Postfix adds whom and why


@pytest.fixture
def impatient(province: LabProvince) -> Iterator[None]:
    """A gateway that warns after a second; its release is not touched, only the copy that Postfix reads."""
    province.run("mail-so", "postconf -e delay_warning_time=1s; postfix reload 2>&1")
    yield
    province.run("mail-so", f"install -m 644 {live('postfix')}/main.cf /etc/postfix/main.cf; postfix reload 2>&1")


@pytest.mark.usefixtures("impatient")
def test_a_message_that_waits_is_announced_in_both_languages(province: LabProvince) -> None:
    log = Log("mail-so")
    message_id = province.send(DIRECTOR, UNREACHABLE)
    line = log.wait_for(f"to=<{UNREACHABLE}>", "status=deferred")
    queue_id = line.split(":")[0]
    try:
        time.sleep(1)  # the time after which it warns
        province.run("mail-so", f"postqueue -i {queue_id}")
        message = report(province, DIRECTOR, message_id)
    finally:
        province.run("mail-so", f"postsuper -d {queue_id} 2>&1")
    assert message["Subject"] == "Thư đến chậm (vẫn đang gửi) / Delayed Mail (still being retried)"
    text = text_of(message)
    assert "BẠN KHÔNG CẦN GỬI LẠI THƯ." in text
    assert "YOU DO NOT NEED TO RESEND YOUR MESSAGE." in text
    assert "5 ngày" in text


@pytest.mark.parametrize("host", ["mail-so", "mail-xa", "mail-thpt"])
def test_senders_hear_after_hours_and_mail_waits_for_days(province: LabProvince, host: str) -> None:
    names = ("delay_warning_time", "maximal_queue_lifetime", "bounce_queue_lifetime")
    assert province.run(host, f"postconf -h {' '.join(names)}").split() == ["4h", "5d", "2d"]


def message_of(size: int, sender: str, recipient: str) -> tuple[str, bytes]:
    """A message of exactly ``size`` bytes on the wire, nearly all of it an attachment; and its Message-ID."""
    message = new_message(sender, recipient)
    message.set_content(os.urandom(57), "application", "octet-stream", filename="phu-luc.dat")
    head = message.as_bytes().partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    line = base64.b64encode(os.urandom(57)) + b"\r\n"
    lines, rest = divmod(size - len(head) - 80, len(line))
    data = head + lines * line + (78 + rest) * b"A" + b"\r\n"
    assert len(data) == size
    return message["Message-ID"].strip("<>"), data


# Between hosts, as mail-xa with its own key: what the door of the gateway says to too large and to large messages.
_AS_A_HOST = """
import smtplib, ssl, sys
limit, sender, recipient = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile="/etc/edumail/tls/ca.pem")
context.load_cert_chain("/etc/edumail/tls/host.pem", "/etc/edumail/tls/host.key")
with smtplib.SMTP("mail-so.minhha.test", 2525) as client:
    client.starttls(context=context)
    client.ehlo()
    print(client.esmtp_features["size"], client.docmd(f"MAIL FROM:<{sender}> SIZE={limit + 1}")[0])
    client.rset()
    client.mail(sender)
    client.rcpt(recipient)
    print(client.data(b"Subject: x\\r\\n\\r\\n" + (limit // 78 + 1) * (76 * b"A" + b"\\r\\n"))[0])
"""


class TestSize:
    """One limit for everybody at every door, and nothing behind it that is smaller."""

    @pytest.fixture(autouse=True)
    def _limit(self, province: LabProvince) -> None:
        self.limit = province.province.message_size_limit_mb * MIB

    def refused(self, client: smtplib.SMTP, sender: str, recipient: str) -> None:
        """A byte too many is refused at once when it is announced, and after DATA when it is not."""
        client.ehlo()
        assert client.esmtp_features["size"] == str(self.limit)
        assert client.docmd(f"MAIL FROM:<{sender}> SIZE={self.limit + 1}")[0] == 552
        client.rset()
        client.mail(sender)
        assert client.rcpt(recipient)[0] == 250
        assert client.data(message_of(self.limit + 80, sender, recipient)[1])[0] == 552

    def test_strangers(self, province: LabProvince) -> None:
        with province.network.smtp(province.gateway) as client:
            self.refused(client, "", DIRECTOR)
        # Their own server adds to it before it comes here.
        message_id, data = message_of(self.limit - 4096, "phuhuynh@ngoai.test", TEACHER)
        lab.foreign_send("phuhuynh@ngoai.test", TEACHER, data)
        province.read(TEACHER, message_id, seconds=60)

    @pytest.mark.parametrize("front", [False, True], ids=["own host", "front"])
    def test_people(self, province: LabProvince, front: bool) -> None:
        host = province.front if front else ""
        with province.submission(CLERK, host=host) as client:
            self.refused(client, CLERK, HEAD)
        # It passes three hosts, and each adds to it.
        message_id, data = message_of(self.limit, CLERK, TEACHER)
        with province.submission(CLERK, host=host) as client:
            client.sendmail(CLERK, [TEACHER], data, mail_options=[f"SIZE={self.limit}"])
        province.read(TEACHER, message_id, seconds=60)

    def test_hosts(self, province: LabProvince) -> None:
        inside = self.limit + HEADROOM_MB * MIB
        said = province.run("mail-xa", f"python3 - {inside} {CLERK} {DIRECTOR}", stdin=_AS_A_HOST)
        assert said.split() == [str(inside), "552", "552"]
