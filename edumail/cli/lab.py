"""``edumail lab``: the hosts of inventories/lab on this machine."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from edumail.cli.language import Commands, Parser, UserError, language, say

INVENTORY = Path(__file__).resolve().parent.parent.parent / "inventories" / "lab"


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say("các máy chủ thử nghiệm ngay trên máy này", "trial hosts on this very machine")
    parser = commands.add_parser(
        "lab",
        help=summary,
        description=summary
        + say(
            ": các máy của inventories/lab và một máy «internet». Chỉ up, down và reset cần quyền root.",
            ": the hosts of inventories/lab and one called 'internet'. Only up, down and reset need root.",
        ),
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("VIỆC", "ACTION"))

    def action(name: str, run: Any, vi: str, en: str, host: bool = False) -> Parser:
        child = actions.add_parser(name, help=say(vi, en), description=say(vi, en))
        if host:
            child.add_argument(
                "host", metavar="HOST", help=say("tên máy, như mail-so", "the host's name, such as mail-so")
            )
        child.set_defaults(run=_guarded(run))
        return child

    action("up", _up, "dựng và khởi động các máy; máy đang chạy được giữ nguyên", "bring the hosts up; what runs stays")
    down = action("down", _down, "xóa các máy; ảnh và gói đã tải ở lại", "remove the hosts; images and packages stay")
    down.add_argument(
        "--purge",
        action="store_true",
        help=say("xóa cả ảnh và gói đã tải", "images and downloaded packages too"),
    )
    action("dns", _dns, "nạp các zone của tỉnh vào máy internet", "load the province's zones into 'internet'")
    guide = action("guide", _guide, "các máy, trang, hộp thư ở đâu", "where hosts, pages and mailboxes are")
    guide.add_argument("--report", type=Path, metavar="FILE", help=say("báo cáo kiểm tra", "the audit's report"))
    action("status", _status, "máy nào đang chạy", "which hosts are up")
    action("shell", _shell, "mở shell root trên một máy", "open a root shell on a host", host=True)
    action("reset", _reset, "đưa một máy về trạng thái mới cài", "make a host pristine again", host=True)


def _guarded(run: Any) -> Any:
    """``run`` with the lab's own error as ours."""

    def guarded(args: Namespace) -> int:
        from lab.text import LabError

        try:
            status: int = run(args)
        except LabError as error:
            raise UserError(error.to("vi"), error.to("en")) from error
        return status

    return guarded


def _print(line: str) -> None:
    print(line, flush=True)


def _up(args: Namespace) -> int:
    from edumail.load import load
    from lab import lab, ssh
    from lab.topology import Machine

    hosts = load(INVENTORY).hosts.values()
    machines = [Machine(host.name, host.fqdn, str(host.ipv4), str(host.ipv6 or "")) for host in hosts]
    lab.up(machines, say=_print, lang=language())
    _let_auditor_in(ssh.KEY.with_suffix(".pub"))
    return 0


def _let_auditor_in(key: Path) -> None:
    """In the lab whoever boots it may audit it."""
    auditor = INVENTORY / "auditors" / "lab.pub"
    auditor.parent.mkdir(exist_ok=True)
    auditor.write_bytes(key.read_bytes())


def _dns(args: Namespace) -> int:
    from edumail.dns import zones
    from edumail.load import load
    from lab import lab

    # The lab's name server counts serials itself.
    published = zones(load(INVENTORY), serial=1)
    lab.publish_zones(published)
    print(say(f"Đã công bố {len(published)} zone, có ký DNSSEC.", f"{len(published)} zones published, DNSSEC-signed."))
    return 0


def _guide(args: Namespace) -> int:
    """Where to look, after ``make demo``."""
    from edumail.load import load
    from edumail.units import portal_host

    province = load(INVENTORY)
    print(say("\nMáy chủ (mở shell: edumail lab shell TÊN)", "\nHosts (a shell: edumail lab shell NAME)"))
    for host in province.hosts.values():
        print(f"  {host.name:<10} {host.ipv4!s:<14} {host.ipv6!s:<18} {host.fqdn:<26} {', '.join(host.roles)}")
    print(say("\nTrang của từng đơn vị", "\nPages"))
    gateway = next(host for host in province.hosts.values() if "gateway" in host.roles)
    for unit in province.units.values():
        print(f"  https://{unit.portal + '/':<36} {portal_host(unit):<10} {unit.name}")
    unit = next(unit for unit in province.units.values() if unit.id == "th-suoi-mo")
    host = province.hosts[unit.host]
    print(
        say(
            f"  Xem một trang: curl --cacert {INVENTORY}/published/ca.pem --resolve {unit.portal}:443:{gateway.ipv4} "
            f"https://{unit.portal}/",
            f"  See one: curl --cacert {INVENTORY}/published/ca.pem --resolve {unit.portal}:443:{gateway.ipv4} "
            f"https://{unit.portal}/",
        )
    )
    person = next(person for person in province.people if person.unit == unit.id and "van_thu" in person.posts)
    print(say(f"\nĐọc hộp thư của {person.address}", f"\nRead the mailbox of {person.address}"))
    print(f"  edumail lab shell {host.name}")
    print(f"    edumail-accounts code {person.address}")
    print(f"    edumail-accounts activate {person.address}")
    front = province.settings.front_name
    print(
        say(
            f"  rồi mở https://{front}/, hoặc dùng phần mềm thư: IMAPS 993, gửi thư 465 ({front} = {gateway.ipv4})",
            f"  then open https://{front}/, or a mail program: IMAPS 993, submission 465 ({front} = {gateway.ipv4})",
        )
    )
    if args.report:
        print(say(f"\nBáo cáo kiểm tra: {args.report}", f"\nThe audit's report: {args.report}"))
    print(say("Dọn sạch: make demo-down", "Take it all away: make demo-down"))
    return 0


def _down(args: Namespace) -> int:
    from lab import lab

    lab.down(purge=args.purge, say=_print, lang=language())
    return 0


def _status(args: Namespace) -> int:
    from lab import lab

    hosts = lab.status()
    if not hosts:
        print(say("Phòng lab chưa được dựng: sudo edumail lab up", "There is no lab: sudo edumail lab up"))
    for host in hosts:
        state = say("đang chạy", "up") if host.up else say("đã tắt", "down")
        machine = host.machine
        print(f"{machine.name:<12} {state:<10} {host.boot:<10} {machine.ipv4:<15} {machine.ipv6:<20} {machine.fqdn}")
    return 0


def _shell(args: Namespace) -> int:
    from lab import lab

    lab.shell(args.host)
    return 0


def _reset(args: Namespace) -> int:
    from lab import lab

    lab.reset(args.host)
    return 0
