"""Rules that span an inventory: what each entry may say given all the others."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from edumail import discovery
from edumail.circular.catalogue import requirements
from edumail.groups import DUTIES_OF_RFC_2142, NAMES_OF_RFC_2142, Groups
from edumail.model import Host, Province, Rule, Section, SharedMailbox, Unit
from edumail.policycheck import policy_problems, strange_members
from edumail.posting import OPEN, PROVINCE, Permissions
from edumail.problems import Problem, Where
from edumail.sources import Sources
from edumail.units import Units, portal_host

_LONGEST_NAME = 110
"""Of 253 characters, two names and what DMARC puts between them must fit: RFC 7489, 7.1."""

_Place = tuple[Any, ...]
"""What ``Sources.at`` takes: looked up only for a problem, since a province has 150,000 places."""


def check(province: Province, sources: Sources) -> list[Problem]:
    """Every mistake that no single entry shows by itself."""
    units = Units(province)
    problems = [*_tree(units, sources)]
    sound_tree = not problems
    if "province" not in sources.gaps:
        problems += _settings(units, sources)
    problems += [
        *_hosts(province, sources),
        *_published(province, sources),
        *_units(units, sources),
        *_people(units, sources),
        *_addresses(units, sources),
        *_left(units, sources),
        *_standard_groups(province, sources),
        *policy_problems(units, sources),
        *_attestations(province, sources),
    ]
    # Groups are expanded over the tree; over a broken one they would only repeat what is already said.
    return [*problems, *(_groups(units, sources) if sound_tree else ())]


def _lies_under(name: str, suffixes: tuple[str, ...]) -> bool:
    return any(name == suffix or name.endswith("." + suffix) for suffix in suffixes)


def _names(words: object) -> str:
    return ", ".join(sorted(str(word) for word in words))  # type: ignore[attr-defined]


def _hosts(province: Province, sources: Sources) -> Iterator[Problem]:
    yield from _one_gateway(province, sources)
    taken: dict[str, str] = {}
    for host in province.hosts.values():
        for key in ("fqdn", "ipv4", "ipv6"):
            value = str(getattr(host, key))
            if value != "None" and taken.setdefault(value, host.name) != host.name:
                yield Problem(
                    sources.at("host", host.name, key),
                    "duplicate-host",
                    f"{value} đã là của máy chủ «{taken[value]}»; mỗi máy chủ một tên và địa chỉ riêng",
                    f"{value} is host '{taken[value]}''s already; give each host a name and addresses of its own",
                )
        if "antivirus" in host.roles and not host.has_mail:
            yield Problem(
                sources.at("host", host.name, "roles"),
                "nothing-to-scan",
                f"máy chủ «{host.name}» không quét thư nào; bỏ vai trò «antivirus», hoặc thêm «mailstore»",
                f"host '{host.name}' scans no mail; take the role 'antivirus' away, or add 'mailstore'",
            )
        yield from _in_zone(province, host.fqdn, sources, "host", host.name, "fqdn")
        yield from _discovery(province, host.fqdn, sources, "host", host.name, "fqdn")


def _one_gateway(province: Province, sources: Sources) -> Iterator[Problem]:
    gateways = [host for host in province.hosts.values() if "gateway" in host.roles]
    if len(gateways) > 1 or (not gateways and sources.complete("host")):
        names = _names(host.name for host in gateways) or "0"
        yield Problem(
            Where("hosts.yml"),
            "one-gateway",
            f"phải có đúng một máy chủ với vai trò gateway (đang có: {names})",
            f"exactly one host must have the role gateway (there are: {names})",
        )


def _in_zone(
    province: Province, name: str, sources: Sources, table: str, key: str, *path: str | int
) -> Iterator[Problem]:
    if "province" in sources.gaps:
        return
    zones = province.settings.zones
    if not _lies_under(name, zones):
        yield Problem(
            sources.at(table, key, *path),
            "outside-zones",
            f"{name} không nằm trong zone nào của province.yml ({_names(zones)}); thêm zone hoặc sửa tên",
            f"{name} lies in none of the zones of province.yml ({_names(zones)}); add the zone or mend the name",
        )
    if len(name) > _LONGEST_NAME:
        yield Problem(
            sources.at(table, key, *path),
            "long-name",
            f"tên dài {len(name)} ký tự; tối đa {_LONGEST_NAME} để DNS còn chỗ cho các tên DKIM và DMARC bên dưới",
            f"the name has {len(name)} characters; at most {_LONGEST_NAME} leave room in DNS for DKIM and DMARC names",
        )


def _hosts_own(
    province: Province, domain: str, sources: Sources, table: str, key: str, *path: str | int
) -> Iterator[Problem]:
    """Domains in which only hosts have addresses: their names, and what they use below those among themselves."""
    for host in province.hosts.values():
        if _lies_under(domain, (host.fqdn,)):
            yield Problem(
                sources.at(table, key, *path),
                "host-domain",
                f"tên miền {domain} thuộc riêng máy chủ «{host.name}» ({host.fqdn}), không ai có địa chỉ ở đó; "
                "ghi tên miền khác",
                f"{domain} is host '{host.name}''s alone ({host.fqdn}), and nobody has an address there; write another "
                "domain",
            )


def _discovery(
    province: Province, name: str, sources: Sources, table: str, key: str, *path: str | int
) -> Iterator[Problem]:
    """Names at which the gateway itself answers for a mail domain."""
    label, _, domain = name.partition(".")
    if label in discovery.LABELS and any(unit.domain == domain for unit in province.units.values()):
        yield Problem(
            sources.at(table, key, *path),
            "reserved-name",
            f"{name} là tên mà phần mềm thư hỏi về tên miền {domain}, do gateway trả lời; chọn tên khác",
            f"{name} is where mail programs and servers ask about {domain}, and the gateway answers; choose another",
        )


def _front(units: Units, sources: Sources) -> Iterator[Problem]:
    province, settings = units.province, units.province.settings
    place = ("province", "province", "front" if settings.front else "domain")
    if settings.front:
        yield from _in_zone(province, settings.front, sources, *place)
    yield from _discovery(province, settings.front_name, sources, *place)
    yield from _accounts(province, sources)
    others = [host.name for host in province.hosts.values() if host.fqdn == settings.front_name]
    others = [name for name in others if "gateway" not in province.hosts[name].roles]
    others += [unit.id for unit in province.units.values() if settings.front_name in unit.portal_names]
    if others:
        yield Problem(
            sources.at(*place),
            "front-taken",
            f"{settings.front_name}, tên chung dẫn tới gateway, đã là tên của «{_names(others)}»; đặt «front» khác",
            f"{settings.front_name}, the front's name, leads to the gateway and is '{_names(others)}''s already; "
            "set another 'front'",
        )


def _accounts(province: Province, sources: Sources) -> Iterator[Problem]:
    name = province.settings.accounts_name
    others = [host.name for host in province.hosts.values() if host.fqdn == name]
    others += [unit.id for unit in province.units.values() if name in unit.portal_names]
    if others or name == province.settings.front_name:
        taken = _names(others) if others else "front"
        yield Problem(
            sources.at("province", "province", "domain"),
            "accounts-name-taken",
            f"{name} là tên của các trang tài khoản, do gateway trả lời, nhưng cũng là tên của «{taken}»; đổi tên ấy",
            f"{name} is the name of the account pages, which the gateway answers, and is '{taken}''s; rename that",
        )


def _settings(units: Units, sources: Sources) -> Iterator[Problem]:
    settings = units.province.settings
    yield from _in_zone(units.province, settings.domain, sources, "province", "province", "domain")
    yield from _front(units, sources)
    for index, server in enumerate(settings.nameservers):
        if server.ipv4 is None and server.ipv6 is None and _lies_under(server.name, settings.zones):
            yield Problem(
                sources.at("province", "province", "nameservers", index),
                "no-glue",
                f"{server.name} nằm trong zone của tỉnh nên cần «ipv4» hoặc «ipv6» của nó",
                f"{server.name} lies in a zone of the province, so its 'ipv4' or 'ipv6' is needed",
            )
    if settings.ministry is not None and sources.complete("unit"):
        mailboxes = {m.address for u in units.units.values() if u.parent is None for m, _ in units.shared(u)}
        for key in ("director", "clerk"):
            address = getattr(settings.ministry, key)
            if address not in mailboxes:
                yield Problem(
                    sources.at("province", "province", "ministry", key),
                    "unknown-ministry-address",
                    f"{address} không phải hộp thư chung nào của sở; thêm vào «mailboxes» của sở kèm người giữ",
                    f"{address} is none of the department's mailboxes; add it to its 'mailboxes' with its holders",
                )
    if sources.complete("unit", "person", "group") and settings.hostmaster not in _reachable(units):
        yield Problem(
            sources.at("province", "province", "hostmaster"),
            "unknown-hostmaster",
            f"không có hộp thư hay nhóm nào là {settings.hostmaster}; báo cáo DMARC sẽ mất. Thêm hộp thư này",
            f"there is no mailbox or group {settings.hostmaster}, and DMARC reports would be lost; add the mailbox",
        )


def _reachable(units: Units) -> set[str]:
    """Every address of the province."""
    result = {f"{name}@{unit.domain}" for unit in units.units.values() for name in NAMES_OF_RFC_2142}
    result |= {person.address for person in units.province.people} | {g.address for g in units.province.groups}
    for unit in units.units.values():
        result |= {mailbox.address for mailbox in unit.mailboxes} | {section.address for section in unit.sections}
    return result


def _published(province: Province, sources: Sources) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, published in province.published.items():
        if name not in province.hosts and not sources.missing("host", name):
            yield Problem(
                sources.at("published", name),
                "unknown-host",
                f"không có máy chủ «{name}» trong hosts.yml; xóa tệp này nếu máy đã bỏ",
                f"there is no host '{name}' in hosts.yml; delete this file if the host is gone",
            )
        if published.dkim is None:
            continue
        selector = published.dkim.selector
        if owners.setdefault(selector, name) != name:
            yield Problem(
                sources.at("published", name, "dkim", "selector"),
                "duplicate-selector",
                f"selector «{selector}» đã là của máy chủ «{owners[selector]}»; mỗi khóa DKIM một selector",
                f"selector '{selector}' is host '{owners[selector]}''s already; each DKIM key needs its own",
            )


def _tree(units: Units, sources: Sources) -> Iterator[Problem]:
    province = units.province
    for unit in province.units.values():
        kind = province.kinds.get(unit.kind)
        if kind is None and "kind" not in sources.gaps:
            yield Problem(
                sources.at("unit", unit.id, "kind"),
                "unknown-kind",
                f"không có loại đơn vị «{unit.kind}»; dùng một trong: {_names(province.kinds)}",
                f"there is no kind of unit '{unit.kind}'; use one of: {_names(province.kinds)}",
            )
        if unit.parent is None:
            if kind is not None and kind.parents:
                yield Problem(
                    sources.at("unit", unit.id),
                    "no-parent",
                    f"đơn vị loại «{unit.kind}» phải có «parent»: một đơn vị loại {_names(kind.parents)}",
                    f"a unit of kind '{unit.kind}' needs a 'parent': a unit of kind {_names(kind.parents)}",
                )
            continue
        place = ("unit", unit.id, "parent")
        parent = province.units.get(unit.parent)
        if parent is None:
            if not sources.missing("unit", unit.parent):
                yield _unknown_unit(sources.at(*place), unit.parent)
        elif kind is not None and parent.kind not in kind.parents:
            allowed = _names(kind.parents) or "–"
            yield Problem(
                sources.at(*place),
                "wrong-parent",
                f"đơn vị loại «{unit.kind}» không thể thuộc đơn vị loại «{parent.kind}» (được phép: {allowed})",
                f"a unit of kind '{unit.kind}' can't stand under one of kind '{parent.kind}' (allowed: {allowed})",
            )
        top = list(units.ancestors(unit))[-1]
        if top.parent == unit.id:
            yield Problem(
                sources.at(*place),
                "tree-loop",
                f"«{unit.id}» nằm trong một vòng cấp trên: {' → '.join(u.id for u in units.ancestors(unit))}; "
                "sửa một «parent»",
                f"'{unit.id}' is part of a loop of parents: {' → '.join(u.id for u in units.ancestors(unit))}; "
                "mend one 'parent'",
            )


def _unknown_unit(where: Where, name: str) -> Problem:
    return Problem(
        where,
        "unknown-unit",
        f"không có đơn vị «{name}» trong units/; sửa mã hoặc thêm đơn vị",
        f"there is no unit '{name}' in units/; mend the id or add the unit",
    )


def _units(units: Units, sources: Sources) -> Iterator[Problem]:
    province = units.province
    portals: dict[str, str] = {}
    hosts = {host.fqdn: host.name for host in province.hosts.values() if "gateway" not in host.roles}
    for unit in province.units.values():
        yield from _placement(province.hosts, unit, sources)
        names: list[tuple[str, tuple[str | int, ...]]] = [(unit.domain, ("domain",)), (unit.portal, ("portal",))]
        names += [(name, ("former_portals", index)) for index, name in enumerate(unit.former_portals)]
        for name, key in names:
            if "province" not in sources.gaps and not _lies_under(name, province.settings.allowed_suffixes):
                allowed = _names(province.settings.allowed_suffixes)
                yield Problem(
                    sources.at("unit", unit.id, *key),
                    "outside-suffixes",
                    f"{name} không thuộc đuôi tên miền được phép ({allowed}); sửa tên hoặc «allowed_suffixes»",
                    f"{name} is outside the allowed suffixes ({allowed}); mend the name or 'allowed_suffixes'",
                )
            yield from _in_zone(province, name, sources, "unit", unit.id, *key)
            yield from _discovery(province, name, sources, "unit", unit.id, *key)
        yield from _hosts_own(province, unit.domain, sources, "unit", unit.id, "domain")
        for name, key in names[1:]:
            if name in portals:
                yield Problem(
                    sources.at("unit", unit.id, *key),
                    "duplicate-portal",
                    f"{name} đã là tên cổng thông tin của «{portals[name]}»; mỗi tên chỉ dẫn tới một đơn vị",
                    f"{name} is a name of the portal of '{portals[name]}' already; each leads to one unit",
                )
            portals.setdefault(name, unit.id)
            if name in hosts:
                yield Problem(
                    sources.at("unit", unit.id, *key),
                    "portal-is-host",
                    f"{name} là tên riêng của máy chủ «{hosts[name]}», mà cổng thông tin đi qua gateway; chọn tên khác",
                    f"{name} is host '{hosts[name]}''s own, but a portal is reached through the gateway; "
                    "choose another",
                )
        if unit.public_address not in {mailbox.address for mailbox in unit.mailboxes}:
            yield Problem(
                sources.at("unit", unit.id, "public_address"),
                "public-address",
                f"{unit.public_address} không phải hộp thư nào của đơn vị; thêm vào «mailboxes» kèm người giữ",
                f"{unit.public_address} is none of the unit's mailboxes; add it to 'mailboxes' with its holders",
            )
        by_post = unit.officer in units.province.posts
        lost = sources.missing("roster", unit.id) if by_post else sources.missing("person", unit.officer)
        if units.officer(unit) is None and not lost and not sources.missing("post", unit.officer):
            yield Problem(
                sources.at("unit", unit.id, "officer"),
                "unknown-officer",
                f"people/{unit.id}.csv không có ai mang mã hay chức vụ «{unit.officer}»; ghi mã người phụ trách, "
                "hoặc mã chức vụ của người ấy",
                f"nobody in people/{unit.id}.csv has the id or the post '{unit.officer}'; give the id of the officer "
                "in charge, or the code of a post that they hold",
            )
        yield from _mailboxes_and_sections(units, unit, sources)


def _placement(hosts: dict[str, Host], unit: Unit, sources: Sources) -> Iterator[Problem]:
    for key, name, role in (("host", unit.host, "mailstore"), ("portal_host", portal_host(unit), "portal")):
        host = hosts.get(name)
        place = ("unit", unit.id, key if key == "host" or unit.portal_host else "host")
        if host is None:
            if (key == "host" or unit.portal_host) and not sources.missing("host", name):
                yield Problem(
                    sources.at(*place),
                    "unknown-host",
                    f"không có máy chủ «{name}» trong hosts.yml (có: {_names(hosts)})",
                    f"there is no host '{name}' in hosts.yml (there are: {_names(hosts)})",
                )
        elif role not in host.roles:
            yield Problem(
                sources.at(*place),
                "wrong-host-role",
                f"máy chủ «{name}» không có vai trò «{role}»; thêm vai trò trong hosts.yml hoặc chọn máy khác",
                f"host '{name}' does not have the role '{role}'; add the role in hosts.yml or choose another host",
            )


def _mailboxes_and_sections(units: Units, unit: Unit, sources: Sources) -> Iterator[Problem]:
    whole = not sources.missing("roster", unit.id)
    held = {mailbox.address: holders for mailbox, holders in units.shared(unit)}
    tables: list[tuple[str, int, SharedMailbox | Section]] = [("mailboxes", *row) for row in enumerate(unit.mailboxes)]
    tables += [("sections", index, section) for index, section in enumerate(unit.sections) if section.holders]
    for table, index, mailbox in tables:
        place = ("unit", unit.id, table, index)
        yield from _holders(units, unit, mailbox.holders or (), sources, *place)
        if whole and not held[mailbox.address]:
            yield Problem(
                sources.at("unit", unit.id, table, index, "holders"),
                "no-holder",
                f"không ai giữ hộp thư {mailbox.address}: đơn vị không có người mang mã hay chức vụ này",
                f"nobody holds {mailbox.address}: no person of the unit has this id or post",
            )
    sections = {section.id for section in unit.sections}
    used = {person.section for person in units.people[unit.id]}
    for index, section in enumerate(unit.sections):
        if [s.id for s in unit.sections].index(section.id) != index:
            yield Problem(
                sources.at("unit", unit.id, "sections", index, "id"),
                "duplicate-section",
                f"đơn vị đã có tổ «{section.id}»; đổi mã hoặc xóa một",
                f"the unit has a section '{section.id}' already; rename or delete one",
            )
        elif whole and section.id not in used:
            yield Problem(
                sources.at("unit", unit.id, "sections", index),
                "empty-section",
                f"tổ «{section.id}» không có ai: ghi tổ này cho ít nhất một người trong people/{unit.id}.csv",
                f"section '{section.id}' has nobody: give it to at least one person in people/{unit.id}.csv",
            )
    for person in units.people[unit.id]:
        if person.section and person.section not in sections:
            yield Problem(
                sources.at("person", person.id),
                "unknown-section",
                f"đơn vị «{unit.id}» không có tổ «{person.section}» (có: {_names(sections) or '–'})",
                f"unit '{unit.id}' has no section '{person.section}' (there are: {_names(sections) or '–'})",
            )


def _holders(
    units: Units, unit: Unit, holders: tuple[str, ...], sources: Sources, table: str, key: str, *path: str | int
) -> Iterator[Problem]:
    """Holders are people of the unit by id, or posts."""
    ids = {person.id for person in units.people[unit.id]}
    for position, holder in enumerate(holders):
        known = holder in ids or holder in units.province.posts or sources.missing("post", holder)
        if known or sources.missing("person", holder):
            continue
        where = sources.at(table, key, *path, "holders", position)
        if holder in units.person:
            other = units.person[holder].unit
            yield Problem(
                where,
                "foreign-holder",
                f"«{holder}» là người của đơn vị «{other}»; người giữ phải cùng đơn vị, cùng máy chủ với hộp thư",
                f"'{holder}' belongs to unit '{other}'; holders are of the mailbox's own unit, on the same host",
            )
        else:
            yield Problem(
                where,
                "unknown-holder",
                f"«{holder}» không phải mã người trong people/{unit.id}.csv hay mã chức vụ",
                f"'{holder}' is neither a person's id in people/{unit.id}.csv nor a post's code",
            )


def _people(units: Units, sources: Sources) -> Iterator[Problem]:
    for person in units.province.people:
        domain = units.units[person.unit].domain
        if not person.address.endswith("@" + domain):
            yield Problem(
                sources.at("person", person.id),
                "foreign-address",
                f"{person.address} không thuộc tên miền thư của đơn vị ({domain})",
                f"{person.address} is not in the unit's mail domain ({domain})",
            )


def _addresses(units: Units, sources: Sources) -> Iterator[Problem]:
    """Each address has one owner in the whole province."""
    owners: dict[str, _Place] = {}
    entries: list[tuple[str, _Place]] = []
    people = {person.address for person in units.province.people}
    for unit in units.units.values():
        listed = _addresses_of(unit)
        entries += listed
        for address, place in listed:
            if not address.endswith("@" + unit.domain):
                yield Problem(
                    sources.at(*place),
                    "foreign-address",
                    f"{address} không thuộc tên miền thư của đơn vị ({unit.domain})",
                    f"{address} is not in the unit's mail domain ({unit.domain})",
                )
    entries += [(person.address, ("person", person.id)) for person in units.province.people]
    domains = {unit.domain for unit in units.units.values()}
    for group in units.province.groups:
        place = ("group", group.address, "address")
        entries.append((group.address, place))
        if group.address.partition("@")[2] not in domains and sources.complete("unit"):
            yield Problem(
                sources.at(*place),
                "foreign-address",
                f"{group.address} không thuộc tên miền thư nào của tỉnh",
                f"{group.address} is in none of the province's mail domains",
            )
    for former in units.province.former:
        entries.append((former.address, ("former", former.address, "address")))
        domain = former.address.partition("@")[2]
        if domain not in domains and sources.complete("unit"):
            yield from _in_zone(units.province, domain, sources, "former", former.address, "address")
            yield from _hosts_own(units.province, domain, sources, "former", former.address, "address")
    for address, place in entries:
        local = address.partition("@")[0]
        if len(local) > 64:
            yield Problem(
                sources.at(*place),
                "long-local-part",
                f"phần trước @ của {address} dài quá 64 ký tự (RFC 5321)",
                f"the part of {address} before the @ is longer than 64 characters (RFC 5321)",
            )
        if local in (NAMES_OF_RFC_2142 if address in people else DUTIES_OF_RFC_2142):
            yield Problem(
                sources.at(*place),
                "reserved-address",
                f"{address} đã tự động thuộc về cán bộ phụ trách thư của tên miền; chọn địa chỉ khác",
                f"{address} belongs to the domain's officer in charge by itself; choose another address",
            )
        if address in owners:
            yield Problem(
                sources.at(*place),
                "two-owners",
                f"{address} đã được dùng ở {sources.at(*owners[address])}; mỗi địa chỉ một chủ",
                f"{address} is used at {sources.at(*owners[address])} already; an address has one owner",
            )
        else:
            owners[address] = place


def _addresses_of(unit: Unit) -> list[tuple[str, _Place]]:
    """The addresses that are the unit's own, and where they stand."""
    listed = [("mailboxes", i, mailbox.address) for i, mailbox in enumerate(unit.mailboxes)]
    listed += [("sections", i, section.address) for i, section in enumerate(unit.sections)]
    return [(address, ("unit", unit.id, table, index, "address")) for table, index, address in listed]


