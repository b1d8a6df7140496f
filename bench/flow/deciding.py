"""The CPU time of reading, counting and judging an execution, in this process alone.

It is run as a program by ``bench/parts/decisions.py``, with this checkout or another one in
PYTHONPATH. So it imports only what every version since 0.1.0 has.
"""

import json
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any, Final
from uuid import UUID

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.row import decode, encode
from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import read_execution_entry
from schemas.fields import time_of
from schemas.rules.rules import Rules

EXECUTIONS: Final = 20_000
BATCH: Final = 200
"""So many executions of the tool are in a batch of the detector."""
FAILS: Final = 0.05
_BEGIN_S: Final = 1_700_000_000
_CALLERS: Final = 20


def values(said: Sequence[str]) -> list[bytes]:
    """Return executions, ten in a second, of which each success also says these fields."""
    random = Random(1)
    return [_value(number, said, random) for number in range(EXECUTIONS)]


def _value(number: int, said: Sequence[str], random: Random) -> bytes:
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_BEGIN_S + number // 10))
    execution: dict[str, Any] = {
        "execution_id": str(UUID(int=number + 1)),
        "tool_name": "tool",
        "version_id": 1 + (number >= EXECUTIONS // 2),
        "success": random.random() >= FAILS,
        "executed_at": f"{second}.{number % 10}00000Z",
        "session_id": f"session-{random.randrange(_CALLERS)}",
    }
    if not execution["success"]:
        execution["error"] = "ValueError: no such page"
    execution |= {field: round(100 * random.lognormvariate(0, 0.4), 3) for field in said}
    return json.dumps(execution).encode()


def cpu_us(log: Sequence[bytes], policy_name: str) -> float:
    """Return the CPU time for an execution in µs: read it, count it, write the row of its batch."""
    policy = policy_for(Rules.model_validate({"policy": policy_name}))
    data, offset, began = None, 0, time.process_time()
    for first in range(0, len(log), BATCH):
        records = []
        if first in (0, EXECUTIONS // 2):
            at_s = _BEGIN_S + first // 10
            records.append(LogRecord.of(offset, at_s * 1_000, _activation(1 + bool(first), at_s)))
            offset += 1
        for value in log[first : first + BATCH]:
            entry = read_execution_entry(value)
            assert entry is not None
            at_ms = entry.executed_us // 1_000
            records.append(LogRecord(b"tool", offset, at_ms, entry))
            offset += 1
        row, _ = fold_all(None if data is None else decode(data), records, policy)
        assert row is not None
        data = encode(row)
    return (time.process_time() - began) / len(log) * 1e6


def _activation(number: int, at_s: int) -> Activation:
    return Activation(
        tool_name="tool",
        version_id=number,
        version_number=number,
        code_hash="0" * 64,
        activation=number,
        activated_at=time_of(at_s * 1_000_000),
        activated_by=ActivatedBy(kind="deployment", id=UUID(int=number)),
    )


if __name__ == "__main__":
    name, *fields = sys.argv[1:]
    executions = values(fields)
    print(min(cpu_us(executions, name) for _ in range(3)))
