"""Policies at work: two schools of one commune, which share a domain and a host, and differ."""

from __future__ import annotations

import imaplib
import json
import secrets
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from lab import lab
from lab.text import LabError
from tests.lab.managesieve import filtered
from tests.lab.province import LabProvince, new_message
from tests.lab.test_mail import foreign_message

HOST = "mail-xa"
# The primary school has the defaults, the lower-secondary one is strict. Both have a clerk and a principal.
PRIMARY, PRIMARY_2 = "hoattm@suoimo.minhha.test", "bosv@suoimo.minhha.test"
STRICT, STRICT_2, STRICT_3 = "thucbv@suoimo.minhha.test", "ngaht@suoimo.minhha.test", "khanhdd@suoimo.minhha.test"
STRICT_PRINCIPAL = "vinhpt@suoimo.minhha.test"
OFFICE = "khaitv@suoimo.minhha.test"  # the commune's own
DIRECTOR, SPECIALIST = "thinhdq@sogddt.minhha.test", "oanhbtk@sogddt.minhha.test"  # on mail-so
OUTSIDE = "phuhuynh@ngoai.test"
MEBIBYTE = 1024 * 1024
DAY = 86400


@pytest.fixture(autouse=True, scope="module")
def _fresh_rates(province: LabProvince) -> None:
    province.run(HOST, "redis-cli --scan --pattern 'RL*' | xargs -r redis-cli del")


def submit(province: LabProvince, message: EmailMessage, *recipients: str) -> tuple[int, str]:
    """The reply to RCPT if that is no, else to DATA."""
    sender = str(message["From"])
    with province.submission(sender) as client:
        client.mail(sender)
        for recipient in recipients or (str(message["To"]),):
            code, reply = client.rcpt(recipient)
            if code != 250:
                return code, reply.decode()
        code, reply = client.data(message.as_bytes())
        return code, reply.decode()


def attached(sender: str, name: str, content: bytes) -> EmailMessage:
    message = new_message(sender, PRIMARY_2)
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def refused(answer: tuple[int, str], english: str, vietnamese: str) -> bool:
    return answer[0] == 554 and english in answer[1] and vietnamese in answer[1]


@pytest.mark.parametrize(
    ("address", "mebibytes"),
    [(PRIMARY, 2048), (STRICT, 1024), (STRICT_PRINCIPAL, 1536)],
    ids=["default", "unit", "post"],
)
def test_the_size_of_a_mailbox(province: LabProvince, address: str, mebibytes: int) -> None:
    with province.imap(address) as client:
        _, answer = client.getquotaroot("INBOX")
    assert f" {mebibytes * 1024})" in str(answer)  # KiB


