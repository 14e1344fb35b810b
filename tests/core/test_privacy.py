"""Evidence has no addresses of people, and keeps those of units."""

from __future__ import annotations

import pytest

from edumail.circular.privacy import Veil
from edumail.circular.verdicts import Finding
from edumail.cli.audit import Answers, judge
from edumail.model import Former, Province


def test_people_are_told_by_id_and_post_and_units_by_address(province: Province) -> None:
    veil = Veil(province)
    line = "found with dungpa@thptsongque.test, Phuctd@thptsongque.test; lienhe@thptsongque.test. audit@kiemtra.invalid"
    said = veil(line)
    assert said == (
        "found with [sq-06 Giáo viên, Phụ trách CNTT], [sq-01 Hiệu trưởng]; lienhe@thptsongque.test."
        " audit@kiemtra.invalid"
    )
    assert veil(said) == said


def test_nobody_of_the_province_is_told_by_address(province: Province) -> None:
    veil = Veil(province)
    for person in province.people:
        assert person.address not in veil(f"RCPT {person.address}: 250")


@pytest.mark.parametrize(
    "as_seen", ["dungpa+hop@thptsongque.test", "DungPA@THPTsongque.test", "dungpa@thptsong", "dungpa@"]
)
def test_a_sub_address_and_one_that_was_cut_are_still_a_person_s(province: Province, as_seen: str) -> None:
    assert Veil(province)(f"no: {as_seen}") == "no: [sq-06 Giáo viên, Phụ trách CNTT]"


def test_what_may_be_one_of_several_is_nobody_s_in_particular(province: Province) -> None:
    people = [province.people[0].model_copy(update={"id": f"x-{n}", "address": f"an@{n}.test"}) for n in "ab"]
    veil = Veil(province.model_copy(update={"people": (*province.people, *people)}))
    assert veil("no: an@") == "no: [của ai đó / somebody's]"
    assert veil("no: ...an@b.test").startswith("no: ...[x-b")


def test_an_address_that_was_packed_is_not_told(province: Province) -> None:
    said = Veil(province)("MAIL FROM:<SRS0=aB1=xy=thptsongque.test=dungpa@mail.minhha.test>: 250")
    assert said == "MAIL FROM:<[gói / packed]@mail.minhha.test>: 250"


def test_an_old_address_is_its_owner_s_and_a_unit_s_stays(province: Province) -> None:
    former = [
        Former(address="pad@cu.test", to="dungpa@thptsongque.test", until=province.today),
        Former(address="truong@cu.test", to="lienhe@thptsongque.test", until=province.today),
    ]
    said = Veil(province.model_copy(update={"former": tuple(former)}))("pad@cu.test truong@cu.test")
    assert said == "[sq-06 Giáo viên, Phụ trách CNTT] truong@cu.test"


def test_no_word_of_an_audit_leaves_with_a_person_s_address(province: Province) -> None:
    """Not what a check saw, not why it broke and left its question open, not why the run is incomplete."""
    person = "dungpa@thptsongque.test"
    host = province.units["thpt-song-que"].host
    answers = Answers(
        found=[Finding("thpt-song-que", "C37-4.3.1", "fail", (f"surplus: {person}",), host)],
        incomplete=[f"test_a: AuditError: nobody looked into {person}", f"pytest ended with 2: {person}"],
        asked=["C37-4.3.1", "C37-4.3.3"],
        reasons={(host, "C37-4.3.3"): f"the check broke: AuditError: {person}: who holds this mailbox"},
    )
    findings, incomplete = judge(province, [host], answers)
    said = [line for finding in findings for line in finding.evidence] + incomplete
    assert sum("[sq-06 " in line for line in said) == 4
    assert not [line for line in said if "dungpa" in line]
