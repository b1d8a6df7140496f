"""The results that the policy demands of the logs: commands, and the answers of health queries.

For policy `seed` they come from a model that was written from the contract (``model.py``), tool by
tool. For policy `guarded` they come from the product's own fold, over the whole log of a partition,
without batches, encoded rows or crashes. ``tests/unit`` tests whether that fold is right. A chaos
run tests that everything it demands happened exactly once, in spite of the faults.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.structs import ConsumerRecord

from policy.decision.health import health_of
from policy.decision.policies import policy_for
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.model import ToolModel, baseline_shown
from tests.support.policy.partition import Partition


@dataclass
class Expected:
    """The expected results of one tool. ``health`` is a health query's answer, or a part of it."""

    commands: list[tuple[ConsumerRecord, RollbackCommand]] = field(default_factory=list)
    """Each command with the record that demands it."""
    health: Mapping[str, Any] = field(default_factory=dict)

    def same_part_of(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the part of an answer that corresponds to ``health``.

        If the status is not 200, return the whole answer, or {} if nothing is expected.
        """
        if answer.get("status") != 200:
            return answer if self.health else {}
        shown = answer | {"recent_ids": [seen["execution_id"] for seen in answer["recent"]]}
        return {name: shown.get(name) for name in self.health}


def expected_of_seed(state: FinalState) -> Iterator[tuple[str, Expected]]:
    """Yield the expected results under policy `seed`, tool by tool."""
    for tool, log in state.logs.items():
        model, expected = ToolModel(state.settings.rules_of(tool)), Expected()
        for record, entry in log:
            if isinstance(entry, LaterVerdict):
                continue  # rules do not look at them
            command = model.read(record.offset, record.timestamp, entry)
            if command is not None:
                expected.commands.append((record, command))
        if model.current is not None:
            expected.health = _windows(model)
        yield tool, expected


def _windows(model: ToolModel) -> dict[str, Any]:
    assert model.current is not None
    fast, standard = model.windows()
    rules = model.rules
    return {
        "version_id": model.current.version_id,
        "activation": model.current.activation,
        "recent_ids": [each.execution_id for each in model.recent()],
        "windows": {
            "fast": _window(rules.fast_window_s, *fast),
            "standard": _window(rules.standard_window_s, *standard),
        },
        "not_judged": model.not_judged(),
        "baseline": baseline_shown(model.baseline),
    }


def _window(window_s: int, executions: int, failures: int) -> dict[str, int]:
    return {"window_s": window_s, "executions": executions, "failures": failures}


def expected_of_guarded(state: FinalState) -> Iterator[tuple[str, Expected]]:
    """Yield the expected results under policy `guarded`, partition by partition.

    The tools of a partition share an outage timeline.
    """
    logs = defaultdict(list)
    for log in state.logs.values():
        for record, entry in log:
            logs[record.partition].append((record, entry))
    for records in logs.values():
        partition, found = Partition(state.settings), defaultdict[str, Expected](Expected)
        for record, entry in sorted(records, key=lambda each: each[0].offset):
            read = ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry
            command = partition.read(record.offset, record.timestamp, read)
            expected = found[entry.tool_name]
            if command is not None:
                expected.commands.append((record, command))
        for tool, expected in found.items():
            if tool in partition.rows:
                expected.health = _health(partition, tool, state)
            yield tool, expected


def _health(partition: Partition, tool: str, state: FinalState) -> dict[str, Any]:
    settings, row = state.settings, partition.rows[tool]
    shown = health_of(
        row, tool, policy_for(settings.rules_of(tool)), partition.watch, settings.outages
    )
    as_json: dict[str, Any] = json.loads(json.dumps(shown))
    return as_json
