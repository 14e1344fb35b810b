"""A unit's matters on their way to another host: what the old place gives, what the new one takes.

Both halves are spoken to by ``edumail mailboxes move``, over SSH, joined to each other: matters go one way, a line of
JSON each, and the digests of the codes that are safe at the new place come back. Only these are deleted at the old one,
so that whoever is cut begins again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from edumail_feedback import Store

END = "end"
"""The last line of either half: what ends without it was cut, and is not taken."""


class Cut(Exception):
    """The other half ended before it had said everything."""


def give(cases: Store, unit: str) -> Iterator[str]:
    """The unit's matters, each with what is still to be sent, as lines; then :data:`END`."""
    for code, fields, letters in cases.whole(unit):
        posted = [letter | {"message": base64.b64encode(letter["message"]).decode()} for letter in letters]
        yield json.dumps({"code": code, "matter": fields, "letters": posted})  # ASCII, whatever the locale
    yield END


def take(cases: Store, unit: str, lines: Iterable[str]) -> Iterator[str]:
    """Keep what another host gave, all at once: the digests of the codes that are here by now; then :data:`END`.

    Of what is here already the one stays that changed last. Raises Cut, and keeps nothing.
    """
    given: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    for line in list(_whole(lines)):
        row = json.loads(line)
        letters = [letter | {"message": base64.b64decode(letter["message"])} for letter in row["letters"]]
        given.append((row["matter"] | {"code": row["code"], "unit": unit}, letters))
    yield from cases.adopt(given)
    yield END


def left(cases: Store, unit: str, lines: Iterable[str]) -> int:
    """Delete the unit's matters whose codes' digests came back: how many. Raises Cut, and deletes nothing."""
    return cases.leave(unit, list(_whole(lines)))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.rstrip("\n") == END:
            return
        yield line.rstrip("\n")
    raise Cut("đứt giữa chừng, chạy lại / cut on the way, run it again")
