"""Postfix with a large province's tables against nearly empty ones: answers to RCPT, look-ups, one huge group.

``python -m bench.postfix [UNITS] [ROUNDS]`` (3500, 5) adds a host to the lab, installs Debian's Postfix there, and puts
on it by turns the tree that a deploy would give the gateway of an invented province of UNITS units, and that of the
lab's. Sessions at port 25 and at submission (as the front opens them, TLS included) ask for people, groups, closed
groups and addresses that do not exist. Then one message goes to all staff, and what reaches each host is handed to that
host's own tables; nobody may be missing, nobody reached twice.

Left out on both sides: Rspamd, the question whether the mailbox is full, probes of other hosts, DNS (whether a
stranger's domain exists), and Dovecot, in whose place a stub offers sign-in. Deliveries end in Postfix's ``discard``.
Needs root; the extra host goes afterwards.
"""

from __future__ import annotations

import io
import json
import random
import shlex
import statistics
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edumail.example import generate, write
from edumail.load import load
from edumail.mail import HostMail, Mail
from edumail.ports import SUBMISSION_PORT
from edumail.spread import part_domain
from edumail.tree import Tree
from lab import lab, ssh
from lab.topology import DEFAULT, Machine
from roles.common.paths import TLS, live, shown
from roles.postfix.render import COMPILE, tree

ROOT = Path(__file__).resolve().parent.parent
HOST = Machine("tables", "tables.minhha.test", "198.18.37.22", "2001:db8:37::22")
SEED, SESSIONS, ANSWERS, LOOK_UPS = 1, 4, 1000, 300_000
STRANGER = "phuhuynh@ngoai.test"
CODES = {"person": 250, "group": 250, "closed group": 554, "nobody": 550}
_SETUP = """\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
echo postfix postfix/main_mailer_type select No configuration | debconf-set-selections
apt-get -qqy --no-install-recommends install postfix postfix-cdb postfix-lmdb python3 openssl >/dev/null
mkdir -p {tls} {shown} {live}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=tables \\
  -keyout {tls}/host.key -out {tls}/host.pem 2>/dev/null
cp {tls}/host.pem {tls}/ca.pem
cat {tls}/host.key {tls}/host.pem >{shown_file}
echo 'nameserver 198.18.37.53' >/etc/resolv.conf
cat >/usr/local/bin/stub-auth <<'END'
{stub}
END
systemd-run -q --unit=stub-auth python3 /usr/local/bin/stub-auth
"""
# Says what Dovecot says to whoever connects (auth-protocol 1.2), so that smtpd offers sign-in.
_STUB = """\
import os, socketserver
class Hello(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"VERSION\\t1\\t2\\nMECH\\tPLAIN\\tplaintext\\nSPID\\t1\\nCUID\\t1\\nCOOKIE\\t0\\nDONE\\n")
        self.rfile.read()
path = "/run/stub-auth"
if os.path.exists(path):
    os.unlink(path)
server = socketserver.ThreadingUnixStreamServer(path, Hello)
server.daemon_threads = True
os.chmod(path, 0o666)
server.serve_forever()
"""
_SETTINGS = """\
smtpd_milters=
non_smtpd_milters=
smtpd_sender_restrictions=reject_non_fqdn_sender, check_sender_access cdb:{live}/own
full_mailboxes=check_recipient_access pipemap:{{{elsewhere}regexp:{{ {{ /./ DUNNO }} }}}}
smtpd_sasl_path=/run/stub-auth
smtpd_soft_error_limit=1000000
smtpd_hard_error_limit=1000000
smtpd_junk_command_limit=1000000
in_flow_delay=0
maillog_file=/var/log/postfix-bench.log
"""
# On both sides: no filters, no Dovecot, no other host; who makes mistakes or goes back on a message is not slowed down.
_MASTER = """
lmtp      unix  -       -       n       -       -       discard
peer      unix  -       -       n       -       -       discard
"""
_SWITCH = f"""\
set -e
systemctl stop postfix
ln -sfn {{tree}} {live("postfix")}
ln -sf {live("postfix")}/main.cf {live("postfix")}/master.cf /etc/postfix/
systemctl start postfix
"""


