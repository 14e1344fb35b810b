"""What ``deploy.py`` would put on each host of a province, found out without any host.

The deploy file itself runs, with every operation replaced by one that only notes what it was asked to do: so what tests
judge is what a deploy would make live, and a new role is judged without a word here.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from edumail.certificates import open_published
from edumail.load import load
from edumail.tree import Tree

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Release:
    """One tree for one host: who may read it there, and the commands by which it is compiled and judged."""

    host: str
    role: str
    tree: Tree
    access: str
    compile: tuple[str, ...]
    check: tuple[str, ...]


@dataclass(frozen=True)
class Rendered:
    """All that one host gets: packages, and trees in the order in which they are made live."""

    host: str
    packages: tuple[str, ...]
    releases: tuple[Release, ...]
    steps: tuple[tuple[str, str], ...]
    """Each operation on a tree with its role, in order: ``("remove_tree", "srs")``."""


def rendered(inventory: Path) -> list[Rendered]:
    """Each host of a province. The roles run in a process of their own, see :func:`render_here`."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_rendered, inventory).result()


def render_one(inventory: Path, host: str, on: date | None = None) -> Rendered:
    """One host of a province, in a process of its own. on: the day on which it is deployed, by default today."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_rendered, inventory, host, on).result()[0]


def _rendered(inventory: Path, only: str | None = None, on: date | None = None) -> list[Rendered]:
    return list(render_here(inventory, only, on))


def render_here(inventory: Path, only: str | None = None, on: date | None = None) -> Iterator[Rendered]:
    """Host after host in this process: no role may have been imported before, and none is of use afterwards.

    only: the one host that is wanted; on: as of which day. Nothing secret is needed: of certificates that came as
    files the published halves do.
    """
    import pyinfra.api
    from pyinfra.context import ctx_host, ctx_state

    noted: list[tuple[str, Mapping[str, Any]]] = []

    def operation(**_: Any) -> Callable[[Any], Any]:
        return lambda function: lambda **arguments: noted.append((function.__name__, arguments)) or Mock()

    pyinfra.api.operation = operation

    from roles.common.inventory import open_inventory

    opened = open_inventory(str(inventory))
    if on is not None and on != opened.province.today:
        opened.province = load(inventory, on)
    opened.supply = open_published(opened.province, inventory, datetime.now(UTC))
    names = [only] if only else list(opened.province.hosts)
    hosts = [(name, {"inventory": str(inventory)}) for name in names]
    state = pyinfra.api.State(pyinfra.api.Inventory((hosts, {})), pyinfra.api.Config())
    for host in state.inventory:
        noted.clear()
        with ctx_state.use(state), ctx_host.use(host):
            runpy.run_path(str(ROOT / "deploy.py"))
        stages = {arguments["role"]: arguments for name, arguments in noted if name == "stage_tree"}
        packages = {package for name, arguments in noted if name == "apt_packages" for package in arguments["packages"]}
        releases = (
            _release(host.name, stages[arguments["role"]], arguments)
            for name, arguments in noted
            if name == "activate_tree"
        )
        steps = ((name, arguments["role"]) for name, arguments in noted if "role" in arguments)
        yield Rendered(host.name, tuple(sorted(packages)), tuple(releases), tuple(steps))


def _release(host: str, stage: Mapping[str, Any], activate: Mapping[str, Any]) -> Release:
    from roles.common.scripts import access_line

    tree = activate["tree"]
    readers = (stage.get("owner", "root"), stage.get("group", "root"))
    return Release(
        host=host,
        role=activate["role"],
        tree=tree() if callable(tree) else tree,
        access=access_line(*readers, world_readable=stage.get("world_readable", False)),
        compile=tuple(activate.get("compile", ())),
        check=tuple(activate.get("check", ())),
    )
