"""The live zones against the rendered ones: ``edumail dns --check`` as a user runs it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edumail.dns import zones
from edumail.load import load
from lab import lab
from tests.lab.conftest import INVENTORY, edumail
from tests.lab.province import LabProvince


@pytest.fixture
def right(province: LabProvince) -> Iterator[dict[str, str]]:
    """What the zones should be, and are again afterwards."""
    texts = zones(load(INVENTORY), 1)
    yield texts
    lab.publish_zones(texts)


def test_what_was_just_published_is_equal(province: LabProvince) -> None:
    assert edumail("lab", "dns").returncode == 0
    done = edumail("dns", str(INVENTORY), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    for apex in province.province.settings.zones:
        (line,) = [line for line in done.stdout.splitlines() if line.split()[0] == apex]
        assert "equal" in line
        assert "signed with DNSSEC" in line


def test_each_wrong_record_is_named(province: LabProvince, right: dict[str, str]) -> None:
    wrong = right["minhha.test"]
    for old, new in (
        ("sogddt                          MX   10 mail-so.minhha.test.\n", ""),
        ("mail-xa                         A    198.18.37.12\n", "mail-xa A 198.18.37.99\n"),
        ("mail                            A  ", "suoimo A 198.18.37.98\nmail A  "),
    ):
        assert old in wrong
        wrong = wrong.replace(old, new, 1)
    lab.publish_zones({"minhha.test": wrong})
    done = edumail("dns", str(INVENTORY), "--check")
    assert done.returncode == 1, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("    ")]
    assert sorted(rows) == [
        ["missing", "sogddt.minhha.test.", "MX", "10", "mail-so.minhha.test."],
        ["right", "mail-xa.minhha.test.", "A", "198.18.37.12"],
        ["surplus", "suoimo.minhha.test.", "A", "198.18.37.98"],
        ["wrong", "mail-xa.minhha.test.", "A", "198.18.37.99"],
    ]


def test_a_zone_that_nobody_serves_and_a_server_that_is_silent(province: LabProvince, tmp_path: Path) -> None:
    folder = tmp_path / "khac"
    shutil.copytree(INVENTORY, folder, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    settings = (folder / "province.yml").read_text(encoding="utf-8")
    more = settings.replace("zones: [", "zones: [khong-ai-phuc-vu.test, ")
    (folder / "province.yml").write_text(more, encoding="utf-8")
    done = edumail("dns", str(folder), "--check")
    assert done.returncode == 1, done.stderr
    assert "khong-ai-phuc-vu.test  does not serve this zone: REFUSED" in done.stdout
    # 198.18.37.13 is a host of the lab without a name server.
    (folder / "province.yml").write_text(
        settings.replace("nameservers:\n", "nameservers:\n  - {name: ns2.minhha.test, ipv4: 198.18.37.13}\n"),
        encoding="utf-8",
    )
    done = edumail("dns", str(folder), "--check")
    assert done.returncode == 2, done.stdout
    assert "ns2.minhha.test: does not answer (198.18.37.13)" in done.stdout
    assert "ns.minhha.test (198.18.37.53)" in done.stdout  # the other one is asked all the same
