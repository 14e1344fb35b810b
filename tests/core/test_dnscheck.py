"""What the live zones are compared with, and what is said of their signatures."""

from __future__ import annotations

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataset
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdatatype import RdataType

from edumail.dns import zones
from edumail.dnscheck import difference, rows, signature, wanted
from edumail.model import Nameserver, Province

NOW = 1_800_000_000


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def records(kind: str, *data: str) -> dns.rdataset.Rdataset:
    return dns.rdataset.from_text("IN", kind, 300, *data)


class TestWhatIsAsked:
    def test_everything_that_is_rendered_but_the_soa(self, province: Province) -> None:
        texts = zones(province, 1)
        asked = wanted(texts)
        for apex, text in texts.items():
            rendered = sum(not line.startswith((";", "$")) for line in text.splitlines() if line)
            assert sum(map(len, asked[apex].values())) == rendered - 1
            assert (name(apex), RdataType.SOA) not in asked[apex]

    def test_records_that_are_not_rendered_are_asked_for_at_names_of_hosts_and_domains(
        self, province: Province
    ) -> None:
        asked = wanted(zones(province, 1))["minhha.test"]
        assert asked[name("sogddt.minhha.test"), RdataType.MX]
        assert asked[name("suoimo.minhha.test"), RdataType.A] == {}
        assert (name("_dmarc.sogddt.minhha.test"), RdataType.A) not in asked

    def test_a_zone_below_is_asked_about_once(self, province: Province) -> None:
        server = Nameserver.model_validate({"name": "ns.suoimo.minhha.test", "ipv4": "198.18.37.54"})
        changed = {"zones": (*province.settings.zones, "suoimo.minhha.test"), "nameservers": (server,)}
        texts = zones(province.model_copy(update={"settings": province.settings.model_copy(update=changed)}), 1)
        asked = wanted(texts)
        for owner in ("suoimo.minhha.test", "ns.suoimo.minhha.test", "vhxh.suoimo.minhha.test"):
            assert not any(question[0] == name(owner) for question in asked["minhha.test"])
            assert any(question[0] == name(owner) for question in asked["suoimo.minhha.test"])


class TestDifferences:
    question = (name("a.test"), RdataType.MX)

    def test_equal_records_are_equal_in_any_case_and_order(self) -> None:
        right, found = records("MX", "10 A.test.", "20 b.test."), records("MX", "20 b.test.", "10 a.test.")
        assert difference(self.question, rows(right), rows(found)) is None

    def test_how_a_text_is_cut_makes_no_difference(self) -> None:
        question = (name("a.test"), RdataType.TXT)
        assert difference(question, rows(records("TXT", '"ab" "c"')), rows(records("TXT", '"abc"'))) is None
        assert difference(question, rows(records("TXT", '"ab" "c"')), rows(records("TXT", '"ab c"'))) is not None

    @pytest.mark.parametrize(
        ("right", "found", "missing", "surplus"),
        [
            (["10 a."], [], ("10 a.",), ()),
            ([], ["10 a."], (), ("10 a.",)),
            (["10 a."], ["20 a."], ("10 a.",), ("20 a.",)),
            (["10 a.", "20 b."], ["20 b.", "30 c."], ("10 a.",), ("30 c.",)),
        ],
    )
    def test_each_record_too_few_or_too_many_is_named(
        self, right: list[str], found: list[str], missing: tuple[str, ...], surplus: tuple[str, ...]
    ) -> None:
        row = difference(
            self.question, rows(records("MX", *right) if right else ()), rows(records("MX", *found) if found else ())
        )
        assert row is not None
        assert (row.missing, row.surplus) == (missing, surplus)


class TestSignatures:
    apex = name("a.test")

    @pytest.fixture(autouse=True)
    def _zone(self) -> None:
        self.secret = ec.generate_private_key(ec.SECP256R1())
        self.key = dns.dnssec.make_dnskey(self.secret.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
        self.keys = self.signed(dns.rrset.from_rdata(self.apex, 300, self.key))
        self.soa = self.signed(dns.rrset.from_text(self.apex, 300, "IN", "SOA", "ns.a.test. h.a.test. 1 2 3 4 5"))

    def signed(self, rrset: dns.rrset.RRset, days: int = 1) -> tuple[dns.rrset.RRset, dns.rrset.RRset]:
        signature = dns.dnssec.sign(
            rrset, self.secret, self.apex, self.key, inception=NOW - 3600, expiration=NOW + days * 86400
        )
        return rrset, dns.rrset.from_rdata(self.apex, 300, signature)

    def anchor(self, key: dns.rdata.Rdata) -> dns.rdataset.Rdataset:
        return dns.rdataset.from_rdata(300, dns.dnssec.make_ds(self.apex, key, "SHA256"))

    def test_a_chain_from_the_zone_above(self) -> None:
        assert signature(self.keys, self.soa, self.anchor(self.key), NOW) == ("anchored", "")

    def test_without_a_word_from_above_nobody_validates(self) -> None:
        assert signature(self.keys, self.soa, None, NOW)[0] == "no-anchor"
        assert signature(self.keys, self.soa, "unknown", NOW)[0] == "anchor-unknown"

    def test_an_unsigned_zone(self) -> None:
        assert signature((None, None), (self.soa[0], None), None, NOW)[0] == "unsigned"

    def test_what_makes_validators_refuse_a_zone_is_broken(self) -> None:
        other = dns.dnssec.make_dnskey(
            ec.generate_private_key(ec.SECP256R1()).public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257
        )
        for keys, soa, anchors, now in (
            ((None, None), (self.soa[0], None), self.anchor(self.key), NOW),  # the zone above says it is signed
            (self.keys, (self.soa[0], None), None, NOW),
            (self.keys, self.soa, None, NOW + 2 * 86400),  # expired
            (self.keys, self.soa, self.anchor(other), NOW),
        ):
            state, reason = signature(keys, soa, anchors, now)
            assert state == "broken"
            assert reason
