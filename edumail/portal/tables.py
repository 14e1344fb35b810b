"""CSV tables of a unit's content, as spreadsheets save them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edumail.portal.model import Centre, Diploma, Ranked, Result, YearOfStatistics
from edumail.problems import Problem, Where
from edumail.text import fold, nfc
from edumail.validation import explain

M = TypeVar("M", bound=BaseModel)

# Folded header → field. Either the field's own name or the Vietnamese words.
_STATISTICS = {
    "year": "year",
    "nam": "year",
    "schools": "schools",
    "truong": "schools",
    "classes": "classes",
    "lop": "classes",
    "teachers": "teachers",
    "giao vien": "teachers",
    "pupils": "pupils",
    "hoc sinh": "pupils",
    "facilities": "facilities",
    "phong hoc": "facilities",
}
_DIPLOMAS = {
    "number": "number",
    "so hieu": "number",
    "kind": "kind",
    "loai": "kind",
    "issued": "issued",
    "ngay cap": "issued",
    "register": "register",
    "so vao so": "register",
}
_CENTRES = {
    "name": "name",
    "ten": "name",
    "address": "address",
    "dia chi": "address",
    "phone": "phone",
    "dien thoai": "phone",
    "licence": "licence",
    "giay phep": "licence",
    "state": "state",
    "tinh trang": "state",
}
_RANKING = {
    "unit": "unit",
    "don vi": "unit",
    "points": "points",
    "diem": "points",
    "out_of": "out_of",
    "toi da": "out_of",
    "rank": "rank",
    "hang": "rank",
    "grade": "grade",
    "xep loai": "grade",
    "decision": "decision",
    "quyet dinh": "decision",
    "published": "published",
    "ngay cong bo": "published",
}
HEADERS: Mapping[type[BaseModel], tuple[Mapping[str, str], str]] = {
    YearOfStatistics: (_STATISTICS, "Năm,Trường,Lớp,Giáo viên,Học sinh,Phòng học"),
    Diploma: (_DIPLOMAS, "Số hiệu,Loại,Ngày cấp,Số vào sổ"),
    Centre: (_CENTRES, "Tên,Địa chỉ,Điện thoại,Giấy phép,Tình trạng"),
    Ranked: (_RANKING, "Đơn vị,Điểm,Tối đa,Hạng,Xếp loại,Quyết định,Ngày công bố"),
}
_CANDIDATE = ("candidate", "so bao danh", "sbd")
# Whoever has a candidate's number must not learn who it is (8.11; Law 91/2025 on personal data).
_PERSONAL = re.compile(
    r"\b(?:ho va ten|ho ten|ten|name|ngay sinh|birth|cccd|cmnd|can cuoc|dien thoai|phone|dia chi|address|email)\b"
)
_VIETNAMESE_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,11}")
_POINTS = re.compile(r"([0-9]+),([0-9]+)")
_NUMBERS = ("year", "schools", "classes", "teachers", "pupils", "facilities", "rank")
_LONGEST_MARK = 60


@dataclass
class Table:
    """Rows with the number of their line, and the mistakes."""

    file: str
    header: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, code: str, vi: str, en: str) -> None:
        self.problems.append(Problem(Where(self.file, line), code, vi, en))


def read_table(file: str, text: str) -> Table:
    """The cells of a file, separated by commas, or by semicolons if its first line has more of these."""
    table = Table(file)
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        table.header = [nfc(cell) for cell in next(rows, [])]
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(table.header):
                vi = f"dòng có {len(cells)} ô, tiêu đề có {len(table.header)}; ô có «{delimiter}» đặt trong ngoặc kép"
                en = f"the row has {len(cells)} cells, the header {len(table.header)}; quote a cell with '{delimiter}'"
                table.problem(rows.line_num, "csv-cells", vi, en)
                continue
            table.rows.append((rows.line_num, [nfc(cell) for cell in cells]))
    except csv.Error as error:
        vi = f"không đọc được dòng này ({error}); xem lại dấu ngoặc kép và lưu lại thành CSV UTF-8"
        en = f"this line can't be read ({error}); look at the quotes and save again as CSV UTF-8"
        table.problem(rows.line_num, "csv-syntax", vi, en)
    return table


def read_rows(kind: type[M], key: str, file: str, text: str) -> tuple[list[M], list[Problem]]:
    """A table with one ``kind`` a row, no two with the same ``key``."""
    table = read_table(file, text)
    words, header = HEADERS[kind]
    fields = [words.get(fold(cell), "") for cell in table.header]
    names = dict.fromkeys(words.values())
    if any(fields.count(name) != 1 for name in names) or "" in fields:
        written = ",".join(names)
        vi = f"dòng đầu phải là: {header} (hoặc {written}; ngăn bằng dấu phẩy hay chấm phẩy, lưu UTF-8)"
        en = f"the first line must read: {written} (or {header}; separated by commas or semicolons, in UTF-8)"
        return [], [Problem(Where(file, 1), "csv-header", vi, en)]
    found: dict[str, M] = {}
    first: dict[str, int] = {}
    days: dict[str, tuple[date, int]] = {}
    for line, cells in table.rows:
        row = {name: _value(name, cell) for name, cell in zip(fields, cells, strict=True) if cell}
        try:
            item = kind.model_validate(row)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                name = str(details["loc"][0]) if details["loc"] else ""
                written = table.header[fields.index(name)] if name in fields else name
                vi, en = explain(details, written, kind)
                if details["type"] == "missing":
                    vi, en = f"ô «{written}» còn trống; điền vào", f"cell '{written}' is empty; fill it in"
                table.problem(line, str(details["type"]).replace("_", "-"), vi, en)
            continue
        if (value := str(getattr(item, key))) in found:
            _twice(table, line, value, first[value], kind)
            continue
        found[value], first[value] = item, line
        if isinstance(item, Ranked):
            _one_day(table, line, item, days)
    return list(found.values()), table.problems


def read_results(file: str, text: str) -> tuple[tuple[Result, ...], list[Problem]]:
    """Marks by candidate number: the number, then a column a subject. An empty cell: not taken."""
    table = read_table(file, text)
    header = table.header
    if len(header) < 2 or fold(header[0]) not in _CANDIDATE or "" in header or len(set(header)) != len(header):
        vi = "dòng đầu phải là: Số báo danh, rồi tên từng môn, không trùng nhau (như Số báo danh,Toán,Ngữ văn)"
        en = "the first line must read: Số báo danh (or candidate), then each subject once (Số báo danh,Toán,Ngữ văn)"
        return (), [Problem(Where(file, 1), "csv-header", vi, en)]
    for name in header[1:]:
        if _PERSONAL.search(fold(name)):
            vi = f"cột «{name}» là dữ liệu cá nhân, không đưa lên cổng: chỉ tra theo số báo danh; xóa cột này"
            en = f"column '{name}' is personal data: results are looked up by number alone; delete the column"
            table.problem(1, "personal-data", vi, en)
    found: dict[str, Result] = {}
    first: dict[str, int] = {}
    for line, cells in table.rows:
        for name in _bad_marks(header, cells):
            vi = f"điểm «{name}» dài quá {_LONGEST_MARK} ký tự hoặc có ký tự ẩn; gõ lại"
            en = (
                f"the mark of '{name}' is longer than {_LONGEST_MARK} characters or holds invisible ones; type it again"
            )
            table.problem(line, "mark", vi, en)
        marks = {name: cell for name, cell in zip(header[1:], cells[1:], strict=True) if cell}
        try:
            result = Result(candidate=cells[0], marks=marks)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                vi, en = explain(details, header[0], Result)
                table.problem(line, str(details["type"]).replace("_", "-"), vi, en)
            continue
        if result.candidate in found:
            _twice(table, line, result.candidate, first[result.candidate], Result)
            continue
        found[result.candidate], first[result.candidate] = result, line
    return tuple(found.values()), table.problems


def _bad_marks(header: list[str], cells: list[str]) -> Iterator[str]:
    for name, cell in zip(header[1:], cells[1:], strict=True):
        if len(cell) > _LONGEST_MARK or not cell.isprintable():
            yield name


def _twice(table: Table, line: int, value: str, first: int, kind: type[BaseModel]) -> None:
    vi = f"«{value}» đã có ở dòng {first}; xóa một"
    en = f"'{value}' stands in line {first} already; delete one"
    if kind is Ranked:
        vi += ", hoặc ghi thêm nơi nếu hai đơn vị trùng tên, như «Trường Tiểu học Suối Mơ (xã Suối Mơ)»"
        en += ", or say where each is if two units share the name, as in 'Trường Tiểu học Suối Mơ (xã Suối Mơ)'"
    table.problem(line, "duplicate-row", vi, en)


def _one_day(table: Table, line: int, item: Ranked, days: dict[str, tuple[date, int]]) -> None:
    """A decision is published once."""
    day, first = days.setdefault(item.decision, (item.published, line))
    if day != item.published:
        vi = f"quyết định «{item.decision}» công bố ngày {day} ở dòng {first}, ở đây ngày {item.published}; sửa một"
        en = f"decision '{item.decision}' was published on {day} by line {first}, here on {item.published}; mend one"
        table.problem(line, "decision-day", vi, en)


def _value(name: str, cell: str) -> str | int:
    if name in _NUMBERS and _NUMBER.fullmatch(cell):
        return int(cell)
    if name in ("points", "out_of") and (points := _POINTS.fullmatch(cell)):
        return f"{points[1]}.{points[2]}"
    if name in ("issued", "published") and (day := _VIETNAMESE_DAY.fullmatch(cell)):
        return f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}"
    return cell
