"""How well a colour can be read (WCAG 2.1, success criterion 1.4.3)."""

from __future__ import annotations

AA = 4.5
"""The least contrast of text of normal size."""
_WHITE = "#ffffff"


def contrast(one: str, other: str = _WHITE) -> float:
    """The contrast ratio of two colours written ``#rrggbb``, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
