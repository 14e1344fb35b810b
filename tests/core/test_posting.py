"""Who may write to a group, and what of it each host knows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edumail.mail import HostMail, Mail
from edumail.model import Group, Posting, Province, Rule
from edumail.spread import LONGEST_LIST, part_domain

CLASSES: tuple[Posting, ...] = ("holders", "members", "unit", "branch", "province", "anyone")
OFFICE, PRIMARY, UPPER = "vhxh-suoi-mo", "th-suoi-mo", "thpt-song-que"
HEAD, CLERK, TEACHER = "bangnv@suoimo.minhha.test", "nhilt@suoimo.minhha.test", "huett@suoimo.minhha.test"
SCHOOL = "thsuoimo@suoimo.minhha.test"  # a shared mailbox that HEAD and CLERK hold
COMMUNE, DIRECTOR, STRANGE = "khaitv@suoimo.minhha.test", "thinhdq@sogddt.minhha.test", "phuctd@thptsongque.test"


def with_groups(province: Province, *groups: Group) -> Province:
    return province.model_copy(update={"groups": groups, "standard_groups": {}})


def group(local: str, posting: Posting, unit: str = PRIMARY, **members: object) -> Group:
    rule = Rule.model_validate(members or {"staff": True, "sections": ["khoi-4-5"]})
    return Group(address=f"{local}@suoimo.minhha.test", name="Nhóm", unit=unit, members=rule, posting=posting)


@pytest.mark.parametrize(
    ("posting", "allowed", "refused"),
    [
        ("holders", {HEAD, CLERK, SCHOOL}, {TEACHER, COMMUNE, DIRECTOR, STRANGE}),
        ("members", {"suqv@suoimo.minhha.test"}, {HEAD, CLERK, SCHOOL, TEACHER, COMMUNE, DIRECTOR, STRANGE}),
        ("unit", {HEAD, CLERK, SCHOOL, TEACHER}, {COMMUNE, DIRECTOR, STRANGE, "enct@suoimo.minhha.test"}),
        ("branch", {HEAD, SCHOOL, TEACHER, COMMUNE, DIRECTOR}, {STRANGE, "enct@suoimo.minhha.test"}),
        ("province", {HEAD, SCHOOL, TEACHER, COMMUNE, DIRECTOR, STRANGE}, set()),
        ("anyone", {HEAD, SCHOOL, TEACHER, COMMUNE, DIRECTOR, STRANGE}, set()),
    ],
)
def test_each_class_lets_its_own_write(
    province: Province, posting: Posting, allowed: set[str], refused: set[str]
) -> None:
    permissions = Mail(with_groups(province, group("nhom", posting))).permissions
    address = "nhom@suoimo.minhha.test"
    assert {a for a in allowed | refused if permissions.may(a, address)} == allowed
    assert (address in permissions.closed) == (posting != "anyone")


def test_the_branch_of_an_office_is_its_schools_and_the_department_but_no_other_branch(province: Province) -> None:
    changed = with_groups(province, group("nhom", "branch", OFFICE, posts=["van_thu"]))
    may = Mail(changed).permissions.may
    assert all(may(a, "nhom@suoimo.minhha.test") for a in (HEAD, TEACHER, COMMUNE, DIRECTOR, "enct@suoimo.minhha.test"))
    assert not may(STRANGE, "nhom@suoimo.minhha.test")


def test_holders_are_those_that_a_group_names(province: Province) -> None:
    named = group("nhom", "holders").model_copy(update={"holders": ("th-08", "y_te")})
    may = Mail(with_groups(province, named)).permissions.may
    assert may(TEACHER, named.address)
    assert may("hanhkt@suoimo.minhha.test", named.address)
    assert not may(HEAD, named.address)


def test_a_shared_mailbox_writes_where_all_its_holders_may(province: Province) -> None:
    heads = group("nhom", "members", posts=["hieu_truong"])
    both = group("hai", "members", posts=["hieu_truong", "van_thu"])
    may = Mail(with_groups(province, heads, both)).permissions.may
    assert may(HEAD, heads.address)
    assert not may(SCHOOL, heads.address)  # the clerk could write there through it
    assert may(SCHOOL, both.address)


def test_a_group_that_holds_a_closed_one_is_no_way_in(province: Province) -> None:
    inner = group("trong", "unit")
    middle = group("giua", "province", UPPER, addresses=[inner.address])
    outer = group("ngoai", "anyone", UPPER, addresses=[middle.address, STRANGE])
    mail = Mail(with_groups(province, inner, middle, outer))
    for address in (inner.address, middle.address, outer.address):
        assert mail.permissions.rule(address) == frozenset({("unit", PRIMARY)})
        assert mail.permissions.may(TEACHER, address)
        assert not mail.permissions.may(STRANGE, address)
        for host in province.hosts:
            assert address in mail.host(host).closed


def test_a_group_that_holds_two_asks_for_both_rules(province: Province) -> None:
    one, two = group("mot", "unit"), group("hai", "members", OFFICE, posts=["hieu_truong"])
    outer = group("ngoai", "anyone", OFFICE, addresses=[one.address, two.address])
    mail = Mail(with_groups(province, one, two, outer))
    assert mail.permissions.passing(mail.permissions.rule(outer.address)) == {HEAD}
    gateway = mail.host("mail-so")
    assert [a for a, rules in gateway.posters.items() if gateway.posting[outer.address] in rules] == [HEAD]


def test_a_rule_keeps_its_name_whatever_else_changes(province: Province) -> None:
    alone = Mail(with_groups(province, group("nhom", "unit"))).host("mail-xa")
    more = Mail(with_groups(province, group("nhom", "unit"), group("khac", "members", staff=True))).host("mail-xa")
    assert alone.posting["nhom@suoimo.minhha.test"] == more.posting["nhom@suoimo.minhha.test"]
    assert len(more.rules) == len(alone.rules) + 1


def test_hosts_know_the_senders_that_submit_there_and_the_gateway_all(province: Province) -> None:
    mail = Mail(with_groups(province, group("nhom", "branch", OFFICE, posts=["van_thu"])))
    here, gateway = mail.host("mail-xa"), mail.host("mail-so")
    assert set(here.posters) <= set(here.mailboxes)
    assert {DIRECTOR, TEACHER} <= set(gateway.posters)
    assert mail.host("mail-thpt").posters == {}


# How groups are spread over hosts


def walk(mail: Mail, host: str, address: str) -> list[str]:
    """Where a message to ``address`` that ``host`` took ends, hop by hop, by the tables alone; one entry a copy."""
    tables: HostMail = mail.host(host)
    if address in tables.aliases:
        return [end for member in tables.aliases[address] for end in walk(mail, host, member)]
    if address in tables.mailboxes:
        return [address]
    domain = address.partition("@")[2]
    next_ = tables.remote.get(address) or tables.remote_groups.get(address)
    if next_ is None and tables.host == tables.gateway:
        next_ = tables.part_domains[domain]
    next_ = next_ or tables.gateway
    assert next_.name != host, f"{host} keeps {address} and has no such address"
    return walk(mail, next_.name, address)


@settings(max_examples=100)
@given(data=st.data())
def test_every_host_brings_a_message_to_every_member_once_and_asks_the_same_rule(
    province: Province, data: st.DataObject
) -> None:
    addresses = [f"nhom{number}@{domain}" for number, domain in enumerate(["sogddt.minhha.test", "suoimo.minhha.test",
                 "thptsongque.test", "suoimo.minhha.test"])]  # fmt: skip
    groups = []
    for number, address in enumerate(addresses):  # a group holds only earlier ones, so that there is no loop
        rule = data.draw(
            st.builds(
                Rule,
                below=st.none() | st.sampled_from(sorted(province.units)),
                posts=st.lists(st.sampled_from(["hieu_truong", "van_thu", "giao_vien"]), max_size=2).map(tuple),
                staff=st.booleans(),
                heads=st.booleans(),
                addresses=st.lists(
                    st.sampled_from([*addresses[:number], HEAD, SCHOOL, "gdtrh@sogddt.minhha.test"]),
                    min_size=1, max_size=3, unique=True,
                ).map(tuple),
            )
        )  # fmt: skip
        unit = data.draw(st.sampled_from(sorted(province.units)))
        posting = data.draw(st.sampled_from(CLASSES))
        groups.append(Group(address=address, name="Nhóm", unit=unit, members=rule, posting=posting))
    mail = Mail(with_groups(province, *groups))
    for one in groups:
        expected = sorted(mail.groups.mailboxes(one.address))
        for host in province.hosts:
            assert sorted(walk(mail, host, one.address)) == expected
        narrowest = min(CLASSES.index(mail.groups.all[inner].posting) for inner in mail.groups.inside(one.address))
        assert (one.address in mail.permissions.closed) == (CLASSES[narrowest] != "anyone")
        for person in province.people:
            inside = [mail.permissions.own(inner) for inner in mail.groups.inside(one.address)]
            every = all(not rule or ("province", "") in rule or person.address in mail.permissions.passing(rule)
                        for rule in inside)  # fmt: skip
            assert mail.permissions.may(person.address, one.address) == every


def test_a_message_to_a_group_goes_once_to_each_host(province: Province) -> None:
    everybody = group("moinguoi", "anyone", OFFICE, staff=True, below="so")
    mail = Mail(with_groups(province, everybody))
    # The office's own host, and the gateway: no other host may pass on what came from outside.
    for host in ("mail-so", "mail-xa", "mail-thpt"):
        tables = mail.host(host)
        if host not in ("mail-so", "mail-xa"):
            assert everybody.address not in tables.aliases
            continue
        away = [a for a in tables.aliases[everybody.address] if a not in tables.mailboxes]
        assert sorted(a.partition("@")[2] for a in away) == sorted(
            part_domain(other) for other in province.hosts.values() if other.name != host
        )
    assert mail.behind(away[0]) < mail.groups.mailboxes(everybody.address)


def test_a_group_within_its_host_is_known_to_the_gateway_as_one_address(province: Province) -> None:
    inner = group("nhom", "unit")
    mail = Mail(with_groups(province, inner))
    gateway = mail.host("mail-so")
    assert inner.address not in gateway.aliases
    assert gateway.remote_groups[inner.address].name == "mail-xa"
    assert inner.address in gateway.posting
    assert not gateway.parts


def test_long_lists_are_cut_and_nobody_is_lost(province: Province) -> None:
    office = province.units[OFFICE]
    person = province.people[0]
    people = tuple(
        person.model_copy(update={"id": f"x-{n}", "unit": office.id, "address": f"x{n}@suoimo.minhha.test"})
        for n in range(2500)
    )
    everybody = group("moinguoi", "unit", "so", staff=True)
    changed = with_groups(province, everybody).model_copy(update={"people": (*province.people, *people)})
    mail = Mail(changed)
    for host in province.hosts:
        assert all(len(members) <= LONGEST_LIST for members in mail.host(host).aliases.values())
        assert sorted(walk(mail, host, everybody.address)) == sorted(p.address for p in changed.people)
