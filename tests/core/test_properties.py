"""What must hold for any input, not for a chosen one."""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from pathlib import Path

import pytest
from conftest import Inventory
from hypothesis import given, settings
from hypothesis import strategies as st

from edumail.check import check
from edumail.example import MAX_UNITS, generate, write
from edumail.groups import Groups
from edumail.load import load
from edumail.model import Group, Person, Post, Province, Rule, Unit
from edumail.problems import InventoryError
from edumail.roster import post_codes, read_roster
from edumail.sources import Sources
from edumail.text import fold, nfc
from edumail.units import Units
from edumail.validation import validate
from edumail.yamlsource import Document, read_yaml

POSTS = post_codes({"giao_vien": Post(name="Giáo viên", name_en="Teacher")})
HEADER = "Mã,Họ và tên,Tổ,Chức vụ,Địa chỉ thư\n"
# Text as it comes from a hand, and text that wants to be something else.
HOSTILE = st.one_of(
    st.text(),
    st.text(st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp", "Mn"])),
    st.text(alphabet="abđ.@-_+0123456789\n\r\t\0\x1b\x85\u2028;|$`'\"\\{}%<>,: "),
    st.sampled_from(["a@b.vn\n", "x\n@b.vn", "thcs-a\n", "a\u200bb", "a\u202eb", "2001:db8::1%\n", "1.2.3.4\n"]),
)


@given(st.text())
def test_normal_forms_are_idempotent(text: str) -> None:
    assert nfc(nfc(text)) == nfc(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet="aăâáàạảãeêếệoôơớợuưứựyýđĐdbcmnh "))
def test_folding_takes_every_vietnamese_mark_in_every_form(text: str) -> None:
    for form in ("NFC", "NFD"):
        folded = fold(unicodedata.normalize(form, text))
        assert folded.isascii()
        assert folded == fold(text)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in strings(item)]
    return [str(value)] if value is not None else []


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in paths(item, (*path, key))]
    if isinstance(value, (list, tuple)):
        return [p for index, item in enumerate(value) for p in paths(item, (*path, index))]
    return [path] if isinstance(value, str) else []


@pytest.mark.parametrize(("table", "entry"), [("units", "thpt-song-que"), ("hosts", "mail-so")])
@settings(max_examples=300)
@given(data=st.data())
def test_text_in_a_field_is_refused_in_its_place_or_can_do_no_harm(
    province: Province, table: str, entry: str, data: st.DataObject
) -> None:
    model = getattr(province, table)[entry]
    value = model.model_dump(mode="json")
    path = data.draw(st.sampled_from(paths(value)))
    text = data.draw(HOSTILE)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = text
    document = Document("f.yml", value)
    result = validate(type(model), document, (), value)
    if not document.problems:
        assert result is not None
        for string in strings(result.model_dump(mode="json")):
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in string)
        again = validate(type(model), document, (), result.model_dump(mode="json"))
        assert again == result
    for problem in document.problems:
        assert problem.where.line
        assert problem.vi != problem.en
        assert problem.text("vi").isprintable()


@settings(max_examples=300)
@given(column=st.integers(0, 4), text=HOSTILE)
def test_text_in_a_roster_is_refused_in_its_line_or_can_do_no_harm(column: int, text: str) -> None:
    import csv
    import io

    cells = ["gv-01", "Nguyễn Thị Én", "", "Giáo viên", "ennt@truong.test"]
    cells[column] = text
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    roster = read_roster("people/a.csv", HEADER + out.getvalue(), "a", POSTS)
    assert roster.people or roster.problems
    for person in roster.people:
        for string in strings(person.model_dump()):
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in string)
            assert nfc(string) == string
    for problem in roster.problems:
        assert problem.where.line >= 2


