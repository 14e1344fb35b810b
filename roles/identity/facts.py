"""The public halves of a host's keys, and its certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase

from roles.common.paths import DKIM_KEY, TLS, internal

_MARK = "== edumail "


@dataclass(frozen=True)
class Public:
    """PEM texts by part; an empty one is not there. A certificate's part is its id with a slash before it."""

    parts: dict[str, bytes]

    def __getitem__(self, part: str) -> bytes:
        return self.parts.get(part, b"")

    def has_keys(self, dkim: bool) -> bool:
        """Whether all private keys are on the host; not every host signs mail."""
        return all(self[part] for part in ("host-key", "web-key", *(["dkim-key"] if dkim else [])))


class PublicHalves(FactBase[Public]):
    """Everything in one round trip; never fails, whatever is missing."""

    def command(self, certificates: Sequence[str]) -> str:
        """Prints each part after a line that names it; ``certificates`` are ids."""
        show = {
            "host-key": f"openssl pkey -pubout -in {TLS}/host.key",
            "web-key": f"openssl pkey -pubout -in {TLS}/web.key",
            "dkim-key": f"openssl pkey -pubout -in {DKIM_KEY}",
            "authority": f"cat {TLS}/ca.pem",
            **{f"/{id}": f"cat {internal(id)}" for id in certificates},
        }
        return "; ".join(f"echo '{_MARK}{part}'; {command} 2>/dev/null" for part, command in show.items()) + "; true"

    def process(self, output: list[str]) -> Public:
        """The parts that were printed."""
        parts: dict[str, list[str]] = {}
        current: list[str] = []
        for line in output:
            if line.startswith(_MARK):
                current = parts.setdefault(line.removeprefix(_MARK), [])
            else:
                current.append(line)
        return Public({part: ("\n".join(lines) + "\n").encode() for part, lines in parts.items() if lines})
