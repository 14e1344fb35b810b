"""Where each entry of an inventory stands, for messages that point at it."""

from __future__ import annotations

from dataclasses import dataclass, field

from edumail.problems import Where
from edumail.yamlsource import Document, Path


@dataclass
class Sources:
    """Places by table ("unit", "host", "group", "person", "left", "province") and key."""

    entries: dict[tuple[str, str], tuple[Document, Path]] = field(default_factory=dict)
    rows: dict[tuple[str, str], Where] = field(default_factory=dict)
    unread: set[tuple[str, str]] = field(default_factory=set)
    """Entries that stand in a file but could not be read: others may name them."""
    gaps: set[str] = field(default_factory=set)
    """Tables with entries that could not be read and whose names nobody knows."""

    def add(self, table: str, key: str, document: Document, path: Path) -> Where | None:
        """Register a YAML entry; gives the place of the first one if ``key`` is taken, and keeps that."""
        if (table, key) in self.entries:
            return self.at(table, key)
        self.entries[table, key] = (document, path)
        return None

    def add_row(self, table: str, key: str, where: Where) -> Where | None:
        """Register a CSV row; gives the place of the first one if ``key`` is taken, and keeps that."""
        first = self.rows.setdefault((table, key), where)
        return None if first is where else first

    def missing(self, table: str, key: str) -> bool:
        """Whether ``key`` may well be there and just could not be read: then to call it unknown would mislead."""
        return table in self.gaps or (table, key) in self.unread

    def complete(self, *tables: str) -> bool:
        """Whether all entries of these tables could be read."""
        return self.gaps.isdisjoint(tables) and not any(table in tables for table, _ in self.unread)

    def at(self, table: str, key: str, *path: str | int) -> Where:
        """The place of a value of an entry, such as ``at("unit", "thcs-le-loi", "domain")``."""
        if (table, key) in self.rows:
            return self.rows[table, key]
        if (table, key) not in self.entries:
            return Where(table)
        document, base = self.entries[table, key]
        return document.where((*base, *path))
