"""Every process the lab starts lives in a control group of the lab's own.

That is how the lab knows its own processes: no pid file can go stale, none can point at a stranger, and the kernel ends
a whole group at once (``cgroup.kill``, Linux 5.14), which is what a power cut looks like from inside.
See Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab.text import LabError, Text
from lab.text import run as run_command

_NAME = "edumail-lab"


def hierarchy() -> Path | None:
    """Return where the unified cgroup hierarchy is mounted (also on hybrid machines), None if it is not."""
    return next(iter(_mounts("cgroup2")), None)


def _mounts(*kinds: str) -> list[Path]:
    rows = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(where) for _, where, kind, *_ in rows if kind in kinds]


def _group(name: str) -> Path:
    root = hierarchy()
    if root is None:
        raise LabError("Máy này không có cgroup v2.", "This machine has no cgroup v2.")
    return root / _NAME / name


def spawn(name: str, command: list[str], log: Path, *, env: dict[str, str] | None = None) -> None:
    """Start ``command`` in its own session and its own group ``name``, its output appended to ``log``."""
    group = _group(name)
    group.mkdir(parents=True, exist_ok=True)
    # The shell enters the group before it forks, so that `alive` is true as soon as this returns.
    script = 'echo $$ >"$1/cgroup.procs"; log=$2; shift 2; exec setsid --fork "$@" </dev/null >>"$log" 2>&1'
    run_command(
        ["sh", "-ec", script, "sh", str(group), str(log), *command], Text(f"Chạy {name}", f"Start {name}"), env=env
    )


def run(name: str, command: list[str], what: Text, *, env: dict[str, str] | None = None) -> None:
    """Run ``command`` in group ``name`` and wait for it; raise :class:`LabError` named by ``what`` if it fails."""
    kill(name)
    group = _group(name)
    group.mkdir(parents=True)
    try:
        run_command(["sh", "-ec", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(group), *command], what, env=env)
    finally:
        kill(name)


def exists(name: str) -> bool:
    """Tell whether there is a group ``name``."""
    return _group(name).exists()


def alive(name: str) -> bool:
    """Tell whether any process of group ``name`` (``group/subgroup`` for a part of it) lives."""
    try:
        return "populated 1" in (_group(name) / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def kill(name: str) -> None:
    """End every process of group ``name`` at once and remove the group. Nothing to do is no error."""
    group = _group(name)
    if not exists(name):
        return
    (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + 20
    while alive(name):
        if time.monotonic() > deadline:
            raise LabError(f"Không dừng được tiến trình của {name}.", f"The processes of {name} do not end.")
        time.sleep(0.01)
    _remove(group)


def kill_all() -> None:
    """End everything the lab ever started, and leave no group behind."""
    top = _group("")
    if top.exists():
        for group in [path.name for path in top.iterdir() if path.is_dir()]:
            kill(group)
        _remove(top)


def _remove(group: Path) -> None:
    # On a hybrid machine systemd-nspawn mirrors its groups in the old hierarchies.
    name = group.relative_to(hierarchy() or "/")
    copies = [mount / name for mount in _mounts("cgroup", "cgroup2")]
    for folder in [folder for copy in copies for folder, _, _ in os.walk(copy, topdown=False)]:
        # A group is busy for a moment after its last process is gone.
        for _ in range(100):
            try:
                Path(folder).rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.02)
