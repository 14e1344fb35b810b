"""The lab's own network on the machine: one bridge, one nftables table, one pair of sysctls; no routing, no NAT."""

from __future__ import annotations

import json
from pathlib import Path

from lab import aptcache, state
from lab.text import Text, run
from lab.topology import BRIDGE, GATEWAY4, GATEWAY6, NET4, NET6

_WHAT = Text("Dựng mạng của phòng lab", "Set up the lab's network")
_MARK = f"edumail-lab:{state.ROOT}"
# With br_netfilter loaded (Docker does it) these make the machine's own firewall filter traffic between two lab hosts.
_SYSCTLS = [Path("/proc/sys/net/bridge", f"bridge-nf-call-{kind}") for kind in ("iptables", "ip6tables")]
_SAVED = state.ROOT / "sysctl.json"

RULES = f"""\
table inet edumail_lab {{}}
delete table inet edumail_lab
table inet edumail_lab {{
    # The machine does not route for the lab; saying so (rather than staying silent) lets daemons fail at once.
    # The counter tells a test whether anything tried to get out.
    chain prerouting {{
        type filter hook prerouting priority -150; policy accept;
        iifname != "{BRIDGE}" accept
        ip daddr {{ {NET4}, 255.255.255.255, 224.0.0.0/4 }} accept
        ip6 daddr {{ {NET6}, fe80::/10, ff00::/8 }} accept
        meta l4proto tcp counter reject with tcp reset
        meta protocol {{ ip, ip6 }} counter reject with icmpx admin-prohibited
    }}
    # Of the machine itself the lab sees nothing but the package server.
    chain input {{
        type filter hook input priority -10; policy accept;
        iifname != {{ "lo", "{BRIDGE}" }} ip daddr {NET4} drop
        iifname != {{ "lo", "{BRIDGE}" }} ip6 daddr {NET6} drop
        iifname != "{BRIDGE}" accept
        ct state established,related accept
        meta l4proto {{ icmp, icmpv6 }} accept
        ip daddr {GATEWAY4} tcp dport {aptcache.PORT} accept
        ip protocol igmp drop
        meta l4proto tcp reject with tcp reset
        reject with icmpx admin-prohibited
    }}
}}
"""


def owner() -> str | None:
    """Return the mark of the lab that owns the bridge, "" for a bridge that no lab made, None if there is none."""
    alias = Path("/sys/class/net", BRIDGE, "ifalias")
    return alias.read_text().strip() if alias.exists() else None


def is_ours() -> bool:
    """Tell whether the bridge is there and belongs to this lab."""
    return owner() == _MARK


def up() -> None:
    """Make the bridge, its addresses and the rules; what is there already is left as it is."""
    if not is_ours():
        # No spanning tree delay and no multicast snooping: neighbour discovery must work from the first packet.
        options = ["forward_delay", "0", "stp_state", "0", "mcast_snooping", "0"]
        run(["ip", "link", "add", BRIDGE, "type", "bridge", *options], _WHAT)
        run(["ip", "link", "set", BRIDGE, "alias", _MARK], _WHAT)
    run(["ip", "link", "set", BRIDGE, "up"], _WHAT)
    run(["ip", "address", "replace", f"{GATEWAY4}/{NET4.prefixlen}", "dev", BRIDGE], _WHAT)
    run(["ip", "address", "replace", f"{GATEWAY6}/{NET6.prefixlen}", "dev", BRIDGE, "nodad"], _WHAT)
    run(["nft", "-f", "-"], _WHAT, stdin=RULES.encode())
    before = {str(path): path.read_text().strip() for path in _SYSCTLS if path.exists()}
    if not _SAVED.exists():
        _SAVED.write_text(json.dumps(before))
    for name, value in before.items():
        if value != "0":
            Path(name).write_text("0")


def stray_packets() -> int:
    """Return how many packets have tried to leave the lab since the last `up` (needs root); 0 is what a test wants."""
    listing = run(["nft", "--json", "list", "chain", "inet", "edumail_lab", "prerouting"], _WHAT)
    rules = [item["rule"]["expr"] for item in json.loads(listing)["nftables"] if "rule" in item]
    return sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)


def down() -> None:
    """Remove the bridge and the rules, and put the sysctls back; what is gone already is no error."""
    if _SAVED.exists():
        for name, value in json.loads(_SAVED.read_text()).items():
            if Path(name).exists():
                Path(name).write_text(value)
        _SAVED.unlink()
    run(["nft", "-f", "-"], _WHAT, stdin=b"table inet edumail_lab {}\ndelete table inet edumail_lab\n")
    if is_ours():
        run(["ip", "link", "delete", BRIDGE], _WHAT)
