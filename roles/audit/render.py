"""The auditor's account and the one command that it may run as root."""

from __future__ import annotations

import json
from pathlib import Path

from edumail.model import Province
from edumail.tree import File, Tree
from roles.accounts.render import library
from roles.dovecot import render as dovecot
from roles.postfix import render as postfix
from roles.webmail import render as webmail

APP = Path(__file__).parent / "app"
FEWEST = 1024
COMMAND = "/usr/local/sbin/edumail-audit"
COMPILED = {"dovecot": dovecot.COMPILE, "postfix": postfix.COMPILE, "webmail": webmail.COMPILE}
"""By role how what its deploy compiles is compiled again, to be compared with what is live."""


def tree(province: Province) -> Tree:
    """SSH keys of the auditors, the sudo rule, the command, what it compares, tells and may write to; no secrets."""
    keys = "".join(f"restrict {auditor.ssh_key}\n" for auditor in province.auditors)
    ministry = province.settings.ministry
    return Tree.of(
        {
            **library(),
            "edumail-audit": File((APP / "edumail_audit.py").read_bytes(), executable=True),
            **{name: (APP / name).read_bytes() for name in ("edumail_host.py", "edumail_made.py")},
            "compile.json": json.dumps(COMPILED) + "\n",
            "authorized_keys": keys,
            "province.json": json.dumps({"domains": domains(province), "letters": letters(province)}) + "\n",
            "ministry": f"{ministry.director_list}\n{ministry.clerk_list}\n" if ministry else "",
            "sudoers": f"auditor ALL=(root) NOPASSWD: {COMMAND}\n",
        }
    )


def domains(province: Province) -> list[str]:
    """The domains of units and groups."""
    addresses = (group.address.partition("@")[2] for group in province.groups)
    return sorted({*(unit.domain for unit in province.units.values()), *addresses})


def letters(province: Province) -> int:
    """How many letters an audit may send from mailboxes of a host, as many as one of all units needs.

    From each unit to another, back, and to the outside; to each section; to each group of
    a managing body, those of the catalogue too (``tests/circular/letters.py``).
    Rounded up to a power of two, so that not every new school changes it on every host.
    """
    units = province.units.values()
    managing = sum(province.kinds[unit.kind].binds != "school" for unit in units)
    needed = 3 * len(units) + sum(len(unit.sections) for unit in units) + len(province.groups)
    needed += managing * len(province.standard_groups)
    return max(FEWEST, 1 << (needed - 1).bit_length())
