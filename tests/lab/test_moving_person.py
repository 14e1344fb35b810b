"""A teacher comes to a school of another host: new address and new place, and every letter follows them there."""

from __future__ import annotations

import contextlib
import imaplib
import shutil
import smtplib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lab import lab
from lab.text import LabError
from tests.core.rosters import HEADER, UPPER, as_csv, staff
from tests.lab.conftest import INVENTORY, edumail
from tests.lab.province import LabProvince, new_message
from tests.lab.test_moving import COLLEAGUE, STRANGER, Arriving, deploy, home, move

SCHOOL, HERE, THERE = "th-suoi-mo", "mail-xa", "mail-thpt"
OLD, NEW = "bosv@suoimo.minhha.test", "bosv@thptsongque.test"


@dataclass
class Moved:
    """The province before and after, what arrived at which address meanwhile, and what was said."""

    before: LabProvince
    after: LabProvince
    letters: dict[str, set[bytes]] = field(default_factory=dict)
    """What was there before: Message-ID and flags."""
    arrived: set[str] = field(default_factory=set)
    done: subprocess.CompletedProcess[str] | None = None


def letters(province: LabProvince, address: str) -> list[tuple[str, set[bytes]]]:
    """Everything in the inbox."""
    found = []
    with province.imap(address) as client:
        if int(client.select("INBOX", readonly=True)[1][0] or 0):
            _, rows = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            for row in rows:
                if isinstance(row, tuple):
                    name = bytes(row[1]).decode().partition("<")[2].partition(">")[0]
                    found.append((name, {*imaplib.ParseFlags(row[0])} - {b"\\Recent"}))
    return found


def empty(province: LabProvince, address: str) -> None:
    with province.imap(address) as client:
        if int(client.select("INBOX")[1][0] or 0):
            client.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        client.close()


@pytest.fixture(scope="module")
def moved(province: LabProvince, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("moved") / "lab"
    shutil.copytree(INVENTORY, folder)
    # The new school sends its list with one more row; the id says who it is.
    row = next(row for row in staff(folder, SCHOOL) if row[1] == "th-07")
    sheet = folder.parent / "danhsach.csv"
    sheet.write_bytes(as_csv([HEADER, *staff(folder, UPPER), [*row[:3], "", "Giáo viên"]]))
    listed = edumail("roster", "import", str(folder), UPPER, str(sheet), "--until", "2099-12-31", "--yes")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    province.password(COLLEAGUE)
    empty(province, OLD)
    for flag in ("\\Flagged", "\\Answered", "\\Seen", "$QuanTrong", ""):
        with province.imap(OLD) as client:
            client.append("INBOX", flag, None, new_message(STRANGER, OLD).as_bytes())
    moved = Moved(province, LabProvince(folder), dict(letters(province, OLD)))
    moved.after.passwords = {**province.passwords, NEW: province.passwords[OLD]}
    try:
        with Arriving(province, OLD) as old:
            deploy(folder)
            with Arriving(moved.after, NEW) as new:
                time.sleep(4)  # some wait at the new place, where nobody can sign in yet
                moved.done = move(folder, UPPER)
                time.sleep(4)
        assert len(old.sent) > 8
        assert len(new.sent) > 4
        moved.arrived = old.sent | new.sent
        yield moved
    finally:
        with contextlib.suppress(LabError, imaplib.IMAP4.error, OSError):
            empty(moved.after, NEW)
        deploy(INVENTORY)
        back = move(INVENTORY, SCHOOL)
        assert back.returncode == 0, back.stdout + back.stderr


def test_one_mailbox_has_moved(moved: Moved) -> None:
    assert moved.done is not None
    assert moved.done.returncode == 0, moved.done.stdout + moved.done.stderr
    assert f"{OLD} ({HERE}) → {NEW} ({THERE})\n" in moved.done.stdout
    assert "1 moved, 0 left." in moved.done.stdout


def test_every_letter_is_there_once_whichever_address_it_came_to(moved: Moved) -> None:
    end = time.monotonic() + 60
    while lost := moved.arrived - {name for name, _ in letters(moved.after, NEW)}:
        assert time.monotonic() < end, f"{len(lost)} of {len(moved.arrived)} are lost"
        for host in (HERE, THERE, "mail-so", "internet"):
            moved.before.run(host, "postqueue -f")
        time.sleep(1)
    found = letters(moved.after, NEW)
    assert {name: flags for name, flags in found if name in moved.letters} == moved.letters
    assert Counter(name for name, _ in found) == Counter({*moved.letters, *moved.arrived})


def test_the_password_is_the_same_and_the_old_place_is_empty(moved: Moved) -> None:
    with moved.after.imap(NEW) as client:
        assert client.select("INBOX")[0] == "OK"
    with (
        pytest.raises(imaplib.IMAP4.error),
        moved.before.network.imap(moved.before.fqdn(OLD), OLD, moved.after.passwords[NEW]),
    ):
        pass
    assert OLD not in moved.before.run(HERE, "edumail-accounts list")
    assert moved.before.run(HERE, f"ls -d {home(OLD)} 2>/dev/null || echo none").strip() == "none"


@pytest.mark.parametrize("sender", [STRANGER, COLLEAGUE])
def test_the_old_address_still_receives(moved: Moved, sender: str) -> None:
    message = new_message(sender, OLD)
    if sender == STRANGER:
        lab.foreign_send(sender, OLD, message.as_bytes())
    else:
        with moved.before.submission(sender) as client:
            client.send_message(message, from_addr=sender, to_addrs=[OLD])
    moved.after.read(NEW, message["Message-ID"].strip("<>"))


def test_they_write_from_the_new_address_alone(moved: Moved) -> None:
    moved.after.read(COLLEAGUE, moved.after.send(NEW, COLLEAGUE))
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="not owned by user"):
        moved.after.send(OLD, COLLEAGUE, login=NEW)


def test_groups_of_the_new_school_reach_them_and_those_of_the_old_one_do_not(moved: Moved) -> None:
    colleague = "phuctd@thptsongque.test"  # the principal
    moved.after.read(NEW, moved.after.send(colleague, "toanthe@thptsongque.test"))
    message_id = moved.after.send(COLLEAGUE, "toanthe.thsuoimo@suoimo.minhha.test")
    moved.after.read(COLLEAGUE, message_id)
    assert moved.after.count(NEW, message_id) == 0
