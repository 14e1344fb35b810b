"""Whatever a spreadsheet says: it is refused, or what it says is so afterwards, and saying it again changes nothing."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path

from conftest import LAB
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rosters import LOWER, PRIMARY, TODAY, UPPER, as_csv, prepared, staff

from edumail.load import load
from edumail.people import journal

KNOWN = [row[2] for unit in (PRIMARY, LOWER, UPPER) for row in staff(LAB, unit)]
NAMES = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(KNOWN).map(str.upper),
    st.sampled_from(
        ["Lò Thị Đào", "Lò Thị Đảo", "Lò Văn Đào", "Nguyễn Thị Hương", "Tống Công Minh", "", "Tổ khối 4-5"]
    ),
)
IDS = st.sampled_from(["", "", "", "th-05", "th-12", "th-13", "th-40", "cs-03", "sq-02", "GV01", "GV02", "4", "xx-9"])
SECTIONS = st.sampled_from(["", "", "Khối 4-5", "khoi-1-2-3", "-"])
POSTS = st.sampled_from(["", "GV", "GV; TTCM", "Văn thư", "HT", "GV Toán"])
ADDRESSES = st.sampled_from(
    ["", "", "", "thoamt@suoimo.minhha.test", "moi@suoimo.minhha.test", "thsuoimo@suoimo.minhha.test", "a@thu.example"]
)
BORN = st.sampled_from(["", "", "1/2/1990", "1990", "03-04-1985"])
ROWS = st.lists(st.tuples(IDS, NAMES, SECTIONS, POSTS, ADDRESSES, BORN), max_size=3)
OWN = staff(LAB, PRIMARY)


@settings(max_examples=60)
@example(
    more=[
        ("", "Nguyễn Văn Bằng", "", "", "moi@suoimo.minhha.test", ""),
        ("cs-03", "Cao Thị Nguyệt", "", "", "moi@suoimo.minhha.test", ""),
    ],
    without=set(),
    ids=False,
    partial=False,
)
@given(more=ROWS, without=st.sets(st.integers(0, len(OWN) - 1), max_size=3), ids=st.booleans(), partial=st.booleans())
def test_a_spreadsheet_that_is_taken_changes_nothing_the_second_time(
    more: list[tuple[str, ...]], without: set[int], ids: bool, partial: bool
) -> None:
    own = [(row[1] if ids else "", *row[2:], "", "") for index, row in enumerate(OWN) if index not in without]
    header = ("Mã", "Họ và tên", "Tổ", "Chức vụ", "Email", "Ngày sinh")
    content = as_csv([header, *own, *more])
    wish = {"partial": partial, "until": date(2027, 6, 30)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "lab"
        shutil.copytree(LAB, folder, ignore=shutil.ignore_patterns("published", "content", "__pycache__"))
        before = {person.id: person for person in load(folder).people}
        first = prepared(folder, content, **wish)
        if first.plan.refused or first.broken:
            return
        journal.write(folder, first.changes)
        after = load(folder, TODAY)
        now = {person.id: person.address for person in after.people}
        kept = {left.id: left.address for left in after.left} | now
        # Nobody lost an address to anybody, and who has a new one can be reached at the old.
        old = {former.address: former.to for former in after.former}
        for id, person in before.items():
            assert person.address in (kept[id], *(a for a, to in old.items() if to == kept[id]))
        second = prepared(folder, content, **wish)
        assert second.plan.refused == []
        assert second.changes == []