@dataclass(frozen=True)
class Side:
    """One province, and the host in it whose Postfix is measured."""

    name: str
    mail: Mail
    size_limit_mb: int

    @property
    def gateway(self) -> HostMail:
        """The tables of its gateway."""
        return self.mail.host(self.mail.gateway.name)


def work(kind: str, **orders: object) -> dict:
    """Have the driver on the host do something. Raises lab.text.LabError."""
    words = f"python3 /root/driver.py {kind}"
    return json.loads(ssh.call(HOST.name, words, stdin=json.dumps(orders).encode(), timeout=580))


def prepare() -> None:
    """The lab with one host more, and Postfix on that."""
    lab.up(DEFAULT, say=lambda line: None)  # a host that a run before left there is no pristine one
    lab.up((*DEFAULT, HOST), say=lambda line: print(line, file=sys.stderr, flush=True), lang="en")
    file = shown("host")
    folders = {"tls": TLS, "shown": str(Path(file).parent), "live": str(Path(live("postfix")).parent)}
    ssh.call(HOST.name, _SETUP.format(**folders, shown_file=file, stub=_STUB), timeout=600)
    driver = (Path(__file__).parent / "postfix_load.py").read_bytes()
    ssh.call(HOST.name, "cat >/root/driver.py", stdin=driver)


def install(side: Side, host: str) -> str:
    """Put the tree of one host of the province there, compiled; return where it lies."""
    mail = side.mail.host(host)
    contents = {path: file.content for path, file in tree(mail, side.size_limit_mb, {}).files.items()}
    elsewhere = f"cdb:{live('postfix')}/elsewhere, " if mail.host == mail.gateway else ""
    settings = " ".join(
        shlex.quote(line) for line in _SETTINGS.format(live=live("postfix"), elsewhere=elsewhere).splitlines()
    )
    contents["master.cf"] += _MASTER.encode()
    folder = f"/srv/{side.name}-{host}"
    # Its own compiler reads the tables by where they are live.
    script = f"set -e; mkdir -p {folder}; tar -xf - -C {folder}; ln -sfn {folder} {live('postfix')}; "
    script += f"postconf -c {folder} -e {settings}; "
    ssh.call(HOST.name, script + COMPILE.replace("{tree}", folder), stdin=_tar(Tree.of(contents)), timeout=580)
    return folder


def _tar(files: Tree) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(files.files[path].content), 0o644
            archive.addfile(member, io.BytesIO(files.files[path].content))
    return buffer.getvalue()


def switch(folder: str) -> None:
    """Make an installed tree live, with a Postfix that has seen no other."""
    ssh.call(HOST.name, _SWITCH.format(tree=folder), timeout=120)


def recipients(side: Side, sender: str | None, seed: int) -> list[list[str]]:
    """Whom a session asks for, with the kind of each: a quarter of each kind, spread over the whole province."""
    chance = random.Random(seed)  # noqa: S311 - a sample
    mail, here = side.mail, side.gateway
    groups = sorted(mail.groups.all)
    if sender is None:
        closed = sorted(mail.permissions.closed)
        groups = sorted(set(groups) - set(closed))
    else:
        passed = {*here.posters.get(sender, ())}
        closed = sorted(address for address, rule in here.posting.items() if rule not in passed)
        groups = sorted(address for address in groups if here.posting.get(address) in (None, *passed))
    kinds = {
        "person": sorted(person.address for person in mail.province.people),
        "group": groups,
        "closed group": closed,
    }
    result = []
    for number in range(ANSWERS):
        kind = ("person", "group", "closed group", "nobody")[number % 4]
        address = chance.choice(kinds["person" if kind == "nobody" else kind])
        result.append([kind, address.replace("@", f"-{number}@") if kind == "nobody" else address])
    return result


