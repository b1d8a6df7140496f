"""Checking JSON against a JSON Schema."""

from typing import Any

from jsonschema import FormatChecker
from jsonschema.validators import validator_for

_FORMATS = FormatChecker()


def faults_of(value: Any, schema: dict[str, Any]) -> list[str]:
    """Return what is wrong with a value, one line each."""
    checker = validator_for(schema)(schema, format_checker=_FORMATS)
    return [f"{each.json_path}: {each.message}" for each in checker.iter_errors(value)]


def require_schema(schema: dict[str, Any]) -> None:
    """Raise SchemaError if this is no JSON Schema."""
    validator_for(schema).check_schema(schema)
