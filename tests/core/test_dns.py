"""The zones that `edumail dns` renders, read back by dnspython's parser and by Knot's checker."""

from __future__ import annotations

import base64
import re
import shutil

import dns.name
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edumail.dns import deepest_zone, zones
from edumail.example import generate, write
from edumail.load import load
from edumail.model import Dkim, Nameserver, Province, Published, SuppliedCertificates

IDENTITY = ":".join(f"{byte:02X}" for byte in range(32))
TLSA = f"3 1 1 {bytes(range(32)).hex()}"
DOMAINS = ("sogddt.minhha.test", "suoimo.minhha.test", "thptsongque.test")


def key(byte: int) -> str:
    """Something of the length of a 2048-bit RSA key."""
    return base64.b64encode(bytes([byte]) * 294).decode()


def with_keys(province: Province) -> Province:
    published = {
        name: Published(dkim=Dkim(selector=f"s-{name}", public_key=key(number)), identity=IDENTITY)
        for number, name in enumerate(province.hosts)
    }
    return province.model_copy(update={"published": published})


def parsed(province: Province, serial: int = 1) -> dict[str, dns.zone.Zone]:
    return {apex: dns.zone.from_text(text, origin=apex) for apex, text in zones(province, serial).items()}


def records(zone: dns.zone.Zone, name: str, kind: str) -> set[str]:
    """The data of a name's records of one type, names absolute; the strings of TXT joined."""
    relative = dns.name.from_text(name).relativize(zone.origin or dns.name.root)
    found = zone.get_rdataset(relative, kind)
    if found is None:
        return set()
    if kind == "TXT":
        return {b"".join(record.strings).decode() for record in found}
    return {record.to_text(origin=zone.origin, relativize=False) for record in found}


@pytest.fixture(scope="module")
def lab(province: Province) -> dict[str, dns.zone.Zone]:
    return parsed(with_keys(province), serial=2026)


def test_each_zone_has_its_authority_and_the_glue_for_it(lab: dict[str, dns.zone.Zone]) -> None:
    for apex, zone in lab.items():
        (soa,) = records(zone, apex, "SOA")
        assert soa.startswith("ns.minhha.test. hostmaster.sogddt.minhha.test. 2026 ")
        assert records(zone, apex, "NS") == {"ns.minhha.test."}
    assert records(lab["minhha.test"], "ns.minhha.test", "A") == {"198.18.37.53"}
    assert records(lab["minhha.test"], "ns.minhha.test", "AAAA") == {"2001:db8:37::53"}


def test_mail_of_every_domain_goes_to_the_gateway_which_alone_may_send(lab: dict[str, dns.zone.Zone]) -> None:
    for domain in DOMAINS:
        zone = lab[deepest_zone(domain, lab) or ""]
        assert records(zone, domain, "MX") == {"10 mail-so.minhha.test."}
        assert records(zone, domain, "TXT") == {"v=spf1 a:mail-so.minhha.test -all"}
        policy = "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:hostmaster@sogddt.minhha.test"
        assert records(zone, f"_dmarc.{domain}", "TXT") == {policy}


def test_hosts_and_pages_have_both_addresses(lab: dict[str, dns.zone.Zone], province: Province) -> None:
    for host in province.hosts.values():
        zone = lab[deepest_zone(host.fqdn, lab) or ""]
        assert records(zone, host.fqdn, "A") == {str(host.ipv4)}
        assert records(zone, host.fqdn, "AAAA") == {str(host.ipv6)}
        assert records(zone, host.fqdn, "TXT") == {"v=spf1 a -all"}
    for unit in province.units.values():
        # One way in: the gateway knows which host has the portal.
        for name in (unit.portal, *unit.former_portals):
            zone = lab[deepest_zone(name, lab) or ""]
            assert records(zone, name, "A") == {"198.18.37.11"}
            assert records(zone, name, "AAAA") == {"2001:db8:37::11"}


@pytest.mark.parametrize("name", ["minhha.test", "mail.minhha.test", "www.thptsongque.test", "c2suoimo.minhha.test"])
def test_names_without_mail_say_so(lab: dict[str, dns.zone.Zone], name: str) -> None:
    zone = lab[deepest_zone(name, lab) or ""]
    assert records(zone, name, "MX") == {"0 ."}
    assert records(zone, name, "TXT") == {"v=spf1 -all"}


