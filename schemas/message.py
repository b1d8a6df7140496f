"""The base class of all messages, with strict types, and reading and writing them as JSON."""

import json
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import Rejected
from schemas.fields import storable

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""The largest record on any topic, in bytes."""
MAX_REQUEST_BYTES: Final = MAX_RECORD_BYTES + 64 * 1024
"""The largest request: a record and what the protocol adds to it, in bytes."""
MAX_DEPTH: Final = 500
"""How deep JSON may be nested. A parser's own limit depends on the depth of its caller's stack, so
that without this one role could read what another one rejects."""


class Message(BaseModel):
    """One JSON object on a topic.

    Immutable. Unknown fields are ignored, so that a newer producer does not break an older
    consumer.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    cleaned: ClassVar[tuple[str, ...]] = ()
    """Fields of free text: characters that cannot be stored are replaced instead of refused."""

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Self:
        """Read the value of a record. Raises Rejected that names every wrong field."""
        if value is None:
            raise Rejected("the record has no value")
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            if error.errors()[0]["type"] == "json_invalid":
                return cls._from_lenient(value, error)
            raise Rejected(explain(error)) from error

    @classmethod
    def _from_lenient(cls, value: bytes, first: ValidationError) -> Self:
        """Read JSON that pydantic's parser refuses.

        It refuses lone surrogates (JSON allows them, UTF-8 does not), huge numbers and deep
        nesting. Unknown fields are dropped first. In the fields of ``cleaned`` a lone surrogate
        becomes U+FFFD.
        """
        try:
            data = parse_json(value)
            if not isinstance(data, dict):
                raise Rejected(explain(first)) from first
            fields = {name: data[name] for name in cls.model_fields if name in data}
            for name in cls.cleaned:
                if name in fields:
                    fields[name] = _storable_throughout(fields[name])
            return cls.model_validate_json(json.dumps(fields))
        except ValidationError as error:
            raise Rejected(explain(error)) from error
        except (ValueError, RecursionError):
            raise Rejected(explain(first)) from first

    def to_bytes(self) -> bytes:
        """Return the value of a record: JSON in UTF-8, without the fields that have no value."""
        return self.model_dump_json(exclude_none=True).encode()


def parse_json(value: bytes) -> Any:
    """Read JSON in UTF-8 with Python's parser.

    A byte order mark and lone surrogates are accepted. Raises ValueError if it is not JSON, or
    nested deeper than ``MAX_DEPTH``.
    """
    try:
        data = json.loads(value.decode("utf-8-sig", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return data
    raise ValueError("nested too deep")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _storable_throughout(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable_throughout(each) for each in value]
    if isinstance(value, dict):
        return {storable(name): _storable_throughout(each) for name, each in value.items()}
    return value


def explain(error: ValidationError, unnamed: Collection[str] = ()) -> str:
    """Return what was wrong in one line: ``field: reason``, separated by semicolons.

    The names in ``unnamed`` are left out if they begin the path to a field.
    """
    return "; ".join(
        f"{place}: {item['msg']}" if (place := _place(item["loc"], unnamed)) else item["msg"]
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _place(path: tuple[int | str, ...], unnamed: Collection[str]) -> str:
    return ".".join(map(str, path[1:] if path and path[0] in unnamed else path))
