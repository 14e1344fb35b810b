"""Facts about a host itself: what its auditor sees alone, and what one command by sudo tells; asked for once."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from edumail.model import Host
from edumail.portal.securitytxt import expires
from edumail.ports import doors
from roles.base.render import units
from roles.common.paths import has_mail
from tests.circular.audit import NOT_UNDER_AUDIT, Audit, AuditError, HostAudit
from tests.circular.network import NO_WAY, TIMEOUT, Confined
from tests.rendered import render_one

SCRIPT = Path(__file__).with_name("hostfacts.py")
RESOLVER = "postfix-mta-sts-resolver"
APPLICATIONS = ("edumail-selfservice", "edumail-feedback")
DISKS = ("/", "/var", "/var/vmail", "/var/spool/postfix", "/var/log")
OWN_USERS = {
    "rspamd": "_rspamd",
    "redis-server": "redis",
    "unbound": "unbound",
    "chronyd": "_chrony",
    "qmgr": "postfix",
}
"""Process → the user of its own that Debian gives it, on every host."""
WORKERS = {
    "nginx": "www-data",
    "imap-login": "dovenull",
    "pop3-login": "dovenull",
    "clamd": "clamav",
    "freshclam": "clamav",
    "postsrsd": "postsrsd",
}
"""The same of what runs on some hosts, or has a master that must be root, or begins as root."""
CLOSED = (
    "/var/vmail",
    "/var/lib/edumail/accounts",
    "/etc/edumail/tls/host.key",
    "/etc/edumail/dkim/host.key",
    "/etc/shadow",
)
"""Places with letters, accounts and keys."""
SHUT = (21, 23, 110, 111, 119, 389, 445, 1587, 2525, 3306, 3310, 5432, 6379, 8080, 10001, 11332, 11333, 11334)
"""Ports that are often left open, and those of daemons that answer only inside a host or between hosts."""
LDAP = (389, 636)
KNOCK_SECONDS = 2.0
KNOCKS_AT_ONCE = 64
SECURITY_DAYS = 7
"""For how long a page that says whom to tell of a hole has to hold yet; a figure of this suite."""
RUNNING = ("active", "reloading")
SETTLED = (*RUNNING, "inactive", "failed")
"""What systemd says of a service that is neither being started nor stopped."""
SETTLE_SECONDS = 20.0
"""After which a host that is in the middle of a deploy or an update is asked again, once."""
ACCEPTING = ("accept", "jump", "goto", "vmap")
"""How a rule of nftables lets in what it matches, or leaves that to another place."""
DHCPV6_CLIENT = 546
AUDITOR_RUNS = "(root) NOPASSWD: /usr/local/sbin/edumail-audit"
"""What sudo says that an auditor may run."""
NO_AUDITOR = "!auditor,"
"""How Postfix's list of who may use sendmail(1) begins."""


