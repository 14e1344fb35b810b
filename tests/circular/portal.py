"""What a question about a unit's portal needs at hand: the live pages, and what the inventory says should be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Verdict
from edumail.model import Person, Unit
from edumail.portal.model import Content
from edumail.portal.view import Views
from tests.circular.audit import Audit
from tests.circular.exchangers import ACCEPTED, Reply
from tests.circular.letters import post
from tests.circular.pages import Page, Portal, answered


@dataclass
class Reading:
    """One unit's portal under audit."""

    audit: Audit
    unit: Unit

    @cached_property
    def portal(self) -> Portal:
        """The live pages, each asked for once."""
        return Portal(self.audit.network, self.unit)

    @cached_property
    def content(self) -> Content:
        """What the auditor's own copy of the inventory says the unit publishes."""
        return self.audit.contents.of(self.unit.id)

    @cached_property
    def leaders(self) -> list[Person]:
        """Whom the roster has as the unit's leaders."""
        return Views(self.audit.province).leaders(self.unit)

    @property
    def seen(self) -> dict[str, Page]:
        """Answers of other people's pages, for all units of the audit."""
        pages: dict[str, Page] = self.audit.kept.setdefault("pages", {})
        return pages

    @property
    def library(self) -> str | None:
        """Where the unit's own library of resources must lead: as declared, else to the unit above."""
        declared = self.content.portal.resource_library
        if declared:
            return declared.url
        parent = self.audit.province.units.get(self.unit.parent or "")
        return f"https://{parent.portal}/hoc-lieu/" if parent else None

    def fresh(self, newest: date) -> tuple[bool, str]:
        """Whether ``newest`` is within the unit's own limit (11.2c); without one there is nothing to be late for."""
        limit = self.content.portal.news_max_age_days
        age = (datetime.now(UTC).date() - newest).days
        if limit is None:
            return True, f"{age} days old; the unit has set no limit of its own"
        return age <= limit, f"{age} days old, own limit {limit}"

    def fetched(self, url: str) -> Page:
        """Any page, asked for once in an audit."""
        answered(self.audit.network, [url], self.seen)
        return self.seen[url]

    def answered(self, urls: list[str]) -> tuple[list[str], list[str]]:
        """Which of ``urls`` answer, and a line for each that does not."""
        return answered(self.audit.network, urls, self.seen)


Answer = tuple[Verdict, list[str]]


@dataclass(frozen=True)
class Mailed:
    """What pages answer where mail has a say too: the rest is asked by whoever may send letters (:func:`finished`)."""

    verdict: Verdict
    evidence: list[str]
    rcpt: tuple[str, ...] = ()
    """Addresses that their exchangers have to accept at RCPT."""
    letter: str = ""
    """The address that a letter from outside has to reach."""


def finished(audit: Audit, serving: str, requirement: str, answers: Sequence[Answer | Mailed]) -> list[Answer]:
    """The answers of a host's turn to one requirement, in their order, with what mail has to say about them."""
    waiting = [answer for answer in answers if isinstance(answer, Mailed)]
    replies = audit.exchangers.rcpts(address for answer in waiting for address in answer.rcpt)
    found: list[Answer] = []
    for answer in answers:
        if not isinstance(answer, Mailed):
            found.append(answer)
            continue
        verdict, evidence = answer.verdict, list(answer.evidence)
        refused = refusals(answer.rcpt, replies)
        if refused:
            verdict = "fail"
            evidence.append(f"refused at RCPT: {', '.join(refused)}")
        elif answer.rcpt:
            evidence.append(f"{len(answer.rcpt)} addresses accepted at RCPT")
        if answer.letter:
            arrived, said = _arrived(audit, serving, requirement, answer.letter)
            verdict = verdict if arrived else "fail"
            evidence.append(said)
        found.append((verdict, evidence))
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
        return False, f"{address} is no mailbox of the province"
    letter = post(audit, serving, requirement).letter(address)
    if not letter.exchanger:
        return False, letter.reply
    found = letter.arrived(address)
    return found, f"from outside to {address}: {letter.reply[:60]}; {'found over IMAP' if found else 'NOT FOUND'}"


def readings(audit: Audit, serving: str, requirement: str) -> list[Reading]:
    """The portals on a host's turn whose units the requirement binds."""
    bound = requirements()[requirement]
    kinds = audit.province.kinds
    return [reading(audit, unit) for unit in audit.pages(serving) if bound.applies_to(kinds[unit.kind])]


def reading(audit: Audit, unit: Unit) -> Reading:
    """The one reading of a unit in this audit."""
    known: Reading = audit.kept.setdefault(f"portal of {unit.id}", Reading(audit, unit))
    return known
