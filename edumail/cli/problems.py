"""Problems of an inventory as lines for a person."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from edumail.cli.language import language, say
from edumail.problems import Problem


def print_problems(problems: Sequence[Problem], stream: TextIO) -> None:
    """One line a problem, ``file:line:column: what to do``, files relative to the inventory; then how many."""
    for problem in problems:
        print(problem.text(language()), file=stream)
    files = len({problem.where.file for problem in problems})
    mistakes, places = ("mistake" if len(problems) == 1 else "mistakes"), ("file" if files == 1 else "files")
    print(say(f"{len(problems)} lỗi trong {files} tệp", f"{len(problems)} {mistakes} in {files} {places}"), file=stream)


def print_notes(notes: Iterable[Problem]) -> None:
    """What is no mistake yet and needs somebody's eye, a line each, on standard error."""
    for note in sorted(notes):
        print(say("lưu ý: ", "note: ") + note.text(language()), file=sys.stderr)
