"""What the filters let through, refuse, put off and mark: mail from outside at the gateway, and what people submit."""

from __future__ import annotations

import imaplib
import io
import json
import smtplib
import time
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from edumail.dns import zones
from edumail.load import load
from lab import lab
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import wait

DIRECTOR = "thinhdq@sogddt.minhha.test"  # on the gateway
CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # one school, mail-xa
OUTSIDE = "phuhuynh@ngoai.test"
# Cut in two, so that no other filter finds the test string of all spam filters in this file.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
GREYLISTED = "redis-cli --scan --pattern 'rg*'"
PROGRAM = b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x4c\x01" + bytes(300)


def archive(**files: bytes) -> bytes:
    """A ZIP archive; ``name__ending`` stands for ``name.ending``."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name.replace("__", "."), content)
    return packed.getvalue()


def with_attachment(sender: str, recipient: str, name: str, content: bytes) -> EmailMessage:
    message = new_message(sender, recipient)
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def submit(province: LabProvince, message: EmailMessage) -> tuple[int, str]:
    """The reply to DATA when the person in From submits the message to the recipient in To."""
    with province.submission(message["From"]) as client:
        client.mail(message["From"])
        client.rcpt(message["To"])
        code, reply = client.data(message.as_bytes())
        return code, reply.decode()


def receive(province: LabProvince, message: EmailMessage) -> EmailMessage:
    """The message as it arrives when the foreign server sends it, signed and from the right address."""
    lab.foreign_send(message["From"], message["To"], message.as_bytes())
    return province.read(message["To"], message["Message-ID"].strip("<>"))


def suspicious(recipient: str) -> EmailMessage:
    """A message that scores between "greylist" and "add header": from nowhere, without a Message-ID."""
    message = new_message("nguoila@kiemtra.invalid", recipient)
    del message["Message-ID"]
    return message


def four_minutes_later(province: LabProvince) -> None:
    """What was put off by greylisting was so four minutes earlier."""
    earlier = "redis-cli set $key $(($(redis-cli get $key) - 240)) keepttl"
    province.run("mail-so", f"for key in $({GREYLISTED}); do {earlier}; done")


def move(client: imaplib.IMAP4, message: EmailMessage, source: str, target: str) -> None:
    """MOVE (RFC 6851), as a person's mail program does it."""
    client.select(source)
    _, data = client.search(None, "HEADER", "Message-ID", f'"{message["Message-ID"]}"')
    assert client._simple_command("MOVE", data[0].decode(), target)[0] == "OK"  # type: ignore[attr-defined]


def learnt(province: LabProvince) -> tuple[int, int]:
    """How many letters the gateway's filter has learnt as spam and as good."""
    said = province.run("mail-so", "redis-cli hmget RS learns_spam learns_ham").split("\n")
    return int(said[0] or 0), int(said[1] or 0)


def unheard_of(sender: str, recipient: str, **headers: str) -> EmailMessage:
    """A message of words that the filter has never seen, and enough of them."""
    message = new_message(sender, recipient, **headers)
    message.set_content(" ".join(f"khuyenmai{number}{message['Message-ID'][1:9]}" for number in range(40)))
    return message


