"""The letters of feedback: to the unit's mailbox, its answer to the citizen, and what an answer says. Pure."""

from __future__ import annotations

import email
import email.policy
import re
import time
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html.parser import HTMLParser

from edumail_feedback import Matter

LOCAL = "phan-anh"
ABOVE = "--- Trả lời phía trên dòng này / Reply above this line ---"
PUBLISH, WITHDRAW = "#congkhai", "#gocongkhai"
ANSWER_CHARACTERS = 20_000
POLICY = email.policy.SMTP
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)


def is_address(text: str) -> bool:
    """Whether mail could go there: plain ASCII, one address, nothing quoted."""
    return len(text) <= 254 and len(text.partition("@")[0]) <= 64 and _ADDRESS.fullmatch(text) is not None


def line(text: str) -> str:
    """Text on one line, for a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _message(sender: str, shown: str, recipient: str, subject: str, message_id: str) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    local, _, domain = sender.rpartition("@")
    message["From"] = Address(line(shown), local, domain)
    message["To"] = Address("", *recipient.rsplit("@", 1))
    message["Subject"] = line(subject)[:200]
    message["Date"] = format_datetime(datetime.fromtimestamp(int(time.time()), UTC))
    message["Message-ID"] = message_id
    return message


def to_unit(matter: Matter, address: str, domain: str) -> tuple[str, str, str, bytes]:
    """The letter to the unit's mailbox. A plain answer to it is the answer to the citizen."""
    sender = f"{LOCAL}+{matter.key}@{domain}"
    message = _message(
        sender, matter.name or "Người dân (cổng thông tin)", address, f"[Phản ánh] {matter.subject}", matter.message_id
    )
    message["Reply-To"] = Address("Trả lời người dân", f"{LOCAL}+{matter.key}", domain)
    message["Auto-Submitted"] = "auto-generated"
    contact = [
        f"{name}: {value}"
        for name, value in (("Họ tên", matter.name), ("Thư điện tử", matter.email), ("Điện thoại", matter.phone))
        if value
    ]
    message.set_content(
        "\n".join(
            (
                ABOVE,
                "",
                "Một người dân gửi phản ánh sau qua cổng thông tin của đơn vị.",
                "Chỉ cần trả lời thư này: câu trả lời được chuyển tới người dân nếu họ để lại địa chỉ thư điện tử,"
                " và họ đọc được trên cổng bằng mã theo dõi.",
                f"Dòng đầu là {PUBLISH}: hỏi và đáp được công khai ở mục Hỏi đáp, không kèm tên và cách liên hệ."
                f" Dòng đầu là {WITHDRAW}: thôi công khai.",
                "",
                *(contact or ["Người gửi không để lại tên và cách liên hệ."]),
                f"Tiêu đề: {matter.subject}",
                "",
                matter.text,
                "",
            )
        ),
        cte="base64",
    )
    return "matter", sender, address, message.as_bytes()


def to_citizen(
    matter: Matter, unit_name: str, address: str, answer: str, number: str, attached: EmailMessage | None = None
) -> tuple[str, str, str, bytes]:
    """The unit's answer, from its own address, with what was attached to it."""
    message = _message(
        address,
        unit_name,
        matter.email,
        f"Re: {matter.subject}",
        f"<{matter.key}.{number}@{address.rpartition('@')[2]}>",
    )
    message["In-Reply-To"] = message["References"] = matter.message_id
    message.set_content(f"{answer}\n\n-- \n{unit_name}\nBạn hỏi: {matter.subject}\n", cte="base64")
    for part in attached.iter_attachments() if attached is not None and attached.is_multipart() else ():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and part.get_filename():
            message.add_attachment(
                payload,
                maintype=part.get_content_maintype(),
                subtype=part.get_content_subtype(),
                filename=line(part.get_filename() or "")[:150],
            )
    return "answer", address, matter.email, message.as_bytes()


