"""``edumail deploy``: pyinfra with better words. ``pyinfra INVENTORY/hosts.py deploy.py`` does the same."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from edumail.certificates import open_supplied
from edumail.cli import child
from edumail.cli.arguments import add_hosts, add_inventory, chosen_hosts
from edumail.cli.language import Commands, Parser, UserError, language, say
from edumail.cli.problems import print_notes
from edumail.cli.pyinfra_output import Failure, Listener, Records, files, parts, words
from edumail.cli.terminal import Status
from edumail.load import load
from edumail.portal.load import Contents
from edumail.problems import InventoryError
from roles.common.contents import content_problems

_DONE, _FAILED, _NOT_STARTED, _INTERRUPTED = 0, 1, 2, 130
_NAMES_SHOWN = 4


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
    manner = parser.add_mutually_exclusive_group()
    manner.add_argument(
        "--dry",
        action="store_true",
        help=say("chỉ nói sẽ đổi gì trên máy nào, không đổi gì", "say what would change on which host, change nothing"),
    )
    manner.add_argument(
        "--ask",
        action="store_true",
        help=say("nói sẽ đổi gì như --dry, rồi hỏi có làm không", "say what would change as --dry does, then ask"),
    )
    manner.add_argument(
        "--yes", "-y", action="store_true", help=say("không hỏi (mặc định)", "do not ask (the default)")
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Check, then hand over to pyinfra; say in the end how each host fared."""
    folder: Path = args.inventory
    province = load(folder)
    if problems := content_problems(Contents(folder, province)):
        raise InventoryError(problems)
    hosts = chosen_hosts(province.hosts, args.host)
    _refuse_what_pyinfra_can_not_read(folder)
    print_notes(open_supplied(province, folder, datetime.now(UTC)).notes)
    if args.dry or args.ask:
        status, changes = _plan(folder, hosts)
        if args.dry or not changes or not _agreed():
            return status
    try:
        return _deploy(folder, hosts)
    except KeyboardInterrupt:
        raise UserError(
            "đã dừng theo yêu cầu; chạy lại lệnh này để làm nốt phần còn lại",
            "interrupted; run the same command again and it finishes the rest",
            _INTERRUPTED,
        ) from None


def _refuse_what_pyinfra_can_not_read(folder: Path) -> None:
    if not (child.ROOT / "deploy.py").exists():
        raise UserError(
            f"không thấy {child.ROOT}/deploy.py: hãy cài edumail từ thư mục mã nguồn (pip install -e .)",
            f"there is no {child.ROOT}/deploy.py: install edumail from its source folder (pip install -e .)",
            _NOT_STARTED,
        )
    if not (folder / "hosts.py").exists():
        raise UserError(
            f"thiếu {folder}/hosts.py; chép tệp này từ inventories/lab",
            f"{folder}/hosts.py is missing; copy it from inventories/lab",
            _NOT_STARTED,
        )


