"""Which certificates a host shows to people and strangers, and for which names.

They are few, because public authorities limit how many they give out under one registered domain: mail programs and
other servers see one, and the names of web pages share theirs, up to a hundred names each.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edumail import discovery
from edumail.dns import deepest_zone
from edumail.load import place
from edumail.model import Host, Province
from edumail.problems import InventoryError, Problem, Where
from edumail.supplied import FOLDER, Supplied, Supply, read, read_published
from edumail.units import portal_host

HOST = "host"
"""The id of the certificate for the host's own name, and on the gateway for the front's."""
MOST_NAMES = 100
"""As many names as Let's Encrypt takes in one certificate; clients take no certificate above 100 KiB either."""
_SHOWN = 5
"""How many names a message shows before it only counts them."""


@dataclass(frozen=True)
class Certificate:
    """One certificate that a host shows: what it is called there, and its DNS names, sorted."""

    id: str
    names: tuple[str, ...]
    supplied: Supplied | None = None
    """The pair of files that it is, if it is one."""


def certificates(province: Province, host: Host, supplied: Collection[Supplied] = ()) -> tuple[Certificate, ...]:
    """All certificates of ``host``, :data:`HOST` first; each name that leads to the host is in one of them.

    A name that a supplied pair covers has that one, and of several the one that lasts longest. The others are grouped
    by zone, so that what is wrong with one zone does no harm to another, and in a way that does not change when names
    of other groups come and go: each change of a group asks a public authority for one more certificate.
    """
    own = {host.fqdn, province.settings.front_name} if "gateway" in host.roles else {host.fqdn}
    bought: dict[str, list[str]] = defaultdict(list)
    rest = []
    pairs = {pair.id: pair for pair in supplied}
    for name in sorted(web_names(province, host)):
        pair = _best(supplied, [name])
        if pair is None:
            rest.append(name)
        else:
            bought[pair.id].append(name)
    return (
        Certificate(HOST, tuple(sorted(own)), _best(supplied, own)),
        *(Certificate(f"files-{id}", tuple(names), pairs[id]) for id, names in sorted(bought.items())),
        *(Certificate(id, tuple(names)) for id, names in _batches(rest, province.settings.zones)),
    )


def web_names(province: Province, host: Host) -> set[str]:
    """The names of all web pages on ``host`` but the webmail's, those included that only lead to another."""
    units = province.units.values()
    found = {name for unit in units if portal_host(unit) == host.name for name in unit.portal_names}
    if "gateway" in host.roles:
        found.update(discovery.names({unit.domain for unit in units}), [province.settings.accounts_name])
    return found


def _best(supplied: Iterable[Supplied], names: Collection[str]) -> Supplied | None:
    covering = (pair for pair in supplied if all(map(pair.covers, names)))
    return max(covering, key=lambda pair: (pair.not_after, pair.id), default=None)


def _batches(names: Iterable[str], zones: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    by_zone: dict[str, list[str]] = defaultdict(list)
    known = set(zones)
    for name in names:
        by_zone[deepest_zone(name, known) or name].append(name)
    for zone, own in sorted(by_zone.items()):
        yield from _halves(zone, own)


def _halves(zone: str, names: list[str], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Too many names for one certificate are halved by a bit of their digest, as often as it takes."""
    if len(names) <= MOST_NAMES:
        yield (f"{zone}-{prefix}" if prefix else zone), names
        return
    for bit in "01":
        half = [name for name in names if _bits(name)[len(prefix)] == bit]
        if half:
            yield from _halves(zone, half, prefix + bit)


def _bits(name: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(name.encode()).digest()):0256b}"


def open_supplied(province: Province, inventory: Path, now: datetime) -> Supply:
    """The pairs of files that ``province.yml`` asks for, none if it does not, and what somebody should look at soon.

    Raises InventoryError for what can't be used, and when nothing covers the names that everybody meets.
    """
    if province.settings.certificates.source != "files":
        return Supply()
    found = read(inventory, now)
    gateway = next(host for host in province.hosts.values() if "gateway" in host.roles)
    first, *_ = certificates(province, gateway, found.pairs)
    if first.supplied is None and not found.problems:
        names = ", ".join(first.names)
        found.problems.append(
            Problem(
                place(inventory, "province.yml", "certificates"),
                "front-not-covered",
                f"không chứng thư nào trong {FOLDER}/ bao gồm {names}; đặt vào đó một cặp TÊN.pem, TÊN.key",
                f"no certificate in {FOLDER}/ covers {names}; put a pair NAME.pem, NAME.key there",
            )
        )
    if found.problems:
        raise InventoryError(found.problems)
    found.notes += _uncovered(province, found.pairs)
    return found


def open_published(province: Province, inventory: Path, now: datetime) -> Supply:
    """The same for whoever compiles and deploys nothing: without the pairs, by what a deploy has published of them.

    An auditor has no keys. A pair that has ended does not change either what a host should have. Raises InventoryError
    as :func:`open_supplied` does, and when nothing is published.
    """
    try:
        return open_supplied(province, inventory, now)
    except InventoryError as error:
        known = any((inventory / FOLDER).glob("*.pem"))
        ended = all(problem.code == "not-valid-now" for problem in error.problems)
        pairs = [] if known and not ended else read_published(inventory)
        if not pairs:
            raise
        return Supply(pairs)


def _uncovered(province: Province, pairs: Collection[Supplied]) -> Iterator[Problem]:
    """Names that are left to the internal authority, host by host."""
    for host in province.hosts.values():
        names = [name for c in certificates(province, host, pairs) if c.supplied is None for name in c.names]
        if names:
            shown = ", ".join(names[:_SHOWN]) + (f" … (+{len(names) - _SHOWN})" if len(names) > _SHOWN else "")
            yield Problem(
                Where(FOLDER),
                "not-covered",
                f"{host.name}: không chứng thư nào bao gồm {shown}; các tên này dùng chứng thư của CA nội bộ",
                f"{host.name}: no certificate covers {shown}; these names get one of the internal authority",
            )
