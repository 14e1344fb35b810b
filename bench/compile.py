"""How long, and how much memory, it takes to turn a large province's inventory into all that its hosts get.

``python -m bench.compile [UNITS]`` prints a table for an invented province of UNITS units (3,500) and one of a tenth,
and the ratio. Aim: under 15 s and 1 GB for 3,500 units and 130,000 people, no step growing faster than its input.
Each size is measured in a process of its own; peak memory is the process's, after each step. Seconds are the
processor's, so that what else runs does not count. The trees are those that
``deploy.py`` asks for.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from edumail.example import generate, write

ROOT = Path(__file__).resolve().parent.parent
SEED = 1


def processor() -> float:
    """Seconds of processor that this process and its children have used."""
    return sum(os.times()[:4])


def measure(folder: Path) -> dict[str, object]:
    """Compile the inventory in ``folder``: seconds and peak MiB by step."""
    steps: dict[str, tuple[float, float]] = {}
    began = processor()

    def done(step: str) -> None:
        nonlocal began
        now = processor()
        steps[step] = (now - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        began = processor()

    import pyinfra.api  # noqa: F401 - what a deploy imports as well

    from edumail.dns import zones
    from roles.common.inventory import open_inventory
    from tests.rendered import render_here

    done("start Python")
    inventory = open_inventory(str(folder))
    province = inventory.province
    done("load and check")
    reached = sum(len(inventory.mail.groups.mailboxes(address)) for address in inventory.mail.groups.all)
    closed = len(inventory.mail.permissions.closed)
    done("groups: members, who may write")
    for name in province.hosts:
        inventory.mail.host(name)
    done("mail tables of all hosts")
    zones(province, 1)
    done("zones")
    size = 0
    for host in render_here(folder):
        size += sum(len(file.content) for release in host.releases for file in release.tree.files.values())
        assert all(release.tree.digest for release in host.releases)
    done("trees of all hosts, pages included")
    return {
        "people": len(province.people),
        "hosts": len(province.hosts),
        "groups": len(inventory.mail.groups.all),
        "closed": closed,
        "reached": reached,
        "bytes": size,
        "steps": steps,
    }


def main() -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 3500
    sizes = (max(units // 10, 1), units)
    results = []
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as folder:
        for size in sizes:
            province = Path(folder) / str(size)
            write(generate(size, SEED), province)
            words = [sys.executable, "-m", "bench.compile", "--measure", str(province)]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=ROOT)
            results.append(json.loads(done.stdout))
    small, large = results
    for size, result in zip(sizes, results, strict=True):
        content = f"{result['people']} people, {result['hosts']} hosts: {result['bytes'] / 2**20:.1f} MiB of files"
        print(f"{size} units, {content}")
        print(f"  {result['groups']} groups, {result['closed']} of them closed, {result['reached']} members in all")
    print(f"\n{'':<36}{sizes[0]:>7} units {sizes[1]:>7} units   ratio   peak MiB")
    for step, (seconds, peak) in large["steps"].items():
        before = small["steps"][step][0]
        print(f"{step:<36}{before:>11.2f} s {seconds:>11.2f} s {seconds / before:>7.1f} {peak:>10.0f}")
    before, seconds = (sum(seconds for seconds, _ in result["steps"].values()) for result in (small, large))
    peak = max(peak for _, peak in large["steps"].values())
    print(f"{'all':<36}{before:>11.2f} s {seconds:>11.2f} s {seconds / before:>7.1f} {peak:>10.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        json.dump(measure(Path(sys.argv[2])), sys.stdout)
    else:
        main()
