"""What it costs to serve portals: against a bare nginx, and with 3,500 names against three.

``python -m bench.portal_serving [ROUNDS]`` (5; 0 leaves the first part out) adds a host to the lab with Debian's nginx
as its package leaves it, and alternates the two, each asked over TLS for the same home page by wrk on the host itself,
connections kept alive. Our side is the deployed configuration with its pages, log and limits, entered without the PROXY
header, which wrk does not speak and which comes once a connection; a second row goes from outside through the gateway.
Then the configuration of an invented province of 3,500 units, and of one of three, in nginx on the extra host: memory
(PSS) and reload. Needs root. The lab stays up and deployed, the extra host goes.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.deploy import INVENTORY, edumail
from bench.lone_province import gather
from bench.mail import STOCK, comparison
from edumail.certificates import certificates
from edumail.example import generate, write
from edumail.load import load
from edumail.model import Province
from edumail.portal.load import Contents
from edumail.portal.site import Portals
from lab import lab, ssh
from lab.topology import DEFAULT, INTERNET
from roles.common.paths import TLS, live
from roles.feedback import render as feedback
from roles.nginx import render as nginx
from roles.portal import render as portal
from roles.search import render as search

HOST, NAME, SITE = "mail-thpt", "www.thptsongque.test", "thpt-song-que"
SECONDS, CONNECTIONS, PORT = 5, 32, 8443
GATEWAY = "198.18.37.11"
UNITS, SEED = 3500, 1
HERE = "/srv/bench"
"""Where the provinces' configurations lie on the extra host."""

_STOCK_SETUP = """\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qqy --no-install-recommends install nginx-light libnginx-mod-stream openssl python3 wrk >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=stock \\
  -keyout /etc/ssl/stock.key -out /etc/ssl/stock.pem 2>/dev/null
cat >/etc/nginx/sites-enabled/tls <<'END'
server {
    listen 443 ssl;
    ssl_certificate /etc/ssl/stock.pem;
    ssl_certificate_key /etc/ssl/stock.key;
    root /var/www/html;
}
END
cat >/var/www/html/index.html
rm -f /var/www/html/index.nginx-debian.html
systemctl restart nginx
"""
# The live configuration again, at a door of its own that asks for no PROXY header.
_OURS_SETUP = f"""\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qqy --no-install-recommends install wrk >/dev/null
[ ! -f /run/bench-nginx.pid ] || {{ kill $(cat /run/bench-nginx.pid); sleep 1; }}
rm -rf {HERE} && mkdir -p {HERE} && cp -rL /etc/nginx/. {HERE}
cd {HERE}
sed -i 's/^listen 443 ssl proxy_protocol;/listen 127.0.0.1:{PORT} ssl;/; /^listen .* proxy_protocol;/d' https.conf
sed -i -E 's/listen 443 ssl default_server proxy_protocol;/listen 127.0.0.1:{PORT} ssl default_server;/;
  /listen .*proxy_protocol;/d; s/listen 80 default_server/listen 127.0.0.1:8080 default_server/;
  /listen \\[::\\]/d; s#^pid .*#pid /run/bench-nginx.pid;#' nginx.conf
sed -i -E 's/listen 80;/listen 127.0.0.1:8080;/; /listen \\[::\\]/d' sites/*.conf
nginx -c {HERE}/nginx.conf </dev/null >/dev/null 2>/tmp/bench-nginx || {{ cat /tmp/bench-nginx >&2; exit 1; }}
"""
_OURS_END = f"kill $(cat /run/bench-nginx.pid); rm -rf {HERE}; apt-get -qqy purge --autoremove wrk >/dev/null"
# Names lead where we want for wrk alone.
_WRK = """\
printf '%s\\n' '{address} {name}' > /tmp/bench-hosts
unshare -m sh -c 'mount --bind /tmp/bench-hosts /etc/hosts && exec wrk -t 1 -c {connections} -d {seconds}s{more} {url}'
"""
_MEASURE = r"""
import glob, json, os, signal, statistics, subprocess, sys, time
conf = sys.argv[1]

def workers(master):
    found = set()
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            words = open(path).read().rpartition(')')[2].split()
        except OSError:
            continue
        if words[1] == str(master):
            found.add(int(path.split('/')[2]))
    return found

began = time.monotonic()
subprocess.run(['nginx', '-t', '-q', '-c', conf], check=True)
tested = time.monotonic() - began
subprocess.run(['nginx', '-c', conf], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(1)
master = int(open('/run/nginx.pid').read())

def pss():
    pids = [master, *workers(master)]
    return sum(int(l.split()[1]) for p in pids for l in open(f'/proc/{p}/smaps_rollup') if l.startswith('Pss:'))

memory, reloads = pss(), []
for _ in range(5):
    old, began = workers(master), time.monotonic()
    os.kill(master, signal.SIGHUP)
    while (now := workers(master)) & old or len(now) < len(old):
        time.sleep(0.002)
    reloads.append(time.monotonic() - began)
    time.sleep(0.3)
after = pss()
os.kill(master, signal.SIGQUIT)
while os.path.exists(f'/proc/{master}'):
    time.sleep(0.05)
found = {'memory': memory / 1024, 'after': after / 1024, 'reload': statistics.median(reloads), 'test': tested}
print(json.dumps(found))
"""


