"""The table of faults is sound before any is seeded: enough of them, known requirements, units of the judged host."""

from __future__ import annotations

from pathlib import Path

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.load import load
from edumail.model import Province
from tests.core.test_catalogue import checked
from tests.mutation.fault import EVERY, MANAGED, UNITS, Fault, Verdicts, expected, verdicts
from tests.mutation.faults import FAULTS
from tests.mutation.faults_hosts import FAULTS as OF_HOSTS
from tests.mutation.faults_mail import FAULTS as OF_MAIL
from tests.mutation.faults_portal import FAULTS as OF_PORTALS
from tests.mutation.run import INVENTORY, compared, copied, over

THPT = "thpt-song-que"
NEVER_FAIL = {"C37-S39-dir": "a directory that answers is somebody else's: somebody has to look at it"}
"""Checks that no fault can turn to fail, and why; a fault turns them to not-tested."""


def test_there_are_a_hundred_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) == len(OF_MAIL) + len(OF_PORTALS) + len(OF_HOSTS) >= 100


def test_each_breaks_something_and_says_what_must_turn() -> None:
    for name, fault in FAULTS.items():
        assert fault.edits or fault.broken != "true", name
        assert {unit for unit, _ in fault.turns} <= {unit for host in fault.judged for unit in UNITS[host]}, name
        assert fault.turns, name
        assert {id for _, id in fault.turns} <= set(requirements()), name


def test_what_must_turn_binds_the_unit(province: Province) -> None:
    for name, fault in FAULTS.items():
        for unit, id in fault.turns:
            row = requirements()[id]
            # What the Ministry sends has to be taken all the same.
            assert row.applies_to(province.kinds[province.units[unit].kind]) or "Ministry" in row.binds, name


def test_what_may_reach_units_of_other_hosts_is_judged_on_all() -> None:
    for name, fault in FAULTS.items():
        assert not fault.spreads or fault.judged == EVERY, name
    spreading = {name for name, fault in FAULTS.items() if fault.spreads}
    assert {"port 25 without TLS", "a wrong TLSA record", "an attestation that is withdrawn"} <= spreading
    assert "a department without its structure" not in spreading


def test_every_check_is_turned_to_fail_by_some_fault_or_where_it_never_fails_to_not_tested() -> None:
    turned = [(id, verdict) for fault in FAULTS.values() for (_, id), verdict in fault.turns.items()]
    failed = {id for id, verdict in turned if verdict == "fail"}
    assert checked() - failed == NEVER_FAIL.keys() <= {id for id, verdict in turned if verdict == "not-tested"}


def test_what_an_auditor_s_copy_says_otherwise_can_be_read(tmp_path: Path) -> None:
    for number, fault in enumerate(fault for fault in FAULTS.values() if fault.edits):
        assert load(copied(INVENTORY, tmp_path / str(number), fault)).units


def test_the_hosts_of_the_table_are_those_of_the_lab(province: Province) -> None:
    assert {host: {*units} for host, units in UNITS.items()} == {
        host: {unit.id for unit in province.units.values() if unit.host == host} for host in province.hosts
    }


def test_what_follows_is_expected_too_as_the_catalogue_says(province: Province) -> None:
    fault = Fault({THPT: {"C37-S39-tls"}}, "tls", "break it", doubtful={THPT: {"C37-4.1"}}, managed=True)
    assert fault.turns == {(THPT, "C37-S39-tls"): "fail", (THPT, "C37-4.1"): "not-tested", (THPT, MANAGED): "fail"}
    before = verdicts(province, found(province, "pass"))
    wanted = expected(province, before, fault.turns)
    changed = {name: verdict for (_, name), verdict in wanted.items() if verdict != before[THPT, name]}
    follows = {"C37-3.1a": "fail", "C37-15.1": "not-tested"}
    assert changed == {"C37-S39-tls": "fail", "C37-4.1": "not-tested", MANAGED: "fail"} | follows
    assert expected(province, before, {}) == before


def test_what_nobody_attests_any_more_stays_so_in_what_is_expected(province: Province) -> None:
    before = verdicts(province, [])
    about = ("so", "C37-4.3.2")
    assert (before[about], expected(province, before, {about: "not-tested"})[about]) == ("attested", "not-tested")


def found(province: Province, verdict: Verdict) -> list[Finding]:
    return [Finding(unit, name, verdict, ("a",)) for unit in province.units for name in requirements()]


def test_a_verdict_that_is_another_than_declared_is_told_and_so_is_one_that_nobody_declared() -> None:
    one, two, other = ("so", "C37-2.1"), ("so", "C37-3.2"), ("so", "C37-4.1")
    before: Verdicts = {one: "pass", two: "not-tested", other: "not-tested"}

    def told(turns: Verdicts, after: Verdicts) -> tuple[list[str], list[str]]:
        return compared(before, {**before, **turns}, {**before, **after}, turns)

    assert told({one: "fail"}, {one: "fail"}) == ([], [])
    assert told({one: "fail"}, {one: "not-tested"}) == (["so C37-2.1: was pass, expected fail, came not-tested"], [])
    assert told({one: "fail"}, {one: "not-applicable"})[0]
    assert told({one: "fail"}, {})[0] == ["so C37-2.1: was pass, expected fail, came pass"]
    better = ["so C37-4.1: was not-tested, expected not-tested, came pass"]
    assert told({one: "fail"}, {one: "fail", other: "pass"}) == ([], better)
    assert told({two: "not-tested"}, {}) == (
        ["so C37-3.2: was not-tested, expected not-tested, came not-tested: nothing can turn"],
        [],
    )


def test_what_was_asked_again_replaces_what_was_said(province: Province) -> None:
    before = [Finding("so", "C37-4.1", "pass", ("a",)), Finding("so", "C37-5.3", "fail", ("b",))]
    again = [Finding("so", "C37-4.1", "fail", ("c",)), Finding("so", "C37-5.3", "pass", ("d",))]
    after = over(before, again)
    assert [one.evidence for one in after] == [("c",), ("d",)]
    said = {finding.requirement: finding.verdict for finding in complete(province, ["so"], after)}
    assert (said["C37-4.1"], said["C37-5.3"]) == ("fail", "pass")
