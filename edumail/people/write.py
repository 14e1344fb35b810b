"""A plan → the files of the inventory as they will be. Lines that nothing happens to stay byte for byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edumail.model import Former, Left, Person, Province
from edumail.people.journal import Change
from edumail.people.left import HEADER as LEFT_HEADER
from edumail.people.plan import Plan
from edumail.problems import Problem, Where
from edumail.roster import COLUMNS
from edumail.text import fold, nfc
from edumail.yamlsource import read_yaml

ROSTER_HEADER = "Mã,Họ và tên,Tổ,Chức vụ,Địa chỉ thư"
_LEFT_COLUMNS = {"ma": "id", "ho va ten": "name", "dia chi thu": "address", "ngay nghi": "since"}


def changes(folder: Path, province: Province, plan: Plan) -> list[Change]:
    """The files that the plan changes, none that stays the same. Raises OSError where one can't be read."""
    found = []
    before = {person.id: person for person in province.people}
    titles = {code: post.name for code, post in province.posts.items()}

    def roster_row(person: Person) -> dict[str, str]:
        posts = "; ".join(titles[code] for code in person.posts)
        return {
            "id": person.id,
            "name": person.name,
            "section": person.section or "",
            "posts": posts,
            "address": person.address,
        }

    after = {person.id: person for person in plan.people}
    touched = {plan.unit} | {before[id].unit for id in after if id in before}
    for unit in sorted(touched):
        own = [person for person in province.people if person.unit == unit]
        here = after if unit == plan.unit else {p.id: p for p in own if p.id not in after}
        edits: dict[str, dict[str, str] | None] = {}
        for person in own:
            now = here.get(person.id)
            if now is None:
                edits[person.id] = None
            elif now != person:
                edits[person.id] = _differing(roster_row(person), roster_row(now))
        known = {person.id for person in own}
        added = [roster_row(person) for id, person in here.items() if id not in known]
        found.append(_table(folder, f"people/{unit}.csv", ROSTER_HEADER, COLUMNS, edits, added))
    found += _register(folder, province, plan)
    found.append(_former(folder, province.former, plan.former))
    return [change for change in found if change.before != change.after and (change.after or change.before)]


def _differing(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in after.items() if value != before[key]}


def _register(folder: Path, province: Province, plan: Plan) -> Iterable[Change]:
    before = {left.id: left for left in province.left}
    after = {left.id: left for left in plan.left}
    units = {left.unit for id, left in {**before, **after}.items() if before.get(id) != after.get(id)}

    def row(left: Left) -> dict[str, str]:
        return {"id": left.id, "name": left.name, "address": left.address, "since": str(left.since)}

    for unit in sorted(units):
        gone: dict[str, dict[str, str] | None] = {
            id: None for id, left in before.items() if left.unit == unit and id not in after
        }
        added = [row(left) for id, left in after.items() if left.unit == unit and id not in before]
        yield _table(folder, f"left/{unit}.csv", LEFT_HEADER, _LEFT_COLUMNS, gone, added)


def _table(
    folder: Path,
    file: str,
    header: str,
    columns: Mapping[str, str],
    edits: Mapping[str, Mapping[str, str] | None],
    added: Sequence[Mapping[str, str]],
) -> Change:
    """A CSV with some rows changed (by id; None takes the row out) and some more at its end."""
    content = _content(folder / file)
    text = (content or f"{header}\n".encode()).decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix("\ufeff")
    end = "\r\n" if "\r\n" in text.partition("\n")[0] + "\n" else "\n"
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    fields: list[str] = []
    result: list[str] = []
    at = 0
    for cells in reader:
        raw, at = "".join(lines[at : reader.line_num]), reader.line_num
        if not fields:
            fields = [columns.get(fold(cell), "") for cell in cells]
            result.append(raw)
            continue
        id = nfc(cells[fields.index("id")]) if len(cells) == len(fields) else ""
        if id not in edits:
            result.append(raw)
        elif (edit := edits[id]) is not None:
            result.append(_row([edit.get(name, cell) for name, cell in zip(fields, cells, strict=True)], end))
    if result and added and not result[-1].endswith(("\n", "\r")):
        result[-1] += end
    result += [_row([row.get(name, "") for name in fields], end) for row in added]
    return Change(file, content, (mark + "".join(result)).encode())


def _row(cells: list[str], end: str) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator=end).writerow(cells)
    return line.getvalue()


def _former(folder: Path, before: Sequence[Former], after: Sequence[Former]) -> Change:
    """``former.yml`` with some values changed in their places and some lines more; comments stay."""
    file = "former.yml"
    content = _content(folder / file)
    text = (content or b"").decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix("\ufeff")
    document = read_yaml(file, text)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    edits = []
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        for key in ("address", "to", "until"):
            was, shall = str(getattr(old, key)), str(getattr(new, key))
            if was != shall:
                place = document.places[index, key]
                edits.append((starts[place.line - 1] + place.column - 1, was, shall))
    for start, was, shall in sorted(edits, reverse=True):
        at = text.index(was, start)  # a quote may stand before it
        text = text[:at] + shall + text[at + len(was) :]
    added = after[len(before) :]
    if added and not document.value:
        text = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    if added and text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"- {{address: {former.address}, to: {former.to}, until: {former.until}}}\n" for former in added)
    return Change(file, content, (mark + text).encode())


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def relocated(problems: Iterable[Problem], plan: Plan, file: str, texts: Mapping[str, str]) -> list[Problem]:
    """Problems of the files that would be written, at the rows of the spreadsheet that they come from."""
    result = []
    name = f"people/{plan.unit}.csv"
    rows: dict[int, int] = {}
    reader = csv.reader(io.StringIO(texts.get(name, "")))
    fields: list[str] = []
    for cells in reader:
        if not fields:
            fields = [COLUMNS.get(fold(cell), "") for cell in cells]
        elif len(cells) == len(fields) and (row := plan.rows.get(nfc(cells[fields.index("id")]))):
            rows[reader.line_num] = row
    for problem in problems:
        if problem.where.file == name and problem.where.line in rows:
            problem = Problem(Where(file, rows[problem.where.line]), problem.code, problem.vi, problem.en)
        result.append(problem)
    return sorted(set(result))
