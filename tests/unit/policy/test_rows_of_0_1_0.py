"""Rows that version 0.1.0 wrote are read and folded on as that version would have done it.

A detector that is upgraded recovers the rows that its predecessor wrote, from the changelog or from
disk. ``tests/data/rows_0_1_0.json`` was written by the code of version 0.1.0: rows in the middle of
seeded logs, the rest of each log, and what 0.1.0 made of it.
"""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.outage_watch import OutageWatch, decode_watch, encode_watch
from policy.state.row import Row, decode, encode
from schemas.execution import read_log_entry
from schemas.rules.rules import Rules
from schemas.settings import load_settings
from tests.support.inputs.messages import execution

_DATA: Final = json.loads(
    (Path(__file__).parents[2] / "data" / "rows_0_1_0.json").read_text("utf-8")
)
_ENCODE: Final[dict[type, Callable[[Any], bytes]]] = {Row: encode, OutageWatch: encode_watch}


def _row_name(case: dict[str, Any]) -> str:
    return f"{case['policy']}, {len(case['log'])} entries, {len(case['commands'])} commands"


@pytest.mark.parametrize("case", _DATA["rows"], ids=_row_name)
def test_a_row_of_0_1_0_is_folded_on_as_0_1_0_did(case: dict[str, Any]) -> None:
    policy = policy_for(Rules.model_validate(case["rules"]))
    row: Any = decode(b64decode(case["row"]))
    _assert_same_as_0_1_0(row, case["row"])
    commands = []
    for offset, timestamp_ms, value in case["log"]:
        record = LogRecord.of(offset, timestamp_ms, read_log_entry(value.encode()))
        row, command = fold(row, record, policy)
        if command is not None:
            commands.append(command.model_dump(mode="json", exclude_none=True))
    assert commands == case["commands"]
    _assert_same_as_0_1_0(row, case["row_after"])


def _assert_same_as_0_1_0(row: Any, encoded: str) -> None:
    """Require that the row holds what 0.1.0 wrote, and after it only fields that are newer."""
    before: list[Any] = msgspec.msgpack.decode(b64decode(encoded))
    assert msgspec.msgpack.decode(_ENCODE[type(row)](row))[: len(before)] == before


@pytest.mark.parametrize("case", _DATA["outages"], ids=lambda case: f"{len(case['log'])} entries")
def test_an_outage_row_of_0_1_0_is_followed_on_as_0_1_0_did(case: dict[str, Any]) -> None:
    watch = decode_watch(b64decode(case["row"]))
    log = [
        LogRecord.of(
            offset,
            timestamp_ms,
            execution(tool, None if ok else "OSError: down", execution_id=UUID(int=offset + 1)),
        )
        for offset, timestamp_ms, tool, ok in case["log"]
    ]
    timeline = watch.follow(log, load_settings(policy="guarded").outages, lambda _: -1)
    assert list(timeline.changes) == case["changes"]
    assert sorted(timeline.deferred) == case["deferred"]
    _assert_same_as_0_1_0(watch, case["row_after"])


def test_the_file_holds_rows_of_both_policies_and_every_reason() -> None:
    reasons = {command["reason"] for case in _DATA["rows"] for command in case["commands"]}
    assert {case["policy"] for case in _DATA["rows"]} == {"seed", "guarded"}
    assert reasons >= {"consecutive_failures", "signature_change", "regression"}
