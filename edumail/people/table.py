"""The rows of a spreadsheet that are people, as clean values; titles, sums and signatures around them are left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from edumail.fields import ADDRESS_PATTERN, ID_PATTERN
from edumail.model import Post, Unit
from edumail.people.headers import Field, Header, find_header, plain
from edumail.people.names import foreign_letters, in_one_case, is_old_font, title_case
from edumail.people.posts import PostWords
from edumail.people.sections import match_section
from edumail.people.sheet import EMPTY, Cell, Row, Sheet, letters, refuse
from edumail.problems import Problem, Where
from edumail.text import fold, nfc

_READ: tuple[Field, ...] = ("id", "section", "posts", "address", "born")
_LONGEST_NAME = 200
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
_EXPONENT = re.compile(r"\d+([.,]\d+)?E\+?\d+", re.IGNORECASE)
_NOTHING = frozenset({"", "-", "–", "—", "_", "/", "x", "khong", "khong co", "0", "n/a", "…", "..."})


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
        self.sheet, self.header, self.unit, self.domains = sheet, header, unit, domains
        self.words = PostWords(posts)
        self.result = Table(sheet.file, fields=set(header.fields) & {"id", "section", "posts", "address"})
        self.begun = False
        """Whether a person's row was seen."""
        self.ended = 0
        """The row below the table, where one was seen."""
        self.heading: str | None = None
        self.by_heading = False
        self.skipped: list[tuple[int, str]] = []
        self.outside: list[int] = []
        self.recased: list[int] = []
        self.guessed: dict[tuple[str, str], list[int]] = {}

    def table(self) -> Table:
        columns = {self.header.fields[name] for name in ("section", "posts") if name in self.header.fields}
        self.sheet.fill_down(columns, self.header.row)
        self.names = self.name_columns()
        for column, text in self.header.twice:
            self.problem(
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
        if not self.result.entries and not self.result.problems:
            self.problem(
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
        beside = [row for row in below if row.at(following).text.strip().isalpha() and row.at(columns[0]).filled]
        if following not in titled and len(beside) * 2 > len(below):
            columns.append(following)
        return columns

    def problem(self, row: int, column: int, code: str, vi: str, en: str) -> None:
        self.result.problems.append(Problem(self.sheet.where(row, column), code, vi, en))

    def note(self, row: int, code: str, vi: str, en: str) -> None:
        self.result.notes.append(Problem(self.sheet.where(row), code, vi, en))

    def cell(self, row: Row, name: Field) -> Cell:
        column = self.header.fields.get(name)
        return EMPTY if column is None else row.at(column)

    def row(self, row: Row) -> None:
        name = _TITLES.sub("", nfc(" ".join(row.at(column).text for column in self.names)))
        named = any(row.at(column).filled for column in self.names)
        others = [name for name in _READ if self.says(self.cell(row, name))]
        number = self.cell(row, "number")
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
        return self.person(row, name)

    def nameless(self, row: Row, number: Cell, others: list[Field]) -> None:
        if not {"id", "posts", "address"}.isdisjoint(others) and not self.ended:
            second = not self.begun and not number.filled and "id" not in others
            if second and row.number <= self.header.row + 2:
                return  # of a header of two rows
            column = self.names[0]
            self.problem(
                row.number,
                column,
                "no-name",
                f"dòng có dữ liệu nhưng ô {letters(column)}{row.number} không có tên; ghi tên hoặc xóa cả dòng",
                f"the row says something, but cell {letters(column)}{row.number} has no name; write it or delete the "
                "row",
            )
        elif self.begun and not number.filled:
            self.skip(row)

    @staticmethod
    def says(cell: Cell) -> bool:
        return cell.formula or cell.error or fold(cell.text) not in _NOTHING

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
        if "posts" in others and not self.words.read(self.cell(row, "posts").text)[1]:
            column = self.names[0]
            self.problem(
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

    # One person

    def person(self, row: Row, name: str) -> None:
        before = len(self.result.problems)
        for column in (
            *self.names,
            *(self.header.fields[f] for f in ("id", "section", "posts", "address") if f in self.header.fields),
        ):
            self.plain_cell(row, column)
        if len(self.result.problems) > before:
            return
        found = self.name(row, name)
        entry = Entry(
            row.number,
            self.id(row),
            found,
            in_one_case(name),
            self.section(row),
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
        if not self.says(cell) and text != "0":
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

    def section(self, row: Row) -> str | None:
        if "section" not in self.header.fields:
            return self.heading
        cell = self.cell(row, "section")
        text = nfc(cell.text).lstrip("-+ ")
        if not self.says(cell):
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
        if not self.says(cell):
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
        first = self.header.row
        if self.header.ignored:
            vi = ", ".join(f"«{text}»" for _, text in self.header.ignored)
            en = ", ".join(f"'{text}'" for _, text in self.header.ignored)
            self.note(first, "columns-ignored", f"không đọc các cột {vi}", f"not read are the columns {en}")
        if "posts" not in self.header.fields:
            self.note(
                first,
                "no-column",
                "không có cột «Chức vụ»: ai đã có chức vụ thì giữ nguyên, người mới không có chức vụ",
                "there is no column 'Chức vụ': posts stay as they are, and somebody new has none",
            )
        if "section" not in self.header.fields and not self.by_heading and self.unit.sections:
            self.note(
                first,
                "no-column",
                "không có cột «Tổ»: ai đã ở tổ nào thì giữ nguyên, người mới không thuộc tổ nào",
                "there is no column 'Tổ': sections stay as they are, and somebody new is in none",
            )
        for number, text in self.skipped[:20]:
            self.note(number, "row-skipped", f"bỏ qua dòng «{text}»", f"passed over the row '{text}'")
        if len(self.skipped) > 20:
            more = len(self.skipped) - 20
            self.note(self.skipped[20][0], "row-skipped", f"và {more} dòng nữa", f"and {more} rows more")
        if self.recased:
            rows = _some(self.recased)
            self.note(
                self.recased[0],
                "name-recased",
                f"tên viết toàn chữ hoa hay chữ thường, viết lại Hoa Đầu Từ ở dòng {rows}",
                f"names in one case, now with a Capital for Each Word, in rows {rows}",
            )
        for (word, post), numbers in self.guessed.items():
            rows = _some(numbers)
            self.note(
                numbers[0],
                "post-guessed",
                f"«{word}» được hiểu là {post}, ở dòng {rows}",
                f"'{word}' is taken for {post}, in rows {rows}",
            )
        if self.outside:
            rows = _some(self.outside)
            self.note(
                self.outside[0],
                "address-outside",
                f"địa chỉ thư ngoài tỉnh không được đọc, ở dòng {rows}",
                f"addresses outside the province are not read, in rows {rows}",
            )


def _some(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:10])) + (f" (+{len(rows) - 10})" if len(rows) > 10 else "")


def _days() -> Iterator[re.Pattern[str]]:
    yield re.compile(r"(?P<d>\d{1,2})[/.\- ](?P<m>\d{1,2})[/.\- ](?P<y>\d{4})")
    yield re.compile(r"(?P<y>\d{4})[/.\-](?P<m>\d{1,2})[/.\-](?P<d>\d{1,2})(?: 00:00:00)?")


_DAYS = tuple(_days())


def _day(text: str) -> str:
    """A date of birth, however it is written, in one form; it only tells two people of one name apart."""
    for pattern in _DAYS:
        if match := pattern.fullmatch(text):
            return f"{int(match['y']):04}-{int(match['m']):02}-{int(match['d']):02}"
    return plain(text)
