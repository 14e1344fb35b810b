"""Article 6: what the portal brings together, and how fresh it is."""

from __future__ import annotations

import pytest

from tests.circular import sections
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.portal import Answer, Reading


@pytest.mark.requirement("C37-6.1")
@each_unit(sections.gathered)
def test_services_are_gathered_and_answer(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-6.1", *answer)


def _dated(reading: Reading) -> Answer:
    items = reading.portal.below("/tin-tuc/")
    undated = [item.url for item in items if not (item.good and item.metadata("DC.date"))]
    newest = max(sections.own_days(reading), default=None)
    evidence = [f"{len(items) - len(undated)}/{len(items)} tin có ghi ngày / news items with their date", *undated[:5]]
    good = bool(items) and not undated and newest is not None
    if newest is not None:
        fresh, said = reading.fresh(newest)
        good &= fresh
        evidence.append(said)
    evidence.append(
        "việc tin chính thống, đủ, đúng phải có người xác nhận"
        " / that it is official, complete and exact has to be attested"
    )
    return "not-tested" if good else "fail", evidence


@pytest.mark.requirement("C37-6.2")
@each_unit(_dated)
def test_pages_say_of_what_day_they_are(of_pages: Answers, record: Record) -> None:
    """The half that pages show; that they are official, complete and exact is for the head to answer."""
    for unit, answer in of_pages:
        record(unit.id, "C37-6.2", *answer)
