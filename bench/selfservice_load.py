"""What ``bench.selfservice`` runs on a mail host: the account pages on a database of their own, asked through nginx.

It is piped to ``python3 -`` with a line at its end that says what to do. The program, its threads and Debian's packages
are those that people meet; what differs is the database, that a refusal does not wait, and that nginx counts nobody.
"""

from __future__ import annotations

import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

LIVE = "/var/lib/edumail/trees/selfservice/current"
CONNECTIONS = 8
ACCOUNTS = 1500
PORT = 18037
NGINX = """
worker_processes auto;
pid {folder}/nginx.pid;
error_log /dev/null;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    upstream pages {{ server unix:{folder}/socket; }}
    server {{
        listen 127.0.0.1:{port};
        location /static/ {{ alias {live}/static/; }}
        location / {{ proxy_pass http://pages; }}
    }}
}}
"""


class Browser:
    """One connection that stays open, and a cookie."""

    def __init__(self, number: int):
        self.number, self.count = number, 0
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookie = f"bench-{number:030}"

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and where to go; each from an address of its own, so that no limit is met."""
        self.count += 1
        source = f"10.{self.number}.{self.count // 250 % 250}.{self.count % 250}"
        headers = {"X-Real-IP": source, "Cookie": f"__Secure-edumail={self.cookie}"}
        if form is None:
            self.connection.request("GET", path, headers=headers)
        else:
            token = hmac.new(self.cookie.encode(), b"form", "sha256").hexdigest()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            self.connection.request("POST", path, urlencode({**form, "phieu": token}), headers)
        answer = self.connection.getresponse()
        answer.read()
        for value in answer.headers.get_all("Set-Cookie") or ():
            self.cookie = value.partition("=")[2].partition(";")[0]
        return answer.status, answer.headers.get("Location", "")


def rate(seconds: float, once: Callable[[Browser], bool]) -> float:
    """How often a second ``once`` is done, by some browsers at the same time, until it gives False."""
    done = [0] * CONNECTIONS
    began = time.perf_counter()

    def work(number: int) -> None:
        browser = Browser(number)
        while time.perf_counter() - began < seconds and once(browser):
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


def prepared(folder: Path) -> dict[str, str]:
    """A database of people who wait; their codes."""
    sys.path.insert(0, LIVE)
    import edumail_passwords
    import edumail_store

    database = edumail_store.connect(str(folder / "accounts.db"))
    codes = {}
    with edumail_store.transaction(database):
        for number in range(ACCOUNTS):
            address = f"nguoi{number}@x.test"
            database.execute(
                "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
                " VALUES (?, 'u', ?, 'Người Thử', ?, 1, 1, 'waiting', 0)",
                (address, address, address),
            )
            codes[address] = edumail_passwords.new_code(database, address, int(time.time()))
    database.close()
    return codes


def measure(seconds: float) -> None:
    """Prints what was measured, as JSON: requests, or whole activations, a second."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # on a disk, as the real one is
    programs: list[subprocess.Popen[bytes]] = []
    try:
        codes = prepared(folder)
        for path in (folder, folder / "accounts.db"):
            shutil.chown(path, "edumail-accounts", "edumail-accounts")
        folder.chmod(0o755)
        made = f"create_app('{folder}/accounts.db', 'bench', 'taikhoan.x.test', 'mail.x.test', refusal=0)"
        command = ["gunicorn", "--workers", "1", "--threads", "12", "--worker-class", "gthread", "--pythonpath", LIVE]
        command += ["--bind", f"unix:{folder}/socket", "--log-level", "warning", f"edumail_selfservice:{made}"]
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=PORT, live=LIVE))
        programs.append(subprocess.Popen(["runuser", "-u", "edumail-accounts", "--", *command], cwd=folder))
        programs.append(subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"]))
        end = time.monotonic() + 20
        while True:
            try:
                if Browser(0).ask("/dang-nhap")[0] == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                raise SystemExit("the pages do not answer")
            time.sleep(0.2)
        waiting = iter(list(codes.items()))
        lock = threading.Lock()

        def wrong(browser: Browser) -> bool:
            person = f"nguoi{browser.number}-{browser.count}@x.test"
            status, _ = browser.ask("/kich-hoat", {"dia-chi": person, "ma": "aaaa-bbbb-cccc"})
            assert status == 403, status
            return True

        def activate(browser: Browser) -> bool:
            with lock:
                address, code = next(waiting, ("", ""))
            if not address:
                return False
            first = browser.ask("/kich-hoat", {"dia-chi": address, "ma": code})
            assert first == (303, "chon-mat-khau"), first
            password = f"Hoa sua nam 1 ! {browser.count}"
            second = browser.ask("/chon-mat-khau", {"mat-khau": password, "mat-khau-lai": password})
            assert second == (303, "./"), second
            return True

        def page(browser: Browser) -> bool:
            return browser.ask("/kich-hoat")[0] == 200

        def static(browser: Browser) -> bool:
            return browser.ask("/static/style.css")[0] == 200

        result = {}
        for name, once in (("file", static), ("form", page), ("wrong", wrong), ("activations", activate)):
            result[name] = rate(seconds, once)
        print(json.dumps(result))
    finally:
        for program in reversed(programs):
            program.terminate()
            program.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
