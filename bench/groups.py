"""One message to a group of 10,000 on two hosts: copies on the wire, seconds, messages a second.

``python -m bench.groups [MEMBERS]`` wants the lab up and deployed. It deploys a copy of the lab's inventory with so
many more people, half of them on each of two hosts, sends one message to everybody below the department, and puts the
lab back as it was.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.province import LabProvince

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "inventories" / "lab"
SENDER, GROUP = "thinhdq@sogddt.minhha.test", "ds-toanthe@sogddt.minhha.test"
UNITS = {"thcs-suoi-mo": ("mail-xa", "suoimo.minhha.test"), "thpt-song-que": ("mail-thpt", "thptsongque.test")}
LONGEST_WAIT_SECONDS = 400


def main() -> None:
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    lab = LabProvince(LAB)
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as temporary:
        folder = Path(temporary) / "lab"
        shutil.copytree(LAB, folder)
        for unit, (_, domain) in UNITS.items():
            with (folder / "people" / f"{unit}.csv").open("a", encoding="utf-8") as roster:
                for number in range(members // 2):
                    roster.write(f"bench-{unit}-{number},Người Thử,,Nhân viên,bench{number:05}@{domain}\n")
        try:
            began = time.monotonic()
            deploy(folder)
            print(f"deploy with {members} more people: {time.monotonic() - began:.1f} s")
            measure(LabProvince(folder), members)
        finally:
            for host, domain in UNITS.values():
                lab.accounts(host, "DELETE FROM account WHERE address LIKE 'bench%'")
                lab.run(host, f"find /var/vmail/{domain} -maxdepth 1 -name 'bench*' -exec rm -rf {{}} +")
            deploy(LAB)


def deploy(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "edumail", "deploy", str(folder)], cwd=ROOT, check=True, capture_output=True)


def measure(province: LabProvince, members: int) -> None:
    """Send, and wait until everybody has it."""
    province.password(SENDER)
    began = time.monotonic()
    message_id = province.send(SENDER, GROUP)
    print(f"taken: {time.monotonic() - began:.1f} s")
    while (have := copies(province)) < members and time.monotonic() < began + LONGEST_WAIT_SECONDS:
        time.sleep(3)
    seconds = time.monotonic() - began
    print(f"delivered: {have} of {members} copies in {seconds:.1f} s, {have / seconds:.0f} a second")
    log = province.run("mail-so", "journalctl -u postfix --since -15min -o cat")
    queue = {line.split(":")[0] for line in log.splitlines() if f"message-id=<{message_id}>" in line}
    for host in sorted({host for host, _ in UNITS.values()}):
        fqdn = province.province.hosts[host].fqdn
        sent = [line for line in log.splitlines() if line.split(":")[0] in queue and f"relay={fqdn}[" in line]
        print(f"copies on the wire to {host}: {len(sent)}")
    print(f"copies in mailboxes afterwards: {copies(province)}")


def copies(province: LabProvince) -> int:
    """How many messages are in the mailboxes of these people."""
    return sum(
        int(province.run(host, f"find /var/vmail/{domain} -path '*/bench*/new/*' | wc -l"))
        for host, domain in UNITS.values()
    )


if __name__ == "__main__":
    main()
