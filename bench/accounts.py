"""What accounts cost a deploy: the first one, one without a change, one with one change, from the edit on.

``python -m bench.accounts`` invents provinces of 130,000 and 1,000 people. On the control machine it reads and checks
the inventory and compiles the accounts; for the host's part, with all accounts on one, the host's own
``edumail-accounts`` runs in a temporary folder: what is new is tried, then all is applied. It prints the processor's
seconds, so that what else runs does not count, and the ratio. Aim: one change costs at most 1.5 times at 130,000 what
it costs at 1,000. Needs root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edumail.example import generate, write
from edumail.load import load
from edumail.mail import HostAccounts, Mail
from roles.accounts.render import wanted

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "roles" / "accounts" / "app" / "edumail_accounts.py"
UNITS = {130_000: 3500, 1_000: 27}
OTHERWISE = 4.0
"""Seconds of a deploy that nothing here counts, connections and looks; the same for both sizes."""


def seconds(work: Callable[[], Any]) -> float:
    """What the processor spends on it, here and in children."""
    before = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - before


def compiled(inventory: Path, folder: Path) -> float:
    """Seconds to read and check the inventory and to compile the accounts; they come into ``folder``, as one host's."""
    files: dict[str, str] = {}

    def work() -> None:
        mail = Mail(load(inventory))
        everybody = {a: box for boxes in mail.mailboxes.values() for a, box in boxes.items()}
        files.update(wanted(HostAccounts(everybody, {}, ())))

    spent = seconds(work)
    for path, text in files.items():
        file, live = folder / path, folder.with_name("live") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if live.exists() and live.read_text(encoding="utf-8") == text:
            file.hardlink_to(live)  # as releases share what does not change
        else:
            file.write_text(text, encoding="utf-8")
    return spent


def applied(folder: Path, new: Path, live: Path) -> float:
    """Seconds of the host's command, as a deploy runs it; ``new`` is ``live`` then."""
    database, mail = folder / "accounts.db", folder / "mail"
    mail.mkdir(exist_ok=True)
    mail.chmod(0o777)  # mailboxes have a user of their own

    def work() -> None:
        for words in (["check", str(new), str(live)], ["sync", str(new)]):
            program = (
                f"import sys; sys.path.insert(0, {str(APP.parent)!r}); import edumail_accounts as app;"
                f" app.MAIL, app.SHARING_MAP = {str(mail)!r}, {str(mail / 'map')!r};"
                f" sys.exit(app.main({['--database', str(database), *words]!r}))"
            )
            subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)

    spent = seconds(work)
    shutil.rmtree(live, ignore_errors=True)
    new.rename(live)
    return spent


def measure(units: int) -> dict[str, tuple[float, float]]:
    """Seconds on the control machine and on the host for each of the three."""
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # nothing is remembered before the first
        inventory = folder / "tinh"
        write(generate(units, 1), inventory)
        for what in ("first deploy", "nothing changed", "one change"):
            if what == "one change":
                roster = sorted((inventory / "people").iterdir())[units // 2]
                roster.write_text(
                    re.sub(r"(?m)^([^,\n]+,[^,\n]+)(,.*)\Z", r"\1 Mới\2", roster.read_text("utf-8").rstrip())
                )
            control = compiled(inventory, folder / "new")
            found[what] = control, applied(folder, folder / "new", folder / "live")
    return found


def main() -> None:
    """Print the table."""
    large, small = (measure(units) for units in UNITS.values())
    print(f"{'seconds of the processor':<40}" + "".join(f"{count:>10,}" for count in UNITS) + f"{'ratio':>8}")

    def line(what: str, here: float, there: float) -> None:
        print(f"{what:<40}{here:>10.2f}{there:>10.2f}{here / there:>8.1f}")

    for what, (control, host) in large.items():
        line(f"{what}: read, check, compile", control, small[what][0])
        line(f"{what}: on the host", host, small[what][1])
    whole, little = sum(large["one change"]), sum(small["one change"])
    line("one change, from the edit", whole, little)
    line(f"the same with a deploy's other {OTHERWISE:.0f} s", whole + OTHERWISE, little + OTHERWISE)


if __name__ == "__main__":
    main()
