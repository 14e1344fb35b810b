"""What a citizen asks in a unit's portal arrives in its mailbox, and the answer comes back; nothing gets lost."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import secrets
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import urlencode

import pytest

from lab import lab
from roles.portal.render import error_page
from tests.lab.province import LabProvince, new_message

PORTAL, HOST = "thsuoimo.suoimo.minhha.test", "mail-xa"
ADDRESS = "thsuoimo@suoimo.minhha.test"
CLERK, TEACHER = "nhilt@suoimo.minhha.test", "huett@suoimo.minhha.test"  # who holds it, and who does not
FOLDER = f'"Donvi/{ADDRESS}"'
SERVICES = "edumail-feedback.service edumail-feedback-mail.service"


def ask(province: LabProvince, path: str, form: dict[str, str] | None = None, portal: str = PORTAL) -> tuple[int, str]:
    """A citizen's browser without JavaScript: GET, or POST of a form."""
    connection = http.client.HTTPSConnection(portal, timeout=20)
    connection.sock = province.network.tls(portal, 443)
    if form is None:
        connection.request("GET", path)
    else:
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, body=urlencode(form), headers=head)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def token(province: LabProvince, portal: str = PORTAL) -> str:
    """Opens the form, and waits as long as it takes to write something."""
    status, body = ask(province, "/phan-anh", portal=portal)
    assert status == 200
    found = re.search(r'name="phieu" value="([^"]+)"', body)
    assert found
    time.sleep(4)
    return found[1]


def write(province: LabProvince, token: str, portal: str = PORTAL, **more: str) -> tuple[int, str]:
    """Fills the form and sends it."""
    form = {"phieu": token, "tieu-de": "Hỏi về bán trú", "noi-dung": "Trường có nhận bán trú không ạ?"} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    return ask(province, "/phan-anh", form, portal)


def code_in(body: str) -> str:
    """What the citizen copies."""
    found = re.search(r'class="code">([0-9A-Z-]{19})<', body)
    assert found, body
    return found[1]


def state(province: LabProvince, code: str, wanted: str = "", seconds: float = 30) -> str:
    """The page of a matter, once it is in the wanted state."""
    end = time.monotonic() + seconds
    while True:
        status, body = ask(province, f"/phan-anh/theo-doi?ma={code}")
        assert status == 200
        if not wanted or f'data-state="{wanted}"' in body:
            return body
        assert time.monotonic() < end, body
        time.sleep(0.5)


@pytest.fixture
def subject() -> str:
    """Of a matter of its own."""
    return f"Hỏi về bán trú {secrets.token_hex(4)}"


@pytest.fixture(autouse=True)
def tidy(province: LabProvince) -> Iterator[None]:
    """The mailbox is empty again for the next test, and nobody's budget is spent."""
    yield
    tidied(province)


def tidied(province: LabProvince) -> None:
    """Do so, for others too."""
    province.run(HOST, "systemctl restart edumail-feedback.service")
    with province.imap(CLERK) as client:
        _, (count,) = client.select(FOLDER)
        if count == b"0":
            return
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.close()


def arrived(province: LabProvince, subject: str) -> EmailMessage:
    """The letter, as the clerk finds it in the school's mailbox."""
    return province.wait_for(CLERK, "SUBJECT", subject, folder=FOLDER)


def reply(province: LabProvince, letter: EmailMessage, text: str, login: str = CLERK, sender: str = "") -> str:
    """The clerk's mail program answers, quoting; gives the Message-ID. Raises smtplib.SMTPException."""
    answer = EmailMessage()
    answer["From"] = sender or login
    answer["To"] = str(letter["Reply-To"])
    answer["Subject"] = f"Re: {letter['Subject']}"
    answer["In-Reply-To"] = answer["References"] = str(letter["Message-ID"])
    answer["Message-ID"] = f"<{secrets.token_hex(12)}@suoimo.minhha.test>"
    quoted = "\n".join(f"> {line}" for line in letter.get_content().splitlines())
    answer.set_content(f"{text}\n\nVào 25-11-2026 08:00, Người dân đã viết:\n{quoted}\n")
    with province.submission(login, host=province.front) as client:
        client.send_message(answer, from_addr=sender or login)
    return str(answer["Message-ID"])


