"""Invented provinces of any size, to try things on and to measure with. Nothing in them exists.

Proportions follow what the press and the Ministry gave for 2024–2026 (more than half of the schools are preschools, a
commune has about twenty schools, a school about forty staff), so that 3,500 units have about 130,000 people.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edumail.groups import NAMES_OF_RFC_2142
from edumail.people.addresses import local_part
from edumail.text import fold

T = TypeVar("T")
MAX_UNITS = 20_000
_UNITS_PER_SHARD = 125
_SCHOOLS_PER_COMMUNE = 20


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


_PROVINCES = _words(
    "Tân Lĩnh, Thanh Châu, An Thạch, Vĩnh Khê, Phú Trạch, Đông Lĩnh, Hải Thạch, Minh Trạch, Sông Điền, Bình Khê"
)
_FIRST = _words(
    "Suối, Đồng, Bản, Hồ, Sông, Núi, Đèo, Phú, Tân, An, Bình, Thanh, Hòa, Vĩnh, Xuân, Yên, Long, Mỹ, Đại, Kim, Trung"
)
_SECOND = _words(
    "Mơ, Chiêm, Đền, Sen, Quế, Lĩnh, Thạch, Giang, Hà, Sơn, Lâm, Điền, Thủy, Châu, Lộc, Phong, Khê, Trạch, Đức, Ươm"
)
_FLOWERS = _words(
    "Hoa Sen, Hoa Mai, Hoa Hồng, Hoa Cúc, Hoa Phượng, Sơn Ca, Họa Mi, Vàng Anh, Măng Non, Ban Mai, Tuổi Thơ, Sao Mai, "
    "Ánh Dương, Bình Minh, Cầu Vồng, Ong Vàng, Búp Măng, Thỏ Ngọc, Hướng Dương, Tuổi Hồng, Vành Khuyên, Thiên Nga"
)
_HEROES = _words(
    "Kim Đồng, Lê Lợi, Nguyễn Du, Lê Quý Đôn, Trần Phú, Quang Trung, Nguyễn Trãi, Lý Thường Kiệt, Chu Văn An, "
    "Đoàn Thị Điểm, Võ Thị Sáu, Hai Bà Trưng, Ngô Quyền, Đinh Tiên Hoàng, Phan Chu Trinh, Nguyễn Bỉnh Khiêm, "
    "Lê Hồng Phong, Hồ Xuân Hương, Trần Hưng Đạo, Bà Triệu, Lương Thế Vinh, Nguyễn Khuyến, Tô Hiệu, Hòa Bình"
)
# How often a family name occurs, in per cent: few names for many people is why namesakes are common.
_FAMILIES = {
    "Nguyễn": 32, "Trần": 11, "Lê": 9, "Phạm": 7, "Hoàng": 5, "Phan": 4, "Vũ": 4, "Đặng": 3, "Bùi": 3, "Đỗ": 3, "Hồ": 2,
    "Ngô": 2, "Dương": 2, "Lý": 2, "Đinh": 1, "Mai": 1, "Trịnh": 1, "Đoàn": 1, "Lương": 1, "Nông": 1, "Vi": 1, "Ông": 1,
    "Quách": 1, "Kiều": 1, "Ứng": 1,
}  # fmt: skip
_FAMILY = tuple(name for name, weight in _FAMILIES.items() for _ in range(weight))
_WOMEN_MIDDLE = _words("Thị, Thị, Thị, Thị Thu, Thị Hồng, Thị Ánh, Thị Mỹ, Ngọc, Thị Kim, Bích")
_WOMEN = _words(
    "Hương, Hoa, Lan, Huệ, Thủy, Hằng, Nga, Hạnh, Yến, Oanh, Phượng, Thắm, Đào, Diệp, Loan, Nguyệt, Quỳnh, Én, Ước"
)
_MEN_MIDDLE = _words("Văn, Văn, Văn, Hữu, Đức, Minh, Quốc, Xuân, Thế, Công, Đình, Anh")
_MEN = _words(
    "Hùng, Dũng, Tuấn, Đạt, Cường, Thịnh, Khoa, Phúc, Lực, Khánh, Sơn, Hải, Bằng, Vượng, Huy, Đức, Quyết, Nhân, Điện"
)
_WOMEN_PER_CENT = 70


@dataclass(frozen=True)
class _Kind:
    """How a kind of school is named, marked and staffed. ``share`` in per cent of schools, ``staff`` from and to."""

    mark: str
    levels: str
    vi: str
    en: str
    share: int
    staff: tuple[int, int]
    names: Sequence[str]
    sections: Sequence[str]


_PRESCHOOL = _Kind("mn", "mamnon", "Trường Mầm non", "Preschool", 50, (14, 42), _FLOWERS, ("Tổ Nhà trẻ", "Tổ Mẫu giáo"))
_PRIMARY = _Kind(
    "th", "tieuhoc", "Trường Tiểu học", "Primary School", 24, (22, 60), _HEROES,
    ("Tổ khối 1", "Tổ khối 2–3", "Tổ khối 4–5", "Tổ Văn phòng"),
)  # fmt: skip
_LOWER = _Kind(
    "thcs", "thcs", "Trường THCS", "Lower-Secondary School", 13, (26, 68), _HEROES,
    ("Tổ Khoa học tự nhiên", "Tổ Khoa học xã hội", "Tổ Ngoại ngữ", "Tổ Văn phòng"),
)  # fmt: skip
_PRIMARY_AND_LOWER = _Kind(
    "thvathcs", "tieuhoc, thcs", "Trường TH và THCS", "Primary and Lower-Secondary School", 4, (30, 70), _HEROES,
    ("Tổ Tiểu học", "Tổ Trung học cơ sở", "Tổ Văn phòng"),
)  # fmt: skip
_UPPER = _Kind(
    "thpt", "thpt", "Trường THPT", "Upper-Secondary School", 8, (60, 106), _HEROES,
    ("Tổ Toán – Tin", "Tổ Ngữ văn", "Tổ Khoa học tự nhiên", "Tổ Khoa học xã hội", "Tổ Ngoại ngữ", "Tổ Văn phòng"),
)  # fmt: skip
_CENTRE = _Kind(
    "gdtx", "gdtx", "Trung tâm GDNN – GDTX", "Continuing Education Centre", 1, (20, 50), _FIRST,
    ("Tổ Văn hóa", "Tổ Hướng nghiệp", "Tổ Văn phòng"),
)  # fmt: skip
_SCHOOLS = (_PRESCHOOL, _PRIMARY, _LOWER, _PRIMARY_AND_LOWER, _UPPER, _CENTRE)
_SCHOOL_TICKETS = tuple(school for school in _SCHOOLS for _ in range(school.share))
_OFFICE_SECTIONS = ("Bộ phận Giáo dục", "Bộ phận Văn hóa")
_DEPARTMENT_SECTIONS = (
    "Văn phòng Sở", "Phòng Tổ chức cán bộ", "Phòng Kế hoạch – Tài chính", "Phòng Giáo dục Mầm non",
    "Phòng Giáo dục Tiểu học", "Phòng Giáo dục Trung học", "Phòng Quản lý chất lượng",
)  # fmt: skip


def generate(units: int, seed: int) -> dict[str, str]:
    """The files of an invented inventory with ``units`` units: path in the folder → text.

    The same arguments give the same bytes on every machine and Python. Every result passes ``edumail check``.
    Raises ValueError where ``units`` is not between 1 and MAX_UNITS.
    """
    if not 1 <= units <= MAX_UNITS:
        raise ValueError(f"units must be between 1 and {MAX_UNITS}, not {units}")
    return _Inventor(units, seed).files()


def write(files: Mapping[str, str], folder: Path) -> None:
    """Puts what :func:`generate` gave into ``folder``."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


