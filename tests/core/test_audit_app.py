"""What ``edumail-audit`` does for many letters and many mailboxes at once, without Postfix and Dovecot."""

from __future__ import annotations

import hashlib
import importlib.util
import sqlite3
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

APP = Path(__file__).resolve().parents[2] / "roles" / "audit" / "app" / "edumail_audit.py"


class Programs:
    """sendmail and doveadm."""

    def __init__(self) -> None:
        self.ran: list[Sequence[str]] = []
        self.rights: dict[str, str] = {}

    def run(self, command: Sequence[str], input: Any = None, check: bool = False, **rest: Any) -> Any:
        self.ran.append(command)
        if command[0].endswith("sendmail"):
            failed = command[-1] == "full@x.test"
            return SimpleNamespace(returncode=int(failed), stderr=b"no space" if failed else b"")
        people = Path(command[command.index("-F") + 1]).read_text().split()
        rows = [f"{person}\t{self.rights.get(person, '')}" for person in people if person != "lost@x.test"]
        return SimpleNamespace(stdout="\n".join(["Username\tRights", *rows, ""]))


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs()
    monkeypatch.setattr(subprocess, "run", made.run)
    return made


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("edumail_audit", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ask", lambda database, words, *values: database.execute(words, values).fetchall())
    return module


@pytest.fixture
def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE audit (login TEXT, token TEXT, hash TEXT, expires INTEGER)")
    made.execute("CREATE TABLE account (address TEXT, state TEXT)")
    states = {"an@x.test": "active", "binh@x.test": "waiting", "vt@x.test": "shared", "cu@x.test": "closed"}
    made.executemany("INSERT INTO account VALUES (?, ?)", [*states.items(), ("lost@x.test", "active")])
    made.execute("INSERT INTO audit VALUES ('auditor-1', ?, 'x', 1)", ["a" * 32])
    return made


def probe(sender: str, recipient: str, message_id: str) -> dict[str, str]:
    return {"sender": sender, "recipient": recipient, "message_id": message_id}


def test_a_letter_that_can_not_be_sent_stops_no_others(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    probes = [
        probe("cu@x.test", "an@x.test", "1@k.invalid"),
        probe("vt@x.test", "full@x.test", "2@k.invalid"),
        probe("vt@x.test", "-t an@x.test", "3@k.invalid"),
        probe("vt@x.test", "an@x.test", "4@k.invalid"),
    ]
    said = app.send(database, probes, ["a" * 32])
    assert list(said) == ["1@k.invalid", "2@k.invalid", "3@k.invalid", "4@k.invalid"]
    assert [bool(why) for why in said.values()] == [True, True, True, False]
    assert [command[-1] for command in programs.ran] == ["full@x.test", "an@x.test"]


def test_nothing_is_sent_without_the_token_of_an_open_audit(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    with pytest.raises(ValueError, match="no audit"):
        app.send(database, [probe("vt@x.test", "an@x.test", "1@k.invalid")], ["b" * 32])
    assert not programs.ran


def test_one_question_tells_who_sees_a_mailbox(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    programs.rights = {"an@x.test": "lookup read write", "binh@x.test": "read"}
    asked = [{"address": "vt@x.test", "people": ["binh@x.test", "an@x.test"]}, {"address": "vt@x.test", "people": []}]
    assert app.seers(database, asked) == [["an@x.test"], []]
    assert len(programs.ran) == 2
    with pytest.raises(ValueError, match="not mailboxes"):
        app.seers(database, [{"address": "vt@x.test", "people": ["cu@x.test"]}])
    with pytest.raises(ValueError, match="of 1 people instead of 2"):
        app.seers(database, [{"address": "vt@x.test", "people": ["an@x.test", "lost@x.test"]}])


def test_the_sign_in_is_kept_as_a_digest_that_dovecot_knows(
    app: ModuleType, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "refresh", lambda database, now: None)
    opened = app.open_audit(database, 0)
    ((kept,),) = database.execute("SELECT hash FROM audit WHERE login = ?", [opened["login"]])
    assert kept == "{SHA512}" + b64encode(hashlib.sha512(opened["password"].encode()).digest()).decode()
    assert len(opened["password"]) == 24
