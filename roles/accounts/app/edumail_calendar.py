"""The province's working days, as a deploy wrote them: how long a letter has waited while people were at work."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

VIETNAM = timezone(timedelta(hours=7))
FILE = Path(__file__).resolve().with_name("calendar.json")
DAY = 86400
LONGEST_DAYS = 400
"""What waits for longer is late by any calendar."""


@dataclass(frozen=True)
class Calendar:
    """weekdays: 0 is Monday. holidays: days on which nobody works."""

    weekdays: Collection[int]
    holidays: Collection[date] = ()

    def works(self, day: date) -> bool:
        """Whether people work on that day."""
        return day.weekday() in self.weekdays and day not in self.holidays

    def hours(self, since: int, now: int) -> int:
        """Whole hours between two times (seconds since 1970) that lie on working days in Vietnam."""
        since = max(since, now - LONGEST_DAYS * DAY)
        seconds, begin = 0, since
        while begin < now:
            day = datetime.fromtimestamp(begin, VIETNAM).date()
            midnight = datetime(day.year, day.month, day.day, tzinfo=VIETNAM) + timedelta(days=1)
            end = min(now, int(midnight.timestamp()))
            seconds += end - begin if self.works(day) else 0
            begin = end
        return seconds // 3600

    def at_work(self, now: int) -> bool:
        """Whether it is a working day."""
        return self.works(datetime.fromtimestamp(now, VIETNAM).date())


def read(file: Path = FILE) -> Calendar:
    """The calendar of this host. Raises OSError and ValueError."""
    content = json.loads(file.read_text(encoding="ascii"))
    return Calendar(frozenset(content["weekdays"]), frozenset(map(date.fromisoformat, content["holidays"])))
