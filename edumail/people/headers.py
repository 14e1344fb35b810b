"""Which column of a school's spreadsheet means what, whatever it is called there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from edumail.people.sheet import Row, Sheet
from edumail.text import fold

Field = Literal["number", "id", "name", "family", "given", "section", "posts", "address", "born"]

# By field the words for it, the one that counts first if a table has several.
_WORDS: dict[Field, str] = {
    "number": "stt; so tt; tt; so thu tu; thu tu; no",
    "id": "ma; ma cb; ma can bo; ma gv; ma giao vien; ma nv; ma nhan vien; ma cbgv; ma cbgvnv; ma cb gv nv; ma cb gv; "
    "ma cbnv; ma vien chuc; ma cong chuc; ma cbccvc; ma ccvc; ma so; ma so can bo; ma dinh danh; ma dinh danh nganh; "
    "ma dinh danh bo gddt; ma dinh danh bo gd dt; ma dinh danh can bo; ma nhan su; ma ns; so hieu; so hieu vien chuc; "
    "so hieu cong chuc; id; staff id",
    "name": "ho va ten; ho ten; ho va ten can bo; ho ten can bo; ho va ten giao vien; ho ten giao vien; ho va ten gv; "
    "ho va ten cb gv nv; ho va ten cbgvnv; ho va ten cbgv; ho ten gv; ho va ten nhan vien; ho va ten khai sinh; "
    "ho ten day du; ho va ten day du; ho chu dem va ten; ho dem va ten; ho va ten nguoi; full name; name",
    "family": "ho dem; ho va dem; ho va ten dem; ho ten dem; ho lot; ho va ten lot; ho chu dem; ho va chu dem; ho; "
    "ho va chu lot; ho chu lot",
    "given": "ten",
    "section": "to; to chuyen mon; to cm; to bo phan; to chuyen mon bo phan; to phong; to bo mon; to khoi; "
    "to cong tac; to phong ban; bo phan; bo phan cong tac; phong ban; phong; phong bo phan; khoi; section",
    "posts": "chuc vu; chuc vu cong tac; chuc vu chuc danh; chuc danh chuc vu; chuc vu hien nay; chuc vu dam nhiem; "
    "nhiem vu; nhiem vu duoc giao; nhiem vu phan cong; phan cong nhiem vu; chuc danh; vi tri viec lam; vi tri; "
    "vi tri cong tac; cong viec; cong viec dam nhiem; post; posts",
    "address": "dia chi thu; dia chi thu dien tu; thu cong vu; email cong vu; e mail cong vu; dia chi email cong vu; "
    "hop thu cong vu; thu dien tu cong vu; email don vi; thu dien tu; hop thu; hop thu dien tu; dia chi email; "
    "dia chi e mail; email; e mail; mail; gmail",
    "born": "ngay sinh; ngay thang nam sinh; ngay thang sinh; nam sinh; sinh ngay; sinh nam; ngay sinh nam sinh",
}
_MEANINGS: dict[str, tuple[Field, int]] = {
    word.strip(): (field, rank) for field, words in _WORDS.items() for rank, word in enumerate(words.split(";"))
}
_LOOKED_AT = 40
"""Rows within which the header is looked for: letterheads of two columns and titles stand above it."""


@dataclass
class Header:
    """The header of a table: its row, and the column of each field, from 0."""

    row: int
    fields: dict[Field, int]
    ignored: list[tuple[int, str]] = field(default_factory=list)
    """Columns that are not read, with what they are called."""
    twice: list[tuple[int, str]] = field(default_factory=list)
    """Columns with the very name of another that is read: nobody can say which is meant."""

    @property
    def complete(self) -> bool:
        """Whether the table tells people's names."""
        return "name" in self.fields or {"family", "given"} <= set(self.fields)


@lru_cache(4096)  # a roster says the same few posts and sections on every row
def plain(text: str) -> str:
    """A title for comparison: folded, without signs and without what stands in brackets."""
    without = re.sub(r"[(\[{].*?[)\]}]", " ", fold(text))
    return " ".join("".join(c if c.isalnum() else " " for c in without).split())


def find_header(sheet: Sheet) -> Header | None:
    """The first row that reads like a header, or None."""
    for index, row in enumerate(sheet.rows[:_LOOKED_AT], start=1):
        header = _header(row)
        if header is not None:
            for below in sheet.rows[index : index + 1]:
                if below.number == row.number + 1:
                    _second(header, below)
            return header
    return None


def _second(header: Header, below: Row) -> None:
    """Take in the second row of a header that has two: titles under a title over several columns. No person's row has
    only titles for what it says."""
    found = {column: _meaning(below.at(column).text) for column in below.filled}
    if any(meaning is None for column, meaning in found.items() if column in header.fields.values()):
        return
    known = {*header.fields, "family", "given"} if "name" in header.fields else {*header.fields}
    for column, meaning in found.items():
        if meaning is not None and meaning[0] not in known and column not in header.fields.values():
            header.fields[meaning[0]] = column
            header.ignored = [(other, text) for other, text in header.ignored if other != column]


def _meaning(title: str) -> tuple[Field, int] | None:
    """What a column is, and how far down the list of words its title stands; a title may join two words for one."""
    known = _MEANINGS.get(plain(title))
    if known is not None:
        return known
    parts = [_MEANINGS.get(plain(part)) for part in re.split(r"[,;/&+\n–-]|\bvà\b", title, flags=re.IGNORECASE)]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or len({field for field, _ in found}) != 1:
        return None
    return found[0][0], max(rank for _, rank in found) + len(_MEANINGS)


def _header(row: Row) -> Header | None:
    best: dict[Field, tuple[int, int]] = {}
    titles: dict[int, str] = {}
    for column in row.filled:
        text = " ".join(row.at(column).text.split())
        titles[column] = text
        meaning = _meaning(row.at(column).text)
        if meaning is not None:
            field, rank = meaning
            if field not in best or rank < best[field][1]:
                best[field] = (column, rank)
    fields = {field: column for field, (column, _) in best.items()}
    if "name" in fields:  # "Họ và tên" counts, whatever parts of it stand beside it
        fields.pop("family", None)
        fields.pop("given", None)
    header = Header(row.number, fields)
    if not header.complete or (len(fields) < 2 and len(titles) > 1):
        return None
    read = {column: plain(titles[column]) for column in fields.values()}
    for column, text in titles.items():
        if column not in read:
            (header.twice if plain(text) in read.values() else header.ignored).append((column, text))
    return header
