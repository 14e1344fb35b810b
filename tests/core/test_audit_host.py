"""What ``edumail-audit`` says of a release that is not as a deploy left it, and of mail that waits."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from edumail.tree import Tree
from roles.audit.render import COMPILED
from roles.common.archive import RESERVED
from roles.common.lock import holder_script
from tests.rendered import rendered

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"
APP = Path(__file__).resolve().parents[2] / "roles" / "audit" / "app" / "edumail_host.py"
PAGE, TWIN = "sites/th/index.html", "sites/th/index.html.gz"
GONE = "đã đổi hoặc mất / changed or gone"
STRANGE = "không do lần triển khai nào đặt vào / nobody deployed it"
OTHER = "không phải bản tạo từ tệp nguồn / is not what its source gives"
FILES = {PAGE: b"<h1>Tin</h1>", "nginx.conf": b"events {}"}
SENDERS = "login,sender\nan@x.test,so@x.test\n"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(APP.parent))
    made = importlib.import_module("edumail_made")
    recipes = tmp_path / "compile.json"
    recipes.write_text(json.dumps(COMPILED | {"tables": "cd {tree} && cp domains domains.cdb"}))
    monkeypatch.setattr(made, "RECIPES", recipes)
    monkeypatch.setattr(made, "SCRATCH", tmp_path / "again")
    spec = importlib.util.spec_from_file_location("edumail_host", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def released(trees: Path, role: str, files: dict[str, bytes]) -> Path:
    """A release as a deploy stages it."""
    release = trees / role / "releases" / "1"
    release.mkdir(parents=True)
    for name, content in files.items():
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_bytes(content)
    listed(release, files)
    (trees / role / "current").symlink_to("releases/1")
    return trees / role / "current"


def listed(release: Path, files: Mapping[str, bytes]) -> None:
    """Writes the list of files, and what ``sha256sum`` notes beside it."""
    (release / ".manifest").write_text(Tree.of(files).manifest)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    (release / ".sums").write_text("".join(sums))


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A release with one compressed twin, as a deploy leaves it."""
    release = released(tmp_path / "trees", "portal", FILES)
    (release / TWIN).write_bytes(gzip.compress(FILES[PAGE]))
    return release


def wrong(app: ModuleType, live: Path) -> list[str]:
    found = app.trees(live.parents[1])["roles"][live.parent.name]["wrong"]
    return [said.removeprefix(f"{live}/") for said in found]


def test_a_release_as_it_was_deployed_is_good(app: ModuleType, live: Path) -> None:
    assert wrong(app, live) == []
    (live / TWIN).unlink()
    assert wrong(app, live) == [], "a small page has none"


def test_what_a_deploy_notes_in_a_release_is_known_to_an_audit(app: ModuleType) -> None:
    assert app.RESERVED == RESERVED


def test_a_tree_without_files_is_good(app: ModuleType, tmp_path: Path) -> None:
    assert wrong(app, released(tmp_path / "trees", "results", {})) == []


def changed_with_its_sum(live: Path) -> None:
    (live / PAGE).write_bytes(b"x")
    sums = (live / ".sums").read_text()
    (live / ".sums").write_text(sums.replace(hashlib.sha256(FILES[PAGE]).hexdigest(), hashlib.sha256(b"x").hexdigest()))


def linked(name: str) -> Callable[[Path], None]:
    def edit(live: Path) -> None:
        (live / name).rename(live.parent / "elsewhere")
        (live / name).symlink_to(live.parent / "elsewhere")

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (changed_with_its_sum, [f"{PAGE}: {GONE}"]),
        (lambda live: (live / PAGE).unlink(), [f"{PAGE}: {GONE}"]),
        (lambda live: (live / PAGE).chmod(0o755), [f"{PAGE}: {GONE}"]),
        (linked(PAGE), [f"{PAGE}: {GONE}"]),
        (lambda live: (live / TWIN).write_bytes(gzip.compress(b"x")), [f"{TWIN}: {OTHER}"]),
        (lambda live: (live / TWIN).write_bytes(b"x"), [f"{TWIN}: {OTHER}"]),
        (linked(TWIN), [f"{TWIN}: {OTHER}"]),
        (lambda live: (live / "more.gz").write_bytes(gzip.compress(b"x")), [f"more.gz: {STRANGE}"]),
        (lambda live: (live / "more").write_bytes(b"x"), [f"more: {STRANGE}"]),
        (lambda live: (live / "more").symlink_to("sites"), [f"more: {STRANGE}"]),
        (lambda live: (live / "nginx.conf.cdb").write_bytes(b"x"), [f"nginx.conf.cdb: {STRANGE}"]),
    ],
)
def test_what_differs_is_named(app: ModuleType, live: Path, edit: Callable[[Path], object], said: list[str]) -> None:
    edit(live)
    assert sorted(wrong(app, live)) == sorted(said)


