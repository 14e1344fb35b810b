"""SSH: keys only, and no more doors through it than needed."""

from __future__ import annotations

import subprocess

import pytest

from lab import ssh
from lab.topology import INTERNET
from tests.lab.province import LabProvince


@pytest.mark.parametrize("user", ["root", "khongai"])
def test_a_password_is_not_asked_for(province: LabProvince, user: str) -> None:
    # From outside: sshd remembers failures of an address for a while, and this machine has work to do.
    options = (
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no -o ConnectTimeout=5"
    )
    said = province.run(
        INTERNET.name, f"ssh -v {options} {user}@{province.province.hosts['mail-thpt'].ipv4} 2>&1 || true"
    )
    assert "debug1: Authentications that can continue: publickey" in said.splitlines()
    assert "Permission denied (publickey)" in said


def test_a_reload_does_not_cut_the_session_that_asks_for_it(province: LabProvince) -> None:
    script = "systemctl reload ssh && sleep 1 && echo still here"
    assert province.run("mail-xa", script).strip() == "still here"


def test_an_agent_is_not_taken_along(province: LabProvince) -> None:
    words = ["ssh-agent", *ssh.command("-A", "mail-xa", 'echo "agent: $SSH_AUTH_SOCK"')]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "agent:"


def test_what_holds_is_our_file_whatever_others_say(province: LabProvince) -> None:
    """Images of clouds bring a file that lets passwords in."""
    other = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
    province.run("mail-xa", f"echo 'PasswordAuthentication yes' > {other}")
    try:
        values = province.run("mail-xa", "sshd -T").splitlines()
    finally:
        province.run("mail-xa", f"rm {other}")
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin without-password"} <= set(
        values
    )
    assert {"x11forwarding no", "maxauthtries 4"} <= set(values)


def test_root_gets_a_shell_that_reads_nothing_first(province: LabProvince) -> None:
    for host in province.province.hosts:
        assert (
            province.run(
                host, "ls -A /root/.bashrc /root/.ssh/rc /etc/ssh/sshrc 2>/dev/null; echo ${BASH_ENV-}"
            ).strip()
            == ""
        )
