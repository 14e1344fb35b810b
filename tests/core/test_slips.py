"""Slips for a whole unit: who gets one, who does not and is told of, and that nobody gets two."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import pytest

from edumail import cli
from edumail.load import load

ROOT = Path(__file__).resolve().parents[2]
INVENTORY, UNIT = ROOT / "inventories" / "lab", "th-suoi-mo"
APP = ROOT / "roles" / "accounts" / "app" / "edumail_accounts.py"


class Host:
    """The unit's mail host: nobody has begun, and whoever is asked for codes issues them."""

    def __init__(self, app: ModuleType):
        self.app, self.now = app, 1_800_000_000
        self.database: sqlite3.Connection = app.connect(":memory:")
        for person in load(INVENTORY).people:
            if person.unit == UNIT:
                self.database.execute(
                    "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
                    " VALUES (?, ?, ?, ?, ?, 1, 30, 'waiting', 0)",
                    (person.address, UNIT, person.id, person.name, f"/var/vmail/{person.id}"),
                )
        self.people = [row["address"] for row in self.database.execute("SELECT address FROM account ORDER BY address")]

    def run(self, _: str, words: Sequence[str]) -> str:
        """As ``edumail-accounts codes`` answers."""
        assert list(words[:3]) == ["edumail-accounts", "codes", UNIT]
        return json.dumps(self.app.issue(self.database, UNIT, words[3:], self.now))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Instead of the one that SSH leads to."""
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("edumail_accounts", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    host = Host(module)

    class Remote:
        def __init__(self, _: object):
            pass

        def __enter__(self) -> Host:
            return host

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("edumail.cli.accounts.Remote", Remote)
    return host


def printed(out: Path, *again: str) -> list[str]:
    """The text of each page of the slips that the command writes."""
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here (package poppler-utils); make test installs it before it runs this")
    words = ["accounts", "slips", str(INVENTORY), UNIT, "--out", str(out), "--lang", "en"]
    assert cli.main([*words, *(["--again", *again] if again else [])]) == 0
    if not out.exists():
        return []
    done = subprocess.run(["pdftotext", "-layout", out, "-"], check=True, capture_output=True, text=True)
    return done.stdout.split("\f")[:-1]


def codes(pages: Sequence[str]) -> list[str]:
    """All that are printed."""
    return re.findall(r"\b[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}\b", "".join(pages))


def test_everybody_of_a_unit_has_a_slip_and_nobody_gets_two(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(host.people) > 8
    pages = printed(tmp_path / "a.pdf")
    assert [len(codes([page])) for page in pages] == [8, len(host.people) - 8]
    assert len(set(codes(pages))) == len(host.people)
    assert all(re.search(rf"(?<!\S){re.escape(address)}", "".join(pages)) for address in host.people)
    capsys.readouterr()
    assert printed(tmp_path / "b.pdf") == []
    said = capsys.readouterr()
    assert "nobody needs a new slip" in said.out
    assert f"{len(host.people)} have a code that still works" in said.err


def test_the_day_on_a_slip_is_one_on_which_its_code_still_works_to_the_end(host: Host, tmp_path: Path) -> None:
    (page, *_) = printed(tmp_path / "a.pdf")
    day, month, year = map(int, re.findall(r"đến hết ngày (\d\d)/(\d\d)/(\d{4})", page)[0])
    end = datetime(year, month, day, 23, 59, 59, tzinfo=timezone(timedelta(hours=7)))
    ((expires,),) = host.database.execute("SELECT DISTINCT code_expires FROM account WHERE code IS NOT NULL")
    assert 0 <= expires - end.timestamp() <= 86400


def test_who_is_suspended_gets_a_slip_by_name_alone(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle, active, expired, *rest = host.people
    host.app.suspend(host.database, idle, host.now)
    host.database.execute("UPDATE account SET state = 'active' WHERE address = ?", (active,))
    host.database.execute("UPDATE account SET code = 'x', code_expires = 1 WHERE address = ?", (expired,))
    pages = printed(tmp_path / "a.pdf")
    assert len(codes(pages)) == len([expired, *rest])
    assert idle not in "".join(pages)
    assert f"1 are suspended and got none (--again opens them again): {idle}" in capsys.readouterr().err
    assert idle in "".join(printed(tmp_path / "b.pdf", idle))
    assert "suspended" not in capsys.readouterr().err
    assert printed(tmp_path / "c.pdf") == []
    assert "suspended" not in capsys.readouterr().err  # one that is open again counts as having a code
