"""The lab's pure parts: what it asks of a machine before it touches it, and the texts it derives."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from lab import aptcache, preflight, sources, topology, zones
from lab.text import LabError


def test_missing_commands_are_one_problem_that_names_the_packages():
    (problem,) = preflight.missing_commands(["nft", "ssh", "ssh-keygen"])
    assert problem.vi.endswith("apt-get install nftables openssh-client")
    assert problem.en.endswith("apt-get install nftables openssh-client")
    assert preflight.missing_commands([]) == []


def test_a_full_disk_is_told_with_path_need_and_have():
    (problem,) = preflight.disk_space(Path("/srv/lab"), free_mb=100, used_mb=0)
    for text in (problem.vi, problem.en):
        assert "/srv/lab" in text
        assert "100 MB" in text
        assert f"{preflight.NEEDED_MB} MB" in text


def test_what_the_lab_has_on_disk_already_need_not_be_found_again():
    assert preflight.disk_space(Path("/srv/lab"), free_mb=3000, used_mb=1500) == []


@pytest.mark.parametrize("taken", ["198.18.37.0/24", "198.18.37.11", "2001:db8:37::/64", "2001:db8:37::1"])
def test_a_route_into_the_labs_addresses_is_a_problem(taken: str):
    (problem,) = preflight.taken_ranges([{"dst": taken, "dev": "eth7"}], [])
    assert "eth7" in problem.vi
    assert "eth7" in problem.en


@pytest.mark.parametrize("wider", ["default", "198.18.0.0/15", "2001:db8::/32", "10.0.0.0/8"])
def test_a_wider_route_is_no_problem(wider: str):
    assert preflight.taken_ranges([{"dst": wider, "dev": "tun0"}], []) == []


def test_an_address_of_the_lab_on_a_foreign_interface_is_a_problem_and_on_its_own_bridge_is_not():
    def on(name: str) -> list[dict[str, object]]:
        return [{"ifname": name, "addr_info": [{"local": "198.18.37.1"}]}]

    assert preflight.taken_ranges([], on("docker0"))
    assert preflight.taken_ranges([], on(topology.BRIDGE)) == []


def test_a_port_that_another_program_listens_on_is_told_before_anything_is_installed(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(aptcache, "PORT", port)
        monkeypatch.setattr(aptcache, "running", lambda: False)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(shutil, "which", lambda name: None)
        (problem,) = [problem for problem in preflight.before_packages() if str(port) in problem.en]
        assert f"ss -ltnp 'sport = :{port}'" in problem.vi
        assert f"ss -ltnp 'sport = :{port}'" in problem.en
    assert preflight.taken_port(topology.GATEWAY4, port) == []


def test_the_lab_s_own_package_server_is_no_problem(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("", 0)) as ours:
        monkeypatch.setattr(aptcache, "PORT", ours.getsockname()[1])
        monkeypatch.setattr(aptcache, "running", lambda: True)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert not [problem for problem in preflight.before_packages() if "ss -ltnp" in problem.en]


@pytest.mark.parametrize("ask", [preflight.before_packages, preflight.preflight])
def test_an_ordinary_user_is_told_of_root_and_of_nothing_else(monkeypatch: pytest.MonkeyPatch, ask: object):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (problem,) = ask()  # type: ignore[operator]
    assert "sudo" in problem.vi
    assert "sudo" in problem.en


def test_suites_of_any_debian_release_become_the_labs_and_others_are_skipped():
    listing = "\n".join(
        [
            "'http://mirror.test/debian/dists/bookworm/InRelease' mirror.test_debian_dists_bookworm_InRelease 0 ",
            "'http://mirror.test/debian/dists/bookworm-updates/InRelease' x 0 ",
            "'http://mirror.test/debian/dists/bookworm-backports/InRelease' x 0 ",
            "'https://mirror.test/debian-security/dists/stable-security/InRelease' x 0 ",
            "'https://other.test/apt/dists/nodistro/InRelease' x 0 ",
            "'https://other.test/ubuntu/dists/noble/InRelease' x 0 ",
            "'cdrom://disc/dists/bookworm/InRelease' x 0 ",
        ]
    )
    found = sources.name_sources(sources.ours(listing))
    assert [(source.key, source.uri, source.suites) for source in found] == [
        ("debian", "http://mirror.test/debian", ("trixie", "trixie-updates")),
        ("debian-security", "https://mirror.test/debian-security", ("trixie-security",)),
    ]


def test_two_archives_of_one_name_get_two_keys():
    found = sources.name_sources([("http://a.test/debian", "trixie"), ("http://b.test/debian", "trixie-updates")])
    assert len({source.key for source in found}) == 2


def test_only_packages_and_lists_named_by_digest_are_kept_for_ever():
    assert aptcache.immutable("/debian/pool/main/p/postfix/postfix_3.deb")
    assert aptcache.immutable("/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/00")
    assert not aptcache.immutable("/debian/dists/trixie/InRelease")


def test_the_default_hosts_fit_together():
    assert topology.check(topology.DEFAULT) == topology.DEFAULT


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a-name-too-long"},
        {"name": "internet"},
        {"ipv4": "198.18.37.12"},
        {"ipv4": "10.0.0.1"},
        {"ipv6": "2001:db8:37::1"},
        {"ipv6": "nonsense"},
    ],
)
def test_a_host_that_does_not_fit_is_refused(change: dict[str, str]):
    first, *others = topology.DEFAULT
    with pytest.raises(LabError) as caught:
        topology.check([*others, replace(first, **change)])
    assert caught.value.to("vi") != caught.value.to("en")


def test_reverse_zones_hold_the_reverse_names():
    v4, v6 = topology.reverse_zones()
    assert topology.reverse_name("198.18.37.11") == f"11.{v4}."
    assert topology.reverse_name("2001:db8:37::11").endswith(f".{v6}.")
    assert v6.count(".") == 17


def test_every_host_has_its_ptr_records():
    text = "".join(zones.reverse(topology.DEFAULT).values())
    for machine in topology.DEFAULT:
        assert text.count(f" PTR {machine.fqdn}.") == 2


def test_a_resolver_trusts_each_zone_by_its_key_and_has_no_way_out():
    text = zones.resolver({"minhha.test": ["257 3 13 AAAA"]})
    assert 'trust-anchor: "minhha.test. DNSKEY 257 3 13 AAAA"' in text
    assert 'stub-zone:\n    name: "minhha.test"\n    stub-addr: 198.18.37.53' in text
    assert 'forward-zone:\n    name: "."\n    forward-addr: 198.18.37.53' in text
