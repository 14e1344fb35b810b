"""The rules of the packet filter say what the table of doors says; who deploys is told from the connection."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_process import in_own_process

from edumail.fields import Network
from edumail.load import load
from edumail.model import Province
from edumail.ports import doors, sources
from roles.firewall.render import tree

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"
PROVINCE = load(LAB)


def rules(province: Province, host: str) -> str:
    return tree(province, province.hosts[host]).files["nftables.conf"].content.decode()


def elements(text: str, name: str) -> set[str]:
    found = re.search(rf"set {name} \{{([^}}]*?(?:elements = \{{ ([^}}]*) \}})?)\s*\}}", text)
    assert found is not None, name
    return set((found[2] or "").replace(",", " ").split())


@pytest.mark.parametrize("host", PROVINCE.hosts)
def test_every_door_is_opened_to_its_audience_and_no_other_port_is(host: str) -> None:
    target = PROVINCE.hosts[host]
    seen: dict[int, str] = {}
    for who, ports in re.findall(
        r"^ +(?:ip6? saddr @(\w+)[46] )?tcp dport \{ ([^}]*) \} accept$", rules(PROVINCE, host), re.M
    ):
        seen |= dict.fromkeys(map(int, ports.split(",")), who or "everyone")
    expected = {door.port: "peers" if door.to == "peers" else "everyone" for door in doors(target)}
    assert seen == expected


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(ip_network), min_size=1, max_size=5))
def test_networks_become_elements_of_the_right_family(networks: list[Network]) -> None:
    settings = PROVINCE.settings.model_copy(update={"ssh_networks": tuple(networks)})
    province = PROVINCE.model_copy(update={"settings": settings})
    text = rules(province, "mail-xa")
    for family in (4, 6):
        assert elements(text, f"admins{family}") == {str(n) for n in networks if n.version == family}
        peers = sources(province, province.hosts["mail-xa"], "peers")
        assert elements(text, f"peers{family}") == {str(n) for n in peers if n.version == family}
    assert "elements = {  }" not in text
    assert not re.search(r"^ +tcp dport [^\n]*\b22\b", text, re.M)


@pytest.mark.parametrize("host", PROVINCE.hosts)
def test_an_auditor_s_account_opens_no_connection(host: str) -> None:
    (out,) = re.findall(r"hook output priority filter; policy accept;\n(?: +#.*\n)*(.*)\n +\}", rules(PROVINCE, host))
    assert out.strip() == "ct state new meta skuid auditor reject with icmpx admin-prohibited"


@in_own_process
def test_the_connection_is_told_from_the_environment() -> None:
    from roles.firewall.facts import Connection, SshConnection

    fact = SshConnection()
    assert fact.process(["198.18.37.1 48942 198.18.37.12 22"]) == Connection(ip_address("198.18.37.1"), 22)
    assert fact.process(["fe80::1%eth0 48942 fe80::2%eth0 2022"]) == Connection(ip_address("fe80::1"), 2022)
    for unknown in ([], [""], ["x y z 22"], ["198.18.37.1 1 2"]):
        assert fact.process(unknown) == fact.default()
