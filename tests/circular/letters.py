"""The letters of an audit: planned for all units of a host's turn, sent together, and looked for together.

Each carries the tokens of all open audits, so that hosts file it into the folder edumail-audit of the real mailbox.
There it is found over IMAP, with a sign-in that ends with the audit. What goes outside carries none: our host's log
tells of it. Tests judge what came of a letter; they send nothing themselves.
"""

from __future__ import annotations

import imaplib
import itertools
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from edumail.circular.catalogue import requirements
from edumail.groups import Expansion
from edumail.model import Unit
from roles.audit.render import domains
from tests.circular.audit import NOT_UNDER_AUDIT, Audit, AuditError, brief
from tests.circular.exchangers import WAIT_SECONDS, Envelope, Reply
from tests.circular.network import Confined
from tests.circular.portal import homes_of
from tests.circular.texts import PLAIN, VIETNAMESE, signed

PAUSE_SECONDS = 1.0
AT_ONCE = 8
"""Mailboxes that are looked into at a time."""
PIECE = 64
"""Mailboxes after which it is seen whether to look into more already makes sense."""
SMALL_GROUP = 20
"""Mailboxes of a group of the catalogue that still gets a letter, a figure of this suite: one may be everybody."""
FROM_OUTSIDE = "từ bên ngoài / from outside"
UNSETTLED = "chưa nhận, cũng chưa từ chối hẳn / neither taken nor refused for good"
PUT_OFF = re.compile(r"(?:said|refused to talk to me): 4[0-9][0-9]")
"""In Postfix's log: the other server itself said that it would take the letter later."""
AMONG_OURS = re.compile(
    r"said: 450 4\.2\.1 |said: 45[01] .*(?:hay gui lai sau|Address verification)|refused to talk to me: 421 "
)
"""Where that is one of the province's hosts: a mailbox that moves, what our filter or Postfix asks to be sent again
later, or a host that is busy or stops. Whatever else they refuse each other for now (a table that can't be read, a
filter that does not run, a disk without room) stands until somebody mends it."""
ARRIVED, LOST = "đến nơi / arrived", "KHÔNG THẤY / NOT FOUND"
"""What evidence says of a letter that was looked for in its mailbox."""
NAMED = 20
"""How many mailboxes a line of evidence names."""
Text = Literal["plain", "vietnamese", "signed"]
TEXTS: Mapping[Text, Callable[[], bytes]] = {
    "plain": lambda: PLAIN,
    "vietnamese": lambda: VIETNAMESE,
    "signed": signed,
}
Key = tuple[str, str, Text]
"""Sender, recipient and text."""


class Whereabouts(NamedTuple):
    """Of some mailboxes: in which a letter was, in which it was not, and why nobody can tell of the others."""

    found: list[str]
    lost: list[str]
    unclear: list[str]

    @property
    def everywhere(self) -> bool | None:
        """Whether it was in all of them, one at least; None: nobody can tell, for it is lost in none."""
        if self.lost or not (self.found or self.unclear):
            return False
        return None if self.unclear else True

    @property
    def said(self) -> str:
        """What was seen, as a line of evidence has it."""
        found = f"thấy ở / found in {', '.join(self.found) or 0}"
        return f"{found}; {LOST}: {self.lacking}" if self.lost else found

    @property
    def lacking(self) -> str:
        """The mailboxes in which it is lost, the first of many."""
        return ", ".join(self.lost[:NAMED]) + (f" … ({len(self.lost)})" if len(self.lost) > NAMED else "")


