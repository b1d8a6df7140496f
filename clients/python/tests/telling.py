"""A guard whose executions are kept here, and come to no Kafka."""

from typing import Any
from uuid import uuid4

from rollguard_client import Rollguard
from rollguard_client.messages.execution import Execution


class Told:
    """A guard whose executions come here instead of to Kafka."""

    def __init__(self, **values: Any) -> None:
        self.guard = Rollguard(kafka_brokers="127.0.0.1:1", **values)
        self._put: list[Any] = []

    def of(self, tool: str) -> list[Execution]:
        """Return the executions of a tool, as the server reads them."""
        records = [each.record(lambda: str(uuid4())) for each in self._put]
        read = [Execution.from_bytes(each.value) for each in records]
        assert all(
            each.key == execution.tool_name.encode()
            for each, execution in zip(records, read, strict=True)
        )
        return [each for each in read if each.tool_name == tool]

    def one(self, tool: str) -> Execution:
        (execution,) = self.of(tool)
        return execution
