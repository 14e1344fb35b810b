"""A mailbox that moves to another host: what the old place gives, what the new one takes.

Both halves are spoken to by ``edumail mailboxes move``, over SSH: letters as dsync has them, all else as JSON. What is
secret comes and goes by standard input and output, never in an argument.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edumail_store import THEIRS, Refused, acting_as, as_root, note_act, transaction

DOVEADM = "/usr/bin/doveadm"
TAR = "/usr/bin/tar"
MAIL = "/var/vmail"
VMAIL_ID = 5000
PERSONAL = ("sieve", ".dovecot.sieve", "shared")
"""What is in a home besides letters: scripts, which of them is active, what is read in shared mailboxes."""
SECRETS = ("hash", "code", "code_expires", "code_tries", "totp", "totp_counter", "seen", "suspended")
KEPT = {"app_password": ("tag", "label", "hash", "made"), "sign_in": ("at", "how", "client"),
        "act": ("at", "actor", "what", "client")}  # fmt: skip
LOCK_SECONDS = 60
UIDS = 200
ACTIONS = ("list", "export", "adopt", "serve", "pull", "pack", "unpack", "contents", "tidy", "leave")

Letter = tuple[str, str, int]
"""Folder, Message-ID (without one: a digest of the header), size in bytes."""


def plain(key: str) -> str:
    """The address that an account had, also one that was set aside."""
    return re.sub(r"#\d+@", "@", key)


def listing(database: sqlite3.Connection) -> list[dict[str, str | None]]:
    """Who is here and in which state, with the addresses that those had who were set aside."""
    rows = database.execute("SELECT address, person, state FROM account ORDER BY address")
    return [{**dict(row), "plain": plain(row["address"])} for row in rows]


def _account(database: sqlite3.Connection, address: str, closed: bool) -> sqlite3.Row:
    """An account that has been closed here, or one that is in use. Raises Refused."""
    row = database.execute("SELECT * FROM account WHERE address = ?", (address,)).fetchone()
    if row is None or (row["state"] in ("closed", "left")) != closed or row["state"] == "left":
        where = "đã đóng / that is closed" if closed else "đang dùng / in use"
        raise Refused(f"ở đây không có hộp thư {address} {where} / there is no such mailbox here")
    return row  # type: ignore[no-any-return]


def export(database: sqlite3.Connection, address: str) -> dict[str, object]:
    """All of a closed account that its person has made: password, code, second step, programs, and what was done."""
    row = _account(database, address, closed=True)
    tables = {}
    for table, names in KEPT.items():
        rows = database.execute(f"SELECT {', '.join(names)} FROM {table} WHERE address = ?", (address,))
        tables[table] = [list(values) for values in rows]
    return {"person": row["person"], "fields": {name: row[name] for name in SECRETS}, "tables": tables}


def adopt(database: sqlite3.Connection, address: str, given: dict, now: int) -> str:
    """Make an account here what it was at its old place: ``taken``; or ``kept``, where its person has a password here.

    A code that was made here and still works stays, too. Asked twice, the second time changes nothing. Raises Refused
    when it is somebody else's.
    """
    row = _account(database, address, closed=False)
    if row["person"] != given["person"]:
        raise Refused(f"{address} là của người khác / belongs to somebody else")
    fields, tables = given["fields"], given["tables"]
    with transaction(database):
        free = row["person"] is not None and row["state"] == "waiting" and not row["suspended"]
        if free and row["code"] and row["code_expires"] >= now:
            fields |= {name: row[name] for name in ("code", "code_expires", "code_tries")}
        # It was closed meanwhile: nobody was idle.
        wanted = {**fields, "state": "active", "seen": now} if fields["hash"] else {**fields, "state": "waiting"}
        if free and any(row[name] != value for name, value in wanted.items()):
            values = ", ".join(f"{name} = :{name}" for name in wanted)
            database.execute(
                f"UPDATE account SET {values}, changed = :now WHERE address = :address",
                {**wanted, "now": now, "address": address},
            )
            note_act(database, "root", address, "moved-in", "", now)
        for table, names in KEPT.items():
            if table == "app_password" and not free:
                continue
            same = " AND ".join(f"{name} = ?" for name in names)
            for values in tables[table]:
                database.execute(
                    f"INSERT INTO {table} (address, {', '.join(names)}) SELECT ?, {', '.join('?' * len(names))}"
                    f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE address = ? AND {same})",
                    (address, *values, address, *values),
                )
    return "taken" if free else "kept"


def leave(database: sqlite3.Connection, address: str, digest: str, host: str, now: int) -> None:
    """Delete the mail and the account of somebody who has moved to ``host``; that it was done stays on record.

    ``digest`` is that of the contents that were compared. Raises Refused when it is another by now.
    """
    row = _account(database, address, closed=True)
    if _digest(letters(row)) != digest:
        raise Refused(
            f"{address}: thư ở chỗ cũ đã khác / the mail at the old place has changed; chạy lại / run it again"
        )
    others = database.execute(
        "SELECT 1 FROM account WHERE address <> ?1 AND (home = ?2 OR substr(home, 1, length(?2) + 1) = ?2 || '/')",
        (address, row["home"]),
    ).fetchone()
    with acting_as(VMAIL_ID, VMAIL_ID):
        # Whoever dies in between finds the rest the next time: what is left is compared again.
        if others is None and Path(row["home"]).is_relative_to(MAIL) and Path(row["home"]).exists():
            shutil.rmtree(row["home"])
    with transaction(database):
        database.execute("INSERT INTO moved VALUES (?, ?, ?, ?)", (plain(address), row["unit"], host, now))
        database.execute("DELETE FROM account WHERE address = ? AND state = 'closed'", (address,))
        database.execute("DELETE FROM holding WHERE holder = ?", (address,))
        for table in THEIRS:
            database.execute(f"DELETE FROM {table} WHERE address = ?", (address,))


# --- letters ---


def letters(row: sqlite3.Row) -> list[Letter]:
    """Every letter of a mailbox, sorted. Raises OSError."""
    return contents(row)[0]


def contents(row: sqlite3.Row) -> tuple[list[Letter], list[tuple[str, str, list[str]]]]:
    """Every letter of a mailbox, sorted; and what a folder has more than once: folder, GUID, UIDs. Raises OSError."""
    with acting_as(VMAIL_ID, VMAIL_ID):
        if not (Path(row["home"]) / "Maildir").exists():
            return [], []
    found: list[Letter] = []
    nameless: dict[str, list[str]] = {}
    copies: dict[tuple[str, str], list[str]] = {}
    for letter in _fetch(row, "mailbox uid guid hdr.message-id size.virtual", "mailbox", "*", "all"):
        copies.setdefault((letter["mailbox"], letter["guid"]), []).append(letter["uid"])
        name = letter.get("hdr.message-id", "").strip()
        if name:
            found.append((letter["mailbox"], name, int(letter["size.virtual"])))
        else:
            nameless.setdefault(letter["mailbox"], []).append(letter["uid"])
    for folder, uids in nameless.items():
        for at in range(0, len(uids), UIDS):
            some = ",".join(uids[at : at + UIDS])
            for letter in _fetch(row, "hdr size.virtual", "mailbox", folder, "uid", some):
                header = letter["hdr"].replace("\r\n", "\n")  # a host may keep either
                name = hashlib.sha256(header.encode("utf-8", "surrogateescape")).hexdigest()
                found.append((folder, name, int(letter["size.virtual"])))
    return sorted(found), [(*key, uids) for key, uids in copies.items() if len(uids) > 1]


def _tidy(row: sqlite3.Row, surplus: dict[str, list[str]]) -> None:
    """Take copies of a letter out of folders: folder → UIDs. Raises OSError.

    dsync gives a letter of the new place another number when an old one needs that. Where another letter comes in at
    that moment, or dsync is cut, both the copy and what it was made of stay.
    """
    for folder, uids in surplus.items():
        for at in range(0, len(uids), UIDS):
            some = ",".join(uids[at : at + UIDS])
            command = _doveadm(row, "expunge", "--no-userdb-lookup", "mailbox", folder, "uid", some)
            with as_root():
                done = subprocess.run(command, capture_output=True, check=False, **_as_vmail(row))
            if done.returncode:
                raise OSError(f"doveadm expunge: {done.returncode}: {done.stderr.decode(errors='replace').strip()}")


def _digest(contents: list[Letter]) -> str:
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def _fetch(row: sqlite3.Row, fields: str, *search: str) -> list[dict[str, str]]:
    command = _doveadm(row, "-f", "json", "fetch", "--no-userdb-lookup", fields, *search)
    with as_root():
        done = subprocess.run(command, capture_output=True, check=False, **_as_vmail(row))
    if done.returncode:
        raise OSError(f"doveadm fetch: {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    said = done.stdout.decode("utf-8", "surrogateescape").strip()
    result: list[dict[str, str]] = json.loads(said, strict=False) if said else []
    return result


def _doveadm(row: sqlite3.Row, *words: str) -> list[str]:
    """The command for a home by itself: a closed account is nobody whom Dovecot knows.

    So it sees no shared mailbox of others, at the new place neither.
    """
    settings = {
        "mail_home": row["home"],
        "mail_path": f"{row['home']}/Maildir",
        "quota_storage_size": f"{row['quota_mb']}M",
    }
    return [DOVEADM, *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")), *words]


def _as_vmail(row: sqlite3.Row) -> dict:
    """How a program is started on a home: as the mailboxes' owner, with nothing of root's."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": row["home"], "USER": plain(row["address"])}
    who = {"user": VMAIL_ID, "group": VMAIL_ID, "extra_groups": []} if os.getuid() == 0 else {}
    return {"env": environment, "cwd": "/", **who}


