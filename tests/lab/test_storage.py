"""A mailbox has a size: whoever fills it is warned, whoever writes to a full one is told in the dialogue."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.province import LabProvince, new_message

TEACHER = "vangt@thptsongque.test"  # mail-thpt: behind the gateway
OWNER = "loantt@suoimo.minhha.test"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def small(province: LabProvince) -> Iterator[str]:
    """A mailbox of one mebibyte, empty before and after."""
    empty(province, TEACHER)
    province.accounts("mail-thpt", f"UPDATE account SET quota_mb = 1 WHERE address = '{TEACHER}'")
    yield TEACHER
    province.accounts("mail-thpt", f"UPDATE account SET quota_mb = 4096 WHERE address = '{TEACHER}'")
    empty(province, TEACHER)


def empty(province: LabProvince, address: str) -> None:
    with province.imap(address) as client:
        for folder in ("INBOX", "Trash", "Junk"):
            if int(client.select(folder)[1][0]):
                client.store("1:*", "+FLAGS", "\\Deleted")
            client.close()


def fill(province: LabProvince, address: str, size: int) -> None:
    with province.imap(address) as client:
        text = b"Subject: day\r\n\r\n" + b"x" * size
        assert client.append("INBOX", None, None, text)[0] == "OK"


def rcpt(province: LabProvince, host: str, address: str, size: int | None = None) -> tuple[int, str]:
    with province.network.smtp(host) as client:
        client.mail("phuhuynh@ngoai.test", [f"SIZE={size}"] if size else [])
        code, reply = client.rcpt(address)
    return code, reply.decode()


def test_a_full_mailbox_is_refused_at_the_gateway_and_by_the_host(province: LabProvince, small: str) -> None:
    assert rcpt(province, province.gateway, small)[0] == 250
    fill(province, small, 900_000)
    message = new_message("phuhuynh@ngoai.test", small)
    message.set_content("z" * 70 + "\n" * 2 + ("w" * 70 + "\n") * 3000)
    # RCPT can not know the size, which swaks does not announce; what it took in is delivered, not bounced.
    words = f"swaks --server {province.gateway} --from phuhuynh@ngoai.test --to {small} --data -"
    province.run("internet", words, stdin=message.as_string())
    province.read(small, message["Message-ID"].strip("<>"))
    end = time.monotonic() + 60
    while True:  # the answer of some minutes ago serves until it is asked for anew
        province.run("mail-so", f"postmap -d {small} lmdb:/var/lib/postfix/verify_cache; postfix reload; true")
        code, reply = rcpt(province, province.gateway, small)
        if code != 250 or time.monotonic() > end:
            break
        time.sleep(1)
    assert (code, "5.2.2" in reply) == (552, True), reply
    assert "mailbox is full" in reply
    # Its own host says so to its own people too, without delay.
    with province.submission("yendth@thptsongque.test") as client:
        client.mail("yendth@thptsongque.test")
        code, answer = client.rcpt(small)
    assert (code, b"mailbox is full" in answer) == (552, True)


def test_the_size_that_a_client_announces_counts(province: LabProvince, small: str) -> None:
    with province.submission("yendth@thptsongque.test") as client:
        client.mail("yendth@thptsongque.test", [f"SIZE={2 * MEBIBYTE}"])
        assert client.rcpt(small)[0] == 552
        client.rset()
        client.mail("yendth@thptsongque.test", ["SIZE=1000"])
        assert client.rcpt(small)[0] == 250


def test_nothing_is_put_into_a_full_mailbox_by_its_owner(province: LabProvince, small: str) -> None:
    with province.imap(small) as client:
        answer, said = client.append("INBOX", None, None, b"Subject: qua to\r\n\r\n" + b"x\r\n" * MEBIBYTE)
    assert (answer, b"OVERQUOTA" in said[0]) == ("NO", True)


def test_its_owner_is_warned_once_by_mail(province: LabProvince, small: str) -> None:
    fill(province, small, 900_000)
    end = time.monotonic() + 30
    while True:
        with province.imap(small) as client:
            client.select("INBOX")
            _, data = client.search(None, "FROM", "postmaster@thptsongque.test")
            numbers = data[0].split()
            if numbers:
                _, parts = client.fetch(numbers[0], "(RFC822)")
                break
        assert time.monotonic() < end, "no warning came"
        time.sleep(0.3)
    text = parts[0][1].decode()  # type: ignore[index,union-attr]
    assert len(numbers) == 1
    assert "hơn 80% dung lượng" in text
    assert "dkim=" not in text


@pytest.mark.parametrize("folder", ["Trash", "Junk"])
def test_old_mail_in_trash_and_junk_goes_and_other_mail_stays(province: LabProvince, folder: str) -> None:
    """With a policy of one second in place of days: Dovecot looks when a session ends."""
    file = "/var/lib/edumail/trees/dovecot/current/dovecot.conf"
    column = f"{folder.lower()}_days"
    other = "Junk" if folder == "Trash" else "Trash"
    empty(province, OWNER)
    # For a moment after a reload Dovecot takes a sign-in and does not know it any more.
    province.run(
        "mail-xa",
        f"cp {file} /root/kept && sed -i \"s/_days || 'd'/_days || 's'/\" {file} && doveadm reload && sleep 1",
    )
    try:
        province.accounts("mail-xa", f"UPDATE account SET {column} = 1, {other}_days = 3600 WHERE address = '{OWNER}'")
        with province.imap(OWNER) as client:
            for name in (folder, other, "INBOX"):
                client.append(name, None, None, b"Subject: cu\r\n\r\nx\r\n")
        time.sleep(2.5)
        with province.imap(OWNER):
            pass
        with province.imap(OWNER) as client:
            left = {name: client.select(name)[1][0] for name in (folder, other, "INBOX")}
        assert left == {folder: b"0", other: b"1", "INBOX": b"1"}
    finally:
        province.accounts("mail-xa", f"UPDATE account SET trash_days = 7, junk_days = 7 WHERE address = '{OWNER}'")
        province.run("mail-xa", f"cp /root/kept {file} && doveadm reload && sleep 1")
        empty(province, OWNER)


def master_of_dovecot(host: str) -> int:
    """Its process, by the number that this machine knows it by."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/dovecot") and f"/edumail-lab/{host}/" in (process / "cgroup").read_text():
                return int(process.name)
    raise AssertionError(f"no Dovecot on {host}")


