"""The lab's DNS as text: the zones of its own, and what a host's unbound must know to find and trust all zones."""

from __future__ import annotations

from lab import web
from lab.topology import FOREIGN_DOMAIN, INTERNET, STRICT_DOMAIN, Machine, reverse_name, reverse_zones

_SOA = "$TTL 300\n@ SOA {mname} hostmaster.{domain}. 1 3600 600 604800 60\n@ NS {mname}\n"
_NS = f"ns.{FOREIGN_DOMAIN}."


def foreign(dkim_key: str, tlsa: str) -> str:
    """Return the foreign mail domain's zone; ``dkim_key`` is base64, ``tlsa`` the SHA-256 of the TLS key."""
    record = f"v=DKIM1; k=rsa; p={dkim_key}"
    dkim = " ".join(f'"{record[start : start + 200]}"' for start in range(0, len(record), 200))
    hosts = "".join(f"{name} A {INTERNET.ipv4}\n{name} AAAA {INTERNET.ipv6}\n" for name in ("ns", "mx"))
    return (
        _SOA.format(mname=_NS, domain=FOREIGN_DOMAIN)
        + hosts
        + web.RECORDS
        + f"""\
@ MX 10 mx
; a ministry, and an office of it
bo MX 10 mx
bo TXT "v=spf1 a:mx.{FOREIGN_DOMAIN} -all"
donvi.bo A {INTERNET.ipv4}
@ TXT "v=spf1 mx -all"
mx TXT "v=spf1 a -all"
lab._domainkey TXT {dkim}
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{FOREIGN_DOMAIN}"
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tlsrpt@{FOREIGN_DOMAIN}"
_25._tcp.mx TLSA 3 1 1 {tlsa}
"""
    )


def strict() -> str:
    """Return the zone of the domain with MTA-STS; the policy and the certificates are up to whoever tests with it."""
    hosts = "".join(f"{name} A {INTERNET.ipv4}\n{name} AAAA {INTERNET.ipv6}\n" for name in ("mx", "mta-sts"))
    return (
        _SOA.format(mname=_NS, domain=STRICT_DOMAIN)
        + hosts
        + """\
@ MX 10 mx
@ TXT "v=spf1 mx -all"
_dmarc TXT "v=DMARC1; p=reject"
_mta-sts TXT "v=STSv1; id=1"
"""
    )


def reverse(machines: tuple[Machine, ...]) -> dict[str, str]:
    """Return the two reverse zones, {name: text}, with a PTR record for each of ``machines``."""
    soa = _SOA.format(mname=_NS, domain=FOREIGN_DOMAIN)
    found = {}
    for zone, address in zip(reverse_zones(), ("ipv4", "ipv6"), strict=True):
        rows = [f"{reverse_name(getattr(machine, address))} PTR {machine.fqdn}.\n" for machine in machines]
        found[zone] = soa + "".join(rows)
    return found


def resolver(anchors: dict[str, list[str]]) -> str:
    """Return the file that tells a host's unbound about the lab: ``anchors`` maps each zone to its DNSKEY data.

    Every zone is asked at `internet` and validated from its own key, as there is no signed root above it. Everything
    else is asked there too, which refuses at once: no query leaves the lab.
    """
    lines = ["# Written by the lab: its zones, their keys, and no way out.", "server:"]
    # unbound answers these by itself (RFC 6761, RFC 6303) unless it is told not to.
    for name in ("test.", *(f"{zone}." for zone in reverse_zones()), "8.b.d.0.1.0.0.2.ip6.arpa."):
        lines.append(f'    local-zone: "{name}" nodefault')
    for zone, keys in sorted(anchors.items()):
        lines += [f'    trust-anchor: "{zone}. DNSKEY {key}"' for key in keys]
    servers = (INTERNET.ipv4, INTERNET.ipv6)
    for zone in sorted(anchors):
        lines += ["stub-zone:", f'    name: "{zone}"', *(f"    stub-addr: {address}" for address in servers)]
    lines += ["forward-zone:", '    name: "."', *(f"    forward-addr: {address}" for address in servers)]
    return "\n".join(lines) + "\n"
