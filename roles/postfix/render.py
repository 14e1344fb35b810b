"""Postfix's configuration and tables for one host, as one tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.header import Header

from edumail.certificates import HOST
from edumail.mail import HEADROOM_MB, MIB, HostMail
from edumail.model import Published
from edumail.ports import PEER_PORT, SIEVE_PORT, SRS_FORWARD_PORT, SRS_REVERSE_PORT, SUBMISSION_PORT
from edumail.srs import srs_domain
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import FEEDBACK, FEEDBACK_COPIES, LEARN, TLS, feedback_domain, learn_domain, live, shown

# All in one: postmap reads main.cf at each start, which on a large gateway costs more than its tables.
COMPILE = "cd {tree} && printf 'cdb:./%s\\n' * | grep -v '[.]\\(cf\\|cdb\\|regexp\\)$' | xargs postmap -c {tree}"
"""Compiles the tables of a tree, with ``{tree}`` where it lies."""
REFUSAL = "REJECT nhom nay chi nhan thu cua nguoi duoc phep / this group takes mail from those allowed to write to it"
REFUSED = "posting_refused"
"""The restriction class that says so."""
SRS_HERE, SRS_ELSEWHERE = "srs_here", "srs_elsewhere"
"""Restriction classes of what comes from outside to an author's packed address, by the host that packed it."""
INSIDE_ONLY = "REJECT don vi cua ban chi gui thu trong tinh / your unit sends mail within the province only"
MOVING = "450 4.2.1 hop thu dang chuyen may / the mailbox is moving to another host"
NOT_YOURS = "REJECT dia chi gui thuoc tinh nay, hay dang nhap de gui / the sender is one of us, who sign in to send"


def tables(mail: HostMail, published: Mapping[str, Published]) -> dict[str, str]:
    """Every look-up table as text for postmap(1), by name."""
    train = [f"{command}@{learn_domain(mail.gateway)}" for command in LEARN]
    learn = train if mail.host == mail.gateway else []
    parts = dict.fromkeys(mail.part_domains, REFUSED)
    posting = {address: _rule(rule) for address, rule in mail.posting.items()}
    peer = f"peer:[{{}}]:{PEER_PORT}".format
    # What is written to the service's address, at the name of any host, is handed to that of this host: a letter that
    # waits for an answer may be older than the gateway. Only who signed in here gets so far.
    answers, service = (
        [f"{FEEDBACK}@{host.fqdn}" for host in mail.part_domains.values()],
        f"{FEEDBACK}@{feedback_domain(mail.host)}",
    )
    feedback = [*answers, service]
    result = {
        "domains": _table(
            dict.fromkeys([*mail.domains, *{a.partition("@")[2] for a in learn}, feedback_domain(mail.host)], "-")
        ),
        "recipients": _table(dict.fromkeys([*mail.mailboxes, *mail.remote, *mail.remote_groups, *learn, service], "-")),
        "transport": _table(
            {a: peer(host.fqdn) for a, host in (mail.remote | mail.remote_groups).items()}
            | {domain: peer(host.fqdn) for domain, host in mail.part_domains.items() if learn and host != mail.host}
            | {domain: peer(host.fqdn) for domain, host in mail.srs.items() if host != mail.host}
            | dict.fromkeys(learn, "learn:")
            | {feedback_domain(mail.host): "feedback:"}
            | {f"{part}@{feedback_domain(mail.host)}": "copies:" for part in FEEDBACK_COPIES}
        ),
        "aliases": _table(
            {address: ", ".join(members) for address, members in mail.aliases.items()} | dict.fromkeys(answers, service)
        ),
        "senders": _table({address: ", ".join(logins) for address, logins in mail.senders.items()}),
        # Reports on a message go to its sender: one from a part would be expanded, one from there would train.
        "own": _table(
            dict.fromkeys(
                [
                    *mail.own,
                    *mail.part_domains,
                    *mail.srs,
                    learn_domain(mail.gateway),
                    feedback_domain(mail.host),
                ],
                NOT_YOURS,
            )
        ),
        "inside": _table(dict.fromkeys(mail.own, "OK")),
        "inside_only_for": _table(
            {
                a: "inside_only"
                for a, box in mail.mailboxes.items()
                if mail.policies[box.unit].external_sending == "province"
            }
        ),
        "posters": _table({sender: " ".join(rules) for sender, rules in mail.posters.items()}),
        "posting": _table(posting | parts | dict.fromkeys(train, "REJECT")),
        "posting_outside": _table(
            dict.fromkeys(mail.closed, REFUSED) | parts | dict.fromkeys([*learn, *feedback], "REJECT")
        ),
        # A host whose key is not known yet can't hand us mail; the deploy that publishes the key mends that.
        "peers": _table(
            {key: f"peer_{peer_word(name)}" for name in mail.peers if (key := _identity(published, name)) is not None}
        ),
    }
    # A copy of what the public writes and of what a unit answers. No recipient list has these addresses.
    for part in FEEDBACK_COPIES:
        result[f"feedback_{part}"] = _table(
            {address: f"{part}+{unit}@{feedback_domain(mail.host)}" for address, unit in mail.public.items()}
        )
    if (domain := srs_domain(mail.host)) in mail.srs:
        result["srs.regexp"] = rf"/^(SRS[01]=.+@{re.escape(domain)})$/ ${{1}}" + "\n"
        # Answers of filters, and forwards whose author lives here.
        result["srs_kept"] = _table({address: address for address in mail.mailboxes})
    if mail.host == mail.gateway and mail.srs:
        result["srs_reports"] = _table(
            {domain: SRS_HERE if host == mail.host else SRS_ELSEWHERE for domain, host in mail.srs.items()}
        )
    if mail.host == mail.gateway:
        result["elsewhere"] = _table(dict.fromkeys(mail.remote, "reject_unverified_recipient"))
        known = {part: _rule(rule) if rule else "DUNNO" for part, rule in mail.parts.items()}
        if mail.peers:
            result["handed_on"] = _table(dict.fromkeys(mail.handed_on, "OK"))
        result["posting_peer"] = _table(posting | parts | known | dict.fromkeys(learn, "learn_peer"))
    for name, senders in mail.peers.items():
        if mail.host == mail.gateway:
            # Bounces have no sender; the host that made one could not send it otherwise.
            packed = (domain for domain, host in mail.srs.items() if host.name == name)
            result[f"peer_{peer_word(name)}"] = _table({**dict.fromkeys([*senders, *packed], "OK"), "<>": "OK"})
    return result


