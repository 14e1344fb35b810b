"""The scripts that publish a tree, run for real by /bin/sh below a temporary root; systemctl is a script too."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edumail.tree import File, Tree, changed_paths
from roles.common import scripts
from roles.common.archive import pack

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name
ACCESS = scripts.access_line(OWNER, GROUP, world_readable=False)

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1" in
  is-active) [ -e "$CALLS.running" ] ;;
  is-enabled) echo enabled ;;
  restart) if [ -e "$CALLS.broken" ]; then exit 1; fi; touch "$CALLS.running" ;;
  disable) rm -f "$CALLS.running" ;;
  reload-or-restart) [ ! -e "$CALLS.broken" ] ;;
esac
"""


class Machine:
    """A host made of directories: ``root`` stands for /var/lib/edumail, ``etc`` for /etc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "edumail"
        self.trees = self.root / "trees" / "web"
        self.etc = folder / "etc"
        self.etc.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        tool = folder / "bin" / "systemctl"
        tool.parent.mkdir()
        tool.write_text(SYSTEMCTL)
        tool.chmod(0o755)
        self.options: dict[str, object] = {}

    def sh(self, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs one command as pyinfra would."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", script],
            input=stdin,
            capture_output=True,
            text=True,
            env={"PATH": path, "CALLS": str(self.calls)},
            check=False,
        )

    def state(self, tree: Tree, access: str = ACCESS) -> dict[str, str]:
        """What the staging fact reads."""
        done = self.sh(scripts.staged_state("web", tree.digest, access, str(self.root)))
        assert (done.returncode, done.stderr) == (0, "")
        return _pairs(done.stdout)

    def live(self) -> dict[str, str]:
        """What the activation fact reads."""
        compiled = "compile" in self.options
        done = self.sh(scripts.active_state("web", self.links, self.unit, compiled=compiled, root=str(self.root)))
        assert (done.returncode, done.stderr) == (0, "")
        return _pairs(done.stdout)

    def staging(self, tree: Tree, access: str = ACCESS) -> tuple[str, str] | None:
        """The command that staging needs now, with its standard input; None when nothing is to do."""
        found = self.state(tree, access)
        if release := found.get("release"):
            return None if release == found["staged"] else (scripts.stage_again("web", release, str(self.root)), "")
        base = found.get("base") or None
        before = (self.trees / "releases" / base / ".manifest").read_text() if base else ""
        packed = pack(tree, changed_paths(before, tree)[0])
        script = scripts.stage("web", tree.digest, access, base=base, archive_sha256=packed.sha256, root=str(self.root))
        return script, "".join(packed)

    def stage(self, tree: Tree, access: str = ACCESS) -> None:
        """Stages, or does nothing when nothing is to do."""
        if command := self.staging(tree, access):
            done = self.sh(*command)
            assert (done.returncode, done.stderr) == (0, "")

    def is_live(self, tree: Tree) -> bool:
        """Whether the activation operation would do nothing."""
        found = self.live()
        return (
            found["active"] == found.get("current") == tree.digest
            and found["links"] == "right"
            and found.get("unit", "running") == "running"
        )

    @property
    def links(self) -> Mapping[str, str | None]:
        return self.options.get("links", {})

    @property
    def unit(self) -> str | None:
        return self.options.get("unit")

    def activation(self, tree: Tree) -> str:
        """The activation script with this machine's options."""
        return scripts.activate("web", tree.digest, root=str(self.root), **{"links": {}, **self.options})

    def activate(self, tree: Tree) -> subprocess.CompletedProcess[str]:
        """Activates unless there is nothing to do."""
        return self.sh("true" if self.is_live(tree) else self.activation(tree))

    def publish(self, tree: Tree) -> None:
        """Stages and activates, which must work."""
        self.stage(tree)
        done = self.activate(tree)
        assert (done.returncode, done.stderr) == (0, "")

    def files(self, where: str = "current") -> dict[str, bytes]:
        """The files of a release, without those that describe it."""
        return _files((self.trees / where).resolve())

    def called(self) -> list[str]:
        """What systemctl was told since last asked, without questions."""
        said = [line for line in self.calls.read_text().splitlines() if not line.startswith("is-")]
        self.calls.write_text("")
        return said


