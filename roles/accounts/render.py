"""The accounts of one host as a tree: who shall exist, and the command that makes it so."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from edumail.mail import HostAccounts, Mailbox
from edumail.model import Calendar
from edumail.templates import render
from edumail.tree import File, Tree

APP = Path(__file__).parent / "app"
LIBRARY = ("edumail_store.py", "edumail_passwords.py")
"""What the account pages and the auditor's command know of accounts as well."""
TIMERS = ("edumail-accounts.timer", "edumail-sign-ins.timer", "edumail-end-sessions.path")
UNITS = (*TIMERS, "edumail-accounts.service", "edumail-sign-ins.service", "edumail-end-sessions.service")


def library() -> dict[str, bytes]:
    """The files of :data:`LIBRARY`, for the trees of those who import them."""
    return {name: (APP / name).read_bytes() for name in LIBRARY}


def line(mailbox: Mailbox) -> str:
    """A mailbox as the host's command reads it: its words between tabs, which none of them can hold."""
    address, name, unit, person, *figures, forward_sender, holds, _, officer, check_hours, head = mailbox
    said = "\t".join(map(str, figures))
    return (
        f"{address}\t{unit}\t{person or ''}\t{name}\t{said}\t{forward_sender}\t{','.join(holds)}\t{officer:d}"
        f"\t{check_hours}\t{head}\n"
    )


def wanted(here: HostAccounts) -> dict[str, str]:
    """The files of the folder that the host's command reads: who shall exist, and who lives on other hosts.

    A unit's accounts lie in one file, so do the other addresses of a domain and where they are: only what has changed
    travels.
    """
    files: dict[str, list[str]] = defaultdict(list)
    for mailbox in here.mailboxes.values():
        files[f"accounts/{mailbox.unit}"].append(line(mailbox))
        files["was"] += [f"{mailbox.address}\t{old}\n" for old in mailbox.was]
    for address, host in here.remote.items():
        files[f"routes/{address.partition('@')[2]}"].append(f"{address}\t{host.fqdn}\t{host.ipv4}\n")
    files["elsewhere"] = [f"{person}\n" for person in here.elsewhere]
    return {path: "".join(lines) for path, lines in files.items()}


def tree(here: HostAccounts, log_retention_days: int, calendar: Calendar) -> Tree:
    """Wanted accounts (no secrets), the working days, the host's command and its timers."""
    days = {"weekdays": calendar.weekdays, "holidays": sorted(map(str, calendar.holidays))}
    return Tree.of(
        {
            **{f"wanted/{path}": text for path, text in wanted(here).items()},
            **library(),
            "calendar.json": json.dumps(days) + "\n",
            "edumail_calendar.py": (APP / "edumail_calendar.py").read_bytes(),
            "edumail_moving.py": (APP / "edumail_moving.py").read_bytes(),
            "edumail-accounts": File((APP / "edumail_accounts.py").read_bytes(), executable=True),
            **{unit: render(f"accounts/etc/systemd/{unit}.j2", days=log_retention_days) for unit in UNITS},
        }
    )