def test_from_the_form_to_the_clerk_and_back(province: LabProvince, subject: str) -> None:
    status, body = write(province, token(province), tieu_de=subject, ten="Nguyễn Văn Đ", thu="phuhuynh@ngoai.test")
    assert status == 200
    code = code_in(body)
    letter = arrived(province, subject)
    assert "Trường có nhận bán trú không ạ?" in letter.get_content()
    assert code not in letter.as_string()
    state(province, code, "delivered")
    reply(province, letter, f"Trường có nhận bán trú. {subject}", sender=ADDRESS)
    body = state(province, code, "answered")
    assert f"Trường có nhận bán trú. {subject}" in body
    assert "đã viết" not in body
    message, raw = foreign(subject)
    assert message["From"].addresses[0].addr_spec == ADDRESS
    assert f"Trường có nhận bán trú. {subject}" in message.get_content()
    assert "dkim=pass" in raw


def foreign(subject: str, seconds: float = 60) -> tuple[EmailMessage, str]:
    """The letter in the citizen's mailbox outside, and what their provider found."""
    end = time.monotonic() + seconds
    while True:
        for raw in lab.foreign_inbox("phuhuynh"):
            message = email.message_from_bytes(raw, policy=email.policy.default)
            if subject in str(message["Subject"]):
                return message, raw.decode("utf-8", "replace")  # type: ignore[return-value]
        assert time.monotonic() < end, f"{subject} did not come to the outside"
        time.sleep(0.5)


def test_a_question_is_published_and_withdrawn(province: LabProvince, subject: str) -> None:
    _, body = write(province, token(province), tieu_de=subject, ten="Nguyễn Văn Đ", dien_thoai="0912 345 678")
    code, letter = code_in(body), arrived(province, subject)
    reply(province, letter, "#congkhai\nTrường có nhận bán trú.")
    state(province, code, "answered")
    _, body = ask(province, "/hoi-dap")
    assert subject in body
    assert "Nguyễn Văn Đ" not in body
    assert "0912" not in body
    reply(province, letter, "#gocongkhai")
    end = time.monotonic() + 30
    while subject in ask(province, "/hoi-dap")[1]:
        assert time.monotonic() < end
        time.sleep(0.5)


def test_only_holders_answer(province: LabProvince, subject: str) -> None:
    code = code_in(write(province, token(province), tieu_de=subject)[1])
    letter = arrived(province, subject)
    target = letter["Reply-To"].addresses[0].addr_spec
    # Those who can't sign in don't get so far; who can, and does not hold the mailbox, is told.
    with province.network.smtp(province.gateway) as client:
        for sender in ("phuhuynh@ngoai.test", ""):
            client.mail(sender)
            assert client.rcpt(target)[0] >= 500
            client.rset()
    message_id = reply(province, letter, "Không phải tôi.", login=TEACHER)
    bounce = province.wait_for(TEACHER, "TEXT", message_id)
    assert "5.7.1" in bounce.as_string()
    assert 'data-state="delivered"' in state(province, code)
    with pytest.raises(smtplib.SMTPException):
        reply(province, letter, "Mạo danh.", login=TEACHER, sender=ADDRESS)


def test_what_no_citizen_writes_is_refused_with_a_word(province: LabProvince, subject: str) -> None:
    shown = token(province)
    for given in (
        {"thu": "a@b.test\r\nBcc: c@d.test"},
        {"tieu_de": f"{subject}\r\nBcc: c@d.test"},
        {"trang_web": "https://mua.test"},
        {"noi_dung": "https://a.test " * 6},
    ):
        status, body = write(province, shown, **{"tieu_de": subject} | given)
        assert status == 400, given
        assert 'role="alert"' in body
    assert write(province, "1.2.3", tieu_de=subject)[0] == 400
    assert ask(province, "/phan-anh", {"noi-dung": "x" * 250_000}) == (413, error_page(413))
    assert ask(province, "/phan-anh/theo-doi?ma=0000-0000-0000-0000")[0] == 404


def test_a_flood_is_refused(province: LabProvince) -> None:
    answers = [ask(province, "/phan-anh", {"phieu": "x"}) for _ in range(80)]
    assert answers[0][0] == 400
    assert answers[-1] == (429, error_page(429))
    time.sleep(5)
    assert ask(province, "/phan-anh")[0] == 200


