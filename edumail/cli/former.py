"""``edumail former``: the addresses that an edit of the tree leaves behind, as entries of ``former.yml``."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from datetime import UTC, date, datetime
from pathlib import Path

from edumail.cli.arguments import add_inventory
from edumail.cli.language import Commands, Parser, say
from edumail.former import changed_hands, left_behind
from edumail.load import load


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("địa chỉ cũ sau khi đổi tên, sáp nhập đơn vị", "the old addresses after units were renamed or merged")
    parser = commands.add_parser(
        "former",
        help=summary,
        description=summary
        + say(
            ": so hai inventory và in các mục cho former.yml. Mục không tự tìm được nơi đến thì để trống «to».",
            ": compares two inventories and prints entries for former.yml. Where nothing tells which address takes the "
            "place of an old one, 'to' is left empty.",
        ),
    )
    parser.add_argument(
        "before", type=Path, metavar="BEFORE", help=say("inventory trước khi sửa", "the inventory before the edit")
    )
    add_inventory(parser)
    parser.add_argument(
        "--until",
        type=_day,
        required=True,
        metavar="DAY",
        help=say("ngày cuối cùng còn nhận thư, như 2027-06-30", "the last day on which they receive: 2027-06-30"),
    )
    parser.set_defaults(run=run)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ArgumentTypeError(say("phải là một ngày, như 2027-06-30", "must be a day, such as 2027-06-30")) from None


def run(args: Namespace) -> int:
    """Print an entry for each; what no entry can mend goes to standard error, so that it does not land in the file."""
    before, after = load(args.before), load(args.inventory)
    for address, to in left_behind(before, after).items():
        print(f"- {{address: {address}, to: {to or ''}, until: {args.until}}}")
    for address, to in changed_hands(before, after).items():
        old = to or say("chủ cũ", "whoever had it before")
        print(
            say(
                f"{address} có chủ khác: thư gửi tới đó không còn đến {old}. Báo cho người gửi, hoặc chọn địa chỉ khác",
                f"{address} has another owner now: mail to it no longer reaches {old}. Tell those who write to it, or "
                "choose another address",
            ),
            file=sys.stderr,
        )
    return 0
