"""Spreadsheets for tests, and imports of them into an inventory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from openpyxl import Workbook

from edumail.load import look
from edumail.people import journal
from edumail.people.intake import Intake, prepare
from edumail.people.plan import Plan, Wish

TODAY = date(2026, 8, 20)
PRIMARY = "th-suoi-mo"
LOWER = "thcs-suoi-mo"
UPPER = "thpt-song-que"
HEADER = ("STT", "Mã", "Họ và tên", "Tổ", "Chức vụ")
Rows = Sequence[Sequence[object]]


def staff(folder: Path, unit: str = PRIMARY) -> list[list[str]]:
    """The unit's own rows, as a school would send them: number, id, name, section, posts."""
    with (folder / f"people/{unit}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [[str(number), id, name, section, posts] for number, (id, name, section, posts, _) in enumerate(rows, 1)]


def as_csv(rows: Iterable[Sequence[object]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(rows: Iterable[Sequence[object]], merged: Sequence[str] = (), title: str = "Sheet1") -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = title
    for row in rows:
        page.append(list(row))
    for area in merged:
        page.merge_cells(area)
    return saved(book)


def saved(book: Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def prepared(folder: Path, content: bytes, unit: str = PRIMARY, today: date = TODAY, **wish: object) -> Intake:
    """What an import would do."""
    return prepare(folder, look(folder, today), unit, "ds", content, Wish(**wish))  # type: ignore[arg-type]


def planned(folder: Path, content: bytes, unit: str = PRIMARY, **wish: object) -> Plan:
    return prepared(folder, content, unit, **wish).plan  # type: ignore[arg-type]


def imported(folder: Path, content: bytes, unit: str = PRIMARY, today: date = TODAY, **wish: object) -> Plan:
    """Do it; it must be allowed."""
    intake = prepared(folder, content, unit, today, **wish)
    assert intake.plan.refused == []
    assert intake.broken == []
    journal.write(folder, intake.changes)
    return intake.plan


def files(folder: Path) -> dict[str, bytes]:
    """Every file of an inventory, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def told(plan: Plan) -> list[tuple[str, str]]:
    """What happens to whom: kind and id."""
    return [(line.kind, (line.after or line.before).id) for line in plan.lines]  # type: ignore[union-attr]
