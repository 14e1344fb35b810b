"""What has to move from one host to another, and whether what arrived is all that was sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from edumail.mail import Mail, Mailbox
from edumail.model import Province

Letter = tuple[str, str, int]
"""Folder, Message-ID or a digest, size in bytes."""

Copies = tuple[str, str, list[str]]
"""Folder, a letter's GUID, and the UIDs that it has there, several."""


@dataclass(frozen=True)
class Account:
    """An account as its host has it. ``plain`` is the address that it had before it was set aside."""

    address: str
    person: str | None
    state: str
    plain: str


@dataclass(frozen=True, order=True)
class Move:
    """The mailbox ``old`` on host ``source`` belongs to ``new`` on host ``target``."""

    shared: bool
    source: str
    old: str
    target: str
    new: str
    ready: bool
    """Whether the target has the account by now; a deploy makes it."""


def moves(mail: Mail, hosts: Mapping[str, Iterable[Account]], units: Collection[str] = ()) -> list[Move]:
    """The closed accounts whose person, or whose shared address, lives on another host; all, or those of ``units``.

    Shared mailboxes come first: what their holders have read is known by what their letters are called at the new
    place. Of several old accounts of one mailbox each moves: nothing says which of them mattered.
    """
    here: dict[str, set[str]] = {
        host: {account.address for account in accounts if account.state not in ("closed", "left")}
        for host, accounts in hosts.items()
    }
    people: dict[str, tuple[str, Mailbox]] = {}
    shared: dict[str, tuple[str, Mailbox]] = {}
    for host, boxes in mail.mailboxes.items():
        for box in boxes.values():
            if box.person is not None:
                people[box.person] = host, box
            else:
                shared |= dict.fromkeys((box.address, *box.was), (host, box))
    result = []
    for source, accounts in hosts.items():
        for account in accounts:
            at = shared.get(account.plain) if account.person is None else people.get(account.person)
            if account.state != "closed" or at is None or at[0] == source or (units and at[1].unit not in units):
                continue
            target, box = at
            ready = box.address in here.get(target, ())
            result.append(Move(account.person is None, source, account.address, target, box.address, ready))
    return sorted(result, key=lambda move: (not move.shared, move.new, move.source, move.old))


@dataclass(frozen=True, order=True)
class Matters:
    """What citizens asked ``unit`` lies on host ``source``, ``count`` of it, and belongs to ``target``."""

    unit: str
    source: str
    target: str
    count: int


def matters(province: Province, hosts: Mapping[str, Mapping[str, int]], units: Collection[str] = ()) -> list[Matters]:
    """The matters of units that live elsewhere by now; all, or those of ``units``. hosts: host → unit → how many."""
    return sorted(
        Matters(unit, source, target, count)
        for source, counts in hosts.items()
        for unit, count in counts.items()
        if unit in province.units and (target := province.units[unit].host) != source and (not units or unit in units)
    )


def missing(old: Iterable[Letter], new: Iterable[Letter]) -> Counter[str]:
    """Folder → how many letters of the old place the new one does not have, each copy counted."""
    lost: Counter[str] = Counter()
    for (folder, *_), count in (Counter(map(tuple, old)) - Counter(map(tuple, new))).items():
        lost[str(folder)] += count
    return lost


def surplus(old: Iterable[Copies], new: Iterable[Copies]) -> dict[str, list[str]]:
    """Folder → UIDs of the new place that are a letter once more, more often than the old place has it."""
    meant = {(folder, guid): len(uids) for folder, guid, uids in old}
    result: dict[str, list[str]] = {}
    for folder, guid, uids in new:
        if extra := sorted(uids, key=int)[meant.get((folder, guid), 1) :]:
            result.setdefault(folder, []).extend(extra)
    return result
