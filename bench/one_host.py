"""One host that carries a whole invented province: what its audit costs, and what one change of an account costs.

``python -m bench.one_host [UNITS …] [--audit SECONDS]`` (35 and 3500 units; an audit is cut after 7,200 s). For each
number of units the lab is that one host, made anew, with all roles, and everything is done as a user does it: deploy,
publish the zones, then

* one change, from the edit to a sign-in by IMAP over TLS: somebody leaves the roster (and can't sign in any more),
  comes back, and signs in with the old password. Aim: at most 1.5 times at 131,000 people what it is at 1,300;
* the whole audit, with its slowest questions. Aim: under 2 minutes, and at most 10 times that of 35 units.

Inventories, audits' verdicts and results are kept below ``build/one-host``; a table closes the run. Needs root, and
takes down the lab that is up; none is left.
"""

from __future__ import annotations

import argparse
import ast
import imaplib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.audited import findings, slowest, summary
from bench.lone_province import boot, invented
from edumail.certificates import certificates
from edumail.dns import zones
from edumail.load import load
from edumail.model import Person
from lab import lab, web
from tests.lab.province import LabProvince

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "one-host"
ROUNDS = 3
SIGN_IN_SECONDS = 60.0
KNOWN_SECONDS = 600.0
Figures = dict[str, float]
"""What was measured: seconds, and what is counted, by name."""


class Failed(Exception):
    """Something did not come to its good end, so there is nothing to measure."""


@dataclass(frozen=True)
class Cost:
    """What a command took on this side, with all its processes."""

    wall: float
    """Seconds by the clock."""
    processor: float
    """Seconds; the host's own are not among them."""
    peak: float
    """MiB of the largest process."""


def say(line: str) -> None:
    """What goes on."""
    print(line, file=sys.stderr, flush=True)


def follow(words: Sequence[str], heard: Callable[[str], None], most: float | None = None) -> tuple[int, Cost]:
    """Run the command as a user does, interrupted after ``most`` seconds: its exit status, and what it took.

    ``heard`` gets the lines of its standard error as they come; its standard output goes into ``said.txt``.
    """
    command = ["env", f"SSL_CERT_FILE={web.AUTHORITY}"] if words[0] == "verify" else []
    command += [sys.executable, "-m", "edumail", *words, "--lang", "en"]
    began = time.monotonic()
    with (WORK / "said.txt").open("w", encoding="utf-8") as said:
        child = subprocess.Popen(command, cwd=ROOT, text=True, stdout=said, stderr=subprocess.PIPE, errors="replace")
    timer = threading.Timer(most or threading.TIMEOUT_MAX, child.send_signal, [signal.SIGINT])
    timer.daemon = True
    timer.start()
    try:
        assert child.stderr is not None
        for line in child.stderr:
            heard(line.rstrip())
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        child.send_signal(signal.SIGINT)
        child.wait()
        raise
    finally:
        timer.cancel()
    cost = Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    say(f"  edumail {words[0]}: {cost.wall:.1f} s, {cost.processor:.1f} s of processor, {cost.peak:.0f} MiB")
    return child.returncode, cost


