"""Verdicts: what an audit says of one unit and one requirement, and on what evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from itertools import product
from typing import Any, Literal, get_args

from edumail.circular.catalogue import requirements
from edumail.model import Attestation, Province

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
    """``found`` and, for whatever they leave open, who attests it, or why: not applicable to the kind, or not tested.

    Sorted by unit and in the circular's order. Two findings on one question become one: the worse of them, with the
    evidence of both.
    """
    known: dict[tuple[str, str], Finding] = {}
    for finding in found:
        key = (finding.unit, finding.requirement)
        known[key] = _worse(known[key], finding) if key in known else finding
    said: dict[tuple[str, str], list[Attestation]] = defaultdict(list)
    for attestation in province.attestations:
        for about in product(attestation.units, attestation.requirements):
            said[about].append(attestation)
    result = []
    for unit in sorted(units):
        kind = province.kinds[province.units[unit].kind]
        for requirement in requirements().values():
            finding = known.get((unit, requirement.id)) or _open(unit, requirement.id, requirement.applies_to(kind))
            finding = _with_attestations(finding, said.get((unit, requirement.id), ()), province.today)
            if kind.by_succession and finding.verdict in ("pass", "fail", "attested"):
                note = f"binds {kind.name} by succession to the circular's 'phòng'"
                finding = Finding(unit, requirement.id, finding.verdict, (*finding.evidence, note))
            result.append(finding)
    return result


def _with_attestations(finding: Finding, said: Iterable[Attestation], today: date) -> Finding:
    """What hosts left open is answered by who attests it, as long as that counts. What they disprove stays so."""
    if not requirements()[finding.requirement].attested or finding.verdict == "not-applicable":
        return finding
    evidence, holds = list(finding.evidence), False
    for attestation in sorted(said, key=lambda attestation: attestation.until):
        counts = attestation.on <= today <= attestation.until
        holds = holds or counts
        when = f"on {attestation.on}, until {attestation.until}"
        evidence.append(
            f"{'attested' if counts else 'attested once, which no longer counts (or not yet)'}: {attestation.document},"
            f" by {attestation.by}, {when}, SHA-256 {attestation.sha256[:16]}…; nobody but they has seen it"
        )
    verdict = "attested" if holds and finding.verdict == "not-tested" else finding.verdict
    return Finding(finding.unit, finding.requirement, verdict, tuple(evidence))


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
