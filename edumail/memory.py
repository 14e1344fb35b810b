"""What files of an inventory said when they were last read, so that a large one is not read through anew each time.

One file below ``XDG_CACHE_HOME``. What it says of a file counts as long as two digests fit: over what stands in the
file and all that its reading rests upon, this program's own source among it, and over what is said. Else it is as if it
were not there, and so it is when somebody deletes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pydantic
import yaml

from edumail.cache import cache_folder

FEW = 100
"""So many files are read sooner than a memory of them is kept."""


class Memory:
    """Of one inventory: recall and note, then keep."""

    def __init__(self, folder: Path):
        self._folder = str(folder.resolve())
        self._path = cache_folder() / f"read-{hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]}"
        self._before = _lines(self._path)
        self._now: dict[str, str] = {}

    def recall(self, *state: str) -> Any:
        """What was noted of a file when its name, its text and all else that counts were ``state``; None: nothing."""
        if not self._before:
            return None
        key = _digest(*state)
        line = self._before.get(key, "")
        checked, _, text = line.partition(" ")
        if not text or checked != _digest(key, text):
            return None
        self._now[key] = line
        return json.loads(text)

    def note(self, value: Any, *state: str) -> None:
        """Remember ``value``, of what JSON has. None is no value."""
        key, text = _digest(*state), json.dumps(value, separators=(",", ":"))
        self._now[key] = f"{_digest(key, text)} {text}"

    def keep(self) -> None:
        """Write it down, if that is anything new. Without a place to keep it the next run just takes longer."""
        if len(self._now) <= FEW or self._now == self._before:
            return
        lines = [self._folder, *(f"{key} {line}" for key, line in self._now.items())]
        staged = self._path.with_suffix(".new")  # should two write at once, digests tell what is left of it
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _forget(self._path.parent)
            try:
                staged.touch(mode=0o600)
                staged.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
                staged.replace(self._path)
            finally:
                staged.unlink(missing_ok=True)


def _lines(path: Path) -> dict[str, str]:
    try:
        _, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    return {key: line for key, _, line in (line.partition(" ") for line in lines)}


def _digest(*parts: str) -> str:
    state = hashlib.sha256(_program())
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(b"%d " % len(data) + data)
    return state.hexdigest()


@lru_cache(1)
def _program() -> bytes:
    """All that makes of a file what is noted of it."""
    state = hashlib.sha256(f"{sys.version} {pydantic.VERSION} {yaml.__version__}".encode())
    for path in sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in (".py", ".json")):
        state.update(str(path).encode() + path.read_bytes())
    return state.digest()


def _forget(base: Path) -> None:
    """Memories of inventories that are gone take room for nothing."""
    for memory in base.glob("read-*"):
        with memory.open(encoding="utf-8", errors="surrogateescape") as file:
            gone = not Path(file.readline().rstrip("\n")).is_dir()
        if gone:
            memory.unlink(missing_ok=True)
