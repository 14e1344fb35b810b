"""What the templates make of a generated province, judged by the real daemons' own checkers.

A lab host lends its daemons; the trees lie beside its own below a temporary root, and what is live is not touched.
``EDUMAIL_WHOLE_SCALE=1`` also judges a province of 3,500 units.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edumail.example import generate, write
from edumail.tree import File, Tree
from lab.text import LabError
from roles.common import scripts
from roles.common.archive import pack
from tests.lab.province import LabProvince
from tests.rendered import Release, rendered

SIZES = (130, 3500) if os.environ.get("EDUMAIL_WHOLE_SCALE") else (130,)
"""Units. More than 125 need a second host, so that the small one has a gateway and a host behind it."""


class Bench:
    """A host of the lab with all daemons, and a place there of our own."""

    def __init__(self, province: LabProvince):
        self.province = province
        self.host = province.mail.gateway.name
        self.root = province.run(self.host, "mktemp -d /var/tmp/edumail-judge.XXXXXX").strip()

    def judge(self, release: Release) -> str:
        """What the checkers have against a release; empty when they accept it."""
        packed = pack(release.tree, release.tree.files, file_mode=int(release.access[-4:], 8))
        where = {"role": release.role, "digest": release.tree.digest, "root": self.root}
        stage = scripts.stage(access=release.access, base=None, archive_sha256=packed.sha256, **where)
        judge = scripts.judge(compile=release.compile, check=release.check, **where)
        try:
            # The host has no certificates of that province; any that is there serves to judge the rest.
            shown = f"find {self.root} -name nginx.conf -o -path '*/sites/*.conf' | xargs -r sed -i -E"
            certificate = f"{shown} 's#(/etc/edumail/tls/shown/)[^;]+[.]pem;#\\1host.pem;#'"
            script = f"set -e\n({stage}\n)\n{certificate}\n({judge}\n)"
            self.province.run(self.host, script, "".join(packed))
        except LabError as error:
            return f"{release.host} {release.role}: {error}"
        return ""

    def close(self) -> None:
        self.province.run(self.host, f"rm -rf {self.root}")


@pytest.fixture(scope="module")
def bench(province: LabProvince) -> Iterator[Bench]:
    bench = Bench(province)
    yield bench
    bench.close()


@pytest.fixture(scope="module", params=SIZES, ids="{} units".format)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """What a deploy would make live on the hosts of an invented province."""
    folder = tmp_path_factory.mktemp("province")
    write(generate(request.param, seed=1), folder)
    return [release for host in rendered(folder) for release in host.releases]


def test_the_daemons_own_checkers_accept_every_tree_of_a_generated_province(
    bench: Bench, generated: list[Release]
) -> None:
    assert len({release.host for release in generated}) > 1
    assert [refusal for release in generated if (refusal := bench.judge(release))] == []


FILE_OF = {
    "dovecot": "dovecot.conf",
    "firewall": "nftables.conf",
    "nginx": "nginx.conf",
    "postfix": "main.cf",
    "resolver": "unbound.conf",
    "rspamd": "local.d/redis.conf",
    "sshd": "sshd.conf",
    "webmail": "config.inc.php",
}


def test_a_mistake_in_the_files_of_any_daemon_is_refused(bench: Bench, inventory: Path) -> None:
    """So that the test above can fail."""
    refused = {}
    for release in (release for host in rendered(inventory) for release in host.releases):
        if (file := FILE_OF.get(release.role)) and release.role not in refused:
            files = dict(release.tree.files)
            files[file] = File(files[file].content + b"\nnonsense {\n")
            refused[release.role] = "refused" in bench.judge(replace(release, tree=Tree.of(files)))
    assert refused == dict.fromkeys(FILE_OF, True)
