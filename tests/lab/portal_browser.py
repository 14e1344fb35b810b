"""A portal as a visitor's browser shows it, and what must hold of every page, whatever is on it.

Each check looks at the page that is open and gives what is wrong with it in words; nothing means that it holds.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
PAPER = {"width": 718, "height": 1047}
"""What Chromium prints on of an A4 sheet, in CSS pixels: 210 by 297 mm less one centimetre on each side."""
_AXE = Path(AXE_FILE_PATH).read_text(encoding="utf-8")

# Shared by the checks: where one can get with the Tab key, and colours.
_TOOLS = """
window.visitor ??= (() => {
  const shown = e => e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && e.getClientRects().length > 0;
  const name = e => `${e.localName}${e.id ? '#' + e.id : ''}${e.className ? '.' + e.className : ''} ` +
    `«${(e.innerText || e.value || e.getAttribute('href') || '').trim().slice(0, 40)}»`;
  const stops = () => [...document.querySelectorAll(
      'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')]
    .filter(e => shown(e) && !e.disabled && e.tabIndex >= 0);
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const paper = e => {
    for (; e; e = e.parentElement) {
      const found = parse(getComputedStyle(e).backgroundColor);
      if (found[3] > 0) return found;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  };
  const light = ([r, g, b]) => {
    const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const contrast = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const focus = () => {
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const faults = [], box = e.getClientRects()[0], style = getComputedStyle(e);
    const x = box.left + Math.min(box.width / 2, 20), y = box.top + Math.min(box.height / 2, 10);
    if (box.width < 2 || box.height < 2) faults.push('is too small to be seen');
    else if (box.bottom < 1 || box.top > innerHeight - 1 || box.right < 1 || box.left > innerWidth - 1)
      faults.push('is out of sight');
    else {
      const top = document.elementFromPoint(Math.max(0, x), Math.min(Math.max(0, y), innerHeight - 1));
      if (top && !e.contains(top) && !top.contains(e)) faults.push(`is hidden behind ${name(top)}`);
    }
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push('does not show its focus');
    else if (contrast(parse(style.outlineColor), paper(e.parentElement)) < 3)
      faults.push('shows its focus in a colour that is hardly seen');
    return {at: stops().indexOf(e), name: name(e), faults};
  };
  return {shown, name, stops, parse, paper, light, contrast, focus};
})();
"""

_OVERFLOW = """() => {
  const most = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > most) found.push(`all is ${document.documentElement.scrollWidth} wide`);
  for (const e of document.body.querySelectorAll('*')) {
    if (!visitor.shown(e) || e.closest('.hidden, .skip, svg, thead')) continue;
    if (e.closest('.wide, pre')) continue;
    if (e.getBoundingClientRect().right > most + 1) found.push(`cut off: ${visitor.name(e)}`);
  }
  return found.slice(0, 3);
}"""

_RULES = """axe.run({resultTypes: ['violations']%s}).then(found => found.violations.map(
  rule => [rule.id, rule.nodes.slice(0, 3).map(node => node.target[0]).join('; ')]))"""

_PRINT = """() => {
  const found = [];
  for (const e of document.querySelectorAll('nav, form, button, .skip'))
    if (visitor.shown(e)) found.push(`printed: ${visitor.name(e)}`);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let text; text = walk.nextNode();) {
    const e = text.parentElement;
    if (!text.data.trim() || seen.has(e) || !visitor.shown(e) || e.closest('.hidden, thead')) continue;
    seen.add(e);
    const ink = visitor.parse(getComputedStyle(e)[e.closest('svg') ? 'fill' : 'color']), under = visitor.paper(e);
    if (visitor.light(under) < 0.9) found.push(`not on white: ${visitor.name(e)}`);
    else if (Math.max(...ink.slice(0, 3)) > 0x60) found.push(`not black: ${visitor.name(e)}`);
  }
  for (const a of document.querySelectorAll('.text a[href^="http"], .cards a[href^="http"], a.button[href^="http"]'))
    if (visitor.shown(a) && !getComputedStyle(a, '::after').content.includes(a.href.slice(8, 30)))
      found.push(`its address is not printed: ${visitor.name(a)}`);
  return found.slice(0, 5);
}"""


@contextlib.contextmanager
def browser(addresses: Mapping[str, str]) -> Iterator[Browser]:
    """Chromium without a window, for which ``addresses`` (name → IPv4) are all names of the world."""
    rules = ",".join([*(f"MAP {name} {address}" for name, address in addresses.items()), "MAP * ~NOTFOUND"])
    arguments = ["--no-sandbox", "--disable-quic", f"--host-resolver-rules={rules}"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def visitor_of(chromium: Browser, *, scripts: bool = True, **more: Any) -> Iterator[BrowserContext]:
    """A visitor who has never been here. Chains are judged by other tests; here any certificate will do."""
    context = chromium.new_context(java_script_enabled=scripts, ignore_https_errors=True, bypass_csp=True, **more)
    context.set_default_timeout(15_000)
    context.add_init_script(_TOOLS + (_AXE if scripts else ""))
    try:
        yield context
    finally:
        context.close()


def accessible(page: Page) -> list[str]:
    """All rules of axe-core, best practice included, on a phone; and those of colours on a wide screen in the dark."""
    found = []
    for size, scheme, rules in (
        (PHONE, "light", ""),
        (DESKTOP, "dark", ", runOnly: ['color-contrast', 'link-in-text-block']"),
    ):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(media="screen", color_scheme=scheme)  # type: ignore[arg-type]
        for rule, where in page.evaluate(_RULES % rules):
            found.append(f"{rule} ({scheme}, {size['width']} px): {where}")
    return found


def fits_a_phone(page: Page) -> list[str]:
    """Nothing is wider than a small phone: with the menu closed and open."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(media="screen", color_scheme="light")
    found = page.evaluate(_OVERFLOW)
    page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true")
    found += page.evaluate(_OVERFLOW)
    page.evaluate("for (const e of document.querySelectorAll('details')) e.open = false")
    return found


