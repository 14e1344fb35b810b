"""The table of faults is sound before any is seeded: enough of them, known requirements, units of the judged host."""

from __future__ import annotations

from pathlib import Path

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.load import load
from edumail.model import Province
from tests.core.test_catalogue import checked
from tests.mutation.fault import EVERY, MANAGED, UNITS, Edit, Fault
from tests.mutation.faults import FAULTS
from tests.mutation.faults_hosts import FAULTS as OF_HOSTS
from tests.mutation.faults_mail import FAULTS as OF_MAIL
from tests.mutation.faults_portal import FAULTS as OF_PORTALS
from tests.mutation.run import INVENTORY, copied, over, verdicts, worse

WITHOUT: dict[str, str] = {}
"""Checks that no fault can turn red, and why."""


def test_there_are_a_hundred_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) == len(OF_MAIL) + len(OF_PORTALS) + len(OF_HOSTS) >= 100


def test_each_breaks_something_and_says_what_must_turn() -> None:
    for name, fault in FAULTS.items():
        assert fault.edits or fault.broken != "true", name
        assert set(fault.red) <= {unit for host in fault.judged for unit in UNITS[host]}, name
        assert any(fault.red.values()), name
        assert {id for ids in fault.red.values() for id in ids} <= set(requirements()), name


def test_what_must_turn_binds_the_unit(province: Province) -> None:
    for name, fault in FAULTS.items():
        for unit, ids in fault.red.items():
            kind = province.kinds[province.units[unit].kind]
            bound = (requirements()[id] for id in ids)
            # What the Ministry sends has to be taken all the same.
            assert all(row.applies_to(kind) or "Ministry" in row.binds for row in bound), name


def test_what_may_reach_units_of_other_hosts_is_judged_on_all() -> None:
    for name, fault in FAULTS.items():
        assert not fault.spreads or fault.judged == EVERY, name
    spreading = {name for name, fault in FAULTS.items() if fault.spreads}
    assert {"port 25 without TLS", "a wrong TLSA record", "an attestation that is withdrawn"} <= spreading
    assert "a department without its structure" not in spreading


def test_every_check_is_turned_red_by_some_fault() -> None:
    turned = {requirement for fault in FAULTS.values() for ids in fault.red.values() for requirement in ids}
    assert checked() - turned == set(WITHOUT)
    assert all(WITHOUT.values())


def test_what_an_auditor_s_copy_says_otherwise_can_be_read(tmp_path: Path) -> None:
    for number, fault in enumerate(fault for fault in FAULTS.values() if fault.edits):
        assert load(copied(INVENTORY, tmp_path / str(number), fault)).units


def test_the_hosts_of_the_table_are_those_of_the_lab(province: Province) -> None:
    assert {host: {*units} for host, units in UNITS.items()} == {
        host: {unit.id for unit in province.units.values() if unit.host == host} for host in province.hosts
    }


def everything(province: Province, verdict: Verdict) -> dict[tuple[str, str], Verdict]:
    return {(unit, name): verdict for unit in province.units for name in requirements()}


def test_what_follows_is_expected_too_but_not_what_was_no_better(province: Province) -> None:
    fault = Fault({"thpt-song-que": {"C37-S39-tls"}}, "tls", "break it", managed=True)
    expected = {("thpt-song-que", name) for name in ("C37-S39-tls", "C37-3.1a", MANAGED)}
    assert fault.expected(everything(province, "pass")) == expected
    withdrawn = Fault({"so": {"C37-4.3.2"}}, "x", edits=(Edit("a", "b", "c"),), turns="not-tested")
    assert withdrawn.expected(everything(province, "attested")) == {("so", "C37-4.3.2"), ("so", "C37-15.1")}
    assert withdrawn.expected(everything(province, "not-tested")) == {("so", "C37-4.3.2")}
    beside = everything(province, "attested") | {("so", "C37-15.1"): "not-applicable"}
    assert withdrawn.expected(beside) == {("so", "C37-4.3.2")}


def test_what_was_asked_again_replaces_what_was_said_and_only_worse_counts(province: Province) -> None:
    before = [Finding("so", "C37-4.1", "pass", ("a",)), Finding("so", "C37-5.3", "fail", ("b",))]
    found = [Finding("so", "C37-4.1", "fail", ("c",)), Finding("so", "C37-5.3", "pass", ("d",))]
    after = over(before, found)
    assert [one.evidence for one in after] == [("c",), ("d",)]
    assert worse(verdicts(province, before), verdicts(province, after)) == {("so", "C37-4.1")}
    said = {finding.requirement: finding.verdict for finding in complete(province, ["so"], after)}
    assert (said["C37-4.1"], said["C37-5.3"]) == ("fail", "pass")
