"""One mailbox on its way from host to host: copied, compared, handed over, and only then deleted at its old place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from edumail.cli.language import UserError, say
from edumail.cli.remote import HostError, Remote
from edumail.cli.terminal import plain
from edumail.moving import Move, missing, surplus

_ROUNDS = 3
"""What changed while it was copied is copied once more."""
_FOLDERS_SHOWN = 5


def command(action: str, address: str = "") -> list[str]:
    """The command on a host (``roles/accounts/app/edumail_moving.py``)."""
    return ["edumail-accounts", "moving", action, *([address] if address else [])]


def answer(host: str, text: bytes) -> Any:
    """The JSON that a host printed. Raises HostError."""
    try:
        return json.loads(text)
    except ValueError:
        raise HostError(f"{host}: trả lời không đọc được", f"{host}: its answer can't be read") from None


class Mover:
    """Moves one mailbox; each step may be repeated, so whoever is cut begins again. ``tell`` hears what goes on.

    The account is handed over when the mail is there: until then nobody signs in at the new place, and a mail program
    finds every letter under the number that it had.
    """

    def __init__(self, remote: Remote, move: Move, tell: Callable[[str], None]):
        self.remote = remote
        self.move = move
        self.tell = tell

    def run(self) -> str:
        """What to say of it. Raises UserError when the old place had to be left as it is."""
        move = self.move
        old = self._copied()
        self.tell(say("giao tài khoản", "handing the account over"))
        given = self.remote.run(move.source, command("export", move.old))
        account = answer(move.target, self.remote.run(move.target, command("adopt", move.new), given))["account"]
        self.tell(say("xóa ở chỗ cũ", "emptying the old place"))
        last = json.dumps({"digest": old["digest"], "host": move.target}).encode()
        self.remote.run(move.source, command("leave", move.old), last)
        count = len(old["letters"])
        kept = not move.shared and account == "kept"
        return say(
            f"{count} thư" + ("; mật khẩu ở chỗ mới được giữ" if kept else ""),
            f"{count} letters" + ("; the password of the new place stays" if kept else ""),
        )

    def _copied(self) -> dict[str, Any]:
        """The contents of the old place, all of which the new one has. Raises UserError."""
        move, remote = self.move, self.remote
        self.tell(say("chép bộ lọc", "copying filters"))
        remote.joined((move.source, command("pack", move.old)), (move.target, command("unpack", move.new)), both=False)
        for left in range(_ROUNDS - 1, -1, -1):
            self.tell(say("chép thư", "copying letters"))
            try:
                remote.joined(
                    (move.source, command("serve", move.old)), (move.target, command("pull", move.new)), both=True
                )
            except HostError:
                if not left:
                    raise
                continue
            self.tell(say("đối chiếu", "comparing"))
            old = self._contents(move.source, move.old)
            new = self._contents(move.target, move.new)
            if extra := surplus(old["copies"], new["copies"]):
                remote.run(move.target, command("tidy", move.new), json.dumps(extra).encode())
                new = self._contents(move.target, move.new)
            lost = missing(map(tuple, old["letters"]), map(tuple, new["letters"]))
            if not lost:
                return dict(old)
        shown = ", ".join(f"{plain(folder)} {count}" for folder, count in sorted(lost.items())[:_FOLDERS_SHOWN])
        raise UserError(
            f"chỗ mới còn thiếu {lost.total()} thư ({shown}); chỗ cũ được giữ nguyên",
            f"the new place lacks {lost.total()} letters ({shown}); the old one is left as it is",
        )

    def _contents(self, host: str, address: str) -> dict[str, Any]:
        return dict(answer(host, self.remote.run(host, command("contents", address))))
