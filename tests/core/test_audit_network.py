"""What an audit sees through the auditor's own network: who is to blame for a silence, and when nobody is."""

from __future__ import annotations

import contextlib
import errno
import imaplib
import json
import re
import smtplib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from edumail.dns import zones
from edumail.dnscheck import wanted
from edumail.model import Nameserver, Province
from tests.circular import audit as audit_of
from tests.circular import exchangers as exchangers_of
from tests.circular import host as host_of
from tests.circular import mailbox as mailbox_of
from tests.circular import network as network_of
from tests.circular import test_article_11_operation as article_11
from tests.circular import test_article_12_technology as article_12
from tests.circular import test_standards_39 as standards
from tests.circular.audit import CHECKOUT, Audit, AuditError, HostAudit, own_ssh_config
from tests.circular.dialogues import VERDICTS, seen_at
from tests.circular.host import HostFacts
from tests.circular.network import NEW, OLD, Confined, Network, offers_version
from tests.core.authority import Authority, key_pem, new_key

LAB = Path(__file__).parents[2] / "inventories" / "lab"
APEX, SCHOOL = "minhha.test", "thptsongque.test"


def with_settings(province: Province, **changed: Any) -> Province:
    return province.model_copy(update={"settings": province.settings.model_copy(update=changed)})


@pytest.fixture
def network(province: Province) -> Network:
    return Network(province, Path("nowhere"))