@settings(max_examples=300)
@given(st.one_of(st.binary(), HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_no_bytes_make_the_readers_raise(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    read_yaml("f.yml", text)
    read_roster("people/a.csv", text, "a", POSTS)
    read_roster("people/a.csv", HEADER + text, "a", POSTS)


@settings(max_examples=300)
@given(st.text(alphabet="[]{}:,-?&*!|>%@#'\"\\ \n\tab01.~<="))
def test_no_yaml_makes_the_reader_raise(text: str) -> None:
    read_yaml("f.yml", text)


@settings(max_examples=60)
@given(
    file=st.sampled_from(
        ["province.yml", "hosts.yml", "groups.yml", "units/so.yml", "people/so.csv", "group_vars/all.yml"]
    ),
    content=st.one_of(
        st.binary(max_size=60), st.sampled_from([b"- a", b"a: [1]", b"- {}", b"- {name: 1, id: [2]}", b"- - a"])
    ),
)
def test_no_file_makes_the_loader_raise_anything_but_its_own(file: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inventory = Inventory(Path(folder) / "lab")
        inventory.write(file, content)
        inventory.problems()


@settings(max_examples=20)
@given(units=st.integers(1, 60), seed=st.integers(-(2**40), 2**40))
def test_any_invented_province_is_sound_and_the_same_again(units: int, seed: int) -> None:
    files = generate(units, seed)
    assert files == generate(units, seed)
    with tempfile.TemporaryDirectory() as folder:
        write(files, Path(folder))
        assert len(load(Path(folder)).units) == units


def test_invented_provinces_differ_by_seed_and_know_their_limits() -> None:
    assert generate(5, 1) != generate(5, 2)
    for units in (0, MAX_UNITS + 1):
        with pytest.raises(ValueError, match="units"):
            generate(units, 1)


def test_an_invented_province_has_what_a_real_one_has(tmp_path: Path) -> None:
    write(generate(400, 7), tmp_path)
    province = load(tmp_path)
    assert 32 <= len(province.people) / 400 <= 42
    assert len(province.hosts) == 4
    assert {level for unit in province.units.values() for level in unit.levels} == {
        "mamnon", "tieuhoc", "thcs", "thpt", "gdtx",
    }  # fmt: skip
    names = [person.name for person in province.people]
    assert len(set(names)) < len(names) * 0.9
    members: dict[str, set[str]] = {}
    for unit in province.units.values():
        members.setdefault(unit.domain, set()).add(unit.host)
    assert any(len(hosts) > 1 for hosts in members.values())  # a shared domain on two hosts
    assert len(province.settings.zones) > 1
    shutil.rmtree(tmp_path)


def naive(province: Province, address: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The mailboxes behind an address, straight from the definition of a rule."""
    if address in seen:
        return set()
    seen |= {address}
    for group in province.groups:
        if group.address == address:
            rule = group.members
            found = {p.address for p in province.people if takes(province, group, rule, p)}
            for inner in rule.addresses:
                found |= naive(province, inner, seen)
            return found
    for unit in province.units.values():
        for section in unit.sections:
            if section.address == address:
                return {p.address for p in province.people if p.unit == unit.id and p.section == section.id}
    return {address}


def takes(province: Province, group: Group, rule: Rule, person: Person) -> bool:
    unit: Unit | None = province.units[person.unit]
    assert unit is not None
    if rule.kinds and unit.kind not in rule.kinds:
        return False
    if rule.levels and not set(unit.levels) & set(rule.levels):
        return False
    if not (set(person.posts) & set(rule.posts) if rule.posts else rule.staff):
        return False
    while unit is not None and unit.id != (rule.below or group.unit):
        unit = province.units.get(unit.parent or "")
    return unit is not None


@settings(max_examples=150)
@given(data=st.data())
def test_groups_hold_whom_their_rules_name(province: Province, data: st.DataObject) -> None:
    """Groups of groups and loops included; the loops are then named by the check."""
    addresses = [f"nhom{number}@sogddt.minhha.test" for number in range(4)]
    others = [*addresses, province.people[0].address, "gdtrh@sogddt.minhha.test", "vanthu@sogddt.minhha.test"]
    some = lambda words, most=2: st.lists(st.sampled_from(words), max_size=most, unique=True).map(tuple)  # noqa: E731
    rules = st.builds(
        Rule,
        below=st.none() | st.sampled_from(sorted(province.units)),
        kinds=some(["so", "vhxh", "truong"]),
        levels=some(["mamnon", "tieuhoc", "thcs", "thpt"]),
        posts=some(["hieu_truong", "van_thu", "giao_vien", "giam_doc"]),
        staff=st.booleans(),
        addresses=some(others, 3),
    )
    groups = tuple(
        Group(address=address, name="Nhóm", unit=data.draw(st.sampled_from(sorted(province.units))), members=rule)
        for address in addresses
        for rule in [data.draw(rules)]
    )
    changed = province.model_copy(update={"groups": groups})
    units = Units(changed)
    loops = set()
    for group in groups:
        assert Groups(units).mailboxes(group.address) == naive(changed, group.address)
        reached, new = set(), set(group.members.addresses)
        while new:
            reached |= new
            new = {a for g in groups if g.address in reached for a in g.members.addresses} - reached
        if group.address in reached:
            loops.add(group.address)
    named = {p.en.split()[1] for p in check(changed, Sources()) if p.code == "group-loop"}
    assert named == loops
    empty = {p.en.split()[1] for p in check(changed, Sources()) if p.code == "empty-group"}
    assert empty == {group.address for group in groups if not naive(changed, group.address)}


def test_a_broken_inventory_still_gives_an_inventory_error(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        load(tmp_path)
    assert {problem.where.file for problem in caught.value.problems} == {"province.yml", "hosts.yml"}
