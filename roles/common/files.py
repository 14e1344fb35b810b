"""Single files that are in no tree, such as keys and certificates: put on a host while a deploy executes."""

from __future__ import annotations

import base64
import io
import shlex
import tarfile
from collections.abc import Mapping

from pyinfra.api import Host, StringCommand
from pyinfra.api.exceptions import OperationError


def put_files(host: Host, folder: str, files: Mapping[str, bytes], *, private: bool) -> None:
    """Writes ``files`` (path below ``folder`` → content), each whole or not at all. Raises OperationError.

    They travel on the standard input of one command, so that nothing lies about on the way and nothing is shown.
    private: only root may read them, or enter the folder.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600 if private else 0o644
            tar.addfile(member, io.BytesIO(content))
    mode = 700 if private else 755
    script = "; ".join(
        (
            f"set -eu; umask 077; install -d -m {mode} {shlex.quote(folder)}",
            f"cd {shlex.quote(folder)}; rm -rf .new; mkdir .new",
            "base64 -d | tar -x -m -p --no-same-owner -C .new",
            f"cd .new; find . -mindepth 1 -type d -exec install -d -m {mode} ../{{}} \\;",
            "sync -f .; find . -type f -exec mv -fT {} ../{} \\;",
            "cd ..; rm -rf .new; sync -f .",
        )
    )
    stdin = base64.encodebytes(packed.getvalue()).decode()
    ok, output = host.run_shell_command(StringCommand(script), _stdin=stdin)
    if not ok:
        raise OperationError(f"{folder}: {output.stderr}")
