"""Every field of every verb with hostile characters: nothing goes around the one escape."""

import json
import re
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, Final
from unittest.mock import Mock

import pytest
from rich.console import Console

from db.replays import RecordPosition, Replay
from db.rollbacks.records import RollbackRecord
from db.rollbacks.trust import Target
from db.versions.held import HeldDeployment
from db.versions.reading import VersionRecord
from policy.backtest.trials import Decision, Trial, Trials
from policy.breaking.finding import Finding
from rollguard.backtest_sources.run import Backtested
from rollguard.cli.app import VERBS
from rollguard.cli.process.exit_code import exit_code_of
from rollguard.cli.show.backtest import show_backtest
from rollguard.cli.show.comparison import show_comparison
from rollguard.cli.show.config import show_settings
from rollguard.cli.show.dead_letters import (
    show_causes,
    show_dead_letter,
    show_dead_letters,
    show_replays,
)
from rollguard.cli.show.engines import show_engines
from rollguard.cli.show.health import show_check, show_health
from rollguard.cli.show.holds import (
    show_approval,
    show_dismissal,
    show_holds,
)
from rollguard.cli.show.notifications import show_receivers, show_tested
from rollguard.cli.show.overview import show_status, show_tools
from rollguard.cli.show.records import (
    show_bad_line,
    show_erased,
    show_pruned,
    show_recorded,
    show_to_prune,
    show_verdict,
)
from rollguard.cli.show.rollbacks import show_explanation, show_outcome, show_rollbacks
from rollguard.cli.show.stops import (
    show_ended,
    show_pin,
    show_pins,
    show_rejected,
    show_stop,
    show_stops,
    show_unpinned,
)
from rollguard.cli.show.versions import show_history, show_version
from rollguard.demo.live_view import LiveView
from rollguard.demo.results import DemoResult, print_results
from rollguard.management.version_comparison import comparison_of
from rollguard.operations.dead_letters.bad_records import BadRecord
from rollguard.operations.dead_letters.causes import Causes, causes_of
from rollguard.operations.dead_letters.dead_letters import BadRecordInFull, BadRecordList
from rollguard.operations.dead_letters.replay import NotReplayed, Replayed, Replays
from rollguard.operations.erase import Erasure, KafkaKeeps
from rollguard.operations.notifications import ShownReceiver, TriedReceiver
from rollguard.operations.overview.engines import EngineOfTool
from rollguard.operations.overview.status import SystemStatus
from rollguard.operations.overview.tools import ToolAtAGlance
from rollguard.operations.prune import Pruned
from rollguard.operations.records import BadLine, Recorded
from rollguard.operations.rollbacks import RollbackExplanation
from rollguard.operations.stops import RejectedVersion
from rollguard.operations.versions import FoundVersion, ToolHistory
from rollguard.printing import on_terminal, print_json, print_line
from schemas.configuration.settings_report import SettingInForce
from schemas.deployment import DISMISSED, Check, DeploymentOutcome, RolledBack
from schemas.errors import Rejected
from schemas.later_verdict import LaterVerdict
from schemas.notify_file import Route
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from schemas.stops import Pin, Stop
from tests.support.inputs.hostile import HOSTILE, NOON, TEXT, filled

_COLOURS: Final = re.compile(r"\x1b\[(?!35m)[\d;]*m")
"""Those of our own outputs; the hostile text has another one."""
_PLAIN: Final = "a plain text"


def version(text: str, *, code: str) -> VersionRecord:
    rollbacks = [filled(RollbackRecord, text)]
    hold, checks = filled(HeldDeployment, text, status="dismissed"), [filled(Check, text)]
    more = {"hold": hold, "checks": checks, "stops": [stop(text, "pin")]}
    return filled(VersionRecord, text, code=code, rollbacks=rollbacks, **more)


def stop(text: str, kind: str) -> Stop:
    return filled(Stop, text).model_copy(update={"kind": kind})


def reject(text: str, as_json: bool) -> None:
    for way_back in (None, Target(1, 1, "")):
        show_rejected(RejectedVersion(stop(text, "rejection"), True, way_back), as_json)


def code_of(text: str) -> str:
    """Return the text as code, which is printed unchanged in a pipe, so that ``patch`` accepts it.

    Its lines stay lines on a terminal, too.
    """
    return re.sub(r"[\n\t]", "", text) if on_terminal() else "x = 1\n"


def outcomes(text: str) -> list[RollbackOutcome]:
    return [
        filled(RollbackOutcome, text, status=status, rejection=rejection)
        for status, rejection in (("applied", None), ("rejected", text), ("held", None))
    ]


def deployment_outcomes(text: str) -> list[DeploymentOutcome]:
    rolled_back = filled(RolledBack, text)
    return [
        filled(DeploymentOutcome, text, version_id=None, **more)
        for more in (
            {"status": "refused", "rolled_back": rolled_back},
            {"status": "refused", "rolled_back": None, "stopped": stop(text, "wait")},
            {"status": "held", "refusal": DISMISSED + text, "rolled_back": None, "stopped": None},
        )
    ] + [filled(DeploymentOutcome, text, status="created")]


