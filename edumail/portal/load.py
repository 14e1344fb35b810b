"""``content/`` of an inventory → what each unit publishes, one unit at a time, when it is asked for."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from edumail.collector import collector_paused
from edumail.model import Province
from edumail.portal.looking import begin, hidden
from edumail.portal.model import Content
from edumail.portal.reader import Reader
from edumail.problems import InventoryError, Problem, Where

_CODE = Path(__file__).resolve().parent.parent


class Contents:
    """The content of every unit of ``province``, which lies in ``folder`` (the inventory's)."""

    def __init__(self, folder: Path, province: Province):
        self.folder = Path(folder) / "content"
        self.province = province
        self._read: dict[str, tuple[Content, list[Problem]]] = {}
        self._gone: dict[str, set[str]] = {}

    def of(self, unit: str) -> Content:
        """What a unit publishes: nothing, if it has no folder. Raises InventoryError with the unit's mistakes."""
        content, problems = self._unit(unit)
        if problems:
            raise InventoryError(problems)
        return content

    def having(self, *files: str) -> frozenset[str]:
        """The units that have a file of one of these names, which need not be read to know that."""
        return frozenset(unit for unit in self.units if any((self.folder / unit / name).exists() for name in files))

    def forget(self, unit: str) -> None:
        """What a unit publishes is read again when it is asked for: that of thousands would fill the memory."""
        self._read.pop(unit, None)

    def problems(self, progress: Callable[[int], None] = lambda number: None) -> list[Problem]:
        """Every mistake of every unit, in order of place. ``progress`` hears how many units have been read."""
        return self.judge({}, progress)[0]

    def judge(
        self, known: Mapping[str, str], progress: Callable[[int], None] = lambda number: None
    ) -> tuple[list[Problem], dict[str, str]]:
        """The mistakes; and of each unit that has none its :meth:`state`, and what of others its content names:
        mailboxes, and people who left the unit.

        A unit that ``known`` has in its present state is sound while those are there, and not read again.
        """
        found = list(self._strays)
        sound: dict[str, str] = {}
        named_there = self._mailboxes | self._known
        with collector_paused():
            for number, unit in enumerate(self.units):
                progress(number)
                state = self.state(unit)  # before it is read: what is changed meanwhile is read again next time
                before, *named = known.get(unit, "").split(" ")
                if before == state and named_there.issuperset(named):
                    sound[unit] = known[unit]
                    continue
                content, problems = self._unit(unit)
                found += problems
                if not problems:
                    others = {item.email for item in content.consultations} | self._gone.get(unit, set())
                    sound[unit] = " ".join((state, *sorted(others)))
        return sorted(set(found)), sound

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Units that have a folder."""
        return tuple(name for name, folder in self._entries.items() if folder and name in self.province.units)

    def look(self) -> None:
        """Begin to look at all units' files, while there is other work to do."""
        if "_fingerprints" not in vars(self):
            _ = self._look

    def fingerprint(self, unit: str) -> str:
        """A digest of the unit's files, which is had without opening them: with it a build tells in a moment which of
        thousands of units to read. All are looked at once; what changes after that is seen by the next run.
        """
        return self._fingerprints.get(unit, "")

    @cached_property
    def _look(self) -> Callable[[], dict[str, str]]:
        return begin(self.folder)

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        seen = self._look()
        del self._look  # trees that read from here can be sent to another process
        return seen

    def state(self, unit: str) -> str:
        """A digest of all that decides whether the unit's content is sound, but for what it names of others."""
        people = repr((list(self._people[unit].items()), list(self.province.posts)))
        return hashlib.sha256("\n".join((self._rules, people, self.fingerprint(unit))).encode()).hexdigest()

    def _unit(self, unit: str) -> tuple[Content, list[Problem]]:
        if unit not in self._read:
            if self._entries.get(unit):
                there = self._people[unit], self._mailboxes, self.province.posts, self._known, self.province.today.year
                reader = Reader(self.folder, unit, *there)
                content = reader.content()
                self._gone[unit] = reader.gone
                self._read[unit] = content, sorted(set(reader.problems))
            else:
                self._read[unit] = Content(unit=self.province.units[unit].id), []
        return self._read[unit]

    @cached_property
    def _entries(self) -> dict[str, bool]:
        """What lies in ``content/``, and whether it is a folder; in order of name."""
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {e.name: e.is_dir(follow_symlinks=False) for e in entries if not hidden(e.name)}

    @cached_property
    def _strays(self) -> list[Problem]:
        """What in ``content/`` is no unit's."""
        found = []
        for name, is_folder in self._entries.items():
            where = Where(f"content/{name}")
            if not is_folder:
                vi = "edumail không đọc tệp này; nội dung của mỗi đơn vị nằm trong content/<mã đơn vị>/"
                en = "edumail does not read this file; what a unit publishes lies in content/<unit's id>/"
                found.append(Problem(where, "unknown-file", vi, en))
            elif name not in self.province.units:
                vi = f"không có đơn vị «{name}»; đặt tên thư mục theo mã đơn vị"
                en = f"there is no unit '{name}'; name the folder after a unit's id"
                found.append(Problem(where, "unknown-unit", vi, en))
        return found

    @cached_property
    def _people(self) -> dict[str, dict[str, tuple[str, ...]]]:
        people: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for person in self.province.people:
            people[person.unit][person.id] = person.posts
        return people

    @cached_property
    def _known(self) -> frozenset[str]:
        """Ids of everybody who is in the province, or was."""
        return frozenset({person.id for person in self.province.people} | {one.id for one in self.province.left})

    @cached_property
    def _mailboxes(self) -> frozenset[str]:
        """Addresses that somebody reads. Groups are none: most take no mail from the public."""
        found = {person.address for person in self.province.people}
        for unit in self.province.units.values():
            found |= {mailbox.address for mailbox in unit.mailboxes}
            found |= {section.address for section in unit.sections if section.holders}
        return frozenset(found)

    @cached_property
    def _rules(self) -> str:
        """A digest of this code."""
        digest = hashlib.sha256()
        for path in sorted((*_CODE.glob("*.py"), *(_CODE / "portal").glob("*.py"))):
            digest.update(path.read_bytes())
        return digest.hexdigest()
