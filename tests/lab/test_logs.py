"""What logs say of who came from where, that none of it is lost, and that it is kept as long as the province says."""

from __future__ import annotations

import base64
import re
import ssl
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab import ssh
from lab.text import LabError
from lab.topology import GATEWAY4, INTERNET
from tests.lab.province import LabProvince, new_message

CLERK, HEAD, HOST = "nhilt@suoimo.minhha.test", "bangnv@suoimo.minhha.test", "mail-xa"


def wait_for_line(province: LabProvince, host: str, unit: str, pattern: str, seconds: float = 15) -> str:
    """The first line of a unit's journal of the last minutes that matches; waits for it."""
    end = time.monotonic() + seconds
    while True:
        lines = province.run(host, f"journalctl -q --no-pager -o cat --since=-3min -u {unit}").splitlines()
        if found := next((line for line in lines if re.search(pattern, line)), None):
            return found
        assert time.monotonic() < end, f"no line like {pattern} of {unit} on {host}"
        time.sleep(0.3)


def source(connection: ssl.SSLSocket | object) -> str:
    """Our end of a connection as a pattern: address and port, which nobody else has now."""
    address, port = connection.getsockname()[:2]  # type: ignore[attr-defined]
    assert address == GATEWAY4
    return rf"\[{re.escape(address)}\]:{port}\b"


class TestWhoCameFromWhere:
    """Address and source port are what tells people behind one NAT apart."""

    def test_mail_from_outside(self, province: LabProvince) -> None:
        with province.network.smtp(province.gateway) as client:
            end = source(client.sock)
            client.mail("")
            # The line is written here; what greylisting says of the message does not matter.
            assert client.rcpt(CLERK)[0] == 250
        wait_for_line(province, "mail-so", "postfix", rf"client=.*{end}")

    def test_mail_of_somebody_who_signed_in(self, province: LabProvince) -> None:
        with province.submission(CLERK) as client:
            end = source(client.sock)
            client.send_message(new_message(CLERK, HEAD))
        wait_for_line(province, HOST, "postfix", rf"client=.*{end}, sasl_method=\w+, sasl_username={CLERK}")

    def test_a_sign_in_to_send_that_failed(self, province: LabProvince) -> None:
        with province.network.smtp(province.fqdn(CLERK), 587) as client:
            client.starttls(context=province.network.context())
            client.ehlo()
            end = source(client.sock)
            answer = base64.b64encode(f"\0{CLERK}\0sai mat khau".encode()).decode()
            assert client.docmd("AUTH", f"PLAIN {answer}")[0] == 535
        wait_for_line(province, HOST, "postfix", rf"{end}: SASL PLAIN authentication failed: .*sasl_username={CLERK}")

    @pytest.mark.parametrize("right", [True, False], ids=["good", "bad"])
    def test_a_sign_in_to_read(self, province: LabProvince, right: bool) -> None:
        password = province.password(CLERK) if right else "sai mat khau"
        with province.network.tls(province.fqdn(CLERK), 993) as connection:
            port = connection.getsockname()[1]
            connection.sendall(f'a LOGIN {CLERK} "{password}"\r\nb LOGOUT\r\n'.encode())
            while connection.recv(4096):
                pass
        said = "Logged in|Login:" if right else "auth_failed|auth failed"
        wait_for_line(province, HOST, "dovecot", rf"({said}).*user=<{CLERK}>.* rip={GATEWAY4}, rport={port}\b")

    def test_a_sign_in_by_ssh_and_its_key(self, province: LabProvince) -> None:
        port = province.run(HOST, "echo $SSH_CONNECTION").split()[1]
        said = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(ssh.KEY)], check=True, capture_output=True, text=True
        ).stdout
        key = re.escape(said.split()[1])
        wait_for_line(
            province, HOST, "ssh", rf"Accepted publickey for root from {GATEWAY4} port {port} ssh2: ED25519 {key}"
        )

    def test_a_sign_in_by_ssh_that_failed(self, province: LabProvince) -> None:
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=5"
        target = province.province.hosts[HOST].ipv4
        province.run(INTERNET.name, f"ssh {options} kedotnhap@{target} true 2>/dev/null || true")
        wait_for_line(province, HOST, "ssh", rf"Invalid user kedotnhap from {INTERNET.ipv4} port \d+")

    def test_a_page(self, province: LabProvince) -> None:
        unit = next(unit for unit in province.province.units.values() if unit.host == HOST)
        with province.network.tls(unit.portal, 443) as connection:
            port = connection.getsockname()[1]
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {unit.portal}\r\nConnection: close\r\n\r\n".encode())
            while connection.recv(4096):
                pass
        line = rf"^{GATEWAY4}:{port} - \[[^]]*\] {re.escape(unit.portal)} \"GET / HTTP/1.1\" 200 "
        assert re.search(line, province.run(HOST, "tail -n 50 /var/log/nginx/access.log"), re.MULTILINE)


