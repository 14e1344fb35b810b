"""What the portal's two services share: whose page was asked for, its layout, escaping, and budgets.

The layout is the unit's own page, rendered with the static ones: what a service says is put into its two markers. So
the services know nothing of menus and colours, and pages of theirs look like all others.
"""

from __future__ import annotations

import html
import ipaddress
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, g, request

TITLE, MAIN = "<!--edumail:title-->", "<!--edumail:main-->"
MOST_KEYS = 20_000
"""How many networks a budget remembers; the one that was quiet the longest is forgotten first."""

escape = html.escape


class Portals:
    """The units that this host answers for, by the name of their portal, with their layouts."""

    def __init__(self, table: Path, *shells: Path):
        """table: JSON, name → what is known of the unit (at least ``unit``); shells: folders of ``UNIT.html``."""
        self._by_name: dict[str, dict[str, Any]] = json.loads(table.read_text("utf-8"))
        self._shells = shells

    def unit(self, host: str | None) -> dict[str, Any] | None:
        """The unit whose portal has the name ``host``, as a Host header gives it."""
        return self._by_name.get(re.sub(r":[0-9]{1,5}$", "", (host or "").lower()).rstrip("."))

    def page(self, unit: str, title: str, main: str) -> str:
        """A whole page. ``title`` is text, ``main`` is HTML."""
        for folder in self._shells:
            try:
                shell = (folder / f"{unit}.html").read_text("utf-8")
            except FileNotFoundError:
                continue
            break
        else:
            shell = (
                f'<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8">'
                f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{TITLE}</title></head>'
                f"<body><main>{MAIN}</main></body></html>"
            )
        # In one pass: nothing that a citizen wrote is ever looked at for a marker.
        parts = {TITLE: escape(title), MAIN: main}
        return re.sub(f"{TITLE}|{MAIN}", lambda found: parts[found[0]], shell)


def portal_app(name: str, portals: Portals, most_bytes: int) -> tuple[Flask, Callable[..., Response]]:
    """A program that answers for the units of ``portals`` alone, and what makes a page of theirs.

    The unit of a request is in ``g.unit``; a name that is none's gets 404. No answer is kept by anybody on the way.
    The second is called with title (text), main part (HTML) and, if it is not 200, the status.
    """
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = most_bytes

    @app.before_request
    def find_unit() -> None:
        g.unit = portals.unit(request.host)
        if g.unit is None:
            abort(404)

    @app.after_request
    def private(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    def page(title: str, main: str, status: int = 200) -> Response:
        return Response(portals.page(g.unit["unit"], title, main), status, mimetype="text/html")

    return app, page


def words(text: str | None, most: int = 10_000) -> str:
    """What somebody typed, as text that can be kept and shown: no control characters, no lone surrogates, cut."""
    sound = (text or "")[:most].encode("utf-8", "ignore").decode()
    return re.sub(r"[^\S\n]+", " ", re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\r\n?", _newline, sound)).strip()


def _newline(found: re.Match[str]) -> str:
    return "\n" if found[0][0] == "\r" else " "


def network(address: str | None) -> str:
    """The network of a client: a school's whole NAT is one, and so is a home's IPv6 prefix."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 56), strict=False))


class Budget:
    """A leaky bucket for each key: ``burst`` at once, then one every ``seconds``. In memory: a restart forgives."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.burst, self.seconds, self.clock = burst, seconds, clock
        self._full_until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def left(self, key: str) -> bool:
        """Whether ``key`` may do it once more, without doing it."""
        with self._lock:
            return self._full_until.get(key, 0.0) - self.clock() <= (self.burst - 1) * self.seconds

    def spend(self, key: str) -> bool:
        """Does it once; False when nothing was left."""
        with self._lock:
            now = self.clock()
            until = max(self._full_until.get(key, 0.0), now)
            if until - now > (self.burst - 1) * self.seconds:
                return False
            self._full_until[key] = until + self.seconds
            self._full_until.move_to_end(key)
            while len(self._full_until) > MOST_KEYS:
                self._full_until.popitem(last=False)
            return True
