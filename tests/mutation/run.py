"""``python -m tests.mutation.run [NAME …]``: seed each fault in the lab, ask what it touches, mend it, and compare.

Every tenth time the whole audit runs once nothing is broken, and must give every verdict that it gave at the beginning.
What was caught on a commit is not seeded again on it, so a run that was cut goes on. ``docs/mutation.md`` is its table.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edumail.circular.verdicts import Finding, from_json
from edumail.load import load
from lab import ssh, web
from lab.text import LabError
from tests.full import NotClean, commit_of
from tests.mutation.fault import Fault, Verdicts, expected, verdicts
from tests.mutation.faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab"
STATE, TABLE = ROOT / "build" / "mutation.json", ROOT / "docs" / "mutation.md"
WHOLE_EVERY = 10
WAIT_SECONDS = "12"
"""How long a letter is waited for that a fault keeps back."""
OUTSIDE = "kiemtra@ngoai.test"
"""The auditor's own address in the lab's outside world, as in ``make demo``."""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: verdicts that it should have turned and did not, and those that it should not have."""

    missed: Sequence[str]
    false: Sequence[str]
    red: int
    """How many verdicts are another than before."""
    seconds: int
    commit: str = ""
    """On which it was seeded, where that is kept."""

    @property
    def caught(self) -> bool:
        """Whether exactly what was declared turned."""
        return not (self.missed or self.false)

    def caught_on(self, commit: str) -> bool:
        """Whether that was so on a commit."""
        return self.caught and self.commit == commit


class Broken(Exception):
    """An audit that could not be trusted to have asked: it says so itself, or found a sound lab wanting."""


def audit(inventory: Path, *words: str) -> list[Finding]:
    """What plain pytest finds. Raises Broken when the run was incomplete."""
    with tempfile.TemporaryDirectory(prefix="edumail-mutation-") as scratch:
        target = Path(scratch) / "verdicts.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/circular"]
        command += ["--inventory", str(inventory), "--verdicts", str(target), "--outside", OUTSIDE, *words]
        environment = os.environ | {"EDUMAIL_AUDIT_WAIT": WAIT_SECONDS, "SSL_CERT_FILE": str(web.AUTHORITY)}
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, env=environment)
        if not target.exists():
            raise Broken(done.stdout[-1500:] + done.stderr[-500:])
        content = json.loads(target.read_text(encoding="utf-8"))
    if content["incomplete"]:
        raise Broken("; ".join(content["incomplete"])[:1500])
    return from_json(content["findings"])


def over(baseline: Sequence[Finding], found: Sequence[Finding]) -> list[Finding]:
    """The findings of the sound lab, with those that were asked for again in their place."""
    again = {(one.unit, one.requirement) for one in found}
    return [*(one for one in baseline if (one.unit, one.requirement) not in again), *found]


def compared(before: Verdicts, wanted: Verdicts, after: Verdicts, turns: Verdicts) -> tuple[list[str], list[str]]:
    """A line for each verdict that is not as declared: of those that were to turn, and of those that were not."""
    missed, false = [], []
    for (unit, name), verdict in sorted(after.items()):
        was, right = before[unit, name], wanted[unit, name]
        line = f"{unit} {name}: was {was}, expected {right}, came {verdict}"
        if right != was and verdict != right:
            missed.append(line)
        elif right == was and (unit, name) in turns:
            missed.append(f"{line}: nothing can turn")
        elif verdict != right:
            false.append(line)
    return missed, false


def judge(fault: Fault, baseline: Sequence[Finding]) -> Outcome:
    """Seed a fault, ask, and mend it whatever happens. Raises Broken."""
    began = time.monotonic()
    sound = load(INVENTORY)
    before = verdicts(sound, baseline)
    with tempfile.TemporaryDirectory(prefix="edumail-mutation-") as scratch:
        inventory = copied(INVENTORY, Path(scratch) / "lab", fault)
        words = ["--hosts=" + ",".join(f"ssh://auditor@{host}" for host in fault.judged)]
        words += ["-k", f"({fault.only}) or as_this_checkout"] if fault.only else []
        try:
            ssh.call(fault.at, f"set -e\n{fault.broken}")
        except LabError as error:
            with contextlib.suppress(LabError):  # what was done of it; whether all is well the next whole audit says
                ssh.call(fault.at, fault.mended)
            return Outcome([f"it could not be seeded: {error}"[:300]], [], 0, 0)
        try:
            found = audit(inventory, *words)
        finally:
            _mend(fault)
        after = verdicts(load(inventory), over(baseline, found))
    missed, false = compared(before, expected(sound, before, fault.turns), after, fault.turns)
    turned = sum(verdict != before[about] for about, verdict in after.items())
    return Outcome(missed, false, turned, round(time.monotonic() - began))


