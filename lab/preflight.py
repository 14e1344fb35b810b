"""Asks, before anything is changed, whether this machine can carry the lab; what can be tried for real is tried."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab import aptcache, cage, network, sources, state
from lab.text import LabError, Problem, Text, run
from lab.topology import BRIDGE, GATEWAY4, NET4, NET6

_IP_FREEBIND = 15  # ip(7): bind to an address that no interface has; the socket module does not name it
NEEDED_MB = 4000  # images 0.8 GB, packages 0.4 GB, and what four hosts write
# command: the Debian package that brings it
COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "mount": "mount",
    "apt-get": "apt",
}


def preflight() -> list[Problem]:
    """Return everything that would stop the lab on this machine, each with what to do; nothing if it can start."""
    if os.geteuid() != 0:
        return [Problem("Phòng lab cần quyền root: hãy dùng sudo.", "The lab needs root: use sudo.")]
    missing = missing_commands(name for name in COMMANDS if shutil.which(name) is None)
    if missing:
        return missing
    folder = _existing(state.ROOT)
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    return [
        *disk_space(folder, free_mb, _size_mb(state.ROOT)),
        *_kernel(),
        *_network(),
        *_port(),
        *_sources(),
    ]


def before_packages() -> list[Problem]:
    """Return what can be known before the lab's own packages are installed: nothing has been changed by then."""
    if os.geteuid() != 0:
        return [Problem("Cần quyền root: chạy «sudo make demo».", "Root is needed: run 'sudo make demo'.")]
    folder = _existing(state.ROOT)
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    taken = _network() if shutil.which("ip") else []
    kernel = _kernel() if shutil.which("ip") and shutil.which("nft") else _cgroup()
    return [*disk_space(folder, free_mb, _size_mb(state.ROOT)), *kernel, *taken, *_port()]


def missing_commands(names: Iterable[str]) -> list[Problem]:
    """Return one problem that names the packages which bring the commands ``names``; none if there are none."""
    names = list(names)
    if not names:
        return []
    packages = " ".join(sorted({COMMANDS[name] for name in names}))
    return [
        Problem(
            f"Thiếu lệnh {', '.join(names)}. Cài bằng: apt-get install {packages}",
            f"Missing commands: {', '.join(names)}. Install them: apt-get install {packages}",
        )
    ]


def disk_space(folder: Path, free_mb: int, used_mb: int) -> list[Problem]:
    """Return a problem if ``folder`` is too full; what the lab keeps there already (``used_mb``) counts as room."""
    needed = max(NEEDED_MB - used_mb, 500)
    if free_mb >= needed:
        return []
    return [
        Problem(
            f"{folder} chỉ còn trống {free_mb} MB, cần {needed} MB. Dọn bớt, hoặc đặt EDUMAIL_LAB_DIR sang ổ khác.",
            f"{folder} has {free_mb} MB free, {needed} MB are needed. Make room, or point EDUMAIL_LAB_DIR elsewhere.",
        )
    ]


def taken_ranges(routes: list[dict[str, Any]], addresses: list[dict[str, Any]]) -> list[Problem]:
    """Return a problem for each foreign interface that uses the lab's addresses (``ip -json route`` and ``address``).

    A wider route that only covers them (a VPN's, say) is harmless: the lab's own is more specific.
    """
    users: dict[str, str] = {}
    for route in routes:
        if route.get("dev") != BRIDGE and _inside(route.get("dst", "default")):
            users[route.get("dev", "?")] = route["dst"]
    for interface in addresses:
        for address in interface.get("addr_info", []):
            if interface["ifname"] != BRIDGE and _inside(address.get("local", "default")):
                users[interface["ifname"]] = address["local"]
    return [
        Problem(
            f"Dải địa chỉ của phòng lab đang bị dùng: {what} trên {device}. Gỡ địa chỉ đó trước.",
            f"The lab's addresses are in use: {what} on {device}. Take that address away first.",
        )
        for device, what in users.items()
    ]


def _inside(text: str) -> bool:
    try:
        network_ = ipaddress.ip_network(text, strict=False)
    except ValueError:  # "default", "unreachable …"
        return False
    if isinstance(network_, ipaddress.IPv4Network):
        return network_.subnet_of(NET4)
    return network_.subnet_of(NET6)


