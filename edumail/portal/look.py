"""How portals look: one stylesheet for all, and one of a few lines for each colour. Their names hold their digests."""

from __future__ import annotations

import hashlib
from functools import cache

from edumail.templates import FOLDER

_DARK_PAPER = "#12181f"
"""What the stylesheet has behind text in dark mode."""
_AA = 4.5
"""Contrast of text (WCAG 2.1, 1.4.3)."""


def _named(stem: str, content: str) -> tuple[str, bytes]:
    data = content.encode()
    return f"assets/{stem}-{hashlib.sha256(data).hexdigest()[:16]}.css", data


@cache
def stylesheet() -> tuple[str, bytes]:
    """Path in the tree and content of the stylesheet of all portals."""
    return _named("style", (FOLDER / "portal" / "assets" / "style.css").read_text(encoding="utf-8"))


@cache
def colours(colour: str) -> tuple[str, bytes]:
    """Path and content of the stylesheet that gives the unit's colour, and a light one of its hue for dark mode."""
    light = colour
    for step in range(0, 101, 4):
        light = _mix(colour, step / 100)
        if _contrast(light, _DARK_PAPER) >= _AA + 1:
            break
    css = f":root{{--brand:{colour};--link:{colour}}}\n"
    css += f"@media(prefers-color-scheme:dark){{:root{{--link:{light}}}}}\n"
    css += "@media print{:root{--link:#000}}\n"
    return _named(f"colour-{colour[1:]}", css)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mix(colour: str, white: float) -> str:
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in _rgb(colour))


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part <= 10 else float(((part / 255 + 0.055) / 1.055) ** 2.4) for part in _rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
