"""Under whose address forwards leave, by policy, and the way back to an author whose address was packed into ours.

In the commune's domain the office and the preschool keep authors (srs); the lower-secondary school forwards under the
address of whoever forwards. Office and school share a host, the preschool lives on the gateway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time

import pytest

from lab import lab
from tests.lab.managesieve import filtered
from tests.lab.province import LabProvince, new_message
from tests.lab.test_mail import foreign_message

OFFICE = "khaitv@suoimo.minhha.test"  # mail-xa
STRICT = "thucbv@suoimo.minhha.test"  # mail-xa too; the school sends within the province only
PRESCHOOL, DIRECTOR = "enct@suoimo.minhha.test", "thinhdq@sogddt.minhha.test"  # mail-so, the gateway
AUTHOR = "phuhuynh@ngoai.test"
KEEPERS = {"mail-xa": OFFICE, "mail-so": PRESCHOOL}
BOTH = pytest.mark.parametrize("host", KEEPERS)
DAYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def packed(province: LabProvince, host: str, author: str = AUTHOR, age: int = 0) -> str:
    """An author's address as the host itself packs it, ``age`` days ago: for tests, with the host's own secret."""
    secret = province.run(host, "cat /etc/postsrsd.secret").strip()
    local, _, domain = author.partition("@")
    today = int(time.time()) // 86400 - age
    stamp = DAYS[today >> 5 & 31] + DAYS[today & 31]
    digest = hmac.new(secret.encode(), f"{stamp}{domain}{local}".lower().encode(), hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()[:8]
    return f"SRS0={signature}={stamp}={domain}={local}@srs.{province.province.hosts[host].fqdn}"


def forwarded(province: LabProvince, login: str, author: str = AUTHOR) -> tuple[str, str]:
    """A letter of ``author`` as it arrives outside by the person's filter: the envelope's sender, and all of it."""
    message = new_message(author, login)
    with filtered(province, login, 'redirect "giamkhao@ngoai.test";'):
        if not author or author.endswith("@ngoai.test"):
            lab.foreign_send(author, login, message.as_bytes())
        else:
            with province.submission(author) as client:
                client.send_message(message, from_addr=author, to_addrs=[login])
        seen = foreign_message("giamkhao", message["Message-ID"].strip("<>")).decode(errors="replace")
    found = re.search(r"^Return-Path: <(.*)>", seen, re.MULTILINE)
    assert found
    return found[1], " ".join(seen.split())


def answer(province: LabProvince, sender: str, recipient: str) -> tuple[int, str]:
    """What the MX of the recipient says to a stranger's RCPT."""
    with province.network.smtp(province.network.exchanger(recipient.partition("@")[2])) as client:
        client.mail(sender)
        code, reply = client.rcpt(recipient)
        return code, reply.decode()


@BOTH
def test_a_forward_keeps_its_author_and_passes_spf(province: LabProvince, host: str) -> None:
    sender, seen = forwarded(province, KEEPERS[host])
    assert sender == packed(province, host)
    assert "Received-SPF: Pass" in seen
    assert re.search(r"dkim=pass \S+ \S+ \S+ header\.d=ngoai\.test", seen), seen


def test_units_of_one_host_and_domain_differ(province: LabProvince) -> None:
    for login, expected in ((OFFICE, "SRS0="), (STRICT, STRICT)):
        message = new_message(AUTHOR, login)
        with filtered(province, login, f'redirect "{DIRECTOR}";'):
            lab.foreign_send(AUTHOR, login, message.as_bytes())
            read = province.read(DIRECTOR, message["Message-ID"].strip("<>"))
        assert str(read["Return-Path"]).strip("<>").startswith(expected)


@BOTH
def test_a_report_of_delivery_reaches_the_author(province: LabProvince, host: str) -> None:
    sender = packed(province, host)
    report = new_message("postmaster@ngoai.test", sender)
    lab.foreign_send("", sender, report.as_bytes())
    assert foreign_message("phuhuynh", report["Message-ID"].strip("<>"))


def test_an_author_of_another_host_hears_of_it_too(province: LabProvince) -> None:
    sender, seen = forwarded(province, OFFICE, DIRECTOR)
    assert sender == packed(province, "mail-xa", DIRECTOR)
    assert "Received-SPF: Pass" in seen
    report = new_message("postmaster@ngoai.test", sender)
    lab.foreign_send("", sender, report.as_bytes())
    province.read(DIRECTOR, report["Message-ID"].strip("<>"))


def test_the_policy_of_whoever_forwards_holds_not_the_author_s(province: LabProvince) -> None:
    sender, seen = forwarded(province, OFFICE, STRICT)
    assert sender == STRICT
    assert "Received-SPF: Pass" in seen


