"""Tests that load pyinfra run in a process of their own: gevent has to replace the standard library before all else."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_RUN = """\
from gevent import monkey
monkey.patch_all()
import importlib.util, pathlib, sys
sys.path.insert(0, {folder!r})
spec = importlib.util.spec_from_file_location({module!r}, {file!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
getattr(module, {name!r}).__wrapped__(*map(pathlib.Path, sys.argv[1:]))
"""


def in_own_process(test: Callable[..., None]) -> Callable[..., None]:
    """The test, run by itself; a fixture it takes must be a path."""

    @functools.wraps(test)
    def outside(**fixtures: Path) -> None:
        file = inspect.getfile(test)
        code = _RUN.format(folder=str(Path(file).parent), module=test.__module__, file=file, name=test.__name__)
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, fixtures.values())],
            env={**os.environ, "PYINFRA_PROGRESS": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return outside
