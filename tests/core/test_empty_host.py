"""Every question of the audit, put to a host that has nothing: SSH lets the auditor in, and all else is missing.

Names lead where the inventory says, since DNS is another server's. The gateway is silent, or takes whatever is sent.
The answers are judged as those of any audit: with what follows from them, and what the audit itself answers.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.verdicts import Finding, Verdict
from edumail.cli.audit import Answers, judge
from edumail.load import load
from tests.circular import hostfacts, letters, portal
from tests.circular.audit import Audit, AuditError, HostAudit
from tests.circular.exchangers import Exchangers, Greeting, Reply
from tests.circular.host import HostFacts
from tests.circular.network import Network
from tests.circular.survey import Question
from tests.core.test_catalogue import checked
from tests.core.test_letters import Clock

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab"
HOSTS = ("mail-so", "mail-xa", "mail-thpt")
ALWAYS = {
    "C37-16.1": "it could be inspected: every question got an answer, and nearly all answers are fails",
    "C37-12.7.2": "signatures of zones are the name server's",
    "C37-S39-dnssec": "signatures of zones are the name server's",
}
OF_THE_GATEWAY = {
    "C37-S39-smtp": "the exchanger of all domains is the gateway",
    "C37-4.3.4": "whether addresses below are taken is the gateway's answer; what comes of it is asked of those below",
}
"""What an empty host passes, and why; all but 16.1 is not about the host. And what it may, where a gateway works."""


def refused(*_: Any) -> Any:
    """What every port says."""
    raise ConnectionRefusedError("refused")


def unseen(urls: Iterable[str]) -> list[str]:
    """What a browser finds there."""
    return [f"{url}: refused" for url in urls]


class Silence(Network):
    """Names lead somewhere, and nobody answers there."""

    def lookup(self, name: str, kind: str) -> list[str]:
        return {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["10 mail-so.minhha.test."]}[kind]

    def reached(self, name: str, port: int, kind: str) -> tuple[bool | None, str]:
        return False, f"{name}:{port} refused"

    def dnssec(self, apex: str) -> Any:
        return "anchored", ""

    differences: Any = ()
    tls = smtp = imap = https = plain_http = refused


class Gateway(Exchangers):
    """An exchanger that takes every address and every letter."""

    def greetings(self, domains: Any) -> dict[str, Greeting | Reply]:
        return {domain: Greeting("mx", True, ("8bitmime", "starttls")) for domain in domains}

    def rcpts(self, addresses: Any, sender: str = "<>") -> dict[str, Reply]:
        return {address: Reply(250, "ok") for address in addresses}

    def send(self, envelopes: Any) -> None:
        for envelope in envelopes:
            envelope.reply = Reply(250, "ok")


class Bare(HostAudit):
    """The auditor's command answers, and finds nothing; letters go away and are in no mailbox."""

    def ask(self, command: str, request: Any = None) -> Any:
        match command:
            case "facts":
                return {"accounts": [], "programs": {}, "dovecot_users": [], "time": 0}
            case "send":
                return {probe["message_id"]: "" for probe in request["probes"]}
            case "trace":
                return {message_id: [] for message_id in request["message_ids"]}
            case "seers":
                return [[] for _ in request["mailboxes"]]
            case "unopened" | "received":
                return []
            case "trees":
                return {"roles": {}, "deploying": False}
            case "system":
                queue = {which: {"messages": 0, "oldest": 0} for which in ("all", "inside")}
                return {"rules": [], "sshd": {}, "queue": queue}
        raise AssertionError(command)

    def take(self, mailbox: str, wanted: Collection[str], whole: Collection[str]) -> dict[str, bytes]:
        return {}


class Shell:
    """A shell in which no command is found."""

    def run(self, words: str) -> Any:
        asked = json.loads(words.rpartition("python3 - ")[2].strip("'"))
        return SimpleNamespace(rc=0, stdout=json.dumps(hostfacts.answers(asked)), stderr="")


@pytest.fixture(scope="module")
def inventory() -> Any:
    return load(LAB)


