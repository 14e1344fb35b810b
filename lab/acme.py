"""A public certification authority on `internet`: Pebble, the test server of those who make Let's Encrypt's.

It takes what port 80 of a name says for proof, as they do, and forgets everything when it is restarted, its root too.
"""

from __future__ import annotations

import json

from lab import ssh
from lab.topology import INTERNET

DIRECTORY = f"https://{INTERNET.fqdn}:14000/dir"
CERTIFICATE = "/etc/foreign/tls.crt"
"""What Pebble itself shows at :data:`DIRECTORY`, on `internet`: self-signed, for whoever asks to be made to trust."""

_CONFIG = {
    "listenAddress": "[::]:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": CERTIFICATE,
    "privateKey": "/etc/foreign/tls.key",
    "httpPort": 80,
    "tlsPort": 443,
    "certificateValidityPeriod": 90 * 86400,
    "retryAfter": {"authz": 1, "order": 1},
}
_UNIT = f"""\
[Unit]
Description=Certification authority of the lab
After=network.target
[Service]
Environment=PEBBLE_VA_NOSLEEP=1
ExecStart=/usr/bin/pebble -config /etc/foreign/pebble.json -dnsserver {INTERNET.ipv4}:53
"""

FILES = {
    "etc/foreign/pebble.json": json.dumps({"pebble": _CONFIG}, indent=2) + "\n",
    "etc/systemd/system/pebble.service": _UNIT,
}


def start() -> bytes:
    """Start it afresh; gives its root certificate in PEM."""
    script = (
        "systemctl restart pebble; for try in $(seq 50); do"
        " curl -sfk https://127.0.0.1:15000/roots/0 && exit; sleep 0.1; done; exit 1"
    )
    return ssh.call(INTERNET.name, script)


def stop() -> None:
    """Nobody answers any more."""
    ssh.call(INTERNET.name, "systemctl stop pebble")
