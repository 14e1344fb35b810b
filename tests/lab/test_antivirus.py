"""ClamAV on the gateway, with the lab's one signature: what it finds is refused, while it is silent mail waits."""

from __future__ import annotations

import io
import zipfile

import pytest

from lab import lab, signature
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import wait
from tests.lab.test_filtering import DIRECTOR, OUTSIDE, submit, with_attachment

CLAMD = "clamav-daemon.service clamav-daemon.socket"


def packed() -> bytes:
    """The text that counts as a virus, compressed: it can't be seen without unpacking."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("diem.txt", signature.TEXT * 10)
    assert signature.TEXT.encode() not in archive.getvalue()
    return archive.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [("diem.xls", signature.TEXT.encode()), ("diem.zip", packed())],
    ids=["attachment", "in-zip"],
)
def test_a_virus_is_refused_both_ways(province: LabProvince, name: str, content: bytes) -> None:
    inward = province.from_outside("", DIRECTOR, with_attachment(OUTSIDE, DIRECTOR, name, content))
    outward = submit(province, with_attachment(DIRECTOR, OUTSIDE, name, content))
    for code, reply in (inward, outward):
        assert (code, signature.NAME in reply) == (554, True), reply
        assert "phat hien ma doc / a virus was found" in reply


def test_a_virus_in_the_text_itself_is_refused(province: LabProvince) -> None:
    message = new_message(OUTSIDE, DIRECTOR)
    message.set_content(f"Xin chao,\n{signature.TEXT}\n")
    code, reply = province.from_outside("", DIRECTOR, message)
    assert (code, signature.NAME in reply) == (554, True), reply


def test_while_the_scanner_is_silent_mail_waits_and_is_not_lost(province: LabProvince) -> None:
    # What was scanned before needs no scanner: each has a text of its own.
    message, outgoing = new_message(OUTSIDE, DIRECTOR), new_message(DIRECTOR, OUTSIDE)
    message.set_content(message["Message-ID"])
    outgoing.set_content(outgoing["Message-ID"])
    message_id = message["Message-ID"].strip("<>")
    province.run("mail-so", f"systemctl stop {CLAMD}")
    try:
        code, reply = submit(province, outgoing)
        assert (code, "not scanned for viruses yet" in reply, "ma doc" in reply) == (451, True, True), reply
        lab.foreign_send(OUTSIDE, DIRECTOR, message.as_bytes())
        wait("put off", lambda: "not scanned for viruses yet" in province.run("internet", "postqueue -p"))
    finally:
        province.run("mail-so", f"systemctl start {CLAMD}")
    province.read(DIRECTOR, message_id, seconds=60)


def test_while_the_scanner_hangs_mail_waits(province: LabProvince) -> None:
    message = new_message(OUTSIDE, DIRECTOR)
    message.set_content(message["Message-ID"])
    province.run("mail-so", "systemctl kill --signal=STOP clamav-daemon.service")
    try:
        lab.foreign_send(OUTSIDE, DIRECTOR, message.as_bytes())
        wait("put off", lambda: "not scanned for viruses yet" in province.run("internet", "postqueue -p"), seconds=90)
    finally:
        province.run("mail-so", "systemctl kill --signal=CONT clamav-daemon.service")
    province.read(DIRECTOR, message["Message-ID"].strip("<>"), seconds=60)


def test_the_scanner_starts_when_there_are_signatures(province: LabProvince) -> None:
    file = f"/{signature.FILE}"
    running = "systemctl is-active clamav-daemon.service || true"
    province.run("mail-so", f"systemctl stop {CLAMD}; mv {file} /root/; systemctl start clamav-daemon.service")
    try:
        assert province.run("mail-so", running).strip() == "inactive"
    finally:
        province.run("mail-so", f"mv /root/{file.rpartition('/')[2]} {file}")
    wait("clamd runs", lambda: province.run("mail-so", running).strip() == "active")