def edumail(*words: str) -> Cost:
    """Run the command to its good end. Raises Failed with its last words."""
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        say(f"    {line}")

    status, cost = follow(words, heard)
    if status:
        lines += (WORK / "said.txt").read_text(encoding="utf-8").splitlines()
        raise Failed("\n".join([f"edumail {' '.join(words)}: {status}", *lines[-40:]]))
    return cost


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes by the clock."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def somebody(province: LabProvince) -> Person:
    """The last teacher of a school in the midst of the province whom nothing that the school publishes names."""
    units = [unit for unit in province.province.units.values() if unit.kind == "truong"]
    unit = units[len(units) // 2]
    content = "".join(p.read_text(encoding="utf-8") for p in (province.folder / "content" / unit.id).rglob("*.yml"))
    people = province.mail.units.people[unit.id]
    return next(p for p in reversed(people) if p.id not in content and p.posts == ("giao_vien",))


def state_of(province: LabProvince, person: Person) -> str:
    """What the person's account is: ``active``, ``left`` …"""
    question = f"SELECT state FROM account WHERE address = '{person.address}'"
    ((state,),) = ast.literal_eval(province.accounts(province.mail.home[person.address], question))
    return str(state)


def signed_in_once_known(province: LabProvince, person: Person) -> float:
    """Wait until the host lets the person in, and sign in: when that was, by the monotonic clock. Raises Failed."""
    end = time.monotonic() + KNOWN_SECONDS
    while (state := state_of(province, person)) != "active":
        if time.monotonic() > end:
            raise Failed(f"{person.address} is {state}, and should be there again")
        time.sleep(0.5)
    signed_in(province, person.address)
    return time.monotonic()


def signed_in(province: LabProvince, address: str) -> None:
    """Sign in as the address's owner; tried again until it is let in. Raises imaplib.IMAP4.error."""
    end = time.monotonic() + SIGN_IN_SECONDS
    while True:
        try:
            with province.network.imap(province.front, address, province.passwords[address]):
                return
        except imaplib.IMAP4.error:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def changes(folder: Path) -> Figures:
    """Medians of a deploy without a change, of one after which somebody is gone, and from the edit to the sign-in.

    Whoever comes back can sign in before the deploy has ended, since pages come last.
    """
    province = LabProvince(folder)
    person = somebody(province)
    roster = folder / "people" / f"{person.unit}.csv"
    whole = roster.read_text(encoding="utf-8")
    without = re.sub(rf"^{re.escape(person.id)},.*\n", "", whole, flags=re.M)
    province.password(person.address)
    signed_in(province, person.address)
    costs: dict[str, list[Cost]] = {"deploy without change": [], "somebody leaves: deploy": []}
    back, live = [], []
    try:
        for number in range(1, ROUNDS + 1):
            say(f"[{number}/{ROUNDS}] nothing, somebody leaves, and comes back")
            costs["deploy without change"].append(edumail("deploy", str(folder)))
            roster.write_text(without, encoding="utf-8")
            costs["somebody leaves: deploy"].append(edumail("deploy", str(folder)))
            # The host is asked, not Dovecot: a refused sign-in would make the next one wait.
            if (state := state_of(province, person)) != "left":
                raise Failed(f"{person.address} is {state}, and should have left")
            with ThreadPoolExecutor(1) as beside:
                began = time.monotonic()
                roster.write_text(whole, encoding="utf-8")
                seen = beside.submit(signed_in_once_known, province, person)
                back.append(edumail("deploy", str(folder)))
                live.append(seen.result() - began)
            say(f"  from the edit to the sign-in: {live[-1]:.1f} s")
    finally:
        roster.write_text(whole, encoding="utf-8")
    found = {"change: from the edit to the sign-in": statistics.median(live)}
    for what, those in {"change: deploy": back, **costs}.items():
        found[what] = statistics.median(cost.wall for cost in those)
        found[f"{what}, processor here"] = statistics.median(cost.processor for cost in those)
    return found


def audit(folder: Path, most: float) -> Figures:
    """The whole audit, cut after ``most`` seconds; prints where they went and what it found."""
    verdicts, began = folder.with_name(f"{folder.name}.verdicts.json"), time.monotonic()
    verdicts.unlink(missing_ok=True)
    marks: list[tuple[float, str]] = []

    def heard(line: str) -> None:
        marks.append((time.monotonic() - began, line.strip()))
        say(f"  {marks[-1][0]:7.1f} s {line}")

    status, cost = follow(["verify", str(folder), "--json", str(verdicts)], heard, most)
    print("\n".join(slowest(marks, cost.wall)))
    if not verdicts.exists():
        print(f"no verdicts, exit status {status}; so far:")
    print("\n".join(summary(findings(verdicts, Path(os.environ["XDG_STATE_HOME"])))), flush=True)
    name = "audit" if verdicts.exists() else "audit, cut"
    return {name: cost.wall, f"{name}, processor here": cost.processor, f"{name}, peak MiB": cost.peak}


def measure(units: int, most: float) -> Iterator[Figures]:
    """The figures of one size, as they come to be known."""
    say(f"{units} units")
    os.environ |= {
        "XDG_STATE_HOME": str(WORK / f"{units}.state"),
        "XDG_CACHE_HOME": str(WORK / f"{units}.cache"),
        "EDUMAIL_PASSPHRASE_FILE": str(WORK / f"{units}.passphrase"),
    }
    folder = WORK / str(units)
    invented(units, folder)
    province = load(folder)
    shown = sum(len(certificates(province, host)) for host in province.hosts.values())
    yield {"people": len(province.people), "zones": len(province.settings.zones), "certificates": shown}
    yield {"check": edumail("check", str(folder)).wall}
    yield {"lab": seconds(lambda: boot(province, folder, say))}
    first = edumail("deploy", str(folder))
    yield {"first deploy": first.wall, "first deploy, processor here": first.processor}
    yield {"publish zones": seconds(lambda: lab.publish_zones(zones(load(folder), serial=1)))}
    yield changes(folder)  # before the audit, whose letters fill the host
    yield audit(folder, most)


def table(results: dict[int, Figures]) -> Iterator[str]:
    """A row for each figure, the sizes side by side, and the ratio of the last to the first."""
    yield f"{'seconds (medians), or how many':<50}" + "".join(f"{units:>8} units" for units in results) + "   ratio"
    columns = list(results.values())
    for name in dict.fromkeys(name for figures in columns for name in figures):
        cells = [figures.get(name) for figures in columns]
        ratio = f"{cells[-1] / cells[0]:>8.1f}" if cells[0] and cells[-1] else ""
        yield f"{name:<50}" + "".join(f"{'–' if cell is None else f'{cell:,.1f}':>14}" for cell in cells) + ratio


def main() -> int:
    """Measure each size and print the table of what came of it; 1 when one was not measured whole."""
    parser = argparse.ArgumentParser(prog="python -m bench.one_host")
    parser.add_argument("units", type=int, nargs="*", default=[35, 3500])
    parser.add_argument("--audit", type=float, default=7200, metavar="SECONDS")
    given = parser.parse_args()
    # Whoever starts this in the background of a script starts it deaf to the signal that cuts an audit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    WORK.mkdir(parents=True, exist_ok=True)
    results: dict[int, Figures] = {units: {} for units in given.units}
    status = 0
    try:
        for units, figures in results.items():
            try:
                for new in measure(units, given.audit):
                    figures |= new
                    (WORK / f"{units}.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
            except Exception as error:  # whatever it was, the other size can be measured
                say(f"{units} units: {type(error).__name__}: {error}")
                status = 1
    finally:
        lab.down(say=say, lang="en")
        print("\n".join(table(results)), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
