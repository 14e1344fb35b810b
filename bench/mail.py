"""How much mail the gateway takes with all filters on, against stock Postfix and Dovecot without any, on a like host.

``python -m bench.mail [ROUNDS]`` (3) adds a host to the lab, installs Debian's Postfix and Dovecot there with the
least that makes them deliver, and alternates the two; the same driver on `internet` sends to both and watches the
mailboxes by IMAP. It prints messages a second until accepted and until visible, p99 at a steady rate that both can
bear, sign-ins a second, and the memory of every host. Needs root. The lab stays up and deployed, the extra host goes.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.deploy import INVENTORY, ROOT, edumail
from lab import lab, ssh
from lab.topology import DEFAULT, INTERNET, Machine
from tests.lab.province import LabProvince

STOCK = Machine("stock", "stock.minhha.test", "198.18.37.21", "2001:db8:37::21")
PEOPLE, MESSAGES, SESSIONS, SIGN_INS = 20, 1000, 20, 200
STEADY_SECONDS = 30
# No hash: what a sign-in costs more elsewhere is the hash.
_STOCK_SETUP = """\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qqy --no-install-recommends install postfix dovecot-imapd dovecot-lmtpd ssl-cert >/dev/null
adduser --quiet postfix ssl-cert 2>/dev/null
id vmail >/dev/null 2>&1 || useradd -r -u 5000 -d /srv/mail -m vmail
postconf -e 'myhostname = {fqdn}' 'mydestination =' 'inet_interfaces = all' 'alias_maps =' \\
  'virtual_mailbox_domains = {domains}' 'virtual_transport = lmtp:unix:private/dovecot-lmtp' \\
  'smtpd_tls_security_level = may' 'smtpd_tls_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem' \\
  'smtpd_tls_key_file = /etc/ssl/private/ssl-cert-snakeoil.key'
