"""Units are renamed, merged, moved and closed by editing them, and no address is lost."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from conftest import ROOT, Inventory
from hypothesis import given, settings
from hypothesis import strategies as st

from edumail import cli
from edumail.check import check
from edumail.dns import zones
from edumail.former import changed_hands, left_behind
from edumail.groups import NAMES_OF_RFC_2142, Groups
from edumail.load import load
from edumail.mail import Mail
from edumail.model import Calendar, Former, Person, Province, Unit
from edumail.sources import Sources
from edumail.units import Units
from roles.accounts.render import tree as accounts_tree
from roles.postfix.render import tables, tree

OLD, NEW = "thcs@cu.minhha.test", "vinhpt@suoimo.minhha.test"
GROUP = "toantruong@thptsongque.test"
ENTRY = "- {{address: {}, to: {}, until: 2099-06-30}}\n"
LAST, AFTER = date(2099, 6, 30), date(2099, 7, 1)


@pytest.mark.parametrize(
    ("text", "code", "needle"),
    [
        (ENTRY.format(OLD, "khongco@suoimo.minhha.test"), "unknown-target", "khongco"),
        (ENTRY.format(OLD, OLD), "former-chain", f"{OLD}, until"),
        (
            ENTRY.format(OLD, NEW) + ENTRY.format("a@cu.minhha.test", OLD),
            "former-chain",
            f"{OLD}, until: 2099-06-30}}\n",
        ),
        (ENTRY.format(NEW, GROUP), "two-owners", NEW),
        (ENTRY.format("thcs@nuocngoai.example", NEW), "outside-zones", "thcs@"),
        (ENTRY.format("x@mail-so.minhha.test", NEW), "host-domain", "x@mail"),
        (ENTRY.format("cu@groups.mail-xa.minhha.test", NEW), "host-domain", "cu@groups"),
        (ENTRY.format("learn_ham@learn.mail-so.minhha.test", NEW), "host-domain", "learn_ham@"),
        (ENTRY.format("postmaster@suoimo.minhha.test", NEW), "reserved-address", "postmaster@"),
        (ENTRY.format(OLD, NEW) * 2, "duplicate-former", None),
        (ENTRY.format(OLD, ""), "string-type", None),
        ("- {address: thcs@cu.minhha.test, to: vinhpt@suoimo.minhha.test}\n", "missing", "{address"),
        (ENTRY.format(OLD, NEW).replace("2099-06-30", "30/6/2099"), "date", "30/6"),
        (ENTRY.format(OLD, NEW).replace("2099-06-30", "2099-06-31"), "date", "2099-06-31"),
        (ENTRY.format(OLD, NEW).replace("2099-06-30", "1814313600"), "date", "1814313600"),
    ],
)
def test_a_mistake_is_named_where_it_stands(inventory: Inventory, text: str, code: str, needle: str | None) -> None:
    inventory.write("former.yml", text)
    (problem,) = inventory.problems()
    assert problem.code == code
    assert problem.where.file == "former.yml"
    assert problem.vi != problem.en
    if needle is not None:
        assert (problem.where.line, problem.where.column) == last_place(text, needle)


def last_place(text: str, needle: str) -> tuple[int, int]:
    before = text[: text.rindex(needle)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def with_former(inventory: Inventory, *entries: tuple[str, str], today: date = LAST) -> Mail:
    inventory.write("former.yml", "".join(ENTRY.format(*entry) for entry in entries))
    return Mail(load(inventory.folder, today))


def test_an_old_address_receives_until_its_day_and_is_nobody_s_afterwards(inventory: Inventory) -> None:
    for today, receives in ((LAST, True), (AFTER, False)):
        mail = with_former(inventory, (OLD, NEW), today=today)
        assert (mail.host("mail-xa").aliases.get(OLD) == (NEW,)) == receives
        assert ("cu.minhha.test" in mail.host("mail-so").domains) == receives
        assert (OLD in tables(mail.host("mail-so"), {})["recipients"]) == receives
    inventory.replace("people/thcs-suoi-mo.csv", "tuanlv@suoimo", "nguyenvana@suoimo")
    inventory.write("former.yml", ENTRY.format("tuanlv@suoimo.minhha.test", NEW).replace("2099", "2020"))
    assert not inventory.problems()
    inventory.replace("people/thcs-suoi-mo.csv", "ngaht@suoimo", "tuanlv@suoimo")
    assert [problem.code for problem in inventory.problems()] == ["two-owners"]


def test_it_is_no_sender(inventory: Inventory) -> None:
    mail = with_former(inventory, (OLD, NEW))
    for host in mail.province.hosts:
        assert OLD not in mail.host(host).senders
        assert OLD not in {sender for senders in mail.host(host).peers.values() for sender in senders}
    assert "cu.minhha.test" in mail.host("mail-so").own  # nor from outside


def test_what_waits_at_the_old_place_is_handed_back_to_mailboxes_and_no_group(inventory: Inventory) -> None:
    group = "giaovien@suoimo.minhha.test"
    mail = with_former(inventory, (OLD, NEW), (group, GROUP))
    gateway = mail.host("mail-so")
    everybody = {address for boxes in mail.mailboxes.values() for address in boxes}
    assert {*gateway.handed_on} == everybody | {OLD}
    assert not {*gateway.handed_on} & {*mail.groups.all, group}
    table = tables(gateway, {})["handed_on"]
    assert f"{OLD} OK\n" in table
    said = tree(gateway, 25, {}).files["main.cf"].content.decode()
    handing = re.findall(r"/peer_(\w+), check_recipient_access cdb:\S+/handed_on, reject$", said, re.MULTILINE)
    assert handing == ["mail_thpt", "mail_xa"]
    assert not mail.host("mail-xa").handed_on
    assert "handed_on" not in tables(mail.host("mail-xa"), {})


def test_the_old_name_of_a_group_has_its_rule(inventory: Inventory) -> None:
    old = "giaovien@suoimo.minhha.test"
    mail = with_former(inventory, (old, GROUP))
    assert mail.permissions.rule(old) == mail.permissions.rule(GROUP)
    assert all(old in mail.host(host).closed for host in mail.province.hosts)
    for host in ("mail-so", "mail-thpt"):
        assert mail.host(host).posting[old] == mail.host(host).posting[GROUP]


def test_a_group_may_hold_an_old_address_and_follows_it(inventory: Inventory) -> None:
    inventory.replace(
        "groups.yml", "addresses: [hieutruong@suoimo", "addresses: [trunghoc@sogddt.minhha.test, hieutruong@suoimo"
    )
    mail = with_former(inventory, ("trunghoc@sogddt.minhha.test", "gdtrh@sogddt.minhha.test"))
    assert "huylg@sogddt.minhha.test" in mail.groups.mailboxes("thutruong@sogddt.minhha.test")


@pytest.mark.parametrize("old", ["ds-ketoan@suoimo.minhha.test", "toanthe.thsuoimo@suoimo.minhha.test"])
def test_an_old_address_stands_where_a_group_would_come_by_itself(inventory: Inventory, old: str) -> None:
    """What is written down comes first, and nobody else gets the address after its day: not the group either."""
    before = Groups(Units(load(inventory.folder)))
    assert before.all[old].template
    members = before.mailboxes(old)
    for today, reached in ((LAST, {NEW}), (AFTER, set())):
        mail = with_former(inventory, (old, NEW), today=today)
        assert old not in mail.groups.all
        assert mail.groups.mailboxes(old) & {NEW, *members} == reached
        for host in mail.province.hosts.values():
            tables_ = mail.host(host.name)
            assert old not in (*tables_.closed, *tables_.posting)  # a person's address, for strangers as well
            assert (old in tables(tables_, {})["recipients"]) == (bool(reached) and host == mail.gateway)
            assert {address for names in tables_.aliases.values() for address in names if old in names} == set()
        assert (mail.host("mail-xa").aliases.get(old, ()) == (NEW,)) == bool(reached)


def test_nor_may_it_lead_to_itself_or_to_a_group_that_is_gone_with_it(inventory: Inventory) -> None:
    address = "ds-ketoan@suoimo.minhha.test"
    for old, new in ((address, address), ("ketoan@suoimo.minhha.test", address)):
        inventory.write("former.yml", ENTRY.format(address, NEW) * (old != address) + ENTRY.format(old, new))
        (problem,) = inventory.problems()
        assert (problem.code, problem.where.file) == ("former-chain", "former.yml")
    inventory.write("former.yml", ENTRY.format("ketoan@suoimo.minhha.test", address))  # the group alone is a target
    assert not inventory.problems()


def test_an_old_domain_keeps_its_way_in_and_its_postmaster_and_sends_nothing(inventory: Inventory) -> None:
    mail = with_former(inventory, (OLD, NEW))
    text = zones(mail.province, 1)["minhha.test"]
    (mx, spf, *_) = text[text.index("\ncu ") + 1 :].splitlines()
    assert mx.split() == ["cu", "MX", "10", "mail-so.minhha.test."]
    assert spf.split() == ["cu", "TXT", '"v=spf1', '-all"']
    assert mail.groups.mailboxes("postmaster@cu.minhha.test") == {"vuongnd@sogddt.minhha.test"}
    after = zones(with_former(inventory, (OLD, NEW), today=AFTER).province, 1)["minhha.test"]
    assert "\ncu " not in after


def test_a_renamed_mailbox_is_the_same_mailbox(inventory: Inventory) -> None:
    mail = with_former(inventory, (OLD, NEW))
    assert mail.host("mail-xa").mailboxes[NEW].was == (OLD,)


def test_a_host_knows_who_lives_on_others(province: Province) -> None:
    """Whoever went there under another address has not left."""
    mail = Mail(province)
    everybody = {person.id for person in province.people}
    for name in province.hosts:
        here = {mailbox.person for mailbox in mail.host(name).mailboxes.values()}
        text = accounts_tree(mail.accounts(name), 365, Calendar()).files["wanted/elsewhere"].content.decode()
        assert set(text.split()) == everybody - here


# The tree changes


def renamed(province: Province, unit: Unit, domain: str) -> Province:
    """All units of a mail domain get another."""

    def move(address: str) -> str:
        local, _, old = address.partition("@")
        return f"{local}@{domain}" if old == unit.domain else address

    units = {}
    for one in province.units.values():
        if one.domain == unit.domain:
            one = one.model_copy(
                update={
                    "domain": domain,
                    "public_address": move(one.public_address),
                    "mailboxes": tuple(m.model_copy(update={"address": move(m.address)}) for m in one.mailboxes),
                    "sections": tuple(s.model_copy(update={"address": move(s.address)}) for s in one.sections),
                }
            )
        units[one.id] = one
    people = tuple(person.model_copy(update={"address": move(person.address)}) for person in province.people)
    groups = tuple(
        group.model_copy(
            update={
                "address": move(group.address),
                "members": group.members.model_copy(
                    update={"addresses": tuple(move(address) for address in group.members.addresses)}
                ),
            }
        )
        for group in province.groups
    )
    return province.model_copy(update={"units": units, "people": people, "groups": groups})


def merged(province: Province, closed: Unit, into: Unit) -> Province:
    """One school takes over the people of another, under addresses of its own domain."""

    def take(person: Person) -> Person:
        if person.unit != closed.id:
            return person
        address = f"{person.address.partition('@')[0]}.{closed.id}@{into.domain}"
        return person.model_copy(update={"unit": into.id, "section": None, "address": address})

    units = {id: unit for id, unit in province.units.items() if id != closed.id}
    groups = tuple(group for group in province.groups if group.unit != closed.id)
    gone = {group.address for group in province.groups} - {group.address for group in groups}
    groups = tuple(
        group.model_copy(
            update={
                "members": group.members.model_copy(
                    update={"addresses": tuple(a for a in group.members.addresses if a not in gone)}
                )
            }
        )
        for group in groups
    )
    return province.model_copy(update={"units": units, "people": tuple(map(take, province.people)), "groups": groups})


@settings(max_examples=60)
@given(data=st.data())
def test_a_merge_loses_no_address(province: Province, data: st.DataObject) -> None:
    schools = [unit for unit in province.units.values() if unit.kind == "truong"]
    now = province
    for step in range(data.draw(st.integers(1, 3))):
        present = [unit.id for unit in schools if unit.id in now.units]
        if data.draw(st.booleans()) or len(present) < 2:
            now = renamed(now, now.units[data.draw(st.sampled_from(sorted(now.units)))], f"moi{step}.minhha.test")
        else:
            closed, into = data.draw(st.permutations(present))[:2]
            now = merged(now, now.units[closed], now.units[into])
    lost = left_behind(province, now)
    entries = [Former(address=old, to=new, until=LAST) for old, new in lost.items() if new is not None]
    now = now.model_copy(update={"former": tuple(entries), "today": LAST})
    mail, before = Mail(now), Mail(province)
    unknown = {address for address, to in lost.items() if to is None}
    written = {group.address for group in province.groups}
    assert unknown <= written | set(before.groups.all)
    assert not [p for p in check(now, Sources()) if p.code in ("unknown-target", "former-chain", "two-owners")]
    people = {person.id: person.address for person in now.people}
    for address in before.home:
        if address in unknown or address.partition("@")[0] in NAMES_OF_RFC_2142:
            continue
        for host in ("mail-so", mail.home[address]):
            tables = mail.host(host)
            assert {address} & {*tables.mailboxes, *tables.aliases, *tables.remote, *tables.remote_groups}
    for person in province.people:
        assert mail.groups.mailboxes(person.address) == {people[person.id]}


def test_units_move_in_the_tree_and_groups_follow(inventory: Inventory) -> None:
    before = load(inventory.folder)
    inventory.replace("units/suoi-mo.yml", "parent: vhxh-suoi-mo", "parent: so")  # the preschool
    after = load(inventory.folder)
    # The office has no preschool below it any more, nor an accountant.
    assert left_behind(before, after) == dict.fromkeys(
        ["ds-ketoan@suoimo.minhha.test", "ds-thutruong-mamnon@suoimo.minhha.test"]
    )
    assert "huongnt.mnhoasen@suoimo.minhha.test" not in Mail(after).groups.mailboxes("ds-thutruong@suoimo.minhha.test")
    assert "huongnt.mnhoasen@suoimo.minhha.test" in Mail(after).groups.mailboxes("ds-thutruong@sogddt.minhha.test")


def test_what_a_closed_school_had_goes_where_most_of_its_people_went(province: Province) -> None:
    closed, small, large = "th-suoi-mo", "mn-hoa-sen", "thcs-suoi-mo"
    staff = [person for person in province.people if person.unit == closed]
    now = {person.id: small if number < 3 else large for number, person in enumerate(staff)}
    people = tuple(person.model_copy(update={"unit": now.get(person.id, person.unit)}) for person in province.people)
    units = {id: unit for id, unit in province.units.items() if id != closed}
    lost = left_behind(province, province.model_copy(update={"people": people, "units": units}))
    assert lost["thsuoimo@suoimo.minhha.test"] == "thcssuoimo@suoimo.minhha.test"
    assert lost["toanthe.thsuoimo@suoimo.minhha.test"] == "toanthe.thcssuoimo@suoimo.minhha.test"
    assert lost["khoi45.thsuoimo@suoimo.minhha.test"] is None


def test_the_command_writes_the_entries(
    inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Inventory(tmp_path / "before")
    inventory.replace("people/thcs-suoi-mo.csv", "tuanlv@suoimo", "tuan.lv@suoimo")
    assert cli.main(["former", str(before.folder), str(inventory.folder), "--until", "2099-06-30"]) == 0
    text = capsys.readouterr().out
    assert text == ENTRY.format("tuanlv@suoimo.minhha.test", "tuan.lv@suoimo.minhha.test")
    inventory.write("former.yml", text)
    assert not inventory.problems()
    assert cli.main(["former", str(before.folder), str(inventory.folder), "--until", "2099-06-30"]) == 0
    assert capsys.readouterr().out == ""


def test_addresses_that_change_hands_are_named(
    inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No entry can say so: the address has an owner."""
    before = Inventory(tmp_path / "before")
    roster = inventory.folder / "people/thcs-suoi-mo.csv"
    chain = roster.read_text(encoding="utf-8").replace("ngaht@suoimo", "nga2@suoimo").replace("tuanlv@", "ngaht@")
    roster.write_text(chain, encoding="utf-8")
    assert cli.main(["former", str(before.folder), str(inventory.folder), "--until", "2099-06-30", "--lang", "en"]) == 0
    said = capsys.readouterr()
    assert said.out == ENTRY.format("tuanlv@suoimo.minhha.test", "ngaht@suoimo.minhha.test")
    (line,) = said.err.splitlines()
    assert "ngaht@suoimo.minhha.test has another owner" in line
    assert "nga2@suoimo.minhha.test" in line
    inventory.write("former.yml", said.out)
    assert not inventory.problems()
    swap = before.folder / "people/thcs-suoi-mo.csv"
    swapped = (
        swap.read_text(encoding="utf-8").replace("ngaht@", "x@").replace("tuanlv@", "ngaht@").replace("x@", "tuanlv@")
    )
    roster.write_text(swapped, encoding="utf-8")
    inventory.write("former.yml", "")
    old, new = load(before.folder), load(inventory.folder)
    assert left_behind(old, new) == {}
    assert changed_hands(old, new) == {
        "ngaht@suoimo.minhha.test": "tuanlv@suoimo.minhha.test",
        "tuanlv@suoimo.minhha.test": "ngaht@suoimo.minhha.test",
    }


