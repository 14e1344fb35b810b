"""Article 4: mail as a channel of work, the published address, mailboxes for people and sections."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from edumail.circular.verdicts import Verdict
from edumail.model import Unit
from tests.circular.audit import NOT_UNDER_AUDIT, Audit, AuditError, HostAudit
from tests.circular.conftest import Answers, Record, drawn, each_unit
from tests.circular.dialogues import Seen, for_good, seen_at
from tests.circular.exchangers import ACCEPTED, FOR_GOOD, WAIT_SECONDS, Reply
from tests.circular.host import facts_of
from tests.circular.letters import (
    AMONG_OURS,
    ARRIVED,
    FROM_OUTSIDE,
    LOST,
    PUT_OFF,
    Letter,
    behind,
    may_leave,
    officers,
    partners,
    post,
    put_off,
)
from tests.circular.mailed import REFUSED, Undecided, all_settled, no_room, refusals
from tests.circular.network import Network
from tests.circular.portal import home, home_of

THEIR_MAILBOX = re.compile(r"said: 5[0-9]{2}[ -]5\.(?:1\.[1236]|2\.[0-9])")
"""In a bounce: it is the auditor's own address outside that is unknown, closed or full (RFC 3463)."""
SHOWN = 20
"""How many surplus mailboxes are named, which count against each unit of the host if none has them; and units below."""
SUSPENDED = (
    "bị tạm khóa nên không có hộp thư dùng được; cần xem người ấy còn làm việc không, rồi cấp mã mới hoặc bỏ tên"
    " / suspended, so without a mailbox to use; somebody has to see whether they still serve, and then issue a new code"
    " or take them off the roster"
)
NO_SIGN_IN = (
    "không thử đăng nhập bằng mật khẩu của ai; thư được viết ngay trên máy chủ"
    " / a sign-in with a person's password was not tried; letters were written on the host"
)
WORKING_DAY = 24
"""Hours of the calendar in a working day: the circular says daily, and that this is a working day is our reading."""
DAILY = " (một ngày làm việc, cách hiểu «hằng ngày» của bộ thử / a working day, this suite's reading of 'daily')"
NO_LETTER = "không gửi thư / no letter"
OPENED_LAST = (
    "một người giữ mở hộp lần cuối (hoặc từ khi có ghi), không tính vào kết luận"
    " / opened last by a holder (or since when that is noted), no part of the verdict"
)


def opened(audit: Audit, on: str) -> HostAudit:
    """The audit on a host; a host that can't be reached leaves its questions open (:class:`Opened`)."""
    return audit.hosts[on]


@pytest.mark.requirement("C37-4.2.1", "C37-4.2.2")
@each_unit(home)
def test_the_public_address_is_on_the_page(of_pages: Answers, record: Record) -> None:
    for unit, page in of_pages:
        verdict: Verdict = "pass" if unit.public_address in page.mailto else "fail"
        evidence = [f"inventory: public_address {unit.public_address}", page.published]
        record(unit.id, "C37-4.2.1", verdict, evidence)
        record(unit.id, "C37-4.2.2", verdict, [page.published])


