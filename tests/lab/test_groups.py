"""Who may write to a group, by whatever door; and how a message to a group travels."""

from __future__ import annotations

import re
import smtplib
import time
from collections import Counter

import pytest

from edumail.spread import part_domain
from lab import lab
from roles.common.paths import LEARN, learn_domain
from tests.lab.managesieve import ManageSieve
from tests.lab.province import LabProvince, new_message

DIRECTOR, DEPARTMENT_CLERK = "thinhdq@sogddt.minhha.test", "quynhvt@sogddt.minhha.test"
SPECIALIST = "oanhbtk@sogddt.minhha.test"  # of the department
OFFICE, OFFICER = "khaitv@suoimo.minhha.test", "duchm@suoimo.minhha.test"  # the commune's office: its head, its staff
HEAD, CLERK = "bangnv@suoimo.minhha.test", "nhilt@suoimo.minhha.test"  # a school in the same domain, on the same host
PRESCHOOL = "enct@suoimo.minhha.test"  # a school in the same domain, on the gateway
PRINCIPAL, TEACHER = (
    "phuctd@thptsongque.test",
    "yendth@thptsongque.test",
)  # a school with a host and a domain of its own
STRANGER = "phuhuynh@ngoai.test"

HOLDERS, MEMBERS = "thongbao@sogddt.minhha.test", "thutruong@sogddt.minhha.test"
UNIT, BRANCH = "vanthu@suoimo.minhha.test", "ds-thutruong@suoimo.minhha.test"
PROVINCE, ANYONE = "hieutruong@suoimo.minhha.test", "hieutruong@thptsongque.test"
HOLDS_CLOSED_ONES = "lanhdao-vanthu@sogddt.minhha.test"
EVERYBODY = "ds-toanthe@sogddt.minhha.test"

ALLOWED = {
    HOLDERS: {DIRECTOR, DEPARTMENT_CLERK},
    MEMBERS: {DIRECTOR, OFFICE, HEAD, PRINCIPAL},
    UNIT: {OFFICE, OFFICER},
    BRANCH: {DIRECTOR, DEPARTMENT_CLERK, SPECIALIST, OFFICE, OFFICER, HEAD, CLERK, PRESCHOOL},
    PROVINCE: {DIRECTOR, DEPARTMENT_CLERK, SPECIALIST, OFFICE, OFFICER, HEAD, CLERK, PRESCHOOL, PRINCIPAL, TEACHER},
    HOLDS_CLOSED_ONES: {OFFICE},
}
REFUSED = "this group takes mail from"


@pytest.mark.parametrize("sender", [DIRECTOR, SPECIALIST, OFFICE, OFFICER, HEAD, CLERK, PRESCHOOL, PRINCIPAL, TEACHER])
def test_who_signed_in_may_write_as_the_rule_says_or_hears_so_in_the_dialogue_or_by_a_bounce(
    province: LabProvince, sender: str
) -> None:
    refused_later, taken_later = {}, {}
    with province.submission(sender) as client:
        for group, allowed in ALLOWED.items():
            client.rset()
            client.mail(sender)
            code, reply = client.rcpt(group)
            home = province.mail.home[group] == province.mail.home[sender] or group in here(province, sender)
            if home:
                assert (code == 250) == (sender in allowed), (group, reply)
                assert code == 250 or REFUSED.encode() in reply
            elif sender not in allowed:
                # The gateway says no; the sender's host can't know.
                assert code == 250
                refused_later[group] = province.send(sender, group)
            else:
                assert code == 250
                taken_later[group] = province.send(sender, group)
    for group, message_id in refused_later.items():
        assert f"to=<{group}>" in refusal(province, sender, message_id)
    for group, message_id in taken_later.items():
        assert handed_on(province, sender, message_id, group) == "sent"


def here(province: LabProvince, sender: str) -> dict[str, tuple[str, ...]]:
    """The groups that the sender's host expands itself."""
    return province.mail.host(province.mail.home[sender]).aliases


