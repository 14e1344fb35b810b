"""Feedback as its service does it: what is taken, what is refused, what answers say, and that nothing is lost."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import smtplib
import sqlite3
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import edumail_feedback as store
import edumail_feedback_cli as cli
import edumail_feedback_mail as mail
import edumail_feedback_web as web
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from edumail.templates import render

UNIT = {
    "unit": "th",
    "name": "Trường Tiểu học Suối Mơ",
    "portal": "th.test",
    "address": "lienhe@th.test",
    "holders": ["vanthu@th.test", "hieutruong@th.test"],
    "host": "mail.th.test",
    "days": 30,
}
OTHER = UNIT | {"unit": "khac", "portal": "khac.test", "address": "lienhe@khac.test", "holders": ["vt@khac.test"]}
GOOD = {
    "tieu-de": "Hỏi về <b>bán trú</b>",
    "noi-dung": "Trường có bán trú không ạ?\n<script>alert(1)</script>",
    "ten": "Nguyễn Văn Đ",
    "thu": "dan@ngoai.test",
    "dien-thoai": "0912 345 678",
}


class Site:
    """The service with a clock that a test moves."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.now = 1_800_000_000.0
        table = folder / "units.json"
        table.write_text(json.dumps({"th.test": UNIT, "khac.test": OTHER}), "utf-8")
        (folder / "state").mkdir()
        self.app = web.create_app(str(table), str(folder / "shells"), str(folder / "state"), clock=lambda: self.now)
        self.client: FlaskClient = self.app.test_client()
        self.cases = store.Store(folder / "state")

    def token(self, host: str = "th.test") -> str:
        """That of a form that was just shown."""
        body = self.client.get("/phan-anh", base_url=f"https://{host}").get_data(as_text=True)
        found = re.search(r'name="phieu" value="([^"]+)"', body)
        assert found
        return found[1]

    def send(
        self, token: str | None = None, wait: float = 10, address: str = "198.18.0.1", **given: str
    ) -> tuple[int, str]:
        """Fills the form and sends it."""
        token = token or self.token()
        self.now += wait
        data = GOOD | {"phieu": token} | {name.replace("_", "-"): value for name, value in given.items()}
        answer = self.client.post("/phan-anh", data=data, base_url="https://th.test", headers={"X-Real-IP": address})
        return answer.status_code, answer.get_data(as_text=True)

    def state(self, code: str, host: str = "th.test") -> tuple[int, str]:
        """What the citizen reads under a code."""
        answer = self.client.get("/phan-anh/theo-doi", query_string={"ma": code}, base_url=f"https://{host}")
        return answer.status_code, answer.get_data(as_text=True)

    def letters(self) -> list[store.Letter]:
        """What waits to be sent."""
        return self.cases.due([*KNOWN, *(f"don-vi-{number}" for number in range(20))], 1e12)


def code_in(body: str) -> str:
    """The code that the citizen is shown."""
    found = re.search(r'class="code">([0-9A-Z-]+)<', body)
    assert found, body
    return found[1]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two units."""
    monkeypatch.setattr(cli, "HERE", tmp_path)
    return Site(tmp_path)


def parsed(raw: bytes) -> EmailMessage:
    """As a mail program reads it."""
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def reply(text: str, **headers: str) -> bytes:
    """What a clerk's mail program sends."""
    message = EmailMessage()
    message["From"] = "vanthu@th.test"
    message["Subject"] = "Re: [Phản ánh]"
    message["Message-ID"] = headers.pop("message_id", "<tl1@th.test>")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def test_what_is_sent_becomes_a_letter_and_a_code(site: Site) -> None:
    status, body = site.send()
    assert status == 200
    code = code_in(body)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
    (letter,) = site.letters()
    message = parsed(letter.message)
    assert letter.recipient == message["To"] == "lienhe@th.test"
    assert message["From"].addresses[0].addr_spec == letter.sender == message["Reply-To"].addresses[0].addr_spec
    assert message["Subject"] == "[Phản ánh] Hỏi về <b>bán trú</b>"
    assert "Trường có bán trú không ạ?" in message.get_content()
    assert "dan@ngoai.test" in message.get_content()
    assert code not in letter.message.decode()
    status, body = site.state(code)
    assert 'data-state="received"' in body
    site.cases.sent(letter, site.now)
    assert 'data-state="delivered"' in site.state(code.lower().replace("-", " "))[1]
    assert "&lt;b&gt;bán trú" in body
    assert "<b>" not in body
    assert site.state(code, "khac.test")[0] == 404  # a code is good at its unit's portal


