"""Every page of a unit, in the order of the menu. What a page says is in its template; here is what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from markupsafe import Markup

from edumail.portal.chart import bars, number
from edumail.portal.model import ARTICLE_SECTIONS, MODES, Article, Content, Ranked
from edumail.portal.page import Page, day
from edumail.portal.prose import prose
from edumail.portal.sections import (
    ADMISSION_FIELDS,
    PROCEDURE_FIELDS,
    YEARS,
    Section,
    blank,
    missing,
    shown,
)
from edumail.portal.view import View
from edumail.templates import render

NEWEST = 6
"""How many items of a kind the home page shows."""
TEASERS = 30
"""How many articles a section shows with their summaries; older ones by title."""
ONE_PAGE = 400
"""Up to so many units the ladder is one page; a larger one gives every office's schools a page of their own."""


class Maker:
    """Makes the pages of one unit."""

    def __init__(self, view: View, content: Content):
        self.view, self.content = view, content
        self.sections = shown(view, content)
        self.lacks = {section.id: missing(section, view, content) for section in self.sections}

    def main(self, template: str, **values: Any) -> Markup:
        """What a template makes of the unit and ``values``."""
        text = render(
            f"portal/site/{template}.html.j2",
            view=self.view,
            content=self.content,
            lacks=self.lacks,
            has={section.id: section for section in self.sections},
            day=day,
            number=number,
            prose=prose,
            blank=blank,
            **values,
        )
        return Markup(text)  # noqa: S704 - templates escape

    def listing(self, section: Section, template: str, changed: date | None = None, **values: Any) -> Page:
        """The first page of a section."""
        view = self.view
        return Page(
            url=section.path,
            title=section.vi,
            description=f"{section.vi} – {view.name}, {view.province}",
            main=self.main(template, section=section, changed=changed, **values),
            section=section.vi,
            updated=changed,
            crumbs=(),
        )

    def item(self, section: Section, slug: str, title: str, template: str, **values: Any) -> Page:
        """A page below a section's first."""
        marks = {
            name: values.pop(name)
            for name in ("description", "published", "updated", "author", "source", "kind", "image", "subject")
            if name in values
        }
        marks.setdefault("description", f"{section.vi}: {title}")
        main = self.main(template, section=section, title=title, **marks, **values)
        return Page(
            url=f"{section.path}{slug}/",
            title=title,
            main=main,
            section=section.vi,
            crumbs=((section.path, section.vi),),
            **marks,
        )


def pages(view: View, content: Content) -> Iterator[Page]:
    """All pages of the unit's portal."""
    make = Maker(view, content)
    yield _home(make)
    listed: list[Page] = []
    for section in make.sections:
        if section.id in ARTICLE_SECTIONS:
            listed += _articles(make, section)
        elif section.id in _MAKERS:
            listed += _MAKERS[section.id](make, section)
    yield from listed
    yield _sitemap(make, listed)


def _home(make: Maker) -> Page:
    view = make.view
    return Page(
        url="/",
        title=view.name,
        description=f"Cổng thông tin điện tử của {view.name}, {view.province}",
        main=make.main("home", newest=NEWEST, sections=make.sections),
        section="Trang chủ",
        updated=make.content.last_change,
    )


def _sitemap(make: Maker, listed: list[Page]) -> Page:
    view = make.view
    return Page(
        url="/so-do/",
        title="Sơ đồ cổng",
        description=f"Mọi trang của cổng thông tin {view.name}",
        main=make.main("sitemap", listed=listed),
        section="Sơ đồ cổng",
    )


def _newest(articles: tuple[Article, ...]) -> date | None:
    return max((article.updated or article.date for article in articles), default=None)


def _articles(make: Maker, section: Section) -> Iterator[Page]:
    articles = make.content.articles.get(section.id, ())
    yield make.listing(section, "articles", _newest(articles), articles=articles, teasers=TEASERS)
    for article in articles:
        yield make.item(
            section,
            article.slug,
            article.title,
            "article",
            article=article,
            description=article.summary,
            published=article.date,
            updated=article.updated,
            author=article.author,
            source=article.source,
            kind="article",
            image=article.image,
        )


def _simple(template: str, make: Maker, section: Section) -> Iterator[Page]:
    yield make.listing(section, template)


def _contact(make: Maker, section: Section) -> Iterator[Page]:
    mode = make.content.portal.mode
    yield make.listing(section, "contact", mode=MODES[mode] if mode else None)


def _leaders(make: Maker, section: Section) -> Iterator[Page]:
    given = {leader.person: leader for leader in make.content.portal.leaders}
    yield make.listing(section, "leaders", rows=[(member, given.get(member.id)) for member in make.view.leaders])


def _documents(make: Maker, section: Section) -> Iterator[Page]:
    papers = make.content.documents
    yield make.listing(section, "documents", max((paper.date for paper in papers), default=None), papers=papers)


