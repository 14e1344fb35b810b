"""The province's internal certification authority: who it is, and the certificates it gives to hosts' public keys.

Private keys of hosts are made on the hosts; only their public halves come here. Time is always an argument.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397
"""Validity of a host's certificate: the longest that browsers have accepted since 2020."""
RENEW_DAYS = 60
"""A certificate with fewer days left than this is renewed by the next deploy."""
_BACKDATE = timedelta(hours=1)  # clocks of hosts and clients differ


@dataclass(frozen=True)
class Authority:
    """A certification authority: its certificate, and the key that signs (kept out of ``repr``)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.certificate.subject.rfc4514_string()})"

    @property
    def pem(self) -> bytes:
        """The authority's certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes) -> bytes:
        """The private key in PKCS #8 PEM, encrypted with ``passphrase``."""
        encryption = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes, passphrase: bytes) -> Authority:
        """Read back what :attr:`pem` and :meth:`key_pem` gave. Raises ValueError for a wrong passphrase or key."""
        loaded = serialization.load_pem_private_key(key, passphrase)
        parsed = x509.load_pem_x509_certificate(certificate)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != parsed.public_key():
            raise ValueError("the key does not belong to the certificate")
        return cls(parsed, loaded)


def new_authority(name: str, now: datetime) -> Authority:
    """A new authority with a P-256 key, valid for AUTHORITY_DAYS from ``now``; it signs hosts, no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def sign(authority: Authority, public_key_pem: bytes, names: Collection[str], now: datetime) -> bytes:
    """A PEM certificate for a host's public key and DNS ``names``, good as server and as client.

    Raises ValueError for a key that can't be read.
    """
    key = serialization.load_pem_public_key(public_key_pem)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in sorted(set(names))])
    issuer_id = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))  # names live in the extension; a common name is limited to 64 characters
        .issuer_name(authority.certificate.subject)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(alternatives, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def still_good(
    certificate_pem: bytes, public_key_pem: bytes, names: Collection[str], authority_pem: bytes, now: datetime
) -> bool:
    """Whether a host's certificate is the authority's, for this key and exactly these names, and not near its end."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        authority = x509.load_pem_x509_certificate(authority_pem)
        certificate.verify_directly_issued_by(authority)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # a certificate that can't be read or verified, for whatever reason, is replaced
        return False
    return (
        certificate.public_key() == serialization.load_pem_public_key(public_key_pem)
        and set(alternatives.get_values_for_type(x509.DNSName)) == set(names)
        and certificate.not_valid_before_utc <= now
        and now < certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS)
    )


def fingerprint(public_key_pem: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo in the form Postfix compares (``AA:BB:…``); it outlives a renewal."""
    digest = hashlib.sha256(_spki(public_key_pem)).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def dkim_value(public_key_pem: bytes) -> str:
    """The ``p=`` value of a DKIM record (RFC 6376, 3.6.1)."""
    return base64.b64encode(_spki(public_key_pem)).decode()


def _spki(public_key_pem: bytes) -> bytes:
    key = serialization.load_pem_public_key(public_key_pem)
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
