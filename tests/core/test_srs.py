"""Forwards that keep their authors: who has a domain for packed addresses, and who may do what with it."""

from __future__ import annotations

import re

import pytest

from edumail.dns import zones
from edumail.load import load
from edumail.mail import Mail
from edumail.model import Province, Published
from roles.postfix.render import tables, tree
from tests.core.conftest import LAB

XA, SO = "srs.mail-xa.minhha.test", "srs.mail-so.minhha.test"
NUMBERS = {"mail-xa": 11, "mail-thpt": 22}
KEYS = {name: Published(dkim=None, identity=f"{n}:" * 31 + f"{n}") for name, n in NUMBERS.items()}


@pytest.fixture(scope="module")
def province() -> Province:
    return load(LAB)


def table(province: Province, host: str, name: str) -> dict[str, str]:
    text = tables(Mail(province).host(host), KEYS)[name]
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_only_hosts_with_such_a_unit_pack(province: Province) -> None:
    mail = Mail(province)
    assert list(mail.host("mail-so").srs) == [SO, XA]
    assert list(mail.host("mail-xa").srs) == [XA]
    assert list(mail.host("mail-thpt").srs) == []
    assert "sieve-cleanup" not in tree(mail.host("mail-thpt"), 25, {}).files["master.cf"].content.decode()


def test_each_host_is_trusted_for_what_it_packs_itself(province: Province) -> None:
    assert XA in table(province, "mail-so", "peer_mail_xa")
    assert not {XA, SO} & table(province, "mail-so", "peer_mail_thpt").keys()
    assert SO not in table(province, "mail-so", "peer_mail_xa")


def test_no_stranger_sends_as_one_and_reports_find_the_host(province: Province) -> None:
    assert {XA, SO} <= table(province, "mail-so", "own").keys()
    assert table(province, "mail-so", "transport")[XA] == "peer:[mail-xa.minhha.test]:2525"
    assert table(province, "mail-so", "srs_reports") == {SO: "srs_here", XA: "srs_elsewhere"}
    assert not {XA, SO} & table(province, "mail-so", "inside").keys()


def test_only_addresses_of_its_own_domain_are_unpacked(province: Province) -> None:
    pattern = tables(Mail(province).host("mail-xa"), {})["srs.regexp"].split("/")[1]
    assert re.search(pattern, f"SRS0=aaaaaaaa=JO=ngoai.test=a@{XA}")
    for other in (f"SRS0=a@{SO}", f"a@{XA}", f"SRS0=a@{XA}.test", "SRS0=a@srs-mail-xa.minhha.test", f"@{XA}"):
        assert not re.search(pattern, other), other


def test_the_zones_say_where_reports_go_and_that_the_gateway_sends(province: Province) -> None:
    zone = zones(province, 1)["minhha.test"]
    for domain in ("srs.mail-so", "srs.mail-xa"):
        assert re.search(rf"^{domain} +MX +10 mail-so\.minhha\.test\.$", zone, re.MULTILINE)
        assert re.search(rf'^{domain} +TXT +"v=spf1 a:mail-so\.minhha\.test -all"$', zone, re.MULTILINE)
    assert "srs." not in zones(province, 1)["thptsongque.test"]
