"""Questions to each unit, in processes: every unit answers, one that breaks takes no other along, nothing is kept."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edumail.circular.catalogue import requirements
from edumail.load import load
from edumail.portal.load import Contents
from tests.circular import survey as survey_of
from tests.circular.audit import Audit, AuditError
from tests.circular.mailed import Undecided
from tests.circular.portal import Reading, home
from tests.circular.survey import Question, Survey

ROOT = Path(__file__).parents[2]
HOST = "mail-xa"
ALL = {"vhxh-suoi-mo", "th-suoi-mo", "thcs-suoi-mo"}


class Pages(SimpleNamespace):
    """A network in which every page is the same."""

    def own(self) -> None:
        """Nothing is shared."""

    def https(self, host: str, path: str = "/", form: object = None) -> tuple[Any, bytes]:
        body = f"<header>{host}</header><a href='mailto:a@{host}'>a</a>".encode()
        return SimpleNamespace(status=200, getheaders=list), body


@pytest.fixture
def audit() -> Any:
    folder = ROOT / "inventories" / "lab"
    province = load(folder)

    class Fake(SimpleNamespace):
        pages, units, bound = Audit.pages, Audit.units, Audit.bound

    return Fake(
        province=province,
        judged=frozenset(province.hosts),
        network=Pages(),
        contents=Contents(folder, province),
        kept={},
        homes={},
    )


def question(ask: Callable[[Reading], Any], requirement: str = "C37-2.1", turn: str = "serving") -> Question:
    return Question(ask, HOST, turn, (requirement,))


def quiet(host: str, done: int, units: int) -> None:
    """Nobody listens."""


def test_every_unit_that_is_bound_answers_and_nothing_is_kept(audit: Any) -> None:
    asked = [question(lambda reading: (reading.unit.id, os.getpid())), question(lambda _: 1, "C37-9.2")]
    survey = Survey(audit, asked, quiet)
    answers = {unit.id: answer for unit, answer in survey.answers(asked[0])}
    assert {unit: said for unit, (said, _) in answers.items()} == {unit: unit for unit in ALL}
    assert os.getpid() not in {process for _, process in answers.values()}
    schools = {unit.id for unit, _ in survey.answers(asked[1])}
    kinds = {unit: audit.province.kinds[audit.province.units[unit].kind] for unit in ALL}
    assert schools == {unit for unit in ALL if requirements()["C37-9.2"].applies_to(kinds[unit])} < ALL
    assert audit.kept == {}


def test_all_questions_of_a_host_are_asked_at_once(audit: Any) -> None:
    heard: list[tuple[str, int, int]] = []
    asked = [question(lambda _: 1), question(lambda _: 2, turn="on")]
    survey = Survey(audit, asked, lambda *said: heard.append(said))
    for one in asked:
        list(survey.answers(one))
    assert heard == [(HOST, done, len(ALL)) for done in range(1, len(ALL) + 1)]


def test_what_a_home_page_says_is_known_to_all(audit: Any) -> None:
    asked = question(lambda reading: reading.portal.page("/").status)
    assert dict.fromkeys(ALL, 200) == {unit.id: answer for unit, answer in Survey(audit, [asked], quiet).answers(asked)}
    assert {(home.title, home.mailto) for home in audit.homes.values()} == {
        (name, (f"a@{name}",)) for name in (audit.province.units[unit].portal for unit in ALL)
    }


def test_a_question_that_breaks_takes_no_other_with_it(audit: Any) -> None:
    def breaks(reading: Reading) -> None:
        if reading.unit.id == "th-suoi-mo":
            raise ZeroDivisionError("nothing")

    asked = [question(breaks), question(lambda _: "fine")]
    survey = Survey(audit, asked, quiet)
    undecided = Undecided()
    heard = undecided.heard(survey.answers(asked[0]))
    assert {unit.id for unit, _ in heard} == ALL - {"th-suoi-mo"}, "nor another unit"
    with pytest.raises(AuditError, match="th-suoi-mo: ZeroDivisionError: nothing"):
        undecided.tell()
    assert {answer for _, answer in survey.answers(asked[1])} == {"fine"}


def test_who_stops_an_audit_waits_for_no_unit(audit: Any) -> None:
    def slow(reading: Reading) -> None:
        time.sleep(60)

    def stopped(host: str, done: int, units: int) -> None:
        raise KeyboardInterrupt

    asked = [question(slow), question(lambda _: 1, "C37-9.2")]
    quick = Survey(audit, [question(lambda _: 1)], stopped)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(quick.answers(quick.questions[0]))
    survey = Survey(audit, asked, quiet)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(survey.answers(asked[0]))
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_leaves_the_questions_open_and_the_host_is_asked_once(
    audit: Any, tmp_path: Path
) -> None:
    def dies(reading: Reading) -> None:
        (tmp_path / f"{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    asked = [question(dies), question(lambda _: 1, "C37-9.2")]
    survey = Survey(audit, asked, quiet)
    with pytest.raises(AuditError, match=f"asked {HOST}'s units died"):
        list(survey.answers(asked[0]))
    once = set(tmp_path.iterdir())
    for one in asked:
        with pytest.raises(AuditError, match="died"):
            list(survey.answers(one))
    assert set(tmp_path.iterdir()) == once


def test_a_home_page_that_breaks_breaks_no_other_unit(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(reading: Reading) -> Any:
        if reading.unit.id == "th-suoi-mo":
            raise ZeroDivisionError("nothing")
        return home(reading)

    monkeypatch.setattr(survey_of, "home", breaks)
    asked = question(lambda reading: reading.portal.page("/").status)
    assert {unit.id for unit, _ in Survey(audit, [asked], quiet).answers(asked)} == ALL
    assert audit.homes.keys() == ALL - {"th-suoi-mo"}