def approve(text: str, as_json: bool) -> None:
    for each in outcomes(text):
        show_approval(each, as_json)
    for outcome in deployment_outcomes(text):
        show_approval(outcome, as_json)


def dismiss(text: str, as_json: bool) -> None:
    for each in outcomes(text):
        show_dismissal(each, as_json)
    for outcome in deployment_outcomes(text):
        show_dismissal(outcome, as_json)


def explain(text: str, as_json: bool) -> None:
    for given in ({}, {"status": "held"}, {"expires_at": None, "dismissed_by": None}):
        command = filled(RollbackRecord, text, **given)
        show_explanation(filled(RollbackExplanation, text, command=command), as_json)


def compare(text: str, as_json: bool) -> None:
    before, after = (version(text, code=code_of(text)) for _ in range(2))
    diff = f"+{code_of(text)}\n"
    found = comparison_of(before, after, diff, [filled(Finding, text, severity="breaking")])
    found["findings"][0]["accepted"] = text
    show_comparison(found, as_json)


def dead_letters(text: str, as_json: bool) -> None:
    position = RecordPosition(text, 0, 1)
    replay = Replay(NOON, position)
    for key in (text.encode(errors="ignore"), b"\xff"):
        record = filled(BadRecord, text, position=position, key=key)
        found = BadRecordList([record], 1, 0, {position: replay}, [text])
        show_dead_letters(found, as_json)
        show_causes(Causes(causes_of([record]), [text]), as_json)
        value = re.sub(r"[\n\t]", "", text).encode(errors="ignore")
        show_dead_letter(BadRecordInFull(found, value), as_json)


def notify(text: str, as_json: bool) -> None:
    route = Route.model_construct(tools=[text], tiers=None, statuses=None)
    show_receivers([ShownReceiver(text, text, text, [route])], as_json)
    show_tested([filled(TriedReceiver, text)], as_json)


def replay(text: str, as_json: bool) -> None:
    position = RecordPosition(text, 0, 1)
    refused = [NotReplayed(position, text)]
    show_replays(Replays([filled(Replayed, text, position=position)], refused), as_json)


def backtest(text: str, as_json: bool) -> None:
    decision = Decision(0, 1, 1, filled(RollbackCommand, text))
    trial = Trial(text, 1, 1, 1, 0, [decision, None], 5, 5, 1, 0, [1, 0])
    policies: Any = [Mock(text=text), Mock(text="seed")]
    found = Backtested(policies, Trials(1, 1, 1, 1, [trial], 5, [1, 0]), 1)
    show_backtest(found, as_json)


def health(text: str, as_json: bool) -> None:
    inner = {text: text, "inner": {text: [text]}}
    found: dict[str, Any] = {
        "tool_name": text,
        "version_number": 1,
        "version_id": 1,
        "activated_at": "2026-01-31T12:00:00Z",
        "windows": {
            text: {"failures": text, "executions": text, "window_s": text},
            "standard": {"failures": 1, "executions": 1, "window_s": 1},
        },
        "not_judged": {text: 1},
        "recent": [
            {
                "executed_at": "2026-01-31T12:00:00Z",
                "success": False,
                "error_type": text,
                "execution_id": text,
            }
        ],
        "rules": [
            dict.fromkeys(
                (
                    *("tier", "reason", "holds", "value", "limit"),
                    *("executions", "executions_needed"),
                ),
                text,
            )
        ],
        "needs_rollback": True,
        "tier": text,
        "reason": text,
        "details": inner,
        "waits_for": text,
        "stops": [stop(text, "freeze")],
        text: [text, inner],
    }
    show_health(found, as_json)
    show_check(found, as_json)


def demo(text: str, _: bool) -> None:
    print_results(Console(), [DemoResult(text, text, text, 1.0), DemoResult(text, "a", "b", None)])
    view = LiveView(Console())
    view.loaded(_running(text))
    view.ran(Mock(version=_running(text), execution=Mock(success=False, error=text)))
    Console().print(view._render())
    view.say(text)


def _running(text: str) -> Any:
    return Mock(tool_name=text, version_number=2, activation=2)


def recorded(text: str, as_json: bool) -> None:
    show_recorded(Recorded([], [BadLine(1, text)]), as_json)
    show_recorded(Recorded([NOON], []), as_json, text)  # type: ignore[list-item]
    show_bad_line(BadLine(1, text))


def config(text: str, as_json: bool) -> None:
    show_settings([filled(SettingInForce, text)], Settings(), as_json)


def rollback(text: str, as_json: bool) -> None:
    for each in outcomes(text):
        show_outcome(each, 1, 1, as_json)


def pruned(text: str, as_json: bool) -> None:
    show_to_prune(Pruned(NOON, {text: 1}))
    show_pruned(Pruned(NOON, {text: 1}), as_json)


