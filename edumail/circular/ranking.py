"""Units ranked by points among those under the same authority (16.4: a department's; 16.5: a bureau's), and as CSV.

Lots rank nobody: a requirement that was open to some units by lots alone counts for none. Nor does a host that nobody
reached: a unit that was not asked all that counts has no points, and then, as after an audit of a part of the province,
nobody beside it has a rank.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import closed, requirements
from edumail.circular.sheet import Item, Sheet
from edumail.circular.verdicts import Finding, Verdict, counts
from edumail.model import Province

VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "attested", "not-tested", "not-applicable")
_COLUMNS = ("hạng/rank", "trong số/of", "mã/unit", "tên/name", "loại/kind", "cơ quan xếp hạng/ranked by", "điểm/points",
            "tối đa/out of", "mức/grade")  # fmt: skip
NOT_ASKED = "chưa hỏi/not asked"
_LOTS = "không tính vì bốc thăm/not counted, left to lots"


@dataclass(frozen=True)
class Score:
    """What a unit got."""

    unit: str
    authority: str
    """The unit above it, which ranks it; empty at the root."""
    points: float | None
    """Out of the sheet's total; from the items that bind it, raised to that total. None where it was not asked all."""
    parts: tuple[float | None, ...]
    """The points of each item; None where nothing of it that counts binds the unit, or not all was asked."""
    grade: str
    counts: Counter[Verdict]
    rank: int = 0
    """Among the units of its authority that are asked the same; those with as many points share a rank. 0: nobody of
    them has one, since not all were asked."""
    among: int = 0


def ranked(province: Province, assessment: Assessment, sheet: Sheet) -> list[Score]:
    """The scores of all units that were assessed: by authority as the inventory has them, then by rank and name.

    What a bureau is asked differs from what a school is asked: under one authority the two are ranked apart.
    """
    lots, partial = set(left_to_lots(assessment, sheet)), assessment.partial(province)
    names = [frozenset(item.names) - lots for item in sheet.items]
    fields: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for id, findings in assessment.by_unit().items():
        unit = province.units[id]
        authority = unit.parent or ""
        fields[authority, province.kinds[unit.kind].binds].append(_score(id, authority, findings, sheet, names))
    order = {"": -1} | {id: place for place, id in enumerate(province.units)}
    result: list[Score] = []
    for (_, _), field in sorted(fields.items(), key=lambda entry: (order.get(entry[0][0], -1), entry[0][1])):
        best = sorted(field, key=lambda score: (-(score.points or 0), province.units[score.unit].name, score.unit))
        if partial or any(score.points is None for score in best):
            result += best
            continue
        for place, score in enumerate(best):
            rank = result[-1].rank if place and result[-1].points == score.points else place + 1
            result.append(replace(score, rank=rank, among=len(field)))
    return result


def left_to_lots(assessment: Assessment, sheet: Sheet) -> list[str]:
    """What the sheet counts and this ranking does not, in the circular's order: lots left it open for some unit."""
    lots = {finding.requirement for finding in assessment.findings if finding.gap == "lots"}
    return [name for name in requirements() if name in lots and any(name in item.names for item in sheet.items)]


def _score(
    unit: str, authority: str, findings: Sequence[Finding], sheet: Sheet, names: Sequence[frozenset[str]]
) -> Score:
    unasked = closed(finding.requirement for finding in findings if finding.gap == "unasked")
    left = {finding.requirement for finding in findings if finding.verdict == "not-tested"} & unasked
    parts = tuple(
        None if left & meant else _part([finding.verdict for finding in findings if finding.requirement in meant], item)
        for item, meant in zip(sheet.items, names, strict=True)
    )
    if left & frozenset().union(*names):
        return Score(unit, authority, None, parts, "", counts(findings))
    binding = sum(item.points for item, part in zip(sheet.items, parts, strict=True) if part is not None)
    reached = sum(part for part in parts if part is not None)
    points = round(reached * sheet.total / binding, 2) if binding else 0.0
    return Score(unit, authority, points, parts, sheet.grade(points), counts(findings))


def _part(verdicts: Iterable[Verdict], item: Item) -> float | None:
    binding = [verdict for verdict in verdicts if verdict != "not-applicable"]
    if not binding:
        return None
    good = sum(verdict == "pass" or (verdict == "attested" and item.attested == 1) for verdict in binding)
    return item.points * good / len(binding)


def as_csv(province: Province, assessment: Assessment, sheet: Sheet, scores: Iterable[Score]) -> str:
    """A row for each unit, for a spreadsheet: with a byte order mark, and no cell that it takes for a formula."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    items = [_plain(f"{item.name} ({item.points:g})") for item in sheet.items]
    write([*_COLUMNS, *VERDICTS, *items, "lần kiểm tra/run", "bảng điểm/sheet", "của/set by", _LOTS])
    words = ["chưa trọn vẹn/incomplete"] if assessment.incomplete else []
    words += ["một phần/partial"] if assessment.partial(province) else []
    run = f"{', '.join(words) or 'trọn vẹn/whole'} {assessment.local:%Y-%m-%d}"
    lots = ", ".join(left_to_lots(assessment, sheet))
    for score in scores:
        unit = province.units[score.unit]
        words = [score.unit, unit.name, province.kinds[unit.kind].name, score.authority]
        parts = ["" if part is None else f"{part:.2f}" for part in score.parts]
        number = [score.counts[verdict] for verdict in VERDICTS]
        last = [run, sheet.name, sheet.authority, lots]
        points = NOT_ASKED if score.points is None else f"{score.points:.2f}"
        row = [score.rank or "", score.among or "", *map(_plain, words), points, f"{sheet.total:g}"]
        write([*row, _plain(score.grade), *number, *parts, *map(_plain, last)])
    return "\ufeff" + out.getvalue()


def _plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
