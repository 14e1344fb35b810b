"""``python -m bench.audit``: the whole audit of the lab, against the same questions put one by one.

In a lab that is up, deployed and has its zones. One by one means a run of its own for each test function: an audit
opened and closed on each host, names looked up and pages fetched anew.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tests.mutation.run import INVENTORY, ROOT, audit


def functions() -> list[str]:
    """The test functions of ``tests/circular``, as pytest names them, without parameters."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests/circular"]
    command += ["--inventory", str(INVENTORY)]
    said = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    nodes = (line.partition("[")[0] for line in said.splitlines() if "::" in line)
    return list(dict.fromkeys(node.rpartition("::")[2] for node in nodes))


def seconds(*words: str) -> tuple[float, int]:
    """How long an audit took, and how many answers it gave."""
    began = time.monotonic()
    found = audit(INVENTORY, *words)
    return time.monotonic() - began, len(found)


def main() -> None:
    """Print both, and the ratio."""
    names = functions()
    whole, answers = seconds()
    print(f"whole: {whole:.1f} s, {answers} answers to {len(names)} questions", flush=True)
    parts, total = 0.0, 0
    for number, name in enumerate(names, 1):
        part, given = seconds("-k", name)
        parts, total = parts + part, total + given
        print(f"[{number}/{len(names)}] {name}: {part:.1f} s", file=sys.stderr, flush=True)
    print(f"one by one: {parts:.1f} s, {total} answers; ratio {whole / parts:.2f}")


if __name__ == "__main__":
    main()
