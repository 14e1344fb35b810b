"""The accounts of a host as edumail-accounts keeps them: what a deploy may change, and what it may not."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import edumail_calendar
import pytest
from edumail_calendar import Calendar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edumail.mail import Mail, Mailbox
from edumail.model import Province
from roles.accounts.render import line, wanted

ALWAYS = Calendar(range(7))
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
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("edumail_accounts", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MAIL", str(tmp_path))
    monkeypatch.setattr(module, "SHARING_MAP", str(tmp_path / "shared-mailboxes"))
    monkeypatch.setattr(module, "_as_vmail", contextlib.nullcontext)
    monkeypatch.setattr(edumail_calendar, "read", lambda: ALWAYS)
    return module


def row(address: str, person: str | None, *holds: str) -> dict[str, object]:
    figures = {"quota_mb": 1, "trash_days": 2, "junk_days": 3, "code_days": 4, "idle_days": 5, "leaver_days": 6}
    figures |= {
        "password_characters": 8,
        "password_classes": 3,
        "forward_sender": "forwarder",
        "officer": False,
        "check_hours": 0,
        "head": "",
    }
    texts = {"address": address, "unit": "u", "person": person, "name": address}
    return {**texts, "holds": list(holds), "was": [], **figures}


def wanted_of(
    app: ModuleType,
    rows: Iterable[dict[str, Any]],
    routes: Mapping[str, Sequence[str]] = MappingProxyType({}),
    elsewhere: Iterable[str] = (),
) -> Any:
    """What a deploy writes, as the command reads it."""
    mailboxes = [Mailbox(**row) for row in rows]
    return app.Wanted(
        frozenset(line(mailbox).rstrip("\n") for mailbox in mailboxes),
        frozenset("\t".join((address, *there)) for address, there in routes.items()),
        frozenset(elsewhere),
        {mailbox.address: list(mailbox.was) for mailbox in mailboxes},
    )


def sync(
    app: ModuleType,
    database: sqlite3.Connection,
    rows: Iterable[dict[str, Any]],
    routes: Mapping[str, Sequence[str]],
    now: int,
    elsewhere: Iterable[str] = (),
    make_homes: Callable[[list[str]], None] = lambda homes: None,
) -> dict[str, int]:
    counts: dict[str, int] = app.sync(database, wanted_of(app, rows, routes, elsewhere), now, make_homes)
    return counts


def subscribed(folder: Path) -> list[str]:
    return (folder / "Maildir" / "subscriptions").read_text().splitlines()[2:]


def test_a_database_of_an_older_release_keeps_its_accounts(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    assert sync(app, database, [row("an@x.test", "p1", "chung@x.test")], {}, 9)["changed"] == 1
    account = dict(database.execute("SELECT * FROM account").fetchone())
    assert (account["hash"], account["state"]) == ("secret", "active")
    assert (account["trash_days"], account["junk_days"], account["holds"]) == (2, 3, "chung@x.test")
    app.note_sign_ins(database, [], 9)
    assert app.suspend_idle(database, 10) == []  # nobody is taken for idle before it was looked


def test_a_renamed_mailbox_keeps_its_mail_and_its_password(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    renamed = row("an@y.test", "p1") | {"was": ["an@x.test"]}
    for _ in range(2):
        assert sync(app, database, [renamed], {}, 9)["new"] == 0
        (account,) = map(dict, database.execute("SELECT * FROM account"))
        assert (account["address"], account["home"]) == ("an@y.test", "/var/vmail/x.test/an")
        assert (account["hash"], account["state"]) == ("secret", "active")


def test_an_old_name_hands_nobody_s_mail_to_somebody_else(app: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    sqlite3.connect(path).executescript(OLD_SCHEMA)
    database = app.connect(str(path))
    sync(app, database, [row("binh@y.test", "p2") | {"was": ["an@x.test"]}], {}, 9)
    accounts = {account["address"]: dict(account) for account in database.execute("SELECT * FROM account")}
    assert (accounts["binh@y.test"]["hash"], accounts["binh@y.test"]["state"]) == (None, "waiting")
    assert accounts["an@x.test"]["state"] == "closed"


def put(database: sqlite3.Connection, address: str, person: str | None, state: str = "active") -> None:
    """An account with a home and a password of its own, as an earlier deploy left it."""
    local, _, domain = address.partition("@")
    database.execute(
        "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, hash, changed)"
        " VALUES (?, 'u', ?, ?, ?, 1, 1, ?, ?, 0)",
        (address, person, address, f"/old/{domain}/{local}", state, f"hash of {person}" if person else None),
    )


def kept(database: sqlite3.Connection, address: str) -> tuple[str | None, str, str | None, str]:
    """Whose the account is, its home without the folders, its password, its state."""
    one = database.execute("SELECT * FROM account WHERE address = ?", (address,)).fetchone()
    return one["person"], one["home"].rpartition("/")[2], one["hash"], one["state"]


A, B, C = "a@x.test", "b@x.test", "c@x.test"


@pytest.mark.parametrize("lines", [True, False])
def test_addresses_that_change_hands_take_nobody_s_mail_along(app: ModuleType, lines: bool) -> None:
    """P goes from a to b, Q from b to c, or back to a. A line of former.yml can not say so: b has an owner."""
    for target in (C, A):
        database = app.connect(":memory:")
        put(database, A, "p")
        put(database, B, "q")
        wanted = [row(B, "p") | {"was": [A] if lines else []}, row(target, "q") | {"was": [B] if lines else []}]
        for _ in range(2):
            assert sync(app, database, wanted, {}, 9)["new"] == 0
            assert kept(database, B) == ("p", "a", "hash of p", "active")
            assert kept(database, target) == ("q", "b", "hash of q", "active")


def test_whoever_gets_a_leaver_s_address_does_not_get_the_mail(app: ModuleType, tmp_path: Path) -> None:
    """Neither a newcomer nor a colleague who takes the address over; the leaver's is deleted in time, or comes back."""
    for taker in ("new", "p"):
        database = app.connect(":memory:")
        put(database, A, "p")
        put(database, B, "q")
        wanted = [row(B, taker), *([row(A, "p")] if taker == "new" else [])]
        counts = sync(app, database, wanted, {}, 9)
        assert counts["set_aside"] == 1
        own = ("new", "b", None, "waiting") if taker == "new" else ("p", "a", "hash of p", "active")
        assert kept(database, B) == own
        assert kept(database, "b#1@x.test") == ("q", "b", "hash of q", "left")
        assert sync(app, database, wanted, {}, 10) == dict.fromkeys(counts, 0)
        if taker == "new":
            assert app.purge_leavers(database, 9 + 90 * DAY, []) == ["b#1@x.test"]
            assert database.execute("SELECT address FROM purged").fetchone()[0] == B
            assert kept(database, B) == own
        sync(app, database, [row(B, "q")], {}, 11)
        assert kept(database, B)[0] == "q"
        assert kept(database, B)[2] == (None if taker == "new" else "hash of q")


