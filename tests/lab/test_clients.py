"""Mail programs that people use, on a machine outside that knows nothing but the front's name and the authority."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator

import pytest

from tests.lab.province import LabProvince, new_message

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"
SCHOOL = "thsuoimo@suoimo.minhha.test"
DESK = "/root/desk"
"""A folder on the host `internet`, which plays the user's machine."""


@pytest.fixture
def desk(province: LabProvince) -> Iterator[str]:
    """The clerk's machine: the authority's certificate and a file with the password, nothing else."""
    authority = (province.folder / "published" / "ca.pem").read_text()
    province.run("internet", f"rm -rf {DESK} && mkdir -m 700 {DESK} && cat > {DESK}/ca.pem", stdin=authority)
    province.run("internet", f"cat > {DESK}/password", stdin=province.password(CLERK))
    yield DESK
    province.run("internet", f"rm -rf {DESK}")


def test_mbsync_fetches_everything_and_brings_changes_back(province: LabProvince, desk: str) -> None:
    message_id = province.send(HEAD, CLERK)
    province.read(CLERK, message_id)
    province.read(CLERK, province.send(HEAD, SCHOOL), folder=f'"Donvi/{SCHOOL}"')
    configuration = f"""\
IMAPAccount clerk
Host {province.front}
User {CLERK}
PassCmd "cat {desk}/password"
TLSType IMAPS
CertificateFile {desk}/ca.pem

IMAPStore far
Account clerk

MaildirStore near
Path {desk}/mail/
Inbox {desk}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Expunge Both
SyncState *
"""
    province.run("internet", f"mkdir {desk}/mail && cat > {desk}/mbsyncrc", stdin=configuration)
    sync = f"mbsync -q -c {desk}/mbsyncrc all"
    province.run("internet", sync)
    folders = province.run("internet", f"cd {desk}/mail && ls -d */ Donvi/*/").split()
    assert {"INBOX/", "Drafts/", "Sent/", "Junk/", "Trash/", f"Donvi/{SCHOOL}/"} <= set(folders)
    found = province.run("internet", f"grep -rl {message_id} {desk}/mail/INBOX").split()
    assert len(found) == 1
    # Read and thrown away here is read and thrown away there.
    name = found[0].rpartition("/")[2].partition(":")[0]
    province.run("internet", f"mv {found[0]} {desk}/mail/INBOX/cur/{name}:2,ST && {sync}")
    assert province.count(CLERK, message_id) == 0


def test_neomutt_sends_a_letter_with_vietnamese_in_its_name_and_attachment(province: LabProvince, desk: str) -> None:
    subject = f"Công văn số {secrets.randbelow(10**6)}: họp giao ban"
    configuration = f"""\
set from = "{CLERK}"
set realname = "Lục Thị Nhị"
set smtp_url = "smtps://{CLERK}@{province.front}:465/"
set smtp_pass = "`cat {desk}/password`"
set ssl_ca_certificates_file = {desk}/ca.pem
set ssl_usesystemcerts = no
set record = ""
set charset = utf-8
set use_envelope_from = yes
"""
    province.run("internet", f"cat > {desk}/muttrc", stdin=configuration)
    attachment = shlex.quote(f"{desk}/Kế hoạch.txt")
    province.run("internet", f"cat > {attachment}", stdin="Kế hoạch tháng 12\n")
    command = (
        f"LANG=C.UTF-8 neomutt -n -F {desk}/muttrc -s {shlex.quote(subject)} -a {shlex.quote(f'{desk}/Kế hoạch.txt')}"
    )
    province.run("internet", f"{command} -- {HEAD}", stdin="Kính gửi thầy,\n")
    read = province.wait_for(HEAD, "SUBJECT", subject)
    assert str(read["From"]) == f"Lục Thị Nhị <{CLERK}>"
    assert [part.get_filename() for part in read.iter_attachments()] == ["Kế hoạch.txt"]
    assert "thầy" in read.get_body().get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize("words", ["--tls -p 587", "--tlsc -p 465"])
def test_swaks_signs_in_after_verified_tls_only(province: LabProvince, desk: str, words: str) -> None:
    message = new_message(CLERK, HEAD)
    message_id = message["Message-ID"].strip("<>")
    common = (
        f"swaks --server {province.front} {words} --from {CLERK} --to {HEAD} --auth PLAIN --auth-user {CLERK}"
        f" --auth-password \"$(cat {desk}/password)\" --tls-verify --header 'Message-Id: <{message_id}>'"
        f" --header 'From: {CLERK}'"
    )
    province.run("internet", f"{common} --tls-ca-path {desk}/ca.pem")
    province.read(HEAD, message_id)
    refused = province.run("internet", f"{common.replace(words, '-p 587')} 2>&1; true")
    assert "Must issue a STARTTLS command first" in refused or "AUTH" not in refused.partition("EHLO")[2][:400]
