"""Rendered zones against what name servers answer: what to ask, and what the answers mean. The asking is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataset
import dns.rrset
import dns.zone
from dns.rdatatype import RdataType

from edumail.dns import deepest_zone

Question = tuple[dns.name.Name, RdataType]
Rows = dict[bytes, str]
"""Records of one name and type: a form in which equal records are equal → the record as people read it."""

_EVERY_NAME = (RdataType.A, RdataType.AAAA, RdataType.MX, RdataType.TXT)
"""Asked at every name that is a host or a domain, also where nothing is rendered: one too many leads mail astray."""


@dataclass(frozen=True)
class Difference:
    """What a server says otherwise than it should about one name and type."""

    question: Question
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def wanted(texts: Mapping[str, str]) -> dict[str, dict[Question, Rows]]:
    """For each zone of :func:`edumail.dns.zones`, every question and its right answer; an empty one: no record.

    Left out: the SOA record, which belongs to whoever runs the server, and what lies in a zone below.
    """
    result = {}
    for apex, text in texts.items():
        zone = dns.zone.from_text(text, origin=apex, relativize=False)
        answers: dict[Question, Rows] = {}
        for name, node in zone.nodes.items():
            if deepest_zone(name.to_text(omit_final_dot=True), texts) != apex:
                continue
            if not any(label.startswith(b"_") for label in name.labels):
                answers |= {(name, kind): {} for kind in _EVERY_NAME}
            for rdataset in node:
                if rdataset.rdtype != RdataType.SOA:
                    answers[name, rdataset.rdtype] = rows(rdataset)
        result[apex] = answers
    return result


def rows(records: Iterable[dns.rdata.Rdata]) -> Rows:
    """The records in a form to compare; how a text is cut into strings makes no difference (RFC 7208, 3.3)."""
    result = {}
    for record in records:
        if record.rdtype == RdataType.TXT:
            text = b"".join(record.strings)  # type: ignore[attr-defined]
            result[text] = f'"{text.decode(errors="backslashreplace")}"'
        else:
            result[record.to_digestable()] = record.to_text()
    return result


def difference(question: Question, right: Rows, found: Rows) -> Difference | None:
    """How the records differ, or None."""
    missing = tuple(sorted(right[key] for key in right.keys() - found.keys()))
    surplus = tuple(sorted(found[key] for key in found.keys() - right.keys()))
    return Difference(question, missing, surplus) if missing or surplus else None


Anchors = dns.rdataset.Rdataset | None | Literal["unknown"]
"""The DS records that the zone above has for a zone, if it has any and could be asked."""
Signature = Literal["unsigned", "broken", "no-anchor", "anchored", "anchor-unknown"]
"""Whether a zone is signed: not at all; so that whoever validates refuses it; right, but the zone above does not say
so, and nobody validates it; right from above; right, and the zone above could not be asked."""


def signature(
    keys: tuple[dns.rrset.RRset | None, dns.rrset.RRset | None],
    soa: tuple[dns.rrset.RRset | None, dns.rrset.RRset | None],
    anchors: Anchors,
    now: float,
) -> tuple[Signature, str]:
    """The state of a zone's DNSSEC at ``now`` (Unix time), and what is broken.

    keys, soa: the DNSKEY and the SOA records that the server gave, each with its RRSIG records.
    """
    if keys[0] is None:
        if anchors is None or anchors == "unknown":
            return "unsigned", ""
        return "broken", "DS ✓, DNSKEY ✗"
    try:
        for rrset, signatures in (keys, soa):
            if rrset is None or signatures is None:
                return "broken", "DNSKEY ✓, RRSIG ✗"
            dns.dnssec.validate(rrset, signatures, {keys[0].name: keys[0]}, now=now)
    except dns.exception.DNSException as error:
        return "broken", str(error)
    if anchors is None:
        return "no-anchor", ""
    if anchors == "unknown":
        return "anchor-unknown", ""
    for anchor in anchors:
        for key in keys[0]:
            try:
                made = dns.dnssec.make_ds(keys[0].name, key, anchor.digest_type, validating=True)
            except dns.exception.DNSException:
                continue
            if made == anchor:
                return "anchored", ""
    return "broken", "DS ≠ DNSKEY"
