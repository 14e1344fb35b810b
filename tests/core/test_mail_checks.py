"""The audit's questions about mail, judged over letters that came or did not: who turns red, and who does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.verdicts import Verdict
from tests.circular import letters
from tests.circular import test_article_3_general as article_3
from tests.circular import test_article_4_mail as article_4
from tests.circular import test_article_5_groups as article_5
from tests.circular import test_article_12_technology as article_12
from tests.circular import test_standards_39 as standards
from tests.circular.exchangers import Reply
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


class Host(Server):
    """A host on which everything is as the inventory has it, but for what a test breaks."""

    def __init__(self, audit: Audited, name: str):
        super().__init__()
        self.audit, self.name, self.fqdn = audit, name, f"{name}.test"
        self.blind: set[str] = set()
        """People who do not see what they hold."""
        self.surplus: set[str] = set()
        """Mailboxes that groups reach beside their members."""

    @property
    def accounts(self) -> dict[str, list[dict[str, Any]]]:
        people = {unit.id: self.audit.people(unit) for unit in self.audit.units(self.name)}
        state = {"person": "x", "state": "active", "holders": []}
        found = {unit: [state | {"address": person.address} for person in theirs] for unit, theirs in people.items()}
        for unit in self.audit.units(self.name):
            for box, held in self.audit.shared(unit):
                holders = [person.address for person in held if person.address not in self.blind]
                found[unit.id].append({"address": box.address, "person": None, "state": "shared", "holders": holders})
        return found

    @property
    def facts(self) -> dict[str, list[str]]:
        people = (account for theirs in self.accounts.values() for account in theirs if account["person"])
        return {"dovecot_users": [account["address"] for account in people]}

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
        self.sent: dict[str, bytes] = {}
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
        return {address: Reply(554, "no") if address in closed else Reply(250, "ok") for address in addresses}

    def send(self, envelopes: Any) -> None:
        super().send(envelopes)
        for envelope in self.envelopes:
            if envelope.recipient in self.refused:
                envelope.reply, envelope.at_rcpt = Reply(550, "unknown"), True
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


def red(audit: Any) -> set[tuple[str, str]]:
    """Unit and requirement of every fail."""
    found: list[tuple[str, str, Verdict]] = []

    def record(unit: str, requirement: str, verdict: Verdict, evidence: list[str]) -> None:
        assert evidence
        found.append((unit, requirement, verdict))

    pages = {"of_units": [(unit, (True, "its page")) for unit in audit.units(HOST)]}
    for name, question in QUESTIONS.items():
        question(audit, HOST, record=record, **(pages if name == "C37-12.1" else {}))
    assert len(found) == len(set(found)) >= 3 * (len(QUESTIONS) - 2)
    return {(unit, requirement) for unit, requirement, verdict in found if verdict == "fail"}


def test_a_sound_host_has_no_fail(audit: Any) -> None:
    assert red(audit) == set()


def test_a_published_address_that_the_exchanger_refuses(audit: Any) -> None:
    audit.refused = {"thsuoimo@suoimo.minhha.test"}
    outside = {(PRIMARY, name) for name in ("C37-4.2.3", "C37-12.1", "C37-S39-utf8", "C37-S39-smime")}
    assert red(audit) == outside | {(OFFICE, "C37-4.3.4")}


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


def test_mail_that_does_not_leave_the_province(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "trace", lambda self, ids: {name: [] for name in ids})
    # A unit whose own policy keeps its mail inside has nothing to prove; groups are read from the same log.
    assert red(audit) == {(OFFICE, "C37-4.1"), (PRIMARY, "C37-4.1"), (OFFICE, "C37-5.3")}


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


@pytest.mark.parametrize(
    ("hours", "days", "verdict", "words"),
    [
        (3, 0, "not-tested", ": 0 ngày trước / days ago"),
        (3, 400, "not-tested", "no part of the verdict: 400 ngày trước / days ago"),  # a phone stays signed in
        (3, None, "not-tested", "no holder is active"),
        (5, 0, "fail", ": 5 giờ làm việc / working hours"),
    ],
)
def test_letters_that_nobody_reads_turn_red_and_sign_ins_are_only_told(
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
    _, letters_lie, signed_in, *_ = said[unit.id][1]
    assert words in (letters_lie if verdict == "fail" else signed_in)
    assert "to any mailbox" in signed_in
