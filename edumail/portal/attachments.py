"""Files that people download from a portal, and pictures: what they may be, and whether they are what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

from edumail.portal.model import FILE_NAME_PATTERN
from edumail.problems import Problem, Where

_MIB = 2**20
_OFFICE, _OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Nothing that a browser would run in the unit's name: no HTML, no XML but pictures, no program.
_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    **dict.fromkeys(("docx", "xlsx", "pptx", "odt", "ods", "odp", "epub", "zip"), (_OFFICE,)),
    **dict.fromkeys(("doc", "xls", "ppt"), (_OLD_OFFICE,)),
    "png": (b"\x89PNG\r\n\x1a\n",),
    **dict.fromkeys(("jpg", "jpeg"), (b"\xff\xd8\xff",)),
    "webp": (b"RIFF",),
    "svg": (b"",),
    "mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "mp4": (b"",),
}
TYPES = tuple(_BEGINNINGS)
PICTURES = ("svg", "png", "jpg", "jpeg", "webp")
EMBLEMS = ("svg", "png")

PICTURE_LIMIT = 2 * _MIB
"""A picture on a page costs everybody who opens the page on a phone."""
EMBLEM_LIMIT = 60_000
"""The emblem is on every page."""
FILE_LIMIT = 25 * _MIB
"""Whoever needs more puts it where films and archives belong, and links to it: a deploy uploads these files."""
_CLARK = "http://www.w3.org/2000/svg "
# fmt: off
_SHAPES = frozenset((
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc",
    "defs", "use", "symbol", "linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "metadata",
))
# fmt: on


class Files(Mapping[str, bytes]):
    """Files of a folder by name, each read when it is asked for: a province's would not fit into memory."""

    def __init__(self, folder: Path, names: frozenset[str]):
        self.folder = folder
        self.names = names

    def __getitem__(self, name: str) -> bytes:
        if name not in self.names:
            raise KeyError(name)
        return (self.folder / name).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


def ending(name: str) -> str:
    """What stands behind the last dot."""
    return name.rpartition(".")[2]


def check_file(path: Path, size: int, file: str) -> list[Problem]:
    """What is wrong with the file itself; ``file`` is how messages call it."""
    kind, whole = ending(path.name), Where(file)
    if not re.fullmatch(FILE_NAME_PATTERN, path.name) or len(path.name) > 100:
        vi = "tên tệp chỉ gồm chữ thường không dấu, chữ số, dấu gạch ngang và một đuôi, như ke-hoach-2026.pdf; đổi tên"
        en = "a file's name is of lower-case letters, digits, hyphens and an ending, such as plan-2026.pdf; rename it"
        return [Problem(whole, "file-name", vi, en)]
    if kind not in TYPES:
        vi = f"không đăng tệp .{kind} trên cổng; dùng một trong: {', '.join(TYPES)}"
        en = f"a portal takes no .{kind} file; use one of: {', '.join(TYPES)}"
        return [Problem(whole, "file-type", vi, en)]
    limit = PICTURE_LIMIT if kind in PICTURES else FILE_LIMIT
    if size > limit:
        return [too_big(whole, size, limit)]
    try:
        with path.open("rb") as stream:
            content = stream.read() if kind == "svg" else stream.read(12)
    except OSError as error:
        vi, en = f"không đọc được tệp: {error.strerror}", f"the file can't be read: {error.strerror}"
        return [Problem(whole, "unreadable-file", vi, en)]
    if not content.startswith(_BEGINNINGS[kind]) or not _inside(kind, content):
        vi = f"nội dung không phải là .{kind}; mở bằng đúng chương trình rồi lưu lại, hoặc đổi đuôi cho đúng"
        en = f"what is in it is no .{kind}; save it again from the right program, or give it its own ending"
        return [Problem(whole, "file-content", vi, en)]
    return _check_svg(content, file) if kind == "svg" else []


def too_big(where: Where, size: int, limit: int) -> Problem:
    """The problem of a file that is too big."""
    vi = f"tệp có {size:,} byte, tối đa {limit:,}; nén hoặc thu nhỏ lại, hoặc để nơi khác rồi đặt liên kết"
    en = f"the file has {size:,} bytes, at most {limit:,} are taken; make it smaller, or link to it elsewhere"
    return Problem(where, "too-big", vi, en)


def _inside(kind: str, content: bytes) -> bool:
    if kind == "webp":
        return content[8:12] == b"WEBP"
    return kind != "mp4" or content[4:8] == b"ftyp"


class _Unsafe(Exception):
    pass


def _check_svg(content: bytes, file: str) -> list[Problem]:
    """An SVG that is opened by itself is a page of the unit's: only shapes may be in it."""
    problems: list[Problem] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def object_to(vi: str, en: str) -> None:
        where = Where(file, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        vi = f"{vi}; lưu lại thành SVG thuần (Plain SVG), chỉ có hình vẽ"
        en = f"{en}; save it again as plain SVG, with shapes alone"
        problems.append(Problem(where, "svg-content", vi, en))

    def element(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        local = name.removeprefix(_CLARK)
        if local not in _SHAPES or not name.startswith(_CLARK):
            shown = name.rpartition(" ")[2]
            object_to(f"SVG có thẻ «{shown}»", f"the SVG holds an element '{shown}'")
        elif not depth and local != "svg":
            object_to("thẻ đầu tiên không phải là svg", "its first element is not svg")
        depth += 1
        for key, value in attributes.items():
            word = key.rpartition(" ")[2]
            leads_out = word == "href" and not value.startswith("#")
            if word.lower().startswith("on") or leads_out or _leads_out(value):
                object_to(
                    f"SVG có thuộc tính «{word}» chạy mã hoặc dẫn ra ngoài",
                    f"its attribute '{word}' runs code or leads outside",
                )

    def doctype(*_: object) -> None:
        object_to("SVG có DOCTYPE", "the SVG has a DOCTYPE")
        raise _Unsafe

    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except _Unsafe:
        pass
    except (expat.ExpatError, ValueError, LookupError) as error:
        where = Where(file, getattr(error, "lineno", 1), getattr(error, "offset", 0) + 1)
        vi, en = f"không đọc được SVG ở đây ({error}); lưu lại tệp", f"this is no SVG ({error}); save it again"
        problems.append(Problem(where, "file-content", vi, en))
    return problems


def _leads_out(value: str) -> bool:
    inside = re.sub(r"url\(\s*['\"]?#", "", value)
    return "url(" in inside.lower() or "\\" in value or "javascript:" in re.sub(r"\s", "", value.lower())