def test_a_group_that_somebody_wrote_down_is_not_dropped_for_its_name(province: Province) -> None:
    unit = province.units["thpt-song-que"]
    webmaster = province.groups[0].model_copy(update={"address": f"webmaster@{unit.domain}", "unit": unit.id})
    old = province.model_copy(update={"groups": (*province.groups, webmaster)})
    lost = left_behind(old, renamed(province, unit, "moi.minhha.test"))
    assert f"webmaster@{unit.domain}" in lost
    assert f"hostmaster@{unit.domain}" not in lost


def test_whoever_leaves_while_an_old_address_leads_to_them_ends_it(inventory: Inventory) -> None:
    inventory.write("former.yml", ENTRY.format(OLD, "tuanlv@suoimo.minhha.test"))
    roster = inventory.folder / "people/thcs-suoi-mo.csv"
    lines = roster.read_text(encoding="utf-8").splitlines(keepends=True)
    roster.write_text("".join(line for line in lines if "tuanlv@" not in line), encoding="utf-8")
    (problem,) = [problem for problem in inventory.problems() if problem.code == "unknown-target"]
    assert "'until'; keep the line" in problem.en
    assert "đừng xóa dòng" in problem.vi
    inventory.write("former.yml", ENTRY.format(OLD, "tuanlv@suoimo.minhha.test").replace("2099", "2020"))
    assert not [problem for problem in inventory.problems() if problem.code == "unknown-target"]


