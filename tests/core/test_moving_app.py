"""An account that moves to another host: what goes along, what stays, and when the old place is deleted."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

APP = Path(__file__).resolve().parents[2] / "roles" / "accounts" / "app"
AN, BOX = "an@x.test", "chung@x.test"
NOW = 1_000_000
DOVEADM = """\
#!/bin/sh
case "$*" in
*"mailbox uid guid"*) printf '%s' '[
 {"mailbox":"INBOX","uid":"1","guid":"g","hdr.message-id":"<a@x>","size.virtual":"7"},
 {"mailbox":"INBOX","uid":"4","guid":"g","hdr.message-id":"<a@x>","size.virtual":"7"},
 {"mailbox":"Công văn","uid":"9","guid":"h","hdr.message-id":"","size.virtual":"5"}]' ;;
*"hdr size.virtual mailbox Công văn uid 9"*) printf '[{"hdr":"From: x\\\\r\\\\n\\\\r\\\\n","size.virtual":"5"}]' ;;
*) exit 64 ;;
esac
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with mailboxes below a temporary folder that belong to whoever runs the tests."""
    monkeypatch.syspath_prepend(str(APP))
    module = importlib.import_module("edumail_moving")
    monkeypatch.setattr(module, "MAIL", str(tmp_path))
    monkeypatch.setattr(module, "acting_as", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(module, "as_root", contextlib.nullcontext)
    monkeypatch.setattr(module, "_as_vmail", lambda _: {})
    return module


def host(tmp_path: Path, **fields: object) -> sqlite3.Connection:
    """A database with one person's account and a shared mailbox; ``fields`` are the person's."""
    database: sqlite3.Connection = importlib.import_module("edumail_store").connect(":memory:")
    row = {"person": "p1", "state": "waiting", "hash": None, **fields}
    for address, values in ((AN, row), (BOX, {"person": None, "state": row["state"].replace("waiting", "shared")})):
        names = ["address", "unit", "name", "home", "quota_mb", "code_days", "changed", *values]
        given = [address, "u", "x", str(tmp_path / address), 1, 1, 0, *values.values()]
        database.execute(f"INSERT INTO account ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", given)
    return database


def old_place(tmp_path: Path, **fields: object) -> sqlite3.Connection:
    database = host(tmp_path, **{"state": "closed", "hash": "old hash", "totp": "KEY", "totp_counter": 7, **fields})
    database.execute("INSERT INTO app_password VALUES (?, 'abcde', 'Phone', 'app hash', 1)", (AN,))
    database.execute("INSERT INTO sign_in VALUES (?, 5, 'imap', '::1')", (AN,))
    database.execute("INSERT INTO act VALUES (6, 'root', ?, 'code', '')", (AN,))
    return database


def person(database: sqlite3.Connection) -> dict[str, object]:
    return dict(database.execute("SELECT * FROM account WHERE address = ?", (AN,)).fetchone())


def everything(database: sqlite3.Connection) -> list[str]:
    return list(database.iterdump())


def test_password_second_step_programs_and_history_go_along_once(app: ModuleType, tmp_path: Path) -> None:
    old, new = old_place(tmp_path), host(tmp_path)
    assert app.adopt(new, AN, app.export(old, AN), NOW) == "taken"
    row = person(new)
    assert (row["state"], row["hash"], row["totp"], row["totp_counter"]) == ("active", "old hash", "KEY", 7)
    assert row["seen"] == NOW  # nobody is idle whose account was closed
    assert [tuple(r) for r in new.execute("SELECT tag, hash FROM app_password")] == [("abcde", "app hash")]
    assert [r["what"] for r in new.execute("SELECT what FROM act ORDER BY at")] == ["code", "moved-in"]
    once = everything(new)
    app.adopt(new, AN, app.export(old, AN), NOW + 9)
    assert everything(new) == once


def test_a_password_chosen_at_the_new_place_stays(app: ModuleType, tmp_path: Path) -> None:
    new = host(tmp_path, state="active", hash="their own", totp="")
    assert app.adopt(new, AN, app.export(old_place(tmp_path), AN), NOW) == "kept"
    row = person(new)
    assert (row["hash"], row["totp"], row["seen"]) == ("their own", "", 0)
    assert new.execute("SELECT count(*) FROM app_password").fetchone()[0] == 0
    assert new.execute("SELECT count(*) FROM sign_in").fetchone()[0] == 1  # what was done is no less true


def test_a_code_goes_along_unless_the_new_place_has_given_one(app: ModuleType, tmp_path: Path) -> None:
    code = {"hash": None, "code": "old code", "code_expires": NOW + 5, "code_tries": 2, "totp": ""}
    given = app.export(old_place(tmp_path, **code), AN)
    new = host(tmp_path)
    app.adopt(new, AN, given, NOW)
    assert [person(new)[key] for key in ("state", "code", "code_tries")] == ["waiting", "old code", 2]
    for expires, kept in ((NOW + 1, "new code"), (NOW - 1, "old code")):
        new = host(tmp_path, code="new code", code_expires=expires)
        app.adopt(new, AN, app.export(old_place(tmp_path, **code), AN), NOW)
        assert person(new)["code"] == kept


def test_a_deploy_that_closes_an_account_keeps_its_code_and_one_of_a_leaver_does_not(
    app: ModuleType, tmp_path: Path
) -> None:
    accounts = importlib.import_module("edumail_accounts")
    for elsewhere, kept in (({"p1"}, "digest"), (set(), None)):
        database = host(tmp_path, code="digest", code_expires=NOW + 5)
        wanted = accounts.Wanted(frozenset(), frozenset(["other@x.test\th\t::1"]), frozenset(elsewhere), {})
        accounts.sync(database, wanted, NOW)
        assert (person(database)["state"], person(database)["code"]) == ("closed" if elsewhere else "left", kept)


def test_nobody_gets_what_is_somebody_elses(app: ModuleType, tmp_path: Path) -> None:
    given = app.export(old_place(tmp_path), AN)
    for new in (host(tmp_path, person="p2"), host(tmp_path, state="closed"), host(tmp_path, state="left")):
        before = everything(new)
        with pytest.raises(app.Refused):
            app.adopt(new, AN, given, NOW)
        assert everything(new) == before


@pytest.mark.parametrize("state", ["waiting", "active", "left"])
def test_only_a_closed_account_gives_anything_away(app: ModuleType, tmp_path: Path, state: str) -> None:
    database = old_place(tmp_path, state=state)
    with pytest.raises(app.Refused):
        app.export(database, AN)
    with pytest.raises(app.Refused):
        app.leave(database, AN, app._digest([]), "mail-b", NOW)


def test_a_letter_without_a_name_goes_by_its_header(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doveadm = tmp_path / "doveadm"
    doveadm.write_text(DOVEADM, encoding="utf-8")
    doveadm.chmod(0o755)
    monkeypatch.setattr(app, "DOVEADM", str(doveadm))
    (tmp_path / AN / "Maildir").mkdir(parents=True)
    database = host(tmp_path)
    row = database.execute("SELECT * FROM account WHERE address = ?", (AN,)).fetchone()
    letters, copies = app.contents(row)
    nameless, *named = letters
    assert named == [("INBOX", "<a@x>", 7)] * 2
    assert copies == [("INBOX", "g", ["1", "4"])]
    assert (nameless[0], len(nameless[1]), nameless[2]) == ("Công văn", 64, 5)


def test_the_old_place_goes_with_all_that_belongs_to_it_and_a_line_stays(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = old_place(tmp_path)
    (tmp_path / AN / "Maildir").mkdir(parents=True)
    letters = [("INBOX", "<a@x>", 7)]
    monkeypatch.setattr(app, "letters", lambda _: letters)
    digest = app._digest(letters)
    letters.append(("INBOX", "<late@x>", 8))
    with pytest.raises(app.Refused, match="has changed"):
        app.leave(database, AN, digest, "mail-b", NOW)
    assert (tmp_path / AN / "Maildir").exists()
    app.leave(database, AN, app._digest(letters), "mail-b", NOW)
    assert not (tmp_path / AN).exists()
    for table in ("account", "app_password", "sign_in", "act"):
        assert database.execute(f"SELECT count(*) FROM {table} WHERE address = ?", (AN,)).fetchone()[0] == 0
    assert [tuple(row) for row in database.execute("SELECT * FROM moved")] == [(AN, "u", "mail-b", NOW)]


def test_a_home_that_somebody_else_has_too_stays(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = old_place(tmp_path)
    (tmp_path / AN / "Maildir").mkdir(parents=True)
    monkeypatch.setattr(app, "letters", lambda _: [])
    database.execute("UPDATE account SET home = ? WHERE address = ?", (str(tmp_path / AN / "inner"), BOX))
    app.leave(database, AN, app._digest([]), "mail-b", NOW)
    assert (tmp_path / AN).exists()


def test_what_came_aside_takes_no_place_that_is_taken(app: ModuleType, tmp_path: Path) -> None:
    aside, home = tmp_path / "aside", tmp_path / "home"
    for folder in (aside / "sieve", home / "sieve"):
        folder.mkdir(parents=True)
    (aside / "sieve" / "a.sieve").write_text("theirs")
    (aside / ".dovecot.sieve").symlink_to("sieve/a.sieve")
    (aside / "Maildir").mkdir()  # nothing that was not asked for
    assert [target for _, target in app._placed(aside, home)] == [home / "sieve" / "a.sieve", home / ".dovecot.sieve"]
