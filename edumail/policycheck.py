"""What a level of the tree may not say of policies, given the levels above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edumail.groups import Groups
from edumail.inherit import NOTHING, Breach, Held, Mark, Place, descend, forbids
from edumail.model import Group, Unit
from edumail.policies import SETTINGS, PolicyLevel, shown
from edumail.posting import Permissions, Tag
from edumail.problems import Problem
from edumail.sources import Sources
from edumail.units import Units


def policy_problems(units: Units, sources: Sources) -> Iterator[Problem]:
    """Every attempt to set what is locked or to loosen what may only be tightened, and other mistakes in policies."""
    held: Mapping[str, Held] = NOTHING
    for name, level in units.province.levels.items():
        yield from _level(held, ("level", name), level, units, sources)
        held, _ = descend(held, ("level", name), level)
    limit = units.province.message_size_limit_mb
    for unit in units.units.values():
        yield from _level(units.held_above(unit), ("unit", unit.id), unit, units, sources)
        yield from _size_limit(unit, limit, units, sources)
    yield from _written_groups(units, sources)


def _level(
    above: Mapping[str, Held], place: Place, level: PolicyLevel, units: Units, sources: Sources
) -> Iterator[Problem]:
    _, breaches = descend(above, place, level)
    for breach in breaches:
        yield _breach(breach, sources)
    for index, name in enumerate(level.tighten_only):
        if SETTINGS[name].tighter is None:
            yield Problem(
                sources.at(*place, "tighten_only", index),
                "no-tighter",
                f"«{name}» không có chiều nào là chặt hơn; dùng «locked» nếu muốn giữ nguyên giá trị",
                f"no value of '{name}' is tighter than another; use 'locked' to keep its value",
            )
    posts = units.province.posts
    for post in level.policies.mailbox_quota_mb_by_post or ():
        if post not in posts and not sources.missing("post", post):
            yield Problem(
                sources.at(*place, "policies", "mailbox_quota_mb_by_post", post),
                "unknown-post",
                f"không có chức vụ «{post}»; dùng một trong: {', '.join(sorted(posts))}",
                f"there is no post '{post}'; use one of: {', '.join(sorted(posts))}",
            )


def _breach(breach: Breach, sources: Sources) -> Problem:
    name, now, before = breach.setting, shown(breach.value), shown(breach.above.value)
    mark = sources.at(*breach.mark)
    since = sources.at(*breach.above.said[-1][0], "policies", name)
    where = sources.at(*breach.place, "policies", name)
    if breach.mark[2] == "locked":
        return Problem(
            where,
            "locked-setting",
            f"«{name}: {now}» không được: bị khóa ở {mark}, giá trị {before} đặt ở {since}; xóa dòng này",
            f"'{name}: {now}' is not allowed: it is locked at {mark} to {before}, set at {since}; delete this line",
        )
    return Problem(
        where,
        "loosened-setting",
        f"«{name}: {now}» không được: theo {mark} chỉ được chặt hơn {before}, đặt ở {since}; siết lại hoặc "
        "xóa dòng này",
        f"'{name}: {now}' is not allowed: by {mark} it may only be tighter than {before}, set at {since}; tighten or "
        "delete this line",
    )


def _written_groups(units: Units, sources: Sources) -> Iterator[Problem]:
    """A group written at the address of one that comes by itself is no way round what is held for that one."""
    written = {group.address: group for group in units.province.groups}
    if not written:
        return
    groups = Groups(units)
    for unit in units.units.values():
        for address, _, name in groups.standard_addresses(unit):
            group, held = written.get(address), units.held_above(unit)[name]
            if group is None or not held.said or not (held.locked or held.tighten_only):
                continue
            if mark := forbids(name, group.posting, held):
                yield _loose_group(group, unit, name, mark, held, sources)
            elif group.posting in ("holders", "unit", "branch") and group.unit != unit.id and group.unit in units.units:
                mark = held.locked or held.tighten_only
                assert mark
                yield Problem(
                    sources.at("group", address, "unit"),
                    "foreign-group",
                    f"{address} là địa chỉ nhóm mặc định của đơn vị «{unit.id}», mà «{name}» bị ràng buộc ở "
                    f"{sources.at(*mark)}; ghi «unit: {unit.id}», hoặc chọn địa chỉ khác",
                    f"{address} is the address of a standard group of unit '{unit.id}', whose '{name}' is restrained "
                    f"at {sources.at(*mark)}; write 'unit: {unit.id}', or choose another address",
                )


def strange_members(units: Units, sources: Sources) -> Iterator[Problem]:
    """Such a group that its members may write to, and whose members are more than whoever may write where it stands.

    "members" is tighter than "unit" for a group of the unit's own people only. The tree and the groups are sound.
    """
    written = {group.address: group for group in units.province.groups if group.posting == "members"}
    groups = Groups(units)
    for unit in units.units.values() if written else ():
        for address, _, name in groups.standard_addresses(unit):
            held = units.held_above(unit)[name]
            mark = held.locked or held.tighten_only
            if address not in written or not mark or held.value not in ("members", "unit", "branch"):
                continue
            others = tuple(group for group in units.province.groups if group.address != address)
            standing = Permissions(Groups(Units(units.province.model_copy(update={"groups": others}))))
            tag: Tag = (held.value, address if held.value == "members" else unit.id)
            strangers = sorted(groups.mailboxes(address) - standing.passing(frozenset({tag})))
            if strangers:
                where, before = sources.at(*mark), shown(held.value)
                yield Problem(
                    sources.at("group", address, "members"),
                    "strange-members",
                    f"{address} là địa chỉ nhóm mặc định của đơn vị «{unit.id}», mà «{name}» bị ràng buộc ở {where}, "
                    f"giá trị {before}: {strangers[0]} không được gửi tới đó, nên không được là thành viên khi ghi "
                    "«posting: members»; bớt thành viên, hoặc chọn địa chỉ khác",
                    f"{address} is the address of a standard group of unit '{unit.id}', whose '{name}' is restrained "
                    f"at {where} to {before}: {strangers[0]} may not write there, and so can't be a member where "
                    "'posting' is 'members'; take members out, or choose another address",
                )


def _loose_group(group: Group, unit: Unit, name: str, mark: Mark, held: Held, sources: Sources) -> Problem:
    before, since = shown(held.value), sources.at(*held.said[-1][0], "policies", name)
    where = sources.at("group", group.address, "posting")
    vi = f"«posting: {group.posting}» không được: {group.address} là địa chỉ nhóm mặc định của đơn vị «{unit.id}», mà "
    en = (
        f"'posting: {group.posting}' is not allowed: {group.address} is the address of a standard group of unit "
        f"'{unit.id}', and "
    )
    if mark[2] == "locked":
        return Problem(
            where,
            "locked-setting",
            f"{vi}«{name}» bị khóa ở {sources.at(*mark)}, giá trị {before} đặt ở {since}; ghi «posting: {before}»",
            f"{en}'{name}' is locked at {sources.at(*mark)} to {before}, set at {since}; write 'posting: {before}'",
        )
    return Problem(
        where,
        "loosened-setting",
        f"{vi}«{name}» theo {sources.at(*mark)} chỉ được chặt hơn {before}, đặt ở {since}; siết «posting» lại",
        f"{en}'{name}' by {sources.at(*mark)} may only be tighter than {before}, set at {since}; tighten 'posting'",
    )


def _size_limit(unit: Unit, limit: int, units: Units, sources: Sources) -> Iterator[Problem]:
    own = unit.policies.message_size_limit_mb
    if own is not None and own > limit and not units.held_above(unit)["message_size_limit_mb"].locked:
        yield Problem(
            sources.at("unit", unit.id, "policies", "message_size_limit_mb"),
            "above-size-limit",
            f"{own} lớn hơn giới hạn chung {limit} của mọi máy chủ; ghi nhỏ hơn, hoặc nâng giới hạn của cả tỉnh",
            f"{own} is above the limit {limit} of all hosts; make it smaller, or raise the limit of the whole province",
        )
