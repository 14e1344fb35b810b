"""The page of each unit: who it is, whom it stands under, how to reach it, and the address for the public (4.2.2)."""

from __future__ import annotations

from functools import cached_property

from edumail.model import Host, Province, Unit
from edumail.templates import render
from edumail.tree import File
from edumail.units import Units, portal_host


class Pages:
    """The portal pages of a province; a host gets those of the units that it serves."""

    def __init__(self, province: Province):
        self.province = province
        self.units = Units(province)

    @cached_property
    def by_host(self) -> dict[str, list[Unit]]:
        """Host name → the units whose page it serves, in order of id."""
        result: dict[str, list[Unit]] = {name: [] for name in self.province.hosts}
        for unit in sorted(self.province.units.values(), key=lambda unit: unit.id):
            result[portal_host(unit)].append(unit)
        return result

    def sites(self, host: Host) -> dict[str, str]:
        """Name of a page → the folder under ``sites/`` that holds it."""
        return {unit.portal: unit.id for unit in self.by_host[host.name]}

    def files(self, host: Host) -> dict[str, File]:
        """Everything the web server serves, by path under the tree's root: ``sites/<unit>/…`` and ``assets/…``."""
        files = {"assets/style.css": File(render("portal/site/style.css.j2").encode())}
        for unit in self.by_host[host.name]:
            files[f"sites/{unit.id}/index.html"] = File(self.page(unit).encode())
        return files

    def page(self, unit: Unit) -> str:
        """The unit's page as HTML, without scripts."""
        return render(
            "portal/site/index.html.j2",
            unit=unit,
            kind=self.province.kinds[unit.kind],
            parent=self.province.units[unit.parent] if unit.parent else None,
            children=sorted(self.units.children[unit.id], key=lambda child: child.name),
            officer=self.units.officer(unit),
            head=self.units.head(unit),
            posts=self.province.posts,
            province=self.province.settings,
        )
