"""What the letters of an audit say: each from its Subject on, with CRLF. No person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.header import Header
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

PLAIN = (
    "Subject: edumail audit\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Thư kiểm tra tự động / an automatic audit probe.\r\n"
).encode()
LETTERS = "ữ ệ ậ đ Ữ Ệ Ậ Đ"
"""Letters with two marks, and the one that has no decomposition: what a wrong character set breaks first."""
VIETNAMESE = (
    f"Subject: {Header(f'edumail audit {LETTERS}', 'utf-8').encode()}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    f"Content-Transfer-Encoding: 8bit\r\n\r\n{LETTERS}\r\n"
).encode()


@cache
def signed() -> bytes:
    """A message that a throw-away key signed (RFC 8551), the same for the whole audit; ends with one CRLF."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edumail audit")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    text = "Content-Type: text/plain; charset=utf-8\n\nThư có chữ ký / a signed message.\n"
    made = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(text.encode())
        .add_signer(certificate, key, hashes.SHA256())
        .sign(Encoding.SMIME, [pkcs7.PKCS7Options.DetachedSignature])
    )
    lines = made.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    body = b"\r\n".join(line for line in lines if not line.startswith(b"MIME-Version:")) + b"\r\n"
    return b"Subject: edumail audit\r\n" + body
