"""``edumail check``: is the inventory sound?"""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, datetime

from edumail.certificates import open_supplied
from edumail.cli.arguments import add_inventory
from edumail.cli.language import Commands, Parser, say
from edumail.cli.problems import print_notes, print_problems
from edumail.cli.terminal import Status
from edumail.groups import Groups
from edumail.load import load
from edumail.portal.load import Contents
from edumail.problems import InventoryError, Problem
from edumail.units import Units


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("kiểm tra toàn bộ inventory, báo mọi lỗi một lần", "check a whole inventory, all mistakes at once")
    parser = commands.add_parser(
        "check",
        help=summary,
        description=say(
            "Kiểm tra inventory. Mỗi lỗi một dòng «tệp:dòng:cột: cách sửa» trên stdout. Mã thoát: 0 đúng, 1 có lỗi.",
            "Check an inventory. One line a mistake, 'file:line:column: what to do', on stdout. "
            "Exit status: 0 sound, 1 mistakes.",
        ),
    )
    add_inventory(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print the mistakes, or what the inventory holds."""
    try:
        province = load(args.inventory)
        supply = open_supplied(province, args.inventory, datetime.now(UTC))
        if problems := _read(Contents(args.inventory, province)):
            raise InventoryError(problems)
    except InventoryError as error:
        # Here the mistakes are the result that was asked for; every other command has them on stderr.
        print_problems(error.problems, sys.stdout)
        return 1
    print_notes(supply.notes)
    groups = len(Groups(Units(province)).all)
    domains = len({unit.domain for unit in province.units.values()})
    print(
        say(
            f"{province.settings.name}: không có lỗi. {len(province.units)} đơn vị, {len(province.people)} người, "
            f"{len(province.hosts)} máy chủ, {groups} nhóm thư, {domains} tên miền thư.",
            f"{province.settings.name_en}: no mistakes. {len(province.units)} units, {len(province.people)} people, "
            f"{len(province.hosts)} hosts, {groups} groups, {domains} mail domains.",
        )
    )
    return 0


def _read(contents: Contents) -> list[Problem]:
    """The mistakes in what units publish; whoever waits sees how far it is."""
    status, total = Status(), len(contents.units)

    def progress(number: int) -> None:
        if number % 50 == 0 and total > 100:
            status.now(say(f"Đọc nội dung cổng {number}/{total}", f"Reading portal content {number}/{total}"))

    try:
        return contents.problems(progress)
    finally:
        status.clear()
