"""What the benchmarks send is what engines send."""

from collections import Counter
from itertools import chain
from random import Random

from aiokafka.record.default_records import DefaultRecordBatch

from bench.flow.load import Batches, Load, Tools, chosen
from schemas.execution import Activation, Execution, read_log_entry
from schemas.later_verdict import LaterVerdict
from streams.partitions import partition_of

PARTITIONS = 4


class Producer:
    """Makes batches only, and small ones."""

    def create_batch(self) -> object:
        from aiokafka.producer.message_accumulator import BatchBuilder

        return BatchBuilder(2_000, 0)


def read(batches: Batches) -> list[Execution | Activation | LaterVerdict]:
    found = []
    for partition, each in batches.items():
        for batch in each:
            for record in DefaultRecordBatch(bytes(batch._build())):
                entry = read_log_entry(record.value)
                assert record.key == entry.tool_name.encode()
                assert partition_of(record.key, PARTITIONS) == partition
                found.append(entry)
    return found


def load(tools: int) -> Load:
    return Load(Producer(), "topic", PARTITIONS, Tools.numbered(tools))


async def test_executions_are_valid_all_different_and_of_the_tools_asked_for() -> None:
    of = chosen(7, 2_000, 0.0, Random(1))
    sender = load(7)
    entries = read(sender.executions(of)) + read(sender.executions(of))
    executions = [entry for entry in entries if isinstance(entry, Execution)]
    assert len({each.execution_id for each in executions}) == 4_000 == len(entries)
    assert sum(not each.success for each in executions) == 8
    counted = Counter(f"tool-{number}" for number in chain(of, of))
    assert Counter(each.tool_name for each in executions) == counted
    assert all(each.tool_name == f"tool-{(each.version_id or 0) - 1}" for each in executions)


async def test_activations_are_one_of_each_tool() -> None:
    entries = read(load(100).activations())
    assert {entry.tool_name: entry.version_id for entry in entries} == {
        f"tool-{number}": number + 1 for number in range(100)
    }


def test_zipf_gives_the_first_tool_most() -> None:
    counts = Counter(chosen(1_000, 20_000, 1.0, Random(1)))
    assert 1.5 < counts[0] / counts[1] < 2.7
