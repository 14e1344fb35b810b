"""``python -m lab preflight|up|down|status|shell|reset|kill|start`` with the default hosts."""

from __future__ import annotations

import argparse
import sys

from lab import lab
from lab.preflight import before_packages
from lab.text import LabError, language
from lab.topology import DEFAULT


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("preflight")
    commands.add_parser("up")
    commands.add_parser("down").add_argument("--purge", action="store_true")
    commands.add_parser("status")
    for name in ("shell", "reset", "kill", "start"):
        commands.add_parser(name).add_argument("host")
    chosen = parser.parse_args()
    try:
        if chosen.command == "preflight":
            problems = before_packages()
            for problem in problems:
                print(problem.vi if language() == "vi" else problem.en, file=sys.stderr)
            return 1 if problems else 0
        if chosen.command == "up":
            lab.up(DEFAULT)
        elif chosen.command == "down":
            lab.down(purge=chosen.purge)
        elif chosen.command == "status":
            for row in lab.status():
                m = row.machine
                print(f"{m.name:12} {m.ipv4:14} {m.ipv6:18} {'up' if row.up else 'down':5} {row.boot:10} {m.fqdn}")
        else:
            getattr(lab, chosen.command)(chosen.host)
    except LabError as error:
        print(error.to(language()), file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
