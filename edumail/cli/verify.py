"""``edumail verify``: what of the circular holds on the hosts, unit by unit; ``pytest tests/circular`` in a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from edumail.circular.catalogue import requirements
from edumail.circular.summary import page
from edumail.circular.verdicts import Finding, Verdict, as_json, complete, counts, from_json
from edumail.cli.check import add_inventory
from edumail.cli.deploy import ROOT, add_hosts, chosen_hosts
from edumail.cli.language import Commands, Parser, say
from edumail.load import load
from edumail.model import Province

_INCOMPLETE = 2
_PYTEST_RAN = (0, 1)  # all passed, some failed; everything else means that pytest itself was stopped
_WORDS: dict[Verdict, tuple[str, str]] = {
    "pass": ("đạt", "pass"),
    "fail": ("KHÔNG ĐẠT", "FAIL"),
    "attested": ("xác nhận", "attested"),
    "not-applicable": ("–", "–"),
    "not-tested": ("chưa thử", "not tested"),
}


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("kiểm tra máy chủ theo Thông tư 37/2020, không thay đổi gì", "audit the hosts, changing nothing")
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
    add_hosts(parser)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help=say("ghi kết quả ra JSON", "write the result as JSON")
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help=say("ghi báo cáo HTML", "write a report as HTML"))
    parser.add_argument("--evidence", action="store_true", help=say("in cả bằng chứng", "print the evidence too"))
    parser.add_argument(
        "--outside",
        metavar="ADDRESS",
        help=say(
            "một địa chỉ của chính bạn ở ngoài tỉnh: chứng minh thư ra được Internet (4.1)",
            "an address of your own outside the province: proves that mail leaves it (4.1)",
        ),
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Ask the hosts, print the table, write the files."""
    province = load(args.inventory)
    hosts = chosen_hosts(province.hosts, args.host)
    found, incomplete, asked = _ask(args, hosts)
    units = [unit.id for unit in province.units.values() if unit.host in hosts]
    findings = complete(province, units, [*found, *_unanswered(province, units, found, asked, incomplete)])
    at = datetime.now(UTC).replace(microsecond=0)
    _print(province, findings, sorted(asked, key=list(requirements()).index), args.evidence)
    if args.json:
        content = {
            "inventory": province.settings.id,
            "at": at.isoformat(),
            "hosts": hosts,
            "incomplete": incomplete,
            "findings": as_json(findings),
        }
        args.json.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if args.html:
        args.html.write_text(page(province, findings, incomplete, at), encoding="utf-8")
    for reason in incomplete:
        print(say("Chưa trọn vẹn: ", "Incomplete: ") + reason, file=sys.stderr)
    if incomplete:
        return _INCOMPLETE
    return 1 if counts(findings)["fail"] else 0


def _ask(args: Namespace, hosts: list[str]) -> tuple[list[Finding], list[str], set[str]]:
    """Run the checks in pytest: their findings, why the run is incomplete, and which requirements they answer."""
    with tempfile.TemporaryDirectory(prefix="edumail-verify-") as scratch:
        verdicts = Path(scratch) / "verdicts.json"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "tests/circular"]
        command += ["--inventory", str(args.inventory.resolve()), "--verdicts", str(verdicts)]
        if args.host:
            command += ["--hosts", ",".join(f"ssh://auditor@{host}" for host in hosts)]
        if args.outside:
            command += ["--outside", args.outside]
        environment = os.environ | {"EDUMAIL_PROGRESS": "1", "PYTEST_ADDOPTS": ""}
        result = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if not verdicts.exists():
            tail = " | ".join(result.stdout.strip().splitlines()[-5:])
            return [], [f"pytest {result.returncode}: {tail}"], set()
        content = json.loads(verdicts.read_text(encoding="utf-8"))
    incomplete = list(content["incomplete"])
    if result.returncode not in _PYTEST_RAN:
        incomplete.append(f"pytest ended with {result.returncode}")
    found = from_json(content["findings"])
    if result.returncode == 1 and not incomplete and not any(f.verdict == "fail" for f in found):
        incomplete.append("a check failed without saying which unit fails: see pytest tests/circular")
    return found, incomplete, set(content["asked"])


def _unanswered(
    province: Province, units: list[str], found: list[Finding], asked: set[str], incomplete: list[str]
) -> list[Finding]:
    """A question that has a check, binds the unit and got no answer is open, and the run incomplete."""
    answered = {(finding.unit, finding.requirement) for finding in found}
    open_ = []
    for unit in units:
        kind = province.kinds[province.units[unit].kind]
        for name in sorted(asked):
            if requirements()[name].applies_to(kind) and (unit, name) not in answered:
                open_.append(
                    Finding(unit, name, "not-tested", ("the check did not come to this unit; see 'incomplete'",))
                )
    if open_ and not incomplete:
        incomplete.append(f"{len(open_)} questions got no answer")
    return open_


def _print(province: Province, findings: list[Finding], asked: list[str], evidence: bool) -> None:
    by_key = {(finding.unit, finding.requirement): finding for finding in findings}
    print(say("Đối chiếu với Thông tư 37/2020/TT-BGDĐT", "Assessed against Circular 37/2020/TT-BGDĐT") + "\n")
    for unit in sorted({finding.unit for finding in findings}):
        print(f"{province.units[unit].name} ({unit})")
        for name in asked:
            finding = by_key[unit, name]
            requirement = requirements()[name]
            text = say(requirement.vi, requirement.en)
            print(f"  {name:<14} {_coloured(finding.verdict):<12} {text[:90]}")
            if evidence or finding.verdict == "fail":
                for line in finding.evidence:
                    print(f"      {line}")
        print()
    number = counts(findings)
    print(", ".join(f"{say(*_WORDS[verdict])}: {number[verdict]}" for verdict in _WORDS if verdict != "not-applicable"))
    print(
        say(
            f"Có phép thử cho {len(asked)} trong {len(requirements())} yêu cầu; phần còn lại là «chưa thử».",
            f"{len(asked)} of {len(requirements())} requirements have a check; the rest are 'not tested'.",
        )
    )


def _coloured(verdict: Verdict) -> str:
    word = f"{say(*_WORDS[verdict]):<11}"
    colour = {"pass": "32", "fail": "31;1", "not-tested": "33"}.get(verdict)
    return f"\033[{colour}m{word}\033[0m" if colour and sys.stdout.isatty() else word
