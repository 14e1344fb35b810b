"""``edumail roster``: the staff of a unit, from a spreadsheet as its school has it."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from edumail.cli.arguments import add_inventory, unknown
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.problems import print_notes, print_problems
from edumail.cli.terminal import plain
from edumail.load import look
from edumail.model import Person, Province
from edumail.people import journal
from edumail.people.intake import Intake, prepare
from edumail.people.plan import KINDS, Kind, Line, Wish
from edumail.problems import InventoryError
from edumail.units import Units


def add_parser(commands: Commands[Parser]) -> None:
    """Make the commands known."""
    summary = say("nhân sự của một đơn vị", "the staff of a unit")
    parser = commands.add_parser("roster", help=summary, description=summary)
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("VIỆC", "ACTION"))
    _add_import(actions)


def _add_import(actions: Commands[Parser]) -> None:
    summary = say("nhập danh sách từ bảng tính (CSV, XLSX)", "take a list from a spreadsheet (CSV, XLSX)")
    parser = actions.add_parser(
        "import",
        help=summary,
        description=summary
        + say(
            ". Trước tiên in kế hoạch: ai mới, trở lại, chuyển đến, thay đổi, nghỉ, chưa rõ là ai; rồi hỏi, rồi mới "
            "ghi. Có lỗi hay chưa rõ thì không ghi gì. Mã thoát: 0 đã ghi hoặc không có gì để ghi, 1 không ghi.",
            ". First prints the plan: who is new, came back, moved here, changed, left, who is in doubt; then asks, "
            "then writes. With a mistake or a doubt nothing is written. Exit status: 0 written, or nothing to write; "
            "1 not.",
        ),
    )
    add_inventory(parser)
    parser.add_argument("unit", metavar="UNIT", help=say("mã đơn vị", "the unit's id"))
    parser.add_argument("file", type=Path, metavar="FILE", help=say("bảng tính", "the spreadsheet"))
    parser.add_argument(
        "--sheet", metavar="NAME", help=say("trang tính, nếu có nhiều", "the sheet, if there are several")
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help=say("tệp không có đủ cả đơn vị: không ai nghỉ", "the file lists a part of the staff: nobody leaves"),
    )
    parser.add_argument(
        "--until",
        type=_day,
        metavar="DAY",
        help=say(
            "ngày cuối địa chỉ cũ của người chuyển đến còn nhận thư, như 2027-06-30",
            "the last day on which old addresses of those who move receive: 2027-06-30",
        ),
    )
    parser.add_argument(
        "--leavers",
        type=int,
        metavar="N",
        help=say("xác nhận có N người nghỉ, khi đó là quá nửa", "confirm that N leave, where that is more than half"),
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--plan", action="store_true", help=say("chỉ in kế hoạch", "print the plan and write nothing"))
    either.add_argument("--yes", "-y", action="store_true", help=say("ghi, không hỏi", "write without asking"))
    parser.set_defaults(run=run)


def _day(text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ArgumentTypeError(say("phải là một ngày, như 2027-06-30", "must be a day, such as 2027-06-30")) from None
    if day < datetime.now(UTC).date():
        raise ArgumentTypeError(say("ngày đã qua", "the day is past"))
    return day


def run(args: Namespace) -> int:
    """Show the plan, and do it."""
    if not args.inventory.is_dir():
        raise InventoryError(look(args.inventory).problems)
    try:
        with journal.alone(args.inventory):
            return _import(args)
    except journal.Busy:
        raise UserError(
            f"một lần nhập khác đang làm việc trong {args.inventory}; đợi xong rồi chạy lại",
            f"another import is at work in {args.inventory}; wait for it and run this again",
        ) from None
    except journal.Conflict as conflict:
        raise UserError(
            f"{conflict.file} vừa bị sửa trong lúc nhập; xem lại tệp đó, xóa {journal.JOURNAL} nếu có, rồi chạy lại",
            f"{conflict.file} was changed during the import; look at it, delete {journal.JOURNAL} if it is there, and "
            "run this again",
        ) from None


def _import(args: Namespace) -> int:
    if not args.plan and (files := journal.finish(args.inventory)):
        names = ", ".join(files)
        _tell(f"đã ghi nốt lần nhập bị ngắt trước đó: {names}", f"wrote the rest of an import that was cut: {names}")
    survey = look(args.inventory)
    province = survey.province
    if province is None or survey.unread:
        raise InventoryError(survey.unread)
    if args.unit not in province.units:
        raise unknown(args.unit, province.units, "đơn vị", "unit")
    wish = Wish(args.partial, args.until, args.leavers)
    content = args.file.read_bytes()
    intake = prepare(args.inventory, survey, args.unit, str(args.file), content, wish, args.sheet)
    plan = intake.plan
    print_notes(plan.notes)
    _print_plan(intake)
    if plan.refused:
        print_problems(plan.refused, sys.stderr)
        _tell(
            "không ghi gì; sửa bảng tính rồi chạy lại", "nothing was written; mend the spreadsheet and run this again"
        )
        return 1
    if intake.broken:
        print_problems(intake.broken, sys.stderr)
        _tell(
            "không ghi gì: sau khi nhập, inventory sẽ có các lỗi trên; sửa rồi chạy lại",
            "nothing was written: the import would leave these mistakes in the inventory; mend them and run this again",
        )
        return 1
    if not intake.changes or args.plan:
        return 0
    if not _agreed(args):
        return 1
    journal.write(args.inventory, intake.changes)
    written = ", ".join(change.file for change in intake.changes)
    print(say(f"Đã ghi: {written}", f"Written: {written}"))
    if intake.unsound:
        _tell(
            "inventory còn lỗi từ trước; xem: edumail check",
            "mistakes of before are still there; see: edumail check",
        )
    return 0


def _agreed(args: Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        _tell("không ghi gì: thêm --yes để ghi", "nothing was written: add --yes to write")
        return False
    print(
        say("Ghi vào inventory? [y/N] ", "Write this into the inventory? [y/N] "), end="", flush=True, file=sys.stderr
    )
    if sys.stdin.readline().strip().lower() in ("y", "yes", "c", "có", "co"):
        return True
    _tell("không ghi gì", "nothing was written")
    return False


def _tell(vi: str, en: str) -> None:
    print(say(vi, en), file=sys.stderr)


# The plan as a table

_LABELS: dict[Kind, tuple[str, str]] = {
    "new": ("mới", "new"),
    "returned": ("trở lại", "back"),
    "moved": ("chuyển đến", "moved"),
    "changed": ("thay đổi", "changed"),
    "left": ("nghỉ", "left"),
}


def _print_plan(intake: Intake) -> None:
    plan, province = intake.plan, intake.before
    unit = province.units[plan.unit]
    print(f"{unit.name} ({unit.id})")
    rows = [_row(province, line) for line in plan.lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        print(plain("  " + "  ".join([*cells, row[-1]]).rstrip()))
    if not plan.refused:
        for line in _handed_over(province, intake.after):
            print(plain(f"  {line}"))
    counts = [f"{say(*_LABELS[kind])} {len(plan.of(kind))}" for kind in KINDS]
    counts += [say(f"không đổi {plan.unchanged}", f"unchanged {plan.unchanged}")]
    counts += [say(f"chưa rõ {len(plan.doubts)}", f"in doubt {len(plan.doubts)}")]
    print(", ".join(counts))


def _row(province: Province, line: Line) -> tuple[str, str, str, str, str]:
    someone = line.after or line.before
    assert someone is not None
    number = say(f"dòng {line.row}", f"row {line.row}") if line.row else "–"
    return (say(*_LABELS[line.kind]), number, someone.id, someone.name, "; ".join(_details(province, line)))


def _details(province: Province, line: Line) -> Iterator[str]:
    before, after = line.before, line.after
    if after is None:
        assert before is not None
        yield before.address
    elif line.kind == "changed":
        assert isinstance(before, Person)
        if before.name != after.name:
            yield say(f"tên: {before.name} → {after.name}", f"name: {before.name} → {after.name}")
        if before.section != after.section:
            change = f"{before.section or '–'} → {after.section or '–'}"
            yield say(f"tổ: {change}", f"section: {change}")
        if before.posts != after.posts:
            change = f"{_posts(province, before.posts)} → {_posts(province, after.posts)}"
            yield say(f"chức vụ: {change}", f"posts: {change}")
    else:
        if before is not None and before.unit != after.unit:
            yield say(f"từ {before.unit}", f"from {before.unit}")
        if before is not None and before.address != after.address:
            yield f"{before.address} → {after.address}"
        else:
            yield after.address
        if after.section:
            yield after.section
        if after.posts:
            yield _posts(province, after.posts)


def _posts(province: Province, posts: tuple[str, ...]) -> str:
    return ", ".join(province.posts[code].name for code in posts) or "–"


def _handed_over(before: Province, after: Province) -> Iterator[str]:
    """The shared mailboxes that get other holders, without whom nobody would know."""
    was, now = _holders(before), _holders(after)
    for address, names in now.items():
        if (old := was.get(address)) is not None and old != names:
            yield say(
                f"hộp thư {address}: {_named(old)} → {_named(names)}",
                f"mailbox {address}: {_named(old)} → {_named(names)}",
            )


def _named(people: dict[str, str]) -> str:
    return ", ".join(people.values()) or "–"


def _holders(province: Province) -> dict[str, dict[str, str]]:
    units = Units(province)
    return {
        mailbox.address: {person.id: person.name for person in people}
        for unit in units.units.values()
        for mailbox, people in units.shared(unit)
    }
