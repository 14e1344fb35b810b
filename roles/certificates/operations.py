"""What a deploy does about certificates beside the tree: pairs of files, what is shown, what has to be ordered."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand, operation

from edumail.supplied import Supplied, is_published, publish
from roles.certificates.facts import Pending, SuppliedDigests
from roles.common.files import put_files
from roles.common.inventory import Inventory
from roles.common.paths import supplied

_ORDER_SECONDS = 90
"""How long a deploy waits for orders; the service goes on with them by itself."""
_ORDER = f"""systemctl start --no-block edumail-certificates.service
for second in $(seq {_ORDER_SECONDS})
do [ "$(systemctl show -P ActiveState edumail-certificates.service)" = activating ] || break; sleep 1; done"""


@operation()
def supply(inventory: Inventory, pairs: Iterable[Supplied]) -> Generator[Any, None, None]:
    """Puts keys and certificates that came as files on the host, where root alone can read them.

    The public halves of all that the inventory has are published, or it would compile only where the keys are.
    """
    found = host.get_fact(SuppliedDigests)
    missing = [pair for pair in pairs if found.get(pair.id) != pair.digest]
    if missing:
        yield FunctionCommand(_put, [missing], {})
    if not is_published(inventory.folder, inventory.supply.pairs):
        yield FunctionCommand(publish, [inventory.folder, inventory.supply.pairs], {})
    elif not missing:
        host.noop("the supplied certificates are there")


def _put(pairs: Iterable[Supplied]) -> None:
    real = host.state.inventory.get_host(host.name)
    folder = supplied("x").rpartition("/")[0]
    put_files(real, folder, {f"{pair.id}.pem": pair.content for pair in pairs}, private=True)


@operation()
def show(digest: str) -> Generator[Any, None, None]:
    """Has daemons show the best certificate that is there. ``digest``: the tree that says which."""
    if any(line.startswith("show") for line in host.get_fact(Pending, digest=digest)):
        yield StringCommand("edumail-certificates show")
    else:
        host.noop("the best certificates are shown")


@operation()
def order(digest: str) -> Generator[Any, None, None]:
    """Orders what is due from the ACME authority, and forgets what nothing names any more.

    It never fails a deploy: without a public certificate the internal one is shown, and the note says why.
    """
    pending = host.get_fact(Pending, digest=digest)
    stray, due = (any(line.startswith(word) for line in pending) for word in ("stray", "order"))
    if not stray and not due:
        _note(pending)
        host.noop("nothing is to be ordered")
        return
    if stray:
        yield StringCommand("edumail-certificates tidy")
    if due:
        yield StringCommand(_ORDER)
        yield FunctionCommand(_look, [digest], {})


def _look(digest: str) -> None:
    real = host.state.inventory.get_host(host.name)
    fact = Pending()
    _, output = real.run_shell_command(fact.command(digest))
    _note(fact.process(list(output.stdout_lines)))


def _note(pending: Iterable[str]) -> None:
    for line in pending:
        word, _, rest = line.partition(" ")
        if word in ("wait", "order"):
            host.log(f"lưu ý/note: {rest}")
