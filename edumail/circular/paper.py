"""An assessment on paper: A4, to be signed by people. Every fact in it is in the JSON file whose digest it bears."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, Table

from edumail.circular.assessment import Assessment
from edumail.circular.catalogue import Requirement, requirements
from edumail.circular.page import WORDS
from edumail.circular.ranking import Score, left_to_lots
from edumail.circular.sheet import Sheet
from edumail.circular.verdicts import Finding, Verdict, counts, seen_by
from edumail.fonts import register_fonts
from edumail.model import Province

_MANY = 400
"""Above so many fails are counted by requirement, and attestations alone: paper that nobody reads proves nothing."""
_ATTESTED = "xác nhận / attested: "
"""Begins the line of evidence that says who attests it, and by which document."""
_LINES, _LETTERS = 6, 400
_WIDTH = A4[0] - 40 * mm - 12
"""Between the margins, less the six points on each side that reportlab's frame keeps free."""
_COLOURS: dict[Verdict, colors.Color] = {
    "pass": colors.HexColor("#14683a"),
    "attested": colors.HexColor("#4b3a8c"),
    "not-tested": colors.HexColor("#a87400"),
    "fail": colors.HexColor("#a3161a"),
}
_LINE, _SHADE = colors.HexColor("#b8c2cc"), colors.HexColor("#eef2f5")
_PLAIN = ParagraphStyle("plain", fontName="plain", fontSize=9.5, leading=13.5)
_SMALL = ParagraphStyle("small", _PLAIN, fontSize=8, leading=11)
_CELL = ParagraphStyle("cell", _PLAIN, fontSize=8.5, leading=11)
_HEAD = ParagraphStyle("head", _CELL, fontName="bold")
_RIGHT = ParagraphStyle("right", _CELL, alignment=2)
_TITLE = ParagraphStyle("title", _PLAIN, fontName="bold", fontSize=17, leading=23, spaceAfter=2 * mm)
_SECTION = ParagraphStyle("section", _PLAIN, fontName="bold", fontSize=12.5, leading=17, spaceBefore=7 * mm,
                          spaceAfter=2 * mm)  # fmt: skip
_CENTRE = ParagraphStyle("centre", _PLAIN, alignment=TA_CENTER)
_UNRANKED = (
    "«Chưa hỏi đủ»: có điều được tính mà không hỏi tới, hay máy không trả lời, nên không có điểm. Khi ấy, và khi chỉ "
    "kiểm tra một phần của tỉnh, các đơn vị cùng loại, cùng cơ quan quản lý không có hạng (–)."
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def pdf(province: Province, assessment: Assessment, sheet: Sheet, scores: Sequence[Score], digest: str) -> bytes:
    """The document. ``digest``: SHA-256 of the JSON file, in hexadecimal. Raises edumail.fonts.NoFontError."""
    register_fonts()
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=20 * mm,
        title=f"Đối chiếu Thông tư 37/2020/TT-BGDĐT – {province.settings.name}",
        author=province.settings.name,
        lang="vi",
        invariant=1,
    )
    fails = [finding for finding in assessment.findings if finding.verdict == "fail"]
    story = [
        *_cover(province, assessment, sheet, digest, len(scores)),
        *_units(province, sheet, scores, left_to_lots(assessment, sheet)),
        *(_by_requirement(fails) if len(fails) > _MANY else _fails(province, fails)),
        *_attested(province, [finding for finding in assessment.findings if finding.verdict == "attested"]),
    ]
    foot = f"{province.settings.name} · {assessment.local:%d/%m/%Y} · verdicts.json SHA-256 {digest[:16]}…"

    class Numbered(Canvas):  # type: ignore[misc]
        """Writes "page of pages" under each page, which is known only at the end."""

        def __init__(self, *args: object, **words: object):
            super().__init__(*args, **words)
            self.pages: list[dict[str, object]] = []

        def showPage(self) -> None:
            self.pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self.pages, 1):
                self.__dict__.update(state)
                self.setFont("plain", 7.5)
                self.setFillColor(colors.HexColor("#444444"))
                self.drawString(20 * mm, 11 * mm, foot)
                self.drawRightString(A4[0] - 20 * mm, 11 * mm, f"trang {number}/{len(self.pages)}")
                super().showPage()
            super().save()

    document.build(story, canvasmaker=Numbered)
    return out.getvalue()


