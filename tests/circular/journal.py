"""What an audit has asked so far, a line a question, so that one that was cut goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from edumail.circular.verdicts import Finding, as_json, from_json

HOURS = 12
"""What was answered longer ago is asked again, on the same day too."""


def about(inventory: Path, words: Sequence[str], today: date) -> str:
    """A digest over what an audit is of: the inventory's files as they are, this suite, and what was asked for.

    And of the day as a province has it: on another day other units are drawn, and some old addresses have ended.
    """
    digest = hashlib.sha256("\0".join([str(today), *words]).encode())
    for folder in (inventory, Path(__file__).parent):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                stat = path.stat()
                digest.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Journal:
    """Answers of one audit in a file that is written line by line; without a path nothing is kept."""

    def __init__(self, path: Path | None, subject: str):
        self.path = path
        self.answered: dict[str, list[Finding]] = {}
        """By test, as pytest names it with its host: what it found."""
        if path is None:
            return
        head, *rows = self._read()
        if head.get("about") == subject and time.time() - head.get("began", 0) < HOURS * 3600:
            self.answered = {row["test"]: from_json(row["findings"]) for row in rows}
            if not path.read_bytes().endswith(b"\n"):
                with path.open("a") as file:
                    file.write("\n")
        else:
            path.unlink(missing_ok=True)
            self._add({"about": subject, "began": time.time()})

    def _read(self) -> list[dict[str, Any]]:
        """The lines; one that was cut is none."""
        rows: list[dict[str, Any]] = []
        with contextlib.suppress(OSError):
            for line in (self.path or Path()).read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
        return rows or [{}]

    def add(self, test: str, findings: Iterable[Finding]) -> None:
        """A test came to its end, with or without fails."""
        if self.path is not None:
            self._add({"test": test, "findings": as_json(findings)})

    def _add(self, row: dict[str, Any]) -> None:
        assert self.path is not None
        with open(self.path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
