"""Puts the questions of ``tests/circular`` to the hosts, in a process of their own, and judges the answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from edumail.circular.assessment import Assessment, Check, subject
from edumail.circular.catalogue import requirements
from edumail.circular.privacy import Veil
from edumail.circular.verdicts import Finding, Gap, complete, from_json
from edumail.cli import child
from edumail.cli.arguments import add_hosts, chosen_hosts
from edumail.cli.language import Parser, UserError, say
from edumail.cli.terminal import Status, plain
from edumail.model import Province, Unit
from edumail.units import page_turn, portal_host

GOOD, SOME_FAIL, INCOMPLETE, INTERRUPTED = 0, 1, 2, 130
ASSESSABLE = "C37-16.1"
"""The one requirement that the audit itself answers."""
_ITSELF = Check(
    "edumail/cli/audit.py",
    "Whether this audit asked every question about the unit and got a verdict, if only that it stays open.",
)
_PYTEST_RAN = (0, 1)
"""All passed, some failed. 2 to 5: interrupted or a file that does not load, internal error, usage, nothing to run."""
_UNSAID = "một phép thử không đạt mà không nói của đơn vị nào / a check failed without saying for which unit"
_NO_COMMIT = "không rõ / unknown"
_UNANSWERED = "phép thử không trả lời về đơn vị này / the check gave no answer for this unit"


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
    parser.add_argument(
        "--sample",
        type=_number,
        metavar="N",
        help=say(
            "trên mỗi máy, việc tốn vài giây một đơn vị (trình duyệt, tìm kiếm, thư vào mọi bộ phận) chỉ thử ở N đơn "
            "vị, bốc thăm theo ngày (mặc định 12; 0: mọi đơn vị)",
            "on each host, what takes seconds a unit (browser, search, letters to all sections) is for N units, drawn "
            "by the day (by default 12; 0: all units)",
        ),
    )
    parser.add_argument(
        "--ssh-config",
        type=_own_file,
        metavar="FILE",
        help=say(
            "tệp cấu hình SSH của chính bạn, thay cho ssh_config của province.yml",
            "your own configuration file for SSH, instead of the ssh_config of province.yml",
        ),
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help=say(
            "làm tiếp lần kiểm tra bị dừng giữa chừng (trong 12 giờ, cùng ngày UTC, cùng inventory)",
            "go on with an audit that was cut (within 12 hours, on the same UTC day, of the same inventory)",
        ),
    )


def _own_file(text: str) -> Path:
    """A file, for a process in another folder. Raises ArgumentTypeError."""
    try:
        path = Path(text).expanduser().resolve()
    except RuntimeError:  # nobody has that name
        path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError(say(f"không có tệp {path}", f"there is no file {path}"))
    return path


def _number(text: str) -> int:
    """A count of units. Raises ArgumentTypeError."""
    if not text.isdecimal():
        raise ArgumentTypeError(say(f"«{text}» không phải số đơn vị", f"'{text}' is no number of units"))
    return int(text)


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


def audit(args: Namespace, province: Province) -> tuple[Assessment, str]:
    """Ask the hosts of ``args.host``: what they said, and the path of the log."""
    hosts, commit = chosen_hosts(province.hosts, args.host), commit_of(child.ROOT)
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
        checks={**answers.checks, ASSESSABLE: (_ITSELF,)},
        findings=findings,
        left=tuple(host for host in province.hosts if host not in hosts),
        subject=subject(province),
        commit=commit,
    )
    return assessment, log.name


def commit_of(folder: Path) -> str:
    """The commit that is checked out in ``folder``, and whether files differ from it; or that git does not know."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout

    try:
        above, commit, *_ = git("rev-parse", "--show-prefix", "HEAD").split("\n")
        # Of files that git does not know many are the auditor's own: inventories, reports.
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return _NO_COMMIT
    if above:  # a copy without a git of its own, within another's
        return _NO_COMMIT
    return f"{commit} và tệp đã sửa / and changed files" if changed else commit


def shown(asked: Sequence[str]) -> list[str]:
    """The requirements that an audit answers: asked of hosts, following from these, or answered by the audit itself."""
    names = {*asked, ASSESSABLE} if asked else set()
    rows = requirements().values()
    return [row.id for row in rows if row.id in names or not names.isdisjoint(row.follows_from)]


def status(assessment: Assessment) -> int:
    """The exit status: incomplete before all, then whether anything fails."""
    if assessment.incomplete:
        return INCOMPLETE
    return SOME_FAIL if any(finding.verdict == "fail" for finding in assessment.findings) else GOOD


