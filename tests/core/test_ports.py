"""Which doors a host opens, to whom, and when a deploy would lock itself out."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import get_args

import pytest
from conftest import Inventory
from hypothesis import given
from hypothesis import strategies as st

from edumail.fields import Network
from edumail.load import load
from edumail.model import Host, HostRole, Province
from edumail.ports import EVERYWHERE, doors, objection, sources, within

GATEWAY, STORE, OTHER = "mail-so", "mail-xa", "mail-thpt"


def host(*roles: HostRole, **more: object) -> Host:
    return Host.model_validate({"name": "x", "fqdn": "x.minhha.test", "ipv4": "192.0.2.1", "roles": roles, **more})


def restricted(province: Province, *networks: str) -> Province:
    settings = province.settings.model_copy(update={"ssh_networks": tuple(map(ip_network, networks)) or None})
    return province.model_copy(update={"settings": settings})


@pytest.mark.parametrize(
    ("roles", "open_to_everyone"),
    [
        (["gateway"], {25, 80, 143, 443, 465, 587, 993, 995, 4190}),
        (["mailstore"], {80, 143, 465, 587, 993, 995, 4190}),
        (["portal"], {80}),
        (["mailstore", "portal"], {80, 143, 465, 587, 993, 995, 4190}),
        (["antivirus"], set()),
    ],
)
def test_a_host_opens_what_its_roles_need(roles: list[HostRole], open_to_everyone: set[int]) -> None:
    found = doors(host(*roles))
    assert {door.port for door in found if door.to == "everyone"} == open_to_everyone
    assert {door.port for door in found if door.to == "admins"} == {22}


@given(st.sets(st.sampled_from(get_args(HostRole)), min_size=1))
def test_mail_between_hosts_is_never_for_everyone(roles: set[HostRole]) -> None:
    found = doors(host(*sorted(roles)))
    assert {door.to for door in found if door.port == 2525} <= {"peers"}
    assert len({(door.port, door.to) for door in found}) == len({door.port for door in found}) == len(found)


def test_the_gateway_takes_mail_from_every_store_and_the_stores_from_the_gateway_only(province: Province) -> None:
    def peers(name: str) -> set[str]:
        return {str(network) for network in sources(province, province.hosts[name], "peers")}

    assert peers(GATEWAY) == {"198.18.37.12/32", "2001:db8:37::12/128", "198.18.37.13/32", "2001:db8:37::13/128"}
    assert peers(STORE) == peers(OTHER) == {"198.18.37.11/32", "2001:db8:37::11/128"}


def test_a_host_of_portals_takes_browsers_from_the_gateway_only(province: Province) -> None:
    for name in (STORE, OTHER):
        (door,) = (door for door in doors(province.hosts[name]) if door.port == 443)
        found = sources(province, province.hosts[name], door.to)
        assert [str(network) for network in found] == ["198.18.37.11/32", "2001:db8:37::11/128"]
    # A host without mail is nobody's peer, and the gateway still is its.
    alone = host("portal")
    changed = province.model_copy(update={"hosts": {**province.hosts, alone.name: alone}})
    assert [str(n) for n in sources(changed, alone, "peers")] == ["198.18.37.11/32", "2001:db8:37::11/128"]


def test_a_host_without_mail_or_without_ipv6_is_no_peer_there(province: Province) -> None:
    hosts = {
        name: one.model_copy(update={"ipv6": None} if name == STORE else {"roles": ("portal",)})
        for name, one in province.hosts.items()
        if name != GATEWAY
    }
    changed = province.model_copy(update={"hosts": {GATEWAY: province.hosts[GATEWAY], **hosts}})
    assert [str(n) for n in sources(changed, changed.hosts[GATEWAY], "peers")] == ["198.18.37.12/32"]


def test_ssh_is_open_to_everyone_unless_the_province_says_from_where(province: Province) -> None:
    target = province.hosts[STORE]
    assert sources(province, target, "admins") == EVERYWHERE
    networks = sources(restricted(province, "203.0.113.0/24", "2001:db8::7"), target, "admins")
    assert [str(network) for network in networks] == ["203.0.113.0/24", "2001:db8::7/128"]
    assert sources(restricted(province, "203.0.113.0/24"), target, "everyone") == EVERYWHERE


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    address = draw(addresses)
    return ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)


@given(st.lists(networks(), min_size=1), addresses)
def test_a_deploy_is_refused_exactly_when_it_could_not_come_back(
    province: Province, listed: list[Network], address: IPv4Address | IPv6Address
) -> None:
    from conftest import LAB

    changed = restricted(province, *map(str, listed))
    admitted = any(address in network for network in listed if network.version == address.version)
    assert within(address, listed) == admitted
    assert (objection(changed, LAB, changed.hosts[STORE], address, 22) is None) == admitted


def test_what_would_lock_a_deploy_out_is_named_where_it_stands(inventory: Inventory) -> None:
    inventory.replace("province.yml", "hostmaster:", "ssh_networks:\n  - 203.0.113.0/24\nhostmaster:")
    province = load(inventory.folder)
    line, _ = inventory.place("province.yml", "- 203.0.113.0/24")
    for address in (ip_address("198.18.37.1"), ip_address("2001:db8:37::1"), None):
        problem = objection(province, inventory.folder, province.hosts[STORE], address, 22)
        assert problem is not None
        assert (problem.code, str(problem.where)) == ("ssh-networks", f"province.yml:{line}:3")
        assert str(address or "") in problem.vi
        assert str(address or "") in problem.en
    assert objection(province, inventory.folder, province.hosts[STORE], ip_address("203.0.113.9"), 22) is None


def test_an_ssh_server_on_another_port_must_be_known(inventory: Inventory) -> None:
    somebody = ip_address("192.0.2.9")
    province = load(inventory.folder)
    problem = objection(province, inventory.folder, province.hosts[STORE], somebody, 2022)
    assert problem is not None
    line, column = inventory.place("hosts.yml", "name: mail-xa")
    assert (problem.code, str(problem.where)) == ("ssh-port", f"hosts.yml:{line}:{column}")

    inventory.replace("hosts.yml", "ipv4: 198.18.37.12", "ipv4: 198.18.37.12\n  ssh: {port: 2022}")
    province = load(inventory.folder)
    assert objection(province, inventory.folder, province.hosts[STORE], somebody, 2022) is None
    assert objection(province, inventory.folder, province.hosts[STORE], somebody, 22) is None


def test_networks_are_read_as_written(inventory: Inventory) -> None:
    inventory.replace(
        "province.yml", "hostmaster:", "ssh_networks: [10.0.0.0/8, 192.0.2.7, '2001:db8::/32']\nhostmaster:"
    )
    expected = (IPv4Network("10.0.0.0/8"), IPv4Network("192.0.2.7/32"), IPv6Network("2001:db8::/32"))
    assert load(inventory.folder).settings.ssh_networks == expected
