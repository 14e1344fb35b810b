"""One host as a systemd-nspawn container: make it, boot it, wait for it, cut its power."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from pathlib import Path

from lab import cage, disk, ssh, state
from lab.text import LabError
from lab.topology import BRIDGE, GATEWAY4, GATEWAY6, NET4, NET6, Machine

_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def disk_of(machine: Machine) -> Path:
    """Return the directory of the machine's disk."""
    return state.MACHINES / machine.name


def create(machine: Machine, layers: tuple[Path, ...], files: dict[str, str], everyone: tuple[Machine, ...]) -> None:
    """Make a pristine disk for ``machine`` with its own identity, and ``files`` (path: text) on top."""
    mine = disk_of(machine)
    disk.create(mine, layers)
    ssh.keygen(mine / "host_key", f"root@{machine.fqdn}")
    seeds = {
        "etc/hostname": f"{machine.fqdn}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        f"{machine.ipv4} {machine.fqdn} {machine.name}\n{machine.ipv6} {machine.fqdn} {machine.name}\n",
        # Sorts before systemd's own 80-container-host0.network, which would ask for DHCP.
        "etc/systemd/network/10-lab.network": f"[Match]\nName=host0\n\n"
        f"[Network]\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\nLLMNR=no\nMulticastDNS=no\n"
        f"Gateway={GATEWAY4}\nGateway={GATEWAY6}\n\n"
        f"[Address]\nAddress={machine.ipv4}/{NET4.prefixlen}\nDuplicateAddressDetection=none\n\n"
        f"[Address]\nAddress={machine.ipv6}/{NET6.prefixlen}\nDuplicateAddressDetection=none\n",
        f"{_HOST_KEY}.pub": (mine / "host_key.pub").read_text(),
        **files,
    }
    for path, text in seeds.items():
        disk.write(mine, path, text)
    disk.write(mine, _HOST_KEY, (mine / "host_key").read_text(), 0o600)
    disk.write(mine, "root/.ssh/authorized_keys", ssh.KEY.with_suffix(".pub").read_text(), 0o600)
    (mine / "host_key").unlink()
    learn_host_keys(everyone)


def learn_host_keys(everyone: tuple[Machine, ...]) -> None:
    """Bring ``known_hosts`` in line with the disks that exist."""
    public = {machine: disk_of(machine) / "host_key.pub" for machine in everyone}
    ssh.write_known_hosts({machine: path.read_text() for machine, path in public.items() if path.exists()})


def alive(machine: Machine) -> bool:
    """Tell whether the machine is on. One that has lost its nspawn process has no console left and counts as off."""
    orphan = cage.exists(f"{machine.name}/supervisor") and not cage.alive(f"{machine.name}/supervisor")
    return cage.alive(machine.name) and not orphan


def boot(machine: Machine) -> None:
    """Switch the machine on; one that runs is left alone."""
    if alive(machine):
        return
    kill(machine)  # what is left of a dead one: processes, groups, its cable
    prefix, root = disk.enter(disk_of(machine))
    command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--link-journal=no"]
    command += ["--resolv-conf=off", "--timezone=off", "--console=read-only", f"--machine={machine.name}"]
    command += [f"--directory={root}", f"--network-bridge={BRIDGE}", "--boot"]
    # On a machine with the hybrid hierarchy nspawn would give the container the old one, which Debian 13 refuses.
    # A disk is used by one container only, and the lock files would stay behind in /run.
    env = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_LOCK": "0"}
    cage.spawn(machine.name, [*prefix, *command], state.LOGS / f"{machine.name}.log", env=env)


def wait(machine: Machine, seconds: float = 90) -> list[str]:
    """Wait until the machine has booted and sshd answers; return its failed units.

    Raises :class:`LabError` with the end of the console log if the container dies or takes longer than ``seconds``.
    """
    deadline = time.monotonic() + seconds
    script = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend"
    words = ssh.command(machine.name, script)
    while time.monotonic() < deadline and alive(machine):
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        lines = done.stdout.splitlines()
        if done.returncode == 0 and lines and lines[0] in ("running", "degraded"):
            return [line.split()[0] for line in lines[1:] if line.strip()]
        time.sleep(0.1)
    log = state.LOGS / f"{machine.name}.log"
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""
    raise LabError(
        f"Máy {machine.name} không khởi động được. Nhật ký: {log}\n{last}",
        f"The host {machine.name} does not boot. Log: {log}\n{last}",
    )


def kill(machine: Machine) -> None:
    """Cut the power: every process of the machine ends at once, its disk stays as it is."""
    cage.kill(machine.name)
    ssh.disconnect(machine.name)
    cable = Path(f"/sys/class/net/vb-{machine.name}")
    # The kernel takes the cable away a moment after the last process; only a leftover needs our hand.
    for attempt in range(100):
        if not cable.exists():
            break
        if attempt == 50:
            subprocess.run(["ip", "link", "delete", cable.name], capture_output=True, check=False)
        time.sleep(0.02)
    for kind in ("propagate", "unix-export"):
        shutil.rmtree(f"/run/systemd/nspawn/{kind}/{machine.name}", ignore_errors=True)
