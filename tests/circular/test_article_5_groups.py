"""Article 5: shared groups of managing bodies."""

from __future__ import annotations

import smtplib

import pytest

from edumail.model import Unit
from roles.common.paths import feedback_domain
from tests.circular.audit import Audit, Probe
from tests.circular.conftest import Record
from tests.circular.test_article_4_mail import ACCEPTED, opened

LOG_DAYS = 30
"""How far back the Ministry's own mail is looked for."""


@pytest.mark.requirement("C37-5.3")
def test_groups_reach_exactly_their_members_and_closed_ones_refuse_outsiders(
    audit: Audit, on: str, record: Record
) -> None:
    opened(audit, on)
    sent: dict[str, list[Probe]] = {}
    for unit in audit.units(on):
        if audit.province.kinds[unit.kind].binds == "school":
            continue
        groups = [group for group in audit.province.groups if group.unit == unit.id]
        if not groups:
            record(unit.id, "C37-5.3", "not-applicable", ["no group is declared: the circular asks for them as needed"])
            continue
        sent[unit.id] = [audit.new_probe(group.address) for group in groups]
        for probe in sent[unit.id]:
            audit.inject(on, _who_may_write(audit, unit, probe.recipient), [probe])
    for unit_id, probes in sent.items():
        evidence, good = [], True
        for probe in probes:
            expected = audit.mail.groups.mailboxes(probe.recipient)
            reached = {mailbox for mailbox in expected if audit.found(mailbox, {probe.message_id})}
            # What a unit sends is also copied to the service that tells citizens of answers: no member, no mailbox.
            copies = f"@{feedback_domain(audit.province.hosts[on])}"
            to_all = [to for to in _logged_recipients(audit, on, probe) if not to.endswith(copies)]
            logged = {mailbox for to in to_all for mailbox in audit.mail.behind(to)}
            good &= reached == expected and logged == expected
            evidence.append(
                f"{probe.recipient}: found with {len(reached)} of {len(expected)} members (IMAP), "
                f"expanded to {len(logged)} recipients, surplus: {', '.join(sorted(logged - expected)) or 'none'}"
            )
            closed = probe.recipient in audit.mail.permissions.closed
            code, said = _rcpt_from_outside(audit, probe.recipient)
            good &= (code >= 500) == closed
            evidence.append(f"RCPT {probe.recipient} from outside ({'closed' if closed else 'open'}): {code} {said}")
        record(unit_id, "C37-5.3", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-5.2.3")
def test_the_addresses_on_the_ministry_s_lists_receive(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    ministry = audit.province.settings.ministry
    for unit in _departments(audit, on):
        if ministry is None:
            record(unit, "C37-5.2.3", "not-tested", ["province.yml names no addresses for the Ministry's lists"])
            continue
        evidence, good = [], True
        for address in (ministry.director, ministry.clerk):
            probe = audit.new_probe(address)
            try:
                reply = audit.from_outside(probe)
            except (OSError, smtplib.SMTPException) as error:
                reply = f"{type(error).__name__}: {error}"
            found = bool(reply.startswith("250") and audit.found(address, {probe.message_id}))
            good &= found
            evidence.append(f"from outside to {address}: {reply[:80]}; over IMAP: {'found' if found else 'NOT FOUND'}")
        record(unit, "C37-5.2.3", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-5.1")
def test_mail_of_the_ministry_s_lists_is_taken(audit: Audit, on: str, record: Record) -> None:
    """A stranger can't write as the Ministry; what the Ministry itself sent is in the gateway's log."""
    opened(audit, on)
    ministry = audit.province.settings.ministry
    for unit in _departments(audit, on):
        if ministry is None:
            record(unit, "C37-5.1", "not-tested", ["province.yml names no addresses for the Ministry's lists"])
            continue
        evidence, good = [], True
        pairs = ((ministry.director_list, ministry.director), (ministry.clerk_list, ministry.clerk))
        for sender, recipient in pairs:
            code, said = _rcpt_from_outside(audit, recipient, sender)
            good &= code == ACCEPTED
            evidence.append(f"MAIL FROM:<{sender}> RCPT TO:<{recipient}>: {code} {said}")
        gateway = opened(audit, audit.mail.gateway.name)
        seen = gateway.ask("received", {"senders": [sender for sender, _ in pairs], "days": LOG_DAYS})
        lost = [row for row in seen if row["status"] != "sent"]
        evidence += [f"log: {row['from']} → {row['to']}: {row['status']}" for row in seen]
        if not good or lost:
            record(unit, "C37-5.1", "fail", evidence)
        elif not seen:
            evidence.append(f"no mail of these lists in the gateway's log of {LOG_DAYS} days")
            record(unit, "C37-5.1", "not-tested", evidence)
        else:
            record(unit, "C37-5.1", "pass", evidence)


def _departments(audit: Audit, on: str) -> list[str]:
    return [unit.id for unit in audit.units(on) if audit.province.kinds[unit.kind].binds == "sở"]


def _who_may_write(audit: Audit, unit: Unit, group: str) -> str:
    """A mailbox of the unit that may write to the group; other hosts ask for that again."""
    own = [unit.public_address, *(a for a, box in audit.tables(unit.host).mailboxes.items() if box.unit == unit.id)]
    return next((box for box in own if audit.mail.permissions.may(box, group)), unit.public_address)


def _logged_recipients(audit: Audit, on: str, probe: Probe) -> set[str]:
    answer = audit.hosts[on].ask("trace", {"message_ids": [probe.message_id], "since": audit.hosts[on].opened})
    return {row["to"] for row in answer[probe.message_id]}


def _rcpt_from_outside(audit: Audit, address: str, sender: str = "<>") -> tuple[int, str]:
    try:
        with audit.network.smtp(audit.network.exchanger(address.partition("@")[2])) as client:
            client.mail(sender)
            code, reply = client.rcpt(address)
            client.rset()
            return code, reply.decode(errors="replace")[:100]
    except (OSError, smtplib.SMTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
