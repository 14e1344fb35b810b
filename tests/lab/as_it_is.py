"""What is on a host, a digest a line: for a look before an audit and one after it.

Only the standard library, since this file runs alone, as root, on the host. Configuration, live trees, pages, mail of
everybody and databases are read; what is left out of these is named below with the reason. Elsewhere are logs and mail
queues, which go on by themselves, and what the gateway has learnt of others by mail (MTA-STS, verified recipients).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

FOLDERS = ("/etc", "/var/lib/edumail", "/var/vmail", "/var/lib/dbconfig-common/sqlite3")
"""The last has Roundcube's database."""
LEFT_OUT: Mapping[str, str] = {
    "/var/vmail/*/.edumail-audit/*": "the audit's own folder; that it goes is asked apart",
    "/var/vmail/*/dovecot.index*": "what Dovecot knows of the mail beside it",
    "/var/vmail/*/dovecot.list.index*": "the same of folders",
    "/var/vmail/*/dovecot.mailbox.log*": "the same of folders that came and went",
    "/var/vmail/*/dovecot-uid*": "counters of UIDs",
    "/var/vmail/*/dovecot-acl-list": "which folders have rights of their own, found out anew; the rights are compared",
    "/var/vmail/*/..DOVECOT-TRASHED/*": "folders that Dovecot has put aside to delete",
    "/var/vmail/*.lock": "locks",
    "/var/lib/edumail/certificates/.*.lock": "the same of the host's own timer, made at its first run",
    "/var/vmail/*/maildirsize": "how full a mailbox is: what came and went is noted line by line",
    "/var/vmail/*/maildirfolder": "an empty file in each folder that Dovecot makes when a mailbox is opened first",
    "/var/vmail/*/subscriptions": "the same folders, subscribed; one to the audit's is seen (subscribed)",
    "*/shared-mailboxes": "who shares what, as Dovecot found it last",
    "/var/lib/edumail/accounts-journal-cursor": "how far the host has read its own log for who signed in when",
    "*.db-wal": "what is on its way into a database: its rows are compared",
    "*.db-shm": "where to find it",
}
TABLES: Mapping[tuple[str, str], str] = {
    ("accounts.db", "audit"): "the audits that are open",
    ("roundcube", "session"): "who is at the webmail: those that ended go every half hour",
    ("accounts.db", "to_end"): "whom the host has yet to sign out since a password changed",
}
"""By database: tables that are left out."""
KEPT_SECONDS = 10 * 86400
"""What Redis has for longer, or for good, is compared (words that the filter learnt from). The rest ends by itself, and
letters of an audit rightly leave some of it: when who wrote first (greylisting), how many letters went (rates)."""
REDIS = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('TTL', key)
  if left < 0 or left > %d then
    found[#found + 1] = redis.sha1hex(redis.call('DUMP', key)) .. '  redis: ' .. string.gsub(key, '%%s', '_')
  end
end
return found
"""


def files(folder: str) -> Iterator[Path]:
    """The files of a folder that are not left out."""
    for here, _, names in os.walk(folder):
        for name in names:
            path = Path(here, name)
            if path.is_file() and not path.is_symlink() and not any(fnmatch(str(path), one) for one in LEFT_OUT):
                yield path


def digests(folder: str) -> Iterator[tuple[str, str]]:
    """Path and digest of each file; of a database, of the rows of each table."""
    for path in files(folder):
        try:
            if path.open("rb").read(16) == b"SQLite format 3\0":
                yield from tables(path)
            else:
                yield str(path), hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:  # it went while this looked
            continue


def tables(path: Path) -> Iterator[tuple[str, str]]:
    """Each table of a database with the digest of its rows. A copy is read, so that no reader's traces stay with it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        shutil.copy(path, copy)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            shutil.copy(log, copy.with_name(log.name))
        with closing(sqlite3.connect(copy)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                if (path.name, name) not in TABLES:
                    rows = sorted(map(repr, database.execute(f'SELECT * FROM "{name}"')))
                    yield f"{path}: {name}", hashlib.sha256("\n".join(rows).encode()).hexdigest()


def subscribed(folder: str) -> Iterator[tuple[str, str]]:
    """Where somebody is subscribed to the audit's folder."""
    for path in Path(folder).rglob("subscriptions"):
        if "edumail-audit" in path.read_text(encoding="utf-8", errors="replace").split():
            yield str(path), "subscribed to edumail-audit"


def learnt() -> Iterator[tuple[str, str]]:
    """What Redis keeps for long."""
    command = ["redis-cli", "-e", "--raw", "EVAL", REDIS % KEPT_SECONDS, "0"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, errors="backslashreplace").stdout
    for line in said.splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


if __name__ == "__main__":
    for folder in FOLDERS:
        for name, digest in digests(folder):
            print(f"{digest}  {name}")
    for name, digest in (*subscribed("/var/vmail"), *learnt()):
        print(f"{digest}  {name}")
