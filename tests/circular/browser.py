"""A real browser for questions that only rendering answers: width on a phone, and the rules for accessibility."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage")
"""No proxy of the auditor's is asked, as the rest of the audit asks none; a small /dev/shm would crash pages."""
PHONE = {"width": 360, "height": 740}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
"""Axe's names of the levels A and AA of WCAG 2.0 and 2.1."""
AT_ONCE = min(4, os.cpu_count() or 1)
"""Pages that are open at a time: each keeps a core busy while it is judged."""
OUTLINE = ["page-has-heading-one", "heading-order", "skip-link"]
"""Its rules about how a page is found one's way in, which belong to no level."""

ASKED = {"runOnly": RULES, "rules": {rule: {"enabled": True} for rule in OUTLINE}}
"""What axe is asked."""


@dataclass(frozen=True)
class Seen:
    """What the browser saw of one page."""

    url: str
    overflow: int
    """By how many CSS pixels the page is wider than the phone."""
    violations: tuple[str, ...]
    """Rules of accessibility that it breaks, each with where."""
    undecided: tuple[str, ...] = ()
    """Rules of which axe can't tell whether it breaks them, each with where."""


class Browser:
    """Chromium without a window, a phone's screen and no JavaScript of the page's own; closed with the block.

    addresses: name → IP address, since names are looked up as the rest of the audit looks them up; None: nowhere.
    Chains are judged by other questions, so the browser trusts every certificate. Raises RuntimeError where this
    machine has no browser.
    """

    def __init__(self, addresses: Mapping[str, str | None]):
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        if path is None:
            raise RuntimeError(f"máy này không có trình duyệt / this machine has no browser ({', '.join(BROWSERS)})")
        try:
            from axe_playwright_python.base import AXE_FILE_PATH
            from playwright.async_api import async_playwright
        except ImportError as error:
            raise RuntimeError(f"máy này thiếu / this machine has no: {error.name}") from error
        self._axe = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
        rules = ",".join(f"MAP {name} {_place(address)}" for name, address in addresses.items())
        self._here = asyncio.Runner()
        self._playwright = self._here.run(async_playwright().start())
        try:
            self._chromium = self._here.run(
                self._playwright.chromium.launch(
                    executable_path=path, args=[*ARGUMENTS, f"--host-resolver-rules={rules}"]
                )
            )
        except Exception as error:
            self._here.run(self._playwright.stop())
            self._here.close()
            why = f"trình duyệt không khởi động / the browser does not start: {str(error)[:200]}"
            raise RuntimeError(why) from error
        self._context = self._here.run(
            self._chromium.new_context(viewport=PHONE, ignore_https_errors=True, bypass_csp=True)
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._here.run(self._chromium.close())
        self._here.run(self._playwright.stop())
        self._here.close()

    def look(self, urls: Iterable[str]) -> list[Seen | str]:
        """Open each of ``urls`` on a phone and judge it; of one that can't be opened the answer is why."""
        return self._here.run(self._look(urls))

    async def _look(self, urls: Iterable[str]) -> list[Seen | str]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(url: str) -> Seen | str:
            async with turn:
                try:
                    return await self._judge(url)
                except Exception as error:  # Playwright's own kinds; one page ends no other's look
                    return f"{url}: {str(error)[:200]}"

        return await asyncio.gather(*map(one, urls))

    async def _judge(self, url: str) -> Seen | str:
        page = await self._context.new_page()
        try:
            response = await page.goto(url, timeout=20_000)
            if response is None or response.status != 200:
                return f"{url} → {response.status if response else 'không trả lời / nothing'}"
            overflow = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            await page.evaluate(self._axe)
            found = await page.evaluate(f"axe.run({json.dumps(ASKED)})")
        finally:
            with contextlib.suppress(Exception):  # of a page that has crashed
                await page.close()
        broken, undecided = (tuple(_rules(found[kind])) for kind in ("violations", "incomplete"))
        return Seen(url, max(0, int(overflow)), broken, undecided)


def _place(address: str | None) -> str:
    """As ``--host-resolver-rules`` takes it."""
    return "~NOTFOUND" if address is None else f"[{address}]" if ":" in address else address


def _rules(found: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for rule in found:
        where = ", ".join(node["target"][0] for node in rule["nodes"][:3])
        yield f"{rule['id']} ({rule['impact']}): {where}"
