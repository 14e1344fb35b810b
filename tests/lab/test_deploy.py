"""A deploy changes nothing twice, is finished by the next run when it is cut, and never makes bad files live."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import ssh
from tests.lab.province import ROOT, LabProvince

CLERK, HEAD = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test"


def deploy(inventory: Path, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edumail", "deploy", str(inventory), "--lang", "en", *words]
    environment = os.environ | {"PYTHONPATH": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)


def changes(output: str) -> int:
    """The sum of the changes that the summary reports, host by host."""
    return sum(int(number) for number in re.findall(r"^  mail-\S+ +(\d+) changed", output, re.MULTILINE))


def mail_works(province: LabProvince) -> None:
    province.read(HEAD, province.send(CLERK, HEAD))


def test_a_second_deploy_changes_nothing(province: LabProvince, inventory: Path) -> None:
    result = deploy(inventory)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("nothing to change") == 3
    assert changes(result.stdout) == 0


def test_plain_pyinfra_does_the_same(province: LabProvince, inventory: Path) -> None:
    command = [sys.executable, "-m", "pyinfra", "-y", str(inventory / "hosts.py"), "deploy.py"]
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    total = re.search(r"Grand total +(\d+) +(\S+)", result.stdout + result.stderr)
    assert total is not None
    assert (int(total[1]) > 40, total[2]) == (True, "-")  # operations, and those that changed something


def test_an_unknown_host_is_refused_before_anything(province: LabProvince, inventory: Path) -> None:
    result = deploy(inventory, "--host", "mail-xx")
    assert result.returncode == 2
    assert "mail-so, mail-xa, mail-thpt" in result.stderr


@pytest.fixture
def other_checkout(tmp_path: Path, inventory: Path) -> Path:
    """A copy of the project to break, with the same inventory, keys and all."""
    target = tmp_path / "checkout"
    target.mkdir()
    for name in ("edumail", "roles", "lab", "templates", "group_vars", "inventories"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("deploy.py", "config.py"):
        shutil.copy(ROOT / name, target)
    return target


BROKEN = {
    "postfix": (
        "postfix/etc/postfix/main.cf.j2",
        "message_size_limit = {{ message_size_limit }}",
        "message_size_limit = a lot",
    ),
    "dovecot": ("dovecot/etc/dovecot/dovecot.conf.j2", "ssl = required", "ssl = perhaps"),
    "rspamd": ("rspamd/etc/rspamd/local.d/redis.conf.j2", "servers =", "servers = {"),
    "nginx": ("nginx/etc/nginx/nginx.conf.j2", "server_tokens off;", "server_tokens sometimes;"),
    "unbound": ("resolver/etc/unbound.conf.j2", "prefetch: yes", "prefetch: often"),
}


@pytest.mark.parametrize("daemon", BROKEN)
def test_what_the_daemon_s_own_checker_refuses_never_goes_live(
    province: LabProvince, inventory: Path, other_checkout: Path, daemon: str
) -> None:
    role = {"unbound": "resolver"}.get(daemon, daemon)
    live = f"readlink /var/lib/edumail/trees/{role}/current"
    before = province.run("mail-xa", live)
    file, good, bad = BROKEN[daemon]
    template = other_checkout / "templates" / file
    text = template.read_text()
    assert good in text
    template.write_text(text.replace(good, bad))

    result = deploy(other_checkout / "inventories" / "lab", "--host", "mail-xa", cwd=other_checkout)

    assert result.returncode == 1, result.stdout
    assert "what is live stays as it was" in result.stdout + result.stderr, result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert province.run("mail-xa", live) == before
    mail_works(province)
    mended = deploy(inventory, "--host", "mail-xa")
    assert mended.returncode == 0, mended.stdout
    assert province.run("mail-xa", live) == before


def test_a_deploy_killed_in_the_middle_is_finished_by_the_next(
    province: LabProvince, inventory: Path, other_checkout: Path
) -> None:
    """Killed after staging and again in the middle of activation, with a change for every daemon under way."""
    for file, _, _ in BROKEN.values():
        template = other_checkout / "templates" / file
        mark = "-- " if file.endswith(".lua.j2") else "# "
        template.write_text(template.read_text() + f"\n{mark}changed\n")
    target = other_checkout / "inventories" / "lab"
    for stop_after in ("postfix: stage", "dovecot: activate"):
        command = [sys.executable, "-m", "pyinfra", "-y", str(target / "hosts.py"), "deploy.py"]
        environment = os.environ | {"PYTHONPATH": str(other_checkout), "PYINFRA_PROGRESS": "off"}
        process = subprocess.Popen(
            command, cwd=other_checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if f"] {stop_after}: " in line:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == -signal.SIGKILL
    time.sleep(1)  # the lock goes with the connection
    finished = deploy(target, cwd=other_checkout)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert changes(finished.stdout) > 0
    assert "# changed" in province.run("mail-xa", "tail -n 1 /etc/postfix/main.cf")
    again = deploy(target, cwd=other_checkout)
    assert changes(again.stdout) == 0
    mail_works(province)
    assert deploy(inventory).returncode == 0


def test_two_deploys_at_once_the_second_is_told_who_works(province: LabProvince, inventory: Path) -> None:
    # Any process that holds the kernel's lock will do; its name is what the lock file says.
    lock = "/run/edumail-deploy.lock"
    script = f"exec 9<>{lock}; flock 9; echo 'thu@may-khac, from this morning' > {lock}; echo held; exec cat"
    command = ["ssh", "-F", str(ssh.CONFIG), "mail-xa", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        result = deploy(inventory, "--host", "mail-xa")
    assert result.returncode == 1
    assert "thu@may-khac" in result.stdout + result.stderr, result.stdout + result.stderr


def test_a_password_that_a_person_chose_survives_a_deploy(province: LabProvince, inventory: Path) -> None:
    province.password(CLERK)
    assert deploy(inventory).returncode == 0
    province.run("mail-xa", "rm /var/lib/edumail/trees/accounts/active")  # as if something had changed
    result = deploy(inventory, "--host", "mail-xa")
    assert result.returncode == 0, result.stdout
    assert changes(result.stdout) == 1, result.stdout
    with province.imap(CLERK):
        pass
