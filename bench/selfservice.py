"""How many people a host's account pages serve, against a bare file of the same nginx.

``python -m bench.selfservice [SECONDS] [HOST]`` wants the lab up and deployed; each of four figures takes SECONDS (5).
The host's own accounts are not touched: ``bench.selfservice_load`` runs there with a database of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab import ssh

LOAD = Path(__file__).with_name("selfservice_load.py")
NAMES = {
    "file": "a file, by nginx alone",
    "form": "the form of the activation",
    "wrong": "a wrong code, without the pause of a refusal",
    "activations": "whole activations: code, password, Argon2id, two transactions on the disk",
}


def main(seconds: float = 5, host: str = "mail-so") -> None:
    """Prints a table."""
    program = f"{LOAD.read_text('utf-8')}\nmeasure({float(seconds)})\n"
    measured = json.loads(ssh.call(host, "python3 -", stdin=program.encode()))
    for name, text in NAMES.items():
        print(f"{text:75} {measured[name]:8,.0f} a second  {measured[name] / measured['file']:8.4f} of the file")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((float, str), sys.argv[1:], strict=False)))
