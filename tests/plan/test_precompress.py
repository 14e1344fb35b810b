"""Compressed twins of text files: made once for each change, and trusted only as they were made."""

from __future__ import annotations

import gzip
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from test_common_trees import Machine, age

from edumail.tree import Tree
from roles.portal.render import PRECOMPRESS

PAGE = "<p>Trường Tiểu học Suối Mơ</p>\n" * 100
A = Tree.of(
    {
        "sites/a/index.html": PAGE,
        "sites/a/tin tức/index.html": PAGE + "a",
        "sites/b/index.html": PAGE + "b",
        "sites/b/files/anh.png": PAGE,
        "sites/b/short.txt": "x\n",
        "sites/b/random.txt": Random(1).randbytes(4000),  # noqa: S311
        "index/a.json": PAGE,
    }
)
TWINS = {"sites/a/index.html", "sites/a/tin tức/index.html", "sites/b/index.html"}
B = Tree.of({**A.files, "sites/a/index.html": PAGE + "new"})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.options = {"compile": [PRECOMPRESS]}
    return machine


def twins(machine: Machine) -> dict[str, Path]:
    live = (machine.trees / "current").resolve()
    return {str(path.relative_to(live)).removesuffix(".gz"): path for path in live.rglob("*.gz")}


def read(machine: Machine, path: str) -> bytes:
    return gzip.decompress(twins(machine)[path].read_bytes())


def test_text_that_gets_smaller_has_a_twin_with_its_time(machine: Machine) -> None:
    machine.publish(A)
    found = twins(machine)
    assert set(found) == TWINS
    for path, twin in found.items():
        page = twin.with_suffix("")
        assert gzip.decompress(twin.read_bytes()) == A.files[path].content
        assert int(twin.stat().st_mtime) == int(page.stat().st_mtime)
        assert twin.stat().st_mode == page.stat().st_mode


def test_the_same_file_gives_the_same_twin(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Machine(tmp_path / "other")
    other.options = machine.options
    machine.publish(A)
    time.sleep(1.1)
    other.publish(A)
    found = {path: twin.read_bytes() for path, twin in twins(machine).items()}
    assert found == {path: twin.read_bytes() for path, twin in twins(other).items()}


def test_only_what_changed_is_compressed_again_and_files_keep_their_times(machine: Machine) -> None:
    machine.publish(A)
    before = {path: (twin.stat(), twin.with_suffix("").stat()) for path, twin in twins(machine).items()}
    time.sleep(1.1)
    machine.publish(B)
    after = {path: (twin.stat(), twin.with_suffix("").stat()) for path, twin in twins(machine).items()}
    assert set(after) == TWINS
    changed = "sites/a/index.html"
    assert read(machine, changed) == B.files[changed].content
    for path in TWINS:
        same = path != changed
        assert (after[path][0].st_ino == before[path][0].st_ino) == same, path
        assert [int(s.st_mtime) for s in after[path]] == [int(s.st_mtime) for s in before[path]] or not same, path
    assert int(after[changed][1].st_mtime) > int(before[changed][1].st_mtime)


def test_what_is_gone_has_no_twin(machine: Machine) -> None:
    machine.publish(A)
    machine.publish(Tree.of({path: file for path, file in A.files.items() if not path.startswith("sites/a/")}))
    assert set(twins(machine)) == {"sites/b/index.html"}


def test_a_twin_that_somebody_changed_is_not_carried_on(machine: Machine) -> None:
    machine.publish(A)
    spoilt = twins(machine)["sites/b/index.html"]
    spoilt.write_bytes(gzip.compress(b"something else"))
    machine.publish(B)
    for path in TWINS:
        assert read(machine, path) == B.files[path].content


def spoil(machine: Machine) -> None:
    twins(machine)["sites/b/index.html"].write_bytes(gzip.compress(b"something else"))


def spoil_with_its_sum(machine: Machine) -> None:
    twin, listed = twins(machine)["sites/b/index.html"], machine.trees / "current" / ".gzip"
    before = hashlib.sha256(twin.read_bytes()).hexdigest()
    spoil(machine)
    listed.write_text(listed.read_text().replace(before, hashlib.sha256(twin.read_bytes()).hexdigest()))


def lose(machine: Machine) -> None:
    twins(machine)["sites/b/index.html"].unlink()


def lose_the_list(machine: Machine) -> None:
    spoil(machine)
    (machine.trees / "current" / ".gzip").unlink()


def link(machine: Machine) -> None:
    twin, elsewhere = twins(machine)["sites/b/index.html"], machine.root / "elsewhere.gz"
    twin.rename(elsewhere)
    twin.symlink_to(elsewhere)


@pytest.mark.parametrize("edit", [spoil, spoil_with_its_sum, lose, lose_the_list, link])
@pytest.mark.parametrize("after", [A, B], ids=["same pages", "another page"])
def test_twins_that_somebody_edited_are_made_anew(
    machine: Machine, edit: Callable[[Machine], None], after: Tree
) -> None:
    machine.publish(A)
    assert machine.is_live(A)
    edit(machine)
    assert not machine.is_live(A)
    machine.publish(after)
    assert machine.is_live(after)
    assert {path: read(machine, path) for path in TWINS} == {path: after.files[path].content for path in TWINS}


def test_twins_that_nobody_touched_are_read_once_a_day(machine: Machine) -> None:
    machine.publish(A)
    twin, stamps = twins(machine)["sites/b/index.html"], machine.trees / "current" / ".gzip-stamps"
    before, content = twin.stat(), twin.read_bytes()
    twin.write_bytes(content[:-1] + b"x")
    os.utime(twin, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert machine.is_live(A)
    age(stamps, 2)
    assert not machine.is_live(A)
    machine.publish(A)
    age(stamps, 2)
    assert machine.is_live(A)
    assert time.time() - stamps.stat().st_mtime < 3600


def test_a_run_that_was_cut_short_is_finished_by_the_next(machine: Machine) -> None:
    machine.publish(A)
    machine.stage(B)
    staged = (machine.trees / "staged").resolve()
    (staged / "sites/b/index.html.gz").write_bytes(b"half")  # killed while gzip wrote
    assert machine.activate(B).returncode == 0
    assert set(twins(machine)) == TWINS
    for path in TWINS:
        assert read(machine, path) == B.files[path].content


def test_a_tree_without_text_can_be_published(machine: Machine) -> None:
    machine.publish(Tree.of({"sites/a/anh.png": "x"}))
    machine.publish(Tree.of({"sites/a/anh.png": "y"}))
    assert twins(machine) == {}
