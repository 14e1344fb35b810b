"""What citizens asked a unit follows it to another host: all of it, once, wherever the way is cut."""

from __future__ import annotations

import io
import sqlite3
from dataclasses import replace
from pathlib import Path

import edumail_feedback as store
import edumail_feedback_cli as cli
import edumail_feedback_moving as moving
import pytest

from edumail.cli import mailboxes, main
from edumail.cli.remote import HostError, Remote
from edumail.load import load
from edumail.mail import Mail
from edumail.moving import Matters, matters
from roles.postfix.render import tables

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"
UNIT, OTHER = "th-suoi-mo", "so"
LETTER = ("matter", "phan-anh+x@mail.test", "th@th.test", b"Subject: h\xe1\xbb\x8fi\r\n\r\n\xff")


def host(folder: Path) -> store.Store:
    folder.mkdir()
    return store.Store(folder)


def ask(cases: store.Store, code: str, unit: str = UNIT, message_id: str = "") -> store.Matter:
    """A matter with a letter that waits."""
    matter = store.new_matter(unit, "mail.test", subject="Bán trú", text="Có ạ?", name="Đ", email="d@x.test", phone="")
    if message_id:
        matter = replace(matter, message_id=message_id)
    assert cases.add(matter, code, f"token {code}", [LETTER])
    return matter


def rows(cases: store.Store) -> list[tuple[object, ...]]:
    """All that is kept of matters and of what is to be sent, but numbers of rows."""
    with sqlite3.connect(cases.path) as connection:
        matter = f"SELECT code, unit, {', '.join(moving_fields())} FROM matter ORDER BY code"
        posted = f"SELECT code, {store.POSTED} FROM outbox JOIN matter ON matter.id = matter ORDER BY code, outbox.id"
        return [*connection.execute(matter), *connection.execute(posted)]


def moving_fields() -> tuple[str, ...]:
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(store.SCHEMA)
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(matter)")]
    return tuple(name for name in names if name not in ("id", "unit", "code"))


def test_every_column_of_a_matter_goes_along() -> None:
    assert sorted(store.MOVED) == sorted(moving_fields())


def test_all_of_a_unit_moves_and_nothing_of_others(tmp_path: Path) -> None:
    old, new = host(tmp_path / "old"), host(tmp_path / "new")
    ask(old, "A")
    answered = old.by_code(UNIT, "A")
    assert answered is not None
    to_citizen = ("answer", "th@th.test", "d@x.test", b"C\xc3\xb3")
    old.answer(answered, "<1@th.test>", "Có.", True, [to_citizen], 1_800_000_000)
    ask(old, "B")
    ask(old, "C", OTHER)
    ask(new, "D")
    before = [row for row in rows(old) if row[0] != store.digest("C")]
    came_meanwhile = rows(new)
    safe = list(moving.take(new, UNIT, moving.give(old, UNIT)))
    assert sorted(rows(new), key=repr) == sorted(before + came_meanwhile, key=repr)
    assert moving.left(old, UNIT, safe) == 2
    assert old.units() == {OTHER: 1}
    assert new.units() == {UNIT: 3}
    found = new.by_code(UNIT, "A")
    assert found is not None
    assert (found.answer, found.state, found.published) == ("Có.", "answered", 1)
    assert new.by_key(answered.key) == found


def test_whoever_is_cut_begins_again_and_nothing_is_there_twice(tmp_path: Path) -> None:
    old, new = host(tmp_path / "old"), host(tmp_path / "new")
    for code in "AB":
        ask(old, code)
    before, said = rows(old), list(moving.give(old, UNIT))
    for cut in (said[:-1], [said[0], said[1][:20]]):
        with pytest.raises(moving.Cut):
            list(moving.take(new, UNIT, cut))
    assert new.units() == {}
    safe = list(moving.take(new, UNIT, said))
    with pytest.raises(moving.Cut):
        moving.left(old, UNIT, safe[:-1])
    assert rows(old) == before
    # It is answered at the new place before the second try: that stays.
    matter = new.by_code(UNIT, "A")
    assert matter is not None
    new.answer(matter, "<1@th.test>", "Có.", None, [], 1_800_000_000)
    known = rows(new)
    safe = list(moving.take(new, UNIT, moving.give(old, UNIT)))
    assert rows(new) == known
    assert moving.left(old, UNIT, safe) == 2
    assert rows(old) == []