@pytest.mark.requirement("C37-4.2.3")
def test_mail_from_outside_reaches_the_mailbox_behind_the_page(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    letters = post(audit, on, "C37-4.2.3")
    judged: list[tuple[Unit, bool, list[str]]] = []
    undecided = Undecided()
    for unit in audit.units(on):
        with undecided.of(unit):
            page = home_of(audit, unit)
            found, seen = page.mailto, page.published
            if not found:
                record(unit.id, "C37-4.2.3", "fail", [seen])
                continue
            letter = letters.letter(found[0])
            if not letter.exchanger and not letter.unsent:
                record(unit.id, "C37-4.2.3", "fail", [seen, letter.reply])
                continue
            evidence = [seen, f"MX {letter.exchanger}: {letter.reply[:120]}"]
            reached = behind(audit, found[0])
            if not reached:
                evidence.append(f"{found[0]}: không phải địa chỉ của tỉnh này / no address of this province")
                record(unit.id, "C37-4.2.3", "fail", evidence)
                continue
            shared = found[0] in {box.address for box, _ in audit.mail.units.shared(unit)}
            where = letter.among(reached)
            if shared and where.everywhere is None:
                raise AuditError("; ".join(where.unclear))
            evidence += [f"<{letter.message_id}> IMAP: {where.said}", *where.unclear]
            if not shared:
                evidence.append(
                    f"{found[0]}: KHÔNG phải hộp thư chung của đơn vị, không ai được khai là người giữ"
                    " / NO shared mailbox of the unit, nobody is said to hold it"
                )
            judged.append((unit, bool(shared and where.everywhere and found[0] in where.found), evidence))
    asked = [unit for unit, good, _ in judged if good and not audit.left_out(unit)]
    open_to = _open_to_holders(audit, on, [(unit, {home_of(audit, unit).mailto[0]}) for unit in asked])
    for unit, good, evidence in judged:
        with undecided.of(unit):
            fine, said = open_to.get(unit.id, (good, []))
            if good and audit.left_out(unit):
                fine, said = _held(audit, on, unit, home_of(audit, unit).mailto[0])
            if fine is None:
                raise AuditError("; ".join(said))
            record(unit.id, "C37-4.2.3", "pass" if fine else "fail", [*evidence, *said])
    undecided.tell()


def _held(audit: Audit, on: str, unit: Unit, address: str) -> tuple[bool, list[str]]:
    """Whether the host's accounts give the shared mailbox to those who hold it: Dovecot asks them who may open it."""
    held = {account["address"]: set(account["holders"]) for account in audit.hosts[on].accounts[unit.id]}
    wanted = [
        {person.address for person in holders}
        for box, holders in audit.mail.units.shared(unit)
        if box.address == address
    ]
    good = bool(wanted) and all(people and held.get(address) == people for people in wanted)
    holders = held.get(address, set())
    said = (
        f"{address}: {len(holders)} người giữ theo tài khoản trên máy chủ,"
        f" {'đúng' if good else 'KHÔNG đúng'} như inventory"
        f" / {len(holders)} holders by the host's accounts, {'those' if good else 'NOT those'} of the inventory;"
        f" {_activated(audit.hosts[on].accounts[unit.id], holders)}"
    )
    return good, [said]


def _activated(accounts: Iterable[Mapping[str, Any]], holders: Collection[str]) -> str:
    """How many of a unit's people have begun, as a part of a line of evidence: the others can't sign in yet."""
    active = {account["address"] for account in accounts if account["state"] == "active"}
    return f"{len(active.intersection(holders))}/{len(holders)} người giữ đã kích hoạt / holders have activated"


@pytest.mark.requirement("C37-4.1")
def test_units_exchange_mail_with_each_other_and_with_the_outside(audit: Audit, on: str, record: Record) -> None:
    here = opened(audit, on)
    letters = post(audit, on, "C37-4.1")
    sound, doors = _submission_doors(audit, here)
    asked = {unit.id for unit in drawn(audit, audit.units(on), record, "C37-4.1")}
    abroad = [unit for unit in audit.units(on) if unit.id in asked and audit.outside and may_leave(audit, unit)]
    left, untold = _left_the_province(
        audit, [letters.letter(audit.outside or "", unit.public_address) for unit in abroad]
    )
    undecided = Undecided()
    for unit, other in partners(audit, on):
        if unit.id not in asked:
            continue
        evidence, unclear = ([], [doors]) if sound is None else ([doors], [])
        good = sound is not False
        if other is unit and len(audit.province.units) > 1:  # what a unit writes to itself is no exchange
            unclear.append(f"{NOT_UNDER_AUDIT}: mọi đơn vị khác / all other units")
        for sender, recipient in ((other, unit), (unit, other)):
            letter = letters.letter(recipient.public_address, sender.public_address)
            where = letter.among(letter.mailboxes)
            good &= where.everywhere is not False
            unclear += where.unclear
            if where.everywhere is not None:
                evidence.append(f"{letter.sender} → {letter.recipient}: {ARRIVED if where.everywhere else LOST} (IMAP)")
        verdict: Verdict = "pass"
        if not may_leave(audit, unit):
            evidence.append(
                "external_sending: chính sách của đơn vị giữ thư trong tỉnh"
                " / the unit's own policy keeps its mail within the province"
            )
        elif audit.outside is None:
            verdict = "not-tested"
            evidence.append(
                "--outside: cho một địa chỉ của chính bạn ở ngoài tỉnh để thử thư ra Internet"
                " / give an address of your own outside the province to test mail to the Internet"
            )
        elif unit.public_address not in left:
            unclear.append(letters.letter(audit.outside, unit.public_address).unsent or untold)
        else:
            delivered, said = left[unit.public_address]
            good &= delivered is not False
            verdict = "not-tested" if delivered is None else "pass"
            evidence.append(said)
        with undecided.of(unit):
            if good and unclear:
                raise AuditError("; ".join(unclear))
            record(unit.id, "C37-4.1", verdict if good else "fail", [*evidence, *unclear, NO_SIGN_IN])
    undecided.tell()


def _submission_doors(audit: Audit, here: HostAudit) -> Seen:
    """Whether submission offers sign-in after TLS and takes nothing without it, and what was seen."""
    door = f"{here.fqdn}:587"
    return seen_at(audit, {door: partial(_submission, audit.network, here.fqdn)})[door]


def _submission(network: Network, host: str) -> Seen:
    with network.smtp(host, 587) as client:
        client.starttls(context=network.context())
        client.ehlo()
        offered = client.has_extn("auth")
        client.mail(f"someone@{host}")
        code = for_good(client.rcpt(f"someone@{host}"))
    good = offered and code >= FOR_GOOD
    return good, (
        f"{host}:587 STARTTLS, AUTH {'có / offered' if offered else 'KHÔNG có / NOT offered'};"
        f" RCPT khi chưa đăng nhập / without sign-in: {code}; {'đạt / good' if good else 'KHÔNG đạt / bad'}"
    )


def _left_the_province(audit: Audit, letters: Sequence[Letter]) -> tuple[dict[str, Seen], str]:
    """By sender whether a host outside took the letter, by the reply that our gateway logged; one wait for all.

    None: nobody can tell yet, or it is the auditor's own mailbox outside that does not take it. And why a host does not
    tell of the others: that hides none that has ended, no letter between our hosts, nor an open door.
    """
    found: dict[str, Seen] = {}
    waiting = {letter.message_id: letter for letter in letters if not letter.unsent}
    seen: set[str] = set()
    end = time.monotonic() + WAIT_SECONDS
    try:
        gateway = opened(audit, audit.mail.gateway.name) if waiting else None
        while waiting and gateway:
            late = time.monotonic() > end
            for message_id, logged in gateway.trace(waiting.keys()).items():
                letter = waiting[message_id]
                rows = [row for row in logged if row["to"] == letter.recipient]
                said = "; ".join(f"{row['status']} {row['relay']}: {row['reply'][:80]}" for row in rows)
                said = said or "nhật ký chưa ghi lần phát nào / no delivery logged yet"
                left = _left(rows)
                seen |= {message_id} if rows else set()
                found[letter.sender] = left, f"→ {letter.recipient}: {said}"
                if left or (rows and rows[-1]["status"] == "bounced"):
                    del waiting[message_id]
            if late:
                break
            if waiting:
                time.sleep(1)
    except AuditError as error:  # what has not ended may yet have changed
        return {sender: said for sender, said in found.items() if sender not in _senders(waiting)}, str(error)
    return _held_back(audit, found, {name: letter for name, letter in waiting.items() if name not in seen})


def _senders(letters: Mapping[str, Letter]) -> set[str]:
    return {letter.sender for letter in letters.values()}


def _held_back(audit: Audit, found: dict[str, Seen], letters: Mapping[str, Letter]) -> tuple[dict[str, Seen], str]:
    """As :func:`_left_the_province`; of ``letters``, which the gateway has not seen, by what their own host logged."""
    by_host: dict[str, list[str]] = defaultdict(list)
    for message_id, letter in letters.items():
        by_host[audit.mail.home[letter.sender]].append(message_id)
    untold = ""
    for host in sorted(by_host.keys() - {audit.mail.gateway.name}):
        try:
            traced = opened(audit, host).trace(by_host[host])
        except AuditError as error:
            untold = str(error)
            for message_id in by_host[host]:
                found.pop(letters[message_id].sender, None)
            continue
        for message_id, logged in traced.items():
            letter = letters[message_id]
            last = [row for row in logged if row["to"] == letter.recipient][-1:]
            if last and last[0]["status"] != "sent":
                said = f"{last[0]['status']} {last[0]['relay']}: {last[0]['reply'][:80]}"
                found[letter.sender] = _left(last, AMONG_OURS), f"{host} → {letter.recipient}: {said}"
    return found, untold


def _left(rows: Sequence[dict[str, str]], words: re.Pattern[str] = PUT_OFF) -> bool | None:
    """Whether the next host took a letter, by what was logged of it; None: that says nothing about the province."""
    if any(row["status"] == "sent" for row in rows):
        return True
    if not rows or put_off(rows, words) or THEIR_MAILBOX.search(rows[-1]["reply"]):
        return None
    return False


@pytest.mark.requirement("C37-4.3.1")
def test_everybody_on_the_roster_has_a_mailbox_and_nobody_else(audit: Audit, on: str, record: Record) -> None:
    here = opened(audit, on)
    known = set(here.facts["dovecot_users"])
    people = audit.mail.units.people
    asked = [unit for unit in audit.units(on) if not audit.left_out(unit)]
    replies = audit.exchangers.rcpts(person.address for unit in asked for person in people[unit.id])
    nobodys = _nobodys(audit, on)
    undecided = Undecided()
    for unit in audit.units(on):
        roster = {person.address for person in people[unit.id]}
        usable = {a["address"]: a for a in here.accounts[unit.id] if a["state"] in ("waiting", "active")}
        accounts = {address for address, a in usable.items() if a["person"]}
        missing, surplus = sorted(roster - accounts), sorted(nobodys[unit.id])
        unserved = sorted(roster - known)
        waits = {address: usable[address].get("waits") for address in sorted(roster & accounts)}
        number = Counter(waits.values())
        suspended = [address for address, why in waits.items() if why == "suspended"]
        evidence = [
            f"danh sách nhân sự {len(roster)} người, {len(accounts)} tài khoản / roster {len(roster)},"
            f" accounts {len(accounts)}; {number[None]} đã kích hoạt / activated; chờ chủ nhân kích hoạt / waiting for"
            f" their owner: {number['code']} còn mã / with a code, {number['ended']} mã hết hiệu lực / with one that"
            f" has ended, {number['none']} chưa có mã / without; {len(suspended)} bị tạm khóa / suspended",
            f"thiếu / missing: {', '.join(missing) or 0};"
            f" thừa, kể cả hộp thư không của ai / surplus, nobody's mailboxes too: {', '.join(surplus[:SHOWN]) or 0}"
            f"{f' … ({len(surplus)})' if len(surplus) > SHOWN else ''}",
            f"Dovecot đang chạy không biết / unknown to the running Dovecot: {', '.join(unserved) or 0}",
        ]
        bad = missing or surplus or unserved
        if left_out := audit.left_out(unit):
            fine, said = tables_lead(audit, on)
            bad = bad or fine is False
            evidence += [f"không hỏi MX / not asked at the MX: {left_out}", said]
        else:
            refused = [address for address in refusals(sorted(roster), replies, roster) if address in roster]
            bad = bad or refused
            evidence.append(f"MX từ chối / refused at the MX: {', '.join(refused) or 0}")
            evidence += no_room(roster, replies)
        with undecided.of(unit):
            if left_out and not bad and fine is None:
                raise AuditError(said)
            if not left_out and not bad:
                _all_asked(sorted(roster), replies)
            if suspended:
                evidence.append(f"{SUSPENDED}: {', '.join(suspended)}")
            record(unit.id, "C37-4.3.1", "fail" if bad else "not-tested" if suspended else "pass", evidence)
    undecided.tell()


def _nobodys(audit: Audit, on: str) -> dict[str, set[str]]:
    """By unit the mailboxes of the host, as its accounts and the running Dovecot have them, that nobody asks for.

    Neither somebody of the unit has such a mailbox by the roster, nor is it one that the unit's people share. One of a
    unit that the host does not have counts against those that have its domain, and if there are none, against all. So
    does any at all on a gateway that has no units' mailboxes: it would let in who is somebody else there.
    """
    units, here = audit.units(on), opened(audit, on)
    people = {(unit.id, person.address) for unit in units for person in audit.mail.units.people[unit.id]}
    shared = {(unit.id, box.address) for unit in units for box, _ in audit.mail.units.shared(unit)}
    found = [
        (of, account["address"])
        for of, accounts in here.accounts.items()
        for account in accounts
        if (account["state"] in ("waiting", "active") and (of, account["address"]) not in people)
        or (account["state"] == "shared" and (of, account["address"]) not in shared)
    ]
    asked_for = {address for _, address in people | shared}
    served = set(here.facts["dovecot_users"]) - asked_for - {address for _, address in found}
    nobodys: dict[str, set[str]] = {unit.id: set() for unit in units}
    for of, address in [*found, *(("", address) for address in served)]:
        for unit in _blamed(units, of, address):
            nobodys[unit].add(address)
    gateway = audit.mail.gateway.name
    if not audit.units(gateway):
        for of, address in _all_of(opened(audit, gateway)):
            for unit in _blamed(audit.province.units.values(), of, address):
                if unit in nobodys:
                    nobodys[unit].add(address)
    return nobodys


def _blamed(units: Collection[Unit], of: str, address: str) -> list[str]:
    """Whose a mailbox is that nobody asks for: of the unit that it names, or that has its domain, or of all."""
    domain = address.rpartition("@")[2].lower()
    named = [unit.id for unit in units if unit.id == of]
    return named or [unit.id for unit in units if unit.domain == domain] or [unit.id for unit in units]


def _all_of(host: HostAudit) -> list[tuple[str, str]]:
    """Unit, where one is named, and address of all that can be signed in to, or gets mail, on a host."""
    states = ("waiting", "active", "shared")
    named = {
        account["address"]: of
        for of, accounts in host.accounts.items()
        for account in accounts
        if account["state"] in states
    }
    return [(named.get(address, ""), address) for address in sorted({*named, *host.facts["dovecot_users"]})]


def _all_asked(addresses: Iterable[str], replies: Mapping[str, Reply]) -> None:
    """Raises AuditError where an exchanger could not be asked about somebody, or refuses them only for now."""
    addresses = list(addresses)
    for address in addresses:
        if not replies[address].code:
            raise AuditError(f"{address.partition('@')[2]}: {replies[address].text}")
    all_settled(addresses, replies)


def tables_lead(audit: Audit, on: str) -> tuple[bool | None, str]:
    """Whether addresses lead where the inventory says, by the host's live tables: for units that get no letters.

    None: nobody can tell, for the reason that is given.
    """
    try:
        differing = facts_of(audit, on).differing("postfix")
    except AuditError as error:
        return None, str(error)
    if not differing:
        same = (
            "bảng Postfix đang chạy đúng đến từng byte như bản mã này dựng ra"
            " / Postfix's live tables are to the byte those that this checkout compiles"
        )
        return True, f"{on}: {same}"
    other = (
        "bảng Postfix đang chạy khác bản mã này dựng ra"
        " / Postfix's live tables are not those that this checkout compiles"
    )
    return False, f"{on}: {other}: {'; '.join(differing[:3])}"


def _open_to_holders(
    audit: Audit, on: str, wanted: Sequence[tuple[Unit, set[str]]]
) -> dict[str, tuple[bool | None, list[str]]]:
    """By unit whether these shared mailboxes of its are each seen by those who hold it, and by nobody else of it.

    None: the host does not tell.
    """
    shared = {
        unit.id: [(box.address, holders) for box, holders in audit.mail.units.shared(unit) if box.address in addresses]
        for unit, addresses in wanted
    }
    people = {unit.id: [person.address for person in audit.mail.units.people[unit.id]] for unit, _ in wanted}
    asked = {address: people[unit] for unit, boxes in shared.items() for address, _ in boxes}
    try:
        seers, accounts = audit.hosts[on].seers(asked), audit.hosts[on].accounts
    except AuditError as error:
        return {unit.id: (None, [str(error)]) for unit, _ in wanted}
    found: dict[str, tuple[bool | None, list[str]]] = {}
    for unit, boxes in shared.items():
        good, evidence = True, []
        for address, holders in boxes:
            held = {person.address for person in holders}
            good &= bool(held) and seers[address] == held
            evidence.append(
                f"{address}: {len(seers[address])} người của đơn vị thấy, {len(held)} người giữ"
                f" / seen by {len(seers[address])} of the unit's people, held by {len(held)};"
                f" {_activated(accounts[unit], held)}"
            )
        found[unit] = good, evidence
    return found


@pytest.mark.requirement("C37-4.5")
def test_postmaster_and_abuse_reach_the_officer_in_charge(audit: Audit, on: str, record: Record) -> None:
    """The delivering half; that the head has named the officer is a decision on paper, which no host can show."""
    opened(audit, on)
    letters = post(audit, on, "C37-4.5")
    replies = audit.exchangers.rcpts(a for unit in audit.units(on) if audit.left_out(unit) for a in officers(unit))
    undecided = Undecided()
    for unit in audit.units(on):
        with undecided.of(unit):
            if left_out := audit.left_out(unit):
                lead, said = tables_lead(audit, on)
                refused = refusals(officers(unit), replies)
                good = lead is not False and not refused
                evidence = [f"{NO_LETTER}: {left_out}", f"{REFUSED}: {', '.join(refused) or 0}", said]
                if good:
                    if lead is None:
                        raise AuditError(said)
                    all_settled(officers(unit), replies)
            else:
                good, evidence = _reaches_the_officer(audit, [letters.letter(address) for address in officers(unit)])
            evidence += _officer_of(audit, unit)
            record(unit.id, "C37-4.5", "not-tested" if good else "fail", evidence)
    undecided.tell()


def _officer_of(audit: Audit, unit: Unit) -> list[str]:
    """Where the domain is another unit's: that its names are not this unit's officer's, and who that officer is."""
    owner = audit.mail.groups.all[officers(unit)[0]].unit
    officer = audit.mail.units.officer(unit)
    if owner == unit.id or officer is None:
        return []
    return [
        f"{unit.domain} là tên miền dùng chung, postmaster@ và abuse@ tới cán bộ đầu mối của {owner}"
        f" / a shared domain, its postmaster@ and abuse@ reach the officer of {owner};"
        f" cán bộ đầu mối của {unit.id} theo inventory / the officer of {unit.id} by the inventory: {officer.address}"
    ]


def _reaches_the_officer(audit: Audit, letters: Iterable[Letter]) -> tuple[bool, list[str]]:
    """Whether all of the letters arrived, and what was seen. Raises AuditError where none is lost and one is open."""
    evidence, good, unclear = [], True, []
    for letter in letters:
        where = letter.among(audit.mail.groups.mailboxes(letter.recipient))
        good &= where.everywhere is not False
        unclear += where.unclear
        evidence.append(f"{FROM_OUTSIDE} → {letter.recipient}: {letter.reply[:60]}; IMAP: {where.said}")
    if good and unclear:
        raise AuditError("; ".join(unclear))
    evidence += unclear
    evidence.append(
        "quyết định phân công cán bộ đầu mối phải có người xác nhận"
        " / the decision that names the officer has to be attested"
    )
    return good, evidence


@pytest.mark.requirement("C37-4.3.3")
def test_each_section_has_an_address_that_reaches_its_people(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    letters = post(audit, on, "C37-4.3.3")
    units = [unit for unit in audit.units(on) if unit.sections]
    asked = [unit for unit in units if not audit.left_out(unit)]
    open_to = _open_to_holders(audit, on, [(unit, {s.address for s in unit.sections}) for unit in asked])
    replies = audit.exchangers.rcpts(s.address for unit in units if audit.left_out(unit) for s in unit.sections)
    undecided = Undecided()
    for unit in audit.units(on):
        if not unit.sections:
            why = (
                "inventory không khai bộ phận nào; việc đơn vị không có bộ phận phải có người xác nhận"
                " / the inventory names no internal section; that the unit has none has to be attested"
            )
            record(unit.id, "C37-4.3.3", "not-tested", [why])
            continue
        if left_out := audit.left_out(unit):
            lead, said = tables_lead(audit, on)
            open_ones = [s.address for s in unit.sections if s.address not in audit.mail.permissions.closed]
            refused = refusals(open_ones, replies)
            accepted = f"{len(open_ones)} địa chỉ mở cho mọi người / addresses open to all"
            evidence = [f"{NO_LETTER}: {left_out}", f"{accepted}; {REFUSED}: {', '.join(refused) or 0}", said]
            with undecided.of(unit):
                held = [_held(audit, on, unit, s.address) for s in unit.sections if s.holders]
                good = lead is not False and not refused and all(fine for fine, _ in held)
                if good:
                    if lead is None:
                        raise AuditError(said)
                    all_settled(open_ones, replies)
                evidence += [line for _, lines in held for line in lines]
                record(unit.id, "C37-4.3.3", "pass" if good else "fail", evidence)
            continue
        fine, said = open_to[unit.id]
        evidence, unclear = ([], [*said]) if fine is None else ([*said], [])
        good = fine is not False
        for section in unit.sections:
            expected = audit.mail.groups.mailboxes(section.address)
            where = letters.letter(section.address, unit.public_address).among(expected)
            good &= where.everywhere is not False
            unclear += where.unclear
            evidence.append(
                f"{section.address} (IMAP): {len(where.found)}/{len(expected)} hộp thư có thư / mailboxes have it;"
                f" {LOST}: {where.lacking or 0}"
            )
        with undecided.of(unit):
            if good and unclear:
                raise AuditError("; ".join(unclear))
            record(unit.id, "C37-4.3.3", "pass" if good else "fail", [*evidence, *unclear])
    undecided.tell()


@pytest.mark.requirement("C37-4.4d")
def test_accounts_of_people_and_of_the_unit_are_protected(audit: Audit, on: str, record: Record) -> None:
    """The host's half: rules for passwords, none shared, and unit accounts with holders. The text is on paper."""
    accounts = opened(audit, on).accounts
    for unit in audit.units(on):
        policies = audit.mail.units.policies(unit)
        rule = [policies.password_min_characters, policies.password_character_classes]
        theirs = accounts[unit.id]
        personal = [a for a in theirs if a["state"] in ("waiting", "active")]
        shared = [a for a in theirs if a["state"] == "shared"]
        loose = sorted(a["address"] for a in personal if a["rule"] != rule)
        alike = sorted(a["address"] for a in theirs if a["alike"])
        signed = sorted(a["address"] for a in shared if a["scheme"])
        unheld = sorted(a["address"] for a in shared if not a["holders"])
        evidence = [
            f"{len(personal)} tài khoản cá nhân, mật khẩu mới ít nhất {rule[0]} ký tự thuộc {rule[1]} loại"
            f" / accounts of people, new passwords of {rule[0]} characters, {rule[1]} classes;"
            f" quy tắc khác trên máy chủ / another rule on the host: {', '.join(loose) or 0}",
            f"cùng giá trị băm với tài khoản khác / the same password hash as another account: {', '.join(alike) or 0}",
            f"{len(shared)} tài khoản của đơn vị / accounts of the unit;"
            f" có mật khẩu riêng / with a password of their own: {', '.join(signed) or 0};"
            f" không có người giữ / without a holder: {', '.join(unheld) or 0}",
            "quy chế nêu các trách nhiệm này phải có người xác nhận"
            " / the regulation that sets these duties has to be attested",
        ]
        good = personal and shared and not (loose or alike or signed or unheld)
        record(unit.id, "C37-4.4d", "not-tested" if good else "fail", evidence)


@pytest.mark.requirement("C37-4.3.4")
def test_units_below_have_mail(audit: Audit, on: str, record: Record) -> None:
    """Each unit under this one has an address that its exchanger takes mail for: the inventory gives each one."""
    under = {
        unit.id: [lower for lower in audit.mail.units.below(unit.id) if lower.id != unit.id] for unit in audit.units(on)
    }
    replies = audit.exchangers.rcpts(lower.public_address for below in under.values() for lower in below)
    undecided = Undecided()
    for unit in audit.units(on):
        below = under[unit.id]
        if not below:
            why = "không có đơn vị trực thuộc / no unit stands under this one"
            record(unit.id, "C37-4.3.4", "not-applicable", [why])
            continue
        addresses = [lower.public_address for lower in below]
        without = [
            lower.id
            for lower in below
            if replies[lower.public_address].code != ACCEPTED and not replies[lower.public_address].for_now
        ]
        evidence = [
            f"{len(below)} đơn vị trực thuộc / units below;"
            f" chưa có thư, địa chỉ không được nhận ở RCPT / without mail, their addresses not accepted at RCPT:"
            f" {', '.join(without[:SHOWN]) or 0}{f' … ({len(without)})' if len(without) > SHOWN else ''}"
        ]
        with undecided.of(unit):
            if not without:
                all_settled(addresses, replies)
            record(unit.id, "C37-4.3.4", "fail" if without else "pass", evidence)
    undecided.tell()


@pytest.mark.requirement("C37-4.4c.2")
def test_official_mailboxes_are_looked_into_every_day(audit: Audit, on: str, record: Record) -> None:
    """The host's half: no letter lies longer than a working day, or the unit's own shorter limit; a timer reminds."""
    boxes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for box in opened(audit, on).ask("unopened"):
        boxes[box["unit"]].append(box)
    timer, untold = "?", ""
    try:
        timer = facts_of(audit, on).seen["timers"]["edumail-accounts"]
    except AuditError as error:  # which hides no letter that lies too long
        untold = str(error)
    undecided = Undecided()
    for unit in audit.units(on):
        limit = audit.mail.units.policies(unit).official_mailbox_check_hours
        most = min(limit or WORKING_DAY, WORKING_DAY)
        theirs = boxes[unit.id]
        late = ", ".join(box["address"] for box in theirs if box["hours"] > most)
        evidence = [
            f"official_mailbox_check_hours: {limit or '–'} giờ làm việc, do đơn vị đặt / working hours, the unit's own;"
            f" xét theo / judged with: {most}{DAILY if most == WORKING_DAY else ''}; quá hạn / late: {late or 0}"
        ]
        for box in theirs:
            last = "chưa ghi / not noted yet" if box["days"] is None else f"{box['days']} ngày trước / days ago"
            evidence += [
                f"{box['address']}: thư cũ nhất chưa người giữ nào đọc / the oldest letter that no holder has read:"
                f" {box['hours']} giờ làm việc / working hours",
                f"{box['address']}: {OPENED_LAST}: {last}",
            ]
        evidence += [
            f"{on}: edumail-accounts.timer (nhắc người giữ rồi thủ trưởng / reminds holders, then the head): {timer}",
            "quy tắc kiểm tra thư hằng ngày trong quy chế phải có người xác nhận"
            " / the rule of daily checking in the regulation has to be attested",
        ]
        with undecided.of(unit):
            looked_into = theirs and limit and not late
            if looked_into and untold:
                raise AuditError(untold)
            record(unit.id, "C37-4.4c.2", "not-tested" if looked_into and timer == "active" else "fail", evidence)
    undecided.tell()
