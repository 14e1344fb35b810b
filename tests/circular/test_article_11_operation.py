"""Article 11: how portal and mail are run."""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial

import pytest

from edumail.dns import deepest_zone
from edumail.dnscheck import Difference
from edumail.model import Unit
from edumail.units import portal_host
from tests.circular import sections
from tests.circular.audit import Audit, AuditError
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.dialogues import VERDICTS, Seen, folded, seen_at
from tests.circular.host import facts_of, unseen
from tests.circular.mailed import Undecided
from tests.circular.network import HTTPS_PORT, Confined, Network, certificate_text
from tests.circular.portal import Answer, Reading
from tests.circular.test_article_4_mail import opened

CERTIFICATE_DAYS = 7
"""For how long a certificate has to hold yet; a figure of this suite, below the rests at which hosts renew theirs."""
STRONG = frozenset({"argon2", "bcrypt", "sha512_crypt", "sha256_crypt"})
"""Ways to hash a password that make each guess cost; all of them salted."""


@pytest.mark.requirement("C37-11.3.5")
def test_accounts_begin_without_a_password_and_keep_strong_hashes(audit: Audit, on: str, record: Record) -> None:
    accounts = opened(audit, on).accounts
    for unit in audit.units(on):
        people = [a for a in accounts[unit.id] if a["state"] in ("waiting", "active")]
        waiting = [a for a in people if a["state"] == "waiting"]
        given = sorted(a["address"] for a in waiting if a["scheme"])
        weak = sorted(a["address"] for a in people if a["state"] == "active" and a["scheme"] not in STRONG)
        alike = sorted(a["address"] for a in people if a["alike"])
        kinds = Counter(str(a["scheme"]) for a in people if a["state"] == "active")
        evidence = [
            f"{len(people)} tài khoản / accounts; {len(waiting)} đang chờ kích hoạt / not begun,"
            f" trong số này đã có mật khẩu / of these with a password: {', '.join(given) or 0}",
            f"giá trị băm / hashes: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items())) or 0};"
            f" không có hoặc yếu / none or weak: {', '.join(weak) or 0}",
            f"cùng giá trị băm với tài khoản khác / the same hash as another account: {', '.join(alike) or 0}",
            "edumail-accounts: mật khẩu chỉ do chủ tài khoản đặt, bằng mã dùng một lần, hoặc mang từ hệ thống cũ"
            " / a password comes to be only by its owner, with a code that works once, or from the system before",
        ]
        record(unit.id, "C37-11.3.5", "pass" if people and not (given or weak or alike) else "fail", evidence)


def _in_time(reading: Reading) -> Answer:
    limit = reading.content.portal.news_max_age_days
    days = sections.own_days(reading)
    if limit is None:
        said, good = "đơn vị không tự đặt giới hạn / the unit has set no limit of its own", True
        evidence = [f"portal.yml, news_max_age_days: {said}"]
    elif not days:
        said, good = reading.portal.page("/tin-tuc/").said, False
        dated = "không có tin nào ghi ngày / no dated item"
        evidence = [f"{said}: {dated}; giới hạn của đơn vị / own limit: {limit} ngày / days"]
    else:
        good, said = reading.fresh(max(days))
        evidence = [f"{len(days)} tin ghi ngày / dated items; tin mới nhất / the newest: {said}"]
    evidence.append(
        "quy chế đặt ra các thời hạn phải có người xác nhận / the regulation that sets the limits has to be attested"
    )
    return "not-tested" if good else "fail", evidence


@pytest.mark.requirement("C37-11.2c")
@each_unit(_in_time)
def test_what_is_posted_keeps_the_units_own_limit(of_pages: Answers, record: Record) -> None:
    """The circular sets no limit; the unit's regulation does. Its text is on paper, and its figure in the inventory."""
    for unit, answer in of_pages:
        record(unit.id, "C37-11.2c", *answer)


def _certified(reading: Reading) -> Seen:
    """Whether the certificate of the portal is for its name and holds for some time yet; None: it can't be seen."""
    name = reading.unit.portal
    try:
        return _certificate(reading.audit.network, name, HTTPS_PORT)
    except Confined as error:
        return None, f"{name}:{HTTPS_PORT} {error}"
    except OSError as error:
        return False, f"{name}:{HTTPS_PORT} {type(error).__name__}: {error}"


def _certificate(network: Network, name: str, port: int) -> Seen:
    with network.tls(name, port) as connection:
        certificate = connection.getpeercert() or {}
        rest = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
        left = f"còn {rest:.0f} ngày / {rest:.0f} days left"
        return rest > CERTIFICATE_DAYS, f"{name}:{port} {certificate_text(connection)}: {left}"


