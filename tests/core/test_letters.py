"""The letters of an audit: all at once, in bounded requests, over connections that may break, with one end for all."""

from __future__ import annotations

import errno
import imaplib
import json
import shlex
import smtplib
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.load import load
from edumail.mail import Mail
from edumail.units import page_turn
from tests.circular import exchangers, letters
from tests.circular.audit import REQUEST, AuditError, HostAudit, parted
from tests.circular.exchangers import Envelope, Exchangers
from tests.circular.letters import PLANS, Letter, collect, post
from tests.circular.mailbox import take
from tests.circular.network import Confined
from tests.circular.portal import Home

ROOT = Path(__file__).parents[2]
HOST = "mail-xa"
LINUX = 131_072
"""Bytes of one word of a command line."""


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(letters.time, "monotonic", lambda: made.now)
    monkeypatch.setattr(letters.time, "sleep", made.sleep)
    monkeypatch.setattr(letters, "WAIT_SECONDS", 60.0)
    return made


class Server:
    """What is left of a host with mailboxes: letters that were sent from it, and rounds in which it was asked."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, str]]] = []
        self.unsent: dict[str, str] = {}
        self.lost: set[str] = set()
        """Mailboxes that letters do not reach."""
        self.broken: dict[str, Exception] = {}
        self.asked: Counter[str] = Counter()
        self.logged: list[dict[str, str]] = []
        """What this host's Postfix says of every letter that it is asked about."""

    def trace(self, message_ids: Collection[str]) -> dict[str, list[dict[str, str]]]:
        return dict.fromkeys(message_ids, self.logged)

    def ask_each(self, command: str, name: str, rows: list[dict[str, str]], **rest: Any) -> Iterator[dict[str, str]]:
        assert (command, name, rest) == ("send", "probes", {"tokens": ["token"]})
        self.requests.append(rows)
        yield {row["message_id"]: self.unsent.get(row["recipient"], "") for row in rows}

    def take(self, mailbox: str, wanted: Collection[str], whole: Collection[str]) -> dict[str, bytes]:
        self.asked[mailbox] += 1
        if mailbox in self.broken:
            raise self.broken[mailbox]
        return {} if mailbox in self.lost else {name: b"text" if name in whole else b"" for name in wanted}


class Province:
    """The lab's province under an audit that nobody answers but these fakes."""

    def __init__(self) -> None:
        self.province = load(ROOT / "inventories" / "lab")
        self.mail = Mail(self.province)
        self.hosts = {name: Server() for name in self.province.hosts}
        self.tokens, self.outside = ["token"], "kiemtra@ngoai.test"
        self.asked = {HOST: frozenset(PLANS)}
        self.kept: dict[str, Any] = {}
        self.homes = {u.id: Home(True, "", "", (u.public_address,)) for u in self.province.units.values()}
        self.drawn: set[str] | None = None
        self.network = self.exchangers = self
        self.envelopes: list[Envelope] = []
        self.renewed: list[int] = []
        """How many letters had gone whenever it was seen whether the audits last long enough."""

    def renew(self) -> None:
        self.renewed.append(len(self.envelopes) + sum(len(server.requests) for server in self.hosts.values()))

    def left_out(self, unit: Any) -> str:
        return "" if self.drawn is None or unit.id in self.drawn else "not drawn"

    def units(self, host: str) -> list[Any]:
        return [unit for unit in self.province.units.values() if unit.host == host]

    def pages(self, host: str) -> list[Any]:
        return [unit for unit in self.province.units.values() if page_turn(unit, [host]) == host]

    def tables(self, host: str) -> Any:
        return self.mail.host(host)

    def exchanger(self, domain: str) -> str:
        return "mx"

    def https(self, name: str) -> tuple[Any, bytes]:
        (unit,) = [unit for unit in self.province.units.values() if unit.portal == name]
        return SimpleNamespace(status=200), f'<a href="mailto:{unit.public_address}">'.encode()

    def send(self, envelopes: Any) -> None:
        for envelope in envelopes:
            self.envelopes.append(envelope)
            envelope.reply = exchangers.Reply(250, "queued")


@pytest.fixture
def audit() -> Any:
    return Province()


