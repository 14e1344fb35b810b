"""Answers about the servers that carry a unit's mail and page: each is asked once, whatever the number of units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial

from edumail.circular.verdicts import Verdict
from edumail.model import Unit
from edumail.units import portal_host
from roles.common.paths import has_mail
from tests.circular.audit import Audit, AuditError
from tests.circular.dialogues import Seen, folded, seen_at
from tests.circular.host import unseen
from tests.circular.mailed import Undecided
from tests.circular.network import Network
from tests.circular.portal import Answer

Told = tuple[bool, list[str]]
"""Whether all is well, and what was seen."""
Ask = Callable[[Network, str], Seen]
"""What is asked at a port of a host, by its name."""


def by_hosts(
    audit: Audit,
    units: Iterable[Unit],
    judge: Callable[[str], Told],
    best: Verdict = "pass",
    own: Mapping[str, Told] | None = None,
) -> Iterator[tuple[Unit, Answer]]:
    """Each unit, by the host of its mailboxes, by the one of its page, and by the gateway that both come through.

    ``best`` is the verdict where all is well; ``own`` is what was seen of the units themselves. Raises AuditError at
    the end, where a host could not be judged, for the units that nothing else fails.
    """

    @cache
    def judged(host: str) -> tuple[bool | None, list[str]]:
        try:
            return judge(host)
        except AuditError as error:
            return None, [str(error)]

    undecided = Undecided()
    for unit in units:
        others = dict.fromkeys([portal_host(unit), audit.mail.gateway.name])
        why = {host: unseen(audit, host) for host in others if host != unit.host}
        hidden = {host: reason for host, reason in why.items() if reason}
        for host, reason in hidden.items():
            audit.unseen[reason] = "unasked" if has_mail(audit.province.hosts[host]) else "hidden"
        hosts = [unit.host, *(host for host in why if host not in hidden)]
        answers = [*map(judged, hosts), *([own[unit.id]] if own else [])]
        good = folded(fine for fine, _ in answers)
        left = [*hidden.values()]
        evidence = [line for _, lines in answers for line in lines] + left
        with undecided.of(unit):
            if good is None:
                raise AuditError("; ".join(line for fine, lines in answers if fine is None for line in lines))
            yield unit, ("fail" if not good else "not-tested" if left else best, evidence)
    undecided.tell()


def at_doors(audit: Audit, on: str, doors: Mapping[int, Ask]) -> list[Seen]:
    """What comes of a dialogue at each of these ports of a host, and of the front, which all mail programs know."""
    names = dict.fromkeys([audit.province.hosts[on].fqdn, audit.province.settings.front_name])
    return [seen for name in names for seen in _asked(audit, name, doors)]


def _asked(audit: Audit, name: str, doors: Mapping[int, Ask]) -> list[Seen]:
    known: dict[tuple[str, int, Ask], Seen] = audit.kept.setdefault("doors", {})
    new = {port: ask for port, ask in doors.items() if (name, port, ask) not in known}
    found = seen_at(audit, {f"{name}:{port}": partial(ask, audit.network, name) for port, ask in new.items()})
    known |= {(name, port, ask): found[f"{name}:{port}"] for port, ask in new.items()}
    return [known[name, port, ask] for port, ask in doors.items()]
