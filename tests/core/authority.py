"""An authority for tests: it certifies any names for any time, as somebody could buy it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEM = serialization.Encoding.PEM


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: CertificateIssuerPrivateKeyTypes, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption)


class Authority:
    """A root, and what it has certified to sign for others."""

    def __init__(self, now: datetime = NOW):
        self.now = now
        self._root_key, self._key = new_key(), new_key()
        self.root = self._signed("goc", self._root_key, "goc", self._root_key, (), 3650, 1)
        self.intermediate = self._signed("trung gian", self._key, "goc", self._root_key, (), 3650, 1)

    def certify(
        self, key: CertificateIssuerPrivateKeyTypes, names: Sequence[str], days: float = 90, age: float = 1
    ) -> bytes:
        """A certificate in PEM, without the chain; it began ``age`` days ago and ends in ``days``."""
        return self._signed("", key, "trung gian", self._key, names, days, age)

    def _signed(
        self,
        subject: str,
        key: CertificateIssuerPrivateKeyTypes,
        issuer: str,
        signer: ec.EllipticCurvePrivateKey,
        names: Sequence[str],
        days: float,
        age: float,
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=age))
            .not_valid_after(self.now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=bool(subject), path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if subject:
            identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(identifier, critical=False).add_extension(usage, critical=True)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=not subject)
        return builder.sign(signer, hashes.SHA256()).public_bytes(PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])
