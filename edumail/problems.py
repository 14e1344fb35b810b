"""What is wrong with an inventory, said so that whoever wrote the line can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Lang = Literal["vi", "en"]


@dataclass(frozen=True, order=True)
class Where:
    """A place in an inventory: file relative to the inventory's folder, line and column counted from 1.

    A line of 0 stands for the file as a whole, a column of 0 for the whole line (CSV has no columns to point at).
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it is, what is wrong and what to write instead, in both languages.

    ``code`` names the kind of mistake and is stable, so that tests and scripts can ask for it.
    """

    where: Where
    code: str
    vi: str
    en: str

    def text(self, lang: Lang) -> str:
        """One line for a person: ``file:line:column: what to do``."""
        line = f"{self.where}: {self.vi if lang == 'vi' else self.en}"
        # What is quoted may hold anything: an escape sequence must not reach the reader's terminal.
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


class InventoryError(Exception):
    """The inventory can't be used; ``problems`` holds every mistake that was found, in order of place."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = sorted(set(problems))
        super().__init__("\n".join(problem.text("en") for problem in self.problems))
