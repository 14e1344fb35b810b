"""Article 9: what the portals of schools and centres show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.circular import sections
from tests.circular.audit import Audit
from tests.circular.conftest import Answers, Record, each
from tests.circular.mailed import Mailed, finished
from tests.circular.portal import Answer, Reading

CHECKS: dict[str, Callable[[Reading], Answer | Mailed]] = {
    "C37-9.1a.1": sections.introduction_with_history,
    "C37-9.1a.2": sections.leaders,
    "C37-9.1b": sections.contact,
    "C37-9.2": sections.news,
    "C37-9.3": sections.documents,
    "C37-9.4": sections.admission_service,
    "C37-9.5": sections.consultations,
    "C37-9.6": sections.metadata,
    "C37-9.7.1": sections.disclosure,
    "C37-9.7.2": sections.disclosure_in_time,
    "C37-9.8": sections.admission,
    "C37-9.9": sections.statistics_of_a_school,
    "C37-9.10.1": sections.resources,
    "C37-9.10.2": sections.library_above,
    "C37-9.11": sections.school_management,
}


@pytest.mark.parametrize("requirement", [each(name, ask) for name, ask in CHECKS.items()])
def test_the_portal_of_a_school_shows(
    audit: Audit, serving: str, of_pages: Answers, requirement: str, record: Record
) -> None:
    for unit, answer in finished(audit, serving, requirement, of_pages):
        record(unit.id, requirement, *answer)
