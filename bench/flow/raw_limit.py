"""The raw limit: the least that any detector in Python takes. It fetches and validates only."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from bench.setup.stage import Stage
from bench.setup.usage import Usage


class PlainExecution(BaseModel):
    """An execution, declared from nothing but the contract's list of fields."""

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
    """The cause of an activation, declared in the same way."""

    kind: Literal["deployment", "rollback"]
    id: UUID


class PlainActivation(BaseModel):
    """An activation, declared in the same way."""

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
    """Return the usage for one record of fetching by ``getmany`` and validating by ``read``."""
    total, seen = len(stage.log.records), 0
    async with stage.reader(stage.topic) as consumer:
        start_s, cpu_s = time.perf_counter(), time.process_time()
        while seen < total:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=2_000)
            for records in fetched.values():
                for record in records:
                    read(record.value)
                seen += len(records)
        taken = Usage.of_seconds(time.process_time() - cpu_s, time.perf_counter() - start_s)
    return taken / total
