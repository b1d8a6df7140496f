"""Which tools a detector forgets, with a table in memory."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from agents.detector.forget_tools import ForgetTools, unused_tools
from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage_watch import KEY, OutageWatch, encode_watch
from policy.state.row import encode
from schemas.rules.rules import Rules
from schemas.settings import load_settings
from tests.support.policy.partition_logs import BEGIN_MS, PartitionLogWriter

DAY_MS = 86_400_000


class Table:
    """The rows of one partition."""

    partitions = 1

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.rows = rows

    def rows_of(self, partition: int) -> dict[bytes, bytes]:
        return self.rows

    async def remove(self, partition: int, rows: Mapping[bytes, bytes]) -> list[bytes]:
        for key in rows:
            del self.rows[key]
        return list(rows)


class Driver:
    is_owner = True

    def has_rows_of(self, topic: str, partition: int) -> bool:
        return self.is_owner


def table_after(used: Mapping[str, list[int]]) -> Table:
    """Return the rows of these tools, which were executed on these days; deployed on day 0."""
    rows = {KEY: encode_watch(OutageWatch())}
    for tool, days in used.items():
        writer = PartitionLogWriter()
        writer.deploy(tool, BEGIN_MS)
        for day in days:
            writer.run(tool, BEGIN_MS + day * DAY_MS, True)
        row, _ = fold_all(None, [LogRecord.of(*each) for each in writer.log], policy_for(Rules()))
        assert row is not None
        rows[tool.encode()] = encode(row)
    return Table(rows)


USED = {"daily": [1, 2, 3, 4, 400], "gone": [1, 2], "idle": [36], "never": [], "busy": [400] * 9}


@pytest.mark.parametrize(
    ("days", "left"),
    [(365, {"daily", "idle", "busy"}), (0, USED.keys()), (399, USED.keys() - {"never"})],
)
async def test_tools_that_the_log_is_silent_about_are_forgotten(days: int, left: set[str]) -> None:
    table, driver = table_after(USED), Driver()
    settings = load_settings(forget_days=days)
    forget = ForgetTools(cast(Any, driver), cast(Any, table), settings)
    driver.is_owner = False
    assert await forget.forget() == 0, "the partition has another owner"
    driver.is_owner = True
    assert await forget.forget() == len(USED) - len(left)
    assert {key.decode() for key in table.rows} == left | {KEY.decode()}
    assert await forget.forget() == 0


def test_rows_without_a_time_are_kept() -> None:
    assert unused_tools({b"old": 0, b"new": 10, b"unused": 1}, 5) == [b"unused"]
    assert unused_tools({}, 5) == []
