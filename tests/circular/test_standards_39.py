"""Standards that Article 3 draws in from Circular 39/2017/TT-BTTTT: SMTP, SMTPS, IMAPS, HTTPS, TLS."""

from __future__ import annotations

import http.client
import imaplib
import smtplib
import ssl
from functools import cache

import pytest

from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.network import TIMEOUT, certificate_text, offers_version

OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
NEW = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.mark.requirement("C37-S39-smtp")
def test_mail_is_taken_by_esmtp(audit: Audit, on: str, record: Record) -> None:
    for unit in audit.units(on):
        try:
            exchanger = audit.network.exchanger(unit.domain)
            with audit.network.smtp(exchanger) as client:
                good = client.does_esmtp and client.has_extn("8bitmime")
                said = (
                    f"{exchanger}:25 EHLO: {'ESMTP, ' if client.does_esmtp else ''}{', '.join(client.esmtp_features)}"
                )
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
            exchanger = audit.network.exchanger(unit.domain)
            with audit.network.smtp(exchanger) as client:
                starttls = client.has_extn("starttls")
                said = f"{exchanger}:25 STARTTLS {'offered' if starttls else 'NOT offered'}"
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
        doors = [(host, 465, False), (host, 587, True), (host, 993, False), (unit.portal, 443, False)]
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
