"""What the shared operations ask a host; each is one command that cannot fail, so none fails a host at preparation."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase

from roles.common import packages as apt
from roles.common import scripts
from roles.common.archive import MANIFEST

_RELEASE = re.compile(r"[0-9a-f]{16}(\.[0-9]+)?")


@dataclass(frozen=True)
class Staged:
    """What staging finds on a host: release ids, empty where there is none.

    release: a sound release of the wanted tree; base: when there is none, a sound release to build upon.
    """

    staged: str = ""
    release: str = ""
    base: str = ""


class TreeStaged(FactBase[Staged]):
    """Which release of a role is staged, and what a wanted tree could be built upon."""

    def command(self, role: str, digest: str, access: str, root: str = scripts.ROOT) -> str:
        """Asks for the tree ``digest``, readable as ``access`` says."""
        return scripts.staged_state(role, digest, access, root)

    @staticmethod
    def default() -> Staged:
        """Nothing there yet."""
        return Staged()

    def process(self, output: list[str]) -> Staged:
        """Reads the lines ``key release-id``; what is no release id counts as none."""
        found = _pairs(output)
        return Staged(
            **{
                key: found[key] if _RELEASE.fullmatch(found.get(key, "")) else ""
                for key in ("staged", "release", "base")
            }
        )


class TreeManifest(FactBase[str]):
    """The manifest of one release of a role; empty when there is none."""

    def command(self, role: str, release: str, root: str = scripts.ROOT) -> str:
        """Asks for it compressed: reading thousands of lines one by one is what costs."""
        if not _RELEASE.fullmatch(release):
            raise ValueError(f"not a release: {release!r}")
        path = f"{scripts.trees_path(role, root)}/releases/{release}/{MANIFEST}"
        return f"[ ! -f {path} ] || gzip -c {path} | base64 -w 8000"

    @staticmethod
    def default() -> str:
        """No manifest: every file has to be written."""
        return ""

    def process(self, output: list[str]) -> str:
        """Unpacks it."""
        return gzip.decompress(base64.b64decode("".join(output))).decode()


@dataclass(frozen=True)
class Active:
    """What is live on a host for a role."""

    active: str = ""
    current: str = ""
    links_right: bool = False
    unit_runs: bool = True

    def is_live(self, digest: str) -> bool:
        """Whether the tree ``digest`` was recorded good, is what the daemon's paths lead to, and the unit runs."""
        return self.active == digest and self.current == digest and self.links_right and self.unit_runs


class TreeActive(FactBase[Active]):
    """What is live for a role: recorded digest, real digest, links and unit."""

    def command(
        self,
        role: str,
        links: Mapping[str, str | None],
        unit: str | None = None,
        compiled: bool = False,
        root: str = scripts.ROOT,
    ) -> str:
        """Asks about ``links`` and ``unit`` too, and of a role that is ``compiled`` about what that made."""
        return scripts.active_state(role, links, unit, compiled=compiled, root=root)

    @staticmethod
    def default() -> Active:
        """Nothing is live."""
        return Active()

    def process(self, output: list[str]) -> Active:
        """Reads the lines ``key value``."""
        found = _pairs(output)
        return Active(
            active=found.get("active", ""),
            current=found.get("current", ""),
            links_right=found.get("links") == "right",
            unit_runs=found.get("unit", "running") == "running",
        )


class TreePresent(FactBase[bool]):
    """Whether a host has a tree of a role, or what is left of one."""

    def command(self, role: str, root: str = scripts.ROOT) -> str:
        """Asks for the folder."""
        return scripts.present(role, root)

    @staticmethod
    def default() -> bool:
        """It has none."""
        return False

    def process(self, output: list[str]) -> bool:
        """Whether anything was said."""
        return bool(output)


class PackagesMissing(FactBase[list[str]]):
    """What installation has to do, as ``missing NAME``, ``half NAME`` and ``policy`` lines; empty when nothing."""

    def command(self, wanted: Sequence[str]) -> str:
        """Asks about the whole set at once."""
        return apt.state(wanted)

    @staticmethod
    def default() -> list[str]:
        """Nothing to do."""
        return []

    def process(self, output: list[str]) -> list[str]:
        """The lines as they are."""
        return [line.strip() for line in output if line.strip()]


def _pairs(output: list[str]) -> dict[str, str]:
    return {key: value.strip() for key, _, value in (line.partition(" ") for line in output)}
