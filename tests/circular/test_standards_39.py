"""Standards that Article 3 draws in from Circular 39/2017/TT-BTTTT: SMTP, IMAP and POP3, S/MIME, HTTPS, TLS, IP."""

from __future__ import annotations

import email
import email.policy
import hashlib
import http.client
import imaplib
import smtplib
from concurrent.futures import ThreadPoolExecutor

import html5lib
import pytest

from edumail.circular.verdicts import Verdict
from edumail.model import Unit
from tests.circular.audit import Audit, AuditError
from tests.circular.conftest import Answers, Record, drawn, each_unit
from tests.circular.exchangers import Greeting, Reply
from tests.circular.host import facts_of, knock
from tests.circular.letters import LOST, UNSETTLED, post
from tests.circular.mailed import Undecided
from tests.circular.network import (
    HTTPS_PORT,
    NEW,
    OLD,
    TIMEOUT,
    Confined,
    Network,
    certificate_text,
    offers_version,
)
from tests.circular.portal import Answer, Reading
from tests.circular.test_article_4_mail import opened
from tests.circular.texts import signed

LDAP = (389, 636)


@pytest.mark.requirement("C37-S39-smtp")
def test_mail_is_taken_by_esmtp(audit: Audit, on: str, record: Record) -> None:
    units, undecided = audit.units(on), Undecided()
    greetings = audit.exchangers.greetings(unit.domain for unit in units)
    for unit in units:
        seen = greetings[unit.domain]
        if isinstance(seen, Greeting):
            good = seen.esmtp and "8bitmime" in seen.features
            said = f"{seen.exchanger}:25 EHLO: {'ESMTP, ' if seen.esmtp else ''}{', '.join(seen.features)}"
        else:
            good, said = False, _unsaid(unit, seen)
        with undecided.of(unit):
            _settled(seen, said)
            record(unit.id, "C37-S39-smtp", "pass" if good else "fail", [said])
    undecided.tell()


def _unsaid(unit: Unit, reply: Reply) -> str:
    return f"{unit.domain} MX: {f'{reply.code} ' if reply.code else ''}{reply.text[:200]}"


def _settled(seen: Greeting | Reply, said: str) -> None:
    """Raises AuditError where an exchanger said nothing that it would not say otherwise in a minute."""
    if isinstance(seen, Reply) and seen.for_now:
        raise AuditError(f"{said}: {UNSETTLED}")


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
            there = "có / offered" if offered else "không có / not offered"
            evidence.append(f"{host}:587, trước / before STARTTLS: AUTH {there}, AUTH → {code}")
    except (OSError, smtplib.SMTPException) as error:
        good = False
        evidence.append(f"{host}: {type(error).__name__}: {error}")
    units, undecided = audit.units(on), Undecided()
    greetings = audit.exchangers.greetings(unit.domain for unit in units)
    for unit in units:
        seen = greetings[unit.domain]
        starttls = isinstance(seen, Greeting) and "starttls" in seen.features
        if isinstance(seen, Greeting):
            said = f"{seen.exchanger}:25 STARTTLS {'có / offered' if starttls else 'KHÔNG CÓ / NOT offered'}"
        else:
            said = _unsaid(unit, seen)
        with undecided.of(unit):
            if good:  # what is disproved already waits for no exchanger
                _settled(seen, said)
            record(unit.id, "C37-S39-smtps", "pass" if good and starttls else "fail", [*evidence, said])
    undecided.tell()


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
    verdict: Verdict = "fail" if not good or plain is False else "not-tested" if plain is None else "pass"
    for unit in audit.units(on):
        record(unit.id, "C37-S39-imaps", verdict, [*evidence, said])


