"""Rspamd's own files over the distribution's: who signs, what is checked, and nothing that asks the outside world."""

from __future__ import annotations

from collections.abc import Mapping

from edumail.mail import HostMail
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import DKIM_KEY, live

# These fetch lists from, or send digests to, their makers; and greylisting would keep a Ministry waiting (5.1).
_OFF = (
    "asn",
    "bimi",
    "fuzzy_check",
    "greylist",
    "known_senders",
    "mid",
    "mime_types",
    "multimap",
    "phishing",
    "rbl",
    "spamassassin",
    "whitelist",
)
_FILES = (
    "dkim_signing",
    "groups",
    "logging",
    "milter_headers",
    "options",
    "redis",
    "worker-controller",
    "worker-proxy",
)
_ENDINGS = {"logging": "inc", "options": "inc", "worker-controller": "inc", "worker-proxy": "inc"}


def tree(mail: HostMail) -> Tree:
    """Rspamd's local files for the host of ``mail``, laid out as its LOCAL_CONFDIR."""
    files: dict[str, str] = {}
    for name in _FILES:
        file = f"{name}.{_ENDINGS.get(name, 'conf')}"
        files[f"local.d/{file}"] = render(
            f"rspamd/etc/rspamd/local.d/{file}.j2", host=mail.host, dkim_key=DKIM_KEY, live=live("rspamd")
        )
    for module in _OFF:
        files[f"local.d/{module}.conf"] = "enabled = false;\n"
    files["rspamd.local.lua"] = render("rspamd/etc/rspamd/rspamd.local.lua.j2", live=live("rspamd"))
    files["holders.map"] = _holders(mail.senders)
    return Tree.of(files)


def _holders(senders: Mapping[str, tuple[str, ...]]) -> str:
    """``login/address`` lines: who may put an address other than their own into From."""
    pairs = {f"{login}/{address}" for address, logins in senders.items() for login in logins if login != address}
    return "".join(f"{pair}\n" for pair in sorted(pairs))
