"""The same logs give the same commands, whatever the batches, the workers and the crashes."""

from collections import Counter
from random import Random
from typing import Final

import pytest

from policy.state.outage_watch import encode_watch
from policy.state.row import encode
from schemas.rollback import RollbackCommand
from schemas.rules.rules import PolicyName
from schemas.settings import Settings
from tests.support.cases import THOROUGH
from tests.support.policy.detectors import Detector, StoredPartition
from tests.support.policy.mixed_logs import SEED_TOOL, mixed_log, mixed_settings
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import Record
from tests.support.policy.quality_logs import small_blocks

pytestmark = pytest.mark.exhaustive

PARTITIONS: Final = 3
TOOLS: Final = tuple(f"tool-{number}" for number in range(12))
REASONS: Final[dict[PolicyName, set[str]]] = {
    "seed": {"consecutive_failures", "signature_change", "success_rate_drop"},
    "guarded": {"judged_bad", "slower", "costlier", "signature_change", "regression"},
}


class Cluster:
    """One or several detectors that read three partitions, which change their owners."""

    def __init__(self, settings: Settings, workers: int, random: Random) -> None:
        self._random = random
        self._workers = [Detector(settings) for _ in range(workers)]
        self.stored = [StoredPartition() for _ in range(PARTITIONS)]
        self.commands: list[dict[int, RollbackCommand]] = [{} for _ in range(PARTITIONS)]
        self.again = 0

    def read(self, logs: list[list[Record]]) -> None:
        random, done = self._random, [0] * len(logs)
        while left := [each for each in range(len(logs)) if done[each] < len(logs[each])]:
            partition = random.choice(left)
            batch = logs[partition][done[partition] :][: random.choice((1, 2, 7, 30, 150))]
            if self._take(partition, batch):
                done[partition] += len(batch)

    def _take(self, partition: int, batch: list[Record]) -> bool:
        """Fold a batch; return False after a crash in which only some rows were stored."""
        stored = self.stored[partition]
        before, random = stored.copy(), self._random
        for offset, command in random.choice(self._workers).take(stored, batch):
            self.again += offset in self.commands[partition]
            assert self.commands[partition].setdefault(offset, command) == command
        if random.random() > 0.2:
            return True
        stored.watch = before.watch
        for tool in random.sample(sorted(stored.rows), len(stored.rows) // 2):
            stored.rows[tool] = before.rows.get(tool, b"")
            if not stored.rows[tool]:
                del stored.rows[tool]
        return False


@pytest.mark.parametrize("policy", ["seed", "guarded"])
def test_the_same_logs_give_the_same_commands(policy: PolicyName) -> None:
    settings, reasons, again = mixed_settings(policy), Counter[str](), 0
    for seed in range(12 if THOROUGH else 4):
        logs = [mixed_log(f"{seed}/{n}", TOOLS[n::PARTITIONS]) for n in range(PARTITIONS)]
        with small_blocks():
            expected = [Partition(settings) for _ in logs]
            commands = [
                {record[0]: command for record in log if (command := one.read(*record))}
                for one, log in zip(expected, logs, strict=True)
            ]
            for workers in (1, 3):
                found = Cluster(settings, workers, Random(f"{seed}/{workers}"))
                found.read(logs)
                again += found.again
                assert found.commands == commands, (seed, workers)
                for one, stored in zip(expected, found.stored, strict=True):
                    rows = {tool: encode(row) for tool, row in one.rows.items()}
                    assert stored.rows == rows, (seed, workers)
                    if policy == "guarded":
                        assert stored.watch == encode_watch(one.watch), (seed, workers)
        for each in commands:
            is_guarded = [c.reason for c in each.values() if c.tool_name != SEED_TOOL]
            reasons.update(is_guarded)
    assert set(reasons) >= REASONS[policy], reasons
    assert again > 0
