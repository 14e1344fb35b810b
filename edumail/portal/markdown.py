"""What may not stand in an article's text, whatever a page later makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from edumail.problems import Problem, Where

# Controls, and marks that turn the direction of writing: with them text can look like what it is not.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SCHEMES = ("https", "http", "mailto", "tel")
_FILES = "/files/"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    # Every target is to be seen as it is written; by default unsafe ones are left as text without a word.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


@dataclass
class Source:
    """The text of a file, to find places in."""

    file: str
    text: str
    starts: list[int] = field(default_factory=list)
    """Where each line begins; found when first needed."""

    def where(self, offset: int) -> Where:
        """The place of a character."""
        before = self.text[:offset]
        return Where(self.file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)

    def offset(self, where: Where) -> int:
        """The character at a place."""
        if not self.starts:
            self.starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = min(max(where.line, 1), len(self.starts))
        return self.starts[line - 1] + max(where.column - 1, 0)

    def find(self, needle: str, start: Where) -> Where:
        """The first place of ``needle`` from ``start`` on, or ``start``."""
        at = self.text.find(needle, self.offset(start)) if needle else -1
        return self.where(at) if at >= 0 else start


def check_markdown(text: str, source: Source, start: Where) -> tuple[list[Problem], list[tuple[str, Where]]]:
    """Mistakes in a text that stands at ``start``, and the files of the unit that it leads to, each with its place."""
    problems, named = [], []
    if control := _CONTROLS.search(text):
        where = source.find(control.group(), start)
        vi = f"có ký tự điều khiển hoặc ký tự ẩn U+{ord(control.group()):04X}; xóa rồi gõ lại"
        en = f"a control or invisible character U+{ord(control.group()):04X} stands here; delete it and type again"
        problems.append(Problem(where, "control-character", vi, en))
    for target, picture, words in _targets(text):
        where = source.find(target, start)
        if problem := _wrong(target, picture, words, where):
            problems.append(problem)
        elif target.startswith(_FILES):
            named.append((target.removeprefix(_FILES).partition("#")[0], where))
    return problems, named


def _targets(text: str) -> Iterator[tuple[str, bool, str]]:
    """What links and pictures lead to: (target, whether it is a picture, the words for it)."""
    if "](" not in text and "<" not in text and "]:" not in text:
        return  # most texts have none, and a province's take long to parse
    for token in _PARSER.parse(text):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrGet("href") or ""), False, ""
            elif child.type == "image":
                yield str(child.attrGet("src") or ""), True, child.content


def _wrong(target: str, picture: bool, words: str, where: Where) -> Problem | None:
    shown = target if len(target) <= 60 else target[:57] + "…"
    scheme = _SCHEME.match(target)
    if picture and not target.startswith(_FILES):
        vi = f"hình «{shown}» không phải của đơn vị; chép vào files/ rồi viết /files/<tên tệp>"
        en = f"the picture '{shown}' is not the unit's; copy it into files/ and write /files/<name>"
        return Problem(where, "foreign-picture", vi, en)
    if picture and not words.strip():
        vi = "hình chưa có lời tả cho người không nhìn thấy; viết ![lời tả](/files/…)"
        en = "the picture has no words for those who can't see it; write ![words](/files/…)"
        return Problem(where, "picture-without-text", vi, en)
    if scheme and scheme.group(1).lower() not in _SCHEMES:
        vi = f"liên kết «{shown}» không được phép; chỉ dùng {', '.join(_SCHEMES)} hoặc đường dẫn bắt đầu bằng /"
        en = f"the link '{shown}' is not allowed; use {', '.join(_SCHEMES)} or a path that begins with /"
        return Problem(where, "unsafe-link", vi, en)
    if not scheme and (not target.startswith(("/", "#")) or target.startswith("//") or "\\" in target):
        vi = f"liên kết «{shown}» không dẫn tới đâu; viết đủ https://…, hoặc đường dẫn của cổng bắt đầu bằng /"
        en = f"the link '{shown}' leads nowhere; write https://… in full, or a path of the portal from / on"
        return Problem(where, "relative-link", vi, en)
    return None
