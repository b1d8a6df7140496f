"""Forwarded executions count once, whatever is repeated, in batches of any length."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.forwarding import of_known_tool
from policy.state.log import LogRecord, Source
from policy.state.outage_watch import decode_watch, encode_watch
from policy.state.row import decode, encode, forwarded_of, read_to_of
from schemas.rollback import RollbackCommand
from schemas.rules.rules import PolicyName, Rules
from tests.support.cases import cases
from tests.support.policy.detectors import Detector, StoredPartition
from tests.support.policy.folding import dumped
from tests.support.policy.forwarded_logs import forwarded_log, forwarded_records
from tests.support.policy.generated_logs import RULES, TOOL, built_by, logs
from tests.support.policy.mixed_logs import mixed_log, mixed_settings
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry, counted_once
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import (
    BEGIN_MS,
    SENSITIVE,
    ForwardedRecord,
    PartitionLogWriter,
    batches,
)

T = TypeVar("T")


def commands_in_batches(
    log: Sequence[Entry], rules: Rules, random: Random
) -> list[RollbackCommand]:
    """Fold the log in batches, of which some are folded again, with the row as bytes between."""
    data: bytes | None = None
    commands: dict[int, RollbackCommand] = {}
    done = 0
    while done < len(log):
        length = random.choice((1, 2, 5, 20, 100))
        batch = [
            LogRecord.of(
                each.offset, each.timestamp_ms, each.entry, each.source and Source(*each.source)
            )
            for each in log[done : done + length]
        ]
        row = None if data is None else decode(data)
        forwarded = {} if data is None else forwarded_of(data)
        new = of_known_tool(batch, forwarded, None if row is None else row.read_to)
        row, found = fold_all(row, new, policy_for(rules))
        data = None if row is None else encode(row, forwarded)
        commands |= {each.offset: each.command for each in found}
        done += random.choice((length, length, max(length - 3, 1)))
    return [commands[offset] for offset in sorted(commands)]


@pytest.mark.exhaustive
@settings(max_examples=cases(100))
@given(st.data(), logs(), st.randoms(use_true_random=False))
def test_product_and_oracle_count_each_copy_once(
    data: st.DataObject, case: tuple[Rules, list[Entry]], random: Random
) -> None:
    def choose(options: Sequence[T], /) -> T:
        return data.draw(st.sampled_from(options))

    rules, straight = case
    log = forwarded_log(straight, choose)
    expected = commands_of(counted_once(log), rules)
    assert dumped(commands_in_batches(log, rules, random)) == dumped(expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("which", range(len(RULES)))
def test_product_and_oracle_agree_on_many_forwarded_logs(which: int) -> None:
    rules, numbers = RULES[which], Counter[str]()
    for seed in range(cases(240)):
        random = Random(f"{which}/{seed}")
        log = forwarded_log(built_by(random, rules), random.choice)
        once = counted_once(log)
        expected = commands_of(once, rules)
        assert dumped(commands_in_batches(log, rules, random)) == dumped(expected), seed
        numbers["commands"] += len(expected)
        numbers["repeated"] += len(log) - len(once)
        numbers["would differ"] += dumped(commands_of(log, rules)) != dumped(expected)
    assert min(numbers["commands"], numbers["repeated"], numbers["would differ"]) > 0, numbers


def without_copies_of_copies(log: Sequence[ForwardedRecord]) -> list[ForwardedRecord]:
    """Return the log as it counts: here every tool is activated before it is executed."""
    kept, seen = list[ForwardedRecord](), set[Source]()
    for record in log:
        if (source := record[3]) not in seen:
            kept.append(record)
            seen |= set() if source is None else {source}
    return kept


@pytest.mark.parametrize("policy", ["seed", "guarded"])
def test_crashes_batches_and_repetitions_make_no_difference(policy: PolicyName) -> None:
    of_policy, decided, repeated = mixed_settings(policy), 0, 0
    for seed in range(cases(18)):
        random = Random(seed)
        log = forwarded_records(mixed_log(str(seed), ["tool-0", "tool-1", "tool-2"]), random)
        once, one_by_one = without_copies_of_copies(log), Partition(of_policy)
        repeated += len(log) - len(once)
        commands = {each[0]: command for each in once if (command := one_by_one.read(*each[:3]))}
        detector, stored = Detector(of_policy), StoredPartition()
        found: dict[int, RollbackCommand] = {}
        for batch in batches(log, random):
            before = stored.copy()
            found |= dict(detector.take(stored, batch))
            if random.random() < 0.3:  # only some rows were written, and not that of outages
                stored.watch = before.watch
                for tool in random.sample(sorted(stored.rows), len(stored.rows) // 2):
                    if tool in before.rows:
                        stored.rows[tool] = before.rows[tool]
                    else:
                        del stored.rows[tool]
                found |= dict(detector.take(stored, batch))
        assert found == commands, seed
        rows = {tool: encode(decode(data)) for tool, data in stored.rows.items()}
        assert rows == {tool: encode(row) for tool, row in one_by_one.rows.items()}, seed
        watch = decode_watch(stored.watch)
        watch.forwarded = {}
        if policy == "guarded":
            assert encode_watch(watch) == encode_watch(one_by_one.watch), seed
        decided += len(commands)
    assert min(decided, repeated) > 10


def test_a_row_of_a_tool_of_which_nothing_was_forwarded_stays_as_it_is() -> None:
    one = Partition(mixed_settings("seed"))
    for record in mixed_log("1", [TOOL]):
        one.read(*record)
    row = one.rows[TOOL]
    assert encode(row, {}) == encode(row)
    assert forwarded_of(encode(row)) == {}
    with_forwarded = encode(row, {3: 7, 1: 2**62})
    assert encode(decode(with_forwarded)) == encode(row)
    assert forwarded_of(with_forwarded) == {3: 7, 1: 2**62}
    assert read_to_of(with_forwarded) == read_to_of(encode(row)) == row.read_to


def test_a_forged_source_stops_only_copies_of_its_own_tool_from_that_partition() -> None:
    writer = PartitionLogWriter()
    for tool in ("mine", "other"):
        writer.deploy(tool, BEGIN_MS)
    sources: list[Source | None] = [None, None]
    for tool, source in (
        ("mine", Source(3, 2**62)),  # forged
        ("mine", Source(3, 5)),
        ("mine", Source(2, 5)),
        ("mine", None),
        ("other", Source(3, 6)),
    ):
        writer.run(tool, BEGIN_MS + 1_000, success=True)
        sources.append(source)
    log = [(*record, source) for record, source in zip(writer.log, sources, strict=True)]
    stored = StoredPartition()
    Detector(SENSITIVE).take(stored, log)
    counted = {tool: decode(data).standard.executions for tool, data in stored.rows.items()}
    assert counted == {"mine": 3, "other": 1}
