"""The log: one line for each event, in the same form for this product and for its libraries."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from textwrap import indent
from typing import Any, Final

import structlog

from schemas.printable import printable
from schemas.settings import Settings

_TRACEBACKS: Final = ("exception", "stack")
_MOST_CHARACTERS: Final = 2_000
_MOST_OF_TRACEBACK: Final = 20_000


def bounded(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Cut what is long, because whoever sends a message decides how long its texts are.

    Of a traceback the end is kept, which says most, and of other texts the beginning.
    """
    for name, value in event.items():
        if value is None or isinstance(value, bool | float):
            continue
        text = value if isinstance(value, str) else repr(value)
        if name in _TRACEBACKS:
            if len(text) > _MOST_OF_TRACEBACK:
                event[name] = f"({len(text)} characters) …{text[-_MOST_OF_TRACEBACK:]}"
        elif len(text) > _MOST_CHARACTERS:
            event[name] = f"{text[:_MOST_CHARACTERS]}… ({len(text)} characters)"
    return event


def configure_logs(settings: Settings, role: str) -> None:
    """Log to stderr, as text or as JSON. Of libraries, only warnings and errors are logged."""
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
                bounded,
                *(() if settings.log_json else (_with_printable_texts,)),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("schemas", "streams", "agents", "db", "rollguard", "console"):
        logging.getLogger(name).setLevel(level)
    # The subclasses of Faust's services there log their starts and stops at level INFO.
    logging.getLogger("streams.driver").setLevel(logging.WARNING)
    # It logs a warning at every rebalance, although nothing is wrong.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)


def _with_printable_texts(
    _logger: Any, _level: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Return the event with texts that a terminal does not obey and that forge no other event.

    The lines of a traceback are indented, because an error may have line breaks, too.
    """
    return {
        printable(str(name)): indent(printable(value, keep_lines=True), "    ")
        if name in _TRACEBACKS and isinstance(value, str)
        else _printable_value(value)
        for name, value in event.items()
    }


def _printable_value(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value))
