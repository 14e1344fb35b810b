"""The audit itself: green on a sound province, and nothing stays behind. What turns it red: test_mutation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import lab, web
from tests.circular import test_article_8_managing_bodies as article_8
from tests.circular import test_article_9_schools as article_9
from tests.circular.test_article_10_other_content import SWITCHED
from tests.lab.province import ROOT, LabProvince, new_message
from tests.lab.test_faults import wait

CHECKED = {
    "C37-2.1", "C37-3.1a", "C37-3.1c", "C37-3.2", "C37-4.1", "C37-4.2.1", "C37-4.2.2", "C37-4.2.3", "C37-4.3.1",
    "C37-4.3.3", "C37-4.3.4", "C37-5.1", "C37-5.2.3", "C37-5.3", "C37-6.1", "C37-7.3", "C37-11.3.3",
    "C37-11.3.4", "C37-11.3.5", "C37-16.1", "C37-10.1.1", "C37-10.1.2", "C37-12.1", "C37-12.2", "C37-12.3",
    "C37-12.4", "C37-12.5", "C37-12.6", "C37-12.7.1", "C37-S39-http", "C37-S39-html", "C37-S39-smtp", "C37-S39-smtps",
    "C37-S39-imaps", "C37-S39-mbox", "C37-S39-smime", "C37-S39-utf8", "C37-S39-ip", "C37-S39-https", "C37-S39-tls",
    *article_8.CHECKS, *article_9.CHECKS, *SWITCHED,
}  # fmt: skip
AS_IT_IS = Path(__file__).with_name("as_it_is.py")
ENVIRONMENT = os.environ | {"SSL_CERT_FILE": str(web.AUTHORITY)}
"""The audit trusts the outside's authority, as an auditor's machine trusts those of the Internet."""


def verify(inventory: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edumail", "verify", str(inventory), "--lang", "en", *words]
    env = ENVIRONMENT | environment
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, env=env)


def as_it_is(province: LabProvince) -> dict[str, dict[str, str]]:
    """By host and thing its digest: see :mod:`tests.lab.as_it_is`. Sign-ins of other tests are noted before."""
    script = f"edumail-accounts sign-ins >/dev/null\npython3 - <<'END'\n{AS_IT_IS.read_text(encoding='utf-8')}\nEND\n"
    found = {}
    for host in province.province.hosts:
        lines = province.run(host, script).splitlines()
        found[host] = {path: digest for digest, path in (line.split("  ", 1) for line in lines)}
    return found


@dataclass(frozen=True)
class Audited:
    """One audit of everything, and what hosts were before and after it."""

    before: dict[str, dict[str, str]]
    result: subprocess.CompletedProcess[str]
    content: dict[str, Any]
    report: str
    after: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def audited(province: LabProvince, inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    for sender, recipient in (("giamdocso", "giamdoc"), ("vanthuso", "vanthu")):  # the Ministry's lists write
        address = f"{recipient}@sogddt.minhha.test"
        listed = f"{sender}@bo.ngoai.test"
        message = new_message(listed, address)
        lab.foreign_send(listed, address, message.as_bytes())
        logged = f"journalctl -u postfix --since -2min -o cat | grep -F '{message['Message-ID']}' || true"
        wait("it is there", lambda command=logged: province.run("mail-so", command))
        wait("it is delivered", lambda to=address: to not in province.run("mail-so", "postqueue -p"))
    folder = tmp_path_factory.mktemp("audit")
    target, report = folder / "verdicts.json", folder / "report.html"
    with province.without_work_of("edumail-accounts", *province.province.hosts):  # it notes what it did
        before = as_it_is(province)
        result = verify(inventory, "--outside", "kiemtra@ngoai.test", "--json", str(target), "--html", str(report))
        assert target.exists(), result.stdout + result.stderr
        after = as_it_is(province)
    return Audited(before, result, json.loads(target.read_text()), report.read_text(), after)


def test_a_sound_province_passes_and_nothing_stays_behind(province: LabProvince, audited: Audited) -> None:
    result, content = audited.result, audited.content
    failed = [f"{f['unit']} {f['requirement']}: {f['evidence']}" for f in content["findings"] if f["verdict"] == "fail"]
    assert failed == content["incomplete"] == [], result.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    assert content["incomplete"] == []
    answered = {f["requirement"] for f in content["findings"] if f["verdict"] in ("pass", "fail")}
    assert answered == CHECKED
    assert all(f["evidence"] for f in content["findings"])
    # Where nobody has attested the decision that names the officer, the host's half alone is no pass, nor is it where
    # somebody has: that is shown apart.
    officer = {f["unit"]: f["verdict"] for f in content["findings"] if f["requirement"] == "C37-4.5"}
    said = {u for a in province.province.attestations if a.until >= province.province.today for u in a.units}
    assert officer == {unit: "attested" if unit in said else "not-tested" for unit in officer}
    assert "certified" not in (result.stdout + audited.report).lower()
    for host in province.province.hosts:
        assert province.run(host, "ls -d /var/vmail/*/*/Maildir/.edumail-audit 2>/dev/null || true") == ""
        assert "no audit is open" in province.run(host, "cat /var/lib/edumail/audit/audit.sieve")


def test_an_audit_leaves_hosts_as_it_found_them(audited: Audited) -> None:
    before, after = audited.before, audited.after
    assert all(len(files) > 100 for files in before.values())
    for host, files in before.items():
        assert any(name.endswith("/accounts.db: account") for name in files), host
        assert any(name.endswith("/feedback.db: matter") for name in files), host
        assert any(name.endswith("/dovecot.conf") for name in files), host
    changed = {f"{host}: {path}" for host in before for path, _ in set(before[host].items()) ^ set(after[host].items())}
    assert changed == set()


def test_a_host_out_of_reach_makes_the_run_incomplete(province: LabProvince, inventory: Path, tmp_path: Path) -> None:
    target = tmp_path / "verdicts.json"
    province.run("mail-thpt", "mv /etc/sudoers.d/edumail /root/sudoers.kept")
    try:
        result = verify(inventory, "--host", "mail-thpt", "--json", str(target))
    finally:
        province.run("mail-thpt", "mv /root/sudoers.kept /etc/sudoers.d/edumail")
    assert result.returncode == 2, result.stdout
    content = json.loads(target.read_text())
    verdicts = {f["requirement"]: f["verdict"] for f in content["findings"]}
    assert content["incomplete"]
    assert verdicts["C37-4.2.3"] == "not-tested"
    assert not passed(content, "thpt-song-que")


def passed(content: dict[str, Any], *units: str) -> set[str]:
    """The requirements that one of the units passes."""
    return {f["requirement"] for f in content["findings"] if f["unit"] in units and f["verdict"] == "pass"}


def test_an_audit_that_is_cut_goes_on_where_it_stopped(inventory: Path, tmp_path: Path) -> None:
    words = ["verify", str(inventory), "--lang", "en", "--host", "mail-thpt"]
    command = [sys.executable, "-m", "edumail", *words]
    environment = ENVIRONMENT | {"XDG_STATE_HOME": str(tmp_path)}
    # Tests that a shell runs in the background are deaf to it, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, env=environment) as cut:
        assert cut.stderr is not None
        for line in cut.stderr:
            if line.strip().startswith("[6/"):
                cut.send_signal(signal.SIGINT)
        assert cut.wait() == 130
    target = tmp_path / "verdicts.json"
    again = [*command, "--resume", "--json", str(target)]
    result = subprocess.run(again, cwd=ROOT, text=True, capture_output=True, check=False, env=environment)
    asked = [line.strip() for line in result.stderr.splitlines() if line.strip().startswith("[")]
    assert not asked[0].startswith("[1/")
    content = json.loads(target.read_text())
    assert content["incomplete"] == []
    early = [f for f in content["findings"] if f["unit"] == "thpt-song-que" and f["requirement"] == "C37-10.2"]
    assert [f["verdict"] for f in early] == ["pass"]  # article 10 comes first, and was not asked again
