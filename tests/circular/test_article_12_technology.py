"""Article 12: Unicode, phones, accessibility, search, RSS, metadata, IPv6 and DNSSEC."""

from __future__ import annotations

import contextlib
import email
import email.message
import email.policy
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Literal, NamedTuple
from urllib.parse import urlencode, urljoin

import lxml.etree
import pytest

from edumail.circular.verdicts import Verdict
from edumail.dns import deepest_zone
from edumail.dnscheck import Signature
from edumail.text import fold
from tests.circular import portal, sections
from tests.circular.audit import Audit, AuditError
from tests.circular.browser import OUTLINE, PHONE, RULES, Browser, Seen
from tests.circular.conftest import Answers, Record, drawn, each_unit
from tests.circular.dialogues import VERDICTS, folded, seen_at
from tests.circular.letters import post
from tests.circular.mailed import Undecided
from tests.circular.network import Confined
from tests.circular.pages import Page, shown
from tests.circular.portal import Answer, Reading
from tests.circular.test_article_4_mail import opened
from tests.circular.texts import LETTERS

NEWS = 3
"""How many news are looked at for their letters."""
HOSTILE = '"><audit>'
NONSENSE = "zzqxkhongco"
"""The beginning of no word."""
BODY = ".//*[@itemprop='articleBody']//text()"
REST = ".//text()[not(ancestor::*[@itemprop='articleBody'])]"
"""What an article says, and what stands beside it on its page, as XPaths."""
WORD = re.compile(r"[^\W\d_]{4,}")
UNDECIDED = "axe-core không quyết được, cần người xem / axe-core can't decide, somebody has to look"
RESULT_PAGES = 5
"""How many pages of results are read until the article is found."""
FOUND: Mapping[bool | None, str] = {
    True: "tìm thấy / found",
    False: "KHÔNG THẤY / NOT found",
    None: f"chưa thấy trong {RESULT_PAGES} trang kết quả đầu / not among the first {RESULT_PAGES} pages of results",
}
ABSENT: Mapping[bool | None, str] = {
    True: "vẫn THẤY bài ấy, hỏi gì cũng liệt kê / LISTS the article all the same, whatever is asked",
    False: "không có bài ấy, như phải thế / the article is not there, as it has to be",
    None: f"quá {RESULT_PAGES} trang kết quả cho câu vô nghĩa / more than {RESULT_PAGES} pages of results for nonsense",
}
SIGNED: Mapping[Signature | Literal["unasked"], str] = {
    "unsigned": "không ký / not signed",
    "broken": "HỎNG / broken",
    "no-anchor": "đã ký, nhưng zone trên không có DS / signed, but the zone above has no DS",
    "anchored": "đã ký, zone trên xác nhận / signed, confirmed by the zone above",
    "anchor-unknown": "đã ký; không hỏi được zone trên / signed; the zone above could not be asked",
    "unasked": "không biết / not known",
}


class Written(NamedTuple):
    """How the letters on a unit's pages are written."""

    encoded: bool
    """NFC in UTF-8, and the server says so."""
    named: bool
    """Whether the home page has the unit's name."""
    said: list[str]


def _written(reading: Reading) -> Written:
    """Of the home page and the first news; of news that do not open nothing is said here."""
    home = reading.portal.page("/")
    news = [page for page in reading.portal.below("/tin-tuc/") if page.good]
    pages = [_encoded(page) for page in (home, *news[:NEWS])]
    named = reading.unit.name in " ".join(shown(home.root).split())
    name = "có / stands there" if named else "KHÔNG CÓ / is MISSING"
    return Written(
        all(good for good, _ in pages),
        named,
        [*(said for _, said in pages), f"{home.url}: tên đơn vị / the unit's name {name}"],
    )


