"""Every setting in force: its value, its source, its default, its unit and its meaning."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from schemas.configuration.setting_sources import GivenSetting, variable_of
from schemas.rules.rules import with_new_names
from schemas.settings import GROUPS, Settings

DEFAULT: Final = "default"
"""The source of a setting that nothing gives."""
ARGUMENT: Final = "argument"
"""The source of a setting that the program itself gives, neither by a variable nor by default."""
HIDDEN: Final = "********"
"""Stands for a secret that is set."""

_TYPES: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "text",
    SecretStr: "text",
    Path: "path",
    dict: "JSON object",
}
_LIMITS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_UNITS: Final = {"_s": "seconds", "_ms": "milliseconds", "_days": "days", "_bytes": "bytes"}


@dataclass(frozen=True)
class SettingInForce:
    """One setting. Texts are written as in the variable; "" means that the setting is not set."""

    name: str
    variable: str
    """``ROLLGUARD_`` and the name in capitals."""
    value: str
    """``HIDDEN`` if the setting is a secret and its value is not the default."""
    default: str
    source: str
    """``default``, ``environment``, ``file`` and its path, or ``argument``."""
    is_secret: bool
    is_rule: bool
    """Whether ``ROLLGUARD_TOOLS`` may change it for a single tool."""
    type: str
    """The values that it may have, in words: ``integer, at least 1``."""
    unit: str
    """Such as ``seconds``; "" for a setting without a unit."""
    meaning: str
    """One paragraph in Markdown, from the docstring of the field."""


def settings_in_force(
    settings: Settings, given: Mapping[str, GivenSetting] | None = None
) -> list[SettingInForce]:
    """Return every setting, in the order in which they are declared: the parts, then each group.

    ``given`` is what the variables give (``given_settings``); without it every setting whose value
    is its default has the source ``default``, and every other one ``argument``.
    """
    sources = _new_names(given or {})
    return [
        SettingInForce(
            name=name,
            variable=variable_of(name),
            value=HIDDEN if _is_hidden(value, field) else _text(value),
            default=_text(_default_of(field)),
            source=_source(name, value, field, sources),
            is_secret=_is_secret(field),
            is_rule=group == "rules",
            type=_type(field),
            unit=next((_UNITS[end] for end in _UNITS if name.endswith(end)), ""),
            meaning=" ".join((field.description or "").split()),
        )
        for group, name, value, field in _fields(settings)
    ]


def _new_names(given: Mapping[str, GivenSetting]) -> dict[str, GivenSetting]:
    """Return what the variables give by the names of now (``with_new_names``)."""
    values = with_new_names({name: each.text for name, each in given.items()})
    return {name: given[name] if name in given else given["signature_errors"] for name in values}


def _fields(settings: Settings) -> Iterator[tuple[str, str, Any, FieldInfo]]:
    """Yield the group ("" for none), the name, the value and the field of each setting."""
    for name, field in Settings.model_fields.items():
        if name not in GROUPS:
            yield "", name, getattr(settings, name), field
    for group in GROUPS:
        values: BaseModel = getattr(settings, group)
        for name, field in type(values).model_fields.items():
            yield group, name, getattr(values, name), field


def _source(name: str, value: Any, field: FieldInfo, given: Mapping[str, GivenSetting]) -> str:
    if name in given:
        return given[name].source
    return DEFAULT if value == _default_of(field) else ARGUMENT


def _default_of(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _is_hidden(value: Any, field: FieldInfo) -> bool:
    return _is_secret(field) and value is not None and value != _default_of(field)


def _text(value: Any) -> str:
    """Return a value as it is written in a variable."""
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
        case dict():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _type(field: FieldInfo) -> str:
    """Return the type of a field and its limits, in words."""
    limits = (
        f"{text} {getattr(limit, name)}"
        for limit in field.metadata
        for name, text in _LIMITS.items()
        if hasattr(limit, name)
    )
    return ", ".join((_type_name(field.annotation), *limits))


def _type_name(annotation: Any) -> str:
    """Return a type in words; of ``X | None`` the words for ``X``."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is UnionType:
        return _type_name(parts[0])
    if origin is tuple:
        return "list, separated by commas"
    return _TYPES[origin or annotation]
