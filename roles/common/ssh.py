"""How pyinfra reaches hosts over SSH, as host data: checked host keys, no delayed packets, dead links noticed.

Pure: importing this loads neither pyinfra nor paramiko.
"""

from __future__ import annotations

import socket
from typing import Any

KEEPALIVE_SECONDS = 15
"""How often an idle connection is asked whether it lives."""

DEAD_SECONDS = 60
"""After how long without an answer a connection counts as dead."""


def connection_data(
    *,
    address: str | None = None,
    user: str = "root",
    port: int | None = None,
    key_file: str | None = None,
    known_hosts: str | None = None,
    ssh_config: str | None = None,
    accept_new_hosts: bool = False,
) -> dict[str, Any]:
    """The host data that pyinfra's SSH connector reads; only what is given, so that an ssh_config can give the rest.

    known_hosts, ssh_config, key_file: paths on the control machine (``~`` is allowed); the key must not ask for a
    passphrase unless an agent holds it. Unknown host keys are refused unless ``accept_new_hosts``: this has to be said
    here, because pyinfra ignores the ``StrictHostKeyChecking`` of an ssh_config. A changed key is always refused.
    """
    given: dict[str, Any] = {
        "ssh_hostname": address,
        "ssh_port": port,
        "ssh_key": key_file,
        "ssh_known_hosts_file": known_hosts,
        "ssh_config_file": ssh_config,
    }
    return {
        "ssh_user": user,
        "ssh_strict_host_key_checking": "accept-new" if accept_new_hosts else "yes",
        "ssh_paramiko_connect_kwargs": {"transport_factory": prompt_transport},
        **{key: value for key, value in given.items() if value is not None},
    }


def prompt_transport(sock: Any, **options: Any) -> Any:
    """A ``paramiko.Transport`` on a socket that sends at once: without, each command waits about 40 ms.

    A function, not an object: ``pyinfra … debug-inventory`` prints functions by name and fails on other objects.
    Through a jump host ``sock`` is a channel, which has no such options.
    """
    from paramiko import Transport  # here, since the inventory is also read by what never connects

    if hasattr(sock, "setsockopt"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_SECONDS),
            ("TCP_KEEPINTVL", KEEPALIVE_SECONDS),
            ("TCP_KEEPCNT", DEAD_SECONDS // KEEPALIVE_SECONDS),
            ("TCP_USER_TIMEOUT", DEAD_SECONDS * 1000),
        ):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    transport = Transport(sock, **options)
    transport.set_keepalive(KEEPALIVE_SECONDS)
    return transport
