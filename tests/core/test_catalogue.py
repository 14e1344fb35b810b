"""The circular as data: whom each requirement binds, what answers it, and which texts it cites on a day."""

from __future__ import annotations

import ast
import re
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edumail.circular.catalogue import closed, requirements
from edumail.circular.figures import figures
from edumail.circular.texts import in_force, topics
from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.cli.audit import ASSESSABLE
from edumail.model import Attestation, Province
from edumail.policies import SETTINGS

CHECKS = Path(__file__).parents[1] / "circular"


def checked() -> set[str]:
    """The requirements that a test of an article is marked with, or that one of its tables names."""
    found = set()
    for file in CHECKS.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and str(node.value) in requirements():
                found.add(str(node.value))
    return found


def test_every_requirement_has_a_check_or_a_declared_way_of_attestation() -> None:
    declared = {row.id for row in requirements().values() if row.follows_from or row.paper or row.beyond}
    answered = checked() | declared | {ASSESSABLE}
    assert set(requirements()) - answered == set()


def test_what_needs_people_names_the_paper_and_no_host_answers_it_alone() -> None:
    for row in requirements().values():
        if "O" in row.kind.split("+") and not row.beyond:
            assert row.paper or row.follows_from, row.id
        assert not (row.paper and row.follows_from), row.id
        if row.paper:
            assert row.paper.vi != row.paper.en


def test_the_catalogue_is_whole_and_each_row_stands_where_it_says() -> None:
    rows = requirements()
    assert len(rows) == 132
    assert Counter(row.basis for row in rows.values()) == {"law": 114, "reference": 13, "inference": 5}
    for row in rows.values():
        assert set(row.cites) <= set(topics())
        assert set(row.follows_from) <= set(rows)
        assert not any(rows[name].follows_from for name in row.follows_from)
        assert row.binds <= {"sở", "phòng", "school", "Ministry"}


def test_what_hangs_on_local_policy_names_it(province: Province) -> None:
    """A policy whose value a check reads off a unit stands in the catalogue, with a value to show."""
    named = {name for row in requirements().values() for name in row.local}
    code = "".join(path.read_text(encoding="utf-8") for path in CHECKS.glob("*.py"))
    read = {name for name in SETTINGS if re.search(rf"policies(\(\w+\))?\.{re.escape(name)}\b", code)}
    assert "official_mailbox_check_hours" in read
    assert read <= named
    assert all(figure.value for figure in figures(province, province.units, named).values())


def test_what_is_looked_at_is_said_in_both_languages() -> None:
    for row in requirements().values():
        assert row.how.vi, row.id
        assert row.how.en, row.id
        assert row.how.vi != row.how.en, row.id


def test_a_school_uses_mail_and_portal_if_all_that_binds_it_holds_and_mail_moves() -> None:
    rows = requirements()
    of_schools = {id for id, row in rows.items() if id.startswith(("C37-4.", "C37-9.")) and "school" in row.binds}
    left_out = of_schools - set(rows["C37-15.1"].follows_from)
    assert left_out == {"C37-4.3.4", "C37-9.11"}
    assert {rows[id].strength for id in left_out} == {"C"}  # "as conditions allow"
    assert all(id.removeprefix("C37-") in rows["C37-15.1"].how.vi for id in left_out)


def test_the_umbrella_stands_on_every_binding_standard() -> None:
    assert set(requirements()["C37-3.1a"].follows_from) == {
        id for id, row in requirements().items() if id.startswith("C37-S39-") and row.strength == "M"
    }
    assert closed({"C37-S39-tls"}) == {"C37-S39-tls", "C37-3.1a"}
    assert closed({"C37-4.3.1"}) == {"C37-4.3.1", "C37-15.1"}
    assert closed({"C37-5.3"}) == {"C37-5.3"}


