"""The portals of a province: every unit's pages, feed, site maps and search index, from its view and its content."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Protocol

from markupsafe import escape

from edumail.model import Host, Province, Unit
from edumail.portal.look import colours, stylesheet
from edumail.portal.model import ARTICLE_SECTIONS, Content
from edumail.portal.page import Page, day
from edumail.portal.pages import pages
from edumail.portal.sections import GROUPS, Section, incomplete, shown
from edumail.portal.view import Neighbour, View, Views
from edumail.templates import render
from edumail.tree import File
from edumail.units import portal_host

TITLE, HEAD, MAIN = "<!--edumail:title-->", "<!--edumail:head-->", "<!--edumail:main-->"
"""Where a page goes in the unit's layout. Text can't hold them: it is escaped."""
FEED_ITEMS = 20


class Contents(Protocol):
    """Where the units' contents come from."""

    def of(self, unit: str) -> Content:
        """What the unit publishes."""

    def look(self) -> None:
        """Begin to make the fingerprints."""

    def fingerprint(self, unit: str) -> str:
        """A digest of it, which is had without reading it."""


@dataclass(frozen=True)
class Site:
    """All that is made of one unit."""

    files: Mapping[str, File]
    """By path under the tree's root."""
    pages: tuple[Page, ...]


class Portals:
    """The portals of a province; a host gets those of the units that it serves."""

    def __init__(self, province: Province, contents: Contents):
        self.province = province
        self.contents = contents
        self.views = Views(province)
        self._lacking: dict[str, int] = {}

    @cached_property
    def by_host(self) -> dict[str, list[Unit]]:
        """Host name → the units whose portal it serves, in order of id."""
        result: dict[str, list[Unit]] = {name: [] for name in self.province.hosts}
        for unit in sorted(self.province.units.values(), key=lambda unit: unit.id):
            result[portal_host(unit)].append(unit)
        return result

    def sites(self, host: Host) -> dict[str, str]:
        """Name of a portal → the folder under ``sites/`` that holds it."""
        return {unit.portal: unit.id for unit in self.by_host[host.name]}

    def files(self, host: Host) -> dict[str, File]:
        """Everything of the host's portals: ``sites/<unit>/…`` is public, as is ``assets/…``."""
        files: dict[str, File] = {}
        for unit in self.by_host[host.name]:
            files.update(self.unit(unit))
        return files

    def unit(self, unit: Unit) -> Mapping[str, File]:
        """The files of one unit, its stylesheets included."""
        return build(self.view(unit), self.contents.of(unit.id)).files

    def view(self, unit: Unit) -> View:
        """What the unit's pages take from the inventory, and how far the units below it are."""
        return self.views.of(unit, self.below(unit))

    def below(self, unit: Unit) -> tuple[Neighbour, ...]:
        """The units below, each before its own children, in order of name."""
        children = self.views.units.children.get(unit.id)
        if not children:
            return ()
        result: list[Neighbour] = []
        for child in sorted(children, key=lambda child: (child.name, child.id)):
            result.append(self.views.neighbour(child, self.lacking(child)))
            result.extend(self.below(child))
        return tuple(result)

    def lacking(self, unit: Unit) -> int:
        """How many sections of the unit are missing or incomplete."""
        if unit.id not in self._lacking:
            self._lacking[unit.id] = len(incomplete(self.views.of(unit), self.contents.of(unit.id)))
        return self._lacking[unit.id]


def build(view: View, content: Content) -> Site:
    """The portal of a unit: the same view and content give the same bytes."""
    made = tuple(pages(view, content))
    layout = _Layout(view, content)
    root = f"sites/{view.id}"
    files = {f"{root}{page.url}index.html": File(layout.around(page)) for page in made}
    files[f"{root}/sitemap.xml"] = _file("portal/site/sitemap.xml.j2", view=view, pages=made)
    files[f"{root}/rss.xml"] = File(_feed(view, content).encode())
    files[f"{root}/robots.txt"] = File(
        f"User-agent: *\nAllow: /\nSitemap: https://{view.portal}/sitemap.xml\n".encode()
    )
    files[f"index/{view.id}.json"] = File(_index(made))
    files[f"shells/{view.id}.html"] = File(layout.shell.encode())
    for name, data in content.files.items():
        files[f"{root}/files/{name}"] = File(data)
    for path, data in (stylesheet(), colours(content.portal.appearance.colour)):
        files[path] = File(data)
    return Site(files, made)


def _file(template: str, **values: Any) -> File:
    return File(_nfc(render(template, **values)).encode())


