"""What the reader of ``content/`` says of sound and of spoilt content."""

from __future__ import annotations

import contextlib
import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edumail.model import Left, Person, Province
from edumail.portal.load import Contents
from edumail.portal.model import Ranked, Result
from edumail.portal.prose import prose
from edumail.portal.reader import Reader
from edumail.problems import Problem
from tests.core.conftest import LAB

UNIT = "thcs-suoi-mo"
OWN = f"content/{UNIT}/"
NEWS = "news/khai-giang-nam-hoc-2026-2027.md"
HEAD = "---\ntitle: Tin\ndate: 2026-09-05\nauthor: Đào Duy Khánh\nsource: Trường\nsummary: Tóm tắt.\n---\n"


RANKED = "Đơn vị,Điểm,Tối đa,Hạng,Xếp loại,Quyết định,Ngày công bố\n"


class Spoilt:
    """A copy of one unit's content to spoil."""

    def __init__(self, folder: Path, province: Province):
        self.folder, self.province = folder, province
        shutil.copytree(LAB / OWN, folder / OWN)

    def path(self, file: str) -> Path:
        return self.folder / (file if file.startswith("content/") else OWN + file)

    def write(self, file: str, content: str | bytes) -> None:
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def append(self, file: str, content: str) -> None:
        self.write(file, self.path(file).read_text(encoding="utf-8") + content)

    def replace(self, file: str, old: str, new: str) -> None:
        text = self.path(file).read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        self.write(file, text.replace(old, new, 1))

    def problems(self) -> list[Problem]:
        return Contents(self.folder, self.province).problems()


@pytest.fixture
def spoilt(tmp_path: Path, province: Province) -> Spoilt:
    return Spoilt(tmp_path, province)


@dataclass(frozen=True)
class Mistake:
    """``new`` for ``old`` in ``file`` (the whole file, without ``old``) makes ``code`` at ``line`` of ``at``."""

    code: str
    file: str
    new: str | bytes
    old: str = ""
    needle: str = ""
    """What stands in the line that the message names; none: the file as a whole, or any line."""
    at: str = ""


