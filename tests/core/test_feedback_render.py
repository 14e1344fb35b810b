"""Where a unit's feedback goes when its portal and its mailboxes are on two hosts."""

from __future__ import annotations

import json

import pytest
from conftest import Inventory

from edumail.load import load
from edumail.mail import Mail
from edumail.model import Province
from edumail.ports import doors
from roles.feedback import render
from roles.feedback.render import SOCKET
from roles.nginx.render import elsewhere, peers
from roles.nginx.render import tree as nginx

PORTAL = "thsuoimo.suoimo.minhha.test"


@pytest.fixture
def moved(inventory: Inventory) -> Province:
    """The lab's province; mail-thpt has the portal of a school whose mailboxes mail-xa has."""
    page = f"  portal: {PORTAL}\n"
    inventory.replace("units/suoi-mo.yml", page, f"{page}  portal_host: mail-thpt\n")
    return load(inventory.folder)


def test_it_goes_to_the_host_of_the_mailboxes_by_that_host_s_own_name(moved: Province) -> None:
    zones = render.zones(moved, moved.hosts["mail-thpt"])
    assert f"{PORTAL} https://feedback_mail-xa;" in zones
    assert f"{PORTAL} mail-xa.minhha.test;" in zones
    assert PORTAL not in render.zones(moved, moved.hosts["mail-xa"])
    gateway = moved.hosts["mail-so"]
    stream = nginx(moved, gateway, {}).files["stream.conf"].content.decode()
    assert "mail-xa.minhha.test 198.18.37.12:443;" in stream
    assert "mail-xa.minhha.test" not in elsewhere(moved, gateway)


def test_a_gateway_with_the_portal_asks_itself_for_the_way_as_one_of_the_hosts(inventory: Inventory) -> None:
    page = f"  portal: {PORTAL}\n"
    inventory.replace("units/suoi-mo.yml", page, f"{page}  portal_host: mail-so\n")
    province = load(inventory.folder)
    gateway = province.hosts["mail-so"]
    assert "server 127.0.0.1:443;" in render.zones(province, gateway)
    stream = nginx(province, gateway, {}).files["stream.conf"].content.decode()
    assert "127.0.0.1 host;" in stream
    assert "host:mail-xa.minhha.test 198.18.37.12:443;" in stream


def test_only_hosts_of_the_province_may_ask_there(moved: Province) -> None:
    location = render.peer_location(moved, moved.hosts["mail-xa"])
    site = peers(moved.hosts["mail-xa"], [location])
    assert location
    assert location in site
    assert "ssl_verify_client on;" in site
    assert render.peer_location(moved, moved.hosts["mail-thpt"]) == ""
    assert peers(moved.hosts["mail-thpt"], [""]) == ""


def test_the_service_there_knows_the_unit_and_its_layout(moved: Province) -> None:
    files = render.tree(moved, Mail(moved).host("mail-xa"), {"th-suoi-mo": b"<main>"}, 365).files
    unit = json.loads(files["units.json"].content)[PORTAL]
    assert unit["address"] == "thsuoimo@suoimo.minhha.test"
    assert "nhilt@suoimo.minhha.test" in unit["holders"]
    assert files["shells/th-suoi-mo.html"].content == b"<main>"
    assert [unit.id for unit in render.away(moved, moved.hosts["mail-xa"])] == ["th-suoi-mo"]
    elsewhere_known = render.tree(moved, Mail(moved).host("mail-thpt"), {}, 365).files["units.json"].content.decode()
    assert PORTAL not in elsewhere_known


def test_a_host_with_mailboxes_alone_is_asked_as_well(inventory: Inventory) -> None:
    portal = "  portal_host: mail-thpt\n"
    for unit in ("vhxh.suoimo", "thsuoimo.suoimo", "thcssuoimo.suoimo"):
        inventory.replace(
            "units/suoi-mo.yml", f"  portal: {unit}.minhha.test\n", f"  portal: {unit}.minhha.test\n{portal}"
        )
    inventory.replace("hosts.yml", "roles: [mailstore, portal]", "roles: [mailstore]")
    assert inventory.problems() == []
    province = load(inventory.folder)
    assert "portal" not in province.hosts["mail-xa"].roles
    assert SOCKET in peers(province.hosts["mail-xa"], [render.peer_location(province, province.hosts["mail-xa"])])
    assert 443 in {door.port for door in doors(province.hosts["mail-xa"])}
