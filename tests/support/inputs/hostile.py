"""Hostile texts, and objects that have one in every field of text."""

import dataclasses
import sys
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pydantic import BaseModel

OBEYED: Final = ("Cc", "Cf", "Zl", "Zp")
"""The categories of characters that a terminal obeys, or that nobody can see."""
HOSTILE: Final = frozenset(
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in OBEYED
) | {"\ud800"}
"""All characters of these categories, and some lone surrogates."""
TEXT: Final = "a" + "".join(f"{character}[35ma" for character in sorted(HOSTILE))
"""A text with all of them; a letter and the rest of a command to a terminal stand after each."""

NOON: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
T = TypeVar("T")


def filled(kind: type[T], text: str, **given: Any) -> T:
    """Return a model, dataclass or named tuple that has ``text`` in every field of text.

    Nothing is validated. The fields in ``given`` have these values.
    """
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, BaseModel):
        names = list(kind.model_fields)
    elif dataclasses.is_dataclass(kind):
        names = [each.name for each in dataclasses.fields(kind)]
    else:
        names = list(hints)
    values = {name: _sample(hints[name], text) for name in names} | given
    return kind.model_construct(**values) if issubclass(kind, BaseModel) else kind(**values)


def _sample(kind: Any, text: str) -> Any:
    """Return a value of the type, with ``text`` as every text in it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _sample(parts[0], text)
    if origin in (Union, UnionType):
        return _sample(next(each for each in parts if each is not NoneType), text)
    if origin is Literal:
        return parts[0]
    if origin is list:
        return [_sample(parts[0], text), _sample(parts[0], text)]
    if origin in (dict, Mapping) and parts[1] is not Any:
        return {text: _sample(parts[1], text)}
    if origin in (dict, Mapping):
        return {text: text, "inner": {text: [text, {text: text}]}, "recent": [text]}
    simple = {bool: True, int: 1, float: 0.5, str: text, bytes: text.encode(errors="ignore")}
    if kind in simple:
        return simple[kind]
    if kind is UUID:
        return UUID(int=1)
    return NOON if kind is datetime else filled(kind, text)
