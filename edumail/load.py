"""An inventory's folder → a :class:`~edumail.model.Province`, or every mistake in it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from edumail.check import check
from edumail.collector import collector_paused
from edumail.memory import Memory
from edumail.model import (
    Attestation,
    Auditor,
    Defaults,
    Filtering,
    Former,
    Group,
    Host,
    Left,
    Nameserver,
    Person,
    Province,
    Published,
    Settings,
    Unit,
)
from edumail.people.journal import unfinished
from edumail.people.left import read_left
from edumail.problems import InventoryError, Problem, Where
from edumail.roster import Roster, post_codes, read_roster, recalled
from edumail.sources import Sources
from edumail.validation import validate
from edumail.yamlsource import Document, read_yaml

M = TypeVar("M", bound=BaseModel)
_NO_SETTINGS = Settings(
    id="x",
    name="?",
    name_en="?",
    domain="unread.test",
    zones=("unread.test",),
    allowed_suffixes=("unread.test",),
    nameservers=(Nameserver(name="unread.test"),),
    hostmaster="x@unread.test",
)
"""Stands in where province.yml can't be read; no rule looks at it then."""
DEFAULTS = Path(__file__).resolve().parent.parent / "group_vars" / "all.yml"


def load(folder: Path, today: date | None = None) -> Province:
    """Read and check the inventory in ``folder``, as it holds ``today``: by default on the day that it is.

    Raises InventoryError with all that is wrong: as far as the files can be read, cross-checks included.
    """
    return load_with_places(folder, today)[0]


def load_with_places(folder: Path, today: date | None = None) -> tuple[Province, Sources]:
    """The same, and where each entry stands."""
    survey = look(folder, today)
    if survey.problems:
        raise InventoryError(survey.problems)
    assert survey.province is not None
    return survey.province, survey.sources


@dataclass(frozen=True)
class Survey:
    """An inventory as far as it can be read, with what is wrong in it."""

    province: Province | None
    sources: Sources
    unread: list[Problem]
    """What could not be read."""
    unsound: list[Problem]
    """What was read and does not fit together."""

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong."""
        return [*self.unread, *self.unsound]


def look(folder: Path, today: date | None = None, instead: Mapping[str, str] | None = None) -> Survey:
    """The inventory in ``folder`` with its mistakes, none of which is raised.

    ``instead`` has texts by file: as if these files were written already. An empty text stands for no file.
    """
    today = today or datetime.now(UTC).date()
    memory = Memory(Path(folder))
    with collector_paused():
        reader = _Reader(Path(folder), instead or {}, memory=memory)
        province = reader.province(today)
        # What was sound to the letter on this day is: a deploy reads the inventory twice.
        state = ("sound", str(today), reader.read.hexdigest())
        known = not reader.problems and memory.recall(*state)
        unsound = check(province, reader.sources) if province is not None and not known else []
        if not reader.problems and not unsound:
            memory.note(True, *state)
        memory.keep()
    return Survey(province, reader.sources, reader.problems, unsound)


def load_published(folder: Path) -> dict[str, Published]:
    """Only what hosts gave back (``published/``), by host. Raises InventoryError."""
    reader = _Reader(Path(folder))
    published = reader.published()
    if reader.problems:
        raise InventoryError(reader.problems)
    return published


def save_published(folder: Path, host: str, published: Published) -> None:
    """Write what ``host`` gave back. A crash in the middle leaves the old file whole."""
    target = Path(folder) / "published" / f"{host}.yml"
    target.parent.mkdir(exist_ok=True)
    text = "# Written by a deploy: public halves of the keys that were made on the host.\n"
    text += yaml.safe_dump(published.model_dump(exclude_none=True), sort_keys=True, width=1000)
    staged = target.with_name(f".{target.name}.new")
    staged.write_text(text, encoding="utf-8")
    staged.replace(target)


def place(folder: Path, file: str, *path: str | int) -> Where:
    """Where a value of a sound inventory stands, or what is nearest above it: for what only a host can object to."""
    return read_yaml(file, (Path(folder) / file).read_text(encoding="utf-8-sig")).where(path)


def _merged(layers: Iterable[Defaults]) -> Defaults:
    """The catalogue and figures of all provinces, overridden entry by entry by this one's."""
    base = Defaults()
    for layer in layers:
        filtering = {**base.filtering.model_dump(), **layer.filtering.model_dump(exclude_unset=True)}
        base = Defaults(
            kinds={**base.kinds, **layer.kinds},
            posts={**base.posts, **layer.posts},
            standard_groups={**base.standard_groups, **layer.standard_groups},
            filtering=Filtering(**filtering),
            log_retention_days=layer.log_retention_days or base.log_retention_days,
        )
    return base


