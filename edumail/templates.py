"""The one Jinja2 environment of the project: a name that is not given is an error, never an empty string."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).resolve().parent.parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
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
