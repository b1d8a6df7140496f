"""What no detector in Python can be below: fetch, validate, and nothing else, in this process."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from bench.stage import Stage
from bench.usage import Usage


class PlainExecution(BaseModel):
    """An execution as one would declare it who has read the contract's list of fields only."""

    kind: Literal["execution"] = "execution"
    execution_id: UUID
    tool_name: str
    version_id: int | None = None
    success: bool
    error: str | None = None
    error_type: str | None = None
    executed_at: AwareDatetime
    duration_ms: float | None = None
    session_id: str | None = None


class PlainActivatedBy(BaseModel):
    kind: Literal["deployment", "rollback"]
    id: UUID


class PlainActivation(BaseModel):
    kind: Literal["activation"]
    tool_name: str
    version_id: int
    version_number: int
    previous_version_id: int | None = None
    code_hash: str
    activation: int
    activated_at: AwareDatetime
    activated_by: PlainActivatedBy


_ENTRY: Final[TypeAdapter[Any]] = TypeAdapter(
    Annotated[PlainExecution | PlainActivation, Field(discriminator="kind")]
)
read_plain_entry: Final = _ENTRY.validate_json


async def raw_limit(stage: Stage, read: Callable[[bytes], object]) -> Usage:
    """Read the whole log with aiokafka's ``getmany`` and validate each value by ``read``."""
    total, seen = len(stage.log.records), 0
    first: tuple[float, int] | None = None
    async with stage.reader(stage.topic) as consumer:
        cpu_s = time.process_time()
        while seen < total:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=2_000)
            for records in fetched.values():
                for record in records:
                    read(record.value)
                seen += len(records)
            if first is None and seen:
                first = time.perf_counter(), seen
        end_s = time.perf_counter()
        cpu_s = time.process_time() - cpu_s
    assert first is not None
    return Usage.of(cpu_s, total, end_s - first[0], total - first[1])
