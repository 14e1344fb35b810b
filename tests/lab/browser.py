"""The webmail as people use it: a headless Chromium that knows the lab's names and trusts the province's authority."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")
WAIT_SECONDS = 20
# A browser reports the answer to a wrong password as an error.
EXPECTED_ERRORS = ("the server responded with a status of 401",)

_SETTLED = "return document.readyState === 'complete' && window.rcmail && !rcmail.busy && !jQuery.active"


class Webmail:
    """One browser. What a test does with it is written as a person would say it."""

    def __init__(self, driver: webdriver.Chrome, url: str):
        self.driver = driver
        self.url = url

    def open(self, **query: str) -> None:
        """A page of the webmail, by the words of its address without their underscore."""
        words = "&".join(f"_{name}={value}" for name, value in query.items())
        self.driver.get(f"{self.url}?{words}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page's own scripts have done what they do when a page comes."""
        self.until(lambda: self.driver.execute_script(_SETTLED))

    def sign_in(self, login: str, password: str) -> None:
        """From a clean browser to whatever follows the form."""
        self.driver.delete_all_cookies()
        self.driver.get(self.url)
        self.one("#rcmloginuser").send_keys(login)
        form = self.one("#login-form")
        self.one("#rcmloginpwd").send_keys(password + Keys.ENTER)
        self.until(lambda: _gone(form))

    def until(self, condition: Callable[[], T]) -> T:
        """What ``condition`` gives once it is true. Raises selenium.common.exceptions.TimeoutException."""
        waiting = WebDriverWait(self.driver, WAIT_SECONDS, 0.1, [StaleElementReferenceException])
        return waiting.until(lambda _: condition())

    def one(self, selector: str) -> WebElement:
        """The first element, once it is there."""
        return self.until(lambda: next(iter(self.all(selector)), None))

    def all(self, selector: str) -> list[WebElement]:
        """The elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """Click the first that can be clicked, once there is one."""
        self.until(lambda: [e for e in self.all(selector) if e.is_displayed() and e.is_enabled()])[0].click()

    def texts(self, selector: str) -> list[str]:
        """What the elements say."""
        return [element.text for element in self.all(selector)]

    def says(self) -> str:
        """The message that the page shows, once it shows one."""
        return self.until(lambda: " ".join(self.texts("#messagestack .alert")).strip())

    def command(self, name: str, *words: str) -> None:
        """Run a command of the page, as its menus do."""
        self.driver.execute_script("rcmail.command(...arguments)", name, *words)

    def folders(self) -> list[str]:
        """Names in the list of folders."""
        self.one("#mailboxlist li.inbox")
        # What follows the name in the link is the number of unread messages.
        names = "return [...document.querySelectorAll('#mailboxlist li > a')].map(link => link.firstChild.textContent)"
        return self.driver.execute_script(names)

    def message(self, subject: str) -> WebElement:
        """The row of a message in the list, once it is there."""
        row = f"//table[@id='messagelist']//tr[contains(@class, 'message')][.//a[contains(., '{subject}')]]"
        return self.until(lambda: next(iter(self.driver.find_elements(By.XPATH, row)), None))

    @contextlib.contextmanager
    def frame(self, selector: str) -> Iterator[None]:
        """Inside of a frame, once it is there."""
        self.driver.switch_to.frame(self.one(selector))
        self.settle()
        try:
            yield
        finally:
            self.driver.switch_to.default_content()

    def errors(self) -> list[str]:
        """What the browser complained of since it was asked last: refused by the page's policy, not there, a fault."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [message for message in said if not any(word in message for word in EXPECTED_ERRORS)]


@contextlib.contextmanager
def chromium(folder: Path, name: str, address: str, authority: Path) -> Iterator[Webmail]:
    """A browser with its own home in ``folder``, in which ``name`` leads to ``address`` and no other name anywhere."""
    trusted = folder / ".pki" / "nssdb"
    trusted.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-n", "province", "-t", "C,,", "-i", str(authority)]):
        subprocess.run(["certutil", *words, "-d", f"sql:{trusted}"], check=True)
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "lang=en-US",
        "window-size=1280,900",
        f"user-data-dir={folder / 'profile'}",
        f"host-resolver-rules=MAP {name} {address}, MAP * ~NOTFOUND",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService("/usr/bin/chromedriver", env=os.environ | {"HOME": str(folder)})
    driver = webdriver.Chrome(options, service)
    try:
        yield Webmail(driver, f"https://{name}/")
    finally:
        driver.quit()


def _gone(element: WebElement) -> bool:
    try:
        return not element.is_displayed()
    except StaleElementReferenceException:
        return True
