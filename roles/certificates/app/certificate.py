"""A host's certificates as files: what the deploy has written about them, what they say, which one is shown."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/edumail/certificates")


@dataclass(frozen=True)
class Leaf:
    """What a certificate says, and its public key in PEM."""

    names: frozenset[str]
    begins: datetime
    ends: datetime
    issuer: str
    public_key: str

    @property
    def life(self) -> timedelta:
        return self.ends - self.begins

    def covers(self, name: str) -> bool:
        return name in self.names or "*." + name.partition(".")[2] in self.names


@dataclass(frozen=True)
class Certificate:
    """One certificate of the host: the files it may come from, the file that is shown, and the daemons that read it."""

    id: str
    names: list[str]
    key: Path
    internal: Path
    shown: Path
    units: list[str]
    supplied: Path | None
    acme: bool
    addresses: set[str]
    """Where an authority has to come for a proof: the host's own, or those of the gateway, which asks here for it."""

    @property
    def ordered(self) -> Path:
        """The chain that an ACME authority gave."""
        return STATE / "ordered" / f"{self.id}.pem"

    def best(self, now: datetime) -> tuple[str, bytes]:
        """Where the one to show comes from, and that file's content: key and chain.

        It is the last resort that the province's own is shown, and then even when it has ended.
        """
        source, key, chain = "internal", self.key, self.internal
        if self.supplied is not None and self._usable(self.supplied, self.supplied, now):
            source, key, chain = "files", self.supplied, self.supplied
        elif self.acme and self._usable(self.key, self.ordered, now):
            source, key, chain = "acme", self.key, self.ordered
        return source, chain.read_bytes() if key == chain else key.read_bytes() + chain.read_bytes()

    def _usable(self, key: Path, chain: Path, now: datetime) -> bool:
        """Whether clients would take it now for at least one of the names."""
        leaf = read(chain)
        if leaf is None or not leaf.begins <= now < leaf.ends or not any(map(leaf.covers, self.names)):
            return False
        return leaf.public_key == public_key(key)

    def is_shown(self, now: datetime) -> bool:
        """Whether daemons have the best there is."""
        return self.shown.exists() and self.shown.read_bytes() == self.best(now)[1]


class Configuration:
    """``certificates.json``, which a deploy writes."""

    def __init__(self, path: Path):
        content: dict[str, Any] = json.loads(path.read_text())
        self.acme: dict[str, str] | None = content["acme"]
        self.officer: str | None = content["officer"]
        self.certificates = [self._certificate(row) for row in content["certificates"]]

    def _certificate(self, row: dict[str, Any]) -> Certificate:
        files = {name: Path(row[name]) for name in ("key", "internal", "shown")}
        supplied = Path(row["supplied"]) if "supplied" in row else None
        more = {"units": row["units"], "addresses": set(row["addresses"]), "acme": self.acme is not None}
        return Certificate(row["id"], row["names"], supplied=supplied, **more, **files)

    def strays(self) -> list[Path]:
        """Files of certificates that it does not name any more; some hold private keys."""
        named: set[Path | None] = set()
        for certificate in self.certificates:
            named |= {certificate.internal, certificate.shown, certificate.supplied, certificate.ordered}
        tls = self.certificates[0].shown.parent.parent
        folders = [tls / "internal", tls / "shown", tls / "supplied", STATE / "ordered"]
        return [path for folder in folders for path in sorted(folder.glob("*.pem")) if path not in named]


def show(configuration: Configuration, now: datetime) -> None:
    """Put the best certificates where daemons read them; those that run and read one that changed are reloaded."""
    units: set[str] = set()
    with locked("show", wait=True):
        for certificate in configuration.certificates:
            if not certificate.is_shown(now):
                certificate.shown.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                source, content = certificate.best(now)
                replace(certificate.shown, content, 0o600)
                units.update(certificate.units)
                print(f"{certificate.id}: chứng thư mới / a new certificate ({source})", flush=True)
    for unit in sorted(units):
        if subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0:
            subprocess.run(["systemctl", "reload", unit], check=True)


def openssl(*words: str) -> str:
    """What openssl(1) prints; nothing when it fails."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


@functools.cache
def public_key(key: Path) -> str:
    """The public half of a private key, in PEM."""
    return openssl("pkey", "-pubout", "-in", str(key))


def read(path: Path) -> Leaf | None:
    """The first certificate of a file; None when there is none."""
    said = openssl(
        *("x509", "-in", str(path), "-noout", "-pubkey", "-dates", "-dateopt", "iso_8601", "-ext", "subjectAltName"),
        *("-issuer", "-nameopt", "multiline,utf8,-esc_msb"),
    )
    dates = dict(re.findall(r"^(notBefore|notAfter)=(.+)Z$", said, re.MULTILINE))
    key = re.search(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\n", said, re.DOTALL)
    if len(dates) != 2 or key is None:
        return None
    begins, ends = (datetime.fromisoformat(dates[name]).replace(tzinfo=UTC) for name in ("notBefore", "notAfter"))
    common_name = re.search(r"^\s+commonName\s+= (.+)$", said, re.MULTILINE)
    names = frozenset(re.findall(r"DNS:([^,\s]+)", said))
    return Leaf(names, begins, ends, common_name[1] if common_name else "?", key[0])


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all."""
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


@contextlib.contextmanager
def locked(name: str, *, wait: bool) -> Iterator[bool]:
    """Whether this process alone does ``name``; another one that does it is waited for, or not."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
