"""The lab's province as its people and strangers use it: real protocols, nothing mocked."""

from __future__ import annotations

import contextlib
import email
import email.policy
import imaplib
import secrets
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path

from edumail.load import load
from edumail.mail import Mail
from lab import ssh
from tests.circular.network import Network

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT_SECONDS = 30


class LabProvince:
    """Sign in, send and read as anybody; accounts are activated with their one-time codes when first needed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.province = load(folder)
        self.mail = Mail(self.province)
        self.network = Network(self.province, folder / "published" / "ca.pem")
        self.passwords: dict[str, str] = {}

    @cached_property
    def gateway(self) -> str:
        """The gateway's fqdn."""
        return self.mail.gateway.fqdn

    @property
    def front(self) -> str:
        """The one name that people of all hosts use."""
        return self.province.settings.front_name

    def fqdn(self, address: str) -> str:
        """The host of a mailbox."""
        return self.province.hosts[self.mail.home[address]].fqdn

    def run(self, host: str, script: str, stdin: str = "") -> str:
        """A root shell script on a host. Raises lab.text.LabError when it fails."""
        return ssh.call(host, script, stdin=stdin.encode()).decode()

    @contextlib.contextmanager
    def without_work_of(self, service: str, *hosts: str) -> Iterator[None]:
        """What a timer has hosts do by themselves isn't due meanwhile and isn't under way; the timer itself is on."""
        held = f"/run/systemd/system/{service}.timer.d"
        hold = f"""mkdir -p {held}
        printf '[Timer]\\nOnCalendar=\\nOnCalendar=yearly\\n' >{held}/held.conf
        systemctl daemon-reload
        timeout 60 sh -c 'while [ "$(systemctl show -P ActiveState {service})" = activating ]; do sleep 1; done'"""
        try:
            for host in hosts:
                self.run(host, hold)
            yield
        finally:
            for host in hosts:
                self.run(host, f"rm -rf {held} && systemctl daemon-reload")

    def accounts(self, host: str, statement: str) -> str:
        """An SQL statement on the accounts of a host, as only root there can; gives the rows as Python prints them."""
        script = (
            "import sqlite3, sys; database = sqlite3.connect('/var/lib/edumail/accounts/accounts.db',"
            " isolation_level=None); print(list(database.execute(sys.stdin.read())))"
        )
        return self.run(host, f'python3 -c "{script}"', stdin=statement)

    def password(self, address: str) -> str:
        """The person's password; chosen with a fresh code the first time."""
        if address not in self.passwords:
            host = self.mail.home[address]
            code = self.run(host, f"edumail-accounts code {address}").strip()
            password = f"aA1-{secrets.token_urlsafe(12)}"  # of every class of characters
            self.run(host, f"edumail-accounts activate {address}", stdin=f"{code}\n{password}\n")
            self.passwords[address] = password
        return self.passwords[address]

    @contextlib.contextmanager
    def submission(self, login: str, port: int = 587, host: str = "") -> Iterator[smtplib.SMTP]:
        """A signed-in submission session, on the person's own host if none is named."""
        with self.network.smtp(host or self.fqdn(login), port) as client:
            if port != 465:
                client.starttls(context=self.network.context())
            client.login(login, self.password(login))
            yield client

    def send(self, sender: str, *recipients: str, login: str | None = None, **headers: str) -> str:
        """Submit a message; gives its Message-ID without brackets. Raises smtplib.SMTPException."""
        message = new_message(sender, *recipients, **headers)
        with self.submission(login or sender) as client:
            client.send_message(message, from_addr=sender, to_addrs=list(recipients))
        return message["Message-ID"].strip("<>")

    def from_outside(self, sender: str, recipient: str, message: EmailMessage | None = None) -> tuple[int, str]:
        """A stranger's dialogue with the MX up to the end of DATA: (code, reply)."""
        with self.network.smtp(self.network.exchanger(recipient.partition("@")[2])) as client:
            for code, reply in (client.mail(sender), client.rcpt(recipient)):
                if code != 250:
                    return code, reply.decode(errors="replace")
            code, reply = client.data((message or new_message(sender or "a@kiemtra.invalid", recipient)).as_bytes())
            return code, reply.decode(errors="replace")

    @contextlib.contextmanager
    def imap(self, address: str) -> Iterator[imaplib.IMAP4]:
        """The person's own IMAP session."""
        with self.network.imap(self.fqdn(address), address, self.password(address)) as client:
            yield client

    def read(self, address: str, message_id: str, folder: str = "INBOX", seconds: float = WAIT_SECONDS) -> EmailMessage:
        """The message as its recipient reads it; waits for it. Raises AssertionError when it does not come."""
        raw = self.fetch(address, message_id, folder, seconds)
        return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]

    def fetch(self, address: str, message_id: str, folder: str = "INBOX", seconds: float = WAIT_SECONDS) -> bytes:
        """The same, byte for byte."""
        return self._wait_for(address, "HEADER Message-ID", f"<{message_id}>", folder, seconds)

    def wait_for(
        self, address: str, key: str, value: str, folder: str = "INBOX", seconds: float = WAIT_SECONDS
    ) -> EmailMessage:
        """As :meth:`read`, for the first message that a search (RFC 9051, 6.4.4) by ``key`` and ``value`` finds."""
        raw = self._wait_for(address, key, value, folder, seconds)
        return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]

    def _wait_for(self, address: str, key: str, value: str, folder: str, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        with self.imap(address) as client:
            while True:
                numbers = []
                if client.select(folder)[0] == "OK":  # some folders come with their first letter
                    client.literal = value.encode()
                    _, data = client.search("UTF-8", *key.split())
                    numbers = data[0].split()
                if numbers:
                    _, parts = client.fetch(numbers[0], "(RFC822)")
                    return parts[0][1]  # type: ignore[index,return-value]
                assert time.monotonic() < end, f"{value} did not come to {address} within {seconds} s"
                time.sleep(0.3)

    def count(self, address: str, message_id: str) -> int:
        """How many copies of a message are in the inbox now."""
        with self.imap(address) as client:
            client.select("INBOX")
            _, data = client.search(None, "HEADER", "Message-ID", f'"<{message_id}>"')
            return len(data[0].split())


def new_message(sender: str, *recipients: str, **headers: str) -> EmailMessage:
    """A message with Vietnamese text and a Message-ID of its own; ``headers`` override (``From`` as ``from_``)."""
    message = EmailMessage(policy=email.policy.SMTP)
    given = {name.rstrip("_").replace("_", "-").capitalize(): value for name, value in headers.items()}
    values = {
        "From": sender,
        "To": ", ".join(recipients),
        "Subject": "Công văn số 12: họp giao ban",
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
        "Message-Id": f"<{secrets.token_hex(12)}@{sender.rpartition('@')[2] or 'kiemtra.invalid'}>",
    } | given
    for name, value in values.items():
        message[name] = value
    message.set_content("Kính gửi quý thầy cô,\nĐây là thư thử nghiệm.\n")
    return message
