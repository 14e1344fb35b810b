"""Full-text search in one unit's pages, with and without Vietnamese marks, and look-up of results by number.

A unit has a database of its own for each. It is written beside the live one and renamed, so that readers see the old or
the new, whole, and a build that was killed leaves nothing behind that anybody reads.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

FORMAT = 1
"""Of the databases: another one is another digest, so that everything is built anew."""
MOST_CHARACTERS = 200
MOST_TERMS = 12
PAGE = 10
SNIPPET = 240
_WORD = re.compile(r"[^\W_]+")
# Đ and đ have no decomposition in Unicode; everything else that SQLite's "remove_diacritics" can't do either.
_STROKE = str.maketrans({"Đ": "D", "đ": "d"})


def fold(text: str) -> str:
    """``text`` without Vietnamese marks and in lower case, as edumail.text has it."""
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKE))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())


@lru_cache(4096)
def _fold_character(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character.translate(_STROKE))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@dataclass(frozen=True)
class Term:
    """Words that have to follow each other; of the last one ``prefix`` takes any ending."""

    words: tuple[str, ...]
    prefix: bool = False

    def match(self, columns: str, *, folded: bool) -> str:
        """As an expression of FTS5: words only, each in quotes, so that nothing in them means anything to it."""
        said = [fold(word) for word in self.words] if folded else [word.lower() for word in self.words]
        phrase = " ".join(word.replace('"', "") for word in said)
        return f'{{{columns}}} : "{phrase}"{"*" if self.prefix else ""}'


def terms(query: str) -> list[Term]:
    """What is searched for: each word, and each phrase in quotes; the word typed last may be unfinished."""
    text = unicodedata.normalize("NFC", query[:MOST_CHARACTERS].encode("utf-8", "ignore").decode())
    found: list[Term] = []
    parts = re.split(r'["“”„«»]', text)
    for number, part in enumerate(parts):
        said = [word for word in _WORD.findall(part) if fold(word)]
        quoted = number % 2 == 1 and number < len(parts) - 1
        if quoted and said:
            found.append(Term(tuple(said)))
        elif not quoted:
            found += [Term((word,)) for word in said]
    found = found[:MOST_TERMS]
    if found and len(found[-1].words) == 1 and text.rstrip().endswith(found[-1].words[-1]):
        found[-1] = Term(found[-1].words, prefix=True)
    return found


@dataclass(frozen=True)
class Hit:
    """A page that has all terms; ``title`` and ``snippet`` are HTML with ``<mark>`` around what was found."""

    url: str
    section: str
    title: str
    snippet: str
    date: str


def search(database: Path, query: str, page: int = 1) -> tuple[int, list[Hit]]:
    """How many pages have all terms, and those of one page of answers: with the very marks first, then by rank."""
    wanted = terms(query)
    if not wanted:
        return 0, []
    folded = " AND ".join(term.match("title_folded text_folded", folded=True) for term in wanted)
    exact = " AND ".join(term.match("title text", folded=False) for term in wanted)
    with opened(database) as connection:
        (count,) = connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (folded,)).fetchone()
        rows = connection.execute(
            """SELECT url, section, page.title, page.text, date FROM words JOIN page ON page.id = words.rowid
            WHERE words MATCH ?
            ORDER BY words.rowid IN (SELECT rowid FROM words WHERE words MATCH ?) DESC,
              bm25(words, 0, 0, 8, 1), date DESC, page.id LIMIT ? OFFSET ?""",
            (folded, exact, PAGE, (page - 1) * PAGE),
        ).fetchall()
    return count, [
        Hit(url, section, marked(title, wanted, len(title)), marked(text, wanted), date)
        for url, section, title, text, date in rows
    ]


def marked(text: str, wanted: Iterable[Term], length: int = SNIPPET) -> str:
    """A piece of ``text`` around the first words found, as HTML: everything escaped, hits in ``<mark>``."""
    spans = _spans(text, list(wanted))
    start = 0
    if spans and spans[0][0] > length // 3 and len(text) > length:
        start = spans[0][0] - length // 3
        start = text.find(" ", start, spans[0][0]) + 1 or start
    end = len(text)
    if end - start > length:
        end = start + length
        end = max(text.rfind(" ", start, end), start + 1) if " " in text[start:end] else end
    pieces, at = ["… " if start else ""], start
    for begin, stop in spans:
        if begin < at or stop > end:
            continue
        pieces += [html.escape(text[at:begin]), "<mark>", html.escape(text[begin:stop]), "</mark>"]
        at = stop
    pieces += [html.escape(text[at:end]), " …" if end < len(text) else ""]
    return "".join(pieces)


def _spans(text: str, wanted: list[Term]) -> list[tuple[int, int]]:
    """Where the words of the terms stand in ``text``, in order."""
    tokens = [(m.start(), m.end(), "".join(map(_fold_character, m[0]))) for m in _WORD.finditer(text)]
    found: set[tuple[int, int]] = set()
    for term in wanted:
        said = [fold(word) for word in term.words]
        for at in range(len(tokens) - len(said) + 1):
            here = [token[2] for token in tokens[at : at + len(said)]]
            if here == said or (term.prefix and here[:-1] == said[:-1] and here[-1].startswith(said[-1])):
                found.add((tokens[at][0], tokens[at + len(said) - 1][1]))
    return sorted(found)


@contextlib.contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """A database that nobody changes any more. Raises sqlite3.Error, FileNotFoundError."""
    if not database.is_file():
        raise FileNotFoundError(database)
    with contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?immutable=1", uri=True)) as connection:
        yield connection


def result(database: Path, examination: str, candidate: str) -> dict[str, str] | None:
    """Subject → mark of one candidate."""
    with opened(database) as connection:
        row = connection.execute(
            "SELECT marks FROM result WHERE examination = ? AND candidate = ?", (examination, candidate)
        ).fetchone()
    return json.loads(row[0]) if row else None


def diploma(database: Path, number: str) -> tuple[str, str, str] | None:
    """Kind, day of issue and number in the register of one diploma."""
    with opened(database) as connection:
        row: tuple[str, str, str] | None = connection.execute(
            "SELECT kind, issued, register FROM diploma WHERE number = ?", (number,)
        ).fetchone()
    return row


def examinations(database: Path) -> list[tuple[str, str]]:
    """Slug and title of each, newest first."""
    with opened(database) as connection:
        return connection.execute("SELECT slug, title FROM examination ORDER BY published DESC, slug").fetchall()


def has_diplomas(database: Path) -> bool:
    """Whether the unit put any here."""
    with opened(database) as connection:
        return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM diploma)").fetchone()[0])


PAGES_SCHEMA = """
CREATE TABLE page (id INTEGER PRIMARY KEY, url TEXT NOT NULL, section TEXT NOT NULL, title TEXT NOT NULL,
  text TEXT NOT NULL, date TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE words USING fts5(title, text, title_folded, text_folded, content='',
  tokenize="unicode61 remove_diacritics 0");
"""
RESULTS_SCHEMA = """
CREATE TABLE examination (slug TEXT PRIMARY KEY, title TEXT NOT NULL, published TEXT NOT NULL) STRICT;
CREATE TABLE result (examination TEXT NOT NULL, candidate TEXT NOT NULL, marks TEXT NOT NULL,
  PRIMARY KEY (examination, candidate)) STRICT, WITHOUT ROWID;
CREATE TABLE diploma (number TEXT PRIMARY KEY, kind TEXT NOT NULL, issued TEXT NOT NULL, register TEXT NOT NULL)
  STRICT, WITHOUT ROWID;
"""


def fill_pages(connection: sqlite3.Connection, pages: list[Mapping[str, Any]]) -> None:
    """Everything of one unit's index."""
    for number, page in enumerate(pages, 1):
        title, text = (unicodedata.normalize("NFC", str(page.get(key) or "")) for key in ("title", "text"))
        connection.execute(
            "INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)",
            (number, page["url"], str(page.get("section") or ""), title, text, str(page.get("date") or "")),
        )
        connection.execute(
            "INSERT INTO words (rowid, title, text, title_folded, text_folded) VALUES (?, ?, ?, ?, ?)",
            (number, title, text, fold(title), fold(text)),
        )
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def fill_results(connection: sqlite3.Connection, results: Mapping[str, Any]) -> None:
    """Everything of one unit's results."""
    for examination in results["examinations"]:
        slug = examination["slug"]
        connection.execute(
            "INSERT INTO examination VALUES (?, ?, ?)", (slug, examination["title"], examination["published"])
        )
        connection.executemany(
            "INSERT OR REPLACE INTO result VALUES (?, ?, ?)",
            ((slug, number, json.dumps(marks, ensure_ascii=False)) for number, marks in examination["results"].items()),
        )
    connection.executemany("INSERT OR REPLACE INTO diploma VALUES (?, ?, ?, ?)", results["diplomas"])


FILL = {"index": fill_pages, "results": fill_results}
SCHEMA = {"index": PAGES_SCHEMA, "results": RESULTS_SCHEMA}


def sources(tree: Path, kind: str) -> dict[str, tuple[Path, str]]:
    """Unit → its JSON file and the digest that the tree's own manifest has for it, without reading the files."""
    found: dict[str, tuple[Path, str]] = {}
    for line in (tree / ".manifest").read_text("utf-8").splitlines():
        digest, _, path = line.partition("  ")
        folder, _, name = path.partition("/")
        if folder == kind and name.endswith(".json"):
            found[name.removesuffix(".json")] = tree / path, f"{FORMAT}-{digest}"
    return found


def build(kind: str, tree: Path, target: Path) -> tuple[int, int]:
    """Brings the databases of ``kind`` in ``target`` up to date with ``tree``: (built, removed).

    It costs what has changed. Which digest a database was built from is written after it, so that a build that was
    killed does that unit again.
    """
    target.mkdir(parents=True, exist_ok=True)
    record = target / "digests.json"
    try:
        done: dict[str, str] = json.loads(record.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        done = {}
    wanted = sources(tree, kind)
    present = {path.stem for path in target.glob("*.db")}
    todo = [unit for unit, (_, digest) in wanted.items() if done.get(unit) != digest or unit not in present]
    gone = sorted(present - wanted.keys())
    for unit in todo:
        new = target / f".{unit}.new"
        new.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
            # Nobody reads it before it is whole; what it costs to be safe is paid once, below.
            connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA[kind]} BEGIN")
            FILL[kind](connection, json.loads(wanted[unit][0].read_text("utf-8")))
            connection.execute("COMMIT")
        new.chmod(0o640)
        new.replace(target / f"{unit}.db")
    for unit in gone:
        (target / f"{unit}.db").unlink()
    if todo or gone or not record.exists():
        os.sync()
        new = target / ".digests.new"
        new.write_text(json.dumps({unit: digest for unit, (_, digest) in wanted.items()}), "utf-8")
        new.replace(record)
    return len(todo), len(gone)
