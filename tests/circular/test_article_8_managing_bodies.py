"""Article 8: what the portals of the department and of the offices below it show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.circular import sections
from tests.circular.audit import Audit
from tests.circular.conftest import Answers, Record, each
from tests.circular.mailed import Mailed, finished
from tests.circular.portal import Answer, Reading

CHECKS: dict[str, Callable[[Reading], Answer | Mailed]] = {
    "C37-8.1a.1": sections.introduction,
    "C37-8.1a.2": sections.leaders,
    "C37-8.1b": sections.contact,
    "C37-8.2": sections.news,
    "C37-8.3": sections.documents,
    "C37-8.4a": sections.public_services,
    "C37-8.4b": sections.services,
    "C37-8.4c.1": sections.procedures,
    "C37-8.4c.2": sections.admission_service,
    "C37-8.5": sections.law,
    "C37-8.6": sections.consultations,
    "C37-8.7": sections.metadata,
    "C37-8.8": sections.statistics_of_a_managing_body,
    "C37-8.9.1": sections.resources,
    "C37-8.9.2": sections.library_of_the_ministry,
    "C37-8.10": sections.accreditation,
    "C37-8.11": sections.results,
    "C37-8.12": sections.diplomas,
    "C37-8.13": sections.projects,
    "C37-8.14": sections.conference,
    "C37-8.15": sections.english,
    "C37-8.16": sections.centres,
}


@pytest.mark.parametrize("requirement", [each(name, ask) for name, ask in CHECKS.items()])
def test_the_portal_of_a_managing_body_shows(
    audit: Audit, serving: str, of_pages: Answers, requirement: str, record: Record
) -> None:
    for unit, answer in finished(audit, serving, requirement, of_pages):
        record(unit.id, requirement, *answer)
