"""Verdicts: what an audit says of one unit and one requirement, and on what evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from edumail.circular.catalogue import requirements
from edumail.model import Province

Verdict = Literal["pass", "fail", "attested", "not-applicable", "not-tested"]


@dataclass(frozen=True)
class Finding:
    """One verdict. A pass or a fail without evidence can't be made: it raises ValueError.

    ``evidence`` is short lines: a command or a protocol exchange, trimmed; no message bodies, no secrets.
    """

    unit: str
    requirement: str
    verdict: Verdict
    evidence: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"not a verdict: {self.verdict}")
        if self.requirement not in requirements():
            raise ValueError(f"not a requirement of the circular: {self.requirement}")
        if not self.evidence:
            raise ValueError(f"{self.unit} {self.requirement}: a verdict needs evidence or a reason")


def complete(province: Province, units: Iterable[str], found: Iterable[Finding]) -> list[Finding]:
    """``found`` and, for whatever they leave open, why: not applicable to the kind, or not tested.

    Sorted by unit and in the circular's order. Two findings on one question become one: the worse of them, with the
    evidence of both.
    """
    known: dict[tuple[str, str], Finding] = {}
    for finding in found:
        key = (finding.unit, finding.requirement)
        known[key] = _worse(known[key], finding) if key in known else finding
    result = []
    for unit in sorted(units):
        kind = province.kinds[province.units[unit].kind]
        for requirement in requirements().values():
            finding = known.get((unit, requirement.id)) or _open(unit, requirement.id, requirement.applies_to(kind))
            if kind.by_succession and finding.verdict in ("pass", "fail", "attested"):
                note = f"binds {kind.name} by succession to the circular's 'phòng'"
                finding = Finding(unit, requirement.id, finding.verdict, (*finding.evidence, note))
            result.append(finding)
    return result


_ORDER: tuple[Verdict, ...] = ("fail", "not-tested", "pass", "attested", "not-applicable")


def _worse(first: Finding, second: Finding) -> Finding:
    worse = min(first, second, key=lambda finding: _ORDER.index(finding.verdict))
    return Finding(worse.unit, worse.requirement, worse.verdict, (*first.evidence, *second.evidence))


def _open(unit: str, requirement: str, applies: bool) -> Finding:
    if applies:
        return Finding(unit, requirement, "not-tested", ("no check answers this requirement yet",))
    return Finding(unit, requirement, "not-applicable", ("the circular does not ask this of this kind of unit",))


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Plain data for a JSON file."""
    return [asdict(finding) for finding in findings]


def from_json(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The reverse of :func:`as_json`."""
    return [Finding(row["unit"], row["requirement"], row["verdict"], tuple(row["evidence"])) for row in rows]


def counts(findings: Iterable[Finding]) -> Counter[Verdict]:
    """How many findings have each verdict."""
    return Counter(finding.verdict for finding in findings)
