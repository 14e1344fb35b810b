"""``edumail dns --check``: the rendered zones against the live ones, server by server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from dns.rdatatype import RdataType

from edumail.cli.language import say
from edumail.cli.nameservers import Server, Silent, anchors, reached
from edumail.cli.terminal import Status
from edumail.dns import zones
from edumail.dnscheck import Anchors, Difference, Question, Rows, Signature, difference, signature, wanted
from edumail.model import Province

_EQUAL, _DIFFERENT, _SILENT = 0, 1, 2


@dataclass
class Found:
    """What one server says of one zone."""

    asked: int = 0
    refusal: str | None = None
    signature: Signature = "unsigned"
    broken: str = ""
    differences: list[Difference] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether it says what it should."""
        return self.refusal is None and not self.differences and self.signature != "broken"


def check(province: Province) -> int:
    """Ask every server about every zone, print what differs, and give the exit status."""
    return asyncio.run(_check(province))


async def _check(province: Province) -> int:
    right = wanted(zones(province, 0))
    above = dict(zip(right, await asyncio.gather(*map(anchors, right)), strict=True))
    status = _EQUAL
    progress = Status()
    for nameserver in province.settings.nameservers:
        try:
            server = await reached(nameserver, next(iter(right)))
            found = {apex: await _zone(server, apex, right[apex], above[apex], progress) for apex in right}
        except Silent as error:
            progress.clear()
            print(say(f"{nameserver.name}: không trả lời ({error})", f"{nameserver.name}: does not answer ({error})"))
            status = _SILENT
            continue
        progress.clear()
        _print(server, found)
        if status == _EQUAL and not all(zone.sound for zone in found.values()):
            status = _DIFFERENT
    return status


async def _zone(server: Server, apex: str, right: Mapping[Question, Rows], above: Anchors, progress: Status) -> Found:
    refusal = await server.serves(apex)
    if refusal is not None:
        return Found(refusal=refusal)

    def tell(count: int) -> None:
        if count % 100 == 0:
            progress.now(f"{server.name} {apex}: {count}/{len(right)}")

    live = await server.answers(right, tell)
    differences = (difference(question, right[question], live[question]) for question in right)
    keys, soa = await server.signed(apex, RdataType.DNSKEY), await server.signed(apex, RdataType.SOA)
    state, broken = signature(keys, soa, above, time.time())
    return Found(len(right), None, state, broken, [found for found in differences if found is not None])


def _print(server: Server, found: Mapping[str, Found]) -> None:
    print(f"{server.name} ({server.address})")
    width = max(map(len, found))
    for apex, zone in found.items():
        if zone.refusal is not None:
            verdict = say(f"không phục vụ zone này: {zone.refusal}", f"does not serve this zone: {zone.refusal}")
        else:
            count = len(zone.differences)
            verdict = say(f"{count} chỗ khác", f"{count} differences") if count else say("như nhau", "equal")
            verdict += say(f" ({zone.asked} câu hỏi); ", f" ({zone.asked} questions); ") + _signature(zone)
        print(f"  {apex:<{width}}  {verdict}")
        for row in zone.differences:
            both = row.missing and row.surplus
            for text in row.surplus:
                print(f"    {say('sai  ', 'wrong  ') if both else say('thừa ', 'surplus')}  {_owner(row)} {text}")
            for text in row.missing:
                print(f"    {say('đúng ', 'right  ') if both else say('thiếu', 'missing')}  {_owner(row)} {text}")


def _owner(row: Difference) -> str:
    name, kind = row.question
    return f"{name.to_text()} {RdataType.to_text(kind)}"


def _signature(zone: Found) -> str:
    match zone.signature:
        case "unsigned":
            return say("không ký DNSSEC (DANE không có tác dụng)", "not signed with DNSSEC (DANE has no effect)")
        case "broken":
            return say(f"CHỮ KÝ DNSSEC SAI: {zone.broken}", f"DNSSEC IS BROKEN: {zone.broken}")
        case "no-anchor":
            return say("đã ký DNSSEC, nhưng zone trên không có DS", "signed with DNSSEC, but the zone above has no DS")
        case "anchored":
            return say("đã ký DNSSEC, zone trên xác nhận", "signed with DNSSEC, confirmed by the zone above")
        case "anchor-unknown":
            return say(
                "đã ký DNSSEC; không hỏi được zone trên", "signed with DNSSEC; the zone above could not be asked"
            )
