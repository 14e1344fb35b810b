"""The words that entries of an inventory are made of: types whose values can mean nothing but themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from edumail.text import nfc

T = TypeVar("T")

# Everything that reaches a daemon's configuration is matched against one of these, so that no character
# in an inventory can mean anything to a daemon. Addresses are ASCII and lower case; "+" is the delimiter of
# sub-addressing (RFC 5233) and can't be part of an assigned address.
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN_PATTERN = rf"^(?:{LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])$"
LOCAL_PATTERN = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
ADDRESS_PATTERN = rf"^{LOCAL_PATTERN}@(?:{LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])$"
ID_PATTERN = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
POST_PATTERN = r"^[a-z0-9]+(?:_[a-z0-9]+)*$"
TEXT_PATTERN = r"^[^\p{C}\p{Zl}\p{Zp}]+$"
PHONE_PATTERN = r"^\+?[0-9][0-9 .()-]{2,24}$"
SSH_KEY_PATTERN = r"^(?:ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+(?: [A-Za-z0-9@._-]+)?$"
REQUIREMENTS_PATTERN = r"^C37-[A-Za-z0-9.-]*\*?$"
PATH_PATTERN = r"^[A-Za-z0-9~/._-]+$"
EXTENSION_PATTERN = r"^[a-z0-9]{1,10}$"
DIRECTORY_PATTERN = rf"^https://(?:{LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9](?::[0-9]{{1,5}})?/[A-Za-z0-9/._~-]*$"


def _normal(value: object) -> object:
    return nfc(value) if isinstance(value, str) else value


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN, max_length=64)]
PostCode = Annotated[str, StringConstraints(pattern=POST_PATTERN, max_length=40)]
Domain = Annotated[str, StringConstraints(pattern=DOMAIN_PATTERN, max_length=253)]
Address = Annotated[str, StringConstraints(pattern=ADDRESS_PATTERN, max_length=254)]
LocalPart = Annotated[str, StringConstraints(pattern=rf"^{LOCAL_PATTERN}$", max_length=32)]
# A roster saved on macOS comes in NFD; the inventory has one form (TCVN 6909:2001 is Unicode, 12.1).
Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=200), BeforeValidator(_normal)]
Phone = Annotated[str, StringConstraints(pattern=PHONE_PATTERN)]
Extension = Annotated[str, StringConstraints(pattern=EXTENSION_PATTERN)]
RequirementId = Annotated[str, StringConstraints(pattern=r"^C37-[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*$", max_length=40)]
RequirementIds = Annotated[str, StringConstraints(pattern=REQUIREMENTS_PATTERN, max_length=40)]
"""An id, or the beginning of ids with a star: ``C37-4.*`` is all of Article 4."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SshKey = Annotated[str, StringConstraints(pattern=SSH_KEY_PATTERN, max_length=1000)]


Whole = Annotated[int, Strict()]
"""Neither true, which Python takes for 1, nor text: what YAML did not read as a number is none ("0777", "1_000")."""


def _plain_address(value: object) -> object:
    """Refuses what the standard library takes for an address besides one: integers, and "%" with any text after it."""
    if isinstance(value, int) or (isinstance(value, str) and not ADDRESS_CHARACTERS.issuperset(value)):
        kind = "ip_v6_address" if ":" in str(value) else "ip_v4_address"
        raise PydanticCustomError(kind, "not an address")
    return value


def _plain_network(value: object) -> object:
    """A network in CIDR notation, or an address as a network of one."""
    if isinstance(value, str) and ADDRESS_CHARACTERS.union("/").issuperset(value):
        try:
            return ip_network(value)
        except ValueError:
            pass
    raise PydanticCustomError("ip_network", "not a network")


def some(value: tuple[T, ...]) -> tuple[T, ...]:
    """Refuses an empty list; ``min_length`` would also object to a list of which no item is sound."""
    if not value:
        raise PydanticCustomError("too_short", "empty")
    return value


def _plain_day(value: object) -> object:
    """A day as ISO 8601 has it; the standard library also takes seconds since 1970 for one."""
    if isinstance(value, date):
        return value
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise PydanticCustomError("date", "not a day") from None


Day = Annotated[date, BeforeValidator(_plain_day)]
ADDRESS_CHARACTERS = frozenset("0123456789abcdefABCDEF.:")
Network = IPv4Network | IPv6Network
PlainNetwork = Annotated[Network, BeforeValidator(_plain_network)]
Networks = Annotated[tuple[PlainNetwork, ...], AfterValidator(some)]
Ipv4 = Annotated[IPv4Address, BeforeValidator(_plain_address)]
Ipv6 = Annotated[IPv6Address, BeforeValidator(_plain_address)]


class Model(BaseModel):
    """Frozen, and strict about keys: a key nobody reads is a mistake, not a comment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
