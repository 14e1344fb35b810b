"""Article 3: names by the rules for domain names, portals for the schools below, stable and protected hosts."""

from __future__ import annotations

from functools import partial

import pytest

from edumail.model import Unit
from edumail.portal.model import MODES
from edumail.ports import doors
from edumail.text import fold
from tests.circular.audit import Audit
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.exchangers import ACCEPTED
from tests.circular.host import SHUT, HostFacts, facts_of
from tests.circular.mailed import Undecided, all_settled
from tests.circular.portal import Answer, Reading, home, homes_of
from tests.circular.servers import Told, by_hosts
from tests.circular.test_article_2_terms import moved_from

SUPPORTED_DEBIAN = ("13",)
LIST_DAYS = 2
UPDATE_DAYS = 2
FULL_PERCENT = 90
QUEUE_DAYS = 2
SIGNATURE_DAYS = 7
"""Days and percents are figures of this suite, by habit; no text of law sets them."""
NEVER_SHOWN = (
    "chưa rõ / open: phần mềm thư đăng nhập không qua bước hai / mail programs are not asked for a second factor",
    "chưa rõ / open: cấp độ an toàn đã được phê duyệt hay chưa thì xem trên giấy"
    " / whether the security level has been approved is on paper",
)
"""What of a system's protection no host can show."""
SSH_PASSWORDS = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords")
MODE_TERM = "Phương thức triển khai"
FOLDERS = ("/assets/", "/van-ban/")
MAIL_ELSEWHERE = (
    "chỉ tên của cổng ở dưới edu.vn, tên miền thư thì không; lý do phải có người xác nhận"
    " / only the portal's name is below edu.vn, the mail domain is not; why has to be attested"
)
NOT_LOOKED_AT = (
    "chưa xem: bản sao lưu, các thư mục khác của cổng, và trang của cổng có lộ danh sách cá nhân hay không"
    " / not looked at: backups, other folders of the portal, and whether its pages give lists of persons away",
    "sự đồng ý và người chịu trách nhiệm về dữ liệu cá nhân phải có người xác nhận"
    " / consent, and who answers for personal data, have to be attested",
)
LISTING = "Index of "
"""How nginx heads what it lists."""


def _names(reading: Reading) -> Answer:
    suffixes, unit = reading.audit.province.settings.allowed_suffixes, reading.unit
    evidence, good = [], True
    for name, kind in ((unit.portal, "A"), (unit.domain, "MX")):
        allowed = any(name == suffix or name.endswith(f".{suffix}") for suffix in suffixes)
        try:
            answers = reading.audit.network.lookup(name, kind)
        except OSError as error:
            answers, kind = [], f"{kind}: {error}"
        good &= allowed and bool(answers)
        where = "thuộc đuôi được phép / below an allowed suffix"
        if not allowed:
            where = "KHÔNG thuộc đuôi được phép / NOT below an allowed suffix"
        evidence.append(f"{name} {kind} {', '.join(answers) or 'không có / none'}; {where}")
    evidence.append(
        "việc tên miền đã đăng ký cho đơn vị phải có người xác nhận"
        " / that the names are registered for the unit has to be attested"
    )
    return "not-tested" if good else "fail", evidence


@pytest.mark.requirement("C37-3.1b.1")
@each_unit(_names)
def test_names_lie_where_the_province_allows_them(of_pages: Answers, record: Record) -> None:
    """The half that DNS shows; that the names are registered for the unit is on paper."""
    for unit, answer in of_pages:
        record(unit.id, "C37-3.1b.1", *answer)


