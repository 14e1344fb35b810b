"""Article 5: shared groups of managing bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from edumail.model import Unit
from roles.common.paths import feedback_domain
from tests.circular.audit import Audit, AuditError
from tests.circular.conftest import Record
from tests.circular.dialogues import Seen
from tests.circular.exchangers import ACCEPTED, FOR_GOOD, Reply
from tests.circular.letters import (
    ARRIVED,
    FROM_OUTSIDE,
    LOST,
    SMALL_GROUP,
    UNSETTLED,
    Letter,
    groups_of,
    post,
    to_groups,
)
from tests.circular.mailed import Undecided, all_settled, refusals
from tests.circular.test_article_4_mail import NO_LETTER, opened, tables_lead

LOG_DAYS = 30
"""How far back the Ministry's own mail is looked for."""
ONLY_RCPT = (
    f"nhóm theo danh mục có trên {SMALL_GROUP} hộp thư hoặc không ai của đơn vị được gửi, chỉ thử RCPT"
    f" / of the catalogue, with more than {SMALL_GROUP} mailboxes or closed to the unit itself, tried by RCPT alone"
)
NO_LISTS = "province.yml: chưa khai địa chỉ cho hai nhóm thư của Bộ / no addresses for the Ministry's lists"


@pytest.mark.requirement("C37-5.3")
def test_groups_reach_exactly_their_members_and_closed_ones_refuse_outsiders(
    audit: Audit, on: str, record: Record
) -> None:
    opened(audit, on)
    letters = post(audit, on, "C37-5.3")
    units = [unit for unit in audit.units(on) if audit.province.kinds[unit.kind].binds != "school"]
    groups = {unit.id: [group.address for group in groups_of(audit, unit)] for unit in units}
    planned = [letter for unit in units if not audit.left_out(unit) for letter in to_groups(audit, unit)]
    sent = {letter.recipient: letters.letter(letter.recipient, letter.sender) for letter in planned}
    logged_of: dict[str, list[dict[str, str]]] | AuditError
    try:
        logged_of = audit.hosts[on].trace([letter.message_id for letter in sent.values()])
    except AuditError as error:  # which hides no letter that is lost
        logged_of = error
    replies = audit.exchangers.rcpts(address for unit in units for address in groups[unit.id])
    # What a unit sends is also copied to the service that tells citizens of answers: no member, no mailbox.
    copies = f"@{feedback_domain(audit.province.hosts[on])}"
    undecided = Undecided()
    for unit in units:
        if not groups[unit.id]:
            why = (
                "đơn vị không có nhóm thư nào, khai tay hay theo danh mục; thông tư yêu cầu theo nhu cầu"
                " / the unit has no group, written by hand or of the catalogue: the circular asks for them as needed"
            )
            record(unit.id, "C37-5.3", "not-applicable", [why])
            continue
        evidence, good, unclear = [], True, []
        written_to = [address for address in groups[unit.id] if address in sent]
        if not written_to:
            lead, said = tables_lead(audit, on)
            good = lead is not False
            evidence = [f"{NO_LETTER}: {audit.left_out(unit) or ONLY_RCPT}"]
            (unclear if lead is None else evidence).append(said)
        elif len(written_to) < len(groups[unit.id]):
            evidence = [
                f"{len(groups[unit.id]) - len(written_to)} nhóm không gửi thư / groups get no letter: {ONLY_RCPT}"
            ]
        for address in groups[unit.id]:
            closed = address in audit.mail.permissions.closed
            reply = replies[address]
            if reply.for_now or (closed and reply.code != ACCEPTED and reply.code < FOR_GOOD):
                unclear.append(f"{address}: {UNSETTLED}: {reply.code} {reply.text[:200]}")
            else:
                good &= (reply.code != ACCEPTED) == closed
            kind = "nhóm đóng / closed" if closed else "nhóm mở / open"
            evidence.append(f"{FROM_OUTSIDE}: RCPT {address} ({kind}): {reply.code} {reply.text[:100]}")
        for address in written_to:
            fine, said = _reaches_its_members(audit, sent[address], logged_of, copies)
            good &= fine is not False
            (unclear if fine is None else evidence).append(said)
        with undecided.of(unit):
            if good and unclear:
                raise AuditError("; ".join(unclear))
            record(unit.id, "C37-5.3", "pass" if good else "fail", [*evidence, *unclear])
    undecided.tell()


def _reaches_its_members(
    audit: Audit, letter: Letter, logged_of: Mapping[str, Iterable[Mapping[str, str]]] | AuditError, copies: str
) -> Seen:
    """Whether a letter to a group was found with exactly its members, and was sent to nobody else.

    None: it is lost with none and was sent to nobody else, as far as anybody can tell.
    """
    expected = audit.mail.groups.mailboxes(letter.recipient)
    where = letter.among(expected)
    logged = [] if isinstance(logged_of, AuditError) else logged_of[letter.message_id]
    unclear = [*where.unclear, *([str(logged_of)] if isinstance(logged_of, AuditError) else [])]
    to_all = {row["to"] for row in logged if not row["to"].endswith(copies)}
    recipients = {mailbox for to in to_all for mailbox in audit.mail.behind(to)}
    said = (
        f"{letter.recipient} (IMAP): {len(where.found)}/{len(expected)} thành viên có thư / members have it;"
        f" {LOST}: {where.lacking or 0};"
        f" mở ra {len(recipients)} người nhận / expanded to {len(recipients)} recipients;"
        f" thừa / surplus: {', '.join(sorted(recipients - expected)) or 0}"
    )
    if where.lost or recipients - expected:
        return False, said
    if not unclear and recipients != expected:  # all have it: it is the log that does not tell of all yet
        unclear.append(f"{said}; nhật ký chưa đủ / the log is not whole")
    return (None, "; ".join(unclear)) if unclear else (True, said)


