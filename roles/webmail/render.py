"""Roundcube's configuration, that of the PHP which runs it, and the addresses that each person may write from."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from edumail import discovery
from edumail.certificates import HOST
from edumail.mail import Mail
from edumail.model import Province
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import TLS, live, shown

PHP = "8.4"
"""The version of PHP in Debian 13; paths and package names have it."""
PLUGIN = Path(__file__).parent / "app" / "edumail"
SOCKET = "/run/php/webmail.sock"
COMPILE = (
    "cd {tree} && rm -f senders.db && sqlite3 senders.db"
    " '.import --csv senders.csv sender' 'CREATE INDEX of_login ON sender (login)'"
)
"""Makes the database of a tree, with ``{tree}`` where it lies."""


def tree(mail: Mail) -> Tree:
    """Everything but the site: nothing in it is secret, Roundcube's key is made by its package on the host."""
    settings = mail.province.settings
    size = mail.province.message_size_limit_mb
    values = {
        "front": settings.front_name,
        "title": php_string(f"Thư điện tử {settings.name}"),
        "support": f"https://{next(u for u in mail.province.units.values() if u.parent is None).portal}/",
        "message_size_mb": size,
        "upload_mb": upload_mb(mail.province),
        "live": live("webmail"),
        "tls": TLS,
        "socket": SOCKET,
    }
    unit = f"php{PHP}-fpm.service.conf"
    return Tree.of(
        {
            "config.inc.php": render("webmail/etc/roundcube/config.inc.php.j2", **values),
            "php-fpm.conf": render(f"webmail/etc/php/{PHP}/fpm/php-fpm.conf.j2", **values),
            unit: render(f"webmail/etc/systemd/{unit}.j2"),
            "roundcube.service.conf": render("webmail/etc/systemd/roundcube.service.conf.j2", **values),
            "senders.csv": senders(mail),
            **{
                f"edumail/{path.relative_to(PLUGIN).as_posix()}": path.read_bytes()
                for path in PLUGIN.rglob("*")
                if path.is_file()
            },
        }
    )


def site(province: Province) -> str:
    """nginx's part: the front's name."""
    return render(
        "webmail/etc/nginx/sites/webmail.conf.j2",
        front=province.settings.front_name,
        upload_mb=upload_mb(province),
        socket=SOCKET,
        certificate=shown(HOST),
        address=discovery.ADDRESS,
    )


def upload_mb(province: Province) -> int:
    """Largest request in MiB: a message of the largest size travels in base64 (RFC 2045, 6.8), 4 bytes for 3."""
    return math.ceil(province.message_size_limit_mb * 4 / 3)


def senders(mail: Mail) -> str:
    """CSV of sign-in name, address, name and unit: each person's own address first, then the shared mailboxes held."""
    units = mail.province.units
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("login", "address", "name", "organization"))
    for boxes in mail.mailboxes.values():
        for box in boxes.values():
            if box.person is not None:
                for address in (box.address, *box.holds):
                    sender = boxes[address]
                    writer.writerow((box.address, address, sender.name, units[sender.unit].name))
    return table.getvalue()


def php_string(text: str) -> str:
    """``text`` as a literal of PHP."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