def _below_edu_vn(reading: Reading) -> Answer:
    unit = reading.unit
    names = [name for name in (unit.portal, *unit.former_portals) if name.endswith(".edu.vn")]
    if not names:
        why = (
            "inventory không có tên nào dưới edu.vn; lý do phải có người xác nhận"
            " / no name below edu.vn in the inventory; why there is none has to be attested"
        )
        return "not-tested", [why]
    page = reading.portal.page("/")
    resolved, silent = [], []
    for name in names:
        try:
            resolved += [name] if reading.audit.network.lookup(name, "A") else []
        except OSError as error:
            silent.append(f"{name} A: {error}")
    former = [name for name in resolved if name != unit.portal]
    moved = [answer for name in former for answer in moved_from(reading.audit.network, name)]
    astray = any(location != f"https://{unit.portal}/" for location, _ in moved)
    count = f"{len(resolved)}/{len(names)} tên phân giải được / names resolve"
    evidence = [f"{', '.join(names)}: {count}; {page.said}; tên miền thư / mail domain {unit.domain}", *silent]
    evidence += [said for _, said in moved]
    if not page.good or len(resolved) < len(names) or astray:
        return "fail", evidence
    if unit.domain.endswith(".edu.vn"):
        return "pass", evidence
    return "not-tested", [*evidence, MAIL_ELSEWHERE]


@pytest.mark.requirement("C37-3.1b.2")
@each_unit(_below_edu_vn)
def test_a_name_below_edu_vn_leads_to_the_portal(audit: Audit, of_pages: Answers, record: Record) -> None:
    """At any depth: in Vietnam's counting edu.vn itself is the second level. And mail is taken there."""
    undecided = Undecided()
    answers: list[tuple[Unit, Answer]] = undecided.heard(of_pages)
    replies = audit.exchangers.rcpts((unit.public_address for unit, (verdict, _) in answers if verdict == "pass"))
    for unit, (verdict, evidence) in answers:
        with undecided.of(unit):
            if verdict == "pass":
                all_settled([unit.public_address], replies)
                reply = replies[unit.public_address]
                verdict = "pass" if reply.code == ACCEPTED else "fail"
                evidence = [*evidence, f"MX: RCPT {unit.public_address}: {reply.code} {reply.text[:80]}"]
            record(unit.id, "C37-3.1b.2", verdict, evidence)
    undecided.tell()


@pytest.mark.requirement("C37-3.1c")
@each_unit(home)
def test_every_school_below_has_a_portal_of_its_own(audit: Audit, of_pages: Answers, record: Record) -> None:
    undecided = Undecided()
    for above, _ in undecided.heard(of_pages):
        schools = [
            unit for unit in audit.mail.units.below(above.id) if audit.province.kinds[unit.kind].binds == "school"
        ]
        if not schools:
            none = "không có trường trực thuộc / no school stands below this unit"
            record(above.id, "C37-3.1c", "not-applicable", [none])
            continue
        homes, unseen = homes_of(audit, schools)
        silent = [
            f"{home.said}; {school.id}: không thấy tên trường / the school's name is not there"
            for school, home in homes
            if not home.good or school.name not in home.title
        ]
        evidence = [
            f"{len(homes) - len(silent)}/{len(schools)} trường trả lời ở tên riêng và hiện tên trường"
            " / schools answer under their own name with it",
            *silent,
            *unseen,
        ]
        record(above.id, "C37-3.1c", "fail" if silent else "not-tested" if unseen else "pass", evidence[:20])
    undecided.tell()


def _mode(reading: Reading) -> Answer:
    mode = reading.content.portal.mode
    page = reading.portal.page("/lien-he/")
    said = next((words for term, words in page.terms().items() if term.startswith(fold(MODE_TERM))), "")
    evidence = [
        f"inventory, portal.yml, mode: {MODES[mode] if mode else 'CHƯA KHAI / NOT SAID'}",
        f"{page.said}: {f'«{said}»' if said else 'không ghi / nothing'}",
    ]
    return "pass" if mode and said == MODES[mode] else "fail", evidence


