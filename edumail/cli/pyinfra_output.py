"""What pyinfra and the roles' progress say during a deploy, understood and put into a reader's words."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edumail.cli.language import say

_LINES_SHOWN = 12
"""Of what a host said when it failed; all of it is in the log."""
_HOST_LINE = re.compile(r"^\s*\[([^\]]+)\]\s+(.*)$")
_STARTING = re.compile(r"^--> Starting operation: (.+?)\s*$")
_ENDED = re.compile(r"^\[(\d+)/(\d+)\] (.+): \d+ \S+ \S+/changed, .*?([\d.]+) s$")
_LOCKED = re.compile(r"another deploy is running: (.+?); this host was left alone")
_UNREMARKABLE = re.compile(r"^(Connected|Success|No changes|Skipped|Ready: )")
_NOTE = re.compile(r"^lưu ý/note: (.*)$")
_ERROR = re.compile(r"^Error\b:?\s*(.*)$")


@dataclass
class Failure:
    """Why a host failed: at which operation (empty: before the first), what was said, who holds its lock."""

    operation: str = ""
    said: list[str] = field(default_factory=list)
    locked_by: str = ""

    def why(self) -> str:
        """In one line."""
        if self.locked_by:
            return say(f"ĐANG BỊ KHÓA bởi {self.locked_by}", f"LOCKED by {self.locked_by}")
        if self.operation:
            return say(f"LỖI ở «{words(self.operation)}»", f"FAILED at '{words(self.operation)}'")
        return say("KHÔNG kết nối hoặc không xem được", "could NOT be reached or read")

    def details(self) -> list[str]:
        """The last lines of what was said."""
        return ["…", *self.said[-_LINES_SHOWN:]] if len(self.said) > _LINES_SHOWN else self.said


class Listener:
    """Reads pyinfra's standard error line by line; keeps what each host said and which of them failed."""

    def __init__(self, hosts: Sequence[str], ended: Callable[[str, int, int, float], None] = lambda *_: None):
        self.hosts = hosts
        self.connected: set[str] = set()
        self.failures: dict[str, Failure] = {}
        self.said: dict[str, list[str]] = defaultdict(list)
        self.notes: dict[str, list[str]] = defaultdict(list)
        """What a host has to say to whoever deploys though nothing failed."""
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
        elif found := _NOTE.match(text):
            self.notes[host].append(found[1])
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


class Records:
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


_OPERATIONS = {
    "packages": ("cài gói phần mềm", "install packages"),
    "nftables: the deploy's own way in": ("đường vào của chính lượt triển khai", "the deploy's own way in"),
    "identity: keys and certificates": ("khóa và chứng thư của máy", "the host's keys and certificates"),
}
_STEPS = {
    "stage": ("chuẩn bị cấu hình", "stage the configuration"),
    "activate": ("kiểm tra và đưa vào dùng", "check and make live"),
    "bring files": ("đưa tệp lên", "bring the files"),
    "show": ("dùng bản tốt nhất hiện có", "show the best there are"),
    "order": ("xin cấp khi đến hạn", "order what is due"),
}


def words(operation: str) -> str:
    """An operation's name for a reader; one that nobody translated stays as it is."""
    if operation in _OPERATIONS:
        return say(*_OPERATIONS[operation])
    what, _, step = operation.partition(": ")
    return f"{what}: {say(*_STEPS[step])}" if step in _STEPS else operation


def parts(operations: Iterable[str]) -> str:
    """What of a host operations are about: its packages, its keys, this daemon."""
    names = (words(name) if name in _OPERATIONS else name.partition(":")[0] for name in operations)
    return ", ".join(dict.fromkeys(names))


def files(text: str) -> str:
    """How roles/common/operations.py announces the files of a tree, in one language."""
    for both, one in (("ghi/write", say("ghi", "write")), ("xóa/remove", say("xóa", "remove"))):
        text = text.replace(f"{both} 0; ", "").replace(f"; {both} 0", "").replace(both, one)
    return text
