"""What a run tells while it goes on: a line for each operation, and a record for each host and operation."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pyinfra.api import Host, State
from pyinfra.api.state import BaseStateCallback

RUN_LOG = "EDUMAIL_RUN_LOG"
"""The environment variable that names the file to which records are appended, one JSON object a line."""


def report_progress(state: State, stream: TextIO | None = None) -> None:
    """Call it in the deploy file; only the first call of a run counts, since a deploy file runs once per host."""
    if not any(isinstance(handler, Progress) for handler in state.callback_handlers):
        log = os.environ.get(RUN_LOG)
        state.add_callback_handler(Progress(stream, Path(log) if log else None))


class Progress(BaseStateCallback):
    """Prints progress to ``stream`` (standard error by default: standard output may be JSON) and appends records.

    A record has ``run`` (the same for all of a run), ``at`` (when the operation ended, UTC), ``host``, ``operation``,
    ``result`` (``changed``, ``unchanged`` or ``error``) and ``seconds``.
    """

    def __init__(self, stream: TextIO | None = None, log: Path | None = None) -> None:
        self.stream = stream or sys.stderr
        self.log = log
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self.total = 0
        self.begun: set[str] = set()
        self.started: dict[tuple[Host, str], float] = {}
        self.ended: dict[tuple[Host, str], tuple[float, str]] = {}
        self.counts: dict[str, Counter[str]] = {}
        self.operation_started: dict[str, float] = {}

    def operation_start(self, state: State, op_hash: str) -> None:
        """All hosts begin an operation."""
        self._begin(state, op_hash)

    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:
        """One host begins; whatever it did before is complete now."""
        self._begin(state, op_hash)
        self._flush(state, host)
        self.started[host, op_hash] = time.monotonic()

    def operation_host_success(self, state: State, host: Host, op_hash: str, retry_count: int = 0) -> None:
        """Whether it changed anything is known only a moment later, see ``_flush``."""
        self._end(host, op_hash)

    def operation_host_error(
        self, state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        """The operation failed on this host."""
        self._end(host, op_hash)

    def operation_end(self, state: State, op_hash: str) -> None:
        """All hosts are through with an operation: say how it went."""
        for host in list(state.inventory):
            self._flush(state, host)
        count = self.counts.pop(op_hash, Counter())
        seconds = time.monotonic() - self.operation_started.pop(op_hash)
        self._say(
            f"[{len(self.begun)}/{self.total}] {_name(state, op_hash)}: "
            f"{count['changed']} thay đổi/changed, {count['unchanged']} giữ nguyên/unchanged, "
            f"{count['error']} lỗi/failed, {seconds:.1f} s"
        )

    def host_disconnect(self, state: State, host: Host) -> None:
        """The last operation has no next one that would complete its record."""
        self._flush(state, host)

    def _begin(self, state: State, op_hash: str) -> None:
        if op_hash in self.begun:
            return
        if not self.total:
            self.total = len(state.get_op_order())
        self.begun.add(op_hash)
        self.operation_started[op_hash] = time.monotonic()

    def _end(self, host: Host, op_hash: str) -> None:
        started = self.started.pop((host, op_hash), None)
        seconds = 0.0 if started is None else time.monotonic() - started
        self.ended[host, op_hash] = (seconds, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")

    def _flush(self, state: State, host: Host) -> None:
        for key in [key for key in self.ended if key[0] is host]:
            op_hash = key[1]
            operation = state.ops[host][op_hash].operation_meta
            if not operation.is_complete():
                continue
            seconds, at = self.ended.pop(key)
            result = "error" if operation.did_error() else "changed" if operation.did_change() else "unchanged"
            self.counts.setdefault(op_hash, Counter())[result] += 1
            self._record(
                {
                    "run": self.run,
                    "at": at,
                    "host": host.name,
                    "operation": _name(state, op_hash),
                    "result": result,
                    "seconds": round(seconds, 3),
                }
            )

    def _record(self, record: dict[str, object]) -> None:
        if self.log:
            # Opened each time: what was written stays, whenever the run dies.
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


def _name(state: State, op_hash: str) -> str:
    return ", ".join(sorted(state.get_op_meta(op_hash).names))
