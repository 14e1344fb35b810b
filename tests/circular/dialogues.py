"""Single dialogues at the doors of our hosts: again where they broke, each for itself, and folded to one verdict."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Callable, Iterable, Mapping

from edumail.circular.verdicts import Verdict
from tests.circular.audit import Audit
from tests.circular.exchangers import FAILURES, FOR_GOOD, FOR_NOW, UNSAID, Reply
from tests.circular.network import Confined

Seen = tuple[bool | None, str]
"""Whether all is well, and what was seen; None: nobody can tell."""
VERDICTS: Mapping[bool | None, Verdict] = {True: "pass", False: "fail", None: "not-tested"}
BUSY = ("421", "* BYE", "-ERR")
"""How SMTP, IMAP and POP3 greet whom they can't serve now."""


def seen_at(audit: Audit, doors: Mapping[str, Callable[[], Seen]]) -> dict[str, Seen]:
    """What comes of a dialogue at each door; again after pauses where it broke, or the host said that it can't now.

    What is broken after all of them is a finding: it is our own host that was reached, and does not answer.
    """
    found: dict[str, Seen] = {}
    replies: dict[str, Reply] = {}

    def ask(door: str, _: object) -> None:
        replies[door] = UNSAID
        try:
            found[door] = doors[door]()
        except Confined as error:
            found[door] = None, f"{door} {error}"
        except FAILURES as error:
            found[door] = False, f"{door} {type(error).__name__}: {error}"
            replies[door] = Reply.lacking(error)

    audit.exchangers.patiently({door: [door] for door in doors}, ask, replies.__getitem__, str)
    return found


def folded(answers: Iterable[bool | None]) -> bool | None:
    """One for all: what was seen to be wrong stays so, whatever else nobody can tell."""
    known = set(answers)
    return False if False in known else None if None in known else True


def greeting(connection: socket.socket) -> str:
    """The first that a server says. Raises ConnectionError where it hangs up, or says that it can't now."""
    said = connection.recv(500).decode(errors="replace").strip()
    if not said or said.startswith(BUSY):
        raise ConnectionAbortedError(said or "ngắt ngay / hung up at once")
    return said


def for_good(said: tuple[int, bytes]) -> int:
    """The code of a server's reply. Raises smtplib.SMTPResponseException where another time it may be another."""
    if FOR_NOW <= said[0] < FOR_GOOD:
        raise smtplib.SMTPResponseException(*said)
    return said[0]
