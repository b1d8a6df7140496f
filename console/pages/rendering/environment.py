"""The templates. Whatever comes from outside is escaped, and shows what it is.

Each value that a template prints is made printable (``schemas.printable``): a character that turns
the direction of a text, or that nobody can see, would let one name look like another. ``raw``
leaves a value as it is, for a field of a form that is sent back.
"""

import json
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from console.pages.rendering.static_files import static_url
from console.pages.rendering.texts import age_text, count_text, tool_path, version_name
from rollguard.printing import json_text
from rollguard.value_texts import percent, time_text, value_text
from schemas.fields import format_time
from schemas.printable import printable


def _shown(value: Any) -> Any:
    """Return what a template prints of a value; lines stay."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return time_text(value)
    return printable(value, keep_lines=True) if isinstance(value, str) else value


def _raw(value: str) -> Markup:
    """Return a text from outside as it is, escaped."""
    return escape(value)


def _line(value: object) -> str:
    """Return a text on one line, such as the name of a tool."""
    return printable(str(value))


def _data(value: Any) -> Markup:
    """Return data for a script, in an element ``<script type="application/json">``."""
    text = json.dumps(json.loads(json_text(value)))
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - ASCII, and nothing that HTML obeys


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("console.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {
        "age": age_text,
        "count": count_text,
        "data": _data,
        "iso": format_time,
        "line": _line,
        "percent": percent,
        "raw": _raw,
        "tool_path": tool_path,
        "value": value_text,
        "version": version_name,
    }
    found.globals["static"] = static_url
    return found


TEMPLATES: Final = _environment()


def compile_templates() -> None:
    """Compile all templates, so that nobody waits for it who looks at a page first."""
    for name in TEMPLATES.list_templates():
        TEMPLATES.get_template(name)
