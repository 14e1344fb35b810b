"""Where the lab keeps its things, and the lock that lets one command change them at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from lab.text import LabError
from lab.topology import INTERNET, Machine

ROOT = Path(os.environ.get("EDUMAIL_LAB_DIR") or "/var/lib/edumail-lab")
CACHE = ROOT / "cache"  # images and packages: all that `down` keeps
MACHINES = ROOT / "machines"
SSH = ROOT / "ssh"
ZONES = ROOT / "zones"  # every zone that `internet` serves, as it was handed in
LOGS = ROOT / "logs"
_TOPOLOGY = ROOT / "machines.json"
_LOCK = ROOT / "lock"


def prepare() -> None:
    """Create the directories, and give to the user behind sudo what an ordinary user's commands need."""
    for folder in (ROOT, CACHE, MACHINES, SSH, ZONES, LOGS):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _LOCK.touch(mode=0o600)
    for path in (_LOCK, SSH, *SSH.iterdir(), ZONES, *ZONES.iterdir()):
        hand_over(path)


def hand_over(path: Path) -> None:
    """Make the user who called sudo the owner of ``path``, so that deploying and testing need no root."""
    if os.geteuid() == 0 and "SUDO_UID" in os.environ:
        os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]), follow_symlinks=False)


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Hold the lab's lock: a second command that changes the lab waits for the first.

    Raises :class:`LabError` if there is no lab or the user may not change it.
    """
    try:
        handle = _LOCK.open("r+b")
    except FileNotFoundError:
        raise LabError("Phòng lab chưa chạy: hãy gọi `up` trước.", "The lab is not up: call `up` first.") from None
    except PermissionError:
        raise LabError(f"Không có quyền ghi {ROOT}: hãy dùng sudo.", f"No right to change {ROOT}: use sudo.") from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def locked() -> contextlib.AbstractContextManager[None]:
    """Hold the lock if there is one to hold: for `down`, which also clears up after a lab that is half gone."""
    return lock() if _LOCK.exists() else contextlib.nullcontext()


def save(machines: tuple[Machine, ...]) -> None:
    """Remember the product's hosts."""
    _TOPOLOGY.write_text(json.dumps([asdict(machine) for machine in machines], indent=1))


def products() -> tuple[Machine, ...]:
    """Return the product's hosts as the last `up` was given them; none if there is no lab."""
    try:
        return tuple(Machine(**row) for row in json.loads(_TOPOLOGY.read_text()))
    except FileNotFoundError:
        return ()


def machines() -> tuple[Machine, ...]:
    """Return all hosts of the lab, `internet` last; none if there is no lab."""
    known = products()
    return (*known, INTERNET) if known else ()


def machine(name: str) -> Machine:
    """Return the host called ``name``; raise :class:`LabError` if the lab has none."""
    for candidate in machines():
        if candidate.name == name:
            return candidate
    names = ", ".join(m.name for m in machines()) or "-"
    raise LabError(
        f"Phòng lab không có máy `{name}` (có: {names}).", f"The lab has no host `{name}` (it has: {names})."
    )
