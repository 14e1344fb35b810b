"""What ``deploy.py`` would make live on each host of a province, found out without any host.

The deploy file itself runs, with every operation replaced by one that only notes what it was asked to do: so what is
judged in tests is what a deploy would judge, and a new role is judged without a word here.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from edumail.tree import Tree
from roles.common.inventory import open_inventory
from roles.common.scripts import access_line

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


def releases(inventory: Path) -> list[Release]:
    """All trees of all hosts, in the order of a deploy."""
    # In a process of its own: the roles must be imported after the operations were replaced.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_releases, inventory).result()


def _releases(inventory: Path) -> list[Release]:
    import pyinfra.api
    from pyinfra.context import ctx_host, ctx_state

    noted: list[tuple[str, Mapping[str, Any]]] = []

    def operation(**_: Any) -> Callable[[Any], Any]:
        return lambda function: lambda **arguments: noted.append((function.__name__, arguments)) or Mock()

    pyinfra.api.operation = operation
    hosts = [(name, {"inventory": str(inventory)}) for name in open_inventory(str(inventory)).province.hosts]
    state = pyinfra.api.State(pyinfra.api.Inventory((hosts, {})), pyinfra.api.Config())
    result = []
    for host in state.inventory:
        noted.clear()
        with ctx_state.use(state), ctx_host.use(host):
            runpy.run_path(str(ROOT / "deploy.py"))
        stages = {arguments["role"]: arguments for name, arguments in noted if name == "stage_tree"}
        result += [
            _release(host.name, stages[arguments["role"]], arguments)
            for name, arguments in noted
            if name == "activate_tree"
        ]
    return result


def _release(host: str, stage: Mapping[str, Any], activate: Mapping[str, Any]) -> Release:
    tree = activate["tree"]
    return Release(
        host=host,
        role=activate["role"],
        tree=tree() if callable(tree) else tree,
        access=access_line(
            stage.get("owner", "root"), stage.get("group", "root"), world_readable=stage.get("world_readable", False)
        ),
        compile=tuple(activate.get("compile", ())),
        check=tuple(activate.get("check", ())),
    )
