"""The host's program for certificates, run here with its files in a folder and with a lego that does as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from authority import Authority, key_pem, new_key
from cryptography import x509

from roles.certificates.render import APP

NAMES = {"host": ["mail.a.test"], "a.test": ["a.a.test", "b.a.test", "c.a.test"]}

_LEGO = """#!/bin/sh
# Signs the request with the test's authority, unless the file "mood" says otherwise.
echo order >>"$HERE/calls"
while [ "$1" ]; do case $1 in --csr) csr=$2; shift ;; --path) path=$2; shift ;; esac; shift; done
names=$(openssl req -in "$csr" -noout -text | grep -o 'DNS:[a-z.]*' | cut -c 5-)
echo "2026/01/01 [INFO] [$(echo $names)] acme: Could not find solver for: tls-alpn-01"
mood=$(cat "$HERE/mood" 2>/dev/null)
case $mood in
down) echo "2026/01/01 Could not create client: get directory: connection refused"; exit 1 ;;
all) for name in $names; do all="$all [$name] no"; done; echo "Could not obtain certificates:$all"; exit 1 ;;
*.a.test) if echo "$names" | grep -qx "$mood"; then
  printf 'Could not obtain certificates:\\n\\terror: one or more domains had a problem:\\n[%s] error: 403\\n' "$mood"
  exit 1
fi ;;
esac
mkdir -p "$path/certificates"
out=$path/certificates/$(echo "$names" | head -n 1).crt
openssl x509 -req -in "$csr" -CA "$HERE/ca.pem" -CAkey "$HERE/ca.key" -days 90 -copy_extensions copy \\
  -out "$out" 2>/dev/null
cat "$HERE/ca.pem" >>"$out"
"""
_TOOLS = {
    "lego": _LEGO,
    "getent": '#!/bin/sh\necho "$(cat "$HERE/dns-$4" 2>/dev/null || echo 192.0.2.1) STREAM"\n',
    "systemctl": '#!/bin/sh\n[ "$1" = is-active ] || echo "$@" >>"$HERE/reloads"\n',
    "sendmail": '#!/bin/sh\ncat >"$HERE/mail"\n',
}
_RUN = """\
import pathlib, sys
sys.path.insert(0, sys.argv[1])
here = pathlib.Path(sys.argv[2])
import certificate, orders, edumail_certificates
certificate.STATE = orders.STATE = here / "state"
orders.WEBROOT = here / "webroot"
edumail_certificates.CONFIGURATION = here / "certificates.json"
edumail_certificates.SENDMAIL = "sendmail"
sys.argv[1:] = sys.argv[3:]
sys.exit(edumail_certificates.main())
"""


class Host:
    """A host whose certificates are ``NAMES``, with valid ones of the internal authority."""

    def __init__(self, folder: Path):
        self.here = folder
        self.tls = folder / "tls"
        self.internal = Authority(datetime.now(UTC))
        self.public = Authority(datetime.now(UTC))
        (self.tls / "internal").mkdir(parents=True)
        (folder / "bin").mkdir()
        for name, script in _TOOLS.items():
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)
        (folder / "ca.pem").write_bytes(self.public.intermediate)
        (folder / "ca.key").write_bytes(key_pem(self.public._key))
        self.keys = {id: new_key() for id in NAMES}
        for id, names in NAMES.items():
            (self.tls / f"{id}.key").write_bytes(key_pem(self.keys[id]))
            self.sign(id, names)
        self.configure(acme=True)

    def sign(self, id: str, names: Sequence[str], days: float = 300, age: float = 97) -> None:
        """The internal authority's certificate."""
        pem = self.internal.certify(self.keys[id], names, days, age)
        (self.tls / "internal" / f"{id}.pem").write_bytes(pem)

    def configure(
        self, *, acme: bool = False, supplied: Path | None = None, names: dict[str, list[str]] = NAMES
    ) -> None:
        rows = [
            {
                "id": id,
                "names": own,
                "key": str(self.tls / f"{id}.key"),
                "internal": str(self.tls / "internal" / f"{id}.pem"),
                "shown": str(self.tls / "shown" / f"{id}.pem"),
                "addresses": ["192.0.2.1"],
                "units": ["postfix", "nginx"] if id == "host" else ["nginx"],
                **({"supplied": str(supplied)} if supplied and id == "host" else {}),
            }
            for id, own in names.items()
        ]
        content = {
            "acme": {"directory": "https://acme.a.test/dir", "contact": "a@a.test"} if acme else None,
            "officer": "postmaster@mail.a.test",
            "certificates": rows,
        }
        (self.here / "certificates.json").write_text(json.dumps(content))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.here / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-B", "-c", _RUN, str(APP), str(self.here), *words],
            env={**os.environ, "PATH": path, "HERE": str(self.here)},
            capture_output=True,
            text=True,
            check=False,
        )

    def mood(self, text: str) -> None:
        (self.here / "mood").write_text(text)

    def shown(self, id: str) -> x509.Certificate:
        return x509.load_pem_x509_certificates((self.tls / "shown" / f"{id}.pem").read_bytes())[0]

    def issuer(self, id: str) -> str:
        certificate = self.shown(id)
        for name, authority in (("internal", self.internal), ("public", self.public)):
            issuer = x509.load_pem_x509_certificate(authority.intermediate)
            if _signed_by(certificate, issuer):
                return name
        return "?"

    def names(self, id: str) -> list[str]:
        alternatives = self.shown(id).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return alternatives.get_values_for_type(x509.DNSName)

    def lines(self, file: str) -> list[str]:
        path = self.here / file
        return path.read_text().splitlines() if path.exists() else []


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:
        return False
    return True


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_before_any_order_the_internal_certificate_is_shown_to_root_alone(host: Host) -> None:
    assert host.run("show").returncode == 0
    assert {host.issuer(id) for id in NAMES} == {"internal"}
    assert host.names("a.test") == NAMES["a.test"]
    folder = host.tls / "shown"
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "host.pem")] == ["0o700", "0o600"]
    assert (folder / "host.pem").read_bytes().startswith(key_pem(host.keys["host"]))


