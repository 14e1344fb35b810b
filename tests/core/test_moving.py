"""Who has to move to another host, and when the old place may be emptied."""

from __future__ import annotations

import json
import runpy
import sqlite3
from pathlib import Path

import pytest

from edumail.cli import mailboxes, main
from edumail.cli.language import UserError
from edumail.cli.mover import Mover
from edumail.cli.remote import HostError, Remote
from edumail.load import load
from edumail.mail import Mail
from edumail.moving import Account, Move, missing, moves, surplus
from roles.dovecot.render import tree

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"
CLERK, SCHOOL = "nhilt@suoimo.minhha.test", "thsuoimo@suoimo.minhha.test"  # both live on mail-xa


@pytest.fixture(scope="module")
def mail() -> Mail:
    return Mail(load(LAB))


def account(address: str, person: str | None, state: str, plain: str = "") -> Account:
    return Account(address, person, state, plain or address)


def test_who_is_closed_on_one_host_and_lives_on_another_moves_shared_mailboxes_first(mail: Mail) -> None:
    hosts = {
        "mail-so": [account(CLERK, "th-04", "closed"), account(SCHOOL, None, "closed")],
        "mail-xa": [account(CLERK, "th-04", "waiting"), account(SCHOOL, None, "shared")],
    }
    assert moves(mail, hosts) == [
        Move(True, "mail-so", SCHOOL, "mail-xa", SCHOOL, True),
        Move(False, "mail-so", CLERK, "mail-xa", CLERK, True),
    ]


@pytest.mark.parametrize(
    "accounts",
    [
        {"mail-xa": [account(CLERK, "th-04", "active")]},  # lives here
        {"mail-xa": [account(CLERK, "th-04", "closed")]},  # set aside where its person lives
        {"mail-so": [account(CLERK, "th-04", "left")]},  # left long ago: will be deleted
        {"mail-so": [account("ai@suoimo.minhha.test", "th-99", "closed")]},  # nobody knows them
        {"mail-so": [account(CLERK, None, "closed")]},  # a shared mailbox whose address is a person's now
        {"mail-so": [account(SCHOOL, "th-99", "closed")]},  # a person whose address is a shared mailbox now
    ],
)
def test_nobody_else_moves(mail: Mail, accounts: dict[str, list[Account]]) -> None:
    assert moves(mail, accounts) == []


def test_a_person_is_known_by_the_id_and_by_no_address(mail: Mail) -> None:
    hosts = {
        "mail-so": [account(f"{CLERK.replace('@', '#1@')}", "th-04", "closed", CLERK), account(CLERK, "x", "closed")],
        "mail-xa": [account(CLERK, "th-04", "waiting")],
    }
    (move,) = moves(mail, hosts)
    assert (move.old, move.new, move.ready) == ("nhilt#1@suoimo.minhha.test", CLERK, True)


def test_a_move_waits_for_the_deploy_of_its_target(mail: Mail) -> None:
    closed = [account(CLERK, "th-04", "closed")]
    assert [move.ready for move in moves(mail, {"mail-so": closed})] == [False]
    assert [move.ready for move in moves(mail, {"mail-so": closed, "mail-xa": closed})] == [False]


def test_units_may_be_chosen(mail: Mail) -> None:
    hosts = {"mail-so": [account(CLERK, "th-04", "closed")]}
    assert len(moves(mail, hosts, ["th-suoi-mo"])) == 1
    assert moves(mail, hosts, ["thcs-suoi-mo"]) == []


def test_a_letter_is_there_with_its_folder_its_name_its_size_and_each_of_its_copies() -> None:
    old = [("INBOX", "<a@x>", 10), ("INBOX", "<a@x>", 10), ("Công văn", "<b@x>", 5)]
    assert not missing(old, [*old, ("INBOX", "<later@x>", 1)])
    assert missing(old, old[1:]) == {"INBOX": 1}
    assert missing(old, [*old[:2], ("INBOX", "<b@x>", 5)]) == {"Công văn": 1}
    assert missing(old, [*old[:2], ("Công văn", "<b@x>", 4)]) == {"Công văn": 1}


class Hosts(Remote):
    """Two hosts that answer from memory; ``asked`` are the actions in their order."""

    def __init__(self, old: list[list[object]], new: list[list[object]]):
        super().__init__(load(LAB))
        self.letters = {"mail-so": old, "mail-xa": new}
        self.asked: list[str] = []
        self.cuts = 0
        self.copies: dict[str, list[object]] = {}

    def run(self, host, command, stdin=b""):  # type: ignore[no-untyped-def]
        self.asked.append(command[2])
        rows = {"letters": self.letters[host], "digest": "d", "account": "taken", "copies": self.copies.get(host, [])}
        return json.dumps(rows).encode()

    def joined(self, first, second, *, both):  # type: ignore[no-untyped-def]
        self.asked.append(second[1][2])
        if both and self.cuts:
            self.cuts -= 1
            raise HostError("đứt", "cut")
        if both and self.letters["mail-so"] and self.letters["mail-so"][0][0] == "INBOX":
            self.letters["mail-xa"] = [*self.letters["mail-so"]]