class TestSending:
    def test_the_size_of_a_message(self, province: LabProvince) -> None:
        for sender in (PRIMARY, STRICT):
            message = new_message(sender, PRIMARY_2)
            message.set_content("mười chữ cái \n" * 350_000, cte="8bit")
            assert 4 * MEBIBYTE < len(message.as_bytes()) < 10 * MEBIBYTE
            answer = submit(province, message)
            if sender == STRICT:
                assert refused(answer, "larger than 4 MiB, your unit's limit", "thu lon hon 4 MiB"), answer
            else:
                assert answer[0] == 250, answer

    def test_the_size_of_an_attachment(self, province: LabProvince) -> None:
        content = bytes(2 * MEBIBYTE + 1)
        assert submit(province, attached(PRIMARY, "ban-do.dat", content))[0] == 250
        answer = submit(province, attached(STRICT, "ban-do.dat", content))
        assert refused(answer, "an attachment is larger than 2 MiB", "tep dinh kem lon hon 2 MiB"), answer
        assert submit(province, attached(STRICT, "ban-do.dat", content[:-1000]))[0] == 250

    def test_the_types_of_attachments(self, province: LabProvince) -> None:
        assert submit(province, attached(PRIMARY, "bai-hat.mp4", b"x"))[0] == 250
        answer = submit(province, attached(STRICT, "bai-hat.MP4", b"x"))
        assert refused(answer, "attachments of type .mp4 are not taken", "tep dinh kem .mp4"), answer
        answer = submit(province, attached(STRICT, "bai-hat.exe", b"x"))
        assert refused(answer, "attachments of type .exe are not taken", "tep dinh kem .exe"), answer

    def test_the_recipients_of_a_message(self, province: LabProvince) -> None:
        four = [PRIMARY_2, STRICT_2, OFFICE, DIRECTOR]
        assert submit(province, new_message(PRIMARY, PRIMARY_2), *four)[0] == 250
        answer = submit(province, new_message(STRICT, PRIMARY_2), *four)
        assert refused(answer, "a message has 3 recipients at most", "mot thu toi da 3 nguoi nhan"), answer

    def test_the_outside(self, province: LabProvince) -> None:
        assert submit(province, new_message(PRIMARY, OUTSIDE))[0] == 250
        answer = submit(province, new_message(STRICT, OUTSIDE))
        assert refused(answer, "your unit sends mail within the province only", "chi gui thu trong tinh"), answer
        assert submit(province, new_message(STRICT, DIRECTOR))[0] == 250  # another domain, another host
        assert submit(province, new_message(STRICT, PRIMARY_2.replace("@", "+hoc@")))[0] == 250
        group = submit(province, new_message(STRICT, "vanthu@suoimo.minhha.test"))
        assert "those allowed to write to it" in group[1]  # what else is forbidden stays so

    def test_how_much_a_person_and_a_unit_send_in_an_hour(self, province: LabProvince) -> None:
        province.run(HOST, "redis-cli --scan --pattern 'RL*' | xargs -r redis-cli del")
        three = [PRIMARY_2, STRICT_2, OFFICE]

        def until_refused(login: str) -> tuple[int, int, str]:
            """How many messages were taken before one was not, and the answer to that."""
            for number in range(7):
                code, reply = submit(province, new_message(login, PRIMARY_2), *three)
                if code != 250:
                    return number, code, reply
            return 7, 250, ""

        taken, code, reply = until_refused(STRICT)
        assert (taken, code, "this account has sent more than 12" in reply) == (4, 451, True), reply
        assert until_refused(STRICT_2)[:2] == (4, 451)
        taken, code, reply = until_refused(STRICT_3)
        assert (taken, code, "your unit has sent more than 30" in reply) == (2, 451, True), reply
        assert until_refused(PRIMARY)[0] == 7
        province.run(HOST, "redis-cli --scan --pattern 'RL*' | xargs -r redis-cli del")


class TestFilters:
    """What people's filters send to the outside."""

    def forwards(self, province: LabProvince, login: str, target: str, **headers: str) -> str:
        """What Postfix says to the filter of ``login`` that forwards a letter to ``target``; the letter stays."""
        since = province.run(HOST, "date +%s").strip()
        with filtered(province, login, f'redirect "{target}";'):
            message_id = province.send(PRIMARY_2, login, login=PRIMARY_2, **headers)
            end = time.monotonic() + 20
            while True:
                log = province.run(HOST, f"journalctl -q --no-pager -u postfix -o cat --since=@{since}")
                ids = {line.split(":")[0] for line in log.splitlines() if f"message-id=<{message_id}>" in line}
                there = [line for line in log.splitlines() if line.split(":")[0] in ids and f"to=<{target}>" in line]
                said = [line for line in there if "reject: " in line]
                passed = [line for line in there if "status=sent" in line]
                if said or passed:
                    break
                assert time.monotonic() < end, log
                time.sleep(0.5)
        if said:
            province.read(login, message_id)  # nothing is lost
        return (said or passed)[0]

    def test_forwards_go_where_the_unit_lets_them(self, province: LabProvince) -> None:
        assert "status=sent" in self.forwards(province, OFFICE, "nharieng@ngoai.test")
        assert "does not let mail be forwarded" in self.forwards(province, OFFICE, "nharieng@kiemtra.invalid")
        assert "does not let mail be forwarded" in self.forwards(province, PRIMARY, "nharieng@ngoai.test")
        assert "within the province only" in self.forwards(province, STRICT, "nharieng@ngoai.test")
        assert "status=sent" in self.forwards(province, PRIMARY, DIRECTOR)

    def test_a_mark_in_the_letter_hides_no_forward(self, province: LabProvince) -> None:
        marks = {"X_Sieve": "x", "X_Sieve_Redirected_From": PRIMARY_2, "Auto_Submitted": "auto-replied"}
        said = self.forwards(province, PRIMARY, "nharieng@ngoai.test", **marks)
        assert "does not let mail be forwarded" in said

    def test_an_answer_of_a_filter_is_no_forward(self, province: LabProvince) -> None:
        letter = new_message(OUTSIDE, PRIMARY)
        handle = secrets.token_hex(4)  # whoever was answered is not answered again for days
        rule = f'require ["vacation"]; vacation :handle "{handle}" :subject "Nghi phep" "Toi nghi.";'
        with filtered(province, PRIMARY, rule):
            lab.foreign_send(OUTSIDE, PRIMARY, letter.as_bytes())
            province.read(PRIMARY, letter["Message-ID"].strip("<>"))
            seen = foreign_message("phuhuynh", letter["Message-ID"].strip("<>"))
        assert b"Nghi phep" in seen