def acknowledgment(matter: Matter, unit_name: str, address: str, portal: str, code: str) -> tuple[str, str, str, bytes]:
    """To somebody who wrote to the unit's address by plain mail. It has no sender, so that nothing answers it."""
    message = _message(
        address,
        unit_name,
        matter.email,
        f"Đã tiếp nhận: {matter.subject}",
        f"<{matter.key}.tiepnhan@{address.rpartition('@')[2]}>",
    )
    message["In-Reply-To"] = message["References"] = matter.message_id
    message["Auto-Submitted"] = "auto-replied"
    message.set_content(
        f"{unit_name} đã nhận thư của bạn.\n\nMã theo dõi: {code}\n"
        f"Xem tình trạng: https://{portal}/phan-anh/theo-doi?ma={code}\n\n"
        "Đây là thư tự động; câu trả lời sẽ tới trong một thư khác.\n",
        cte="base64",
    )
    return "acknowledgment", "", matter.email, message.as_bytes()


def parsed(raw: bytes) -> EmailMessage:
    """A message as it came."""
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def header(message: EmailMessage, name: str) -> str:
    """A header as text; empty where there is none, or none that can be read."""
    try:
        return line(str(message.get(name) or ""))
    except Exception:
        return ""


def is_automatic(message: EmailMessage) -> bool:
    """Whether a program wrote it, not a person (RFC 3834)."""
    return (
        header(message, "Auto-Submitted").lower() not in ("", "no")
        or header(message, "Precedence").lower() in ("bulk", "list", "junk", "auto_reply")
        or any(message.get(name) is not None for name in ("List-Id", "List-Unsubscribe", "X-Autoreply", "X-Loop"))
    )


def references(message: EmailMessage) -> list[str]:
    """The messages that this one answers, at most fifty."""
    return re.findall(r"<[^<>\s]+>", f"{header(message, 'In-Reply-To')} {header(message, 'References')}")[:50]


def plain_text(message: EmailMessage) -> str:
    """What it says, from its plain part, or from its HTML."""
    try:
        body = message.get_body(("plain", "html"))
        text = str(body.get_content()) if body is not None else ""  # type: ignore[union-attr]
        if body is not None and body.get_content_subtype() == "html":
            text = _from_html(text)
    except Exception:
        text = ""
    return "".join(
        c for c in text.replace("\r\n", "\n").replace("\r", "\n") if c == "\n" or c.isprintable() or c == "\t"
    )


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.hidden = 0
        self.quoted = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style", "head")
        self.quoted += tag == "blockquote"
        if tag in ("br", "p", "div", "tr", "li", "blockquote"):
            self.said.append("\n" + "> " * bool(self.quoted))

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "head") and self.hidden > 0
        self.quoted -= tag == "blockquote" and self.quoted > 0
        if tag in ("p", "blockquote"):
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.said.append(re.sub(r"\s+", " ", data))


def _from_html(text: str) -> str:
    reader = _Html()
    reader.feed(text)
    return "".join(reader.said)


_ATTRIBUTION = re.compile(r"^(On|Vào|Ngày|Lúc|Vao)\b.{0,400}(wrote|viết|viet|đã viết)\s*:$", re.IGNORECASE | re.DOTALL)
_ORIGINAL = re.compile(
    r"^(-{2,}\s*(Original Message|Thư gốc|Tin nhắn gốc|Thông điệp gốc|Forwarded message|Reply above this line).*"
    r"|_{10,}|--- Trả lời phía trên dòng này.*)$",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^\*?(From|Từ|Người gửi)\s*:\*?\s.+@", re.IGNORECASE)


def own_words(text: str) -> str:
    """An answer without what it quotes and without its signature, whichever of the two comes first."""
    kept: list[str] = []
    rows = text.split("\n")
    at = 0
    while at < len(rows):
        row = rows[at].strip()
        if row.startswith(">"):
            at += 1
            continue
        if rows[at].rstrip("\r") in ("-- ", "--") or _ORIGINAL.match(row) or _HEADER.match(row):
            break
        length = next((n for n in (1, 2, 3) if _ATTRIBUTION.match("\n".join(r.strip() for r in rows[at : at + n]))), 0)
        if length:
            at += length
            continue
        kept.append(rows[at].rstrip())
        at += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()[:ANSWER_CHARACTERS]


def answer(message: EmailMessage) -> tuple[str, bool | None]:
    """What an answer says to the citizen, and whether question and answer are shown to all: None leaves that alone."""
    said = own_words(plain_text(message))
    first, _, rest = said.partition("\n")
    word = first.strip().lower()
    if word in (PUBLISH, WITHDRAW):
        return rest.strip(), word == PUBLISH
    return said, None
