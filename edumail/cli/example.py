"""``edumail example``: an invented province to try things on."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from edumail.cli.arguments import refuse_filled
from edumail.cli.language import Commands, Parser, UserError, say


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("viết ra inventory của một tỉnh tưởng tượng", "write the inventory of an invented province")
    parser = commands.add_parser(
        "example",
        help=summary,
        description=summary
        + say(
            ". Cùng --units và --seed luôn cho cùng nội dung. Không có đơn vị hay người nào trong đó là thật.",
            ". The same --units and --seed always give the same bytes. No unit and no person in it exists.",
        ),
    )
    parser.add_argument(
        "--units", type=int, default=100, metavar="N", help=say("số đơn vị (mặc định 100)", "units (default 100)")
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="S",
        help=say("số chọn tỉnh nào được tưởng tượng (mặc định 1)", "which province is invented (default 1)"),
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help=say("thư mục mới hoặc còn trống", "a new or an empty folder")
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write the files of the province."""
    from edumail.example import MAX_UNITS, generate, write

    folder: Path = args.folder
    if not 1 <= args.units <= MAX_UNITS:
        raise UserError(
            f"--units phải từ 1 đến {MAX_UNITS}, không phải {args.units}",
            f"--units must be between 1 and {MAX_UNITS}, not {args.units}",
            status=2,
        )
    refuse_filled(folder)
    files = generate(args.units, args.seed)
    write(files, folder)
    print(
        say(
            f"Đã viết {len(files)} tệp vào {folder}. Thử: edumail check {folder}",
            f"Wrote {len(files)} files to {folder}. Try: edumail check {folder}",
        )
    )
    return 0
