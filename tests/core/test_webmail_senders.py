"""What the webmail is told of a province: who may write from which address, in forms that SQLite and PHP read."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

import pytest

from edumail.example import generate, write
from edumail.load import load
from edumail.mail import Mail
from roles.webmail.render import php_string, senders


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Mail:
    folder = tmp_path_factory.mktemp("province")
    write(generate(130, seed=1), folder)
    return Mail(load(folder))


def test_everybody_writes_from_what_postfix_lets_them_and_from_their_own_address_first(mail: Mail) -> None:
    told = defaultdict(list)
    for row in csv.DictReader(io.StringIO(senders(mail))):
        told[row["login"]].append(row["address"])
    allowed = defaultdict(set)
    for host in mail.province.hosts:
        for address, logins in mail.host(host).senders.items():
            for login in logins:
                allowed[login].add(address)
    assert {login: set(addresses) for login, addresses in told.items()} == allowed
    assert all(addresses[0] == login for login, addresses in told.items())
    assert any(len(addresses) > 1 for addresses in told.values())


def test_a_name_with_quotes_is_one_string_to_php() -> None:
    assert php_string(r"Sở 'mẫu' \ '") == r"'Sở \'mẫu\' \\ \''"
