"""The log that throughput is measured with."""

from dataclasses import dataclass
from statistics import mean

from bench.flow.reading import read_entry
from bench.flow.traffic import Log, Traffic
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.unpacking.batches import Headers


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    partition: int
    timestamp: int
    topic: str = "tool-executions"
    offset: int = 0
    headers: Headers = ()


def test_the_same_seed_gives_the_same_decisions() -> None:
    traffic = Traffic(tools=12, executions=3_000)
    assert Log.of(traffic).command_ids == Log.of(traffic).command_ids
    assert Log.of(traffic).command_ids != Log.of(traffic, seed=2).command_ids


def test_versions_break_in_each_of_three_ways() -> None:
    log = Log.of(Traffic(tools=12, executions=6_000))
    reasons = {each.reason for commands in log.commands.values() for each in commands}
    assert reasons == {"consecutive_failures", "signature_change", "success_rate_drop"}
    assert {tool for tool, commands in log.commands.items() if commands} == {"tool-0", "tool-10"}


def test_an_execution_has_about_190_bytes() -> None:
    log = Log.of(Traffic(tools=10, executions=1_000))
    assert 180 < mean(len(value) for _, value in log.records) < 200


def test_with_zipf_the_first_tool_has_most_of_the_executions() -> None:
    log = Log.of(Traffic(tools=20, executions=2_000, zipf=1.1))
    keys = [key for key, _ in log.records]
    assert keys.count(b"tool-0") > 3 * keys.count(b"tool-5") > 0


def test_who_is_measured_beside_the_detector_reads_as_it_does() -> None:
    validator = RecordValidator(Settings(), 4)
    for key, value in Log.of(Traffic(tools=10, executions=1_000)).records:
        for written in (value, value.replace(b'Z"', b'+00:30"')):  # the quick way does not take it
            record = Record(key, written, partition_of(key, 4), 2**42)
            assert read_entry(written) == validator.log_entry(record)
