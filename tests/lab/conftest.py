"""One lab for the whole session: booted from nothing, deployed as a user would, its zones published.

``EDUMAIL_LAB=reuse`` takes a lab that is up and deployed and leaves it so: for those who write tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.province import ROOT, LabProvince

INVENTORY = ROOT / "inventories" / "lab"
BEGAN = float(os.environ.get("EDUMAIL_JOURNAL_SINCE") or time.time())


def edumail(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "edumail", *words, "--lang", "en"]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, **options)  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def province() -> Iterator[LabProvince]:
    """The deployed province."""
    if os.environ.get("EDUMAIL_LAB") == "reuse":
        yield LabProvince(INVENTORY)
        return
    run("lab", "down")
    try:
        for step in (["lab", "up"], ["deploy", str(INVENTORY)], ["lab", "dns"]):
            run(*step)
        yield LabProvince(INVENTORY)
    finally:
        run("lab", "down")


def run(*words: str) -> None:
    """A step of the set-up, with its own progress on the terminal. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "edumail", *words], cwd=ROOT, check=True, stdout=sys.__stderr__)


@pytest.fixture(scope="session")
def journal_since() -> float:
    """From when on journals are this session's; hosts have this machine's clock."""
    return BEGAN if os.environ.get("EDUMAIL_LAB") == "reuse" else 0


@pytest.fixture(scope="session")
def inventory() -> Path:
    """The folder of the lab's inventory."""
    return INVENTORY
