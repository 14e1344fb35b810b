"""Mail goes where it should: inside a unit, between units and hosts, to the outside and from it."""

from __future__ import annotations

import time

import pytest

from lab import lab
from tests.lab.province import LabProvince, new_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # one school, mail-xa
PRESCHOOL = "enct@suoimo.minhha.test"  # the same domain, on mail-so
DIRECTOR = "thinhdq@sogddt.minhha.test"
TEACHER, PRINCIPAL = "yendth@thptsongque.test", "phuctd@thptsongque.test"  # a server of its own


def foreign_message(local_part: str, message_id: str, seconds: float = 30) -> bytes:
    """The message as the foreign server stored it."""
    end = time.monotonic() + seconds
    while True:
        found = [m for m in lab.foreign_inbox(local_part) if message_id.encode() in m]
        if found:
            return found[0]
        assert time.monotonic() < end, f"<{message_id}> did not arrive outside"
        time.sleep(0.5)


@pytest.mark.parametrize("sender", [DIRECTOR, CLERK, TEACHER], ids=["gateway", "commune", "school"])
def test_mail_to_the_outside_passes_spf_and_dkim_there(province: LabProvince, sender: str) -> None:
    message_id = province.send(sender, "phuhuynh@ngoai.test")
    seen = foreign_message("phuhuynh", message_id).decode(errors="replace").replace("\n\t", " ").replace("\n ", " ")
    domain = sender.partition("@")[2]
    assert "dkim=pass" in seen
    assert f"d={domain}" in seen.replace("header.", "")
    assert "Received-SPF: Pass" in seen


def test_mail_from_the_outside_arrives_and_says_how_it_was_checked(province: LabProvince) -> None:
    message = new_message("phuhuynh@ngoai.test", CLERK)
    lab.foreign_send("phuhuynh@ngoai.test", CLERK, message.as_bytes())
    read = province.read(CLERK, message["Message-ID"].strip("<>"))
    results = " ".join(str(read["Authentication-Results"]).split())
    assert "dkim=pass" in results
    assert "spf=pass" in results
    assert read["Subject"] == "Công văn số 12: họp giao ban"
    assert "thư thử nghiệm" in read.get_content()


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [(CLERK, HEAD), (CLERK, PRESCHOOL), (PRESCHOOL, CLERK), (CLERK, TEACHER), (TEACHER, DIRECTOR), (DIRECTOR, TEACHER)],
)
def test_mail_between_units_arrives(province: LabProvince, sender: str, recipient: str) -> None:
    message_id = province.send(sender, recipient)
    read = province.read(recipient, message_id)
    assert read["From"] == sender
    assert province.count(recipient, message_id) == 1


def test_mail_within_a_host_never_leaves_it(province: LabProvince) -> None:
    message_id = province.send(CLERK, HEAD)
    province.read(HEAD, message_id)
    log = "journalctl -u postfix --since -5min --no-pager -o cat"
    assert message_id in province.run("mail-xa", log)
    assert message_id not in province.run("mail-so", log)


def test_mail_within_a_domain_that_spans_two_hosts_goes_straight_to_the_other(province: LabProvince) -> None:
    message_id = province.send(CLERK, PRESCHOOL)
    read = province.read(PRESCHOOL, message_id)
    hops = " ".join(read.get_all("Received", []))
    assert "mail-xa.minhha.test" in hops
    assert "TLSv1.3" in hops


@pytest.mark.parametrize(
    "address", ["khongco@sogddt.minhha.test", "khongco@suoimo.minhha.test", "khongco@thptsongque.test"]
)
def test_unknown_recipients_are_refused_at_the_gateway(province: LabProvince, address: str) -> None:
    code, reply = province.from_outside("phuhuynh@ngoai.test", address)
    assert (code, reply.split()[0]) == (550, "5.1.1")


def test_sub_addresses_and_upper_case_reach_the_mailbox(province: LabProvince) -> None:
    message_id = province.send(HEAD, "NhiLT+hoctap@SuoiMo.minhha.test")
    province.read(CLERK, message_id)


def test_postmaster_of_every_domain_reaches_the_officer_in_charge(province: LabProvince) -> None:
    message_id = province.send(TEACHER, "postmaster@suoimo.minhha.test")
    province.read("duchm@suoimo.minhha.test", message_id)


class TestGroups:
    """Who may write to a group is decided by who signed in."""

    def test_a_section_gets_one_copy_each(self, province: LabProvince) -> None:
        message_id = province.send(HEAD, "khoi45.thsuoimo@suoimo.minhha.test")
        for member in ("diudt@suoimo.minhha.test", "suqv@suoimo.minhha.test", "nhanvt@suoimo.minhha.test"):
            province.read(member, message_id)
            assert province.count(member, message_id) == 1

    def test_members_on_other_hosts_are_reached(self, province: LabProvince) -> None:
        message_id = province.send(CLERK, "hieutruong@suoimo.minhha.test")
        for member in (HEAD, "vinhpt@suoimo.minhha.test", "huongnt.mnhoasen@suoimo.minhha.test"):
            province.read(member, message_id)

    @pytest.mark.parametrize(
        ("group", "allowed"),
        [
            ("hieutruong@suoimo.minhha.test", False),
            ("toantruong@thptsongque.test", False),
            ("hieutruong@thptsongque.test", True),
        ],
    )
    def test_outsiders_write_to_open_groups_only(self, province: LabProvince, group: str, allowed: bool) -> None:
        with province.network.smtp(province.gateway) as client:
            client.mail("phuhuynh@ngoai.test")
            code, reply = client.rcpt(group)
        assert (code == 250) == allowed, reply

    @pytest.mark.parametrize(
        "written", ["toantruong@thptsongque.test", "TOANTRUONG@thptsongque.test", "toantruong+x@thptsongque.test"]
    )
    def test_only_the_school_writes_to_all_its_staff(self, province: LabProvince, written: str) -> None:
        with province.submission(TEACHER) as client:
            client.mail(TEACHER)
            assert client.rcpt(written)[0] == 250
        # Another unit's clerk is refused by the gateway, which knows the sender by the sending host's key.
        message_id = province.send(CLERK, written)
        bounce = wait_for_bounce(province, CLERK, message_id)
        assert "this group takes mail from" in " ".join(bounce.split())

    def test_a_stranger_with_a_forged_sender_is_refused(self, province: LabProvince) -> None:
        code, _ = province.from_outside(PRINCIPAL, "toantruong@thptsongque.test")
        assert code == 554


def wait_for_bounce(province: LabProvince, address: str, message_id: str) -> str:
    """The text of the delivery report for a message."""
    end = time.monotonic() + 30
    while True:
        with province.imap(address) as client:
            client.select("INBOX")
            _, data = client.search(None, "FROM", "MAILER-DAEMON")
            for number in data[0].split():
                _, parts = client.fetch(number, "(RFC822)")
                text = parts[0][1].decode(errors="replace")  # type: ignore[index,union-attr]
                if message_id in text:
                    return text
        assert time.monotonic() < end, "no delivery report came"
        time.sleep(0.5)


@pytest.mark.parametrize(("address", "mebibytes"), [("utmt@suoimo.minhha.test", 1024), (HEAD, 2048), (TEACHER, 4096)])
def test_the_quota_is_the_units_policy(province: LabProvince, address: str, mebibytes: int) -> None:
    with province.imap(address) as client:
        _, answer = client.getquotaroot("INBOX")
    assert f" {mebibytes * 1024})" in str(answer)  # KiB