@pytest.mark.parametrize(
    ("group", "allowed", "not_allowed"),
    [
        ("toanthe.thsuoimo@suoimo.minhha.test", PRIMARY_2, STRICT),  # the unit's staff
        ("toanthe.thcssuoimo@suoimo.minhha.test", STRICT_PRINCIPAL, STRICT),  # its holders
        ("khoi45.thsuoimo@suoimo.minhha.test", STRICT, ""),  # the province
        ("khxh.thcssuoimo@suoimo.minhha.test", STRICT, PRIMARY),  # the unit's staff
        ("ds-vanthu@suoimo.minhha.test", PRIMARY_2, ""),  # the branch
        ("ds-vanthu@sogddt.minhha.test", DIRECTOR, SPECIALIST),  # its holders
    ],
)
def test_who_writes_to_the_groups_that_come_by_themselves(
    province: LabProvince, group: str, allowed: str, not_allowed: str
) -> None:
    code, reply = submit(province, new_message(allowed, group))
    assert code == 250, reply
    if not_allowed:
        code, reply = submit(province, new_message(not_allowed, group))
        assert code == 554
        assert "takes mail from those allowed" in reply


def test_how_long_mail_stays_in_trash_and_junk(province: LabProvince) -> None:
    """With seconds in place of days: Dovecot looks when a session ends."""
    file = "/var/lib/edumail/trees/dovecot/current/dovecot.conf"
    province.run(
        HOST, f"cp {file} /root/kept && sed -i \"s/_days || 'd'/_days || 's'/\" {file} && doveadm reload && sleep 1"
    )
    try:
        for address in (PRIMARY, STRICT):
            with province.imap(address) as client:
                for folder in ("Trash", "Junk"):
                    client.append(folder, None, None, b"Subject: cu\r\n\r\nx\r\n")
        time.sleep(8)
        for _ in range(2):  # the first session's end is when the mail goes
            left = {}
            for address in (PRIMARY, STRICT):
                with province.imap(address) as client:
                    left[address] = [int(client.select(folder)[1][0] or 0) for folder in ("Trash", "Junk")]
        assert left[STRICT] == [0, 0]
        assert min(left[PRIMARY]) >= 1
    finally:
        province.run(HOST, f"cp /root/kept {file} && doveadm reload && sleep 1")


@pytest.fixture(scope="module")
def by_hand(province: LabProvince) -> Iterator[None]:
    """The host looks at accounts when a test says so."""
    with province.without_work_of("edumail-accounts", HOST):
        yield


