"""What the README tells an auditor, done as it stands there: from a fresh clone, with an own key, to a report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import web
from tests.lab.province import ROOT, LabProvince
from tests.lab.test_moving import deploy

NAME, HOST = "lan", "mail-thpt"


def section() -> str:
    """From its heading to the next of the same level."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Verifying, as an auditor\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def commands() -> list[str]:
    """What follows a prompt, each once."""
    return list(dict.fromkeys(re.findall(r"^\$ (.*)$", section(), re.MULTILINE)))


def once() -> tuple[str, str]:
    """What makes the environment, and what activates it."""
    found = re.search(r"from a fresh clone, `(make [^`]+)`, then `([^`]+)`", section())
    assert found
    return found[1], found[2]


@dataclass
class Auditor:
    """Somebody at a machine of their own, with nothing but the clone and the inventory."""

    clone: Path
    home: Path

    def make(self) -> None:
        """The clone's own environment, from packages that come the way that this machine has them from."""
        others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        words = ["bash", "-c", once()[0]]
        made = subprocess.run(words, cwd=self.clone, env=others, text=True, capture_output=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """In the clone, with its environment active."""
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SSL_CERT_FILE": str(web.AUTHORITY),
        }
        words = ["bash", "-c", f"{once()[1]} && {command}"]
        return subprocess.run(words, cwd=self.clone, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def auditor(province: LabProvince, inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auditor]:
    """Their public key is deployed; nothing of the province but what its git has is on their machine."""
    folder = tmp_path_factory.mktemp("auditor")
    auditor = Auditor(folder / "edumail", folder / "home")
    (auditor.home / ".ssh").mkdir(parents=True, mode=0o700)
    key = auditor.home / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(auditor.clone)], check=True)
    deployed = folder / "lab"
    shutil.copytree(inventory, deployed, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(key.with_suffix(".pub"), deployed / "auditors" / f"{NAME}.pub")
    auditor.make()
    tinh = auditor.clone / "inventories" / "tinh"
    shutil.copytree(deployed, tinh, ignore=shutil.ignore_patterns("secrets"))
    # The lab's own file for SSH has root's key; theirs is made of what the README shows, for each host.
    (shown,) = re.findall(r"^```\n(Host mail-01\n.*?)^```$", section(), re.MULTILINE | re.DOTALL)
    blocks = [
        shown.replace("mail-01.tinh.example", str(host.ipv4)).replace("mail-01", name)
        for name, host in province.province.hosts.items()
    ]
    config = auditor.home / ".ssh" / "config"
    known = f"Host *\n    IdentityFile {key}\n    IdentitiesOnly yes\n    StrictHostKeyChecking accept-new\n"
    config.write_text(f"{''.join(blocks)}{known}    UserKnownHostsFile {auditor.home}/.ssh/known_hosts\n")
    file = tinh / "province.yml"
    text, changed = re.subn(r"^ssh_config: .*$", "ssh_config: ~/.ssh/config", file.read_text("utf-8"), flags=re.M)
    assert changed == 1
    file.write_text(text, "utf-8")
    try:
        deploy(deployed)
        yield auditor
    finally:
        deploy(inventory)


def test_it_ends_with_a_report_that_others_can_check(auditor: Auditor) -> None:
    steps = commands()
    assert [step.split()[:2] for step in steps] == [
        ["edumail", "verify"],
        ["edumail", "verify"],
        ["pytest", "tests/circular"],
        ["edumail", "report"],
        ["edumail", "report"],
    ]
    # The first is the second without a file. Of one host alone: an audit of all takes minutes.
    steps = [f"{steps[1]} --host {HOST}", *steps[2:]]
    steps[1] = steps[1].replace("mail-01", HOST).replace("ketqua.json", "mot-may.json")
    for step in steps:
        done = auditor.run(step)
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    assert f"The signature holds: {NAME}, SHA256:" in done.stdout
    report = auditor.clone / "baocao"
    assert {"report.html", "report.pdf", "verdicts.json", "SHA256SUMS.sig"} <= {path.name for path in report.iterdir()}
    with (report / "verdicts.json").open("a") as file:
        file.write(" ")
    assert auditor.run(steps[-1]).returncode == 1


def test_whose_key_was_taken_out_is_let_in_nowhere(auditor: Auditor, inventory: Path) -> None:
    asked = f"ssh -F ~/.ssh/config -o BatchMode=yes {HOST} sudo -n edumail-audit facts"
    asked = asked.replace("~", str(auditor.home))
    assert "Permission denied" not in auditor.run(asked).stderr
    deploy(inventory)
    assert "Permission denied" in auditor.run(asked).stderr
