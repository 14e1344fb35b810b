"""What a unit puts on its portal: ``content/<unit>/`` of the inventory, typed.

What the tree and the rosters already say (names, posts, addresses, the units above and below) is not said again here.
A section that is not given is ``None`` or empty; pages and verdicts then say that it is missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, SkipValidation, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from edumail.fields import Address, Day, Id, Model, Phone, PostCode, Text, Whole

URL_PATTERN = r"^https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s\"'<>\\]*)?$"
FILE_NAME_PATTERN = r"^[a-z0-9]+(?:[._-][a-z0-9]+)*\.[a-z0-9]{1,5}$"
COLOUR_PATTERN = r"^#[0-9a-f]{6}$"
SCHOOL_YEAR_PATTERN = r"^20[0-9]{2}-20[0-9]{2}$"
CANDIDATE_PATTERN = r"^(?:[0-9][A-Z0-9]{2,}|[A-Z][0-9][A-Z0-9]+|[A-Z]{2,}[0-9][A-Z0-9]*)$"
"""Three characters or more, one of them a digit: letters alone may be a name."""
POINTS_PATTERN = r"^(?:0|[1-9][0-9]{0,4})(?:\.[0-9]{1,2})?$"

Url = Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=500)]
"""Where a service of somebody else is; HTTPS only."""
FileName = Annotated[str, StringConstraints(pattern=FILE_NAME_PATTERN, max_length=100)]
"""A file of the unit's ``content/<unit>/files/``."""
Slug = Id
Colour = Annotated[str, StringConstraints(pattern=COLOUR_PATTERN)]
SchoolYear = Annotated[str, StringConstraints(pattern=SCHOOL_YEAR_PATTERN)]
CandidateNumber = Annotated[str, StringConstraints(pattern=CANDIDATE_PATTERN, max_length=20)]
Points = Annotated[str, StringConstraints(pattern=POINTS_PATTERN)]
"""As the decision has them, to two places: a number that a computer rounds is another one."""
Markdown = str
"""CommonMark; HTML in it is shown as text, never taken for markup."""


class Named(Model):
    """Somebody of the unit: a person by id, or whoever holds a post, now and after the next change of the roster.

    Of somebody who left nothing is shown, and what is said of them may stay until it is mended.
    """

    person: Id | None = None
    post: PostCode | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.person is None) == (self.post is None):
            raise PydanticCustomError("person_or_post", "either person or post")
        return self


class Leader(Named):
    """What the roster does not say of a leader (8.1a, 9.1a); name, post and address come from the roster."""

    phone: Phone
    duties: Text


class Introduction(Model):
    """Structure, functions and history (8.1a, 9.1a)."""

    functions: Annotated[Markdown, Field(min_length=1)]
    """Functions, tasks and powers."""
    structure: Markdown = ""
    """Words beside the chart of sections, which comes from the inventory."""
    history: Markdown = ""
    """A short history; schools must have one (9.1a)."""


class English(Model):
    """The English pages of a managing body (8.15)."""

    introduction: Annotated[Markdown, Field(min_length=1)]
    contact: Annotated[Markdown, Field(min_length=1)]
    services: Annotated[Markdown, Field(min_length=1)]
    """Services that concern foreigners."""


class Link(Model):
    """A page of somebody else, or a service of the unit's own."""

    title: Text
    url: Url
    note: Text | None = None


class Responsible(Named):
    """Who answers for what is posted (3.4.4); the footer names the person."""


class Appearance(Model):
    """How the unit's pages look, within what can be read by everybody."""

    colour: Colour = "#0b5394"
    """Headings and links; white text on it must have a contrast of at least 4.5 (WCAG 1.4.3)."""
    emblem: FileName | None = None
    """An SVG or PNG in ``files/``."""


Mode = Literal["own", "rented", "provided"]
"""How the system is run (3.2): own investment, rented service, a service already provided."""
MODES: Mapping[Mode, str] = {"own": "tự đầu tư", "rented": "thuê dịch vụ", "provided": "sử dụng dịch vụ được cấp"}
"""In the words that a page shows."""