def test_a_letter_that_both_places_registered_stays_under_the_newer_code(tmp_path: Path) -> None:
    """It was in both hosts' queues; the citizen has both codes, and the matter is there."""
    old, new = host(tmp_path / "old"), host(tmp_path / "new")
    ask(old, "A", message_id="<same@x.test>")
    ask(new, "B", message_id="<same@x.test>")
    assert moving.left(old, UNIT, moving.take(new, UNIT, moving.give(old, UNIT))) == 1
    assert old.units() == {}
    assert new.units() == {UNIT: 1}
    assert new.by_code(UNIT, "B")


def test_one_letter_to_two_units_is_a_matter_of_each(tmp_path: Path) -> None:
    old, new = host(tmp_path / "old"), host(tmp_path / "new")
    ask(old, "A", message_id="<same@x.test>")
    ask(new, "B", OTHER, message_id="<same@x.test>")
    assert moving.left(old, UNIT, moving.take(new, UNIT, moving.give(old, UNIT))) == 1
    assert new.units() == {UNIT: 1, OTHER: 1}
    assert new.by_code(UNIT, "A")


def test_whoever_moved_back_brings_what_was_answered_meanwhile(tmp_path: Path) -> None:
    """The way there was cut before the old place was emptied."""
    old, new = host(tmp_path / "old"), host(tmp_path / "new")
    ask(old, "A")
    list(moving.take(new, UNIT, moving.give(old, UNIT)))
    matter = new.by_code(UNIT, "A")
    assert matter is not None
    new.answer(matter, "<1@th.test>", "Có.", True, [], matter.received + 60)
    assert moving.left(new, UNIT, moving.take(old, UNIT, moving.give(new, UNIT))) == 1
    back = old.by_code(UNIT, "A")
    assert back is not None
    assert (back.answer, back.state, back.published) == ("Có.", "answered", 1)


