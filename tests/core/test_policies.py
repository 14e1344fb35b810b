"""Policies come down the tree; what is locked stays, what may only be tightened is never loosened."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import edumail_accounts
import pytest
from conftest import LAB, ROOT, Inventory
from hypothesis import given, settings
from hypothesis import strategies as st

from edumail.circular.catalogue import requirements
from edumail.cli import main
from edumail.explain import explain
from edumail.load import load, load_with_places
from edumail.mail import Mail
from edumail.model import Province, Settings, Unit
from edumail.policies import SETTINGS, Policies, PolicyLevel, same
from edumail.policycheck import policy_problems
from edumail.sources import Sources
from edumail.units import Units
from roles.accounts.render import wanted
from roles.postfix.render import tables
from roles.rspamd.render import tree as rspamd_tree

SUOI_MO, SO = "units/suoi-mo.yml", "units/so.yml"
OWN = "  public_address: mnhoasen@suoimo.minhha.test\n"  # of a unit that says nothing of policies

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "mailbox_quota_mb": st.integers(1, 4),
    "mailbox_quota_mb_by_post": st.dictionaries(st.sampled_from(["hieu_truong", "van_thu"]), st.integers(1, 3)),
    "blocked_attachments": st.lists(st.sampled_from(["mp4", "avi", "exe"]), unique=True, max_size=2).map(tuple),
    "external_sending": st.sampled_from(["province", "anywhere"]),
    "external_forward_sender": st.sampled_from(["forwarder", "srs"]),
    "external_forward": st.sampled_from(["never", "anywhere", (), ("a.vn",), ("a.vn", "b.vn")]),
    "trash_days": st.integers(1, 3),
    "password_min_characters": st.integers(8, 10),
    "posting_to_unit_groups": st.sampled_from(["holders", "members", "unit", "branch", "province", "anyone"]),
}
DIRECTED = [name for name in VALUES if SETTINGS[name].tighter]


@st.composite
def levels(draw: st.DrawFn) -> dict[str, Any]:
    """What one level says."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=4))
    marked = st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=2).map(tuple)
    return {
        "policies": Policies(**{name: draw(VALUES[name]) for name in names}),
        "locked": draw(marked),
        "tighten_only": tuple(name for name in draw(marked) if name in DIRECTED),
    }


@st.composite
def provinces(draw: st.DrawFn) -> Province:
    """The lab's province with a tree of other units, and marks anywhere."""
    province = load(LAB)
    model = province.units["th-suoi-mo"]
    units: dict[str, Unit] = {}
    for number in range(draw(st.integers(1, 7))):
        parent = draw(st.sampled_from(sorted(units))) if units else None
        said = {"id": f"u{number}", "parent": parent, **draw(levels())}
        units[f"u{number}"] = model.model_copy(update=said)
    settings_ = province.settings.model_copy(update=draw(levels()))
    return province.model_copy(
        update={"units": units, "people": (), "groups": (), "levels": {**province.levels, "province": settings_}}
    )


def above(province: Province, unit: Unit) -> list[tuple[PolicyLevel, Policies]]:
    """Every level above the unit with what holds there, the nearest first; the province without units last."""
    found: list[tuple[PolicyLevel, Policies]] = []
    while unit.parent:
        unit = province.units[unit.parent]
        found.append((unit, Units(province).policies(unit)))
    bare = unit.model_copy(update={"parent": None, "policies": Policies(), "locked": (), "tighten_only": ()})
    return [*found, (province.levels["province"], Units(province).policies(bare))]


@settings(max_examples=150)
@given(provinces())
def test_locks_hold_and_nothing_is_loosened_in_any_tree(province: Province) -> None:
    for unit in province.units.values():
        here = Units(province).policies(unit)
        for level, there in above(province, unit):
            for name in level.locked:
                assert same(getattr(here, name), getattr(there, name))
            for name in level.tighten_only:
                tighter = SETTINGS[name].tighter
                assert tighter
                assert tighter(getattr(here, name), getattr(there, name))


