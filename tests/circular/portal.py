"""What a question about a unit's portal needs at hand: the live pages, and what the inventory says should be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from edumail.circular.verdicts import Verdict
from edumail.model import Person, Unit
from edumail.portal.model import Content
from edumail.text import fold
from tests.circular.audit import Audit
from tests.circular.network import Confined
from tests.circular.pages import Links, Page, Portal, answered


@dataclass
class Reading:
    """One unit's portal under audit."""

    audit: Audit
    unit: Unit

    @cached_property
    def portal(self) -> Portal:
        """The live pages, each asked for once."""
        return Portal(self.audit.network, self.unit)

    @cached_property
    def content(self) -> Content:
        """What the auditor's own copy of the inventory says the unit publishes."""
        return self.audit.contents.of(self.unit.id)

    @cached_property
    def leaders(self) -> list[Person]:
        """Whom the roster has as the unit's leaders."""
        return self.audit.views.leaders(self.unit)

    @cached_property
    def below(self) -> list[Unit]:
        """The units under the one asked, at any depth."""
        return [unit for unit in self.audit.views.units.below(self.unit.id) if unit.id != self.unit.id]

    @property
    def above(self) -> list[str]:
        """The names of the portals of the units above the one asked."""
        units, names, unit = self.audit.province.units, [], self.unit
        while unit.parent:
            unit = units[unit.parent]
            names.append(unit.portal)
        return names

    @property
    def ministry(self) -> frozenset[str]:
        """The Ministry's domains."""
        return self.audit.province.settings.ministry_domains

    def named(self, text: str) -> Unit | None:
        """The unit below that a page calls so; None where that is nobody's name, or that of several.

        Schools of a province share names, so a page may say where one is: "Trường X (xã Y)", by its address, by a part
        of that, or by the last words of the name of the unit above it.
        """
        found = self._names.get(_plain(text), ())
        return found[0] if len(found) == 1 else None

    @cached_property
    def _names(self) -> dict[str, list[Unit]]:
        names: dict[str, list[Unit]] = {}
        for unit in self.below:
            names.setdefault(_plain(unit.name), []).append(unit)
        placed: dict[str, list[Unit]] = {}
        for unit in self.below:
            for name in {f"{_plain(unit.name)} {place}" for place in self._places(unit)}:
                placed.setdefault(name, []).append(unit)
        return placed | names

    def _places(self, unit: Unit) -> Iterator[str]:
        yield _plain(unit.street_address)
        yield from map(_plain, unit.street_address.split(","))
        above = _plain(self.audit.province.units[unit.parent].name).split() if unit.parent else []
        for start in range(len(above)):
            yield " ".join(above[start:])

    @property
    def seen(self) -> dict[str, Page]:
        """Answers of other people's pages, for all units of the audit."""
        pages: dict[str, Page] = self.audit.kept.setdefault("pages", {})
        return pages

    @property
    def library(self) -> str | None:
        """Where the unit's own library of resources must lead: as declared, else for a school to the unit above.

        A managing body's leads to the Ministry's (8.9), which nothing but the inventory can name.
        """
        declared = self.content.portal.resource_library
        if declared:
            return declared.url
        if self.audit.province.kinds[self.unit.kind].binds != "school":
            return None
        parent = self.audit.province.units.get(self.unit.parent or "")
        return f"https://{parent.portal}/hoc-lieu/" if parent else None

    def fresh(self, newest: date) -> tuple[bool, str]:
        """Whether ``newest`` is within the unit's own limit (11.2c); without one there is nothing to be late for."""
        limit = self.content.portal.news_max_age_days
        age = (datetime.now(UTC).date() - newest).days
        if limit is None:
            return True, (
                f"đã {age} ngày; đơn vị không tự đặt giới hạn / {age} days old; the unit has set no limit of its own"
            )
        return age <= limit, f"đã {age} ngày, giới hạn của đơn vị {limit} / {age} days old, own limit {limit}"

    def fetched(self, url: str) -> Page:
        """The page that a link leads to, asked for once in an audit."""
        self.answered([url])
        return self.seen[url]

    def answered(self, urls: list[str]) -> Links:
        """Which of ``urls`` answer, and a line for each that does not."""
        return answered(self.audit.network, urls, self.seen, self._own)

    @property
    def _own(self) -> frozenset[str]:
        """The names that the province itself answers for: of portals, account pages and webmail."""
        kept = self.audit.kept
        if "own names" not in kept:
            settings, units = self.audit.province.settings, self.audit.province.units.values()
            names = {name for unit in units for name in unit.portal_names}
            kept["own names"] = frozenset(names | {settings.front_name, settings.accounts_name})
        found: frozenset[str] = kept["own names"]
        return found


Answer = tuple[Verdict, list[str]]


def _plain(text: str) -> str:
    """Words without marks, case and what stands between them."""
    return " ".join(re.findall(r"\w+", fold(text)))


@dataclass(frozen=True)
class Home:
    """What others need to know of a unit's home page."""

    good: bool
    said: str
    title: str
    """The words of its headings and of its head."""
    mailto: tuple[str, ...]
    """The addresses that it publishes."""

    @property
    def published(self) -> str:
        """The same as a line of evidence."""
        return f"{self.said}, mailto: {', '.join(self.mailto) or 'không có / none'}"


def home(reading: Reading) -> Home:
    """The unit's home page."""
    page = reading.portal.page("/")
    title = " ".join(" ".join(page.root.xpath("//h1//text()|//header//text()")).split())
    links = (href.strip() for href in page.root.xpath("//a/@href"))
    addresses = (href[7:].partition("?")[0].lower() for href in links if href.lower().startswith("mailto:"))
    return Home(page.good, page.said, title, tuple(addresses))


def home_of(audit: Audit, unit: Unit) -> Home:
    """The home page of any unit, asked for once in an audit."""
    if unit.id not in audit.homes:
        about = reading(audit, unit)
        audit.homes[unit.id] = home(about)
        forget(audit, about)
    seen: Home = audit.homes[unit.id]
    return seen


def homes_of(audit: Audit, units: Iterable[Unit]) -> tuple[list[tuple[Unit, Home]], list[str]]:
    """The home pages of units; and a line for each that this machine's network keeps from being seen."""
    found, unseen = [], []
    for unit in units:
        try:
            found.append((unit, home_of(audit, unit)))
        except Confined as error:
            unseen.append(f"{unit.id}: {error}")
    return found, unseen


def reading(audit: Audit, unit: Unit) -> Reading:
    """The one reading of a unit in this audit, until it is forgotten."""
    known: Reading = audit.kept.setdefault(f"portal of {unit.id}", Reading(audit, unit))
    return known


def forget(audit: Audit, reading: Reading) -> None:
    """Let go of a unit's pages and of its content: those of thousands would fill the memory."""
    audit.kept.pop(f"portal of {reading.unit.id}", None)
    audit.contents.forget(reading.unit.id)
