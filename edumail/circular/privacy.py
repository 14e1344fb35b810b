"""Evidence names posts, not people: whoever reads a report needs to know what is wrong, and no more about anybody."""

from __future__ import annotations

import re
from bisect import bisect_left

from edumail.model import Province

ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@(?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
PACKED = re.compile(r"SRS[01][=+-][^\s@<>]*@?", re.IGNORECASE)
"""An author's address within one of ours (SRS)."""


class Veil:
    """Replaces the addresses of the province's people by their id in the roster and their posts, and the auditor's own.

    A person's old address, a sub-address (``name+word@``) and an address that was cut at its end are theirs too.
    """

    def __init__(self, province: Province, auditor: str | None = None):
        self.people: dict[str, str] = {}
        for person in province.people:
            posts = ", ".join(province.posts[code].name for code in person.posts)
            self.people[person.address] = f"[{person.id}{f' {posts}' if posts else ''}]"
        self.people |= {
            former.address: self.people[former.to] for former in province.former if former.to in self.people
        }
        self.people |= {left.address: f"[{left.id} đã nghỉ / left]" for left in province.left}
        if auditor:
            self.people.setdefault(auditor.lower(), "[người kiểm tra / the auditor]")
        self._sorted = sorted(self.people)

    def __call__(self, line: str) -> str:
        """A line without personal addresses."""
        if "@" not in line:
            return line
        return ADDRESS.sub(lambda found: self._name(found[0].lower()) or found[0], PACKED.sub("[gói / packed]@", line))

    def _name(self, address: str) -> str | None:
        local, _, domain = address.partition("@")
        whole = f"{local.partition('+')[0]}@{domain}"
        if whole in self.people:
            return self.people[whole]
        place = bisect_left(self._sorted, whole)
        found = [address for address in self._sorted[place : place + 2] if address.startswith(whole)]
        # Namesakes have the same beginning in many schools.
        return self.people[found[0]] if len(found) == 1 else "[của ai đó / somebody's]" if found else None
