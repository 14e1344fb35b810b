"""Article 4: mail as a channel of work, the published address, mailboxes for people and sections."""

from __future__ import annotations

import smtplib
import time

import pytest

from edumail.model import Unit
from tests.circular.audit import Audit, AuditError, HostAudit
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.host import facts_of
from tests.circular.network import mailto_addresses
from tests.circular.portal import home

ACCEPTED = 250
RCPTS_AT_ONCE = 50


def opened(audit: Audit, on: str) -> HostAudit:
    """The audit on a host; a host that can't be reached leaves its questions open."""
    if on not in audit.hosts:
        raise AuditError(f"{on} is not under audit: {audit.unreachable.get(on)}")
    return audit.hosts[on]


def page_of(audit: Audit, unit: Unit) -> tuple[list[str], str]:
    """The addresses that the unit's page publishes, and what was seen."""
    try:
        response, body = audit.network.https(unit.portal)
    except OSError as error:
        return [], f"GET https://{unit.portal}/: {error}"
    found = mailto_addresses(body.decode(errors="replace")) if response.status == 200 else []
    return found, f"GET https://{unit.portal}/ → {response.status}, mailto: {', '.join(found) or 'none'}"


@pytest.mark.requirement("C37-4.2.1", "C37-4.2.2")
@each_unit(home)
def test_the_public_address_is_on_the_page(of_pages: Answers, record: Record) -> None:
    for unit, page in of_pages:
        seen = f"{page.said}, mailto: {', '.join(page.mailto) or 'none'}"
        verdict = "pass" if unit.public_address in page.mailto else "fail"
        record(unit.id, "C37-4.2.1", verdict, [f"inventory: public_address {unit.public_address}", seen])
        record(unit.id, "C37-4.2.2", verdict, [seen])


