"""The cells of one person's row as clean values, each mistake at its cell."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from edumail.fields import ADDRESS_PATTERN, ID_PATTERN
from edumail.model import Post, Unit
from edumail.people.headers import Field, Header, plain
from edumail.people.names import foreign_letters, in_one_case, is_old_font, title_case
from edumail.people.posts import PostWords
from edumail.people.sections import match_section
from edumail.people.sheet import EMPTY, Cell, Row, Sheet, letters
from edumail.problems import Problem
from edumail.text import fold, nfc

_WRITTEN: tuple[Field, ...] = ("id", "section", "posts", "address")
"""Besides the name, what gets into the inventory."""
_LONGEST_NAME = 200
_EXPONENT = re.compile(r"\d+([.,]\d+)?E\+?\d+", re.IGNORECASE)
_NOTHING = frozenset({"", "-", "–", "—", "_", "/", "x", "khong", "khong co", "0", "n/a", "…", "..."})
_DAYS = (
    re.compile(r"(?P<d>\d{1,2})[/.\- ](?P<m>\d{1,2})[/.\- ](?P<y>\d{4})"),
    re.compile(r"(?P<y>\d{4})[/.\-](?P<m>\d{1,2})[/.\-](?P<d>\d{1,2})(?: 00:00:00)?"),
)


@dataclass(frozen=True)
class Entry:
    """A person as one row says it. ``section`` is the id of one of the unit's, ``posts`` are codes; both None where the
    table has no such column. ``id``, ``address`` and ``born`` are empty where the row says nothing."""

    row: int
    id: str
    name: str
    in_capitals: bool
    """The row has the name in one case; ``name`` is our guess at how it is written."""
    section: str | None
    posts: tuple[str, ...] | None
    address: str
    born: str


@dataclass
class Table:
    """What a sheet says about a unit's staff, what is wrong in it, and what whoever sent it should know."""

    file: str
    entries: list[Entry] = field(default_factory=list)
    fields: set[Field] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def says(cell: Cell) -> bool:
    """Whether a cell has anything to say: a dash has not."""
    return cell.formula or cell.error or fold(cell.text) not in _NOTHING


