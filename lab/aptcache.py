"""The only way out of the lab: a small server on the bridge that hands out Debian packages and nothing else.

Hosts ask it for ``/<archive>/<path>``; it fetches what it does not have through the machine's own apt, once, however
many hosts ask at the same time, and keeps it. So the hosts need no resolver, no route, no password and no certificate
to install packages, and reinstalling costs no download.
"""

from __future__ import annotations

import filecmp
import json
import socket
import sys
import threading
import time
from collections import defaultdict
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab import cage, sources, state
from lab.text import LabError
from lab.topology import GATEWAY4

PORT = 3142
_CAGE = "aptcache"
_FRESH_SECONDS = 60


def url(source: sources.Source) -> str:
    """Return the address of ``source`` as seen from inside the lab."""
    return f"http://{GATEWAY4}:{PORT}/{source.key}"


def immutable(path: str) -> bool:
    """Tell whether what lies at ``path`` of a Debian archive never changes: packages, and lists named by digest."""
    return "/pool/" in path or "/by-hash/" in path


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, uris: dict[str, str]) -> None:
        super().__init__((GATEWAY4, PORT), _Handler)
        self.uris = uris
        self.locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.store = state.CACHE / "packages"


class _Handler(SimpleHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, directory=str(state.CACHE / "packages"), **kwargs)

    def send_head(self) -> Any:
        """Make sure the file is there, then let the standard library send it."""
        key, _, path = self.path.lstrip("/").partition("/")
        # Names in an archive are plain; anything else (queries, escapes out of the store) is nobody's package.
        if key not in self.server.uris or not path or path.endswith("/") or ".." in path.split("/") or "?" in path:
            self.send_error(404)
            return None
        with self.server.locks[self.path]:
            status = _ensure(f"{self.server.uris[key]}/{path}", self.server.store / key / self._plain(path))
        if status:
            self.send_error(status)
            return None
        return super().send_head()

    def _plain(self, path: str) -> Path:
        return Path(self.translate_path(f"/{path}")).relative_to(self.directory)


def _ensure(uri: str, target: Path) -> int:
    """Bring ``uri`` into the store; return 0, or the HTTP status to answer with."""
    if target.exists() and (immutable(uri) or time.time() - target.stat().st_ctime < _FRESH_SECONDS):
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    refusal = sources.fetch(uri, part)
    if refusal is None:
        if target.exists() and filecmp.cmp(part, target, shallow=False):
            # Keep the old time, so that hosts that have this list already are told "not modified".
            part.unlink()
            target.chmod(0o644)
        else:
            part.replace(target)
        return 0
    part.unlink(missing_ok=True)
    if target.exists():
        return 0
    return 404 if " 404 " in refusal else 502


def running() -> bool:
    """Tell whether a lab's server runs."""
    return cage.alive(_CAGE)


def start(found: tuple[sources.Source, ...]) -> None:
    """Run the server, replacing one that serves other archives. Raises :class:`LabError` if it does not answer."""
    wanted = json.dumps({source.key: source.uri for source in found})
    note = state.ROOT / "aptcache.json"
    if running() and note.exists() and note.read_text() == wanted:
        return
    cage.kill(_CAGE)
    note.write_text(wanted)
    log = state.LOGS / "aptcache.log"
    log.unlink(missing_ok=True)
    project = str(Path(__file__).resolve().parent.parent)
    cage.spawn(_CAGE, [sys.executable, "-m", "lab.aptcache", wanted], log, env={"PYTHONPATH": project})
    for _ in range(100):
        try:
            socket.create_connection((GATEWAY4, PORT), timeout=1).close()
            return
        except OSError:
            if not running():
                break
            time.sleep(0.05)
    last = log.read_text().strip().splitlines()[-1:] or ["-"]
    raise LabError(f"Máy chủ gói không chạy: {last[0]}", f"The package server does not run: {last[0]}")


if __name__ == "__main__":
    _Server(json.loads(sys.argv[1])).serve_forever()
