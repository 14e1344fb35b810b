"""The one Jinja2 environment of the project: a name that is not given is an error, never an empty string."""

from __future__ import annotations

import contextlib
import os
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from edumail.cache import cache_folder

FOLDER = Path(__file__).resolve().parent.parent / "templates"


class _Compiled(FileSystemBytecodeCache):
    """Templates as they were compiled before: to do so anew takes half a second of every command that renders all."""

    _rules = jinja2.__version__ + Path(__file__).read_text(encoding="utf-8")
    """What a template is compiled by, beside its own text."""

    def get_source_checksum(self, source: str) -> str:
        return super().get_source_checksum(self._rules + source)

    def _ours(self) -> bool:
        """Whether nobody else can write there: what lies there is run."""
        folder = Path(self.directory).stat()
        return folder.st_uid == os.geteuid() and not folder.st_mode & 0o022

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # without a place to keep it the next run just takes longer
            Path(self.directory).mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._ours():
                super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            if self._ours():
                super().load_bytecode(bucket)
        except Exception:  # what is broken there can break in any way, and is made again
            bucket.reset()


@cache
def _environment() -> Environment:
    environment = Environment(
        bytecode_cache=_Compiled(str(cache_folder() / "templates")),
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        # Configuration is not HTML; pages are, and get every value escaped.
        autoescape=lambda name: bool(name) and str(name).endswith((".html.j2", ".xml.j2")),  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["b64"] = lambda text: b64encode(text.encode()).decode()
    return environment


def render(template: str, **values: Any) -> str:
    """The template at ``templates/<template>`` with ``values``. HTML and XML are escaped, configuration is not.

    Raises jinja2.UndefinedError for a name the template uses and ``values`` lacks.
    """
    return _environment().get_template(template).render(values)