def verdicts(test: Callable[..., None], audit: Any, **given: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """What a test of the audit says, by unit and requirement: the verdict and its evidence."""
    found = {}

    def record(unit: str, requirement: str, verdict: str, evidence: list[str]) -> None:
        found[unit, requirement] = (verdict, " | ".join(evidence))

    test(audit, record=record, **given)
    return found


# --- name servers ---


def test_name_servers_that_are_named_without_addresses_are_looked_up(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolved(name: str, port: int, type: int) -> list[Any]:
        if name == "ns2.provider.test":
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", ("192.0.2.53", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    servers = tuple(Nameserver(name=f"ns{number}.provider.test") for number in (1, 2))
    assert Network(with_settings(province, nameservers=servers), Path("nowhere")).resolver.nameservers == ["192.0.2.53"]
    with pytest.raises(AuditError, match=r"ns2\.provider\.test: unknown"):
        Audit(LAB, with_settings(province, nameservers=servers[1:]), frozenset())


def test_an_address_in_the_place_of_a_name_is_looked_up_nowhere(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_looked_up", lambda name, kind: pytest.fail(name))
    assert network.lookup("203.0.113.7", "A") == ["203.0.113.7"]
    assert network.lookup("203.0.113.7", "AAAA") == network.lookup("2001:db8::7", "A") == []
    assert network.lookup("2001:db8::7", "AAAA") == ["2001:db8::7"]


TIMED_OUT = dns.resolver.LifetimeTimeout(timeout=1, errors=[])


@pytest.mark.parametrize(
    ("name", "ours", "elsewhere", "found"),
    [
        ("www.minhha.test", ["1"], {}, ["1"]),
        ("www.minhha.test", dns.resolver.NXDOMAIN(), {"www.minhha.test": ["2"]}, []),
        ("www.minhha.test", TIMED_OUT, {APEX: ["soa"], "www.minhha.test": ["2"]}, ["2"]),
        ("www.minhha.test", TIMED_OUT, {APEX: ["soa"]}, []),
        ("www.minhha.test", TIMED_OUT, {"www.minhha.test": ["2"]}, None),  # nobody knows the zone: its servers are down
        ("moet.gov.vn", dns.resolver.NXDOMAIN(), {"moet.gov.vn": ["2"]}, ["2"]),
        ("moet.gov.vn", dns.resolver.NoNameservers(), {"moet.gov.vn": ["2"]}, ["2"]),
        ("moet.gov.vn", dns.resolver.NXDOMAIN(), None, []),
    ],
)
def test_names_are_asked_at_this_machines_resolver_where_the_provinces_servers_can_not_tell(
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ours: Any,
    elsewhere: dict[str, list[str]] | None,
    found: list[str] | None,
) -> None:
    asked: list[str] = []

    def resolve(name: str, kind: str) -> list[str]:
        asked.append(name)
        if isinstance(ours, Exception):
            raise ours
        return list(ours)

    def other(name: str, kind: str) -> list[str]:
        if elsewhere is None:
            raise OSError("no resolver")
        return elsewhere.get(name, [])

    monkeypatch.setattr(network.resolver, "resolve", resolve)
    monkeypatch.setattr(network_of, "_elsewhere", other)
    if found is None:
        with pytest.raises(OSError, match="DNS A"):
            network.lookup(name, "A")
        return
    assert network.lookup(name, "A") == found
    with contextlib.suppress(OSError):
        network.lookup(f"2.{APEX}", "A")
    assert len(asked) == (1 if ours is TIMED_OUT else 2)  # a silence is waited for once


def test_a_name_that_only_this_machines_resolver_could_tell_and_does_not_is_no_finding(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(name: str, kind: str) -> list[str]:
        raise TIMED_OUT

    def other(name: str, kind: str) -> list[str]:
        if kind != "SOA":
            raise OSError("DNS: timed out")
        return ["soa"]

    monkeypatch.setattr(network.resolver, "resolve", resolve)
    monkeypatch.setattr(network_of, "_elsewhere", other)
    for _ in range(2):
        with pytest.raises(Confined, match=r"from another network: DNS: timed out"):
            network.lookup(f"www.{APEX}", "A")
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    doors = {
        "MX": partial(network.exchanger_reached, APEX, "A"),
        "A": partial(network.reached, f"www.{APEX}", 443, "A"),
    }
    assert [good for good, _ in seen_at(audit, doors).values()] == [None, None]
    assert audit.exchangers.rcpts([f"a@{APEX}"])[f"a@{APEX}"].for_now
    with pytest.raises(OSError, match="timed out"):
        network.lookup("moet.gov.vn", "A")


Answering = Callable[[dns.message.Message], None]


def silent(answer: dns.message.Message) -> None:
    raise dns.exception.Timeout


def refused(answer: dns.message.Message) -> None:
    answer.set_rcode(dns.rcode.REFUSED)


def intercepted(answer: dns.message.Message) -> None:
    """What a resolver on the way says in the server's place."""


def empty(answer: dns.message.Message) -> None:
    answer.flags |= dns.flags.AA


def without_one_zone(answer: dns.message.Message) -> None:
    if answer.question[0].name.to_text().endswith(f"{SCHOOL}."):
        answer.set_rcode(dns.rcode.REFUSED)
    else:
        empty(answer)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answering], None]:
    """All name servers answer so."""

    def made(said: Answering) -> None:
        async def asked(query: dns.message.Message, where: str, timeout: float) -> Any:
            answer = dns.message.make_response(query)
            said(answer)
            return answer, False

        monkeypatch.setattr(dns.asyncquery, "udp_with_fallback", asked)
        monkeypatch.setattr("edumail.cli.nameservers.anchors", nothing_above)

    return made


async def nothing_above(apex: str) -> None:
    return None


@pytest.mark.parametrize("said", [silent, refused, intercepted])
@pytest.mark.parametrize("known", [True, False])
def test_name_servers_that_do_not_speak_to_this_machine_are_no_finding_while_its_resolver_knows_the_zone(
    network: Network, answers: Any, monkeypatch: pytest.MonkeyPatch, said: Answering, known: bool
) -> None:
    answers(said)
    monkeypatch.setattr(network_of, "_elsewhere", lambda name, kind: ["soa"] if known else [])
    assert network.dnssec(APEX)[0] == ("unasked" if known else "broken")
    with pytest.raises(Confined if known else OSError, match="máy chủ tên"):
        _ = network.differences
    answers(empty)  # and each unit does not wait anew
    with pytest.raises(Confined if known else OSError, match="máy chủ tên"):
        _ = network.differences


@pytest.mark.parametrize("said", [empty, without_one_zone])
def test_what_an_authority_says_otherwise_is_a_finding_whatever_this_machines_resolver_knows(
    network: Network, answers: Any, monkeypatch: pytest.MonkeyPatch, said: Answering
) -> None:
    answers(said)
    monkeypatch.setattr(network_of, "_elsewhere", lambda name, kind: ["soa"])
    assert network.dnssec(APEX)[0] == "unsigned"
    owners = {article_11._about(found, {APEX, SCHOOL}) for found in network.differences}
    assert owners == {APEX, SCHOOL}


def test_a_server_that_has_had_enough_of_this_machine_says_nothing_of_the_zones(
    network: Network, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dns.message.Message] = []

    def tired(answer: dns.message.Message) -> None:
        asked.append(answer)
        (empty if len(asked) < 20 else refused)(answer)

    answers(tired)
    monkeypatch.setattr(network_of, "_elsewhere", lambda name, kind: ["soa"])
    with pytest.raises(Confined):
        _ = network.differences


@pytest.mark.parametrize(
    ("states", "verdict", "word"),
    [
        ({"unasked"}, "not-tested", "ask from another network"),
        ({"anchored", "unasked"}, "not-tested", "ask from another network"),
        ({"unsigned", "unasked"}, "fail", "not signed"),
        ({"broken"}, "fail", "broken"),
        ({"anchored"}, "pass", "confirmed"),
        ({"no-anchor"}, "not-tested", "depends on the registrar"),
    ],
)
def test_zones_that_nobody_could_ask_about_are_not_unsigned(states: set[str], verdict: str, word: str) -> None:
    said = dict(zip((APEX, SCHOOL), sorted(states) * 2, strict=False))
    unit = SimpleNamespace(id="u", portal=f"www.{APEX}", domain=SCHOOL)
    audit = SimpleNamespace(
        pages=lambda host: [unit],
        province=SimpleNamespace(settings=SimpleNamespace(zones=(APEX, SCHOOL))),
        network=SimpleNamespace(
            dnssec=lambda apex: (said[apex], network_of.UNASKED if said[apex] == "unasked" else "")
        ),
    )
    found = verdicts(article_12.test_names_are_signed, audit, serving="h")
    assert {given for given, _ in found.values()} == {verdict}
    evidence = found["u", "C37-12.7.2"][1]
    assert word in evidence
    assert "unasked" not in said.values() or "signatures are right" not in evidence


def differing(province: Province, owner: str) -> Any:
    (question,) = [
        question
        for right in wanted(zones(province, 0)).values()
        for question in right
        if question[0].to_text() == f"{owner}." and question[1].name == "A"
    ]
    return SimpleNamespace(question=question)


@pytest.mark.parametrize(
    ("changes", "red", "open_"),
    [
        ({}, set(), set()),
        ({"differs": "suoimo.minhha.test"}, {"below"}, set()),  # and not the unit that has the domain above it
        ({"differs": "mail-so.minhha.test"}, {"above", "below"}, set()),
        ({"differences": Confined("unasked")}, set(), {"above", "below"}),
        ({"differences": OSError("silent")}, {"above", "below"}, set()),
        ({"mailboxes": (None, "shut")}, set(), {"above", "below"}),
        ({"mailboxes": (None, "shut"), "differs": "suoimo.minhha.test"}, {"below"}, {"above"}),
        ({"mailboxes": (False, "expired")}, {"above", "below"}, set()),
        ({"mailboxes": ConnectionRefusedError("shut")}, {"above", "below"}, set()),
        ({"mailboxes": Confined("shut")}, set(), {"above", "below"}),
        ({"differs": "mail.minhha.test"}, {"above", "below"}, set()),
        ({"front": (False, "expired")}, {"above", "below"}, set()),
    ],
)
def test_a_record_is_blamed_on_the_unit_nearest_to_it_and_what_is_not_seen_on_nobody(
    province: Province, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], red: set[str], open_: set[str]
) -> None:
    class Seen(SimpleNamespace):
        @property
        def differences(self) -> list[Any]:
            if "differences" in changes:
                raise changes["differences"]
            return [differing(province, changes["differs"])] if "differs" in changes else []

    def certificate(network: Any, name: str, port: int) -> Any:
        which = "front" if name == province.settings.front_name else "mailboxes"
        answer = changes.get(which, (True, "good"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(article_11, "_certificate", certificate)
    above = SimpleNamespace(id="above", portal=f"www.{APEX}", domain=APEX, host="mail-so")
    below = SimpleNamespace(id="below", portal=f"suoimo.{APEX}", domain=f"suoimo.{APEX}", host="mail-so")
    network: Any = Seen(exchanger=lambda domain: f"mail-so.{APEX}", address=lambda name: "192.0.2.1")
    audit = SimpleNamespace(
        province=SimpleNamespace(
            hosts=province.hosts, units={"above": above, "below": below}, settings=province.settings
        ),
        network=network,
        exchangers=exchangers_of.Exchangers(network),
        unseen={},
    )
    found = verdicts(
        article_11.test_names_lead_to_servers_with_certificates_for_them,
        audit,
        of_pages=[(unit, (True, "seen")) for unit in (above, below)],
    )
    assert {unit for (unit, _), (verdict, _) in found.items() if verdict == "fail"} == red
    assert {verdict for verdict, _ in found.values()} <= {"fail", "not-tested"}, "no host shows a registration"
    assert {unit for (unit, _), (_, said) in found.items() if audit.unseen.keys() & {*said.split(" | ")}} == open_


# --- doors ---


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Who answers: addresses and ports that do not, and with what; families that this machine has no way out by."""

    def made(error: Exception | None = None, *silent: tuple[str, int], without: str = "none") -> None:
        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            if error and (address in silent or ("", address[1]) in silent or (address[0], 0) in silent):
                raise error
            return socket.socket()

        monkeypatch.setattr(socket, "create_connection", connect)
        monkeypatch.setattr(network_of, "has_way", lambda address: without not in address)

    return made


def names(found: dict[tuple[str, str], list[str]]) -> Callable[[str, str], list[str]]:
    return lambda name, kind: found.get((name, kind), [])


ONE_HOST = SimpleNamespace(hosts={"a": SimpleNamespace(fqdn="a.test")}, settings=SimpleNamespace(front_name="a.test"))
HOSTS = {("a.test", "A"): ["192.0.2.1"], ("b.test", "A"): ["192.0.2.2"], ("a.test", "AAAA"): ["2001:db8::1"]}


def audited(monkeypatch: pytest.MonkeyPatch, network: Network, *ports: int) -> Any:
    """Two hosts under audit; which ports the packet filter of the second lets in."""
    monkeypatch.setattr(network, "lookup", names(HOSTS))
    lets = {"a": {993, 587}, "b": set(ports)}
    monkeypatch.setattr(host_of, "facts_of", lambda audit, on: SimpleNamespace(filter_ports=lets[on]))
    hosts = {name: SimpleNamespace(name=name, fqdn=f"{name}.test") for name in ("a", "b")}
    audit = SimpleNamespace(hosts=hosts, network=network)
    network.shut = lambda port: host_of.shut_on_the_way(audit, port)  # type: ignore[arg-type]
    return audit


@pytest.mark.parametrize(
    ("error", "where", "ports", "confined"),
    [
        (TimeoutError(), [("", 993)], [993], True),
        (TimeoutError(), [("192.0.2.1", 993)], [993], False),  # at the other host it answers
        (TimeoutError(), [("", 993)], [], False),  # a host has shut it itself
        (ConnectionRefusedError(), [("", 993)], [993], False),  # somebody is there, and nobody listens
        (TimeoutError(), [("", 443)], [443], False),
        (OSError(errno.EHOSTUNREACH, "a router says no"), [("", 993)], [993], True),
        (OSError(errno.EHOSTUNREACH, "a router says no"), [("192.0.2.1", 993)], [993], False),
    ],
)
def test_a_port_that_is_shut_on_the_way_to_all_hosts_is_no_finding_about_one(
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    way: Any,
    error: OSError,
    where: list[tuple[str, int]],
    ports: list[int],
    confined: bool,
) -> None:
    way(error, *where)
    audited(monkeypatch, network, *ports)
    port = where[0][1]
    refused = isinstance(error, ConnectionError)
    with pytest.raises(ConnectionError) if refused else contextlib.nullcontext():
        assert network.reached("a.test", port, "A")[0] is (None if confined else False)
    with pytest.raises(Confined if confined else type(error)):
        network.tls("a.test", port)
    if confined:
        with pytest.raises(Confined):
            network.smtp("a.test", port)


def test_a_host_that_nobody_was_let_into_vouches_for_no_network(network: Network, way: Any) -> None:
    way(TimeoutError(), ("", 993))
    assert host_of.shut_on_the_way(SimpleNamespace(hosts={}, network=network), 993) == ""


STRANGER = {
    ("ngoai.test", "MX"): ["10 mx.ngoai.test."],
    ("mx.ngoai.test", "A"): ["198.51.100.1"],
    ("mx.ngoai.test", "AAAA"): ["2001:db8:1::1"],
}
WITHOUT_IPV6 = {k: v for k, v in STRANGER.items() if k[1] != "AAAA"}
NEIGHBOUR = {("mail-xa.minhha.test", "AAAA"): ["2001:db8::2"]}
"""Another host of the province."""


@pytest.mark.parametrize(
    ("silent", "stranger", "reached"),
    [
        ([("2001:db8::1", 0), ("2001:db8:1::1", 0)], STRANGER, {25: None, 443: None}),
        ([("2001:db8::1", 0)], STRANGER, {25: False, 443: False}),  # others are reached by IPv6
        ([("2001:db8::1", 0)], WITHOUT_IPV6, {25: None, 443: None}),  # nobody to compare with
        ([("2001:db8::1", 0)], WITHOUT_IPV6 | NEIGHBOUR, {25: False, 443: False}),
        # A network that lets no mail out, and may have IPv6 or not.
        ([("2001:db8::1", 0), ("", 25)], STRANGER, {25: None, 443: None}),
        ([("2001:db8::1", 0), ("", 25)], WITHOUT_IPV6, {25: None, 443: None}),
        (
            [("2001:db8::1", 0), ("", 25)],
            STRANGER | {("ngoai.test", "AAAA"): ["2001:db8:1::2"]},
            {25: None, 443: False},
        ),
        ([("2001:db8::1", 0), ("", 25)], STRANGER | NEIGHBOUR, {25: None, 443: False}),
    ],
)
def test_ipv6_is_compared_with_the_ipv6_of_others(
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    way: Any,
    silent: list[tuple[str, int]],
    stranger: dict[tuple[str, str], list[str]],
    reached: dict[int, bool | None],
) -> None:
    way(TimeoutError(), *silent)
    network.strangers = ("ngoai.test",)
    monkeypatch.setattr(network, "lookup", names(HOSTS | stranger))
    assert {port: network.reached("a.test", port, "AAAA")[0] for port in reached} == reached


def test_whoever_refuses_by_ipv6_was_reached(network: Network, monkeypatch: pytest.MonkeyPatch, way: Any) -> None:
    way(ConnectionRefusedError(), ("", 443))
    monkeypatch.setattr(network, "lookup", names(HOSTS))
    with pytest.raises(ConnectionRefusedError):
        network.reached("a.test", 443, "AAAA")


def test_a_silent_door_is_knocked_at_once_and_one_that_refuses_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocked: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        knocked.append(address[0])
        raise TimeoutError if address[0] == "192.0.2.1" else ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(network_of, "has_way", lambda address: True)
    door = {"silent": ["192.0.2.1"], "shut": ["192.0.2.2"]}
    monkeypatch.setattr(network, "lookup", lambda name, kind: door[name.partition(".")[0]])
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    labels = [f"{what}.{n}.test" for what in door for n in range(3)]
    seen = seen_at(audit, {name: partial(network.reached, name, 443, "A") for name in labels})
    assert [good for good, _ in seen.values()] == [False] * 6
    assert "silent.2.test [192.0.2.1]:443 TimeoutError" in seen["silent.2.test"][1]
    assert knocked == ["192.0.2.1"] + ["192.0.2.2"] * 3 * (1 + len(exchangers_of.PAUSES))


@pytest.mark.parametrize("requirement", ["C37-S39-ip", "C37-12.7.1"])
def test_a_door_that_refuses_while_its_server_starts_is_knocked_at_again(
    network: Network, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    knocked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        knocked.append(address)
        if knocked.count(address) == 1:
            raise ConnectionRefusedError
        return socket.socket()

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(network_of, "has_way", lambda address: True)
    records = {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["10 mx.test."]}
    page = SimpleNamespace(status=200, getheader=lambda name: None)
    monkeypatch.setattr(network, "lookup", lambda name, kind: records[kind])
    monkeypatch.setattr(network, "_page_at", lambda address, name: (page, b""))
    unit = SimpleNamespace(id="u", domain="x.test", portal="www.x.test")
    audit = SimpleNamespace(
        province=ONE_HOST,
        kept={},
        network=network,
        units=lambda on: [unit],
        pages=lambda on: [unit],
        exchangers=exchangers_of.Exchangers(network),
    )
    of_mail = requirement == "C37-S39-ip"
    question: Any = (
        standards.test_mail_and_pages_are_reached_by_ipv4_and_ipv6
        if of_mail
        else article_12.test_mail_and_portal_are_reached_by_ipv6
    )
    assert verdicts(question, audit, **{"on" if of_mail else "serving": "a"})["u", requirement][0] == "pass"
    assert len(knocked) == 2 * len(set(knocked)) == (16 if of_mail else 4)


def test_a_page_that_breaks_is_asked_for_again_a_form_never_and_a_dead_server_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    broken: list[int] = []

    def once(host: str, path: str, form: object, port: int) -> Any:
        asked.append(path)
        if broken and broken.pop():
            raise ConnectionResetError
        return SimpleNamespace(status=200, getheader=lambda name: None), b""

    def get(path: str, form: Any = None) -> list[str]:
        asked.clear()
        with contextlib.suppress(ConnectionResetError):
            network.https("www.x.test", path, form)
            asked.append("got")
        return [*asked]

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(network, "address", lambda name: "192.0.2.1")
    monkeypatch.setattr(network, "_once", once)
    broken[:] = [1]
    assert get("/a") == ["/a", "/a", "got"]
    broken[:] = [1]
    assert get("/b", {}) == ["/b"]
    broken[:] = [1, 1, 1]
    assert (get("/c"), get("/d"), get("/e")) == (["/c", "/c"], ["/d"], ["/e", "got"])
    broken[:] = [1]
    assert get("/f") == ["/f", "/f", "got"]


def test_a_host_that_does_not_tell_its_filter_leaves_a_silence_open(
    network: Network, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    way(TimeoutError(), ("", 993))
    audited(monkeypatch, network, 993)

    def untold(audit: Any, on: str) -> Any:
        raise AuditError("a: Traceback")

    monkeypatch.setattr(host_of, "facts_of", untold)
    good, said = network.reached("a.test", 993, "A")
    assert good is None
    assert "Traceback" in said
    with pytest.raises(Confined):
        network.connect("a.test", 993)


@pytest.mark.parametrize("shut_by", ["its own filter", "nobody"])
def test_a_host_that_does_not_tell_its_filter_hides_none_that_shuts_a_port_itself_or_is_reached_there(
    network: Network, monkeypatch: pytest.MonkeyPatch, way: Any, shut_by: str
) -> None:
    way(TimeoutError(), *([("", 993)] if shut_by == "its own filter" else [("192.0.2.1", 993)]))
    audited(monkeypatch, network)

    def told(audit: Any, on: str) -> Any:
        if on == "a":
            raise AuditError("a: Traceback")
        return SimpleNamespace(filter_ports=set() if shut_by == "its own filter" else {993})

    monkeypatch.setattr(host_of, "facts_of", told)
    assert network.reached("a.test", 993, "A")[0] is False


def test_a_host_without_an_address_makes_no_other_fail(
    network: Network, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    way(TimeoutError(), ("", 993))
    audited(monkeypatch, network, 993)
    monkeypatch.setattr(network, "lookup", names({("a.test", "A"): ["192.0.2.1"]}))
    assert network.reached("a.test", 993, "A")[0] is None


def test_an_audit_compares_with_the_ministry_of_the_circular_where_the_inventory_names_none(
    province: Province,
) -> None:
    audit = Audit(LAB, with_settings(province, ministry=None), frozenset(), outside="kiemtra@ngoai.test")
    assert list(audit.network.strangers) == ["ngoai.test", "moet.gov.vn"]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([421, 250], "pass"),
        ([421], "open"),
        ([ConnectionResetError("reset"), 250], "pass"),
        ([TimeoutError("nobody")], "open"),
        ([ConnectionRefusedError("shut")], "fail"),
        ([OSError("no MX record")], "fail"),
        ([554], "fail"),
    ],
)
@pytest.mark.parametrize("requirement", ["C37-S39-smtp", "C37-S39-smtps"])
def test_an_exchanger_that_is_not_ready_is_greeted_again_and_judges_nobody(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], verdict: str, requirement: str
) -> None:
    asked: list[str] = []

    class Client(contextlib.AbstractContextManager[Any]):
        does_esmtp, esmtp_features = True, ("8bitmime", "starttls")

        def __exit__(self, *_: object) -> None: ...
        def docmd(self, *_: str) -> tuple[int, bytes]:
            return 530, b"TLS first"

        def has_extn(self, name: str) -> bool:
            return name == "starttls"

    def smtp(name: str, port: int = 25) -> Client:
        if port != 25:
            return Client()
        asked.append(name)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        if answer != 250:
            raise smtplib.SMTPConnectError(answer, b"no")
        return Client()

    monkeypatch.setattr(exchangers_of.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(standards, "certificate_text", lambda connection: "")
    tls = SimpleNamespace(recv=lambda size: b"220 ready")
    network: Any = SimpleNamespace(
        exchanger=lambda domain: "mx.test",
        smtp=smtp,
        tls=lambda host, port: contextlib.nullcontext(tls),
        strangers=(),
    )
    units = [SimpleNamespace(id=str(n), domain=f"{n}.test") for n in range(3)]
    audit = SimpleNamespace(
        province=ONE_HOST,
        kept={},
        network=network,
        units=lambda on: units,
        exchangers=exchangers_of.Exchangers(network),
    )
    test = {"C37-S39-smtp": standards.test_mail_is_taken_by_esmtp}.get(
        requirement, standards.test_mail_is_handed_in_over_tls_only
    )
    if verdict == "open":
        with pytest.raises(AuditError, match=r"2\.test"):
            verdicts(test, audit, on="a")
    else:
        found = verdicts(test, audit, on="a")
        assert {said for said, _ in found.values()} == {verdict}
        assert len(found) == 3
    assert len(asked) <= 3, "for all units together"


@pytest.mark.parametrize(("code", "raised"), [(421, True), (450, True), (250, False), (502, False)])
def test_an_exchanger_that_answers_ehlo_with_not_now_has_not_answered(
    network: Network, monkeypatch: pytest.MonkeyPatch, code: int, raised: bool
) -> None:
    client = SimpleNamespace(ehlo=lambda: (code, b"busy"), close=lambda: None)
    monkeypatch.setattr(network_of, "_Smtp", lambda *words: client)
    with pytest.raises(smtplib.SMTPHeloError) if raised else contextlib.nullcontext():
        assert network.smtp("mx.test") is client


OF_DOORS: dict[str, tuple[Callable[..., None], set[int]]] = {
    "C37-S39-smtps": (standards.test_mail_is_handed_in_over_tls_only, {465, 587}),
    "C37-S39-imaps": (standards.test_mailboxes_are_read_over_tls_only, {993}),
    "C37-S39-mbox": (standards.test_mailboxes_are_offered_by_imap_and_pop3, {993, 995}),
}
GREETINGS = {465: b"220 ready", 993: b"* OK [CAPABILITY IMAP4rev1]", 995: b"+OK\r\nUIDL\r\n.\r\n"}


class Doors:
    """A host whose doors do each time the next of some things, the last to the end; others are sound."""

    strangers = ()

    def __init__(self, **doing: list[Any]):
        self.doing = {int(port.strip("_")): list(what) for port, what in doing.items()}
        self.asked: list[int] = []

    def _opened(self, port: int) -> bytes:
        self.asked.append(port)
        doing = self.doing.get(port, [])
        now = doing.pop(0) if len(doing) > 1 else doing[0] if doing else GREETINGS.get(port, b"")
        if isinstance(now, Exception):
            raise now
        return now  # type: ignore[no-any-return]

    def tls(self, host: str, port: int) -> Any:
        said = self._opened(port)
        return contextlib.nullcontext(SimpleNamespace(recv=lambda size: said, sendall=lambda words: None))

    def smtp(self, host: str, port: int = 25) -> Any:
        if port != 25:
            self._opened(port)
        client = SimpleNamespace(
            docmd=lambda *words: (530, b"TLS first"),
            has_extn=lambda name: name == "starttls",
            does_esmtp=True,
            esmtp_features=("8bitmime", "starttls"),
        )
        return contextlib.nullcontext(client)

    def exchanger(self, domain: str) -> str:
        return "mx.test"

    def address(self, name: str) -> str:
        raise TimeoutError


@pytest.mark.parametrize(
    ("doing", "verdict"),
    [
        ([ConnectionResetError("reset"), None], "pass"),
        ([TimeoutError("lost"), ConnectionRefusedError("restarting"), None], "pass"),
        ([b"", None], "pass"),  # it hangs up at once
        ([b"* BYE shutting down", None], "pass"),
        ([ConnectionResetError("reset")], "fail"),
        ([ConnectionRefusedError("shut")], "fail"),
        ([ssl.SSLCertVerificationError("another name"), None], "fail"),  # which would be the same in a minute
        ([Confined("shut on the way")], "not-tested"),
    ],
)
@pytest.mark.parametrize("requirement", list(OF_DOORS))
def test_a_door_that_breaks_is_asked_again_and_one_that_stays_broken_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, requirement: str, doing: list[Any], verdict: str
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(standards, "certificate_text", lambda connection: "")
    monkeypatch.setattr(standards, "_plain_imap_refused", lambda audit, host: (True, "143"))
    question, ports = OF_DOORS[requirement]
    for port in ports:
        network: Any = Doors(**{f"_{port}": [GREETINGS.get(port, b"") if what is None else what for what in doing]})
        audit = SimpleNamespace(
            province=ONE_HOST,
            kept={},
            network=network,
            units=lambda on: [SimpleNamespace(id="u", domain="x.test")],
            exchangers=exchangers_of.Exchangers(network),
        )
        if port == 587 and isinstance(doing[0], bytes):
            continue  # smtplib itself reads what is said there
        pauses.clear()
        assert verdicts(question, audit, on="a")["u", requirement][0] == verdict
        assert set(network.asked) == ports, "one door hides no other"
        assert sum(pauses) <= sum(exchangers_of.PAUSES)
        waited = sum(pauses)
        verdicts(question, audit, on="a")
        assert sum(pauses) == waited, "nobody waits twice for a door that stays shut"


@pytest.mark.parametrize(
    ("answers", "verdict", "dialogues"),
    [
        ([b"+OK ready", b"+OK\r\nUI", b"", b"+OK ready", b"+OK\r\nUI", b"DL\r\n.\r\n"], "pass", 2),
        ([b"+OK ready", b"-ERR what?\r\n"], "fail", 1),
        ([b"+OK ready", b"+OK\r\n", b""] * 3, "fail", 3),
    ],
)
def test_pop3_that_hangs_up_midway_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, answers: list[bytes], verdict: str, dialogues: int
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    network: Any = Doors()
    sound = network.tls
    pop3 = SimpleNamespace(recv=lambda size: answers.pop(0), sendall=lambda words: None)

    def tls(host: str, port: int) -> Any:
        opened = sound(host, port)
        return contextlib.nullcontext(pop3) if port == 995 else opened

    network.tls = tls
    audit = SimpleNamespace(
        province=ONE_HOST,
        kept={},
        network=network,
        units=lambda on: [SimpleNamespace(id="u")],
        exchangers=exchangers_of.Exchangers(network),
    )
    found = verdicts(standards.test_mailboxes_are_offered_by_imap_and_pop3, audit, on="a")
    assert found["u", "C37-S39-mbox"][0] == verdict
    assert network.asked.count(995) == dialogues
    assert not answers


@pytest.mark.parametrize(
    ("codes", "good"), [([454, 530], True), ([421, 530], True), ([454], False), ([235], False), ([530], True)]
)
def test_a_sign_in_that_is_refused_for_now_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], good: bool
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def docmd(*words: str) -> tuple[int, bytes]:
        return (codes.pop(0) if len(codes) > 1 else codes[0]), b"so"

    client = SimpleNamespace(docmd=docmd, has_extn=lambda name: name == "starttls")
    network: Any = SimpleNamespace(smtp=lambda host, port: contextlib.nullcontext(client))
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    assert seen_at(audit, {"587": partial(standards._over_starttls, network, "a.test")})["587"][0] is good


@pytest.mark.parametrize(
    ("codes", "asked", "good"), [([454] * 9, 3, False), ([502], 1, False), ([454, *[220] * 4], 5, True)]
)
def test_starttls_that_is_refused_for_now_says_nothing_of_a_version(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], asked: int, good: bool
) -> None:
    said: list[int] = []

    def docmd(word: str) -> tuple[int, bytes]:
        said.append(codes.pop(0))
        return said[-1], b"so"

    class Tls(contextlib.AbstractContextManager[Any]):
        def __exit__(self, *_: object) -> None: ...
        def version(self) -> str:
            return "TLS"

    def wrapped(self: ssl.SSLContext, raw: Any, server_hostname: str) -> Any:
        if self.minimum_version in OLD:
            error = ssl.SSLError(1, "refused")
            error.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
            raise error
        return Tls()

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrapped)
    there = SimpleNamespace(close=lambda: None)
    client = SimpleNamespace(docmd=docmd, sock=there, close=lambda: None)
    network: Any = SimpleNamespace(smtp=lambda host, port: client)
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    spoken = partial(standards._versions, network, "a.test", 587, starttls=True)
    assert seen_at(audit, {"587": spoken})["587"][0] is good
    assert len(said) == asked


@pytest.mark.parametrize(("port", "other"), [(465, 587), (587, 465)])
def test_a_door_that_the_network_shuts_hides_no_other_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, port: int, other: int
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(standards, "certificate_text", lambda connection: "")
    network: Any = Doors(**{f"_{port}": [Confined("shut")], f"_{other}": [ConnectionRefusedError()]})
    audit = SimpleNamespace(
        province=ONE_HOST,
        kept={},
        network=network,
        units=lambda on: [SimpleNamespace(id="u", domain="x.test")],
        exchangers=exchangers_of.Exchangers(network),
    )
    found = verdicts(standards.test_mail_is_handed_in_over_tls_only, audit, on="a")
    assert found["u", "C37-S39-smtps"][0] == "fail"


def test_a_network_that_lets_no_mail_out_hides_no_submission_door_that_is_shut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def greetings(domains: Any) -> Any:
        return dict.fromkeys(domains, exchangers_of.Reply.lacking(Confined("no way out to port 25")))

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(standards, "certificate_text", lambda connection: "")
    network: Any = Doors(_465=[ConnectionRefusedError()])
    audit = SimpleNamespace(
        province=ONE_HOST,
        kept={},
        network=network,
        units=lambda on: [SimpleNamespace(id="u", domain="x.test")],
        exchangers=exchangers_of.Exchangers(network),
    )
    monkeypatch.setattr(audit.exchangers, "greetings", greetings)
    found = verdicts(standards.test_mail_is_handed_in_over_tls_only, audit, on="a")
    assert found["u", "C37-S39-smtps"][0] == "fail"
    network.doing.clear()
    audit.kept.clear()
    for question in (standards.test_mail_is_handed_in_over_tls_only, standards.test_mail_is_taken_by_esmtp):
        with pytest.raises(AuditError, match=r"u: .*no way out"):
            verdicts(question, audit, on="a")


def test_a_machine_without_a_way_out_by_ipv4_goes_by_ipv6(
    network: Network, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    monkeypatch.setattr(network, "lookup", names(HOSTS))
    way(OSError("unreachable"), ("192.0.2.1", 0), without="192")
    assert network.address("a.test") == "2001:db8::1"
    assert network.reached("a.test", 443, "A") == (None, network_of.no_way("A"))
    with pytest.raises(Confined, match="IPv4"):
        network.address("b.test")
    way()
    assert network.address("a.test") == "192.0.2.1"
    with pytest.raises(OSError, match="no A record"):
        network.address("c.test")


def test_a_way_out_is_a_route() -> None:
    assert network_of.has_way("127.0.0.1")
    assert not network_of.has_way("255.255.255.255")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ConnectionRefusedError(), "pass"),
        (ConnectionResetError(), "not-tested"),  # somebody took the connection
        (TimeoutError(), "not-tested"),
        (imaplib.IMAP4.abort("socket error: EOF"), "not-tested"),
    ],
)
def test_a_port_that_says_nothing_is_not_a_closed_one(
    province: Province, monkeypatch: pytest.MonkeyPatch, error: Exception, verdict: str
) -> None:
    def imap(*words: Any, **rest: Any) -> None:
        raise error

    connection = SimpleNamespace(recv=lambda most: b"* OK ready")
    tls = contextlib.nullcontext(connection)
    network: Any = SimpleNamespace(address=lambda name: "192.0.2.1", tls=lambda name, port: tls)
    monkeypatch.setattr(standards.imaplib.IMAP4, "__init__", imap)
    monkeypatch.setattr(standards, "certificate_text", lambda connection: "")
    audit = SimpleNamespace(
        province=province,
        kept={},
        network=network,
        units=lambda on: [SimpleNamespace(id="u")],
        exchangers=exchangers_of.Exchangers(network),
    )
    found = verdicts(standards.test_mailboxes_are_read_over_tls_only, audit, on="mail-so")
    assert found["u", "C37-S39-imaps"][0] == verdict


@pytest.mark.parametrize(
    ("answer", "shuts", "verdict", "word"),
    [
        (False, False, "not-applicable", "is shut"),
        (None, True, "not-applicable", "is shut"),
        (None, False, "not-tested", "does not shut it"),
        (True, True, "not-tested", "look by hand"),
    ],
)
def test_a_directory_is_not_offered_where_the_host_itself_says_so(
    province: Province,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool | None,
    shuts: bool,
    verdict: str,
    word: str,
) -> None:
    monkeypatch.setattr(host_of, "knock", lambda address, port: answer)
    monkeypatch.setattr(standards, "facts_of", lambda audit, on: SimpleNamespace(shuts=lambda port: shuts))
    network = SimpleNamespace(address=lambda name: "192.0.2.1")
    audit = SimpleNamespace(
        province=province, network=network, units=lambda on: [SimpleNamespace(id="u")], kept={}, judged=set(), hosts={}
    )
    given, evidence = verdicts(standards.test_no_directory_is_offered, audit, on="mail-so")["u", "C37-S39-dir"]
    assert given == verdict
    assert word in evidence
    assert ("no directory is offered" in evidence) is (verdict == "not-applicable")


def test_hosts_are_knocked_at_together_and_one_without_an_address_holds_up_none(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocked: list[tuple[str, int]] = []

    def knock(address: str, port: int) -> bool:
        knocked.append((address, port))
        return (address, port) == ("192.0.2.2", 389)

    addresses = {province.hosts["mail-so"].fqdn: "192.0.2.1", province.hosts["mail-xa"].fqdn: "192.0.2.2"}

    def address(name: str) -> str:
        if name not in addresses:
            raise OSError("no A record")
        return addresses[name]

    monkeypatch.setattr(host_of, "knock", knock)
    audit: Any = SimpleNamespace(province=province, network=SimpleNamespace(address=address), kept={})
    audit.judged, audit.hosts = {"mail-so", "mail-xa", "mail-thpt", ""}, dict.fromkeys(province.hosts)
    assert not any(host_of.knocks(audit, "192.0.2.1").values())
    assert {door for door in knocked if door[1] == 389} == {("192.0.2.1", 389), ("192.0.2.2", 389)}
    assert len(knocked) == len(set(knocked))
    before = len(knocked)
    assert [port for port, answers in host_of.knocks(audit, "192.0.2.2").items() if answers] == [389]
    assert len(knocked) == before


def test_a_packet_filter_shuts_what_it_neither_names_nor_lets_in_with_the_rest() -> None:
    def facts(policy: str, *rules: list[dict[str, Any]]) -> HostFacts:
        made = HostFacts(SimpleNamespace(province=SimpleNamespace(hosts={"h": None})), SimpleNamespace(name="h"))
        ours = {"table": "edumail", "chain": "input"}
        chain = {"chain": {"table": "edumail", "hook": "input", "policy": policy}}
        made.system = {"rules": [chain, *({"rule": ours | {"expr": rule}} for rule in rules)]}
        return made

    port = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 389}}
    assert facts("drop").shuts(389)
    assert not facts("accept").shuts(389)
    assert not facts("drop", [port, {"accept": None}]).shuts(389)
    assert not facts("drop", [{"accept": None}]).shuts(389)


# --- TLS versions ---


class Door:
    """A server at a port of this machine that deals with each connection by ``answer``."""

    def __init__(self, answer: Callable[[socket.socket], None]):
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                self.answer(connection)

    def offered(self, version: ssl.TLSVersion) -> tuple[bool, str]:
        port = self.socket.getsockname()[1]
        there: Any = SimpleNamespace(
            connect=lambda host, _: socket.create_connection(("127.0.0.1", port), timeout=1.0),
        )
        return offers_version(there, "a.test", 993, version, False)


@pytest.fixture
def server(tmp_path: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer, as Postfix, Dovecot and nginx have it from OpenSSL."""
    key = new_key()
    path = tmp_path / "a.pem"
    path.write_bytes(key_pem(key) + Authority().certify(key, ["a.test"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


@pytest.fixture
def door() -> Iterator[Callable[[Callable[[socket.socket], None]], Door]]:
    made: list[Door] = []

    def new(answer: Callable[[socket.socket], None]) -> Door:
        made.append(Door(answer))
        return made[-1]

    yield new
    for one in made:
        one.socket.shutdown(socket.SHUT_RDWR)
        one.socket.close()
        one.thread.join(5)


def old(first: bytes) -> bool:
    """Whether a ClientHello offers nothing above TLS 1.1: the version in it (RFC 5246, 7.4.1.2) is the highest then."""
    return first[9:11] < b"\x03\x03"


def swallow(connection: socket.socket) -> None:
    while connection.recv(5000):
        pass


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("middle", "refuses"),
    [
        (lambda connection: None, True),  # the server's own alert
        (lambda connection: reset(connection) or "end", True),  # it hangs up, and speaks TLS 1.2
        (lambda connection: connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n") or "end", None),
        (lambda connection: swallow(connection) or "end", None),
    ],
)
def test_only_the_servers_own_word_refuses_an_old_version(
    server: ssl.SSLContext, door: Any, middle: Any, refuses: bool | None
) -> None:
    def answer(connection: socket.socket) -> None:
        first = connection.recv(5000, socket.MSG_PEEK)
        if not (old(first) and middle(connection)):
            with contextlib.suppress(ssl.SSLError):
                server.wrap_socket(connection, server_side=True).close()

    here = door(answer)
    for version in OLD:
        if refuses:
            accepted, said = here.offered(version)
            assert (accepted, "refused" in said) == (False, True)
        else:
            with pytest.raises(RuntimeError, match="not clear"):
                here.offered(version)
    assert all(here.offered(version)[0] for version in NEW)


def test_a_door_that_hangs_up_on_everybody_refuses_no_version(door: Any) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(5000)
        reset(connection)

    here = door(answer)
    with pytest.raises(RuntimeError, match="not clear"):
        here.offered(OLD[0])
    with pytest.raises(OSError, match=r"reset|EOF"):  # which may be asked again
        here.offered(NEW[0])


@pytest.mark.parametrize(
    ("name", "status", "verdict"), [("a.test", 200, "pass"), ("a.test", 404, "fail"), ("b.test", 200, "fail")]
)
def test_it_is_the_units_own_page_that_comes_by_ipv6(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, door: Any, name: str, status: int, verdict: str
) -> None:
    key, authority = new_key(), Authority(datetime.now(UTC))
    chain, network.authority = tmp_path / "a.pem", tmp_path / "ca.pem"
    chain.write_bytes(key_pem(key) + authority.certify(key, ["a.test"]) + authority.intermediate)
    network.authority.write_bytes(authority.root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(5000)
            secure.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)

    here, create = door(answer).socket.getsockname(), socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda where, timeout: create(here, timeout))
    monkeypatch.setattr(network, "lookup", lambda name, kind: ["2001:db8::1"])
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    [(good, said)] = seen_at(audit, {name: partial(network.served, name, "AAAA")}).values()
    assert VERDICTS[good] == verdict, said


def test_a_way_that_lets_no_page_through_is_waited_for_some_times(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []

    def stalls(address: str, name: str) -> Any:
        waited.append(name)
        raise TimeoutError("timed out")

    monkeypatch.setattr(network, "lookup", lambda name, kind: ["2001:db8::1"])
    monkeypatch.setattr(network, "_knocked", lambda address, port: (True, "answers"))
    monkeypatch.setattr(network, "_page_at", stalls)
    audit: Any = SimpleNamespace(network=network, exchangers=exchangers_of.Exchangers(network))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    names = [f"{number}.test" for number in range(9)]
    found = seen_at(audit, {name: partial(network.served, name, "AAAA") for name in names})
    assert len(waited) == network_of.STALLS_BELIEVED
    assert {good for good, _ in found.values()} == {None}
    assert all("HTTPS said nothing" in said for _, said in found.values())
    assert network.reached("a.test", 443, "AAAA")[0] is True


@pytest.mark.parametrize(
    ("old_ones", "new_ones", "verdict"),
    [
        (False, True, "pass"),
        (True, True, "fail"),
        (False, False, "fail"),
        (False, [True, False], "pass"),
        (False, [False, True], "pass"),
        (False, [True, ConnectionResetError()], "pass"),
        (False, [False, RuntimeError("unable")], "not-tested"),
        (RuntimeError("unclear"), True, "not-tested"),
        (RuntimeError("unclear"), False, "fail"),
        (Confined("shut"), True, "not-tested"),
    ],
)
def test_what_was_not_learnt_of_a_version_hides_no_fault(
    monkeypatch: pytest.MonkeyPatch, old_ones: Any, new_ones: Any, verdict: str
) -> None:
    def offered(network: Any, name: str, port: int, version: ssl.TLSVersion, starttls: bool) -> tuple[bool, str]:
        answer = new_ones if version in NEW else old_ones
        if isinstance(answer, list):
            answer = answer[NEW.index(version)]
        if isinstance(answer, Exception):
            raise answer
        return answer, "seen"

    monkeypatch.setattr(standards, "offers_version", offered)
    network: Any = None
    assert VERDICTS[standards._versions(network, "a.test", 993, starttls=False)[0]] == verdict


@pytest.mark.parametrize(
    ("hsts", "verdict"),
    [("max-age=31536000", "pass"), ('includeSubDomains; Max-Age="60"', "pass"), ("max-age=0", "fail"), (None, "fail")],
)
def test_a_browser_has_to_remember_that_pages_come_by_https(hsts: str | None, verdict: str) -> None:
    response = SimpleNamespace(status=200, getheader=lambda name: hsts)
    connection = SimpleNamespace(getpeercert=dict, version=lambda: "TLSv1.3")
    network = SimpleNamespace(
        tls=lambda name, port: contextlib.nullcontext(connection),
        https=lambda name: (response, b""),
        plain_http=lambda name: (301, f"https://{name}/"),
    )
    about: Any = SimpleNamespace(unit=SimpleNamespace(portal="a.test"), audit=SimpleNamespace(network=network))
    assert standards._https_only(about)[0] == verdict


# --- the auditor's machine ---


def test_clocks_that_are_apart_and_a_machine_without_authorities_end_an_audit_before_it_judges(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    late = {"mail-so": 0, "mail-xa": 600, "mail-thpt": -600}
    files = {"folder": mailbox_of.FOLDER}

    class Shell:
        def __init__(self, name: str):
            self.name = name

        def run(self, words: str) -> Any:
            said.append(f"{self.name} {words.removeprefix(audit_of.COMMAND).strip()}")
            if words == audit_of.CALLED:
                return SimpleNamespace(stdout=f"{province.hosts[self.name].fqdn}\n")
            now = time.time() + late[self.name]
            answer = files | {"login": "a", "password": "b", "token": "c", "expires": int(now) + 3600}
            return SimpleNamespace(rc=0, stdout=json.dumps(answer), stderr="")

    shell: Any = SimpleNamespace(get_host=lambda address, ssh_config: Shell(address.rpartition("@")[2]))
    monkeypatch.setattr(audit_of, "testinfra", shell)
    audit = Audit(LAB, province, frozenset(province.hosts))
    audit.open(None)
    assert set(audit.hosts) == {"mail-so"}
    assert isinstance(audit.hosts["mail-so"], HostAudit)
    assert all(re.search("(599|600|601) seconds", audit.unreachable[name]) for name in list(late)[1:])
    assert {"mail-xa close a", "mail-thpt close a"} <= set(said)  # nothing is left behind

    files.clear()  # as a host of another commit
    said.clear()
    audit = Audit(LAB, province, frozenset(province.hosts))
    audit.open(None)
    assert "from another commit" in audit.unreachable["mail-so"]
    assert "mail-so close a" in said

    public = SimpleNamespace(source="acme")
    audit = Audit(LAB, with_settings(province, certificates=public), frozenset(province.hosts))
    audit.open(None)
    monkeypatch.setattr(audit_of, "authorities_known", lambda: False)
    said.clear()
    with pytest.raises(AuditError, match="ca-certificates"):
        audit.open(None)
    assert not said


def test_no_file_that_comes_with_the_inventory_steers_the_auditors_ssh(tmp_path: Path) -> None:
    inventory, link = tmp_path / "tinh", tmp_path / "link"
    inventory.mkdir()
    link.symlink_to(inventory / "ssh_config")
    assert own_ssh_config(inventory, None) is None
    assert own_ssh_config(inventory, "~/.ssh/config") == str(Path.home() / ".ssh" / "config")
    assert own_ssh_config(inventory, str(tmp_path / "mine")) == str(tmp_path / "mine")
    for said in (str(inventory / "x"), "ssh_config", str(link), str(CHECKOUT / "inventories" / "x")):
        with pytest.raises(AuditError, match="--ssh-config"):
            own_ssh_config(inventory, said)


@pytest.mark.parametrize(
    ("called", "audited"),
    [
        ("mail-xa.minhha.test\n", True),
        ("", True),  # a host that is mute has said nothing else
        ("mail-so.minhha.test\n", False),
        ("mail-xa.tinhkhac.test\n", False),
    ],
)
def test_an_alias_that_leads_to_another_machine_is_noticed_before_an_audit_is_opened_there(
    province: Province, monkeypatch: pytest.MonkeyPatch, called: str, audited: bool
) -> None:
    ran: list[str] = []

    class Shell:
        def __init__(self, name: str):
            self.name = name

        def run(self, words: str) -> Any:
            if words == audit_of.CALLED:
                return SimpleNamespace(stdout=called if self.name == "mail-xa" else province.hosts[self.name].fqdn)
            ran.append(self.name)
            answer = {"login": "a", "password": "b", "token": "c", "expires": int(time.time()) + 3600}
            answer["folder"] = mailbox_of.FOLDER
            return SimpleNamespace(rc=0, stdout=json.dumps(answer), stderr="")

    shell: Any = SimpleNamespace(get_host=lambda address, ssh_config: Shell(address.rpartition("@")[2]))
    monkeypatch.setattr(audit_of, "testinfra", shell)
    audit = Audit(LAB, province, frozenset(province.hosts))
    audit.open(None)
    assert ("mail-xa" in audit.hosts, "mail-xa" in ran) == (audited, audited)
    assert {"mail-so", "mail-thpt"} <= audit.hosts.keys()
    if not audited:
        assert f"SSH leads to {called.strip()}, not to mail-xa.minhha.test" in audit.unreachable["mail-xa"]


def test_a_host_that_ssh_does_not_reach_is_told_without_the_command_and_the_auditor_s_address(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: str) -> Any:
        if words == audit_of.CALLED:
            return SimpleNamespace(stdout="")
        said = "exit_status=255, _stdout=b'', _stderr=b'x\\nConnection closed\\n'"
        raise RuntimeError(f"CommandResult(command={words.encode()!r}, {said})")

    shell: Any = SimpleNamespace(get_host=lambda address, ssh_config: SimpleNamespace(run=run))
    monkeypatch.setattr(audit_of, "testinfra", shell)
    audit = Audit(LAB, province, frozenset(province.hosts), outside="kiemtra@ngoai.test")
    audit.open(None)
    assert set(audit.unreachable.values()) == {"SSH: Connection closed"}
    assert host_of.unseen(audit, "mail-xa").endswith("/ not under audit: SSH: Connection closed")


def test_authorities_lie_in_a_file_or_in_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = SimpleNamespace(get_ca_certs=list)
    monkeypatch.setattr(ssl, "create_default_context", lambda: empty)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(capath=str(tmp_path)))
    assert not audit_of.authorities_known()
    (tmp_path / "4a6481c9.0").touch()
    assert audit_of.authorities_known()
