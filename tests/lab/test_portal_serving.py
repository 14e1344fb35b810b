"""Portals as visitors from outside see them: one way in at the gateway, whatever host has the portal behind it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPResponse
from pathlib import Path

import pytest

from edumail.model import Unit
from edumail.units import portal_host
from lab import ssh
from lab.text import LabError
from lab.topology import GATEWAY4, INTERNET
from roles.portal.render import error_page
from tests.lab.province import LabProvince
from tests.lab.test_deploy import deploy
from tests.lab.test_doors import answering
from tests.lab.test_feedback import ask

HERE, ELSEWHERE, OWN_HOST = "sogddt.minhha.test", "thcssuoimo.suoimo.minhha.test", "www.thptsongque.test"
FRONT, FORMER = "mail.minhha.test", "c2suoimo.minhha.test"
NAMES = {HERE: "mail-so", FRONT: "mail-so", ELSEWHERE: "mail-xa", OWN_HOST: "mail-thpt"}
PORTALS = (HERE, ELSEWHERE, OWN_HOST)
GATEWAY = {4: "198.18.37.11", 6: "2001:db8:37::11"}
OUTSIDE = {4: INTERNET.ipv4, 6: INTERNET.ipv6}
EVERY_PORTAL = pytest.mark.parametrize("name", PORTALS)
FORGED = "203.0.113.66"


@dataclass(frozen=True)
class Visit:
    """What curl saw: status, version of HTTP, the port it came from, headers in small letters."""

    status: int
    version: str
    port: int
    headers: dict[str, list[str]]


def visit(
    province: LabProvince, url: str, *, family: int = 4, http: str = "2", method: str = "GET", host: str = ""
) -> Visit:
    """One request of a stranger with the foreign host's curl; ``host`` is asked for in place of the name in the URL."""
    name, port = url.split("/")[2], 443 if url.startswith("https") else 80
    address = GATEWAY[family] if family == 4 else f"[{GATEWAY[family]}]"
    words = ["curl", "-sS", "--path-as-is", "-X", method, f"--http{http}", "--cacert", "/dev/stdin", "-o", "/dev/null"]
    words += ["--resolve", f"{name}:{port}:{address}", "--max-time", "20"]
    words += ["-w", r"%{json}\n%{header_json}", *(["-H", f"Host: {host}"] if host else []), url]
    if method == "HEAD":
        words.append("-I")
    script = " ".join(f"'{word}'" for word in words)
    said = ssh.call(INTERNET.name, script, stdin=province.network.authority.read_bytes()).decode()
    metrics, _, headers = said.partition("\n")
    found = json.loads(metrics)
    return Visit(found["http_code"], found["http_version"], found["local_port"], json.loads(headers))


def page(province: LabProvince, name: str, path: str = "/", **headers: str) -> tuple[HTTPResponse, bytes]:
    """One request with headers of our own, over verified TLS."""
    with province.network.tls(name, 443) as connection:
        lines = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{lines}Connection: close\r\n\r\n".encode())
        response = HTTPResponse(connection)
        response.begin()
        return response, response.read()


def unit_of(province: LabProvince, name: str) -> Unit:
    return next(unit for unit in province.province.units.values() if name in unit.portal_names)


