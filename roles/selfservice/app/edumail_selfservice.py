"""The account pages of a host: first use by a code, passwords, the second step, and new codes by a unit's officer.

They run without network, behind nginx, as the owner of the accounts' database. What is refused takes as long, and is
said in the same words, whether or not there is such an account. Every act is written down with its client.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import edumail_passwords as passwords
import edumail_store as store
import qrcode
from edumail_page import Budget, network, words
from edumail_store import Refused, transaction
from flask import Flask, Response, abort, g, render_template, request

HERE = Path(__file__).resolve().parent
COOKIE = "__Secure-edumail"
IDLE_SECONDS, LONGEST_SECONDS = 1800, 12 * 3600
"""A session ends when nothing was asked for so long, and in any case."""
STEP_SECONDS = 900
"""How long somebody may take between a code and a password, or a password and the second step."""
REFUSAL_SECONDS = 0.4
SECRET_METHODS = frozenset({"POST"})
MOST_LABEL = 60
WRONG = (
    "Địa chỉ hoặc mật khẩu không đúng, hoặc tài khoản chưa kích hoạt.",
    "The address or the password is wrong, or the account is not active.",
)
NOT_YOURS = ("Mật khẩu đang dùng không đúng.", "The current password is wrong.")
WRONG_CODE = (
    "Địa chỉ hoặc mã không đúng, hoặc mã đã hết hạn hay đã dùng. Xin mã mới ở người phụ trách của đơn vị.",
    "The address or the code is wrong, or the code has expired or been used. Ask your unit's officer for a new one.",
)
WRONG_NUMBER = ("Mã xác thực không đúng hoặc đã dùng.", "The number is wrong or was used.")
TOO_MANY = (
    "Quá nhiều lần thử. Xin đợi vài phút rồi thử lại.",
    "Too many tries. Please wait some minutes and try again.",
)
STALE = ("Trang đã để quá lâu. Xin điền lại.", "The page was open for too long. Please fill it in again.")
CHANGED = (
    "Đã đổi mật khẩu. Các chương trình thư cần mật khẩu mới.",
    "The password is changed. Mail programs need the new one.",
)
DOORS = {"imap": "IMAP", "pop3": "POP3", "managesieve": "Sieve", "submission": "gửi thư / sending", "web": "trang này"}
ACTS = {
    "code": ("cấp mã kích hoạt", "an activation code was issued"),
    "activate": ("chọn mật khẩu bằng mã", "a password was chosen with a code"),
    "password": ("đổi mật khẩu", "the password was changed"),
    "app-password": ("thêm mật khẩu ứng dụng", "an app password was added"),
    "app-password-end": ("xóa mật khẩu ứng dụng", "an app password was deleted"),
    "second-step": ("bật xác thực hai bước", "the second step was turned on"),
    "second-step-end": ("tắt xác thực hai bước", "the second step was turned off"),
    "suspend": ("tạm khóa", "the account was suspended"),
    "take-over": ("lấy mật khẩu từ hệ thống cũ", "the password of the former system was taken over"),
    "moved-in": ("chuyển từ máy chủ khác đến", "the account came from another host"),
    "left": ("thôi làm ở đơn vị", "the person left"),
    "closed": ("đóng trên máy chủ này", "the account was closed on this host"),
    "returned": ("mở lại cho người trở lại", "the account was opened again for its person"),
    "refused-password": ("gõ sai mật khẩu", "a wrong password was refused"),
    "refused-code": ("gõ sai mã kích hoạt", "a wrong activation code was refused"),
    "refused-number": ("gõ sai mã xác thực", "a wrong number of the second step was refused"),
    "sign-out": ("đăng xuất khỏi trang này", "signed out of these pages"),
}
NOBODY = "?"
"""Who does what, where nobody knows."""
STATES = {
    "waiting": ("chờ kích hoạt", "waiting for activation"),
    "active": ("đang dùng", "active"),
    "suspended": ("tạm khóa", "suspended"),
}


class Limits:
    """How often something may go wrong: for an account from one network, for a network, for an account in all.

    A school behind one address shares a network's budget, which is large, and nobody there is locked out by somebody
    else's mistakes; who guesses from many networks meets the third.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.pair = Budget(10, 60, clock)
        self.network = Budget(300, 2, clock)
        self.account = Budget(100, 30, clock)

    def left(self, client: str, address: str) -> bool:
        """Whether one more try is taken."""
        return self.pair.left(f"{client} {address}") and self.network.left(client) and self.account.left(address)

    def spend(self, client: str, address: str) -> None:
        """One went wrong."""
        self.pair.spend(f"{client} {address}")
        self.network.spend(client)
        self.account.spend(address)


