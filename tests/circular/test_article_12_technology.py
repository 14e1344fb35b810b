"""Article 12: Vietnamese in Unicode, in mail and on the page."""

from __future__ import annotations

import email
import email.policy
import smtplib
import unicodedata
from email.header import Header

import pytest

from edumail.model import Unit
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.test_article_4_mail import opened

LETTERS = "ữ ệ ậ đ Ữ Ệ Ậ Đ"
"""Letters with two marks, and the one that has no decomposition: what a wrong character set breaks first."""
CONTENT = (
    f"Subject: {Header(f'edumail audit {LETTERS}', 'utf-8').encode()}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    f"Content-Transfer-Encoding: 8bit\r\n\r\n{LETTERS}\r\n"
).encode()


@pytest.mark.requirement("C37-12.1", "C37-S39-utf8")
def test_vietnamese_letters_come_through_mail_and_stand_on_the_page(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    sent = []
    for unit in audit.units(on):
        probe = audit.new_probe(unit.public_address)
        try:
            reply = audit.from_outside(probe, CONTENT)
        except (OSError, smtplib.SMTPException) as error:
            reply = f"{type(error).__name__}: {error}"
        sent.append((unit, probe, reply))
    for unit, probe, reply in sent:
        raw = audit.taken(probe.recipient, {probe.message_id}).get(probe.message_id) if reply[:3] == "250" else None
        message = email.message_from_bytes(raw or b"", policy=email.policy.default)
        subject = str(message["Subject"] or "").removeprefix("edumail audit ")
        body = message.get_content().strip() if raw else ""
        mail = subject == body == LETTERS
        evidence = [
            f"8-bit UTF-8 and RFC 2047 mail to {probe.recipient}: {reply[:60]}",
            f"read over IMAP: Subject «{subject}», text «{body}»: {'as sent' if mail else 'NOT as sent'}",
        ]
        record(unit.id, "C37-S39-utf8", "pass" if mail else "fail", evidence)
        page, said = _page(audit, unit)
        record(unit.id, "C37-12.1", "pass" if mail and page else "fail", [*evidence, said])


def _page(audit: Audit, unit: Unit) -> tuple[bool, str]:
    try:
        response, body = audit.network.https(unit.portal)
    except OSError as error:
        return False, f"GET https://{unit.portal}/: {error}"
    kind = response.getheader("Content-Type") or ""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return False, f"https://{unit.portal}/ is not UTF-8: {error}"
    good = "utf-8" in kind.lower() and unicodedata.is_normalized("NFC", text) and unit.name in text
    return good, f"GET https://{unit.portal}/: {kind}; NFC, with the unit's name: {'yes' if good else 'NO'}"