@dataclass
class _Unit:
    """A unit as it will be written; ``home`` names the file it goes to."""

    id: str
    kind: str
    mark: str
    levels: str
    name: str
    name_en: str
    parent: str | None
    place: str
    """Commune, as part of the postal address."""
    domain: str
    portal: str
    staff: int
    section_names: Sequence[str]
    home: str
    own_domain: bool
    host: str = ""


@dataclass
class _Commune:
    slug: str
    name: str
    domain: str
    marks: set[str] = field(default_factory=set)


class _Inventor:
    def __init__(self, units: int, seed: int):
        self.random = random.Random(seed)  # noqa: S311 - invention, not security
        self.count = units
        self.province = self.pick(_PROVINCES)
        self.slug = _word(self.province)
        self.apex = f"{self.slug}.test"
        self.zones = [self.apex]
        self.taken: dict[str, set[str]] = {}
        self.domains: set[str] = set()
        self.people = 0

    # Of the generators in `random` only random() is promised to stay the same from one Python to the next.

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.random.random() * len(choices))]

    def between(self, least: int, most: int) -> int:
        return least + int(self.random.random() * (most - least + 1))

    def chance(self, per_cent: float) -> bool:
        return self.random.random() * 100 < per_cent

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return [item for _, _, item in sorted((self.random.random(), i, item) for i, item in enumerate(items))]

    def files(self) -> dict[str, str]:
        units = self.units()
        self.place(units)
        files: dict[str, str] = {}
        homes: dict[str, list[str]] = {}
        groups = [*self.province_groups(units)]
        for unit in units:
            homes.setdefault(unit.home, []).append(self.unit_yaml(unit, files))
            groups += self.unit_groups(unit)
        result = {
            "province.yml": self.province_yaml(),
            "hosts.yml": self.hosts_yaml(),
            "hosts.py": "from roles.common.inventory import pyinfra_inventory\n\n"
            "locals().update(pyinfra_inventory(__file__))\n",
            "groups.yml": "\n".join(groups),
        }
        result |= {f"units/{home}.yml": "\n".join(texts) for home, texts in homes.items()}
        return result | files

    # The tree

    def units(self) -> list[_Unit]:
        units = [self.department()]
        names = self.shuffled([f"{first} {second}" for first in _FIRST for second in _SECOND])
        used: set[str] = set()
        while len(units) < self.count:
            number = len(used)
            name = names[number % len(names)] + (f" {number // len(names) + 1}" if number >= len(names) else "")
            if _word(name) in used:  # two spellings that fold to one word
                names.pop(number % len(names))
                continue
            used.add(_word(name))
            commune = _Commune(_hyphenated(name), name, f"{_word(name)}.{self.apex}")
            self.domains.add(commune.domain)
            units.append(self.office(commune))
            schools = self.between(_SCHOOLS_PER_COMMUNE - 6, _SCHOOLS_PER_COMMUNE + 6)
            for _ in range(min(schools, self.count - len(units))):
                units.append(self.school(commune))
        return units

    def department(self) -> _Unit:
        domain = f"sogddt.{self.apex}"
        return _Unit(
            id="so", kind="so", mark="sogddt", levels="", parent=None, home="so", own_domain=True,
            name=f"Sở Giáo dục và Đào tạo {self.province}",
            name_en=f"{_latin(self.province)} Department of Education and Training",
            place="phường Trung Tâm", domain=domain, portal=domain,
            staff=self.between(50, 70), section_names=_DEPARTMENT_SECTIONS,
        )  # fmt: skip

    def office(self, commune: _Commune) -> _Unit:
        return _Unit(
            id=f"vhxh-{commune.slug}", kind="vhxh", mark="vhxh", levels="", parent="so", home=f"xa-{commune.slug}",
            own_domain=False, name=f"Phòng Văn hóa – Xã hội xã {commune.name}",
            name_en=f"{_latin(commune.name)} Commune Office of Culture and Society",
            place=f"xã {commune.name}", domain=commune.domain, portal=f"vhxh.{commune.domain}",
            staff=self.between(5, 10), section_names=_OFFICE_SECTIONS,
        )  # fmt: skip

    def school(self, commune: _Commune) -> _Unit:
        kind = self.pick(_SCHOOL_TICKETS)
        name = self.pick(kind.names)
        number = 1
        while (mark := f"{kind.mark}{_word(name)}{number if number > 1 else ''}") in commune.marks:
            number += 1
        commune.marks.add(mark)
        title = f"{name} số {number}" if number > 1 else name
        upper = kind in (_UPPER, _CENTRE)
        domain, own = commune.domain, upper or self.chance(4)
        if own:
            domain = self.own_domain(mark, commune, apart=kind is _UPPER and self.chance(8))
        return _Unit(
            id=f"{kind.mark}-{_hyphenated(title)}-{commune.slug}",
            kind="trungtam" if kind is _CENTRE else "truong",
            mark=mark, levels=kind.levels,
            name=f"{kind.vi} {title}", name_en=f"{_latin(title)} {kind.en}",
            parent="so" if upper else f"vhxh-{commune.slug}",
            place=f"xã {commune.name}", domain=domain, own_domain=own,
            portal=f"www.{domain}" if own else f"{mark}.{domain}",
            staff=self.between(*kind.staff), section_names=kind.sections, home=f"xa-{commune.slug}",
        )  # fmt: skip

    def own_domain(self, mark: str, commune: _Commune, apart: bool) -> str:
        """A domain of the school's own, now and then registered apart from the province's."""
        place = _word(commune.name)
        here = [f"{mark}.{self.apex}", f"{mark}-{place}.{self.apex}"]
        candidates = [f"{mark}{place}.example"] if apart else here
        domain = next(domain for domain in candidates if domain not in self.domains)
        self.domains.add(domain)
        if apart:
            self.zones.append(domain)
        return domain

    def place(self, units: list[_Unit]) -> None:
        """Fill one shard after the other, so that most communes live on one host and a few on two."""
        self.shards = -(-self.count // _UNITS_PER_SHARD)
        for index, unit in enumerate(units):
            unit.host = f"mail-{index // _UNITS_PER_SHARD + 1:02}"

    # The files

    def province_yaml(self) -> str:
        latin = _latin(self.province)
        lines = [
            "# An invented province: no unit and no person in it exists. Written by `edumail example`.",
            f"id: {_hyphenated(self.province)}",
            f"name: Tỉnh {self.province}",
            f"name_en: {latin} Province",
            f"domain: {self.apex}",
            "zones:",
            *(f"  - {zone}" for zone in self.zones),
            "allowed_suffixes:",
            *(f"  - {zone}" for zone in self.zones),
            "nameservers:",
            f'  - {{name: ns1.{self.apex}, ipv4: 198.19.255.53, ipv6: "2001:db8:ffff::53"}}',
            f'  - {{name: ns2.{self.apex}, ipv4: 198.19.254.53, ipv6: "2001:db8:fffe::53"}}',
            f"hostmaster: hostmaster@sogddt.{self.apex}",
            "policies:",
            f"  mailbox_quota_mb: {self.pick((1024, 2048, 3072))}",
        ]
        return "\n".join(lines) + "\n"

    def hosts_yaml(self) -> str:
        hosts = []
        for number in range(1, self.shards + 1):
            roles = "mailstore, portal" if number > 1 else "gateway, mailstore, portal"
            hosts.append(
                f"- name: mail-{number:02}\n"
                f"  fqdn: mail-{number:02}.{self.apex}\n"
                f"  ipv4: 198.18.{100 + number // 200}.{10 + number % 200}\n"
                f"  ipv6: 2001:db8:100::{number + 15:x}\n"
                f"  roles: [{roles}]\n"
            )
        return "\n".join(hosts)

    def address(self, unit: _Unit, word: str) -> str:
        """An address of the unit: alone in an own domain, with the unit's mark in a shared one."""
        local = word if unit.own_domain else f"{word}.{unit.mark}"
        self.taken.setdefault(unit.domain, set(NAMES_OF_RFC_2142)).add(local)
        return f"{local}@{unit.domain}"

    def person_address(self, unit: _Unit, name: str) -> str:
        """Given name, then the initials of the others; a namesake gets the unit's mark, then a number."""
        short = local_part(name, "given_initials")
        taken = self.taken[unit.domain]
        for local in _namesakes(short, unit):
            if local not in taken:
                taken.add(local)
                return f"{local}@{unit.domain}"
        raise AssertionError("there is always another number")

    def unit_yaml(self, unit: _Unit, files: dict[str, str]) -> str:
        department = unit.kind == "so"
        public = self.address(unit, "tiepnhan" if department else "lienhe")
        mailboxes = [
            (public, "Tiếp nhận ý kiến", "van_thu"),
            (self.address(unit, "vanthu"), "Văn thư", "van_thu"),
        ]
        sections = [(_hyphenated(name), name, self.address(unit, _hyphenated(name))) for name in unit.section_names]
        rows, officer = self.roster(unit, [section for section, _, _ in sections])
        if department:
            mailboxes.append((self.address(unit, "hostmaster"), "Quản trị tên miền", officer))
        files[f"people/{unit.id}.csv"] = "Mã,Họ và tên,Tổ,Chức vụ,Địa chỉ thư\n" + "\n".join(rows) + "\n"
        lines = [f"- id: {unit.id}", f"  kind: {unit.kind}"]
        if unit.levels:
            lines.append(f"  levels: [{unit.levels}]")
        lines += [f"  name: {unit.name}", f"  name_en: {unit.name_en}"]
        if unit.parent:
            lines.append(f"  parent: {unit.parent}")
        number = self.between(100, 999)
        lines += [
            f"  host: {unit.host}",
            f"  domain: {unit.domain}",
            f"  portal: {unit.portal}",
            f"  street_address: {self.between(1, 300)} đường {self.pick(_HEROES)}, {unit.place}, tỉnh {self.province}",
            f"  phone: 0299 3 {number} {self.between(100, 999)}",
            f"  officer: {officer}",
            f"  public_address: {public}",
        ]
        if department or self.chance(5):
            lines += ["  policies:", f"    mailbox_quota_mb: {self.pick((512, 1024, 4096))}"]
        lines.append("  mailboxes:")
        lines += [f"    - {{address: {a}, name: {name}, holders: [{holder}]}}" for a, name, holder in mailboxes]
        lines.append("  sections:")
        lines += [f"    - {{id: {section}, name: {name}, address: {a}}}" for section, name, a in sections]
        return "\n".join(lines) + "\n"

    def roster(self, unit: _Unit, sections: list[str]) -> tuple[list[str], str]:
        """The rows of the unit's CSV, and the id of its officer in charge."""
        head, deputy, staff = {
            "so": ("Giám đốc", "Phó Giám đốc", "Chuyên viên"),
            "vhxh": ("Trưởng phòng", "Phó Trưởng phòng", "Chuyên viên"),
            "trungtam": ("Giám đốc", "Phó Giám đốc", "Giáo viên"),
        }.get(unit.kind, ("Hiệu trưởng", "Phó Hiệu trưởng", "Giáo viên"))
        last = sections[-1]
        posts = [(head, ""), (deputy, ""), ("Văn thư", last), ("Phụ trách CNTT", sections[0])]
        if unit.staff > 12:
            posts += [("Kế toán", last), ("Y tế; Thủ quỹ", last), ("Thư viện; Thiết bị", last)]
        index = 0
        while len(posts) < unit.staff or index < len(sections):
            leader = "; Tổ trưởng" if index < len(sections) else ""
            posts.append((staff + leader, sections[index % len(sections)]))
            index += 1
        rows = []
        officer = ""
        for post, section in posts:
            self.people += 1
            code = f"cb-{self.people:06}"
            if post == "Phụ trách CNTT":
                officer = code
            name = self.person_name()
            rows.append(f"{code},{name},{section},{post},{self.person_address(unit, name)}")
        return rows, officer

    def person_name(self) -> str:
        if self.chance(_WOMEN_PER_CENT):
            return f"{self.pick(_FAMILY)} {self.pick(_WOMEN_MIDDLE)} {self.pick(_WOMEN)}"
        return f"{self.pick(_FAMILY)} {self.pick(_MEN_MIDDLE)} {self.pick(_MEN)}"

    # Groups

    def group(self, address: str, name: str, unit: str, members: str, posting: str) -> str:
        return f"- address: {address}\n  name: {name}\n  unit: {unit}\n  members: {{{members}}}\n  posting: {posting}\n"

    def province_groups(self, units: list[_Unit]) -> Iterator[str]:
        department = units[0]
        heads = "posts: [giam_doc, truong_phong, hieu_truong]"
        to = self.address(department, "thutruong")
        yield self.group(to, "Thủ trưởng các đơn vị trong tỉnh", "so", heads, "members")
        to = self.address(department, "cntt")
        yield self.group(to, "Phụ trách CNTT các đơn vị", "so", "posts: [phu_trach_cntt]", "province")
        kinds = {unit.kind for unit in units}
        if "vhxh" in kinds:
            to = self.address(department, "cacxa")
            yield self.group(to, "Các phòng Văn hóa – Xã hội", "so", "staff: true, kinds: [vhxh]", "unit")
        if any(unit.levels == "thpt" for unit in units):
            to = self.address(department, "hieutruong.thpt")
            rule = "posts: [hieu_truong], levels: [thpt]"
            yield self.group(to, "Hiệu trưởng các trường THPT", "so", rule, "province")

    def unit_groups(self, unit: _Unit) -> Iterator[str]:
        everybody = self.address(unit, "toantruong" if unit.levels else "toancoquan")
        # Units stand below a department and an office; their staff are not its own.
        rule = "staff: true" if unit.levels else f"staff: true, kinds: [{unit.kind}]"
        yield self.group(everybody, f"Toàn thể {unit.name}", unit.id, rule, "unit")
        if unit.kind == "vhxh":
            clerks = self.address(unit, "vanthucactruong")
            yield self.group(clerks, "Văn thư các đơn vị trong xã", unit.id, "posts: [van_thu]", "unit")
            heads = self.address(unit, "thutruongcactruong")
            rule = "posts: [truong_phong, hieu_truong]"
            yield self.group(heads, "Thủ trưởng các đơn vị trong xã", unit.id, rule, "province")
        elif unit.own_domain and unit.kind != "so":
            leaders = self.address(unit, "bangiamhieu")
            rule = "posts: [hieu_truong, pho_hieu_truong, giam_doc, pho_giam_doc]"
            yield self.group(leaders, f"Lãnh đạo {unit.name}", unit.id, rule, "anyone")


def _namesakes(short: str, unit: _Unit) -> Iterator[str]:
    yield short
    if not unit.own_domain:
        yield f"{short}.{unit.mark}"
    tail = "" if unit.own_domain else f".{unit.mark}"
    number = 2
    while True:
        yield f"{short}{number}{tail}"
        number += 1


def _word(name: str) -> str:
    """``name`` in plain letters and digits, as one word."""
    return "".join(c for c in fold(name) if c.isascii() and c.isalnum())


def _hyphenated(name: str) -> str:
    return "-".join(filter(None, (_word(part) for part in name.split())))


def _latin(name: str) -> str:
    return fold(name).title()
