"""Progress on a terminal, and text from elsewhere that is fit for one."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TextIO

_HEARTBEAT_SECONDS = 30
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(text: str) -> str:
    """``text`` from a host, fit for a terminal: without colours, and with nothing else that could steer it."""
    text = _ESCAPE.sub("", text).replace("\t", "    ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


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
