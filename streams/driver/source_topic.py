"""The topics that a role reads, as a channel of Faust."""

from typing import Any

import faust


class SourceTopic(faust.Topic):
    """A topic whose queue is not emptied when the flow is resumed after a rebalance.

    Faust sets the positions to the committed offsets first, and empties the queues then. A batch
    that was fetched and handed over in between would be lost, and never fetched again. A batch of
    an earlier assignment, which must not be handled, has another epoch. A batch that is handed over
    twice does no harm.
    """

    @property
    def queue(self) -> Any:
        """The queue of batches that wait for the agent."""
        if self._queue is None:
            self._queue = self.app.FlowControlQueue(
                maxsize=self.app.conf.stream_buffer_maxsize, clear_on_resume=False
            )
        return self._queue


def source_topic(app: faust.App, topics: list[str]) -> SourceTopic:
    """Return the topics as a channel of raw bytes.

    A record that cannot be decoded must reach our own code, which makes a dead letter of it. Faust
    acknowledges no batch of these topics: see ``BatchConsumer.mark_done``.
    """
    return SourceTopic(
        app,
        topics=topics,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        acks=False,
    )