class Cells:
    """Reads the rows of people into ``result``. ``names`` are the columns with parts of the name."""

    def __init__(
        self,
        sheet: Sheet,
        header: Header,
        names: list[int],
        unit: Unit,
        posts: dict[str, Post],
        domains: frozenset[str],
        result: Table,
    ):
        self.sheet, self.header, self.names, self.unit, self.domains = sheet, header, names, unit, domains
        self.words = PostWords(posts)
        self.result = result
        self.outside: list[int] = []
        self.recased: list[int] = []
        self.guessed: dict[tuple[str, str], list[int]] = {}

    def problem(self, row: int, column: int, code: str, vi: str, en: str) -> None:
        self.result.problems.append(Problem(self.sheet.where(row, column), code, vi, en))

    def note(self, row: int, code: str, vi: str, en: str) -> None:
        self.result.notes.append(Problem(self.sheet.where(row), code, vi, en))

    def cell(self, row: Row, name: Field) -> Cell:
        """The cell of a field, empty where the table has no such column."""
        column = self.header.fields.get(name)
        return EMPTY if column is None else row.at(column)

    def person(self, row: Row, name: str, heading: str | None) -> None:
        """Read one; ``heading`` is the section that the table is in there, where it has no column for it."""
        before = len(self.result.problems)
        fields = self.header.fields
        for column in (*self.names, *(fields[name] for name in _WRITTEN if name in fields)):
            self.plain_cell(row, column)
        if len(self.result.problems) > before:
            return
        found = self.name(row, name)
        entry = Entry(
            row.number,
            self.id(row),
            found,
            in_one_case(name),
            self.section(row, heading),
            self.posts(row),
            self.address(row),
            _day(nfc(self.cell(row, "born").text)),
        )
        if len(self.result.problems) == before:
            if entry.in_capitals:
                self.recased.append(row.number)
            self.result.entries.append(entry)

    def plain_cell(self, row: Row, column: int) -> None:
        """Neither a formula nor what a spreadsheet would take for one: it is run where the file is opened next."""
        cell, where = row.at(column), f"{letters(column)}{row.number}"
        text = cell.text.strip()
        if cell.formula:
            self.problem(
                row.number,
                column,
                "sheet-formula",
                f"ô {where} là công thức; chép cột rồi dán lại «chỉ giá trị» (Paste Special, Values)",
                f"cell {where} is a formula; copy the column and paste it back as values (Paste Special, Values)",
            )
        elif cell.error:
            self.problem(
                row.number,
                column,
                "sheet-error",
                f"ô {where} báo lỗi {text}; ghi lại giá trị",
                f"cell {where} shows the error {text}; write the value",
            )
        elif (
            text
            and unicodedata.normalize("NFKC", text[0]) in "=+-@"
            and len(text) > 1
            and not self.bullet(column, text)
        ):
            self.problem(
                row.number,
                column,
                "sheet-formula",
                f"ô {where} bắt đầu bằng «{text[0]}», bảng tính sẽ hiểu là công thức; xóa ký tự đó",
                f"cell {where} begins with '{text[0]}', which spreadsheets take for a formula; delete that character",
            )
        elif any(unicodedata.category(c) == "Cc" and not c.isspace() for c in text):
            self.problem(
                row.number,
                column,
                "sheet-control",
                f"ô {where} có ký tự điều khiển; xóa rồi gõ lại",
                f"cell {where} holds a control character; delete it and type it again",
            )

    def bullet(self, column: int, text: str) -> bool:
        """A dash before a post or a section is a bullet, and does not get into the inventory."""
        fields = self.header.fields
        return text[0] in "-+" and text[1:2].isspace() and column in (fields.get("posts"), fields.get("section"))

    def name(self, row: Row, name: str) -> str:
        column = self.names[0]
        where = f"{letters(column)}{row.number}"
        strange = foreign_letters(name)
        if not any(c.isalpha() for c in name) or len(name) > _LONGEST_NAME:
            self.problem(
                row.number,
                column,
                "bad-name",
                f"ô {where} không phải tên người",
                f"cell {where} holds no person's name",
            )
        elif is_old_font(strange):
            self.problem(
                row.number,
                column,
                "old-font",
                f"ô {where} có «{strange}», không có trong chữ Việt Unicode: có lẽ là phông TCVN3 hay VNI. Đổi bảng mã "
                f"sang Unicode (UniKey: Ctrl+Shift+F6). Nếu tên đúng như vậy thì thêm người này vào people/"
                f"{self.unit.id}.csv bằng tay trước",
                f"cell {where} has '{strange}', which no Vietnamese name in Unicode has: perhaps a TCVN3 or VNI font. "
                f"Convert to Unicode (UniKey: Ctrl+Shift+F6). If the name is right, write the person into people/"
                f"{self.unit.id}.csv by hand first",
            )
        elif strange:
            self.problem(
                row.number,
                column,
                "bad-name",
                f"ô {where} có «{strange}», không có trong tên người; xóa, hoặc chuyển sang cột khác",
                f"cell {where} has '{strange}', which no name has; delete it, or move it to another column",
            )
        return title_case(name) if in_one_case(name) else name

    def id(self, row: Row) -> str:
        cell = self.cell(row, "id")
        text = nfc(cell.text).lstrip("'")
        if not says(cell) and text != "0":
            return ""
        column = self.header.fields["id"]
        if _EXPONENT.fullmatch(text):
            self.problem(
                row.number,
                column,
                "id-rounded",
                f"ô {letters(column)}{row.number}: bảng tính đã đổi mã thành «{text}»; định dạng cột là Văn bản (Text) "
                "rồi ghi lại mã",
                f"cell {letters(column)}{row.number}: the spreadsheet has turned the id into '{text}'; format the "
                "column as Text and write the id again",
            )
            return ""
        id = re.sub(r"[^0-9a-z]+", "-", fold(re.sub(r"\.0$", "", text))).strip("-")
        if not re.fullmatch(ID_PATTERN, id) or len(id) > 64:
            self.problem(
                row.number,
                column,
                "bad-id",
                f"ô {letters(column)}{row.number}: «{text[:60]}» không dùng làm mã được; mã gồm chữ không dấu, chữ số",
                f"cell {letters(column)}{row.number}: '{text[:60]}' can't be an id; ids have plain letters and digits",
            )
        return id

    def section(self, row: Row, heading: str | None) -> str | None:
        if "section" not in self.header.fields:
            return heading
        cell = self.cell(row, "section")
        text = nfc(cell.text).lstrip("-+ ")
        if not says(cell):
            return ""
        section = match_section(self.unit, text)
        if section is not None:
            return section.id
        column = self.header.fields["section"]
        known = ", ".join(f"{s.id} ({s.name})" for s in self.unit.sections) or "–"
        id = re.sub(r"[^0-9a-z]+", "-", fold(text)).strip("-") or "to"
        entry = f"- {{id: {id}, name: {text}, address: {id.replace('-', '')}.{self.mark()}@{self.unit.domain}}}"
        self.problem(
            row.number,
            column,
            "unknown-section",
            f"đơn vị «{self.unit.id}» không có tổ «{text}» (có: {known}); sửa ô {letters(column)}{row.number}, hoặc "
            f"thêm vào «sections» của đơn vị: {entry}",
            f"unit '{self.unit.id}' has no section '{text}' (there are: {known}); mend cell "
            f"{letters(column)}{row.number}, or add to the unit's 'sections': {entry}",
        )
        return None

    def mark(self) -> str:
        return self.unit.public_address.partition("@")[0]

    def posts(self, row: Row) -> tuple[str, ...] | None:
        if "posts" not in self.header.fields:
            return None
        cell = self.cell(row, "posts")
        if not says(cell):
            return ()
        codes, unknown = self.words.read(cell.text)
        for word, code in self.words.guessed(cell.text).items():
            self.guessed.setdefault((word, code), []).append(row.number)
        column = self.header.fields["posts"]
        for word in unknown:
            self.problem(
                row.number,
                column,
                "unknown-post",
                f"không có chức vụ «{word}»; ghi vào ô {letters(column)}{row.number} một trong: {self.words.known}",
                f"there is no post '{word}'; write into cell {letters(column)}{row.number} one of: {self.words.known}",
            )
        return codes

    def address(self, row: Row) -> str:
        """An address of the province; people's addresses elsewhere are none of our business."""
        found = [
            part.removeprefix("mailto:").strip(" <>.")
            for part in re.split(r"[;,\s]+", self.cell(row, "address").text.lower())
        ]
        found = [part for part in found if "@" in part]
        ours = [part for part in found if part.partition("@")[2] in self.domains]
        if not ours:
            if found:
                self.outside.append(row.number)
            return ""
        if not re.fullmatch(ADDRESS_PATTERN, ours[0]):
            column = self.header.fields["address"]
            self.problem(
                row.number,
                column,
                "bad-address",
                f"ô {letters(column)}{row.number}: «{ours[0]}» không phải địa chỉ thư; để trống để edumail đặt",
                f"cell {letters(column)}{row.number}: '{ours[0]}' is no mail address; leave it empty to be given one",
            )
        return ours[0]

    def remarks(self) -> None:
        """What was read otherwise than it is written."""
        if self.recased:
            rows = some(self.recased)
            self.note(
                self.recased[0],
                "name-recased",
                f"tên viết toàn chữ hoa hay chữ thường, viết lại Hoa Đầu Từ ở dòng {rows}",
                f"names in one case, now with a Capital for Each Word, in rows {rows}",
            )
        for (word, post), numbers in self.guessed.items():
            rows = some(numbers)
            self.note(
                numbers[0],
                "post-guessed",
                f"«{word}» được hiểu là {post}, ở dòng {rows}",
                f"'{word}' is taken for {post}, in rows {rows}",
            )
        if self.outside:
            rows = some(self.outside)
            self.note(
                self.outside[0],
                "address-outside",
                f"địa chỉ thư ngoài tỉnh không được đọc, ở dòng {rows}",
                f"addresses outside the province are not read, in rows {rows}",
            )


def some(rows: list[int]) -> str:
    """The first of them, and how many more."""
    return ", ".join(map(str, rows[:10])) + (f" (+{len(rows) - 10})" if len(rows) > 10 else "")


def _day(text: str) -> str:
    """A date of birth, however it is written, in one form; it only tells two people of one name apart."""
    for pattern in _DAYS:
        if match := pattern.fullmatch(text):
            return f"{int(match['y']):04}-{int(match['m']):02}-{int(match['d']):02}"
    return plain(text)
