"""What an import would change, computed and not yet done: a pure function of inventory, spreadsheet and unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from edumail.model import Former, Left, Person, Province, Unit
from edumail.people.addresses import Ids, Taken
from edumail.people.cells import Entry, Table
from edumail.people.matching import Matches, match
from edumail.problems import Problem, Where
from edumail.units import Units

Kind = Literal["new", "changed", "moved", "returned", "left"]
KINDS: tuple[Kind, ...] = ("new", "returned", "moved", "changed", "left")
_FEW = 3
"""So many may leave without a question, whatever share of a small unit they are."""


@dataclass(frozen=True)
class Line:
    """What happens to one person. ``row`` is the spreadsheet's, 0 for who is not in it."""

    kind: Kind
    row: int
    before: Person | Left | None
    after: Person | None


@dataclass
class Plan:
    """All that happens, and why it may not. ``doubts`` and ``problems`` each forbid to write anything."""

    unit: str
    lines: list[Line] = field(default_factory=list)
    unchanged: int = 0
    people: list[Person] = field(default_factory=list)
    """The unit's staff as it will be, in the order of its file."""
    left: list[Left] = field(default_factory=list)
    """The province's register as it will be."""
    former: list[Former] = field(default_factory=list)
    """Old addresses as they will be: those of today in their places, then new ones."""
    rows: dict[str, int] = field(default_factory=dict)
    """Person's id → row."""
    doubts: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    @property
    def refused(self) -> list[Problem]:
        """Why nothing may be written."""
        return sorted([*self.problems, *self.doubts])

    def of(self, kind: Kind) -> list[Line]:
        """The lines of one kind."""
        return [line for line in self.lines if line.kind == kind]


@dataclass(frozen=True)
class Wish:
    """What whoever imports says besides the file. Without ``partial`` it lists the unit's whole staff."""

    partial: bool = False
    until: date | None = None
    """Until when old addresses of those who get another receive."""
    leavers: int | None = None
    """So many leave, said by somebody who counted: without it a file that most of the unit is not in is refused."""


def make_plan(province: Province, table: Table, unit: str, wish: Wish) -> Plan:
    """Plan the import of ``table`` into ``unit``. Never raises for bad input."""
    return _Planner(province, table, unit, wish).plan()


