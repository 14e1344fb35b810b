"""Verdicts: what an audit says of one unit and one requirement, and on what evidence."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Any, Literal, get_args

from edumail.circular.catalogue import Requirement, requirements
from edumail.model import Attestation, Province

Verdict = Literal["pass", "fail", "attested", "not-applicable", "not-tested"]
VIETNAMESE: dict[Verdict, str] = {
    "pass": "đạt",
    "fail": "không đạt",
    "attested": "xác nhận",
    "not-tested": "chưa thử",
    "not-applicable": "không áp dụng",
}
Gap = Literal["", "lots", "unasked", "hidden"]
"""Why an open question was put to no host: lots fell on other units (``--sample``), for it or for what it follows from;
or nobody asked the host, or got an answer; or the unit's page is on a host into which no audit is ever let. Empty where
it is open for another reason."""


@dataclass(frozen=True)
class Finding:
    """One verdict. A pass or a fail without evidence can't be made: it raises ValueError.

    ``evidence`` is short lines: a command or a protocol exchange, trimmed; no message bodies, no secrets.
    """

    unit: str
    requirement: str
    verdict: Verdict
    evidence: tuple[str, ...]
    host: str = ""
    """On whose turn it was found; empty where no host was asked."""
    at: str = ""
    """When, in UTC (RFC 3339); empty where no host was asked."""
    gap: Gap = ""
    """Only of what is not tested."""

    @property
    def digest(self) -> str:
        """SHA-256 over all that the finding says: a report prints its first digits (:attr:`mark`)."""
        said = [self.unit, self.requirement, self.verdict, *self.evidence, self.host, self.at]
        if self.gap:  # what was written before there were gaps keeps its digest
            said.append(self.gap)
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    @property
    def mark(self) -> str:
        """By what a line of a report, on paper too, is found in the file: the digest's first 12 digits."""
        return self.digest[:12]

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"not a verdict: {self.verdict}")
        if self.requirement not in requirements():
            raise ValueError(f"not a requirement of the circular: {self.requirement}")
        if self.gap not in (get_args(Gap) if self.verdict == "not-tested" else ("",)):
            raise ValueError(f"not a gap of what is {self.verdict}: {self.gap}")
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
        own: dict[str, Finding] = {}
        # What follows from others comes after them; nothing follows from what itself follows.
        for requirement in sorted(requirements().values(), key=lambda requirement: bool(requirement.follows_from)):
            finding = known.get((unit, requirement.id)) or _open(unit, requirement, requirement.applies_to(kind))
            if requirement.follows_from and requirement.applies_to(kind):
                finding = _following(finding, [own[name] for name in requirement.follows_from])
            finding = _with_attestations(finding, said.get((unit, requirement.id), ()), province.today)
            if kind.by_succession and finding.verdict != "not-applicable":
                note = (
                    f"{kind.name} kế thừa nghĩa vụ của «phòng» trong thông tư"
                    f" / binds {kind.name_en} by succession to the circular's 'phòng'"
                )
                finding = replace(finding, evidence=(*finding.evidence, note))
            own[requirement.id] = finding
        result += [own[name] for name in requirements()]
    return result


def _following(finding: Finding, sources: Sequence[Finding]) -> Finding:
    """The verdict that others make: it is no better than the worst of those that bind the unit."""
    binding = [source for source in sources if source.verdict != "not-applicable"]
    if not binding:
        why = "không điều nào mà nó suy từ ràng buộc đơn vị này / nothing that it follows from binds this unit"
        return replace(finding, verdict="not-applicable", evidence=(why,), gap="")
    order: tuple[Verdict, ...] = ("fail", "not-tested", "attested", "pass")
    verdict = min((source.verdict for source in binding), key=order.index)
    number = counts(binding)
    vi = ", ".join(f"{number[v]} {VIETNAMESE[v]}" for v in order if number[v])
    en = ", ".join(f"{number[v]} {v}" for v in order if number[v])
    evidence = [f"suy từ {len(binding)} yêu cầu: {vi} / follows from {len(binding)} others: {en}"]
    if verdict != "pass":
        names = ", ".join(source.requirement for source in binding if source.verdict == verdict)
        evidence.append(f"{VIETNAMESE[verdict]} / {verdict}: {names}")
    # With other lots it could be another answer, whatever else is open.
    lots = verdict == "not-tested" and any(source.gap == "lots" for source in binding)
    return replace(finding, verdict=verdict, evidence=tuple(evidence), gap="lots" if lots else "")


