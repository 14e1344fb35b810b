#!/usr/bin/python3 -EsB
"""The mail side of feedback: sends what waits, takes the copies that Postfix puts down, and the units' answers from it.

edumail-feedback work                               sends what is due and takes copies, for ever
edumail-feedback phan-anh --sender=S --extension=E  an answer to a letter from the form; Postfix calls this one, with
                                                    the message on standard input, and tells the sender what it says
edumail-feedback list | give UNIT | take UNIT       for ``edumail mailboxes move``: whose matters are here, how many; a
                                                    unit's way to another host, in two halves
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import smtplib

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import edumail_feedback as store  # noqa: E402
import edumail_feedback_mail as mail  # noqa: E402
import edumail_feedback_moving as moving  # noqa: E402

STATE = Path("/var/lib/edumail/feedback")
MOST_BYTES = 50 * 1024 * 1024
COPY_BYTES = 256 * 1024
"""Of a copy no more is read: what its writer says comes before what they attach."""
COPY_SECONDS, COPY_MEMORY = 5, 128 * 1024 * 1024
"""What reading one may take of the processor and of memory; there are letters that would take hours."""
TEMPORARY, NOBODY, NOT_ALLOWED = 75, 67, 77
"""Of sysexits.h, as pipe(8) reads them: try later; no such user; refused."""
RETRY_FULL = 3600


def units() -> dict[str, dict[str, Any]]:
    """Unit → what is known of it."""
    table = json.loads((HERE / "units.json").read_text("utf-8"))
    return {unit["unit"]: unit for unit in table.values()}


def work(cases: store.Store, state: Path, port: int) -> NoReturn:
    """Takes the copies that are there, sends what is due; once a day, forgets what is too old."""
    known, province = units(), json.loads((HERE / "province.json").read_text("utf-8"))
    forgotten = 0.0
    while True:
        now = time.time()
        try:
            if now - forgotten > 86400:
                days = {name: unit["days"] for name, unit in known.items()}
                gone = cases.forget(days, province["most_days"], now)
                print(f"{gone} matters deleted", flush=True)
                forgotten = now
            # What a unit that lives elsewhere by now has to send, moves there first.
            for letter in cases.due(known, now):
                send(cases, letter, port)
            take_copies(cases, state / "copies", known, province)
        except (sqlite3.Error, OSError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            time.sleep(5)
        time.sleep(1)


def take_copies(cases: store.Store, folder: Path, known: Mapping[str, Any], province: Mapping[str, Any]) -> None:
    """Each copy once, in the order in which they came: what is taken is deleted, what nobody can read is set aside.

    Their names begin with the word and the unit that Postfix's tables gave them, the first line is the sender.
    Raises OSError when they can't be taken now.
    """
    for path in sorted((folder / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns):
        status = _apart(partial(take, cases, path, known, province))
        if status == TEMPORARY:
            raise OSError(f"{path.name} waits")
        if status:
            path.rename(folder / "unread" / path.name)
            print(f"{path.name}: not read, set aside", file=sys.stderr, flush=True)
        else:
            path.unlink()


def take(cases: store.Store, path: Path, known: Mapping[str, Any], province: Mapping[str, Any]) -> None:
    """What one copy says. Raises sqlite3.Error and OSError; of a message that can be anything, anything."""
    what, name, _ = path.name.split("+", 2)
    with path.open("rb") as file:
        sender = file.readline().decode("utf-8", "replace").rstrip("\n")
        raw = file.read(COPY_BYTES)
    unit = known.get(name)
    if unit is not None and what == "answers":
        sent(cases, unit, raw)
    elif unit is not None:
        letter(cases, sender, unit, province, raw)


def _apart(act: Callable[[], None]) -> int:
    """Do it in a process of its own, within its limits: 0, TEMPORARY for a disk or a database that can't now, or 1."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (COPY_SECONDS, COPY_SECONDS))
            resource.setrlimit(resource.RLIMIT_DATA, (COPY_MEMORY, COPY_MEMORY))
            act()
            status = 0
        except (IsADirectoryError, PermissionError) as error:  # somebody put it there by hand; the others need not wait
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        except (sqlite3.Error, OSError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            status = TEMPORARY
        except Exception as error:
            print(type(error).__name__, file=sys.stderr, flush=True)
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def send(cases: store.Store, letter: store.Letter, port: int) -> None:
    """One letter; the log says which matter, and nothing about people."""
    import smtplib  # it brings TLS along, which takes longer than all else that a letter's copy needs

    about = f"matter {letter.matter}, {letter.kind}"
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=60) as client:
            client.sendmail(letter.sender, [letter.recipient], letter.message)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
        code = _code(error)
        if code >= 500 and letter.kind != "matter":
            cases.drop(letter)
            print(f"{about}: refused for good ({code})", file=sys.stderr, flush=True)
        else:
            cases.put_off(letter, time.time())
            print(f"{about}: put off ({code})", file=sys.stderr, flush=True)
    except (OSError, smtplib.SMTPException) as error:
        cases.put_off(letter, time.time())
        print(f"{about}: put off ({type(error).__name__})", file=sys.stderr, flush=True)
    else:
        cases.sent(letter, time.time())
        print(f"{about}: handed over", flush=True)