@pytest.mark.usefixtures("by_hand")
class TestAccounts:
    def choose(self, province: LabProvince, address: str, password: str, code: str = "") -> bool:
        code = code or province.run(HOST, f"edumail-accounts code {address}").strip()
        try:
            province.run(HOST, f"edumail-accounts activate {address}", stdin=f"{code}\n{password}\n")
        except LabError:
            return False
        province.passwords[address] = password
        return True

    def signs_in(self, province: LabProvince, address: str) -> bool:
        try:
            with province.imap(address):
                return True
        except imaplib.IMAP4.error:
            return False

    def tend(self, province: LabProvince) -> None:
        province.run(HOST, "systemctl reset-failed edumail-accounts.service; systemctl start edumail-accounts.service")

    def state(self, province: LabProvince, address: str) -> str:
        return province.run(HOST, f"edumail-accounts list | grep ' {address} '").split()[0]

    @pytest.fixture(autouse=True)
    def _known(self, province: LabProvince) -> Iterator[None]:
        """Whoever's password a test changed gets a new one from whoever asks next."""
        yield
        for address in (PRIMARY_2, STRICT_2):
            province.passwords.pop(address, None)

    def test_passwords(self, province: LabProvince) -> None:
        assert not self.choose(province, PRIMARY_2, "Matkhau123")
        assert self.choose(province, STRICT_2, "Matkhau123")
        assert self.signs_in(province, STRICT_2)
        assert not self.choose(province, STRICT_2, "matkhau123")
        assert self.choose(province, PRIMARY_2, "Mat khau 12345")

    def test_how_long_a_code_lives(self, province: LabProvince) -> None:
        codes = {a: province.run(HOST, f"edumail-accounts code {a}").strip() for a in (PRIMARY_2, STRICT_2)}
        province.accounts(HOST, f"UPDATE account SET code_expires = code_expires - {8 * DAY} WHERE code IS NOT NULL")
        assert self.choose(province, PRIMARY_2, "Mat khau 12345", codes[PRIMARY_2])
        assert not self.choose(province, STRICT_2, "Mat khau 12345", codes[STRICT_2])

    def test_an_account_that_nobody_uses_waits_for_a_new_code(self, province: LabProvince) -> None:
        assert province.run(HOST, "systemctl is-enabled edumail-accounts.timer").strip() == "enabled"
        for address in (PRIMARY_2, STRICT_2):
            assert self.choose(province, address, "Mat khau 12345")
        self.tend(province)  # sign-ins up to now are noted
        province.accounts(
            HOST,
            f"UPDATE account SET seen = seen - {40 * DAY} WHERE address IN ('{PRIMARY_2}', '{STRICT_2}')",
        )
        self.tend(province)
        assert [self.state(province, address) for address in (PRIMARY_2, STRICT_2)] == ["active", "suspended"]
        assert self.signs_in(province, PRIMARY_2)
        assert not self.signs_in(province, STRICT_2)
        province.send(PRIMARY, STRICT_2)  # mail still arrives
        assert self.choose(province, STRICT_2, "Mat khau 67890")
        assert self.signs_in(province, STRICT_2)

    @pytest.mark.parametrize("way", ["imap", "submission"])
    def test_a_sign_in_counts(self, province: LabProvince, way: str) -> None:
        assert self.choose(province, STRICT_2, "Mat khau 12345")
        self.tend(province)
        province.accounts(HOST, f"UPDATE account SET seen = seen - {40 * DAY} WHERE address = '{STRICT_2}'")
        if way == "imap":
            assert self.signs_in(province, STRICT_2)
        else:
            province.send(STRICT_2, PRIMARY)
        self.tend(province)
        assert self.state(province, STRICT_2) == "active"

    def test_an_auditor_is_not_the_owner(self, province: LabProvince) -> None:
        assert self.choose(province, STRICT_2, "Mat khau 12345")
        self.tend(province)
        province.accounts(HOST, f"UPDATE account SET seen = seen - {40 * DAY} WHERE address = '{STRICT_2}'")
        audit = json.loads(province.run(HOST, "edumail-audit open"))
        with province.network.imap("mail-xa.minhha.test", f"{STRICT_2}*{audit['login']}", audit["password"]):
            pass
        province.run(HOST, f"edumail-audit close {audit['login']}")
        self.tend(province)
        assert self.state(province, STRICT_2) == "suspended"

    def test_how_long_the_mail_of_somebody_who_left_is_kept(self, province: LabProvince) -> None:
        homes = {
            address: f"/var/vmail/suoimo.minhha.test/{address.partition('@')[0]}" for address in (PRIMARY_2, STRICT_2)
        }
        for address in homes:
            province.read(address, province.send(PRIMARY, address))
        try:
            province.accounts(
                HOST,
                "UPDATE account SET state = 'left', changed = unixepoch() - 40 * 86400"
                f" WHERE address IN ('{PRIMARY_2}', '{STRICT_2}')",
            )
            self.tend(province)
            gone = [province.run(HOST, f"test -e {home} || echo gone").strip() for home in homes.values()]
            assert gone == ["", "gone"]
            purged = province.accounts(HOST, f"SELECT unit FROM purged WHERE address = '{STRICT_2}'")
            assert "thcs-suoi-mo" in purged
        finally:
            here = "/var/lib/edumail/trees/accounts/current"
            province.run(HOST, f"{here}/edumail-accounts sync {here}/wanted")
        assert self.state(province, STRICT_2) == "waiting"


