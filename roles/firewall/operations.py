"""A deploy that would shut its own door is refused before anything is changed."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from edumail.ports import objection
from roles.common.inventory import Inventory
from roles.firewall.facts import SshConnection


@operation()
def admit_deployer(inventory: Inventory, name_of_host: str) -> Generator[StringCommand, None, None]:
    """Fails the host when this very connection could not be made again under the new rules."""
    seen = host.get_fact(SshConnection)
    target = inventory.host(name_of_host)
    problem = objection(inventory.province, inventory.folder, target, seen.address, seen.port)
    if problem is None:
        host.noop("the new rules admit this connection")
        return
    text = f"{problem.text('vi')} / {problem.en}"
    host.log(text)
    yield StringCommand(f"echo {shlex.quote(text)} >&2; exit 1")
