"""A province whose units have not published everything: it is sound, and what is missing is shown as missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edumail import cli
from edumail.circular.catalogue import requirements
from edumail.load import load
from edumail.portal.load import Contents
from edumail.portal.sections import BY_ID, SECTIONS, incomplete
from edumail.portal.site import Portals
from tests.core.test_portal_checks import ASKED, Files, answer, reading

FOLDER = Path(__file__).parents[1] / "data" / "thieu"
COMPLETE = {
    "so": {"contact"},
    "vhxh-mai-lam": {"introduction", "contact", "news"},
    "th-mai-lam": {
        "introduction",
        "leaders",
        "contact",
        "news",
        "documents",
        "consultations",
        "services",
        "statistics",
        "resources",
    },
}
"""Of each unit's mandatory sections those that lack nothing."""
PART = {("vhxh-mai-lam", "C37-8.4b")}
"""What is there in a section that lacks something for another requirement."""


@pytest.fixture(scope="module")
def files() -> Files:
    return Files(FOLDER)


@pytest.fixture(scope="module")
def portals() -> Portals:
    province = load(FOLDER)
    return Portals(province, Contents(FOLDER, province))


def test_a_section_that_is_missing_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(FOLDER), "--lang", "en"]) == 0
    assert "no mistakes" in capsys.readouterr().out


@pytest.mark.parametrize("unit", COMPLETE)
def test_what_lacks_is_named(portals: Portals, unit: str) -> None:
    view = portals.view(portals.province.units[unit])
    mandatory = {section.id for section in SECTIONS if section.mandatory(view)}
    assert mandatory - set(incomplete(view, portals.contents.of(unit))) == COMPLETE[unit]


@pytest.mark.parametrize("unit", COMPLETE)
def test_pages_say_what_is_missing_and_fill_nothing_in(portals: Portals, unit: str) -> None:
    made = portals.unit(portals.province.units[unit])
    home = made[f"sites/{unit}/index.html"].content.decode()
    for id in incomplete(portals.view(portals.province.units[unit]), portals.contents.of(unit)):
        path = BY_ID[id].path.partition("#")[0]
        assert f'href="{BY_ID[id].path}"' in home, "the menu has it all the same"
        # What a program answers is shown as missing on the page of services.
        file = f"sites/{unit}{path if path.endswith('/') else '/dich-vu/'}index.html"
        assert f'data-missing="{id}"' in made[file].content.decode()


@pytest.mark.parametrize("requirement", ASKED)
def test_the_audit_passes_only_what_is_there(files: Files, requirement: str) -> None:
    section = next((s.id for s in SECTIONS for asked in s.asked.values() if requirement in asked), None)
    for unit in files.province.units.values():
        if not requirements()[requirement].applies_to(files.province.kinds[unit.kind]):
            continue
        verdict, evidence = answer(requirement, reading(files, unit.id))
        if section in COMPLETE[unit.id] or (unit.id, requirement) in PART:
            assert verdict == "pass", (unit.id, evidence)
        elif section is not None and section != "school_management":
            assert verdict == "fail", (unit.id, evidence)