def test_neither_code_nor_token_lie_in_the_database(site: Site) -> None:
    token = site.token()
    code = code_in(site.send(token)[1])
    raw = b"".join(path.read_bytes() for path in (site.folder / "state").glob("feedback.db*"))
    assert b"dan@ngoai.test" in raw
    assert code.encode() not in raw
    assert code.replace("-", "").encode() not in raw
    assert token.encode() not in raw


def test_a_form_sent_twice_is_one_matter_with_one_code(site: Site) -> None:
    token = site.token()
    assert code_in(site.send(token)[1]) == code_in(site.send(token)[1])
    assert len(site.letters()) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tieu_de": ""}, "tiêu đề"),
        ({"noi_dung": "ngắn"}, "ít nhất 10"),
        ({"noi_dung": "x" * 10_001}, "quá dài"),
        ({"ten": "x" * 101}, "quá dài"),
        ({"thu": "khong phai"}, "không đúng"),
        ({"thu": "a@b.test, c@d.test"}, "không đúng"),
        ({"thu": "a@b.test\r\nBcc: c@d.test"}, "một dòng"),
        ({"tieu_de": "x\r\nBcc: c@d.test"}, "một dòng"),
        ({"ten": "x\nTo: c@d.test"}, "một dòng"),
        ({"dien_thoai": "gọi tôi"}, "không đúng"),
        ({"trang_web": "https://mua.test"}, "để trống"),
        ({"noi_dung": "https://a.test " * 6}, "đường liên kết"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_written(site: Site, given: dict[str, str], said: str) -> None:
    status, body = site.send(**given)
    assert status == 400
    notice = re.search(r'role="alert">(.*?)</p>', body)
    assert notice
    assert said in notice[1]
    if "noi_dung" not in given:
        assert "Trường có bán trú không ạ?" in body
    assert "<script>" not in body
    assert site.letters() == []
    if not given.keys() & {"trang_web"}:
        again = re.search(r'name="phieu" value="([^"]+)"', body)
        assert again
        assert site.send(again[1])[0] == 200


def test_forms_that_are_too_quick_too_old_or_not_ours(site: Site) -> None:
    assert site.send(wait=1)[0] == 400
    assert site.send(wait=24 * 3600 + 1)[0] == 400
    assert site.send(token=site.token("khac.test"))[0] == 400
    for token in ("", "x", "1.2.3", "é.é.é", "999999999999999999999.a." + "0" * 32):
        assert site.send(token=token or "-")[0] == 400
    assert site.letters() == []


def test_floods_are_refused_by_network_and_others_still_get_through(site: Site) -> None:
    answers = [site.send()[0] for _ in range(32)]
    assert answers[:30] == [200] * 30
    assert answers[-1] == 429
    status, body = site.send()
    assert status == 429
    assert "Trường có bán trú không ạ?" in body
    assert site.send(address="198.18.1.1")[0] == 200


def test_a_unit_gets_no_more_than_it_can_read(site: Site) -> None:
    answers = [site.send(address=f"198.18.{n}.1", wait=3)[0] for n in range(202)]
    assert answers.count(200) in (200, 201)
    assert answers[-1] == 429


def test_guessed_codes_run_out(site: Site) -> None:
    answers = [site.state("0000-0000-0000-0000")[0] for _ in range(62)]
    assert answers[0] == 404
    assert answers[-1] == 429


@pytest.mark.parametrize(
    "text", ["\0\0\0\0\0\0\0\0\0\0\0 NUL giữa lời", "a\ud800" * 20, "<!--edumail:main-->" * 3, "\u202e" * 20 + "abc"]
)
def test_strange_text_arrives_or_is_refused_and_never_breaks(site: Site, text: str) -> None:
    data = GOOD | {"noi-dung": text.encode("utf-8", "surrogatepass"), "phieu": site.token()}
    site.now += 10
    answer = site.client.post("/phan-anh", data=data, base_url="https://th.test")
    assert answer.status_code in (200, 400)
    for letter in site.letters():
        assert parsed(letter.message)["To"] == "lienhe@th.test"


@given(st.text(max_size=200), st.text(max_size=100))
def test_no_text_adds_a_header(subject: str, name: str) -> None:
    matter = store.new_matter("th", "mail.th.test", subject=subject, text="x", name=name, email="", phone="")
    message = parsed(mail.to_unit(matter, "lienhe@th.test", "mail.th.test")[3])
    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Auto-Submitted",
        "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip


@given(st.binary(min_size=10, max_size=10))
def test_a_code_is_read_as_it_was_shown(data: bytes) -> None:
    code = store.crockford(data)
    assert store.typed(store.shown(code)) == store.typed(code.lower()) == code
    assert store.typed(code.replace("0", "o").replace("1", "l")) == code


@given(st.text())
def test_any_text_is_a_code_or_none(text: str) -> None:
    assert store.typed(text) in ("", store.typed(store.typed(text)))


def test_the_answer_is_kept_and_goes_to_the_citizen_from_the_units_address(site: Site) -> None:
    code = code_in(site.send()[1])
    (letter,) = site.letters()
    site.cases.sent(letter, site.now)
    key = letter.sender.partition("+")[2].partition("@")[0]
    quoted = parsed(letter.message).get_content().replace("\n", "\n> ")
    text = (
        f"Kính gửi phụ huynh,\nTrường có bán trú & <i>xe</i>.\n\nVào 2026-11-25 08:00, Người dân đã viết:\n> {quoted}"
    )
    assert cli.answer(site.cases, "vanthu@th.test", key.upper(), reply(text)) == 0
    body = site.state(code)[1]
    assert 'data-state="answered"' in body
    assert "Trường có bán trú &amp; &lt;i&gt;xe&lt;/i&gt;." in body
    assert "Người dân đã viết" not in body
    (letter,) = site.letters()
    message = parsed(letter.message)
    assert (letter.sender, letter.recipient) == ("lienhe@th.test", "dan@ngoai.test")
    assert message["From"].addresses[0].addr_spec == "lienhe@th.test"
    assert message["From"].addresses[0].display_name == UNIT["name"]
    assert "Trường có bán trú" in message.get_content()
    # Postfix hands it over again after a crash: once is enough.
    assert cli.answer(site.cases, "vanthu@th.test", key, reply(text)) == 0
    assert len(site.letters()) == 1
    assert "bán trú" not in site.client.get("/hoi-dap", base_url="https://th.test").get_data(as_text=True)


def key_of(site: Site) -> str:
    """The word in the address of the only letter, which is gone then."""
    (letter,) = site.letters()
    site.cases.sent(letter, site.now)
    return letter.sender.partition("+")[2].partition("@")[0]


@pytest.mark.parametrize("sender", ["giaovien@th.test", "vt@khac.test", "la@ngoai.test", "lienhe@khac.test"])
def test_only_holders_answer(site: Site, sender: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = code_in(site.send()[1])
    assert cli.answer(site.cases, sender, key_of(site), reply("Không phải tôi")) == cli.NOT_ALLOWED
    assert capsys.readouterr().out.startswith("5.7.1")
    assert 'data-state="delivered"' in site.state(code)[1]
    assert cli.answer(site.cases, "lienhe@th.test", "0" * 16, reply("x")) == cli.NOBODY


def test_programs_do_not_answer(site: Site) -> None:
    code = code_in(site.send()[1])
    assert (
        cli.answer(site.cases, "vanthu@th.test", key_of(site), reply("Tôi đi vắng", Auto_Submitted="auto-replied")) == 0
    )
    assert 'data-state="delivered"' in site.state(code)[1]


def test_what_the_mailbox_did_not_take_is_sent_again_later(site: Site) -> None:
    code = code_in(site.send()[1])
    key = key_of(site)
    assert cli.answer(site.cases, "", key, reply("undelivered")) == 0
    assert 'data-state="received"' in site.state(code)[1]
    assert len(site.letters()) == 1


def test_question_and_answer_are_published_and_withdrawn(site: Site) -> None:
    site.send()
    key = key_of(site)
    assert cli.answer(site.cases, "vanthu@th.test", key, reply("#congkhai\n\nCó bán trú.")) == 0
    body = site.client.get("/hoi-dap", base_url="https://th.test").get_data(as_text=True)
    assert "Có bán trú." in body
    assert "&lt;script&gt;" in body
    for private in ("Nguyễn Văn Đ", "dan@ngoai.test", "0912"):
        assert private not in body
    (letter,) = site.letters()
    assert "#congkhai" not in parsed(letter.message).get_content()
    assert "Có bán trú." not in site.client.get("/hoi-dap", base_url="https://khac.test").get_data(as_text=True)
    assert cli.answer(site.cases, "vanthu@th.test", key, reply("#gocongkhai", message_id="<tl2@th.test>")) == 0
    assert "Có bán trú." not in site.client.get("/hoi-dap", base_url="https://th.test").get_data(as_text=True)
    assert len(site.letters()) == 1  # to withdraw is no answer


QUOTED = "\n> --- Trả lời phía trên dòng này / Reply above this line ---\n> lời cũ"


@pytest.mark.parametrize(
    "text",
    [
        f"Trả lời.\n\nOn 2026-11-25 08:00, Người dân wrote:{QUOTED}",
        f"Vào Th 4, 25 thg 11, 2026 vào lúc 08:00 Người dân <a@b.test>\nđã viết:\n{QUOTED}\n\nTrả lời.",
        "Trả lời.\n\n-----Original Message-----\nFrom: a\nlời cũ",
        "Trả lời.\n\n________________________________\nTừ: Người dân <a@b.test>\nlời cũ",
        "Trả lời.\n\nFrom: Người dân <phan-anh+x@mail.test>\nSent: hôm nay\nlời cũ",
        "Trả lời.\n--- Trả lời phía trên dòng này / Reply above this line ---\nlời cũ",
        "Trả lời.\n-- \nVăn thư\nlời cũ",
    ],
)
def test_an_answer_is_what_its_writer_wrote(text: str) -> None:
    assert mail.own_words(text) == "Trả lời."


def test_an_answer_in_html_only() -> None:
    message = EmailMessage()
    message.set_content(
        "<html><head><style>p {}</style></head><body><p>Có bán trú.</p><div>On hôm qua, x wrote:</div>"
        "<blockquote><p>lời cũ</p></blockquote></body></html>",
        subtype="html",
    )
    assert mail.own_words(mail.plain_text(message)) == "Có bán trú."


@given(st.binary())
def test_no_message_breaks_the_reader(raw: bytes) -> None:
    message = mail.parsed(raw)
    mail.answer(message)
    mail.is_automatic(message)
    mail.references(message)


class Postfix:
    """A mail server that answers as a test wants."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.fault: Exception | None = None

    def __call__(self, *_: object, **__: object) -> Postfix:
        if self.fault is not None:
            raise self.fault
        return self

    def __enter__(self) -> Postfix:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def sendmail(self, sender: str, recipients: list[str], message: bytes) -> None:
        self.taken.append((sender, recipients, message))


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Postfix:
    """Instead of the host's."""
    server = Postfix()
    monkeypatch.setattr(smtplib, "SMTP", server)
    return server


def test_a_mail_server_that_is_down_delays_and_loses_nothing(site: Site, postfix: Postfix) -> None:
    code = code_in(site.send()[1])
    for fault in (ConnectionRefusedError(), smtplib.SMTPDataError(451, b""), smtplib.SMTPDataError(554, b"")):
        postfix.fault = fault
        (letter,) = site.letters()
        cli.send(site.cases, letter, 1)
        assert 'data-state="received"' in site.state(code)[1]
    postfix.fault = None
    (letter,) = site.letters()
    assert letter.tries == 3
    cli.send(site.cases, letter, 1)
    assert 'data-state="delivered"' in site.state(code)[1]
    assert site.letters() == []


def test_killed_after_the_letter_went_out_it_goes_out_again_as_the_same(
    site: Site, postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.send()
    (letter,) = site.letters()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.Store, "sent", killed)
        with pytest.raises(KeyboardInterrupt):
            cli.send(site.cases, letter, 1)
    (letter,) = store.Store(site.folder / "state").due(KNOWN, 1e12)
    cli.send(site.cases, letter, 1)
    one, two = (parsed(message)["Message-ID"] for _, _, message in postfix.taken)
    assert one == two


def test_a_disk_that_is_full_is_said_and_what_was_written_is_still_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Callable[[], None]:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.Store, "add", full)
    status, body = site.send()
    assert status == 503
    assert "Trường có bán trú không ạ?" in body
    assert 'class="code"' not in body


def test_matters_are_forgotten_after_their_days(site: Site) -> None:
    code = code_in(site.send()[1])
    received = site.cases.by_code("th", store.typed(code)).received  # type: ignore[union-attr]
    assert site.cases.forget({"th": 30}, 60, received + 30 * 86400) == 0
    # A unit that has left the host may have to move yet.
    assert site.cases.forget({}, 60, received + 60 * 86400) == 0
    assert site.cases.forget({"th": 30}, 60, received + 30 * 86400 + 1) == 1
    assert site.state(code)[0] == 404
    assert site.letters() == []


PROVINCE = {"own": ["th.test", "mail.th.test"], "gateway": "mail.gw.test"}
FROM_OUTSIDE = "mail.gw.test; dkim=none; spf=pass smtp.mailfrom=dan@ngoai.test; dmarc=none"


def written(results: str = FROM_OUTSIDE, **headers: str) -> bytes:
    """A citizen's plain mail, as the gateway let it through."""
    message = EmailMessage()
    for name, value in ({"Message_ID": "<hoi1@ngoai.test>", "Subject": "Hỏi về xe đưa đón"} | headers).items():
        message[name.replace("_", "-")] = value
    if results:
        message["Authentication-Results"] = results
    message["From"] = "Nguyễn Văn Đ <dan@ngoai.test>"
    message.set_content("Trường có xe đưa đón không ạ?")
    return message.as_bytes()


def test_plain_mail_is_registered_acknowledged_and_answered(site: Site) -> None:
    cli.letter(site.cases, "dan@ngoai.test", UNIT, PROVINCE, written())
    (letter,) = site.letters()
    message = parsed(letter.message)
    assert (letter.sender, letter.recipient) == ("", "dan@ngoai.test")
    assert message["From"].addresses[0].addr_spec == "lienhe@th.test"
    assert (message["Auto-Submitted"], message["In-Reply-To"]) == ("auto-replied", "<hoi1@ngoai.test>")
    found = re.search(r"Mã theo dõi: (\S+)", message.get_content())
    assert found
    assert 'data-state="delivered"' in site.state(found[1])[1]
    cli.letter(site.cases, "dan@ngoai.test", UNIT, PROVINCE, written())
    site.cases.sent(letter, site.now)
    assert site.letters() == []  # it came once more
    answer = reply("#congkhai\nCó xe đưa đón.", In_Reply_To="<hoi1@ngoai.test>", To="dan@ngoai.test")
    cli.sent(site.cases, UNIT, answer)
    assert "Có xe đưa đón." in site.state(found[1])[1]
    assert "Có xe đưa đón." in site.client.get("/hoi-dap", base_url="https://th.test").get_data(as_text=True)
    assert site.letters() == []  # the clerk's own letter went to the citizen


def codes(site: Site) -> list[tuple[str, str]]:
    """Portal and code of each acknowledgment that waits."""
    found = (re.search(r"https://([^/]+)/\S+ma=(\S+)", parsed(one.message).get_content()) for one in site.letters())
    return [(link[1], link[2]) for link in found if link]


def test_each_question_of_a_day_has_its_code_and_its_answer_at_any_unit(site: Site) -> None:
    for number, unit in enumerate((UNIT, UNIT, OTHER)):
        cli.letter(site.cases, "dan@ngoai.test", unit, PROVINCE, written(Message_ID=f"<hoi{number}@ngoai.test>"))
    found = codes(site)
    assert [portal for portal, _ in found] == ["th.test", "th.test", "khac.test"]
    assert [site.state(code, portal)[0] for portal, code in found] == [200, 200, 200]
    answer = reply("Có xe.", In_Reply_To="<hoi1@ngoai.test>", To="dan@ngoai.test")
    cli.sent(site.cases, UNIT, answer)
    assert ["Có xe." in site.state(code, portal)[1] for portal, code in found] == [False, True, False]


def test_who_writes_all_the_time_is_not_answered_all_the_time(site: Site) -> None:
    """A program that answers each of our answers, or somebody whose provider lets others write in their name."""

    def write(unit: dict[str, Any], number: int, sender: str = "dan@ngoai.test") -> int:
        cli.letter(site.cases, sender, unit, PROVINCE, written(Message_ID=f"<{unit['unit']}{number}@ngoai.test>"))
        return len(site.letters())

    assert [write(UNIT, number, "Dan@ngoai.test") for number in range(7)] == [1, 2, 3, 4, 5, 5, 5]
    assert write(UNIT, 6, "dan+viec@ngoai.test") == 5
    assert write(UNIT, 7, "khac@ngoai.test") == 6
    units = [UNIT | {"unit": f"don-vi-{number}"} for number in range(20)]
    assert [write(unit, 0) for unit in units][-6:] == [21] * 6
    with sqlite3.connect(site.folder / "state" / "feedback.db") as connection:
        connection.execute("UPDATE acknowledgment SET at = at - 86400")
    assert write(UNIT, 8) == 22


@pytest.mark.parametrize(
    ("sender", "results", "headers"),
    [
        ("", FROM_OUTSIDE, {}),
        ("nhilt@th.test", FROM_OUTSIDE, {}),
        ("phan-anh+x@mail.th.test", FROM_OUTSIDE, {}),
        ("owner-ds@ngoai.test", FROM_OUTSIDE, {}),
        ("noreply@ngoai.test", FROM_OUTSIDE, {}),
        ("dan@ngoai.test", "", {}),
        ("dan@ngoai.test", FROM_OUTSIDE.replace("spf=pass", "spf=fail"), {}),
        ("dan@ngoai.test", FROM_OUTSIDE.replace("mail.gw.test", "mail.la.test"), {}),
        ("dan@ngoai.test", "mail.gw.test; dkim=pass header.d=la.test; spf=softfail; dmarc=none", {}),
        ("dan@khac.test", "mail.gw.test; spf=fail; dmarc=pass header.from=ngoai.test", {}),
        ("khac@ngoai.test", "mail.gw.test; spf=fail; dmarc=pass header.from=ngoai.test", {}),
        ("dan@ngoai.test", FROM_OUTSIDE, {"X_Spam": "Yes"}),
        ("dan@ngoai.test", FROM_OUTSIDE, {"Auto_Submitted": "auto-replied"}),
        ("dan@ngoai.test", FROM_OUTSIDE, {"Precedence": "bulk"}),
        ("dan@ngoai.test", FROM_OUTSIDE, {"List_Id": "<ds.ngoai.test>"}),
        ("dan@ngoai.test", FROM_OUTSIDE, {"Message_ID": "khong phai"}),
    ],
)
def test_who_gets_no_acknowledgment(site: Site, sender: str, results: str, headers: dict[str, str]) -> None:
    cli.letter(site.cases, sender, UNIT, PROVINCE, written(results, **headers))
    assert site.letters() == []


def test_what_the_service_sends_is_no_answer_and_what_goes_to_it_is_one_once(site: Site) -> None:
    code = code_in(site.send()[1])
    (letter,) = site.letters()
    key = key_of(site)
    matter = site.cases.by_key(key)
    assert matter is not None
    own = mail.to_citizen(matter, "x", "lienhe@th.test", "Trả lời", "1")[3]
    cli.sent(site.cases, UNIT, own)
    to_service = reply("Có.", In_Reply_To=matter.message_id, To=letter.sender)
    cli.sent(site.cases, UNIT, to_service)
    assert 'data-state="delivered"' in site.state(code)[1]
    cli.answer(site.cases, "lienhe@th.test", key, to_service)
    assert len(site.letters()) == 1


PARTS = ("tmp", "new", "unread")


def put_down(site: Site, name: str, sender: str, message: bytes) -> int:
    """What pipe(8) does with a copy; gives its exit status."""
    script = site.folder / "copy.sh"
    script.write_text(render("feedback/copy.sh.j2", state=site.folder / "state"), "utf-8")
    return subprocess.run(
        ["sh", str(script), name, sender], input=message, check=False, stderr=subprocess.DEVNULL
    ).returncode


@pytest.fixture
def folder(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders as systemd-tmpfiles makes them. The tests' own process has taken more memory than the service may."""
    monkeypatch.setattr(cli, "COPY_MEMORY", 4 * 1024**3)
    folder = site.folder / "state" / "copies"
    for part in PARTS:
        (folder / part).mkdir(parents=True)
    return folder


def copies(site: Site) -> dict[str, list[str]]:
    """What lies in each of the folders."""
    return {part: sorted(p.name for p in (site.folder / "state" / "copies" / part).iterdir()) for part in PARTS}


KNOWN = {"th": UNIT, "khac": OTHER}


def test_a_copy_waits_with_postfix_while_it_can_not_be_put_down(site: Site) -> None:
    assert put_down(site, "letters+th+4ABC", "dan@ngoai.test", written()) == cli.TEMPORARY  # no folder
    # What Postfix calls by the words of an older release, between two steps of a deploy.
    assert cli.main(["letters", "--sender=dan@ngoai.test", "--extension=th"]) == cli.TEMPORARY


def test_a_copy_is_put_down_and_taken_once(site: Site, folder: Path) -> None:
    assert put_down(site, "letters+../../key", "dan@ngoai.test", written()) == 67
    assert put_down(site, "letters+th+4ABC", "dan@ngoai.test", written()) == 0
    assert put_down(site, "letters+none+4ABC", "dan@ngoai.test", written()) == 0
    assert copies(site) == {"tmp": [], "new": ["letters+none+4ABC", "letters+th+4ABC"], "unread": []}
    cli.take_copies(site.cases, folder, KNOWN, PROVINCE)
    (letter,) = site.letters()
    assert (letter.kind, letter.recipient) == ("acknowledgment", "dan@ngoai.test")
    assert copies(site) == {"tmp": [], "new": [], "unread": []}


def test_copies_are_taken_in_the_order_in_which_they_came(site: Site, folder: Path) -> None:
    """A service that was away for a day finds question and answer; the answer's name comes first."""
    answer = reply("Có xe đưa đón.", In_Reply_To="<hoi1@ngoai.test>", To="dan@ngoai.test")
    for at, (name, message) in enumerate((("letters+th+9", written()), ("answers+th+1", answer))):
        assert put_down(site, name, "dan@ngoai.test", message) == 0
        os.utime(folder / "new" / name, (at, at))
    cli.take_copies(site.cases, folder, KNOWN, PROVINCE)
    (letter,) = site.letters()
    code = re.search(r"Mã theo dõi: (\S+)", parsed(letter.message).get_content())
    assert code
    assert "Có xe đưa đón." in site.state(code[1])[1]


def test_a_copy_that_nobody_can_read_is_set_aside(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "COPY_SECONDS", 1)
    parts = b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\n" * 60_000
    put_down(site, "letters+th+2", "dan@ngoai.test", written().partition(b"Content-Type")[0] + parts)
    (folder / "new" / "ghi chu").write_text("x")
    (folder / "new" / "letters+th+thu muc").mkdir()
    put_down(site, "letters+th+3", "dan@ngoai.test", written())
    cli.take_copies(site.cases, folder, KNOWN, PROVINCE)
    assert copies(site) == {"tmp": [], "new": [], "unread": ["ghi chu", "letters+th+2", "letters+th+thu muc"]}
    assert "letters+th+2: not read, set aside" in capfd.readouterr().err
    assert [letter.recipient for letter in site.letters()] == ["dan@ngoai.test"]


def test_a_disk_that_is_full_for_a_moment_loses_no_copy(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the citizen go without an answer because one was begun."""
    put_down(site, "letters+th+1", "dan@ngoai.test", written())
    post = store.Store._post

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.Store, "_post", full)
    with pytest.raises(OSError, match="waits"):
        cli.take_copies(site.cases, folder, KNOWN, PROVINCE)
    assert copies(site)["new"] == ["letters+th+1"]
    monkeypatch.setattr(store.Store, "_post", staticmethod(post))
    cli.take_copies(site.cases, folder, KNOWN, PROVINCE)
    assert len(site.letters()) == 1