def requests(machine: str, name: str, address: str, port: int = 443, more: str = "", scheme: str = "https") -> float:
    """Answers a second to wrk on ``machine``, which finds ``name`` at ``address``. Raises LabError."""
    words = {"name": name, "address": address, "connections": CONNECTIONS, "seconds": SECONDS, "more": more}
    said = ssh.call(machine, _WRK.format(url=f"{scheme}://{name}:{port}/", **words), timeout=120).decode()
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return float(found[1])


def served(province: Province, folder: Path, name: str) -> Mapping[str, bytes]:
    """nginx's configuration for the portals that the host ``name`` has."""
    host = province.hosts[name]
    pages = Portals(province, Contents(folder, province))
    locations, zones = search.locations() + feedback.locations(), search.zones() + feedback.zones(province, host)
    site = portal.site(pages, host, certificates(province, host), locations, zones)
    return {path: file.content for path, file in nginx.tree(province, host, {"portal": site}).files.items()}


def put(machine: str, folder: str, files: Mapping[str, bytes]) -> None:
    """Write files to ``machine``, with certificates for the names that they are to have, and a key for each."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            content = content.replace(TLS.encode(), f"{folder}/tls".encode())
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    ssh.call(machine, f"rm -rf {folder} && mkdir -p {folder} && tar x -C {folder}", stdin=packed.getvalue())
    text = files["sites/portal.conf"].decode()
    blocks = re.findall(r"server_name ([^;]+);\s+ssl_certificate (\S+);", text)
    lines = [f"mkdir -p {folder}/tls/shown"]
    for names, path in [*blocks, ("host.test", f"{TLS}/ca.pem"), ("host.test", f"{TLS}/host.pem")]:
        file = path.replace(TLS, f"{folder}/tls")
        alternatives = ",".join(f"DNS:{name}" for name in names.split())
        lines.append(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=x"
            f" -keyout {file}.key -out {file} -addext subjectAltName={alternatives} 2>/dev/null"
            f" && cat {file}.key >> {file}"
        )
    lines.append(f"cp {folder}/tls/host.pem.key {folder}/tls/host.key")
    ssh.call(machine, "bash -s", stdin=("set -e\n" + "\n".join(lines)).encode(), timeout=300)


def measured(folder: str) -> dict[str, float]:
    """Memory in MiB and seconds of a reload with the configuration in ``folder`` of the extra host."""
    found: dict[str, float] = json.loads(
        ssh.call(STOCK.name, f"python3 - {folder}/nginx.conf", stdin=_MEASURE.encode(), timeout=300)
    )
    return found


def names() -> None:
    """Print what nginx needs with many names."""
    ssh.call(STOCK.name, "systemctl stop nginx; ln -sfn /etc/nginx/modules-enabled /tmp/modules; mkdir -p /etc/edumail")
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as temporary:
        for units in (3, UNITS):
            folder = Path(temporary) / str(units)
            write(generate(units, SEED), folder)
            province = load(folder)
            gateway = next(host.name for host in province.hosts.values() if "gateway" in host.roles)
            put(STOCK.name, f"{HERE}/{units}", served(province, folder, gateway))
            here = len(Portals(province, Contents(folder, province)).by_host[gateway])
            rows[f"{units} names, {here} portals here, the others elsewhere"] = measured(f"{HERE}/{units}")
            print(units, rows, file=sys.stderr, flush=True)
        gather(folder, gateway)
        put(STOCK.name, f"{HERE}/all", served(load(folder), folder, gateway))
        rows[f"{UNITS} portals on one host"] = measured(f"{HERE}/all")
    base = next(iter(rows.values()))
    print(
        f"\n{'nginx: master and workers':<56}{'PSS MiB':>9}{'ratio':>7}{'after reloads':>15}{'reload s':>10}{'-t s':>8}"
    )
    for title, row in rows.items():
        ratio = row["memory"] / base["memory"]
        print(
            f"{title:<56}{row['memory']:>9.1f}{ratio:>7.2f}{row['after']:>15.1f}{row['reload']:>10.3f}{row['test']:>8.3f}"
        )


def speed(rounds: int) -> None:
    """Print answers a second of both."""
    cells: dict[str, tuple[list[float], list[float]]] = {}

    def one(title: str, ours: float, stock: float) -> None:
        mine, theirs = cells.setdefault(title, ([], []))
        mine.append(ours)
        theirs.append(stock)

    for number in range(1, rounds + 1):
        for title, more in (("on the host, TLS", ""), ("on the host, TLS, gzip", " -H Accept-Encoding:gzip")):
            ours = requests(HOST, NAME, "127.0.0.1", PORT, more)
            one(title, ours, requests(STOCK.name, STOCK.fqdn, "127.0.0.1", 443, more))
        ours = requests(INTERNET.name, NAME, GATEWAY)
        one("from outside, ours through the gateway, TLS", ours, requests(INTERNET.name, STOCK.fqdn, STOCK.ipv4))
        print(f"[{number}/{rounds}]", {t: (round(a[-1]), round(b[-1])) for t, (a, b) in cells.items()}, file=sys.stderr)
    print(f"\n{'':<44}{'edumail':>9} {'stock':>9} {'':<5} {'ratio':>6}")
    for title, (ours_all, stock_all) in cells.items():
        print(comparison(title, "1/s", ours_all, stock_all))


def main() -> None:
    """Run and print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lab.up((*DEFAULT, STOCK), say=lambda line: print(line, file=sys.stderr, flush=True), lang="en")
    try:
        for words in (("deploy", INVENTORY), ("lab", "dns")):
            edumail(*words)
        page = ssh.call(HOST, f"cat {live('portal')}/sites/{SITE}/index.html")
        ssh.call(STOCK.name, _STOCK_SETUP, stdin=page, timeout=600)
        ssh.call(INTERNET.name, "apt-get -qqy --no-install-recommends install wrk >/dev/null", timeout=300)
        try:
            ssh.call(HOST, _OURS_SETUP, timeout=300)
            print(
                f"a home page of {len(page)} bytes, {CONNECTIONS} connections kept alive, {SECONDS} s, {rounds} rounds"
            )
            speed(rounds)
        finally:
            ssh.call(HOST, _OURS_END, timeout=300)
            ssh.call(INTERNET.name, "apt-get -qqy purge --autoremove wrk >/dev/null", timeout=300)
        names()
    finally:
        lab.up(DEFAULT, say=lambda line: None)
        edumail("lab", "dns")


if __name__ == "__main__":
    main()
