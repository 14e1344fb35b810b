"""SMTP with the province's exchangers, as strangers speak it: many letters and questions over few connections."""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from tests.circular.network import NO_WAY, Confined, Network

WAIT_SECONDS = float(os.environ.get("EDUMAIL_AUDIT_WAIT", "60"))
"""How long nothing may come after the last letter was sent; then what is not there is not coming."""
PAUSES = (WAIT_SECONDS / 2, WAIT_SECONDS)
"""Before each time that an exchanger is asked again what it refused for now: greylisting, or a host that starts."""
ACCEPTED = 250
CLOSING = 421
FOR_NOW = 400
FOR_GOOD = 500
"""From here on a refusal is final; what an exchanger refuses for now it may take when it is asked again."""
QUESTIONS = 100
"""Addresses asked about in one dialogue; Postfix takes a thousand recipients."""
REFUSALS = 8
"""After so many a dialogue is begun anew: Postfix slows down at ten in one connection, and hangs up at twenty."""
LINES = 8
"""Connections to one exchanger at a time."""
FAILURES = (OSError, smtplib.SMTPException, ValueError, Confined)
"""ValueError: an address that can't stand in a command. Confined: this machine's network, which hides no other door."""
BROKEN = (TimeoutError, ConnectionError, ssl.SSLEOFError, smtplib.SMTPServerDisconnected)
SHUT = ConnectionRefusedError.__name__

T = TypeVar("T")


class Silence(TimeoutError):
    """Nobody came to the door of an exchanger, though a stranger's is open to this machine."""


class Reply(NamedTuple):
    """What an exchanger said; code 0: nothing, and ``text`` tells why."""

    code: int
    text: str
    broke: bool = False
    """Whether nothing was said because a connection was refused or broke, or nobody was there."""
    silent: bool = False
    """Whether nobody came to a door behind which others, asked from the same machine, have somebody."""
    confined: bool = False
    """Whether it is this machine's network that let nobody ask."""

    @property
    def settled(self) -> bool:
        """Whether it would be the same if it were asked again in a minute."""
        return not (self.broke or FOR_NOW <= self.code < FOR_GOOD)

    @property
    def for_now(self) -> bool:
        """Whether it is no finding about anybody, since another time it may be another.

        A shut door is one, and so is a door to which nobody comes: it was tried again after all pauses.
        """
        return self.confined or not (self.settled or self.silent or self.text.startswith(SHUT))

    @classmethod
    def of(cls, said: tuple[int, bytes]) -> Reply:
        """As smtplib gives it. Raises smtplib.SMTPServerDisconnected when the server goes."""
        code, text = said[0], said[1].decode(errors="replace")
        if code == CLOSING:
            raise smtplib.SMTPServerDisconnected(f"{code} {text}")
        return cls(code, text)

    @classmethod
    def lacking(cls, error: Exception) -> Reply:
        """Why there is none, or the reply of which an error was made.

        TLS that is not offered, or not to be trusted, is the exchanger's own doing.
        """
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
            said = error.smtp_error
            return cls(error.smtp_code, said.decode(errors="replace") if isinstance(said, bytes) else str(said))
        if isinstance(error, Confined):
            return cls(0, str(error), confined=True)
        broke = isinstance(error, BROKEN) or (isinstance(error, OSError) and error.errno in NO_WAY)
        return cls(0, f"{type(error).__name__}: {error}", broke, isinstance(error, Silence))


