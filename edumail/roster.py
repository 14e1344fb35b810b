"""``people/<unit>.csv``: the staff of one unit, one row each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from edumail.model import Person, Post
from edumail.problems import Problem, Where
from edumail.text import fold, nfc
from edumail.validation import explain

COLUMNS = {"ma": "id", "ho va ten": "name", "to": "section", "chuc vu": "posts", "dia chi thu": "address"}
"""Folded header → field. The header row of a file reads: Mã, Họ và tên, Tổ, Chức vụ, Địa chỉ thư."""


@dataclass
class Roster:
    """The rows of one file that could be read, their line numbers by person's id, and the mistakes."""

    people: list[Person] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """Ids of rows with mistakes, as they are written; a row with an unknown post is read without it."""
    broken: bool = False
    """Rows are missing of which not even the id is known."""

    def rows(self) -> list[list[Any]]:
        """People and lines as :func:`recalled` takes them."""
        return [[p.id, p.name, p.section, p.posts, p.address, self.lines[p.id]] for p in self.people]


_FIELDS = set(Person.model_fields)


def recalled(unit: str, rows: list[list[Any]]) -> Roster:
    """A roster without a mistake, from its :meth:`Roster.rows`. What was sound is not validated once more."""
    roster = Roster()
    for id, name, section, posts, address, line in rows:
        person = Person.__new__(Person)
        fields = {"id": id, "unit": unit, "name": name, "section": section, "posts": tuple(posts), "address": address}
        # As copies and pickles of a model are made; model_construct takes three times as long.
        person.__setstate__(
            {
                "__dict__": fields,
                "__pydantic_fields_set__": _FIELDS,
                "__pydantic_extra__": None,
                "__pydantic_private__": None,
            }
        )
        roster.people.append(person)
        roster.lines[id] = line
    return roster


def post_codes(posts: dict[str, Post]) -> dict[str, str]:
    """What a roster may write for a post (its code, or its name with or without marks), folded → code."""
    return {fold(word): code for code, post in posts.items() for word in (code, post.name)}


def read_roster(file: str, text: str, unit: str, posts: dict[str, str]) -> Roster:
    """Read one roster; ``posts`` comes from :func:`post_codes`. Never raises for bad input."""
    roster = Roster()
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [fold(cell) for cell in next(rows, [])]
        if any(header.count(column) != 1 for column in COLUMNS):
            roster.broken = True
            roster.problems.append(
                Problem(
                    Where(file, 1),
                    "roster-header",
                    "dòng đầu phải là: Mã,Họ và tên,Tổ,Chức vụ,Địa chỉ thư (ngăn bằng dấu phẩy, lưu UTF-8)",
                    "the first line must read: Mã,Họ và tên,Tổ,Chức vụ,Địa chỉ thư (separated by commas, in UTF-8)",
                )
            )
            return roster
        fields = [COLUMNS.get(column, "") for column in header]
        for cells in rows:
            if any(map(str.strip, cells)):
                _row(roster, Where(file, rows.line_num), unit, fields, cells, posts)
    except csv.Error as error:
        roster.broken = True
        roster.problems.append(
            Problem(
                Where(file, rows.line_num),
                "roster-csv",
                f"không đọc được dòng này ({error}); xem lại dấu ngoặc kép và lưu lại thành CSV UTF-8",
                f"this line can't be read ({error}); look at the quotes and save again as CSV UTF-8",
            )
        )
    return roster


def _row(roster: Roster, where: Where, unit: str, fields: list[str], cells: list[str], posts: dict[str, str]) -> None:
    if len(cells) != len(fields):
        roster.broken = True
        roster.problems.append(
            Problem(
                where,
                "roster-cells",
                f"dòng có {len(cells)} ô, tiêu đề có {len(fields)}; ô có dấu phẩy phải đặt trong ngoặc kép",
                f"the row has {len(cells)} cells, the header {len(fields)}; a cell with a comma must be quoted",
            )
        )
        return
    row = {name: nfc(cell) for name, cell in zip(fields, cells, strict=True) if name}
    codes = []
    for word in filter(None, (part.strip() for part in row["posts"].split(";"))):
        code = posts.get(fold(word))
        if code is None:
            roster.problems.append(
                Problem(
                    where,
                    "unknown-post",
                    f"không có chức vụ «{word}»; dùng một trong: {', '.join(sorted(set(posts.values())))}",
                    f"there is no post '{word}'; use one of: {', '.join(sorted(set(posts.values())))}",
                )
            )
            roster.unread.add(row["id"])
        else:
            codes.append(code)
    try:
        person = Person(
            id=row["id"],
            unit=unit,
            name=row["name"],
            section=row["section"] or None,
            posts=tuple(codes),
            address=row["address"],
        )
    except ValidationError as error:
        titles = {
            name: title
            for title, name in (
                ("Mã", "id"),
                ("Họ và tên", "name"),
                ("Tổ", "section"),
                ("Chức vụ", "posts"),
                ("Địa chỉ thư", "address"),
            )
        }
        for details in error.errors(include_url=False):
            vi, en = explain(details, titles.get(str(details["loc"][0]), str(details["loc"][0])), Person)
            roster.problems.append(Problem(where, details["type"].replace("_", "-"), vi, en))
        roster.unread.add(row["id"])
        return
    if person.id in roster.lines:
        roster.problems.append(
            Problem(
                where,
                "duplicate-person",
                f"mã «{person.id}» đã có ở dòng {roster.lines[person.id]}; mỗi người một mã",
                f"id '{person.id}' stands in line {roster.lines[person.id]} already; give each person one of their own",
            )
        )
        return
    roster.lines[person.id] = where.line
    roster.people.append(person)
