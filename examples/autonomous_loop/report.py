"""The report: which candidates were tried, kept and rolled back, and why."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.autonomous_loop.decision import Decision
from examples.autonomous_loop.loop import Result
from examples.autonomous_loop.trial import Trial
from rollguard.value_texts import value_text

_ERROR_CHARACTERS: Final = 90
_EXECUTIONS: Final = 3
"""The number of failed executions that are named for a rollback."""


def print_report(console: Console, result: Result) -> None:
    """Print a table of the trials, then a summary of a few lines."""
    table = Table(title="Improvements", show_lines=True)
    table.add_column("tool and candidate")
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", ratio=1)
    table.add_column("after", justify="right", no_wrap=True)
    for trial in result.trials:
        decision = trial.decision
        latency = decision.latency_s if decision else None
        table.add_row(
            Text(f"{trial.candidate.tool_name}\n{trial.candidate.name}"),
            Text(trial.verdict.replace("_", " "), style=_style(trial)),
            Text("\n".join(map(value_text, _why(trial)))),
            "" if latency is None else f"{1000 * latency:.0f} ms",
        )
    console.print(table)
    for line in _summary(result):
        console.print(value_text(line), markup=False, highlight=False)


def _style(trial: Trial) -> str:
    if trial.problems:
        return "bold red"
    return "green" if trial.verdict == "kept" else "yellow"


def _why(trial: Trial) -> Iterator[str]:
    yield f"for: {trial.candidate.investigation_report['root_cause']}"
    if trial.refusal is not None:
        yield trial.refusal
    elif trial.decision:
        yield from _decision_lines(trial.decision, trial.runs)
    else:
        before, after = trial.median_ms
        yield (
            f"{trial.runs - trial.failures} of {trial.runs} runs succeeded; "
            f"{before:.1f} ms a run before, {after:.1f} ms now"
        )
    for change in trial.breaking_changes:
        yield f"found at its deployment: {change}"
    for problem in trial.problems:
        yield f"WRONG: {problem}"


def _decision_lines(decision: Decision, runs: int) -> Iterator[str]:
    yield f"{decision.rule}: {decision.failures} of {decision.executions} failed"
    yield f"{runs} runs until the engine had the version before again"
    named = ", ".join(str(each)[:8] for each in decision.failed[:_EXECUTIONS])
    more = len(decision.failed) - _EXECUTIONS
    yield f"executions {named}{f' and {more} more' if more > 0 else ''}"
    lines = decision.error.splitlines() or [""]
    yield lines[0][:_ERROR_CHARACTERS]


def _summary(result: Result) -> Iterator[str]:
    verdicts = Counter(trial.verdict for trial in result.trials)
    others = "".join(
        f", {verdicts[verdict]} {verdict}"
        for verdict in ("undecided", "refused")
        if verdicts[verdict]
    )
    yield (
        f"{len(result.trials)} improvements tried: {verdicts['kept']} kept, "
        f"{verdicts['rolled_back']} rolled back{others}"
    )
    decisions = [trial.decision for trial in result.trials if trial.decision]
    for rule, count in Counter(decision.rule for decision in decisions).most_common():
        yield f"  {count} by {rule}"
    breaking = [trial for trial in result.trials if trial.is_breaking]
    harmless = sum(trial.verdict == "kept" for trial in breaking)
    yield f"breaking changes were found in {len(breaking)} at deployment; {harmless} of them kept"
    first = Counter(decision.issued_by for decision in decisions)
    told = ", ".join(f"{who} {count}" for who, count in first.most_common())
    yield f"first to command a rollback: {told or 'no one'}; the monitor asked {result.polls} times"
    latencies = [each.latency_s for each in decisions if each.latency_s is not None]
    if latencies:
        yield (
            f"'after': from the end of the call that decided to the outcome read back; "
            f"at most {1000 * max(latencies):.0f} ms, on this machine, busy with all of this"
        )
    wrong = sum(bool(trial.problems) for trial in result.trials)
    yield (
        f"{result.elapsed_s:.0f} s; {wrong} went otherwise than they must"
        if wrong
        else f"{result.elapsed_s:.0f} s; all went as they must"
    )
