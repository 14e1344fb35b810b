"""Compressed twins of a tree's text files, made on the host once for each change, for nginx's ``gzip_static``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from roles.common.archive import COMPRESSED, MADE, MANIFEST

LEAST_BYTES = 1000
"""A file that fits into one packet with its header gains nothing."""


def precompress(folders: Sequence[str], endings: Sequence[str]) -> str:
    """A command for ``compile``: beside each text file under ``folders`` its twin ``.gz``, where that is smaller.

    What the live release has of unchanged files is linked, so that the work goes by what changed; twins that are not
    as they were made are not trusted, and all are made anew. The same file gives the same twin: gzip writes neither
    name nor time into it. The twin gets the file's time, which web servers show as that of the page.
    """
    wanted = f"^({'|'.join(folders)})/.*[.]({'|'.join(endings)})$"
    return "\n".join(
        (
            "set -eu; umask 022; export LC_ALL=C; cd -P -- {tree}; new=$PWD",
            "work=$(mktemp -d); trap 'rm -rf -- \"$work\"' EXIT",
            f"made={COMPRESSED}",
            # Not that each unpacks to its page: for those of a province that takes long, and audits do it (11.3.3). But
            # a list that was edited along with a twin is no longer the one that was noted.
            "regular() { ! cut -c 67- \"$1\" | xargs -r -d '\\n' stat -c %f -- 2>/dev/null | grep -qv '^8'; }",
            f'sound() {{ [ -s "$1/$made" ] && (cd -- "$1" && for list in {MADE} "$made"; do',
            '  [ ! -s "$list" ] || { regular "$list" && sha256sum --check --quiet --status "$list"; } || exit 1',
            "done); }",
            'if sound "$new"; then exit 0; fi',
            f"rm -f -- {COMPRESSED}",
            f'cut -c 67- {MANIFEST} | grep -E {shlex.quote(wanted)} | sort > "$work/wanted" || :',
            'live=$(cd -P -- "$trees/current" 2>/dev/null && pwd) || live=',
            'if [ -n "$live" ] && [ "$live" != "$new" ] && sound "$live"; then',
            f'  sort -- "$live/{MANIFEST}" > "$work/before"',
            f'  sort -- {MANIFEST} | comm -12 "$work/before" - | cut -c 67- | sort > "$work/same"',
            # The live release tried what is the same; where it has no twin, one would be no smaller.
            '  comm -23 "$work/wanted" "$work/same" > "$work/changed"',
            f'  cut -c 67- "$live/{COMPRESSED}" | sed \'s/[.]gz$//\' | sort | comm -12 - "$work/same" |',
            "    sed 's/$/.gz/' > \"$work/linked\"",
            '  (cd -- "$live" && xargs -r -d \'\\n\' cp -l -f -p --parents -t "$new" -- < "$work/linked")',
            "else",
            '  : > "$work/linked"; cp -- "$work/wanted" "$work/changed"',
            "fi",
            "xargs -r -d '\\n' stat -c '%s %n' -- < \"$work/changed\" |",
            f'  awk \'$1 > {LEAST_BYTES} {{ sub(/^[0-9]+ /, ""); print }}\' > "$work/large"',
            'xargs -r -d \'\\n\' -n 500 -P "$(nproc)" gzip -9 -n -k -f -- < "$work/large"',
            'sed \'s/$/.gz/\' "$work/large" > "$work/made"',
            'xargs -r -d \'\\n\' stat -c %s -- < "$work/large" > "$work/sizes"',
            "xargs -r -d '\\n' stat -c '%s %n' -- < \"$work/made\" | paste -d ' ' \"$work/sizes\" - |",
            '  awk \'$2 >= $1 { sub(/^[0-9]+ [0-9]+ /, ""); print }\' > "$work/useless"',
            "xargs -r -d '\\n' rm -f -- < \"$work/useless\"",
            'sort "$work/useless" > "$work/gone"; sort "$work/made" | comm -23 - "$work/gone" > "$work/kept"',
            f"xargs -r -d '\\n' sha256sum -- < \"$work/kept\" > {COMPRESSED}.new",
            # What is linked was found sound a moment ago.
            '[ ! -s "$work/linked" ] || awk \'NR == FNR { linked[$0]; next } substr($0, 67) in linked\' "$work/linked"'
            f' "$live/{COMPRESSED}" >> {COMPRESSED}.new',
            f"mv -f -- {COMPRESSED}.new {COMPRESSED}",
        )
    )
