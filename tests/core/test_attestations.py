"""What people attest: read with its place, refused where a host answers, shown apart, and only as long as it counts."""

from __future__ import annotations

from datetime import date

import pytest
from conftest import Inventory

from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.cli.audit import Answers, judge
from edumail.load import load

ENTRY = """\
- requirements: [C37-4.5, C37-4.3.2]
  units: [th-suoi-mo]
  by: Nguyễn Văn Bằng, Hiệu trưởng
  on: 2026-09-01
  until: 2027-08-31
  document: 12/QĐ-THSM
  sha256: {digest}
""".format(digest="ab" * 32)
WITHIN = date(2026, 12, 1)


def verdict(inventory: Inventory, id: str, found: Verdict | None, on: date = WITHIN) -> Finding:
    """What an audit says that found ``found``, or asked nothing."""
    findings = [Finding("th-suoi-mo", id, found, ("host: a line",))] if found else []
    result = complete(load(inventory.folder, on), ["th-suoi-mo"], findings)
    return next(finding for finding in result if finding.requirement == id)


@pytest.mark.parametrize(
    ("id", "found", "on", "expected"),
    [
        ("C37-4.5", "not-tested", WITHIN, "attested"),  # the host's half holds, the decision is attested
        ("C37-4.5", "fail", WITHIN, "fail"),  # what a host disproves no paper mends
        ("C37-4.3.2", None, WITHIN, "attested"),
        ("C37-4.3.2", None, date(2026, 9, 1), "attested"),
        ("C37-4.3.2", None, date(2027, 8, 31), "attested"),
        ("C37-4.3.2", None, date(2026, 8, 31), "not-tested"),
        ("C37-4.3.2", None, date(2027, 9, 1), "not-tested"),
        ("C37-7.1", None, WITHIN, "not-tested"),  # nobody has said that
        ("C37-4.3.1", None, WITHIN, "not-tested"),
    ],
)
def test_a_duty_is_attested_as_long_as_that_counts_and_never_passed(
    inventory: Inventory, id: str, found: Verdict | None, on: date, expected: Verdict
) -> None:
    inventory.write("attestations.yml", ENTRY)
    assert inventory.problems() == []
    assert verdict(inventory, id, found, on).verdict == expected


def test_the_evidence_says_who_said_so_by_which_document_and_until_when(inventory: Inventory) -> None:
    inventory.write("attestations.yml", ENTRY)
    *host, said = verdict(inventory, "C37-4.5", "not-tested").evidence
    assert host == ["host: a line"]
    for words in ("12/QĐ-THSM", "Nguyễn Văn Bằng, Hiệu trưởng", "2026-09-01", "2027-08-31", "abababab"):
        assert words in said
    late = verdict(inventory, "C37-4.5", "not-tested", date(2028, 1, 1)).evidence
    assert "no longer counts" in late[-1]


def test_what_a_host_was_not_asked_is_not_attested(inventory: Inventory) -> None:
    inventory.write("attestations.yml", ENTRY)
    province = load(inventory.folder, WITHIN)
    asked = ["C37-4.5"]

    def found(hosts: list[str], answers: Answers) -> Finding:
        findings, _ = judge(province, hosts, answers)
        return next(f for f in findings if (f.unit, f.requirement) == ("th-suoi-mo", "C37-4.5"))

    school = province.units["th-suoi-mo"].model_copy(update={"portal_host": "mail-so"})
    province = province.model_copy(update={"units": province.units | {"th-suoi-mo": school}})
    reasons = {("mail-xa", "C37-4.5"): "mail-xa was not reached"}
    for unasked in (
        found(["mail-xa"], Answers(asked=asked, reasons=reasons)),
        found(["mail-so"], Answers(asked=asked)),  # nobody wanted to ask mail-xa
    ):
        assert unasked.verdict == "not-tested"
        assert "12/QĐ-THSM" in unasked.evidence[-1]  # and what is attested is shown
    officer = Finding("th-suoi-mo", "C37-4.5", "not-tested", ("RCPT 250",))
    assert found(["mail-xa"], Answers([officer], asked=asked)).verdict == "attested"


def test_another_unit_is_not_attested(inventory: Inventory) -> None:
    inventory.write("attestations.yml", ENTRY)
    result = complete(load(inventory.folder, WITHIN), ["thcs-suoi-mo"], [])
    assert {finding.verdict for finding in result} == {"not-tested", "not-applicable"}


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "words"),
    [
        ("C37-4.5", "C37-4.6", "unknown-requirement", 1, "C37-4.5"),
        ("C37-4.5", "C37-4.3.1", "not-attestable", 1, "hosts"),
        ("C37-4.5", "C37-3.3a", "attestation-follows", 1, "C37-4.4, C37-11.2"),
        ("th-suoi-mo", "th-suoi-moi", "unknown-unit", 2, "th-suoi-moi"),
        ("until: 2027-08-31", "until: 2025-08-31", "attestation-days", 5, "2025-08-31"),
    ],
)
def test_mistakes_are_told_where_they_stand(
    inventory: Inventory, old: str, new: str, code: str, line: int, words: str
) -> None:
    inventory.write("attestations.yml", ENTRY.replace(old, new))
    (problem,) = inventory.problems()
    assert problem.code == code
    assert (problem.where.file, problem.where.line) == ("attestations.yml", line)
    assert words in problem.en
    assert problem.vi != problem.en


@pytest.mark.parametrize("old", ["ab" * 32, "C37-4.5, C37-4.3.2", "12/QĐ-THSM", "2026-09-01", "th-suoi-mo"])
def test_an_entry_that_lacks_something_is_refused(inventory: Inventory, old: str) -> None:
    inventory.write("attestations.yml", ENTRY.replace(old, ""))
    problems = inventory.problems()
    assert problems
    assert all(problem.where.file == "attestations.yml" and problem.where.line for problem in problems)


def test_the_same_entry_twice_is_refused(inventory: Inventory) -> None:
    inventory.write("attestations.yml", ENTRY + ENTRY)
    assert [problem.code for problem in inventory.problems()] == ["duplicate-attestation"]