def _cover(province: Province, assessment: Assessment, sheet: Sheet, digest: str, units: int) -> list[Flowable]:
    number = counts(assessment.findings)
    settings = province.settings
    silent = assessment.silent(province)
    tested = len(set(assessment.asked) & assessment.checks.keys())
    every, follow = len(requirements()), len(assessment.asked) - tested
    facts = [
        ("Thời điểm", f"{assessment.local:%H:%M ngày %d/%m/%Y} (UTC+7)"),
        ("Máy chủ được hỏi", ", ".join(assessment.hosts) or "–"),
        *([("Không trả lời câu nào", ", ".join(silent))] if silent else []),
        *([("Máy chủ không hỏi", ", ".join(assessment.left))] if assessment.left else []),
        ("Phạm vi", f"{units} đơn vị × {every} yêu cầu: {tested} có phép thử, {follow} suy từ yêu cầu khác"),
        ("Kết luận", "; ".join(f"{WORDS[name][1]}: {number[name]}" for name in (*_COLOURS, "not-applicable"))),
        *([("Commit của edumail", assessment.commit)] if assessment.commit else []),
        ("SHA-256 của verdicts.json", f"{digest[:32]} {digest[32:]}"),
    ]
    rows = [[Paragraph(_said(name), _HEAD), Paragraph(_said(text), _CELL)] for name, text in facts]
    table = Table(rows, colWidths=[42 * mm, _WIDTH - 42 * mm])
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE)])
    incomplete = []
    if assessment.incomplete:
        reasons = "; ".join(_said(reason[:_LETTERS]) for reason in assessment.incomplete[:_LINES])
        if (more := len(assessment.incomplete) - _LINES) > 0:
            reasons += f"; … và {more} lý do nữa (and {more} more), trong verdicts.json"
        words = f'<font color="#a3161a"><b>Lần kiểm tra này chưa trọn vẹn</b> (incomplete run)</font>: {reasons}'
        incomplete = [Paragraph(words, _PLAIN), Spacer(1, 4 * mm)]
    if assessment.partial(province):
        words = (
            '<font color="#a3161a"><b>Chỉ kiểm tra một phần của tỉnh</b> (partial audit)</font>: '
            f"{units}/{len(province.units)} đơn vị, không xếp hạng."
        )
        incomplete += [Paragraph(words, _PLAIN), Spacer(1, 4 * mm)]
    named = "ở phần cuối" if number["attested"] <= _MANY else "trong verdicts.json"
    statement = (
        "Báo cáo này ghi điều máy chủ đã trả lời lúc kiểm tra, đối chiếu với Thông tư 37/2020/TT-BGDĐT (bản hợp nhất, "
        "pháp điển). Đây không phải là chứng nhận. «Xác nhận» là lời của người được nêu tên "
        f"{named}, không máy chủ nào cho thấy, không phải là đạt. «Chưa thử» không phải là đạt. Mọi kết luận cùng "
        "bằng chứng nằm trong tệp verdicts.json có mã SHA-256 ở trên."
    )
    if sheet.attesting:
        statement += f" Điểm thì tính cả điều được xác nhận ở các mục: {_said('; '.join(sheet.attesting))}."
    english = (
        "Assessed against Circular 37/2020/TT-BGDĐT as codified. This records what the hosts answered at that time; it "
        "is not a certificate. What is attested is the word of whoever is named, and no pass; nor is what was not "
        "tested."
    )
    signs = Table(
        [
            [Paragraph("<font name='bold'>Người kiểm tra</font><br/>(ký, ghi rõ họ tên)", _CENTRE),
             Paragraph("<font name='bold'>Đại diện cơ quan quản lý</font><br/>(ký, ghi rõ họ tên, đóng dấu)", _CENTRE)],
            [Spacer(1, 26 * mm), ""],
            [Paragraph("……………………………………", _CENTRE), Paragraph("……………………………………", _CENTRE)],
        ],
        colWidths=[_WIDTH / 2] * 2,
    )  # fmt: skip
    return [
        Paragraph(_said(settings.name), _PLAIN),
        Paragraph("Báo cáo đối chiếu thư điện tử và cổng thông tin với Thông tư 37/2020/TT-BGDĐT", _TITLE),
        Paragraph(f"{_said(settings.name_en)}: email and portal, assessed against the circular as codified", _SMALL),
        Spacer(1, 5 * mm),
        *incomplete,
        _Bar([(name, number[name]) for name in _COLOURS]),
        Spacer(1, 2 * mm),
        table,
        Spacer(1, 5 * mm),
        Paragraph(statement, _PLAIN),
        Spacer(1, 2 * mm),
        Paragraph(english, _SMALL),
        Spacer(1, 10 * mm),
        Paragraph("……………………, ngày …… tháng …… năm 20……", ParagraphStyle("day", _PLAIN, alignment=2)),
        Spacer(1, 4 * mm),
        signs,
        CondPageBreak(A4[1]),
    ]


