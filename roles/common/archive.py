"""Some files of a tree as one gzipped tar: the same files give the same bytes on every machine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator

from edumail.tree import Tree

MANIFEST = ".manifest"
"""Where a release keeps its tree's manifest."""

SUMS = ".sums"
"""Where a release keeps the plain SHA-256 of its files, in the form ``sha256sum -c`` reads; made on the host."""

ACCESS = ".access"
"""Where a release keeps who may read it: ``owner:group directory-mode file-mode``."""

COMPRESSED = ".gzip"
"""Where a release keeps, in the same form, the sums of the compressed twins of its files; made on the host."""

STAMPS, COMPRESSED_STAMPS = ".stamps", ".gzip-stamps"
"""Where a release keeps one digest of its files' names, inodes, sizes and times as they were when they were summed, and
the same of its compressed twins."""

MADE = ".made"
"""Where a release keeps, in the same form, the sums of what was compiled in it; of compressed twins that of their list
(``COMPRESSED``)."""

RESERVED = frozenset({MANIFEST, SUMS, ACCESS, COMPRESSED, STAMPS, COMPRESSED_STAMPS, MADE})


_CHUNK = 48 * 1024
"""Bytes of a line of base64: a multiple of three, so that every line but the last is whole."""


class Packed(list[str]):
    """An archive as the standard input of a command: base64, read from the disk line by line.

    The portals of a province take gigabytes. pyinfra goes through a list; this one is a list for its sake alone.
    """

    def __init__(self, file: io.BufferedRandom):
        super().__init__()
        self._file = file
        file.seek(0)
        self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        """Of the archive itself."""

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield base64.b64encode(chunk).decode() + "\n"


def pack(tree: Tree, paths: Iterable[str], *, file_mode: int = 0o640) -> Packed:
    """The files ``paths`` of ``tree`` and its manifest, as a tar.gz without times, owners or names of users.

    An executable file also gets the execute bits of its readers. Raises ValueError when the tree holds a file
    whose name the release needs for itself.
    """
    if taken := RESERVED.intersection(tree.files):
        raise ValueError(f"reserved in every tree: {', '.join(sorted(taken))}")
    executable_mode = file_mode | 0o100 | (file_mode & 0o444) >> 2
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as what is made of it
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        _add(tar, MANIFEST, tree.manifest.encode(), file_mode)
        for path in sorted(paths):
            file = tree.files[path]
            _add(tar, path, file.content, executable_mode if file.executable else file_mode)
    return Packed(packed)


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(path)
    member.size = len(content)
    member.mode = mode
    tar.addfile(member, io.BytesIO(content))
