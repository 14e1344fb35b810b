"""What a host lets in: the doors of edumail.ports, to whom they are for, and nothing else."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from edumail.ports import PEER_PORT, doors, sources, within
from lab import ssh
from lab.text import LabError
from lab.topology import GATEWAY4, GATEWAY6, INTERNET
from tests.lab.province import LabProvince
from tests.lab.test_deploy import deploy

# What people leave open, and what our own daemons listen on inside.
INTERESTING = [
    21, 22, 23, 24, 25, 53, 80, 110, 111, 113, 123, 135, 139, 143, 389, 443, 445, 465, 587, 631, 853, 873, 953, 993,
    1587, 1588,
    995, 2049, 2525, 3128, 3306, 3310, 4190, 5432, 6379, 8000, 8080, 8443, 8891, 8953, 9000, 10025, 11211, 11332,
    11333, 11334, 11335, 27017,
]  # fmt: skip
PORTS = sorted({*INTERESTING, *random.SystemRandom().sample(range(1024, 65536), 20)})

# An answer is a connection or a refusal; a packet that was dropped has none.
SCAN = textwrap.dedent("""
    import asyncio, json, sys
    asked = json.load(sys.stdin)
    async def answers(address, port):
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
            writer.close()
        except ConnectionRefusedError:
            pass
        except asyncio.TimeoutError:
            return None
        return [address, port]
    async def scan():
        found = await asyncio.gather(*(answers(a, p) for a in asked["addresses"] for p in asked["ports"]))
        print(json.dumps([one for one in found if one]))
    asyncio.run(scan())