def _units(province: Province, sheet: Sheet, scores: Sequence[Score], lots: Sequence[str]) -> list[Flowable]:
    head = ["Đơn vị", "đạt", "không đạt", "xác nhận", "chưa thử", f"điểm/{sheet.total:g}", "mức", "hạng"]
    rows: list[list[Flowable]] = [[Paragraph(word, _HEAD) for word in head]]
    for score in scores:
        number = [str(score.counts[name]) for name in ("pass", "fail", "attested", "not-tested")]
        cells = [*number, *_place(score)]
        rows.append(
            [Paragraph(_said(province.units[score.unit].name), _CELL), *(Paragraph(_said(c), _RIGHT) for c in cells)]
        )
    widths = [11 * mm, 14 * mm, 13 * mm, 13 * mm, 19 * mm, 21 * mm, 17 * mm]
    uncounted = "Không tính vào điểm của đơn vị nào, vì hôm ấy chỉ thử ở đơn vị trúng thăm (--sample 0 thử tất cả): "
    return [
        Paragraph("Theo đơn vị", _SECTION),
        Paragraph(f"Bảng điểm: {_said(sheet.name)}; {_said(sheet.authority)}. Trọng số là chính sách của cơ quan "
                  "xếp hạng, không phải luật. Hạng: giữa đơn vị cùng loại, cùng cơ quan quản lý (Điều 16).", _SMALL),
        *([Paragraph(_UNRANKED, _SMALL)] if not all(score.rank for score in scores) else []),
        *([Paragraph(f"{uncounted}{', '.join(lots)}.", _SMALL)] if lots else []),
        Spacer(1, 2 * mm),
        _table(rows, [_WIDTH - sum(widths), *widths]),
    ]  # fmt: skip


def _place(score: Score) -> list[str]:
    """Points, grade and rank."""
    if score.points is None:
        return ["chưa hỏi đủ", "–", "–"]
    return [f"{score.points:.2f}", score.grade, f"{score.rank}/{score.among}" if score.rank else "–"]


def _fails(province: Province, fails: Sequence[Finding]) -> list[Flowable]:
    rows = [[Paragraph(word, _HEAD) for word in ("Đơn vị", "Yêu cầu", "Bằng chứng")]]
    for finding in fails:
        row = requirements()[finding.requirement]
        lines = [line[:_LETTERS] + ("…" if len(line) > _LETTERS else "") for line in finding.evidence[:_LINES]]
        more = ["…"] if len(finding.evidence) > _LINES else []
        trace = " · ".join(filter(None, [seen_by([finding]), finding.mark]))
        rows.append([
            Paragraph(_said(province.units[finding.unit].name), _CELL),
            Paragraph(f"<font name='bold'>{row.id}</font>{_footing(row)}<br/>{_said(row.vi)}", _CELL),
            Paragraph("<br/>".join(map(_said, [*lines, *more, trace])), _SMALL),
        ])  # fmt: skip
    if not fails:
        return [Paragraph("Không đạt", _SECTION), Paragraph("Không có điểm nào không đạt.", _PLAIN)]
    note = (
        "Dòng cuối của bằng chứng: máy được hỏi, lúc hỏi (UTC), và mười hai ký tự đầu của digest, để tìm kết luận ấy "
        "trong verdicts.json."
    )
    table = _table(rows, [38 * mm, 52 * mm, _WIDTH - 90 * mm])
    heading = Paragraph(f"Không đạt: {len(fails)}", _SECTION)
    return [heading, Paragraph(note, _SMALL), Spacer(1, 2 * mm), table]


