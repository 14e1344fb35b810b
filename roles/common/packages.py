"""Debian packages as two POSIX shell texts: what is missing, and how to install it however the last run ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

POLICY = "/usr/sbin/policy-rc.d"
"""The file that Debian's packages ask before they start a service (see invoke-rc.d(8))."""

LOCK = "/run/edumail-packages.lock"

LOG = "/run/edumail-packages.log"
"""What apt said last: not to the connection, so that losing it does not stop apt half way."""

LISTS_STAMP = "/var/lib/edumail/package-lists"
"""Its time is that of the last package list update that succeeded."""

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_MARK = "edumail: for one installation"


def checked(packages: Sequence[str]) -> list[str]:
    """The package names, sorted and each once. Raises ValueError for what cannot be one."""
    for name in packages:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a Debian package name: {name!r}")
    return sorted(set(packages))


def state(packages: Sequence[str]) -> str:
    """Tells, one a line, ``missing NAME``, ``half NAME`` (an interrupted dpkg left it so) and ``policy``."""
    names = " ".join(checked(packages))
    return f"""\
export LC_ALL=C
all=$(dpkg-query -W -f '${{db:Status-Status}} ${{Package}}\\n' 2>/dev/null)
for name in {names}; do
  printf '%s\\n' "$all" | grep -qxF "installed $name" || echo "missing $name"
done
printf '%s\\n' "$all" | sed -n 's/^\\(half-[a-z]*\\|unpacked\\|triggers-[a-z]*\\) /half /p'
if [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ]; then echo "half dpkg"; fi
if grep -qsF {shlex.quote(_MARK)} {POLICY}; then echo policy; fi
exit 0"""


def install(packages: Sequence[str], *, preseed: Sequence[str] = (), start_services: bool = False) -> str:
    """Installs what is missing, after it has finished what an interrupted run left half done.

    preseed: lines for debconf-set-selections(1). Without ``start_services`` no package starts its daemon: that would
    run with the distribution's configuration. The package lists are fetched when they are missing, older than a day
    or than the list of sources, or when a package was not found.
    """
    names = " ".join(checked(packages))
    answers = "".join(f"{line}\n" for line in preseed)
    return "\n".join(
        (
            "set -eu",
            "umask 022",
            "export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical",
            f"exec 9>{LOCK}",
            'flock -w 600 9 || { echo "lệnh khác đang cài gói / another command is installing" >&2; exit 75; }',
            _clean_policy(),
            *(() if start_services else (_refuse_starts(),)),
            f"options='{_OPTIONS}'",
            _FUNCTIONS,
            "finish",
            *((f"printf '%s' {shlex.quote(answers)} | debconf-set-selections",) if preseed else ()),
            "fresh=no",
            f'if [ -n "$(find {LISTS_STAMP} -mtime -1 2>/dev/null)" ] &&',
            f'  [ -z "$(find /etc/apt/sources.list /etc/apt/sources.list.d -newer {LISTS_STAMP} 2>/dev/null)" ] &&',
            "  ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then fresh=yes; fi",
            "if [ $fresh = no ]; then update; fi",
            f"if ! quietly apt-get $options install {names}; then",
            "  [ $fresh = yes ] || failed",
            "  update",
            f"  quietly apt-get $options install {names} || failed",
            "fi",
        )
    )


_OPTIONS = (
    "-q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0"
    " -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef"
)

_FUNCTIONS = f"""\
quietly() {{ "$@" > {LOG} 2>&1; }}
failed() {{ tail -n 40 {LOG} >&2; exit 1; }}
finish() {{
  # dpkg itself does not wait for its lock, so this does.
  tries=0
  until said=$(dpkg --force-confold --force-confdef --configure -a 2>&1); do
    tries=$((tries + 1))
    case "$said" in *lock*) ;; *) tries=100 ;; esac
    if [ $tries -ge 100 ]; then printf '%s\\n' "$said" >&2; exit 1; fi
    sleep 3
  done
}}
update() {{
  if quietly apt-get $options -o APT::Update::Error-Mode=any update; then
    mkdir -p "$(dirname {LISTS_STAMP})"
    touch {LISTS_STAMP}
  else
    echo "không tải được danh sách gói, dùng danh sách cũ / package lists not fetched, using the old ones" >&2
  fi
}}"""


def _clean_policy() -> str:
    return f"if grep -qsF {shlex.quote(_MARK)} {POLICY}; then rm -f {POLICY}; fi"


def _refuse_starts() -> str:
    """A policy that refuses only while this script or its apt holds the lock: a leftover of a killed run allows all."""
    policy = f"#!/bin/sh\n# {_MARK}; refuses only while it goes on\nflock -n {LOCK} true && exit 0\nexit 101\n"
    return "\n".join(
        (
            f"if [ ! -e {POLICY} ]; then",
            f"  trap 'rm -f {POLICY}' EXIT",
            "  trap 'exit 1' HUP INT TERM",
            f"  printf '%s' {shlex.quote(policy)} > {POLICY}.edumail",
            f"  chmod 755 {POLICY}.edumail",
            f"  mv -f {POLICY}.edumail {POLICY}",
            "fi",
        )
    )