@pytest.fixture
def bare(inventory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, bool], Audit]:
    clock = Clock()
    monkeypatch.setattr(letters.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(letters.time, "sleep", clock.sleep)
    monkeypatch.setattr(hostfacts, "said", lambda *command: "")
    monkeypatch.setattr(hostfacts, "LISTS", tmp_path)
    monkeypatch.setattr(hostfacts, "FETCHED", ())
    monkeypatch.setattr(HostFacts, "wanted", {"postfix": "0" * 64})
    monkeypatch.setattr(HostFacts, "answering", [])
    monkeypatch.setattr("tests.circular.host.knock", lambda address, port: False)
    monkeypatch.setattr("tests.circular.test_standards_39.offers_version", refused)

    def made(host: str, taking: bool) -> Audit:
        asked = {host: frozenset(letters.PLANS)}
        audit = Audit(LAB, inventory, frozenset([host]), asked=asked, outside="kiemtra@ngoai.test")
        audit.network = Silence(inventory, tmp_path / "ca.pem")
        audit.exchangers = (Gateway if taking else Exchangers)(audit.network)
        for name, known in inventory.hosts.items():
            audit.hosts[name] = Bare(name, known.fqdn, Shell(), "auditor", "x", "0" * 32, 0, audit.network)
        return audit

    return made


def questions() -> Iterator[tuple[Callable[..., None], tuple[str, ...], tuple[Any, ...], dict[str, Any]]]:
    """Each test of the audit with its requirements, what it puts to each unit, and its own parameters."""
    for file in sorted((ROOT / "tests" / "circular").glob("test_*.py")):
        module = importlib.import_module(f"tests.circular.{file.stem}")
        for name, test in vars(module).items():
            if not name.startswith("test_") or test.__module__ != module.__name__:
                continue
            marks = getattr(test, "pytestmark", [])
            rows = [row for mark in marks if mark.name == "parametrize" for row in mark.args[1]]
            for row in rows or [None]:
                own = [*marks, *(row.marks if row else ())]
                requirements = tuple(word for mark in own if mark.name == "requirement" for word in mark.args)
                asks = tuple(mark.args[0] for mark in own if mark.name == "each_unit")
                yield test, requirements, asks, {"requirement": row.values[0]} if row else {}


def answers_of(audit: Audit, host: str) -> Answers:
    """What the questions of the host's turn bring, as a run of pytest hands it over."""
    found: list[Finding] = []
    incomplete, asked, pages = [], set[str](), set[str]()

    def record(unit: str, requirement: str, verdict: Verdict, evidence: list[str]) -> None:
        found.append(Finding(unit, requirement, verdict, tuple(evidence), host))

    for test, requirements, asks, row in questions():
        wanted = inspect.signature(test).parameters
        turn = "serving" if wanted.keys() & {"serving", "of_pages"} else "on"
        asked |= set(requirements)
        pages |= set(requirements) if turn == "serving" else set()
        given: dict[str, Any] = {
            "audit": audit,
            turn: host,
            "record": record,
            "browser": SimpleNamespace(look=unseen),
            **row,
        }
        question = Question(asks[0], host, turn, requirements) if asks else None
        if question:
            answers = [(unit, question.ask(portal.reading(audit, unit))) for unit in question.units(audit)]
            given |= {"of_pages": answers, "of_units": answers}
        try:
            test(**{name: given[name] for name in wanted})
        except AuditError as error:
            incomplete.append(str(error))
    return Answers(found, incomplete, list(asked), pages=frozenset(pages))


@pytest.mark.parametrize("taking", [False, True], ids=["a silent gateway", "a gateway that takes everything"])
@pytest.mark.parametrize("host", HOSTS)
def test_an_empty_host_passes_nothing_that_is_about_it(
    inventory: Any, bare: Callable[[str, bool], Audit], host: str, taking: bool
) -> None:
    findings, incomplete = judge(inventory, [host], answers_of(bare(host, taking), host))
    passed = {finding.requirement for finding in findings if finding.verdict == "pass"}
    allowed: Mapping[str, str] = ALWAYS | (OF_THE_GATEWAY if taking else {})
    assert ALWAYS.keys() <= passed <= allowed.keys(), sorted(passed ^ allowed.keys())
    assert not incomplete


def test_every_question_of_the_audit_is_put_to_it() -> None:
    assert {name for _, requirements, _, _ in questions() for name in requirements} == checked()
