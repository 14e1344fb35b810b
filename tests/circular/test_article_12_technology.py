"""Article 12: Unicode, phones, accessibility, search, RSS, metadata, IPv6 and DNSSEC."""

from __future__ import annotations

import email
import email.policy
import re
import unicodedata
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode, urljoin

import lxml.etree
import pytest

from edumail.circular.verdicts import Verdict
from edumail.dns import deepest_zone
from edumail.dnscheck import Signature
from edumail.text import fold
from tests.circular import portal, sections
from tests.circular.audit import Audit
from tests.circular.browser import PHONE, RULES, Browser
from tests.circular.conftest import Answers, Record, drawn, each_unit
from tests.circular.letters import post
from tests.circular.mailed import Undecided
from tests.circular.network import HTTPS_PORT
from tests.circular.pages import Page
from tests.circular.portal import Answer, Reading
from tests.circular.test_article_4_mail import opened
from tests.circular.texts import LETTERS

HOSTILE = '"><audit>'
SIGNED: Mapping[Signature, str] = {
    "unsigned": "không ký / not signed",
    "broken": "HỎNG / broken",
    "no-anchor": "đã ký, nhưng zone trên không có DS / signed, but the zone above has no DS",
    "anchored": "đã ký, zone trên xác nhận / signed, confirmed by the zone above",
    "anchor-unknown": "đã ký; không hỏi được zone trên / signed; the zone above could not be asked",
}


def _page(reading: Reading) -> tuple[bool, str]:
    """Whether the home page is NFC in UTF-8 and has the unit's name."""
    page = reading.portal.page("/")
    kind = page.headers.get("content-type", "")
    try:
        text = page.body.decode("utf-8")
    except UnicodeDecodeError as error:
        return False, f"{page.url}: không phải UTF-8 / this is not UTF-8: {error}"
    good = "utf-8" in kind.lower() and unicodedata.is_normalized("NFC", text) and reading.unit.name in text
    said = (
        "đủ UTF-8, NFC và tên đơn vị / UTF-8, NFC and the unit's name"
        if good
        else "KHÔNG đủ UTF-8, NFC và tên đơn vị / NOT all of UTF-8, NFC and the unit's name"
    )
    return good, f"{page.said}, {kind}: {said}"


@pytest.mark.requirement("C37-12.1", "C37-S39-utf8")
@each_unit(_page)
def test_vietnamese_letters_come_through_mail_and_stand_on_the_page(
    audit: Audit, on: str, of_units: Answers, record: Record
) -> None:
    opened(audit, on)
    pages = {unit.id: answer for unit, answer in of_units}
    letters = post(audit, on, "C37-12.1")
    undecided = Undecided()
    for unit in audit.units(on):
        page, said = pages[unit.id]
        if left_out := audit.left_out(unit):
            record(unit.id, "C37-S39-utf8", "not-tested", [left_out])
            record(unit.id, "C37-12.1", "not-tested" if page else "fail", [said, left_out])
            continue
        letter = letters.letter(unit.public_address, text="vietnamese")
        raw = None
        with undecided.of(unit):
            raw = letter.found[unit.public_address] if letter.arrived(unit.public_address) else b""
        if raw is None:
            continue
        message = email.message_from_bytes(raw, policy=email.policy.default)
        subject = str(message["Subject"] or "").removeprefix("edumail audit ")
        body = message.get_content().strip() if raw else ""
        mail = subject == body == LETTERS
        evidence = [
            f"8-bit UTF-8, RFC 2047 → {letter.recipient}: {letter.reply[:60]}",
            f"IMAP: Subject «{subject}», text/plain «{body}»:"
            f" {'đúng như đã gửi / as sent' if mail else 'KHÔNG như đã gửi / NOT as sent'}",
        ]
        record(unit.id, "C37-S39-utf8", "pass" if mail else "fail", evidence)
        record(unit.id, "C37-12.1", "pass" if mail and page else "fail", [*evidence, said])
    undecided.tell()


