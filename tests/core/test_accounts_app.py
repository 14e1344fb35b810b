"""The accounts of a host as edumail-accounts keeps them: what a deploy may change, and what it may not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

APP = Path(__file__).resolve().parents[2] / "roles" / "accounts" / "app" / "edumail_accounts.py"
OLD_SCHEMA = """
CREATE TABLE account (address TEXT PRIMARY KEY, unit TEXT NOT NULL, person TEXT, name TEXT NOT NULL,
  home TEXT NOT NULL, quota_mb INTEGER NOT NULL, code_days INTEGER NOT NULL, state TEXT NOT NULL, hash TEXT, code TEXT,
  code_expires INTEGER, code_tries INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL) STRICT;
INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, hash, changed)
  VALUES ('an@x.test', 'u', 'p1', 'An', '/var/vmail/x.test/an', 1, 1, 'active', 'secret', 0);
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command as a module, with mailboxes below a temporary folder that belong to whoever runs the tests."""
    spec = importlib.util.spec_from_file_location("edumail_accounts", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MAIL", str(tmp_path))
    monkeypatch.setattr(module, "SHARING_MAP", str(tmp_path / "shared-mailboxes"))
    monkeypatch.setattr(module, "_as_vmail", contextlib.nullcontext)
    return module


def row(address: str, person: str | None, *holds: str) -> dict[str, object]:
    figures = {"quota_mb": 1, "trash_days": 2, "junk_days": 3, "code_days": 4}
    return {
        "address": address,
        "unit": "u",
        "person": person,
        "name": address,
        "holds": list(holds),
        "was": [],
        **figures,
    }


def subscribed(folder: Path) -> list[str]:
    return (folder / "Maildir" / "subscriptions").read_text().splitlines()[2:]


def test_a_database_of_an_older_release_keeps_its_accounts(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    assert app.sync(database, [row("an@x.test", "p1", "chung@x.test")], {}, 9)["changed"] == 1
    account = dict(database.execute("SELECT * FROM account").fetchone())
    assert (account["hash"], account["state"]) == ("secret", "active")
    assert (account["trash_days"], account["junk_days"], account["holds"]) == (2, 3, "chung@x.test")


def test_a_renamed_mailbox_keeps_its_mail_and_its_password(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    renamed = row("an@y.test", "p1") | {"was": ["an@x.test"]}
    for _ in range(2):
        assert app.sync(database, [renamed], {}, 9)["new"] == 0
        (account,) = map(dict, database.execute("SELECT * FROM account"))
        assert (account["address"], account["home"]) == ("an@y.test", "/var/vmail/x.test/an")
        assert (account["hash"], account["state"]) == ("secret", "active")


def test_an_old_name_hands_nobody_s_mail_to_somebody_else(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    app.sync(database, [row("binh@y.test", "p2") | {"was": ["an@x.test"]}], {}, 9)
    accounts = {account["address"]: dict(account) for account in database.execute("SELECT * FROM account")}
    assert (accounts["binh@y.test"]["hash"], accounts["binh@y.test"]["state"]) == (None, "waiting")
    assert accounts["an@x.test"]["state"] == "left"


def test_who_holds_a_shared_mailbox_is_subscribed_and_who_no_longer_does_is_not(
    app: ModuleType, tmp_path: Path
) -> None:
    database = app.connect(":memory:")
    shared = row("chung@x.test", None)
    an, be = tmp_path / "x.test" / "an", tmp_path / "x.test" / "be"

    def wanted(*holders: str) -> None:
        people = [row(f"{name}@x.test", name, *(["chung@x.test"] if name in holders else [])) for name in ("an", "be")]
        app.sync(database, [shared, *people], {}, 9)
        app.share(database)

    wanted("an")
    assert subscribed(an) == ["INBOX", "Donvi/chung@x\ttest/INBOX"]
    assert not be.exists()
    assert "group=chung@x.test " in (tmp_path / "x.test" / "chung" / "Maildir" / "dovecot-acl").read_text()
    assert (tmp_path / "shared-mailboxes").read_text() == "shared/shared-boxes/group/chung@x.test/chung@x.test\n1\n"
    (an / "Maildir" / "subscriptions").write_text(
        "V\t2\n\nINBOX\nDonvi/chung@x\ttest/INBOX\nDonvi/chung@x\ttest/Viec\nRieng\n"
    )
    wanted("be")
    assert subscribed(an) == ["INBOX", "Rieng"]
    assert subscribed(be) == ["INBOX", "Donvi/chung@x\ttest/INBOX"]
    before = (an / "Maildir" / "subscriptions").stat().st_mtime_ns
    wanted("be")
    assert (an / "Maildir" / "subscriptions").stat().st_mtime_ns == before


def test_where_other_hosts_mailboxes_are_is_replaced_as_a_whole(app: ModuleType) -> None:
    database = app.connect(":memory:")
    app.sync(database, [], {"a@x.test": ["one.test", "192.0.2.1"], "b@x.test": ["one.test", "192.0.2.1"]}, 9)
    app.sync(database, [], {"b@x.test": ["two.test", "192.0.2.2"]}, 9)
    assert [tuple(r) for r in database.execute("SELECT * FROM route")] == [("b@x.test", "two.test", "192.0.2.2")]


def test_a_lock_that_somebody_left_behind_does_not_hold_for_ever(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    app.sync(database, [row("chung@x.test", None), row("an@x.test", "an", "chung@x.test")], {}, 9)
    lock = tmp_path / "x.test" / "an" / "Maildir" / "subscriptions.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (1, 1))
    app.share(database)
    assert subscribed(tmp_path / "x.test" / "an") == ["INBOX", "Donvi/chung@x\ttest/INBOX"]
    assert not lock.exists()
