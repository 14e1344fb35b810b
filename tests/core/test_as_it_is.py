"""Whether a look at a host before an audit and one after it tells what was changed: rows, rights, configuration."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.lab import as_it_is

FILES = (
    "etc/dovecot.conf",
    "vmail/an/Maildir/dovecot-acl",
    "vmail/an/Maildir/cur/1",
    "vmail/an/Maildir/dovecot-uidlist",
)
DATABASES = {
    "lib/accounts/accounts.db": ("account (address, seen)", "audit (login, seen)"),
    "lib/feedback/feedback.db": ("matter (id, text)",),
    "lib/search/an.db": ("page (id, text)",),
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    for name, tables in DATABASES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        for table in tables:
            execute(tmp_path / name, f"CREATE TABLE {table}")
            execute(tmp_path / name, f"INSERT INTO {table.partition(' ')[0]} VALUES (1, 2)")
    here = {pattern.replace("/var/vmail", f"{tmp_path}/vmail"): why for pattern, why in as_it_is.LEFT_OUT.items()}
    monkeypatch.setattr(as_it_is, "LEFT_OUT", here)
    return tmp_path


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def in_the_log(path: Path, statement: str) -> Callable[[], None]:
    """Written, and not yet in the database's own file."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(statement)
    return database.close


@pytest.mark.parametrize(
    ("name", "statement", "changed"),
    [
        ("lib/accounts/accounts.db", "UPDATE account SET seen = 3", "lib/accounts/accounts.db: account"),
        ("lib/accounts/accounts.db", "UPDATE audit SET seen = 3", None),
        ("lib/feedback/feedback.db", "INSERT INTO matter VALUES (2, 'x')", "lib/feedback/feedback.db: matter"),
        ("lib/search/an.db", "DELETE FROM page", "lib/search/an.db: page"),
        ("lib/search/an.db", "VACUUM", None),
    ],
)
def test_databases_are_compared_by_their_rows(host: Path, name: str, statement: str, changed: str | None) -> None:
    before = set(as_it_is.digests(str(host)))
    execute(host / name, statement)
    assert {path for path, _ in before ^ set(as_it_is.digests(str(host)))} == (
        {f"{host}/{changed}"} if changed else set()
    )


def test_what_is_still_in_a_database_s_log_counts(host: Path) -> None:
    before = set(as_it_is.digests(str(host)))
    close = in_the_log(host / "lib/feedback/feedback.db", "UPDATE matter SET text = 'x'")
    beside = {path.name for path in (host / "lib/feedback").iterdir()}
    try:
        found = {path for path, _ in before ^ set(as_it_is.digests(str(host)))}
        assert found == {f"{host}/lib/feedback/feedback.db: matter"}
        assert {path.name for path in (host / "lib/feedback").iterdir()} == beside
    finally:
        close()


@pytest.mark.parametrize("name", FILES)
def test_files_are_compared_but_for_what_is_named(host: Path, name: str) -> None:
    before = set(as_it_is.digests(str(host)))
    (host / name).write_text("otherwise")
    found = {path for path, _ in before ^ set(as_it_is.digests(str(host)))}
    assert found == (set() if name.endswith("uidlist") else {f"{host}/{name}"})


def test_a_subscription_to_the_audit_s_folder_is_seen(host: Path) -> None:
    (host / "vmail/an/Maildir/subscriptions").write_text("V\t2\n\nJunk\n")
    assert not list(as_it_is.subscribed(str(host)))
    (host / "vmail/an/Maildir/subscriptions").write_text("V\t2\n\nJunk\nedumail-audit\n")
    assert [path for path, _ in as_it_is.subscribed(str(host))] == [f"{host}/vmail/an/Maildir/subscriptions"]
