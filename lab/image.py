"""The root file systems: a minimal Debian, and a layer on top of it for the host `internet`. Built once, then reused.

An image is a stack of directories for overlayfs, lowest first. Its name contains a digest of its recipe, so a changed
recipe makes a new image and never mends an old one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from lab import aptcache, cage, disk, sources, state
from lab.text import Text

BASE_PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "netbase",
    "nftables",
    "openssh-server",
    "sudo",
    "systemd-sysv",
)
INTERNET_PACKAGES = (
    "curl",
    "dns-root-data",
    "isync",
    "knot",
    "knot-dnssecutils",
    "knot-dnsutils",
    "libnet-ssleay-perl",
    "neomutt",
    "opendkim",
    "opendkim-tools",
    "openssl",
    "pebble",
    "postfix",
    "postfix-policyd-spf-python",
    "swaks",
    "unbound",
)

_FILES = {
    "etc/apt/apt.conf.d/50lab": 'Acquire::Languages "none";\nAcquire::Retries "3";\n',
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions edns0 trust-ad\n",
    "etc/hostname": "localhost\n",
    "etc/locale.conf": "LANG=C.UTF-8\n",
}
_BASE_SCRIPT = """
rm -f /etc/ssh/ssh_host_* /etc/machine-id
touch /etc/machine-id
mkdir -p /var/log/journal
systemctl --quiet enable systemd-networkd ssh
"""
# Keys are made here, so that the foreign domain keeps its DKIM key and certificate for as long as the image lives.
_INTERNET_SCRIPT = """
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qqy --no-install-recommends install PACKAGES
install -d -o 5000 -g 5000 -m 700 /var/mail/foreign
mkdir -p /etc/knot/zones /etc/foreign
touch /etc/knot/zones.conf
cd /etc/foreign
openssl genrsa -out dkim.key 2048
openssl rsa -in dkim.key -pubout -outform DER | base64 -w0 >dkim.pub
chown opendkim:opendkim dkim.key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=FQDN" \
    -addext "subjectAltName=DNS:FQDN" -keyout tls.key -out tls.crt
openssl x509 -in tls.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1 >tlsa
chmod 600 dkim.key tls.key
apt-get clean
"""


def base(found: tuple[sources.Source, ...]) -> tuple[Path, ...]:
    """Return the minimal Debian's layers, building what is missing (about 20 s and 0.3 GB)."""
    options = sources.acquire_options()
    lines = [
        f"deb [signed-by={sources.KEYRING}] {aptcache.url(source)} {suite} main"
        for source in found
        for suite in source.suites
    ]
    recipe = [sources.RELEASE, BASE_PACKAGES, _FILES, _BASE_SCRIPT, lines, options]
    target = _target("debian", recipe)
    if not target.exists():
        part = target.with_name(target.name + ".part")
        disk.remove(part)
        part.mkdir(parents=True)
        part.chmod(0o755)
        command = ["mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--skip=cleanup/apt/lists"]
        # The hosts are thrown away: a package need not be on the disk before the next one is unpacked.
        command += [f"--include={','.join(BASE_PACKAGES)}", "--dpkgopt=force-unsafe-io"]
        command += [f'--aptopt={name} "{value}"' for name, value in options.items()]
        _build([*command, sources.RELEASE, str(part), *lines])
        for name, text in _FILES.items():
            path = part / name
            path.unlink(missing_ok=True)
            path.write_text(text)
        _build(["env", "-u", "TMPDIR", "chroot", str(part), "sh", "-ec", _BASE_SCRIPT])
        part.rename(target)
    return (target,)


def internet(layers: tuple[Path, ...], fqdn: str) -> tuple[Path, ...]:
    """Return the layers of the host `internet`, building its own on top of ``layers`` if it is missing."""
    script = _INTERNET_SCRIPT.replace("PACKAGES", " ".join(INTERNET_PACKAGES)).replace("FQDN", fqdn)
    target = _target("internet", [[layer.name for layer in layers], script])
    if not target.exists():
        part = target.with_name(target.name + ".part")
        disk.create(part, layers)
        prefix, root = disk.enter(part)
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--resolv-conf=off"]
        command += ["--timezone=off", "--console=pipe", f"--directory={root}", "sh", "-ec", script]
        _build([*prefix, *command])
        (part / "upper").rename(target)
        disk.remove(part)
    return (*layers, target)


def prune(used: set[Path]) -> None:
    """Throw away every image that is not in ``used``."""
    for path in (state.CACHE / "images").iterdir():
        if path not in used:
            shutil.rmtree(path)


def _target(name: str, recipe: object) -> Path:
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    return state.CACHE / "images" / f"{name}-{sources.RELEASE}-{digest}"


def _build(command: list[str]) -> None:
    # Temporary files in the lab's own directory: a build that was killed leaves nothing that `down` does not find.
    env = {"TMPDIR": str(state.ROOT), "SYSTEMD_NSPAWN_LOCK": "0"}
    cage.run("build", command, Text("Dựng ảnh Debian", "Build the Debian image"), env=env)
