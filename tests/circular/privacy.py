"""Evidence names posts, not people: whoever reads a report needs to know what is wrong, and no more about anybody."""

from __future__ import annotations

import re

from edumail.model import Province

ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")


class Veil:
    """Replaces the addresses of the province's people by their id in the roster and their posts."""

    def __init__(self, province: Province):
        self.people: dict[str, str] = {}
        for person in province.people:
            posts = ", ".join(province.posts[code].name for code in person.posts)
            self.people[person.address] = f"[{person.id}{f' {posts}' if posts else ''}]"
        self.people |= {left.address: f"[{left.id} left]" for left in province.left}

    def __call__(self, line: str) -> str:
        """A line of evidence without personal addresses."""
        return ADDRESS.sub(lambda found: self.people.get(found[0].lower(), found[0]), line)
