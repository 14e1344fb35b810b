"""The command line as a person meets it: words, exit status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import LAB, Inventory

from edumail import cli

Run = Callable[..., subprocess.CompletedProcess[str]]
LOCALES = ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the installed `edumail`; keyword arguments are added to the environment."""
    command = Path(sys.executable).with_name("edumail")

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name not in LOCALES}
        done = subprocess.run(
            [command, *map(str, words)],
            env={**clean, "TMPDIR": str(tmp_path), "PYTHONUTF8": "1", **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


def test_check_of_a_sound_inventory_counts_what_it_holds(run: Run) -> None:
    done = run("check", LAB)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 units, 60 people, 3 hosts, 59 groups, 3 mail domains" in done.stdout


def test_check_prints_every_mistake_and_how_many(run: Run, inventory: Inventory) -> None:
    inventory.replace("units/so.yml", "officer: so-10", "officer: so-99")
    inventory.replace("hosts.yml", "198.18.37.12", "198.18.37.11")
    done = run("check", inventory.folder)
    assert (done.returncode, done.stderr) == (1, "")
    first, second, count = done.stdout.splitlines()
    assert first.startswith("hosts.yml:9:9: 198.18.37.11 is host")
    assert second.startswith("units/so.yml:10:12: nobody in people/so.csv")
    assert count == "2 mistakes in 2 files"


@pytest.mark.parametrize(
    ("words", "environment", "vietnamese"),
    [
        ((), {}, False),
        ((), {"LANG": "C.UTF-8"}, False),
        ((), {"LANG": "vi_VN.UTF-8"}, True),
        ((), {"LANG": "vi_VN.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        ((), {"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN"}, True),
        ((), {"LANG": "en_US.UTF-8", "LC_MESSAGES": "vi_VN"}, True),
        (("--lang", "en"), {"LANG": "vi_VN.UTF-8"}, False),
        (("--lang=vi",), {"LANG": "en_US.UTF-8"}, True),
    ],
)
def test_the_language_is_asked_for_or_the_locales(
    run: Run, words: tuple[str, ...], environment: dict[str, str], vietnamese: bool
) -> None:
    for order in ((*words, "check", LAB), ("check", *words, LAB), ("check", LAB, *words)):
        done = run(*order, **environment)
        assert done.returncode == 0
        assert ("không có lỗi" in done.stdout) == vietnamese


def test_help_and_usage_errors_speak_the_language(run: Run) -> None:
    for command in ([], ["check"], ["example"], ["dns"], ["lab"], ["lab", "down"]):
        vi, en = run("--lang", "vi", *command, "-h").stdout, run("--lang", "en", *command, "-h").stdout
        assert "cách dùng: edumail" in vi
        assert "usage: edumail" in en
        assert "tùy chọn" in vi
        assert "options" not in vi
        assert vi != en
    done = run("check", "--lang", "vi")
    assert done.returncode == 2
    assert "lỗi: thiếu tham số: INVENTORY" in done.stderr


@pytest.mark.parametrize("words", [["check", "/nowhere"], ["dns", "/nowhere"], ["dns", "/etc/hostname"]])
def test_an_inventory_that_is_not_there_is_one_message(run: Run, words: list[str]) -> None:
    for lang, text in (("vi", "không có thư mục này"), ("en", "there is no such folder")):
        done = run(*words, "--lang", lang)
        assert done.returncode == 1
        assert text in (done.stdout if words[0] == "check" else done.stderr)


@pytest.mark.parametrize("words", [[], ["--lang", "xx"],
                                   ["dns", LAB, "--serial", "-1"], ["dns", LAB, "--serial", 2**32],
                                   ["dns", LAB, "--check", "--serial", 5],
                                   ["example", "--units", "0", "x"], ["nothing"], ["check", LAB, LAB]])  # fmt: skip
def test_wrong_usage_is_status_2(run: Run, words: list[object]) -> None:
    assert run(*words).returncode == 2


def test_example_writes_what_check_accepts_and_never_overwrites(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tỉnh mới" / "một"
    assert run("example", "--units", 4, "--seed", 9, folder).returncode == 0
    assert run("check", folder).returncode == 0
    assert (folder / "hosts.py").read_bytes() == (LAB / "hosts.py").read_bytes()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for lang, text in (("vi", "đã có tệp"), ("en", "holds files already")):
        done = run("example", "--units", 5, folder, "--lang", lang)
        assert (done.returncode, text in done.stderr) == (1, True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_dns_prints_or_writes_the_same_zones(run: Run, tmp_path: Path) -> None:
    printed = run("dns", LAB, "--serial", 5)
    assert printed.returncode == 0
    assert run("dns", LAB, "--serial", 5, "--out", tmp_path / "zones").returncode == 0
    files = sorted((tmp_path / "zones").iterdir())
    assert [file.name for file in files] == ["minhha.test.zone", "thptsongque.test.zone"]
    assert "\n".join(file.read_text(encoding="utf-8") for file in files) == printed.stdout


def test_dns_refuses_an_inventory_with_mistakes_on_stderr(run: Run, inventory: Inventory) -> None:
    inventory.replace("units/so.yml", "officer: so-10", "officer: so-99")
    done = run("dns", inventory.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "units/so.yml:10:12: " in done.stderr


def test_a_folder_that_can_not_be_written_is_one_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("dns", LAB, "--out", tmp_path / "file")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_vietnamese_reaches_a_stream_that_has_no_vietnamese(run: Run) -> None:
    done = run("check", LAB, "--lang", "vi", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "60 ng" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = Path(sys.executable).with_name("edumail")
    with subprocess.Popen([command, "dns", LAB], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("lang", "text"), [("vi", "lỗi của chính edumail"), ("en", "a mistake of edumail's own")])
def test_a_mistake_of_our_own_is_written_to_a_file(
    lang: str, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(folder: Path) -> None:
        raise ZeroDivisionError("made for a test")

    monkeypatch.setattr("edumail.cli.check.load", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.main(["check", str(LAB), "--lang", lang]) == 70
    said = capsys.readouterr().err
    assert text in said
    assert "Traceback" not in said
    (file,) = tmp_path.glob("edumail-error-*.txt")
    assert str(file) in said
    assert "ZeroDivisionError: made for a test" in file.read_text(encoding="utf-8")


def test_interrupting_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edumail.cli.check.load", interrupted)
    assert cli.main(["check", str(LAB)]) == 130


def test_what_the_lab_refuses_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lab import lab
    from lab.text import LabError

    def refuse(host: str) -> None:
        raise LabError(f"không có máy {host}", f"no host {host}")

    monkeypatch.setattr(lab, "shell", refuse)
    for lang, text in (("vi", "không có máy x"), ("en", "no host x")):
        assert cli.main(["lab", "shell", "x", "--lang", lang]) == 1
        assert capsys.readouterr().err == f"edumail: {text}\n"


def test_the_lab_is_given_the_hosts_of_its_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab import lab, topology

    given: list[topology.Machine] = []
    monkeypatch.setattr(lab, "up", lambda machines, **words: given.extend(topology.check(machines)))
    monkeypatch.setattr("edumail.cli.lab._let_auditor_in", lambda key: None)
    assert cli.main(["lab", "up"]) == 0
    assert [(m.name, m.fqdn, m.ipv4) for m in given] == [
        ("mail-so", "mail-so.minhha.test", "198.18.37.11"),
        ("mail-xa", "mail-xa.minhha.test", "198.18.37.12"),
        ("mail-thpt", "mail.thptsongque.test", "198.18.37.13"),
    ]