@pytest.fixture(scope="session")
def browser(audit: Audit) -> Iterator[Browser | str]:
    """The browser, or why there is none."""
    try:
        units = [unit for host in audit.judged if host for unit in audit.pages(host) if not audit.left_out(unit)]
        made = Browser({unit.portal: audit.network.address(unit.portal) for unit in units})
    except (OSError, RuntimeError) as error:
        yield str(error)
        return
    with made:
        yield made


@pytest.mark.requirement("C37-12.2", "C37-12.3")
def test_pages_serve_phones_and_people_with_disabilities(
    audit: Audit, serving: str, browser: Browser | str, record: Record
) -> None:
    bound = audit.bound("C37-12.2", audit.pages(serving))
    for asked in drawn(audit, bound, record, "C37-12.2", "C37-12.3"):
        reading, unit = portal.reading(audit, asked), asked.id
        home = reading.portal.page("/")
        viewport = bool(home.metadata("viewport"))
        if isinstance(browser, str):
            for requirement in ("C37-12.2", "C37-12.3"):
                record(unit, requirement, "not-tested", [home.said, browser])
            continue
        urls = [home.url, *(page.url for page in reading.portal.below("/tin-tuc/")[:1])]
        urls += [reading.portal.page(path).url for path in ("/lanh-dao/", "/thong-ke/")]
        wide, broken, closed, seen = [], [], [], 0
        for url in urls:
            try:
                found = browser.look(url)
            except RuntimeError as error:
                closed.append(f"không mở được / not opened: {error}")
                continue
            seen += 1
            wide += [f"{url}: quá rộng / too wide: {found.overflow} px"] if found.overflow else []
            broken += [f"{url}: {violation}" for violation in found.violations]
        evidence = [
            f"Chromium, {PHONE['width']} px: {seen} trang, {len(wide)} trang phải cuộn ngang"
            f" / {seen} pages, {len(wide)} scroll sideways",
            *wide[:5],
            *closed,
        ]
        evidence.append(f"viewport: {'có khai / declared' if viewport else 'KHÔNG khai / NOT declared'}")
        record(unit, "C37-12.2", "pass" if viewport and seen and not (wide or closed) else "fail", evidence)
        evidence = [
            f"axe-core, {', '.join(RULES)}: {seen} trang, {len(broken)} lỗi / {seen} pages, {len(broken)} violations",
            *broken[:5],
            *closed,
        ]
        record(unit, "C37-12.3", "pass" if seen and not (broken or closed) else "fail", evidence)


def _search(reading: Reading) -> Answer:
    if left_out := reading.audit.left_out(reading.unit):
        return "not-tested", [left_out]
    articles = [page for page in reading.portal.below("/tin-tuc/") if page.good]
    if not articles:
        return "fail", [reading.portal.page("/tin-tuc/").said, "không có bài nào để tìm / no article to find"]
    page, word = _telling_word(articles)
    evidence, good = [], bool(word)
    for query in (word, fold(word)):
        answer = reading.portal.page(f"/tim-kiem?{urlencode({'q': query})}")
        found = page.url in {url for url, _ in answer.links()}
        good &= answer.good and found
        said = "tìm thấy / found" if found else "KHÔNG THẤY / NOT found"
        evidence.append(f"GET /tim-kiem?q={query} → {answer.status}, {page.url}: {said}")
    tag = f"/tim-kiem?{urlencode({'q': HOSTILE})}"
    answer = reading.portal.page(tag)
    escaped = answer.good and HOSTILE not in answer.text and not answer.root.xpath("//audit")
    said = "được thoát ký tự / escaped" if escaped else "KHÔNG được thoát ký tự / NOT escaped"
    evidence.append(f"GET {tag} → {answer.status}: {said}")
    return "pass" if good and escaped else "fail", evidence


