"""Every name that the documentation mentions exists: paths, modules, settings, verbs, options."""

import re
from pathlib import Path
from typing import Final

import pytest

from documentation.command_line import options_of, verbs
from documentation.log_events import files_with_loggers, log_events
from documentation.metrics import metrics
from documentation.settings import variables
from tests.docs.pages import ROOT, pages

_ROOMS: Final = (
    "agents|bench|compose|db|documentation|docs|examples|policy|rollguard|schemas|simulate|"
    "streams|tests"
)
_PATH: Final = re.compile(rf"(?<![\w./-])((?:{_ROOMS})/[\w./-]*[\w/])")
_MODULE: Final = re.compile(rf"`((?:{_ROOMS})(?:\.\w+)+)`")
_SETTING: Final = re.compile(r"ROLLGUARD_[A-Z][A-Z_]*[A-Z]")
_VERB: Final = re.compile(r"(?:\$ |`)rollguard ([a-z][\w-]*)([^`\n|&;]*)")
_OPTION: Final = re.compile(r"(?<=\s)(--[a-z][\w-]*)")
_NOT_OURS: Final = frozenset({"ROLLGUARD_TEST_FUZZ_SEED", "ROLLGUARD_POSTGRES_DSN_BASE"})
_METRIC: Final = re.compile(r"rollguard_[a-z]+(?:_[a-z]+)*")
_DATABASE_ROLES: Final = frozenset(
    f"rollguard_{role}" for role in ("applier", "recorder", "reader", "operator")
)

each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_paths_exist(page: Path) -> None:
    for path in _PATH.findall(page.read_text("utf-8")):
        assert (ROOT / path).exists() or list(ROOT.glob(f"{path}*")), path


@each_page
def test_modules_exist(page: Path) -> None:
    for dotted in _MODULE.findall(page.read_text("utf-8")):
        parts = dotted.split(".")
        found = any(
            (ROOT.joinpath(*parts[:depth])).is_dir()
            or ROOT.joinpath(*parts[:depth]).with_suffix(".py").exists()
            for depth in (len(parts), len(parts) - 1)
        )
        assert found, dotted


@each_page
def test_settings_exist(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text("utf-8"))) - _NOT_OURS
    assert named <= variables()


@each_page
def test_verbs_and_options_exist(page: Path) -> None:
    known = verbs()
    text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
    for verb, rest in _VERB.findall(text):
        assert verb in known, verb
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
    assert {file.path for file in files_with_loggers()} <= listed


def test_code_mentions_pages_that_exist() -> None:
    for room in _ROOMS.split("|"):
        for file in (ROOT / room).rglob("*.py"):
            for path in re.findall(r"docs/[\w./-]+\.md", file.read_text("utf-8")):
                assert (ROOT / path).exists(), (file, path)
