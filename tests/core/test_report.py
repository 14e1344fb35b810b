"""The report of an audit: what stands in each of its files, and that a later change shows."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import LAB, Inventory
from defusedxml import ElementTree

from edumail import cli, seal
from edumail.circular import paper as paper_of
from edumail.circular.assessment import Assessment, Check, read, subject, written
from edumail.circular.catalogue import Words, requirements
from edumail.circular.differences import Differences, Earlier
from edumail.circular.differences import differences as differences_since
from edumail.circular.junit import junit
from edumail.circular.page import page
from edumail.circular.paper import pdf
from edumail.circular.ranking import as_csv, left_to_lots, ranked
from edumail.circular.sheet import Item, Sheet, no_sheet, read_sheet
from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.model import Province
from edumail.problems import InventoryError

HOSTILE = "<script>alert(1)</script>\"'&]]></failure>\x1b[2J\x00 =cmd|' /C calc'!A1 " + "đ" * 500
FILES = {"verdicts.json", "report.html", "report.pdf", "junit.xml", "ranking.csv", "SHA256SUMS"}
ASKED = ("C37-4.1", "C37-4.2.1", "C37-5.3")


def assessment(province: Province, *given: Finding, incomplete: Sequence[str] = ()) -> Assessment:
    """All units of the lab: ``given``, and the rest open or attested."""
    return Assessment(
        inventory="inventories/lab",
        province=province.settings.id,
        at=datetime(2026, 8, 29, 18, 30, tzinfo=UTC),
        hosts=tuple(province.hosts),
        incomplete=tuple(incomplete),
        asked=ASKED,
        checks={"C37-4.1": (Check("tests/circular/test_a.py::test_mail_leaves", "A letter arrives."),)},
        findings=complete(province, province.units, given),
        subject=subject(province),
    )


def found(unit: str, requirement: str, verdict: Verdict, *evidence: str) -> Finding:
    return Finding(unit, requirement, verdict, evidence or ("seen",))


def html(province: Province, audit: Assessment, sheet: Sheet | None = None) -> str:
    sheet = sheet or no_sheet()
    return page(province, audit, sheet, ranked(province, audit, sheet))


# --- JSON ---


def test_an_assessment_survives_its_file(province: Province) -> None:
    audit = assessment(province, found("so", "C37-4.1", "fail", HOSTILE), incomplete=["mail-xa was not reached"])
    text = "".join(written(audit))
    assert read(text) == audit
    assert json.loads(text)["assessed_against"] == "Circular 37/2020/TT-BGDĐT as codified"
    assert text.count("\n") > len(audit.findings)  # a line each: two files can be compared


@pytest.mark.parametrize("change", ["{}", "[]", "", '{"findings": 1}', "[" * 10**6])
def test_what_is_no_assessment_is_refused(change: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(change)


def test_a_verdict_changed_in_the_file_is_seen(province: Province) -> None:
    text = "".join(written(assessment(province, found("so", "C37-4.1", "fail"))))
    with pytest.raises(ValueError, match=r"so C37-4\.1"):
        read(text.replace('"verdict": "fail"', '"verdict": "pass"'))


def test_what_was_taken_out_of_the_file_is_seen(province: Province) -> None:
    audit = assessment(province, incomplete=["mail-xa was not reached"])
    unit = [finding for finding in audit.findings if finding.unit != "so"]
    whole = "".join(written(audit))
    rows = [line for line in whole.splitlines(keepends=True) if '"unit": "so"' not in line]
    for text in ("".join(rows), whole.replace("mail-xa was not reached", "")):
        with pytest.raises(ValueError, match="was changed"):
            read(text)
    for findings, words in (([], "no verdict"), (audit.findings[1:], "exactly one"), ([*unit, unit[0]], "exactly one")):
        with pytest.raises(ValueError, match=words):
            read("".join(written(replace(audit, findings=findings))))


def test_a_file_of_before_there_were_digests_is_good_to_compare_with_alone(province: Province) -> None:
    content = json.loads("".join(written(assessment(province))))
    for name in ("digest", "left", "subject", "commit"):
        del content[name]
    content["findings"] = [row for row in content["findings"] if row["requirement"] != "C37-2.1"]
    assert read(json.dumps(content), earlier=True).findings
    with pytest.raises(ValueError, match="by an earlier edumail"):
        read(json.dumps(content))


def test_no_audit_is_of_a_day_to_come(province: Province) -> None:
    for at in (datetime.now(UTC) + timedelta(hours=1), datetime(9999, 12, 31, tzinfo=UTC)):
        with pytest.raises(ValueError, match="still to come"):
            read("".join(written(replace(assessment(province), at=at))))


# --- JUnit ---


def test_junit_has_a_suite_for_each_unit_and_never_passes_what_was_not_seen(province: Province) -> None:
    audit = assessment(
        province, found("so", "C37-4.1", "fail", HOSTILE), found("so", "C37-4.2.1", "pass"), incomplete=[HOSTILE]
    )
    root = ElementTree.fromstring("".join(junit(province, audit)))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["audit", *sorted(province.units)]
    for suite in suites:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == len(suite.findall(f"testcase/{tag}"))
    assert sum(int(suite.get("tests", "")) for suite in suites) == int(root.get("tests", ""))
    plain = [case for suite in suites for case in suite.findall("testcase") if not len(case)]
    assert [case.get("classname") for case in plain] == ["C37.4"]
    assert [case.get("name", "").split()[0] for case in plain] == ["C37-4.2.1"]
    (failure,) = root.findall(".//failure")
    assert "<script>" in (failure.text or "")
    reasons = [case.get("message", "") for case in root.findall(".//skipped")]
    assert any(reason.startswith("attested: ") and "214/QĐ-SGDĐT" in reason for reason in reasons)


# --- ranking ---


def sheet(*items: Item, grades: Sequence[tuple[str, float]] = ()) -> Sheet:
    words = [{"name": name, "from": least} for name, least in grades]
    return Sheet.model_validate({"name": "Bảng", "authority": "Sở", "items": items, "grades": words})


def points(province: Province, audit: Assessment, of: Sheet) -> dict[str, float | None]:
    return {score.unit: score.points for score in ranked(province, audit, of)}


def test_points_are_the_share_that_passed_and_what_is_open_is_none(province: Province) -> None:
    of = sheet(Item(name="Thư", requirements=("C37-4.1", "C37-4.2.1"), points=40))
    audit = assessment(province, found("so", "C37-4.1", "pass"), found("vhxh-suoi-mo", "C37-4.1", "fail"))
    got = points(province, audit, of)
    assert (got["so"], got["vhxh-suoi-mo"]) == (20, 0)


@pytest.mark.parametrize(("counts", "expected"), [(0, 0), (1, 100)])
def test_an_attestation_counts_only_where_the_sheet_says_so(province: Province, counts: int, expected: float) -> None:
    item = Item.model_validate({"name": "x", "requirements": ["C37-4.5"], "points": 100, "attested": counts})
    got = points(province, assessment(province), sheet(item))
    assert (got["thpt-song-que"], got["th-suoi-mo"]) == (expected, 0)


def test_an_item_that_does_not_bind_a_unit_takes_no_points_from_it(province: Province) -> None:
    of = sheet(
        Item(name="Thư", requirements=("C37-4.1",), points=60),
        Item(name="Trường", requirements=("C37-9.2",), points=40),
    )
    audit = assessment(province, found("so", "C37-4.1", "pass"), found("th-suoi-mo", "C37-4.1", "pass"))
    scores = {score.unit: score for score in ranked(province, audit, of)}
    assert (scores["so"].points, scores["so"].parts) == (100, (60, None))
    assert (scores["th-suoi-mo"].points, scores["th-suoi-mo"].parts) == (60, (60, 0))


def test_units_are_ranked_under_their_authority_among_their_like(province: Province) -> None:
    audit = assessment(province, found("th-suoi-mo", "C37-4.2.1", "pass"))
    scores = {score.unit: score for score in ranked(province, audit, no_sheet())}
    schools = [scores[id] for id in ("th-suoi-mo", "mn-hoa-sen", "thcs-suoi-mo")]
    assert [(score.rank, score.among, score.authority) for score in schools] == [
        (1, 3, "vhxh-suoi-mo"), (2, 3, "vhxh-suoi-mo"), (2, 3, "vhxh-suoi-mo"),
    ]  # fmt: skip
    assert (scores["thpt-song-que"].rank, scores["thpt-song-que"].among) == (1, 1)


ALIKE = ("th-suoi-mo", "mn-hoa-sen")
"""Two schools of one authority."""


def by_lots(province: Province, drawn: str) -> Assessment:
    """Both schools pass all that was asked; only ``drawn`` was asked 12.2 and S39-utf8."""
    left = {"C37-12.2", "C37-S39-utf8"}
    given = [
        Finding(unit, name, "not-tested", ("not drawn",), gap="lots")
        if name in left and unit != drawn
        else found(unit, name, "pass")
        for unit in ALIKE
        for name, row in requirements().items()
        if not row.follows_from and row.applies_to(province.kinds[province.units[unit].kind])
    ]
    return assessment(province, *given)


def test_lots_rank_nobody(province: Province) -> None:
    of = sheet(
        Item(name="Kỹ thuật", requirements=("C37-12.*",), points=60),
        Item(name="Điện thoại", requirements=("C37-3.1a",), points=40),
    )
    for drawn in ALIKE:
        audit = by_lots(province, drawn)
        assert {points(province, audit, of)[unit] for unit in ALIKE} == {100}
        assert left_to_lots(audit, of) == ["C37-3.1a", "C37-12.2"]
        (first, *_) = csv.DictReader(io.StringIO(as_csv(province, audit, of, ranked(province, audit, of))[1:]))
        assert first["không tính vì bốc thăm/not counted, left to lots"] == "C37-3.1a, C37-12.2"
        assert "Counted for no unit" in part(html(province, audit, of), "units")
    assert "Counted for no unit" not in html(province, assessment(province), of)


def test_a_fail_of_a_unit_that_was_drawn_ranks_it_only_once_all_are_asked(province: Province) -> None:
    of = sheet(Item(name="x", requirements=("C37-12.2", "C37-12.1"), points=100))
    fails = [found("th-suoi-mo", "C37-12.2", "fail"), *(found(unit, "C37-12.1", "pass") for unit in ALIKE)]
    left = Finding("mn-hoa-sen", "C37-12.2", "not-tested", ("not drawn",), gap="lots")
    got = points(province, assessment(province, *fails, left), of)
    assert [got[unit] for unit in ALIKE] == [100, 100]
    got = points(province, assessment(province, *fails, found("mn-hoa-sen", "C37-12.2", "pass")), of)
    assert [got[unit] for unit in ALIKE] == [50, 100]


def test_a_unit_that_nobody_reached_has_no_points_and_nobody_beside_it_a_rank(province: Province) -> None:
    of = sheet(Item(name="x", requirements=("C37-3.1a",), points=100), grades=[("Đạt", 0)])
    left = Finding("mn-hoa-sen", "C37-S39-smtp", "not-tested", ("no route",), gap="unasked")
    audit = assessment(province, left)
    scores = {score.unit: score for score in ranked(province, audit, of)}
    assert [(scores[unit].points, scores[unit].grade, scores[unit].rank) for unit in ("mn-hoa-sen", "th-suoi-mo")] == [
        (None, "", 0), (0, "Đạt", 0),
    ]  # fmt: skip
    assert scores["thpt-song-que"].rank == 1
    text = as_csv(province, audit, of, scores.values())[1:]
    rows = {row["mã/unit"]: row for row in csv.DictReader(io.StringIO(text))}
    assert [rows["mn-hoa-sen"][name] for name in ("điểm/points", "hạng/rank")] == ["chưa hỏi/not asked", ""]
    assert "Chưa hỏi đủ" in part(html(province, audit, of), "unit-mn-hoa-sen")
    assert "Chưa hỏi đủ" not in part(html(province, audit, of), "unit-th-suoi-mo")
    assert points(province, audit, sheet(Item(name="x", requirements=("C37-4.1",), points=1)))["mn-hoa-sen"] == 0


def test_a_partial_audit_says_so_and_ranks_nobody(province: Province) -> None:
    whole = assessment(province)
    for audit in (
        replace(whole, left=("mail-so",)),
        replace(whole, findings=[f for f in whole.findings if f.unit != "so"]),
    ):
        scores = ranked(province, audit, no_sheet())
        assert {score.rank for score in scores} == {0}
        assert "một phần/partial" in as_csv(province, audit, no_sheet(), scores)
        assert "A partial audit" in html(province, audit)
    assert "A partial audit" not in html(province, whole)
    assert "trọn vẹn/whole" in as_csv(province, whole, no_sheet(), ranked(province, whole, no_sheet()))


def test_without_a_sheet_only_what_binds_as_written_counts(province: Province) -> None:
    (item,) = no_sheet().items
    assert {requirements()[name].strength for name in item.names} == {"M"}
    assert "no score sheet" in no_sheet().name


def test_the_csv_has_a_row_for_each_unit_and_no_formula(province: Province) -> None:
    item = Item(name="=1+1", requirements=("C37-4.*",), points=100)
    of = sheet(item, grades=[("-Tốt", 1)])
    audit = assessment(province, found("so", "C37-4.1", "pass"), incomplete=["x"])
    text = as_csv(province, audit, of, ranked(province, audit, of))
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text[1:])))
    assert len(rows) == 1 + len(province.units)
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    first = dict(zip(rows[0], rows[1], strict=True))
    assert (first["mã/unit"], first["hạng/rank"], first["mức/grade"]) == ("so", "1", "'-Tốt")
    assert int(first["pass"]) == 1
    assert "incomplete" in first["lần kiểm tra/run"]


SHEET = """\
name: Bảng điểm
authority: Sở
items:
  - name: Thư
    requirements: [C37-4.*]
    points: 60
  - name: Cổng
    requirements: [C37-9.2]
    points: 40
    attested: 1
