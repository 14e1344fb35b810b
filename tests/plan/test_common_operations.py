"""What the shared operations send to a host: exact commands on pyinfra's @fake connector, real ones on @local."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_process import in_own_process

from edumail.tree import Tree
from roles.common import scripts

TREE = Tree.of({"main.cf": "one\n", "units/a.cf": "x\n"})
NEXT = Tree.of({"main.cf": "two\n", "units/a.cf": "x\n"})
RELEASE = TREE.digest[:16]
ACCESS = "root:mail 2750 0640"


class Run:
    """One pyinfra run on one host in API mode; what it would do, and what it did."""

    def __init__(self, deploy: Callable[[], None], name: str = "@fake/one", execute: bool = True, **data: Any) -> None:
        from pyinfra.api import Config, Inventory, State
        from pyinfra.api.connect import connect_all, disconnect_all
        from pyinfra.api.deploy import add_deploy
        from pyinfra.api.deploy import deploy as as_deploy
        from pyinfra.api.exceptions import PyinfraError
        from pyinfra.api.operations import run_ops
        from pyinfra.api.state import StateStage

        data = {"fake_delay": 0, "fake_delay_jitter": 0, **data}
        self.state = State(Inventory(([(name, data)], {})), Config())
        self.state.set_stage(StateStage.Connect)
        connect_all(self.state)
        self.state.set_stage(StateStage.Prepare)
        add_deploy(self.state, as_deploy("test")(deploy))
        self.host = self.state.inventory.get_host(name)
        self.planned = [self._meta(op).will_change for op in self.state.get_op_order()]
        self.failed = False
        if execute:
            self.state.set_stage(StateStage.Execute)
            try:
                run_ops(self.state)
            except PyinfraError:
                self.failed = True
            disconnect_all(self.state)

    def _meta(self, op_hash: str) -> Any:
        return self.state.ops[self.host][op_hash].operation_meta

    @property
    def changed(self) -> list[bool]:
        """For each operation whether it did anything."""
        return [self._meta(op).did_change() for op in self.state.get_op_order() if self._meta(op).is_complete()]

    @property
    def commands(self) -> list[Any]:
        """What the operations sent, facts not counted."""
        return [command for op in self.state.get_op_order() for command in self._meta(op)._commands or []]

    @property
    def asked(self) -> int:
        """How many commands the host ran, facts counted."""
        return len(self.host.connector.executed_commands)


def manifest(tree: Tree) -> str:
    """What the manifest fact answers."""
    return base64.b64encode(gzip.compress(tree.manifest.encode())).decode()


def staged() -> None:
    from roles.common.operations import stage_tree

    stage_tree(name="stage", role="postfix", tree=TREE, group="mail")


@in_own_process
def test_a_tree_that_is_staged_costs_one_question() -> None:
    answers = {f"wanted={TREE.digest}": [f"staged {RELEASE}", f"release {RELEASE}"]}
    run = Run(staged, fake_responses=answers)
    assert (run.planned, run.changed, run.asked) == ([False], [False], 2)  # one question each to plan and to execute


@in_own_process
def test_a_first_tree_travels_whole_in_one_command() -> None:
    run = Run(staged, fake_responses={"wanted=": ["staged "]})
    assert (run.planned, run.changed, len(run.commands)) == ([True], [True], 1)
    (command,) = run.commands
    packed = base64.b64decode("".join(command.connector_arguments["_stdin"]))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == [".manifest", "main.cf", "units/a.cf"]
    import hashlib

    expected = scripts.stage(
        "postfix", TREE.digest, ACCESS, base=None, archive_sha256=hashlib.sha256(packed).hexdigest()
    )
    assert command.get_raw_value() == expected


@in_own_process
def test_only_what_the_host_lacks_travels() -> None:
    base = "0123456789abcdef"
    answers = {"wanted=": [f"staged {base}", f"base {base}"], "gzip -c": manifest(NEXT)}
    run = Run(staged, fake_responses=answers)
    (command,) = run.commands
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode("".join(command.connector_arguments["_stdin"])))) as tar:
        assert tar.getnames() == [".manifest", "main.cf"]
    assert f"releases/{base}/.manifest" in command.get_raw_value()


@in_own_process
def test_a_release_that_the_host_still_has_is_only_pointed_to() -> None:
    answers = {"wanted=": ["staged 0123456789abcdef", f"release {RELEASE}.1"]}
    run = Run(staged, fake_responses=answers)
    assert [command.get_raw_value() for command in run.commands] == [scripts.stage_again("postfix", f"{RELEASE}.1")]


@in_own_process
def test_what_a_host_answers_cannot_become_a_command() -> None:
    answers = {"wanted=": ["staged x", "base $(touch /tmp/x)"]}
    run = Run(staged, fake_responses=answers)
    assert "touch" not in run.commands[0].get_raw_value()


@in_own_process
def test_activation_sends_one_script_and_only_when_something_is_not_as_wanted() -> None:
    from roles.common.operations import activate_tree

    options: dict[str, Any] = {
        "links": {"/etc/postfix/main.cf": "main.cf"},
        "compile": ["postmap {tree}/a"],
        "check": ["postfix -c {tree} check"],
        "unit": "postfix.service",
        "reload": "postfix reload",
        "restart_on": ["master.cf"],
        "probe": ["true"],
    }

    def deploy() -> None:
        activate_tree(name="activate", role="postfix", tree=lambda: TREE, **options)

    right = [f"active {TREE.digest}", f"current {TREE.digest}", "links right", "unit running"]
    assert Run(deploy, fake_responses={'echo "active': right}).changed == [False]
    for number, wrong in enumerate((f"active {NEXT.digest}", "current ", "links wrong", "unit stopped")):
        answers = {'echo "active': [*right[:number], wrong, *right[number + 1 :]]}
        run = Run(deploy, fake_responses=answers)
        assert run.planned == run.changed == [True], wrong
        assert [command.get_raw_value() for command in run.commands] == [
            scripts.activate("postfix", TREE.digest, **options)
        ]


@in_own_process
def test_packages_are_asked_for_once_and_installed_in_one_command() -> None:
    from roles.common import packages
    from roles.common.operations import apt_packages

    wanted, preseed = ["postfix", "dovecot-imapd"], ["postfix postfix/main_mailer_type select No configuration"]

    def deploy() -> None:
        apt_packages(name="packages", packages=wanted, preseed=preseed)

    assert Run(deploy).changed == [False]
    for answer in ("missing postfix", "half libc6", "policy"):
        run = Run(deploy, fake_responses={"dpkg-query": answer})
        assert run.planned == run.changed == [True]
        assert [command.get_raw_value() for command in run.commands] == [packages.install(wanted, preseed=preseed)]


def published_here(root: str, tree: Tree, **options: Any) -> Callable[[], None]:
    """A deploy that publishes below ``root``."""
    import grp
    import pwd

    from roles.common.operations import activate_tree, stage_tree

    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name

    def deploy() -> None:
        stage_tree(name="stage", role="web", tree=tree, owner=owner, group=group, root=root)
        activate_tree(name="activate", role="web", tree=tree, root=root, **options)

    return deploy


@in_own_process
def test_a_real_run_publishes_and_a_second_one_does_nothing(tmp_path: Path) -> None:
    root = str(tmp_path / "edumail")
    deploy = published_here(root, TREE, links={str(tmp_path / "main.cf"): "main.cf"})
    dry = Run(deploy, "@local", execute=False)
    assert dry.planned == [True, True]
    assert not Path(root).exists()
    assert Run(deploy, "@local").changed == [True, True]
    assert (tmp_path / "main.cf").read_text() == "one\n"
    assert Run(deploy, "@local").changed == [False, False]
    assert Run(published_here(root, NEXT, links={str(tmp_path / "main.cf"): "main.cf"}), "@local").changed == [True] * 2
    assert (tmp_path / "main.cf").read_text() == "two\n"


@in_own_process
def test_a_role_is_removed_once_and_where_it_never_was_nothing_is_done(tmp_path: Path) -> None:
    from roles.common.operations import remove_tree

    root = str(tmp_path / "edumail")

    def deploy() -> None:
        remove_tree(name="remove", role="web", unit="edumail-never-was.service", root=root)

    assert Run(deploy, "@local").changed == [False]
    assert Run(published_here(root, TREE), "@local").changed == [True, True]
    run = Run(deploy, fake_responses={"echo present": ["present"]})
    assert [command.get_raw_value() for command in run.commands] == [
        scripts.remove("web", "edumail-never-was.service", root)
    ]
    assert Run(deploy, "@local", execute=False).planned == [True]


@in_own_process
def test_a_refused_tree_fails_the_host_and_the_next_run_tries_again(tmp_path: Path) -> None:
    root = str(tmp_path / "edumail")
    assert Run(published_here(root, TREE), "@local").changed == [True, True]
    refusing = published_here(root, NEXT, check=["echo 'line 1: bad' >&2; false"])
    assert Run(refusing, "@local").failed
    again = Run(refusing, "@local")
    assert again.failed
    assert again.changed == [False, False]  # staged already; activation failed
    assert (Path(root) / "trees/web/current/main.cf").read_text() == "one\n"
    assert Run(published_here(root, NEXT), "@local").changed == [False, True]


@in_own_process
def test_progress_tells_each_operation_and_records_each_host(tmp_path: Path) -> None:
    from pyinfra import state

    from roles.common.progress import RUN_LOG, report_progress

    said = io.StringIO()
    os.environ[RUN_LOG] = str(tmp_path / "log")

    def deploy() -> None:
        from pyinfra.operations import server

        report_progress(state, said)
        report_progress(state, said)
        staged()
        server.shell(name="fails", commands=["bad"])

    answers = {"wanted=": [f"staged {RELEASE}", f"release {RELEASE}"], "bad": {"success": False}}
    assert Run(deploy, fake_responses=answers).failed
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("[1/2] test | stage: 0 thay đổi/changed, 1 giữ nguyên/unchanged, 0 lỗi/failed")
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(record["host"], record["operation"], record["result"]) for record in records] == [
        ("@fake/one", "test | stage", "unchanged"),
        ("@fake/one", "test | fails", "error"),
    ]
    assert all(record["seconds"] >= 0 for record in records)


@in_own_process
def test_hosts_that_are_not_reached_over_ssh_are_not_locked() -> None:
    from pyinfra import host

    from roles.common.lock import hold_deploy_lock

    def deploy() -> None:
        hold_deploy_lock(host)
        staged()

    run = Run(deploy, fake_responses={"wanted=": [f"staged {RELEASE}", f"release {RELEASE}"]})
    assert run.state.callback_handlers == []
    assert run.changed == [False]


@in_own_process
def test_the_lock_names_its_holder_and_ends_with_its_connection(tmp_path: Path) -> None:
    from roles.common.lock import LOST_SECONDS, holder_script

    def hold(who: str, lost: str = "9") -> subprocess.Popen[str]:
        script = holder_script(who, str(tmp_path / "lock")).replace(f"timeout {LOST_SECONDS}", f"timeout {lost}")
        return subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(holder: subprocess.Popen[str]) -> str:
        assert holder.stdout is not None
        return holder.stdout.readline().strip()

    first = hold("an's $(false)")
    assert says(first) == "held"
    second = hold("bình")
    assert says(second).startswith("busy an's $(false), 20")
    assert second.wait() == 75
    first.stdin.close()  # as when the deploying process is killed: the kernel closes its connection
    first.wait()
    third = hold("chi", lost="0.2")  # and as when its machine vanishes: nothing closes, no heartbeat comes
    assert says(third) == "held"
    third.wait(5)
    assert says(hold("dũng")) == "held"


@pytest.mark.parametrize("module", ["archive", "scripts", "packages", "ssh", "paths"])
def test_the_pure_half_does_not_load_pyinfra(module: str) -> None:
    code = f"import sys, roles.common.{module}; print(*sorted({{'pyinfra', 'gevent', 'paramiko'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_settings_are_accepted_and_the_inventory_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_bytes(Path("config.py").read_bytes())
    (tmp_path / "hosts.py").write_text(
        "from roles.common.ssh import connection_data\nhosts = [('one', connection_data(known_hosts='~/known'))]\n"
    )
    pyinfra = Path(sys.executable).with_name("pyinfra")
    for options in ((), ("--json",)):
        done = subprocess.run(
            [pyinfra, *options, "hosts.py", "debug-inventory"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Function: prompt_transport" in done.stdout + done.stderr