def sessions(side: Side, door: str, seed: int) -> list[dict]:
    """What each session of a round does."""
    people = [box.address for box in side.gateway.mailboxes.values() if box.person is not None]
    chosen = random.Random(seed).sample(people, SESSIONS)  # noqa: S311 - a sample
    port = 25 if door == "port 25" else SUBMISSION_PORT
    return [
        {
            "port": port,
            "sender": STRANGER if port == 25 else person,
            "login": None if port == 25 else person,
            "recipients": recipients(side, None if port == 25 else person, seed * SESSIONS + number),
        }
        for number, person in enumerate(chosen)
    ]


@dataclass(frozen=True)
class Round:
    """What one round at one door found: seconds of the answers, in all and by kind."""

    taken: tuple[float, ...]
    by_kind: dict[str, list[float]]
    opened: float
    memory_mib: float

    @classmethod
    def of(cls, found: dict) -> Round:
        """Raises SystemExit where an answer was not the expected one: then something else was measured."""
        by_kind: dict[str, list[float]] = {kind: [] for kind in CODES}
        for session in found["sessions"]:
            for kind, seconds, code in session["answers"]:
                if code != CODES[kind]:
                    raise SystemExit(f"{kind}: {code} instead of {CODES[kind]}")
                by_kind[kind].append(seconds)
        every = tuple(seconds for taken in by_kind.values() for seconds in taken)
        opened = statistics.median(session["opened"] for session in found["sessions"])
        return cls(every, by_kind, opened, max(session["memory"] for session in found["sessions"]) / 1024)


