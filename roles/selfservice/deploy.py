"""The account pages of a mail host: people choose their passwords there, and nobody else knows them."""

from __future__ import annotations

from edumail.model import Host
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.common.paths import live
from roles.nginx.render import served
from roles.selfservice import render

PACKAGES = ("python3", "python3-flask", "gunicorn", "python3-qrcode", "python3-passlib", "python3-argon2")


def configure(inventory: Inventory, host: Host) -> None:
    """Stage the program and its pages."""
    tree = render.tree(inventory.province, host)
    stage_tree(name="selfservice: stage", role="selfservice", tree=tree, world_readable=True)


def activate(inventory: Inventory, host: Host) -> None:
    """After the accounts: see that all it imports is there, switch, restart, and ask it."""
    activate_tree(
        name="selfservice: activate",
        role="selfservice",
        tree=render.tree(inventory.province, host),
        links={f"/etc/systemd/system/{unit}": unit for unit in render.UNITS},
        check=["cd {tree} && python3 -B -c 'import edumail_selfservice'"],
        reload=" && ".join(
            (
                f"chmod -R a+rX {live('selfservice')}/static",
                f"systemctl enable --quiet {' '.join(render.UNITS)}",
                f"systemctl restart {' '.join(render.UNITS)}",
            )
        ),
        probe=[render.probe()],
    )


def site(inventory: Inventory, gateway: Host) -> str:
    """The gateway's part of nginx's configuration at the level of ``http``."""
    name = inventory.province.settings.accounts_name
    ((file, _),) = served([name], inventory.certificates(gateway))
    return render.site(inventory.province, gateway, file)


def peer_location() -> str:
    """Its part of the block that answers to the gateway, on every other mail host."""
    return render.peer_location()
