"""How policies come down the tree: edumail's defaults → the province → the units above → the unit.

The nearest level that sets a setting counts, unless a level above locked it, or lets it only be tightened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from edumail.policies import SETTINGS, PolicyLevel, same

Place = tuple[str, str]
"""Which level: its table and key among an inventory's sources."""
Mark = tuple[str, str, Literal["locked", "tighten_only"], int]
"""Where a level restrains those below: its place, the list, and the number of the item in it."""


@dataclass(frozen=True)
class Held:
    """What holds of one setting at a level, and how that came about."""

    value: Any = None
    said: tuple[tuple[Place, Any], ...] = ()
    """Every level that set it and the value there, the nearest last: that one counts."""
    locked: Mark | None = None
    tighten_only: Mark | None = None


@dataclass(frozen=True)
class Breach:
    """The level at ``place`` sets what ``mark`` above it does not allow; ``above`` is what held there."""

    setting: str
    place: Place
    value: Any
    mark: Mark
    above: Held


NOTHING: Mapping[str, Held] = dict.fromkeys(SETTINGS, Held())


def descend(above: Mapping[str, Held], place: Place, level: PolicyLevel) -> tuple[Mapping[str, Held], list[Breach]]:
    """What holds at ``level`` when ``above`` holds over it. What it may not set is a breach and does not count."""
    given = {name: getattr(level.policies, name) for name in level.policies.model_fields_set}
    said = {name: value for name, value in given.items() if value is not None}
    if not (said or level.locked or level.tighten_only):
        return above, []
    here, breaches = dict(above), []
    for name, value in said.items():
        held = above[name]
        if mark := forbids(name, value, held):
            breaches.append(Breach(name, place, value, mark, held))
        else:
            here[name] = replace(held, value=value, said=(*held.said, (place, value)))
    for index, name in enumerate(level.locked):
        here[name] = replace(here[name], locked=here[name].locked or (*place, "locked", index))
    for index, name in enumerate(level.tighten_only):
        here[name] = replace(here[name], tighten_only=here[name].tighten_only or (*place, "tighten_only", index))
    return here, breaches


def forbids(name: str, value: Any, held: Held) -> Mark | None:
    """The mark above that does not let ``value`` be set below ``held``."""
    if not held.said:
        return None
    if held.locked and not same(value, held.value):
        return held.locked
    tighter = SETTINGS[name].tighter
    return held.tighten_only if held.tighten_only and tighter and not tighter(value, held.value) else None


def above_units(levels: Mapping[str, PolicyLevel]) -> Mapping[str, Held]:
    """What holds above all units: ``levels`` are those of a province, by name, the first one on top."""
    held = NOTHING
    for name, level in levels.items():
        held, _ = descend(held, ("level", name), level)
    return held
