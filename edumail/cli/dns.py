"""``edumail dns``: the province's zone files, and whether the name servers have them."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

from edumail.cli.arguments import add_inventory
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.load import load


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("in ra tệp zone DNS của tỉnh", "print the province's DNS zone files")
    parser = commands.add_parser(
        "dns",
        help=summary,
        description=summary
        + say(
            ", từ inventory và từ những gì máy chủ đã công bố (published/). Không cần máy chủ nào đang chạy.",
            ", from the inventory and what its hosts have published (published/). No host need be up.",
        ),
    )
    add_inventory(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=say("ghi mỗi zone vào DIR/<zone>.zone thay vì in ra", "write each zone to DIR/<zone>.zone, not to stdout"),
    )
    parser.add_argument(
        "--serial",
        type=_serial,
        metavar="N",
        help=say("số serial của SOA (mặc định: giờ Unix hiện tại)", "serial of the SOA (default: Unix time now)"),
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help=say(
            "so các zone với câu trả lời của từng máy chủ tên trong province.yml; mã kết thúc 0: như nhau, 1: có khác, "
            "2: có máy chủ không trả lời",
            "compare the zones with what each name server of province.yml answers; exit status 0: equal, "
            "1: differences, 2: a server did not answer",
        ),
    )
    parser.set_defaults(run=run)


def _serial(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise ArgumentTypeError(say("phải là số từ 0 đến 2³²−1", "must be a number from 0 to 2³²−1"))
    return int(text)


def run(args: Namespace) -> int:
    """Print the zones, write each to its file, or compare them with the live ones."""
    from edumail.dns import zones

    province = load(args.inventory)
    if args.check:
        if args.out is not None or args.serial is not None:
            raise UserError(
                "--check không đi với --out hay --serial", "--check goes with neither --out nor --serial", 2
            )
        from edumail.cli.dnscheck import check

        return check(province)
    texts = zones(province, int(time.time()) if args.serial is None else args.serial)
    if args.out is None:
        sys.stdout.write("\n".join(texts.values()))
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    for apex, text in texts.items():
        path = args.out / f"{apex}.zone"
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0
