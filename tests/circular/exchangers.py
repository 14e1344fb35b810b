"""SMTP with the province's exchangers, as strangers speak it: many letters and questions over few connections."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from tests.circular.network import Network

ACCEPTED = 250
CLOSING = 421
FOR_GOOD = 500
"""From here on a refusal is final; what an exchanger refuses for now it may take when it is asked again."""
QUESTIONS = 100
"""Addresses asked about in one dialogue; Postfix takes a thousand recipients."""
REFUSALS = 8
"""After so many a dialogue is begun anew: Postfix slows down at ten in one connection, and hangs up at twenty."""
LINES = 8
"""Connections to one exchanger at a time."""
FAILURES = (OSError, smtplib.SMTPException, ValueError)
"""ValueError: an address that can't stand in a command."""

T = TypeVar("T")


class Reply(NamedTuple):
    """What an exchanger said; code 0: nothing, and ``text`` tells why."""

    code: int
    text: str

    @classmethod
    def of(cls, said: tuple[int, bytes]) -> Reply:
        """As smtplib gives it. Raises smtplib.SMTPServerDisconnected when the server goes."""
        code, text = said[0], said[1].decode(errors="replace")
        if code == CLOSING:
            raise smtplib.SMTPServerDisconnected(f"{code} {text}")
        return cls(code, text)

    @classmethod
    def lacking(cls, error: Exception) -> Reply:
        """Why there is none."""
        return cls(0, f"{type(error).__name__}: {error}")


UNSAID = Reply(0, "")


@dataclass(frozen=True)
class Greeting:
    """What an exchanger answers to EHLO, before TLS."""

    exchanger: str
    esmtp: bool
    features: tuple[str, ...]


@dataclass
class Envelope:
    """A letter for an exchanger, and what that said last."""

    exchanger: str
    recipient: str
    message: bytes
    reply: Reply = UNSAID
    at_rcpt: bool = False
    """Whether it was the recipient that was refused."""


class Line:
    """A connection that is opened when it is needed, kept, and opened anew where it has broken."""

    def __init__(self, network: Network, exchanger: str, secure: bool):
        self.network, self.exchanger, self.secure = network, exchanger, secure
        self.dead: Exception | None = None
        """Why it could not be opened; then it is not tried again, or each letter would wait for nobody."""
        self._client: smtplib.SMTP | None = None

    def talk(self, said: Callable[[smtplib.SMTP], T]) -> T:
        """What ``said`` gives; once more where a connection broke that was kept too long. Raises :data:`FAILURES`."""
        kept = self._client is not None
        try:
            return said(self._opened())
        except FAILURES:
            self.close()
            if not kept:
                raise
        try:
            return said(self._opened())
        except FAILURES:
            self.close()
            raise

    def _opened(self) -> smtplib.SMTP:
        if self.dead is not None:
            raise self.dead
        if self._client is None:
            try:
                client = self.network.smtp(self.exchanger)
                if self.secure:
                    client.starttls(context=self.network.context())
                    client.ehlo()
            except (OSError, smtplib.SMTPException) as error:
                self.dead = error
                raise
            self._client = client
        return self._client

    def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()