@dataclass(eq=False)
class Letter:
    """One letter to one recipient."""

    recipient: str
    mailboxes: Collection[str] = ()
    """Where it is looked for."""
    sender: str = ""
    """A mailbox of the province; empty for what a stranger brings to the recipient's exchanger."""
    text: Text = "plain"
    message_id: str = ""
    """Without brackets; empty until it is sent. Its own: two letters that change places are two that do not arrive."""
    exchanger: str = ""
    """Which one answered."""
    reply: str = ""
    """The last that it said; if none did, why."""
    unsent: str = ""
    """Why the host of the sender did not send it, or this machine's network did not let it out, or what the exchanger
    said that refused it only for now: no finding about any unit."""
    found: dict[str, bytes] = field(default_factory=dict)
    """The mailboxes in which it was, with the letter itself where somebody reads it."""
    unseen: dict[str, str] = field(default_factory=dict)
    """The mailboxes that could not be looked into, and why."""
    under_way: dict[str, str] = field(default_factory=dict)
    """The mailboxes that it may yet come to: one of our hosts has put another's letter off, which will try again."""

    @property
    def key(self) -> Key:
        """What tells it from the others of a turn."""
        return self.sender, self.recipient, self.text

    @property
    def taken(self) -> bool:
        """Whether whoever got it first took it."""
        return not self.unsent and (bool(self.sender) or self.reply.startswith("250"))

    def arrived(self, mailbox: str) -> bool:
        """Whether it was in the mailbox. Raises AuditError when nobody could tell."""
        if self.unsent:
            raise AuditError(self.unsent)
        if mailbox in self.unseen:
            why = "không xem được một hộp thư / a mailbox could not be looked into"
            raise AuditError(f"{why}: {self.unseen[mailbox]}")
        if mailbox in self.under_way:
            raise AuditError(f"{self.recipient}: thư còn trên đường / still under way: {self.under_way[mailbox]}")
        if mailbox not in self.mailboxes:
            raise AuditError(f"chưa ai xem hộp thư / nobody looked into {mailbox}")
        return mailbox in self.found

    def among(self, mailboxes: Iterable[str]) -> Whereabouts:
        """Where it was. A mailbox of which nobody can tell hides none in which it is lost."""
        found, lost, unclear = [], [], dict[str, None]()
        for mailbox in sorted(mailboxes):
            try:
                (found if self.arrived(mailbox) else lost).append(mailbox)
            except AuditError as error:
                unclear[str(error)] = None
        return Whereabouts(found, lost, list(unclear))


def behind(audit: Audit, address: str) -> list[str]:
    """The mailboxes that a unit's address leads to on its own host; none when it is no address of the province."""
    home = audit.mail.home.get(address)
    return sorted(audit.tables(home).aliases.get(address, (address,))) if home else []


def partners(audit: Audit, on: str) -> Iterator[tuple[Unit, Unit]]:
    """Each unit with mailboxes on ``on``, and the unit that it exchanges mail with: on another host if there is one."""
    others = [unit for unit in audit.province.units.values() if unit.host in audit.hosts]
    elsewhere = next((other for other in others if other.host != on), None)
    for unit in audit.units(on):
        yield unit, elsewhere or next((other for other in others if other.id != unit.id), unit)


def may_leave(audit: Audit, unit: Unit) -> bool:
    """Whether the unit's own policy lets its mail leave the province."""
    return audit.mail.units.policies(unit).external_sending != "province"


def officers(unit: Unit) -> tuple[str, str]:
    """The addresses of RFC 2142 that reach whoever answers for the unit's mail."""
    return f"postmaster@{unit.domain}", f"abuse@{unit.domain}"


def author(audit: Audit, unit: Unit, group: str) -> str:
    """A mailbox of the unit that may write to the group; other hosts ask for that again."""
    theirs = (address for address, box in audit.tables(unit.host).mailboxes.items() if box.unit == unit.id)
    own = itertools.chain([unit.public_address], theirs)
    return next((box for box in own if audit.mail.permissions.may(box, group)), unit.public_address)


def _published(audit: Audit, on: str) -> Iterator[Letter]:
    for _, home in homes_of(audit, audit.units(on))[0]:
        if home.mailto:
            yield Letter(home.mailto[0], behind(audit, home.mailto[0]))


def _to_contact(requirement: str) -> Callable[[Audit, str], Iterator[Letter]]:
    def plan(audit: Audit, serving: str) -> Iterator[Letter]:
        for unit in audit.pages(serving):
            if requirements()[requirement].applies_to(audit.province.kinds[unit.kind]):
                home = [unit.public_address] if unit.public_address in audit.mail.home else []
                yield Letter(unit.public_address, home)

    return plan


def _between_units(audit: Audit, on: str) -> Iterator[Letter]:
    for unit, other in partners(audit, on):
        if audit.left_out(unit):
            continue
        yield Letter(unit.public_address, behind(audit, unit.public_address), other.public_address)
        yield Letter(other.public_address, behind(audit, other.public_address), unit.public_address)
        if audit.outside and may_leave(audit, unit):
            yield Letter(audit.outside, (), unit.public_address)


