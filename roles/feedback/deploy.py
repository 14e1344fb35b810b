"""Feedback from the portals to the units' mailboxes, and the answers back: on the host that has the mailboxes."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import live
from roles.feedback import render

PACKAGES = ("python3", "python3-flask", "gunicorn")


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    shells = {
        unit.id: inventory.pages.unit(unit)[f"shells/{unit.id}.html"].content
        for unit in render.away(inventory.province, host)
    }
    most_days = max(policies.feedback_days or 0 for policies in inventory.mail.policies.values())
    return render.tree(inventory.province, inventory.mail.host(host.name), shells, most_days)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the service; nothing in it is secret."""
    stage_tree(name="feedback: stage", role="feedback", tree=partial(_tree, inventory, host), world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """See that all it imports is there, switch, restart, and ask it. Before Postfix, which hands it the answers."""
    here = live("feedback")
    units = [unit for unit in inventory.province.units.values() if unit.host == host.name]
    activate_tree(
        name="feedback: activate",
        role="feedback",
        tree=partial(_tree, inventory, host),
        links={
            "/usr/local/sbin/edumail-feedback": "edumail_feedback_cli.py",
            "/etc/sysusers.d/edumail-feedback.conf": "sysusers.conf",
            "/etc/tmpfiles.d/edumail-feedback.conf": "tmpfiles.conf",
            **{f"/etc/systemd/system/{unit}": unit for unit in render.UNITS},
        },
        check=["cd {tree} && python3 -B -c 'import edumail_feedback_web, edumail_feedback_cli'"],
        reload=" && ".join(
            (
                f"systemd-sysusers {here}/sysusers.conf",
                f"systemd-tmpfiles --create {here}/tmpfiles.conf",
                f"systemctl enable --quiet {' '.join(render.UNITS)}",
                f"systemctl restart {' '.join(render.UNITS)}",
            )
        ),
        probe=[render.probe(unit.portal) for unit in units[:1]],
    )


def zones(inventory: Inventory, host: Host) -> str:
    """Its part of nginx's configuration at the level of ``http``, on a host with portals."""
    return render.zones(inventory.province, host)


def peer_location(inventory: Inventory, host: Host) -> str:
    """Its part of the block that answers to hosts alone; empty where none asks."""
    return render.peer_location(inventory.province, host)


def locations() -> str:
    """Its part of each portal's server block."""
    return render.locations()
