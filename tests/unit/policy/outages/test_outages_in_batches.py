"""Batches of any length, and crashes between rows, make no difference to outages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch, decode_watch, encode_watch
from policy.state.row import Row, decode, encode, known_since
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import SENSITIVE, Record, batches, by_tool, random_log


@dataclass
class Detector:
    """A detector of one partition: it keeps rows and watch as bytes, and folds tool by tool."""

    settings: Settings
    rows: dict[str, bytes] = field(default_factory=dict)
    watch: bytes = encode_watch(OutageWatch())
    commands: list[tuple[int, RollbackCommand]] = field(default_factory=list)

    def take(self, batch: Sequence[Record]) -> None:
        watch = decode_watch(self.watch)
        followed_to = watch.read_to
        timeline = watch.follow(
            [LogRecord.of(*each) for each in batch],
            self.settings.outages,
            lambda key: known_since(self.rows.get(key.decode()), followed_to),
        )
        logs: dict[str, list[LogRecord]] = {}
        for record in batch:
            logs.setdefault(record[2].tool_name, []).append(LogRecord.of(*record))
        for tool, log in logs.items():
            known = self.rows.get(tool)
            row: Row | None = None if known is None else decode(known)
            row, found = fold_all(row, log, policy_for(self.settings.rules_of(tool)), timeline)
            self.commands += [(offset, command) for offset, _, command in found]
            if row is not None:
                self.rows[tool] = encode(row)
        self.watch = encode_watch(watch)


def test_batches_make_no_difference_nor_does_a_crash_between_rows() -> None:
    decided, held = 0, 0
    for seed in range(30):
        log, random = random_log(seed), Random(seed)
        one_by_one = Partition(SENSITIVE)
        expected = [(each[0], one_by_one.read(*each)) for each in log]
        commands = {offset: command for offset, command in expected if command is not None}
        detector = Detector(SENSITIVE)
        for batch in batches(log, random):
            before = dict(detector.rows), detector.watch
            detector.take(batch)
            if random.random() < 0.3:  # a crash: some rows were written, the row of outages was not
                for tool in random.sample(sorted(detector.rows), len(detector.rows) // 2):
                    if tool in before[0]:
                        detector.rows[tool] = before[0][tool]
                    else:
                        del detector.rows[tool]
                detector.watch = before[1]
                detector.take(batch)
        assert dict(detector.commands) == commands, seed
        assert {tool: encode(row) for tool, row in one_by_one.rows.items()} == detector.rows
        assert encode_watch(one_by_one.watch) == detector.watch
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
