"""What must not work: relaying for strangers, passwords in the clear, other people's names, other hosts' doors."""

from __future__ import annotations

import imaplib
import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edumail import pki
from edumail.ports import PEER_PORT
from lab.topology import GATEWAY4
from tests.lab.province import LabProvince, new_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"
TEACHER = "yendth@thptsongque.test"
DIRECTOR = "thinhdq@sogddt.minhha.test"
SCHOOL = "thsuoimo@suoimo.minhha.test"  # held by CLERK and HEAD

# Forms by which open relays have been found: source routes, percent hacks, UUCP paths, quoted and literal domains.
RELAY_FORMS = (
    "someone@ngoai.test",
    "<@mail-so.minhha.test:someone@ngoai.test>",
    "someone%ngoai.test@mail-so.minhha.test",
    "someone%ngoai.test@sogddt.minhha.test",
    '"someone@ngoai.test"@mail-so.minhha.test',
    '"someone@ngoai.test"',
    "ngoai.test!someone@mail-so.minhha.test",
    "ngoai.test!someone",
    "someone@ngoai.test@sogddt.minhha.test",
    "postmaster%sogddt.minhha.test@[198.18.37.11]",
    "sogddt.minhha.test!postmaster@[198.18.37.11]",
    "someone@[198.18.37.53]",
    "someone@[IPv6:2001:db8:37::53]",
    "someone@mx.ngoai.test",
    f"{DIRECTOR.replace('@', '%')}@ngoai.test",
)


@pytest.mark.parametrize("form", RELAY_FORMS)
@pytest.mark.parametrize("sender", ["", "phuhuynh@ngoai.test", DIRECTOR], ids=["null", "outside", "ours"])
def test_the_gateway_relays_for_no_stranger(province: LabProvince, form: str, sender: str) -> None:
    with province.network.smtp(province.gateway) as client:
        client.docmd(f"MAIL FROM:<{sender}>")
        code, reply = client.docmd(f"RCPT TO:{form if form.startswith('<') else f'<{form}>'}")
    assert code >= 500, reply


@pytest.mark.parametrize("host", ["mail-so", "mail-xa", "mail-thpt"])
def test_nothing_is_taken_at_the_submission_port_without_a_sign_in(province: LabProvince, host: str) -> None:
    fqdn = province.province.hosts[host].fqdn
    with province.network.smtp(fqdn, 587) as client:
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 530
        assert client.mail(DIRECTOR)[0] == 530  # TLS first
        client.starttls(context=province.network.context())
        client.ehlo()
        assert client.has_extn("auth")
        client.mail(DIRECTOR)
        assert client.rcpt(DIRECTOR)[0] in (530, 553, 554)


def test_port_25_never_offers_a_sign_in(province: LabProvince) -> None:
    with province.network.smtp(province.gateway) as client:
        assert not client.has_extn("auth")
        client.starttls(context=province.network.context())
        client.ehlo()
        assert not client.has_extn("auth")


@pytest.mark.parametrize("host", ["mail-xa", "mail-thpt"])
def test_only_the_gateway_answers_on_port_25(province: LabProvince, host: str) -> None:
    address = str(province.province.hosts[host].ipv4)
    with pytest.raises(TimeoutError):  # dropped, not refused
        socket.create_connection((address, 25), timeout=2)


class TestSendAs:
    """The sender is whoever signed in, in the envelope and in the From header."""

    def test_the_envelope_of_another_person_is_refused(self, province: LabProvince) -> None:
        with province.submission(CLERK) as client:
            client.mail(HEAD)
            code, reply = client.rcpt(DIRECTOR)
        assert (code, b"not owned by user" in reply) == (553, True)

    def test_the_from_header_of_another_person_is_refused(self, province: LabProvince) -> None:
        message = new_message(HEAD, DIRECTOR)
        with province.submission(CLERK) as client, pytest.raises(smtplib.SMTPDataError) as refused:
            client.send_message(message, from_addr=CLERK, to_addrs=[DIRECTOR])
        assert refused.value.smtp_code == 554
        assert b"From header" in refused.value.smtp_error

    def test_a_shared_mailbox_is_for_its_holders(self, province: LabProvince) -> None:
        message_id = province.send(SCHOOL, DIRECTOR, login=CLERK)
        assert province.read(DIRECTOR, message_id)["From"] == SCHOOL
        with pytest.raises(smtplib.SMTPException):
            province.send(SCHOOL, DIRECTOR, login="huett@suoimo.minhha.test")

    def test_nobody_signs_in_as_a_shared_mailbox(self, province: LabProvince) -> None:
        with pytest.raises(imaplib.IMAP4.error), province.network.imap(province.fqdn(SCHOOL), SCHOOL, ""):
            pass