def test_all_letters_of_a_turn_go_at_once_and_each_mailbox_is_looked_into_once(audit: Any) -> None:
    made = post(audit, HOST, "C37-4.5")
    assert all(letter.arrived(mailbox) for letter in made.letters.values() for mailbox in letter.mailboxes)
    assert len({letter.message_id for letter in made.letters.values()}) == len(made.letters)
    assert all(len(server.requests) <= 1 for server in audit.hosts.values())
    assert {n for server in audit.hosts.values() for n in server.asked.values()} == {1}
    before = len(audit.envelopes)
    assert audit.renewed == [0]
    assert post(audit, HOST, "C37-9.1b") is made
    assert len(audit.envelopes) == before
    # What the page publishes and what the contact page leads to is one address, and one letter.
    unit = audit.units(HOST)[1]
    plain = [e for e in audit.envelopes if unit.public_address == e.recipient and b"automatic" in e.message]
    assert len(plain) == 1
    assert made.letter(unit.public_address).found == {unit.public_address: b""}  # nobody reads what it says


def test_only_what_is_asked_for_is_sent(audit: Any) -> None:
    audit.asked = {HOST: frozenset({"C37-S39-smime", "C37-2.1"})}
    made = post(audit, HOST, "C37-S39-smime")
    assert {letter.text for letter in made.letters.values()} == {"signed"}
    assert len(made.letters) == len(audit.units(HOST))
    assert all(letter.found[letter.recipient] == b"text" for letter in made.letters.values())


