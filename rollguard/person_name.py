"""The names of the persons who decide something."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.errors import Rejected
from schemas.fields import ShortLine
from schemas.message import explain

_NAME: Final[TypeAdapter[str]] = TypeAdapter(ShortLine)


def valid_name(name: str, field: str) -> str:
    """Return the name as it is kept. Rejected, with the name of the field, if it is no name."""
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise Rejected(f"{field}: {explain(error)}") from error
