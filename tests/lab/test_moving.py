"""A unit moves to another host: every letter follows, what arrives meanwhile too, whatever is killed on the way."""

from __future__ import annotations

import contextlib
import imaplib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab import lab
from lab.text import LabError
from tests.lab.conftest import INVENTORY, edumail
from tests.lab.managesieve import ManageSieve
from tests.lab.province import ROOT, LabProvince, new_message
from tests.lab.test_feedback import ask, code_in, foreign, reply, token, write

UNIT, OLD, NEW = "mn-hoa-sen", "mail-so", "mail-xa"
CLERK, HEAD, SCHOOL = "enct@suoimo.minhha.test", "huongnt.mnhoasen@suoimo.minhha.test", "mnhoasen@suoimo.minhha.test"
COLLEAGUE, STRANGER = "nhilt@suoimo.minhha.test", "phuhuynh@ngoai.test"  # of the new host, and of the outside
FOLDER = '"C&APQ-ng v&AQM-n &AREevw-n.11/2026"'  # «Công văn đến.11/2026», in IMAP's own UTF-7
SHARED = f'"Donvi/{SCHOOL}"'
PORTAL, QUESTION = "mnhoasen.suoimo.minhha.test", f"Hỏi trước khi chuyển {secrets.token_hex(4)}"
LETTERS = 5000
KILL_AT = 1200
FILL = """\
import os, sys
maildir, count = sys.argv[1], int(sys.argv[2])
with open(f"{maildir}/dovecot-keywords", "w") as file:
    file.write("0 $QuanTrong\\n")
for number in range(count):
    flags = ("F" if number % 3 == 0 else "") + ("S" if number % 2 else "") + ("a" if number % 5 == 0 else "")
    path = f"{maildir}/cur/{1700000000 + number}.M{number}P1.moving:2,{flags}"
    name = f"Message-ID: <cu-{number}@kiemtra.invalid>\\n" if number % 500 else ""
    with open(path, "w") as file:
        file.write(f"From: ai@kiemtra.invalid\\n{name}Subject: so {number}\\n\\nThu cu so {number}\\n")
    os.utime(path, (1700000000 + number,) * 2)
"""


def home(address: str) -> str:
    local, _, domain = address.partition("@")
    return f"/var/vmail/{domain}/{local}"


@dataclass
class Moved:
    """What was there before, what came meanwhile, and what the command said."""

    before: LabProvince
    after: LabProvince
    folder: Path
    letters: Counter[tuple[object, ...]] = field(default_factory=Counter)
    arrived: set[str] = field(default_factory=set)
    unread: str = ""
    code: str = ""
    outputs: list[str] = field(default_factory=list)


def contents(province: LabProvince, address: str) -> Counter[tuple[object, ...]]:
    """Every letter with its folder, Message-ID, flags, and the day on which it came."""
    found: Counter[tuple[object, ...]] = Counter()
    with province.imap(address) as client:
        for folder in ("INBOX", FOLDER):
            _, (number,) = client.select(folder, readonly=True)
            if not int(number or 0):
                continue
            _, rows = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID SUBJECT)])")
            for row in rows:
                if isinstance(row, tuple):
                    flags = tuple(sorted(flag for flag in imaplib.ParseFlags(row[0]) if flag != b"\\Recent"))
                    found[folder, bytes(row[1]), flags, time.mktime(imaplib.Internaldate2tuple(row[0]))] += 1
    return found


def names(letters: Counter[tuple[object, ...]]) -> Counter[str]:
    texts = (bytes(letter[1]).decode(errors="replace") for letter in letters.elements())  # type: ignore[arg-type]
    return Counter(text.partition("<")[2].partition(">")[0] for text in texts)