def _mend(fault: Fault) -> None:
    try:
        ssh.call(fault.at, fault.mended)
    except LabError as error:
        raise Broken(f"{fault.at} could not be mended: {error}") from None


def copied(inventory: Path, folder: Path, fault: Fault) -> Path:
    """The auditor's inventory: as it is, or where something is written otherwise a copy. Raises Broken."""
    if not fault.edits:
        return inventory
    shutil.copytree(inventory, folder)
    for edit in fault.edits:
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        if edit.old not in text:
            raise Broken(f"{edit.file} does not have «{edit.old}»")
        path.write_text(text.replace(edit.old, edit.new, 1), encoding="utf-8")
    return folder


def sound(found: list[Finding]) -> list[Finding]:
    """The findings of the whole audit of a lab in which nothing is broken. Raises Broken where there is a fail."""
    failed = sorted(f"{one.unit} {one.requirement}" for one in found if one.verdict == "fail")
    if failed:
        raise Broken(f"nothing is broken, and the audit fails: {', '.join(failed)}")
    return found


def as_before(before: Verdicts, after: Verdicts) -> None:
    """Raises Broken where the whole audit says something else than at the beginning: something was not mended."""
    _, changed = compared(before, before, after, {})
    if changed:
        raise Broken(f"all is mended, and the audit says something else: {', '.join(changed)}")


def main(names: Sequence[str]) -> int:
    """Exit status: 0 every fault was caught, 1 some was not, 2 the checkout, the lab or an audit is not fit for it."""
    try:
        commit = commit_of(ROOT)
    except NotClean as error:
        print(error, file=sys.stderr)
        return 2
    known = {name: Outcome(**row) for name, row in (json.loads(STATE.read_text()) if STATE.exists() else {}).items()}
    wanted = [name for name in FAULTS if not names or name in names]
    left = [name for name in wanted if names or not (name in known and known[name].caught_on(commit))]
    began = time.monotonic()
    try:
        baseline = sound(audit(INVENTORY))
        before = verdicts(load(INVENTORY), baseline)
        for number, name in enumerate(left, 1):
            known[name] = replace(judge(FAULTS[name], baseline), commit=commit)
            _save(known)
            said = "caught" if known[name].caught else "NOT AS DECLARED"
            print(
                f"[{number}/{len(left)}] {name}: {said}, {known[name].red} turned, {known[name].seconds} s",
                flush=True,
            )
            for line in (
                *(f"missed: {one}" for one in known[name].missed),
                *(f"false alarm: {one}" for one in known[name].false),
            ):
                print(f"    {line}", flush=True)
            if number % WHOLE_EVERY == 0 or number == len(left):
                as_before(before, verdicts(load(INVENTORY), sound(audit(INVENTORY))))
                print(f"  whole audit: as before ({time.monotonic() - began:.0f} s so far)", flush=True)
    except Broken as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to go on", file=sys.stderr)
        return 130
    return 0 if all(known[name].caught for name in wanted) else 1


def _save(known: Mapping[str, Outcome]) -> None:
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps({name: asdict(row) for name, row in known.items()}, ensure_ascii=False, indent=1))
    rows = [(name, FAULTS[name], known[name]) for name in FAULTS if name in known]
    TABLE.write_text(
        "# Results of `make mutation`\n\nWritten by `tests/mutation/run.py`: one fault at a time in the lab.\n\n"
        f"{headline([row for _, _, row in rows])}\n\n"
        "| Fault | Host | Verdicts that turn | Result | Seconds | Commit |\n|---|---|---:|---|---:|---|\n"
        + "".join(
            f"| {name} | {fault.at} | {row.red} | {_result(row)} | {row.seconds} | {row.commit} |\n"
            for name, fault, row in rows
        ),
        encoding="utf-8",
    )


def headline(rows: Collection[Outcome]) -> str:
    """How many faults were seeded, how many of them were caught, and on which commits."""
    caught, false = sum(row.caught for row in rows), sum(len(row.false) for row in rows)
    commits = ", ".join(f"{number} on {commit}" for commit, number in Counter(row.commit for row in rows).most_common())
    return f"{len(rows)} seeded ({commits}), {caught} caught, {false} false alarms."


def _result(row: Outcome) -> str:
    if row.caught:
        return "caught"
    lines = (*(f"**missed**: {one}" for one in row.missed), *(f"**false alarm**: {one}" for one in row.false))
    return "; ".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
