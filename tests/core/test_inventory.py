"""What `edumail check` says of sound and of spoilt inventories."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import pytest
from conftest import Inventory

from edumail.load import load
from edumail.model import Province
from edumail.policies import Policies
from edumail.units import Units
from edumail.yamlsource import read_yaml

SO, SUOI_MO, HOSTS, GROUPS = "units/so.yml", "units/suoi-mo.yml", "hosts.yml", "groups.yml"
THCS, SO_PEOPLE = "people/thcs-suoi-mo.csv", "people/so.csv"


def test_the_lab_is_sound(province: Province) -> None:
    assert len(province.units) == 6
    assert 50 <= len(province.people) <= 70
    domains = {unit.domain for unit in province.units.values()}
    shared = [d for d in domains if sum(unit.domain == d for unit in province.units.values()) > 1]
    assert shared
    assert len(domains) > len(shared)  # one shared, others of their own
    names = [person.name for person in province.people]
    assert len(set(names)) < len(names)  # namesakes
    assert any(unicodedata.normalize("NFD", name) != name for name in names)


def test_policies_come_from_the_nearest_level(province: Province) -> None:
    def quota(unit: str, **own: int) -> int | None:
        """The unit's quota where the units named by ``own`` set one of theirs, and the others none."""
        changed = {
            id: unit.model_copy(update={"policies": Policies(mailbox_quota_mb=own.get(id.replace("-", "_")))})
            for id, unit in province.units.items()
        }
        return Units(province.model_copy(update={"units": changed})).policies(changed[unit]).mailbox_quota_mb

    assert quota("th-suoi-mo", so=1, vhxh_suoi_mo=2, th_suoi_mo=3) == 3
    assert quota("th-suoi-mo", so=1, vhxh_suoi_mo=2) == 2
    assert quota("th-suoi-mo", so=1, thcs_suoi_mo=2) == 1  # two levels up, and not beside it
    assert quota("th-suoi-mo") == 2048


@dataclass(frozen=True)
class Mistake:
    """Replacing ``old`` by ``new`` in ``file`` makes ``code`` at ``needle`` of ``at``, or of ``file``."""

    code: str
    file: str
    old: str
    new: str
    needle: str | None
    at: str = ""
    alone: bool = True


