"""Evidence has no addresses of people, and keeps those of units."""

from __future__ import annotations

from edumail.model import Province
from tests.circular.privacy import Veil


def test_people_are_told_by_id_and_post_and_units_by_address(province: Province) -> None:
    veil = Veil(province)
    line = "found with dungpa@thptsongque.test, Phuctd@thptsongque.test; lienhe@thptsongque.test. audit@kiemtra.invalid"
    said = veil(line)
    assert said == (
        "found with [sq-06 Giáo viên, Phụ trách CNTT], [sq-01 Hiệu trưởng]; lienhe@thptsongque.test."
        " audit@kiemtra.invalid"
    )
    assert veil(said) == said


def test_nobody_of_the_province_is_told_by_address(province: Province) -> None:
    veil = Veil(province)
    for person in province.people:
        assert person.address not in veil(f"RCPT {person.address}: 250")
