"""A tree of rendered files: what one role gets on one host, as bytes, with one digest over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class File:
    """One file of a tree: its content, and whether the host may execute it."""

    content: bytes
    executable: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content in hex; an executable file's digest differs from a plain one's."""
        return hashlib.sha256((b"x" if self.executable else b"-") + self.content).hexdigest()


@dataclass(frozen=True)
class Tree:
    """Files by their path relative to the tree's root (POSIX, no leading slash, no ``..``).

    The same files give the same digest on every machine. Nothing secret belongs in a tree: it is staged,
    compared and shown; keys are made on the host.
    """

    files: Mapping[str, File]

    @classmethod
    def of(cls, contents: Mapping[str, bytes | str | File]) -> Tree:
        """A tree from plain contents; text is encoded as UTF-8.

        Raises ValueError for a path that could leave the tree.
        """
        files: dict[str, File] = {}
        for path in sorted(contents):
            parts = path.split("/")
            if not path or "\n" in path or any(part in ("", ".", "..") for part in parts):
                raise ValueError(f"not a path inside a tree: {path!r}")
            content = contents[path]
            if isinstance(content, str):
                content = content.encode()
            files[path] = content if isinstance(content, File) else File(content)
        return cls(files)

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def manifest(self) -> str:
        """One line a file, ``digest  path``, in order of path: what the host keeps to tell what changed."""
        return "".join(f"{self.files[path].digest}  {path}\n" for path in sorted(self.files))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the manifest, in hex."""
        return hashlib.sha256(self.manifest.encode()).hexdigest()


def changed_paths(old_manifest: str, new: Tree) -> tuple[list[str], list[str]]:
    """What turns the tree of ``old_manifest`` into ``new``: (paths to write, paths to remove), each sorted."""
    old = {path: digest for digest, path in (line.split("  ", 1) for line in old_manifest.splitlines())}
    write = [path for path in sorted(new.files) if old.get(path) != new.files[path].digest]
    remove = sorted(path for path in old if path not in new.files)
    return write, remove
