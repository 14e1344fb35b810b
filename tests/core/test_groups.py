"""Addresses that every mail domain has by itself (RFC 2142)."""

from __future__ import annotations

from conftest import Inventory

from edumail.groups import Groups
from edumail.load import load
from edumail.model import Province
from edumail.units import Units

NAMES = ("abuse", "hostmaster", "postmaster", "security", "webmaster")
OFFICER = "duchm@suoimo.minhha.test"


def test_standard_names_reach_the_officer_of_the_domains_highest_unit(province: Province) -> None:
    groups = Groups(Units(province))
    for name in NAMES:
        assert groups.mailboxes(f"{name}@suoimo.minhha.test") == {OFFICER}
        assert groups.all[f"{name}@suoimo.minhha.test"].posting == "anyone"


def test_a_mailbox_or_group_of_that_name_comes_first(inventory: Inventory) -> None:
    inventory.replace("groups.yml", "- address: toantruong@thptsongque", "- address: webmaster@suoimo.minhha")
    inventory.replace("units/suoi-mo.yml", "{address: vhxh@", "{address: security@suoimo.minhha.test, name: An toàn, "
                      "holders: [van_thu]}\n    - {address: vhxh@")  # fmt: skip
    groups = Groups(Units(load(inventory.folder)))
    assert "hostmaster@sogddt.minhha.test" not in groups.all  # a mailbox of the lab's own
    assert "security@suoimo.minhha.test" not in groups.all
    assert len(groups.mailboxes("webmaster@suoimo.minhha.test")) > 1
    assert groups.mailboxes("hostmaster@suoimo.minhha.test") == {OFFICER}


def test_the_hostmaster_of_the_zones_may_be_such_a_name(inventory: Inventory) -> None:
    inventory.replace("province.yml", "hostmaster: hostmaster@sogddt", "hostmaster: hostmaster@suoimo")
    assert not inventory.problems()
