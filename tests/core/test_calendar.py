"""Working hours: what lies over a weekend or a holiday is not late for it."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import edumail_calendar
import pytest
from edumail_calendar import VIETNAM, Calendar
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edumail import model

OFFICE = Calendar(range(5), [date(2027, 1, 1)])


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=VIETNAM).timestamp())


@pytest.mark.parametrize(
    ("since", "now", "hours"),
    [
        ("2026-11-27 16:00", "2026-11-27 18:30", 2),  # a Friday
        ("2026-11-27 16:00", "2026-11-30 08:00", 16),  # over the weekend: eight hours of Friday, eight of Monday
        ("2026-11-28 09:00", "2026-11-29 23:00", 0),
        ("2026-12-31 20:00", "2027-01-04 01:00", 5),  # a holiday, then a weekend
        ("2026-11-27 16:00", "2026-11-27 15:00", 0),  # a clock that was put back
    ],
)
def test_only_working_days_count(since: str, now: str, hours: int) -> None:
    assert OFFICE.hours(at(since), at(now)) == hours


def test_days_are_those_of_vietnam() -> None:
    assert not OFFICE.at_work(at("2026-11-29 23:59"))
    assert OFFICE.at_work(at("2026-11-30 00:00"))  # Sunday afternoon in Greenwich


@given(st.integers(0, 2**31), st.integers(0, 90 * 86400))
def test_who_always_works_counts_every_hour(since: int, seconds: int) -> None:
    assert Calendar(range(7)).hours(since, since + seconds) == seconds // 3600
    assert OFFICE.hours(since, since + seconds) <= seconds // 3600
    assert Calendar([]).hours(since, since + seconds) == 0


def test_a_letter_of_years_ago_is_late_at_once() -> None:
    assert Calendar(range(7)).hours(0, at("2026-11-30 08:00")) == edumail_calendar.LONGEST_DAYS * 24


def test_the_calendar_travels_as_the_province_says_it(tmp_path: Path) -> None:
    said = model.Calendar(working_days=("sat", "mon"), holidays=(date(2027, 1, 1),))
    file = tmp_path / "calendar.json"
    file.write_text(json.dumps({"weekdays": said.weekdays, "holidays": [str(day) for day in said.holidays]}))
    assert edumail_calendar.read(file) == Calendar(frozenset({0, 5}), frozenset({date(2027, 1, 1)}))
    assert model.Calendar().weekdays == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("working_days", [(), ("monday",)])
def test_a_province_works_on_some_day(working_days: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        model.Calendar(working_days=working_days)
