"""Search and look-up as their service does them: what is found, in which order, and that no input means anything."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import edumail_page
import edumail_search
import edumail_search_web
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edumail import text
from edumail.portal.model import Content, Diploma, Examination, Result
from edumail.tree import Tree
from roles.search import render

PAGES = [
    {
        "url": "/tin-tuc/a/",
        "section": "Tin tức",
        "title": "Thông báo tuyển sinh lớp 6",
        "text": "Nhận hồ sơ tại trường từ ngày 1 tháng 7. Đường Nguyễn Trãi.",
        "date": "2026-07-01",
    },
    {
        "url": "/tin-tuc/b/",
        "section": "Tin tức",
        "title": "Ma trận đề kiểm tra",
        "text": "Bảng ma trận của môn Toán; ma túy học đường là chủ đề khác.",
        "date": "2026-05-01",
    },
    {
        "url": "/tin-tuc/c/",
        "section": "Tin tức",
        "title": "Chăm sóc má heo giống",
        "text": "Má và ba cùng đến trường họp phụ huynh <script>alert(1)</script> & hơn nữa.",
        "date": "2026-04-01",
    },
    {
        "url": "/gioi-thieu/",
        "section": "Giới thiệu",
        "title": "Đơn vị",
        "text": "Trường Tiểu học Suối Mơ " + "dạy và học " * 100 + "cuối trang: thư viện.",
        "date": None,
    },
]
SHELL = '<!DOCTYPE html><title><!--edumail:title--></title><main id="x"><!--edumail:main--></main>'


def tree(folder: Path, files: dict[str, str]) -> Path:
    """A live tree as a deploy leaves it."""
    made = Tree.of(files)
    for path, file in made.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(file.content)
    (folder / ".manifest").write_text(made.manifest, "utf-8")
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases of one unit with everything, and of one with nothing but its name."""
    root = tmp_path_factory.mktemp("search")
    portal = tree(root / "portal", {"index/th.json": json.dumps(PAGES), "shells/th.html": SHELL})
    content = Content(
        unit="th",
        examinations=(
            Examination(
                slug="vao-10",
                title="Thi vào lớp 10 <2026>",
                published=date(2026, 6, 1),
                results=(
                    Result(candidate="TS001", marks={"Ngữ văn": "8,5", "Toán": "9"}),
                    *(Result(candidate=f"C{number:04}", marks={"Toán": "7"}) for number in range(7)),
                ),
            ),
        ),
        diplomas=(Diploma(number="B123", kind="Bằng THCS", issued=date(2026, 6, 30), register="77/2026"),),
    )
    results = render.results([content, Content(unit="khac")])
    assert list(results) == ["results/th.json"]
    tree(root / "results", {path: file.content.decode() for path, file in results.files.items()})
    for kind, source in (("index", portal), ("results", root / "results")):
        edumail_search.build(kind, source, root / "state" / kind)
    (root / "units.json").write_text(json.dumps({"th.test": {"unit": "th"}, "khac.test": {"unit": "khac"}}))
    return root


@pytest.fixture
def client(state: Path, now: list[float]) -> FlaskClient:
    """A browser at the service."""
    app = edumail_search_web.create_app(
        str(state / "units.json"), str(state / "portal" / "shells"), str(state / "state"), clock=lambda: now[0]
    )
    return app.test_client()


@pytest.fixture
def now() -> list[float]:
    """The time that a test sets."""
    return [0.0]


@pytest.fixture
def find(state: Path) -> Callable[[str], list[str]]:
    """The addresses that a query finds, in order."""
    return lambda query: [hit.url for hit in edumail_search.search(state / "state" / "index" / "th.db", query)[1]]


@given(st.text())
def test_folding_is_that_of_the_core(said: str) -> None:
    assert edumail_search.fold(said) == text.fold(said)


@pytest.mark.parametrize(
    "query",
    [
        "tuyển sinh",
        "tuyen sinh",
        "TUYEN SINH",
        "Tuyển",
        "tuyen si",
        "đường nguyễn",
        "duong nguyen trai",
        "Duong",
    ],
)
def test_with_and_without_marks(find: Callable[[str], list[str]], query: str) -> None:
    assert find(query)[0] == "/tin-tuc/a/"


def test_the_very_marks_come_first(find: Callable[[str], list[str]]) -> None:
    assert find("má ")[0] == "/tin-tuc/c/"
    assert find("ma ")[0] == "/tin-tuc/b/"
    assert set(find("má ")) == set(find("ma ")) == {"/tin-tuc/b/", "/tin-tuc/c/"}


def test_all_words_and_phrases(find: Callable[[str], list[str]]) -> None:
    assert find("truong ma") == ["/tin-tuc/c/"]  # not those with one of them
    assert find('"ma trận"') == ["/tin-tuc/b/"]
    assert find('"trận ma đề"') == []
    assert find("thư việ") == ["/gioi-thieu/"]
    assert find('"thư" "việ"') == []  # nothing is unfinished in quotes


