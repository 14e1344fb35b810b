"""The internal authority's three files on the control machine, and what a second machine is told that lacks some."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from roles.identity.authority import PASSPHRASE_FILE, open_authority

SETTINGS: Any = SimpleNamespace(id="tinh")
KEY, CERTIFICATE, PASSPHRASE = "secrets/ca.key", "published/ca.pem", "passphrase"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PASSPHRASE_FILE, str(tmp_path / PASSPHRASE))
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (KEY, CERTIFICATE, PASSPHRASE) if (folder / name).exists()}


def test_it_is_made_once_and_opened_from_then_on(folder: Path) -> None:
    made = open_authority(folder, SETTINGS)
    before = content(folder)
    assert open_authority(folder, SETTINGS).pem == made.pem == before[CERTIFICATE]
    assert content(folder) == before
    assert {(folder / name).stat().st_mode & 0o777 for name in (KEY, PASSPHRASE)} == {0o600}
    assert b"ENCRYPTED" in before[KEY]


def test_a_run_that_was_cut_after_the_passphrase_is_finished_by_the_next(folder: Path) -> None:
    (folder / PASSPHRASE).write_text("abc\n")
    open_authority(folder, SETTINGS)
    assert content(folder)[PASSPHRASE] == b"abc\n"


@pytest.mark.parametrize("missing", [{KEY}, {CERTIFICATE}, {PASSPHRASE}, {KEY, PASSPHRASE}])
def test_a_second_machine_is_told_what_to_copy_and_makes_nothing(folder: Path, missing: set[str]) -> None:
    open_authority(folder, SETTINGS)
    for name in missing:
        (folder / name).unlink()
    before = content(folder)
    with pytest.raises(ValueError, match=r"thiếu .* / missing: ") as error:
        open_authority(folder, SETTINGS)
    assert "chỉ khi không còn bản sao nào ở đâu" in str(error.value)
    assert "only if no copy is left anywhere" in str(error.value)
    assert all((str(folder / name) in str(error.value).partition(":")[0]) is (name in missing) for name in missing)
    assert content(folder) == before


def test_a_passphrase_of_another_province_is_told_and_changes_nothing(folder: Path) -> None:
    open_authority(folder, SETTINGS)
    (folder / PASSPHRASE).write_text("another\n")
    before = content(folder)
    with pytest.raises(ValueError, match=r"không hợp với .* / do not fit: "):
        open_authority(folder, SETTINGS)
    assert content(folder) == before
