"""Article 5: shared groups of managing bodies."""

from __future__ import annotations

import smtplib

import pytest

from tests.circular.audit import Audit, Probe
from tests.circular.conftest import Record
from tests.circular.test_article_4_mail import opened


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
        audit.inject(on, unit.public_address, sent[unit.id])
    for unit_id, probes in sent.items():
        evidence, good = [], True
        for probe in probes:
            expected = audit.mail.groups.mailboxes(probe.recipient)
            # A shared mailbox passes a copy to its holders.
            everyone = {holder for m in expected for holder in audit.mail.host(audit.mail.home[m]).aliases.get(m, (m,))}
            reached = {mailbox for mailbox in everyone if audit.found(mailbox, {probe.message_id})}
            logged = _logged_recipients(audit, on, probe)
            good &= reached == everyone and logged == everyone
            evidence.append(
                f"{probe.recipient}: found with {len(reached)} of {len(everyone)} members (IMAP), "
                f"expanded to {len(logged)} recipients, surplus: {', '.join(sorted(logged - everyone)) or 'none'}"
            )
            closed = audit.mail.groups.all[probe.recipient].posting != "anyone"
            code, said = _rcpt_from_outside(audit, probe.recipient)
            good &= (code >= 500) == closed
            evidence.append(f"RCPT {probe.recipient} from outside ({'closed' if closed else 'open'}): {code} {said}")
        record(unit_id, "C37-5.3", "pass" if good else "fail", evidence)


def _logged_recipients(audit: Audit, on: str, probe: Probe) -> set[str]:
    answer = audit.hosts[on].ask("trace", {"message_ids": [probe.message_id], "since": audit.hosts[on].opened})
    return {row["to"] for row in answer[probe.message_id]}


def _rcpt_from_outside(audit: Audit, address: str) -> tuple[int, str]:
    try:
        with audit.network.smtp(audit.network.exchanger(address.partition("@")[2])) as client:
            client.mail("<>")
            code, reply = client.rcpt(address)
            client.rset()
            return code, reply.decode(errors="replace")[:100]
    except (OSError, smtplib.SMTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
