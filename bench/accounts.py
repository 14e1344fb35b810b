"""What a host with many accounts spends on a deploy: the first one, one without a change, one with one change.

``python -m bench.accounts`` runs the host's own ``edumail-accounts`` on invented accounts in a temporary folder,
130,000 and 1,000 of them, and prints seconds and the ratio. "From edit" adds what the control machine spends: reading
and checking the inventory of an invented province of that size, and compiling the host's accounts. Aim: one change
costs at most 1.5 times at 130,000 what it costs at 1,000. Needs root.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edumail.example import generate, write
from edumail.load import load
from edumail.mail import Mail

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "roles" / "accounts" / "app" / "edumail_accounts.py"
LARGE, SMALL = 130_000, 1_000
UNITS = {LARGE: 3500, SMALL: 27}


def row(number: int, quota: int = 1024) -> dict[str, object]:
    """An invented account as a deploy writes it."""
    address = f"nguoi{number}@truong{number // 40}.example"
    figures = {"trash_days": 30, "junk_days": 30, "code_days": 30, "idle_days": 45, "leaver_days": 90}
    figures |= {"password_characters": 14, "password_classes": 4, "check_hours": 0}
    words = {"unit": f"truong-{number // 40}", "person": f"p-{number}", "name": f"Người Thứ {number}", "head": ""}
    more = {"forward_sender": "forwarder", "holds": [], "was": [], "officer": False}
    return {"address": address, "quota_mb": quota, **words, **figures, **more}


def sync(folder: Path, rows: list[dict[str, object]]) -> float:
    """Seconds of one run of the command, as a deploy runs it: tried on an empty database, then applied."""
    file, database = folder / "accounts.json", folder / "accounts.db"
    file.write_text(json.dumps({"accounts": rows, "routes": {}, "elsewhere": ""}, ensure_ascii=False))
    mail = folder / "mail"
    mail.mkdir(exist_ok=True)
    mail.chmod(0o777)  # mailboxes have a user of their own
    folder.chmod(0o755)
    start = time.perf_counter()
    for command in ("check", "sync"):
        words = ["--database", str(database), command, str(file)]
        program = (
            f"import sys; sys.path.insert(0, {str(APP.parent)!r}); import edumail_accounts as app;"
            f" app.MAIL, app.SHARING_MAP = {str(mail)!r}, {str(mail / 'map')!r}; sys.exit(app.main({words!r}))"
        )
        subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def host(count: int) -> dict[str, float]:
    """First, unchanged, one change; seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row(number) for number in range(count)]
        found = {"first deploy": sync(folder, rows), "nothing changed": sync(folder, rows)}
        rows[count // 2] = row(count // 2, quota=2048)
        found["one change"] = sync(folder, rows)
        return found


def control(count: int) -> float:
    """Seconds to read and check an inventory, and to compile the accounts of its hosts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tinh"
        write(generate(UNITS[count], 1), folder)
        start = time.perf_counter()
        mail = Mail(load(folder))
        for each in mail.province.hosts:
            _ = mail.mailboxes[each]
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    large, small = host(LARGE), host(SMALL)
    print(f"{'on the host, seconds':<28}{LARGE:>10,}{SMALL:>10,}{'ratio':>8}")
    for what, seconds in large.items():
        print(f"{what:<28}{seconds:>10.2f}{small[what]:>10.2f}{seconds / small[what]:>8.1f}")
    here, there = control(LARGE), control(SMALL)
    print(f"{'read, check, compile':<28}{here:>10.2f}{there:>10.2f}{here / there:>8.1f}")
    whole, little = here + large["one change"], there + small["one change"]
    print(f"{'from edit, one change':<28}{whole:>10.2f}{little:>10.2f}{whole / little:>8.1f}")


if __name__ == "__main__":
    main()