class TestBetweenHosts:
    """The door between hosts opens to known keys only, each for the senders of its own units."""

    def context(self, province: LabProvince, authority: pki.Authority) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        certificate = pki.sign(authority, public, ["mail-xa.minhha.test"], datetime.now(UTC))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = province.network.context()
        file = self.folder / "client.pem"
        file.write_bytes(pem + certificate)
        context.load_cert_chain(file)
        return context

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: object) -> None:
        self.folder = tmp_path  # type: ignore[assignment]

    @pytest.fixture
    def door(self, province: LabProvince) -> Iterator[smtplib.SMTP]:
        """The door as a peer finds it: the packet filter would keep us out, and it is the keys that are asked here."""
        element = f"element inet edumail peers4 '{{ {GATEWAY4} }}'"
        province.run(province.mail.gateway.name, f"nft add {element}")
        try:
            with province.network.smtp(province.gateway, PEER_PORT) as client:
                yield client
        finally:
            province.run(province.mail.gateway.name, f"nft delete {element}")

    def dialogue(self, client: smtplib.SMTP, context: ssl.SSLContext) -> int:
        client.starttls(context=context)
        client.ehlo()
        client.mail(CLERK)
        return client.rcpt("phuhuynh@ngoai.test")[0]

    def test_a_stranger_does_not_even_reach_it(self, province: LabProvince) -> None:
        with pytest.raises(TimeoutError):
            socket.create_connection((str(province.mail.gateway.ipv4), PEER_PORT), timeout=2)

    def test_no_certificate_no_mail(self, province: LabProvince, door: smtplib.SMTP) -> None:
        with pytest.raises((smtplib.SMTPException, OSError)):
            self.dialogue(door, province.network.context())

    def test_a_certificate_of_another_authority_is_refused(self, province: LabProvince, door: smtplib.SMTP) -> None:
        stranger = pki.new_authority("stranger", datetime.now(UTC))
        with pytest.raises((smtplib.SMTPException, OSError)):
            self.dialogue(door, self.context(province, stranger))

    def test_a_key_that_is_no_host_s_is_refused_even_when_our_authority_signed_it(
        self, province: LabProvince, door: smtplib.SMTP
    ) -> None:
        from roles.identity.authority import open_authority

        ours = open_authority(province.folder, province.province.settings)
        assert self.dialogue(door, self.context(province, ours)) == 554

    def test_a_host_is_trusted_for_its_own_senders_only(self, province: LabProvince) -> None:
        # mail-xa, with its own true key, says it carries mail of the director, who lives on the gateway's host.
        script = (
            "printf 'EHLO mail-xa.minhha.test\\r\\nMAIL FROM:<%s>\\r\\n'"
            "'RCPT TO:<%s>\\r\\nQUIT\\r\\n' {0} {1}"
            " | (sleep 1; while read -r line; do printf '%s\\n' \"$line\"; sleep 0.3; done)"
            " | openssl s_client -quiet -crlf -starttls smtp -connect mail-so.minhha.test:2525"
            " -cert /etc/edumail/tls/host.pem -key /etc/edumail/tls/host.key 2>/dev/null || true"
        )
        stranger = "phuhuynh@ngoai.test"
        for sender, recipient in (
            (DIRECTOR, stranger),
            (stranger, stranger),
            (DIRECTOR, "toanthe@sogddt.minhha.test"),
            (stranger, "toanthe@sogddt.minhha.test"),
        ):
            forged = province.run("mail-xa", script.format(sender, recipient))
            assert "554 5.7.1" in forged, forged
        # What it hands on of others is what waited there for somebody who has moved away.
        for sender, recipient in ((CLERK, stranger), (stranger, DIRECTOR), (DIRECTOR, "yendth@thptsongque.test")):
            honest = province.run("mail-xa", script.format(sender, recipient))
            assert "554" not in honest, honest
            assert "250 2.1.5" in honest
        # Of one that the gateway still knows there it would come back at once: it waits until both know of the move.
        for sender in (stranger, DIRECTOR):
            returned = province.run("mail-xa", script.format(sender, CLERK))
            assert "450 4.2.1" in returned, returned


