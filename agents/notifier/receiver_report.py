"""The report on one receiver: in the log, on ``/readyz`` and on ``/metrics``."""

from typing import Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agents.metrics.durations import TwoClocks
from policy.notifications.news import News
from policy.notifications.retrying import Answer
from streams.waits import Ticket

log = structlog.get_logger()

AGAIN_AFTER_S: Final = 600.0
"""While messages wait, the log says so this often."""
_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)


_SECONDS: Final = "notification"


class NotifierMetrics:
    """The metrics of all receivers of a worker. There are few receivers, so each is a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "rollguard_notifications",
            "messages to a receiver that are done: `delivered`, `nothing_new` (a chat knows it "
            "already), or `dead_letter` (nobody took it)",
            labelnames=["receiver", "result"],
            registry=registry,
        )
        self.failures = Counter(
            "rollguard_notification_failures",
            "tries that a receiver did not take",
            labelnames=["receiver"],
            registry=registry,
        )
        self.waiting = Gauge(
            "rollguard_notifications_waiting",
            "messages that were read and that the receiver has not taken yet",
            labelnames=["receiver"],
            registry=registry,
        )
        self.seconds = Histogram(
            "rollguard_notification_seconds",
            "time from the Kafka timestamp of the record until the receiver has taken its message",
            labelnames=["receiver"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.oldest = Gauge(
            "rollguard_oldest_waiting_notification_seconds",
            "how old the oldest message is that waits, since its record was in Kafka; 0 if none "
            "waits",
            labelnames=["receiver"],
            registry=registry,
        )
        self.failing = Gauge(
            "rollguard_receiver_failing_seconds",
            "for how long the receiver takes nothing, since the first try that failed; 0 if it "
            "takes messages",
            labelnames=["receiver"],
            registry=registry,
        )
        self.clocks = TwoClocks(registry, _SECONDS)


class Waiting(NamedTuple):
    """What waits for one receiver."""

    messages: int
    oldest_s: float
    """How old the oldest one is, since its record was in Kafka."""
    cause: str | None
    """Why the receiver takes nothing; None if it takes messages."""
    failing_s: float
    """For how long it takes nothing."""


class ReceiverReport:
    """Reports what becomes of the messages to one receiver.

    A worker whose receiver does not take messages is alive, but not ready.
    """

    def __init__(self, receiver: str, metrics: NotifierMetrics, ticket: Ticket) -> None:
        self._receiver = receiver
        self._ticket = ticket
        self._delivered = metrics.messages.labels(receiver, "delivered")
        self._nothing_new = metrics.messages.labels(receiver, "nothing_new")
        self._dead_letters = metrics.messages.labels(receiver, "dead_letter")
        self._failures = metrics.failures.labels(receiver)
        self._waiting = metrics.waiting.labels(receiver)
        self._seconds = metrics.seconds.labels(receiver)
        self._oldest = metrics.oldest.labels(receiver)
        self._failing = metrics.failing.labels(receiver)
        self._clocks = metrics.clocks
        self._told_at: float | None = None
        """When the log last said that messages wait; None if none do."""

    def delivered(self, news: News, tries: int, age_s: float) -> None:
        """Report that the receiver has taken a message."""
        self._delivered.inc()
        self._clocks.observe(_SECONDS, self._seconds, age_s)
        log.info("notified", **self._about(news), tries=tries, age_s=round(age_s, 1))

    def nothing_new(self) -> None:
        """Report that a message was left out, because the chat knows what it says."""
        self._nothing_new.inc()

    def failed(self, news: News, answer: Answer) -> None:
        """Report a try that failed."""
        self._failures.inc()
        log.debug("notification_failed", **self._about(news), cause=answer.text)

    def given_up(self, news: News, error: str) -> None:
        """Report that a message became a dead letter."""
        self._dead_letters.inc()
        log.error("notification_given_up", **self._about(news), cause=error)

    def tell(self, waiting: Waiting, now: float) -> None:
        """Report how many messages wait, and why if it is because of the receiver."""
        self._waiting.set(waiting.messages)
        self._oldest.set(max(waiting.oldest_s, 0.0))
        self._failing.set(0.0 if waiting.cause is None else waiting.failing_s)
        cause = waiting.cause
        if cause is None:
            self._ticket.over()
            if self._told_at is not None:
                log.info("receiver_takes_again", receiver=self._receiver)
            self._told_at = None
            return
        text = f"{cause} ({waiting.messages} messages wait, for {waiting.failing_s:.0f} s)"
        self._ticket.failed(f"receiver {self._receiver!r}", text)
        if self._told_at is None or now - self._told_at >= AGAIN_AFTER_S:
            log.warning(
                "receiver_takes_nothing",
                receiver=self._receiver,
                waiting=waiting.messages,
                cause=cause,
            )
            self._told_at = now

    def _about(self, news: News) -> dict[str, str | None]:
        return {
            "receiver": self._receiver,
            "type": news.type,
            "tool": news.tool_name,
            "message": str(news.id),
        }
