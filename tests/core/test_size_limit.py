"""One size limit: nothing behind the doors is smaller than what the doors let in."""

from __future__ import annotations

import re

import pytest

from edumail.mail import MIB, Mail
from edumail.model import Province
from roles.dovecot.render import tree as dovecot
from roles.postfix.render import tree as postfix
from roles.rspamd.render import tree as rspamd


@pytest.mark.parametrize("mebibytes", [1, 25, 1000])
def test_every_daemon_has_the_limit_of_the_inventory(province: Province, mebibytes: int) -> None:
    mail = Mail(province)
    for name in province.hosts:
        host = mail.host(name)

        def figure(pattern: str, text: bytes) -> int:
            (found,) = re.findall(pattern, text.decode(), re.MULTILINE)
            return int(found)

        main = postfix(host, mebibytes, {}).files["main.cf"].content
        assert figure(r"^message_size_limit = (\d+)$", main) == mebibytes * MIB
        inside = figure(r"^inner_size_limit = (\d+)$", main)
        assert inside > mebibytes * MIB  # what our own hosts add on the way
        filters = rspamd(host, mebibytes, province.filtering, province.settings.ministry).files
        assert figure(r"^max_message = (\d+);$", filters["local.d/options.inc"].content) >= inside
        if host.host == host.gateway:
            front = dovecot(host, mebibytes).files["dovecot.conf"].content
            assert figure(r"^submission_max_mail_size = (\d+)$", front) == mebibytes * MIB
