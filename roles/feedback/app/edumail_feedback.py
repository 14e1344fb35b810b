"""The cases of a host: what citizens asked its units, how far it is, and what is still to be sent. In SQLite.

Whatever a citizen is told has been written to the disk before. Mail goes out from a table, by another process: a mail
server that is down, or a process that is killed between any two steps, delays it and loses nothing. A message that may
have gone out already goes out again with the same Message-ID.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_BYTES = 10
"""80 bits: nobody guesses one. Sixteen characters, in groups of four."""
TOKEN_SECONDS = (3, 24 * 3600)
"""How soon after it was shown a form may come back, and how late."""

A_DAY = 5, 20
"""How many automatic answers a sender gets in 24 hours: from one unit, and from all of a host."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS matter (id INTEGER PRIMARY KEY, unit TEXT NOT NULL, code TEXT NOT NULL UNIQUE,
  token TEXT UNIQUE, key TEXT NOT NULL UNIQUE, message_id TEXT NOT NULL, received INTEGER NOT NULL,
  name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('received', 'delivered', 'answered')), delivered INTEGER, answered INTEGER,
  answer TEXT NOT NULL DEFAULT '', published INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL,
  UNIQUE (unit, message_id)) STRICT;
CREATE INDEX IF NOT EXISTS published ON matter (unit, answered) WHERE published;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, matter INTEGER NOT NULL REFERENCES matter ON DELETE CASCADE,
  kind TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL, message BLOB NOT NULL, due INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS due ON outbox (due);
