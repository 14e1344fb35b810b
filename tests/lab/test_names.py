"""Names: the addresses that every domain has (RFC 2142), and people's names with their marks in every header."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from edumail.groups import NAMES_OF_RFC_2142
from lab import lab
from tests.lab.province import LabProvince, new_message
from tests.lab.test_mail import foreign_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # mail-xa
DIRECTOR, TEACHER = "thinhdq@sogddt.minhha.test", "yendth@thptsongque.test"  # the gateway, mail-thpt


@pytest.mark.parametrize("domain", ["sogddt.minhha.test", "suoimo.minhha.test", "thptsongque.test"])
def test_strangers_reach_the_officer_in_charge_under_every_standard_name(province: LabProvince, domain: str) -> None:
    owner = next(unit for unit in province.province.units.values() if unit.domain == domain)
    officer = province.mail.units.officer(owner).address
    sent = {}
    for name in NAMES_OF_RFC_2142:
        if f"{name}@{domain}" in province.mail.mailboxes["mail-so"]:
            continue  # hostmaster@sogddt.minhha.test is a mailbox with holders of its own
        message = new_message("phuhuynh@ngoai.test", f"{name}@{domain}")
        lab.foreign_send("phuhuynh@ngoai.test", f"{name}@{domain}", message.as_bytes())
        sent[name] = message["Message-ID"].strip("<>")
    assert len(sent) >= 4
    for message_id in sent.values():
        province.read(officer, message_id)


NAMES = {
    "From": "Đặng Quốc Thịnh",
    "To": "Lục Thị Nhị",
    "Cc": "Ngô Đức Vượng",
    "Reply-To": "Tiếp nhận ý kiến",
    "Subject": "Công văn số 12/SGDĐT: Kỳ thi tuyển sinh lớp 10 – Hướng dẫn bổ sung",
}


def named(sender: str, recipient: str) -> EmailMessage:
    """A message with a name at each address."""
    return new_message(
        sender,
        recipient,
        from_=f'"{NAMES["From"]}" <{sender}>',
        to=f'"{NAMES["To"]}" <{recipient}>',
        cc=f'"{NAMES["Cc"]}" <vuongnd@sogddt.minhha.test>',
        reply_to=f'"{NAMES["Reply-To"]}" <tiepnhan@sogddt.minhha.test>',
        subject=NAMES["Subject"],
    )


def assert_names(raw: bytes) -> None:
    """The names are in the headers as a mail program shows them, encoded or not."""
    message = email.message_from_string(raw.decode(), policy=email.policy.default)
    assert message["Subject"] == NAMES["Subject"]
    for header in ("From", "To", "Cc", "Reply-To"):
        assert message[header].addresses[0].display_name == NAMES[header], message[header]


def received(province: LabProvince, address: str, message_id: str) -> bytes:
    """The message as it lies in the mailbox."""
    province.read(address, message_id)
    with province.imap(address) as client:
        client.select("INBOX")
        _, data = client.search(None, "HEADER", "Message-ID", f'"<{message_id}>"')
        _, parts = client.fetch(data[0].split()[0], "(RFC822)")
        return parts[0][1]  # type: ignore[index,return-value]


# As programs send them: encoded (RFC 2047); as they are, announced (RFC 6531); as they are, without a word.
FORMS = pytest.mark.parametrize("form", ["encoded", "smtputf8", "8bit"])


def submit(province: LabProvince, sender: str, recipient: str, form: str) -> str:
    """Send a message with names in one of the FORMS; gives its Message-ID."""
    message = named(sender, recipient)
    policy = email.policy.SMTP if form == "encoded" else email.policy.SMTPUTF8
    data = message.as_bytes(policy=policy)
    assert (NAMES["From"].encode() in data) == (form != "encoded")
    with province.submission(sender) as client:
        client.ehlo()
        options = {"encoded": [], "smtputf8": ["SMTPUTF8", "BODY=8BITMIME"], "8bit": ["BODY=8BITMIME"]}[form]
        client.sendmail(sender, [recipient], data, mail_options=options)
    return message["Message-ID"].strip("<>")


@FORMS
@pytest.mark.parametrize(("sender", "recipient"), [(CLERK, HEAD), (CLERK, TEACHER), (DIRECTOR, CLERK)])
def test_names_arrive_as_they_were_written(province: LabProvince, sender: str, recipient: str, form: str) -> None:
    message_id = submit(province, sender, recipient, form)
    assert_names(received(province, recipient, message_id))


@FORMS
def test_names_arrive_outside(province: LabProvince, form: str) -> None:
    message_id = submit(province, CLERK, "phuhuynh@ngoai.test", form)
    seen = foreign_message("phuhuynh", message_id)
    assert_names(seen)
    assert b"dkim=pass" in seen


@pytest.mark.parametrize("form", ["encoded", "smtputf8"])  # its sendmail announces what is not encoded
def test_names_arrive_from_outside(province: LabProvince, form: str) -> None:
    message = named("phuhuynh@ngoai.test", CLERK)
    data = message.as_bytes(policy=email.policy.SMTP if form == "encoded" else email.policy.SMTPUTF8)
    lab.foreign_send("phuhuynh@ngoai.test", CLERK, data)
    assert_names(received(province, CLERK, message["Message-ID"].strip("<>")))


def test_a_group_hands_names_on(province: LabProvince) -> None:
    message_id = submit(province, DIRECTOR, "hieutruong@suoimo.minhha.test", "smtputf8")
    for member in (HEAD, "huongnt.mnhoasen@suoimo.minhha.test"):
        assert_names(received(province, member, message_id))