def test_who_signs_for_a_domain_has_a_key_there_and_nobody_else(lab: dict[str, dns.zone.Zone]) -> None:
    expected = {
        "sogddt.minhha.test": {"mail-so"},
        "suoimo.minhha.test": {"mail-so", "mail-xa"},  # one domain, units on two hosts
        "thptsongque.test": {"mail-so", "mail-thpt"},  # the gateway signs bounces
    }
    for domain, hosts in expected.items():
        zone = lab[deepest_zone(domain, lab) or ""]
        for number, host in enumerate(("mail-so", "mail-xa", "mail-thpt")):
            found = records(zone, f"s-{host}._domainkey.{domain}", "TXT")
            assert found == ({f"v=DKIM1; k=rsa; p={key(number)}"} if host in hosts else set())


def test_the_gateways_key_is_published_where_others_reach_it(lab: dict[str, dns.zone.Zone]) -> None:
    zone = lab["minhha.test"]
    assert records(zone, "_25._tcp.mail-so.minhha.test", "TLSA") == {TLSA}
    for port in (465, 587, 993, 995, 4190):
        assert records(zone, f"_{port}._tcp.mail.minhha.test", "TLSA") == {TLSA}
    assert not records(zone, "_25._tcp.mail-xa.minhha.test", "TLSA")  # nobody outside connects to it


def test_a_key_that_no_host_has_published_is_left_out(province: Province) -> None:
    assert "TLSA" not in "".join(zones(province.model_copy(update={"published": {}}), 1).values())


def test_every_mail_domain_says_how_to_send_to_it_safely(lab: dict[str, dns.zone.Zone]) -> None:
    for domain in DOMAINS:
        zone = lab[deepest_zone(domain, lab) or ""]
        (sts,) = records(zone, f"_mta-sts.{domain}", "TXT")
        assert re.fullmatch(r"v=STSv1; id=[0-9a-f]{32}", sts)  # RFC 8461, 3.1: up to 32 letters and digits
        assert records(zone, f"_smtp._tls.{domain}", "TXT") == {"v=TLSRPTv1; rua=mailto:hostmaster@sogddt.minhha.test"}
        for label in ("mta-sts", "autoconfig", "autodiscover"):
            assert records(zone, f"{label}.{domain}", "A") == {"198.18.37.11"}
            assert records(zone, f"{label}.{domain}", "AAAA") == {"2001:db8:37::11"}


def test_the_policys_id_changes_with_the_policy_and_with_nothing_else(province: Province) -> None:
    def ids(changed: Province, serial: int) -> set[str]:
        return set(re.findall(r"v=STSv1; id=(\w+)", "".join(zones(changed, serial).values())))

    assert len(ids(province, 1)) == 1
    assert ids(province, 1) == ids(with_keys(province), 2)
    gateway = province.hosts["mail-so"].model_copy(update={"fqdn": "mx.minhha.test"})
    moved = province.model_copy(update={"hosts": {**province.hosts, "mail-so": gateway}})
    assert ids(moved, 1).isdisjoint(ids(province, 1))


def test_mail_programs_find_the_front(lab: dict[str, dns.zone.Zone]) -> None:
    assert records(lab["minhha.test"], "mail.minhha.test", "A") == {"198.18.37.11"}
    assert records(lab["minhha.test"], "mail.minhha.test", "AAAA") == {"2001:db8:37::11"}
    expected = {
        "_imaps": "0 1 993",
        "_pop3s": "10 1 995",  # IMAP is to be tried first
        "_submissions": "0 1 465",
        "_submission": "10 1 587",
        "_sieve": "0 1 4190",
        "_autodiscover": "0 1 443",
    }
    for domain in DOMAINS:
        zone = lab[deepest_zone(domain, lab) or ""]
        for label, data in expected.items():
            assert records(zone, f"{label}._tcp.{domain}", "SRV") == {f"{data} mail.minhha.test."}


def test_the_front_may_be_the_gateways_own_name(province: Province) -> None:
    changed = province.settings.model_copy(update={"front": "mail-so.minhha.test"})
    zone = parsed(with_keys(province.model_copy(update={"settings": changed})))["minhha.test"]
    assert records(zone, "mail-so.minhha.test", "A") == {"198.18.37.11"}
    assert records(zone, "mail-so.minhha.test", "TXT") == {"v=spf1 a -all"}
    assert not records(zone, "mail-so.minhha.test", "MX")
    assert records(zone, "_993._tcp.mail-so.minhha.test", "TLSA") == {TLSA}


def test_no_public_authority_may_certify_names_of_the_province(lab: dict[str, dns.zone.Zone]) -> None:
    for apex, zone in lab.items():
        assert records(zone, apex, "CAA") == {'0 issue ";"', '0 iodef "mailto:hostmaster@sogddt.minhha.test"'}


