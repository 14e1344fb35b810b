"""The pages of units' portals: what must hold of every page, whatever a unit publishes."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import feedparser
import html5lib
import pytest

from edumail.load import load
from edumail.model import Province
from edumail.portal.load import Contents
from edumail.portal.model import (
    ARTICLE_SECTIONS,
    Admission,
    Appearance,
    Article,
    Centre,
    Consultation,
    Content,
    Disclosure,
    English,
    Introduction,
    Leader,
    Link,
    Menu,
    Paper,
    Portal,
    Procedure,
    Ranked,
    Resource,
    Responsible,
    YearOfStatistics,
)
from edumail.portal.pages import pages
from edumail.portal.prose import prose
from edumail.portal.sections import BY_ID, SECTIONS, incomplete, missing, shown
from edumail.portal.site import FEED_ITEMS, HEAD, MAIN, TITLE, Portals
from tests.core.conftest import LAB

UNITS = ("so", "vhxh-suoi-mo", "mn-hoa-sen", "th-suoi-mo", "thcs-suoi-mo", "thpt-song-que")
DYNAMIC = ("/tim-kiem", "/phan-anh", "/phan-anh/theo-doi", "/hoi-dap", "/tra-cuu/diem", "/tra-cuu/van-bang")
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"
# As macOS writes it: every mark a character of its own.
DECOMPOSED = unicodedata.normalize("NFD", "Trường Đặng Ữ")


class Given:
    """Contents made by hand; units that are not given publish nothing."""

    def __init__(self, **contents: Content):
        self.contents = contents

    def of(self, unit: str) -> Content:
        return self.contents.get(unit.replace("-", "_"), Content(unit=unit))

    def look(self) -> None:
        pass

    def fingerprint(self, unit: str) -> str:
        return repr(self.of(unit))


class Scan(HTMLParser):
    """What a page holds, by the standard library's parser."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def article(slug: str, **changes: Any) -> Article:
    values: dict[str, Any] = {
        "slug": slug,
        "title": NASTY,
        "date": date(2026, 9, 5),
        "author": NASTY,
        "source": NASTY,
        "summary": f"{DECOMPOSED} {NASTY}",  # of a type that does not normalise
        "body": f"# Một\n\n### Hai\n\n{NASTY}\n\n"
        "[x](javascript:alert(1)) [y](https://a.test/?a=1&b=2) <https://a.test/>\n\n"
        '![a "b"](/files/anh.png)\n\n| a | b |\n|--:|---|\n| 1 | 2 |\n\n    <b>mã</b>\n',
        **changes,
    }
    return Article(**values)


def nasty(unit: str, people: list[str]) -> Content:
    """Every field that takes any text, with text that is no friend."""
    text, markdown = NASTY, f"{NASTY}\n\n## {NASTY}\n\n[x](data:text/html,a)\n"
    link = Link(title=text, url="https://a.test/?a=1&b=2", note=text)
    return Content(
        unit=unit,
        portal=Portal(
            responsible=Responsible(person=people[0]),
            appearance=Appearance(colour="#0b6b5d", emblem="huy.svg"),
            introduction=Introduction(functions=markdown, structure=markdown, history=markdown),
            leaders=tuple(Leader(person=id, phone="0299 3 100 100", duties=text) for id in people),
            english=English(introduction=markdown, contact=markdown, services=markdown),
            services=(link,),
            public_services=link,
            admission_service=link,
            conference=link,
            school_management=link,
            meals=True,
            diploma_lookup=link,
            resource_library=link,
            links=(link,),
        ),
        articles={
            section: tuple(article(f"tin-{n}", title=f"{DECOMPOSED} {n} {NASTY}") for n in range(3))
            for section in ARTICLE_SECTIONS
        },
        documents=(
            Paper(number=text, date=date(2026, 1, 2), title=text, issuer=text, field=text, file="van-ban.pdf"),
        ),
        procedures=(
            Procedure(slug="mot", name=text, steps=(text,), file=(text,), place=text, handler=text,
                      handler_contact=text, time_limit=text, fees=text, url="https://a.test/"),
        ),
        consultations=(
            Consultation(slug="mot", title=text, text=markdown, address=text, email="a@minhha.test",
                         closes=date(2026, 12, 1), file="van-ban.pdf", outcome=markdown),
        ),
        statistics=tuple(
            YearOfStatistics(year=year, schools=1, classes=2, teachers=3, pupils=4000 + year, facilities=0)
            for year in range(2021, 2026)
        ),
        disclosures=(
            Disclosure(school_year="2025-2026", published=date(2026, 6, 1), general=markdown, finance=markdown,
                       conditions=markdown, plan_and_results=markdown, annual_report="van-ban.pdf"),
        ),
        menus=(Menu(week_of=date(2026, 11, 23), published=date(2026, 11, 20), text=markdown),),
        admissions=(
            Admission(slug="mot", school_year="2026-2027", title=text, who=text, quota=0, form=text, conditions=text,
                      dossier=(text,), time=text, place=text, published=date(2026, 5, 1), candidates=("A001",)),
        ),
        resources=(
            Resource(title=text, kind="ebook", subject=text, audience=text, author=text, file="van-ban.pdf"),
        ),
        centres=(Centre(name=text, address=text, licence=text, state=text),),
        ranking=(Ranked(unit=text, points="7.5", out_of="10", rank=1, grade=text, decision=text,
                        published=date(2026, 10, 1)),),
        files={"huy.svg": b"<svg/>", "anh.png": b"png", "van-ban.pdf": b"%PDF"},
    )  # fmt: skip