def erased(text: str, as_json: bool) -> None:
    kept = [KafkaKeeps(text, until) for until in (NOON, None)]
    show_erased(Erasure("session", text, Counter({text: 1})), kept, as_json)


PRINTS: dict[str, Callable[[str, bool], object]] = {
    "tools": lambda text, as_json: show_tools([filled(ToolAtAGlance, text)], as_json),
    "engines": lambda text, as_json: show_engines([filled(EngineOfTool, text)], as_json),
    "status": lambda text, as_json: show_status(filled(SystemStatus, text), as_json),
    "config": config,
    "deploy": lambda text, as_json: show_version(FoundVersion(version(text, code=""), 1), as_json),
    "show": lambda text, as_json: show_version(
        FoundVersion(version(text, code=code_of(text)), 1), as_json, in_full=True
    ),
    "record": recorded,
    "verdict": lambda text, as_json: show_verdict(filled(LaterVerdict, text), as_json),
    "history": lambda text, as_json: show_history(
        ToolHistory(
            [version(text, code="")],
            [
                filled(HeldDeployment, text, status=status)
                for status in ("approved", "dismissed", "superseded")
            ],
        ),
        as_json,
    ),
    "compare": compare,
    "rollbacks": lambda text, as_json: show_rollbacks([filled(RollbackRecord, text)], as_json),
    "explain": explain,
    "rollback": rollback,
    "holds": lambda text, as_json: show_holds(
        [filled(RollbackRecord, text), filled(HeldDeployment, text)], as_json
    ),
    "approve": approve,
    "dismiss": dismiss,
    "pin": lambda text, as_json: show_pin(filled(Pin, text), as_json),
    "unpin": lambda text, as_json: show_unpinned(filled(Pin, text), as_json),
    "pins": lambda text, as_json: show_pins([filled(Pin, text)], as_json),
    "freeze": lambda text, as_json: show_stop(stop(text, "freeze"), as_json),
    "unfreeze": lambda text, as_json: show_ended(stop(text, "freeze"), as_json),
    "resume": lambda text, as_json: show_ended(stop(text, "wait"), as_json),
    "reject": reject,
    "stops": lambda text, as_json: show_stops([stop(text, "rejection")], as_json),
    "health": health,
    "prune": pruned,
    "erase": erased,
    "backtest": backtest,
    "dead-letters": dead_letters,
    "replay": replay,
    "notify": notify,
    "demo": demo,
    "migrate": lambda text, _: print_line(f"applied {text}"),
    "an error of any verb": lambda text, _: exit_code_of(lambda: _fail(text), []),
}
SHOWN_WITH: Final = {"current": "deploy", "check": "health", "topics": "migrate"}
"""Verbs that print by the functions of another one."""
WITHOUT_JSON: Final = {"demo", "migrate", "an error of any verb"}
NOT_SHOWN: Final = {"console", "up", "worker", "mcp"}
"""Verbs that print addresses of our own and the log (``tests/unit/agents/worker/test_logs.py``), or
what agents are told (``tests/unit/rollguard/test_mcp.py``)."""


def _fail(text: str) -> int:
    raise Rejected(text)


def test_no_verb_is_forgotten() -> None:
    assert PRINTS.keys() - {"an error of any verb"} | SHOWN_WITH.keys() | NOT_SHOWN == VERBS.keys()


class _Output(StringIO):
    """What is printed on a terminal or into a pipe."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def printed(verb: str, text: str, is_terminal: bool) -> str:
    """Return what a verb prints of the text on stdout and stderr, without our own colours."""
    output = _Output(is_terminal)
    with redirect_stdout(output), redirect_stderr(output):
        assert on_terminal() == is_terminal
        PRINTS[verb](text, False)
    return _COLOURS.sub("", output.getvalue())


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("verb", PRINTS)
def test_every_field_is_shown_and_not_obeyed(
    verb: str, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100000")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("rollguard.cli.process.exit_code.open_standard_streams", lambda: None)
    plain, hostile = (printed(verb, text, is_terminal) for text in (_PLAIN, TEXT))
    assert _PLAIN in plain
    assert "␛[35ma" in hostile
    assert HOSTILE.intersection(hostile) <= {"\n", "\t"}
    for kept in ("\n", "\t"):  # no line and no column is forged
        assert hostile.count(kept) == plain.count(kept)


@pytest.mark.parametrize("verb", sorted(PRINTS.keys() - WITHOUT_JSON))
def test_json_is_ascii(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.encode(errors="ignore").decode()  # no database keeps a lone surrogate
    PRINTS[verb](text, True)
    documents = capsys.readouterr().out.split("\n")[:-1]
    assert documents
    for document in documents:
        assert re.fullmatch(r"[\x20-\x7e]*", document)
        json.loads(document)


def test_json_has_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({TEXT: [TEXT]})
    printed = capsys.readouterr().out
    assert re.fullmatch(r"[\x20-\x7e]*\n", printed)
    assert json.loads(printed) == {TEXT: [TEXT]}
