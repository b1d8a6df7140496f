"""The Faust app of a role. Comments give the reasons of settings."""

from typing import Any

import faust
from yarl import URL

from rollguard_client.kafka.access import ssl_context
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.client_ids import own_client_id
from streams.driver.scheduler import BatchScheduler
from streams.driver.transport import install_transport
from streams.suspend_watchdog import SuspendWatchdog
from streams.topics import group_of


def create_app(
    group: str,
    settings: Settings,
    source_topics: list[str],
    partitions: int,
    *,
    watchdog: SuspendWatchdog | None = None,
    url: str | None = None,
    max_poll_records: int | None = None,
) -> faust.App:
    """Return an app that reads ``source_topics`` in batches, in a consumer group of its own.

    ``group`` is that of a role, by the role's name; a notifier has one for each receiver.
    ``watchdog`` is asked before anything is sent. ``url`` is the address at which other workers of
    the role reach this one. ``max_poll_records`` is the largest number of records in a batch, if
    it is not that of the settings. Nothing connects before the app starts.
    """

    class Scheduler(BatchScheduler):
        pass

    Scheduler.source_topics = frozenset(source_topics)
    Scheduler.fetch_wait_ms = settings.fetch_wait_ms
    options: dict[str, Any] = {
        "broker": [URL(f"kafka://{broker}") for broker in settings.kafka_brokers],
        "store": "memory://",
        "datadir": str(settings.data_dir / group),
        "ConsumerScheduler": Scheduler,
        "processing_guarantee": "at_least_once",
        "broker_client_id": own_client_id(),
        "consumer_auto_offset_reset": "earliest",
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": settings.session_timeout_s / 5,
        "broker_max_poll_interval": settings.max_poll_interval_s,
        "broker_max_poll_records": max_poll_records or settings.max_poll_records,
        "broker_commit_interval": 0.5,
        "consumer_max_fetch_size": MAX_REQUEST_BYTES,
        # Faust stops fetching when the buffer is 4/5 full, and a fetch that is under way may add a
        # batch of each partition. The buffer must never be full: a task that waits to put a batch
        # into a full buffer is not always woken.
        "stream_buffer_maxsize": 8 * partitions * len(source_topics),
        # A batch that is being handled at a rebalance is read again by the next owner.
        "stream_wait_empty": False,
        "producer_acks": -1,
        "producer_max_request_size": MAX_REQUEST_BYTES,
        # The rows that a batch of executions changes go to the changelog in a few large batches.
        "producer_max_batch_size": 1_000_000,
        "table_standby_replicas": 0,
        # Faust would fail if the offset on disk is beyond the end of the changelog. The detector
        # itself checks, when it reads a row, that the row is not of an earlier topic.
        "recovery_consistency_check": False,
        "topic_partitions": partitions,
        "topic_disable_leader": True,
        # Only `rollguard topics` creates topics; a worker needs no right to create any.
        "topic_allow_declare": False,
        "web_enabled": False,
        # Only the detector has a table, and is asked by others.
        "canonical_url": url or f"http://{settings.web_host}",
    }
    options["broker_credentials"] = _credentials(settings)
    if settings.worker_name is not None:
        options["consumer_group_instance_id"] = settings.worker_name
    app = faust.App(group_of(settings, group), **options)
    install_transport(app, watchdog)
    return app


def _credentials(settings: Settings) -> Any:
    """Return the credentials in the form that Faust takes; None for a connection without TLS."""
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
