"""The figures that checks take from local policy: their values, and which text each comes from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from edumail.circular.catalogue import Words
from edumail.model import Province
from edumail.policies import SETTINGS, Origin, shown
from edumail.units import Units

_ORIGINS: dict[Origin, Words] = {
    "law": Words("văn bản khác ấn định", "another text sets it"),
    "inference": Words("suy luận từ văn bản không ghi con số", "inferred from a text that names no figure"),
    "habit": Words("thông lệ địa phương", "local habit"),
}


@dataclass(frozen=True)
class Figure:
    """One policy."""

    name: str
    meaning: Words
    value: str
    """What holds above all units."""
    origin: Words
    """Where edumail's default comes from; who set another value answers for it."""
    others: int
    """How many of the assessed units have a value of their own."""


# What is no policy in the sense of :mod:`edumail.policies`.
_ELSEWHERE: dict[str, tuple[Words, Callable[[Province], str], Words]] = {
    "allowed_suffixes": (
        Words("đuôi tên miền được phép", "where domains may lie"),
        lambda province: shown(province.settings.allowed_suffixes),
        Words("province.yml của tỉnh", "the province's province.yml"),
    ),
    "log_retention_days": (
        Words("số ngày giữ nhật ký", "days that logs are kept"),
        lambda province: str(province.log_retention_days),
        Words(
            "đủ cho các thời hạn của văn bản khác: 330/2026, 91/2020 (10.6), 333/2026; thông tư không ấn định",
            "meets the periods of other texts: 330/2026, 91/2020 (10.6), 333/2026; the circular sets none",
        ),
    ),
    "filtering.trusted_senders": (
        Words("tên miền gửi được tin cậy", "trusted senders"),
        lambda province: shown(province.filtering.trusted_senders),
        Words("thông lệ địa phương", "local habit"),
    ),
    "news_max_age_days": (
        Words("tin mới nhất được cũ bao nhiêu ngày", "how many days old the newest item may be"),
        lambda province: "content/*/portal.yml",
        Words("quy chế của từng đơn vị (11.2c)", "each unit's own regulation (11.2c)"),
    ),
}


def figures(province: Province, units: Collection[str], names: Collection[str]) -> dict[str, Figure]:
    """The policies called ``names`` as they hold for the assessed ``units``."""
    tree = Units(province)
    result = {}
    for name in sorted(names):
        if name in SETTINGS:
            setting, value = SETTINGS[name], tree.held_by_province[name].value
            others = sum(tree.held(province.units[id])[name].value != value for id in units)
            origin = _ORIGINS[setting.origin]
            if setting.source:
                origin = Words(f"{origin.vi}: {setting.source}", f"{origin.en}: {setting.source}")
            result[name] = Figure(name, Words(setting.vi, setting.en), shown(value), origin, others)
        else:
            meaning, read, origin = _ELSEWHERE[name]
            result[name] = Figure(name, meaning, read(province), origin, 0)
    return result