def test_a_letter_that_two_requirements_need_is_looked_for_where_either_wants_it(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (unit.public_address for unit in audit.units(HOST)[:2])
    plans = {
        name: lambda audit, on, box=box: iter([Letter("x@x.test", (box,))]) for name, box in (("a", one), ("b", other))
    }
    monkeypatch.setattr(letters, "PLANS", plans)
    audit.asked = {HOST: {"a", "b"}}
    letter = post(audit, HOST, "a").letter("x@x.test")
    assert letter.arrived(one)
    assert letter.arrived(other)
    assert len(audit.envelopes) == 1


def test_a_letter_to_an_address_outside_that_a_page_names_carries_no_token(audit: Any) -> None:
    unit = audit.units(HOST)[0]
    audit.homes[unit.id] = Home(True, "", "", ("nguoila@ngoai.test",))
    post(audit, HOST, "C37-4.2.3")
    carrying = {envelope.recipient: b"X-Edumail-Audit: token" in envelope.message for envelope in audit.envelopes}
    assert carrying.pop("nguoila@ngoai.test") is False
    assert set(carrying.values()) == {True}


def test_letters_that_can_not_be_planned_stop_no_others(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(audit: Any, on: str) -> Iterator[Letter]:
        raise KeyError("nothing there")

    monkeypatch.setattr(letters, "PLANS", {**PLANS, "C37-4.2.3": breaks})
    assert post(audit, HOST, "C37-4.5").letters
    with pytest.raises(AuditError, match="KeyError: 'nothing there'"):
        post(audit, HOST, "C37-4.2.3")


@pytest.mark.parametrize("step", ["_bring", "collect"])
def test_an_exchange_that_breaks_is_no_finding(audit: Any, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def breaks(*words: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(letters, step, breaks)
    for requirement in ("C37-4.5", "C37-4.1", "C37-4.5"):
        with pytest.raises(AuditError, match="RuntimeError: out of memory"):
            post(audit, HOST, requirement)


def test_a_network_that_lets_no_mail_out_leaves_open_what_a_stranger_would_have_to_bring(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confined(envelopes: Any) -> None:
        for envelope in envelopes:
            envelope.reply = exchangers.Reply.lacking(Confined("mx.example"))

    monkeypatch.setattr(audit, "send", confined)
    made = post(audit, HOST, "C37-4.1")
    for unit in audit.units(HOST):
        for text in ("plain", "signed"):
            with pytest.raises(AuditError, match=r"mx\.example"):
                made.letter(unit.public_address, text=text).arrived(unit.public_address)
    for unit, other in letters.partners(audit, HOST):
        assert made.letter(other.public_address, unit.public_address).arrived(other.public_address)


def test_a_page_that_the_network_shuts_keeps_no_letter_of_another_s_from_going(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut, sound, *_ = audit.units(HOST)
    del audit.homes[shut.id]

    def https(*words: object) -> Any:
        raise Confined("no way out by IPv4")

    monkeypatch.setattr(audit, "https", https)
    monkeypatch.setattr(audit, "asked", {HOST: {"C37-4.2.3"}})
    monkeypatch.setattr(audit, "contents", SimpleNamespace(forget=lambda unit: None), raising=False)
    made = post(audit, HOST, "C37-4.2.3")
    assert made.letter(sound.public_address).arrived(sound.public_address)
    with pytest.raises(AuditError, match="no letter was sent"):
        made.letter(shut.public_address)


def test_a_host_that_ssh_does_not_reach_any_more_is_no_finding(audit: Any) -> None:
    def breaks(*words: object, **rest: object) -> Iterator[dict[str, str]]:
        raise AuditError("ssh")
        yield {}

    audit.hosts[HOST].ask_each = breaks
    made = post(audit, HOST, "C37-4.1")
    for unit, other in letters.partners(audit, HOST):
        with pytest.raises(AuditError, match="ssh"):
            made.letter(other.public_address, unit.public_address).arrived(other.public_address)
        assert made.letter(unit.public_address, other.public_address).arrived(unit.public_address)


def test_letters_that_never_come_are_waited_for_together(audit: Any, clock: Clock) -> None:
    audit.hosts[HOST].lost = {unit.public_address for unit in audit.units(HOST)}
    made = post(audit, HOST, "C37-4.1")
    assert 60 <= clock.now < 65
    for unit in audit.units(HOST):
        assert not made.letter(unit.public_address, text="signed").arrived(unit.public_address)
    postmaster = f"postmaster@{audit.units(HOST)[0].domain}"
    assert all(map(made.letter(postmaster).arrived, audit.mail.groups.mailboxes(postmaster)))


def test_a_host_that_still_delivers_is_waited_for(audit: Any, clock: Clock) -> None:
    """One letter in each round, and each round takes half a minute: all come, though most of them after the end."""
    mailbox = audit.units(HOST)[0].public_address
    sent = [Letter(f"{n}@x.test", (mailbox,), message_id=f"{n}", reply="250") for n in range(10)]

    def slow(name: str, wanted: Collection[str], whole: Collection[str]) -> dict[str, bytes]:
        clock.now += 30
        return {min(wanted): b""}

    audit.hosts[HOST].take = slow
    collect(audit, sent)
    assert all(letter.arrived(mailbox) for letter in sent)


def test_a_mailbox_that_can_not_be_opened_leaves_only_its_own_letters_open(audit: Any) -> None:
    one, other = (unit.public_address for unit in audit.units(HOST)[:2])
    audit.hosts[HOST].broken = {one: imaplib.IMAP4.error("no sign-in")}
    made = post(audit, HOST, "C37-12.1")
    with pytest.raises(AuditError, match="no sign-in"):
        made.letter(one, text="vietnamese").arrived(one)
    assert made.letter(other, text="vietnamese").arrived(other)


@pytest.mark.parametrize("error", [TimeoutError("nobody"), Confined("nobody")])
def test_a_host_that_does_not_answer_is_not_asked_for_each_mailbox(audit: Any, error: Exception) -> None:
    """And what the network shuts on the way to it hides no letter of another host's."""
    mailboxes = [person.address for person in audit.province.people if audit.mail.home[person.address] == HOST]
    audit.hosts[HOST].broken = dict.fromkeys(mailboxes, error)
    sent = [Letter(name, (name,), message_id=name, reply="250") for name in mailboxes]
    left = {letter.recipient: {letter.message_id: letter} for letter in sent}
    assert not letters._look(audit, left, mailboxes)
    assert sum(audit.hosts[HOST].asked.values()) <= letters.AT_ONCE < len(mailboxes)
    assert all("nobody" in letter.unseen[letter.recipient] for letter in sent)


def test_where_nothing_has_come_yet_the_rest_is_not_disturbed(audit: Any, clock: Clock) -> None:
    mailboxes = [f"m{number}" for number in range(3 * letters.PIECE)]
    audit.mail.home = dict.fromkeys(mailboxes, HOST)
    audit.hosts[HOST].lost = set(mailboxes)
    sent = [Letter(name, (name,), message_id=name, reply="250") for name in mailboxes]
    collect(audit, sent)
    asked = audit.hosts[HOST].asked
    assert asked[mailboxes[0]] > 10
    assert asked[mailboxes[-1]] == 1  # when the time was over
    assert not any(letter.found for letter in sent)


def test_what_a_host_does_not_send_is_no_finding(audit: Any) -> None:
    unit = audit.units(HOST)[0]
    audit.hosts["mail-so"].unsent = {unit.public_address: "sendmail: no"}
    audit.hosts["mail-thpt"].unsent = audit.hosts["mail-so"].unsent
    made = post(audit, HOST, "C37-4.1")
    ((_, other), *_) = letters.partners(audit, HOST)
    with pytest.raises(AuditError, match="sendmail: no"):
        made.letter(unit.public_address, other.public_address).arrived(unit.public_address)


def test_an_ssh_that_breaks_says_what_it_said_and_no_token() -> None:
    class Ssh:
        def run(self, words: str) -> Any:
            raise RuntimeError(f"CommandResult(command={words!r}, exit_status=255, _stderr=b'x\\nBroken pipe\\n')")

    host = HostAudit("h", "h.test", Ssh(), "login", "password", "token", 0, Any)
    with pytest.raises(AuditError, match=r"^h: SSH: Broken pipe$"):
        list(host.ask_each("send", "probes", ["x"], tokens=["t"]))


def test_a_command_that_fails_is_named_without_its_words() -> None:
    ssh = SimpleNamespace(run=lambda words: SimpleNamespace(rc=1, stdout="", stderr="no space left\n"))
    host = HostAudit("h", "h.test", ssh, "login", "password", "token", 0, Any)
    with pytest.raises(AuditError, match=r"^h: edumail-audit open: no space left$"):
        host.open_again("kiemtra@ngoai.test")


def test_requests_are_bounded_and_whole() -> None:
    asked: list[str] = []

    class Ssh:
        def run(self, words: str) -> Any:
            asked.append(words)
            request = json.loads(shlex.split(words)[2])
            return SimpleNamespace(rc=0, stdout=json.dumps({row["message_id"]: "" for row in request["probes"]}))

    host = HostAudit("h", "h.test", Ssh(), "login", "password", "token", 0, Any)
    rows = [{"sender": f"lienhe@truong-{n}.test", "recipient": "x@y.test", "message_id": f"{n}"} for n in range(7000)]
    answers = list(host.ask_each("send", "probes", rows, tokens=["t"]))
    assert [name for answer in answers for name in answer] == [row["message_id"] for row in rows]
    assert max(len(shlex.quote(words)) for words in asked) < LINUX
    assert len(asked) < 12
    assert list(parted(["x" * REQUEST, "y"], REQUEST)) == [["x" * REQUEST], ["y"]]


Said = Callable[["Dialogue", str, str], tuple[int, bytes]]


class Dialogue:
    """An SMTP client whose server answers as a function says."""

    def __init__(self, said: Said):
        self.said = said
        self.recipients: list[str] = []
        self.letters = self.refusals = 0

    def _tell(self, verb: str, word: str = "") -> tuple[int, bytes]:
        return self.said(self, verb, word)

    def starttls(self, context: object) -> None: ...
    def ehlo(self) -> None: ...
    def quit(self) -> None: ...
    def close(self) -> None: ...

    def mail(self, sender: str) -> tuple[int, bytes]:
        self.recipients = []
        return self._tell("MAIL", sender)

    def rcpt(self, address: str) -> tuple[int, bytes]:
        self.recipients.append(address)
        return self._tell("RCPT", address)

    def data(self, message: bytes) -> tuple[int, bytes]:
        self.letters += 1
        return self._tell("DATA")

    def rset(self) -> tuple[int, bytes]:
        return self._tell("RSET")


class Network:
    """One exchanger for all domains."""

    strangers: tuple[str, ...] = ()

    def __init__(self, said: Said):
        self.said = said
        self.opened: list[Dialogue] = []

    def exchanger(self, domain: str) -> str:
        return "mx"

    def context(self) -> None: ...

    def smtp(self, host: str) -> Dialogue:
        self.opened.append(Dialogue(self.said))
        return self.opened[-1]


def made(said: Said) -> tuple[Any, Any]:
    network: Any = Network(said)
    return network, Exchangers(network)


def single(number: int) -> list[Envelope]:
    return [Envelope("mx", f"{n}@x.test", b"") for n in range(number)]


def fine(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
    return 250, b"ok"


def test_many_letters_go_over_few_connections() -> None:
    network, mouths = made(fine)
    envelopes = single(100)
    mouths.send(envelopes)
    assert len(network.opened) == exchangers.LINES
    assert sum(dialogue.letters for dialogue in network.opened) == 100
    assert {envelope.reply.code for envelope in envelopes} == {250}


@pytest.mark.parametrize("how", ["says so", "hangs up"])
def test_a_connection_that_breaks_in_the_middle_loses_no_letter(how: str) -> None:
    def tired(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        if dialogue.letters >= 5:
            if how == "hangs up":
                raise smtplib.SMTPServerDisconnected("gone")
            return 421, b"too many"
        return 250, b"ok"

    network, mouths = made(tired)
    envelopes = single(100)
    mouths.send(envelopes)
    assert {envelope.reply.code for envelope in envelopes} == {250}
    assert len(network.opened) > exchangers.LINES


def test_what_is_refused_is_evidence_for_itself_alone() -> None:
    def picky(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        if verb == "RCPT" and int(word.partition("@")[0]) % 2:
            dialogue.refusals += 1
            return (421, b"too many errors") if dialogue.refusals > 10 else (550, b"unknown")
        if verb == "DATA" and dialogue.recipients == ["2@x.test"]:
            return 554, b"not this one"
        return 250, b"ok"

    network, mouths = made(picky)
    envelopes = single(200)
    mouths.send(envelopes)
    refused = {n for n, envelope in enumerate(envelopes) if envelope.at_rcpt}
    assert refused == {n for n in range(200) if n % 2}
    assert {envelopes[n].reply for n in refused} == {exchangers.Reply(550, "unknown")}
    assert {n for n, envelope in enumerate(envelopes) if envelope.reply.code == 554} == {2}
    assert all(dialogue.refusals < 10 for dialogue in network.opened)


def test_an_exchanger_that_nobody_reaches_is_not_tried_for_each_letter(clock: Clock) -> None:
    def never(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        raise AssertionError

    network, mouths = made(never)
    tried: list[str] = []

    def closed(host: str) -> Dialogue:
        tried.append(host)
        raise TimeoutError("nobody")

    network.smtp = closed
    envelopes = single(100)
    mouths.send(envelopes)
    assert len(tried) == 3 * exchangers.LINES
    assert {envelope.reply for envelope in envelopes} == {exchangers.Reply(0, "TimeoutError: nobody", broke=True)}
    assert clock.now == sum(exchangers.PAUSES)
    silence = set(mouths.rcpts(f"{n}@x.test" for n in range(100)).values())
    assert silence == {exchangers.Reply(0, "TimeoutError: nobody", broke=True)}
    assert len(tried) == 3 * exchangers.LINES + 1
    assert clock.now == sum(exchangers.PAUSES)  # nobody waits for it twice


@pytest.mark.parametrize("error", [TimeoutError("nobody"), OSError(errno.EHOSTUNREACH, "No route to host")])
@pytest.mark.parametrize(("strangers", "for_now"), [((), True), (("no.test",), True), (("no.test", "bo.test"), False)])
def test_a_door_to_which_nobody_comes_is_a_finding_where_a_stranger_s_is_open(
    strangers: tuple[str, ...], for_now: bool, error: OSError, clock: Clock
) -> None:
    """The network says that it is confined where the strangers' are shut as well."""

    def exchanger(domain: str) -> str:
        if domain == "no.test":
            raise OSError("no MX")
        return "mx"

    def closed(host: str) -> Dialogue:
        raise error

    network, mouths = made(fine)
    network.strangers, network.exchanger, network.smtp = strangers, exchanger, closed
    network.lookup = lambda name, kind: ["192.0.2.1"]
    (reply,) = mouths.rcpts(["a@x.test"]).values()
    (letter,) = single(1)
    mouths.send([letter])
    (greeting,) = mouths.greetings(["x.test"]).values()
    assert (reply.for_now, letter.reply.for_now, greeting.for_now) == (for_now, for_now, for_now)
    assert clock.now == sum(exchangers.PAUSES)


def test_an_exchanger_that_the_network_shuts_hides_no_word_of_another(clock: Clock) -> None:
    def reached(host: str) -> Dialogue:
        if host == "mx.shut.test":
            raise Confined("shut on the way")
        return Dialogue(lambda dialogue, verb, word: (550, b"no") if verb == "RCPT" else (250, b"ok"))

    network, mouths = made(fine)
    network.smtp, network.exchanger = reached, lambda domain: f"mx.{domain}"
    replies = mouths.rcpts(["a@open.test", "a@shut.test", "b@open.test"])
    assert {address: (reply.code, reply.for_now) for address, reply in replies.items()} == {
        "a@open.test": (550, False),
        "a@shut.test": (0, True),
        "b@open.test": (550, False),
    }
    envelopes = [Envelope(f"mx.{name}.test", f"a@{name}.test", b"") for name in ("shut", "open")]
    mouths.send(envelopes)
    assert [(one.reply.code, one.reply.for_now) for one in envelopes] == [(0, True), (550, False)]
    assert mouths.greetings(["shut.test"])["shut.test"].for_now
    assert clock.now == 0


def test_an_address_is_asked_about_once_in_an_audit() -> None:
    network, mouths = made(fine)
    addresses = [f"{n}@x.test" for n in range(1000)]
    assert {reply.code for reply in mouths.rcpts(addresses).values()} == {250}
    dialogues = 2 * exchangers.LINES
    assert len(network.opened) == dialogues
    assert sorted(address for dialogue in network.opened for address in dialogue.recipients) == sorted(addresses)
    assert mouths.rcpts(addresses[:5]).keys() == set(addresses[:5])
    assert len(network.opened) == dialogues
    mouths.rcpts(addresses[:1], "list@bo.test")
    assert len(network.opened) == dialogues + 1


def test_a_refusal_for_now_is_asked_about_again_after_a_pause_and_a_final_one_is_not(clock: Clock) -> None:
    asked: Counter[str] = Counter()

    def greylisting(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        asked[word] += verb == "RCPT"
        late = {"a@x.test": 3, "c@x.test": 2}.get(word, 1)
        if verb != "RCPT" or word == "ok@x.test":
            return 250, b"ok"
        return (451, b"later") if asked[word] < late else (550, b"no") if word == "b@x.test" else (250, b"ok")

    _, mouths = made(greylisting)
    replies = mouths.rcpts(["a@x.test", "b@x.test", "c@x.test"])
    assert {name: reply.code for name, reply in replies.items()} == {"a@x.test": 250, "b@x.test": 550, "c@x.test": 250}
    assert {name: number for name, number in asked.items() if "@x" in name} == {
        "a@x.test": 3, "b@x.test": 1, "c@x.test": 2,
    }  # fmt: skip
    assert clock.now == sum(exchangers.PAUSES)  # in common
    mouths.rcpts(["a@x.test", "b@x.test"])
    assert asked["b@x.test"] == 1


@pytest.mark.parametrize(("code", "for_now"), [(452, True), (554, False)])
def test_who_refuses_the_sender_refuses_no_recipient_for_good(clock: Clock, code: int, for_now: bool) -> None:
    """What is said of a recipient without a sender is that there is none: 503."""

    def full(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        return {"MAIL": (code, b"not from there"), "RCPT": (503, b"need MAIL")}.get(verb, (250, b"ok"))

    _, mouths = made(full)
    replies = mouths.rcpts(["a@x.test", "b@x.test"], "list@bo.test")
    assert {(reply.code, reply.for_now) for reply in replies.values()} == {(code, for_now)}
    (letter,) = single(1)
    mouths.send([letter])
    assert (letter.reply.code, letter.at_rcpt, letter.reply.for_now) == (code, False, for_now)


def test_one_address_that_is_never_settled_takes_from_no_other_that_it_is_asked_again(clock: Clock) -> None:
    asked: Counter[str] = Counter()

    def said(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        asked[word] += verb == "RCPT"
        full = word == "full@x.test" or (word == "late@x.test" and asked[word] < 2)
        return (450, b"later") if verb == "RCPT" and full else (250, b"ok")

    _, mouths = made(said)
    mouths.rcpts(["full@x.test", "a@x.test"])
    assert asked["full@x.test"] == 1 + len(exchangers.PAUSES)
    replies = mouths.rcpts(["full@x.test", "late@x.test", "b@x.test"])
    assert {name: reply.code for name, reply in replies.items() if reply.code != 250} == {"full@x.test": 450}
    waited = clock.now
    mouths.rcpts(["full@x.test"])
    assert clock.now == waited  # nobody waits for it twice
    letter = Envelope("mx", "late2@x.test", b"")
    mouths.send([letter])
    assert letter.reply.code == 250


def test_what_is_refused_for_now_to_the_end_is_asked_again_by_the_next_and_waited_for_once(clock: Clock) -> None:
    codes = iter([451, 451, 451, 250])

    def busy(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        return (next(codes), b"so") if verb == "RCPT" else (250, b"ok")

    _, mouths = made(busy)
    (reply,) = mouths.rcpts(["a@x.test"]).values()
    assert (reply.code, reply.for_now) == (451, True)
    (reply,) = mouths.rcpts(["a@x.test"]).values()
    assert (reply.code, reply.for_now) == (250, False)
    assert clock.now == sum(exchangers.PAUSES)


@pytest.mark.parametrize(
    ("error", "again", "for_now"),
    [
        (TimeoutError("nobody"), True, True),
        (ConnectionResetError("reset"), True, True),
        (smtplib.SMTPServerDisconnected("421 later"), True, True),
        (smtplib.SMTPConnectError(421, b"busy"), True, True),
        (smtplib.SMTPDataError(451, b"later"), True, True),
        (OSError(errno.ENETUNREACH, "no way"), True, True),
        (Confined("shut on the way"), False, True),
        (ConnectionRefusedError("shut"), True, False),
        (smtplib.SMTPDataError(554, b"no"), False, False),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), False, False),
        (ssl.SSLCertVerificationError("another name"), False, False),
        (OSError("no MX record"), False, False),
    ],
)
def test_of_an_exchanger_that_says_nothing_only_what_it_did_itself_is_a_finding(
    error: Exception, again: bool, for_now: bool
) -> None:
    reply = exchangers.Reply.lacking(error)
    assert (not reply.settled, reply.for_now) == (again, for_now)


def test_a_letter_that_is_refused_only_for_now_is_brought_again_and_else_no_finding(clock: Clock) -> None:
    tries: Counter[str] = Counter()

    def milter(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        if verb == "DATA":
            (to,) = dialogue.recipients
            tries[to] += 1
            return (451, b"later") if to == "1@x.test" or tries[to] < 2 else (250, b"ok")
        return 250, b"ok"

    _, mouths = made(milter)
    envelopes = single(2)
    mouths.send(envelopes)
    assert [envelope.reply.code for envelope in envelopes] == [250, 451]
    assert tries == {"0@x.test": 2, "1@x.test": 3}


def test_a_letter_that_the_exchanger_takes_later_leaves_its_own_question_open(audit: Any) -> None:
    unit, other = audit.units(HOST)[:2]
    takes = audit.send

    def busy(envelopes: Any) -> None:
        takes(envelopes)
        for envelope in audit.envelopes:
            if envelope.recipient == unit.public_address:
                envelope.reply = exchangers.Reply(451, "4.7.1 try again later")

    audit.send = busy
    made = post(audit, HOST, "C37-S39-smime")
    with pytest.raises(AuditError, match="neither taken nor refused for good: 451 4"):
        made.letter(unit.public_address, text="signed").arrived(unit.public_address)
    assert made.letter(other.public_address, text="signed").arrived(other.public_address)


OF_PEER = {"orig_to": "", "relay": "mail-xa.minhha.test[198.18.37.12]:2525"}


@pytest.mark.parametrize(
    ("rows", "lost"),
    [
        ([("deferred", "host mail-xa said: 450 4.2.1 moving")], False),
        ([("deferred", "host mail-xa refused to talk to me: 421 busy")], False),
        ([("deferred", "host mail-xa said: 451 4.7.1 thu dang duoc kiem tra, may gui hay gui lai sau 3 phut")], False),
        ([("deferred", "host mail-xa said: 451 4.7.1 Service unavailable - try again later")], True),  # no filter
        ([("deferred", "host mail-xa said: 450 4.2.1 moving"), ("bounced", "host mail-xa said: 550 5.1.1")], True),
        ([("deferred", "host mail-xa said: 451 4.3.0 Temporary lookup failure")], True),  # until it is mended
        ([("deferred", "host mail-xa said: 452 4.3.1 Insufficient system storage")], True),
        ([("deferred", "unknown mail transport error")], True),  # our own host can't send
        ([("bounced", "host mail-xa said: 554 5.7.1")], True),
        ([("sent", "250 ok")], True),
        ([], True),
    ],
)
def test_a_letter_that_one_of_our_hosts_put_off_is_still_under_way(
    audit: Any, rows: list[tuple[str, str]], lost: bool
) -> None:
    unit, other = audit.units(HOST)[0], audit.units(HOST)[1]
    audit.hosts[HOST].lost = {unit.public_address}
    row = OF_PEER | {"to": unit.public_address}
    audit.hosts["mail-so"].logged = [row | {"status": status, "reply": reply} for status, reply in rows]
    made = post(audit, HOST, "C37-12.1")
    letter = made.letter(unit.public_address, text="vietnamese")
    if lost:
        assert not letter.arrived(unit.public_address)
    else:
        with pytest.raises(AuditError, match=r"still under way: host mail-xa (said|refused)"):
            letter.arrived(unit.public_address)
    assert made.letter(other.public_address, text="vietnamese").arrived(other.public_address)


def test_a_host_that_can_not_hand_a_letter_to_its_own_mailboxes_has_lost_it(audit: Any) -> None:
    unit = audit.units(HOST)[0]
    audit.hosts[HOST].lost = {unit.public_address}
    relay = "mail-xa.minhha.test[private/dovecot-lmtp]"
    row = {"to": unit.public_address, "orig_to": "", "relay": relay, "status": "deferred", "reply": "said: 451 4.3.0"}
    audit.hosts[HOST].logged = [row]
    assert not post(audit, HOST, "C37-12.1").letter(unit.public_address, text="vietnamese").arrived(unit.public_address)


def test_of_letters_that_came_no_log_is_read_and_a_log_that_nobody_can_read_decides_nothing(audit: Any) -> None:
    def breaks(message_ids: object) -> Any:
        raise AuditError("ssh")

    audit.hosts[HOST].trace = breaks
    unit, other = audit.units(HOST)[:2]
    audit.hosts[HOST].lost = {unit.public_address}
    made = post(audit, HOST, "C37-12.1")
    with pytest.raises(AuditError, match="ssh"):
        made.letter(unit.public_address, text="vietnamese").arrived(unit.public_address)
    assert made.letter(other.public_address, text="vietnamese").arrived(other.public_address)


def test_a_mailbox_that_nobody_looked_into_is_no_finding() -> None:
    with pytest.raises(AuditError, match=r"nobody looked into b@x\.test"):
        Letter("a@x.test", ("a@x.test",), message_id="1", reply="250").arrived("b@x.test")


def test_refusals_do_not_wear_an_exchanger_out() -> None:
    """As Postfix: it slows down at ten refusals in a connection and hangs up at twenty."""

    def patient(dialogue: Dialogue, verb: str, word: str) -> tuple[int, bytes]:
        if verb == "RCPT" and int(word.partition("@")[0]) % 2:
            dialogue.refusals += 1
            return (421, b"too many errors") if dialogue.refusals > 10 else (550, b"unknown")
        return 250, b"ok"

    network, mouths = made(patient)
    replies = mouths.rcpts(f"{n}@x.test" for n in range(200))
    assert [replies[f"{n}@x.test"].code for n in range(200)] == [550 if n % 2 else 250 for n in range(200)]
    assert all(dialogue.refusals < 10 for dialogue in network.opened)


class Folder:
    """The folder of an audit as IMAP shows it."""

    def __init__(self, *message_ids: str):
        self.messages = dict(enumerate(message_ids, 1))
        self.deleted: set[int] = set()
        self.gone = False
        self.fetched: list[str] = []

    def select(self, name: str) -> tuple[str, list[bytes]]:
        return "OK", [b"%d" % len(self.messages)]

    def fetch(self, numbers: str, what: str) -> tuple[str, list[Any]]:
        if "HEADER" in what:
            rows = [(b"%d (BODY[...] {9}" % n, b"Message-ID: <%s>" % m.encode()) for n, m in self.messages.items()]
            return "OK", [part for row in rows for part in (row, b")")]
        self.fetched.append(numbers)
        return "OK", [(b"1 (BODY[] {4}", b"text"), b")"]

    def store(self, numbers: str, what: str, flags: str) -> None:
        self.deleted |= {int(number) for number in numbers.split(",")}

    def expunge(self) -> None:
        self.messages = {n: m for n, m in self.messages.items() if n not in self.deleted}

    def search(self, charset: None, what: str) -> tuple[str, list[bytes]]:
        return "OK", [b" ".join(b"%d" % n for n in self.messages)]

    def close(self) -> None: ...

    def delete(self, name: str) -> None:
        self.gone = True


def test_letters_are_taken_out_and_only_those_that_are_read_are_fetched() -> None:
    folder: Any = Folder("a@x", "other@x", "b@x", "a@x")
    assert take(folder, {"a@x", "b@x"}, {"b@x"}) == {"a@x": b"", "b@x": b"text"}
    assert (folder.fetched, list(folder.messages.values()), folder.gone) == (["3"], ["other@x"], False)


def test_what_was_seen_is_not_lost_with_the_session() -> None:
    class Ends(Folder):
        def expunge(self) -> None:
            raise imaplib.IMAP4.abort("gone")

    folder: Any = Ends("a@x")
    assert take(folder, {"a@x"}, ()) == {"a@x": b""}


def test_the_folder_goes_with_the_last_letter_that_is_wanted() -> None:
    folder: Any = Folder("a@x")
    assert take(folder, {"a@x", "b@x"}, ()) == {"a@x": b""}
    assert not folder.gone
    folder.messages = {7: "b@x"}
    assert take(folder, {"b@x"}, ()) == {"b@x": b""}
    assert folder.gone
    empty: Any = Folder()
    assert take(empty, {"a@x"}, ()) == {}
    assert not empty.gone


def test_every_kind_of_letter_has_a_test_that_reads_it() -> None:
    text = "".join(path.read_text() for path in (ROOT / "tests" / "circular").glob("test_*.py"))
    assert all(f'"{requirement}"' in text for requirement in PLANS)
