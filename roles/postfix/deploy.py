"""Postfix: submission, the way in and out on the gateway, and mutual TLS between the province's hosts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from edumail.model import Host, Published
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.postfix.render import COMPILE, tree

PACKAGES = ("postfix", "postfix-cdb", "postfix-lmdb")
PRESEED = ("postfix postfix/main_mailer_type select No configuration",)


def _tree(inventory: Inventory, host: Host) -> Callable[[], Tree]:
    # Asked for when it is used: the same run publishes the keys by which hosts know each other.
    return lambda: _built(inventory, host, tuple(inventory.published().items()))


@cache
def _built(inventory: Inventory, host: Host, published: tuple[tuple[str, Published], ...]) -> Tree:
    return tree(inventory.mail.host(host.name), inventory.province.message_size_limit_mb, dict(published))


def configure(inventory: Inventory, host: Host) -> None:
    """Stage configuration and tables."""
    # Readable by all: sendmail(1) reads main.cf as whoever calls it, such as the mailboxes' user. Nothing is secret.
    stage_tree(name="postfix: stage", role="postfix", tree=_tree(inventory, host), group="postfix", world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """Compile the tables, let Postfix judge the whole, switch, reload, and wait for its greeting."""
    activate_tree(
        name="postfix: activate",
        role="postfix",
        tree=_tree(inventory, host),
        links={
            "/etc/postfix/main.cf": "main.cf",
            "/etc/postfix/master.cf": "master.cf",
        },
        compile=[COMPILE],
        check=[
            "postfix -c {tree} check",
            "postconf -c {tree} -b {tree}/bounce.cf 2>&1 >/dev/null | { ! grep . ; }",
            "postconf -c {tree} 2>&1 >/dev/null | { ! grep . ; }",
        ],
        unit="postfix.service",
        restart_on=["master.cf"],
        probe=["printf 'QUIT\\r\\n' | timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2525; head -1 <&3' | grep -q ^220"],
    )
