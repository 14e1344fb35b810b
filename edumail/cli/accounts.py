"""``edumail accounts``: slips by which people begin, and passwords that come from another mail system."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import tempfile
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from edumail.cli.arguments import add_inventory, refuse_no_font, unknown
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.remote import Remote
from edumail.load import load
from edumail.model import Province, Unit
from edumail.problems import InventoryError, Problem, Where

if TYPE_CHECKING:
    from edumail.slips import Heading

_HANOI = timedelta(hours=7)


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("phiếu kích hoạt, mật khẩu từ hệ thống cũ", "activation slips, passwords of an older system")
    parser = commands.add_parser("accounts", help=summary, description=summary)
    parts = parser.add_subparsers(dest="part", required=True, metavar=say("VIỆC", "WHAT"))
    slips = parts.add_parser(
        "slips",
        help=say("phiếu kích hoạt của một đơn vị, một tệp PDF để in", "a unit's activation slips, a PDF to print"),
        description=say(
            "Cấp mã dùng một lần cho mọi người của đơn vị chưa kích hoạt và chưa có mã, trừ người bị tạm khóa, và viết "
            "phiếu vào một tệp PDF. Mã chỉ có trong tệp ấy. Triển khai trước, để tài khoản có trên máy chủ.",
            "Issues a one-time code to everybody of the unit who has not begun, has no code and is not suspended, and "
            "writes the slips into a PDF. The codes are in that file alone. Deploy first, so that the accounts are "
            "there.",
        ),
    )
    add_inventory(slips)
    slips.add_argument("unit", metavar="UNIT", help=say("id của đơn vị", "the unit's id"))
    slips.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("tệp PDF mới; tệp đã có thì không ghi đè", "a new file; nothing is overwritten"),
    )
    slips.add_argument(
        "--again",
        nargs="+",
        default=[],
        metavar="ADDRESS",
        help=say(
            "cấp lại cho những địa chỉ này, mã cũ hết hiệu lực",
            "new codes for these addresses; their old ones stop working",
        ),
    )
    slips.set_defaults(run=_slips)
    taken = parts.add_parser(
        "take-over",
        help=say("nhận mật khẩu đã băm của hệ thống cũ", "take over hashed passwords of an older mail system"),
        description=say(
            "Tệp CSV: ĐỊA CHỈ,BĂM mỗi dòng. Chỉ cho tài khoản chưa ai dùng; mật khẩu đã chọn ở đây thì giữ nguyên.",
            "A CSV file of ADDRESS,HASH. Only for accounts that nobody has used; a password chosen here is never "
            "replaced.",
        ),
    )
    add_inventory(taken)
    taken.add_argument("file", type=Path, metavar="FILE")
    taken.set_defaults(run=_take_over)


def _slips(args: Namespace) -> int:
    """Issue the codes and write the slips. Whatever can go wrong here does so before a code is issued."""
    from edumail.slips import Slip, pdf
    from roles.selfservice.render import url

    province = load(args.inventory)
    if args.unit not in province.units:
        raise unknown(args.unit, province.units, "đơn vị", "unit")
    unit = province.units[args.unit]
    host = province.hosts[unit.host]
    heading = _heading(province, unit)
    with _new_file(args.out) as file:
        refuse_no_font()
        with Remote(province) as remote:
            words = ["edumail-accounts", "codes", unit.id, *(address.lower() for address in args.again)]
            found = json.loads(remote.run(host.name, words))
        slips = [
            Slip(
                row["name"],
                row["address"],
                row["code"],
                (datetime.fromtimestamp(row["expires"], UTC) + _HANOI - timedelta(days=1)).date(),  # the last whole day
                url(province, host, f"kich-hoat?dia-chi={quote(row['address'])}"),
            )
            for row in sorted(found["codes"], key=lambda row: row["name"].split()[::-1])
        ]
        if slips:
            file.write_bytes(pdf(heading, slips))
    kept, suspended = found["kept"], found.get("suspended", [])
    if kept:
        vi = f"{len(kept)} người đã có mã còn hạn, không cấp lại (--again để cấp lại): {', '.join(kept)}"
        en = f"{len(kept)} have a code that still works and got none (--again gives one): {', '.join(kept)}"
        print(say(vi, en), file=sys.stderr)
    if suspended:
        vi = f"{len(suspended)} người bị tạm khóa, không cấp mã (--again để mở lại): {', '.join(suspended)}"
        en = f"{len(suspended)} are suspended and got none (--again opens them again): {', '.join(suspended)}"
        print(say(vi, en), file=sys.stderr)
    if not slips:
        print(say(f"{unit.name}: không ai cần phiếu mới", f"{unit.name}: nobody needs a new slip"))
        return 0
    print(say(f"{args.out}: {len(slips)} phiếu, {unit.name}", f"{args.out}: {len(slips)} slips, {unit.name}"))
    return 0


def _heading(province: Province, unit: Unit) -> Heading:
    from edumail.slips import Heading
    from edumail.units import Units

    officer = Units(province).officer(unit)
    assert officer is not None  # edumail check asks for one
    return Heading(
        province=province.settings.name,
        unit=unit.name,
        page=province.settings.accounts_name,
        webmail=province.settings.front_name,
        officer=officer.name,
    )


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that becomes it at the end if something was written; for its owner alone."""
    if path.exists():
        raise UserError(
            f"{path} đã có; chọn tên khác, tệp cũ có thể còn mã chưa phát",
            f"{path} is there already; choose another name, the old file may hold codes not yet handed over",
        )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    os.close(handle)
    new = Path(name)
    try:
        yield new
        if new.stat().st_size:
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _take_over(args: Namespace) -> int:
    """Hand each host the hashes of its accounts."""
    from edumail.mail import Mail

    province = load(args.inventory)
    home = Mail(province).home
    people = {person.address for person in province.people}
    by_host: dict[str, list[tuple[str, str]]] = defaultdict(list)
    problems = []
    try:
        rows = list(csv.reader(args.file.read_text("utf-8-sig").splitlines(), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{args.file}: không đọc được CSV: {error}", f"{args.file}: not CSV: {error}") from None
    for number, row in enumerate(rows, start=1):
        address = row[0].strip().lower() if row else ""
        if len(row) != 2 or address not in people:
            problems.append(
                Problem(
                    Where(str(args.file), number),
                    "take-over",
                    "cần ĐỊA CHỈ,BĂM, địa chỉ của một người trong inventory",
                    "needs ADDRESS,HASH, the address of a person of the inventory",
                )
            )
        else:
            by_host[home[address]].append((address, row[1].strip()))
    if problems:
        raise InventoryError(problems)
    found = {}
    with Remote(province) as remote:
        for host, pairs in sorted(by_host.items()):
            text = "".join(f"{address},{value}\n" for address, value in pairs)
            found[host] = json.loads(remote.run(host, ["edumail-accounts", "take-over", "-"], text.encode()))
    for host, done in found.items():
        taken, left = len(done["taken"]), done["left"]
        print(say(f"{host}: nhận {taken}", f"{host}: {taken} taken"))
        for address in left:
            print(
                say(
                    f"  {address}: đã được dùng ở đây hoặc chưa triển khai, giữ nguyên",
                    f"  {address}: has been used here or is not deployed yet, left as it is",
                )
            )
    return 0
