"""What ``edumail-audit`` says of a release that is not as a deploy left it, and of mail that waits."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from roles.common.lock import holder_script

APP = Path(__file__).resolve().parents[2] / "roles" / "audit" / "app" / "edumail_host.py"
PAGE, TWIN = "sites/th/index.html", "sites/th/index.html.gz"
GONE = "đã đổi hoặc mất / changed or gone"
STRANGE = "không do lần triển khai nào đặt vào / nobody deployed it"
ALONE = "chỉ có trong một danh sách / in one list alone (.manifest, .sums)"
FILES = {PAGE: b"<h1>Tin</h1>", "nginx.conf": b"events {}"}


@pytest.fixture
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("edumail_host", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A release with one compressed twin, as a deploy leaves it."""
    release = tmp_path / "portal" / "releases" / "1"
    for name, content in {**FILES, TWIN: gzip.compress(FILES[PAGE])}.items():
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_bytes(content)
    (release / ".manifest").write_text(
        "".join(f"{hashlib.sha256(b'-' + content).hexdigest()}  {name}\n" for name, content in FILES.items())
    )
    (release / ".sums").write_text("".join(line(release, name) for name in FILES))
    (release / ".gzip").write_text(line(release, TWIN))
    (tmp_path / "portal" / "current").symlink_to("releases/1")
    return tmp_path / "portal" / "current"


def line(release: Path, name: str) -> str:
    return f"{hashlib.sha256((release / name).read_bytes()).hexdigest()}  {name}\n"


def wrong(app: ModuleType, live: Path) -> list[str]:
    found = app.trees(live.parents[1])["roles"]["portal"]["wrong"]
    return [said.removeprefix(f"{live}/") for said in found]


def test_a_release_as_it_was_deployed_is_good(app: ModuleType, live: Path) -> None:
    assert wrong(app, live) == []


def test_a_tree_without_twins_has_an_empty_list_of_them_or_none(app: ModuleType, live: Path) -> None:
    (live / TWIN).unlink()
    (live / ".gzip").write_text("")
    assert wrong(app, live) == []
    (live / ".gzip").unlink()
    assert wrong(app, live) == []


def test_a_tree_without_files_is_good(app: ModuleType, live: Path) -> None:
    for name in (TWIN, *FILES):
        (live / name).unlink()
    for name in (".manifest", ".sums", ".gzip"):
        (live / name).write_text("")
    assert wrong(app, live) == []


def without_a_line(listing: str) -> Callable[[Path], object]:
    return lambda live: (live / listing).write_text("".join((live / listing).read_text().splitlines(True)[1:]))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda live: (live / PAGE).write_bytes(b"x"), [f"{PAGE}: {GONE}"]),
        (lambda live: (live / TWIN).write_bytes(gzip.compress(b"x")), [f"{TWIN}: {GONE}"]),
        (lambda live: (live / TWIN).unlink(), [f"{TWIN}: {GONE}"]),
        (without_a_line(".gzip"), [f"{TWIN}: {STRANGE}"]),
        (lambda live: (live / ".gzip").unlink(), [f"{TWIN}: {STRANGE}"]),
        (lambda live: (live / "nginx.conf.gz").write_bytes(b"x"), [f"nginx.conf.gz: {STRANGE}"]),
        (lambda live: (live / "more").write_bytes(b"x"), [f"more: {STRANGE}"]),
        (without_a_line(".sums"), [f"{PAGE}: {ALONE}"]),
        (without_a_line(".manifest"), [f"{PAGE}: {ALONE}",
                                       f"{TWIN}: {STRANGE}", f"{PAGE}: {STRANGE}"]),
        (lambda live: (live / ".sums").write_text(""),
         [f"{name}: {ALONE}" for name in FILES]),
    ],
)  # fmt: skip
def test_what_differs_is_named(app: ModuleType, live: Path, edit: Callable[[Path], object], said: list[str]) -> None:
    edit(live)
    assert sorted(wrong(app, live)) == sorted(said)


def test_sums_that_are_gone_or_can_not_be_read_are_no_good_ones(app: ModuleType, live: Path) -> None:
    kept = (live / ".sums").read_text()
    garbled = "".join("x" * 64 + row[64:] for row in kept.splitlines(True))
    (live / ".sums").write_text(garbled)
    (said,) = wrong(app, live)
    assert said.startswith(".sums: không đối chiếu được / can't be checked: ")
    (live / ".sums").write_text(kept.splitlines(True)[0] + garbled.splitlines(True)[1])
    (said,) = wrong(app, live)
    assert said.startswith(".sums: không đối chiếu được / can't be checked: ")
    (live / ".sums").unlink()
    assert any(said.endswith("no release") for said in wrong(app, live))


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
