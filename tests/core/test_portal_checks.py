"""The audit's questions about portals, asked of the pages that the core renders: each passes once and fails once."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.catalogue import requirements
from edumail.load import load
from edumail.mail import Mail
from edumail.portal.load import Contents
from edumail.portal.site import Portals
from tests.circular import test_article_8_managing_bodies as article_8
from tests.circular import test_article_9_schools as article_9
from tests.circular.portal import Reading

ROOT = Path(__file__).parents[2]
CHECKS = {**article_8.CHECKS, **article_9.CHECKS}
APP = {"C37-8.1b", "C37-9.1b", "C37-8.11", "C37-8.12"}
"""What an app answers, not a file: tests/lab asks those."""


class Answer:
    def __init__(self, status: int, headers: Mapping[str, str]):
        self.status, self.headers = status, headers

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self.headers.items())


class Files:
    """The pages of a province as they would be served, and an outside world in which every link answers."""

    def __init__(self, folder: Path):
        self.province = load(folder)
        self.contents = Contents(folder, self.province)
        portals = Portals(self.province, self.contents)
        self.files: dict[tuple[str, str], bytes] = {}
        names = {unit.id: unit.portal for unit in self.province.units.values()}
        for host in self.province.hosts.values():
            for path, file in portals.files(host).items():
                kind, _, rest = path.partition("/")
                if kind == "sites":
                    unit, _, rest = rest.partition("/")
                    self.files[names[unit], f"/{rest}".removesuffix("index.html")] = file.content

    def https(self, host: str, path: str = "/") -> tuple[Answer, bytes]:
        own = {unit.portal for unit in self.province.units.values()}
        if host not in own:
            return Answer(200, {}), b'<input type="password">'
        if (host, path) not in self.files:
            return Answer(404, {}), b""
        return Answer(200, {}), self.files[host, path]


class Heard(Reading):
    """A reading for which all mail arrives."""

    def refused(self, addresses: list[str]) -> list[str]:
        return []

    def arrives(self, address: str) -> tuple[bool, str]:
        return True, "arrived"


def reading(files: Files, unit: str) -> Heard:
    audit: Any = SimpleNamespace(
        network=files, province=files.province, contents=files.contents, mail=Mail(files.province), kept={}
    )
    return Heard(audit, files.province.units[unit])
