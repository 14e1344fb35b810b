"""Findings as one self-contained HTML page for those who look before they read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, counts
from edumail.model import Province
from edumail.templates import render


def page(province: Province, findings: Sequence[Finding], incomplete: Sequence[str], at: datetime) -> str:
    """The page: counts, a matrix of unit and requirement, and all evidence. ``at`` is when the audit ended (UTC)."""
    asked = [
        name
        for name in requirements()
        if any(f.requirement == name and f.verdict not in ("not-tested", "not-applicable") for f in findings)
    ]
    return render(
        "circular/summary.html.j2",
        province=province,
        at=at,
        incomplete=incomplete,
        counts=counts([finding for finding in findings if finding.requirement in asked]),
        requirements=requirements(),
        asked=asked,
        units=sorted({finding.unit for finding in findings}, key=list(province.units).index),
        by_key={(finding.unit, finding.requirement): finding for finding in findings},
        untested=len(requirements()) - len(asked),
    )
