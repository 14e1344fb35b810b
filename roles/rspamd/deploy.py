"""Rspamd and its Redis: what comes in is judged, what goes out is signed, From is bound to the sign-in, rates kept."""

from __future__ import annotations

from functools import cache, partial

from edumail.model import Host
from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.rspamd.render import linked, tree

PACKAGES = ("rspamd", "redis-server")


@cache
def _tree(inventory: Inventory, host: Host) -> Tree:
    province = inventory.province
    mail = inventory.mail.host(host.name)
    return tree(mail, province.message_size_limit_mb, province.filtering, province.settings.ministry)


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the local files."""
    stage_tree(name="rspamd: stage", role="rspamd", tree=partial(_tree, inventory, host), group="_rspamd")


def activate(inventory: Inventory, host: Host) -> None:
    """Let Rspamd read the staged files, switch, reload, and wait for an answer."""
    activate_tree(
        name="rspamd: activate",
        role="rspamd",
        tree=partial(_tree, inventory, host),
        links={f"/etc/rspamd/{path}": path for path in linked(host)},
        check=["rspamadm --var=LOCAL_CONFDIR={tree} configtest -q"],
        unit="rspamd.service",
        restart_on=["local.d/worker-proxy.inc", "local.d/worker-controller.inc"],
        # The first start compiles the list of top-level domains, 13 s on two cores.
        probe_seconds=120,
        probe=["systemctl start redis-server.service", "ss -Hltn sport = :11332 | grep -q ."],
    )
