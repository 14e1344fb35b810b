"""What a host's certificates still need."""

from __future__ import annotations

from pyinfra.api import FactBase

from roles.common.paths import supplied
from roles.common.scripts import trees_path


class Pending(FactBase[list[str]]):
    """Lines of ``edumail-certificates pending``; ``show`` alone when the tree ``digest`` is not live yet."""

    def command(self, digest: str) -> str:
        """Never fails."""
        live = f'[ "$(cat {trees_path("certificates")}/active 2>/dev/null)" = {digest} ]'
        return f"if {live}; then edumail-certificates pending; else echo show; fi; true"

    @staticmethod
    def default() -> list[str]:
        """Nothing."""
        return []

    def process(self, output: list[str]) -> list[str]:
        """The lines as they are."""
        return [line.strip() for line in output if line.strip()]


class SuppliedDigests(FactBase[dict[str, str]]):
    """SHA-256 of each pair of files that the host has, by its name."""

    def command(self) -> str:
        """Never fails."""
        return f"cd {supplied('x').rpartition('/')[0]} 2>/dev/null && sha256sum *.pem 2>/dev/null; true"

    @staticmethod
    def default() -> dict[str, str]:
        """None."""
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        """Reads the lines of sha256sum(1)."""
        rows = (line.split(maxsplit=1) for line in output if line.strip())
        return {name.removesuffix(".pem"): digest for digest, name in rows}