def create_app(
    database: str,
    host: str,
    issuer: str,
    front: str,
    clock: Callable[[], float] = time.time,
    refusal: float = -1,
    here: Path = HERE,
) -> Flask:
    """The program for one host.

    database: path; host: its name, as ``hosts.json`` has it, under which the gateway shows it; issuer: what
    authenticators call it; front: the name of mail programs and of the webmail; refusal: seconds that a refusal takes,
    by default :data:`REFUSAL_SECONDS` (tests want none); here: the folder of ``hosts.json`` and of ``pages``.
    """
    app = Flask(__name__, static_folder=None, template_folder=str(here / "pages"))
    app.config["MAX_CONTENT_LENGTH"] = 50_000
    app.jinja_env.globals.update(issuer=issuer, front=front, acts=ACTS, states=STATES, doors=DOORS)
    app.jinja_env.filters["moment"] = moment
    limits = Limits()
    slow = REFUSAL_SECONDS if refusal < 0 else refusal

    def now() -> int:
        return int(clock())

    def opened() -> sqlite3.Connection:
        if "database" not in g:
            g.database = store.connect(database)
        connection: sqlite3.Connection = g.database
        return connection

    @app.teardown_appcontext
    def close(_: object) -> None:
        if (connection := g.pop("database", None)) is not None:
            connection.close()

    def client() -> str:
        return request.headers.get("X-Real-IP", "")[:45]

    def csrf() -> str:
        return hmac.new(g.cookie.encode(), b"form", "sha256").hexdigest()

    def page(name: str, status: int = 200, **values: Any) -> Response:
        user = g.user if g.stage == "open" else None
        text = render_template(f"{name}.html", csrf=csrf(), user=user, **values)
        return Response(text, status, mimetype="text/html")

    def refused(name: str, notice: tuple[str, str], status: int = 403, **values: Any) -> Response:
        """The form again, after a judgement: no sooner than any other refusal."""
        time.sleep(max(0.0, g.began + slow - time.monotonic()))
        return page(name, status, notice=notice, **values)

    def begin(address: str, stage: str) -> None:
        """A session under a new name: what somebody put into a browser before is worth nothing, nor what it had."""
        end()
        opened().execute(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?)", (_digest(g.cookie), address, stage, now(), now())
        )

    def end() -> None:
        opened().execute("DELETE FROM session WHERE token = ?", (_digest(g.cookie),))
        g.cookie = secrets.token_urlsafe(32)

    def act(what: str, row: sqlite3.Row, actor: str = "") -> None:
        store.note_act(opened(), actor or row["address"], row["address"], what, client(), now())

    def passing(what: str, address: str, actor: str = NOBODY) -> None:
        """Write down a refusal or a sign-out. A disk that is full changes nothing of what is said and done."""
        with contextlib.suppress(sqlite3.Error):
            store.note_passing(opened(), actor, address, what, client(), now())

    def signed_in(row: sqlite3.Row) -> Response:
        database = opened()
        with transaction(database):
            database.execute("UPDATE account SET seen = max(seen, ?) WHERE address = ?", (now(), row["address"]))
            database.execute("INSERT OR IGNORE INTO sign_in VALUES (?, ?, 'web', ?)", (row["address"], now(), client()))
            store.forget_sign_ins(database, row["address"])
            begin(row["address"], "open")
        return go("./")

    def go(to: str) -> Response:
        """On to another page; relative, since only the gateway knows the path before it."""
        return Response("", 303, {"Location": to})

    def stage(*wanted: str) -> sqlite3.Row:
        """The account of whoever asks; 303 to the sign-in where there is none at one of these stages."""
        if g.user is None or g.stage not in wanted:
            abort(go("dang-nhap"))
        row: sqlite3.Row = g.user
        return row

    def number() -> str:
        return "".join(request.form.get("so", "")[:20].split())

    @app.before_request
    def who() -> Response | None:
        g.began, g.user, g.stage = time.monotonic(), None, ""
        g.cookie = request.cookies.get(COOKIE, "")
        if not 20 <= len(g.cookie) <= 100 or not g.cookie.isascii():
            g.cookie = secrets.token_urlsafe(32)
            known = False
        else:
            known = True
            session = opened().execute("SELECT * FROM session WHERE token = ?", (_digest(g.cookie),)).fetchone()
            if session is not None:
                idle, longest = (IDLE_SECONDS, LONGEST_SECONDS) if session["stage"] == "open" else (STEP_SECONDS,) * 2
                try:
                    row = store.person(opened(), session["address"])
                except Refused:
                    row = None
                fresh = session["used"] + idle > now() and session["began"] + longest > now()
                if row is None or not fresh or (session["stage"] != "code" and row["state"] != "active"):
                    opened().execute("DELETE FROM session WHERE token = ?", (_digest(g.cookie),))
                else:
                    g.user, g.stage = row, session["stage"]
                    if session["used"] + 60 <= now():
                        opened().execute("UPDATE session SET used = ? WHERE token = ?", (now(), _digest(g.cookie)))
        if request.method != "POST" or request.path == "/tim":
            return None
        # Fetch metadata says what a page of another site can't forge; the token is for browsers that send none.
        foreign = request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
        token = request.form.get("phieu", "").encode("utf-8", "replace")
        if foreign or not known or not hmac.compare_digest(token, csrf().encode()):
            return page("message", 400, notice=STALE)
        return None

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        if "cookie" in g and request.cookies.get(COOKIE) != g.cookie:
            response.set_cookie(COOKIE, g.cookie, path=f"/{host}/", secure=True, httponly=True, samesite="Strict")
        return response

    @app.post("/tim")
    def find() -> Response:
        """To the host of an address. Where there is none, to one of its domain's: always the same, and as often."""
        address = words(request.form.get("dia-chi"), 254).lower()
        names: dict[str, str] = json.loads((here / "hosts.json").read_text("utf-8"))
        database = opened()
        # All is asked in any case, so that it takes as long.
        where = f"WHERE {store.DOMAIN} = ?"
        many = {
            names[row["host"]]: int(row["many"])
            for row in database.execute(
                f"SELECT host, count(*) AS many FROM route {where} GROUP BY host", (address.partition("@")[2],)
            )
            if row["host"] in names
        }
        own = database.execute(f"SELECT count(*) FROM account {where}", (address.partition("@")[2],)).fetchone()[0]
        route = database.execute("SELECT host FROM route WHERE address = ?", (address,)).fetchone()
        mine = database.execute("SELECT 1 FROM account WHERE address = ?", (address,)).fetchone()
        there = _likely(many | ({host: own} if own else {}) or dict.fromkeys(names.values(), 1), f"{issuer} {address}")
        if route is not None and route["host"] in names:
            there = names[route["host"]]
        elif mine is not None:
            there = host
        to = "kich-hoat" if request.form.get("viec") == "kich-hoat" else "dang-nhap"
        return go(f"/{there}/{to}?dia-chi={quote(address)}")

    @app.route("/dang-nhap", methods=["GET", "POST"])
    def sign_in() -> Response:
        if request.method == "GET":
            return page("sign_in", address=words(request.args.get("dia-chi"), 254))
        address = words(request.form.get("dia-chi"), 254).lower()
        if not limits.left(network(client()), address):
            return page("sign_in", 429, notice=TOO_MANY, address=address)
        row = passwords.verify(opened(), address, request.form.get("mat-khau", ""))
        if row is None:
            limits.spend(network(client()), address)
            passing("refused-password", address)
            return refused("sign_in", WRONG, address=address)
        if row["totp"]:
            begin(row["address"], "second")
            return go("buoc-hai")
        return signed_in(row)

    @app.route("/buoc-hai", methods=["GET", "POST"])
    def second() -> Response:
        row = stage("second")
        if request.method == "GET":
            return page("second")
        key = f"2 {row['address']}"
        if not limits.left(network(client()), key):
            return page("second", 429, notice=TOO_MANY)
        if not passwords.use_totp(opened(), row, number(), now()):
            limits.spend(network(client()), key)
            passing("refused-number", row["address"])
            return refused("second", WRONG_NUMBER)
        return signed_in(row)

    @app.route("/kich-hoat", methods=["GET", "POST"])
    def activate() -> Response:
        if request.method == "GET":
            return page("activate", address=words(request.args.get("dia-chi"), 254))
        address = words(request.form.get("dia-chi"), 254).lower()
        if not limits.left(network(client()), address):
            return page("activate", 429, notice=TOO_MANY, address=address)
        try:
            row = passwords.try_code(opened(), address, request.form.get("ma", "")[:100], now())
        except Refused:
            limits.spend(network(client()), address)
            passing("refused-code", address)
            return refused("activate", WRONG_CODE, address=address)
        begin(row["address"], "code")
        return go("chon-mat-khau")

    @app.route("/chon-mat-khau", methods=["GET", "POST"])
    def choose() -> Response:
        row = stage("code")
        if request.method == "GET":
            return page("choose", row=row)
        try:
            hashed = passwords.hashed(row, _new_password())
            with transaction(opened()):
                passwords.use_code(opened(), row, hashed, now())
                act("activate", row)
        except Refused as reason:
            return page("choose", 400, row=row, notice=_both(reason))
        _end_of_sessions(database)
        return signed_in(row)

    @app.get("/")
    def home() -> Response:
        row = stage("open")
        last = "SELECT * FROM {} WHERE address = ? {} ORDER BY at DESC LIMIT 20"
        listed = f"IN {store.PASSING}"
        signs, acts, less = (
            opened().execute(last.format(table, only), (row["address"],)).fetchall()
            for table, only in (("sign_in", ""), ("act", f"AND what NOT {listed}"), ("act", f"AND what {listed}"))
        )
        # However often somebody was refused, what was done stays in sight.
        done = sorted((*acts, *less), key=lambda act: act["at"], reverse=True)
        return page("home", row=row, signs=signs, done=done, held=row["holds"].replace(",", ", "))

    @app.route("/mat-khau", methods=["GET", "POST"])
    def password() -> Response:
        row = stage("open")
        if request.method == "GET":
            return page("password", row=row)
        if (again := _confirmed(row)) is not None:
            return refused("password", again, row=row)
        try:
            hashed = passwords.hashed(row, _new_password())
            with transaction(opened()):
                passwords.change_password(opened(), row, hashed, now())
                act("password", row)
        except Refused as reason:
            return page("password", 400, row=row, notice=_both(reason))
        _end_of_sessions(database)
        begin(row["address"], "open")
        return page("message", done=CHANGED)

    @app.route("/mat-khau-ung-dung", methods=["GET", "POST"])
    def app_passwords() -> Response:
        row = stage("open")
        shown, notice = "", None
        if request.method == "POST":
            if request.form.get("xoa"):
                with transaction(opened()):
                    ended = passwords.end_app_password(opened(), row["address"], request.form["xoa"][:20])
                    if ended:
                        act("app-password-end", row)
                if ended:
                    _end_of_sessions(database)
            else:
                label = " ".join(words(request.form.get("ten"), MOST_LABEL).split()) or "?"
                try:
                    with transaction(opened()):
                        shown = passwords.new_app_password(opened(), row["address"], label, now())
                        act("app-password", row)
                except Refused as reason:
                    notice = _both(reason)
        query = "SELECT * FROM app_password WHERE address = ? ORDER BY made"
        have = opened().execute(query, (row["address"],)).fetchall()
        return page("app_passwords", 400 if notice else 200, row=row, have=have, shown=shown, notice=notice)

    @app.route("/xac-thuc-hai-buoc", methods=["GET", "POST"])
    def two_step() -> Response:
        row = stage("open")
        if row["totp"]:
            if request.method == "POST":
                if (again := _confirmed(row)) is not None:
                    return refused("two_step", again, row=row)
                with transaction(opened()):
                    passwords.set_totp(opened(), row["address"], "", 0)
                    act("second-step-end", row)
                return go("xac-thuc-hai-buoc")
            return page("two_step", row=row)
        # The key goes with the form and comes back with it, signed: nothing is kept before it is proven.
        key = passwords.new_totp_key()
        if request.method == "POST":
            key, _, seal = request.form.get("khoa", "")[:200].partition(".")
            if not hmac.compare_digest(seal.encode("utf-8", "replace"), _seal(key, row).encode()):
                return page("message", 400, notice=STALE)
            counter = passwords.totp_counter(key, number(), now())
            if counter is not None:
                with transaction(opened()):
                    passwords.set_totp(opened(), row["address"], key, counter)
                    act("second-step", row)
                return go("xac-thuc-hai-buoc")
        uri = passwords.totp_uri(key, row["address"], issuer)
        values = {"row": row, "key": key, "sealed": f"{key}.{_seal(key, row)}", "qr": qr_path(uri)}
        if request.method == "POST":
            return refused("two_step", WRONG_NUMBER, **values)
        return page("two_step", **values)

    @app.route("/don-vi", methods=["GET", "POST"])
    def unit() -> Response:
        row = stage("open")
        if not row["officer"]:
            abort(404)
        given: dict[str, str] = {}
        if request.method == "POST":
            address = request.form.get("dia-chi", "")[:254]
            theirs = (
                opened()
                .execute(
                    "SELECT * FROM account WHERE address = ? AND unit = ? AND person IS NOT NULL"
                    " AND state IN ('waiting', 'active')",
                    (address, row["unit"]),
                )
                .fetchone()
            )
            if theirs is None:
                abort(404)
            with transaction(opened()):
                code = passwords.new_code(opened(), theirs["address"], now())
                act("code", theirs, actor=row["address"])
            until = now() + theirs["code_days"] * 86400
            given = {"address": theirs["address"], "name": theirs["name"], "code": code, "until": str(until)}
        query = (
            "SELECT *, CASE WHEN state = 'waiting' AND suspended > 0 THEN 'suspended' ELSE state END AS shown"
            " FROM account WHERE unit = ? AND person IS NOT NULL AND state IN ('waiting', 'active')"
            " ORDER BY name, address"
        )
        people = opened().execute(query, (row["unit"],)).fetchall()
        return page("unit", row=row, people=people, given=given, now=now())

    @app.post("/dang-xuat")
    def sign_out() -> Response:
        if g.stage == "open":
            passing("sign-out", g.user["address"], g.user["address"])
        end()
        return go("dang-nhap")

    def _confirmed(row: sqlite3.Row) -> tuple[str, str] | None:
        """What is wrong with the password that confirms a change, if anything."""
        key = f"c {row['address']}"
        if not limits.left(network(client()), key):
            return TOO_MANY
        if passwords.verify(opened(), row["address"], request.form.get("mat-khau-cu", "")) is None:
            limits.spend(network(client()), key)
            passing("refused-password", row["address"])
            return NOT_YOURS
        return None

    def _seal(key: str, row: sqlite3.Row) -> str:
        return hmac.new(g.cookie.encode(), f"{key} {row['address']}".encode(), "sha256").hexdigest()

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(error: Any) -> Response:
        return page("message", error.code, notice=("Không có trang này.", "There is no such page."))

    @app.errorhandler(413)
    def too_much(_: Exception) -> Response:
        return page("message", 413, notice=("Nội dung quá dài.", "That is too long."))

    @app.errorhandler(500)
    def fault(_: Exception) -> Response:
        g.user, g.stage = None, ""
        said = ("Trang có lỗi. Xin thử lại sau.", "The page is at fault. Please try again later.")
        return page("message", 500, notice=said)

    @app.errorhandler(sqlite3.Error)
    @app.errorhandler(OSError)
    def broken(error: Exception) -> Response:
        app.logger.error("%s: %s", request.endpoint, type(error).__name__)  # a path may hold lines of its own
        g.user, g.stage = None, ""
        busy = ("Máy chủ tạm thời không ghi được. Xin thử lại.", "The server can't write just now. Please try again.")
        return page("message", 503, notice=busy)

    return app


