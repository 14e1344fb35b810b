"""First use of an account: a one-time code, a password that its owner chose, and nothing that a deploy takes away."""

from __future__ import annotations

import imaplib

import pytest

from lab.text import LabError
from tests.lab.province import LabProvince

NEWCOMER = "thoamt@suoimo.minhha.test"
HOST = "mail-xa"


def activate(province: LabProvince, code: str, password: str) -> str:
    return province.run(HOST, f"edumail-accounts activate {NEWCOMER}", stdin=f"{code}\n{password}\n")


def signs_in(province: LabProvince, password: str) -> bool:
    try:
        with province.network.imap(province.fqdn(NEWCOMER), NEWCOMER, password):
            return True
    except imaplib.IMAP4.error:
        return False


def test_an_account_is_activated_once_by_its_code(province: LabProvince) -> None:
    code = province.run(HOST, f"edumail-accounts code {NEWCOMER}").strip()
    with pytest.raises(LabError, match="characters"):
        activate(province, code, "ngan")
    with pytest.raises(LabError, match="wrong, expired or used"):
        activate(province, "aaaa-bbbb-cccc", "Mat khau du dai 1")
    assert not signs_in(province, "Mat khau du dai 1")
    activate(province, code, "Mat khau du dai 1")
    assert signs_in(province, "Mat khau du dai 1")
    assert f"active  {NEWCOMER}  th-suoi-mo" in province.run(HOST, "edumail-accounts list").splitlines()
    with pytest.raises(LabError, match="wrong, expired or used"):
        activate(province, code, "Mat khau du dai 2")
    assert signs_in(province, "Mat khau du dai 1")


def test_a_new_code_ends_the_old_one(province: LabProvince) -> None:
    old = province.run(HOST, f"edumail-accounts code {NEWCOMER}").strip()
    new = province.run(HOST, f"edumail-accounts code {NEWCOMER}").strip()
    with pytest.raises(LabError, match="wrong, expired or used"):
        activate(province, old, "Mat khau du dai 3")
    activate(province, new, "Mat khau du dai 3")
    assert signs_in(province, "Mat khau du dai 3")


def test_guessing_uses_a_code_up(province: LabProvince) -> None:
    code = province.run(HOST, f"edumail-accounts code {NEWCOMER}").strip()
    for _ in range(10):
        with pytest.raises(LabError, match="wrong, expired or used"):
            activate(province, "aaaa-bbbb-cccc", "Mat khau du dai 4")
    with pytest.raises(LabError, match="wrong, expired or used"):
        activate(province, code, "Mat khau du dai 4")


def test_hashes_are_argon2id_and_codes_are_not_kept(province: LabProvince) -> None:
    code = province.run(HOST, f"edumail-accounts code {NEWCOMER}").strip()
    database = "sqlite3.connect('/var/lib/edumail/accounts/accounts.db')"
    query = f"'SELECT hash, code FROM account WHERE address = ?', ('{NEWCOMER}',)"
    dump = province.run(
        HOST,
        f'python3 -c "import sqlite3; print(list({database}.execute({query})))"',
    )
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in dump
    assert code not in dump
    assert code.replace("-", "") not in dump
