"""What the audit makes of a host: updates that wait, and the rules of its packet filter as nftables 1.1 has them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.model import Province
from tests.circular import host as host_facts
from tests.circular import hostfacts, servers
from tests.circular import network as network_of
from tests.circular import test_article_3_general as article_3
from tests.circular import test_article_11_operation as article_11
from tests.circular.audit import AuditError
from tests.circular.host import OWN_USERS, SETTLE_SECONDS, HostFacts
from tests.circular.network import Confined, Network
from tests.circular.pages import get

SIMULATED = """Reading package lists...
Inst openssl [3.5.1-1] (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])
Inst tzdata [2025a-1] (2025b-1 Debian:13.1/stable [all])
"""


def seen(**facts: Any) -> dict[str, Any]:
    release = {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian 13"}
    good = {"release": release, "upgrade_timer": "enabled", "upgrade_on": True, "lists_age": 0.4, "pending": []}
    return good | {"known_age": 9.0, "ran_age": 9.0, "reboot": False} | facts


def one_unit(on: str) -> Any:
    """An audit of one unit on a host, which the gateway is not judged beside."""
    unit = SimpleNamespace(id="so", host=on, portal_host=on)
    gateway = SimpleNamespace(name="mail-so")
    return SimpleNamespace(units=lambda on: [unit], mail=SimpleNamespace(gateway=gateway), unseen={})


TODAY = {"known_age": 0.2, "ran_age": 0.9}


@pytest.mark.parametrize(
    ("facts", "verdict", "said"),
    [
        ({}, "not-tested", "wait: 0; danh sách gói / package lists: 0 ngày / days"),
        ({"pending": ["openssl"]} | TODAY, "not-tested", "wait: openssl; danh sách gói / package lists: 0 ngày / days"),
        ({"pending": ["openssl"]} | TODAY, "not-tested", "not for long (at most 2 days): known here for 0 at"),
        (
            {"pending": ["openssl"]} | TODAY | {"known_age": 2.1},
            "fail",
            "THEY WAIT TOO LONG (at most 2 days): known here for 2 at",
        ),
        (
            {"pending": ["openssl"]} | TODAY | {"ran_age": 4.0},
            "fail",
            "TOO LONG (at most 2 days): known here for 0 at the least, last installed by itself 4",
        ),
        (
            {"pending": ["openssl"]} | TODAY | {"ran_age": None},
            "fail",
            "known here for 0 at the least, last installed by itself ? ago",
        ),
        ({"reboot": True}, "not-tested", "open: có bản vá chỉ có hiệu lực khi máy khởi động lại"),
        ({"pending": None}, "fail", "wait: apt-get KHÔNG BIẾT / CAN'T TELL"),
        ({"lists_age": None}, "fail", "lists: KHÔNG CÓ / NOT THERE"),
        ({"lists_age": 9.0}, "fail", "lists: 9 ngày / days, QUÁ CŨ / TOO OLD"),
        ({"lists_age": 9.0, "pending": ["openssl"]}, "fail", "lists: 9 ngày / days, QUÁ CŨ / TOO OLD"),
    ],
)
def test_updates_that_nobody_can_know_of_are_none_that_are_installed(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], verdict: str, said: str
) -> None:
    monkeypatch.setattr(article_3, "facts_of", lambda audit, on: SimpleNamespace(seen=seen(**facts)))
    audit = one_unit("mail-so")
    found: list[tuple[str, str, str, list[str]]] = []
    article_3.test_hosts_take_security_updates_by_themselves(audit, "mail-so", lambda *row: found.append(row))
    ((_, _, given, evidence),) = found
    assert given == verdict
    assert said in " | ".join(evidence)


def test_an_apt_that_fails_is_not_one_that_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for printed, pending in ((SIMULATED, ["openssl"]), ("Reading package lists...\n", []), ("", None)):
        monkeypatch.setattr(
            hostfacts, "said", lambda *command, printed=printed: printed if "--with-new-pkgs" in command else ""
        )
        assert hostfacts.pending() == pending


def test_lists_are_as_old_as_their_last_update(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lists, stamp = tmp_path / "lists", tmp_path / "stamp"
    monkeypatch.setattr(hostfacts, "LISTS", lists)
    monkeypatch.setattr(hostfacts, "FETCHED", (lists, stamp))
    assert hostfacts.lists_age() is None
    lists.mkdir()
    stamp.touch()
    assert hostfacts.lists_age() is None, "a folder that was emptied a moment ago"
    (lists / "lists.example_debian_dists_trixie_main_binary-amd64_Packages.lz4").touch()
    for path, days in ((lists, 9), (stamp, 5)):
        os.utime(path, (0, time.time() - 86400 * days))
    assert hostfacts.lists_age() == pytest.approx(5, abs=0.1)
    stamp.unlink()
    assert hostfacts.lists_age() == pytest.approx(9, abs=0.1)


def test_an_update_has_waited_since_its_list_came_but_no_longer_than_the_host_has_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began, ran, lists = tmp_path / "60edumail", tmp_path / "stamp", tmp_path / "lists"
    lists.mkdir()
    monkeypatch.setattr(hostfacts, "BEGAN", began)
    monkeypatch.setattr(hostfacts, "RAN", ran)
    monkeypatch.setattr(hostfacts, "LISTS", lists)
    later = time.time() + 5 * 86400
    monkeypatch.setattr(hostfacts, "time", SimpleNamespace(time=lambda: later))

    def at(path: Path, ago: float) -> None:
        path.touch()
        os.utime(path, (0, later - ago * 86400))

    assert (hostfacts.known_age(), hostfacts.ran_age()) == (None, None)
    at(lists / "example_debian_dists_trixie_main_binary-amd64_Packages.lz4", 1)
    assert hostfacts.known_age() is None
    at(lists / "example_debian-security_dists_trixie-security_main_binary-amd64_Packages.lz4", 30)
    assert hostfacts.known_age() == pytest.approx(5, abs=0.1), "when it came, not when it was published"
    at(began, 9)
    assert (hostfacts.known_age(), hostfacts.ran_age()) == pytest.approx((5, 9), abs=0.1)
    at(ran, 3)
    assert hostfacts.ran_age() == pytest.approx(3, abs=0.1)
    at(began, 0)
    assert (hostfacts.known_age(), hostfacts.ran_age()) == pytest.approx((0, 0), abs=0.1), "just deployed"


def field(protocol: str, name: str, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": name}}, "right": right}}


def state(*states: str) -> dict[str, Any]:
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": list(states)}}


LOCAL = {"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}
ACCEPT: dict[str, Any] = {"accept": None}
SADDR = field("ip6", "saddr", {"prefix": {"addr": "fe80::", "len": 10}})
OURS: list[list[dict[str, Any]]] = [
    [LOCAL, ACCEPT],
    [state("established", "related"), ACCEPT],
    [state("invalid"), {"drop": None}],
    [field("icmp", "type", {"set": ["destination-unreachable", "echo-request"]}), ACCEPT],
    [field("ip6", "hoplimit", 255), field("icmpv6", "type", {"set": ["nd-router-advert"]}), ACCEPT],
    [SADDR, field("icmpv6", "type", "mld-listener-query"), ACCEPT],
    [SADDR, field("udp", "sport", 547), field("udp", "dport", 546), ACCEPT],
    [field("tcp", "dport", {"set": [22, 25, {"range": [8000, 8002]}]}), ACCEPT],
    [field("ip", "saddr", "@hosts4"), field("tcp", "dport", 24), ACCEPT],
    [{"counter": {"packets": 0, "bytes": 0}}],
]
"""Of each kind that templates/firewall has."""


def facts(*rules: list[dict[str, Any]]) -> HostFacts:
    audit: Any = SimpleNamespace(province=SimpleNamespace(hosts={"h": None}))
    on: Any = SimpleNamespace(name="h")
    made = HostFacts(audit, on)
    made.system = {"rules": [{"rule": {"table": "edumail", "chain": "input", "expr": expr}} for expr in rules]}
    return made


def test_our_own_rules_open_their_ports_and_no_more() -> None:
    assert facts(*OURS).filter_ports == {22, 24, 25, 8000, 8001, 8002}
    assert facts(*OURS).filter_wide == []


@pytest.mark.parametrize(
    "rule",
    [
        [ACCEPT],
        [{"counter": {"packets": 0, "bytes": 0}}, ACCEPT],
        [field("ip", "saddr", {"prefix": {"addr": "10.0.0.0", "len": 8}}), ACCEPT],
        [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}, ACCEPT],
        [field("tcp", "dport", 22, "!="), ACCEPT],
        [field("tcp", "dport", "@ports"), ACCEPT],
        [field("udp", "dport", 53), ACCEPT],
        [state("established", "new"), ACCEPT],
        [{"match": {"op": "!=", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, ACCEPT],
        [{"jump": {"target": "other"}}],
        [{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[22, ACCEPT]]}}}],
    ],
)
def test_a_rule_that_lets_in_more_than_ports_is_seen(rule: list[dict[str, Any]]) -> None:
    wide = facts(*OURS, rule)
    assert len(wide.filter_wide) == 1
    assert wide.filter_ports == facts(*OURS).filter_ports


def test_a_rule_that_lets_everything_in_makes_a_host_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    host = SimpleNamespace(name="h", roles=[])
    monkeypatch.setattr(article_3, "doors", lambda host: [SimpleNamespace(port=22)])
    found = []
    for rules in ([[field("tcp", "dport", 22), ACCEPT]], [[field("tcp", "dport", 22), ACCEPT], [ACCEPT]]):
        made: Any = facts(*rules)
        made.host, made.answering = host, []
        made.seen = {"journal": {}, "signatures_age": None, "container": "lxc", "clock": ""}
        made.system["sshd"] = {}
        made.audit.province = SimpleNamespace(log_retention_days=1, hosts={"h": host})
        found.append({line for line in article_3._protection(made)[0] if "rules that accept" in line})
    assert [len(lines) for lines in found] == [0, 1]
    assert found[1].pop().endswith(' / rules that accept more than ports: [{"accept": null}]')


OWNER = {"match": {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": 998}}
REJECT = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}


@pytest.mark.parametrize(
    ("change", "out", "beyond"),
    [
        ({}, [[state("new"), OWNER, REJECT]], []),
        ({}, [[state("established", "new"), OWNER, REJECT], [ACCEPT]], []),
        ({"sudo": ["(root) NOPASSWD: ALL"]}, [[state("new"), OWNER, REJECT]], ["run something else by sudo"]),
        ({"senders": "static:anyone"}, [[state("new"), OWNER, REJECT]], ["send mail"]),
        ({"senders": ""}, [[state("new"), OWNER, REJECT]], ["send mail"]),
        ({}, [], ["open connections"]),
        ({"uid": 997}, [[state("new"), OWNER, REJECT]], ["open connections"]),
        ({}, [[state("new"), OWNER, ACCEPT]], ["open connections"]),
        ({}, [[state("established"), OWNER, REJECT]], ["open connections"]),
        ({}, [[state("new"), OWNER, field("tcp", "dport", 25), REJECT]], ["open connections"]),
        ({}, [[ACCEPT], [state("new"), OWNER, REJECT]], ["open connections"]),
    ],
)
def test_an_auditor_who_could_do_more_than_run_one_command_is_seen(
    change: dict[str, Any], out: list[list[dict[str, Any]]], beyond: list[str]
) -> None:
    made: Any = facts(*OURS)
    made.seen = {"sudo": [host_facts.AUDITOR_RUNS], "senders": "!auditor, static:anyone", "uid": 998} | change
    made.system["rules"] += [{"rule": {"table": "edumail", "chain": "output", "expr": expr}} for expr in out]
    assert [what.partition(" / ")[2] for what in made.auditor_may] == beyond


def test_a_machine_that_does_not_get_to_a_host_s_ports_judges_what_the_host_says_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def address(name: str) -> str:
        raise Confined("no way out by IPv4")

    host = SimpleNamespace(name="h", fqdn="h.test", roles=[])
    monkeypatch.setattr(article_3, "doors", lambda host: [SimpleNamespace(port=22)])
    made: Any = facts([field("tcp", "dport", 22), ACCEPT])
    made.host, made.audit.network = host, SimpleNamespace(address=address)
    made.seen = {"journal": {}, "signatures_age": None, "container": "lxc", "clock": ""}
    made.system["sshd"] = {"passwordauthentication": ["yes"]}
    made.audit.province = SimpleNamespace(log_retention_days=1, hosts={"h": host})
    wrong, left = article_3._protection(made)
    assert any("takes passwords" in line for line in wrong)
    assert any("which ports answer" in line for line in left)
    assert not any("ports answer that" in line for line in wrong)


@pytest.mark.parametrize(
    ("way", "made", "out"),
    [
        ("", "", False),  # no IPv6 but the machine's own
        ("fd00::5/64", "", False),  # a network without a way out
        ("fd00::5/64", "default", False),  # a way out, for addresses that the Internet does not carry
        ("2000:1::5/64", "default", True),
    ],
)
def test_a_machine_without_a_way_out_by_ipv6_does_not_judge_who_has_it(way: str, made: str, out: bool) -> None:
    lines = ["ip link set lo up", "ip link add e type veth peer name f", "ip link set e up", "ip link set f up"]
    lines += [f"ip -6 address add {way} nodad dev e"] if way else []
    lines += ["ip -6 route add default dev e"] if made else []
    code = "from tests.circular import network; print(network.has_way('2000::1'))"
    script = "set -e; " + "; ".join(lines) + f'; exec {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", script],
        env=os.environ | {"CODE": code},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no network namespace: {done.stderr}")
    assert done.stdout.split() == [str(out)], done.stderr


@pytest.mark.parametrize(
    ("closed", "strangers", "raised", "reached"),
    [
        ({"mx.our.test"}, ["other.test"], TimeoutError, False),  # elsewhere it answers: ours does not
        ({"mx.our.test", "mx.other.test"}, ["other.test"], Confined, None),
        ({"mx.our.test", "mx.other.test"}, ["other.test", "third.test"], TimeoutError, False),
        ({"mx.our.test"}, [], TimeoutError, False),  # nobody to compare with
        ({"mx.our.test"}, ["unknown.test"], TimeoutError, False),
    ],
)
def test_a_network_that_lets_no_mail_out_does_not_judge_who_takes_it(
    province: Province,
    monkeypatch: pytest.MonkeyPatch,
    closed: set[str],
    strangers: list[str],
    raised: type[Exception],
    reached: bool | None,
) -> None:
    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        if address[0] in closed or address[1] != 25:
            raise TimeoutError("timed out")
        return socket.socket()

    def lookup(name: str, kind: str) -> list[str]:
        if "unknown" in name:
            raise OSError("DNS")
        return [f"10 mx.{name}."] if kind == "MX" else [name]

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(network_of, "has_way", lambda address: True)
    network = Network(province, Path("nowhere"), strangers)
    monkeypatch.setattr(network, "lookup", lookup)
    with pytest.raises(raised):
        network.smtp("mx.our.test")
    assert network.exchanger_reached("our.test", "A")[0] is reached
    assert network.reached("our.test", 443, "A")[0] is False
    with pytest.raises(TimeoutError):
        network.smtp("our.test", 587)


def test_a_page_is_asked_at_the_port_of_its_address(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(province, Path("nowhere"))
    asked: list[tuple[str, int]] = []

    def tls(host: str, port: int) -> None:
        asked.append((host, port))
        raise TimeoutError

    monkeypatch.setattr(network, "tls", tls)
    for url in ("https://a.test:8443/x", "https://a.test/"):
        assert get(network, url).status == 0
    assert asked == [("a.test", 8443), ("a.test", 443)]


def test_a_domain_without_an_exchanger_is_not_reached_and_an_exchanger_is_knocked_at_once(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(province, Path("nowhere"))
    found = {"a.test": ["10 mx.test."], "b.test": ["10 mx.test."], "mx.test": ["192.0.2.1"]}
    monkeypatch.setattr(network, "lookup", lambda name, kind: found.get(name, []))
    knocked: list[tuple[str, int]] = []
    monkeypatch.setattr(network_of, "has_way", lambda address: True)

    def connect(door: tuple[str, int], timeout: float) -> socket.socket:
        knocked.append(door)
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connect)
    assert network.exchanger_reached("without.test", "AAAA") == (
        False,
        "without.test: không có bản ghi MX / no MX record",
    )
    assert [network.exchanger_reached(domain, "A")[0] for domain in ("a.test", "b.test")] == [True] * 2
    assert knocked == [("192.0.2.1", 25)]


HOURS = 3600


@pytest.mark.parametrize(
    ("on", "oldest", "inside", "verdict"),
    [
        ("mail-so", 100, 0, "not-tested"),  # somebody's server abroad is silent: that is no unit's matter
        ("mail-so", 100, 47, "not-tested"),
        ("mail-so", 100, 49, "fail"),
        ("mail-xa", 100, 0, "fail"),  # it hands all to the gateway
        ("mail-xa", 47, 47, "not-tested"),
    ],
)
def test_mail_that_only_strangers_do_not_take_is_not_stuck(
    monkeypatch: pytest.MonkeyPatch, on: str, oldest: int, inside: int, verdict: str
) -> None:
    queue = {
        "all": {"messages": 5, "oldest": oldest * HOURS},
        "inside": {"messages": 2, "oldest": inside * HOURS},
    }
    made = SimpleNamespace(seen={"disks": {}, "failed": [], "units": {}}, system={"queue": queue}, down=[], lost=[])
    idle = {"messages": 0, "oldest": 0}
    other = SimpleNamespace(**vars(made) | {"system": {"queue": {"all": idle, "inside": idle}}})
    monkeypatch.setattr(article_3, "facts_of", lambda audit, name: made if name == on else other)
    monkeypatch.setattr(servers, "unseen", lambda audit, name: "")
    audit = one_unit(on)
    found: list[tuple[str, str, str, list[str]]] = []
    article_3.test_services_run_and_would_come_back(audit, on, lambda *row: found.append(row))
    ((_, _, given, evidence),) = found
    assert given == verdict
    assert f" / mail queue: 5 messages, the oldest for {oldest} hours" in evidence[2]


def host_that_says(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> tuple[HostFacts, list[float]]:
    """A host that is asked again and again, and for how long was waited."""
    left, waited = list(answers), []
    monkeypatch.setattr(host_facts.time, "sleep", waited.append)
    monkeypatch.setattr(host_facts, "units", lambda host: [])
    shell = SimpleNamespace(run=lambda words: SimpleNamespace(rc=0, stdout=json.dumps(left.pop(0)), stderr=""))
    audit: Any = SimpleNamespace(province=SimpleNamespace(hosts={"h": SimpleNamespace(name="h", roles=[])}))
    on: Any = SimpleNamespace(name="h", run=shell.run)
    return HostFacts(audit, on), waited


def running(redis: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    users = {name: [own] for name, own in OWN_USERS.items()}
    return {
        "units": {"redis-server": {"ActiveState": "active"} | (redis or {})},
        "users": users,
        "container": "none",
    } | more


def without(name: str) -> dict[str, Any]:
    return {key: [own] for key, own in OWN_USERS.items() if key != name}


@pytest.mark.parametrize(
    "first",
    [
        running({"ActiveState": "activating"}, users=without("redis-server")),
        running({"ActiveState": "inactive", "Job": "812"}, users=without("redis-server")),
        running(users=without("redis-server")),  # between one question and the next
    ],
)
def test_a_host_in_the_middle_of_a_restart_is_asked_again_once(
    monkeypatch: pytest.MonkeyPatch, first: dict[str, Any]
) -> None:
    facts, waited = host_that_says(monkeypatch, first, running())
    assert (facts.down, facts.mixed, waited) == ([], [], [SETTLE_SECONDS])
    facts, waited = host_that_says(monkeypatch, first, first)
    assert facts.mixed == ["redis-server"]
    assert facts.down == ([] if first["units"]["redis-server"]["ActiveState"] == "active" else ["redis-server"])
    assert waited == [SETTLE_SECONDS]


def test_a_host_at_rest_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, waited = host_that_says(monkeypatch, running({"Job": ""}))
    assert (facts.down, waited) == ([], [])
    for state, down in (
        ("active", []),
        ("reloading", []),
        ("failed", ["redis-server"]),
        ("inactive", ["redis-server"]),
    ):
        facts, waited = host_that_says(monkeypatch, running({"ActiveState": state}))
        assert (facts.down, waited) == (down, [])
    facts, waited = host_that_says(monkeypatch, running(users=without("chronyd"), container="lxc"))
    assert (facts.mixed, waited) == ([], [])


@pytest.mark.parametrize(
    ("users", "mixed"),
    [
        ({}, []),  # what does not run there has no user
        ({"nginx": ["root", "www-data"], "imap-login": ["dovenull", "root"], "clamd": ["clamav"]}, []),
        ({"nginx": ["root"]}, ["nginx"]),
        ({"nginx": ["root", "vmail", "www-data"]}, ["nginx"]),
        ({"clamd": ["root"], "imap-login": ["vmail"]}, ["imap-login", "clamd"]),
    ],
)
def test_workers_have_users_of_their_own_and_a_master_may_be_root(
    monkeypatch: pytest.MonkeyPatch, users: dict[str, list[str]], mixed: list[str]
) -> None:
    said = running()
    facts, _ = host_that_says(monkeypatch, said | {"users": said["users"] | users})
    assert facts.mixed == mixed
    said["units"]["postfix-mta-sts-resolver"] = {"ActiveState": "active", "User": "root"}
    facts, _ = host_that_says(monkeypatch, said)
    assert facts.mixed == ["postfix-mta-sts-resolver"]


class Managed:
    """An audit of mail hosts ``a`` and ``b``, of ``pages``, which has no mail, and of a gateway."""

    def __init__(self, gateway: str = "a", **wrong: list[str]) -> None:
        names = ("a", "b", "pages", "gateway")
        hosts = {name: SimpleNamespace(name=name, has_mail=name != "pages") for name in names}
        self.province = SimpleNamespace(hosts=hosts)
        self.mail = SimpleNamespace(gateway=hosts[gateway])
        self.hosts = {name: SimpleNamespace(name=name) for name in ("a", "b", "gateway")}
        self.unreachable: dict[str, str] = {}
        self.unseen: dict[str, str] = {}
        self.kept = {
            f"facts of {name}": SimpleNamespace(
                roles=["nginx"],
                differing=lambda role, name=name: wrong.get(name, []),
                dated=[],
                seen={"users": {}, "places": {}, "sudo": []},
                mixed=wrong.get(name, []),
                owner={},
                readable=[],
                auditor_may=[],
            )
            for name in self.hosts
        }

    def units(self, on: str) -> list[Any]:
        servers = {"own": None, "other": "b", "alone": "pages"}
        return [SimpleNamespace(id=unit, host=on, portal_host=server) for unit, server in servers.items()]


@pytest.mark.parametrize(
    ("programs", "verdict"), [({}, "pass"), ({"SHA512": 2}, "pass"), ({"SHA512": 2, "unknown": 1}, "fail")]
)
def test_a_program_s_password_is_kept_as_our_own_pages_keep_it(
    monkeypatch: pytest.MonkeyPatch, programs: dict[str, int], verdict: str
) -> None:
    account = {"address": "an@x.test", "state": "active", "scheme": "argon2", "alike": False}
    host = SimpleNamespace(accounts={"so": [account]}, facts={"programs": {"so": programs}})
    monkeypatch.setattr(article_11, "opened", lambda audit, on: host)
    found: list[tuple[str, str, str, list[str]]] = []
    question = article_11.test_accounts_begin_without_a_password_and_keep_strong_hashes
    question(one_unit("mail-so"), "mail-so", lambda *row: found.append(row))
    ((_, _, given, evidence),) = found
    assert given == verdict
    assert any(("other than SHA512: unknown" in line) == (verdict == "fail") for line in evidence)


class Untold:
    """The facts of a host that does not tell any."""

    def __getattr__(self, name: str) -> Any:
        raise AuditError("a deploy is under way")


QUESTIONS = [
    article_11.test_hosts_are_as_this_checkout_and_this_inventory_say,
    article_11.test_services_have_users_of_their_own_and_an_auditor_no_rights,
]


def said_by(question: Any, audit: Any) -> dict[str, tuple[str, list[str]]]:
    found: dict[str, tuple[str, list[str]]] = {}
    question(audit, "a", lambda unit, requirement, verdict, evidence: found.update({unit: (verdict, evidence)}))
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_page_on_a_host_that_nobody_sees_is_not_passed_with_the_mail_host(question: Any) -> None:
    def verdicts(audit: Any) -> dict[str, str]:
        return {unit: verdict for unit, (verdict, _) in said_by(question, audit).items()}

    assert verdicts(Managed()) == {"own": "pass", "other": "pass", "alone": "not-tested"}
    assert verdicts(Managed(a=["x"])) == dict.fromkeys(("own", "other", "alone"), "fail")
    assert verdicts(Managed(b=["x"])) == {"own": "pass", "other": "fail", "alone": "not-tested"}
    audit = Managed(b=["x"])
    del audit.hosts["b"]
    audit.unreachable["b"] = "SSH: no route"
    found = said_by(question, audit)
    assert [found["other"][0], found["alone"][0]] == ["not-tested"] * 2
    assert found["other"][1][-1].endswith("not under audit: SSH: no route")
    assert "serves pages alone" in found["alone"][1][-1]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_host_that_can_not_be_judged_hides_no_fault_of_another(question: Any) -> None:
    def judged(audit: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        with pytest.raises(AuditError, match="own: a deploy is under way"):
            question(audit, "a", lambda unit, requirement, verdict, evidence: found.update({unit: verdict}))
        return found

    for wrong, verdicts in ({}, {}), ({"b": ["x"]}, {"other": "fail"}):
        audit = Managed(**wrong)
        audit.kept["facts of a"] = Untold()
        assert judged(audit) == verdicts


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_gateway_without_units_is_judged_for_all_whose_mail_and_page_come_through_it(question: Any) -> None:
    def verdicts(audit: Any) -> dict[str, str]:
        return {unit: verdict for unit, (verdict, _) in said_by(question, audit).items()}

    sound = Managed("gateway")
    assert verdicts(sound) == {"own": "pass", "other": "pass", "alone": "not-tested"}
    assert {*sound.unseen.values()} == {"hidden"}, "nobody is ever let into a host of pages alone"
    wrong = Managed("gateway")
    wrong.kept["facts of gateway"].differing = lambda role: ["edited"]
    wrong.kept["facts of gateway"].mixed = ["nginx"]
    assert verdicts(wrong) == dict.fromkeys(("own", "other", "alone"), "fail")
    closed = Managed("gateway")
    del closed.hosts["gateway"]
    assert verdicts(closed) == dict.fromkeys(("own", "other", "alone"), "not-tested")
    assert closed.unseen[said_by(question, closed)["own"][1][-1]] == "unasked"


def test_a_host_that_tells_nothing_hides_no_folder_that_a_portal_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    def untold(audit: Any, on: str) -> Any:
        raise AuditError("a: no room")

    monkeypatch.setattr(article_3, "facts_of", untold)
    audit: Any = Managed()
    units = [SimpleNamespace(id=name, portal=f"{name}.test", host="a", portal_host="a") for name in ("lists", "sound")]
    found: dict[str, str] = {}
    evidence: list[str] = []

    def record(unit: str, requirement: str, verdict: str, lines: list[str]) -> None:
        found[unit] = verdict
        evidence.extend(lines)

    with pytest.raises(AuditError, match=r"^sound: a: no room$"):
        article_3.test_personal_information_is_out_of_strangers_reach(
            audit,
            iter(zip(units, (["/assets/"], []), strict=True)),
            record,
        )
    assert found == {"lists": "fail"}
    assert any("not looked at: backups" in line for line in evidence)


def test_the_front_is_asked_once_for_the_units_of_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {name: SimpleNamespace(fqdn=f"{name}.test") for name in "ab"}
    settings = SimpleNamespace(front_name="front.test")
    audit: Any = SimpleNamespace(province=SimpleNamespace(hosts=hosts, settings=settings), network=None, kept={})
    monkeypatch.setattr(servers, "seen_at", lambda audit, doors: {door: ask() for door, ask in doors.items()})
    asked: list[str] = []

    def ask(network: Any, name: str) -> tuple[bool, str]:
        asked.append(name)
        return name != "front.test", name

    for on in "ab":
        assert servers.at_doors(audit, on, {993: ask}) == [(True, f"{on}.test"), (False, "front.test")]
    assert asked == ["a.test", "front.test", "b.test"]


def test_what_a_host_keeps_of_a_role_that_it_has_lost_is_named() -> None:
    tree = {"active": "a", "live": "a", "wrong": []}
    audit: Any = SimpleNamespace(province=SimpleNamespace(hosts={"a": SimpleNamespace(name="a")}))
    on: Any = SimpleNamespace(
        name="a", ask=lambda command: {"roles": {"nginx": tree, "webmail": tree}, "deploying": False}
    )
    made = HostFacts(audit, on)
    made.wanted = {"nginx": "a", "webmail": "a"}
    assert [line for role in made.roles for line in made.differing(role)] == []
    made.wanted = {"nginx": "a", "search": "b"}
    (search, webmail) = [line for role in made.roles for line in made.differing(role)]
    assert search.startswith("search: đang dùng / live: không có / none")
    assert webmail == "webmail: còn trên máy mà bản mã này không dựng ra / still there, but not of this checkout"


def test_a_host_that_a_deploy_works_on_is_not_called_one_where_a_deploy_did_not_end() -> None:
    def facts(deploying: bool, wanted: str) -> HostFacts:
        trees = {"roles": {"dovecot": {"active": "old", "live": "new", "wrong": []}}, "deploying": deploying}
        audit: Any = SimpleNamespace(province=SimpleNamespace(hosts={"a": SimpleNamespace(name="a")}))
        on: Any = SimpleNamespace(name="a", ask=lambda command: trees)
        made = HostFacts(audit, on)
        made.wanted = {"dovecot": wanted}
        return made

    for wanted in ("new", "newer"):
        assert facts(False, wanted).differing("dovecot")
        with pytest.raises(AuditError, match=r"a: .*a deploy is under way: dovecot"):
            facts(True, wanted).differing("dovecot")
