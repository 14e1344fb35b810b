"""The mail policies of a unit: typed settings; for each which way is tighter, who enforces it, whence its default.

Circular 37/2020 sets none of the figures. Where a default comes from is one of three words:

* law: another text in force names the figure, and ``source`` says which (TCVN 14423:2026 as secondary notes give it);
* inference: we concluded it from what a text asks without a figure;
* habit: it is common local habit, to be changed by whoever answers for it.

The defaults themselves stand in ``group_vars/all.yml``. How levels inherit is in :mod:`edumail.inherit`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from edumail.fields import Domain, Extension, Model, PostCode, Whole

Origin = Literal["law", "inference", "habit"]
Tighter = Callable[[Any, Any], bool]
"""Whether the first value is at least as tight as the second."""


@dataclass(frozen=True)
class Setting:
    """What is known of a setting besides its type. ``vi`` and ``en`` say in a few words what it is."""

    vi: str
    en: str
    enforcer: str
    """The program on the host that enforces it now."""
    serves: str
    """The requirement of the circular that it serves, by id."""
    origin: Origin
    """Where the figure in ``group_vars/all.yml`` comes from."""
    source: str = ""
    """With the origin "law": the text that names the figure."""
    tighter: Tighter | None = None
    """Without one neither direction is tighter, and the setting can only be locked."""


smaller: Tighter = operator.le
larger: Tighter = operator.ge


def order(*words: str) -> Tighter:
    """Words from the tightest to the loosest."""
    rank = {word: number for number, word in enumerate(words)}
    return lambda new, old: rank[new] <= rank[old]


def superset(new: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Tighter is what holds more: each item is a prohibition."""
    return set(new) >= set(old)


def fewer_exceptions(new: Mapping[str, int], old: Mapping[str, int]) -> bool:
    """Tighter is what raises fewer, and none higher."""
    return all(key in old and value <= old[key] for key, value in new.items())


def fewer_ways_out(new: str | tuple[str, ...], old: str | tuple[str, ...]) -> bool:
    """Never, then lists of domains by inclusion, then anywhere."""
    if new == "never" or old == "anywhere":
        return True
    return isinstance(new, tuple) and isinstance(old, tuple) and set(new) <= set(old)


POSTING = ("holders", "members", "unit", "branch", "province", "anyone")
"""Who may write to a group, from the tightest to the loosest: its holders, its members, the staff of the unit that owns
it, of that unit with all below it and those above it, whoever signed in in the province, everybody; see
:mod:`edumail.posting`."""

Mebibytes = Annotated[Whole, Field(ge=1, le=1_000_000)]
Days = Annotated[Whole, Field(ge=1, le=3650)]
Messages = Annotated[Whole, Field(ge=1, le=10_000_000)]
Posting = Literal["holders", "members", "unit", "branch", "province", "anyone"]
Forward = Annotated[
    Annotated[Literal["never", "anywhere"], Tag("word")] | Annotated[tuple[Domain, ...], Tag("domains")],
    Discriminator(lambda value: "domains" if isinstance(value, (list, tuple)) else "word"),
    AfterValidator(lambda value: value or "never"),  # a list of no domains
]