@cache
def portals(kind: str) -> Portals:
    province = load(LAB)
    if kind == "lab":
        return Portals(province, Contents(LAB, province))
    if kind == "empty":
        return Portals(province, Given())
    people: dict[str, list[str]] = {}
    for person in province.people:
        people.setdefault(person.unit, []).append(person.id)
    given = {unit.replace("-", "_"): nasty(unit, people[unit]) for unit in UNITS}
    return Portals(province, Given(**given))


@cache
def files(kind: str, unit: str) -> dict[str, str]:
    """Text by path, the unit's own below ``/``."""
    made = portals(kind)
    root = f"sites/{unit}"
    return {
        path.removeprefix(root): file.content.decode()
        for path, file in made.unit(made.province.units[unit]).items()
        if not path.startswith(f"{root}/files/")
    }


def html(kind: str, unit: str) -> dict[str, str]:
    """The unit's pages by URL."""
    return {
        path.removesuffix("index.html"): text
        for path, text in files(kind, unit).items()
        if path.endswith("/index.html")
    }


@pytest.fixture(params=[f"{kind}:{unit}" for kind in ("lab", "empty", "nasty") for unit in UNITS])
def site(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which contents, whose portal."""
    kind, unit = request.param.split(":")
    return kind, unit


def test_every_page_is_sound_html(site: tuple[str, str]) -> None:
    for url, text in html(*site).items():
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        try:
            parser.parse(text)
        except html5lib.html5parser.ParseError as error:
            pytest.fail(f"{url}: {error} at {parser.errors[-1:]}")


def test_pages_have_one_h1_and_no_gap_in_their_headings(site: tuple[str, str]) -> None:
    for url, text in html(*site).items():
        levels = [int(tag[1]) for tag, _ in Scan(text).tags if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1, url
        # What stands before the h1 has no headings, so the first is the h1.
        assert levels[0] == 1, (url, levels)
        assert all(after <= before + 1 for before, after in pairwise(levels)), (url, levels)


def test_nothing_runs_and_nothing_is_styled_in_a_page(site: tuple[str, str]) -> None:
    for url, text in html(*site).items():
        for tag, attributes in Scan(text).tags:
            assert tag not in ("script", "style", "iframe", "object", "embed", "base"), url
            for name, value in attributes.items():
                assert name != "style", (url, tag)
                assert not name.startswith("on"), (url, tag, name)
                if name in ("href", "src", "action"):
                    assert re.match(r"https?://|mailto:|tel:|/(?!/)|#", value), (url, tag, value)
        assert "alert(1)</script>" not in text, url


def test_every_text_a_unit_gives_is_shown_as_text() -> None:
    for unit in UNITS:
        for url, text in html("nasty", unit).items():
            assert "onerror=alert" not in re.sub(r"&lt;img src=x onerror=alert\(2\)&gt;", "", text), url
        news = html("nasty", unit)["/tin-tuc/tin-0/"]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in news
        assert "javascript:alert" not in [a.get("href") for a in Scan(news).of("a")]


def test_ids_are_unique_and_what_names_an_id_finds_it(site: tuple[str, str]) -> None:
    for url, text in html(*site).items():
        tags = Scan(text).tags
        ids = Counter(attributes["id"] for _, attributes in tags if "id" in attributes)
        assert not [id for id, count in ids.items() if count > 1], url
        for _, attributes in tags:
            for name in ("for", "aria-labelledby", "aria-describedby"):
                for id in attributes.get(name, "").split():
                    assert id in ids, (url, name, id)


def links(text: str) -> Iterator[str]:
    for _, attributes in Scan(text).tags:
        for name in ("href", "src", "action"):
            if attributes.get(name, "").startswith("/"):
                yield attributes[name]


@pytest.mark.parametrize("kind", ["lab", "empty", "nasty"])
def test_every_link_within_a_province_leads_somewhere(kind: str) -> None:
    made = portals(kind)
    hosts = {unit.portal: unit.id for unit in made.province.units.values()}
    there = {
        unit: {path.removeprefix(f"sites/{unit}") for path in made.unit(made.province.units[unit])} for unit in UNITS
    }
    for unit in UNITS:
        for page, text in html(kind, unit).items():
            targets = [(unit, link) for link in links(text)]
            for anchor in Scan(text).of("a"):
                if match := re.fullmatch(r"https://([^/]+)(/.*)", anchor.get("href", "")):
                    targets += [(hosts[match[1]], match[2])] if match[1] in hosts else []
            for of, target in targets:
                path, _, place = target.partition("#")
                path = path.partition("?")[0]
                if path in DYNAMIC:
                    continue
                if path.startswith("/assets/"):
                    assert path[1:] in there[of], (page, target)
                    continue
                file = f"{path}index.html" if path.endswith("/") else path
                assert file in there[of], (unit, page, target)
                assert not place or f'id="{place}"' in files(kind, of)[file], (unit, page, target)


def test_every_page_is_in_both_site_maps(site: tuple[str, str]) -> None:
    kind, unit = site
    pages = set(html(kind, unit))
    portal = portals(kind).province.units[unit].portal
    xml = ElementTree.fromstring(files(kind, unit)["/sitemap.xml"])  # noqa: S314 - our own
    listed = [url.text or "" for url in xml.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert sorted(listed) == sorted(f"https://{portal}{url}" for url in pages)
    text = re.search("<main.*</main>", html(kind, unit)["/so-do/"], re.S)
    assert text
    assert pages - {"/so-do/"} <= set(links(text[0]))


def test_all_text_is_in_one_normal_form(site: tuple[str, str]) -> None:
    for path, text in files(*site).items():
        assert unicodedata.is_normalized("NFC", text), path


def test_the_mandatory_marks_of_dublin_core_are_never_blank(site: tuple[str, str]) -> None:
    unit = portals("lab").province.units[site[1]]
    for url, text in html(*site).items():
        marks = {meta["name"]: meta["content"] for meta in Scan(text).of("meta") if "name" in meta}
        for name in ("title", "creator", "date", "description", "publisher", "identifier", "language", "source"):
            assert marks[f"DC.{name}"].strip(), (url, name)
        assert marks["DC.identifier"] == f"https://{unit.portal}{url}"
        assert re.fullmatch(r"\d{4}(-\d\d-\d\d)?", marks["DC.date"])
        properties = {meta["property"] for meta in Scan(text).of("meta") if "property" in meta}
        assert {"og:title", "og:type", "og:url", "og:description"} <= properties


def test_the_feed_is_read_by_somebody_else_s_parser(site: tuple[str, str]) -> None:
    kind, unit = site
    feed = feedparser.parse(files(kind, unit)["/rss.xml"])
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "rss20"
    content = portals(kind).contents.of(unit)
    articles = [a for section in content.articles.values() for a in section]
    assert len(feed.entries) == min(len(articles), FEED_ITEMS)
    assert all(entry.published_parsed and entry.id == entry.link for entry in feed.entries)
    assert any(link.rel == "self" for link in feed.feed.links)
    if articles:
        newest = max(articles, key=lambda a: a.date)
        days = [entry.published for entry in feed.entries]
        assert f"{newest.date.day:02} " in days[0]


def test_a_section_with_many_articles_leads_to_all_of_them() -> None:
    province = portals("lab").province
    many = tuple(article(f"tin-{n}", date=date(2026, 1, 1 + n % 28)) for n in range(99))
    made = Portals(province, Given(so=Content(unit="so", articles={"news": many})))
    text = made.unit(province.units["so"])["sites/so/tin-tuc/index.html"].content.decode()
    assert {f"/tin-tuc/tin-{n}/" for n in range(99)} <= set(links(text))
    assert text.count('class="teaser') == 30


def test_a_large_province_s_ladder_has_a_page_for_each_office(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edumail.portal.pages.ONE_PAGE", 2)
    province = portals("empty").province
    made = Portals(province, Given()).unit(province.units["so"])
    first = made["sites/so/lien-ket/index.html"].content.decode()
    assert "/lien-ket/vhxh-suoi-mo/" in set(links(first))
    assert set(re.findall('data-unit="([^"]+)"', first)) == {"vhxh-suoi-mo", "thpt-song-que"}
    second = made["sites/so/lien-ket/vhxh-suoi-mo/index.html"].content.decode()
    assert set(re.findall('data-unit="([^"]+)"', second)) == {"mn-hoa-sen", "th-suoi-mo", "thcs-suoi-mo"}


def test_the_feed_holds_the_newest_twenty() -> None:
    province = portals("lab").province
    many = tuple(article(f"tin-{n}", date=date(2026, 1, 1 + n)) for n in range(29, -1, -1))
    made = Portals(province, Given(so=Content(unit="so", articles={"news": many})))
    feed = feedparser.parse(made.unit(province.units["so"])["sites/so/rss.xml"].content)
    assert [entry.link.rsplit("/", 2)[1] for entry in feed.entries] == [f"tin-{n}" for n in range(29, 9, -1)]


def test_the_published_address_is_on_the_home_page_as_a_plain_link(site: tuple[str, str]) -> None:
    kind, unit = site
    address = portals(kind).province.units[unit].public_address
    for url in ("/", "/lien-he/"):
        assert f'<a href="mailto:{address}">{address}</a>' in html(kind, unit)[url]


def test_a_home_page_with_its_stylesheets_is_below_60_kb(site: tuple[str, str]) -> None:
    whole = files(*site)
    size = len(whole["/index.html"].encode())
    size += sum(len(text.encode()) for path, text in whole.items() if path.startswith("assets/"))
    assert size < 60_000


def test_the_same_content_gives_the_same_bytes() -> None:
    province = load(LAB)
    again = Portals(province, Contents(LAB, province))
    for unit in UNITS:
        for path, file in again.unit(province.units[unit]).items():
            assert portals("lab").unit(province.units[unit])[path].content == file.content, path


def test_the_search_index_has_every_page_as_plain_words(site: tuple[str, str]) -> None:
    kind, unit = site
    rows = json.loads(files(kind, unit)[f"index/{unit}.json"])
    assert rows[0]["url"] == "/"
    assert {row["url"] for row in rows} == set(html(kind, unit))
    for row in rows:
        assert set(row) == {"url", "section", "title", "text", "date"}
        assert row["text"].strip()


def test_an_article_is_found_by_a_word_of_its_body_alone() -> None:
    rows = json.loads(files("lab", "thcs-suoi-mo")["index/thcs-suoi-mo.json"])
    assert [row["url"] for row in rows if "lá cờ nhỏ" in row["text"]] == ["/tin-tuc/khai-giang-nam-hoc-2026-2027/"]


def test_an_app_can_put_a_page_into_the_shell(site: tuple[str, str]) -> None:
    kind, unit = site
    shell = files(kind, unit)[f"shells/{unit}.html"]
    assert shell.count(TITLE) == shell.count(MAIN) == 1
    assert HEAD not in shell
    assert re.search(f"<title>{TITLE}</title>", shell)
    assert re.search(f"<main[^>]*>.*{MAIN}.*</main>", shell, re.S)
    for text in html(kind, unit).values():
        assert "<!--edumail" not in text


def test_every_article_names_author_and_source() -> None:
    text = html("lab", "thcs-suoi-mo")["/tin-tuc/khai-giang-nam-hoc-2026-2027/"]
    assert 'itemprop="author">Đào Duy Khánh<' in text
    assert "Nguồn: <span>Trường THCS Suối Mơ</span>" in text


def test_the_footer_names_who_answers_for_the_content() -> None:
    for text in html("lab", "thcs-suoi-mo").values():
        assert "Nguyễn Thị Hương</span>, Phó Hiệu trưởng" in text


def test_a_unit_that_publishes_nothing_has_every_mandatory_page_and_says_what_is_missing(province: Province) -> None:
    made = portals("empty")
    for unit in UNITS:
        view, pages = made.view(province.units[unit]), html("empty", unit)
        for section in SECTIONS:
            if not section.mandatory(view):
                assert section.path not in pages or section.id == "links", (unit, section.id)
                continue
            if section.path.endswith("/"):
                assert f'href="{section.path}"' in pages["/"]
                assert (f'data-missing="{section.id}"' in pages[section.path]) == (section.id != "contact")
        assert 'data-missing="news"' in pages["/"]
        assert "lorem" not in "".join(pages.values()).lower()


def test_who_is_bound_by_what(province: Province) -> None:
    made = portals("empty")
    bound = {unit: {s.id for s in SECTIONS if s.mandatory(made.view(province.units[unit]))} for unit in UNITS}
    assert bound["so"] - bound["vhxh-suoi-mo"] == {"centres"}
    assert bound["vhxh-suoi-mo"] - bound["thcs-suoi-mo"] == {
        "english", "law", "procedures", "results", "diplomas", "conference", "accreditation", "projects",
        "ranking",
    }  # fmt: skip
    assert bound["thcs-suoi-mo"] - bound["so"] == {"disclosure", "admission"}


def test_every_requirement_named_by_a_section_is_of_the_catalogue_and_binds_that_kind() -> None:
    from edumail.circular.catalogue import requirements

    named = set()
    for section in SECTIONS:
        for binds, ids in section.asked.items():
            for id in ids:
                assert binds in requirements()[id].binds, (section.id, id)
                named.add(id)
            strengths = {requirements()[id].strength for id in ids}
            assert (binds in section.binds) == ("M" in strengths) or section.id == "menus", section.id
    # Metadata are on every page, not in a section.
    wanted = {id for id in requirements() if re.match(r"C37-(6\.1|8|9|10)", id)} - {"C37-8.7", "C37-9.6"}
    wanted |= {"C37-16.4", "C37-16.5"}
    assert wanted <= named, wanted - named


def test_the_lab_s_units_lack_nothing(province: Province) -> None:
    made = portals("lab")
    for unit in UNITS:
        assert (LAB / "content" / unit).is_dir()
        assert incomplete(made.view(province.units[unit]), made.contents.of(unit)) == {}, unit


FULL = "thcs-suoi-mo"


def lacks(section: str, unit: str = FULL, **changes: Any) -> list[str]:
    """What a section of a unit of the lab lacks after ``changes`` to its content (``portal_…`` to its portal)."""
    made = portals("lab")
    content = made.contents.of(unit)
    inner = {name.removeprefix("portal_"): value for name, value in changes.items() if name.startswith("portal_")}
    outer = {name: value for name, value in changes.items() if not name.startswith("portal_")}
    content = content.model_copy(update={"portal": content.portal.model_copy(update=inner), **outer})
    return [lack.en for lack in missing(BY_ID[section], made.view(made.province.units[unit]), content)]


def test_each_field_of_a_section_is_missed_by_itself() -> None:
    content = portals("lab").contents.of(FULL)
    leaders, given = content.portal.leaders, content.portal.introduction
    assert given
    assert lacks("leaders") == []
    assert lacks("leaders", portal_leaders=leaders[:1]) == [
        "telephone of Nguyễn Thị Hương",
        "duties of Nguyễn Thị Hương",
    ]
    assert lacks("introduction", portal_introduction=given.model_copy(update={"history": " "})) == ["a short history"]
    assert lacks("services", portal_admission_service=None) == ["online admission"]
    assert lacks("services", "so", portal_public_services=None) == ["the link to the portal of public services"]
    admission = content.admissions[0]
    for field, en in (("who", "who may apply"), ("quota", "quota"), ("form", "form of selection"),
                      ("conditions", "conditions"), ("dossier", "dossier"), ("time", "time"),
                      ("place", "place")):  # fmt: skip
        spoilt = admission.model_copy(update={field: () if field == "dossier" else None})
        assert lacks("admission", admissions=(spoilt,)) == [f"{en}: '{admission.title}'"]
    assert lacks("admission", admissions=(admission.model_copy(update={"candidates": ()}),)) == [
        "the list of candidates"
    ]
    assert lacks("admission", admissions=(admission.model_copy(update={"quota": 0}),)) == []
    years = content.statistics
    assert lacks("statistics", statistics=years[:2] + years[3:]) == [
        f"figures of the school year {years[2].year}–{years[2].year + 1}"
    ]
    assert len(lacks("statistics", statistics=years[-3:])) == 2
    procedure = content.procedures[0]
    for field in ("steps", "file", "place", "handler", "handler_contact", "time_limit", "fees"):
        spoilt = procedure.model_copy(update={field: () if field in ("steps", "file") else None})
        assert len(lacks("procedures", procedures=(spoilt,))) == 1, field
    newest, *older = content.disclosures
    assert lacks("disclosure", disclosures=(newest.model_copy(update={"annual_report": None}), *older)) == [
        f"annual report of {newest.school_year}"
    ]
    for markdown in ("### Đội ngũ\n\nHai từ", "Đội ngũ\n\n10 giáo viên đạt chuẩn"):
        spoilt = newest.model_copy(update={"conditions": f"{markdown}\n\n## Khác\n\nba bốn năm"})
        assert "staff, 2025-2026" in lacks("disclosure", disclosures=(spoilt, *older)), markdown
    nested = newest.conditions.replace("###", "##").replace("## Đội ngũ\n", "## Đội ngũ\n\n#### Số lượng\n")
    assert lacks("disclosure", disclosures=(newest.model_copy(update={"conditions": nested}), *older)) == []
    assert lacks("disclosure", portal_meals=None) == ["whether meals are served"]
    assert lacks("disclosure", portal_meals=True) == ["the week's menu"]
    assert lacks("disclosure", portal_meals=True, menus=portals("lab").contents.of("th-suoi-mo").menus) == []
    for section, field in (("news", "articles"), ("documents", "documents"), ("consultations", "consultations"),
                           ("resources", "resources")):  # fmt: skip
        assert len(lacks(section, **{field: {} if field == "articles" else ()})) == 1, section


def test_what_a_unit_wrote_is_shown_whatever_it_counts_for() -> None:
    made = portals("lab")
    content, view = made.contents.of(FULL), made.view(made.province.units[FULL])
    notice = content.admissions[0].model_copy(
        update={"place": "Khu nhà B đang xây dựng, tầng 1", "time": "Đang cập nhật", "who": " ", "quota": 0}
    )
    content = content.model_copy(update={"admissions": (notice,)})
    lacking = missing(BY_ID["admission"], view, content)
    assert [lack.en.partition(":")[0] for lack in lacking] == ["who may apply", "time"]
    (page,) = (page for page in pages(view, content) if page.url == f"/tuyen-sinh/{notice.slug}/")
    for field, words in (("place", notice.place), ("time", notice.time), ("quota", 0), ("who", "chưa công bố")):
        assert re.search(f'data-field="{field}">[^/]*{words}', page.main), field


def test_a_section_that_is_switched_on_comes_with_its_content(province: Province) -> None:
    made = portals("nasty")
    view = made.view(province.units["so"])
    ids = {section.id for section in shown(view, made.contents.of("so"))}
    assert {"elearning", "organisations", "press", "answers", "support", "polls", "links"} <= ids
    bare = {section.id for section in shown(view, Content(unit="so"))}
    assert not {"elearning", "organisations", "press", "answers", "support", "polls"} & bare


def test_the_ladder_lists_all_below_with_their_state_and_leads_up(province: Province) -> None:
    so = html("empty", "so")["/lien-ket/"]
    rows = re.findall(r'<tr data-unit="([a-z0-9-]+)">(.*?)</tr>', so, re.S)
    assert {id for id, _ in rows} == set(UNITS) - {"so"}
    for id, row in rows:
        unit = province.units[id]
        assert f'<a href="https://{unit.portal}/">' in row
        assert unit.street_address in row
        assert unit.phone in row
        assert "còn thiếu" in row
    full = html("lab", "so")["/lien-ket/"]
    made = portals("lab")
    complete = [id for id in UNITS if id != "so" and not made.lacking(province.units[id])]
    assert FULL in complete
    assert full.count("đủ mục") == len(complete)
    assert full.count("còn thiếu") == 5 - len(complete)
    assert 'href="https://sogddt.minhha.test/"' in html("lab", "thcs-suoi-mo")["/lien-ket/"]
    assert 'href="https://vhxh.suoimo.minhha.test/hoc-lieu/"' in html("lab", "thcs-suoi-mo")["/hoc-lieu/"]


def test_a_parent_s_page_changes_with_the_state_of_a_unit_below(province: Province) -> None:
    before = Portals(province, portals("lab").contents)
    after = Portals(province, Given(thcs_suoi_mo=Content(unit=FULL)))
    so = province.units["so"]
    assert before.view(so).digest != after.view(so).digest


def test_markdown_headings_follow_the_page_s() -> None:
    assert re.findall("<(h.)>", prose("### a\n\n# b\n\n#### c\n\n## d", 2)) == ["h3", "h3", "h4", "h4"]
    assert re.findall("<(h.)>", prose("# a\n\n## b\n\n### c")) == ["h2", "h3", "h4"]


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//evil.test/", "file:///etc"],
)
def test_a_link_that_could_do_harm_is_no_link(target: str) -> None:
    assert "<a" not in prose(f"[x]({target})")
    assert "<img" not in prose(f"![x]({target})")


def test_statistics_are_a_table_and_a_chart_with_words() -> None:
    text = html("lab", FULL)["/thong-ke/"]
    assert text.count('<th scope="row">') == 5
    assert text.count("<svg") == 4
    assert "<text" not in re.sub(r"<text[^>]*><tspan>[^<]+</tspan></text>", "", text), (
        "axe could not judge its contrast"
    )
    for id in re.findall(r'<svg[^>]*aria-labelledby="(\S+) ', text):
        assert re.search(rf'<title id="{id}">[^<]+</title><desc id="{id[:-2]}-d">[^<]*2025–2026: \d', text)


def ranked(unit: str, decision: str, published: date, rank: int = 1, **changes: Any) -> Ranked:
    values = {"unit": unit, "points": "94.5", "rank": rank, "grade": "Tốt", "decision": decision, **changes}
    return Ranked(published=published, **values)


def test_a_ranking_is_a_table_a_decision_the_newest_first_in_the_order_of_the_file() -> None:
    old, new = date(2025, 10, 1), date(2026, 10, 2)
    rows = (ranked("Cũ", "1/QĐ", old, out_of="100"), ranked("B", "2/QĐ", new, 1), ranked("A", "2/QĐ", new, 2))
    province = portals("lab").province
    made = Portals(province, Given(so=Content(unit="so", ranking=rows))).unit(province.units["so"])
    text = made["sites/so/xep-hang/index.html"].content.decode()
    captions = [re.sub("<[^>]+>", "", caption) for caption in re.findall("<caption.*?</caption>", text)]
    assert captions == [
        "Quyết định số 2/QĐ. Công bố ngày 02/10/2026",
        "Quyết định số 1/QĐ. Công bố ngày 01/10/2025",
    ]
    assert re.findall('<th scope="row">(.*?)</th>', text) == ["B", "A", "Cũ"]
    assert text.count('data-label="Điểm">94,5</td>') == 3
    assert text.count('data-label="Tối đa">100</td>') == text.count('data-label="Tối đa"') == 1
    assert 'name="DC.date" content="2026-10-02"' in text
    assert "data-missing" not in re.findall("<main.*</main>", text, re.S)[0]


def test_candidates_are_listed_by_number_alone() -> None:
    made = portals("lab")
    text = next(t for url, t in html("lab", FULL).items() if url.startswith("/tuyen-sinh/") and len(url) > 13)
    for candidate in made.contents.of(FULL).admissions[0].candidates:
        assert f"<li>{candidate}</li>" in text
