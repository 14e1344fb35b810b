"""Findings as JUnit XML, for whatever reads test results: a suite for each unit, a case for each requirement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import requirements
from edumail.circular.verdicts import Finding, counts
from edumail.model import Province

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(province: Province, assessment: Assessment) -> Iterator[str]:
    """The file, in pieces. What is attested, open or not asked is skipped with its reason; only a pass is plain.

    An audit that is not whole has a suite of its own with an error for each reason, so that no reader takes it for one
    that is.
    """
    number = counts(assessment.findings)
    errors = len(assessment.incomplete)
    skipped = len(assessment.findings) - number["pass"] - number["fail"]
    at = assessment.at.strftime("%Y-%m-%dT%H:%M:%S")
    name = f"{province.settings.name_en}: assessed against Circular 37/2020/TT-BGDĐT as codified"
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    totals = _totals(len(assessment.findings) + errors, number["fail"], errors, skipped)
    yield f"<testsuites name={_quoted(name)} {totals}>\n"
    if errors:
        yield f'<testsuite name="audit" {_totals(errors, 0, errors, 0)} timestamp="{at}" hostname="">\n'
        for index, reason in enumerate(assessment.incomplete, 1):
            yield f'<testcase classname="audit" name="incomplete {index}" time="0">'
            yield f'<error message={_quoted(reason)} type="incomplete"/></testcase>\n'
        yield "</testsuite>\n"
    for id, findings in assessment.by_unit().items():
        number = counts(findings)
        totals = _totals(len(findings), number["fail"], 0, len(findings) - number["pass"] - number["fail"])
        host = province.hosts[province.units[id].host].fqdn
        yield f'<testsuite name={_quoted(id)} {totals} timestamp="{at}" hostname={_quoted(host)}>\n'
        yield f'<properties><property name="unit" value={_quoted(province.units[id].name)}/></properties>\n'
        yield from map(_case, findings)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _case(finding: Finding) -> str:
    row = requirements()[finding.requirement]
    name = f'classname={_quoted(f"C37.{row.article}")} name={_quoted(f"{row.id} {row.en}")} time="0"'
    said = "\n".join(finding.evidence)
    if finding.verdict == "pass":
        return f"<testcase {name}/>\n"
    if finding.verdict == "fail":
        words = f'<failure message={_quoted(finding.evidence[0])} type="fail">{_text(said)}</failure>'
    else:
        words = f"<skipped message={_quoted(f'{finding.verdict}: {said}')}/>"
    return f"<testcase {name}>{words}</testcase>\n"


def _totals(tests: int, failures: int, errors: int, skipped: int) -> str:
    return f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="0"'


def _text(text: str) -> str:
    """Without what XML 1.0 has no way to write, such as the escape sequences of a terminal."""
    return escape(_ILLEGAL.sub("\ufffd", text))


def _quoted(text: str) -> str:
    return '"' + _text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") + '"'
