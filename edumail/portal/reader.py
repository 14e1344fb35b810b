"""One unit's ``content/<unit>/``: every file read, every mistake kept with its place."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from edumail.portal import attachments
from edumail.portal.colour import AA, contrast
from edumail.portal.looking import hidden
from edumail.portal.markdown import Source, check_markdown
from edumail.portal.model import (
    ARTICLE_SECTIONS,
    Admission,
    Article,
    Centre,
    Consultation,
    Content,
    Diploma,
    Disclosure,
    Examination,
    Leader,
    Menu,
    Named,
    Paper,
    Portal,
    Procedure,
    Ranked,
    Resource,
    Responsible,
    YearOfStatistics,
)
from edumail.portal.tables import read_results, read_rows
from edumail.problems import Problem, Where
from edumail.validation import validate
from edumail.yamlsource import Document, read_yaml
from edumail.yamlsource import Path as Keys

M = TypeVar("M", bound=BaseModel)

TEXT_LIMIT = 512 * 1024
"""More than this nobody reads as one page; a longer text belongs in a PDF."""
TABLE_LIMIT = 32 * 2**20
"""Marks of half a million candidates."""
_LISTS = (
    "documents.yml", "procedures.yml", "consultations.yml", "menus.yml", "admissions.yml", "resources.yml",
    "results.yml",
)  # fmt: skip
_TABLES = ("statistics.csv", "diplomas.csv", "centres.csv", "ranking.csv")
KNOWN_FILES = ("portal.yml", *_LISTS, *_TABLES)
KNOWN_FOLDERS = (*ARTICLE_SECTIONS, "disclosure", "results", "files")
_ENDINGS = {**dict.fromkeys(ARTICLE_SECTIONS, ".md"), "disclosure": ".yml", "results": ".csv"}
# Where Markdown stands, by kind: paths of keys. A line such as a summary is looked at for hidden characters as well.
_MARKDOWN: Mapping[type[BaseModel], tuple[Keys, ...]] = {
    Portal: (
        ("introduction", "functions"), ("introduction", "structure"), ("introduction", "history"),
        ("english", "introduction"), ("english", "contact"), ("english", "services"),
    ),
    Article: (("summary",),),
    Consultation: (("text",), ("outcome",)),
    Disclosure: (("general",), ("finance",), ("conditions",), ("plan_and_results",)),
    Menu: (("text",),),
}  # fmt: skip


class _Marks(Examination):
    """An entry of ``results.yml``: an examination before its marks are read."""


@dataclass
class Reader:
    """Reads once, with :meth:`content`; then ``problems`` has all mistakes."""

    folder: Path
    """The inventory's ``content/``."""
    unit: str
    people: Mapping[str, Collection[str]]
    """Ids of the unit's people, in the roster's order, with their posts."""
    mailboxes: Collection[str]
    """Addresses that somebody reads."""
    posts: Collection[str]
    """The posts that there are, held or not."""
    known: Collection[str]
    """Ids of everybody who is in the province, or was."""
    year: int
    """The year that it is."""
    problems: list[Problem] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Ids that ``portal.yml`` names, and that are not the unit's any more."""
    named: dict[str, Where] = field(default_factory=dict)
    """Files that something names, with the first place that does."""
    present: dict[str, dict[str, int]] = field(default_factory=dict)
    """Folder below the unit's ("" for itself) → files → size."""

    def content(self) -> Content:
        """All of it, as far as it can be read; not to be used when there are problems."""
        self._look()
        portal = self._portal()
        content = Content(
            unit=self.unit,
            portal=portal,
            articles={section: self._articles(section) for section in ARTICLE_SECTIONS if section in self.present},
            documents=self._documents(),
            procedures=self._items(Procedure, "procedures.yml", _slug),
            consultations=self._items(Consultation, "consultations.yml", _slug, self._consultation),
            statistics=tuple(sorted(self._table(YearOfStatistics, "year", "statistics.csv"), key=lambda y: y.year)),
            disclosures=self._disclosures(),
            menus=_newest(self._items(Menu, "menus.yml", lambda menu: str(menu.week_of), self._menu), "week_of"),
            admissions=_newest(self._items(Admission, "admissions.yml", _slug, self._admission), "published"),
            resources=self._items(Resource, "resources.yml", lambda item: item.title, self._resource),
            examinations=self._examinations(),
            diplomas=self._table(Diploma, "number", "diplomas.csv"),
            centres=self._table(Centre, "name", "centres.csv"),
            ranking=self._table(Ranked, "row", "ranking.csv"),
        )
        files = attachments.Files(self._path("files"), self._files())
        return content.model_copy(update={"files": files})

    # The folder

    def _path(self, name: str) -> Path:
        return self.folder / self.unit / name

    def _file(self, name: str) -> str:
        """How messages call a file of the unit."""
        return f"content/{self.unit}/{name}"

    def _problem(self, where: Where, code: str, vi: str, en: str) -> None:
        self.problems.append(Problem(where, code, vi, en))

    def _look(self) -> None:
        """What there is; what nobody reads is a mistake."""
        self.present = {"": {}}
        self._list("", KNOWN_FILES, KNOWN_FOLDERS)
        for name, size in self.present[""].items():
            self._limit(name, size)

    def _list(self, folder: str, files: Collection[str] | None, folders: Collection[str]) -> None:
        below = f"{folder}/" if folder else ""
        found = self.present.setdefault(folder, {})
        try:
            entries = sorted(os.scandir(self._path(folder)), key=lambda entry: entry.name)
        except OSError as error:
            vi, en = f"không đọc được thư mục: {error.strerror}", f"the folder can't be read: {error.strerror}"
            self._problem(Where(self._file(folder)), "unreadable-file", vi, en)
            return
        for entry in entries:
            if hidden(entry.name):
                continue
            file = self._file(below + entry.name)
            is_folder, is_file = entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)
            if not is_folder and not is_file:
                vi = "không phải tệp thường (là liên kết tượng trưng hoặc tệp đặc biệt); chép tệp thật vào đây"
                en = "this is no ordinary file (a symbolic link, or a device); copy the file itself here"
                self._problem(Where(file), "not-a-file", vi, en)
            elif is_folder and entry.name in folders:
                ending = _ENDINGS.get(entry.name)
                self._list(entry.name, None, ())
                if ending:
                    self._endings(entry.name, ending)
            elif is_file and (files is None or entry.name in files):
                found[entry.name] = entry.stat(follow_symlinks=False).st_size
            else:
                wanted = ", ".join((*files, *(f"{name}/" for name in folders))) if files else ""
                vi = "edumail không đọc mục này" + (f"; ở đây chỉ có: {wanted}" if files else "; chuyển đi nơi khác")
                en = "edumail does not read this" + (f"; here go: {wanted}" if files else "; move it elsewhere")
                self._problem(Where(file), "unknown-file" if is_file else "unknown-folder", vi, en)

    def _endings(self, folder: str, ending: str) -> None:
        """Only files with one ending go into ``folder``."""
        for name in list(self.present[folder]):
            if not name.endswith(ending):
                vi = f"trong {folder}/ chỉ có tệp {ending}; đổi đuôi, hoặc chuyển vào files/"
                en = f"only {ending} files go into {folder}/; rename it, or move it to files/"
                self._problem(Where(self._file(f"{folder}/{name}")), "unknown-file", vi, en)
                del self.present[folder][name]
            else:
                self._limit(f"{folder}/{name}", self.present[folder][name])

    def _limit(self, name: str, size: int) -> None:
        limit = TABLE_LIMIT if name.endswith(".csv") else TEXT_LIMIT
        if size > limit:
            self.problems.append(attachments.too_big(Where(self._file(name)), size, limit))
            folder, _, file = name.rpartition("/")
            del self.present[folder][file]

    # Texts

    def _text(self, name: str) -> str | None:
        """A text file in one normal form, with plain line ends; None with a problem, or if there is none."""
        folder, _, base = name.rpartition("/")
        if base not in self.present.get(folder, {}):
            return None
        file = self._file(name)
        try:
            text = self._path(name).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            vi, en = "không phải UTF-8; lưu lại tệp với mã UTF-8", "this is not UTF-8; save the file as UTF-8"
            self._problem(Where(file, line), "encoding", vi, en)
            return None
        except OSError as error:
            vi, en = f"không đọc được tệp: {error.strerror}", f"the file can't be read: {error.strerror}"
            self._problem(Where(file), "unreadable-file", vi, en)
            return None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if text.isascii() else unicodedata.normalize("NFC", text)

    def _yaml(self, name: str) -> tuple[Document, Source] | None:
        text = self._text(name)
        if text is None:
            return None
        document = read_yaml(self._file(name), text)
        if document.problems:
            self.problems += document.problems
            return None
        return document, Source(document.file, text)

    def _model(self, kind: type[M], document: Document, source: Source, path: Keys, value: Any) -> M | None:
        """``value`` as a ``kind``, with what its Markdown says looked at."""
        item = validate(kind, document, path, value)
        broken = bool(document.problems)
        self.problems += document.problems
        document.problems = []
        for keys in _MARKDOWN.get(kind, ()):
            text = _at(value, keys)
            if isinstance(text, str):
                self._markdown(text, source, document.where((*path, *keys)))
        return None if broken else item

    def _markdown(self, text: str, source: Source, start: Where) -> None:
        problems, named = check_markdown(text, source, start)
        self.problems += problems
        for name, where in named:
            self._name(name, where)

    def _name(self, name: str, where: Where, kinds: Collection[str] = attachments.TYPES) -> None:
        """Something names a file of the unit's ``files/``, which has to be one of ``kinds``."""
        if attachments.ending(name) not in kinds:
            vi = f"«{name}» phải là tệp {', '.join(kinds)}"
            en = f"'{name}' must be a file of kind {', '.join(kinds)}"
            self._problem(where, "wrong-file-type", vi, en)
        if name not in self.present.get("files", {}):
            vi = f"không có tệp «{name}» trong {self._file('files/')}; chép vào, hoặc sửa tên"
            en = f"there is no file '{name}' in {self._file('files/')}; copy it there, or mend the name"
            self._problem(where, "missing-file", vi, en)
        self.named.setdefault(name, where)

    # Files that are one thing

    def _portal(self) -> Portal:
        read = self._yaml("portal.yml")
        if read is None:
            return Portal()
        document, source = read
        value = {} if document.value is None else document.value
        portal = self._model(Portal, document, source, (), value)
        if portal is None:
            return Portal()
        if portal.responsible:
            self._somebody(portal.responsible, document, ("responsible",))
        seen: set[str] = set()
        for index, leader in enumerate(portal.leaders):
            word, where = self._somebody(leader, document, ("leaders", index))
            if word in seen:
                vi, en = f"«{word}» ghi hai lần; xóa một", f"'{word}' stands here twice; delete one"
                self._problem(where, "duplicate-leader", vi, en)
            seen.add(word)
        if (portal.opened or 0) > self.year:
            vi = f"«opened» là {portal.opened}, chưa tới; ghi năm đơn vị đã mở, hoặc xóa dòng này"
            en = f"'opened' is {portal.opened}, which is still to come; give the year in which the unit was opened, or "
            en += "delete the line"
            self._problem(document.where(("opened",)), "year-to-come", vi, en)
        if portal.no_consultations and portal.no_consultations.year > self.year:
            vi = f"«no_consultations» là {portal.no_consultations}, chưa tới; ghi ngày không có vấn đề nào lấy ý kiến"
            en = f"'no_consultations' is {portal.no_consultations}, which is still to come; give the day on which "
            en += "there was none"
            self._problem(document.where(("no_consultations",)), "year-to-come", vi, en)
        colour, emblem = portal.appearance.colour, portal.appearance.emblem
        if (ratio := contrast(colour)) < AA:
            vi = f"màu {colour} tương phản với trắng {ratio:.2f}:1, cần ít nhất {AA}:1 (WCAG 1.4.3); chọn màu đậm hơn"
            en = f"colour {colour} has a contrast of {ratio:.2f}:1 with white, not {AA}:1 (WCAG 1.4.3); darken it"
            self._problem(document.where(("appearance", "colour")), "contrast", vi, en)
        if emblem:
            where = document.where(("appearance", "emblem"))
            self._name(emblem, where, attachments.EMBLEMS)
            size = self.present.get("files", {}).get(emblem, 0)
            if size > attachments.EMBLEM_LIMIT:
                self.problems.append(attachments.too_big(where, size, attachments.EMBLEM_LIMIT))
        return portal.model_copy(
            update={"responsible": self._responsible(portal.responsible), "leaders": self._leaders(portal.leaders)}
        )

    def _somebody(self, named: Named, document: Document, at: Keys) -> tuple[str, Where]:
        """The word that names somebody, and where; a mistake if it never was anybody's."""
        if named.post is not None:
            where = document.where((*at, "post"))
            if named.post not in self.posts:
                vi = f"không có chức vụ «{named.post}»; dùng mã của một chức vụ: {', '.join(self.posts)}"
                en = f"there is no post '{named.post}'; give the code of one: {', '.join(self.posts)}"
                self._problem(where, "unknown-post", vi, en)
            return named.post, where
        word, where = named.person or "", document.where((*at, "person"))
        if word not in self.people:
            self.gone.add(word)
            if word not in self.known:
                vi = f"không có người «{word}» trong people/{self.unit}.csv; dùng mã của một người của đơn vị"
                en = f"there is nobody '{word}' in people/{self.unit}.csv; give the id of a person of the unit"
                self._problem(where, "unknown-person", vi, en)
        return word, where

    def _holding(self, post: str | None) -> list[str]:
        return [person for person, posts in self.people.items() if post in posts]

    def _responsible(self, given: Responsible | None) -> Responsible | None:
        """By person; somebody's post that is vacant has nobody."""
        if given is None or given.post is None:
            return given
        return given.model_copy(update={"person": next(iter(self._holding(given.post)), None)})

    def _leaders(self, given: Iterable[Leader]) -> tuple[Leader, ...]:
        """By person: what is said of a post holds for all who have it, but for those of whom something is said."""
        by_person = [leader for leader in given if leader.post is None]
        found = {leader.person: leader for leader in by_person}
        for leader in given:
            for person in self._holding(leader.post):
                found.setdefault(person, leader.model_copy(update={"person": person}))
        return tuple(found.values())

    def _articles(self, section: str) -> tuple[Article, ...]:
        found = []
        for name in self.present[section]:
            article = self._article(f"{section}/{name}", name.removesuffix(".md"))
            if article is not None:
                found.append(article)
        return tuple(sorted(sorted(found, key=lambda a: a.slug), key=lambda a: a.date, reverse=True))

    def _article(self, name: str, slug: str) -> Article | None:
        text = self._text(name)
        if text is None:
            return None
        file = self._file(name)
        end = text.find("\n---\n", 3) if text.startswith("---\n") else -1
        if end < 0:
            vi = "bài phải bắt đầu bằng phần đầu giữa hai dòng ---: title, date, author, source, summary"
            en = "an article begins with a head between two lines of ---: title, date, author, source, summary"
            self._problem(Where(file, 1), "no-head", vi, en)
            return None
        document, source = read_yaml(file, text[: end + 1]), Source(file, text)
        if document.problems:
            self.problems += document.problems
            return None
        body = text[end + 5 :]
        start = source.where(end + 5)
        self._markdown(body, source, start)
        if not body.strip():
            vi, en = "bài chưa có nội dung; viết bên dưới dòng --- thứ hai", "the article has no text; write it below"
            self._problem(start, "empty-article", vi, en)
        value = self._head(Article, document, slug=slug, body=body)
        article = self._model(Article, document, source, (), value)
        if article is None:
            return None
        if article.image:
            where = document.where(("image",))
            self._name(article.image, where, attachments.PICTURES)
            if not article.image_text:
                vi = "hình chưa có lời tả cho người không nhìn thấy; thêm dòng «image_text: …»"
                en = "the picture has no words for those who can't see it; add 'image_text: …'"
                self._problem(where, "picture-without-text", vi, en)
        if article.updated and article.updated < article.date:
            vi, en = (
                "ngày cập nhật trước ngày đăng; sửa một trong hai",
                "updated before it was posted; mend one of the days",
            )
            self._problem(document.where(("updated",)), "day-order", vi, en)
        return article

    def _head(self, kind: type[BaseModel], document: Document, **known: Any) -> Any:
        """What a file says, with what its name says; it is not to say that again."""
        if not isinstance(document.value, dict):
            return {} if document.value is None else document.value
        for key in known.keys() & document.value.keys():
            keys = ", ".join(sorted(kind.model_fields.keys() - known.keys()))
            vi, en = (
                f"không có khóa nào tên «{key}»; xóa (có: {keys})",
                f"there is no key '{key}'; delete it (there are: {keys})",
            )
            self._problem(document.where((key,)), "extra-forbidden", vi, en)
        return {**document.value, **known}

    def _disclosures(self) -> tuple[Disclosure, ...]:
        found = []
        for name in self.present.get("disclosure", {}):
            read = self._yaml(f"disclosure/{name}")
            if read is None:
                continue
            document, source = read
            year = name.removesuffix(".yml")
            self._school_year(year, Where(document.file))
            value = self._head(Disclosure, document, school_year=year)
            item = self._model(Disclosure, document, source, (), value)
            if item is None:
                continue
            if item.annual_report:
                self._name(item.annual_report, document.where(("annual_report",)), ("pdf",))
            found.append(item)
        return tuple(sorted(found, key=lambda item: item.school_year, reverse=True))

    def _school_year(self, year: str, where: Where) -> None:
        first, _, second = year.partition("-")
        if first.isdecimal() and second.isdecimal() and int(second) != int(first) + 1:
            vi = f"năm học «{year}»: hai năm phải liền nhau, như 2026-2027"
            en = f"school year '{year}': its two years must follow each other, as in 2026-2027"
            self._problem(where, "school-year", vi, en)

    # Files that are lists

    def _items(
        self,
        kind: type[M],
        name: str,
        key: Callable[[M], str],
        look: Callable[[M, Callable[..., Where]], None] | None = None,
    ) -> tuple[M, ...]:
        """The entries of a YAML list, no two with the same ``key``; ``look`` sees each with the places of its keys."""
        read = self._yaml(name)
        if read is None or read[0].value is None:
            return ()
        document, source = read
        if not isinstance(document.value, list):
            vi, en = "tệp phải là một danh sách: mỗi mục bắt đầu bằng «- »", "the file must be a list of '- ' items"
            self._problem(document.where(()), "not-a-list", vi, en)
            return ()
        found: dict[str, M] = {}
        first: dict[str, Where] = {}
        for index, entry in enumerate(document.value):
            item = self._model(kind, document, source, (index,), entry)
            if item is None:
                continue

            def place(*path: str | int, index: int = index) -> Where:
                return document.where((index, *path))

            if look is not None:
                look(item, place)
            if (value := key(item)) in found:
                vi = f"«{value}» đã có ở {first[value]}; đổi tên hoặc xóa một"
                en = f"'{value}' stands at {first[value]} already; rename or delete one"
                self._problem(place(), "duplicate-entry", vi, en)
                continue
            found[value], first[value] = item, place()
        return tuple(found.values())

    def _documents(self) -> tuple[Paper, ...]:
        def look(paper: Paper, place: Callable[..., Where]) -> None:
            self._name(paper.file, place("file"))

        # Two bodies may give the same number, one body may not.
        papers = self._items(Paper, "documents.yml", lambda paper: f"{paper.number} ({paper.issuer})", look)
        return _newest(papers, "date")

    def _consultation(self, item: Consultation, place: Callable[..., Where]) -> None:
        if item.email not in self.mailboxes:
            vi = f"«{item.email}» không phải hộp thư nào của tỉnh; ghi địa chỉ công khai của đơn vị"
            en = f"'{item.email}' is no mailbox of the province; give the unit's public address"
            self._problem(place("email"), "unknown-mailbox", vi, en)
        if item.file:
            self._name(item.file, place("file"))

    def _menu(self, menu: Menu, place: Callable[..., Where]) -> None:
        if menu.week_of.weekday():
            vi = "ngày này không phải thứ Hai; ghi ngày thứ Hai của tuần"
            en = "this day is no Monday; give the Monday of the week"
            self._problem(place("week_of"), "not-monday", vi, en)

    def _admission(self, item: Admission, place: Callable[..., Where]) -> None:
        self._school_year(item.school_year, place("school_year"))
        seen: set[str] = set()
        for index, number in enumerate(item.candidates):
            if number in seen:
                vi, en = f"số «{number}» ghi hai lần; xóa một", f"number '{number}' stands here twice; delete one"
                self._problem(place("candidates", index), "duplicate-candidate", vi, en)
            seen.add(number)

    def _resource(self, item: Resource, place: Callable[..., Where]) -> None:
        if item.file:
            self._name(item.file, place("file"))
        if bool(item.file) == bool(item.url):
            vi = "ghi một trong hai: «url» (ở nơi khác) hoặc «file» (trong files/)"
            en = "give one of the two: 'url' (it is elsewhere) or 'file' (it is in files/)"
            self._problem(place(), "resource-place", vi, en)

    def _examinations(self) -> tuple[Examination, ...]:
        wheres: dict[str, Where] = {}

        def look(item: _Marks, place: Callable[..., Where]) -> None:
            wheres.setdefault(item.slug, place("slug"))
            if item.results:
                vi, en = f"ghi điểm vào results/{item.slug}.csv", f"marks go into results/{item.slug}.csv"
                self._problem(place("results"), "extra-forbidden", vi, en)

        found = []
        for item in self._items(_Marks, "results.yml", _slug, look):
            name = f"results/{item.slug}.csv"
            text = self._text(name)
            if f"{item.slug}.csv" not in self.present.get("results", {}):
                vi, en = (
                    f"không có tệp {name}; thêm tệp, hoặc xóa mục này",
                    f"there is no {name}; add it, or delete this",
                )
                self._problem(wheres[item.slug], "missing-file", vi, en)
            if text is None:
                continue
            results, problems = read_results(self._file(name), text)
            self.problems += problems
            found.append(Examination(slug=item.slug, title=item.title, published=item.published, results=results))
        if not any(problem.where.file == self._file("results.yml") for problem in self.problems):
            for name in self.present.get("results", {}):
                if name.removesuffix(".csv") not in wheres:
                    vi = "results.yml không nói đến tệp này; thêm mục với slug, title, published"
                    en = "results.yml says nothing of this file; add an entry with slug, title, published"
                    self._problem(Where(self._file(f"results/{name}")), "unused-file", vi, en)
        return _newest(tuple(found), "published")

    def _table(self, kind: type[M], key: str, name: str) -> tuple[M, ...]:
        text = self._text(name)
        if text is None or not text.strip():
            return ()
        rows, problems = read_rows(kind, key, self._file(name), text)
        self.problems += problems
        return tuple(rows)

    # files/

    def _files(self) -> frozenset[str]:
        """The names of the files that something names; each file there is looked at."""
        present = self.present.get("files", {})
        # What can't be read might name the others.
        whole = not self.problems
        for name, size in present.items():
            file = self._file(f"files/{name}")
            problems = attachments.check_file(self._path(f"files/{name}"), size, file)
            self.problems += problems
            if whole and not problems and name not in self.named:
                vi = (
                    "không mục nào nói đến tệp này, nên không ai tải được; thêm vào documents.yml hay một bài, hoặc xóa"
                )
                en = "nothing names this file, so nobody finds it; name it in documents.yml or an article, or delete it"
                self._problem(Where(file), "unused-file", vi, en)
        return frozenset(present.keys() & self.named.keys())


def _slug(item: Any) -> str:
    return str(item.slug)


def _newest(items: Iterable[M], day: str) -> tuple[M, ...]:
    """Newest first; those of one day in the order of the file."""
    return tuple(sorted(items, key=lambda item: getattr(item, day), reverse=True))


def _at(value: Any, keys: Keys) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(str(key))
    return value
