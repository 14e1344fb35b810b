"""The operations that every role uses: packages, and one tree of files staged and made live.

Each decides by what is on the host, not by what an earlier operation of the run did, so that a run killed anywhere is
finished by the next, and ``--dry`` announces what will act and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

from pyinfra import host, state
from pyinfra.api import StringCommand, operation

from edumail.tree import Tree, changed_paths
from roles.common import packages as apt
from roles.common import scripts
from roles.common.archive import pack
from roles.common.facts import PackagesMissing, TreeActive, TreeManifest, TreePresent, TreeStaged

_SHOWN = 8
"""How many changed paths a plan names before it only counts them."""


@operation()
def apt_packages(
    packages: Sequence[str], preseed: Sequence[str] = (), start_services: bool = False
) -> Generator[StringCommand, None, None]:
    """Makes sure that all of ``packages`` are installed, in one go; finishes what an interrupted dpkg left.

    preseed: debconf lines, used only when something is installed
    (``postfix postfix/main_mailer_type select No configuration``).
    start_services: let packages start their daemons with the distribution's configuration; by default they may not,
    and ``activate_tree`` starts the unit with ours.
    """
    todo = host.get_fact(PackagesMissing, wanted=apt.checked(packages))
    if todo:
        yield StringCommand(apt.install(packages, preseed=preseed, start_services=start_services))
    else:
        host.noop("packages are installed")


@operation()
def stage_tree(
    role: str,
    tree: Tree | Callable[[], Tree],
    owner: str = "root",
    group: str = "root",
    world_readable: bool = False,
    root: str = scripts.ROOT,
) -> Generator[StringCommand, None, None]:
    """Puts ``tree`` on the host as the staged release of ``role``; what is live stays as it is.

    Only files that the host lacks travel, on the standard input of one command. Directories get mode 2750 and files
    0640 (2755 and 0644 if ``world_readable``), so that what is compiled beside them gets the same group. A release
    that someone edited by hand is not trusted: it is made anew.

    A ``tree`` that depends on what the same run finds out on hosts is given as a function, asked when it is needed.
    """
    tree = tree() if callable(tree) else tree
    access = scripts.access_line(owner, group, world_readable=world_readable)
    found = host.get_fact(TreeStaged, role=role, digest=tree.digest, access=access, root=root)
    if found.release:
        if found.release == found.staged:
            host.noop(f"{role}: the tree is staged")
        else:
            yield StringCommand(scripts.stage_again(role, found.release, root))
        return
    before = host.get_fact(TreeManifest, role=role, release=found.base, root=root) if found.base else ""
    write, remove = changed_paths(before, tree)
    if not state.is_executing:
        # Preparation only asks whether there is a command: say what it is about, and do not pack for nothing.
        host.log(f"{role}: {_summary('ghi/write', write)}; {_summary('xóa/remove', remove)}")
        yield StringCommand("true")
        return
    packed = pack(tree, write, file_mode=0o644 if world_readable else 0o640)
    yield StringCommand(
        scripts.stage(
            role,
            tree.digest,
            access,
            base=found.base or None,
            archive_sha256=packed.sha256,
            root=root,
        ),
        _stdin=packed,
    )


@operation()
def activate_tree(
    role: str,
    tree: Tree | Callable[[], Tree],
    links: Mapping[str, str | None] | None = None,
    compile: Sequence[str] = (),
    check: Sequence[str] = (),
    unit: str | None = None,
    reload: str | None = None,
    restart_on: Sequence[str] = (),
    probe: Sequence[str] = (),
    probe_seconds: int = 20,
    root: str = scripts.ROOT,
) -> Generator[StringCommand, None, None]:
    """Makes the staged ``tree`` of ``role`` live; a tree that is refused, or does not answer, does not stay live.

    links: path on the host -> path in the tree (a file or a directory) it shall lead to; None: nothing may be there.
    Some are copied instead (``scripts.COPIES``); those have to be files.
    What the distribution had there is kept under ``/var/lib/edumail/distribution``.
    compile, check: commands, in order; ``{tree}`` stands for the staged release's path, quoted. ``compile`` may add
    files to it. The first that fails leaves what is live alone and fails the host, with what the command said.
    unit: the service; enabled, and restarted when it does not run, when a path of ``restart_on`` (file or directory
    in the tree) differs, or when reloading fails. ``reload``: how to reload it, if not ``systemctl reload-or-restart``;
    without a unit, a command to run after the switch.
    probe: commands that have to succeed within ``probe_seconds`` each. When one does not, or the service does not
    start, the last good release goes live again and the host fails.
    """
    tree = tree() if callable(tree) else tree
    links = links or {}
    found = host.get_fact(TreeActive, role=role, links=links, unit=unit, compiled=bool(compile), root=root)
    if found.is_live(tree.digest):
        host.noop(f"{role}: the tree is live")
        return
    yield StringCommand(
        scripts.activate(
            role,
            tree.digest,
            links=links,
            compile=compile,
            check=check,
            unit=unit,
            reload=reload,
            restart_on=restart_on,
            probe=probe,
            probe_seconds=probe_seconds,
            root=root,
        )
    )


@operation()
def remove_tree(role: str, unit: str, root: str = scripts.ROOT) -> Generator[StringCommand, None, None]:
    """Takes ``role`` off a host that once had it: stops and disables ``unit``, takes back its links and its tree.

    Nothing that runs may need it any more by then.
    """
    if host.get_fact(TreePresent, role=role, root=root):
        yield StringCommand(scripts.remove(role, unit, root))
    else:
        host.noop(f"{role}: there is no tree")


def _summary(verb: str, paths: list[str]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    more = f" … (+{len(paths) - _SHOWN})" if len(paths) > _SHOWN else ""
    return f"{verb} {len(paths)}{': ' if paths else ''}{shown}{more}"
