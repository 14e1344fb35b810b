"""Feedback in a unit's portal: the form, the state of a matter by its code, and what is answered publicly.

It writes down what a citizen says before it says thanks; another process sends it. It has no network.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edumail_feedback as store
import edumail_feedback_mail as mail
from edumail_page import Budget, Portals, escape, network, portal_app, words
from flask import Flask, Response, g, request

LIMITS = {"ten": 100, "thu": 254, "dien-thoai": 25, "tieu-de": 150, "noi-dung": 10_000}
MOST_LINKS = 5
PAGE = 20
TRAP = "trang-web"
STATES = {
    "received": "Đã ghi nhận, đang chuyển tới hộp thư của đơn vị",
    "delivered": "Đã tiếp nhận, chờ trả lời",
    "answered": "Đã trả lời",
}


def create_app(
    table: str, shells: str, state: str, own_shells: str = "", clock: Callable[[], float] = time.time
) -> Flask:
    """table: the units by name of their portal; shells: folders of their layouts; state: folder of the database."""
    app, page = portal_app(
        __name__, Portals(Path(table), Path(shells), *([Path(own_shells)] if own_shells else [])), most_bytes=200_000
    )
    cases = store.Store(Path(state))
    forms = store.Forms(store.secret(Path(state)))
    # A school is one network: thirty at once, then one in half a minute. A unit: 200 at once, then three a minute.
    by_network, by_unit, by_guess = Budget(30, 30), Budget(200, 20), Budget(60, 10)

    def client() -> str:
        return network(request.headers.get("X-Real-IP"))

    def form(given: dict[str, str], notice: str = "", status: int = 200) -> Response:
        token = forms.token(g.unit["unit"], clock())
        return page("Gửi phản ánh", _form(g.unit, token, given, notice), status)

    @app.get("/phan-anh")
    def empty() -> Response:
        return form({})

    @app.post("/phan-anh")
    def send() -> Response:
        given = {name: words(request.form.get(name), LIMITS[name] + 1) for name in LIMITS}
        for name in ("ten", "thu", "dien-thoai", "tieu-de"):
            given[name] = mail.line(given[name])
        token, unit = words(request.form.get("phieu"), 200), g.unit["unit"]
        try:
            age = forms.age(token, unit, clock())
        except ValueError:
            age = None
        earliest, latest = store.TOKEN_SECONDS
        if age is None or age > latest or age < 0:
            return form(given, "Phiếu đã hết hạn. Nội dung của bạn vẫn còn ở dưới, xin bấm Gửi lần nữa.", 400)
        if age < earliest:
            return form(given, "Phiếu được gửi quá nhanh. Xin đợi vài giây rồi bấm Gửi lần nữa.", 400)
        if fault := _fault(given, request.form):
            return form(given, fault, 400)
        if not by_network.left(client()) or not by_unit.spend(unit):
            return form(
                given,
                f"Hiện có quá nhiều phản ánh được gửi. Xin thử lại sau ít phút, hoặc viết tới {g.unit['address']}.",
                429,
            )
        by_network.spend(client())
        matter = store.new_matter(
            unit,
            g.unit["host"],
            subject=given["tieu-de"],
            text=given["noi-dung"],
            name=given["ten"],
            email=given["thu"],
            phone=given["dien-thoai"],
        )
        code = forms.code(token)
        new = cases.add(matter, code, token, [mail.to_unit(matter, g.unit["address"], g.unit["host"])])
        if new:
            app.logger.info("%s: a matter was taken", unit)
        return page("Đã ghi nhận phản ánh", _thanks(g.unit, store.shown(code), bool(given["thu"])))

    @app.get("/phan-anh/theo-doi")
    def follow() -> Response:
        said = words(request.args.get("ma"), 100)
        if not said:
            return page("Theo dõi phản ánh", _follow(""))
        if not by_guess.left(client()):
            return page("Theo dõi phản ánh", _follow(said, _notice("Quá nhiều mã sai. Xin thử lại sau ít phút.")), 429)
        code = store.typed(said)
        found = cases.by_code(g.unit["unit"], code) if code else None
        if found is None:
            by_guess.spend(client())
            return page("Theo dõi phản ánh", _follow(said, _notice("Không có phản ánh nào với mã này.")), 404)
        return page("Theo dõi phản ánh", _follow(store.shown(code), _state(found)))

    @app.get("/hoi-dap")
    def published() -> Response:
        number = request.args.get("trang", "")
        at = max(1, int(number)) if number.isascii() and number.isdecimal() and len(number) < 5 else 1
        count, found = cases.published(g.unit["unit"], at, PAGE)
        return page("Hỏi đáp", _published(count, found, at))

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(error: Any) -> Response:
        if g.get("unit") is None:
            return Response("404\n", 404, mimetype="text/plain")
        return page("Không có trang này", "<h1>Không có trang này</h1>", error.code)

    @app.errorhandler(413)
    def too_much(_: Exception) -> Response:
        return page("Nội dung quá dài", "<h1>Nội dung quá dài</h1><p>Xin quay lại và viết ngắn hơn.</p>", 413)

    @app.errorhandler(sqlite3.Error)
    @app.errorhandler(OSError)
    def broken(error: Exception) -> Response:
        # Nothing was written: what was typed is still there, and nobody was told that it arrived.
        app.logger.error("%s: %s", g.unit["unit"], type(error).__name__)
        said = f"Máy chủ tạm thời không ghi được. Xin bấm Gửi lần nữa, hoặc viết tới {g.unit['address']}."
        if request.method == "POST":
            return form({name: words(request.form.get(name), LIMITS[name]) for name in LIMITS}, said, 503)
        return page("Tạm thời gián đoạn", f"<h1>Tạm thời gián đoạn</h1>{_notice(said)}", 503)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return app


def _fault(given: dict[str, str], raw: Any) -> str:
    """What is wrong with a form, in words for whoever wrote it; empty when nothing is."""
    if raw.get(TRAP):
        return "Ô «Để trống ô này» phải để trống."
    if any("\n" in (raw.get(n) or "") or "\r" in (raw.get(n) or "") for n in ("ten", "thu", "dien-thoai", "tieu-de")):
        return "Họ tên, tiêu đề và cách liên hệ chỉ được viết trên một dòng."
    names = {
        "ten": "Họ tên", "thu": "Địa chỉ thư điện tử", "dien-thoai": "Số điện thoại",
        "tieu-de": "Tiêu đề", "noi-dung": "Nội dung",
    }  # fmt: skip
    for name, most in LIMITS.items():
        if len(given[name]) > most:
            return f"{names[name]} quá dài (tối đa {most} ký tự)."
    if not given["tieu-de"]:
        return "Xin ghi tiêu đề."
    if len(given["noi-dung"]) < 10:
        return "Xin ghi nội dung, ít nhất 10 ký tự."
    if given["thu"] and not mail.is_address(given["thu"]):
        return "Địa chỉ thư điện tử không đúng."
    if given["dien-thoai"] and not re.fullmatch(r"\+?[0-9][0-9 .()-]{5,23}", given["dien-thoai"]):
        return "Số điện thoại không đúng."
    if len(re.findall(r"https?://|www\.", " ".join(given.values()), re.IGNORECASE)) > MOST_LINKS:
        return f"Nội dung có quá nhiều đường liên kết (tối đa {MOST_LINKS})."
    return ""


def _form(unit: dict[str, Any], token: str, given: dict[str, str], notice: str) -> str:
    def value(name: str) -> str:
        return escape(given.get(name, ""))

    return f"""<h1>Gửi phản ánh, câu hỏi</h1>
{_notice(notice, alert=True) if notice else ""}
<p>Phản ánh được chuyển tới hộp thư của đơn vị,
<a href="mailto:{escape(unit["address"])}">{escape(unit["address"])}</a>;
bạn cũng có thể viết thẳng tới địa chỉ đó. Bạn nhận một mã để theo dõi:
<a href="/phan-anh/theo-doi">theo dõi phản ánh</a>.</p>
<form class="feedback" action="/phan-anh" method="post" accept-charset="utf-8">
<input type="hidden" name="phieu" value="{token}">
<p><label for="tieu-de">Tiêu đề (bắt buộc)</label>
<input id="tieu-de" name="tieu-de" required maxlength="{LIMITS["tieu-de"]}" value="{value("tieu-de")}"></p>
<p><label for="noi-dung">Nội dung (bắt buộc)</label>
<textarea id="noi-dung" name="noi-dung" required rows="10" maxlength="{LIMITS["noi-dung"]}">
{value("noi-dung")}</textarea></p>
<p><label for="ten">Họ tên (không bắt buộc)</label>
<input id="ten" name="ten" maxlength="{LIMITS["ten"]}" autocomplete="name" value="{value("ten")}"></p>
<p><label for="thu">Thư điện tử để nhận trả lời (không bắt buộc)</label>
<input id="thu" name="thu" type="email" maxlength="{LIMITS["thu"]}" autocomplete="email" value="{value("thu")}"></p>
<p><label for="dien-thoai">Điện thoại (không bắt buộc)</label>
<input id="dien-thoai" name="dien-thoai" type="tel" maxlength="{LIMITS["dien-thoai"]}" autocomplete="tel"
 value="{value("dien-thoai")}"></p>