def taken_port(address: str, port: int) -> list[Problem]:
    """Return a problem if nobody can listen on ``port`` of ``address``, which need not be there yet."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        try:
            trial.bind((address, port))
        except OSError:
            who = f"ss -ltnp 'sport = :{port}'"
            return [
                Problem(
                    f"Cổng {port} của máy chủ gói đang bị chương trình khác dùng. Xem là gì: {who}, rồi tắt nó.",
                    f"Port {port} of the package server is taken by another program. See which: {who}, and stop it.",
                )
            ]
    return []


def _port() -> list[Problem]:
    return [] if aptcache.running() else taken_port(GATEWAY4, aptcache.PORT)


def _network() -> list[Problem]:
    if network.owner() is not None:
        if network.is_ours():
            return []
        return [
            Problem(
                f"Giao diện {BRIDGE} đã có và không thuộc phòng lab này ({network.owner() or 'không rõ chủ'}). "
                f"Tắt phòng lab kia, hoặc: ip link delete {BRIDGE}",
                f"The interface {BRIDGE} exists and is not this lab's ({network.owner() or 'owner unknown'}). "
                f"Stop the other lab, or: ip link delete {BRIDGE}",
            )
        ]
    what = Text("Đọc cấu hình mạng", "Read the network configuration")
    routes: list[dict[str, Any]] = []
    for family in ("-4", "-6"):
        routes += json.loads(run(["ip", "-json", family, "route", "show", "table", "all"], what) or "[]")
    return taken_ranges(routes, json.loads(run(["ip", "-json", "address"], what) or "[]"))


def _cgroup() -> list[Problem]:
    problems: list[Problem] = []
    root = cage.hierarchy()
    if root is None or not (root / "cgroup.procs").exists() or not os.access(root, os.W_OK):
        problems.append(
            Problem(
                "Máy này không có cgroup v2 ghi được: cần nhân Linux 5.14 trở lên, không chạy trong container.",
                "This machine has no writable cgroup v2: Linux 5.14 or newer is needed, outside any container.",
            )
        )
    elif tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) < (5, 14):
        problems.append(
            Problem(
                f"Nhân Linux {os.uname().release} quá cũ: cần 5.14 trở lên.",
                f"The kernel {os.uname().release} is too old: 5.14 or newer is needed.",
            )
        )
    return problems


def _kernel() -> list[Problem]:
    problems = _cgroup()
    # In a network namespace of its own, which ends with the command: the very bridge, cable and rules of the lab.
    script = (
        'ip link add "$0" type bridge; ip link add lab0 type veth peer lab1; ip link set lab0 master "$0"; nft -f -'
    )
    try:
        run(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--cgroup",
                "--fork",
                "sh",
                "-ec",
                script,
                BRIDGE,
            ],
            Text("Thử nhân Linux", "Try the kernel"),
            stdin=network.RULES.encode(),
        )
    except LabError as error:
        problems.append(
            Problem(
                f"Nhân Linux thiếu namespace, bridge, veth hoặc nf_tables. {error.text.vi}",
                f"The kernel lacks namespaces, bridge, veth or nf_tables. {error.text.en}",
            )
        )
    return problems


def _sources() -> list[Problem]:
    if not Path(sources.KEYRING).exists():
        return missing_keyring()
    try:
        sources.find()
    except LabError as error:
        return [Problem(error.text.vi, error.text.en)]
    return []


def missing_keyring() -> list[Problem]:
    """Return the problem of a machine that cannot check Debian's signatures (an Ubuntu without the package)."""
    return [
        Problem(
            "Thiếu khóa ký của Debian. Cài bằng: apt-get install debian-archive-keyring",
            "Debian's signing keys are missing. Install them: apt-get install debian-archive-keyring",
        )
    ]


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _size_mb(path: Path) -> int:
    """Images and packages only: quick, and what a pristine lab needs most."""
    return sum(entry.stat().st_size for entry in (path / "cache").rglob("*") if entry.is_file()) // 1_000_000
