"""Certificates that come as files: pairs ``secrets/certificates/NAME.pem`` and ``NAME.key``, judged before any use.

The folder is not for git; the public halves, which a deploy puts into ``published/``, are. Time is an argument; nothing
but these files is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edumail.pki import fingerprint
from edumail.problems import Problem, Where

FOLDER = "secrets/certificates"
PUBLISHED = "published/certificates"
"""Where a deploy leaves the certificates without their keys: whoever has none of the pairs compiles by them."""
WARN_DAYS = 30
"""A certificate with fewer days left is complained about; one of a short life when less than a sixth of it is left."""
_ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PEM = serialization.Encoding.PEM
_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Supplied:
    """A certificate that came as a pair of files, and is sound."""

    id: str
    names: frozenset[str]
    """DNS names, some with ``*`` for their first label."""
    not_after: datetime
    fingerprint: str
    """SHA-256 of the public key, as :func:`edumail.pki.fingerprint` gives it."""
    content: bytes = field(repr=False)
    """In PEM: the private key, the certificate, those of the authorities between it and a root."""

    def covers(self, name: str) -> bool:
        """Whether clients take it for ``name`` (RFC 9525, 6.3: ``*`` stands for one whole label)."""
        return name in self.names or "*." + name.partition(".")[2] in self.names

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def chain(self) -> bytes:
        """The content without the key."""
        return self.content[self.content.index(_BEGIN) :]


@dataclass
class Supply:
    """What was found in the folder: pairs that can be used, mistakes, and what somebody should look at soon."""

    pairs: list[Supplied] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def read(inventory: Path, now: datetime) -> Supply:
    """All pairs of the inventory. Raises OSError when a file can't be read; a folder that is not there is empty."""
    supply = Supply()
    for path in sorted((inventory / FOLDER).glob("*")):
        where = Where(f"{FOLDER}/{path.name}")
        if path.suffix not in (".pem", ".key") or not _ID.fullmatch(path.stem):
            if not path.name.startswith("."):
                supply.problems.append(
                    Problem(
                        where,
                        "unknown-file",
                        "chỉ đọc cặp TÊN.pem và TÊN.key (chữ thường không dấu, chữ số, gạch nối); đổi tên hoặc xóa",
                        "only pairs NAME.pem and NAME.key are read (lower case, digits, hyphens); rename or delete it",
                    )
                )
        elif not path.with_suffix(".key" if path.suffix == ".pem" else ".pem").exists():
            other = ".key" if path.suffix == ".pem" else ".pem"
            supply.problems.append(
                Problem(where, "half-pair", f"thiếu {path.stem}{other}", f"{path.stem}{other} is missing")
            )
        elif path.suffix == ".pem":
            _judge(path, now, supply)
    return supply


def publish(inventory: Path, pairs: Iterable[Supplied]) -> None:
    """Have the inventory's public halves be those of ``pairs``, each whole or not at all, and no others."""
    folder = inventory / PUBLISHED
    wanted = {f"{pair.id}.pem": pair.chain for pair in pairs}
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
    for name, chain in wanted.items():
        staged = folder / f".{name}.new"
        staged.write_bytes(chain)
        staged.replace(folder / name)
    for path in folder.glob("*"):
        if path.name not in wanted:
            path.unlink()
    if not wanted and folder.is_dir():
        folder.rmdir()


def is_published(inventory: Path, pairs: Iterable[Supplied]) -> bool:
    """Whether :func:`publish` has nothing to do."""
    return _published(inventory) == {f"{pair.id}.pem": pair.chain for pair in pairs}


def read_published(inventory: Path) -> list[Supplied]:
    """The public halves: pairs whose content has no key. Raises ValueError for what is no certificate.

    Whether they are valid now is not asked: what a host should have does not change on the day that one ends.
    """
    result = []
    for name, chain in sorted(_published(inventory).items()):
        leaf = x509.load_pem_x509_certificates(chain)[0]
        result.append(_pair(name.removesuffix(".pem"), leaf, chain))
    return result


def _published(inventory: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in (inventory / PUBLISHED).glob("*.pem")}


