"""Fonts with Vietnamese letters for what is made as PDF."""

from __future__ import annotations

from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

_LETTERS = "ĂÂĐÊÔƠƯăâđêôơưẠạẾếỮữỹ"
FONTS = (
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf", "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf"),
    ("/System/Library/Fonts/Supplemental/Arial.ttf", "/System/Library/Fonts/Supplemental/Arial Bold.ttf"),
    ("C:/Windows/Fonts/arial.ttf", "C:/Windows/Fonts/arialbd.ttf"),
)
"""Where Debian, Fedora, macOS and Windows have a font with Vietnamese letters, plain and bold."""


class NoFontError(Exception):
    """This machine has no font with Vietnamese letters where one is looked for."""


def register_fonts() -> None:
    """Make "plain" and "bold" known to reportlab. Raises NoFontError."""
    for plain, bold in FONTS:
        if Path(plain).exists() and Path(bold).exists():
            try:
                fonts = TTFont("plain", plain), TTFont("bold", bold)
            except TTFError:
                continue
            if all(ord(letter) in font.face.charToGlyph for font in fonts for letter in _LETTERS):
                for font in fonts:
                    pdfmetrics.registerFont(font)
                return
    raise NoFontError
