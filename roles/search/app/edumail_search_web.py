"""Search in a unit's portal, and look-up of one result by its number. Reads only; knows nothing of who asks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import edumail_search as store
from edumail_page import Budget, Portals, escape, network, portal_app, words
from flask import Flask, Response, g, request

MOST_PAGES = 50
_OFTEN = "Có quá nhiều lượt tra cứu. Xin thử lại sau ít phút."


class Limits:
    """How often numbers are looked up: misses by network and for a unit in all, hits by address and unit.

    Whoever tries numbers is stopped after 60 misses, a unit's look-up after 600, for all. Behind one address, a
    school's or a mobile network's, 3,000 are found on the day of the results; who gathers results gets one every 12
    seconds after that, which takes more than two days for 20,000 candidates, and keeps nobody out but whoever shares
    the address. The same number again within a day costs nothing.
    """

    FOUND = 3000, 12
    """Of an address in a unit: how many at once, and the seconds after which there is one more."""

    def __init__(self, clock: Callable[[], float]):
        self.missed, self.missed_in_all = Budget(60, 10, clock), Budget(600, 1, clock)
        self.found, self.first = Budget(*self.FOUND, clock), Budget(1, 86400, clock)

    def left(self, client: str, unit: str, number: str) -> bool:
        """Whether one more is taken."""
        who = f"{_household(client)} {unit}"
        missed = self.missed.left(network(client)) and self.missed_in_all.left(unit)
        return missed and (not self.first.left(f"{who} {number}") or self.found.left(who))

    def spend(self, client: str, unit: str, number: str, found: bool) -> None:
        """One was answered."""
        if not found:
            self.missed.spend(network(client))
            self.missed_in_all.spend(unit)
        elif self.first.spend(f"{(who := f'{_household(client)} {unit}')} {number}"):
            self.found.spend(who)


def _household(client: str) -> str:
    """An IPv4 address; of IPv6, where each client has addresses without end, the network."""
    return client if "." in client else network(client)


def create_app(table: str, shells: str, state: str, clock: Callable[[], float] = time.monotonic) -> Flask:
    """table: the units by name of their portal; shells: folder of their layouts; state: folder of the databases."""
    app, page = portal_app(__name__, Portals(Path(table), Path(shells)), most_bytes=4096)
    pages, results = Path(state) / "index", Path(state) / "results"
    limits = Limits(clock)

    @app.get("/tim-kiem")
    def search() -> Response:
        query = " ".join(words(request.args.get("q"), store.MOST_CHARACTERS).split())
        number = request.args.get("trang", "")
        at = int(number) if number.isascii() and number.isdecimal() and 0 < len(number) < 4 else 1
        at = max(1, min(at, MOST_PAGES))
        try:
            count, hits = store.search(pages / f"{g.unit['unit']}.db", query, at)
        except FileNotFoundError:
            count, hits = 0, []
        return page(f"Tìm kiếm: {query}" if query else "Tìm kiếm", _search(query, count, hits, at))

    @app.route("/tra-cuu/diem", methods=["GET", "POST"])
    def marks() -> Response:
        database = results / f"{g.unit['unit']}.db"
        try:
            known = store.examinations(database)
        except FileNotFoundError:
            known = []
        title = "Tra cứu điểm"
        if not known:
            return page(title, f"<h1>{title}</h1><p>Đơn vị chưa công bố kết quả kỳ thi nào ở đây.</p>")
        if request.method == "GET":
            return page(title, _marks_form(known))
        chosen, number = words(request.form.get("ky-thi"), 80), _number(request.form.get("sbd"))
        asked = request.headers.get("X-Real-IP", ""), g.unit["unit"], f"{chosen} {number}"
        if not limits.left(*asked):
            return page(title, _marks_form(known, chosen, number, _notice(_OFTEN)), 429)
        found = store.result(database, chosen, number) if number else None
        answer = _table(f"Kết quả của số báo danh {number}", list(found.items())) if found else _missed(number)
        limits.spend(*asked, found=bool(found))
        return page(title, _marks_form(known, chosen, number, answer))

    @app.route("/tra-cuu/van-bang", methods=["GET", "POST"])
    def diplomas() -> Response:
        database = results / f"{g.unit['unit']}.db"
        title = "Tra cứu văn bằng, chứng chỉ"
        try:
            some = store.has_diplomas(database)
        except FileNotFoundError:
            some = False
        if not some:
            return page(title, f"<h1>{title}</h1><p>Đơn vị chưa công bố dữ liệu văn bằng, chứng chỉ ở đây.</p>")
        if request.method == "GET":
            return page(title, _diploma_form())
        number = _number(request.form.get("so-hieu"))
        asked = request.headers.get("X-Real-IP", ""), g.unit["unit"], number
        if not limits.left(*asked):
            return page(title, _diploma_form(number, _notice(_OFTEN)), 429)
        found = store.diploma(database, number) if number else None
        names = ("Loại", "Ngày cấp", "Số vào sổ gốc")
        answer = (
            _table(f"Văn bằng số hiệu {number}", list(zip(names, found, strict=True))) if found else _missed(number)
        )
        limits.spend(*asked, found=bool(found))
        return page(title, _diploma_form(number, answer))

    @app.errorhandler(404)
    def unknown(_: Exception) -> tuple[Response, int] | Response:
        if g.get("unit") is None:
            return Response("404\n", 404, mimetype="text/plain")
        return page("Không có trang này", "<h1>Không có trang này</h1>", 404)

    @app.errorhandler(413)
    def too_much(_: Exception) -> Response:
        return page("Nội dung quá dài", "<h1>Nội dung quá dài</h1>", 413)

    @app.errorhandler(sqlite3.Error)
    def broken(error: Exception) -> Response:
        app.logger.error("%s: %s", g.unit["unit"], error)
        return page("Tạm thời không tra cứu được", "<h1>Tạm thời không tra cứu được</h1><p>Xin thử lại sau.</p>", 503)

    return app


def _number(text: str | None) -> str:
    """A number as it is printed: people type spaces and small letters."""
    said = "".join(words(text, 60).split()).upper()
    return said if said.isascii() and said.isalnum() and 3 <= len(said) <= 20 else ""


def _search(query: str, count: int, hits: list[store.Hit], at: int) -> str:
    parts = [
        "<h1>Tìm kiếm</h1>",
        '<form class="lookup" action="/tim-kiem" method="get">',
        '<label for="tim">Từ khóa, có dấu hoặc không dấu</label>',
        f'<input id="tim" name="q" type="search" maxlength="{store.MOST_CHARACTERS}" value="{escape(query)}">',
        '<button type="submit">Tìm</button></form>',
    ]
    if query:
        said = f"Có {count} trang" if count else "Không có trang nào"
        parts.append(f'<p class="count" role="status">{said} có đủ các từ trong «{escape(query)}».</p>')
    if hits:
        parts.append(f'<ol class="results" start="{(at - 1) * store.PAGE + 1}">')
        parts += [
            f'<li><a href="{escape(hit.url)}">{hit.title}</a>'
            f"<p>{hit.snippet}</p>"
            f'<p class="meta">{escape(hit.section)}{_date(hit.date)}</p></li>'
            for hit in hits
        ]
        parts.append("</ol>")
    last = min(-(-count // store.PAGE), MOST_PAGES)
    if last > 1:
        links = []
        if at > 1:
            links.append(f'<a rel="prev" href="{_link(query, at - 1)}">Trang trước</a>')
        links.append(f"<span>Trang {at} / {last}</span>")
        if at < last:
            links.append(f'<a rel="next" href="{_link(query, at + 1)}">Trang sau</a>')
        parts.append(f'<nav class="paging" aria-label="Các trang kết quả">{" ".join(links)}</nav>')
    return "\n".join(parts)


def _link(query: str, page: int) -> str:
    return escape(f"/tim-kiem?{urlencode({'q': query, 'trang': page})}")


def _date(date: str) -> str:
    year, _, rest = date.partition("-")
    month, _, day = rest.partition("-")
    shown = f"{day}/{month}/{year}" if day else date
    return f' · <time datetime="{escape(date)}">{escape(shown)}</time>' if date else ""


def _marks_form(known: list[tuple[str, str]], chosen: str = "", number: str = "", answer: str = "") -> str:
    options = "".join(
        f'<option value="{escape(slug)}"{" selected" if slug == chosen else ""}>{escape(title)}</option>'
        for slug, title in known
    )
    return (
        "<h1>Tra cứu điểm</h1><p>Mỗi lần tra cứu một số báo danh.</p>"
        '<form class="lookup" action="/tra-cuu/diem" method="post">'
        f'<p><label for="ky-thi">Kỳ thi</label> <select id="ky-thi" name="ky-thi">{options}</select></p>'
        '<p><label for="sbd">Số báo danh</label> <input id="sbd" name="sbd" required maxlength="40" '
        f'autocomplete="off" value="{escape(number)}"></p>'
        f'<p><button type="submit">Tra cứu</button></p></form>{answer}'
    )


def _diploma_form(number: str = "", answer: str = "") -> str:
    return (
        "<h1>Tra cứu văn bằng, chứng chỉ</h1><p>Mỗi lần tra cứu một số hiệu.</p>"
        '<form class="lookup" action="/tra-cuu/van-bang" method="post">'
        '<p><label for="so-hieu">Số hiệu</label> <input id="so-hieu" name="so-hieu" required maxlength="40" '
        f'autocomplete="off" value="{escape(number)}"></p>'
        f'<p><button type="submit">Tra cứu</button></p></form>{answer}'
    )


def _table(caption: str, rows: list[tuple[str, Any]]) -> str:
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>' for name, value in rows)
    return f'<table class="result"><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>'


def _missed(number: str) -> str:
    return _notice(f"Không tìm thấy số {number}." if number else "Số gồm 3 đến 20 chữ cái không dấu và chữ số.")


def _notice(text: str) -> str:
    return f'<p class="notice" role="status">{escape(text)}</p>'
