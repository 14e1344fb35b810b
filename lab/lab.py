"""The lab's commands: up, down, status, shell, reset, kill, start, and the outside world's DNS and mail.

Those that take ``say`` tell it one line after another in ``lang``. All raise :class:`lab.text.LabError` and nothing
else that a user could have caused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import (
    acme,
    aptcache,
    cage,
    container,
    disk,
    dns,
    foreign,
    image,
    network,
    signature,
    sources,
    ssh,
    state,
    web,
    zones,
)
from lab.preflight import preflight
from lab.text import LabError, Lang, Say, Text, language
from lab.topology import FOREIGN_DOMAIN, INTERNET, STRICT_DOMAIN, Machine, check, reverse_zones

publish_zones = dns.publish
foreign_inbox = foreign.inbox
foreign_clear = foreign.clear
foreign_send = foreign.send
stray_packets = network.stray_packets

_STEPS = 6


@dataclass(frozen=True)
class Status:
    """One host: who it is, whether it runs, and what its systemd says (``running``, ``degraded``, ``-`` …)."""

    machine: Machine
    up: bool
    boot: str


def up(machines: Iterable[Machine], *, say: Say = print, lang: Lang | None = None) -> None:
    """Bring up the product's hosts ``machines`` and `internet`, from nothing or from whatever is there.

    What runs is left alone. Returns when every host has booted and answers ssh, and the lab's zones are trusted.
    """
    lang = lang or language()
    products = check(machines)
    everyone = (*products, INTERNET)
    problems = preflight()
    if problems:
        raise LabError(*("\n".join(problem.to(name) for problem in problems) for name in ("vi", "en")))
    state.prepare()
    with state.lock():
        with _step(1, Text("Mạng", "Network"), say, lang):
            for gone in {*state.machines()} - {*everyone}:
                container.kill(gone)
                disk.remove(container.disk_of(gone))
            if state.products() != products:
                dns.forget(FOREIGN_DOMAIN, *reverse_zones())
            state.save(products)
            network.up()
            ssh.keygen(ssh.KEY, "edumail-lab")
            ssh.write_config(everyone)
        with _step(2, Text("Máy chủ gói Debian", "Debian package server"), say, lang):
            found = sources.find()
            aptcache.start(found)
        with _step(3, Text("Ảnh Debian 13", "Debian 13 image"), say, lang):
            layers = image.base(found)
        with _step(4, Text("Ảnh máy internet", "Image of the host internet"), say, lang):
            layers = image.internet(layers, INTERNET.fqdn)
        with _step(5, Text("Khởi động bốn máy", "Boot the hosts"), say, lang):
            for machine in everyone:
                if not disk.exists(container.disk_of(machine)):
                    _create(machine)
            container.learn_host_keys(everyone)
            state.prepare()
            _boot(everyone, say, lang)
            image.prune({*layers, *(layer for m in everyone for layer in disk.layers_of(container.disk_of(m)))})
        with _step(6, Text("DNS", "DNS"), say, lang):
            _serve_zones()


def down(*, purge: bool = False, say: Say = print, lang: Lang | None = None) -> None:
    """Remove every trace of the lab; images and packages stay in its cache unless ``purge``.

    Works after any crash, and when there is no lab.
    """
    lang = lang or language()
    if os.geteuid() != 0:
        raise LabError("Phòng lab cần quyền root: hãy dùng sudo.", "The lab needs root: use sudo.")
    began = time.monotonic()
    with state.locked():
        ssh.disconnect()
        # A lab in another directory may be up: it is not ours to take down.
        if network.owner() is None or network.is_ours():
            for machine in state.machines():
                container.kill(machine)
            cage.kill_all()
            network.down()
        for path in state.ROOT.iterdir() if state.ROOT.exists() else ():
            if purge or path != state.CACHE:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if purge and state.ROOT.exists():
            state.ROOT.rmdir()
    seconds = time.monotonic() - began
    say(Text(f"Đã tắt và dọn phòng lab ({seconds:.1f} giây).", f"The lab is down ({seconds:.1f} s).").to(lang))


def status() -> list[Status]:
    """Return every host's state; an empty list if there is no lab."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_status, state.machines()))


def shell(host: str) -> None:
    """Replace this process by a root shell on ``host``."""
    words = ssh.command(state.machine(host).name)
    os.execvp(words[0], words)  # noqa: S606


def reset(host: str) -> None:
    """Throw away everything ``host`` has written and boot it pristine, with a new SSH host key."""
    machine = state.machine(host)
    with _root(), state.lock():
        _create(machine)
        state.prepare()
        _boot((machine,))
        _serve_zones(machine)


def kill(host: str) -> None:
    """Cut the power of ``host``: its processes end at once, without a word. What they wrote to disk stays."""
    machine = state.machine(host)
    with _root(), state.lock():
        container.kill(machine)


def start(host: str) -> None:
    """Switch ``host`` on and wait until it has booted; one that runs is left alone."""
    machine = state.machine(host)
    with _root(), state.lock():
        _boot((machine,))
        if container.alive(INTERNET):
            _serve_zones(machine)


def _create(machine: Machine) -> None:
    found = sources.find()
    base = image.base(found)
    layers = image.internet(base, INTERNET.fqdn) if machine == INTERNET else base
    container.kill(machine)
    own = {**foreign.FILES, **acme.FILES, **web.FILES} if machine == INTERNET else {signature.FILE: signature.LINE}
    files = {dns.RESOLVER_FILE: zones.resolver({}), **own}
    container.create(machine, layers, files, state.machines())
    if machine == INTERNET:
        dns.forget(FOREIGN_DOMAIN, STRICT_DOMAIN)  # its Knot is empty now


def _boot(machines: tuple[Machine, ...], say: Say = lambda line: None, lang: Lang = "en") -> None:
    for machine in machines:
        container.boot(machine)
    with ThreadPoolExecutor() as pool:
        for machine, failed in zip(machines, pool.map(container.wait, machines), strict=True):
            if failed:
                names = ", ".join(failed)
                say(Text(f"  {machine.name}: dịch vụ lỗi: {names}", f"  {machine.name}: failed: {names}").to(lang))


def _serve_zones(only: Machine | None = None) -> None:
    """Bring a new Knot in line with the zones there should be, then every resolver that may not know them yet."""
    new = FOREIGN_DOMAIN not in dns.kept()
    if new:
        web.start()
        dns.load({**foreign.own_zones(state.machines()), **dns.kept()})
    dns.trust((only,) if only and not new else state.machines())


def _status(machine: Machine) -> Status:
    if not container.alive(machine):
        return Status(machine, False, "-")
    try:
        said = ssh.call(machine.name, "systemctl is-system-running || true", timeout=15).decode().strip()
    except LabError:
        said = "no ssh"
    return Status(machine, True, said)


@contextlib.contextmanager
def _root() -> Iterator[None]:
    if os.geteuid() != 0:
        raise LabError("Lệnh này cần quyền root: hãy dùng sudo.", "This command needs root: use sudo.")
    yield


@contextlib.contextmanager
def _step(number: int, what: Text, say: Say, lang: Lang) -> Iterator[None]:
    say(f"[{number}/{_STEPS}] {what.to(lang)} ...")
    began = time.monotonic()
    yield
    say(f"[{number}/{_STEPS}] {what.to(lang)}: {time.monotonic() - began:.1f} s")
