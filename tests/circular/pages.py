"""A unit's portal as a reader without JavaScript sees it: pages over verified HTTPS, and what they say."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from urllib.parse import urldefrag, urljoin, urlsplit

import lxml.etree
import lxml.html

from edumail.model import Unit
from edumail.text import fold
from tests.circular.network import Network

ABSENT = "chua cong bo"
"""What stands, folded, where a field was left out."""
UTF8 = lxml.html.HTMLParser(encoding="utf-8")
"""Whatever a page says of its encoding itself."""


@dataclass(frozen=True)
class Page:
    """One answer. ``status`` 0: nothing answered, and ``said`` holds why."""

    url: str
    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    said: str
    """A line of evidence."""

    @property
    def good(self) -> bool:
        """Whether there is a page."""
        return self.status == 200

    @cached_property
    def text(self) -> str:
        """The body as UTF-8; what is none shows as replacement characters."""
        return self.body.decode("utf-8", "replace")

    @cached_property
    def root(self) -> lxml.html.HtmlElement:
        """The document as a tree; an empty one where there is no page, and where what is there is none."""
        try:
            return lxml.html.document_fromstring(self.text.encode() if self.good else b"", UTF8)
        except lxml.etree.LxmlError:  # nothing, or a comment alone
            return lxml.html.document_fromstring(b"<html></html>", UTF8)

    @property
    def main(self) -> lxml.html.HtmlElement:
        """What is the page's own: its ``<main>``; without one, everything."""
        found = self.root.xpath("//main")
        return found[0] if found else self.root

    @cached_property
    def words(self) -> str:
        """The words of :attr:`main`, folded: no marks, lower case, single spaces."""
        return fold(self.main.text_content())

    @property
    def missing(self) -> list[str]:
        """What the page itself says is not published yet."""
        return [element.text_content().strip() for element in self.main.xpath(".//*[@data-missing]")]

    def says(self, text: str) -> bool:
        """Whether ``text`` stands in :attr:`main`, marks and case aside."""
        return fold(text) in self.words

    def links(self, inside: str = ".") -> list[tuple[str, str]]:
        """Address (absolute, without fragment) and words of each link of :attr:`main`, or below an XPath in it.

        What only leads around the portal (``<nav>``) is left out, and so is what is no address.
        """
        found = []
        for element in self.main.xpath(f"{inside}//a[@href][not(ancestor::nav)]"):
            words = " ".join(element.text_content().split())
            with contextlib.suppress(ValueError):
                found.append((urldefrag(urljoin(self.url, element.get("href").strip()))[0], words))
        return found

    def headed(self, *tags: str) -> Iterator[tuple[str, str]]:
        """The words of each such heading of :attr:`main`, and those below it up to the next of its level or above."""
        for heading in self.main.iter(*tags):
            below = ""
            for element in heading.itersiblings():
                if element.tag in ("h1", "h2") or element.tag == heading.tag:
                    break
                below += f" {element.text_content()}"
            yield " ".join(heading.text_content().split()), " ".join(below.split())

    def metadata(self, name: str) -> list[str]:
        """Contents of ``<meta name=…>`` or ``<meta property=…>``, without regard to case; blank ones are none."""
        wanted = name.lower()
        found = self.root.xpath("//meta[@content]")
        named = [m for m in found if wanted in ((m.get("name") or "").lower(), (m.get("property") or "").lower())]
        return [m.get("content").strip() for m in named if m.get("content").strip()]

    def table(self, *columns: str) -> list[dict[str, str]]:
        """Rows of the first table that has all ``columns`` (marks and case aside), by column; cells as plain words."""
        return next((rows for _, rows in self.tables(*columns)), [])

    def tables(self, *columns: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Caption and rows of every table that has all ``columns``, as :meth:`table` gives them."""
        for table in self.main.xpath(".//table"):
            rows = [[_words(cell) for cell in row.xpath("./th|./td")] for row in table.iter("tr")]
            head = [fold(cell) for cell in rows[0]] if rows else []
            if all(fold(column) in head for column in columns):
                places = {column: head.index(fold(column)) for column in columns}
                caption = " ".join(" ".join(table.xpath("./caption//text()")).split())
                yield (
                    caption,
                    [
                        {column: row[place] if place < len(row) else "" for column, place in places.items()}
                        for row in rows[1:]
                    ],
                )

    def rows(self) -> dict[str, str]:
        """Every row of a table of :attr:`main` that is a heading and a cell: the heading, folded → the cell."""
        pairs = self.main.xpath(".//tr[count(th)=1 and count(td)=1]")
        return {fold(row.find("th").text_content()): row.find("td").text_content().strip() for row in pairs}

    def terms(self) -> dict[str, str]:
        """Every ``<dt>`` of :attr:`main`, folded → the words of its ``<dd>``."""
        found: dict[str, str] = {}
        for term in self.main.iter("dt"):
            value = term.getnext()
            words = _words(value) if value is not None and value.tag == "dd" else ""
            found.setdefault(fold(term.text_content()).rstrip(":"), words)
        return found


def _words(element: lxml.html.HtmlElement) -> str:
    """The words of an element; where it says that it is not published, none."""
    words = " ".join(element.text_content().split())
    return "" if fold(words) == ABSENT else words


@dataclass
class Portal:
    """The pages of one unit; each is asked for once."""

    network: Network
    unit: Unit
    _pages: dict[str, Page] = field(default_factory=dict)

    def page(self, path: str = "/") -> Page:
        """The page at ``path`` of the unit's own name; redirects are not followed."""
        if path not in self._pages:
            self._pages[path] = get(self.network, f"https://{self.unit.portal}{path}")
        return self._pages[path]

    def has(self, path: str) -> bool:
        """Whether the page at ``path`` was asked for."""
        return path in self._pages

    def answer(self, path: str, form: Mapping[str, str]) -> Page:
        """What the form at ``path`` answers to these fields; asked anew each time."""
        return get(self.network, f"https://{self.unit.portal}{path}", form)

    def below(self, path: str) -> list[Page]:
        """The pages that the one at ``path`` links to below itself, in its order."""
        found: dict[str, None] = {}
        for url, _ in self.page(path).links():
            parts = urlsplit(url)
            if parts.hostname == self.unit.portal and parts.path.startswith(path) and parts.path != path:
                found.setdefault(parts.path)
        return [self.page(inner) for inner in found]


def get(network: Network, url: str, form: Mapping[str, str] | None = None) -> Page:
    """One GET, or one POST of ``form``; an error is a page with status 0."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    method = "GET" if form is None else "POST"
    try:
        response, body = network.https(parts.hostname or "", path, form)
    except (OSError, HTTPException, ValueError) as error:
        return Page(url, 0, {}, b"", f"{method} {url}: {type(error).__name__}: {error}"[:300])
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Page(url, response.status, headers, body, f"{method} {url} → {response.status}, {len(body)} B")


def answered(network: Network, urls: Iterator[str] | list[str], seen: dict[str, Page]) -> tuple[list[str], list[str]]:
    """Which of ``urls`` answer (status below 400), and a line for each that does not. ``seen`` keeps the answers."""
    good, bad = [], []
    for url in dict.fromkeys(urls):
        if url not in seen:
            seen[url] = get(network, url)
        page = seen[url]
        if 200 <= page.status < 400:
            good.append(url)
        else:
            bad.append(page.said)
    return good, bad


DATE = re.compile(r"\b(\d{2})/(\d{2})/(\d{4})\b")
"""A day as Vietnamese pages write it."""
