"""Names and attributes of spans about records: the conventions of OpenTelemetry for messaging."""

from typing import Any

from agents.traces.span import Attributes


def processing(record: Any, group: str) -> dict[str, str | int]:
    """Return the attributes of work about a record that was read."""
    return {
        **_about("process", record.topic),
        "messaging.consumer.group.name": group,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }


def sending(topic: str, key: str) -> Attributes:
    """Return the attributes of sending a record."""
    return {**_about("send", topic), "messaging.kafka.message.key": key}


def _about(operation: str, topic: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
    }