def _encoded(page: Page) -> tuple[bool, str]:
    kind = page.headers.get("content-type", "")
    try:
        text = page.body.decode("utf-8")
    except UnicodeDecodeError as error:
        return False, f"{page.url}: không phải UTF-8 / this is not UTF-8: {error}"
    good = page.good and "utf-8" in kind.lower() and unicodedata.is_normalized("NFC", text)
    return good, f"{page.said}, {kind}: {'' if good else 'KHÔNG PHẢI / NOT '}UTF-8, NFC"


@pytest.mark.requirement("C37-12.1", "C37-S39-utf8")
@each_unit(_written)
def test_vietnamese_letters_come_through_mail_and_stand_on_the_page(
    audit: Audit, on: str, of_units: Answers, record: Record
) -> None:
    opened(audit, on)
    undecided = Undecided()
    pages: dict[str, Written] = {unit.id: answer for unit, answer in undecided.heard(of_units)}
    letters = post(audit, on, "C37-12.1")
    for unit in audit.units(on):
        page = pages.get(unit.id)  # None: it could not be looked into
        if left_out := audit.left_out(unit):
            for requirement, verdict in _both(None, page):
                record(unit.id, requirement, verdict, [*_said(page), left_out])
            continue
        letter = letters.letter(unit.public_address, text="vietnamese")
        raw = None
        with undecided.of(unit):
            try:
                raw = letter.found[unit.public_address] if letter.arrived(unit.public_address) else b""
            except AuditError as error:
                for requirement, verdict in _both(None, page):
                    if verdict == "fail":
                        record(unit.id, requirement, verdict, [*_said(page), str(error)])
                raise
        if raw is None:
            continue
        message = email.message_from_bytes(raw, policy=email.policy.default)
        subject = str(message["Subject"] or "").removeprefix("edumail audit ")
        kind, body = message.get_content_type(), _body(message)
        mail = subject == body == LETTERS
        evidence = [
            f"8-bit UTF-8, RFC 2047 → {letter.recipient}: {letter.reply[:60]}",
            f"IMAP: Subject «{subject}», {kind} «{body}»:"
            f" {'đúng như đã gửi / as sent' if mail else 'KHÔNG như đã gửi / NOT as sent'}",
        ]
        for requirement, verdict in _both(mail, page):
            if verdict != "not-tested":
                record(unit.id, requirement, verdict, [*evidence, *_said(page)])
    undecided.tell()


def _both(mail: bool | None, page: Written | None) -> list[tuple[str, Verdict]]:
    """What mail and page say together of either requirement; None: it is not known."""
    encoded, named = (page.encoded, page.named) if page else (None, None)
    return [
        ("C37-S39-utf8", VERDICTS[folded([mail, encoded])]),
        ("C37-12.1", VERDICTS[folded([mail, encoded, named])]),
    ]


def _said(page: Written | None) -> list[str]:
    return page.said if page else []


def _body(message: email.message.EmailMessage) -> str:
    """The text of a letter that is text alone; of one that was made into anything else, nothing."""
    if message.get_content_type() != "text/plain":
        return ""
    try:
        return str(message.get_content()).strip()
    except (LookupError, ValueError):  # a character set, or an encoding, that there is not
        return ""


@pytest.fixture(scope="session")
def browser(audit: Audit) -> Iterator[Browser | str]:
    """The browser, or why there is none."""
    try:
        made = Browser(_addresses(audit))
    except RuntimeError as error:
        yield str(error)
        return
    with made:
        yield made


def _addresses(audit: Audit) -> dict[str, str | None]:
    """By name where the browser finds each portal; None: nowhere, which is for its own unit's question to judge."""
    found: dict[str, str | None] = {}
    for unit in (unit for host in audit.judged if host for unit in audit.pages(host) if not audit.left_out(unit)):
        found[unit.portal] = None
        with contextlib.suppress(OSError, Confined):
            found[unit.portal] = audit.network.address(unit.portal)
    return found


