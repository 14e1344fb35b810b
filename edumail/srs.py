"""Forwards that keep their authors (Sender Rewriting Scheme): in which domains the packed addresses stand.

A host may send for its own addresses only, so each packs in a domain of its own and alone can unpack what it packed.
Reports come to the gateway, which hands them to that host.
"""

from __future__ import annotations

from collections.abc import Mapping

from edumail.model import Host, Province
from edumail.policies import Policies


def srs_domain(host: Host) -> str:
    """The domain of the addresses that a host packs."""
    return f"srs.{host.fqdn}"


def srs_hosts(province: Province, policies: Mapping[str, Policies]) -> dict[str, Host]:
    """Domain → host, of the hosts with a unit whose policies want it; ``policies`` by unit."""
    wanted = {unit.host for unit in province.units.values() if policies[unit.id].external_forward_sender == "srs"}
    return {srs_domain(host): host for host in province.hosts.values() if host.name in wanted}
