"""A folder of files under one signature: SHA256SUMS, and OpenSSH's signature over it.

Both are what common tools make and check: ``sha256sum -c SHA256SUMS``, ``ssh-keygen -Y verify -n edumail-report``. The
format of the signature is that of OpenSSH's PROTOCOL.sshsig; only Ed25519 (RFC 8032) is taken.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAMESPACE = "edumail-report"
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
KEY_TYPE = "ssh-ed25519"

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)")
_ARMOUR = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\s(.*?)-----END SSH SIGNATURE-----\s*", re.DOTALL)
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


class SealError(Exception):
    """A signature that does not hold, or a list that can't be read; in both languages."""

    def __init__(self, vi: str, en: str):
        self.vi, self.en = vi, en
        super().__init__(en)


@dataclass(frozen=True)
class Broken:
    """How a folder differs from its list; names in order."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.added)


def sums(digests: Mapping[str, str]) -> str:
    """The list, as ``sha256sum`` writes it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def listed(text: str) -> dict[str, str]:
    """The digests by name. Raises SealError for what is no such list."""
    result: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or found[2] in result:
            raise SealError(f"{SUMS} không đọc được: {line[:80]!r}", f"{SUMS} can't be read: {line[:80]!r}")
        result[found[2]] = found[1]
    return result


def compare(said: Mapping[str, str], found: Mapping[str, str]) -> Broken:
    """What the list says against what is there, the list and its signature left out."""
    there = {name: digest for name, digest in found.items() if name not in (SUMS, SIGNATURE)}
    return Broken(
        changed=tuple(sorted(name for name in said if name in there and there[name] != said[name])),
        missing=tuple(sorted(said.keys() - there.keys())),
        added=tuple(sorted(there.keys() - said.keys())),
    )


def signer(message: bytes, signature: str) -> str:
    """The public key that made ``signature`` over ``message``, as ``ssh-ed25519 AAAA…``.

    Raises SealError: it is no signature of OpenSSH, not made for a report, not by an Ed25519 key, or not over this
    message.
    """
    found = _ARMOUR.fullmatch(signature)
    try:
        if found is None:
            raise ValueError
        fields = _Fields(b64decode("".join(found[1].split()), validate=True))
        if fields.take(6) != b"SSHSIG" or fields.take(4) != b"\0\0\0\1":
            raise ValueError
        key, namespace, reserved, algorithm, made = (fields.string() for _ in range(5))
        type_of_key, raw = _Fields(key), _Fields(made)
        kind = type_of_key.string()
        if kind != KEY_TYPE.encode() or raw.string() != kind:
            raise SealError(
                f"chữ ký bằng khóa {kind.decode(errors='replace')!r}; chỉ nhận Ed25519",
                f"signed with a key of type {kind.decode(errors='replace')!r}; only Ed25519 is taken",
            )
        if namespace != NAMESPACE.encode():
            raise SealError("chữ ký này không phải cho báo cáo", "that signature was not made for a report")
        digest = _HASHES[algorithm.decode()](message).digest()
        signed = b"SSHSIG" + b"".join(map(_string, (namespace, reserved, algorithm, digest)))
        Ed25519PublicKey.from_public_bytes(type_of_key.string()).verify(raw.string(), signed)
    except InvalidSignature:
        raise SealError(
            f"chữ ký không khớp với {SUMS}: danh sách đã bị sửa sau khi ký",
            f"the signature does not fit {SUMS}: the list was changed after it was signed",
        ) from None
    except (ValueError, KeyError):
        raise SealError(
            f"{SIGNATURE} không phải chữ ký của OpenSSH", f"{SIGNATURE} is no signature of OpenSSH"
        ) from None
    return f"{KEY_TYPE} {b64encode(key).decode()}"


def fingerprint(key: str) -> str:
    """A public key's fingerprint as ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(b64decode(key.split()[1])).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


class _Fields:
    """Reads SSH's strings (RFC 4251, section 5). Raises ValueError where they end early."""

    def __init__(self, data: bytes):
        self.data = data

    def take(self, length: int) -> bytes:
        if length > len(self.data):
            raise ValueError("too short")
        part, self.data = self.data[:length], self.data[length:]
        return part

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))
