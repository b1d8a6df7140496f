"""One line an event: structlog for our own, and the same form for what the libraries log."""

import logging
import sys

import structlog

from schemas.settings import Settings


def configure_logs(settings: Settings, role: str) -> None:
    """Log to stderr, as text or as JSON; libraries from warnings on."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("schemas", "streams", "agents", "db", "rollguard"):
        logging.getLogger(name).setLevel(level)
    # The services of Faust that are subclassed there say when they stop.
    logging.getLogger("streams.driver.batches").setLevel(logging.WARNING)
    # Says at every rebalance what is normal at a rebalance.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)
