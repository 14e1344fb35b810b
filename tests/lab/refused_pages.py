"""Pages of the portals' programs that come when something is too much or broken: made by the programs themselves.

Nobody can ask a host for them at will: nginx refuses first what is too long, and a broken disk breaks more than a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import edumail_feedback_web
import edumail_search
import edumail_search_web
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edumail.portal.model import Content, Diploma, Examination, Result
from edumail.tree import Tree
from roles.search import render

UNIT = "so"
Pages = dict[str, tuple[int, str]]
REFUSED = (
    "feedback 405",
    "feedback 413",
    "feedback 429",
    "feedback's codes 429",
    "feedback 503",
    "feedback's answers 503",
    "search 404",
    "search 413",
    "marks 429",
    "diplomas 429",
    "search 503",
)
"""Which there are: each ends with its status."""


def refused_pages(folder: Path, portal: str, files: Mapping[str, bytes]) -> Pages:
    """Each by what it is, with its status. files: those that the core makes of the portal's unit."""
    (folder / "shells").mkdir()
    (folder / "shells" / f"{UNIT}.html").write_bytes(files[f"shells/{UNIT}.html"])
    unit = {"unit": UNIT, "name": "Sở <b>&", "portal": portal, "address": f"so@{portal}", "host": portal, "days": 30}
    (folder / "units.json").write_text(json.dumps({portal: unit | {"holders": []}}), "utf-8")
    pages = _feedback(folder, f"https://{portal}") | _search(folder, f"https://{portal}")
    assert sorted(pages) == sorted(REFUSED)
    assert all(name.endswith(str(status)) for name, (status, _) in pages.items())
    return pages


def _seen(answers: Mapping[str, TestResponse]) -> Pages:
    return {name: (answer.status_code, answer.get_data(as_text=True)) for name, answer in answers.items()}


def _feedback(folder: Path, url: str) -> Pages:
    state, now = folder / "feedback", [1_800_000_000.0]
    state.mkdir()
    program = edumail_feedback_web.create_app(
        str(folder / "units.json"), str(folder / "shells"), str(state), clock=lambda: now[0]
    )
    client = program.test_client()

    def send(address: str) -> TestResponse:
        form = re.search(r'name="phieu" value="([^"]+)"', client.get("/phan-anh", base_url=url).get_data(as_text=True))
        assert form
        now[0] += 10
        given = {"phieu": form[1], "tieu-de": "Hỏi <b>&", "noi-dung": 'Trường "có" nhận không?\n\n<b>'}
        return client.post("/phan-anh", data=given, base_url=url, headers={"X-Real-IP": address})

    def follow() -> TestResponse:
        return client.get("/phan-anh/theo-doi?ma=0000-0000-0000-0000", base_url=url)

    answers = {
        "feedback 413": client.post("/phan-anh", data={"noi-dung": "x" * 250_000}, base_url=url),
        "feedback 405": client.put("/phan-anh", base_url=url),
        "feedback 429": [send("198.18.0.1") for _ in range(31)][-1],
        "feedback's codes 429": [follow() for _ in range(61)][-1],
    }
    for file in state.glob("feedback.db*"):
        file.write_bytes(b"x" * 4096)
    answers |= {"feedback 503": send("198.18.9.1"), "feedback's answers 503": client.get("/hoi-dap", base_url=url)}
    return _seen(answers)


def _search(folder: Path, url: str) -> Pages:
    result = Result(candidate="TS001", marks={"Toán": "9"})
    marks = Examination(slug="vao-10", title="Thi vào lớp 10 <2026>", published=date(2026, 6, 1), results=(result,))
    diploma = Diploma(number="B123", kind="Bằng THCS", issued=date(2026, 6, 30), register="77/2026")
    made = Tree.of(render.results([Content(unit=UNIT, examinations=(marks,), diplomas=(diploma,))]).files)
    for path, file in made.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(file.content)
    (folder / ".manifest").write_text(made.manifest, "utf-8")
    edumail_search.build("results", folder, folder / "search" / "results")
    program = edumail_search_web.create_app(str(folder / "units.json"), str(folder / "shells"), str(folder / "search"))
    client: FlaskClient = program.test_client()

    def look_up(path: str, **form: str) -> TestResponse:
        return client.post(f"/tra-cuu/{path}", data={"ky-thi": "vao-10", **form}, base_url=url)

    answers = {
        "search 404": client.get("/tra-cuu/khong-co", base_url=url),
        "search 413": look_up("diem", sbd="x" * 5000),
        "marks 429": [look_up("diem", sbd="X000") for _ in range(61)][-1],
        "diplomas 429": look_up("van-bang", **{"so-hieu": "X000"}),
    }
    (folder / "search" / "results" / f"{UNIT}.db").write_bytes(b"x" * 4096)
    return _seen({**answers, "search 503": client.get("/tra-cuu/diem", base_url=url)})
