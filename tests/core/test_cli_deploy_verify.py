"""`edumail deploy` and `edumail verify` without any host: pyinfra and pytest are played by the test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

import pytest
from conftest import LAB, ROOT, Inventory

from edumail import cli
from edumail.circular.verdicts import Finding, Verdict, as_json
from edumail.cli import child as child_process
from edumail.cli.audit import commit_of
from edumail.cli.pyinfra_output import Listener
from edumail.cli.terminal import plain
from edumail.model import Province

HOSTS = ("mail-so", "mail-xa", "mail-thpt")
CONNECTED = [f"    [{host}]   Connected" for host in HOSTS]

Say = Callable[[], str]


class Child:
    """Plays the child process: says ``stderr``, writes ``stdout`` and ``records``, ends with ``code``."""

    def __init__(self) -> None:
        self.stderr: list[str] = []
        self.stdout: Any = None
        self.records: list[dict[str, Any]] = []
        self.verdicts: Mapping[str, Any] | None = None
        self.code = 0
        self.raises: BaseException | None = None
        self.commands: list[Sequence[str]] = []

    def follow(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: TextIO,
        heard: Callable[[str], None],
        tick: Callable[[], None],
        stdout: IO[str],
    ) -> int:
        self.commands.append(command)
        if "EDUMAIL_RUN_LOG" in environment:
            text = "".join(json.dumps(record) + "\n" for record in self.records)
            Path(environment["EDUMAIL_RUN_LOG"]).write_text(text)
        for line in self.stderr:
            log.write(line + "\n")
            heard(plain(line))
            tick()
        if self.raises:
            raise self.raises
        if self.stdout is not None:
            json.dump(self.stdout, stdout)
        if self.verdicts is not None:
            Path(command[command.index("--verdicts") + 1]).write_text(json.dumps(self.verdicts))
        return self.code


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Child:
    child = Child()
    monkeypatch.setattr(child_process, "follow", child.follow)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("EDUMAIL_RUN_LOG", raising=False)
    return child


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Say:
    """Both streams since the last call."""

    def said() -> str:
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return captured.out + captured.err

    return said


def record(host: str, operation: str, result: str) -> dict[str, Any]:
    return {"run": "x", "at": "x", "host": host, "operation": operation, "result": result, "seconds": 0.1}


# --- both commands ---


@pytest.mark.parametrize("command", ["deploy", "verify"])
@pytest.mark.parametrize(("lang", "text"), [("vi", "inventory không có máy chủ «mail-x»"), ("en", "no host 'mail-x'")])
def test_an_unknown_host_is_refused_with_the_list_before_anything_runs(
    child: Child, said: Say, command: str, lang: str, text: str
) -> None:
    assert cli.main([command, str(LAB), "--host", "mail-so", "--host", "mail-x", "--lang", lang]) == 2
    message = said()
    assert text in message
    assert "mail-so, mail-xa, mail-thpt" in message
    assert not child.commands


@pytest.mark.parametrize("command", ["deploy", "verify"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_broken_inventory_touches_no_host(
    child: Child, said: Say, inventory: Inventory, command: str, lang: str
) -> None:
    inventory.replace("units/so.yml", "officer: so-10", "officer: so-99")
    assert cli.main([command, str(inventory.folder), "--lang", lang]) == 1
    assert "units/so.yml:10:12: " + ("people/so.csv không có ai" if lang == "vi" else "nobody") in said()
    assert not child.commands


@pytest.mark.parametrize("command", ["deploy", "verify"])
def test_a_state_folder_that_can_not_be_written_is_one_message(
    child: Child, said: Say, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert cli.main([command, str(LAB), "--lang", "en"]) == 2
    assert "can't write a log" in said()
    assert not child.commands


@pytest.mark.parametrize("command", ["deploy", "verify"])
def test_the_log_is_its_owner_s_alone_and_old_ones_go(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = tmp_path / "state" / "edumail"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"{command}-2000{number:02}.log").touch()
    (folder / "other.log").touch()
    child.stderr = ["    [mail-so]   \x1b[31mSomething\x1b[0m"]
    cli.main([command, str(LAB)])
    logs = sorted(folder.glob(f"{command}-*.log"))
    assert len(logs) == 30
    assert logs[-1].stat().st_mode & 0o777 == 0o600
    assert "Something" in logs[-1].read_text()
    assert (folder / "other.log").exists()


def test_what_a_host_says_can_not_steer_the_terminal() -> None:
    assert plain("\x1b[31mred\x1b[0m\ta\x07\x1b]0;title\x07") == "red    a��]0;title�"


# --- deploy ---


def test_a_run_without_change_says_so_and_what_comes_next(child: Child, said: Say) -> None:
    child.stderr = [*CONNECTED, "--> Starting operation: packages", "    [mail-so]   No changes",
                    "[1/1] packages: 0 thay đổi/changed, 3 giữ nguyên/unchanged, 0 lỗi/failed, 0.1 s"]  # fmt: skip
    child.records = [record(host, "packages", "unchanged") for host in HOSTS]
    child.stdout = {"plan": [], "results": {"operations": []}}
    assert cli.main(["deploy", str(LAB), "--lang", "en"]) == 0
    text = said()
    assert "[1/1] install packages – unchanged: mail-so, mail-thpt, mail-xa (0.1 s)" in text
    assert text.count("nothing to change") == 3
    assert "edumail dns" in text
    assert "edumail verify" in text
    (command,) = child.commands
    assert "-y" in command
    assert "--no-wait" not in command


def test_changes_are_told_by_host(child: Child, said: Say) -> None:
    child.stderr = CONNECTED
    child.records = [record("mail-so", name, "changed") for name in ("packages", "postfix: stage", "postfix: activate")]
    child.records += [record("mail-xa", "packages", "unchanged")]
    child.stdout = {"results": {"operations": []}}
    assert cli.main(["deploy", str(LAB), "--lang", "vi", "--host", "mail-xa", "--host", "mail-so"]) == 0
    text = said()
    assert "mail-so  3 thay đổi (cài gói phần mềm, postfix)" in text
    assert "mail-xa  không có gì thay đổi" in text
    assert "mail-thpt" not in text
    assert [w for f, w in zip(child.commands[0], child.commands[0][1:], strict=False) if f == "--limit"] == [
        "mail-so",
        "mail-xa",
    ]


def test_a_failed_host_is_told_in_the_daemon_s_own_words_with_the_log(child: Child, said: Say) -> None:
    child.stderr = [
        *CONNECTED,
        "--> Starting operation: postfix: activate",
        "    [mail-xa]   postfix: warning: /etc/postfix/main.cf: unused parameter: x=y",
        "    [mail-xa]   postfix: fatal: bad numerical configuration: smtpd_recipient_limit = viele",
        "    [mail-so]   Success",
        "    [mail-xa]   Error: executed 0 commands",
        "[16/18] postfix: activate: 1 thay đổi/changed, 1 giữ nguyên/unchanged, 1 lỗi/failed, 2.0 s",
    ]
    child.records = [record("mail-xa", "postfix: activate", "error"), record("mail-so", "postfix: activate", "changed")]
    child.stdout = {"plan": [], "results": {"operations": []}}
    child.code = 1
    assert cli.main(["deploy", str(LAB), "--lang", "en"]) == 1
    text = said()
    assert "mail-xa    FAILED at 'postfix: check and make live'" in text
    assert "smtpd_recipient_limit = viele" in text
    assert "mail-so    1 changed (postfix)" in text
    (log,) = [line.removeprefix("Full log: ") for line in text.splitlines() if line.startswith("Full log")]
    assert "smtpd_recipient_limit" in Path(log).read_text()
    assert "edumail dns" not in text


@pytest.mark.parametrize(
    ("lang", "text"), [("vi", "ĐANG BỊ KHÓA bởi lan@may-1 (pid 7)"), ("en", "LOCKED by lan@may-1")]
)
def test_a_locked_host_is_told_with_who_holds_it(child: Child, said: Say, lang: str, text: str) -> None:
    message = (
        "đang có lượt triển khai khác: lan@may-1 (pid 7), 2026-01-01; máy này được giữ nguyên, hãy thử lại"
        " / another deploy is running: lan@may-1 (pid 7), 2026-01-01; this host was left alone, try again"
    )
    child.stderr = [*CONNECTED, f"    [mail-so]   {message}"]
    child.records = [record(host, "packages", "unchanged") for host in HOSTS[1:]]
    child.stdout = {"results": {"operations": []}}
    child.code = 1
    assert cli.main(["deploy", str(LAB), "--lang", lang]) == 1
    assert text in said()


def test_a_host_that_does_not_answer_is_told_apart_from_those_that_did(child: Child, said: Say) -> None:
    child.stderr = [*CONNECTED[:2], "    [mail-thpt] Could not connect ([Errno None] Unable to connect to port 22)"]
    child.records = [record(host, "packages", "unchanged") for host in HOSTS[:2]]
    child.stdout = {"results": {"operations": []}}
    child.code = 1
    assert cli.main(["deploy", str(LAB), "--lang", "en"]) == 1
    text = said()
    assert "mail-thpt  could NOT be reached" in text
    assert "Unable to connect to port 22" in text
    assert text.count("nothing to change") == 2


def test_a_run_that_died_part_way_is_not_told_as_done(child: Child, said: Say) -> None:
    child.stderr, child.code = CONNECTED, -9
    child.records = [record(host, "packages", "changed") for host in HOSTS]
    assert cli.main(["deploy", str(LAB), "--lang", "en"]) == 1
    assert said().count("NOT FINISHED") == 3


def test_pyinfra_that_does_not_start_is_status_2(child: Child, said: Say) -> None:
    child.stderr, child.code = ["Traceback (most recent call", "ModuleNotFoundError: No module named 'pyinfra'"], 1
    assert cli.main(["deploy", str(LAB), "--lang", "en"]) == 2
    assert "pyinfra could not start: ModuleNotFoundError: No module named 'pyinfra'" in said()


@pytest.mark.parametrize(("lang", "text"), [("vi", "chạy lại lệnh này để làm nốt"), ("en", "finishes the rest")])
def test_interrupting_a_deploy_says_that_running_again_finishes_it(
    child: Child, said: Say, lang: str, text: str
) -> None:
    child.raises = KeyboardInterrupt()
    assert cli.main(["deploy", str(LAB), "--lang", lang]) == 130
    assert text in said()


def plan(**hosts: str) -> dict[str, Any]:
    rows = [{"name": name, "hosts_with_change": [h.replace("_", "-") for h, names in hosts.items() if name in names],
             "hosts_with_conditional_change": []} for name in ("packages", "nginx: stage")]  # fmt: skip
    return {"plan": rows, "results": None}


def test_dry_says_what_would_change_on_which_host_and_runs_nothing(child: Child, said: Say) -> None:
    child.stderr = [*CONNECTED, "    [mail-so]   portal: ghi/write 1: nginx.conf; xóa/remove 0"]
    child.stdout = plan(mail_so="nginx: stage")
    assert cli.main(["deploy", str(LAB), "--dry", "--lang", "vi"]) == 0
    text = said()
    assert "mail-so: 1 việc: nginx\n      portal: ghi 1: nginx.conf\n" in text
    assert text.count("không có gì phải thay đổi") == 2
    assert "Chưa thay đổi gì" in text
    (command,) = child.commands
    assert "--dry" in command
    assert "-y" not in command


def test_dry_with_a_host_out_of_reach_is_status_1(child: Child, said: Say) -> None:
    child.stderr, child.stdout, child.code = CONNECTED[:2], plan(), 1
    assert cli.main(["deploy", str(LAB), "--dry", "--lang", "en"]) == 1
    assert "mail-thpt: could NOT be reached" in said()


@pytest.mark.parametrize(("answer", "runs"), [("y\n", 2), ("n\n", 1), ("", 1)])
def test_asking_shows_the_plan_first_and_takes_no_for_an_answer(
    child: Child, said: Say, monkeypatch: pytest.MonkeyPatch, answer: str, runs: int
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    child.stderr, child.stdout = CONNECTED, plan(mail_so="packages") | {"results": {"operations": []}}
    assert cli.main(["deploy", str(LAB), "--ask", "--lang", "en"]) == 0
    assert "Deploy these changes?" in said()
    assert ["--dry" in command for command in child.commands] == [True, False][:runs]


def test_the_words_of_progress_and_lock_are_those_that_are_read() -> None:
    """The roles write what the command reads; pyinfra is loaded in a process of its own, since it patches sockets."""
    program = (
        "from types import SimpleNamespace as N; from roles.common.progress import RUN_LOG, Progress; p = Progress();"
        "p.total, p.begun, p.operation_started = 18, {'h'}, {'h': 0.0};"
        "p.operation_end(N(inventory=[], get_op_meta=lambda h: N(names={'base: stage'})), 'h'); print(RUN_LOG)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    heard: list[tuple[Any, ...]] = []
    Listener(HOSTS, lambda *what: heard.append(what)).hear(done.stderr.strip().splitlines()[-1])
    assert [what[:3] for what in heard] == [("base: stage", 1, 18)]
    assert done.stdout.strip() == "EDUMAIL_RUN_LOG"
    lock = (ROOT / "roles" / "common" / "lock.py").read_text(encoding="utf-8")
    assert "another deploy is running: {holder}; this host was left alone" in lock


def test_a_child_is_heard_line_by_line_and_its_end_is_told(tmp_path: Path) -> None:
    program = "import sys; print('a', file=sys.stderr); print('b\\x1b[0m', file=sys.stderr); sys.exit(3)"
    heard: list[str] = []
    with (tmp_path / "log").open("w+") as log, (tmp_path / "out").open("w") as out:
        code = child_process.follow([sys.executable, "-c", program], {}, log, heard.append, lambda: None, out)
    assert (code, heard) == (3, ["a", "b"])


# --- verify ---


def verdicts(province: Province, **changes: str) -> dict[str, Any]:
    """What the checks write when two requirements were asked of every unit and all is well but for ``changes``."""
    found = [
        Finding(unit, name, changes.get(unit.replace("-", "_"), "pass"), (f"seen {unit}",))  # type: ignore[arg-type]
        for unit in province.units
        for name in ("C37-4.1", "C37-4.2.1")
    ]
    return {"findings": as_json(found), "incomplete": [], "asked": ["C37-4.2.1", "C37-4.1"], "open": []}


@pytest.mark.parametrize(
    ("changes", "pytest_code", "status", "words"),
    [
        ({}, 0, 0, "No fail; 4 questions are left"),
        ({"so": "fail"}, 1, 1, "2 fail."),
        ({"so": "not-tested"}, 0, 0, "7 questions are left"),  # its two, and with no answer at all 16.1
    ],
)
def test_exit_status_of_a_whole_run(
    child: Child, said: Say, province: Province, changes: dict[str, str], pytest_code: int, status: int, words: str
) -> None:
    child.verdicts, child.code = verdicts(province, **changes), pytest_code
    assert cli.main(["verify", str(LAB), "--lang", "en"]) == status
    text = said()
    assert words in text
    left = r"128 of the circular's 132 requirements no host answers: \d+ can only be attested, 3 from others"
    assert re.search(left, text)
    assert "assessed against Circular 37/2020/TT-BGDĐT as codified" in text
    assert ("INCOMPLETE" in text) == (status == 2)
    assert ("seen so" in text) == (status == 1)
    assert "certified" not in text


@pytest.mark.parametrize("code", [2, 3, 4, 5, -9])
@pytest.mark.parametrize("written", [True, False])
def test_pytest_that_did_not_run_to_its_end_is_an_incomplete_run(
    child: Child, said: Say, province: Province, code: int, written: bool
) -> None:
    child.verdicts, child.code = (verdicts(province) if written else None), code
    assert cli.main(["verify", str(LAB), "--lang", "en"]) == 2
    text = said()
    assert f"pytest ended with {code}" in text
    assert "No fail" not in text
    assert "Full log: " in text


@pytest.mark.parametrize(
    "change",
    [{"incomplete": ["x broke"]}, {"findings": []}, {"asked": [], "findings": []}, {"asked": ["C37-4.1", "C37-4.3.1"]}],
)
def test_what_was_not_answered_is_an_incomplete_run(
    child: Child, said: Say, province: Province, change: dict[str, Any]
) -> None:
    child.verdicts = verdicts(province) | change
    assert cli.main(["verify", str(LAB), "--lang", "vi"]) == 2
    text = said()
    assert "CHƯA TRỌN VẸN" in text
    assert "Không có điểm nào không đạt" not in text


def test_a_check_that_fails_without_a_verdict_is_an_incomplete_run(child: Child, province: Province) -> None:
    child.verdicts, child.code = verdicts(province), 1
    assert cli.main(["verify", str(LAB)]) == 2


def test_units_of_a_host_out_of_reach_are_open_and_the_others_stand(
    child: Child, said: Say, province: Province, tmp_path: Path
) -> None:
    content = verdicts(province)
    content["findings"] = [row for row in content["findings"] if province.units[row["unit"]].host != "mail-xa"]
    content["incomplete"] = ["mail-xa was not reached: no route"]
    content["open"] = [{"host": "mail-xa", "requirements": [name], "why": "mail-xa was not reached: no route"}
                       for name in content["asked"]]  # fmt: skip
    child.verdicts, child.code = content, 1
    target = tmp_path / "v.json"
    assert cli.main(["verify", str(LAB), "--lang", "en", "--json", str(target)]) == 2
    assert "mail-xa was not reached: no route" in said()
    written = json.loads(target.read_text(encoding="utf-8"))
    assert written["incomplete"] == content["incomplete"]
    by_key = {(row["unit"], row["requirement"]): row for row in written["findings"]}
    for unit in province.units.values():
        row = by_key[unit.id, "C37-4.1"]
        if unit.host == "mail-xa":
            assert (row["verdict"], row["evidence"][0]) == ("not-tested", "mail-xa was not reached: no route")
        else:
            assert row["verdict"] == "pass"


def test_what_lots_left_out_was_not_asked(child: Child, province: Province, tmp_path: Path) -> None:
    found = [Finding(unit, "C37-4.1", "pass", ("seen",)) for unit in province.units]
    found += [
        Finding("so", "C37-12.2", "not-tested", ("not drawn",), gap="lots"),
        Finding("thpt-song-que", "C37-12.2", "not-tested", ("no browser",)),
        Finding("mn-hoa-sen", "C37-12.2", "not-tested", ("the gateway was not reached",), gap="unasked"),
    ]
    child.verdicts = {"findings": as_json(found), "incomplete": [], "asked": ["C37-4.1"], "open": []}
    target = tmp_path / "v.json"
    cli.main(["verify", str(LAB), "--json", str(target)])
    rows = json.loads(target.read_text(encoding="utf-8"))["findings"]
    by_unit = {row["unit"]: row for row in rows if row["requirement"] == "C37-16.1"}
    assert (by_unit["so"]["verdict"], by_unit["so"]["gap"]) == ("not-tested", "lots")
    assert "1 answered, 0 asked and left open, 1 not asked by lots, 0 without" in by_unit["so"]["evidence"][0]
    assert by_unit["thpt-song-que"]["verdict"] == "pass"
    assert by_unit["mn-hoa-sen"]["verdict"] == "not-tested"
    assert "0 not asked by lots, 1 without" in by_unit["mn-hoa-sen"]["evidence"][0]


@pytest.mark.parametrize(
    ("verdict", "answered"),
    [("pass", "pass"), ("fail", "pass"), ("not-applicable", "pass"), ("not-tested", "not-tested")],
)
def test_a_unit_can_be_inspected_when_hosts_answered_and_not_when_all_was_left_open(
    child: Child, province: Province, tmp_path: Path, verdict: Verdict, answered: Verdict
) -> None:
    found = [Finding(unit, "C37-4.1", verdict, ("seen",)) for unit in province.units]
    child.verdicts = {"findings": as_json(found), "incomplete": [], "asked": ["C37-4.1"], "open": []}
    target, report = tmp_path / "v.json", tmp_path / "v.html"
    cli.main(["verify", str(LAB), "--json", str(target), "--html", str(report)])
    rows = json.loads(target.read_text(encoding="utf-8"))["findings"]
    assert {row["verdict"] for row in rows if row["requirement"] == "C37-16.1"} == {answered}
    text = report.read_text(encoding="utf-8")
    page = text[text.index('<section class="page" id="C37-16.1"') :].partition("</section>")[0]
    assert "this audit asked every question" in page
    assert "no host was asked" not in page


def test_files_hold_every_verdict_of_the_hosts_that_were_asked(
    child: Child, province: Province, tmp_path: Path
) -> None:
    child.verdicts = verdicts(province)
    target, report = tmp_path / "v.json", tmp_path / "v.html"
    own = tmp_path / "config"
    own.touch()
    words = ["--host", "mail-thpt", "--json", str(target), "--html", str(report), "--outside", "me@example.org"]
    words += ["--ssh-config", str(own)]
    assert cli.main(["verify", str(LAB), *words]) == 0
    content = json.loads(target.read_text(encoding="utf-8"))
    assert (content["hosts"], content["left"]) == (["mail-thpt"], ["mail-so", "mail-xa"])
    assert re.fullmatch(r"[0-9a-f]{40}( .* and changed files)?|.* unknown", content["commit"])
    assert content["at"].endswith("Z")
    assert {row["unit"] for row in content["findings"]} == {"thpt-song-que"}
    assert len(content["findings"]) == 132
    assert all(row["evidence"] for row in content["findings"])
    assert "Sông Quế" in report.read_text(encoding="utf-8")
    command = child.commands[0]
    assert "ssh://auditor@mail-thpt" in command
    assert command[command.index("--outside") + 1] == "me@example.org"
    assert command[command.index("--ssh-config") + 1] == str(own)


def test_a_file_that_can_not_be_written_is_told_before_the_audit(child: Child, said: Say) -> None:
    assert cli.main(["verify", str(LAB), "--json", "/nowhere/v.json", "--lang", "en"]) == 2
    assert "can't write /nowhere/v.json" in said()
    assert not child.commands


def test_the_table_fits_the_terminal_and_names_units_in_vietnamese(
    child: Child, said: Say, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    child.verdicts = verdicts(province)
    for columns, tables in ((40, 4), (52, 2), (120, 1)):
        monkeypatch.setenv("COLUMNS", str(columns))
        cli.main(["verify", str(LAB), "--lang", "en"])
        rows = [line for line in said().splitlines() if line.startswith("Trường Tiểu học Suối Mơ")]
        assert len(rows) == tables
        assert sum(row.count("✓ pass") for row in rows) == 3


def test_evidence_is_one_flag_away_and_never_steers_the_terminal(child: Child, said: Say, province: Province) -> None:
    content = verdicts(province)
    first = Finding("so", "C37-4.1", "pass", ("220 \x1b[2Jmail ESMTP",))
    content["findings"] = [*as_json([first]), *content["findings"][1:]]
    child.verdicts = content
    assert cli.main(["verify", str(LAB)]) == 0
    assert "ESMTP" not in said()
    assert cli.main(["verify", str(LAB), "--evidence"]) == 0
    text = said()
    assert "220 mail ESMTP" in text
    assert "\x1b" not in text


def test_interrupting_an_audit_gives_no_verdict(child: Child, said: Say) -> None:
    child.raises = KeyboardInterrupt()
    assert cli.main(["verify", str(LAB), "--lang", "en"]) == 130
    assert "there is no verdict" in said()


def test_the_real_pytest_with_a_wrong_host_is_an_incomplete_run(tmp_path: Path) -> None:
    """One true child: usage errors of pytest come back as an incomplete run, not as a good one."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    program = (
        "from edumail.cli import audit, main; audit.chosen_hosts = lambda known, wanted: ['mail-x'];"
        f"raise SystemExit(main(['verify', {str(LAB)!r}, '--host', 'mail-x', '--lang', 'en']))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "THE RUN WAS INCOMPLETE" in done.stdout