def refusal(province: LabProvince, sender: str, message_id: str) -> str:
    """What the sender's host logged when the gateway refused the message; the sender has a report of it."""
    end = time.monotonic() + 30
    while True:
        log = province.run(province.mail.home[sender], "journalctl -u postfix --since -3min -o cat")
        queue = re.findall(rf"(\w+): message-id=<{re.escape(message_id)}>", log)
        found = [line for id_ in queue for line in log.splitlines() if f"{id_}: to=<" in line and REFUSED in line]
        if found:
            return found[0]
        assert time.monotonic() < end, f"<{message_id}> was not refused"
        time.sleep(0.5)


def handed_on(province: LabProvince, sender: str, message_id: str, group: str) -> str:
    """What became of the message on its way from the sender's host to the gateway: the status in the log."""
    end = time.monotonic() + 30
    while True:
        log = province.run(province.mail.home[sender], "journalctl -u postfix --since -3min -o cat")
        for id_ in re.findall(rf"(\w+): message-id=<{re.escape(message_id)}>", log):
            if found := re.findall(rf"{id_}: to=<{re.escape(group)}>.* status=(\w+)", log):
                return found[-1]
        assert time.monotonic() < end, f"<{message_id}> did not leave"
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("sender", "group"), [(OFFICE, MEMBERS), (PRINCIPAL, MEMBERS), (OFFICE, HOLDS_CLOSED_ONES), (CLERK, BRANCH),
                          (DIRECTOR, BRANCH), (TEACHER, PROVINCE)]
)  # fmt: skip
def test_what_is_allowed_arrives_from_another_host(province: LabProvince, sender: str, group: str) -> None:
    message_id = province.send(sender, group)
    province.read(HEAD, message_id)
    assert province.count(HEAD, message_id) == 1


def test_a_shared_mailbox_writes_where_all_its_holders_may(province: LabProvince) -> None:
    school = "thsuoimo@suoimo.minhha.test"  # HEAD and CLERK hold it
    with province.submission(HEAD) as client:
        client.mail(school)
        assert client.rcpt(BRANCH)[0] == 250
    assert refusal(province, HEAD, province.send(school, MEMBERS, login=HEAD))  # HEAD alone may write there


@pytest.mark.parametrize("written", [MEMBERS.upper(), MEMBERS.replace("@", "+x@")])
def test_another_spelling_of_the_address_is_no_way_round(province: LabProvince, written: str) -> None:
    for sender, allowed in ((DIRECTOR, True), (SPECIALIST, False)):
        with province.submission(sender) as client:
            client.mail(sender)
            assert (client.rcpt(written)[0] == 250) == allowed


class TestFromOutside:
    @pytest.mark.parametrize("sender", [STRANGER, "", DIRECTOR], ids=["stranger", "null", "forged"])
    @pytest.mark.parametrize("group", [*ALLOWED, EVERYBODY])
    def test_closed_groups_take_nothing(self, province: LabProvince, group: str, sender: str) -> None:
        code, reply = province.from_outside(sender, group)
        assert code == 554, reply

    def test_a_forged_from_header_changes_nothing(self, province: LabProvince) -> None:
        code, _ = province.from_outside(STRANGER, UNIT, new_message(OFFICE, UNIT))
        assert code == 554

    def test_open_ones_do(self, province: LabProvince) -> None:
        message = new_message(STRANGER, ANYONE)
        lab.foreign_send(STRANGER, ANYONE, message.as_bytes())
        province.read(PRINCIPAL, message["Message-ID"].strip("<>"))

    def test_the_parts_of_a_group_are_for_hosts_alone(self, province: LabProvince) -> None:
        for part in parts_of(province, EVERYBODY):
            with province.network.smtp(province.gateway) as client:
                client.mail(STRANGER)
                assert client.rcpt(part)[0] == 554
            for sender in (DIRECTOR, HEAD):
                with province.submission(sender) as client:
                    client.mail(sender)
                    code, reply = client.rcpt(part)
                    assert code == 554, reply

    def test_and_nobody_sends_for_them(self, province: LabProvince) -> None:
        """Reports on such a message would go to all members of a closed group, or train the filter."""
        gateway = province.mail.gateway
        own = next(a for a in province.mail.host(gateway.name).aliases if a.endswith(f"@{part_domain(gateway)}"))
        senders = [own, parts_of(province, EVERYBODY)[0], *(f"{word}@{learn_domain(gateway)}" for word in LEARN)]
        for sender in senders:
            with province.network.smtp(province.gateway) as client:
                client.ehlo()
                client.mail(sender, ["RET=HDRS"] if client.has_extn("dsn") else [])
                code, reply = client.rcpt(PRESCHOOL, ["NOTIFY=SUCCESS"] if client.has_extn("dsn") else [])
                assert (code, b"sign in" in reply) == (554, True), (sender, reply)
            with province.submission(DIRECTOR) as client:
                client.mail(sender)
                code, reply = client.rcpt(PRESCHOOL)
                assert (code, b"not owned" in reply) == (553, True), (sender, reply)


