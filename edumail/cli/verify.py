"""``edumail verify``: what of the circular holds on each unit's hosts. ``pytest tests/circular`` asks the same."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import unicodedata
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from edumail.circular.assessment import Assessment, Check, written
from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, complete, counts, from_json
from edumail.cli import child
from edumail.cli.arguments import add_hosts, add_inventory, chosen_hosts
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.terminal import Status, plain
from edumail.load import load
from edumail.model import Province, Unit
from edumail.units import page_turn, portal_host

_GOOD, _SOME_FAIL, _INCOMPLETE, _INTERRUPTED = 0, 1, 2, 130
_PYTEST_RAN = (0, 1)
"""All passed, some failed. 2 to 5: interrupted or a file that does not load, internal error, usage, nothing to run."""

_WORDS: dict[Verdict, tuple[str, str]] = {
    "pass": ("đạt", "pass"),
    "fail": ("không đạt", "fail"),
    "attested": ("xác nhận", "attested"),
    "not-tested": ("chưa thử", "not tested"),
    "not-applicable": ("không áp dụng", "not applicable"),
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
ASSESSABLE = "C37-16.1"
"""The one requirement that the audit itself answers."""
_UNSAID = "a check failed without saying for which unit"


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say(
        "đối chiếu máy chủ đang chạy với Thông tư 37/2020, không thay đổi gì",
        "assess the live hosts against Circular 37/2020, changing nothing",
    )
    parser = commands.add_parser(
        "verify",
        help=summary,
        description=summary
        + say(
            ". Mã thoát: 0 không có điểm nào không đạt, 1 có, 2 lần kiểm tra chưa trọn vẹn.",
            ". Exit status: 0 no fail, 1 some fail, 2 the run was incomplete.",
        ),
    )
    add_inventory(parser)
    add_questions(parser)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help=say("ghi mọi kết luận ra tệp JSON", "write all verdicts as JSON")
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help=say("ghi báo cáo ra một tệp HTML", "write a report as one HTML file")
    )
    parser.add_argument(
        "--evidence", action="store_true", help=say("in bằng chứng của mọi kết luận", "print each verdict's evidence")
    )
    parser.set_defaults(run=run)


def add_questions(parser: Parser) -> None:
    """The options of an audit: whom to ask."""
    add_hosts(parser)
    parser.add_argument(
        "--outside",
        metavar="ADDRESS",
        help=say(
            "một địa chỉ của chính bạn ở ngoài tỉnh: chứng minh thư ra được Internet (4.1)",
            "an address of your own outside the province: proves that mail leaves it (4.1)",
        ),
    )


@dataclass(frozen=True)
class Answers:
    """What the checks gave back."""

    found: list[Finding] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    """Why the run is not whole; empty when it is."""
    asked: list[str] = field(default_factory=list)
    """The requirements that have a check, in the circular's order."""
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By host and requirement: why a question stayed open."""
    pages: frozenset[str] = frozenset()
    """The requirements that are asked of the server of a unit's page, not of the host with its mailboxes."""
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    """By requirement: the tests that answer it."""


def run(args: Namespace) -> int:
    """Ask the hosts, print the table, write the files."""
    province = load(args.inventory)
    for path in (args.json, args.html):
        _refuse_what_can_not_be_written(path)
    assessment, log = audit(args, province)
    _print(province, assessment.findings, assessment.asked, args.evidence)
    if args.json:
        _write(args.json, written(assessment))
    if args.html:
        from edumail.circular.page import page
        from edumail.circular.ranking import ranked
        from edumail.circular.sheet import no_sheet

        sheet = no_sheet()
        _write(args.html, [page(province, assessment, sheet, ranked(province, assessment, sheet))])
    return _conclude(assessment, log)


def audit(args: Namespace, province: Province) -> tuple[Assessment, str]:
    """Ask the hosts of ``args.host``: what they said, and the path of the log."""
    hosts = chosen_hosts(province.hosts, args.host)
    with child.opened_log("verify") as log:
        answers = _ask(args, hosts, log)
    at = datetime.now(UTC).replace(microsecond=0)
    findings, incomplete = judge(province, hosts, answers)
    assessment = Assessment(
        inventory=str(args.inventory),
        province=province.settings.id,
        at=at,
        hosts=tuple(hosts),
        incomplete=tuple(incomplete),
        asked=tuple(shown(answers.asked)),
        checks=answers.checks,
        findings=findings,
    )
    return assessment, log.name


def shown(asked: Sequence[str]) -> list[str]:
    """The requirements that an audit answers: asked of hosts, following from these, or answered by the audit itself."""
    names = {*asked, ASSESSABLE} if asked else set()
    rows = requirements().values()
    return [row.id for row in rows if row.id in names or not names.isdisjoint(row.follows_from)]


def _refuse_what_can_not_be_written(path: Path | None) -> None:
    """Before the audit, not after it."""
    if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
        raise UserError(f"không ghi được {path}", f"can't write {path}", _INCOMPLETE)


# --- asking ---


