"""What ``edumail-audit`` does for many letters and many mailboxes at once, without Postfix and Dovecot."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import re
import sqlite3
import subprocess
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import testinfra

from edumail.mail import Mail
from edumail.model import Province
from roles.audit import render
from roles.dovecot import render as dovecot
from tests.circular import letters, mailbox
from tests.circular.audit import AT_LEAST, CALLED, LASTS, Audit, AuditError
from tests.circular.letters import PLANS

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"
APP = Path(__file__).resolve().parents[2] / "roles" / "audit" / "app" / "edumail_audit.py"


class Programs:
    """sendmail and doveadm."""

    def __init__(self) -> None:
        self.ran: list[Sequence[str]] = []
        self.sent: list[str] = []
        self.rights: dict[str, str] = {}

    def run(self, command: Sequence[str], input: Any = None, check: bool = False, **rest: Any) -> Any:
        self.ran.append(command)
        if command[0].endswith("sendmail"):
            self.sent.append(input.decode())
            failed = command[-1] == "full@x.test"
            return SimpleNamespace(returncode=int(failed), stderr=b"no space" if failed else b"")
        people = Path(command[command.index("-F") + 1]).read_text().split()
        rows = [f"{person}\t{self.rights.get(person, '')}" for person in people if person != "lost@x.test"]
        return SimpleNamespace(stdout="\n".join(["Username\tRights", *rows, ""]))


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs()
    monkeypatch.setattr(subprocess, "run", made.run)
    return made


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(APP.parent))
    spec = importlib.util.spec_from_file_location("edumail_audit", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ask", lambda database, words, *values: database.execute(words, values).fetchall())
    (tmp_path / "province.json").write_text('{"domains": ["x.test"], "letters": 9}')
    monkeypatch.setattr(module, "PROVINCE", tmp_path / "province.json")
    return module


@pytest.fixture
def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE audit (login TEXT, token TEXT, hash TEXT, expires INTEGER)")
    made.execute("CREATE TABLE audit_letters (token TEXT, outside TEXT, sent INTEGER)")
    made.execute("CREATE TABLE account (address TEXT, state TEXT)")
    states = {"an@x.test": "active", "binh@x.test": "waiting", "vt@x.test": "shared", "cu@x.test": "closed"}
    made.executemany("INSERT INTO account VALUES (?, ?)", [*states.items(), ("lost@x.test", "active")])
    for number, (token, outside) in enumerate({"a" * 32: "kiemtra@ngoai.test", "c" * 32: ""}.items()):
        made.execute("INSERT INTO audit VALUES (?, ?, 'x', 1)", [f"auditor-{number}", token])
        made.execute("INSERT INTO audit_letters VALUES (?, ?, 0)", [token, outside])
    return made


def named(number: int) -> str:
    return f"audit.{number:024x}@kiemtra.invalid"


def probe(sender: str, recipient: str, number: int) -> dict[str, str]:
    return {"sender": sender, "recipient": recipient, "message_id": named(number)}


def test_a_letter_that_can_not_be_sent_stops_no_others(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    probes = [
        probe("cu@x.test", "an@x.test", 1),
        probe("vt@x.test", "full@x.test", 2),
        probe("vt@x.test", "-t an@x.test", 3),
        probe("vt@x.test", "an@x.test", 4),
        probe("vt@x.test", "an@x.test", 5) | {"message_id": "thu-cua-an@x.test"},
    ]
    said = app.send(database, probes, ["a" * 32])
    assert list(said) == [*map(named, (1, 2, 3, 4)), "thu-cua-an@x.test"]
    assert [bool(why) for why in said.values()] == [True, True, True, False, True]
    assert [command[-1] for command in programs.ran] == ["full@x.test", "an@x.test"]


def test_nothing_is_sent_without_the_token_of_an_open_audit(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    with pytest.raises(ValueError, match="no audit"):
        app.send(database, [probe("vt@x.test", "an@x.test", 1)], ["b" * 32])
    assert not programs.ran


def test_letters_go_to_the_province_and_to_the_one_address_outside_that_the_audit_named(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    wanted = ["an@x.test", "To@X.test", "kiemtra@ngoai.test", "ai@ngoai.test", "an@x.test.ngoai.test", "an@y.x.test"]
    probes = [probe("vt@x.test", recipient, number) for number, recipient in enumerate(wanted)]
    said = app.send(database, probes, ["a" * 32])
    assert [not why for why in said.values()] == [True, True, True, False, False, False]
    said = app.send(database, probes[2:3], ["c" * 32])  # another audit's address
    assert list(said.values()) == [
        wanted[2]
        + ": không ở trong tỉnh, cũng không phải địa chỉ ngoài mà lần kiểm tra nêu / neither in the province nor"
        " the address outside that this audit named"
    ]
    assert [command[-1] for command in programs.ran] == wanted[:3]
    assert ["X-Edumail-Audit" in text for text in programs.sent] == [True, True, False], "no token leaves the province"


def test_an_audit_sends_no_more_than_an_audit_of_all_units_needs(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    def sent(number: int, *tokens: str) -> int:
        probes = [probe("vt@x.test", "an@x.test", n) for n in range(number)]
        said = app.send(database, probes, list(tokens))
        assert set(said.values()) <= {"", "lần kiểm tra này đã gửi đủ số thư / this audit has sent its letters: 9"}
        return sum(not why for why in said.values())

    assert [sent(6, "a" * 32), sent(6, "a" * 32), sent(6, "a" * 32)] == [6, 3, 0]
    assert sent(2, "c" * 32, "a" * 32) == 0, "of several audits here the one that has sent most counts"
    assert sent(12, "c" * 32) == 9
    assert len(programs.ran) == 18
    # A province that needs fewer now gives none back, and what has no count is no way around it.
    assert app.reserved(database, ["a" * 32], 1, 5) == (0, {"kiemtra@ngoai.test"})
    assert database.execute("SELECT max(sent) FROM audit_letters").fetchone() == (9,)
    database.execute("DELETE FROM audit_letters")
    assert sent(1, "a" * 32) == 0


def test_what_waits_is_told_apart(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was suspended and has a new code is somebody whom a decision has let in again."""
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: SimpleNamespace(stdout=""))
    database = sqlite3.connect(":memory:", isolation_level=None)
    store = importlib.import_module("edumail_store")
    database.executescript(store.SCHEMA)
    now = int(time.time())
    made = {
        "active": ("active", None, None, 0, 0), "code": ("waiting", "x", now + 60, 9, 0),
        "again": ("waiting", "x", now + 60, 0, 1), "late": ("waiting", "x", now - 60, 0, 0),
        "guessed": ("waiting", "x", now + 60, 10, 0), "none": ("waiting", None, None, 0, 0),
        "suspended": ("waiting", None, None, 0, 1), "late again": ("waiting", "x", now - 60, 0, 1),
    }  # fmt: skip
    for name, row in made.items():
        database.execute(
            "INSERT INTO account (address, unit, person, name, home, quota_mb, code_days, changed, state, code,"
            " code_expires, code_tries, suspended) VALUES (?1, 'u', ?1, ?1, ?1, 1, 1, 0, ?2, ?3, ?4, ?5, ?6)",
            (name, *row),
        )
    assert {account["address"]: account["waits"] for account in app.facts(database)["accounts"]} == {
        "active": None, "code": "code", "again": "code", "late": "ended", "guessed": "ended", "none": "none",
        "suspended": "suspended", "late again": "suspended",
    }  # fmt: skip


