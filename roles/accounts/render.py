"""The accounts of one host as a tree: who shall exist, and the command that makes it so."""

from __future__ import annotations

import json
from pathlib import Path

from edumail.mail import HostMail
from edumail.templates import render
from edumail.tree import File, Tree

APP = Path(__file__).parent / "app" / "edumail_accounts.py"
UNITS = ("edumail-accounts.service", "edumail-accounts.timer")


def tree(mail: HostMail) -> Tree:
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
            "edumail-accounts": File(APP.read_bytes(), executable=True),
            **{unit: render(f"accounts/etc/systemd/{unit}.j2") for unit in UNITS},
        }
    )
