"""Groups that come by themselves: the addresses of every mail domain (RFC 2142), those of the catalogue; rules."""

from __future__ import annotations

import pytest
from conftest import Inventory

from edumail.groups import Groups
from edumail.load import load
from edumail.mail import Mail
from edumail.model import Province, Rule
from edumail.units import Units

NAMES = ("abuse", "hostmaster", "postmaster", "security", "webmaster")
OFFICER = "duchm@suoimo.minhha.test"


def test_standard_names_reach_the_officer_of_the_domains_highest_unit(province: Province) -> None:
    groups = Groups(Units(province))
    for name in NAMES:
        assert groups.mailboxes(f"{name}@suoimo.minhha.test") == {OFFICER}
        assert groups.all[f"{name}@suoimo.minhha.test"].posting == "anyone"


def test_a_mailbox_or_group_of_that_name_comes_first(inventory: Inventory) -> None:
    inventory.replace("groups.yml", "- address: toantruong@thptsongque", "- address: webmaster@suoimo.minhha")
    inventory.replace("units/suoi-mo.yml", "{address: vhxh@", "{address: security@suoimo.minhha.test, name: An toàn, "
                      "holders: [van_thu]}\n    - {address: vhxh@")  # fmt: skip
    groups = Groups(Units(load(inventory.folder)))
    assert "hostmaster@sogddt.minhha.test" not in groups.all  # a mailbox of the lab's own
    assert "security@suoimo.minhha.test" not in groups.all
    assert len(groups.mailboxes("webmaster@suoimo.minhha.test")) > 1
    assert groups.mailboxes("hostmaster@suoimo.minhha.test") == {OFFICER}


def test_the_hostmaster_of_the_zones_may_be_such_a_name(inventory: Inventory) -> None:
    inventory.replace("province.yml", "hostmaster: hostmaster@sogddt", "hostmaster: hostmaster@suoimo")
    assert not inventory.problems()


# Groups that come by themselves


def standard(province: Province) -> dict[str, str | None]:
    return {address: group.template for address, group in Groups(Units(province)).all.items() if group.template}


def test_each_unit_has_its_own_and_who_has_units_below_has_theirs(province: Province) -> None:
    groups = Groups(Units(province))
    reached = groups.mailboxes
    assert reached("toanthe@suoimo.minhha.test") == {p.address for p in groups.units.people["vhxh-suoi-mo"]}
    assert reached("toanthe.thsuoimo@suoimo.minhha.test") == {p.address for p in groups.units.people["th-suoi-mo"]}
    assert reached("toanthe@thptsongque.test") == {p.address for p in groups.units.people["thpt-song-que"]}
    heads = {"bangnv@suoimo.minhha.test", "vinhpt@suoimo.minhha.test", "huongnt.mnhoasen@suoimo.minhha.test"}
    assert reached("ds-thutruong@suoimo.minhha.test") == heads  # not the office's own
    assert reached("ds-thutruong@sogddt.minhha.test") == heads | {
        "khaitv@suoimo.minhha.test",
        "phuctd@thptsongque.test",
    }
    assert reached("ds-thutruong-thcs@sogddt.minhha.test") == {"vinhpt@suoimo.minhha.test"}
    assert reached("ds-phong@sogddt.minhha.test") == {"khaitv@suoimo.minhha.test", "phuonglt@suoimo.minhha.test"}
    assert {groups.all[f"{local}@suoimo.minhha.test"].posting for local in ("toanthe", "ds-vanthu")} == {
        "unit",
        "branch",
    }


def test_none_is_empty(province: Province) -> None:
    found = standard(province)
    assert "ds-thutruong-gdtx@sogddt.minhha.test" not in found  # there is no such centre
    assert "ds-toanthe@thptsongque.test" not in found  # nothing is below a school
    groups = Groups(Units(province))
    assert all(groups.mailboxes(address) for address in found)


def test_what_is_written_down_comes_first(inventory: Inventory) -> None:
    inventory.replace("groups.yml", "- address: vanthu@suoimo", "- address: toanthe@suoimo")
    inventory.replace("groups.yml", ", vanthu@suoimo", ", toanthe@suoimo")
    inventory.replace("people/so.csv", "thinhdq@", "lanhdao@")
    inventory.replace("units/so.yml", "address: gdtrh@", "address: ds-vanthu@")
    inventory.write("former.yml", "- {address: ds-ketoan@sogddt.minhha.test, to: lanhdao@sogddt.minhha.test, "
                    "until: 2020-01-01}\n")  # fmt: skip
    province = load(inventory.folder)
    assert (
        standard(province)
        .keys()
        .isdisjoint(f"{local}@sogddt.minhha.test" for local in ("lanhdao", "ds-vanthu", "ds-ketoan"))
    )
    assert "toanthe@suoimo.minhha.test" not in standard(province)


