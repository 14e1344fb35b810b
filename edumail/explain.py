"""Why a policy of a unit has its value: who set it, what that overrode, who restrains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edumail.model import Unit
from edumail.policies import SETTINGS, Setting
from edumail.problems import Where
from edumail.sources import Sources
from edumail.units import Units


@dataclass(frozen=True)
class Explanation:
    """One setting of one unit."""

    name: str
    setting: Setting
    value: Any
    where: Where
    overrode: tuple[tuple[Any, Where], ...]
    """What the levels above say, the nearest first."""
    default: Any
    """What edumail itself would have set."""
    locked: Where | None
    """The mark that keeps this unit, or those below the mark, from setting something else."""
    tighten_only: Where | None


def explain(units: Units, sources: Sources, unit: Unit, names: tuple[str, ...] = tuple(SETTINGS)) -> list[Explanation]:
    """The settings called ``names`` of ``unit``, in that order."""
    result = []
    for name in names:
        held = units.held(unit)[name]
        (value, where), *overrode = [(v, sources.at(*place, "policies", name)) for place, v in reversed(held.said)]
        default = held.said[0][1]
        locked = sources.at(*held.locked) if held.locked else None
        tighten_only = sources.at(*held.tighten_only) if held.tighten_only else None
        result.append(Explanation(name, SETTINGS[name], value, where, tuple(overrode), default, locked, tighten_only))
    return result
