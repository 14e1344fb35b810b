"""An assessment: what one audit of some hosts said, and the JSON file that every report of it is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from edumail.circular.verdicts import Finding, as_json, from_json

VIETNAM = timezone(timedelta(hours=7))
AGAINST = "Circular 37/2020/TT-BGDĐT as codified"


@dataclass(frozen=True)
class Check:
    """A test that answers requirements: where it stands, and the first line of what it says of itself."""

    test: str
    about: str

    @property
    def words(self) -> str:
        """What it says; a test without words of its own has them in its name."""
        return self.about or self.test.rpartition("::test_")[2].replace("_", " ")


@dataclass(frozen=True)
class Assessment:
    """What an audit said of every unit of the hosts that it asked."""

    inventory: str
    """The folder, as it was given."""
    province: str
    at: datetime
    """When the audit ended (aware)."""
    hosts: tuple[str, ...]
    incomplete: tuple[str, ...]
    """Why the audit is not whole; empty when it is."""
    asked: tuple[str, ...]
    """The requirements that have a check, in the circular's order."""
    checks: Mapping[str, tuple[Check, ...]]
    """By requirement."""
    findings: Sequence[Finding]
    """As :func:`edumail.circular.verdicts.complete` gives them."""

    def by_unit(self) -> dict[str, list[Finding]]:
        """The findings of each unit, in the circular's order."""
        result: dict[str, list[Finding]] = {}
        for finding in self.findings:
            result.setdefault(finding.unit, []).append(finding)
        return result

    @property
    def local(self) -> datetime:
        """When it ended, in Vietnam's time."""
        return self.at.astimezone(VIETNAM)


def written(assessment: Assessment) -> Iterator[str]:
    """The JSON file, in pieces: a line for each finding, so that two files can be compared by line."""
    head = {
        "inventory": assessment.inventory,
        "province": assessment.province,
        "at": assessment.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "assessed_against": AGAINST,
        "hosts": assessment.hosts,
        "incomplete": assessment.incomplete,
        "asked": assessment.asked,
        "checks": {name: [asdict(check) for check in checks] for name, checks in assessment.checks.items()},
    }
    yield json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "findings": ['
    separator = "\n  "
    for row in as_json(assessment.findings):
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n  "
    yield "\n ]\n}\n"


def read(text: str) -> Assessment:
    """The reverse of :func:`written`. Raises ValueError for what is no such file, or was changed since."""
    try:
        content: Any = json.loads(text)
        return Assessment(
            inventory=str(content["inventory"]),
            province=str(content["province"]),
            at=datetime.strptime(content["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
            hosts=tuple(map(str, content["hosts"])),
            incomplete=tuple(map(str, content["incomplete"])),
            asked=tuple(map(str, content["asked"])),
            checks={
                str(name): tuple(Check(str(check["test"]), str(check["about"])) for check in checks)
                for name, checks in content["checks"].items()
            },
            findings=from_json(content["findings"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        what = "không phải tệp do edumail verify --json ghi / not what edumail verify --json writes"
        raise ValueError(f"{what} ({error})") from None
