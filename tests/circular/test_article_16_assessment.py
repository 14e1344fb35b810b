"""Article 16: the department and its offices assess the units below them, and publish what came of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.circular import sections
from tests.circular.conftest import Answers, Record, each
from tests.circular.portal import Answer, Reading

CHECKS: dict[str, Callable[[Reading], Answer]] = {
    "C37-16.4": sections.ranking,
    "C37-16.5": sections.ranking,
}


@pytest.mark.parametrize("requirement", [each(name, ask) for name, ask in CHECKS.items()])
def test_results_of_all_units_below_are_published(of_pages: Answers, requirement: str, record: Record) -> None:
    """The host's half: never a pass by itself, since the decision is on paper."""
    for unit, answer in of_pages:
        record(unit.id, requirement, *answer)