MOVE = Move(False, "mail-so", CLERK, "mail-xa", CLERK, True)


def test_the_old_place_is_emptied_last() -> None:
    hosts = Hosts([["INBOX", "<a@x>", 1]], [])
    Mover(hosts, MOVE, lambda _: None).run()
    assert hosts.asked == ["unpack", "pull", "contents", "contents", "export", "adopt", "leave"]


def test_what_is_there_twice_goes_unless_the_old_place_has_it_twice() -> None:
    new = [("INBOX", "a", ["7", "12"]), ("INBOX", "b", ["3", "4", "10"]), ("Sent", "a", ["1", "2"])]
    assert surplus([("INBOX", "b", ["3", "4"]), ("Sent", "a", ["1", "2"])], new) == {"INBOX": ["12", "10"]}
    hosts = Hosts([["INBOX", "<a@x>", 1]], [])
    hosts.copies = {"mail-xa": [["INBOX", "a", ["7", "12"]]]}
    Mover(hosts, MOVE, lambda _: None).run()
    assert hosts.asked[1:6] == ["pull", "contents", "contents", "tidy", "contents"]


def test_a_cut_is_tried_again_and_then_told() -> None:
    hosts = Hosts([["INBOX", "<a@x>", 1]], [])
    hosts.cuts = 2
    Mover(hosts, MOVE, lambda _: None).run()
    assert hosts.asked.count("pull") == 3
    hosts.cuts = 3
    with pytest.raises(HostError, match="cut"):
        Mover(hosts, MOVE, lambda _: None).run()
    assert hosts.asked.count("leave") == 1


def test_what_does_not_arrive_keeps_the_old_place_and_the_account_there() -> None:
    hosts = Hosts([["Công văn", "<a@x>", 1]], [["INBOX", "<a@x>", 1]])
    with pytest.raises(UserError, match="lacks 1 letters"):
        Mover(hosts, MOVE, lambda _: None).run()
    assert not {"adopt", "leave"} & set(hosts.asked)


def test_a_host_that_is_down_is_named_the_others_go_on_and_the_status_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def listing(_: Remote, host: str) -> list[Account]:
        if host == "mail-thpt":
            raise HostError("mail-thpt: không kết nối được", "mail-thpt: can't be reached")
        state = "closed" if host == "mail-so" else "waiting"
        return [account(CLERK, "th-04", state)]

    moved: list[Move] = []
    monkeypatch.setattr(mailboxes, "_listing", listing)
    monkeypatch.setattr(mailboxes, "_feedback", lambda _, host: {})
    monkeypatch.setattr(Mover, "run", lambda self: moved.append(self.move) or "1 letter")
    assert main(["mailboxes", "move", str(LAB), "--lang", "en"]) == 1
    said = capsys.readouterr()
    assert "mail-thpt: can't be reached" in said.err
    assert [move.new for move in moved] == [CLERK]
    assert "1 moved, 0 left." in said.out


def test_mail_for_a_closed_account_waits_and_is_not_sent_back() -> None:
    """What Dovecot says of an account between the moment it is closed and that when Postfix knows the new host."""
    mail = Mail(load(LAB)).host("mail-xa")
    text = tree(mail, 25).files["dovecot.conf"].content.decode().replace("\\\n", "")
    query = text.partition("userdb sql {\n  query = ")[2].partition("\n")[0]
    query = query.replace("%{user | lower}", CLERK).replace("%{master_user}", "")
    store = runpy.run_path(str(ROOT / "roles" / "accounts" / "app" / "edumail_store.py"))
    answers = {}
    for state in ("waiting", "active", "shared", "closed", "left"):
        database = sqlite3.connect(":memory:")
        database.row_factory = sqlite3.Row
        database.executescript(store["SCHEMA"])
        database.execute(
            "INSERT INTO account (address, unit, name, home, quota_mb, code_days, state, changed)"
            " VALUES (?, 'u', 'x', '/h', 1, 1, ?, 0)",
            (CLERK, state),
        )
        row = database.execute(query).fetchone()
        answers[state] = row["tempfail"] if row else "unknown"
    assert answers == {"waiting": None, "active": None, "shared": None, "closed": "y", "left": "unknown"}


def test_an_unknown_unit_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mailboxes", "move", str(LAB), "th-suoi-m", "--lang", "vi"]) == 2
    assert "th-suoi-mo" in capsys.readouterr().err
