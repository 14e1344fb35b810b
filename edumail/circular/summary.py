"""Findings as one self-contained HTML page for those who look before they read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, counts
from edumail.model import Province
from edumail.templates import render

_VIETNAM = timezone(timedelta(hours=7))

# Sign, Vietnamese, English: a verdict is never told by its colour alone.
_WORDS: dict[Verdict, tuple[str, str, str]] = {
    "pass": ("✓", "đạt", "pass"),
    "fail": ("✗", "không đạt", "fail"),
    "attested": ("§", "xác nhận", "attested"),
    "not-tested": ("?", "chưa thử", "not tested"),
    "not-applicable": ("–", "không áp dụng", "not applicable"),
}


def page(
    province: Province,
    findings: Sequence[Finding],
    *,
    asked: Sequence[str],
    hosts: Sequence[str],
    incomplete: Sequence[str],
    at: datetime,
) -> str:
    """The page: counts, a matrix of unit and requirement, the evidence, and what the requirements say.

    findings: as :func:`edumail.circular.verdicts.complete` gives them. asked: the requirements that have a check, in
    the circular's order; only these have a column. hosts: those that were audited. incomplete: why the run is, if it
    is. at: when the audit ended (aware; shown in Vietnam's time).
    """
    shown = [finding for finding in findings if finding.requirement in set(asked)]
    return render(
        "circular/summary.html.j2",
        province=province.settings,
        at=at.astimezone(_VIETNAM),
        hosts=hosts,
        incomplete=incomplete,
        words=_WORDS,
        total=len(shown),
        bar=_bar(shown),
        fails=[finding for finding in shown if finding.verdict == "fail"],
        catalogue=requirements(),
        asked=asked,
        by_requirement={name: counts(f for f in shown if f.requirement == name) for name in asked},
        units=[unit for unit in province.units.values() if unit.id in {finding.unit for finding in findings}],
        by_key={(finding.unit, finding.requirement): finding for finding in shown},
        names={unit.id: unit.name for unit in province.units.values()},
        untested=len(requirements()) - len(asked),
    )


def _bar(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The parts of the overview's bar: verdict, how many, and where it lies, in percent of the width."""
    number = counts(findings)
    parts, start = [], 0.0
    for verdict in _WORDS:
        width = 100 * number[verdict] / max(1, len(findings))
        parts.append({"verdict": verdict, "number": number[verdict], "x": round(start, 3), "width": round(width, 3)})
        start += width
    return parts