class _Planner:
    def __init__(self, province: Province, table: Table, unit: str, wish: Wish):
        self.province, self.table, self.wish = province, table, wish
        self.units = Units(province)
        self.unit: Unit = province.units[unit]
        self.result = Plan(unit, problems=list(table.problems), notes=list(table.notes))
        self.result.former = list(province.former)
        self.result.left = list(province.left)

    def plan(self) -> Plan:
        matches = match(self.table, self.units, self.unit.id, self.wish.partial)
        self.result.doubts += matches.doubts
        self.result.notes += matches.notes
        now: dict[str, Person] = {}
        new: list[tuple[Entry, Person | Left | None]] = []
        for entry, someone in matches.found:
            if isinstance(someone, Person) and someone.unit == self.unit.id:
                now[someone.id] = self.here(entry, someone)
            else:
                new.append((entry, someone))
        own = self.units.people[self.unit.id]
        staying = [now.get(person.id, person) for person in own if self.stays(person, now, matches)]
        self.result.people = [*staying, *self.arrivals(new, matches.with_id)]
        for person in own:
            if not self.stays(person, now, matches):
                self.leave(person)
        self.many_leave(len(own))
        order = {kind: number for number, kind in enumerate(KINDS)}
        self.result.lines.sort(key=lambda line: (order[line.kind], line.row))
        return self.result

    def problem(self, row: int, code: str, vi: str, en: str) -> None:
        self.result.problems.append(Problem(Where(self.table.file, row), code, vi, en))

    def stays(self, person: Person, now: dict[str, Person], matches: Matches) -> bool:
        # Of a file with mistakes nobody knows whom the wrong rows mean.
        return self.wish.partial or bool(self.table.problems) or person.id in now or person.id in matches.doubtful

    def here(self, entry: Entry, person: Person) -> Person:
        """Somebody of the unit, as the row has them."""
        same_name = entry.in_capitals and entry.name.casefold() == person.name.casefold()
        posts = person.posts if entry.posts is None or set(entry.posts) == set(person.posts) else entry.posts
        section = person.section if "section" not in self.table.fields else entry.section or None
        after = person.model_copy(
            update={"name": person.name if same_name else entry.name, "section": section, "posts": posts}
        )
        self.result.rows[person.id] = entry.row
        if after == person:
            self.result.unchanged += 1
        else:
            self.result.lines.append(Line("changed", entry.row, person, after))
        return after

    def arrivals(self, new: list[tuple[Entry, Person | Left | None]], with_id: set[int]) -> list[Person]:
        """Those whom the unit did not have: each with an id and an address."""
        taken = Taken(self.units)
        ids = Ids(self.province, self.unit.id, {entry.id for entry in self.table.entries if entry.id})
        # Whoever wrote an address down comes first, so that nobody is given it before.
        wishes = {e.row: self.wished(e, taken) for e, someone in new if someone is None and e.address}
        people = []
        for entry, someone in new:
            if someone is None:
                address = wishes[entry.row] if entry.row in wishes else self.given(entry, taken)
                id = entry.id if entry.row in with_id else ids.next()
            else:
                address, id = self.kept(entry, someone, taken), someone.id
            if address is None:
                continue
            person = Person(
                id=id,
                unit=self.unit.id,
                name=self.written(entry, someone),
                section=entry.section or None,
                posts=entry.posts or (),
                address=address,
            )
            kind: Kind = "new" if someone is None else "returned" if isinstance(someone, Left) else "moved"
            self.result.lines.append(Line(kind, entry.row, someone, person))
            self.result.rows[id] = entry.row
            people.append(person)
        return people

    @staticmethod
    def written(entry: Entry, someone: Person | Left | None) -> str:
        if someone is not None and entry.in_capitals and entry.name.casefold() == someone.name.casefold():
            return someone.name
        return entry.name

    def wished(self, entry: Entry, taken: Taken) -> str | None:
        domain = self.unit.domain
        if not entry.address.endswith("@" + domain):
            self.problem(
                entry.row,
                "foreign-address",
                f"{entry.address} không thuộc tên miền thư của đơn vị ({domain}); để trống ô Email để edumail đặt địa "
                "chỉ",
                f"{entry.address} is not in the unit's mail domain ({domain}); leave the cell Email empty to be given "
                "one",
            )
        elif not taken.free(entry.address):
            self.problem(
                entry.row,
                "address-taken",
                f"{entry.address} đã hoặc từng có chủ, không cấp cho {entry.name} được; để trống ô Email để edumail "
                "đặt",
                f"{entry.address} has or had an owner, and {entry.name} can't get it; leave the cell Email empty to be "
                "given one",
            )
        else:
            taken.addresses.add(entry.address)
            return entry.address
        return None

    def given(self, entry: Entry, taken: Taken) -> str | None:
        address = taken.give(entry.name, self.province.settings.address_rule, self.unit.domain)
        if address is None:
            self.problem(
                entry.row,
                "no-address",
                f"không đặt được địa chỉ từ tên «{entry.name}»; ghi địa chỉ vào cột Email",
                f"no address can be made of the name '{entry.name}'; write one into the column Email",
            )
        return address

    def kept(self, entry: Entry, someone: Person | Left, taken: Taken) -> str | None:
        """The address of somebody who comes from elsewhere or back: theirs of before, if this unit may have it."""
        old, domain = someone.address, self.unit.domain
        if isinstance(someone, Left):
            self.result.left = [left for left in self.result.left if left.id != someone.id]
        if old.endswith("@" + domain):
            return old
        earlier = [i for i, f in enumerate(self.result.former) if f.to == old and f.address.endswith("@" + domain)]
        address = self.result.former[earlier[0]].address if earlier else self.given(entry, taken)
        if address is None:
            return None
        if self.wish.until is None:
            self.problem(
                entry.row,
                "until-when",
                f"{someone.name} chuyển từ «{someone.unit}» và được địa chỉ mới {address}; thêm --until NGÀY: ngày "
                f"cuối {old} còn nhận thư",
                f"{someone.name} comes from '{someone.unit}' and gets a new address, {address}; add --until DAY, the "
                f"last day on which {old} receives",
            )
        until = self.wish.until or self.province.today
        line = Former(address=old, to=address, until=until)
        former = [f.model_copy(update={"to": address}) if f.to == old else f for f in self.result.former]
        if earlier:
            former[earlier[0]] = line
        else:
            former.append(line)
        self.result.former = former
        return address

    def leave(self, person: Person) -> None:
        today = self.province.today
        self.result.lines.append(Line("left", 0, person, None))
        left = Left(id=person.id, unit=person.unit, name=person.name, address=person.address, since=today)
        self.result.left.append(left)
        # Their old addresses lead nowhere from now on; the lines stay, so that nobody gets these addresses either.
        ended = today - timedelta(days=1)
        self.result.former = [
            f.model_copy(update={"until": ended}) if f.to == person.address and f.until > ended else f
            for f in self.result.former
        ]

    def many_leave(self, own: int) -> None:
        count = len(self.result.of("left"))
        if self.wish.leavers is not None and self.wish.leavers != count:
            self.problem(
                0,
                "many-leave",
                f"--leavers {self.wish.leavers}, nhưng theo tệp có {count} người nghỉ",
                f"--leavers {self.wish.leavers}, but by the file {count} people leave",
            )
        elif self.wish.leavers is None and count > _FEW and count * 2 > own:
            self.problem(
                0,
                "many-leave",
                f"{count} trong {own} người của «{self.unit.id}» không có trong tệp: có đúng tệp của đơn vị này, đủ cả "
                "đơn vị không? Nếu tệp chỉ có một phần thì thêm --partial; nếu đúng là họ nghỉ thì thêm --leavers "
                f"{count}",
                f"{count} of the {own} people of '{self.unit.id}' are not in the file: is it this unit's, and all of "
                f"it? If it lists a part, add --partial; if they do leave, add --leavers {count}",
            )