TEACHERS = "toanthe.thsuoimo@suoimo.minhha.test"  # of a primary school
RULE = "posting_to_unit_groups"


def written(inventory: Inventory, members: str, posting: str, holders: str = "") -> None:
    """A group of the school in place of the one that comes by itself."""
    entry = (
        f"- address: {TEACHERS}\n  name: X\n  unit: th-suoi-mo\n  members: {members}\n  posting: {posting}\n{holders}"
    )
    inventory.write("groups.yml", (inventory.folder / "groups.yml").read_text(encoding="utf-8") + "\n" + entry)


@pytest.mark.parametrize(
    ("posting", "holders", "allowed"),
    [
        ("members", "", {"bangnv", "nhilt", "thsuoimo"}),
        ("holders", "", {"bangnv", "nhilt", "thsuoimo"}),
        ("holders", "  holders: [th-03]\n", {"lucdc"}),
    ],
)
def test_the_rule_that_is_written_holds_where_one_would_come_by_itself(
    inventory: Inventory, posting: str, holders: str, allowed: set[str]
) -> None:
    written(inventory, "{scope: unit, posts: [hieu_truong, van_thu]}", posting, holders)
    mail = Mail(load(inventory.folder))
    assert mail.groups.mailboxes(TEACHERS) == {"bangnv@suoimo.minhha.test", "nhilt@suoimo.minhha.test"}
    for host in ("mail-xa", "mail-so"):
        tables = mail.host(host)
        # Only this host expands it, and the gateway judges what others hand over.
        passing = {
            sender.partition("@")[0] for sender, rules in tables.posters.items() if tables.posting[TEACHERS] in rules
        }
        assert passing == allowed
    assert all(TEACHERS in mail.host(host).closed for host in mail.province.hosts)


@pytest.mark.parametrize(
    ("held", "mark", "posting", "code"),
    [
        ("unit", "locked", "members", "locked-setting"),
        ("unit", "locked", "holders", "locked-setting"),
        ("holders", "locked", "members", "locked-setting"),
        ("holders", "tighten_only", "members", "loosened-setting"),
        ("members", "locked", "members", None),
        ("unit", "tighten_only", "members", None),
        ("members", "tighten_only", "holders", None),
    ],
)
def test_a_lock_holds_for_what_is_written_there(
    inventory: Inventory, held: str, mark: str, posting: str, code: str | None
) -> None:
    # One school below the lock has a policy of its own, which is another matter.
    inventory.replace("units/suoi-mo.yml", f"    {RULE}: holders\n", "")
    inventory.replace("province.yml", "hostmaster:", f"policies: {{{RULE}: {held}}}\n{mark}: [{RULE}]\nhostmaster:")
    written(inventory, "{scope: unit, staff: true}", posting)
    problems = inventory.problems()
    assert [problem.code for problem in problems] == ([code] if code else [])
    for problem in problems:
        file = (inventory.folder / "groups.yml").read_text(encoding="utf-8")
        assert (problem.where.file, problem.where.line) == (
            "groups.yml",
            file[: file.rindex("posting: ")].count("\n") + 1,
        )
        assert problem.vi != problem.en


