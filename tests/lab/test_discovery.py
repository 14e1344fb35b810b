"""Mail programs and other mail servers find out by themselves how to reach us, over HTTPS by the names in DNS."""

from __future__ import annotations

import hashlib
import http.client
import plistlib
import socket
import ssl
from xml.etree import ElementTree

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edumail import discovery
from tests.lab.province import LabProvince

DOMAINS = ("sogddt.minhha.test", "suoimo.minhha.test", "thptsongque.test")
EVERY_DOMAIN = pytest.mark.parametrize("domain", DOMAINS)
FRONT = "mail.minhha.test"
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


def outlook(province: LabProvince, host: str, address: str) -> list[dict[str, str | None]]:
    """What Outlook learns at ``host`` about ``address``, a dictionary for each protocol."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
        f"<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{OUTLOOK[1:-1]}</AcceptableResponseSchema>"
        "</Request></Autodiscover>"
    )
    connection = http.client.HTTPSConnection(host, timeout=15)
    connection.sock = province.network.tls(host, 443)
    connection.request("POST", "/Autodiscover/Autodiscover.xml", body, {"Content-Type": "text/xml; charset=utf-8"})
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers.get_content_type() == "text/xml"
    root = ElementTree.fromstring(response.read())
    return [
        {child.tag.removeprefix(OUTLOOK): child.text for child in protocol}
        for protocol in root.iter(OUTLOOK + "Protocol")
    ]


@EVERY_DOMAIN
def test_the_sts_policy_of_every_domain_is_served_to_who_verifies(province: LabProvince, domain: str) -> None:
    """As a sender does (RFC 8461, 3.3): TLS that checks the name, no redirect, text; and DNS has the policy's id."""
    response, body = province.network.https(f"mta-sts.{domain}", "/.well-known/mta-sts.txt")
    assert response.status == 200
    assert response.headers.get_content_type() == "text/plain"
    policy = dict(line.split(": ") for line in body.decode().splitlines())
    exchangers = [row.split()[1].rstrip(".") for row in province.network.lookup(domain, "MX")]
    assert policy["mode"] == "enforce"
    assert exchangers == [policy["mx"]]
    (record,) = province.network.lookup(f"_mta-sts.{domain}", "TXT")
    assert record == f'"v=STSv1; id={discovery.sts_id(body.decode())}"'


def test_the_exchanger_shows_what_the_policy_and_dns_promise(province: LabProvince) -> None:
    """Its certificate is verified as that of the policy is; its key is the one in the TLSA record."""
    with province.network.smtp(province.gateway) as client:
        client.starttls(context=province.network.context())
        assert isinstance(client.sock, ssl.SSLSocket)
        key = fingerprint(client.sock)
    assert province.network.lookup(f"_25._tcp.{province.gateway}", "TLSA") == [f"3 1 1 {key}"]


@pytest.mark.parametrize("port", [465, 993, 995])
def test_the_front_shows_the_key_that_dns_has(province: LabProvince, port: int) -> None:
    with province.network.tls(FRONT, port) as connection:
        key = fingerprint(connection)
    assert province.network.lookup(f"_{port}._tcp.{FRONT}", "TLSA") == [f"3 1 1 {key}"]


def fingerprint(connection: ssl.SSLSocket) -> str:
    """SHA-256 of the peer's public key."""
    certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


@EVERY_DOMAIN
def test_every_service_that_dns_names_answers_there(province: LabProvince, domain: str) -> None:
    for service in (*discovery.MAIL_SERVICES, discovery.AUTODISCOVER):
        (row,) = province.network.lookup(f"{service.label}._tcp.{domain}", "SRV")
        _, _, port, target = row.split()
        if service.label in ("_submission", "_sieve"):  # a greeting first, then STARTTLS
            socket.create_connection((province.network.address(target.rstrip(".")), int(port)), timeout=15).close()
        else:
            province.network.tls(target.rstrip("."), int(port)).close()


@EVERY_DOMAIN
def test_thunderbird_is_told_over_https_and_over_http(province: LabProvince, domain: str) -> None:
    host = f"autoconfig.{domain}"
    response, body = province.network.https(host, f"/mail/config-v1.1.xml?emailaddress=a%40{domain}")
    assert (response.status, response.headers.get_content_type()) == (200, "text/xml")
    plain = http.client.HTTPConnection(province.network.address(host), timeout=15)
    plain.request("GET", "/mail/config-v1.1.xml", headers={"Host": host})
    assert plain.getresponse().read() == body
    provider = ElementTree.fromstring(body).find("emailProvider")
    assert provider is not None
    found = {server.get("type"): server for server in provider.iter() if server.tag.endswith("Server")}
    assert {type: server.findtext("port") for type, server in found.items()} == {
        "imap": "993",
        "pop3": "995",
        "smtp": "465",
    }
    assert {server.findtext("hostname") for server in found.values()} == {FRONT}


def test_thunderbird_is_told_at_a_page_with_the_domains_name(province: LabProvince) -> None:
    _, there = province.network.https("autoconfig.sogddt.minhha.test", "/mail/config-v1.1.xml")
    response, here = province.network.https("sogddt.minhha.test", "/.well-known/autoconfig/mail/config-v1.1.xml")
    assert (response.status, here) == (200, there)


@pytest.mark.parametrize("host", [FRONT, *(f"autodiscover.{domain}" for domain in DOMAINS)])
def test_outlook_gets_the_address_back_that_it_asked_about(province: LabProvince, host: str) -> None:
    address = "nhilt@suoimo.minhha.test"
    told = outlook(province, host, address)
    assert {row["Type"]: row["Port"] for row in told} == {"IMAP": "993", "POP3": "995", "SMTP": "465"}
    for row in told:
        assert (row["Server"], row["LoginName"], row["SSL"]) == (FRONT, address, "on")


@pytest.mark.parametrize("address", ["a<b>@x.test", "&amp;@x.test", "x" * 300 + "@x.test", ""])
def test_outlook_gets_nothing_back_that_is_no_address(province: LabProvince, address: str) -> None:
    assert {row["LoginName"] for row in outlook(province, FRONT, address)} == {None}


@EVERY_DOMAIN
def test_an_apple_device_gets_a_profile(province: LabProvince, domain: str) -> None:
    response, body = province.network.https(f"autoconfig.{domain}", "/apple.mobileconfig")
    assert (response.status, response.headers.get_content_type()) == (200, "application/x-apple-aspen-config")
    (account,) = plistlib.loads(body)["PayloadContent"]
    assert (account["IncomingMailServerHostName"], account["OutgoingMailServerHostName"]) == (FRONT, FRONT)