def test_an_audit_names_its_address_outside_when_it_is_opened(
    app: ModuleType, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "install", lambda text: None)
    monkeypatch.setattr(app, "tell_filter", lambda tokens: None)
    opened = app.open_audit(database, 0, "KiemTra@ngoai.test")
    rows = "SELECT outside, sent FROM audit_letters WHERE token = ?"
    assert database.execute(rows, [opened["token"]]).fetchall() == [("kiemtra@ngoai.test", 0)]
    with pytest.raises(ValueError, match="not an address"):
        app.open_audit(database, 0, "a@b.test, c@d.test")
    app.refresh(database, app.SECONDS)  # all have ended
    assert database.execute("SELECT count(*) FROM audit_letters").fetchall() == [(0,)]


@pytest.mark.parametrize(("outside", "said"), [(None, ""), ("kiemtra@ngoai.test", "kiemtra@ngoai.test")])
def test_the_auditor_s_machine_says_the_address_when_it_opens_an_audit(
    province: Province, monkeypatch: pytest.MonkeyPatch, outside: str | None, said: str
) -> None:
    ran: list[str] = []
    opened = {"login": "auditor-1", "password": "x", "token": "a" * 32, "expires": time.time() + LASTS}
    answer = json.dumps(opened | {"folder": mailbox.FOLDER})

    def run(words: str) -> Any:
        if words == CALLED:
            return SimpleNamespace(stdout="")
        ran.append(words)
        return SimpleNamespace(rc=0, stdout=answer, stderr="")

    monkeypatch.setattr(testinfra, "get_host", lambda *words, **options: SimpleNamespace(run=run))
    audit = Audit(LAB, province, frozenset(province.hosts), outside=outside)
    audit.open(None)
    assert set(audit.hosts) == set(province.hosts)
    assert {words.partition(" open ")[2] for words in ran} == {said}


