"""The reference of the HTTP API, from its own description (OpenAPI)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from console.app import api, description
from documentation.markdown import code, code_block, prose, table

_EVERYWHERE: Final = ("400", "401", "403", "405", "408", "413", "421", "500", "503")
"""The statuses that the page explains once."""


def http_api_reference() -> str:
    """Return a section for each route: its parameters, its body and its answers."""
    described = description(api())
    return "\n\n".join(
        part
        for path, methods in described["paths"].items()
        for method, route in methods.items()
        for part in _section(f"{method.upper()} {path}", route, described["components"]["schemas"])
    )


def _section(name: str, route: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield prose(route["description"])
    parameters = route.get("parameters", ())
    if parameters:
        yield table(
            ("parameter", "in", "meaning"),
            [
                (code(each["name"]), each["in"], _meaning(each) + _required(each))
                for each in parameters
            ],
        )
    for kind, body in route.get("requestBody", {}).get("content", {}).items():
        named = _name_of(body["schema"])
        if named in schemas:
            yield f"Body: `{kind}`"
            yield _fields(schemas[named])
            yield code_block("json", json.dumps(schemas[named]["examples"][0], indent=2))
        else:
            yield f"Body: `{kind}`, {_kind(body['schema'])}"
    yield table(
        ("answer", "meaning", "body"),
        [
            (status, prose(answer["description"]), _body(answer))
            for status, answer in route["responses"].items()
            if status not in _EVERYWHERE
        ],
    )


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    return table(
        ("field", "required", "meaning"),
        [
            (code(name), "yes" if name in required else "", prose(field.get("description", "")))
            for name, field in schema["properties"].items()
        ],
    )


def _meaning(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    default = schema.get("default")
    text = prose(parameter.get("description", ""))
    return text if default is None else f"{text} By default {code(str(default))}."


def _required(parameter: Mapping[str, Any]) -> str:
    return " Required." if parameter["required"] and parameter["in"] != "path" else ""


def _body(answer: Mapping[str, Any]) -> str:
    return ", ".join(
        code(_name_of(content["schema"]) or kind)
        for kind, content in answer.get("content", {}).items()
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"an array of {code(_name_of(schema['items']))}"
    return str(schema.get("description", "")).lower().rstrip(".")


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