def deploy(folder: Path) -> None:
    done = edumail("deploy", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr


def move(folder: Path, unit: str = UNIT) -> subprocess.CompletedProcess[str]:
    return edumail("mailboxes", "move", str(folder), unit)


class Arriving:
    """Letters to somebody, one after the other, from outside and from a colleague, until told to stop."""

    def __init__(self, province: LabProvince, address: str):
        self.province = province
        self.address = address
        self.sent: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Arriving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(1.5):
            message = new_message(STRANGER, self.address)
            with contextlib.suppress(LabError):
                lab.foreign_send(STRANGER, self.address, message.as_bytes())
                self.sent.add(message["Message-ID"].strip("<>"))
            with contextlib.suppress(OSError):  # smtplib's errors are such: whoever is refused keeps the letter
                self.sent.add(self.province.send(COLLEAGUE, self.address))


def killed_in_the_middle(moved: Moved) -> None:
    """Start the command, and kill it with all that it started when some of the letters have come."""
    words = [sys.executable, "-m", "edumail", "mailboxes", "move", str(moved.folder), UNIT, "--lang", "en"]
    with subprocess.Popen(words, cwd=ROOT, start_new_session=True, stdout=-1, stderr=-1, text=True) as child:
        maildir = f"{home(CLERK)}/Maildir"
        script = f"for i in $(seq 600); do [ $(ls {maildir}/cur {maildir}/new {maildir}/tmp | wc -l) -gt {KILL_AT} ]"
        moved.before.run(NEW, f"{script} && exit; sleep 0.05; done; exit 1")
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    assert child.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def moved(province: LabProvince, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("moved") / "lab"
    shutil.copytree(INVENTORY, folder)
    units = folder / "units" / "suoi-mo.yml"
    text = units.read_text(encoding="utf-8")
    assert text.count(f"host: {OLD}\n") == 1
    units.write_text(text.replace(f"host: {OLD}\n", f"host: {NEW}\n  portal_host: {OLD}\n"), encoding="utf-8")
    moved = Moved(province, province, folder)
    try:
        fill(province)
        moved.unread = read_by_one(province)
        moved.code = asked(province)
        moved.letters = contents(province, CLERK)
        province.password(HEAD)
        province.password(COLLEAGUE)
        with Arriving(province, CLERK) as arriving:
            deploy(folder)
            killed_in_the_middle(moved)
            moved.after = LabProvince(folder)
            moved.after.passwords = province.passwords
            # Once more, and this time the far end dies alone.
            killer = "for i in $(seq 300); do pkill -9 -f '[d]oveadm.* dsync-server' && exit; sleep 0.1; done"
            killing = threading.Thread(target=lambda: province.run(OLD, f"sleep 1; {killer}"))
            killing.start()
            done = move(folder)
            killing.join()
            moved.outputs = [done.stdout + done.stderr, str(done.returncode)]
        moved.arrived = arriving.sent
        yield moved
    finally:
        with contextlib.suppress(LabError, AssertionError, imaplib.IMAP4.error, OSError):
            empty(moved.after)
        deploy(INVENTORY)
        back = move(INVENTORY)
        assert back.returncode == 0, back.stdout + back.stderr


def fill(province: LabProvince) -> None:
    """Letters of years in the clerk's inbox, some in a folder with a dot and marks in its name, and a filter."""
    with province.imap(CLERK) as client:
        client.create(FOLDER)
        assert client.subscribe(FOLDER)[0] == "OK"
        for _ in range(3):
            letter = new_message(STRANGER, CLERK).as_bytes()
            assert client.append(FOLDER, "\\Answered", imaplib.Time2Internaldate(1.6e9), letter)[0] == "OK"
    maildir = f"{home(CLERK)}/Maildir"
    province.run(OLD, f"setpriv --reuid=5000 --regid=5000 --clear-groups python3 - {maildir} {LETTERS}", stdin=FILL)
    sieve = ManageSieve(province.network, province.fqdn(CLERK), CLERK, province.password(CLERK))
    assert sieve.put("loc", "keep;\r\n").startswith("OK")
    assert sieve.command('SETACTIVE "loc"').startswith("OK")


def read_by_one(province: LabProvince) -> str:
    """A letter to the school that the clerk has read, and the principal has not."""
    message = new_message(STRANGER, SCHOOL)
    message_id: str = message["Message-ID"].strip("<>")
    lab.foreign_send(STRANGER, SCHOOL, message.as_bytes())
    province.read(CLERK, message_id, folder=SHARED)
    return message_id


def asked(province: LabProvince) -> str:
    """What a citizen asks the school in its portal: the code. The clerk has it, and has not answered."""
    status, body = write(province, token(province, PORTAL), PORTAL, tieu_de=QUESTION, thu=STRANGER)
    assert status == 200
    province.wait_for(CLERK, "SUBJECT", QUESTION, folder=SHARED)
    return code_in(body)


def empty(province: LabProvince) -> None:
    """The mailbox as it was before the test."""
    with province.imap(CLERK) as client:
        for folder in ("INBOX", FOLDER):
            client.select(folder)
            client.store("1:*", "+FLAGS.SILENT", "\\Deleted")
            client.close()
        client.unsubscribe(FOLDER)
        client.delete(FOLDER)
        client.select(SHARED)
        client.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        client.close()


def test_all_have_moved_although_it_was_killed_twice(moved: Moved) -> None:
    said, status = moved.outputs
    assert status == "0", said
    assert "0 left." in said


def test_every_letter_is_there_once_with_its_flags_and_its_day(moved: Moved) -> None:
    now = contents(moved.after, CLERK)
    assert not moved.letters - now
    later = names(now - moved.letters)
    assert set(later.values()) <= {1}, "a letter came twice"


def test_every_letter_that_came_meanwhile_is_there_once(moved: Moved) -> None:
    assert len(moved.arrived) > 20
    end = time.monotonic() + 40
    while lost := moved.arrived - set(found := names(contents(moved.after, CLERK))):
        assert time.monotonic() < end, f"{len(lost)} of {len(moved.arrived)} are lost"
        for host in (OLD, NEW, "internet"):
            moved.before.run(host, "postqueue -f")
        time.sleep(1)
    assert {found[name] for name in moved.arrived} == {1}


def test_the_old_password_opens_the_new_place_and_the_old_one_is_empty(moved: Moved) -> None:
    with moved.after.imap(CLERK) as client:
        assert client.select("INBOX")[0] == "OK"
    assert CLERK not in moved.before.run(OLD, "edumail-accounts list")
    assert moved.before.run(OLD, f"ls -d {home(CLERK)} 2>/dev/null || echo none").strip() == "none"
    assert f"'{CLERK}'" in moved.before.accounts(OLD, "SELECT address FROM moved")


def test_folders_stay_subscribed_and_the_filter_stays_on(moved: Moved) -> None:
    with moved.after.imap(CLERK) as client:
        assert FOLDER.encode() in b"".join(row for row in client.lsub()[1] if isinstance(row, bytes))
    sieve = ManageSieve(moved.after.network, moved.after.fqdn(CLERK), CLERK, moved.after.password(CLERK))
    sieve.file.write(b"LISTSCRIPTS\r\n")
    sieve.file.flush()
    assert '"loc" ACTIVE' in sieve.answer()


def test_what_one_has_read_in_a_shared_mailbox_is_still_unread_for_the_other(moved: Moved) -> None:
    def state(address: str, key: str) -> bool:
        with moved.after.imap(address) as client:
            client.select(SHARED, readonly=True)
            return bool(client.search(None, "HEADER", "Message-ID", moved.unread, key)[1][0])

    assert (state(CLERK, "SEEN"), state(HEAD, "UNSEEN")) == (True, True)


def test_what_a_citizen_asked_before_is_found_answered_and_sent_from_the_new_place(moved: Moved) -> None:
    path = f"/phan-anh/theo-doi?ma={moved.code}"
    status, body = ask(moved.after, path, portal=PORTAL)
    assert (status, 'data-state="delivered"' in body) == (200, True), body
    assert UNIT not in moved.before.run(OLD, "edumail-feedback list")
    letter = moved.after.wait_for(CLERK, "SUBJECT", QUESTION, folder=SHARED)
    reply(moved.after, letter, "Trường vẫn ở chỗ cũ.", CLERK, sender=SCHOOL)
    end = time.monotonic() + 30
    while 'data-state="answered"' not in (body := ask(moved.after, path, portal=PORTAL)[1]):
        assert time.monotonic() < end, body
        time.sleep(0.5)
    assert "Trường vẫn ở chỗ cũ." in body
    assert foreign(QUESTION)[0]["From"].addresses[0].addr_spec == SCHOOL


def test_once_more_changes_nothing(moved: Moved) -> None:
    done = move(moved.folder)
    assert (done.returncode, done.stdout.strip()) == (0, "No mailbox has to move.")
