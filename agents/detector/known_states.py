"""The states of all tools of some partitions, computed anew only where something has changed."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from policy.decision.health import state_of
from policy.decision.policies import Policies
from policy.state.outage_watch import KEY, OutageWatch, decode_watch
from policy.state.row import decode
from schemas.fields import format_time, time_of
from schemas.rules.outages import OutageRules
from streams.driver.table import Rows, WindowTable

_AT_ONCE: Final = 50
"""After so many states the event loop runs, so that executions do not wait."""


class _Known(NamedTuple):
    """A state, and what it was computed from."""

    data: bytes
    condemns_nothing: bool
    shown: dict[str, Any]


class KnownStates:
    """Remembers the state of each tool with the row that it was computed from.

    A state takes 0.1 ms to compute, and whoever looks at the console asks for all of them every few
    seconds. Most rows are the same then. One old row of each tool is kept meanwhile.
    """

    def __init__(self, policies: Policies, outages: OutageRules) -> None:
        self._policies = policies
        self._outages = outages
        self._known: dict[int, dict[bytes, _Known]] = {}

    async def of(self, table: WindowTable, partitions: Iterable[int]) -> list[dict[str, Any]]:
        """Return the state of each tool that has a row in these partitions."""
        known = {each: await self._of_one(table.rows_of(each), each) for each in partitions}
        self._known = known
        return [each.shown for tools in known.values() for each in tools.values()]

    async def _of_one(self, rows: Rows, partition: int) -> dict[bytes, _Known]:
        await asyncio.sleep(0)
        watch = watch_of(rows)
        condemns_nothing = watch.condemns_nothing(self._outages)
        before = self._known.get(partition, {})
        known: dict[bytes, _Known] = {}
        computed = 0
        for key, data in list(rows.items()):
            if key == KEY:
                continue
            last = before.get(key)
            if last is not None and (last.data, last.condemns_nothing) == (data, condemns_nothing):
                known[key] = last
                continue
            known[key] = _Known(data, condemns_nothing, self._state(key.decode(), data, watch))
            computed += 1
            if computed % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return known

    def _state(self, tool: str, data: bytes, watch: OutageWatch) -> dict[str, Any]:
        row = decode(data)
        state, reason = state_of(row, self._policies.of(tool), watch, self._outages)
        return {
            "tool_name": tool,
            "version_id": row.version_id,
            "activation": row.activation,
            "state": state,
            "reason": reason,
            "as_of": None if row.now_us is None else format_time(time_of(row.now_us)),
        }


def watch_of(rows: Rows) -> OutageWatch:
    """Return what is known of outages in a partition that has these rows."""
    outages = rows.get(KEY)
    return OutageWatch() if outages is None else decode_watch(outages)
