"""Which addresses an edit of the tree leaves behind, and where each of them should lead.

Units are renamed, merged, split and closed by editing them; people and units keep their ids. What was an address before
and is none now belongs into ``former.yml``.
"""

from __future__ import annotations

from collections import Counter

from edumail.groups import Expansion, Groups
from edumail.model import Province, Unit
from edumail.units import Units


def left_behind(old: Province, new: Province) -> dict[str, str | None]:
    """Address of ``old`` that ``new`` lacks → the one that takes its place; None where nothing tells which.

    People who left take their addresses with them. The names of RFC 2142 come by themselves, unless
    somebody wrote one down.
    """
    before, after = Groups(Units(old)), Groups(Units(new))
    known = {*_mailboxes(after), *after.all, *after.former}
    result: dict[str, str | None] = {}
    for person in old.people:
        now = after.units.person.get(person.id)
        if now is not None and person.address not in known:
            result[person.address] = now.address
    shared = {mailbox.address: unit for unit in old.units.values() for mailbox, _ in before.units.shared(unit)}
    for address, unit in shared.items():
        if address not in known:
            heir = _heir(before.units, after.units, unit)
            result[address] = _first(known, address, heir, heir.public_address if heir else None)
    by_themselves = {group.address for group in before.names_of_rfc_2142()}
    for group in before.all.values():
        if group.address not in known and group.address not in by_themselves:
            heir = _heir(before.units, after.units, old.units[group.unit])
            result[group.address] = _first(known, group.address, heir, _same_group(before, after, group, heir))
    return dict(sorted(result.items()))


def changed_hands(old: Province, new: Province) -> dict[str, str | None]:
    """Address that a person had or has and that has another owner now → where the one of before is; None if nowhere.

    No line of ``former.yml`` can lead its mail to them: an address has one owner.
    """
    before, after = _owners(old), _owners(new)
    now = {person.id: person.address for person in new.people}
    return {a: now.get(owner or "") for a, owner in sorted(before.items()) if after.get(a, owner) != owner}


def _owners(province: Province) -> dict[str, str | None]:
    """Address → the person's id; None where it is the unit's."""
    groups = Groups(Units(province))
    units: dict[str, str | None] = dict.fromkeys((*_mailboxes(groups), *groups.all))
    return units | {person.address: person.id for person in province.people}


def _mailboxes(groups: Groups) -> set[str]:
    units = groups.units
    shared = {mailbox.address for unit in units.units.values() for mailbox, _ in units.shared(unit)}
    return shared | {person.address for person in units.province.people}


def _heir(before: Units, after: Units, unit: Unit) -> Unit | None:
    """The unit with the same id, or else the one that has most of its people now, or else what it stood under."""
    if unit.id in after.units:
        return after.units[unit.id]
    now = Counter(after.person[p.id].unit for p in before.people[unit.id] if p.id in after.person)
    if now:
        return after.units[now.most_common(1)[0][0]]
    above = before.units.get(unit.parent or "")
    return _heir(before, after, above) if above is not None else None


def _first(known: set[str], address: str, heir: Unit | None, otherwise: str | None) -> str | None:
    """The same local part in the heir's domain if that is an address, else ``otherwise``."""
    if heir is None:
        return None
    moved = f"{address.partition('@')[0]}@{heir.domain}"
    return moved if moved in known else otherwise


def _same_group(before: Groups, after: Groups, group: Expansion, heir: Unit | None) -> str | None:
    """The heir's group from the same template, or of the section with the same id."""
    if heir is None:
        return None
    ids = [s.id for s in before.units.units[group.unit].sections if s.address == group.address]
    for section in heir.sections:
        if section.id in ids:
            return section.address
    found = (g.address for g in after.all.values() if g.template and g.template == group.template and g.unit == heir.id)
    return next(found, None)
