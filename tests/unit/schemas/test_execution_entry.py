"""The quick reader of executions: what it accepts, the strict one accepts with the same result."""

import json
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry, read_execution_entry
from tests.support.inputs.messages import execution
from tests.support.mutations.cases import cases


def read_strictly(value: bytes) -> ExecutionEntry | None:
    try:
        return ExecutionEntry.of(Execution.from_bytes(value))
    except Rejected:
        return None


def agree(value: bytes) -> bool:
    """Return whether the quick reader accepts it; if so, check that the strict one agrees."""
    quick = read_execution_entry(value)
    if quick is not None:
        quick.written_at, quick.kind = "", None
        assert quick == read_strictly(value), value
    return quick is not None


@pytest.mark.parametrize("seed", [3, 4])
def test_mutations(seed: int) -> None:
    read = [
        agree(case.value)
        for case in cases("execution", ["parser", "数 🛡"], 5_000, Random(seed), 4, {})
        if case.value is not None
    ]
    assert sum(read) > 500


def test_the_quick_reader_accepts_what_engines_send() -> None:
    values = [
        execution("parser"),
        execution("数 🛡", error="TypeError: schlägt fehl"),
        execution("parser", error="x", error_origin="environment"),
        execution("parser", version_id=7, duration_ms=1.5, session_id="s", error_type="KeyError"),
        execution(
            "parser", error="Traceback (most recent call last):\n" + "  x\n" * 500 + "KeyError"
        ),
    ]
    assert all(agree(value.to_bytes()) for value in values)


FIELDS = {
    "execution_id": st.uuids().map(str) | st.uuids().map(lambda each: each.hex) | st.text(),
    "tool_name": st.text() | st.text(min_size=250, max_size=260),
    "version_id": st.none() | st.integers() | st.integers(1, 9) | st.floats(),
    "success": st.booleans() | st.none() | st.integers(0, 1),
    "error": st.none() | st.text() | st.integers(),
    "error_type": st.none() | st.text(),
    "duration_ms": st.none() | st.integers() | st.floats() | st.text(),
    "session_id": st.none() | st.text() | st.text(min_size=250, max_size=260),
    "caller": st.none() | st.text() | st.text(min_size=250, max_size=260) | st.integers(),
    "error_origin": st.sampled_from(["tool", "caller", "environment", "x", None, 1, ["tool"]]),
    "input_hash": st.none() | st.text() | st.lists(st.text()),
    "engine_id": st.none() | st.text() | st.sampled_from(["e-7.a_B", "e/7", "e\n", "x" * 201]),
    "kind": st.none() | st.just("execution") | st.text(),
    "other": st.recursive(st.none() | st.text(), lambda inner: st.lists(inner, max_size=3)),
    "executed_at": st.text() | st.integers(),
}


@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_any_fields(changed: dict[str, object]) -> None:
    fields = json.loads(execution("parser").to_bytes()) | changed
    agree(json.dumps(fields).encode())
    try:
        value = json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    agree(value)


TIMES = st.datetimes(
    datetime(1969, 12, 30), datetime(9999, 12, 31), timezones=st.sampled_from(  # noqa: DTZ001
        [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-9))]
    )
)  # fmt: skip
ENDS = st.sampled_from(["", "Z", "z", "+00:00", "-00:00", "+0000", "+00", ",5Z", ".Z", ".1234567Z"])


@given(TIMES, st.sampled_from("Tt _"), ENDS, st.integers(0, 9))
def test_times(at: datetime, between: str, end: str, digits: int) -> None:
    text = at.isoformat(between)
    for written in (text, text[:19] + end, text[:19] + "." + "7" * digits + end, text[:-1]):
        fields = json.loads(execution("parser").to_bytes()) | {"executed_at": written}
        agree(json.dumps(fields).encode())


@given(st.binary(max_size=60), st.integers(0, 250), st.integers(0, 3))
def test_broken_bytes(junk: bytes, index: int, removed: int) -> None:
    value = execution("parser", error="KeyError: 'x'", session_id="s").to_bytes()
    agree(value[:index] + junk + value[index + removed :])


@pytest.mark.parametrize("depth", [10, 499, 500, 501, 2_000])
def test_nested_values(depth: int) -> None:
    value = execution("parser").to_bytes()
    agree(value[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}")


def test_ignored_fields_must_be_utf_8() -> None:
    value = execution("parser").to_bytes()[:-1]
    for more in (b', "x": "\xff"}', b', "\xff": 1}', b', "x": "\xed\xa0\x80"}', b', "x": 1e999}'):
        agree(value + more)


@pytest.mark.parametrize("origin", ["network", "Tool", "", 1, True, ["tool"], {}, "\ud800", "\0"])
def test_an_origin_that_is_none_hides_no_failure(origin: object) -> None:
    fields = json.loads(execution("parser", error="x").to_bytes()) | {"error_origin": origin}
    for error in ("x", "a lone surrogate: \ud800"):
        value = json.dumps(fields | {"error": error}).encode()
        read = Execution.from_bytes(value)
        assert (read.success, read.error_origin) == (False, None)
        assert read_execution_entry(value) is None
