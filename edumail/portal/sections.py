"""The sections of a portal as data: which requirement asks for each, of whom, and what a unit's content still lacks.

A section that binds the unit has its page and its place in the menu even when it is empty; the page then says so. One
that does not is there when the unit has something for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from edumail.portal import disclosed
from edumail.portal.model import ARTICLE_SECTIONS, Content
from edumail.portal.said import said
from edumail.portal.view import View

MANAGING = ("sở", "phòng")


@dataclass(frozen=True)
class Lack:
    """Something that a section lacks, in both languages."""

    vi: str
    en: str


@dataclass(frozen=True)
class Section:
    """A section of the portal."""

    id: str
    path: str
    """Where it is below the unit's name: a folder's URL, or the place in another section's page."""
    vi: str
    en: str
    group: str
    """In which column of the menu, see :data:`GROUPS`."""
    asked: Mapping[str, tuple[str, ...]]
    """By the circular's word for the unit, the requirements that the section meets."""
    binds: frozenset[str] = field(default=frozenset())
    """Of these units the circular asks it without condition."""

    def requirements(self, view: View) -> tuple[str, ...]:
        """The requirements that it meets for the unit."""
        return self.asked.get(view.binds, ())

    def mandatory(self, view: View) -> bool:
        """Whether the unit must have it."""
        return view.binds in self.binds

    def shown(self, view: View, content: Content) -> bool:
        """Whether the unit's portal has it: it must, or there is something in it."""
        return self.mandatory(view) or _present(self.id, view, content)


GROUPS = {
    "about": "Giới thiệu",
    "news": "Tin tức và văn bản",
    "services": "Dịch vụ và tra cứu",
    "open": "Công khai và số liệu",
    "learning": "Học tập",
}