UNSAID = Reply(0, "")
NOTHING_YET = Reply(0, "", broke=True)


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
                client = _reached(self.network, self.exchanger)
                if self.secure:
                    client.starttls(context=self.network.context())
                    client.ehlo()
            except FAILURES as error:
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
    _greetings: dict[str, Greeting | Reply] = field(default_factory=dict)
    _unmoved: set[str] = field(default_factory=set)
    """Where a refusal for now outlasted all pauses, nobody waits again: addresses, and exchangers that settle nothing.

    An exchanger is waited for again as soon as it settles something.
    """

    def greetings(self, domains: Iterable[str]) -> dict[str, Greeting | Reply]:
        """By domain what its exchanger says to EHLO, or why it said nothing; each is asked once in an audit.

        But for those that said nothing for now: again after pauses, and again by whoever asks next.
        """
        exchangers: dict[str, str] = {}
        found: dict[str, Greeting | Reply] = {}
        for domain in domains:
            try:
                exchangers[domain] = self.network.exchanger(domain)
            except (OSError, Confined) as error:
                found[domain] = Reply.lacking(error)

        def ask(exchanger: str, _: Sequence[str]) -> None:
            self._greetings[exchanger] = self._greeted(exchanger)

        def said(exchanger: str) -> Reply:
            greeting = self._greetings.get(exchanger, NOTHING_YET)
            return greeting if isinstance(greeting, Reply) else UNSAID

        unknown = {name: [name] for name in exchangers.values() if not said(name).settled}
        self.patiently(unknown, ask, said, str)
        return found | {domain: self._greetings[exchanger] for domain, exchanger in exchangers.items()}

    def _greeted(self, exchanger: str) -> Greeting | Reply:
        try:
            with _reached(self.network, exchanger) as client:
                return Greeting(exchanger, client.does_esmtp, tuple(client.esmtp_features))
        except FAILURES as error:
            return Reply.lacking(error)

    def rcpts(self, addresses: Iterable[str], sender: str = "<>") -> dict[str, Reply]:
        """What the exchanger of each address says to it at RCPT; nothing is sent.

        Each is asked once in an audit, but for those that were refused only for now: again after pauses, and again by
        whoever asks next.
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
            except (OSError, Confined) as error:
                found[address] = Reply.lacking(error)

        def ask(exchanger: str, theirs: Sequence[str]) -> None:
            # Several at a time: a gateway may take a second to ask the host that has the mailbox.
            lines = min(LINES, -(-len(theirs) // QUESTIONS))
            parts = [theirs[n::lines] for n in range(lines)]
            with ThreadPoolExecutor(lines) as pool:
                for part, replies in zip(parts, pool.map(partial(self._asked, exchanger, sender), parts), strict=True):
                    found.update(zip(part, replies, strict=True))

        self.patiently(by_exchanger, ask, found.__getitem__, str)
        self._known |= {(sender, address): reply for address, reply in found.items() if reply.code and reply.settled}
        return found

    def patiently(
        self,
        left: Mapping[str, Sequence[T]],
        ask: Callable[[str, Sequence[T]], None],
        said: Callable[[T], Reply],
        whose: Callable[[T], str],
    ) -> None:
        """Ask each exchanger what is left for it, and again what was not settled: all after the same pauses.

        ``whose`` tells the address that each is about.
        """
        moved: set[str] = set()
        for pause in (0.0, *PAUSES):
            if not left:
                return
            time.sleep(pause)
            for exchanger, theirs in left.items():
                ask(exchanger, theirs)
            moved |= {name for name, theirs in left.items() if any(said(one).settled for one in theirs)}
            self._unmoved -= moved
            again = {
                name: [one for one in theirs if not said(one).settled and whose(one) not in self._unmoved]
                for name, theirs in left.items()
                if name not in self._unmoved
            }
            left = {name: theirs for name, theirs in again.items() if theirs}
        self._unmoved |= {whose(one) for theirs in left.values() for one in theirs} | left.keys() - moved

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
        """Hand letters over, and note the replies on their envelopes; again what was refused for now."""
        by_exchanger: dict[str, list[Envelope]] = {}
        for envelope in envelopes:
            by_exchanger.setdefault(envelope.exchanger, []).append(envelope)

        def hand_over(exchanger: str, theirs: Sequence[Envelope]) -> None:
            parts = [part for part in (theirs[n::LINES] for n in range(LINES)) if part]
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(partial(self._sent, exchanger), parts))

        self.patiently(by_exchanger, hand_over, lambda envelope: envelope.reply, lambda envelope: envelope.recipient)

    def _sent(self, exchanger: str, envelopes: Sequence[Envelope]) -> None:
        line = Line(self.network, exchanger, secure=True)
        for envelope in envelopes:
            try:
                envelope.reply, envelope.at_rcpt = line.talk(partial(_letter, envelope))
            except FAILURES as error:
                envelope.reply, envelope.at_rcpt = Reply.lacking(error), False
            if envelope.at_rcpt:
                line.close()  # refusals are counted, over all letters of a connection
        line.close()


def _reached(network: Network, exchanger: str) -> smtplib.SMTP:
    """A dialogue at port 25. Raises :data:`FAILURES`; Silence where nobody came to the door."""
    try:
        return network.smtp(exchanger)
    except OSError as error:
        # Confined, were all strangers' shut too; where none is known this machine's own network may be why.
        if (isinstance(error, TimeoutError) or error.errno in NO_WAY) and _strangers_known(network):
            raise Silence(str(error)) from error
        raise


def _strangers_known(network: Network) -> bool:
    """Whether there is an exchanger of a stranger with which ours can be compared."""
    for domain in network.strangers:
        with contextlib.suppress(OSError):
            if network.lookup(network.exchanger(domain), "A"):
                return True
    return False


def _rcpts(sender: str, addresses: Sequence[str], client: smtplib.SMTP) -> list[Reply]:
    """Replies to the first of the addresses, to one at least; the dialogue ends early rather than to annoy."""
    taken = Reply.of(client.mail(sender))
    if taken.code != ACCEPTED:
        return [taken] * len(addresses)  # which says nothing of any of them, where it is only for now
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
    taken = Reply.of(client.mail("<>"))
    if taken.code != ACCEPTED:
        return taken, False
    reply = Reply.of(client.rcpt(envelope.recipient))
    if reply.code != ACCEPTED:
        return reply, True
    return Reply.of(client.data(envelope.message)), False
