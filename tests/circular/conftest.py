"""Shared by all articles: one audit for the session, and the record of verdicts.

``pytest tests/circular --inventory inventories/PROVINCE [--hosts=ssh://auditor@HOST] [--verdicts FILE]``
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest

from edumail.circular.verdicts import Finding, Verdict, as_json
from edumail.load import load
from edumail.model import Province, Unit
from edumail.problems import InventoryError
from roles.common.paths import has_mail
from tests.circular.audit import SAMPLE, Audit, AuditError, brief
from tests.circular.host import shut_on_the_way
from tests.circular.journal import Journal, about
from tests.circular.survey import Ask, Question, Survey

INVENTORY = pytest.StashKey[Path]()
FINDINGS = pytest.StashKey[list[Finding]]()
INCOMPLETE = pytest.StashKey[list[str]]()
UNREACHABLE = pytest.StashKey[dict[str, str]]()
OPEN = pytest.StashKey[list[dict[str, Any]]]()
ASKED = pytest.StashKey[set[str]]()
PAGES = pytest.StashKey[set[str]]()
"""Of the requirements that were asked for, those that are asked of the server of a unit's page."""
TURNS = frozenset({"on", "serving"})
CHECKS = pytest.StashKey[dict[str, dict[str, Any]]]()
"""By test: what it says of itself and which requirements it answers, for whoever reads the report."""
JOURNAL = pytest.StashKey[Journal]()
GONE_ON = pytest.StashKey[int]()
"""How many questions an earlier run that was cut had answered."""
MINE = pytest.StashKey[list[Finding]]()
Record = Callable[[str, str, Verdict, list[str]], None]
Answers = Iterator[tuple[Unit, Any]]
NOT_REACHED = "không kết nối được / was not reached"
FEW = 20
"""Units that are asked so soon that nobody needs to hear how far it is."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("edumail")
    group.addoption("--inventory", default=os.environ.get("EDUMAIL_INVENTORY", "inventories/lab"), help="the province")
    group.addoption("--verdicts", help="write all findings to this JSON file")
    group.addoption("--journal", help="keep answers in this file as they come, and do not ask again what is in it")
    group.addoption(
        "--sample",
        type=int,
        default=SAMPLE,
        help="of each host, how many units are asked what takes seconds for each; 0: all",
    )
    group.addoption("--outside", help="your own address outside the province: proves that mail leaves it (C37-4.1)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[INVENTORY] = Path(config.getoption("--inventory"))
    config.stash[FINDINGS] = []
    config.stash[INCOMPLETE] = []
    config.stash[UNREACHABLE] = {}
    config.stash[OPEN] = []
    config.stash[ASKED] = set()
    config.stash[PAGES] = set()
    config.stash[CHECKS] = {}
    path = config.getoption("--journal")
    words = [str(config.getoption(name)) for name in ("--hosts", "--outside", "--sample")] if path else []
    subject = about(config.stash[INVENTORY], words, datetime.now(UTC).date()) if path else ""
    config.stash[JOURNAL] = Journal(Path(path) if path else None, subject)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``serving`` is each judged host, ``on`` each that has mail; without ``--hosts`` all are judged."""
    if not TURNS & set(metafunc.fixturenames):
        return
    given = metafunc.config.getoption("--hosts")
    try:
        province = _province(metafunc.config.stash[INVENTORY])
    except InventoryError as error:
        raise pytest.UsageError("\n".join(problem.text("en") for problem in error.problems)) from None
    names = [word.rpartition("@")[2].rpartition("/")[2] for word in given.split(",")] if given else list(province.hosts)
    unknown = sorted(set(names) - set(province.hosts))
    if unknown:
        raise pytest.UsageError(f"not in the inventory: {', '.join(unknown)}")
    turns = {"serving": names, "on": [name for name in names if has_mail(province.hosts[name])]}
    for turn in TURNS & set(metafunc.fixturenames):
        metafunc.parametrize(turn, turns[turn], scope="session")


