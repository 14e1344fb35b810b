"""What the programs behind pages may do on their host, tried: little, whoever takes one over."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.lab.province import LabProvince

HOST = "mail-so"
SEARCH, FEEDBACK, ACCOUNTS = (f"/var/lib/edumail/{name}" for name in ("search", "feedback", "accounts"))
ALLOWED = {
    "edumail-search": {f"read {SEARCH}"},
    "edumail-search-index": {f"read {SEARCH}", f"write {SEARCH}", "read /etc/edumail"},
    "edumail-feedback": {f"read {FEEDBACK}", f"write {FEEDBACK}"},
    "edumail-feedback-mail": {f"read {FEEDBACK}", f"write {FEEDBACK}", "ask this host"},
    "edumail-selfservice": {f"read {ACCOUNTS}", f"write {ACCOUNTS}"},
}
"""Each program, and which of the attempts below may succeed."""
WRITE = ["/etc", "/usr/local", "/var/log", "/var/lib/edumail/trees", SEARCH, FEEDBACK, ACCOUNTS]
READ = ["/var/vmail", "/etc/edumail", "/root", SEARCH, FEEDBACK, ACCOUNTS]
OTHERS = {"ask this host", "ask another host", "ask by IPv6", "namespace", "nice", "setuid", "write and execute"}
OTHERS |= {"see others"}
ATTEMPTS = f"""
import json, mmap, os, socket

def tried(act):
    try:
        act()
    except OSError as error:
        return str(error)
    return "done"

def write(folder):
    with open(folder + "/thu-hop-cat", "x"):
        os.unlink(folder + "/thu-hop-cat")

def ask(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(3)
        client.connect(address)

def setuid():
    with open("/var/tmp/thu-hop-cat", "w") as file:
        os.fchmod(file.fileno(), 0o4755)
    os.unlink("/var/tmp/thu-hop-cat")

def executable():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()

print(json.dumps({{
    **{{"write " + folder: tried(lambda: write(folder)) for folder in {WRITE}}},
    **{{"read " + folder: tried(lambda: os.listdir(folder)) for folder in {READ}}},
    "ask this host": tried(lambda: ask(socket.AF_INET, ("127.0.0.1", 25))),
    "ask another host": tried(lambda: ask(socket.AF_INET, ("198.18.37.12", 443))),
    "ask by IPv6": tried(lambda: ask(socket.AF_INET6, ("::1", 25))),
    "namespace": tried(lambda: os.unshare(os.CLONE_NEWUSER)),
    "nice": tried(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)),
    "setuid": tried(setuid),
    "write and execute": tried(executable),
    "see others": tried(lambda: os.stat("/proc/1")),
}}))
"""


def attempts(province: LabProvince, service: str, user: str) -> set[str]:
    """What succeeds as ``user`` under all that the unit of ``service`` says but what it starts; without one, freely."""
    script = f"""
set -- --quiet --wait --pipe --collect -p User={user}
if [ -n "{service}" ]; then
    while read -r line; do
        case $line in
            '['*) part=$line ;;
            '#'*|''|Exec*|Type=*|User=*|Group=*|Restart*|Timeout*) ;;
            *) [ "$part" != '[Service]' ] || set -- "$@" -p "$line" ;;
        esac
    done < /etc/systemd/system/{service}.service
fi
exec systemd-run "$@" /usr/bin/python3 -c {shlex.quote(ATTEMPTS)}
"""
    return {name for name, what in json.loads(province.run(HOST, script)).items() if what == "done"}


def test_root_can_do_all_of_it(province: LabProvince) -> None:
    """So that what fails below is refused by the sandbox, and not by something else."""
    free = attempts(province, "", "root")
    assert free == {f"write {path}" for path in WRITE} | {f"read {path}" for path in READ} | OTHERS


@pytest.fixture(params=ALLOWED)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def allowed(province: LabProvince, service: str) -> set[str]:
    """Who sends letters has IPv4, and systemd keeps it to one address by BPF, which containers may not use."""
    deny = province.run(HOST, f"systemctl show -P IPAddressDeny {service}.service").split()
    assert set(deny) == {"::/0", "0.0.0.0/0"}
    ipv4 = "ask this host" in ALLOWED[service]
    return ALLOWED[service] | ({"ask another host"} if ipv4 else set())


def test_a_program_reaches_its_own_folder_and_no_network(
    province: LabProvince, service: str, allowed: set[str]
) -> None:
    user = province.run(HOST, f"systemctl show -P User {service}.service").strip()
    # Root sees its own processes, with no right to any others.
    assert attempts(province, service, user or "root") == allowed | (set() if user else {"see others"})


def test_not_even_root_gets_further(province: LabProvince, service: str, allowed: set[str]) -> None:
    """Whatever the permissions of files say, which stop only others."""
    assert attempts(province, service, "root") <= allowed | {"see others"}
