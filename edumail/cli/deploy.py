"""``edumail deploy``: pyinfra with better words. ``pyinfra INVENTORY/hosts.py deploy.py`` does the same."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TextIO

from edumail.cli.check import add_inventory
from edumail.cli.language import Commands, Parser, UserError, language, say
from edumail.load import load

ROOT = Path(__file__).resolve().parent.parent.parent
"""The checkout: ``deploy.py``, ``config.py`` and the audit's tests are run from here."""

_DONE, _FAILED, _NOT_STARTED, _INTERRUPTED = 0, 1, 2, 130
_LOGS_KEPT = 30
_STOP_SECONDS = 15
"""How long an interrupted child may take to leave its hosts in order."""
_HEARTBEAT_SECONDS = 30
_LINES_SHOWN = 12
"""Of what a host said when it failed; all of it is in the log."""
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


def add_hosts(parser: Parser) -> None:
    """The option that picks hosts."""
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        help=say("chỉ máy này; dùng được nhiều lần", "this host only; may be given several times"),
    )


def chosen_hosts(known: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """The hosts to work on, in the inventory's order: all, or those asked for.

    Raises UserError for one that is not in the inventory (pyinfra would only warn, and do nothing).
    """
    known = list(known)
    strangers = sorted(set(wanted) - set(known))
    if strangers:
        names, others = ", ".join(known), ", ".join(strangers)
        raise UserError(
            f"inventory không có máy chủ «{others}» (có: {names})",
            f"the inventory has no host '{others}' (there are: {names})",
            _NOT_STARTED,
        )
    return [host for host in known if not wanted or host in wanted]


def run(args: Namespace) -> int:
    """Check, then hand over to pyinfra; say in the end how each host fared."""
    folder: Path = args.inventory
    hosts = chosen_hosts(load(folder).hosts, args.host)
    _refuse_what_pyinfra_can_not_read(folder)
    if args.dry:
        return _plan(folder, hosts)[0]
    if args.ask:
        status, changes = _plan(folder, hosts)
        if not changes or not _agreed():
            return status
    return _deploy(folder, hosts)


def _refuse_what_pyinfra_can_not_read(folder: Path) -> None:
    if not (ROOT / "deploy.py").exists():
        raise UserError(
            f"không thấy {ROOT}/deploy.py: hãy cài edumail từ thư mục mã nguồn (pip install -e .)",
            f"there is no {ROOT}/deploy.py: install edumail from its source folder (pip install -e .)",
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


# --- a child process, its log and its progress; `edumail verify` uses these too ---


@contextlib.contextmanager
def opened_log(command: str) -> Any:
    """A new log file for a run of ``command``, readable by its owner only; the oldest ones go.

    It lies under ``XDG_STATE_HOME`` (``~/.local/state``) in ``edumail/``. Raises UserError when it can't be written.
    """
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edumail"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        file = open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"không ghi được nhật ký: {error}; đặt XDG_STATE_HOME vào thư mục ghi được",
            f"can't write a log: {error}; set XDG_STATE_HOME to a folder that can be written",
            _NOT_STARTED,
        ) from error
    with file:
        for old in sorted(folder.glob(f"{command}-*.log"))[:-_LOGS_KEPT]:
            old.unlink(missing_ok=True)
        yield file


class Status:
    """Progress on standard error: one line that is rewritten on a terminal, a line each where there is none."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._now = ""
        self._since = self._told = time.monotonic()

    def now(self, text: str) -> None:
        """What is going on."""
        self._now = text
        self._since = self._told = time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Show that it still goes on."""
        seconds = time.monotonic() - self._since
        if not self._now:
            return
        if self.live:
            columns = os.get_terminal_size(self.stream.fileno()).columns or 80
            self.stream.write(f"\r\033[K{f'{self._now} … {seconds:.0f} s'[: columns - 1]}")
            self.stream.flush()
        elif time.monotonic() - self._told > _HEARTBEAT_SECONDS:
            self._told = time.monotonic()
            print(f"{self._now} … {seconds:.0f} s", file=self.stream, flush=True)

    def line(self, text: str) -> None:
        """Something that stays."""
        self.clear()
        print(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Nothing is going on any more."""
        if self.live and self._now:
            self.stream.write("\r\033[K")
            self.stream.flush()
        self._now = ""


def follow(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: TextIO,
    heard: Callable[[str], None],
    tick: Callable[[], None],
    stdout: IO[Any],
) -> int:
    """Run a child in the checkout until it ends and give its exit status (negative: a signal).

    Each line of its standard error goes into ``log`` and, free of escape sequences, to ``heard``; ``tick`` is called
    about once a second. Raises UserError when it does not start, KeyboardInterrupt after it was stopped in order.
    """
    try:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8:backslashreplace"},
            stdin=subprocess.DEVNULL,  # a question that nobody sees must not wait for an answer
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise UserError(f"không chạy được: {error}", f"does not start: {error}", _NOT_STARTED) from error
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert child.stderr is not None
        for line in child.stderr:
            log.write(line)
            log.flush()
            lines.put(plain(line.rstrip("\n")))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            try:
                line = lines.get(timeout=1)
            except queue.Empty:
                if child.poll() is not None:
                    break  # something that the child left running still holds its standard error
            else:
                if line is None:
                    break
                heard(line)
            tick()
        return child.wait()
    except BaseException:
        _stop(child)
        raise


def _stop(child: subprocess.Popen[str]) -> None:
    """On a terminal Ctrl-C has reached the child already; it gets a moment before it is told again."""
    for number, seconds in ((None, 3), (signal.SIGINT, _STOP_SECONDS), (signal.SIGTERM, _STOP_SECONDS)):
        if number is not None:
            child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(seconds)
            return
    child.kill()


_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(text: str) -> str:
    """``text`` from a host, fit for a terminal: without colours, and with nothing else that could steer it."""
    text = _ESCAPE.sub("", text).replace("\t", "    ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


# --- what pyinfra says, understood ---

_HOST_LINE = re.compile(r"^\s*\[([^\]]+)\]\s+(.*)$")
_STARTING = re.compile(r"^--> Starting operation: (.+?)\s*$")
_ENDED = re.compile(r"^\[(\d+)/(\d+)\] (.+): \d+ \S+ \S+/changed, .*?([\d.]+) s$")
_LOCKED = re.compile(r"another deploy is running: (.+?); this host was left alone")
_UNREMARKABLE = re.compile(r"^(Connected|Success|No changes|Skipped|Ready: )")
_ERROR = re.compile(r"^Error\b:?\s*(.*)$")


@dataclass
class Failure:
    """Why a host failed: at which operation (empty: before the first), what was said, who holds its lock."""

    operation: str = ""
    said: list[str] = field(default_factory=list)
    locked_by: str = ""


class Listener:
    """Reads pyinfra's standard error line by line; keeps what each host said and which of them failed."""

    def __init__(self, hosts: Sequence[str], ended: Callable[[str, int, int, float], None] = lambda *_: None):
        self.hosts = hosts
        self.connected: set[str] = set()
        self.failures: dict[str, Failure] = {}
        self.said: dict[str, list[str]] = defaultdict(list)
        self.other: list[str] = []
        """Lines of no host: pyinfra's own trouble."""
        self.operation = ""
        self.begun = self.total = 0
        self._ended = ended

    def hear(self, line: str) -> None:
        """One line, without escape sequences."""
        if found := _STARTING.match(line):
            self.operation = found[1]
            self.begun += 1
            self.said.clear()
        elif found := _ENDED.match(line):
            self.total = int(found[2])
            self._ended(found[3], int(found[1]), self.total, float(found[4]))
        elif (found := _HOST_LINE.match(line)) and found[1] in self.hosts:
            self._host(found[1], found[2].strip())
        elif line.strip():
            self.other.append(line.strip())

    def _host(self, host: str, text: str) -> None:
        if text == "Connected":
            self.connected.add(host)
        if _UNREMARKABLE.match(text):
            return
        if found := _LOCKED.search(text):
            self.failures[host] = Failure(locked_by=found[1])
        elif found := _ERROR.match(text):
            said = self.said.pop(host, [])
            if found[1] and not found[1].startswith("executed "):
                said.append(found[1])
            self.failures.setdefault(host, Failure(self.operation, said))
        else:
            self.said[host].append(text)

    def close(self) -> None:
        """pyinfra has ended: who never connected has failed too."""
        if self.connected or any(self.said[host] for host in self.hosts):
            for host in self.hosts:
                if host not in self.connected:
                    self.failures.setdefault(host, Failure(said=self.said.get(host, [])))


_OPERATIONS = {
    "packages": ("cài gói phần mềm", "install packages"),
    "identity: keys and certificates": ("khóa và chứng thư của máy", "the host's keys and certificates"),
}
_STEPS = {
    "stage": ("chuẩn bị cấu hình", "stage the configuration"),
    "activate": ("kiểm tra và đưa vào dùng", "check and make live"),
}


def _words(operation: str) -> str:
    """An operation's name for a reader; one that nobody translated stays as it is."""
    if operation in _OPERATIONS:
        return say(*_OPERATIONS[operation])
    what, _, step = operation.partition(": ")
    return f"{what}: {say(*_STEPS[step])}" if step in _STEPS else operation


def _parts(operations: Iterable[str]) -> str:
    """What of a host operations are about: its packages, its keys, this daemon."""
    parts = (_words(name) if name in _OPERATIONS else name.partition(":")[0] for name in operations)
    return ", ".join(dict.fromkeys(parts))


def _files(text: str) -> str:
    """How roles/common/operations.py announces the files of a tree, in one language."""
    for both, one in (("ghi/write", say("ghi", "write")), ("xóa/remove", say("xóa", "remove"))):
        text = text.replace(f"{both} 0; ", "").replace(f"; {both} 0", "").replace(both, one)
    return text


def _named(hosts: Sequence[str]) -> str:
    if len(hosts) <= _NAMES_SHOWN:
        return ", ".join(hosts)
    return say(f"{len(hosts)} máy", f"{len(hosts)} hosts")


def _pyinfra(
    folder: Path, hosts: Sequence[str], words: Sequence[str], log: TextIO, listener: Listener, **environment: str
) -> tuple[int, dict[str, Any] | None]:
    """Run pyinfra; its exit status and its JSON, None when it did not come to that."""
    status = Status()

    def heard(line: str) -> None:
        before, failed = listener.begun, set(listener.failures)
        listener.hear(line)
        if listener.begun != before:
            total = f"/{listener.total}" if listener.total else ""
            status.now(f"[{listener.begun}{total}] {_words(listener.operation)}")
        elif line.startswith("--> Connecting"):
            status.line(say(f"Kết nối {_named(hosts)}", f"Connecting to {_named(hosts)}"))
        elif line.startswith("--> Preparing"):
            status.now(say("Xem trên máy đang có gì", "Looking at what the hosts have"))
        for host in listener.failures.keys() - failed:
            status.line(f"  ✗ {host}: {_why(listener.failures[host])}")

    command = [sys.executable, "-m", "pyinfra", "--json", *words, str((folder / "hosts.py").resolve()), "deploy.py"]
    command += [word for host in hosts for word in ("--limit", host)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdout:
        try:
            code = follow(
                command,
                {"PYINFRA_PROGRESS": "off", "EDUMAIL_LANG": language(), "PYTHONDONTWRITEBYTECODE": "1", **environment},
                log,
                heard,
                status.tick,
                stdout,
            )
        finally:
            status.clear()
            stdout.seek(0)
            text = stdout.read()
            log.write(text)
    listener.close()
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    return code, content if isinstance(content, dict) else None


def _why(failure: Failure) -> str:
    """In one line."""
    if failure.locked_by:
        return say(f"ĐANG BỊ KHÓA bởi {failure.locked_by}", f"LOCKED by {failure.locked_by}")
    if failure.operation:
        return say(f"LỖI ở «{_words(failure.operation)}»", f"FAILED at '{_words(failure.operation)}'")
    return say("KHÔNG kết nối hoặc không xem được", "could NOT be reached or read")


def _explain(failure: Failure, indent: str) -> list[str]:
    lines = failure.said[-_LINES_SHOWN:]
    if len(failure.said) > len(lines):
        lines = ["…", *lines]
    return [indent + line for line in lines]


def _no_result(listener: Listener, log: TextIO) -> UserError:
    """pyinfra ended before it touched a host."""
    last = listener.other[-1] if listener.other else "?"
    return UserError(
        f"pyinfra không bắt đầu được: {last}\nNhật ký đầy đủ: {log.name}",
        f"pyinfra could not start: {last}\nFull log: {log.name}",
        _NOT_STARTED,
    )


# --- the plan ---


def _plan(folder: Path, hosts: list[str]) -> tuple[int, bool]:
    """Print what would change on which host; the exit status and whether anything would."""
    listener = Listener(hosts)
    with _interruptible(dry=True), opened_log("deploy-dry") as log:
        code, content = _pyinfra(folder, hosts, ["--dry"], log, listener)
        if content is None and not listener.failures:
            raise _no_result(listener, log)
    todo: dict[str, list[str]] = {host: [] for host in hosts}
    for operation in (content or {}).get("plan", []):
        for host in operation["hosts_with_change"] + operation["hosts_with_conditional_change"]:
            todo[host].append(operation["name"])
    for host, operations in todo.items():
        if host in listener.failures:
            print(f"  {host}: {_why(listener.failures[host])}")
            print("\n".join(_explain(listener.failures[host], "      ")))
            continue
        if not operations:
            print(f"  {host}: " + say("không có gì phải thay đổi", "nothing to change"))
            continue
        count = say(f"{len(operations)} việc", f"{len(operations)} operations")
        print(f"  {host}: {count}: {_parts(operations)}")
        for line in listener.said.get(host, []):
            print(f"      {_files(line)}")
    changes = any(operations for host, operations in todo.items() if host not in listener.failures)
    print(say("Chưa thay đổi gì trên máy nào.", "Nothing was changed on any host."))
    failed = bool(code or listener.failures or content is None)
    if failed:
        print(say(f"Nhật ký đầy đủ: {log.name}", f"Full log: {log.name}"), file=sys.stderr)
    return (_FAILED if failed else _DONE), changes


# --- the real run ---


class _Records:
    """What roles/common/progress.py wrote of this run: a JSON object for each host and operation."""

    def __init__(self, path: Path):
        self.path = path
        self._offset = path.stat().st_size if path.exists() else 0  # the file may be one the user keeps
        self.all: list[dict[str, Any]] = []

    def new(self) -> list[dict[str, Any]]:
        """Those since the last call."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        rows = [json.loads(line) for line in whole.splitlines()]
        self.all += rows
        return rows


def _deploy(folder: Path, hosts: list[str]) -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edumail-deploy-") as scratch, opened_log("deploy") as log:
        records = _Records(Path(os.environ.get("EDUMAIL_RUN_LOG") or Path(scratch) / "run.jsonl").absolute())

        def ended(name: str, number: int, total: int, seconds: float) -> None:
            results: dict[str, list[str]] = defaultdict(list)
            for row in records.new():
                results[row["result"]].append(row["host"])
            status = [
                f"{say(*words)}: {_named(sorted(results[result]))}"
                for result, words in (
                    ("changed", ("thay đổi", "changed")),
                    ("unchanged", ("giữ nguyên", "unchanged")),
                    ("error", ("LỖI", "FAILED")),
                )
                if results[result]
            ]
            Status().line(f"[{number}/{total}] {_words(name)} – {'; '.join(status) or '–'} ({seconds:.1f} s)")

        listener = Listener(hosts, ended)
        with _interruptible():
            code, content = _pyinfra(folder, hosts, ["-y"], log, listener, EDUMAIL_RUN_LOG=str(records.path))
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
                f"làm nốt.\nNhật ký đầy đủ: {log.name}",
                "A host that failed keeps the configuration that last worked. Mend what is said above and run this "
                f"again: it finishes the rest.\nFull log: {log.name}",
            ),
            file=sys.stderr,
        )
        return _FAILED


@contextlib.contextmanager
def _interruptible(dry: bool = False) -> Any:
    try:
        yield
    except KeyboardInterrupt:
        if dry:
            raise
        raise UserError(
            "đã dừng theo yêu cầu; chạy lại lệnh này để làm nốt phần còn lại",
            "interrupted; run the same command again and it finishes the rest",
            _INTERRUPTED,
        ) from None


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
        if failure:
            good = False
            outcome = _why(failure)
        elif not whole:
            good = False
            outcome = say("CHƯA XONG: lượt triển khai dừng giữa chừng", "NOT FINISHED: the run stopped part way")
        elif changed:
            parts = _parts(changed)
            outcome = say(f"{len(changed)} thay đổi ({parts})", f"{len(changed)} changed ({parts})")
        else:
            outcome = say("không có gì thay đổi", "nothing to change")
        print(f"  {host:<{width}}  {outcome}")
        if failure:
            for line in _explain(failure, " " * (width + 6)):
                print(line)
            if failure.locked_by:
                print(
                    " " * (width + 6)
                    + say(
                        "máy này được giữ nguyên; chạy lại khi lượt kia xong",
                        "this host was left alone; run again when that deploy is done",
                    )
                )
    return good
