"""Answers of pages in which mail has a say too: a page is read by any process, letters are sent by one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from edumail.circular.verdicts import Verdict
from edumail.model import Unit
from tests.circular.audit import Audit, AuditError
from tests.circular.exchangers import ACCEPTED, Reply
from tests.circular.letters import ARRIVED, FROM_OUTSIDE, LOST, UNSETTLED, post
from tests.circular.network import Confined
from tests.circular.portal import Answer

REFUSED = "bị từ chối ở RCPT / refused at RCPT"
FULL = re.compile(r"\b5[0-9]{2} 5\.2\.2\b")
"""What our hosts say of a mailbox that has no room (RFC 3463), also where the gateway repeats it."""
T = TypeVar("T")


@dataclass(frozen=True)
class Mailed:
    """What pages answer where mail has a say too: the rest is asked by whoever may send letters (:func:`finished`)."""

    verdict: Verdict
    evidence: list[str]
    rcpt: tuple[str, ...] = ()
    """Addresses that their exchangers have to accept at RCPT."""
    letter: str = ""
    """The address that a letter from outside has to reach."""


class Undecided:
    """What nobody could tell of one unit keeps no other from being judged: it is raised after all have been."""

    def __init__(self) -> None:
        self.why: list[str] = []

    @contextmanager
    def of(self, unit: Unit) -> Iterator[None]:
        """While one unit is judged; an AuditError, or Confined, leaves it without a verdict."""
        try:
            yield
        except (AuditError, Confined) as error:
            self.why.append(f"{unit.id}: {error}")

    def heard(self, answers: Iterable[T]) -> list[T]:
        """All answers that there are; why others are lacking is told at the end."""
        found: list[T] = []
        try:
            for answer in answers:
                found.append(answer)
        except AuditError as error:
            self.why.append(str(error))
        return found

    def tell(self) -> None:
        """Raises AuditError where a unit was left without a verdict."""
        if self.why:
            raise AuditError("; ".join(self.why))


def finished(
    audit: Audit, serving: str, requirement: str, answers: Iterable[tuple[Unit, Answer | Mailed]]
) -> Iterator[tuple[Unit, Answer]]:
    """The answers of a host's turn to one requirement, in their order, with what mail has to say about them.

    Raises AuditError at the end, where mail left some open, or pages did.
    """
    undecided = Undecided()
    heard = undecided.heard(answers)
    waiting = [answer for _, answer in heard if isinstance(answer, Mailed)]
    replies = audit.exchangers.rcpts(address for answer in waiting for address in answer.rcpt)
    people = {person.address for person in audit.province.people} if replies else set()
    for unit, answer in heard:
        if not isinstance(answer, Mailed):
            yield unit, answer
            continue
        found: Answer | None = None
        with undecided.of(unit):
            verdict, evidence = _taken(answer, replies, people)
            found = _with_letter(audit, serving, requirement, answer.letter, verdict, evidence)
        if found:
            yield unit, found
    undecided.tell()


def _taken(answer: Mailed, replies: Mapping[str, Reply], people: Collection[str]) -> tuple[Verdict, list[str]]:
    """What pages say, and whether exchangers accept their addresses."""
    evidence = list(answer.evidence)
    if refused := refusals(answer.rcpt, replies, people):
        return "fail", [*evidence, f"{REFUSED}: {', '.join(refused)}"]
    if answer.rcpt:
        if answer.verdict != "fail":
            all_settled(answer.rcpt, replies)
        number = sum(replies[address].code == ACCEPTED for address in answer.rcpt)
        evidence.append(f"{number} địa chỉ được nhận ở RCPT / addresses accepted at RCPT")
        evidence += no_room(answer.rcpt, replies)
    return answer.verdict, evidence


def _with_letter(
    audit: Audit, serving: str, requirement: str, address: str, verdict: Verdict, evidence: list[str]
) -> Answer:
    """And whether a letter arrived; what is disproved already needs none."""
    if not address:
        return verdict, evidence
    try:
        arrived, said = _arrived(audit, serving, requirement, address)
    except (AuditError, Confined) as error:
        if verdict != "fail":
            raise
        return verdict, [*evidence, str(error)]
    return verdict if arrived else "fail", [*evidence, said]


def refusals(
    addresses: Iterable[str], replies: Mapping[str, Reply], people: Collection[str] = frozenset()
) -> list[str]:
    """Which addresses were not accepted; of those that nobody could be asked about, their domains and why.

    Not what was refused only for now (:func:`all_settled`), nor those of ``people`` whose mailbox is there and full.
    """
    asked = ((address, replies[address]) for address in addresses)
    refused = [
        (address, reply)
        for address, reply in asked
        if reply.code != ACCEPTED and not reply.for_now and not (address in people and full(reply))
    ]
    return list(
        dict.fromkeys(
            address if reply.code else f"{address.partition('@')[2]}: {reply.text}" for address, reply in refused
        )
    )


def full(reply: Reply) -> bool:
    """Whether the mailbox is there and has no room."""
    return bool(FULL.search(f"{reply.code} {reply.text}"))


def no_room(addresses: Iterable[str], replies: Mapping[str, Reply]) -> list[str]:
    """A line that names the mailboxes that are there and full, where there are any."""
    those = sorted(address for address in addresses if full(replies[address]))
    return [f"hộp thư đầy, vẫn có / full, and there: {', '.join(those)}"] if those else []


def all_settled(addresses: Iterable[str], replies: Mapping[str, Reply]) -> None:
    """Raises AuditError where an address was refused only for now, which is no finding about anybody."""
    for address in addresses:
        if replies[address].for_now:
            code, text = replies[address].code, replies[address].text
            raise AuditError(f"{address}: {UNSETTLED}: {code} {text[:200]}")


def _arrived(audit: Audit, serving: str, requirement: str, address: str) -> tuple[bool, str]:
    """Whether a letter from outside was found over IMAP in the mailbox."""
    if address not in audit.mail.home:
        return False, f"{address}: không phải hộp thư của tỉnh / no mailbox of the province"
    letter = post(audit, serving, requirement).letter(address)
    if not letter.exchanger and not letter.unsent:
        return False, letter.reply
    found = letter.arrived(address)
    return found, f"{FROM_OUTSIDE} → {address}: {letter.reply[:60]}; IMAP: {ARRIVED if found else LOST}"
