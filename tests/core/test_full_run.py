"""The driver of the long tests: what passed is not run again, and every result has the commit it belongs to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.full import TABLE, NotClean, Part, Run, fast_parts, lab_parts, main


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@kiemtra.invalid"]
    return subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / ".gitignore").write_text("build/\n*.ran\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def part(name: str, code: int = 0, said: str = "== 3 passed, 1 xfailed in 0.12s ==") -> Part:
    """Says ``said``, notes that it ran, ends with ``code``."""
    program = f"open('{name}.ran', 'a').write('x'); print({said!r}); raise SystemExit({code})"
    return Part(name, [[sys.executable, "-c", program]])


def times(checkout: Path, name: str) -> int:
    path = checkout / f"{name}.ran"
    return len(path.read_text()) if path.exists() else 0


def rerun(checkout: Path, parts: list[Part]) -> None:
    run = Run(parts, checkout)
    for each in parts:
        if not run.passed(each):
            run.run(each)


def test_what_passed_on_a_commit_runs_again_only_on_another(checkout: Path) -> None:
    parts = [part("a"), part("b", code=1, said="== 1 failed, 2 passed in 3.00s =="), part("c")]
    rerun(checkout, parts)
    rerun(checkout, parts)
    assert [times(checkout, name) for name in "abc"] == [1, 2, 1]
    git(checkout, "add", TABLE)
    git(checkout, "commit", "-q", "-m", "the table")
    rerun(checkout, parts)
    assert times(checkout, "a") == 2


def test_the_table_has_counts_and_commit_of_each_part(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "--short=10", "HEAD").strip()
    rerun(checkout, [part("a"), part("b", code=1, said="== 1 failed in 3.00s =="), part("style", said="fine")])
    rows = (checkout / TABLE).read_text().splitlines()[-3:]
    assert rows == [
        f"| a | 3 passed, 1 xfailed | 0 | {commit} |",
        f"| b | **failed**: 1 failed | 0 | {commit} |",
        f"| style | ok | 0 | {commit} |",
    ]


def test_a_part_ends_at_its_first_command_that_fails(checkout: Path) -> None:
    first, second = part("a", code=3, said="broken"), part("b")
    run = Run([first], checkout)
    assert not run.run(Part("both", [*first.commands, *second.commands]))
    assert (run.results["both"].said, times(checkout, "b")) == (f"{Path(sys.executable).name}: exit status 3", 0)


def test_changes_beside_the_commit_are_refused_before_and_after_a_part(checkout: Path) -> None:
    run = Run([part("a")], checkout)
    (checkout / "new.py").touch()
    with pytest.raises(NotClean, match=r"hãy commit .* / .* commit or stash.*\n.*new\.py"):
        run.run(part("a"))
    with pytest.raises(NotClean):
        Run([part("a")], checkout)
    (checkout / "new.py").unlink()
    assert not Run([part("a")], checkout).passed(part("a"))


def test_every_test_folder_is_in_some_part_and_names_are_distinct(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [*fast_parts(), *lab_parts()]
    words = " ".join(word for each in parts for command in each.commands for word in command)
    assert all(f"tests/{name}" in words for name in ("core", "plan", "lab/test_mail.py", "lab/test_templates.py"))
    assert len({each.name for each in parts}) == len(parts)
    assert main(["no such thing"]) == 2
    assert "lab: test_mail.py" in capsys.readouterr().err


def test_without_git_it_is_told_that_nobody_knows_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotClean, match="not a git repository"):
        Run([], tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotClean, match="No such file"):
        Run([], tmp_path)
