"""Asks authoritative name servers, many questions at a time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
from dns.flags import Flag
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from edumail.dnscheck import Anchors, Question, Rows, rows
from edumail.model import Nameserver

_AT_A_TIME = 32
_SECONDS, _TRIES = 2.0, 4
_PAYLOAD = 1232  # bytes in a datagram that no path has to cut (DNS flag day 2020)

Signed = tuple[dns.rrset.RRset | None, dns.rrset.RRset | None]
"""Records and their signatures; None: there are none."""


class Silent(Exception):
    """A server does not answer."""


class Server:
    """One name server at one of its addresses."""

    def __init__(self, name: str, address: str):
        self.name, self.address = name, address

    async def ask(self, question: Question, dnssec: bool = False) -> dns.message.Message:
        """The server's own answer, no other server asked. Raises Silent."""
        name, kind = question
        query = dns.message.make_query(name, kind, flags=0, use_edns=0, payload=_PAYLOAD, want_dnssec=dnssec)
        for _ in range(_TRIES):
            try:
                answer, _tcp = await dns.asyncquery.udp_with_fallback(query, self.address, timeout=_SECONDS)
                return answer
            except (dns.exception.DNSException, OSError) as error:
                last = error
        raise Silent(f"{type(last).__name__}: {last}")

    async def serves(self, apex: str) -> str | None:
        """None when the server is an authority for the zone, else what it said instead. Raises Silent."""
        return _refusal(await self.ask((dns.name.from_text(apex), RdataType.SOA)))

    async def signed(self, apex: str, kind: RdataType) -> Signed:
        """The zone's own records of one type with their signatures. Raises Silent, also where no authority answers.

        A refusal, or what a network answers in the server's place, does not show that there are none.
        """
        name = dns.name.from_text(apex)
        answer = await self.ask((name, kind), dnssec=True)
        if refusal := _refusal(answer):
            raise Silent(refusal)
        return (
            answer.get_rrset(answer.answer, name, RdataClass.IN, kind),
            answer.get_rrset(answer.answer, name, RdataClass.IN, RdataType.RRSIG, kind),
        )

    async def answers(self, questions: Iterable[Question], tell: Callable[[int], None]) -> dict[Question, Rows]:
        """What the server says to each question; ``tell`` hears how many are answered. Raises Silent."""
        waiting = iter(questions)
        result: dict[Question, Rows] = {}

        async def worker() -> None:
            for question in waiting:
                result[question] = _rows(question, await self.ask(question))
                tell(len(result))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_A_TIME):
                    group.create_task(worker())
        except* Silent as errors:
            raise errors.exceptions[0] from None
        return result


def _refusal(answer: dns.message.Message) -> str | None:
    if answer.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(answer.rcode())
    return None if answer.flags & Flag.AA else "not authoritative"


def _rows(question: Question, answer: dns.message.Message) -> Rows:
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        said = dns.rcode.to_text(answer.rcode())
        return {said.encode(): said}
    name, kind = question
    alias = answer.get_rrset(answer.answer, name, RdataClass.IN, RdataType.CNAME)
    if alias is not None:
        return {key: f"CNAME {text}" for key, text in rows(alias).items()}
    return rows(answer.get_rrset(answer.answer, name, RdataClass.IN, kind) or ())


def addresses(server: Nameserver) -> list[str]:
    """Where to ask: the inventory's addresses, else what this machine's resolver says. Raises Silent."""
    given = [str(address) for address in (server.ipv4, server.ipv6) if address is not None]
    try:
        return given or [str(row[4][0]) for row in socket.getaddrinfo(server.name, 53, type=socket.SOCK_DGRAM)]
    except OSError as error:
        raise Silent(str(error)) from None


async def reached(server: Nameserver, apex: str) -> Server:
    """The server at the first of its addresses that answers. Raises Silent."""
    for address in (every := addresses(server)):
        candidate = Server(server.name, address)
        try:
            await candidate.ask((dns.name.from_text(apex), RdataType.SOA))
            return candidate
        except Silent:
            continue
    raise Silent(", ".join(every))


async def anchors(apex: str) -> Anchors:
    """The DS records of the zone above, from this machine's resolver."""
    try:
        return (await dns.asyncresolver.Resolver().resolve(apex, "DS", lifetime=5)).rrset
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    except (dns.exception.DNSException, OSError):
        return "unknown"
