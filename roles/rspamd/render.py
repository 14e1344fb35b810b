"""Rspamd's own files over the distribution's: who signs, what is checked, and nothing that asks the outside world."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from edumail.mail import HEADROOM_MB, MIB, HostMail
from edumail.model import Filtering, Host, Ministry
from edumail.policies import Policies
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import AUDIT_TOKENS, DKIM_KEY, live

# These fetch lists from, or send digests to, their makers; and some would do again what is done already: "mime_types"
# judges files, "neural" learns from its own verdicts, "history_redis" keeps senders and subjects beside the journal.
_OFF = (
    "asn",
    "bimi",
    "fuzzy_check",
    "history_redis",
    "known_senders",
    "mid",
    "mime_types",
    "multimap",
    "neural",
    "phishing",
    "rbl",
    "spamassassin",
    "whitelist",
)
REPORTS_AN_HOUR = 20
"""Reports of delivery that a gateway takes from outside for one author by one host's forwards."""
_FILES = (
    "limits.lua",
    "local.d/arc.conf",
    "local.d/dkim_signing.conf",
    "local.d/force_actions.conf",
    "local.d/greylist.conf",
    "local.d/groups.conf",
    "local.d/logging.inc",
    "local.d/milter_headers.conf",
    "local.d/options.inc",
    "local.d/ratelimit.conf",
    "local.d/redis.conf",
    "local.d/settings.conf",
    "local.d/worker-controller.inc",
    "local.d/worker-normal.inc",
    "local.d/worker-proxy.inc",
    "lua.local.d/attachments.lua",
    "lua.local.d/audit.lua",
    "lua.local.d/from.lua",
    "lua.local.d/once.lua",
    "lua.local.d/policies.lua",
    "lua.local.d/trusted.lua",
)


def linked(host: Host) -> list[str]:
    """The files of the tree that stand in place of the distribution's, by their paths below its folder."""
    files = [*_FILES, *(f"local.d/{module}.conf" for module in _OFF)]
    files += ["local.d/antivirus.conf"] if "antivirus" in host.roles else []
    return sorted(file for file in files if "/" in file)


def tree(mail: HostMail, message_size_limit_mb: int, filtering: Filtering, ministry: Ministry | None) -> Tree:
    """Rspamd's local files for the host of ``mail``, laid out as its LOCAL_CONFDIR, and the tables they read.

    The Ministry's domains count among the trusted senders.
    """
    values = {
        "host": mail.host,
        "dkim_key": DKIM_KEY,
        "live": live("rspamd"),
        "tokens": AUDIT_TOKENS,
        "max_message": (message_size_limit_mb + HEADROOM_MB) * MIB,
        "reports": REPORTS_AN_HOUR,
        "antivirus": "antivirus" in mail.host.roles,
    }
    files = {file: render(f"rspamd/etc/rspamd/{file}.j2", **values) for file in _FILES}
    files |= {f"local.d/{module}.conf": "enabled = false;\n" for module in _OFF}
    if values["antivirus"]:
        files["local.d/antivirus.conf"] = render("rspamd/etc/rspamd/local.d/antivirus.conf.j2", **values)
    files["attachments.map"] = _lines(filtering.blocked_attachments)
    files["domains.map"] = _lines(f"{domain} {mail.host.name}" for domain in {*mail.domains, mail.host.fqdn})
    files["holders.map"] = _holders(mail.senders)
    files["policies.map"] = _lines(f"{unit} {_figures(policies)}" for unit, policies in mail.policies.items())
    files["srs.map"] = _lines(mail.srs)
    files["province.map"] = _lines(mail.own)
    files["trusted.map"] = _lines({*filtering.trusted_senders, *(ministry.domains if ministry else ())})
    files["units.map"] = _lines(f"{address} {box.unit}" for address, box in mail.mailboxes.items())
    return Tree.of(files)


def _figures(policies: Policies) -> str:
    """What Rspamd enforces of a unit's policies, as JSON on one line. Sizes are bytes."""
    forward = policies.external_forward
    return json.dumps(
        {
            "message_size": (policies.message_size_limit_mb or 0) * MIB,
            "attachment_size": (policies.attachment_size_limit_mb or 0) * MIB,
            "blocked": policies.blocked_attachments,
            "recipients": policies.recipients_per_message,
            "user_rate": policies.user_messages_per_hour,
            "unit_rate": policies.unit_messages_per_hour,
            "inside_only": policies.external_sending == "province",
            "forward_anywhere": forward == "anywhere",
            "forward_domains": forward if isinstance(forward, tuple) else (),
        }
    )


def _holders(senders: Mapping[str, tuple[str, ...]]) -> str:
    """``login/address`` lines: who may put an address other than their own into From."""
    return _lines(f"{login}/{address}" for address, logins in senders.items() for login in logins if login != address)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in sorted(lines))
