"""Who is who: rows of a spreadsheet and the people of an inventory. What is not beyond doubt is said, not guessed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace

from edumail.model import Left, Person
from edumail.people.cells import Entry, Table
from edumail.problems import Problem, Where
from edumail.text import fold
from edumail.units import Units


@dataclass
class Matches:
    """Each row with whom it means: a person of the province, somebody who left, or nobody yet."""

    found: list[tuple[Entry, Person | Left | None]] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    with_id: set[int] = field(default_factory=set)
    """Rows with an id of the inventory's kind; the school's own numbers are none."""
    doubtful: set[str] = field(default_factory=set)
    """Ids of people of whom nobody can say whether they left."""


def match(table: Table, units: Units, unit: str, partial: bool) -> Matches:
    """Say of each row whom it means."""
    return _Matcher(table, units, unit, partial).matches()


class _Matcher:
    def __init__(self, table: Table, units: Units, unit: str, partial: bool):
        self.table, self.units, self.unit, self.partial = table, units, unit, partial
        self.own = units.people.get(unit, [])
        self.left = {left.id: left for left in units.province.left}
        self.at: dict[str, Person | Left] = {left.address: left for left in units.province.left}
        self.at |= {person.address: person for person in units.province.people}
        for former in units.province.former:
            if former.to in self.at:
                self.at.setdefault(former.address, self.at[former.to])
        self.result = Matches()
        self.rows: dict[str, int] = {}  # person's id → the row that means them
        self.ids = {entry.id for entry in table.entries if entry.id}
        self.folded: dict[str, list[Person]] = defaultdict(list)
        for person in self.own:
            self.folded[fold(person.name)].append(person)

    def matches(self) -> Matches:
        entries = self.without_copies()
        self.foreign = self.foreign_ids(entries)
        self.result.with_id = {entry.row for entry in entries if self.usable_id(entry)}
        by_name: list[Entry] = []
        unknown: list[tuple[Entry, Person | Left | None]] = []
        for entry in entries:
            someone = (self.units.person.get(entry.id) or self.left.get(entry.id)) if entry.id else None
            if someone is not None and not self.usable_id(entry):
                someone = None  # another unit's, by chance
            holder = self.at.get(entry.address) if entry.address else None
            if someone is not None:
                self.known(entry, someone, holder)
            elif holder is not None and not self.usable_id(entry):
                self.known(entry, holder, holder)
            elif self.usable_id(entry):
                unknown.append((entry, holder))
            else:
                by_name.append(entry)
        self.names(by_name)
        for entry, holder in unknown:
            self.new_id(entry, holder)
        if not self.partial:
            self.nearly()
        self.result.found.sort(key=lambda pair: pair[0].row)
        return self.result

    def doubt(self, entry: Entry, code: str, vi: str, en: str) -> None:
        self.result.doubts.append(Problem(Where(self.table.file, entry.row), code, vi, en))

    def note(self, row: int, code: str, vi: str, en: str) -> None:
        self.result.notes.append(Problem(Where(self.table.file, row), code, vi, en))

    def take(self, entry: Entry, someone: Person | Left) -> None:
        if someone.id in self.rows:
            row = self.rows[someone.id]
            self.doubt(
                entry,
                "same-person-twice",
                f"dòng này và dòng {row} đều là {someone.name} ({someone.id}); xóa một dòng, hoặc sửa cột Mã",
                f"this row and row {row} both mean {someone.name} ({someone.id}); delete one, or mend the column Mã",
            )
            return
        self.rows[someone.id] = entry.row
        self.result.found.append((entry, someone))

    # Rows that say the same

    def without_copies(self) -> list[Entry]:
        seen: dict[tuple[object, ...], Entry] = {}
        ids: dict[str, Entry] = {}
        addresses: dict[str, Entry] = {}
        entries = []
        for entry in self.table.entries:
            key = (entry.id, entry.name.casefold(), entry.section, entry.posts, entry.address, entry.born)
            first = seen.setdefault(key, entry)
            other = ids.setdefault(entry.id, entry) if entry.id else entry
            sharer = addresses.setdefault(entry.address, entry) if entry.address else entry
            if first is not entry and (entry.id or entry.address or entry.born):
                self.note(
                    entry.row,
                    "row-twice",
                    f"giống hệt dòng {first.row}, chỉ tính một lần",
                    f"the same as row {first.row}, counted once",
                )
            elif other is not entry:
                self.doubt(
                    entry,
                    "id-twice",
                    f"mã «{entry.id}» đã có ở dòng {other.row} ({other.name}); mỗi người một mã",
                    f"id '{entry.id}' stands in row {other.row} already ({other.name}); one id a person",
                )
                self.result.doubtful.add(entry.id)
            elif sharer is not entry and entry.address in self.at:
                self.doubt(
                    entry,
                    "address-twice",
                    f"{entry.address} đã có ở dòng {sharer.row} ({sharer.name}); địa chỉ của ai thì chỉ ghi ở người ấy",
                    f"{entry.address} stands in row {sharer.row} already ({sharer.name}); it belongs to one of them",
                )
            else:
                entries.append(entry)
        return self.without_shared(entries)

    def without_shared(self, entries: list[Entry]) -> list[Entry]:
        """An address that nobody has, in rows of several people (the school's own, often), is nobody's wish."""
        count = Counter(entry.address for entry in entries if entry.address and entry.address not in self.at)
        result = []
        for entry in entries:
            if count[entry.address] > 1:
                self.note(
                    entry.row,
                    "address-shared",
                    f"{entry.address} ghi cho nhiều người, không được dùng",
                    f"{entry.address} stands in rows of several people and is not used",
                )
                entry = replace(entry, address="")
            result.append(entry)
        return result

    # Rows with an id or an address that is known

    def foreign_ids(self, entries: list[Entry]) -> set[str]:
        """How a school's own numbers look, if it has such: most rows have an id that is unknown, and a known name."""
        self.mine = {person.id for person in self.own} | {x.id for x in self.left.values() if x.unit == self.unit}
        strange = [e for e in entries if e.id and e.id not in self.mine and fold(e.name) in self.folded]
        if len(strange) * 2 <= len(entries):
            return set()
        self.note(
            strange[0].row,
            "ids-unknown",
            "mã trong tệp không phải mã của inventory, mà tên thì có: so theo tên, giữ mã của inventory (như "
            f"{self.own[0].id})",
            "the ids are not the inventory's, though the names are: people are told by name and keep the inventory's "
            f"ids (such as {self.own[0].id})",
        )
        return {_form(entry.id) for entry in strange}

    def known(self, entry: Entry, someone: Person | Left, holder: Person | Left | None) -> None:
        if not _one_person(entry.name, someone.name):
            self.result.doubtful.add(someone.id)
            what = (entry.id, "mã", "id") if entry.id == someone.id else (entry.address, "địa chỉ", "address")
            self.doubt(
                entry,
                "other-name",
                f"{what[1]} «{what[0]}» là của {someone.name} (đơn vị {someone.unit}), không phải {entry.name}; sửa "
                f"cột Mã hay Email. Nếu đúng là một người đã đổi tên thì sửa tên trong people/{someone.unit}.csv trước",
                f"{what[2]} '{what[0]}' is that of {someone.name} (unit {someone.unit}), not of {entry.name}; mend the "
                f"column Mã or Email. If it is one person with a new name, mend it in people/{someone.unit}.csv first",
            )
            return
        if holder is not None and holder.id != someone.id:
            self.result.doubtful |= {someone.id, holder.id}
            self.doubt(
                entry,
                "id-and-address",
                f"mã «{entry.id}» là của {someone.name}, nhưng {entry.address} là của {holder.name} ({holder.id}); "
                "sửa một trong hai ô",
                f"id '{entry.id}' is that of {someone.name}, but {entry.address} that of {holder.name} ({holder.id}); "
                "mend one of the two cells",
            )
            return
        if entry.address and entry.address != someone.address and holder is None:
            self.note(
                entry.row,
                "address-kept",
                f"{someone.name} giữ địa chỉ {someone.address}; «{entry.address}» trong tệp không được dùng",
                f"{someone.name} keeps the address {someone.address}; '{entry.address}' in the file is not used",
            )
        self.take(entry, someone)

    def new_id(self, entry: Entry, holder: Person | Left | None) -> None:
        """The row has an id that nobody has yet."""
        # Whoever is in the file with another row is not meant.
        same = [person for person in self.folded.get(fold(entry.name), ()) if person.id not in self.rows]
        others: dict[str, Person | Left] = {person.id: person for person in same}
        if holder is not None:
            others[holder.id] = holder
        if not others:
            self.result.found.append((entry, None))
            return
        self.result.doubtful |= set(others)
        names = "; ".join(map(self.described, others.values()))
        self.doubt(
            entry,
            "other-id",
            f"{entry.name} có mã «{entry.id}» mà inventory chưa biết, nhưng đã có {names}: nếu là một người thì ghi mã "
            "đó; nếu là người khác và người cũ đã nghỉ thì nhập một lần không có dòng này trước",
            f"{entry.name} has the id '{entry.id}', which the inventory does not know, but there is {names}: if that "
            "is the same person, write that id; if it is another and the one before has left, import once without "
            "this row",
        )

    # Rows with nothing but a name

    def names(self, entries: list[Entry]) -> None:
        rows: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            rows[fold(entry.name)].append(entry)
        for name, group in rows.items():
            people = [
                p for p in self.folded.get(name, ()) if p.id not in self.rows and p.id not in self.result.doubtful
            ]
            self.one_name(name, group, people)

    def one_name(self, name: str, rows: list[Entry], people: list[Person]) -> None:
        if len(rows) == len(people) == 1:
            self.take(rows[0], people[0])
            return
        exact: dict[str, list[Entry]] = defaultdict(list)
        for entry in rows:
            exact[entry.name.casefold()].append(entry)
        rest_of_rows: list[Entry] = []
        rest_of_people = list(people)
        for spelling, some in exact.items():
            same = [person for person in rest_of_people if person.name.casefold() == spelling]
            pairs, unpaired = self.paired(some, same)
            for entry, person in pairs:
                self.take(entry, person)
                rest_of_people.remove(person)
            rest_of_rows += unpaired
        if rest_of_rows and rest_of_people:
            self.namesakes(rest_of_rows, rest_of_people)
            return
        self.nobody_yet(name, rest_of_rows)

    def paired(self, rows: list[Entry], people: list[Person]) -> tuple[list[tuple[Entry, Person]], list[Entry]]:
        """Namesakes told apart by section and post, as far as both have as many of each."""
        if len(rows) == len(people) == 1:
            return [(rows[0], people[0])], []

        def of_row(entry: Entry) -> Hashable:
            posts = None if entry.posts is None else frozenset(entry.posts)
            return (entry.section or "" if "section" in self.table.fields else None, posts)

        def of_person(person: Person) -> Hashable:
            posts = frozenset(person.posts) if "posts" in self.table.fields else None
            return (person.section or "" if "section" in self.table.fields else None, posts)

        return _pairs(rows, people, of_row, of_person)

    def namesakes(self, rows: list[Entry], people: list[Person]) -> None:
        self.result.doubtful |= {person.id for person in people}
        known = "; ".join(map(self.described, people))
        for entry in rows:
            self.doubt(
                entry,
                "namesake",
                f"không rõ {entry.name} là ai: inventory có {known}. Ghi vào cột Mã mã của người đó; người mới thì ghi "
                "một mã chưa ai dùng",
                f"it is not clear who {entry.name} is: the inventory has {known}. Write that person's id into the "
                "column Mã; for somebody new, an id that nobody has",
            )

    def nobody_yet(self, name: str, rows: list[Entry]) -> None:
        """Rows of people whom the unit does not have: new, or back again, or written twice."""
        twins: dict[Hashable, list[int]] = defaultdict(list)
        for entry in rows:
            twins[_looks(entry)].append(entry.row)
        gone = [left for left in self.left.values() if left.unit == self.unit and fold(left.name) == name]
        for entry in rows:
            same = twins[_looks(entry)]
            if gone:
                known = "; ".join(map(self.described, gone))
                self.doubt(
                    entry,
                    "came-back",
                    f"{entry.name}: đã nghỉ trước đây có {known}. Nếu trở lại thì ghi mã đó vào cột Mã, sẽ được lại "
                    "địa chỉ cũ; người khác trùng tên thì ghi một mã chưa ai dùng",
                    f"{entry.name}: among those who left there is {known}. If they came back, write that id into the "
                    "column Mã, and the old address is theirs again; for a namesake, an id that nobody has",
                )
            elif len(same) > 1 and not entry.born:
                others = ", ".join(str(row) for row in same if row != entry.row)
                self.doubt(
                    entry,
                    "twins",
                    f"giống hệt dòng {others}: nếu là một người thì xóa một dòng; nếu là hai người trùng tên thì ghi "
                    "Mã hay Ngày sinh",
                    f"the same as row {others}: if that is one person, delete a row; if they are namesakes, write Mã "
                    "or Ngày sinh",
                )
            else:
                self.result.found.append((entry, None))

    def nearly(self) -> None:
        """Somebody new without an id, and somebody who would leave, with one family and given name: perhaps one person
        whose middle name was written otherwise, who must not lose a mailbox for that."""
        leaving: dict[tuple[str, str], list[Person]] = defaultdict(list)
        for person in self.own:
            if person.id not in self.rows and person.id not in self.result.doubtful:
                leaving[_ends(person.name)].append(person)
        for entry, someone in list(self.result.found):
            alike = leaving.get(_ends(entry.name), ()) if someone is None and not self.usable_id(entry) else ()
            if not alike:
                continue
            self.result.found.remove((entry, None))
            self.result.doubtful |= {person.id for person in alike}
            known = "; ".join(map(self.described, alike))
            self.doubt(
                entry,
                "nearly",
                f"{entry.name} không có trong inventory, còn {known} không có trong tệp: nếu là một người thì ghi mã "
                "đó vào cột Mã; nếu là người mới thì ghi một mã chưa ai dùng",
                f"{entry.name} is not in the inventory, and {known} not in the file: if that is one person, write that "
                "id into the column Mã; for somebody new, an id that nobody has",
            )

    def usable_id(self, entry: Entry) -> bool:
        """Whether the row's id is one of the inventory's, or may become one."""
        return bool(entry.id) and (entry.id in self.mine or _form(entry.id) not in self.foreign)

    def described(self, someone: Person | Left) -> str:
        words = [someone.id, someone.address]
        if isinstance(someone, Person):
            words += [someone.section or "", ", ".join(self.units.province.posts[post].name for post in someone.posts)]
        else:
            words.append(str(someone.since))
        return f"{someone.name} ({'; '.join(filter(None, words))})"


def _looks(entry: Entry) -> Hashable:
    return (entry.name.casefold(), entry.section, entry.posts, entry.born)


def _one_person(one: str, other: str) -> bool:
    """Whether two names with one id may be one person's: family and given name are the same. A mailbox must not go to
    somebody else because a column slipped, nor to a school that counts from 1."""
    return _ends(one) == _ends(other)


def _form(id: str) -> str:
    """How an id looks: gv-# for gv-017."""
    return re.sub(r"[0-9]+", "#", id)


def _ends(name: str) -> tuple[str, str]:
    words = fold(name).split()
    return words[0], words[-1]


def _pairs(
    rows: Iterable[Entry],
    people: Iterable[Person],
    of_row: Callable[[Entry], Hashable],
    of_person: Callable[[Person], Hashable],
) -> tuple[list[tuple[Entry, Person]], list[Entry]]:
    waiting: dict[Hashable, list[Person]] = defaultdict(list)
    for person in people:
        waiting[of_person(person)].append(person)
    pairs, unpaired = [], []
    for entry in rows:
        same = waiting[of_row(entry)]
        if same:
            pairs.append((entry, same.pop(0)))
        else:
            unpaired.append(entry)
    return pairs, unpaired