def test_an_order_brings_a_certificate_for_the_same_key_and_daemons_read_it(host: Host) -> None:
    host.run("show")
    (host.here / "reloads").unlink()
    assert host.run("renew").returncode == 0
    assert {host.issuer(id) for id in NAMES} == {"public"}
    assert sorted(host.names("a.test")) == NAMES["a.test"]
    assert host.shown("host").public_key() == host.keys["host"].public_key()
    assert host.lines("reloads") == ["reload nginx", "reload postfix"]


def test_what_is_good_is_not_ordered_again_and_nobody_reloads(host: Host) -> None:
    host.run("renew")
    before = host.lines("calls"), host.lines("reloads")
    host.run("renew")
    assert (host.lines("calls"), host.lines("reloads")) == before
    assert host.run("pending").stdout == ""


@pytest.mark.parametrize(("left", "orders"), [(31, 0), (29, 1)])
def test_the_last_third_of_its_life_is_the_time_to_renew(host: Host, left: int, orders: int) -> None:
    host.run("renew")
    old = host.public.certify(host.keys["host"], NAMES["host"], days=left, age=90 - left)
    (host.here / "state" / "ordered" / "host.pem").write_bytes(old)
    before = len(host.lines("calls"))
    host.run("renew")
    assert len(host.lines("calls")) - before == orders


def test_force_orders_anew_with_the_same_key(host: Host) -> None:
    host.run("renew")
    before = host.shown("host").serial_number
    host.run("renew", "--force")
    assert host.shown("host").serial_number != before
    assert host.shown("host").public_key() == host.keys["host"].public_key()


def test_an_authority_that_is_down_harms_nobody_and_is_not_pestered(host: Host) -> None:
    host.mood("down")
    assert host.run("renew").returncode == 0
    assert {host.issuer(id) for id in NAMES} == {"internal"}
    assert len(host.lines("calls")) == 1  # it did not answer for the first: the second is not tried
    host.run("renew")
    assert len(host.lines("calls")) == 1
    status = host.run("status")
    assert status.returncode == 0
    assert status.stdout.count("connection refused") == 2
    pending = host.run("pending").stdout.splitlines()
    assert [line.split()[:2] for line in pending] == [["wait", "host:"], ["wait", "a.test:"]]
    host.mood("")
    host.run("renew", "--force")
    assert host.issuer("host") == "public"


def test_somebody_is_told_when_an_authority_stays_away(host: Host) -> None:
    host.mood("down")
    host.run("renew")
    state = host.here / "state" / "state.json"
    content = json.loads(state.read_text())
    for memory in content["certificates"].values():
        memory["since"] = "2026-01-01T00:00:00+00:00"
    state.write_text(json.dumps(content))
    assert host.run("renew").returncode == 1
    assert "2026-01-01" in (host.here / "mail").read_text()


def test_one_refused_name_does_not_cost_the_others_their_certificate(host: Host) -> None:
    host.mood("b.a.test")
    host.run("renew")
    assert sorted(host.names("a.test")) == ["a.a.test", "c.a.test"]
    assert host.issuer("a.test") == "public"
    calls = len(host.lines("calls"))
    host.run("renew")
    assert len(host.lines("calls")) == calls  # tomorrow again
    assert "b.a.test" in host.run("status").stdout


def test_a_refusal_of_all_names_is_tried_once(host: Host) -> None:
    host.mood("all")
    host.run("renew")
    assert len(host.lines("calls")) == len(NAMES)
    assert host.issuer("a.test") == "internal"


