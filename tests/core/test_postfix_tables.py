"""Postfix's files fit together: no checker of its own opens the tables that they name."""

from __future__ import annotations

import re

import pytest

from edumail.example import generate, write
from edumail.load import load
from edumail.mail import Mail
from edumail.model import Province
from edumail.spread import part_domain
from roles.common.paths import feedback_domain, learn_domain, live
from roles.postfix.render import tables, tree
from tests.circular.host import NO_AUDITOR


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Province:
    """A gateway, and a host behind it."""
    folder = tmp_path_factory.mktemp("province")
    write(generate(130, seed=1), folder)
    return load(folder)


def test_every_table_that_postfix_is_told_of_stands_in_its_tree(generated: Province) -> None:
    mail = Mail(generated)
    for host in generated.hosts:
        files = tree(mail.host(host), 25, {}).files
        said = "".join(files[name].content.decode() for name in ("main.cf", "master.cf"))
        named = set(re.findall(rf"(?:cdb|regexp):{live('postfix')}/([^\s,]+)", said))
        assert len(named) > 10
        assert named == {name for name in files if not name.endswith(".cf")}


def test_every_restriction_class_is_defined_and_no_other_name_is_used(generated: Province) -> None:
    mail = Mail(generated)
    for host in generated.hosts:
        files = tree(mail.host(host), 25, {}).files
        said = files["main.cf"].content.decode()
        defined = set(re.findall(r"^(\w+) =", said, re.MULTILINE))
        (classes,) = re.findall(r"^smtpd_restriction_classes = (.*)$", said, re.MULTILINE)
        assert set(classes.split(", ")) <= defined
        for table in {"posting", "posting_peer", "posting_outside", "peers"} & files.keys():
            said_of = {line.split()[1] for line in files[table].content.decode().splitlines()}
            assert said_of <= {*classes.split(", "), "REJECT", "DUNNO"}
        asked = set(re.findall(r"smtpd_restriction_classes=(\S+)", files["master.cf"].content.decode()))
        assert {name for names in asked for name in names.split(",")} <= {*classes.split(", ")}


def test_postfix_s_commands_do_nothing_for_an_auditor(generated: Province) -> None:
    mail = Mail(generated)
    for host in generated.hosts:
        said = tree(mail.host(host), 25, {}).files["main.cf"].content.decode()
        users = dict(re.findall(r"^authorized_(\w+)_users = (.*)$", said, re.MULTILINE))
        assert users.pop("submit").startswith(NO_AUDITOR)
        assert users == dict.fromkeys(("mailq", "flush"), "$authorized_submit_users")


def test_no_stranger_sends_for_what_only_hosts_write_to(generated: Province) -> None:
    """A report on a message of such a sender would go to the members of a closed group, or train the filter."""
    mail = Mail(generated)
    only_hosts = {part_domain(host) for host in generated.hosts.values()} | {learn_domain(mail.gateway)}
    for host in generated.hosts:
        found = {
            name: {line.split()[0] for line in tables(mail.host(host), {})[name].splitlines()}
            for name in ("own", "inside")
        }
        only_here = {feedback_domain(mail.host(host).host)}
        assert only_hosts | only_here | set(mail.host(host).own) == found["own"]
        assert (only_hosts | only_here).isdisjoint(found["inside"])
