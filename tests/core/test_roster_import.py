"""Who is who, who comes and goes, and what ``edumail roster import`` says and writes."""

from __future__ import annotations

import io
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import LAB, Inventory
from rosters import HEADER, LOWER, PRIMARY, TODAY, UPPER, as_csv, files, imported, planned, prepared, staff, told

from edumail import cli
from edumail.load import load
from edumail.mail import Mail
from edumail.people.plan import Plan
from edumail.portal.load import Contents
from edumail.portal.sections import BY_ID, missing
from edumail.portal.site import build
from edumail.portal.view import Views
from edumail.problems import Problem
from edumail.units import Units

UNTIL = date(2027, 6, 30)
Row = list[str]


def sheet(rows: list[Row]) -> bytes:
    return as_csv([HEADER, *rows])


def rows_of(inventory: Inventory, unit: str = PRIMARY) -> list[Row]:
    return staff(inventory.folder, unit)


def nobody(rows: list[Row], *ids: str) -> list[Row]:
    return [row for row in rows if row[1] not in ids]


def new(name: str, section: str = "", posts: str = "Giáo viên", id: str = "") -> Row:
    return ["99", id, name, section, posts]


def the(problems: list[Problem], code: str) -> Problem:
    (problem,) = (problem for problem in problems if problem.code == code)
    assert problem.vi != problem.en
    return problem


def address(plan: Plan, id: str) -> str:
    (line,) = (line for line in plan.lines if line.after and line.after.id == id)
    assert line.after is not None
    return line.after.address


# Coming and going


def test_the_same_roster_changes_nothing(inventory: Inventory) -> None:
    before = files(inventory.folder)
    for unit in load(inventory.folder).units:
        intake = prepared(inventory.folder, sheet(rows_of(inventory, unit)), unit)
        assert intake.plan.refused == intake.plan.lines == intake.changes == []
    assert files(inventory.folder) == before


def test_new_people_get_the_next_id_and_an_address_by_the_rule(inventory: Inventory) -> None:
    rows = [*rows_of(inventory), new("Lò Thị Đào", "khoi-4-5"), new("Đặng Văn Đức")]
    plan = imported(inventory.folder, sheet(rows))
    assert told(plan) == [("new", "th-13"), ("new", "th-14")]
    assert [address(plan, id) for id in ("th-13", "th-14")] == ["daolt@suoimo.minhha.test", "ducdv@suoimo.minhha.test"]
    assert (
        (inventory.folder / "people/th-suoi-mo.csv")
        .read_text(encoding="utf-8")
        .endswith(
            "th-13,Lò Thị Đào,khoi-4-5,Giáo viên,daolt@suoimo.minhha.test\n"
            "th-14,Đặng Văn Đức,,Giáo viên,ducdv@suoimo.minhha.test\n"
        )
    )
    assert inventory.problems() == []


def test_the_province_may_have_another_rule(inventory: Inventory) -> None:
    file = inventory.folder / "province.yml"
    file.write_text(file.read_text(encoding="utf-8") + "address_rule: full_name\n", encoding="utf-8")
    plan = planned(inventory.folder, sheet([*rows_of(inventory), new("Đặng Thị Đào"), new("Đặng Thị Đảo")]))
    assert address(plan, "th-13") == "dang.thi.dao@suoimo.minhha.test"
    assert address(plan, "th-14") == "dang.thi.dao2@suoimo.minhha.test"
    inventory.replace("province.yml", "full_name", "surname")
    assert the(inventory.problems(), "literal-error").where.file == "province.yml"


def test_who_leaves_keeps_id_and_address_for_ever(inventory: Inventory) -> None:
    plan = imported(inventory.folder, sheet(nobody(rows_of(inventory), "th-12")))
    assert told(plan) == [("left", "th-12")]
    assert (inventory.folder / "left/th-suoi-mo.csv").read_text(encoding="utf-8") == (
        "Mã,Họ và tên,Địa chỉ thư,Ngày nghỉ\nth-12,Kiều Thị Hạnh,hanhkt@suoimo.minhha.test,2026-08-20\n"
    )
    assert inventory.problems() == []
    # Somebody else of the very name, a year later.
    rows = [*rows_of(inventory), new("Kiều Thị Hạnh", id="th-77")]
    plan = imported(inventory.folder, sheet(rows), today=TODAY + timedelta(365))
    assert address(plan, "th-77") == "hanhkt2@suoimo.minhha.test"
    rows = [*rows_of(inventory), new("Lò Thị Đào")]
    assert told(planned(inventory.folder, sheet(rows))) == [("new", "th-78")]
    (wanted,) = planned(
        inventory.folder, as_csv([[*HEADER, "Email"], ["1", "", "Kim Thị Hạnh", "", "GV", "hanhkt@suoimo.minhha.test"]])
    ).doubts
    assert wanted.code == "other-name"


