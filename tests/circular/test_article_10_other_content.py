"""Article 10: the ladder of links, and what a unit has switched on besides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from edumail.model import Unit
from edumail.portal.sections import SECTIONS
from tests.circular import sections
from tests.circular.audit import Audit
from tests.circular.conftest import Answers, Record, each, each_unit
from tests.circular.dialogues import VERDICTS, folded
from tests.circular.mailed import Undecided
from tests.circular.pages import lies_in
from tests.circular.portal import Answer, Reading, home, homes_of, reading

SWITCHED = {
    "C37-10.2": "elearning",
    "C37-10.3": "organisations",
    "C37-10.4": "press",
    "C37-10.5": "answers",
    "C37-10.6": "support",
    "C37-10.7": "polls",
}


NOT_FITTING = (
    "thông tư chỉ yêu cầu mục này khi phù hợp, và đơn vị không khai mục này trong inventory"
    " / the circular asks this only where it is fitting, and the unit declares none in the inventory"
)


def _judged(of_pages: Answers, judge: Callable[[Unit], None]) -> None:
    """Judge unit by unit: one that can't be judged ends nothing for the others."""
    undecided = Undecided()
    for unit, _ in undecided.heard(of_pages):
        with undecided.of(unit):
            judge(unit)
    undecided.tell()


@pytest.mark.requirement("C37-10.1.1")
@each_unit(home)
def test_the_department_links_to_the_ministry_and_to_all_units(audit: Audit, of_pages: Answers, record: Record) -> None:
    _judged(of_pages, lambda unit: record(unit.id, "C37-10.1.1", *department(reading(audit, unit))))


def department(above: Reading) -> Answer:
    """The links of the department: to the Ministry, and to every unit below (10.1)."""
    good, evidence = _ladder(above.audit, above)
    up = [url for url, _ in above.portal.page("/lien-ket/").links() if lies_in(url, above.ministry)]
    there, broken, unseen = above.answered(up)
    if there:
        evidence.append(f"liên kết tới Bộ / links to the Ministry: {', '.join(there)}")
    else:
        evidence.append("KHÔNG liên kết nào tới Bộ trả lời / NO link to the Ministry answers")
    evidence += broken + unseen
    return VERDICTS[folded([good, bool(up) and not broken, None if unseen else True])], evidence


@pytest.mark.requirement("C37-10.1.2")
@each_unit(home)
def test_an_office_links_to_its_department_and_its_schools(audit: Audit, of_pages: Answers, record: Record) -> None:
    _judged(of_pages, lambda unit: record(unit.id, "C37-10.1.2", *office(reading(audit, unit))))


def office(above: Reading) -> Answer:
    """The links of an office: to the department, and to every school below; each portal answers (10.1)."""
    good, evidence = _ladder(above.audit, above)
    parent = above.audit.province.units[above.unit.parent or ""]
    up = f"https://{parent.portal}/" in {url for url, _ in above.portal.page("/lien-ket/").links()}
    said = "có liên kết / linked" if up else "KHÔNG có liên kết / NOT linked"
    evidence.append(f"https://{parent.portal}/: {said}")
    homes, unseen = homes_of(above.audit, [parent])
    there = homes[0][1].good if homes else None
    return VERDICTS[folded([good, up, there])], [*evidence, *(home.said for _, home in homes), *unseen]


def _switched(section: str, reading: Reading) -> Answer:
    if not reading.content.articles.get(section):
        return "not-applicable", [NOT_FITTING]
    path = next(known.path for known in SECTIONS if known.id == section)
    page, items = reading.portal.page(path), reading.portal.below(path)
    blank = [item.said for item in items if not sections.written(item)]
    evidence = [f"{page.said}: {len(items) - len(blank)}/{len(items)} bài có lời văn / items with text", *blank[:5]]
    return "pass" if page.good and items and not blank else "fail", evidence


@pytest.mark.parametrize("requirement", [each(name, partial(_switched, section)) for name, section in SWITCHED.items()])
def test_what_is_switched_on_is_there(of_pages: Answers, requirement: str, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, requirement, *answer)


def _ladder(audit: Audit, above: Reading) -> tuple[bool | None, list[str]]:
    """Whether the page of links leads to every unit below, each of which answers; None: of some nobody can tell."""
    page = above.portal.page("/lien-ket/")
    below = [unit for unit in audit.mail.units.below(above.unit.id) if unit.id != above.unit.id]
    shown = {url for part in (page, *above.portal.below("/lien-ket/")) for url, _ in part.links()}
    wanted = {f"https://{unit.portal}/": unit for unit in below}
    absent = [url for url in wanted if url not in shown]
    homes, unseen = homes_of(audit, below)
    silent = [home.said for _, home in homes if not home.good]
    number = f"{len(wanted) - len(absent)}/{len(wanted)}"
    evidence = [f"{page.said}: {number} đơn vị cấp dưới có liên kết / units below linked"]
    evidence += [f"không có liên kết / not linked: {url}" for url in absent[:10]] + silent[:10] + unseen[:10]
    return folded([page.good and not absent and not silent, None if unseen else True]), evidence
