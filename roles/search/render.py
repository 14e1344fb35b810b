"""Search and look-up as trees: the service for everybody, and the results, which only root may read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from edumail.model import Unit
from edumail.portal.model import Content
from edumail.templates import render
from edumail.tree import File, Tree
from roles.common.paths import live

APP = Path(__file__).parent / "app"
PAGE = Path(__file__).parent.parent / "common" / "app" / "edumail_page.py"
UNITS = ("edumail-search.socket", "edumail-search.service", "edumail-search-index.service")
STATE = "/var/lib/edumail/search"
SOCKET = "/run/edumail-search.socket"
CODE = ("edumail_page.py", "edumail_search.py", "edumail_search_web.py")
"""What the running service has read."""


def tree(units: Iterable[Unit]) -> Tree:
    """The service, for the portals of ``units``."""
    values = {"live": live("search"), "portal": live("portal"), "results": live("results"), "state": STATE}
    return Tree.of(
        {
            "edumail_page.py": PAGE.read_bytes(),
            "edumail_search.py": (APP / "edumail_search.py").read_bytes(),
            "edumail_search_web.py": (APP / "edumail_search_web.py").read_bytes(),
            "edumail_search_index.py": File((APP / "edumail_search_index.py").read_bytes(), executable=True),
            "units.json": json.dumps({unit.portal: {"unit": unit.id} for unit in units}, indent=1) + "\n",
            # A group of its own: the web server may ask the service, and may not read what it reads.
            "sysusers.conf": "u edumail-search - 'edumail search and look-up'\n",
            "tmpfiles.conf": f"d {STATE} 2750 root edumail-search\n",
            **{unit: render(f"search/etc/systemd/{unit}.j2", **values) for unit in UNITS},
        }
    )


def results(contents: Iterable[Content]) -> Tree:
    """``results/<unit>.json``: what is looked up by number (8.11, 8.12). It is never served as a file."""
    files = {f"results/{content.unit}.json": _results(content) for content in contents}
    return Tree.of({path: text for path, text in files.items() if text})


def _results(content: Content) -> str:
    if not content.examinations and not content.diplomas:
        return ""
    found = {
        "examinations": [
            {
                "slug": examination.slug,
                "title": examination.title,
                "published": examination.published.isoformat(),
                "results": {result.candidate: dict(result.marks) for result in examination.results},
            }
            for examination in content.examinations
        ],
        "diplomas": [
            (diploma.number, diploma.kind, diploma.issued.strftime("%d/%m/%Y"), diploma.register)
            for diploma in content.diplomas
        ],
    }
    return json.dumps(found, ensure_ascii=False) + "\n"


def probe(name: str) -> str:
    """A command that succeeds when the service answers for the portal ``name``."""
    asked = f"GET /tim-kiem HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n"
    return (
        f"python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('{SOCKET}');"
        f" s.sendall(b'{asked}'); assert b' 200 ' in s.recv(100)\""
    )


def zones() -> str:
    """For nginx, at the level of ``http``: who asks how often, and a log without what was asked."""
    return render("search/etc/nginx/zones.conf.j2")


def locations() -> str:
    """For nginx, in each server block of the portals."""
    return render("search/etc/nginx/locations.conf.j2", socket=SOCKET)
