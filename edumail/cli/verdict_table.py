"""Verdicts on a terminal: tables that fit it, fails with their evidence, and the last words."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import VIETNAMESE, Finding, Verdict, counts
from edumail.cli.language import say
from edumail.cli.terminal import plain
from edumail.model import Province

_WORDS: dict[Verdict, tuple[str, str]] = {
    verdict: (vi, verdict.replace("-", " ")) for verdict, vi in VIETNAMESE.items()
}
_CELLS: dict[Verdict, tuple[str, str]] = {
    "pass": ("✓ đạt", "✓ pass"),
    "fail": ("✗ KHÔNG", "✗ FAIL"),
    "attested": ("§ x.nh", "§ att."),
    "not-tested": ("? chưa", "? open"),
    "not-applicable": ("–", "–"),
}
_COLOURS: dict[Verdict, str] = {"pass": "32", "fail": "1;31", "attested": "35", "not-tested": "33"}
_NAME_WIDTH = 34


def tell(province: Province, findings: Sequence[Finding], asked: Sequence[str], evidence: bool) -> None:
    """Print who has which verdict, what was asked, and the evidence of fails, or of everything."""
    by_key = {(finding.unit, finding.requirement): finding for finding in findings}
    print(
        say(
            f"{province.settings.name}: đối chiếu với Thông tư 37/2020/TT-BGDĐT (bản hợp nhất)",
            f"{province.settings.name_en}: assessed against Circular 37/2020/TT-BGDĐT as codified",
        )
    )
    units = [unit.id for unit in province.units.values() if any((unit.id, name) in by_key for name in asked)]
    _print_table(province, units, asked, by_key)
    if asked:
        print(say("\nYêu cầu:", "\nRequirements:"))
    for name in asked:
        print(f"  {name:<14} {say(requirements()[name].vi, requirements()[name].en)}")
    shown = [by_key[unit, name] for unit in units for name in asked]
    detailed = shown if evidence else [finding for finding in shown if finding.verdict == "fail"]
    if detailed:
        print(say("\nBằng chứng:", "\nEvidence:") if evidence else say("\nKhông đạt:", "\nFails:"))
    for finding in detailed:
        word = _paint(say(*_WORDS[finding.verdict]).upper(), finding.verdict)
        print(f"  {word} {finding.requirement} · {province.units[finding.unit].name} ({finding.unit})")
        for line in finding.evidence:
            print(f"      {plain(line)}")


def _print_table(
    province: Province, units: Sequence[str], asked: Sequence[str], by_key: Mapping[tuple[str, str], Finding]
) -> None:
    """A row for each unit, a column for each requirement; several tables, one below the other, on a narrow terminal."""
    heads = [name.removeprefix("C37-").rpartition("-")[::2] for name in asked]
    widths = [
        max(map(_columns, [*head, *(say(*_CELLS[by_key[unit, name].verdict]) for unit in units)]))
        for head, name in zip(heads, asked, strict=True)
    ]
    names = [_cut(province.units[unit].name, _NAME_WIDTH) for unit in units]
    margin = max(map(_columns, [*names, say("Đơn vị", "Unit")]), default=0)
    room = shutil.get_terminal_size((120, 24)).columns - margin
    start = 0
    while start < len(asked):
        end = start + 1
        while end < len(asked) and sum(width + 2 for width in widths[start : end + 1]) <= room:
            end += 1
        part = range(start, end)
        print()
        for row in (0, 1):
            left = say("Đơn vị", "Unit") if row else ""
            if row or any(heads[i][0] for i in part):
                print((_pad(left, margin) + "".join("  " + _pad(heads[i][row], widths[i]) for i in part)).rstrip())
        print("─" * (margin + sum(widths[i] + 2 for i in part)))
        for unit, name in zip(units, names, strict=True):
            line = _pad(name, margin)
            for i in part:
                verdict = by_key[unit, asked[i]].verdict
                line += "  " + _paint(_pad(say(*_CELLS[verdict]), widths[i]), verdict)
            print(line.rstrip())
        start = end


def conclude(assessment: Assessment, log: str) -> None:
    """Print the last words. An incomplete run never looks like a good one. log: the path of its log."""
    asked = set(assessment.asked)
    number = tell_counts(finding for finding in assessment.findings if finding.requirement in asked)
    others = [row for row in requirements().values() if row.id not in asked]
    every, left = len(requirements()), len(others)
    people, follow = sum(bool(row.paper) for row in others), sum(bool(row.follows_from) for row in others)
    beyond = sum(bool(row.beyond) for row in others)
    print(
        say(
            f"{left} trong {every} yêu cầu của thông tư không máy chủ nào trả lời: {people} chỉ có thể xác nhận, "
            f"{follow} suy từ yêu cầu khác, {beyond} không phải việc của đơn vị.",
            f"{left} of the circular's {every} requirements no host answers: {people} can only be attested, {follow} "
            f"from others, {beyond} no unit's own.",
        )
    )
    tell_incomplete(assessment, log)
    if assessment.incomplete:
        return
    if number["fail"]:
        print(_paint(say(f"{number['fail']} điểm không đạt.", f"{number['fail']} fail."), "fail"))
    elif number["not-tested"]:
        words = say(
            f"Không có điểm nào không đạt; {number['not-tested']} điểm còn để ngỏ (--evidence cho biết vì sao).",
            f"No fail; {number['not-tested']} questions are left open (--evidence says why).",
        )
        print(_paint(words, "not-tested"))
    else:
        print(_paint(say("Không có điểm nào không đạt.", "No fail."), "pass"))


def tell_counts(findings: Iterable[Finding]) -> Counter[Verdict]:
    """Print how many findings have each verdict."""
    number = counts(findings)
    print("\n" + ", ".join(f"{say(*words)}: {number[verdict]}" for verdict, words in _WORDS.items()))
    return number


def tell_incomplete(assessment: Assessment, log: str) -> None:
    """Print why the run is incomplete, if it is, and where its log lies (empty: there is none)."""
    if assessment.incomplete:
        print(_paint(say("LẦN KIỂM TRA CHƯA TRỌN VẸN:", "THE RUN WAS INCOMPLETE:"), "fail"))
        for reason in assessment.incomplete:
            print(f"  {plain(reason)}")
        if log:
            print(say(f"Nhật ký đầy đủ: {log}", f"Full log: {log}"))


def _paint(text: str, verdict: Verdict) -> str:
    colour = _COLOURS.get(verdict)
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{colour}m{text}\033[0m"


def _columns(text: str) -> int:
    """How many columns ``text`` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in unicodedata.normalize("NFC", text)
    )


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _cut(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while _columns(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"
