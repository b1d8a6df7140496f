"""The reference of the log events: every call of a logger with an event's name and its fields."""

import ast
from collections import defaultdict
from functools import cache
from typing import Final, NamedTuple

from documentation.log_event_meanings import MEANINGS
from documentation.markdown import code, table
from documentation.source import SourceFile, calls, registry_files, source_files, text_of

LEVELS: Final = ("debug", "info", "warning", "error", "exception", "critical")
_NO_FIELDS: Final = frozenset({"exc_info", "stack_info"})


class LogEvent(NamedTuple):
    """An event at one level; ``fields`` and ``paths`` of all calls that log it."""

    name: str
    level: str
    fields: tuple[str, ...]
    paths: tuple[str, ...]


@cache
def log_events() -> list[LogEvent]:
    """Return every event of the product, by name and level."""
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    paths: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in (*source_files(), *registry_files()):
        chosen = _chosen_levels(file.tree)
        for call in calls(file.tree):
            event = text_of(call.args[0]) if call.args else None
            if event is None or " " in event:  # a text of the client's own log
                continue
            for level in _levels(call, chosen):
                fields[event, level] |= _fields(call)
                paths[event, level].add(file.path)
    return [
        LogEvent(event, level, tuple(sorted(fields[event, level])), tuple(sorted(where)))
        for (event, level), where in sorted(paths.items())
    ]


def log_events_reference() -> str:
    """Return the table of all events. Raises KeyError if an event has no meaning."""
    rows = [
        (
            code(each.name),
            each.level,
            MEANINGS[each.name],
            ", ".join(map(code, each.fields)),
            ", ".join(map(code, each.paths)),
        )
        for each in log_events()
    ]
    return table(("event", "level", "meaning", "fields", "logged in"), rows)


def files_with_loggers() -> list[SourceFile]:
    """Return the files that get a logger of structlog."""
    return [file for file in source_files() if "structlog.get_logger" in ast.unparse(file.tree)]


def _levels(call: ast.Call, chosen: dict[str, set[str]]) -> set[str]:
    """Return the levels at which a call may log; nothing if it does not log."""
    if isinstance(call.func, ast.Name):
        return chosen.get(call.func.id, set())
    level = _level(call.func)
    return set() if level is None else {level}


def _level(method: ast.expr) -> str | None:
    """Return the level of a method such as ``log.info``; None if it is no such method."""
    if not isinstance(method, ast.Attribute) or method.attr not in LEVELS:
        return None
    logger = method.value
    while isinstance(logger, ast.Call) and isinstance(logger.func, ast.Attribute):
        logger = logger.func.value
    name = logger.id if isinstance(logger, ast.Name) else getattr(logger, "attr", "")
    return method.attr if name.strip("_") in ("log", "logger") else None


def _chosen_levels(tree: ast.Module) -> dict[str, set[str]]:
    """Return the levels of each name that is assigned a method of a logger: ``say = log.info``."""
    chosen: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            methods = [each for each in ast.walk(node.value) if isinstance(each, ast.Attribute)]
            levels = {level for each in methods if (level := _level(each)) is not None}
            if levels and not isinstance(node.value, ast.Call):
                chosen[node.targets[0].id] |= levels
    return chosen


def _fields(call: ast.Call) -> set[str]:
    return {each.arg for each in call.keywords if each.arg is not None} - _NO_FIELDS
