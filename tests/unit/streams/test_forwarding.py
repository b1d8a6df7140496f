"""The header of a copy, the records that are misplaced, and the order in which copies are sent."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.record.default_records import DefaultRecordBatch

from policy.state.log import Source
from schemas.errors import Rejected
from schemas.later_verdict import LaterVerdict
from schemas.message import MAX_RECORD_BYTES
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.outbox import Outbox, RecordCopy
from streams.forwarding import HEADER, MAX_HEADER_BYTES, headers_of_copy, source_of
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.rejections import WrongPartition
from streams.unpacking.batches import Headers
from streams.waits import Waits
from tests.support.inputs.messages import activation, command_by_ann, deployment, execution
from tests.unit.streams.test_mutations import Read

TOOL = "parser"
HOME = partition_of(TOOL.encode(), 4)
ELSEWHERE = (HOME + 1) % 4


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (b"3/0", Source(3, 0)),
        (b"0/9223372036854775807", Source(0, 2**63 - 1)),
        (b"0/9223372036854775808", None),
        (b"1/5", None),  # its own partition
        (b"4/5", None),  # no partition
        (b"99999999999/5", None),
        (b"-1/5", None),
        (b"3/-5", None),
        (b"03/5", None),
        (b"3/05", None),
        (b"3/5 ", None),
        (b"3/5\n", None),
        (b"3", None),
        (b"", None),
        ("٣/٥".encode(), None),
        (None, None),
    ],
)
def test_a_header_that_cannot_be_true_says_nothing(
    value: bytes | None, source: Source | None
) -> None:
    assert source_of([("trace", b"x"), (HEADER, value)], partition=1, partitions=4) == source


def test_a_source_that_is_named_twice_says_nothing() -> None:
    assert source_of([(HEADER, b"3/5"), (HEADER, b"2/5")], partition=1, partitions=4) is None
    assert source_of((), partition=1, partitions=4) is None


def test_a_copy_keeps_all_headers_but_what_says_where_it_comes_from() -> None:
    headers: Headers = [("a", b"1"), (HEADER, b"9/9"), ("b", None), ("a", b"\xff")]
    source = Source(2, 2**63 - 1)
    copied = headers_of_copy(headers, *source)
    assert copied[:-1] == [("a", b"1"), ("b", None), ("a", b"\xff")]
    assert source_of(copied, 0, 4) == source
    assert len(copied[-1][0]) + len(copied[-1][1] or b"") + 10 <= MAX_HEADER_BYTES


def read(value: bytes, partition: int = ELSEWHERE, key: str = TOOL, **more: Any) -> Read:
    return Read("t", partition, 0, 2**42, key.encode(), value, **more)


def verdict(tool: str) -> LaterVerdict:
    return LaterVerdict(
        verdict_id=uuid4(),
        execution_id=uuid4(),
        tool_name=tool,
        version_id=1,
        bad=True,
        by="judge",
        judged_at=datetime.now(UTC),
    )


def test_only_good_executions_and_verdicts_are_misplaced() -> None:
    validator = RecordValidator(Settings(), 4)
    for entry in (execution(TOOL), verdict(TOOL)):
        assert validator.log_entry(read(entry.to_bytes(), HOME)) is not None
        assert validator.log_entry(read(entry.to_bytes())) is None
    for bad in (
        read(execution(TOOL).to_bytes(), key="other"),
        read(b"{"),
        read(execution(TOOL).to_bytes()[:-1] + b',"x":"' + b"x" * MAX_RECORD_BYTES + b'"}'),
        read(execution(TOOL).to_bytes(), headers=[("x", b"x" * MAX_RECORD_BYTES)]),
    ):
        with pytest.raises(Rejected) as rejected:
            validator.log_entry(bad)
        assert not isinstance(rejected.value, WrongPartition)
    with pytest.raises(WrongPartition, match="an activation is in no other"):
        validator.log_entry(read(activation(TOOL, 1, 1).to_bytes()))


def test_a_clock_far_ahead_is_not_forgiven_on_the_way() -> None:
    late = read(execution(TOOL).to_bytes())
    late.timestamp = 0
    with pytest.raises(Rejected, match="ahead of the record's"):
        RecordValidator(Settings(), 4).log_entry(late)


def test_deployments_and_commands_are_good_in_every_partition() -> None:
    validator = RecordValidator(Settings(), 4)
    for partition in range(4):
        validator.deployment(read(deployment(TOOL, "x").to_bytes(), partition))
        validator.command(read(command_by_ann(TOOL).to_bytes(), partition))
    with pytest.raises(Rejected, match="is not its tool_name"):
        validator.deployment(read(deployment(TOOL, "x").to_bytes(), key="other"))
    with pytest.raises(Rejected, match="is not its tool_name"):
        validator.command(read(command_by_ann(TOOL).to_bytes(), key="other"))


def test_a_key_that_was_seen_elsewhere_is_not_taken_for_known() -> None:
    validator, known = RecordValidator(Settings(), 4), set[bytes]()
    validator.log_entry(read(execution(TOOL).to_bytes(), HOME), known)
    assert known == {TOOL.encode()}
    elsewhere = set[bytes]()
    for _ in range(2):
        assert validator.log_entry(read(execution(TOOL).to_bytes()), elsewhere) is None
    assert elsewhere == set()


def test_what_lies_where_the_old_number_of_partitions_puts_it_is_not_misplaced() -> None:
    before = next(n for n in range(1, 40) if partition_of(TOOL.encode(), n) == ELSEWHERE)
    validator = RecordValidator(Settings(partitions_before=before), 4)
    assert validator.log_entry(read(execution(TOOL).to_bytes())) is not None


class FailingProducer:
    """Notes the batches that are sent; each one whose number is in ``fails`` gets no answer."""

    def __init__(self, fails: Sequence[int]) -> None:
        self.fails = fails
        self.sent: list[tuple[int, list[bytes]]] = []
        self.open = 0
        self.most_open: dict[int, int] = {}
        self.bytes = 0

    def _ensure_producer(self) -> "FailingProducer":
        return self

    async def send_batch(self, batch: Any, _: str, *, partition: int) -> "asyncio.Future[None]":
        data = bytes(batch._build())
        self.bytes += len(data)
        keys = [record.key for record in DefaultRecordBatch(data)]
        self.sent.append((partition, keys))
        number = len(self.sent) - 1
        assert not self.most_open.get(partition), "one before was not acknowledged"
        self.most_open[partition] = 1

        async def answer() -> None:
            await asyncio.sleep(0)
            self.most_open[partition] = 0
            if number in self.fails:
                raise KafkaTimeoutError

        return asyncio.ensure_future(answer())


class _Driver:
    def __init__(self, producer: FailingProducer) -> None:
        self.producer = producer


async def test_no_copy_is_sent_before_all_earlier_ones_are_acknowledged() -> None:
    copies = [RecordCopy(b"%d" % number, b"x" * 100_000, [("h", None)]) for number in range(7)]
    producer = FailingProducer(fails=(1, 2, 5))
    outbox = Outbox(cast(Driver, _Driver(producer)), Waits())
    await outbox.append("t", {2: copies, 0: copies[:1]})
    of_two = [keys for partition, keys in producer.sent if partition == 2]
    assert len(of_two) > 3
    sent = [int(key) for keys in of_two for key in keys]
    for index, number in enumerate(sent):
        assert number <= max(sent[:index], default=-1) + 1, "one before it was never sent"
    assert sorted(set(sent)) == list(range(7))
    assert [keys for partition, keys in producer.sent if partition == 0][-1] == [b"0"]
    assert producer.bytes < 10_000, "what compresses well stays small"
