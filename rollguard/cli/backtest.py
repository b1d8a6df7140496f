"""The verb backtest: any policy over the executions that were recorded."""

from typing import TYPE_CHECKING, Annotated

import typer

from rollguard.cli.given_times import optional_time_of
from rollguard.cli.options import WHEN, Json, direct_settings, run, settings

if TYPE_CHECKING:
    from policy.backtest.requested_policy import RequestedPolicy
    from schemas.settings import Settings


def backtest(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:SETTING=VALUE,…]",
            help="A policy, with settings of its own: guarded:alpha=0.001,tolerated_drop=0.05. May "
            "be repeated; without it, seed and guarded.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        bool, typer.Option("--topic", help="Read the topic tool-executions, not Postgres.")
    ] = False,
    jsonl: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            help="Read a file with the values of the topic, one JSON object a line; - reads stdin."
        ),
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(help="Only of this tool; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"From then on: {WHEN}.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until then, given in the same ways.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what policies would have done with the recorded executions, side by side."""
    from rollguard.backtest_sources import run as backtests
    from rollguard.backtest_sources.log_entries import BacktestFilter
    from rollguard.cli.show.backtest import show_backtest

    if topic and jsonl is not None:
        raise typer.BadParameter("give --topic or --jsonl, and not both")
    begin, end = optional_time_of("--since", since), optional_time_of("--until", until)
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter("--since is later than --until")
    wanted = BacktestFilter(frozenset(tool) if tool else None, begin, end)
    in_force = settings() if jsonl is not None else direct_settings("backtest without --jsonl")
    policies = _policies(in_force, policy or ["seed", "guarded"])
    if jsonl is not None:
        done = run(backtests.of_lines(in_force, policies, wanted, jsonl))
    elif topic:
        done = run(backtests.of_topic(in_force, policies, wanted))
    else:
        done = run(backtests.of_postgres(in_force, policies, wanted))
    show_backtest(done, as_json)
    raise typer.Exit(1 if jsonl is not None and done.bad else 0)


def _policies(in_force: "Settings", texts: list[str]) -> "list[RequestedPolicy]":
    """Return the policies that the texts of ``--policy`` name."""
    from policy.backtest.requested_policy import RequestedPolicy

    policies = []
    for text in texts:
        if texts.count(text) > 1:
            raise typer.BadParameter(f"--policy {text!r} is given twice")
        try:
            policies.append(RequestedPolicy.parse(text, in_force))
        except ValueError as error:
            raise typer.BadParameter(f"--policy {text!r}: {error}") from None
    return policies