def _of_rfc_2142(audit: Audit, on: str) -> Iterator[Letter]:
    for unit in audit.units(on):
        for address in () if audit.left_out(unit) else officers(unit):
            yield Letter(address, audit.mail.groups.mailboxes(address))


def _to_sections(audit: Audit, on: str) -> Iterator[Letter]:
    for unit in audit.units(on):
        for section in () if audit.left_out(unit) else unit.sections:
            yield Letter(section.address, audit.mail.groups.mailboxes(section.address), unit.public_address)


def groups_of(audit: Audit, unit: Unit) -> list[Expansion]:
    """The unit's groups for work: those written by hand, and those of the catalogue that it has by itself."""
    if "groups by unit" not in audit.kept:
        written = {group.address for group in audit.province.groups}
        by_unit: dict[str, list[Expansion]] = {}
        for group in audit.mail.groups.all.values():
            if group.template or group.address in written:
                by_unit.setdefault(group.unit, []).append(group)
        audit.kept["groups by unit"] = by_unit
    found: dict[str, list[Expansion]] = audit.kept["groups by unit"]
    return found.get(unit.id, [])


def to_groups(audit: Audit, unit: Unit) -> Iterator[Letter]:
    """A letter to each group of the unit; of the catalogue's to those that are small and that the unit writes to."""
    for group in groups_of(audit, unit):
        mailboxes, sender = audit.mail.groups.mailboxes(group.address), author(audit, unit, group.address)
        small = len(mailboxes) <= SMALL_GROUP and audit.mail.permissions.may(sender, group.address)
        if small or not group.template:
            yield Letter(group.address, mailboxes, sender)


def _to_groups(audit: Audit, on: str) -> Iterator[Letter]:
    for unit in audit.units(on):
        if audit.province.kinds[unit.kind].binds != "school" and not audit.left_out(unit):
            yield from to_groups(audit, unit)


def _to_ministry_s_list(audit: Audit, on: str) -> Iterator[Letter]:
    ministry = audit.province.settings.ministry
    if ministry and any(audit.province.kinds[unit.kind].binds == "sở" for unit in audit.units(on)):
        for address in (ministry.director, ministry.clerk):
            yield Letter(address, (address,))


def _with_text(text: Text) -> Callable[[Audit, str], Iterator[Letter]]:
    return lambda audit, on: (
        Letter(unit.public_address, (unit.public_address,), text=text)
        for unit in audit.units(on)
        if not audit.left_out(unit)
    )


PLANS: Mapping[str, Callable[[Audit, str], Iterator[Letter]]] = {
    "C37-4.1": _between_units,
    "C37-4.2.3": _published,
    "C37-4.3.3": _to_sections,
    "C37-4.5": _of_rfc_2142,
    "C37-5.2.3": _to_ministry_s_list,
    "C37-5.3": _to_groups,
    "C37-8.1b": _to_contact("C37-8.1b"),
    "C37-9.1b": _to_contact("C37-9.1b"),
    "C37-12.1": _with_text("vietnamese"),
    "C37-S39-smime": _with_text("signed"),
}
"""Requirement → which letters it needs on a host's turn. The same letter of two requirements is sent once."""


@dataclass
class Post:
    """All letters of one host's turn."""

    audit: Audit
    turn: str
    letters: dict[Key, Letter] = field(default_factory=dict)
    planned: set[str] = field(default_factory=set)
    broken: dict[str, Exception] = field(default_factory=dict)
    """The requirements whose letters could not be planned, sent or looked for, and why."""

    def letter(self, recipient: str, sender: str = "", text: Text = "plain") -> Letter:
        """One of the letters that were planned. Raises AuditError where it was not: its page was not seen in time."""
        if (sender, recipient, text) not in self.letters:
            raise AuditError(f"chưa có thư nào được gửi / no letter was sent: {sender} → {recipient}")
        return self.letters[sender, recipient, text]

    def exchange(self, asked: Iterable[str]) -> None:
        """Send the letters that these requirements need, and look for them."""
        needed = sorted(PLANS.keys() & set(asked) - self.planned)
        self.planned.update(needed)
        for requirement in needed:
            try:
                for letter in PLANS[requirement](self.audit, self.turn):
                    self._add(letter)
            except Exception as error:  # whatever it is, the other requirements' letters go out
                self.broken[requirement] = error
        new = [letter for letter in self.letters.values() if not letter.message_id]
        try:
            self.audit.renew()
            _hand_in(self.audit, [letter for letter in new if letter.sender])
            _bring(self.audit, [letter for letter in new if not letter.sender])
            collect(self.audit, new)
            _follow(self.audit, new)
        except Exception as error:  # nobody may take for lost what nobody has looked for
            self.broken |= dict.fromkeys(needed, error)

    def _add(self, letter: Letter) -> None:
        known = self.letters.get(letter.key)
        if known is None or (known.message_id and not set(known.mailboxes) >= set(letter.mailboxes)):
            self.letters[letter.key] = letter
        elif not known.message_id:
            known.mailboxes = {*known.mailboxes, *letter.mailboxes}


