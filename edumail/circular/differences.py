"""What is different since the last assessment: which questions got another answer, which units came and went."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import Words
from edumail.circular.verdicts import Verdict


@dataclass(frozen=True)
class Earlier:
    """An assessment to compare with, and what vouches for it."""

    assessment: Assessment
    digest: str
    """SHA-256 of its file."""
    signed: Words
    """By whom."""


@dataclass(frozen=True)
class Change:
    """One question with another answer than before."""

    unit: str
    requirement: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True)
class Differences:
    """Between two assessments. Units and requirements that only one of them has are no changes."""

    earlier: Earlier
    since: datetime
    """When the earlier one ended (aware)."""
    changes: dict[Verdict, list[Change]]
    """By the answer of now; in the order of units and of the circular. What lots left open on either day is none."""
    new: tuple[str, ...]
    """Units that were not assessed last time: they are new, or were not asked."""
    gone: tuple[str, ...]
    """Units that the inventory no longer has."""
    not_asked: tuple[str, ...]
    """Units that were assessed last time and not now, though the inventory has them."""


def differences(since: Earlier, now: Assessment, units: Collection[str]) -> Differences:
    """What changed from ``since`` to ``now``; ``units``: those that the inventory has."""
    before = since.assessment
    old = {(finding.unit, finding.requirement): finding for finding in before.findings}
    changes: dict[Verdict, list[Change]] = {}
    for finding in now.findings:
        was = old.get((finding.unit, finding.requirement), finding)
        if was.verdict != finding.verdict and "lots" not in (was.gap, finding.gap):
            change = Change(finding.unit, finding.requirement, was.verdict, finding.verdict)
            changes.setdefault(finding.verdict, []).append(change)
    earlier, later = {finding.unit for finding in before.findings}, {finding.unit for finding in now.findings}
    return Differences(
        earlier=since,
        since=before.at,
        changes=changes,
        new=tuple(sorted(later - earlier)),
        gone=tuple(sorted(earlier - later - set(units))),
        not_asked=tuple(sorted((earlier - later) & set(units))),
    )
