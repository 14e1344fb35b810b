"""Markdown as it stands in a page: HTML that can't run anything, with headings that go on from the page's own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_ALLOWED = ("https://", "http://", "mailto:", "tel:")


def _harmless(url: str) -> bool:
    """Whether a link may lead there: the web, mail, a telephone, or a path of the portal itself."""
    target = url.strip().lower()
    if target.startswith(_ALLOWED):
        return True
    return (target.startswith("/") and not target.startswith(("//", "/\\"))) or target.startswith("#")


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = _harmless  # type: ignore[method-assign]
    return parser


@lru_cache(4096)
def prose(markdown: str, below: int = 1) -> Markup:
    """``markdown`` for a place under a heading of level ``below``: its own headings come after that, without gaps."""
    if not markdown.strip():
        return Markup("")
    parser = _parser()
    tokens = parser.parse(unicodedata.normalize("NFC", markdown))
    _shift(tokens, below)
    result: list[Token] = []
    for token in tokens:
        _mend(token)
        if token.type == "table_open":
            result.append(Token("html_block", "", 0, content='<div class="wide" tabindex="0">'))
        result.append(token)
        if token.type == "table_close":
            result.append(Token("html_block", "", 0, content="</div>\n"))
    html: str = parser.renderer.render(result, parser.options, {})
    return Markup(html)  # noqa: S704 - the parser escapes


@lru_cache(4096)
def headed(markdown: str) -> tuple[tuple[str, str], ...]:
    """The words of each heading of the highest level, with those below it up to the next of them."""
    tokens = _parser().parse(unicodedata.normalize("NFC", markdown))
    _shift(tokens, 0)
    found: list[list[str]] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        words = "".join(child.content or " " for child in token.children) if token.children else token.content
        if before is not None and before.type == "heading_open" and before.tag == "h1":
            found.append([words, ""])
        elif found:
            found[-1][1] += f" {words}"
    return tuple((title, below) for title, below in found)


def _shift(tokens: Sequence[Token], below: int) -> None:
    """Headings get levels from ``below`` + 1 on, none deeper than one more than the heading before it."""
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            while above and above[-1] >= level:
                above.pop()
            above.append(level)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(below + len(above), 6)}"


def _mend(token: Token) -> None:
    if token.type in ("th_open", "td_open"):
        # Alignment comes as a style attribute, which the portal's policy forbids.
        style = str(token.attrs.pop("style", ""))
        if "right" in style:
            token.attrSet("class", "number")
        if token.type == "th_open":
            token.attrSet("scope", "col")
    for child in token.children or ():
        if child.type == "image":
            child.attrSet("loading", "lazy")
