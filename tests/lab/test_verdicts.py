"""The audit itself: green on a sound province, and red for each thing that is broken on purpose. Nothing stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import lab, web
from tests.circular import test_article_8_managing_bodies as article_8
from tests.circular import test_article_9_schools as article_9
from tests.circular.test_article_10_other_content import SWITCHED
from tests.lab.province import ROOT, LabProvince, new_message

CHECKED = {
    "C37-2.1", "C37-3.1c", "C37-4.1", "C37-4.2.1", "C37-4.2.2", "C37-4.2.3", "C37-4.3.1", "C37-4.3.3", "C37-5.1", "C37-5.2.3", "C37-5.3",
    "C37-6.1", "C37-7.3", "C37-11.3.5", *article_8.CHECKS, *article_9.CHECKS, "C37-10.1.1", "C37-10.1.2", *SWITCHED,
    "C37-12.1", "C37-12.2", "C37-12.3", "C37-12.4", "C37-12.5", "C37-12.6", "C37-12.7.1", "C37-S39-http", "C37-S39-html",
    "C37-S39-smtp", "C37-S39-smtps", "C37-S39-imaps", "C37-S39-mbox", "C37-S39-smime", "C37-S39-utf8",
    "C37-S39-ip", "C37-S39-https", "C37-S39-tls",
}  # fmt: skip
LIVE = "/var/lib/edumail/trees"
ENVIRONMENT = os.environ | {"SSL_CERT_FILE": str(web.AUTHORITY)}
"""The audit trusts the outside's authority, as an auditor's machine trusts those of the Internet."""


def verify(inventory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edumail", "verify", str(inventory), "--lang", "en", *words]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, env=ENVIRONMENT)


def test_a_sound_province_passes_and_nothing_stays_behind(
    province: LabProvince, inventory: Path, tmp_path: Path
) -> None:
    for sender, recipient in (("giamdocso", "giamdoc"), ("vanthuso", "vanthu")):  # the Ministry's lists write
        address = f"{recipient}@sogddt.minhha.test"
        listed = f"{sender}@bo.ngoai.test"
        lab.foreign_send(listed, address, new_message(listed, address).as_bytes())
    target, report = tmp_path / "verdicts.json", tmp_path / "report.html"
    result = verify(inventory, "--outside", "kiemtra@ngoai.test", "--json", str(target), "--html", str(report))
    content = json.loads(target.read_text())
    failed = [f"{f['unit']} {f['requirement']}: {f['evidence']}" for f in content["findings"] if f["verdict"] == "fail"]
    assert failed == content["incomplete"] == [], result.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    assert content["incomplete"] == []
    answered = {f["requirement"] for f in content["findings"] if f["verdict"] in ("pass", "fail")}
    assert answered == CHECKED
    assert all(f["evidence"] for f in content["findings"])
    # Where nobody has attested the decision that names the officer, the host's half alone is no pass, nor is it where
    # somebody has: that is shown apart.
    officer = {f["unit"]: f["verdict"] for f in content["findings"] if f["requirement"] == "C37-4.5"}
    said = {u for a in province.province.attestations if a.until >= province.province.today for u in a.units}
    assert officer == {unit: "attested" if unit in said else "not-tested" for unit in officer}
    assert "certified" not in (result.stdout + report.read_text()).lower()
    for host in province.province.hosts:
        assert province.run(host, "ls -d /var/vmail/*/*/Maildir/.Audit 2>/dev/null || true") == ""
        assert "no audit is open" in province.run(host, "cat /var/lib/edumail/audit/audit.sieve")


@dataclass(frozen=True)
class Fault:
    """What is broken on a host, how it is mended, and the requirements that must then fail for a unit there."""

    broken: str
    mended: str
    fails: set[str]
    only: str = "test_"
    unit: str = "thpt-song-que"
    on: str = "mail-thpt"
    """The host that is judged."""
    at: str = "mail-thpt"
    """The host that is broken."""


def table(name: str, edit: str) -> tuple[str, str]:
    """Shell texts that edit a live Postfix table and put it back."""
    file = f"{LIVE}/postfix/current/{name}"
    compile_ = f"postmap cdb:{file} && postfix reload"
    kept = f"/root/{name}.kept"
    # An edit that changes nothing breaks nothing.
    edit = f"cp {file} {kept} && {edit} {file} && ! cmp -s {kept} {file} && {compile_}"
    return edit, f"cp {kept} {file} && {compile_}"


def edited(file: str, expression: str, reload: str) -> tuple[str, str]:
    """Shell texts that edit a live file with sed and put it back."""
    name = file.rpartition("/")[2]
    return (
        f"cp {file} /root/{name}.kept && sed -i '{expression}' {file} && {reload}",
        f"cp /root/{name}.kept {file} && {reload}",
    )


def page_edited(file: str, expression: str) -> tuple[str, str]:
    """As :func:`edited`, for what a browser sees: the compressed copy is put aside too."""
    broken, mended = edited(file, expression, "true")
    return f"mv {file}.gz /root/page.gz.kept; {broken}", f"mv /root/page.gz.kept {file}.gz; {mended}"


PAGES = f"{LIVE}/portal/current/sites/thpt-song-que"
PAGE = f"{PAGES}/index.html"
NGINX, SITE = f"{LIVE}/nginx/current/nginx.conf", f"{LIVE}/nginx/current/sites/portal.conf"
DOVECOT = f"{LIVE}/dovecot/current/dovecot.conf"
SERVICES = f"{LIVE}/dovecot/current/services.conf"
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
ACCOUNTS = 'python3 -c "import sqlite3; sqlite3.connect(\'/var/lib/edumail/accounts/accounts.db\', isolation_level=None).execute(\\"{}\\")"'
FAULTS = {
    "another address on the page": Fault(
        *edited(PAGE, "s/mailto:lienhe@/mailto:khongai@/", "true"), {"C37-4.2.1", "C37-4.2.2", "C37-4.2.3"}, "4_mail"
    ),
    "a person without an account": Fault(
        ACCOUNTS.format("UPDATE account SET state = 'closed' WHERE address = 'bekt@thptsongque.test'"),
        ACCOUNTS.format("UPDATE account SET state = 'waiting' WHERE address = 'bekt@thptsongque.test'"),
        {"C37-4.3.1"},
        "roster",
    ),
    "an account of nobody": Fault(
        ACCOUNTS.format(
            "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
            " SELECT 'thua@thptsongque.test', unit, 'xx-1', name, home || '#1', quota_mb, code_days, 'active', 0"
            " FROM account LIMIT 1"
        ),
        ACCOUNTS.format("DELETE FROM account WHERE address = 'thua@thptsongque.test'"),
        {"C37-4.3.1"},
        "roster",
    ),
    "a password before anybody chose one": Fault(
        ACCOUNTS.format("UPDATE account SET hash = 'x' WHERE address = 'bekt@thptsongque.test'"),
        ACCOUNTS.format("UPDATE account SET hash = NULL WHERE address = 'bekt@thptsongque.test'"),
        {"C37-11.3.5"},
        "begin_without",
    ),
    "a weak hash": Fault(
        ACCOUNTS.format("UPDATE account SET hash = 'd41d8cd98f00b204e9800998ecf8427e', state = 'active' WHERE address = 'bekt@thptsongque.test'"),
        ACCOUNTS.format("UPDATE account SET hash = NULL, state = 'waiting' WHERE address = 'bekt@thptsongque.test'"),
        {"C37-11.3.5"},
        "begin_without",
    ),
    "a mailbox of the unit with a password": Fault(
        ACCOUNTS.format("UPDATE account SET hash = 'x' WHERE address = 'vanthu@thptsongque.test'"),
        ACCOUNTS.format("UPDATE account SET hash = NULL WHERE address = 'vanthu@thptsongque.test'"),
        {"C37-4.4d"},
        "are_protected",
    ),
    "a rule for passwords that is too short": Fault(
        ACCOUNTS.format("UPDATE account SET password_characters = 6 WHERE address = 'bekt@thptsongque.test'"),
        ACCOUNTS.format("UPDATE account SET password_characters = (SELECT max(password_characters) FROM account WHERE unit = 'thpt-song-que') WHERE address = 'bekt@thptsongque.test'"),
        {"C37-4.4d"},
        "are_protected",
    ),
    "a section that misses a member": Fault(
        *table("aliases", "sed -i 's/^to-nguvan@thptsongque.test .*/to-nguvan@thptsongque.test vangt@thptsongque.test/'"),
        {"C37-4.3.3"},
        "section",
    ),
    "mail that does not leave the host": Fault(
        *edited(MASTER, "s/^peer  .*smtp$/peer unix - - n - - error/", "postfix reload"), {"C37-4.1"}, "exchange"
    ),
    "a password port without TLS": Fault(
        *edited(MASTER, "s/smtpd_tls_security_level=encrypt/smtpd_tls_security_level=may -o smtpd_tls_auth_only=no/", "postfix reload"),
        {"C37-S39-smtps"},
        "39",
    ),
    "IMAP in the clear": Fault(
        *edited(DOVECOT, "s/^ssl = required/ssl = yes/; s/^auth_allow_cleartext = no/auth_allow_cleartext = yes/", "systemctl restart dovecot"),
        {"C37-S39-imaps"},
        "39",
    ),
    "a clerk who does not see the unit's mailbox": Fault(
        ACCOUNTS.format("UPDATE account SET holds = '' WHERE address = 'linhhtm@thptsongque.test'"),
        ACCOUNTS.format(
            "UPDATE account SET holds = 'lienhe@thptsongque.test,vanthu@thptsongque.test'"
            " WHERE address = 'linhhtm@thptsongque.test'"
        ),
        {"C37-4.2.3"},
        "mailbox_behind_the_page",
    ),
    "a postmaster who is not the officer": Fault(
        *table("aliases", "sed -i 's/^postmaster@thptsongque.test .*/postmaster@thptsongque.test vangt@thptsongque.test/'"),
        {"C37-4.5"},
        "postmaster",
    ),
    "a director whom the Ministry does not reach": Fault(
        *table("recipients", "sed -i '/^giamdoc@sogddt/d'"), {"C37-5.1", "C37-5.2.3"}, "ministry", "so", "mail-so", "mail-so"
    ),
    "letters that are changed on the way": Fault(
        *edited(MAIN, "$ a body_checks = regexp:{{/^ữ/ REPLACE u}}", "postfix reload"), {"C37-12.1", "C37-S39-utf8"}, "letters"
    ),
    "a signature that is broken on the way": Fault(
        *edited(MAIN, "$ a body_checks = regexp:{{/signed message/ REPLACE changed}}", "postfix reload"), {"C37-S39-smime"}, "byte_for_byte"
    ),
    "no POP3": Fault(
        *edited(SERVICES, "s/pop3 = yes/pop3 = no/", "systemctl restart dovecot"), {"C37-S39-mbox"}, "pop3"
    ),
    "no IPv6": Fault(
        "ip -6 address del 2001:db8:37::13/64 dev host0", "ip -6 address add 2001:db8:37::13/64 dev host0 nodad", {"C37-S39-ip"}, "ipv4"
    ),
    "a page without HSTS": Fault(
        *edited(SITE, "/Strict-Transport/d", "systemctl reload nginx"), {"C37-S39-https"}, "39"
    ),
    "a home page that names another as the right one": Fault(
        *edited(PAGE, "s#rel=.canonical. href=.[^>]*#rel=\"canonical\" href=\"https://khac.test/\"#", "true"), {"C37-2.1"}, "one_name"
    ),
    "pages that are too wide for a phone": Fault(
        f"cd {LIVE}/portal/current/assets && mkdir /root/assets.kept && mv style-*.css.gz /root/assets.kept/"
        " && cp -p style-*.css /root/assets.kept/ && for file in style-*.css; do echo 'main{min-width:900px}' >>$file; done",
        f"cp -p /root/assets.kept/* {LIVE}/portal/current/assets/ && rm -r /root/assets.kept",
        {"C37-12.2"},
        "phones",
    ),
    "a picture without words": Fault(
        *page_edited(f"{PAGES}/lanh-dao/index.html", "s#</h1>#</h1><img src=\"/favicon.ico\">#"), {"C37-12.3"}, "phones"
    ),
    "search that does not answer": Fault(
        "systemctl stop edumail-search.socket edumail-search.service",
        "systemctl start edumail-search.socket edumail-search.service",
        {"C37-12.4"},
        "finds_it",
    ),
    "a feed without the newest article": Fault(
        *edited(f"{PAGES}/rss.xml", "0,/<item>/s/<item>/<x>/; 0,/<.item>/s/<.item>/<\\/x>/", "true"), {"C37-12.5"}, "feed"
    ),
    "a page without its publisher": Fault(
        *edited(f"{PAGES}/gioi-thieu/index.html", "/DC.publisher/d", "true"), {"C37-12.6", "C37-9.6"}, "metadata or 9.6"
    ),
    "a page that is no valid HTML": Fault(
        *edited(PAGE, "s#</main>#</b></p></main>#", "true"), {"C37-S39-html"}, "valid_html"
    ),
    "a form for the public that does not answer": Fault(
        "systemctl stop edumail-feedback.socket edumail-feedback.service",
        "systemctl start edumail-feedback.socket edumail-feedback.service",
        {"C37-9.1b"},
        "9.1b",
    ),
    "an article without its author": Fault(
        f"cp -a {PAGES}/tin-tuc /root/tin-tuc.kept && find {PAGES}/tin-tuc -name index.html -exec sed -i 's/Tác giả:/Viết:/' {{}} +",
        f"rm -r {PAGES}/tin-tuc && mv /root/tin-tuc.kept {PAGES}/tin-tuc",
        {"C37-7.3"},
        "author_and_source",
    ),
    "TLS 1.1": Fault(
        *edited(NGINX, "s/ssl_protocols .*/ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;/", "systemctl reload nginx"),
        {"C37-S39-tls"},
        "39",
    ),
}  # fmt: skip


def failing(inventory: Path, tmp_path: Path, host: str, only: str) -> set[tuple[str, str]]:
    """The (unit, requirement) pairs that plain pytest finds failing on one host."""
    target = tmp_path / "verdicts.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/circular", "-k", only]
    command += ["--inventory", str(inventory), f"--hosts=ssh://auditor@{host}", "--verdicts", str(target)]
    environment = ENVIRONMENT | {"EDUMAIL_AUDIT_WAIT": "12"}
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, env=environment)
    content = json.loads(target.read_text())
    assert not content["incomplete"], (content["incomplete"], result.stdout[-2000:])
    return {(f["unit"], f["requirement"]) for f in content["findings"] if f["verdict"] == "fail"}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_broken_fails(province: LabProvince, inventory: Path, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    province.run(fault.at, fault.broken)
    try:
        found = failing(inventory, tmp_path, fault.on, fault.only)
    finally:
        province.run(fault.at, fault.mended)
    assert {requirement for unit, requirement in found if unit == fault.unit} == fault.fails


def test_a_group_open_to_outsiders_fails(province: LabProvince, inventory: Path, tmp_path: Path) -> None:
    broken, mended = table("posting_outside", "truncate -s 0")
    province.run("mail-so", broken)
    try:
        assert ("vhxh-suoi-mo", "C37-5.3") in failing(inventory, tmp_path, "mail-xa", "groups")
    finally:
        province.run("mail-so", mended)


def test_port_25_without_tls_fails(province: LabProvince, inventory: Path, tmp_path: Path) -> None:
    main = "/etc/postfix/main.cf"
    broken, mended = edited(
        main,
        "s/^smtpd_tls_security_level = may/smtpd_tls_security_level = none/; s/^smtpd_discard.*//",
        "postfix reload",
    )
    province.run("mail-so", broken + f"; echo 'smtpd_discard_ehlo_keywords = 8bitmime' >> {main}; postfix reload")
    try:
        found = failing(inventory, tmp_path, "mail-thpt", "esmtp or handed_in")
    finally:
        province.run("mail-so", mended)
    assert found == {("thpt-song-que", "C37-S39-smtps"), ("thpt-song-que", "C37-S39-smtp")}


def test_a_host_out_of_reach_makes_the_run_incomplete(province: LabProvince, inventory: Path, tmp_path: Path) -> None:
    target = tmp_path / "verdicts.json"
    province.run("mail-thpt", "mv /etc/sudoers.d/edumail /root/sudoers.kept")
    try:
        result = verify(inventory, "--host", "mail-thpt", "--json", str(target))
    finally:
        province.run("mail-thpt", "mv /root/sudoers.kept /etc/sudoers.d/edumail")
    assert result.returncode == 2, result.stdout
    content = json.loads(target.read_text())
    verdicts = {f["requirement"]: f["verdict"] for f in content["findings"]}
    assert content["incomplete"]
    assert verdicts["C37-4.2.3"] == "not-tested"
