"""``edumail group``: whoever asks about an address hears what it is, or which one was meant."""

from __future__ import annotations

import pytest
from conftest import LAB, Inventory

from edumail import cli
from edumail.mail import Mail
from edumail.model import Province


def run(capsys: pytest.CaptureFixture[str], folder: object, *words: str, status: int = 0) -> str:
    assert cli.main(["group", str(folder), *words]) == status
    out, error = capsys.readouterr()
    return error if status else out


def test_a_written_group_says_where_and_what_narrows_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, LAB, "lanhdao-vanthu@sogddt.minhha.test", "--lang", "en").splitlines()
    assert lines[2].split()[1] == "groups.yml:40:3:"
    assert "posting    anyone: whoever writes, strangers too" in lines
    assert "           and because it holds vanthu@suoimo.minhha.test: unit: the staff of vhxh-suoi-mo" in lines
    assert "           1 senders in all: khaitv@suoimo.minhha.test" in lines
    assert "members    12" in lines
    assert lines[-1].split()[0] == "vinhpt@suoimo.minhha.test"


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("khoi45.thsuoimo@suoimo.minhha.test", "rule       units/suoi-mo.yml:61:7: everybody of section 'khoi-4-5'"),
        ("abuse@suoimo.minhha.test", "rule       a name that every mail domain has (RFC 2142)"),
        ("TOANTHE@thptsongque.test", "posting    unit: the staff of thpt-song-que"),
        ("hieutruong@suoimo.minhha.test", "posting    province: everybody of the province, signed in"),
        ("ds-ketoan@sogddt.minhha.test", "hosts      expanded on mail-so; members on: mail-so 1, mail-thpt 1"),
    ],
)
def test_every_kind_of_group_is_explained(capsys: pytest.CaptureFixture[str], address: str, line: str) -> None:
    assert line in run(capsys, LAB, address, "--lang", "en").splitlines()
    assert line not in run(capsys, LAB, address, "--lang", "vi")


def test_who_expands_it_is_said_without_the_tables_of_every_host(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, province: Province
) -> None:
    mail = Mail(province)
    said = {address: [h for h in province.hosts if address in mail.host(h).aliases] for address in mail.groups.all}
    assert len(set(map(tuple, said.values()))) > 3
    monkeypatch.setattr(Mail, "host", None)
    for address in ("abuse@suoimo.minhha.test", "ds-toanthe@sogddt.minhha.test", "thutruong@sogddt.minhha.test",
                    "vanthu@suoimo.minhha.test", "toantruong@thptsongque.test"):  # fmt: skip
        line = f"hosts      expanded on {', '.join(said[address])}; members on: "
        assert line in run(capsys, LAB, address, "--lang", "en")


def test_an_old_name_leads_to_the_group(capsys: pytest.CaptureFixture[str], inventory: Inventory) -> None:
    inventory.write(
        "former.yml",
        "- {address: tatca@thptsongque.test, to: toantruong@thptsongque.test, until: 2099-12-31}\n"
        "- {address: cu@thptsongque.test, to: phuctd@thptsongque.test, until: 2099-12-31}\n",
    )
    first = run(capsys, inventory.folder, "tatca@thptsongque.test", "--lang", "en").splitlines()[0]
    assert first == "tatca@thptsongque.test: old, toantruong@thptsongque.test until 2099-12-31"
    said = run(capsys, inventory.folder, "cu@thptsongque.test", "--lang", "en", status=1)
    assert said == "edumail: cu@thptsongque.test is an old address of phuctd@thptsongque.test, not a group\n"


@pytest.mark.parametrize(
    ("address", "lang", "said"),
    [
        ("ds-thutruon@suoimo.minhha.test", "en", "similar: ds-thutruong@suoimo.minhha.test"),
        ("ds-thutruon@suoimo.minhha.test", "vi", "gần giống: ds-thutruong@suoimo.minhha.test"),
        ("phuctd@thptsongque.test", "en", "is a mailbox, not a group"),
        ("phuctd@thptsongque.test", "vi", "là hộp thư, không phải nhóm"),
        ("không có gì", "vi", "không có nhóm không có gì"),
        ("\x1b[2J@", "en", "there is no group"),
    ],
)
def test_what_is_no_group_is_one_message(
    capsys: pytest.CaptureFixture[str], address: str, lang: str, said: str
) -> None:
    error = run(capsys, LAB, address, "--lang", lang, status=1)
    assert said in error
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()


def test_without_an_address_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, LAB).splitlines()
    assert (
        "ds-thutruong@suoimo.minhha.test  3  branch  Thủ trưởng các đơn vị thuộc Phòng Văn hóa – Xã hội xã Suối Mơ"
        in lines
    )
    assert len(lines) == 59
    assert "lanhdao-vanthu@sogddt.minhha.test  12  members+unit  Lãnh đạo và văn thư các đơn vị" in lines