@pytest.mark.requirement("C37-12.2", "C37-12.3")
def test_pages_serve_phones_and_people_with_disabilities(
    audit: Audit, serving: str, browser: Browser | str, record: Record
) -> None:
    bound = audit.bound("C37-12.2", audit.pages(serving))
    undecided = Undecided()
    for asked in drawn(audit, bound, record, "C37-12.2", "C37-12.3"):
        with undecided.of(asked):
            reading = portal.reading(audit, asked)
            if isinstance(browser, str):
                said = [reading.portal.page("/").said, browser]
                answers: tuple[Answer, Answer] = ("not-tested", said), ("not-tested", said)
            else:
                answers = _rendered(reading, browser)
            for requirement, answer in zip(("C37-12.2", "C37-12.3"), answers, strict=True):
                record(asked.id, requirement, *answer)
    undecided.tell()


def _rendered(reading: Reading, browser: Browser) -> tuple[Answer, Answer]:
    """How some pages look on a phone, and what accessibility they lack."""
    home = reading.portal.page("/")
    viewport = bool(home.metadata("viewport"))
    pages = [home, *reading.portal.below("/tin-tuc/")[:1], *map(reading.portal.page, ("/lanh-dao/", "/thong-ke/"))]
    seen, closed, crashed = [], [], []
    for page, found in zip(pages, browser.look(page.url for page in pages), strict=True):
        if isinstance(found, str) and page.good:  # one that answers may open at the second try
            (found,) = browser.look([page.url])
        if isinstance(found, Seen):
            seen.append(found)
            continue
        said = f"không mở được / not opened: {found}"
        if page.good:
            crashed.append(
                f"{said}; trang vẫn trả lời, có thể do trình duyệt ở đây / it answers, the browser may be why"
            )
        else:
            closed.append(said)
    wide = [f"{found.url}: quá rộng / too wide: {found.overflow} px" for found in seen if found.overflow]
    broken = [f"{found.url}: {violation}" for found in seen for violation in found.violations]
    undecided = [f"{found.url}: {UNDECIDED}: {rule}" for found in seen for rule in found.undecided]
    on_phones = [
        f"Chromium, {PHONE['width']} px: {len(seen)} trang, {len(wide)} trang phải cuộn ngang"
        f" / {len(seen)} pages, {len(wide)} scroll sideways",
        *wide[:5],
        *closed,
        *crashed,
        f"viewport: {'có khai / declared' if viewport else 'KHÔNG khai / NOT declared'}",
    ]
    for_all = [
        f"axe-core, {', '.join(RULES + OUTLINE)}: {len(seen)} trang, {len(broken)} lỗi, {len(undecided)} điều không"
        f" quyết được / {len(seen)} pages, {len(broken)} violations, {len(undecided)} not decided",
        f"đã xem / looked at: {', '.join(found.url for found in seen) or 0}",
        "chưa thử dùng bằng bàn phím / use by keyboard was not tried",
        *broken[:5],
        *undecided[:5],
        *closed,
        *crashed,
    ]
    return (
        (sections.told(viewport and not (wide or closed), crashed), on_phones),
        (sections.told(not (broken or closed), crashed + undecided), for_all),
    )


def _search(reading: Reading) -> Answer:
    if left_out := reading.audit.left_out(reading.unit):
        return "not-tested", [left_out]
    news = reading.portal.page("/tin-tuc/")
    articles = [page for page in reading.portal.below("/tin-tuc/") if page.good]
    good, whole, evidence = news.good, True, []
    url, word = _telling_word(articles, [shown(news.main)])
    if not articles:
        evidence.append(f"{news.said}: không có bài nào để tìm / no article to find")
    elif not word:
        why = "thân bài của không bài nào có một từ riêng / no article has a word of its own in its body"
        evidence.append(f"{len(articles)} bài / articles: {why}")
    for query in (word, fold(word)) if word else ():
        answer, found = _found(reading, query, url)
        good &= found is not False
        whole &= found is not None
        said = FOUND[found]
        evidence.append(f"GET /tim-kiem?q={query} → {answer.status}, {url}: {said}")
    tag = f"/tim-kiem?{urlencode({'q': HOSTILE})}"
    if word:
        answer, listed = _found(reading, NONSENSE, url)
        good &= not listed
        whole &= listed is False
        evidence.append(f"GET /tim-kiem?q={NONSENSE} → {answer.status}, {url}: {ABSENT[listed]}")
    answer = reading.portal.page(tag)
    escaped = answer.good and HOSTILE not in answer.text and not answer.root.xpath("//audit")
    said = "được thoát ký tự / escaped" if escaped else "KHÔNG được thoát ký tự / NOT escaped"
    evidence.append(f"GET {tag} → {answer.status}: {said}")
    return "fail" if not (good and escaped) else "pass" if word and whole else "not-tested", evidence


