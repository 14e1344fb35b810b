"""An assessment: what one audit of some hosts said, and the JSON file that every report of it is made from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, as_json, from_json
from edumail.model import Province
from edumail.units import portal_host

VIETNAM = timezone(timedelta(hours=7))
AGAINST = "Circular 37/2020/TT-BGDĐT as codified"
_GRACE = timedelta(minutes=5)
"""By so much another machine's clock may be ahead of this one's."""


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
    left: tuple[str, ...] = ()
    """The inventory's hosts that were not to be asked: with any the audit is a partial one."""
    subject: str = ""
    """:func:`subject` of the inventory; empty in files of before there was one, as is the commit."""
    commit: str = ""
    """Of the checkout that asked."""

    def by_unit(self) -> dict[str, list[Finding]]:
        """The findings of each unit, in the circular's order."""
        result: dict[str, list[Finding]] = {}
        for finding in self.findings:
            result.setdefault(finding.unit, []).append(finding)
        return result

    def partial(self, province: Province) -> bool:
        """Whether it is of a part of the province alone: a host was not to be asked, or a unit is missing."""
        return bool(self.left or province.units.keys() - {finding.unit for finding in self.findings})

    def silent(self, province: Province) -> tuple[str, ...]:
        """The hosts with units that were asked and gave no answer at all."""
        having = {host for unit in province.units.values() for host in (unit.host, portal_host(unit))}
        answered = {finding.host for finding in self.findings}
        return tuple(host for host in self.hosts if host in having - answered)

    @property
    def local(self) -> datetime:
        """When it ended, in Vietnam's time."""
        return self.at.astimezone(VIETNAM)


def subject(province: Province) -> str:
    """SHA-256 over what a report takes from the inventory to say whose a verdict is."""
    rows = [[unit.id, unit.name, unit.kind, unit.parent] for _, unit in sorted(province.units.items())]
    return hashlib.sha256(json.dumps([province.settings.name, rows]).encode()).hexdigest()


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
        "left": assessment.left,
        "subject": assessment.subject,
        "commit": assessment.commit,
    }
    head |= {"digest": _digest(head, (finding.digest for finding in assessment.findings))}
    yield json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "findings": ['
    separator = "\n  "
    for row in as_json(assessment.findings):
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n  "
    yield "\n ]\n}\n"


def read(text: str, earlier: bool = False) -> Assessment:
    """The reverse of :func:`written`. Raises ValueError for what is no such file, or was changed since.

    ``earlier``: an assessment of an earlier day, by an edumail that may have written no digest, and known fewer
    requirements.
    """
    try:
        content: Any = json.loads(text)
        found = Assessment(
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
            left=tuple(map(str, content.get("left", ()))),
            subject=str(content.get("subject", "")),
            commit=str(content.get("commit", "")),
        )
        if "digest" not in content and not earlier:
            raise ValueError(
                "do một bản edumail cũ ghi, chỉ dùng được với --previous; hãy kiểm tra lại"
                " / written by an earlier edumail, good for --previous alone; ask the hosts again"
            )
        head = {name: value for name, value in content.items() if name not in ("findings", "digest")}
        said = content.get("digest") if earlier else content["digest"]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        what = "không phải tệp do edumail verify --json ghi / not what edumail verify --json writes"
        raise ValueError(f"{what} ({error})") from None
    if said is not None and said != _digest(head, (finding.digest for finding in found.findings)):
        raise ValueError("đã bị sửa sau khi ghi / was changed after it was written")
    if found.at > datetime.now(UTC) + _GRACE:
        raise ValueError(f"ghi thời điểm chưa tới: {found.at} / its time is still to come: {found.at}")
    _refuse_gaps(found.findings, earlier)
    return found


def _digest(head: Mapping[str, Any], findings: Iterable[str]) -> str:
    """SHA-256 over all that the file says; ``findings``: their digests."""
    return hashlib.sha256("\n".join([json.dumps(head, sort_keys=True), *findings]).encode()).hexdigest()


def _refuse_gaps(findings: Iterable[Finding], earlier: bool) -> None:
    """Raises ValueError unless there is one finding for each unit and requirement, and any at all."""
    number = Counter((finding.unit, finding.requirement) for finding in findings)
    names = {name for _, name in number} if earlier else set(requirements())
    if not number:
        raise ValueError("không có kết luận nào / there is no verdict in it")
    for unit in sorted({unit for unit, _ in number}):
        for name in names:
            if number[unit, name] != 1:
                why = f"{unit} {name}: {number[unit, name]}"
                raise ValueError(f"không phải đúng một kết luận / not exactly one verdict: {why}")
