"""What runs on a host to publish a tree, as POSIX shell text: pure functions, so that tests can run it anywhere.

On the host, for each role::

    /var/lib/edumail/trees/<role>/releases/<id>/   the files, with .manifest, .sums, .access, what `compile` made
    /var/lib/edumail/trees/<role>/staged           -> releases/<id>: what should be live
    /var/lib/edumail/trees/<role>/current          -> releases/<id>: what is live; the daemons' own paths lead here
    /var/lib/edumail/trees/<role>/previous         -> releases/<id>: the last good one before it
    /var/lib/edumail/trees/<role>/active           the digest that was checked, switched to, reloaded and probed
    /var/lib/edumail/trees/<role>/links            the daemons' paths that lead into `current`, or are copies of it
    /var/lib/edumail/distribution/<path>           what the distribution had at a path that now leads into a tree

A release is never written to once it has its name (only `compile` adds to it), so a file shared with an older release
by a hard link is never changed through it. A role is *pending* while `active` is not the wanted digest: there is no
flag to forget, and a run killed anywhere is finished by the next.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from roles.common.archive import ACCESS, COMPRESSED, COMPRESSED_STAMPS, MADE, MANIFEST, STAMPS, SUMS

ROOT = "/var/lib/edumail"
"""Where a host keeps everything this project puts there."""

COPIES = ("/etc/nftables.conf", "/etc/postfix/", "/etc/sysctl.d/", "/etc/systemd/", "/etc/sysusers.d/")
"""Paths that get a copy, not a link: what is read at boot before other file systems than the root are mounted (a host
with a /var of its own would boot without firewall and drop-ins), and Postfix's, which takes a link for a file that
everybody may write to, and warns. Everybody may read a copy: systemd asks for that, and trees hold no secrets."""

COMMAND_SECONDS = 300
"""How long one compile, check or reload command may take."""

_NEWLINE = "\n"
_ROLE = re.compile(r"[a-z][a-z0-9-]*")

# Every script of a role holds this lock: the commands of a run whose connection broke go on for a while, and the
# next run must not meet them half way.
_LOCKED = """\
exec 9>"$trees/.lock"
flock -w 300 9 || fail "một lệnh khác đang thay đổi $trees / another command is changing $trees" """

_FUNCTIONS = (
    """\
