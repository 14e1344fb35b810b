"""Article 3: names by the rules for domain names, and portals for the schools below."""

from __future__ import annotations

import pytest

from edumail.circular.verdicts import Verdict
from tests.circular import portal
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.portal import readings


@pytest.mark.requirement("C37-3.1b.1")
def test_names_lie_where_the_province_allows_them(audit: Audit, serving: str, record: Record) -> None:
    """The half that DNS shows; that the names are registered for the unit is on paper."""
    suffixes = audit.province.settings.allowed_suffixes
    for unit in audit.pages(serving):
        evidence, good = [], True
        for name, kind in ((unit.portal, "A"), (unit.domain, "MX")):
            allowed = any(name == suffix or name.endswith(f".{suffix}") for suffix in suffixes)
            try:
                answers = audit.network.lookup(name, kind)
            except OSError as error:
                answers, kind = [], f"{kind}: {error}"
            good &= allowed and bool(answers)
            where = "below an allowed suffix" if allowed else "NOT below an allowed suffix"
            evidence.append(f"{name} {kind} {', '.join(answers) or 'no answer'}; {where}")
        evidence.append("that the names are registered for the unit has to be attested")
        record(unit.id, "C37-3.1b.1", "not-tested" if good else "fail", evidence)


@pytest.mark.requirement("C37-3.1b.2")
def test_a_name_below_edu_vn_leads_to_the_portal(audit: Audit, serving: str, record: Record) -> None:
    for reading in readings(audit, serving, "C37-3.1b.2"):
        unit = reading.unit
        names = [name for name in (unit.portal, *unit.former_portals) if name.endswith(".edu.vn")]
        mail = unit.domain.endswith(".edu.vn")
        verdict: Verdict = "not-tested"
        evidence = ["no name below edu.vn in the inventory; why there is none has to be attested"]
        if names:
            page = reading.portal.page("/")
            resolved = [name for name in names if audit.network.lookup(name, "A")]
            evidence = [f"{', '.join(names)}: {len(resolved)} resolve; {page.said}; mail domain {unit.domain}"]
            verdict = "pass" if page.good and len(resolved) == len(names) and mail else "fail"
        record(unit.id, "C37-3.1b.2", verdict, evidence)


@pytest.mark.requirement("C37-3.1c")
def test_every_school_below_has_a_portal_of_its_own(audit: Audit, serving: str, record: Record) -> None:
    for above in readings(audit, serving, "C37-3.1c"):
        schools = [
            unit for unit in audit.mail.units.below(above.unit.id) if audit.province.kinds[unit.kind].binds == "school"
        ]
        if not schools:
            record(above.unit.id, "C37-3.1c", "not-applicable", ["no school stands below this unit"])
            continue
        silent = []
        for school in schools:
            home = portal.reading(audit, school).portal.page("/")
            title = " ".join(" ".join(home.root.xpath("//h1//text()|//header//text()")).split())
            if not home.good or school.name not in title:
                silent.append(f"{home.said}: without the name of {school.id}")
        evidence = [
            f"{len(schools) - len(silent)} of {len(schools)} schools answer under their own name with it",
            *silent,
        ]
        record(above.unit.id, "C37-3.1c", "fail" if silent else "pass", evidence[:20])
