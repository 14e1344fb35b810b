from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from edumail.load import load
from edumail.model import Province
from edumail.problems import InventoryError, Problem

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"

# A machine that does something else for a fifth of a second is no finding.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


class Inventory:
    """A copy of inventories/lab to spoil."""

    def __init__(self, folder: Path):
        self.folder = folder
        shutil.copytree(LAB, folder, ignore=shutil.ignore_patterns("published", "__pycache__"))

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the first ``old`` in ``file``; it must be there."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def write(self, file: str, content: str | bytes) -> None:
        path = self.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def place(self, file: str, needle: str) -> tuple[int, int]:
        """Line and column of the first ``needle``, counted from 1."""
        before, found, _ = (self.folder / file).read_text(encoding="utf-8").partition(needle)
        assert found, f"{file} does not hold {needle!r}"
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    def problems(self) -> list[Problem]:
        try:
            load(self.folder)
        except InventoryError as error:
            return error.problems
        return []


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "lab")


@pytest.fixture(scope="session")
def province() -> Province:
    return load(LAB)
