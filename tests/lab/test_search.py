"""What units publish is found in their portals, with and without marks; results are found by their number alone."""

from __future__ import annotations

import re
import time
from urllib.parse import urlencode

from tests.lab.province import LabProvince
from tests.lab.test_feedback import ask

DEPARTMENT, SCHOOL_HOST = "sogddt.minhha.test", "mail-xa"
ARTICLE = "/tin-tuc/cau-lac-bo-stem-robot-tuoi-rau/"
CANDIDATE = "L102014"


def found(province: LabProvince, portal: str, query: str) -> list[str]:
    """Where a search leads, best first."""
    status, body = ask(province, f"/tim-kiem?{urlencode({'q': query})}", portal=portal)
    assert status == 200
    results = body.partition('<ol class="results"')[2].partition("</ol>")[0]
    return re.findall(r'<li><a href="([^"]+)"', results)


def portal_of(province: LabProvince, unit: str) -> str:
    """The name of a unit's portal."""
    return province.province.units[unit].portal


def test_articles_are_found_with_and_without_marks_and_lead_to_their_pages(province: LabProvince) -> None:
    portal = portal_of(province, "thcs-suoi-mo")
    for query in ("tưới rau tự động", "tuoi rau tu dong", "TUOI RAU", "câu lạc bộ stem", "dat giai nhi", '"tưới rau"'):
        assert ARTICLE in found(province, portal, query), query
    assert ask(province, ARTICLE, portal=portal)[0] == 200
    assert found(province, portal, "tưới rau tự động")[0] == ARTICLE
    assert ARTICLE not in found(province, portal, '"rau tưới"')
    assert ARTICLE in found(province, portal, "độ ẩm đất")
    assert ARTICLE in found(province, portal, "do am dat")


def test_each_portal_finds_its_own_pages_only(province: LabProvince) -> None:
    assert found(province, portal_of(province, "thpt-song-que"), "tuoi rau tu dong") == []


def test_no_query_breaks_it(province: LabProvince) -> None:
    for query in ('"', "a AND (", "*", "\0", "<script>alert(1)</script>", "title:x", "NEAR(", "đ" * 5000):
        status, body = ask(province, f"/tim-kiem?{urlencode({'q': query[:400]})}", portal=DEPARTMENT)
        assert status == 200, query
        assert "<script" not in body
    assert ask(province, "/tim-kiem?q=%ff%fe%ed%a0%80", portal=DEPARTMENT)[0] == 200


def test_one_result_by_its_number_and_no_other_way(province: LabProvince) -> None:
    form = {"ky-thi": "tuyen-sinh-lop-10-2026", "sbd": CANDIDATE}
    status, body = ask(province, "/tra-cuu/diem", form, DEPARTMENT)
    assert status == 200
    assert f"số báo danh {CANDIDATE}" in body
    assert body.count("<td>") >= 3
    status, body = ask(province, "/tra-cuu/diem", form | {"sbd": "000000"}, DEPARTMENT)
    assert status == 200
    assert "Không tìm thấy" in body
    for path in ("/results/so.json", "/tra-cuu/", "/index/so.json", "/tra-cuu/diem?sbd=1"):
        assert CANDIDATE not in ask(province, path, portal=DEPARTMENT)[1]
    status, body = ask(province, "/tra-cuu/van-bang", {"so-hieu": "sm 2600011"}, portal_of(province, "vhxh-suoi-mo"))
    assert "01/2026-THCS" in body


def test_what_is_looked_up_is_readable_by_the_service_only(province: LabProvince) -> None:
    script = (
        "for who in www-data nobody edumail-feedback; do"
        " runuser -u $who -- cat /var/lib/edumail/search/results/so.db /var/lib/edumail/trees/results/current/results/*"
        " 2>/dev/null | wc -c; done"
    )
    assert province.run("mail-so", script).split() == ["0", "0", "0"]
    script = "runuser -u edumail-search -- touch /var/lib/edumail/search/results/so.db 2>&1 || true"
    assert "Permission denied" in province.run("mail-so", script)


def test_who_tries_numbers_is_stopped(province: LabProvince) -> None:
    try:
        form = {"ky-thi": "tuyen-sinh-lop-10-2026"}
        answers = [ask(province, "/tra-cuu/diem", form | {"sbd": f"X{n:05}"}, DEPARTMENT)[0] for n in range(70)]
        assert answers[:50] == [200] * 50
        assert answers[-1] == 429
    finally:
        province.run("mail-so", "systemctl restart edumail-search.service")


def test_who_asks_for_one_result_again_is_answered(province: LabProvince) -> None:
    form = {"ky-thi": "tuyen-sinh-lop-10-2026", "sbd": CANDIDATE}
    assert {ask(province, "/tra-cuu/diem", form, DEPARTMENT)[0] for _ in range(70)} == {200}


def test_a_build_that_was_killed_is_done_by_the_next(province: LabProvince) -> None:
    unit = "edumail-search-index.service"
    province.run(
        SCHOOL_HOST,
        f"rm /var/lib/edumail/search/index/digests.json; systemctl start --no-block {unit}; sleep 0.05;"
        f" systemctl kill -s KILL {unit} || true; systemctl reset-failed {unit} 2>/dev/null || true",
    )
    portal = portal_of(province, "thcs-suoi-mo")
    assert found(province, portal, "tuoi rau tu dong")
    province.run(SCHOOL_HOST, f"systemctl start {unit}")
    assert found(province, portal, "tuoi rau tu dong")


def test_the_services_come_back_and_log_nothing_of_people(province: LabProvince) -> None:
    word = f"xyz{int(time.time())}"
    found(province, DEPARTMENT, word)
    province.run("mail-so", "systemctl kill -s KILL edumail-search.service")
    assert found(province, DEPARTMENT, "robot") is not None
    log = province.run("mail-so", "cat /var/log/nginx/access.log; journalctl --no-pager -u edumail-search -n 200")
    assert "/tim-kiem" in log
    assert word not in log
