"""Several files changed as one: what is to be written is written down first, so that whoever comes next can finish it.

``.roster-import.json`` holds for each file what it was (SHA-256, or nothing) and what it shall be. While it is there
the inventory counts as unsound, so that nobody deploys half a change.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edumail.problems import Problem, Where

JOURNAL = ".roster-import.json"
_WRITTEN = re.compile(r"(?:people|left)/[a-z0-9-]+\.csv|former\.yml")


@dataclass(frozen=True)
class Change:
    """A file relative to the inventory: what it holds, None if it is not there, and what it shall hold."""

    file: str
    before: bytes | None
    after: bytes


class Conflict(Exception):
    """Somebody else changed ``file`` meanwhile; nothing more was written."""

    def __init__(self, file: str):
        super().__init__(file)
        self.file = file


class Busy(Exception):
    """Another import is at work on the inventory."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other imports out for as long as this lasts. Raises Busy. A process that dies lets go."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield
    finally:
        os.close(handle)


def unfinished(folder: Path) -> list[Problem]:
    """What `check` says of an inventory in which an import was cut."""
    if not (folder / JOURNAL).exists():
        return []
    return [
        Problem(
            Where(JOURNAL),
            "unfinished-import",
            "một lần nhập danh sách bị ngắt giữa chừng; chạy lại «edumail roster import», việc dở dang sẽ được ghi nốt",
            "an import of a roster was cut; run 'edumail roster import' again, it first writes the rest",
        )
    ]


def write(folder: Path, changes: list[Change]) -> None:
    """Write all files. Whenever this is cut, either nothing has changed yet or :func:`finish` does the rest.

    Raises Conflict where a file is no longer what it was.
    """
    for change in changes:
        if _content(folder / change.file) != change.before:
            raise Conflict(change.file)
    entries = {
        change.file: {"before": _digest(change.before), "after": change.after.decode("utf-8")} for change in changes
    }
    _replace(folder / JOURNAL, json.dumps(entries, ensure_ascii=False, indent=1).encode())
    finish(folder)


def finish(folder: Path) -> list[str]:
    """Write what an import that was cut had still to write: the files of that import, none if there was no such thing.

    Raises Conflict where somebody changed one of them since.
    """
    journal = folder / JOURNAL
    content = _content(journal)
    if content is None:
        return []
    entries = _entries(content)
    for file, (before, after) in entries.items():
        if _digest(_content(folder / file)) not in (before, _digest(after)):
            raise Conflict(file)
    for file, (_, after) in entries.items():
        if _content(folder / file) != after:
            _replace(folder / file, after)
    journal.unlink()
    _settle(folder)
    return list(entries)


def _entries(content: bytes) -> dict[str, tuple[str | None, bytes]]:
    """By file: the digest before, and the content after. Raises Conflict for what no import wrote: a journal that came
    along with a folder must not write anywhere else."""
    try:
        entries = {file: (entry["before"], entry["after"].encode()) for file, entry in json.loads(content).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Conflict(JOURNAL) from None
    if not all(map(_WRITTEN.fullmatch, entries)):
        raise Conflict(JOURNAL)
    return entries


def _digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """The file is the old one or the new one, whole, also after the power fails."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_name(f".{path.name}.new")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        staged.chmod(path.stat().st_mode & 0o777)
    staged.replace(path)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
