"""Letters taken out of the folder of an audit in a mailbox, in a session that the audit has signed in to."""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Collection, Iterator, Sequence

FOLDER = "edumail-audit"
AT_ONCE = 500
"""Messages named in one command: a line of IMAP is bounded."""


def take(client: imaplib.IMAP4, wanted: Collection[str], whole: Collection[str]) -> dict[str, bytes]:
    """Those of the ``wanted`` letters that have come, by Message-ID; with the text of those that are ``whole``.

    They are deleted. The folder goes with the last one that is wanted, if nothing else is in it: to delete it earlier
    would lose what arrives this moment.
    """
    status, data = client.select(FOLDER)
    if status != "OK" or not int(data[0] or 0):
        return {}
    numbers: dict[str, list[bytes]] = {}
    for number, message_id in _listed(client):
        if message_id in wanted:
            numbers.setdefault(message_id, []).append(number)
    if not numbers:
        return {}
    taken = dict.fromkeys(numbers, b"")
    for message_id in numbers.keys() & set(whole):
        _, parts = client.fetch(numbers[message_id][0].decode(), "(BODY.PEEK[])")
        taken[message_id] = parts[0][1]  # type: ignore[index,assignment]
    # What was seen was there, even if the session ends before it is gone; the end of the audit takes away what stays.
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        _delete(client, [number.decode() for those in numbers.values() for number in those])
        _, rest = client.search(None, "ALL")
        client.close()
        if taken.keys() >= set(wanted) and not rest[0].split():
            client.delete(FOLDER)
    return taken


def _delete(client: imaplib.IMAP4, numbers: Sequence[str]) -> None:
    for start in range(0, len(numbers), AT_ONCE):
        client.store(",".join(numbers[start : start + AT_ONCE]), "+FLAGS.SILENT", "\\Deleted")
    client.expunge()


def _listed(client: imaplib.IMAP4) -> Iterator[tuple[bytes, str]]:
    """Number and Message-ID, without brackets, of each message of the folder."""
    _, rows = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    for row in rows:
        if isinstance(row, tuple) and (found := re.search(rb"<([^<>]*)>", row[1])):
            yield row[0].split()[0], found[1].decode("ascii", "replace")