def test_who_comes_back_gets_id_and_address_back(inventory: Inventory) -> None:
    whole, without = sheet(rows_of(inventory)), sheet(nobody(rows_of(inventory), "th-12"))
    before = sorted((inventory.folder / "people/th-suoi-mo.csv").read_text(encoding="utf-8").splitlines())
    imported(inventory.folder, without)
    plan = imported(inventory.folder, whole)
    assert told(plan) == [("returned", "th-12")]
    assert sorted((inventory.folder / "people/th-suoi-mo.csv").read_text(encoding="utf-8").splitlines()) == before
    assert load(inventory.folder).left == ()


def test_who_comes_back_without_an_id_is_in_doubt(inventory: Inventory) -> None:
    imported(inventory.folder, sheet(nobody(rows_of(inventory), "th-12")))
    plan = planned(inventory.folder, sheet([*rows_of(inventory), new("Kiều Thị Hạnh")]))
    doubt = the(plan.doubts, "came-back")
    assert "th-12; hanhkt@suoimo.minhha.test; 2026-08-20" in doubt.vi
    assert doubt.where.line == 13
    assert plan.unchanged == 11


def test_part_of_a_staff_makes_nobody_leave(inventory: Inventory) -> None:
    part = sheet([rows_of(inventory)[4], new("Lò Thị Đào")])
    assert told(planned(inventory.folder, part, partial=True)) == [("new", "th-13")]
    whole = planned(inventory.folder, part)
    assert len(whole.of("left")) == 11
    refused = the(whole.problems, "many-leave")
    assert "11 of the 12 people" in refused.en
    assert "--leavers 11" in refused.vi
    assert planned(inventory.folder, part, leavers=11).problems == []
    assert the(planned(inventory.folder, part, leavers=10).problems, "many-leave")


# Who is who


def test_namesakes_are_told_apart_by_section_and_post(inventory: Inventory) -> None:
    rows = [*rows_of(inventory), new("Nguyễn Thị Hương", "khoi-4-5"), new("Nguyễn Thị Hương", "", "Kế toán")]
    plan = imported(inventory.folder, sheet(rows))
    assert [address(plan, id) for id in ("th-13", "th-14")] == [
        "huongnt@suoimo.minhha.test",
        "huongnt2@suoimo.minhha.test",
    ]
    nameless = [["", "", *row[2:]] for row in rows]
    assert planned(inventory.folder, sheet(nameless)).lines == []
    turned = [*nameless[:-2], nameless[-1], nameless[-2]]
    assert planned(inventory.folder, sheet(turned)).lines == []
    # One of the two left, and the row says which.
    assert told(planned(inventory.folder, sheet(nameless[:-1]))) == [("left", "th-14")]
    # Nobody can say which of the two is in the library now.
    moved = [*nameless[:-1], new("Nguyễn Thị Hương", "", "Thư viện")]
    plan = planned(inventory.folder, sheet(moved))
    doubt = the(plan.doubts, "namesake")
    assert "th-14; huongnt2@suoimo.minhha.test; Kế toán" in doubt.vi
    assert plan.lines == []
    moved[-1][1] = "th-14"
    assert told(planned(inventory.folder, sheet(moved))) == [("changed", "th-14")]
    moved[-1][1] = "th-15"  # somebody new, and the other has left
    assert told(planned(inventory.folder, sheet(moved))) == []
    assert the(planned(inventory.folder, sheet(moved)).doubts, "other-id")


def test_namesakes_of_one_section_and_post_are_as_many_as_they_are(inventory: Inventory) -> None:
    header = [*HEADER, "Ngày sinh"]
    rows = [[*row, ""] for row in rows_of(inventory)]
    twins = [["", "", "Nguyễn Thị Hương", "khoi-4-5", "GV", born] for born in ("1/2/1990", "03/04/1985")]
    imported(inventory.folder, as_csv([header, *rows, *twins]))
    again = [[*row, ""] for row in rows_of(inventory)]
    assert planned(inventory.folder, as_csv([header, *rows, *twins])).lines == []
    assert len(again) == 14
    unborn = [row[:5] for row in [*rows, *twins]]
    assert planned(inventory.folder, sheet(unborn)).refused == []


