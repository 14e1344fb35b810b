"""What a host has to be like changes with the calendar in its pages alone, and an untouched host has half a year."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import LAB

from edumail.load import load
from tests.circular import host
from tests.circular.host import HostFacts, still_good
from tests.rendered import render_one

HOST = "mail-xa"
FIRST, LAST, NEXT = date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 1)


@pytest.fixture(scope="module")
def compiled() -> Callable[[date], dict[str, str]]:
    @cache
    def digests(day: date) -> dict[str, str]:
        return {release.role: release.tree.digest for release in render_one(LAB, HOST, day).releases}

    return digests


@pytest.mark.parametrize(
    ("today", "day"),
    [
        ("2027-01-01", "2026-12-31"),
        ("2027-06-13", "2026-12-31"),  # its security.txt holds for seven days more
        ("2027-06-14", None),
        ("2027-07-01", "2027-06-30"),
        ("2027-12-13", "2027-06-30"),
        ("2027-12-14", None),
    ],
)
def test_the_half_year_before_is_good_until_near_its_end(today: str, day: str | None) -> None:
    assert still_good(date.fromisoformat(today)) == (day and date.fromisoformat(day))


def test_all_days_of_a_half_year_compile_the_same_and_the_next_other_pages(
    compiled: Callable[[date], dict[str, str]],
) -> None:
    assert compiled(FIRST) == compiled(LAST)
    assert {role for role, digest in compiled(NEXT).items() if digest != compiled(LAST)[role]} == {"portal"}


@pytest.mark.parametrize(
    ("deployed", "today", "good"),
    [
        (FIRST, LAST, True),
        (FIRST, NEXT, True),  # the night in which untouched hosts turned red
        (LAST, date(2027, 6, 13), True),
        (LAST, date(2027, 6, 14), False),
        (LAST, date(2027, 7, 1), False),
        (date(2026, 6, 30), NEXT, False),
        (NEXT, LAST, False),  # nobody has deployed tomorrow
    ],
)
def test_an_untouched_host_is_as_it_should_be_while_its_pages_hold(
    compiled: Callable[[date], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    deployed: date,
    today: date,
    good: bool,
) -> None:
    monkeypatch.setattr(
        host,
        "render_one",
        lambda folder, name, day: SimpleNamespace(
            releases=[SimpleNamespace(role=r, tree=SimpleNamespace(digest=d)) for r, d in compiled(day).items()]
        ),
    )
    facts = facts_on(today, compiled(deployed))
    assert [role for role in facts.wanted if facts.differing(role)] == ([] if good else ["portal"])
    assert bool(facts.dated) == (good and deployed != today and today != LAST)
    touched = facts_on(today, compiled(deployed), wrong=["sites/th/index.html: đã đổi hoặc mất / changed or gone"])
    assert touched.differing("portal")


def facts_on(today: date, live: dict[str, str], wrong: list[str] | None = None) -> HostFacts:
    """A host under audit on a day."""
    trees = {role: {"active": digest, "live": digest, "wrong": wrong or []} for role, digest in live.items()}
    audit: Any = SimpleNamespace(folder=LAB, province=load(LAB, today))
    on: Any = SimpleNamespace(name=HOST, ask=lambda command: {"roles": trees, "deploying": False})
    return HostFacts(audit, on)
