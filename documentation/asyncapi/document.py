"""The AsyncAPI document: topics, messages, and who says what, as an engine sees it."""

import tomllib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, Literal, NamedTuple

from documentation.asyncapi.json_schemas import Schema, components, kinds, payload_of
from documentation.messages import Example
from documentation.source import ROOT
from rollguard_client.signatures.header import HEADER
from rollguard_client.traces.context import PARENT, STATE
from schemas.explanation import ERRORS_HEADER
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.topics import Topics

_BINDINGS: Final = "0.5.0"
"""The version of AsyncAPI's bindings for Kafka."""
_PREFIX: Final = "{prefix}"
_PARTITIONS: Final = 4
_KEYS: Final = ("words", "parser", "größe", "a tool with a longer name")
"""Names of tools whose partitions are told, so that a partitioner can be checked."""
_SIGNED: Final = ("Deployment", "Activation", "ToolVersion", "RollbackCommand")


class _Operation(NamedTuple):
    """What an engine does: it sends messages of a topic, or receives them."""

    action: Literal["send", "receive"]
    topic: str
    kinds: Sequence[str]
    summary: str
    answer: tuple[str, str] | None = None
    """The topic and the kind of the message that answers it."""


_OPERATIONS: Final = {
    "publishExecution": _Operation(
        "send", "tool-executions", ["Execution"], "Publish each call of a tool."
    ),
    "publishLaterVerdict": _Operation(
        "send",
        "tool-executions",
        ["LaterVerdict"],
        "Say of an execution that has succeeded whether its result was good.",
    ),
    "deploy": _Operation(
        "send",
        "tool-deployments",
        ["Deployment"],
        "Make code the current version of a tool.",
        ("deployment-outcomes", "DeploymentOutcome"),
    ),
    "rollBack": _Operation(
        "send",
        "rollback-commands",
        ["RollbackCommand"],
        "Make another version the current one; an automatic command comes from the detector.",
        ("rollback-outcomes", "RollbackOutcome"),
    ),
    "readLog": _Operation(
        "receive",
        "tool-executions",
        ["Execution", "Activation", "LaterVerdict"],
        "Read the log by which tools are judged.",
    ),
    "followVersions": _Operation(
        "receive",
        "tool-versions",
        ["ToolVersion"],
        "Load and reload tools. Read the whole topic, and for each tool keep the version with the "
        "largest activation.",
    ),
    "readDeploymentOutcomes": _Operation(
        "receive",
        "deployment-outcomes",
        ["DeploymentOutcome"],
        "Learn what became of deployments. After `held`, another outcome follows.",
    ),
    "readRollbackOutcomes": _Operation(
        "receive",
        "rollback-outcomes",
        ["RollbackOutcome"],
        "Learn what was rolled back, and why. After `held`, another outcome follows.",
    ),
    "reportLoad": _Operation(
        "send",
        "engine-reports",
        ["EngineReport"],
        "Say which version of a tool was loaded, or could not be. Say it again every 15 minutes, "
        "and send a record without a value with the same key at the end.",
    ),
    "readEngineReports": _Operation(
        "receive", "engine-reports", ["EngineReport"], "Learn which engine runs which version."
    ),
    "readDeadLetters": _Operation(
        "receive", "dead-letters", ["DeadLetter"], "Learn which records could not be used, and why."
    ),
}
_DESCRIPTION: Final = f"""\
Rollguard watches every execution of every version of every tool, and rolls a broken version back.
This document is written from the side of an engine: `send` is what the engine sends.

**Values** are JSON in UTF-8. Unknown fields are ignored, in both directions. A newer server may
also say words that a list here does not have: pass over what you do not know. A field that is not
required may be left out. Types are strict: `"1"` is no integer. A time is RFC 3339 with an offset.
Names and code have no NUL, and names of new tools no line break. A record has at most 4 MiB.

**Key.** The key of a record is its `tool_name` in UTF-8; that of an EngineReport is its
`engine_id`, a slash, and its `tool_name`. Another key makes the record a dead letter.

**Partitioner.** The partition follows from the key: `(murmur2(key) & 0x7fffffff) % partitions`, the
default of Kafka's Java client, aiokafka, kafka-python, franz-go and kafkajs 2. librdkafka needs
`partitioner=murmur2_random`; sarama needs a partitioner of its own. `x-partitioner` has keys to
check it with. All about one tool is in one partition, in one order. With another partitioner
everything counts, too, but executions are read twice and count later: the detector appends a copy
to the right partition, with the header `rollguard-from`.

**The clock.** Tools are judged in the time of their executions: `executed_at`, not the time of a
record. The topics have `LogAppendTime`: the broker's clock gives each record its timestamp,
whatever the producer says. If `executed_at`, `deployed_at`, `issued_at` or `judged_at` is more than
60 s ahead of that timestamp, the record is a dead letter (`ROLLGUARD_MAX_AHEAD_S`). So the clock of
an engine must be right to a minute.

**Transactions.** Read committed records only (`isolation.level=read_committed`): a record of an
aborted transaction never happened.

**Twice.** A record may come twice. `execution_id`, `deployment_id`, `command_id` and `verdict_id`
are UUIDs that count once within their tool, so send a record again with the same id if you do not
know whether it arrived. Of two versions of a tool, the one with the larger `activation` is the
current one.

**Signatures.** If the server requires them, Deployment and RollbackCommand need the header
`{HEADER}`.

The whole contract is in the reference of the documentation, under 'Contract'."""


