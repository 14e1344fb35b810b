"""Units and people are renamed: the mailbox stays the same one, and the old address receives until its day."""

from __future__ import annotations

import imaplib
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import lab
from tests.lab.conftest import INVENTORY
from tests.lab.province import ROOT, LabProvince, new_message

OLD, NEW = "utmt@suoimo.minhha.test", "ma.ut@suoimo.minhha.test"
OLD_GROUP, GROUP = "giaovien@suoimo.minhha.test", "toanthe.thcssuoimo@suoimo.minhha.test"
OLD_DOMAIN, SCHOOL = "lienhe@thcs.minhha.test", "thcssuoimo@suoimo.minhha.test"
COLLEAGUE, OTHER = (
    "vinhpt@suoimo.minhha.test",
    "nhilt@suoimo.minhha.test",
)  # the principal, and somebody of another school
STRANGER = "phuhuynh@ngoai.test"


@dataclass
class Renamed:
    """The province after the edit, and before it."""

    folder: Path
    province: LabProvince
    message_id: str
    """A message that came before."""

    def deploy(self, until: str) -> None:
        entries = ((OLD, NEW), (OLD_GROUP, GROUP), (OLD_DOMAIN, SCHOOL))
        text = "".join(f"- {{address: {old}, to: {new}, until: {until}}}\n" for old, new in entries)
        (self.folder / "former.yml").write_text(text)
        deploy(self.folder)


def deploy(folder: Path) -> None:
    words = [sys.executable, "-m", "edumail", "deploy", str(folder), "--lang", "en"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def renamed(province: LabProvince, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renamed]:
    message_id = province.send(OLD, OLD)
    province.read(OLD, message_id)
    folder = tmp_path_factory.mktemp("renamed") / "lab"
    shutil.copytree(INVENTORY, folder)
    roster = folder / "people" / "thcs-suoi-mo.csv"
    roster.write_text(roster.read_text(encoding="utf-8").replace(OLD, NEW), encoding="utf-8")
    after = Renamed(folder, province, message_id)
    try:
        after.deploy("2099-12-31")
        after.province = LabProvince(folder)
        after.province.passwords = {**province.passwords, NEW: province.passwords[OLD]}
        yield after
    finally:
        province.accounts("mail-xa", f"UPDATE account SET address = '{OLD}' WHERE address = '{NEW}'")
        deploy(INVENTORY)


def test_mail_and_password_are_those_of_before(renamed: Renamed) -> None:
    renamed.province.read(NEW, renamed.message_id)
    with (
        pytest.raises(imaplib.IMAP4.error),
        renamed.province.network.imap("mail-xa.minhha.test", OLD, renamed.province.passwords[NEW]),
    ):
        pass


@pytest.mark.parametrize("sender", [STRANGER, OTHER])
def test_the_old_address_receives(renamed: Renamed, sender: str) -> None:
    message = new_message(sender, OLD)
    if sender == STRANGER:
        lab.foreign_send(sender, OLD, message.as_bytes())
    else:
        with renamed.province.submission(sender) as client:
            client.send_message(message, from_addr=sender, to_addrs=[OLD])
    renamed.province.read(NEW, message["Message-ID"].strip("<>"))


def test_it_is_no_sender(renamed: Renamed) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
        renamed.province.send(OLD, OTHER, login=NEW)


def test_the_old_name_of_a_group_has_the_group_s_rule(renamed: Renamed) -> None:
    for address in (OLD_GROUP, GROUP):
        assert renamed.province.from_outside(STRANGER, address)[0] == 554
        for sender, code in ((COLLEAGUE, 250), (OTHER, 554)):
            with renamed.province.submission(sender) as client:
                client.mail(sender)
                assert client.rcpt(address)[0] == code
    message_id = renamed.province.send(COLLEAGUE, OLD_GROUP)
    renamed.province.read(NEW, message_id)
    assert renamed.province.count(NEW, message_id) == 1


def test_an_old_domain_lets_mail_in_and_none_out(renamed: Renamed) -> None:
    with renamed.province.network.smtp(renamed.province.gateway) as client:
        client.mail(STRANGER)
        assert client.rcpt(OLD_DOMAIN)[0] == 250
        assert client.rcpt("postmaster@thcs.minhha.test")[0] == 250
        assert client.rcpt("khongco@thcs.minhha.test")[0] == 550
        client.rset()
        client.mail(OLD_DOMAIN)
        assert client.rcpt(COLLEAGUE)[0] == 554


def test_after_its_day_nobody_is_there(renamed: Renamed) -> None:
    renamed.deploy("2020-12-31")
    for address in (OLD, OLD_GROUP):
        code, reply = renamed.province.from_outside(STRANGER, address)
        assert (code, reply.split()[0]) == (550, "5.1.1")
    with renamed.province.network.smtp(renamed.province.gateway) as client:
        client.mail(STRANGER)
        assert client.rcpt(OLD_DOMAIN)[0] == 554  # nor is the domain ours
    renamed.province.read(NEW, renamed.message_id)
