"""What is remembered of an inventory's files changes nothing but how long it takes to read them."""

from __future__ import annotations

import itertools
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import LAB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edumail import load, memory
from edumail.load import Survey, look

ROSTERS = ("people/thcs-suoi-mo.csv", "people/so.csv")
FILES = (*ROSTERS, "units/suoi-mo.yml", "groups.yml", "hosts.yml", "province.yml")


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lab's, small as it is remembered as a large one would be."""
    monkeypatch.setattr(memory, "FEW", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(LAB, tmp_path / "tinh", ignore=shutil.ignore_patterns("published", "content", "__pycache__"))
    return tmp_path / "tinh"


def kept(inventory: Path) -> Path:
    """The file of the memory."""
    (path,) = (inventory.parent / "cache" / "edumail").glob("read-*")
    return path


def whole(survey: Survey) -> tuple[object, ...]:
    """All that an inventory says and where, with what is wrong."""
    sources = survey.sources
    places = {entry: sources.at(*entry, *path) for entry in sources.entries for path in ((), ("name",), ("domain",))}
    return survey.province, places, sources.rows, sources.unread, sources.gaps, survey.problems


def anew(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """What there is to say without any memory."""
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", "/dev/null")  # nothing can be kept below
        return whole(look(inventory))


EDITS = st.lists(
    st.tuples(
        st.sampled_from(FILES),
        st.sampled_from(
            ["Nguyễn", "hieu_truong", "Hiệu trưởng", "id", ":", ",", "\n", "-", "suoimo", "12", "true", '"', " "]
        ),
        st.sampled_from(
            ["", "x", "12", "\n", '"', ": ", "Nguye\u0302\u0303n", "giáo viên", "\r\n", "\udcff", "[", "sogddt"]
        ),
        st.integers(0, 30),
    ),
    max_size=3,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_an_inventory_says_the_same_remembered_and_read_anew(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, steps: list[list[tuple[str, str, str, int]]]
) -> None:
    """Sound or not, before and after any edits, and with what was edited back."""
    originals = {file: (LAB / file).read_bytes() for file in FILES}
    for edits in [*steps, []]:
        for file, content in originals.items():
            (inventory / file).write_bytes(content)
        for file, old, new, number in edits:
            text = (inventory / file).read_bytes().decode("utf-8", "surrogateescape")
            places = [place for place in range(len(text)) if text.startswith(old, place)]
            if places:
                place = places[number % len(places)]
                text = text[:place] + new + text[place + len(old) :]
                (inventory / file).write_bytes(text.encode("utf-8", "surrogateescape"))
        wanted = anew(inventory, monkeypatch)
        assert whole(look(inventory)) == wanted
        assert whole(look(inventory)) == wanted


def test_a_file_that_did_not_change_is_not_read_through_again(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = whole(look(inventory))
    assert kept(inventory).stat().st_mode & 0o777 == 0o600
    read: list[str] = []
    for name in ("read_roster", "read_yaml"):
        original = getattr(load, name)
        monkeypatch.setattr(
            load, name, lambda file, *more, original=original: read.append(file) or original(file, *more)
        )
    before = kept(inventory).stat().st_mtime_ns
    assert whole(look(inventory)) == first
    assert read == []
    assert kept(inventory).stat().st_mtime_ns == before
    text = (inventory / ROSTERS[0]).read_text()
    (inventory / ROSTERS[0]).write_text(text.replace("Nguyễn", "Trần", 1))
    assert whole(look(inventory)) != first
    assert read == [ROSTERS[0]]
    read.clear()
    (inventory / "group_vars").mkdir()
    (inventory / "group_vars" / "all.yml").write_text("posts: {thu_kho: {name: Thủ kho, name_en: Storekeeper}}\n")
    look(inventory)
    assert {*ROSTERS, "group_vars/all.yml"} <= set(read)  # what a roster says rests on the catalogue of posts


def test_what_was_sound_to_the_letter_is_not_checked_again_on_the_same_day(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2026, 3, 1)
    look(inventory, day)
    checked: list[date] = []
    original = load.check
    monkeypatch.setattr(
        load, "check", lambda province, sources: checked.append(province.today) or original(province, sources)
    )
    look(inventory, day)
    assert checked == []
    look(inventory, day + timedelta(1))
    assert checked.pop() == day + timedelta(1)
    text = (inventory / "hosts.yml").read_text()
    for unsound in (text.replace("mail-so", "mail-khac"), text.replace("198.18.37.", "198.18.x.")):
        (inventory / "hosts.yml").write_text(unsound)
        for _ in range(2):
            look(inventory, day)
            assert checked.pop() == day
    (inventory / "hosts.yml").unlink()
    assert look(inventory, day).problems
    assert checked.pop() == day
    (inventory / "hosts.yml").write_text(text)
    assert not look(inventory, day, {"hosts.yml": text}).problems


def test_a_memory_that_somebody_touched_is_none(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = whole(look(inventory))
    good = kept(inventory).read_bytes()
    for bad in (
        good.replace("Suối Mơ".encode("ascii", "backslashreplace"), b"Khac"),
        good.replace(b"suoimo", b"khac"),
        good[: len(good) // 2],
        good.replace(b'"', b"'"),
        good.replace(b"\n", b""),
        good.replace(b" ", b"\n"),
        b"\xff\x00\n\n \n",
        b"",
    ):
        kept(inventory).write_bytes(bad)
        assert whole(look(inventory)) == first
    swapped = good.split(b"\n")
    keys = [line.partition(b" ")[0] for line in swapped[1:]]
    values = [line.partition(b" ")[2] for line in swapped[1:]]
    moved = [key + b" " + value for key, value in zip(keys, [*values[1:], values[0]], strict=True)]
    kept(inventory).write_bytes(b"\n".join([swapped[0], *moved]))
    assert whole(look(inventory)) == first


def test_another_version_of_the_program_recalls_nothing(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(inventory)
    before = kept(inventory).read_bytes()
    monkeypatch.setattr(memory, "_program", lambda: b"another")
    one = memory.Memory(inventory)
    text = (inventory / "hosts.yml").read_text()
    assert one.recall("hosts.yml", text) is None
    look(inventory)
    lines = [
        {line.partition(b" ")[0] for line in data.split(b"\n")[1:]} for data in (before, kept(inventory).read_bytes())
    ]
    assert not lines[0] & lines[1]


def test_no_place_to_keep_it_is_no_reason_to_stop(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = whole(look(inventory))
    for place in ("/proc/none", "/dev/null"):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        assert whole(look(inventory)) == first


def test_of_a_small_inventory_and_of_one_that_is_gone_nothing_is_kept(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(inventory)
    old = kept(inventory)
    other = inventory.rename(inventory.with_name("khac"))
    with monkeypatch.context() as patch:
        patch.setattr(memory, "FEW", 100)
        look(other)
        assert kept(other) == old
    look(other)
    assert kept(other) != old


def test_lines_of_a_memory_are_told_apart() -> None:
    """Words that run together give another digest than words that do not."""
    words = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("abc", "")]
    assert all(memory._digest(*one) != memory._digest(*other) for one, other in itertools.combinations(words, 2))
