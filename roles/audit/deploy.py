"""The auditor: signs in by SSH key, reads, and changes nothing but an audit of their own."""

from __future__ import annotations

from edumail.tree import Tree
from roles.audit.render import COMMAND, tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import AUDITOR_HOME


def _tree(inventory: Inventory) -> Tree:
    return tree(inventory.province)


def configure(inventory: Inventory) -> None:
    """Stage keys, sudo rule and command."""
    stage_tree(name="audit: stage", role="audit", tree=_tree(inventory), world_readable=True)


def activate(inventory: Inventory) -> None:
    """Let visudo judge the rule; install the Sieve script of the audits that are open."""
    activate_tree(
        name="audit: activate",
        role="audit",
        tree=_tree(inventory),
        links={
            COMMAND: "edumail-audit",
            f"{AUDITOR_HOME}/.ssh/authorized_keys": "authorized_keys",
            "/etc/sudoers.d/edumail": "sudoers",
        },
        check=["visudo -q -c -f {tree}/sudoers"],
        reload=f"{COMMAND} refresh",
    )