<p hidden><label for="{TRAP}">Để trống ô này</label>
<input id="{TRAP}" name="{TRAP}" tabindex="-1" autocomplete="off"></p>
<p class="consent">Bấm Gửi là bạn đồng ý để đơn vị dùng các thông tin trên vào việc trả lời bạn. Đơn vị có thể công khai
hỏi và đáp, không kèm tên và cách liên hệ. Dữ liệu được xóa sau {unit["days"]} ngày kể từ lần thay đổi cuối.</p>
<p><button type="submit">Gửi</button></p>
</form>"""


def _thanks(unit: dict[str, Any], code: str, by_mail: bool) -> str:
    answer = "Câu trả lời được gửi tới thư điện tử của bạn và" if by_mail else "Câu trả lời"
    return f"""<h1>Đã ghi nhận phản ánh</h1>
<p>Mã theo dõi của bạn: <strong class="code">{code}</strong></p>
<p>Xin giữ mã này: ai có mã thì xem được tình trạng và câu trả lời. {answer} hiện ở trang
<a href="/phan-anh/theo-doi?ma={code}">theo dõi phản ánh</a>.</p>
<p><a href="/">Về trang chủ của {escape(unit["name"])}</a></p>"""


def _follow(code: str, below: str = "") -> str:
    return f"""<h1>Theo dõi phản ánh</h1>
