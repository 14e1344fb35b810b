"""The account pages on a database of their own, with a clock that a test moves, as browsers ask them."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import edumail_selfservice as web
import edumail_store as store
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP
from werkzeug.test import TestResponse

APP = Path(web.__file__).parent
NAMES = {"mail-so.x.test": "mail-so", "mail-xa.x.test": "mail-xa", "mail-thpt.x.test": "mail-thpt"}
AN, BINH, OFFICER, OTHER, BOX = "annv@x.test", "binhtt@x.test", "vanthu@x.test", "chilt@x.test", "lienhe@x.test"
PEOPLE = {AN: "th", BINH: "th", OFFICER: "th", OTHER: "khac"}
GOOD, BETTER = "Hoa sua nam 1 !", "Gio mua thu 22 ?"
HOME = "198.18.9.1"


class Pages:
    """The program of one host; ``client`` is somebody's browser."""

    def __init__(self, folder: Path, refusal: float = 0):
        self.now = 1_800_000_000
        self.path = folder / "accounts" / "accounts.db"
        self.path.parent.mkdir()
        (folder / "app").mkdir()
        (folder / "app" / "pages").symlink_to(APP / "pages")
        (folder / "app" / "hosts.json").write_text(json.dumps(NAMES), "utf-8")
        with self.database() as database:
            for address, unit in PEOPLE.items():
                put(database, address, unit, person=address, officer=address == OFFICER)
            put(database, BOX, "th", None)
            for address in ("xa@xa.test", "yen@xa.test"):
                database.execute("INSERT INTO route VALUES (?, 'mail-xa.x.test', '198.18.0.2')", (address,))
        self.app = self.make(folder, refusal)
        self.client = self.browser()

    def make(self, folder: Path, refusal: float) -> Flask:
        """The program anew: what it remembers in memory is forgotten."""
        program = web.create_app(
            str(self.path), "mail-so", "taikhoan.x.test", "mail.x.test", lambda: self.now, refusal, folder / "app"
        )
        program.testing = True  # what goes wrong unforeseen is an exception of the test
        return program

    def browser(self) -> FlaskClient:
        """Another browser."""
        return self.app.test_client()

    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """What the host keeps."""
        with contextlib.closing(store.connect(str(self.path))) as database:
            yield database

    def account(self, address: str) -> dict[str, object]:
        """All that is kept of an account."""
        with self.database() as database:
            return dict(database.execute("SELECT * FROM account WHERE address = ?", (address,)).fetchone())

    def acts(self) -> list[tuple[str, str, str, str]]:
        """Who, whose, what, from where; the oldest first."""
        with self.database() as database:
            return [
                tuple(row) for row in database.execute("SELECT actor, address, what, client FROM act ORDER BY rowid")
            ]

    def code(self, address: str) -> str:
        """As the administrator of the host makes one."""
        from edumail_passwords import new_code

        with self.database() as database:
            return new_code(database, address, self.now)

    def get(self, page: str, client: FlaskClient | None = None, **headers: str) -> TestResponse:
        """A page of this host, as nginx passes a question on."""
        return (client or self.client).get(f"/{page}", base_url="https://x.test/mail-so/", headers=headers)

    def post(
        self,
        page: str,
        data: Mapping[str, str] | None = None,
        client: FlaskClient | None = None,
        address: str = HOME,
        form: str = "",
        **headers: str,
    ) -> TestResponse:
        """Open the page's form, fill it in and send it from a client's address."""
        client = client or self.client
        given = {"phieu": token(self.get(form or page, client)), **(data or {})}
        headers = {"X-Real-IP": address, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return client.post(f"/{page}", data=given, base_url="https://x.test/mail-so/", headers=headers)

    def sign_in(
        self, address: str, password: str = GOOD, client: FlaskClient | None = None, source: str = HOME
    ) -> TestResponse:
        """Fill in the form of the sign-in."""
        return self.post("dang-nhap", {"dia-chi": address, "mat-khau": password}, client, source)

    def show_code(self, address: str, code: str, client: FlaskClient | None = None, source: str = HOME) -> TestResponse:
        """The first step of somebody's first use."""
        return self.post("kich-hoat", {"dia-chi": address, "ma": code}, client, source)

    def choose(self, password: str = GOOD, again: str | None = None, client: FlaskClient | None = None) -> TestResponse:
        """The second step."""
        given = {"mat-khau": password, "mat-khau-lai": password if again is None else again}
        # Any page's form will do; this one is there also when the time for the second step is over.
        return self.post("chon-mat-khau", given, client, form="kich-hoat")

    def activate(self, address: str, password: str = GOOD, client: FlaskClient | None = None) -> FlaskClient:
        """Somebody's browser after their first use."""
        client = client or self.browser()
        assert self.show_code(address, self.code(address), client).location == "chon-mat-khau"
        assert self.choose(password, client=client).location == "./"
        return client

    def open(self, client: FlaskClient) -> bool:
        """Whether somebody is signed in."""
        return self.get("", client).status_code == 200

    def turn_on(self, client: FlaskClient) -> TOTP:
        """Turn the second step on; the authenticator."""
        page = self.get("xac-thuc-hai-buoc", client).get_data(as_text=True)
        sealed = field(page, "khoa")
        totp = TOTP(sealed.partition(".")[0])
        answer = self.post("xac-thuc-hai-buoc", {"khoa": sealed, "so": number(totp, self.now)}, client)
        assert answer.location == "xac-thuc-hai-buoc", answer.get_data(as_text=True)
        return totp


def put(database: sqlite3.Connection, address: str, unit: str, person: str | None, officer: bool = False) -> None:
    """An account as a deploy leaves it, before its first use."""
    database.execute(
        "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, password_characters,"
        " password_classes, officer, state, changed) VALUES (?, ?, ?, ?, ?, 1, 14, 12, 3, ?, ?, 0)",
        (address, unit, person, f"Người <{address}>", address, int(officer), "waiting" if person else "shared"),
    )


def token(response: TestResponse) -> str:
    """That of the form that was shown; none where no form was."""
    found = re.search(r'name="phieu" value="([^"]+)"', response.get_data(as_text=True))
    return found[1] if found else ""


def field(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def number(totp: TOTP, now: int) -> str:
    """What the authenticator shows."""
    return str(totp.generate(time=now).token)


def shown_code(response: TestResponse) -> str:
    """What a page shows this once."""
    found = re.search(r'<p class="code">([^<]+)</p>', response.get_data(as_text=True))
    assert found, response.get_data(as_text=True)
    return found[1]