cat >/etc/dovecot/users
cat >/etc/dovecot/dovecot.conf <<'END'
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap lmtp
ssl_server_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem
ssl_server_key_file = /etc/ssl/private/ssl-cert-snakeoil.key
mail_driver = maildir
mail_path = ~/Maildir
passdb passwd-file {{
  passwd_file_path = /etc/dovecot/users
}}
userdb static {{
  fields {{
    uid = vmail
    gid = vmail
    home = /srv/mail/%{{user}}
  }}
}}
service lmtp {{
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
END
systemctl restart postfix dovecot
"""
# Proportional set size: what processes share is divided among them, so that the sum is what they hold.
_MEMORY = """\
import collections, glob, json
found = collections.Counter()
for path in glob.glob('/proc/[0-9]*'):
    try:
        kib = next(int(l.split()[1]) for l in open(path + '/smaps_rollup') if l.startswith('Pss:'))
        group = open(path + '/cgroup').read().strip().rpartition(':')[2]
    except (OSError, StopIteration):
        continue
    name = next((p for p in group.split('/') if p.endswith('.service')), 'other')
    found[name.removesuffix('.service').partition('@')[0]] += kib
print(json.dumps(found))
"""


def load(work: str, **orders: object) -> dict[str, object]:
    """Have the driver on `internet` do something. Raises lab.text.LabError."""
    # Not as an argument: a list of processes shows those, and passwords are among them.
    script = (Path(__file__).parent / "mail_load.py").read_text() + f"\ndo({work!r}, **{orders!r})\n"
    return json.loads(ssh.call(INTERNET.name, "python3 -", stdin=script.encode(), timeout=900))


def prepare() -> tuple[LabProvince, dict[str, str]]:
    """The lab with the stock host in it, both kinds deployed; people of the gateway with their passwords."""
    lab.up((*DEFAULT, STOCK), say=lambda line: print(line, file=sys.stderr, flush=True), lang="en")
    for words in (("deploy", INVENTORY), ("lab", "dns")):
        edumail(*words)
    province = LabProvince(ROOT / INVENTORY)
    gateway = province.mail.host(province.mail.gateway.name)
    people = [box.address for box in gateway.mailboxes.values() if box.person is not None][:PEOPLE]
    users = {address: province.password(address) for address in people}
    domains = " ".join(sorted({address.partition("@")[2] for address in users}))
    setup = _STOCK_SETUP.format(fqdn=STOCK.fqdn, domains=domains)
    rows = "".join(f"{address}:{{PLAIN}}{password}\n" for address, password in users.items())
    ssh.call(STOCK.name, setup, stdin=rows.encode(), timeout=600)
    return province, users


def p99(figures: Sequence[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(figures, n=100)[98]


def memory(hosts: Sequence[str]) -> str:
    """A row for each host: MiB of all processes, and of the largest services."""
    lines = [f"{'memory of processes (PSS)':<28}{'MiB':>6}  the largest"]
    for host in hosts:
        python = ssh.call(host, "command -v python3 || true").decode().strip()
        if not python:
            continue
        found = json.loads(ssh.call(host, "python3 -", stdin=_MEMORY.encode()))
        largest = sorted(found.items(), key=lambda item: -item[1])[:6]
        words = ", ".join(f"{name} {kib / 1024:.0f}" for name, kib in largest)
        lines.append(f"{host:<28}{sum(found.values()) / 1024:>6.0f}  {words}")
    return "\n".join(lines)


def comparison(title: str, unit: str, ours: Sequence[float], stock: Sequence[float]) -> str:
    """One row: medians of both and their ratio."""
    mine, theirs = statistics.median(ours), statistics.median(stock)
    return f"{title:<44}{mine:>9.3g} {theirs:>9.3g} {unit:<5} {mine / theirs:>6.2f}"


def main() -> None:
    """Run and print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    province, users = prepare()
    hosts: Mapping[str, str] = {"edumail": str(province.mail.gateway.ipv4), "stock": STOCK.ipv4}
    burst: dict[str, list[dict]] = {name: [] for name in hosts}
    for number in range(1, rounds + 1):
        for name, host in hosts.items():
            found = load("deliver", host=host, users=users, messages=MESSAGES, sessions=SESSIONS, rate=0)
            burst[name].append(found)
            seconds = f"accepted in {found['accepted']:.1f} s, visible in {found['visible']:.1f} s"
            print(f"[{number}/{rounds}] {name}: {MESSAGES} {seconds}", file=sys.stderr, flush=True)

    def each_second(name: str, what: str) -> list[float]:
        return [MESSAGES / found[what] for found in burst[name]]

    # Half of what the slower one can bear.
    rate = round(min(statistics.median(each_second(name, "visible")) for name in hosts) / 2, 1)
    steady = {
        name: load(
            "deliver", host=host, users=users, messages=round(rate * STEADY_SECONDS), sessions=SESSIONS, rate=rate
        )
        for name, host in hosts.items()
    }
    sign_ins = {
        name: load("sign_in", host=host, users=users, times=SIGN_INS, sessions=8) for name, host in hosts.items()
    }

    print(f"\n{'':<44}{'edumail':>9} {'stock':>9} {'':<5} {'ratio':>6}")
    for what in ("accepted", "visible"):
        print(comparison(f"messages until {what}", "1/s", each_second("edumail", what), each_second("stock", what)))
    for what, title in (("dialogues", "MAIL to 250"), ("waits", "MAIL to visible")):
        one, other = ([p99(steady[name][what])] for name in hosts)
        print(comparison(f"p99 at {rate:.0f} messages/s, {title}", "s", one, other))
    one, other = ([SIGN_INS / sign_ins[name]["seconds"]] for name in hosts)
    print(comparison("IMAP sign-ins", "1/s", one, other))
    print(f"\n{memory([*(machine.name for machine in DEFAULT), STOCK.name])}")
    lab.up(DEFAULT, say=lambda line: None)


if __name__ == "__main__":
    main()