class TestTheWayIn:
    """The gateway reads the name and passes on, TLS and all."""

    def test_names_lead_to_the_gateway(self, province: LabProvince) -> None:
        for name in (*NAMES, FORMER):
            assert province.network.lookup(name, "A") == [GATEWAY[4]]
            assert province.network.lookup(name, "AAAA") == [GATEWAY[6]]

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("family", [4, 6])
    @pytest.mark.parametrize("http", ["1.1", "2"])
    def test_the_host_that_has_a_name_answers_and_logs_who_came(
        self, province: LabProvince, name: str, family: int, http: str
    ) -> None:
        path = f"/khong-co-{time.time_ns()}"
        seen = visit(province, f"https://{name}{path}", family=family, http=http)
        assert (seen.status, seen.version) == (404, http)
        client = re.escape(f"{OUTSIDE[family]}:{seen.port}")
        line = rf'^{client} - \[[^]]*\] {re.escape(name)} "GET {path} HTTP/{http}(\.0)?" 404 '
        log = province.run(NAMES[name], "tail -n 30 /var/log/nginx/access.log")
        assert re.search(line, log, re.MULTILINE), log

    @pytest.mark.parametrize("host", ["mail-xa", "mail-thpt"])
    def test_a_host_of_portals_answers_the_gateway_alone(self, province: LabProvince, host: str) -> None:
        """So nobody else can send it a PROXY header, which says from where a visitor comes."""
        machine = province.province.hosts[host]
        addresses = [str(machine.ipv4), str(machine.ipv6)]
        assert answering("mail-so", addresses, [443]) == {(address, 443) for address in addresses}
        for stranger in (INTERNET.name, ""):
            assert answering(stranger, addresses, [443]) == set()

    def test_what_a_stranger_says_of_his_address_is_believed_nowhere(self, province: LabProvince) -> None:
        """A PROXY header of one's own at the gateway is no TLS; an inner door is shut."""
        assert answering(INTERNET.name, list(GATEWAY.values()), [4430]) == set()
        for name in (HERE, ELSEWHERE):
            raw = socket.create_connection((GATEWAY[4], 443), timeout=10)
            port = raw.getsockname()[1]
            raw.sendall(f"PROXY TCP4 {FORGED} {GATEWAY[4]} 4321 443\r\n".encode())
            with pytest.raises((ssl.SSLError, OSError)):
                province.network.context().wrap_socket(raw, server_hostname=name)
            raw.close()
            # It is a bad request, logged with who really sent it.
            log = province.run("mail-so", "tail -n 20 /var/log/nginx/access.log")
            assert re.search(rf'^{re.escape(GATEWAY4)}:{port} - .* "PROXY TCP4 {FORGED} ', log, re.MULTILINE), log
        _, body = page(province, ELSEWHERE, f"/{time.time_ns()}", X_Forwarded_For=FORGED, X_Real_IP=FORGED)
        assert FORGED.encode() not in body
        for host in ("mail-so", "mail-xa"):
            assert f"\n{FORGED}" not in province.run(host, "tail -n 100 /var/log/nginx/access.log")

    def test_a_name_that_nobody_has_is_shown_no_certificate(self, province: LabProvince) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name in ("khong-co.minhha.test", "mail-xa.minhha.test", None):
            with socket.create_connection((GATEWAY[4], 443), timeout=10) as raw, pytest.raises(ssl.SSLError):
                context.wrap_socket(raw, server_hostname=name)

    def test_a_browser_that_keeps_a_connection_for_another_hosts_name_is_told_so(self, province: LabProvince) -> None:
        """RFC 9110, 15.5.20: a certificate may cover names of several hosts, and HTTP/2 clients go by that."""
        for name, other in ((ELSEWHERE, OWN_HOST), (HERE, ELSEWHERE), (OWN_HOST, HERE)):
            assert visit(province, f"https://{name}/", host=other).status == 421

    def test_http_leads_to_https(self, province: LabProvince) -> None:
        for name in PORTALS:
            seen = visit(province, f"http://{name}/tin-tuc/?a=1", http="1.1")
            assert (seen.status, seen.headers["location"]) == (301, [f"https://{name}/tin-tuc/?a=1"])

    def test_http_of_a_name_that_nobody_has_leads_nowhere(self, province: LabProvince) -> None:
        for name in ("khong-co.minhha.test", "mail-xa.minhha.test"):
            for path in ("/", "/elsewhere"):
                assert visit(province, f"http://{name}{path}", http="1.1").status == 404

    @pytest.mark.parametrize("family", [4, 6])
    def test_a_former_name_leads_to_the_present_one(self, province: LabProvince, family: int) -> None:
        for scheme in ("http", "https"):
            seen = visit(province, f"{scheme}://{FORMER}/tin-tuc/?a=1", family=family)
            assert (seen.status, seen.headers["location"]) == (301, [f"https://{ELSEWHERE}/tin-tuc/?a=1"])

    @pytest.mark.parametrize("name", [*PORTALS, FORMER])
    def test_the_proof_for_an_authority_is_found_where_the_name_is_served(
        self, province: LabProvince, name: str
    ) -> None:
        host = portal_host(unit_of(province, name))
        proof = "/var/lib/edumail/acme-challenge/.well-known/acme-challenge/thu"
        province.run(host, f"mkdir -p {Path(proof).parent} && echo {host}-{name} > {proof}")
        try:
            with socket.create_connection((GATEWAY[4], 80), timeout=10) as connection:
                path = "/.well-known/acme-challenge/thu"
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                response = HTTPResponse(connection)
                response.begin()
                assert response.read().decode().strip() == f"{host}-{name}"
        finally:
            province.run(host, f"rm {proof}")

    def test_a_host_that_is_down_takes_no_other_with_it(self, province: LabProvince) -> None:
        province.run("mail-xa", "systemctl stop nginx")
        try:
            for name in (HERE, OWN_HOST, FRONT):
                assert visit(province, f"https://{name}/").status == 200
            began = time.monotonic()
            with pytest.raises(LabError):
                visit(province, f"https://{ELSEWHERE}/")
            assert time.monotonic() - began < 10
        finally:
            province.run("mail-xa", "systemctl start nginx")
        assert visit(province, f"https://{ELSEWHERE}/").status == 200


