"""Which rows of a spreadsheet are people: titles, headings, sums and signatures around them are left out, and named."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edumail.model import Post, Unit
from edumail.people.cells import Cells, Table, says
from edumail.people.headers import Field, Header, find_header, plain
from edumail.people.sections import match_section
from edumail.people.sheet import Cell, Row, Sheet, letters, refuse
from edumail.problems import Where
from edumail.text import nfc

_READ: tuple[Field, ...] = ("id", "section", "posts", "address", "born")
_BELOW = re.compile(
    r"(tổng (cộng|số)|cộng( \d+)?$|cộng:|danh sách (này )?(có|gồm)|người (lập|tổng hợp)|lập (biểu|bảng)|xác nhận"
    r"|(phó )?hiệu trưởng$|thủ trưởng|giám đốc$|trưởng phòng$|kt\.|tm\.|\(ký|ký (tên|và|, ghi)|\(đã ký|ghi chú|lưu ý:"
    r"|nơi nhận)"
)
"""How lines below a table begin, marks and all: Tống Công, Kỷ and An Đình are beginnings of names."""
_DATELINE = re.compile(r"ngày\W.{0,12}tháng\W.{0,8}năm\b")
_TITLES = re.compile(r"^(?:(?:thầy giáo|cô giáo|thầy|cô|ths|ts|cn)\s+|(?:ths|th\.s|ts|cn|pgs)\.\s*)+", re.IGNORECASE)
_HEADINGS = ("tổ ", "bộ phận ", "phòng ", "ban ", "khối ", "nhóm ", "cán bộ quản lý", "nhân viên", "giáo viên")
_ROMAN = re.compile(r"[IVX]{1,5}\.?|[A-H]\.?")
_NUMBERING = re.compile(r"\(?(\d{1,2}|[A-Z])\)?")


def choose_sheet(file: str, sheets: list[Sheet], name: str | None) -> tuple[Sheet, Header]:
    """The sheet with the staff: the one called ``name``, or the only one with a header. Raises InventoryError."""
    names = ", ".join(f"«{sheet.name}»" for sheet in sheets)
    if name is not None:
        sheets = [sheet for sheet in sheets if sheet.name == name]
        if not sheets:
            raise refuse(
                Where(file),
                "unknown-sheet",
                f"không có trang tính «{name}»" + (f" (có: {names})" if names else ""),
                f"there is no sheet '{name}'" + (f" (there are: {names})" if names else ""),
            )
    found = [(sheet, header) for sheet in sheets if (header := find_header(sheet)) is not None]
    if not found:
        seen = next((row for sheet in sheets for row in sheet.rows), None)
        words = ", ".join(cell.text.strip() for cell in seen.cells if cell.filled)[:80] if seen else "–"
        raise refuse(
            Where(file, seen.number if seen else 0),
            "no-header",
            f"không thấy dòng tiêu đề có «Họ và tên» (dòng đầu: {words}); thêm một dòng như: "
            "Mã, Họ và tên, Tổ, Chức vụ",
            f"there is no header row with 'Họ và tên' (the first row: {words}); add one such as: "
            "Mã, Họ và tên, Tổ, Chức vụ",
        )
    if len(found) > 1:
        several = ", ".join(f"«{sheet.name}»" for sheet, _ in found)
        raise refuse(
            Where(file),
            "several-sheets",
            f"các trang tính {several} đều có danh sách; chọn một bằng --sheet TÊN",
            f"the sheets {several} all have a list; choose one by --sheet NAME",
        )
    return found[0]


def read_table(sheet: Sheet, header: Header, unit: Unit, posts: dict[str, Post], domains: Iterable[str]) -> Table:
    """The people in ``sheet``. Never raises for bad input; ``domains`` are the province's mail domains."""
    return _Reader(sheet, header, unit, posts, frozenset(domains)).table()


