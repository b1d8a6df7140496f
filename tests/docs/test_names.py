"""Every name that the documentation mentions exists: paths, modules, settings, verbs, options."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, get_args

import pytest

from documentation.command_line import options_of, verbs
from documentation.log_event_meanings import MEANINGS
from documentation.log_events import files_with_loggers, log_events
from documentation.metrics import metrics
from documentation.settings import variables
from policy.notifications.news import EventType
from rollguard_client.settings.settings import VARIABLES
from rollguard_client.spans.tool_spans import DECORATED, PROCESSED, VERSION
from rollguard_client.traces.attributes import NAMES as OF_TRACES
from tests.docs.pages import ROOT, pages

_ROOMS: Final = (
    "agents|bench|compose|console|db|documentation|docs|examples|policy|rollguard|schemas|signatures|"
    "simulate|streams|tests"
)
_PATH: Final = re.compile(rf"(?<![\w./-])((?:{_ROOMS})/[\w./-]*[\w/])")
_DOTTED: Final = re.compile(rf"`((?:{_ROOMS})(?:\.\w+)+)`")
_IDENTIFIER: Final = re.compile(r"`([a-z]\w*_\w*)`")
_CODE_ROOMS: Final = (
    *("agents", "clients", "console", "db", "examples", "policy", "rollguard", "schemas"),
    *("signatures", "simulate", "streams"),
)
_SETTING: Final = re.compile(r"ROLLGUARD_[A-Z][A-Z_]*[A-Z]")
_VERB: Final = re.compile(r"(?:\$ |`)rollguard ([a-z][\w-]*)([^`\n|&;]*)")
_OPTION: Final = re.compile(r"(?<=\s)(--[a-z][\w-]*)")
_NOT_OURS: Final = frozenset({"ROLLGUARD_CLIENT", "ROLLGUARD_TEST", "ROLLGUARD_TEST_FUZZ_SEED"})
_OF_SPANS: Final = frozenset({DECORATED, PROCESSED, VERSION}) | OF_TRACES
"""Attributes of spans, which look like names in the code."""
_METRIC: Final = re.compile(r"rollguard_[a-z]+(?:_[a-z]+)*")
_EVENT_TYPES: Final = frozenset(get_args(EventType))
"""Types of CloudEvents, which look like names of modules."""
_DATABASE_ROLES: Final = frozenset(
    f"rollguard_{role}" for role in ("applier", "recorder", "reader", "operator")
)

each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_paths_exist(page: Path) -> None:
    for path in _PATH.findall(page.read_text("utf-8")):
        assert (ROOT / path).exists() or list(ROOT.glob(f"{path}*")), path


@each_page
def test_dotted_names_exist(page: Path) -> None:
    """Whole: `policy.decision.threshold_rules.no_rule_can_hold` is a function of that module."""
    for dotted in set(_DOTTED.findall(page.read_text("utf-8"))) - _OF_SPANS - _EVENT_TYPES:
        assert _exists(dotted), dotted


def _exists(dotted: str) -> bool:
    """Return whether the name leads to a module, or to a name in a module or in its class."""
    parts = dotted.split(".")
    for depth in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:depth])
        if path.is_dir() or path.with_suffix(".py").exists():
            found = import_module(".".join(parts[:depth])) if depth < len(parts) else None
            return depth == len(parts) or _has(found, parts[depth:])
    return False


def _has(found: object, names: list[str]) -> bool:
    for name in names:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


@each_page
def test_identifiers_are_in_the_code(page: Path) -> None:
    """Functions, fields, settings and columns: names that have an underscore."""
    named = set(_IDENTIFIER.findall(page.read_text("utf-8")))
    metric_names = {metric.name for metric in metrics()}
    assert named - _identifiers_in_the_code() - metric_names - _DATABASE_ROLES == set()


@cache
def _identifiers_in_the_code() -> frozenset[str]:
    found: set[str] = set()
    for room in _CODE_ROOMS:
        for pattern in ("*.py", "*.sql"):
            for file in (ROOT / room).rglob(pattern):
                found.update(re.findall(r"\w+", file.read_text("utf-8")))
    return frozenset(found)


@each_page
def test_settings_exist(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text("utf-8"))) - _NOT_OURS
    assert named <= variables() | VARIABLES.keys()


@each_page
def test_verbs_and_options_exist(page: Path) -> None:
    known = verbs()
    text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
    for first, rest in _VERB.findall(text):
        verb = f"{first} {rest.split()[0]}" if first == "keys" and rest.split() else first
        assert verb in known or verb == "keys", verb
        if verb == "keys":
            continue
        given = set(_OPTION.findall(rest))
        assert given <= options_of(known[verb]), (verb, given)


@each_page
def test_metrics_exist(page: Path) -> None:
    known = {metric.name for metric in metrics()}
    text = page.read_text("utf-8")
    for name in set(_METRIC.findall(text)) - _DATABASE_ROLES - {"rollguard_client"}:
        assert name in known, name


def test_every_file_with_a_logger_has_its_events_in_the_reference() -> None:
    listed = {path for event in log_events() for path in event.paths}
    listed.add(
        "rollguard/registry/tool_registry.py"
    )  # it hands its logger to the client's registry
    assert {file.path for file in files_with_loggers()} <= listed


def test_every_log_event_has_a_meaning_and_no_meaning_is_left_over() -> None:
    assert {event.name for event in log_events()} == MEANINGS.keys()


def test_code_mentions_pages_that_exist() -> None:
    for room in _ROOMS.split("|"):
        for file in (ROOT / room).rglob("*.py"):
            for path in re.findall(r"docs/[\w./-]+\.md", file.read_text("utf-8")):
                assert (ROOT / path).exists(), (file, path)
