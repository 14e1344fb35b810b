"""What a page says of itself to programs: microdata of schema.org, and what Open Graph shows where it is shared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import urljoin

import pytest
from lxml import html as lxml

from edumail.portal.model import Article
from edumail.portal.sections import BY_ID
from tests.core.test_portal_site import Scan, files, html, portals, site

__all__ = ["site"]
SCHEMA = "https://schema.org/"
LINKS = {"a": "href", "link": "href", "img": "src"}


@dataclass(frozen=True)
class Item:
    """One item of a page; nothing here is an item within another."""

    type: str
    values: dict[str, list[str]]


def items(text: str, page: str) -> list[Item]:
    """All of them, as the HTML standard reads microdata; addresses are made whole by that of the page."""
    root, found = lxml.document_fromstring(text), []
    for scope in root.xpath("//*[@itemscope]"):
        assert scope.get("itemtype").startswith(SCHEMA)
        item = Item(scope.get("itemtype").removeprefix(SCHEMA), {})
        for element in scope.xpath(".//*[@itemprop]"):
            item.values.setdefault(element.get("itemprop"), []).append(_value(element, page))
        found.append(item)
    assert not root.xpath("//*[@itemscope]//*[@itemscope]")
    assert not root.xpath("//*[@itemprop][not(ancestor::*[@itemscope])]"), "a value that is nobody's"
    return found


def _value(element: lxml.HtmlElement, page: str) -> str:
    if element.tag in LINKS:
        return urljoin(page, element.get(LINKS[element.tag]))
    if element.tag == "meta":
        return str(element.get("content"))
    if element.tag == "time":
        return str(element.get("datetime"))
    return str(element.text_content()).strip()


def articles(kind: str, unit: str) -> dict[str, tuple[str, Article]]:
    """By the address of their page, with the section that each stands in."""
    content = portals(kind).contents.of(unit)
    return {
        f"{BY_ID[section].path}{article.slug}/": (section, article)
        for section, found in content.articles.items()
        for article in found
    }


def properties(text: str) -> dict[str, str]:
    """What Open Graph reads; nothing twice."""
    found = [(meta["property"], meta["content"]) for meta in Scan(text).of("meta") if "property" in meta]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_page_says_whose_it_is(site: tuple[str, str]) -> None:
    made = portals(site[0])
    unit = made.province.units[site[1]]
    school = made.view(unit).school
    for url, text in html(*site).items():
        (owner,) = [item for item in items(text, f"https://{unit.portal}{url}") if "Article" not in item.type]
        assert owner == Item(
            "School" if school else "GovernmentOrganization",
            {
                "name": [unit.name],
                "address": [unit.street_address],
                "telephone": [f"tel:{unit.phone.replace(' ', '')}"],
                "email": [f"mailto:{unit.public_address}"],
                "url": [f"https://{unit.portal}/"],
            },
        ), url


@pytest.mark.parametrize("unit", ["so", "thcs-suoi-mo"])
def test_an_article_says_what_it_is_and_nothing_else_does(unit: str) -> None:
    known, seen = articles("lab", unit), set()
    portal = f"https://{portals('lab').province.units[unit].portal}"
    for url, text in html("lab", unit).items():
        found = [item for item in items(text, f"{portal}{url}") if "Article" in item.type]
        if url not in known:
            assert found == [], url
            continue
        section, article = known[url]
        (said,) = found
        assert said.type == ("NewsArticle" if section == "news" else "Article")
        (body,) = said.values.pop("articleBody")
        assert re.findall(r"\w+", body)[:3] == re.findall(r"\w+", article.body)[:3]
        wanted = {
            "headline": [article.title],
            "description": [article.summary],
            "datePublished": [article.date.isoformat()],
            "author": [article.author],
            "dateModified": [article.updated.isoformat()] if article.updated not in (None, article.date) else [],
            "image": [f"{portal}/files/{article.image}"] if article.image else [],
            "isBasedOn": [article.source_url] if article.source_url else [],
        }
        assert said.values == {name: values for name, values in wanted.items() if values}, url
        seen |= set(said.values)
    assert seen >= {"headline", "author"}
    assert set(known) <= set(html("lab", unit))
    assert unit != "thcs-suoi-mo" or "image" in seen


def test_what_is_shared_is_shown_with_its_own_title_words_and_picture(site: tuple[str, str]) -> None:
    unit = portals(site[0]).province.units[site[1]]
    known = articles(*site)
    for url, text in html(*site).items():
        said = properties(text)
        assert said["og:url"] == f"https://{unit.portal}{url}"
        assert said["og:site_name"] == unit.name
        lang = next(attributes["lang"] for attributes in Scan(text).of("html"))
        assert said["og:locale"] == {"vi": "vi_VN", "en": "en_GB"}[lang]
        assert lxml.document_fromstring(text).findtext(".//title").startswith(said["og:title"]), url
        assert said["og:description"].strip()
        if url not in known:
            assert said["og:type"] == "website"
            assert not {name for name in said if name.startswith("article:")} | ({"og:image"} & set(said)), url
            continue
        _, article = known[url]
        assert said["og:type"] == "article"
        assert (said["og:title"], said["og:description"]) == (article.title, normalize("NFC", article.summary))
        assert said["article:published_time"] == article.date.isoformat()
        assert said["article:modified_time"] == (article.updated or article.date).isoformat()
        if article.image is None:
            assert "og:image" not in said
        else:
            assert said["og:image"] == f"https://{unit.portal}/files/{article.image}"
            path = f"sites/{unit.id}/files/{article.image}"
            assert path in portals(site[0]).unit(unit), f"{url} shows a picture that is not there"


def test_some_article_is_shown_with_a_picture() -> None:
    """So that the picture of the test above is seen at all."""
    pictures = [article.image for _, article in articles("lab", "thcs-suoi-mo").values()]
    assert [picture for picture in pictures if picture]
    assert any("og:image" in text for text in files("lab", "thcs-suoi-mo").values())
