"""What a guard would have published."""

from typing import Any
from uuid import uuid4

from rollguard_client import Execution, Rollguard


class Told:
    """A guard, and the executions that come here instead of to Kafka."""

    def __init__(self) -> None:
        self.guard = Rollguard(kafka_brokers="127.0.0.1:1")
        self.put: list[Any] = []

    @property
    def executions(self) -> list[tuple[str, str | None, str | None]]:
        """Tool, class of the error and origin of each execution, in their order."""
        records = [each.record(lambda: str(uuid4())) for each in self.put]
        read = [Execution.from_bytes(each.value) for each in records]
        assert all(each.success == (each.error is None) for each in read)
        return [(each.tool_name, each.error_type, each.error_origin) for each in read]