def _ask(args: Namespace, hosts: Sequence[str], log: TextIO) -> Answers:
    """Run the checks in pytest, in a process of their own: whatever happens there, here it is told."""
    with tempfile.TemporaryDirectory(prefix="edumail-verify-") as scratch:
        verdicts = Path(scratch) / "verdicts.json"
        # Progress goes to the real standard error, so pytest may only hold back what Python prints.
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--capture=sys", "-p", "no:cacheprovider"]
        command += ["--inventory", str(args.inventory.resolve()), "--verdicts", str(verdicts)]
        command += ["--hosts", ",".join(f"ssh://auditor@{host}" for host in hosts)] if args.host else []
        command += ["--outside", args.outside] if args.outside else []
        status = Status()
        try:
            code, said = child.run(
                [*command, "tests/circular"],
                {"EDUMAIL_PROGRESS": "1", "PYTEST_ADDOPTS": ""},
                log,
                lambda line: _progress(status, line),
                status,
            )
        except KeyboardInterrupt:
            raise UserError(
                "đã dừng theo yêu cầu; chưa có kết luận nào", "interrupted; there is no verdict", _INTERRUPTED
            ) from None
        try:
            content = json.loads(verdicts.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
    return read_answers(code, content, said)


def _progress(status: Status, line: str) -> None:
    if line.startswith("  "):
        text = line.strip()
        status.now(text) if status.live else status.line(text)


def read_answers(code: int, content: Mapping[str, Any] | None, said: str) -> Answers:
    """What pytest's exit status ``code``, the file of ``--verdicts`` (None: there is none) and its output mean."""
    if content is None:
        last = " | ".join(line.strip() for line in said.strip().splitlines()[-4:])
        return Answers(incomplete=[plain(f"pytest ended with {code} and gave no verdicts: {last}")])
    found = from_json(content["findings"])
    incomplete = [plain(" ".join(reason.split())) for reason in content["incomplete"]]
    if code not in _PYTEST_RAN:
        incomplete.append(f"pytest ended with {code}")
    if code == 1 and not incomplete and not any(finding.verdict == "fail" for finding in found):
        incomplete.append(_UNSAID)
    asked = sorted(content["asked"], key=list(requirements()).index)
    if not asked and not incomplete:
        incomplete.append("nothing was asked")
    reasons = {(row["host"], name): row["why"] for row in content.get("open", []) for name in row["requirements"]}
    checks: dict[str, tuple[Check, ...]] = {}
    for row in content.get("checks", ()):
        for name in row["requirements"]:
            checks[name] = (*checks.get(name, ()), Check(row["test"], row["about"]))
    pages = frozenset(content.get("pages", ()))
    return Answers(found, list(dict.fromkeys(incomplete)), asked, reasons, pages, checks)


def judge(province: Province, hosts: Sequence[str], answers: Answers) -> tuple[list[Finding], list[str]]:
    """All findings on the units with mailboxes or a page on ``hosts``, and why the run is incomplete, if it is.

    A question that has a check, binds the unit and got no answer is open, and makes the run incomplete; one for a host
    that nobody wanted to ask is only open.
    """
    units = [unit for unit in province.units.values() if not {unit.host, portal_host(unit)}.isdisjoint(hosts)]
    answered = {(finding.unit, finding.requirement) for finding in answers.found}
    unanswered, unwanted = [], []
    for unit in units:
        for name in answers.asked:
            if not requirements()[name].applies_to(province.kinds[unit.kind]) or (unit.id, name) in answered:
                continue
            where = page_turn(unit, hosts) if name in answers.pages else unit.host
            if where in hosts:
                why = answers.reasons.get((where, name), "the check gave no answer for this unit")
                unanswered.append(Finding(unit.id, name, "not-tested", (why,)))
            else:
                unwanted.append(Finding(unit.id, name, "not-tested", (f"{where} was not asked",)))
    incomplete = list(answers.incomplete)
    if unanswered and not incomplete:
        incomplete.append(f"{len(unanswered)} questions got no answer")
    found = [*answers.found, *unanswered, *unwanted, *_assessable(units, answers.found, [*unanswered, *unwanted])]
    return complete(province, [unit.id for unit in units], found), incomplete


def _assessable(units: Iterable[Unit], found: Iterable[Finding], left: Iterable[Finding]) -> Iterator[Finding]:
    """16.1: a unit can be inspected when every question about it got an answer, and this audit is the proof."""
    answers = Counter(finding.unit for finding in found)
    gaps = Counter(finding.unit for finding in left)
    for unit in units:
        said = f"{answers[unit.id]} answers of hosts to this audit's questions, {gaps[unit.id]} questions without one"
        sound = answers[unit.id] and not gaps[unit.id]
        yield Finding(unit.id, ASSESSABLE, "pass" if sound else "not-tested", (said,))


# --- telling ---


def _write(path: Path, pieces: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
    print(say(f"Đã ghi {path}", f"Wrote {path}"))


def _print(province: Province, findings: Sequence[Finding], asked: Sequence[str], evidence: bool) -> None:
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


def _conclude(assessment: Assessment, log: str) -> int:
    """The last words and the exit status. An incomplete run never looks like a good one."""
    asked = set(assessment.asked)
    number = tell_counts(finding for finding in assessment.findings if finding.requirement in asked)
    every = len(requirements())
    print(
        say(
            f"{every - len(asked)} trong {every} yêu cầu của thông tư không máy chủ nào trả lời: chỉ có thể xác nhận.",
            f"{every - len(asked)} of the circular's {every} requirements no host answers: they can only be attested.",
        )
    )
    tell_incomplete(assessment, log)
    if assessment.incomplete:
        return status(assessment)
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
    return status(assessment)


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


def status(assessment: Assessment) -> int:
    """The exit status: incomplete before all, then whether anything fails."""
    if assessment.incomplete:
        return _INCOMPLETE
    return _SOME_FAIL if any(finding.verdict == "fail" for finding in assessment.findings) else _GOOD


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
