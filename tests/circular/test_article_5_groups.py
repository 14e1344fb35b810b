"""Article 5: shared groups of managing bodies."""

from __future__ import annotations

import pytest

from roles.common.paths import feedback_domain
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.exchangers import ACCEPTED
from tests.circular.letters import author, post
from tests.circular.test_article_4_mail import opened, tables_lead

LOG_DAYS = 30
"""How far back the Ministry's own mail is looked for."""


@pytest.mark.requirement("C37-5.3")
def test_groups_reach_exactly_their_members_and_closed_ones_refuse_outsiders(
    audit: Audit, on: str, record: Record
) -> None:
    opened(audit, on)
    letters = post(audit, on, "C37-5.3")
    units = [unit for unit in audit.units(on) if audit.province.kinds[unit.kind].binds != "school"]
    groups = {unit.id: [group.address for group in audit.province.groups if group.unit == unit.id] for unit in units}
    drawn = [unit for unit in units if not audit.left_out(unit)]
    sent = {
        address: letters.letter(address, author(audit, unit, address)) for unit in drawn for address in groups[unit.id]
    }
    logged_of = audit.hosts[on].trace([letter.message_id for letter in sent.values()])
    replies = audit.exchangers.rcpts(address for unit in units for address in groups[unit.id])
    for unit in units:
        if not groups[unit.id]:
            record(unit.id, "C37-5.3", "not-applicable", ["no group is declared: the circular asks for them as needed"])
            continue
        evidence, good = [], True
        if left_out := audit.left_out(unit):
            good, said = tables_lead(audit, on)
            evidence = [f"no letter: {left_out}", said]
        for address in () if left_out else groups[unit.id]:
            expected = audit.mail.groups.mailboxes(address)
            reached = {mailbox for mailbox in expected if sent[address].arrived(mailbox)}
            # What a unit sends is also copied to the service that tells citizens of answers: no member, no mailbox.
            copies = f"@{feedback_domain(audit.province.hosts[on])}"
            to_all = {row["to"] for row in logged_of[sent[address].message_id] if not row["to"].endswith(copies)}
            logged = {mailbox for to in to_all for mailbox in audit.mail.behind(to)}
            good &= reached == expected and logged == expected
            evidence.append(
                f"{address}: found with {len(reached)} of {len(expected)} members (IMAP), "
                f"expanded to {len(logged)} recipients, surplus: {', '.join(sorted(logged - expected)) or 'none'}"
            )
        for address in groups[unit.id]:
            closed = address in audit.mail.permissions.closed
            code, said = replies[address]
            good &= (code >= 500) == closed
            evidence.append(f"RCPT {address} from outside ({'closed' if closed else 'open'}): {code} {said[:100]}")
        record(unit.id, "C37-5.3", "pass" if good else "fail", evidence)


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
            letter = post(audit, on, "C37-5.2.3").letter(address)
            found = letter.arrived(address)
            good &= found
            over = "found" if found else "NOT FOUND"
            evidence.append(f"from outside to {address}: {letter.reply[:80]}; over IMAP: {over}")
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
            code, said = audit.exchangers.rcpts([recipient], sender)[recipient]
            good &= code == ACCEPTED
            evidence.append(f"MAIL FROM:<{sender}> RCPT TO:<{recipient}>: {code} {said[:100]}")
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