def _procedures(make: Maker, section: Section) -> Iterator[Page]:
    yield make.listing(section, "procedures", procedures=make.content.procedures)
    for procedure in make.content.procedures:
        yield make.item(
            section, procedure.slug, procedure.name, "procedure", procedure=procedure, fields=PROCEDURE_FIELDS
        )


def _consultations(make: Maker, section: Section) -> Iterator[Page]:
    yield make.listing(section, "consultations", consultations=make.content.consultations)
    for consultation in make.content.consultations:
        yield make.item(section, consultation.slug, consultation.title, "consultation", consultation=consultation)


MEASURES: Mapping[str, str] = {
    "schools": "Trường",
    "classes": "Lớp",
    "teachers": "Giáo viên",
    "pupils": "Học sinh",
    "facilities": "Phòng học, phòng chức năng",
}


def _statistics(make: Maker, section: Section) -> Iterator[Page]:
    rows = make.content.statistics
    charts = [
        (title, bars(f"bieu-do-{name}", f"{title} theo năm học", [(_year(r.year), getattr(r, name)) for r in rows]))
        for name, title in MEASURES.items()
        if rows and not (make.view.school and name == "schools")
    ]
    yield make.listing(
        section, "statistics", rows=rows, measures=MEASURES, charts=charts, school_year=_year, years=YEARS
    )


def _year(begins: int) -> str:
    return f"{begins}–{begins + 1}"


def _disclosure(make: Maker, section: Section) -> Iterator[Page]:
    items = make.content.disclosures
    yield make.listing(section, "disclosures", max((i.published for i in items), default=None), disclosures=items)
    for item in items:
        title = f"Công khai năm học {item.school_year.replace('-', '–')}"
        yield make.item(section, item.school_year, title, "disclosure", disclosure=item, published=item.published)


def _menus(make: Maker, section: Section) -> Iterator[Page]:
    menus = sorted(make.content.menus, key=lambda menu: menu.week_of, reverse=True)
    yield make.listing(section, "menus", max((menu.published for menu in menus), default=None), menus=menus)


def _admission(make: Maker, section: Section) -> Iterator[Page]:
    items = make.content.admissions
    yield make.listing(section, "admissions", max((i.published for i in items), default=None), admissions=items)
    for item in items:
        yield make.item(
            section,
            item.slug,
            item.title,
            "admission",
            admission=item,
            fields=ADMISSION_FIELDS,
            published=item.published,
        )


def _ranking(make: Maker, section: Section) -> Iterator[Page]:
    """A table a decision, the newest first; its rows in the order of the file."""
    decisions: dict[tuple[date, str], list[Ranked]] = {}
    for row in make.content.ranking:
        decisions.setdefault((row.published, row.decision), []).append(row)
    newest = sorted(decisions.items(), key=lambda entry: entry[0][0], reverse=True)
    yield make.listing(section, "ranking", newest[0][0][0] if newest else None, decisions=newest)


def _resources(make: Maker, section: Section) -> Iterator[Page]:
    portal, parent = make.content.portal, make.view.parent
    library: tuple[str, str] | None = None
    if portal.resource_library is not None:
        library = portal.resource_library.title, portal.resource_library.url
    elif parent is not None:
        library = f"Học liệu số của {parent.name}", f"https://{parent.portal}/hoc-lieu/"
    yield make.listing(section, "resources", library=library)


def _links(make: Maker, section: Section) -> Iterator[Page]:
    view = make.view
    split = len(view.below) > ONE_PAGE
    under: dict[str | None, list[Any]] = {}
    for unit in view.below:
        under.setdefault(unit.parent, []).append(unit)
    yield make.listing(section, "links", under=under, split=split, complete=sum(not u.lacking for u in view.below))
    if split:
        for unit in view.children:
            if schools := under.get(unit.id):
                yield make.item(section, unit.id, f"Các trường thuộc {unit.name}", "ladder", office=unit, units=schools)


def _english(make: Maker, section: Section) -> Iterator[Page]:
    view = make.view
    yield Page(
        url=section.path,
        title=view.name_en or view.name,
        description=f"{view.name_en or view.name}, {view.province_en}: introduction, contact, services",
        main=make.main("english", section=section),
        section="English",
        lang="en",
    )


_MAKERS: Mapping[str, Callable[[Maker, Section], Iterator[Page]]] = {
    "introduction": partial(_simple, "introduction"),
    "leaders": _leaders,
    "contact": _contact,
    "links": _links,
    "english": _english,
    "documents": _documents,
    "services": partial(_simple, "services"),
    "procedures": _procedures,
    "consultations": _consultations,
    "diplomas": partial(_simple, "diplomas"),
    "disclosure": _disclosure,
    "menus": _menus,
    "admission": _admission,
    "statistics": _statistics,
    "centres": partial(_simple, "centres"),
    "ranking": _ranking,
    "resources": _resources,
}
