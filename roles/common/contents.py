"""Is what units publish sound? Asked before every deploy, so it reads only what changed since it last was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from edumail.cache import cache_folder
from edumail.portal.load import Contents
from edumail.problems import Problem


def content_problems(contents: Contents) -> list[Problem]:
    """Every mistake in it. Which units were sound, and in which state, is kept under ``XDG_CACHE_HOME``."""
    memory = _memory(contents.folder)
    problems, sound = contents.judge(_recall(memory))
    _keep(memory, sound)
    return problems


def _memory(folder: Path) -> Path:
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder() / f"content-{name}.json"


def _recall(memory: Path) -> dict[str, str]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _keep(memory: Path, sound: dict[str, str]) -> None:
    """Without a place to keep it the next run just takes longer."""
    staged = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged.write_text(json.dumps(sound), encoding="utf-8")
        staged.replace(memory)
    except OSError:
        staged.unlink(missing_ok=True)