class TestRefused:
    def test_the_test_string_of_spam_filters_both_ways(self, province: LabProvince) -> None:
        for sender in (OUTSIDE, CLERK):
            message = new_message(sender, DIRECTOR)
            message.set_content(GTUBE)
            answer = province.from_outside("", DIRECTOR, message) if sender == OUTSIDE else submit(province, message)
            assert (answer[0], "Gtube" in answer[1]) == (554, True), answer

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("anh.EXE. ", b"x", "type .exe are not taken"),
            ("congvan.pdf", PROGRAM, "type .exe are not taken"),
            ("congvan.zip", archive(bai1__txt=b"x", bai2__js=b"x"), "type .js in archives"),
            ("anh.jpg", archive(bai1__scr=b"x"), "type .scr in archives"),
            ("congvan.zip", archive(trong__zip=archive(bai__txt=b"x")), "inside an archive"),
            ("congvan.zip", archive(bai__txt=b"x")[:-10], "can't be read"),
            ("congvan.tar", b"x" * 512, "can't be read"),
        ],
        ids=["program", "renamed", "in-zip", "zip-as-image", "zip-in-zip", "broken-zip", "opaque"],
    )
    def test_attachments_that_run_or_cannot_be_looked_into(
        self, province: LabProvince, name: str, content: bytes, why: str
    ) -> None:
        inward = province.from_outside("", DIRECTOR, with_attachment(OUTSIDE, DIRECTOR, name, content))
        outward = submit(province, with_attachment(CLERK, DIRECTOR, name, content))
        for code, reply in (inward, outward):
            assert (code, why in reply) == (554, True), reply
            assert "tep" in reply  # in Vietnamese first

    def test_a_message_inside_a_message_hides_nothing(self, province: LabProvince) -> None:
        outer = new_message(CLERK, DIRECTOR)
        outer.add_attachment(with_attachment(OUTSIDE, CLERK, "a.exe", b"x"))
        assert submit(province, outer)[0] == 554

    def test_mail_from_outside_that_claims_one_of_our_addresses(self, province: LabProvince) -> None:
        for sender in (DIRECTOR, "khongco@suoimo.minhha.test", "root@mail-xa.minhha.test"):
            code, reply = province.from_outside(sender, CLERK)
            assert (code, "sign in to send" in reply) == (554, True), reply

    @pytest.mark.parametrize("sender", ["", "someone@ns.ngoai.test"], ids=["null-sender", "foreign-sender"])
    def test_a_from_header_of_ours(self, province: LabProvince, sender: str) -> None:
        code, reply = province.from_outside(sender, CLERK, new_message(DIRECTOR, CLERK))
        assert (code, "DMARC" in reply) == (554, True), reply


class TestLetThrough:
    def test_documents_and_archives_of_documents(self, province: LabProvince) -> None:
        # The site's name before the ending is common in teaching material, and no program.
        content = archive(thuvienhoclieu__com__docx=archive(word_document__xml=b"<x/>"), diem__xlsx=b"x")
        read = receive(province, with_attachment(OUTSIDE, CLERK, "thuvienhoclieu.com.zip", content))
        assert [part.get_content() for part in read.iter_attachments()] == [content]

    def test_ordinary_vietnamese_mail_is_not_suspicious(self, province: LabProvince) -> None:
        read = receive(province, new_message(OUTSIDE, CLERK, subject="Kính mời dự Lễ khai giảng năm học mới"))
        assert not str(read["X-Spamd-Bar"]).startswith("+"), read["X-Spamd-Bar"]


class TestHeaders:
    def test_only_the_gateway_says_how_a_message_was_checked(self, province: LabProvince) -> None:
        message = new_message(OUTSIDE, CLERK)
        for name in ("mail-so.minhha.test", "mail-so", "mx.ngoai.test", "la.invalid"):
            message["Authentication-Results"] = f"{name}; dkim=pass header.d=sogddt.minhha.test"
        message["X-Spam"] = "Yes"
        lab.foreign_send(OUTSIDE, CLERK, message.as_bytes())
        read = province.read(CLERK, message["Message-ID"].strip("<>"))
        results = [" ".join(str(value).split()) for value in read.get_all("Authentication-Results", [])]
        assert len(results) == 1
        assert results[0].startswith("mail-so")
        assert "sogddt" not in results[0]
        assert read["X-Spam"] is None

    def test_nobody_submits_results_of_a_check(self, province: LabProvince) -> None:
        message = new_message(CLERK, HEAD)
        message["Authentication-Results"] = "mail-xa.minhha.test; dkim=pass"
        message["X-Spam"] = "Yes"
        assert submit(province, message)[0] == 250
        read = province.read(HEAD, message["Message-ID"].strip("<>"))
        assert read["Authentication-Results"] is None
        assert read["X-Spam"] is None

    def test_what_comes_in_is_sealed_for_the_recipients_domain(self, province: LabProvince) -> None:
        read = receive(province, new_message(OUTSIDE, CLERK))
        assert "i=1" in read["ARC-Seal"]
        assert "d=suoimo.minhha.test" in read["ARC-Seal"]
        # Another host's filter, which has only the public key in DNS, finds the seal good.
        raw = province.fetch(CLERK, read["Message-ID"].strip("<>")).decode()
        said = province.run("mail-thpt", "rspamc --json --ip 198.18.37.11", stdin=raw)
        assert "suoimo.minhha.test:s=mail-so:i=1" in str(json.loads(said)["symbols"]["ARC_ALLOW"])


