"""Article 11: how portal and mail are run."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.test_article_4_mail import opened

STRONG = frozenset({"argon2", "bcrypt", "sha512_crypt", "sha256_crypt"})
"""Ways to hash a password that make each guess cost; all of them salted."""


@pytest.mark.requirement("C37-11.3.5")
def test_accounts_begin_without_a_password_and_keep_strong_hashes(audit: Audit, on: str, record: Record) -> None:
    accounts = opened(audit, on).facts["accounts"]
    for unit in audit.units(on):
        people = [a for a in accounts if a["unit"] == unit.id and a["person"] and a["state"] in ("waiting", "active")]
        waiting = [a for a in people if a["state"] == "waiting"]
        given = sorted(a["address"] for a in waiting if a["scheme"])
        weak = sorted(a["address"] for a in people if a["state"] == "active" and a["scheme"] not in STRONG)
        alike = sorted(a["address"] for a in people if a["alike"])
        kinds = Counter(str(a["scheme"]) for a in people if a["state"] == "active")
        evidence = [
            f"{len(people)} accounts; {len(waiting)} not begun, of these with a password: {', '.join(given) or 'none'}",
            f"hashes: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items())) or 'none yet'};"
            f" none or weak: {', '.join(weak) or 'none'}",
            f"the same hash as another account: {', '.join(alike) or 'none'}",
            "a password comes to be only by its owner, with a code that works once (edumail-accounts)",
        ]
        record(unit.id, "C37-11.3.5", "pass" if people and not (given or weak or alike) else "fail", evidence)
