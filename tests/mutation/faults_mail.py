"""Faults of mail and accounts: what Articles 4 and 5, and the standards for mail, must turn red for."""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutation.fault import (
    EVERY,
    EVERYBODY,
    GATEWAY,
    LIVE,
    MANAGED,
    UNITS,
    Edit,
    Fault,
    accounts,
    edited,
    stopped,
    table,
)

THPT = "thpt-song-que"
DOVECOT, SERVICES = f"{LIVE}/dovecot/current/dovecot.conf", f"{LIVE}/dovecot/current/services.conf"
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
TEACHER = "bekt@thptsongque.test"
CLERK = "linhhtm@thptsongque.test"
LETTER = "mutation@kiemtra.invalid"
"""The Message-ID of a letter from one of the school's people to one of its official mailboxes."""
OFFICIAL = "vanthu@thptsongque.test"
WRITTEN = (
    f"printf 'From: {TEACHER}\\nTo: {OFFICIAL}\\nSubject: mutation\\nMessage-ID: <{LETTER}>\\n\\nmutation\\n'"
    f" | sendmail -i -f {TEACHER} -- {OFFICIAL}"
)
FOUND = f"doveadm search -u {OFFICIAL} mailbox INBOX header Message-ID {LETTER} | grep -q ."
ACCOUNTS, COMMAND = f"{LIVE}/accounts/current", "/usr/local/sbin/edumail-accounts"
DAYS_AHEAD = f"""\
mv {COMMAND} /root/mutation.kept
cat > {COMMAND} <<'END'
#!/usr/bin/python3 -B
import runpy, sys, time
real = time.time
if sys.argv[1:] == ["unopened"]:
    time.time = lambda: real() + 3 * 86400
sys.path.insert(0, "{ACCOUNTS}")
runpy.run_path("{ACCOUNTS}/edumail-accounts", run_name="__main__")
END
chmod 755 {COMMAND}"""
"""What asks how long letters lie has a clock that is three days ahead; whatever else the command does has not."""
SENDERS_ABROAD = tuple(unit for unit in EVERYBODY if unit != "thcs-suoi-mo")
"""Whose policy lets mail leave the province (``external_sending``)."""
BROUGHT = frozenset({"C37-4.2.3", "C37-4.5", "C37-12.1", "C37-S39-utf8", "C37-S39-smime"})
"""What is asked of every unit by letters that a stranger brings to its exchanger."""


def of_teacher(assignment: str, back: str) -> dict[str, str]:
    return accounts(
        f"UPDATE account SET {assignment} WHERE address = '{TEACHER}'",
        f"UPDATE account SET {back} WHERE address = '{TEACHER}'",
    )