@pytest.mark.requirement("C37-12.4")
@each_unit(_search)
def test_a_word_of_an_article_finds_it_with_and_without_marks(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-12.4", *answer)


def _telling_word(articles: list[Page]) -> tuple[Page, str]:
    """An article, and the longest word with a mark that stands in it and in none of the others; "" if there is none."""
    words = [set(re.findall(r"[^\W\d_]{4,}", " ".join(page.main.itertext()).lower())) for page in articles]
    for page, own in zip(articles, words, strict=True):
        telling = own.difference(*(others for others in words if others is not own))
        marked = [word for word in telling if fold(word) != word]
        if marked:
            return page, max(marked, key=lambda word: (len(word), word))
    return articles[0], ""


def _feed(reading: Reading) -> Answer:
    home, feed = reading.portal.page("/"), reading.portal.page("/rss.xml")
    linked = [urljoin(home.url, href) for href in home.root.xpath("//link[@type='application/rss+xml']/@href")]
    faults: list[str] = []
    try:
        root = lxml.etree.fromstring(feed.body, lxml.etree.XMLParser(resolve_entities=False, no_network=True))
        channel = [root.findtext(f"channel/{name}") for name in ("title", "link", "description")]
        items = [item.findtext("link") or "" for item in root.iterfind("channel/item")]
        valid = root.tag == "rss" and root.get("version") == "2.0" and all(channel)
    except lxml.etree.XMLSyntaxError as error:
        valid, items, faults = False, [], [f"XML: {error}"]
    newest = next((page.url for page in reading.portal.below("/tin-tuc/")), None)
    named, told = feed.url in linked, newest in items
    good = named and valid and told
    evidence = [
        f"{feed.said}, trang chủ {'có' if named else 'KHÔNG có'} liên kết"
        f" / {'linked' if named else 'NOT linked'} from the home page"
    ]
    evidence.append(f"{'' if valid else 'KHÔNG PHẢI / NOT '}RSS 2.0, {len(items)} bài / items")
    evidence += faults
    evidence.append(
        f"{newest or '–'}: bài mới nhất {'có' if told else 'KHÔNG có'} trong RSS"
        f" / the newest article is {'in it' if told else 'NOT in it'}"
    )
    return "pass" if good else "fail", evidence


@pytest.mark.requirement("C37-12.5")
@each_unit(_feed)
def test_the_newest_article_is_in_the_feed(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-12.5", *answer)


@pytest.mark.requirement("C37-12.6")
@each_unit(sections.metadata)
def test_pages_carry_metadata(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-12.6", *answer)


@pytest.mark.requirement("C37-12.7.2", "C37-S39-dnssec")
def test_names_are_signed(audit: Audit, serving: str, record: Record) -> None:
    """Signed and confirmed by the zone above is a pass; signed without that waits for the registrar."""
    for unit in audit.pages(serving):
        apexes = {deepest_zone(name, audit.province.settings.zones) or name for name in (unit.portal, unit.domain)}
        states = {apex: audit.network.dnssec(apex) for apex in sorted(apexes)}
        evidence = [f"{apex}: {SIGNED[state]}{f' ({why})' if why else ''}" for apex, (state, why) in states.items()]
        kinds = {state for state, _ in states.values()}
        verdict: Verdict = (
            "fail" if kinds & {"unsigned", "broken"} else "pass" if kinds == {"anchored"} else "not-tested"
        )
        if verdict == "not-tested":
            evidence.append(
                "chữ ký đúng; bản ghi DS ở zone trên tùy nhà đăng ký"
                " / the signatures are right; the DS record in the zone above depends on the registrar"
            )
        for requirement in ("C37-12.7.2", "C37-S39-dnssec"):
            record(unit.id, requirement, verdict, evidence)


@pytest.mark.requirement("C37-12.7.1")
def test_mail_and_portal_are_reached_by_ipv6(audit: Audit, serving: str, record: Record) -> None:
    for unit in audit.pages(serving):
        answers = [
            audit.network.reached(unit.portal, HTTPS_PORT, "AAAA"),
            audit.network.exchanger_reached(unit.domain, "AAAA"),
        ]
        good = [answer for answer, _ in answers]
        verdict: Verdict = "fail" if False in good else "not-tested" if None in good else "pass"
        record(unit.id, "C37-12.7.1", verdict, [said for _, said in answers])
