"""How long, and how much memory, it takes to turn a large province's inventory into all that its hosts get.

``python bench/compile.py [UNITS]`` prints a table for an invented province of UNITS units (3,500) and one of a tenth,
and the ratio. Aim: under 15 s and 1 GB for 3,500 units and 130,000 people, no step growing faster than its input.
Each size is measured in a process of its own; peak memory is the process's, after each step.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edumail.example import generate, write

ROOT = Path(__file__).resolve().parent.parent
SEED = 1


def measure(folder: Path) -> dict[str, object]:
    """Compile the inventory in ``folder``: seconds and peak MiB by step."""
    steps: dict[str, tuple[float, float]] = {}
    began = time.perf_counter()

    def done(step: str) -> None:
        nonlocal began
        now = time.perf_counter()
        steps[step] = (now - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        began = time.perf_counter()

    from edumail.dns import zones
    from edumail.load import load
    from edumail.mail import Mail
    from edumail.pages import Pages
    from roles.accounts import render as accounts
    from roles.dovecot import render as dovecot
    from roles.portal import render as portal
    from roles.postfix import render as postfix
    from roles.rspamd import render as rspamd

    done("start Python")
    province = load(folder)
    done("load and check")
    mail = Mail(province)
    tables = {name: mail.host(name) for name in province.hosts}
    done("mail tables of all hosts")
    zones(province, 1)
    done("zones")
    pages = Pages(province)
    size = 0
    for name, host in province.hosts.items():
        trees = [
            postfix.tree(tables[name], province.message_size_limit_mb, province.published),
            dovecot.tree(host),
            rspamd.tree(tables[name]),
            accounts.tree(tables[name]),
            portal.tree(pages, host),
        ]
        size += sum(len(file.content) for tree in trees for file in tree.files.values())
        assert all(tree.digest for tree in trees)
    done("trees of all hosts, pages included")
    return {"people": len(province.people), "hosts": len(province.hosts), "bytes": size, "steps": steps}


def main() -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 3500
    sizes = (max(units // 10, 1), units)
    results = []
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as folder:
        for size in sizes:
            province = Path(folder) / str(size)
            write(generate(size, SEED), province)
            words = [sys.executable, __file__, "--measure", str(province)]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=ROOT)
            results.append(json.loads(done.stdout))
    small, large = results
    for size, result in zip(sizes, results, strict=True):
        content = f"{result['people']} people, {result['hosts']} hosts: {result['bytes'] / 2**20:.1f} MiB of files"
        print(f"{size} units, {content}")
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
