"""All tests at full length, part by part: what ``make test-full`` runs, and ``python tests/full.py [PART …]``.

What passed on a commit is not run again on it, so a run that was cut short goes on where it stopped. Each part's result
is written to ``docs/test-full.md`` as soon as it is known, with the commit it ran on. A work tree with changes is
refused: a result would belong to no commit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE, STATE = "docs/test-full.md", "build/test-full.json"
TABLES = (TABLE, "docs/mutation.md")
"""What runs of tests write themselves."""
BIN = Path(sys.executable).parent
PYTEST = [str(BIN / "pytest"), "-v", "--color=no"]
EDUMAIL = [sys.executable, "-m", "edumail"]
BOOT = "lab: boot, deploy, zones"

_COUNTS = re.compile(r"^=+ (.*) in [\d.]+s")
"""pytest's last line."""


@dataclass(frozen=True)
class Part:
    """Commands that pass together or not at all."""

    name: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How a part ended: ``said`` is pytest's own count."""

    passed: bool
    said: str
    seconds: int
    commit: str


def fast_parts() -> list[Part]:
    """What needs no lab."""
    style = [[str(BIN / "ruff"), "check", "."], [str(BIN / "ruff"), "format", "--check", "."]]
    return [
        Part("style, types, layers", [*style, [str(BIN / "mypy")], [str(BIN / "lint-imports")]]),
        Part("core", [[*PYTEST, "-n", "2", "tests/core"]]),
        Part("plan, killed at every line", [[*PYTEST, "tests/plan"]], {"EDUMAIL_EVERY_LINE": "1"}),
    ]


def lab_parts() -> list[Part]:
    """A part for each file of ``tests/lab``, in the lab that :data:`BOOT` made."""
    # Journals count from the start of the lab, which is made anew for each run.
    environment = {"EDUMAIL_LAB": "reuse", "EDUMAIL_WHOLE_SCALE": "1", "EDUMAIL_JOURNAL_SINCE": "1"}
    files = sorted(path.name for path in (ROOT / "tests" / "lab").glob("test_*.py"))
    return [Part(f"lab: {file}", [[*PYTEST, f"tests/lab/{file}"]], environment) for file in files]


def boot() -> Part:
    """The lab from nothing, deployed as a user would."""
    inventory = "inventories/lab"
    steps = [["lab", "down"], ["lab", "up"], ["deploy", inventory], ["lab", "dns"]]
    return Part(BOOT, [[*EDUMAIL, *step] for step in steps])


class NotClean(Exception):
    """The work tree is not that of a commit, so a result would belong to none; in words for whoever runs this."""


def commit_of(folder: Path) -> str:
    """The commit that is checked out in ``folder``. Raises NotClean where more than the tables differs from it."""

    def git(*words: str) -> str:
        try:
            return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip()
            raise NotClean(
                f"git không cho biết đang ở commit nào / git does not tell which commit this is: {said}"
            ) from None

    if changes := git("status", "--porcelain", "--", ".", *(f":!{table}" for table in TABLES)).rstrip():
        raise NotClean(
            "cây mã không đúng như một commit: hãy commit hoặc stash rồi chạy lại"
            f" / the work tree is not that of a commit: commit or stash, then run again\n{changes}"
        )
    return git("rev-parse", "--short=10", "HEAD").strip()


class Run:
    """A run of ``parts`` in the checkout ``folder``; results of earlier ones are known. Raises NotClean."""

    def __init__(self, parts: Sequence[Part], folder: Path = ROOT) -> None:
        self.parts = parts
        self.folder = folder
        self.commit = commit_of(folder)
        state = folder / STATE
        rows = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
        self.results = {name: Result(**row) for name, row in rows.items()}

    def passed(self, part: Part) -> bool:
        """Whether a part passed on this very commit."""
        result = self.results.get(part.name)
        return result is not None and result.passed and result.commit == self.commit

    def run(self, part: Part) -> bool:
        """Run a part, show what it says as it comes, and keep the result. Raises NotClean when files were changed."""
        print(f"=== {part.name}", flush=True)
        began = time.monotonic()
        said, code = "", 0
        for command in part.commands:
            counts, code = self._run(command, part.environment)
            said = counts or said
            if code:
                said = said or f"{Path(command[0]).name}: exit status {code}"
                break
        if (commit := commit_of(self.folder)) != self.commit:
            raise NotClean(f"HEAD: {self.commit} -> {commit}")
        self.results[part.name] = Result(not code, said or "ok", round(time.monotonic() - began), self.commit)
        self._save()
        print(f"=== {part.name}: {self.results[part.name].said}", flush=True)
        return not code

    def _run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, int]:
        counts = ""
        with subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if found := _COUNTS.match(line):
                    counts = found[1]
        return counts, process.returncode

    def _save(self) -> None:
        state, table = self.folder / STATE, self.folder / TABLE
        for path in (state, table):
            path.parent.mkdir(exist_ok=True)
        state.write_text(json.dumps({name: asdict(row) for name, row in self.results.items()}, indent=1))
        rows = [(part.name, self.results[part.name]) for part in self.parts if part.name in self.results]
        table.write_text(
            "# Results of `make test-full`\n\nWritten by `tests/full.py`, each row when its part ended.\n\n"
            "| Part | Result | Seconds | Commit |\n|---|---|---:|---|\n"
            + "".join(
                f"| {name} | {'' if row.passed else '**failed**: '}{row.said} | {row.seconds} | {row.commit} |\n"
                for name, row in rows
            ),
            encoding="utf-8",
        )


def main(names: Sequence[str]) -> int:
    """Run what is left of all parts, or of those named. Exit status: 0 all passed, 1 some failed, 2 could not begin."""
    fast, lab = fast_parts(), lab_parts()
    if strangers := set(names) - {part.name for part in (*fast, *lab)}:
        known = "; ".join(part.name for part in (*fast, *lab))
        print(f"no such part: {', '.join(sorted(strangers))}; there are: {known}", file=sys.stderr)
        return 2
    try:
        run = Run([*fast, boot(), *lab])
        left = [part for part in (*fast, *lab) if not run.passed(part) and (not names or part.name in names)]
        failed = [part.name for part in left if part in fast and not run.run(part)]
        if in_lab := [part for part in left if part in lab]:
            try:
                failed += [part.name for part in in_lab if not run.run(part)] if run.run(boot()) else [BOOT]
            finally:
                subprocess.run([*EDUMAIL, "lab", "down"], cwd=ROOT, check=False)
    except NotClean as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to go on", file=sys.stderr)
        return 130
    print(f"{run.commit}: {'FAILED: ' + '; '.join(failed) if failed else 'all passed'}. Commit {TABLE}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