def test_rows_that_nothing_tells_apart_are_a_doubt(inventory: Inventory) -> None:
    plan = planned(inventory.folder, sheet([*rows_of(inventory), new("Lò Thị Đào"), new("Lò Thị Đào")]))
    assert [doubt.code for doubt in plan.doubts] == ["twins", "twins"]
    assert "row 15" in plan.doubts[0].en


def test_a_mended_mark_is_no_new_person(inventory: Inventory) -> None:
    rows = [["", "", *row[2:]] for row in rows_of(inventory)]
    rows[11][2] = "Kiều Thị Hành"
    plan = planned(inventory.folder, sheet(rows))
    assert told(plan) == [("changed", "th-12")]
    assert address(plan, "th-12") == "hanhkt@suoimo.minhha.test"


def test_marks_alone_tell_namesakes_apart(inventory: Inventory) -> None:
    rows = [*rows_of(inventory), new("Kiều Thị Hành")]
    imported(inventory.folder, sheet(rows))
    nameless = [["", "", *row[2:]] for row in rows]
    assert planned(inventory.folder, sheet(nameless)).lines == []
    del nameless[-1]
    assert told(planned(inventory.folder, sheet(nameless))) == [("left", "th-13")]


def test_ids_that_are_not_the_inventorys_are_left_aside(inventory: Inventory) -> None:
    rows = [[row[0], f"GV{number:03}", *row[2:]] for number, row in enumerate([*rows_of(inventory), new("Lò Thị Đào")])]
    plan = imported(inventory.folder, sheet(rows))
    assert told(plan) == [("new", "th-13")]
    assert [note.code for note in plan.notes] == ["ids-unknown"]
    assert planned(inventory.folder, sheet(rows)).lines == []


def test_among_a_schools_own_numbers_an_id_of_ours_counts(inventory: Inventory) -> None:
    """Or a doubt could not be settled."""
    imported(inventory.folder, sheet(nobody(rows_of(inventory), "th-12")))
    rows = [[row[0], f"GV{number:03}", *row[2:]] for number, row in enumerate(rows_of(inventory))]
    back = new("Kiều Thị Hạnh", id="GV099")
    assert the(planned(inventory.folder, sheet([*rows, back])).doubts, "came-back")
    for id, kind in (("th-12", "returned"), ("th-13", "new")):
        back[1] = id
        assert told(planned(inventory.folder, sheet([*rows, back]))) == [(kind, id)]


def test_a_middle_name_written_otherwise_costs_nobody_a_mailbox(inventory: Inventory) -> None:
    rows = [["", "", *row[2:]] for row in rows_of(inventory)]
    rows[11][2] = "Kiều Hồng Hạnh"
    plan = planned(inventory.folder, sheet(rows))
    assert plan.lines == []
    assert "th-12" in the(plan.doubts, "nearly").vi
    rows[11][1] = "th-12"
    assert told(planned(inventory.folder, sheet(rows))) == [("changed", "th-12")]
    rows[11][1] = "th-13"
    assert told(planned(inventory.folder, sheet(rows))) == [("new", "th-13"), ("left", "th-12")]
    rows[11][1] = ""
    assert told(planned(inventory.folder, sheet(rows), partial=True)) == [("new", "th-13")]


def test_a_school_that_counts_from_one_does_not_get_anothers_people(inventory: Inventory) -> None:
    imported(inventory.folder, sheet([*rows_of(inventory, LOWER), new("Hà Thị Nhị", id="4")]), LOWER)
    rows = [[row[0], row[0], *row[2:]] for row in rows_of(inventory)]
    plan = planned(inventory.folder, sheet(rows))
    assert plan.lines == plan.refused == []
    doubt = the(planned(inventory.folder, sheet([new("Hoàng Thị Nhị", id="4")]), partial=True).doubts, "other-name")
    assert "thcs-suoi-mo" in doubt.vi


def test_a_new_namesake_beside_the_one_who_stays(inventory: Inventory) -> None:
    rows = [["", "", *row[2:]] for row in rows_of(inventory)]
    plan = planned(inventory.folder, sheet([*rows, new("Sầm Văn Bộ", id="th-50")]))
    assert told(plan) == [("new", "th-50")]
    assert address(plan, "th-50") == "bosv2@suoimo.minhha.test"


def test_an_id_and_an_address_of_two_people_are_a_doubt(inventory: Inventory) -> None:
    content = as_csv([[*HEADER, "Email"], [*rows_of(inventory)[4], "dungntk@suoimo.minhha.test"]])
    doubt = the(planned(inventory.folder, content, partial=True).doubts, "id-and-address")
    assert "th-06" in doubt.vi


