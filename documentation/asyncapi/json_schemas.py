"""The JSON Schemas of the public messages, from the models that the workers use."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from documentation.markdown import prose
from documentation.messages import MEANINGS, Example, examples

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def kinds() -> dict[str, list[Example]]:
    """Return the examples of each kind of message, by its name."""
    found: dict[str, list[Example]] = {}
    for each in examples():
        found.setdefault(type(each.message).__name__, []).append(each)
    return found


def components(template: str) -> dict[str, Schema]:
    """Return the schemas of all messages and of their parts, by name.

    ``template`` says how one refers to another, such as ``#/components/schemas/{model}``.
    """
    models = {type(each.message) for each in examples()}
    ordered = sorted(models, key=lambda model: model.__name__)
    excluded = {
        (model.__name__, name)
        for model in ordered
        for name, field in model.model_fields.items()
        if field.exclude
    }
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=template
    )
    found: dict[str, Schema] = definitions["$defs"]
    for name, schema in found.items():
        _polish(schema, {field for model, field in excluded if model == name})
    return found


def standalone_schemas() -> dict[str, Schema]:
    """Return the schema of each message with all that it refers to, and with its examples."""
    parts = components("#/$defs/{model}")
    found = {}
    for name, known in kinds().items():
        used = _used(parts[name], parts)
        found[name] = {
            "$schema": DIALECT,
            "title": name,
            **parts[name],
            **({"$defs": {part: parts[part] for part in sorted(used)}} if used else {}),
            "examples": [payload_of(each) for each in known],
        }
    return found


def payload_of(example: Example) -> Any:
    """Return the value of the record as JSON."""
    return json.loads(example.message.to_bytes())


def _polish(schema: Schema, excluded: Iterable[str]) -> None:
    """Give each field its meaning, and remove what is no part of the message."""
    schema["description"] = prose(schema.get("description", ""))
    fields = schema["properties"]
    for each in excluded:
        del fields[each]
    for field, given in fields.items():
        given.pop("title", None)
        meaning = given.get("description") or MEANINGS.get(field)
        if meaning:
            given["description"] = prose(meaning)
        if given.get("default", "") is None:
            del given["default"]  # null says the same as nothing
        if "const" in given:
            # By its kind a reader knows which entry of the log it is.
            schema.setdefault("required", []).append(field)
            given.pop("default", None)


def _used(schema: Schema, parts: Mapping[str, Schema]) -> set[str]:
    """Return the names of the parts that a schema needs, also of those that its parts need."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        new = set(_referred(waiting.pop())) - found
        found |= new
        waiting += [parts[each] for each in new]
    return found


def _referred(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _referred(each)
    elif isinstance(value, list):
        for each in value:
            yield from _referred(each)
