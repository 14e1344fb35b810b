"""An import is written whole: cut anywhere, the next one finishes it. A large one changes nothing the second time."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO

import pytest
from conftest import Inventory
from rosters import HEADER, LOWER, PRIMARY, UPPER, as_csv, as_xlsx, files, prepared, staff

from edumail import cli
from edumail.example import generate, write
from edumail.load import load, look
from edumail.people import journal
from edumail.people.journal import JOURNAL


class Killed(Exception):
    """Where the process ends."""


class Torn:
    """A file of which half is written when the process ends there."""

    def __init__(self, file: IO[bytes], step: Callable[[], bool]):
        self.file, self.step = file, step

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        if self.step():
            self.file.write(bytes(content)[: len(content) // 2])
            raise Killed
        return self.file.write(content)


def killed_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """End at so many steps from now; each change of a folder and each wait for the disk is one."""
    left = step

    def ends() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    def stepping(real: Callable[..., object]) -> Callable[..., object]:
        def one(*arguments: object, **words: object) -> object:
            if ends():
                raise Killed
            return real(*arguments, **words)

        return one

    for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (journal.os, "fsync")):
        patch.setattr(owner, name, stepping(getattr(owner, name)))
    real_open = Path.open

    def opening(self: Path, mode: str = "r", *arguments: object, **words: object) -> object:
        file = real_open(self, mode, *arguments, **words)  # type: ignore[call-overload]
        return Torn(file, ends) if "w" in mode else file

    patch.setattr(Path, "open", opening)


def busy_day(inventory: Inventory) -> tuple[bytes, str]:
    """An import that touches five files: somebody moves here from another domain, somebody comes back, one leaves."""
    folder = inventory.folder
    left = as_csv([HEADER, *(row for row in staff(folder, UPPER) if row[1] != staff(folder, UPPER)[-1][1])])
    gone = staff(folder, UPPER)[-1]
    intake = prepared(folder, left, UPPER)
    assert not intake.plan.refused
    assert not intake.broken
    journal.write(folder, intake.changes)
    mover = [*staff(folder, LOWER)[-1][:3], "", "Giáo viên"]
    rows = [row for row in staff(folder, PRIMARY) if row[1] != "th-12"]
    return as_csv([HEADER, *rows, mover, [*gone[:3], "", "Giáo viên"]]), "2099-06-30"


def test_an_import_cut_between_any_two_steps_is_finished_by_the_next(
    inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, until = busy_day(inventory)
    file = tmp_path / "ds.csv"
    file.write_bytes(content)

    def run(folder: Path) -> int:
        return cli.main(
            ["roster", "import", str(folder), PRIMARY, str(file), "--yes", "--until", until, "--lang", "en"]
        )

    start = tmp_path / "start"
    shutil.copytree(inventory.folder, start)
    assert run(inventory.folder) == 0
    before, whole = files(start), files(inventory.folder)
    assert sum(whole[name] != content for name, content in before.items()) == 3
    assert set(whole) - set(before) == {"former.yml", "left/th-suoi-mo.csv"}
    intake = prepared(start, content, PRIMARY, datetime.now(UTC).date(), until=date.fromisoformat(until))
    step = 0
    under_way = set()
    while True:
        step += 1
        folder = tmp_path / f"cut-{step}"
        shutil.copytree(start, folder)
        try:
            with monkeypatch.context() as patch:
                killed_at(step, patch)
                journal.write(folder, intake.changes)
            break
        except Killed:
            pass
        # Either nothing has happened or all, or everybody is told that something is under way.
        under_way.add((folder / JOURNAL).exists())
        codes = [problem.code for problem in look(folder).problems]
        if (folder / JOURNAL).exists():
            assert "unfinished-import" in codes
        else:
            assert codes == []
            assert settled(folder) in (before, whole)
        assert run(folder) == 0
        assert settled(folder) == whole
        assert not look(folder).problems
    assert settled(folder) == whole
    assert step > 20
    assert under_way == {True, False}


def settled(folder: Path) -> dict[str, bytes]:
    """The files but for those half-written ones that nobody reads."""
    return {name: text for name, text in files(folder).items() if not name.endswith(".new")}


def test_what_somebody_changed_meanwhile_is_not_overwritten(inventory: Inventory, tmp_path: Path) -> None:
    folder = inventory.folder
    content = as_csv([HEADER, *staff(folder)[:-1], ["", "", "Lò Thị Đào", "", "GV"]])
    intake = prepared(folder, content)
    inventory.replace("people/th-suoi-mo.csv", "Sầm Văn Bộ", "Sầm Văn Bọ")
    before = files(folder)
    with pytest.raises(journal.Conflict):
        journal.write(folder, intake.changes)
    assert files(folder) == before


def test_a_journal_does_not_undo_what_was_mended_by_hand(
    inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = inventory.folder
    file = tmp_path / "ds.csv"
    file.write_bytes(as_csv([HEADER, *staff(folder)[:-1]]))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "finish", lambda folder: [])
        journal.write(folder, prepared(folder, file.read_bytes()).changes)
    inventory.replace("people/th-suoi-mo.csv", "Sầm Văn Bộ", "Sầm Văn Bọ")
    (problem,) = inventory.problems()
    assert problem.code == "unfinished-import"
    before = files(folder)
    words = ["roster", "import", str(folder), PRIMARY, str(file), "--yes", "--lang"]
    assert cli.main([*words, "en"]) == 1
    assert "people/th-suoi-mo.csv was changed during the import" in capsys.readouterr().err
    assert cli.main([*words, "vi"]) == 1
    assert "xóa .roster-import.json" in capsys.readouterr().err
    assert files(folder) == before


@pytest.mark.parametrize("content", ['{"../x": {"before": null, "after": "x"}}', "{", "[]", '{"former.yml": 1}', ""])
def test_a_journal_that_no_import_wrote_writes_nothing(
    inventory: Inventory, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory.write(JOURNAL, content)
    file = tmp_path / "ds.csv"
    file.write_bytes(as_csv([HEADER, *staff(inventory.folder)[:-1]]))
    before = files(tmp_path)
    assert cli.main(["roster", "import", str(inventory.folder), PRIMARY, str(file), "--yes", "--lang", "en"]) == 1
    assert f"delete {JOURNAL}" in capsys.readouterr().err
    assert files(tmp_path) == before


def _hold(folder: Path, ready: object, done: object) -> None:
    with journal.alone(folder):
        ready.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_two_imports_at_once_are_one_after_the_other(
    inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(inventory.folder, ready, done))
    other.start()
    assert ready.wait(30)
    file = tmp_path / "ds.csv"
    file.write_bytes(as_csv([HEADER, *staff(inventory.folder)]))
    words = ["roster", "import", str(inventory.folder), PRIMARY, str(file), "--lang", "en"]
    assert cli.main(words) == 1
    assert "another import is at work" in capsys.readouterr().err
    done.set()
    other.join()
    assert cli.main(words) == 0


def large(folder: Path, count: int) -> tuple[str, list[list[object]]]:
    """An invented province, and a unit of it that sends so many rows."""
    write(generate(3, 7), folder)
    province = load(folder)
    unit = next(unit for unit in province.units.values() if unit.kind == "truong")
    source = generate(max(3, count // 30), 11)
    names = [
        line.split(",")[1]
        for file, text in source.items()
        if file.startswith("people/")
        for line in text.splitlines()[1:]
    ]
    own = staff(folder, unit.id)
    more = [
        [str(number), f"gv-{number}", name, "", "Giáo viên"]
        for number, name in enumerate(names[: count - len(own)], start=1)
    ]
    assert len(own) + len(more) == count
    return unit.id, [list(HEADER), *own, *more]


def test_twenty_thousand_rows_imported_twice_change_nothing_the_second_time(tmp_path: Path) -> None:
    unit, rows = large(tmp_path / "tinh", 20_000)
    content = as_csv(rows)
    began = time.monotonic()
    intake = prepared(tmp_path / "tinh", content, unit)
    assert intake.plan.refused == []
    assert intake.broken == []
    journal.write(tmp_path / "tinh", intake.changes)
    assert time.monotonic() - began < 120
    before = files(tmp_path / "tinh")
    for again in (content, as_xlsx(rows)):
        second = prepared(tmp_path / "tinh", again, unit)
        assert second.changes == []
        assert second.plan.unchanged == 20_000
    assert files(tmp_path / "tinh") == before
    addresses = [person.address for person in load(tmp_path / "tinh").people]
    assert len(addresses) == len(set(addresses)) > 20_000