def test_two_rows_for_one_person_are_a_doubt(inventory: Inventory) -> None:
    row = rows_of(inventory)[4]
    content = as_csv([[*HEADER, "Email"], [*row, ""], ["", "", *row[2:], "thoamt@suoimo.minhha.test"]])
    assert the(planned(inventory.folder, content, partial=True).doubts, "same-person-twice").where.line == 3


def test_an_address_that_is_wished_for_is_given_if_it_is_free(inventory: Inventory) -> None:
    def wish(word: str) -> Plan:
        content = as_csv([[*HEADER, "Email"], ["1", "", "Lò Thị Đào", "", "GV", word]])
        return planned(inventory.folder, content, partial=True)

    assert address(wish("Co.Dao@suoimo.minhha.test"), "th-13") == "co.dao@suoimo.minhha.test"
    taken = [
        "postmaster",
        "security",
        "toanthe",
        "lanhdao",
        "toanthe.thsuoimo",
        "thsuoimo",
        "vanthu",
        "khoi45.thsuoimo",
    ]
    for local in taken:
        problem = the(wish(f"{local}@suoimo.minhha.test").problems, "address-taken")
        assert f"{local}@suoimo.minhha.test" in problem.vi
    assert the(wish("dao@thptsongque.test").problems, "foreign-address")
    assert address(wish("dao@thu.example; dao@suoimo.minhha.test"), "th-13") == "dao@suoimo.minhha.test"


def test_an_address_that_a_group_may_have_tomorrow_is_not_given(inventory: Inventory) -> None:
    readme = (LAB.parents[1] / "README.md").read_text(encoding="utf-8")
    inventory.write("units/dong-chiem.yml", readme[readme.index("- id: th-dong-chiem") :].partition("```")[0])

    def wish(local: str, unit: str, domain: str) -> Plan:
        content = as_csv([[*HEADER, "Email"], ["1", "", "Lò Thị Đào", "", "GV", f"{local}@{domain}"]])
        return planned(inventory.folder, content, unit, partial=True)

    # The new school has nobody yet, and so no group; the other has no units below it.
    for local, unit, domain in (
        ("lanhdao.thdongchiem", "th-dong-chiem", "suoimo.minhha.test"),
        ("ds-thutruong", UPPER, "thptsongque.test"),
    ):
        assert the(wish(local, unit, domain).problems, "address-taken")


def test_an_address_once_given_is_not_changed_by_a_spreadsheet(inventory: Inventory) -> None:
    content = as_csv([[*HEADER, "Email"], [*rows_of(inventory)[4], "thoa@suoimo.minhha.test"]])
    plan = planned(inventory.folder, content, partial=True)
    assert plan.lines == plan.refused == []
    assert [note.code for note in plan.notes] == ["address-kept"]


def test_a_name_without_letters_that_mail_carries_needs_an_address(inventory: Inventory) -> None:
    from edumail.people.addresses import local_part

    assert local_part("李明", "given_initials") == local_part("李明", "full_name") == ""


# Moves


def test_who_moves_within_a_domain_keeps_everything(inventory: Inventory) -> None:
    row = rows_of(inventory)[6]
    plan = imported(inventory.folder, sheet([*rows_of(inventory, LOWER), [*row[:3], "khtn", row[4]]]), LOWER)
    assert told(plan) == [("moved", "th-07")]
    person = Units(load(inventory.folder)).person["th-07"]
    assert (person.unit, person.section, person.address) == (LOWER, "khtn", "bosv@suoimo.minhha.test")
    assert len(rows_of(inventory)) == 11
    assert not (inventory.folder / "left").exists()
    assert not (inventory.folder / "former.yml").exists()


def test_who_moves_to_another_domain_gets_mail_at_the_old_address_until_a_day(inventory: Inventory) -> None:
    row = [*rows_of(inventory)[6][:3], "", "Giáo viên"]
    content = sheet([*rows_of(inventory, UPPER), row])
    refused = the(planned(inventory.folder, content, UPPER).problems, "until-when")
    assert "--until" in refused.vi
    plan = imported(inventory.folder, content, UPPER, until=UNTIL)
    assert address(plan, "th-07") == "bosv@thptsongque.test"
    line = "- {address: bosv@suoimo.minhha.test, to: bosv@thptsongque.test, until: 2027-06-30}\n"
    assert (inventory.folder / "former.yml").read_text(encoding="utf-8") == line
    assert inventory.problems() == []
    # And back: the first address is theirs, and the second leads to it.
    back = [*rows_of(inventory), rows_of(inventory, UPPER)[-1]]
    back[-1][3] = "khoi-4-5"
    plan = imported(inventory.folder, sheet(back), until=date(2028, 6, 30))
    assert address(plan, "th-07") == "bosv@suoimo.minhha.test"
    assert (inventory.folder / "former.yml").read_text(encoding="utf-8") == (
        "- {address: bosv@thptsongque.test, to: bosv@suoimo.minhha.test, until: 2028-06-30}\n"
    )
    assert inventory.problems() == []


