"""Evidence has no addresses of people, and keeps those of units."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.privacy import Veil
from edumail.circular.verdicts import Finding
from edumail.cli.audit import Answers, judge
from edumail.model import Former, Province
from tests.circular import conftest as asked


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


@pytest.mark.parametrize("seen", ["cuasau@thptsongque.test", "CuaSau+x@thptsongque.test", "cuasau@thptson", "cuasau@"])
def test_whoever_is_nobody_s_may_be_somebody(province: Province, seen: str) -> None:
    """A mailbox that nobody asks for is often that of somebody who left: its domain says enough."""
    said = Veil(province)(f"surplus: {seen}")
    assert said == f"surplus: [không rõ của ai / nobody known]@{seen.partition('@')[2]}"


def test_what_a_unit_uses_is_told(province: Province) -> None:
    """Its mailboxes, sections, groups and the names of RFC 2142, cut or not, and whatever is outside."""
    line = (
        "vanthu@thptsongque.test to-toantin@thptsongque.test toantruong@thptsongque.test lanhdao@thptsongque.test"
        " abuse@thptsongque.test postmaster@ vanthu@thpt audit@kiemtra.invalid someone@mail.thptsongque.test"
    )
    assert Veil(province)(line) == line


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


def test_the_auditor_s_own_address_outside_is_nobody_s_to_read(province: Province) -> None:
    veil = Veil(province, "Kiemtra@ngoai.test")
    said = "→ kiemtra@ngoai.test: bounced mx.ngoai.test: <kiemtra+audit@ngoai.test>: unknown; lienhe@ngoai.test"
    auditor = "[người kiểm tra / the auditor]"
    assert veil(said) == f"→ {auditor}: bounced mx.ngoai.test: <{auditor}>: unknown; lienhe@ngoai.test"


def test_why_a_question_stayed_open_names_no_person_and_not_the_auditor(province: Province) -> None:
    veil = Veil(province, "kiemtra@ngoai.test")
    person = province.people[0].address
    error = SimpleNamespace(
        errisinstance=lambda kind: False, typename="AuditError", value=f"{person}, kiemtra@ngoai.test: later"
    )
    stash = {asked.UNREACHABLE: {}, asked.INCOMPLETE: [], asked.OPEN: []}
    item: Any = SimpleNamespace(
        name="test_x", config=SimpleNamespace(stash=stash), funcargs={"audit": SimpleNamespace(veil=veil)}
    )
    item.iter_markers = lambda name: []
    hook: Any = asked.pytest_runtest_makereport(item, SimpleNamespace(excinfo=error, when="call"))  # type: ignore[arg-type]
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(SimpleNamespace(get_result=lambda: SimpleNamespace(failed=True)))
    (said,), (left,) = stash[asked.INCOMPLETE], stash[asked.OPEN]
    assert said.endswith("[người kiểm tra / the auditor]: later")
    assert "@" not in said + left["why"]