@settings(max_examples=150)
@given(provinces())
def test_exactly_the_attempts_against_a_mark_are_mistakes_in_any_tree(province: Province) -> None:
    """And whatever is no mistake counts."""
    expected = 0
    for unit in province.units.values():
        levels_above = above(province, unit)
        nearest = levels_above[0][1]
        for name in unit.policies.model_fields_set:
            value, before = getattr(unit.policies, name), getattr(nearest, name)
            tighter = SETTINGS[name].tighter
            locked = any(name in level.locked for level, _ in levels_above)
            bound = any(name in level.tighten_only for level, _ in levels_above)
            if (locked and not same(value, before)) or (bound and tighter and not tighter(value, before)):
                expected += 1
                assert getattr(Units(province).policies(unit), name) == before
            else:
                assert getattr(Units(province).policies(unit), name) == value
    found = [p for p in policy_problems(Units(province), Sources()) if p.code in ("locked-setting", "loosened-setting")]
    assert len(found) == expected


@settings(max_examples=100)
@given(provinces())
def test_what_is_explained_is_what_holds_in_any_tree(province: Province) -> None:
    units = Units(province)
    for unit in province.units.values():
        for found in explain(units, Sources(), unit):
            assert found.value == getattr(units.policies(unit), found.name)
            path: list[PolicyLevel] = [*units.ancestors(unit), *reversed(province.levels.values())]
            said = [getattr(level.policies, found.name) for level in path]
            assert {repr(value) for value, _ in found.overrode} <= {repr(value) for value in said}
            assert found.default == getattr(province.levels["edumail"].policies, found.name)


def mib(value: int) -> int:
    return value * 1024 * 1024


@settings(max_examples=60)
@given(provinces())
def test_what_is_explained_is_what_each_daemon_is_given_in_any_tree(province: Province) -> None:
    """The units share a domain and a host; each has one mailbox of its own and one person with a post."""
    model = province.people[0] if province.people else load(LAB).people[0]
    people, units = [], {}
    for unit in province.units.values():
        update = {"unit": unit.id, "id": f"p-{unit.id}", "address": f"p-{unit.id}@{unit.domain}"}
        people.append(model.model_copy(update={**update, "posts": ("hieu_truong",), "section": None}))
        shared = unit.mailboxes[0].model_copy(update={"address": f"{unit.id}@{unit.domain}"})
        units[unit.id] = unit.model_copy(update={"mailboxes": (shared,), "sections": ()})
    province = province.model_copy(update={"people": tuple(people), "units": units})
    mail = Mail(province)
    host = mail.host("mail-xa")
    texts = [text for path, text in wanted(mail.accounts("mail-xa")).items() if path.startswith("accounts/")]
    database = edumail_accounts.connect(":memory:")
    edumail_accounts.sync(
        database, edumail_accounts.Wanted(frozenset("".join(texts).splitlines()), frozenset(), frozenset(), {}), 0
    )
    accounts = {row["address"]: row for row in database.execute("SELECT * FROM account")}
    files = rspamd_tree(host, 25, province.filtering, None).files
    unit_of = dict(line.split() for line in files["units.map"].content.decode().splitlines())
    lines = files["policies.map"].content.decode().splitlines()
    figures = {unit: json.loads(text) for unit, text in (line.split(" ", 1) for line in lines)}
    inside_only = dict(line.split() for line in tables(host, {})["inside_only_for"].splitlines())
    for unit in units.values():
        said = {found.name: found.value for found in explain(Units(province), Sources(), unit)}
        own, shared = accounts[f"p-{unit.id}@{unit.domain}"], accounts[f"{unit.id}@{unit.domain}"]
        larger = said["mailbox_quota_mb_by_post"].get("hieu_truong", 0)
        assert own["quota_mb"] == max(said["mailbox_quota_mb"], larger)
        assert shared["quota_mb"] == said["mailbox_quota_mb"]
        assert (own["check_hours"], shared["check_hours"]) == (0, said["official_mailbox_check_hours"])
        assert (own["head"], shared["head"]) == ("", own["address"])
        for row in (own, shared):
            assert row["trash_days"] == said["trash_days"]
            assert row["junk_days"] == said["junk_days"]
            assert row["code_days"] == said["activation_code_days"]
            assert row["idle_days"] == said["idle_account_days"]
            assert row["leaver_days"] == said["leaver_days"]
            assert row["forward_sender"] == said["external_forward_sender"]
            assert row["password_characters"] == said["password_min_characters"]
            assert row["password_classes"] == said["password_character_classes"]
            assert (row["address"] in inside_only) == (said["external_sending"] == "province")
            given_ = figures[unit_of[row["address"]]]
            forward = said["external_forward"]
            assert given_ == {
                "message_size": mib(said["message_size_limit_mb"]),
                "attachment_size": mib(said["attachment_size_limit_mb"]),
                "blocked": list(said["blocked_attachments"]),
                "recipients": said["recipients_per_message"],
                "user_rate": said["user_messages_per_hour"],
                "unit_rate": said["unit_messages_per_hour"],
                "inside_only": said["external_sending"] == "province",
                "forward_anywhere": forward == "anywhere",
                "forward_domains": [] if isinstance(forward, str) else list(forward),
            }