def _serve(row: sqlite3.Row) -> int:
    """dsync's far end on standard input and output; it only reads."""
    with as_root():
        return subprocess.run(
            _doveadm(row, "dsync-server", "--no-userdb-lookup"), check=False, **_as_vmail(row)
        ).returncode


def _pull(row: sqlite3.Row) -> int:
    """Take what the far end has, which is on standard input and output, and keep what is here.

    dsync asks a program that it starts itself; that one hands on to ours. What was taken before is not taken again.
    """
    far, back = (fcntl.fcntl(number, fcntl.F_DUPFD, 3) for number in (0, 1))
    command = _doveadm(row, "-o", "mail_fsync=never", "sync", "--no-userdb-lookup", "-1", "-R", "-l", str(LOCK_SECONDS))
    command += ["sh", "-c", f"cat <&{far} & exec cat >&{back}"]  # sh knows descriptors of one digit only
    with as_root():
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=(far, back), check=False, **_as_vmail(row)
        )
    os.sync()  # once for all of them: before the old place is emptied everything is on the disk
    return done.returncode


# --- what else is in a home ---


def _pack(row: sqlite3.Row) -> int:
    with acting_as(VMAIL_ID, VMAIL_ID):
        there = [name for name in PERSONAL if os.path.lexists(Path(row["home"]) / name)]
    command = [TAR, "-C", row["home"], "-c", *(there or ["-T", "/dev/null"])]
    with as_root():
        return subprocess.run(command, check=False, **{**_as_vmail(row), "cwd": None}).returncode


