"""``edumail deploy``: pyinfra with better words. ``pyinfra INVENTORY/hosts.py deploy.py`` does the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from edumail.cli.check import add_inventory
from edumail.cli.language import Commands, Parser, UserError, language, say
from edumail.load import load

ROOT = Path(__file__).resolve().parent.parent.parent
_NOT_STARTED = 2


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("đưa inventory lên các máy chủ", "bring hosts to what the inventory says")
    parser = commands.add_parser(
        "deploy",
        help=summary,
        description=summary
        + say(
            ". Chạy lại bao nhiêu lần cũng được: lần bị ngắt giữa chừng sẽ được làm tiếp, lần không có gì mới thì "
            "không đổi gì. Mã thoát: 0 xong, 1 có máy lỗi hoặc inventory sai, 2 không bắt đầu được.",
            ". Run it as often as you like: what was cut short is finished, and with nothing new nothing changes. "
            "Exit status: 0 done, 1 a host failed or the inventory is wrong, 2 could not start.",
        ),
    )
    add_inventory(parser)
    add_hosts(parser)
    parser.add_argument("--dry", action="store_true", help=say("chỉ nói sẽ đổi gì", "only say what would change"))
    parser.set_defaults(run=run)


def add_hosts(parser: Parser) -> None:
    """The option that picks hosts."""
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        help=say("chỉ máy này; dùng được nhiều lần", "this host only; may be given several times"),
    )


def chosen_hosts(known: Iterable[str], wanted: list[str]) -> list[str]:
    """The hosts to work on: all, or those asked for. Raises UserError for one that is not in the inventory."""
    known = list(known)
    for host in wanted:
        if host not in known:
            names = ", ".join(known)
            raise UserError(
                f"không có máy chủ «{host}» (có: {names})", f"there is no host '{host}' (there are: {names})"
            )
    return wanted or known


def run(args: Namespace) -> int:
    """Check, then hand over to pyinfra; say in the end how each host fared."""
    folder: Path = args.inventory
    hosts = chosen_hosts(load(folder).hosts, args.host)
    if not (folder / "hosts.py").exists():
        raise UserError(
            f"thiếu {folder}/hosts.py; chép từ inventories/lab", f"{folder}/hosts.py is missing; copy inventories/lab's"
        )
    with tempfile.TemporaryDirectory(prefix="edumail-deploy-") as scratch:
        record = Path(scratch) / "run.jsonl"
        log = _log_path()
        command = [sys.executable, "-m", "pyinfra", "--dry" if args.dry else "-y"]
        command += [word for host in args.host for word in ("--limit", host)]
        command += [str((folder / "hosts.py").resolve()), "deploy.py"]
        environment = os.environ | {
            "PYINFRA_PROGRESS": "off",
            "EDUMAIL_RUN_LOG": str(record),
            "EDUMAIL_LANG": language(),
        }
        started = time.monotonic()
        status = _follow(command, environment, log, show_plan=args.dry)
        rows = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    if args.dry:
        print(say("Chưa thay đổi gì trên máy nào.", "Nothing was changed on any host."))
        return status
    _summary(hosts, rows, log, time.monotonic() - started, failed=status != 0)
    return status


def _log_path() -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edumail"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state / f"deploy-{time.strftime('%Y%m%d-%H%M%S')}.log"


def _follow(command: list[str], environment: dict[str, str], log: Path, show_plan: bool) -> int:
    """Run pyinfra, its whole output into ``log``; on the terminal progress lines and what daemons said on failure."""
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
    except OSError as error:
        raise UserError(
            f"không chạy được pyinfra: {error}", f"pyinfra does not start: {error}", _NOT_STARTED
        ) from error
    assert process.stdout is not None
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        pending: dict[str, list[str]] = defaultdict(list)
        try:
            for line in process.stdout:
                file.write(line)
                shown = _shown(line.rstrip(), pending, show_plan)
                if shown:
                    print(shown, flush=True)
        except KeyboardInterrupt:
            process.wait()
            raise UserError(
                "đã dừng; chạy lại lệnh này để làm nốt phần còn lại",
                "interrupted; run the same command again and it finishes the rest",
                130,
            ) from None
    return 1 if process.wait() else 0


_HOST_LINE = re.compile(r"^\s+\[([^\]]+)\]\s+(.*)$")
_PROGRESS = re.compile(r"^\[\d+/\d+\] ")


def _shown(line: str, pending: dict[str, list[str]], show_plan: bool) -> str:
    """What of pyinfra's output a person wants to see as it comes."""
    if _PROGRESS.match(line):
        pending.clear()
        return line
    found = _HOST_LINE.match(line)
    if found:
        host, said = found.groups()
        if said.startswith("Error") or "error" in said.lower()[:12]:
            return "\n".join(f"  {host}: {words}" for words in [*pending.pop(host, [])[-6:], said])
        pending[host].append(said)
        return line if show_plan and ("write" in said or "remove" in said) else ""
    if show_plan and re.match(r"^\s{4}\S.*\s\d|^--> (Proposed|Detected)", line):
        return line
    return line if "pyinfra error" in line else ""


def _summary(hosts: list[str], rows: list[dict[str, str]], log: Path, seconds: float, failed: bool) -> None:
    by_host: dict[str, dict[str, int]] = {host: defaultdict(int) for host in hosts}
    broken: dict[str, str] = {}
    for row in rows:
        by_host.setdefault(row["host"], defaultdict(int))[row["result"]] += 1
        if row["result"] == "error":
            broken[row["host"]] = row["operation"]
    print()
    for host, counts in by_host.items():
        if host in broken:
            outcome = say(f"LỖI ở «{broken[host]}»", f"FAILED at '{broken[host]}'")
        elif not counts:
            outcome = say("KHÔNG làm được gì (không kết nối được?)", "NOT reached")
        elif counts["changed"]:
            outcome = say(f"{counts['changed']} thay đổi", f"{counts['changed']} changed")
        else:
            outcome = say("không có gì thay đổi", "nothing to change")
        print(f"  {host:<16} {outcome}")
    print(say(f"Xong sau {seconds:.0f} giây.", f"{seconds:.0f} seconds."))
    if failed:
        print(
            say(
                f"Máy lỗi giữ nguyên cấu hình đang chạy. Sửa theo lời báo trên rồi chạy lại. Nhật ký đầy đủ: {log}",
                f"A host that failed keeps what was live. Mend what is said above and run again. Full log: {log}",
            ),
            file=sys.stderr,
        )
    else:
        print(say("Tiếp theo: edumail dns, rồi edumail verify.", "Next: edumail dns, then edumail verify."))