def test_a_list_that_was_changed_too_is_no_longer_the_one_that_the_auditor_compiles(
    app: ModuleType, live: Path
) -> None:
    def told() -> str:
        return str(app.trees(live.parents[1])["roles"]["portal"]["live"])

    assert told() == Tree.of(FILES).digest
    listed(live, FILES | {PAGE: b"x"})
    assert told() != Tree.of(FILES).digest
    (live / ".manifest").unlink()
    assert [said.endswith("no release") for said in wrong(app, live)] == [True]


def test_what_was_compiled_is_compiled_again(app: ModuleType, tmp_path: Path) -> None:
    live = released(tmp_path / "trees", "tables", {"domains": b"x.test -", "main.cf": b""})
    assert wrong(app, live) == ["domains.cdb: mất / gone"]
    shutil.copy(live / "domains", live / "domains.cdb")
    assert wrong(app, live) == []
    (live / "domains.cdb").write_bytes(b"evil.test -")
    (live / "main.cf.cdb").touch()
    assert wrong(app, live) == [f"domains.cdb: {OTHER}", f"main.cf.cdb: {STRANGE}"]
    (live / "main.cf.cdb").unlink()
    shutil.copy(live / "domains", live / "domains.cdb")
    assert wrong(app, live) == []
    linked("domains.cdb")(live)
    assert wrong(app, live) == [f"domains.cdb: {OTHER}"]
    (live / "domains").unlink()
    said = wrong(app, live)
    assert f"domains: {GONE}" in said
    assert any("can't be compiled again: cp: " in line for line in said)
    assert not app.edumail_made.SCRATCH.exists(), "nothing is left of it"


def test_what_takes_too_long_is_told_of(app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.edumail_made, "SECONDS", 0.1)
    app.edumail_made.RECIPES.write_text(json.dumps({"tables": "sleep 20; touch {tree}/domains.cdb"}))
    live = released(tmp_path / "trees", "tables", {"domains": b"x.test -"})
    assert [said.endswith("can't be compiled again: exit 124") for said in wrong(app, live)] == [True]


COMPILE = """\
import sys
from pathlib import Path
import edumail_made
edumail_made.SCRATCH, edumail_made.RECIPES = Path(sys.argv[1]), Path(sys.argv[2])
print(*edumail_made.wrong(Path(sys.argv[3]), "tables", {"domains": ""}, {"domains.cdb"}))"""


class Compiling:
    """A command that compiles a release again, and takes a while over it."""

    def __init__(self, folder: Path):
        self.scratch, self.live = folder / "again", released(folder / "trees", "tables", {"domains": b"x.test -"})
        shutil.copy(self.live / "domains", self.live / "domains.cdb")
        self.recipes = folder / "recipes.json"
        self.recipes.write_text(json.dumps({"tables": "cp {tree}/domains {tree}/domains.cdb; exec sleep 1"}))

    def start(self) -> subprocess.Popen[str]:
        words = [COMPILE, self.scratch, self.recipes, self.live]
        environment = {**os.environ, "PYTHONPATH": str(APP.parent)}
        return subprocess.Popen([sys.executable, "-c", *words], env=environment, stdout=subprocess.PIPE, text=True)

    def begun(self) -> subprocess.Popen[str]:
        process = self.start()
        while not (self.scratch / "domains.cdb").exists():
            assert process.poll() is None
            time.sleep(0.02)
        return process


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_what_an_audit_compiled_that_was_ended_does_not_stay(tmp_path: Path, number: signal.Signals) -> None:
    compiling = Compiling(tmp_path)
    process = compiling.begun()
    assert compiling.scratch.stat().st_mode & 0o777 == 0o700
    process.send_signal(number)
    process.wait(10)
    assert process.returncode not in (0, None)
    if number == signal.SIGKILL:  # then the next one clears it away
        (compiling.scratch / "strange.cdb").touch()
        assert compiling.start().communicate(timeout=20)[0] == "\n"
    assert not compiling.scratch.exists()


def test_an_audit_that_is_ended_while_it_waits_leaves_the_other_alone(tmp_path: Path) -> None:
    compiling = Compiling(tmp_path)
    working, waiting = compiling.begun(), compiling.start()
    time.sleep(0.5)
    waiting.send_signal(signal.SIGTERM)
    waiting.wait(10)
    assert working.communicate(timeout=20)[0] == "\n"


def test_one_audit_waits_for_the_other(tmp_path: Path) -> None:
    compiling = Compiling(tmp_path)
    both = [compiling.begun(), compiling.start()]
    assert [process.communicate(timeout=20)[0] for process in both] == ["\n", "\n"]
    assert not compiling.scratch.exists()


def test_a_database_is_compared_by_what_is_in_it(app: ModuleType, tmp_path: Path) -> None:
    live = released(tmp_path / "trees", "webmail", {"senders.csv": SENDERS.encode()})
    database = live / "senders.db"
    subprocess.run(["sh", "-c", COMPILED["webmail"].replace("{tree}", str(live))], check=True)
    assert wrong(app, live) == []
    stamped = bytearray(database.read_bytes())
    stamped[96:100] = b"\0\0\0\1"  # the version of SQLite that wrote it
    database.write_bytes(stamped)
    assert wrong(app, live) == []
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("INSERT INTO sender VALUES ('an@x.test', 'giamdoc@x.test')")
        opened.commit()
    assert wrong(app, live) == [f"senders.db: {OTHER}"]
    database.write_bytes(b"no database")
    assert wrong(app, live) == [f"senders.db: {OTHER}"]


