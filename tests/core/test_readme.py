"""What the READMEs show is what one sees: their files and commands, as far as no host is needed."""

from __future__ import annotations

import io
import re
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import LAB, ROOT, Inventory

from edumail import cli
from edumail.circular import assessment
from edumail.circular.verdicts import Finding, complete
from edumail.dns import zones
from edumail.load import load
from edumail.policies import SETTINGS, shown
from edumail.tree import changed_paths
from tests.rendered import Rendered, rendered

READMES = {"en": ROOT / "README.md", "vi": ROOT / "README.vi.md"}


def blocks(lang: str, kind: str = r"\w*") -> list[str]:
    """The fenced blocks of a README, in order; ``kind`` is what stands after the fence."""
    text = READMES[lang].read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def outputs(lang: str, command: str) -> list[str]:
    """What the README shows after a command, each time."""
    return [block.partition("\n")[2] for block in blocks(lang, "console") if block.startswith(f"$ {command}\n")]


def block_with(lang: str, text: str) -> str:
    return next(block for block in blocks(lang) if text in block)


def test_both_show_the_same_commands() -> None:
    """So that what one of them is tried with holds for the other."""
    shown = {}
    for lang in READMES:
        found = [line for block in blocks(lang, "console") for line in block.splitlines() if line.startswith("$ ")]
        shown[lang] = [line.replace(f" --lang {lang}", "") for line in found]
    assert shown["en"] == shown["vi"]


@pytest.mark.parametrize("lang", READMES)
def test_the_files_shown_are_those_of_the_lab(lang: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in LAB.rglob("*.yml")]
    rows = {row for path in LAB.rglob("*.csv") for row in path.read_text(encoding="utf-8").splitlines()}
    shown = [block for block in blocks(lang, "yaml") if "dong-chiem" not in block]
    assert len(shown) > 3
    assert [block for block in shown if not any(block in text for text in texts)] == []
    assert set(block_with(lang, "th-04,").splitlines()) <= rows