def _ask(args: Namespace, hosts: Sequence[str], log: TextIO) -> Answers:
    """Run the checks in pytest, in a process of their own: whatever happens there, here it is told."""
    journal = _journal(args)
    if not args.resume:
        journal.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="edumail-verify-") as scratch:
        verdicts = Path(scratch) / "verdicts.json"
        # Progress goes to the real standard error, so pytest may only hold back what Python prints.
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--capture=sys", "-p", "no:cacheprovider"]
        # Else pytest would run from another checkout if the inventory lies in one.
        command += ["-c", str(child.ROOT / "pyproject.toml")]
        command += ["--inventory", str(args.inventory.resolve()), "--verdicts", str(verdicts)]
        command += ["--hosts", ",".join(f"ssh://auditor@{host}" for host in hosts)] if args.host else []
        command += ["--outside", args.outside] if args.outside else []
        command += ["--sample", str(args.sample)] if args.sample is not None else []
        command += ["--ssh-config", str(args.ssh_config)] if args.ssh_config else []
        command += ["--journal", str(journal)]
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
                "đã dừng theo yêu cầu; chưa có kết luận nào. Chạy lại với --resume để làm tiếp",
                "interrupted; there is no verdict. Run again with --resume to go on",
                INTERRUPTED,
            ) from None
        try:
            content = json.loads(verdicts.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
    if content is not None:
        journal.unlink(missing_ok=True)  # it came to its end; what is mended now has to be asked anew
    return read_answers(code, content, said)


def _journal(args: Namespace) -> Path:
    """Where the answers of an unfinished audit of this inventory are kept."""
    name = hashlib.sha256(os.fsencode(args.inventory.resolve())).hexdigest()[:16]
    return child.state_folder() / f"verify-{name}.journal"


def _progress(status: Status, line: str) -> None:
    if line.startswith("  "):
        text = line.strip()
        status.now(text) if status.live else status.line(text)


def read_answers(code: int, content: Mapping[str, Any] | None, said: str) -> Answers:
    """What pytest's exit status ``code``, the file of ``--verdicts`` (None: there is none) and its output mean."""
    if content is None:
        last = " | ".join(line.strip() for line in said.strip().splitlines()[-4:])
        ended = f"pytest kết thúc với mã {code}, không có kết luận / pytest ended with {code} and gave no verdicts"
        return Answers(incomplete=[plain(f"{ended}: {last}")])
    found = from_json(content["findings"])
    incomplete = [plain(" ".join(reason.split())) for reason in content["incomplete"]]
    if code not in _PYTEST_RAN:
        incomplete.append(f"pytest kết thúc với mã {code} / pytest ended with {code}")
    if code == 1 and not incomplete and not any(finding.verdict == "fail" for finding in found):
        incomplete.append(_UNSAID)
    asked = sorted(content["asked"], key=list(requirements()).index)
    if not asked and not incomplete:
        incomplete.append("chưa hỏi điều gì / nothing was asked")
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
    that nobody wanted to ask is only open. Whatever leaves this machine comes from here: no address of a person does.
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
                why = answers.reasons.get((where, name), _UNANSWERED)
                unanswered.append(Finding(unit.id, name, "not-tested", (why,), gap="unasked"))
            else:
                why = f"không hỏi {where} / {where} was not asked"
                unwanted.append(Finding(unit.id, name, "not-tested", (why,), gap="unasked"))
    incomplete = list(answers.incomplete)
    if unanswered and not incomplete:
        incomplete.append(f"{len(unanswered)} câu hỏi không có câu trả lời / {len(unanswered)} questions got no answer")
    found = [*answers.found, *unanswered, *unwanted, *_assessable(units, answers.found, [*unanswered, *unwanted])]
    veil = Veil(province)
    findings = complete(province, [unit.id for unit in units], found)
    return [replace(finding, evidence=tuple(map(veil, finding.evidence))) for finding in findings], [
        veil(reason) for reason in incomplete
    ]


def _assessable(units: Iterable[Unit], found: Iterable[Finding], left: Iterable[Finding]) -> Iterator[Finding]:
    """16.1: a unit can be inspected when every question about it was asked and judged, and this audit is the proof.

    What hosts can't show all of is judged too, and stays open. What lots left out was not asked.
    """
    found = list(found)
    answers = Counter(finding.unit for finding in found if finding.verdict != "not-tested")
    judged = [finding for finding in found if finding.gap in ("", "hidden")]
    still_open = Counter(finding.unit for finding in judged if finding.verdict == "not-tested")
    lots = Counter(finding.unit for finding in found if finding.gap == "lots")
    gaps = Counter(finding.unit for finding in [*left, *(one for one in found if one.gap == "unasked")])
    for unit in units:
        yes, half, drawn, no = answers[unit.id], still_open[unit.id], lots[unit.id], gaps[unit.id]
        said = (
            f"câu hỏi của lần kiểm tra này: {yes} câu có câu trả lời, {half} câu đã hỏi mà còn để ngỏ,"
            f" {drawn} câu không hỏi do bốc thăm, {no} câu không được trả lời"
            f" / questions of this audit: {yes} answered, {half} asked and left open, {drawn} not asked by lots,"
            f" {no} without an answer"
        )
        sound = yes and not drawn and not no
        gap: Gap = "lots" if drawn and not no else ""
        yield Finding(unit.id, ASSESSABLE, "pass" if sound else "not-tested", (said,), gap=gap)