grades:
  - {name: Tốt, from: 80}
"""


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("C37-9.2", "C37-99.*", "bang.yml:8:20"),
        ("C37-9.2", "C37-4.5", "bang.yml:8:20"),
        ("C37-9.2", "9.2", "bang.yml:8:20"),
        ("points: 40", "points: -1", "bang.yml:9:13"),
        ("attested: 1", "attested: 2", "bang.yml:10:15"),
        ("attested", "atested", "bang.yml:10:14"),
        ("from: 80", "from: 101", "bang.yml:12:23"),
        ("authority: Sở\n", "", "bang.yml:1:1"),
        ("name: Bảng điểm", "name: Bảng: điểm", "bang.yml:1:11"),
        (SHEET, "", "bang.yml:1:1"),
    ],
)
def test_a_mistake_in_a_sheet_is_told_where_it_stands(old: str, new: str, place: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read_sheet("bang.yml", SHEET.replace(old, new))
    (problem, *_) = caught.value.problems
    assert str(problem.where) == place
    assert problem.vi != problem.en


def test_the_example_of_a_sheet_has_100_points() -> None:
    file = LAB / "weights.example.yml"
    example = read_sheet(file.name, file.read_text(encoding="utf-8"))
    assert example.total == 100
    assert "ví dụ" in example.name


# --- differences ---


def differences(before: Assessment, now: Assessment, units: Collection[str]) -> Differences:
    return differences_since(Earlier(before, "0" * 64, Words("lan ký", "signed by lan")), now, units)


def test_what_changed_since_last_time(province: Province) -> None:
    before = assessment(province, found("so", "C37-4.1", "pass"), found("so", "C37-4.2.1", "fail"))
    now = assessment(province, found("so", "C37-4.1", "fail"), found("so", "C37-4.2.1", "pass"))
    gone = replace(before.findings[0], unit="th-cu")
    earlier = [*(f for f in before.findings if f.unit != "th-suoi-mo"), gone]
    later = [f for f in now.findings if f.unit != "mn-hoa-sen"]
    since = differences(replace(before, findings=earlier), replace(now, findings=later), province.units)
    assert {(c.unit, c.requirement, c.before) for c in since.changes["fail"]} == {("so", "C37-4.1", "pass")}
    assert {(c.unit, c.requirement, c.before) for c in since.changes["pass"]} == {("so", "C37-4.2.1", "fail")}
    assert (since.new, since.gone, since.not_asked) == (("th-suoi-mo",), ("th-cu",), ("mn-hoa-sen",))
    of = no_sheet()
    text = page(province, replace(now, findings=later), of, ranked(province, replace(now, findings=later), of), since)
    for words in ("nay không đạt", "nay đạt", "th-cu", "0" * 64, "signed by lan", "Not assessed last time"):
        assert words in text
    short = text[text.index('id="changes-short"') :].partition("</section>")[0]
    for words in ("lần trước không hỏi tới", "Trường Mầm non Hoa Sen"):
        assert words in short
    for words in ("đơn vị mới", "No verdict changed."):
        assert words not in text


def test_lots_are_no_difference(province: Province) -> None:
    before, now = (by_lots(province, drawn) for drawn in ALIKE)
    assert differences(before, now, province.units).changes == {}
    failed = assessment(province, found("mn-hoa-sen", "C37-12.2", "fail"))
    assert differences(before, failed, province.units).changes.get("fail") is None
    assert [c.unit for c in differences(now, failed, province.units).changes["fail"]] == ["mn-hoa-sen"]


# --- the page ---


def test_the_page_escapes_whatever_a_host_said_and_holds_no_script(province: Province) -> None:
    given = [
        found("so", name, verdict, HOSTILE) for name, verdict in zip(ASKED, ("fail", "pass", "not-tested"), strict=True)
    ]  # type: ignore[arg-type]
    text = html(province, assessment(province, *given, incomplete=[HOSTILE]))
    assert "<script" not in text
    assert "onerror" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_the_page_needs_nothing_from_elsewhere_and_all_its_links_lead_somewhere(province: Province) -> None:
    text = html(province, assessment(province, found("so", "C37-4.1", "fail")))
    assert not re.search(r"(?:src|href)=(?![\"']#)", text)
    assert not re.search(r"url\(|@import|<script|<link|<iframe| on\w+=", text)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_each_unit_and_each_requirement_has_a_page(province: Province) -> None:
    text = html(province, assessment(province))
    for id in [*(f"unit-{id}" for id in province.units), *requirements()]:
        assert f'<section class="page" id="{id}"' in text


def part(text: str, id: str) -> str:
    """The page called ``id`` of the page."""
    start = text.index(f'<section class="page" id="{id}"')
    return text[start : text.index("</section>", start)]


def test_a_requirement_says_what_is_law_and_what_is_local_and_which_text_held_on_that_day(province: Province) -> None:
    audit = assessment(province)
    later = part(html(province, audit), "C37-3.4.2")
    assert "chính Thông tư 37/2020" in later
    assert "331/2026/NĐ-CP" in later
    assert "85/2016/NĐ-CP (đến hết 30/06/2026" in later
    assert "Local policy, not law" in later
    assert "<strong>365</strong>" in later
    earlier = part(html(province, replace(audit, at=datetime(2026, 1, 5, tzinfo=UTC))), "C37-3.4.2")
    assert "331/2026" not in earlier
    assert "Suy luận" in part(html(province, audit), "C37-4.1")
    assert "A letter arrives." in part(html(province, audit), "C37-4.1")
    looked_at = requirements()["C37-4.1"].how
    assert part(html(province, audit), "C37-4.1").count(looked_at.vi) == 1
    assert part(html(province, audit), "C37-4.1").count(looked_at.en) == 1
    assert "Dẫn chiếu" in part(html(province, audit), "C37-S39-tls")


def test_a_first_day_says_how_it_is_known_and_one_that_is_not_known_says_so(province: Province) -> None:
    text = part(html(province, assessment(province)), "texts")
    of = {row[0]: row for row in re.findall(r'<tr id="text-([a-z-]+)">(.*?)</tr>', text)}
    assert "từ 01/10/2020 (theo trí nhớ" in of["anti-spam"][1]
    assert "từ 19/07/2024; đọc trong bản pháp điển" in of["disclosure"][1]
    assert "since when is not known here" in of["metadata"][1]
    assert "since when is not known here" not in of["anti-spam"][1]


def test_what_people_attest_stands_apart_and_is_no_pass(province: Province) -> None:
    text = html(province, assessment(province))
    assert "31/QĐ-THPTSQ" in part(text, "attested")
    unit = part(text, "unit-thpt-song-que")
    assert "§" in unit
    assert "✓" not in unit


def test_no_report_certifies(province: Province) -> None:
    audit = assessment(province, found("so", "C37-4.1", "pass"))
    texts = [html(province, audit), "".join(junit(province, audit)), "".join(written(audit))]
    for text in texts:
        assert "certified" not in text.lower()
        assert "assessed against" in text.replace("_", " ")


def test_the_page_shows_each_verdict_in_words_and_the_time_of_vietnam(province: Province) -> None:
    audit = assessment(province, found("so", "C37-4.2.1", "fail", "seen-a"), found("so", "C37-2.1", "pass", "seen-b"))
    text = html(province, audit)
    units = part(text, "units")
    for words in ("đạt", "không đạt", "chưa thử"):
        assert f"<span>{words}</span>" in units
    text = html(province, replace(audit, commit="a81dc56 và tệp đã sửa"))
    for words in ("seen-a", "seen-b", "01:30 ngày 30/08/2026", "a81dc56 và tệp đã sửa"):
        assert words in text


def test_each_answer_on_a_page_is_found_in_the_file_by_host_time_and_digest(province: Province) -> None:
    def seen(unit: str, name: str, verdict: Verdict, second: int) -> Finding:
        return Finding(unit, name, verdict, (f"{name} seen",), "mail-xa", f"2026-11-29T18:30:0{second}Z")

    given = [
        seen("th-suoi-mo", "C37-4.1", "fail", 1),
        seen("th-suoi-mo", "C37-4.2.1", "pass", 2),
        seen("th-suoi-mo", "C37-12.1", "pass", 3),
    ]
    few = assessment(province, *given)
    (attested, *_) = [f for f in few.findings if f.verdict == "attested"]
    text = html(province, few)
    unit = part(text, "unit-th-suoi-mo")
    for finding in given:
        assert f"mail-xa · {finding.at} · {finding.digest[:12]}" in unit
    assert attested.digest[:12] in part(text, f"unit-{attested.unit}")
    assert attested.digest[:12] in part(text, "attested")
    assert given[0].digest[:12] in part(text, "C37-4.1")
    file = "".join(written(few))
    assert all(f'"digest": "{finding.digest[:12]}' in file for finding in given)

    school = province.units["th-suoi-mo"]
    many = {f"th-{n}": school.model_copy(update={"id": f"th-{n}"}) for n in range(250)}
    large = province.model_copy(update={"units": province.units | many})
    unit = part(html(large, replace(few, findings=complete(large, large.units, given))), "unit-th-suoi-mo")
    assert f"mail-xa · {given[0].at} · {given[0].digest[:12]}" in unit
    assert f"4.2.1 {given[1].digest[:12]}, 12.1 {given[2].digest[:12]}" in unit
    assert f"mail-xa · {given[1].at} – {given[2].at}" in unit


def test_what_follows_says_from_what(province: Province) -> None:
    unit = part(html(province, assessment(province, found("so", "C37-S39-tls", "fail"))), "unit-so")
    start = unit.index("suy từ <span")
    assert '<a href="#C37-S39-tls">' in unit[start : unit.index("</p>", start)]


def test_an_incomplete_page_says_so_first(province: Province) -> None:
    assert "chưa trọn vẹn" not in html(province, assessment(province))
    text = html(province, assessment(province, incomplete=["mail-xa was not reached"]))
    assert text.index("chưa trọn vẹn") < text.index("mail-xa was not reached") < text.index("<svg")


def test_of_thousands_of_units_the_page_lists_some_and_says_how_many_more(province: Province) -> None:
    unit = province.units["th-suoi-mo"]
    many = {id: unit.model_copy(update={"id": id, "name": f"Trường {id}"}) for id in (f"th-{n}" for n in range(250))}
    large = province.model_copy(update={"units": province.units | many})
    findings = complete(large, large.units, [found(id, "C37-4.2.1", "fail", "x" * 900) for id in many])
    text = html(large, replace(assessment(province), findings=findings))
    assert "… và 190 nữa; đủ trong verdicts.json" in part(text, "C37-4.2.1")
    assert "units' pages" not in text
    assert "x" * 300 not in text
    assert "Trường th-249" in part(text, "unit-th-249")


# --- the command ---


@pytest.fixture(scope="module")
def verdicts(province: Province, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished audit, with a fail. It is not spoilt."""
    file = tmp_path_factory.mktemp("verdicts") / "v.json"
    fail = Finding("so", "C37-4.1", "fail", (HOSTILE,), "mail-so", "2026-11-29T18:00:00Z")
    file.write_text("".join(written(assessment(province, fail))), encoding="utf-8")
    return file


