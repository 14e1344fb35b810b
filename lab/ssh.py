"""How everyone reaches the hosts: one key, one list of known hosts, one ssh_config."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from lab import state
from lab.text import LabError, Text, run
from lab.topology import Machine

CONFIG = state.SSH / "ssh_config"
KEY = state.SSH / "id_ed25519"
KNOWN_HOSTS = state.SSH / "known_hosts"


def keygen(path: Path, comment: str) -> str:
    """Make an ed25519 key at ``path`` unless there is one; return its public half."""
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        run(command, Text("Tạo khóa SSH", "Make an SSH key"))
    return path.with_suffix(".pub").read_text()


def write_config(machines: tuple[Machine, ...]) -> None:
    """Write ``ssh_config``: the hosts by name, strict about their keys, one shared connection for each."""
    hosts = "".join(
        f"Host {machine.name} {machine.fqdn}\n    HostName {machine.ipv4}\n    HostKeyAlias {machine.name}\n"
        for machine in machines
    )
    CONFIG.write_text(
        f"""{hosts}Host *
    User root
    IdentityFile {KEY}
    IdentitiesOnly yes
    UserKnownHostsFile {KNOWN_HOSTS}
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    ConnectTimeout 5
    # A host whose power was cut must be noticed.
    ServerAliveInterval 5
    ServerAliveCountMax 3
    ControlMaster auto
    # %i: root and the user behind sudo each have their own; %r: so have root and the auditor over there.
    ControlPath {state.SSH}/%i-%r-%n
    ControlPersist 60s
    LogLevel ERROR
"""
    )


def write_known_hosts(keys: dict[Machine, str]) -> None:
    """Write ``known_hosts`` from each machine's public host key, under every name and address it goes by."""
    rows = [
        f"{m.name},{m.fqdn},{m.ipv4},{m.ipv6} {' '.join(key.split()[:2])}\n" for m, key in keys.items()
    ]  # fmt: skip
    new = KNOWN_HOSTS.with_suffix(".new")
    new.write_text("".join(rows))
    state.hand_over(new)
    new.replace(KNOWN_HOSTS)


def command(host: str, *words: str) -> list[str]:
    """Return the words that run ``words`` on ``host``, on a connection of their own."""
    return ["ssh", "-F", str(CONFIG), "-o", "ControlMaster=no", "-o", "ControlPath=none", host, *words]


def call(host: str, script: str, *, stdin: bytes = b"", timeout: float = 120) -> bytes:
    """Run ``script`` with the root shell of ``host``; return what it printed.

    ``timeout`` is in seconds. Raises :class:`LabError` with what it said on failure.
    """
    try:
        done = subprocess.run(
            command(host, script), input=stdin, capture_output=True, timeout=timeout, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LabError(
            f"{host}: lệnh không xong sau {timeout:.0f} giây.", f"{host}: not done after {timeout:.0f} seconds."
        ) from None
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise LabError(f"{host}: lệnh thất bại: {said}", f"{host}: the command failed: {said}")
    return done.stdout


def disconnect(host: str | None = None) -> None:
    """End shared connections to ``host`` (all hosts if None): after a power cut whoever used them would hang."""
    if state.SSH.exists():
        for socket in state.SSH.glob(f"*-{host or '*'}"):
            if socket.is_socket():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    words = ["ssh", "-S", str(socket), "-O", "exit", "lab"]
                    subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=5, check=False)
                socket.unlink(missing_ok=True)
