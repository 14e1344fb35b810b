"""An audit of a province: opened on each host by sudo over SSH, closed again, nothing left behind.

Nobody's password is known. What letters an audit sends and how they are found again: :mod:`tests.circular.letters`.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shlex
import ssl
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import testinfra

from edumail.circular.catalogue import requirements
from edumail.circular.privacy import Veil
from edumail.circular.verdicts import Gap, Verdict
from edumail.mail import HostMail, Mail
from edumail.model import Host, Province, Unit
from edumail.portal.load import Contents
from edumail.portal.view import Views
from edumail.units import page_turn
from roles.common.paths import has_mail
from tests.circular.exchangers import Exchangers
from tests.circular.mailbox import FOLDER, take
from tests.circular.network import Network

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = "sudo -n /usr/local/sbin/edumail-audit"
CALLED = "/usr/sbin/postconf -h myhostname"
"""What a host calls itself since its last deploy, whatever way leads to it."""
REQUEST = 60_000
"""Characters of one request; it is one word of a command line, which Linux bounds at 128 kB, and is quoted twice."""
SAMPLE = 12
OPENED_AT_ONCE = 8
"""Hosts on which an audit is opened, or closed, at a time: one that does not answer is waited for."""
LASTS = 3600
"""Seconds after which a host ends an audit by itself."""
AT_LEAST = 1800
"""Seconds that an audit must last yet when letters go out: thousands of them are looked for as long as they come."""
CLOCKS_APART = 120
"""Seconds between the clocks of a host and of the auditor, from where on no day and no wait can be judged."""
ANOTHER_COMMIT = (
    "máy chủ được triển khai từ bản mã khác: hãy lấy đúng bản ấy (git checkout), hoặc triển khai lại"
    " / the host was deployed from another commit: check that one out, or deploy again"
)
NOT_UNDER_AUDIT = "không thuộc lần kiểm tra này / not under audit"


class AuditError(Exception):
    """The audit can't go on, for a reason that is no finding about any unit: an incomplete run."""


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
    until: float = field(default_factory=lambda: time.time() + LASTS)
    """When it ends, by the clock of this machine: the host's may be another."""

    def open_again(self, outside: str | None) -> None:
        """Go on with a new sign-in and token, for another hour. Raises AuditError, or whatever SSH raises."""
        before = self.login
        answer = self.ask(f"open {shlex.quote(outside) if outside else ''}")
        self.login, self.password, self.token = answer["login"], answer["password"], answer["token"]
        self.until = time.time() + LASTS
        with contextlib.suppress(Exception):  # it ends by itself
            self.ask(f"close {before}")

    def run(self, words: str) -> Any:
        """What a command says, and how it ended. Raises AuditError where SSH does not get there any more."""
        try:
            return self.ssh.run(words)
        except RuntimeError as error:
            raise AuditError(f"{self.name}: {brief(str(error))}") from None  # the command holds the audit's tokens

    def ask(self, command: str, request: Any = None) -> Any:
        """One command of edumail-audit; JSON in, JSON out. Raises AuditError."""
        words = f"{COMMAND} {command}"
        if request is not None:
            words = f"printf %s {shlex.quote(json.dumps(request))} | {words}"
        result = self.run(words)
        if result.rc != 0:
            what = command.partition(" ")[0]  # and not with what: tokens, or somebody's address
            raise AuditError(f"{self.name}: edumail-audit {what}: {result.stderr.strip()[:300]}")
        return json.loads(result.stdout) if result.stdout.strip() else None

    @cached_property
    def facts(self) -> Any:
        """What ``edumail-audit facts`` tells."""
        return self.ask("facts")

    @cached_property
    def accounts(self) -> Mapping[str, list[dict[str, Any]]]:
        """Accounts as the host has them, by unit; none of a unit that it does not know."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for account in self.facts["accounts"]:
            found[account["unit"]].append(account)
        return found

    def ask_each(self, command: str, name: str, rows: Iterable[Any], **rest: Any) -> Iterator[Any]:
        """The answers to a request of which ``name`` are the ``rows``, in as few commands as its size lets."""
        for part in parted(rows, REQUEST - len(json.dumps(rest))):
            yield self.ask(command, {name: part, **rest})

    def trace(self, message_ids: Collection[str]) -> dict[str, list[dict[str, str]]]:
        """By Message-ID what the host logged of a letter's deliveries since the audit was opened."""
        found: dict[str, list[dict[str, str]]] = {}
        for part in self.ask_each("trace", "message_ids", message_ids, since=self.opened):
            found |= part
        return found

    def seers(self, mailboxes: Mapping[str, list[str]]) -> dict[str, set[str]]:
        """By shared mailbox, given with the people to ask about: those of them who see it."""
        rows = ({"address": address, "people": people} for address, people in mailboxes.items())
        answers = (answer for part in self.ask_each("seers", "mailboxes", rows) for answer in part)
        return {address: set(people) for address, people in zip(mailboxes, answers, strict=True)}

    def take(self, mailbox: str, wanted: Collection[str], whole: Collection[str]) -> dict[str, bytes]:
        """As :func:`tests.circular.mailbox.take`, with one sign-in. Raises OSError and imaplib.IMAP4.error."""
        with self.network.imap(self.fqdn, f"{mailbox}*{self.login}", self.password) as client:
            return take(client, wanted, whole)


