"""Tools that break one after the other, and the check that each is commanded back, in order."""

import asyncio
import time
from collections import defaultdict
from typing import Final

from aiokafka import TopicPartition

from bench.setup.environment import Environment
from schemas.rollback import RollbackCommand
from streams.topic_reader import open_reader
from tests.support.inputs.messages import execution

_FAILURES: Final = 3
_TIMEOUT_S: Final = 60.0


class BrokenTools:
    """Known tools whose current versions are good until ``break_all``."""

    def __init__(self, environment: Environment, tools: list[str]) -> None:
        self._environment = environment
        self.tools = tools
        self._broke: dict[int, list[tuple[int, str]]] = defaultdict(list)
        """By partition, the offset of the execution that breaks each tool."""
        self._broke_ms: dict[str, int] = {}

    async def break_all(self, every_s: float) -> None:
        """Break one tool after the other, every so many seconds."""
        begin = time.perf_counter()
        for number, tool in enumerate(self.tools):
            await asyncio.sleep(begin + number * every_s - time.perf_counter())
            failures = (execution(tool, "ValueError: broken") for _ in range(_FAILURES))
            last = (await self._environment.send(*failures))[-1]
            self._broke[last.partition].append((last.offset, tool))
            self._broke_ms[tool] = last.timestamp

    async def commanded(self) -> list[float]:
        """Return the seconds from the execution that broke each tool to its command.

        The times are by the broker's clock. Raise AssertionError unless each partition has commands
        for exactly the tools that broke, once each and in their order; raise TimeoutError if one is
        missing.
        """
        found: dict[int, list[str]] = defaultdict(list)
        delays, missing = [], set(self.tools)
        topic = self._environment.topics.commands
        async with (
            open_reader(self._environment.settings, topic, from_beginning=True) as reader,
            asyncio.timeout(_TIMEOUT_S),
        ):
            while missing:
                for record in await reader.poll():
                    tool = RollbackCommand.from_bytes(record.value).tool_name
                    where = TopicPartition(record.topic, record.partition)
                    assert tool in missing, f"{tool} is commanded twice, or for nothing: {where}"
                    missing.remove(tool)
                    found[record.partition].append(tool)
                    delays.append((record.timestamp - self._broke_ms[tool]) / 1000)
        for partition, broke in self._broke.items():
            expected = [tool for _, tool in sorted(broke)]
            assert found[partition] == expected, f"partition {partition}: out of order"
        return delays
