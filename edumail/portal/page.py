"""One page of a portal, before the unit's layout is put around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from html import unescape

from markupsafe import Markup

_TAG = re.compile(r"<[^>]*>")
"""A tag of our own making: in texts and attributes ``<`` and ``>`` are escaped."""


@dataclass(frozen=True)
class Page:
    """What stands inside <main>, and what the head and the site's lists say of it."""

    url: str
    """Path below the unit's name, beginning with a slash."""
    title: str
    description: str
    main: Markup
    section: str
    """Title of the section it belongs to, for the search index."""
    crumbs: tuple[tuple[str, str], ...] = ()
    """URL and title of each page on the way here, after the home page."""
    published: date | None = None
    updated: date | None = None
    author: str | None = None
    source: str | None = None
    subject: str | None = None
    lang: str = "vi"
    kind: str = "website"
    """Type for Open Graph: ``website`` or ``article``."""
    image: str | None = None

    @property
    def text(self) -> str:
        """Its plain words, for the search index."""
        return " ".join(unescape(_TAG.sub(" ", str(self.main))).split())

    @property
    def changed(self) -> date | None:
        """The day of its last change."""
        return self.updated or self.published


def day(value: date) -> str:
    """A day as Vietnamese text writes it: ``05/09/2026``."""
    return value.strftime("%d/%m/%Y")