def test_old_addresses_follow_who_moves_on_and_end_when_they_leave(inventory: Inventory) -> None:
    comment = "# Kept by hand.\n- address: \"bo@suoimo.minhha.test\"  # of 2025\n  to: 'bosv@suoimo.minhha.test'\n"
    inventory.write("former.yml", comment + "  until: 2099-12-31")
    row = [*rows_of(inventory)[6][:3], "", "Giáo viên"]
    whole = rows_of(inventory, UPPER)
    imported(inventory.folder, sheet([*whole, row]), UPPER, until=UNTIL)
    text = (inventory.folder / "former.yml").read_text(encoding="utf-8")
    assert text == (
        "# Kept by hand.\n- address: \"bo@suoimo.minhha.test\"  # of 2025\n  to: 'bosv@thptsongque.test'\n"
        "  until: 2099-12-31\n- {address: bosv@suoimo.minhha.test, to: bosv@thptsongque.test, until: 2027-06-30}\n"
    )
    assert inventory.problems() == []
    imported(inventory.folder, sheet(whole), UPPER)
    former = load(inventory.folder).former
    assert [old.until for old in former] == [TODAY - timedelta(1)] * 2
    assert "# of 2025" in (inventory.folder / "former.yml").read_text(encoding="utf-8")
    assert inventory.problems() == []


def test_who_left_one_unit_comes_back_in_another(inventory: Inventory) -> None:
    row = [*rows_of(inventory)[6][:3], "", "Giáo viên"]
    imported(inventory.folder, sheet(nobody(rows_of(inventory), "th-07")))
    plan = imported(inventory.folder, sheet([*rows_of(inventory, UPPER), row]), UPPER, until=UNTIL)
    assert told(plan) == [("returned", "th-07")]
    province = load(inventory.folder)
    assert [(old.address, old.to) for old in province.former] == [("bosv@suoimo.minhha.test", "bosv@thptsongque.test")]
    assert province.left == ()
    assert (inventory.folder / "left/th-suoi-mo.csv").read_text(encoding="utf-8").count("\n") == 1


# The inventory afterwards


