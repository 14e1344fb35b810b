"""What a deploy costs against bare ``apt-get install`` of the same packages, on three pristine lab hosts.

Prints seconds and ratios; needs root. The lab hosts are reset before; its package cache is warm in both cases.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOSTS = ("mail-so", "mail-xa", "mail-thpt")


def packages() -> list[str]:
    """Every package that the roles install."""
    from roles.accounts import deploy as accounts
    from roles.base import deploy as base
    from roles.dovecot import deploy as dovecot
    from roles.identity import deploy as identity
    from roles.mtasts import deploy as mtasts
    from roles.nginx import deploy as nginx
    from roles.postfix import deploy as postfix
    from roles.resolver import deploy as resolver
    from roles.rspamd import deploy as rspamd
    from roles.webmail import deploy as webmail

    roles = (base, accounts, dovecot, identity, mtasts, nginx, postfix, resolver, rspamd, webmail)
    return sorted({package for role in roles for package in role.PACKAGES})


def edumail(*words: str) -> float:
    """Seconds that the command took. Raises CalledProcessError."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "edumail", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def bare_install() -> float:
    """Seconds until all three hosts have the same packages, installed in parallel as an administrator would."""
    from lab import ssh

    script = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && "
        f"apt-get install -q -y --no-install-recommends {' '.join(packages())}"
    )
    started = time.monotonic()
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        list(pool.map(lambda host: ssh.call(host, script, timeout=900), HOSTS))
    return time.monotonic() - started


def main() -> None:
    """Run and print the table."""
    edumail("lab", "up")
    rows: list[tuple[str, float]] = []
    edumail("deploy", "inventories/lab")  # fills the package cache
    for host in HOSTS:
        edumail("lab", "reset", host)
    rows.append(("bare apt-get install, three hosts", bare := bare_install()))
    for host in HOSTS:
        edumail("lab", "reset", host)
    rows.append(("fresh deploy, three hosts", fresh := edumail("deploy", "inventories/lab")))
    again = min(edumail("deploy", "inventories/lab") for _ in range(3))
    rows.append(("no-change deploy, three hosts (best of 3)", again))
    for what, seconds in rows:
        print(f"{what:<45} {seconds:7.1f} s")
    print(f"{'fresh deploy / bare apt-get install':<45} {fresh / bare:7.2f}")
    print(f"{'no-change deploy, a host':<45} {again / len(HOSTS):7.1f} s")


if __name__ == "__main__":
    main()
