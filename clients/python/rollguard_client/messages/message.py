"""The base class of all messages: what is checked when one is made, and reading and writing it."""

from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from rollguard_client.errors import Rejected
from rollguard_client.messages.fields import (
    error_text,
    require_no_nul,
    require_one_line,
    storable,
    utc,
)

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024 + 64 * 1024
"""The largest request: a record of at most 4 MiB, and what the protocol adds to it."""

M = TypeVar("M", bound="Message")
T = TypeVar("T")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One JSON object on a topic.

    Immutable. Unknown fields are ignored, so that a newer server does not break an older client.
    To make a message raises ``Rejected``, which names the field that is wrong.
    """

    free_text: ClassVar[tuple[str, ...]] = ()
    """Fields in which characters that cannot be stored are replaced instead of refused."""
    error_texts: ClassVar[tuple[str, ...]] = ()
    """Fields of the same kind that are cut if they are too long."""
    without_nul: ClassVar[tuple[str, ...]] = ()
    on_one_line: ClassVar[tuple[str, ...]] = ()
    times: ClassVar[tuple[str, ...]] = ()
    finite: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        kind = type(self)
        for name in (*kind.free_text, *kind.error_texts):
            self._clean(name, name in kind.error_texts)
        self._require_types()
        for names, require in (
            (kind.without_nul, require_no_nul),
            (kind.on_one_line, require_one_line),
            (kind.finite, _require_finite),
        ):
            for name in names:
                value = getattr(self, name)
                if value is not None:
                    _checked(name, require, value)
        for name in kind.times:
            time = getattr(self, name)
            if time is not None:
                msgspec.structs.force_setattr(self, name, _checked(name, utc, time))

    def _clean(self, name: str, is_error: bool) -> None:
        text = getattr(self, name)
        if isinstance(text, str):
            clean = error_text(text) if is_error else storable(text)
            if clean is not text:
                msgspec.structs.force_setattr(self, name, clean)

    def _require_types(self) -> None:
        """Raise Rejected if a field has another type, or lies outside of its bounds.

        A UUID or a time may be given as a text; it is then kept as what it stands for.
        """
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        try:
            read = msgspec.convert(given, unchecked(type(self)))
        except msgspec.ValidationError as error:
            raise Rejected(fault_text(error)) from None
        for name, value in given.items():
            typed = getattr(read, name)
            if type(typed) is not type(value):
                msgspec.structs.force_setattr(self, name, typed)

    @classmethod
    def from_bytes(cls: type[M], value: bytes | None) -> M:
        """Read the value of a record. Raises Rejected that names the field that is wrong."""
        if value is None:
            raise Rejected("the record has no value")
        try:
            message: M = _decoder(cls).decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Rejected(fault_text(error)) from None
        return message

    def to_bytes(self) -> bytes:
        """Return the value of a record: JSON in UTF-8, without the fields that have no value."""
        return msgspec.json.encode(self)


@cache
def _decoder(kind: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def unchecked(kind: type[Message]) -> type[msgspec.Struct]:
    """Return a class with the same fields that checks nothing when an object of it is made.

    It is for objects that are known to be right, because a check takes longer than the rest.
    """
    fields: list[Any] = []
    for each in msgspec.structs.fields(kind):
        if each.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=each.default_factory)
            fields.append((each.name, each.type, default))
        elif each.default is not msgspec.NODEFAULT:
            fields.append((each.name, each.type, each.default))
        else:
            fields.append((each.name, each.type))
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        fields,
        kw_only=True,
        omit_defaults=True,
        gc=False,
        tag=config.tag,
        tag_field=config.tag_field,
    )


def _checked(name: str, check: Callable[[Any], T], value: Any) -> T:
    try:
        return check(value)
    except ValueError as error:
        raise Rejected(f"{name}: {error}") from None


def _require_finite(value: float) -> None:
    if not isfinite(value):
        raise ValueError("must be a finite number")


def fault_text(error: Exception) -> str:
    """Return what msgspec found wrong in one line: ``field: reason``."""
    reason, found, place = str(error).rpartition(" - at `$")
    if not found:
        return str(error)
    field = place.rstrip("`").lstrip(".")
    return f"{field}: {reason}" if field else reason
