"""The portals as deploys take them: what was rendered before is kept on disk, so a build costs what has changed.

A unit's files lie in one file of the cache, which is read again only for what goes to a host. Its key is over all that
its pages come from; nothing else is trusted to be still so. The keys of all units are in one file besides: to open
thousands took longer than to make one unit anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from edumail.cache import cache_folder
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


class _Kept(NamedTuple):
    """What the cache has of a unit."""

    state: str
    """Key of ``lacking``."""
    key: str
    """Key of the files."""
    lacking: int


class KeptPortals(Portals):
    """Portals with a memory in ``folder``."""

    def __init__(self, province: Province, contents: Contents, folder: Path):
        super().__init__(province, contents)
        self.folder = folder
        self._kept = self._recall_all()

    def unit(self, unit: Unit) -> Mapping[str, File]:
        """The files of one unit, with everything that changed in the province rendered before."""
        _ = self.rendered
        if (kept := self._unchanged(unit)) is None or (rows := self._rows(unit, kept)) is None:
            return self._make(unit)
        return {path: StoredFile(digest, partial(self._read, unit, path, digest, kept.key, place, size))
                for path, digest, place, size in rows}  # fmt: skip

    @cached_property
    def rendered(self) -> int:
        """How many units had to be rendered anew; those below before those above, which show their state."""
        before, children = self._kept, self.views.units.children
        self._kept = {id: kept for id, kept in before.items() if id in self.province.units}
        ready = [unit for unit in self.province.units.values() if not children[unit.id]]
        above = [unit for unit in self.province.units.values() if children[unit.id]]
        depth = {unit.id: len(list(self.views.units.ancestors(unit))) for unit in above}
        count = self._renew(ready)
        for level in sorted(set(depth.values()), reverse=True):
            count += self._renew([unit for unit in above if depth[unit.id] == level])
        if self._kept != before:
            with contextlib.suppress(OSError):
                _replace(self.folder / HEADS, json.dumps(self._kept).encode())
        return count

    def lacking(self, unit: Unit) -> int:
        """As it is, from the cache if nothing has changed there."""
        if unit.id not in self._lacking and (kept := self._recall(unit)):
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
                self._recall(unit)
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
        kept = _Kept(self._state(unit), self._key(unit), self.lacking(unit))
        self._keep(unit, kept, rows, b"".join(file.content for file in files.values()))
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
        """What the cache has of the unit in its present state."""
        state = self._state(unit)
        kept = self._kept.get(unit.id)
        if kept is None or kept.state != state:
            # A run that was killed has made units without having said so in one file.
            if (kept := _head(self._lines(unit)[0])) is None:
                return None
            self._kept[unit.id] = kept
        return kept if kept.state == state else None

    def _recall_all(self) -> dict[str, _Kept]:
        try:
            known = json.loads((self.folder / HEADS).read_bytes())
            return {str(id): _Kept(str(state), str(key), int(lacking)) for id, (state, key, lacking) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _rows(self, unit: Unit, kept: _Kept) -> list[tuple[str, str, int, int]] | None:
        """The files of the unit: path, digest, place, size. None where somebody has touched them."""
        head, rows = self._lines(unit)
        try:
            found = [(str(p), str(d), int(o), int(s)) for p, d, o, s in json.loads(rows)]
        except (ValueError, TypeError):
            return None
        return found if _head(head) == kept else None

    def _lines(self, unit: Unit) -> tuple[bytes, bytes]:
        """What is kept of the unit beside its files: :class:`_Kept` and the rows, each as JSON."""
        try:
            head, _, rows = (self.folder / f"{unit.id}.json").read_bytes().partition(b"\n")
        except OSError:
            return b"", b""
        return head, rows

    def _keep(self, unit: Unit, kept: _Kept, rows: list[tuple[str, str, int, int]], data: bytes) -> None:
        """Without a place to keep it the next build just takes longer."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self.folder / f"{unit.id}.pack", data)
            _replace(self.folder / f"{unit.id}.json", f"{json.dumps(kept)}\n{json.dumps(rows)}".encode())
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


def _head(line: bytes) -> _Kept | None:
    try:
        state, key, lacking = json.loads(line)
        return _Kept(str(state), str(key), int(lacking))
    except (ValueError, TypeError):
        return None


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
    base = cache_folder()
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    memory = base / f"portals-{name}"
    with contextlib.suppress(OSError):
        _forget(base)
        memory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(memory / OF, os.fsencode(folder.resolve()))
    return KeptPortals(province, contents, memory)


OF, HEADS = "inventory", "units"
"""The files of a memory that say whose it is, and what it has of which unit; those of units have an ending."""


def _forget(base: Path) -> None:
    """Memories of inventories that are gone take room for nothing."""
    for memory in base.glob("portals-*"):
        try:
            folder = Path(os.fsdecode((memory / OF).read_bytes()))
        except OSError:
            continue
        if not folder.is_dir():
            shutil.rmtree(memory, ignore_errors=True)
