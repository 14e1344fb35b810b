"""One deploy at a time on a host: a lock that lives exactly as long as the deploying process.

The lock is taken when the run starts to execute, for all hosts at once and before the first operation. pyinfra's
preparation only reads, and nothing tells a deploy file whether a run will be executed at all (``--dry``, ``--json``
without ``--yes``, ``--debug-operations`` and a plan that nobody confirms are not). Operations ask the host again when
they execute, so a plan made while another deploy was working is not acted upon blindly.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import socket
import weakref
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, QuoteString, State, StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import make_unix_command_for_host

LOCK = "/run/edumail-deploy.lock"
HEARTBEAT_SECONDS = 15
LOST_SECONDS = 300
"""A holder whose control machine vanished without a word (power, network) gives the lock up after this long."""


class DeployLocked(PyinfraError):
    """Another deploy works on the host; the message names it, in Vietnamese and English."""


def whoami() -> str:
    """Who deploys, for those who find the host locked: user, machine and process."""
    return f"{getpass.getuser()}@{socket.gethostname()} (pid {os.getpid()})"


def hold_deploy_lock(host: Host, who: str | None = None) -> None:
    """Call it in the deploy file, before the first operation: ``host`` is locked while this run executes.

    A host that another deploy holds is left alone and counts as failed; the others go on. Hosts that are not reached
    over SSH are not locked.
    """
    # pyinfra's `host` is a stand-in for the host in turn; the handler outlives the turn.
    real = host.state.inventory.get_host(host.name)
    if isinstance(real.connector, SSHConnector):
        handler = _handler(real.state)
        handler.wanted[real] = who or whoami()


def holder_script(who: str, path: str = LOCK) -> str:
    """Takes the lock and says ``held``, or says ``busy`` and who holds it; keeps it while standard input goes on.

    The lock is the kernel's, on an open file: nothing is left over when the process dies in whatever way.
    """
    return f"""\
umask 022
exec 9<>{shlex.quote(path)} || exit 1
if ! flock -n 9; then
  echo "busy $(head -n 1 {shlex.quote(path)})"
  exit 75
fi
printf '%s\\n' {shlex.quote(who)}", $(date '+%Y-%m-%d %H:%M:%S %z')" > {shlex.quote(path)}
echo held
while [ -n "$(timeout {LOST_SECONDS} head -c 1)" ]; do :; done"""


class _LockHandler(BaseStateCallback):
    """Takes the locks when execution begins, and keeps them alive."""

    def __init__(self) -> None:
        self.wanted: dict[Host, str] = {}
        self.channels: dict[Host, Any] = {}
        self.heartbeat: gevent.Greenlet | None = None

    def operation_start(self, state: State, op_hash: str) -> None:
        """Before an operation of all hosts: the hosts that are locked by others drop out here."""
        todo = [host for host in state.inventory.get_active_hosts() if host in self.wanted]
        refused: set[Host] = set()

        def take(host: Host) -> None:
            try:
                self._take(host)
            except PyinfraError as error:
                host.log_styled(str(error), fg="red", log_func=logger.error)
                refused.add(host)

        gevent.joinall([gevent.spawn(take, host) for host in todo], raise_error=True)
        state.fail_hosts(refused)

    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:
        """With ``--serial`` there is no common start: each host is locked before its own first operation."""
        if host in self.wanted:
            try:
                self._take(host)
            except PyinfraError as error:
                host.log_styled(str(error), fg="red", log_func=logger.error)
                raise

    def host_disconnect(self, state: State, host: Host) -> None:
        """The run is over for this host."""
        channel = self.channels.pop(host, None)
        if channel is not None:
            channel.close()

    def _take(self, host: Host) -> None:
        who = self.wanted.pop(host)
        config = host.state.config
        command = make_unix_command_for_host(
            host.state,
            host,
            StringCommand("exec", "sh", "-c", QuoteString(holder_script(who))),
            _sudo=config.SUDO,
            _sudo_user=config.SUDO_USER,
        )
        try:
            channel = host.connector.client.get_transport().open_session()
            channel.settimeout(30)
            channel.exec_command(command.get_raw_value())
            answer = _first_line(channel)
        except Exception as error:
            raise DeployLocked(f"không khóa được máy / could not lock the host: {error}") from error
        if answer != "held":
            holder = answer.removeprefix("busy ") or "?"
            channel.close()
            raise DeployLocked(
                f"đang có lượt triển khai khác: {holder}; máy này được giữ nguyên, hãy thử lại khi lượt đó xong"
                f" / another deploy is running: {holder}; this host was left alone, try again when it is done"
            )
        self.channels[host] = channel
        if self.heartbeat is None:
            self.heartbeat = gevent.spawn(_beat, weakref.ref(self))


def _handler(state: State) -> _LockHandler:
    for handler in state.callback_handlers:
        if isinstance(handler, _LockHandler):
            return handler
    handler = _LockHandler()
    state.add_callback_handler(handler)
    return handler


def _beat(handler: weakref.ref[_LockHandler]) -> None:
    while (locks := handler()) is not None:
        for channel in list(locks.channels.values()):
            with contextlib.suppress(OSError, EOFError):
                channel.sendall(b".")
        del locks
        gevent.sleep(HEARTBEAT_SECONDS)


def _first_line(channel: Any) -> str:
    """What the holder says first; what it says on standard error when it cannot even do that."""
    said = b""
    while b"\n" not in said:
        received = channel.recv(1024)
        if not received:
            raise OSError(channel.makefile_stderr().read().decode(errors="replace").strip() or "no answer")
        said += received
    return said.split(b"\n", 1)[0].decode(errors="replace").strip()