def _code(error: smtplib.SMTPException) -> int:
    import smtplib

    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=450)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 450


def answer(cases: store.Store, sender: str, key: str, raw: bytes) -> int:
    """An answer to a matter, from whoever signed in as ``sender``; gives the status for pipe(8).

    Only submission lets mail through to here, and there the sender belongs to whoever signed in.
    """
    matter = cases.by_key(key.lower())
    unit = units().get(matter.unit) if matter else None
    if matter is None or unit is None:
        return refuse(NOBODY, "5.1.1 không có phản ánh này / no such matter")
    message = mail.parsed(raw)
    if not sender:
        # What could not be delivered to the mailbox comes back here: it was full. Once more, later.
        cases.post_again(matter, mail.to_unit(matter, unit["address"], unit["host"]), time.time(), RETRY_FULL)
        print(f"matter {matter.id}: came back")
        return 0
    if sender.lower() not in (unit["address"], *unit["holders"]):
        return refuse(NOT_ALLOWED, "5.7.1 chỉ người giữ hộp thư của đơn vị được trả lời / only holders may answer")
    if mail.is_automatic(message):
        return 0
    return keep_answer(cases, matter, unit, message)


def letter(cases: store.Store, sender: str, unit: dict[str, Any], province: Mapping[str, Any], raw: bytes) -> None:
    """A copy of what came to a public address: registered and acknowledged, some times a day for a sender.

    More would be a program that answers our answers, or a flood (RFC 3834). Only to where it is known to come from, so
    that nobody gets it for what others sent in their name.
    """
    message, now = mail.parsed(raw), time.time()
    own = sender.lower().rpartition("@")[2]
    if not mail.is_address(sender) or own in province["own"] or mail.is_automatic(message):
        return
    if mail.header(message, "X-Spam").lower() == "yes" or not authentic(message, sender, province["gateway"]):
        return
    if re.match(r"(?i)(owner-|.*-(request|bounces?)$|mailer-daemon$|no-?reply|postmaster$)", sender.rpartition("@")[0]):
        return
    message_id, known = mail.header(message, "Message-ID"), mail.references(message)
    if not re.fullmatch(r"<[^<>\s]{3,900}>", message_id):
        return
    if cases.by_message_ids(unit["unit"], [message_id, *known]):
        return
    matter = replace(
        store.new_matter(
            unit["unit"],
            unit["host"],
            subject=mail.header(message, "Subject")[:150] or "(không có tiêu đề)",
            text=mail.own_words(mail.plain_text(message)),
            name="",
            email=sender,
            phone="",
        ),
        message_id=message_id,
        state="delivered",
        delivered=int(now),
    )
    code = store.crockford(secrets.token_bytes(store.CODE_BYTES))
    posted = mail.acknowledgment(matter, unit["name"], unit["address"], unit["portal"], store.shown(code))
    if cases.add(matter, code, None, [posted], answered=sender):
        print(f"{unit['unit']}: a letter was acknowledged")


