"""What a province's hosts are made of, in order. ``pyinfra inventories/PROVINCE/hosts.py deploy.py``"""

import gc

from pyinfra import host, state

from roles.accounts import deploy as accounts
from roles.audit import deploy as audit
from roles.base import deploy as base
from roles.certificates import deploy as certificates
from roles.clamav import deploy as clamav
from roles.common.inventory import open_inventory
from roles.common.lock import hold_deploy_lock
from roles.common.operations import apt_packages
from roles.common.paths import has_mail, has_web
from roles.common.progress import report_progress
from roles.discovery import deploy as discovery
from roles.dovecot import deploy as dovecot
from roles.feedback import deploy as feedback
from roles.firewall import deploy as firewall
from roles.identity import deploy as identity
from roles.mtasts import deploy as mtasts
from roles.nginx import deploy as nginx
from roles.nginx.render import peers
from roles.portal import deploy as portal
from roles.postfix import deploy as postfix
from roles.resolver import deploy as resolver
from roles.rspamd import deploy as rspamd
from roles.search import deploy as search
from roles.selfservice import deploy as selfservice
from roles.srs import deploy as srs
from roles.sshd import deploy as sshd
from roles.webmail import deploy as webmail

# What a deploy makes of a province it needs to its end; to walk all of that again and again took a quarter of its time.
gc.disable()

inventory = open_inventory(host.data.inventory)
target = inventory.host(host.name)
mail = has_mail(target)
web = has_web(target)
pages = "portal" in target.roles
front = "gateway" in target.roles
antivirus = "antivirus" in target.roles
authors = mail and srs.wanted(inventory, target)

report_progress(state)
hold_deploy_lock(host)

# Install: everything at once, nothing started before it has our configuration.
parts = [base, firewall, sshd, resolver, identity, certificates]
parts += [rspamd, accounts, dovecot, postfix, feedback, selfservice] if mail else []
parts += [clamav] if antivirus else []
parts += [srs] if authors else []
parts += [nginx] if web else []
parts += [search] if pages else []
parts += [mtasts, webmail] if front else []
apt_packages(
    name="packages",
    packages=sorted(
        {package for part in parts for package in part.PACKAGES} | {*certificates.packages(inventory, target)}
    ),
    preseed=[line for part in parts for line in getattr(part, "PRESEED", ())],
)

# Each part is staged beside what is live, then validated, switched, reloaded, probed; in the order in which they need
# each other. The host itself: keys come first, since hosts know each other by them.
base.configure(inventory, target)
firewall.configure(inventory, target)
sshd.configure()
resolver.configure()
identity.configure(inventory, target)
certificates.configure(inventory, target)
if front:
    mtasts.configure()
base.activate(inventory, target)
firewall.activate(inventory, target)
sshd.activate()
resolver.activate()
if front:
    mtasts.activate()
certificates.activate(inventory, target)

# Mail. Nothing of it is live before all of it is staged; accounts and then Postfix at once, for what the one does not
# know yet, or any longer, the other must not take.
if antivirus:
    clamav.configure(inventory)
if mail:
    accounts.configure(inventory, target)
    selfservice.configure(inventory, target)
    feedback.configure(inventory, target)
    rspamd.configure(inventory, target)
    dovecot.configure(inventory, target)
    postfix.configure(inventory, target)
    audit.configure(inventory)
if authors:
    srs.configure(target)
if antivirus:
    clamav.activate(inventory)
if authors:
    srs.activate(target)
if mail:
    rspamd.activate(inventory, target)
    feedback.activate(inventory, target)
    accounts.activate(inventory, target)
    # Before Dovecot: where a host becomes the gateway, the ports for submission pass from it to Dovecot.
    postfix.activate(inventory, target)
    dovecot.activate(inventory, target)
    selfservice.activate(inventory, target)
    audit.activate(inventory)

# Policies give and take it: once no Postfix asks it any more, it goes.
if mail and not authors:
    srs.remove()

# Pages come last: to bring those of thousands of units takes longest.
sites: dict[str, str] = {}  # nginx's configuration of each site that the host has
if pages:
    search.configure(inventory, target)
    portal.configure(inventory, target)
    sites["portal"] = portal.site(
        inventory,
        target,
        zones=search.zones() + feedback.zones(inventory, target),
        locations=search.locations() + feedback.locations(),
    )
if front:
    webmail.configure(inventory)
    sites["webmail"] = webmail.site(inventory)
    discovery.configure(inventory, target)
    sites["discovery"] = discovery.site(inventory, target)
    sites["selfservice"] = selfservice.site(inventory, target)
asked = [feedback.peer_location(inventory, target)] if mail else []
if mail and not front:
    asked.append(selfservice.peer_location())
if site := peers(target, asked):
    sites["peers"] = site
if web:
    nginx.configure(inventory, target, sites)
if pages:
    search.activate(inventory, target)
    portal.activate(inventory, target)
if front:
    discovery.activate(inventory, target)
if web:
    nginx.activate(inventory, target, sites)
if front:
    webmail.activate(inventory)

# A public authority asks the host itself for the proof, so everything answers by now.
certificates.order(inventory, target)