class TestGreylisting:
    @pytest.fixture(autouse=True)
    def _forget(self, province: LabProvince) -> Iterator[None]:
        province.run("mail-so", f"{GREYLISTED} | xargs -r redis-cli del")
        yield
        province.run("mail-so", f"{GREYLISTED} | xargs -r redis-cli del")

    def test_clean_mail_does_not_wait(self, province: LabProvince) -> None:
        receive(province, new_message(OUTSIDE, CLERK))
        assert not province.run("mail-so", GREYLISTED)

    def test_suspicious_mail_is_put_off_and_then_taken(self, province: LabProvince) -> None:
        message = suspicious(DIRECTOR)
        for _ in range(2):
            code, reply = province.from_outside("", DIRECTOR, message)
            assert (code, "try again in 3 minutes" in reply) == (451, True), reply
        four_minutes_later(province)
        code, reply = province.from_outside("", DIRECTOR, message)
        assert code == 250, reply

    def test_whom_the_province_trusts_does_not_wait(self, province: LabProvince) -> None:
        code, reply = province.from_outside("vanthu@donvi.bo.ngoai.test", DIRECTOR, suspicious(DIRECTOR))
        assert code == 250, reply


class TestJunk:
    def test_what_the_filter_marks_is_delivered_to_junk(self, province: LabProvince) -> None:
        # Here the mark comes from our own domain's policy, "quarantine" for the time of this test.
        right = zones(load(province.folder), 1)
        lab.publish_zones({apex: text.replace("p=reject", "p=quarantine") for apex, text in right.items()})
        try:
            message = new_message(DIRECTOR, CLERK)
            province.from_outside("", CLERK, message)
            four_minutes_later(province)
            code, reply = province.from_outside("", CLERK, message)
            assert code == 250, reply
        finally:
            lab.publish_zones(right)
        read = province.read(CLERK, message["Message-ID"].strip("<>"), folder="Junk")
        assert read["X-Spam"] == "Yes"

    def test_moving_to_and_from_junk_trains_the_filter_of_the_gateway(self, province: LabProvince) -> None:
        message = unheard_of(OUTSIDE, CLERK)
        receive(province, message)
        spam, ham = learnt(province)
        with province.imap(CLERK) as client:
            move(client, message, "INBOX", "Junk")
            wait("learnt as spam", lambda: learnt(province) == (spam + 1, ham))
            move(client, message, "Junk", "INBOX")
            wait("learnt as good", lambda: learnt(province) == (spam, ham + 1))

    def test_who_throws_junk_away_does_not_call_it_good(self, province: LabProvince) -> None:
        message = new_message(HEAD, CLERK)
        submit(province, message)
        province.read(CLERK, message["Message-ID"].strip("<>"))
        lately = f"journalctl -u postfix --since @{int(time.time()) - 600} -o cat"
        sent = f"{lately} | grep -c 'to=<learn_ham@.*status=sent' || true"
        before = int(province.run("mail-xa", sent))
        with province.imap(CLERK) as client:
            for source, target in (("INBOX", "Junk"), ("Junk", "Trash"), ("Trash", "Junk"), ("Junk", "INBOX")):
                move(client, message, source, target)
        wait("all handed on", lambda: "learn_" not in province.run("mail-xa", "postqueue -p"))
        assert int(province.run("mail-xa", sent)) == before + 1

    def test_nobody_else_trains_it(self, province: LabProvince) -> None:
        with province.network.smtp(province.gateway) as client:
            client.mail("<>")
            assert client.rcpt("learn_ham@learn.mail-so.minhha.test")[0] == 554
        with province.submission(DIRECTOR) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(new_message(DIRECTOR, CLERK), to_addrs=["learn_ham@learn.mail-so.minhha.test"])