@lru_cache(1)
def _province(folder: Path) -> Province:
    """Read once for all tests: a province takes seconds."""
    return load(folder)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A question that there is no judged host for is known, and not asked."""
    config.stash[ASKED] = {name for item in items for name in _requirements(item)}
    config.stash[PAGES] = {name for item in items if "serving" in item.fixturenames for name in _requirements(item)}
    for item in items:
        test = item.nodeid.partition("[")[0]
        about = (getattr(item, "function", item).__doc__ or "").strip().partition("\n")[0]
        check = config.stash[CHECKS].setdefault(test, {"test": test, "about": about, "requirements": []})
        check["requirements"] += [name for name in _requirements(item) if name not in check["requirements"]]
    items[:] = [item for item in items if _host(item) or not TURNS & set(item.fixturenames)]
    answered = config.stash[JOURNAL].answered
    for item in items:
        config.stash[FINDINGS] += answered.get(item.nodeid, ())
    items[:] = [item for item in items if item.nodeid not in answered]
    config.stash[GONE_ON] = len(answered)


@pytest.fixture(scope="session")
def audit(request: pytest.FixtureRequest) -> Iterator[Audit]:
    """The audit of all hosts, closed at the end whatever happens."""
    asked: dict[str, frozenset[str]] = {}
    for item in request.session.items:
        asked[_host(item)] = asked.get(_host(item), frozenset()).union(_requirements(item))
    option = request.config.getoption
    folder = request.config.stash[INVENTORY]
    audit = Audit(folder, _province(folder), frozenset(asked), option("--sample"), asked, option("--outside"))
    audit.network.shut = partial(shut_on_the_way, audit)
    judged = audit.judged
    try:
        audit.open(request.config.getoption("--ssh-config"))
        unreachable = {name: why for name, why in audit.unreachable.items() if name in judged}
        request.config.stash[UNREACHABLE] = unreachable
        request.config.stash[INCOMPLETE] += [f"{name}: {NOT_REACHED}: {why}" for name, why in unreachable.items()]
        yield audit
    finally:
        audit.close()


@pytest.fixture(scope="session")
def survey(request: pytest.FixtureRequest, audit: Audit) -> Survey:
    """What the tests of this run ask of each unit alone."""
    questions = [question for item in request.session.items for question in _questions(item)]
    return Survey(audit, questions, _heard)


@pytest.fixture
def of_pages(request: pytest.FixtureRequest, survey: Survey, serving: str) -> Answers:
    """The answers to the test's :func:`each_unit` question, of each unit whose page is asked for on this turn."""
    return survey.answers(_questions(request.node)[0])


@pytest.fixture
def of_units(request: pytest.FixtureRequest, survey: Survey, on: str) -> Answers:
    """The answers to the test's :func:`each_unit` question, of each unit whose mailboxes are on this host."""
    return survey.answers(_questions(request.node)[0])


def each_unit(ask: Ask) -> pytest.MarkDecorator:
    """The question that a test puts to each unit on a host's turn; it comes with ``of_pages`` or ``of_units``."""
    return pytest.mark.each_unit.with_args(ask)


def each(requirement: str, ask: Ask) -> Any:
    """A parameter of a test: a requirement, and the question to each unit that answers it."""
    marks = [pytest.mark.requirement(requirement), each_unit(ask)]
    return pytest.param(requirement, marks=marks, id=requirement)


def _questions(item: pytest.Item) -> list[Question]:
    """The question that a test puts to each unit, if it does."""
    turn = "serving" if "serving" in getattr(item, "fixturenames", ()) else "on"
    asks = [mark.args[0] for mark in item.iter_markers("each_unit")]
    return [Question(ask, _host(item), turn, tuple(_requirements(item))) for ask in asks]