def test_what_is_found_is_marked_and_everything_is_escaped(state: Path) -> None:
    database = state / "state" / "index" / "th.db"
    _, hits = edumail_search.search(database, "hop phu huynh")
    assert "<mark>họp</mark> <mark>phụ</mark> <mark>huynh</mark> &lt;script&gt;" in hits[0].snippet
    _, hits = edumail_search.search(database, "thu vien")
    assert hits[0].snippet.startswith("… ")
    assert "<mark>thư</mark> <mark>viện</mark>." in hits[0].snippet
    assert len(html.unescape(re.sub("<.*?>", "", hits[0].snippet))) <= edumail_search.SNIPPET + 5


def test_before_and_within_what_is_found_is_escaped_too() -> None:
    marked = edumail_search.marked("<i>mời</i> họp < phụ huynh", edumail_search.terms('"hop phu"'))
    assert marked == "&lt;i&gt;mời&lt;/i&gt; <mark>họp &lt; phụ</mark> huynh"


HOSTILE = [
    '"',
    '""',
    "*",
    "a*",
    "-a",
    "a AND",
    "AND OR NOT NEAR",
    "title:a",
    "{title}:a",
    "a^2",
    "(",
    "NEAR(a b)",
    "\0",
    "a\0b",
    "\ud800",
    "'; DROP TABLE page; --",
    "x" * 10_000,
    '"' * 10_000,
    "a " * 5000,
    "½ ² ㎏",
    "̀́",
    "[x](y)",
    "<b>",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_no_query_means_anything_to_the_database(find: Callable[[str], list[str]], query: str) -> None:
    find(query)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.text(alphabet='"*^:(){}+-aAđ \0'))
def test_no_query_at_all_does(find: Callable[[str], list[str]], query: str) -> None:
    find(query)


@given(st.text(), st.text())
def test_a_snippet_is_the_text_and_nothing_but_marks(said: str, query: str) -> None:
    marked = edumail_search.marked(said, edumail_search.terms(query), len(said))
    assert html.unescape(marked.replace("<mark>", "").replace("</mark>", "")) == html.unescape(html.escape(said))
    assert marked.count("<mark>") == marked.count("</mark>")
    assert "<" not in marked.replace("<mark>", "").replace("</mark>", "")


def test_the_page_of_answers(client: FlaskClient) -> None:
    answer = client.get("/tim-kiem?q=phu+huynh", base_url="https://th.test")
    assert answer.status_code == 200
    body = answer.get_data(as_text=True)
    assert "<title>Tìm kiếm: phu huynh</title>" in body
    assert "Có 1 trang" in body
    assert 'href="/tin-tuc/c/"' in body
    assert "<script" not in body
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_was_typed_is_escaped_and_no_marker_in_it_counts(client: FlaskClient) -> None:
    for query in ('"><script>x</script>', "<!--edumail:main-->", "<!--edumail:title-->"):
        body = client.get("/tim-kiem", query_string={"q": query}, base_url="https://th.test").get_data(as_text=True)
        assert "<script" not in body
        assert body.count('<main id="x">') == 1
        assert "<!--edumail" not in body


def test_names_that_are_nobodys(client: FlaskClient) -> None:
    for path in ("/tim-kiem", "/tra-cuu/diem", "/x"):
        assert client.get(path, base_url="https://la.test").status_code == 404
    assert client.get("/tim-kiem", base_url="https://TH.test:443").status_code == 200
    assert client.get("/tim-kiem?q=a", base_url="https://khac.test").status_code == 200  # has no index yet
    assert client.get("/x", base_url="https://th.test").status_code == 404


def marks(client: FlaskClient, number: str, exam: str = "vao-10", address: str = "198.18.0.1") -> tuple[int, str]:
    """What a candidate sees."""
    answer = client.post(
        "/tra-cuu/diem",
        data={"ky-thi": exam, "sbd": number},
        base_url="https://th.test",
        headers={"X-Real-IP": address},
    )
    return answer.status_code, answer.get_data(as_text=True)


def test_one_result_by_its_number(client: FlaskClient) -> None:
    form = client.get("/tra-cuu/diem", base_url="https://th.test").get_data(as_text=True)
    assert "TS001" not in form
    assert "Thi vào lớp 10 &lt;2026&gt;" in form
    status, body = marks(client, "ts 001")
    assert (status, "<td>8,5</td>" in body) == (200, True)
    for number, exam in (
        ("TS002", "vao-10"),
        ("TS001", "khac"),
        ("", "vao-10"),
        ("%", "vao-10"),
        ("TS00*", "vao-10"),
        ("<b>", "<b>"),
    ):
        status, body = marks(client, number, exam)
        assert status == 200
        assert "8,5" not in body
        assert 'class="notice"' in body
        assert "<b>" not in body


