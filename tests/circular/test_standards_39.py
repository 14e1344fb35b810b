"""Standards that Article 3 draws in from Circular 39/2017/TT-BTTTT: SMTP, IMAP and POP3, S/MIME, HTTPS, TLS, IP."""

from __future__ import annotations

import email
import email.policy
import hashlib
import http.client
import imaplib
import re
import ssl
from collections.abc import Callable, Mapping
from functools import partial

import html5lib
import pytest

from edumail.model import Unit
from tests.circular.audit import Audit, AuditError
from tests.circular.conftest import Answers, Record, drawn, each_unit
from tests.circular.dialogues import VERDICTS, Seen, folded, for_good, greeting, seen_at
from tests.circular.exchangers import Greeting, Reply
from tests.circular.host import LDAP, facts_of, knocks
from tests.circular.letters import LOST, UNSETTLED, post
from tests.circular.mailed import Undecided
from tests.circular.network import (
    HTTPS_PORT,
    IP,
    NEW,
    OLD,
    TIMEOUT,
    Confined,
    Network,
    certificate_text,
    offers_version,
)
from tests.circular.portal import Answer, Reading
from tests.circular.servers import Ask, at_doors
from tests.circular.test_article_4_mail import opened
from tests.circular.texts import signed


@pytest.mark.requirement("C37-S39-smtp")
def test_mail_is_taken_by_esmtp(audit: Audit, on: str, record: Record) -> None:
    units, undecided = audit.units(on), Undecided()
    greeted = audit.exchangers.greetings(unit.domain for unit in units)
    for unit in units:
        seen = greeted[unit.domain]
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
    there = at_doors(audit, on, {465: _over_tls, 587: _over_starttls})
    own = folded(good for good, _ in there)
    units, undecided = audit.units(on), Undecided()
    greeted = audit.exchangers.greetings(unit.domain for unit in units)
    for unit in units:
        seen = greeted[unit.domain]
        starttls = isinstance(seen, Greeting) and "starttls" in seen.features
        if isinstance(seen, Greeting):
            said = f"{seen.exchanger}:25 STARTTLS {'có / offered' if starttls else 'KHÔNG CÓ / NOT offered'}"
        else:
            said = _unsaid(unit, seen)
        with undecided.of(unit):
            if own is not False:  # what is disproved already waits for no exchanger
                _settled(seen, said)
            verdict = VERDICTS[folded([own, starttls])]
            record(unit.id, "C37-S39-smtps", verdict, [*(line for _, line in there), said])
    undecided.tell()


def _over_tls(network: Network, host: str) -> Seen:
    """Whether submission is spoken at port 465."""
    with network.tls(host, 465) as connection:
        banner = greeting(connection)
        return banner.startswith("220"), f"{host}:465 {certificate_text(connection)}: {banner[:60]}"


def _over_starttls(network: Network, host: str) -> Seen:
    """Whether submission at port 587 lets nobody sign in before STARTTLS."""
    with network.smtp(host, 587) as client:
        code = for_good(client.docmd("AUTH", "PLAIN AGEAYg=="))
        offered = client.has_extn("auth")
        there = "có / offered" if offered else "không có / not offered"
        good = code >= 500 and not offered and client.has_extn("starttls")
        return good, f"{host}:587, trước / before STARTTLS: AUTH {there}, AUTH → {code}"


@pytest.mark.requirement("C37-S39-imaps")
def test_mailboxes_are_read_over_tls_only(audit: Audit, on: str, record: Record) -> None:
    seen = at_doors(audit, on, {993: _imaps, 143: _plain_imap_refused})
    for unit in audit.units(on):
        verdict = VERDICTS[folded(good for good, _ in seen)]
        record(unit.id, "C37-S39-imaps", verdict, [said for _, said in seen])


def _imaps(network: Network, host: str) -> Seen:
    with network.tls(host, 993) as connection:
        banner = greeting(connection)
        return banner.startswith("* OK"), f"{host}:993 {certificate_text(connection)}: {banner[:80]}"


