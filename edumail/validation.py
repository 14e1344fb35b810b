"""Pydantic's findings as sentences for the person who wrote the line, in both languages."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edumail import fields
from edumail.model import CERTIFICATE_SOURCES
from edumail.portal import model as portal
from edumail.problems import Problem
from edumail.yamlsource import Document, Path

M = TypeVar("M", bound=BaseModel)

_PATTERNS = {
    fields.ADDRESS_PATTERN: (
        "phải là một địa chỉ thư chữ thường không dấu, như vanthu@truong.tinh.edu.vn",
        "must be a mail address in lower case ASCII, such as vanthu@school.province.edu.vn",
    ),
    fields.DOMAIN_PATTERN: (
        "phải là một tên miền chữ thường không dấu, như truong.tinh.edu.vn",
        "must be a domain name in lower case ASCII, such as school.province.edu.vn",
    ),
    fields.ID_PATTERN: (
        "phải là mã gồm chữ thường không dấu, chữ số và dấu gạch ngang, như thcs-le-loi",
        "must be an id of lower-case letters, digits and hyphens, such as thcs-le-loi",
    ),
    fields.POST_PATTERN: (
        "phải là mã chức vụ gồm chữ thường, chữ số và dấu gạch dưới, như pho_hieu_truong",
        "must be a post's code of lower-case letters, digits and underscores, such as pho_hieu_truong",
    ),
    rf"^{fields.LOCAL_PATTERN}$": (
        "phải là phần trước @ của địa chỉ: chữ thường không dấu, chữ số, dấu chấm, gạch ngang, như ds-thutruong",
        "must be what stands before the @: lower-case letters, digits, dots and hyphens, such as ds-thutruong",
    ),
    fields.TEXT_PATTERN: (
        "không được để trống hay chứa ký tự điều khiển hoặc ký tự ẩn; xóa rồi gõ lại",
        "must not be empty or hold control or invisible characters; delete it and type it again",
    ),
    fields.PHONE_PATTERN: (
        "phải là số điện thoại, như 0251 3 822 101",
        "must be a telephone number, such as 0251 3 822 101",
    ),
    fields.EXTENSION_PATTERN: (
        "phải là đuôi tên tệp, không có dấu chấm, như exe",
        "must be the ending of file names, without the dot, such as exe",
    ),
    fields.SSH_KEY_PATTERN: (
        "phải là một khóa công khai SSH trên một dòng, như trong tệp id_ed25519.pub",
        "must be an SSH public key on one line, as in a file id_ed25519.pub",
    ),
    fields.REQUIREMENTS_PATTERN: (
        "phải là mã yêu cầu của thông tư, như C37-4.5, hoặc phần đầu của mã và dấu sao, như C37-4.*",
        "must be the id of a requirement, such as C37-4.5, or the beginning of ids and a star, such as C37-4.*",
    ),
    fields.DIRECTORY_PATTERN: (
        "phải là địa chỉ thư mục ACME, như https://acme-v02.api.letsencrypt.org/directory",
        "must be the address of an ACME directory, such as https://acme-v02.api.letsencrypt.org/directory",
    ),
    portal.URL_PATTERN: (
        "phải là một địa chỉ https, như https://dichvucong.tinh.gov.vn/",
        "must be an https address, such as https://services.province.gov.vn/",
    ),
    portal.FILE_NAME_PATTERN: (
        "phải là tên một tệp trong files/, chữ thường không dấu, như ke-hoach-2026.pdf",
        "must be the name of a file in files/, in lower-case letters, such as plan-2026.pdf",
    ),
    portal.COLOUR_PATTERN: (
        'phải là một màu viết thường trong ngoặc kép, như "#0b5394"',
        'must be a colour in lower case and in quotes, such as "#0b5394"',
    ),
    portal.SCHOOL_YEAR_PATTERN: (
        "phải là một năm học, như 2026-2027",
        "must be a school year, such as 2026-2027",
    ),
    portal.CANDIDATE_PATTERN: (
        "phải gồm 3 đến 20 chữ hoa không dấu hoặc chữ số, ít nhất một chữ số, như SM6001",
        "must be 3 to 20 capital letters or digits, at least one of them a digit, such as SM6001",
    ),
    portal.POINTS_PATTERN: (
        "phải là số điểm, nhiều nhất hai chữ số thập phân, như 87,5",
        "must be a number of points, with two decimals at most, such as 87.5",
    ),
}

# Keys whose absence is more than a slip of the pen: law asks for what they say.
_MISSING = {
    "officer": (
        "thiếu «officer»: Điều 4 khoản 5 yêu cầu mỗi đơn vị có cán bộ phụ trách thư điện tử;"
        " ghi mã người hoặc mã chức vụ",
        "'officer' is missing: Article 4 clause 5 asks for an officer in charge of email;"
        " give the person's id, or the code of a post",
    ),
    "public_address": (
        "thiếu «public_address»: Điều 4 khoản 2 yêu cầu công khai một địa chỉ tiếp nhận ý kiến; "
        "ghi một hộp thư của đơn vị",
        "'public_address' is missing: Article 4 clause 2 asks for a published address; name a mailbox of the unit",
    ),
    "issuers": (
        "thiếu «issuers»: bản ghi CAA phải nêu nhà cung cấp được cấp chứng thư, như [letsencrypt.org]",
        "'issuers' is missing: CAA records have to name the authority that may certify, such as [letsencrypt.org]",
    ),
}

_TYPES = {
    "string_type": ("phải là chữ; đặt trong ngoặc kép", "must be text; put it in quotes"),
    "int_type": (
        "phải là số nguyên, chỉ gồm chữ số và không có ngoặc kép, như 30",
        "must be a whole number, of digits alone and without quotes, such as 30",
    ),
    "bool_type": ("phải là true hoặc false", "must be true or false"),
    "bool_parsing": ("phải là true hoặc false", "must be true or false"),
    "tuple_type": ("phải là danh sách: mỗi mục một dòng, bắt đầu bằng «- »", "must be a list: one '- ' line an item"),
    "dict_type": ("phải gồm các dòng «khóa: giá trị»", "must be lines of 'key: value'"),
    "model_attributes_type": ("phải gồm các dòng «khóa: giá trị»", "must be lines of 'key: value'"),
    "model_type": ("phải gồm các dòng «khóa: giá trị»", "must be lines of 'key: value'"),
    "ip_v4_address": ("phải là địa chỉ IPv4, như 203.0.113.10", "must be an IPv4 address, such as 203.0.113.10"),
    "ip_network": (
        "phải là một mạng hay địa chỉ, như 203.0.113.0/24 hoặc 2001:db8::/32; sau độ dài chỉ còn bit 0",
        "must be a network or an address, such as 203.0.113.0/24 or 2001:db8::/32, with no bits after its length",
    ),
    "date": ("phải là một ngày, như 2027-06-30", "must be a day, such as 2027-06-30"),
    "ip_v6_address": ("phải là địa chỉ IPv6, như 2001:db8::10", "must be an IPv6 address, such as 2001:db8::10"),
    "less_than_points": ("ít hơn số điểm; sửa một trong hai", "is less than the points; mend one of the two"),
    "person_or_post": (
        "phải có một trong hai: person là mã của một người, hoặc post là mã của một chức vụ",
        "must have one of the two: person, somebody's id, or post, the code of a post",
    ),
}


# Fields that no rule across entries looks at, and what stands in for a wrong value while these rules are asked.
_STAND_INS: dict[str, Any] = {
    "name": "?",
    "name_en": "?",
    "street_address": "?",
    "phone": "000",
    "policies": {},
    "locked": (),
    "tighten_only": (),
    "filtering": {},
    "ssh": {},
    "ssh_config": None,
    "certificates": {"from": "internal"},
    "auditors": (),
    "ipv6": None,
    "posting": "province",
    "log_retention_days": None,
    "ssh_networks": None,
    "address_rule": "given_initials",
}


def validate(kind: type[M], document: Document, path: Path, value: Any) -> M | None:
    """``value`` at ``path`` of ``document`` as a ``kind``, with its mistakes added to the document's.

    An entry whose mistakes concern nobody else is given with stand-ins for what is wrong, so that one misspelt key
    does not hide what else is wrong around the entry; None where that can't be.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
    for details in found:
        document.problems.append(_problem(document, path, details, kind))
    if not isinstance(value, dict):
        return None
    mended = dict(value)
    for details in found:
        name = details["loc"][0] if details["loc"] else ""
        if name in _STAND_INS and name in kind.model_fields:
            mended[str(name)] = _STAND_INS[str(name)]
        elif details["type"] == "extra_forbidden" and len(details["loc"]) == 1:
            mended.pop(name, None)
        else:
            return None
    try:
        return kind.model_validate(mended)
    except ValidationError:
        return None