@pytest.mark.parametrize("lang", READMES)
def test_the_mistakes_shown_are_those_that_check_names(
    lang: str, inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory.replace("units/suoi-mo.yml", "officer: phu_trach_cntt", "oficer: phu_trach_cntt")
    inventory.replace("people/th-suoi-mo.csv", "Y tế; Thư viện", "Y sĩ; Thư viện")
    holders = "thcssuoimo@suoimo.minhha.test, name: Trường THCS Suối Mơ, holders: [van"
    inventory.replace("units/suoi-mo.yml", f"{holders}_thu", f"{holders}thu")
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 1
    assert capsys.readouterr().out == outputs(lang, f"edumail check inventories/thu --lang {lang}")[0]
    cli.main(["check", str(inventory.folder), "--lang", "vi"])
    assert capsys.readouterr().out.splitlines()[1] in READMES[lang].read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("lang", READMES)
def test_the_group_that_nobody_had_to_fill_is_as_shown(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    address = "ds-thutruong@suoimo.minhha.test"
    assert cli.main(["group", str(LAB), address, "--lang", lang]) == 0
    assert [capsys.readouterr().out] == outputs(lang, f"edumail group inventories/lab {address} --lang {lang}")


@pytest.mark.parametrize("lang", READMES)
def test_who_loosens_what_the_province_locked_is_told_what_is_shown(
    lang: str, inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    file = inventory.folder / "province.yml"
    file.write_text(file.read_text(encoding="utf-8") + block_with(lang, "locked:"), encoding="utf-8")
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 1
    assert [capsys.readouterr().out] == outputs(lang, f"edumail check inventories/khoa --lang {lang}")


@pytest.mark.parametrize("lang", READMES)
def test_a_policy_is_explained_as_shown(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "inventories/lab", "th-suoi-mo", "external_forward", "--lang", lang]
    assert cli.main(["explain", str(LAB), *words[2:]]) == 0
    assert [capsys.readouterr().out] == outputs(lang, f"edumail {' '.join(words)}")


@pytest.mark.parametrize("lang", READMES)
def test_the_policies_shown_are_those_that_are_there_with_their_defaults(lang: str) -> None:
    text = READMES[lang].read_text(encoding="utf-8")
    origins = {"law": ("law", "luật"), "inference": ("inference", "suy luận"), "habit": ("habit", "thông lệ")}
    defaults = load(LAB).levels["edumail"].policies
    seen = {}
    for names, values, origin in re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| `(.*?)` \| ([^|]+) \| [^|]+ \|", text, re.MULTILINE
    ):
        words = re.findall(r"\w+", names)
        single = values.split(", ") if ", " in values else [values] * len(words)
        seen |= {name: (value, origin) for name, value in zip(words, single, strict=True) if name in SETTINGS}
    assert seen == {
        name: (shown(getattr(defaults, name)), origins[setting.origin][lang == "vi"])
        for name, setting in SETTINGS.items()
    }


def figures_away(text: str) -> str:
    """Numbers and fingerprints differ from audit to audit, and so from key to key."""
    return re.sub(r"\d+", "0", re.sub(r"SHA256:\S+", "SHA256:0", text))


@pytest.mark.parametrize("lang", READMES)
def test_a_report_is_made_and_checked_as_shown(
    lang: str, inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id_ed25519"], check=True)
    inventory.write("auditors/lan.pub", b" ".join(Path("id_ed25519.pub").read_bytes().split()[:2]))
    province = load(inventory.folder)
    findings = complete(province, province.units, [Finding("so", "C37-4.1", "fail", ("seen",))])
    at, subject = datetime(2026, 8, 29, tzinfo=UTC), assessment.subject(province)
    asked = (tuple(province.hosts), (), ("C37-4.1",), {}, findings)
    audit = assessment.Assessment("", province.settings.id, at, *asked, subject=subject)
    Path("ketqua.json").write_text("".join(assessment.written(audit)), encoding="utf-8")
    for command, status in (
        (f"report inventories/tinh --verdicts ketqua.json --out baocao --key ~/.ssh/id_ed25519 --lang {lang}", 1),
        (f"report --check baocao inventories/tinh --lang {lang}", 0),
    ):
        words = [{"inventories/tinh": str(inventory.folder), "~/.ssh/id_ed25519": "id_ed25519"}.get(w, w)
                 for w in command.split()]  # fmt: skip
        assert cli.main(words) == status
        (shown,) = outputs(lang, f"edumail {command}")
        assert figures_away(capsys.readouterr().out) == figures_away(shown)


def added_school(inventory: Inventory, lang: str) -> None:
    inventory.write("units/dong-chiem.yml", block_with(lang, "- id: th-dong-chiem"))
    inventory.write("people/th-dong-chiem.csv", block_with(lang, "dc-01,"))


@pytest.mark.parametrize("lang", READMES)
def test_a_school_is_added_as_the_readme_says(
    lang: str, inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    _, missing, sound = outputs(lang, f"edumail check inventories/thu --lang {lang}")
    inventory.write("units/dong-chiem.yml", block_with(lang, "- id: th-dong-chiem"))
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 1
    assert capsys.readouterr().out == missing
    added_school(inventory, lang)
    assert cli.main(["check", str(inventory.folder), "--lang", lang]) == 0
    assert capsys.readouterr().out == sound
    assert block_with(lang, "; portal of") in zones(load(inventory.folder), 1)["minhha.test"]


@pytest.mark.parametrize("lang", READMES)
def test_a_schools_list_is_imported_as_shown(
    lang: str, inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sent = block_with(lang, "TRƯỜNG TIỂU HỌC SUỐI MƠ")
    spoilt = sent.replace("05/08/1975,,HT", "05/08/1975,Ban giám hiệu,HT").replace("7,TRƯƠNG THỊ HUỆ", "7,=B5")

    def run(file: str, *words: str) -> tuple[int, str]:
        """The status, and what stands on the terminal."""
        terminal = io.StringIO()
        words = ("roster", "import", str(inventory.folder), "th-suoi-mo", file, *words, "--lang", lang)
        with redirect_stdout(terminal), redirect_stderr(terminal):
            return cli.main(words), terminal.getvalue()

    for file, text, status in (("danhsach.csv", sent, 0), ("saisot.csv", spoilt, 1)):
        (tmp_path / file).write_text(text, encoding="utf-8")
        command = f"edumail roster import inventories/thu th-suoi-mo {file} --plan --lang {lang}"
        assert [run(file, "--plan")] == [(status, shown) for shown in outputs(lang, command)]
    assert run("danhsach.csv", "--yes")[0] == 0
    assert inventory.problems() == []
    assert "left/th-suoi-mo.csv" not in run("danhsach.csv", "--yes")[1]


def written(before: list[Rendered], after: list[Rendered], word: str) -> list[str]:
    """The lines of ``--dry`` that name files."""
    result = []
    for old, new in zip(before, after, strict=True):
        for was, shall in zip(old.releases, new.releases, strict=True):
            paths, _ = changed_paths(was.tree.manifest, shall.tree)
            if paths:
                more = f" … (+{len(paths) - 8})" if len(paths) > 8 else ""
                result.append(f"      {shall.role}: {word} {len(paths)}: {', '.join(paths[:8])}{more}")
    return result


def test_the_files_that_the_plan_names_are_those_that_the_school_changes(inventory: Inventory) -> None:
    before = rendered(inventory.folder)
    added_school(inventory, "en")
    after = rendered(inventory.folder)
    for lang, word in (("en", "write"), ("vi", "ghi")):
        (shown,) = outputs(lang, f"edumail deploy inventories/thu --dry --lang {lang}")
        lines = [line for line in shown.splitlines() if line.startswith(" " * 6)]
        assert sorted(lines) == sorted(written(before, after, word))
