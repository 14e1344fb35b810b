"""A child process in the checkout: its log, its lines as they come, and its end, also when a user interrupts it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

from edumail.cli.language import UserError
from edumail.cli.terminal import Status, plain

ROOT = Path(__file__).resolve().parent.parent.parent
"""The checkout: ``deploy.py``, ``config.py`` and the audit's tests are run from here."""

_LOGS_KEPT = 30
_STOP_SECONDS = 15
"""How long an interrupted child may take to leave its hosts in order."""
_ENVIRONMENT = {"PYTHONIOENCODING": "utf-8:backslashreplace", "PYTHONDONTWRITEBYTECODE": "1"}


def state_folder() -> Path:
    """Where this user's logs and unfinished runs are kept: below ``XDG_STATE_HOME`` (``~/.local/state``). Made."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edumail"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextlib.contextmanager
def opened_log(command: str) -> Iterator[TextIO]:
    """A new log file for a run of ``command`` in :func:`state_folder`, for its owner only; the oldest ones go.

    Raises UserError when it can't be written.
    """
    try:
        folder = state_folder()
        path = folder / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        file = open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"không ghi được nhật ký: {error}; đặt XDG_STATE_HOME vào thư mục ghi được",
            f"can't write a log: {error}; set XDG_STATE_HOME to a folder that can be written",
            status=2,
        ) from error
    with file:
        for old in sorted(folder.glob(f"{command}-*.log"))[:-_LOGS_KEPT]:
            old.unlink(missing_ok=True)
        yield file


def run(
    command: Sequence[str], environment: Mapping[str, str], log: TextIO, heard: Callable[[str], None], status: Status
) -> tuple[int, str]:
    """:func:`follow` with ``status`` as its clock: the child's exit status, and its standard output, now in the log."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stdout:
        try:
            code = follow(command, environment, log, heard, status.tick, stdout)
        finally:
            status.clear()
            stdout.seek(0)
            said = stdout.read()
            log.write(said)
    return code, said


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
            env={**os.environ, **_ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,  # a question that nobody sees must not wait for an answer
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise UserError(f"không chạy được: {error}", f"does not start: {error}", status=2) from error
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
