"""What an engine says of its tools: which version it has loaded, or could not load."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from aiokafka.errors import KafkaError

from rollguard_client.calls.failures import Failure
from rollguard_client.errors import Misconfigured, RollguardError
from rollguard_client.event_log import EventLog
from rollguard_client.kafka.access import KafkaSettings
from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.engine_report import EngineReport, report_key
from rollguard_client.messages.execution import Execution
from rollguard_client.registry.versions import Version
from rollguard_client.requests.asking import Record, open_producer

_AGAIN_S: Final = 900.0
"""How often everything is said again. By default the server forgets an engine after an hour."""
_GATHER_S: Final = 0.05
_PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
END_S: Final = 2.0
"""How long the end of an engine waits at most until its reports are taken back."""
_FAILED_LOADS: Final = UUID("3f0c1c6e-9d55-5b0e-9a53-0e8a0d7c4b19")


def failed_load_id(engine_id: str, tool_name: str, activation: int) -> UUID:
    """Return the id of the execution by which an engine says that it cannot load a version.

    It is always the same, so a try that is repeated counts once.
    """
    return uuid5(_FAILED_LOADS, f"{engine_id}/{activation}/{tool_name}")


class _Load(NamedTuple):
    """A load, and what went wrong with it."""

    version: Version
    failure: Failure | None
    at: datetime


class Reports:
    """The reports of one engine: of each tool the newest, published as soon as Kafka takes it.

    A version that cannot be loaded is an execution that has failed, too. So it is judged like any
    other failure, also if nobody calls the tool.
    """

    def __init__(
        self, settings: KafkaSettings, engine_id: Callable[[], str], log: EventLog
    ) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._engine_id = engine_id
        self._log = log
        self._loads: dict[str, _Load] = {}
        self._unsent: set[str] = set()
        self._failed: dict[str, Execution] = {}  # executions that are to be published, by tool
        self._said = ""
        self._begin()

    def _begin(self) -> None:
        self._changed = asyncio.Event()
        self._sending = asyncio.Lock()
        self._has_reported = False

    @property
    def has_last_words(self) -> bool:
        """Whether there is something to publish at the end, or to take back."""
        return self._has_reported or bool(self._failed)

    def after_fork(self) -> None:
        """Say everything again: the child is another engine."""
        self._begin()
        self._unsent = set(self._loads)

    def loaded(self, version: Version, failure: Failure | None) -> None:
        """Report that a version is in use now. Call it in the loop of ``run``."""
        load = _Load(version, failure, datetime.now(timezone.utc))
        self._loads[version.tool_name] = load
        if failure is not None:
            self._failed[version.tool_name] = self._execution(load, failure)
        self._change(version.tool_name)

    def dropped(self, tool_name: str) -> None:
        """Report that a tool is not in use any more. Call it in the loop of ``run``."""
        if self._loads.pop(tool_name, None) is not None:
            self._change(tool_name)

    def _change(self, tool_name: str) -> None:
        self._unsent.add(tool_name)
        self._changed.set()

    async def run(self) -> None:
        """Publish what is to be said, without end."""
        failures = 0
        while True:
            await self._something_is_to_be_said()
            try:
                await self._send_failed()
                await self._send(tuple(self._unsent))
            except Misconfigured as error:
                self._say(error)
                self._unsent.clear()  # it is tried again when everything is said again
            except (RollguardError, KafkaError, OSError, asyncio.TimeoutError):
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
            else:
                failures, self._said = 0, ""

    async def _something_is_to_be_said(self) -> None:
        if not self._unsent:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _AGAIN_S)
            except asyncio.TimeoutError:
                self._unsent |= self._loads.keys()
        await asyncio.sleep(_GATHER_S)  # several tools are often loaded at once

    async def _send_failed(self) -> None:
        """Publish the executions that say that a version cannot be loaded."""
        topic = self._topics.executions
        async with self._sending:  # so that the end of the engine does not publish them once more
            failed = dict(self._failed)
            if failed:
                await self._publish(
                    topic,
                    [
                        Record(topic, name.encode(), each.to_bytes())
                        for name, each in failed.items()
                    ],
                )
            for name, each in failed.items():
                if self._failed.get(name) is each:
                    del self._failed[name]

    async def _send(self, names: Sequence[str]) -> None:
        if not names:
            return
        engine_id, topic = self._engine_id(), self._topics.reports
        async with self._sending:  # so that the last word comes last
            sent = {name: self._loads.get(name) for name in names}
            records = [
                Record(topic, report_key(engine_id, name), self._value(load))
                for name, load in sent.items()
            ]
            await self._publish(topic, records)
            self._has_reported = True
        self._unsent -= {name for name, load in sent.items() if self._loads.get(name) is load}

    async def _publish(self, topic: str, records: Sequence[Record]) -> None:
        """Publish records. A connection is opened for them: there are few, now and then."""
        async with open_producer(self._settings) as producer:
            await producer.require_topic(topic)
            await producer.publish_all(records)

    def _value(self, load: _Load | None) -> bytes | None:
        """Return the value of a record; None takes back what was said of a tool."""
        if load is None:
            return None
        version, failure = load.version, load.failure
        return EngineReport(
            engine_id=self._engine_id(),
            tool_name=version.tool_name,
            version_id=version.version_id,
            version_number=version.version_number,
            activation=version.activation,
            ok=failure is None,
            error=None if failure is None else failure.error,
            error_type=None if failure is None else failure.error_type,
            loaded_at=load.at,
        ).to_bytes()

    def _execution(self, load: _Load, failure: Failure) -> Execution:
        version, engine_id = load.version, self._engine_id()
        return Execution(
            execution_id=failed_load_id(engine_id, version.tool_name, version.activation),
            tool_name=version.tool_name,
            version_id=version.version_id,
            success=False,
            error=failure.error,
            error_type=failure.error_type,
            error_origin=failure.error_origin,
            executed_at=load.at,
            engine_id=engine_id,
        )

    async def end(self, wait_s: float | None = None) -> None:
        """Say the last words, because the engine ends; whether that succeeds or not.

        Failed loads that are not published yet are published, within ``wait_s``. Everything else is
        taken back.
        """
        names, self._loads = tuple(self._loads), {}
        wait_s = END_S if wait_s is None else wait_s
        with suppress(RollguardError, KafkaError, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._send_failed(), wait_s)
            # What is not taken back is forgotten when nothing is heard of it for long enough.
            if self._has_reported:
                await asyncio.wait_for(self._send(names), min(wait_s, END_S))

    def _say(self, error: Misconfigured) -> None:
        """Log once that nobody learns which versions are in use here; everything else works."""
        if self._said != str(error):
            self._said = str(error)
            self._log.warning("loads_not_reported", error=str(error))
