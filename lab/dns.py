"""Loads zones into Knot on `internet`, which signs them, and makes every host trust them."""

from __future__ import annotations

import io
import re
import tarfile
from concurrent.futures import ThreadPoolExecutor

from lab import container, ssh, state, zones
from lab.text import LabError
from lab.topology import FOREIGN_DOMAIN, INTERNET, Machine

RESOLVER_FILE = "etc/unbound/unbound.conf.d/00-lab.conf"

KNOT_CONF = f"""\
server:
    listen: [ {INTERNET.ipv4}@53, {INTERNET.ipv6}@53 ]
    user: knot:knot
log:
  - target: syslog
    any: info
template:
  - id: default
    storage: /var/lib/knot
    file: /etc/knot/zones/%s.zone
    # The file is the truth and never written back; Knot keeps keys, signatures and serial numbers of its own.
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    dnssec-signing: on
include: /etc/knot/zones.conf
"""

# Zone files come as a tar on stdin. Nothing is touched unless Knot accepts every one of them.
_PUBLISH = """
new=$(mktemp -d); trap 'rm -rf "$new"' EXIT
tar -x -C "$new" --no-same-owner
for file in "$new"/*.zone; do
    zone=${file##*/}; zone=${zone%.zone}
    kzonecheck -o "$zone" "$file" >"$new/said" 2>&1 || { echo "$zone:"; sed "s|$new/||g" "$new/said"; exit 3; }
done
chmod 644 "$new"/*.zone
mv "$new"/*.zone /etc/knot/zones/
cd /etc/knot/zones
{ echo zone:; for file in *.zone; do echo "  - domain: ${file%.zone}"; done; } >/etc/knot/zones.conf
knotc -t 60 reload >/dev/null
for zone in $ZONES; do knotc -t 60 -b zone-reload "$zone" >/dev/null; done
"""
_ANCHORS = """
for file in /etc/knot/zones/*.zone; do
    zone=${file##*/}; zone=${zone%.zone}
    for try in $(seq 100); do
        kdig @IP +noall +answer +dnssec "$zone" SOA | grep -q RRSIG && break
        sleep 0.1
    done
    kdig @IP +noall +answer "$zone" DNSKEY
done
""".replace("IP", INTERNET.ipv4)


def publish(new: dict[str, str]) -> None:
    """Serve the zones ``new`` ({name: master file}), signed, and make every running host trust them.

    A zone of the same name is replaced and keeps its keys; other zones stay. When this returns the new content is
    served and every resolver has forgotten the old. Knot counts serial numbers itself: the file's does not matter.
    Raises :class:`LabError` with Knot's words, and changes nothing, if Knot refuses one of them.
    """
    new = {name.rstrip(".").lower(): text for name, text in new.items()}
    for name in new:
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name) or name == FOREIGN_DOMAIN:
            raise LabError(f"Không thể công bố vùng DNS `{name}`.", f"The DNS zone `{name}` cannot be published.")
    with state.lock():
        load(new)
        trust(state.machines())


def load(new: dict[str, str]) -> None:
    """Load ``new`` into Knot and remember it for a later `internet`; the caller holds the lock."""
    if not new:
        return
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in new.items():
            data = text.encode()
            member = tarfile.TarInfo(f"{name}.zone")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    try:
        ssh.call(INTERNET.name, f"set -e; ZONES='{' '.join(new)}'\n{_PUBLISH}", stdin=packed.getvalue())
    except LabError as error:
        raise LabError(f"Knot từ chối vùng DNS: {error.text.vi}", f"Knot refuses a DNS zone: {error.text.en}") from None
    for name, text in new.items():
        kept = state.ZONES / f"{name}.zone"
        kept.write_text(text)
        state.hand_over(kept)


def kept() -> dict[str, str]:
    """Return the zones that were loaded before, {name: text}."""
    return {path.stem: path.read_text() for path in state.ZONES.glob("*.zone")}


def forget(*names: str) -> None:
    """Forget zones, so that the lab makes its own anew."""
    for name in names:
        (state.ZONES / f"{name}.zone").unlink(missing_ok=True)


def trust(hosts: tuple[Machine, ...]) -> None:
    """Tell the unbound of each running host among ``hosts`` which zones there are and by which keys to trust them."""
    anchors: dict[str, list[str]] = {}
    for line in ssh.call(INTERNET.name, _ANCHORS).decode().splitlines():
        name, _, _, kind, *data = line.split()
        keys = anchors.setdefault(name.rstrip("."), [])
        if kind == "DNSKEY" and data[0] == "257":
            keys.append(" ".join(data))
    unsigned = [name for name, keys in anchors.items() if not keys]
    if unsigned or not anchors:
        raise LabError(
            f"Knot chưa ký vùng DNS: {', '.join(unsigned)}.", f"Knot has not signed DNS zones: {', '.join(unsigned)}."
        )
    text = zones.resolver(anchors).encode()
    script = (
        f"set -e; mkdir -p /{RESOLVER_FILE.rpartition('/')[0]}; cat >/{RESOLVER_FILE}.new; "
        f"mv /{RESOLVER_FILE}.new /{RESOLVER_FILE}; "
        # reload, not only for the file: it also makes unbound forget every answer. It has, once it answers again.
        "! systemctl --quiet is-active unbound || { unbound-control -q reload && unbound-control -q status; } ||"
        " systemctl restart unbound"
    )
    running = [host for host in hosts if container.alive(host)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: ssh.call(host.name, script, stdin=text), running))
