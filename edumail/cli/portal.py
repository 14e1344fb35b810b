"""``edumail portal``: what the portals of units still lack, and their pages to look at."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path

from edumail.cli.arguments import add_inventory, refuse_filled, unknown
from edumail.cli.language import Commands, Parser, say
from edumail.cli.terminal import Status
from edumail.load import load
from edumail.problems import InventoryError, Problem
from edumail.tree import File


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("các mục còn thiếu trên cổng của đơn vị", "what the portals of units still lack")
    parser = commands.add_parser(
        "portal",
        help=summary,
        description=say(
            "Với mỗi đơn vị: các mục mà Thông tư 37/2020 bắt buộc và còn thiếu hoặc chưa đủ, từng nội dung một. "
            "Mã thoát: 0 đủ, 1 còn thiếu.",
            "For each unit: the sections that Circular 37/2020 asks of it and that are missing or incomplete, field by "
            "field. Exit status: 0 nothing is missing, 1 something is.",
        ),
    )
    add_inventory(parser)
    parser.add_argument("unit", metavar="UNIT", nargs="?", help=say("chỉ đơn vị này", "this unit only"))
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=say(
            "viết các trang của đơn vị vào DIR/<đơn vị>/ để xem trước; thư mục mới hoặc còn trống",
            "write each unit's pages to DIR/<unit>/ to look at; a new or an empty folder",
        ),
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print what is missing; write the pages if asked."""
    from edumail.portal.load import Contents
    from edumail.portal.sections import BY_ID, SECTIONS, incomplete
    from edumail.portal.site import Portals

    province = load(args.inventory)
    if args.unit is not None and args.unit not in province.units:
        raise unknown(args.unit, province.units, "đơn vị", "unit")
    if args.out is not None:
        refuse_filled(args.out)
    portals = Portals(province, Contents(args.inventory, province))
    units = [province.units[args.unit]] if args.unit else sorted(province.units.values(), key=lambda unit: unit.id)
    status, lacking, problems = Status(), 0, list[Problem]()
    try:
        for number, unit in enumerate(units, start=1):
            if len(units) > 1:
                status.now(say(f"Cổng {number}/{len(units)}", f"Portal {number}/{len(units)}"))
            try:
                content = portals.contents.of(unit.id)
                view = portals.views.of(unit)
                found = incomplete(view, content)
                if args.out is not None:
                    _write(args.out / unit.id, portals.unit(unit))
            except InventoryError as error:
                problems += error.problems
                continue
            status.clear()
            mandatory = sum(section.mandatory(view) for section in SECTIONS)
            lacking += bool(found)
            asked_and_lacking = sum(BY_ID[id].mandatory(view) for id in found)
            print(f"{unit.name} ({unit.id}): {_state(asked_and_lacking, mandatory)}")
            for id, lacks in found.items():
                section = BY_ID[id]
                words = "; ".join(say(lack.vi, lack.en) for lack in lacks)
                asked = ", ".join(section.requirements(view))
                print(f"  {say(section.vi, section.en)} {section.path} ({asked}): {words}")
    finally:
        status.clear()
    if problems:
        raise InventoryError(problems)
    if len(units) > 1:
        full = len(units) - lacking
        print(say(f"{full}/{len(units)} cổng đủ mục", f"{full} of {len(units)} portals have all sections"))
    if args.out is not None:
        example = args.out / units[0].id
        print(
            say("Xem thử: ", "To look at one: ") + f"python3 -m http.server --bind 127.0.0.1 --directory {example}",
            file=sys.stderr,
        )
    return 1 if lacking else 0


def _state(lacking: int, mandatory: int) -> str:
    if not lacking:
        return say(f"đủ {mandatory} mục bắt buộc", f"all {mandatory} mandatory sections are there")
    return say(
        f"còn thiếu {lacking} trong {mandatory} mục bắt buộc",
        f"{lacking} of {mandatory} mandatory sections lack something",
    )


def _write(folder: Path, files: Mapping[str, File]) -> None:
    """What the public sees of one unit, as the root of a web server."""
    for path, file in files.items():
        public = _public(path.split("/"))
        if public:
            target = folder.joinpath(*public)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)


def _public(parts: list[str]) -> Iterable[str]:
    if parts[0] == "sites":
        return parts[2:]
    return parts if parts[0] == "assets" else ()
