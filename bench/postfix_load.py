"""What ``bench.postfix`` runs on the host that it measures. Python's own library only.

Its argument says what to do, its input has the orders as a JSON object, and it prints another one.
"""

from __future__ import annotations

import json
import re
import smtplib
import ssl
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

LOG = Path("/var/log/postfix-bench.log")
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
WAIT_SECONDS = 500


def client(port: int, login: str | None) -> smtplib.SMTP:
    """A session as a stranger; or, with a name, as the front opens one for whoever signed in there."""
    session = smtplib.SMTP("127.0.0.1", port, timeout=60)
    session.ehlo()
    if login:
        session.starttls(context=TLS)
        session.ehlo()
        session.docmd("XCLIENT", f"LOGIN={login}")
        session.ehlo()
    return session


def answers(port: int, sender: str, login: str | None, recipients: list[list[str]]) -> dict[str, object]:
    """One session: seconds until it is open; for each recipient its kind, the seconds of the answer, its code."""
    began = time.perf_counter()
    session = client(port, login)
    opened = time.perf_counter() - began
    found = []
    for kind, address in recipients:
        session.mail(sender)
        before = time.perf_counter()
        code, _ = session.rcpt(address)
        found.append([kind, time.perf_counter() - before, code])
        session.rset()
    memory = private("smtpd")
    session.quit()
    return {"opened": opened, "memory": memory, "answers": found}


def private(command: str) -> int:
    """KiB that the largest process of this name holds for itself alone."""
    found = [0]
    for status in Path("/proc").glob("[0-9]*/comm"):
        try:
            if status.read_text().strip() == command:
                rollup = status.with_name("smaps_rollup").read_text()
                found.append(sum(int(kib) for kib in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.M)))
        except OSError:
            continue
    return max(found)


def ask(sessions: list[dict]) -> dict[str, object]:
    """All sessions at the same time, each from a process of its own."""
    began = time.perf_counter()
    with ProcessPoolExecutor(len(sessions)) as pool:
        done = [pool.submit(answers, **session) for session in sessions]
        results = [future.result() for future in done]
    return {"seconds": time.perf_counter() - began, "sessions": results}


def look_up(table: str, keys: list[str]) -> dict[str, object]:
    """Seconds of postmap(1) for all keys, its start taken off."""

    def seconds(text: str) -> tuple[float, int]:
        began = time.perf_counter()
        done = subprocess.run(["postmap", "-q", "-", table], input=text, capture_output=True, text=True, check=False)
        return time.perf_counter() - began, done.stdout.count("\n")

    start, _ = seconds("")
    whole, found = seconds("".join(f"{key}\n" for key in keys))
    return {"seconds": whole - start, "found": found}


def expand(sender: str, to: str, port: int | None) -> dict[str, object]:
    """One message: seconds until Postfix took it and until it is gone, memory of cleanup, and each recipient's line."""
    before = LOG.stat().st_size if LOG.exists() else 0
    message = f"From: {sender}\r\nTo: {to}\r\nSubject: Thu\r\n\r\nThu.\r\n"
    began = time.perf_counter()
    if port:
        session = client(port, sender)
        session.sendmail(sender, [to], message)
    else:
        subprocess.run(["/usr/sbin/sendmail", "-f", sender, to], input=message, text=True, check=True)
        while not LOG.exists() or "message-id=" not in after(before):
            time.sleep(0.05)
    taken = time.perf_counter() - began
    if port:
        session.quit()
    memory, log = 0, ""
    while not (done := re.search(r"qmgr\[\d+\]: (\w+): removed", log)):
        if time.perf_counter() > began + WAIT_SECONDS:
            raise SystemExit(f"the message is still in the queue: {log[-2000:]}")
        memory = max(memory, *(peak(path) for path in Path("/proc").glob("[0-9]*/status")))
        time.sleep(0.5)
        log = after(before)
    gone = time.perf_counter() - began
    lines = re.findall(rf": {done[1]}: to=<([^>]+)>.* status=(\w+)", log)
    return {"taken": taken, "gone": gone, "memory": memory, "reached": [to for to, status in lines if status == "sent"],
            "other": [line for line in lines if line[1] != "sent"][:5]}  # fmt: skip


def after(offset: int) -> str:
    """What the log says beyond the offset."""
    with LOG.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def peak(status: Path) -> int:
    """KiB that a cleanup held at most; nothing of any other process."""
    try:
        text = status.read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+)", text, re.M)
    return int(found[1]) if found and text.startswith("Name:\tcleanup\n") else 0


if __name__ == "__main__":
    work = {"ask": ask, "look_up": look_up, "expand": expand}[sys.argv[1]]
    json.dump(work(**json.load(sys.stdin)), sys.stdout)