@pytest.mark.parametrize(
    ("held", "mark", "members", "stranger"),
    [
        (
            "unit",
            "tighten_only",
            "{scope: unit, staff: true, addresses: [thinhdq@sogddt.minhha.test]}",
            "thinhdq@sogddt",
        ),
        ("unit", "tighten_only", "{staff: true, below: thpt-song-que}", "@thptsongque"),
        ("members", "locked", "{scope: unit, staff: true, addresses: [hieutruong@suoimo.minhha.test]}", "huongnt.mn"),
        (
            "members",
            "tighten_only",
            "{scope: unit, posts: [van_thu], addresses: [vinhpt@suoimo.minhha.test]}",
            "vinhpt@",
        ),
        ("branch", "tighten_only", "{scope: unit, staff: true, addresses: [vinhpt@suoimo.minhha.test]}", "vinhpt@"),
        ("branch", "tighten_only", "{scope: unit, staff: true, addresses: [thinhdq@sogddt.minhha.test]}", None),
        ("unit", "tighten_only", "{scope: unit, staff: true, addresses: [thsuoimo@suoimo.minhha.test]}", None),
    ],
)
def test_members_from_elsewhere_are_no_way_round_a_lock(
    inventory: Inventory, held: str, mark: str, members: str, stranger: str | None
) -> None:
    """A group that its members may write to lets in whoever is made a member."""
    inventory.replace("units/suoi-mo.yml", f"    {RULE}: holders\n", "")
    inventory.replace("province.yml", "hostmaster:", f"policies: {{{RULE}: {held}}}\n{mark}: [{RULE}]\nhostmaster:")
    written(inventory, members, "members")
    problems = inventory.problems()
    assert [problem.code for problem in problems] == (["strange-members"] if stranger else [])
    for problem in problems:
        file = (inventory.folder / "groups.yml").read_text(encoding="utf-8")
        line = file[: file.rindex("members: {")].count("\n") + 1
        assert (problem.where.file, problem.where.line) == ("groups.yml", line)
        assert stranger
        assert stranger in problem.en
        assert stranger in problem.vi
        assert problem.vi != problem.en


CHANGED = """
standard_groups:
  toanthe: null
  lanhdao: {name: Hai, members: {scope: unit, heads: true}}
  yte: {name: "Y tế {unit}", members: {scope: unit, posts: [y_te]}}
"""


def test_a_province_adds_changes_and_takes_away(inventory: Inventory) -> None:
    inventory.write("group_vars/all.yml", CHANGED)
    groups = Groups(Units(load(inventory.folder)))
    assert "toanthe@sogddt.minhha.test" not in groups.all
    assert groups.mailboxes("lanhdao@thptsongque.test") == {"phuctd@thptsongque.test"}
    assert groups.all["yte.thsuoimo@suoimo.minhha.test"].name == "Y tế Trường Tiểu học Suối Mơ"
    assert "ds-vanthu@sogddt.minhha.test" in groups.all


@pytest.mark.parametrize(
    ("entry", "code", "needle"),
    [
        ("nhom: {name: Nhóm, members: {posts: [van_thuu]}}", "unknown-post", "van_thuu"),
        ("nhom: {name: Nhóm, members: {kinds: [truongg], staff: true}}", "unknown-kind", "truongg"),
        ("nhom: {name: Nhóm, members: {sections: [khtm]}}", "unknown-section", "khtm"),
        ("nhom: {name: Nhóm, members: {staff: true, below: so}}", "standard-group", "so}"),
        ("nhom: {name: Nhóm, members: {addresses: [x@sogddt.minhha.test]}}", "standard-group", "[x@"),
        ("Nhóm: {name: Nhóm, members: {staff: true}}", "string-pattern-mismatch", "{name"),
        ("nhom: {name: Nhóm}", "missing", "{name"),
        ("nhom: {name: Nhóm, members: {staff: true}, posting: unit}", "extra-forbidden", "unit}"),
    ],
)
def test_a_mistake_in_one_is_named_where_it_stands(inventory: Inventory, entry: str, code: str, needle: str) -> None:
    inventory.write("group_vars/all.yml", f"standard_groups:\n  {entry}\n")
    (problem,) = inventory.problems()
    assert (problem.code, problem.where.file) == (code, "group_vars/all.yml")
    assert (problem.where.line, problem.where.column) == inventory.place("group_vars/all.yml", needle)
    assert problem.vi != problem.en


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"sections": ["khtn"], "posts": ["to_truong"]}, {"sendt"}),
        ({"heads": True, "posts": ["van_thu"], "kinds": ["vhxh"]}, {"khaitv", "phuonglt"}),
        ({"heads": True, "scope": "unit"}, {"thinhdq"}),
        ({"heads": True, "below": "vhxh-suoi-mo", "scope": "below", "levels": ["tieuhoc"]}, {"bangnv"}),
    ],
)
def test_conditions_of_a_rule_are_joined_by_and(
    province: Province, rule: dict[str, object], expected: set[str]
) -> None:
    people = Groups(Units(province)).people("so", Rule.model_validate(rule))
    assert {person.address.partition("@")[0] for person in people} == expected
