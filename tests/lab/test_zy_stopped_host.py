"""A host on which nothing runs passes nothing that is about it. This comes late: others do not try it for minutes."""

from __future__ import annotations

import json
from pathlib import Path

from lab import lab
from tests.lab.province import LabProvince, new_message
from tests.lab.test_faults import CLERK, wait
from tests.lab.test_verdicts import passed, verify

SERVICES = "postfix dovecot nginx redis-server unbound"
STOP = f"""\
systemctl list-units --plain --no-legend --state=active,listening,waiting 'edumail-*' | cut -d ' ' -f 1 > /root/ran
systemctl stop $(cat /root/ran) rspamd
systemctl stop {SERVICES}
"""
# Letters that nobody took must not come to people's inboxes once the audit has ended.
START = f"""\
find /var/spool/postfix/maildrop -type f -delete
postsuper -d ALL
systemctl start {SERVICES} rspamd $(cat /root/ran)
rm /root/ran
for try in $(seq 100); do ! ss -ltn | grep -q ':11332 ' || break; sleep 0.2; done
"""
NOT_ABOUT_THE_HOST = {
    "C37-11.3.3": "its files are as they were deployed; whether anything reads them is asked by others",
    "C37-12.7.1": "the gateway answers for its pages and takes its mail",
    "C37-4.3.4": "the gateway takes mail for addresses that it knew before, and keeps it",
    "C37-S39-smtp": "the exchanger is the gateway",
}


def test_a_host_on_which_nothing_runs_passes_only_what_is_not_about_it(
    province: LabProvince, inventory: Path, tmp_path: Path
) -> None:
    """What a host that has nothing at all is told: tests/core/test_empty_host.py."""
    target, host = tmp_path / "verdicts.json", "mail-xa"
    province.run(host, STOP)
    try:
        result = verify(inventory, "--host", host, "--json", str(target), EDUMAIL_AUDIT_WAIT="5")
    finally:
        for other in province.province.hosts.keys() - {host}:
            province.run(other, "postsuper -d ALL")
        province.run(host, START)
    # The other hosts have given it up for minutes, which is none of the next test's business.
    message = new_message("phuhuynh@ngoai.test", CLERK)
    lab.foreign_send("phuhuynh@ngoai.test", CLERK, message.as_bytes())

    def arrived() -> bool:
        for each in province.province.hosts:
            province.run(each, "postqueue -f")
        return province.count(CLERK, message["Message-ID"].strip("<>")) > 0

    wait("mail goes there again", arrived)
    assert result.returncode in (1, 2), result.stdout
    units = [unit.id for unit in province.province.units.values() if unit.host == host]
    assert passed(json.loads(target.read_text()), *units) <= NOT_ABOUT_THE_HOST.keys()
