"""Package installation, the deploy lock and the SSH socket, run for real with small stand-ins for Debian's tools."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roles.common import packages, ssh

TOOLS = {
    "dpkg-query": 'cat "$HERE/installed"',
    "dpkg": 'echo "dpkg $*" >> "$HERE/calls"; sed -i "s/^half-configured/installed/" "$HERE/installed"',
    "apt-get": """
case "$*" in
  *update*) echo update >> "$HERE/calls"; touch "$HERE/lists_Packages" ;;
  *install*)
    echo "install ${*##* install }" >> "$HERE/calls"
    if [ -x "$HERE/policy-rc.d" ]; then "$HERE/policy-rc.d" && echo "may start" >> "$HERE/calls"; fi
    if [ -e "$HERE/slow" ]; then echo waiting >> "$HERE/calls"; sleep 30; fi
    if [ -e "$HERE/broken" ]; then echo "E: no such package"; exit 100; fi
    if [ -e "$HERE/stale" ]; then rm "$HERE/stale"; exit 100; fi
    for name in ${*##* install }; do echo "installed $name" >> "$HERE/installed"; done ;;
esac""",
    "debconf-set-selections": 'sed "s/^/debconf /" >> "$HERE/calls"',
}


class Debian:
    """A host with two installed packages; paths that the scripts name lead into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installed = folder / "installed"
        self.installed.write_text("installed libc6\ninstalled bash\n")
        self.policy = folder / "policy-rc.d"
        (folder / "sources").touch()
        (folder / "bin").mkdir()
        for name, script in TOOLS.items():
            tool = folder / "bin" / name
            tool.write_text(f"#!/bin/sh\n{script}\n")
            tool.chmod(0o755)

    def script(self, text: str) -> list[str]:
        """The script, led into the folder, as words for subprocess."""
        for path, here in (
            (packages.POLICY, "policy-rc.d"),
            (packages.LOCK, "lock"),
            (packages.LOG, "log"),
            (packages.LISTS_STAMP, "state/stamp"),
            ("/var/lib/apt/lists/*_Packages*", "lists_Packages"),
            ("/etc/apt/sources.list.d", "sources"),
            ("/etc/apt/sources.list", "sources"),
            ("/var/lib/dpkg/updates", "updates"),
        ):
            text = text.replace(path, f"{self.folder}/{here}")
        return ["env", f"HERE={self.folder}", f"PATH={self.folder}/bin:/usr/bin:/bin", "/bin/sh", "-c", text]

    def install(self, *names: str, **options: object) -> subprocess.CompletedProcess[str]:
        words = self.script(packages.install(names, **options))
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def state(self, *names: str) -> list[str]:
        words = self.script(packages.state(names))
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        said = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in said if not line.startswith("dpkg ")]


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path)


def test_it_tells_what_is_missing_and_what_was_left_half_done(debian: Debian) -> None:
    assert debian.state("bash", "libc6") == []
    debian.installed.write_text("installed bash\nhalf-configured nginx\nconfig-files postfix\n")
    assert debian.state("bash", "nginx", "postfix") == ["missing nginx", "missing postfix", "half nginx"]
    (debian.folder / "updates").mkdir()
    (debian.folder / "updates" / "0001").touch()
    assert "half dpkg" in debian.state("bash")


def test_the_first_installation_fetches_the_lists_and_no_daemon_starts(debian: Debian) -> None:
    done = debian.install("nginx", "postfix", preseed=["postfix a select b"])
    assert (done.returncode, done.stderr) == (0, "")
    assert debian.calls() == ["debconf postfix a select b", "update", "install nginx postfix"]
    assert debian.state("nginx", "postfix") == []
    assert not debian.policy.exists()


def test_fresh_lists_are_not_fetched_again(debian: Debian) -> None:
    debian.install("nginx")
    debian.calls()
    debian.install("postfix", start_services=True)
    assert debian.calls() == ["install postfix"]


def test_lists_are_fetched_again_when_the_sources_changed(debian: Debian) -> None:
    debian.install("nginx")
    debian.calls()
    time.sleep(0.02)
    (debian.folder / "sources").touch()
    debian.install("postfix")
    assert debian.calls() == ["update", "install postfix"]


def test_a_package_that_fresh_lists_do_not_know_is_looked_for_once_more(debian: Debian) -> None:
    debian.install("nginx")
    debian.calls()
    (debian.folder / "stale").touch()
    assert debian.install("postfix").returncode == 0
    assert debian.calls() == ["install postfix", "update", "install postfix"]


def test_what_apt_said_is_shown_when_it_fails(debian: Debian) -> None:
    (debian.folder / "broken").touch()
    done = debian.install("nginx")
    assert done.returncode != 0
    assert "E: no such package" in done.stderr
    assert not debian.policy.exists()


def test_an_interrupted_dpkg_is_finished_first(debian: Debian) -> None:
    debian.installed.write_text("half-configured bash\n")
    assert debian.install("bash").returncode == 0
    assert debian.state("bash") == []


def test_a_killed_installation_leaves_nothing_that_stops_daemons_for_ever(debian: Debian) -> None:
    (debian.folder / "slow").touch()
    running = subprocess.Popen(debian.script(packages.install(["nginx"])), start_new_session=True)
    calls = debian.folder / "calls"
    _wait(lambda: calls.exists() and "waiting" in calls.read_text())
    assert subprocess.run([debian.policy], check=False).returncode == 101
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert debian.policy.exists()
    _wait(lambda: subprocess.run([debian.policy], check=False).returncode == 0)
    assert debian.state("bash") == ["policy"]
    (debian.folder / "slow").unlink()
    assert debian.install("nginx").returncode == 0
    assert debian.state("nginx") == []


def test_the_policy_of_another_is_left_alone(debian: Debian) -> None:
    debian.policy.write_text("#!/bin/sh\nexit 101\n")
    assert debian.install("nginx").returncode == 0
    assert debian.policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_only_package_names_are_taken() -> None:
    with pytest.raises(ValueError, match="package"):
        packages.install(["nginx; reboot"])


def _wait(condition: Callable[[], bool], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        yield client


def test_the_socket_sends_at_once_and_notices_a_dead_peer(connection: socket.socket) -> None:
    transport = ssh.prompt_transport(connection)
    transport.close()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        seen: list[tuple[int, int, int]] = []

        class Recorded:
            def __getattr__(self, name: str) -> object:
                return getattr(client, name)

            def setsockopt(self, *option: int) -> None:
                seen.append(option)
                client.setsockopt(*option)

        ssh.prompt_transport(Recorded()).close()
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in seen
    assert (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000) in seen


def test_hosts_are_checked_unless_told_otherwise() -> None:
    assert ssh.connection_data()["ssh_strict_host_key_checking"] == "yes"
    assert ssh.connection_data(accept_new_hosts=True)["ssh_strict_host_key_checking"] == "accept-new"
    assert "ssh_key" not in ssh.connection_data()
