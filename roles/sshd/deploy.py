"""sshd: keys only."""

from __future__ import annotations

from roles.common.operations import activate_tree, stage_tree
from roles.sshd.render import tree

PACKAGES = ("openssh-server",)


def configure() -> None:
    """Stage the configuration."""
    stage_tree(name="sshd: stage", role="sshd", tree=tree(), world_readable=True)


def activate() -> None:
    """Let sshd judge it together with all its other files, reload, and ask what holds now; sessions go on."""
    activate_tree(
        name="sshd: activate",
        role="sshd",
        tree=tree(),
        links={"/etc/ssh/sshd_config.d/00-edumail.conf": "sshd.conf"},
        check=[r"printf 'Include %s\n' {tree}/sshd.conf /etc/ssh/sshd_config | /usr/sbin/sshd -t -f /dev/stdin"],
        unit="ssh.service",
        probe=["/usr/sbin/sshd -T | grep -qx 'passwordauthentication no'"],
    )