@pytest.mark.parametrize(("answer", "said"), [("", "not in DNS"), ("192.0.2.9", "192.0.2.9")])
def test_a_name_that_does_not_lead_here_is_not_ordered(host: Host, answer: str, said: str) -> None:
    script = f'#!/bin/sh\n[ "$4" = b.a.test ] && {{ printf "%s" "{answer}"; exit; }}\necho "192.0.2.1 STREAM"\n'
    (host.here / "bin" / "getent").write_text(script)
    host.run("renew")
    assert sorted(host.names("a.test")) == ["a.a.test", "c.a.test"]
    assert len(host.lines("calls")) == len(NAMES)
    assert said in host.run("status").stdout


def test_a_new_name_is_ordered_and_the_old_ones_are_shown_meanwhile(host: Host) -> None:
    host.run("renew")
    names = {**NAMES, "a.test": [*NAMES["a.test"], "d.a.test"]}
    host.configure(acme=True, names=names)
    host.sign("a.test", names["a.test"])
    host.mood("down")
    host.run("renew")
    assert host.issuer("a.test") == "public"
    host.mood("")
    host.run("renew", "--force")
    assert sorted(host.names("a.test")) == names["a.test"]


@pytest.mark.parametrize("why", ["ended", "other key"])
def test_a_certificate_that_clients_would_refuse_gives_way_to_the_internal_one(host: Host, why: str) -> None:
    host.run("renew")
    host.mood("down")
    if why == "ended":
        old = host.public.certify(host.keys["host"], NAMES["host"], days=-1, age=90)
        (host.here / "state" / "ordered" / "host.pem").write_bytes(old)
    else:
        host.keys["host"] = new_key()
        (host.tls / "host.key").write_bytes(key_pem(host.keys["host"]))
        host.sign("host", NAMES["host"])
    host.run("renew")
    assert host.issuer("host") == "internal"
    assert host.shown("host").public_key() == host.keys["host"].public_key()


@pytest.mark.parametrize(
    ("days", "age", "late"), [(29, 368, True), (31, 366, False), (0.5, 5.5, True), (1.5, 4.5, False)]
)
def test_what_ends_soon_is_complained_about_by_status_by_unit_and_once_a_day_by_mail(
    host: Host, days: float, age: float, late: bool
) -> None:
    host.configure()
    host.sign("a.test", NAMES["a.test"], days, age)
    for code in (host.run("renew").returncode, host.run("status").returncode):
        assert code == int(late)
    assert (host.here / "mail").exists() == late
    if late:
        assert "a.a.test (+2)" in (host.here / "mail").read_text()
        (host.here / "mail").unlink()
        assert host.run("renew").returncode == 1
        assert not (host.here / "mail").exists()


@pytest.mark.parametrize(("days", "age", "late"), [(-1, 398, True), (29, 368, True), (31, 366, False)])
@pytest.mark.parametrize("choice", ["acme", "files"])
def test_the_internal_one_is_watched_where_another_is_shown(
    host: Host, choice: str, days: float, age: float, late: bool
) -> None:
    pair, key = host.tls / "supplied.pem", new_key()
    pair.write_bytes(key_pem(key) + host.public.certify(key, NAMES["host"], 90, 100) + host.public.intermediate)
    host.configure(acme=choice == "acme", supplied=pair if choice == "files" else None)
    host.run("renew")
    host.sign("host", NAMES["host"], days, age)
    for code in (host.run("renew").returncode, host.run("status").returncode):
        assert code == int(late)
    assert host.issuer("host") == "public"
    assert (host.here / "mail").exists() == late
    if late:
        assert "the internal one ends, deploy again: 20" in (host.here / "mail").read_text()


def test_a_supplied_pair_is_shown_as_long_as_it_is_valid(host: Host) -> None:
    pair = host.tls / "supplied.pem"
    key = new_key()
    host.configure(supplied=pair)
    for days, issuer in ((90, "public"), (-1, "internal")):
        pair.write_bytes(key_pem(key) + host.public.certify(key, NAMES["host"], days, 100) + host.public.intermediate)
        host.run("show")
        assert host.issuer("host") == issuer
    assert host.issuer("a.test") == "internal"


def test_certificates_that_nothing_names_any_more_are_deleted(host: Host) -> None:
    host.run("renew")
    host.configure(acme=True, names={"host": NAMES["host"]})
    strays = [line.removeprefix("stray ") for line in host.run("pending").stdout.splitlines()]
    assert len(strays) == 3  # internal, shown, ordered
    assert host.run("tidy").returncode == 0
    assert not any(Path(path).exists() for path in strays)
    assert host.run("pending").stdout == ""
    assert host.issuer("host") == "public"
