"""A score sheet: the weights that an authority gives to requirements (16.4, 16.5). No text of law sets any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edumail.circular.catalogue import requirements
from edumail.fields import Model, RequirementIds, Text, some
from edumail.problems import InventoryError, Problem, Where
from edumail.validation import validate
from edumail.yamlsource import Path, read_yaml

Points = Annotated[int | float, Field(gt=0, le=1000)]


class Item(Model):
    """One line of the sheet."""

    name: Text
    requirements: Annotated[tuple[RequirementIds, ...], AfterValidator(some)]
    points: Points
    """What a unit gets that passes all of those that bind it; of part of them its share."""
    attested: Literal[0, 1] = 0
    """Whether an attested requirement counts like a passed one."""

    @property
    def names(self) -> tuple[str, ...]:
        """The requirements that it means, in the circular's order."""
        return tuple(name for name in requirements() if any(_meant(pattern, name) for pattern in self.requirements))


class Grade(Model):
    """A word for a number of points."""

    name: Text
    at_least: Annotated[int | float, Field(alias="from", ge=0)]


class Sheet(Model):
    """A score sheet. Points are given out of the sum of its items' points."""

    name: Text
    authority: Text
    """Who set the weights."""
    items: Annotated[tuple[Item, ...], AfterValidator(some)]
    grades: tuple[Grade, ...] = ()
    """The highest whose points a unit reaches is its own."""

    @property
    def total(self) -> float:
        """The most that a unit can get."""
        return sum(item.points for item in self.items)

    @property
    def attesting(self) -> tuple[str, ...]:
        """The items of which an attested requirement counts like a passed one."""
        return tuple(item.name for item in self.items if item.attested)

    def grade(self, points: float) -> str:
        """The grade for so many points; empty below all of them."""
        reached = [grade for grade in self.grades if points >= grade.at_least]
        return max(reached, key=lambda grade: grade.at_least).name if reached else ""


def no_sheet() -> Sheet:
    """What counts where no authority has said it: all that binds as written, each alike, attested or open not."""
    binding = tuple(row.id for row in requirements().values() if row.strength == "M")
    return Sheet(
        name="không có bảng điểm: mọi yêu cầu bắt buộc ngang nhau / no score sheet: all binding requirements alike",
        authority="–",
        items=(Item(name="Yêu cầu bắt buộc / binding requirements", requirements=binding, points=100),),
    )


def read_sheet(file: str, text: str) -> Sheet:
    """A score sheet from YAML. Raises InventoryError with every mistake in it and its place."""
    document = read_yaml(file, text)
    sheet = validate(Sheet, document, (), document.value) if not document.problems else None
    problems = [*document.problems, *(_mistakes(sheet, document.where) if sheet else ())]
    if sheet is None or problems:
        raise InventoryError(problems)
    return sheet


def _meant(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _mistakes(sheet: Sheet, where: Callable[[Path], Where]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for number, item in enumerate(sheet.items):
        for index, pattern in enumerate(item.requirements):
            place = where(("items", number, "requirements", index))
            meant = [name for name in requirements() if _meant(pattern, name)]
            if not meant:
                yield Problem(
                    place,
                    "unknown-requirement",
                    f"thông tư không có yêu cầu «{pattern}»; xem edumail/circular/requirements.json",
                    f"the circular has no requirement '{pattern}'; see edumail/circular/requirements.json",
                )
            twice = [name for name in meant if name in first]
            if twice:
                yield Problem(
                    place,
                    "requirement-twice",
                    f"«{pattern}» tính {twice[0]} lần thứ hai, sau «{first[twice[0]]}»; mỗi yêu cầu chỉ ở một mục",
                    f"'{pattern}' counts {twice[0]} a second time, after '{first[twice[0]]}'; one item a requirement",
                )
            first |= dict.fromkeys(meant, pattern)
    for number, grade in enumerate(sheet.grades):
        place = where(("grades", number, "from"))
        if grade.at_least in [other.at_least for other in sheet.grades[:number]]:
            yield Problem(
                place,
                "grade-twice",
                f"hai mức cùng bắt đầu từ {grade.at_least:g} điểm; sửa một",
                f"two grades begin at {grade.at_least:g} points; mend one",
            )
        if grade.at_least > sheet.total:
            yield Problem(
                place,
                "grade-out-of-reach",
                f"bảng có tất cả {sheet.total:g} điểm: không đơn vị nào đạt {grade.at_least:g}",
                f"the sheet has {sheet.total:g} points in all: no unit reaches {grade.at_least:g}",
            )