MISTAKES = {
    "unknown file": Mistake("unknown-file", "tin.txt", "x"),
    "unknown folder": Mistake("unknown-folder", "tin/a.md", "x", at="tin"),
    "unknown unit": Mistake("unknown-unit", "content/khong-co/portal.yml", "", at="content/khong-co"),
    "stray file": Mistake("unknown-file", "content/ghi-chu.txt", "x"),
    "wrong ending": Mistake("unknown-file", "news/tin.docx", "x"),
    "unknown key": Mistake("extra-forbidden", "portal.yml", "che_do: provided", "mode: provided", "che_do"),
    "bad date": Mistake("date", NEWS, "date: 2026-13-05", "date: 2026-09-05", "date:"),
    "duplicate slug": Mistake(
        "duplicate-entry", "consultations.yml", "slug: noi-quy-su-dung-dien-thoai", "slug: dong-phuc-mua-dong"
    ),
    "named file missing": Mistake("missing-file", "documents.yml", "file: khong-co.pdf",
                                  "file: quy-che-cong-thong-tin.pdf", "khong-co.pdf"),
    "unused file": Mistake("unused-file", "files/thua.pdf", b"%PDF-1.7\n"),
    "picture without text": Mistake("picture-without-text", "news/a.md", HEAD + "![](/files/san-truong.svg)\n",
                                    needle="![]("),
    "foreign picture": Mistake("foreign-picture", "news/a.md", HEAD + "![x](https://www.ngoai.test/a.png)\n",
                               needle="![x]"),
    "javascript": Mistake("unsafe-link", "news/a.md", HEAD + "\n[x](javascript:alert)\n", needle="javascript"),
    "relative link": Mistake("relative-link", "news/a.md", HEAD + "\n[x](trang.html)\n", needle="trang.html"),
    "control character": Mistake("control-character", "news/a.md", HEAD + "\na\u202eb\n", needle="a\u202eb"),
    "no head": Mistake("no-head", "news/a.md", "Chỉ có chữ\n", needle="Chỉ"),
    "empty article": Mistake("empty-article", "news/a.md", HEAD),
    "broken head": Mistake("yaml-syntax", "news/a.md", "---\ntitle: [\n---\nChữ\n"),
    "broken YAML": Mistake("yaml-syntax", "resources.yml", "- title: [\n"),
    "updated before posted": Mistake("day-order", "news/hoi-nghi-cha-me-hoc-sinh-2026.md", "updated: 2026-09-01",
                                     "updated: 2026-09-22", "updated"),
    "opened in a year to come": Mistake("year-to-come", "portal.yml", "opened: 2100\nresponsible: {person: cs-02}",
                                        "responsible: {person: cs-02}", "opened"),
    "nothing open in a year to come": Mistake("year-to-come", "portal.yml",
                                              "no_consultations: 2100-01-01\nresponsible: {person: cs-02}",
                                              "responsible: {person: cs-02}", "no_consultations"),
    "nobody": Mistake("unknown-person", "portal.yml", "person: cs-99", "person: cs-01", "cs-99"),
    "no such post": Mistake("unknown-post", "portal.yml", "post: khong_co", "person: cs-01", "khong_co"),
    "neither": Mistake("person-or-post", "portal.yml", "responsible: {}", "responsible: {person: cs-02}",
                       "responsible"),
    "both": Mistake("person-or-post", "portal.yml", "{person: cs-02, post: hieu_truong}", "{person: cs-02}",
                    "responsible"),
    "post twice": Mistake("duplicate-leader", "portal.yml",
                          "post: ke_toan\n    phone: 0299 3 300 333\n    duties: a\n"
                          "  - phone: 0299 3 300 333\n    duties: b\n    post: ke_toan",
                          "person: cs-02\n    phone: 0299 3 300 333\n    duties: Chuyên môn, phổ cập giáo dục, cơ sở "
                          "vật chất, cổng thông tin; thay hiệu trưởng khi được ủy quyền", "    post: ke_toan"),
    "nobody answers for it": Mistake("unknown-person", "portal.yml", "{person: cs-99}", "{person: cs-02}", "cs-99"),
    "leader twice": Mistake("duplicate-leader", "portal.yml", "person: cs-02\n    phone: 0299 3 300 332",
                            "person: cs-01\n    phone: 0299 3 300 332"),
    "colour": Mistake("contrast", "portal.yml", "#ffcc00", "#0b6b5d", "#ffcc00"),
    "emblem too big": Mistake("too-big", "files/phu-hieu.svg",
                              '<svg xmlns="http://www.w3.org/2000/svg"><path d="' + "M0 0" * 20_000 + '"/></svg>',
                              at="portal.yml"),
    "picture of an article without text": Mistake("picture-without-text", "news/a.md",
                                                  HEAD.replace("---\n", "---\nimage: san-truong.svg\n", 1) + "Chữ\n",
                                                  needle="image:"),
    "link in a text that could do harm": Mistake("unsafe-link", "portal.yml", "[bài giảng](javascript:alert);",
                                                 "Chương trình giáo dục phổ thông;", "javascript"),
    "marks outside their file": Mistake("extra-forbidden", "results.yml",
                                        "- {slug: thi, title: Thi, published: 2026-06-20,\n"
                                        "   results: [{candidate: A001, marks: {Toán: '8'}}]}\n"),
    "no marks": Mistake("missing-file", "results.yml", "- {slug: thi, title: Thi, published: 2026-06-20}\n",
                        needle="slug"),
    "not UTF-8": Mistake("encoding", "documents.yml", b"a: 1\n\xff\n"),
    "no list": Mistake("not-a-list", "documents.yml", "number: 1\n", needle="number"),
    "PDF is none": Mistake("file-content", "files/quy-che-cong-thong-tin.pdf", "<html>"),
    "file type": Mistake("file-type", "files/chay.exe", b"MZ"),
    "file name": Mistake("file-name", "files/Quy Che.pdf", b"%PDF-1.7\n"),
    "picture too big": Mistake("too-big", "files/to.png", b"\x89PNG\r\n\x1a\n" + bytes(2**21)),
    "text too big": Mistake("too-big", "news/a.md", HEAD + "chữ " * 2**18),
    "SVG with script": Mistake("svg-content", "files/san-truong.svg",
                               '<svg xmlns="http://www.w3.org/2000/svg">\n<script>1</script></svg>', needle="<script"),
    "report is no PDF": Mistake("wrong-file-type", "disclosure/2025-2026.yml", "annual_report: san-truong.svg",
                                "annual_report: bao-cao-thuong-nien-2025.pdf", "annual_report"),
    "school year": Mistake("school-year", "admissions.yml", "school_year: 2026-2028", "school_year: 2026-2027",
                           "2026-2028"),
    "candidate twice": Mistake("duplicate-candidate", "admissions.yml", "SM6001, SM6001,", "SM6001, SM6002,"),
    "candidate by name": Mistake("string-pattern-mismatch", "admissions.yml", "SM6001, NGUYENVANAN,", "SM6001, SM6002,",
                                 "NGUYENVANAN"),
    "mailbox": Mistake("unknown-mailbox", "consultations.yml", "email: khongai@suoimo.minhha.test",
                       "email: thcssuoimo@suoimo.minhha.test", "khongai"),
    "no Monday": Mistake("not-monday", "menus.yml", "- week_of: 2026-11-24\n  published: 2026-11-20\n  text: Cơm\n",
                         needle="week_of"),
    "resource nowhere": Mistake("resource-place", "resources.yml", "", "  file: ban-do-dia-hinh-suoi-mo.pdf\n",
                                "title"),
    "bad number": Mistake("int-type", "statistics.csv", "2022,1,bốn,7,119,9", "2022,1,4,7,119,9", "2022"),
    "year twice": Mistake("duplicate-row", "statistics.csv", "2021,1,4,7,119,9", "2022,1,4,7,119,9", "119"),
    "unknown column": Mistake("csv-header", "statistics.csv", "year,schools,classes,teachers,pupils,mau",
                              "year,schools,classes,teachers,pupils,facilities", "year"),
    "points that are none": Mistake("string-pattern-mismatch", "ranking.csv", f"{RANKED}A,chín,,1,Tốt,1/QĐ,1/9/2026\n",
                                    needle="chín"),
    "points that are no decimals": Mistake("string-pattern-mismatch", "ranking.csv",
                                           f"{RANKED}A,1e3,,1,Tốt,1/QĐ,1/9/2026\n", needle="1e3"),
    "more points than there are": Mistake("less-than-points", "ranking.csv", f"{RANKED}A,9.5,9,1,Tốt,1/QĐ,1/9/2026\n",
                                          needle="9.5"),
    "no rank": Mistake("missing", "ranking.csv", f"{RANKED}A,9,10,,Tốt,1/QĐ,1/9/2026\n", needle="A,"),
    "a rank of nought": Mistake("greater-than-equal", "ranking.csv", f"{RANKED}A,9,10,0,Tốt,1/QĐ,1/9/2026\n",
                                needle="A,"),
    "no day": Mistake("date", "ranking.csv", f"{RANKED}A,9,10,1,Tốt,1/QĐ,31/9/2026\n", needle="A,"),
    "ranked twice": Mistake("duplicate-row", "ranking.csv", f"{RANKED}A,9,,1,Tốt,1/QĐ,1/9/2026\nB,8,,2,Tốt,1/QĐ,"
                            "1/9/2026\nA,7,,3,Tốt,1/QĐ,1/9/2026\n", needle="A,7"),
    "a decision of two days": Mistake("decision-day", "ranking.csv", f"{RANKED}A,9,,1,Tốt,1/QĐ,1/9/2026\n"
                                      "B,8,,2,Tốt,1/QĐ,2/9/2026\n", needle="B,8"),
    "a ranking of other columns": Mistake("csv-header", "ranking.csv", "Đơn vị,Điểm,Hạng\nA,9,1\n", needle="Hạng"),
    "cells": Mistake("csv-cells", "statistics.csv", "2022,1,4,7,119", "2022,1,4,7,119,9", "2022"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes(spoilt: Spoilt, mistake: Mistake) -> None:
    if mistake.old:
        assert isinstance(mistake.new, str)
        spoilt.replace(mistake.file, mistake.old, mistake.new)
    else:
        spoilt.write(mistake.file, mistake.new)
    at = mistake.at or mistake.file
    at = at if at.startswith("content/") else OWN + at
    found = [problem for problem in spoilt.problems() if problem.code == mistake.code]
    here = [problem for problem in found if problem.where.file == at]
    assert here, f"nothing at {at}: {spoilt.problems()}"
    assert all(problem.code and problem.vi and problem.en and problem.vi != problem.en for problem in here)
    if mistake.needle:
        lines = (spoilt.folder / at).read_text(encoding="utf-8").split("\n")
        assert mistake.needle in lines[here[0].where.line - 1], here


RESULTS = "- {slug: thi, title: Kỳ thi, published: 2026-06-20}\n"


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [
        ("a b,8\n", "string-pattern-mismatch", 2),
        ("A001,8\nA001,9\n", "duplicate-row", 3),
        ("A001," + "9" * 61 + "\n", "mark", 2),
        ("A001\n", "csv-cells", 2),
    ],
)
def test_results(spoilt: Spoilt, rows: str, code: str, line: int) -> None:
    spoilt.write("results.yml", RESULTS)
    spoilt.write("results/thi.csv", "sbd,Toán\n" + rows)
    (problem,) = spoilt.problems()
    assert (problem.where.file, problem.where.line) == (f"{OWN}results/thi.csv", line)
    assert problem.code == code
    assert problem.vi != problem.en


@pytest.mark.parametrize(
    "text",
    [
        "unit,points,out_of,rank,grade,decision,published\nTrường A,87.5,,3,Tốt,1/QĐ,2026-09-01\n",
        "\ufeffNgày công bố;Quyết định;XẾP LOẠI;Hạng;Tối đa;Điểm;Đơn vị\r\n1/9/2026;1/QĐ;Tốt;3;;87,5;Trường A\r\n",
        f'{RANKED}Trường A,"87,5",,3,Tốt,1/QĐ,01/09/2026\n',
    ],
)
def test_a_ranking_as_spreadsheets_save_it(spoilt: Spoilt, text: str) -> None:
    spoilt.write("ranking.csv", text)
    assert spoilt.problems() == []
    day = date(2026, 9, 1)
    row = Ranked(unit="Trường A", points="87.5", rank=3, grade="Tốt", decision="1/QĐ", published=day)
    assert Contents(spoilt.folder, spoilt.province).of(UNIT).ranking == (row,)


def test_who_has_two_units_of_one_name_hears_how_to_tell_them_apart(spoilt: Spoilt) -> None:
    rows = "Trường A,9,,1,Tốt,1/QĐ,1/9/2026\n"
    spoilt.write("ranking.csv", RANKED + rows + rows)
    (problem,) = spoilt.problems()
    assert "say where each is" in problem.en
    spoilt.write("ranking.csv", RANKED + rows + rows.replace("Trường A", "Trường A (xã Suối Mơ)"))
    assert spoilt.problems() == []
    spoilt.write("ranking.csv", RANKED + rows + rows.replace("2026", "2025").replace("1/QĐ", "9/QĐ"))
    assert spoilt.problems() == [], "another year's decision may rank it too"


def test_names_of_candidates_are_personal_data(spoilt: Spoilt) -> None:
    spoilt.write("results.yml", RESULTS)
    spoilt.write("results/thi.csv", "sbd,Họ tên,Toán\nA000,Ai,7\n")
    assert [(problem.code, problem.where.line) for problem in spoilt.problems()] == [("personal-data", 1)]


@pytest.mark.parametrize(
    ("number", "good"),
    [("123", True), ("A12", True), ("AB1", True), ("ABC1D", True), ("1AB", True), ("A" * 19 + "1", True),
     ("12", False), ("A1", False), ("ABC", False), ("ABCDEFGHIJKLMNOPQRST", False), ("A" * 20 + "1", False),
     ("sm6001", False)],
)  # fmt: skip
def test_a_number_has_a_digit(number: str, good: bool) -> None:
    with contextlib.nullcontext() if good else pytest.raises(ValidationError):
        Result(candidate=number, marks={})


def test_sound_content(spoilt: Spoilt) -> None:
    assert spoilt.problems() == []


def test_an_empty_section_is_no_mistake(spoilt: Spoilt) -> None:
    for file in ("documents.yml", "consultations.yml", "statistics.csv", "procedures.yml", "portal.yml"):
        spoilt.path(file).unlink()
    shutil.rmtree(spoilt.path("files"))
    shutil.rmtree(spoilt.path("news"))
    shutil.rmtree(spoilt.path("disclosure"))
    spoilt.path("resources.yml").write_text("")
    assert spoilt.problems() == []
    assert Contents(spoilt.folder, spoilt.province).of(UNIT).documents == ()


def test_all_mistakes_of_a_file_at_once(spoilt: Spoilt) -> None:
    spoilt.replace("portal.yml", "#0b6b5d", "#ffcc00")
    spoilt.replace("portal.yml", "person: cs-01", "person: cs-99")
    assert {problem.code for problem in spoilt.problems()} == {"contrast", "unknown-person"}


def test_a_mistake_that_breaks_a_file_is_said_alone(spoilt: Spoilt) -> None:
    spoilt.write("news/a.md", "---\ntitle: [\n---\nChữ\n")
    spoilt.write("results/thi.csv", "sbd,Toán\nA001,8\n")
    spoilt.write("results.yml", "- {slug: [\n")
    assert [(problem.code, problem.where.file) for problem in spoilt.problems()] == [
        ("yaml-syntax", f"{OWN}news/a.md"),
        ("yaml-syntax", f"{OWN}results.yml"),
    ]


def test_results_that_no_entry_names_are_not_published_in_silence(spoilt: Spoilt) -> None:
    spoilt.write("results.yml", RESULTS)
    for name in ("thi", "thi-lai"):
        spoilt.write(f"results/{name}.csv", "sbd,Toán\nA001,8\n")
    (problem,) = spoilt.problems()
    assert (problem.code, problem.where.file) == ("unused-file", f"{OWN}results/thi-lai.csv")


def test_what_is_neither_file_nor_folder_is_not_read(spoilt: Spoilt) -> None:
    path = spoilt.path("news/a.md")
    path.symlink_to("/etc/passwd")
    (problem,) = spoilt.problems()
    assert (problem.code, problem.where.file) == ("not-a-file", f"{OWN}news/a.md")
    path.unlink()
    os.mkfifo(path)
    (problem,) = spoilt.problems()
    assert (problem.code, problem.where.file) == ("not-a-file", f"{OWN}news/a.md")


def test_text_becomes_nfc_and_html_stays_text(spoilt: Spoilt) -> None:
    words = "Trường Đặng Ữ <b>đậm</b>"
    spoilt.write("news/a.md", unicodedata.normalize("NFD", HEAD + words + "\n"))
    body = next(a.body for a in Contents(spoilt.folder, spoilt.province).of(UNIT).articles["news"] if a.slug == "a")
    assert body.strip() == words
    assert "&lt;b&gt;" in prose(body)
    assert "<b>" not in prose(body)


FILES = (NEWS, "portal.yml", "documents.yml", "statistics.csv", "results.yml", "results/thi.csv", "diplomas.csv",
         "ranking.csv", "disclosure/2025-2026.yml", "files/san-truong.svg", "menus.yml")  # fmt: skip


def _any_file() -> st.SearchStrategy[bytes]:
    return st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass"))


@settings(max_examples=60)
@given(file=st.sampled_from(FILES), content=_any_file())
def test_no_bytes_break_the_reader(province: Province, file: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        spoilt = Spoilt(Path(folder), province)
        spoilt.write(file, content)
        for problem in spoilt.problems():
            assert problem.vi
            assert problem.en
            assert problem.vi != problem.en


def test_what_was_sound_is_read_again_only_for_what_it_rests_on(
    spoilt: Spoilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People come and go in a province every day; 3,500 units are not read for that."""
    read: list[str] = []
    monkeypatch.setattr("edumail.portal.load.Reader", lambda *given: read.append(given[1]) or Reader(*given))
    known: dict[str, str] = {}

    def judged(gone: Callable[[Person], bool] = lambda person: False, without: str = "", left: str = "") -> list[str]:
        nonlocal known
        people = tuple(person for person in spoilt.province.people if not gone(person))
        units = {
            id: unit.model_copy(update={"mailboxes": tuple(box for box in unit.mailboxes if box.address != without)})
            for id, unit in spoilt.province.units.items()
        }
        registered = tuple(
            Left(id=one.id, unit=one.unit, name=one.name, address=one.address, since=date(2026, 9, 1))
            for one in spoilt.province.people
            if one.id == left
        )
        province = spoilt.province.model_copy(update={"people": people, "units": units, "left": registered})
        read.clear()
        problems, known = Contents(spoilt.folder, province).judge(known)
        return [problem.code for problem in problems]

    assert (judged(), read) == ([], [UNIT])
    assert (judged(), read) == ([], [])
    assert (judged(lambda person: person.unit != UNIT), read) == ([], [])
    assert (judged(without="thcssuoimo@suoimo.minhha.test"), read) == (["unknown-mailbox"] * 2, [UNIT])
    assert (judged(), read) == ([], [UNIT])
    gone = judged(lambda person: person.id == "cs-01", left="cs-01")
    assert (gone, read) == ([], [UNIT])  # who left may be named until somebody mends it
    assert (judged(lambda person: person.id == "cs-01", left="cs-01"), read) == ([], [])
    assert (judged(lambda person: person.id == "cs-01"), read) == (["unknown-person"], [UNIT])
    assert (judged(), read) == ([], [UNIT])
    spoilt.append("consultations.yml", "\n")
    assert (judged(), read) == ([], [UNIT])
