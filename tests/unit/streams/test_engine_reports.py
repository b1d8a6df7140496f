"""Records of `engine-reports`: whatever bytes they have, they are read or rejected."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.engine_report import EndedEngine, EngineReport, report_key
from schemas.errors import Rejected
from schemas.fields import ENGINE_ID
from schemas.settings import load_settings
from streams.records import RecordValidator
from tests.unit.streams.test_mutations import Read

NOW_MS = 1_767_225_600_000
GOOD: dict[str, Any] = {
    "engine_id": "e-7.example_1",
    "tool_name": "a/b",
    "version_id": 7,
    "version_number": 3,
    "activation": 4,
    "ok": False,
    "error": "ImportError: x\0",
    "error_type": "ImportError",
    "loaded_at": "2026-01-01T00:00:00Z",
}
VALIDATOR = RecordValidator(load_settings(), 4)
anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def read(key: bytes | None, value: bytes | None) -> EngineReport | EndedEngine | None:
    """Return what the validator reads; None if it rejects the record."""
    try:
        return VALIDATOR.engine_report(Read("t", 0, 0, NOW_MS, key, value))
    except Rejected:
        return None


def require_storable(said: EngineReport | EndedEngine) -> None:
    assert re.fullmatch(ENGINE_ID, said.engine_id)
    assert 1 <= len(said.tool_name) <= 255
    for text in (said.tool_name, getattr(said, "error", ""), getattr(said, "error_type", "")):
        assert "\0" not in (text or "")
        (text or "").encode()


def test_a_good_one() -> None:
    said = read(b"e-7.example_1/a/b", json.dumps(GOOD).encode())
    assert isinstance(said, EngineReport)
    assert (said.tool_name, said.error) == ("a/b", "ImportError: x\u2400")
    assert said.loaded_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert read(said.key, None) == EndedEngine("e-7.example_1", "a/b")
    ahead = json.dumps(GOOD | {"loaded_at": "2026-01-01T00:01:01Z"}).encode()
    assert read(said.key, ahead) is None


@given(
    st.dictionaries(st.sampled_from(sorted(GOOD)), anything),
    st.lists(st.sampled_from(sorted(GOOD)), max_size=1),
)
def test_any_fields(changed: dict[str, Any], left_out: list[str]) -> None:
    fields = {name: each for name, each in (GOOD | changed).items() if name not in left_out}
    try:
        key = report_key(fields.get("engine_id", ""), fields.get("tool_name", ""))
    except UnicodeEncodeError:
        key = b"e/t"
    said = read(key, json.dumps(fields).encode())
    if said is not None:
        require_storable(said)
        assert said.key == key  # type: ignore[union-attr]
        assert read(key + b"x", json.dumps(fields).encode()) is None


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_any_bytes(key: bytes | None, value: bytes | None) -> None:
    for each in (None, value):
        said = read(key, each)
        if said is not None:
            require_storable(said)
            assert key == report_key(said.engine_id, said.tool_name)
