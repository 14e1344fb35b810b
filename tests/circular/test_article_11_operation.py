"""Article 11: how portal and mail are run."""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial

import pytest

from edumail.dns import deepest_zone
from edumail.dnscheck import Difference
from tests.circular import sections
from tests.circular.audit import Audit
from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.dialogues import Seen, folded, seen_at
from tests.circular.host import facts_of
from tests.circular.mailed import Undecided
from tests.circular.network import HTTPS_PORT, Confined, Network, certificate_text
from tests.circular.portal import Answer, Reading
from tests.circular.servers import Told, by_hosts
from tests.circular.test_article_4_mail import opened

CERTIFICATE_DAYS = 7
"""For how long a certificate has to hold yet; a figure of this suite, below the rests at which hosts renew theirs."""
REGISTERED = (
    "không hỏi nhà đăng ký tên miền nào: việc đã đăng ký cho đơn vị, và đến bao giờ, phải có người xác nhận"
    " / no registrar was asked: that the names are registered for the unit, and until when, has to be attested"
)
NOT_SEEN = (
    "có chứng thư hay bản ghi DNS mà máy này không xem được / some certificate, or DNS, can't be seen from this machine"
)
STRONG = frozenset({"argon2", "bcrypt", "sha512_crypt", "sha256_crypt"})
"""Ways to hash a password that make each guess cost; all of them salted."""
OF_PROGRAMS = "SHA512"
"""How the account pages keep what they make up for a mail program."""


@pytest.mark.requirement("C37-11.3.5")
def test_accounts_begin_without_a_password_and_keep_strong_hashes(audit: Audit, on: str, record: Record) -> None:
    host = opened(audit, on)
    accounts, programs = host.accounts, host.facts["programs"]
    for unit in audit.units(on):
        people = [a for a in accounts[unit.id] if a["state"] in ("waiting", "active")]
        waiting = [a for a in people if a["state"] == "waiting"]
        given = sorted(a["address"] for a in waiting if a["scheme"])
        weak = sorted(a["address"] for a in people if a["state"] == "active" and a["scheme"] not in STRONG)
        alike = sorted(a["address"] for a in people if a["alike"])
        kinds = Counter(str(a["scheme"]) for a in people if a["state"] == "active")
        of_programs = programs.get(unit.id, {})
        others = sorted(of_programs.keys() - {OF_PROGRAMS})
        evidence = [
            f"{len(people)} tài khoản / accounts; {len(waiting)} đang chờ kích hoạt / not begun,"
            f" trong số này đã có mật khẩu / of these with a password: {', '.join(given) or 0}",
            f"giá trị băm / hashes: {_counted(kinds)}; không có hoặc yếu / none or weak: {', '.join(weak) or 0}",
            f"cùng giá trị băm với tài khoản khác / the same hash as another account: {', '.join(alike) or 0}",
            f"mật khẩu ứng dụng / passwords of mail programs: {_counted(of_programs)}; ngoài {OF_PROGRAMS}"
            f" / other than {OF_PROGRAMS}: {', '.join(others) or 0}; máy tự sinh, ngẫu nhiên 74 bit, không ai đoán nổi,"
            " nên băm nhanh là đủ"
            " / made up by the host of 74 random bits, which nobody guesses, so a fast hash is enough",
            "edumail-accounts: mật khẩu chỉ do chủ tài khoản đặt, bằng mã dùng một lần, hoặc mang từ hệ thống cũ"
            " / a password comes to be only by its owner, with a code that works once, or from the system before",
        ]
        good = people and not (given or weak or alike or others)
        record(unit.id, "C37-11.3.5", "pass" if good else "fail", evidence)


def _counted(schemes: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {scheme}" for scheme, number in sorted(schemes.items())) or "0"


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
    """The half that shows: names are managed. That they are registered for the unit is on paper."""
    audit.unseen[NOT_SEEN] = "unasked"
    network = audit.network
    undecided = Undecided()
    answers = undecided.heard(of_pages)
    front = audit.province.settings.front_name
    hosts = sorted({front, *(audit.province.hosts[unit.host].fqdn for unit, _ in answers)})
    of_hosts = seen_at(audit, {f"{name}:993": partial(_certificate, network, name, 993) for name in hosts})
    owners = {front, *(host.fqdn for host in audit.province.hosts.values())}
    owners |= {name for unit in audit.province.units.values() for name in (unit.portal, unit.domain)}
    for unit, (of_portal, said) in answers:
        fqdn = audit.province.hosts[unit.host].fqdn
        seen = [(of_portal, said), of_hosts[f"{fqdn}:993"], of_hosts[f"{front}:993"]]
        good, evidence = [fine for fine, _ in seen], [line for _, line in seen]
        try:
            exchanger = network.exchanger(unit.domain)
            evidence.append(f"{unit.domain} MX {exchanger} [{network.address(exchanger)}]")
            names = (unit.portal, unit.domain, exchanger, fqdn, front)
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
        shown = folded(good)
        evidence += [NOT_SEEN, REGISTERED] if shown is None else [REGISTERED]
        record(unit.id, "C37-11.3.2", "fail" if shown is False else "not-tested", evidence)
    undecided.tell()


def _about(said: Difference, owners: Collection[str]) -> str | None:
    """Whose record it is: the nearest of the names of units and hosts that it is of or lies below."""
    return deepest_zone(said.question[0].to_text(omit_final_dot=True), owners)


@pytest.mark.requirement("C37-11.3.3")
def test_hosts_are_as_this_checkout_and_this_inventory_say(audit: Audit, on: str, record: Record) -> None:
    """Servers are managed: whoever has the same inventory compiles the same files, to the byte, as are live there."""

    def managed(host: str) -> Told:
        facts = facts_of(audit, host)
        differing = [line for role in facts.roles for line in facts.differing(role)]
        said = (
            f"{host}, {len(facts.roles)} vai trò / roles: {len(differing)} điểm khác bản mã này dựng ra,"
            " theo giá trị băm của mọi tệp"
            " / things differ from what this checkout compiles, by the digest of all their files"
        )
        return not differing, [said, *differing[:20], *facts.dated]

    for unit, answer in by_hosts(audit, audit.units(on), managed):
        record(unit.id, "C37-11.3.3", *answer)


@pytest.mark.requirement("C37-11.3.4")
def test_services_have_users_of_their_own_and_an_auditor_no_rights(audit: Audit, on: str, record: Record) -> None:
    def divided(host: str) -> Told:
        facts = facts_of(audit, host)
        running = facts.seen["users"] | {name: [user or "?"] for name, user in facts.owner.items()}
        users = ", ".join(f"{name} ({', '.join(those)})" for name, those in sorted(running.items()))
        evidence = [
            f"{host}: tiến trình, dịch vụ được xem và người dùng / processes and services looked at, and their users:"
            f" {users or 0}; không có người dùng riêng / not as a user of its own: {', '.join(facts.mixed) or 0}",
            f"{host}: trong {len(facts.seen['places'])} chỗ phải đóng, người khác đọc được"
            f" / of {len(facts.seen['places'])} closed places open to others: {', '.join(facts.readable) or 0}",
            f"{host}: người kiểm tra được chạy qua sudo / what an auditor may run by sudo:"
            f" {'; '.join(facts.seen['sudo']) or 0}; ngoài ra còn có thể / what else an auditor could do:"
            f" {', '.join(facts.auditor_may) or 0}",
        ]
        return not (facts.mixed or facts.readable or facts.auditor_may), evidence

    for unit, answer in by_hosts(audit, audit.units(on), divided):
        record(unit.id, "C37-11.3.4", *answer)
