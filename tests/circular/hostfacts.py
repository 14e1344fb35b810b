"""What an unprivileged user of a host can tell of it, as JSON: sent to the host's own Python by the auditor's machine.

Only the standard library, since this file runs alone and far from its checkout. It reads and changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ASKED_OF_UNITS = "Id,LoadState,ActiveState,Job,UnitFileState,Restart,User,DynamicUser"
LISTS = Path("/var/lib/apt/lists")
FETCHED = (LISTS, Path("/var/lib/apt/periodic/update-success-stamp"), Path("/var/lib/edumail/package-lists"))
"""What an update of the lists changes: the folder only if they were new, the stamps of apt and of edumail if all were
fetched. ``update-stamp`` is none: apt touches it where no mirror answered, too."""
SECURITY = "*-security_*_Packages*"
"""The lists of security updates; one that has not changed is not written again."""
BEGAN = Path("/etc/apt/apt.conf.d/60edumail")
"""What a deploy put there: from then on the host has to install them by itself."""
RAN = Path("/var/lib/apt/periodic/unattended-upgrades-stamp")
"""Touched at the end of each run of unattended-upgrades that nothing cut short."""
SIGNATURES = (Path("/var/lib/clamav/daily.cld"), Path("/var/lib/clamav/daily.cvd"))
REBOOT = Path("/run/reboot-required")
"""What an update leaves that counts from the next boot only."""
STORE = "/var/vmail"


def said(*command: str) -> str:
    """What a command prints; nothing where it is missing or fails."""
    words = {"capture_output": True, "text": True, "errors": "replace", "env": {**os.environ, "LC_ALL": "C"}}
    try:
        done = subprocess.run(command, check=False, **words)  # type: ignore[call-overload]
    except OSError:
        return ""
    return str(done.stdout) if done.returncode == 0 else ""


def pairs(text: str) -> dict[str, str]:
    """Lines ``name=value``, without quotes."""
    return {name: value.strip().strip('"') for name, _, value in (line.partition("=") for line in text.splitlines())}


def users(processes: list[str]) -> dict[str, list[str]]:
    """As whom the processes with these names run."""
    found: dict[str, set[str]] = {}
    for line in said("ps", "-eo", "user:32=,comm=").splitlines():
        user, _, name = line.strip().partition(" ")
        if name.strip() in processes:
            found.setdefault(name.strip(), set()).add(user)
    return {name: sorted(those) for name, those in found.items()}


def age(*paths: Path) -> float | None:
    """Days since the newest of some files was changed; None: there is none of them."""
    times = [path.stat().st_mtime for path in paths if path.exists()]
    return (time.time() - max(times)) / 86400 if times else None


def lists_age() -> float | None:
    """Days since the package lists were fetched; None: there are none, and apt knows of no update."""
    return age(*FETCHED) if any(LISTS.glob("*_Packages*")) else None


def pending() -> list[str] | None:
    """Packages that a security update waits for, as apt would install them now; None: apt can't tell.

    A kernel's update is a new package, which a plain ``upgrade`` holds back.
    """
    lines = said("apt-get", "-s", "-o", "Debug::NoLocking=true", "--with-new-pkgs", "upgrade").splitlines()
    if not lines:
        return None  # apt always says something, if only that there is nothing to do
    return [line.split()[1] for line in lines if line.startswith("Inst ") and "-security" in line.lower()]


def known_age() -> float | None:
    """Days for which any security update that waits has been known here, at the least: when a single one came, apt does
    not say. None: nobody can tell."""
    came = [path.stat().st_ctime for path in LISTS.glob(SECURITY)]  # their other time is that of the mirror
    ages = [(time.time() - seconds) / 86400 for seconds in came]
    return min([*ages, *(days for days in [age(BEGAN)] if days is not None)], default=None)


def ran_age() -> float | None:
    """Days since unattended-upgrades last ran to its end, or since it has to; None: nobody can tell."""
    return age(BEGAN, RAN)


def places(paths: list[str]) -> dict[str, dict[str, Any]]:
    """Owner, group and mode (octal) of each path, and whether this user could read it."""
    return {
        path: {"access": said("stat", "-c", "%U:%G %a", path).strip(), "readable": os.access(path, os.R_OK)}
        for path in paths
    }


def disks(paths: list[str]) -> dict[str, int]:
    """How full the file system of each path is, in percent."""
    sizes = {path: shutil.disk_usage(path) for path in paths if Path(path).exists()}
    return {path: round(100 * size.used / max(1, size.total)) for path, size in sizes.items()}


def encrypted(device: str) -> bool:
    """Whether the device, or one that it lies on, is decrypted by the kernel."""
    return device.startswith("/dev/") and "crypt" in said("lsblk", "-sno", "TYPE", device).split()


def answers(asked: dict[str, list[str]]) -> dict[str, Any]:
    """All of it."""
    journal = Path("/etc/systemd/journald.conf.d/edumail.conf")
    store = said("findmnt", "-no", "SOURCE", "--target", STORE).strip()
    failed = said("systemctl", "--failed", "--plain", "--no-legend")
    sudo = said("sudo", "-n", "-l")
    return {
        "release": pairs(said("cat", "/etc/os-release")),
        "units": {
            name: pairs(said("systemctl", "show", "-p", ASKED_OF_UNITS, f"{name}.service")) for name in asked["units"]
        },
        "timers": {name: said("systemctl", "is-active", f"{name}.timer").strip() for name in asked["timers"]},
        "failed": [line.split()[0] for line in failed.splitlines()],
        "users": users(asked["processes"]),
        "disks": disks(asked["disks"]),
        "upgrade_timer": said("systemctl", "is-enabled", "apt-daily-upgrade.timer").strip(),
        "upgrade_on": '"1"' in said("apt-config", "dump", "APT::Periodic::Unattended-Upgrade"),
        "lists_age": lists_age(),
        "pending": pending(),
        "known_age": known_age(),
        "ran_age": ran_age(),
        "reboot": REBOOT.exists(),
        "places": places(asked["places"]),
        "journal": pairs(journal.read_text(encoding="utf-8")) if journal.exists() else {},
        "clock": pairs(said("timedatectl", "show", "-p", "NTPSynchronized")).get("NTPSynchronized", ""),
        "container": said("systemd-detect-virt", "--container").strip() or "none",
        "store": store,
        "encrypted": encrypted(store),
        "sudo": [line.strip() for line in sudo.splitlines() if line.startswith("    (")],
        "uid": os.getuid(),
        "senders": said("/usr/sbin/postconf", "-h", "authorized_submit_users").strip(),
        "signatures_age": age(*SIGNATURES),
    }


if __name__ == "__main__":
    print(json.dumps(answers(json.loads(sys.argv[1]))))