def test_no_line_of_mail_is_dropped_however_many_come_at_once(province: LabProvince) -> None:
    """Even where journald allows a service few lines: no more than some hundreds here, in half a minute."""
    limit = "/etc/systemd/journald.conf.d/limit.conf"
    restart = "systemctl restart systemd-journald"
    flood = "echo $$ > /sys/fs/cgroup/system.slice/$0.service/cgroup.procs; seq 2000 | logger -t edumail-flood"
    count = "journalctl -q --no-pager -o cat --since=-1min -t edumail-flood -u $unit | wc -l"
    script = f"for unit in postfix dovecot dbus; do sh -c '{flood}' $unit; journalctl --sync; {count}; done"
    province.run(HOST, f"printf '[Journal]\\nRateLimitBurst=10\\n' > {limit}; {restart}")
    try:
        postfix, dovecot, other = map(int, province.run(HOST, script).split())
    finally:
        province.run(HOST, f"rm {limit}; {restart}")
    assert (postfix, dovecot) == (2000, 2000)
    assert other < 2000


@pytest.fixture
def archive(province: LabProvince) -> Iterator[str]:
    """A shell function that puts a journal file into the archive: how many days old its first line is, its place."""
    yield (
        "set -e; cd /var/log/journal/$(cat /etc/machine-id); journalctl --rotate;"
        " one=$(ls system@*-*-*.journal | sort -t - -k 2 | head -n 1);"
        # A sequence of its own: within one, journald orders files by number, else by time.
        " id=$(tr -d - < /proc/sys/kernel/random/uuid);"
        " aged() { printf -v place '%016x-%016x' $2 $(( ($(date +%s) - $1 * 86400) * 1000000 ));"
        ' name="system@$id-$place.journal"; cp "$one" "$name"; echo "$name"; };'
    )
    # Whatever is left of them would be read as this day's lines once more.
    province.run(HOST, "cd /var/log/journal/$(cat /etc/machine-id); rm -f $(cat /root/aged 2>/dev/null) /root/aged")


def test_the_journal_is_kept_as_long_as_the_province_says_and_then_deleted(province: LabProvince, archive: str) -> None:
    days = province.province.log_retention_days
    script = (
        f"{archive} young=$(aged {days} 2); old=$(aged {days + 8} 1); echo $young $old > /root/aged;"
        " systemctl restart systemd-journald;"
        ' for one in $young $old; do if [ -e "$one" ]; then echo kept; else echo deleted; fi; done'
    )
    assert province.run(HOST, script).split() == ["kept", "deleted"]


def test_a_journal_that_is_shorter_than_that_is_noticed(province: LabProvince) -> None:
    """A host that has run for long, and whose first line is of today: its disk was full."""
    province.run(HOST, "systemctl start edumail-journal")
    province.run(HOST, "touch -d '100 days ago' /root/began")
    try:
        with pytest.raises(LabError, match=r"the journal begins on .*, the province keeps 365 days"):
            province.run(HOST, "BEGAN=/root/began edumail-journal")
    finally:
        province.run(HOST, "rm /root/began")


def test_the_access_log_is_rotated_daily_and_kept_as_long(province: LabProvince) -> None:
    unit = next(unit for unit in province.province.units.values() if unit.host == HOST)
    page = f"/luan-chuyen-{time.time_ns()}"
    try:
        province.network.https(unit.portal, f"{page}-truoc")
        # By our file, but for the date: a lab that saw midnight has rotated today already.
        ours = "sed 's/dateext/&\\n    dateformat -%Y%m%d-%s/' /etc/logrotate.d/nginx > /root/nginx.rotate"
        said = province.run(HOST, f"{ours}; logrotate --force --verbose --state /root/rotated /root/nginx.rotate 2>&1")
        province.network.https(unit.portal, f"{page}-sau")
        now, kept = province.run(
            HOST, "cat /var/log/nginx/access.log; echo ====; cat /var/log/nginx/access.log-*-*"
        ).split("====")
    finally:
        province.run(HOST, "rm -f /var/log/nginx/*.log-*-* /root/nginx.rotate /root/rotated")
    days = province.province.log_retention_days
    assert f"({days} rotations), old logs are removed after {days} days" in said
    assert (f"{page}-sau" in now, f"{page}-truoc" in now) == (True, False)
    assert f"{page}-truoc" in kept
    assert province.run(HOST, "systemctl is-active logrotate.timer").strip() == "active"
