"""An import from one end to the other, up to the point where something is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edumail.collector import collector_paused
from edumail.load import Survey, look
from edumail.model import Province
from edumail.people.journal import Change
from edumail.people.plan import Plan, Wish, make_plan
from edumail.people.sheet import read_sheets
from edumail.people.table import choose_sheet, read_table
from edumail.people.write import changes, relocated
from edumail.portal.load import Contents
from edumail.problems import InventoryError, Problem


@dataclass(frozen=True)
class Intake:
    """What an import would do, and what the inventory would be then."""

    plan: Plan
    changes: list[Change]
    """None where the plan is refused, or where nothing changes."""
    before: Province
    after: Province
    broken: list[Problem]
    """What would be wrong then and is not now; such an import must not be written."""
    unsound: list[Problem]
    """All that would be wrong then."""


def prepare(
    folder: Path, survey: Survey, unit: str, file: str, content: bytes, wish: Wish, sheet: str | None = None
) -> Intake:
    """Plan the import of the spreadsheet ``content``, called ``file`` in messages, and try it on a copy in memory.

    ``survey`` is of ``folder`` as it is, without anything unread; ``unit`` is one of its units. Raises InventoryError
    where the spreadsheet can't be read.
    """
    with collector_paused():  # it would walk through the whole province again and again
        return _prepare(folder, survey, unit, file, content, wish, sheet)


def _prepare(
    folder: Path, survey: Survey, unit: str, file: str, content: bytes, wish: Wish, sheet: str | None
) -> Intake:
    before = survey.province
    assert before is not None
    table_of, header = choose_sheet(file, read_sheets(file, content), sheet)
    # What is said with an old address tells who is meant, too.
    domains = {unit.domain for unit in before.units.values()}
    domains |= {former.address.partition("@")[2] for former in before.former}
    table = read_table(table_of, header, before.units[unit], before.posts, domains)
    plan = make_plan(before, table, unit, wish)
    edits = [] if plan.refused else changes(folder, before, plan)
    if not edits:
        return Intake(plan, edits, before, before, [], survey.problems)
    texts = {change.file: change.after.decode("utf-8-sig").replace("\r\n", "\n") for change in edits}
    then = look(folder, before.today, texts)
    after = then.province or before
    units = [PurePosixPath(name).stem for name in texts if name.startswith("people/")]
    was = [*survey.problems, *_on_pages(folder, before, units)]
    wrong = [*then.problems, *_on_pages(folder, after, units)]
    return Intake(plan, edits, before, after, relocated(_more(was, wrong), plan, file, texts), wrong)


def _on_pages(folder: Path, province: Province, units: list[str]) -> list[Problem]:
    """What is wrong in what the units publish: a page may name somebody who leaves."""
    contents, found = Contents(folder, province), []
    for unit in units:
        try:
            contents.of(unit)
        except InventoryError as error:
            found += error.problems
    return found


def _more(before: list[Problem], after: list[Problem]) -> list[Problem]:
    """What is wrong afterwards and was not; where it stands may have shifted by some lines."""
    known = {_what(problem) for problem in before}
    return [problem for problem in after if _what(problem) not in known]


def _what(problem: Problem) -> tuple[str, str, str]:
    return problem.where.file, problem.code, problem.vi
