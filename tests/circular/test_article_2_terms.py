"""Article 2: the portal is the one way in to the unit's channels, services and applications."""

from __future__ import annotations

import http.client

import pytest

from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.network import TIMEOUT
from tests.circular.pages import get
from tests.circular.portal import readings


@pytest.mark.requirement("C37-2.1")
def test_one_name_leads_to_everything(audit: Audit, serving: str, record: Record) -> None:
    for reading in readings(audit, serving, "C37-2.1"):
        unit, home = reading.unit, reading.portal.page("/")
        right = f"https://{unit.portal}/"
        canonical = home.root.xpath("//link[@rel='canonical']/@href") == [right]
        moved = [_plain(audit, name) for name in (unit.portal, *unit.former_portals)]
        moved += [_secure(audit, name) for name in unit.former_portals]
        led = [said for location, said in moved if location != right]
        shown = {url for url, _ in home.links()} | {url for url, _ in reading.portal.page("/dich-vu/").links()}
        services = [link.url for link in reading.content.portal.services]
        absent = [url for url in services if url not in shown]
        evidence = [f"{home.said}, canonical {'right' if canonical else 'NOT ' + right}"]
        evidence += [said for _, said in moved] + [f"not linked: {url}" for url in absent]
        good = home.good and canonical and not led and not absent
        record(unit.id, "C37-2.1", "pass" if good else "fail", evidence)


def _plain(audit: Audit, name: str) -> tuple[str, str]:
    try:
        connection = http.client.HTTPConnection(audit.network.address(name), timeout=TIMEOUT)
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return "", f"http://{name}/: {type(error).__name__}: {error}"
    location = answer.getheader("Location") or ""
    return (location if answer.status == 301 else ""), f"http://{name}/ → {answer.status} {location}"


def _secure(audit: Audit, name: str) -> tuple[str, str]:
    page = get(audit.network, f"https://{name}/")
    location = page.headers.get("location", "")
    return (location if page.status == 301 else ""), f"{page.said} {location}"