def _plain_imap_refused(network: Network, host: str) -> Seen:
    """Whether no password is taken without TLS, and what was seen; None: nothing was."""
    unclear = f"{host}:143 không biết đóng hay mở / open or closed is not known"
    try:
        client = imaplib.IMAP4(network.address(host), 143, timeout=TIMEOUT)
    except ConnectionRefusedError as error:
        return True, f"{host}:143 đóng / closed ({type(error).__name__})"
    except (OSError, imaplib.IMAP4.error, Confined) as error:
        return None, f"{unclear}: {type(error).__name__}: {error}"
    try:
        client.login("nobody@example.invalid", "x")
    except (OSError, imaplib.IMAP4.abort) as error:
        return None, f"{unclear}: {type(error).__name__}: {error}"
    except imaplib.IMAP4.error as error:
        refused = "LOGINDISABLED" in client.capabilities or "PRIVACYREQUIRED" in str(error)
        return refused, f"{host}:143 LOGIN không có TLS / without TLS: {str(error)[:100]}"
    return False, f"{host}:143 nhận mật khẩu không qua TLS / takes a password without TLS"


@pytest.mark.requirement("C37-S39-mbox")
def test_mailboxes_are_offered_by_imap_and_pop3(audit: Audit, on: str, record: Record) -> None:
    seen = at_doors(audit, on, {993: _imap4, 995: _pop3})
    verdict = VERDICTS[folded(good for good, _ in seen)]
    for unit in audit.units(on):
        record(unit.id, "C37-S39-mbox", verdict, [said for _, said in seen])


def _imap4(network: Network, host: str) -> Seen:
    with network.tls(host, 993) as connection:
        banner = greeting(connection)
        return "IMAP4rev1" in banner, f"{host}:993 {banner[:90]}"


def _pop3(network: Network, host: str) -> Seen:
    with network.tls(host, 995) as connection:
        banner = greeting(connection)
        connection.sendall(b"CAPA\r\n")
        lines = b""
        while b"\r\n.\r\n" not in lines and not lines.startswith(b"-ERR"):
            part = connection.recv(500)
            if not part:
                raise ConnectionAbortedError("ngắt giữa chừng / hung up midway")
            lines += part
    capa = " ".join(lines.decode(errors="replace").split())
    good = banner.startswith("+OK") and capa.startswith("+OK") and "UIDL" in capa
    return good, f"{host}:995 {banner[:60]}; CAPA: {capa[:90]}"


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
    doors = {unit.id: _by_ip(audit.network, host, unit) for unit in audit.units(on)}
    found = seen_at(audit, {door: knock for theirs in doors.values() for door, knock in theirs.items()})
    for unit in audit.units(on):
        seen = [found[door] for door in doors[unit.id]]
        record(unit.id, "C37-S39-ip", VERDICTS[folded(good for good, _ in seen)], [said for _, said in seen])


def _by_ip(network: Network, host: str, unit: Unit) -> dict[str, Callable[[], Seen]]:
    """How to knock at a unit's doors, by IPv4 and IPv6."""
    doors = {f"{unit.domain} MX {by}": partial(network.exchanger_reached, unit.domain, kind) for kind, by in IP.items()}
    for name, port in ((host, 993), (host, 465), (unit.portal, HTTPS_PORT)):
        doors |= {f"{name}:{port} {by}": partial(network.reached, name, port, kind) for kind, by in IP.items()}
    return doors


