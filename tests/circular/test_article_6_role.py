"""Article 6: what the portal brings together, and how fresh it is."""

from __future__ import annotations

import pytest

from tests.circular import sections
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.portal import readings


@pytest.mark.requirement("C37-6.1")
def test_services_are_gathered_and_answer(audit: Audit, serving: str, record: Record) -> None:
    for reading in readings(audit, serving, "C37-6.1"):
        record(reading.unit.id, "C37-6.1", *sections.services(reading))


@pytest.mark.requirement("C37-6.2")
def test_pages_say_of_what_day_they_are(audit: Audit, serving: str, record: Record) -> None:
    """The half that pages show; that they are official, complete and exact is for the head to answer."""
    for reading in readings(audit, serving, "C37-6.2"):
        items = reading.portal.below("/tin-tuc/")
        undated = [item.url for item in items if not (item.good and item.metadata("DC.date"))]
        newest = max((day for item in items for day in sections.days(item)), default=None)
        evidence = [f"{len(items) - len(undated)} of {len(items)} news items with their date", *undated[:5]]
        good = bool(items) and not undated and newest is not None
        if newest is not None:
            fresh, said = reading.fresh(newest)
            good &= fresh
            evidence.append(said)
        evidence.append("that it is official, complete and exact has to be attested")
        record(reading.unit.id, "C37-6.2", "not-tested" if good else "fail", evidence)
