"""What ``deploy.py`` does on which host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from own_process import in_own_process

from tests.rendered import render_one, rendered

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"


def with_portal_host(folder: Path) -> Path:
    """The lab's inventory and a host that only serves pages."""
    shutil.copytree(LAB, folder, ignore=shutil.ignore_patterns("published", "secrets", "auditors"))
    hosts = folder / "hosts.yml"
    new = "\n- {name: cong, fqdn: cong.minhha.test, ipv4: 198.18.37.20, roles: [portal]}\n"
    hosts.write_text(hosts.read_text(encoding="utf-8") + new, encoding="utf-8")
    return folder


def test_a_host_of_pages_alone_gets_no_mail(tmp_path: Path) -> None:
    hosts = {host.host: host for host in rendered(with_portal_host(tmp_path / "province"))}
    roles = {name: {release.role for release in host.releases} for name, host in hosts.items()}
    mail = {"accounts", "audit", "dovecot", "postfix", "rspamd"}
    assert roles["mail-xa"] > mail
    assert "portal" in roles["cong"]
    assert not mail & roles["cong"]
    assert not mail & set(hosts["cong"].packages)


def test_what_a_policy_brought_goes_when_no_unit_wants_it(tmp_path: Path) -> None:
    """Not before Postfix has let go of it."""

    def steps(folder: Path) -> list[tuple[str, str]]:
        return [step for step in render_one(folder, "mail-xa").steps if step[1] in ("srs", "postfix")]

    wanting = [("stage_tree", "postfix"), ("stage_tree", "srs"), ("activate_tree", "srs"), ("activate_tree", "postfix")]
    assert steps(LAB) == wanting
    folder = with_portal_host(tmp_path / "province")
    for policies in folder.rglob("*.yml"):
        text = policies.read_text(encoding="utf-8")
        policies.write_text(text.replace("external_forward_sender: srs", "external_forward_sender: forwarder"))
    assert steps(folder) == [("stage_tree", "postfix"), ("activate_tree", "postfix"), ("remove_tree", "srs")]


@in_own_process
def test_new_certificates_are_loaded_by_what_runs_there(tmp_path: Path) -> None:
    """Not every host has Postfix, Dovecot and nginx; asking systemd to reload what is not there fails."""
    from roles.identity.operations import RELOAD

    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        f'#!/bin/sh\ncase "$*" in *is-active*nginx*) ;; *is-active*) exit 4 ;; *) echo "$*" >>{tmp_path}/said ;; esac\n'
    )
    systemctl.chmod(0o755)
    subprocess.run(["sh", "-c", RELOAD], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, check=True)
    assert (tmp_path / "said").read_text() == "reload-or-restart nginx.service\n"