def _heard(host: str, done: int, units: int) -> None:
    """A line now and then while units are asked, when someone watches."""
    if os.environ.get("EDUMAIL_PROGRESS") and units > FEW and (done % FEW == 0 or done == units):
        print(f"  {host}: {done}/{units}", file=sys.__stderr__, flush=True)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Say a verdict. The test fails in the end with all the fails it recorded, so that no unit hides another."""
    failed: list[str] = []
    request.node.stash[MINE] = []
    audit = request.getfixturevalue("audit")

    def say(unit: str, requirement: str, verdict: Verdict, evidence: list[str]) -> None:
        gap = audit.gap(unit, verdict, evidence)
        evidence = [audit.veil(line) for line in evidence]
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        finding = Finding(unit, requirement, verdict, tuple(evidence), _host(request.node), at, gap)
        request.config.stash[FINDINGS].append(finding)
        request.node.stash[MINE].append(finding)
        if verdict == "fail":
            failed.append(f"{unit} {requirement}: {'; '.join(evidence)}")

    yield say
    assert not failed, "\n".join(failed)


def drawn(audit: Audit, units: Iterable[Unit], record: Record, *requirements: str) -> Iterator[Unit]:
    """Those of ``units`` that are asked what takes seconds for each; of the others it is said that they were not."""
    for unit in units:
        if left_out := audit.left_out(unit):
            for requirement in requirements:
                record(unit.id, requirement, "not-tested", [left_out])
        else:
            yield unit


@pytest.fixture(autouse=True)
def _progress(request: pytest.FixtureRequest) -> None:
    """A line for each question and host when someone watches (``edumail verify``)."""
    if os.environ.get("EDUMAIL_PROGRESS"):
        items = request.session.items
        before = request.config.stash[GONE_ON]
        number = f"[{before + items.index(request.node) + 1}/{before + len(items)}]"
        names = ", ".join(_requirements(request.node))
        print(f"  {number} {_host(request.node)}: {names}", file=sys.__stderr__, flush=True)


@pytest.fixture(autouse=True)
def _reached(request: pytest.FixtureRequest, _progress: None) -> None:
    """A host that lets no auditor in is not judged from its closed doors: its questions stay open."""
    if "audit" in request.fixturenames:
        why = request.getfixturevalue("audit").unreachable.get(_host(request.node))
        if why is not None:
            raise AuditError(f"{_host(request.node)}: {NOT_REACHED}: {why}")


def _host(item: pytest.Item) -> str:
    """The host that a test is about; empty when it is about none."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return next((params[turn] for turn in TURNS if isinstance(params.get(turn), str)), "")


def _requirements(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("requirement") for name in mark.args]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A check that broke (rather than found something) leaves its question open: the run is then incomplete."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    broke = call.excinfo is not None and not call.excinfo.errisinstance(AssertionError)
    if call.when == "call" and not broke:
        item.config.stash[JOURNAL].add(item.nodeid, item.stash.get(MINE, []))
    if report.failed and call.excinfo is not None and broke:
        host, stash = _host(item), item.config.stash
        why = stash[UNREACHABLE].get(host)
        if why is None:
            veil = item.funcargs["audit"].veil if "audit" in getattr(item, "funcargs", {}) else str
            why = veil(brief(f"{call.excinfo.typename}: {call.excinfo.value}"))
            stash[INCOMPLETE].append(f"{item.name}: {why}")
            why = f"phép kiểm tra bị hỏng / the check broke: {why}"
        else:
            why = f"{host}: {NOT_REACHED}: {why}"
        stash[OPEN].append({"host": host, "requirements": _requirements(item), "why": why})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[GONE_ON] and not session.items:
        session.exitstatus = pytest.ExitCode.OK  # all was asked before
    path = session.config.getoption("--verdicts")
    if path:
        findings = as_json(session.config.stash[FINDINGS])
        content = {
            "findings": findings,
            "incomplete": session.config.stash[INCOMPLETE],
            "asked": sorted(session.config.stash[ASKED]),
            "pages": sorted(session.config.stash[PAGES]),
            "open": session.config.stash[OPEN],
            "checks": list(session.config.stash[CHECKS].values()),
        }
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
