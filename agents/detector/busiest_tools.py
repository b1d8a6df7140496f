"""The executions of the busiest tools by name on ``/metrics``, if somebody wants that.

Anybody who may publish executions can execute tools as often as he likes, so the number of names is
limited, and they change rarely: otherwise Prometheus would get new series all the time.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from policy.state.log import LogRecord
from schemas.execution_entry import ExecutionEntry

FIRST_S: Final = 15.0
CHOSEN_EVERY_S: Final = 600.0
"""After how long other tools are chosen: after the start, and then."""


class BusiestTools(Collector):
    """Counts the executions of at most ``most`` tools: those that were executed most lately.

    The count of a tool begins when it is chosen, and goes on for as long as it is chosen again.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lately: Counter[str] = Counter()
        """How often each tool was executed since the last choice."""
        self._shown: dict[str, Counter[str]] = {}
        self._due_at = clock() + FIRST_S

    def note(self, log: Sequence[LogRecord]) -> None:
        """Count the executions of one tool that was deployed."""
        results = Counter(
            "success" if record.entry.success else "failure"
            for record in log
            if isinstance(record.entry, ExecutionEntry)
        )
        name = log[0].entry.tool_name
        self._lately[name] += results.total()
        if (shown := self._shown.get(name)) is not None:
            shown.update(results)

    def collect(self) -> Iterable[Metric]:
        """Yield the metric."""
        if self._clock() >= self._due_at:
            self._choose()
        executions = CounterMetricFamily(
            "rollguard_tool_executions",
            "executions of the busiest tools that this detector judges, since they are among "
            "those; only with `ROLLGUARD_METRICS_TOOLS`",
            labels=["tool", "result"],
        )
        for tool, results in self._shown.items():
            for result in ("success", "failure"):
                executions.add_metric([tool, result], results[result])
        yield executions

    def _choose(self) -> None:
        self._due_at = self._clock() + CHOSEN_EVERY_S
        executed = ((tool, number) for tool, number in self._lately.items() if number)
        chosen = nlargest(self._most, executed, key=lambda each: (each[1], each[0]))
        self._shown = {tool: self._shown.get(tool, Counter()) for tool, _ in chosen}
        self._lately.clear()