TIGHTER: dict[str, tuple[Any, Any]] = {
    "mailbox_quota_mb": (1, 2),
    "mailbox_quota_mb_by_post": ({"van_thu": 1}, {"van_thu": 2}),
    "message_size_limit_mb": (1, 2),
    "attachment_size_limit_mb": (1, 2),
    "blocked_attachments": (("mp4", "avi"), ("mp4",)),
    "recipients_per_message": (1, 2),
    "user_messages_per_hour": (1, 2),
    "unit_messages_per_hour": (1, 2),
    "external_sending": ("province", "anywhere"),
    "external_forward": (("a.vn",), ("a.vn", "b.vn")),
    "password_min_characters": (9, 8),
    "password_character_classes": (4, 3),
    "idle_account_days": (1, 2),
    "official_mailbox_check_hours": (1, 2),
    "activation_code_days": (1, 2),
    "posting_to_unit_groups": ("members", "unit"),
    "posting_to_section_groups": ("unit", "branch"),
    "posting_to_branch_groups": ("province", "anyone"),
}


def test_each_setting_knows_which_way_is_tighter() -> None:
    assert set(TIGHTER) == {name for name, setting in SETTINGS.items() if setting.tighter}
    for name, (tight, loose) in TIGHTER.items():
        tighter = SETTINGS[name].tighter
        assert tighter
        assert [tighter(tight, loose), tighter(tight, tight), tighter(loose, tight)] == [True, True, False], name


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("mailbox_quota_mb_by_post", {"van_thu": 1}, {"hieu_truong": 1}),
        ("blocked_attachments", ("mp4",), ("avi",)),
        ("external_forward", ("a.vn",), ("b.vn",)),
    ],
)
def test_what_can_not_be_compared_is_tighter_neither_way(name: str, one: Any, other: Any) -> None:
    tighter = SETTINGS[name].tighter
    assert tighter
    assert not tighter(one, other)
    assert not tighter(other, one)


def test_never_and_anywhere_are_the_ends_of_forwarding() -> None:
    tighter = SETTINGS["external_forward"].tighter
    assert tighter
    for value in ("never", (), ("a.vn",), "anywhere"):
        assert tighter("never", value)
        assert tighter(value, "anywhere")
    assert not tighter("anywhere", ("a.vn",))
    assert not tighter(("a.vn",), "never")


def test_every_setting_has_a_default_that_serves_a_known_requirement(province: Province) -> None:
    for name, setting in SETTINGS.items():
        assert getattr(province.levels["edumail"].policies, name) is not None, name
        assert setting.serves in requirements(), name
        assert (setting.origin == "law") == bool(setting.source), name
        assert "37/2020" not in setting.source
        assert setting.vi != setting.en


