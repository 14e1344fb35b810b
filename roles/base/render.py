"""What every host has before any daemon: users, folders, and units that come back when their process is killed."""

from __future__ import annotations

from edumail.model import Host
from edumail.templates import render
from edumail.tree import Tree
from roles.common.paths import ACCOUNTS_DB, AUDIT_SIEVE, AUDITOR_HOME, VMAIL_ID, has_mail, has_web

MAIL_UNITS, WEB_UNITS = ("dovecot", "postfix"), ("nginx",)


def drop_ins(host: Host) -> dict[str, str]:
    """Path on the host → file in the tree, for each unit that runs there."""
    units = (MAIL_UNITS if has_mail(host) else ()) + (WEB_UNITS if has_web(host) else ())
    return {f"/etc/systemd/system/{unit}.service.d/edumail.conf": f"{unit}.service.conf" for unit in units}


def tree(host: Host) -> Tree:
    """Files for systemd-sysusers(8) and systemd-tmpfiles(8), and a drop-in for each unit."""
    accounts, audit = (path.rpartition("/")[0] for path in (ACCOUNTS_DB, AUDIT_SIEVE))
    mail_folders = [
        "d /var/vmail 0750 vmail vmail",
        f"d {accounts} 0750 root dovecot",
        f"d {audit} 0750 root vmail",
        # Dovecot's sockets stand in Postfix's folder, which Postfix itself makes at its first start only.
        "d /var/spool/postfix/private 0700 postfix root",
    ]
    mail_users = [f"g vmail {VMAIL_ID}", f"u vmail {VMAIL_ID}:{VMAIL_ID} 'edumail mailboxes' /var/vmail"]
    folders = [f"d {AUDITOR_HOME} 0755 root root", f"d {AUDITOR_HOME}/.ssh 0755 root root"]
    users = [f"u auditor - 'edumail auditor' {AUDITOR_HOME} /bin/sh"]
    if has_mail(host):
        folders += mail_folders
        users += mail_users
    files = {"sysusers.conf": "\n".join(users) + "\n", "tmpfiles.conf": "\n".join(folders) + "\n"}
    for file in drop_ins(host).values():
        files[file] = render(f"base/etc/systemd/{file}.j2")
    return Tree.of(files)
