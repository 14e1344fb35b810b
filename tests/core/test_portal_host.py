"""A host that serves pages and has no mail (``roles: [portal]``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Inventory

from edumail.circular.verdicts import Finding
from edumail.cli.audit import Answers, judge
from edumail.dns import zones
from edumail.load import load
from edumail.mail import Mail
from edumail.model import Province, Published
from roles.nginx.render import elsewhere
from roles.postfix.render import tree

PAGES = ("C37-4.2.1", "C37-S39-https")
KEY = ":".join(["AB"] * 32)


@pytest.fixture
def folder(inventory: Inventory) -> Path:
    """The lab's province; the page of th-suoi-mo moved from mail-xa, where its mailboxes are, to the host ``cong``."""
    hosts = (inventory.folder / "hosts.yml").read_text(encoding="utf-8")
    new = "- {name: cong, fqdn: cong.minhha.test, ipv4: 198.18.37.20, roles: [portal]}\n"
    inventory.write("hosts.yml", f"{hosts}\n{new}")
    page = "  portal: thsuoimo.suoimo.minhha.test\n"
    inventory.replace("units/suoi-mo.yml", page, f"{page}  portal_host: cong\n")
    return inventory.folder


@pytest.fixture
def pages(folder: Path) -> Province:
    return load(folder)


def test_nobody_takes_mail_from_it(pages: Province) -> None:
    """A host without mailboxes must not be mistaken for the gateway, which may send as anybody."""
    for host in pages.hosts:
        mail = Mail(pages).host(host)
        assert "cong" not in mail.peers
        files = tree(mail, 25, {"cong": Published(identity=KEY)}).files
        assert KEY not in files["peers"].content.decode()


def test_a_host_whose_mailboxes_have_all_moved_away_gives_back_what_came_there(inventory: Inventory) -> None:
    units = (inventory.folder / "units" / "suoi-mo.yml").read_text(encoding="utf-8")
    inventory.write("units/suoi-mo.yml", units.replace("host: mail-xa", "host: mail-so"))
    province = load(inventory.folder)
    assert "mail-xa" not in {unit.host for unit in province.units.values()}
    files = tree(Mail(province).host("mail-so"), 25, {"mail-xa": Published(identity=KEY)}).files
    assert f"{KEY} peer_mail_xa\n" in files["peers"].content.decode()
    assert files["peer_mail_xa"].content.decode().split() == ["<>", "OK"]
    main = files["main.cf"].content.decode()
    assert "check_sender_access cdb:" in main.partition("\npeer_mail_xa =")[2].partition("\npeer_")[0]


def test_the_page_s_name_leads_to_it_through_the_gateway_and_the_mail_elsewhere(pages: Province) -> None:
    lines = zones(pages, 1)["minhha.test"].splitlines()
    assert ["thsuoimo.suoimo", "A", "198.18.37.11"] in [line.split() for line in lines]
    assert not [line for line in lines if "MX" in line and "cong" in line]
    assert elsewhere(pages, pages.hosts["mail-so"])["thsuoimo.suoimo.minhha.test"] == "198.18.37.20"


def collected(folder: Path, *words: str) -> set[str]:
    """The circular's checks that would run."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests/circular"]
    done = subprocess.run(
        [*command, "--inventory", str(folder), *words], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    )
    return {line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line}


def test_an_audit_asks_it_for_pages_only(folder: Path) -> None:
    everything = collected(folder)
    asked = {name for name in everything if "[cong" in name}
    assert {"test_the_public_address_is_on_the_page[cong]", "test_pages_are_served_over_https_only[cong]"} <= asked
    assert "test_the_portal_of_a_school_shows[cong-C37-9.2]" in asked
    # What is asked of mailboxes is asked where they are.
    assert "test_everybody_on_the_roster_has_a_mailbox_and_nobody_else[mail-xa]" in everything
    assert "test_mail_is_taken_by_esmtp[mail-xa]" in everything
    mail = {name.partition("[")[0] for name in everything if "mail-xa" in name} - {n.partition("[")[0] for n in asked}
    assert len(mail) > 10
    assert collected(folder, "--hosts", "ssh://auditor@cong") == asked


def test_its_verdicts_are_those_on_its_pages_and_the_rest_is_open_not_missing(pages: Province) -> None:
    found = [Finding("th-suoi-mo", name, "pass", ("seen",)) for name in PAGES]
    answers = Answers(found, asked=[*PAGES, "C37-4.1"], pages=frozenset(PAGES))
    findings, incomplete = judge(pages, ["cong"], answers)
    by_name = {finding.requirement: finding for finding in findings}
    assert incomplete == []
    assert {finding.unit for finding in findings} == {"th-suoi-mo"}
    assert [by_name[name].verdict for name in (*PAGES, "C37-4.1")] == ["pass", "pass", "not-tested"]
    assert by_name["C37-4.1"].evidence == ("không hỏi mail-xa / mail-xa was not asked",)


@pytest.mark.parametrize("hosts", [["cong"], ["cong", "mail-xa"], ["mail-xa"]])
def test_a_page_that_nobody_answered_for_makes_the_run_incomplete(pages: Province, hosts: list[str]) -> None:
    units = {unit.id for unit in pages.units.values() if unit.host in hosts} | {"th-suoi-mo"}
    found = [Finding(unit, name, "pass", ("seen",)) for unit in units for name in PAGES]
    answers = Answers(
        [finding for finding in found if (finding.unit, finding.requirement) != ("th-suoi-mo", "C37-4.2.1")],
        asked=[*PAGES],
        pages=frozenset(PAGES),
    )
    assert judge(pages, hosts, answers)[1] == ["1 câu hỏi không có câu trả lời / 1 questions got no answer"]
