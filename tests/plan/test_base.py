"""What a host is given before any daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from edumail.load import load
from roles.base.render import links, tree, units

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"
PROVINCE = load(LAB)
STORE = PROVINCE.hosts["mail-xa"]


def test_each_service_of_a_host_gets_a_drop_in_and_no_other_does() -> None:
    portal = STORE.model_copy(update={"roles": ("portal",)})
    assert {unit.name for unit in units(portal)} == {"chrony", "ssh", "unbound", "nginx"}
    for host in (portal, STORE):
        found = {
            path
            for path in links(host)
            if path.startswith("/etc/systemd/system/") and path.endswith("/edumail-restart.conf")
        }
        expected = {f"/etc/systemd/system/{unit.name}.service.d/edumail-restart.conf" for unit in units(host)}
        assert found == expected


def test_every_link_leads_to_a_file_and_every_file_is_used() -> None:
    linked = {file for file in links(STORE).values() if file is not None}
    assert linked == set(tree(STORE, 365).files)


@pytest.mark.parametrize("days", [1, 90, 365, 3660])
def test_the_journal_keeps_a_file_until_its_last_line_is_old_enough(days: int) -> None:
    lines = tree(STORE, days).files["journald.conf"].content.decode().splitlines()
    assert "MaxFileSec=1week" in lines
    assert f"MaxRetentionSec={days + 7}day" in lines
