"""Faults of hosts themselves: what 3.3, 3.4 and 11.3 must turn red for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.mutation.fault import (
    EVERY,
    EVERYBODY,
    GATEWAY,
    LIVE,
    MANAGED,
    Edit,
    Fault,
    accounts,
    dropin,
    edited,
    stopped,
)
from tests.mutation.faults_mail import MAIN, TEACHER, WRITTEN

SCHOOL = "thpt-song-que"
SSHD = f"{LIVE}/sshd/current/sshd.conf"
JOURNALD = "/etc/systemd/journald.conf.d/edumail.conf"
INPUT = "nft insert rule inet edumail input tcp dport 8080 accept"
NAMESERVER, ZONES = "198.18.37.53", "/etc/knot/zones"
ABOVE = "example.edu.vn"
"""A zone that the lab's name server is given, empty, so that nobody else is asked for a name below it."""
SECURITY, BEGAN = "/var/lib/apt/lists/*-security_*_Packages", "/etc/apt/apt.conf.d/60edumail"
LISTEN = "systemd-run -q --unit=mutation-listener python3 -m http.server {port}"


def host(red: Collection[str], only: str, **change: Any) -> Fault:
    return Fault({SCHOOL: red}, only, **change)


def changed(broken: str, mended: str) -> dict[str, str]:
    return {"broken": broken, "mended": mended}


def record(zone: str, owner: str, kind: str, data: str, ttl: int = 300) -> dict[str, str]:
    """A record too many in a live zone; hosts forget it soon."""
    words = f"knotc -b zone-begin {zone} && knotc zone-{{verb}} {zone} {owner} {{ttl}}{kind} {data} && knotc -b zone-commit {zone}"
    return changed(words.format(verb="set", ttl=f"{ttl} "), words.format(verb="unset", ttl=""))


def without_record(zone: str, owner: str, kind: str, data: str) -> dict[str, str]:
    """A record that a live zone lacks."""
    there = record(zone, owner, kind, data, ttl=3600)
    return changed(there["mended"], there["broken"])


def served(conf: str, apex: str, signed: bool) -> str:
    """The name server takes what its list of zones says now; whoever waits for the zone's keys to come or go waits."""
    wanted = "" if signed else "! "
    return (
        f"{conf} && knotc -t 60 reload >/dev/null && knotc -t 60 -b zone-reload {apex} >/dev/null &&"
        f" for try in $(seq 50); do {wanted}kdig @{NAMESERVER} +short {apex} DNSKEY | grep -q . && break; sleep 0.2; done;"
        f" {wanted}kdig @{NAMESERVER} +short {apex} DNSKEY | grep -q ."
    )


def in_dns(red: Mapping[str, Collection[str]], **change: Any) -> Fault:
    """At the name server: what asks for names, without letters, is asked of all hosts."""
    return Fault(
        red,
        "servers_with or by_ipv or names_are_signed or names_lie or edu_vn or one_name",
        at="internet",
        on=EVERY,
        **change,
    )


WAITING = f"""\
import json, os, pathlib, subprocess, time
def waiting():
    said = subprocess.run(["postqueue", "-j"], capture_output=True, text=True, check=True).stdout
    messages = map(json.loads, said.splitlines())
    return [one for one in messages if one["sender"] == "{TEACHER}" and one["queue_name"] == "deferred"]
"""
DAYS_AGO = f"""\
python3 - <<'END'
{WAITING}
end = time.monotonic() + 10
while not (found := waiting()) and time.monotonic() < end:
    time.sleep(0.2)
[message] = found
[path] = pathlib.Path("/var/spool/postfix/deferred").rglob(message["queue_id"])
content, seen, came = path.read_bytes(), path.stat(), message["arrival_time"]
with path.open("r+b") as file:
    file.write(content.replace(b"%d" % came, b"%d" % (came - 3 * 86400)))
os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
assert waiting()[0]["arrival_time"] < came
END"""
"""The letter that waits came three days ago. When it came stands in the queue's file; the time of the file itself says
when it is tried again, and stays."""
NO_MORE = f"""\
python3 - <<'END'
{WAITING}
for message in waiting():
    subprocess.run(["postsuper", "-d", message["queue_id"]], check=True)
END"""


