"""Keys are made on the host and stay there; their public halves are certified, and published into the inventory."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand, operation
from pyinfra.api.exceptions import OperationError

from edumail import discovery, pki
from edumail.load import save_published
from edumail.model import Dkim, Host, Published
from edumail.units import portal_host
from roles.common.inventory import Inventory
from roles.common.paths import DKIM_KEY, TLS, has_mail
from roles.identity.authority import open_authority
from roles.identity.facts import Public, PublicHalves

# Each key appears whole or not at all, so that a killed run leaves nothing that a later one would trust.
_MAKE_KEYS = f"""set -eu; umask 077
install -d -m 755 /etc/edumail {TLS}
make() {{ [ -s "$1" ] || {{ openssl genpkey -quiet $2 -out "$1.new"; chgrp "$3" "$1.new"; chmod "$4" "$1.new"; \
sync "$1.new"; mv "$1.new" "$1"; }}; }}
make {TLS}/host.key '-algorithm EC -pkeyopt ec_paramgen_curve:P-256' root 600
make {TLS}/portal.key '-algorithm EC -pkeyopt ec_paramgen_curve:P-256' root 600"""
_MAKE_DKIM_KEY = f"""
install -d -m 750 -g _rspamd /etc/edumail/dkim
make {DKIM_KEY} '-algorithm RSA -pkeyopt rsa_keygen_bits:2048' _rspamd 640"""
# Not every host has all of them.
RELOAD = """set -e; for unit in postfix dovecot nginx; do
  ! systemctl --quiet is-active "$unit.service" || systemctl reload-or-restart "$unit.service"
done"""


@operation()
def identity(inventory: Inventory, name_of_host: str) -> Generator[Any, None, None]:
    """Makes the host's keys once; certifies and publishes their public halves whenever that is not so already."""
    target = inventory.host(name_of_host)
    found = host.get_fact(PublicHalves)
    if _done(inventory, target, found):
        host.noop("keys, certificates and published halves are as they should be")
        return
    if not found.has_keys(has_mail(target)):
        yield StringCommand(_MAKE_KEYS + (_MAKE_DKIM_KEY if has_mail(target) else ""))
    yield FunctionCommand(_certify, [inventory, target], {})
    if found["host-certificate"]:
        yield StringCommand(RELOAD)


def names(inventory: Inventory, target: Host) -> dict[str, set[str]]:
    """Which certificate is for which DNS names.

    Names below mail domains are three a domain: a public authority counts them all against its limits, and a client
    takes no certificate above 100 KiB, which some 900 domains fill.
    """
    pages = {unit.portal for unit in inventory.province.units.values() if portal_host(unit) == target.name}
    front = set()
    if "gateway" in target.roles:
        front = {inventory.province.settings.front_name}
        pages.update(discovery.names({unit.domain for unit in inventory.province.units.values()}))
    return {"host": {target.fqdn} | front, "portal": pages or {target.fqdn}}


def _publishable(target: Host, found: Public) -> Published:
    dkim = None
    if has_mail(target):
        dkim = Dkim(selector=target.name, public_key=pki.dkim_value(found["dkim-key"]))
    return Published(dkim=dkim, identity=pki.fingerprint(found["host-key"]))


def _done(inventory: Inventory, target: Host, found: Public) -> bool:
    authority = inventory.folder / "published" / "ca.pem"
    if not found.has_keys(has_mail(target)) or not authority.exists() or found["authority"] != authority.read_bytes():
        return False
    if inventory.published().get(target.name) != _publishable(target, found):
        return False
    now = datetime.now(UTC)
    return all(
        pki.still_good(found[f"{part}-certificate"], found[f"{part}-key"], wanted, found["authority"], now)
        for part, wanted in names(inventory, target).items()
    )


def _certify(inventory: Inventory, target: Host) -> None:
    """Runs while the deploy executes: reads the public halves, signs, uploads, publishes."""
    real = host.state.inventory.get_host(target.name)
    fact = PublicHalves()
    ok, output = real.run_shell_command(fact.command())
    if not ok:
        raise OperationError("khóa công khai không đọc được / the public keys can't be read")
    found = fact.process(list(output.stdout_lines))
    try:
        authority = open_authority(inventory.folder, inventory.province.settings)
    except ValueError as error:
        raise OperationError(f"CA nội bộ / internal CA: {error}") from error
    now = datetime.now(UTC)
    files = {"ca": authority.pem}
    for part, wanted in names(inventory, target).items():
        certificate, key = found[f"{part}-certificate"], found[f"{part}-key"]
        if not pki.still_good(certificate, key, wanted, authority.pem, now):
            files[part] = pki.sign(authority, key, wanted, now)
    for part, content in files.items():
        if not real.put_file(BytesIO(content), f"{TLS}/.{part}.pem"):
            raise OperationError(f"{TLS}/{part}.pem")
    moves = " && ".join(f"chmod 644 {TLS}/.{part}.pem && mv {TLS}/.{part}.pem {TLS}/{part}.pem" for part in files)
    ok, output = real.run_shell_command(f"{moves} && sync -f {TLS}")
    if not ok:
        raise OperationError(output.stderr)
    save_published(inventory.folder, target.name, _publishable(target, found))