CREATE TABLE IF NOT EXISTS heard (message_id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS acknowledged;
CREATE TABLE IF NOT EXISTS acknowledgment (sender TEXT NOT NULL, unit TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS acknowledgment_sender ON acknowledgment (sender);
"""


@dataclass(frozen=True)
class Matter:
    """What somebody wrote to a unit, and what came of it."""

    id: int
    unit: str
    key: str
    """The word in the address that answers go to."""
    message_id: str
    received: int
    name: str
    email: str
    phone: str
    subject: str
    text: str
    state: str
    delivered: int | None
    answered: int | None
    answer: str
    published: int


FIELDS = ", ".join(Matter.__dataclass_fields__)
MOVED = (*(name for name in Matter.__dataclass_fields__ if name not in ("id", "unit")), "token", "changed")
"""What goes along with a matter to another host, beside the digest of its code."""
POSTED = "kind, sender, recipient, message, due, tries"


@dataclass(frozen=True)
class Letter:
    """A message that is to be sent."""

    id: int
    matter: int
    kind: str
    sender: str
    recipient: str
    message: bytes
    tries: int


def crockford(data: bytes) -> str:
    """Digits and letters that are not taken for each other, five bits each."""
    number = int.from_bytes(data, "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(len(data) * 8 - 5, -1, -5))


def shown(code: str) -> str:
    """A code as a citizen copies it."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def typed(text: str) -> str:
    """A code as it was typed: any case, any separators, O for 0, I and L for 1. Empty if it can't be one."""
    code = "".join(c for c in text[:100].upper().translate(str.maketrans("OIL", "011")) if c.isalnum())
    return code if len(code) == CODE_BYTES * 8 // 5 and set(code) <= set(CROCKFORD) else ""


def digest(text: str) -> str:
    """What is kept instead of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()


class Forms:
    """Form tokens: when and for which unit a form was shown, signed. A token makes one matter, with one code."""

    def __init__(self, key: bytes):
        self.key = key

    def _mac(self, *parts: str) -> bytes:
        return hmac.new(self.key, "\0".join(parts).encode(), "sha256").digest()

    def token(self, unit: str, now: float) -> str:
        """A new one."""
        said = f"{int(now)}.{secrets.token_hex(12)}"
        return f"{said}.{self._mac('form', unit, said).hex()[:32]}"

    def age(self, token: str, unit: str, now: float) -> float | None:
        """How many seconds ago it was shown; None when it is none of ours, or another unit's."""
        said, _, mac = token.rpartition(".")
        ours = self._mac("form", unit, said).hex()[:32]
        if not hmac.compare_digest(ours.encode(), mac.encode("utf-8", "replace")):
            return None
        return now - int(said.partition(".")[0])

    def code(self, token: str) -> str:
        """The code of the matter that a token makes: the same when the same form is sent twice."""
        return crockford(self._mac("code", token)[:CODE_BYTES])


def secret(folder: Path) -> bytes:
    """The host's own key, made once."""
    path = folder / "key"
    if not path.exists():
        new = folder / f".key.{os.getpid()}"
        new.write_bytes(secrets.token_bytes(32))
        new.chmod(0o600)
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
        os.sync()
    return path.read_bytes()


class Store:
    """The database; each method is one transaction."""

    def __init__(self, folder: Path):
        self.path = folder / "feedback.db"
        with self._open() as connection:
            connection.executescript(SCHEMA)
            self._one_letter_to_many(connection)

    @staticmethod
    def _one_letter_to_many(connection: sqlite3.Connection) -> None:
        """An older release took a letter to several units for one matter. SQLite changes no table's rules in place."""
        made = "SELECT sql FROM sqlite_schema WHERE name = 'matter'"
        if "message_id TEXT NOT NULL UNIQUE" in connection.execute(made).fetchone()[0]:
            table = SCHEMA.partition(";")[0].replace("IF NOT EXISTS matter", "matter_new")
            connection.executescript(
                f"PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; {table}; INSERT INTO matter_new SELECT * FROM matter;"
                " DROP TABLE matter; ALTER TABLE matter_new RENAME TO matter; COMMIT; PRAGMA foreign_keys = ON;"
            )
            connection.executescript(SCHEMA)  # the indexes went with the old table

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as connection:
            # FULL: what a citizen was told survives a power cut.
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                " PRAGMA secure_delete = ON"
            )
            yield connection

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def add(
        self,
        matter: Matter,
        code: str,
        token: str | None,
        letters: list[tuple[str, str, str, bytes]],
        answered: str = "",
    ) -> bool:
        """A new matter with what is to be sent, as (kind, sender, recipient, message); False when it is there already.

        code, token: in clear; their digests are kept. answered: who gets an automatic answer by this, and none when
        they had :data:`A_DAY`; then there is no matter either. Of the address a digest is kept.
        """
        with self._change() as connection:
            known = connection.execute(
                "SELECT 1 FROM matter WHERE code = ? OR token = ? OR (unit = ? AND message_id = ?)",
                (digest(code), digest(token) if token else None, matter.unit, matter.message_id),
            ).fetchone()
            if known or (answered and not self._may_acknowledge(connection, answered, matter)):
                return False
            cursor = connection.execute(
                "INSERT INTO matter (unit, code, token, key, message_id, received, name, email, phone, subject, text,"
                " state, delivered, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    matter.unit,
                    digest(code),
                    digest(token) if token else None,
                    matter.key,
                    matter.message_id,
                    matter.received,
                    matter.name,
                    matter.email,
                    matter.phone,
                    matter.subject,
                    matter.text,
                    matter.state,
                    matter.delivered,
                    matter.received,
                ),
            )
            self._post(connection, int(cursor.lastrowid or 0), letters, matter.received)
        return True

    @staticmethod
    def _post(
        connection: sqlite3.Connection, matter: int, letters: list[tuple[str, str, str, bytes]], now: int
    ) -> None:
        connection.executemany(
            "INSERT INTO outbox (matter, kind, sender, recipient, message, due) VALUES (?, ?, ?, ?, ?, ?)",
            [(matter, *letter, now) for letter in letters],
        )

    def _one(self, where: str, *values: object) -> Matter | None:
        with self._open() as connection:
            row = connection.execute(f"SELECT {FIELDS} FROM matter WHERE {where}", values).fetchone()
        return Matter(*row) if row else None

    def by_code(self, unit: str, code: str) -> Matter | None:
        """The matter that a citizen asks for, at the portal of its unit."""
        return self._one("code = ? AND unit = ?", digest(code), unit)

    def by_key(self, key: str) -> Matter | None:
        """The matter whose letter is answered."""
        return self._one("key = ?", key)

    def by_message_ids(self, unit: str, ids: list[str]) -> Matter | None:
        """The newest matter of the unit that one of these messages began."""
        marks = ", ".join("?" * len(ids))
        return self._one(f"unit = ? AND message_id IN ({marks}) ORDER BY id DESC LIMIT 1", unit, *ids)

    def answer(
        self,
        matter: Matter,
        message_id: str,
        text: str,
        published: bool | None,
        letters: list[tuple[str, str, str, bytes]],
        now: int,
    ) -> bool:
        """Keeps an answer, publishes or withdraws, and posts what goes to the citizen; False when it was heard before.

        text: empty leaves an earlier answer as it is; published: None leaves that as it is.
        """
        with self._change() as connection:
            if connection.execute("SELECT 1 FROM heard WHERE message_id = ?", (message_id,)).fetchone():
                return False
            connection.execute("INSERT INTO heard VALUES (?, ?)", (message_id, now))
            if text:
                connection.execute(
                    "UPDATE matter SET state = 'answered', answered = ?, answer = ?, changed = ? WHERE id = ?",
                    (now, text, now, matter.id),
                )
            if published is not None:
                connection.execute(
                    "UPDATE matter SET published = ? AND state = 'answered', changed = ? WHERE id = ?",
                    (published, now, matter.id),
                )
            self._post(connection, matter.id, letters, now)
        return True

    def published(self, unit: str, page: int, size: int) -> tuple[int, list[Matter]]:
        """How many questions with answers the unit shows, and those of one page, newest first."""
        with self._open() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM matter WHERE unit = ? AND published", (unit,)
            ).fetchone()
            rows = connection.execute(
                f"SELECT {FIELDS} FROM matter WHERE unit = ? AND published ORDER BY answered DESC, id LIMIT ? OFFSET ?",
                (unit, size, (page - 1) * size),
            ).fetchall()
        return count, [Matter(*row) for row in rows]

    def due(self, units: Collection[str], now: float) -> list[Letter]:
        """What is to be sent now for these units, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT outbox.id, matter, kind, sender, recipient, message, tries FROM outbox"
                " JOIN matter ON matter.id = matter AND unit IN (SELECT value FROM json_each(?)) WHERE due <= ?"
                " ORDER BY due, outbox.id LIMIT 50",
                (json.dumps(list(units)), int(now)),
            ).fetchall()
        return [Letter(*row) for row in rows]

    def sent(self, letter: Letter, now: float) -> None:
        """The mail system has it."""
        with self._change() as connection:
            connection.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))
            if letter.kind == "matter":
                connection.execute(
                    "UPDATE matter SET state = 'delivered', delivered = ? WHERE id = ? AND state = 'received'",
                    (int(now), letter.matter),
                )

    def put_off(self, letter: Letter, now: float) -> None:
        """It could not be sent: again after a while, at most an hour."""
        wait = min(2 ** min(letter.tries + 1, 12), 3600)
        with self._change() as connection:
            connection.execute(
                "UPDATE outbox SET due = ?, tries = tries + 1 WHERE id = ?", (int(now) + wait, letter.id)
            )

    def drop(self, letter: Letter) -> None:
        """It will never be taken: what it says stays readable by code."""
        with self._change() as connection:
            connection.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))

    def post_again(self, matter: Matter, letter: tuple[str, str, str, bytes], now: float, wait: int) -> None:
        """The mailbox did not take it (it was full): once more, later."""
        with self._change() as connection:
            connection.execute(
                "UPDATE matter SET state = 'received', delivered = NULL WHERE id = ? AND state = 'delivered'",
                (matter.id,),
            )
            self._post(connection, matter.id, [letter], int(now) + wait)

    @staticmethod
    def _may_acknowledge(connection: sqlite3.Connection, sender: str, matter: Matter) -> bool:
        local, _, domain = sender.lower().partition("@")  # a sub-address has no count of its own
        who, now = (
            digest(f"{local.partition('+')[0]}@{domain}"),
            matter.received,
        )
        connection.execute("DELETE FROM acknowledgment WHERE at <= ?", (now - 86400,))
        count = "SELECT count(*) FILTER (WHERE unit = ?), count(*) FROM acknowledgment WHERE sender = ?"
        had = connection.execute(count, (matter.unit, who)).fetchone()
        if any(number >= most for number, most in zip(had, A_DAY, strict=True)):
            return False
        connection.execute("INSERT INTO acknowledgment VALUES (?, ?, ?)", (who, matter.unit, now))
        return True

    def units(self) -> dict[str, int]:
        """Unit → how many of its matters are here."""
        with self._open() as connection:
            return dict(connection.execute("SELECT unit, count(*) FROM matter GROUP BY unit ORDER BY unit"))

    def whole(self, unit: str) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
        """Each matter of the unit: the digest of its code, all else that is kept, and what is still to be sent."""
        with self._open() as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute("SELECT * FROM matter WHERE unit = ? ORDER BY id", (unit,)):
                letters = connection.execute(f"SELECT {POSTED} FROM outbox WHERE matter = ? ORDER BY id", (row["id"],))
                yield row["code"], {name: row[name] for name in MOVED}, [dict(letter) for letter in letters]

    def adopt(self, given: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> list[str]:
        """Keep matters that another host had, each with what is still to be sent; of two the one that changed last.

        Gives the digests of the codes whose matters are here by now.
        """
        names = ("unit", "code", *MOVED)
        matter = f"INSERT OR IGNORE INTO matter ({', '.join(names)}) VALUES ({', '.join(f':{n}' for n in names)})"
        marks = ", ".join(f":{name}" for name in POSTED.split(", "))
        here = []
        with self._change() as connection:
            for fields, letters in given:
                # Whoever moved there and back has one of long ago here.
                connection.execute(
                    "DELETE FROM matter WHERE unit = :unit AND code = :code AND changed < :changed", fields
                )
                cursor = connection.execute(matter, fields)
                if cursor.rowcount:
                    rows = ({**letter, "matter": cursor.lastrowid} for letter in letters)
                    connection.executemany(f"INSERT INTO outbox (matter, {POSTED}) VALUES (:matter, {marks})", rows)
                # A letter that was in both hosts' queues is registered here already: the citizen has that code as well.
                known = "SELECT 1 FROM matter WHERE unit = :unit AND (code = :code OR message_id = :message_id)"
                if connection.execute(known, fields).fetchone():
                    here.append(str(fields["code"]))
        return here

    def leave(self, unit: str, codes: list[str]) -> int:
        """Delete those matters of the unit, by the digests of their codes, with what was to be sent: how many."""
        with self._change() as connection:
            rows = [(unit, code) for code in codes]
            return connection.executemany("DELETE FROM matter WHERE unit = ? AND code = ?", rows).rowcount

    def forget(self, days: dict[str, int], most: int, now: float) -> int:
        """Deletes what its unit does not keep any longer, by the last change.

        days: unit → days; most: for units that are not here any more, and may have to move yet.
        """
        gone = 0
        with self._change() as connection:
            for (unit,) in connection.execute("SELECT DISTINCT unit FROM matter").fetchall():
                before = int(now) - days.get(unit, most) * 86400
                gone += connection.execute("DELETE FROM matter WHERE unit = ? AND changed < ?", (unit, before)).rowcount
            connection.execute("DELETE FROM heard WHERE at < ?", (int(now) - 400 * 86400,))
        return gone


def new_matter(unit: str, domain: str, *, subject: str, text: str, name: str, email: str, phone: str) -> Matter:
    """What a form says, before it has a number."""
    key = crockford(secrets.token_bytes(CODE_BYTES)).lower()
    return Matter(
        id=0,
        unit=unit,
        key=key,
        message_id=f"<{key}.{secrets.token_hex(6)}@{domain}>",
        received=int(time.time()),
        name=name,
        email=email,
        phone=phone,
        subject=subject,
        text=text,
        state="received",
        delivered=None,
        answered=None,
        answer="",
        published=0,
    )
