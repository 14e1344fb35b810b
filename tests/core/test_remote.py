"""Commands on two hosts, one of which speaks to the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edumail.cli.remote import HostError, Remote
from edumail.load import load

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Remote:
    """What would run on hosts runs here."""
    monkeypatch.setattr(Remote, "words", lambda self, name, command: list(command))
    return Remote(load(LAB))


def sh(script: str) -> Sequence[str]:
    return ["sh", "-c", script]


def test_each_hears_the_other(remote: Remote) -> None:
    give = sh("seq 100000; read answer; [ $answer = 5000050000 ]")
    take = sh("sum=0; for row in $(head -n 100000); do sum=$((sum + row)); done; echo $sum")
    remote.joined(("mail-so", give), ("mail-xa", take), both=True)


def test_when_both_fail_both_are_heard(remote: Remote) -> None:
    give = sh("echo 'lives here' >&2; exit 1")
    take = sh("cat >/dev/null; echo cut >&2; exit 1")
    with pytest.raises(HostError) as caught:
        remote.joined(("mail-so", give), ("mail-xa", take), both=True)
    assert caught.value.en == "mail-xa: cut; mail-so: lives here"
