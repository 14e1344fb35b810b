"""The outside world's mail server on `internet`: an independent judge of what our hosts send, and a correspondent."""

from __future__ import annotations

import email
import email.policy
import io
import shlex
import tarfile

from lab import dns, ssh, zones
from lab.topology import FOREIGN_DOMAIN, INTERNET, STRICT_DOMAIN, Machine

_MAIN_CF = f"""\
compatibility_level = 3.9
myhostname = {INTERNET.fqdn}
mydomain = {FOREIGN_DOMAIN}
myorigin = {FOREIGN_DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = all
inet_protocols = all
alias_maps =
# Anybody here has a mailbox: it is one Maildir, read by the lab.
virtual_mailbox_domains = {FOREIGN_DOMAIN}, {STRICT_DOMAIN}
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = /var/mail/foreign
virtual_mailbox_limit = 0
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
message_size_limit = 104857600
smtputf8_enable = yes
# It hands on what it is given: a line that were broken here would look as if our hosts had broken it.
smtp_line_length_limit = 0
# Opportunistic TLS both ways; where the receiver publishes a signed TLSA record it must be true (RFC 7672).
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/foreign/tls.key, /etc/foreign/tls.crt
smtpd_tls_received_header = yes
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
dnssec_probe = ns:{FOREIGN_DOMAIN}
smtp_tls_loglevel = 1
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/policyd-spf
smtpd_milters = inet:127.0.0.1:8891
non_smtpd_milters = $smtpd_milters
# What greylisting or a host that boots puts off is tried again soon.
queue_run_delay = 5s
minimal_backoff_time = 5s
maximal_backoff_time = 10s
"""
# One letter at a time: OpenDKIM reads its resolver's file with each, and two that do so at once break it for good.
_MASTER_CF = """\
smtp       inet  n - n - 1 smtpd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
proxywrite unix  - - n - 1 proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
showq      unix  n - n - - showq
postlog    unix-dgram n - n - 1 postlogd
policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf
"""
_OPENDKIM_CONF = f"""\
Syslog yes
PidFile /run/opendkim/opendkim.pid
UserID opendkim
Mode sv
Socket inet:8891@127.0.0.1
Domain {FOREIGN_DOMAIN}
Selector lab
KeyFile /etc/foreign/dkim.key
Canonicalization relaxed/relaxed
InternalHosts 127.0.0.1
AuthservID {INTERNET.fqdn}
AlwaysAddARHeader yes
ResolverConfiguration /etc/foreign/libunbound.conf
OversignHeaders From
"""
# Debian's OpenDKIM brings its own resolver, which would recurse from the root and remember what a test has changed.
_LIBUNBOUND_CONF = """\
server:
    local-zone: "test." nodefault
    do-not-query-localhost: no
    cache-max-ttl: 0
    cache-max-negative-ttl: 0
forward-zone:
    name: "."
    forward-addr: 127.0.0.1
"""
# It judges and lets through, so that a test sees the verdict instead of a bounce.
_SPF_CONF = """\
debugLevel = 1
TestOnly = 1
HELO_reject = False
Mail_From_reject = False
Header_Type = SPF
"""

FILES = {
    "etc/knot/knot.conf": dns.KNOT_CONF,
    "etc/postfix/main.cf": _MAIN_CF,
    "etc/postfix/master.cf": _MASTER_CF,
    "etc/opendkim.conf": _OPENDKIM_CONF,
    "etc/foreign/libunbound.conf": _LIBUNBOUND_CONF,
    "etc/postfix-policyd-spf-python/policyd-spf.conf": _SPF_CONF,
}


def own_zones(machines: tuple[Machine, ...]) -> dict[str, str]:
    """Return the lab's own zones, {name: text}; needs `internet` running, for the public half of its keys."""
    dkim, tlsa = ssh.call(INTERNET.name, "cd /etc/foreign; cat dkim.pub; echo; cat tlsa").decode().split()
    return {FOREIGN_DOMAIN: zones.foreign(dkim, tlsa), STRICT_DOMAIN: zones.strict(), **zones.reverse(machines)}


def inbox(local_part: str, domain: str = FOREIGN_DOMAIN) -> list[bytes]:
    """Return the messages that ``local_part`` at a foreign domain has received, oldest first, as they arrived."""
    address = f"{local_part}@{domain}".lower()
    # Status 1 of tar: a message came meanwhile.
    script = "cd /var/mail/foreign; ! test -d inbox/new || tar --warning=none -c inbox/new || test $? = 1"
    packed = ssh.call(INTERNET.name, script)
    if not packed:
        return []
    found: list[tuple[str, bytes]] = []
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for member in tar:
            data = tar.extractfile(member)
            if data is None:
                continue
            message = data.read()
            headers = email.message_from_bytes(message, policy=email.policy.compat32)
            if str(headers.get("Delivered-To", "")).lower() == address:
                found.append((member.name, message))
    return [message for _, message in sorted(found)]


def clear() -> None:
    """Empty every foreign mailbox."""
    ssh.call(INTERNET.name, "rm -rf /var/mail/foreign/inbox")


def send(sender: str, recipient: str, message: bytes) -> None:
    """Send ``message`` from the foreign server to ``recipient``, found by real DNS; returns once it is in the queue.

    ``sender`` is the envelope's; the message is signed if it is From the foreign domain. A refusal by the receiver
    comes back as a bounce into the sender's inbox.
    """
    words = ["sendmail", "-i", "-f", sender, "--", recipient]
    ssh.call(INTERNET.name, shlex.join(words), stdin=message)
