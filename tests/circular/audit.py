"""An audit of a province: opened on each host by sudo over SSH, closed again, nothing left behind.

Nobody's password is known. Probes carry the tokens of all open audits; each is found again in the folder Audit of the
real mailbox, over IMAP, with a sign-in that ends with the audit.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import secrets
import shlex
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import testinfra

from edumail.circular.catalogue import requirements
from edumail.load import load
from edumail.mail import HostMail, Mail
from edumail.model import Unit
from edumail.portal.load import Contents
from edumail.portal.view import Views
from edumail.units import page_turn
from roles.common.paths import has_mail
from tests.circular.network import Network
from tests.circular.privacy import Veil

COMMAND = "sudo -n /usr/local/sbin/edumail-audit"
PLAIN = (
    "Subject: edumail audit\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Thư kiểm tra tự động / an automatic audit probe.\r\n"
).encode()
WAIT_SECONDS = float(os.environ.get("EDUMAIL_AUDIT_WAIT", "60"))
"""How long a probe may take from acceptance to the mailbox."""
SAMPLE = 12


class AuditError(Exception):
    """The audit can't go on, for a reason that is no finding about any unit: an incomplete run."""


@dataclass(frozen=True)
class Probe:
    """A message on its way: its Message-ID without brackets, and to whom it was addressed."""

    message_id: str
    recipient: str


@dataclass
class HostAudit:
    """The audit that is open on one host."""

    name: str
    fqdn: str
    ssh: Any
    login: str
    password: str
    token: str
    opened: int
    network: Network

    def ask(self, command: str, request: Any = None) -> Any:
        """One command of edumail-audit; JSON in, JSON out. Raises AuditError."""
        words = f"{COMMAND} {command}"
        if request is not None:
            words = f"printf %s {shlex.quote(json.dumps(request))} | {words}"
        result = self.ssh.run(words)
        if result.rc != 0:
            raise AuditError(f"{self.name}: edumail-audit {command}: {result.stderr.strip()[:300]}")
        return json.loads(result.stdout) if result.stdout.strip() else None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Accounts as the host has them."""
        return self.ask("facts")

    @cached_property
    def accounts(self) -> Mapping[str, list[dict[str, Any]]]:
        """By unit: the accounts of :attr:`facts`."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for account in self.facts["accounts"]:
            found[account["unit"]].append(account)
        return found

    def taken(self, mailbox: str, message_ids: set[str], seconds: float = WAIT_SECONDS) -> dict[str, bytes]:
        """The messages in the folder Audit of ``mailbox`` by Message-ID; waits for all of them and takes them out."""
        end = time.monotonic() + seconds
        seen: dict[str, bytes] = {}
        while True:
            with self.network.imap(self.fqdn, f"{mailbox}*{self.login}", self.password) as client:
                seen |= _take(client, message_ids - seen.keys())
            if seen.keys() >= message_ids or time.monotonic() > end:
                return seen
            time.sleep(0.5)


def _take(client: imaplib.IMAP4, message_ids: set[str]) -> dict[str, bytes]:
    status, _ = client.select("Audit")
    if status != "OK":
        return {}
    taken: dict[str, bytes] = {}
    for message_id in sorted(message_ids):
        _, data = client.search(None, "HEADER", "Message-ID", f'"<{message_id}>"')
        for number in data[0].split():
            _, parts = client.fetch(number, "(RFC822)")
            taken[message_id] = parts[0][1]  # type: ignore[index,assignment]
            client.store(number, "+FLAGS", "\\Deleted")
    client.expunge()
    _, data = client.search(None, "ALL")
    client.close()
    # A folder in which nothing was found may just be made for what arrives this moment: to delete it would lose that.
    if taken and not data[0].split():
        client.delete("Audit")
    return taken