def parts_of(province: LabProvince, group: str) -> list[str]:
    domains = [part_domain(host) for host in province.province.hosts.values()]
    parts = [a for a in province.mail.host("mail-so").aliases[group] if a.partition("@")[2] in domains]
    assert parts
    return parts


@pytest.mark.parametrize("group", [*ALLOWED, EVERYBODY, "toantruong@thptsongque.test", "part"])
def test_a_forward_is_no_way_in(province: LabProvince, group: str) -> None:
    """Not even to a group of another host that the forwarder may write to."""
    group = parts_of(province, MEMBERS)[0] if group == "part" else group
    with ManageSieve(province.network, province.front, PRINCIPAL, province.password(PRINCIPAL)) as sieve:
        assert sieve.put("thu", f'require ["copy"];\nredirect :copy "{group}";\n').startswith("OK")
        assert sieve.command('SETACTIVE "thu"').startswith("OK")
        try:
            province.read(PRINCIPAL, province.send(DIRECTOR, PRINCIPAL))
        finally:
            sieve.command('SETACTIVE ""')
            sieve.command('DELETESCRIPT "thu"')
    log = province.run("mail-thpt", "journalctl -u postfix --since -1min -o cat")
    assert f"{group}>: Recipient address rejected" in log


class TestBetweenHosts:
    """The gateway believes a host its own senders, and asks of these what the rule says."""

    def ask(self, province: LabProvince, sender: str, recipient: str) -> str:
        """What the gateway answers mail-thpt, which shows its own true certificate."""
        dialogue = f"EHLO mail.thptsongque.test\\r\\nMAIL FROM:<{sender}>\\r\\nRCPT TO:<{recipient}>\\r\\nQUIT\\r\\n"
        return province.run(
            "mail-thpt",
            f"printf '{dialogue}' | (sleep 1; while read -r line; do printf '%s\\n' \"$line\"; sleep 0.3; done)"
            " | openssl s_client -quiet -crlf -starttls smtp -connect mail-so.minhha.test:2525"
            " -cert /etc/edumail/tls/host.pem -key /etc/edumail/tls/host.key 2>/dev/null || true",
        )

    def test_a_sender_of_another_host_is_not_believed(self, province: LabProvince) -> None:
        for group in (UNIT, BRANCH, PROVINCE, ANYONE):
            assert "554 5.7.1" in self.ask(province, OFFICE, group)

    def test_an_own_sender_is_asked_for_the_rule(self, province: LabProvince) -> None:
        assert REFUSED in self.ask(province, TEACHER, MEMBERS)
        assert "250 2.1.5" in self.ask(province, PRINCIPAL, MEMBERS)

    def test_a_part_has_the_rule_of_its_group(self, province: LabProvince) -> None:
        for part in parts_of(province, MEMBERS):
            assert REFUSED in self.ask(province, TEACHER, part)
            assert "250 2.1.5" in self.ask(province, PRINCIPAL, part)
        unknown = f"{'0' * 16}@{part_domain(province.province.hosts['mail-xa'])}"
        assert REFUSED in self.ask(province, PRINCIPAL, unknown)


