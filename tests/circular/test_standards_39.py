"""Standards that Article 3 draws in from Circular 39/2017/TT-BTTTT: SMTP, IMAP and POP3, S/MIME, HTTPS, TLS, IP."""

from __future__ import annotations

import email
import email.policy
import hashlib
import http.client
import imaplib
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import html5lib
import pytest

from edumail.circular.verdicts import Verdict
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.host import knock
from tests.circular.letters import post
from tests.circular.network import TIMEOUT, certificate_text, offers_version
from tests.circular.portal import readings
from tests.circular.test_article_4_mail import opened
from tests.circular.texts import signed

LDAP = (389, 636)
OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
NEW = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.mark.requirement("C37-S39-smtp")
def test_mail_is_taken_by_esmtp(audit: Audit, on: str, record: Record) -> None:
    for unit in audit.units(on):
        try:
            seen = audit.exchangers.greeting(unit.domain)
            good = seen.esmtp and "8bitmime" in seen.features
            said = f"{seen.exchanger}:25 EHLO: {'ESMTP, ' if seen.esmtp else ''}{', '.join(seen.features)}"
        except (OSError, smtplib.SMTPException) as error:
            good, said = False, f"MX of {unit.domain}: {type(error).__name__}: {error}"
        record(unit.id, "C37-S39-smtp", "pass" if good else "fail", [said])


@pytest.mark.requirement("C37-S39-smtps")
def test_mail_is_handed_in_over_tls_only(audit: Audit, on: str, record: Record) -> None:
    host = audit.province.hosts[on].fqdn
    evidence, good = [], True
    try:
        with audit.network.tls(host, 465) as connection:
            banner = connection.recv(200).decode(errors="replace").strip()
            good &= banner.startswith("220")
            evidence.append(f"{host}:465 {certificate_text(connection)}: {banner[:60]}")
        with audit.network.smtp(host, 587) as client:
            code = client.docmd("AUTH", "PLAIN AGEAYg==")[0]
            offered = client.has_extn("auth")
            good &= code >= 500 and not offered and client.has_extn("starttls")
            evidence.append(
                f"{host}:587 before STARTTLS: AUTH {'offered' if offered else 'not offered'}, AUTH → {code}"
            )
    except (OSError, smtplib.SMTPException) as error:
        good = False
        evidence.append(f"{host}: {type(error).__name__}: {error}")
    for unit in audit.units(on):
        try:
            seen = audit.exchangers.greeting(unit.domain)
            starttls = "starttls" in seen.features
            said = f"{seen.exchanger}:25 STARTTLS {'offered' if starttls else 'NOT offered'}"
        except (OSError, smtplib.SMTPException) as error:
            starttls, said = False, f"MX of {unit.domain}: {type(error).__name__}: {error}"
        record(unit.id, "C37-S39-smtps", "pass" if good and starttls else "fail", [*evidence, said])


@pytest.mark.requirement("C37-S39-imaps")
def test_mailboxes_are_read_over_tls_only(audit: Audit, on: str, record: Record) -> None:
    host = audit.province.hosts[on].fqdn
    evidence = []
    try:
        with audit.network.tls(host, 993) as connection:
            banner = connection.recv(300).decode(errors="replace").strip()
            good = banner.startswith("* OK")
            evidence.append(f"{host}:993 {certificate_text(connection)}: {banner[:80]}")
    except OSError as error:
        good = False
        evidence.append(f"{host}:993 {type(error).__name__}: {error}")
    plain, said = _plain_imap_refused(audit, host)
    for unit in audit.units(on):
        record(unit.id, "C37-S39-imaps", "pass" if good and plain else "fail", [*evidence, said])


def _plain_imap_refused(audit: Audit, host: str) -> tuple[bool, str]:
    try:
        client = imaplib.IMAP4(audit.network.address(host), 143, timeout=TIMEOUT)
    except OSError as error:
        return True, f"{host}:143 closed ({type(error).__name__})"
    try:
        client.login("nobody@example.invalid", "x")
    except imaplib.IMAP4.error as error:
        refused = "LOGINDISABLED" in client.capabilities or "PRIVACYREQUIRED" in str(error)
        return refused, f"{host}:143 LOGIN without TLS: {str(error)[:100]}"
    return False, f"{host}:143 takes a password without TLS"