def _left(units: Units, sources: Sources) -> Iterator[Problem]:
    """The register of those who left is true, and keeps what it keeps."""
    owners: dict[str, _Place] = {}
    for person in units.province.people:
        owners[person.address] = ("person", person.id)
    for unit in units.units.values():
        for address, place in _addresses_of(unit):
            owners.setdefault(address, place)
    for group in units.province.groups:
        owners.setdefault(group.address, ("group", group.address, "address"))
    for former in units.province.former:
        owners.setdefault(former.address, ("former", former.address, "address"))
    kept: dict[str, Where] = {}
    for left in units.province.left:
        where = sources.at("left", left.id)
        again = units.person.get(left.id)
        if again is not None and again.address == left.address:
            yield Problem(
                where,
                "still-here",
                f"{left.name} ({left.id}) có trong people/{again.unit}.csv; nếu đã trở lại thì xóa dòng này",
                f"{left.name} ({left.id}) stands in people/{again.unit}.csv; if they came back, delete this line",
            )
        elif again is not None:
            yield Problem(
                sources.at("person", again.id),
                "id-of-a-leaver",
                f"mã «{left.id}» là của {left.name}, đã nghỉ ({where}); cho {again.name} một mã mới",
                f"id '{left.id}' is that of {left.name}, who left ({where}); give {again.name} a new one",
            )
        elif left.address in owners:
            yield Problem(
                sources.at(*owners[left.address]),
                "address-of-a-leaver",
                f"{left.address} là của {left.name} ({left.id}), đã nghỉ ({where}); không ai khác được dùng, chọn địa "
                "chỉ mới",
                f"{left.address} is that of {left.name} ({left.id}), who left ({where}); nobody else ever gets it, "
                "choose another",
            )
        if left.address in kept:
            yield Problem(
                where,
                "two-owners",
                f"{left.address} đã có ở {kept[left.address]}; mỗi địa chỉ một chủ",
                f"{left.address} stands at {kept[left.address]} already; an address has one owner",
            )
        kept.setdefault(left.address, where)


