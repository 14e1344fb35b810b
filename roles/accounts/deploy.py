"""Accounts: the people and shared mailboxes of the host, in SQLite; passwords belong to their owners."""

from __future__ import annotations

from edumail.model import Host
from roles.accounts.render import UNITS, tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import ACCOUNTS_DB, live

PACKAGES = ("python3", "python3-passlib", "python3-argon2")


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the wanted accounts and the command."""
    stage_tree(name="accounts: stage", role="accounts", tree=tree(inventory.mail.host(host.name)))


def activate(inventory: Inventory, host: Host) -> None:
    """Try the wanted accounts on an empty database, switch, then apply them to the real one in one transaction."""
    here = live("accounts")
    sync = f"umask 027; {here}/edumail-accounts sync {here}/accounts.json && chgrp dovecot {ACCOUNTS_DB}"
    sync += f" && systemctl enable --quiet --now {UNITS[-1]}"
    activate_tree(
        name="accounts: activate",
        role="accounts",
        tree=tree(inventory.mail.host(host.name)),
        links={
            "/usr/local/sbin/edumail-accounts": "edumail-accounts",
            **{f"/etc/systemd/system/{unit}": unit for unit in UNITS},
        },
        check=["{tree}/edumail-accounts check {tree}/accounts.json"],
        reload=sync,
    )
