"""The producer of a role: a flush that waits for exactly what was sent before it."""

from typing import Any, ClassVar

from faust.transport.drivers import aiokafka as faust_aiokafka

from streams.suspend_watchdog import SuspendWatchdog


class Producer(faust_aiokafka.Producer):
    """Faust's producer with an exact flush, and with the role's suspend watchdog, if it has one.

    Faust's flush waits for a buffer between Faust and the producer. A role sends nothing through
    that buffer.
    """

    suspend_watchdog: ClassVar[SuspendWatchdog | None] = None

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        if self.suspend_watchdog is not None:
            self.suspend_watchdog.before_requests_of(producer.client)
        return producer

    async def flush(self) -> None:
        """Return when everything that was sent before is acknowledged."""
        if self._producer is not None:
            await self._producer.flush()