def p99(figures: Sequence[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(figures, n=100)[98]


def rows(door: str, full: Sequence[Round], small: Sequence[Round]) -> Iterator[str]:
    """A row for each figure of a door: medians over the rounds, and their ratio."""

    def row(what: str, one: float, other: float, unit: str) -> str:
        return f"{f'{door}: {what}':<44}{one:>10.3f} {other:>10.3f} {unit:<4} {one / other:>6.2f}"

    def over(rounds: Sequence[Round], figure: object) -> float:
        return statistics.median(figure(r) for r in rounds)  # type: ignore[operator]

    yield row(
        "answer to RCPT, median", *(over(s, lambda r: statistics.median(r.taken) * 1000) for s in (full, small)), "ms"
    )
    yield row("answer to RCPT, p99", *(over(s, lambda r: p99(r.taken) * 1000) for s in (full, small)), "ms")
    for kind in CODES:
        one, other = (over(s, lambda r, kind=kind: p99(r.by_kind[kind]) * 1000) for s in (full, small))
        yield row(f"p99, {kind}", one, other, "ms")
    yield row("slowest of all", *(max(max(r.taken) for r in s) * 1000 for s in (full, small)), "ms")
    yield row("connect to signed in", *(over(s, lambda r: r.opened * 1000) for s in (full, small)), "ms")
    yield row("private memory of an smtpd", *(over(s, lambda r: r.memory_mib) for s in (full, small)), "MiB")


def look_ups(sides: Sequence[Side], folders: dict[str, str]) -> Iterator[str]:
    """A row for each table that every message asks: look-ups a second."""
    for table in ("recipients", "posting", "posters"):
        speeds = []
        for side in sides:
            switch(folders[side.name])
            lines = tree(side.gateway, side.size_limit_mb, {}).files[table].content.decode().splitlines()
            keys = random.Random(SEED).choices([line.split(" ")[0] for line in lines], k=LOOK_UPS)  # noqa: S311
            name = f"cdb:{live('postfix')}/{table}"
            if table == "posters":
                name = f"pipemap:{{{name}, regexp:{{ {{ /./ OK }} }}}}"
            found = work("look_up", table=name, keys=keys)
            if found["found"] != len(keys):
                raise SystemExit(f"{table}: {found['found']} of {len(keys)} keys found")
            speeds.append(LOOK_UPS / found["seconds"])
        full, small = speeds
        yield f"{f'look-ups, {table}':<44}{full:>10,.0f} {small:>10,.0f} {'1/s':<4} {full / small:>6.2f}"


def one_to_all(side: Side, folder: str) -> Iterator[str]:
    """One message to the largest group, expanded host by host. Raises SystemExit where one is missed or doubled."""
    mail, gateway = side.mail, side.mail.gateway
    group = max(mail.groups.all, key=lambda address: len(mail.groups.mailboxes(address)))
    members = mail.groups.mailboxes(group)
    people = (box.address for box in side.gateway.mailboxes.values() if box.person is not None)
    sender = next(person for person in people if mail.permissions.may(person, group))
    switch(folder)
    found = work("expand", sender=sender, to=group, port=SUBMISSION_PORT)
    reached, parts = Counter[str](), {part_domain(host): name for name, host in mail.province.hosts.items()}
    copies: list[tuple[str, str]] = []
    for address in found["reached"]:
        host = parts.get(address.partition("@")[2])
        if host is None:
            reached[address] += 1
        else:
            copies.append((host, address))
    yield f"one message to {group}, {len(members)} members on {1 + len(copies)} hosts"
    yield f"  gateway {gateway.name}: {reached.total()} members and {len(copies)} copies to other hosts"
    memory = f"cleanup {found['memory'] / 1024:.0f} MiB"
    yield f"  taken in {found['taken']:.1f} s, handed on in {found['gone']:.1f} s, {memory}"
    slowest, largest = 0.0, 0
    for host, part in sorted(copies):
        switch(install(side, host))
        there = work("expand", sender=sender, to=part, port=None)
        reached.update(there["reached"])
        slowest, largest = max(slowest, there["gone"]), max(largest, there["memory"])
        ssh.call(HOST.name, f"rm -rf {shlex.quote(f'/srv/{side.name}-{host}')}")
    yield f"  other hosts: {slowest:.1f} s at most, cleanup {largest / 1024:.0f} MiB at most"
    if len({host for host, _ in copies}) != len(copies):
        raise SystemExit("a host got more than one copy")
    if reached != Counter(dict.fromkeys(members, 1)):
        doubled = [address for address, number in reached.items() if number > 1]
        missed, strangers = members - reached.keys(), reached.keys() - members
        raise SystemExit(f"missed {len(missed)}, doubled {len(doubled)}, not members {len(strangers)}")
    yield f"  reached: {reached.total()}, each member once, nobody else"


def main() -> None:
    """Run and print the tables."""
    units, rounds = (int(word) for word in (*sys.argv[1:3], *("3500", "5")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as folder:
        write(generate(units, SEED), Path(folder))
        large, small = load(Path(folder)), load(ROOT / "inventories" / "lab")
    sides = [
        Side("full", Mail(large), large.message_size_limit_mb),
        Side("small", Mail(small), small.message_size_limit_mb),
    ]
    try:
        prepare()
        folders = {side.name: install(side, side.mail.gateway.name) for side in sides}
        found: dict[tuple[str, str], list[Round]] = {}
        for number in range(1, rounds + 1):
            for side in sides if number % 2 else sides[::-1]:
                switch(folders[side.name])
                for door in ("port 25", "submission"):
                    answer = Round.of(work("ask", sessions=sessions(side, door, number)))
                    found.setdefault((door, side.name), []).append(answer)
                    print(
                        f"[{number}/{rounds}] {side.name}, {door}: p99 {p99(answer.taken) * 1000:.2f} ms",
                        file=sys.stderr,
                    )
        print(
            f"{len(large.people)} people, {len(sides[0].mail.groups.all)} groups against the lab's {len(small.people)}"
        )
        print(f"{rounds} rounds, {SESSIONS} sessions, {ANSWERS} answers each")
        print(f"{'':<44}{'full':>10} {'small':>10} {'':<4} ratio")
        for door in ("port 25", "submission"):
            print("\n".join(rows(door, found[door, "full"], found[door, "small"])))
        print("\n".join(look_ups(sides, folders)), flush=True)
        for line in one_to_all(sides[0], folders["full"]):
            print(line, flush=True)
    finally:
        lab.up(DEFAULT, say=lambda line: None)


if __name__ == "__main__":
    main()
