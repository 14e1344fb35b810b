"""Invented provinces of which one host of the lab carries everything: mail and portals of every unit, and the gateway.

Their names lie below one zone, and that of each school that registered its own: 3,500 units have 19 zones.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bench.portal import publish
from edumail.example import generate, write
from edumail.model import Province
from lab import lab, ssh
from lab.text import Say
from lab.topology import DEFAULT, INTERNET, Machine

SEED = 1


def gather(folder: Path, host: str) -> None:
    """Let every unit of the inventory in ``folder`` live on ``host``."""
    for path in (folder / "units").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"^  host: \S+$", f"  host: {host}", text, flags=re.M), encoding="utf-8")


def invented(units: int, folder: Path) -> None:
    """Make the inventory in ``folder``, contents of its portals included, unless it is there."""
    if folder.exists():
        return
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    write(generate(units, SEED), new)
    _into_the_lab(new)
    publish(new)
    new.rename(folder)


def _into_the_lab(folder: Path) -> None:
    """One host at an address of the lab, reached as the lab's are, and the lab's name server."""
    settings = (folder / "province.yml").read_text(encoding="utf-8")
    domain, here = settings.partition("\ndomain: ")[2].split()[0], DEFAULT[0]
    (folder / "hosts.yml").write_text(
        f"- name: {here.name}\n  fqdn: {here.name}.{domain}\n  ipv4: {here.ipv4}\n  ipv6: {here.ipv6}\n"
        "  roles: [gateway, mailstore, portal, antivirus]\n",
        encoding="utf-8",
    )
    server = f'  - {{name: ns.{domain}, ipv4: {INTERNET.ipv4}, ipv6: "{INTERNET.ipv6}"}}\n'
    settings = re.sub(r"(?<=^nameservers:\n)(?:  - .*\n)+", server, settings, flags=re.M)
    (folder / "province.yml").write_text(f"{settings}ssh_config: {ssh.CONFIG}\n", encoding="utf-8")
    gather(folder, here.name)


def boot(province: Province, folder: Path, say: Say) -> None:
    """A lab of nothing but the province's hosts, pristine; whoever boots it may audit it."""
    lab.down(say=say, lang="en")
    hosts = province.hosts.values()
    lab.up([Machine(h.name, h.fqdn, str(h.ipv4), str(h.ipv6)) for h in hosts], say=say, lang="en")
    (folder / "auditors").mkdir(exist_ok=True)
    shutil.copy(ssh.KEY.with_suffix(".pub"), folder / "auditors" / "lab.pub")
