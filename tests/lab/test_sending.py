"""What people send: under which names, how much, without traces of where they sit, and with not a byte changed."""

from __future__ import annotations

import contextlib
import json
import smtplib
import textwrap
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from lab import lab
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import wait
from tests.lab.test_mail import foreign_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # one school, mail-xa
TEACHER, PRINCIPAL = "yendth@thptsongque.test", "phuctd@thptsongque.test"  # another, mail-thpt
OUTSIDE = "phuhuynh@ngoai.test"
FORGET = "redis-cli --scan --pattern 'RL*' | xargs -r redis-cli del"
"""What was sent does not count any more."""


def submit(province: LabProvince, login: str, *recipients: str, message: EmailMessage | None = None) -> tuple[int, str]:
    """The reply to DATA; every recipient is taken before."""
    with province.submission(login) as client:
        assert client.mail(login)[0] == 250
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        code, reply = client.data((message or new_message(login, recipients[0])).as_bytes())
        return code, reply.decode()


def test_a_sub_address_is_ones_own(province: LabProvince) -> None:
    own = CLERK.replace("@", "+hocba@")
    message = new_message(own, HEAD)
    with province.submission(CLERK) as client:
        client.send_message(message, from_addr=own, to_addrs=[HEAD])
    assert province.read(HEAD, message["Message-ID"].strip("<>"))["From"] == own
    for stranger in ("nhilt+x@sogddt.minhha.test", HEAD.replace("@", "+x@")):
        assert submit(province, CLERK, HEAD, message=new_message(stranger, HEAD))[0] == 554


@pytest.mark.parametrize("recipient", [HEAD, OUTSIDE], ids=["inside", "outside"])
def test_nothing_tells_where_and_with_what_it_was_written(province: LabProvince, recipient: str) -> None:
    message = new_message(CLERK, recipient)
    message["Received"] = "from [192.0.2.77] (may-van-thu) by 192.0.2.1 with HTTP; Tue, 24 Nov 2026 08:00:00 +0700"
    message["X-Originating-IP"] = "[192.0.2.77]"
    message["User-Agent"] = "Trinh thu 1.0"
    message["X-Mailer"] = "Trinh thu 1.0"
    assert submit(province, CLERK, recipient, message=message)[0] == 250
    message_id = message["Message-ID"].strip("<>")
    if recipient == OUTSIDE:
        raw = foreign_message("phuhuynh", message_id)
        assert b"dkim=pass" in raw
    else:
        raw = province.fetch(recipient, message_id)
    headers = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode()
    for trace in ("192.0.2.", "198.18.37.1]", "198.18.37.1)", "may-van-thu", "Trinh thu", "kiemtra.invalid"):
        assert trace not in headers, trace
    # When, and as what it is found in the journal, is still said.
    assert "by mail-xa.minhha.test with ESMTPSA id " in headers


class TestBytes:
    """Who signs with S/MIME or PGP signs bytes: they stay as they are."""

    LONG = "Dòng rất dài " * 300
    BODY = textwrap.dedent(
        """\
        Phần mở đầu không thuộc về thư.\t

        --ranh-gioi
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        Kính gửi quý thầy cô,  \t
        .
        ..
        From đầu dòng, và một khoảng trắng ở cuối:{space}
        {long}

        --ranh-gioi
        Content-Type: {signature}
        Content-Transfer-Encoding: base64

        MIIGfAYJKoZIhvcNAQcCoIIGbTCCBmkCAQExDTALBglghkgBZQMEAgEwCwYJKoZI
        --ranh-gioi--

        Phần cuối.
        """
    )
    PROTOCOLS = pytest.mark.parametrize(
        "signature", ["application/pkcs7-signature; name=smime.p7s", "application/pgp-signature; name=signature.asc"]
    )

    def message(self, sender: str, recipient: str, signature: str) -> tuple[str, bytes, bytes]:
        """Message-ID, message, body; with CR LF."""
        head = new_message(sender, recipient)
        kind = signature.partition(";")[0]
        head.replace_header("Content-Type", f'multipart/signed; micalg=sha-256; protocol="{kind}"; boundary=ranh-gioi')
        lines = [f"{name}: {head[name]}" for name in ("From", "To", "Date", "Message-ID", "Content-Type")]
        body = self.BODY.format(signature=signature, long=self.LONG, space=" ").replace("\n", "\r\n").encode()
        raw = "\r\n".join([*lines, "Subject: ban ky so", "MIME-Version: 1.0", "", ""]).encode() + body
        return head["Message-ID"].strip("<>"), raw, body

    def body(self, raw: bytes) -> bytes:
        """What stands below the headers, with CR LF."""
        return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")[2]

    @PROTOCOLS
    def test_on_the_way_out(self, province: LabProvince, signature: str) -> None:
        message_id, raw, body = self.message(CLERK, OUTSIDE, signature)
        with province.submission(CLERK) as client:
            client.sendmail(CLERK, [OUTSIDE], raw, mail_options=["BODY=8BITMIME"])
        arrived = foreign_message("phuhuynh", message_id)
        assert self.body(arrived) == body
        assert b"dkim=pass" in arrived

    @PROTOCOLS
    def test_on_the_way_in(self, province: LabProvince, signature: str) -> None:
        message_id, raw, body = self.message(OUTSIDE, CLERK, signature)
        lab.foreign_send(OUTSIDE, CLERK, raw.replace(b"\r\n", b"\n"))
        arrived = province.fetch(CLERK, message_id)
        assert self.body(arrived) == body
        assert b"dkim=pass" in arrived


