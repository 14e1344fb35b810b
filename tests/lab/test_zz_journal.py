"""After all other tests: what the journals of the hosts complain of is known, each line with its cause.

Named so that it runs last. A new line here is a defect or a surprise: mend its cause. Only what a test does on purpose,
or what is so and harms nobody, is listed; narrowly, so that the same daemon's next complaint is seen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.lab.province import LabProvince

HOSTS = ["mail-so", "mail-xa", "mail-thpt"]


@dataclass(frozen=True)
class Explained:
    """Lines that may be there: who says what (a pattern for the whole line), and why."""

    who: str
    line: str
    why: str


EXPLAINED: list[Explained] = []


def complaints(province: LabProvince, host: str, since: float) -> Counter[tuple[str, str]]:
    """Warnings and worse since a moment, by who says what; digits are of no interest."""
    script = f"journalctl --sync; journalctl -q --no-pager -o json --since=@{since:.0f} -p warning"
    found: Counter[tuple[str, str]] = Counter()
    for line in province.run(host, script).splitlines():
        entry = json.loads(line)
        said = entry.get("MESSAGE") or ""
        text = said if isinstance(said, str) else bytes(said).decode(errors="replace")
        found[entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?", text] += 1
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_every_warning_has_a_known_cause(province: LabProvince, journal_since: float, host: str) -> None:
    unexplained = {
        f"{number} x {who}: {line}"
        for (who, line), number in complaints(province, host, journal_since).items()
        if not any(re.fullmatch(one.who, who) and re.fullmatch(one.line, line) for one in EXPLAINED)
    }
    assert unexplained == set()


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_left_failed(province: LabProvince, host: str) -> None:
    assert province.run(host, "systemctl is-system-running || systemctl --failed --no-legend").strip() == "running"