def _former(groups: Groups, mailboxes: set[str], whole: bool, sources: Sources) -> Iterator[Problem]:
    """Old addresses lead somewhere as long as they receive."""
    province = groups.units.province
    old = {former.address for former in province.former}
    for former in province.former:
        where = sources.at("former", former.address, "to")
        if former.to in old:
            yield Problem(
                where,
                "former-chain",
                f"{former.to} cũng là địa chỉ cũ; ghi thẳng địa chỉ hiện nay",
                f"{former.to} is an old address too; write the one of today",
            )
        elif whole and former.address in groups.former and former.to not in mailboxes and former.to not in groups.all:
            yield Problem(
                where,
                "unknown-target",
                f"không có hộp thư hay nhóm nào là {former.to}; thư gửi {former.address} sẽ mất. Ghi địa chỉ "
                "hiện nay; nếu không ai nhận thay thì sửa «until» thành một ngày đã qua, đừng xóa dòng",
                f"there is no mailbox or group {former.to}, and mail to {former.address} would be lost; write the "
                "address of today, or, where nobody takes its place, a day that is past as 'until'; keep the line",
            )


def _standard_groups(province: Province, sources: Sources) -> Iterator[Problem]:
    """What comes by itself in every unit can name none of them."""
    for local, group in province.standard_groups.items():
        yield from _rule(province, group.members, sources, "standard_group", local)
        for key in ("below", "addresses"):
            if getattr(group.members, key):
                yield Problem(
                    sources.at("standard_group", local, "members", key),
                    "standard-group",
                    f"nhóm «{local}» có ở mọi đơn vị nên không dùng «{key}»; khai báo nhóm riêng trong groups.yml",
                    f"every unit has the group '{local}', which so can't have '{key}'; write a group into groups.yml",
                )


