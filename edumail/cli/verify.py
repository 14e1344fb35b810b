"""``edumail verify``: what of the circular holds on each unit's hosts. ``pytest tests/circular`` asks the same."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from edumail.circular.assessment import written
from edumail.cli.arguments import add_inventory
from edumail.cli.audit import INCOMPLETE, add_questions, audit, status
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.verdict_table import conclude, tell
from edumail.load import load


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say(
        "đối chiếu máy chủ đang chạy với Thông tư 37/2020, không thay đổi gì",
        "assess the live hosts against Circular 37/2020, changing nothing",
    )
    parser = commands.add_parser(
        "verify",
        help=summary,
        description=summary
        + say(
            ". Mã thoát: 0 không có điểm nào không đạt, 1 có, 2 lần kiểm tra chưa trọn vẹn.",
            ". Exit status: 0 no fail, 1 some fail, 2 the run was incomplete.",
        ),
    )
    add_inventory(parser)
    add_questions(parser)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help=say("ghi mọi kết luận ra tệp JSON", "write all verdicts as JSON")
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help=say("ghi báo cáo ra một tệp HTML", "write a report as one HTML file")
    )
    parser.add_argument(
        "--evidence", action="store_true", help=say("in bằng chứng của mọi kết luận", "print each verdict's evidence")
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Ask the hosts, print the table, write the files."""
    province = load(args.inventory)
    for path in (args.json, args.html):
        _refuse_what_can_not_be_written(path)
    assessment, log = audit(args, province)
    tell(province, assessment.findings, assessment.asked, args.evidence)
    if args.json:
        _write(args.json, written(assessment))
    if args.html:
        from edumail.circular.page import page
        from edumail.circular.ranking import ranked
        from edumail.circular.sheet import no_sheet

        sheet = no_sheet()
        _write(args.html, [page(province, assessment, sheet, ranked(province, assessment, sheet))])
    conclude(assessment, log)
    return status(assessment)


def _refuse_what_can_not_be_written(path: Path | None) -> None:
    """Before the audit, not after it."""
    if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
        raise UserError(f"không ghi được {path}", f"can't write {path}", INCOMPLETE)


def _write(path: Path, pieces: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
    print(say(f"Đã ghi {path}", f"Wrote {path}"))