def post(audit: Audit, turn: str, requirement: str) -> Post:
    """The letters of a host's turn, after they were exchanged: at the first call those of all that is asked of it.

    Raises AuditError with whatever kept those of ``requirement`` from that.
    """
    made: Post = audit.kept.setdefault(f"post of {turn}", Post(audit, turn))
    if requirement not in made.planned:
        made.exchange({requirement, *audit.asked.get(turn, ())})
    if why := made.broken.get(requirement):
        raise AuditError(brief(f"{type(why).__name__}: {why}")) from why
    return made


def _hand_in(audit: Audit, letters: Collection[Letter]) -> None:
    """Send from mailboxes of the province, by the command of an auditor on their hosts."""
    by_host: dict[str, dict[str, Letter]] = {}
    for letter in letters:
        letter.message_id = _new_id()
        by_host.setdefault(audit.mail.home.get(letter.sender, ""), {})[letter.message_id] = letter
    for host, theirs in by_host.items():
        if host not in audit.hosts:
            for letter in theirs.values():
                letter.unsent = f"{host or letter.sender}: {NOT_UNDER_AUDIT}"
            continue
        rows = [
            {"sender": letter.sender, "recipient": letter.recipient, "message_id": message_id}
            for message_id, letter in theirs.items()
        ]
        sent: set[str] = set()
        try:
            for answer in audit.hosts[host].ask_each("send", "probes", rows, tokens=audit.tokens):
                for message_id, why in answer.items():
                    theirs[message_id].unsent = why
                sent |= answer.keys()
        except AuditError as error:
            for message_id in theirs.keys() - sent:
                theirs[message_id].unsent = str(error)


def _new_id() -> str:
    """As the hosts ask of an audit's letters, the only ones of which they tell what came (``edumail-audit trace``)."""
    return f"audit.{secrets.token_hex(12)}@kiemtra.invalid"


def _bring(audit: Audit, letters: Collection[Letter]) -> None:
    """Hand letters to the recipients' exchangers as any stranger would."""
    envelopes: list[tuple[Letter, Envelope]] = []
    ours = domains(audit.province)
    for letter in letters:
        letter.message_id = _new_id()
        domain = letter.recipient.partition("@")[2]
        tokens = audit.tokens if domain in ours else []  # a page may name an address outside
        try:
            exchanger = audit.network.exchanger(domain)
        except OSError as error:
            letter.reply = Reply.lacking(error).text
            continue
        except Confined as error:
            letter.unsent = str(error)
            continue
        envelopes.append((letter, Envelope(exchanger, letter.recipient, _message(letter, tokens))))
    audit.exchangers.send(envelope for _, envelope in envelopes)
    for letter, envelope in envelopes:
        code, text = envelope.reply.code, envelope.reply.text
        letter.exchanger = envelope.exchanger if code else ""
        letter.reply = f"{'RCPT ' if envelope.at_rcpt else ''}{code} {text}" if code else text
        if envelope.reply.for_now:
            letter.unsent = f"{letter.recipient}: {UNSETTLED}: {letter.reply[:200]}"


def _message(letter: Letter, tokens: Iterable[str]) -> bytes:
    words = "".join(f"X-Edumail-Audit: {token}\r\n" for token in tokens)
    head = (
        f"From: edumail audit <audit@kiemtra.invalid>\r\nTo: {letter.recipient}\r\n"
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n"
        f"Message-ID: <{letter.message_id}>\r\n{words}MIME-Version: 1.0\r\n"
    )
    return head.encode() + TEXTS[letter.text]()