class Portal(Model):
    """``portal.yml``: what is said once."""

    mode: Mode | None = None
    responsible: Responsible | None = None
    appearance: Appearance = Appearance()
    introduction: Introduction | None = None
    leaders: tuple[Leader, ...] = ()
    english: English | None = None
    services: tuple[Link, ...] = ()
    """Online (public) services (6.1, 8.4b)."""
    public_services: Link | None = None
    """The national or provincial portal of public services, which a managing body's page must lead to (8.4a)."""
    admission_service: Link | None = None
    """Where one registers for examination or admission, fills the form, sees the result (8.4c, 9.4)."""
    conference: Link | None = None
    """The Ministry's web-conference system (8.14)."""
    school_management: Link | None = None
    """The online school-management system, if there is one (9.11)."""
    meals: bool | None = None
    """Whether the school serves meals in these weeks; in the holidays it says no. One that does publishes the menu of
    each week (9.7.2, Circular 09/2024)."""
    diploma_lookup: Link | None = None
    """Look-up of diplomas and certificates where another system has it (8.12)."""
    resource_library: Link | None = None
    """Whose library the unit's own resources link up to: a managing body's the Ministry's (8.9), a school's that of the
    unit above where it names no other (9.10)."""
    links: tuple[Link, ...] = ()
    """Besides those that follow from the tree (10.1)."""
    no_consultations: Day | None = None
    """The day on which the unit says that nothing is open for opinions (8.6, 9.5), while ``consultations.yml`` has
    none; an audit takes its word for half a year, a figure of the suite."""
    opened: Annotated[Whole, Field(ge=1800, le=2100)] | None = None
    """The year in which the unit was opened, if it is younger than the years that the circular asks for (8.8, 9.9) or
    that disclosures are kept (9.7): none before it are missed. No year to come."""
    news_max_age_days: Annotated[Whole, Field(ge=1, le=400)] | None = None
    """The unit's own limit for how old its newest item may be (11.2c); the circular sets none."""


ARTICLE_SECTIONS = (
    "news",
    "law",
    "accreditation",
    "projects",
    "elearning",
    "organisations",
    "press",
    "answers",
    "support",
    "polls",
)
"""Sections made of articles: a folder each, ``content/<unit>/<section>/<slug>.md``. From ``elearning`` on they are
those of Article 10, which a unit switches on by having the folder."""


class Article(Model):
    """A Markdown file with a head of YAML: ``title``, ``date`` … between lines of ``---``."""

    slug: Slug
    """The file's name without ``.md``."""
    title: Text
    date: Day
    updated: Day | None = None
    author: Text
    """Who wrote it (7.3)."""
    source: Text
    """Whose it was first; the unit's own name for what is its own (7.3)."""
    source_url: Url | None = None
    summary: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    image: FileName | None = None
    image_text: Text | None = None
    """What the picture shows, for those who can't see it; a picture must have it."""
    body: Markdown


class Paper(Model):
    """A legal or administrative document (8.3, 9.3): ``documents.yml``."""

    number: Text
    date: Day
    title: Text
    issuer: Text
    field: Text
    """What it is about, such as «Tuyển sinh»."""
    file: FileName


class Procedure(Model):
    """An administrative procedure with its six fields (8.4c): ``procedures.yml``."""

    slug: Slug
    name: Text
    steps: tuple[Text, ...] = ()
    file: tuple[Text, ...] = ()
    """What the dossier («hồ sơ») holds."""
    place: Text | None = None
    handler: Text | None = None
    """Post or name of who handles it."""
    handler_contact: Text | None = None
    time_limit: Text | None = None
    fees: Text | None = None
    url: Url | None = None
    """Where it can be done online."""


class Consultation(Model):
    """A matter on which the public is asked, with its four fields (8.6, 9.5): ``consultations.yml``."""

    slug: Slug
    title: Text
    text: Annotated[Markdown, Field(min_length=1)]
    address: Text
    """The postal address for replies."""
    email: Address
    closes: Day
    """The last day."""
    file: FileName | None = None
    outcome: Markdown = ""
    """What came of it, after the last day."""


class YearOfStatistics(Model):
    """One row of ``statistics.csv`` (8.8, 9.9): header ``year,schools,classes,teachers,pupils,facilities``.

    ``year`` is the year in which the school year begins. ``facilities`` counts classrooms and function rooms.
    """

    year: Annotated[Whole, Field(ge=1990, le=2100)]
    schools: Annotated[Whole, Field(ge=0)]
    classes: Annotated[Whole, Field(ge=0)]
    teachers: Annotated[Whole, Field(ge=0)]
    pupils: Annotated[Whole, Field(ge=0)]
    facilities: Annotated[Whole, Field(ge=0)]


class Disclosure(Model):
    """Public disclosure of a school year (9.7), as Circular 09/2024/TT-BGDĐT sets out: ``disclosure/<year>.yml``.

    That circular: before 30 June, kept for five years, an annual report as PDF with data to 31 December. The texts have
    headings, which the school's level decides: :mod:`edumail.portal.disclosed`.
    """

    school_year: SchoolYear
    published: Day
    general: Annotated[Markdown, Field(min_length=1)]
    """General information: name, address, mission, representative with contact, decisions, regulations."""
    finance: Annotated[Markdown, Field(min_length=1)]
    """Income and expenditure, fees, policies of exemption, funds."""
    conditions: Annotated[Markdown, Field(min_length=1)]
    """Conditions that assure quality: staff, facilities, accreditation."""
    plan_and_results: Annotated[Markdown, Field(min_length=1)]
    """Plan and results of education."""
    annual_report: FileName | None = None
    """The annual report, a PDF."""


