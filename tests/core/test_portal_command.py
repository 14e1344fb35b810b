"""``edumail portal``: an editor hears what is missing, field by field, and can look at the pages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import LAB, Inventory

from edumail import cli


def run(capsys: pytest.CaptureFixture[str], folder: object, *words: object, status: int = 0) -> str:
    assert cli.main(["portal", str(folder), *map(str, words)]) == status
    out, error = capsys.readouterr()
    return out + error


def test_a_portal_with_all_sections_is_said_to_have_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert "(thcs-suoi-mo): all 11 mandatory sections are there" in run(capsys, LAB, "thcs-suoi-mo", "--lang", "en")
    assert "(thcs-suoi-mo): đủ 11 mục bắt buộc" in run(capsys, LAB, "thcs-suoi-mo", "--lang", "vi")


def test_what_is_missing_is_named_with_its_requirement(
    capsys: pytest.CaptureFixture[str], inventory: Inventory
) -> None:
    (inventory.folder / "content/thcs-suoi-mo/statistics.csv").unlink()
    said = run(capsys, inventory.folder, "thcs-suoi-mo", "--lang", "en", status=1)
    assert "(thcs-suoi-mo): 1 of 11 mandatory sections lack something" in said
    assert "  Statistics /thong-ke/ (C37-9.9): figures of five consecutive years" in said
    said = run(capsys, inventory.folder, "--lang", "vi", status=1)
    assert "  Niên giám thống kê /thong-ke/ (C37-9.9): số liệu 5 năm liên tiếp" in said
    assert "cổng đủ mục" in said.splitlines()[-1]


def test_a_unit_without_any_content_lacks_it_section_by_section(
    capsys: pytest.CaptureFixture[str], inventory: Inventory
) -> None:
    shutil.rmtree(inventory.folder / "content")
    said = run(capsys, inventory.folder, "so", "--lang", "en", status=1)
    assert "18 of 19 mandatory sections" in said
    assert "Language and IT centres /trung-tam/ (C37-8.16): nothing is published yet" in said
    assert "Assessment and ranking /xep-hang/ (C37-16.4): nothing is published yet" in said


def test_pages_can_be_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "python3 -m http.server" in run(capsys, LAB, "thcs-suoi-mo", "--out", out)
    root = out / "thcs-suoi-mo"
    home = (root / "index.html").read_text(encoding="utf-8")
    for path in ("/lanh-dao/", "/tin-tuc/"):
        assert f'href="{path}"' in home
        assert (root / path.strip("/") / "index.html").exists()
    (style,) = (root / "assets").glob("style-*.css")
    assert f'href="/assets/{style.name}"' in home
    assert not (root / "shells").exists()
    assert "nothing is overwritten" in run(capsys, LAB, "thcs-suoi-mo", "--out", out, "--lang", "en", status=1)


def test_an_unknown_unit_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the nearest: thcs-suoi-mo" in run(capsys, LAB, "thcs-suoimo", "--lang", "en", status=2)


def test_mistakes_in_the_content_are_told_and_no_state_is_made_up(
    capsys: pytest.CaptureFixture[str], inventory: Inventory
) -> None:
    inventory.write("content/thcs-suoi-mo/statistics.csv", "nothing\n1\n")
    said = run(capsys, inventory.folder, "thcs-suoi-mo", status=1)
    assert "content/thcs-suoi-mo/statistics.csv" in said
    assert "mandatory" not in said
