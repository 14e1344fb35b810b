"""The language of this run: every sentence a person reads exists twice, and :func:`say` picks one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise

from edumail.problems import Lang

_chosen: Lang = "en"


class UserError(Exception):
    """Something a user can mend; shown as one message without a traceback. ``status`` is the exit status."""

    def __init__(self, vi: str, en: str, status: int = 1):
        self.vi, self.en, self.status = vi, en, status
        super().__init__(en)


def say(vi: str, en: str) -> str:
    """The sentence in the language of this run."""
    return vi if _chosen == "vi" else en


def language() -> Lang:
    """The language of this run."""
    return _chosen


def choose(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Fix the language before the command line is parsed, because help and usage errors are sentences too.

    ``--lang`` wins wherever it stands, then the locale as POSIX orders its variables. A wrong ``--lang`` is left
    for the parser to refuse.
    """
    global _chosen
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    _chosen = "vi" if locale.startswith("vi") else "en"
    for word, following in pairwise([*argv, ""]):
        if word == "--":
            break
        value = following if word == "--lang" else word.removeprefix("--lang=")
        if value in ("vi", "en") and word.startswith("--lang"):
            _chosen = "vi" if value == "vi" else "en"


# What argparse itself says. It asks gettext for each of these at the moment of speaking.
_ARGPARSE_VI = {
    "usage: ": "cách dùng: ",
    "positional arguments": "tham số",
    "options": "tùy chọn",
    "show this help message and exit": "in phần trợ giúp này",
    "%(prog)s: error: %(message)s\n": "%(prog)s: lỗi: %(message)s\n",
    "argument %(argument_name)s: %(message)s": "tham số %(argument_name)s: %(message)s",
    "the following arguments are required: %s": "thiếu tham số: %s",
    "unrecognized arguments: %s": "không có tham số này: %s",
    "invalid choice: %(value)r (choose from %(choices)s)": "%(value)r không hợp lệ (chọn một trong: %(choices)s)",
    "invalid %(type)s value: %(value)r": "giá trị %(value)r không hợp lệ (cần kiểu %(type)s)",
    "expected one argument": "cần một giá trị",
    "expected at least one argument": "cần ít nhất một giá trị",
    "ignored explicit argument %r": "không nhận giá trị %r",
    "not allowed with argument %s": "không dùng cùng với %s",
}


def _translated(text: str) -> str:
    return say(_ARGPARSE_VI.get(text, text), text)


class Parser(argparse.ArgumentParser):
    """A parser in the language of this run. It and all its commands take ``--lang``, before the command or after."""

    def __init__(self, **arguments: object):
        # argparse has no hook for its own words but the name under which it imported gettext.
        vars(argparse)["_"] = _translated
        super().__init__(allow_abbrev=False, **arguments)  # type: ignore[arg-type]
        self.add_argument(
            "--lang",
            choices=("vi", "en"),
            default=argparse.SUPPRESS,
            help=say("ngôn ngữ của thông báo (mặc định theo LANG)", "language of messages (default: from LANG)"),
        )


Commands = argparse._SubParsersAction  # the public type of what add_subparsers() returns does not exist