@dataclass
class Audit:
    """All hosts of a province under audit."""

    folder: Path
    judged: frozenset[str]
    """The hosts that this run is about; an audit needs the others too, to exchange mail with."""
    sample: int = SAMPLE
    """Of each host, how many units are asked what takes seconds for each; 0: all."""
    hosts: dict[str, HostAudit] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    """What questions have found out and others need too."""
    homes: dict[str, Any] = field(default_factory=dict)
    """By unit: what was seen of its home page."""
    _drawn: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.province = load(self.folder)
        self.mail = Mail(self.province)
        self.contents = Contents(self.folder, self.province)
        self.veil = Veil(self.province)
        self.network = Network(self.province, self.folder / "published" / "ca.pem")

    @cached_property
    def views(self) -> Views:
        """What the core shows of each unit."""
        return Views(self.province)

    def open(self, ssh_config: str | None) -> None:
        """Open an audit on every host; hosts that can't be reached are noted with the reason."""
        config = ssh_config or self.province.settings.ssh_config
        for host in self.province.hosts.values():
            if not has_mail(host):
                continue  # pages alone are asked from outside
            ssh = testinfra.get_host(
                f"ssh://auditor@{host.name}", ssh_config=str(Path(config).expanduser()) if config else None
            )
            try:
                result = ssh.run(f"{COMMAND} open")
                if result.rc != 0:
                    raise AuditError(result.stderr.strip()[:300])
                answer = json.loads(result.stdout)
            except Exception as error:  # whatever keeps us out, it is this host that stays unaudited, not the run
                self.unreachable[host.name] = f"{type(error).__name__}: {error}"
                continue
            self.hosts[host.name] = HostAudit(
                host.name,
                host.fqdn,
                ssh,
                answer["login"],
                answer["password"],
                answer["token"],
                answer["expires"] - 3600,
                self.network,
            )

    def close(self) -> None:
        """Close every audit that was opened."""
        for host in self.hosts.values():
            with contextlib.suppress(Exception):
                host.ask(f"close {host.login}")

    @property
    def tokens(self) -> list[str]:
        """The tokens of all open audits."""
        return [host.token for host in self.hosts.values()]

    def units(self, host: str) -> list[Unit]:
        """The units whose mailboxes live on ``host``."""
        return [unit for unit in self.province.units.values() if unit.host == host]

    def pages(self, host: str) -> list[Unit]:
        """The units whose page is asked for on this host's turn: on its own server's, or else with the mailboxes."""
        units = self.province.units.values()
        return [unit for unit in units if page_turn(unit, self.judged) == host]

    def bound(self, requirement: str, units: Iterable[Unit]) -> list[Unit]:
        """Those of ``units`` that the requirement binds."""
        bound, kinds = requirements()[requirement], self.province.kinds
        return [unit for unit in units if bound.applies_to(kinds[unit.kind])]

    def left_out(self, unit: Unit) -> str:
        """Why the unit is not asked what takes seconds for each; empty when it is.

        On another day others are drawn, and on the same day the same: an audit that was cut goes on with them.
        """
        host, day = page_turn(unit, self.judged), self.province.today
        if host not in self._drawn:
            lots = sorted((sha256(f"{day} {unit.id}".encode()).digest(), unit.id) for unit in self.pages(host))
            self._drawn[host] = frozenset(unit for _, unit in lots[: self.sample or None])
        if unit.id in self._drawn[host]:
            return ""
        return f"not among the {self.sample} units of {host} that were drawn for {day} (--sample 0 asks all)"

    def tables(self, host: str) -> HostMail:
        """What the inventory asks of ``host``."""
        return self.mail.host(host)

    def new_probe(self, recipient: str) -> Probe:
        """A probe with a Message-ID that nobody used before."""
        return Probe(f"audit.{secrets.token_hex(12)}@kiemtra.invalid", recipient)

    def from_outside(self, probe: Probe, content: bytes = PLAIN) -> str:
        """Hand a probe to the recipient's MX as any stranger would; gives the last reply.

        ``content`` is the rest of the message from its Subject on, with CRLF. Raises smtplib.SMTPException when the MX
        refuses.
        """
        exchanger = self.network.exchanger(probe.recipient.partition("@")[2])
        with self.network.smtp(exchanger) as client:
            client.starttls(context=self.network.context())
            client.ehlo()
            client.mail("<>")
            code, reply = client.rcpt(probe.recipient)
            if code != 250:
                return f"RCPT {code} {reply.decode(errors='replace')}"
            tokens = "".join(f"X-Edumail-Audit: {token}\r\n" for token in self.tokens)
            text = (
                f"From: edumail audit <audit@kiemtra.invalid>\r\nTo: {probe.recipient}\r\n"
                f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n"
                f"Message-ID: <{probe.message_id}>\r\n{tokens}MIME-Version: 1.0\r\n"
            )
            code, reply = client.data(text.encode() + content)
            return f"{code} {reply.decode(errors='replace')}"

    def inject(self, host: str, sender: str, probes: Iterable[Probe]) -> None:
        """Send probes from a mailbox of ``host``."""
        rows = [{"sender": sender, "recipient": p.recipient, "message_id": p.message_id} for p in probes]
        self.hosts[host].ask("send", {"probes": rows, "tokens": self.tokens})

    def taken(self, mailbox: str, message_ids: set[str], seconds: float = WAIT_SECONDS) -> dict[str, bytes]:
        """As :meth:`HostAudit.taken`, on the host that has the mailbox."""
        return self.hosts[self.mail.home[mailbox]].taken(mailbox, message_ids, seconds)

    def found(self, mailbox: str, message_ids: set[str], seconds: float = WAIT_SECONDS) -> set[str]:
        """Which of the messages are in the folder Audit of ``mailbox``; they are taken out."""
        return set(self.taken(mailbox, message_ids, seconds))
