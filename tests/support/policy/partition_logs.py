"""Logs of a partition with several tools."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar
from uuid import UUID
from zlib import crc32

from policy.state.log import LogEntry, Source
from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import micros_of, time_of
from schemas.settings import load_settings
from tests.support.policy.generated_logs import HASH, START

BEGIN_MS: Final = micros_of(START) // 1_000
SENSITIVE = load_settings(
    policy="guarded", alpha=0.2, signature_alpha=0.3, outage_tools=3, outage_window_s=20
)
"""Settings under which a few failures condemn a version, and three tools are an outage."""

ORIGINS: Final[Sequence[ErrorOrigin | None]] = (*[None] * 9, "tool", "environment", "caller")
Record = tuple[int, int, LogEntry]
"""Offset, Kafka timestamp in milliseconds, entry."""
ForwardedRecord = tuple[int, int, LogEntry, Source | None]
"""The same, and where it was forwarded from."""
AnyRecord = TypeVar("AnyRecord", Record, ForwardedRecord)


@dataclass
class PartitionLogWriter:
    """Writes a partition's log of several tools."""

    log: list[Record] = field(default_factory=list)
    activations: dict[str, int] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(1))

    def deploy(
        self, tool: str, at_ms: int, by: Any = "deployment", version: int | None = None
    ) -> Activation:
        number = self.activations[tool] = self.activations.get(tool, 0) + 1
        activation = Activation(
            tool_name=tool,
            version_id=version or number,
            version_number=version or number,
            code_hash=HASH,
            activation=number,
            activated_at=time_of(at_ms * 1_000),
            activated_by=ActivatedBy(kind=by, id=UUID(int=number)),
        )
        self.append(at_ms, activation)
        return activation

    def append(self, at_ms: int, entry: LogEntry) -> None:
        self.log.append((len(self.log), at_ms, entry))

    def run(
        self,
        tool: str,
        at_ms: int,
        success: bool,
        error: str = "ConnectionError",
        session: str | None = None,
        origin: ErrorOrigin | None = None,
        **fields: Any,
    ) -> None:
        execution = ExecutionEntry(
            UUID(int=len(self.log)),
            tool,
            success,
            "",
            error_type=None if success else error,
            session_id=session,
            error_origin=origin,
            executed_us=at_ms * 1_000,
            **fields,
        )
        self.append(at_ms, execution)

    def round(self, at_ms: int, failing: Sequence[str], tools: Sequence[str]) -> None:
        """Append an execution of each tool, within five seconds, in random order."""
        for index, tool in enumerate(self.random.sample(tools, len(tools))):
            self.run(tool, at_ms + index * 5_000 // len(tools), tool not in failing)


def tools_of(number: int) -> list[str]:
    """Return names of tools that the outage watch counts in different cells."""
    found: dict[int, str] = {}
    for name in (f"tool-{n}" for n in range(1_000)):
        found.setdefault(crc32(name.encode()) % 64, name)
    return list(found.values())[:number]


def random_log(seed: int) -> list[Record]:
    """Return a random log, with periods of few failures and periods of many.

    The last tool is executed before its first activation, too, and one producer of three may be the
    only one that fails.
    """
    random, origins = Random(seed), Random(f"origins {seed}")
    writer, tools = PartitionLogWriter(random=random), tools_of(random.choice((3, 5, 12, 40)))
    at_ms = BEGIN_MS
    for tool in tools[:-1]:
        writer.deploy(tool, at_ms)
    failure_rate, pace_ms, failing_alone = 0.0, 500, False
    for _ in range(400):
        what = random.random()
        if what < 0.03:
            failure_rate = random.choice((0.0, 0.0, 0.02, 0.3, 0.9, 1.0))
            pace_ms = random.choice((0, 100, 500, 3_000))
            failing_alone = random.random() < 0.3
        elif what < 0.05:
            writer.deploy(random.choice(tools), at_ms)
        elif what < 0.06:
            at_ms += random.choice((20_000, 61_000, 700_000))
        at_ms += random.choice((pace_ms, 0, 2 * pace_ms))
        late_ms = random.choice((0, 0, 0, 0, -2_000))
        session = random.choice((None, "one", "one", "one", "two"))
        rate = failure_rate if session == "one" or not failing_alone else 0.0
        success = random.random() >= rate
        origin = None if success else origins.choice(ORIGINS)
        tool = random.choice(tools)
        writer.run(tool, at_ms + late_ms, success, session=session, origin=origin)
    return writer.log


def batches(log: Sequence[AnyRecord], random: Random) -> Iterator[Sequence[AnyRecord]]:
    """Cut the log into batches of random lengths."""
    begin = 0
    while begin < len(log):
        end = begin + random.choice((1, 2, 7, 30, 150))
        yield log[begin:end]
        begin = end


def by_tool(log: Sequence[Record]) -> dict[str, list[Record]]:
    logs: dict[str, list[Record]] = {}
    for record in log:
        logs.setdefault(record[2].tool_name, []).append(record)
    return logs
