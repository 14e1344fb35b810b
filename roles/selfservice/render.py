"""The account pages as a tree, and nginx's parts: the province's one name at the gateway, and a door on each mail host.

The gateway shows the pages of each host below a path of its own, ``/HOST/``, and asks that host by the certificates by
which hosts know each other. So one public name and one certificate do for a whole province.
"""

from __future__ import annotations

import json
from pathlib import Path

from edumail.model import Host, Province
from edumail.templates import render
from edumail.tree import Tree
from roles.accounts.render import library
from roles.common.paths import ACCOUNTS_DB, TLS, live

APP = Path(__file__).parent / "app"
PAGE = Path(__file__).parent.parent / "common" / "app" / "edumail_page.py"
UNITS = ("edumail-selfservice.socket", "edumail-selfservice.service")
SOCKET = "/run/edumail-selfservice.socket"
PEER_PATH = "/tai-khoan/"
"""Where a host answers to the gateway, under the host's own name."""


def tree(province: Province, host: Host) -> Tree:
    """The program with its pages; nothing in it is secret."""
    values = {
        "live": live("selfservice"),
        "database": ACCOUNTS_DB,
        "folder": ACCOUNTS_DB.rpartition("/")[0],
        "host": host.name,
        "issuer": province.settings.accounts_name,
        "front": province.settings.front_name,
    }
    names = {other.fqdn: name for name, other in sorted(province.hosts.items()) if other.has_mail}
    return Tree.of(
        {
            **library(),
            "hosts.json": json.dumps(names, indent=1) + "\n",
            "edumail_page.py": PAGE.read_bytes(),
            "edumail_selfservice.py": (APP / "edumail_selfservice.py").read_bytes(),
            **{f"pages/{path.name}": path.read_bytes() for path in sorted((APP / "pages").iterdir())},
            **{f"static/{path.name}": path.read_bytes() for path in sorted((APP / "static").iterdir())},
            **{unit: render(f"selfservice/etc/systemd/{unit}.j2", **values) for unit in UNITS},
        }
    )


def url(province: Province, host: Host, page: str = "") -> str:
    """Where people find a page of ``host``."""
    return f"https://{province.settings.accounts_name}/{host.name}/{page}"


def site(province: Province, gateway: Host, certificate: str) -> str:
    """For nginx on the gateway, at the level of ``http``; certificate: the file that covers the name."""
    others = [host for host in province.hosts.values() if host.has_mail and host.name != gateway.name]
    return render(
        "selfservice/etc/nginx/sites/selfservice.conf.j2",
        name=province.settings.accounts_name,
        certificate=certificate,
        own=gateway.name,
        others={host.name: host.fqdn for host in others},
        path=PEER_PATH,
        socket=SOCKET,
        static=f"{live('selfservice')}/static",
        tls=TLS,
    )


def peer_location() -> str:
    """For nginx on every other mail host, in the block that answers to hosts alone."""
    return render("selfservice/etc/nginx/peer.location.j2", path=PEER_PATH, socket=SOCKET)


def probe() -> str:
    """A command that succeeds when the program answers."""
    asked = "GET /dang-nhap HTTP/1.0\\r\\n\\r\\n"
    return (
        f"python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('{SOCKET}');"
        f" s.sendall(b'{asked}'); assert b' 200 ' in s.recv(100)\""
    )