@pytest.mark.requirement("C37-5.2.1", "C37-5.2.2")
def test_the_addresses_that_the_ministry_is_told_of_are_in_use(audit: Audit, on: str, record: Record) -> None:
    """The host's half: which addresses they are, who holds them, and that mail is taken; the letter is on paper."""
    accounts = opened(audit, on).accounts
    ministry = audit.province.settings.ministry
    undecided = Undecided()
    for unit in _departments(audit, on):
        addresses = [ministry.director, ministry.clerk] if ministry else []
        replies = audit.exchangers.rcpts(addresses)
        evidence = [] if ministry else [NO_LISTS]
        for address in addresses:
            theirs = [account for account in accounts[unit.id] if account["address"] == address]
            holders = [holder for account in theirs for holder in account["holders"]]
            evidence.append(
                f"{address}: {replies[address].code} ở RCPT / at RCPT;"
                f" người giữ theo tài khoản trên máy chủ / held, by the host's accounts, by: {', '.join(holders) or 0}"
            )
        refused = refusals(addresses, replies, addresses)
        with undecided.of(unit):
            if not refused:
                all_settled(addresses, replies)
            evidence.append(
                "công văn đăng ký hai địa chỉ này phải có người xác nhận"
                " / the letter that registers these addresses has to be attested"
            )
            for requirement in ("C37-5.2.1", "C37-5.2.2"):
                record(unit.id, requirement, "fail" if refused else "not-tested", evidence)
    undecided.tell()


@pytest.mark.requirement("C37-5.2.3")
def test_the_addresses_on_the_ministry_s_lists_receive(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    ministry = audit.province.settings.ministry
    undecided = Undecided()
    for unit in _departments(audit, on):
        if ministry is None:
            record(unit.id, "C37-5.2.3", "not-tested", [NO_LISTS])
            continue
        evidence, good, unclear = [], True, []
        for address in (ministry.director, ministry.clerk):
            letter = post(audit, on, "C37-5.2.3").letter(address)
            where = letter.among([address])
            good &= where.everywhere is not False
            unclear += where.unclear
            if where.everywhere is not None:
                said = ARRIVED if where.everywhere else LOST
                evidence.append(f"{FROM_OUTSIDE} → {address}: {letter.reply[:80]}; IMAP: {said}")
        with undecided.of(unit):
            if good and unclear:
                raise AuditError("; ".join(unclear))
            record(unit.id, "C37-5.2.3", "pass" if good else "fail", [*evidence, *unclear])
    undecided.tell()


@pytest.mark.requirement("C37-5.1")
def test_mail_of_the_ministry_s_lists_is_taken(audit: Audit, on: str, record: Record) -> None:
    """A stranger can't write as the Ministry; what the Ministry itself sent is in the gateway's log."""
    opened(audit, on)
    ministry = audit.province.settings.ministry
    undecided = Undecided()
    for unit in _departments(audit, on):
        if ministry is None:
            record(unit.id, "C37-5.1", "not-tested", [NO_LISTS])
            continue
        evidence, replies = [], dict[str, Reply]()
        pairs = ((ministry.director_list, ministry.director), (ministry.clerk_list, ministry.clerk))
        for sender, recipient in pairs:
            dialogue = f"MAIL FROM:<{sender}> RCPT TO:<{recipient}>"
            reply = replies[dialogue] = audit.exchangers.rcpts([recipient], sender)[recipient]
            evidence.append(f"{dialogue}: {reply.code} {reply.text[:100]}")
        refused = refusals(replies, replies)
        with undecided.of(unit):
            try:
                seen = opened(audit, audit.mail.gateway.name).ask(
                    "received", {"senders": [sender for sender, _ in pairs], "days": LOG_DAYS}
                )
            except AuditError as error:
                if not refused:
                    raise
                record(unit.id, "C37-5.1", "fail", [*evidence, str(error)])
                continue
            evidence += [f"nhật ký / log: {row['from']} → {row['to']}: {row['status']}" for row in seen]
            if refused or any(row["status"] not in ("sent", "deferred") for row in seen):
                record(unit.id, "C37-5.1", "fail", evidence)
                continue
            all_settled(replies, replies)
            if any(row["status"] == "deferred" for row in seen):
                evidence.append("thư của Bộ còn trên đường / a letter of the Ministry is still under way")
            elif not seen:
                evidence.append(
                    f"nhật ký {LOG_DAYS} ngày của cổng thư không có thư nào của hai nhóm này"
                    f" / no mail of these lists in the gateway's log of {LOG_DAYS} days"
                )
            whole = seen and all(row["status"] == "sent" for row in seen)
            record(unit.id, "C37-5.1", "pass" if whole else "not-tested", evidence)
    undecided.tell()


def _departments(audit: Audit, on: str) -> list[Unit]:
    return [unit for unit in audit.units(on) if audit.province.kinds[unit.kind].binds == "sở"]