def test_what_is_open_because_a_unit_was_not_drawn_says_so_and_what_is_open_otherwise_does_not(
    province: Province,
) -> None:
    audit = Audit(LAB, province, frozenset(province.hosts), sample=1)
    drawn, left = sorted(audit.units("mail-xa"), key=lambda unit: bool(audit.left_out(unit)))[:2]
    why = audit.left_out(left)
    assert why
    assert not audit.left_out(drawn)
    assert audit.gap(left.id, "not-tested", ["seen", why]) == "lots"
    assert audit.gap(left.id, "not-tested", ["the decision is on paper", f"no letter: {why}"]) == ""
    assert audit.gap(left.id, "fail", ["seen", why]) == ""
    assert audit.gap(drawn.id, "not-tested", ["", "no browser"]) == ""
    audit.unseen["the gateway was not seen"] = "unasked"
    assert audit.gap(drawn.id, "not-tested", ["seen", "the gateway was not seen"]) == "unasked"


def test_no_letter_goes_out_with_the_token_of_an_audit_that_ends_soon(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, str]] = []
    number = itertools.count(1)
    lost: set[str] = set()

    class Shell(SimpleNamespace):
        def run(self, words: str) -> Any:
            if words == CALLED:
                return SimpleNamespace(stdout="")
            ran.append((self.name, words.partition("edumail-audit ")[2].strip()))
            new = next(number) if " open " in words else 0
            answer = {"login": f"auditor-{new}", "password": "x", "token": f"{new:032x}", "expires": now[0] + LASTS}
            answer["folder"] = mailbox.FOLDER
            return SimpleNamespace(rc=int(self.name in lost), stdout=json.dumps(answer), stderr="no space")

    now = [1e9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(testinfra, "get_host", lambda at, **options: Shell(name=at.rpartition("@")[2]))
    audit = Audit(LAB, province, frozenset(province.hosts), outside="kiemtra@ngoai.test")
    audit.open(None)
    names, first = list(audit.hosts), audit.tokens
    ran.clear()
    now[0] += LASTS - AT_LEAST
    audit.renew()
    assert (ran, audit.tokens) == ([], first)
    now[0] += 1
    lost.add(names[0])
    audit.renew()
    assert ran == [
        (names[0], "open kiemtra@ngoai.test"),
        (names[0], "close auditor-1"),
        *(
            (name, word)
            for name, old in zip(names[1:], (2, 3), strict=True)
            for word in ("open kiemtra@ngoai.test", f"close auditor-{old}")
        ),
    ]
    assert list(audit.hosts) == names[1:]
    assert not set(audit.tokens) & set(first)
    assert "no space" in audit.unreachable[names[0]]
    with pytest.raises(AuditError, match="no space"):  # whoever was in the middle of asking it hears why
        audit.hosts[names[0]]
    assert {host.opened for host in audit.hosts.values()} == {1e9}, "what was logged of letters that went before"
    ran.clear()
    audit.renew()
    assert not ran


def test_what_an_audit_plans_is_within_its_letters(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    assert render.letters(province) == render.FEWEST
    monkeypatch.setattr(render, "FEWEST", 1)
    audit: Any = Audit(LAB, province, frozenset(province.hosts), sample=0, outside="kiemtra@ngoai.test")
    audit.hosts = dict.fromkeys(province.hosts)
    planned = [
        letter
        for turn in province.hosts
        for requirement in ("C37-4.1", "C37-4.3.3", "C37-5.3")
        for letter in PLANS[requirement](audit, turn)
    ]
    assert len(planned) <= render.letters(province) < 2 * 2 * len(planned)
    inside = {letter.recipient.partition("@")[2] for letter in planned if letter.recipient != audit.outside}
    assert inside <= set(render.domains(province))


def test_an_auditor_reads_no_folder_but_the_one_that_letters_of_an_audit_are_filed_into(
    app: ModuleType, province: Province
) -> None:
    (filed,) = re.findall('fileinto :create "(.*)"', app.script(["a" * 32]))
    assert filed == app.FOLDER == mailbox.FOLDER != "Audit", "somebody's own folder may be called that"
    for host in province.hosts:
        said = dovecot.tree(Mail(province).host(host), 25).files["dovecot.conf"].content.decode()
        assert re.findall(r"mailbox (\S+) \{[^{}]*acl user=auditor", said) == [filed]


def test_the_log_is_told_of_an_audit_s_letters_alone(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = "thu-cua-an@x.test", letters._new_id()
    log = "".join(
        f"{queue}: message-id=<{message_id}>\n{queue}: to=<an@x.test>, relay=lmtp, dsn=2.0.0, status=sent (250 OK)\n"
        for queue, message_id in (("4A", theirs), ("4B", ours))
    )
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: SimpleNamespace(stdout=log))
    assert [row["status"] for row in app.trace([ours], 0)[ours]] == ["sent"]
    with pytest.raises(ValueError, match="only an audit's letters"):
        app.trace([ours, theirs], 0)


def test_one_question_tells_who_sees_a_mailbox(
    app: ModuleType, database: sqlite3.Connection, programs: Programs
) -> None:
    programs.rights = {"an@x.test": "lookup read write", "binh@x.test": "read"}
    asked = [{"address": "vt@x.test", "people": ["binh@x.test", "an@x.test"]}, {"address": "vt@x.test", "people": []}]
    assert app.seers(database, asked) == [["an@x.test"], []]
    assert len(programs.ran) == 2
    with pytest.raises(ValueError, match="not mailboxes"):
        app.seers(database, [{"address": "vt@x.test", "people": ["cu@x.test"]}])
    with pytest.raises(ValueError, match="of 1 people instead of 2"):
        app.seers(database, [{"address": "vt@x.test", "people": ["an@x.test", "lost@x.test"]}])


def test_passwords_of_programs_are_counted_by_how_they_are_kept(app: ModuleType, database: sqlite3.Connection) -> None:
    database.execute("DROP TABLE account")
    database.execute("CREATE TABLE account (address TEXT, unit TEXT)")
    database.execute("CREATE TABLE app_password (address TEXT, hash TEXT)")
    database.executemany("INSERT INTO account VALUES (?, ?)", [("an@x.test", "so"), ("binh@x.test", "th")])
    own = "{SHA512}" + b64encode(hashlib.sha512(b"x").digest()).decode()
    kept = [("an@x.test", own), ("an@x.test", own[:-3]), ("an@x.test", "{PLAIN}x"), ("binh@x.test", own)]
    database.executemany("INSERT INTO app_password VALUES (?, ?)", kept)
    assert app.programs(database) == {"so": {"SHA512": 1, "unknown": 2}, "th": {"SHA512": 1}}


def test_the_sign_in_is_kept_as_a_digest_that_dovecot_knows(
    app: ModuleType, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "refresh", lambda database, now: None)
    opened = app.open_audit(database, 0)
    ((kept,),) = database.execute("SELECT hash FROM audit WHERE login = ?", [opened["login"]])
    assert kept == "{SHA512}" + b64encode(hashlib.sha512(opened["password"].encode()).digest()).decode()
    assert len(opened["password"]) == 24


def test_a_letter_of_the_ministry_that_was_put_off_and_then_came_is_told_once_by_its_end(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "MINISTRY", tmp_path / "ministry")
    (tmp_path / "ministry").write_text("lanhdao@bo.test")
    ends = {
        "4A": [("giamdoc@x.test", "deferred"), ("vanthu@x.test", "sent"), ("giamdoc@x.test", "sent")],
        "4B": [("giamdoc@x.test", "deferred")],
    }

    def journal(command: list[str]) -> str:
        (asked,) = [word for word in command if word.startswith("--grep=")]
        if "from=" in asked:
            return "".join(f"{queue}: from=<lanhdao@bo.test>, size=9\n" for queue in ends)
        queue = asked.removeprefix("--grep=^").partition(":")[0]
        return "".join(f"{queue}: to=<{to}>, relay=x, dsn=x, status={status} (so)\n" for to, status in ends[queue])

    monkeypatch.setattr(app, "_matching", journal)
    assert app.received(["lanhdao@bo.test"], 30) == [
        {"from": "lanhdao@bo.test", "to": "giamdoc@x.test", "status": "sent"},
        {"from": "lanhdao@bo.test", "to": "vanthu@x.test", "status": "sent"},
        {"from": "lanhdao@bo.test", "to": "giamdoc@x.test", "status": "deferred"},
    ]
