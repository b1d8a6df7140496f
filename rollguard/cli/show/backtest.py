"""The output of ``backtest``.

First the activations that were rolled back or that a policy would have rolled back, then a summary
of each policy.
"""

from typing import Any

from policy.backtest.comparison import Summary, differs, ordered, summaries
from policy.backtest.trials import Decision, Trial
from rollguard.backtest_sources.run import Backtested
from rollguard.printing import print_json, print_line, print_note, print_table
from rollguard.value_texts import failures_text, time_text, version_text
from schemas.fields import time_of


def show_backtest(done: Backtested, as_json: bool) -> None:
    """Print the policies side by side; the activations in which they differ come first."""
    if as_json:
        print_json(_document(done))
    else:
        _tables(done)
    if done.found.unknown:
        print_note(
            f"{done.found.unknown} executions were not judged: no version of their tools is known"
        )


def _tables(done: Backtested) -> None:
    found, names = done.found, [policy.text for policy in done.policies]
    if found.notable:
        log = ("tool", "version", "activated at", "rolled back at")
        columns = ("differs", log, *names)
        print_table(columns, (_row_of(each) for each in ordered(found.notable)))
    really = sum(trial.was_rolled_back for trial in found.notable)
    print_line(
        f"{found.executions} executions of {found.tools} tools; {found.judged} activations with "
        f"executions, {really} of them rolled back in the log"
    )
    _summary_table(done, really)


def _summary_table(done: Backtested, really: int) -> None:
    """Print a line for each policy; with its failures if some are not the tool's."""
    found, names = done.found, [policy.text for policy in done.policies]
    lines = [
        _summary_line(name, summary, really)
        for name, summary in zip(names, summaries(found, len(names)), strict=True)
    ]
    columns = ("policy", "rolls back", "median executions, failures", "of the log's", "others")
    if not any(found.not_judged):
        print_table(columns, lines)
        return
    failures = [failures_text(found.failures, others) for others in found.not_judged]
    print_table(
        (*columns, "failures"),
        [(*line, text) for line, text in zip(lines, failures, strict=True)],
    )


def _row_of(trial: Trial) -> tuple[Any, ...]:
    rolled_back_us = trial.rolled_back_us
    return (
        "≠" if differs(trial) else "",
        trial.tool_name,
        version_text(trial.version_number, trial.version_id),
        f"from {_time(trial.activated_us)}",
        "" if rolled_back_us is None else f"back {_time(rolled_back_us)}",
        *map(_cell, trial.decisions),
    )


def _cell(decision: Decision | None) -> tuple[str, ...]:
    if decision is None:
        return ("stays",)
    command = decision.command
    return (
        f"{decision.failures} of {decision.executions} failed",
        _time(decision.executed_us),
        command.tier,
        command.reason,
    )


def _time(at_us: int) -> str:
    return time_text(time_of(at_us))


def _summary_line(name: str, summary: Summary, really: int) -> tuple[Any, ...]:
    until = None
    if summary.rolled_back:
        until = f"{summary.median_executions:g}, {summary.median_failures:g}"
    return name, summary.rolled_back, until, f"{summary.also} of {really}", summary.alone


def _document(done: Backtested) -> dict[str, Any]:
    found, names = done.found, [policy.text for policy in done.policies]
    return {
        "executions": found.executions,
        "tools": found.tools,
        "unknown": found.unknown,
        "bad": done.bad,
        "judged": found.judged,
        "failures": found.failures,
        "rolled_back": sum(trial.was_rolled_back for trial in found.notable),
        "policies": [
            {"policy": name, **summary._asdict(), "not_judged": others}
            for name, summary, others in zip(
                names, summaries(found, len(names)), found.not_judged, strict=True
            )
        ],
        "activations": [_trial(trial, names) for trial in ordered(found.notable)],
    }


def _trial(trial: Trial, names: list[str]) -> dict[str, Any]:
    rolled_back_us = trial.rolled_back_us
    return {
        "tool_name": trial.tool_name,
        "version_id": trial.version_id,
        "version_number": trial.version_number,
        "activation": trial.activation,
        "activated_at": time_of(trial.activated_us),
        "executions": trial.executions,
        "failures": trial.failures,
        "rolled_back_to": trial.rolled_back_to,
        "rolled_back_at": None if rolled_back_us is None else time_of(rolled_back_us),
        "differs": differs(trial),
        "decisions": {
            name: _decision(decision) for name, decision in zip(names, trial.decisions, strict=True)
        },
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {
        "executed_at": time_of(decision.executed_us),
        "executions": decision.executions,
        "failures": decision.failures,
        "tier": decision.command.tier,
        "reason": decision.command.reason,
        "mode": decision.command.mode,
        "command_id": str(decision.command.command_id),
        "details": decision.command.details,
    }