def _found(reading: Reading, query: str, url: str) -> tuple[Page, bool | None]:
    """The last page of results that was read, and whether a link to ``url`` stands there; None: too many to read."""
    for number in range(1, RESULT_PAGES + 1):
        more = {"trang": str(number)} if number > 1 else {}
        answer = reading.portal.page(f"/tim-kiem?{urlencode({'q': query, **more})}")
        if url in {found for found, _ in answer.links()}:
            return answer, True
        if not answer.root.xpath("//a[@rel='next']"):
            return answer, False
    return answer, None


@pytest.mark.requirement("C37-12.4")
@each_unit(_search)
def test_a_word_of_an_article_finds_it_with_and_without_marks(of_pages: Answers, record: Record) -> None:
    for unit, answer in of_pages:
        record(unit.id, "C37-12.4", *answer)


def _telling_word(articles: list[Page], shown: Iterable[str] = ()) -> tuple[str, str]:
    """The address of an article and the longest word with a mark in its body that finds no other; "" if there is none.

    Searched for is whatever begins with the word, with marks or without. It stands neither in the article's title,
    summary or origin, nor in what is ``shown`` of all articles; and as evidence names nobody, it has no capital.
    """
    bodies = [" ".join(page.main.xpath(BODY)) for page in articles]
    rests = [" ".join(page.main.xpath(REST)) for page in articles]
    lists = _folded(" ".join(shown))
    whole = [_folded(f"{body} {rest}") for body, rest in zip(bodies, rests, strict=True)]
    for number, (page, body) in enumerate(zip(articles, bodies, strict=True)):
        elsewhere = (said for other, said in enumerate(whole) if other != number)
        others = sorted(_folded(rests[number]).union(lists, *elsewhere))
        for word in sorted(filter(str.islower, _words(body)), key=lambda word: (-len(word), word)):
            said = fold(word)
            after = others[(at := bisect_left(others, said)) : at + 1]
            if said != word and not (after and after[0].startswith(said)):
                return page.url, word
    return "", ""


def _words(text: str) -> set[str]:
    return set(WORD.findall(text))


def _folded(text: str) -> set[str]:
    return set(map(fold, _words(text)))


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
        if verdict == "not-tested" and "unasked" not in kinds:
            evidence.append(
                "chữ ký đúng; bản ghi DS ở zone trên tùy nhà đăng ký"
                " / the signatures are right; the DS record in the zone above depends on the registrar"
            )
        for requirement in ("C37-12.7.2", "C37-S39-dnssec"):
            record(unit.id, requirement, verdict, evidence)


@pytest.mark.requirement("C37-12.7.1")
def test_mail_and_portal_are_reached_by_ipv6(audit: Audit, serving: str, record: Record) -> None:
    units, network = audit.pages(serving), audit.network
    portals = {f"{unit.portal}:443": partial(network.served, unit.portal, "AAAA") for unit in units}
    exchangers = {f"{unit.domain} MX": partial(network.exchanger_reached, unit.domain, "AAAA") for unit in units}
    found = seen_at(audit, portals | exchangers)
    for unit in units:
        seen = [found[f"{unit.portal}:443"], found[f"{unit.domain} MX"]]
        record(unit.id, "C37-12.7.1", VERDICTS[folded(good for good, _ in seen)], [said for _, said in seen])
