"""The inventory as roles and pyinfra see it: read and checked once a run, and the same for deploys and for tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from edumail.certificates import Certificate, certificates, open_supplied
from edumail.load import load, load_published
from edumail.mail import Mail
from edumail.model import Host, HostRole, Province, Published
from edumail.portal.load import Contents
from edumail.portal.site import Portals
from edumail.problems import InventoryError
from edumail.supplied import Supply
from roles.common.contents import content_problems
from roles.common.portals import kept_portals
from roles.common.ssh import connection_data

GROUPS: tuple[HostRole, ...] = ("gateway", "mailstore", "portal", "antivirus")


class Inventory:
    """A checked inventory and what the core compiles from it, each part when it is first asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.province: Province = load(folder)

    @cached_property
    def mail(self) -> Mail:
        """Mail tables of every host."""
        return Mail(self.province)

    @cached_property
    def pages(self) -> Portals:
        """Portal pages of every unit."""
        return kept_portals(self.province, self.contents, self.folder)

    @cached_property
    def contents(self) -> Contents:
        """What every unit publishes, read unit by unit when it is asked for."""
        return Contents(self.folder, self.province)

    @cached_property
    def supply(self) -> Supply:
        """The certificates that came as files. Raises InventoryError when they can't be used."""
        return open_supplied(self.province, self.folder, datetime.now(UTC))

    @cached_property
    def _certificates(self) -> dict[str, tuple[Certificate, ...]]:
        pairs = self.supply.pairs
        return {host.name: certificates(self.province, host, pairs) for host in self.province.hosts.values()}

    def certificates(self, host: Host) -> tuple[Certificate, ...]:
        """What a host shows to people and strangers."""
        return self._certificates[host.name]

    def published(self) -> dict[str, Published]:
        """What hosts gave back, as it is on disk now: a deploy adds to it while it runs."""
        return load_published(self.folder)

    def host(self, name: str) -> Host:
        """A host by name."""
        return self.province.hosts[name]


@lru_cache(maxsize=4)
def open_inventory(folder: str) -> Inventory:
    """The inventory in ``folder``, read once per process. Raises InventoryError."""
    return Inventory(Path(folder))


def pyinfra_inventory(hosts_py: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """What an inventory's ``hosts.py`` gives pyinfra: a group for each role, with how to reach each host.

    Mistakes in the inventory are printed and end the process with status 1 before any host is touched.
    """
    folder = str(Path(hosts_py).resolve().parent)
    try:
        inventory = open_inventory(folder)
        _ = inventory.supply
        if problems := content_problems(inventory.contents):
            raise InventoryError(problems)
    except InventoryError as error:
        lang = "vi" if _language().startswith("vi") else "en"
        for problem in error.problems:
            print(problem.text("vi" if lang == "vi" else "en"), file=sys.stderr)
        raise SystemExit(1) from None
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {role: [] for role in GROUPS}
    for host in inventory.province.hosts.values():
        data = {"inventory": folder, **_connection(inventory.province, host)}
        for role in host.roles:
            groups[role].append((host.name, data))
    return groups


def _connection(province: Province, host: Host) -> Mapping[str, Any]:
    config = province.settings.ssh_config
    if config is not None:
        return connection_data(user=host.ssh.user, ssh_config=str(Path(config).expanduser()))
    return connection_data(address=host.ssh.address or host.fqdn, user=host.ssh.user, port=host.ssh.port)


def _language() -> str:
    return os.environ.get("EDUMAIL_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
