#!/usr/bin/python3 -B
"""Accounts of a mail host: who exists, in which state, and how a password comes to be.

Runs on the host with Debian's own Python and passlib. A deploy upserts people in one transaction and never touches a
password that a person chose; a password is only ever set by its owner, with a one-time code.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import getpass
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import edumail_calendar
import edumail_moving
from edumail_calendar import Calendar
from edumail_moving import plain as _plain
from edumail_passwords import CODE_TRIES, activate, new_code, take_over
from edumail_store import (
    DATABASE,
    THEIRS,
    Refused,
    acting_as,
    as_owner,
    as_root,
    connect,
    forget_sign_ins,
    note_act,
    person,
    transaction,
)

MAIL = "/var/vmail"
VMAIL_ID = 5000
NAMESPACE = "Donvi"  # as dovecot.conf has it
SHARING_MAP = f"{MAIL}/shared-mailboxes"
STALE_SECONDS = 120  # after which Dovecot too takes a lock for one that somebody left behind
RIGHTS = "lrwstipekx"  # RFC 4314: everything but changing the rights
CURSOR = "/var/lib/edumail/accounts-journal-cursor"
JOURNALCTL = "/usr/bin/journalctl"
DOVEADM = "/usr/bin/doveadm"
SENDMAIL = "/usr/sbin/sendmail"
JUMP_SECONDS = 7 * 86400  # between two hourly runs: the clock was or is wrong, or the host was off
CALM_SECONDS = 86400  # after a jump: for NTP to set the clock, for people to sign in, for somebody to look
SIGN_IN = re.compile(
    r"(?P<time>\d+)\.\d+ \S+ (?:"
    r"dovecot\[\d+\]: (?P<door>imap|pop3|managesieve)-login: Logged in: user=<(?P<reader>[^>]+)>"
    r"(?:.*?\brip=(?P<rip>[0-9a-f.:]+))?(?:.*, auth=<(?P<auth>[^>]+)>)?"
    r"|postfix/submissions?/smtpd\[\d+\]: \w+: client=[^\[\s]*\[(?P<client>[0-9a-f.:]+)\]\S*"
    r", sasl_method=\w+, sasl_username=(?P<sender>\S+))"
)
OPENED = re.compile(
    r"(?P<time>\d+)\.\d+ \S+ dovecot\[\d+\]: stats: field:user=\S+\s+field:cmd_args=\"?"
    + NAMESPACE
    + r"/(?P<mailbox>[^\"/\s]+)"
)
"""As dovecot.conf has the metric ``shared_mailbox_opened``."""
REMINDER = """\
From: "Quan tri thu / Mail administration" <postmaster@{domain}>
To: {to}
Subject: =?utf-8?B?VGjGsCBj4bunYSDEkcahbiB24buLIGNoxrBhIGFpIMSR4buNYyAvIG1haWwgdG8geW91ciB1bml0IGlzIG5vdCByZWFk?=
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Hộp thư {address} có thư đã {hours} giờ chưa ai đọc. Người giữ hộp thư cần mở và xử lý.

In the mailbox {address} there is mail that nobody has read for {hours} hours. Its holders are asked to deal with it.
"""

FIELDS = (
    "unit", "person", "name", "quota_mb", "trash_days", "junk_days", "code_days", "idle_days", "leaver_days",
    "password_characters", "password_classes", "forward_sender", "holds", "officer", "check_hours", "head",
)  # fmt: skip
"""What the inventory says of an account; all else in a row is the host's own."""
FIGURES = (*FIELDS[3:11], "officer", "check_hours")
LINE = "format('" + "\t".join(["%s"] * (len(FIELDS) + 1)) + f"', address, {', '.join(FIELDS)})"
"""A row of the database as a deploy writes it; what has no person has nothing in that place."""
IN_USE = "CASE WHEN person IS NULL THEN state = 'shared' ELSE state IN ('waiting', 'active') END"


class Wanted(NamedTuple):
    """Who shall be here. A line has its words between tabs."""

    accounts: frozenset[str]
    """Lines: the address and ``FIELDS``. Nobody in the place of person: a shared mailbox. quota_mb is MiB; holds are
    shared mailboxes, between commas, which Dovecot takes as the person's groups."""
    routes: frozenset[str]
    """Lines: a mailbox of another host, and the name and the IP address of the host that Dovecot hands a sign-in to."""
    elsewhere: frozenset[str]
    """Ids of the people who live on other hosts."""
    was: dict[str, list[str]]
    """Address → its old ones."""


def read_wanted(folder: Path, live: Path | None = None) -> Wanted:
    """What a deploy has written: ``accounts/UNIT``, ``routes/DOMAIN``, ``was`` and ``elsewhere``.

    Files that ``live`` has too are left out: a release shares those that did not change with the one before. Raises
    OSError.
    """

    def lines(pattern: str) -> Iterator[str]:
        for file in folder.glob(pattern):
            if live is None or not _linked(file, live / file.relative_to(folder)):
                yield from filter(None, file.read_text("utf-8").split("\n"))

    was: dict[str, list[str]] = {}
    for line in lines("was"):
        address, _, old = line.partition("\t")
        was.setdefault(address, []).append(old)
    elsewhere = (folder / "elsewhere").read_text("utf-8").split()  # written always: without it this is no such folder
    return Wanted(frozenset(lines("accounts/*")), frozenset(lines("routes/*")), frozenset(elsewhere), was)


