"""``edumail explain``: why a policy of a unit has its value."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from edumail.circular.catalogue import requirements
from edumail.cli.arguments import add_inventory, unknown
from edumail.cli.language import Commands, Parser, say
from edumail.explain import Explanation, explain
from edumail.load import load_with_places
from edumail.policies import SETTINGS, Origin, shown
from edumail.units import Units

_ORIGINS: dict[Origin, tuple[str, str]] = {
    "law": ("luật", "law"),
    "inference": ("suy luận", "inference"),
    "habit": ("thông lệ địa phương", "local habit"),
}


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("giải thích các chính sách thư của một đơn vị", "explain the mail policies of a unit")
    parser = commands.add_parser(
        "explain",
        help=summary,
        description=say(
            "Mỗi chính sách: giá trị, tệp và dòng đặt giá trị đó, giá trị nào của cấp trên bị thay, ai khóa, chương "
            "trình nào thực thi, phục vụ yêu cầu nào, số mặc định từ đâu ra.",
            "For each policy: its value, the file and line that set it, what of the levels above it replaced, who "
            "locked it, which program enforces it, which requirement it serves, where the default comes from.",
        ),
    )
    add_inventory(parser)
    parser.add_argument("unit", metavar="UNIT", help=say("mã đơn vị", "the unit's id"))
    parser.add_argument("setting", metavar="SETTING", nargs="?", help=say("chỉ chính sách này", "this policy only"))
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print what holds for the unit, and why."""
    if args.setting is not None and args.setting not in SETTINGS:
        raise unknown(args.setting, SETTINGS, "chính sách", "policy")
    province, sources = load_with_places(args.inventory)
    unit = province.units.get(args.unit)
    if unit is None:
        raise unknown(args.unit, province.units, "đơn vị", "unit")
    names = (args.setting,) if args.setting else tuple(SETTINGS)
    for number, found in enumerate(explain(Units(province), sources, unit, names)):
        if number:
            print()
        print(f"{found.name}: {shown(found.value)}")
        for label, text in _lines(found):
            print(f"  {label:<14}{text}")
    return 0


def _lines(found: Explanation) -> Iterator[tuple[str, str]]:
    setting = found.setting
    yield say("nghĩa", "meaning"), say(setting.vi, setting.en)
    yield say("đặt ở", "set at"), str(found.where)
    for value, where in found.overrode:
        yield say("thay cho", "instead of"), f"{shown(value)}  ({where})"
    if found.locked:
        yield say("bị khóa ở", "locked at"), str(found.locked)
    if found.tighten_only:
        yield say("chỉ siết từ", "only tighter"), str(found.tighten_only)
    yield say("thực thi", "enforced by"), setting.enforcer
    requirement = requirements()[setting.serves]
    yield say("phục vụ", "serves"), f"{requirement.id}: {say(requirement.vi, requirement.en)}"
    origin = say(*_ORIGINS[setting.origin]) + (f" ({setting.source})" if setting.source else "")
    yield say("mặc định", "default"), f"{shown(found.default)}, {origin}"
