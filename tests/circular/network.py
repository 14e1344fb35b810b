"""How the auditor's machine reaches a unit from outside: names by DNS, then real protocols over IPv4 or IPv6."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import imaplib
import smtplib
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from edumail.cli import nameservers
from edumail.dns import deepest_zone, zones
from edumail.dnscheck import Difference, Signature, difference, signature, wanted
from edumail.model import Nameserver, Province

TIMEOUT = 15
KNOCKS = 32
"""Doors that are knocked at together."""
READY = 220
"""What SMTP says where TLS may begin (RFC 3207)."""
PATIENCE = 20
"""Seconds for which a server that says that too many asked (RFC 6585) is asked again."""
BROKEN = (ConnectionError, ssl.SSLEOFError, HTTPException)
"""What a web server that is being restarted looks like, or a line on which a packet is lost."""
AGAIN_SECONDS = 2.0
"""After which a page that broke is asked for again."""
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
"""What is said on the way, by nobody who was to be reached: a router's word is as good as a silence."""
HTTPS_PORT, SMTP_PORT, IMAPS_PORT = 443, 25, 993
WEB_PORTS = (80, HTTPS_PORT)
LARGEST_PAGE = 2_000_000
ASKING = {"User-Agent": "edumail-audit"}
"""What every request says of who asks."""
IP = {"A": "IPv4", "AAAA": "IPv6"}
OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
NEW = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
UNABLE = ("NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "NO_CIPHERS_AVAILABLE")
"""What OpenSSL says when it is this side that can't speak a version."""
ALERTS = ("TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY")
"""What it says when the other side refuses one (RFC 8446, 6.2)."""
STALLS_BELIEVED = 6
"""After so many pages in a row that do not come from an address, none is waited for there."""
STALLS = (
    f"không hỏi: {STALLS_BELIEVED} lần liền, HTTPS ở địa chỉ này không nói gì, do máy chủ hay đường đi thì chưa rõ"
    f" / not asked: {STALLS_BELIEVED} times in a row HTTPS said nothing at this address, by the server or on the way"
)
UNASKED = (
    "máy chủ tên của tỉnh không tự trả lời máy này, dù trình phân giải của máy biết tên của tỉnh: hãy kiểm tra từ mạng"
    " khác / the province's name servers do not answer this machine themselves, though its resolver knows the"
    " province's names: ask from another network"
)


class Confined(Exception):
    """What the auditor's network, or another that is nobody's under audit, keeps from being seen: no finding."""


def no_way(kind: str) -> str:
    """That this machine can't send to addresses of a kind (A, AAAA)."""
    return f"máy của người kiểm tra không ra được bằng {IP[kind]} / this machine has no way out by {IP[kind]}"


def has_way(address: str) -> bool:
    """Whether this machine can send to an address: by a route, and by IPv6 to the Internet from an address of it.

    A datagram socket is bound to the way that the kernel would take; nothing is sent.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, HTTPS_PORT))
            source = ip_address(probe.getsockname()[0])
    except OSError:
        return False
    # An IPv4 address of a private network is translated on its way out; an IPv6 one leads nowhere.
    return source.version == 4 or source.is_global or not ip_address(address).is_global


def literal(host: str) -> str:
    """The kind of an address (A, AAAA) that stands in the place of a name; empty: it is a name."""
    try:
        return "A" if ip_address(host).version == 4 else "AAAA"
    except ValueError:
        return ""


@dataclass
class Network:
    """Look-ups at the province's own name servers, and TLS that trusts the system's and the province's authorities.

    Names of others, which those servers do not know or refuse to look up, are asked at the resolver of this machine;
    so are the province's own where its servers do not answer and that resolver knows the zone. Raises OSError when
    nothing tells at which addresses the servers are.
    """

    province: Province
    authority: Path
    strangers: Sequence[str] = ()
    """Mail domains outside the province. Where port 25 of the province does not answer, their exchangers are tried."""
    shut: Callable[[int], str] = lambda port: ""
    """What shows that a port of the hosts is shut on the way to them; empty where nothing does."""
    _answers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _known: dict[str, bool] = field(default_factory=dict)
    _silent: bool = False
    """Whether the province's name servers let this machine wait for what its own resolver knows: once is enough."""
    _closed: dict[str, str] = field(default_factory=dict)
    _shut: dict[int, str] = field(default_factory=dict)
    _signatures: dict[str, tuple[Signature | Literal["unasked"], str]] = field(default_factory=dict)
    _contexts: dict[tuple[str, ...], ssl.SSLContext] = field(default_factory=dict)
    _reached: dict[tuple[str, int], tuple[bool | None, str]] = field(default_factory=dict)
    """By address and port: thousands of names may lead to one door, and each silence takes as long as the first."""
    _stalls: dict[str, int] = field(default_factory=dict)
    """By address how many pages in a row were waited for that did not come."""
    _open: tuple[str, HTTPSConnection] | None = None
    """The connection that the last page came by, and whose page it was."""
    _mute: set[tuple[str, int]] = field(default_factory=set)
    """Addresses and ports whose last page broke twice."""

    def __post_init__(self) -> None:
        self.resolver = dns.resolver.Resolver(configure=False)
        self.resolver.nameservers = _addresses(self.province.settings.nameservers)
        self.resolver.lifetime = TIMEOUT

    def own(self) -> None:
        """In a process that was forked: its connections are its own, and not its parent's."""
        self._open = None

    def lookup(self, name: str, kind: str) -> list[str]:
        """Records as text, sorted; none when there are none. Raises OSError when no server answers, and Confined when
        none answers this machine of a name of the province's, though its resolver knows the zone.

        An address in the place of a name is given as it is: nobody has to be asked.
        """
        if of := literal(name):
            return [name] if of == kind else []
        if (name, kind) not in self._answers:
            self._answers[name, kind] = self._instead(name, kind) if self._silent else self._looked_up(name, kind)
        return self._answers[name, kind]

    def _looked_up(self, name: str, kind: str) -> list[str]:
        zone = deepest_zone(name, self.province.settings.zones)
        try:
            return sorted(str(record) for record in self.resolver.resolve(name, kind))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            if zone:
                return []
            with contextlib.suppress(OSError):
                return _elsewhere(name, kind)
            return []
        except dns.exception.DNSException as error:
            if zone and not self.known_elsewhere(zone):
                raise OSError(f"DNS {kind} {name}: {error}") from error
            self._silent = bool(zone) and isinstance(error, dns.exception.Timeout)
            return self._instead(name, kind)

    def _instead(self, name: str, kind: str) -> list[str]:
        """What this machine's resolver says where the province's servers say nothing to this machine."""
        try:
            return _elsewhere(name, kind)
        except OSError as error:
            if deepest_zone(name, self.province.settings.zones):
                raise Confined(f"{UNASKED}: {error}") from error
            raise

    def known_elsewhere(self, apex: str) -> bool:
        """Whether this machine's resolver knows a zone: then a silence of its servers is not everybody's."""
        if apex not in self._known:
            self._known[apex] = False
            with contextlib.suppress(OSError):
                self._known[apex] = bool(_elsewhere(apex, "SOA"))
        return self._known[apex]

    def address(self, name: str) -> str:
        """The IPv4 address of ``name``, or its IPv6 address where this machine has no way out by IPv4.

        Raises OSError when it has no IPv4 address, and Confined when this machine can't send to any that it has.
        """
        found = self.lookup(name, "A")
        if not found:
            raise OSError(f"{name}: không có bản ghi A / no A record")
        if has_way(found[0]):
            return found[0]
        for address in self.lookup(name, "AAAA"):
            if has_way(address):
                return address
        raise Confined(no_way("A"))

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
        """Whether the first address of ``kind`` (A, AAAA) takes a connection; None: this machine can't tell.

        Raises ConnectionError where it refuses, which comes at once: a server that starts takes the next one.
        """
        for address in self.lookup(name, kind):
            good, said = self._reached.get((address, port)) or self._knocked(address, port)
            return good, said if good is None else f"{name} [{address}]:{port} {said}"
        return False, f"{name}: không có bản ghi {kind} / no {kind} record"

    def served(self, name: str, kind: str) -> tuple[bool | None, str]:
        """Whether the page of ``name`` comes by verified HTTPS from its first address of ``kind``; None: as
        :meth:`reached`, which knocks first, or several pages in a row did not come from that address. Raises OSError
        where TLS or HTTP breaks.
        """
        good, said = self.reached(name, HTTPS_PORT, kind)
        if not good:
            return good, said
        address = self.lookup(name, kind)[0]
        if self._stalls.get(address, 0) >= STALLS_BELIEVED:
            return None, f"{name} [{address}]: {STALLS}"
        try:
            status = self._patiently(lambda: self._page_at(address, name))[0].status
        except TimeoutError:
            self._stalls[address] = self._stalls.get(address, 0) + 1
            raise
        self._stalls[address] = 0
        return status == HTTPStatus.OK, f"GET https://{name}/, {address} → {status}"

    def _page_at(self, address: str, name: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPSConnection(name, timeout=TIMEOUT)
        with contextlib.closing(connection):
            raw = socket.create_connection((address, HTTPS_PORT), timeout=TIMEOUT)
            connection.sock = self.context().wrap_socket(raw, server_hostname=name)
            try:
                connection.request("GET", "/", headers=ASKING)
                response = connection.getresponse()
                return response, response.read(LARGEST_PAGE)
            except HTTPException as error:
                raise ConnectionAbortedError(f"{type(error).__name__}: {error}") from error

    def _knocked(self, address: str, port: int) -> tuple[bool | None, str]:
        found: tuple[bool | None, str] = (True, "trả lời / answers")
        try:
            socket.create_connection((address, port), timeout=TIMEOUT).close()
        except OSError as error:
            why = self._kept_away(address, port, error)
            if isinstance(error, ConnectionError) and not why:
                raise
            found = (None, why) if why else (False, f"{type(error).__name__}: {error}")
        self._reached[address, port] = found
        return found

    def connect(self, host: str, port: int) -> socket.socket:
        """A TCP connection. Raises OSError, and Confined where that is no finding about the host."""
        address = self.address(host)
        try:
            return socket.create_connection((address, port), timeout=TIMEOUT)
        except OSError as error:
            if why := self._kept_away(address, port, error):
                raise Confined(why) from error
            raise

    def _kept_away(self, address: str, port: int, error: OSError) -> str:
        """Why a door that did not open is no finding about whose it is; empty: it is one.

        Each is compared with what is known to answer others: port 25 with strangers' exchangers, IPv6 with whoever has
        it, other ports with all hosts under audit. Web ports by IPv4 are compared with nothing, since every network
        lets them out.
        """
        kind = "AAAA" if ":" in address else "A"
        if not has_way(address):
            return no_way(kind)
        if port == SMTP_PORT:
            # Few exchangers have IPv6; a network that lets no mail out by IPv4 lets none out by IPv6.
            tried = self.closed_elsewhere(kind) or self.closed_elsewhere("A")
            if tried:
                return (
                    f"mạng của người kiểm tra không cho ra cổng 25 (thử cả {tried}), hãy kiểm tra từ mạng khác"
                    f" / the auditor's network lets nothing out to port 25 ({tried} tried too), ask from another"
                )
        # Whoever refuses was reached.
        if kind == "AAAA" and not isinstance(error, ConnectionError) and (why := self._by_ipv6_nobody):
            return why
        if port == SMTP_PORT:
            return ""
        if port in WEB_PORTS or not (isinstance(error, TimeoutError) or error.errno in NO_WAY):
            return ""
        if port not in self._shut:
            self._shut[port] = self.shut(port)
        return self._shut[port]

    @cached_property
    def _by_ipv6_nobody(self) -> str:
        """That nobody else answers this machine by IPv6 either, or nobody has it; empty when one does."""
        strangers = [(domain, HTTPS_PORT) for domain in self.strangers]
        for domain in self.strangers:
            with contextlib.suppress(OSError):
                strangers.append((self.exchanger(domain), SMTP_PORT))
        hosts = [(host.fqdn, port) for host in self.province.hosts.values() for port in (HTTPS_PORT, IMAPS_PORT)]
        tried: list[str] = []
        for doors in (strangers, hosts):
            asked: dict[tuple[str, int], str] = {}
            for name, port in doors:
                with contextlib.suppress(OSError, Confined):
                    asked |= {(address, port): name for address in self.lookup(name, "AAAA")[:1]}
            with ThreadPoolExecutor(KNOCKS) as pool:
                if any(pool.map(_answers, asked)):
                    return ""
            tried += asked.values()
        names = ", ".join(dict.fromkeys(tried))
        return (
            f"không thấy ai trả lời máy này bằng IPv6 (đã thử: {names or 'không ai'}), nên không biết lỗi ở đâu, hãy"
            f" kiểm tra từ mạng khác / nobody is seen to answer this machine by IPv6 (tried: {names or 'nobody'}),"
            " so whose fault it is is not known, ask from another network"
        )

    def closed_elsewhere(self, kind: str) -> str:
        """The exchangers of strangers that do not answer either at port 25 of an address of ``kind`` (A, AAAA).

        Empty when one does, or none is known that has such an address.
        """
        if kind not in self._closed:
            self._closed[kind] = ", ".join(self._unanswered(kind))
        return self._closed[kind]

    def _unanswered(self, kind: str) -> list[str]:
        tried = []
        for domain in self.strangers:
            with contextlib.suppress(OSError):
                exchanger = self.exchanger(domain)
                for address in self.lookup(exchanger, kind)[:1]:
                    try:
                        socket.create_connection((address, SMTP_PORT), timeout=TIMEOUT).close()
                    except OSError:
                        tried.append(exchanger)
                    else:
                        return []
        return list(dict.fromkeys(tried))

    def exchanger_reached(self, domain: str, kind: str) -> tuple[bool | None, str]:
        """As :meth:`reached`, for port 25 of a domain's exchanger; where there is none, False."""
        try:
            exchanger = self.exchanger(domain)
        except OSError as error:
            return False, str(error)
        return self.reached(exchanger, SMTP_PORT, kind)

    def dnssec(self, apex: str) -> tuple[Signature | Literal["unasked"], str]:
        """The state of a zone's signatures at the first of its name servers that answers, and what is broken.

        unasked: none answers this machine, whose own resolver knows the zone.
        """
        if apex not in self._signatures:
            # In a thread of its own: a browser that is open has a loop in this one.
            with ThreadPoolExecutor(1) as pool:
                self._signatures[apex] = pool.submit(asyncio.run, self._dnssec(apex)).result()
        return self._signatures[apex]

    async def _dnssec(self, apex: str) -> tuple[Signature | Literal["unasked"], str]:
        silent = ""
        for nameserver in self.province.settings.nameservers:
            try:
                server = await nameservers.reached(nameserver, apex)
                keys, soa = await server.signed(apex, RdataType.DNSKEY), await server.signed(apex, RdataType.SOA)
            except nameservers.Silent as error:
                silent = f"{nameserver.name}: {error}"
                continue
            return signature(keys, soa, await nameservers.anchors(apex), time.time())
        if self.known_elsewhere(apex):
            return "unasked", UNASKED
        return "broken", f"không máy chủ tên nào trả lời / no name server answers: {silent}"

    @property
    def differences(self) -> list[Difference]:
        """What the first name server that answers says otherwise than the inventory's zones.

        Raises OSError when none does, and Confined when they keep silent towards this machine alone.
        """
        if isinstance(self._compared, Exception):
            raise self._compared.with_traceback(None)  # or it would keep the frames of each unit that asked
        return self._compared

    @cached_property
    def _compared(self) -> list[Difference] | Exception:
        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(asyncio.run, self._differences()).result()
            except (OSError, Confined) as error:
                return error  # or each unit would wait for nobody

    async def _differences(self) -> list[Difference]:
        zones_ = wanted(zones(self.province, 0))
        for nameserver in self.province.settings.nameservers:
            try:
                server = await nameservers.reached(nameserver, next(iter(zones_)))
                await _heard(server, zones_)
                live = [(right, await server.answers(right, lambda number: None)) for right in zones_.values()]
                found = [
                    difference(question, right[question], said[question]) for right, said in live for question in right
                ]
                if any(found):
                    await _heard(server, zones_)  # it may have had enough meanwhile
            except nameservers.Silent:
                continue
            return [one for one in found if one is not None]
        if any(map(self.known_elsewhere, zones_)):
            raise Confined(UNASKED)
        raise OSError("không máy chủ tên nào của tỉnh trả lời / no name server of the province answers")

    def tls(self, host: str, port: int, *protocols: str) -> ssl.SSLSocket:
        """A verified TLS connection to ``host``."""
        return self.context(*protocols).wrap_socket(self.connect(host, port), server_hostname=host)

    def smtp(self, host: str, port: int = SMTP_PORT) -> smtplib.SMTP:
        """An SMTP dialogue after EHLO; without TLS, but for port 465, which has it from the start (RFC 8314).

        Raises OSError, smtplib.SMTPException, and Confined where that is no finding about the host.
        """
        try:
            client = _Smtp(self, host, port)
        except OSError as error:
            answered = isinstance(error, smtplib.SMTPException)
            if not answered and (why := self._kept_away(self.address(host), port, error)):
                raise Confined(why) from error
            raise
        code, said = client.ehlo()
        if code // 100 == 4:
            client.close()
            raise smtplib.SMTPHeloError(code, said)  # only for now it has none
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
        meanwhile is opened anew. Where too many asked (429), it is asked again as soon as the server allows it, and
        where the connection breaks once more, unless the last page from there broke twice.
        """
        return self._patiently(lambda: self._twice(host, path, form, port))

    def _patiently(self, ask: Callable[[], tuple[HTTPResponse, bytes]]) -> tuple[HTTPResponse, bytes]:
        end = time.monotonic() + PATIENCE
        while True:
            response, body = ask()
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

    def _twice(self, host: str, path: str, form: Mapping[str, str] | None, port: int) -> tuple[HTTPResponse, bytes]:
        try:
            answer = self._once(host, path, form, port)
        except BROKEN:
            server = (self.address(host), port)
            if form is not None or server in self._mute:
                raise
            self._mute.add(server)
            time.sleep(AGAIN_SECONDS)
            answer = self._once(host, path, form, port)
        if self._mute:
            self._mute.discard((self.address(host), port))
        return answer

    def _once(self, host: str, path: str, form: Mapping[str, str] | None, port: int) -> tuple[HTTPResponse, bytes]:
        kept, self._open = self._open, None
        if kept and (kept[0], kept[1].port) == (host, port) and form is None:  # a form is never sent twice
            with contextlib.suppress(OSError, HTTPException):
                return self._exchange(kept[1], host, path, form)
        if kept:
            kept[1].close()
        connection = HTTPSConnection(host, port, timeout=TIMEOUT, context=self.context())
        connection.sock = self.tls(host, port)
        return self._exchange(connection, host, path, form)

    def _exchange(
        self, connection: HTTPSConnection, host: str, path: str, form: Mapping[str, str] | None
    ) -> tuple[HTTPResponse, bytes]:
        headers = {**ASKING}
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


def _answers(door: tuple[str, int]) -> bool:
    """Whether somebody is there, who may refuse."""
    try:
        socket.create_connection(door, timeout=TIMEOUT).close()
    except ConnectionError:
        return True
    except OSError:
        return False
    return True


def _pause(response: HTTPResponse) -> float:
    """Seconds to wait before asking again."""
    said = response.getheader("Retry-After") or ""
    return float(said) if said.isdigit() else 1.0


def _addresses(servers: Iterable[Nameserver]) -> list[str]:
    found: list[str] = []
    why = ""
    for server in servers:
        try:
            found += nameservers.addresses(server)
        except nameservers.Silent as error:
            why = f"{server.name}: {error}"
    if not found:
        raise OSError(
            f"không biết máy chủ tên của tỉnh ở địa chỉ nào / nothing tells the addresses of the name servers: {why}"
        )
    return list(dict.fromkeys(found))


async def _heard(server: nameservers.Server, apexes: Iterable[str]) -> None:
    """That an authority for one of the zones answers; raises Silent if all that is heard is a refusal, or others.

    Networks answer in the place of name servers, and servers refuse whom they do not know or who asks too much. One
    that has some of the zones, and refuses the rest, does lack the rest.
    """
    for apex in apexes:
        said = await server.serves(apex)
        if said is None:
            return
    raise nameservers.Silent(said)


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
        return self.network.connect(host, port)


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

    Raises OSError when it hangs up on a new version, since whoever refuses one says so, and when it lets no TLS begin.
    Raises RuntimeError when nothing was learnt: this machine's own TLS library can't speak the version, or an old one
    met something else than the server's own refusal, which may be anybody's on the way. That it hangs up without a word
    counts as one where the same door speaks TLS 1.2.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # or the old versions would be refused on this side
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # they are asked for on purpose
        context.minimum_version = version
        context.maximum_version = version
    raw = _door(network, host, port, starttls)
    try:
        with context.wrap_socket(raw, server_hostname=host) as connection:
            return True, f"{host}:{port} {connection.version()} được nhận / accepted"
    except (ssl.SSLError, ConnectionError, EOFError, TimeoutError) as error:
        reason = (error.reason if isinstance(error, ssl.SSLError) else None) or type(error).__name__
        if reason in UNABLE:
            unable = "máy của người kiểm tra không nói được / this machine can't speak it"
            raise RuntimeError(f"{version.name}: {unable}: {reason}") from error
        refused = f"{host}:{port} {version.name} bị từ chối / refused ({reason})"
        if reason in ALERTS:
            return False, refused
        if version in NEW:
            if isinstance(error, (TimeoutError, ConnectionError, ssl.SSLEOFError)):
                raise
            return False, refused
        if isinstance(error, (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError, EOFError)):
            with contextlib.suppress(OSError):
                if offers_version(network, host, port, NEW[0], starttls)[0]:
                    return False, refused
        unclear = "không rõ ai từ chối / who refuses it is not clear"
        raise RuntimeError(f"{host}:{port} {version.name}: {unclear} ({reason})") from error
    finally:
        raw.close()


def _door(network: Network, host: str, port: int, starttls: bool) -> socket.socket:
    if not starttls:
        return network.connect(host, port)
    client = network.smtp(host, port)
    code, said = client.docmd("STARTTLS")
    if code != READY:
        client.close()
        raise smtplib.SMTPResponseException(code, said)
    assert client.sock is not None
    return client.sock
