"""The state of a host that only root can read: live trees, packet filter, sshd, mail queue."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edumail_made

TREES = Path("/var/lib/edumail/trees")
LOCK = Path("/run/edumail-deploy.lock")
"""What a deploy holds as long as it works on the host (flock(2))."""
PROVINCE = Path(__file__).resolve().with_name("province.json")
"""``domains`` of the province."""
MANIFEST = ".manifest"
"""A release's list of files, with the digests of ``edumail/tree.py``; the auditor knows the digest of the list."""
RESERVED = frozenset({MANIFEST, ".sums", ".access", ".gzip", ".stamps", ".gzip-stamps", ".made"})
"""What a deploy notes beside the files."""
SSHD = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords", "permitrootlogin", "port")


def trees(root: Path = TREES, lock: Path = LOCK) -> dict[str, object]:
    """For each of the roles: the digest recorded good, that of the live manifest, and what is not as it should be.

    The live manifest's digest is the one that whoever has the same inventory and the same edumail compiles, so files
    are held against that list, and what was made of them against themselves; no other list of the host is believed. And
    whether a deploy worked on the host while they were read, which takes minutes where there are many pages.
    """
    began = int(time.time())
    before = _held(lock)
    roles = {folder.name: _tree(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
    # Whoever takes the lock writes into it who they are.
    return {"roles": roles, "deploying": before or (lock.exists() and lock.stat().st_mtime >= began)}


def _held(lock: Path) -> bool:
    """Whether a deploy that lives holds the lock; of one that died the kernel has taken it away.

    It is not tried, or a deploy that begins just then would be refused. Not /proc/locks either: flock(1), which took
    the lock, has ended, and in a container the list leaves out the locks of processes that are no more.
    """
    path = lock.resolve()
    return any(" FLOCK " in told for process in Path("/proc").glob("[0-9]*") for told in _descriptors(process, path))


def _descriptors(process: Path, path: Path) -> Iterator[str]:
    """What the kernel tells of each descriptor by which a process has a file open; a lock on it is among that."""
    names: list[str] = []
    with contextlib.suppress(OSError):  # the process has ended meanwhile
        names = os.listdir(process / "fd")  # noqa: PTH208 - the names alone
    for name in names:
        with contextlib.suppress(OSError):
            if (process / "fd" / name).readlink() == path:
                yield (process / "fdinfo" / name).read_text(encoding="ascii")


def _tree(folder: Path) -> dict[str, object]:
    live = folder / "current"
    active = folder / "active"
    manifest = live / MANIFEST
    return {
        "active": active.read_text(encoding="ascii").strip() if active.exists() else "",
        "live": hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else "",
        "wrong": sorted({*_files(live, folder.name), *_links(folder)})[:20],
    }


def _files(live: Path, role: str) -> Iterator[str]:
    """What is not as the manifest says, and what is there beside that: a daemon may read a whole folder."""
    if not (live / MANIFEST).exists():
        yield f"{live}: chưa có bản triển khai / no release"
        return
    listed = (live / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines()
    known = {line[66:]: line[:64] for line in listed}
    for name, digest in known.items():
        if _digest(live / name) != digest:
            yield f"{live}/{name}: đã đổi hoặc mất / changed or gone"
    yield from edumail_made.wrong(live, role, known, set(_present(live)) - known.keys() - RESERVED)


def _digest(path: Path) -> str:
    """As ``edumail/tree.py`` has it: of content, and of whether the host may execute it; none of what is no file."""
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            return ""
        whole = hashlib.sha256(b"x" if mode & stat.S_IXUSR else b"-")
        whole.update(path.read_bytes())
    except OSError:
        return ""
    return whole.hexdigest()


def _present(live: Path) -> Iterator[str]:
    """All names below a release that are no folders."""
    for folder, folders, files in os.walk(live):
        links = (name for name in folders if Path(folder, name).is_symlink())
        yield from (str(Path(folder, name).relative_to(live)) for name in (*files, *links))


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


def _queue() -> dict[str, dict[str, int]]:
    """How many messages wait, and for how many seconds the oldest has: of all, and of those to the province's domains.

    Nothing else is said of from whom and to whom.
    """
    lines = _said("/usr/sbin/postqueue", "-j").splitlines()
    waiting = [json.loads(line) for line in lines if line.strip()]
    domains = frozenset(json.loads(PROVINCE.read_text(encoding="utf-8"))["domains"])
    now = int(time.time())

    def told(messages: list[dict[str, Any]]) -> dict[str, int]:
        oldest = min((message["arrival_time"] for message in messages), default=now)
        return {"messages": len(messages), "oldest": max(0, now - oldest)}

    return {"all": told(waiting), "inside": told([message for message in waiting if _inside(message, domains)])}


def _inside(message: dict[str, Any], domains: frozenset[str]) -> bool:
    """Whether somebody in the province still lacks the message."""
    recipients = (recipient["address"] for recipient in message.get("recipients", ()))
    return any(address.rpartition("@")[2].lower() in domains for address in recipients)


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
