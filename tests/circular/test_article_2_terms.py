"""Article 2: the portal is the one way in to the unit's channels, services and applications."""

from __future__ import annotations

import http.client

import pytest

from tests.circular.conftest import Answers, Record, each_unit
from tests.circular.network import Network
from tests.circular.pages import get, plain
from tests.circular.portal import Answer, Reading


def _leads(reading: Reading) -> Answer:
    unit, home, network = reading.unit, reading.portal.page("/"), reading.audit.network
    right = f"https://{unit.portal}/"
    canonical = home.root.xpath("//link[@rel='canonical']/@href") == [right]
    moved = [_plain(network, unit.portal)]
    moved += [answer for name in unit.former_portals for answer in moved_from(network, name)]
    led = [said for location, said in moved if location != right]
    shown = {plain(url) for page in (home, reading.portal.page("/dich-vu/")) for url, _ in page.links()}
    portal = reading.content.portal
    services = [link.url for link in (*portal.services, portal.public_services) if link]
    absent = [url for url in services if plain(url) not in shown]
    evidence = [f"{home.said}, canonical: {'đúng / right' if canonical else f'KHÔNG PHẢI / NOT {right}'}"]
    evidence += [said for _, said in moved] + [f"không có liên kết / not linked: {url}" for url in absent]
    return "pass" if home.good and canonical and not led and not absent else "fail", evidence


@pytest.mark.requirement("C37-2.1")
@each_unit(_leads)
def test_one_name_leads_to_everything(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-2.1", *answer)


def moved_from(network: Network, name: str) -> list[tuple[str, str]]:
    """Where a former name of a portal leads, without TLS and with it: a 301's location or none, and what was seen."""
    return [_plain(network, name), _secure(network, name)]


def _plain(network: Network, name: str) -> tuple[str, str]:
    try:
        status, location = network.plain_http(name)
    except (OSError, http.client.HTTPException) as error:
        return "", f"http://{name}/: {type(error).__name__}: {error}"
    return (location if status == 301 else ""), f"http://{name}/ → {status} {location}"


def _secure(network: Network, name: str) -> tuple[str, str]:
    page = get(network, f"https://{name}/")
    location = page.headers.get("location", "")
    return (location if page.status == 301 else ""), f"{page.said} {location}"
