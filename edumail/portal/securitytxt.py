"""Whom to tell of a hole in a unit's portal: ``/.well-known/security.txt`` (RFC 9116)."""

from __future__ import annotations

from datetime import date

from edumail.model import Person, Unit

PATH = ".well-known/security.txt"
"""Where it lies below a portal's root (RFC 9116, 3)."""


def security_txt(unit: Unit, officer: Person, today: date) -> str:
    """The file of a unit: first its officer in charge, then its address for the public."""
    return "".join(
        (
            *(f"Contact: mailto:{address}\n" for address in dict.fromkeys((officer.address, unit.public_address))),
            f"Expires: {expires(today).isoformat()}T23:59:59Z\n",
            "Preferred-Languages: vi, en\n",
            f"Canonical: https://{unit.portal}/{PATH}\n",
        )
    )


def expires(today: date) -> date:
    """The last day for which the file holds: near the end of the next half-year.

    So it changes twice a year and no oftener, is always less than a year ahead (2.5.5), and holds for five months
    after the last deploy at least.
    """
    return date(today.year, 12, 20) if today.month <= 6 else date(today.year + 1, 6, 20)