@pytest.mark.requirement("C37-3.2")
@each_unit(_mode)
def test_the_page_says_how_the_system_is_run(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-3.2", *answer)


@pytest.mark.requirement("C37-3.3b")
def test_hosts_take_security_updates_by_themselves(audit: Audit, on: str, record: Record) -> None:
    """What of the plan a host can show: it is carried out. That there is one, and who approved it, is on paper."""
    paper = "kế hoạch nâng cấp, bảo trì phải có người xác nhận / the plan itself has to be attested"
    for unit, (verdict, evidence) in by_hosts(audit, audit.units(on), partial(_updated, audit), "not-tested"):
        record(unit.id, "C37-3.3b", verdict, [*evidence, paper])


def _updated(audit: Audit, on: str) -> Told:
    """Whether a host takes security updates by itself, and none waits for long."""
    seen = facts_of(audit, on).seen
    release, lists, pending = seen["release"], seen["lists_age"], seen["pending"]
    supported = release.get("ID") == "debian" and release.get("VERSION_ID") in SUPPORTED_DEBIAN
    # A list of this morning knows updates that tonight's run will install; an old one knows of none that is new.
    late = lists is None or lists > LIST_DAYS
    ages = (seen["known_age"], seen["ran_age"])
    stuck = bool(pending) and any(age is None or age > UPDATE_DAYS for age in ages)
    known, ran = ("?" if age is None else f"{age:.0f}" for age in ages)
    good = supported and seen["upgrade_timer"] == "enabled" and seen["upgrade_on"]
    good = good and not late and not stuck and pending is not None
    waiting = "apt-get KHÔNG BIẾT / CAN'T TELL" if pending is None else ", ".join(pending[:8]) or "0"
    old = "KHÔNG CÓ / NOT THERE" if lists is None else f"{lists:.0f} ngày / days{', QUÁ CŨ / TOO OLD' if late else ''}"
    system = release.get("PRETTY_NAME", "không rõ hệ điều hành / unknown system")
    evidence = [
        f"{on}: {system}{'' if supported else '; KHÔNG được hỗ trợ / NOT supported'}",
        f"{on}: apt-daily-upgrade.timer: {seen['upgrade_timer'] or 'KHÔNG CÓ / MISSING'};"
        f" Unattended-Upgrade: {'bật / on' if seen['upgrade_on'] else 'TẮT / OFF'}",
        f"{on}: bản vá bảo mật còn chờ / security updates that wait: {waiting}; danh sách gói / package lists: {old}",
    ]
    if pending:
        vi, en = ("CHỜ QUÁ LÂU", "THEY WAIT TOO LONG") if stuck else ("chờ chưa lâu", "not for long")
        evidence.append(
            f"{vi} (nhiều nhất {UPDATE_DAYS} ngày): máy biết ít nhất {known} ngày, lượt tự cài gần nhất {ran} ngày"
            f" trước / {en} (at most {UPDATE_DAYS} days): known here for {known} at the least, last installed by itself"
            f" {ran} ago"
        )
    if seen["reboot"]:
        evidence.append(
            f"{on}: chưa rõ / open: có bản vá chỉ có hiệu lực khi máy khởi động lại, máy chưa khởi động lại"
            " / an update counts from the next boot only, and the host has not been booted since"
        )
    return good, evidence


@pytest.mark.requirement("C37-3.4.1")
def test_services_run_and_would_come_back(audit: Audit, on: str, record: Record) -> None:
    """Stability as far as a host shows it. A backup, and a restore that was tried, belong to it: nobody shows them."""
    backup = (
        "chưa thấy bản sao lưu nào ngoài các máy này, cũng chưa thấy lần thử khôi phục nào"
        " / no backup apart from these hosts, and no restore that was tried, has been shown"
    )
    for unit, (verdict, evidence) in by_hosts(audit, audit.units(on), partial(_stable, audit), "not-tested"):
        record(unit.id, "C37-3.4.1", verdict, [*evidence, backup])


def _stable(audit: Audit, on: str) -> Told:
    """Whether a host's services run and would come back, and neither its disks nor its mail queue are stuck."""
    facts = facts_of(audit, on)
    disks, failed, queue = facts.seen["disks"], facts.seen["failed"], facts.system["queue"]
    full = [path for path, percent in disks.items() if percent >= FULL_PERCENT]
    # Only the gateway hands mail to strangers, whose servers may be silent for days. All that other hosts send goes to
    # hosts of the province.
    whole, inside = queue["all"], queue["inside"]
    stuck = (inside if on == audit.mail.gateway.name else whole)["oldest"] > QUEUE_DAYS * 86400
    fill = ", ".join(f"{path} {percent}%" for path, percent in disks.items())
    return not (facts.down or facts.lost or failed or full or stuck), [
        f"{on}: {len(facts.seen['units'])} dịch vụ / services; không chạy / not running: {', '.join(facts.down) or 0};"
        f" sẽ không tự chạy lại / would not come back: {', '.join(facts.lost) or 0};"
        f" hỏng / failed: {', '.join(failed) or 0}",
        f"{on}: mức đầy của ổ đĩa / disks, how full: {fill}",
        f"{on}: hàng đợi thư: {whole['messages']} thư, lâu nhất {whole['oldest'] // 3600} giờ;"
        f" gửi cho người trong tỉnh {inside['messages']} thư, lâu nhất {inside['oldest'] // 3600} giờ"
        f" / mail queue: {whole['messages']} messages, the oldest for {whole['oldest'] // 3600} hours;"
        f" to people of the province {inside['messages']}, the oldest for {inside['oldest'] // 3600} hours",
    ]


@pytest.mark.requirement("C37-3.4.2")
def test_the_host_is_protected(audit: Audit, on: str, record: Record) -> None:
    """The parts of TCVN 14423:2026, level 2, that a host can show and no other question does; never all of it."""
    for unit, (verdict, evidence) in by_hosts(audit, audit.units(on), partial(_protected, audit), "not-tested"):
        record(unit.id, "C37-3.4.2", verdict, [*evidence, *NEVER_SHOWN])


def _protected(audit: Audit, on: str) -> Told:
    """Whether nothing is wrong with a host's protection, and what was seen of it."""
    facts = facts_of(audit, on)
    wrong, left = _protection(facts)
    sshd = "; ".join(" ".join((name, *values)) for name, values in sorted(facts.system["sshd"].items()))
    journal = facts.seen["journal"]
    return not wrong, [
        f"{on}: bộ lọc gói / packet filter: policy {facts.filter_policy},"
        f" TCP {', '.join(map(str, sorted(facts.filter_ports)))};"
        f" trong {len(SHUT)} cổng mạng khác, có trả lời / of {len(SHUT)} other ports answer:"
        f" {'?' if facts.answering is None else facts.answering or 0}",
        f"{on}: sshd: {sshd}",
        f"{on}: journal: {journal.get('Storage', '?')}, MaxRetentionSec={journal.get('MaxRetentionSec', '?')}",
        *(f"{on}: SAI / WRONG: {line}" for line in wrong),
        *(f"{on}: chưa rõ / open: {line}" for line in left),
    ]


def _protection(facts: HostFacts) -> tuple[list[str], list[str]]:
    """What is wrong with a host's protection, and what can't be told from here."""
    seen, province = facts.seen, facts.audit.province
    meant = {door.port for door in doors(facts.host)}
    days = province.log_retention_days
    kept = seen["journal"].get("MaxRetentionSec", "").removesuffix("day")
    scanners = [host.name for host in province.hosts.values() if "antivirus" in host.roles]
    signatures = seen["signatures_age"]
    contained = seen["container"] != "none"
    wrong = {
        "bộ lọc gói cho qua cả thứ không quy tắc nào nêu / the packet filter lets in what no rule names": (
            facts.filter_policy != "drop"
        ),
        "quy tắc cho qua nhiều hơn các cổng mạng / rules that accept more than ports:"
        f" {'; '.join(facts.filter_wide)}": facts.filter_wide,
        f"cổng mạng mở khác với đã định / ports otherwise than meant: {sorted(facts.filter_ports ^ meant)}": (
            facts.filter_ports != meant
        ),
        f"cổng mạng phải đóng mà trả lời / ports answer that should not: {facts.answering}": facts.answering,
        "sshd nhận mật khẩu / sshd takes passwords": any(
            facts.system["sshd"].get(name) != ["no"] for name in SSH_PASSWORDS
        ),
        f"log_retention_days {days}: nhật ký không được giữ đủ số ngày mà tỉnh đặt"
        " / logs are not kept for as many days as the province says": (
            seen["journal"].get("Storage") != "persistent" or not kept.isdigit() or int(kept) < days
        ),
        "không máy nào của tỉnh quét mã độc / no host of the province looks for malware": not scanners,
        "đồng hồ không được đồng bộ / the clock is not synchronised": not contained and seen["clock"] != "yes",
    }
    left = {
        "cổng mạng nào trả lời thì mạng này không cho biết / which ports answer can't be told from this network": (
            facts.answering is None
        ),
        "chữ ký mã độc thiếu hoặc đã cũ / signatures of malware are missing or old": (
            facts.host.name in scanners and (signatures is None or signatures > SIGNATURE_DAYS)
        ),
        "container không tự chỉnh được đồng hồ, máy chứa nó chỉnh"
        " / a container can't set its clock: that is its machine's": contained,
    }
    return [line for line, so in wrong.items() if so], [line for line, so in left.items() if so]


def _listing(reading: Reading) -> list[str]:
    """Folders of the portal that list what is in them."""
    pages = map(reading.portal.page, FOLDERS)
    return [page.url for page in pages if page.good and LISTING in page.text]


@pytest.mark.requirement("C37-3.4.3")
@each_unit(_listing)
def test_personal_information_is_out_of_strangers_reach(audit: Audit, of_units: Answers, record: Record) -> None:
    undecided = Undecided()
    heard: list[tuple[Unit, list[str]]] = undecided.heard(of_units)
    listed = "thư mục bị liệt kê / folders that list what is in them"
    own: dict[str, Told] = {
        unit.id: (not listing, [f"https://{unit.portal}: {listed}: {', '.join(listing) or 0}"])
        for unit, listing in heard
    }
    closed = partial(_closed_to_others, audit)
    answers = by_hosts(audit, [unit for unit, _ in heard], closed, "not-tested", own)
    for unit, (verdict, evidence) in undecided.heard(answers):
        record(unit.id, "C37-3.4.3", verdict, [*evidence, *NOT_LOOKED_AT])
    undecided.tell()


def _closed_to_others(audit: Audit, on: str) -> Told:
    """Whether nobody else may read what lies in a host's closed places, and what was seen."""
    facts = facts_of(audit, on)
    access = {path: seen["access"] for path, seen in facts.seen["places"].items()}
    hidden = [path for path, seen in access.items() if not seen]
    shown = [f"{path} {seen}" for path, seen in access.items() if seen]
    encrypted = "đã mã hóa / encrypted"
    if not facts.seen["encrypted"]:
        encrypted = "không thấy được mã hóa khi lưu / not seen to be encrypted at rest"
    return not facts.readable, [
        f"{on}: {'; '.join([*shown, 'không xem được / not to be seen'])}: {', '.join(hidden) or 0}",
        f"{on}: người khác đọc được / open to others: {', '.join(facts.readable) or 0}",
        f"{on}: hộp thư nằm trên / mailboxes lie on {facts.seen['store'] or '?'}; {encrypted}",
    ]


def _answerable(reading: Reading) -> Answer:
    page, audit = reading.portal.page("/"), reading.audit
    footer = " ".join(" ".join(page.root.xpath("//footer//text()")).split())
    named = [person for person in audit.mail.units.people[reading.unit.id] if person.name in footer]
    posts = [audit.province.posts[code].name for person in named for code in person.posts]
    shown = [post for post in posts if post.casefold() in footer.casefold()]
    evidence = [
        f"{page.said}; người của đơn vị ở chân trang / the unit's people in the footer: {len(named)};"
        f" chức vụ / posts: {', '.join(shown) or 'KHÔNG CÓ / NONE'}",
        "việc người ấy chịu trách nhiệm phải có người xác nhận / that this person answers for it has to be attested",
    ]
    return "not-tested" if named and shown else "fail", evidence


@pytest.mark.requirement("C37-3.4.4")
@each_unit(_answerable)
def test_the_page_names_who_answers_for_it(of_pages: Answers, record: Record) -> None:
    """The half that pages show; the duty itself is the head's."""
    for unit, answer in of_pages:
        record(unit.id, "C37-3.4.4", *answer)
