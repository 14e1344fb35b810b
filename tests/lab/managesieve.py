"""As much of ManageSieve (RFC 5804) as tests need; the standard library has no client for it."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType

from tests.circular.network import TIMEOUT, Network
from tests.lab.province import LabProvince


class ManageSieve:
    """A signed-in session over verified TLS."""

    def __init__(self, network: Network, host: str, login: str, password: str):
        self.sock: socket.socket = socket.create_connection((network.address(host), 4190), timeout=TIMEOUT)
        self.file = self.sock.makefile("rwb")
        self.before_tls = self.answer()
        assert self.command("STARTTLS").startswith("OK")
        self.sock = network.context().wrap_socket(self.sock, server_hostname=host)
        self.file = self.sock.makefile("rwb")
        self.answer()
        secret = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        assert self.command(f'AUTHENTICATE "PLAIN" "{secret}"').startswith("OK")

    def command(self, line: str) -> str:
        """One command; the last line of the answer."""
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.answer().splitlines()[-1]

    def put(self, name: str, script: str) -> str:
        """PUTSCRIPT; the last line of the answer."""
        size = len(script.encode())
        return self.command(f'PUTSCRIPT "{name}" {{{size}+}}\r\n{script}')

    def answer(self) -> str:
        """All lines up to OK, NO or BYE; literals are read over."""
        lines = []
        while True:
            line = self.file.readline().decode(errors="replace").rstrip("\r\n")
            lines.append(line)
            if line.startswith(("OK", "NO", "BYE")) or not line:
                if line.endswith("}"):
                    self.file.read(int(line[line.rindex("{") + 1 : -1].rstrip("+")))
                    self.file.readline()
                return "\n".join(lines)

    def __enter__(self) -> ManageSieve:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.command("LOGOUT")
        self.sock.close()


@contextlib.contextmanager
def filtered(province: LabProvince, login: str, rule: str) -> Iterator[None]:
    """A filter of the person's own, as long as this lasts."""
    with ManageSieve(province.network, province.front, login, province.password(login)) as sieve:
        assert sieve.put("thu", rule).startswith("OK"), rule
        assert sieve.command('SETACTIVE "thu"').startswith("OK")
        try:
            yield
        finally:
            sieve.command('SETACTIVE ""')
            sieve.command('DELETESCRIPT "thu"')
