"""The portals as deploys take them: what was rendered before is kept on disk, so a build costs what has changed.

A unit's files lie in one file of the cache, which is read again only for what goes to a host. Its key is over all that
its pages come from; nothing else is trusted to be still so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from edumail.collector import collector_paused
from edumail.model import Province, Unit
from edumail.portal.site import Contents, Portals, build, digest_of_code
from edumail.tree import File

FEW = 40
"""So many units are rendered sooner than processes for them start."""


class StoredFile(File):
    """A file of which so far only the digest is known; its content is read when it is wanted."""

    def __init__(self, digest: str, read: Callable[[], bytes]):
        # A frozen dataclass takes no assignments; its cached properties write here as well.
        self.__dict__.update(digest=digest, executable=False, read=read)

    @property
    def content(self) -> bytes:  # type: ignore[override]
        """What the cache has, checked against the digest."""
        data: bytes = self.__dict__["read"]()
        return data


@dataclass(frozen=True)
class _Kept:
    """What the cache has of a unit."""

    state: str
    """Key of ``lacking``."""
    key: str
    """Key of the files."""
    lacking: int
    rows: bytes
    """The files as JSON, which is not read for a unit that only has to be known as unchanged."""

    @cached_property
    def files(self) -> tuple[tuple[str, str, int, int], ...]:
        """Path, digest, place, size. Raises ValueError or TypeError for what somebody has touched."""
        return tuple((str(p), str(d), int(o), int(s)) for p, d, o, s in json.loads(self.rows))


class KeptPortals(Portals):
    """Portals with a memory in ``folder``."""

    def __init__(self, province: Province, contents: Contents, folder: Path):
        super().__init__(province, contents)
        self.folder = folder
        self._kept: dict[str, _Kept | None] = {}

    def unit(self, unit: Unit) -> Mapping[str, File]:
        """The files of one unit, with everything that changed in the province rendered before."""
        _ = self.rendered
        kept = self._unchanged(unit)
        if kept is None:
            return self._make(unit)
        try:
            rows = kept.files
        except (ValueError, TypeError):
            return self._make(unit)
        return {path: StoredFile(digest, partial(self._read, unit, path, digest, kept.key, place, size))
                for path, digest, place, size in rows}  # fmt: skip

    @cached_property
    def rendered(self) -> int:
        """How many units had to be rendered anew; those below before those above, which show their state."""
        children = self.views.units.children
        ready = [unit for unit in self.province.units.values() if not children[unit.id]]
        above = [unit for unit in self.province.units.values() if children[unit.id]]
        depth = {unit.id: len(list(self.views.units.ancestors(unit))) for unit in above}
        count = self._renew(ready)
        for level in sorted(set(depth.values()), reverse=True):
            count += self._renew([unit for unit in above if depth[unit.id] == level])
        return count

    def lacking(self, unit: Unit) -> int:
        """As it is, from the cache if nothing has changed there."""
        if unit.id not in self._lacking:
            kept = self._recall(unit)
            if kept is not None and kept.state == self._state(unit):
                self._lacking[unit.id] = kept.lacking
        return super().lacking(unit)

    def _renew(self, units: list[Unit]) -> int:
        with collector_paused():  # it would walk the whole province again and again
            stale = [unit for unit in units if not self._unchanged(unit)]
        workers = min(os.cpu_count() or 1, 8) if len(stale) > FEW else 1
        if workers > 1:
            _in_processes([stale[number::workers] for number in range(workers)], self._make)
            for unit in stale:
                self._kept.pop(unit.id, None)
        else:
            for unit in stale:
                self._make(unit)
        return len(stale)

    def _make(self, unit: Unit) -> Mapping[str, File]:
        files = build(self.view(unit), self.contents.of(unit.id)).files
        rows, place = [], 0
        for path, file in files.items():
            rows.append((path, file.digest, place, len(file.content)))
            place += len(file.content)
        kept = _Kept(self._state(unit), self._key(unit), self.lacking(unit), json.dumps(rows).encode())
        self._keep(unit, kept, b"".join(file.content for file in files.values()))
        self._kept[unit.id] = kept
        return files

    def _state(self, unit: Unit) -> str:
        """What ``lacking`` comes from: the unit's own part of the inventory, and its content."""
        return self._states[unit.id]

    @cached_property
    def _states(self) -> dict[str, str]:
        self.contents.look()
        with collector_paused():
            views = {unit.id: self.views.of(unit).digest for unit in self.province.units.values()}
        return {id: _digest(self._code, view, self.contents.fingerprint(id)) for id, view in views.items()}

    def _key(self, unit: Unit) -> str:
        """What the pages come from: the units below besides."""
        return _digest(self._state(unit), repr(self.below(unit)))

    @cached_property
    def _code(self) -> str:
        return digest_of_code()

    def _unchanged(self, unit: Unit) -> _Kept | None:
        """What the cache has of the unit, where nothing changed. The key is made before any content is read: what
        changes after that is seen the next time."""
        key, kept = self._key(unit), self._recall(unit)
        return kept if kept and kept.key == key else None

    def _recall(self, unit: Unit) -> _Kept | None:
        if unit.id not in self._kept:
            try:
                head, _, rows = (self.folder / f"{unit.id}.json").read_bytes().partition(b"\n")
                data = json.loads(head)
                kept = _Kept(str(data["state"]), str(data["key"]), int(data["lacking"]), rows)
                self._kept[unit.id] = kept
            except (OSError, ValueError, KeyError, TypeError):
                self._kept[unit.id] = None
        return self._kept[unit.id]

    def _keep(self, unit: Unit, kept: _Kept, data: bytes) -> None:
        """Without a place to keep it the next build just takes longer."""
        head = {"state": kept.state, "key": kept.key, "lacking": kept.lacking}
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self.folder / f"{unit.id}.pack", data)
            _replace(self.folder / f"{unit.id}.json", json.dumps(head).encode() + b"\n" + kept.rows)
        except OSError:
            return

    def _read(self, unit: Unit, path: str, digest: str, key: str, place: int, size: int) -> bytes:
        try:
            with (self.folder / f"{unit.id}.pack").open("rb") as file:
                file.seek(place)
                data = file.read(size)
        except OSError:
            data = b""
        if File(data).digest == digest:
            return data
        # Another run has written the cache since, or somebody has touched it: what it held can be made again.
        made = self._make(unit).get(path)
        if made is None or made.digest != digest:
            raise OSError(f"the content of {unit.id} changed while it was read")
        return made.content


def _in_processes(shares: Iterable[list[Unit]], make: Callable[[Unit], object]) -> None:
    """Each share in a process of its own, forked so that it has the province. What one fails at is made later."""
    children = []
    for share in shares:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for unit in share:
                    make(unit)
                status = 0
            finally:
                os._exit(status)  # nothing of the parent's is flushed or ended twice
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    staged = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(data)
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise


def kept_portals(province: Province, contents: Contents, folder: Path) -> KeptPortals:
    """The portals of the inventory in ``folder``, with their memory under ``XDG_CACHE_HOME``."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edumail"
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    memory = base / f"portals-{name}"
    with contextlib.suppress(OSError):
        _forget(base)
        memory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(memory / OF, os.fsencode(folder.resolve()))
    return KeptPortals(province, contents, memory)


OF = "inventory"
"""The file of a memory that says whose it is."""


def _forget(base: Path) -> None:
    """Memories of inventories that are gone take room for nothing."""
    for memory in base.glob("portals-*"):
        try:
            folder = Path(os.fsdecode((memory / OF).read_bytes()))
        except OSError:
            continue
        if not folder.is_dir():
            shutil.rmtree(memory, ignore_errors=True)
