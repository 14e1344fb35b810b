"""The public halves of a host's keys, and its certificates."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase

from roles.common.paths import DKIM_KEY, TLS

_MARK = "== edumail "
_PARTS = ("host-key", "portal-key", "dkim-key", "host-certificate", "portal-certificate", "authority")


@dataclass(frozen=True)
class Public:
    """PEM texts by part; an empty one is not there."""

    parts: dict[str, bytes]

    def __getitem__(self, part: str) -> bytes:
        return self.parts.get(part, b"")

    def has_keys(self, dkim: bool) -> bool:
        """Whether all private keys are on the host; not every host signs mail."""
        return all(self[part] for part in ("host-key", "portal-key", *(["dkim-key"] if dkim else [])))


class PublicHalves(FactBase[Public]):
    """Everything in one round trip; never fails, whatever is missing."""

    def command(self) -> str:
        """Prints each part after a line that names it."""
        show = {
            "host-key": f"openssl pkey -pubout -in {TLS}/host.key",
            "portal-key": f"openssl pkey -pubout -in {TLS}/portal.key",
            "dkim-key": f"openssl pkey -pubout -in {DKIM_KEY}",
            "host-certificate": f"cat {TLS}/host.pem",
            "portal-certificate": f"cat {TLS}/portal.pem",
            "authority": f"cat {TLS}/ca.pem",
        }
        return "; ".join(f"echo '{_MARK}{part}'; {show[part]} 2>/dev/null" for part in _PARTS) + "; true"

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
