"""Orders to an ACME authority (RFC 8555): when one is due, for which names, and what became of it.

lego places them, with a request made from the host's own key. The key stays: so does what DNS says of it (DANE).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certificate import STATE, Certificate, Configuration, Leaf, openssl, public_key, read, replace

WEBROOT = Path("/var/lib/edumail/acme-challenge")
RENEW_SHARE = 3  # a certificate is renewed when a third of its life is left
ORDER_SECONDS = 1200  # for one certificate of a hundred names
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Memory:
    """What a certificate's orders have come to."""

    not_before: datetime = NEVER
    """When the next order may be tried."""
    failures: int = 0
    since: datetime = NEVER
    """Since when there is no certificate as there should be; NEVER: there is one."""
    problem: str = ""
    refused: dict[str, datetime] = field(default_factory=dict)
    """Names that the authority did not take, and until when they are left out."""

    def failed(self, why: str, now: datetime) -> None:
        """The next try is in an hour, after another failure in two, and so on up to a day."""
        self.problem = why
        self.failures += 1
        self.not_before = now + min(HOUR * 2 ** min(self.failures - 1, 5), DAY)


class Store:
    """What is remembered from one run to the next: of each certificate, and when the officer was last written to."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}
        self.written = NEVER
        with contextlib.suppress(FileNotFoundError, ValueError):
            content = json.loads((STATE / "state.json").read_text())
            time = datetime.fromisoformat
            for id, values in content["certificates"].items():
                values |= {name: time(values[name]) for name in ("not_before", "since")}
                values["refused"] = {name: time(until) for name, until in values["refused"].items()}
                self.memories[id] = Memory(**values)
            self.written = time(content["written"])

    def of(self, certificate: Certificate) -> Memory:
        return self.memories.setdefault(certificate.id, Memory())

    def save(self) -> None:
        content = {"certificates": self.memories, "written": self.written}
        text = json.dumps(content, default=lambda x: x.isoformat() if isinstance(x, datetime) else vars(x))
        replace(STATE / "state.json", text.encode(), 0o644)


def wanting(certificate: Certificate, now: datetime) -> bool:
    """Whether an order is called for: there is no certificate for the host's key yet, it ends soon, it lacks a name."""
    leaf: Leaf | None = read(certificate.ordered)
    if leaf is None or leaf.public_key != public_key(certificate.key):
        return True
    return leaf.ends - now < leaf.life / RENEW_SHARE or not all(map(leaf.covers, certificate.names))


def due(certificate: Certificate, memory: Memory, now: datetime) -> bool:
    """Whether an order is to be tried now: authorities refuse those who ask too often."""
    return now >= memory.not_before and wanting(certificate, now)


def obtain(configuration: Configuration, store: Store, *, force: bool) -> None:
    """Order what is due, or all, one certificate after the other."""
    assert configuration.acme is not None
    silent = ""
    for certificate in configuration.certificates:
        now = datetime.now(UTC)
        memory = store.of(certificate)
        if not force and not due(certificate, memory, now):
            continue
        refused = [] if force else [name for name, until in memory.refused.items() if now < until]
        away = {name: where for name in certificate.names if (where := elsewhere(name, certificate.addresses))}
        names = [name for name in certificate.names if name not in away and name not in refused]
        memory.problem = "; ".join([*away.values(), *(f"{name}: bị từ chối / refused" for name in refused)])
        if silent:
            memory.failed(silent, now)
        elif names:
            silent = _try(certificate, names, configuration.acme, memory, now)
        else:
            memory.not_before = now + HOUR / 6
        if not wanting(certificate, now):
            memory.since = NEVER
        elif memory.since == NEVER:
            memory.since = now
        store.save()


def _try(certificate: Certificate, names: list[str], acme: dict[str, str], memory: Memory, now: datetime) -> str:
    """An order, and another where that may help. What was said when the authority does not answer at all, else ""."""
    why = ""
    for _ in range(3):
        said = place(certificate, names, acme)
        if said is None:
            memory.failures = 0
            memory.not_before = NEVER if set(names) == set(certificate.names) else now + DAY
            return ""
        found = re.search(r"Could not (?:create|obtain|complete).*", said, re.DOTALL)
        why = " ".join((found[0] if found else said).split())
        wrong = {name for name in names if re.search(rf"(?<![\w.-]){re.escape(name)}(?!\.?[\w-])", why)}
        if "accountDoesNotExist" in why:
            shutil.rmtree(STATE / "lego" / "accounts")
        elif wrong and wrong != set(names):
            # One school's trouble is not everybody's: the others get theirs, and it is asked for again tomorrow.
            memory.refused |= dict.fromkeys(wrong, now + DAY)
            memory.problem = why[:400]
            names = [name for name in names if name not in wrong]
        else:
            break
    memory.failed(why[:400], now)
    return memory.problem if why.startswith("Could not create client") else ""


def place(certificate: Certificate, names: list[str], acme: dict[str, str]) -> str | None:
    """Place an order and keep what it brings; None when that went well, else what lego said."""
    folder = STATE / "lego"
    request = folder / "request.pem"
    WEBROOT.mkdir(parents=True, exist_ok=True)
    certificate.ordered.parent.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True, mode=0o700)
    alternatives = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
    openssl("req", "-new", "-key", str(certificate.key), "-subj", "/", "-addext", alternatives, "-out", str(request))
    command = ["lego", "--accept-tos", "--server", acme["directory"], "--email", acme["contact"]]
    command += ["--path", str(folder), "--csr", str(request), "--http-timeout", "30"]
    command += ["--http", "--http.webroot", str(WEBROOT), "run"]
    both = subprocess.STDOUT
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=both, text=True, timeout=ORDER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"lego: {ORDER_SECONDS} s"
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        return done.stdout
    replace(certificate.ordered, (folder / "certificates" / f"{names[0]}.crt").read_bytes(), 0o644)
    return None


def elsewhere(name: str, addresses: set[str]) -> str:
    """Why an authority would not come under the name to ``addresses``, those of this host or of what passes it on here.

    "" if it would.

    It saves orders: a name that is not in DNS yet fails them all. /etc/hosts, which has the host's name, is not asked.
    """
    words = ["getent", "-s", "hosts:dns", "ahosts", name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    found = {line.split()[0] for line in done.stdout.splitlines() if line}
    if not found:
        return f"{name}: chưa có trong DNS / not in DNS"
    strange = " ".join(sorted(found - addresses))
    return f"{name}: DNS dẫn tới / DNS leads to {strange}" if strange else ""