def test_official_mailboxes_are_handed_over_by_one_row(
    inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = nobody(rows_of(inventory), "th-04")
    rows[-1][4] = "Y tế; Thư viện; Văn thư"
    before = load(inventory.folder)
    imported(inventory.folder, sheet(rows))

    def holders(province: object) -> set[str]:
        units = Units(province)  # type: ignore[arg-type]
        return {person.id for _, people in units.shared(units.units[PRIMARY]) for person in people}

    assert holders(before) == {"th-01", "th-04"}
    assert holders(load(inventory.folder)) == {"th-01", "th-12"}


@pytest.mark.parametrize("named", ["post", "person"])
def test_one_row_replaces_the_principal(
    inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path, named: str
) -> None:
    if named == "person":
        inventory.replace(f"content/{PRIMARY}/portal.yml", "- post: hieu_truong", "- person: th-01")
        inventory.replace(f"content/{PRIMARY}/portal.yml", "{post: pho_hieu_truong}", "{person: th-01}")
    imported(inventory.folder, sheet([*nobody(rows_of(inventory), "th-01"), new("Lò Thị Đào", "", "Hiệu trưởng")]))
    province = load(inventory.folder)
    content = Contents(inventory.folder, province).of(PRIMARY)
    view = Views(province).of(province.units[PRIMARY])
    head = view.leaders[0]
    assert (head.name, head.post) == ("Lò Thị Đào", "Hiệu trưởng")
    lacking = [lack.en for lack in missing(BY_ID["leaders"], view, content)]
    site = {path: file.content.decode("utf-8", "replace") for path, file in build(view, content).files.items()}
    page = site[f"sites/{PRIMARY}/lanh-dao/index.html"]
    assert "Lò Thị Đào" in page
    assert head.address in page
    assert "Nguyễn Văn Bằng" not in page
    assert ("0299 3 300 322" in page) is (named == "post")
    # The head answers for the pages where the one who was named has left.
    answers = 'Chịu trách nhiệm nội dung: <span class="person">'
    assert (f"{answers}Lò Thị Đào</span>" in page) is (named == "person")
    assert answers in page
    if named == "post":
        assert lacking == []
    else:
        assert lacking == ["telephone of Lò Thị Đào", "duties of Lò Thị Đào"]


def test_nothing_is_written_that_breaks_the_inventory(
    inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = files(inventory.folder)
    file = tmp_path / "ds.csv"

    def refused(rows: list[Row], *needles: str) -> None:
        file.write_bytes(sheet(rows))
        for lang in ("vi", "en"):
            words = ["roster", "import", str(inventory.folder), PRIMARY, str(file), "--yes", "--lang", lang]
            assert cli.main(words) == 1
            error = capsys.readouterr().err
            assert all(needle in error for needle in needles), error
        assert files(inventory.folder) == before

    rows = rows_of(inventory)
    # The officer leaves, and nobody has the post that the unit's entry names, or that person.
    refused(nobody(rows, "th-03"), "units/suoi-mo.yml:53:12", "phu_trach_cntt")
    inventory.replace("units/suoi-mo.yml", "officer: phu_trach_cntt", "officer: th-03")
    before = files(inventory.folder)
    refused(nobody(rows, "th-03"), "units/suoi-mo.yml:53:12", "th-03")
    # A section would be empty; nobody would keep the mailbox.
    refused([row for row in rows if row[3] != "khoi-4-5"], "units/suoi-mo.yml:61:7", "khoi-4-5")
    inventory.replace(
        "units/suoi-mo.yml", "Trường Tiểu học Suối Mơ, holders: [van_thu, hieu_truong]", "X, holders: [th-12]"
    )
    before = files(inventory.folder)
    refused(nobody(rows, "th-12"), "units/suoi-mo.yml:", "th-12")
    # A group has somebody by hand.
    inventory.replace(
        "groups.yml", "members: {posts: [hieu_truong]}", "members: {addresses: [bosv@suoimo.minhha.test]}"
    )
    before = files(inventory.folder)
    refused(nobody(rows, "th-07"), "groups.yml:", "bosv@suoimo.minhha.test")


def test_one_row_hands_over_the_work_of_the_officer(inventory: Inventory) -> None:
    """postmaster@, the slips' words and whoever gives new codes follow the post."""
    rows = [*nobody(rows_of(inventory), "th-03"), new("Lò Thị Đào", "", "Phụ trách CNTT")]
    imported(inventory.folder, sheet(rows))
    assert inventory.problems() == []
    mail = Mail(load(inventory.folder))
    officer = mail.units.officer(mail.units.units[PRIMARY])
    assert officer is not None
    assert officer.name == "Lò Thị Đào"
    boxes = [box for boxes in mail.mailboxes.values() for box in boxes.values() if box.unit == PRIMARY]
    assert [box.address for box in boxes if box.officer] == [officer.address]


def test_an_officer_is_succeeded_by_an_edit_that_comes_first(inventory: Inventory) -> None:
    rows = [*nobody(rows_of(inventory), "th-03"), new("Lò Thị Đào", "", "Phụ trách CNTT")]
    (line,) = planned(inventory.folder, sheet(rows)).of("new")
    assert line.after is not None
    inventory.replace("units/suoi-mo.yml", "officer: phu_trach_cntt", f"officer: {line.after.id}")
    imported(inventory.folder, sheet(rows))
    assert inventory.problems() == []


def test_a_school_that_is_only_described_gets_its_people(inventory: Inventory) -> None:
    readme = (LAB.parents[1] / "README.md").read_text(encoding="utf-8")
    entry = readme[readme.index("- id: th-dong-chiem") :].partition("```")[0]
    # The officer's id shows how those of the unit are to look.
    inventory.write("units/dong-chiem.yml", entry.replace("officer: phu_trach_cntt", "officer: dc-02"))
    assert len(inventory.problems()) == 3
    rows = [
        new("Nông Thị Ước", "", "Hiệu trưởng"),
        new("Lương Văn Khánh", "Khối 1-5", "GV, phụ trách CNTT"),
        new("Trần Thị Thắm", "", "Văn thư kiêm Kế toán"),
    ]
    plan = imported(inventory.folder, sheet(rows), "th-dong-chiem")
    assert told(plan) == [("new", "dc-01"), ("new", "dc-02"), ("new", "dc-03")]
    assert inventory.problems() == []


def test_what_was_wrong_before_and_elsewhere_does_not_stop_an_import(
    inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (LAB.parents[1] / "README.md").read_text(encoding="utf-8")
    inventory.write("units/dong-chiem.yml", readme[readme.index("- id: th-dong-chiem") :].partition("```")[0])
    file = tmp_path / "ds.csv"
    file.write_bytes(sheet([*rows_of(inventory), new("Lò Thị Đào")]))
    assert command(inventory, file, "--yes", "--lang", "en") == 0
    assert "mistakes of before are still there" in capsys.readouterr().err
    assert len(rows_of(inventory)) == 13


def test_an_inventory_that_cannot_be_read_is_left_alone(
    inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "ds.csv"
    file.write_bytes(sheet([*rows_of(inventory), new("Lò Thị Đào")]))
    inventory.write("people/mn-hoa-sen.csv", "Mã,Tên\n")
    before = files(inventory.folder)
    assert cli.main(["roster", "import", str(inventory.folder), PRIMARY, str(file), "--yes"]) == 1
    assert "people/mn-hoa-sen.csv:1:" in capsys.readouterr().err
    assert files(inventory.folder) == before


def test_what_a_file_looks_like_is_kept(inventory: Inventory) -> None:
    """Columns of one's own, their order, the mark and the line ends of Excel."""
    path = inventory.folder / "people/th-suoi-mo.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\r\n".join(f"{line.rpartition(',')[2]},{line.rpartition(',')[0]},riêng" for line in lines)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("riêng", "Ghi chú", 1).encode())
    assert inventory.problems() == []
    rows = nobody([*rows_of_file(path), new("Lò Thị Đào")], "th-12")
    rows[6][3] = "khoi-4-5"
    imported(inventory.folder, sheet(rows))
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf" + "Địa chỉ thư,Mã,".encode())
    assert content.count(b"\r\n") == content.count(b"\n") == 13
    assert "bosv@suoimo.minhha.test,th-07,Sầm Văn Bộ,khoi-4-5,Giáo viên,riêng\r\n".encode() in content
    assert content.endswith("daolt@suoimo.minhha.test,th-13,Lò Thị Đào,,Giáo viên,\r\n".encode())
    assert planned(inventory.folder, sheet(rows)).lines == []


def rows_of_file(path: Path) -> list[Row]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()[1:]
    return [["1", *line.split(",")[1:5]] for line in lines]


# The register


@pytest.mark.parametrize(
    ("register", "code", "place"),
    [
        ("th-99,Vũ Thị Mơ,bosv@suoimo.minhha.test,2026-01-01\n", "address-of-a-leaver", "people/th-suoi-mo.csv:8"),
        ("th-99,Vũ Thị Mơ,thsuoimo@suoimo.minhha.test,2026-01-01\n", "address-of-a-leaver", "units/suoi-mo.yml:58:17"),
        ("th-99,Vũ Thị Mơ,hieutruong@suoimo.minhha.test,2026-01-01\n", "address-of-a-leaver", "groups.yml:"),
        ("th-07,Vũ Thị Mơ,moVT@suoimo.minhha.test,2026-01-01\n", "string-pattern-mismatch", "left/th-suoi-mo.csv:2"),
        ("th-07,Vũ Thị Mơ,movt@suoimo.minhha.test,2026-01-01\n", "id-of-a-leaver", "people/th-suoi-mo.csv:8"),
        ("th-07,Sầm Văn Bộ,bosv@suoimo.minhha.test,2026-01-01\n", "still-here", "left/th-suoi-mo.csv:2"),
        ("th-99,Vũ Thị Mơ,movt@suoimo.minhha.test,1/1/2026\n", "date", "left/th-suoi-mo.csv:2"),
        ("th-99,Vũ Thị Mơ\n", "left-cells", "left/th-suoi-mo.csv:2"),
        ('th-99,"Vũ\n', "left-csv", "left/th-suoi-mo.csv:2"),
        ("a,A,a@b.test,2026-01-01\na,A,b@b.test,2026-01-01\n", "duplicate-person", "left/th-suoi-mo.csv:3"),
        ("a,A,a@b.test,2026-01-01\nb,B,a@b.test,2026-01-01\n", "two-owners", "left/th-suoi-mo.csv:3"),
    ],
)
def test_the_register_keeps_what_it_keeps(inventory: Inventory, register: str, code: str, place: str) -> None:
    inventory.write("left/th-suoi-mo.csv", "Mã,Họ và tên,Địa chỉ thư,Ngày nghỉ\n" + register)
    (problem,) = inventory.problems()
    assert (problem.code, str(problem.where)[: len(place)]) == (code, place)
    assert problem.vi != problem.en


def test_a_register_outlives_its_unit_and_groups_do_not_take_its_addresses(inventory: Inventory) -> None:
    header = "Mã,Họ và tên,Địa chỉ thư,Ngày nghỉ\n"
    inventory.write("left/th-cu.csv", f"{header}cu-01,Vũ Thị Mơ,toanthe.thsuoimo@suoimo.minhha.test,2020-01-01\n")
    assert inventory.problems() == []
    from edumail.mail import Mail

    assert "toanthe.thsuoimo@suoimo.minhha.test" not in Mail(load(inventory.folder)).groups.all
    inventory.write("left/th-moi.csv", "Mã,Tên\n")
    assert the(inventory.problems(), "left-header").where.file == "left/th-moi.csv"
    inventory.write("left/th-moi.csv", f"{header}cu-01,Vũ Thị Mơ,movt@suoimo.minhha.test,2020-01-01\n")
    assert the(inventory.problems(), "duplicate-person").where.file == "left/th-moi.csv"


# The command


def command(inventory: Inventory, file: Path, *words: str) -> int:
    return cli.main(["roster", "import", str(inventory.folder), PRIMARY, str(file), *words])


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_plan_is_shown_and_nothing_is_written_unasked(
    inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ds.csv"
    rows = nobody([*rows_of(inventory), new("Lò Thị Đào", "khoi-4-5", "Văn thư")], "th-04")
    file.write_bytes(sheet(rows))
    before = files(inventory.folder)
    assert command(inventory, file, "--plan", "--lang", lang) == 0
    shown = capsys.readouterr().out
    head, first, second, mailbox, counts = shown.splitlines()
    assert head == "Trường Tiểu học Suối Mơ (th-suoi-mo)"
    assert first.split()[:3] == (["mới", "dòng", "13"] if lang == "vi" else ["new", "row", "13"])
    assert "daolt@suoimo.minhha.test; khoi-4-5; Văn thư" in first
    assert second.split()[:3] == (["nghỉ", "–", "th-04"] if lang == "vi" else ["left", "–", "th-04"])
    assert mailbox.endswith("thsuoimo@suoimo.minhha.test: Nguyễn Văn Bằng, Lục Thị Nhị → Nguyễn Văn Bằng, Lò Thị Đào")
    assert counts.endswith("11, chưa rõ 0" if lang == "vi" else "11, in doubt 0")
    assert command(inventory, file, "--lang", lang) == 1
    assert "--yes" in capsys.readouterr().err
    for answer, status in (("\n", 1), ("n\n", 1), ("y\n", 0)):
        assert files(inventory.folder) == before
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        assert command(inventory, file, "--lang", lang) == status
    assert files(inventory.folder) != before
    assert capsys.readouterr().out.endswith("people/th-suoi-mo.csv, left/th-suoi-mo.csv\n")
    assert command(inventory, file, "--lang", lang) == 0


def test_what_is_misspelt_is_said(inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "ds.csv"
    file.write_bytes(sheet(rows_of(inventory)))
    assert cli.main(["roster", "import", str(inventory.folder), "th-suoi", str(file), "--lang", "en"]) == 2
    assert "the nearest: th-suoi-mo" in capsys.readouterr().err
    assert command(inventory, tmp_path / "không có.csv") == 1
    assert "không có.csv" in capsys.readouterr().err
    assert command(inventory, tmp_path) == 1
    assert cli.main(["roster", "import", str(tmp_path / "x"), PRIMARY, str(file), "--lang", "vi"]) == 1
    assert "không có thư mục này" in capsys.readouterr().err
    for day in ("30/6/2027", "2020-01-01"):
        with pytest.raises(SystemExit):
            command(inventory, file, "--until", day)
    assert "the day is past" in capsys.readouterr().err


def test_a_mistake_in_the_result_is_shown_at_the_row_it_comes_from(
    inventory: Inventory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "ds.csv"
    file.write_bytes(sheet([*rows_of(inventory), new("Lò Thị Đào", id="th-77")]))
    inventory.write("left/cu.csv", "Mã,Họ và tên,Địa chỉ thư,Ngày nghỉ\n")
    assert command(inventory, file, "--yes", "--lang", "en") == 0
    text = (inventory.folder / "people/th-suoi-mo.csv").read_text(encoding="utf-8")
    assert "th-77,Lò Thị Đào" in text


def test_one_address_in_many_rows_is_nobodys(inventory: Inventory) -> None:
    """A school writes its own address, or a free one, beside everybody."""
    content = as_csv([[*HEADER, "Email"], *([*row, "chung@suoimo.minhha.test"] for row in rows_of(inventory)[1:])])
    plan = planned(inventory.folder, content, partial=True)
    assert plan.lines == plan.refused == []
    assert {note.code for note in plan.notes} == {"address-shared"}
