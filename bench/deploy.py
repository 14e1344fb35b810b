"""What a deploy costs against bare ``apt-get install`` of the same packages, on pristine lab hosts.

``python -m bench.deploy [ROUNDS]`` (3) alternates the two, each on hosts that were just reset, and prints seconds and
the ratio of the medians; then what a deploy costs that changes nothing. Needs root; the lab's package cache is warm.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import ssh
from tests.rendered import rendered

ROOT = Path(__file__).resolve().parent.parent
INVENTORY = "inventories/lab"


def edumail(*words: str) -> None:
    """Run the command without its words. Raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "-m", "edumail", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def deploy() -> None:
    """Deploy all hosts."""
    edumail("deploy", INVENTORY)


def install(packages: Mapping[str, Sequence[str]]) -> None:
    """Install on every host, in parallel, the packages that a deploy installs there, as an administrator would."""

    def one(host: str) -> None:
        words = f"apt-get install -q -y --no-install-recommends {' '.join(packages[host])}"
        ssh.call(host, f"export DEBIAN_FRONTEND=noninteractive; apt-get update -q && {words}", timeout=900)

    with ThreadPoolExecutor(len(packages)) as pool:
        list(pool.map(one, packages))


def seconds(work: Callable[[], None]) -> float:
    """How long ``work`` takes; said at once."""
    started = time.monotonic()
    work()
    taken = time.monotonic() - started
    print(f"  {taken:.1f} s", file=sys.stderr, flush=True)
    return taken


def table(rows: Mapping[str, Sequence[float]]) -> str:
    """Least, median and most of each row."""
    lines = [f"{'seconds':<34} {'min':>7} {'median':>7} {'max':>7}"]
    for what, taken in rows.items():
        figures = (min(taken), statistics.median(taken), max(taken))
        lines.append(f"{what:<34} " + " ".join(f"{figure:7.1f}" for figure in figures))
    return "\n".join(lines)


def main() -> None:
    """Run and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    packages = {host.host: host.packages for host in rendered(ROOT / INVENTORY)}
    kinds: dict[str, Callable[[], None]] = {
        "bare apt-get install": lambda: install(packages),
        "fresh deploy": deploy,
    }
    rows: dict[str, list[float]] = {what: [] for what in kinds}
    print("lab, and a first deploy that fills the package cache", file=sys.stderr, flush=True)
    edumail("lab", "up")
    deploy()
    for number in range(1, rounds + 1):
        for what, work in kinds.items():
            print(f"[{number}/{rounds}] {what}", file=sys.stderr, flush=True)
            for host in packages:
                edumail("lab", "reset", host)
            rows[what].append(seconds(work))
    bare, fresh = (statistics.median(rows[what]) for what in kinds)
    print("nothing to change", file=sys.stderr, flush=True)
    rows["deploy without change"] = [seconds(deploy) for _ in range(rounds)]
    again = statistics.median(rows["deploy without change"])
    print(f"{len(packages)} hosts, {rounds} rounds\n{table(rows)}")
    print(f"fresh deploy / bare apt-get install, medians: {fresh / bare:.2f}")
    print(f"deploy without change, a host: {again / len(packages):.1f} s")


if __name__ == "__main__":
    main()
