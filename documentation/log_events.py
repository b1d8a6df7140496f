"""The reference of the log events: every call of a logger with an event's name and its fields."""

import ast
from collections import defaultdict
from typing import Final, NamedTuple

from documentation.markdown import code, table
from documentation.source import SourceFile, calls, source_files, text_of

LEVELS: Final = ("debug", "info", "warning", "error", "exception", "critical")
_NO_FIELDS: Final = frozenset({"exc_info", "stack_info"})


class LogEvent(NamedTuple):
    """An event at one level; ``fields`` and ``paths`` of all calls that log it."""

    name: str
    level: str
    fields: tuple[str, ...]
    paths: tuple[str, ...]


def log_events() -> list[LogEvent]:
    """Return every event of the product, by name and level."""
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    paths: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in source_files():
        for call in calls(file.tree):
            level = _level(call)
            event = text_of(call.args[0]) if call.args else None
            if level is None or event is None:
                continue
            fields[event, level] |= _fields(call)
            paths[event, level].add(file.path)
    return [
        LogEvent(event, level, tuple(sorted(fields[event, level])), tuple(sorted(where)))
        for (event, level), where in sorted(paths.items())
    ]


def log_events_reference() -> str:
    """Return the table of all events."""
    rows = [
        (
            code(each.name),
            each.level,
            ", ".join(map(code, each.fields)),
            ", ".join(map(code, each.paths)),
        )
        for each in log_events()
    ]
    return table(("event", "level", "fields", "logged in"), rows)


def files_with_loggers() -> list[SourceFile]:
    """Return the files that get a logger of structlog."""
    return [file for file in source_files() if "structlog.get_logger" in ast.unparse(file.tree)]


def _level(call: ast.Call) -> str | None:
    """Return the level of a call such as ``log.info(…)``; None if it is no such call."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in LEVELS:
        return None
    logger = call.func.value
    while isinstance(logger, ast.Call) and isinstance(logger.func, ast.Attribute):
        logger = logger.func.value
    name = logger.id if isinstance(logger, ast.Name) else getattr(logger, "attr", "")
    return call.func.attr if name.strip("_") in ("log", "logger") else None


def _fields(call: ast.Call) -> set[str]:
    return {each.arg for each in call.keywords if each.arg is not None} - _NO_FIELDS
