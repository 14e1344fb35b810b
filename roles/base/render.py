"""What every host has before any daemon: users, folders, logs that last, updates, and units that come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edumail.model import Host
from edumail.templates import render
from edumail.tree import File, Tree
from roles.common.paths import ACCOUNTS_DB, AUDIT_SIEVE, AUDITOR_HOME, VMAIL_ID, has_mail, has_web
from roles.webmail.render import PHP

LOGS_BEGAN = "/var/lib/edumail/logs-began"
"""Its time is when the host began to keep logs."""


@dataclass(frozen=True)
class Unit:
    """A service that comes back when its process is killed; ``restart`` is not less than the distribution's own."""

    name: str
    restart: Literal["on-failure", "always"] = "on-failure"
    pid_file: str = ""
    stop_seconds: int = 0
    """When stopping, how long until what is left is killed; 0 leaves it to the distribution."""
    realtime: bool = False
    """Whether its processes may ask for the lowest real-time priority (see sched(7))."""


UNITS = (Unit("chrony"), Unit("ssh"), Unit("unbound"))
MAIL_UNITS = (
    Unit("dovecot", stop_seconds=20, realtime=True),
    Unit("postfix", pid_file="/var/spool/postfix/pid/master.pid", stop_seconds=20),
    Unit("redis-server", restart="always"),
    Unit("rspamd", restart="always", stop_seconds=10),
)
WEB_UNITS = (Unit("nginx"),)
ANTIVIRUS_UNITS = (Unit("clamav-daemon"), Unit("clamav-freshclam"))
FRONT_UNITS = (Unit(f"php{PHP}-fpm"), Unit("postfix-mta-sts-resolver", restart="always"))


def units(host: Host) -> tuple[Unit, ...]:
    """The services of ``host``, under the names of the units that really run."""
    return (
        UNITS
        + (MAIL_UNITS if has_mail(host) else ())
        + (WEB_UNITS if has_web(host) else ())
        + (ANTIVIRUS_UNITS if "antivirus" in host.roles else ())
        + (FRONT_UNITS if "gateway" in host.roles else ())
    )


def links(host: Host) -> dict[str, str | None]:
    """Path on the host → file in the tree; None: no such file."""
    return {
        "/etc/sysusers.d/edumail.conf": "sysusers.conf",
        "/etc/tmpfiles.d/edumail.conf": "tmpfiles.conf",
        "/etc/sysctl.d/60-edumail.conf": "sysctl.conf",
        "/etc/systemd/journald.conf.d/edumail.conf": "journald.conf",
        "/etc/systemd/system/edumail-journal.service": "edumail-journal.service",
        "/etc/systemd/system/edumail-journal.timer": "edumail-journal.timer",
        "/usr/local/sbin/edumail-journal": "edumail-journal",
        "/etc/systemd/system/apt-daily-upgrade.timer.d/edumail.conf": "apt-daily-upgrade.timer.conf",
        "/etc/apt/apt.conf.d/60edumail": "apt.conf",
        "/etc/needrestart/conf.d/edumail.conf": "needrestart.conf",
        # bash reads it for each command that comes over SSH, and a deploy is made of these.
        "/root/.bashrc": None,
        **{
            f"/etc/systemd/system/{unit.name}.service.d/edumail-restart.conf": f"{unit.name}.service"
            for unit in units(host)
        },
    }


def tree(host: Host, log_retention_days: int) -> Tree:
    """All that :func:`links` names."""
    accounts, audit = (path.rpartition("/")[0] for path in (ACCOUNTS_DB, AUDIT_SIEVE))
    mail_folders = [
        "d /var/vmail 0750 vmail vmail",
        # The pages by which people choose their passwords write there; Dovecot reads.
        f"d {accounts} 2750 edumail-accounts dovecot",
        f"d {audit} 0750 root vmail",
        # Dovecot's sockets stand in Postfix's folder, which Postfix itself makes at its first start only.
        "d /var/spool/postfix/private 0700 postfix root",
    ]
    mail_users = ["u edumail-accounts - 'edumail account pages'", f"g vmail {VMAIL_ID}"]
    mail_users += [f"u vmail {VMAIL_ID}:{VMAIL_ID} 'edumail mailboxes' /var/vmail"]
    folders = [
        f"d {AUDITOR_HOME} 0755 root root",
        f"d {AUDITOR_HOME}/.ssh 0755 root root",
        f"f {LOGS_BEGAN} 0644 root root",
    ]
    users = [f"u auditor - 'edumail auditor' {AUDITOR_HOME} /bin/sh"]
    if has_mail(host):
        folders += mail_folders
        users += mail_users
    reach = render("base/usr/local/sbin/edumail-journal.j2", days=log_retention_days, began=LOGS_BEGAN)
    return Tree.of(
        {
            "sysusers.conf": "\n".join(users) + "\n",
            "tmpfiles.conf": "\n".join(folders) + "\n",
            "sysctl.conf": render("base/etc/sysctl.d/edumail.conf.j2"),
            "journald.conf": render("base/etc/systemd/journald.conf.j2", days=log_retention_days),
            "edumail-journal": File(reach.encode(), executable=True),
            "edumail-journal.service": render("base/etc/systemd/edumail-journal.service.j2"),
            "edumail-journal.timer": render("base/etc/systemd/edumail-journal.timer.j2"),
            "apt-daily-upgrade.timer.conf": render("base/etc/systemd/apt-daily-upgrade.timer.conf.j2"),
            "apt.conf": render("base/etc/apt/apt.conf.d/edumail.j2"),
            "needrestart.conf": render("base/etc/needrestart/conf.d/edumail.conf.j2"),
            **{f"{unit.name}.service": render("base/etc/systemd/service.conf.j2", unit=unit) for unit in units(host)},
        }
    )
