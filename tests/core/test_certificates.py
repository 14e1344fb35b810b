"""Which certificates hosts show, for which names; and what is said of those that come as files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from authority import NOW, Authority, key_pem, new_key
from conftest import Inventory
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from edumail import pki, supplied
from edumail.certificates import HOST, certificates, open_published, open_supplied
from edumail.load import load
from edumail.model import Province
from edumail.problems import InventoryError
from tests.rendered import render_one

FRONT = ("mail-so.minhha.test", "mail.minhha.test")


def with_portals(province: Province, names: Sequence[str]) -> Province:
    """The department alone, once for each name of a page."""
    unit = province.units["so"]
    units = {name: unit.model_copy(update={"id": name, "portal": name}) for name in names}
    return province.model_copy(update={"units": units})


def many(count: int) -> list[str]:
    return [f"truong-{number}.minhha.test" for number in range(count)]


def shown(province: Province, host: str = "mail-so") -> dict[str, tuple[str, ...]]:
    return {c.id: c.names for c in certificates(province, province.hosts[host])}


def test_every_name_that_leads_to_a_host_is_in_one_certificate(province: Province) -> None:
    found = shown(province)
    assert found[HOST] == FRONT
    pages = {"sogddt.minhha.test", "mnhoasen.suoimo.minhha.test"}
    pages |= {f"{label}.{domain}" for label in ("autoconfig", "autodiscover", "mta-sts")
              for domain in ("sogddt.minhha.test", "suoimo.minhha.test")}  # fmt: skip
    assert set(found["minhha.test"]) == pages | {"taikhoan.minhha.test"}
    assert set(found["thptsongque.test"]) == {
        f"{label}.thptsongque.test" for label in ("autoconfig", "autodiscover", "mta-sts")
    }
    assert shown(province, "mail-thpt") == {
        HOST: ("mail.thptsongque.test",),
        "thptsongque.test": ("www.thptsongque.test",),
    }


@pytest.mark.parametrize("count", [90, 300, 3500])
def test_a_certificate_has_a_hundred_names_at_most_and_there_are_few(province: Province, count: int) -> None:
    names = many(count)
    found = shown(with_portals(province, names))
    del found[HOST]
    listed = [name for group in found.values() for name in group]
    assert sorted(listed) == sorted(set(listed))
    assert set(names) <= set(listed)
    assert all(len(group) <= 100 for group in found.values())
    assert len(found) <= max(1, count / 40)


def test_a_new_name_changes_one_certificate_or_halves_it(province: Province) -> None:
    before = shown(with_portals(province, many(2000)))
    counts = []
    for number in range(2000, 2020):
        new = f"truong-{number}.minhha.test"
        after = shown(with_portals(province, [*many(2000), new]))
        changed = {id: after[id] for id in after if after[id] != before.get(id)}
        assert new in [name for names in changed.values() for name in names]
        counts.append(len(changed))
    assert set(counts) <= {1, 2}
    assert counts.count(1) > 15


def test_names_of_two_zones_never_share_a_certificate(province: Province) -> None:
    names = [*many(150), *(f"n{number}.thptsongque.test" for number in range(150))]
    for group in shown(with_portals(province, names)).values():
        assert len({name.endswith(".thptsongque.test") for name in group}) == 1


# --- files ---


class Files:
    """``secrets/certificates/`` of an inventory that asks for it."""

    def __init__(self, inventory: Inventory):
        self.folder = inventory.folder
        self.authority = Authority()
        self.key = new_key()
        inventory.replace(
            "province.yml", "hostmaster:", "certificates: {from: files, issuers: [ca.example]}\nhostmaster:"
        )
        (self.folder / supplied.FOLDER).mkdir(parents=True)

    def put(self, name: str, chain: bytes, key: bytes | None = None) -> None:
        (self.folder / supplied.FOLDER / f"{name}.pem").write_bytes(chain)
        (self.folder / supplied.FOLDER / f"{name}.key").write_bytes(key_pem(self.key) if key is None else key)

    def buy(self, name: str, *names: str, days: float = 90, age: float = 1) -> None:
        self.put(name, self.authority.certify(self.key, names, days, age) + self.authority.intermediate)

    def open(self) -> supplied.Supply:
        return open_supplied(load(self.folder), self.folder, NOW)

    def shown(self, host: str = "mail-so") -> dict[str, str | None]:
        """Name → the pair that it is shown with."""
        province = load(self.folder)
        found = certificates(province, province.hosts[host], self.open().pairs)
        return {name: c.supplied.id if c.supplied else None for c in found for name in c.names}


@pytest.fixture
def files(inventory: Inventory) -> Files:
    return Files(inventory)


def test_a_pair_serves_the_names_it_covers_on_every_host(files: Files) -> None:
    files.buy("tinh", "*.minhha.test", "*.suoimo.minhha.test")
    found = files.shown()
    assert {name for name, pair in found.items() if pair == "tinh"} >= {*FRONT, "mnhoasen.suoimo.minhha.test"}
    assert found["mta-sts.sogddt.minhha.test"] is None  # "*" is one label
    assert found["mta-sts.thptsongque.test"] is None
    assert files.shown("mail-xa")["mail-xa.minhha.test"] == "tinh"
    assert files.shown("mail-thpt")["www.thptsongque.test"] is None


def test_of_two_pairs_the_one_that_lasts_longer_is_shown(files: Files) -> None:
    files.buy("a-moi", "*.minhha.test", days=300)
    files.buy("b-cu", "*.minhha.test", days=20)
    assert set(files.shown().values()) == {"a-moi", None}


def test_what_ends_soon_or_covers_little_is_said_and_stops_nothing(files: Files) -> None:
    files.buy("tinh", *FRONT, days=5, age=85)
    notes = {note.code: note for note in files.open().notes}
    assert "5 days" in notes["expires-soon"].en
    assert "5 ngày" in notes["expires-soon"].vi
    assert str(notes["expires-soon"].where) == "secrets/certificates/tinh.pem"
    assert "www.thptsongque.test" in " ".join(note.en for note in files.open().notes if note.code == "not-covered")


def test_a_short_life_is_no_reason_to_complain(files: Files) -> None:
    files.buy("tinh", "*.minhha.test", days=5, age=1)
    assert "expires-soon" not in {note.code for note in files.open().notes}


def test_the_key_never_shows_in_what_python_prints_of_a_pair(files: Files) -> None:
    files.buy("tinh", *FRONT)
    (pair,) = files.open().pairs
    assert b"PRIVATE KEY" in pair.content
    assert "PRIVATE" not in repr(pair)
    public = files.key.public_key().public_bytes(
        pki.serialization.Encoding.PEM, pki.serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert pair.fingerprint == pki.fingerprint(public)


def spoil(files: Files, how: str) -> None:
    leaf, middle = files.authority.certify(files.key, FRONT), files.authority.intermediate
    match how:
        case "not-a-certificate":
            files.put("tinh", b"khong phai chung thu")
        case "not-a-key":
            files.put("tinh", leaf + middle, b"khong phai khoa")
        case "key-has-password":
            files.put("tinh", leaf + middle, key_pem(files.key, b"mat khau"))
        case "key-does-not-fit":
            files.put("tinh", leaf + middle, key_pem(new_key()))
        case "weak-key":
            weak = ed25519.Ed25519PrivateKey.generate()
            files.put("tinh", files.authority.certify(weak, FRONT) + middle, key_pem(weak))
        case "chain-order":
            files.put("tinh", middle + leaf)
        case "not-valid-now":
            files.put("tinh", files.authority.certify(files.key, FRONT, days=-1, age=90) + middle)
        case "no-names":
            files.put("tinh", files.authority.certify(files.key, ()) + middle)
        case "half-pair":
            files.put("tinh", leaf + middle)
            (files.folder / supplied.FOLDER / "tinh.key").unlink()
        case "unknown-file":
            files.put("tinh", leaf + middle)
            (files.folder / supplied.FOLDER / "tinh.crt").write_bytes(leaf)
        case "front-not-covered":
            files.put("tinh", files.authority.certify(files.key, FRONT[:1]) + middle)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("not-a-certificate", "secrets/certificates/tinh.pem"),
        ("not-a-key", "secrets/certificates/tinh.key"),
        ("key-has-password", "secrets/certificates/tinh.key"),
        ("key-does-not-fit", "secrets/certificates/tinh.pem"),
        ("weak-key", "secrets/certificates/tinh.key"),
        ("chain-order", "secrets/certificates/tinh.pem"),
        ("not-valid-now", "secrets/certificates/tinh.pem"),
        ("no-names", "secrets/certificates/tinh.pem"),
        ("half-pair", "secrets/certificates/tinh.pem"),
        ("unknown-file", "secrets/certificates/tinh.crt"),
        ("front-not-covered", "province.yml:10:15"),
    ],
)
def test_files_that_can_not_be_used_are_named(files: Files, code: str, place: str) -> None:
    spoil(files, code)
    with pytest.raises(InventoryError) as error:
        files.open()
    (problem,) = error.value.problems
    assert (problem.code, str(problem.where)) == (code, place)
    assert problem.vi
    assert problem.en not in ("", problem.vi)


def test_a_wrong_certificate_in_the_middle_is_a_wrong_order(files: Files) -> None:
    files.put("tinh", files.authority.certify(files.key, FRONT) + files.authority.root + files.authority.intermediate)
    with pytest.raises(InventoryError, match="certificate 1 was not issued by number 2"):
        files.open()


def test_rsa_keys_of_2048_bits_do(files: Files) -> None:
    files.key = rsa.generate_private_key(65537, 2048)
    files.buy("tinh", *FRONT)
    assert files.open().pairs


def test_no_file_is_read_where_none_was_asked_for(inventory: Inventory) -> None:
    Files(inventory).put("tinh", b"x")
    inventory.replace("province.yml", "certificates: {from: files, issuers: [ca.example]}\n", "")
    assert open_supplied(load(inventory.folder), inventory.folder, NOW + timedelta(days=1)).pairs == []


# --- without the keys ---


def test_whoever_has_no_keys_compiles_by_what_is_published(files: Files) -> None:
    files.buy("tinh", "*.minhha.test", "*.suoimo.minhha.test")
    files.buy("truong", "*.thptsongque.test")
    province, pairs = load(files.folder), files.open().pairs
    assert not supplied.is_published(files.folder, pairs)
    supplied.publish(files.folder, pairs)
    assert supplied.is_published(files.folder, pairs)
    shutil.rmtree(files.folder / "secrets")
    assert load(files.folder).published == {}  # it is the folder of what hosts give back, too
    found = open_published(province, files.folder, NOW + timedelta(1000)).pairs  # whatever the day is
    for host in province.hosts.values():
        seen = [(c.id, c.names, c.supplied and (c.supplied.id, c.supplied.fingerprint))
                for c in certificates(province, host, found)]  # fmt: skip
        assert seen == [(c.id, c.names, c.supplied and (c.supplied.id, c.supplied.fingerprint))
                        for c in certificates(province, host, pairs)]  # fmt: skip
    for path in (files.folder / supplied.PUBLISHED).glob("*"):
        assert b"PRIVATE" not in path.read_bytes()
    with pytest.raises(InventoryError, match="covers"):
        files.open()  # no deploy goes without keys


def test_what_is_published_goes_with_its_pair(files: Files) -> None:
    files.buy("cu", "*.minhha.test")
    supplied.publish(files.folder, files.open().pairs)
    for suffix in ("pem", "key"):
        (files.folder / supplied.FOLDER / f"cu.{suffix}").unlink()
    files.buy("moi", "*.minhha.test")
    supplied.publish(files.folder, files.open().pairs)
    assert [path.name for path in (files.folder / supplied.PUBLISHED).iterdir()] == ["moi.pem"]
    supplied.publish(files.folder, [])
    assert not (files.folder / supplied.PUBLISHED).exists()


def test_who_has_the_keys_compiles_by_them(files: Files) -> None:
    """An edit that nobody has deployed yet is one."""
    files.buy("cu", "*.minhha.test")
    supplied.publish(files.folder, files.open().pairs)
    files.buy("moi", "*.minhha.test", days=200)
    found = open_published(load(files.folder), files.folder, NOW).pairs
    assert sorted(pair.id for pair in found) == ["cu", "moi"]


def test_the_day_on_which_a_pair_ends_changes_nothing_of_what_hosts_should_have(files: Files) -> None:
    files.buy("cu", "*.minhha.test", days=2)
    supplied.publish(files.folder, files.open().pairs)
    later = NOW + timedelta(3)
    assert [pair.id for pair in open_published(load(files.folder), files.folder, later).pairs] == ["cu"]
    files.put("hong", b"x")  # what was never good is no pair that has ended
    with pytest.raises(InventoryError, match="PEM"):
        open_published(load(files.folder), files.folder, later)


def test_without_keys_and_before_any_deploy_it_says_what_is_missing(files: Files) -> None:
    with pytest.raises(InventoryError, match="covers"):
        open_published(load(files.folder), files.folder, NOW)


def test_a_deploy_publishes_what_it_brings(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    from roles.certificates import operations

    files.buy("tinh", "*.minhha.test")
    inventory: Any = SimpleNamespace(folder=files.folder, supply=files.open())
    (pair,) = inventory.supply.pairs
    known = {"tinh": pair.digest}
    played = SimpleNamespace(get_fact=lambda fact: known, noop=lambda said: None)
    monkeypatch.setattr(operations, "host", played)
    (command,) = operations.supply._inner(inventory=inventory, pairs=[pair])
    command.function(*command.args)
    assert supplied.is_published(files.folder, [pair])
    assert list(operations.supply._inner(inventory=inventory, pairs=[pair])) == []


def test_an_auditor_without_keys_compiles_what_the_deploy_did(files: Files) -> None:
    files.authority = Authority(datetime.now(UTC))
    files.buy("tinh", "*.minhha.test", "*.suoimo.minhha.test")
    supplied.publish(files.folder, open_supplied(load(files.folder), files.folder, datetime.now(UTC)).pairs)
    with_keys = render_one(files.folder, "mail-xa")
    shutil.rmtree(files.folder / "secrets")
    without = render_one(files.folder, "mail-xa")
    assert {r.role: r.tree.digest for r in without.releases} == {r.role: r.tree.digest for r in with_keys.releases}
    (tree,) = [release.tree for release in without.releases if release.role == "certificates"]
    assert b"/tls/supplied/tinh.pem" in tree.files["certificates.json"].content
