"""The client with servers of other releases: those of 0.1.0 as they are, and newer ones."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollguard_client.messages import dead_letter, deployment, execution, rollback
from rollguard_client.messages.message import Message

KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        execution.Execution,
        execution.LaterVerdict,
        execution.Activation,
        deployment.Deployment,
        deployment.DeploymentOutcome,
        deployment.ToolVersion,
        rollback.RollbackCommand,
        rollback.RollbackOutcome,
        dead_letter.DeadLetter,
    )
}
LINES = (Path(__file__).parent / "data" / "messages_0_1_0.jsonl").read_text("utf-8").splitlines()
MESSAGES = [json.loads(line) for line in LINES]
each_message = pytest.mark.parametrize("kept", MESSAGES, ids=lambda kept: str(kept["kind"]))


def plain(value: Any) -> Any:
    """Return a message as JSON, without what says nothing."""
    if isinstance(value, dict):
        return {
            name: plain(each)
            for name, each in value.items()
            if each not in ([], {}, None, False) and (name, each) != ("kind", "execution")
        }
    return [plain(each) for each in value] if isinstance(value, list) else value


@each_message
def test_every_field_of_0_1_0_is_read_and_written(kept: dict[str, Any]) -> None:
    kind = KINDS[kept["kind"]]
    read = kind.from_bytes(json.dumps(kept["message"]).encode())
    assert plain(json.loads(read.to_bytes())) == plain(kept["message"])


@each_message
def test_a_newer_server_may_say_more(kept: dict[str, Any]) -> None:
    kind = KINDS[kept["kind"]]
    more = kept["message"] | {"of_next_year": {"deep": [1, None]}, "another": "x"}
    old = kind.from_bytes(json.dumps(kept["message"]).encode())
    assert kind.from_bytes(json.dumps(more).encode()) == old


@each_message
def test_an_older_server_may_say_less(kept: dict[str, Any]) -> None:
    """Only what is required has to be there."""
    kind = KINDS[kept["kind"]]
    required = {each.name for each in msgspec.structs.fields(kind) if each.required} | {"kind"}
    less = {name: value for name, value in kept["message"].items() if name in required}
    read = kind.from_bytes(json.dumps(less).encode())
    assert all(json.loads(read.to_bytes())[name] == value for name, value in plain(less).items())


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("DeploymentOutcome", "status"),
        ("RollbackOutcome", "status"),
        ("RollbackOutcome", "rejection"),
        ("RollbackOutcome", "reason"),
        ("RollbackOutcome", "tier"),
        ("RollbackOutcome", "hold_reason"),
        ("RollbackOutcome", "target"),
        ("ToolVersion", "created_by"),
    ],
)
def test_a_newer_server_may_use_other_words(kind: str, word: str) -> None:
    """Otherwise an outcome would never come, and a request would seem to have no answer."""
    kept = next(each["message"] for each in MESSAGES if each["kind"] == kind)
    read = KINDS[kind].from_bytes(json.dumps(kept | {word: "of_next_year"}).encode())
    assert getattr(read, word) == "of_next_year"