def _linked(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False


def _last_run(database: sqlite3.Connection) -> int:
    """When ``tend`` ran the last time; 0 before the first."""
    row = database.execute("SELECT last FROM clock").fetchone()
    return int(row["last"]) if row else 0


def _schema_version(path: str) -> int:
    """Changes with each change of tables; 0 while there are none."""
    if not Path(path).exists():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        version: int = database.execute("PRAGMA schema_version").fetchone()[0]
    return version


def sync(
    database: sqlite3.Connection, wanted: Wanted, now: int, make_homes: Callable[[list[str]], None] = lambda homes: None
) -> dict[str, int]:
    """Make the accounts those of ``wanted`` in one transaction; how many were new, changed, left, returned, set aside.

    ``make_homes`` gets the homes of those that are new before they are there for anybody else.

    An account, with its home and its password, belongs to one person (or to the unit) for ever. It follows its person
    to another address; whoever gets an address that was somebody else's begins with an empty mailbox.

    All rows are compared, as lines. Only those that differ, and those of accounts not in use, are looked at further:
    a deploy costs little more than its change, and what somebody altered here by hand is put right.
    """
    counts = dict.fromkeys(("new", "changed", "left", "returned", "set_aside"), 0)
    database.execute("BEGIN IMMEDIATE")
    try:
        now = max(now, _last_run(database))  # a clock that is behind must not make a leaver one of long ago
        lines = dict(database.execute(f"SELECT address, CASE WHEN {IN_USE} THEN {LINE} ELSE '' END FROM account"))
        rows = [_row(line, wanted.was) for line in sorted(wanted.accounts.difference(lines.values()))]
        have = _accounts(database, [address for address, line in lines.items() if line not in wanted.accounts])
        matched = _match(have, rows)
        came = set(matched.values())
        rest = {key: row for key, row in have.items() if key not in came}
        keys = {old: new for new, old in matched.items() if new != old}
        for address in [row["address"] for row in rows if row["address"] in rest]:
            keys[address] = _free(address, {*lines, *keys.values()})
            counts["set_aside"] += 1
        _move(database, keys)
        rest = {keys.get(key, key): row for key, row in rest.items()}
        homes: set[str] = set()
        if len(matched) < len(rows):
            homes = {row["home"] for row in database.execute("SELECT home FROM account")}
        new: list[dict[str, object]] = []
        for row in rows:
            if row["address"] not in matched:
                local, _, domain = row["address"].partition("@")
                home = _free(f"{MAIL}/{domain}/{local}", homes)
                homes.add(home)
                new.append({**row, "home": home, "state": "waiting" if row["person"] else "shared", "now": now})
                continue
            old = have[matched[row["address"]]]
            state = _state(old)
            if state != old["state"] or any(row[key] != old[key] for key in FIELDS):
                returned = old["state"] in ("left", "closed")
                values = ", ".join(f"{key} = :{key}" for key in FIELDS)
                database.execute(
                    f"UPDATE account SET {values}, state = :state, changed = :now,"
                    # Whoever comes back was away, not idle.
                    " seen = CASE WHEN :returned THEN :now ELSE seen END WHERE address = :address",
                    {**row, "state": state, "now": now, "returned": returned},
                )
                counts["returned" if returned else "changed"] += 1
                if returned:
                    note_act(database, "root", row["address"], "returned", "", now)
        database.executemany(
            f"INSERT INTO account (address, {', '.join(FIELDS)}, home, state, changed)"
            f" VALUES (:address, :{', :'.join(FIELDS)}, :home, :state, :now)",
            new,
        )
        make_homes([str(row["home"]) for row in new])
        counts["new"] = len(new)
        counts["left"] = _leave(database, rest, wanted, now)
        _route(database, wanted.routes)
        # Signed out is whose session rests on something else now.
        before, after = _rights(have), _rights(_accounts(database, have))
        ended = [(address,) for address, rights in before.items() if after.get(address) != rights]
        database.executemany("INSERT OR IGNORE INTO to_end VALUES (?)", ended)
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    return counts


def _row(line: str, was: dict[str, list[str]]) -> dict:
    """The words of a line by name, and its old addresses as ``was``. Raises ValueError when it has too few or many."""
    row: dict = dict(zip(("address", *FIELDS), line.split("\t"), strict=True))
    figures = {key: int(row[key]) for key in FIELDS if key in FIGURES}
    return {**row, **figures, "person": row["person"] or None, "was": was.get(row["address"], [])}


def _accounts(database: sqlite3.Connection, addresses: Iterable[str]) -> dict[str, sqlite3.Row]:
    """Those of ``addresses`` that there are."""
    rows = database.execute(
        "SELECT * FROM account WHERE address IN (SELECT value FROM json_each(?))", (json.dumps(list(addresses)),)
    )
    return {row["address"]: row for row in rows}


def _rights(accounts: dict[str, sqlite3.Row]) -> dict[str, tuple[object, ...]]:
    """What a session that is open rests on, by address: whose the mailbox is, which, its state, what it holds."""
    rows = accounts.items()
    return {
        a: tuple(row[k] for k in ("state", "person", "home", "holds")) for a, row in rows if row["state"] != "waiting"
    }


def _leave(database: sqlite3.Connection, rest: dict[str, sqlite3.Row], wanted: Wanted, now: int) -> int:
    """Say of the accounts that nobody is wanted for whether their people have left; of how many that is new."""
    if not rest:
        return 0
    words = [line.split("\t", 3) for line in (*wanted.accounts, *wanted.routes)]
    domains = {address.partition("@")[2] for address, *_ in words}
    present = {*wanted.elsewhere, *(line.split("\t", 3)[2] for line in wanted.accounts)}
    count = 0
    for address, old in rest.items():
        # Who left is forgotten after a while. Who is still somewhere in the province, or whose whole domain is no
        # longer here, has not left: what is here is kept until somebody decides, as a shared mailbox's mail is.
        gone = old["person"] and old["person"] not in present
        state = "left" if gone and (old["state"] == "left" or address.partition("@")[2] in domains) else "closed"
        if old["state"] != state:
            # The code of somebody who moves to another host goes along; here it opens nothing.
            database.execute(
                "UPDATE account SET state = ?1, code = CASE WHEN ?1 = 'closed' THEN code END, changed = ?2"
                " WHERE address = ?3",
                (state, now, address),
            )
            note_act(database, "root", address, state, "", now)
            count += 1
    return count


def _route(database: sqlite3.Connection, wanted: frozenset[str]) -> None:
    """Make the routes those of ``wanted``."""
    have = dict(database.execute("SELECT format('%s\t%s\t%s', address, host, hostip), address FROM route"))
    gone = [(address,) for line, address in have.items() if line not in wanted]
    database.executemany("DELETE FROM route WHERE address = ?", gone)
    new = [line.split("\t") for line in sorted(wanted.difference(have))]
    database.executemany("INSERT INTO route VALUES (?, ?, ?)", new)


def _match(have: dict[str, sqlite3.Row], wanted: list[dict]) -> dict[str, str]:
    """Wanted address → key of the account that becomes it; of the accounts ``have`` that are not as wanted already.

    A person's account is one of the same person: one in use before one that is not, the same address before an old
    one. Without either only one in use is taken: the id of somebody who left may have been written down a second time.
    A shared mailbox is known by its address alone.
    """
    theirs: dict[str, list[str]] = {}
    for key, old in have.items():
        if old["person"] is not None:
            theirs.setdefault(old["person"], []).append(key)
    result: dict[str, str] = {}
    taken: set[str] = set()
    for same in (True, False):  # a shared mailbox that keeps its address goes before one that would come to it
        for row in (row for row in wanted if row["person"] is None and row["address"] not in result):
            names = [row["address"]] if same else row["was"]
            found = [a for a in names if a in have and have[a]["person"] is None and a not in taken]
            if found:
                result[row["address"]] = min(found, key=lambda key: have[key]["state"] != "shared")
                taken.add(result[row["address"]])
    for row in wanted:
        best: tuple[bool, int, str] | None = None
        for key in theirs.get(row["person"] or "", ()):
            names = (row["address"], *row["was"])
            address, in_use = _plain(key), have[key]["state"] in ("waiting", "active")
            if address in names or in_use:
                rank = names.index(address) if address in names else len(names)
                best = min(best or (not in_use, rank, key), (not in_use, rank, key))
        if best is not None:
            result[row["address"]] = best[2]
    return result


def _free(name: str, taken: Collection[str]) -> str:
    """``name``, of an address or a home, or one made from it that is not taken. No address has a ``#``."""
    local, at, domain = name.partition("@")
    number, result = 0, name
    while result in taken:
        number += 1
        result = f"{local}#{number}{at}{domain}"
    return result


def _move(database: sqlite3.Connection, keys: dict[str, str]) -> None:
    """Give accounts other addresses. All go out of the way first: two people may exchange theirs.

    A session that is to end keeps the name under which it began.
    """
    theirs = [(table, "address") for table in THEIRS if table != "to_end"]
    between = {old: f"#{number}" for number, old in enumerate(keys)}
    for pairs in (between, {between[old]: new for old, new in keys.items()}):
        for table, column in (("account", "address"), ("holding", "holder"), *theirs):
            database.executemany(
                f"UPDATE {table} SET {column} = ? WHERE {column} = ?", [(new, old) for old, new in pairs.items()]
            )


def share(database: sqlite3.Connection) -> None:
    """Open the shared mailboxes to their holders: rights, the map by which Dovecot finds them, and subscriptions.

    The rights name a group, the mailbox's own address; who is in it is said by ``holds`` alone. The map and the
    files are what Dovecot itself would write; mail programs that show only subscribed folders show these too.
    """
    shared = {tuple(row) for row in database.execute("SELECT address, home FROM account WHERE state = 'shared'")}
    rows = "".join(f"shared/shared-boxes/group/{address}/{address}\n1\n" for address, _ in sorted(shared))
    known = {tuple(row) for row in database.execute("SELECT holder, address FROM holding")}
    wanted = {
        (row["address"], address)
        for row in database.execute(
            "SELECT address, holds FROM account WHERE state IN ('waiting', 'active') AND holds <> ''"
        )
        for address in row["holds"].split(",")
    }
    homes = {
        address: row["home"]
        for address, row in _accounts(database, {holder for holder, _ in known ^ wanted}).items()
        if row["state"] in ("waiting", "active")
    }
    with _as_vmail():
        _write(Path(SHARING_MAP), rows)
        for address, home in sorted(shared):
            _write(_maildir(home) / "dovecot-acl", f"group={address} {RIGHTS}\n")
        for holder, address in sorted(known ^ wanted):
            if holder in homes:
                _subscribe(_maildir(homes[holder]), address, (holder, address) in wanted)
    with transaction(database):
        database.executemany("DELETE FROM holding WHERE holder = ? AND address = ?", sorted(known - wanted))
        database.executemany("INSERT INTO holding VALUES (?, ?)", sorted(wanted - known))


def _end_sessions(addresses: list[str]) -> None:
    """Sign out those whose rights have changed; where Dovecot does not run there is nobody to sign out."""
    with as_root():
        for address in addresses:
            subprocess.run([DOVEADM, "kick", address], capture_output=True, check=False)


def _as_vmail() -> contextlib.AbstractContextManager[None]:
    """Act as the mailboxes' owner: whoever got hold of a mail process must not make root write where a link leads."""
    return acting_as(VMAIL_ID, VMAIL_ID)


def _make_homes(homes: list[str]) -> None:
    """What Sieve remembers of letters lies there, and it does not make the folder for the first of them."""
    with _as_vmail():
        for home in map(Path, homes):
            for folder in (home.parent, home):
                if not folder.exists():
                    folder.mkdir(mode=0o700)


def _maildir(home: str) -> Path:
    """The Maildir below ``home``, made if it is not there: Dovecot fills it at first use."""
    maildir = Path(home) / "Maildir"
    for folder in (maildir.parent.parent, maildir.parent, maildir):
        if not folder.exists():
            folder.mkdir(mode=0o700)
    return maildir


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def _subscribe(maildir: Path, address: str, wanted: bool) -> None:
    """Add the shared mailbox to the folders that a holder's mail program shows, or take it away with all below it.

    The file and its lock are as Dovecot has them: the lock file becomes the new file.
    """
    lock, file = maildir / "subscriptions.lock", maildir / "subscriptions"
    for _ in range(100):
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
        except FileExistsError:
            time.sleep(0.1)
            with contextlib.suppress(FileNotFoundError):
                if lock.stat().st_mtime < time.time() - STALE_SECONDS:
                    lock.unlink()
    else:
        raise Refused(f"{lock}: đang bị khóa / is locked")
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else ["V\t2", "", "INBOX"]
        below = f"{NAMESPACE}/{address}/".replace(".", "\t")
        lines = [line for line in lines if not line.startswith(below)]
        new.write("\n".join([*lines, *([f"{below}INBOX"] if wanted else [])]) + "\n")
    lock.replace(file)


def _state(old: sqlite3.Row) -> str:
    if old["person"] is None:
        return "shared"
    if old["state"] == "closed":
        return "waiting"
    if old["state"] == "left":
        return "active" if old["hash"] else "waiting"
    return old["state"]


def note_sign_ins(database: sqlite3.Connection, journal: Iterable[str], now: int) -> None:
    """Take over from the journal (``short-unix``) who signed in when, and when a holder opened a shared mailbox last.

    Where neither ever was, time begins now. An auditor signs in to a mailbox, but not as its owner.
    """
    seen: dict[str, int] = {}
    opened: dict[str, int] = {}
    times: dict[str, set[tuple[int, str, str]]] = {}
    for line in journal:
        if found := SIGN_IN.match(line):
            user = (found["reader"] or found["sender"]).lower()
            if (found["auth"] or user).lower() != user:
                continue
            at = int(found["time"])
            seen[user] = max(seen.get(user, 0), at)
            # The same program signs in every few minutes: once an hour says as much.
            where = (at - at % 3600, found["door"] or "submission", found["rip"] or found["client"] or "")
            times.setdefault(user, set()).add(where)
        elif found := OPENED.match(line):
            mailbox = found["mailbox"].lower()
            opened[mailbox] = max(opened.get(mailbox, 0), int(found["time"]))
    database.execute("BEGIN IMMEDIATE")
    for column, times_of in (("seen", seen), ("opened_at", opened)):
        database.executemany(
            f"UPDATE account SET {column} = max({column}, ?) WHERE address = ?",
            ((time, address) for address, time in times_of.items()),
        )
    for user, rows in times.items():
        database.executemany(
            "INSERT OR IGNORE INTO sign_in SELECT address, ?, ?, ? FROM account WHERE address = ?",
            [(*row, user) for row in sorted(rows)],
        )
        forget_sign_ins(database, user)
    database.execute("UPDATE account SET seen = ? WHERE seen = 0", (now,))
    database.execute("UPDATE account SET opened_at = ? WHERE opened_at = 0 AND state = 'shared'", (now,))
    database.execute("COMMIT")


@contextlib.contextmanager
def _noted(failed: list[str], what: str) -> Iterator[None]:
    """One that goes wrong is no reason to leave out the others; what went wrong is added to ``failed``."""
    try:
        yield
    except (OSError, sqlite3.Error, subprocess.SubprocessError) as error:
        failed.append(f"{what}: {type(error).__name__}: {error}")


def clock_is_steady(database: sqlite3.Connection, now: int) -> bool:
    """Whether the time may decide that somebody is idle or has left long ago; called once at each run.

    Not when it has jumped since the last run, forward or back, nor for a day after: a clock that is wrong would delete
    mail, and when a host was off for long nobody could sign in. Whether NTP is in step says less: in a container it is
    the machine below that keeps the time.
    """
    last, calm = database.execute("SELECT last, calm FROM clock").fetchone() or (now, now)
    if abs(now - last) > JUMP_SECONDS:
        calm = now + CALM_SECONDS
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM clock")
    database.execute("INSERT INTO clock VALUES (?, ?)", (now, calm))
    database.execute("COMMIT")
    return bool(now >= calm)


def suspend_idle(database: sqlite3.Connection, now: int) -> list[str]:
    """Take the password from accounts whose owners did not sign in for ``idle_days``; a new code opens them again.

    Mail still arrives.
    """
    rows = database.execute(
        "SELECT address FROM account WHERE state = 'active' AND seen + idle_days * 86400 <= ?", (now,)
    )
    idle = sorted(row["address"] for row in rows)
    for address in idle:
        with transaction(database):
            suspend(database, address, now)
            note_act(database, "root", address, "suspend", "", now)
    return idle


def suspend(database: sqlite3.Connection, address: str, now: int) -> None:
    """Take every password of an account away; a new code opens it again. Mail still arrives. Raises Refused."""
    person(database, address)
    with transaction(database):
        database.execute(
            "UPDATE account SET state = 'waiting', hash = NULL, code = NULL, suspended = ?1, changed = ?1"
            " WHERE address = ?2",
            (now, address.lower()),
        )
        for table in ("app_password", "session"):
            database.execute(f"DELETE FROM {table} WHERE address = ?", (address.lower(),))


def purge_leavers(database: sqlite3.Connection, now: int, failed: list[str]) -> list[str]:
    """Delete the mail and the account of whoever left ``leaver_days`` ago. That it was done stays on record.

    Whose mail can't be deleted is added to ``failed`` and has a turn at the next run.
    """
    rows = database.execute(
        "SELECT address, unit, home, changed FROM account"
        " WHERE state = 'left' AND changed + leaver_days * 86400 <= ? ORDER BY address",
        (now,),
    ).fetchall()
    purged = []
    for row in rows:
        still = "SELECT 1 FROM account WHERE address = ? AND home = ? AND state = 'left'"
        if database.execute(still, (row["address"], row["home"])).fetchone() is None:
            continue  # a deploy has brought them back meanwhile
        # An older release let two accounts have one home: it goes with the last of them.
        others = database.execute(
            "SELECT 1 FROM account WHERE address <> ?1 AND (home = ?2 OR substr(home, 1, length(?2) + 1) = ?2 || '/')",
            (row["address"], row["home"]),
        ).fetchone()
        with _noted(failed, row["address"]):
            with _as_vmail():
                # Whoever dies in between finds the rest of it the next night.
                if others is None and Path(row["home"]).is_relative_to(MAIL) and Path(row["home"]).exists():
                    shutil.rmtree(row["home"])
            database.execute("BEGIN IMMEDIATE")
            record = (_plain(row["address"]), row["unit"], row["changed"], now)
            database.execute("INSERT INTO purged VALUES (?, ?, ?, ?)", record)
            database.execute("DELETE FROM account WHERE address = ? AND state = 'left'", (row["address"],))
            database.execute("DELETE FROM holding WHERE holder = ?", (row["address"],))
            for table in THEIRS:
                database.execute(f"DELETE FROM {table} WHERE address = ?", (row["address"],))
            database.execute("COMMIT")
            purged.append(row["address"])
    return purged


def unopened(
    database: sqlite3.Connection,
    unread: Callable[[str, str], dict[str, int]],
    calendar: Calendar,
    now: int,
    failed: list[str],
) -> Iterator[tuple[sqlite3.Row, list[str], int]]:
    """Of each shared mailbox its row, its holders, and for how many working hours a letter lies that none has read.

    ``unread`` says which letters of a mailbox a holder has not read, by id, and when each came; a holder of whom it
    can't say so is added to ``failed`` and does not count.
    """
    held: dict[str, list[str]] = {}
    for row in database.execute("SELECT address, holder FROM holding ORDER BY holder"):
        held.setdefault(row["address"], []).append(row["holder"])
    for row in database.execute("SELECT * FROM account WHERE state = 'shared' ORDER BY address").fetchall():
        address = row["address"]
        holders = held.get(address, [])
        letters: dict[str, int] | None = None
        for holder in holders:
            if letters == {}:
                break
            with _noted(failed, f"{address}: {holder}"):
                theirs = unread(holder, address)
                letters = theirs if letters is None else {id: came for id, came in letters.items() if id in theirs}
        yield row, holders, calendar.hours(min((letters or {"": now}).values()), now)


def overdue(
    database: sqlite3.Connection,
    unread: Callable[[str, str], dict[str, int]],
    calendar: Calendar,
    now: int,
    failed: list[str],
) -> list[tuple[str, int, list[str]]]:
    """Shared mailboxes with letters that no holder has read in ``check_hours``: address, hours, who is to hear of it.

    The hours are those of working days, and on other days nobody hears. After twice as long the head does too. Whoever
    heard of it does so again after as long. ``unread`` and ``failed``: see :func:`unopened`.
    """
    found = []
    for row, holders, hours in unopened(database, unread, calendar, now, failed) if calendar.at_work(now) else ():
        limit = row["check_hours"]
        if limit and hours >= limit and calendar.hours(row["reminded"], now) >= limit:
            late = hours >= 2 * limit and row["head"] and row["head"] not in holders
            found.append((row["address"], hours, [*holders, *([row["head"]] if late else [])]))
    return found


def remind(database: sqlite3.Connection, address: str, hours: int, hearers: list[str], now: int) -> None:
    """Say by mail that nobody reads a mailbox of the unit."""
    text = REMINDER.format(address=address, hours=hours, domain=address.partition("@")[2], to=", ".join(hearers))
    command = [SENDMAIL, "-i", "-f", "", "--", *hearers]
    with as_root():
        subprocess.run(command, input=text, text=True, check=True)
    database.execute("UPDATE account SET reminded = ? WHERE address = ?", (now, address))


def end_sessions(database: sqlite3.Connection) -> None:
    """Sign out of mail programs those whose passwords have changed since the last time."""
    rows = [row["address"] for row in database.execute("DELETE FROM to_end RETURNING address")]
    _end_sessions(rows)


def forget(database: sqlite3.Connection, now: int, days: int) -> None:
    """Delete what is kept ``days`` only: acts, and sessions that nobody ended."""
    database.execute("DELETE FROM act WHERE at <= ?", (now - days * 86400,))
    database.execute("DELETE FROM session WHERE used <= ?", (now - 86400,))


def tend(database: sqlite3.Connection, now: int) -> int:
    """What is due every hour; prints what was done and, one a line, what could not be: then the exit status is 1."""
    failed: list[str] = []
    steady = clock_is_steady(database, now)
    note_sign_ins(database, _journal(), now)
    _read()
    suspended: list[str] = []
    purged: list[str] = []
    if steady:
        suspended = suspend_idle(database, now)
        _end_sessions(suspended)
        purged = purge_leavers(database, now, failed)
    else:
        print("the clock has jumped, or this host was off: nobody is suspended or deleted for a day", file=sys.stderr)
    reminded = []
    for address, hours, hearers in overdue(database, _reader(database, note=True), _calendar(), now, failed):
        with _noted(failed, address):
            remind(database, address, hours, hearers, now)
            reminded.append(address)
    twice = "SELECT home, group_concat(address, ', ') AS whose FROM account GROUP BY home HAVING count(*) > 1"
    for row in database.execute(twice):  # an older release could do that; each reads what is for the other
        failed.append(f"{row['home']}: hai tài khoản một thư mục / two accounts have one home: {row['whose']}")
    print(json.dumps({"suspended": suspended, "purged": purged, "reminded": reminded}))
    for line in failed:
        print(f"edumail-accounts: {line}", file=sys.stderr)
    return 1 if failed else 0


def _unopened(database: sqlite3.Connection, now: int) -> list[dict[str, object]]:
    """What an audit may know: address, unit, limit and working hours, and how many days ago a holder opened it last.

    The days are those since it is noted where nobody has opened it yet, and None where nothing is noted yet.
    """
    failed: list[str] = []
    found: list[dict[str, object]] = []
    for row, _, hours in unopened(database, _reader(database, note=False), _calendar(), now, failed):
        words = {"address": row["address"], "unit": row["unit"], "limit": row["check_hours"], "hours": hours}
        found.append({**words, "days": (now - row["opened_at"]) // 86400 if row["opened_at"] else None})
    if failed:
        raise OSError("; ".join(failed)[:300])
    return found


def _calendar() -> Calendar:
    """The file belongs to root, as the whole tree does."""
    with as_root():
        return edumail_calendar.read()


def _reader(database: sqlite3.Connection, note: bool) -> Callable[[str, str], dict[str, int]]:
    """:func:`_unread`, without asking Dovecot about a mailbox to which nothing came since a holder had read all of it.

    Each answer takes Dovecot a tenth of a second, and a host may have thousands of mailboxes. note: remember such.
    """
    homes = dict(database.execute("SELECT address, home FROM account WHERE state = 'shared'").fetchall())
    known = dict(database.execute("SELECT address, stamp FROM opened").fetchall())

    def unread(holder: str, address: str) -> dict[str, int]:
        home = homes.get(address)
        # Before Dovecot is asked: what comes meanwhile is seen next time.
        stamp = _stamp(Path(home, "Maildir")) if home else None
        if stamp is not None and stamp in ("", known.get(address)):
            return {}
        theirs = _unread(holder, address)
        if note and stamp and not theirs:
            # It may have another address by now; a note under the old one would be in the way of whoever gets that.
            database.execute(
                "INSERT OR REPLACE INTO opened SELECT address, ? FROM account WHERE address = ? AND home = ?",
                (stamp, address, home),
            )
        return theirs

    return unread


def _stamp(maildir: Path) -> str:
    """Another one when a letter came or went; empty when there is none."""
    with as_root():
        folders = [maildir / name for name in ("new", "cur")]
        if not any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
            return ""
        return " ".join(str(folder.stat().st_mtime_ns) if folder.exists() else "" for folder in folders)


def _unread(holder: str, address: str) -> dict[str, int]:
    """As Dovecot knows it: what is read in a shared mailbox is each holder's own. Raises OSError."""
    fields = "guid date.saved.unixtime"
    command = [DOVEADM, "-f", "tab", "fetch", "-u", holder, fields, "mailbox", f"{NAMESPACE}/{address}"]
    with as_root():
        done = subprocess.run([*command, "unseen"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"doveadm: {done.returncode}: {done.stderr.strip()}")
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def _journal() -> Iterator[str]:
    """What Dovecot and Postfix said since the last time. Raises OSError: while that can't be read nobody is idle.

    How far that went counts once :func:`_read` says so.
    """
    new = Path(f"{CURSOR}.new")
    command = [JOURNALCTL, "-q", "--no-pager", "-o", "short-unix", f"--cursor-file={new}"]
    with as_root():
        new.unlink(missing_ok=True)
        if Path(CURSOR).exists():
            shutil.copyfile(CURSOR, new)
        process = subprocess.Popen(
            [*command, "-u", "dovecot", "-u", "postfix"], stdout=subprocess.PIPE, text=True, errors="replace"
        )
    with process:
        assert process.stdout
        yield from process.stdout
    if process.returncode:
        raise OSError(f"journalctl: {process.returncode}")


def _read() -> None:
    """What :func:`_journal` gave is in the database."""
    with contextlib.suppress(FileNotFoundError), as_root():
        Path(f"{CURSOR}.new").replace(CURSOR)


def main(arguments: list[str] | None = None) -> int:
    """The command ``edumail-accounts``; exit status 1 with one line when something is refused."""
    parser = argparse.ArgumentParser(prog="edumail-accounts", description=__doc__)
    parser.add_argument("--database", default=DATABASE)
    commands = parser.add_subparsers(dest="command", required=True)
    trying = commands.add_parser("check", help="try a folder of wanted accounts on an empty database, change nothing")
    trying.add_argument("folder", type=Path)
    trying.add_argument("live", type=Path, help="what passed before; files that it shares are not tried again")
    commands.add_parser("sync", help="make the accounts those of a folder").add_argument("folder", type=Path)
    for name, text in (
        ("code", "print a one-time activation code"),
        ("activate", "choose a password; reads the code and the password, a line each"),
        ("suspend", "take all passwords of an account away, and sign it out; a new code opens it again"),
    ):
        commands.add_parser(name, help=text).add_argument("address")
    codes = commands.add_parser("codes", help="codes for who waits for one, as JSON: a unit's, or those of ADDRESSES")
    codes.add_argument("unit")
    codes.add_argument("addresses", nargs="*")
    commands.add_parser("take-over", help="hashes of another mail system, as CSV: address,hash").add_argument("file")
    tending = commands.add_parser(
        "tend", help="suspend idle accounts, delete the mail of leavers, remind of mail that nobody reads"
    )
    tending.add_argument("--days", type=int, default=365, help="how long acts stay on record")
    commands.add_parser("sign-ins", help="take over from the journal who signed in")
    commands.add_parser("end", help="sign out those whose passwords have changed")
    commands.add_parser("acts", help="print who did what with which account, one a line").add_argument(
        "address", nargs="?"
    )
    moving = commands.add_parser("moving", help="one half of a mailbox's way to another host; edumail asks for it")
    moving.add_argument("action", choices=edumail_moving.ACTIONS)
    moving.add_argument("address", nargs="?", default="")
    commands.add_parser("list", help="print all accounts, one a line: state, address, unit")
    commands.add_parser("unopened", help="print of each shared mailbox how long a letter lies that no holder has read")
    options = parser.parse_args(arguments)
    try:
        wanted = read_wanted(options.folder) if options.command == "sync" else None
        hashes = _hashes(options.file) if options.command == "take-over" else None
        if options.command == "check":
            sync(connect(":memory:"), read_wanted(options.folder, options.live), int(time.time()))
            return 0
        with as_owner(options.database):
            return _run(options, wanted, hashes)
    except Refused as refusal:
        print(f"edumail-accounts: {refusal}", file=sys.stderr)
    except (OSError, ValueError, KeyError, sqlite3.Error) as error:
        print(f"edumail-accounts: {type(error).__name__}: {error}", file=sys.stderr)
    return 1


def _hashes(file: str) -> dict[str, str]:
    """Address → hash; ``-`` is standard input. Raises Refused with the number of each line that is none."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    rows = list(csv.reader(text.splitlines()))
    wrong = [str(number) for number, row in enumerate(rows, 1) if row and (len(row) != 2 or "@" not in row[0])]
    if wrong:
        raise Refused(f"dòng / lines: {', '.join(wrong)}: ĐỊA CHỈ,BĂM / ADDRESS,HASH")
    return {row[0].strip().lower(): row[1].strip() for row in rows if row}


def issue(database: sqlite3.Connection, unit: str, addresses: Collection[str], now: int) -> dict[str, object]:
    """New codes for people of a unit: those named, or whoever waits and has no code that still works.

    Whoever is suspended gets one by name alone: to open that account again is somebody's decision, not a printing's.
    Raises Refused when somebody who is named is not of that unit.
    """
    rows = database.execute(
        "SELECT * FROM account WHERE unit = ? AND person IS NOT NULL AND state IN ('waiting', 'active')"
        " ORDER BY address",
        (unit,),
    ).fetchall()
    strangers = sorted(set(addresses) - {row["address"] for row in rows})
    if strangers:
        raise Refused(f"không thuộc đơn vị {unit} / not of the unit {unit}: {', '.join(strangers)}")
    waiting = [row for row in rows if row["state"] == "waiting"]
    has_one = [row for row in waiting if row["code"] and row["code_expires"] >= now and row["code_tries"] < CODE_TRIES]
    suspended = [row for row in waiting if row["suspended"] and row not in has_one]
    left = {"kept": has_one, "suspended": suspended}
    if addresses:
        chosen, left = [row for row in rows if row["address"] in addresses], {"kept": [], "suspended": []}
    else:
        chosen = [row for row in waiting if row not in has_one and row not in suspended]
    result = []
    with transaction(database):
        for row in chosen:
            code = new_code(database, row["address"], now)
            note_act(database, "root", row["address"], "code", "", now)
            result.append(
                {
                    "address": row["address"],
                    "name": row["name"],
                    "code": code,
                    "expires": now + row["code_days"] * 86400,
                }
            )
    return {"codes": result, **{why: [row["address"] for row in found] for why, found in left.items()}}


def _run(options: argparse.Namespace, wanted: Wanted | None, hashes: dict[str, str] | None) -> int:
    now = int(time.time())
    before_schema = _schema_version(options.database)
    database = connect(options.database)
    if before_schema and before_schema != _schema_version(options.database):
        # Dovecot's open connections would fail once each.
        with as_root():
            subprocess.run([DOVEADM, "reload"], capture_output=True, check=False)
    match options.command:
        case "sync":
            assert wanted is not None
            print(json.dumps(sync(database, wanted, now, _make_homes)))
            share(database)
            end_sessions(database)
        case "code":
            with transaction(database):
                code = new_code(database, options.address, now)
                note_act(database, "root", options.address.lower(), "code", "", now)
            print(code)
        case "codes":
            print(json.dumps(issue(database, options.unit, options.addresses, now), ensure_ascii=False))
        case "activate":
            if sys.stdin.isatty():
                code = input("Mã kích hoạt / activation code: ")
                password = getpass.getpass("Mật khẩu mới / new password: ")
                if getpass.getpass("Nhập lại / again: ") != password:
                    raise Refused("hai lần nhập không giống nhau / the two do not match")
            else:
                code, password = (sys.stdin.readline().rstrip("\n") for _ in range(2))
            activate(database, options.address, code, password, now)
            note_act(database, "root", options.address.lower(), "activate", "", now)
            end_sessions(database)
            print(f"{options.address}: active")
        case "suspend":
            with transaction(database):
                suspend(database, options.address, now)
                note_act(database, "root", options.address.lower(), "suspend", "", now)
            _end_sessions([options.address.lower()])
            print(f"{options.address}: suspended")
        case "take-over":
            print(json.dumps(take_over(database, hashes or {}, now)))
        case "tend":
            forget(database, now, options.days)
            return tend(database, now)
        case "sign-ins":
            note_sign_ins(database, _journal(), now)
            _read()
            end_sessions(database)  # whoever was missed while the last ones were signed out
        case "end":
            end_sessions(database)
        case "acts":
            for row in database.execute(
                "SELECT * FROM act WHERE ?1 IS NULL OR address = ?1 ORDER BY at", (options.address,)
            ):
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["at"]))
                print(f"{moment} {row['what']:<16} {row['address']} by {row['actor']} {row['client']}")
        case "moving":
            return edumail_moving.run(database, options.action, options.address, now)
        case "unopened":
            print(json.dumps(_unopened(database, now)))
        case "list":
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads may have seen enough
            shown = "CASE WHEN state = 'waiting' AND suspended > 0 THEN 'suspended' ELSE state END"
            for row in database.execute(f"SELECT {shown} AS state, address, unit FROM account ORDER BY address"):
                print(f"{row['state']:<7} {row['address']}  {row['unit']}")
    return 0


if __name__ == "__main__":
    os.umask(0o027)
    sys.exit(main())