def document() -> dict[str, Any]:
    """Return the document."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rollguard, as an engine sees it",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic: _channel(topic) for topic in topics()},
        "operations": {name: _operation(each) for name, each in _OPERATIONS.items()},
        "components": {
            "messages": {name: _message(name, known) for name, known in kinds().items()},
            "schemas": components("#/components/schemas/{model}"),
        },
        "x-partitioner": {
            "name": "murmur2",
            "partitions": _PARTITIONS,
            "examples": [
                {"key": key, "partition": partition_of(key.encode(), _PARTITIONS)} for key in _KEYS
            ],
        },
    }


def topics() -> dict[str, dict[str, str]]:
    """Return the public topics, each with the settings with which it is created."""
    settings = Settings.model_construct(rules=Rules(), outages=OutageRules(), fleet=FleetRules())
    names = Topics.of(settings)
    public = [each.name for each in fields(names) if each.name != "changelog"]
    ordered = [getattr(names, each) for each in public]
    return {topic: names.config_of(topic, settings) for topic in ordered}


def _server() -> dict[str, Any]:
    return {
        "host": "{broker}",
        "protocol": "kafka",
        "description": "Apache Kafka, with TLS and SASL as the cluster has them.",
        "variables": {"broker": {"default": "127.0.0.1:9092"}},
    }


def _channel(topic: str) -> dict[str, Any]:
    config = topics()[topic]
    names = [name for name, known in kinds().items() if known[0].topic == topic]
    return {
        "address": _PREFIX + topic,
        "parameters": {
            "prefix": {
                "description": "The setting `ROLLGUARD_TOPIC_PREFIX` of the server.",
                "default": "",
            }
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": config["cleanup.policy"].split(","),
                    "max.message.bytes": int(config["max.message.bytes"]),
                    "message.timestamp.type": config["message.timestamp.type"],
                },
                "bindingVersion": _BINDINGS,
            }
        },
    }


def _operation(operation: _Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": operation.action,
        "channel": {"$ref": f"#/channels/{operation.topic}"},
        "summary": operation.summary,
        "messages": [_in_channel(operation.topic, name) for name in operation.kinds],
    }
    if operation.answer is not None:
        topic, name = operation.answer
        made["reply"] = {
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [_in_channel(topic, name)],
        }
    if operation.action == "send":
        made["x-partitioner"] = "murmur2"
    else:
        made["x-isolation-level"] = "read_committed"
    return made


def _in_channel(topic: str, name: str) -> Schema:
    return {"$ref": f"#/channels/{topic}/messages/{name}"}


def _message(name: str, known: Sequence[Example]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": _key(name), "bindingVersion": _BINDINGS}},
        "examples": [{"payload": payload_of(each)} for each in known],
    }
    headers = _headers(name)
    if headers:
        made["headers"] = {"type": "object", "properties": headers}
    answered = {"Deployment": "deployment_id", "DeploymentOutcome": "deployment_id"}
    answered |= {"RollbackCommand": "command_id", "RollbackOutcome": "command_id"}
    if name in answered:
        made["correlationId"] = {"location": f"$message.payload#/{answered[name]}"}
    return made


def _key(name: str) -> Schema:
    if name == "DeadLetter":
        return {"type": "string", "description": "The key of the bad record."}
    if name == "EngineReport":
        return {"type": "string", "description": "`<engine_id>/<tool_name>`, in UTF-8."}
    return {"type": "string", "description": "The `tool_name`, in UTF-8.", "minLength": 1}


_TRACED: Final = (
    "Activation",
    "Deployment",
    "DeploymentOutcome",
    "Execution",
    "LaterVerdict",
    "RollbackCommand",
    "RollbackOutcome",
    "ToolVersion",
)
_TRACE: Final[Schema] = {
    PARENT: {
        "type": "string",
        "description": "The span that it belongs to, by W3C Trace Context. It decides nothing.",
    },
    STATE: {"type": "string", "description": "What goes with `traceparent`."},
}


def _headers(name: str) -> Schema:
    found: Schema = dict(_TRACE) if name in _TRACED else {}
    if name in _SIGNED:
        found[HEADER] = {
            "type": "string",
            "description": "The signature, as JSON. The documentation says under 'Security' "
            "what is signed, and when it is required.",
        }
    if name == "RollbackCommand":
        found[ERRORS_HEADER] = {
            "type": "string",
            "description": "Errors that the detector has seen, as JSON. They are shown, and decide "
            "nothing.",
        }
    return found
