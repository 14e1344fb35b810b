"""Mail between servers is encrypted and goes to the right one, or it waits: DANE, MTA-STS, and between our hosts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edumail import pki
from edumail.dns import zones
from edumail.load import load
from lab import lab, ssh
from lab import zones as lab_zones
from lab.topology import STRICT_DOMAIN
from roles.identity.authority import open_authority
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import wait

CLERK, TEACHER = "nhilt@suoimo.minhha.test", "yendth@thptsongque.test"  # on mail-xa, on mail-thpt
DIRECTOR = "thinhdq@sogddt.minhha.test"  # on the gateway


class Log:
    """What a host's Postfix says from now on."""

    def __init__(self, host: str):
        self.host = host
        command = "journalctl -n 0 --show-cursor --quiet"
        self.cursor = ssh.call(host, command).decode().partition("cursor: ")[2].strip()

    def text(self) -> str:
        """All of it so far."""
        command = f"journalctl --after-cursor='{self.cursor}' -u 'postfix*' -o cat --no-pager --quiet"
        return ssh.call(self.host, command).decode(errors="replace")

    def wait_for(self, *words: str, seconds: float = 30) -> str:
        """The first line with all of ``words``. Raises AssertionError when there is none in time."""
        end = time.monotonic() + seconds
        while True:
            text = self.text()
            for line in text.splitlines():
                if all(word in line for word in words):
                    return line
            assert time.monotonic() < end, f"no line with {words} on {self.host} within {seconds} s:\n{text}"
            time.sleep(0.3)


def key_and_certificate(authority: pki.Authority, *names: str) -> tuple[bytes, bytes]:
    """A new key and its certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, pki.sign(authority, public, names, datetime.now(UTC))


def publish(host: str, zones: dict[str, str]) -> None:
    """Publish zones and let ``host`` look keys up anew: Postfix's clients keep those that they have seen."""
    lab.publish_zones(zones)
    ssh.call(host, "postfix reload 2>&1")


class TestDane:
    """Keys in signed DNS (RFC 7672)."""

    def test_what_we_send_is_verified(self, province: LabProvince) -> None:
        log = Log("mail-so")
        province.send(DIRECTOR, "phuhuynh@ngoai.test")
        log.wait_for("Verified TLS connection established to mx.ngoai.test")

    def test_who_sends_to_us_verifies_our_key(self, province: LabProvince) -> None:
        log = Log("internet")
        message = new_message("phuhuynh@ngoai.test", DIRECTOR)
        lab.foreign_send("phuhuynh@ngoai.test", DIRECTOR, message.as_bytes())
        log.wait_for("Verified TLS connection established to mail-so.minhha.test")
        province.read(DIRECTOR, message["Message-ID"].strip("<>"))

    def test_who_finds_another_key_does_not_send_to_us(self, province: LabProvince) -> None:
        right = zones(load(province.folder), 1)
        key = (load(province.folder).published["mail-so"].identity or "").replace(":", "").lower()
        wrong = {apex: text.replace(f"TLSA 3 1 1 {key}", f"TLSA 3 1 1 {'0' * 64}") for apex, text in right.items()}
        assert wrong != right
        message = new_message("phuhuynh@ngoai.test", DIRECTOR)
        publish("internet", wrong)
        try:
            log = Log("internet")
            lab.foreign_send("phuhuynh@ngoai.test", DIRECTOR, message.as_bytes())
            log.wait_for(f"to=<{DIRECTOR}>", "status=deferred", "certificate not verified")
        finally:
            publish("internet", right)
        ssh.call("internet", "postqueue -f")
        province.read(DIRECTOR, message["Message-ID"].strip("<>"))


_POLICY_SERVER = """
import http.server, socket, ssl
class Policy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/.well-known/mta-sts.txt" else 404)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"version: STSv1\\r\\nmode: enforce\\r\\nmx: mx.DOMAIN\\r\\nmax_age: 86400\\r\\n")
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/foreign/sts.pem")
server = Server(("::", 443), Policy)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
""".replace("DOMAIN", STRICT_DOMAIN)


