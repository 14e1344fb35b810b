"""Arguments that several commands take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from edumail.cli.language import Parser, UserError, say
from edumail.cli.terminal import plain


def add_inventory(parser: Parser) -> None:
    """The argument that names an inventory's folder."""
    parser.add_argument(
        "inventory",
        type=Path,
        metavar="INVENTORY",
        help=say("thư mục mô tả tỉnh, như inventories/lab", "the province's folder, such as inventories/lab"),
    )


def add_hosts(parser: Parser) -> None:
    """The option that picks hosts."""
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        help=say("chỉ máy này; dùng được nhiều lần", "this host only; may be given several times"),
    )


def chosen_hosts(known: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """The hosts to work on, in the inventory's order: all, or those asked for.

    Raises UserError, status 2, for one that is not in the inventory (pyinfra would only warn, and do nothing).
    """
    known = list(known)
    strangers = sorted(set(wanted) - set(known))
    if strangers:
        names, others = ", ".join(known), ", ".join(strangers)
        raise UserError(
            f"inventory không có máy chủ «{others}» (có: {names})",
            f"the inventory has no host '{others}' (there are: {names})",
            status=2,
        )
    return [host for host in known if not wanted or host in wanted]


def unknown(name: str, known: Iterable[str], vi: str, en: str) -> UserError:
    """``name`` is none of ``known``; the nearest of these are named."""
    known = list(known)
    name, near = plain(name), ", ".join(get_close_matches(name, known, n=3, cutoff=0.4) or known[:10])
    return UserError(
        f"không có {vi} «{name}»; gần nhất: {near}", f"there is no {en} '{name}'; the nearest: {near}", status=2
    )


def refuse_filled(folder: Path) -> None:
    """Raises UserError for a place where something could be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} không phải thư mục", f"{folder} is not a folder")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"thư mục {folder} đã có tệp; chọn thư mục mới để không ghi đè",
            f"folder {folder} holds files already; choose a new one, nothing is overwritten",
        )


def refuse_no_font() -> None:
    """Raises UserError, before anything is done, where no PDF can be made."""
    from edumail.fonts import NoFontError, register_fonts

    try:
        register_fonts()
    except NoFontError:
        raise UserError(
            "máy này không có phông chữ tiếng Việt; cài gói fonts-dejavu-core",
            "this machine has no font with Vietnamese letters; install the package fonts-dejavu-core",
        ) from None
