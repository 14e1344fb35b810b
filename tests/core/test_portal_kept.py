"""Portals with a memory: what they give is what would be rendered, and only what changed is rendered."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from edumail.model import Province
from edumail.portal import looking
from edumail.portal.load import Contents
from edumail.portal.looking import begin
from edumail.portal.model import Content
from edumail.portal.site import Portals, Site, build
from edumail.portal.view import View
from edumail.tree import Tree
from roles.common import portals as module
from roles.common.portals import KeptPortals, kept_portals
from tests.core.conftest import LAB

SCHOOL = "thcs-suoi-mo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the lab's content to spoil."""
    shutil.copytree(LAB / "content", tmp_path / "content")
    return tmp_path


def kept(folder: Path, province: Province) -> KeptPortals:
    return KeptPortals(province, Contents(folder, province), folder / "cache")


def trees(portals: Portals) -> dict[str, str]:
    return {name: Tree.of(portals.files(host)).manifest for name, host in portals.province.hosts.items()}


def test_what_is_kept_is_what_would_be_rendered(folder: Path, province: Province) -> None:
    fresh = Portals(province, Contents(folder, province))
    assert kept(folder, province).rendered == len(province.units)
    again = kept(folder, province)
    assert trees(again) == trees(fresh)
    assert again.rendered == 0
    for host in province.hosts.values():
        for path, file in again.files(host).items():
            assert file.content == fresh.files(host)[path].content, path


def test_one_article_changed_renders_one_unit(folder: Path, province: Province) -> None:
    before = trees(kept(folder, province))
    article = next((folder / "content" / SCHOOL / "news").glob("*.md"))
    article.write_text(article.read_text(encoding="utf-8") + "\nThêm một dòng.\n", encoding="utf-8")
    after = kept(folder, province)
    changed = {
        line.partition("  ")[2]
        for host, manifest in trees(after).items()
        for line in set(manifest.splitlines()) - set(before[host].splitlines())
    }
    assert changed == {f"sites/{SCHOOL}/tin-tuc/{article.stem}/index.html", f"index/{SCHOOL}.json"}
    assert after.rendered == 1


@pytest.mark.parametrize("change", ["in place", "another kind", "another name", "a folder", "gone"])
def test_every_change_of_a_file_is_seen_and_no_other(folder: Path, change: str) -> None:
    content = folder / "content"
    article = next((content / SCHOOL / "news").glob("*.md"))
    before = begin(content)()
    assert set(before) == {path.name for path in content.iterdir()}
    article.with_name(f"{article.name}~").write_text("an editor's", encoding="utf-8")
    assert begin(content)() == before
    text = article.read_text(encoding="utf-8")
    if change == "in place":
        article.write_text(text[::-1], encoding="utf-8")
    elif change == "another name":
        article.rename(article.with_name("khac.md"))
    elif change == "a folder":
        (article.parent / "trong").mkdir()
    else:
        article.unlink()
        if change == "another kind":
            article.symlink_to(article.with_name("khac.md"))
    after = begin(content)()
    assert {name for name in before if after[name] != before[name]} == {SCHOOL}


def test_what_changes_while_pages_are_made_is_seen_the_next_time(
    folder: Path, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = next((folder / "content" / SCHOOL / "news").glob("*.md"))

    def meanwhile(view: View, content: Content) -> Site:
        if view.id == SCHOOL:
            article.write_text(article.read_text(encoding="utf-8") + "\nThêm một dòng.\n", encoding="utf-8")
        return build(view, content)

    monkeypatch.setattr(module, "build", meanwhile)
    assert kept(folder, province).rendered == len(province.units)
    monkeypatch.undo()
    after = kept(folder, province)
    assert after.rendered == 1
    assert trees(after) == trees(Portals(province, Contents(folder, province)))


def test_trees_can_be_sent_to_another_process(folder: Path, province: Province) -> None:
    portals = kept(folder, province)
    assert portals.rendered == len(province.units)
    assert trees(pickle.loads(pickle.dumps(portals))) == trees(portals)  # noqa: S301
    contents = portals.contents
    contents.look()
    assert contents.fingerprint(SCHOOL) == pickle.loads(pickle.dumps(contents)).fingerprint(SCHOOL)  # noqa: S301


def test_a_look_that_was_killed_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking.sys, "executable", "/bin/false")
    with pytest.raises(CalledProcessError):
        begin(tmp_path)()


