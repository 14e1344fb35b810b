"""Templates are compiled once, and never as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

from edumail import templates

NAME = "feedback/copy.sh.j2"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Which templates were compiled, by name, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done: list[str] = []
    real = Environment.compile

    def compile(self: Environment, source: str, name: str, *rest: object) -> object:
        done.append(name)
        return real(self, source, name, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(Environment, "compile", compile)
    yield done
    templates._environment.cache_clear()


def said() -> str:
    """What another process would render."""
    templates._environment.cache_clear()
    return templates.render(NAME, state="/x")


def test_the_next_process_takes_what_was_compiled(compiled: list[str], tmp_path: Path) -> None:
    assert said() == said()
    assert compiled == [NAME]
    assert (tmp_path / "cache" / "edumail" / "templates").stat().st_mode & 0o777 == 0o700


def test_a_template_that_has_changed_is_compiled_anew(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(templates, "FOLDER", tmp_path)
    path = tmp_path / NAME
    path.parent.mkdir()
    path.write_text("{{ state }}")
    assert said() == "/x"
    path.write_text("{{ state }}!")
    assert said() == "/x!"
    assert compiled == [NAME, NAME]


def test_other_rules_compile_it_anew(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said()
    monkeypatch.setattr(templates._Compiled, "_rules", "another release")
    said()
    assert compiled == [NAME, NAME]


@pytest.mark.parametrize("damage", [b"", b"no bytecode", None])
def test_what_is_broken_is_made_again(compiled: list[str], tmp_path: Path, damage: bytes | None) -> None:
    whole = said()
    (kept,) = (tmp_path / "cache" / "edumail" / "templates").iterdir()
    kept.write_bytes(kept.read_bytes()[:20] + b"\xff" * 9 if damage is None else damage)
    assert said() == whole
    assert compiled == [NAME, NAME]
    assert said() == whole
    assert compiled == [NAME, NAME]


def test_what_others_may_write_is_not_run(compiled: list[str], tmp_path: Path) -> None:
    whole = said()
    (tmp_path / "cache" / "edumail" / "templates").chmod(0o777)
    assert said() == whole
    assert compiled == [NAME, NAME]


def test_without_a_place_to_keep_it_all_goes_on(compiled: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert said() == said()
    assert compiled == [NAME, NAME]
