"""What every host has before any daemon: time, updates, a kernel that trusts no router, and services that run."""

from __future__ import annotations

import json
import re
from datetime import datetime, time, timedelta, timezone

import pytest

from tests.lab.province import LabProvince

HOSTS = ["mail-so", "mail-xa", "mail-thpt"]
VIETNAM = timezone(timedelta(hours=7))


@pytest.mark.parametrize("host", HOSTS)
def test_the_clock_is_chrony_s_where_the_kernel_lets_it(province: LabProvince, host: str) -> None:
    """A container has its machine's clock, so that chrony would set it is not shown here."""
    said = province.run(
        host, "systemctl show chrony -p UnitFileState,ActiveState,ConditionResult; systemctl cat chrony"
    )
    assert {"UnitFileState=enabled", "ActiveState=inactive", "ConditionResult=no"} <= set(said.splitlines())
    assert "ConditionCapability=CAP_SYS_TIME" in said


@pytest.mark.parametrize("host", HOSTS)
def test_updates_of_debian_install_themselves(province: LabProvince, host: str) -> None:
    said = province.run(host, "unattended-upgrade --dry-run --verbose 2>&1")
    allowed = re.search(r"Allowed origins are: (.*)", said)
    assert allowed is not None
    assert allowed[1] == (
        "origin=Debian,codename=trixie,label=Debian, origin=Debian,codename=trixie-security,label=Debian-Security"
    )
    sources = province.run(host, "apt-cache policy")
    for label in ("l=Debian,", "l=Debian-Security,"):
        assert label in sources  # what is allowed is also there
    values = province.run(host, "apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in values
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in values


def test_updates_come_at_night_and_not_everywhere_at_once(province: LabProvince) -> None:
    moments = set()
    for host in HOSTS:
        said = province.run(host, "systemctl list-timers apt-daily-upgrade.timer --output=json")
        moment = datetime.fromtimestamp(json.loads(said)[0]["next"] / 1e6, VIETNAM)
        assert time(2) <= moment.time() <= time(5)
        moments.add(moment)
    assert len(moments) > 1


def test_a_service_that_uses_what_an_update_replaced_is_started_again(province: LabProvince) -> None:
    program = "/usr/local/bin/edumail-thu"
    script = (
        f"cp /usr/bin/sleep {program}; systemd-run --quiet --property=Type=exec --unit=edumail-thu {program} 600;"
        " pid='systemctl show edumail-thu -p MainPID --value'; $pid;"
        f" cp {program} {program}.new; mv {program}.new {program}; needrestart >/dev/null 2>&1 </dev/null; $pid"
    )
    try:
        before, after = province.run("mail-thpt", script).split()
    finally:
        province.run("mail-thpt", f"systemctl stop edumail-thu; rm {program}")
    assert int(after) != 0
    assert before != after


def test_nobody_tells_a_host_another_way(province: LabProvince) -> None:
    wanted = {
        "4": {"accept_redirects": "0", "secure_redirects": "0", "send_redirects": "0", "accept_source_route": "0"},
        "6": {"accept_redirects": "0", "accept_source_route": "0"},
    }
    for host in HOSTS:
        for family, values in wanted.items():
            for name, value in values.items():
                found = province.run(host, f"cat /proc/sys/net/ipv{family}/conf/*/{name}").split()
                assert set(found) == {value}, (host, family, name)


@pytest.mark.parametrize("host", HOSTS)
def test_everything_runs(province: LabProvince, host: str) -> None:
    assert province.run(host, "systemctl is-system-running --wait || systemctl --failed").strip() == "running"
