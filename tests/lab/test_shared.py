"""A unit's mailbox is open to those who hold it, in their own mail program, and to nobody else."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Iterator

import pytest

from lab import lab
from tests.lab.province import LabProvince, new_message

SCHOOL = "thsuoimo@suoimo.minhha.test"
CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"  # who hold it
TEACHER = "huett@suoimo.minhha.test"  # of the same school, and does not
SECTION, SPECIALIST = "gdmnth@sogddt.minhha.test", "oanhbtk@sogddt.minhha.test"
FOLDER = f'"Donvi/{SCHOOL}"'


def folders(province: LabProvince, address: str, subscribed: bool = False) -> list[str]:
    """The names of the folders that a mail program shows; those of the account's shared mailboxes only."""
    with province.imap(address) as client:
        _, rows = client.lsub() if subscribed else client.list()
    names = [row.decode().partition(' "/" ')[2].strip('"') for row in rows if row]  # type: ignore[union-attr]
    return sorted(name for name in names if name.startswith("Donvi/"))


@pytest.fixture
def message_id(province: LabProvince) -> Iterator[str]:
    """A citizen's mail to the school, in its mailbox; taken out afterwards."""
    message = new_message("phuhuynh@ngoai.test", SCHOOL)
    message_id = message["Message-ID"].strip("<>")
    lab.foreign_send("phuhuynh@ngoai.test", SCHOOL, message.as_bytes())
    province.read(CLERK, message_id, folder=FOLDER)
    yield message_id
    with province.imap(CLERK) as client:
        client.select(FOLDER)
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.close()


def test_holders_find_it_in_their_own_mail_program_without_set_up(province: LabProvince, message_id: str) -> None:
    for holder in (CLERK, HEAD):
        assert f"Donvi/{SCHOOL}" in folders(province, holder)
        assert f"Donvi/{SCHOOL}" in folders(province, holder, subscribed=True)
        province.read(holder, message_id, folder=FOLDER)
        assert province.count(holder, message_id) == 0  # no copy in their own


def test_what_one_reads_is_unread_for_the_other_and_a_flag_is_for_both(province: LabProvince, message_id: str) -> None:
    def state(address: str, key: str) -> bool:
        with province.imap(address) as client:
            client.select(FOLDER, readonly=True)
            return bool(client.search(None, "HEADER", "Message-ID", message_id, key)[1][0])

    with province.imap(CLERK) as client:
        client.select(FOLDER)
        client.store("1:*", "-FLAGS", "\\Seen")
    with province.imap(HEAD) as client:
        client.select(FOLDER)
        client.store("1:*", "+FLAGS", "(\\Seen \\Flagged)")
    assert (state(HEAD, "SEEN"), state(CLERK, "SEEN")) == (True, False)
    assert (state(HEAD, "FLAGGED"), state(CLERK, "FLAGGED")) == (True, True)


def test_holders_file_it_together(province: LabProvince, message_id: str) -> None:
    target = f'"Donvi/{SCHOOL}/Da tra loi 11.2026"'
    with province.imap(CLERK) as client:
        client.select(FOLDER)
        assert client.create(target)[0] == "OK"
        assert client.copy("1", target)[0] == "OK"
    try:
        province.read(HEAD, message_id, folder=target)
    finally:
        with province.imap(HEAD) as client:
            assert client.delete(target)[0] == "OK"


def test_nobody_else_sees_it(province: LabProvince, message_id: str) -> None:
    assert folders(province, TEACHER) == []
    with province.imap(TEACHER) as client:
        assert client.select(FOLDER)[0] == "NO"
        assert client.append(FOLDER, None, None, b"Subject: x\r\n\r\nx")[0] == "NO"


def test_nobody_opens_a_mailbox_to_others_by_hand(province: LabProvince) -> None:
    for folder in (FOLDER, "INBOX"):
        with province.imap(CLERK) as client, pytest.raises(imaplib.IMAP4.error):
            client.setacl(folder, TEACHER, "lr")


def test_a_section_with_holders_is_shared_too(province: LabProvince) -> None:
    message_id = province.send(SPECIALIST, SECTION)
    province.read(SPECIALIST, message_id, folder=f'"Donvi/{SECTION}"')
    assert f"Donvi/{SECTION}" in folders(province, "yenht@sogddt.minhha.test")
    assert f"Donvi/{SECTION}" not in folders(province, "thinhdq@sogddt.minhha.test")


def test_handing_over_is_one_row_of_the_roster(province: LabProvince) -> None:
    """What a deploy does after the post has passed from one person to another: the folder changes hands by itself."""
    live, unit = "/var/lib/edumail/trees/accounts/current/wanted", "accounts/th-suoi-mo"
    rows = [line.split("\t") for line in province.run("mail-xa", f"cat {live}/{unit}").splitlines()]
    for row in rows:
        if row[0] in (HEAD, TEACHER):
            row[13] = SCHOOL if row[0] == TEACHER else ""
    text = "".join("\t".join(row) + "\n" for row in rows)
    try:
        province.run("mail-xa", f"cp -r {live}/. /root/wanted && cat > /root/wanted/{unit}", stdin=text)
        province.run("mail-xa", "edumail-accounts sync /root/wanted")
        end = time.monotonic() + 10
        while f"Donvi/{SCHOOL}" not in folders(province, TEACHER, subscribed=True):
            assert time.monotonic() < end, "the new holder does not see it"
        assert folders(province, HEAD) == folders(province, HEAD, subscribed=True) == []
        with province.imap(TEACHER) as client:
            assert client.select(FOLDER)[0] == "OK"
    finally:
        province.run("mail-xa", f"edumail-accounts sync {live}; rm -r /root/wanted")
    assert folders(province, TEACHER) == []
    assert f"Donvi/{SCHOOL}" in folders(province, HEAD, subscribed=True)