class HostFacts:
    """One host under audit."""

    def __init__(self, audit: Audit, on: HostAudit):
        self.audit = audit
        self.on = on
        self.host: Host = audit.province.hosts[on.name]

    @cached_property
    def seen(self) -> dict[str, Any]:
        """The answers of :mod:`tests.circular.hostfacts`. Raises AuditError."""
        seen = self._look()
        if not settled(seen):
            time.sleep(SETTLE_SECONDS)
            seen = self._look()
        return seen

    def _look(self) -> dict[str, Any]:
        pages = ["edumail-search"] if "portal" in self.host.roles else []
        asked = {
            "units": [*(unit.name for unit in units(self.host)), *APPLICATIONS, *pages],
            "timers": ["edumail-accounts"],
            "processes": [*OWN_USERS, *WORKERS],
            "disks": list(DISKS),
            "places": list(CLOSED),
        }
        script = shlex.quote(SCRIPT.read_text(encoding="utf-8"))
        result = self.on.run(f"printf %s {script} | python3 - {shlex.quote(json.dumps(asked))}")
        if result.rc != 0:
            raise AuditError(f"{self.host.name}: {result.stderr.strip()[-300:]}")
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    @cached_property
    def system(self) -> dict[str, Any]:
        """What ``edumail-audit system`` tells."""
        answer: dict[str, Any] = self.on.ask("system")
        return answer

    @cached_property
    def trees(self) -> dict[str, dict[str, Any]]:
        """What ``edumail-audit trees`` tells of each role."""
        answer: dict[str, dict[str, Any]] = self._trees["roles"]
        return answer

    @property
    def deploying(self) -> bool:
        """Whether a deploy worked on the host while its trees were read."""
        return bool(self._trees["deploying"])

    @cached_property
    def _trees(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.on.ask("trees")
        return answer

    @cached_property
    def wanted(self) -> dict[str, str]:
        """The digest of each role's tree, as this checkout compiles it from the inventory at hand."""
        return self._compiled(self.audit.province.today)

    @property
    def roles(self) -> list[str]:
        """Those that this checkout gives the host, and those of which it still has a tree.

        No deploy takes one away but that of ``srs``, which comes and goes with a policy.
        """
        wanted, live = self._both()
        return sorted(wanted.keys() | live.keys())

    def _both(self) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        """What is wanted and what is live; the host sums up its files while this checkout compiles them."""
        with ThreadPoolExecutor(1) as beside:
            trees = beside.submit(lambda: self.trees)
            return self.wanted, trees.result()

    @cached_property
    def dated(self) -> list[str]:
        """A line where the live pages are those of the half-year before, and still hold."""
        live, today = self.trees.get("portal", {}).get("live"), self.audit.province.today
        day = still_good(today)
        if day is None or live in (None, self.wanted.get("portal")) or self._compiled(day).get("portal") != live:
            return []
        held = f"security.txt còn hạn đến / holds until {expires(day)}"
        return [f"portal: như bản mã này dựng ra cho ngày / as this checkout compiles it for {day}; {held}"]

    def _compiled(self, day: date) -> dict[str, str]:
        rendered = render_one(self.audit.folder, self.host.name, day)
        return {release.role: release.tree.digest for release in rendered.releases}

    def differing(self, role: str) -> list[str]:
        """In what the role's live files are not as this checkout compiles them; nothing: they are, to the byte.

        Pages say until when they hold and so change by the calendar: those of the half-year before are good as well, as
        long as they still hold. Raises AuditError where a deploy works on the host: it may end what differs.
        """
        wanted, trees = self._both()
        live = trees.get(role, {"active": "", "live": "", "wrong": ()})
        digest, found = wanted.get(role, ""), []
        if role == "portal" and self.dated:
            digest = live["live"]
        if role not in wanted:
            found.append(f"{role}: còn trên máy mà bản mã này không dựng ra / still there, but not of this checkout")
        elif live["live"] != digest:
            compiled = f"bản mã này dựng ra / this checkout compiles: {digest[:16]}"
            found.append(f"{role}: đang dùng / live: {live['live'][:16] or 'không có / none'}; {compiled}")
        elif live["active"] != digest:
            found.append(f"{role}: một lượt triển khai chưa xong / a deploy did not end")
        found += (f"{role}: {line}" for line in live["wrong"])
        if found and self.deploying:
            why = "đang có lượt triển khai / a deploy is under way"
            raise AuditError(f"{self.host.name}: {why}: {'; '.join(found[:3])}")
        return found

    @cached_property
    def answering(self) -> list[int] | None:
        """Which ports of :data:`SHUT` answer from where the audit runs though no door of the host is meant to.

        None: this machine does not get there.
        """
        try:
            address = self.audit.network.address(self.host.fqdn)
        except (OSError, Confined):
            return None
        meant = {door.port for door in doors(self.host) if door.to == "everyone"}
        answers = knocks(self.audit, address)
        return [port for port in SHUT if port not in meant and answers[port]]

    @property
    def filter_policy(self) -> str:
        """What the packet filter does with what comes in and no rule names; ``none`` without our table."""
        chains = [row["chain"] for row in self.system["rules"] if "chain" in row]
        ours = [chain for chain in chains if chain["table"] == "edumail" and chain.get("hook") == "input"]
        return str(ours[0]["policy"]) if ours else "none"

    @property
    def filter_ports(self) -> set[int]:
        """The TCP ports that some rule of our table accepts."""
        return {port for expressions in self._rules("input") for port in _accepted(expressions) or ()}

    def shuts(self, port: int) -> bool:
        """Whether our table lets nobody in at a TCP port."""
        return self.filter_policy == "drop" and port not in self.filter_ports and not self.filter_wide

    @property
    def filter_wide(self) -> list[str]:
        """Rules of our table that accept more than TCP ports which they name, and what no stranger opens with."""
        return [json.dumps(rule)[:200] for rule in self._rules("input") if _accepted(rule) is None]

    def _rules(self, chain: str) -> list[list[dict[str, Any]]]:
        """Those of a chain of our table, in their order."""
        rules = [row["rule"] for row in self.system["rules"] if "rule" in row]
        return [rule["expr"] for rule in rules if rule["table"] == "edumail" and rule["chain"] == chain]

    @property
    def down(self) -> list[str]:
        """Services that do not run."""
        stopped = [name for name, unit in self._services if unit.get("ActiveState") not in RUNNING]
        return [name for name in stopped if possible(name, self.seen)]

    @property
    def lost(self) -> list[str]:
        """Services that would not come back after a boot, or after a crash."""
        disabled = [name for name, unit in self._services if unit.get("UnitFileState") in ("disabled", "masked", "")]
        return disabled + [name for name, unit in self._services if unit.get("Restart") in ("no", None)]

    @property
    def _services(self) -> Iterable[tuple[str, dict[str, str]]]:
        """Without those that a socket starts when somebody asks: whether they answer is asked by asking."""
        return [(name, unit) for name, unit in self.seen["units"].items() if not name.startswith("edumail-")]

    @property
    def readable(self) -> list[str]:
        """Places of :data:`CLOSED` that the auditor, or anybody, could read; what lies in a closed folder can't be."""
        places = self.seen["places"].items()
        return [path for path, seen in places if seen["readable"] or _for_others(seen["access"])]

    @property
    def mixed(self) -> list[str]:
        """Daemons and applications that do not run as a user of their own."""
        running, owner = self.seen["users"], self.owner
        daemons = [name for name, own in OWN_USERS.items() if running.get(name) != [own] and possible(name, self.seen)]
        daemons += [name for name, own in WORKERS.items() if name in running and {own} != {*running[name]} - {"root"}]
        alone = Counter(owner.values())
        return daemons + [name for name, user in owner.items() if user in ("", "root") or alone[user] > 1]

    @property
    def owner(self) -> dict[str, str]:
        """Our applications, and the daemon whose process has no name of its own: as whom systemd runs each."""
        services = self.seen["units"].items()
        return {name: unit.get("User", "") for name, unit in services if name.startswith(("edumail-", RESOLVER))}

    @property
    def auditor_may(self) -> list[str]:
        """What else an auditor's account could do on the host than run the one command of an audit."""
        beyond = {
            "chạy lệnh khác qua sudo / run something else by sudo": self.seen["sudo"] != [AUDITOR_RUNS],
            "gửi thư / send mail": not self.seen["senders"].startswith(NO_AUDITOR),
            "mở kết nối / open connections": not _turned_away(self.seen["uid"], self._rules("output")),
        }
        return [what for what, could in beyond.items() if could]


def possible(name: str, seen: dict[str, Any]) -> bool:
    """Whether a service or process could run on the host at all: a container can't set its clock."""
    return bool(seen["container"] == "none" or name not in ("chrony", "chronyd"))


def settled(seen: dict[str, Any]) -> bool:
    """Whether no service was being started, stopped or restarted, and each daemon was there when it was looked for."""
    services = seen["units"].values()
    still = all(unit.get("ActiveState") in SETTLED and unit.get("Job", "") in ("", "0") for unit in services)
    return still and all(name in seen["users"] for name in OWN_USERS if possible(name, seen))


def _for_others(access: str) -> bool:
    return bool(access) and bool(int(access.split()[1], 8) & 0o7)


def _turned_away(user: int, rules: list[list[dict[str, Any]]]) -> bool:
    """Whether the first rule for what goes out refuses every new connection of the user."""
    match rules:
        case [[{"match": state}, {"match": owner}, {"reject": _}], *_]:
            new = state["left"] == {"ct": {"key": "state"}} and state["op"] in ("in", "==")
            theirs = owner == {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": user}
            return new and "new" in _members(state["right"]) and theirs
    return False


def _accepted(expressions: list[dict[str, Any]]) -> set[int] | None:
    """The TCP ports that a rule accepts; None: what it accepts is not told by ports."""
    if not any(verdict in part for part in expressions for verdict in ACCEPTING):
        return set()
    matches = [part["match"] for part in expressions if "match" in part]
    for match in matches:
        if match["left"] == {"payload": {"protocol": "tcp", "field": "dport"}} and match["op"] == "==":
            return _ports(match["right"])
    return set() if any(map(_harmless, matches)) else None


def _ports(right: Any) -> set[int] | None:
    found: set[int] = set()
    for member in _members(right):
        low, high = member["range"] if isinstance(member, dict) and "range" in member else (member, member)
        if not isinstance(low, int) or not isinstance(high, int):
            return None  # the name of a set that anybody may fill
        found |= set(range(low, high + 1))
    return found


def _harmless(match: dict[str, Any]) -> bool:
    """What our table accepts besides ports: the host's own, what is established, control messages, DHCPv6."""
    match match["left"]:
        case {"meta": {"key": "iif" | "iifname"}}:
            return match["op"] == "==" and bool(match["right"] == "lo")
        case {"ct": {"key": "state"}}:
            return match["op"] in ("in", "==") and {"established", "related"}.issuperset(_members(match["right"]))
        case {"payload": {"protocol": "icmp" | "icmpv6", "field": "type"}}:
            return True
        case {"payload": {"protocol": "udp", "field": "dport"}}:
            return match["op"] == "==" and bool(match["right"] == DHCPV6_CLIENT)
    return False


def _members(right: Any) -> list[Any]:
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    return right if isinstance(right, list) else [right]


def still_good(today: date) -> date | None:
    """The last day of the half-year before, while the ``security.txt`` of then holds for some days yet.

    All days of a half-year compile the same pages, and what is older has expired.
    """
    before = date(today.year, 6, 30) if today.month > 6 else date(today.year - 1, 12, 31)
    return before if expires(before) - today >= timedelta(SECURITY_DAYS) else None


def knock(address: str, port: int, seconds: float = KNOCK_SECONDS) -> bool | None:
    """Whether a TCP port takes a connection from here; None: nothing came back, or a router's word alone."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except TimeoutError:
        return None
    except OSError as error:
        return None if error.errno in NO_WAY else False
    return True


def knocks(audit: Audit, address: str) -> Mapping[int, bool | None]:
    """By port of :data:`SHUT` and :data:`LDAP` what :func:`knock` says of it at the address of a host.

    A silence takes seconds, so all hosts of this run are knocked at together.
    """
    known: dict[str, dict[int, bool | None]] = audit.kept.setdefault("knocks", {})
    if address not in known:
        addresses = {address}
        for name in audit.judged & audit.hosts.keys():
            with contextlib.suppress(OSError, Confined):  # that is for its own questions to tell
                addresses.add(audit.network.address(audit.province.hosts[name].fqdn))
        doors = [(each, port) for each in addresses - known.keys() for port in sorted({*SHUT, *LDAP})]
        with ThreadPoolExecutor(KNOCKS_AT_ONCE) as pool:
            for (each, port), answer in zip(doors, pool.map(lambda door: knock(*door), doors), strict=True):
                known.setdefault(each, {})[port] = answer
    return known[address]


def unseen(audit: Audit, name: str) -> str:
    """Why an audit can't tell what is on a host; empty when it can."""
    if not has_mail(audit.province.hosts[name]):
        return (
            f"{name}: máy chỉ phục vụ trang, không cho người kiểm tra vào, nên chưa xem được"
            " / serves pages alone and lets no auditor in, so it was not seen"
        )
    return "" if name in audit.hosts else f"{name}: {NOT_UNDER_AUDIT}: {audit.unreachable.get(name)}"


def shut_on_the_way(audit: Audit, port: int) -> str:
    """That a port is shut between this machine and all hosts under audit, or nothing.

    SSH leads to each of them, its own packet filter lets the port in, and still nothing comes back, not even a refusal.
    Where a host does not tell its filter, that is said: then nobody knows where the port is shut.
    """
    hosts: list[HostAudit] = []
    addresses, untold = list[str](), ""
    for on in audit.hosts.values():
        try:
            if port not in facts_of(audit, on.name).filter_ports:
                return ""
        except AuditError as error:
            untold = str(error)
        with contextlib.suppress(OSError, Confined):  # who can't be knocked at vouches for nothing
            addresses.append(audit.network.address(on.fqdn))
            hosts.append(on)
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        answers = list(pool.map(lambda address: knock(address, port, TIMEOUT), addresses))
    if not hosts or any(answer is not None for answer in answers):
        return ""
    if untold:
        return (
            f"không biết cổng {port} bị chặn ở máy chủ hay trên đường đi"
            f" / whether port {port} is shut at the host or on the way is not known: {untold}"
        )
    names = ", ".join(on.name for on in hosts)
    return (
        f"cổng {port} không máy chủ nào ({names}) trả lời máy này, dù tường lửa của chính chúng cho vào: bị chặn trên"
        f" đường đi, hãy kiểm tra từ mạng khác / port {port} of no host ({names}) answers this machine, though their"
        " own packet filters let it in: it is shut on the way, ask from another network"
    )


def facts_of(audit: Audit, on: str) -> HostFacts:
    """The facts about a host in this audit. Raises AuditError when it is not under audit."""
    if why := unseen(audit, on):
        raise AuditError(why)
    known: HostFacts = audit.kept.setdefault(f"facts of {on}", HostFacts(audit, audit.hosts[on]))
    return known