def parted(rows: Iterable[Any], most: int) -> Iterator[list[Any]]:
    """The rows in their order, in lists that are at most ``most`` characters of JSON; a longer row is a list alone."""
    part: list[Any] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row)) + 2
        if part and size + length > most:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def brief(reason: str) -> str:
    """Of a command that SSH could not run only what SSH said: the command itself holds the audit's tokens."""
    if "CommandResult(" in reason:
        found = re.search(r"""_stderr=(b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")""", reason)
        said = ast.literal_eval(found[1]).decode(errors="replace") if found else ""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return f"SSH: {lines[-1] if lines else 'không trả lời / no answer'}"[:300]
    return reason[:300]


def _close(host: HostAudit) -> None:
    with contextlib.suppress(Exception):
        host.ask(f"close {host.login}")


class Opened(dict[str, HostAudit]):
    """By name the audits that are open. Whoever looks for another gets AuditError: a host may be left midway."""

    def __init__(self, unreachable: Mapping[str, str]):
        super().__init__()
        self.unreachable = unreachable

    def __missing__(self, name: str) -> HostAudit:
        raise AuditError(f"{name}: {NOT_UNDER_AUDIT}: {self.unreachable.get(name)}")


def clocks_apart(said: float, began: float, ended: float) -> str:
    """Why the clocks of a host, which said its time in between, and of this machine are no good; empty: they are."""
    apart = max(began - said, said - ended)
    if apart <= CLOCKS_APART:
        return ""
    return (
        f"đồng hồ của máy chủ và của máy người kiểm tra lệch nhau {apart:.0f} giây, hãy chỉnh lại"
        f" / the clocks of the host and of the auditor's machine are {apart:.0f} seconds apart, set them right"
    )


def another(host: Host, called: str) -> str:
    """Why the machine that SSH leads to, which calls itself so, is not the inventory's host; empty: it is, or is mute.

    Addresses would not do: a host may be reached through another, or at one that only its administrators know.
    """
    if called in ("", host.fqdn):
        return ""
    return (
        f"SSH dẫn tới máy {called}, không phải {host.fqdn}: hãy xem lại cấu hình SSH, hay tên mới chưa triển khai?"
        f" / SSH leads to {called}, not to {host.fqdn}: look at the SSH configuration, or is the name not deployed?"
    )


def authorities_known() -> bool:
    """Whether this machine knows any authority; one that lies in a folder is read only when it is needed."""
    folder = ssl.get_default_verify_paths().capath
    return bool(ssl.create_default_context().get_ca_certs() or (folder and any(Path(folder).glob("*.[0-9]"))))


def own_ssh_config(inventory: Path, said: str | None) -> str | None:
    """The file for SSH that the province names, if it is this machine's own. Raises AuditError if it may not be.

    Whoever writes the inventory could run commands on the auditor's machine by it, or do away with hosts' keys.
    """
    if said is None:
        return None
    path = Path(said)
    with contextlib.suppress(RuntimeError):  # nobody has that name
        path = path.expanduser()
    real = path.resolve()
    if not path.is_absolute() or real.is_relative_to(inventory.resolve()) or real.is_relative_to(CHECKOUT):
        raise AuditError(
            f"ssh_config của province.yml không phải tệp của riêng máy này ({said}): hãy nêu tệp của bạn, --ssh-config"
            f" / ssh_config of province.yml is no file of this machine's own ({said}): name yours by --ssh-config"
        )
    return str(path)