def _with_attestations(finding: Finding, said: Iterable[Attestation], today: date) -> Finding:
    """What hosts left open is answered by who attests it, as long as that counts. What they disprove stays so.

    So does what they were not asked: nobody can attest the half that they would have shown, or disproved.
    """
    if not requirements()[finding.requirement].attested or finding.verdict == "not-applicable":
        return finding
    evidence, holds = list(finding.evidence), False
    for attestation in sorted(said, key=lambda attestation: attestation.until):
        counts = attestation.on <= today <= attestation.until
        holds = holds or counts
        said_so = (
            "xác nhận / attested"
            if counts
            else "có xác nhận, nay không còn (hoặc chưa) tính / attested once, which no longer counts (or not yet)"
        )
        evidence.append(
            f"{said_so}: {attestation.document} · {attestation.by} · {attestation.on} → {attestation.until} · SHA-256"
            f" {attestation.sha256[:16]}…; ngoài người ấy chưa ai xem / nobody else has seen it"
        )
    verdict = "attested" if holds and finding.verdict == "not-tested" and not finding.gap else finding.verdict
    return replace(finding, verdict=verdict, evidence=tuple(evidence))


_ORDER: tuple[Verdict, ...] = ("fail", "not-tested", "pass", "attested", "not-applicable")
_GAPS: tuple[Gap, ...] = ("unasked", "hidden", "", "lots")


def _worse(first: Finding, second: Finding) -> Finding:
    worse = min(first, second, key=lambda finding: (_ORDER.index(finding.verdict), _GAPS.index(finding.gap)))
    return replace(worse, evidence=(*first.evidence, *second.evidence))


def _open(unit: str, requirement: Requirement, applies: bool) -> Finding:
    if not applies:
        why = (
            f"{requirement.beyond.vi} / {requirement.beyond.en}"
            if requirement.beyond
            else "thông tư không yêu cầu điều này ở loại đơn vị này"
            " / the circular does not ask this of this kind of unit"
        )
        return Finding(unit, requirement.id, "not-applicable", (why,))
    if requirement.paper:
        why = (
            f"không máy chủ nào cho thấy điều này; cần có {requirement.paper.vi}"
            f" / no host shows this; it takes {requirement.paper.en}"
        )
    else:
        why = "chưa hỏi máy chủ nào về điều này / nobody asked a host about this"
    return Finding(unit, requirement.id, "not-tested", (why,))


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Plain data for a JSON file. ``gap`` is there only where there is one."""
    return [
        {name: value for name, value in vars(finding).items() if value or name != "gap"} | {"digest": finding.digest}
        for finding in findings
    ]


def from_json(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The reverse of :func:`as_json`. Raises ValueError where a finding does not have the digest that it claims."""
    result = []
    for row in rows:
        words = (row["unit"], row["requirement"], row["verdict"], tuple(row["evidence"]), row["host"], row["at"])
        finding = Finding(*words, gap=row.get("gap", ""))
        if row["digest"] != finding.digest:
            raise ValueError(
                f"{finding.unit} {finding.requirement}: đã bị sửa sau khi ghi / was changed after it was written"
            )
        result.append(finding)
    return result


def seen_by(findings: Sequence[Finding]) -> str:
    """The hosts on whose turns it was found, and when: from the first to the last. Empty where no host was asked."""
    hosts = sorted({finding.host for finding in findings} - {""})
    times = sorted({finding.at for finding in findings} - {""})
    return " · ".join(filter(None, [", ".join(hosts), " – ".join(dict.fromkeys((*times[:1], *times[-1:])))]))


def counts(findings: Iterable[Finding]) -> Counter[Verdict]:
    """How many findings have each verdict."""
    return Counter(finding.verdict for finding in findings)