GUIDES = [ROOT / "docs" / name for name in ("operator-guide.md", "operator-guide.vi.md")]


def test_the_day_a_commune_is_merged_is_an_edit_as_the_guide_says(
    inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Inventory(tmp_path / "truoc")
    units = "units/suoi-mo.yml"
    # 1. The commune gets another name and mail domain.
    for path in inventory.folder.rglob("*"):
        if path.suffix in (".yml", ".csv"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("suoimo.minhha.test", "suoique.minhha.test"), encoding="utf-8")
    # 2. Two schools become one: people move from file to file, the entry goes, its public mailbox stays a mailbox.
    text = (inventory.folder / units).read_text(encoding="utf-8")
    begin, end = text.index("- id: th-suoi-mo"), text.index("- id: thcs-suoi-mo")
    inventory.write(units, text[:begin] + text[end:])
    inventory.replace(
        units,
        "levels: [thcs]\n  name: Trường THCS Suối Mơ",
        "levels: [tieuhoc, thcs]\n  name: Trường TH và THCS Suối Quế",
    )
    kept = "    - {address: thsuoimo@suoique.minhha.test, name: Trường Tiểu học Suối Mơ (cũ), holders: [van_thu]}\n"
    sections = text[text.index("    - {id: khoi-1-2-3") : end].rstrip() + "\n"
    inventory.replace(units, "  sections:\n    - {id: khtn", f"{kept}  sections:\n{sections}    - {{id: khtn")
    rows = (inventory.folder / "people/th-suoi-mo.csv").read_text(encoding="utf-8").partition("\n")[2]
    (inventory.folder / "people/th-suoi-mo.csv").unlink()
    staff = (inventory.folder / "people/thcs-suoi-mo.csv").read_text(encoding="utf-8")
    inventory.write("people/thcs-suoi-mo.csv", staff + rows.replace("Hiệu trưởng,bang", "Phó Hiệu trưởng,bang"))
    # 3. The old addresses.
    assert cli.main(["former", str(before.folder), str(inventory.folder), "--until", "2027-06-30"]) == 0
    entries = capsys.readouterr().out
    inventory.write("former.yml", entries)
    assert not inventory.problems()
    for guide in GUIDES:
        shown = [line for line in guide.read_text(encoding="utf-8").splitlines() if line.startswith("- {address: ")]
        assert len(shown) > 3
        assert set(shown) <= set(entries.splitlines())

    old, new = Mail(load(before.folder)), Mail(load(inventory.folder, date(2027, 6, 30)))
    people = {person.id: person.address for person in new.province.people}
    for address in old.home:
        if address.partition("@")[0] not in NAMES_OF_RFC_2142:
            assert address in new.home, address
    for person in old.province.people:
        assert new.groups.mailboxes(person.address) == {people[person.id]}
    assert new.groups.mailboxes("toanthe.thsuoimo@suoimo.minhha.test") == new.groups.mailboxes(
        "toanthe.thcssuoimo@suoique.minhha.test"
    )
    clerk = new.host("mail-xa").mailboxes["nhilt@suoique.minhha.test"]
    assert clerk.was == ("nhilt@suoimo.minhha.test",)  # the same mailbox, with its mail and its password
    gone = Mail(load(inventory.folder, AFTER))
    assert not [address for address in gone.home if address.endswith("@suoimo.minhha.test")]