def test_what_an_older_release_kept_is_kept(tmp_path: Path) -> None:
    cases = host(tmp_path / "old")
    ask(cases, "A", message_id="<same@x.test>")
    with sqlite3.connect(cases.path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        table = store.SCHEMA.partition(";")[0].replace("message_id TEXT NOT NULL,", "message_id TEXT NOT NULL UNIQUE,")
        table = table.replace(",\n  UNIQUE (unit, message_id)", "").replace("matter", "former", 1)
        connection.executescript(
            f"{table}; INSERT INTO former SELECT * FROM matter; DROP TABLE matter; ALTER TABLE former RENAME TO matter"
        )
        assert "NOT NULL UNIQUE, received" in str(connection.execute("SELECT sql FROM sqlite_schema").fetchall())
    before = rows(cases)
    assert len(before) == 2  # the matter, and its letter
    again = store.Store(tmp_path / "old")
    assert rows(again) == before
    ask(again, "B", OTHER, message_id="<same@x.test>")
    with sqlite3.connect(again.path) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'published'").fetchone()


def test_what_waits_to_be_sent_waits_for_the_way(tmp_path: Path) -> None:
    cases = host(tmp_path / "old")
    ask(cases, "A")
    assert cases.due({OTHER: {}}, 1e12) == []
    assert len(cases.due([UNIT], 1e12)) == 1


def command(folder: Path, words: list[str], here: list[str], monkeypatch: pytest.MonkeyPatch, given: str = "") -> int:
    """What a host does that has the units ``here``."""
    monkeypatch.setattr(cli, "units", lambda: {name: {} for name in here})
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    monkeypatch.setattr("os.getuid", lambda: 1)
    return cli.main([*words, "--state", str(folder)])


def test_a_unit_is_given_by_a_host_that_it_has_left_and_taken_by_the_one_it_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(host(tmp_path / "old"), "A")
    host(tmp_path / "new")
    assert command(tmp_path / "old", ["list"], [], monkeypatch) == 0
    assert capsys.readouterr().out == f'{{"{UNIT}": 1}}\n'
    assert command(tmp_path / "old", ["give", UNIT], [UNIT], monkeypatch) == 1
    assert "lives here" in capsys.readouterr().err
    assert command(tmp_path / "new", ["take", UNIT], [], monkeypatch) == 1
    assert "does not live here" in capsys.readouterr().err
    assert command(tmp_path / "old", ["give", UNIT], [], monkeypatch) == 1  # nothing came back
    given = capsys.readouterr()
    assert "run it again" in given.err
    assert command(tmp_path / "new", ["take", UNIT], [UNIT], monkeypatch, given.out) == 0
    safe = capsys.readouterr().out
    assert command(tmp_path / "old", ["give", UNIT], [], monkeypatch, safe) == 0
    assert store.Store(tmp_path / "old").units() == {}
    assert store.Store(tmp_path / "new").units() == {UNIT: 1}


def test_who_has_moved_is_told_by_the_inventory() -> None:
    province = load(LAB)
    home = province.units[UNIT].host
    assert home != "mail-so"
    hosts = {"mail-so": {UNIT: 3, OTHER: 1, "da-giai-the": 2}, home: {UNIT: 4}}
    assert matters(province, hosts) == [Matters(UNIT, "mail-so", home, 3)]
    assert matters(province, hosts, [OTHER]) == []


def test_letters_are_answered_at_an_address_that_is_good_on_every_host() -> None:
    """Also when the gateway has become another since."""
    mail = Mail(load(LAB))
    for name, known in mail.province.hosts.items():
        found = tables(mail.host(name), {})
        for other in mail.province.hosts.values():
            address = f"phan-anh@{other.fqdn}"
            assert f"{address} phan-anh@feedback.{known.fqdn}" in " ".join(found["aliases"].split())
            assert f"{address} REJECT" in " ".join(found["posting_outside"].split())


@pytest.mark.parametrize("left", [0, 1])
def test_feedback_moves_first_and_what_stays_is_told(
    left: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = load(LAB).units[UNIT].host
    done: list[tuple[object, object, bool]] = []

    def joined(self: Remote, first: object, second: object, *, both: bool) -> None:
        done.append((first, second, both))

    monkeypatch.setattr(mailboxes, "_listing", lambda remote, host: [])

    def feedback(_: Remote, host: str) -> dict[str, int]:
        count = left if done else 2
        return {UNIT: count} if host == "mail-so" and count else {}

    monkeypatch.setattr(mailboxes, "_feedback", feedback)
    monkeypatch.setattr(Remote, "joined", joined)
    assert main(["mailboxes", "move", str(LAB), "--lang", "en"]) == (1 if left else 0)
    assert done == [(("mail-so", ["edumail-feedback", "give", UNIT]), (home, ["edumail-feedback", "take", UNIT]), True)]
    said = capsys.readouterr()
    assert f"2 matters of feedback of {UNIT} (mail-so) → ({home})" in said.out
    assert ("1 are left there" in said.out + said.err) == bool(left)


def test_a_host_of_an_older_release_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(self: Remote, name: str, words: list[str], stdin: bytes = b"") -> bytes:
        if words[0] == "edumail-feedback":
            raise HostError("", f"{name}: bash: line 1: edumail-feedback: command not found")
        return b"[]"

    monkeypatch.setattr(Remote, "run", run)
    assert main(["mailboxes", "move", str(LAB), "--lang", "en"]) == 1
    assert "mail-so: runs another release of edumail; deploy it" in capsys.readouterr().err
