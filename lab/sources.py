"""Where the machine itself gets Debian from: found out when the lab starts, never written down in the project."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import state
from lab.text import LabError, Text, run

RELEASE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_HELPER = "/usr/lib/apt/apt-helper"
_SUITE = re.compile(
    r"(?:bullseye|bookworm|trixie|forky|sid|unstable|oldoldstable|oldstable|stable|testing)(|-updates|-security)"
)


@dataclass(frozen=True)
class Source:
    """One Debian archive: the key under which the lab serves it, its address, and the lab's suites in it."""

    key: str
    uri: str
    suites: tuple[str, ...]


def ours(listing: str) -> list[tuple[str, str]]:
    """Return (address, suite of the lab's release) for each Debian-like line of ``apt-get --print-uris update``.

    Lines are ``'address/dists/suite/InRelease' …``. A suite of any Debian release counts: the machine's need not be the
    lab's.
    """
    found: dict[tuple[str, str], None] = {}
    for uri, suite in re.findall(r"^'(https?://\S+?)/+dists/(\S+)/InRelease'", listing, re.MULTILINE):
        match = _SUITE.fullmatch(suite)
        if match:
            found[uri, RELEASE + match[1]] = None
    return list(found)


def name_sources(pairs: list[tuple[str, str]]) -> tuple[Source, ...]:
    """Group (address, suite) pairs by address and give each address a short unique key."""
    suites: dict[str, list[str]] = {}
    for uri, suite in pairs:
        suites.setdefault(uri, []).append(suite)
    sources: list[Source] = []
    for uri, names in suites.items():
        base = re.sub(r"[^a-z0-9-]", "", uri.rsplit("/", 1)[-1].lower()) or "debian"
        key = base if base not in {source.key for source in sources} else f"{base}-{len(sources)}"
        sources.append(Source(key, uri, tuple(names)))
    return tuple(sources)


def acquire_options() -> dict[str, str]:
    """Return the machine's own settings about the age of package lists (a mirror kept at a date needs them)."""
    dump = run(["apt-config", "dump"], Text("Đọc cấu hình apt", "Read apt's configuration"))
    return dict(re.findall(r'^(Acquire::(?:Check-Valid-Until|Check-Date)) "(\w+)";$', dump, re.MULTILINE))


def fetch(uri: str, target: Path) -> str | None:
    """Download ``uri`` to ``target`` as the machine's apt would (its proxy, certificates, passwords).

    Returns None when it worked, else apt's message.
    """
    options = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30"]
    done = subprocess.run(
        [_HELPER, "-q", *options, "download-file", uri, str(target)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()


def find() -> tuple[Source, ...]:
    """Return the Debian archives that hold the lab's release.

    They are those of the machine's apt; ``EDUMAIL_APT_SOURCES`` may name another sources file; a machine that is not
    Debian gets what mmdebstrap would choose. Each is asked once whether it really is Debian's archive, and the answer
    is kept, so that a lab whose images are there starts without any network.
    Raises :class:`LabError` when none can be reached.
    """
    listing = _listing()
    digest = hashlib.sha256(listing.encode()).hexdigest()
    known = state.CACHE / "sources.json"
    if known.exists():
        saved = json.loads(known.read_text())
        if saved["digest"] == digest:
            return tuple(Source(row["key"], row["uri"], tuple(row["suites"])) for row in saved["sources"])
    refusals: list[str] = []
    sources = name_sources([pair for pair in ours(listing) if _is_debian(*pair, refusals)])
    if not any(RELEASE in source.suites for source in sources):
        why = "\n".join(refusals)
        raise LabError(
            f"Không tìm thấy kho gói Debian {RELEASE} nào trong nguồn apt của máy này. Sửa nguồn apt, hoặc đặt "
            f"EDUMAIL_APT_SOURCES=tệp-nguồn. {why}",
            f"None of this machine's apt sources offers Debian {RELEASE}. Mend the apt sources, or set "
            f"EDUMAIL_APT_SOURCES=sources-file. {why}",
        )
    if known.parent.exists():
        known.write_text(json.dumps({"digest": digest, "sources": [asdict(source) for source in sources]}))
    return sources


@functools.cache
def _listing() -> str:
    chosen = os.environ.get("EDUMAIL_APT_SOURCES")
    if chosen:
        if not Path(chosen).is_file():
            raise LabError(f"EDUMAIL_APT_SOURCES: không có tệp {chosen}.", f"EDUMAIL_APT_SOURCES: no file {chosen}.")
        return _indexes(Path(chosen).resolve())
    listing = _indexes(None)
    if ours(listing):
        return listing
    with tempfile.TemporaryDirectory() as folder:
        # mmdebstrap writes its choice into the new root before anything else; the hook copies it and stops there.
        hook = f'cat "$1"/etc/apt/sources.list >{folder}/debian.list; exit 1'
        subprocess.run(
            ["mmdebstrap", "--mode=root", f"--setup-hook={hook}", RELEASE, f"{folder}/root"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return _indexes(Path(folder, "debian.list")) if Path(folder, "debian.list").exists() else ""


def _indexes(file: Path | None) -> str:
    """Let apt read its own sources: both formats, every option; it downloads nothing."""
    only = ["-o", f"Dir::Etc::SourceList={file}", "-o", "Dir::Etc::SourceParts=-"] if file else []
    return run(
        ["apt-get", *only, "--print-uris", "update"],
        Text("Đọc nguồn apt", "Read the apt sources"),
    )


def _is_debian(uri: str, suite: str, refusals: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "InRelease")
        refusal = fetch(f"{uri}/dists/{suite}/InRelease", target)
        if refusal is not None:
            refusals.append(refusal)
            return False
        return "\nOrigin: Debian\n" in target.read_text(errors="replace")[:2000]