@pytest.mark.requirement("C37-11.3.2")
@each_unit(_certified)
def test_names_lead_to_servers_with_certificates_for_them(audit: Audit, of_pages: Answers, record: Record) -> None:
    network = audit.network
    undecided = Undecided()
    answers = undecided.heard(of_pages)
    hosts = sorted({audit.province.hosts[unit.host].fqdn for unit, _ in answers})
    of_hosts = seen_at(audit, {f"{name}:993": partial(_certificate, network, name, 993) for name in hosts})
    owners = {host.fqdn for host in audit.province.hosts.values()}
    owners |= {name for unit in audit.province.units.values() for name in (unit.portal, unit.domain)}
    for unit, (of_portal, said) in answers:
        fqdn = audit.province.hosts[unit.host].fqdn
        of_mailboxes, said_there = of_hosts[f"{fqdn}:993"]
        good, evidence = [of_portal, of_mailboxes], [said, said_there]
        try:
            exchanger = network.exchanger(unit.domain)
            evidence.append(f"{unit.domain} MX {exchanger} [{network.address(exchanger)}]")
            names = (unit.portal, unit.domain, exchanger, fqdn)
            differing = [said for said in network.differences if _about(said, owners) in names]
            good.append(not differing)
            evidence.append(
                f"{', '.join(names)}: {len(differing)} bản ghi DNS khác với inventory"
                " / DNS records differ from the inventory"
            )
            evidence += [
                f"{said.question[0]} {said.question[1].name}: khác với bản đã triển khai / otherwise than deployed"
                for said in differing[:5]
            ]
        except (OSError, Confined) as error:
            good.append(None if isinstance(error, Confined) else False)
            evidence.append(str(error))
        record(unit.id, "C37-11.3.2", VERDICTS[folded(good)], evidence)
    undecided.tell()


def _about(said: Difference, owners: Collection[str]) -> str | None:
    """Whose record it is: the nearest of the names of units and hosts that it is of or lies below."""
    return deepest_zone(said.question[0].to_text(omit_final_dot=True), owners)


def _by_hosts(audit: Audit, on: str, judge: Callable[[str], tuple[bool, list[str]]]) -> Iterator[tuple[Unit, Answer]]:
    """Each unit with mailboxes on ``on``, by that host and by the one that serves its page, if that is another.

    Raises AuditError at the end, where a host could not be judged, for the units that no other host fails.
    """

    @cache
    def judged(host: str) -> tuple[bool | None, list[str]]:
        try:
            return judge(host)
        except AuditError as error:
            return None, [str(error)]

    undecided = Undecided()
    for unit in audit.units(on):
        server = portal_host(unit)
        why = unseen(audit, server) if server != on else ""
        answers = [judged(host) for host in dict.fromkeys([on, *([] if why else [server])])]
        good = folded(fine for fine, _ in answers)
        evidence = [line for _, lines in answers for line in lines] + ([why] if why else [])
        with undecided.of(unit):
            if good is None:
                raise AuditError("; ".join(line for fine, lines in answers if fine is None for line in lines))
            yield unit, ("fail" if not good else "not-tested" if why else "pass", evidence)
    undecided.tell()


@pytest.mark.requirement("C37-11.3.3")
def test_hosts_are_as_this_checkout_and_this_inventory_say(audit: Audit, on: str, record: Record) -> None:
    """Servers are managed: whoever has the same inventory compiles the same files, to the byte, as are live there."""

    def managed(host: str) -> tuple[bool, list[str]]:
        facts = facts_of(audit, host)
        differing = [line for role in facts.roles for line in facts.differing(role)]
        said = (
            f"{host}, {len(facts.roles)} vai trò / roles: {len(differing)} điểm khác bản mã này dựng ra,"
            " theo giá trị băm của mọi tệp"
            " / things differ from what this checkout compiles, by the digest of all their files"
        )
        return not differing, [said, *differing[:20], *facts.dated]

    for unit, answer in _by_hosts(audit, on, managed):
        record(unit.id, "C37-11.3.3", *answer)


@pytest.mark.requirement("C37-11.3.4")
def test_services_have_users_of_their_own_and_an_auditor_no_rights(audit: Audit, on: str, record: Record) -> None:
    def divided(host: str) -> tuple[bool, list[str]]:
        facts = facts_of(audit, host)
        users = ", ".join(f"{name} ({', '.join(those)})" for name, those in sorted(facts.seen["users"].items()))
        evidence = [
            f"{host}: dịch vụ và người dùng của nó / services and their users: {users or 0};"
            f" không có người dùng riêng / not as a user of its own: {', '.join(facts.mixed) or 0}",
            f"trong {len(facts.seen['places'])} chỗ phải đóng, người khác đọc được"
            f" / of {len(facts.seen['places'])} closed places open to others: {', '.join(facts.readable) or 0}",
            "người kiểm tra được chạy qua sudo / what an auditor may run by sudo:"
            f" {'; '.join(facts.seen['sudo']) or 0}",
        ]
        return not (facts.mixed or facts.readable) and facts.sudo_is_narrow, evidence

    for unit, answer in _by_hosts(audit, on, divided):
        record(unit.id, "C37-11.3.4", *answer)
