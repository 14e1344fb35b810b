"""What an audit may say."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, as_json, complete, from_json
from edumail.model import Attestation, Province

VIETNAMESE_LETTER = re.compile("[đăâêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)


def one(findings: list[Finding], unit: str, requirement: str) -> Finding:
    (found,) = [f for f in findings if (f.unit, f.requirement) == (unit, requirement)]
    return found


@pytest.mark.parametrize(
    ("requirement", "verdict", "evidence"),
    [("C37-4.1", "pass", ()), ("C37-4.1", "not-tested", ()), ("C37-4.1", "good", ("x",)), ("C37-0", "pass", ("x",))],
)
def test_a_verdict_without_evidence_or_meaning_can_not_be_made(
    requirement: str, verdict: str, evidence: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"evidence|not a"):
        Finding("so", requirement, verdict, evidence)  # type: ignore[arg-type]


def test_completion_answers_every_requirement_of_every_unit_once(province: Province) -> None:
    findings = complete(province, province.units, [Finding("so", "C37-4.1", "pass", ("seen",))])
    assert len(findings) == len(province.units) * len(requirements())
    assert one(findings, "so", "C37-4.1").verdict == "pass"
    assert one(findings, "so", "C37-4.2.1").verdict == "not-tested"
    counting = [a for a in province.attestations if a.on <= province.today <= a.until]
    said = {(unit, id) for a in counting for unit in a.units for id in a.requirements}
    assert {(f.unit, f.requirement) for f in findings if f.verdict == "attested"} == said


def test_what_binds_managing_bodies_is_not_applicable_to_a_school(province: Province) -> None:
    findings = complete(province, ["so", "th-suoi-mo"], [])
    assert one(findings, "th-suoi-mo", "C37-5.3").verdict == "not-applicable"
    assert one(findings, "so", "C37-5.3").verdict == "not-tested"
    assert one(findings, "th-suoi-mo", "C37-5.3").evidence


def test_a_commune_s_office_is_judged_by_succession_and_it_says_so(province: Province) -> None:
    given = [Finding(unit, "C37-5.3", "pass", ("seen",)) for unit in ("vhxh-suoi-mo", "so")]
    findings = complete(province, ["vhxh-suoi-mo", "so"], given)
    assert "by succession" in one(findings, "vhxh-suoi-mo", "C37-5.3").evidence[-1]
    assert one(findings, "so", "C37-5.3").evidence == ("seen",)
    assert "by succession" in one(findings, "vhxh-suoi-mo", "C37-4.1").evidence[-1]  # what is open binds it too
    assert "by succession" not in " ".join(one(findings, "vhxh-suoi-mo", "C37-15.1").evidence)  # that does not


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [("pass", "fail", "fail"), ("pass", "not-tested", "not-tested"), ("not-tested", "fail", "fail"),
     ("attested", "pass", "pass"), ("not-applicable", "pass", "pass")],
)  # fmt: skip
def test_of_two_answers_the_worse_counts_with_the_evidence_of_both(
    province: Province, first: str, second: str, both: str
) -> None:
    for order in ((first, second), (second, first)):
        given = [Finding("so", "C37-4.1", verdict, (verdict,)) for verdict in order]  # type: ignore[arg-type]
        found = one(complete(province, ["so"], given), "so", "C37-4.1")
        assert (found.verdict, found.evidence) == (both, order)


def test_whatever_no_host_said_is_said_in_both_languages(province: Province) -> None:
    """Reasons of edumail's own, not what hosts answered: of all kinds of units, and with attestations of each sort."""
    saying = Attestation(
        requirements=("C37-4.3.2",),
        units=("vhxh-suoi-mo",),
        by="Triệu Văn Khải",
        on=province.today,
        until=province.today,
        document="7/QĐ",
        sha256="ab" * 32,
    )
    ended = saying.model_copy(update={"units": ("so",), "until": saying.on - timedelta(1)})
    attested = province.model_copy(update={"attestations": (saying, ended)})
    reasons = {line for finding in complete(attested, province.units, []) for line in finding.evidence}
    assert len(reasons) > 50
    for line in reasons:
        vi, _, en = line.partition(" / ")
        assert VIETNAMESE_LETTER.search(vi), line
        assert en, line
        assert not VIETNAMESE_LETTER.search(en.replace("phòng", "").replace("sở", "").replace("văn thư", "")) or (
            "SHA-256" in line or en.startswith("attested")
        ), line


def test_findings_survive_json(province: Province) -> None:
    given = [
        Finding("so", "C37-4.1", "fail", ("một", "hai")),
        Finding("so", "C37-12.2", "not-tested", ("x",), gap="lots"),
    ]
    findings = complete(province, ["so"], given)
    assert from_json(as_json(findings)) == findings
    names = {"unit", "requirement", "verdict", "evidence", "host", "at", "digest"}
    assert set(as_json(given)[0]) == names  # as before there were gaps: older files are read, with their digests
    assert set(as_json(given)[1]) == names | {"gap"}
    for changed in ({"gap": "unasked"}, {"gap": ""}):
        with pytest.raises(ValueError, match=r"so C37-12\.2"):
            from_json([as_json(given)[1] | changed])


@pytest.mark.parametrize(("verdict", "gap"), [("pass", "lots"), ("attested", "unasked"), ("not-tested", "x")])
def test_only_what_is_open_has_a_gap(verdict: str, gap: str) -> None:
    with pytest.raises(ValueError, match="not a gap"):
        Finding("so", "C37-4.1", verdict, ("x",), gap=gap)  # type: ignore[arg-type]


@pytest.mark.parametrize(("others", "gap"), [("pass", "lots"), ("not-tested", "lots"), ("fail", "")])
def test_what_follows_from_a_question_that_lots_left_open_is_left_to_lots(
    province: Province, others: Verdict, gap: str
) -> None:
    sources = requirements()["C37-3.1a"].follows_from
    given = [Finding("so", name, others, ("seen",)) for name in sources if name != "C37-S39-smime"]
    given.append(Finding("so", "C37-S39-smime", "not-tested", ("not drawn",), gap="lots"))
    assert one(complete(province, ["so"], given), "so", "C37-3.1a").gap == gap


def test_of_two_open_answers_the_one_that_was_not_asked_for_counts(province: Province) -> None:
    def gap(*gaps: str) -> str:
        given = [Finding("so", "C37-4.1", "not-tested", (gap or "asked",), gap=gap) for gap in gaps]  # type: ignore[arg-type]
        return one(complete(province, ["so"], given), "so", "C37-4.1").gap

    assert gap("lots", "") == gap("", "lots") == ""
    assert gap("", "unasked") == gap("unasked", "lots") == "unasked"


def test_a_finding_that_was_changed_on_its_way_is_refused(province: Province) -> None:
    rows = as_json(complete(province, ["so"], [Finding("so", "C37-4.1", "fail", ("seen",))]))
    for row in rows:
        if row["requirement"] == "C37-4.1":
            row["verdict"] = "pass"
    with pytest.raises(ValueError, match=r"so C37-4\.1"):
        from_json(rows)