class Strict:
    """The other foreign domain with its policy, and a public authority that our gateway trusts meanwhile."""

    address = f"bo@{STRICT_DOMAIN}"

    def __init__(self) -> None:
        self.authority = pki.new_authority("a public CA", datetime.now(UTC))

    def up(self) -> None:
        anchor = "/usr/local/share/ca-certificates/lab.crt"
        renew = "update-ca-certificates >/dev/null 2>&1; systemctl restart postfix-mta-sts-resolver postfix"
        ssh.call("mail-so", f"cat >{anchor}; {renew}", stdin=self.authority.pem)
        ssh.call("internet", "cat >/etc/foreign/sts.py", stdin=_POLICY_SERVER.encode())
        pem = b"".join(key_and_certificate(self.authority, f"mta-sts.{STRICT_DOMAIN}"))
        ssh.call("internet", "cat >/etc/foreign/sts.pem", stdin=pem)
        # The outside's other sites have the same address; they are away meanwhile.
        start = "systemctl stop foreign-web; systemd-run --quiet --collect --unit=lab-sts python3 /etc/foreign/sts.py"
        ssh.call("internet", start)
        self.present(f"mx.{STRICT_DOMAIN}")
        wait("the policy is served", lambda: ssh.call("internet", "ss -Hltn sport = :443").strip())

    def down(self) -> None:
        ssh.call("internet", "systemctl stop lab-sts; systemctl start foreign-web")
        ssh.call("internet", "postconf -X tls_server_sni_maps; postfix reload 2>/dev/null")
        ssh.call("internet", "rm -f /etc/foreign/sts.* /etc/foreign/mx.pem /etc/foreign/sni*")
        renew = "update-ca-certificates >/dev/null 2>&1; systemctl restart postfix-mta-sts-resolver postfix"
        ssh.call("mail-so", f"rm -f /usr/local/share/ca-certificates/lab.crt; {renew}")
        lab.publish_zones({STRICT_DOMAIN: lab_zones.strict()})

    def present(self, name: str, authority: pki.Authority | None = None) -> str:
        """Let the exchanger show a certificate for ``name``; gives its key as in a TLSA record."""
        private, certificate = key_and_certificate(authority or self.authority, name)
        script = f"""set -e; cat >/etc/foreign/mx.pem
        echo 'mx.{STRICT_DOMAIN} /etc/foreign/mx.pem' >/etc/foreign/sni
        postmap -F hash:/etc/foreign/sni && postconf -e tls_server_sni_maps=hash:/etc/foreign/sni
        postfix reload 2>/dev/null"""
        ssh.call("internet", script, stdin=private + certificate)
        key = serialization.load_pem_private_key(private, None).public_key()
        public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return pki.fingerprint(public).replace(":", "").lower()

    def publish_key(self, key: str | None) -> None:
        """A TLSA record for the exchanger, or none."""
        record = f"_25._tcp.mx TLSA 3 1 1 {key}\n" if key else ""
        publish("mail-so", {STRICT_DOMAIN: lab_zones.strict() + record})


@pytest.fixture(scope="module")
def strict(province: LabProvince) -> Iterator[Strict]:
    found = Strict()
    try:
        found.up()
        yield found
    finally:
        found.down()