FAULTS: Mapping[str, Fault] = {
    "updates that are switched off": host(
        {"C37-3.3b"},
        "updates_by",
        **changed("systemctl disable -q --now apt-daily-upgrade.timer", "systemctl enable -q --now apt-daily-upgrade.timer"),
    ),
    "a gateway whose updates are switched off": Fault(
        {unit: {"C37-3.3b"} for unit in EVERYBODY},
        "updates_by",
        at=GATEWAY,
        on=EVERY,
        **changed("systemctl disable -q --now apt-daily-upgrade.timer", "systemctl enable -q --now apt-daily-upgrade.timer"),
    ),
    "a front without POP3": Fault(
        {unit: {"C37-S39-mbox", "C37-S39-tls"} for unit in EVERYBODY},
        "imap_and_pop3 or only_tls",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **edited(f"{LIVE}/dovecot/current/services.conf", "s/pop3 = yes/pop3 = no/", "systemctl restart dovecot"),
    ),
    "updates that install nothing": host(
        {"C37-3.3b"},
        "updates_by",
        **changed(
            "echo 'APT::Periodic::Unattended-Upgrade \"0\";' > /etc/apt/apt.conf.d/99mutation",
            "rm /etc/apt/apt.conf.d/99mutation",
        ),
    ),
    "security updates that nobody installs": host(
        {"C37-3.3b"},
        "updates_by",
        **changed(
            "systemctl stop apt-daily.timer apt-daily.service && "  # they would fetch the list anew
            f"cp -p {SECURITY} /root/mutation.kept && touch -r {BEGAN} /root/mutation.time && printf '%s\\n' '' 'Package: tzdata'"
            " 'Version: 9999' 'Architecture: all' 'Maintainer: x' 'Filename: x.deb' 'Size: 1' 'Description: x' 'SHA256: 00'"
            f" >> {SECURITY} && touch -d '-5 days' {BEGAN} && apt-get -s upgrade | grep -q 'Inst tzdata'",
            f"cp -p /root/mutation.kept {SECURITY} && touch -r /root/mutation.time {BEGAN} && rm /root/mutation.kept"
            " /root/mutation.time && systemctl start apt-daily.timer",
        ),
    ),
    "a release that nobody mends any more": host(
        {"C37-3.3b"},
        "updates_by",
        **changed(
            "cp -P /etc/os-release /root/mutation.kept && sed 's/VERSION_ID=.*/VERSION_ID=\"11\"/' /usr/lib/os-release >"
            " /root/mutation.new && rm /etc/os-release && mv /root/mutation.new /etc/os-release",
            "rm /etc/os-release && mv /root/mutation.kept /etc/os-release",
        ),
    ),
    "a service that has failed": host(
        {"C37-3.4.1"},
        "come_back",
        **changed(
            "systemd-run -q --unit=mutation-fails false; sleep 1; systemctl is-failed -q mutation-fails",
            "systemctl reset-failed mutation-fails",
        ),
    ),
    "a service that would not start at boot": host(
        {"C37-3.4.1"}, "come_back", **changed("systemctl disable -q rspamd", "systemctl enable -q rspamd")
    ),
    "a service that would stay down": host(
        {"C37-3.4.1"}, "come_back", **dropin("unbound", "[Service]\\nRestart=no\\n")
    ),
    "a name server that is stopped": host({"C37-3.4.1", "C37-11.3.4"}, "come_back or of_their_own", **stopped("unbound")),
    "mail that waits for days": host(
        {"C37-3.4.1"},
        "come_back",
        **changed(
            f"systemctl stop dovecot\n{WRITTEN}\n{DAYS_AGO}\nsystemctl start dovecot",
            f"systemctl start dovecot\n{NO_MORE}",
        ),
    ),
    "a packet filter that lets everything in": host(
        {"C37-3.4.2"},
        "is_protected",
        **changed(
            "nft 'chain inet edumail input { policy accept; }'", "nft 'chain inet edumail input { policy drop; }'"
        ),
    ),
    "a door that nobody ordered": host(
        {"C37-3.4.2"}, "is_protected", **changed(INPUT, "systemctl reload nftables")
    ),
    "a daemon behind a door that nobody ordered": host(
        {"C37-3.4.2"},
        "is_protected",
        **changed(
            f"{LISTEN.format(port=8080)} && {INPUT}", "systemctl stop mutation-listener; systemctl reload nftables"
        ),
    ),
    "a directory that nobody set up": host(
        (),  # somebody else's directory is for somebody to look at
        "directory",
        doubtful={SCHOOL: {"C37-S39-dir"}},
        **changed(
            f"{LISTEN.format(port=389)} && {INPUT.replace('8080', '389')}",
            "systemctl stop mutation-listener; systemctl reload nftables",
        ),
    ),
    "SSH that takes passwords": host(
        {"C37-3.4.2"},
        "is_protected",
        managed=True,
        **edited(SSHD, "s/^PasswordAuthentication no/PasswordAuthentication yes/", "systemctl reload ssh"),
    ),
    "logs that are kept too short": host(
        {"C37-3.4.2"}, "is_protected", managed=True, **edited(JOURNALD, "s/^MaxRetentionSec=.*/MaxRetentionSec=7day/")
    ),
    "logs that are not kept": host(
        {"C37-3.4.2"}, "is_protected", managed=True, **edited(JOURNALD, "s/^Storage=.*/Storage=volatile/")
    ),
    "mailboxes that everybody can look into": host(
        {"C37-3.4.3", "C37-11.3.4"},
        "strangers_reach or of_their_own",
        **changed("chmod 755 /var/vmail", "chmod 750 /var/vmail"),
    ),
    "a private key that everybody can read": host(
        {"C37-3.4.3", "C37-11.3.4"},
        "strangers_reach or of_their_own",
        **changed(
            "stat -c %a /etc/edumail/tls/host.key > /root/mutation.kept && stat -c %a /etc/edumail/tls >> /root/mutation.kept"
            " && chmod 644 /etc/edumail/tls/host.key",
            "chmod $(head -n 1 /root/mutation.kept) /etc/edumail/tls/host.key",
        ),
    ),
    "accounts that everybody can look into": host(
        {"C37-3.4.3", "C37-11.3.4"},
        "strangers_reach or of_their_own",
        **changed(
            "stat -c %a /var/lib/edumail/accounts > /root/mutation.kept && chmod 2755 /var/lib/edumail/accounts",
            "chmod $(cat /root/mutation.kept) /var/lib/edumail/accounts",
        ),
    ),
    "an auditor who may do everything": host(
        {"C37-11.3.4"},
        "of_their_own",
        **changed(
            "echo 'auditor ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/mutation", "rm /etc/sudoers.d/mutation"
        ),
    ),
    "an auditor who may send mail": host(
        {"C37-11.3.4"},
        "of_their_own",
        managed=True,
        **edited(MAIN, "s/^authorized_submit_users = .*/authorized_submit_users = static:anyone/"),
    ),
    "an auditor who may open connections": host(
        {"C37-11.3.4"},
        "of_their_own",
        **changed("nft flush chain inet edumail output", "systemctl reload nftables"),
    ),
    "account pages that run as root": host(
        {"C37-11.3.4"}, "of_their_own", **dropin("edumail-feedback", "[Service]\\nUser=root\\n")
    ),
    "two services under one user": host(
        {"C37-11.3.4"}, "of_their_own", **dropin("edumail-feedback", "[Service]\\nUser=edumail-search\\n")
    ),
    "a deployed file that somebody edited": host(
        {MANAGED},
        "as_this_checkout",
        **edited(f"{LIVE}/rspamd/current/local.d/options.inc", "1i # by hand"),
    ),
    "a junk rule that never trains": host(
        {MANAGED}, "as_this_checkout", **edited(f"{LIVE}/dovecot/current/sieve/learn-spam.sieve", "1i stop;")
    ),
    "a file that nobody deployed": host(
        {MANAGED},
        "as_this_checkout",
        **changed(
            f"touch {LIVE}/nginx/current/sites/zz-mutation.conf", f"rm {LIVE}/nginx/current/sites/zz-mutation.conf"
        ),
    ),
    "a deploy that did not end": host(
        {MANAGED},
        "as_this_checkout",
        **changed(
            f"mv {LIVE}/dovecot/active /root/mutation.kept && echo unfinished > {LIVE}/dovecot/active",
            f"mv /root/mutation.kept {LIVE}/dovecot/active",
        ),
    ),
    "a daemon that reads a file of somebody else's": host(
        {MANAGED},
        "as_this_checkout",
        **changed(
            "mv /etc/nginx/nginx.conf /root/mutation.kept && cp -L /root/mutation.kept /etc/nginx/nginx.conf",
            "mv /root/mutation.kept /etc/nginx/nginx.conf",
        ),
    ),
    "a table that was compiled from another": host(
        {MANAGED},
        "as_this_checkout",
        **changed(
            f"cd {LIVE}/postfix/current && cp -p senders.cdb /root/mutation.kept && cp own.cdb senders.cdb",
            f"cp -p /root/mutation.kept {LIVE}/postfix/current/senders.cdb && rm /root/mutation.kept",
        ),
    ),
    "a filter that was compiled from another": host(
        {MANAGED},
        "as_this_checkout",
        **changed(
            f"cd {LIVE}/dovecot/current/sieve && cp -p once.svbin /root/mutation.kept && cp junk.svbin once.svbin",
            f"cp -p /root/mutation.kept {LIVE}/dovecot/current/sieve/once.svbin && rm /root/mutation.kept",
        ),
    ),
    "a role that was never given": host(
        {MANAGED},
        "as_this_checkout",
        **changed(f"mkdir {LIVE}/mutation", f"rmdir {LIVE}/mutation"),
    ),
    "a role that was never deployed": host(
        {MANAGED},
        "as_this_checkout",
        **changed(f"mv {LIVE}/sshd /root/mutation.kept", f"mv /root/mutation.kept {LIVE}/sshd"),
    ),
    "a wrong TLSA record": in_dns(
        {unit: {"C37-11.3.2"} for unit in EVERYBODY},
        **record("minhha.test", "_25._tcp.mail-so", "TLSA", f"3 1 1 {'00' * 32}"),
    ),
    "an address that leads to another server": in_dns(
        {unit: {"C37-11.3.2"} for unit in EVERYBODY},
        **record("minhha.test", "mail-so", "AAAA", "2001:db8:37::99"),
    ),
    "a portal without an IPv6 address": in_dns(
        {SCHOOL: {"C37-12.7.1", "C37-S39-ip", "C37-11.3.2"}},
        **without_record("thptsongque.test", "www", "AAAA", "2001:db8:37::11"),
    ),
    "a mail domain without an exchanger": Fault(
        {
            SCHOOL: {
                "C37-3.1b.1", "C37-4.2.3", "C37-4.5", "C37-9.1a.2", "C37-9.1b", "C37-9.5", "C37-11.3.2", "C37-12.1",
                "C37-12.7.1", "C37-S39-ip", "C37-S39-smime", "C37-S39-smtp", "C37-S39-smtps", "C37-S39-utf8",
            },
            "so": {"C37-4.3.4"},
        },
        "not roster",  # whom nobody can be asked about leaves that question open, and the run incomplete
        at="internet",
        on=EVERY,
        **without_record("thptsongque.test", "@", "MX", "10 mail-so.minhha.test."),
    ),
    "a zone that is not signed": in_dns(
        {SCHOOL: {"C37-12.7.2", "C37-S39-dnssec"}},
        **changed(
            served(
                f"sed -i 's/^  - domain: thptsongque.test$/&\\n    dnssec-signing: off/' {ZONES}.conf && grep -q signing {ZONES}.conf",
                "thptsongque.test",
                signed=False,
            ),
            served(f"sed -i /dnssec-signing/d {ZONES}.conf", "thptsongque.test", signed=True),
        ),
    ),
    "a name below edu.vn that leads nowhere": in_dns(
        # Below the department's domain a record would let it take DMARC reports about the new zone (RFC 7489, 7.1).
        {unit: {MANAGED} for unit in EVERYBODY}
        | {"so": {MANAGED, "C37-11.3.2"}, SCHOOL: {"C37-3.1b.2", "C37-2.1", MANAGED}},
        edits=(
            *(Edit("province.yml", f"{key}: [minhha.test,", f"{key}: [minhha.test, {ABOVE},") for key in ("zones", "allowed_suffixes")),
            Edit("units/so.yml", "  portal: www.thptsongque.test\n", f"  portal: www.thptsongque.test\n  former_portals: [khongco.{ABOVE}]\n"),
        ),
        **changed(
            f"printf '%s\\n' '@ 60 SOA ns.minhha.test. hostmaster.minhha.test. 1 7200 900 1209600 60' '@ 60 NS ns.minhha.test.'"
            f" > {ZONES}/{ABOVE}.zone && "
            + served(f"echo '  - domain: {ABOVE}' >> {ZONES}.conf", ABOVE, signed=True),
            f"rm -f {ZONES}/{ABOVE}.zone; sed -i '/ {ABOVE}$/d' {ZONES}.conf && knotc -t 60 reload >/dev/null",
        ),
    ),
    "a program's password that is kept as it is": host(
        {"C37-11.3.5"},
        "begin_without",
        **accounts(
            f"INSERT INTO app_password VALUES ('{TEACHER}', 'mutat', 'mutation', '{{PLAIN}}x', 0)",
            "DELETE FROM app_password WHERE tag = 'mutat'",
        ),
    ),
    "a certificate that nobody vouches for": host(
        {"C37-11.3.2"},
        "servers_with",
        **changed(
            "systemctl stop edumail-certificates.timer edumail-certificates.service && "  # it puts the true one back
            "cp -p /etc/edumail/tls/shown/host.pem /root/mutation.kept && cd /root && openssl x509 -in mutation.kept"
            " -noout -subject >/dev/null && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            " -days 1 -subj /CN=mail.thptsongque.test -addext subjectAltName=DNS:mail.thptsongque.test -keyout m.key"
            " -out m.pem 2>/dev/null && cat m.key m.pem > /etc/edumail/tls/shown/host.pem && rm m.key m.pem &&"
            " systemctl reload dovecot",
            "cp -p /root/mutation.kept /etc/edumail/tls/shown/host.pem && rm /root/mutation.kept && systemctl reload dovecot &&"
            " systemctl start edumail-certificates.timer",
        ),
    ),
}  # fmt: skip
