"""What ``bench.mail`` runs on the outside world's host: it sends, and watches mailboxes. Python's own library only.

It is piped to ``python3 -`` with a line at its end that says what to do, and prints one JSON object.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import queue
import random
import smtplib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

SENDER = "taitho@ngoai.test"
WORDS = ["nhà trường", "giáo viên", "học sinh", "kế hoạch", "năm học", "báo cáo", "công văn", "họp", "giao ban", "tuần"]
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
WAIT_SECONDS = 120


def text(recipient: str, number: int) -> bytes:
    """A message of about 5 kB that is no other's."""
    chance = random.Random(f"{recipient} {number} {time.time_ns()}")  # noqa: S311 - words of a letter
    lines = [" ".join(chance.choices(WORDS, k=8)) for _ in range(50)]
    head = [
        f"From: {SENDER}",
        f"To: {recipient}",
        f"Subject: Bao cao so {number}",
        time.strftime("Date: %a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
        f"Message-ID: <{number}.{chance.getrandbits(64)}@ngoai.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    return "\r\n".join([*head, "", *lines, ""]).encode()


class Watcher(threading.Thread):
    """Somebody's inbox by IDLE (RFC 2177): when each new message became visible, as seconds of the monotonic clock."""

    def __init__(self, host: str, user: str, password: str):
        super().__init__(daemon=True)
        self.seen: list[float] = []
        self.client = imaplib.IMAP4_SSL(host, 993, ssl_context=TLS, timeout=WAIT_SECONDS)
        self.client.login(user, password)
        self.before = int(self.client.select()[1][0] or b"0")
        self.client.send(b"i IDLE\r\n")
        self.client.readline()
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := self.client.readline():
                words = line.split()
                if words[2:3] == [b"EXISTS"]:
                    new = int(words[1]) - self.before - len(self.seen)
                    self.seen += [time.monotonic()] * new

    def end(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self.client.sock.shutdown(socket.SHUT_RDWR)
        self.join()


@contextlib.contextmanager
def watchers(host: str, users: dict[str, str]) -> Iterator[dict[str, Watcher]]:
    """A watcher for each user."""
    found = {user: Watcher(host, user, password) for user, password in users.items()}
    try:
        yield found
    finally:
        for watcher in found.values():
            watcher.end()


def session(host: str) -> smtplib.SMTP:
    """A dialogue with the MX, by TLS as most of the world does."""
    client = smtplib.SMTP(host, 25, local_hostname="mx.ngoai.test", timeout=WAIT_SECONDS)
    client.ehlo_or_helo_if_needed()
    client.starttls(context=TLS)
    client.ehlo()
    return client


def deliver(host: str, users: dict[str, str], messages: int, sessions: int, rate: float) -> dict[str, object]:
    """Send to the users in turn, ``rate`` messages a second (0: as fast as they are taken); wait until all are seen.

    Gives seconds from the first to the last acceptance and to the last sight, and for each message how long its
    dialogue took (MAIL to 250) and when it was seen after it was handed over.
    """
    order: queue.SimpleQueue[tuple[float, str, bytes]] = queue.SimpleQueue()
    names = list(users)
    bodies = [(names[n % len(names)], text(names[n % len(names)], n)) for n in range(messages)]
    sent: dict[str, list[float]] = {name: [] for name in names}
    dialogues: list[float] = []
    lock = threading.Lock()

    def work(client: smtplib.SMTP) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                due, recipient, body = order.get_nowait()
                time.sleep(max(0.0, due - time.monotonic()))
                began = time.monotonic()
                client.sendmail(SENDER, [recipient], body)
                with lock:
                    dialogues.append(time.monotonic() - began)
                    sent[recipient].append(began)
                continue
            return

    with watchers(host, users) as boxes:
        clients = [session(host) for _ in range(sessions)]
        began = time.monotonic()
        for number, (recipient, body) in enumerate(bodies):
            order.put((began + number / rate if rate else 0.0, recipient, body))
        with ThreadPoolExecutor(sessions) as pool:
            list(pool.map(work, clients))
        accepted = time.monotonic() - began
        while sum(len(box.seen) for box in boxes.values()) < messages:
            if time.monotonic() > began + accepted + WAIT_SECONDS:
                raise TimeoutError(f"{sum(len(box.seen) for box in boxes.values())} of {messages} were seen")
            time.sleep(0.05)
        visible = max(box.seen[-1] for box in boxes.values() if box.seen) - began
        for client in clients:
            client.quit()
    waits = [
        seen - started for name in names for started, seen in zip(sorted(sent[name]), boxes[name].seen, strict=True)
    ]
    return {"accepted": accepted, "visible": visible, "dialogues": dialogues, "waits": waits}


def sign_in(host: str, users: dict[str, str], times: int, sessions: int) -> dict[str, object]:
    """Sign in and out by IMAPS, ``times`` altogether, ``sessions`` at once: seconds for all, and for each."""
    names = list(users)

    def one(number: int) -> float:
        name = names[number % len(names)]
        began = time.monotonic()
        client = imaplib.IMAP4_SSL(host, 993, ssl_context=TLS, timeout=WAIT_SECONDS)
        client.login(name, users[name])
        taken = time.monotonic() - began
        client.logout()
        return taken

    began = time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        each = list(pool.map(one, range(times)))
    return {"seconds": time.monotonic() - began, "each": each}


def do(work: str, **orders: object) -> None:
    """Do what is ordered and print what came of it."""
    json.dump({"deliver": deliver, "sign_in": sign_in}[work](**orders), sys.stdout)  # type: ignore[operator]
