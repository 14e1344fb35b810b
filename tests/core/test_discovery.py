"""What mail programs and other mail servers are told about a mail domain, read as they read it."""

from __future__ import annotations

import plistlib
import uuid
from xml.etree import ElementTree

import pytest

from edumail import discovery
from edumail.model import Province, Settings

FRONT = "mail.minhha.test"


@pytest.fixture
def settings(province: Province) -> Settings:
    return province.settings


def test_the_sts_policy_names_the_exchanger_and_nobody_else() -> None:
    lines = discovery.sts_policy("mail-so.minhha.test").splitlines()
    values = dict(line.split(": ") for line in lines)
    assert len(values) == len(lines)
    assert values["version"] == "STSv1"
    assert values["mx"] == "mail-so.minhha.test"
    assert values["mode"] == "enforce"
    assert 86400 <= int(values["max_age"]) <= 31557600


def test_thunderbird_signs_in_at_the_front_with_the_whole_address(settings: Settings) -> None:
    root = ElementTree.fromstring(discovery.autoconfig(settings))
    provider = root.find("emailProvider")
    assert (root.tag, root.get("version")) == ("clientConfig", "1.1")
    assert provider is not None
    assert provider.findtext("domain")  # Thunderbird refuses a file without one
    found = {}
    for server in (*provider.findall("incomingServer"), *provider.findall("outgoingServer")):
        assert server.findtext("hostname") == FRONT
        assert server.findtext("socketType") == "SSL"
        assert server.findtext("username") == "%EMAILADDRESS%"
        assert server.findtext("authentication") == "password-cleartext"  # inside TLS
        found[server.get("type")] = server.findtext("port")
    assert found == {"imap": "993", "pop3": "995", "smtp": "465"}
    assert next(iter(found)) == "imap"  # the first is what Thunderbird proposes


def test_outlook_signs_in_at_the_front_with_the_whole_address(settings: Settings) -> None:
    space = {"o": "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"}
    root = ElementTree.fromstring(discovery.autodiscover(settings))
    assert root.tag == "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}Autodiscover"
    account = root.find("o:Response/o:Account", space)
    assert account is not None
    assert account.findtext("o:Action", namespaces=space) == "settings"
    found = {}
    for protocol in account.findall("o:Protocol", space):
        values = {child.tag.partition("}")[2]: child.text for child in protocol}
        assert values["Server"] == FRONT
        assert values["LoginName"] == discovery.ADDRESS
        assert (values["SSL"], values["SPA"], values["AuthRequired"]) == ("on", "off", "on")
        found[values["Type"]] = values["Port"]
    assert found == {"IMAP": "993", "POP3": "995", "SMTP": "465"}


def test_the_apple_profile_leaves_open_only_who_one_is(settings: Settings) -> None:
    profile = plistlib.loads(discovery.apple_profile(settings))
    (account,) = profile["PayloadContent"]
    assert profile["PayloadType"] == "Configuration"
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypeIMAP"
    for way, port in (("Incoming", 993), ("Outgoing", 465)):
        assert account[f"{way}MailServerHostName"] == FRONT
        assert account[f"{way}MailServerPortNumber"] == port
        assert account[f"{way}MailServerUseSSL"] is True
        assert account[f"{way}MailServerAuthentication"] == "EmailAuthPassword"
        assert f"{way}MailServerUsername" not in account
    assert not {"EmailAddress", "IncomingPassword", "OutgoingPassword"} & set(account)
    assert profile["PayloadDisplayName"] == "Tỉnh Minh Hà"


def test_the_apple_profile_is_the_same_each_time_and_another_for_each_province(settings: Settings) -> None:
    other = settings.model_copy(update={"domain": "khac.test"})
    first, again, third = (plistlib.loads(discovery.apple_profile(s)) for s in (settings, settings, other))
    assert first == again
    assert uuid.UUID(first["PayloadUUID"]) != uuid.UUID(third["PayloadUUID"])
    assert first["PayloadUUID"] != first["PayloadContent"][0]["PayloadUUID"]


def test_a_name_with_markup_characters_stays_text(settings: Settings) -> None:
    settings = settings.model_copy(update={"name": "A & B <c>"})
    root = ElementTree.fromstring(discovery.autoconfig(settings))
    assert root.findtext("emailProvider/displayName") == "A & B <c>"