def test_a_section_that_went_missing_also_changes_the_pages_above(folder: Path, province: Province) -> None:
    assert kept(folder, province).rendered == len(province.units)
    (folder / "content" / SCHOOL / "statistics.csv").unlink()
    after = kept(folder, province)
    assert after.rendered == 3
    assert trees(after) == trees(Portals(province, Contents(folder, province)))


def test_a_changed_inventory_is_seen(folder: Path, province: Province) -> None:
    assert kept(folder, province).rendered == len(province.units)
    units = {id: unit.model_copy(update={"phone": "0299 9 999 999"}) if id == SCHOOL else unit
             for id, unit in province.units.items()}  # fmt: skip
    other = province.model_copy(update={"units": units})
    after = kept(folder, other)
    assert after.rendered == 3
    assert trees(after) == trees(Portals(other, Contents(folder, other)))


def test_a_cache_that_was_touched_is_not_trusted(folder: Path, province: Province) -> None:
    expected = kept(folder, province).unit(province.units[SCHOOL])
    pack = folder / "cache" / f"{SCHOOL}.pack"
    pack.write_bytes(b"x" * pack.stat().st_size)
    (folder / "cache" / "so.json").write_text("[]", encoding="utf-8")
    again = kept(folder, province)
    for path, file in again.unit(province.units[SCHOOL]).items():
        assert file.content == expected[path].content, path
    assert trees(again) == trees(Portals(province, Contents(folder, province)))


@pytest.mark.parametrize("text", ["", "[]", '{"so": []}', '{"so": ["a", "b", 0], "thpt": 1}', "{}"])
def test_a_list_of_units_that_was_touched_is_not_trusted(folder: Path, province: Province, text: str) -> None:
    assert kept(folder, province).rendered == len(province.units)
    (folder / "cache" / "units").write_text(text, encoding="utf-8")
    again = kept(folder, province)
    assert again.rendered == 0  # each unit's own file knows
    assert trees(again) == trees(Portals(province, Contents(folder, province)))


def test_a_list_of_units_that_is_ahead_of_their_files_is_not_trusted(folder: Path, province: Province) -> None:
    assert kept(folder, province).rendered == len(province.units)
    listed = (folder / "cache" / "units").read_bytes()
    article = next((folder / "content" / SCHOOL / "news").glob("*.md"))
    text, stat = article.read_bytes(), article.stat()
    article.write_bytes(text + b"\nX\n")
    assert kept(folder, province).rendered == 1
    article.write_bytes(text)
    os.utime(article, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (folder / "cache" / "units").write_bytes(listed)
    assert trees(kept(folder, province)) == trees(Portals(province, Contents(folder, province)))


def test_a_run_that_is_killed_is_gone_on_with(folder: Path, province: Province) -> None:
    for unit in list(province.units.values())[:2]:
        kept(folder, province)._make(unit)
    assert not (folder / "cache" / "units").exists()
    assert kept(folder, province).rendered == len(province.units) - 2


def test_without_a_place_for_a_cache_it_just_takes_longer(folder: Path, province: Province) -> None:
    (folder / "cache").write_text("no folder", encoding="utf-8")
    assert trees(kept(folder, province)) == trees(Portals(province, Contents(folder, province)))


def test_many_units_are_rendered_in_several_processes(
    folder: Path, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEW", 0)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 3)
    assert kept(folder, province).rendered == len(province.units)
    assert trees(kept(folder, province)) == trees(Portals(province, Contents(folder, province)))
    assert kept(folder, province).rendered == 0


def test_the_memory_of_an_inventory_that_is_gone_goes_too(
    folder: Path, province: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for name in ("one", "two"):
        shutil.copytree(LAB / "content", tmp_path / name / "content")
        assert kept_portals(province, Contents(tmp_path / name, province), tmp_path / name).rendered == 6
    assert len(list((tmp_path / "home" / "edumail").iterdir())) == 2
    shutil.rmtree(tmp_path / "one")
    assert kept_portals(province, Contents(tmp_path / "two", province), tmp_path / "two").rendered == 0
    assert len(list((tmp_path / "home" / "edumail").iterdir())) == 1