def walks_by_keyboard(page: Page) -> list[str]:
    """The Tab key leads to every link, button and field in the order of the page, each seen when it has the focus.

    The first is the one that leads past the menu, where there is a menu.
    """
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("document.activeElement?.blur(); getSelection().collapse(document.body, 0); scrollTo(0, 0)")
    stops = page.evaluate("visitor.stops().map(visitor.name)")
    menu = page.locator("header nav").count()
    found = []
    for number, wanted in enumerate(stops):
        page.keyboard.press("Tab")
        at = page.evaluate("visitor.focus()")
        if at is None or at["at"] != number:
            return [*found, f"after {number} steps not at {wanted} but at {at['name'] if at else 'nothing'}"]
        found += [f"{at['name']} {fault}" for fault in at["faults"]]
        if number == 0 and menu and "a.skip" not in at["name"]:
            found.append(f"the first step leads to {at['name']}, not past the menu")
    page.keyboard.press("Tab")
    if (at := page.evaluate("visitor.focus()")) is not None and at["at"] != 0:
        found.append(f"the last step does not leave the page: {at['name']}")
    return found


def skips_to_content(page: Page) -> list[str]:
    """The first link leads past the menu: the next step is in the main part, or behind it where that has none."""
    page.evaluate("document.activeElement?.blur(); getSelection().collapse(document.body, 0); scrollTo(0, 0)")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    said = """() => { const e = document.activeElement, main = document.querySelector('main');
      const first = visitor.stops().find(e => main.contains(e) || main.compareDocumentPosition(e) & 4);
      return e === first ? null : `after the skip link comes ${visitor.name(e)}, not ${visitor.name(first)}`; }"""
    return [fault for fault in [page.evaluate(said)] if fault]


def prints(page: Page) -> list[str]:
    """On A4: no menu and no form, black on white whatever the screen has, nothing cut off, at least one sheet."""
    page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    page.emulate_media(media="print", color_scheme="dark")
    found = page.evaluate(_PRINT) + page.evaluate(_OVERFLOW)
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    page.emulate_media(media="screen", color_scheme="light")
    return found + ([] if sheets else ["no sheet comes out"])


CHECKS: tuple[Callable[[Page], list[str]], ...] = (
    accessible,
    fits_a_phone,
    walks_by_keyboard,
    skips_to_content,
    prints,
)


def faults(page: Page) -> list[str]:
    """What is wrong with the page that is open, by all checks."""
    return [f"{check.__name__}: {fault}" for check in CHECKS for fault in check(page)]
