"""The AsyncAPI document and the JSON Schemas: they are new, valid, and say what the server does."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from documentation.asyncapi.document import document, topics
from documentation.asyncapi.files import SCHEMAS, files
from documentation.asyncapi.json_schemas import standalone_schemas
from documentation.messages import Example, examples
from documentation.source import ROOT
from tests.support.schema_checks import faults_of, require_schema

_META_SCHEMA: Final = Path(__file__).parents[1] / "data" / "asyncapi-3.0.0.json"
each_example = pytest.mark.parametrize(
    "example", examples(), ids=lambda each: type(each.message).__name__
)


@cache
def _asyncapi() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_META_SCHEMA.read_text("utf-8"))
    return found


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return standalone_schemas()


def test_the_files_are_what_the_models_say() -> None:
    written = {path: (ROOT / path).read_text("utf-8") for path in files() if (ROOT / path).exists()}
    assert written == files(), "the files are stale: run `make schemas`"
    in_folder = {f"{SCHEMAS}/{each.name}" for each in (ROOT / SCHEMAS).iterdir()}
    assert in_folder <= files().keys(), "messages that are gone: run `make schemas`"


def test_it_is_an_asyncapi_document() -> None:
    assert not faults_of(document(), _asyncapi())


def test_a_fault_would_be_found() -> None:
    wrong = document()
    del wrong["operations"]["deploy"]["action"]
    assert faults_of(wrong, _asyncapi())


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    found = list(_references(whole))
    assert len(found) > 40
    for reference in found:
        here: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            here = here[part]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_every_topic_has_its_settings_and_its_messages() -> None:
    channels = document()["channels"]
    assert channels.keys() == topics().keys()
    for topic, config in topics().items():
        given = channels[topic]["bindings"]["kafka"]["topicConfiguration"]
        assert given["message.timestamp.type"] == config["message.timestamp.type"]
        assert given["message.timestamp.type"] == "LogAppendTime"
        assert ",".join(given["cleanup.policy"]) == config["cleanup.policy"]
        named = {type(each.message).__name__ for each in examples() if each.topic == topic}
        assert channels[topic]["messages"].keys() == named
        assert named


def test_they_are_json_schemas() -> None:
    for schema in _schemas().values():
        require_schema(schema)


@each_example
def test_examples_are_what_their_schemas_describe(example: Example) -> None:
    kind = type(example.message)
    value = json.loads(example.message.to_bytes())
    assert not faults_of(value, _schemas()[kind.__name__])
    assert kind.from_bytes(json.dumps(value).encode()) == example.message


@each_example
def test_an_example_is_no_other_message_of_its_topic(example: Example) -> None:
    """By this a reader of `tool-executions` tells which entry it is."""
    value = json.loads(example.message.to_bytes())
    known = _schemas()
    others = {type(each.message) for each in examples() if each.topic == example.topic}
    for other in others - {type(example.message)}:
        assert faults_of(value, known[other.__name__]), other


@each_example
def test_what_the_server_refuses_is_refused(example: Example) -> None:
    """Each field that is required is, and no field is of another type."""
    kind = type(example.message)
    schema = _schemas()[kind.__name__]
    value = json.loads(example.message.to_bytes())
    for name, field in kind.model_fields.items():
        if field.is_required():
            assert faults_of({key: value[key] for key in value if key != name}, schema), name
        if name in schema["properties"]:
            assert faults_of(value | {name: [{}]}, schema), name
    assert not faults_of(value | {"of_a_newer_release": 1}, schema)


def test_what_is_no_part_of_a_message_is_in_no_schema() -> None:
    assert "authorship" not in _schemas()["ToolVersion"]["properties"]


def test_every_field_says_what_it_means() -> None:
    for name, schema in _schemas().items():
        for field, given in schema["properties"].items():
            assert given.get("description"), (name, field)
