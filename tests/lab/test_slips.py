"""From a slip to a first mail: what a teacher does who has never had a mailbox, with the paper alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.circular.browser import BROWSERS
from tests.lab.conftest import edumail
from tests.lab.province import LabProvince

UNIT, TEACHER = "thcs-suoi-mo", "tuanlv@suoimo.minhha.test"
PASSWORD = "Chieu mua 2 con suoi"  # noqa: S105 - the lab's


@pytest.fixture(scope="module")
def slip(province: LabProvince, inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The text of a page of slips, and what its QR code says."""
    folder = tmp_path_factory.mktemp("slips")
    done = edumail("accounts", "slips", str(inventory), UNIT, "--out", str(folder / "s.pdf"), "--again", TEACHER)
    assert done.returncode == 0, done.stderr
    assert (folder / "s.pdf").stat().st_mode & 0o077 == 0
    text = subprocess.run(["pdftotext", "-layout", folder / "s.pdf", "-"], check=True, capture_output=True, text=True)
    subprocess.run(["pdftoppm", "-r", "150", "-png", folder / "s.pdf", folder / "page"], check=True)
    pages = sorted(folder.glob("page*.png"))
    assert len(pages) == 1
    seen = subprocess.run(["zbarimg", "-q", "--raw", *pages], check=True, capture_output=True, text=True)
    return text.stdout, seen.stdout.strip()


def test_a_slip_says_who_where_and_until_when(province: LabProvince, slip: tuple[str, str]) -> None:
    text, url = slip
    for words in ("Lâm Văn Tuấn", TEACHER, "Trường THCS Suối Mơ", "taikhoan.minhha.test", "mail.minhha.test"):
        assert words in text
    assert re.search(r"đến hết ngày \d\d/\d\d/20\d\d", text)
    assert url == "https://taikhoan.minhha.test/mail-xa/kich-hoat?dia-chi=tuanlv%40suoimo.minhha.test"


def test_a_slip_leads_to_a_password_of_ones_own_and_a_first_mail(province: LabProvince, slip: tuple[str, str]) -> None:
    text, url = slip
    (code,) = re.findall(r"\b[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}\b", text)
    path = next(filter(None, map(shutil.which, BROWSERS)))
    rules = f"MAP taikhoan.minhha.test {province.mail.gateway.ipv4}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", f"--host-resolver-rules={rules}"]
        )
        context = chromium.new_context(
            java_script_enabled=False, ignore_https_errors=True, viewport={"width": 360, "height": 740}
        )
        page = context.new_page()
        page.goto(url)
        assert page.input_value("#dia-chi") == TEACHER
        page.fill("#ma", code.upper())
        page.click("main button")
        page.fill("#mat-khau", PASSWORD)
        page.fill("#mat-khau-lai", PASSWORD)
        page.click("main button")
        assert "Lâm Văn Tuấn" in page.inner_text("h1")
        assert "mail.minhha.test" in page.inner_text("main")
        chromium.close()
    province.passwords[TEACHER] = PASSWORD
    message_id = province.send(TEACHER, TEACHER)
    assert province.read(TEACHER, message_id)["From"] == TEACHER


def test_nothing_is_issued_where_the_file_would_be_lost(province: LabProvince, inventory: Path, tmp_path: Path) -> None:
    before = province.accounts(
        "mail-xa", f"SELECT code, code_expires FROM account WHERE unit = '{UNIT}' ORDER BY address"
    )
    there = tmp_path / "old.pdf"
    there.write_text("codes of last week")
    for out in (there, tmp_path / "no folder" / "s.pdf"):
        done = edumail("accounts", "slips", str(inventory), UNIT, "--out", str(out))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
    assert there.read_text() == "codes of last week"
    done = edumail("accounts", "slips", str(inventory), UNIT, "--out", str(tmp_path / "s.pdf"), "--again", "x@y.test")
    assert done.returncode == 1
    assert "not of the unit" in done.stderr
    assert list(tmp_path.iterdir()) == [there]
    after = province.accounts(
        "mail-xa", f"SELECT code, code_expires FROM account WHERE unit = '{UNIT}' ORDER BY address"
    )
    assert before == after