def _pairs(output: str) -> dict[str, str]:
    return dict(line.partition(" ")[::2] for line in output.splitlines())


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def content(tree: Tree) -> dict[str, bytes]:
    return {path: file.content for path, file in tree.files.items()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setattr(scripts, "COPIES", (f"{machine.etc}/copies/",))
    return machine


A = Tree.of({"main.cf": "one\n", "units/a b's.cf": "x\n", "units/c.cf": "y\n", "run.sh": File(b"#!/bin/sh\n", True)})
B = Tree.of({**A.files, "main.cf": "two\n", "units/new.cf": "z\n"})
C = Tree.of({path: file for path, file in B.files.items() if path != "units/c.cf"})


def test_a_tree_arrives_whole_with_its_modes(machine: Machine) -> None:
    machine.stage(A)
    staged = (machine.trees / "staged").resolve()
    assert machine.files("staged") == content(A)
    assert staged == machine.trees / "releases" / A.digest[:16]
    modes = {path: stat.S_IMODE((staged / path).stat().st_mode) for path in ("main.cf", "run.sh", "units", ".")}
    assert modes == {"main.cf": 0o640, "run.sh": 0o750, "units": 0o2750, ".": 0o2750}
    assert stat.S_IMODE(machine.trees.stat().st_mode) == 0o755


def test_a_world_readable_tree_can_be_read_by_all(machine: Machine) -> None:
    access = scripts.access_line(OWNER, GROUP, world_readable=True)
    packed = pack(A, A, file_mode=0o644)
    script = scripts.stage("web", A.digest, access, base=None, archive_sha256=packed.sha256, root=str(machine.root))
    assert machine.sh(script, "".join(packed)).returncode == 0
    staged = (machine.trees / "staged").resolve()
    modes = {path: stat.S_IMODE((staged / path).stat().st_mode) for path in ("main.cf", "run.sh", "units")}
    assert modes == {"main.cf": 0o644, "run.sh": 0o755, "units": 0o2755}


def test_the_archive_is_the_same_every_time() -> None:
    packed = pack(A, A)
    assert packed.sha256 == pack(Tree.of(dict(reversed(A.files.items()))), reversed(list(A))).sha256
    assert base64.b64decode("".join(packed))[4:8] == bytes(4)  # gzip's own time stamp


def test_an_archive_of_many_lines_arrives_whole(machine: Machine) -> None:
    large = Tree.of({"noise": os.urandom(1_000_000), "small": "x"})
    assert len([*pack(large, large)]) > 10
    machine.stage(large)
    assert ((machine.trees / "staged").resolve() / "noise").read_bytes() == large.files["noise"].content


def test_a_tree_may_not_use_the_names_that_a_release_needs() -> None:
    with pytest.raises(ValueError, match=r"\.sums"):
        pack(Tree.of({".sums": "x"}), [".sums"])


def test_staging_twice_does_nothing(machine: Machine) -> None:
    machine.stage(A)
    assert machine.staging(A) is None


def test_only_what_changed_travels_and_older_releases_keep_their_bytes(machine: Machine) -> None:
    machine.publish(A)
    before = {path: path.stat().st_ino for path in (machine.trees / "current").resolve().rglob("*") if path.is_file()}
    command = machine.staging(C)
    assert command is not None
    names = subprocess.run(
        ["tar", "-tz"], input=base64.b64decode(command[1]), capture_output=True, check=True
    ).stdout.decode()
    assert names.split("\n") == [".manifest", "main.cf", "units/new.cf", ""]
    machine.stage(C)
    assert machine.files("staged") == content(C)
    assert machine.files("current") == content(A)
    assert {path: path.stat().st_ino for path in before} == before
    shared = (machine.trees / "staged" / "units" / "a b's.cf").stat()
    assert shared.st_nlink == 2


def test_what_was_compiled_is_not_carried_to_the_next_release(machine: Machine) -> None:
    machine.options = {"compile": ["cat {tree}/units/*.cf > {tree}/units.db"]}
    machine.publish(A)
    assert machine.files()["units.db"] == b"x\ny\n"
    machine.stage(B)
    assert "units.db" not in machine.files("staged")


def test_what_was_compiled_and_edited_by_hand_is_compiled_again(machine: Machine) -> None:
    machine.options = {"compile": ["cat {tree}/*.cf > {tree}/units.db; gzip -k -f {tree}/main.cf"]}
    tree = Tree.of({"main.cf": "one\n"})
    machine.publish(tree)
    live = machine.trees / "current"
    assert machine.is_live(tree)
    (live / "units.db").write_text("by hand\n")
    assert not machine.is_live(tree)
    machine.publish(tree)
    assert machine.is_live(tree)
    assert (live / "units.db").read_text() == "one\n"
    assert (live / ".made").read_text().splitlines()[0].endswith("  units.db")


@pytest.mark.parametrize("name", ["main.cf", "main.db"], ids=["deployed", "compiled"])
def test_a_link_to_the_same_is_no_file(machine: Machine, name: str) -> None:
    """What it leads to may be another's tomorrow: audits refuse it (11.3.3), so a deploy has to mend it."""
    machine.options = {"compile": ["cp {tree}/main.cf {tree}/main.db"]}
    machine.publish(A)
    file, elsewhere = machine.trees / "current" / name, machine.root / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert not machine.is_live(A)
    machine.publish(A)
    assert machine.is_live(A)
    live = machine.trees / "current" / name
    assert not live.is_symlink()
    assert live.read_text() == "one\n"
    elsewhere.write_text("by hand\n")
    assert machine.is_live(A)


def test_what_an_older_edumail_compiled_is_compiled_once_more(machine: Machine) -> None:
    """It kept no sums of that, so whether somebody edited it is not known."""
    machine.options = {"compile": ["cp {tree}/main.cf {tree}/main.db"]}
    machine.publish(A)
    live = machine.trees / "current"
    (live / ".made").unlink()
    (live / "main.db").write_text("by hand\n")
    assert not machine.is_live(A)
    machine.publish(A)
    assert machine.is_live(A)
    assert (live / "main.db").read_text() == "one\n"
    machine.options = {}
    (live / ".made").unlink()
    assert machine.is_live(A), "a role that compiles nothing has none"


def test_an_empty_tree_can_be_published(machine: Machine) -> None:
    machine.publish(Tree.of({}))
    assert machine.staging(Tree.of({})) is None
    assert machine.is_live(Tree.of({}))


def test_an_upload_that_was_cut_short_stages_nothing(machine: Machine) -> None:
    machine.stage(A)
    command = machine.staging(B)
    assert command is not None
    script, archive = command
    done = machine.sh(script, archive[: len(archive) // 2])
    assert done.returncode != 0
    assert "cut short" in done.stderr
    assert machine.files("staged") == content(A)


@pytest.mark.parametrize("stamped", [True, False])
def test_a_release_edited_by_hand_is_made_anew_beside_it(machine: Machine, stamped: bool) -> None:
    machine.publish(A)
    edited = machine.trees / "current" / "main.cf"
    edited.write_text("B" + edited.read_text()[1:])
    if not stamped:
        (machine.trees / "current" / ".stamps").unlink()
    assert not machine.is_live(A)
    machine.publish(A)
    assert machine.files() == content(A)
    assert (machine.trees / "staged").readlink() == Path(f"releases/{A.digest[:16]}.1")
    assert machine.is_live(A)


def test_a_release_that_was_only_touched_is_read_and_trusted(machine: Machine) -> None:
    machine.publish(A)
    live = machine.trees / "current" / "main.cf"
    os.utime(live, ns=(1, 1))
    assert machine.is_live(A)
    live.unlink()
    assert not machine.is_live(A)


def age(file: Path, days: float) -> None:
    """Let it be from so many days ago."""
    os.utime(file, (time.time() - days * 86400,) * 2)


def test_what_nobody_touched_is_read_once_a_day(machine: Machine) -> None:
    """The price of it: what changes without a trace in the file system is found a day later, or by an audit."""
    machine.publish(A)
    live = machine.trees / "current" / "main.cf"
    stamps = machine.trees / "current" / ".stamps"
    age(stamps, 2)
    assert machine.is_live(A)
    assert time.time() - stamps.stat().st_mtime < 3600
    before = live.stat()
    live.write_text("B" + live.read_text()[1:])
    os.utime(live, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert machine.is_live(A)
    age(stamps, 2)
    assert not machine.is_live(A)
    machine.publish(A)
    assert machine.files() == content(A)


def test_what_is_edited_after_it_was_asked_for_is_not_taken_over(machine: Machine) -> None:
    machine.publish(A)
    command = machine.staging(B)
    assert command is not None
    live = machine.trees / "current" / "main.cf"
    kept = live.read_text()
    live.write_text(kept + "# by hand\n")
    done = machine.sh(*command)
    assert done.returncode == 1
    assert "edited meanwhile" in done.stderr
    machine.publish(B)
    assert machine.files() == content(B)


def test_other_readers_make_another_release_of_the_same_tree(machine: Machine) -> None:
    machine.publish(A)
    wide = scripts.access_line(OWNER, GROUP, world_readable=True)
    assert machine.state(A, wide).get("release") is None
    machine.stage(A, wide)
    assert machine.state(A, wide)["release"] == machine.state(A, wide)["staged"]
    assert not machine.is_live(A)  # what is live is not what is staged


def test_going_back_needs_no_upload(machine: Machine) -> None:
    machine.publish(A)
    machine.publish(B)
    command = machine.staging(A)
    assert command is not None
    assert command[1] == ""
    machine.publish(A)
    assert machine.files() == content(A)
    assert machine.files("previous") == content(B)


def test_releases_that_nothing_needs_are_removed(machine: Machine) -> None:
    for tree in (A, B, C):
        machine.publish(tree)
    kept = {path.name for path in (machine.trees / "releases").iterdir()}
    assert kept == {B.digest[:16], C.digest[:16]}


def test_staging_killed_at_any_line_is_finished_by_the_next_run(machine: Machine) -> None:
    def staging(tree: Tree) -> tuple[str, str]:
        command = machine.staging(tree)
        assert command is not None
        return command

    assert _kill_everywhere(machine, staging) > 20


def test_activation_killed_at_any_line_is_finished_by_the_next_run(machine: Machine) -> None:
    def activation(tree: Tree) -> tuple[str, str]:
        machine.stage(tree)
        return machine.activation(tree), ""

    assert _kill_everywhere(machine, activation) > 40


def _kill_everywhere(machine: Machine, command_of: Callable[[Tree], tuple[str, str]]) -> int:
    """Publishes a tree after another, killing the command of each before another line; tells how often."""
    config, copy = machine.etc / "main.cf", machine.etc / "copies" / "main.cf"
    kept = Path(f"{machine.root}/distribution{config}")
    machine.options = {
        "links": {str(config): "main.cf", str(copy): "main.cf"},
        "compile": ["cp {tree}/main.cf {tree}/main.db"],
        "unit": "web.service",
    }

    def another(number: int) -> tuple[Tree, list[str], str]:
        """A new tree; and somebody replaced the link by a file, so that the link has to be made again."""
        config.unlink(missing_ok=True)
        config.write_text(f"by hand {number}\n")
        tree = Tree.of({**A.files, "main.cf": f"{number}\n"})
        script, stdin = command_of(tree)
        return tree, script.split("\n"), stdin

    def files(tree: Tree) -> dict[str, bytes]:
        return {**content(tree), "main.db": tree.files["main.cf"].content}

    machine.publish(A)
    before, lines, stdin = another(-1)
    traced, trace = [], machine.folder / "trace"
    for number, line in enumerate(lines):
        within = bool(lines[number - 1 : number]) and lines[number - 1].endswith(("&&", "||"))
        if not within and not machine.sh("sh -n", "\n".join([*lines[:number], "true", *lines[number:]])).returncode:
            traced.append(f"echo {number} >> {trace}")
        traced.append(line)
    assert machine.sh("\n".join(traced), stdin).returncode == 0
    steps = [int(number) for number in trace.read_text().split()]
    reached = set(steps[steps.index(lines.index('exec 9>"$trees/.lock"')) :])  # before that, nothing is touched
    machine.publish(before)

    every = 1 if os.environ.get("EDUMAIL_EVERY_LINE") else 8  # every line takes half a minute
    for number in sorted(reached)[::every]:
        tree, lines, stdin = another(number)
        assert machine.sh("\n".join([*lines[:number], "kill -9 $$", *lines[number:]]), stdin).returncode == -9
        assert machine.files() in (files(before), files(tree))
        assert config.read_text() in (f"by hand {number}\n", f"{number}\n")
        assert copy.read_bytes() in (before.files["main.cf"].content, tree.files["main.cf"].content)
        machine.publish(tree)
        assert machine.files() == files(tree)
        assert machine.files("previous") == files(before)
        assert config.read_text() == copy.read_text() == f"{number}\n"
        assert not Path(f"{machine.root}/distribution{copy}").exists()
        assert kept.read_text() == f"by hand {number}\n"
        assert machine.is_live(tree)
        assert machine.staging(tree) is None
        assert [path.name for path in machine.trees.iterdir() if path.name.startswith(".")] == [".lock"]
        assert {path for path in machine.etc.rglob("*") if path.is_file()} == {config, copy}
        before = tree
    return len(reached)


def test_what_the_checker_refuses_never_becomes_live(machine: Machine) -> None:
    machine.options = {"check": ["grep -q one {tree}/main.cf || { echo 'main.cf: line 1: bad'; exit 1; }"]}
    machine.publish(A)
    machine.stage(B)
    done = machine.activate(B)
    assert done.returncode != 0
    assert "main.cf: line 1: bad" in done.stderr
    assert "refused" in done.stderr
    assert "kiểm tra" in done.stderr
    assert machine.files() == content(A)
    assert not machine.is_live(B)
    assert machine.live()["active"] == A.digest


def test_a_tree_with_a_failed_probe_is_rolled_back_and_stays_pending(machine: Machine) -> None:
    machine.options = {
        "unit": "web.service",
        "links": {str(machine.etc / "main.cf"): "main.cf"},
        "probe": [f"grep -q one {machine.etc}/main.cf || {{ echo 'no answer'; exit 1; }}"],
        "probe_seconds": 1,
    }
    machine.publish(A)
    assert machine.called() == ["enable --quiet web.service", "reset-failed web.service", "restart web.service"]
    machine.stage(B)
    done = machine.activate(B)
    assert done.returncode != 0
    assert "no answer" in done.stderr
    assert "went back" in done.stderr
    assert machine.files() == content(A)
    assert (machine.etc / "main.cf").read_text() == "one\n"
    assert machine.called().count("reload-or-restart web.service") == 2
    assert machine.live()["active"] == A.digest
    assert not machine.is_live(B)


def test_a_probe_is_given_time(machine: Machine) -> None:
    tried = machine.folder / "tried"
    machine.options = {"probe": [f"[ -e {tried} ] || {{ touch {tried}; exit 1; }}"]}
    machine.publish(A)
    assert machine.is_live(A)


def test_a_service_that_does_not_start_is_rolled_back(machine: Machine) -> None:
    broken = f"{machine.calls}.broken"
    machine.options = {
        "unit": "web.service",
        "compile": [f"if grep -q two {{tree}}/main.cf; then touch {broken}; else rm -f {broken}; fi"],
    }
    machine.publish(A)
    machine.stage(B)
    done = machine.activate(B)
    assert done.returncode != 0
    assert "could not load" in done.stderr
    assert machine.files() == content(A)


def test_the_first_tree_has_nothing_to_go_back_to(machine: Machine) -> None:
    machine.options = {"probe": ["false"], "probe_seconds": 0}
    machine.stage(A)
    done = machine.activate(A)
    assert done.returncode != 0
    assert "no earlier release" in done.stderr
    assert not machine.is_live(A)
    machine.options = {}
    machine.publish(A)
    assert machine.is_live(A)


@pytest.mark.parametrize(
    ("restart_on", "expected"),
    [
        (["main.cf"], "restart"),
        (["units"], "restart"),
        (["run.sh"], "reload-or-restart"),
        ([], "reload-or-restart"),
    ],
)
def test_it_restarts_only_for_the_paths_that_need_it(machine: Machine, restart_on: list[str], expected: str) -> None:
    machine.options = {"unit": "web.service", "restart_on": restart_on}
    machine.publish(A)
    machine.called()
    machine.publish(B)
    assert f"{expected} web.service" in machine.called()


def test_a_service_that_does_not_run_is_started_though_nothing_changed(machine: Machine) -> None:
    machine.options = {"unit": "web.service"}
    machine.publish(A)
    Path(f"{machine.calls}.running").unlink()
    machine.called()
    assert not machine.is_live(A)
    machine.publish(A)
    assert "restart web.service" in machine.called()


def test_a_second_run_does_nothing(machine: Machine) -> None:
    machine.options = {"unit": "web.service", "links": {str(machine.etc / "main.cf"): "main.cf"}}
    machine.publish(A)
    machine.called()
    machine.publish(A)
    assert machine.called() == []


def test_a_link_replaces_what_the_distribution_had_and_keeps_it(machine: Machine) -> None:
    file, folder, default = machine.etc / "main.cf", machine.etc / "units", machine.etc / "sites" / "default"
    file.write_text("distribution\n")
    folder.mkdir()
    (folder / "old").write_text("old\n")
    default.parent.mkdir()
    default.symlink_to("../available")
    machine.options = {"links": {str(file): "main.cf", str(folder): "units", str(default): None}}
    machine.publish(A)
    assert file.read_text() == "one\n"
    assert (folder / "c.cf").read_text() == "y\n"
    assert not default.is_symlink()
    assert not list((machine.etc / "sites").iterdir())
    kept = Path(f"{machine.root}/distribution{machine.etc}")
    assert (kept / "main.cf").read_text() == "distribution\n"
    assert (kept / "units" / "old").read_text() == "old\n"
    assert (kept / "sites" / "default").is_symlink()


def test_a_path_that_is_no_longer_wanted_gets_the_distributions_file_back(machine: Machine) -> None:
    file = machine.etc / "main.cf"
    file.write_text("distribution\n")
    machine.options = {"links": {str(file): "main.cf", str(machine.etc / "run"): "run.sh"}}
    machine.publish(A)
    machine.options = {"links": {}}
    assert not machine.is_live(A)
    machine.publish(A)
    assert file.read_text() == "distribution\n"
    assert not (machine.etc / "run").is_symlink()
    assert machine.is_live(A)


def test_a_link_that_somebody_replaced_is_made_again(machine: Machine) -> None:
    file = machine.etc / "main.cf"
    machine.options = {"links": {str(file): "main.cf"}}
    machine.publish(A)
    file.unlink()
    file.write_text("by hand\n")
    assert not machine.is_live(A)
    machine.publish(A)
    assert file.read_text() == "one\n"
    assert Path(f"{machine.root}/distribution{file}").read_text() == "by hand\n"


def test_new_links_go_when_the_tree_is_rolled_back(machine: Machine) -> None:
    main, new = machine.etc / "main.cf", machine.etc / "new.cf"
    new.write_text("distribution\n")
    machine.options = {"links": {str(main): "main.cf"}}
    machine.publish(A)
    machine.options = {
        "links": {str(main): "main.cf", str(new): "units/new.cf"},
        "probe": ["false"],
        "probe_seconds": 0,
    }
    machine.stage(B)
    assert machine.activate(B).returncode != 0
    assert new.read_text() == "distribution\n"
    assert not new.is_symlink()
    assert main.read_text() == "one\n"


class TestCopies:
    """A plain file where a link would not do."""

    @pytest.fixture
    def file(self, machine: Machine) -> Path:
        file = machine.etc / "copies" / "main.cf"
        machine.options = {"links": {str(file): "main.cf"}}
        return file

    def test_it_is_a_copy_that_follows_the_tree(self, machine: Machine, file: Path) -> None:
        machine.publish(A)
        assert not file.is_symlink()
        assert stat.S_IMODE(file.stat().st_mode) == 0o644  # while the tree is for its group only
        assert file.read_bytes() == A.files["main.cf"].content
        assert machine.is_live(A)
        file.chmod(0o640)
        assert not machine.is_live(A)
        machine.publish(B)
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert file.read_bytes() == B.files["main.cf"].content
        assert not Path(f"{machine.root}/distribution{file}").exists()

    def test_a_link_of_an_earlier_deploy_becomes_a_copy(
        self, machine: Machine, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(scripts, "COPIES", ())
            machine.publish(A)
        assert file.is_symlink()
        assert not machine.is_live(A)
        machine.publish(A)
        assert not file.is_symlink()
        assert not Path(f"{machine.root}/distribution{file}").exists()

    def test_what_somebody_wrote_there_is_kept_aside(self, machine: Machine, file: Path) -> None:
        file.parent.mkdir()
        file.write_text("distribution\n")
        machine.publish(A)
        assert Path(f"{machine.root}/distribution{file}").read_text() == "distribution\n"
        file.write_text("by hand\n")
        assert not machine.is_live(A)
        machine.publish(A)
        assert file.read_bytes() == A.files["main.cf"].content
        assert Path(f"{machine.root}/distribution{file}").read_text() == "by hand\n"

    def test_it_goes_when_it_is_no_longer_wanted(self, machine: Machine, file: Path) -> None:
        machine.publish(A)
        machine.options = {"links": {}}
        machine.publish(A)
        assert not file.exists()

    def test_it_is_rolled_back_with_the_tree(self, machine: Machine, file: Path) -> None:
        machine.publish(A)
        machine.options |= {"probe": ["false"], "probe_seconds": 0}
        machine.stage(B)
        assert machine.activate(B).returncode != 0
        assert file.read_bytes() == A.files["main.cf"].content
        assert not Path(f"{machine.root}/distribution{file}").exists()


def test_after_a_bad_release_the_last_good_one_is_still_the_one_to_go_back_to(machine: Machine) -> None:
    machine.publish(A)
    machine.stage(B)
    # A run that dies right after the switch: B is live, and nobody knows whether it is good.
    script = machine.activation(B)
    assert machine.sh(script.replace('relink "$trees/.links"', "kill -9 $$ #", 1)).returncode == -9
    assert machine.files() == content(B)
    machine.options = {"probe": ["false"], "probe_seconds": 0}
    machine.stage(C)
    assert machine.activate(C).returncode != 0
    assert machine.files() == content(A)


def test_a_role_that_is_not_wanted_any_more_goes_without_a_trace(machine: Machine) -> None:
    ours, copy, theirs = machine.etc / "ours", machine.etc / "copies" / "web.conf", machine.etc / "theirs"
    theirs.write_text("distribution\n")
    links: dict[str, str | None] = {str(path): "main.cf" for path in (ours, copy, theirs)}
    machine.options = {"unit": "web.service", "links": links}
    machine.publish(A)
    machine.called()
    copy.write_text("edited\n")
    lines = scripts.remove("web", "web.service", str(machine.root)).split("\n")
    relinked = next(number for number, line in enumerate(lines) if line.startswith("relink "))
    # Killed once right before the tree goes: the next run ends it.
    for script in ("\n".join([*lines[: relinked + 1], "kill -9 $$"]), "\n".join(lines)):
        assert machine.sh(scripts.present("web", str(machine.root))).stdout == "present\n"
        done = machine.sh(script)
        assert done.stderr == ""
    assert done.returncode == 0
    assert [line for line in machine.called() if not line.startswith("cat")] == [
        "disable --quiet --now web.service",
        "disable --quiet --now web.service",
        "daemon-reload",
    ]
    assert not machine.trees.exists()
    assert {path for path in machine.etc.rglob("*") if path.is_file()} == {theirs}
    assert theirs.read_text() == "distribution\n"
    assert machine.sh(scripts.present("web", str(machine.root))).stdout == ""
    machine.publish(B)  # and it may come again
    assert machine.is_live(B)


def test_what_does_not_stop_stays_as_it_is(machine: Machine) -> None:
    machine.options = {"unit": "web.service", "links": {str(machine.etc / "main.cf"): "main.cf"}}
    machine.publish(A)
    script = scripts.remove("web", "web.service", str(machine.root)).replace("systemctl disable", "false")
    done = machine.sh(script)
    assert done.returncode == 1
    assert "could not stop web.service" in done.stderr
    assert machine.is_live(A)


def test_systemd_reads_its_units_again_when_one_is_linked(machine: Machine) -> None:
    script = scripts.activate("web", A.digest, links={"/etc/systemd/system/web.service": "main.cf"})
    assert "systemctl daemon-reload" in script.split("\n")
    assert "systemctl daemon-reload" not in scripts.activate("web", A.digest, links={"/etc/x": "main.cf"}).split("\n")


@pytest.mark.parametrize("path", ["etc/x", "/etc/../x", "/etc/a\tb", "/etc/a\nb", "/", "/etc//x"])
def test_a_path_that_is_none_cannot_be_linked(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        scripts.activate("web", A.digest, links={path: "main.cf"})


@pytest.mark.parametrize("role", ["", "../x", "a b", "A"])
def test_a_role_is_a_plain_name(role: str) -> None:
    with pytest.raises(ValueError, match="role"):
        scripts.trees_path(role)


def test_five_thousand_files_take_seconds_and_one_changed_file_less(machine: Machine) -> None:
    files: dict[str, str | bytes | File] = {f"units/{n // 100}/{n}.cf": f"unit {n}\n" * 20 for n in range(5000)}
    machine.stage(Tree.of(files))
    changed = Tree.of({**files, "units/0/7.cf": "changed\n"})
    command = machine.staging(changed)
    assert command is not None
    assert len(command[1]) < 400_000  # the manifest and one file
    machine.stage(changed)
    assert len(machine.files("staged")) == 5000