def test_a_mail_server_that_is_down_and_a_service_that_is_killed_lose_nothing(
    province: LabProvince, subject: str
) -> None:
    shown = token(province)
    province.run(HOST, "systemctl stop postfix.service")
    try:
        status, body = write(province, shown, tieu_de=subject)
        assert status == 200
        code = code_in(body)
        province.run(HOST, f"systemctl kill -s KILL {SERVICES}")
        time.sleep(3)
        assert 'data-state="received"' in state(province, code)
    finally:
        province.run(HOST, "systemctl start postfix.service")
    arrived(province, subject)
    state(province, code, "delivered")
    assert code_in(write(province, shown, tieu_de=subject)[1]) == code  # the browser asks again: still one matter


def outside(sender: str, what: str, seconds: float = 60) -> EmailMessage:
    """The letter that a citizen outside got, whose subject has ``what`` in it."""
    end = time.monotonic() + seconds
    while True:
        for raw in lab.foreign_inbox(sender.partition("@")[0]):
            message = email.message_from_bytes(raw, policy=email.policy.default)
            if what in str(message["Subject"]):
                return message  # type: ignore[return-value]
        assert time.monotonic() < end, f"{what} did not come to {sender}"
        time.sleep(0.5)


def test_plain_mail_to_the_address_does_the_same(province: LabProvince, subject: str) -> None:
    citizen = f"dan{secrets.token_hex(4)}@ngoai.test"
    message = new_message(citizen, ADDRESS, subject=subject)
    lab.foreign_send(citizen, ADDRESS, message.as_bytes())
    letter = province.wait_for(CLERK, "SUBJECT", subject, folder=FOLDER)
    acknowledged = outside(citizen, subject)
    assert acknowledged["From"].addresses[0].addr_spec == ADDRESS
    assert acknowledged["Auto-Submitted"] == "auto-replied"
    assert "dkim=pass" in str(acknowledged["Authentication-Results"])
    found = re.search(r"ma=([0-9A-Z-]{19})", acknowledged.get_content())
    assert found
    state(province, found[1], "delivered")
    answer = new_message(ADDRESS, citizen, subject=f"Re: {subject}", in_reply_to=str(letter["Message-ID"]))
    answer.set_content(f"Trường có xe đưa đón.\n\nOn hôm nay, {citizen} wrote:\n> lời cũ\n")
    with province.submission(CLERK, host=province.front) as client:
        client.send_message(answer, from_addr=ADDRESS, to_addrs=[citizen])
    body = state(province, found[1], "answered")
    assert "Trường có xe đưa đón." in body
    assert "lời cũ" not in body
    # A second question on the same day is a matter of its own.
    again = new_message(citizen, ADDRESS, subject=f"{subject} lần hai")
    lab.foreign_send(citizen, ADDRESS, again.as_bytes())
    province.wait_for(CLERK, "SUBJECT", f"{subject} lần hai", folder=FOLDER)
    second = re.search(r"ma=([0-9A-Z-]{19})", outside(citizen, f"{subject} lần hai").get_content())
    assert second
    assert second[1] != found[1]
    state(province, second[1], "delivered")
    time.sleep(4)
    assert len([raw for raw in lab.foreign_inbox(citizen.partition("@")[0]) if b"auto-replied" in raw]) == 2
    count = "python3 -c \"import sqlite3; print(sqlite3.connect('/var/lib/edumail/feedback/feedback.db')"
    count += ".execute('SELECT count(*) FROM matter WHERE email = ?', ('" + citizen + "',)).fetchone()[0])\""
    assert province.run(HOST, count).strip() == "2"


def test_what_colleagues_write_is_not_acknowledged(province: LabProvince, subject: str) -> None:
    province.send(TEACHER, ADDRESS, subject=subject)
    province.wait_for(CLERK, "SUBJECT", subject, folder=FOLDER)
    time.sleep(3)
    with province.imap(TEACHER) as client:
        client.select("INBOX")
        client.literal = subject.encode()
        assert client.search("UTF-8", "SUBJECT")[1] == [b""]
