"""How the auditor's machine reaches a unit from outside: names by DNS, then real protocols over IPv4 or IPv6."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import urlencode

import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from edumail.cli import nameservers
from edumail.dns import deepest_zone, zones
from edumail.dnscheck import Difference, Signature, difference, signature, wanted
from edumail.model import Province

TIMEOUT = 15
PATIENCE = 20
"""Seconds for which a server that says that too many asked (RFC 6585) is asked again."""
HTTPS_PORT, SMTP_PORT = 443, 25
LARGEST_PAGE = 2_000_000
NO_IPV6 = "máy của người kiểm tra không ra được bằng IPv6 / this machine has no way out by IPv6"


class Confined(Exception):
    """Port 25 answers this machine nowhere: many networks let no mail out. No finding about anybody."""

    def __init__(self, tried: str):
        super().__init__(
            f"mạng của người kiểm tra không cho ra cổng 25 (thử cả {tried}), hãy kiểm tra từ mạng khác"
            f" / the auditor's network lets nothing out to port 25 ({tried} tried too), ask from another"
        )


def has_way(address: str) -> bool:
    """Whether this machine can send to an IPv6 address: by a route, and to the Internet from an address of it.

    A datagram socket is bound to the way that the kernel would take; nothing is sent.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((address, HTTPS_PORT))
            source = IPv6Address(probe.getsockname()[0])
    except OSError:
        return False
    return source.is_global or not IPv6Address(address).is_global


