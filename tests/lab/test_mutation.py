"""Ten faults a day, drawn by the date: each turns red exactly what it declared. ``make mutation`` seeds them all."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edumail.circular.verdicts import Finding
from tests.lab.province import LabProvince
from tests.mutation import run
from tests.mutation.faults import FAULTS

DAY = datetime.now(UTC).strftime("%Y-%m-%d")
TODAY = sorted(FAULTS, key=lambda name: hashlib.sha256(f"{DAY} {name}".encode()).digest())[:10]


@pytest.fixture(scope="module")
def baseline(province: LabProvince, inventory: Path) -> list[Finding]:
    """The audit of a lab in which nothing is broken."""
    return run.sound(run.audit(inventory))


@pytest.mark.parametrize("name", TODAY)
def test_a_fault_turns_red_what_it_declares_and_nothing_else(name: str, baseline: list[Finding]) -> None:
    outcome = run.judge(FAULTS[name], baseline)
    assert (outcome.missed, outcome.false) == ([], [])
