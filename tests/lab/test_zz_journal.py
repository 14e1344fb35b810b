"""After all other tests: what the journals of the hosts complain of is known, each line with its cause.

Named so that it runs last. A new line here is a defect or a surprise: mend its cause. Only what a test does on purpose,
or what is so and harms nobody, is listed; narrowly, so that the same daemon's next complaint is seen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass

import pytest

from edumail.load import load
from roles.base.render import units
from tests.lab.province import ROOT, LabProvince

GATEWAY = load(ROOT / "inventories" / "lab").hosts["mail-so"]
HOSTS = ["mail-so", "mail-xa", "mail-thpt"]


@dataclass(frozen=True)
class Explained:
    """Lines that may be there: who says what (a pattern for the whole line), and why."""

    who: str
    line: str
    why: str


# Ends of a connection in the lab: this machine, a host, the front talking to itself.
_CLIENT = r"\S+\[(?:198\.18\.37\.\d+|2001:db8:37::\w+|127\.0\.0\.1|::1)\]:\d+"
_UNITS = "|".join(sorted({re.escape(unit.name) for unit in units(GATEWAY)}))

EXPLAINED = [
    # Done on purpose by tests
    Explained(
        "systemd",
        rf"(?:{_UNITS})\.service: (?:Main process exited, code=killed, status=9/KILL|Failed with result 'signal'\.)",
        "test_faults kills each daemon",
    ),
    Explained(
        "systemd",
        r"edumail-(?:search|search-index|feedback|feedback-mail)\.service: "
        r"(?:Main process exited, code=killed, status=9/KILL|Failed with result 'signal'\.)",
        "test_search and test_feedback kill the portal's services",
    ),
    Explained(
        "systemd",
        r"Failed to start edumail-search-index\.service - .*",
        "test_search kills a build",
    ),
    Explained(
        "nginx",
        r"(?s).*limiting requests, excess: .* by zone \"(?:lookup|feedback_sent)\".*",
        "test_search and test_feedback send more than one network may",
    ),
    Explained(
        "nginx",
        r"(?s).*client intended to send too large body: \d+ bytes.*",
        "test_feedback sends more than a form holds",
    ),
    Explained(
        "rspamd",
        r"<>; ; rspamd_control_default_worker_handler: short read of control command: 0 of \d+"
        r"|<>; ; rspamd_srv_request_handler: cannot write to server pipe: Broken pipe; command = heartbeat",
        "its workers, when test_faults kills their master",
    ),
    Explained(
        "rspamd",
        r"<\w+>; lua; clamav\.lua:\d+: clamav: failed to scan, maximum retransmits exceed",
        "test_antivirus stops clamd, and mail waits",
    ),
    Explained(
        r"postfix/\S*smtpd",
        rf"warning: {_CLIENT}: SASL (?:PLAIN|LOGIN) authentication failed: .*",
        "wrong passwords, of test_logs, test_refusals, test_access and test_webmail",
    ),
    Explained(
        r"postfix/\S*smtpd",
        r"warning: TLS library problem: error:\w+:SSL routines::(?:unsupported protocol|tlsv1 alert unknown ca):.*",
        "the audit offers TLS 1.0 and 1.1, and clients that do not know the province's authority hang up",
    ),
    Explained(
        r"postfix/\S*smtpd",
        r"warning: connect to Milter service inet:127\.0\.0\.1:11332: Connection refused",
        "test_faults stops or kills Rspamd: mail waits",
    ),
    Explained(
        "sshd-session",
        r"error: kex_exchange_identification: (?:read: Connection reset by peer|Connection closed by remote host)",
        "test_doors knocks at port 22 and says nothing",
    ),
    Explained(
        "systemd", r"Reload failed for nftables\.service - nftables\.", "test_doors offers rules that nft refuses"
    ),
    Explained(
        "dovecot",
        r"submission-login: Error: proxy\(\S+,mail\.thptsongque\.test\[\S+\]:\d+\): connect\(\S+, \d+\) failed: .*",
        "test_faults cuts the power of mail-thpt",
    ),
    Explained(
        "postfix/postmap",
        r"fatal: /var/tmp/edumail-judge\.\w+/trees/postfix/staged/main\.cf, line \d+: missing '=' .*\"nonsense {\"",
        "test_templates asks Postfix to judge nonsense",
    ),
    Explained(
        "postfix/(?:master|peer-out/error|qmgr)",
        r"warning: (?:process )?/usr/lib/postfix/sbin/error(?: pid \d+ exit status 1|: bad command startup.*)"
        r"|fatal: bad error service name: peer|warning: private/peer socket: malformed response",
        "test_mutation puts an error service where mail leaves for other hosts",
    ),
    Explained(
        "roundcube",
        r"<\w+> IMAP Error: Login failed for \S+@suoimo\.minhha\.test against localhost from 198\.18\.37\.1\..*",
        "wrong passwords and an address that nobody has, of test_webmail",
    ),
    Explained(
        "systemd",
        r"Failed to start edumail-certificates\.service - .*"
        r"|edumail-certificates\.service: Failed with result 'exit-code'\.",
        "test_certificates supplies one that ends in a few days",
    ),
    Explained(
        "postfix/postmap",
        "fatal: bad numerical configuration: message_size_limit = a lot",
        "test_deploy breaks main.cf",
    ),
    Explained(
        "postfix/(?:sendmail|postqueue)",
        r"fatal: User auditor\(\d+\) is not allowed to .*",
        "test_refusals sends, and asks for the queue, from an auditor's account",
    ),
    Explained(
        "postfix/bounce",
        r"warning: /var/lib/edumail/trees/postfix/current/bounce\.cf: zero result in delay template conversion of .*"
        r"|warning: please reduce time unit \"hours\" of \"delay_warning_time_hours\" in delay template"
        r"|warning: for instructions see the bounce\(5\) manual",
        "test_queue has the gateway warn after a second, which is no hour",
    ),
    Explained(
        r"postfix/(?:submission/|submissions/|peer/)?smtpd",
        r"warning: [0-9A-Za-z]+: queue file size limit exceeded",
        "test_queue and test_hostile send more than the limit",
    ),
    Explained(
        "postfix/cleanup",
        "warning: mail_stream_cleanup: close error",
        "the other side of the same: the file of a message above the limit is not finished",
    ),
    Explained(
        "postfix/smtp",
        r"warning: (?:connect to 127\.0\.0\.1:8461: Connection refused"
        r"|(?:table )?socketmap:inet:127\.0\.0\.1:8461:postfix lookup error.*"
        r"|smtp_tls_policy_maps, next-hop destination \"xa\.test\": policy table lookup error"
        r"|TLS policy lookup for xa\.test/mx\.xa\.test: client TLS configuration problem)",
        "test_transport stops what knows the policies, and mail waits",
    ),
    Explained(
        "postfix/peer/smtpd",
        "warning: Can't require client certs unless TLS is required",
        "test_mutation takes the duty of TLS away from every door of a host",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* connect\(\) to unix:/run/php/webmail\.sock failed \(\d+: [\w ]+\) while connecting .*"
        r"|\S+ \S+ \[error\] .* recv\(\) failed \(104: Connection reset by peer\) while reading response header .*",
        "test_webmail and test_faults kill PHP",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* connect\(\) failed \(111: Connection refused\)"
        r" while (?:proxying connection|connecting to upstream), .*"
        r" upstream: \"(?:http://)?198\.18\.37\.1[23]:(?:443|80/.*)\", .*",
        "test_portal_serving, test_mutation and test_zy_stopped_host stop the nginx of a host behind the gateway",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* client intended to send too large body: 52428800 bytes, .*"
        r"|\S+ \S+ \[error\] .* limiting requests, excess: [\d.]+ by zone \"webmail\", client: 2001:db8:37::1, .*"
        r"|\S+ \S+ \[error\] .* recv\(\) failed \(104: Connection reset by peer\) while proxying and reading from"
        r" upstream, .* upstream: \"127\.0\.0\.1:4430\", .*",
        "test_webmail sends too much, and too often",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* connect\(\) to unix:/run/edumail-(?:search|feedback)\.socket failed \(111: .*",
        "test_mutation and test_portal_serving stop the portal's services",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* directory index of \"/var/lib/edumail/trees/portal/current/(?:assets|sites/[\w/-]+)/\""
        r" is forbidden, .*",
        "an audit and test_portal_serving ask whether folders are listed",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* open\(\) \"/var/lib/edumail/trees/portal/current/assets/\S+-\S*0000\S*\.css\""
        r" failed \(2: No such file or directory\), .*",
        "test_portal_serving asks for a style under another digest",
    ),
    Explained(
        "nginx",
        r"\S+ \S+ \[error\] .* broken header: \"\" while reading PROXY protocol,"
        r" client: (?:198\.18\.37\.11|2001:db8:37::11), server: \S+:443",
        "test_doors knocks from the gateway, and says nothing",
    ),
    Explained(
        "dovecot",
        r"lmtp\(bangnv@suoimo\.minhha\.test\).*: Error: (?:Mailbox INBOX: open\(.*/bangnv/Maildir/tmp/.*"
        r"|sieve: .*(?:temporary failure|Permission denied))",
        "test_groups takes a mailbox from Dovecot, and mail waits",
    ),
    Explained(
        "dovecot",
        r"(?:quota-status|indexer-worker)\S*: Error: (?:conn unix:indexer-worker .*: User |Failed to lookup user "
        r"|auth-master: userdb lookup\()enct@suoimo\.minhha\.test.*"
        r"(?:Internal error occurred\..*|Auth USER lookup failed)"
        r"|quota-status\(enct@suoimo\.minhha\.test\)\S*: Warning: Mailbox INBOX: Expunged message reappeared, .*",
        "test_moving moves this mailbox and kills the move: mail waits, as long as it is nowhere",
    ),
    Explained(
        "dovecot",
        r"(?:quota-status|lmtp)\S*: Error: (?:lmtp-server: conn unix:.*: rcpt bosv@suoimo\.minhha\.test: )?"
        r"(?:Failed to lookup user |auth-master: userdb lookup\()bosv@(?:suoimo\.minhha|thptsongque)\.test.*"
        r"(?:Internal error occurred\..*|Auth USER lookup failed)",
        "test_moving_person moves this one: mail waits in the same way",
    ),
    Explained(
        "dovecot",
        r"auth(?:-worker\(\d+\))?: Error: conn unix:/run/dovecot/stats-writer .* failed: Connection refused",
        "test_mutation stops and starts Dovecot",
    ),
    Explained(
        "rspamd",
        r"<\w+>; proxy; rspamd_tokenize_text: too long time has been spent on tokenization: .*",
        "test_hostile and test_queue send the longest letters that fit, while the machine does more",
    ),
    Explained(
        "systemd", r"mutation-fails\.service: Failed with result 'exit-code'\.", "test_mutation has a service fail"
    ),
    Explained(
        "systemd",
        r"rspamd\.service: (?:State 'stop-sigterm' timed out\. Killing|Failed with result 'timeout')\.",
        "test_faults kills its master, and the workers that are left end no sooner; test_zy_stopped_host stops it",
    ),
    Explained(
        "postfix/postqueue",
        r"warning: Mail system is down -- accessing queue directly .*",
        "test_zy_stopped_host stops Postfix, and an audit asks how long the queue is",
    ),
    Explained(
        "postfix/smtpd",
        r"warning: mx\.ngoai\.test\[\S+\]:\d+: request longer than 2048: (?:MAIL FROM:<)?a+\.\.\."
        r"|warning: disabling input from smtp socket",
        "test_hostile sends lines without end",
    ),
    Explained(
        "rspamd",
        r"<\w+>; proxy; rspamd_message_parse: cannot construct full mime from stream: Nesting level is too high: \d+",
        "test_hostile packs a message into a message, again and again",
    ),
    Explained(
        "postfix/smtp",
        r"warning: DNSSEC validation may be unavailable"
        r"|warning: reason: dnssec_probe 'ns:\.' received no response: .*type=NS: Host not found, try again",
        "the lab has no root servers: nothing but packages gets in",
    ),
    Explained(
        "postfix/cleanup",
        r"warning: file system clock is 1 seconds ahead of local clock"
        r"|warning: resetting file time stamps - this hurts performance",
        "a file is made at the turn of a second: the kernel dates it by a coarser clock than Postfix asks",
    ),
    Explained(
        "dovecot",
        r"\S+: Warning: Time moved forward by 0\.\d+ seconds - adjusting timeouts\.",
        "the machine that carries the lab stood still for a moment",
    ),
    # What a daemon says of being reloaded, stopped or started
    Explained(
        "dovecot", r"master: Warning: SIGHUP received - reloading configuration", "a deploy, or renewed certificates"
    ),
    Explained(
        "dovecot",
        r"[a-z-]+(?:\(\d+\))?: Warning: Killed with signal 15 \(by pid=\d+ uid=0 code=kill\)",
        "how Dovecot's processes report that they were stopped, on restart and reload",
    ),
    Explained(
        "dovecot",
        r"log\(\d+\): Warning: Shutting down logging for '[a-z0-9-]+: ' with \d+ clients"
        r"|master: Warning: Processes aren't dying after reload, sent SIGTERM to \d+ processes\."
        r"|master: Warning: service\([a-z-]+\): Sent SIGTERM to \d+ [a-z-]+ processes",
        "stopped or reloaded while sessions are open",
    ),
    Explained(
        "dovecot",
        r"imap\(thoamt@suoimo\.minhha\.test\).*: Error: autoexpunge: Couldn't create dovecot\.autoexpunge\.lock .*",
        "somebody of test_accounts signs in who never had mail: there is no folder yet to lock, nor mail to expunge",
    ),
    Explained(
        "dovecot",
        r"imap\(\S+\)<\d+><\S+>: Error: mkdir\(/run/dovecot/user-not-found/\w+@\w+\) failed: Permission denied .*",
        "asked to LIST with what is subscribed, Dovecot looks for the owner of each level that a dot would make"
        " of the address in a shared mailbox's name; it finds none, and lists the mailbox all the same",
    ),
    Explained(
        "rspamd",
        r"<\w+>; cfg; rspamd_controller_load_saved_stats: cannot load controller stats from \S+: No such file .*",
        "its first start",
    ),
    Explained(
        "rspamd",
        r"<\w+>; symcache; init: cannot register delayed dependency FREEMAIL_REPLYTO_NEQ_FROM_DOM -> FREEMAIL_\w+: .*",
        "the distribution's rules name the list of free mail providers, which is fetched from its makers and so is off",
    ),
    Explained(
        "rspamd",
        r"<>; ; rspamd_roll_history_load: stored history is smaller than the current one: \d+ \(file\) vs \d+ .*",
        "Rspamd started anew before it had scanned many messages",
    ),
]


def explained(who: str, line: str) -> bool:
    """Whether the line is on the list."""
    return any(re.fullmatch(one.who, who) and re.fullmatch(one.line, line, re.DOTALL) for one in EXPLAINED)


def complaints(province: LabProvince, host: str, since: float) -> Counter[tuple[str, str]]:
    """Warnings and worse since a moment, by who says what, the first of those that differ in numbers only."""
    script = f"journalctl --sync; journalctl -q --no-pager -o json --since=@{since:.0f} -p warning"
    found: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for line in province.run(host, script).splitlines():
        entry = json.loads(line)
        said = entry.get("MESSAGE") or ""
        text = said if isinstance(said, str) else bytes(said).decode(errors="replace")
        who = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?"
        found[who, first.setdefault((who, re.sub(r"\d+", "", text)), text)] += 1
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_every_warning_has_a_known_cause(province: LabProvince, journal_since: float, host: str) -> None:
    unexplained = sorted(
        f"{number} x {who}: {line}"
        for (who, line), number in complaints(province, host, journal_since).items()
        if not explained(who, line)
    )
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_left_failed(province: LabProvince, host: str) -> None:
    assert province.run(host, "systemctl is-system-running || systemctl --failed --no-legend").strip() == "running"
