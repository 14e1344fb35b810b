"""Article 7: author and source of what is posted, and nothing secret among it."""

from __future__ import annotations

import re

import pytest

from edumail.portal.model import ARTICLE_SECTIONS
from edumail.portal.sections import SECTIONS
from tests.circular.audit import Audit
from tests.circular.conftest import Record
from tests.circular.pages import Page
from tests.circular.portal import Reading, readings

SECRET = re.compile(r"(?:^|[^\w])(?:TUYỆT MẬT|TỐI MẬT|ĐỘ MẬT|MẬT)(?:$|[^\w])")
"""The marks of the law on state secrets, as they stand on documents: in capitals."""

ORIGIN = re.compile(r"Tác giả: \w.*? ?\. Nguồn: \w")


def _articles(reading: Reading) -> list[Page]:
    paths = [section.path for section in SECTIONS if section.id in ARTICLE_SECTIONS]
    return [page for path in paths if reading.portal.page(path).good for page in reading.portal.below(path)]


@pytest.mark.requirement("C37-7.3")
def test_what_is_posted_names_author_and_source(audit: Audit, serving: str, record: Record) -> None:
    for reading in readings(audit, serving, "C37-7.3"):
        articles = _articles(reading)
        bare = [page.url for page in articles if not ORIGIN.search(" ".join(page.main.text_content().split()))]
        evidence = [f"{len(articles) - len(bare)} of {len(articles)} articles with author and source", *bare[:5]]
        record(reading.unit.id, "C37-7.3", "pass" if articles and not bare else "fail", evidence)


@pytest.mark.requirement("C37-7.2")
def test_nothing_posted_bears_a_mark_of_secrecy(audit: Audit, serving: str, record: Record) -> None:
    """The half that pages show; the rest of the law is for the head to answer."""
    for reading in readings(audit, serving, "C37-7.2"):
        pages = [reading.portal.page("/van-ban/"), *_articles(reading)]
        marked = [page.url for page in pages if page.good and SECRET.search(page.main.text_content())]
        evidence = [f"{len(pages)} pages read, {len(marked)} with a mark of secrecy", *marked[:5]]
        evidence.append("obedience to the law has to be attested")
        record(reading.unit.id, "C37-7.2", "fail" if marked or not pages[0].good else "not-tested", evidence)
