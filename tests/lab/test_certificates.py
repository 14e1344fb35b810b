"""A host with certificates from a public authority, then from files: strangers see those, hosts know each other."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edumail import pki
from edumail.load import load_published
from edumail.supplied import read_published
from lab import acme, ssh
from lab.text import LabError
from lab.topology import INTERNET
from tests.core.authority import Authority, key_pem, new_key
from tests.lab.province import ROOT, WAIT_SECONDS, LabProvince, new_message

HOST = "mail-thpt"
MAIL, WEB = "mail.thptsongque.test", "www.thptsongque.test"
DOORS = [(WEB, 443), (MAIL, 465), (MAIL, 993), (MAIL, 995)]
TEACHER, DIRECTOR = "yendth@thptsongque.test", "thinhdq@sogddt.minhha.test"  # here; on the gateway
TRUSTED = "/usr/local/share/ca-certificates/lab-acme.crt"
PEM = serialization.Encoding.PEM


@dataclass
class Site:
    """The host, deployed from a copy of the inventory that may say something else about certificates."""

    province: LabProvince
    folder: Path
    original: str = field(init=False)

    def __post_init__(self) -> None:
        self.original = (self.folder / "province.yml").read_text()

    def deploy(self, certificates: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "province.yml").write_text(f"{self.original}certificates: {certificates}\n")
        return deploy(self.folder)

    def run(self, script: str) -> str:
        return self.province.run(HOST, script)

    def seen(self, name: str, port: int, authority: bytes) -> x509.Certificate:
        """What a stranger sees who trusts ``authority`` alone. Raises ssl.SSLError when that does not do."""
        context = ssl.create_default_context(cadata=authority.decode())
        with (
            socket.create_connection((self.province.network.address(name), port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=name) as connection,
        ):
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def deploy(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edumail", "deploy", str(folder), "--host", HOST, "--lang", "en"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)


def fingerprint(certificate: x509.Certificate) -> str:
    return pki.fingerprint(certificate.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def arrives(province: LabProvince, reader: str, *criteria: str) -> bool:
    """Whether a message comes into the inbox, as its reader sees it at the front, who then deletes it."""
    end = time.monotonic() + WAIT_SECONDS
    with province.network.imap(province.front, reader, province.password(reader)) as client:
        while time.monotonic() < end:
            client.select("INBOX")
            if found := client.search(None, *criteria)[1][0].decode():
                client.store(found.replace(" ", ","), "+FLAGS", r"\Deleted")
                client.expunge()
                return True
            time.sleep(0.3)
    return False


@pytest.fixture(scope="module")
def site(province: LabProvince, inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("certificates") / "minhha"
    shutil.copytree(inventory, folder, ignore=shutil.ignore_patterns("__pycache__"))
    certificate = ssh.call(INTERNET.name, f"cat {acme.CERTIFICATE}").decode()
    province.run(HOST, f"cat >{TRUSTED} && update-ca-certificates >/dev/null 2>&1", stdin=certificate)
    with province.without_work_of("edumail-certificates", HOST):
        try:
            yield Site(province, folder)
        finally:
            acme.stop()
            province.run(HOST, f"rm {TRUSTED}; update-ca-certificates --fresh >/dev/null 2>&1")
            back = deploy(inventory)
            forget = "rm -rf /var/lib/edumail/certificates; systemctl reset-failed edumail-certificates.service"
            province.run(HOST, forget)
        assert back.returncode == 0, back.stdout + back.stderr


@dataclass
class FromAcme:
    """The host after a deploy while the authority was down, and its root once it was up and had certified the host."""

    site: Site
    first: subprocess.CompletedProcess[str]
    before: dict[str, bool]
    root: bytes


@pytest.fixture(scope="module")
def from_acme(site: Site, inventory: Path) -> FromAcme:
    acme.stop()
    first = site.deploy(f"{{from: acme, directory: '{acme.DIRECTORY}', contact: {DIRECTOR}, issuers: [ngoai.test]}}")
    internal = (inventory / "published" / "ca.pem").read_bytes()
    before = {}
    for name, port in DOORS:
        with contextlib.suppress(ssl.SSLError):
            before[f"{name}:{port}"] = bool(site.seen(name, port, internal))
    root = acme.start()
    site.run("edumail-certificates renew --force")
    return FromAcme(site, first, before, root)


def test_an_authority_that_is_down_stops_no_deploy(from_acme: FromAcme) -> None:
    assert from_acme.first.returncode == 0, from_acme.first.stdout + from_acme.first.stderr
    assert "note: host: Could not create client" in from_acme.first.stdout
    assert list(from_acme.before.values()) == [True] * len(DOORS)  # the internal ones meanwhile


@pytest.mark.parametrize(("name", "port"), DOORS)
def test_who_trusts_the_public_authority_alone_is_served(from_acme: FromAcme, name: str, port: int) -> None:
    seen = from_acme.site.seen(name, port, from_acme.root)
    assert (seen.not_valid_after_utc - datetime.now(UTC)).days in (89, 90)


def test_the_key_that_strangers_see_is_the_published_one(from_acme: FromAcme) -> None:
    published = load_published(from_acme.site.folder)[HOST]
    assert fingerprint(from_acme.site.seen(MAIL, 465, from_acme.root)) == published.identity


def test_the_hosts_and_the_front_still_know_each_other(from_acme: FromAcme) -> None:
    province = from_acme.site.province
    for sender, reader in ((TEACHER, DIRECTOR), (DIRECTOR, TEACHER)):
        message = new_message(sender, reader)
        with province.submission(sender, host=province.front) as client:
            client.send_message(message, from_addr=sender, to_addrs=[reader])
        assert arrives(province, reader, "HEADER", "Message-ID", message["Message-ID"])


def test_a_renewal_keeps_the_key_and_reaches_every_daemon(from_acme: FromAcme) -> None:
    site, root = from_acme.site, from_acme.root
    before = {door: site.seen(*door, root) for door in DOORS}
    site.run("edumail-certificates renew --force")
    for door in DOORS:
        after = site.seen(*door, root)
        assert after.serial_number != before[door].serial_number, door
        assert fingerprint(after) == fingerprint(before[door]), door


def test_a_second_deploy_leaves_the_certificates_as_they_are(from_acme: FromAcme) -> None:
    result = deploy(from_acme.site.folder)
    assert f"{HOST}  nothing to change" in result.stdout, result.stdout
    assert "note:" not in result.stdout


def test_the_timer_is_on(from_acme: FromAcme) -> None:
    assert from_acme.site.run("systemctl is-active edumail-certificates.timer").strip() == "active"
    assert "acme" in from_acme.site.run("edumail-certificates status")


@dataclass
class FromFiles:
    """The host after a deploy with a pair of files whose certificate ends in five days."""

    site: Site
    result: subprocess.CompletedProcess[str]
    root: bytes
    key: bytes


@pytest.fixture(scope="module")
def from_files(site: Site) -> FromFiles:
    authority, key = Authority(datetime.now(UTC)), new_key()
    names = ("mail-so.minhha.test", "mail.minhha.test", MAIL, "*.thptsongque.test")
    folder = site.folder / "secrets" / "certificates"
    folder.mkdir(parents=True)
    (folder / "mua.pem").write_bytes(authority.certify(key, names, days=5, age=85) + authority.intermediate)
    (folder / "mua.key").write_bytes(key_pem(key))
    result = site.deploy("{from: files, issuers: [ngoai.test]}")
    return FromFiles(site, result, authority.root, key_pem(key))


@pytest.mark.parametrize(("name", "port"), DOORS)
def test_who_trusts_the_authority_of_a_supplied_pair_is_served(from_files: FromFiles, name: str, port: int) -> None:
    assert from_files.result.returncode == 0, from_files.result.stdout + from_files.result.stderr
    seen = from_files.site.seen(name, port, from_files.root)
    assert fingerprint(seen) == load_published(from_files.site.folder)[HOST].supplied


def test_a_supplied_key_is_where_root_alone_reads_it_and_nowhere_else(from_files: FromFiles) -> None:
    line = from_files.key.decode().splitlines()[1]
    places = "/etc /home /root /run /srv /tmp /usr/local /var/cache /var/lib /var/log /var/spool /var/tmp"
    found = from_files.site.run(f"grep -rlF -e {line} {places} 2>/dev/null; true").split()
    assert found
    folders = {path.rpartition("/")[0] for path in found}
    # Dovecot compiles its configuration, keys and all.
    assert folders - {"/run/dovecot"} == {"/etc/edumail/tls/supplied", "/etc/edumail/tls/shown"}
    assert set(from_files.site.run(f"stat -c '%U %a' {' '.join(found)}").splitlines()) == {"root 600"}
    assert set(from_files.site.run("stat -c '%U %a' /etc/edumail/tls/s*").splitlines()) == {"root 700"}
    assert line not in from_files.result.stdout + from_files.result.stderr
    log = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edumail"
    assert not [path for path in log.glob("deploy-*.log") if line in path.read_text()]


def test_whoever_has_no_keys_finds_the_certificate_published(from_files: FromFiles) -> None:
    (pair,) = read_published(from_files.site.folder)
    assert (pair.id, pair.fingerprint) == ("mua", load_published(from_files.site.folder)[HOST].supplied)
    assert b"PRIVATE" not in pair.content


def test_a_certificate_that_ends_soon_is_heard_of(from_files: FromFiles) -> None:
    """By whoever deploys, whoever looks at the host's units, and the officer in charge."""
    assert "note: secrets/certificates/mua.pem: expires in" in from_files.result.stderr
    site = from_files.site
    with pytest.raises(LabError, match="failed"):
        site.run("systemctl start edumail-certificates.service")
    assert site.run("systemctl is-failed edumail-certificates.service").strip() == "failed"
    with pytest.raises(LabError, match=r"host: mail\.thptsongque\.test, files"):
        site.run("edumail-certificates status")
    officer = site.province.mail.units.officer(site.province.province.units["so"]).address
    assert arrives(site.province, officer, "SUBJECT", f'"certificates need attention: {MAIL}"')


def test_the_internal_certificates_come_back(from_files: FromFiles, inventory: Path) -> None:
    result = from_files.site.deploy("{from: internal}")
    assert result.returncode == 0, result.stdout + result.stderr
    for name, port in DOORS:
        assert from_files.site.seen(name, port, (inventory / "published" / "ca.pem").read_bytes())
    assert read_published(from_files.site.folder) == []
    assert from_files.site.run("find /etc/edumail/tls/supplied -name '*.pem'") == ""
