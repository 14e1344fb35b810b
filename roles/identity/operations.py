"""Keys are made on the host and stay there; their public halves are certified, and published into the inventory."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand, operation
from pyinfra.api.exceptions import OperationError

from edumail import pki
from edumail.certificates import HOST, Certificate
from edumail.load import save_published
from edumail.model import Dkim, Host, Published
from roles.common.files import put_files
from roles.common.inventory import Inventory
from roles.common.paths import DKIM_KEY, TLS, has_mail, internal
from roles.identity.authority import open_authority
from roles.identity.facts import Public, PublicHalves

# Each key appears whole or not at all, so that a killed run leaves nothing that a later one would trust.
_MAKE_KEYS = f"""set -eu; umask 077
install -d -m 755 /etc/edumail {TLS}
make() {{ [ -s "$1" ] || {{ openssl genpkey -quiet $2 -out "$1.new"; chgrp "$3" "$1.new"; chmod "$4" "$1.new"; \
sync "$1.new"; mv "$1.new" "$1"; }}; }}
make {TLS}/host.key '-algorithm EC -pkeyopt ec_paramgen_curve:P-256' root 600
make {TLS}/web.key '-algorithm EC -pkeyopt ec_paramgen_curve:P-256' root 600"""
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
    found = host.get_fact(PublicHalves, certificates=_ids(inventory, target))
    if _done(inventory, target, found):
        host.noop("keys, certificates and published halves are as they should be")
        return
    if not found.has_keys(has_mail(target)):
        yield StringCommand(_MAKE_KEYS + (_MAKE_DKIM_KEY if has_mail(target) else ""))
    yield FunctionCommand(_certify, [inventory, target], {})
    if found[f"/{HOST}"]:
        yield StringCommand(RELOAD)


def _ids(inventory: Inventory, target: Host) -> list[str]:
    return [certificate.id for certificate in inventory.certificates(target)]


def _key(found: Public, certificate: str) -> bytes:
    return found["host-key" if certificate == HOST else "web-key"]


def _publishable(inventory: Inventory, target: Host, found: Public) -> Published:
    dkim = None
    if has_mail(target):
        dkim = Dkim(selector=target.name, public_key=pki.dkim_value(found["dkim-key"]))
    pair = inventory.certificates(target)[0].supplied
    return Published(
        dkim=dkim, identity=pki.fingerprint(found["host-key"]), supplied=pair.fingerprint if pair else None
    )


def _done(inventory: Inventory, target: Host, found: Public) -> bool:
    authority = inventory.folder / "published" / "ca.pem"
    if not found.has_keys(has_mail(target)) or not authority.exists() or found["authority"] != authority.read_bytes():
        return False
    if inventory.published().get(target.name) != _publishable(inventory, target, found):
        return False
    return not _to_sign(inventory, target, found, found["authority"], datetime.now(UTC))


def _to_sign(inventory: Inventory, target: Host, found: Public, authority: bytes, now: datetime) -> list[Certificate]:
    """The certificates whose form from the internal authority is not there, or not as it should be."""
    return [
        certificate
        for certificate in inventory.certificates(target)
        if not pki.still_good(
            found[f"/{certificate.id}"], _key(found, certificate.id), certificate.names, authority, now
        )
    ]


def _certify(inventory: Inventory, target: Host) -> None:
    """Runs while the deploy executes: reads the public halves, signs, uploads, publishes."""
    real = host.state.inventory.get_host(target.name)
    fact = PublicHalves()
    ok, output = real.run_shell_command(fact.command(_ids(inventory, target)))
    if not ok:
        raise OperationError("khóa công khai không đọc được / the public keys can't be read")
    found = fact.process(list(output.stdout_lines))
    try:
        authority = open_authority(inventory.folder, inventory.province.settings)
    except ValueError as error:
        raise OperationError(f"CA nội bộ / internal CA: {error}") from error
    now = datetime.now(UTC)
    files = {f"{TLS}/ca.pem": authority.pem}
    for certificate in _to_sign(inventory, target, found, authority.pem, now):
        key = _key(found, certificate.id)
        files[internal(certificate.id)] = pki.sign(authority, key, certificate.names, now)
    put_files(real, TLS, {path.removeprefix(f"{TLS}/"): content for path, content in files.items()}, private=False)
    save_published(inventory.folder, target.name, _publishable(inventory, target, found))
