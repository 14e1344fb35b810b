"""What a run of ``edumail verify`` said: its slowest questions, its verdicts, and examples of what fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

SLOWEST, EXAMPLES = 10, 8
Mark = tuple[float, str]
"""Seconds from the beginning, and a line of progress that came then."""


def slowest(marks: Sequence[Mark], end: float) -> Iterator[str]:
    """Which questions took longest, each from its line of progress to the next one; the last one to the ``end``."""
    asked = [(at, line) for at, line in marks if re.match(r"\[\d+/\d+\] ", line)]
    ends = [*(at for at, _ in asked[1:]), end]
    rows = sorted(((after - at, line) for (at, line), after in zip(asked, ends, strict=False)), reverse=True)
    yield f"before the first question {asked[0][0] if asked else end:.1f} s; the slowest of {len(rows)} questions:"
    yield from (f"  {taken:8.1f} s  {line}" for taken, line in rows[:SLOWEST])


def findings(verdicts: Path, state: Path) -> Iterator[dict[str, Any]]:
    """What the audit wrote to ``verdicts``; of one that was cut, the answers so far, which it keeps below ``state``."""
    if verdicts.exists():
        yield from json.loads(verdicts.read_text(encoding="utf-8"))["findings"]
        return
    for journal in state.glob("edumail/verify-*.journal"):
        for line in journal.read_text(encoding="utf-8").splitlines():
            yield from json.loads(line).get("findings", ())


def summary(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """How many verdicts there are of each kind, and of each requirement that fails how often, some with evidence."""
    kinds, failed = Counter[str](), Counter[str]()
    first: dict[str, dict[str, Any]] = {}
    for row in found:
        kinds[row["verdict"]] += 1
        if row["verdict"] == "fail":
            failed[row["requirement"]] += 1
            first.setdefault(row["requirement"], row)
    yield "verdicts: " + (", ".join(f"{number} {kind}" for kind, number in kinds.most_common()) or "none")
    for number, (requirement, units) in enumerate(failed.most_common()):
        said = f": {first[requirement]['unit']}: {' | '.join(first[requirement]['evidence'])[:400]}"
        yield f"  fail {requirement}, {units} units{said if number < EXAMPLES else ''}"
