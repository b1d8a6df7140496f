"""The reference of the settings: environment variable, type, default, unit and meaning."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from documentation.markdown import code, prose, table
from documentation.source import attribute_docstrings
from schemas.outages import OutageRules
from schemas.rules import Rules
from schemas.settings import Settings

_PREFIX: Final = "ROLLGUARD_"
_UNITS: Final = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_bytes": "bytes",
    "_days": "days",
}


class Setting(NamedTuple):
    """A setting as the reference shows it."""

    variable: str
    kind: str
    default: str
    unit: str
    meaning: str


def settings_by_group() -> dict[str, list[Setting]]:
    """Return all settings: those of a deployment, of the rules of tools, and of outages."""
    groups: dict[str, list[Setting]] = {
        "Connections and processes": [],
        "Rules: for all tools, or for single ones": [],
        "Outages: for all tools": [],
    }
    everywhere, rules, outages = groups.values()
    for name, field, owner in _fields(Settings):
        group = (
            rules
            if name in Rules.model_fields
            else outages
            if name in OutageRules.model_fields
            else everywhere
        )
        group.append(_setting(name, field, owner))
    return groups


@cache
def variables() -> frozenset[str]:
    """Return the names of all environment variables that are settings."""
    return frozenset(
        setting.variable for group in settings_by_group().values() for setting in group
    )


def settings_reference() -> str:
    """Return the tables of all settings."""
    parts = []
    for heading, settings in settings_by_group().items():
        rows = [
            (code(each.variable), code(each.kind), code(each.default), each.unit, each.meaning)
            for each in settings
        ]
        head = ("variable", "type", "default", "unit", "meaning")
        parts += [f"## {heading}", table(head, rows)]
    return "\n\n".join(parts)


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, type[BaseModel]]]:
    """Yield the fields of a model; a field that is a group of rules gives the fields of it."""
    for name, field in model.model_fields.items():
        if field.annotation in (Rules, OutageRules):
            yield from _fields(field.annotation)
        else:
            yield name, field, model


def _setting(name: str, field: FieldInfo, owner: type[BaseModel]) -> Setting:
    meaning = field.description or attribute_docstrings(owner).get(name, "")
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
    variable = _PREFIX + name.upper()
    return Setting(variable, _kind(field.annotation), _default(field), unit, prose(meaning))


def _kind(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else ""
    text = text or str(annotation).replace("typing.", "")
    for long, short in (("pydantic.types.", ""), ("pathlib.", ""), ("decimal.", "")):
        text = text.replace(long, short)
    return text


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return "" if value is None else str(value)
