"""How portals are served, as far as it can be told without a host: what nginx is told, whom to tell of a hole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import pytest
from conftest import LAB
from hypothesis import given
from hypothesis import strategies as st

from edumail.certificates import certificates, web_names
from edumail.model import Province
from edumail.portal.securitytxt import expires, security_txt
from edumail.units import Units, portal_host
from roles.common.inventory import Inventory
from roles.nginx.render import elsewhere, moved
from roles.nginx.render import tree as nginx
from roles.portal.render import ERRORS, site, tree


@dataclass(frozen=True)
class Configuration:
    """A host's nginx files as text."""

    nginx: dict[str, str]
    portal: str

    def map(self, text: str, variable: str) -> dict[str, str]:
        """A map of nginx, by what it looks up."""
        found = re.search(rf"^map \S+ \${variable} {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
        assert found, variable
        return dict(re.findall(r"^    (\S+) (\S+);$", found[1], re.MULTILINE))


@pytest.fixture(scope="module")
def lab() -> Inventory:
    return Inventory(LAB)


def configuration(lab: Inventory, name: str, locations: str = "", zones: str = "") -> Configuration:
    host = lab.province.hosts[name]
    portal = site(lab.pages, host, lab.certificates(host), locations, zones)
    files = nginx(lab.province, host, {"portal": portal}).files
    return Configuration({path: file.content.decode() for path, file in files.items()}, portal)


def test_the_gateway_passes_every_name_of_another_host_on_to_it(lab: Inventory) -> None:
    found = configuration(lab, "mail-so")
    names = found.map(found.nginx["stream.conf"], "host_of_name")
    assert names.pop("default") == "127.0.0.1:4430"
    assert names == {
        "thcssuoimo.suoimo.minhha.test": "198.18.37.12:443",
        "c2suoimo.minhha.test": "198.18.37.12:443",
        "thsuoimo.suoimo.minhha.test": "198.18.37.12:443",
        "vhxh.suoimo.minhha.test": "198.18.37.12:443",
        "www.thptsongque.test": "198.18.37.13:443",
    }
    plain = found.map(found.nginx["sites/elsewhere.conf"], "elsewhere")
    assert plain.pop("default") == '""'
    assert {name: f"{address}:443" for name, address in plain.items()} == names
    assert "rewrite ^ /elsewhere last;" in found.nginx["nginx.conf"]
    assert found.map(found.nginx["stream.conf"], "to") == {
        "default": "$host_of_name",
        "host:mail-xa.minhha.test": "198.18.37.12:443",
        "host:mail.thptsongque.test": "198.18.37.13:443",
    }


def test_only_the_gateway_passes_on(lab: Inventory) -> None:
    for name in ("mail-xa", "mail-thpt"):
        files = configuration(lab, name).nginx
        assert "stream.conf" not in files
        assert "sites/elsewhere.conf" not in files
        assert "elsewhere" not in files["nginx.conf"]
        assert "listen 443 ssl proxy_protocol;" in files["https.conf"]
        assert re.findall(r"set_real_ip_from (\S+);", files["nginx.conf"]) == ["198.18.37.11/32", "2001:db8:37::11/128"]


def test_every_name_of_a_portal_is_certified_where_it_is_served(lab: Inventory) -> None:
    province = lab.province
    for host in province.hosts.values():
        certified = {name for certificate in certificates(province, host) for name in certificate.names}
        for unit in province.units.values():
            if portal_host(unit) == host.name:
                assert set(unit.portal_names) <= certified & web_names(province, host)


def test_a_former_name_leads_to_the_present_one_and_has_no_pages(lab: Inventory) -> None:
    found = configuration(lab, "mail-xa")
    assert found.map(found.portal, "moved")["c2suoimo.minhha.test"] == "thcssuoimo.suoimo.minhha.test"
    assert "c2suoimo.minhha.test" not in found.map(found.portal, "site")
    assert moved(lab.province, elsewhere(lab.province, lab.province.hosts["mail-so"])) == {
        "c2suoimo.minhha.test": "thcssuoimo.suoimo.minhha.test"
    }


def test_what_programs_answer_stands_in_every_portal(lab: Inventory) -> None:
    found = configuration(lab, "mail-so", "    location = /tim-kiem {\n    }", "limit_req_zone x zone=y:1m rate=1r/s;")
    blocks = found.portal.split("\nserver {")
    assert "limit_req_zone" in blocks[0]
    for block in blocks[1:]:
        assert ("location = /tim-kiem" in block) == ("include https.conf;" in block)


def test_every_portal_says_whom_to_tell_of_a_hole(lab: Inventory) -> None:
    province, units = lab.province, Units(lab.province)
    found = set()
    for host in province.hosts.values():
        files = tree(lab.pages, host).files
        found |= {path for path in files if path.endswith("/.well-known/security.txt")}
        for unit in lab.pages.by_host[host.name]:
            expected = security_txt(unit, units.officer(unit), province.today)
            assert files[f"sites/{unit.id}/.well-known/security.txt"].content.decode() == expected
    assert len(found) == len(province.units)


def test_security_txt_is_as_rfc_9116_has_it(province: Province) -> None:
    unit = province.units["th-suoi-mo"]
    officer = Units(province).officer(unit)
    text = security_txt(unit, officer, date(2026, 11, 25))
    fields = [line.split(": ", 1) for line in text.splitlines()]
    assert fields == [
        ["Contact", f"mailto:{officer.address}"],
        ["Contact", "mailto:thsuoimo@suoimo.minhha.test"],
        ["Expires", "2027-06-20T23:59:59Z"],
        ["Preferred-Languages", "vi, en"],
        ["Canonical", "https://thsuoimo.suoimo.minhha.test/.well-known/security.txt"],
    ]


@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)))
def test_it_holds_for_five_months_at_least_and_for_less_than_a_year(today: date) -> None:
    assert timedelta(days=170) <= expires(today) - today < timedelta(days=365)


def test_it_changes_twice_a_year() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(730)]
    assert sum(expires(a) != expires(b) for a, b in pairwise(days)) == 3


def test_every_error_is_told_in_both_languages_without_a_script(lab: Inventory) -> None:
    files = tree(lab.pages, lab.province.hosts["mail-so"]).files
    for status, (vi, en) in ERRORS.items():
        page = files[f"errors/{status}.html"].content.decode()
        assert '<html lang="vi">' in page
        assert vi[0] in page
        assert f'lang="en">{en[0]}' in page
        assert "<script" not in page
        assert "style=" not in page