class TestRates:
    """Limits of the lab's own, small ones, for the time of these tests."""

    @contextlib.contextmanager
    def limits(self, province: LabProvince, user: int, unit: int) -> Iterator[None]:
        table = "/var/lib/edumail/trees/rspamd/current/policies.map"
        forget = f"{FORGET}; systemctl reload rspamd"
        before = province.run("mail-thpt", f"cat {table}")
        rates = {"user_rate": user, "unit_rate": unit}
        lines = (line.split(" ", 1) for line in before.splitlines())
        lowered = "".join(f"{name} {json.dumps(json.loads(figures) | rates)}\n" for name, figures in lines)
        province.run("mail-thpt", f"cat > {table}; {forget}", stdin=lowered)
        try:
            yield
        finally:
            province.run("mail-thpt", f"cat > {table}; {forget}", stdin=before)

    def test_a_person_and_a_unit_send_so_much_an_hour(self, province: LabProvince) -> None:
        province.password(TEACHER), province.password(PRINCIPAL)
        with self.limits(province, user=4, unit=6):
            many = [f"phuhuynh{number}@ngoai.test" for number in range(5)]
            # The filter may still be loading the table.
            wait("too many at once", lambda: submit(province, TEACHER, *many)[0] == 554, seconds=20)
            province.run("mail-thpt", FORGET)  # what counted before
            code, reply = submit(province, TEACHER, *many)
            assert (code, "4 recipients at most" in reply, "nguoi nhan" in reply) == (554, True, True), reply
            # Each recipient counts; an address that the module would except by itself is none here.
            assert submit(province, TEACHER, *many[:2], "postmaster@ngoai.test")[0] == 250
            assert submit(province, TEACHER, OUTSIDE)[0] == 250
            code, reply = submit(province, TEACHER, OUTSIDE)
            assert (code, "this account has sent more than 4" in reply, "tai khoan" in reply) == (451, True, True), (
                reply
            )
            # What was refused does not count.
            assert submit(province, PRINCIPAL, many[0], many[1])[0] == 250
            code, reply = submit(province, PRINCIPAL, OUTSIDE)
            assert (code, "your unit has sent more than 6" in reply, "don vi" in reply) == (451, True, True), reply

    def test_a_thousand_recipients_are_more_than_anybody_may(self, province: LabProvince) -> None:
        with province.submission(CLERK) as client:
            client.mail(CLERK)
            for number in range(1000):
                assert client.rcpt(f"phuhuynh{number}@ngoai.test")[0] == 250
            assert client.rcpt("phuhuynh@ngoai.test")[0] == 452
            code, reply = client.data(new_message(CLERK, OUTSIDE).as_bytes())
        assert (code, b"300 recipients at most" in reply) == (554, True), reply


@pytest.mark.parametrize("host", ["mail-so", "mail-xa"])
def test_bounces_are_signed(province: LabProvince, host: str) -> None:
    message = new_message("giamkhao@ngoai.test", "khongco@suoimo.minhha.test")
    province.run(host, "sendmail -i -f giamkhao@ngoai.test khongco@suoimo.minhha.test", stdin=message.as_string())
    seen = foreign_message("giamkhao", message["Message-ID"].strip("<>"))
    results = " ".join(seen.decode(errors="replace").split())
    assert "dkim=pass (2048-bit key" in results
    assert f"header.d={host}.minhha.test" in results


def test_who_is_refused_is_told_why_in_both_languages(province: LabProvince) -> None:
    with province.submission(CLERK) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.send_message(new_message(HEAD, OUTSIDE), from_addr=CLERK, to_addrs=[OUTSIDE])
    said = refused.value.smtp_error.decode()
    assert "does not belong to" in said
    assert "khong thuoc ve" in said
