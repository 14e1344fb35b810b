#!/usr/bin/python3 -B
"""Certificates of a host: which of them daemons show to people and strangers, how they are renewed, when they end.

Runs on the host with Debian's Python, openssl and lego. For each certificate a file of key and chain is shown: the one
from a public authority while there is a valid one, else the province's own. So daemons always have one, whatever an
authority does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from certificate import Certificate, Configuration, Leaf, locked, read, show
from orders import DAY, NEVER, Store, due, obtain, wanting

SENDMAIL = "/usr/sbin/sendmail"
CONFIGURATION = Path(__file__).resolve().parent / "certificates.json"
WARN, WARN_SHARE = timedelta(days=30), 6  # when less is left, or of a short life less than a sixth: edumail/supplied.py
PATIENCE = 2 * DAY  # how long an authority may be out of reach before anybody is told


@dataclass(frozen=True)
class Standing:
    """A certificate as it is shown now. ``waits``: why it is not the authority's; ``complaint``: what is wrong."""

    certificate: Certificate
    source: str
    leaf: Leaf | None
    days: int
    waits: str
    complaint: str

    def text(self) -> str:
        """A line, and one for what is wrong."""
        names = self.certificate.names
        more = f" (+{len(names) - 1})" if len(names) > 1 else ""
        issuer, ends = (self.leaf.issuer, f"{self.leaf.ends:%Y-%m-%d}") if self.leaf else ("?", "?")
        left = f"còn {self.days} ngày / {self.days} days left"
        lines = [f"{self.certificate.id}: {names[0]}{more}, {self.source}, {issuer}, {ends}, {left}"]
        lines += [f"  … {self.waits}"] if self.waits else []
        lines += [f"  ! {self.complaint}"] if self.complaint else []
        return "\n".join(lines)


def standing(certificate: Certificate, store: Store, now: datetime) -> Standing:
    """How a certificate stands.

    The province's own is looked at where another one is shown, too: by it hosts know each other.
    """
    memory = store.of(certificate)
    waits = complaint = ""
    if certificate.acme and wanting(certificate, now):
        waits = memory.problem or "chưa được cấp / not issued yet"
        if memory.since != NEVER and now - memory.since > PATIENCE:
            complaint = f"chưa xin được từ / could not be had since {memory.since:%Y-%m-%d}"
    leaf, source = read(certificate.shown), certificate.best(now)[0]
    left = leaf.ends - now if leaf else timedelta()
    if source != "internal" and ends_soon(own := read(certificate.internal), now):
        ends = f"{own.ends:%Y-%m-%d}" if own else "?"
        complaint = f"chứng thư nội bộ hết hạn, cần triển khai lại / the internal one ends, deploy again: {ends}"
    if ends_soon(leaf, now):
        complaint = "hết hạn hoặc sắp hết hạn / has ended or ends soon"
    return Standing(certificate, source, leaf, left // DAY, waits, complaint)


def ends_soon(leaf: Leaf | None, now: datetime) -> bool:
    """Whether somebody has to be told; so has who has none, or one that can't be read."""
    return leaf is None or leaf.ends - now < min(WARN, leaf.life / WARN_SHARE)


def write_to_officer(officer: str, text: str) -> None:
    """A mail to whoever answers for the host."""
    message = EmailMessage()
    domain = officer.rpartition("@")[2]
    message["From"] = f"edumail <root@{domain}>"
    message["To"] = officer
    message["Subject"] = f"Chứng thư cần được xem lại / certificates need attention: {domain}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        "Máy chủ này có chứng thư cần được xem lại; «edumail-certificates status» trên máy cho biết thêm.\n"
        f"This host has certificates that need attention; 'edumail-certificates status' there says more.\n\n{text}\n",
        cte="8bit",
    )
    subprocess.run([SENDMAIL, "-i", "-f", "", "--", officer], input=message.as_bytes(), check=False)


def run_show(configuration: Configuration, _: argparse.Namespace) -> int:
    show(configuration, datetime.now(UTC))
    return 0


def run_renew(configuration: Configuration, args: argparse.Namespace) -> int:
    with locked("renew", wait=False) as alone:
        if not alone:
            print("đang có một lượt khác / another run is at it", file=sys.stderr)
            return 0
        store = Store()
        if configuration.acme is not None:
            obtain(configuration, store, force=args.force)
        now = datetime.now(UTC)
        show(configuration, now)
        wrong = [row for row in _standings(configuration, store, now) if row.complaint]
        if not wrong:
            return 0
        text = "\n".join(row.text() for row in wrong)
        print(text, file=sys.stderr)
        if configuration.officer and now - store.written > DAY:
            write_to_officer(configuration.officer, text)
            store.written = now
            store.save()
        return 1


def run_status(configuration: Configuration, _: argparse.Namespace) -> int:
    rows = _standings(configuration, Store(), datetime.now(UTC))
    print("\n".join(row.text() for row in rows))
    return 1 if any(row.complaint for row in rows) else 0


def run_pending(configuration: Configuration, _: argparse.Namespace) -> int:
    """One line each: ``show ID``, ``stray PATH``, ``order ID``, ``wait ID why``."""
    now = datetime.now(UTC)
    store = Store()
    for path in configuration.strays():
        print("stray", path)
    for certificate in configuration.certificates:
        if not certificate.is_shown(now):
            print("show", certificate.id)
        memory = store.of(certificate)
        if certificate.acme and due(certificate, memory, now):
            print("order", certificate.id)
        elif certificate.acme and wanting(certificate, now):
            again = f"(lần tới / next try: {memory.not_before:%Y-%m-%d %H:%M} UTC)"
            print("wait", f"{certificate.id}:", memory.problem, again)
    return 0


def run_tidy(configuration: Configuration, _: argparse.Namespace) -> int:
    for path in configuration.strays():
        path.unlink(missing_ok=True)
    return 0


def _standings(configuration: Configuration, store: Store, now: datetime) -> Sequence[Standing]:
    return [standing(certificate, store, now) for certificate in configuration.certificates]


def main() -> int:
    parser = argparse.ArgumentParser(prog="edumail-certificates", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, summary in (
        ("status", run_status, "mỗi chứng thư một dòng; mã 1 khi có điều cần xem / a line each; status 1: look at it"),
        ("renew", run_renew, "xin cấp lại chứng thư đến hạn / renew what is due (the timer does it every hour)"),
        ("show", run_show, "dùng chứng thư tốt nhất hiện có / have daemons show the best that is there"),
        ("pending", run_pending, "việc còn phải làm, cho bản triển khai / what is left to do, for a deploy"),
        ("tidy", run_tidy, "xóa chứng thư không còn dùng / delete certificates that nothing names any more"),
    ):
        command = commands.add_parser(name, help=summary)
        command.set_defaults(run=run)
        if name == "renew":
            command.add_argument("--force", action="store_true", help="xin cấp mới ngay / order anew now, due or not")
    args = parser.parse_args()
    status: int = args.run(Configuration(CONFIGURATION), args)
    return status


if __name__ == "__main__":
    sys.exit(main())