class TestAuditor:
    """The auditor sees the folder of an audit and nothing else."""

    @pytest.fixture
    def audit(self, province: LabProvince) -> object:
        answer = json.loads(province.run("mail-xa", "edumail-audit open"))
        yield answer
        province.run("mail-xa", f"edumail-audit close {answer['login']}")

    def test_only_the_folder_of_an_audit_is_there(self, province: LabProvince, audit: dict[str, str]) -> None:
        province.read(HEAD, province.send(CLERK, HEAD))
        with province.network.imap("mail-xa.minhha.test", f"{HEAD}*{audit['login']}", audit["password"]) as client:
            assert client.select("INBOX")[0] == "NO"
            assert client.select("Sent")[0] == "NO"
            assert client.select(f'"Donvi/{SCHOOL}"')[0] == "NO"
            _, listed = client.list()
            # INBOX is always listed (RFC 9051, 5.1), and shared mailboxes by name; they were not to be opened above.
            opened = [row for row in listed if row and b"\\Noselect" not in row]  # type: ignore[operator]
            assert not [row for row in opened if not row.endswith((b" INBOX", b" edumail-audit"))]  # type: ignore[union-attr]
            assert client.create("Khac")[0] == "NO"
            assert client.append("INBOX", None, None, b"Subject: x\r\n\r\nx")[0] == "NO"

    def test_the_sign_in_is_no_way_to_send(self, province: LabProvince, audit: dict[str, str]) -> None:
        with province.network.smtp("mail-xa.minhha.test", 587) as client:
            client.starttls(context=province.network.context())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(f"{HEAD}*{audit['login']}", audit["password"])

    def test_letters_to_whom_the_audit_did_not_name_are_not_sent(
        self, province: LabProvince, audit: dict[str, str]
    ) -> None:
        wanted = {f"audit.{n:024x}@kiemtra.invalid": to for n, to in enumerate((HEAD, "ai-do@ngoai.test"))}
        probes = [{"sender": SCHOOL, "recipient": to, "message_id": message_id} for message_id, to in wanted.items()]
        request = json.dumps({"probes": probes, "tokens": [audit["token"]]})
        said = json.loads(province.run("mail-xa", "edumail-audit send", stdin=request))
        assert [bool(said[message_id]) for message_id in wanted] == [False, True], said

    def test_what_came_of_people_s_letters_is_told_to_nobody(self, province: LabProvince) -> None:
        request = json.dumps({"message_ids": [province.send(CLERK, HEAD)], "since": 0})
        said = province.run("mail-xa", "edumail-audit trace 2>&1 || true", stdin=request)
        assert "only an audit's letters" in said

    def test_it_ends_with_the_audit(self, province: LabProvince) -> None:
        answer = json.loads(province.run("mail-xa", "edumail-audit open"))
        province.run("mail-xa", f"edumail-audit close {answer['login']}")
        login = f"{HEAD}*{answer['login']}"
        with (
            pytest.raises(imaplib.IMAP4.error),
            province.network.imap("mail-xa.minhha.test", login, answer["password"]),
        ):
            pass

    def test_a_token_of_no_open_audit_hides_nothing(self, province: LabProvince) -> None:
        message = new_message(CLERK, HEAD)
        message["X-Edumail-Audit"] = "0" * 32
        with province.submission(CLERK) as client:
            client.send_message(message, from_addr=CLERK, to_addrs=[HEAD])
        province.read(HEAD, message["Message-ID"].strip("<>"))

    def test_the_account_sends_no_mail_and_sees_no_queue(self, province: LabProvince) -> None:
        for words in (f"sendmail -i -f {HEAD} -- {CLERK}", "postqueue -p", "postqueue -f"):
            said = province.run("mail-xa", f"runuser -u auditor -- /usr/sbin/{words} 2>&1 </dev/null || true")
            assert "auditor" in said, said  # Postfix says to whom it is not allowed
            assert "not allowed" in said, said

    @pytest.mark.parametrize("to", [("127.0.0.1", 25), ("::1", 25), ("127.0.0.1", 6379), ("127.0.0.1", 11334)])
    def test_the_account_opens_no_connection(self, province: LabProvince, to: tuple[str, int]) -> None:
        words = f"python3 -c 'import socket; socket.create_connection({json.dumps(to)}, 5)' 2>&1 || true"
        assert province.run("mail-so", words) == ""
        said = province.run("mail-so", f"runuser -u auditor -- {words}")
        assert "No route to host" in said or "Permission denied" in said, said  # and not "Connection refused"

    def test_rules_are_loaded_at_boot_though_somebody_took_the_account_away(self, province: LabProvince) -> None:
        words = (
            "userdel auditor && systemctl restart nftables.service && nft list chain inet edumail output && id auditor"
        )
        assert "skuid" in province.run("mail-xa", words)

    def test_sudo_gives_the_auditor_that_one_command(self, province: LabProvince) -> None:
        assert province.run("mail-xa", "runuser -u auditor -- sudo -n /usr/local/sbin/edumail-audit facts")
        refused = province.run("mail-xa", "runuser -u auditor -- sudo -n /bin/cat /etc/shadow 2>&1 || true")
        assert "password is required" in refused
        for secret in (
            "/etc/edumail/tls/host.key",
            "/etc/edumail/dkim/host.key",
            "/var/lib/edumail/accounts/accounts.db",
        ):
            assert "denied" in province.run("mail-xa", f"runuser -u auditor -- cat {secret} 2>&1 || true")
