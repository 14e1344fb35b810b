"""``edumail group``: what a group is, whom it reaches, who may write to it, and why."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches

from edumail.cli.arguments import add_inventory
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.terminal import plain
from edumail.groups import Expansion, Groups
from edumail.load import load_with_places
from edumail.mail import Mail
from edumail.model import Province, Rule
from edumail.policies import Posting
from edumail.posting import OPEN, PROVINCE
from edumail.problems import Where
from edumail.sources import Sources
from edumail.spread import expanding

_POSTING: dict[Posting, tuple[str, str]] = {
    "holders": ("người giữ nhóm: {}", "the group's holders: {}"),
    "members": ("thành viên của nhóm {}", "the members of {}"),
    "unit": ("người của đơn vị {}", "the staff of {}"),
    "branch": (
        "người của {}, của mọi đơn vị bên dưới và của các đơn vị bên trên",
        "the staff of {}, of all units below it and of those above it",
    ),
    "province": ("mọi người trong tỉnh, sau khi đăng nhập", "everybody of the province, signed in"),
    "anyone": ("bất kỳ ai, kể cả người ngoài", "whoever writes, strangers too"),
}


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("giải thích một nhóm thư, hoặc liệt kê mọi nhóm", "explain a group, or list them all")
    parser = commands.add_parser(
        "group",
        help=summary,
        description=summary
        + say(
            ": quy tắc và nơi viết ra nó, ai nhận, ai được gửi và vì sao, máy nào phân phát.",
            ": its rule and where that is written, whom it reaches, who may write and why, which hosts expand it.",
        ),
    )
    add_inventory(parser)
    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help=say("địa chỉ của nhóm; bỏ trống để liệt kê", "the group's address; without it all are listed"),
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print the group, or a line for each."""
    province, sources = load_with_places(args.inventory)
    mail = Mail(province)
    if args.address is None:
        for address, group in sorted(mail.groups.all.items()):
            members = len(mail.groups.mailboxes(address))
            print(f"{address}  {members}  {_narrowest(mail, address)}  {group.name}")
        return 0
    address = args.address.strip().lower()
    target = mail.groups.former.get(address, address)
    if target not in mail.groups.all:
        raise _unknown(mail, address, target)
    if target != address:
        (until,) = (former.until for former in province.former if former.address == address)
        print(
            say(f"{address}: địa chỉ cũ của {target}, đến hết ngày {until}", f"{address}: old, {target} until {until}")
        )
    for label, text in _lines(mail, sources, mail.groups.all[target]):
        print(f"{label:<10} {text}")
    return 0


def _lines(mail: Mail, sources: Sources, group: Expansion) -> Iterator[tuple[str, str]]:
    province = mail.province
    unit = province.units[group.unit]
    yield say("Nhóm", "group"), f"{group.address} ({group.name})"
    yield say("Đơn vị", "unit"), f"{unit.id} ({unit.name})"
    where, rule = _origin(province, sources, group)
    yield say("Quy tắc", "rule"), f"{where}: {rule}" if where else rule
    yield from _permissions(mail, group)
    yield from _hosts(mail, group)
    mailboxes = sorted(mail.groups.mailboxes(group.address))
    yield say("Người nhận", "members"), str(len(mailboxes))
    for address in mailboxes:
        box = mail.mailboxes[mail.home[address]][address]
        posts: tuple[str, ...] = ()
        if box.person is not None:
            posts = tuple(province.posts[post].name for post in mail.units.person[box.person].posts)
        yield "", f"{address}  {box.name}  {', '.join(posts) or '–'}  {box.unit}"


def _origin(province: Province, sources: Sources, group: Expansion) -> tuple[Where | None, str]:
    """Where the group is written, and what its rule says."""
    if group.template is not None:
        rule = province.standard_groups[group.template].members
        text = say(f"nhóm mặc định «{group.template}»", f"standard group '{group.template}'")
        return sources.at("standard_group", group.template), f"{text}, {_said(rule)}"
    for written in province.groups:
        if written.address == group.address:
            return sources.at("group", group.address), _said(written.members)
    for index, section in enumerate(province.units[group.unit].sections):
        if section.address == group.address:
            text = say(f"mọi người của tổ «{section.id}»", f"everybody of section '{section.id}'")
            return sources.at("unit", group.unit, "sections", index), text
    return None, say("tên chuẩn của mọi tên miền thư (RFC 2142)", "a name that every mail domain has (RFC 2142)")


def _said(rule: Rule) -> str:
    """A rule as it is written, without what it leaves out."""
    values = rule.model_dump(exclude_defaults=True)
    texts = (
        f"{key}: {', '.join(value) if isinstance(value, (list, tuple)) else value}" for key, value in values.items()
    )
    return "; ".join(text.replace("True", "true") for text in texts)


def _permissions(mail: Mail, group: Expansion) -> Iterator[tuple[str, str]]:
    """The group's own rule, those of the groups inside it that narrow it, and how many pass them all."""
    inside = mail.groups.inside(group.address)
    rule = mail.permissions.rule(group.address)
    for address in inside:
        own = mail.permissions.own(address)
        if address == group.address:
            yield say("Ai gửi", "posting"), _class(mail.groups, mail.groups.all[address])
        elif own - (PROVINCE if rule != PROVINCE else OPEN):
            text = _class(mail.groups, mail.groups.all[address])
            yield "", say(f"và vì chứa {address}: {text}", f"and because it holds {address}: {text}")
    if rule not in (OPEN, PROVINCE):
        passing = mail.permissions.passing(rule)
        count = len(passing)
        some = ", ".join(sorted(passing)[:5]) + (", …" if count > 5 else "")
        yield "", say(f"tất cả {count} địa chỉ gửi được: {some}", f"{count} senders in all: {some}")


def _class(groups: Groups, group: Expansion) -> str:
    vi, en = _POSTING[group.posting]
    about = group.unit if group.posting in ("unit", "branch") else group.address
    if group.posting == "holders":
        about = ", ".join(sorted(groups.holders(group.address)))
    return f"{group.posting}: {say(vi, en).format(about)}"


def _narrowest(mail: Mail, address: str) -> str:
    """The classes that decide who may write."""
    return "+".join(sorted({posting for posting, _ in mail.permissions.rule(address)})) or "anyone"


def _hosts(mail: Mail, group: Expansion) -> Iterator[tuple[str, str]]:
    counts = Counter(mail.home[mailbox] for mailbox in mail.groups.mailboxes(group.address))
    found = expanding(mail.home[group.address], mail.gateway.name, counts)
    hosts = ", ".join(host for host in mail.province.hosts if host in found)
    shares = ", ".join(f"{host} {count}" for host, count in sorted(counts.items()))
    yield (
        say("Máy chủ", "hosts"),
        say(
            f"{hosts} phân phát; người nhận ở: {shares}",
            f"expanded on {hosts}; members on: {shares}",
        ),
    )


def _unknown(mail: Mail, address: str, target: str) -> UserError:
    if target in mail.home:
        return UserError(
            f"{address} là hộp thư{f' cũ của {target}' if target != address else ''}, không phải nhóm",
            f"{address} is {f'an old address of {target}' if target != address else 'a mailbox'}, not a group",
        )
    shown = plain(address)
    near = get_close_matches(address, [*mail.groups.all, *mail.groups.former], n=3)
    return UserError(
        f"không có nhóm {shown}" + (f"; gần giống: {', '.join(near)}" if near else ""),
        f"there is no group {shown}" + (f"; similar: {', '.join(near)}" if near else ""),
    )