def test_a_namesake_begins_with_an_empty_mailbox(app: ModuleType, tmp_path: Path) -> None:
    """Also after the first one took the home along to another address; homes are unique."""
    database = app.connect(":memory:")
    sync(app, database, [row(A, "p")], {}, 1)
    sync(app, database, [row(B, "p") | {"was": [A]}], {}, 2)
    sync(app, database, [row(B, "p"), row(A, "new")], {}, 3)
    assert (kept(database, B)[1], kept(database, A)[1]) == ("a", "a#1")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE account SET home = (SELECT home FROM account WHERE person = 'p')")


def test_a_home_that_somebody_else_has_too_is_not_deleted(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an earlier release could leave it; the hourly run names it."""
    path = tmp_path / "accounts.db"
    home = tmp_path / "x.test" / "an"
    home.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(OLD_SCHEMA.replace("/var/vmail/x.test/an", str(home)))
        old.executescript(
            "INSERT INTO account SELECT 'be@x.test', unit, 'p2', name, home, quota_mb, code_days, state, hash, code,"
            " code_expires, code_tries, changed FROM account"
        )
    database = app.connect(str(path))
    monkeypatch.setattr(app, "_journal", lambda: iter(()))
    assert app.main(["--database", str(path), "tend"]) == 1
    assert "two accounts have one home: an@x.test, be@x.test" in capsys.readouterr().err
    sync(app, database, [row("be@x.test", "p2")], {}, 0)
    assert app.purge_leavers(database, 10**10, []) == ["an@x.test"]
    assert home.exists()


def test_two_old_addresses_of_one_person(app: ModuleType) -> None:
    """The account in use comes along; the other one is kept as long as its owner is there."""
    database = app.connect(":memory:")
    put(database, A, "p", "left")
    put(database, B, "p")
    sync(app, database, [row(C, "p") | {"was": [A, B]}], {}, 9)
    assert kept(database, C) == ("p", "b", "hash of p", "active")
    assert kept(database, A) == ("p", "a", "hash of p", "closed")


def test_a_line_of_former_that_comes_late_loses_nothing(app: ModuleType) -> None:
    database = app.connect(":memory:")
    put(database, A, "p", "left")
    put(database, B, "p", "waiting")
    sync(app, database, [row(B, "p") | {"was": [A]}], {}, 9)
    assert kept(database, B)[1] == "b"
    assert kept(database, A) == ("p", "a", "hash of p", "closed")
    database = app.connect(":memory:")
    put(database, A, "p", "left")
    sync(app, database, [row(B, "p") | {"was": [A]}], {}, 9)
    assert kept(database, B) == ("p", "a", "hash of p", "active")
    assert app.suspend_idle(database, 9 + 4 * DAY) == []  # who comes back was away, not idle


def test_an_id_that_is_used_again_opens_no_leaver_s_mailbox(app: ModuleType) -> None:
    database = app.connect(":memory:")
    put(database, A, "p", "left")
    sync(app, database, [row(B, "p")], {}, 9)
    assert kept(database, B) == ("p", "b", None, "waiting")


def test_a_mailbox_that_becomes_the_unit_s_or_a_person_s_begins_empty(app: ModuleType) -> None:
    database = app.connect(":memory:")
    put(database, A, "p")
    put(database, B, None, "shared")
    sync(app, database, [row(A, None), row(B, "q"), row(C, "p")], {}, 9)
    assert kept(database, A) == (None, "a", None, "shared")
    assert kept(database, B) == ("q", "b", None, "waiting")
    assert kept(database, C) == ("p", "a", "hash of p", "active")
    assert kept(database, "b#1@x.test") == (None, "b", None, "closed")
    homes = {one["home"] for one in database.execute("SELECT home FROM account")}
    assert homes >= {"/old/x.test/a", "/old/x.test/b"}
    assert len(homes) == 4


def test_whoever_moves_to_another_host_under_another_address_has_not_left(app: ModuleType) -> None:
    database = app.connect(":memory:")
    people = [row(A, "p"), row(B, "q")]
    sync(app, database, people, {}, 0)
    sync(app, database, [row(B, "q")], {"other@y.test": ["two.test", "192.0.2.2"]}, 1, ["p"])
    assert states(database) == {A: "closed", B: "waiting"}
    sync(app, database, [row(B, "q")], {A: ["two.test", "192.0.2.2"]}, 2)  # the address is another person's there
    assert states(database)[A] == "left"


def test_subscriptions_follow_whoever_changes_addresses(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    shared = row("chung@x.test", None)
    for people in ((row(A, "p", "chung@x.test"), row(B, "q")), (row(B, "p"), row(A, "q", "chung@x.test"))):
        sync(app, database, [shared, *people], {}, 9)
        app.share(database)
    assert subscribed(tmp_path / "x.test" / "a") == ["INBOX"]
    assert subscribed(tmp_path / "x.test" / "b") == ["INBOX", "Donvi/chung@x\ttest/INBOX"]


def test_who_holds_a_shared_mailbox_is_subscribed_and_who_no_longer_does_is_not(
    app: ModuleType, tmp_path: Path
) -> None:
    database = app.connect(":memory:")
    shared = row("chung@x.test", None)
    an, be = tmp_path / "x.test" / "an", tmp_path / "x.test" / "be"

    def wanted(*holders: str) -> None:
        people = [row(f"{name}@x.test", name, *(["chung@x.test"] if name in holders else [])) for name in ("an", "be")]
        sync(app, database, [shared, *people], {}, 9)
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
    sync(app, database, [], {"a@x.test": ["one.test", "192.0.2.1"], "b@x.test": ["one.test", "192.0.2.1"]}, 9)
    sync(app, database, [], {"b@x.test": ["two.test", "192.0.2.2"]}, 9)
    assert [tuple(r) for r in database.execute("SELECT * FROM route")] == [("b@x.test", "two.test", "192.0.2.2")]


def test_a_lock_that_somebody_left_behind_does_not_hold_for_ever(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row("chung@x.test", None), row("an@x.test", "an", "chung@x.test")], {}, 9)
    lock = tmp_path / "x.test" / "an" / "Maildir" / "subscriptions.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (1, 1))
    app.share(database)
    assert subscribed(tmp_path / "x.test" / "an") == ["INBOX", "Donvi/chung@x\ttest/INBOX"]
    assert not lock.exists()


DAY = 86400


def states(database: sqlite3.Connection) -> dict[str, str]:
    return {row["address"]: row["state"] for row in database.execute("SELECT address, state FROM account")}


def test_a_password_has_the_length_and_the_classes_of_the_unit(app: ModuleType) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row("an@x.test", "an"), {**row("be@x.test", "be"), "password_classes": 4}], {}, 0)

    def choose(address: str, password: str) -> None:
        app.activate(database, address, app.new_code(database, address, 0), password, 0)

    said = "ít nhất 8 ký tự.* at least 8 characters, {} of 4 classes"
    for address, password, classes in (
        ("an@x.test", "Aa3aaaa", 3),
        ("an@x.test", "aaaaaaaa3", 3),
        ("be@x.test", "Đaaaaaaaa3", 4),  # letters of Vietnamese are letters
    ):
        with pytest.raises(app.Refused, match=said.format(classes)):
            choose(address, password)
    choose("an@x.test", "Aaaaaaaa3")
    choose("be@x.test", "Đaaaaaaa 3")


LINE = "{}.000001 mail-xa.x.test {}\n"
READS = "dovecot[1]: {}-login: Logged in: user=<{}>, method=PLAIN, rip=192.0.2.1, session=<x>{}"
SENDS = "postfix/{}/smtpd[2]: AB12: client=x[192.0.2.1]:5, sasl_method=PLAIN, sasl_username={}"


def test_sign_ins_are_taken_from_the_journal_and_those_of_auditors_are_not(app: ModuleType) -> None:
    database = app.connect(":memory:")
    names = ("an", "be", "chi", "dung", "em")
    sync(app, database, [row(f"{name}@x.test", name) for name in names], {}, 0)
    journal = [
        LINE.format(200, READS.format("imap", "an@x.test", "")),
        LINE.format(100, READS.format("pop3", "an@x.test", "")),
        LINE.format(300, SENDS.format("submission", "be@x.test")),
        LINE.format(400, READS.format("managesieve", "chi@x.test", ", auth=<Chi@x.test>")),
        LINE.format(500, READS.format("imap", "dung@x.test", ", auth=<auditor>")),
        LINE.format(600, "postfix/smtp[2]: AB12: to=<x>, sasl_username=em@x.test"),
        "no line at all",
    ]
    app.note_sign_ins(database, journal, 900)
    seen = {row["person"]: row["seen"] for row in database.execute("SELECT person, seen FROM account")}
    assert seen == {"an": 200, "be": 300, "chi": 400, "dung": 900, "em": 900}  # time begins when watching does
    app.note_sign_ins(database, [], 1000)
    assert database.execute("SELECT max(seen) FROM account").fetchone()[0] == 900


def test_when_a_holder_opened_a_shared_mailbox_is_taken_from_the_journal(app: ModuleType) -> None:
    database = app.connect(":memory:")
    shared = ("vanthu.xa@x.test", "lienhe.xa@x.test")
    sync(app, database, [row("an@x.test", "an", *shared), *(row(address, None) for address in shared)], {}, 0)
    opens = "dovecot[1]: stats: field:user=an@x.test        field:cmd_args={}"
    journal = [
        LINE.format(300, opens.format('"Donvi/vanthu.xa@x.test"')),
        LINE.format(200, opens.format("Donvi/vanthu.xa@x.test/INBOX")),
        LINE.format(400, opens.format("INBOX")),
        LINE.format(500, "imap(an@x.test)<2><y>: " + opens.partition(": ")[2].format("Donvi/lienhe.xa@x.test")),
    ]
    app.note_sign_ins(database, journal, 900)
    opened = {row["address"]: row["opened_at"] for row in database.execute("SELECT * FROM account")}
    assert opened == {"an@x.test": 0, "vanthu.xa@x.test": 300, "lienhe.xa@x.test": 900}


def test_who_does_not_sign_in_is_suspended_and_comes_back_with_a_code(app: ModuleType) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row("an@x.test", "an"), {**row("be@x.test", "be"), "idle_days": 50}], {}, 0)
    for address in ("an@x.test", "be@x.test"):
        app.activate(database, address, app.new_code(database, address, 0), "Mat khau 1", 0)
    assert app.suspend_idle(database, 5 * DAY - 1) == []
    assert app.suspend_idle(database, 5 * DAY) == ["an@x.test"]
    assert states(database) == {"an@x.test": "waiting", "be@x.test": "active"}
    assert database.execute("SELECT hash FROM account WHERE person = 'an'").fetchone()[0] is None
    app.activate(database, "an@x.test", app.new_code(database, "an@x.test", 6 * DAY), "Mat khau 2", 6 * DAY)
    assert app.suspend_idle(database, 7 * DAY) == []


def test_what_a_deploy_does_to_accounts_is_written_down(app: ModuleType) -> None:
    database = app.connect(":memory:")

    def acts() -> list[tuple[object, ...]]:
        rows = database.execute("SELECT at, actor, address, what FROM act ORDER BY rowid")
        return [tuple(row) for row in rows]

    both = [row("an@x.test", "p1"), row("binh@x.test", "p2")]
    for now, rows, elsewhere in (
        (1, both, ()),
        (2, both[:1], ()),
        (3, both[:1], ()),
        (4, both, ()),
        (5, both[:1], ("p2",)),
    ):
        sync(app, database, rows, {}, now, elsewhere)
    assert acts() == [
        (2, "root", "binh@x.test", "left"),
        (4, "root", "binh@x.test", "returned"),
        (5, "root", "binh@x.test", "closed"),
    ]


def test_the_mail_of_a_leaver_is_deleted_in_time_and_that_of_nobody_else(app: ModuleType, tmp_path: Path) -> None:
    """Not of somebody who moved to another host, whose whole domain did, or of a shared mailbox."""
    database = app.connect(":memory:")
    people = ["an@x.test", "be@x.test", "chi@x.test", "dung@y.test"]
    everybody = [*(row(address, address) for address in people), row("chung@x.test", None)]
    sync(app, database, everybody, {}, 0)
    homes = {a: tmp_path / a.partition("@")[2] / a.partition("@")[0] for a in [*people, "chung@x.test"]}
    for home in homes.values():
        (home / "Maildir" / "cur").mkdir(parents=True)
        (home / "Maildir" / "cur" / "1").write_text("thu")
    sync(app, database, [row("chi@x.test", "chi@x.test")], {}, DAY, ["be@x.test"])
    assert states(database) == {
        "an@x.test": "left", "be@x.test": "closed", "chi@x.test": "waiting", "dung@y.test": "closed",
        "chung@x.test": "closed",
    }  # fmt: skip
    assert app.purge_leavers(database, 7 * DAY - 1, []) == []
    assert app.purge_leavers(database, 7 * DAY, []) == ["an@x.test"]
    assert [address for address, home in homes.items() if not home.exists()] == ["an@x.test"]
    assert "an@x.test" not in states(database)
    assert [tuple(r) for r in database.execute("SELECT * FROM purged")] == [("an@x.test", "u", DAY, 7 * DAY)]
    assert app.purge_leavers(database, 100 * DAY, []) == []


def test_a_home_outside_of_the_mail_folder_is_never_deleted(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row("an@x.test", "an"), row("be@x.test", "be")], {}, 0)
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    database.execute("UPDATE account SET home = ? WHERE person = 'an'", (str(outside),))
    sync(app, database, [row("be@x.test", "be")], {}, 0)
    app.purge_leavers(database, 100 * DAY, [])
    assert outside.exists()


def test_letters_that_no_holder_reads_are_reminded_of_then_the_head_hears_too(app: ModuleType) -> None:
    database = app.connect(":memory:")
    boxes = [
        {**row(a, None), "check_hours": hours, "head": "be@x.test"} for a, hours in (("a@x.test", 5), ("b@x.test", 9))
    ]
    people = [
        row("an@x.test", "an", "a@x.test", "b@x.test"),
        row("be@x.test", "be"),
        row("chi@x.test", "chi", "a@x.test"),
    ]
    sync(app, database, [*boxes, *people], {}, 0)
    database.executemany("INSERT INTO holding VALUES (?, ?)", [(p["address"], a) for p in people for a in p["holds"]])
    came = {"one": 0, "two": 3 * 3600}
    read: dict[tuple[str, str], set[str]] = {}

    def unread(holder: str, address: str) -> dict[str, int]:
        return {id: time for id, time in came.items() if id not in read.get((holder, address), set())}

    def heard(hours: int) -> dict[str, list[str]]:
        return {address: hearers for address, _, hearers in app.overdue(database, unread, ALWAYS, hours * 3600, [])}

    holders = ["an@x.test", "chi@x.test"]
    assert heard(4) == {}
    assert heard(5) == {"a@x.test": holders}
    assert heard(9) == {"a@x.test": holders, "b@x.test": ["an@x.test"]}
    assert heard(10) == {"a@x.test": [*holders, "be@x.test"], "b@x.test": ["an@x.test"]}
    read["chi@x.test", "a@x.test"] = {"one"}  # one holder is enough
    assert heard(7) == {}
    assert heard(8) == {"a@x.test": holders}
    database.execute("UPDATE account SET reminded = 8 * 3600 WHERE address = 'a@x.test'")
    assert heard(12) == {"b@x.test": ["an@x.test"]}
    assert heard(13) == {"a@x.test": [*holders, "be@x.test"], "b@x.test": ["an@x.test"]}


def test_nobody_is_idle_while_the_journal_can_not_be_read(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "accounts.db"
    database = app.connect(str(path))
    sync(app, database, [row("an@x.test", "an")], {}, 0)
    app.activate(database, "an@x.test", app.new_code(database, "an@x.test", 0), "Mat khau 1", 0)

    def broken() -> Iterator[str]:
        yield LINE.format(1, READS.format("imap", "an@x.test", ""))
        raise OSError("journalctl: 1")

    monkeypatch.setattr(app, "_journal", broken)
    assert app.main(["--database", str(path), "tend"]) == 1
    assert "journalctl: 1" in capsys.readouterr().err
    assert states(database) == {"an@x.test": "active"}


def test_one_mailbox_that_can_not_be_deleted_does_not_keep_the_others(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on, says what failed and ends with a status that is seen; the same for a letter that is not sent."""
    path = tmp_path / "accounts.db"
    database = app.connect(str(path))
    boxes = [{**row(a, None), "check_hours": 1} for a in ("chung@x.test", "khac@x.test")]
    sync(app, database, [*boxes, row(A, "p"), row(B, "q"), row(C, "r", "chung@x.test", "khac@x.test")], {}, 0)
    for name in "ab":
        (tmp_path / "x.test" / name).mkdir(parents=True)
    sync(app, database, [*boxes, row(C, "r", "chung@x.test", "khac@x.test")], {}, 0)
    database.executemany("INSERT INTO holding VALUES (?, ?)", [(C, box["address"]) for box in boxes])
    monkeypatch.setattr(app, "_journal", lambda: iter(()))
    for box in ("chung", "khac"):
        letter_for(tmp_path / "x.test" / box, "one")
    monkeypatch.setattr(app, "_unread", lambda holder, address: {"one": 0})
    rmtree = app.shutil.rmtree

    def stuck(home: str) -> None:
        if home.endswith("/a"):
            raise OSError("stuck")
        rmtree(home)

    monkeypatch.setattr(app.shutil, "rmtree", stuck)
    mailer = tmp_path / "sendmail"
    mailer.write_text("#!/bin/sh\n! grep -q chung@\n")
    mailer.chmod(0o755)
    monkeypatch.setattr(app, "SENDMAIL", str(mailer))
    assert app.main(["--database", str(path), "tend"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {"suspended": [], "purged": [B], "reminded": ["khac@x.test"]}
    assert "a@x.test: OSError: stuck" in said.err
    assert "chung@x.test: CalledProcessError" in said.err
    assert set(states(database)) == {A, C, "chung@x.test", "khac@x.test"}


def letter_for(home: Path, name: str) -> Path:
    """A letter that was just delivered."""
    folder = home / "Maildir" / "new"
    folder.mkdir(parents=True, exist_ok=True)
    letter = folder / name
    time.sleep(0.02)  # file systems tell times by ticks
    letter.touch()
    return letter


def test_dovecot_is_asked_only_about_mailboxes_in_which_a_letter_may_be_unread(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = app.connect(":memory:")
    sync(app, database, [{**row("chung@x.test", None), "check_hours": 1}], {}, 0)
    home = Path(database.execute("SELECT home FROM account").fetchone()[0])
    assert home == tmp_path / "x.test" / "chung"
    asked: list[str] = []
    said: dict[str, int] = {}
    monkeypatch.setattr(app, "_unread", lambda holder, address: asked.append(holder) or dict(said))

    def unread(holder: str, note: bool = True) -> dict[str, int]:
        found: dict[str, int] = app._reader(database, note)(holder, "chung@x.test")
        return found

    assert (unread(A), asked) == ({}, [])  # nothing ever came
    first = letter_for(home, "1")
    said["1"] = 7
    assert (unread(A), unread(B), asked) == ({"1": 7}, {"1": 7}, [A, B])
    del said["1"]
    assert (unread(B, note=False), unread(B), asked) == ({}, {}, [A, B, B, B])  # an audit writes nothing down
    assert (unread(A), asked) == ({}, [A, B, B, B])  # B had read it
    letter_for(home, "2")
    said["2"] = 8
    assert (unread(A), asked) == ({"2": 8}, [A, B, B, B, A])
    first.unlink()
    (home / "Maildir" / "new" / "2").rename(home / "Maildir" / "2")
    assert (unread(A), asked) == ({}, [A, B, B, B, A])  # all is gone


def test_a_mailbox_that_gets_another_address_while_it_is_looked_at_leaves_no_note(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note would be in the way of the next mailbox that is given the old address."""
    database = app.connect(":memory:")
    sync(app, database, [row("chung@x.test", None)], {}, 0)
    letter_for(tmp_path / "x.test" / "chung", "1")
    unread = app._reader(database, True)

    def renamed(holder: str, address: str) -> dict[str, int]:
        database.execute("UPDATE account SET address = 'moi@x.test'")
        return {}

    monkeypatch.setattr(app, "_unread", renamed)
    assert unread(A, "chung@x.test") == {}
    assert unread(A, "moi@x.test") == {}  # nobody knew of it when the round began
    assert database.execute("SELECT * FROM opened").fetchall() == []


def test_sessions_end_before_anything_else_can_go_wrong(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts.db"
    database = app.connect(str(path))
    put(database, A, "p")
    database.execute("UPDATE account SET seen = 1")
    ended: list[str] = []
    monkeypatch.setattr(app, "_journal", lambda: iter(()))
    monkeypatch.setattr(app, "_end_sessions", ended.extend)

    def broken(*_: object) -> list[str]:
        raise sqlite3.OperationalError("disk")

    monkeypatch.setattr(app, "purge_leavers", broken)
    assert app.main(["--database", str(path), "tend"]) == 1
    assert ended == [A]


def test_a_holder_of_whom_nothing_can_be_said_does_not_count(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = app.connect(":memory:")
    sync(app, database, [{**row("chung@x.test", None), "check_hours": 1}], {}, 0)
    database.executemany("INSERT INTO holding VALUES (?, 'chung@x.test')", [(A,), (B,), (C,)])
    asked: list[str] = []

    def unread(holder: str, address: str) -> dict[str, int]:
        asked.append(holder)
        if holder == A:
            raise OSError("doveadm: 75")
        return {"one": 0} if holder == B else {}

    failed: list[str] = []
    assert app.overdue(database, unread, ALWAYS, 3600, failed) == []
    assert failed == ["chung@x.test: a@x.test: OSError: doveadm: 75"]
    database.execute("DELETE FROM holding WHERE holder = ?", (C,))
    assert [found[0] for found in app.overdue(database, unread, ALWAYS, 3600, [])] == ["chung@x.test"]
    asked.clear()
    database.execute("INSERT INTO holding VALUES ('0@x.test', 'chung@x.test')")
    read = {"0@x.test": {}}
    app.overdue(database, lambda holder, box: read[holder] if holder in read else unread(holder, box), ALWAYS, 3600, [])
    assert asked == []  # one who has read it all is enough
    doveadm = tmp_path / "doveadm"
    doveadm.write_text("#!/bin/sh\necho 'no such user' >&2; exit 67\n")
    doveadm.chmod(0o755)
    monkeypatch.setattr(app, "DOVEADM", str(doveadm))
    with pytest.raises(OSError, match="67: no such user"):
        app._unread(A, "chung@x.test")


def test_a_clock_that_jumps_suspends_and_deletes_nobody_for_a_day(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does a host that was off for a month."""
    path = tmp_path / "accounts.db"
    database = app.connect(str(path))
    start = 1_800_000_000
    put(database, A, "p")
    put(database, B, "q", "left")
    database.execute("UPDATE account SET seen = ?1, changed = ?1", (start,))
    monkeypatch.setattr(app, "_journal", lambda: iter(()))
    monkeypatch.setattr(app, "_end_sessions", lambda _: None)

    def at(time: int) -> tuple[str, str]:
        monkeypatch.setattr(app.time, "time", lambda: start + time)
        assert app.main(["--database", str(path), "tend"]) == 0
        return json.loads(capsys.readouterr().out)["suspended"], states(database).get(B, "purged")

    assert at(0) == ([], "left")
    assert at(400 * DAY) == ([], "left")  # wrong
    assert at(400 * DAY + 3600) == ([], "left")
    assert at(3600) == ([], "left")  # right again
    assert at(100 * DAY) == ([], "left")  # was off
    assert at(101 * DAY - 1) == ([], "left")
    assert at(101 * DAY) == ([A], "purged")


def test_whoever_leaves_while_the_clock_is_behind_has_not_left_long_ago(app: ModuleType) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row(A, "p"), row(B, "q")], {}, 100 * DAY)
    assert app.clock_is_steady(database, 100 * DAY)
    sync(app, database, [row(B, "q")], {}, 5)
    assert app.purge_leavers(database, 100 * DAY, []) == []


def test_a_sign_in_is_read_again_until_it_is_in_the_database(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = tmp_path / "cursor"
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(
        '#!/bin/sh\nfor word; do case $word in --cursor-file=*) file="${word#*=}";; esac; done\n'
        'test -e "$file" && cat "$file"\necho next > "$file"\n'
    )
    journalctl.chmod(0o755)
    monkeypatch.setattr(app, "CURSOR", str(cursor))
    monkeypatch.setattr(app, "JOURNALCTL", str(journalctl))
    path = tmp_path / "accounts.db"
    monkeypatch.setattr(app, "_end_sessions", lambda _: None)
    real = app.note_sign_ins

    def broken(database: sqlite3.Connection, journal: Iterator[str], now: int) -> None:
        list(journal)
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(app, "note_sign_ins", broken)
    assert app.main(["--database", str(path), "tend"]) == 1
    assert not cursor.exists()
    monkeypatch.setattr(app, "note_sign_ins", real)
    assert app.main(["--database", str(path), "tend"]) == 0
    assert cursor.read_text() == "next\n"
    assert list(app._journal()) == ["next\n"]


def test_whoever_activates_at_the_host_is_signed_out_elsewhere_at_once(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(app, "_end_sessions", ended.extend)
    path = str(tmp_path / "accounts.db")
    put(app.connect(path), A, "p")
    assert app.main(["--database", path, "code", A]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(capsys.readouterr().out + "Quyen so 5, trong tu\n"))
    assert app.main(["--database", path, "activate", A]) == 0
    assert ended == [A]


def whole(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = ("account", "route", "to_end", "session")
    return {table: sorted(map(tuple, database.execute(f"SELECT * FROM {table}")), key=repr) for table in tables}


ADDRESSES = [f"{local}@{domain}" for local in "abc" for domain in ("x.test", "y.test")]


@st.composite
def inventories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, list[str]], list[str]]:
    """Accounts, routes and the people of other hosts; an address and a person stand once."""
    addresses = draw(st.permutations(ADDRESSES))
    people = draw(st.permutations("pqrs"))
    here = draw(st.integers(0, len(addresses)))
    rows = []
    for address in addresses[:here]:
        person = people.pop() if people and draw(st.booleans()) else None
        was = draw(st.lists(st.sampled_from([*addresses[here:], "old@x.test"]), max_size=1))
        holds = draw(st.lists(st.sampled_from(ADDRESSES), max_size=1)) if person else []
        rows.append(row(address, person, *holds) | {"was": was, "quota_mb": draw(st.integers(1, 2))})
    routes = {address: ["two.test", "192.0.2.2"] for address in addresses[here:] if draw(st.booleans())}
    return rows, routes, [person for person in people if draw(st.booleans())]


ALTERED = st.sampled_from(
    [
        "UPDATE account SET state = 'active', hash = 'x' WHERE state = 'waiting'",
        "UPDATE account SET state = 'left' WHERE person IS NOT NULL",
        "UPDATE account SET quota_mb = 7, officer = 1",
        "UPDATE account SET person = NULL WHERE person = 'p'",
        "UPDATE account SET state = 'waiting' WHERE state = 'shared'",
        "DELETE FROM account WHERE unit = 'u' AND address LIKE 'a@%'",
        "DELETE FROM route",
        "INSERT OR IGNORE INTO route VALUES ('z@x.test', 'three.test', '192.0.2.3')",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(inventories(), st.lists(ALTERED, max_size=2)), min_size=1, max_size=4))
def test_to_look_at_what_differs_is_as_good_as_to_look_at_everything(
    app: ModuleType, deploys: list[tuple[tuple[Any, Any, Any], list[str]]]
) -> None:
    """Whatever was here before, and whatever somebody did by hand; a second run finds nothing to do."""
    quick, thorough = app.connect(":memory:"), app.connect(":memory:")
    for number, ((rows, routes, elsewhere), altered) in enumerate(deploys):
        wanted = wanted_of(app, rows, routes, elsewhere)
        counts = app.sync(quick, wanted, number)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "IN_USE", "0")  # no account is taken for one that is as wanted
            assert app.sync(thorough, wanted, number) == counts
        assert whole(quick) == whole(thorough)
        assert not any(app.sync(quick, wanted, number).values())
        for statement in altered:
            for database in (quick, thorough):
                database.execute(statement)


def test_what_a_deploy_writes_is_what_the_host_reads(app: ModuleType, tmp_path: Path, province: Province) -> None:
    mail = Mail(province)
    for name in ("mail-so", "mail-xa", "mail-thpt"):
        host = mail.accounts(name)
        for path, text in wanted(host).items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text, encoding="utf-8")
        read = app.read_wanted(tmp_path / name)
        database = app.connect(":memory:")
        assert app.sync(database, read, 0)["new"] == len(host.mailboxes)
        assert app.sync(database, read, 0)["changed"] == 0
        for account in database.execute("SELECT * FROM account"):
            mailbox = host.mailboxes[account["address"]]
            theirs = {key: getattr(mailbox, key) for key in app.FIELDS} | {"holds": ",".join(mailbox.holds)}
            assert {key: account[key] for key in app.FIELDS} == theirs
        routes = {
            route["address"]: (route["host"], route["hostip"]) for route in database.execute("SELECT * FROM route")
        }
        assert routes == {address: (there.fqdn, str(there.ipv4)) for address, there in host.remote.items()}
        assert read.elsewhere == set(host.elsewhere)


def test_what_is_tried_is_what_has_not_passed_before(
    app: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, live, new = str(tmp_path / "none" / "accounts.db"), tmp_path / "live", tmp_path / "new"
    texts = {"accounts/u": line(Mailbox(**row(A, "p"))), "accounts/v": line(Mailbox(**row(B, "q"))), "elsewhere": ""}
    for folder in (live, new):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (new / "accounts" / "u").unlink()
    (new / "accounts" / "u").hardlink_to(live / "accounts" / "u")
    assert app.main(["--database", path, "check", str(new), str(live)]) == 0
    for broken in (
        texts["accounts/v"].replace("\t3\t", "\tthree\t"),
        texts["accounts/v"] + texts["accounts/v"].replace("\t1\t", "\t2\t"),
        "x\n",
    ):
        (new / "accounts" / "v").write_text(broken)
        assert app.main(["--database", path, "check", str(new), str(live)]) == 1
    (new / "accounts" / "v").unlink()
    (live / "accounts" / "u").write_text("x\n")  # both of them, since they are one file
    assert app.main(["--database", path, "check", str(new), str(live)]) == 0
    assert app.main(["--database", path, "check", str(new), str(tmp_path / "nothing")]) == 1
    capsys.readouterr()
    assert not (tmp_path / "none").exists()
    app.connect(str(tmp_path / "accounts.db"))
    assert app.main(["--database", str(tmp_path / "accounts.db"), "sync", str(tmp_path / "typo")]) == 1
    assert "FileNotFoundError" in capsys.readouterr().err


def test_whose_rights_change_is_signed_out_and_nobody_else(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the run before died in between."""
    ended: list[str] = []
    monkeypatch.setattr(app, "_end_sessions", ended.extend)
    database = app.connect(str(tmp_path / "accounts.db"))
    put(database, A, "p")
    put(database, B, "q")
    put(database, C, None, "shared")
    database.execute("UPDATE account SET home = ? || home", (str(tmp_path),))
    (tmp_path / "old").mkdir()
    everybody = [row(A, "p") | {"name": "x"}, row(B, "q", C), row(C, None)]
    sync(app, database, everybody, {}, 9)
    assert not ended
    folder = tmp_path / "wanted"
    (folder / "accounts").mkdir(parents=True)
    (folder / "elsewhere").touch()
    (folder / "accounts" / "u").write_text("".join(line(Mailbox(**row)) for row in everybody))
    assert app.main(["--database", str(tmp_path / "accounts.db"), "sync", str(folder)]) == 0
    assert ended == [B]
    assert app.main(["--database", str(tmp_path / "accounts.db"), "sync", str(folder)]) == 0
    assert ended == [B]


def test_rights_that_somebody_deleted_come_back(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    sync(app, database, [row(A, None), row(B, None)], {}, 0)
    app.share(database)
    rights = [tmp_path / "x.test" / name / "Maildir" / "dovecot-acl" for name in ("a", "b")]
    for file in rights:
        file.unlink()
    app.share(database)
    assert [file.read_text().split()[0] for file in rights] == ["group=a@x.test", "group=b@x.test"]


def test_a_new_account_has_its_home_before_anybody_writes(app: ModuleType, tmp_path: Path) -> None:
    database = app.connect(":memory:")
    made: list[str] = []

    def make(homes: list[str]) -> None:
        assert database.in_transaction
        made.extend(homes)
        app._make_homes(homes)

    sync(app, database, [row(A, "p"), row(B, None)], {}, 0, make_homes=make)
    assert sorted(made) == [str(tmp_path / "x.test" / name) for name in ("a", "b")]
    assert all(Path(home).is_dir() for home in made)
    sync(app, database, [row(A, "p"), row(B, None)], {}, 1, make_homes=make)
    assert len(made) == 2