@pytest.mark.parametrize("same", [True, False])
def test_a_sieve_binary_is_compared_by_its_instructions(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    """Its bytes say where its script lies, and so are never the same."""
    dump = tmp_path / "sieve-dump"
    dump.write_text('#!/bin/sh\ngrep -v ^path "$1"\n')
    dump.chmod(0o755)
    monkeypatch.setattr(app.edumail_made, "DUMP", str(dump))
    script = "(pwd; cat) <once.sieve | sed '1s/^/path /' >once.svbin"
    app.edumail_made.RECIPES.write_text(json.dumps({"dovecot": f"cd {{tree}} && {script}"}))
    live = released(tmp_path / "trees", "dovecot", {"once.sieve": b"stop;\n"})
    (live / "once.svbin").write_text(f"path {live}\n{'stop' if same else 'keep'};\n")
    assert wrong(app, live) == ([] if same else [f"once.svbin: {OTHER}"])


def test_all_that_a_deploy_compiles_is_known_to_an_audit() -> None:
    """What portals have compiled are the twins of their pages."""
    releases = [release for host in rendered(LAB) for release in host.releases]
    compiled = {release.role: release.compile for release in releases if release.compile and release.role != "portal"}
    assert compiled == {role: (command,) for role, command in COMPILED.items()}


def test_a_deploy_that_works_on_the_host_while_its_trees_are_read_is_told_of(
    app: ModuleType, live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"

    def deploying() -> bool:
        return bool(app.trees(live.parents[1], lock)["deploying"])

    assert not deploying()
    lock.write_text("an@máy")
    app.os.utime(lock, (0, 0))
    assert not deploying(), "what a deploy leaves when it ends, or dies"
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert deploying()
    assert not deploying()
    monkeypatch.setattr(app, "_tree", lambda folder: lock.write_text("binh@máy"))
    assert deploying(), "it began and ended meanwhile"


IN_A_CONTAINER = ("unshare", "--map-root-user", "--pid", "--fork", "--mount-proc")
ASK = """\
import sys
from pathlib import Path
import edumail_host
print(edumail_host._held(Path(sys.argv[1])), flush=True)"""


@pytest.mark.parametrize("around", [(), IN_A_CONTAINER], ids=["host", "container"])
def test_the_lock_of_a_deploy_is_seen_although_who_took_it_has_ended(tmp_path: Path, around: tuple[str, ...]) -> None:
    """As in a container, whose kernel lists no locks of processes that have ended."""
    if around and subprocess.run([*around, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces of processes here")
    ask = shlex.join([sys.executable, "-c", ASK, "lock"])
    script = f"""\
mkfifo alive
{ask}
({holder_script("an@máy", "lock")}) <alive >said &
exec 8>alive
until [ -s said ]; do sleep 0.05; done
{ask}
exec 8>&-
wait
{ask}
"""
    done = subprocess.run(
        [*around, "sh", "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(APP.parent)},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True", "False"], done.stderr


def test_a_deploy_that_begins_while_an_audit_asks_is_not_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    asking = f"{ASK}\nwhile True: edumail_host._held(Path(sys.argv[1]))"
    audit = subprocess.Popen(
        [sys.executable, "-c", asking, lock], env={**os.environ, "PYTHONPATH": str(APP.parent)}, stdout=subprocess.PIPE
    )
    assert audit.stdout is not None
    try:
        audit.stdout.readline()
        with lock.open("r+b") as deploy:
            for _ in range(20_000):
                fcntl.flock(deploy, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(deploy, fcntl.LOCK_UN)
    finally:
        audit.kill()
        audit.communicate()


def test_of_mail_that_waits_it_is_told_what_the_province_itself_has_to_take(
    app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "province.json").write_text('{"domains": ["x.test"], "letters": 9}')
    monkeypatch.setattr(app, "PROVINCE", tmp_path / "province.json")
    now = int(time.time())

    def queue(*messages: tuple[int, list[str]]) -> dict[str, list[int]]:
        lines = [
            json.dumps({"arrival_time": now - hours * 3600, "recipients": [{"address": to} for to in recipients]})
            for hours, recipients in messages
        ]
        monkeypatch.setattr(app, "_said", lambda *command: "\n".join([*lines, ""]))
        return {whose: [said["messages"], said["oldest"] // 3600] for whose, said in app._queue().items()}

    assert queue() == {"all": [0, 0], "inside": [0, 0]}
    typo = (90, ["an@gmial.test", "an@y.x.test", "an@x.test.other"])
    assert queue(typo) == {"all": [1, 90], "inside": [0, 0]}
    assert queue(typo, (60, ["an@other.test", "Binh@X.test"]), (1, ["an@x.test"])) == {
        "all": [3, 90],
        "inside": [2, 60],
    }