HEADERS = {
    "strict-transport-security": r"max-age=31536000",
    "content-security-policy": r"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    r"form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": r"camera=\(\), .*",
    "cross-origin-opener-policy": "same-origin",
}


class TestPages:
    """What a visitor gets."""

    @EVERY_PORTAL
    def test_every_answer_has_the_headers_once(self, province: LabProvince, name: str) -> None:
        first, _ = page(province, name)
        again, _ = page(province, name, If_None_Match=first.headers["ETag"])
        missing, _ = page(province, name, "/khong-co/")
        answers = {200: first, 304: again, 404: missing}
        for status, answer in answers.items():
            assert answer.status == status
            for header, value in HEADERS.items():
                found = answer.headers.get_all(header) or []
                assert len(found) == 1, (status, header)
                assert re.fullmatch(value, found[0]), (status, header)
            assert "nginx/" not in answer.headers["Server"]

    def test_a_redirect_has_them_too(self, province: LabProvince) -> None:
        seen = visit(province, f"https://{FORMER}/")
        assert set(HEADERS) <= set(seen.headers)

    @EVERY_PORTAL
    def test_a_page_that_is_missing_is_said_to_be_in_vietnamese(self, province: LabProvince, name: str) -> None:
        for path in ("/khong-co", "/khong-co/", "/a/b.html"):
            response, body = page(province, name, path)
            assert response.status == 404
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "Không tìm thấy trang" in body.decode()
        style, _ = page(province, name, "/errors/style.css")
        assert style.status == 200
        assert style.headers["Content-Type"] == "text/css; charset=utf-8"

    @EVERY_PORTAL
    def test_text_is_sent_compressed_as_it_lies_on_disk(self, province: LabProvince, name: str) -> None:
        unit = unit_of(province, name)
        plain, body = page(province, name)
        packed, smaller = page(province, name, Accept_Encoding="gzip")
        assert plain.headers["Content-Encoding"] is None
        assert packed.headers["Content-Encoding"] == "gzip"
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(smaller) == body
        file = f"/var/lib/edumail/trees/portal/current/sites/{unit.id}/index.html.gz"
        assert province.run(portal_host(unit), f"stat -c %s {file}").strip() == str(len(smaller))

    def test_pages_are_asked_for_again_and_files_only_read(self, province: LabProvince) -> None:
        response, _ = page(province, ELSEWHERE)
        assert response.headers["Cache-Control"] == "no-cache"
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            seen = visit(province, f"https://{ELSEWHERE}/", method=method)
            assert (seen.status, seen.headers["allow"]) == (405, ["GET, HEAD"])
        assert ask(province, "/", {"a": "b"}, ELSEWHERE) == (405, error_page(405))
        assert visit(province, f"https://{ELSEWHERE}/", method="HEAD").status == 200

    @EVERY_PORTAL
    def test_what_has_a_digest_in_its_name_is_kept_and_nothing_else(self, province: LabProvince, name: str) -> None:
        """Its name is that of its content: another content has another name."""
        _, home = page(province, name)
        styles = re.findall(r'<link rel="stylesheet" href="(/assets/[^"]+)">', home.decode())
        assert styles
        for path in styles:
            for encoding in ("identity", "gzip"):
                response, body = page(province, name, path, Accept_Encoding=encoding)
                assert response.status == 200
                assert response.headers.get_all("Cache-Control") == ["public, max-age=31536000, immutable"]
                text = gzip.decompress(body) if response.headers["Content-Encoding"] else body
                digest = re.search(r"-([0-9a-f]+)\.css$", path)
                assert digest
                assert hashlib.sha256(text).hexdigest().startswith(digest[1])
            missing, _ = page(province, name, re.sub("-[0-9a-f]{4}", "-0000", path))
            assert (missing.status, missing.headers["Cache-Control"]) == (404, None)
        others = {"/errors/style.css": "no-cache", "/rss.xml": "public, max-age=300", "/phan-anh": "no-store"}
        others |= dict.fromkeys(re.findall(r'(?:href|src)="(/files/[^"]+)"', home.decode()), "no-cache")
        kept = {path: page(province, name, path)[0].headers.get_all("Cache-Control") for path in others}
        assert kept == {path: [rule] for path, rule in others.items()}

    def test_a_program_that_is_gone_is_told_in_vietnamese(self, province: LabProvince) -> None:
        units = "edumail-search.socket edumail-search.service"
        province.run(NAMES[ELSEWHERE], f"systemctl stop {units}")
        try:
            assert ask(province, "/tim-kiem?q=a", portal=ELSEWHERE) == (502, error_page(503))
        finally:
            province.run(NAMES[ELSEWHERE], f"systemctl start {units}")
        assert ask(province, "/tim-kiem?q=a", portal=ELSEWHERE)[0] == 200

    @EVERY_PORTAL
    def test_whom_to_tell_of_a_hole(self, province: LabProvince, name: str) -> None:
        response, body = page(province, name, "/.well-known/security.txt")
        assert (response.status, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        fields = [line.split(": ", 1) for line in body.decode().splitlines()]
        contacts = [value for key, value in fields if key == "Contact"]
        assert f"mailto:{unit_of(province, name).public_address}" in contacts
        values = dict(fields)
        left = datetime.fromisoformat(values["Expires"].replace("Z", "+00:00")) - datetime.now(UTC)
        assert 0 < left.days < 365
        assert values["Canonical"] == f"https://{name}/.well-known/security.txt"

    @pytest.mark.parametrize(
        "path",
        [
            "/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/.manifest", "/assets/../../.sums",
            "/assets/..%2f.manifest", "/assets/%2e%2e/.manifest", "/.git/config", "/.env", "/tin-tuc/.htaccess",
            "/.manifest", "/index.html.gz", "/assets/", "/errors/", "/errors/404.html", "/.well-known/", "//sites/",
            "/sites/thcs-suoi-mo/index.html", "/index/thcs-suoi-mo.json", "/shells/thcs-suoi-mo.html",
            "/config-v1.1.xml", "/index.html%00.txt",
        ],
    )  # fmt: skip
    def test_what_is_not_public_is_not_there(self, province: LabProvince, path: str) -> None:
        response, body = page(province, ELSEWHERE, path)
        assert response.status in (400, 404), path
        assert b"root:" not in body
        assert b"sites/" not in body


class TestAfterADeploy:
    """What browsers have already is not sent again, and what changed is."""

    @pytest.fixture
    def changed(self, inventory: Path, tmp_path: Path) -> Iterator[Path]:
        """A copy of the inventory, keys and all; the host is put back afterwards."""
        folder = tmp_path / "lab"
        shutil.copytree(inventory, folder, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder
        assert deploy(inventory, "--host", "mail-xa").returncode == 0

    def test_a_page_that_stayed_is_not_sent_again_and_one_of_the_same_size_is(
        self, province: LabProvince, changed: Path
    ) -> None:
        other = "thsuoimo.suoimo.minhha.test"
        known = {name: page(province, name, Accept_Encoding="gzip")[0].headers for name in (ELSEWHERE, other)}
        file = changed / "units" / "suoi-mo.yml"
        file.write_text(file.read_text().replace("0299 3 300 321", "0299 3 300 329"))
        result = deploy(changed, "--host", "mail-xa")
        assert result.returncode == 0, result.stdout + result.stderr
        answers = {
            name: page(province, name, Accept_Encoding="gzip", If_None_Match=headers["ETag"])[0]
            for name, headers in known.items()
        }
        assert {name: answer.status for name, answer in answers.items()} == {ELSEWHERE: 304, other: 200}
        since = {name: page(province, name, If_Modified_Since=known[name]["Last-Modified"])[0].status for name in known}
        assert since == {ELSEWHERE: 304, other: 200}


def test_many_connections_at_once_are_all_answered(province: LabProvince) -> None:
    """More than a worker of nginx takes where nobody says otherwise, counting three for each."""
    context = province.network.context()
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(socket.create_connection((GATEWAY[4], 443), timeout=10))
        raw = stack.enter_context(socket.create_connection((GATEWAY[4], 443), timeout=10))
        assert context.wrap_socket(raw, server_hostname=HERE).version() == "TLSv1.3"
