"""An audit that was cut goes on where it stopped, as long as it is the same audit of the same day."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from edumail.circular.verdicts import Finding
from tests.circular import journal
from tests.circular.journal import Journal, about

DAY = date(2026, 11, 30)
FOUND = [Finding("so", "C37-4.1", "pass", ("thấy",), "mail-so", "2026-11-29T00:00:00Z")]


def test_what_was_answered_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path, "subject")
    first.add("test_a[mail-so]", FOUND)
    first.add("test_b[mail-so]", [])
    assert Journal(path, "subject").answered == {"test_a[mail-so]": FOUND, "test_b[mail-so]": []}
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_audit_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, "subject").add("test_a", FOUND)
    assert Journal(path, "another").answered == {}
    assert Journal(path, "subject").answered == {}


def test_yesterdays_answers_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    Journal(path, "subject").add("test_a", FOUND)
    later = time.time() + journal.HOURS * 3600 + 1
    monkeypatch.setattr(journal.time, "time", lambda: later)
    assert Journal(path, "subject").answered == {}


def test_a_line_that_was_cut_is_asked_again_and_hurts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    cut = Journal(path, "subject")
    cut.add("test_a", FOUND)
    whole = path.read_bytes()
    cut.add("test_b", FOUND)
    path.write_bytes(path.read_bytes()[: len(whole) + 40])
    again = Journal(path, "subject")
    assert set(again.answered) == {"test_a"}
    again.add("test_b", FOUND)
    assert set(Journal(path, "subject").answered) == {"test_a", "test_b"}


def test_an_edit_of_the_inventory_is_another_subject(tmp_path: Path) -> None:
    (tmp_path / "province.yml").write_text("a")
    before = about(tmp_path, ["x"], DAY)
    assert about(tmp_path, ["x"], DAY) == before
    assert about(tmp_path, ["y"], DAY) != before
    (tmp_path / "province.yml").write_text("ab")
    assert about(tmp_path, ["x"], DAY) != before


def test_on_another_day_other_units_are_drawn_so_it_is_another_audit(tmp_path: Path) -> None:
    assert about(tmp_path, ["x"], DAY) != about(tmp_path, ["x"], DAY + timedelta(days=1))


def test_without_a_path_nothing_is_kept() -> None:
    kept = Journal(None, "")
    kept.add("test_a", FOUND)
    assert kept.answered == {}