def test_every_setting_is_explained_where_it_stands() -> None:
    """Docstrings give the default that group_vars/all.yml has, its origin, the requirement and the program."""
    source = (ROOT / "edumail" / "policies.py").read_text(encoding="utf-8")
    defaults = load(LAB).levels["edumail"].policies
    texts = source.split("] = None")[1:]
    for (name, setting), text in zip(SETTINGS.items(), texts, strict=True):
        doc = " ".join(text.split('"""')[1].split()).replace("Default: none", "Default none")
        assert f"by {setting.origin}" in doc, name
        assert f"Serves {setting.serves.removeprefix('C37-')}" in doc, name
        value = getattr(defaults, name)
        said = "none" if value in ({}, ()) else f"``{value}``" if isinstance(value, str) else str(value)
        assert f"Default {said}" in doc, name


LOCKED = "policies: {blocked_attachments: [mp4, avi]}\nlocked: [blocked_attachments]\n"


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _without_policies(self, inventory: Inventory) -> None:
        """The lab's units as if they said nothing of policies."""
        for file in (SUOI_MO, SO):
            text = (inventory.folder / file).read_text(encoding="utf-8")
            inventory.write(file, re.sub(r"^  (?:policies:\n(?:    .*\n)+|tighten_only: .*\n)", "", text, flags=re.M))

    def says(self, inventory: Inventory, said: str, unit: str = OWN) -> None:
        """A unit says so of policies."""
        inventory.replace(SUOI_MO if unit == OWN else SO, unit, f"{unit}  policies:\n    {said}\n")

    def one(self, inventory: Inventory) -> tuple[str, str, str]:
        """Code and both texts of the only mistake."""
        (problem,) = inventory.problems()
        return problem.code, problem.text("en"), problem.text("vi")

    def test_a_locked_setting_names_the_lock(self, inventory: Inventory) -> None:
        inventory.replace("province.yml", "hostmaster:", LOCKED + "hostmaster:")
        self.says(inventory, "blocked_attachments: []")
        line, column = inventory.place(SUOI_MO, "[]")
        lock, set_ = inventory.place("province.yml", "blocked_attachments]"), inventory.place("province.yml", "[mp4")
        code, en, vi = self.one(inventory)
        assert code == "locked-setting"
        assert en == (
            f"{SUOI_MO}:{line}:{column}: 'blocked_attachments: []' is not allowed: it is locked at "
            f"province.yml:{lock[0]}:{lock[1]} to [mp4, avi], set at province.yml:{set_[0]}:{set_[1]}; delete this line"
        )
        assert vi == (
            f"{SUOI_MO}:{line}:{column}: «blocked_attachments: []» không được: bị khóa ở "
            f"province.yml:{lock[0]}:{lock[1]}, giá trị [mp4, avi] đặt ở province.yml:{set_[0]}:{set_[1]}; xóa dòng này"
        )

    def test_tighter_than_locked_is_not_allowed_either_but_the_same_is(self, inventory: Inventory) -> None:
        inventory.replace("province.yml", "hostmaster:", LOCKED + "hostmaster:")
        self.says(inventory, "blocked_attachments: [mp4, avi]")
        assert inventory.problems() == []
        inventory.replace(SUOI_MO, "[mp4, avi]", "[mp4, avi, mkv]")
        assert self.one(inventory)[0] == "locked-setting"

    def test_loosening_names_the_mark_and_tightening_passes(self, inventory: Inventory) -> None:
        """The mark is a commune's own, the value the defaults'."""
        inventory.replace(SUOI_MO, "  kind: vhxh\n", "  kind: vhxh\n  tighten_only: [mailbox_quota_mb]\n")
        self.says(inventory, "mailbox_quota_mb: 1024")
        assert inventory.problems() == []
        inventory.replace(SUOI_MO, "mailbox_quota_mb: 1024", "mailbox_quota_mb: 4096")
        mark = ":".join(map(str, inventory.place(SUOI_MO, "mailbox_quota_mb]")))
        code, en, vi = self.one(inventory)
        assert code == "loosened-setting"
        assert f"by {SUOI_MO}:{mark} it may only be tighter than 2048, set at group_vars/all.yml (edumail):" in en
        assert f"theo {SUOI_MO}:{mark} chỉ được chặt hơn 2048" in vi

    def test_the_province_s_file_is_bound_by_its_defaults(self, inventory: Inventory) -> None:
        inventory.write("group_vars/all.yml", "policies: {trash_days: 10}\nlocked: [trash_days]\n")
        inventory.replace("province.yml", "hostmaster:", "policies: {trash_days: 20}\nhostmaster:")
        code, en, _ = self.one(inventory)
        assert (code, "locked at group_vars/all.yml:2:10 to 10" in en) == ("locked-setting", True)

    def test_all_of_them_come_at_once(self, inventory: Inventory) -> None:
        inventory.replace("province.yml", "hostmaster:", "locked: [trash_days]\ntighten_only: [junk_days]\nhostmaster:")
        inventory.replace(SUOI_MO, "kind: vhxh", "kind: vhxh\n  locked: [mailbox_quota_gb]")
        self.says(inventory, "trash_days: 1\n    message_size_limit_mb: 26")
        self.says(inventory, "mailbox_quota_mb_by_post: {hieu_truongg: 1}", "  parent: so\n  host: mail-thpt\n")
        assert [(p.where.file, p.code) for p in inventory.problems()] == [
            ("province.yml", "no-tighter"),
            (SO, "unknown-post"),
            (SUOI_MO, "literal-error"),
            (SUOI_MO, "locked-setting"),
            (SUOI_MO, "above-size-limit"),
        ]

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ("external_forward: always", "literal-error"),
            ("external_forward: [gmail]", "string-pattern-mismatch"),
            ("external_forward: [never]", "string-pattern-mismatch"),
            ("mailbox_quota_mb_by_post: {hieu_truong: much}", "int-type"),
            ("mailbox_quota_mb_by_post: {hieu_truong: true}", "int-type"),
            ("mailbox_quota_mb_by_post: {hieu_truong: '2048'}", "int-type"),
            ("leaver_days: true", "int-type"),
            ("leaver_days: '5'", "int-type"),
            ("leaver_days: 0030", "int-type"),
            ("mailbox_quota_mb: 1_000", "int-type"),
            ("mailbox_quota_mb: 5.0", "int-type"),
            ("mailbox_quota_mb_by_post: 12", "dict-type"),
            ("password_character_classes: 5", "less-than-equal"),
            ("posting_to_unit_groups: all", "literal-error"),
            ("blocked_attachments: [.exe]", "string-pattern-mismatch"),
        ],
    )
    def test_a_value_that_is_none_is_one_mistake_at_its_place(self, inventory: Inventory, said: str, code: str) -> None:
        self.says(inventory, said)
        (problem,) = inventory.problems()
        assert (problem.code, problem.where.line) == (code, inventory.place(SUOI_MO, said)[0]), problem.text("en")
        assert problem.vi != problem.en

    def test_a_whole_number_is_asked_for_as_one_writes_it(self, inventory: Inventory) -> None:
        self.says(inventory, "leaver_days: true")
        _, en, vi = self.one(inventory)
        assert ": 'leaver_days' is “true”: must be a whole number, of digits alone and without quotes, such as 30" in en
        assert vi.endswith(": «leaver_days» là “true”: phải là số nguyên, chỉ gồm chữ số và không có ngoặc kép, như 30")

    def test_order_says_nothing_in_a_list(self, inventory: Inventory) -> None:
        inventory.replace("province.yml", "hostmaster:", LOCKED + "hostmaster:")
        self.says(inventory, "blocked_attachments: [avi, mp4]")
        assert inventory.problems() == []

    @pytest.mark.parametrize("mark", ["locked", "tighten_only"])
    @pytest.mark.parametrize(("above_", "below"), [("never", "[]"), ("[]", "never")])
    def test_no_domain_is_never(self, inventory: Inventory, mark: str, above_: str, below: str) -> None:
        said = f"policies: {{external_forward: {above_}}}\n{mark}: [external_forward]\n"
        inventory.replace("province.yml", "hostmaster:", f"{said}hostmaster:")
        self.says(inventory, f"external_forward: {below}")
        assert inventory.problems() == []

    def written(self, inventory: Inventory, address: str, posting: str, unit: str = "th-suoi-mo") -> None:
        entry = f"- address: {address}\n  name: X\n  unit: {unit}\n  members: {{staff: true}}\n  posting: {posting}\n"
        inventory.write("groups.yml", (inventory.folder / "groups.yml").read_text(encoding="utf-8") + "\n" + entry)

    @pytest.mark.parametrize(
        ("policy", "address", "unit"),
        [
            ("posting_to_unit_groups", "toanthe.thsuoimo@suoimo.minhha.test", "th-suoi-mo"),
            ("posting_to_branch_groups", "ds-vanthu@suoimo.minhha.test", "vhxh-suoi-mo"),
        ],
    )
    def test_a_group_written_in_place_of_one_that_comes_by_itself_is_held_to_its_policy(
        self, inventory: Inventory, policy: str, address: str, unit: str
    ) -> None:
        said = f"policies: {{{policy}: unit}}\nlocked: [{policy}]\n"
        inventory.replace("province.yml", "hostmaster:", f"{said}hostmaster:")
        self.written(inventory, address, "province", unit)
        line, column = last(inventory, "posting: ")
        lock, set_ = inventory.place("province.yml", f"{policy}]"), inventory.place("province.yml", "unit}")
        code, en, vi = self.one(inventory)
        assert code == "locked-setting"
        assert en == (
            f"groups.yml:{line}:{column}: 'posting: province' is not allowed: {address} is the address of a standard "
            f"group of unit '{unit}', and '{policy}' is locked at province.yml:{lock[0]}:{lock[1]} to unit, set at "
            f"province.yml:{set_[0]}:{set_[1]}; write 'posting: unit'"
        )
        assert f"«{policy}» bị khóa ở province.yml:{lock[0]}:{lock[1]}, giá trị unit đặt ở province.yml:" in vi

    def test_and_to_what_may_only_be_tightened(self, inventory: Inventory) -> None:
        address, policy = "lanhdao.thsuoimo@suoimo.minhha.test", "posting_to_unit_groups"
        inventory.replace(SUOI_MO, "  kind: vhxh\n", f"  kind: vhxh\n  tighten_only: [{policy}]\n")
        self.written(inventory, address, "anyone")
        mark = ":".join(map(str, inventory.place(SUOI_MO, f"{policy}]")))
        code, en, vi = self.one(inventory)
        assert code == "loosened-setting"
        assert (
            f"'{policy}' by {SUOI_MO}:{mark} may only be tighter than unit, set at group_vars/all.yml (edumail):" in en
        )
        assert f"theo {SUOI_MO}:{mark} chỉ được chặt hơn unit" in vi
        rule = "unit: th-suoi-mo\n  members: {staff: true}\n  posting: "
        inventory.replace("groups.yml", f"{rule}anyone", f"{rule}holders")
        assert inventory.problems() == []

    def test_nor_may_it_belong_to_another_unit_then(self, inventory: Inventory) -> None:
        address, policy = "toanthe.thsuoimo@suoimo.minhha.test", "posting_to_unit_groups"
        self.written(inventory, address, "unit", "vhxh-suoi-mo")
        assert inventory.problems() == []
        inventory.replace("province.yml", "hostmaster:", f"locked: [{policy}]\nhostmaster:")
        mark = ":".join(map(str, inventory.place("province.yml", f"{policy}]")))
        code, en, vi = self.one(inventory)
        assert code == "foreign-group"
        assert f"is restrained at province.yml:{mark}; write 'unit: th-suoi-mo'" in en
        assert f"bị ràng buộc ở province.yml:{mark}; ghi «unit: th-suoi-mo»" in vi


