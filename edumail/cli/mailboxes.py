"""``edumail mailboxes move``: after a deploy that gave a unit or a person another host, mail and feedback follow."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Container, Sequence
from typing import Any

from edumail.cli.arguments import add_inventory, unknown
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.mover import Mover, answer, command
from edumail.cli.remote import HostError, Remote
from edumail.cli.terminal import Status
from edumail.load import load
from edumail.mail import Mail
from edumail.moving import Account, Matters, Move, matters, moves

_DONE, _NOT_ALL = 0, 1


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "mailboxes", help=say("chuyển hộp thư giữa các máy chủ", "move mailboxes from one host to another")
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("VIỆC", "ACTION"))
    summary = say(
        "chuyển thư, tài khoản và phản ánh của đơn vị, người đã đổi máy chủ",
        "move mail, accounts and feedback of units and people whose host has changed",
    )
    move = actions.add_parser(
        "move",
        help=summary,
        description=summary
        + say(
            ". Chạy sau edumail deploy. Chỗ cũ chỉ được xóa khi mọi thư của nó đã có ở chỗ mới; bị ngắt thì chạy lại. "
            "Mã thoát: 0 đã chuyển hết, 1 chưa hết.",
            ". Run it after edumail deploy. The old place is emptied only when the new one has every letter of it; "
            "after a cut, run it again. Exit status: 0 all have moved, 1 not all.",
        ),
    )
    add_inventory(move)
    move.add_argument(
        "units", nargs="*", metavar="UNIT", help=say("chỉ các đơn vị này (mã)", "these units only, by their ids")
    )
    move.add_argument(
        "--dry",
        action="store_true",
        help=say("chỉ nói sẽ chuyển gì, không chuyển", "say what would move, move nothing"),
    )
    move.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Ask every host who was closed there, say what will move, move one after the other."""
    province = load(args.inventory)
    for unit in args.units:
        if unit not in province.units:
            raise unknown(unit, province.units, "đơn vị", "unit")
    status = Status()
    with Remote(province, status.tick) as remote:
        return _move_all(args, Mail(province), remote, status)


def _move_all(args: Namespace, mail: Mail, remote: Remote, status: Status) -> int:
    hosts = [host.name for host in mail.province.hosts.values() if host.has_mail]
    listings: dict[str, list[Account]] = {}
    asked: dict[str, dict[str, int]] = {}
    failed = 0
    for host in hosts:
        try:
            listings[host] = _listing(remote, host)
            asked[host] = _feedback(remote, host)
        except UserError as error:
            failed += 1
            _complain(error)
    found, feedback = moves(mail, listings, args.units), matters(mail.province, asked, args.units)
    if not found and not feedback and not failed:
        print(say("Không có hộp thư nào phải chuyển.", "No mailbox has to move."))
        return _DONE
    for those in feedback:
        print(f"{_words(those)} ({those.source}) → ({those.target})")
    for move in found:
        print(f"{move.old} ({move.source}) → {move.new} ({move.target})")
    if args.dry:
        return _NOT_ALL if failed else _DONE
    # First: citizens ask for their matters at the new place already, and whoever answers finds them there.
    left = sum(not _follows(remote, those, status) for those in feedback)
    done = 0
    for number, move in enumerate(found, 1):
        began = time.monotonic()
        about = f"[{number}/{len(found)}] {move.new}"
        try:
            outcome = _moved(remote, move, listings, status, about)
        except UserError as error:
            status.line(f"{about} ✗ {say(error.vi, error.en)}")
            continue
        finally:
            status.clear()
        done += 1
        status.line(f"{about} ✓ {outcome} ({time.monotonic() - began:.1f} s)")
    stay = len(found) - done
    if found:
        print(say(f"Đã chuyển {done} hộp thư, còn lại {stay}.", f"{done} moved, {stay} left."))
    return _concluded(left + stay, failed)


def _concluded(left: int, failed: int) -> int:
    """Say what to do about what is ``left`` and the hosts that could not be asked; the exit status."""
    if left:
        print(
            say(
                "Những gì còn lại được giữ nguyên ở chỗ cũ. Sửa theo lời báo trên rồi chạy lại lệnh này.",
                "What is left keeps its old place. Mend what is said above and run this again.",
            ),
            file=sys.stderr,
        )
    elif failed:
        print(
            say(
                "Có máy chưa hỏi được; chạy lại lệnh này khi máy trả lời.",
                "Not every host could be asked; run this again when they answer.",
            ),
            file=sys.stderr,
        )
    return _NOT_ALL if left or failed else _DONE


def _moved(remote: Remote, move: Move, listings: Container[str], status: Status, about: str) -> str:
    """What to say of a mailbox that has moved. Raises UserError when it has not."""
    if move.target not in listings:
        raise HostError(f"{move.target} không trả lời", f"{move.target} does not answer")
    if not move.ready:
        raise UserError(
            f"{move.target} chưa có tài khoản này; hãy edumail deploy trước",
            f"{move.target} does not have this account yet; run edumail deploy first",
        )
    return Mover(remote, move, lambda text: status.now(f"{about}: {text}")).run()


def _words(those: Matters) -> str:
    return say(f"{those.count} phản ánh của {those.unit}", f"{those.count} matters of feedback of {those.unit}")


def _follows(remote: Remote, those: Matters, status: Status) -> bool:
    """Move what citizens asked a unit, and say so: whether all of it has moved."""
    about = _words(those)
    status.now(about)
    give, take = (["edumail-feedback", half, those.unit] for half in ("give", "take"))
    try:
        remote.joined((those.source, give), (those.target, take), both=True)
        if left := _feedback(remote, those.source).get(those.unit):
            raise HostError(f"{those.source}: còn {left} phản ánh ở chỗ cũ", f"{those.source}: {left} are left there")
    except UserError as error:
        status.line(f"{about} ✗ {say(error.vi, error.en)}")
        return False
    finally:
        status.clear()
    status.line(f"{about} ✓")
    return True


def _complain(error: UserError) -> None:
    print(f"edumail: {say(error.vi, error.en)}", file=sys.stderr)


def _listing(remote: Remote, host: str) -> list[Account]:
    try:
        return [Account(**row) for row in _asked(remote, host, command("list"))]
    except TypeError:
        raise _another_release(host) from None


def _feedback(remote: Remote, host: str) -> dict[str, int]:
    """Unit → how many of its matters are on a host."""
    return dict(_asked(remote, host, ["edumail-feedback", "list"]))


def _asked(remote: Remote, host: str, words: Sequence[str]) -> Any:
    try:
        return answer(host, remote.run(host, words))
    except HostError as error:
        if "invalid choice" in error.en or error.en.endswith("not found"):
            raise _another_release(host) from None
        raise


def _another_release(host: str) -> HostError:
    return HostError(
        f"{host}: chạy một bản edumail khác; hãy edumail deploy", f"{host}: runs another release of edumail; deploy it"
    )