class TestOfficialMailboxes:
    """Letters to the two schools that nobody reads. Four hours are the limit of one, a day that of the other."""

    BOXES = ("thsuoimo@suoimo.minhha.test", "thcssuoimo@suoimo.minhha.test")
    CLERKS = ("nhilt@suoimo.minhha.test", "nguyetct@suoimo.minhha.test")
    SUBJECT = "mail to your unit is not read"

    def later(self, province: LabProvince, hours: int) -> list[str]:
        """Of which mailboxes their holders are reminded at a look some hours from now."""
        script = (
            "import runpy, sys, time; now = time.time() + %d * 3600; time.time = lambda: now;"
            "sys.path.insert(0, '/var/lib/edumail/trees/accounts/current');"
            "runpy.run_path('/usr/local/sbin/edumail-accounts')['main'](['tend'])"
        )
        said = json.loads(province.run(HOST, f'python3 -B -W ignore -c "{script % hours}"'))
        return [box for box in said["reminded"] if box in self.BOXES]

    def read_all(self, province: LabProvince) -> None:
        for box, clerk in zip(self.BOXES, self.CLERKS, strict=True):
            with province.imap(clerk) as client:
                # One that never had mail is not there yet.
                answer, (number,) = client.select(f'"Donvi/{box}"')
                if answer == "OK" and int(number or 0):
                    client.store("1:*", "+FLAGS", "\\Seen")

    def test_the_holders_are_reminded(self, province: LabProvince) -> None:
        province.accounts(HOST, "UPDATE account SET reminded = 0")
        self.read_all(province)
        assert self.later(province, 30) == []
        for box in self.BOXES:
            province.send(PRIMARY, box)
        time.sleep(3)
        assert self.later(province, 3) == []
        assert self.later(province, 5) == [self.BOXES[1]]
        for holder in (self.CLERKS[1], STRICT_PRINCIPAL):
            reminder = province.wait_for(holder, "SUBJECT", self.SUBJECT)
            assert f"Hộp thư {self.BOXES[1]} có thư đã 5 giờ chưa ai đọc" in reminder.get_content()
        assert self.later(province, 8) == []  # so soon not again
        self.read_all(province)
        assert self.later(province, 30) == []
        now = "min({0}, unixepoch())".format
        province.accounts(
            HOST, f"UPDATE account SET reminded = 0, seen = {now('seen')}, opened_at = {now('opened_at')}"
        )

    def test_when_a_holder_opened_one_last_is_noted(self, province: LabProvince) -> None:
        self.read_all(province)
        time.sleep(1)
        province.run(HOST, "edumail-accounts tend")
        province.accounts(HOST, f"UPDATE account SET opened_at = opened_at - {40 * DAY} WHERE address IN {self.BOXES}")
        assert self.days(province) == {self.BOXES[0]: 40, self.BOXES[1]: 40}
        self.read_all(province)
        time.sleep(1)
        province.run(HOST, "edumail-accounts tend")
        assert self.days(province) == {self.BOXES[0]: 0, self.BOXES[1]: 0}
        province.accounts(
            HOST, f"UPDATE account SET opened_at = opened_at - {40 * DAY} WHERE address = '{self.BOXES[1]}'"
        )
        with province.imap(self.CLERKS[1]) as client:  # her own
            client.select()
        time.sleep(1)
        province.run(HOST, "edumail-accounts tend")
        assert self.days(province) == {self.BOXES[0]: 0, self.BOXES[1]: 40}
        province.accounts(
            HOST, f"UPDATE account SET opened_at = opened_at + {40 * DAY} WHERE address = '{self.BOXES[1]}'"
        )

    def days(self, province: LabProvince) -> dict[str, int]:
        """How many days ago a holder opened each, as an audit is told."""
        rows = json.loads(province.run(HOST, "edumail-accounts unopened"))
        return {row["address"]: row["days"] for row in rows if row["address"] in self.BOXES}
