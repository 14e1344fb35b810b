"""The accounts of one host as a tree: who shall exist, and the command that makes it so."""

from __future__ import annotations

import json
from pathlib import Path

from edumail.mail import HostMail
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


def tree(mail: HostMail, log_retention_days: int) -> Tree:
    """Wanted accounts (no secrets), where the other addresses of their domains are, who lives on other hosts.

    With them the host's command and its timer.
    """
    wanted = {
        "accounts": [vars(mailbox) for mailbox in mail.mailboxes.values()],
        "routes": {a: (host.fqdn, str(host.ipv4)) for a, host in mail.remote.items()},
        "elsewhere": " ".join(mail.elsewhere),
    }
    return Tree.of(
        {
            "accounts.json": json.dumps(wanted, ensure_ascii=False) + "\n",
            **library(),
            "edumail_moving.py": (APP / "edumail_moving.py").read_bytes(),
            "edumail-accounts": File((APP / "edumail_accounts.py").read_bytes(), executable=True),
            **{unit: render(f"accounts/etc/systemd/{unit}.j2", days=log_retention_days) for unit in UNITS},
        }
    )