def authentic(message: Any, sender: str, gateway: str) -> bool:
    """Whether the gateway saw where the message comes from: by SPF, or by DMARC from the very address of ``sender``.

    Whoever has an address at a large provider has letters that DMARC passes, and may hand them on as somebody else's.
    """
    said = message.get_all("Authentication-Results") or []
    results = " ".join(str(said[0]).split()).lower() if len(said) == 1 else ""
    if not results.startswith(f"{gateway};"):
        return False
    if "; spf=pass" in results:
        return True
    written = parseaddr(mail.header(message, "From"))[1]
    return "; dmarc=pass" in results and written.lower() == sender.lower()


def sent(cases: store.Store, unit: dict[str, Any], raw: bytes) -> None:
    """A copy of what a unit sent from its public address: an answer, when it answers what is registered."""
    message = mail.parsed(raw)
    message_id = mail.header(message, "Message-ID")
    known = cases.by_message_ids(unit["unit"], mail.references(message))
    # What this service sends itself has the matter's key in its Message-ID; what goes to the service comes by itself.
    to = f"{mail.header(message, 'To')} {mail.header(message, 'Cc')}".lower()
    if known is None or mail.is_automatic(message) or message_id.startswith(f"<{known.key}.") or f"{known.key}@" in to:
        return
    keep_answer(cases, known, unit, message, forward=False)


def keep_answer(
    cases: store.Store, matter: store.Matter, unit: dict[str, Any], message: Any, forward: bool = True
) -> int:
    """Writes an answer down, and posts it to the citizen where there is an address."""
    text, published = mail.answer(message)
    if not text and published is None:
        return refuse(NOT_ALLOWED, "5.6.0 thư không có câu trả lời nào / there is no answer in the message")
    message_id = mail.header(message, "Message-ID") or store.digest(text)
    letters = []
    if text and matter.email and forward:
        number = store.digest(message_id)[:12]
        letters = [mail.to_citizen(matter, unit["name"], unit["address"], text, number, message)]
    new = cases.answer(matter, message_id, text, published, letters, int(time.time()))
    print(f"matter {matter.id}: {'answered' if new else 'heard before'}")
    return 0


def refuse(status: int, said: str) -> int:
    """Says why; Postfix tells the sender."""
    print(said)
    return status


def move(cases: store.Store, what: str, unit: str) -> int:
    """One half of a unit's way to another host; who asks speaks to the other half."""
    here = unit in units()
    try:
        if what == "list":
            print(json.dumps(cases.units()))
        elif what == "give" and not here:
            _say(moving.give(cases, unit))
            moving.left(cases, unit, sys.stdin)
        elif what == "take" and here:
            _say(moving.take(cases, unit, sys.stdin))
        else:
            where = "ở máy này / lives here" if here else "không ở máy này / does not live here"
            print(f"{unit}: {where}; edumail deploy", file=sys.stderr)
            return 1
    except moving.Cut as cut:
        print(f"{unit}: {cut}", file=sys.stderr)
        return 1
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()


def _as_owner(state: Path) -> None:
    """What root is asked to do is done as the service does it: it must be able to open what is written."""
    if os.getuid() == 0:
        folder = state.stat()
        os.setgroups([])
        os.setgid(folder.st_gid)
        os.setuid(folder.st_uid)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("work", mail.LOCAL, "list", "give", "take"))
    parser.add_argument("unit", nargs="?", default="")
    parser.add_argument("--sender", default="")
    parser.add_argument("--extension", default="")
    parser.add_argument("--port", type=int, default=1588)
    parser.add_argument("--state", type=Path, default=STATE)
    try:
        given = parser.parse_args(words)
    except SystemExit as error:
        # While a deploy is under way, Postfix may still call by the words of another release: the letter waits.
        return TEMPORARY if error.code else 0
    try:
        _as_owner(given.state)
        cases = store.Store(given.state)
        if given.what == "work":
            work(cases, given.state, given.port)
        if given.what != mail.LOCAL:
            return move(cases, given.what, given.unit)
        return answer(cases, given.sender, given.extension, sys.stdin.buffer.read(MOST_BYTES))
    except (sqlite3.Error, OSError) as error:
        print(f"4.3.0 {type(error).__name__}", file=sys.stdout if given.what == mail.LOCAL else sys.stderr)
        return TEMPORARY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
