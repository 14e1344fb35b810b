"""The account pages as their program does it: who gets in, who does not, what is said and what is kept of it."""

from __future__ import annotations

import logging
import re
import statistics
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import edumail_accounts as command
import edumail_passwords as passwords
import edumail_selfservice as web
import pytest
from edumail_store import Refused
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from passlib.hash import bcrypt, ldap_salted_sha512, sha256_crypt, sha512_crypt

from tests.core.selfservice import (
    AN,
    BETTER,
    BINH,
    BOX,
    GOOD,
    HOME,
    OFFICER,
    OTHER,
    Pages,
    field,
    number,
    put,
    shown_code,
)

WEAK = "ngan"
DAY = 86400
OPEN = ("", "mat-khau", "mat-khau-ung-dung", "xac-thuc-hai-buoc", "don-vi")
STEPS = ("chon-mat-khau", "buoc-hai")
FREE = ("dang-nhap", "kich-hoat")


@pytest.fixture
def site(tmp_path: Path) -> Pages:
    """A host with people of two units, none of whom has begun; refusals take no time."""
    return Pages(tmp_path)


# First use


def test_a_code_opens_an_account_in_two_steps(site: Pages) -> None:
    code = site.code(AN)
    assert site.show_code(AN, code).location == "chon-mat-khau"
    page = site.get("chon-mat-khau").get_data(as_text=True)
    assert "ít nhất 12 ký tự" in page
    assert "3 trong 4 loại" in page
    assert site.account(AN)["state"] == "waiting"
    assert site.choose().location == "./"
    assert site.account(AN)["state"] == "active"
    assert "Người &lt;annv@x.test&gt;" in site.get("").get_data(as_text=True)
    assert site.sign_in(AN, client=site.browser()).location == "./"