def _footing(row: Requirement) -> str:
    """What a fail stands on where that is not the circular's plain "must"."""
    if row.basis != "law":
        words = "dẫn chiếu" if row.basis == "reference" else "suy luận"
        return f" ({words}, khuyến nghị)" if row.strength == "R" else f" ({words})"
    return " (khi có điều kiện)" if row.strength == "C" else ""


def _by_requirement(fails: Iterable[Finding]) -> list[Flowable]:
    number: dict[str, int] = {}
    for finding in fails:
        number[finding.requirement] = number.get(finding.requirement, 0) + 1
    rows = [[Paragraph(word, _HEAD) for word in ("Yêu cầu", "Nội dung", "đơn vị không đạt")]]
    for name in sorted(number, key=lambda name: -number[name]):
        words = (Paragraph(name, _HEAD), Paragraph(_said(requirements()[name].vi), _CELL))
        rows.append([*words, Paragraph(str(number[name]), _RIGHT)])
    note = "Bằng chứng của từng điểm nằm trong verdicts.json."
    table = _table(rows, [30 * mm, _WIDTH - 56 * mm, 26 * mm])
    return [
        Paragraph(f"Không đạt: {sum(number.values())}", _SECTION),
        Paragraph(note, _SMALL),
        Spacer(1, 2 * mm),
        table,
    ]


def _attested(province: Province, attested: Sequence[Finding]) -> list[Flowable]:
    """Who answers for what no host shows, apart from what was seen."""
    if not attested:
        return []
    heading = Paragraph(f"Xác nhận: {len(attested)}", _SECTION)
    if len(attested) > _MANY:
        return [heading, Paragraph("Ai xác nhận, bằng văn bản nào, đến bao giờ: trong verdicts.json.", _SMALL)]
    rows = [[Paragraph(word, _HEAD) for word in ("Đơn vị", "Yêu cầu", "Văn bản · người xác nhận · từ ngày → đến ngày")]]
    for finding in attested:
        row = requirements()[finding.requirement]
        said = [line.removeprefix(_ATTESTED) for line in finding.evidence if line.startswith(_ATTESTED)]
        rows.append([
            Paragraph(_said(province.units[finding.unit].name), _CELL),
            Paragraph(f"<font name='bold'>{row.id}</font><br/>{_said(row.vi)}", _CELL),
            Paragraph("<br/>".join(map(_said, [*said, finding.mark])), _SMALL),
        ])  # fmt: skip
    return [heading, _table(rows, [38 * mm, 52 * mm, _WIDTH - 90 * mm])]


def _table(rows: list[list[Flowable]], widths: list[float]) -> LongTable:
    table = LongTable(rows, colWidths=widths, repeatRows=1)
    table.setStyle([
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("GRID", (0, 0), (-1, -1), 0.4, _LINE),
        ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
        ("LEFTPADDING", (0, 0), (-1, -1), 4), ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
    ])  # fmt: skip
    return table


def _said(text: str) -> str:
    """Text as reportlab's little markup, of which nothing is an instruction."""
    return escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


class _Bar(Flowable):  # type: ignore[misc]
    """The verdicts as one stacked bar; the row of the table under it says them in numbers."""

    def __init__(self, parts: Sequence[tuple[Verdict, int]]):
        super().__init__()
        self.parts, self.width, self.height = parts, _WIDTH, 6 * mm

    def draw(self) -> None:
        x, total = 0.0, max(1, sum(number for _, number in self.parts))
        for verdict, number in self.parts:
            width = _WIDTH * number / total
            self.canv.setFillColor(_COLOURS[verdict])
            self.canv.setStrokeColor(colors.white)
            self.canv.rect(x, 0, width, self.height, fill=1)
            x += width
