"""The rules on stock Faust: an agent, one event at a time, and a plain table.

A windowed table is what Faust's manual would take for this. Its windows do not survive a recovery
(what is expired comes back, and nothing expires any more), it cannot say 'now' by the newest event,
and a hopping one of 300 s by 30 s costs ten times as much, because each event writes ten of them.
So this keeps the same row as the detector in a plain ``app.Table``, and writes it at each event.

Settings that differ from Faust's defaults make it faster or measurable: uvloop, a producer that
waits 10 ms for company, no debug records (Faust makes them at any level, and drops them), no web
server, no leader, commits as often as the detector's.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import faust
import typer
import uvloop
from yarl import URL

from bench.flow.reading import read_entry
from bench.peers import COMMIT_INTERVAL_S
from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.row import decode, encode
from schemas.rules.rules import Rules


def application(
    brokers: str, topic: str, commands: str, group: str, state_dir: Path, partitions: int
) -> faust.App:
    """Return the app with its one agent.

    ``partitions`` is the number of partitions of the source topic: a table must have as many.
    """
    app = faust.App(
        group,
        broker=[URL(f"kafka://{broker}") for broker in brokers.split(",")],
        datadir=str(state_dir),
        store="memory://",
        broker_commit_interval=COMMIT_INTERVAL_S,
        producer_linger=0.01,
        table_standby_replicas=0,
        topic_partitions=partitions,
        topic_disable_leader=True,
        web_enabled=False,
    )
    executions = app.topic(topic, key_type=bytes, value_serializer="raw")
    rollbacks = app.topic(commands, key_type=bytes, value_serializer="raw")
    windows = app.Table("windows", partitions=partitions, key_type=bytes, value_type=bytes)
    policy = policy_for(Rules())

    @app.agent(executions)
    async def watch_executions(stream: Any) -> None:
        """Fold each execution into its tool's row; command a rollback if a rule holds."""
        async for event in stream.events():
            message = event.message
            entry = read_entry(event.value)
            known = windows.get(event.key)
            row = decode(known) if known is not None else None
            timestamp_ms = round(message.timestamp * 1000)
            record = LogRecord.of(message.offset, timestamp_ms, entry)
            row, command = fold(row, record, policy)
            if row is not None:
                windows[event.key] = encode(row)
            if command is not None:
                await rollbacks.send(key=event.key, value=command.to_bytes())

    return app


def main(
    brokers: str = typer.Option(...),
    topic: str = typer.Option(...),
    commands: str = typer.Option(...),
    group: str = typer.Option(...),
    state_dir: Path = typer.Option(...),  # noqa: B008
    partitions: int = 4,
) -> None:
    """Judge the executions of a topic until SIGTERM."""
    # The policy as well: Faust's consumer makes a loop of its own, in a thread of its own.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    logging.disable(logging.DEBUG)
    app = application(brokers, topic, commands, group, state_dir, partitions)
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    typer.run(main)
