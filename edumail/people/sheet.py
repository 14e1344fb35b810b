"""A spreadsheet, CSV or XLSX, as rows of text. What is in the file decides, not what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edumail.problems import InventoryError, Problem, Where

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 64
"""What lies further to the right is not looked at."""


@dataclass(frozen=True)
class Cell:
    """What one cell says. ``formula`` and ``error`` are what stands there in the place of a value."""

    text: str = ""
    formula: bool = False
    error: bool = False

    @property
    def filled(self) -> bool:
        """Whether anything stands in the cell."""
        return bool(self.text.strip()) or self.formula or self.error


EMPTY = Cell()


@dataclass(frozen=True)
class Row:
    """A row that is not empty, with its number as the spreadsheet shows it."""

    number: int
    cells: tuple[Cell, ...]

    def at(self, column: int) -> Cell:
        """The cell in ``column``, counted from 0."""
        return self.cells[column] if column < len(self.cells) else EMPTY

    @property
    def filled(self) -> list[int]:
        """The columns in which something stands."""
        return [column for column, cell in enumerate(self.cells) if cell.filled]


@dataclass
class Sheet:
    """One table. ``merged`` are areas joined in the spreadsheet: first row, first column, last row, last column,
    rows as shown and columns from 0; only the first cell of such an area has a value."""

    file: str
    name: str | None
    rows: list[Row]
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)

    def where(self, row: int, column: int = -1) -> Where:
        """The place of a row, or of a cell in it (``column`` from 0)."""
        return Where(self.file, row, column + 1)

    def fill_down(self, columns: set[int], below: int) -> None:
        """Give each row of an area that is joined downwards the value at its top, in these columns under a row."""
        values = {row.number: row for row in self.rows}
        filled: dict[int, dict[int, Cell]] = {}
        for first, left, last, right in self.merged:
            if left == right and left in columns and first > below and first in values:
                for number in range(first + 1, min(last, first + MAX_ROWS) + 1):
                    filled.setdefault(number, {})[left] = values[first].at(left)
        self.rows = [_with(row, filled[row.number]) if row.number in filled else row for row in self.rows]


def _with(row: Row, cells: dict[int, Cell]) -> Row:
    width = max(len(row.cells), *(column + 1 for column in cells))
    return Row(row.number, tuple(cells.get(column, row.at(column)) for column in range(width)))


def letters(column: int) -> str:
    """The column's name in a spreadsheet: 0 is A, 26 is AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def refuse(where: Where, code: str, vi: str, en: str) -> InventoryError:
    """One reason why the file can't be used at all."""
    return InventoryError([Problem(where, code, vi, en)])


def read_sheets(file: str, content: bytes) -> list[Sheet]:
    """The tables of a file, those that the spreadsheet hides left out. Of a CSV that is one.

    ``file`` is what messages call it. Raises InventoryError for what is no table that can be read.
    """
    from edumail.people import csvsheet, xlsxsheet

    if len(content) > MAX_BYTES:
        size, most = len(content) // 2**20, MAX_BYTES // 2**20
        raise refuse(
            Where(file),
            "sheet-size",
            f"tệp {size} MiB, tối đa {most} MiB; bỏ hình ảnh và trang tính thừa rồi lưu lại",
            f"the file has {size} MiB, at most {most} MiB are read; take out pictures and other sheets and save again",
        )
    if not content.strip(b"\0 \t\r\n"):
        raise refuse(Where(file), "sheet-empty", "tệp trống", "the file is empty")
    for kind in _foreign(content):
        vi, en = kind
        raise refuse(Where(file), "sheet-kind", vi, en)
    if content.startswith(b"PK"):
        return xlsxsheet.read(file, content)
    return csvsheet.read(file, content)


_SAVE_VI = "mở bằng Excel hoặc LibreOffice, chọn Lưu thành (Save As) «Excel Workbook (.xlsx)» hoặc «CSV UTF-8»"
_SAVE_EN = "open it in Excel or LibreOffice and Save As 'Excel Workbook (.xlsx)' or 'CSV UTF-8'"


def _foreign(content: bytes) -> Iterator[tuple[str, str]]:
    """Kinds of file that are often sent and are not read, with what to do."""
    start = content[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in content:
            yield (
                "tệp có mật khẩu mở; trong Excel: Tệp, Thông tin, Bảo vệ sổ làm việc, xóa mật khẩu, rồi lưu lại",
                "the file has a password; in Excel: File, Info, Protect Workbook, take the password out, and save "
                "again",
            )
        yield f"đây là tệp .xls đời cũ; {_SAVE_VI}", f"this is an old .xls file; {_SAVE_EN}"
    elif content.startswith(b"%PDF"):
        yield (
            "đây là tệp PDF; xin bảng tính gốc (.xlsx hoặc CSV)",
            "this is a PDF; ask for the spreadsheet that it was made from (.xlsx or CSV)",
        )
    elif content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        yield (
            "đây là hình chụp; xin bảng tính gốc (.xlsx hoặc CSV)",
            "this is a picture; ask for the spreadsheet itself",
        )
    elif start.startswith((b"<html", b"<!doctype html", b"<table", b"<head", b"<meta", b"<?xml", b"{\\rtf")):
        yield f"đây là trang web hay văn bản, dù đuôi là gì; {_SAVE_VI}", f"this is a page or a text; {_SAVE_EN}"