def _rule(name: str) -> str:
    """The restriction class of a posting rule."""
    return f"posting_{name}"


def peer_word(host: str) -> str:
    """A host's name as part of a restriction class; "-" would end the name for Postfix."""
    return host.replace("-", "_")


def tree(mail: HostMail, message_size_limit_mb: int, published: Mapping[str, Published]) -> Tree:
    """All of Postfix on the host of ``mail``."""
    host = mail.host
    peers = dict.fromkeys(map(peer_word, mail.peers), "senders" if host == mail.gateway else "gateway")
    rules = {_rule(name): name for name in mail.rules}
    returning = [SRS_HERE, SRS_ELSEWHERE] if host == mail.gateway and mail.srs else []
    peer_classes = [f"peer_{name}" for name in peers] + (["learn_peer"] if host == mail.gateway else [])
    values = {
        "host": host,
        "gateway": mail.gateway,
        "is_gateway": host == mail.gateway,
        "live": live("postfix"),
        "feedback": live("feedback"),
        "tls": TLS,
        "shown": shown(HOST),
        "peer_port": PEER_PORT,
        "submission_port": SUBMISSION_PORT,
        "sieve_port": SIEVE_PORT,
        "front": [str(a) if ":" not in str(a) else f"[{a}]" for a in (mail.gateway.ipv4, mail.gateway.ipv6) if a],
        "message_size_limit": message_size_limit_mb * MIB,
        "inner_size_limit": (message_size_limit_mb + HEADROOM_MB) * MIB,
        # No expansion and no message has more recipients than the host knows addresses; a power of two seldom changes.
        "most_recipients": 1 << (len(mail.mailboxes) + len(mail.aliases) + 1000).bit_length(),
        "part_domain": next(domain for domain, host_ in mail.part_domains.items() if host_ == host),
        "rules": rules,
        "refused": REFUSED,
        "refusal": REFUSAL,
        "inside_only": INSIDE_ONLY,
        "moving": MOVING,
        "classes": ["full_mailboxes", "inside_only", REFUSED, *rules, *peer_classes, *returning],
        "returning": returning,
        "srs_domain": domain if (domain := srs_domain(host)) in mail.srs else "",
        "srs_elsewhere": [domain for domain, packer in mail.srs.items() if packer != host],
        "srs_forward_port": SRS_FORWARD_PORT,
        "srs_reverse_port": SRS_REVERSE_PORT,
        "peers": peers,
        "peer_classes": peer_classes,
    }
    return Tree.of(
        {
            "main.cf": render("postfix/etc/postfix/main.cf.j2", **values),
            "master.cf": render("postfix/etc/postfix/master.cf.j2", **values),
            "bounce.cf": render("postfix/etc/postfix/bounce.cf.j2", header=_header),
            "submission_headers.regexp": render("postfix/etc/postfix/submission_headers.regexp.j2", **values),
            **tables(mail, published),
        }
    )


def _header(text: str) -> str:
    """Text for a header, on one line, as RFC 2047 wants it: Postfix takes ASCII there only."""
    return Header(text, "utf-8").encode(linesep="")


def _identity(published: Mapping[str, Published], host: str) -> str | None:
    return published[host].identity if host in published else None


def _table(rows: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in rows.items())