class Menu(Model):
    """A week's plan and menu (Circular 09/2024, where meals are served): ``menus.yml``."""

    week_of: Day
    """The Monday of the week."""
    published: Day
    text: Annotated[Markdown, Field(min_length=1)]


class Admission(Model):
    """Plan and notice of admission with its seven fields (9.8): ``admissions.yml``."""

    slug: Slug
    school_year: SchoolYear
    title: Text
    who: Text | None = None
    quota: Annotated[Whole, Field(ge=0)] | None = None
    form: Text | None = None
    """The way of selection: by record, by examination."""
    conditions: Text | None = None
    dossier: tuple[Text, ...] = ()
    time: Text | None = None
    place: Text | None = None
    published: Day
    candidates: tuple[CandidateNumber, ...] = ()
    """The list of candidates, by number alone: personal data are not needed for it (Law 91/2025)."""


class Resource(Model):
    """A digital resource (8.9, 9.10): ``resources.yml``."""

    title: Text
    kind: Literal["document", "lesson", "ebook", "software"]
    subject: Text
    audience: Text
    """For whom, such as «Lớp 6»."""
    author: Text
    url: Url | None = None
    file: FileName | None = None
    """Either of the two."""


class Result(Model):
    """What a candidate sees under his number (8.11); no names: whoever has a number sees one result."""

    candidate: CandidateNumber
    marks: Mapping[str, str]
    """Subject → mark, in the order of the columns."""


class Examination(Model):
    """Marks, looked up by candidate number (8.11): ``results/<slug>.csv`` with title and day in ``results.yml``."""

    slug: Slug
    title: Text
    published: Day
    results: tuple[Result, ...] = ()


with warnings.catch_warnings():
    # "register" is also a method of Python's abstract classes, which nobody calls on a model.
    warnings.simplefilter("ignore", UserWarning)

    class Diploma(Model):
        """A row of ``diplomas.csv`` (8.12): issue of diplomas and certificates, looked up by number, without names."""

        number: CandidateNumber
        kind: Text
        issued: Day
        register: Text
        """The number in the register of issue."""


class Centre(Model):
    """A foreign-language or IT centre (8.16): ``centres.csv``."""

    name: Text
    address: Text
    phone: Phone | None = None
    licence: Text
    """The decision that allows it."""
    state: Text


class Ranked(Model):
    """What an assessment gave a unit below (16.4, 16.5): a row of ``ranking.csv``."""

    unit: Text
    """By name, as the decision has it; names that two units share need the place besides, as in «… (xã Suối Mơ)»."""
    points: Points
    out_of: Points | None = None
    """The most that could be had."""
    rank: Annotated[Whole, Field(ge=1, le=100_000)]
    """Among those that it is compared with; those with as many points share a rank."""
    grade: Text
    decision: Text
    """The number of the decision that publishes it."""
    published: Day
    """The day on which that was published."""

    @field_validator("out_of")
    @classmethod
    def _no_less_than_the_points(cls, most: str | None, info: ValidationInfo) -> str | None:
        if most is not None and "points" in info.data and Decimal(most) < Decimal(info.data["points"]):
            raise PydanticCustomError("less_than_points", "less than the points")
        return most

    @property
    def row(self) -> str:
        """What stands in a table once."""
        return f"{self.unit} ({self.decision})"


class Content(Model):
    """All that one unit publishes, beyond what the inventory says of it anyway."""

    unit: Id
    portal: Portal = Portal()
    articles: Mapping[str, tuple[Article, ...]] = Field(default_factory=dict)
    """Section of :data:`ARTICLE_SECTIONS` → its articles, newest first (by date, then slug)."""
    documents: tuple[Paper, ...] = ()
    """Newest first."""
    procedures: tuple[Procedure, ...] = ()
    consultations: tuple[Consultation, ...] = ()
    statistics: tuple[YearOfStatistics, ...] = ()
    """In order of year."""
    disclosures: tuple[Disclosure, ...] = ()
    """Newest first."""
    menus: tuple[Menu, ...] = ()
    admissions: tuple[Admission, ...] = ()
    resources: tuple[Resource, ...] = ()
    examinations: tuple[Examination, ...] = ()
    diplomas: tuple[Diploma, ...] = ()
    centres: tuple[Centre, ...] = ()
    ranking: tuple[Ranked, ...] = ()
    """In the order of the file."""
    files: Annotated[Mapping[str, bytes], SkipValidation] = Field(default_factory=dict)
    """Name → content, of those files that something names; each is read when it is asked for."""

    @property
    def last_change(self) -> date | None:
        """The newest date that anything in it carries."""
        days = [article.updated or article.date for articles in self.articles.values() for article in articles]
        days += [paper.date for paper in self.documents]
        days += [item.published for item in self.disclosures]
        days += [item.published for item in self.menus]
        days += [item.published for item in self.admissions]
        days += [item.published for item in self.examinations]
        days += [item.published for item in self.ranking]
        return max(days, default=None)
