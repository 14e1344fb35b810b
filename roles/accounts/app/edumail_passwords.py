"""Passwords, one-time codes, passwords of programs and the second step (TOTP): made, kept and judged.

Only digests are kept. Wrong codes are counted in the database, so that a restart forgives none.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import unicodedata
from base64 import b64encode

from edumail_store import Refused, note_act, person, transaction
from passlib.context import CryptContext
from passlib.exc import TokenError
from passlib.totp import TOTP

CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is read wrongly on paper: i l o 0 1
CODE_LENGTH = 12  # 31^12: guessing is out of the question, and the tries below are counted all the same
CODE_TRIES = 10
TAG_LENGTH, APP_LENGTH = 5, 20
"""Of a program's password: how many letters find its row, and all of them; 74 bits are left to guess."""
MOST_APP_PASSWORDS = 20
MOST_CHARACTERS = 256
CLASSES = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
# Argon2id at OWASP's second setting: about 36 ms a sign-in, 19 MiB each. Dovecot verifies it. The others may come from
# another mail system; whoever signs in to the account pages with one of these gets the first.
CONTEXT = CryptContext(
    schemes=["argon2", "bcrypt", "sha512_crypt", "sha256_crypt", "ldap_salted_sha512", "ldap_salted_sha256"],
    deprecated="auto",
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
PREFIX = re.compile(r"\{(?:ARGON2ID?|BLF-CRYPT|CRYPT|SHA(?:256|512)-CRYPT)\}(?=\$)", re.IGNORECASE)
"""What Dovecot and OpenLDAP write before a hash that says itself what it is."""
NOBODY = CONTEXT.hash(secrets.token_hex())
"""Judged where there is no account, so that it takes as long."""


def digest(text: str) -> str:
    """What is kept of a code: neither its case nor what stands between its groups counts."""
    return hashlib.sha256("".join(c for c in text.lower() if c.isalnum()).encode()).hexdigest()


def _letters(length: int) -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def _grouped(text: str, size: int) -> str:
    return "-".join(text[at : at + size] for at in range(0, len(text), size))


def new_code(database: sqlite3.Connection, address: str, now: int) -> str:
    """A fresh one-time code for a person's account; an older one stops working. Only its digest is kept."""
    row = person(database, address)
    code = _letters(CODE_LENGTH)
    database.execute(
        "UPDATE account SET code = ?, code_expires = ?, code_tries = 0 WHERE address = ?",
        (digest(code), now + row["code_days"] * 86400, row["address"]),
    )
    # Whoever has shown the old code, and not yet chosen a password, has to begin anew.
    database.execute("DELETE FROM session WHERE address = ? AND stage = 'code'", (row["address"],))
    return _grouped(code, 4)


def try_code(database: sqlite3.Connection, address: str, code: str, now: int) -> sqlite3.Row:
    """The account that ``code`` opens; each try is counted. Raises Refused, with the same words for every reason."""
    row = database.execute(
        "UPDATE account SET code_tries = code_tries + 1 WHERE address = ? AND person IS NOT NULL"
        " AND state IN ('waiting', 'active') RETURNING *",
        (address.lower(),),
    ).fetchone()
    known = row["code"] if row is not None and row["code"] is not None else digest("")
    good = secrets.compare_digest(known, digest(code)) and row is not None and row["code"] is not None
    if not good or row["code_tries"] > CODE_TRIES or row["code_expires"] < now:
        raise Refused(
            "mã sai, hết hạn hoặc đã dùng; xin mã mới / the code is wrong, expired or used; ask for a new one"
        )
    return row


def check_password(row: sqlite3.Row, password: str) -> None:
    """Whether the account's policy takes a password. Raises Refused with the rule."""
    length, classes = row["password_characters"], row["password_classes"]
    found = sum(any(map(has, password)) for has in CLASSES)
    local = row["address"].partition("@")[0]
    if not length <= len(password) <= MOST_CHARACTERS or found < classes or local in password.casefold():
        raise Refused(
            f"mật khẩu cần ít nhất {length} ký tự, {classes} trong 4 loại (chữ thường, chữ hoa, chữ số, ký tự khác) và "
            f"không chứa địa chỉ thư / the password needs at least {length} characters, {classes} of 4 classes (lower "
            "case, upper case, digits, others), and must not hold the address"
        )


def opaque(password: str) -> str:
    """One form of what was typed: some devices write a letter and its mark as two characters (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password)


def hashed(row: sqlite3.Row, password: str) -> str:
    """What is kept of a password that the account's policy takes. Raises Refused with the rule."""
    password = opaque(password)
    check_password(row, password)
    return str(CONTEXT.hash(password))


def use_code(database: sqlite3.Connection, row: sqlite3.Row, hashed: str, now: int) -> None:
    """Set the password that the owner chose, by its hash, and use up the code of ``row``. Raises Refused.

    Whoever has a code may have lost everything else: passwords of programs and the second step end with it.
    """
    with transaction(database):
        done = database.execute(
            "UPDATE account SET hash = ?, state = 'active', code = NULL, totp = '', suspended = 0, seen = ?,"
            " changed = ? WHERE address = ? AND code = ?",
            (hashed, now, now, row["address"], row["code"]),
        )
        if done.rowcount != 1:
            raise Refused("mã đã dùng / the code is used")
        database.execute("DELETE FROM app_password WHERE address = ?", (row["address"],))
        _end(database, row["address"])


def activate(database: sqlite3.Connection, address: str, code: str, password: str, now: int) -> None:
    """Both at once: what the code opens gets the password. Raises Refused."""
    row = try_code(database, address, code, now)
    use_code(database, row, hashed(row, password), now)


def verify(database: sqlite3.Connection, address: str, password: str) -> sqlite3.Row | None:
    """The account, if it is active and that is its password; a hash of another system is renewed."""
    row = database.execute(
        "SELECT * FROM account WHERE address = ? AND person IS NOT NULL AND state = 'active'", (address.lower(),)
    ).fetchone()
    known = row["hash"] if row is not None and row["hash"] else NOBODY
    try:
        good, renewed = CONTEXT.verify_and_update(opaque(password[: MOST_CHARACTERS + 1]), known)
    except ValueError:
        good, renewed = False, None
    if not good or row is None:
        return None
    if renewed:
        database.execute("UPDATE account SET hash = ? WHERE address = ? AND hash = ?", (renewed, row["address"], known))
    return row


def change_password(database: sqlite3.Connection, row: sqlite3.Row, hashed: str, now: int) -> None:
    """Another password, by its hash; whoever is signed in with the old one is signed out. Raises Refused."""
    with transaction(database):
        done = database.execute(
            "UPDATE account SET hash = ?, changed = ? WHERE address = ? AND state = 'active'",
            (hashed, now, row["address"]),
        )
        if done.rowcount != 1:
            raise Refused("tài khoản không còn dùng được / the account is no longer in use")
        _end(database, row["address"])


def _end(database: sqlite3.Connection, address: str) -> None:
    """Sessions of the pages end here; those of mail programs by ``edumail-accounts end``."""
    database.execute("DELETE FROM session WHERE address = ?", (address,))
    database.execute("INSERT OR IGNORE INTO to_end VALUES (?)", (address,))


def new_app_password(database: sqlite3.Connection, address: str, label: str, now: int) -> str:
    """A password for one mail program; shown once. Its first group is how Dovecot finds the row. Raises Refused."""
    while True:
        password = _grouped(_letters(APP_LENGTH), TAG_LENGTH)
        # Nobody guesses 74 bits, so a fast hash is enough, and a morning of sign-ins costs less.
        hashed = "{SHA512}" + b64encode(hashlib.sha512(password.encode()).digest()).decode()
        with transaction(database):
            have = database.execute("SELECT count(*) FROM app_password WHERE address = ?", (address,)).fetchone()[0]
            if have >= MOST_APP_PASSWORDS:
                raise Refused(
                    f"đã có {have} mật khẩu ứng dụng; xóa bớt trước / there are {have} app passwords; delete one first"
                )
            done = database.execute(
                "INSERT OR IGNORE INTO app_password VALUES (?, ?, ?, ?, ?)",
                (address, password[:TAG_LENGTH], label, hashed, now),
            )
        if done.rowcount == 1:
            return password


def end_app_password(database: sqlite3.Connection, address: str, tag: str) -> bool:
    """Take a program's password away, and sign its sessions out; False when there is none."""
    with transaction(database):
        done = database.execute("DELETE FROM app_password WHERE address = ? AND tag = ?", (address, tag))
        if done.rowcount:
            database.execute("INSERT OR IGNORE INTO to_end VALUES (?)", (address,))
    return done.rowcount == 1


def new_totp_key() -> str:
    """A key for an authenticator (RFC 6238), in base 32."""
    return str(TOTP.new().base32_key)


def totp_uri(key: str, address: str, issuer: str) -> str:
    """What a QR code says to an authenticator."""
    return str(TOTP(key).to_uri(label=address, issuer=issuer))


def totp_counter(key: str, token: str, now: int, last: int = 0) -> int | None:
    """Which interval a number of the authenticator belongs to; None when it is wrong, old, or was used."""
    try:
        return int(TOTP(key).match(token, time=now, window=30, last_counter=last or None).counter)
    except (TokenError, ValueError, TypeError):
        return None


def use_totp(database: sqlite3.Connection, row: sqlite3.Row, token: str, now: int) -> bool:
    """Whether the second step is passed; each number works once."""
    counter = totp_counter(row["totp"], token, now, row["totp_counter"])
    if counter is None:
        return False
    done = database.execute(
        "UPDATE account SET totp_counter = ? WHERE address = ? AND totp = ? AND totp_counter < ?",
        (counter, row["address"], row["totp"], counter),
    )
    return done.rowcount == 1


def set_totp(database: sqlite3.Connection, address: str, key: str, counter: int) -> None:
    """Ask for the second step from now on; an empty key ends it. The number that proved the key is used up."""
    database.execute("UPDATE account SET totp = ?, totp_counter = ? WHERE address = ?", (key, counter, address))


def take_over(database: sqlite3.Connection, hashes: dict[str, str], now: int) -> dict[str, list[str]]:
    """Hashes of another mail system for accounts that nobody has used here yet: whose were taken, and whose not.

    A password that somebody chose here is never replaced. Raises Refused for a hash of an unknown kind.
    """
    hashes = {address: PREFIX.sub("", value) for address, value in hashes.items()}
    strange = sorted(address for address, value in hashes.items() if CONTEXT.identify(value) is None)
    if strange:
        raise Refused(f"loại băm không dùng được / unknown kind of hash: {', '.join(strange)}")
    taken = []
    with transaction(database):
        for address, value in hashes.items():
            done = database.execute(
                "UPDATE account SET hash = ?, state = 'active', code = NULL, seen = ?, changed = ?"
                " WHERE address = ? AND person IS NOT NULL AND state = 'waiting' AND hash IS NULL AND suspended = 0",
                (value, now, now, address.lower()),
            )
            if done.rowcount:
                note_act(database, "root", address.lower(), "take-over", "", now)
                taken.append(address)
    return {"taken": taken, "left": sorted(set(hashes) - set(taken))}
