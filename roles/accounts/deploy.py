"""Accounts: the people and shared mailboxes of the host, in SQLite; passwords belong to their owners."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.accounts import render
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import ACCOUNTS_DB, live

PACKAGES = ("python3", "python3-passlib", "python3-argon2", "python3-bcrypt")


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    province = inventory.province
    return render.tree(inventory.mail.accounts(host.name), province.log_retention_days, province.settings.calendar)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the wanted accounts and the command."""
    stage_tree(name="accounts: stage", role="accounts", tree=partial(_tree, inventory, host))


def activate(inventory: Inventory, host: Host) -> None:
    """Try what is new on an empty database, switch, then apply all to the real one in one transaction."""
    here = live("accounts")
    # What an older release left there belonged to root; from then on the folder gives its group to all in it.
    folder = ACCOUNTS_DB.rpartition("/")[0]
    sync = f"chown -h edumail-accounts:dovecot {folder} {folder}/accounts.db* 2>/dev/null; umask 027"
    sync += f"; {here}/edumail-accounts sync {here}/wanted"
    sync += f" && systemctl enable --quiet --now {' '.join(render.TIMERS)}"
    activate_tree(
        name="accounts: activate",
        role="accounts",
        tree=partial(_tree, inventory, host),
        links={
            "/usr/local/sbin/edumail-accounts": "edumail-accounts",
            **{f"/etc/systemd/system/{unit}": unit for unit in render.UNITS},
        },
        check=[f"{{tree}}/edumail-accounts check {{tree}}/wanted {here}/wanted"],
        reload=sync,
    )
