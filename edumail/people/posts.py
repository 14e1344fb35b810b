"""Posts as spreadsheets write them → codes of the catalogue."""

from __future__ import annotations

import re

from edumail.model import Post
from edumail.people.headers import plain
from edumail.roster import post_codes
from edumail.text import nfc

_VARIANTS = {
    "hieu_truong": "ht",
    "pho_hieu_truong": "pht; p ht; p hieu truong; pho ht; hieu pho",
    "giam_doc": "gd",
    "pho_giam_doc": "pgd; p giam doc",
    "pho_truong_phong": "p truong phong; pho phong",
    "chuyen_vien": "cv; chuyen vien chinh",
    "van_thu": "vt; nhan vien van thu; nv van thu; can bo van thu; van thu luu tru",
    "ke_toan": "kt; nhan vien ke toan; nv ke toan; ke toan truong",
    "thu_quy": "tq; nhan vien thu quy; nv thu quy",
    "y_te": "yt; nhan vien y te; nv y te; y te hoc duong; y te truong hoc; can bo y te",
    "thu_vien": "tv; nhan vien thu vien; nv thu vien; can bo thu vien",
    "thiet_bi": "tb; nhan vien thiet bi; nv thiet bi; can bo thiet bi",
    "phu_trach_cntt": "cntt; pt cntt; can bo cntt; nhan vien cntt; nv cntt; phu trach cong nghe thong tin",
    "to_truong": "tt; ttcm; to truong chuyen mon; to truong cm",
    "to_pho": "tp; tpcm; to pho chuyen mon; to pho cm; pho to truong",
    "giao_vien": "gv; giao vien hang i; giao vien hang ii; giao vien hang iii; gv hang ii; gv hang iii; "
    "giao vien mam non; giao vien tieu hoc; giao vien thcs; giao vien thpt",
    "nhan_vien": "nv; nhan vien hop dong",
}
"""Of what schools write only what can mean one post. Those that a province's catalogue lacks are not known there."""


_BEGINNINGS = {
    "giao_vien": ("giao vien ", "gv "),
    "to_truong": ("to truong ", "tt "),
    "to_pho": ("to pho ",),
    "nhan_vien": ("nhan vien ", "nv ", "bao ve", "phuc vu", "tap vu", "cap duong", "nau an", "lai xe"),
}
"""A subject or a job behind these words says more than a post does: it is told, and read as the post."""


class PostWords:
    """The posts of a province by everything that a school may write for them."""

    def __init__(self, posts: dict[str, Post]):
        self._codes = {plain(word): code for word, code in post_codes(posts).items()}
        for code, words in _VARIANTS.items():
            if code in posts:
                for word in words.split(";"):
                    self._codes.setdefault(word.strip(), code)
        self._beginnings = [(word, code) for code, words in _BEGINNINGS.items() if code in posts for word in words]
        self._names = {code: post.name for code, post in posts.items()}
        self.known = ", ".join(post.name for post in posts.values())

    def read(self, text: str) -> tuple[tuple[str, ...], list[str]]:
        """The codes in a cell, each once in the order written, and the words that mean no post."""
        codes: dict[str, None] = {}
        unknown = []
        for word in self._parts(text):
            code = self._codes.get(plain(word)) or self._guess(word)
            if code is None:
                unknown.append(word)
            else:
                codes[code] = None
        return tuple(codes), unknown

    def guessed(self, text: str) -> dict[str, str]:
        """Words in a cell that are no post and were taken for one: word → the post's name."""
        words = [word for word in self._parts(text) if plain(word) not in self._codes]
        return {word: self._names[code] for word in words if (code := self._guess(word)) is not None}

    def _guess(self, word: str) -> str | None:
        text = plain(word)
        return next((code for beginning, code in self._beginnings if text.startswith(beginning)), None)

    def _parts(self, text: str) -> list[str]:
        lines = (nfc(line).lstrip("-–• ").strip() for line in re.split(r"[;,+&\n\r]", text))
        return [word for line in lines for word in self._words(line)]

    def _words(self, text: str) -> list[str]:
        """One post, or several joined by a word or a stroke, which a post's own name may have too."""
        if not text:
            return []
        if plain(text) in self._codes:
            return [text]
        parts = [part.strip() for part in re.split(r"/|\s+và\s+|\s+kiêm\s+|\s+[-–]\s+", text, flags=re.IGNORECASE)]
        parts = [part for part in parts if part]
        known = all(plain(part) in self._codes or self._guess(part) for part in parts)
        return parts if known or not self._guess(text) else [text]