def test_an_answer_of_a_filter_leaves_under_the_mailbox_s_address(province: LabProvince) -> None:
    letter = new_message(AUTHOR, OFFICE)
    rule = f'require ["vacation"]; vacation :handle "{secrets.token_hex(4)}" :subject "Nghi phep" "Toi nghi.";'
    with filtered(province, OFFICE, rule):
        lab.foreign_send(AUTHOR, OFFICE, letter.as_bytes())
        seen = foreign_message("phuhuynh", f"In-Reply-To: {letter['Message-ID']}")
    assert f"Return-Path: <{OFFICE}>".encode() in seen


def test_an_answer_stays_within_the_province_where_the_unit_says_so(province: LabProvince) -> None:
    letter = new_message(AUTHOR, STRICT)
    since = province.run("mail-xa", "date +%s").strip()
    rule = f'require ["vacation"]; vacation :handle "{secrets.token_hex(4)}" "Toi nghi.";'
    with filtered(province, STRICT, rule):
        lab.foreign_send(AUTHOR, STRICT, letter.as_bytes())
        province.read(STRICT, letter["Message-ID"].strip("<>"))
        log = f"journalctl -q -u postfix -o cat --since=@{since} | grep 'from=<{STRICT}> to=<{AUTHOR}>' || true"
        end = time.monotonic() + 20
        while "within the province only" not in province.run("mail-xa", log):
            assert time.monotonic() < end
            time.sleep(0.5)


def test_a_forward_of_a_report_has_no_sender(province: LabProvince) -> None:
    sender, _ = forwarded(province, OFFICE, "")
    assert sender == ""


@BOTH
class TestPackedAddresses:
    """Who reaches an author by such an address."""

    def test_only_ones_that_the_host_signed_lately_exist(self, province: LabProvince, host: str) -> None:
        good = packed(province, host)
        assert answer(province, "", good)[0] == 250
        assert answer(province, "", packed(province, host, age=20))[0] == 250
        for bad in (
            good.replace("=phuhuynh@", "=giamkhao@"),
            good.replace("=ngoai.test=", "=ngoai.example="),
            good.replace(good[5:13], "AAAAAAAA"),
            packed(province, host, age=22),
            good.replace("SRS0=", "SRS1="),
            good.replace("SRS0=", ""),
        ):
            code, reply = answer(province, "", bad)
            assert code // 100 == 5, (bad, reply)

    def test_they_take_reports_only(self, province: LabProvince, host: str) -> None:
        code, reply = answer(province, AUTHOR, packed(province, host))
        assert code == 554, reply

    def test_nobody_outside_sends_as_one(self, province: LabProvince, host: str) -> None:
        code, reply = answer(province, packed(province, host), DIRECTOR)
        assert code == 554, reply
        assert "the sender is one of us" in reply

    def test_they_take_so_many_in_an_hour(self, province: LabProvince, host: str) -> None:
        author = secrets.token_hex(4)
        address = packed(province, host, f"{author}@ngoai.test")
        since = province.run("mail-so", "date +%s").strip()

        def send(count: int) -> None:
            for _ in range(count):
                lab.foreign_send("", address, new_message("postmaster@ngoai.test", address).as_bytes())

        send(20)
        end = time.monotonic() + 30
        while len(lab.foreign_inbox(author)) < 20:
            assert time.monotonic() < end
            time.sleep(0.5)
        send(2)
        # Where the host unpacks it, the address of the author stands in the log.
        refusals = f"journalctl -q -u postfix -o cat --since=@{since} | grep 'too many reports.*{author}' || true"
        end = time.monotonic() + 30
        while not province.run("mail-so", refusals):
            assert time.monotonic() < end
            time.sleep(0.5)
        province.run("mail-so", "redis-cli --scan --pattern 'RL*' | xargs -r redis-cli del")  # the last one may come

    def test_a_report_has_one_recipient(self, province: LabProvince, host: str) -> None:
        with province.network.smtp(province.gateway) as client:
            client.mail("")
            for author in (AUTHOR, "giamkhao@ngoai.test"):
                assert client.rcpt(packed(province, host, author))[0] == 250
            code, reply = client.data(new_message("a@ngoai.test", AUTHOR).as_bytes())
        assert code // 100 == 5, reply
        assert b"one recipient" in reply


def test_a_host_hands_on_no_address_that_another_packed(province: LabProvince) -> None:
    script = (
        "import smtplib, ssl\n"
        "context = ssl.create_default_context(cafile='/etc/edumail/tls/ca.pem')\n"
        "context.load_cert_chain('/etc/edumail/tls/host.pem', '/etc/edumail/tls/host.key')\n"
        "with smtplib.SMTP('mail-so.minhha.test', 2525) as client:\n"
        "    client.starttls(context=context)\n"
        "    client.ehlo()\n"
        "    for sender in {senders!r}:\n"
        "        client.mail(sender)\n"
        "        print(client.rcpt('phuhuynh@ngoai.test')[0])\n"
        "        client.rset()\n"
    )
    senders = [packed(province, "mail-xa"), packed(province, "mail-so"), AUTHOR]
    said = province.run("mail-xa", "python3 -", stdin=script.format(senders=senders))
    assert said.split() == ["250", "554", "554"]