@pytest.mark.parametrize(
    ("topic", "day", "number"),
    [
        ("disclosure", "2024-07-18", "36/2017/TT-BGDĐT"),
        ("disclosure", "2024-07-19", "09/2024/TT-BGDĐT"),
        ("online-information", "2022-08-14", "43/2011/NĐ-CP"),
        ("online-information", "2026-06-30", "42/2022/NĐ-CP"),
        ("online-information", "2026-07-01", "224/2026/NĐ-CP"),
        ("security-levels", "2026-06-30", "85/2016/NĐ-CP"),
        ("security-levels", "2026-08-18", None),  # the one had lapsed, the other was not in force yet
        ("security-levels", "2026-08-19", "331/2026/NĐ-CP"),
        ("security-requirements", "2025-01-01", "TCVN 11930:2017"),
        ("security-requirements", "2026-11-01", "TCVN 14423:2026"),
        ("circular", "2020-11-20", "37/2020/TT-BGDĐT"),
    ],
)
def test_a_day_has_its_texts(topic: str, day: str, number: str | None) -> None:
    text = in_force(topic, date.fromisoformat(day))
    assert (text.number if text else None) == number


def test_no_two_texts_of_a_topic_hold_on_the_same_day() -> None:
    for topic, texts in topics().items():
        for before, after in pairwise(texts):
            assert before.until is not None, topic
            assert after.since is not None, topic
            assert before.until < after.since, topic
            assert not before.in_force(before.until + timedelta(days=1))


def verdict(province: Province, unit: str, requirement: str, given: dict[str, Verdict]) -> Finding:
    found = [Finding(unit, name, said, ("seen",)) for name, said in given.items()]
    return next(f for f in complete(province, [unit], found) if f.requirement == requirement)


@pytest.mark.parametrize(
    ("change", "expected"),
    [({}, "pass"), ({"C37-S39-tls": "fail"}, "fail"), ({"C37-S39-ip": "not-tested"}, "not-tested"),
     ({"C37-S39-dir": "not-applicable"}, "pass"), ({"C37-S39-ip": "not-tested", "C37-S39-tls": "fail"}, "fail")],
)  # fmt: skip
def test_what_follows_is_no_better_than_the_worst_it_stands_on(
    province: Province, change: dict[str, Verdict], expected: Verdict
) -> None:
    standing: dict[str, Verdict] = dict.fromkeys(requirements()["C37-3.1a"].follows_from, "pass")
    found = verdict(province, "th-suoi-mo", "C37-3.1a", standing | change)
    assert found.verdict == expected
    for name in change:
        assert expected == "pass" or change[name] != expected or name in found.evidence[-1]


def test_what_stands_on_an_attestation_is_attested_and_not_passed(province: Province) -> None:
    names = requirements()["C37-15.1"].follows_from
    standing: dict[str, Verdict] = dict.fromkeys(names, "pass")
    assert verdict(province, "th-suoi-mo", "C37-15.1", standing).verdict == "pass"
    assert verdict(province, "th-suoi-mo", "C37-15.1", standing | {"C37-4.3.2": "attested"}).verdict == "attested"
    assert verdict(province, "so", "C37-15.1", standing).verdict == "not-applicable"


def test_nothing_follows_where_nothing_was_seen(province: Province) -> None:
    assert verdict(province, "th-suoi-mo", "C37-3.1a", {}).verdict == "not-tested"


FOLLOWING = {id: row for id, row in requirements().items() if row.follows_from}
BETTER: dict[Verdict, int] = {"fail": 0, "not-tested": 1, "attested": 2, "pass": 3}


@settings(max_examples=60)
@given(data=st.data(), id=st.sampled_from(sorted(FOLLOWING)))
def test_nothing_that_follows_is_better_than_its_sources_whoever_attests_it(
    province: Province, data: st.DataObject, id: str
) -> None:
    sources = FOLLOWING[id].follows_from
    found = {name: data.draw(st.sampled_from(sorted(BETTER))) for name in data.draw(st.sets(st.sampled_from(sources)))}
    attested = data.draw(st.sets(st.sampled_from([id, *sources]), min_size=1))
    said = Attestation(
        requirements=tuple(sorted(attested)),
        units=("th-suoi-mo",),
        by="Nguyễn Văn Bằng",
        on=province.today,
        until=province.today,
        document="12/QĐ-THSM",
        sha256="ab" * 32,
    )
    findings = [Finding("th-suoi-mo", name, verdict, ("seen",)) for name, verdict in found.items()]
    result = complete(province.model_copy(update={"attestations": (said,)}), ["th-suoi-mo"], findings)
    verdicts = {finding.requirement: finding.verdict for finding in result}
    binding = [BETTER[verdicts[name]] for name in sources if verdicts[name] != "not-applicable"]
    assert BETTER[verdicts[id]] == min(binding)