FAULTS: Mapping[str, Fault] = {
    "a person without an account": Fault(
        {THPT: {"C37-4.3.1"}}, "roster", **of_teacher("state = 'closed'", "state = 'waiting'")
    ),
    "a leaver who is still enabled": Fault(
        {THPT: {"C37-4.3.1"}},
        "roster",
        **accounts(
            "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
            " SELECT 'cu@thptsongque.test', unit, 'sq-cu', name, home || '#2', quota_mb, code_days, 'active', 0"
            f" FROM account WHERE address = '{TEACHER}'",
            "DELETE FROM account WHERE address = 'cu@thptsongque.test'",
        ),
    ),
    "an account that is nobody's": Fault(
        {THPT: {"C37-4.3.1"}},
        "roster",
        **accounts(
            "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
            " SELECT 'cuasau@thptsongque.test', unit, NULL, name, home || '#3', quota_mb, code_days, 'active', 0"
            f" FROM account WHERE address = '{TEACHER}'",
            "DELETE FROM account WHERE address = 'cuasau@thptsongque.test'",
        ),
    ),
    "an account of a unit that there is not": Fault(
        {unit: {"C37-4.3.1"} for unit in UNITS["mail-xa"]},
        "roster",
        at="mail-xa",
        **accounts(
            "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, state, changed)"
            " SELECT 'cuasau@khongco.example', 'khong-co', NULL, name, home || '#3', quota_mb, code_days, 'active', 0"
            " FROM account WHERE person IS NOT NULL LIMIT 1",
            "DELETE FROM account WHERE address = 'cuasau@khongco.example'",
        ),
    ),
    "an account that the roster does not know": Fault(
        {unit: {MANAGED} for unit in EVERYBODY} | {THPT: {"C37-4.3.1", MANAGED}},
        "roster",
        on=EVERY,
        edits=(Edit("people/thpt-song-que.csv", "sq-14,Ông Thị Lành,van-phong,Y tế,lanhot@thptsongque.test\n", ""),),
    ),
    "a password before anybody chose one": Fault(
        {THPT: {"C37-11.3.5"}}, "begin_without", **of_teacher("hash = 'x'", "hash = NULL")
    ),
    "a weak hash": Fault(
        {THPT: {"C37-11.3.5"}},
        "begin_without",
        **of_teacher("hash = 'd41d8cd98f00b204e9800998ecf8427e', state = 'active'", "hash = NULL, state = 'waiting'"),
    ),
    "two accounts with one password hash": Fault(
        {THPT: {"C37-11.3.5", "C37-4.4d"}},
        "begin_without or are_protected",
        **accounts(
            f"UPDATE account SET hash = 'x' WHERE address IN ('{TEACHER}', '{CLERK}') AND hash IS NULL",
            f"UPDATE account SET hash = NULL WHERE address IN ('{TEACHER}', '{CLERK}') AND hash = 'x'",
        ),
    ),
    "a mailbox of the unit with a password": Fault(
        {THPT: {"C37-4.4d"}},
        "are_protected",
        **accounts(
            "UPDATE account SET hash = 'x' WHERE address = 'vanthu@thptsongque.test'",
            "UPDATE account SET hash = NULL WHERE address = 'vanthu@thptsongque.test'",
        ),
    ),
    "a rule for passwords that is too short": Fault(
        {THPT: {"C37-4.4d"}},
        "are_protected",
        **of_teacher(
            "password_characters = 6",
            "password_characters = (SELECT max(password_characters) FROM account WHERE unit = 'thpt-song-que')",
        ),
    ),
    "a rule for passwords with too few classes": Fault(
        {THPT: {"C37-4.4d"}},
        "are_protected",
        **of_teacher(
            "password_classes = 1",
            "password_classes = (SELECT max(password_classes) FROM account WHERE unit = 'thpt-song-que')",
        ),
    ),
    "a section that misses a member": Fault(
        {THPT: {"C37-4.3.3"}},
        "section",
        managed=True,
        **table("aliases", "sed -i 's/^to-nguvan@thptsongque.test .*/to-nguvan@thptsongque.test vangt@thptsongque.test/'"),
    ),
    "a clerk who does not see the unit's mailbox": Fault(
        {THPT: {"C37-4.2.3"}},
        "mailbox_behind_the_page",
        **accounts(
            f"UPDATE account SET holds = '' WHERE address = '{CLERK}'",
            "UPDATE account SET holds = 'lienhe@thptsongque.test,vanthu@thptsongque.test'"
            f" WHERE address = '{CLERK}'",
        ),
    ),
    "a postmaster who is not the officer": Fault(
        {THPT: {"C37-4.5"}},
        "postmaster",
        managed=True,
        **table("aliases", "sed -i 's/^postmaster@thptsongque.test .*/postmaster@thptsongque.test vangt@thptsongque.test/'"),
    ),
    "abuse reports that nobody gets": Fault(
        {THPT: {"C37-4.5"}}, "postmaster", managed=True, **table("aliases", "sed -i '/^abuse@thptsongque.test/d'")
    ),
    "an officer of whom the inventory says another": Fault(
        {THPT: {"C37-4.5"}},
        "postmaster",
        on=EVERY,
        managed=True,
        edits=(Edit("units/so.yml", "officer: sq-06", "officer: sq-05"),),
    ),
    "mail that does not leave the host": Fault(
        {unit: {"C37-4.1"} for unit in (THPT, *UNITS[GATEWAY])},  # the gateway's units exchange letters with the school
        "",
        on=EVERY,
        managed=True,
        **edited(MASTER, "s/^peer  .*smtp$/peer unix - - n - - error/", "postfix reload"),
    ),
    "mail that does not reach the Internet": Fault(  # it is put off, so that no bounce lies in anybody's mailbox
        {unit: {"C37-4.1"} for unit in SENDERS_ABROAD},
        "units_exchange",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **edited(MAIN, "$ a default_transport = retry:4.4.1 no way out", "postfix reload"),
    ),
    "a director whom the Ministry does not reach": Fault(
        {"so": {"C37-5.1", "C37-5.2.1", "C37-5.2.2", "C37-5.2.3"}},
        "ministry",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **table("recipients", "sed -i '/^giamdoc@sogddt/d'"),
    ),
    "a clerk whom the Ministry does not reach": Fault(
        {"so": {"C37-5.1", "C37-5.2.1", "C37-5.2.2", "C37-5.2.3"}},
        "ministry",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **table("recipients", "sed -i '/^vanthu@sogddt/d'"),
    ),
    "a group open to outsiders": Fault(
        {"so": {"C37-5.3"}, "vhxh-suoi-mo": {"C37-5.3"}},
        "",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **table("posting_outside", "truncate -s 0"),
    ),
    "a group that misses a member": Fault(
        {"vhxh-suoi-mo": {"C37-5.3"}},
        "groups",
        at="mail-xa",
        managed=True,
        **table("aliases", "sed -i -E 's/^(hieutruong[^ ]*) ([^, ]*),? *.*/\\1 \\2/'"),
    ),
    "letters that are changed on the way": Fault(
        {THPT: {"C37-12.1", "C37-S39-utf8"}},
        "letters",
        managed=True,
        **edited(MAIN, "$ a body_checks = regexp:{{/^ữ/ REPLACE u}}", "postfix reload"),
    ),
    "a signature that is broken on the way": Fault(
        {THPT: {"C37-S39-smime"}},
        "byte_for_byte",
        managed=True,
        **edited(MAIN, "$ a body_checks = regexp:{{/signed message/ REPLACE changed}}", "postfix reload"),
    ),
    "a password port without TLS": Fault(
        {THPT: {"C37-S39-smtps"}},
        "39",
        managed=True,
        **edited(
            MASTER,
            "s/smtpd_tls_security_level=encrypt/smtpd_tls_security_level=may -o smtpd_tls_auth_only=no/",
            "postfix reload",
        ),
    ),
    "IMAP in the clear": Fault(
        {THPT: {"C37-S39-imaps"}},
        "39",
        managed=True,
        **edited(
            DOVECOT,
            "s/^ssl = required/ssl = yes/; s/^auth_allow_cleartext = no/auth_allow_cleartext = yes/",
            "systemctl restart dovecot",
        ),
    ),
    "no POP3": Fault(
        {THPT: {"C37-S39-mbox", "C37-S39-tls"}},
        "39",
        managed=True,
        **edited(SERVICES, "s/pop3 = yes/pop3 = no/", "systemctl restart dovecot"),
    ),
    "TLS 1.0 for those who submit": Fault(
        {THPT: {"C37-S39-tls"}},
        "only_tls",
        managed=True,
        **edited(
            MAIN,
            "s/^smtpd_tls_mandatory_protocols.*/smtpd_tls_mandatory_protocols = >=TLSv1/;"
            " s/^smtpd_tls_protocols.*/smtpd_tls_protocols = >=TLSv1/;"
            " $ a smtpd_tls_mandatory_ciphers = low\\ntls_low_cipherlist = ALL:@SECLEVEL=0",
            "postfix reload",
        ),
    ),
    "port 25 without 8-bit mail": Fault(
        {unit: {"C37-S39-smtp"} for unit in EVERYBODY},
        "",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **edited(MAIN, "s/^smtpd_discard.*//; $ a smtpd_discard_ehlo_keywords = 8bitmime", "postfix reload"),
    ),
    "port 25 without TLS": Fault(  # an audit brings its letters over TLS or not at all
        {unit: {"C37-S39-smtps", *BROUGHT, "C37-9.1b"} for unit in EVERYBODY}
        | {"so": {"C37-S39-smtps", *BROUGHT, "C37-8.1b", "C37-5.2.3"}}
        | {"vhxh-suoi-mo": {"C37-S39-smtps", *BROUGHT, "C37-8.1b"}},
        "",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **edited(MAIN, "s/^smtpd_tls_security_level = may/smtpd_tls_security_level = none/", "postfix reload"),
    ),
    "a published address that the gateway does not know": Fault(
        {THPT: {*BROUGHT - {"C37-4.5"}, "C37-9.1b", "C37-9.5"}, "so": {"C37-4.3.4"}},
        "",
        at=GATEWAY,
        on=EVERY,
        managed=True,
        **table("recipients", "sed -i '/^lienhe@thptsongque.test/d'"),
    ),
    "no IPv6": Fault(
        {THPT: {"C37-S39-ip"}},
        "ipv4",
        broken="ip -6 address del 2001:db8:37::13/64 dev host0",
        mended="ip -6 address add 2001:db8:37::13/64 dev host0 nodad",
    ),
    "a certificate for another name": Fault(
        {THPT: {"C37-S39-smtps", "C37-S39-imaps", "C37-S39-mbox", "C37-11.3.2"}},
        "handed_in or read_over_tls or imap_and_pop3 or servers_with",
        broken=(
            "systemctl stop edumail-certificates.timer edumail-certificates.service && "  # it puts the true one back
            "cp -p /etc/edumail/tls/shown/host.pem /root/mutation.kept && cd /root && "
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=khac.test"
            " -addext subjectAltName=DNS:khac.test -keyout mutation.key -out mutation.pem 2>/dev/null && "
            "cat mutation.key mutation.pem > /etc/edumail/tls/shown/host.pem && rm mutation.key mutation.pem && "
            "postfix reload && systemctl reload dovecot"
        ),
        mended=(
            "cp -p /root/mutation.kept /etc/edumail/tls/shown/host.pem && rm /root/mutation.kept && postfix reload &&"
            " systemctl reload dovecot && systemctl start edumail-certificates.timer"
        ),
    ),
    "an officer whom nobody attests any more": Fault(
        {},
        "postmaster",
        on=EVERY,
        doubtful={THPT: {"C37-4.5"}},
        edits=(Edit("attestations.yml", "  until: 2029-08-31\n  document: 31/", "  until: 2026-09-02\n  document: 31/"),),
    ),
    "an attestation that is withdrawn": Fault(
        {},
        "postmaster",
        at=GATEWAY,
        on=EVERY,
        doubtful={"so": {"C37-4.3.2"}},
        edits=(Edit("attestations.yml", "[C37-4.3.2, C37-4.5]", "[C37-4.5]"),),
    ),
    "nobody who reminds of letters that lie": Fault(
        {THPT: {"C37-4.4c.2"}}, "every_day", **stopped("edumail-accounts.timer")
    ),
    # The letter, and that no holder has read it, are real. That it lies for days can't be: when a letter was saved is
    # the ctime of its file, which nobody can set back.
    "a letter that nobody opens": Fault(
        {THPT: {"C37-4.4c.2"}},
        "every_day",
        broken=(
            f"{DAYS_AHEAD}\n{WRITTEN}\nfor try in $(seq 50); do {FOUND} && break; sleep 0.2; done\n{FOUND}"
        ),
        mended=(
            f"mv /root/mutation.kept {COMMAND} &&"
            f" doveadm expunge -u {OFFICIAL} mailbox INBOX header Message-ID {LETTER}"
        ),
        managed=True,
    ),
    "Dovecot is stopped": Fault(
        {
            THPT: {
                "C37-3.4.1", "C37-S39-imaps", "C37-S39-mbox", "C37-S39-ip", "C37-S39-tls", "C37-11.3.2",
            }
        },
        "read_over_tls or imap_and_pop3 or by_ipv4 or only_tls or come_back or servers_with",
        **stopped("dovecot"),
    ),
}  # fmt: skip
