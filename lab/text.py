"""What the lab says, in both languages, and the one error a user ever sees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Lang = Literal["vi", "en"]
Say = Callable[[str], None]


def language() -> Lang:
    """Return the language of the caller: English where ``LANG`` asks for it, Vietnamese everywhere else."""
    return "en" if os.environ.get("LANG", "").startswith("en") else "vi"


@dataclass(frozen=True)
class Text:
    """One message in both languages."""

    vi: str
    en: str

    def to(self, lang: Lang) -> str:
        """Return the message in ``lang``."""
        return self.vi if lang == "vi" else self.en


@dataclass(frozen=True)
class Problem(Text):
    """Something the machine lacks, and what to do about it."""


class LabError(Exception):
    """Something went wrong that a user can act on; never shown with a traceback."""

    def __init__(self, vi: str, en: str) -> None:
        self.text = Text(vi, en)
        super().__init__(en)

    def to(self, lang: Lang) -> str:
        """Return the message in ``lang``."""
        return self.text.to(lang)


def run(
    command: list[str],
    what: Text,
    *,
    stdin: bytes | None = None,
    timeout: float = 600,
    env: dict[str, str] | None = None,
) -> str:
    """Run ``command`` and return what it printed.

    ``what`` names the task for the error message; ``timeout`` is in seconds; ``env`` is added to the environment.
    Raises :class:`LabError` with the last lines the command printed when it fails, is missing or does not end.
    """
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except FileNotFoundError:
        raise LabError(
            f"{what.vi}: thiếu lệnh `{command[0]}`.", f"{what.en}: the command `{command[0]}` is missing."
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(
            f"{what.vi}: không xong sau {timeout:.0f} giây.", f"{what.en}: not done after {timeout:.0f} seconds."
        ) from None
    if done.returncode:
        last = "\n".join((done.stderr + done.stdout).decode(errors="replace").strip().splitlines()[-8:])
        raise LabError(
            f"{what.vi}: lệnh `{command[0]}` thất bại (mã {done.returncode}):\n{last}",
            f"{what.en}: `{command[0]}` failed (status {done.returncode}):\n{last}",
        )
    return done.stdout.decode(errors="replace")
