"""Questions about one unit alone, put to many units at once.

A few processes take a unit each: they read its pages once, answer every question about them and forget the pages, so
that an audit holds in memory what a few units publish and not what a province does.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from edumail.circular.catalogue import requirements
from edumail.model import Unit
from tests.circular.audit import Audit, AuditError
from tests.circular.portal import Home, Reading, forget, home, reading

Ask = Callable[[Reading], Any]
PROCESSES = min(8, 2 * (os.cpu_count() or 1))
"""More than cores, since they mostly wait for answers; few, since the host that answers has others to serve."""


@dataclass(frozen=True)
class Question:
    """A question that a test puts to each unit on a host's turn, and the requirements that its answers serve."""

    ask: Ask
    host: str
    turn: str
    """``serving``: units whose page is asked for on this host's turn; ``on``: units whose mailboxes it has."""
    requirements: tuple[str, ...]

    def units(self, audit: Audit) -> list[Unit]:
        """The units that it is put to: those that one of the requirements binds."""
        units = audit.pages(self.host) if self.turn == "serving" else audit.units(self.host)
        bound = [requirements()[name] for name in self.requirements]
        kinds = audit.province.kinds
        return [unit for unit in units if any(one.applies_to(kinds[unit.kind]) for one in bound)]


@dataclass(frozen=True)
class Broke:
    """What stands in the place of an answer when a question could not be put."""

    why: str


class Survey:
    """The answers to ``questions``; all those of a host are found out when the first of them is asked for.

    ``heard`` is told how many units of how many have answered.
    """

    def __init__(self, audit: Audit, questions: Iterable[Question], heard: Callable[[str, int, int], None]):
        self.audit = audit
        self.questions = tuple(dict.fromkeys(questions))
        self.heard = heard
        self._answers: dict[tuple[Question, str], Any] = {}
        self._asked: dict[str, str] = {}
        """Each host that was asked, with what kept its units from answering: they are not asked again."""

    def answers(self, question: Question) -> Iterator[tuple[Unit, Any]]:
        """Each unit with its answer. Raises AuditError at the end, where the question could not be put to some."""
        if question.host not in self._asked:
            try:
                self._ask(question.host)
                self._asked[question.host] = ""
            except BrokenProcessPool as error:
                self._asked[question.host] = (
                    f"tiến trình hỏi các đơn vị của {question.host} đã chết"
                    f" / a process that asked {question.host}'s units died: {error}"
                )
        if why := self._asked[question.host]:
            raise AuditError(why)
        broke = []
        for unit in question.units(self.audit):
            answer = self._answers[question, unit.id]
            if isinstance(answer, Broke):
                broke.append(f"{unit.id}: {answer.why}")
            else:
                yield unit, answer
        if broke:
            raise AuditError("; ".join(broke))

    def _ask(self, host: str) -> None:
        mine = [question for question in self.questions if question.host == host]
        work: dict[str, list[int]] = {}
        for number, question in enumerate(mine):
            for unit in question.units(self.audit):
                work.setdefault(unit.id, []).append(number)
        with _processes(self.audit, mine, len(work)) as pool:
            running = {pool.submit(_answer, unit, numbers): unit for unit, numbers in work.items()}
            for done, future in enumerate(as_completed(running), 1):
                unit = running[future]
                answers, seen = future.result()
                self._answers |= {(mine[number], unit): answer for number, answer in answers.items()}
                if seen:
                    self.audit.homes[unit] = seen
                self.heard(host, done, len(work))


_work: tuple[Audit, list[Question]]


@contextlib.contextmanager
def _processes(audit: Audit, questions: list[Question], units: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have audit and questions from this one's memory, until the end of the block."""
    global _work
    _work = (audit, questions)
    gc.freeze()  # what is not touched is not copied
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(
        min(PROCESSES, max(1, units)), mp_context=context, initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)  # waits for these alone, and not for the units that they had before them
        raise
    pool.shutdown()


def _begin(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the run
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _work[0].network.own()


def _end_with(parent: int) -> None:
    """A parent that was killed can't tell its children to end."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(unit: str, numbers: list[int]) -> tuple[dict[int, Any], Home | None]:
    """The answers of one unit, and its home page where a question needed it."""
    audit, questions = _work
    about = reading(audit, audit.province.units[unit])
    answers: dict[int, Any] = {}
    seen: Home | None = None
    for number in numbers:
        try:
            answers[number] = questions[number].ask(about)
        except Exception as error:  # one question that breaks takes no other with it
            answers[number] = Broke(f"{type(error).__name__}: {error}"[:300])
    with contextlib.suppress(Exception):  # whoever needs it asks again, and breaks alone
        seen = home(about) if about.portal.has("/") else None
    forget(audit, about)
    return answers, seen
