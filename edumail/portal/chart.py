"""A bar chart as inline SVG: presentation attributes only, since the portal's policy forbids styles in pages."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 190, 4, 26, 24

MANY = 6
"""More years than that have room for the one in which each begins."""


def number(value: int) -> str:
    """A number as Vietnamese text writes it: ``12.345``."""
    return f"{value:,}".replace(",", ".")


def bars(id: str, title: str, values: Sequence[tuple[str, int]]) -> Markup:
    """Bars of one measure by year. A screen reader gets the title and every value; colours come from the stylesheet."""
    top = max((value for _, value in values), default=0) or 1
    room = (_WIDTH - 2 * _LEFT) / max(len(values), 1)
    width = min(room * 0.6, 56)
    words = "; ".join(f"{label}: {number(value)}" for label, value in values)
    parts = [
        f'<svg class="chart" role="img" aria-labelledby="{id}-t {id}-d" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' xmlns="http://www.w3.org/2000/svg"><title id="{id}-t">{escape(title)}</title>'
        f'<desc id="{id}-d">{escape(words)}</desc>'
    ]
    floor = _HEIGHT - _BOTTOM
    for place, (label, value) in enumerate(values):
        if len(values) > MANY:
            label = label[:4]
        middle = _LEFT + room * (place + 0.5)
        height = round((floor - _TOP) * value / top, 1)
        parts.append(
            f'<rect class="bar" x="{middle - width / 2:.1f}" y="{floor - height:.1f}" width="{width:.1f}"'
            f' height="{height:.1f}" rx="2"/>'
            f'<text x="{middle:.1f}" y="{floor - height - 6:.1f}" text-anchor="middle">'
            f"<tspan>{number(value)}</tspan></text>"
            f'<text class="axis" x="{middle:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">'
            f"<tspan>{escape(label)}</tspan></text>"
        )
    parts.append(f'<line class="axis" x1="{_LEFT}" y1="{floor}" x2="{_WIDTH - _LEFT}" y2="{floor}"/></svg>')
    return Markup("".join(parts))  # noqa: S704 - words are escaped above
