"""The audit's questions about mail, judged over letters that came or did not: who turns red, and who does not."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Verdict
from tests.circular import letters
from tests.circular import test_article_3_general as article_3
from tests.circular import test_article_4_mail as article_4
from tests.circular import test_article_5_groups as article_5
from tests.circular import test_article_12_technology as article_12
from tests.circular import test_standards_39 as standards
from tests.circular.audit import AuditError
from tests.circular.exchangers import Exchangers, Reply
from tests.circular.network import Confined
from tests.circular.portal import Home
from tests.core.test_letters import HOST, Clock, Province, Server

QUESTIONS: dict[str, Callable[..., None]] = {
    "C37-4.1": article_4.test_units_exchange_mail_with_each_other_and_with_the_outside,
    "C37-4.2.3": article_4.test_mail_from_outside_reaches_the_mailbox_behind_the_page,
    "C37-4.3.1": article_4.test_everybody_on_the_roster_has_a_mailbox_and_nobody_else,
    "C37-4.3.3": article_4.test_each_section_has_an_address_that_reaches_its_people,
    "C37-4.3.4": article_4.test_units_below_have_mail,
    "C37-4.5": article_4.test_postmaster_and_abuse_reach_the_officer_in_charge,
    "C37-5.2.3": article_5.test_the_addresses_on_the_ministry_s_lists_receive,
    "C37-5.3": article_5.test_groups_reach_exactly_their_members_and_closed_ones_refuse_outsiders,
    "C37-12.1": article_12.test_vietnamese_letters_come_through_mail_and_stand_on_the_page,
    "C37-S39-smime": standards.test_a_signed_message_comes_through_byte_for_byte,
}
OFFICE, PRIMARY, SECONDARY = "vhxh-suoi-mo", "th-suoi-mo", "thcs-suoi-mo"

WELL_WRITTEN = article_12.Written(encoded=True, named=True, said=["its pages"])


class Host(Server):
    """A host on which everything is as the inventory has it, but for what a test breaks."""

    def __init__(self, audit: Audited, name: str):
        super().__init__()
        self.audit, self.name, self.fqdn = audit, name, f"{name}.test"
        self.blind: set[str] = set()
        """People who do not see what they hold."""
        self.surplus: set[str] = set()
        """Mailboxes that groups reach beside their members."""
        self.more: list[dict[str, Any]] = []
        """Accounts that the inventory does not ask for."""
        self.served: list[str] = []
        """Whom Dovecot knows besides."""
        self.waits: dict[str, str] = {}
        """Who has not activated an account, and what of it is so."""

    @property
    def accounts(self) -> dict[str, list[dict[str, Any]]]:
        people = {unit.id: self.audit.people(unit) for unit in self.audit.units(self.name)}
        found = {unit: [self._account(person.address) for person in theirs] for unit, theirs in people.items()}
        for unit in self.audit.units(self.name):
            for box, held in self.audit.shared(unit):
                holders = [person.address for person in held if person.address not in self.blind]
                found[unit.id].append({"address": box.address, "person": None, "state": "shared", "holders": holders})
        for account in self.more:
            found.setdefault(account["unit"], []).append(account)
        return found

    def _account(self, address: str) -> dict[str, Any]:
        waits = self.waits.get(address)
        state = "waiting" if waits else "active"
        return {"address": address, "person": "x", "state": state, "waits": waits, "holders": []}

    @property
    def facts(self) -> dict[str, list[str]]:
        accounts = (account for theirs in self.accounts.values() for account in theirs)
        known = [account["address"] for account in accounts if account["state"] in ("waiting", "active", "shared")]
        return {"dovecot_users": [*known, *self.served]}

    def take(self, mailbox: str, wanted: Iterable[str], whole: Iterable[str]) -> dict[str, bytes]:
        taken = super().take(mailbox, list(wanted), list(whole))
        return {name: self.audit.sent.get(name, b"") if text else text for name, text in taken.items()}

    def seers(self, asked: dict[str, list[str]]) -> dict[str, set[str]]:
        shared = {box.address: held for unit in self.audit.units(self.name) for box, held in self.audit.shared(unit)}
        return {address: {person.address for person in shared[address]} - self.blind for address in asked}

    def trace(self, message_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
        (made,) = [made for made in self.audit.kept.values() if isinstance(made, letters.Post)]
        by_id = {letter.message_id: letter for letter in made.letters.values()}
        row = {"status": "sent", "relay": "mx.ngoai.test", "reply": "250"}
        return {
            name: [row | {"to": to} for to in {by_id[name].recipient, *by_id[name].mailboxes, *self.surplus}]
            for name in message_ids
        }


class Audited(Province):
    """An audit of one host of the lab's province."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts = {name: Host(self, name) for name in self.province.hosts}
        self.asked = {HOST: frozenset(QUESTIONS)}
        self.refused: set[str] = set()
        self.instead: dict[str, Reply] = {}
        """What the exchanger says to an address."""
        self.sent: dict[str, bytes] = {}
        self.said: dict[tuple[str, str], str] = {}
        """The evidence."""
        self.left: dict[str, str] = {}
        """The questions that stayed open for somebody, and why."""
        self.changed: Callable[[bytes], bytes] = lambda message: message

    def people(self, unit: Any) -> list[Any]:
        return self.mail.units.people[unit.id]

    def shared(self, unit: Any) -> list[Any]:
        return self.mail.units.shared(unit)

    def https(self, name: str) -> tuple[Any, bytes]:
        response, body = super().https(name)
        (unit,) = [unit for unit in self.province.units.values() if unit.portal == name]
        response.getheader = lambda name: "text/html; charset=utf-8"
        return response, body + unit.name.encode()

    def rcpts(self, addresses: Iterable[str], sender: str = "<>") -> dict[str, Reply]:
        closed = self.mail.permissions.closed.keys() | self.refused
        usual = {address: Reply(554, "no") if address in closed else Reply(250, "ok") for address in addresses}
        return usual | {address: reply for address, reply in self.instead.items() if address in usual}

    def send(self, envelopes: Any) -> None:
        super().send(envelopes)
        for envelope in self.envelopes:
            if envelope.recipient in self.refused:
                envelope.reply, envelope.at_rcpt = Reply(550, "unknown"), True
            if envelope.recipient in self.instead:
                envelope.reply, envelope.at_rcpt = self.instead[envelope.recipient], True
            head = envelope.message.partition(b"\r\n\r\n")[0]
            (message_id,) = [line[13:-1].decode() for line in head.split(b"\r\n") if line.startswith(b"Message-ID: ")]
            self.sent[message_id] = self.changed(envelope.message)


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = Clock()
    monkeypatch.setattr(letters.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(letters.time, "sleep", clock.sleep)
    monkeypatch.setattr(article_4, "_submission_doors", lambda audit, here: (True, "587"))
    return Audited()


def verdicts(audit: Any) -> dict[tuple[str, str], Verdict]:
    """By unit and requirement; where a question stayed open there is none."""
    found: list[tuple[str, str, Verdict]] = []

    def record(unit: str, requirement: str, verdict: Verdict, evidence: list[str]) -> None:
        assert evidence
        audit.said[unit, requirement] = "\n".join(evidence)
        found.append((unit, requirement, verdict))

    pages = {"of_units": [(unit, WELL_WRITTEN) for unit in audit.units(HOST)]}
    for name, question in QUESTIONS.items():
        try:
            question(audit, HOST, record=record, **(pages if name == "C37-12.1" else {}))
        except AuditError as error:
            audit.left[name] = str(error)
    assert len(found) == len(set(found))
    return {(unit, requirement): verdict for unit, requirement, verdict in found}


def red(audit: Any) -> set[tuple[str, str]]:
    """Unit and requirement of every fail; no question stays open."""
    found = verdicts(audit)
    assert not audit.left
    assert len(found) >= 3 * (len(QUESTIONS) - 2)
    return {about for about, verdict in found.items() if verdict == "fail"}


def test_a_sound_host_has_no_fail(audit: Any) -> None:
    assert red(audit) == set()


def test_a_published_address_that_the_exchanger_refuses(audit: Any) -> None:
    audit.refused = {"thsuoimo@suoimo.minhha.test"}
    outside = {(PRIMARY, name) for name in ("C37-4.2.3", "C37-12.1", "C37-S39-utf8", "C37-S39-smime")}
    assert red(audit) == outside | {(OFFICE, "C37-4.3.4")}


ALL = (OFFICE, PRIMARY, SECONDARY)
BACK_DOOR = {"address": "cuasau@suoimo.minhha.test", "unit": PRIMARY, "person": None, "state": "active"}


@pytest.mark.parametrize(
    ("account", "units"),
    [
        (BACK_DOOR, [PRIMARY]),
        (BACK_DOOR | {"state": "waiting", "person": "ma"}, [PRIMARY]),
        (BACK_DOOR | {"state": "shared"}, [PRIMARY]),
        (BACK_DOOR | {"state": "closed"}, []),
        (BACK_DOOR | {"state": "left", "person": "ma"}, []),  # who may be there for some days yet, without a sign-in
        (BACK_DOOR | {"unit": "bia-ra"}, ALL),
        (BACK_DOOR | {"unit": "bia-ra", "address": "cuasau@noikhac.test"}, ALL),
        (BACK_DOOR | {"address": "thsuoimo@suoimo.minhha.test"}, [PRIMARY]),  # a shared one that somebody signs in to
    ],
)
def test_an_account_that_nobody_asks_for_counts_against_whose_it_is_or_else_all(
    audit: Any, account: dict[str, Any], units: Sequence[str]
) -> None:
    audit.hosts[HOST].more = [account]
    assert red(audit) == {(unit, "C37-4.3.1") for unit in units}


def test_who_is_suspended_has_no_mailbox_to_use_and_who_waits_has_one(audit: Any) -> None:
    people = [person.address for person in audit.people(audit.province.units[SECONDARY])]
    audit.hosts[HOST].waits = dict(zip(people, ("code", "ended", "ended", "none", "none", "none"), strict=False))
    assert verdicts(audit)[SECONDARY, "C37-4.3.1"] == "pass"
    assert f"; {len(people) - 6} đã kích hoạt" in audit.said[SECONDARY, "C37-4.3.1"]
    numbers = ("1 còn mã / with a code", "2 mã hết hiệu lực", "3 chưa có mã", "0 bị tạm khóa")
    assert all(number in audit.said[SECONDARY, "C37-4.3.1"] for number in numbers)
    audit.kept.clear()
    audit.hosts[HOST].waits[people[-1]] = "suspended"
    found = verdicts(audit)
    assert (found[SECONDARY, "C37-4.3.1"], found[PRIMARY, "C37-4.3.1"]) == ("not-tested", "pass")
    assert audit.said[SECONDARY, "C37-4.3.1"].endswith(f"take them off the roster: {people[-1]}")
    audit.refused = {people[0]}
    assert verdicts(audit)[SECONDARY, "C37-4.3.1"] == "fail"


@pytest.mark.parametrize("drawn", [True, False])
def test_how_many_holders_of_the_unit_s_mailbox_have_begun_is_told(
    audit: Any, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    audit.drawn = None if drawn else {PRIMARY}
    ((_, holders),) = audit.shared(audit.province.units[OFFICE])
    audit.hosts[HOST].waits = {holders[0].address: "none"}
    assert verdicts(audit)[OFFICE, "C37-4.2.3"] == "pass"
    assert f"{len(holders) - 1}/{len(holders)} người giữ đã kích hoạt" in audit.said[OFFICE, "C37-4.2.3"]


def test_whom_dovecot_knows_without_an_account_is_surplus(audit: Any) -> None:
    audit.hosts[HOST].served = ["cuasau@suoimo.minhha.test"]
    assert red(audit) == {(unit, "C37-4.3.1") for unit in ALL}


def test_an_account_at_a_gateway_without_units_counts_against_all(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    units = {name: audit.units(name) for name in audit.province.hosts}
    monkeypatch.setattr(audit, "units", lambda on: [] if on == "mail-so" else units[on])
    gateway, stranger, somebody = audit.hosts["mail-so"], "cuasau@khongco.test", "huett@suoimo.minhha.test"
    gateway.served = []
    assert not any(article_4._nobodys(audit, HOST).values())
    gateway.more = [BACK_DOOR | {"unit": "khong-co", "address": stranger}]
    assert article_4._nobodys(audit, HOST) == {unit: {stranger} for unit in ALL}
    gateway.more = [BACK_DOOR | {"unit": PRIMARY, "address": somebody}]  # who has a mailbox elsewhere
    assert article_4._nobodys(audit, HOST) == {unit: {somebody} if unit == PRIMARY else set() for unit in ALL}
    assert not any(article_4._nobodys(audit, "mail-thpt").values())


def test_the_domain_of_an_unknown_mailbox_tells_whose_it_is(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [unit.model_copy(update={"domain": f"{unit.id}.test"}) for unit in audit.units(HOST)]
    monkeypatch.setattr(audit, "units", lambda on: units)
    audit.hosts[HOST].served = [f"cuasau@{PRIMARY}.test"]
    assert {unit: found for unit, found in article_4._nobodys(audit, HOST).items() if found} == {
        PRIMARY: {f"cuasau@{PRIMARY}.test"}
    }


def test_a_mailbox_that_gets_nothing(audit: Any) -> None:
    audit.hosts[HOST].lost = {"thsuoimo@suoimo.minhha.test"}
    names = ("C37-4.1", "C37-4.2.3", "C37-12.1", "C37-S39-utf8", "C37-S39-smime")
    assert red(audit) == {(PRIMARY, name) for name in names}


@pytest.mark.parametrize(
    ("differing", "refused", "turned"),
    [
        ([], set(), set()),
        (["postfix: live is another"], set(), {(OFFICE, "C37-4.3.1"), (SECONDARY, "C37-4.3.1"),
                                               (OFFICE, "C37-4.5"), (SECONDARY, "C37-4.5"),
                                               (SECONDARY, "C37-4.3.3"), (OFFICE, "C37-5.3")}),
        ([], {"khtn.thcssuoimo@suoimo.minhha.test"}, {(SECONDARY, "C37-4.3.3")}),
    ],
)  # fmt: skip
def test_units_that_were_not_drawn_get_no_letters_and_are_judged_by_tables_and_exchangers(
    audit: Any, monkeypatch: pytest.MonkeyPatch, differing: list[str], refused: set[str], turned: set[tuple[str, str]]
) -> None:
    audit.drawn, audit.refused = {PRIMARY}, refused
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: differing))
    if refused:
        audit.mail.permissions.closed = {}  # what is closed to outsiders is refused and reaches its people
    assert red(audit) == turned
    (made,) = [made for made in audit.kept.values() if isinstance(made, letters.Post)]
    sections = {section.address for section in audit.province.units[SECONDARY].sections}
    assert sections
    assert sections.isdisjoint(letter.recipient for letter in made.letters.values())


def test_a_unit_that_names_no_section_is_not_excused_by_that(audit: Any) -> None:
    assert not audit.province.units[OFFICE].sections
    assert verdicts(audit)[OFFICE, "C37-4.3.3"] == "not-tested"
    assert requirements()["C37-4.3.3"].attested


def test_who_holds_a_section_s_mailbox_is_seen_without_dovecot(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    audit.drawn = set()
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    section = next(section for section in audit.province.units["so"].sections if section.holders)
    holders = next(people for box, people in audit.shared(audit.province.units["so"]) if box == section)
    said: dict[str, Verdict] = {}
    for blind in (set(), {holders[0].address}):
        audit.hosts["mail-so"].blind = blind
        QUESTIONS["C37-4.3.3"](audit, "mail-so", lambda unit, _, verdict, evidence: said.update({unit: verdict}))
        assert said["so"] == ("fail" if blind else "pass")


def test_a_holder_whom_the_host_does_not_know_is_seen_without_dovecot(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.drawn = {PRIMARY}
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    ((_, holders),) = audit.shared(audit.province.units[OFFICE])
    audit.hosts[HOST].blind = {holders[0].address}
    assert red(audit) == {(OFFICE, "C37-4.2.3")}


@pytest.mark.parametrize("drawn", [True, False])
def test_a_page_that_publishes_what_is_no_shared_mailbox_of_the_unit(
    audit: Any, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    audit.drawn = {PRIMARY, SECONDARY} if drawn else {SECONDARY}
    home = audit.homes[PRIMARY]
    for address in (audit.people(audit.province.units[PRIMARY])[0].address, audit.homes[OFFICE].mailto[0]):
        audit.kept.clear()
        audit.homes[PRIMARY] = Home(home.good, home.said, home.title, (address,))
        assert red(audit) == {(PRIMARY, "C37-4.2.3")}


def test_letters_that_are_changed_on_the_way(audit: Any) -> None:
    audit.changed = lambda message: message.replace("\r\nữ".encode(), b"\r\nu")
    assert red(audit) == {(u, r) for u in (OFFICE, PRIMARY, SECONDARY) for r in ("C37-12.1", "C37-S39-utf8")}


@pytest.mark.parametrize(
    "kind",
    [b"multipart/mixed; boundary=x", b"text/html; charset=utf-8", b"text/plain; charset=nobodys", b"message/rfc822"],
)
def test_a_text_that_was_made_into_something_else_is_changed(audit: Any, kind: bytes) -> None:
    """And no exception, which would leave all units open."""
    audit.changed = lambda message: message.replace(
        b"text/plain; charset=utf-8\r\nContent-Transfer", kind + b"\r\nContent-Transfer"
    )
    assert red(audit) == {(u, r) for u in (OFFICE, PRIMARY, SECONDARY) for r in ("C37-12.1", "C37-S39-utf8")}


def test_a_signature_that_is_broken_on_the_way(audit: Any) -> None:
    audit.changed = lambda message: message.replace(b"signed message", b"changed")
    assert red(audit) == {(unit, "C37-S39-smime") for unit in (OFFICE, PRIMARY, SECONDARY)}


def test_a_section_that_misses_a_member(audit: Any) -> None:
    section = audit.mail.groups.mailboxes(audit.province.units[PRIMARY].sections[0].address)
    groups = [group.address for group in audit.province.groups if group.unit == OFFICE]
    audit.hosts[HOST].lost = {max(section.difference(*map(audit.mail.groups.mailboxes, groups)))}
    assert red(audit) == {(PRIMARY, "C37-4.3.3")}


def test_a_holder_who_does_not_see_the_units_mailbox(audit: Any) -> None:
    ((_, holders),) = audit.shared(audit.province.units[PRIMARY])
    audit.hosts[HOST].blind = {holders[0].address}
    assert red(audit) == {(PRIMARY, "C37-4.2.3")}


def test_abuse_reports_that_nobody_gets(audit: Any) -> None:
    audit.refused = {"abuse@suoimo.minhha.test"}
    assert red(audit) == {(unit, "C37-4.5") for unit in (OFFICE, PRIMARY, SECONDARY)}


def test_a_group_that_reaches_strangers(audit: Any) -> None:
    audit.hosts[HOST].surplus = {audit.province.units["so"].public_address}
    assert red(audit) == {(OFFICE, "C37-5.3")}


def test_a_person_whom_the_exchanger_refuses(audit: Any) -> None:
    person = audit.people(audit.province.units[SECONDARY])[0].address
    audit.refused = {person}
    assert red(audit) == {(SECONDARY, "C37-4.3.1")}


OUTSIDE = {(OFFICE, "C37-4.1"), (PRIMARY, "C37-4.1")}
"""Whose own policy keeps mail inside has nothing to prove."""


def log_of_what_leaves(
    audit: Any, monkeypatch: pytest.MonkeyPatch, logged: Callable[[str], list[dict[str, str]]]
) -> None:
    """What each host, by name, has logged of the letters to the address outside."""
    usual = Host.trace

    def trace(self: Host, ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
        return {
            name: logged(self.name) if theirs and theirs[0]["to"] == audit.outside else theirs
            for name, theirs in usual(self, ids).items()
        }

    monkeypatch.setattr(Host, "trace", trace)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([("sent", "250 ok")], "pass"),
        ([("deferred", "host mx said: 450 greylisted"), ("sent", "250 ok")], "pass"),
        ([("deferred", "connect to mx: Connection timed out")], "fail"),
        ([("deferred", "unknown mail transport error")], "fail"),
        ([("bounced", "host mx said: 550 5.7.26 not authenticated")], "fail"),
        ([("bounced", "mail transport unavailable")], "fail"),
        ([("deferred", "host mx said: 450 4.7.1 greylisted")], "not-tested"),
        ([("deferred", "host mx refused to talk to me: 421 4.7.0 too many")], "not-tested"),
        ([("bounced", "host mx said: 552 5.2.2 the mailbox is full")], "not-tested"),
        ([("bounced", "host mx said: 550-5.1.1 no such user")], "not-tested"),
        ([], "not-tested"),
    ],
)
def test_mail_that_does_not_leave_the_province(
    audit: Any, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, str]], verdict: Verdict
) -> None:
    row = {"to": audit.outside, "relay": "mx.ngoai.test[192.0.2.1]:25"}
    logged = [row | {"status": status, "reply": reply} for status, reply in rows]
    log_of_what_leaves(audit, monkeypatch, lambda host: logged)
    found = verdicts(audit)
    assert not audit.left
    assert {found[about] for about in OUTSIDE} == {verdict}
    assert {about for about, said in found.items() if said == "fail"} == (OUTSIDE if verdict == "fail" else set())


@pytest.mark.parametrize(
    ("status", "reply", "verdict"),
    [
        ("deferred", "connect to mail-so[192.0.2.9]:2525: Connection refused", "fail"),
        ("deferred", "host mail-so said: 451 4.3.0 Temporary lookup failure", "fail"),
        ("bounced", "mail transport unavailable", "fail"),
        ("deferred", "host mail-so refused to talk to me: 421 4.3.2 busy", "not-tested"),
        ("sent", "250 queued", "not-tested"),  # and the gateway has not logged it yet
    ],
)
def test_mail_that_its_own_host_can_not_hand_to_the_gateway_does_not_leave_the_province(
    audit: Any, monkeypatch: pytest.MonkeyPatch, status: str, reply: str, verdict: Verdict
) -> None:
    row = {"to": audit.outside, "relay": "mail-so[192.0.2.9]:2525", "status": status, "reply": reply}
    log_of_what_leaves(audit, monkeypatch, lambda host: [] if host == audit.mail.gateway.name else [row])
    found = verdicts(audit)
    assert not audit.left
    assert {found[about] for about in OUTSIDE} == {verdict}


def test_a_letter_to_the_outside_that_was_not_sent_leaves_its_own_unit_open(audit: Any) -> None:
    audit.hosts[HOST].unsent = {audit.outside: "this audit has sent its letters"}
    found = verdicts(audit)
    assert audit.left.keys() == {"C37-4.1"}
    assert "this audit has sent its letters" in audit.left["C37-4.1"]
    assert found.keys() & {(unit, "C37-4.1") for unit in (OFFICE, PRIMARY, SECONDARY)} == {(SECONDARY, "C37-4.1")}


NO_WAY_OUT = Reply.lacking(Confined("no way out to port 25"))


def confined(addresses: Iterable[str], *sender: str) -> dict[str, Reply]:
    return dict.fromkeys(addresses, NO_WAY_OUT)


def unsent(envelopes: Any) -> None:
    for envelope in envelopes:
        envelope.reply = NO_WAY_OUT


LATER = Reply(450, "4.2.0 greylisted")
FULL = Reply(552, "5.2.2 <a@x.test>: Recipient address rejected: hop thu day / the mailbox is full")
SAID_BEHIND = Reply(552, f"5.1.1 <a@x.test>: undeliverable address: host mail-xa said: 552 {FULL.text}")
NOT_THERE = Reply(552, "5.1.1 <a@x.test>: undeliverable address: host m said: 550 5.1.1 <a@x.test>: unknown")


def test_what_is_refused_only_for_now_is_open_for_that_unit_and_judged_for_the_others(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    audit.mail.permissions.closed = {}
    primary, secondary = (audit.province.units[name] for name in (PRIMARY, SECONDARY))
    addresses = {primary.public_address, f"postmaster@{primary.domain}", audit.people(primary)[0].address}
    addresses |= {section.address for section in secondary.sections}
    audit.drawn = {OFFICE, PRIMARY}
    audit.instead = dict.fromkeys(addresses, LATER)
    found = verdicts(audit)
    assert "fail" not in found.values()
    assert audit.left.keys() == {
        "C37-4.2.3", "C37-4.3.1", "C37-4.3.3", "C37-4.3.4", "C37-4.5", "C37-12.1", "C37-S39-smime",
    }  # fmt: skip
    assert all("450 4.2.0 greylisted" in why for why in audit.left.values())
    for name in ("C37-4.2.3", "C37-4.3.1", "C37-12.1", "C37-S39-utf8", "C37-S39-smime"):
        assert {unit for unit, requirement in found if requirement == name} == {OFFICE, SECONDARY}
    assert (PRIMARY, "C37-4.3.3") in found
    assert (SECONDARY, "C37-4.3.3") not in found
    assert (OFFICE, "C37-4.3.4") not in found


def test_a_network_that_lets_no_mail_out_hides_no_account_and_no_letter_between_our_hosts(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "rcpts", confined)
    found = verdicts(audit)
    assert audit.left.keys() == {"C37-4.3.1", "C37-4.3.4", "C37-5.3"}
    assert all("no way out to port 25" in why for why in audit.left.values())
    assert found[SECONDARY, "C37-4.3.3"] == "pass"
    assert "fail" not in found.values()
    home = audit.homes[PRIMARY]
    audit.homes[PRIMARY] = Home(home.good, home.said, home.title, ())
    monkeypatch.setattr(audit, "send", unsent)
    audit.kept.clear()
    assert verdicts(audit)[PRIMARY, "C37-4.2.3"] == "fail"
    assert {"C37-4.2.3", "C37-12.1", "C37-S39-smime"} <= audit.left.keys()
    monkeypatch.setattr(Host, "facts", {"dovecot_users": []})
    audit.kept.clear()
    assert {verdicts(audit)[unit, "C37-4.3.1"] for unit in (OFFICE, PRIMARY, SECONDARY)} == {"fail"}


def test_a_deploy_under_way_leaves_open_who_is_judged_by_tables_and_nobody_else(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differing(role: str) -> list[str]:
        raise AuditError("a deploy is under way")

    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=differing))
    audit.drawn = {PRIMARY}
    audit.mail.permissions.closed = {}
    found = verdicts(audit)
    assert "fail" not in found.values()
    assert audit.left.keys() == {"C37-4.3.1", "C37-4.3.3", "C37-4.5", "C37-5.3"}
    for name in ("C37-4.3.1", "C37-4.3.3", "C37-4.5"):
        assert {unit for unit, requirement in found if requirement == name} >= {PRIMARY}
        assert (SECONDARY, name) not in found
    audit.kept.clear()
    sections = {section.address for section in audit.province.units[SECONDARY].sections}
    audit.refused = {*sections, f"abuse@{audit.province.units[SECONDARY].domain}"}
    found = verdicts(audit)
    assert {found[SECONDARY, name] for name in ("C37-4.3.3", "C37-4.5")} == {"fail"}


def test_a_letter_that_nobody_could_look_for_hides_no_fault_that_was_seen(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = audit.people(audit.province.units[PRIMARY])[0].address
    home = audit.homes[PRIMARY]
    audit.homes[PRIMARY] = Home(home.good, home.said, home.title, (person,))
    boxes = (audit.province.units[PRIMARY].public_address, person)
    audit.hosts[HOST].broken = dict.fromkeys(boxes, imaplib.IMAP4.error("no sign-in"))
    assert verdicts(audit)[PRIMARY, "C37-4.2.3"] == "fail"
    assert "C37-4.1" in audit.left
    monkeypatch.setattr(article_4, "_submission_doors", lambda audit, here: (False, "587"))
    audit.left.clear()
    audit.kept.clear()
    assert verdicts(audit)[PRIMARY, "C37-4.1"] == "fail"
    assert "C37-4.1" not in audit.left
    found: dict[tuple[str, str], Verdict] = {}
    with pytest.raises(AuditError, match=f"{PRIMARY}: .*no sign-in"):
        QUESTIONS["C37-12.1"](
            audit,
            HOST,
            of_units=[(unit, WELL_WRITTEN._replace(encoded=False)) for unit in audit.units(HOST)],
            record=lambda unit, requirement, verdict, evidence: found.update({(unit, requirement): verdict}),
        )
    assert found[PRIMARY, "C37-12.1"] == found[PRIMARY, "C37-S39-utf8"] == "fail"


@pytest.mark.parametrize(
    ("answers", "good"),
    [
        ([554], True),
        ([250], False),
        ([smtplib.SMTPServerDisconnected("gone"), 554], True),
        ([451, ConnectionResetError(), 554], True),
        ([ConnectionRefusedError()], False),
        ([Confined("shut on the way"), 554], None),
    ],
)
def test_submission_is_asked_again_where_it_broke(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], good: bool | None
) -> None:
    clock = Clock()
    monkeypatch.setattr(letters.time, "sleep", clock.sleep)

    def smtp(host: str, port: int) -> Any:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        words = dict.fromkeys(("starttls", "ehlo", "mail"), lambda *words, **named: None)
        client = SimpleNamespace(rcpt=lambda address: (answer, b"so"), has_extn=lambda name: True, **words)
        return nullcontext(client)

    network: Any = SimpleNamespace(smtp=smtp, context=lambda: None)
    audit: Any = SimpleNamespace(network=network, exchangers=Exchangers(network))
    assert article_4._submission_doors(audit, SimpleNamespace(fqdn="a.test"))[0] is good


@pytest.mark.parametrize("lost", [False, True])
def test_what_a_unit_writes_to_itself_is_no_exchange_with_others(audit: Any, lost: bool) -> None:
    """No host of another unit was reached."""
    only = audit.hosts["mail-thpt"]
    audit.hosts, audit.outside = {"mail-thpt": only}, None
    only.lost = {audit.province.units["thpt-song-que"].public_address} if lost else set()
    said: dict[str, Verdict] = {}
    with nullcontext() if lost else pytest.raises(AuditError, match=r"thpt-song-que: .*all other units"):
        QUESTIONS["C37-4.1"](audit, "mail-thpt", lambda unit, _, verdict, evidence: said.update({unit: verdict}))
    assert said == ({"thpt-song-que": "fail"} if lost else {})


def test_a_submission_door_that_the_network_shuts_hides_no_letter_that_is_lost(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(article_4, "_submission_doors", lambda audit, here: (None, "587: shut on the way"))
    audit.hosts[HOST].lost = {audit.province.units[PRIMARY].public_address}
    found = verdicts(audit)
    assert {unit for unit, name in found if name == "C37-4.1"} == {PRIMARY}
    assert found[PRIMARY, "C37-4.1"] == "fail"
    assert f"{OFFICE}: 587: shut on the way" in audit.left["C37-4.1"]


def test_what_is_disproved_stays_so_whatever_is_refused_for_now(audit: Any) -> None:
    people = [person.address for person in audit.people(audit.province.units[SECONDARY])]
    audit.instead = {people[0]: LATER, people[1]: Reply(550, "no"), "thsuoimo@suoimo.minhha.test": LATER}
    audit.refused = {"thcssuoimo@suoimo.minhha.test"}
    found = verdicts(audit)
    assert found[SECONDARY, "C37-4.3.1"] == "fail"
    assert found[OFFICE, "C37-4.3.4"] == "fail"


@pytest.mark.parametrize(("reply", "verdict"), [(FULL, "pass"), (SAID_BEHIND, "pass"), (NOT_THERE, "fail")])
def test_a_full_mailbox_of_a_person_is_there(audit: Any, reply: Reply, verdict: Verdict) -> None:
    audit.instead = {audit.people(audit.province.units[SECONDARY])[0].address: reply}
    assert verdicts(audit)[SECONDARY, "C37-4.3.1"] == verdict


def test_a_full_mailbox_behind_the_public_address_takes_no_mail(audit: Any) -> None:
    audit.instead = {"thsuoimo@suoimo.minhha.test": FULL}
    outside = {(PRIMARY, name) for name in ("C37-4.2.3", "C37-12.1", "C37-S39-utf8", "C37-S39-smime")}
    assert red(audit) == outside | {(OFFICE, "C37-4.3.4")}


@pytest.mark.parametrize(
    ("closed", "reply", "verdict"),
    [
        (False, Reply(250, "ok"), "pass"),
        (False, Reply(550, "no"), "fail"),
        (False, Reply(0, "ConnectionRefusedError: refused", broke=True), "fail"),
        (False, Reply(450, "later"), None),
        (False, Reply(0, "TimeoutError: nobody", broke=True), None),
        (True, Reply(554, "no"), "pass"),
        (True, Reply(250, "ok"), "fail"),
        (True, Reply(450, "later"), None),
        (True, Reply(0, "ConnectionRefusedError: refused", broke=True), None),
    ],
)
def test_a_group_is_open_or_closed_by_what_the_exchanger_says_for_good(
    audit: Any, closed: bool, reply: Reply, verdict: Verdict | None
) -> None:
    groups = [group.address for group in audit.province.groups if group.unit == OFFICE]
    if not closed:
        audit.mail.permissions.closed = {}
    assert closed == (groups[0] in audit.mail.permissions.closed)
    audit.instead = {groups[0]: reply}
    assert verdicts(audit).get((OFFICE, "C37-5.3")) == verdict
    assert ("C37-5.3" in audit.left) == (verdict is None)


def test_a_letter_that_is_open_hides_none_that_is_lost(audit: Any) -> None:
    """Of one unit: of two letters, and of two mailboxes of one letter."""
    groups = [group.address for group in audit.province.groups if group.unit == OFFICE]
    section = audit.province.units[PRIMARY].sections[0].address
    lost: set[str] = set()
    for address in (section, *groups):
        shut, gone, *_ = sorted(audit.mail.groups.mailboxes(address))
        audit.hosts[HOST].broken[shut] = imaplib.IMAP4.error("no sign-in")
        lost |= {gone}
    audit.hosts[HOST].lost = lost - audit.hosts[HOST].broken.keys()
    found = verdicts(audit)
    assert found[PRIMARY, "C37-4.3.3"] == "fail"
    assert found[OFFICE, "C37-5.3"] == "fail"
    audit.left.clear()
    audit.kept.clear()
    audit.hosts[HOST].lost = set()
    for mailbox in audit.mail.groups.mailboxes("postmaster@suoimo.minhha.test"):
        audit.hosts[HOST].broken[mailbox] = imaplib.IMAP4.error("no sign-in")
    audit.refused = {"abuse@suoimo.minhha.test"}
    found = verdicts(audit)
    assert {found[unit, "C37-4.5"] for unit in (OFFICE, PRIMARY, SECONDARY)} == {"fail"}
    assert "C37-4.5" not in audit.left
    assert not {"C37-4.3.3", "C37-5.3"} - audit.left.keys(), "where nothing is lost it is open"


def test_the_evidence_names_where_a_letter_is_lost_and_what_is_open() -> None:
    letter = letters.Letter("a@x.test", ["b@x.test", "c@x.test", "d@x.test"], reply="250", unseen={"c@x.test": "no"})
    letter.found["d@x.test"] = b""
    where = letter.among(letter.mailboxes)
    assert where == (
        ["d@x.test"],
        ["b@x.test"],
        ["không xem được một hộp thư / a mailbox could not be looked into: no"],
    )
    assert where.everywhere is False
    assert where.said == f"thấy ở / found in d@x.test; {letters.LOST}: b@x.test"
    assert letter.among(["c@x.test", "d@x.test"]).everywhere is None
    assert letter.among(["d@x.test"]).everywhere is True
    assert letter.among([]).everywhere is False


def test_a_member_who_is_not_seen_hides_no_stranger_whom_a_group_reaches(audit: Any) -> None:
    groups = [group.address for group in audit.province.groups if group.unit == OFFICE]
    for host in audit.hosts.values():
        members = (mailbox for group in groups for mailbox in audit.mail.groups.mailboxes(group))
        host.broken = dict.fromkeys(members, imaplib.IMAP4.error("no sign-in"))
    assert (OFFICE, "C37-5.3") not in verdicts(audit)
    audit.kept.clear()
    audit.hosts[HOST].surplus = {audit.province.units["so"].public_address}
    assert verdicts(audit)[OFFICE, "C37-5.3"] == "fail"


def test_a_log_that_lacks_a_member_who_has_the_letter_fails_nobody(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Host.trace
    monkeypatch.setattr(Host, "trace", lambda self, ids: {name: rows[:1] for name, rows in usual(self, ids).items()})
    found = verdicts(audit)
    assert (OFFICE, "C37-5.3") not in found
    assert "the log is not whole" in audit.left["C37-5.3"]


def test_a_log_that_is_not_told_hides_no_letter_that_is_lost(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(self: Host, message_ids: Iterable[str]) -> Any:
        raise AuditError("journalctl: no")

    monkeypatch.setattr(Host, "trace", trace)
    verdicts(audit)
    assert {"C37-4.1", "C37-5.3"} <= audit.left.keys()
    audit.left.clear()
    audit.kept.clear()
    monkeypatch.setattr(letters, "_follow", lambda audit, new: None)
    groups = [group.address for group in audit.province.groups if group.unit == OFFICE]
    audit.hosts[HOST].lost = {audit.province.units[PRIMARY].public_address}
    audit.hosts[HOST].lost |= set(audit.mail.groups.mailboxes(groups[0]))
    found = verdicts(audit)
    assert found[PRIMARY, "C37-4.1"] == "fail"
    assert found[OFFICE, "C37-5.3"] == "fail"


def test_a_letter_between_our_hosts_that_is_open_hides_none_that_does_not_leave_the_province(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"to": audit.outside, "relay": "none", "status": "bounced", "reply": "mail transport unavailable"}
    log_of_what_leaves(audit, monkeypatch, lambda host: [row])
    boxes = (audit.province.units[unit].public_address for unit in (OFFICE, PRIMARY))
    audit.hosts[HOST].broken = dict.fromkeys(boxes, imaplib.IMAP4.error("no sign-in"))
    assert {verdicts(audit)[about] for about in OUTSIDE} == {"fail"}


def test_a_log_that_is_not_told_any_more_hides_no_letter_of_which_it_was(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one letter the gateway said that it came back; of the other it said nothing, and then nothing any more."""
    row = {"to": audit.outside, "relay": "none", "status": "bounced", "reply": "mail transport unavailable"}
    said: list[str] = []

    def logged(host: str) -> list[dict[str, str]]:
        said.append(host)
        if len(said) > 2:
            raise AuditError("journalctl: no")
        return [row] if len(said) == 1 else []

    log_of_what_leaves(audit, monkeypatch, logged)
    monkeypatch.setattr(letters, "_follow", lambda audit, new: None)
    found = verdicts(audit)
    first = next(unit.id for unit in audit.units(HOST) if (unit.id, "C37-4.1") in OUTSIDE)
    assert {about for about in OUTSIDE if about in found} == {(first, "C37-4.1")}
    assert found[first, "C37-4.1"] == "fail"
    assert "journalctl: no" in audit.left["C37-4.1"]


def test_a_host_that_does_not_tell_who_sees_a_mailbox_hides_no_letter_that_is_lost(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seers(self: Host, asked: object) -> Any:
        raise AuditError("doveadm: no")

    monkeypatch.setattr(Host, "seers", seers)
    section = audit.province.units[SECONDARY].sections[0].address
    audit.refused = {audit.province.units[PRIMARY].public_address}
    audit.hosts[HOST].unsent = {}
    audit.hosts[HOST].lost = {min(audit.mail.groups.mailboxes(section))}
    found = verdicts(audit)
    assert found[PRIMARY, "C37-4.2.3"] == "fail"
    assert found[SECONDARY, "C37-4.3.3"] == "fail"
    assert (OFFICE, "C37-4.2.3") not in found
    assert {"C37-4.2.3", "C37-4.3.3"} <= audit.left.keys()


@pytest.mark.parametrize(
    ("replies", "statuses", "verdict"),
    [
        ({}, ["sent"], "pass"),
        ({}, [], "not-tested"),
        ({}, ["deferred"], "not-tested"),
        ({}, ["sent", "bounced", "deferred"], "fail"),
        ({"director": Reply(550, "no")}, ["sent"], "fail"),
        ({"director": LATER}, ["sent"], None),
        ({"director": LATER, "clerk": Reply(550, "no")}, ["sent"], "fail"),
        ({"director": LATER}, ["bounced"], "fail"),
        ({"director": Reply(550, "no")}, None, "fail"),
        ({}, None, None),
    ],
)
def test_mail_of_the_ministry_is_judged_by_how_it_ended(
    audit: Any, replies: dict[str, Reply], statuses: list[str] | None, verdict: Verdict | None
) -> None:
    """None: the gateway does not tell its log."""
    ministry = audit.province.settings.ministry
    audit.instead = {getattr(ministry, name): reply for name, reply in replies.items()}

    def ask(command: str, request: object) -> list[dict[str, str]]:
        if statuses is None:
            raise AuditError("450 4 hours of log are lost")
        return [{"from": ministry.director_list, "to": ministry.director, "status": status} for status in statuses]

    audit.hosts["mail-so"].ask = ask
    said: dict[str, Verdict] = {}
    with pytest.raises(AuditError, match="450 4") if verdict is None else nullcontext():
        article_5.test_mail_of_the_ministry_s_lists_is_taken(
            audit, "mail-so", lambda unit, _, verdict, evidence: said.update({unit: verdict})
        )
    assert said.get("so") == verdict


@pytest.mark.parametrize(("status", "verdict"), [("sent", None), ("bounced", "fail")])
def test_a_network_that_lets_no_mail_out_hides_nothing_that_became_of_the_ministry_s(
    audit: Any, monkeypatch: pytest.MonkeyPatch, status: str, verdict: Verdict | None
) -> None:
    monkeypatch.setattr(audit, "rcpts", confined)
    audit.hosts["mail-so"].ask = lambda command, request: [{"from": "a", "to": "b", "status": status}]
    said: dict[str, Verdict] = {}
    with pytest.raises(AuditError, match=r"so: .*no way out") if verdict is None else nullcontext():
        article_5.test_mail_of_the_ministry_s_lists_is_taken(
            audit, "mail-so", lambda unit, _, verdict, evidence: said.update({unit: verdict})
        )
    assert said.get("so") == verdict


def test_a_name_below_edu_vn_counts_when_mail_is_taken_there(audit: Any) -> None:
    units = audit.units(HOST)
    refused = next(unit for unit in units if unit.id == PRIMARY)
    audit.refused = {refused.public_address}
    said: dict[str, tuple[str, list[str]]] = {}
    article_3.test_a_name_below_edu_vn_leads_to_the_portal(
        audit,
        of_pages=iter([(unit, ("fail" if unit.id == OFFICE else "pass", ["seen"])) for unit in units]),
        record=lambda unit, _, verdict, evidence: said.update({unit: (verdict, evidence)}),
    )
    assert {unit: verdict for unit, (verdict, _) in said.items()} == {
        unit.id: "fail" if unit.id in (PRIMARY, OFFICE) else "pass" for unit in units
    }
    assert said[PRIMARY][1] == ["seen", f"MX: RCPT {refused.public_address}: 554 no"]
    assert said[OFFICE][1] == ["seen"]  # what the pages disprove needs no letter


def test_a_network_that_lets_no_mail_out_and_a_page_that_breaks_hide_no_name_that_fails(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heard() -> Any:
        for unit in audit.units(HOST):
            if unit.id != SECONDARY:
                yield unit, ("fail" if unit.id == OFFICE else "pass", ["seen"])
        raise AuditError(f"{SECONDARY}: its page broke")

    monkeypatch.setattr(audit, "rcpts", confined)
    said: dict[str, Verdict] = {}
    with pytest.raises(AuditError, match=f"{SECONDARY}: its page broke; {PRIMARY}: .*no way out"):
        article_3.test_a_name_below_edu_vn_leads_to_the_portal(
            audit, of_pages=heard(), record=lambda unit, _, verdict, evidence: said.update({unit: verdict})
        )
    assert said == {OFFICE: "fail"}
    pages = [(unit, WELL_WRITTEN) for unit in audit.units(HOST) if unit.id != SECONDARY]
    audit.hosts[HOST].lost = {audit.province.units[PRIMARY].public_address}
    found: dict[tuple[str, str], Verdict] = {}

    def of_units() -> Any:
        yield from pages
        raise AuditError(f"{SECONDARY}: its page broke")

    def record(unit: str, requirement: str, verdict: Verdict, evidence: list[str]) -> None:
        found[unit, requirement] = verdict

    with pytest.raises(AuditError, match="its page broke"):
        QUESTIONS["C37-12.1"](audit, HOST, of_units=of_units(), record=record)
    assert found[PRIMARY, "C37-12.1"] == "fail"
    assert found[OFFICE, "C37-S39-utf8"] == "pass"
    assert {(SECONDARY, "C37-12.1"), (SECONDARY, "C37-S39-utf8")}.isdisjoint(found)


def test_who_lacks_its_name_on_the_page_may_write_it_in_utf_8(audit: Any) -> None:
    found: dict[tuple[str, str], Verdict] = {}
    QUESTIONS["C37-12.1"](
        audit,
        HOST,
        of_units=[(unit, WELL_WRITTEN._replace(named=False)) for unit in audit.units(HOST)],
        record=lambda unit, requirement, verdict, evidence: found.update({(unit, requirement): verdict}),
    )
    assert (found[PRIMARY, "C37-12.1"], found[PRIMARY, "C37-S39-utf8"]) == ("fail", "pass")


def test_a_name_below_edu_vn_whose_exchanger_says_later_is_open(audit: Any) -> None:
    units = audit.units(HOST)
    audit.instead = {next(unit.public_address for unit in units if unit.id == PRIMARY): LATER}
    said: dict[str, Verdict] = {}
    with pytest.raises(AuditError, match=f"{PRIMARY}: .*450 4"):
        article_3.test_a_name_below_edu_vn_leads_to_the_portal(
            audit,
            of_pages=iter([(unit, ("pass", ["seen"])) for unit in units]),
            record=lambda unit, _, verdict, evidence: said.update({unit: verdict}),
        )
    assert said == {OFFICE: "pass", SECONDARY: "pass"}


@pytest.mark.parametrize(
    ("hours", "days", "verdict", "words"),
    [
        (3, 0, "not-tested", ": 0 ngày trước / days ago"),
        (3, 400, "not-tested", "no part of the verdict: 400 ngày trước / days ago"),  # a phone stays signed in
        (3, None, "not-tested", "not noted yet"),
        (5, 0, "fail", ": 5 giờ làm việc / working hours"),
    ],
)
def test_letters_that_nobody_reads_turn_red_and_when_it_was_opened_is_only_told(
    audit: Any, monkeypatch: pytest.MonkeyPatch, hours: int, days: int | None, verdict: Verdict, words: str
) -> None:
    (unit,) = [unit for unit in audit.units(HOST) if unit.id == SECONDARY]
    assert audit.mail.units.policies(unit).official_mailbox_check_hours == 4
    box = {"address": unit.public_address, "unit": unit.id, "limit": 4, "hours": hours, "days": days}
    monkeypatch.setattr(article_4, "opened", lambda audit, on: SimpleNamespace(ask=lambda command: [box]))
    timers = {"timers": {"edumail-accounts": "active"}}
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(seen=timers))
    said: dict[str, tuple[str, list[str]]] = {}
    article_4.test_official_mailboxes_are_looked_into_every_day(
        audit, HOST, lambda unit, _, verdict, evidence: said.update({unit: (verdict, evidence)})
    )
    assert said[unit.id][0] == verdict
    _, letters_lie, opened_last, *_ = said[unit.id][1]
    assert words in (letters_lie if verdict == "fail" else opened_last)
    assert "opened last by a holder" in opened_last

    def untold(audit: Any, on: str) -> Any:
        raise AuditError("the timers are not told")

    monkeypatch.setattr(article_4, "facts_of", untold)
    said.clear()
    with nullcontext() if verdict == "fail" else pytest.raises(AuditError, match=f"^{SECONDARY}: the timers"):
        article_4.test_official_mailboxes_are_looked_into_every_day(
            audit, HOST, lambda unit, _, verdict, evidence: said.update({unit: (verdict, evidence)})
        )
    assert (unit.id in said) == (verdict == "fail")


@pytest.mark.parametrize(("own", "hours", "verdict"), [(720, 25, "fail"), (720, 24, "not-tested"), (None, 25, "fail")])
def test_daily_is_a_working_day_at_most_whatever_the_unit_has_set(
    audit: Any, monkeypatch: pytest.MonkeyPatch, own: int | None, hours: int, verdict: Verdict
) -> None:
    boxes = [
        {"address": unit.public_address, "unit": unit.id, "limit": own, "hours": hours, "days": 0}
        for unit in audit.units(HOST)
    ]
    policies = SimpleNamespace(official_mailbox_check_hours=own)
    monkeypatch.setattr(audit.mail.units, "policies", lambda unit: policies)
    monkeypatch.setattr(article_4, "opened", lambda audit, on: SimpleNamespace(ask=lambda command: boxes))
    timers = {"timers": {"edumail-accounts": "active"}}
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(seen=timers))
    said: dict[str, Verdict] = {}
    article_4.test_official_mailboxes_are_looked_into_every_day(
        audit, HOST, lambda unit, _, verdict, evidence: said.update({unit: verdict})
    )
    assert said == dict.fromkeys(ALL, verdict)


def test_whose_officer_a_shared_domain_s_names_reach_is_told(audit: Any) -> None:
    verdicts(audit)
    officer = audit.mail.units.officer(audit.province.units[PRIMARY])
    assert f"reach the officer of {OFFICE};" in audit.said[PRIMARY, "C37-4.5"]
    assert audit.said[PRIMARY, "C37-4.5"].endswith(f"by the inventory: {officer.address}")
    assert "shared domain" not in audit.said[OFFICE, "C37-4.5"]


def test_a_unit_below_without_mail_is_named(audit: Any) -> None:
    audit.refused = {audit.province.units[PRIMARY].public_address}
    assert verdicts(audit)[OFFICE, "C37-4.3.4"] == "fail"
    assert audit.said[OFFICE, "C37-4.3.4"].endswith(f"not accepted at RCPT: {PRIMARY}")


@pytest.mark.parametrize("drawn", [True, False])
def test_groups_of_the_catalogue_are_judged_and_only_small_ones_get_letters(
    audit: Any, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(article_4, "facts_of", lambda audit, on: SimpleNamespace(differing=lambda role: []))
    audit.province = audit.province.model_copy(update={"groups": ()})  # none is written by hand
    audit.drawn = None if drawn else {PRIMARY}
    assert verdicts(audit)[OFFICE, "C37-5.3"] == "pass"
    (made,) = [made for made in audit.kept.values() if isinstance(made, letters.Post)]
    sent = {letter.recipient for letter in made.letters.values()}
    assert ("lanhdao@suoimo.minhha.test" in sent) == drawn
    assert "ds-toanthe@suoimo.minhha.test" not in sent  # thirty people
    audit.kept.clear()
    audit.instead = {"ds-toanthe@suoimo.minhha.test": Reply(250, "ok")}
    assert verdicts(audit)[OFFICE, "C37-5.3"] == "fail"


@pytest.mark.parametrize(("reply", "verdict"), [(Reply(250, "ok"), "not-tested"), (Reply(550, "no"), "fail")])
def test_the_addresses_for_the_ministry_are_told_with_their_holders(audit: Any, reply: Reply, verdict: Verdict) -> None:
    clerk = audit.province.settings.ministry.clerk
    audit.instead = {clerk: reply}
    (holders,) = [people for box, people in audit.shared(audit.province.units["so"]) if box.address == clerk]
    said: dict[str, tuple[Verdict, list[str]]] = {}
    article_5.test_the_addresses_that_the_ministry_is_told_of_are_in_use(
        audit, "mail-so", lambda unit, name, verdict, evidence: said.update({f"{unit} {name}": (verdict, evidence)})
    )
    assert {name: found for name, (found, _) in said.items()} == dict.fromkeys(
        ("so C37-5.2.1", "so C37-5.2.2"), verdict
    )
    line = next(line for line in said["so C37-5.2.2"][1] if line.startswith(clerk))
    assert line.endswith(f"by: {', '.join(person.address for person in holders)}")