class _Reader:
    def __init__(self, sheet: Sheet, header: Header, unit: Unit, posts: dict[str, Post], domains: frozenset[str]):
        self.sheet, self.header, self.unit = sheet, header, unit
        self.result = Table(sheet.file, fields=set(header.fields) & {"id", "section", "posts", "address"})
        columns = {header.fields[name] for name in ("section", "posts") if name in header.fields}
        sheet.fill_down(columns, header.row)
        self.names = self.name_columns()
        self.cells = Cells(sheet, header, self.names, unit, posts, domains, self.result)
        self.begun = False
        """Whether a person's row was seen."""
        self.ended = 0
        """The row below the table, where one was seen."""
        self.heading: str | None = None
        self.by_heading = False
        self.skipped: list[tuple[int, str]] = []

    def table(self) -> Table:
        for column, text in self.header.twice:
            self.cells.problem(
                self.header.row,
                column,
                "column-twice",
                f"có hai cột «{text}»; xóa hoặc đổi tên cột {letters(column)}",
                f"there are two columns '{text}'; delete or rename column {letters(column)}",
            )
        for row in self.sheet.rows:
            if row.number > self.header.row:
                self.row(row)
        self.remarks()
        self.cells.remarks()
        if not self.result.entries and not self.result.problems:
            self.cells.problem(
                self.header.row, -1, "no-people", "dưới dòng tiêu đề không có ai", "nobody stands below the header"
            )
        if self.by_heading:
            self.result.fields.add("section")
        return self.result

    def name_columns(self) -> list[int]:
        """A title over two columns, family names in one and given names in the next, is one cell and an empty one."""
        fields = self.header.fields
        if "name" not in fields:
            return [fields["family"], fields["given"]]
        columns = [fields["name"]]
        titled = {*fields.values(), *(column for column, _ in (*self.header.ignored, *self.header.twice))}
        below = [row for row in self.sheet.rows if row.number > self.header.row]
        following = columns[0] + 1
        beside = [row for row in below if nfc(row.at(following).text).isalpha() and row.at(columns[0]).filled]
        if following not in titled and len(beside) * 2 > len(below):
            columns.append(following)
        return columns

    def row(self, row: Row) -> None:
        name = _TITLES.sub("", nfc(" ".join(row.at(column).text for column in self.names)))
        named = any(row.at(column).filled for column in self.names)
        others = [name for name in _READ if says(self.cells.cell(row, name))]
        number = self.cells.cell(row, "number")
        if self.ends(row, name, number):
            self.ended = self.ended or row.number
            return self.skip(row)
        if (not self.begun and self.numbers(row)) or self.is_header(name):
            return None
        if not named:
            return self.nameless(row, number, others)
        if self.ended and not self.belongs(row, number, others):
            return self.skip(row)
        self.begun = True
        if not others and self.is_heading(name, number):
            section = match_section(self.unit, re.sub(r"^[IVXA-H]+[.)]\s*", "", name))
            self.heading = section.id if section else None
            self.by_heading = self.by_heading or (section is not None and "section" not in self.header.fields)
            return self.skip(row)
        return self.cells.person(row, name, self.heading)

    def nameless(self, row: Row, number: Cell, others: list[Field]) -> None:
        if not {"id", "posts", "address"}.isdisjoint(others) and not self.ended:
            second = not self.begun and not number.filled and "id" not in others
            if second and row.number <= self.header.row + 2:
                return  # of a header of two rows
            column = self.names[0]
            self.cells.problem(
                row.number,
                column,
                "no-name",
                f"dòng có dữ liệu nhưng ô {letters(column)}{row.number} không có tên; ghi tên hoặc xóa cả dòng",
                f"the row says something, but cell {letters(column)}{row.number} has no name; write it or delete the "
                "row",
            )
        elif self.begun and not number.filled:
            self.skip(row)

    def ends(self, row: Row, name: str, number: Cell) -> bool:
        """Whether the row is the first below the table. A number in front of a name makes it a person's."""
        if not self.begun or number.text.strip().isdecimal():
            return False
        if name:
            texts = [name]
        else:
            born = self.header.fields.get("born")
            texts = [nfc(row.at(column).text) for column in row.filled if column != born]
        texts = [text.casefold().lstrip("*-– .") for text in texts]
        return any(_DATELINE.search(text) for text in texts) or any(map(_BELOW.match, texts[:1]))

    def belongs(self, row: Row, number: Cell, others: list[Field]) -> bool:
        """Below the end only what has a number, an id or an address is a person's row: signatures are names too."""
        if "number" in self.header.fields:
            return number.formula or number.text.strip().isdecimal()
        if "id" in others or "address" in others:
            return True
        if "posts" in others and not self.cells.words.read(self.cells.cell(row, "posts").text)[1]:
            column = self.names[0]
            self.cells.problem(
                row.number,
                column,
                "below-the-table",
                f"dòng nằm dưới chỗ kết thúc bảng (dòng {self.ended}) nhưng giống một người; chuyển lên trong bảng, "
                "hoặc xóa",
                f"the row stands below the end of the table (row {self.ended}) and looks like a person; move it up "
                "into the table, or delete it",
            )
        return False

    @staticmethod
    def is_header(name: str) -> bool:
        """The header again, as printed lists have it on each page."""
        return plain(name) in ("ho va ten", "ho ten", "ho dem ten", "ho va ten dem ten")

    @staticmethod
    def numbers(row: Row) -> bool:
        """A row with the numbers of the columns, (1) (2) (3), as official forms have it."""
        texts = [row.at(column).text.strip() for column in row.filled]
        return len(texts) > 1 and all(_NUMBERING.fullmatch(text) for text in texts)

    @staticmethod
    def is_heading(name: str, number: Cell) -> bool:
        lowered = re.sub(r"^[ivxa-h0-9]+[.)]\s*", "", name.casefold())
        written = number.text.strip()
        return (lowered.startswith(_HEADINGS) and not written.isdecimal()) or bool(_ROMAN.fullmatch(written))

    def skip(self, row: Row) -> None:
        text = " ".join(row.at(column).text.strip() for column in row.filled if row.at(column).text.strip())
        self.skipped.append((row.number, nfc(text)[:40]))

    def remarks(self) -> None:
        first = self.header.row
        if self.header.ignored:
            vi = ", ".join(f"«{text}»" for _, text in self.header.ignored)
            en = ", ".join(f"'{text}'" for _, text in self.header.ignored)
            self.cells.note(first, "columns-ignored", f"không đọc các cột {vi}", f"not read are the columns {en}")
        if "posts" not in self.header.fields:
            self.cells.note(
                first,
                "no-column",
                "không có cột «Chức vụ»: ai đã có chức vụ thì giữ nguyên, người mới không có chức vụ",
                "there is no column 'Chức vụ': posts stay as they are, and somebody new has none",
            )
        if "section" not in self.header.fields and not self.by_heading and self.unit.sections:
            self.cells.note(
                first,
                "no-column",
                "không có cột «Tổ»: ai đã ở tổ nào thì giữ nguyên, người mới không thuộc tổ nào",
                "there is no column 'Tổ': sections stay as they are, and somebody new is in none",
            )
        for number, text in self.skipped[:20]:
            self.cells.note(number, "row-skipped", f"bỏ qua dòng «{text}»", f"passed over the row '{text}'")
        if len(self.skipped) > 20:
            more = len(self.skipped) - 20
            self.cells.note(self.skipped[20][0], "row-skipped", f"và {more} dòng nữa", f"and {more} rows more")
