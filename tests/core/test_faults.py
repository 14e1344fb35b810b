"""The table of faults is sound before any is seeded: enough of them, known requirements, units of the judged host."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.load import load
from edumail.model import Province
from edumail.units import Units
from tests.core.test_catalogue import checked
from tests.mutation import run
from tests.mutation.fault import EVERY, EVERYBODY, GATEWAY, MANAGED, UNITS, Fault, Verdicts, expected, verdicts
from tests.mutation.faults import FAULTS
from tests.mutation.faults_hosts import FAULTS as OF_HOSTS
from tests.mutation.faults_mail import FAULTS as OF_MAIL
from tests.mutation.faults_mail import SENDERS_ABROAD
from tests.mutation.faults_portal import FAULTS as OF_PORTALS
from tests.mutation.run import INVENTORY, Broken, Outcome, as_before, compared, copied, headline, main, over, sound

THPT = "thpt-song-que"
NEVER_FAIL = {
    "C37-S39-dir": "a directory that answers is somebody else's: somebody has to look at it",
}
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


def test_who_writes_to_the_internet_is_whom_the_policy_lets(province: Province) -> None:
    units = Units(province)
    letting = [unit.id for unit in province.units.values() if units.policies(unit).external_sending != "province"]
    assert sorted(SENDERS_ABROAD) == sorted(letting)


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


def test_a_file_of_the_gateway_is_everybody_s_and_one_of_another_host_its_own_units() -> None:
    def red(**where: Any) -> set[str]:
        return {unit for unit, _ in Fault({}, "", "break it", managed=True, **where).turns}

    assert red(at=GATEWAY, on=EVERY) == set(EVERYBODY)
    assert red(at=GATEWAY) == set(UNITS[GATEWAY])
    assert red(on=EVERY) == {THPT}


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


CAUGHT, MISSED = Outcome([], [], 2, 5, "a"), Outcome(["so C37-2.1: …"], ["so C37-3.2: …"], 1, 5, "a")


def test_a_whole_audit_that_says_something_else_than_at_the_beginning_ends_the_run() -> None:
    before: Verdicts = {("so", "C37-4.1"): "pass"}
    as_before(before, dict(before))
    with pytest.raises(Broken, match=r"so C37-4\.1: was pass, expected pass, came not-tested"):
        as_before(before, {("so", "C37-4.1"): "not-tested"})


def test_an_audit_of_a_sound_lab_that_fails_is_no_baseline() -> None:
    fine, wrong = Finding("so", "C37-4.1", "pass", ("a",)), Finding("so", "C37-5.3", "fail", ("b",))
    assert sound([fine]) == [fine]
    with pytest.raises(Broken, match=r"so C37-5\.3"):
        sound([fine, wrong])


def test_only_what_was_caught_on_this_very_commit_is_not_seeded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught, missed, older, *new = FAULTS
    rows = {caught: CAUGHT, missed: MISSED, older: replace(CAUGHT, commit="b")}
    state = tmp_path / "state.json"
    state.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}))
    seeded: list[Fault] = []

    def judge(fault: Fault, baseline: list[Finding]) -> Outcome:
        seeded.append(fault)
        return replace(CAUGHT, commit="")

    monkeypatch.setattr(run, "STATE", state)
    monkeypatch.setattr(run, "TABLE", tmp_path / "table.md")
    monkeypatch.setattr(run, "commit_of", lambda folder: "a")
    monkeypatch.setattr(run, "audit", lambda inventory: [])
    monkeypatch.setattr(run, "judge", judge)
    assert main([]) == 0
    assert seeded == [FAULTS[name] for name in (missed, older, *new)]
    assert (tmp_path / "table.md").read_text().count("| caught |") == len(FAULTS)
    assert {row["commit"] for row in json.loads(state.read_text()).values()} == {"a"}


def test_the_table_says_on_which_commits_its_rows_are() -> None:
    assert (
        headline([CAUGHT, MISSED, replace(CAUGHT, commit="b")])
        == "3 seeded (2 on a, 1 on b), 2 caught, 1 false alarms."
    )


def test_where_there_is_no_commit_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    assert main([]) == 2
    assert "git không cho biết đang ở commit nào / git does not tell which commit this is: " in capsys.readouterr().err