def make(verdicts: Path, out: Path, *words: str, inventory: Path = LAB) -> int:
    return cli.main(["report", str(inventory), "--out", str(out), "--verdicts", str(verdicts), "--lang", "en", *words])


def check(path: Path, *words: str) -> int:
    return cli.main(["report", "--check", str(path), *words, "--lang", "en"])


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keygen(tmp_path_factory.mktemp("key") / "id")


def keygen(path: Path, kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "lan@may", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def audited(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """An inventory with an auditor of its own. It is not spoilt."""
    inventory = Inventory(tmp_path_factory.mktemp("audited") / "lab")
    inventory.write("auditors/lan.pub", key.with_suffix(".pub").read_bytes())
    return inventory


@pytest.fixture(scope="module")
def made(verdicts: Path, audited: Inventory, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that this auditor signed."""
    out = tmp_path_factory.mktemp("made") / "r"
    assert make(verdicts, out, "--key", str(key), inventory=audited.folder) == 1  # something fails
    return out


@pytest.fixture
def signed(made: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "signed"))


def test_a_report_is_its_files_and_nothing_is_overwritten(
    verdicts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r"
    assert make(verdicts, out) == 1
    assert {path.name for path in out.iterdir()} == FILES
    assert "NOT SIGNED" in capsys.readouterr().out
    assert (out / "verdicts.json").read_bytes() == verdicts.read_bytes()
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, check=True)
    before = (out / "report.html").read_bytes()
    assert make(verdicts, out) == 1
    assert "--previous" in capsys.readouterr().err
    assert (out / "report.html").read_bytes() == before
    later = tmp_path / "later.json"
    audit = read(verdicts.read_text(encoding="utf-8"))
    later.write_text("".join(written(replace(audit, at=audit.at + timedelta(days=1)))), encoding="utf-8")
    for number, previous in enumerate((out, out / "report.html", verdicts)):
        new = tmp_path / f"r{number}"
        assert make(later, new, "--previous", str(previous)) == 1
        page = (new / "report.html").read_text(encoding="utf-8")
        for words in ("Since last time", hashlib.sha256(verdicts.read_bytes()).hexdigest(), "not signed"):
            assert words in page
    flip(out / "report.pdf")
    for previous, words in ((later, "not earlier"), (out, "not as its SHA256SUMS says"), (out / "no", "No such file")):
        assert make(later, tmp_path / "r3", "--previous", str(previous)) == 1
        assert words in capsys.readouterr().err
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("x")
    assert make(verdicts, full) == 1
    assert {path.name for path in full.iterdir()} == {"mine.txt"}


@pytest.mark.parametrize("words", [("--sample", "0"), ("--sample", "5"), ("--resume",), ("--host", "mail-so")])
def test_questions_to_hosts_that_are_not_asked_are_a_mistake(
    verdicts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert make(verdicts, tmp_path / "r", *words) == 2
    assert f"{words[0]} is not allowed with --verdicts" in capsys.readouterr().err
    assert check(tmp_path, *words) == 2
    assert f"{words[0]} is not allowed with --check" in capsys.readouterr().err


def test_a_report_takes_the_place_of_an_empty_folder_by_whatever_name(verdicts: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    assert make(verdicts, tmp_path / "empty" / ".." / "link") == 1
    assert {path.name for path in (tmp_path / "empty").iterdir()} == FILES


def test_nothing_is_left_of_a_report_that_could_not_be_made(
    verdicts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edumail.circular import junit as module

    def broken(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "junit", broken)
    assert make(verdicts, tmp_path / "r") == 1
    assert not list(tmp_path.iterdir())


def test_a_sheet_is_part_of_the_report(verdicts: Path, tmp_path: Path) -> None:
    example = LAB / "weights.example.yml"
    make(verdicts, tmp_path / "r", "--weights", str(example))
    assert (tmp_path / "r" / "weights.yml").read_bytes() == example.read_bytes()
    assert "weights.yml" in (tmp_path / "r" / "SHA256SUMS").read_text()
    assert "Bảng điểm 100 (ví dụ)" in (tmp_path / "r" / "ranking.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "".join(written(replace(read(text), province="khac"))), "of the province khac"),
        (lambda text: text.replace('"province": "minhha"', '"province": "khac"'), "was changed after it was written"),
        (lambda text: text.replace('"verdict": "fail"', '"verdict": "pass"'), "was changed after it was written"),
        (lambda text: "{", "can't be used"),
        (lambda text: text.replace('"subject": "', '"subject": "0'), "was changed after it was written"),
    ],
)
def test_verdicts_that_can_not_be_reported_are_refused(
    verdicts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: object, words: str
) -> None:
    spoilt = tmp_path / "v.json"
    spoilt.write_text(change(verdicts.read_text(encoding="utf-8")), encoding="utf-8")  # type: ignore[operator]
    assert make(spoilt, tmp_path / "r") == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_verdicts_are_read_from_the_very_file_that_is_named(verdicts: Path, tmp_path: Path) -> None:
    shutil.copy(verdicts, tmp_path / "verdicts.json")
    for name in ("ketqua.txt", "report.html"):
        assert make(tmp_path / name, tmp_path / "r") == 1
        assert not (tmp_path / "r").exists()


def test_verdicts_are_of_the_units_of_the_inventory(
    verdicts: Path, inventory: Inventory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory.replace("units/suoi-mo.yml", "name: Trường THCS Suối Mơ\n", "name: Trường Tiểu học Suối Mơ 2\n")
    assert make(verdicts, tmp_path / "r", inventory=inventory.folder) == 1
    assert "has not the units" in capsys.readouterr().err


def paper(file: Path) -> str:
    """The words of a PDF."""
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here (package poppler-utils); make test installs it before it runs this")
    done = subprocess.run(["pdftotext", "-layout", file, "-"], check=True, capture_output=True)
    return " ".join(done.stdout.decode().split())


def test_the_paper_names_who_attests_which_hosts_are_silent_and_how_many_reasons_it_leaves_out(
    province: Province, tmp_path: Path
) -> None:
    of = sheet(Item(name="Thư điện tử", requirements=("C37-4.5",), points=1, attested=1), Item(
        name="Cổng", requirements=("C37-9.2",), points=1))  # fmt: skip
    seen = Finding("so", "C37-4.1", "pass", ("seen",), "mail-so")
    audit = assessment(province, seen, incomplete=[f"reason {n}" for n in range(9)])
    audit = replace(audit, hosts=("mail-so", "mail-xa"), left=("mail-thpt",))
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf(province, audit, of, ranked(province, audit, of), "0" * 64))
    text, shown = paper(file), html(province, audit, of)
    for words in ("31/QĐ-THPTSQ", "Trần Đình Phúc, Hiệu trưởng", "2029-08-31", "3 lý do nữa (and 3 more)",
                  "Máy chủ được hỏi mail-so, mail-xa Không trả lời câu nào mail-xa Máy chủ không hỏi mail-thpt",
                  "ở các mục: Thư điện tử.", "1 có phép thử, 2 suy từ"):  # fmt: skip
        assert words in text
    assert "hosts asked</span>: mail-so, mail-xa · Không trả lời câu nào" in shown
    assert '<span lang="en">gave no answer</span>: mail-xa' in shown
    assert "Points count what is attested in the items: Thư điện tử." in part(shown, "attested")
    assert "No item of the score sheet counts it." in part(html(province, audit), "attested")


def test_the_cover_says_where_those_who_attest_are_named(
    province: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, file = assessment(province, found("so", "C37-4.1", "pass")), tmp_path / "report.pdf"
    for many, place in ((400, "ở phần cuối"), (0, "trong verdicts.json")):
        monkeypatch.setattr(paper_of, "_MANY", many)
        file.write_bytes(pdf(province, audit, no_sheet(), ranked(province, audit, no_sheet()), "0" * 64))
        text = paper(file)
        assert f"người được nêu tên {place}" in text
        assert ("Trần Đình Phúc, Hiệu trưởng" in text) == (many == 400)


def test_the_paper_says_what_was_seen_in_vietnamese(verdicts: Path, tmp_path: Path) -> None:
    make(verdicts, tmp_path / "r")
    text = paper(tmp_path / "r" / "report.pdf")
    (fail,) = (row["digest"] for row in json.loads(verdicts.read_text())["findings"] if row["verdict"] == "fail")
    digest = (tmp_path / "r" / "SHA256SUMS").read_text().partition("  verdicts.json")[0].split()[-1]
    for words in ("Tỉnh Minh Hà", "Không phải là chứng nhận".lower(), "Người kiểm tra", "C37-4.1", "<script>alert(1)",
                  "Trường Tiểu học Suối Mơ", "not a certificate", "trang 1/", digest[:32], digest[32:], fail[:12],
                  "mail-so · 2026-11-29T18:00:00Z"):  # fmt: skip
        assert words in text


# --- signing ---


def test_a_signed_report_is_good_by_our_check_and_by_openssh_s(
    signed: Path, audited: Inventory, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (signed, signed / "report.html", signed / "SHA256SUMS"):
        assert check(path, str(audited.folder)) == 0
        assert "The signature holds: lan, SHA256:" in capsys.readouterr().out
    signers = tmp_path / "signers"
    signers.write_text(f"lan {key.with_suffix('.pub').read_text()}")
    words = ["-Y", "verify", "-f", signers, "-I", "lan", "-n", "edumail-report", "-s", signed / "SHA256SUMS.sig"]
    subprocess.run(["ssh-keygen", *words], input=(signed / "SHA256SUMS").read_bytes(), check=True)


def test_without_an_inventory_nobody_knows_whose_key_it_is(
    signed: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(signed) == 3
    mark = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[1]
    said = capsys.readouterr().out
    assert mark in said
    assert "not known" in said


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", sorted(FILES - {"SHA256SUMS"}))
def test_one_changed_bit_shows(signed: Path, audited: Inventory, capsys: pytest.CaptureFixture[str], name: str) -> None:
    flip(signed / name)
    assert check(signed, str(audited.folder)) == 1
    assert f"CHANGED: {name}" in capsys.readouterr().out


def test_who_mends_the_list_too_breaks_the_signature(
    signed: Path, audited: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(signed / "ranking.csv")
    done = subprocess.run(["sha256sum", *sorted(FILES - {"SHA256SUMS"})], cwd=signed, check=True, capture_output=True)
    (signed / "SHA256SUMS").write_bytes(done.stdout)
    assert check(signed, str(audited.folder)) == 1
    said = capsys.readouterr().out
    assert "WRONG SIGNATURE" in said
    assert "CHANGED" not in said


def test_missing_and_added_files_and_what_is_no_file_are_told_apart(
    signed: Path, audited: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    (signed / "junit.xml").unlink()
    (signed / "extra.txt").write_text("x")
    (signed / "ranking.csv").rename(signed.parent / "elsewhere.csv")
    (signed / "ranking.csv").symlink_to(signed.parent / "elsewhere.csv")
    assert check(signed / "extra.txt", str(audited.folder)) == 1
    said = capsys.readouterr().out
    for words in ("MISSING: junit.xml", "ADDED, no part of the report: extra.txt", "CHANGED: ranking.csv"):
        assert words in said


def test_unsigned_is_not_good(signed: Path, audited: Inventory, capsys: pytest.CaptureFixture[str]) -> None:
    (signed / "SHA256SUMS.sig").unlink()
    assert check(signed, str(audited.folder)) == 1
    assert "NOT SIGNED" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"])
def test_what_is_no_signature_is_refused(
    signed: Path, audited: Inventory, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (signed / "SHA256SUMS.sig").write_text(text)
    assert check(signed, str(audited.folder)) == 1
    assert "no signature of OpenSSH" in capsys.readouterr().out


def listed(signed: Path, key: Path) -> None:
    """Write and sign the list of what is there, as whoever has the key could."""
    (signed / "SHA256SUMS").unlink()
    names = sorted(path.name for path in signed.iterdir() if path.name != "SHA256SUMS.sig")
    (signed / "SHA256SUMS").write_bytes(subprocess.check_output(["sha256sum", *names], cwd=signed))
    resign(signed, key)


def test_a_sound_report_says_whose_it_is_and_of_when_and_of_how_much(
    signed: Path, audited: Inventory, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = read((signed / "verdicts.json").read_text(encoding="utf-8"))
    for changed, words, status in (
        (audit, "Province minhha; 01:30 30/08/2026 (UTC+7); whole; hosts: mail-so, mail-xa, mail-thpt", 0),
        (replace(audit, left=("mail-xa",), incomplete=("x",)), "INCOMPLETE; PARTIAL, not asked: mail-xa", 0),
        (replace(audit, province="khac"), "OF ANOTHER PROVINCE", 1),
    ):
        (signed / "verdicts.json").write_text("".join(written(changed)), encoding="utf-8")
        listed(signed, key)
        assert check(signed, str(audited.folder)) == status
        assert words in capsys.readouterr().out


def test_a_signed_list_of_nothing_is_no_report(
    signed: Path, audited: Inventory, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in FILES - {"SHA256SUMS"}:
        (signed / name).unlink()
    (signed / "x.txt").write_text("x")
    listed(signed, key)
    assert check(signed, str(audited.folder)) == 1
    said = capsys.readouterr().out
    assert "NOT IN SHA256SUMS: verdicts.json" in said
    assert "Unchanged" not in said


def test_whoever_has_the_auditors_key_trusts_no_other(
    signed: Path, audited: Inventory, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(signed, "--key", f"{key}.pub") == 0
    assert check(signed, str(audited.folder), "--key", f"{keygen(tmp_path / 'other')}.pub") == 3
    assert "UNKNOWN KEY" in capsys.readouterr().out
    assert check(signed, "--key", str(key)) == 1
    assert "public key" in capsys.readouterr().err


def resign(signed: Path, key: Path, namespace: str = "edumail-report") -> None:
    (signed / "SHA256SUMS.sig").unlink()
    words = ["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", namespace, signed / "SHA256SUMS"]
    subprocess.run(words, check=True, capture_output=True)


def test_another_key_another_purpose_and_another_kind_of_key_do_not_do(
    signed: Path, audited: Inventory, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resign(signed, keygen(tmp_path / "other"))
    assert check(signed, str(audited.folder)) == 3
    assert "UNKNOWN KEY" in capsys.readouterr().out
    resign(signed, key, "file")
    assert check(signed, str(audited.folder)) == 1
    assert "not made for a report" in capsys.readouterr().out
    resign(signed, keygen(tmp_path / "rsa", "rsa"))
    assert check(signed, str(audited.folder)) == 1
    assert "only Ed25519" in capsys.readouterr().out


def test_a_key_of_another_kind_is_refused_before_anything_is_asked(
    verdicts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(verdicts, tmp_path / "r", "--key", str(keygen(tmp_path / "ec", "ecdsa"))) == 1
    assert "Ed25519" in capsys.readouterr().err
    assert make(verdicts, tmp_path / "r", "--key", str(tmp_path / "none")) == 1
    assert not (tmp_path / "r").exists()


def test_a_signature_that_fails_costs_no_report(
    verdicts: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "")
    lone = tmp_path / "lone.pub"
    shutil.copy(key.with_suffix(".pub"), lone)  # no agent holds its other half
    assert make(verdicts, tmp_path / "r", "--key", str(lone)) == 1
    command = capsys.readouterr().err.rpartition("sign it later with: ")[2]
    assert {path.name for path in (tmp_path / "r").iterdir()} == FILES
    subprocess.run(command.replace(str(lone), str(key)), shell=True, check=True, capture_output=True)  # noqa: S602
    assert check(tmp_path / "r") == 3


def test_what_is_no_report_can_not_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 1
    assert "not part of a report" in capsys.readouterr().err
    (tmp_path / "SHA256SUMS").write_text("x  ../../etc/passwd\n")
    assert check(tmp_path) == 1
    assert "can't be read" in capsys.readouterr().err


def test_a_list_names_files_of_its_folder_alone() -> None:
    with pytest.raises(seal.SealError):
        seal.listed(f"{'0' * 64}  ../x\n")


@pytest.mark.parametrize("words", [[], ["--out", "a", "--check", "b"], ["x", "--out", "a", "--lang", "e"]])
def test_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", *words])
    assert stopped.value.code == 2


def test_an_inventory_is_needed_to_make_a_report() -> None:
    assert cli.main(["report", "--out", "a"]) == 2


@pytest.mark.parametrize(
    "words", [["--check", "r", "--weights", "k"], [str(LAB), "--out", "r", "--verdicts", "v.json", "--host", "mail-so"]]
)
def test_an_option_without_effect_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", *words, "--lang", "en"]) == 2
    assert "is not allowed with" in capsys.readouterr().err
