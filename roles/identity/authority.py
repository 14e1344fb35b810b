"""The internal authority's files on the control machine: the certificate in the inventory, the key encrypted."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from edumail import pki
from edumail.model import Settings

PASSPHRASE_FILE = "EDUMAIL_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable
"""Environment variable: the file with the passphrase of the authority's key."""


def open_authority(folder: Path, settings: Settings) -> pki.Authority:
    """The province's authority; the first call makes it.

    The certificate is ``published/ca.pem``, the encrypted key ``secrets/ca.key`` (not for git), its passphrase a file
    of the deploying user's, mode 0600. Raises ValueError when the passphrase does not fit.
    """
    certificate, key = folder / "published" / "ca.pem", folder / "secrets" / "ca.key"
    passphrase = _passphrase(settings.id)
    if key.exists() and certificate.exists():
        return pki.Authority.from_pem(certificate.read_bytes(), key.read_bytes(), passphrase)
    if key.exists() or certificate.exists():
        there, missing = (key, certificate) if key.exists() else (certificate, key)
        raise ValueError(
            f"{there} is there and {missing} is not: restore it from a copy, or delete both and deploy anew"
        )
    authority = pki.new_authority(f"{settings.id} internal CA", datetime.now(UTC))
    _write(key, authority.key_pem(passphrase))
    _write(certificate, authority.pem, mode=0o644)
    return authority


def _passphrase(province: str) -> bytes:
    given = os.environ.get(PASSPHRASE_FILE)
    path = Path(given) if given else Path.home() / ".config" / "edumail" / f"{province}.passphrase"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes().strip()
    passphrase = secrets.token_urlsafe(32).encode()
    _write(path, passphrase + b"\n")
    return passphrase


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = path.with_name(path.name + ".new")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