@dataclass
class Audit:
    """All hosts of a province under audit."""

    folder: Path
    province: Province
    """The inventory of :attr:`folder`."""
    judged: frozenset[str]
    """The hosts that this run is about; an audit needs the others too, to exchange mail with."""
    sample: int = SAMPLE
    """Of each host, how many units are asked what takes seconds for each; 0: all."""
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By host the requirements that are asked on its turn: letters are sent for all of them at once."""
    outside: str | None = None
    """The auditor's own address outside the province."""
    hosts: dict[str, HostAudit] = field(init=False)
    unreachable: dict[str, str] = field(default_factory=dict)
    """By host why no audit is open there, in words that evidence may have."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What questions have found out and others need too."""
    unseen: dict[str, Gap] = field(default_factory=dict)
    """Lines that say what could not be looked at, and what gap that is: no paper makes up for it."""
    homes: dict[str, Any] = field(default_factory=dict)
    """By unit: what was seen of its home page."""
    _drawn: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mail = Mail(self.province)
        self.contents = Contents(self.folder, self.province)
        self.veil = Veil(self.province, self.outside)
        self.hosts = Opened(self.unreachable)
        strangers = [self.outside.rpartition("@")[2]] if self.outside else []
        strangers += sorted(self.province.settings.ministry_domains)
        try:
            self.network = Network(self.province, self.folder / "published" / "ca.pem", strangers)
        except OSError as error:
            raise AuditError(str(error)) from error
        self.exchangers = Exchangers(self.network)

    @cached_property
    def views(self) -> Views:
        """What the core shows of each unit."""
        return Views(self.province)

    def open(self, ssh_config: str | None) -> None:
        """Open an audit on every host; hosts that can't be reached are noted with the reason.

        Raises AuditError where this machine could trust no certificate of the province's, or would have to trust the
        inventory with its SSH.
        """
        if self.province.settings.certificates.source != "internal" and not authorities_known():
            raise AuditError(
                "máy của người kiểm tra không có chứng thư gốc nào, hãy cài gói ca-certificates"
                " / the auditor's machine has no root certificates, install its package ca-certificates"
            )
        config = ssh_config or own_ssh_config(self.folder, self.province.settings.ssh_config)
        hosts = [host for host in self.province.hosts.values() if has_mail(host)]  # pages alone are asked from outside
        pool = ThreadPoolExecutor(OPENED_AT_ONCE)
        try:
            for host, why in zip(hosts, pool.map(lambda host: self._open(host, config), hosts), strict=True):
                if why:
                    self.unreachable[host.name] = why
        finally:
            pool.shutdown(cancel_futures=True)  # whoever interrupts waits for no other host

    def _open(self, host: Host, config: str | None) -> str:
        """Open the audit of one host, which has to be closed from then on; why it is not open, if it is not."""
        ssh = testinfra.get_host(f"ssh://auditor@{host.name}", ssh_config=config)
        began = time.time()
        try:
            if why := another(host, ssh.run(CALLED).stdout.strip()):
                raise AuditError(why)
            result = ssh.run(f"{COMMAND} open {shlex.quote(self.outside) if self.outside else ''}")
            if result.rc != 0:
                raise AuditError(result.stderr.strip()[:300])
            answer = json.loads(result.stdout)
        except Exception as error:  # whatever keeps us out, it is this host that stays unaudited, not the run
            return brief(f"{type(error).__name__}: {error}")
        opened = HostAudit(
            host.name,
            host.fqdn,
            ssh,
            answer["login"],
            answer["password"],
            answer["token"],
            answer["expires"] - LASTS,
            self.network,
        )
        other = "" if answer.get("folder") == FOLDER else ANOTHER_COMMIT
        if why := other or clocks_apart(opened.opened, began, time.time()):
            _close(opened)
            return why
        self.hosts[host.name] = opened
        return ""

    def renew(self) -> None:
        """Before letters go out: audits that end soon are opened again; hosts that do not let us are left.

        A letter with a token that has ended would lie before its reader.
        """
        for host in list(self.hosts.values()):
            if host.until - time.time() >= AT_LEAST:
                continue
            try:
                host.open_again(self.outside)
            except Exception as error:  # as when it was opened
                self.unreachable[host.name] = brief(f"{type(error).__name__}: {error}")
                _close(host)
                del self.hosts[host.name]

    def close(self) -> None:
        """Close every audit that was opened."""
        with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:
            list(pool.map(_close, self.hosts.values()))

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
        return (
            f"không trúng thăm: ngày {day} chỉ thử {self.sample} đơn vị của {host} (--sample 0 thử tất cả)"
            f" / not among the {self.sample} units of {host} that were drawn for {day} (--sample 0 asks all)"
        )

    def gap(self, unit: str, verdict: Verdict, evidence: Sequence[str]) -> Gap:
        """Whether a question is open by lots, or since a server was not seen: that is then a line of its own."""
        if verdict != "not-tested":
            return ""
        gaps = {self.unseen[line] for line in evidence if line in self.unseen}
        if gaps:
            return "unasked" if "unasked" in gaps else gaps.pop()
        left_out = self.left_out(self.province.units[unit])
        return "lots" if left_out and left_out in evidence else ""

    def tables(self, host: str) -> HostMail:
        """What the inventory asks of ``host``."""
        return self.mail.host(host)