def _attestations(province: Province, sources: Sources) -> Iterator[Problem]:
    known = requirements()
    for attestation in province.attestations:
        place = ("attestation", attestation.entry)
        if attestation.until < attestation.on:
            yield Problem(
                sources.at(*place, "until"),
                "attestation-days",
                f"ngày cuối {attestation.until} trước ngày xác nhận {attestation.on}; sửa một trong hai",
                f"the last day {attestation.until} is before the day {attestation.on} it was made; mend one of the two",
            )
        for index, id in enumerate(attestation.requirements):
            where = sources.at(*place, "requirements", index)
            if id not in known:
                near = ", ".join(get_close_matches(id, known, n=3))
                yield Problem(
                    where,
                    "unknown-requirement",
                    f"Thông tư không có yêu cầu «{id}»; gần nhất: {near}",
                    f"the circular has no requirement '{id}'; the nearest: {near}",
                )
            elif known[id].follows_from:
                names = ", ".join(known[id].follows_from)
                yield Problem(
                    where,
                    "attestation-follows",
                    f"{id} suy từ {names}; xác nhận các yêu cầu ấy thay cho nó",
                    f"{id} follows from {names}; attest these in its place",
                )
            elif not known[id].attested:
                yield Problem(
                    where,
                    "not-attestable",
                    f"{id} do máy chủ tự chứng minh, không ai xác nhận thay được; xóa khỏi mục này",
                    f"{id} is shown by hosts, and nobody can attest it; delete it from this entry",
                )
        for index, unit in enumerate(attestation.units):
            if unit not in province.units and not sources.missing("unit", unit):
                yield _unknown_unit(sources.at(*place, "units", index), unit)


