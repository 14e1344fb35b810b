"""What every host has before any daemon."""

from __future__ import annotations

from edumail.model import Host
from roles.base.render import drop_ins, tree
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import live

PACKAGES = ("sudo",)


def configure(host: Host) -> None:
    """Stage users, folders and drop-ins."""
    stage_tree(name="base: stage", role="base", tree=tree(host), world_readable=True)


def activate(host: Host) -> None:
    """Make the users and folders; the links also serve at boot."""
    here = live("base")
    activate_tree(
        name="base: activate",
        role="base",
        tree=tree(host),
        links={
            "/etc/sysusers.d/edumail.conf": "sysusers.conf",
            "/etc/tmpfiles.d/edumail.conf": "tmpfiles.conf",
            **drop_ins(host),
        },
        reload=f"systemd-sysusers {here}/sysusers.conf && systemd-tmpfiles --create {here}/tmpfiles.conf",
    )
