"""Postfix's configuration and tables for one host, as one tree."""

from __future__ import annotations

from collections.abc import Mapping
from email.header import Header

from edumail.certificates import HOST
from edumail.mail import HEADROOM_MB, MIB, PROVINCE_RULE, HostMail
from edumail.model import Published
from edumail.ports import PEER_PORT, SIEVE_PORT, SUBMISSION_PORT
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import LEARN, TLS, learn_domain, live, shown

REFUSAL = "REJECT nhom nay chi nhan thu cua nguoi duoc phep / this group takes mail from those allowed to write to it"
INSIDE_ONLY = "REJECT don vi cua ban chi gui thu trong tinh / your unit sends mail within the province only"
NOT_YOURS = "REJECT dia chi gui thuoc tinh nay, hay dang nhap de gui / the sender is one of us, who sign in to send"


def tables(mail: HostMail, published: Mapping[str, Published]) -> dict[str, str]:
    """Every look-up table as text for postmap(1), by name."""
    train = [f"{command}@{learn_domain(mail.gateway)}" for command in LEARN]
    learn = train if mail.host == mail.gateway else []
    result = {
        "domains": _table(dict.fromkeys([*mail.domains, *{a.partition("@")[2] for a in learn}], "-")),
        "recipients": _table(dict.fromkeys([*mail.mailboxes, *mail.remote, *learn], "-")),
        "transport": _table(
            {a: f"peer:[{host.fqdn}]:{PEER_PORT}" for a, host in mail.remote.items()} | dict.fromkeys(learn, "learn:")
        ),
        "aliases": _table({address: ", ".join(members) for address, members in mail.aliases.items()}),
        "senders": _table({address: ", ".join(logins) for address, logins in mail.senders.items()}),
        "own": _table(dict.fromkeys(mail.own, NOT_YOURS)),
        "inside": _table(dict.fromkeys(mail.own, "OK")),
        "inside_only_for": _table(
            {
                a: "inside_only"
                for a, box in mail.mailboxes.items()
                if mail.policies[box.unit].external_sending == "province"
            }
        ),
        "posting": _table(mail.posting | dict.fromkeys(train, "REJECT")),
        "posting_peer": _table(
            {a: f"{rule}_peer" for a, rule in mail.posting.items() if rule != PROVINCE_RULE}
            | dict.fromkeys(learn, "learn_peer")
        ),
        "posting_outside": _table(dict.fromkeys(mail.posting, REFUSAL) | dict.fromkeys(learn, "REJECT")),
        # A host whose key is not known yet can't hand us mail; the deploy that publishes the key mends that.
        "peers": _table(
            {key: f"peer_{peer_word(name)}" for name in mail.peers if (key := _identity(published, name)) is not None}
        ),
    }
    if mail.host == mail.gateway:
        result["elsewhere"] = _table(dict.fromkeys(mail.remote, "reject_unverified_recipient"))
    for rule, passing in mail.rules.items():
        result[rule] = _table(dict.fromkeys(passing, "OK"))
    for name, senders in mail.peers.items():
        if senders:
            # Bounces have no sender; the host that made one could not send it otherwise.
            result[f"peer_{peer_word(name)}"] = _table({**dict.fromkeys(senders, "OK"), "<>": "OK"})
    return result


def _inside_only(mail: HostMail) -> list[str]:
    """The mailboxes whose unit sends within the province only."""
    units = {unit for unit, policies in mail.policies.items() if policies.external_sending == "province"}
    return [address for address, mailbox in mail.mailboxes.items() if mailbox.unit in units]


def peer_word(host: str) -> str:
    """A host's name as part of a restriction class; "-" would end the name for Postfix."""
    return host.replace("-", "_")


def tree(mail: HostMail, message_size_limit_mb: int, published: Mapping[str, Published]) -> Tree:
    """All of Postfix on the host of ``mail``."""
    host = mail.host
    peers = {peer_word(name): "senders" if senders else "gateway" for name, senders in mail.peers.items()}
    classes = [
        "full_mailboxes",
        "inside_only",
        PROVINCE_RULE,
        *(word for rule in mail.rules for word in (rule, f"{rule}_peer")),
    ]
    values = {
        "host": host,
        "gateway": mail.gateway,
        "is_gateway": host == mail.gateway,
        "live": live("postfix"),
        "tls": TLS,
        "shown": shown(HOST),
        "peer_port": PEER_PORT,
        "submission_port": SUBMISSION_PORT,
        "sieve_port": SIEVE_PORT,
        "front": [str(a) if ":" not in str(a) else f"[{a}]" for a in (mail.gateway.ipv4, mail.gateway.ipv6) if a],
        "message_size_limit": message_size_limit_mb * MIB,
        "inner_size_limit": (message_size_limit_mb + HEADROOM_MB) * MIB,
        "largest_expansion": mail.largest_expansion,
        "rules": list(mail.rules),
        "peers": peers,
        "refusal": REFUSAL,
        "inside_only": INSIDE_ONLY,
        "classes": [*classes, *(f"peer_{name}" for name in peers), *(["learn_peer"] if host == mail.gateway else [])],
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