<form class="lookup" action="/phan-anh/theo-doi" method="get">
<p><label for="ma">Mã theo dõi</label>
<input id="ma" name="ma" required maxlength="40" autocomplete="off" value="{escape(code)}">
<button type="submit">Xem</button></p></form>
{below}"""


def _state(matter: store.Matter) -> str:
    steps = [("Đã ghi nhận", matter.received), ("Đã tiếp nhận", matter.delivered), ("Đã trả lời", matter.answered)]
    rows = "".join(f"<li>{name}: {_moment(at)}</li>" for name, at in steps if at)
    answer = f'<h2>Trả lời</h2><div class="answer">{_paragraphs(matter.answer)}</div>' if matter.answer else ""
    return f"""<h2>{escape(matter.subject)}</h2>
<p class="state" data-state="{matter.state}" role="status">Tình trạng: <strong>{STATES[matter.state]}</strong></p>
<ol class="steps">{rows}</ol>
{answer}"""


def _published(count: int, found: list[store.Matter], at: int) -> str:
    parts = ["<h1>Hỏi đáp</h1>", '<p><a href="/phan-anh">Gửi câu hỏi, phản ánh</a></p>']
    if not found:
        parts.append("<p>Chưa có câu hỏi nào được công khai.</p>")
    for matter in found:
        parts.append(
            f'<article class="question"><h2>{escape(matter.subject)}</h2>'
            f'<div class="asked">{_paragraphs(matter.text)}</div>'
            f"<h3>Trả lời, {_moment(matter.answered or 0)}</h3>"
            f'<div class="answer">{_paragraphs(matter.answer)}</div></article>'
        )
    last = -(-count // PAGE)
    if last > 1:
        links = [f'<a rel="prev" href="/hoi-dap?trang={at - 1}">Trang trước</a>'] if at > 1 else []
        links.append(f"<span>Trang {at} / {last}</span>")
        links += [f'<a rel="next" href="/hoi-dap?trang={at + 1}">Trang sau</a>'] if at < last else []
        parts.append(f'<nav class="paging" aria-label="Các trang hỏi đáp">{" ".join(links)}</nav>')
    return "\n".join(parts)


def _paragraphs(text: str) -> str:
    return "".join(
        f"<p>{escape(part.strip()).replace(chr(10), '<br>')}</p>" for part in re.split(r"\n\s*\n", text) if part.strip()
    )


def _moment(at: int) -> str:
    here = time.gmtime(at + 7 * 3600)  # Viet Nam has one time zone, without daylight saving
    return (
        f'<time datetime="{time.strftime("%Y-%m-%dT%H:%M+07:00", here)}">{time.strftime("%H:%M %d/%m/%Y", here)}</time>'
    )


def _notice(text: str, *, alert: bool = False) -> str:
    return f'<p class="notice" role="{"alert" if alert else "status"}">{escape(text)}</p>'
