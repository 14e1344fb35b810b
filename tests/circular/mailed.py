"""Answers of pages in which mail has a say too: a page is read by any process, letters are sent by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edumail.circular.verdicts import Verdict
from edumail.model import Unit
from tests.circular.audit import Audit
from tests.circular.exchangers import ACCEPTED, Reply
from tests.circular.letters import ARRIVED, FROM_OUTSIDE, LOST, post
from tests.circular.portal import Answer

REFUSED = "bị từ chối ở RCPT / refused at RCPT"


@dataclass(frozen=True)
class Mailed:
    """What pages answer where mail has a say too: the rest is asked by whoever may send letters (:func:`finished`)."""

    verdict: Verdict
    evidence: list[str]
    rcpt: tuple[str, ...] = ()
    """Addresses that their exchangers have to accept at RCPT."""
    letter: str = ""
    """The address that a letter from outside has to reach."""


def finished(
    audit: Audit, serving: str, requirement: str, answers: Iterable[tuple[Unit, Answer | Mailed]]
) -> list[tuple[Unit, Answer]]:
    """The answers of a host's turn to one requirement, in their order, with what mail has to say about them."""
    answers = list(answers)
    waiting = [answer for _, answer in answers if isinstance(answer, Mailed)]
    replies = audit.exchangers.rcpts(address for answer in waiting for address in answer.rcpt)
    found: list[tuple[Unit, Answer]] = []
    for unit, answer in answers:
        if not isinstance(answer, Mailed):
            found.append((unit, answer))
            continue
        verdict, evidence = answer.verdict, list(answer.evidence)
        refused = refusals(answer.rcpt, replies)
        if refused:
            verdict = "fail"
            evidence.append(f"{REFUSED}: {', '.join(refused)}")
        elif answer.rcpt:
            evidence.append(f"{len(answer.rcpt)} địa chỉ được nhận ở RCPT / addresses accepted at RCPT")
        if answer.letter:
            arrived, said = _arrived(audit, serving, requirement, answer.letter)
            verdict = verdict if arrived else "fail"
            evidence.append(said)
        found.append((unit, (verdict, evidence)))
    return found


def refusals(addresses: Iterable[str], replies: Mapping[str, Reply]) -> list[str]:
    """Which addresses were not accepted; of those that nobody could be asked about, their domains and why."""
    refused = [(address, replies[address]) for address in addresses if replies[address].code != ACCEPTED]
    return list(
        dict.fromkeys(
            address if reply.code else f"{address.partition('@')[2]}: {reply.text}" for address, reply in refused
        )
    )


def _arrived(audit: Audit, serving: str, requirement: str, address: str) -> tuple[bool, str]:
    """Whether a letter from outside was found over IMAP in the mailbox."""
    if address not in audit.mail.home:
        return False, f"{address}: không phải hộp thư của tỉnh / no mailbox of the province"
    letter = post(audit, serving, requirement).letter(address)
    if not letter.exchanger:
        return False, letter.reply
    found = letter.arrived(address)
    return found, f"{FROM_OUTSIDE} → {address}: {letter.reply[:60]}; IMAP: {ARRIVED if found else LOST}"