@pytest.mark.parametrize("typed", [str.upper, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_a_code_is_taken_as_people_type_it(site: Pages, typed: object) -> None:
    assert site.show_code(AN, typed(site.code(AN))).location == "chon-mat-khau"  # type: ignore[operator]


def test_a_weak_password_does_not_use_up_the_code(site: Pages) -> None:
    site.show_code(AN, site.code(AN))
    for password in (WEAK, "a" * 13, "A1! " + AN.partition("@")[0] + " xyz", "A1!" + "a" * 254):
        answer = site.choose(password)
        assert (answer.status_code, password in answer.get_data(as_text=True)) == (400, False)
    assert "không giống nhau" in site.choose(GOOD, BETTER).get_data(as_text=True)
    assert site.account(AN)["state"] == "waiting"
    assert site.choose().location == "./"


def test_a_code_works_once(site: Pages) -> None:
    code = site.code(AN)
    one, two = site.browser(), site.browser()
    for client in (one, two):
        assert site.show_code(AN, code, client).location == "chon-mat-khau"
    assert site.choose(client=one).location == "./"
    assert site.choose(BETTER, client=two).location == "dang-nhap"
    assert site.show_code(AN, code, site.browser()).status_code == 403
    assert site.sign_in(AN, BETTER, site.browser()).status_code == 403


def test_a_code_expires(site: Pages) -> None:
    code = site.code(AN)
    site.now += 14 * DAY
    assert site.show_code(AN, code, site.browser()).status_code == 303
    site.now += 1
    assert site.show_code(AN, code, site.browser()).status_code == 403


def test_wrong_codes_are_counted_and_a_restart_forgives_none(site: Pages, tmp_path: Path) -> None:
    code = site.code(AN)
    for number_ in range(10):
        assert site.show_code(AN, "aaaa-bbbb-cccc").status_code == 403
        if number_ == 5:
            site.app = site.make(tmp_path, 0)
            site.client = site.browser()
    assert site.show_code(AN, code, source="198.51.100.1").status_code == 403
    assert site.show_code(AN, site.code(AN), source="198.51.100.1").location == "chon-mat-khau"


def test_a_new_code_ends_what_began_with_the_old_one(site: Pages) -> None:
    site.show_code(AN, site.code(AN))
    new = site.code(AN)
    assert site.choose().location == "dang-nhap"
    assert site.account(AN)["state"] == "waiting"
    assert site.show_code(AN, new).location == "chon-mat-khau"


def test_the_second_step_waits_a_quarter_of_an_hour(site: Pages) -> None:
    site.show_code(AN, site.code(AN))
    site.now += 900
    assert site.choose().location == "dang-nhap"


def test_a_code_ends_all_that_somebody_else_may_have(site: Pages) -> None:
    """Passwords of programs, the second step, sessions of the pages and of mail programs."""
    before = site.activate(AN)
    site.post("mat-khau-ung-dung", {"ten": "máy"}, before)
    site.turn_on(before)
    with site.database() as database:
        database.execute("DELETE FROM to_end")
    site.activate(AN, BETTER)
    assert not site.open(before)
    assert site.account(AN)["totp"] == ""
    with site.database() as database:
        assert database.execute("SELECT count(*) FROM app_password").fetchone()[0] == 0
        assert [row[0] for row in database.execute("SELECT address FROM to_end")] == [AN]
    assert (site.path.parent / "end").exists()


def test_nobody_but_people_who_are_here_has_a_code(site: Pages) -> None:
    code = site.code(AN)
    with site.database() as database:
        database.execute("UPDATE account SET state = 'left'")
        assert site.show_code(AN, code).status_code == 403
        for address in (BOX, AN, "ai@x.test"):
            with pytest.raises(Refused):
                passwords.new_code(database, address, site.now)


# Sessions


def test_the_cookie_is_hardened(site: Pages) -> None:
    answer = site.get("dang-nhap")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert re.fullmatch(r"__Secure-edumail=[\w-]{43}; Secure; HttpOnly; Path=/mail-so/; SameSite=Strict", cookie), (
        cookie
    )
    assert answer.headers["Cache-Control"] == "no-store"


def cookie(client: FlaskClient) -> str:
    """What the browser sends."""
    found = client.get_cookie("__Secure-edumail", "x.test", "/mail-so/")
    assert found
    return found.value


def with_cookie(site: Pages, value: str) -> FlaskClient:
    """A browser into which somebody has put a cookie."""
    client = site.browser()
    client.set_cookie("__Secure-edumail", value, domain="x.test", path="/mail-so/", secure=True)
    return client


def test_a_sign_in_changes_the_session_and_ends_the_one_before(site: Pages) -> None:
    client = site.activate(AN)
    first = cookie(client)
    site.sign_in(AN, client=client)
    second = cookie(client)
    assert first != second
    assert site.open(with_cookie(site, second))
    assert not site.open(with_cookie(site, first))
    planted = with_cookie(site, "a" * 43)
    site.sign_in(AN, client=planted)
    assert cookie(planted) != "a" * 43


def test_a_stolen_database_opens_no_session(site: Pages) -> None:
    client = site.activate(AN)
    raw = site.path.read_bytes()
    assert cookie(client).encode() not in raw
    assert GOOD.encode() not in raw


def test_a_session_ends_when_nothing_was_asked_and_in_any_case(site: Pages) -> None:
    client = site.activate(AN)
    for _ in range(10):
        site.now += 1700
        assert site.open(client)
    site.now += 1800
    assert not site.open(client)
    site.sign_in(AN, client=client)
    for _ in range(12 * 3600 // 1700):
        site.now += 1700
        assert site.open(client)
    site.now += 1700
    assert not site.open(client)


def test_a_new_password_ends_all_other_sessions(site: Pages) -> None:
    one, two = site.activate(AN), site.browser()
    site.sign_in(AN, client=two)
    before = cookie(one)
    answer = site.post("mat-khau", {"mat-khau-cu": GOOD, "mat-khau": BETTER, "mat-khau-lai": BETTER}, one)
    assert answer.status_code == 200
    assert (site.open(one), site.open(two)) == (True, False)
    assert cookie(one) != before
    assert site.sign_in(AN, GOOD, site.browser()).status_code == 403
    assert site.sign_in(AN, BETTER, site.browser()).location == "./"
    with site.database() as database:
        assert database.execute("SELECT count(*) FROM to_end").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("old", "new", "again", "status"),
    [(BETTER, BETTER, BETTER, 403), ("", BETTER, BETTER, 403), (GOOD, WEAK, WEAK, 400), (GOOD, BETTER, GOOD, 400)],
)
def test_a_password_is_changed_only_by_who_knows_it(site: Pages, old: str, new: str, again: str, status: int) -> None:
    client = site.activate(AN)
    hashed = site.account(AN)["hash"]
    answer = site.post("mat-khau", {"mat-khau-cu": old, "mat-khau": new, "mat-khau-lai": again}, client)
    assert (answer.status_code, site.account(AN)["hash"]) == (status, hashed)


def test_a_letter_and_its_mark_may_be_typed_as_one_or_as_two(site: Pages) -> None:
    typed = "Đường mùa thu 1"
    one, two = unicodedata.normalize("NFC", typed), unicodedata.normalize("NFD", typed)
    assert one != two
    for chosen in (one, two):
        site.activate(AN, chosen)
        assert [site.sign_in(AN, password, site.browser()).location for password in (one, two)] == ["./", "./"]


@pytest.mark.parametrize("state", ["left", "closed"])
def test_who_leaves_is_out(site: Pages, state: str) -> None:
    client = site.activate(AN)
    with site.database() as database:
        database.execute("UPDATE account SET state = ? WHERE address = ?", (state, AN))
    assert not site.open(client)
    assert site.sign_in(AN).status_code == 403


def test_who_is_suspended_is_out_until_a_new_code(site: Pages) -> None:
    client = site.activate(AN)
    site.post("mat-khau-ung-dung", {"ten": "máy"}, client)
    officer = site.activate(OFFICER)
    with site.database() as database:
        command.suspend(database, AN, site.now)
        assert database.execute("SELECT count(*) FROM app_password").fetchone()[0] == 0
    assert not site.open(client)
    assert site.sign_in(AN).status_code == 403
    assert ">tạm khóa<" in site.get("don-vi", officer).get_data(as_text=True)
    assert site.open(site.activate(AN, BETTER))
    assert ">tạm khóa<" not in site.get("don-vi", officer).get_data(as_text=True)


def test_to_sign_out_ends_the_session(site: Pages) -> None:
    client = site.activate(AN)
    before = cookie(client)
    assert site.post("dang-xuat", client=client, form="").location == "dang-nhap"
    assert not site.open(client)
    assert not site.open(with_cookie(site, before))


def test_pages_are_for_who_is_at_their_stage(site: Pages) -> None:
    """Who has shown a code, or only the first of two steps, is nowhere else."""
    nobody, coder, half, whole = site.browser(), site.browser(), site.browser(), site.activate(BINH)
    site.show_code(AN, site.code(AN), coder)
    site.turn_on(site.activate(OFFICER))
    assert site.sign_in(OFFICER, client=half).location == "buoc-hai"
    for client, allowed in ((nobody, ()), (coder, ("chon-mat-khau",)), (half, ("buoc-hai",)), (whole, OPEN[:-1])):
        for page in (*OPEN, *STEPS):
            answer = site.get(page, client)
            wanted = 200 if page in allowed else 404 if page == "don-vi" and client is whole else 303
            assert answer.status_code == wanted, page
            assert answer.location == ("dang-nhap" if wanted == 303 else None)
    # No menu before the second step: it would say who is an officer.
    assert "<nav" not in site.get("dang-nhap", half).get_data(as_text=True)
    assert "<nav" not in site.get("khong-co", half).get_data(as_text=True)
    assert "<nav" in site.get("", whole).get_data(as_text=True)


# Forms of other sites


@pytest.mark.parametrize("page", [*OPEN[1:], *FREE, "dang-xuat"])
def test_a_form_of_another_site_does_nothing(site: Pages, page: str) -> None:
    client = site.activate(OFFICER)
    before, kept = site.acts(), site.account(OFFICER)
    data = {"mat-khau-cu": GOOD, "mat-khau": BETTER, "mat-khau-lai": BETTER, "ten": "máy", "dia-chi": AN, "ma": "a"}
    foreign = field(site.get("dang-nhap", site.browser()).get_data(as_text=True), "phieu")
    for given_, headers in (
        ({}, {}),
        ({"phieu": ""}, {}),
        ({"phieu": foreign}, {}),
        ({"phieu": "ő" * 64}, {}),
    ):
        answer = client.post(f"/{page}", data={**data, **given_}, base_url="https://x.test/mail-so/", headers=headers)
        assert answer.status_code == 400
    for where in ("cross-site", "same-site", "none"):
        assert site.post(page, data, client, form="mat-khau", Sec_Fetch_Site=where).status_code == 400
    assert site.open(client)
    assert (site.acts(), site.account(OFFICER)) == (before, kept)
    # The same with what a form of ours has is done.
    if page == "xac-thuc-hai-buoc":
        data["khoa"] = field(site.get(page, client).get_data(as_text=True), "khoa")
    assert site.post(page, data, client, form="mat-khau", Sec_Fetch_Site="same-origin").status_code != 400


def test_a_form_counts_for_the_browser_that_it_was_shown_to(site: Pages) -> None:
    phieu = field(site.get("dang-nhap").get_data(as_text=True), "phieu")
    site.activate(AN)
    data = {"phieu": phieu, "dia-chi": AN, "mat-khau": GOOD}
    assert site.browser().post("/dang-nhap", data=data, base_url="https://x.test/mail-so/").status_code == 400
    stays = site.client.post("/dang-nhap", data=data, base_url="https://x.test/mail-so/")
    assert stays.location == "./"
    again = site.client.post("/dang-nhap", data=data, base_url="https://x.test/mail-so/")
    assert again.status_code == 400  # the session is another one


# The unit's officer


def test_the_officer_gives_codes_to_the_own_unit_alone(site: Pages) -> None:
    officer = site.activate(OFFICER)
    page = site.get("don-vi", officer).get_data(as_text=True)
    assert AN in page
    assert OTHER not in page
    assert BOX not in page
    given_ = shown_code(site.post("don-vi", {"dia-chi": AN}, officer))
    assert given_ not in site.get("don-vi", officer).get_data(as_text=True)
    assert site.acts()[-1] == (OFFICER, AN, "code", HOME)
    for address in (OTHER, BOX, "ai@x.test", "", AN.upper(), f"{AN} "):
        before = [site.account(one)["code"] for one in (AN, OTHER)]
        assert site.post("don-vi", {"dia-chi": address}, officer).status_code == 404
        assert [site.account(one)["code"] for one in (AN, OTHER)] == before
    assert site.acts()[-1][1] == AN
    assert site.show_code(AN, given_).location == "chon-mat-khau"
    for query in (f"don-vi?dia-chi={AN}", f"don-vi?dia-chi={BINH}"):
        site.get(query, officer)
    assert site.account(BINH)["code"] is None


def test_an_officer_sees_neither_passwords_nor_pages_of_others(site: Pages) -> None:
    site.activate(AN)
    kept = site.account(AN)["hash"]
    officer = site.activate(OFFICER)
    site.post("don-vi", {"dia-chi": AN}, officer)
    assert site.account(AN)["hash"] == kept
    assert site.sign_in(AN, client=site.browser()).location == "./"  # a code that nobody has used takes nothing away


def test_who_is_no_officer_finds_no_such_page(site: Pages) -> None:
    client = site.activate(AN)
    missing = site.get("khong-co", client)
    answer = site.get("don-vi", client)
    assert (answer.status_code, answer.data) == (404, missing.data)
    assert site.post("don-vi", {"dia-chi": BINH}, client, form="mat-khau").status_code == 404
    assert site.account(BINH)["code"] is None
    officer = site.activate(OFFICER)
    with site.database() as database:
        database.execute("UPDATE account SET officer = 0")
    assert site.post("don-vi", {"dia-chi": BINH}, officer, form="mat-khau").status_code == 404


# Passwords of programs


def test_an_app_password_is_shown_once_and_kept_as_a_digest(site: Pages) -> None:
    client = site.activate(AN)
    made = shown_code(site.post("mat-khau-ung-dung", {"ten": " Điện\r\nthoại <b> "}, client))
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", made)
    page = site.get("mat-khau-ung-dung", client).get_data(as_text=True)
    assert made not in page
    assert "Điện thoại &lt;b&gt;" in page
    assert made.encode() not in site.path.read_bytes()
    assert site.sign_in(AN, made, site.browser()).status_code == 403  # not for these pages
    tag = made.partition("-")[0]
    other = site.activate(BINH)
    site.post("mat-khau-ung-dung", {"xoa": tag}, other)
    assert tag in site.get("mat-khau-ung-dung", client).get_data(as_text=True)
    with site.database() as database:
        database.execute("DELETE FROM to_end")
    site.post("mat-khau-ung-dung", {"xoa": tag}, client)
    assert tag not in site.get("mat-khau-ung-dung", client).get_data(as_text=True)
    with site.database() as database:
        assert [row[0] for row in database.execute("SELECT address FROM to_end")] == [AN]
    assert [what for _, _, what, _ in site.acts()].count("app-password-end") == 1


def test_there_are_twenty_app_passwords_at_most(site: Pages) -> None:
    client = site.activate(AN)
    for _ in range(20):
        assert site.post("mat-khau-ung-dung", {"ten": "x"}, client).status_code == 200
    answer = site.post("mat-khau-ung-dung", {"ten": "x"}, client)
    assert answer.status_code == 400
    assert "Đã có 20" in answer.get_data(as_text=True)
    with site.database() as database:
        assert database.execute("SELECT count(*) FROM app_password").fetchone()[0] == 20


# The second step


def test_the_second_step_takes_each_number_once(site: Pages) -> None:
    totp = site.turn_on(site.activate(AN))
    client = site.browser()
    assert site.sign_in(AN, client=client).location == "buoc-hai"
    first = number(totp, site.now)
    assert site.post("buoc-hai", {"so": first}, client).status_code == 403  # it has proven the key
    site.now += 30
    for wrong in ("", "abcdef", "١٢٣٤٥٦", "9" * 400, number(totp, site.now + 3600), number(totp, site.now - 3600)):
        assert site.post("buoc-hai", {"so": wrong}, client).status_code == 403, wrong
    second = number(totp, site.now)
    assert site.post("buoc-hai", {"so": f"{second[:3]} {second[3:]}"}, client).location == "./"
    again = site.browser()
    site.sign_in(AN, client=again)
    assert site.post("buoc-hai", {"so": second}, again).status_code == 403
    assert site.post("buoc-hai", {"so": first}, again).status_code == 403
    assert site.open(client)


def test_the_second_step_can_not_be_guessed(site: Pages) -> None:
    totp = site.turn_on(site.activate(AN))
    site.now += 60
    client = site.browser()
    site.sign_in(AN, client=client)
    answers = [site.post("buoc-hai", {"so": "000000"}, client).status_code for _ in range(12)]
    assert answers == [403] * 10 + [429] * 2
    assert site.post("buoc-hai", {"so": number(totp, site.now)}, client).status_code == 429


def test_a_key_that_was_not_proven_changes_nothing(site: Pages) -> None:
    client = site.activate(AN)
    sealed = field(site.get("xac-thuc-hai-buoc", client).get_data(as_text=True), "khoa")
    answer = site.post("xac-thuc-hai-buoc", {"khoa": sealed, "so": "000000"}, client)
    assert answer.status_code == 403
    assert field(answer.get_data(as_text=True), "khoa") == sealed  # the same picture still holds
    other = field(site.get("xac-thuc-hai-buoc", site.activate(BINH)).get_data(as_text=True), "khoa")
    for forged in ("", "AAAA.bbbb", other, f"JBSWY3DPEHPK3PXP.{sealed.partition('.')[2]}", "ő.ő"):
        assert site.post("xac-thuc-hai-buoc", {"khoa": forged, "so": "1"}, client).status_code == 400
    assert site.account(AN)["totp"] == ""


def test_the_second_step_ends_by_the_password_or_by_a_code(site: Pages) -> None:
    client = site.activate(AN)
    site.turn_on(client)
    assert site.post("xac-thuc-hai-buoc", {"mat-khau-cu": BETTER}, client).status_code == 403
    assert site.account(AN)["totp"]
    assert site.post("xac-thuc-hai-buoc", {"mat-khau-cu": GOOD}, client).location == "xac-thuc-hai-buoc"
    assert site.account(AN)["totp"] == ""
    site.turn_on(client)
    site.activate(AN, BETTER)
    assert site.account(AN)["totp"] == ""


# What is written down


def test_every_act_is_written_down_without_secrets(site: Pages) -> None:
    code = site.code(OFFICER)
    client = site.client
    site.show_code(OFFICER, code)
    site.choose()
    made = shown_code(site.post("mat-khau-ung-dung", {"ten": "m"}, client, "198.18.9.2"))
    site.post("mat-khau-ung-dung", {"xoa": made[:5]}, client, "198.18.9.3")
    totp = site.turn_on(client)
    site.post("xac-thuc-hai-buoc", {"mat-khau-cu": GOOD}, client)
    site.post("mat-khau", {"mat-khau-cu": GOOD, "mat-khau": BETTER, "mat-khau-lai": BETTER}, client)
    given_ = shown_code(site.post("don-vi", {"dia-chi": AN}, client))
    assert site.acts() == [
        (OFFICER, OFFICER, "activate", HOME),
        (OFFICER, OFFICER, "app-password", "198.18.9.2"),
        (OFFICER, OFFICER, "app-password-end", "198.18.9.3"),
        (OFFICER, OFFICER, "second-step", HOME),
        (OFFICER, OFFICER, "second-step-end", HOME),
        (OFFICER, OFFICER, "password", HOME),
        (OFFICER, AN, "code", HOME),
    ]
    raw = site.path.read_bytes()
    for secret in (code, given_, made, GOOD, BETTER, cookie(client), totp.base32_key):
        assert secret.encode() not in raw.replace(str(site.account(OFFICER)["totp"] or "\0").encode(), b"")
        assert secret.replace("-", "").encode() not in raw
    page = site.get("", site.activate(AN)).get_data(as_text=True)
    assert "cấp mã kích hoạt" in page
    assert OFFICER in page  # the owner sees who did it


def test_refusals_and_sign_outs_are_written_down_and_the_owner_sees_them(site: Pages) -> None:
    client = site.activate(AN)
    totp = site.turn_on(client)
    site.post("mat-khau", {"mat-khau-cu": "sai", "mat-khau": BETTER, "mat-khau-lai": BETTER}, client, "198.18.9.2")
    site.post("dang-xuat", {}, client, form="dang-nhap")
    site.post("dang-xuat", {}, client, form="dang-nhap")  # nobody is signed in
    before = site.acts()
    assert before[-2:] == [("?", AN, "refused-password", "198.18.9.2"), (AN, AN, "sign-out", HOME)]
    site.sign_in(AN.upper(), "sai", source="198.18.9.3")
    site.show_code(AN, "sai", source="198.18.9.4")
    other = site.browser()
    assert site.sign_in(AN, client=other).location == "buoc-hai"
    site.post("buoc-hai", {"so": "000000"}, other, "198.18.9.5")
    assert site.acts()[len(before) :] == [
        ("?", AN, "refused-password", "198.18.9.3"),
        ("?", AN, "refused-code", "198.18.9.4"),
        ("?", AN, "refused-number", "198.18.9.5"),
    ]
    assert site.post("buoc-hai", {"so": number(totp, site.now + 30)}, other).location == "./"
    page = site.get("", other).get_data(as_text=True)
    for said in ("gõ sai mật khẩu", "không rõ, từ 198.18.9.3", "gõ sai mã kích hoạt", "đăng xuất khỏi trang này"):
        assert said in page


def test_a_flood_of_refusals_is_kept_short_and_hides_nothing(site: Pages) -> None:
    owner = site.activate(AN)
    site.post("mat-khau-ung-dung", {"ten": "m"}, owner)
    before = site.acts()
    for number_ in range(60):
        site.now += 25
        site.sign_in(AN, "sai", site.browser(), f"198.18.{number_ // 8}.1")
        site.sign_in("khong-co@x.test", "sai", site.browser(), "198.18.100.1")
    kept = site.acts()[len(before) :]
    assert [client for _, _, _, client in kept] == [f"198.18.{network}.1" for network in range(8)]
    for network in range(100, 140):
        site.sign_in(AN, "sai", site.browser(), f"198.18.{network}.1")
    kept = site.acts()
    assert kept[: len(before)] == before
    assert [client for _, _, _, client in kept[len(before) :]] == [f"198.18.{network}.1" for network in range(120, 140)]
    assert "thêm mật khẩu ứng dụng" in site.get("", owner).get_data(as_text=True)


def test_a_full_disk_hides_no_refusal_and_keeps_nobody_in(site: Pages) -> None:
    client = site.activate(AN)
    with site.database() as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON act BEGIN SELECT raise(ABORT, 'disk is full'); END")
    assert site.sign_in(AN, "sai").status_code == site.sign_in("khong-co@x.test", "sai").status_code == 403
    assert site.post("dang-xuat", {}, client, form="mat-khau").status_code == 303
    assert not site.open(client)


def test_what_can_not_be_written_down_is_not_done(site: Pages) -> None:
    client = site.activate(OFFICER)
    site.show_code(AN, site.code(AN))
    before = {address: site.account(address) for address in (OFFICER, AN)}
    with site.database() as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON act BEGIN SELECT raise(ABORT, 'disk is full'); END")
    assert site.choose().status_code == 503
    for page, data in (
        ("mat-khau", {"mat-khau-cu": GOOD, "mat-khau": BETTER, "mat-khau-lai": BETTER}),
        ("don-vi", {"dia-chi": AN}),
        ("mat-khau-ung-dung", {"ten": "m"}),
    ):
        assert site.post(page, data, client).status_code == 503
    after = {address: site.account(address) for address in (OFFICER, AN)}
    assert {a: row | {"code_tries": 0} for a, row in after.items()} == {
        a: row | {"code_tries": 0} for a, row in before.items()
    }
    with site.database() as database:
        assert database.execute("SELECT count(*) FROM app_password").fetchone()[0] == 0


def test_the_owner_sees_the_last_sign_ins(site: Pages) -> None:
    client = site.activate(AN)
    with site.database() as database:
        line = f"{site.now}.5 mail dovecot[1]: imap-login: Logged in: user=<{AN}> method=PLAIN rip=203.0.113.9 rport=5"
        command.note_sign_ins(database, [line], site.now)
    page = site.get("", client).get_data(as_text=True)
    assert "203.0.113.9" in page
    assert "<td>IMAP</td>" in page
    assert "<td>trang này</td>" in page
    for _ in range(25):
        site.now += 1
        site.sign_in(AN, client=client)
    with site.database() as database:
        assert database.execute("SELECT count(*) FROM sign_in WHERE address = ?", (AN,)).fetchone()[0] == 20


# Nobody learns who has an account

WRONG_SIGN_IN = ("dang-nhap", {"mat-khau": BETTER})
WRONG_CODE = ("kich-hoat", {"ma": "aaaa-bbbb-cccc"})


def test_answers_are_the_same_for_who_is_not_there(site: Pages) -> None:
    site.activate(AN)
    with site.database() as database:
        put(database, "da@x.test", "th", "left")
        database.execute("UPDATE account SET state = 'left' WHERE address = 'da@x.test'")
    for source, page, data in (("203.0.113.77", *WRONG_SIGN_IN), ("198.51.100.77", *WRONG_CODE)):
        seen = set()
        for address in (AN, BINH, BOX, "da@x.test", "ai@x.test", "ai@dau.test"):
            client = with_cookie(site, "b" * 43)
            for _ in range(12):
                answer = site.post(page, {**data, "dia-chi": address}, client, source)
                headers = tuple((k, v) for k, v in answer.headers if k != "Content-Length")
                seen.add((answer.status_code, answer.get_data(as_text=True).replace(address, "ADDRESS"), headers))
        assert sorted(status for status, _, _ in seen) == [403, 429], seen


def test_answers_take_as_long_for_who_is_not_there(tmp_path: Path) -> None:
    site = Pages(tmp_path, refusal=-1)
    site.activate(AN)
    with site.database() as database:
        put(database, "cu@x.test", "th", "old")
        database.execute("UPDATE account SET state = 'active', hash = ? WHERE address = 'cu@x.test'", (OLD_BCRYPT,))
    for page, data in (WRONG_SIGN_IN, WRONG_CODE):

        def times(address: str, page: str = page, data: dict[str, str] = data) -> list[float]:
            client, result = site.browser(), []
            for n in range(15):
                began = time.perf_counter()
                assert site.post(page, {**data, "dia-chi": address}, client, f"203.0.{n}.7").status_code == 403
                result.append(time.perf_counter() - began)
            return result

        def spread() -> float:
            with ThreadPoolExecutor(3) as pool:
                medians = [statistics.median(found) for found in pool.map(times, (AN, "cu@x.test", "ai@x.test"))]
            return max(medians) - min(medians)

        # A difference that a stranger can use is there each time; one that the machine's other work makes is not.
        assert any(spread() < 0.03 for _ in range(3))


def test_the_way_to_a_host_says_nothing_of_who_is_there(site: Pages) -> None:
    """Who is not there is sent to where the others of the domain are, as often as these are, and always the same."""

    def sent(address: str, **more: str) -> str:
        data = {"dia-chi": address, **more}
        return str(site.client.post("/tim", data=data, base_url="https://x.test").location)

    assert sent(AN, viec="kich-hoat") == "/mail-so/kich-hoat?dia-chi=annv%40x.test"
    assert sent(f" {AN.upper()} ") == "/mail-so/dang-nhap?dia-chi=annv%40x.test"
    assert sent("xa@xa.test") == "/mail-xa/dang-nhap?dia-chi=xa%40xa.test"
    for n in range(40):
        assert sent(f"ai{n}@x.test").startswith("/mail-so/")
        assert sent(f"ai{n}@xa.test").startswith("/mail-xa/")
    strangers = [sent(f"ai{n}@dau.test") for n in range(60)]
    assert {one.split("/")[1] for one in strangers} == {"mail-so", "mail-xa", "mail-thpt"}
    assert strangers == [sent(f"ai{n}@dau.test") for n in range(60)]
    with site.database() as database:
        for n in range(8):
            database.execute("INSERT INTO route VALUES (?, 'mail-thpt.x.test', '198.18.0.3')", (f"p{n}@xa.test",))
        database.execute("INSERT INTO route VALUES ('w@xa.test', 'gone.x.test', '198.18.0.4')")
    several = [sent(f"ai{n}@xa.test").split("/")[1] for n in range(300)]
    assert 30 < several.count("mail-xa") < 90  # 2 of 10 are there
    assert several.count("mail-thpt") == 300 - several.count("mail-xa")
    assert sent("w@xa.test").split("/")[1] in ("mail-xa", "mail-thpt")  # its host has no pages any more


# Limits


def test_a_school_behind_one_address_is_not_locked_out(site: Pages) -> None:
    """200 people mistype once each, and then do it right."""
    people = [f"nguoi{n}@x.test" for n in range(200)]
    client = site.activate(AN)
    with site.database() as database:
        database.execute("BEGIN")
        for address in people:
            put(database, address, "th", address)
        quick = sha512_crypt.using(rounds=1000).hash(GOOD)
        database.execute("UPDATE account SET state = 'active', hash = ? WHERE address LIKE 'nguoi%'", (quick,))
        database.execute("COMMIT")
    assert all(site.sign_in(address, BETTER, client).status_code == 403 for address in people)
    assert all(site.sign_in(address, GOOD, site.browser()).location == "./" for address in people[:20])
    # One of them guesses: that ends, and nobody else notices.
    answers = [site.sign_in(BINH, f"{n}", site.browser()).status_code for n in range(12)]
    assert answers == [403] * 10 + [429] * 2
    assert site.sign_in(people[0], GOOD, site.browser()).location == "./"
    assert site.sign_in(AN, GOOD, site.browser()).location == "./"


def test_limits_of_an_account_and_of_a_network() -> None:
    now = [0.0]
    limits = web.Limits(lambda: now[0])
    for n in range(100):  # one account from everywhere
        assert limits.left(f"n{n}", AN)
        limits.spend(f"n{n}", AN)
    assert not limits.left("elsewhere", AN)
    assert limits.left("n1", BINH)
    for n in range(300):  # all accounts from one place
        assert limits.left("here", f"a{n}")
        limits.spend("here", f"a{n}")
    assert not limits.left("here", BINH)
    assert limits.left("elsewhere", BINH)
    now[0] += 31
    assert limits.left("elsewhere", AN)
    assert limits.left("here", BINH)


def test_an_ipv6_network_and_its_neighbours_are_one_client(site: Pages) -> None:
    site.activate(AN)
    answers = [site.sign_in(AN, BETTER, source=f"2001:db8::{n}").status_code for n in range(12)]
    assert answers[-1] == 429
    assert site.sign_in(AN, source="2001:db8:1::1").location == "./"


def test_confirmations_are_limited_too(site: Pages) -> None:
    """Who finds a browser open must not find out the password there."""
    client = site.activate(AN)
    for _ in range(10):
        site.post("mat-khau", {"mat-khau-cu": BETTER, "mat-khau": BETTER, "mat-khau-lai": BETTER}, client)
    answer = site.post("mat-khau", {"mat-khau-cu": GOOD, "mat-khau": BETTER, "mat-khau-lai": BETTER}, client)
    assert "Quá nhiều" in answer.get_data(as_text=True)
    assert site.sign_in(AN, client=site.browser()).location == "./"


# Hashes of other systems

OLD_BCRYPT = bcrypt.using(rounds=5, ident="2y").hash(GOOD)


@pytest.mark.parametrize(
    "value",
    [
        OLD_BCRYPT,
        "{BLF-CRYPT}" + OLD_BCRYPT,
        ldap_salted_sha512.hash(GOOD),
        sha512_crypt.using(rounds=5000).hash(GOOD),
        "{SHA512-CRYPT}" + sha512_crypt.using(rounds=5000).hash(GOOD),
        "{CRYPT}" + sha256_crypt.using(rounds=5000).hash(GOOD),
    ],
    ids=range(6),  # each run has other salts, and two runners must agree on names
)
def test_a_hash_of_another_system_works_and_is_renewed(site: Pages, value: str) -> None:
    with site.database() as database:
        command.note_sign_ins(database, [], site.now)  # the timer has run since the deploy
        assert passwords.take_over(database, {AN: value, "ai@x.test": value}, site.now) == {
            "taken": [AN],
            "left": ["ai@x.test"],
        }
    assert site.acts()[-1] == ("root", AN, "take-over", "")
    assert site.sign_in(AN, BETTER, site.browser()).status_code == 403
    assert not str(site.account(AN)["hash"]).startswith("$argon2id$")
    assert site.sign_in(AN, GOOD, site.browser()).location == "./"
    renewed = str(site.account(AN)["hash"])
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert site.sign_in(AN, GOOD, site.browser()).location == "./"
    assert site.account(AN)["hash"] == renewed
    with site.database() as database:
        assert passwords.take_over(database, {AN: value}, site.now)["taken"] == []


@pytest.mark.parametrize("value", ["", "{PLAIN}abc", "{MD5}CY9rzUYh03PK3k6DJie09g==", "$1$a$b", "abc", "{SSHA}x"])
def test_an_unknown_kind_of_hash_is_refused_whole(site: Pages, value: str) -> None:
    with site.database() as database:
        with pytest.raises(Refused, match=BINH):
            passwords.take_over(database, {AN: OLD_BCRYPT, BINH: value}, site.now)
        assert site.account(AN)["hash"] is None


def test_who_was_suspended_or_chose_a_password_keeps_it(site: Pages) -> None:
    site.activate(AN)
    site.activate(BINH)
    with site.database() as database:
        command.suspend(database, BINH, site.now)
        assert passwords.take_over(database, {AN: OLD_BCRYPT, BINH: OLD_BCRYPT}, site.now)["taken"] == []


@pytest.mark.parametrize("kept", [OLD_BCRYPT, "$2y$05$broken", "$6$", "{SSHA512}!!", "$argon2id$x"], ids=range(5))
@pytest.mark.parametrize(
    "typed", ["", "\0", "a\0b", "x" * 300, "x" * 40_000, "é" * 100, "\ud800", "\U0001f600" * 60], ids=range(8)
)
def test_no_password_breaks_the_program(site: Pages, kept: str, typed: str) -> None:
    with site.database() as database:
        database.execute("UPDATE account SET state = 'active', hash = ? WHERE address = ?", (kept, AN))
        assert passwords.verify(database, AN, typed) is None
    body = typed.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert site.sign_in(AN, body).status_code in (403, 413)


# What nobody typed


def test_no_parameter_breaks_a_header_or_a_line_of_the_log(site: Pages, caplog: pytest.LogCaptureFixture) -> None:
    evil = "a\r\nSet-Cookie: x=1\r\n\r\n<script>alert(1)</script>\x1b[31m\u2028"
    officer = site.activate(OFFICER)
    names = ("dia-chi", "ma", "mat-khau", "mat-khau-cu", "mat-khau-lai", "ten", "xoa", "so", "khoa", "viec", "phieu")
    caplog.set_level(logging.DEBUG)
    for page in (*OPEN, *FREE, *STEPS, "tim", "dang-xuat"):
        for given_ in ({name: evil} for name in names):
            answers = [
                site.post(page, given_, officer, form="mat-khau"),
                officer.get(f"/{page}", query_string=given_, base_url="https://x.test/mail-so/"),
                site.post(page, given_, officer, evil.replace("\r\n", ""), form="mat-khau", User_Agent="a\x1b"),
            ]
            for answer in answers:
                assert answer.status_code < 500
                assert "<script>alert" not in answer.get_data(as_text=True)
                assert not [v for _, v in answer.headers if "\n" in v or "\r" in v or "\x1b" in v]
                assert all(v.startswith("__Secure-edumail=") for v in answer.headers.getlist("Set-Cookie"))
        if not site.open(officer):
            site.sign_in(OFFICER, client=officer)
    with site.database() as database:
        database.execute("DROP TABLE session")
        database.execute("CREATE TABLE session (broken TEXT)")
    assert officer.get("/a%0d%0aFAKE%1b", base_url="https://x.test/mail-so/").status_code == 503
    assert [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert all("\n" not in record.getMessage() and "\x1b" not in record.getMessage() for record in caplog.records)
    assert all(not record.exc_info for record in caplog.records)


TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from([AN, OFFICER, GOOD, "\0", "%00", "../", "a" * 5000, "{{7*7}}", "' OR 1=1 --", "\ud7ff\ue000"]),
)
FIELDS = st.dictionaries(
    st.sampled_from(["dia-chi", "ma", "mat-khau", "mat-khau-cu", "mat-khau-lai", "ten", "xoa", "so", "khoa", "viec"]),
    TEXT,
    max_size=4,
)
SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(page=st.sampled_from([*OPEN[1:], *FREE, *STEPS, "tim"]), data=FIELDS, source=TEXT)
def test_nothing_that_is_sent_breaks_a_page(site: Pages, page: str, data: dict[str, str], source: str) -> None:
    if not hasattr(site, "officer"):
        site.officer = site.activate(OFFICER)  # type: ignore[attr-defined]
    officer: FlaskClient = site.officer  # type: ignore[attr-defined]
    latin = source.encode("latin-1", "replace").decode("latin-1").translate({10: " ", 13: " "})
    assert site.post(page, data, officer, latin, form="mat-khau").status_code < 500


@SETTINGS
@given(
    path=st.binary(max_size=30), body=st.binary(max_size=60), kind=st.sampled_from(["multipart/form-data", "x/y", ""])
)
def test_no_bytes_break_a_page(site: Pages, path: bytes, body: bytes, kind: str) -> None:
    client = site.browser()
    client.get("/dang-nhap", base_url="https://x.test/mail-so/")
    raw = "/" + "".join(f"%{one:02x}" for one in path)
    for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS"):
        answer = client.open(raw, method=method, data=body, content_type=kind, base_url="https://x.test/mail-so/")
        assert answer.status_code < 500
        assert "Traceback" not in answer.get_data(as_text=True)


def test_what_is_too_long_or_unknown_is_said_in_both_languages(site: Pages) -> None:
    for answer, status in (
        (site.get("khong-co"), 404),
        (site.get("dang-xuat"), 405),
        (site.post("dang-nhap", {"dia-chi": "a" * 60_000}), 413),
    ):
        assert answer.status_code == status
        assert 'lang="vi"' in answer.get_data(as_text=True)
        assert 'lang="en"' in answer.get_data(as_text=True)


def test_a_fault_of_the_program_says_nothing_of_itself(site: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a secret")

    site.app.testing = False
    site.activate(AN)
    monkeypatch.setattr(passwords, "verify", fails)
    answer = site.sign_in(AN)
    assert answer.status_code == 500
    page = answer.get_data(as_text=True)
    assert "Trang có lỗi" in page
    assert "secret" not in page
    assert "Traceback" not in page
