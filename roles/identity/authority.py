"""The internal authority's files on the control machine: the certificate in the inventory, the key encrypted."""

from __future__ import annotations

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
    of the deploying user's, mode 0600. Raises ValueError where a part of it is missing, as on a second control machine,
    or the passphrase does not fit: then nothing is made, for everybody trusts the certificate that there is.
    """
    certificate, key = folder / "published" / "ca.pem", folder / "secrets" / "ca.key"
    given = os.environ.get(PASSPHRASE_FILE)
    passphrase = Path(given) if given else Path.home() / ".config" / "edumail" / f"{settings.id}.passphrase"
    if not key.exists() and not certificate.exists():
        if not passphrase.exists():
            _write(passphrase, secrets.token_urlsafe(32).encode() + b"\n")
        authority = pki.new_authority(f"{settings.id} internal CA", datetime.now(UTC))
        _write(key, authority.key_pem(passphrase.read_bytes().strip()))
        _write(certificate, authority.pem, mode=0o644)
        return authority
    if missing := [str(path) for path in (certificate, key, passphrase) if not path.exists()]:
        raise ValueError(
            f"thiếu {', '.join(missing)}: chép từ máy đã triển khai tỉnh này, đừng xóa gì; chỉ khi không còn bản sao"
            f" nào ở đâu mới xóa cả {key} lẫn {certificate} rồi triển khai, và người dùng phải cài chứng thư mới"
            " / missing: copy from the machine that deployed this province and delete nothing; only if no copy is left"
            " anywhere, delete both and deploy, and users must then install the new certificate"
        )
    try:
        return pki.Authority.from_pem(certificate.read_bytes(), key.read_bytes(), passphrase.read_bytes().strip())
    except ValueError as error:
        raise ValueError(
            f"{passphrase} hoặc {certificate} không hợp với {key}: chép cả ba từ máy đã triển khai tỉnh này"
            f" / do not fit: copy all three from the machine that deployed this province ({error})"
        ) from error


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = path.with_name(path.name + ".new")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
