"""A fault: what is broken on a live host or in an auditor's copy of the inventory, and what an audit must then say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from edumail.circular.verdicts import Finding, Verdict, complete
from edumail.model import Province

LIVE = "/var/lib/edumail/trees"
MANAGED = "C37-11.3.3"
"""Red wherever a deployed file is not as it was deployed: asked after each fault on a host."""
UNITS: Mapping[str, tuple[str, ...]] = {
    "mail-so": ("so", "mn-hoa-sen"),
    "mail-xa": ("vhxh-suoi-mo", "th-suoi-mo", "thcs-suoi-mo"),
    "mail-thpt": ("thpt-song-que",),
}
"""Whose mailboxes lie on which host of the lab."""
GATEWAY = "mail-so"
EVERY = tuple(UNITS)
"""All hosts, for what does not stay on the one that is broken."""
EVERYBODY = tuple(unit for units in UNITS.values() for unit in units)
About = tuple[str, str]
"""Unit and requirement."""
Verdicts = Mapping[About, Verdict]


@dataclass(frozen=True)
class Edit:
    """What is written otherwise in an auditor's copy of the inventory."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """``broken`` and ``mended`` are shell texts for the host ``at``; what turns is declared before anybody looks.

    What follows from it is added by itself (:func:`expected`). What is broken at the gateway, in DNS or in the
    inventory may reach any unit: then all hosts are judged (:data:`EVERY`).
    """

    red: Mapping[str, Collection[str]]
    """By unit the requirements that become ``fail``."""
    only: str
    """Which checks read what it touches, as pytest's ``-k`` takes it; empty: the whole audit."""
    broken: str = "true"
    mended: str = "true"
    at: str = "mail-thpt"
    on: tuple[str, ...] = ()
    """The hosts that are judged; by default the one that is broken."""
    edits: tuple[Edit, ...] = ()
    doubtful: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By unit the requirements that become ``not-tested``: what is seen proves nothing, or nobody says so any more."""
    managed: bool = False
    """Whether a deployed file is changed, which turns :data:`MANAGED` red for every unit that depends on the host."""

    @property
    def judged(self) -> tuple[str, ...]:
        """The hosts that the audit is about."""
        return self.on or (self.at,)

    @property
    def spreads(self) -> bool:
        """Whether it may reach units of other hosts: every page and letter goes through the gateway and by DNS.

        A page that the gateway has as a host of its own units is that unit's alone, but for :data:`MANAGED`, of which
        that is known.
        """
        shared = self.at not in UNITS or (self.at == GATEWAY and f"{LIVE}/portal/current/sites/" not in self.broken)
        return bool(self.edits) or shared

    @property
    def turns(self) -> Verdicts:
        """All that is declared: which verdicts it turns, and to what."""
        managed = {unit: {MANAGED} for unit in self._depending} if self.managed else {}
        doubtful: Verdicts = dict.fromkeys(_pairs(self.doubtful), "not-tested")
        return {**doubtful, **dict.fromkeys((*_pairs(self.red), *_pairs(managed)), "fail")}

    @property
    def _depending(self) -> Iterable[str]:
        """The judged units with mailboxes on the host; all judged units where it is the gateway."""
        return (unit for host in self.judged if self.at in (host, GATEWAY) for unit in UNITS[host])


def _pairs(by_unit: Mapping[str, Collection[str]]) -> Iterable[About]:
    return ((unit, name) for unit, names in by_unit.items() for name in names)


def expected(province: Province, before: Verdicts, turns: Verdicts) -> Verdicts:
    """What all verdicts must be: as ``before``, but for ``turns`` and what follows from those by the catalogue."""
    given = [Finding(*about, verdict, ("declared",)) for about, verdict in {**before, **turns}.items()]
    # Whoever attests something was heard in ``before``.
    return verdicts(province.model_copy(update={"attestations": ()}), given)


def verdicts(province: Province, found: Iterable[Finding]) -> Verdicts:
    """Every requirement of every unit, with what follows and what is attested."""
    return {(one.unit, one.requirement): one.verdict for one in complete(province, province.units, found)}


def edited(file: str, expression: str, reload: str = "true") -> dict[str, str]:
    """A live file is edited with sed, and put back; an edit that changes nothing ends with an error."""
    kept = "/root/mutation.kept"
    return {
        "broken": f"cp -p {file} {kept} && sed -i '{expression}' {file} && ! cmp -s {kept} {file} && {reload}",
        "mended": f"cp -p {kept} {file} && rm {kept} && {reload}",
    }


def page(file: str, expression: str) -> dict[str, str]:
    """As :func:`edited`, for what a browser sees: the compressed copy is put aside too."""
    change = edited(file, expression)
    return {
        "broken": f"mv {file}.gz /root/mutation.gz.kept; {change['broken']}",
        "mended": f"mv /root/mutation.gz.kept {file}.gz; {change['mended']}",
    }


def gone(path: str) -> dict[str, str]:
    """A file is put aside, and its compressed copy with it."""
    kept = "/root/mutation.gone"
    return {
        "broken": f"mv {path} {kept}; [ ! -e {path}.gz ] || mv {path}.gz {kept}.gz",
        "mended": f"mv {kept} {path}; [ ! -e {kept}.gz ] || mv {kept}.gz {path}.gz",
    }


def table(name: str, edit: str) -> dict[str, str]:
    """A live Postfix table is edited and compiled, and put back; ``edit`` is a command that takes the file's name."""
    file, kept = f"{LIVE}/postfix/current/{name}", "/root/mutation.kept"
    compile_ = f"postmap cdb:{file} && postfix reload"
    return {
        "broken": f"cp -p {file} {kept} && {edit} {file} && ! cmp -s {kept} {file} && {compile_}",
        "mended": f"cp -p {kept} {file} && rm {kept} && {compile_}",
    }


def accounts(broken: str, mended: str) -> dict[str, str]:
    """Two SQL statements on the accounts of a host."""
    run = (
        "python3 -c \"import sqlite3, sys; sqlite3.connect('/var/lib/edumail/accounts/accounts.db',"
        ' isolation_level=None).execute(sys.argv[1])"'
    )
    return {"broken": f'{run} "{broken}"', "mended": f'{run} "{mended}"'}


def stopped(*units: str) -> dict[str, str]:
    """Services are stopped, and started again."""
    names = " ".join(units)
    return {"broken": f"systemctl stop {names}", "mended": f"systemctl start {names}"}


def dropin(unit: str, text: str) -> dict[str, str]:
    """systemd is told otherwise of a service, by a drop-in of nobody's; it counts from its next start."""
    folder = f"/etc/systemd/system/{unit}.service.d"
    return {
        "broken": f"mkdir -p {folder} && printf '{text}' > {folder}/zz-mutation.conf && systemctl daemon-reload",
        "mended": f"rm {folder}/zz-mutation.conf && systemctl daemon-reload",
    }