@pytest.mark.requirement("C37-4.2.3")
def test_mail_from_outside_reaches_the_mailbox_behind_the_page(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    sent = {}
    for unit in audit.units(on):
        found, seen = page_of(audit, unit)
        if not found:
            record(unit.id, "C37-4.2.3", "fail", [seen])
            continue
        probe = audit.new_probe(found[0])
        try:
            exchanger = audit.network.exchanger(found[0].partition("@")[2])
            reply = audit.from_outside(probe)
        except (OSError, smtplib.SMTPException) as error:
            record(unit.id, "C37-4.2.3", "fail", [seen, f"{type(error).__name__}: {error}"])
            continue
        evidence = [seen, f"MX {exchanger}: {reply[:120]}"]
        if found[0] not in audit.mail.home:
            record(unit.id, "C37-4.2.3", "fail", [*evidence, f"{found[0]} is no address of this province"])
            continue
        sent[unit.id] = (probe, evidence)
    for unit_id, (probe, evidence) in sent.items():
        reached = sorted(audit.tables(on).aliases.get(probe.recipient, (probe.recipient,)))
        seen_in = [mailbox for mailbox in reached if audit.found(mailbox, {probe.message_id})]
        evidence.append(f"<{probe.message_id}> found over IMAP in {', '.join(seen_in) or 'no mailbox'}")
        good = probe.recipient in seen_in and seen_in == reached
        if good:
            good, said = _open_to_holders(audit, on, audit.province.units[unit_id], {probe.recipient})
            evidence += said
        record(unit_id, "C37-4.2.3", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-4.1")
def test_units_exchange_mail_with_each_other_and_with_the_outside(
    audit: Audit, on: str, record: Record, pytestconfig: pytest.Config
) -> None:
    here = opened(audit, on)
    outside = pytestconfig.getoption("--outside")
    others = [unit for unit in audit.province.units.values() if unit.host in audit.hosts]
    sent = []
    for unit in audit.units(on):
        other = next((o for o in others if o.host != on), None) or next((o for o in others if o.id != unit.id), unit)
        inward = audit.new_probe(unit.public_address)
        outward = audit.new_probe(other.public_address)
        audit.inject(other.host, other.public_address, [inward])
        audit.inject(on, unit.public_address, [outward])
        inside_only = audit.mail.units.policies(unit).external_sending == "province"
        beyond = audit.new_probe(outside) if outside and not inside_only else None
        if beyond:
            audit.inject(on, unit.public_address, [beyond])
        sent.append((unit, other, inward, outward, beyond, inside_only))
    doors = _submission_doors(audit, here)
    for unit, other, inward, outward, beyond, inside_only in sent:
        received = all(
            audit.found(mailbox, {inward.message_id})
            for mailbox in audit.tables(on).aliases.get(unit.public_address, (unit.public_address,))
        )
        arrived = all(
            audit.found(mailbox, {outward.message_id})
            for mailbox in audit.mail.host(other.host).aliases.get(other.public_address, (other.public_address,))
        )
        evidence = [
            f"{other.public_address} → {unit.public_address}: {'arrived' if received else 'NOT FOUND'} (IMAP)",
            f"{unit.public_address} → {other.public_address}: {'arrived' if arrived else 'NOT FOUND'} (IMAP)",
            doors,
        ]
        if not (received and arrived and doors.endswith("good")):
            record(unit.id, "C37-4.1", "fail", evidence)
        elif inside_only:
            evidence.append("the unit's own policy keeps its mail within the province (external_sending)")
            record(unit.id, "C37-4.1", "pass", evidence)
        elif beyond is None:
            evidence.append("mail to the Internet: give an address of your own outside with --outside")
            record(unit.id, "C37-4.1", "not-tested", evidence)
        else:
            delivered, said = _left_the_province(audit, beyond.message_id, beyond.recipient)
            record(unit.id, "C37-4.1", "pass" if delivered else "fail", [*evidence, said])


def _submission_doors(audit: Audit, here: HostAudit) -> str:
    """Submission offers sign-in after TLS and takes nothing without it."""
    try:
        with audit.network.smtp(here.fqdn, 587) as client:
            client.starttls(context=audit.network.context())
            client.ehlo()
            offered = client.has_extn("auth")
            client.mail(f"someone@{here.fqdn}")
            code, _ = client.rcpt(f"someone@{here.fqdn}")
    except (OSError, smtplib.SMTPException) as error:
        return f"{here.fqdn}:587 {type(error).__name__}: {error}: bad"
    good = offered and code >= 500
    return (
        f"{here.fqdn}:587 AUTH after STARTTLS {'offered' if offered else 'NOT offered'}, RCPT without it {code}: "
        + ("good" if good else "bad")
    )


def _left_the_province(audit: Audit, message_id: str, address: str) -> tuple[bool, str]:
    """Whether a host outside took the message, by the reply that our gateway logged."""
    gateway = audit.hosts[audit.mail.gateway.name]
    end = time.monotonic() + 60
    while True:
        answer = gateway.ask("trace", {"message_ids": [message_id], "since": gateway.opened})
        rows = [row for row in answer[message_id] if row["to"] == address]
        if any(row["status"] == "sent" for row in rows) or time.monotonic() > end:
            break
        time.sleep(1)
    said = "; ".join(f"{row['status']} {row['relay']}: {row['reply'][:80]}" for row in rows) or "no delivery logged"
    return any(row["status"] == "sent" for row in rows), f"→ {address}: {said}"


@pytest.mark.requirement("C37-4.3.1")
def test_everybody_on_the_roster_has_a_mailbox_and_nobody_else(audit: Audit, on: str, record: Record) -> None:
    facts = opened(audit, on).facts
    usable = {a["address"]: a for a in facts["accounts"] if a["state"] in ("waiting", "active")}
    known = set(facts["dovecot_users"])
    for unit in audit.units(on):
        roster = {person.address for person in audit.mail.units.people[unit.id]}
        accounts = {address for address, a in usable.items() if a["unit"] == unit.id and a["person"]}
        missing, surplus = sorted(roster - accounts), sorted(accounts - roster)
        unserved = sorted(roster - known)
        refused = _refused_at_the_exchanger(audit, sorted(roster))
        waiting = sum(1 for address in roster & accounts if usable[address]["state"] == "waiting")
        evidence = [
            f"roster {len(roster)}, accounts {len(accounts)} ({waiting} waiting for their owner's activation)",
            f"missing: {', '.join(missing) or 'none'}; surplus: {', '.join(surplus) or 'none'}",
            f"unknown to the running Dovecot: {', '.join(unserved) or 'none'}",
            f"refused at the MX: {', '.join(refused) or 'none'}",
        ]
        bad = missing or surplus or unserved or refused
        record(unit.id, "C37-4.3.1", "fail" if bad else "pass", evidence)


def _refused_at_the_exchanger(audit: Audit, addresses: list[str]) -> list[str]:
    """Addresses whose MX does not accept them at RCPT; nothing is sent."""
    refused = []
    for start in range(0, len(addresses), RCPTS_AT_ONCE):
        batch = addresses[start : start + RCPTS_AT_ONCE]
        with audit.network.smtp(audit.network.exchanger(batch[0].partition("@")[2])) as client:
            client.mail("<>")
            refused += [address for address in batch if client.rcpt(address)[0] != ACCEPTED]
            client.rset()
    return refused


def _open_to_holders(audit: Audit, on: str, unit: Unit, addresses: set[str]) -> tuple[bool, list[str]]:
    """Whether each of these shared mailboxes is seen by those who hold it, and by nobody else of the unit."""
    people = audit.mail.units.people[unit.id]
    good, evidence = True, []
    for mailbox, holders in audit.mail.units.shared(unit):
        if mailbox.address not in addresses:
            continue
        seers = set(audit.hosts[on].ask("seers", {"address": mailbox.address, "people": [p.address for p in people]}))
        wanted = {person.address for person in holders}
        good &= bool(wanted) and seers == wanted
        evidence.append(f"{mailbox.address}: seen by {len(seers)} of the unit's people, held by {len(wanted)}")
    return good, evidence


@pytest.mark.requirement("C37-4.5")
def test_postmaster_and_abuse_reach_the_officer_in_charge(audit: Audit, on: str, record: Record) -> None:
    """The delivering half; that the head has named the officer is a decision on paper, which no host can show."""
    opened(audit, on)
    sent = []
    for unit in audit.units(on):
        probes = [audit.new_probe(f"{name}@{unit.domain}") for name in ("postmaster", "abuse")]
        replies = []
        for probe in probes:
            try:
                replies.append(audit.from_outside(probe))
            except (OSError, smtplib.SMTPException) as error:
                replies.append(f"{type(error).__name__}: {error}")
        sent.append((unit, probes, replies))
    for unit, probes, replies in sent:
        evidence, good = [], True
        for probe, reply in zip(probes, replies, strict=True):
            officers = audit.mail.groups.mailboxes(probe.recipient)
            reached = [mailbox for mailbox in sorted(officers) if audit.found(mailbox, {probe.message_id})]
            good &= bool(officers) and set(reached) == officers
            found = f"found with {', '.join(reached) or 'NOBODY'}"
            evidence.append(f"from outside to {probe.recipient}: {reply[:60]}; {found}")
        evidence.append("the decision that names the officer has to be attested")
        record(unit.id, "C37-4.5", "not-tested" if good else "fail", evidence)


@pytest.mark.requirement("C37-4.3.3")
def test_each_section_has_an_address_that_reaches_its_people(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    sent = []
    for unit in audit.units(on):
        if not unit.sections:
            record(unit.id, "C37-4.3.3", "not-applicable", ["the inventory names no internal section of this unit"])
            continue
        probes = [(section, audit.new_probe(section.address)) for section in unit.sections]
        audit.inject(on, unit.public_address, [probe for _, probe in probes])
        sent.append((unit, probes))
    for unit, probes in sent:
        evidence, good = [], True
        for section, probe in probes:
            expected = audit.mail.groups.mailboxes(section.address)
            reached = {mailbox for mailbox in expected if audit.found(mailbox, {probe.message_id})}
            good &= bool(expected) and reached == expected
            evidence.append(f"{section.address}: found in {len(reached)} of {len(expected)} mailboxes (IMAP)")
        fine, said = _open_to_holders(audit, on, unit, {section.address for section in unit.sections})
        good &= fine
        evidence += said
        record(unit.id, "C37-4.3.3", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-4.4d")
def test_accounts_of_people_and_of_the_unit_are_protected(audit: Audit, on: str, record: Record) -> None:
    """The host's half: rules for passwords, none shared, and unit accounts with holders. The text is on paper."""
    accounts = opened(audit, on).accounts
    for unit in audit.units(on):
        policies = audit.mail.units.policies(unit)
        rule = [policies.password_min_characters, policies.password_character_classes]
        theirs = accounts[unit.id]
        personal = [a for a in theirs if a["person"] and a["state"] in ("waiting", "active")]
        shared = [a for a in theirs if a["state"] == "shared"]
        loose = sorted(a["address"] for a in personal if a["rule"] != rule)
        alike = sorted(a["address"] for a in theirs if a["alike"])
        signed = sorted(a["address"] for a in shared if a["scheme"])
        unheld = sorted(a["address"] for a in shared if not a["holders"])
        evidence = [
            f"{len(personal)} accounts of people: new passwords of {rule[0]} characters, {rule[1]} classes;"
            f" another rule on the host: {', '.join(loose) or 'none'}",
            f"the same password hash as another account: {', '.join(alike) or 'none'}",
            f"{len(shared)} accounts of the unit: with a password of their own: {', '.join(signed) or 'none'};"
            f" without a holder: {', '.join(unheld) or 'none'}",
            "the regulation that sets these duties has to be attested",
        ]
        good = personal and shared and not (loose or alike or signed or unheld)
        record(unit.id, "C37-4.4d", "not-tested" if good else "fail", evidence)


@pytest.mark.requirement("C37-4.3.4")
def test_units_below_have_mail(audit: Audit, on: str, record: Record) -> None:
    """Each unit under this one has an address that its exchanger takes mail for."""
    for unit in audit.units(on):
        below = [lower for lower in audit.mail.units.below(unit.id) if lower.id != unit.id]
        if not below:
            record(unit.id, "C37-4.3.4", "not-applicable", ["no unit stands under this one"])
            continue
        refused = audit.kept.setdefault("refused", {})
        for lower in below:
            if lower.public_address not in refused:
                try:
                    refused[lower.public_address] = bool(_refused_at_the_exchanger(audit, [lower.public_address]))
                except (OSError, smtplib.SMTPException) as error:
                    refused[lower.public_address] = f"{type(error).__name__}: {error}"
        without = [lower.public_address for lower in below if refused[lower.public_address]]
        evidence = [f"{len(below)} units below; not accepted at RCPT: {', '.join(without[:20]) or 'none'}"]
        record(unit.id, "C37-4.3.4", "fail" if without else "pass", evidence)


@pytest.mark.requirement("C37-4.4c.2")
def test_official_mailboxes_are_looked_into_every_day(audit: Audit, on: str, record: Record) -> None:
    """The host's half: no letter lies longer than the unit's limit of working hours, and a timer reminds of it."""
    boxes = opened(audit, on).ask("unopened")
    timer = facts_of(audit, on).seen["timers"]["edumail-accounts"]
    for unit in audit.units(on):
        limit = audit.mail.units.policies(unit).official_mailbox_check_hours
        theirs = [box for box in boxes if box["unit"] == unit.id]
        late = ", ".join(box["address"] for box in theirs if limit and box["hours"] > limit)
        evidence = [
            f"limit: {limit} working hours (official_mailbox_check_hours, the unit's own); late: {late or 'none'}"
        ]
        for box in theirs:
            signed_in = "never" if box["days"] is None else f"{box['days']} days ago"
            evidence.append(
                f"{box['address']}: the oldest letter that no holder has opened lies for {box['hours']} working hours;"
                f" a holder signed in {signed_in}"
            )
        evidence += [f"{on}: edumail-accounts.timer, which reminds holders and then the head, is {timer}"]
        evidence += ["the rule of daily checking in the regulation has to be attested"]
        good = theirs and limit and not late and timer == "active"
        record(unit.id, "C37-4.4c.2", "not-tested" if good else "fail", evidence)
