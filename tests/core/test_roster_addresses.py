"""No address and no id ever belongs to two people, whatever happens in a province over the years."""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import LAB
from hypothesis import given, settings
from hypothesis import strategies as st
from rosters import HEADER, LOWER, PRIMARY, TODAY, UPPER, as_csv, imported, prepared, staff

from edumail.fields import LOCAL_PATTERN
from edumail.groups import Groups
from edumail.load import load
from edumail.people.addresses import Taken, local_part
from edumail.units import Units

# Few names that fold to fewer: clashes are what this is about.
FAMILIES = ["Nguyễn", "Nguyên", "Đặng", "Dặng"]
MIDDLES = ["Thị", "Văn"]
GIVEN = ["Hương", "Hường", "Đào", "Dao"]
NAMES = st.builds(
    lambda *words: " ".join(words), st.sampled_from(FAMILIES), st.sampled_from(MIDDLES), st.sampled_from(GIVEN)
)
UNITS = (PRIMARY, LOWER, UPPER)
"""Two of them share a mail domain, the third has its own."""


@contextmanager
def province() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "lab"
        shutil.copytree(LAB, target, ignore=shutil.ignore_patterns("published", "content", "__pycache__"))
        yield target


def sent(folder: Path, unit: str, *more: list[str], without: str | None = None) -> bytes:
    """The unit's roster as the school sends it, with some more and without one."""
    return as_csv([HEADER, *(row for row in staff(folder, unit) if row[1] != without), *more])


class Life:
    """A province that people come to, leave, come back to and move in; who had which address is written down apart."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.today = TODAY
        self.owner: dict[str, str] = {}
        self.hired: set[str] = set()
        self.look()

    def look(self) -> None:
        """Nobody has what was ever somebody else's; the inventory is sound."""
        found = load(self.folder, self.today)
        for person in (*found.people, *found.left):
            assert self.owner.setdefault(person.address, person.id) == person.id
        groups = set(Groups(Units(found)).all)
        assert groups.isdisjoint(self.owner)
        now = [person.address for person in (*found.people, *found.left)] + [old.address for old in found.former]
        assert len(now) == len(set(now))
        assert set(self.owner) <= set(now)
        ids = [person.id for person in (*found.people, *found.left)]
        assert len(ids) == len(set(ids))

    def do(self, unit: str, content: bytes) -> None:
        until = self.today + timedelta(300)
        imported(self.folder, content, unit, self.today, until=until)
        again = prepared(self.folder, content, unit, self.today, until=until)
        assert again.plan.refused == []
        assert again.changes == []
        self.look()

    def hire(self, unit: str, name: str) -> None:
        number = len(self.hired)
        id = f"moi-{number}"
        self.hired.add(id)
        self.do(unit, sent(self.folder, unit, ["", id, name, "", "Nhân viên"]))

    def leave(self, id: str) -> None:
        unit = self.where(id)
        assert unit is not None
        self.do(unit, sent(self.folder, unit, without=id))

    def go(self, id: str, unit: str) -> None:
        """Move there, or come back there."""
        found = load(self.folder, self.today)
        (name,) = (person.name for person in (*found.people, *found.left) if person.id == id)
        if self.where(id) != unit:
            self.do(unit, sent(self.folder, unit, ["", id, name, "", "Nhân viên"]))

    def where(self, id: str) -> str | None:
        return {person.id: person.unit for person in load(self.folder, self.today).people}.get(id)


@settings(max_examples=25)
@given(data=st.data())
def test_no_address_ever_belongs_to_two_people(data: st.DataObject) -> None:
    with province() as folder:
        life = Life(folder)
        for _ in range(data.draw(st.integers(3, 9))):
            what = data.draw(st.sampled_from(["hire", "hire", "leave", "go", "years"]))
            someone = data.draw(st.sampled_from(sorted(life.hired))) if life.hired else None
            if what == "hire" or someone is None:
                life.hire(data.draw(st.sampled_from(UNITS)), data.draw(NAMES))
            elif what == "leave" and life.where(someone):
                life.leave(someone)
            elif what == "go":
                life.go(someone, data.draw(st.sampled_from(UNITS)))
            elif what == "years":
                life.today += timedelta(400)


@settings(max_examples=30)
@given(names=st.lists(NAMES, min_size=1, max_size=12), form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_namesakes_of_one_day_each_get_their_own(names: list[str], form: str) -> None:
    def rows(write: str) -> list[list[str]]:
        more = [["", f"moi-{n}", unicodedata.normalize(write, name), "", ""] for n, name in enumerate(names)]
        return [list(HEADER), *staff(LAB, PRIMARY), *more]

    plan = prepared(LAB, as_csv(rows(form))).plan
    assert plan.refused == []
    given_now = [line.after.address for line in plan.of("new") if line.after]
    assert len(given_now) == len(set(given_now)) == len(names)
    assert prepared(LAB, as_csv(rows("NFC"))).plan.lines == plan.lines


@settings(max_examples=200)
@given(name=st.text(min_size=1, max_size=120), rule=st.sampled_from(["given_initials", "full_name"]))
def test_whatever_a_name_is_the_address_is_one_or_none(name: str, rule: str) -> None:
    import re

    local = local_part(name, rule)  # type: ignore[arg-type]
    assert local == "" or re.fullmatch(LOCAL_PATTERN, local)
    assert len(local) <= 58


@pytest.mark.parametrize(
    ("name", "initials", "full"),
    [
        ("Nguyễn Thị Hương", "huongnt", "nguyen.thi.huong"),
        ("Đặng Đình Đức", "ducdd", "dang.dinh.duc"),
        ("Hương", "huong", "huong"),
        ("H'Hen Niê", "nieh", "hhen.nie"),
        ("Y-Bih Êban", "ebany", "ybih.eban"),
        ("Nguyễn Thị Lan (B)", "lannt", "nguyen.thi.lan"),
        ("Nguyễn Thị Lan B", "lannt", "nguyen.thi.lan"),
        ("Lê Y", "yl", "le.y"),
        ("李明", "", ""),
    ],
)
def test_the_rule_is_what_it_is(name: str, initials: str, full: str) -> None:
    assert local_part(name, "given_initials") == initials
    assert local_part(name, "full_name") == full


def test_a_thousand_namesakes_are_numbered_through() -> None:
    taken = Taken(Units(load(LAB)))
    addresses = [taken.give("Nguyễn Thị Hương", "given_initials", "suoimo.minhha.test") for _ in range(1000)]
    assert addresses[0] == "huongnt@suoimo.minhha.test"
    assert addresses[-1] == "huongnt1000@suoimo.minhha.test"
    assert len(set(addresses)) == 1000


def test_an_old_address_is_nobodys_after_its_day_either() -> None:
    with province() as folder:
        line = "- {address: daolt@suoimo.minhha.test, to: nhilt@suoimo.minhha.test, until: 2020-01-01}\n"
        (folder / "former.yml").write_text(line, encoding="utf-8")
        plan = imported(folder, sent(folder, PRIMARY, ["", "", "Lò Thị Đào", "", "GV"]), today=date(2030, 1, 1))
        assert [line.after.address for line in plan.of("new") if line.after] == ["daolt2@suoimo.minhha.test"]