# A needle of None stands for the file as a whole.
MISTAKES = [
    # Files
    Mistake("yaml-syntax", HOSTS, "roles: [gateway, mailstore, portal, antivirus]", "roles: [gateway", ": mail-xa"),
    Mistake("yaml-syntax", SO, "Sở Giáo dục và Đào tạo Minh Hà", "Sở\x07", "\x07"),
    Mistake("yaml-duplicate-key", SO, "  kind: so\n", "  kind: so\n  kind: phong\n", "kind: phong"),
    Mistake("yaml-alias", SUOI_MO, "parent: so\n", "parent: &x so\n  portal_host: *x\n", "&x so"),
    Mistake("yaml-key", SO, "  kind: so\n", "  kind: so\n  [a]: b\n", "[a]"),
    Mistake("not-a-list", HOSTS, "- name: mail-so", "x:\n- name: mail-so", "x:"),
    # Entries
    Mistake("extra-forbidden", SO, "  phone: 0299 3 100 100", "  phone: 0299 3 100 100\n  fax: 12", "12\n"),
    Mistake("extra-forbidden", "province.yml", "hostmaster:", "hotmaster: x\nhostmaster:", "x\nhostmaster"),
    Mistake("missing", SO, "  officer: so-10\n", "", "id: so\n"),
    Mistake("missing", SO, "  public_address: tiepnhan@sogddt.minhha.test\n", "", "id: so\n"),
    Mistake("ip-v4-address", HOSTS, "198.18.37.12", "198.18.37.300", "198.18.37.300"),
    Mistake("ip-v4-address", HOSTS, "198.18.37.12", "12345", "12345"),
    Mistake("ip-v6-address", HOSTS, "2001:db8:37::12", '"fe80::1%x; evil"', '"fe80::1%x'),
    Mistake("literal-error", HOSTS, "roles: [mailstore, portal]", "roles: [mailstore, web]", "web"),
    Mistake("too-short", HOSTS, "roles: [mailstore, portal]", "roles: []", "[]"),
    Mistake("int-type", SUOI_MO, "mailbox_quota_mb: 1024", "mailbox_quota_mb: 1 GB", "1 GB"),
    Mistake("int-type", HOSTS, "name: mail-xa", "name: mail-xa\n  ssh: {port: true}", "true}"),
    Mistake("greater-than-equal", SUOI_MO, "mailbox_quota_mb: 1024", "mailbox_quota_mb: 0", "0\n    posting_to_u"),
    Mistake("string-type", SO, "phone: 0299 3 100 100", "phone: 84299", "84299"),
    Mistake("string-pattern-mismatch", SO, "phone: 0299 3 100 100", "phone: 0299; rm", "0299; rm"),
    Mistake("string-pattern-mismatch", SO, "name: Sở Giáo dục và Đào tạo Minh Hà", 'name: "Sở\\x1b[2J"',
            '"Sở'),
    Mistake("string-pattern-mismatch", SO, "address: vanthu@sogddt", "address: Văn.Thư@sogddt", "Văn.Thư@"),
    Mistake("string-pattern-mismatch", SO, "{address: vanthu@", "{address: a+b@", "a+b@"),
    Mistake("string-too-long", SO, "street_address: 1 đường", "street_address: 1 " + "x" * 200, "1 xxx"),
    # The tree
    Mistake("unknown-kind", SUOI_MO, "kind: vhxh", "kind: vhxx", "vhxx", alone=False),
    Mistake("no-parent", SUOI_MO, "  parent: so\n", "", "id: vhxh-suoi-mo"),
    Mistake("unknown-unit", SUOI_MO, "parent: vhxh-suoi-mo", "parent: vhxh-suoi-me", "vhxh-suoi-me"),
    Mistake("wrong-parent", SUOI_MO, "parent: vhxh-suoi-mo", "parent: thpt-song-que", "thpt-song-que"),
    Mistake("tree-loop", SUOI_MO, "parent: so", "parent: vhxh-suoi-mo", "vhxh-suoi-mo\n  host", alone=False),
    Mistake("duplicate-unit", SUOI_MO, "- id: th-suoi-mo", "- id: so", "so\n  kind: truong", alone=False),
    # Hosts, names, DNS
    Mistake("one-gateway", HOSTS, "[gateway, mailstore, portal, antivirus]", "[mailstore, portal]", None),
    Mistake("nothing-to-scan", HOSTS, "roles: [mailstore, portal]", "roles: [portal, antivirus]", "[portal, antivirus]",
            alone=False),
    Mistake("duplicate-host", HOSTS, "name: mail-xa", "name: mail-so", "mail-so\n  fqdn: mail-xa", alone=False),
    Mistake("duplicate-host", HOSTS, "198.18.37.12", "198.18.37.11", "198.18.37.11\n  ipv6: 2001:db8:37::12"),
    Mistake("unknown-host", SUOI_MO, "host: mail-xa", "host: mail-xx", "mail-xx"),
    Mistake("wrong-host-role", HOSTS, "roles: [mailstore, portal]", "roles: [portal]", "mail-xa", SUOI_MO, alone=False),
    Mistake("outside-suffixes", SO, "portal: sogddt.minhha", "portal: sogddt.minhhe", "sogddt.minhhe", alone=False),
    Mistake("outside-zones", HOSTS, "mail-xa.minhha.test", "mail-xa.minhhe.test", "mail-xa.minhhe.test"),
    Mistake("outside-zones", "province.yml", "\ndomain: minhha.test", "\ndomain: minhhe.test", "minhhe.test"),
    Mistake("long-name", SO, "portal: sogddt", f"portal: {'x' * 63}.{'y' * 63}.sogddt", "xxx"),
    Mistake("duplicate-portal", SUOI_MO, "portal: thcssuoimo.", "portal: thsuoimo.",
            "thsuoimo.suoimo.minhha.test\n  street_address: Thôn Đồng Đăng"),
    Mistake("portal-is-host", SO, "portal: sogddt.", "portal: mail-xa.", "mail-xa."),
    Mistake("portal-is-host", SUOI_MO, "[c2suoimo.", "[mail-xa.", "mail-xa.minhha.test]"),
    Mistake("duplicate-portal", SUOI_MO, "[c2suoimo.minhha.test]", "[thsuoimo.suoimo.minhha.test]",
            "thsuoimo.suoimo.minhha.test]"),
    Mistake("duplicate-portal", SUOI_MO, "[c2suoimo.minhha.test]", "[c2.minhha.test, c2.minhha.test]",
            "c2.minhha.test]"),
    Mistake("outside-suffixes", SUOI_MO, "[c2suoimo.minhha.test]", "[c2suoimo.minhhe.test]", "c2suoimo.minhhe",
            alone=False),
    Mistake("reserved-name", SUOI_MO, "[c2suoimo.minhha.test]", "[mta-sts.suoimo.minhha.test]", "mta-sts."),
    Mistake("front-taken", SUOI_MO, "[c2suoimo.minhha.test]", "[mail.minhha.test]", "minhha.test\nzones",
            "province.yml"),
    Mistake("reserved-name", SO, "portal: sogddt.minhha.test", "portal: mta-sts.sogddt.minhha.test", "mta-sts."),
    Mistake("outside-zones", "province.yml", "hostmaster:", "front: thu.minhhe.test\nhostmaster:", "thu.minhhe"),
    Mistake("front-taken", "province.yml", "hostmaster:", "front: mail-xa.minhha.test\nhostmaster:", "mail-xa."),
    Mistake("front-taken", SO, "portal: sogddt.minhha.test", "portal: mail.minhha.test", "minhha.test\nzones",
            "province.yml"),
    Mistake("union-tag-invalid", "province.yml", "hostmaster:", "certificates: {from: mua}\nhostmaster:", "{from"),
    Mistake("union-tag-not-found", "province.yml", "hostmaster:", "certificates: {x: 1}\nhostmaster:", "{x"),
    Mistake("model-attributes-type", "province.yml", "hostmaster:", "certificates: acme\nhostmaster:", "acme"),
    Mistake("missing", "province.yml", "hostmaster:", "certificates: {from: files}\nhostmaster:", "{from"),
    Mistake("string-pattern-mismatch", "province.yml", "hostmaster:", "certificates: {from: acme, issuers: [a.vn], "
            "contact: x@a.vn, directory: http://a.vn/}\nhostmaster:", "http:"),
    Mistake("extra-forbidden", "province.yml", "hostmaster:", "certificates: {from: internal, x: 1}\nhostmaster:",
            "1}"),
    Mistake("no-glue", "province.yml", ', ipv4: 198.18.37.53, ipv6: "2001:db8:37::53"', "", "{name: ns."),
    Mistake("ip-network", "province.yml", "hostmaster:", "ssh_networks: [10.0.0.1/8]\nhostmaster:", "10.0.0.1/8"),
    Mistake("ip-network", "province.yml", "hostmaster:", "ssh_networks: ['::/0 drop']\nhostmaster:", "'::/0 drop'"),
    Mistake("ip-network", "province.yml", "hostmaster:", "ssh_networks: [10]\nhostmaster:", "10]"),
    Mistake("too-short", "province.yml", "hostmaster:", "ssh_networks: []\nhostmaster:", "[]"),
    Mistake("unknown-hostmaster", "province.yml", "hostmaster@", "ai-do@", "ai-do@"),
    Mistake("host-domain", SUOI_MO, "domain: suoimo.minhha", "domain: mail-xa.minhha", "mail-xa.minhha", alone=False),
    Mistake("host-domain", SUOI_MO, "domain: suoimo.minhha", "domain: groups.mail-xa.minhha", "groups.", alone=False),
    # Duties
    Mistake("public-address", SO, "public_address: tiepnhan@", "public_address: x@", "x@"),
    Mistake("unknown-officer", SO, "officer: so-10", "officer: so-99", "so-99"),
    Mistake("unknown-officer", SO, "officer: so-10", "officer: sq-01", "sq-01"),
    Mistake("unknown-officer", SO, "officer: so-10", "officer: hieu_truong", "hieu_truong"),
    Mistake("unknown-holder", SO, "holders: [phu_trach_cntt]", "holders: [so-99]", "so-99", alone=False),
    Mistake("foreign-holder", SO, "holders: [phu_trach_cntt]", "holders: [sq-01]", "sq-01", alone=False),
    Mistake("no-holder", SO, "holders: [to_truong, van_thu]", "holders: [hieu_truong]", "[hieu_truong]"),
    Mistake("unknown-ministry-address", "province.yml", "clerk: vanthu@", "clerk: vanthi@", "vanthi@"),
    Mistake("no-holder", SO, "holders: [phu_trach_cntt]", "holders: [hieu_truong]", "[hieu_truong]"),
    Mistake("empty-section", SO, "    - {id: gdtrh", "    - {id: gdtx, name: X, address: x@sogddt.minhha.test}\n"
            "    - {id: gdtrh", "{id: gdtx"),
    Mistake("duplicate-section", SO, "    - {id: gdtrh", "    - {id: gdtrh, name: X, address: x@sogddt.minhha.test}\n"
            "    - {id: gdtrh", "gdtrh, name: Phòng"),
    Mistake("unknown-section", THCS, ",khtn,Giáo viên,thuc", ",khtm,Giáo viên,thuc", "cs-06"),
    # Addresses
    Mistake("two-owners", SO, "address: vanthu@", "address: giamdoc@", "giamdoc@sogddt.minhha.test, name: Giám",
            alone=False),
    Mistake("two-owners", THCS, "tuanlv@", "vhxh@", "cs-04"),
    Mistake("reserved-address", SO, "address: vanthu@", "address: postmaster@", "postmaster@", alone=False),
    Mistake("reserved-address", THCS, "tuanlv@", "webmaster@", "cs-04"),
    Mistake("foreign-address", SO, "vanthu@sogddt", "vanthu@sogddd", "vanthu@sogddd", alone=False),
    Mistake("foreign-address", THCS, "tuanlv@suoimo", "tuanlv@sogddt", "cs-04"),
    Mistake("foreign-address", GROUPS, "toantruong@thptsongque.test", "toantruong@thpt.test", "toantruong@thpt.test"),
    Mistake("long-local-part", SO, "vanthu@", f"{'x' * 65}@", "xxx", alone=False),
    # Groups
    Mistake("empty-group", GROUPS, "posts: [van_thu]", "posts: [giam_doc]", "{posts: [giam_doc]}"),
    Mistake("unknown-post", GROUPS, "posts: [van_thu]", "posts: [van_thuu]", "van_thuu"),
    Mistake("unknown-kind", GROUPS, "posts: [van_thu]", "kinds: [truongg]", "truongg"),
    Mistake("unknown-unit", GROUPS, "unit: thpt-song-que", "unit: thpt-song-qua", "thpt-song-qua"),
    Mistake("unknown-unit", GROUPS, "{staff: true}", "{staff: true, below: xx}", "xx}"),
    Mistake("unknown-member", GROUPS, "addresses: [hieutruong@suoimo", "addresses: [hieutruon@suoimo", "hieutruon@"),
    Mistake("group-loop", GROUPS, "{posts: [hieu_truong, pho_hieu_truong]}",
            "{addresses: [thutruong@sogddt.minhha.test]}", "thutruong@sogddt.minhha.test]}", alone=False),
    Mistake("duplicate-group", GROUPS, "toantruong@", "hieutruong@", "hieutruong@thptsongque.test\n  name: Toàn"),
    Mistake("unknown-section", GROUPS, "posts: [van_thu]", "sections: [khtn, khtm]", "khtm"),
    Mistake("literal-error", GROUPS, "posting: members", "posting: member", "member\n"),
    Mistake("literal-error", GROUPS, "{staff: true}", "{staff: true, scope: all}", "all}"),
    Mistake("unknown-holder", GROUPS, "posting: holders", "posting: holders\n  holders: [van_thuu]", "van_thuu"),
    Mistake("foreign-holder", GROUPS, "posting: holders", "posting: holders\n  holders: [sq-01]", "sq-01"),
    Mistake("no-poster", GROUPS, "posting: holders", "posting: holders\n  holders: [y_te]", "holders\n  holders"),
    # Rosters
    Mistake("roster-header", THCS, "Họ và tên", "Tên", "Mã"),
    Mistake("roster-header", THCS, "Mã,Họ và tên", "Mã,Mã,Họ và tên", "Mã"),
    Mistake("roster-cells", THCS, "Lâm Văn Tuấn,", "Lâm Văn Tuấn,,", "cs-04"),
    Mistake("roster-csv", THCS, "Lâm Văn Tuấn", '"Lâm" Văn Tuấn', "cs-04"),
    Mistake("unknown-post", THCS, "Phụ trách CNTT", "Phụ trách CNT", "cs-04"),
    Mistake("duplicate-person", THCS, "cs-04", "cs-03", "cs-03,Lâm", alone=False),
    Mistake("duplicate-person", THCS, "cs-05", "so-05", "so-05"),
    Mistake("string-pattern-mismatch", THCS, "tuanlv@", "Tuấn@", "cs-04"),
    Mistake("string-pattern-mismatch", THCS, "Lâm Văn Tuấn", "Lâm\u202eVăn Tuấn", "cs-04"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.code}-{m.old.strip()[:20]}")
def test_a_mistake_is_named_where_it_stands(inventory: Inventory, mistake: Mistake) -> None:
    inventory.replace(mistake.file, mistake.old, mistake.new)
    file = mistake.at or mistake.file
    line, column = inventory.place(file, mistake.needle) if mistake.needle else (0, 0)
    if file.endswith(".csv"):
        column = 0
    problems = inventory.problems()
    found = [p for p in problems if p.code == mistake.code]
    places = [(p.where.file, p.where.line, p.where.column) for p in found]
    assert (file, line, column) in places, [p.text("en") for p in problems]
    for problem in problems:
        assert problem.vi
        assert problem.en not in ("", problem.vi)
        assert problem.text("vi").startswith(f"{problem.where}: ")
        assert (problem.text("vi") + problem.text("en")).isprintable()
    if mistake.alone:
        assert len(problems) == 1, [p.text("en") for p in problems]


@pytest.mark.parametrize(
    ("file", "content", "code", "line"),
    [
        ("people/thcs-suoi-mo.csv", b"a\n\xff\xfe", "encoding", 2),
        ("units/so.yml", b"\n\n\n\xe9", "encoding", 4),
        ("units/khac.yaml", b"", "unknown-file", 0),
        ("people/danh-sach.xlsx", b"PK", "unknown-file", 0),
        ("people/khac.csv", b"", "unknown-unit", 0),
        ("published/khac.yml", b"", "unknown-host", 1),
        ("group_vars/all.yml", b"kinds: {so: {nam: x}}", "missing", 1),
        ("province.yml", b"", "missing", 1),
        ("province.yml", b"- a\n", "model-type", 1),
        ("province.yml", b"\n[]\n", "model-type", 2),
        ("units/sau.yml", b"- " * 50_000, "yaml-nesting", 1),
        ("units/sau.yml", b"[" * 50_000, "yaml-nesting", 1),
    ],
)
def test_a_file_that_can_not_be_used_is_named(
    inventory: Inventory, file: str, content: bytes, code: str, line: int
) -> None:
    inventory.write(file, content)
    assert (file, line, code) in [(p.where.file, p.where.line, p.code) for p in inventory.problems()]


@pytest.mark.parametrize("file", ["province.yml", "hosts.yml"])
def test_a_missing_file_is_named_and_nothing_else(inventory: Inventory, file: str) -> None:
    (inventory.folder / file).unlink()
    assert [(p.where.file, p.code) for p in inventory.problems()] == [(file, "missing-file")]


def test_a_missing_folder_is_named(inventory: Inventory) -> None:
    inventory.folder = inventory.folder / "nowhere"
    assert [p.code for p in inventory.problems()] == ["missing-folder"]


def test_the_province_says_how_long_logs_are_kept(inventory: Inventory, province: Province) -> None:
    assert province.log_retention_days == 365
    inventory.write("group_vars/all.yml", "log_retention_days: 90\n")
    changed = load(inventory.folder)
    assert (changed.log_retention_days, changed.message_size_limit_mb) == (90, province.message_size_limit_mb)
    inventory.write("group_vars/all.yml", "log_retention_days: 0\n")
    (problem,) = inventory.problems()
    assert (problem.code, str(problem.where)) == ("greater-than-equal", "group_vars/all.yml:1:21")


def test_two_hosts_must_not_publish_one_selector(inventory: Inventory) -> None:
    for host in ("mail-so", "mail-xa"):
        inventory.write(f"published/{host}.yml", "dkim: {selector: s1, public_key: MIIB}\n")
    (problem,) = inventory.problems()
    assert (problem.code, str(problem.where)) == ("duplicate-selector", "published/mail-xa.yml:1:18")


def test_all_mistakes_come_at_once(inventory: Inventory) -> None:
    inventory.replace("province.yml", "hostmaster:", "hotmaster: x\nhostmaster:")
    inventory.replace(HOSTS, "198.18.37.13", "198.18.37.12")
    inventory.replace(SUOI_MO, "phone: 0299 3 300 301", "phone: khong")
    inventory.replace(SUOI_MO, "host: mail-xa", "host: mail-xx")
    inventory.replace(SO, "officer: so-10", "officer: so-99")
    inventory.replace(GROUPS, "posts: [van_thu]", "posts: [giam_doc]")
    inventory.replace(THCS, "khtn,Giáo viên,thuc", "khtm,Giáo viên,thuc")
    inventory.replace("people/so.csv", "vuongnd@", "vuongnd@@")
    inventory.write("published/khac.yml", "")
    found = {(p.where.file, p.code) for p in inventory.problems()}
    assert found == {
        ("province.yml", "extra-forbidden"),
        (HOSTS, "duplicate-host"),
        (SUOI_MO, "string-pattern-mismatch"),
        (SUOI_MO, "unknown-host"),
        (SO, "unknown-officer"),
        (THCS, "unknown-section"),
        ("people/so.csv", "string-pattern-mismatch"),
        ("published/khac.yml", "unknown-host"),
        # whether the group is really empty can't be known while a row of a roster is unread
    }


def test_a_misspelt_key_does_not_hide_what_the_rest_of_its_entry_shows(inventory: Inventory) -> None:
    inventory.replace("province.yml", "zones: [minhha.test, thptsongque.test]", "zone: x\nzones: [minhha.test]")
    found = {(p.where.file, p.code) for p in inventory.problems()}
    assert found == {("province.yml", "extra-forbidden"), (HOSTS, "outside-zones"), (SO, "outside-zones")}


def test_an_entry_that_can_not_be_read_makes_no_echo(inventory: Inventory) -> None:
    """Whoever names it is right: it is there."""
    inventory.replace(SUOI_MO, "domain: suoimo.minhha.test", "domain: SUOIMO")
    assert [p.code for p in inventory.problems()] == ["string-pattern-mismatch"]


@pytest.mark.parametrize("file", [SO, SUOI_MO, HOSTS, GROUPS, "province.yml"])
def test_a_file_that_is_no_yaml_makes_no_echo_and_hides_nothing(inventory: Inventory, file: str) -> None:
    inventory.replace(THCS, "cs-10,Ma Thị Út", "cs-10,Ma Thị Út\x1b")
    text = (inventory.folder / file).read_text(encoding="utf-8")
    inventory.write(file, text + "\n]: [\n")
    assert {p.where.file for p in inventory.problems()} == {file, THCS}


def test_an_escape_sequence_never_reaches_the_terminal(inventory: Inventory) -> None:
    inventory.replace(THCS, "Phụ trách CNTT", "\x1b[2J")
    (problem,) = inventory.problems()
    assert problem.code == "unknown-post"
    assert "\x1b" not in problem.text("vi") + problem.text("en")


def test_a_roster_may_be_decomposed_and_write_posts_without_marks(inventory: Inventory, province: Province) -> None:
    path = inventory.folder / "people" / "so.csv"
    text = path.read_text(encoding="utf-8").replace("Phó Giám đốc", "pho giam doc")
    path.write_text("\ufeff" + unicodedata.normalize("NFD", text).replace("\n", "\r\n"), encoding="utf-8")
    assert load(inventory.folder).people == province.people


@pytest.mark.parametrize("word", ["0777", "0251", "1_000", "1:30", "2026-11-24", ".inf", "1._", "1" * 5000, "0x1f"])
def test_what_yaml_would_make_another_value_of_stays_as_it_was_written(word: str) -> None:
    assert read_yaml("f.yml", f"a: {word}").value == {"a": word}


def test_text_is_kept_in_one_normal_form(inventory: Inventory, province: Province) -> None:
    path = inventory.folder / SUOI_MO
    path.write_text(unicodedata.normalize("NFD", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert load(inventory.folder) == province.model_copy(update={"published": {}})


def test_false_is_the_only_false(inventory: Inventory) -> None:
    """YAML 1.1 reads a bare No or off as false: a unit of that name would vanish."""
    inventory.replace(SUOI_MO, "name: Trường Mầm non Hoa Sen\n", "name: No\n")
    assert load(inventory.folder).units["mn-hoa-sen"].name == "No"