# How a message travels


def deliveries(province: LabProvince, host: str, message_id: str) -> Counter[tuple[str, str]]:
    """(recipient, relay without its port) → how often ``host`` handed the message on."""
    log = province.run(host, "journalctl -u postfix --since -3min -o cat")
    queue = set(re.findall(rf"(\w+): message-id=<{re.escape(message_id)}>", log))
    found = re.findall(r"^(\w+): to=<([^>]+)>,.* relay=([^\[,]+).* status=sent", log, re.MULTILINE)
    return Counter((to, relay) for id_, to, relay in found if id_ in queue)


def test_one_copy_goes_to_each_host_and_one_to_each_member(province: LabProvince) -> None:
    message_id = province.send(DIRECTOR, EVERYBODY)
    members = province.mail.groups.mailboxes(EVERYBODY)
    assert len(members) > 40
    end = time.monotonic() + 60
    while True:
        seen = {host: deliveries(province, host, message_id) for host in province.province.hosts}
        reached = Counter(to for counts in seen.values() for (to, _), n in counts.items() for _ in range(n))
        if members <= reached.keys() or time.monotonic() > end:
            break
        time.sleep(1)
    assert {member: reached[member] for member in members} == dict.fromkeys(members, 1)
    wire = {relay: n for (to, relay), n in seen["mail-so"].items() if to not in members}
    assert wire == {"mail-xa.minhha.test": 1, "mail.thptsongque.test": 1}


def test_a_person_reached_by_two_ways_gets_one_copy(province: LabProvince) -> None:
    nested = province.send(OFFICE, HOLDS_CLOSED_ONES)
    both = province.send(DIRECTOR, MEMBERS, PROVINCE, HEAD)
    for message_id in (nested, both):
        for member in (HEAD, "huongnt.mnhoasen@suoimo.minhha.test"):
            province.read(member, message_id)
    time.sleep(2)
    for message_id in (nested, both):
        for member in (HEAD, "huongnt.mnhoasen@suoimo.minhha.test"):
            assert province.count(member, message_id) == 1


class TestByTwoWays:
    """One message, one copy, also where the ways part on the sender's host and no host sees both."""

    # HEAD's host expands the first itself; the gateway expands the second, and hands a part of it back.
    OWN, OTHERS = "toanthe.thsuoimo@suoimo.minhha.test", MEMBERS

    def wait(self, province: LabProvince, message_id: str, copies: int) -> None:
        """Until HEAD's host has handed so many copies to HEAD's mailbox."""
        end = time.monotonic() + 60
        while sum(n for (to, _), n in deliveries(province, "mail-xa", message_id).items() if to == HEAD) < copies:
            assert time.monotonic() < end, f"fewer than {copies} copies came for {HEAD}"
            time.sleep(0.5)

    @pytest.mark.parametrize(
        "to", [(OWN, OTHERS), (HEAD, OTHERS), (OTHERS, HEAD, OWN)], ids=["groups", "person", "all"]
    )
    def test_a_member_of_both_gets_one(self, province: LabProvince, to: tuple[str, ...]) -> None:
        message_id = province.send(HEAD, *to)
        self.wait(province, message_id, 2)
        province.read(HEAD, message_id)
        assert province.count(HEAD, message_id) == 1
        if self.OWN in to:
            province.read(CLERK, message_id)  # by one way alone
        province.read(PRINCIPAL, message_id)

    def test_the_same_message_sent_once_more_is_another(self, province: LabProvince) -> None:
        """Programs send again what was sent (Resent-From) under the Message-ID that it had."""
        message = new_message(HEAD, CLERK)
        for _ in range(2):
            with province.submission(HEAD) as client:
                client.send_message(message, from_addr=HEAD, to_addrs=[CLERK])
        message_id = message["Message-ID"].strip("<>")
        end = time.monotonic() + 30
        while province.count(CLERK, message_id) < 2:
            assert time.monotonic() < end
            time.sleep(0.5)

    def test_nobody_marks_a_message_but_the_host_that_took_it(self, province: LabProvince) -> None:
        """Else a stranger who knew a mark could keep the true message away."""
        first = province.send(HEAD, CLERK)
        (mark,) = marks(province, CLERK, first)
        assert len(mark) == 32
        message = new_message(CLERK, HEAD)
        message["X-Edumail-Once"] = mark
        with province.submission(CLERK) as client:
            client.send_message(message, from_addr=CLERK, to_addrs=[HEAD])
        (own,) = marks(province, HEAD, message["Message-ID"].strip("<>"))
        assert own != mark
        message = new_message(STRANGER, CLERK)
        message["X-Edumail-Once"] = mark
        lab.foreign_send(STRANGER, CLERK, message.as_bytes())
        assert marks(province, CLERK, message["Message-ID"].strip("<>")) == []

    def test_what_could_not_be_delivered_yet_is_not_taken_for_a_copy(self, province: LabProvince) -> None:
        folder = f"/var/vmail/{HEAD.partition('@')[2]}/{HEAD.partition('@')[0]}/Maildir/tmp"
        province.run("mail-xa", f"test -d {folder} && chmod 0 {folder} && chown root {folder}")
        try:
            message_id = province.send(HEAD, self.OWN, self.OTHERS)
            province.read(CLERK, message_id)
            end = time.monotonic() + 60
            while deferred(province, "mail-xa", message_id, HEAD) < 2:
                assert time.monotonic() < end, "a copy was delivered, or none came"
                time.sleep(0.5)
        finally:
            province.run("mail-xa", f"chown vmail {folder} && chmod 700 {folder}; postqueue -f")
        province.read(HEAD, message_id)
        self.wait(province, message_id, 2)
        assert province.count(HEAD, message_id) == 1


