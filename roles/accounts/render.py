"""The accounts of one host as a tree: who shall exist, the command that makes it so, and the system's own users."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from edumail.mail import HostMail
from edumail.tree import File, Tree
from roles.common.paths import ACCOUNTS_DB, VMAIL_ID

APP = Path(__file__).parent / "app" / "edumail_accounts.py"


def tree(mail: HostMail) -> Tree:
    """Wanted accounts (no secrets), the host's command, and files for systemd-sysusers(8) and systemd-tmpfiles(8)."""
    wanted = [asdict(mailbox) for mailbox in mail.mailboxes.values()]
    folder = ACCOUNTS_DB.rpartition("/")[0]
    return Tree.of(
        {
            "accounts.json": json.dumps(wanted, ensure_ascii=False, indent=0) + "\n",
            "edumail-accounts": File(APP.read_bytes(), executable=True),
            "sysusers.conf": f"g vmail {VMAIL_ID}\nu vmail {VMAIL_ID}:{VMAIL_ID} 'edumail mailboxes' /var/vmail\n",
            # Dovecot's sockets stand in Postfix's folder, which Postfix makes at its first start only.
            "tmpfiles.conf": (
                f"d /var/vmail 0750 vmail vmail\nd {folder} 0750 root dovecot\n"
                "d /var/spool/postfix/private 0700 postfix root\n"
            ),
        }
    )
