"""Roundcube on the gateway, for everybody's mailbox: nginx serves it, and Dovecot's front knows where that is."""

from __future__ import annotations

from functools import cache

from edumail.tree import Tree
from roles.common.inventory import Inventory
from roles.common.operations import activate_tree, stage_tree
from roles.webmail import render

# php8.4-fpm by its own name: without it PHP's package would bring Apache.
PACKAGES = (
    f"php{render.PHP}-fpm",
    "php-gd",
    "php-intl",
    "php-mbstring",
    "php-zip",
    "roundcube-core",
    "roundcube-plugins",
    "roundcube-sqlite3",
)
# Debian's dbconfig-common makes the database of people's settings, and brings it up to date with the package.
PRESEED = (
    "roundcube-core roundcube/dbconfig-install boolean true",
    "roundcube-core roundcube/database-type select sqlite3",
    "roundcube-core roundcube/reconfigure-webserver multiselect",
)


@cache
def _tree(inventory: Inventory) -> Tree:
    return render.tree(inventory.mail)


def configure(inventory: Inventory) -> None:
    """Stage Roundcube's configuration, PHP's, and who may send as whom."""
    stage_tree(name="webmail: stage", role="webmail", tree=_tree(inventory), group="www-data")


def activate(inventory: Inventory) -> None:
    """Let PHP judge it, switch, reload, and ask for the page where one signs in."""
    front = inventory.province.settings.front_name
    unit = f"php{render.PHP}-fpm.service"
    activate_tree(
        name="webmail: activate",
        role="webmail",
        tree=_tree(inventory),
        links={
            f"/etc/php/{render.PHP}/fpm/php-fpm.conf": "php-fpm.conf",
            "/var/lib/roundcube/plugins/edumail": "edumail",
            f"/etc/systemd/system/{unit}.d/edumail.conf": f"{unit}.conf",
            "/etc/systemd/system/roundcube-gc.service.d/edumail.conf": "roundcube.service.conf",
            "/etc/systemd/system/roundcube-cleandb.service.d/edumail.conf": "roundcube.service.conf",
        },
        compile=[render.COMPILE],
        check=[
            f"php-fpm{render.PHP} -t -y {{tree}}/php-fpm.conf",
            "find {tree}/ -name '*.php' -o -name '*.inc' | xargs -n 1 php -l",
        ],
        unit=unit,
        restart_on=[f"{unit}.conf"],
        probe=[
            f"printf 'GET / HTTP/1.0\\r\\nHost: {front}\\r\\n\\r\\n' | timeout 10 openssl s_client -quiet"
            f" -servername {front} -connect 127.0.0.1:443 2>/dev/null | grep -q rcmloginuser"
        ],
    )


def site(inventory: Inventory) -> str:
    """Its part of nginx's configuration."""
    return render.site(inventory.province)
