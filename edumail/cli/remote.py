"""Commands on hosts, as root over SSH, by the machine's own ``ssh``: for what asks a host once and changes no file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edumail.cli.language import UserError
from edumail.cli.terminal import plain
from edumail.model import Host, Province

_CONNECT_SECONDS = 15


def command(province: Province, host: Host) -> list[str]:
    """The words before what is to run on ``host``: reached as a deploy reaches it, and asking nobody anything."""
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
    config = province.settings.ssh_config
    if config is not None:
        return ["ssh", "-F", str(Path(config).expanduser()), *options, f"{host.ssh.user}@{host.name}", "--"]
    address = str(host.ssh.address or host.fqdn)
    return ["ssh", *options, "-p", str(host.ssh.port), f"{host.ssh.user}@{address}", "--"]


def ask(province: Province, host: Host, words: str, stdin: str = "") -> str:
    """What ``words``, a line for the shell of ``host``, print. Raises UserError when they fail, or nobody answers."""
    try:
        done = subprocess.run(
            [*command(province, host), words], input=stdin, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise UserError("máy này không có lệnh ssh", "this machine has no ssh") from None
    if done.returncode == 255:
        last = plain((done.stderr.strip().splitlines() or ["?"])[-1])
        raise UserError(
            f"không tới được máy {host.name} qua SSH: {last}", f"host {host.name} can't be reached by SSH: {last}"
        )
    if done.returncode:
        said = "; ".join(plain(line) for line in done.stderr.strip().splitlines()[-3:]) or str(done.returncode)
        raise UserError(f"{host.name}: {said}", f"{host.name}: {said}")
    return done.stdout