def _agreed() -> bool:
    print(
        say("Triển khai các thay đổi trên? [c/K] ", "Deploy these changes? [y/N] "), end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in ("c", "có", "co", "y", "yes")


def _plan(folder: Path, hosts: Sequence[str]) -> tuple[int, bool]:
    """Print what would change on which host; the exit status and whether anything would."""
    with child.opened_log("deploy-dry") as log:
        listener, code, content = _pyinfra(folder, hosts, log)
    if content is None and not listener.failures:
        raise _no_result(listener, log)
    todo: dict[str, list[str]] = {host: [] for host in hosts}
    for operation in (content or {}).get("plan", []):
        for host in operation["hosts_with_change"] + operation["hosts_with_conditional_change"]:
            todo[host].append(operation["name"])
    for host, operations in todo.items():
        if failure := listener.failures.get(host):
            print(f"  {host}: {failure.why()}")
            _print_indented(failure.details(), 6)
        elif operations:
            count = say(f"{len(operations)} việc", f"{len(operations)} operation{'s' if len(operations) > 1 else ''}")
            print(f"  {host}: {count}: {parts(operations)}")
            _print_indented(map(files, listener.said.get(host, [])), 6)
        else:
            print(f"  {host}: " + say("không có gì phải thay đổi", "nothing to change"))
    changes = any(operations for host, operations in todo.items() if host not in listener.failures)
    print(say("Chưa thay đổi gì trên máy nào.", "Nothing was changed on any host."))
    failed = bool(code or listener.failures or content is None)
    if failed:
        print(_full_log(log), file=sys.stderr)
    return (_FAILED if failed else _DONE), changes


def _deploy(folder: Path, hosts: Sequence[str]) -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edumail-deploy-") as scratch, child.opened_log("deploy") as log:
        records = Records(Path(os.environ.get("EDUMAIL_RUN_LOG") or Path(scratch) / "run.jsonl").absolute())
        listener, code, content = _pyinfra(folder, hosts, log, records)
        records.new()
    if content is None and not listener.failures and not records.all:
        raise _no_result(listener, log)
    whole = content is not None and bool(content.get("results"))
    good = _summary(hosts, records.all, listener, whole) and not code
    print(say(f"Xong sau {time.monotonic() - started:.0f} giây.", f"{time.monotonic() - started:.0f} seconds."))
    if good:
        print(
            say(
                f"Tiếp theo: edumail dns {folder} (công bố bản ghi DNS), rồi edumail verify {folder}.",
                f"Next: edumail dns {folder} (publish the DNS records), then edumail verify {folder}.",
            )
        )
        return _DONE
    if not whole and listener.other and not listener.failures.keys() >= set(hosts):
        print(f"pyinfra: {listener.other[-1]}", file=sys.stderr)
    print(
        say(
            "Máy lỗi giữ cấu hình chạy tốt gần nhất. Sửa theo lời báo trên rồi chạy lại lệnh này: việc dở được "
            "làm nốt.",
            "A host that failed keeps the configuration that last worked. Mend what is said above and run this "
            "again: it finishes the rest.",
        ),
        _full_log(log),
        sep="\n",
        file=sys.stderr,
    )
    return _FAILED


def _pyinfra(
    folder: Path, hosts: Sequence[str], log: TextIO, records: Records | None = None
) -> tuple[Listener, int, dict[str, Any] | None]:
    """Run pyinfra, for a plan only when there are no ``records`` to write.

    What was heard of it, its exit status, and its JSON: None when it did not come to that.
    """
    status = Status()

    def ended(name: str, number: int, total: int, seconds: float) -> None:
        rows = records.new() if records else []
        status.line(f"[{number}/{total}] {words(name)} – {_outcome(rows)} ({seconds:.1f} s)")

    listener = Listener(hosts, ended)

    def heard(line: str) -> None:
        before, failed = listener.begun, set(listener.failures)
        listener.hear(line)
        if listener.begun != before:
            total = f"/{listener.total}" if listener.total else ""
            status.now(f"[{listener.begun}{total}] {words(listener.operation)}")
        elif line.startswith("--> Connecting"):
            status.line(say(f"Kết nối {_named(hosts)}", f"Connecting to {_named(hosts)}"))
        elif line.startswith("--> Preparing"):
            status.now(say("Xem trên máy đang có gì", "Looking at what the hosts have"))
        for host in listener.failures.keys() - failed:
            status.line(f"  ✗ {host}: {listener.failures[host].why()}")

    command = [sys.executable, "-m", "pyinfra", "--json", "-y" if records else "--dry"]
    command += [str((folder / "hosts.py").resolve()), "deploy.py"]
    command += [word for host in hosts for word in ("--limit", host)]
    environment = {"PYINFRA_PROGRESS": "off", "EDUMAIL_LANG": language()}
    environment |= {"EDUMAIL_RUN_LOG": str(records.path)} if records else {}
    code, said = child.run(command, environment, log, heard, status)
    listener.close()
    try:
        content = json.loads(said)
    except ValueError:
        content = None
    return listener, code, content if isinstance(content, dict) else None


def _no_result(listener: Listener, log: TextIO) -> UserError:
    """pyinfra ended before it touched a host."""
    last = listener.other[-1] if listener.other else "?"
    return UserError(
        f"pyinfra không bắt đầu được: {last}\n{_full_log(log)}",
        f"pyinfra could not start: {last}\n{_full_log(log)}",
        _NOT_STARTED,
    )


def _outcome(rows: Iterable[Mapping[str, Any]]) -> str:
    """How an operation ended, on which hosts."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        hosts[row["result"]].append(row["host"])
    results = {"changed": ("thay đổi", "changed"), "unchanged": ("giữ nguyên", "unchanged"), "error": ("LỖI", "FAILED")}
    told = (f"{say(*both)}: {_named(sorted(hosts[result]))}" for result, both in results.items() if hosts[result])
    return "; ".join(told) or "–"


def _summary(hosts: Sequence[str], rows: Sequence[Mapping[str, Any]], listener: Listener, whole: bool) -> bool:
    """Print how each host fared; whether all is well. ``whole``: pyinfra came to its own end."""
    done: dict[str, dict[str, list[str]]] = {host: defaultdict(list) for host in hosts}
    for row in rows:
        if row["host"] in done:
            done[row["host"]][row["result"]].append(row["operation"])
    width = max(map(len, hosts))
    good = True
    print()
    for host in hosts:
        changed, failure = done[host]["changed"], listener.failures.get(host)
        if failure is None and done[host]["error"]:
            failure = Failure(done[host]["error"][0])
        good = good and whole and not failure
        if failure:
            outcome = failure.why()
        elif not whole:
            outcome = say("CHƯA XONG: lượt triển khai dừng giữa chừng", "NOT FINISHED: the run stopped part way")
        elif changed:
            outcome = say(f"{len(changed)} thay đổi", f"{len(changed)} changed") + f" ({parts(changed)})"
        else:
            outcome = say("không có gì thay đổi", "nothing to change")
        print(f"  {host:<{width}}  {outcome}")
        if failure:
            left = say(
                "máy này được giữ nguyên; chạy lại khi lượt kia xong",
                "this host was left alone; run again when that deploy is done",
            )
            _print_indented([*failure.details(), *([left] if failure.locked_by else [])], width + 6)
        _print_indented((say(f"lưu ý: {note}", f"note: {note}") for note in listener.notes[host]), width + 6)
    return good


def _named(hosts: Sequence[str]) -> str:
    if len(hosts) <= _NAMES_SHOWN:
        return ", ".join(hosts)
    return say(f"{len(hosts)} máy", f"{len(hosts)} hosts")


def _print_indented(lines: Iterable[str], columns: int) -> None:
    for line in lines:
        print(" " * columns + line)


def _full_log(log: TextIO) -> str:
    return say(f"Nhật ký đầy đủ: {log.name}", f"Full log: {log.name}")
