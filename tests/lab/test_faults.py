"""When things break: a host without power, a killed daemon, a silent scanner, a wrong record."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import time

import pytest

from edumail.dns import zones
from edumail.load import load
from lab import lab
from lab.text import LabError
from roles.base.render import units
from tests.lab.province import ROOT, LabProvince, new_message
from tests.lab.test_mail import foreign_message

TEACHER = "yendth@thptsongque.test"
CLERK, PRESCHOOL = "nhilt@suoimo.minhha.test", "enct@suoimo.minhha.test"  # on mail-xa and on mail-so
GATEWAY = load(ROOT / "inventories" / "lab").hosts["mail-so"]


def wait(what: str, ask: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ask():  # type: ignore[operator]
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def test_mail_for_a_host_without_power_waits_and_arrives(province: LabProvince) -> None:
    province.password(TEACHER)
    # The gateway takes mail for mailboxes that it has seen before; a stranger to it is asked to come back.
    first = new_message("phuhuynh@ngoai.test", TEACHER)
    lab.foreign_send("phuhuynh@ngoai.test", TEACHER, first.as_bytes())
    province.read(TEACHER, first["Message-ID"].strip("<>"))
    lab.kill("mail-thpt")
    try:
        message = new_message("phuhuynh@ngoai.test", TEACHER)
        lab.foreign_send("phuhuynh@ngoai.test", TEACHER, message.as_bytes())
        message_id = message["Message-ID"].strip("<>")
        logged = "journalctl -u postfix --since -5min --no-pager -o cat"
        wait("accepted by the gateway", lambda: message_id in province.run("mail-so", logged))
        wait("kept in the gateway's queue", lambda: TEACHER in province.run("mail-so", "postqueue -p"))
    finally:
        lab.start("mail-thpt")
    running = "systemctl is-active dovecot postfix rspamd unbound nginx || true"
    assert "policy drop" in province.run("mail-thpt", "nft list chain inet edumail input")
    wait("everything runs again", lambda: province.run("mail-thpt", running).split() == ["active"] * 5)

    def arrived() -> bool:
        for host in ("mail-so", "mail-thpt"):  # there too, if Postfix was up before Dovecot
            province.run(host, "postqueue -f")
        return province.count(TEACHER, message_id) > 0

    wait("it arrives", arrived)


# All but chrony, which does not run in a container.
@pytest.mark.parametrize("unit", sorted({unit.name for unit in units(GATEWAY)} - {"chrony"}))
def test_a_killed_daemon_comes_back(province: LabProvince, unit: str) -> None:
    province.password(CLERK)
    state = f"systemctl show {unit} -p MainPID -p ActiveState --value"
    before = province.run("mail-so", state).split()
    assert before[1] == "active"
    province.run("mail-so", f"kill -9 {before[0]}")

    def back() -> bool:
        with contextlib.suppress(LabError):  # it may be the SSH server that was killed
            pid, active = province.run("mail-so", state).split()
            return active == "active" and pid not in (before[0], "0")
        return False

    def mail_works() -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException, imaplib.IMAP4.error):
            province.read(PRESCHOOL, province.send(CLERK, PRESCHOOL))
            return True
        return False

    wait(f"{unit} is back", back)
    wait("mail goes through again", mail_works)


def test_while_the_scanner_is_silent_mail_waits(province: LabProvince) -> None:
    province.run("mail-so", "systemctl stop rspamd")
    try:
        message = new_message("", CLERK, from_="phuhuynh@kiemtra.invalid")
        code, _ = province.from_outside("", CLERK, message)
        assert 400 <= code < 500
    finally:
        province.run("mail-so", "systemctl start rspamd")
        wait("rspamd answers", lambda: "11332" in province.run("mail-so", "ss -Hltn sport = :11332"))


def test_a_wrong_dkim_record_is_noticed_outside(province: LabProvince) -> None:
    """The zones are the ones that edumail renders: when a record is wrong, mail is judged by it."""
    right = zones(load(province.folder), 1)
    wrong = {apex: text.replace("p=MII", "p=MIJ") for apex, text in right.items()}
    assert wrong != right
    lab.publish_zones(wrong)
    try:
        seen = foreign_message("giamkhao", province.send(CLERK, "giamkhao@ngoai.test"))
        assert b"dkim=pass" not in seen
    finally:
        lab.publish_zones(right)
    assert b"dkim=pass" in foreign_message("giamkhao", province.send(CLERK, "giamkhao@ngoai.test"))


def test_every_host_validates_dnssec(province: LabProvince) -> None:
    # A question for the MX of suoimo.minhha.test with the AD bit; the answer has it when the chain was validated.
    ask = (
        'python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5);'
        " s.sendto(bytes.fromhex('1234' '0120' '0001' '0000' '0000' '0000')"
        " + b'\\x06suoimo\\x06minhha\\x04test\\x00' + bytes.fromhex('000f0001'), ('127.0.0.1', 53));"
        ' reply = s.recv(4096); print(bool(reply[3] & 0x20), reply[3] & 0x0F, reply[7])"'
    )
    for host in province.province.hosts:
        assert province.run(host, ask).split() == ["True", "0", "1"]  # authenticated, no error, one answer
