"""What the READMEs show is what one sees: their files and commands, as far as no host is needed."""

from __future__ import annotations

import re

import pytest
from conftest import LAB, ROOT, Inventory

from edumail import cli
from edumail.dns import zones
from edumail.load import load

READMES = {"en": ROOT / "README.md", "vi": ROOT / "README.vi.md"}


def blocks(lang: str, kind: str = r"\w*") -> list[str]:
    """The fenced blocks of a README, in order; ``kind`` is what stands after the fence."""
    text = READMES[lang].read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def outputs(lang: str, command: str) -> list[str]:
    """What the README shows after a command, each time."""
    return [block.partition("\n")[2] for block in blocks(lang, "console") if block.startswith(f"$ {command}\n")]


def block_with(lang: str, text: str) -> str:
    return next(block for block in blocks(lang) if text in block)


@pytest.mark.parametrize("lang", READMES)
def test_the_files_shown_are_those_of_the_lab(lang: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in LAB.rglob("*.yml")]
    rows = {row for path in LAB.rglob("*.csv") for row in path.read_text(encoding="utf-8").splitlines()}
    shown = [block for block in blocks(lang, "yaml") if "dong-chiem" not in block]
    assert len(shown) > 3
    assert [block for block in shown if not any(block in text for text in texts)] == []
    assert set(block_with(lang, "th-04,").splitlines()) <= rows


@pytest.mark.parametrize("lang", READMES)
def test_the_mistakes_shown_are_those_that_check_names(
    lang: str, inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory.replace("units/suoi-mo.yml", "officer: th-03", "oficer: th-03")
    inventory.replace("people/th-suoi-mo.csv", "Y tế; Thư viện", "Y sĩ; Thư viện")
    holders = "thcssuoimo@suoimo.minhha.test, name: Trường THCS Suối Mơ, holders: [van"
    inventory.replace("units/suoi-mo.yml", f"{holders}_thu", f"{holders}thu")
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 1
    assert capsys.readouterr().out == outputs(lang, f"edumail check inventories/thu --lang {lang}")[0]
    cli.main(["check", str(inventory.folder), "--lang", "vi"])
    assert capsys.readouterr().out.splitlines()[1] in READMES[lang].read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("lang", READMES)
def test_a_school_is_added_as_the_readme_says(
    lang: str, inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    _, missing, sound = outputs(lang, f"edumail check inventories/thu --lang {lang}")
    inventory.write("units/dong-chiem.yml", block_with(lang, "- id: th-dong-chiem"))
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 1
    assert capsys.readouterr().out == missing
    inventory.write("people/th-dong-chiem.csv", block_with(lang, "dc-01,"))
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 0
    assert capsys.readouterr().out == sound
    assert block_with(lang, "; page of") in zones(load(inventory.folder), 1)["minhha.test"]