def _plain_imap_refused(audit: Audit, host: str) -> tuple[bool | None, str]:
    """Whether no password is taken without TLS, and what was seen; None: nothing was."""
    try:
        client = imaplib.IMAP4(audit.network.address(host), 143, timeout=TIMEOUT)
    except (ConnectionRefusedError, ConnectionResetError) as error:
        return True, f"{host}:143 đóng / closed ({type(error).__name__})"
    except OSError as error:
        return None, f"{host}:143 không biết đóng hay mở / open or closed is not known: {type(error).__name__}: {error}"
    try:
        client.login("nobody@example.invalid", "x")
    except imaplib.IMAP4.error as error:
        refused = "LOGINDISABLED" in client.capabilities or "PRIVACYREQUIRED" in str(error)
        return refused, f"{host}:143 LOGIN không có TLS / without TLS: {str(error)[:100]}"
    return False, f"{host}:143 nhận mật khẩu không qua TLS / takes a password without TLS"


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
    undecided = Undecided()
    digest = hashlib.sha256(signed().partition(b"\r\n\r\n")[2]).hexdigest()
    for unit in drawn(audit, audit.units(on), record, "C37-S39-smime"):
        letter = letters.letter(unit.public_address, text="signed")
        raw = None
        with undecided.of(unit):
            raw = letter.found[unit.public_address] if letter.arrived(unit.public_address) else b""
        if raw is None:
            continue
        arrived = hashlib.sha256(raw.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") + b"\r\n").hexdigest()
        kind = email.message_from_bytes(raw, policy=email.policy.default).get_content_type() if raw else ""
        good = arrived == digest and kind == "multipart/signed"
        kept = "giữ nguyên / unchanged" if good else "ĐÃ ĐỔI / CHANGED"
        evidence = [
            f"thư có chữ ký S/MIME / S/MIME signed mail → {letter.recipient}: {letter.reply[:60]}",
            f"IMAP: {kind}, SHA-256 của phần thân / of the body {arrived[:16]}…: {kept}" if raw else f"IMAP: {LOST}",
        ]
        record(unit.id, "C37-S39-smime", "pass" if good else "fail", evidence)
    undecided.tell()


@pytest.mark.requirement("C37-S39-ip")
def test_mail_and_pages_are_reached_by_ipv4_and_ipv6(audit: Audit, on: str, record: Record) -> None:
    host = audit.province.hosts[on].fqdn
    reached, by_mx = audit.network.reached, audit.network.exchanger_reached
    for unit in audit.units(on):
        doors = [(host, 993), (host, 465), (unit.portal, 443)]
        seen = [by_mx(unit.domain, kind) for kind in ("A", "AAAA")]
        seen += [reached(*door, kind) for door in doors for kind in ("A", "AAAA")]
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
    facts = facts_of(audit, on)
    # A silence may be the doing of this machine's network: then the host itself must say that the port is shut.
    shut = [facts.shuts(port) if answer is None else not answer for port, answer in zip(LDAP, answers, strict=True)]
    open_ = "trả lời: dịch vụ thư mục của ai khác, cần xem bằng mắt / answers: somebody else's directory, look by hand"
    unseen = "không trả lời máy này, máy chủ lại không đóng / is silent here, yet the host does not shut it"
    evidence = [
        f"{host}:{port} {'đóng / is shut' if closed else open_ if answer else unseen}"
        for port, answer, closed in zip(LDAP, answers, shut, strict=True)
    ]
    for unit in audit.units(on):
        record(unit.id, "C37-S39-dir", "not-applicable" if all(shut) else "not-tested", evidence)


def _https_only(reading: Reading) -> Answer:
    name, network = reading.unit.portal, reading.audit.network
    evidence, good = [], False
    try:
        with network.tls(name, HTTPS_PORT) as connection:
            evidence.append(f"{name}:443 {certificate_text(connection)}")
        response, _ = network.https(name)
        hsts = response.getheader("Strict-Transport-Security")
        status, location = network.plain_http(name)
        evidence.append(f"GET / → {response.status}, HSTS {hsts or 'KHÔNG CÓ / MISSING'}; http: {status} {location}")
        good = response.status == 200 and bool(hsts) and status == 301 and location.startswith(f"https://{name}/")
    except (OSError, http.client.HTTPException) as error:
        evidence.append(f"{name}: {type(error).__name__}: {error}")
    return "pass" if good else "fail", evidence


@pytest.mark.requirement("C37-S39-https")
@each_unit(_https_only)
def test_pages_are_served_over_https_only(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-S39-https", *answer)


def _versions(network: Network, doors: list[tuple[str, int, bool]]) -> Answer:
    """Whether each door (name, port, by STARTTLS) speaks the new versions and refuses the old ones."""
    good: list[bool | None] = []
    evidence = []
    for name, port, starttls in doors:
        for version in (*OLD, *NEW):
            try:
                accepted, said = offers_version(network, name, port, version, starttls)
            except (RuntimeError, Confined) as error:
                accepted, said = None, str(error)
            except (OSError, smtplib.SMTPException) as error:
                return "fail", [*evidence, f"{type(error).__name__}: {error}"]
            good.append(None if accepted is None else accepted == (version in NEW))
            evidence.append(said)
    return "fail" if False in good else "not-tested" if None in good else "pass", evidence


def _versions_of_portal(reading: Reading) -> Answer:
    return _versions(reading.audit.network, [(reading.unit.portal, HTTPS_PORT, False)])


@pytest.mark.requirement("C37-S39-tls")
@each_unit(_versions_of_portal)
def test_only_tls_1_2_and_newer_is_spoken(audit: Audit, on: str, of_units: Answers, record: Record) -> None:
    host = audit.province.hosts[on].fqdn
    own = _versions(audit.network, [(host, 465, False), (host, 587, True), (host, 993, False), (host, 995, False)])
    for unit, of_portal in of_units:
        verdict = min((own[0], of_portal[0]), key=("fail", "not-tested", "pass").index)
        record(unit.id, "C37-S39-tls", verdict, [*own[1], *of_portal[1]])


def _http(reading: Reading) -> Answer:
    name, network = reading.unit.portal, reading.audit.network
    try:
        response, _ = network.https(name)
        with network.tls(name, HTTPS_PORT, "h2", "http/1.1") as connection:
            chosen = connection.selected_alpn_protocol()
    except (OSError, http.client.HTTPException) as error:
        return "fail", [f"{name}: {type(error).__name__}: {error}"]
    good = response.status == 200 and response.version == 11
    evidence = [f"GET https://{name}/ → HTTP/{response.version / 10} {response.status}"]
    evidence.append(f"ALPN: {chosen or 'không có / none'} (HTTP/2 chỉ là khuyến nghị / is only recommended)")
    return "pass" if good else "fail", evidence


@pytest.mark.requirement("C37-S39-http")
@each_unit(_http)
def test_pages_come_by_http_1_1_and_are_offered_by_http_2(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-S39-http", *answer)


def _html(reading: Reading) -> Answer:
    """By the parser that the HTML standard describes: html5lib counts every error of syntax."""
    pages = [reading.portal.page("/")]
    if not reading.audit.left_out(reading.unit):
        pages += [reading.portal.page("/lanh-dao/"), *reading.portal.below("/tin-tuc/")[:1]]
    evidence, good = [], True
    for page in pages:
        parser = html5lib.HTMLParser()
        parser.parse(page.text)
        errors = [f"{place[0]}: {code}" for place, code, _ in parser.errors]
        good &= page.good and not errors
        lines = f"; dòng / line {'; '.join(errors[:3])}" if errors else ""
        evidence.append(f"{page.said}: {len(errors)} lỗi / errors{lines}")
    return "pass" if good else "fail", evidence


@pytest.mark.requirement("C37-S39-html")
@each_unit(_html)
def test_pages_are_valid_html(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-S39-html", *answer)
