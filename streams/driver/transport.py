"""Faust's transport over aiokafka, with the consumer and the producer of this folder.

``README.md`` in this folder lists what each of them relies on.
"""

from typing import ClassVar

import faust
from faust.transport.drivers import aiokafka as faust_aiokafka

from streams.driver.consumer import BatchConsumer
from streams.driver.producer import Producer
from streams.suspend_watchdog import SuspendWatchdog


class BatchTransport(faust_aiokafka.Transport):
    """A transport that fetches batches."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[Producer]] = Producer


def install_transport(app: faust.App, watchdog: SuspendWatchdog | None = None) -> None:
    """Make an app that was created with a ``BatchScheduler`` use this transport.

    The producer asks ``watchdog`` before each request.
    """

    class WatchedProducer(Producer):
        suspend_watchdog = watchdog

    class WatchedTransport(BatchTransport):
        Producer = WatchedProducer

    app.transport = WatchedTransport(app.conf.broker, app)
