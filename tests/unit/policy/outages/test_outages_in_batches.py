"""Batches of any length, and crashes between rows, make no difference to outages."""

from random import Random

import pytest

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage_watch import encode_watch
from policy.state.row import encode
from schemas.rollback import RollbackCommand
from tests.support.policy.detectors import Detector, StoredPartition
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import SENSITIVE, batches, by_tool, random_log

pytestmark = pytest.mark.exhaustive


def test_batches_make_no_difference_nor_does_a_crash_between_rows() -> None:
    decided, held = 0, 0
    for seed in range(30):
        log, random = random_log(seed), Random(seed)
        one_by_one = Partition(SENSITIVE)
        expected = [(each[0], one_by_one.read(*each)) for each in log]
        commands = {offset: command for offset, command in expected if command is not None}
        detector, stored = Detector(SENSITIVE), StoredPartition()
        issued: list[tuple[int, RollbackCommand]] = []
        for batch in batches(log, random):
            before = stored.copy()
            issued += detector.take(stored, batch)
            if random.random() < 0.3:  # a crash: some rows were written, the row of outages was not
                for tool in random.sample(sorted(stored.rows), len(stored.rows) // 2):
                    if tool in before.rows:
                        stored.rows[tool] = before.rows[tool]
                    else:
                        del stored.rows[tool]
                stored.watch = before.watch
                issued += detector.take(stored, batch)
        assert dict(issued) == commands, seed
        assert {tool: encode(row) for tool, row in one_by_one.rows.items()} == stored.rows
        assert encode_watch(one_by_one.watch) == stored.watch
        decided += len(commands)
        unwatched = {
            tool: fold_all(
                None,
                [LogRecord.of(*record) for record in each],
                policy_for(SENSITIVE.rules_of(tool)),
            )[1]
            for tool, each in by_tool(log).items()
        }
        held += sum(map(len, unwatched.values())) - len(commands)
    assert decided > 20
    assert held > 20
