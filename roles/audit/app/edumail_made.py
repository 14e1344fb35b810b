"""What compiling and compressing added to a release, held against what its sources give when that is done again.

A list of sums that lies beside such files would be changed with them; of their sources the auditor knows the digests.
"""

from __future__ import annotations

import fcntl
import filecmp
import gzip
import hashlib
import json
import os
import shlex
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

RECIPES = Path(__file__).resolve().with_name("compile.json")
"""By role the command that compiles its release, with ``{tree}`` for where that lies."""
SCRATCH = Path("/var/lib/edumail/audit/again")
"""Where that is done: on the disk, since tables are large. It is root's alone, and goes again."""
SECONDS = 300
"""How long that may take, as in a deploy (``roles/common/scripts.py``)."""
TWIN = ".gz"
"""What nginx serves instead of the file that it is made of."""
DUMP = "/usr/bin/sieve-dump"
STRANGE = "không do lần triển khai nào đặt vào / nobody deployed it"
OTHER = "không phải bản tạo từ tệp nguồn / is not what its source gives"


def wrong(live: Path, role: str, known: Mapping[str, str], added: Collection[str]) -> Iterator[str]:
    """What is not as it should be of the files ``added`` to a role's release.

    known: by name the digests of what was deployed (``edumail/tree.py``).
    """
    twins = {name for name in added if name.endswith(TWIN) and name.removesuffix(TWIN) in known}
    for name in twins:
        if not _is_twin(live / name, known[name.removesuffix(TWIN)]):
            yield f"{live}/{name}: {OTHER}"
    compiled = set(added) - twins
    recipe = json.loads(RECIPES.read_text(encoding="utf-8")).get(role)
    if recipe is None:
        yield from (f"{live}/{name}: {STRANGE}" for name in compiled)
        return
    with _scratch() as again:
        for name in known:
            if (live / name).is_file():  # one that is gone is told of by whoever compares the sources
                (again / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(live / name, again / name)
        done = _run("/bin/sh", "-c", recipe.replace("{tree}", shlex.quote(str(again))))
        if done.returncode:
            why = done.stderr.strip()[-200:] or f"exit {done.returncode}"
            yield f"{live}: không biên dịch lại được / can't be compiled again: {why}"
            return
        made = {str(path.relative_to(again)) for path in again.rglob("*") if path.is_file()} - known.keys()
        for name in made | compiled:
            if name not in made:
                yield f"{live}/{name}: {STRANGE}"
            elif name not in compiled:
                yield f"{live}/{name}: mất / gone"
            elif not _alike(live / name, again / name):
                yield f"{live}/{name}: {OTHER}"


@contextmanager
def _scratch() -> Iterator[Path]:
    """The empty folder for it, to one audit at a time. What one left that was killed goes with the next."""
    for number in (signal.SIGHUP, signal.SIGTERM):  # unlike these, an exit passes by what is below
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    held = os.open(SCRATCH.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            shutil.rmtree(SCRATCH, ignore_errors=True)
            SCRATCH.mkdir(mode=0o700)
            yield SCRATCH
        finally:  # and not of who was ended while it waited: the folder is another's then
            shutil.rmtree(SCRATCH, ignore_errors=True)
    finally:
        os.close(held)


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command with all that it starts, for :data:`SECONDS` at most; 124 is the exit status of one that was ended."""
    bounded = ["/usr/bin/timeout", "-k", "10", str(SECONDS), *command]
    return subprocess.run(bounded, capture_output=True, text=True, errors="replace", check=False)


def _is_twin(file: Path, digest: str) -> bool:
    """Whether what a browser unpacks has the digest of the file that was deployed."""
    try:
        return _regular(file) and hashlib.sha256(b"-" + gzip.decompress(file.read_bytes())).hexdigest() == digest
    except (OSError, EOFError, zlib.error):
        return False


def _regular(file: Path) -> bool:
    """Whether a daemon reads what lies here: a link leads to what somebody may change after it was looked at."""
    return stat.S_ISREG(file.lstat().st_mode)


def _alike(one: Path, other: Path) -> bool:
    """Whether two files that were compiled from the same sources do the same.

    To the byte, but for two kinds. A Sieve binary knows where its script lies, so it is its instructions that are
    compared; and a database is stamped with SQLite's version, which an update of Debian's may have raised since.
    """
    if not _regular(one):
        return False
    if filecmp.cmp(one, other, shallow=False):
        return True
    match one.suffix:
        case ".svbin":
            told = [_run(DUMP, file) for file in (one, other)]
            return not any(dump.returncode for dump in told) and told[0].stdout == told[1].stdout
        case ".db":
            return _rows(one) == _rows(other)
    return False


def _rows(database: Path) -> list[str] | None:
    """All of a database as SQL; None: it is none."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro&immutable=1", uri=True)) as opened:
            return list(opened.iterdump())
    except sqlite3.Error:
        return None
