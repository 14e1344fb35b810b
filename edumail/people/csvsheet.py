"""CSV as spreadsheets save it: UTF-8 or UTF-16, separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io

from edumail.people.headers import find_header
from edumail.people.names import visible
from edumail.people.sheet import MAX_COLUMNS, MAX_ROWS, Cell, Row, Sheet, refuse
from edumail.problems import InventoryError, Where

_DELIMITERS = ",;\t"
_LONGEST_CELL = 32_767
"""Characters; the limit of Excel."""


def read(file: str, content: bytes) -> list[Sheet]:
    """The one table of a CSV. Raises InventoryError."""
    text = visible(_text(file, content))
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise refuse(
            Where(file, line),
            "sheet-csv",
            "có ký tự NUL; tệp không phải CSV, lưu lại từ bảng tính",
            "holds a NUL character; this is no CSV, save it again from the spreadsheet",
        )
    first, _, rest = text.partition("\n")
    named = first.strip().strip('"').lower()
    if named.startswith("sep=") and len(named) == 5 and named[4] in _DELIMITERS:  # Excel's own hint; it is no row
        return [_parse(file, rest, named[4], 1)]
    sheets: list[Sheet] = []
    failure: InventoryError | None = None
    for delimiter in _DELIMITERS:
        try:
            sheets.append(_parse(file, text, delimiter, 0))
        except InventoryError as error:
            failure = failure or error

    def understood(sheet: Sheet) -> tuple[int, int]:
        header = find_header(sheet)
        return len(header.fields) if header else 0, max((len(row.filled) for row in sheet.rows[:30]), default=0)

    best = max(sheets, key=understood, default=None)
    # By a separator that the file does not have any line can be read, as one cell.
    if best is None or (failure is not None and find_header(best) is None):
        assert failure is not None
        raise failure
    return [best]


def _parse(file: str, text: str, delimiter: str, before: int) -> Sheet:
    """Rows are numbered as a spreadsheet shows them; ``before`` lines of the file stood above ``text``."""
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    ended = 0
    try:
        for number, cells in enumerate(reader, start=1):
            ended = reader.line_num
            row = Row(number, tuple(map(Cell, cells[:MAX_COLUMNS])))
            if row.filled:
                rows.append(row)
            if len(rows) > MAX_ROWS:
                raise too_many(file)
    except csv.Error as error:
        raise refuse(
            Where(file, ended + 1 + before),
            "sheet-csv",
            f"không đọc được từ dòng này ({error}); xem lại dấu ngoặc kép, hoặc lưu lại từ bảng tính",
            f"can't be read from this line on ({error}); look at the quotes, or save it again from the spreadsheet",
        ) from None
    return Sheet(file, None, rows)


def too_many(file: str) -> InventoryError:
    """A table longer than any unit's roster."""
    return refuse(
        Where(file, MAX_ROWS),
        "sheet-rows",
        f"hơn {MAX_ROWS} dòng có chữ; một đơn vị không có chừng ấy người, xem lại tệp",
        f"more than {MAX_ROWS} rows; no unit has so many people, look at the file again",
    )


def _text(file: str, content: bytes) -> str:
    # The mark of UTF-8 is a character that nobody sees, and goes with those.
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return _decode(file, content[len(mark) :], name)
    head = content[:4000]
    for name, odd in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if odd and odd.count(0) > len(odd) // 3:  # every ASCII character has a zero byte beside it
            return _decode(file, content, name)
    return _decode(file, content, "utf-8")


def _decode(file: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(
            Where(file, line),
            "sheet-encoding",
            "chữ không phải Unicode (có lẽ là TCVN3, VNI hay windows-1258): mở trong bảng tính, đổi phông chữ cũ sang "
            "Unicode nếu có (UniKey: Ctrl+Shift+F6), rồi Lưu thành «CSV UTF-8» hoặc .xlsx",
            "the text is not Unicode (perhaps TCVN3, VNI or windows-1258): open it in the spreadsheet, convert old "
            "fonts to Unicode if there are any (UniKey: Ctrl+Shift+F6), and Save As 'CSV UTF-8' or .xlsx",
        ) from None