def _nfc(text: str) -> str:
    """All that is published has one normal form (12.1), whatever keyboard it came from."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


class _Layout:
    """What is around every page of a unit, rendered once."""

    def __init__(self, view: View, content: Content):
        self.view, self.content = view, content
        self.sections = shown(view, content)
        responsible = content.portal.responsible
        self.responsible = (view.person(responsible.person or "") if responsible else None) or view.head
        self.styles = ["/" + stylesheet()[0], "/" + colours(content.portal.appearance.colour)[0]]
        self._whole: dict[str, tuple[str, str, str, str]] = {}

    def _text(self, lang: str) -> str:
        return _nfc(
            render(
                "portal/site/layout.html.j2",
                view=self.view,
                content=self.content,
                lang=lang,
                groups=_grouped(self.sections),
                main_links=_main_links(self.sections),
                responsible=self.responsible,
                styles=self.styles,
                changed=self.content.last_change,
                day=day,
            )
        )

    @cached_property
    def shell(self) -> str:
        """The layout for pages that an app makes."""
        return self._text("vi").replace(HEAD, '<meta name="robots" content="noindex">', 1)

    def around(self, page: Page) -> bytes:
        """The page in the layout."""
        if page.lang not in self._whole:
            before, rest = self._text(page.lang).split(TITLE, 1)
            head, rest = rest.split(HEAD, 1)
            above, after = rest.split(MAIN, 1)
            self._whole[page.lang] = (before, head, above, after)
        before, head, above, after = self._whole[page.lang]
        title = page.title if page.url == "/" else f"{page.title} – {self.view.name}"
        above = above.replace(f'<a href="{page.url}">', f'<a href="{page.url}" aria-current="page">')
        parts = (before, str(escape(title)), head, self._head(page, title), above, _crumbs(page), str(page.main), after)
        return _nfc("".join(parts)).encode()

    def _head(self, page: Page, title: str) -> str:
        """Description, Dublin Core (Circular 24/2011: none of the first six is ever blank) and Open Graph."""
        view = self.view
        url = f"https://{view.portal}{page.url}"
        changed = page.changed or self.content.last_change
        names = {
            "description": page.description,
            "DC.title": title,
            "DC.creator": page.author or view.name,
            "DC.date": changed.isoformat() if changed else str(view.year),
            "DC.description": page.description,
            "DC.publisher": view.name,
            "DC.identifier": url,
            "DC.language": page.lang,
            "DC.source": page.source or view.name,
            "DC.subject": page.subject or page.section,
        }
        properties = {
            "og:title": page.title,
            "og:type": page.kind,
            "og:url": url,
            "og:description": page.description,
            "og:site_name": view.name,
            "og:locale": "en_GB" if page.lang == "en" else "vi_VN",
        }
        if page.image:
            properties["og:image"] = f"https://{view.portal}/files/{page.image}"
        if page.kind == "article" and page.published:
            properties["article:published_time"] = page.published.isoformat()
            properties["article:modified_time"] = (page.updated or page.published).isoformat()
        lines = [f'<link rel="canonical" href="{escape(url)}">']
        lines += [f'<meta name="{name}" content="{escape(value)}">' for name, value in names.items()]
        lines += [f'<meta property="{name}" content="{escape(value)}">' for name, value in properties.items()]
        return "\n".join(lines)


def _crumbs(page: Page) -> str:
    """The way from the home page, as links; the page itself comes last, without one."""
    if page.url == "/":
        return ""
    words = ("You are here", "Home") if page.lang == "en" else ("Bạn đang ở", "Trang chủ")
    steps = [("/", words[1]), *page.crumbs]
    items = [f'<li><a href="{escape(url)}">{escape(title)}</a></li>' for url, title in steps]
    items.append(f'<li aria-current="page">{escape(page.title)}</li>')
    return f'<nav class="crumbs" aria-label="{words[0]}"><ol>{"".join(items)}</ol></nav>\n'


def _grouped(sections: list[Section]) -> list[tuple[str, list[Section]]]:
    groups = [(title, [s for s in sections if s.group == group]) for group, title in GROUPS.items()]
    return [(title, found) for title, found in groups if found]


_MAIN = ("introduction", "news", "documents", "services", "disclosure", "admission", "statistics", "contact")
_ROOM = 88
"""How many characters fit into the bar, after «Trang chủ» and with two and a half around each word."""


def _main_links(sections: list[Section]) -> list[Section]:
    """What stands in the bar of wide screens, besides the whole menu: as many as fit into one line."""
    by_id = {section.id: section for section in sections}
    found: list[Section] = []
    room = float(_ROOM)
    for section in (by_id[id] for id in _MAIN if id in by_id):
        room -= len(section.vi) + 2.5
        if room < 0:
            break
        found.append(section)
    return found


def _index(made: tuple[Page, ...]) -> bytes:
    rows = [
        {
            "url": page.url,
            "section": page.section,
            "title": page.title,
            "text": page.text,
            "date": page.changed.isoformat() if page.changed else None,
        }
        for page in made
    ]
    return (_nfc(json.dumps(rows, ensure_ascii=False, indent=0)) + "\n").encode()


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc822(value: date) -> str:
    """The beginning of a day in Vietnam as RSS writes it (RFC 822 with a year of four digits)."""
    return f"{_DAYS[value.weekday()]}, {value.day:02} {_MONTHS[value.month - 1]} {value.year} 00:00:00 +0700"


def _feed(view: View, content: Content) -> str:
    from edumail.portal.sections import BY_ID

    items = sorted(
        (
            (article.date, section, article)
            for section in ARTICLE_SECTIONS
            for article in content.articles.get(section, ())
        ),
        key=lambda item: (item[0].toordinal() * -1, item[1], item[2].slug),
    )[:FEED_ITEMS]
    newest = items[0][0] if items else None
    return _nfc(
        render(
            "portal/site/rss.xml.j2",
            view=view,
            items=[(when, BY_ID[section], article) for when, section, article in items],
            newest=newest,
            rfc822=rfc822,
        )
    )


def digest_of_code() -> str:
    """SHA-256 over what turns content into pages: the templates and these modules."""
    from pathlib import Path

    from edumail.templates import FOLDER

    state = hashlib.sha256()
    here = Path(__file__).resolve().parent
    for path in sorted([*here.glob("*.py"), *(FOLDER / "portal").rglob("*")]):
        if path.is_file():
            state.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()
