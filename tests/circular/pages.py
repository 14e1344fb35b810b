"""A unit's portal as a reader without JavaScript sees it: pages over verified HTTPS, and what they say."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import quote, urldefrag, urljoin, urlsplit

import dns.exception
import dns.resolver
import lxml.etree
import lxml.html

from edumail.model import Unit
from edumail.text import fold
from tests.circular.network import TIMEOUT, Network, literal

ABSENT = "chua cong bo"
"""What stands, folded, where a field was left out."""
UTF8 = lxml.html.HTMLParser(encoding="utf-8")
"""Whatever a page says of its encoding itself."""
REDIRECTS = 5
"""How often a link may lead on to another page."""
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""What a server says of a page that is not there; anything else may be meant for who asks, or for now."""
UNREAD = (
    "ancestor-or-self::script or ancestor-or-self::style or ancestor-or-self::template or ancestor-or-self::*[@hidden]"
)
"""What no reader is shown, as an XPath."""
URL_CHARACTERS = "/%:@!$&'()*+,;=?"
"""What may stand in path and query as it is, besides letters and digits (RFC 3986)."""


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
    nowhere: bool = False
    """There is no such name."""

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

    @cached_property
    def main(self) -> lxml.html.HtmlElement:
        """What is the page's own: its ``<main>``; without one, everything."""
        found = self.root.find(".//main")
        return self.root if found is None else found

    @cached_property
    def words(self) -> str:
        """The words of :attr:`main`, folded: no marks, lower case, single spaces."""
        return fold(shown(self.main))

    @property
    def missing(self) -> list[str]:
        """What the page itself says is not published yet."""
        return [shown(element).strip() for element in self.main.xpath(".//*[@data-missing]")]

    def says(self, text: str) -> bool:
        """Whether ``text`` stands in :attr:`main`, marks and case aside."""
        return fold(text) in self.words

    def links(self, inside: str = ".") -> list[tuple[str, str]]:
        """Address (absolute, without fragment) and words of each link of :attr:`main`, or below an XPath in it.

        What only leads around the portal (``<nav>``) is left out, and so is what is no address.
        """
        found = []
        for element in self.main.xpath(f"{inside}//a[@href][not(ancestor::nav)]"):
            words = " ".join(shown(element).split())
            with contextlib.suppress(ValueError):
                found.append((urldefrag(urljoin(self.url, element.get("href").strip()))[0], words))
        return found

    def headed(self, *tags: str) -> Iterator[tuple[str, str]]:
        """The words of each such heading of :attr:`main`, and those below it up to the next of its level or above."""
        for heading in self.main.iter(*tags):
            below = ""
            for element in heading.itersiblings("*"):
                if element.tag in ("h1", "h2") or element.tag == heading.tag:
                    break
                below += f" {shown(element)}"
            yield " ".join(shown(heading).split()), " ".join(below.split())

    def metadata(self, name: str) -> list[str]:
        """Contents of ``<meta name=…>`` or ``<meta property=…>``, without regard to case; blank ones are none."""
        wanted = name.lower()
        return [content for names, content in self._metadata if wanted in names]

    @cached_property
    def _metadata(self) -> list[tuple[tuple[str, str], str]]:
        """Both names, in lower case, and content of each ``<meta>`` that has any."""
        found = self.root.iterfind(".//meta[@content]")
        pairs = (((m.get("name", "").lower(), m.get("property", "").lower()), m.get("content").strip()) for m in found)
        return [(names, content) for names, content in pairs if content]

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
        return {fold(shown(row.find("th"))): shown(row.find("td")).strip() for row in pairs}

    def terms(self) -> dict[str, str]:
        """Every ``<dt>`` of :attr:`main`, folded → the words of its ``<dd>``."""
        found: dict[str, str] = {}
        for term in self.main.iter("dt"):
            value = next(term.itersiblings("*"), None)
            words = _words(value) if value is not None and value.tag == "dd" else ""
            found.setdefault(fold(shown(term)).rstrip(":"), words)
        return found


def shown(element: lxml.html.HtmlElement) -> str:
    """The text of an element that a reader sees: no scripts, no styles, and nothing hidden."""
    return "".join(element.xpath(f".//text()[not(parent::*[{UNREAD}])]"))