@pytest.mark.requirement("C37-S39-mbox")
def test_mailboxes_are_offered_by_imap_and_pop3(audit: Audit, on: str, record: Record) -> None:
    host = audit.province.hosts[on].fqdn
    try:
        with audit.network.tls(host, 993) as connection:
            imap = connection.recv(500).decode(errors="replace").strip()
        with audit.network.tls(host, 995) as connection:
            pop = connection.recv(200).decode(errors="replace").strip()
            connection.sendall(b"CAPA\r\n")
            lines = b""
            while b"\r\n.\r\n" not in lines and (part := connection.recv(500)):
                lines += part
            capa = " ".join(lines.decode(errors="replace").split())
        good = "IMAP4rev1" in imap and pop.startswith("+OK") and capa.startswith("+OK") and "UIDL" in capa
        evidence = [f"{host}:993 {imap[:90]}", f"{host}:995 {pop[:60]}; CAPA: {capa[:90]}"]
    except OSError as error:
        good, evidence = False, [f"{host}: {type(error).__name__}: {error}"]
    for unit in audit.units(on):
        record(unit.id, "C37-S39-mbox", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-S39-smime")
def test_a_signed_message_comes_through_byte_for_byte(audit: Audit, on: str, record: Record) -> None:
    opened(audit, on)
    letters = post(audit, on, "C37-S39-smime")
    digest = hashlib.sha256(signed().partition(b"\r\n\r\n")[2]).hexdigest()
    for unit in audit.units(on):
        letter = letters.letter(unit.public_address, text="signed")
        raw = letter.found[unit.public_address] if letter.arrived(unit.public_address) else b""
        arrived = hashlib.sha256(raw.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") + b"\r\n").hexdigest()
        kind = email.message_from_bytes(raw, policy=email.policy.default).get_content_type() if raw else "nothing"
        good = arrived == digest and kind == "multipart/signed"
        evidence = [
            f"S/MIME signed mail to {letter.recipient}: {letter.reply[:60]}",
            f"over IMAP: {kind}, SHA-256 of the body {'unchanged' if good else 'CHANGED'} ({arrived[:16]}…)",
        ]
        record(unit.id, "C37-S39-smime", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-S39-ip")
def test_mail_and_pages_are_reached_by_ipv4_and_ipv6(audit: Audit, on: str, record: Record) -> None:
    host = audit.province.hosts[on].fqdn

    reached = cache(audit.network.reached)
    for unit in audit.units(on):
        doors = [(audit.network.exchanger(unit.domain), 25), (host, 993), (host, 465), (unit.portal, 443)]
        seen = [reached(*door, kind) for door in doors for kind in ("A", "AAAA")]
        answers = [good for good, _ in seen]
        verdict: Verdict = "fail" if False in answers else "not-tested" if None in answers else "pass"
        record(unit.id, "C37-S39-ip", verdict, [said for _, said in seen])


@pytest.mark.requirement("C37-S39-dir")
def test_no_directory_is_offered(audit: Audit, on: str, record: Record) -> None:
    """LDAP is asked for where there is a directory; edumail has none, and a port that answers would be one."""
    host = audit.province.hosts[on].fqdn
    address = audit.network.address(host)
    with ThreadPoolExecutor(len(LDAP)) as pool:
        answers = list(pool.map(lambda port: knock(address, port), LDAP))
    offered = any(answers)
    evidence = [
        f"{host}:{port} {'answers: a directory of somebody else, look at it by hand' if answer else 'is shut'}"
        for port, answer in zip(LDAP, answers, strict=True)
    ]
    for unit in audit.units(on):
        record(unit.id, "C37-S39-dir", "not-tested" if offered else "not-applicable", evidence)


@pytest.mark.requirement("C37-S39-https")
def test_pages_are_served_over_https_only(audit: Audit, serving: str, record: Record) -> None:
    for unit in audit.pages(serving):
        evidence, good = [], False
        try:
            with audit.network.tls(unit.portal, 443) as connection:
                evidence.append(f"{unit.portal}:443 {certificate_text(connection)}")
            response, _ = audit.network.https(unit.portal)
            hsts = response.getheader("Strict-Transport-Security")
            plain = http.client.HTTPConnection(audit.network.address(unit.portal), timeout=TIMEOUT)
            plain.request("GET", "/", headers={"Host": unit.portal})
            answer = plain.getresponse()
            location = answer.getheader("Location") or ""
            evidence.append(f"GET / → {response.status}, HSTS {hsts or 'MISSING'}; http: {answer.status} {location}")
            good = response.status == 200 and bool(hsts) and answer.status == 301
            good &= location.startswith(f"https://{unit.portal}/")
        except (OSError, http.client.HTTPException) as error:
            evidence.append(f"{unit.portal}: {type(error).__name__}: {error}")
        record(unit.id, "C37-S39-https", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-S39-tls")
def test_only_tls_1_2_and_newer_is_spoken(audit: Audit, on: str, record: Record) -> None:
    @cache
    def port(name: str, number: int, starttls: bool) -> tuple[bool, list[str]]:
        good, evidence = True, []
        for version in (*OLD, *NEW):
            accepted, said = offers_version(audit.network, name, number, version, starttls)
            good &= accepted == (version in NEW)
            evidence.append(said)
        return good, evidence

    host = audit.province.hosts[on].fqdn
    for unit in audit.units(on):
        good, evidence = True, []
        doors = [
            (host, 465, False),
            (host, 587, True),
            (host, 993, False),
            (host, 995, False),
            (unit.portal, 443, False),
        ]
        try:
            for door in doors:
                fine, seen = port(*door)
                good &= fine
                evidence += seen
        except RuntimeError as error:
            record(unit.id, "C37-S39-tls", "not-tested", [*evidence, str(error)])
            continue
        except (TimeoutError, OSError, smtplib.SMTPException) as error:
            good = False
            evidence.append(f"{type(error).__name__}: {error}")
        record(unit.id, "C37-S39-tls", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-S39-http")
def test_pages_come_by_http_1_1_and_are_offered_by_http_2(audit: Audit, serving: str, record: Record) -> None:
    for unit in audit.pages(serving):
        try:
            response, _ = audit.network.https(unit.portal)
            context = audit.network.context()
            context.set_alpn_protocols(["h2", "http/1.1"])
            raw = socket.create_connection((audit.network.address(unit.portal), 443), timeout=TIMEOUT)
            with context.wrap_socket(raw, server_hostname=unit.portal) as connection:
                chosen = connection.selected_alpn_protocol()
        except (OSError, http.client.HTTPException) as error:
            record(unit.id, "C37-S39-http", "fail", [f"{unit.portal}: {type(error).__name__}: {error}"])
            continue
        good = response.status == 200 and response.version == 11
        evidence = [f"GET https://{unit.portal}/ → HTTP/{response.version / 10} {response.status}"]
        evidence.append(f"ALPN: {chosen or 'none'} (HTTP/2 is only recommended)")
        record(unit.id, "C37-S39-http", "pass" if good else "fail", evidence)


@pytest.mark.requirement("C37-S39-html")
def test_pages_are_valid_html(audit: Audit, serving: str, record: Record) -> None:
    """By the parser that the HTML standard describes: html5lib counts every error of syntax."""
    for reading in readings(audit, serving, "C37-S39-html"):
        pages = [reading.portal.page("/"), reading.portal.page("/lanh-dao/"), *reading.portal.below("/tin-tuc/")[:1]]
        evidence, good = [], True
        for page in pages:
            parser = html5lib.HTMLParser()
            parser.parse(page.text)
            errors = [f"line {place[0]}: {code}" for place, code, _ in parser.errors]
            good &= page.good and not errors
            evidence.append(f"{page.said}: {len(errors)} errors {'; '.join(errors[:3])}".rstrip())
        record(reading.unit.id, "C37-S39-html", "pass" if good else "fail", evidence)
