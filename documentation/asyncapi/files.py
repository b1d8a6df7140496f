"""The generated files, and their texts."""

import json
from typing import Any, Final

from documentation.asyncapi.document import document
from documentation.asyncapi.json_schemas import standalone_schemas

DOCUMENT: Final = "docs/asyncapi.json"
SCHEMAS: Final = "docs/schemas"


def files() -> dict[str, str]:
    """Return the text of each generated file, by its path in the repository."""
    schemas = {f"{SCHEMAS}/{name}.json": each for name, each in standalone_schemas().items()}
    return {path: _text(each) for path, each in {DOCUMENT: document(), **schemas}.items()}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
