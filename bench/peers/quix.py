"""The rules on Quix Streams: a stateful function over a dataframe, its state in RocksDB.

Quix writes the changelog once for each key and commit, as the detector does, and keeps what is
written in between in memory. The row is bytes, so that its own JSON does not cost anything.
"""

from pathlib import Path
from typing import Any

import typer
from quixstreams import Application, State, message_context

from bench.flow.reading import read_entry
from bench.peers import COMMIT_INTERVAL_S
from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.row import decode, encode
from schemas.rules.rules import Rules

ROW = "row"
"""The one key in the state of a tool; Quix puts the message's key before it."""


def application(
    brokers: str, topic: str, commands: str, group: str, state_dir: Path
) -> Application:
    """Return the app with its one dataframe."""
    app = Application(
        broker_address=brokers,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_INTERVAL_S,
        state_dir=state_dir,
        loglevel="WARNING",
    )
    policy = policy_for(Rules())

    def judge(
        value: bytes, key: Any, timestamp_ms: int, headers: Any, state: State[str, bytes]
    ) -> Any:
        """Fold an execution into its tool's row; return the command's bytes if a rule holds."""
        entry = read_entry(value)
        known = state.get_bytes(ROW)
        row = decode(known) if known is not None else None
        record = LogRecord.of(message_context().offset, timestamp_ms, entry)
        row, command = fold(row, record, policy)
        if row is not None:
            state.set_bytes(ROW, encode(row))
        return command.to_bytes() if command is not None else None

    def is_command(value: Any) -> bool:
        return value is not None

    executions = app.dataframe(app.topic(topic, value_deserializer="bytes"))
    decided = executions.apply(judge, stateful=True, metadata=True).filter(is_command)
    decided.to_topic(app.topic(commands, value_serializer="bytes"))
    return app


def main(
    brokers: str = typer.Option(...),
    topic: str = typer.Option(...),
    commands: str = typer.Option(...),
    group: str = typer.Option(...),
    state_dir: Path = typer.Option(...),  # noqa: B008
) -> None:
    """Judge the executions of a topic until SIGTERM."""
    application(brokers, topic, commands, group, state_dir).run()


if __name__ == "__main__":
    typer.run(main)