def _problem(document: Document, base: Path, details: ErrorDetails, kind: type[BaseModel]) -> Problem:
    loc = _written(document, base, tuple(part for part in details["loc"] if part != "[key]"))
    where = document.where((*base, *loc))
    name = next((part for part in reversed(loc) if isinstance(part, str)), "")
    vi, en = explain(details, name, kind)
    return Problem(where, details["type"].replace("_", "-"), vi, en)


def _written(document: Document, base: Path, loc: Path) -> Path:
    """``loc`` without the words that pydantic puts in for the kind it took an entry for: they stand in no file."""
    found: Path = ()
    for part in loc[:-1]:
        if (*base, *found, part) in document.places:
            found = (*found, part)
    return (*found, *loc[-1:])


def explain(details: ErrorDetails, name: str, kind: type[BaseModel]) -> tuple[str, str]:
    """What is wrong with the value called ``name`` and what to write instead: (Vietnamese, English)."""
    context = details.get("ctx", {})
    shown = _shown(details["input"])
    found_vi, found_en = (f"«{name}» là {shown}: ", f"'{name}' is {shown}: ") if name else (f"{shown}: ", f"{shown}: ")
    match details["type"]:
        case "missing":
            return _MISSING.get(
                name, (f"thiếu «{name}»; thêm dòng «{name}: …»", f"'{name}' is missing; add '{name}: …'")
            )
        case "extra_forbidden":
            known = ", ".join(sorted(kind.model_fields)) if len(details["loc"]) == 1 else ""
            return (
                f"không có khóa nào tên «{name}»; sửa chính tả hoặc xóa" + (f" (có: {known})" if known else ""),
                f"there is no key '{name}'; mend the spelling or delete it"
                + (f" (there are: {known})" if known else ""),
            )
        case "union_tag_invalid" | "union_tag_not_found":
            sources = ", ".join(CERTIFICATE_SOURCES)
            return (
                f"«{name}» cần dòng «from: …», với một trong: {sources}",
                f"'{name}' needs a line 'from: …' with one of: {sources}",
            )
        case "string_pattern_mismatch":
            vi, en = _PATTERNS.get(
                context["pattern"], ("có ký tự không được phép", "holds a character not allowed here")
            )
            return found_vi + vi, found_en + en
        case "literal_error":
            expected = str(context["expected"]).replace(" or ", ", ")
            return found_vi + f"chỉ nhận {expected}", found_en + f"must be one of {expected}"
        case "greater_than_equal":
            return found_vi + f"phải từ {context['ge']} trở lên", found_en + f"must be {context['ge']} or more"
        case "less_than_equal":
            return found_vi + f"phải từ {context['le']} trở xuống", found_en + f"must be {context['le']} or less"
        case "string_too_long":
            limit = context["max_length"]
            return found_vi + f"dài quá {limit} ký tự", found_en + f"is longer than {limit} characters"
        case "string_too_short":
            return (
                f"«{name}» còn trống; viết nội dung, hoặc xóa dòng này",
                f"'{name}' is empty; write it, or delete the line",
            )
        case "too_short":
            return f"«{name}» phải có ít nhất một mục", f"'{name}' needs at least one item"
        case other:
            vi, en = _TYPES.get(other, (f"không hợp lệ ({details['msg']})", f"is not valid ({details['msg']})"))
            return found_vi + vi, found_en + en


def _shown(value: Any) -> str:
    if value is None:
        return "(trống/empty)"
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "“" + (text if len(text) <= 60 else text[:57] + "…") + "”"