@pytest.mark.requirement("C37-S39-dir")
def test_no_directory_is_offered(audit: Audit, on: str, record: Record) -> None:
    """LDAP is asked for where there is a directory; edumail has none, and a port that answers would be one."""
    host = audit.province.hosts[on].fqdn
    address = audit.network.address(host)
    answers = knocks(audit, address)
    facts = facts_of(audit, on)
    # A silence may be the doing of this machine's network: then the host itself must say that the port is shut.
    shut = [facts.shuts(port) if answers[port] is None else not answers[port] for port in LDAP]
    open_ = "trả lời: dịch vụ thư mục của ai khác, cần xem bằng mắt / answers: somebody else's directory, look by hand"
    unseen = "không trả lời máy này, máy chủ lại không đóng / is silent here, yet the host does not shut it"
    evidence = [
        f"{host}:{port} {'đóng / is shut' if closed else open_ if answers[port] else unseen}"
        for port, closed in zip(LDAP, shut, strict=True)
    ]
    if all(shut):
        evidence.append(
            "không cung cấp dịch vụ thư mục nào, nên không có gì để đòi LDAP"
            " / no directory is offered, so there is nothing to ask LDAP of"
        )
    for unit in audit.units(on):
        record(unit.id, "C37-S39-dir", "not-applicable" if all(shut) else "not-tested", evidence)


def _https_only(reading: Reading) -> Answer:
    name, network = reading.unit.portal, reading.audit.network
    evidence, good = [], False
    try:
        with network.tls(name, HTTPS_PORT) as connection:
            evidence.append(f"{name}:443 {certificate_text(connection)}")
        response, _ = network.https(name)
        hsts = response.getheader("Strict-Transport-Security") or ""
        lasts = re.search(r'max-age\s*=\s*"?(\d+)', hsts, re.I)
        status, location = network.plain_http(name)
        evidence.append(f"GET / → {response.status}, HSTS {hsts or 'KHÔNG CÓ / MISSING'}; http: {status} {location}")
        kept = lasts is not None and int(lasts[1]) > 0  # 0: forget it (RFC 6797, 6.1.1)
        good = response.status == 200 and kept and status == 301 and location.startswith(f"https://{name}/")
    except (OSError, http.client.HTTPException) as error:
        evidence.append(f"{name}: {type(error).__name__}: {error}")
    return "pass" if good else "fail", evidence


@pytest.mark.requirement("C37-S39-https")
@each_unit(_https_only)
def test_pages_are_served_over_https_only(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-S39-https", *answer)


def _versions(network: Network, name: str, port: int, starttls: bool) -> Seen:
    """Whether a door speaks a new version and refuses the old ones. Raises OSError where it does not open."""
    accepted: dict[ssl.TLSVersion, bool | None] = {}
    evidence = []
    for version in (*OLD, *NEW):
        try:
            accepted[version], said = offers_version(network, name, port, version, starttls)
        except (RuntimeError, Confined) as error:
            accepted[version], said = None, str(error)
        except OSError as error:
            if not accepted.get(NEW[0]):
                raise
            accepted[version], said = False, f"{name}:{port} {version.name}: {type(error).__name__}"
        evidence.append(said)
    new = {accepted[version] for version in NEW}
    old = {accepted[version] for version in OLD}
    spoken = True if True in new else None if None in new else False
    refused = False if True in old else None if None in old else True
    return folded([spoken, refused]), "; ".join(evidence)


VERSIONS_AT: Mapping[int, Ask] = {
    port: partial(_versions, port=port, starttls=port == 587) for port in (465, 587, 993, 995)
}
"""What is asked of the versions at the doors of mail programs."""


def _versions_of_portal(reading: Reading) -> Seen:
    try:
        return _versions(reading.audit.network, reading.unit.portal, HTTPS_PORT, starttls=False)
    except OSError as error:
        return False, f"{reading.unit.portal}:443 {type(error).__name__}: {error}"


@pytest.mark.requirement("C37-S39-tls")
@each_unit(_versions_of_portal)
def test_only_tls_1_2_and_newer_is_spoken(audit: Audit, on: str, of_units: Answers, record: Record) -> None:
    own = at_doors(audit, on, VERSIONS_AT)
    for unit, of_portal in of_units:
        seen = [*own, of_portal]
        record(unit.id, "C37-S39-tls", VERDICTS[folded(good for good, _ in seen)], [said for _, said in seen])


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
    """By the parser that the HTML standard describes: html5lib counts every error of syntax, and none is let pass.

    That is stricter than the standard's sentence, which says HTML and no more.
    """
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