def test_a_letter_is_on_the_disk_before_it_is_said_to_be_taken(province: LabProvince, tmp_path: Path) -> None:
    """What the kernel was asked for, in order: to write out the letter's file, to put it into place, to say 250."""
    sender = "yendth@thptsongque.test"
    province.password(sender)
    empty(province, TEACHER)
    # Whoever serves LMTP now was not begun under the eyes of strace.
    province.run("mail-thpt", "doveadm service status lmtp > /dev/null; pkill -f ^dovecot/lmtp; true")
    trace = tmp_path / "trace"
    calls = "fsync,fdatasync,link,rename,write,writev,sendto"
    words = ["strace", "-f", "-y", "-s", "300", "-e", f"trace={calls}", "-o", str(trace)]
    with subprocess.Popen([*words, "-p", str(master_of_dovecot("mail-thpt"))], stderr=subprocess.PIPE) as strace:
        try:
            assert strace.stderr is not None
            assert b"attached" in strace.stderr.readline()
            province.send(sender, TEACHER)
            end = time.monotonic() + 30
            while "Saved" not in (said := trace.read_text(errors="replace")):
                assert time.monotonic() < end, said
                time.sleep(0.2)
        finally:
            strace.terminate()
    home = "/var/vmail/thptsongque.test/vangt/Maildir"
    lines = trace.read_text(errors="replace").splitlines()
    (saved,) = [number for number, line in enumerate(lines) if re.search(r' "250 2\.0\.0 .* Saved', line)]
    before = "\n".join(lines[:saved])
    written = re.search(rf"\bf(?:data)?sync\(\d+<{home}/tmp/([^>]+)>", before)
    assert written, before
    assert re.search(rf"(?:link|rename)\(\"{home}/tmp/{re.escape(written[1])}\"", before[written.end() :]), before


def test_dovecot_does_not_leave_out_fsync(province: LabProvince) -> None:
    for host in province.province.hosts:
        assert province.run(host, "doveconf -h mail_fsync").strip() == "optimized"