def last(inventory: Inventory, needle: str) -> tuple[int, int]:
    """Line and column of what comes after the last ``needle`` of groups.yml."""
    before, found, _ = (inventory.folder / "groups.yml").read_text(encoding="utf-8").rpartition(needle)
    return before.count("\n") + 1, len(before + found) - (before.rfind("\n") + 1) + 1


class TestExplain:
    def test_who_set_it_what_that_overrode_and_who_restrains_it(
        self, inventory: Inventory, capsys: pytest.CaptureFixture[str]
    ) -> None:
        said = "policies: {mailbox_quota_mb: 5000}\ntighten_only: [mailbox_quota_mb]\n"
        inventory.replace("province.yml", "hostmaster:", f"{said}hostmaster:")
        place = ":".join(map(str, inventory.place(SUOI_MO, "1024")))
        mark = ":".join(map(str, inventory.place("province.yml", "mailbox_quota_mb]")))
        default = (ROOT / "group_vars" / "all.yml").read_text().partition("2048")[0]
        line, column = default.count("\n") + 1, len(default) - default.rfind("\n")
        assert main(["explain", str(inventory.folder), "thcs-suoi-mo", "mailbox_quota_mb", "--lang", "en"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "mailbox_quota_mb: 1024"
        assert [line.split(maxsplit=2)[2] for line in lines if "instead of" in line] == [
            "5000  (province.yml:10:30)",
            f"2048  (group_vars/all.yml (edumail):{line}:{column})",
        ]
        assert f"  set at        {SUOI_MO}:{place}" in lines
        assert f"  only tighter  province.yml:{mark}" in lines
        assert "  enforced by   Dovecot" in lines
        assert "  default       2048, local habit" in lines
        assert any(line.startswith("  serves        C37-4.3.1: ") for line in lines)

    def test_without_a_setting_all_come_in_vietnamese_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain", str(LAB), "so", "--lang", "vi"]) == 0
        out = capsys.readouterr().out
        assert [line.split(":")[0] for line in out.splitlines() if line and line[0] != " "] == list(SETTINGS)
        assert "luật (TCVN 14423:2026, 4.6)" in out
        assert "suy luận" in out
        assert "thông lệ" in out

    @pytest.mark.parametrize(
        ("words", "en", "vi"),
        [
            (["thcs-suoi-ma"], "no unit 'thcs-suoi-ma'; the nearest: thcs-suoi-mo", "không có đơn vị «thcs-suoi-ma»"),
            (["so", "quota"], "no policy 'quota'; the nearest: mailbox_quota_mb", "không có chính sách «quota»"),
            (["\x1b[2J"], "no unit '", "không có đơn vị «"),
            (["so", ""], "no policy ''; the nearest: mailbox_quota_mb", "không có chính sách «»"),
        ],
    )
    def test_what_is_unknown_is_said_with_the_nearest_names(
        self, words: list[str], en: str, vi: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for lang, said in (("en", en), ("vi", vi)):
            assert main(["explain", str(LAB), *words, "--lang", lang]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert said in err
            assert "\x1b" not in err

    def test_a_broken_inventory_is_named_and_no_traceback(self, inventory: Inventory) -> None:
        inventory.replace(SUOI_MO, "mailbox_quota_mb: 1024", "mailbox_quota_mb: x")
        command = [sys.executable, "-m", "edumail", "explain", str(inventory.folder), "so"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"{SUOI_MO}:" in done.stderr
        assert "Traceback" not in done.stderr


def test_places_are_kept_with_the_inventory() -> None:
    _, sources = load_with_places(LAB)
    assert sources.at("level", "edumail", "policies", "trash_days").line > 1
    assert sources.at("unit", "thcs-suoi-mo", "policies", "mailbox_quota_mb").file == SUOI_MO
    assert isinstance(load(LAB).levels["province"], Settings)
    assert Path(LAB, SUOI_MO).exists()
