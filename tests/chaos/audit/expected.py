"""What the policy demands of the logs: the commands, and what the detector's table shows behind
them.

Of policy `seed` by a model written from the contract, tool by tool (``model.py``). Of policy
`guarded` by the product's own fold over each partition's log in one go, without batches, bytes or
crashes: whether that is right is for ``tests/unit`` to say, here it is whether all of it came about
once, whatever happened.
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
from schemas.rollback import RollbackCommand
from tests.chaos.audit.books import Books
from tests.chaos.audit.model import ToolModel, baseline_shown
from tests.support.policy.partition import Partition


@dataclass
class Expected:
    """Of one tool. ``health`` is what a table query answers, or a part of it."""

    commands: list[tuple[ConsumerRecord, RollbackCommand]] = field(default_factory=list)
    """With the record that demands it."""
    health: Mapping[str, Any] = field(default_factory=dict)

    def shown_in(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The same part of an answer; all of one that has another status than 200."""
        if answer.get("status") != 200:
            return answer if self.health else {}
        shown = answer | {"recent_ids": [seen["execution_id"] for seen in answer["recent"]]}
        return {name: shown.get(name) for name in self.health}


def expected_of_seed(books: Books) -> Iterator[tuple[str, Expected]]:
    """Tool by tool."""
    for tool, log in books.logs.items():
        model, expected = ToolModel(books.settings.rules_of(tool)), Expected()
        for record, entry in log:
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
        "recent_ids": [run.execution_id for run in model.recent()],
        "windows": {
            "fast": _window(rules.fast_window_s, *fast),
            "standard": _window(rules.standard_window_s, *standard),
        },
        "baseline": baseline_shown(model.baseline),
    }


def _window(window_s: int, executions: int, failures: int) -> dict[str, int]:
    return {"window_s": window_s, "executions": executions, "failures": failures}


def expected_of_guarded(books: Books) -> Iterator[tuple[str, Expected]]:
    """Partition by partition: the tools of one share what is known of outages."""
    logs = defaultdict(list)
    for log in books.logs.values():
        for record, entry in log:
            logs[record.partition].append((record, entry))
    for records in logs.values():
        partition, found = Partition(books.settings), defaultdict[str, Expected](Expected)
        for record, entry in sorted(records, key=lambda each: each[0].offset):
            read = ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry
            command = partition.read(record.offset, record.timestamp, read)
            expected = found[entry.tool_name]
            if command is not None:
                expected.commands.append((record, command))
        for tool, expected in found.items():
            if tool in partition.rows:
                expected.health = _health(partition, tool, books)
            yield tool, expected


def _health(partition: Partition, tool: str, books: Books) -> dict[str, Any]:
    settings, row = books.settings, partition.rows[tool]
    shown = health_of(
        row, tool, policy_for(settings.rules_of(tool)), partition.watch, settings.outages
    )
    said: dict[str, Any] = json.loads(json.dumps(shown))
    return said