class TestStrictTransport:
    """Receivers that ask for a verified certificate (RFC 8461)."""

    @pytest.fixture(autouse=True)
    def _as_it_was(self, strict: Strict) -> Iterator[None]:
        yield
        strict.present(f"mx.{STRICT_DOMAIN}")
        strict.publish_key(None)
        ssh.call("mail-so", "postqueue -f")

    def arrives(self, message_id: str) -> None:
        wait("delivery", lambda: any(message_id.encode() in m for m in lab.foreign_inbox("bo", STRICT_DOMAIN)))

    def test_a_right_certificate_is_verified(self, province: LabProvince, strict: Strict) -> None:
        log = Log("mail-so")
        message_id = province.send(DIRECTOR, strict.address)
        log.wait_for(f"Verified TLS connection established to mx.{STRICT_DOMAIN}")
        self.arrives(message_id)

    def test_a_certificate_for_another_name_gets_nothing(self, province: LabProvince, strict: Strict) -> None:
        strict.present(f"khac.{STRICT_DOMAIN}")
        log = Log("mail-so")
        message_id = province.send(DIRECTOR, strict.address)
        log.wait_for(f"to=<{strict.address}>", "status=deferred", "certificate not verified")
        strict.present(f"mx.{STRICT_DOMAIN}")
        ssh.call("mail-so", "postqueue -f")
        self.arrives(message_id)

    def test_no_certificate_outweighs_a_wrong_key(self, province: LabProvince, strict: Strict) -> None:
        """RFC 8461, section 2: the policy must not override DANE that fails."""
        strict.publish_key("0" * 64)
        log = Log("mail-so")
        message_id = province.send(DIRECTOR, strict.address)
        log.wait_for(f"to=<{strict.address}>", "status=deferred", "certificate not verified")
        strict.publish_key(None)
        ssh.call("mail-so", "postqueue -f")
        self.arrives(message_id)

    def test_a_right_key_needs_no_certificate(self, province: LabProvince, strict: Strict) -> None:
        nobody = pki.new_authority("nobody knows it", datetime.now(UTC))
        strict.publish_key(strict.present("khac.test", nobody))
        log = Log("mail-so")
        message_id = province.send(DIRECTOR, strict.address)
        log.wait_for(f"Verified TLS connection established to mx.{STRICT_DOMAIN}")
        self.arrives(message_id)

    def test_while_nobody_knows_the_policies_mail_waits(self, province: LabProvince, strict: Strict) -> None:
        log = Log("mail-so")
        ssh.call("mail-so", "systemctl stop postfix-mta-sts-resolver")
        try:
            message_id = province.send(DIRECTOR, strict.address)
            log.wait_for(f"to=<{strict.address}>", "status=deferred")
        finally:
            ssh.call("mail-so", "systemctl start postfix-mta-sts-resolver")
        ssh.call("mail-so", "postqueue -f")
        self.arrives(message_id)


class TestBetweenOurHosts:
    """A host of the province gets mail from another only with its own authority's certificate for its own name."""

    @pytest.mark.parametrize("what", ["another authority", "another name"])
    def test_who_can_not_prove_its_name_gets_no_mail(self, province: LabProvince, what: str) -> None:
        ours = open_authority(province.folder, province.province.settings)
        if what == "another authority":
            pair = key_and_certificate(pki.new_authority("stranger", datetime.now(UTC)), "mail-xa.minhha.test")
        else:
            pair = key_and_certificate(ours, "mail-xo.minhha.test")
        # The gateway knows that the address exists: what is looked at is the delivery, not the probe before it.
        known = new_message("phuhuynh@ngoai.test", CLERK)
        lab.foreign_send("phuhuynh@ngoai.test", CLERK, known.as_bytes())
        province.read(CLERK, known["Message-ID"].strip("<>"))
        tls = "/etc/edumail/tls"
        message = new_message("phuhuynh@ngoai.test", CLERK)
        # The host's own work would show the stranger's certificate to everybody.
        with province.without_work_of("edumail-certificates", "mail-xa"):
            province.run("mail-xa", f"cp -p {tls}/host.pem {tls}/kept.pem; cp -p {tls}/host.key {tls}/kept.key")
            try:
                province.run("mail-xa", f"cat >{tls}/host.key", stdin=pair[0].decode())
                province.run("mail-xa", f"cat >{tls}/host.pem; postfix reload 2>&1", stdin=pair[1].decode())
                log = Log("mail-so")
                lab.foreign_send("phuhuynh@ngoai.test", CLERK, message.as_bytes())
                log.wait_for(f"to=<{CLERK}>", "status=deferred", "certificate not")
            finally:
                back = f"mv {tls}/kept.key {tls}/host.key; mv {tls}/kept.pem {tls}/host.pem; postfix reload 2>&1"
                province.run("mail-xa", back)
        province.run("mail-so", "postqueue -f")
        province.read(CLERK, message["Message-ID"].strip("<>"))
