"""Commands on hosts, by the ``ssh`` of this machine: as a deploy reaches them: checked host keys, no questions."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Self

from edumail.cli.language import UserError
from edumail.cli.terminal import plain
from edumail.model import Host, Province

_SSH_FAILED = 255


class HostError(UserError):
    """A host could not be reached, or what was asked of it failed; the message names the host."""


class Remote:
    """Runs commands on the hosts of a province, over one connection to each; a context manager, which ends them.

    ``tick`` is called about twice a second while a command runs.
    """

    def __init__(self, province: Province, tick: Callable[[], None] = lambda: None):
        self.province = province
        self.tick = tick
        self._sockets = tempfile.TemporaryDirectory(prefix="edumail-ssh-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for socket in Path(self._sockets.name).iterdir():
            words = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "edumail"]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=5, check=False)
        self._sockets.cleanup()

    def words(self, name: str, command: Sequence[str]) -> list[str]:
        """The local command that runs ``command`` on a host."""
        host: Host = self.province.hosts[name]
        config = self.province.settings.ssh_config
        words = ["ssh", "-o", "BatchMode=yes", "-o", "ControlMaster=auto", "-T"]
        # Whoever is killed leaves a connection for half a minute.
        words += ["-o", f"ControlPath={self._sockets.name}/%C", "-o", "ControlPersist=30"]
        if config is not None:
            words += ["-F", str(Path(config).expanduser()), "-l", host.ssh.user, name]
        else:
            words += ["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"]
            words += ["-p", str(host.ssh.port), "-l", host.ssh.user, host.ssh.address or host.fqdn]
        return [*words, "--", shlex.join(command)]

    def run(self, host: str, command: Sequence[str], stdin: bytes = b"") -> bytes:
        """What ``command`` prints on a host. Raises HostError."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            self._wait([(host, self._start(host, command, given, said))])
            said.seek(0)
            return said.read()

    def joined(self, first: tuple[str, Sequence[str]], second: tuple[str, Sequence[str]], *, both: bool) -> None:
        """Run a command on each of two hosts, the first's output being the second's input, and back too if ``both``.

        Raises HostError when one of them fails.
        """
        with contextlib.ExitStack() as stack:
            ends = [os.fdopen(number, mode, 0) for number, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
            back = [os.fdopen(number, mode, 0) for number, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
            for end in (*ends, *back):
                stack.enter_context(end)
            sender = self._start(*first, back[0] if both else subprocess.DEVNULL, ends[1])
            receiver = self._start(*second, ends[0], back[1] if both else subprocess.DEVNULL)
            stack.close()  # each of the two must see the end of the other
            self._wait([(second[0], receiver), (first[0], sender)])

    def _start(
        self, host: str, command: Sequence[str], stdin: IO[bytes] | int, stdout: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        try:
            complaints = tempfile.TemporaryFile()  # noqa: SIM115 (read when the process has ended)
            child = subprocess.Popen(self.words(host, command), stdin=stdin, stdout=stdout, stderr=complaints)
        except OSError as error:
            raise HostError(f"không chạy được ssh: {error}", f"ssh does not start: {error}") from error
        child.stderr = complaints
        return child

    def _wait(self, children: Sequence[tuple[str, subprocess.Popen[bytes]]]) -> None:
        """Until all have ended. Raises HostError with what each that failed has said."""
        try:
            for _, child in children:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(0.5)
                        break
                    self.tick()
            if failed := [_failure(host, child) for host, child in children if child.returncode]:
                raise HostError("; ".join(error.vi for error in failed), "; ".join(error.en for error in failed))
        finally:
            for _, child in children:
                if child.poll() is None:
                    child.kill()
                    child.wait()
                if child.stderr:
                    child.stderr.close()


def _failure(host: str, child: subprocess.Popen[bytes]) -> HostError:
    assert child.stderr is not None
    child.stderr.seek(0)
    lines = child.stderr.read().decode(errors="replace").strip().splitlines()
    said = plain(lines[-1].strip()) if lines else f"exit {child.returncode}"
    if child.returncode == _SSH_FAILED:
        return HostError(f"{host}: không kết nối được: {said}", f"{host}: can't be reached: {said}")
    return HostError(f"{host}: {said}", f"{host}: {said}")