def moment(at: int | str) -> str:
    """A time as people of Viet Nam read it."""
    return time.strftime("%H:%M %d/%m/%Y", time.gmtime(int(at) + 7 * 3600))


def qr_path(text: str) -> dict[str, Any]:
    """A QR code as a path of SVG, and how many modules it is wide."""
    code = qrcode.QRCode(border=4, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(text)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"path": path, "size": len(rows)}


def _likely(many: dict[str, int], seed: str) -> str:
    """One of ``many``, as often as it counts, and for a seed always the same."""
    names = sorted(many)
    ends = list(accumulate(many[name] for name in names))
    return names[bisect_right(ends, int.from_bytes(hashlib.sha256(seed.encode()).digest()) % ends[-1])]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new_password() -> str:
    """What was typed twice. Raises Refused."""
    password = request.form.get("mat-khau", "")
    if password != request.form.get("mat-khau-lai", ""):
        raise Refused("hai lần nhập không giống nhau / the two do not match")
    return password


def _both(reason: Refused) -> tuple[str, str]:
    vi, _, en = str(reason).partition(" / ")
    return vi[:1].upper() + vi[1:] + ".", en[:1].upper() + en[1:] + "."


def _end_of_sessions(database: str) -> None:
    """Let root know that somebody is to be signed out of mail programs."""
    (Path(database).parent / "end").touch()