def test_a_diploma_by_its_number(client: FlaskClient) -> None:
    body = client.post("/tra-cuu/van-bang", data={"so-hieu": "b123"}, base_url="https://th.test").get_data(as_text=True)
    assert "<td>77/2026</td>" in body
    assert "<td>30/06/2026</td>" in body
    body = client.post("/tra-cuu/van-bang", data={"so-hieu": "B124"}, base_url="https://th.test").get_data(as_text=True)
    assert "Không tìm thấy số B124" in body
    assert "chưa công bố" in client.get("/tra-cuu/van-bang", base_url="https://khac.test").get_data(as_text=True)


def test_who_tries_numbers_is_stopped_and_others_are_not(client: FlaskClient) -> None:
    answers = [marks(client, f"XX{number:03}", address="198.18.9.9")[0] for number in range(61)]
    assert answers == [200] * 60 + [429]
    assert marks(client, "TS001", address="198.18.9.77")[0] == 429  # the same network
    assert marks(client, "TS001", address="198.18.8.9")[0] == 200


@pytest.fixture
def five_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is found at once than it would be."""
    monkeypatch.setattr(edumail_search_web.Limits, "FOUND", (5, 12))


@pytest.mark.usefixtures("five_at_once")
def test_a_school_finds_its_results_and_nobody_gathers_all(client: FlaskClient, now: list[float]) -> None:
    answers = [marks(client, f"C{number:04}", address="198.18.9.9")[0] for number in range(6)]
    assert answers == [200] * 5 + [429]
    assert marks(client, "C0003", address="198.18.9.9")[0] == 200  # once more costs nothing
    assert marks(client, "C0006", address="198.18.9.77")[0] == 200  # nor does it keep the neighbours out
    now[0] = 3600
    more = (answer for number in range(5, 7) for answer in [marks(client, f"C{number:04}", address="198.18.9.9")])
    assert [status for status, _ in more] == [200, 200]


@pytest.mark.usefixtures("five_at_once")
def test_new_ipv6_addresses_find_no_more(client: FlaskClient) -> None:
    answers = [marks(client, f"C{number:04}", address=f"2001:db8::{number}")[0] for number in range(6)]
    assert answers == [200] * 5 + [429]


def test_twenty_thousand_results_take_more_than_two_days() -> None:
    now = [0.0]
    limits, got = edumail_search_web.Limits(lambda: now[0]), 0
    while now[0] < 2 * 86400 and got < 20_000:
        if limits.left("198.18.9.9", "th", f"vao-10 {got}"):
            limits.spend("198.18.9.9", "th", f"vao-10 {got}", found=True)
            got += 1
        else:
            now[0] += 12
    assert 2_000 < got < 20_000


def test_a_budget_fills_again() -> None:
    now = [0.0]
    budget = edumail_page.Budget(2, 10, clock=lambda: now[0])
    assert [budget.spend("a"), budget.spend("a"), budget.spend("a"), budget.spend("b")] == [True, True, False, True]
    now[0] = 10
    assert [budget.left("a"), budget.spend("a"), budget.left("a")] == [True, True, False]


def test_networks() -> None:
    assert edumail_page.network("198.18.9.9") == edumail_page.network("::ffff:198.18.9.1") == "198.18.9.0/24"
    assert edumail_page.network("2001:db8:37:12::1") == edumail_page.network("2001:db8:37:ff::2")
    assert edumail_page.network("nonsense") == ""


def test_a_build_costs_what_changed(tmp_path: Path) -> None:
    files = {f"index/u{number}.json": json.dumps(PAGES[:1]) for number in range(5)}
    source, target = tmp_path / "portal", tmp_path / "state"
    assert edumail_search.build("index", tree(source, files), target) == (5, 0)
    assert edumail_search.build("index", source, target) == (0, 0)
    files["index/u3.json"] = json.dumps(PAGES[1:2])
    del files["index/u4.json"]
    before = (target / "u1.db").stat().st_mtime_ns
    assert edumail_search.build("index", tree(source, files), target) == (1, 1)
    assert (target / "u1.db").stat().st_mtime_ns == before
    assert not (target / "u4.db").exists()
    assert edumail_search.search(target / "u3.db", "ma tran")[0] == 1


def test_a_build_that_was_killed_is_done_again_and_nobody_saw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"index/u{number}.json": json.dumps(PAGES[:1]) for number in range(3)}
    source, target = tmp_path / "portal", tmp_path / "state"
    edumail_search.build("index", tree(source, files), target)
    tree(source, {path: json.dumps(PAGES[1:2]) for path in files})
    fill, calls = edumail_search.fill_pages, []

    def killed(connection: object, pages: object) -> None:
        fill(connection, pages)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setitem(edumail_search.FILL, "index", killed)
    with pytest.raises(KeyboardInterrupt):
        edumail_search.build("index", source, target)
    assert [edumail_search.search(target / f"u{n}.db", "ma tran")[0] for n in range(3)] == [1, 0, 0]
    monkeypatch.setitem(edumail_search.FILL, "index", fill)
    assert edumail_search.build("index", source, target)[0] == 3
    assert [edumail_search.search(target / f"u{n}.db", "ma tran")[0] for n in range(3)] == [1, 1, 1]