@dataclass
class _Reader:
    folder: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    sources: Sources = field(default_factory=Sources)
    memory: Memory | None = None
    read: Any = field(default_factory=hashlib.sha256)
    """Over all that was read."""

    def exists(self, file: str) -> bool:
        return bool(self.instead[file]) if file in self.instead else (self.folder / file).exists()

    def text(self, path: Path, file: str) -> str | None:
        text = self.instead[file] if file in self.instead else self.stored(path, file)
        if text is not None:
            data = text.encode("utf-8", "surrogatepass")
            self.read.update(f"{len(data)} {file!a}\n".encode() + data)
        return text

    def stored(self, path: Path, file: str) -> str | None:
        try:
            text = path.read_bytes().decode("utf-8-sig")
            return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            vi, en = "không phải UTF-8; lưu lại tệp với mã UTF-8", "this is not UTF-8; save the file as UTF-8"
            self.problems.append(Problem(Where(file, line), "encoding", vi, en))
        except FileNotFoundError:
            vi, en = f"không có tệp này trong {self.folder}", f"there is no such file in {self.folder}"
            self.problems.append(Problem(Where(file), "missing-file", vi, en))
        except OSError as error:
            vi, en = f"không đọc được tệp: {error.strerror}", f"the file can't be read: {error.strerror}"
            self.problems.append(Problem(Where(file), "unreadable-file", vi, en))
        return None

    def document(self, file: str, path: Path | None = None) -> Document:
        text = self.text(path or self.folder / file, file)
        document = Document(file) if text is None else self.yaml(file, text)
        document.readable = text is not None and not document.problems
        self.problems += document.problems
        document.problems = []
        return document

    def yaml(self, file: str, text: str) -> Document:
        """As :func:`read_yaml`, or from the memory."""
        known = self.memory.recall(file, text) if self.memory else None
        if known is not None:
            return Document(file, known, text=text)
        document = read_yaml(file, text)
        if self.memory and not document.problems:
            self.memory.note(document.value, file, text)
        return document

    def roster(self, file: str, text: str, unit: str, posts: dict[str, str]) -> Roster:
        """As :func:`read_roster`, or from the memory."""
        state = (file, unit, str(posts), text)
        known = self.memory.recall(*state) if self.memory else None
        if known is not None:
            return recalled(unit, known)
        roster = read_roster(file, text, unit, posts)
        if self.memory and not roster.problems:
            self.memory.note(roster.rows(), *state)
        return roster

    def model(self, kind: type[M], document: Document, path: tuple[str | int, ...], value: Any) -> M | None:
        result = validate(kind, document, path, value)
        self.problems += document.problems
        document.problems = []
        return result

    def items(self, kind: type[M], table: str, key: str, file: str, whole: str | None = None) -> list[M]:
        """The entries of a YAML list, each registered with its place; the list may stand under the key ``whole``."""
        document = self.document(file)
        if not document.readable:
            self.sources.gaps.add(table)
            return []
        value: Any = document.value
        path: tuple[str | int, ...] = ()
        if whole is not None and isinstance(value, dict) and set(value) == {whole}:
            value, path = value[whole], (whole,)
        if value is None:
            return []
        if not isinstance(value, list):
            vi, en = "tệp phải là một danh sách: mỗi mục bắt đầu bằng «- »", "the file must be a list of '- ' items"
            self.problems.append(Problem(document.where(()), "not-a-list", vi, en))
            self.sources.gaps.add(table)
            return []
        result = []
        for index, entry in enumerate(value):
            item = self.model(kind, document, (*path, index), entry)
            if item is None:
                written = entry.get(key) if isinstance(entry, dict) else None
                if isinstance(written, str):
                    self.sources.unread.add((table, written))
                else:
                    self.sources.gaps.add(table)
                continue
            name = getattr(item, key)
            first = self.sources.add(table, name, document, (*path, index))
            if first is not None:
                vi = f"«{name}» đã khai báo ở {first}; đổi tên hoặc xóa một"
                en = f"'{name}' is declared at {first} already; rename or delete one"
                self.problems.append(Problem(document.where((*path, index, key)), f"duplicate-{table}", vi, en))
            else:
                result.append(item)
        return result

    def defaults(self) -> dict[str, Defaults]:
        """What edumail's own file says, and the province's, if it has one; by the name of the level."""
        layers = {"edumail": self.document("group_vars/all.yml (edumail)", DEFAULTS)}
        if (self.folder / "group_vars" / "all.yml").exists():
            layers["group_vars"] = self.document("group_vars/all.yml")
        found = {}
        for name, document in layers.items():
            self.sources.add("level", name, document, ())
            layer = self.whole(Defaults, document)
            if layer is None:
                self.sources.gaps |= {"kind", "post"}
                continue
            for local in layer.standard_groups:
                self.sources.entries["standard_group", local] = (document, ("standard_groups", local))
            found[name] = layer
        return found

    def whole(self, kind: type[M], document: Document) -> M | None:
        """A file that is one entry; an empty file is an entry that says nothing."""
        if not document.readable:
            return None
        return self.model(kind, document, (), {} if document.value is None else document.value)

    def province(self, today: date) -> Province | None:
        if not self.folder.is_dir():
            vi = "không có thư mục này; ghi đường dẫn tới một inventory, như inventories/lab"
            en = "there is no such folder; give the path of an inventory, such as inventories/lab"
            self.problems.append(Problem(Where(str(self.folder)), "missing-folder", vi, en))
            return None
        self.problems += unfinished(self.folder)
        document = self.document("province.yml")
        self.sources.add("province", "province", document, ())
        self.sources.add("level", "province", document, ())
        settings = self.whole(Settings, document)
        if settings is None:
            self.sources.gaps.add("province")
            settings = _NO_SETTINGS
        layers = self.defaults()
        defaults = _merged(layers.values())
        hosts = self.items(Host, "host", "name", "hosts.yml")
        units: list[Unit] = []
        for file in self.files("units", ".yml"):
            units += self.items(Unit, "unit", "id", file)
        groups = self.items(Group, "group", "address", "groups.yml") if self.exists("groups.yml") else []
        former = self.items(Former, "former", "address", "former.yml") if self.exists("former.yml") else []
        attested = "attestations.yml"
        attestations = self.items(Attestation, "attestation", "entry", attested) if self.exists(attested) else []
        by_id = {unit.id: unit for unit in units}
        people = self.people(by_id, defaults)
        return Province(
            settings=settings,
            kinds=defaults.kinds,
            posts=defaults.posts,
            standard_groups={local: group for local, group in defaults.standard_groups.items() if group is not None},
            levels={**layers, "province": settings},
            filtering=defaults.filtering,
            log_retention_days=defaults.log_retention_days or 365,
            hosts={host.name: host for host in hosts},
            units=by_id,
            people=tuple(people),
            groups=tuple(groups),
            former=tuple(former),
            attestations=tuple(attestations),
            left=tuple(self.left()),
            today=today,
            auditors=self.auditors(),
            published=self.published(),
        )

    def files(self, folder: str, suffix: str, aside: Collection[str] = ()) -> list[str]:
        """The files to read in a folder, in order of name.

        One that would go unread is a mistake, unless it is hidden or called as in ``aside``.
        """
        found = []
        for path in sorted((self.folder / folder).glob("*")):
            file = f"{folder}/{path.name}"
            if path.suffix == suffix:
                found.append(file)
            elif path.name not in aside and not path.name.startswith((".", "~")):
                vi = f"edumail không đọc tệp này; đổi đuôi thành {suffix}, hoặc chuyển đi nơi khác"
                en = f"edumail does not read this file; rename it to end in {suffix}, or move it elsewhere"
                self.problems.append(Problem(Where(file), "unknown-file", vi, en))
        here = [file for file in self.instead if file.startswith(f"{folder}/") and file.endswith(suffix)]
        return sorted({*found, *here} - {file for file in here if not self.instead[file]})

    def left(self) -> list[Left]:
        """Everybody who left. The unit of a register may be gone: its addresses are not."""
        result: list[Left] = []
        for file in self.files("left", ".csv"):
            text = self.text(self.folder / file, file)
            register = read_left(file, text or "", PurePosixPath(file).stem)
            if text is not None:
                self.problems += register.problems
            for left in register.left:
                where = Where(file, register.lines[left.id])
                first = self.sources.add_row("left", left.id, where)
                if first is not None:
                    vi = f"mã «{left.id}» đã có ở {first}; xóa một dòng"
                    en = f"id '{left.id}' stands at {first} already; delete one of the two"
                    self.problems.append(Problem(where, "duplicate-person", vi, en))
                    continue
                result.append(left)
        return result

    def people(self, units: dict[str, Unit], defaults: Defaults) -> list[Person]:
        codes = post_codes(defaults.posts)
        result: list[Person] = []
        for file in self.files("people", ".csv"):
            unit = PurePosixPath(file).stem
            if unit not in units and not self.sources.missing("unit", unit):
                vi = f"không có đơn vị «{unit}»; đặt tên tệp theo mã đơn vị"
                en = f"there is no unit '{unit}'; name the file after a unit's id"
                self.problems.append(Problem(Where(file), "unknown-unit", vi, en))
                continue
            text = self.text(self.folder / file, file)
            if text is None:
                self.sources.gaps.add("person")
                self.sources.unread.add(("roster", unit))
                continue
            roster = self.roster(file, text, unit, codes)
            self.problems += [p for p in roster.problems if p.code != "unknown-post" or "post" not in self.sources.gaps]
            self.sources.unread |= {("person", id) for id in roster.unread}
            if roster.broken:
                self.sources.gaps.add("person")
            if roster.broken or roster.unread:
                self.sources.unread.add(("roster", unit))
            for person in roster.people:
                where = Where(file, roster.lines[person.id])
                first = self.sources.add_row("person", person.id, where)
                if first is not None:
                    vi = f"mã «{person.id}» đã dùng ở {first}; mỗi người một mã"
                    en = f"id '{person.id}' is used at {first} already; one id a person"
                    self.problems.append(Problem(where, "duplicate-person", vi, en))
                    continue
                if unit in units:
                    result.append(person)
        return result

    def auditors(self) -> tuple[Auditor, ...]:
        result = []
        for path in sorted((self.folder / "auditors").glob("*.pub")):
            file = f"auditors/{path.name}"
            text = self.text(path, file)
            document = Document(file, value={"name": path.stem, "ssh_key": (text or "").strip()})
            auditor = self.model(Auditor, document, (), document.value) if text is not None else None
            if auditor is not None:
                result.append(auditor)
        return tuple(result)

    def published(self) -> dict[str, Published]:
        result = {}
        for file in self.files("published", ".yml", aside=("ca.pem", "certificates")):
            document = self.document(file)
            host = PurePosixPath(file).stem
            self.sources.add("published", host, document, ())
            published = self.whole(Published, document)
            if published is not None:
                result[host] = published
        return result
