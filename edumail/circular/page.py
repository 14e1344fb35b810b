"""An assessment as one self-contained HTML page: an overview, and pages for units and requirements behind links.

Nothing on it is a script and nothing comes from elsewhere. In a province of thousands of units it stays a page that a
browser opens: what was seen where a requirement is met is then in the JSON file alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import Basis, Words, requirements
from edumail.circular.differences import Differences
from edumail.circular.figures import figures
from edumail.circular.ranking import Score, left_to_lots
from edumail.circular.sheet import Sheet
from edumail.circular.texts import Text, in_force, topics
from edumail.circular.verdicts import VIETNAMESE, Finding, Verdict, counts, seen_by
from edumail.model import Province
from edumail.templates import render

_MANY_UNITS = 200
"""From so many units on the evidence of passes is left out, and that of others is cut."""
_LISTED = 60
"""How many units, or findings, a list names before it says how many more there are."""
_FEW = 12
"""So many fails are shown with their evidence at once, more behind a click each."""
_LINES, _LETTERS = 3, 240

# Sign, Vietnamese, English: a verdict is never told by its colour alone. What asks for action comes first.
WORDS: dict[Verdict, tuple[str, str, str]] = {
    "fail": ("✗", VIETNAMESE["fail"], "fail"),
    "not-tested": ("?", VIETNAMESE["not-tested"], "not tested"),
    "attested": ("§", VIETNAMESE["attested"], "attested"),
    "pass": ("✓", VIETNAMESE["pass"], "pass"),
    "not-applicable": ("–", VIETNAMESE["not-applicable"], "not applicable"),
}
BASES: dict[Basis, Words] = {
    "law": Words("Luật: chính Thông tư 37/2020", "Law: Circular 37/2020 itself"),
    "reference": Words("Dẫn chiếu: văn bản mà thông tư dẫn tới", "By reference: a text that the circular draws in"),
    "inference": Words("Suy luận của edumail, để kiểm tra được", "Inference of edumail's, so that it can be tested"),
}
_STRENGTHS = {
    "M": Words("bắt buộc", "binding as written"),
    "C": Words("khi có điều kiện", "as conditions allow"),
    "I": Words("suy luận, không phải câu chữ của thông tư", "inferred, not the circular's words"),
    "R": Words("khuyến nghị", "recommended"),
}
_KINDS = {
    "T": Words("kỹ thuật: máy chủ trả lời", "technical: hosts answer"),
    "D": Words("văn bản", "document"),
    "O": Words("tổ chức: chỉ con người xác nhận", "organisational: only people can attest it"),
}
_KNOWN = {
    "codified": Words("đọc trong bản pháp điển", "read in the official codification"),
    "web": Words("đọc trích trên trang công khai", "read in an excerpt of a public page"),
    "secondary": Words("theo ghi chép của người đã đối chiếu bản gốc", "from notes of one who compared the original"),
    "memory": Words("theo trí nhớ, chưa kiểm lại", "from memory, unchecked"),
}
ARTICLES = {
    "2": Words("Giải thích từ ngữ", "Terms"),
    "3": Words("Yêu cầu chung", "General demands"),
    "S39": Words("Tiêu chuẩn kỹ thuật (TT 39/2017, theo Điều 3)", "Technical standards (39/2017, by Article 3)"),
    "4": Words("Thư điện tử", "Email"),
    "5": Words("Nhóm thư", "Mail groups"),
    "6": Words("Vai trò của cổng", "Role of the portal"),
    "7": Words("Nguyên tắc cung cấp thông tin", "Principles of content"),
    "8": Words("Nội dung cổng của cơ quan quản lý", "Content: managing bodies"),
    "9": Words("Nội dung cổng của trường", "Content: schools"),
    "10": Words("Nội dung khác", "Other content"),
    "11": Words("Quản lý, vận hành cổng", "Running the portal"),
    "12": Words("Yêu cầu kỹ thuật", "Technology"),
    "13": Words("Trách nhiệm của sở", "Duties of departments"),
    "14": Words("Trách nhiệm của phòng", "Duties of bureaus"),
    "15": Words("Trách nhiệm của trường", "Duties of schools"),
    "16": Words("Kiểm tra, đánh giá, xếp hạng", "Inspection and ranking"),
}


@dataclass(frozen=True)
class _Cited:
    """A topic of law: what is in force on the day, and what was before."""

    now: Text | None
    earlier: tuple[Text, ...]
    later: tuple[Text, ...]


@dataclass(frozen=True)
class _Group:
    """Findings of one unit that say the same."""

    verdict: Verdict
    evidence: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def names(self) -> list[str]:
        """The requirements."""
        return [finding.requirement for finding in self.findings]

    @property
    def seen_by(self) -> str:
        """The hosts that were asked, and when."""
        return seen_by(self.findings)


def page(
    province: Province,
    assessment: Assessment,
    sheet: Sheet,
    scores: Sequence[Score],
    since: Differences | None = None,
) -> str:
    """The page. ``scores``: of :func:`edumail.circular.ranking.ranked`; ``since``: what changed, if that is known."""
    catalogue = requirements()
    by_unit = assessment.by_unit()
    by_requirement: dict[str, list[Finding]] = {name: [] for name in catalogue}
    for finding in assessment.findings:
        by_requirement[finding.requirement].append(finding)
    many = len(by_unit) >= _MANY_UNITS
    articles = {key: [row for row in catalogue.values() if row.article == key] for key in ARTICLES}
    number = {name: counts(found) for name, found in by_requirement.items()}
    sorted_out = {
        name: {verdict: [f for f in found if f.verdict == verdict] for verdict in WORDS}
        for name, found in by_requirement.items()
    }
    local = {name for row in catalogue.values() for name in row.local}
    return render(
        "circular/report.html.j2",
        province=province.settings,
        partial=assessment.partial(province),
        silent=assessment.silent(province),
        assessment=replace(assessment, checks={name: assessment.checks.get(name, ()) for name in catalogue}),
        at=assessment.local,
        words=WORDS,
        listed=_LISTED,
        many=many,
        few=_sum(number.values())["fail"] <= _FEW,
        catalogue=catalogue,
        articles={
            key: {"title": ARTICLES[key], "rows": rows, "bar": bar(_sum(number[row.id] for row in rows))}
            for key, rows in articles.items()
        },
        bases={
            basis: {
                "title": title,
                "rows": sum(row.basis == basis for row in catalogue.values()),
                "bar": bar(_sum(number[row.id] for row in catalogue.values() if row.basis == basis)),
            }
            for basis, title in BASES.items()
        },
        bar=bar(_sum(number.values())),
        number=number,
        strengths=_STRENGTHS,
        kinds={row.id: [_KINDS[part] for part in row.kind.split("+")] for row in catalogue.values()},
        known=_KNOWN,
        cited=_cited(assessment.local.date()),
        figures=figures(province, by_unit, local),
        units=province.units,
        unit_kinds=province.kinds,
        sheet=sheet,
        scores=scores,
        lots=left_to_lots(assessment, sheet),
        worst=[score for score in sorted(scores, key=_most_fails) if score.counts["fail"]][:10],
        cells={id: _cells(findings) for id, findings in by_unit.items()},
        bars={score.unit: bar(score.counts) for score in scores},
        groups={id: _groups(findings, many) for id, findings in by_unit.items()},
        fails=sorted(filter(None, (found["fail"] for found in sorted_out.values())), key=len, reverse=True),
        by_requirement=sorted_out,
        attested=[finding for finding in assessment.findings if finding.verdict == "attested"],
        open=_reasons(assessment.findings),
        since=since and replace(since, changes={verdict: since.changes.get(verdict, []) for verdict in WORDS}),
        seen_by=seen_by,
        cut=_cut if many else lambda evidence: evidence,
    )


def bar(number: Mapping[Verdict, int]) -> list[dict[str, Any]]:
    """The parts of a stacked bar: verdict, how many, and where it lies, in percent. What binds nobody is left out."""
    total = max(1, sum(number[verdict] for verdict in WORDS if verdict != "not-applicable"))
    parts, start = [], 0.0
    for verdict in ("pass", "attested", "not-tested", "fail"):
        width = 100 * number[verdict] / total
        parts.append({"verdict": verdict, "number": number[verdict], "x": round(start, 2), "width": round(width, 2)})
        start += width
    return parts


def _sum(numbers: Iterable[Counter[Verdict]]) -> Counter[Verdict]:
    result: Counter[Verdict] = Counter()
    for number in numbers:
        result.update(number)
    return result


def _most_fails(score: Score) -> tuple[int, float, str]:
    return -score.counts["fail"], score.points or 0, score.unit


def _cells(findings: Iterable[Finding]) -> dict[str, tuple[Verdict, int]]:
    """By article: the verdict that most asks for action, and how often. An article passes only as a whole."""
    catalogue = requirements()
    number: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for finding in findings:
        number[catalogue[finding.requirement].article][finding.verdict] += 1
    result: dict[str, tuple[Verdict, int]] = {}
    for article, found in number.items():
        verdict = next(verdict for verdict in WORDS if found[verdict])
        result[article] = verdict, found[verdict]
    return result


def _groups(findings: Iterable[Finding], many: bool) -> list[_Group]:
    """A unit's findings, what asks for action first; those that say the same together.

    With ``many`` units only fails and attestations, and reasons of several questions, keep their words: the reason why
    a single question is open is its own, and stands in the JSON file.
    """
    groups: dict[tuple[Verdict, tuple[str, ...]], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.verdict, finding.evidence].append(finding)
    if many:
        groups, whole = defaultdict(list), groups
        for (verdict, evidence), same in whole.items():
            said = verdict in ("fail", "attested") or (verdict == "not-tested" and len(same) > 1)
            groups[verdict, _cut(evidence) if said else ()] += same
    order = list(WORDS)
    found = sorted(groups.items(), key=lambda group: order.index(group[0][0]))
    return [_Group(verdict, evidence, tuple(same)) for (verdict, evidence), same in found]


def _cut(evidence: tuple[str, ...]) -> tuple[str, ...]:
    lines = [line if len(line) <= _LETTERS else line[:_LETTERS] + "…" for line in evidence[:_LINES]]
    return (*lines, "…") if len(evidence) > _LINES else tuple(lines)


def _reasons(findings: Iterable[Finding]) -> list[tuple[tuple[str, ...], list[str], int]]:
    """Why questions stayed open: the reason, the requirements, and of how many units and requirements it is said."""
    found: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for finding in findings:
        if finding.verdict == "not-tested":
            found[finding.evidence][finding.requirement] += 1
    order = list(requirements())
    rows = [(why, sorted(names, key=order.index), names.total()) for why, names in found.items()]
    return sorted(rows, key=lambda row: -row[2])


def _cited(on: date) -> dict[str, _Cited]:
    result = {}
    for topic, texts in topics().items():
        earlier = tuple(text for text in texts if text.until is not None and text.until < on)
        later = tuple(text for text in texts if text.since is not None and text.since > on)
        result[topic] = _Cited(in_force(topic, on), earlier, later)
    return result