def _unpack(row: sqlite3.Row) -> int:
    """Take what is not here yet; what somebody has made here stays. Unpacked aside, so that a cut leaves no half."""
    aside = Path(row["home"]) / ".moving"
    with acting_as(VMAIL_ID, VMAIL_ID):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
    with as_root():
        code = subprocess.run([TAR, "-C", str(aside), "-x"], check=False, **_as_vmail(row)).returncode
    with acting_as(VMAIL_ID, VMAIL_ID):
        if not code:
            for source, target in _placed(aside, Path(row["home"])):
                if not os.path.lexists(target):
                    source.rename(target)
        shutil.rmtree(aside)
    return code


def _placed(aside: Path, home: Path) -> Iterator[tuple[Path, Path]]:
    """What came, and where it goes: folders whose contents are several things, thing by thing."""
    for name in PERSONAL:
        source = aside / name
        if source.is_dir() and not source.is_symlink():
            (home / name).mkdir(mode=0o700, exist_ok=True)
            yield from ((entry, home / name / entry.name) for entry in sorted(source.iterdir()))
        elif os.path.lexists(source):
            yield source, home / name


def _make_home(row: sqlite3.Row) -> None:
    home = Path(row["home"])
    with acting_as(VMAIL_ID, VMAIL_ID):
        for folder in (home.parent, home):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)


def run(database: sqlite3.Connection, action: str, address: str, now: int) -> int:
    """What ``edumail-accounts moving ACTION ADDRESS`` does; its exit status. Raises Refused."""
    match action:
        case "list":
            print(json.dumps(listing(database)))
        case "export":
            print(json.dumps(export(database, address)))
        case "adopt":
            print(json.dumps({"account": adopt(database, address, json.load(sys.stdin), now)}))
        case "leave":
            given = json.load(sys.stdin)
            leave(database, address, given["digest"], given["host"], now)
        case "contents":
            row = database.execute("SELECT * FROM account WHERE address = ?", (address,)).fetchone()
            if row is None:
                raise Refused(f"không có hộp thư {address} / there is no mailbox {address}")
            found, copies = contents(row)
            print(json.dumps({"letters": found, "digest": _digest(found), "copies": copies}))
        case "tidy":
            _tidy(_account(database, address, closed=False), json.load(sys.stdin))
        case _:
            row = _account(database, address, closed=action in ("serve", "pack"))
            database.close()
            _make_home(row)  # nobody ever wrote to it, or, at the old place, a cut came after its mail was deleted
            return {"serve": _serve, "pull": _pull, "pack": _pack, "unpack": _unpack}[action](row)
    return 0
