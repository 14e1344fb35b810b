"""A look at the files of every unit: a digest of their names, sizes and times, so that none has to be opened.

It runs in processes of its own (``python looking.py FOLDER NUMBER TOTAL``), each for its share of the units: a province
has hundreds of thousands of files, and Python looks at one at a time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def begin(folder: Path) -> Callable[[], dict[str, str]]:
    """Begin to look; what this gives waits for the end: the digest of each thing in ``folder``, by name.

    Another digest means that path, size, kind or time of change of a file under it is another.
    """
    total = min(os.cpu_count() or 1, 8)
    # They need none of our modules: such a process is there in a moment, and copies nothing of the province.
    words = [sys.executable, "-IS", __file__, str(folder)]
    processes = [subprocess.Popen([*words, str(number), str(total)], stdout=subprocess.PIPE) for number in range(total)]

    def seen() -> dict[str, str]:
        found: dict[str, str] = {}
        for process in processes:
            said, _ = process.communicate()
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, process.args)
            cells = os.fsdecode(said).split("\0")
            found.update(zip(cells[::2], cells[1::2], strict=False))
        return found

    return seen


def hidden(name: str) -> bool:
    """Whether a file is an editor's or the system's, and nobody's content."""
    return name.startswith((".", "~")) or name.endswith("~")


def look(folder: str) -> str:
    """The digest of what lies under ``folder``."""
    found: list[str] = []
    _look(folder, None, "", found)
    return hashlib.sha256(os.fsencode("\0".join(sorted(found)))).hexdigest()


def _look(name: str, above: int | None, below: str, found: list[str]) -> None:
    """By descriptors: from the root, the system would look for each of hundreds of thousands of paths part by part."""
    try:
        here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except OSError as error:
        found.append(f"{below}\0{error.errno}")
        return
    folders = []
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    # Its own size and time say nothing that its entries do not.
                    folders.append(entry.name)
                    found.append(f"{below}{entry.name}/")
                    continue
                stat = entry.stat(follow_symlinks=False)
                found.append(f"{below}{entry.name}\0{stat.st_mode} {stat.st_size} {stat.st_mtime_ns}")
        for inner in folders:
            _look(inner, here, f"{below}{inner}/", found)
    except OSError as error:
        found.append(f"{below}\0{error.errno}")
    finally:
        os.close(here)


def main(folder: str, number: int, total: int) -> None:
    """Print name and digest of this process's share, a NUL after each."""
    try:
        paths = sorted(path for path in Path(folder).iterdir() if not hidden(path.name))[number::total]
    except (FileNotFoundError, NotADirectoryError):
        paths = []
    said = (f"{path.name}\0{look(str(path))}\0" for path in paths)
    sys.stdout.buffer.write(os.fsencode("".join(said)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
