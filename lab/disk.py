"""A host's root: read-only image layers below, one writable layer above (overlayfs), or a plain copy where that fails.

The overlay is mounted in a mount namespace that lives only as long as the processes that use it, so that nothing stays
mounted when they are gone, however they went.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from lab import state
from lab.text import LabError, Text, run

_PRIVATE = ["unshare", "--mount", "--propagation", "private"]


def overlay_works(folder: Path) -> bool:
    """Tell whether an overlay whose writable layer is in ``folder`` can be mounted and written to; leaves no trace."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        trial = Path(name)
        for part in ("lower", "upper", "work", "root"):
            (trial / part).mkdir()
        try:
            run([*_mount((trial / "lower",), trial), "touch", str(trial / "root/file")], Text("overlayfs", "overlayfs"))
        except LabError:
            return False
        return True


def create(disk: Path, layers: tuple[Path, ...]) -> None:
    """Make a pristine root in ``disk`` from the image ``layers``, lowest first; an older one is thrown away."""
    remove(disk)
    for part in ("work", "root"):
        (disk / part).mkdir(parents=True)
    if overlay_works(state.ROOT):
        (disk / "upper").mkdir()
    else:
        # Without overlayfs every image is complete in its last layer.
        run(["cp", "-a", "--reflink=auto", str(layers[-1]), str(disk / "upper")], Text("Chép ảnh", "Copy the image"))
        layers = ()
    (disk / "upper").chmod(0o755)
    (disk / "layers.json").write_text(json.dumps([str(layer) for layer in layers]))


def exists(disk: Path) -> bool:
    """Tell whether ``disk`` is whole: its layers are written down last."""
    return (disk / "layers.json").exists() and all(layer.exists() for layer in layers_of(disk))


def remove(disk: Path) -> None:
    """Throw ``disk`` away; nothing may be running on it."""
    (disk / "layers.json").unlink(missing_ok=True)
    shutil.rmtree(disk, ignore_errors=True)


def enter(disk: Path) -> tuple[list[str], Path]:
    """Return the words to put before a command so that it sees the root of ``disk``, and where it sees it."""
    layers = layers_of(disk)
    return (_mount(layers, disk), disk / "root") if layers else ([], disk / "upper")


def write(disk: Path, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file into the root of ``disk`` while nothing runs on it."""
    upper = disk / "upper"
    for parent in reversed(Path(path).parents):
        folder = upper / parent
        if not folder.exists():
            folder.mkdir()
            # In an overlay the upper directory's owner and mode are the ones that count: /root must stay closed.
            lower = next((layer / parent for layer in reversed(layers_of(disk)) if (layer / parent).is_dir()), None)
            if lower:
                os.chown(folder, lower.stat().st_uid, lower.stat().st_gid)
            folder.chmod(lower.stat().st_mode & 0o7777 if lower else 0o755)
    target = upper / path
    target.unlink(missing_ok=True)
    target.touch(mode=mode)
    target.write_text(text)


def layers_of(disk: Path) -> tuple[Path, ...]:
    """Return the image layers below ``disk``, lowest first; none if it is a copy."""
    return tuple(Path(layer) for layer in json.loads((disk / "layers.json").read_text()))


def _mount(layers: tuple[Path, ...], disk: Path) -> list[str]:
    lower = ":".join(str(layer) for layer in reversed(layers))
    options = f"lowerdir={lower},upperdir={disk / 'upper'},workdir={disk / 'work'}"
    script = 'mount -t overlay -o "$1" edumail-lab "$2"; shift 2; exec "$@"'
    return [*_PRIVATE, "sh", "-ec", script, "sh", options, str(disk / "root")]
