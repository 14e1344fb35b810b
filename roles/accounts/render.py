"""The accounts of one host as a tree: who shall exist, and the command that makes it so."""

from __future__ import annotations

import json
from pathlib import Path

from edumail.mail import HostMail
from edumail.tree import File, Tree

APP = Path(__file__).parent / "app" / "edumail_accounts.py"


def tree(mail: HostMail) -> Tree:
    """Wanted accounts (no secrets), on the gateway also where everybody else's are, and the host's command."""
    front = mail.host == mail.gateway
    wanted = {
        "accounts": [vars(mailbox) for mailbox in mail.mailboxes.values()],
        "routes": {a: (host.fqdn, str(host.ipv4)) for a, host in mail.remote.items()} if front else {},
    }
    return Tree.of(
        {
            "accounts.json": json.dumps(wanted, ensure_ascii=False) + "\n",
            "edumail-accounts": File(APP.read_bytes(), executable=True),
        }
    )
