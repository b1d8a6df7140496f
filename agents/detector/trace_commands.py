"""The traces of rollbacks, from the execution that caused the command to the command in Kafka.

Of all executions, only the headers of that one are read.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from aiokafka.structs import ConsumerRecord

from agents.traces.messaging import processing, sending
from agents.traces.span import Attributes
from agents.traces.tracer import Tracer, Work
from policy.decision.fold import DecidedCommand
from rollguard_client.traces import attributes as names
from rollguard_client.traces.context import trace_context_in
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from streams.topics import Topics, group_of

_offset: Final = attrgetter("offset")


class TracedCommand(NamedTuple):
    """A command, and the record that demanded it."""

    command: RollbackCommand
    record: ConsumerRecord
    judging: Work
    sending: Work


class TraceCommands:
    """Makes two spans of each command: of judging the execution, and of sending the command."""

    def __init__(self, tracer: Tracer, settings: Settings) -> None:
        self._tracer = tracer
        self._group = group_of(settings, "detector")
        self._topic = Topics.of(settings).commands

    def of(
        self, decided: Sequence[DecidedCommand], records: Sequence[ConsumerRecord]
    ) -> list[TracedCommand]:
        """Return the commands with their traces. ``records`` are those of the batch, in order."""
        return [self._of(each, records) for each in decided]

    def _of(self, decided: DecidedCommand, records: Sequence[ConsumerRecord]) -> TracedCommand:
        record = records[bisect_left(records, decided.offset, key=_offset)]
        command = decided.command
        name = f"command {command.tool_name} {command.command_id}"
        judging = self._tracer.work(name, trace_context_in(record.headers))
        return TracedCommand(command, record, judging, judging.part("send"))

    def sent(self, traced: Sequence[TracedCommand], began_ns: int) -> None:
        """Make the spans of commands that Kafka has acknowledged."""
        now_ns = time.time_ns()
        for each in traced:
            about, record = _about(each.command), each.record
            self._tracer.end(
                each.judging,
                f"process {record.topic}",
                "consumer",
                record.timestamp * 1_000_000,
                now_ns,
                (processing(record, self._group), about),
            )
            self._tracer.end(
                each.sending,
                f"send {self._topic}",
                "producer",
                began_ns,
                now_ns,
                (sending(self._topic, each.command.tool_name), about),
            )


def _about(command: RollbackCommand) -> Attributes:
    about: dict[str, str | int] = {
        names.TOOL: command.tool_name,
        names.COMMAND_ID: str(command.command_id),
        names.REASON: command.reason,
        names.TIER: command.tier,
    }
    if command.from_version_id is not None:
        about[names.FROM_VERSION] = command.from_version_id
    return about
