"""The state of a host that only root can read: live trees against their own sums, packet filter, sshd, mail queue."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

TREES = Path("/var/lib/edumail/trees")
MANIFEST, SUMS, COMPRESSED = ".manifest", ".sums", ".gzip"
RESERVED = frozenset({MANIFEST, SUMS, ".access", COMPRESSED, ".stamps"})
COMPILED = {".cdb": "", ".gz": "", ".svbin": ".sieve", ".db": ".csv"}
"""What compiling and compressing add to a release: how the made file ends, and how the one that it is made of does."""
TWIN = ".gz"
"""What nginx serves instead of the file that it is made of: each has its sum, or nobody made it."""
SSHD = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords", "permitrootlogin", "port")


def trees(root: Path = TREES) -> dict[str, dict[str, object]]:
    """For each role: the digest that was recorded good, the one of the live manifest, and what is not as it should be.

    The live manifest's digest is the one that whoever has the same inventory and the same edumail compiles.
    """
    return {folder.name: _tree(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}


def _tree(folder: Path) -> dict[str, object]:
    live = folder / "current"
    active = folder / "active"
    manifest = live / MANIFEST
    return {
        "active": active.read_text(encoding="ascii").strip() if active.exists() else "",
        "live": hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else "",
        "wrong": sorted({*_changed(live), *_strangers(live), *_links(folder)})[:20],
    }


def _changed(live: Path) -> Iterator[str]:
    """What is not as its sum says, or has none: a list that was emptied would call everything good."""
    if not (live / SUMS).exists():
        yield f"{live}: chưa có bản triển khai / no release"
        return
    for name in _names(live / MANIFEST) ^ _names(live / SUMS):
        yield f"{live}/{name}: chỉ có trong một danh sách / in one list alone ({MANIFEST}, {SUMS})"
    for sums in (SUMS, COMPRESSED):
        yield from _against(live, sums)


def _against(live: Path, sums: str) -> Iterator[str]:
    """What differs from the sums of a list. One that is empty, or not there, has none: a tree may have no twins."""
    if not (live / sums).exists() or not (live / sums).stat().st_size:
        return
    command = ["/usr/bin/sha256sum", "--check", "--quiet", "--strict", sums]
    done = subprocess.run(command, cwd=live, capture_output=True, text=True, errors="replace", check=False)
    for line in done.stdout.splitlines():
        yield f"{live}/{line.rpartition(': ')[0]}: đã đổi hoặc mất / changed or gone"
    if done.returncode and not done.stdout:
        yield f"{live}/{sums}: không đối chiếu được / can't be checked: {done.stderr.strip()[-200:]}"


def _names(listing: Path) -> set[str]:
    """The files that a list of digests names."""
    if not listing.exists():
        return set()
    return {line[66:] for line in listing.read_text(encoding="utf-8", errors="replace").splitlines()}


def _strangers(live: Path) -> Iterator[str]:
    """Files that no deploy put there: a daemon may read a whole folder."""
    known, twins = _names(live / MANIFEST), _names(live / COMPRESSED)
    for folder, _, files in os.walk(live):
        for name in files:
            inside = str(Path(folder, name).relative_to(live))
            stem, dot, ending = inside.rpartition(".")
            source = stem + COMPILED.get(dot + ending, "?")
            made = source in known and (dot + ending != TWIN or inside in twins)
            if inside not in known and inside not in RESERVED and not made:
                yield f"{live}/{inside}: không do lần triển khai nào đặt vào / nobody deployed it"


def _links(folder: Path) -> Iterator[str]:
    """The daemons' own paths that do not lead into the live release, or are no copy of what is in it."""
    recorded = folder / "links"
    for line in recorded.read_text(encoding="utf-8").splitlines() if recorded.exists() else ():
        path, inside, *copy = line.split("\t")
        place, target = Path(path), folder / "current" / inside
        if not inside:
            good = not place.exists(follow_symlinks=False)
        elif copy:
            good = place.is_file() and not place.is_symlink() and place.read_bytes() == target.read_bytes()
        else:
            good = place.is_symlink() and place.readlink() == target
        if not good:
            yield f"{path}: không phải bản đã triển khai / is not what was deployed"


def system() -> dict[str, object]:
    """The rules of the packet filter as nftables has them, what sshd would do, and how full the mail queue is."""
    rules = json.loads(_said("/usr/sbin/nft", "-j", "list", "ruleset"))["nftables"]
    words = (line.split(None, 1) for line in _said("/usr/sbin/sshd", "-T").splitlines())
    sshd: dict[str, list[str]] = {}
    for name, *values in words:
        if name in SSHD:
            sshd.setdefault(name, []).extend(values)
    return {"rules": rules, "sshd": sshd, "queue": _queue()}


def _queue() -> dict[str, int]:
    """How many messages wait, and for how many seconds the oldest has. Nothing is said of from whom and to whom."""
    lines = _said("/usr/sbin/postqueue", "-j").splitlines()
    waiting = [json.loads(line) for line in lines if line.strip()]
    oldest = min((message["arrival_time"] for message in waiting), default=int(time.time()))
    return {"messages": len(waiting), "oldest": max(0, int(time.time()) - oldest)}


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