fail() { printf '%s\\n' "$role: $*" >&2; exit 1; }
target() { [ ! -L "$trees/$1" ] || basename -- "$(readlink -- "$trees/$1")"; }
point() {
  rm -f -- "$trees/.new-$1"
  ln -s -- "releases/$2" "$trees/.new-$1"
  mv -fT -- "$trees/.new-$1" "$trees/$1"
  sync -- "$trees"
}
digest_of() { [ ! -f "$1" ] || sha256sum < "$1" | cut -c 1-64; }
stamps() {
  (cd -- "$1" && cut -c 67- "$2" | xargs -r -d '\\n' stat -c '%n %i %s %.9Y' -- 2>/dev/null | sha256sum | cut -c 1-64)
}
regular() {
  # sha256sum follows links; audits do not, since what they lead to may change afterwards.
  ! (cd -- "$1" && cut -c 67- "$2" | xargs -r -d '\\n' stat -c %f -- 2>/dev/null | grep -qv '^8')
}
unchanged() {
  [ -s "$1/$2" ] || return 0
  # To read the pages of a province takes long: once a day, and when something is not as it was.
  seen=$(stamps "$1" "$2")
  [ -z "$(find "$1/$3" -mtime -1 2>/dev/null)" ] || [ "$(cat "$1/$3")" != "$seen" ] || return 0
  regular "$1" "$2" && (cd -- "$1" && sha256sum --check --quiet --status "$2" 2>/dev/null) || return 1
  printf '%s\\n' "$seen" 2>/dev/null > "$1/$3.new" && mv -f -- "$1/$3.new" "$1/$3" || :
}
sound() { [ -f "$1/MANIFEST" ] && [ -f "$1/SUMS" ] && unchanged "$1" SUMS STAMPS; }
made() {
  # One that an older edumail compiled has no such list: nobody knows what was compiled then.
  [ -f "$1/MADE" ] || return 1
  [ ! -s "$1/MADE" ] ||
    (regular "$1" MADE && cd -- "$1" && sha256sum --check --quiet --status MADE 2>/dev/null) || return 1
  unchanged "$1" TWINS TWIN_STAMPS
}
is_copy() { [ ! -L "$2" ] && [ "$(stat -c %a -- "$2" 2>/dev/null)" = 644 ] && cmp -s -- "$1" "$2"; }
prune() {
  rm -rf -- "$trees/.staging"
  keep=" $(target staged) $(target current) $(target previous) "
  for release in "$trees"/releases/*; do
    [ -d "$release" ] || continue
    case "$keep" in *" ${release##*/} "*) ;; *) rm -rf -- "$release" ;; esac
  done
}""".replace("MANIFEST", MANIFEST)
    .replace("SUMS", SUMS)
    .replace("TWIN_STAMPS", COMPRESSED_STAMPS)
    .replace("TWINS", COMPRESSED)
    .replace("STAMPS", STAMPS)
    .replace("MADE", MADE)
)


def trees_path(role: str, root: str = ROOT) -> str:
    """Where the releases and marks of ``role`` live on a host. Raises ValueError for an impossible role name."""
    if not _ROLE.fullmatch(role):
        raise ValueError(f"not a role name: {role!r}")
    return f"{root}/trees/{role}"


def access_line(owner: str, group: str, *, world_readable: bool) -> str:
    """What a release remembers of who may read it."""
    modes = "2755 0644" if world_readable else "2750 0640"
    return f"{owner}:{group} {modes}"


def staged_state(role: str, digest: str, access: str, root: str = ROOT) -> str:
    """Tells, in lines ``key value``, what staging ``digest`` needs: changes nothing but a note of what it has read, and
    never fails.

    ``staged ID``: the staged release. ``release ID``: a sound release of that digest and access.
    Only when there is none, ``base ID``: a sound release to build upon.
    """
    return "\n".join(
        (
            *_head(role, root),
            "export LC_ALL=C",
            _FUNCTIONS,
            f"wanted={shlex.quote(digest)} access={shlex.quote(access)}",
            'fits() { [ -n "$1" ] && [ "$(cat "$trees/releases/$1/'
            + ACCESS
            + '" 2>/dev/null)" = "$access" ] && sound "$trees/releases/$1"; }',
            "staged=$(target staged)",
            'echo "staged $staged"',
            'for id in "$staged" $(ls "$trees/releases" 2>/dev/null); do',
            f'  if [ "$(digest_of "$trees/releases/$id/{MANIFEST}")" = "$wanted" ] && fits "$id"; then',
            '    echo "release $id"',
            "    exit 0",
            "  fi",
            "done",
            'for id in "$staged" "$(target current)"; do',
            '  if fits "$id"; then',
            '    echo "base $id"',
            "    exit 0",
            "  fi",
            "done",
            "exit 0",
        )
    )


def active_state(
    role: str, links: Mapping[str, str | None], unit: str | None, *, compiled: bool, root: str = ROOT
) -> str:
    """Tells, in lines ``key value``, what is live: changes nothing but such a note, and never fails.

    ``active DIGEST`` as recorded; ``current DIGEST`` of the release that is live, only when it is the staged one and
    none of its files, nor of what was ``compiled`` of them, was changed by hand; ``links right`` or ``links wrong``;
    ``unit running`` or ``unit stopped``.
    """
    lines = [
        *_head(role, root),
        "export LC_ALL=C",
        _FUNCTIONS,
        'echo "active $(cat "$trees/active" 2>/dev/null)"',
        'if [ "$(target staged)" = "$(target current)" ] && sound "$trees/current"'
        + (' && made "$trees/current"; then' if compiled else "; then"),
        f'  echo "current $(digest_of "$trees/current/{MANIFEST}")"',
        "fi",
        f"recorded={shlex.quote(_NEWLINE.join(_link_lines(links)))} links=right",
        '[ "$(cat "$trees/links" 2>/dev/null)" = "$recorded" ] || links=wrong',
    ]
    for path, inside in sorted(links.items()):
        quoted = shlex.quote(path)
        if inside is None:
            lines.append(f"if [ -e {quoted} ] || [ -L {quoted} ]; then links=wrong; fi")
            continue
        target = shlex.quote(f"{trees_path(role, root)}/current/{inside}")
        if path.startswith(COPIES):
            lines.append(f"is_copy {target} {quoted} || links=wrong")
        else:
            lines.append(f'[ "$(readlink -- {quoted} 2>/dev/null)" = {target} ] || links=wrong')
    lines.append('echo "links $links"')
    if unit:
        quoted = shlex.quote(unit)
        lines += [
            "unit=running",
            f"systemctl is-active --quiet {quoted} 2>/dev/null || unit=stopped",
            f'case "$(systemctl is-enabled {quoted} 2>/dev/null)" in disabled|masked*|"") unit=stopped ;; esac',
            'echo "unit $unit"',
        ]
    return "\n".join([*lines, "exit 0"])


def stage(role: str, digest: str, access: str, *, base: str | None, archive_sha256: str, root: str = ROOT) -> str:
    """Makes a release from the archive on standard input (base64) and from release ``base``, and stages it.

    What the manifests of both have in common comes from ``base`` by hard link, the rest from the archive. Nothing
    is staged unless the archive arrived whole and every file of the manifest is there.
    """
    owner, directory_mode, _file_mode = access.split(" ")
    user, _, group = owner.partition(":")
    lines = [
        "set -eu",
        "umask 077",
        "export LC_ALL=C",
        *_head(role, root),
        _FUNCTIONS,
        'install -d -m 0755 -- "$root" "$root/trees" "$trees" "$trees/releases"',
        _LOCKED,
        'work="$trees/.staging"',
        'rm -rf -- "$work"',
        'mkdir -m 0700 -- "$work" "$work/tree"',
        'base64 -d > "$work/archive" || fail "tải lên bị cắt / the upload was cut short"',
        f'[ "$(digest_of "$work/archive")" = {archive_sha256} ] || fail "tải lên bị cắt / the upload was cut short"',
        # With the time of arrival: what web servers and browsers compare is the time at which a file became new here.
        'tar -x -m -p -z --no-same-owner -f "$work/archive" -C "$work/tree"',
        'rm -f -- "$work/archive"',
        f'[ "$(digest_of "$work/tree/{MANIFEST}")" = {shlex.quote(digest)} ] || fail "sai danh mục / wrong manifest"',
    ]
    if base is not None:
        lines += [
            # It was sound when that was asked; what is taken over from it has to be so now.
            f'sound "$trees/releases/{base}" || fail "{base} vừa bị sửa / was edited meanwhile: deploy again"',
            f'sort -- "$trees/releases/{base}/{MANIFEST}" > "$work/before"',
            f'sort -- "$work/tree/{MANIFEST}" > "$work/after"',
            'comm -12 "$work/before" "$work/after" | cut -c 67- > "$work/same"',
            f'cd -- "$trees/releases/{base}"',
            'xargs -r -d \'\\n\' cp -l -p --parents -t "$work/tree" -- < "$work/same"',
            f'awk \'NR == FNR {{ same[$0]; next }} substr($0, 67) in same\' "$work/same" {SUMS} > "$work/tree/{SUMS}"',
            'comm -13 "$work/before" "$work/after" | cut -c 67- > "$work/new"',
        ]
    else:
        lines.append(f'cut -c 67- "$work/tree/{MANIFEST}" > "$work/new"')
    lines += [
        'cd -- "$work/tree"',
        f'xargs -r -d \'\\n\' sha256sum -- < "$work/new" >> {SUMS} || fail "thiếu tệp / files are missing"',
        f'[ "$(wc -l < {SUMS})" = "$(wc -l < {MANIFEST})" ] || fail "thiếu tệp / files are missing"',
        f"printf '%s\\n' {shlex.quote(access)} > {ACCESS}",
        # Those that are linked have both already, and to write them anew for all pages of a province takes long.
        f"find . ! '(' -user {shlex.quote(user)} -group {shlex.quote(group)} ')'"
        f" -exec chown -h -- {shlex.quote(owner)} {{}} +",
        f"find . -type d ! -perm {directory_mode} -exec chmod {directory_mode} {{}} +",
        f"stamps . {SUMS} > {STAMPS}",
        'cd -- "$trees"',
        'sync -f -- "$work/tree"',
        f"id={digest[:16]} n=0",
        'while [ -e "$trees/releases/$id" ]; do',  # a damaged release of the same digest may still be live
        "  n=$((n + 1))",
        f"  id={digest[:16]}.$n",
        "done",
        'mv -T -- "$work/tree" "$trees/releases/$id"',
        'sync -- "$trees/releases"',
        'point staged "$id"',
        "prune",
    ]
    return "\n".join(lines)


def stage_again(role: str, release: str, root: str = ROOT) -> str:
    """Stages a release that the host still has."""
    return "\n".join(
        ("set -eu", *_head(role, root), _FUNCTIONS, _LOCKED, f"point staged {shlex.quote(release)}", "prune")
    )


def judge(role: str, digest: str, *, compile: Sequence[str] = (), check: Sequence[str] = (), root: str = ROOT) -> str:
    """Lets the daemon's own checkers judge the staged release, and leaves what is live alone: how ``activate`` begins.

    ``{tree}`` in a command stands for the staged release's path, quoted.
    """
    return "\n".join(_judging(role, digest, compile, check, root))


def activate(
    role: str,
    digest: str,
    *,
    links: Mapping[str, str | None],
    compile: Sequence[str] = (),
    check: Sequence[str] = (),
    unit: str | None = None,
    reload: str | None = None,
    restart_on: Sequence[str] = (),
    probe: Sequence[str] = (),
    probe_seconds: int = 20,
    root: str = ROOT,
) -> str:
    """Makes the staged release live, or says why not and leaves the last good one live.

    ``{tree}`` in a command stands for the staged release's path, quoted.
    """
    trees = trees_path(role, root)
    lines = [
        *_judging(role, digest, compile, check, root),
        f"unit={shlex.quote(unit or '')} reload={_command(reload or '', trees)}",
        _SWITCH_FUNCTIONS,
        ': > "$trees/.links"',
        *(f"printf '%s\\n' {shlex.quote(line)} >> \"$trees/.links\"" for line in _link_lines(links)),
        'touch -- "$trees/links"',
        'sync -f -- "$trees/releases/$new"',
        # The live release is good only if it is the one that was recorded after its probes.
        "good= current=$(target current)",
        'active=$(cat "$trees/active" 2>/dev/null || :)',
        f'if [ -n "$active" ] && [ "$(digest_of "$trees/current/{MANIFEST}")" = "$active" ]; then',
        "  good=$current",
        '  [ "$good" = "$new" ] || point previous "$good"',
        "else",
        "  good=$(target previous)",
        "fi",
        'if [ "$active" = "$wanted" ]; then rm -f -- "$trees/active"; fi',
        "restart=no",
    ]
    for path in restart_on:
        lines.append(f"differs {shlex.quote(path)} && restart=yes")
    lines += [
        'point current "$new"',
        'relink "$trees/.links" "$trees/links" || back "không tạo được liên kết / could not make the links"',
        *(["systemctl daemon-reload"] if any(path.startswith("/etc/systemd/") for path in links) else []),
        *(
            [f"systemctl enable --quiet {shlex.quote(unit)} || back 'không bật được / could not enable'"]
            if unit
            else []
        ),
        'load "$restart" || back "không nạp được cấu hình mới / could not load the new configuration"',
    ]
    for command in probe:
        lines.append(f'answers {probe_seconds} {_command(command, trees)} || back "thăm dò hỏng / a probe failed"')
    lines += [
        'mv -fT -- "$trees/.links" "$trees/links"',
        'printf \'%s\\n\' "$wanted" > "$trees/.active"',
        'sync -- "$trees/.active"',
        'mv -fT -- "$trees/.active" "$trees/active"',
        'sync -- "$trees"',
        "prune",
    ]
    return "\n".join(lines)


def present(role: str, root: str = ROOT) -> str:
    """Says something where a host has a tree of ``role``, or what is left of one; changes nothing, and never fails."""
    return f"[ ! -d {shlex.quote(trees_path(role, root))} ] || echo present"


def remove(role: str, unit: str, root: str = ROOT) -> str:
    """Takes a role off a host: stops and disables its ``unit``, takes back its links, and then its tree.

    The tree goes last, so that a run killed anywhere is finished by the next. Packages and keys stay.
    """
    quoted = shlex.quote(unit)
    return "\n".join(
        (
            "set -eu",
            *_head(role, root),
            _FUNCTIONS,
            _LOCKED,
            _SWITCH_FUNCTIONS,
            # Somebody may have purged its package.
            f"if systemctl cat {quoted} >/dev/null 2>&1; then",
            f"  systemctl disable --quiet --now {quoted} || fail 'không dừng được / could not stop {unit}'",
            "fi",
            ': > "$trees/.links"',
            'touch -- "$trees/links"',
            # A copy that somebody has edited is ours all the same, where the distribution has no such file.
            "tab=$(printf '\\t')",
            'while IFS="$tab" read -r path inside copy; do',
            '  [ -z "$copy" ] || [ -e "$root/distribution$path" ] || rm -f -- "$path"',
            'done < "$trees/links"',
            'relink "$trees/.links" "$trees/links" || fail "không gỡ được liên kết / could not take back the links"',
            "systemctl daemon-reload",
            'rm -rf -- "$trees"',
        )
    )


_ATTEMPT = r"""
attempt() {
  # The lock is not for what a command leaves running.
  if ! said=$(timeout -k 10 "$limit" sh -c "$2" 2>&1 </dev/null 9>&-); then
    printf '%s\n' "$said" >&2
    fail "$1 không đạt, bản đang chạy giữ nguyên / refused, what is live stays as it was: $2"
  fi
}"""

# Of twins their list is noted, which they were just held against (gzip.py): those of a province's pages are too many to
# be read in each deploy.
_NOTE_MADE = f"""\
(cd -- "$trees/releases/$new" &&
  find . -type f ! -name '*.gz' '(' ! -name '.*' -o -path ./{COMPRESSED} ')' | cut -c 3- |
  awk 'NR == FNR {{ known[substr($0, 67)]; next }} !($0 in known)' {MANIFEST} - |
  xargs -r -d '\\n' sha256sum -- > {MADE}.new && mv -f -- {MADE}.new {MADE} &&
  if [ -s {COMPRESSED} ]; then stamps . {COMPRESSED} > {COMPRESSED_STAMPS}; fi)"""

_SWITCH_FUNCTIONS = r"""
differs() {
  for old in "$current" "$good"; do
    [ -n "$old" ] || continue
    diff -rq -- "$trees/releases/$old/$1" "$trees/releases/$new/$1" >/dev/null 2>&1 || return 0
  done
  return 1
}
keep_original() {
  kept="$root/distribution$1"
  diff -rq --no-dereference -- "$1" "$kept" >/dev/null 2>&1 && return 0
  mkdir -p -- "$(dirname -- "$kept")" && rm -rf -- "$kept.new" && cp -a -- "$1" "$kept.new" &&
    mv -T --backup=numbered -- "$kept.new" "$kept"
}
is_ours() {
  case "$(readlink -- "$1" || :)" in "$trees"/current/*) return 0 ;; esac
  for release in "$trees"/releases/*; do
    [ ! -f "$release/$2" ] || ! cmp -s -- "$release/$2" "$1" || return 0
  done
  return 1
}
away() {
  ! is_ours "$1" "$2" || return 0
  if [ -e "$1" ] || [ -L "$1" ]; then keep_original "$1" || return 1; fi
  if [ -d "$1" ] && [ ! -L "$1" ]; then rm -rf -- "$1"; fi
}
relink() {
  tab=$(printf '\t')
  while IFS="$tab" read -r path inside copy; do
    if [ -z "$inside" ]; then
      away "$path" . && rm -f -- "$path" || return 1
      continue
    fi
    if [ -n "$copy" ]; then
      if is_copy "$trees/current/$inside" "$path"; then continue; fi
    elif [ "$(readlink -- "$path" || :)" = "$trees/current/$inside" ]; then continue; fi
    folder=$(dirname -- "$path")
    # A name with a dot before it: no daemon's wildcard may read it should this run die here.
    new_link="$folder/.${path##*/}.edumail"
    [ -d "$folder" ] || (umask 022 && mkdir -p -- "$folder") || return 1
    rm -f -- "$new_link"
    if [ -n "$copy" ]; then
      install -m 0644 -- "$trees/current/$inside" "$new_link" && sync -- "$new_link" || return 1
    else
      ln -s -- "$trees/current/$inside" "$new_link" || return 1
    fi
    away "$path" "$inside" && mv -fT -- "$new_link" "$path" || return 1
  done < "$1"
  while IFS="$tab" read -r path inside copy; do
    ! cut -f 1 -- "$1" | grep -qxF -e "$path" || continue
    if is_ours "$path" "$inside"; then rm -f -- "$path"; fi
    if [ ! -e "$path" ] && [ -e "$root/distribution$path" ]; then cp -a -- "$root/distribution$path" "$path"; fi
  done < "$2"
}
load() {
  if [ -z "$unit" ]; then
    [ -z "$reload" ] || timeout -k 10 "$limit" sh -c "$reload" </dev/null 9>&- || return 1
    return 0
  fi
  if [ "$1" = no ] && systemctl is-active --quiet "$unit"; then
    if timeout -k 10 "$limit" sh -c "${reload:-systemctl reload-or-restart '$unit'}" </dev/null 9>&-; then return 0; fi
  fi
  systemctl reset-failed "$unit" 2>/dev/null || :
  systemctl restart "$unit" && return 0
  journalctl --no-pager --quiet -n 20 -u "$unit" >&2 2>/dev/null || :
  return 1
}
answers() {
  until_second=$(($(date +%s) + $1))
  until said=$(timeout -k 1 "$1" sh -c "$2" 2>&1 </dev/null 9>&-); do
    if [ "$(date +%s)" -ge "$until_second" ]; then
      printf '%s\n' "$2: $said" >&2
      return 1
    fi
    sleep 0.3
  done
}
back() {
  if [ -z "$good" ] || [ "$good" = "$new" ]; then
    fail "$1; không có bản trước để quay lại / there is no earlier release to go back to"
  fi
  point current "$good"
  cp -- "$trees/links" "$trees/.links-back"
  relink "$trees/.links-back" "$trees/.links" || :
  rm -f -- "$trees/.links-back"
  if grep -q '^/etc/systemd/' "$trees/links" "$trees/.links"; then systemctl daemon-reload || :; fi
  if load "$restart"; then
    fail "$1; đã quay lại bản trước / went back to the release before"
  fi
  fail "$1; quay lại bản trước cũng không chạy / the release before does not start either"
}"""


def _judging(role: str, digest: str, compile: Sequence[str], check: Sequence[str], root: str) -> list[str]:
    trees = trees_path(role, root)
    return [
        "set -eu",
        "umask 027",
        *_head(role, root),
        _FUNCTIONS,
        _LOCKED,
        f"wanted={shlex.quote(digest)}",
        f"export root role trees; limit={COMMAND_SECONDS}",
        _ATTEMPT,
        "new=$(target staged)",
        f'[ -n "$new" ] && [ "$(digest_of "$trees/releases/$new/{MANIFEST}")" = "$wanted" ] ||',
        '  fail "bản chờ không phải bản mong muốn / the staged release is not the wanted one"',
        # What somebody put a link in the place of would be compiled into what that leads to.
        *(['find "$trees/releases/$new/" -type l -exec rm -f -- {} +'] if compile else []),
        *(f'attempt "biên dịch / compile" {_command(command, trees)}' for command in compile),
        *([_NOTE_MADE] if compile else []),
        *(f'attempt "kiểm tra / check" {_command(command, trees)}' for command in check),
    ]


def _head(role: str, root: str) -> tuple[str, str]:
    trees = trees_path(role, root)
    return f"role={shlex.quote(role)} root={shlex.quote(root)}", f"trees={shlex.quote(trees)}"


def _with_tree(command: str, trees: str) -> str:
    return command.replace("{tree}", shlex.quote(f"{trees}/staged"))


def _command(command: str, trees: str) -> str:
    return shlex.quote(_with_tree(command, trees))


def _link_lines(links: Mapping[str, str | None]) -> list[str]:
    """One line a link, ``host path, tab, path in the tree``; no path in the tree: nothing may be there.

    A third field says that the path gets a copy.
    """
    lines = []
    for path, inside in sorted(links.items()):
        parts = path.split("/")
        if parts[0] or len(parts) < 2 or any(part in ("", ".", "..") for part in parts[1:]) or {"\n", "\t"} & set(path):
            raise ValueError(f"not a path on a host: {path!r}")
        if inside is not None and (not inside or inside.startswith("/") or {"\n", "\t"} & set(inside)):
            raise ValueError(f"not a path inside a tree: {inside!r}")
        lines.append(f"{path}\t{inside or ''}" + ("\tcopy" if inside and path.startswith(COPIES) else ""))
    return lines