class Policies(Model):
    """Settings of one level of the tree; what is not set is inherited from the level above."""

    mailbox_quota_mb: Annotated[
        Mebibytes | None,
        Setting("dung lượng mỗi hộp thư, MiB", "size of each mailbox, MiB", "Dovecot", "C37-4.3.1", "habit",
                tighter=smaller),
    ] = None  # fmt: skip
    """Size of each mailbox in MiB. Default 2048, by habit. Dovecot refuses what does not fit at RCPT and at APPEND.
    Serves 4.3.1."""
    mailbox_quota_mb_by_post: Annotated[
        dict[PostCode, Mebibytes] | None,
        Setting("hộp thư lớn hơn cho người giữ chức vụ, MiB", "larger mailboxes for holders of posts, MiB", "Dovecot",
                "C37-4.3.1", "habit", tighter=fewer_exceptions),
    ] = None  # fmt: skip
    """Post → MiB of the own mailbox of whoever holds it. The largest of a person's posts counts, and no post makes a
    mailbox smaller than ``mailbox_quota_mb``. Default: none, by habit. Dovecot, as above. To fix everybody's size, lock
    both. Serves 4.3.1."""
    message_size_limit_mb: Annotated[
        Annotated[Whole, Field(ge=1, le=1000)] | None,
        Setting("thư lớn nhất được gửi, MiB", "largest message that is sent, MiB", "Rspamd, Postfix", "C37-3.4.1",
                "habit", tighter=smaller),
    ] = None  # fmt: skip
    """Largest message in MiB. What holds for the province as a whole is the limit of every host and every door (a limit
    that differs between hosts bounces mail; Postfix); a unit's own may only be smaller and is for what its people
    send (Rspamd, at submission). Default 25, by habit. Serves 3.4.1."""
    attachment_size_limit_mb: Annotated[
        Annotated[Whole, Field(ge=1, le=1000)] | None,
        Setting("tệp đính kèm lớn nhất được gửi, MiB", "largest attachment that is sent, MiB", "Rspamd", "C37-3.4.1",
                "habit", tighter=smaller),
    ] = None  # fmt: skip
    """Largest single attachment, as the file it is (not as it travels), in MiB, in what the unit's people send. Default
    25, which only ``message_size_limit_mb`` cuts short, by habit. Rspamd, at submission. Serves 3.4.1."""
    blocked_attachments: Annotated[
        tuple[Extension, ...] | None,
        Setting("thêm loại tệp không được gửi", "more kinds of file that are not sent", "Rspamd", "C37-3.4.2", "habit",
                tighter=superset),
    ] = None  # fmt: skip
    """Kinds of file, by the ending of their names, that the unit's people may not send, besides those that
    ``filtering`` refuses for everybody in both directions. Default: none, by habit. Rspamd, at submission. Serves
    3.4.2."""
    recipients_per_message: Annotated[
        Annotated[Whole, Field(ge=1, le=1000)] | None,
        Setting("số người nhận tối đa của một thư", "recipients of one message", "Rspamd", "C37-3.4.2", "habit",
                tighter=smaller),
    ] = None  # fmt: skip
    """How many recipients one message may name; a group counts as one. Default 300, by habit. Rspamd, at submission.
    Serves 3.4.2."""
    user_messages_per_hour: Annotated[
        Annotated[Whole, Field(ge=1, le=1_000_000)] | None,
        Setting("số thư một người gửi trong một giờ", "messages that one person sends in an hour", "Rspamd",
                "C37-3.4.2", "inference", tighter=smaller),
    ] = None  # fmt: skip
    """Messages that one sign-in may send in an hour; one to ten recipients counts ten. Rspamd enforces it with a leaky
    bucket: so many at once, then so many an hour. Default 300, by inference: Decree 91/2020, article 10, wants senders
    watched and names no figure. Serves 3.4.2."""
    unit_messages_per_hour: Annotated[
        Messages | None,
        Setting("số thư cả đơn vị gửi trong một giờ", "messages that the whole unit sends in an hour", "Rspamd",
                "C37-3.4.2", "inference", tighter=smaller),
    ] = None  # fmt: skip
    """The same for all sign-ins of a unit together. Default 3000, by inference. Serves 3.4.2."""
    external_sending: Annotated[
        Literal["province", "anywhere"] | None,
        Setting("gửi thư ra ngoài tỉnh", "sending to the outside", "Postfix, Rspamd", "C37-3.4.3", "habit",
                tighter=order("province", "anywhere")),
    ] = None  # fmt: skip
    """``province``: what the unit's people send, and what their filters send, stays within the province. Default
    ``anywhere``, by habit. Postfix refuses other recipients at RCPT, and Rspamd those of filters. Serves 3.4.3."""
    external_forward: Annotated[
        Forward | None,
        Setting("tự động chuyển tiếp ra ngoài tỉnh", "automatic forwarding to the outside", "Rspamd", "C37-3.4.3",
                "inference", tighter=fewer_ways_out),
    ] = None  # fmt: skip
    """Whether people's filters may forward to the outside: ``never``, to a list of domains, or ``anywhere``. Default
    ``never``, by inference: Law 91/2025 on personal data names no rule for it, but who forwards all mail abroad moves
    personal data abroad. Forwarding within the province is always free. Rspamd, at the door of filters; the letter
    stays in the mailbox. Serves 3.4.3."""
    external_forward_sender: Annotated[
        Literal["forwarder", "srs"] | None,
        Setting("thư tự động chuyển tiếp mang địa chỉ của ai", "under whose address a forward leaves",
                "Dovecot, postsrsd", "C37-3.4.3", "habit"),
    ] = None  # fmt: skip
    """Under whose envelope address leaves what people's filters forward: ``forwarder``, that of whoever forwards, who
    hears of a failure; or ``srs``, the author's, packed into one of ours (Sender Rewriting Scheme), so that the author
    hears of it. Default ``forwarder``, by habit. Dovecot names the sender, the host's postsrsd packs and unpacks it.
    Serves 3.4.3."""
    trash_days: Annotated[
        Days | None,
        Setting("số ngày giữ thư trong thùng rác", "days that a message stays in Trash", "Dovecot", "C37-3.4.1",
                "habit"),
    ] = None  # fmt: skip
    """How many days a message stays in Trash after it was moved there; Dovecot expunges it then. Default 30, by habit.
    Serves 3.4.1."""
    junk_days: Annotated[
        Days | None,
        Setting("số ngày giữ thư rác", "days that a message stays in Junk", "Dovecot", "C37-3.4.1", "habit"),
    ] = None
    """The same for Junk. Default 30, by habit. Serves 3.4.1."""
    leaver_days: Annotated[
        Days | None,
        Setting("số ngày giữ hộp thư của người đã rời đơn vị", "days that the mailbox of a leaver is kept",
                "edumail-accounts", "C37-3.4.3", "inference"),
    ] = None  # fmt: skip
    """How many days the mail of somebody who left the roster is kept; then it is deleted. The figure of the day of
    leaving counts. Default 90, by inference: Law 91/2025 forbids to keep personal data without need and names no
    figure. The command ``edumail-accounts tend`` on the host, by a timer. Serves 3.4.3."""
    feedback_days: Annotated[
        Days | None,
        Setting("số ngày giữ phản ánh gửi qua cổng", "days that feedback from the portal is kept", "edumail-feedback",
                "C37-3.4.3", "habit"),
    ] = None  # fmt: skip
    """How many days what a citizen asked through the portal is kept there, with its answer, after the last change;
    then it is deleted. The letters in the unit's mailbox are the unit's own. Default 365, by habit. The service
    ``edumail-feedback-mail`` on the host; a copy that it can't read lies 14 days in its folder. Serves 3.4.3."""
    password_min_characters: Annotated[
        Annotated[Whole, Field(ge=8, le=64)] | None,
        Setting("số ký tự tối thiểu của mật khẩu", "fewest characters of a password", "edumail-accounts", "C37-4.4d",
                "law", "TCVN 14423:2026, 4.6", larger),
    ] = None  # fmt: skip
    """Fewest characters of a password that is chosen from now on. Default 14, by law: TCVN 14423:2026, 4.6 (level 2),
    where there is no second factor. The command ``edumail-accounts activate``. Serves 4.4d."""
    password_character_classes: Annotated[
        Annotated[Whole, Field(ge=1, le=4)] | None,
        Setting("số loại ký tự trong mật khẩu", "classes of characters in a password", "edumail-accounts", "C37-4.4d",
                "law", "TCVN 14423:2026, 4.6", larger),
    ] = None  # fmt: skip
    """How many of the four classes (lower case, upper case, digits, anything else) a password has. Default 4, by law,
    as above. Serves 4.4d."""
    idle_account_days: Annotated[
        Days | None,
        Setting("số ngày không đăng nhập thì tạm khóa", "days without a sign-in until an account is suspended",
                "edumail-accounts", "C37-4.4d", "law", "TCVN 14423:2026, 4.6", smaller),
    ] = None  # fmt: skip
    """After so many days without a sign-in an account is suspended: mail still arrives, and a new code opens it again.
    Default 45, by law: TCVN 14423:2026, 4.6. The command ``edumail-accounts tend`` on the host. Serves 4.4d."""
    official_mailbox_check_hours: Annotated[
        Annotated[Whole, Field(ge=1, le=720)] | None,
        Setting("số giờ làm việc tối đa một thư của đơn vị nằm chưa ai đọc",
                "hours of working days that a letter to the unit may lie unread",
                "edumail-accounts", "C37-4.4c.2", "inference", tighter=smaller),
    ] = None  # fmt: skip
    """When no holder of a mailbox of the unit has read a letter for so many hours of working days (``calendar`` of
    ``province.yml``), its holders are reminded by mail, and after twice as many the unit's head too; again after as
    many. Default 24, by inference: the circular wants mail handled daily, which we read as within a working day. The
    command ``edumail-accounts tend`` on the host, by a timer. Serves 4.4c.2."""
    activation_code_days: Annotated[
        Annotated[Whole, Field(ge=1, le=365)] | None,
        Setting("số ngày mã kích hoạt có hiệu lực", "days that an activation code lives", "edumail-accounts",
                "C37-4.4d", "habit", tighter=smaller),
    ] = None  # fmt: skip
    """How many days a one-time activation code lives. Default 30, by habit. The command ``edumail-accounts activate``.
    Serves 4.4d."""
    posting_to_unit_groups: Annotated[
        Posting | None,
        Setting("ai được gửi tới nhóm toàn đơn vị", "who may write to a unit's groups", "Postfix", "C37-5.3", "habit",
                tighter=order(*POSTING)),
    ] = None  # fmt: skip
    """Who may write to the groups of a whole unit; see :data:`POSTING`. Default ``unit``, by habit. Postfix, at RCPT.
    Serves 5.3."""
    posting_to_section_groups: Annotated[
        Posting | None,
        Setting("ai được gửi tới nhóm của tổ", "who may write to the groups of sections", "Postfix", "C37-5.3", "habit",
                tighter=order(*POSTING)),
    ] = None  # fmt: skip
    """The same for the groups of its sections. Default ``province``, by habit. Serves 5.3."""
    posting_to_branch_groups: Annotated[
        Posting | None,
        Setting("ai được gửi tới nhóm của cả nhánh", "who may write to the groups of a branch", "Postfix", "C37-5.3",
                "habit", tighter=order(*POSTING)),
    ] = None  # fmt: skip
    """The same for groups of the unit and all units below it. Default ``branch``, by habit. Serves 5.3."""


SETTINGS: dict[str, Setting] = {
    name: next(item for item in field.metadata if isinstance(item, Setting))
    for name, field in Policies.model_fields.items()
}
"""Every setting by name, in the order of :class:`Policies`."""


def _known(name: str) -> str:
    if name not in SETTINGS:
        raise PydanticCustomError("literal_error", "unknown setting", {"expected": ", ".join(SETTINGS)})
    return name


SettingName = Annotated[str, AfterValidator(_known)]


class PolicyLevel(Model):
    """What one level of the tree says of policies, for itself and for all below it."""

    policies: Policies = Policies()
    locked: tuple[SettingName, ...] = ()
    """Settings that nobody below may set to anything else."""
    tighten_only: tuple[SettingName, ...] = ()
    """Settings that those below may only make tighter."""


def same(one: object, other: object) -> bool:
    """Whether two values of a setting say the same: in a list the order says nothing."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return set(one) == set(other)
    return one == other


def shown(value: object) -> str:
    """A value as one writes it in YAML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    return "[" + ", ".join(value) + "]" if isinstance(value, tuple) else str(value)
