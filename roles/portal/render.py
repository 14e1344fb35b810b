"""The portals of all units that a host serves, as one tree, and their part of nginx's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edumail.certificates import Certificate
from edumail.discovery import autoconfig
from edumail.model import Host
from edumail.portal.securitytxt import PATH, security_txt
from edumail.portal.site import Portals
from edumail.templates import render
from edumail.tree import Tree
from edumail.units import Units
from roles.common.gzip import precompress
from roles.common.paths import live
from roles.nginx.render import moved, served

ERRORS = {
    404: (
        ("Không tìm thấy trang", "Địa chỉ này không có, hoặc trang đã được chuyển đi."),
        ("Page not found", "There is no page at this address, or it has moved."),
    ),
    405: (
        ("Không nhận yêu cầu này", "Trang này chỉ để đọc."),
        ("Method not allowed", "This page can only be read."),
    ),
    413: (
        ("Dữ liệu gửi lên quá lớn", "Hãy gửi ít hơn, hoặc chia làm nhiều lần."),
        ("Too large", "Send less, or in several parts."),
    ),
    429: (
        ("Quá nhiều yêu cầu", "Xin đợi một phút rồi thử lại."),
        ("Too many requests", "Please wait a minute and try again."),
    ),
    503: (
        ("Tạm thời không phục vụ được", "Xin thử lại sau ít phút."),
        ("Temporarily unavailable", "Please try again in a few minutes."),
    ),
}
"""What a visitor reads in place of a page, by status: title and sentence, Vietnamese and English.

Where nginx does not understand a request (400, 414), it does not know for which unit it was, and says so itself.
"""

PRECOMPRESS = precompress(
    folders=("assets", "errors", "sites"), endings=("css", "csv", "html", "js", "json", "svg", "txt", "xml")
)


def tree(pages: Portals, host: Host) -> Tree:
    """What ``host`` serves."""
    return Tree.of(
        {
            **pages.files(host),
            **dict(_security_txt(pages, host)),
            **{f"errors/{status}.html": error_page(status) for status in ERRORS},
            "errors/style.css": render("portal/errors/style.css.j2"),
            "config-v1.1.xml": autoconfig(pages.province.settings),
        }
    )


def _security_txt(pages: Portals, host: Host) -> Iterator[tuple[str, str]]:
    units = Units(pages.province)
    for unit in pages.by_host[host.name]:
        officer = units.officer(unit)
        assert officer is not None  # edumail check asks for one
        yield f"sites/{unit.id}/{PATH}", security_txt(unit, officer, pages.province.today)


def error_page(status: int) -> str:
    """The same for all units, and without a word of what was asked for."""
    vi, en = ERRORS[status]
    return render("portal/errors/error.html.j2", status=status, vi=vi, en=en)


def site(pages: Portals, host: Host, certificates: Iterable[Certificate], locations: str = "", zones: str = "") -> str:
    """How nginx finds a unit's portal by its name.

    locations: what programs answer in each portal, as ``location`` blocks; zones: what these need at the level of
    ``http`` (maps, ``limit_req_zone``).
    """
    units = pages.by_host[host.name]
    names = [name for unit in units for name in unit.portal_names]
    return render(
        "portal/etc/nginx/sites/portal.conf.j2",
        sites={unit.portal: unit.id for unit in units},
        moved=moved(pages.province, names),
        names=names,
        served=served(names, certificates),
        errors=ERRORS,
        live=live("portal"),
        locations=locations,
        zones=zones,
    )
