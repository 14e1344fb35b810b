"""XLSX (ECMA-376) by openpyxl, within bounds: a small file may claim to be a huge one.

openpyxl reads sheets with defusedxml where that is installed, and so refuses entities.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime
from typing import Any

from defusedxml.ElementTree import iterparse

from edumail.people.csvsheet import too_many
from edumail.people.names import visible
from edumail.people.sheet import MAX_COLUMNS, MAX_ROWS, Cell, Row, Sheet, refuse
from edumail.problems import InventoryError, Where

_MAX_UNPACKED = 200 * 1024 * 1024
_MAX_TEXTS = 50 * 1024 * 1024
"""The shared texts of a workbook are held in memory, the cells are not."""
_LAST_ROW = 1_048_576
_MAX_MERGED = 20_000
_AREA = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})")


def read(file: str, content: bytes) -> list[Sheet]:
    """The visible sheets. Raises InventoryError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {item.filename: item.file_size for item in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # the last: of a newer kind of ZIP than Python reads
        raise _broken(file) from None
    if "xl/workbook.xml" not in names:
        raise refuse(
            Where(file),
            "sheet-kind",
            "không phải bảng tính .xlsx (có thể là .ods, .xlsb hay .docx); Lưu thành (Save As) «Excel Workbook "
            "(.xlsx)» hoặc «CSV UTF-8»",
            "this is no .xlsx spreadsheet (it may be .ods, .xlsb or .docx); Save As 'Excel Workbook (.xlsx)' or "
            "'CSV UTF-8'",
        )
    # zipfile gives no more bytes than the directory says, so what is said here is what can come.
    if sum(names.values()) > _MAX_UNPACKED or names.get("xl/sharedStrings.xml", 0) > _MAX_TEXTS:
        raise refuse(
            Where(file),
            "sheet-size",
            f"giải nén ra quá {_MAX_UNPACKED // 2**20} MiB; chép bảng sang một tệp mới rồi lưu lại",
            f"unpacks to more than {_MAX_UNPACKED // 2**20} MiB; copy the table to a new file and save that",
        )
    try:
        return _read(file, content)
    except InventoryError:
        raise
    except Exception:
        # A broken workbook may make openpyxl stumble anywhere, over any of its types.
        raise _broken(file) from None


def _broken(file: str) -> InventoryError:
    return refuse(
        Where(file),
        "sheet-broken",
        "tệp .xlsx bị hỏng; mở trong Excel hoặc LibreOffice rồi lưu lại, hay xin tệp khác",
        "the .xlsx file is broken; open it in Excel or LibreOffice and save it again, or ask for another copy",
    )


def _read(file: str, content: bytes) -> list[Sheet]:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    sheets = []
    try:
        for page in book.worksheets:
            if page.sheet_state != "visible":
                continue
            rows = []
            # Asked for all rows, because the size that a sheet gives itself may be wrong.
            for number, cells in enumerate(page.iter_rows(max_row=_LAST_ROW, max_col=MAX_COLUMNS), start=1):
                row = Row(number, tuple(map(_cell, cells)))
                if row.filled:
                    rows.append(row)
                if len(rows) > MAX_ROWS:
                    raise too_many(file)
            part = page._worksheet_path  # type: ignore[attr-defined] # no public name for it
            sheets.append(Sheet(file, str(page.title), rows, _merged(content, part)))
    finally:
        book.close()
    return sheets


def _cell(cell: Any) -> Cell:
    value, kind = cell.value, getattr(cell, "data_type", "n")
    if value is None:
        return Cell()
    if kind == "f":
        return Cell(formula=True)
    if kind == "e":
        return Cell(str(value), error=True)
    if isinstance(value, datetime | date):
        return Cell(value.strftime("%Y-%m-%d"))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return Cell(str(int(value)))
    return Cell(visible(str(value)))


def _merged(content: bytes, path: str) -> list[tuple[int, int, int, int]]:
    """openpyxl knows joined cells only when it holds the whole workbook in memory."""
    found: list[tuple[int, int, int, int]] = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(path.lstrip("/")) as part:
        for _, element in iterparse(part):
            if element.tag.endswith("}mergeCell") and (area := _AREA.fullmatch(element.get("ref", ""))):
                left, top, right, bottom = area.groups()
                found.append((int(top), _number(left), int(bottom), _number(right)))
            if element.tag.endswith(("}row", "}mergeCell")):
                element.clear()
            if len(found) >= _MAX_MERGED:
                break
    return found


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
