"""The Faust app of a role, and its settings: each with the reason why."""

from typing import Any

import faust
from yarl import URL

from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.access import ssl_context
from streams.driver.batches import BatchScheduler, SourceTopic, install
from streams.suspend_watchdog import SuspendWatchdog
from streams.topics import group_of


def create_app(
    role: str,
    settings: Settings,
    source_topics: list[str],
    partitions: int,
    *,
    watchdog: SuspendWatchdog | None = None,
    url: str | None = None,
    **overrides: Any,
) -> faust.App:
    """An app of its own consumer group that reads ``source_topics`` in batches.

    ``guard`` is asked before anything is sent; ``url`` is where other workers of the role reach
    this one. Nothing connects before it starts.
    """

    class Scheduler(BatchScheduler):
        pass

    Scheduler.source_topics = frozenset(source_topics)
    Scheduler.fetch_wait_ms = settings.fetch_wait_ms
    options: dict[str, Any] = {
        "broker": [URL(f"kafka://{broker}") for broker in settings.kafka_brokers],
        "store": "memory://",
        "datadir": str(settings.data_dir / role),
        "ConsumerScheduler": Scheduler,
        "processing_guarantee": "at_least_once",
        "consumer_auto_offset_reset": "earliest",
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": settings.session_timeout_s / 5,
        "broker_max_poll_interval": settings.max_poll_interval_s,
        "broker_max_poll_records": settings.max_poll_records,
        "broker_commit_interval": 0.5,
        "consumer_max_fetch_size": MAX_REQUEST_BYTES,
        # Faust stops to fetch at 4/5 of this, and a fetch in hand may add a batch of each
        # partition. It must never be full: who waits to put a batch then is not always woken.
        "stream_buffer_maxsize": 8 * partitions * len(source_topics),
        # What is in hand at a rebalance is replayed by its next owner.
        "stream_wait_empty": False,
        "producer_acks": -1,
        "producer_max_request_size": MAX_REQUEST_BYTES,
        # The rows that a batch touched go to the changelog in few batches of their own.
        "producer_max_batch_size": 1_000_000,
        "table_standby_replicas": 0,
        # Rows kept on disk that are beyond their changelog are found when they are first read.
        "recovery_consistency_check": False,
        "topic_partitions": partitions,
        "topic_disable_leader": True,
        # They are made by `rollguard topics` alone; a worker needs no right to create any.
        "topic_allow_declare": False,
        "web_enabled": False,
        "canonical_url": url or f"http://{settings.web_host}:{settings.port_of(role)}",
    }
    options["broker_credentials"] = _credentials(settings)
    if settings.worker_name is not None:
        options["consumer_group_instance_id"] = settings.worker_name
    app = faust.App(group_of(settings, role), **(options | overrides))
    install(app, watchdog)
    return app


def _credentials(settings: Settings) -> Any:
    """As `streams.access` has them for other clients; None for plain text."""
    context = ssl_context(settings) if settings.kafka_security.endswith("ssl") else None
    if settings.kafka_security.startswith("sasl"):
        assert settings.kafka_password is not None
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return context and faust.SSLCredentials(context)


def source_channel(app: faust.App, topics: list[str]) -> Any:
    """The topics as raw bytes: what does not decode must reach our own code, not Faust's.

    Faust acknowledges nothing of them: see ``BatchConsumer.mark_done``.
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