def _words(element: lxml.html.HtmlElement) -> str:
    """The words of an element; where it says that it is not published, none."""
    words = " ".join(shown(element).split())
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
    parts = urlsplit(plain(url))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    method = "GET" if form is None else "POST"
    try:
        other = [parts.port] if parts.port else []
        response, body = network.https(parts.hostname or "", path, form, *other)
    except (OSError, HTTPException, ValueError) as error:
        return Page(url, 0, {}, b"", f"{method} {url}: {type(error).__name__}: {error}"[:300])
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Page(url, response.status, headers, body, f"{method} {url} → {response.status}, {len(body)} B")


def plain(url: str) -> str:
    """The address as it is asked for and compared: without fragment, and what is not ASCII as percent signs say it."""
    parts = urlsplit(urldefrag(url)[0])
    path, query = (quote(part, safe=URL_CHARACTERS) for part in (parts.path, parts.query))
    return parts._replace(path=path, query=query).geturl()


def lies_in(url: str, names: Collection[str]) -> bool:
    """Whether an address is of one of these names, or of a name below one."""
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in names)


class Links(NamedTuple):
    """What came of asking for links."""

    good: list[str]
    """Those that lead to a page, by redirects or at once."""
    broken: list[str]
    """A line for each that leads nowhere."""
    unseen: list[str]
    """A line for each of which this machine can't tell."""


def answered(network: Network, urls: Iterator[str] | list[str], seen: dict[str, Page], own: Collection[str]) -> Links:
    """Which of ``urls`` answer. ``seen`` keeps the last page of each; ``own`` are the province's names.

    Somebody else's server decides whom it answers, and when: only that a page or a name is not there is a finding.
    """
    links = Links([], [], [])
    for url in dict.fromkeys(urls):
        if url not in seen:
            page = led_on(network, url)
            host = urlsplit(page.url).hostname or ""
            seen[url] = replace(page, nowhere=not page.status and host not in own and nowhere(host))
        page = seen[url]
        said = page.said if page.url == url else f"{url} → {page.said}"
        if 200 <= page.status < 300:
            links.good.append(url)
        elif page.nowhere:
            links.broken.append(f"{said}; tên không tồn tại / no such name")
        elif urlsplit(page.url).hostname in own or page.status in GONE:
            links.broken.append(said)
        else:
            links.unseen.append(f"không kết luận được, máy chủ của người khác / not told, another's server: {said}")
    return links


def led_on(network: Network, url: str) -> Page:
    """Where a link leads by redirects over HTTPS, a few at most; a redirect is the answer where it is not followed."""
    page = get(network, url)
    for _ in range(REDIRECTS):
        try:
            to = urljoin(page.url, page.headers.get("location", ""))
            secure = urlsplit(to).scheme == "https"
        except ValueError:  # no address
            break
        if not (300 <= page.status < 400 and page.headers.get("location") and secure):
            break
        page = get(network, to)
    if 300 <= page.status < 400:
        to = page.headers.get("location") or "đâu không rõ / nowhere"
        return replace(page, said=f"{page.said}, dẫn tiếp đến, không theo nữa / leads on, not followed: {to[:200]}")
    return page


def nowhere(host: str) -> bool:
    """Whether this machine's resolver says that there is no such name; an address is none."""
    if literal(host):
        return False
    try:
        dns.resolver.resolve(host, lifetime=TIMEOUT)
    except dns.resolver.NXDOMAIN:
        return True
    except dns.exception.DNSException:
        return False
    return False


DATE = re.compile(r"\b(\d{2})/(\d{2})/(\d{4})\b")
"""A day as Vietnamese pages write it."""


def links_below(page: Page, title: str) -> list[str]:
    """Where the links lead that stand below a heading that begins with ``title``, up to the next of its level."""
    found = []
    for heading in page.main.iter("h2", "h3"):
        if fold(shown(heading)).startswith(fold(title)):
            for element in heading.itersiblings("*"):
                if element.tag in ("h1", "h2", heading.tag):
                    break
                for link in element.xpath(".//a[@href]"):
                    with contextlib.suppress(ValueError):
                        found.append(urljoin(page.url, link.get("href").strip()))
    return found