def test_the_chosen_authorities_may_certify_names_of_the_province(province: Province) -> None:
    choice = SuppliedCertificates.model_validate({"from": "files", "issuers": ["ca.example", "letsencrypt.org"]})
    settings = province.settings.model_copy(update={"certificates": choice})
    for apex, zone in parsed(province.model_copy(update={"settings": settings})).items():
        issuers = {record for record in records(zone, apex, "CAA") if " issue " in record}
        assert issuers == {'0 issue "ca.example"', '0 issue "letsencrypt.org"'}


def test_a_supplied_key_is_published_beside_the_host_s_own(province: Province) -> None:
    """Should the supplied certificate end, the host shows its own key again."""
    other = IDENTITY.replace("00:", "FF:", 1)
    both = province.model_copy(update={"published": {"mail-so": Published(identity=IDENTITY, supplied=other)}})
    found = records(parsed(both)["minhha.test"], "_25._tcp.mail-so.minhha.test", "TLSA")
    assert found == {TLSA, f"3 1 1 {other.replace(':', '').lower()}"}


def test_reports_may_cross_from_one_registered_domain_to_another(lab: dict[str, dns.zone.Zone]) -> None:
    zone = lab["minhha.test"]
    assert records(zone, "thptsongque.test._report._dmarc.sogddt.minhha.test", "TXT") == {"v=DMARC1"}
    assert not records(zone, "suoimo.minhha.test._report._dmarc.sogddt.minhha.test", "TXT")
    assert not records(zone, "*._report._dmarc.sogddt.minhha.test", "TXT")


def test_a_zone_below_another_is_delegated_and_holds_its_own_names(province: Province) -> None:
    server = Nameserver.model_validate({"name": "ns.suoimo.minhha.test", "ipv4": "198.18.37.54"})
    changed = {"zones": (*province.settings.zones, "suoimo.minhha.test"), "nameservers": (server,)}
    found = parsed(province.model_copy(update={"settings": province.settings.model_copy(update=changed)}))
    above, below = found["minhha.test"], found["suoimo.minhha.test"]
    assert records(above, "suoimo.minhha.test", "NS") == {"ns.suoimo.minhha.test."}
    assert records(above, "ns.suoimo.minhha.test", "A") == {"198.18.37.54"}
    assert not records(above, "suoimo.minhha.test", "MX")
    assert not records(above, "vhxh.suoimo.minhha.test", "A")
    assert records(below, "suoimo.minhha.test", "MX") == {"10 mail-so.minhha.test."}
    assert records(below, "vhxh.suoimo.minhha.test", "A") == {"198.18.37.11"}


def test_a_mail_domain_that_is_a_hosts_name_has_one_spf_record(province: Province) -> None:
    host = province.hosts["mail-thpt"].model_copy(update={"fqdn": "thptsongque.test"})
    zone = parsed(province.model_copy(update={"hosts": {**province.hosts, "mail-thpt": host}}))["thptsongque.test"]
    assert records(zone, "thptsongque.test", "TXT") == {"v=spf1 a a:mail-so.minhha.test -all"}


def test_a_dot_in_the_hostmasters_name_is_escaped(province: Province) -> None:
    changed = province.settings.model_copy(update={"hostmaster": "quan.tri@sogddt.minhha.test"})
    zone = parsed(province.model_copy(update={"settings": changed}))["minhha.test"]
    (soa,) = records(zone, "minhha.test", "SOA")
    assert soa.split()[1] == "quan\\.tri.sogddt.minhha.test."


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(units=st.integers(1, 45), seed=st.integers(0, 10**9), serial=st.integers(0, 2**32 - 1))
def test_zones_of_any_province_are_zones(
    tmp_path_factory: pytest.TempPathFactory, units: int, seed: int, serial: int
) -> None:
    folder = tmp_path_factory.mktemp("province")
    write(generate(units, seed), folder)
    province = with_keys(load(folder))
    texts = zones(province, serial)
    assert list(texts) == sorted(province.settings.zones)
    assert texts == zones(province, serial)
    found = {apex: dns.zone.from_text(text, origin=apex) for apex, text in texts.items()}
    for name in {unit.domain for unit in province.units.values()}:
        assert records(found[deepest_zone(name, found) or ""], name, "MX")
    for name in {unit.portal for unit in province.units.values()}:
        assert records(found[deepest_zone(name, found) or ""], name, "A")
    shutil.rmtree(folder)