def _managing(*requirements: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(MANAGING, requirements)


def _all(managing: tuple[str, ...], school: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {**dict.fromkeys(MANAGING, managing), "school": school}


def _everybody(*requirements: str) -> dict[str, tuple[str, ...]]:
    return _all(requirements, requirements)


_M = frozenset(MANAGING)
_SCHOOL = frozenset({"school"})
_EVERY = _M | _SCHOOL

SECTIONS: tuple[Section, ...] = (
    Section("introduction", "/gioi-thieu/", "Giới thiệu", "Introduction", "about",
            _all(("C37-8.1a.1",), ("C37-9.1a.1",)), _EVERY),
    Section("leaders", "/lanh-dao/", "Lãnh đạo", "Leaders", "about",
            _all(("C37-8.1a.2",), ("C37-9.1a.2",)), _EVERY),
    Section("contact", "/lien-he/", "Liên hệ", "Contact", "about",
            _all(("C37-4.2.2", "C37-8.1b"), ("C37-4.2.2", "C37-9.1b")), _EVERY),
    Section("links", "/lien-ket/", "Liên kết", "Links", "about",
            {"sở": ("C37-10.1.1",), "phòng": ("C37-10.1.2",), "school": ()}),
    Section("organisations", "/doan-the/", "Đảng, đoàn thể", "Party, Youth Union and others", "about",
            _everybody("C37-10.3")),
    Section("english", "/en/", "English", "English", "about", _managing("C37-8.15"), _M),
    Section("news", "/tin-tuc/", "Tin tức – sự kiện", "News", "news", _all(("C37-8.2",), ("C37-9.2",)), _EVERY),
    Section("press", "/bao-chi/", "Thông cáo báo chí", "Press notices", "news", _everybody("C37-10.4")),
    Section("documents", "/van-ban/", "Văn bản", "Documents", "news", _all(("C37-8.3",), ("C37-9.3",)), _EVERY),
    Section("law", "/phap-luat/", "Phổ biến pháp luật", "Law and policies explained", "news",
            _managing("C37-8.5"), _M),
    Section("consultations", "/lay-y-kien/", "Lấy ý kiến", "Consultations", "news",
            _all(("C37-8.6",), ("C37-9.5",)), _EVERY),
    Section("polls", "/tham-do/", "Thăm dò ý kiến", "Opinion polls", "news", _everybody("C37-10.7")),
    Section("services", "/dich-vu/", "Dịch vụ trực tuyến", "Online services", "services",
            _all(("C37-6.1", "C37-8.4a", "C37-8.4b", "C37-8.4c.2"), ("C37-6.1", "C37-9.4")), _EVERY),
    Section("procedures", "/thu-tuc/", "Thủ tục hành chính", "Procedures", "services", _managing("C37-8.4c.1"), _M),
    Section("results", "/tra-cuu/diem", "Tra cứu điểm thi", "Examination results", "services",
            _managing("C37-8.11"), _M),
    Section("diplomas", "/van-bang/", "Tra cứu văn bằng", "Diplomas and certificates", "services",
            _managing("C37-8.12"), _M),
    Section("conference", "/dich-vu/#hop-truc-tuyen", "Họp trực tuyến", "Web conference", "services",
            _managing("C37-8.14"), _M),
    Section("school_management", "/dich-vu/#quan-ly-truong-hoc", "Quản lý trường học", "School management",
            "services", {"school": ("C37-9.11",)}),
    Section("answers", "/giai-dap/", "Giải đáp", "Answers", "services", _everybody("C37-10.5")),
    Section("disclosure", "/cong-khai/", "Công khai", "Public disclosure", "open",
            {"school": ("C37-9.7.1", "C37-9.7.2")}, _SCHOOL),
    Section("menus", "/thuc-don/", "Thực đơn tuần", "Weekly menu", "open", {"school": ("C37-9.7.2",)}),
    Section("admission", "/tuyen-sinh/", "Tuyển sinh", "Admission", "open", {"school": ("C37-9.8",)}, _SCHOOL),
    Section("statistics", "/thong-ke/", "Niên giám thống kê", "Statistics", "open",
            _all(("C37-8.8",), ("C37-9.9",)), _EVERY),
    Section("accreditation", "/kiem-dinh/", "Kiểm định, phổ cập", "Accreditation, universal education", "open",
            _managing("C37-8.10"), _M),
    Section("projects", "/du-an/", "Dự án, mua sắm công", "Projects and tenders", "open", _managing("C37-8.13"), _M),
    Section("centres", "/trung-tam/", "Trung tâm ngoại ngữ, tin học", "Language and IT centres", "open",
            {"sở": ("C37-8.16",)}, frozenset({"sở"})),
    Section("ranking", "/xep-hang/", "Đánh giá, xếp hạng", "Assessment and ranking", "open",
            {"sở": ("C37-16.4",), "phòng": ("C37-16.5",)}, _M),
    Section("resources", "/hoc-lieu/", "Học liệu số", "Digital resources", "learning",
            _all(("C37-8.9.1", "C37-8.9.2"), ("C37-9.10.1", "C37-9.10.2")), _EVERY),
    Section("elearning", "/hoc-truc-tuyen/", "Học trực tuyến", "E-learning", "learning", _everybody("C37-10.2")),
    Section("support", "/hoc-bong-huong-nghiep/", "Học bổng, hướng nghiệp", "Scholarships, careers", "learning",
            _everybody("C37-10.6")),
)  # fmt: skip
BY_ID = {section.id: section for section in SECTIONS}


def _present(section: str, view: View, content: Content) -> bool:
    if section in ARTICLE_SECTIONS:
        return bool(content.articles.get(section))
    portal = content.portal
    having: Mapping[str, object] = {
        "contact": True,
        "links": True,
        "introduction": portal.introduction,
        "leaders": portal.leaders,
        "english": portal.english,
        "services": portal.services or portal.public_services or portal.admission_service,
        "documents": content.documents,
        "consultations": content.consultations or portal.no_consultations,
        "procedures": content.procedures,
        "results": content.examinations,
        "diplomas": content.diplomas or portal.diploma_lookup,
        "conference": portal.conference,
        "school_management": portal.school_management,
        "disclosure": content.disclosures,
        "menus": content.menus,
        "admission": content.admissions,
        "statistics": content.statistics,
        "centres": content.centres,
        "ranking": content.ranking,
        "resources": content.resources,
    }
    return bool(having[section])


def shown(view: View, content: Content) -> list[Section]:
    """The sections of the unit's portal, in the menu's order."""
    return [section for section in SECTIONS if section.shown(view, content)]


def missing(section: Section, view: View, content: Content) -> tuple[Lack, ...]:
    """What the section lacks, field by field; nothing where it is complete or need not be there."""
    if not section.shown(view, content):
        return ()
    check = _CHECKS.get(section.id)
    if check is not None:
        return tuple(check(view, content))
    if not _present(section.id, view, content):
        return (Lack("chưa có nội dung nào", "nothing is published yet"),)
    return ()


def incomplete(view: View, content: Content) -> dict[str, tuple[Lack, ...]]:
    """What the unit's sections lack, by id of the section; empty where all is there.

    It is what an audit misses on the pages. Only the clock an audit reads alone: news that are too old, a menu or a
    disclosure that came late, an old word that nothing is open for opinions.
    """
    found = {s.id: missing(s, view, content) for s in SECTIONS}
    return {id: lacks for id, lacks in found.items() if lacks}


def _introduction(view: View, content: Content) -> Iterator[Lack]:
    given = content.portal.introduction
    if given is None or empty(given.functions):
        yield Lack("chức năng, nhiệm vụ, quyền hạn", "functions, tasks and powers")
    if not view.sections and not (given and not empty(given.structure)):
        yield Lack("cơ cấu tổ chức", "structure")
    if view.school and not (given and not empty(given.history)):
        yield Lack("tóm tắt lịch sử", "a short history")


def _leaders(view: View, content: Content) -> Iterator[Lack]:
    if not view.leaders:
        yield Lack("danh sách nhân sự không có ai giữ chức vụ lãnh đạo", "nobody in the roster holds a leader's post")
    given = {leader.person: leader for leader in content.portal.leaders}
    for member in view.leaders:
        leader = given.get(member.id)
        if leader is None or empty(leader.phone):
            yield Lack(f"điện thoại của {member.name}", f"telephone of {member.name}")
        if leader is None or empty(leader.duties):
            yield Lack(f"nhiệm vụ của {member.name}", f"duties of {member.name}")


def _services(view: View, content: Content) -> Iterator[Lack]:
    portal = content.portal
    if not portal.services and not (view.school and portal.admission_service):
        yield Lack("danh mục dịch vụ trực tuyến", "the list of online services")
    if not view.school and portal.public_services is None:
        yield Lack("liên kết tới cổng dịch vụ công quốc gia hoặc của tỉnh", "the link to the portal of public services")
    if portal.admission_service is None:
        yield Lack("dịch vụ xét tuyển đầu cấp trực tuyến", "online admission")


PROCEDURE_FIELDS: dict[str, tuple[str, str]] = {
    "steps": ("trình tự thực hiện", "steps"),
    "file": ("hồ sơ", "dossier"),
    "place": ("nơi tiếp nhận", "place"),
    "handler": ("người xử lý", "who handles it"),
    "handler_contact": ("liên hệ của người xử lý", "contact of who handles it"),
    "time_limit": ("thời hạn giải quyết", "time limit"),
    "fees": ("phí, lệ phí", "fees"),
}
"""The six fields (8.4c); who handles it and how to reach them are one of the circular's, two of ours."""
ADMISSION_FIELDS: dict[str, tuple[str, str]] = {
    "who": ("đối tượng", "who may apply"),
    "quota": ("chỉ tiêu", "quota"),
    "form": ("hình thức", "form of selection"),
    "conditions": ("điều kiện", "conditions"),
    "dossier": ("hồ sơ", "dossier"),
    "time": ("thời gian", "time"),
    "place": ("địa điểm", "place"),
}
"""The seven fields of a notice of admission (9.8)."""


def empty(value: object) -> bool:
    """Whether a field says nothing; zero says something, and a promise of words nothing."""
    return not said(_text(value))


def blank(value: object) -> bool:
    """Whether a field was left out. A page shows all others, also what counts as :func:`empty`."""
    return not _text(value).strip()


def _text(value: object) -> str:
    if value is None:
        return ""
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _fields(item: object, name: str, fields: Mapping[str, tuple[str, str]]) -> Iterator[Lack]:
    for attribute, (vi, en) in fields.items():
        if empty(getattr(item, attribute)):
            yield Lack(f"{vi}: «{name}»", f"{en}: '{name}'")


def _procedures(view: View, content: Content) -> Iterator[Lack]:
    if not content.procedures:
        yield Lack("chưa có thủ tục nào", "no procedure is published yet")
    for procedure in content.procedures:
        yield from _fields(procedure, procedure.name, PROCEDURE_FIELDS)


def _admission(view: View, content: Content) -> Iterator[Lack]:
    if not content.admissions:
        yield Lack("chưa có thông báo tuyển sinh", "no notice of admission is published yet")
    for admission in content.admissions:
        yield from _fields(admission, admission.title, ADMISSION_FIELDS)
    years = [int(admission.school_year[:4]) for admission in content.admissions]
    # For a year that does not begin in this half-year nobody need have applied yet.
    if years and max(years) <= view.due + 1 and not any(admission.candidates for admission in content.admissions):
        yield Lack("danh sách dự tuyển", "the list of candidates")


YEARS = 5
"""How many years of statistics the circular asks for at least (8.8, 9.9); disclosures are kept as long."""
RECENT = 2
"""The last of these years began at most so many calendar years ago."""


def _statistics(view: View, content: Content) -> Iterator[Lack]:
    years = sorted({row.year for row in content.statistics})
    opened, due = content.portal.opened or 0, view.year - RECENT
    if not years:
        if opened <= due:
            yield Lack("số liệu 5 năm liên tiếp", "figures of five consecutive years")
        return
    last = max(years[-1], due)
    for year in range(max(last - YEARS + 1, opened), last + 1):
        if year not in years:
            yield Lack(f"số liệu năm học {year}–{year + 1}", f"figures of the school year {year}–{year + 1}")


def _links(view: View, content: Content) -> Iterator[Lack]:
    hosts = [urlsplit(link.url).hostname or "" for link in content.portal.links]
    if view.binds == "sở" and not any(f".{host}".endswith(f".{domain}") for host in hosts for domain in view.ministry):
        yield Lack("liên kết tới Bộ", "the link to the Ministry")


def _disclosure(view: View, content: Content) -> Iterator[Lack]:
    if content.portal.meals is None:
        yield Lack("có tổ chức bữa ăn hay không", "whether meals are served")
    elif content.portal.meals and not content.menus:
        yield Lack("thực đơn tuần", "the week's menu")
    opened = content.portal.opened or 0
    if not content.disclosures:
        if opened <= view.due:
            yield Lack("chưa công khai năm học nào", "no school year is disclosed yet")
        return
    newest = content.disclosures[0]
    for vi, en in disclosed.lacking(newest, view.levels):
        yield Lack(f"{vi} năm học {newest.school_year}", f"{en}, {newest.school_year}")
    if newest.annual_report is None:
        yield Lack(f"báo cáo thường niên năm học {newest.school_year}", f"annual report of {newest.school_year}")
    kept = {int(item.school_year[:4]) for item in content.disclosures}
    for year in range(max(view.due - YEARS + 1, opened), view.due + 1):
        if year not in kept:
            yield Lack(f"công khai năm học {year}–{year + 1}", f"disclosure of the school year {year}–{year + 1}")


def _resources(view: View, content: Content) -> Iterator[Lack]:
    if not content.resources:
        yield Lack("chưa có học liệu nào", "no resource is published yet")
    if not view.school and content.portal.resource_library is None:
        yield Lack("liên kết tới thư viện của Bộ", "the link to the Ministry's library")


_CHECKS: Mapping[str, Callable[[View, Content], Iterator[Lack]]] = {
    "introduction": _introduction,
    "leaders": _leaders,
    "links": _links,
    "services": _services,
    "procedures": _procedures,
    "admission": _admission,
    "statistics": _statistics,
    "disclosure": _disclosure,
    "resources": _resources,
}
