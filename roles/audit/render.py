"""The auditor's account and the one command that it may run as root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edumail.model import Auditor, Ministry
from edumail.tree import File, Tree
from roles.accounts.render import library

APP = Path(__file__).parent / "app"
COMMAND = "/usr/local/sbin/edumail-audit"


def tree(auditors: Iterable[Auditor], ministry: Ministry | None) -> Tree:
    """SSH keys of the auditors, the sudo rule, the command and what it may tell; nothing in it is secret."""
    keys = "".join(f"restrict {auditor.ssh_key}\n" for auditor in auditors)
    return Tree.of(
        {
            **library(),
            "edumail-audit": File((APP / "edumail_audit.py").read_bytes(), executable=True),
            "edumail_host.py": (APP / "edumail_host.py").read_bytes(),
            "authorized_keys": keys,
            "ministry": f"{ministry.director_list}\n{ministry.clerk_list}\n" if ministry else "",
            "sudoers": f"auditor ALL=(root) NOPASSWD: {COMMAND}\n",
        }
    )