def collect(audit: Audit, letters: Iterable[Letter]) -> None:
    """Look for letters in their mailboxes, in rounds, until all have come or the time that one may take is over.

    There is one end for all. A round that began after it is the last, unless letters still come: a host with thousands
    of them at once is not late with any.
    """
    left: dict[str, dict[str, Letter]] = {}
    for letter in letters:
        for mailbox in letter.mailboxes if letter.taken else ():
            host = audit.mail.home.get(mailbox)
            if host in audit.hosts:
                left.setdefault(mailbox, {})[letter.message_id] = letter
            else:
                letter.unseen[mailbox] = f"{host or mailbox}: {NOT_UNDER_AUDIT}"
    end = time.monotonic() + WAIT_SECONDS
    while left:
        late = time.monotonic() >= end
        came = False
        mailboxes = list(left)
        for start in range(0, len(mailboxes), PIECE):
            some = _look(audit, left, mailboxes[start : start + PIECE])
            came |= some
            if not (some or late):
                break  # letters come in the order in which they went: the rest need not be disturbed yet
        if late and not came:
            return
        if left:
            time.sleep(PAUSE_SECONDS)


def _look(audit: Audit, left: dict[str, dict[str, Letter]], mailboxes: Sequence[str]) -> bool:
    """Look once into mailboxes that still lack a letter; what is found leaves ``left``. Whether anything was."""
    silent: dict[str, Exception] = {}

    def look(mailbox: str) -> dict[str, bytes] | Exception:
        host = audit.mail.home[mailbox]
        if host in silent:
            return silent[host]
        whole = {message_id for message_id, letter in left[mailbox].items() if letter.text != "plain"}
        try:
            return audit.hosts[host].take(mailbox, left[mailbox].keys(), whole)
        except (OSError, Confined) as error:
            silent[host] = error  # or each of its mailboxes would wait for nobody
            return error
        except imaplib.IMAP4.error as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(look, mailboxes))
    came = False
    for mailbox, answer in zip(mailboxes, answers, strict=True):
        for message_id, letter in list(left[mailbox].items()):
            letter.unseen.pop(mailbox, None)
            if isinstance(answer, Exception):
                letter.unseen[mailbox] = f"{type(answer).__name__}: {answer}"
            elif message_id in answer:
                letter.found[mailbox] = answer[message_id]
                del left[mailbox][message_id]
                came = True
        if not left[mailbox]:
            del left[mailbox]
    return came


def _follow(audit: Audit, letters: Iterable[Letter]) -> None:
    """Ask the hosts that letters went through about those that did not come: was one put off, or is it lost?"""
    by_host: dict[str, dict[str, Letter]] = {}
    for letter in letters:
        if letter.taken and set(letter.mailboxes) - letter.found.keys() - letter.unseen.keys():
            route = {audit.mail.home.get(letter.sender), audit.mail.gateway.name, audit.mail.home.get(letter.recipient)}
            for host in sorted(route & audit.hosts.keys()):
                by_host.setdefault(host, {})[letter.message_id] = letter
    for host, theirs in by_host.items():
        try:
            logged = audit.hosts[host].trace(theirs.keys())
        except AuditError as error:  # whether it was put off there nobody can tell
            for letter in theirs.values():
                letter.under_way |= dict.fromkeys(set(letter.mailboxes) - letter.found.keys(), str(error))
            continue
        for message_id, letter in theirs.items():
            for recipient, why in put_off(logged[message_id], AMONG_OURS).items():
                left = audit.mail.behind(recipient) & set(letter.mailboxes) - letter.found.keys()
                letter.under_way |= dict.fromkeys(left, why)


def put_off(logged: Iterable[Mapping[str, str]], words: re.Pattern[str] = PUT_OFF) -> dict[str, str]:
    """By recipient the other host's words, where the last that was logged is that it takes the letter later.

    A host outside may say that in any words of its own, one of ours (:data:`AMONG_OURS`) only in those for what passes.
    Where our own host can't hand a letter to another, or into a mailbox of its own, something is broken.
    """
    last = {row["to"]: row for row in logged}
    return {
        recipient: row["reply"]
        for recipient, row in last.items()
        if row["status"] == "deferred" and "[private/" not in row["relay"] and words.search(row["reply"])
    }