def _pair(id: str, leaf: x509.Certificate, content: bytes) -> Supplied:
    public = leaf.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Supplied(id, frozenset(_names(leaf)), leaf.not_valid_after_utc, fingerprint(public), content)


def _judge(path: Path, now: datetime, supply: Supply) -> None:
    def complain(code: str, vi: str, en: str, suffix: str = ".pem") -> None:
        supply.problems.append(Problem(Where(f"{FOLDER}/{path.stem}{suffix}"), code, vi, en))

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        complain(
            "not-a-certificate",
            "không đọc được chứng thư dạng PEM (-----BEGIN CERTIFICATE-----)",
            "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
        )
        return
    try:
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
    except TypeError:
        complain(
            "key-has-password",
            "khóa có mật khẩu, máy chủ không mở được; bỏ mật khẩu: openssl pkey -in CŨ -out MỚI",
            "the key has a password, and no host could open it; take it off: openssl pkey -in OLD -out NEW",
            ".key",
        )
        return
    except (ValueError, UnsupportedAlgorithm):
        complain(
            "not-a-key",
            "không đọc được khóa bí mật dạng PEM (-----BEGIN PRIVATE KEY-----)",
            "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
            ".key",
        )
        return
    if not (
        isinstance(key, ec.EllipticCurvePrivateKey) or (isinstance(key, rsa.RSAPrivateKey) and key.key_size > 2047)
    ):
        complain(
            "weak-key",
            "khóa phải là RSA từ 2048 bit hoặc ECDSA",
            "the key must be RSA of 2048 bits or more, or ECDSA",
            ".key",
        )
        return
    leaf = chain[0]
    if leaf.public_key() != key.public_key():
        if key.public_key() in [other.public_key() for other in chain]:
            complain(
                "chain-order",
                "chứng thư của chính máy chủ phải đứng đầu, rồi đến các chứng thư trung gian",
                "the server's own certificate must come first, then those between it and the root",
            )
        else:
            complain(
                "key-does-not-fit",
                f"{path.stem}.key không phải khóa của chứng thư này",
                f"{path.stem}.key is not the key of this certificate",
            )
        return
    for number, (certificate, issuer) in enumerate(pairwise(chain), 1):
        if not _issued_by(certificate, issuer):
            complain(
                "chain-order",
                f"chứng thư thứ {number} không do chứng thư thứ {number + 1} cấp; xếp lại từ của máy chủ đến gốc",
                f"certificate {number} was not issued by number {number + 1}; order them from the server's to the root",
            )
            return
    if not _names(leaf):
        complain("no-names", "chứng thư không có tên DNS nào", "the certificate has no DNS names")
    elif leaf.not_valid_after_utc <= now or leaf.not_valid_before_utc > now:
        begins, ends = leaf.not_valid_before_utc.date(), leaf.not_valid_after_utc.date()
        complain(
            "not-valid-now",
            f"chỉ có hiệu lực từ {begins} đến {ends}; thay bằng chứng thư còn hạn, hoặc xóa cặp tệp này",
            f"is valid from {begins} to {ends} only; put a valid one in its place, or delete the pair",
        )
    else:
        content = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        content += b"".join(certificate.public_bytes(_PEM) for certificate in chain)
        supply.pairs.append(_pair(path.stem, leaf, content))
        supply.notes += _notes(Where(f"{FOLDER}/{path.name}"), chain, now)


def _notes(where: Where, chain: list[x509.Certificate], now: datetime) -> Iterator[Problem]:
    leaf = chain[0]
    left = leaf.not_valid_after_utc - now
    if left < min(timedelta(WARN_DAYS), (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 6):
        yield Problem(
            where,
            "expires-soon",
            f"còn {left.days} ngày là hết hạn; đặt chứng thư mới vào đây rồi triển khai lại",
            f"expires in {left.days} days; put the next one here and deploy",
        )
    if len(chain) == 1 and leaf.issuer != leaf.subject:
        yield Problem(
            where,
            "no-intermediate",
            "chỉ có chứng thư của máy chủ; nếu nơi cấp có chứng thư trung gian thì nối thêm vào sau",
            "has the server's certificate only; if the authority has certificates in between, append them",
        )


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    with contextlib.suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name.lower() for name in alternatives.get_values_for_type(x509.DNSName)]
