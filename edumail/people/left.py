"""``left/<unit>.csv``: who left a unit, with the address that nobody else ever gets."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

from pydantic import ValidationError

from edumail.model import Left
from edumail.problems import Problem, Where
from edumail.text import fold, nfc
from edumail.validation import explain

TITLES = ("Mã", "Họ và tên", "Địa chỉ thư", "Ngày nghỉ")
HEADER = ",".join(TITLES)
_FIELDS = ("id", "name", "address", "since")


@dataclass
class Register:
    """The rows of one file, their lines by person's id, and the mistakes."""

    left: list[Left] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_left(file: str, text: str, unit: str) -> Register:
    """Read one register. Never raises for bad input."""
    register = Register()
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [fold(cell) for cell in next(rows, [])]
        if header != [fold(title) for title in TITLES]:
            register.problems.append(
                Problem(
                    Where(file, 1),
                    "left-header",
                    f"dòng đầu phải là: {HEADER} (ngăn bằng dấu phẩy, lưu UTF-8)",
                    f"the first line must read: {HEADER} (separated by commas, in UTF-8)",
                )
            )
            return register
        for cells in rows:
            if any(cell.strip() for cell in cells):
                _row(register, Where(file, rows.line_num), unit, cells)
    except csv.Error as error:
        register.problems.append(
            Problem(
                Where(file, rows.line_num),
                "left-csv",
                f"không đọc được dòng này ({error}); xem lại dấu ngoặc kép và lưu lại thành CSV UTF-8",
                f"this line can't be read ({error}); look at the quotes and save again as CSV UTF-8",
            )
        )
    return register


def _row(register: Register, where: Where, unit: str, cells: list[str]) -> None:
    if len(cells) != len(TITLES):
        register.problems.append(
            Problem(
                where,
                "left-cells",
                f"dòng có {len(cells)} ô, phải có {len(TITLES)}: {HEADER}",
                f"the row has {len(cells)} cells and needs {len(TITLES)}: {HEADER}",
            )
        )
        return
    try:
        left = Left(unit=unit, **dict(zip(_FIELDS, map(nfc, cells), strict=True)))
    except ValidationError as error:
        titles = dict(zip(_FIELDS, TITLES, strict=True))
        for details in error.errors(include_url=False):
            name = str(details["loc"][0])
            vi, en = explain(details, titles.get(name, name), Left)
            register.problems.append(Problem(where, details["type"].replace("_", "-"), vi, en))
        return
    if left.id in register.lines:
        register.problems.append(
            Problem(
                where,
                "duplicate-person",
                f"mã «{left.id}» đã có ở dòng {register.lines[left.id]}; xóa một dòng",
                f"id '{left.id}' stands in line {register.lines[left.id]} already; delete one of the two",
            )
        )
        return
    register.lines[left.id] = where.line
    register.left.append(left)