def test_which_commit_audits_is_known_where_git_knows_it(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert commit_of(tmp_path) == "không rõ / unknown"
    git("init", "-q")
    (tmp_path / "a.py").write_text("a")
    git("add", ".")
    git("commit", "-qm", "a")
    (tmp_path / "baocao").mkdir()
    (tmp_path / "baocao" / "report.html").write_text("x")
    assert commit_of(tmp_path) == git("rev-parse", "HEAD")
    assert commit_of(tmp_path / "baocao") == "không rõ / unknown"
    (tmp_path / "a.py").write_text("b")
    assert commit_of(tmp_path).endswith(" and changed files")


# --- report ---


def test_a_report_asks_the_hosts_itself_and_an_incomplete_audit_makes_an_incomplete_report(
    child: Child, said: Say, province: Province, tmp_path: Path
) -> None:
    content = verdicts(province) | {"incomplete": ["mail-xa was not reached: no route"]}
    content["checks"] = [{"test": "tests/x.py::test_mail_arrives", "about": "", "requirements": ["C37-4.1"]}]
    child.verdicts = content
    out = tmp_path / "r"
    assert cli.main(["report", str(LAB), "--out", str(out), "--host", "mail-thpt", "--lang", "en"]) == 2
    assert "THE RUN WAS INCOMPLETE" in said()
    assert "ssh://auditor@mail-thpt" in child.commands[0]
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "mail-xa was not reached: no route" in text
    assert "mail arrives" in text
    assert 'errors="1"' in (out / "junit.xml").read_text(encoding="utf-8")


def test_an_interrupted_audit_leaves_no_report(child: Child, tmp_path: Path) -> None:
    child.raises = KeyboardInterrupt()
    assert cli.main(["report", str(LAB), "--out", str(tmp_path / "r")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_report_that_can_not_be_written_asks_nobody(
    child: Child, said: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["report", str(LAB), "--out", str(tmp_path / "a" / "b"), "--lang", "en"]) == 1
    assert "there is no folder" in said()
    assert cli.main(["report", str(LAB), "--out", str(tmp_path / "r"), "--weights", str(tmp_path / "none.yml")]) == 1
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert cli.main(["report", str(LAB), "--out", ".", "--lang", "en"]) == 1
    assert "choose a new folder" in said()
    assert cli.main(["report", str(LAB), "--out", "/proc/r", "--lang", "en"]) == 1  # where nobody can write
    assert "can't write into /proc" in said()
    assert not child.commands


def test_an_audit_that_was_cut_goes_on_with_its_answers_and_only_when_it_is_told_to(
    child: Child, said: Say, province: Province
) -> None:
    def journal() -> Path:
        return Path(child.commands[-1][child.commands[-1].index("--journal") + 1])

    child.raises = KeyboardInterrupt()
    assert cli.main(["verify", str(LAB), "--lang", "en"]) == 130
    assert "--resume" in said()
    journal().write_text("answers")
    assert cli.main(["verify", str(LAB), "--lang", "en", "--resume"]) == 130
    assert journal().read_text() == "answers"
    cli.main(["verify", str(LAB), "--lang", "en"])
    assert not journal().exists()
    child.raises, child.verdicts = None, verdicts(province)
    journal().write_text("answers")
    cli.main(["verify", str(LAB), "--lang", "en", "--resume"])
    assert not journal().exists()  # it came to its end