@dataclass
class Exchangers:
    """The exchangers of a province under audit. Not for processes that were forked: they would share connections."""

    network: Network
    _known: dict[tuple[str, str], Reply] = field(default_factory=dict)
    _greetings: dict[str, Greeting | Exception] = field(default_factory=dict)

    def greeting(self, domain: str) -> Greeting:
        """Of a domain's exchanger, each asked once in an audit. Raises OSError and smtplib.SMTPException."""
        exchanger = self.network.exchanger(domain)
        if exchanger not in self._greetings:
            try:
                with self.network.smtp(exchanger) as client:
                    greeting = Greeting(exchanger, client.does_esmtp, tuple(client.esmtp_features))
                    self._greetings[exchanger] = greeting
            except (OSError, smtplib.SMTPException) as error:
                self._greetings[exchanger] = error
        found = self._greetings[exchanger]
        if isinstance(found, Exception):
            raise found
        return found

    def rcpts(self, addresses: Iterable[str], sender: str = "<>") -> dict[str, Reply]:
        """What the exchanger of each address says to it at RCPT; nothing is sent.

        Each is asked once in an audit, but for those that were refused only for now.
        """
        wanted = list(dict.fromkeys(addresses))
        found: dict[str, Reply] = {}
        by_exchanger: dict[str, list[str]] = {}
        for address in wanted:
            if (sender, address) in self._known:
                found[address] = self._known[sender, address]
                continue
            try:
                by_exchanger.setdefault(self.network.exchanger(address.partition("@")[2]), []).append(address)
            except OSError as error:
                found[address] = Reply.lacking(error)
        for exchanger, theirs in by_exchanger.items():
            # Several at a time: a gateway may take a second to ask the host that has the mailbox.
            lines = min(LINES, -(-len(theirs) // QUESTIONS))
            parts = [theirs[n::lines] for n in range(lines)]
            with ThreadPoolExecutor(lines) as pool:
                for part, replies in zip(parts, pool.map(partial(self._asked, exchanger, sender), parts), strict=True):
                    found |= zip(part, replies, strict=True)
        final = {address: reply for address, reply in found.items() if reply.code == ACCEPTED or reply.code >= FOR_GOOD}
        self._known |= {(sender, address): reply for address, reply in final.items()}
        return found

    def _asked(self, exchanger: str, sender: str, addresses: Sequence[str]) -> list[Reply]:
        line = Line(self.network, exchanger, secure=False)
        replies: list[Reply] = []
        while len(replies) < len(addresses):
            left = addresses[len(replies) : len(replies) + QUESTIONS]
            try:
                replies += line.talk(partial(_rcpts, sender, left))
            except FAILURES as error:
                lost = len(addresses) - len(replies) if line.dead else 1
                replies += [Reply.lacking(error)] * lost
            line.close()
        return replies

    def send(self, envelopes: Iterable[Envelope]) -> None:
        """Hand letters over, and note the replies on their envelopes."""
        by_exchanger: dict[str, list[Envelope]] = {}
        for envelope in envelopes:
            by_exchanger.setdefault(envelope.exchanger, []).append(envelope)
        for exchanger, theirs in by_exchanger.items():
            parts = [part for part in (theirs[n::LINES] for n in range(LINES)) if part]
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(partial(self._sent, exchanger), parts))

    def _sent(self, exchanger: str, envelopes: Sequence[Envelope]) -> None:
        line = Line(self.network, exchanger, secure=True)
        for envelope in envelopes:
            try:
                envelope.reply, envelope.at_rcpt = line.talk(partial(_letter, envelope))
            except FAILURES as error:
                envelope.reply = Reply.lacking(error)
            if envelope.at_rcpt:
                line.close()  # refusals are counted, over all letters of a connection
        line.close()


def _rcpts(sender: str, addresses: Sequence[str], client: smtplib.SMTP) -> list[Reply]:
    """Replies to the first of the addresses, to one at least; the dialogue ends early rather than to annoy."""
    Reply.of(client.mail(sender))
    replies: list[Reply] = []
    for address in addresses:
        try:
            replies.append(Reply.of(client.rcpt(address)))
        except FAILURES:
            if not replies:
                raise
            break
        if sum(reply.code != ACCEPTED for reply in replies) >= REFUSALS:
            break
    return replies


def _letter(envelope: Envelope, client: smtplib.SMTP) -> tuple[Reply, bool]:
    Reply.of(client.mail("<>"))
    reply = Reply.of(client.rcpt(envelope.recipient))
    if reply.code != ACCEPTED:
        return reply, True
    return Reply.of(client.data(envelope.message)), False
