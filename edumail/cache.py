"""Where this machine keeps what can be made again: of the user who runs this, and of nobody else."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Below ``XDG_CACHE_HOME`` (XDG Base Directory Specification); the folder need not be there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edumail"