def marks(province: LabProvince, mailbox: str, message_id: str) -> list[str]:
    """The marks that a message bears which has arrived."""
    return province.read(mailbox, message_id).get_all("X-Edumail-Once", [])


def deferred(province: LabProvince, host: str, message_id: str, to: str) -> int:
    """How many copies for this mailbox wait in the host's queue."""
    log = province.run(host, "journalctl -u postfix --since -3min -o cat")
    queue = set(re.findall(rf"(\w+): message-id=<{re.escape(message_id)}>", log))
    found = re.findall(rf"^(\w+): to=<{re.escape(to)}>.* status=deferred", log, re.MULTILINE)
    return len(queue.intersection(found))


EVERY_DOOR = """
for service in $(postconf -M | awk '$2 == "inet" {print $1}'); do
  exec 3<>/dev/tcp/127.0.0.1/${service##*:}
  case $service in submissions) sleep 1;; *) read -r -t 10 line <&3; echo "$service $line";; esac
  exec 3>&-
done
"""


def test_no_host_s_postfix_has_a_word_against_its_tables(province: LabProvince) -> None:
    """An smtpd opens its tables and makes its restriction classes ready when it starts: each door gets a new one."""
    for host in province.province.hosts:
        since = province.run(host, "date +%s; systemctl reload postfix").strip()
        greetings = province.run(host, "bash -s", stdin=EVERY_DOOR).splitlines()
        assert len(greetings) >= 4
        assert all(" 220 " in greeting for greeting in greetings), greetings
        log = province.run(host, f"journalctl -u postfix --since=@{since} -o cat")
        assert log.count("connect from localhost") >= len(greetings)
        words = r"^error:|warning:.*(pipemap|regexp|cdb|expansion|class|table|restriction)|fatal|panic"
        assert not [line for line in log.splitlines() if re.search(words, line)]


def test_submission_by_the_front_asks_the_same(province: LabProvince) -> None:
    with province.submission(SPECIALIST, host=province.front) as client:
        client.mail(SPECIALIST)
        assert client.rcpt(MEMBERS)[0] == 554
    with province.submission(OFFICER, host=province.front) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail(OFFICER, ["toanthe.thsuoimo@suoimo.minhha.test"], b"Subject: x\r\n\r\nx")
