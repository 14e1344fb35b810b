"""Activation slips: one A4 PDF for a unit, a slip for each person, to be cut apart and handed over.

The file is the only place with the codes: hosts keep digests (roles/accounts).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from edumail.fonts import register_fonts

COLUMNS, ROWS = 2, 4
_WIDTH, _HEIGHT = A4[0] / COLUMNS, A4[1] / ROWS
_MARGIN, _QR = 8 * mm, 27 * mm


@dataclass(frozen=True)
class Slip:
    """What one person gets: ``code`` works once, up to and with the day ``until``."""

    name: str
    address: str
    code: str
    until: date
    url: str
    """The page of the person's host, with the address filled in; the code is not in it."""


@dataclass(frozen=True)
class Heading:
    """What is the same on all slips of a unit."""

    province: str
    unit: str
    page: str
    """The name under which people find the account pages."""
    webmail: str
    officer: str
    """Whom to ask: the unit's officer in charge of email (4.5)."""


def pdf(heading: Heading, slips: Sequence[Slip]) -> bytes:
    """The slips as PDF, eight on an A4 page. Raises edumail.fonts.NoFontError."""
    register_fonts()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, lang="vi")
    canvas.setTitle(f"Phiếu kích hoạt hộp thư – {heading.unit}")
    canvas.setAuthor(heading.province)
    for index, slip in enumerate(slips):
        place = index % (COLUMNS * ROWS)
        if index and not place:
            canvas.showPage()
        if not place:
            _cut_lines(canvas)
        column, row = place % COLUMNS, place // COLUMNS
        canvas.saveState()
        canvas.translate(column * _WIDTH, A4[1] - (row + 1) * _HEIGHT)
        _slip(canvas, heading, slip)
        canvas.restoreState()
    canvas.save()
    return out.getvalue()


def _cut_lines(canvas: Canvas) -> None:
    canvas.setDash(2, 3)
    canvas.setLineWidth(0.4)
    for row in range(1, ROWS):
        canvas.line(0, row * _HEIGHT, A4[0], row * _HEIGHT)
    canvas.line(_WIDTH, 0, _WIDTH, A4[1])
    canvas.setDash()


def _slip(canvas: Canvas, heading: Heading, slip: Slip) -> None:
    """One slip, its lower left corner at the origin."""
    wide = _WIDTH - 2 * _MARGIN
    beside = wide - _QR - 3 * mm
    y = _HEIGHT - _MARGIN
    y = _text(canvas, heading.unit, y, wide, 8)
    y = _text(canvas, "Phiếu kích hoạt hộp thư", y, wide, 8) - 1.5 * mm
    qr = _HEIGHT - _MARGIN - 9 * mm - _QR
    y = _text(canvas, slip.name, y, beside, 12, bold=True)
    y = _text(canvas, slip.address, y, beside, 9.5) - 1.5 * mm
    y = _text(canvas, "Mã, dùng một lần:", y, beside, 8)
    y = _text(canvas, slip.code, y - 0.5 * mm, beside, 14, bold=True)
    y = _text(canvas, f"đến hết ngày {slip.until:%d/%m/%Y}", y - 1 * mm, beside, 8)
    y = min(y, qr) - 1.5 * mm
    for line in (
        f"1. Quét mã bên phải, hoặc mở {heading.page} và gõ địa chỉ, mã.",
        "2. Tự chọn mật khẩu. Không ai khác biết mật khẩu ấy.",
        f"3. Đọc và gửi thư ở {heading.webmail}.",
        f"Phiếu chỉ cho người có tên. Mất phiếu: báo {heading.officer}.",
    ):
        y = _text(canvas, line, y - 0.3 * mm, wide, 7.5)
    widget = QrCodeWidget(slip.url, barLevel="M", barBorder=2)
    left, bottom, right, top = widget.getBounds()
    scale = _QR / (right - left)
    drawing = Drawing(_QR, _QR, transform=[scale, 0, 0, _QR / (top - bottom), 0, 0])
    drawing.add(widget)
    renderPDF.draw(drawing, canvas, _WIDTH - _MARGIN - _QR, qr)


def _text(canvas: Canvas, text: str, top: float, width: float, size: float, *, bold: bool = False) -> float:
    """Write ``text`` below ``top``, broken where it is too wide; where the next line begins."""
    font = "bold" if bold else "plain"
    lines = [part for line in simpleSplit(text, font, size, width) for part in _pieces(line, font, size, width)]
    for line in lines:
        top -= size * 1.25
        canvas.setFont(font, size)
        canvas.drawString(_MARGIN, top, line)
    return top


def _pieces(line: str, font: str, size: float, width: float) -> list[str]:
    """A word that is wider than the slip, as long addresses are, goes on in the next line."""
    pieces = [""]
    for letter in line:
        if pieces[-1] and pdfmetrics.stringWidth(pieces[-1] + letter, font, size) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