def _groups(units: Units, sources: Sources) -> Iterator[Problem]:
    province = units.province
    sound = []
    for group in province.groups:
        problems = list(_rule(province, group.members, sources, "group", group.address))
        if group.unit not in province.units:
            if not sources.missing("unit", group.unit):
                problems.append(_unknown_unit(sources.at("group", group.address, "unit"), group.unit))
        else:
            unit = province.units[group.unit]
            problems += _holders(units, unit, group.holders or (), sources, "group", group.address)
        yield from problems
        named = (group.unit, group.members.below or group.unit)
        if not problems and all(unit in province.units for unit in named):
            sound.append(group)
    unsound = {group.address for group in province.groups} - {group.address for group in sound}
    units = Units(province.model_copy(update={"groups": tuple(sound)})) if unsound else units
    whole = sources.complete("unit", "person", "roster", "group") and not unsound
    groups = Groups(units)
    permissions = Permissions(groups)
    mailboxes = {mailbox.address for unit in units.units.values() for mailbox, _ in units.shared(unit)}
    mailboxes |= {person.address for person in province.people}
    yield from _former(groups, mailboxes, whole, sources)
    if whole:
        yield from strange_members(units, sources)
    for group in sound:
        for index, address in enumerate(group.members.addresses):
            where = sources.at("group", group.address, "members", "addresses", index)
            if address not in mailboxes and address not in groups.all and address not in groups.former:
                if not whole:
                    continue  # whose it is may stand where nobody could read
                yield Problem(
                    where,
                    "unknown-member",
                    f"không có hộp thư hay nhóm nào là {address}",
                    f"there is no mailbox or group {address}",
                )
            elif group.address in groups.inside(address):
                yield Problem(
                    where,
                    "group-loop",
                    f"nhóm {group.address} chứa chính nó qua {address}; bỏ một mắt xích",
                    f"group {group.address} contains itself through {address}; take one link out",
                )
        if whole and not groups.mailboxes(group.address):
            yield Problem(
                sources.at("group", group.address, "members"),
                "empty-group",
                f"nhóm {group.address} không có ai; sửa điều kiện hoặc xóa nhóm",
                f"group {group.address} has nobody; mend its rule or delete it",
            )
        elif whole and _nobody_may(permissions, group.address):
            inside = _names(groups.inside(group.address))
            yield Problem(
                sources.at("group", group.address, "posting"),
                "no-poster",
                f"không ai được gửi tới {group.address}: không người nào thỏa mọi quy tắc của {inside}",
                f"nobody may write to {group.address}: no one passes all the rules of {inside}",
            )


def _nobody_may(permissions: Permissions, address: str) -> bool:
    rule = permissions.rule(address)
    return rule not in (OPEN, PROVINCE) and not permissions.passing(rule)


def _rule(province: Province, rule: Rule, sources: Sources, table: str, key: str) -> Iterator[Problem]:
    """What a group's rule names and nobody knows."""
    if rule.below is not None and rule.below not in province.units and not sources.missing("unit", rule.below):
        yield _unknown_unit(sources.at(table, key, "members", "below"), rule.below)
    sections = {section.id for unit in province.units.values() for section in unit.sections} if rule.sections else ()
    for name, known in (("kinds", province.kinds), ("posts", province.posts), ("sections", sections)):
        for index, word in enumerate(getattr(rule, name)):
            if word not in known and not sources.missing("unit" if name == "sections" else name[:-1], word):
                yield Problem(
                    sources.at(table, key, "members", name, index),
                    f"unknown-{name[:-1]}",
                    f"không có «{word}»; dùng một trong: {_names(known)}",
                    f"there is no '{word}'; use one of: {_names(known)}",
                )