""")

SCANNERS = {
    "control machine": ("", GATEWAY4, GATEWAY6),
    "internet": (INTERNET.name, INTERNET.ipv4, INTERNET.ipv6),
    "mail-so": ("mail-so", "198.18.37.11", "2001:db8:37::11"),
    "mail-xa": ("mail-xa", "198.18.37.12", "2001:db8:37::12"),
}


def answering(scanner: str, addresses: list[str], ports: list[int] = PORTS) -> set[tuple[str, int]]:
    """Which ports of which addresses answer ``scanner``, a lab host or "" for this machine."""
    asked = json.dumps({"addresses": addresses, "ports": ports})
    if scanner:
        said = ssh.call(scanner, f"python3 -c '{SCAN}'", stdin=asked.encode()).decode()
    else:
        said = subprocess.run(
            [sys.executable, "-c", SCAN], input=asked, text=True, check=True, capture_output=True
        ).stdout
    return {(address, port) for address, port in json.loads(said)}


@pytest.mark.parametrize("name", SCANNERS)
def test_exactly_the_doors_that_are_for_somebody_answer_them(province: LabProvince, name: str) -> None:
    scanner, *own = SCANNERS[name]
    expected, addresses = set(), []
    for host in province.province.hosts.values():
        if host.name == scanner:
            continue  # from inside everything answers
        for address, source in zip((host.ipv4, host.ipv6), map(ip_address, own), strict=True):
            addresses.append(str(address))
            for door in doors(host):
                if within(source, sources(province.province, host, door.to)):
                    expected.add((str(address), door.port))
    assert {port for _, port in expected} <= set(PORTS)
    assert answering(scanner, addresses) == expected


@pytest.mark.parametrize("host", ["mail-so", "mail-xa", "mail-thpt"])
def test_behind_every_open_door_somebody_listens_and_behind_no_shut_one(province: LabProvince, host: str) -> None:
    listening = province.run(host, "ss -Hltnu | awk '{print $5}'").split()
    outside = {int(port) for where, _, port in (word.rpartition(":") for word in listening) if not _loopback(where)}
    assert outside == {door.port for door in doors(province.province.hosts[host])}


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "[::1]"


def test_what_is_established_goes_on_when_its_door_is_shut(province: LabProvince) -> None:
    add, reload = "nft add element inet edumail peers4 '{ 198.18.37.1 }'", "systemctl reload nftables"
    province.run("mail-xa", add)
    try:
        with socket.create_connection((str(province.province.hosts["mail-xa"].ipv4), PEER_PORT), timeout=5) as client:
            assert client.recv(200).startswith(b"220")
            province.run("mail-xa", reload)
            with pytest.raises(TimeoutError):
                socket.create_connection((str(province.province.hosts["mail-xa"].ipv4), PEER_PORT), timeout=1)
            client.sendall(b"QUIT\r\n")
            assert client.recv(200).startswith(b"221")
    finally:
        province.run("mail-xa", reload)


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_the_tables_of_others_stay(province: LabProvince, verb: str) -> None:
    rules = "table ip nguoikhac { chain vao { type filter hook input priority 10; counter; }; }"
    province.run("mail-xa", f"nft '{rules}'")
    try:
        province.run("mail-xa", f"systemctl {verb} nftables")
        assert "counter" in province.run("mail-xa", "nft list table ip nguoikhac")
        assert "policy drop" in province.run("mail-xa", "nft list chain inet edumail input")
    finally:
        province.run("mail-xa", "nft delete table ip nguoikhac")


def test_an_administrators_own_table_is_loaded_with_ours(province: LabProvince) -> None:
    file = "/etc/nftables.d/nguoiquantri.nft"
    province.run("mail-xa", f"mkdir -p /etc/nftables.d && echo 'table ip nguoiquantri {{ }}' > {file}")
    try:
        province.run("mail-xa", "systemctl reload nftables && nft list table ip nguoiquantri")
    finally:
        province.run("mail-xa", "rm -r /etc/nftables.d; nft delete table ip nguoiquantri")


def test_rules_that_nft_refuses_never_go_live(province: LabProvince) -> None:
    province.run("mail-xa", "mkdir -p /etc/nftables.d && echo 'table ip hong { x }' > /etc/nftables.d/hong.nft")
    try:
        with pytest.raises(LabError, match="syntax error"):
            province.run("mail-xa", "systemctl reload nftables || { journalctl -u nftables -n 5 -o cat; false; }")
        assert "policy drop" in province.run("mail-xa", "nft list chain inet edumail input")
    finally:
        province.run("mail-xa", "rm -r /etc/nftables.d && systemctl reload nftables")


class TestSshNetworks:
    """From where SSH is let in."""

    @pytest.fixture
    def changed(self, inventory: Path, tmp_path: Path) -> Iterator[Path]:
        """A copy of the inventory, keys and all; the host is put back afterwards."""
        folder = tmp_path / "lab"
        shutil.copytree(inventory, folder, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder
        assert deploy(inventory, "--host", "mail-xa").returncode == 0

    def restrict(self, folder: Path, *networks: str) -> None:
        file = folder / "province.yml"
        file.write_text(file.read_text() + "".join(["ssh_networks:\n", *(f"  - {network}\n" for network in networks)]))

    def test_a_deploy_that_would_lock_itself_out_is_refused(self, province: LabProvince, changed: Path) -> None:
        before = province.run("mail-xa", "nft list table inet edumail | grep -v counter")
        self.restrict(changed, "203.0.113.0/24")
        line = (changed / "province.yml").read_text().splitlines().index("  - 203.0.113.0/24") + 1
        result = deploy(changed, "--host", "mail-xa")
        assert result.returncode == 1
        assert f"province.yml:{line}:3: " in result.stdout
        assert f"this deploy comes from {GATEWAY4}, which is in none of these networks" in result.stdout
        assert "Traceback" not in result.stdout + result.stderr
        assert province.run("mail-xa", "nft list table inet edumail | grep -v counter") == before

    def test_ssh_is_let_in_from_these_networks_only(self, province: LabProvince, changed: Path) -> None:
        addresses = [str(province.province.hosts["mail-xa"].ipv4), str(province.province.hosts["mail-xa"].ipv6)]
        self.restrict(changed, GATEWAY4, "2001:db8:37::/120")
        result = deploy(changed, "--host", "mail-xa")
        assert result.returncode == 0, result.stdout + result.stderr
        assert answering("", addresses, [22]) == {(address, 22) for address in addresses}
        # The IPv6 network holds the foreign host too, the IPv4 one does not.
        assert answering(INTERNET.name, addresses, [22]) == {(addresses[1], 22)}
