"""The database of a host's accounts, and as whom its programs act.

The folder belongs to the user of the account pages, which are open to the world. So root, who keeps the accounts, opens
and changes the database as that user alone: whoever got hold of the pages must not make root write where a link leads.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

DATABASE = "/var/lib/edumail/accounts/accounts.db"
SIGN_INS = 20
"""How many of a person's last sign-ins are kept."""
DOMAIN = "substr(address, instr(address, '@') + 1)"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS account (
  address TEXT PRIMARY KEY,
  unit TEXT NOT NULL,
  person TEXT,
  name TEXT NOT NULL,
  home TEXT NOT NULL,
  quota_mb INTEGER NOT NULL,
  trash_days INTEGER NOT NULL DEFAULT 30,
  junk_days INTEGER NOT NULL DEFAULT 30,
  code_days INTEGER NOT NULL,
  idle_days INTEGER NOT NULL DEFAULT 45,
  leaver_days INTEGER NOT NULL DEFAULT 90,
  password_characters INTEGER NOT NULL DEFAULT 14,
  password_classes INTEGER NOT NULL DEFAULT 4,
  forward_sender TEXT NOT NULL DEFAULT 'forwarder',
  holds TEXT NOT NULL DEFAULT '',
  officer INTEGER NOT NULL DEFAULT 0,
  check_hours INTEGER NOT NULL DEFAULT 0,
  head TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL CHECK (state IN ('waiting', 'active', 'left', 'shared', 'closed')),
  hash TEXT,
  code TEXT,
  code_expires INTEGER,
  code_tries INTEGER NOT NULL DEFAULT 0,
  totp TEXT NOT NULL DEFAULT '',
  totp_counter INTEGER NOT NULL DEFAULT 0,
  seen INTEGER NOT NULL DEFAULT 0,
  opened_at INTEGER NOT NULL DEFAULT 0,
  suspended INTEGER NOT NULL DEFAULT 0,
  reminded INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS app_password (
  address TEXT NOT NULL,
  tag TEXT NOT NULL,
  label TEXT NOT NULL,
  hash TEXT NOT NULL,
  made INTEGER NOT NULL,
  PRIMARY KEY (address, tag)
) STRICT;
CREATE TABLE IF NOT EXISTS sign_in (
  address TEXT NOT NULL,
  at INTEGER NOT NULL,
  how TEXT NOT NULL,
  client TEXT NOT NULL,
  PRIMARY KEY (address, at, how, client)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
  token TEXT PRIMARY KEY,
  address TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('code', 'second', 'open')),
  began INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS act (
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  address TEXT NOT NULL,
  what TEXT NOT NULL,
  client TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS act_address ON act (address, at);
CREATE TABLE IF NOT EXISTS to_end (
  address TEXT PRIMARY KEY
) STRICT;
CREATE TABLE IF NOT EXISTS purged (
  address TEXT NOT NULL,
  unit TEXT NOT NULL,
  left_at INTEGER NOT NULL,
  purged_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS moved (
  address TEXT NOT NULL,
  unit TEXT NOT NULL,
  host TEXT NOT NULL,
  moved_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS clock (
  last INTEGER NOT NULL,
  calm INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS holding (
  holder TEXT NOT NULL,
  address TEXT NOT NULL,
  PRIMARY KEY (holder, address)
) STRICT;
CREATE TABLE IF NOT EXISTS opened (
  address TEXT PRIMARY KEY,
  stamp TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS route (
  address TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  hostip TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS route_domain ON route ({DOMAIN}, host);
CREATE INDEX IF NOT EXISTS account_domain ON account ({DOMAIN});
CREATE TABLE IF NOT EXISTS audit (
  login TEXT PRIMARY KEY,
  token TEXT NOT NULL,
  hash TEXT NOT NULL,
  expires INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audit_letters (
  token TEXT PRIMARY KEY,
  outside TEXT NOT NULL,
  sent INTEGER NOT NULL
) STRICT;
"""
THEIRS = ("app_password", "sign_in", "session", "act", "to_end", "opened")
"""Tables whose rows belong to an account, by ``address``."""


PASSING = ("refused-password", "refused-code", "refused-number", "sign-out")
"""Acts of which not all are kept."""


class Refused(Exception):
    """What was asked can't be done; the message says why, in Vietnamese and English."""


def connect(path: str) -> sqlite3.Connection:
    """The database at ``path``, made when it is not there. Commits are durable before they return."""
    database = sqlite3.connect(path, isolation_level=None, timeout=30)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)
    have = {row["name"] for row in database.execute("PRAGMA table_info(account)")}
    account = SCHEMA.partition(") STRICT;")[0]
    for column in (line.strip().rstrip(",") for line in account.splitlines() if " DEFAULT " in line):
        if column.split()[0] not in have:
            database.execute(f"ALTER TABLE account ADD COLUMN {column}")  # a database of an older release
    with contextlib.suppress(sqlite3.IntegrityError):  # an older release let two accounts have one home
        database.execute("CREATE UNIQUE INDEX IF NOT EXISTS account_home ON account (home)")
    return database


def person(database: sqlite3.Connection, address: str) -> sqlite3.Row:
    """The account of somebody who is here. Raises Refused."""
    row = database.execute(
        "SELECT * FROM account WHERE address = ? AND person IS NOT NULL AND state IN ('waiting', 'active')",
        (address.lower(),),
    ).fetchone()
    if row is None:
        raise Refused(f"không có tài khoản cá nhân {address} / there is no personal account {address}")
    return row


def note_act(database: sqlite3.Connection, actor: str, address: str, what: str, client: str, now: int) -> None:
    """Write down who did what with whose account, and from where."""
    database.execute("INSERT INTO act VALUES (?, ?, ?, ?, ?)", (now, actor, address, what, client))


def note_passing(database: sqlite3.Connection, actor: str, address: str, what: str, client: str, now: int) -> None:
    """As :func:`note_act`, of what anybody may do without end, where there is such an account.

    From one client it is written down once an hour, and of each kind an account keeps :data:`SIGN_INS`: no flood fills
    the disk.
    """
    with transaction(database):
        new = database.execute(
            "SELECT 1 FROM account WHERE address = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM act WHERE address = ?1 AND what = ?2 AND client = ?3 AND at > ?4)",
            (address, what, client, now - 3600),
        ).fetchone()
        if new is not None:
            note_act(database, actor, address, what, client, now)
            database.execute(
                "DELETE FROM act WHERE rowid IN (SELECT rowid FROM act WHERE address = ? AND what = ?"
                " ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (address, what, SIGN_INS),
            )


def forget_sign_ins(database: sqlite3.Connection, address: str) -> None:
    """Keep a person's last :data:`SIGN_INS` alone."""
    database.execute(
        "DELETE FROM sign_in WHERE address = ?1 AND at < (SELECT min(at) FROM"
        " (SELECT at FROM sign_in WHERE address = ?1 ORDER BY at DESC LIMIT ?2))",
        (address, SIGN_INS),
    )


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, on the disk when it ends; inside of another one it is a part of that."""
    if database.in_transaction:
        yield
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextlib.contextmanager
def acting_as(user: int, group: int) -> Iterator[None]:
    """Be somebody else for a while, and then whom one was before; for a program that root has started."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    _become(user, group, [])
    try:
        yield
    finally:
        _become(*before)


def as_owner(path: str) -> contextlib.AbstractContextManager[None]:
    """Act as whom the folder of ``path`` belongs to."""
    folder = Path(path).parent.stat()
    return acting_as(folder.st_uid, folder.st_gid)


def as_root() -> contextlib.AbstractContextManager[None]:
    """Act as root again, for what asks other programs."""
    return acting_as(0, 0)


def _become(user: int, group: int, groups: list[int]) -> None:
    if os.getuid() != 0:
        return  # nobody but root can be another
    os.seteuid(0)
    os.setgroups(groups)
    os.setegid(group)
    os.seteuid(user)
