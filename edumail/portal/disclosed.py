"""What the parts of a disclosure hold (Circular 09/2024/TT-BGDĐT), by the school's level: headings of their texts.

Articles 4 and 5 are for every school, 6 and 7 for preschools, 8 and 9 for general schools, 10 and 11 for continuing
education. That is from their titles; their clauses were not read in the circular's own text. The headings are from
notes; those of finance (5.1 to 5.4) and of general schools (8.1 to 8.3, 9.1, 9.2) agree, clause by clause, with how a
general school's public page that cites the clauses has them; for preschools they are by the same pattern. The points
below the clauses, and what 10 and 11 list, are not asked by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edumail.portal.model import Disclosure
from edumail.portal.prose import headed
from edumail.portal.said import WORDS, said
from edumail.text import fold

Headings = Mapping[str, tuple[tuple[str, str], ...]]
"""Field of a disclosure → the headings of its Markdown, with what they are called in English."""

EVERY: Headings = {
    "general": (
        ("Liên hệ", "address and contact"),
        ("Sứ mạng, tầm nhìn, mục tiêu", "mission, vision, aims"),
        ("Hình thành, phát triển", "history"),
        ("Người đại diện", "representative"),
        ("Tổ chức bộ máy", "organisation"),
        ("Văn bản", "regulations"),
    ),
    "finance": (
        ("Thu, chi năm trước", "income and expenditure of the year before"),
        ("Các khoản thu", "what learners pay"),
        ("Miễn, giảm, trợ cấp, học bổng", "exemptions, allowances, scholarships"),
        ("Số dư các quỹ", "balances of the funds"),
    ),
}
PRESCHOOL: Headings = {
    "conditions": (
        ("Đội ngũ", "staff"),
        ("Cơ sở vật chất", "facilities"),
        ("Đánh giá, kiểm định", "assessment and accreditation"),
    ),
    "plan_and_results": (
        ("Kế hoạch nuôi dưỡng, chăm sóc, giáo dục", "plan of care and education"),
        ("Kết quả nuôi dưỡng, chăm sóc, giáo dục", "results of care and education"),
    ),
}
GENERAL: Headings = {
    "conditions": (
        ("Đội ngũ", "staff"),
        ("Cơ sở vật chất, tài liệu học tập", "facilities and learning materials"),
        ("Đánh giá, kiểm định", "assessment and accreditation"),
    ),
    "plan_and_results": (("Kế hoạch giáo dục", "plan of education"), ("Kết quả giáo dục", "results of education")),
}
LEVELS: Mapping[str, Headings] = {"mamnon": PRESCHOOL, "tieuhoc": GENERAL, "thcs": GENERAL, "thpt": GENERAL}


def asked(levels: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """The headings of a school of these levels, as (Vietnamese, English) → the field that they stand in."""
    found = (EVERY, *(LEVELS[level] for level in levels if level in LEVELS))
    return {heading: field for part in found for field, headings in part.items() for heading in headings}


def lacking(disclosure: Disclosure, levels: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The headings that a disclosure does not have, or has without words below."""
    for heading, field in asked(levels).items():
        texts = headed(getattr(disclosure, field))
        if not any(fold(title).startswith(fold(heading[0])) and len(said(words)) >= WORDS for title, words in texts):
            yield heading
