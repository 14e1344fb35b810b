"""The auditor's account and the one command that it may run as root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edumail.model import Auditor
from edumail.tree import File, Tree
from roles.common.paths import AUDIT_SIEVE

APP = Path(__file__).parent / "app" / "edumail_audit.py"
HOME = "/var/lib/edumail/auditor"
COMMAND = "/usr/local/sbin/edumail-audit"


def tree(auditors: Iterable[Auditor]) -> Tree:
    """SSH keys of the auditors, the sudo rule, and the command; nothing in it is secret."""
    folder = AUDIT_SIEVE.rpartition("/")[0]
    keys = "".join(f"restrict {auditor.ssh_key}\n" for auditor in auditors)
    return Tree.of(
        {
            "edumail-audit": File(APP.read_bytes(), executable=True),
            "authorized_keys": keys,
            "sudoers": f"auditor ALL=(root) NOPASSWD: {COMMAND}\n",
            "sysusers.conf": f"u auditor - 'edumail auditor' {HOME} /bin/sh\n",
            "tmpfiles.conf": (f"d {HOME} 0755 root root\nd {HOME}/.ssh 0755 root root\nd {folder} 0750 root vmail\n"),
        }
    )