@dataclass
class Network:
    """Look-ups at the province's own name servers, and TLS that trusts the system's and the province's authorities.

    Names of others, which those servers refuse to look up, are asked at the resolver of this machine.
    """

    province: Province
    authority: Path
    strangers: Sequence[str] = ()
    """Mail domains outside the province. Where port 25 of the province does not answer, their exchangers are tried."""
    _answers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _signatures: dict[str, tuple[Signature, str]] = field(default_factory=dict)
    _contexts: dict[tuple[str, ...], ssl.SSLContext] = field(default_factory=dict)
    _reached: dict[tuple[str, str], tuple[bool | None, str]] = field(default_factory=dict)
    _open: tuple[str, HTTPSConnection] | None = None
    """The connection that the last page came by, and whose page it was."""

    def __post_init__(self) -> None:
        self.resolver = dns.resolver.Resolver(configure=False)
        servers = [str(ip) for ns in self.province.settings.nameservers for ip in (ns.ipv4, ns.ipv6) if ip]
        self.resolver.nameservers = servers
        self.resolver.lifetime = TIMEOUT

    def own(self) -> None:
        """In a process that was forked: its connections are its own, and not its parent's."""
        self._open = None

    def lookup(self, name: str, kind: str) -> list[str]:
        """Records as text, sorted; none when there are none. Raises OSError when no server answers."""
        if (name, kind) not in self._answers:
            try:
                self._answers[name, kind] = sorted(str(record) for record in self.resolver.resolve(name, kind))
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                self._answers[name, kind] = []
            except dns.exception.DNSException as error:
                if deepest_zone(name, self.province.settings.zones):
                    raise OSError(f"DNS {kind} {name}: {error}") from error
                self._answers[name, kind] = _elsewhere(name, kind)
        return self._answers[name, kind]

    def address(self, name: str) -> str:
        """The IPv4 address of ``name``. Raises OSError when it has none."""
        found = self.lookup(name, "A")
        if not found:
            raise OSError(f"{name}: không có bản ghi A / no A record")
        return found[0]

    def exchanger(self, domain: str) -> str:
        """The mail exchanger that is to be asked first (RFC 5321, 5.1). Raises OSError when there is none."""
        found = sorted((int(p), host.rstrip(".")) for p, host in (r.split() for r in self.lookup(domain, "MX")))
        if not found or not found[0][1]:
            raise OSError(f"{domain}: không có bản ghi MX / no MX record")
        return found[0][1]

    def context(self, *protocols: str) -> ssl.SSLContext:
        """A client's TLS settings that check name and chain, and offer ``protocols`` (ALPN).

        Made once: to read all authorities takes longer than a handshake.
        """
        if protocols not in self._contexts:
            context = ssl.create_default_context()
            if self.authority.exists():
                context.load_verify_locations(self.authority)
            if protocols:
                context.set_alpn_protocols(list(protocols))
            self._contexts[protocols] = context
        return self._contexts[protocols]

    def reached(self, name: str, port: int, kind: str) -> tuple[bool | None, str]:
        """Whether the first address of ``kind`` (A, AAAA) takes a connection; None: this machine can't tell."""
        for address in self.lookup(name, kind):
            try:
                socket.create_connection((address, port), timeout=TIMEOUT).close()
            except OSError as error:
                if kind == "AAAA" and not has_way(address):
                    return None, NO_IPV6
                if port == SMTP_PORT and self.closed_elsewhere:
                    return None, str(Confined(self.closed_elsewhere))
                return False, f"{name} [{address}]:{port} {type(error).__name__}: {error}"
            return True, f"{name} [{address}]:{port} trả lời / answers"
        return False, f"{name}: không có bản ghi {kind} / no {kind} record"

    @cached_property
    def closed_elsewhere(self) -> str:
        """The exchangers of strangers whose port 25 does not answer either; empty when one does, or none is known."""
        tried = []
        for domain in self.strangers:
            with contextlib.suppress(OSError):
                exchanger = self.exchanger(domain)
                address = self.address(exchanger)
                try:
                    socket.create_connection((address, SMTP_PORT), timeout=TIMEOUT).close()
                except OSError:
                    tried.append(exchanger)
                else:
                    return ""
        return ", ".join(tried)

    def exchanger_reached(self, domain: str, kind: str) -> tuple[bool | None, str]:
        """As :meth:`reached`, for port 25 of a domain's exchanger, each knocked at once; where there is none, False."""
        try:
            exchanger = self.exchanger(domain)
        except OSError as error:
            return False, str(error)
        if (exchanger, kind) not in self._reached:
            self._reached[exchanger, kind] = self.reached(exchanger, SMTP_PORT, kind)
        return self._reached[exchanger, kind]

    def dnssec(self, apex: str) -> tuple[Signature, str]:
        """The state of a zone's signatures at the first of its name servers that answers, and what is broken."""
        if apex not in self._signatures:
            # In a thread of its own: a browser that is open has a loop in this one.
            with ThreadPoolExecutor(1) as pool:
                self._signatures[apex] = pool.submit(asyncio.run, self._dnssec(apex)).result()
        return self._signatures[apex]

    async def _dnssec(self, apex: str) -> tuple[Signature, str]:
        silent = ""
        for nameserver in self.province.settings.nameservers:
            try:
                server = await nameservers.reached(nameserver, apex)
                keys, soa = await server.signed(apex, RdataType.DNSKEY), await server.signed(apex, RdataType.SOA)
            except nameservers.Silent as error:
                silent = f"{nameserver.name}: {error}"
                continue
            return signature(keys, soa, await nameservers.anchors(apex), time.time())
        return "broken", f"không máy chủ tên nào trả lời / no name server answers: {silent}"

    @cached_property
    def differences(self) -> list[Difference]:
        """What the first name server that answers says otherwise than the inventory's zones. Raises OSError."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._differences()).result()

    async def _differences(self) -> list[Difference]:
        zones_ = wanted(zones(self.province, 0))
        for nameserver in self.province.settings.nameservers:
            try:
                server = await nameservers.reached(nameserver, next(iter(zones_)))
                live = [(right, await server.answers(right, lambda number: None)) for right in zones_.values()]
            except nameservers.Silent:
                continue
            found = [
                difference(question, right[question], said[question]) for right, said in live for question in right
            ]
            return [one for one in found if one is not None]
        raise OSError("không máy chủ tên nào của tỉnh trả lời / no name server of the province answers")

    def tls(self, host: str, port: int, *protocols: str) -> ssl.SSLSocket:
        """A verified TLS connection to ``host``."""
        raw = socket.create_connection((self.address(host), port), timeout=TIMEOUT)
        return self.context(*protocols).wrap_socket(raw, server_hostname=host)

    def smtp(self, host: str, port: int = SMTP_PORT) -> smtplib.SMTP:
        """An SMTP dialogue after EHLO; without TLS, but for port 465, which has it from the start (RFC 8314).

        Raises OSError, smtplib.SMTPException, and Confined where port 25 does not answer elsewhere either.
        """
        try:
            client = _Smtp(self, host, port)
        except OSError as error:
            answered = isinstance(error, smtplib.SMTPException)
            if port == SMTP_PORT and not answered and self.closed_elsewhere:
                raise Confined(self.closed_elsewhere) from error
            raise
        client.ehlo()
        return client

    @contextlib.contextmanager
    def imap(self, host: str, login: str, password: str) -> Iterator[imaplib.IMAP4]:
        """A signed-in IMAPS session. Raises imaplib.IMAP4.error when the sign-in is refused."""
        client = _Imap(self, host)
        try:
            client.login(login, password)
            yield client
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client.logout()

    def https(
        self, host: str, path: str = "/", form: Mapping[str, str] | None = None, port: int = HTTPS_PORT
    ) -> tuple[HTTPResponse, bytes]:
        """GET over verified HTTPS, or POST of a form's fields; no redirect followed, at most 2 MB read.

        The page after it comes by the same connection if it is of the same host. One that the server has closed
        meanwhile is opened anew. Where too many asked (429), it is asked again as soon as the server allows it.
        """
        end = time.monotonic() + PATIENCE
        while True:
            response, body = self._once(host, path, form, port)
            pause = _pause(response)
            if response.status != HTTPStatus.TOO_MANY_REQUESTS or time.monotonic() + pause > end:
                return response, body
            time.sleep(pause)

    def plain_http(self, host: str) -> tuple[int, str]:
        """The status of GET / without TLS, and where it leads."""
        connection = HTTPConnection(self.address(host), timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location") or ""

    def _once(self, host: str, path: str, form: Mapping[str, str] | None, port: int) -> tuple[HTTPResponse, bytes]:
        kept, self._open = self._open, None
        if kept and (kept[0], kept[1].port) == (host, port) and form is None:  # a form is never sent twice
            with contextlib.suppress(OSError, HTTPException):
                return self._exchange(kept[1], host, path, form)
        if kept:
            kept[1].close()
        connection = HTTPSConnection(host, port, timeout=TIMEOUT)
        connection.sock = self.tls(host, port)
        return self._exchange(connection, host, path, form)

    def _exchange(
        self, connection: HTTPSConnection, host: str, path: str, form: Mapping[str, str] | None
    ) -> tuple[HTTPResponse, bytes]:
        headers = {"User-Agent": "edumail-audit"}
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urlencode(form), headers)
        response = connection.getresponse()
        body = response.read(LARGEST_PAGE)
        if response.isclosed() and connection.sock:
            self._open = (host, connection)
        else:
            connection.close()
        return response, body


def _pause(response: HTTPResponse) -> float:
    """Seconds to wait before asking again."""
    said = response.getheader("Retry-After") or ""
    return float(said) if said.isdigit() else 1.0


def _elsewhere(name: str, kind: str) -> list[str]:
    try:
        return sorted(str(record) for record in dns.resolver.resolve(name, kind, lifetime=TIMEOUT))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise OSError(f"DNS {kind} {name}: {error}") from error


class _Smtp(smtplib.SMTP):
    def __init__(self, network: Network, host: str, port: int):
        self.network = network
        super().__init__(host, port, timeout=TIMEOUT, local_hostname="kiemtra.invalid")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        if port == 465:
            return self.network.tls(host, port)
        return socket.create_connection((self.network.address(host), port), timeout=timeout)


class _Imap(imaplib.IMAP4_SSL):
    def __init__(self, network: Network, host: str):
        self.network = network
        super().__init__(host, 993, ssl_context=network.context(), timeout=TIMEOUT)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        return self.network.tls(self.host, self.port)


def certificate_text(connection: ssl.SSLSocket) -> str:
    """Protocol version of a TLS connection, and issuer and end of the certificate, for evidence."""
    certificate = connection.getpeercert() or {}
    issuer = dict(pair[0] for pair in certificate.get("issuer", ()))
    by, until = issuer.get("commonName", "?"), certificate.get("notAfter", "?")
    return f"{connection.version()}, nơi cấp / issuer {by}, hạn đến / until {until}"


def offers_version(network: Network, host: str, port: int, version: ssl.TLSVersion, starttls: bool) -> tuple[bool, str]:
    """Whether a server accepts exactly this TLS version, and what was seen.

    Raises RuntimeError when this machine's own TLS library can't speak the version: then nothing was learnt.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # or the old versions would be refused on this side
    with contextlib.suppress(DeprecationWarning):
        context.minimum_version = version
        context.maximum_version = version
    if starttls:
        client = network.smtp(host, port)
        client.docmd("STARTTLS")
        raw = client.sock
    else:
        raw = socket.create_connection((network.address(host), port), timeout=TIMEOUT)
    assert raw is not None
    try:
        with context.wrap_socket(raw, server_hostname=host) as connection:
            return True, f"{host}:{port} {connection.version()} được nhận / accepted"
    except ssl.SSLError as error:
        if error.reason in ("NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "NO_CIPHERS_AVAILABLE"):
            unable = "máy của người kiểm tra không nói được / this machine can't speak it"
            raise RuntimeError(f"{version.name}: {unable}: {error.reason}") from error
        return False, f"{host}:{port} {version.name} bị từ chối / refused ({error.reason})"
    except (ConnectionError, EOFError) as error:
        return False, f"{host}:{port} {version.name} bị từ chối / refused ({type(error).__name__})"
    finally:
        raw.close()
