"""The validation of messages, and the reading of strange ones."""

import json
from typing import Any
from uuid import uuid4

import pytest

from schemas.deployment import MAX_CHECK_DETAIL, MAX_CHECKS, Deployment, DeploymentId
from schemas.errors import Rejected
from schemas.execution import Activation, Execution, read_log_entry
from schemas.failures.error_class import class_named_by
from schemas.fields import MAX_ERROR_BYTES
from schemas.rollback import RollbackCommand

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\n'


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("TypeError(\"unexpected keyword argument 'limit'\")", "TypeError"),
        ("TypeError: bad", "TypeError"),
        ("TypeError", "TypeError"),
        ("builtins.TypeError: bad", "TypeError"),
        ("my_tool.errors.AttributeError", "AttributeError"),
        (TRACEBACK + "TypeError: bad", "TypeError"),
        (TRACEBACK + "TypeError: several\n  lines\nfoo: bar", "TypeError"),
        (
            TRACEBACK + "KeyError: 1\n\nDuring handling…\n\n" + TRACEBACK + "TypeError: 2",
            "TypeError",
        ),
        ("Traceback (most recent call last):\nTypeError: no frames", "TypeError"),
        ("it failed:\n" + TRACEBACK + "TypeError: bad", "TypeError"),
        ("KeyError: 'TypeErrorCount'", "KeyError"),
        ("a TypeError happened", None),
        ("500 Internal Server Error", None),
        ("", None),
    ],
)
def test_the_error_class_is_read_from_the_text(error: str, named: str | None) -> None:
    assert class_named_by(error) == named


def execution(**fields: Any) -> bytes:
    good = {
        "execution_id": str(uuid4()),
        "tool_name": "t",
        "success": False,
        "executed_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps(good | fields).encode()


def test_the_error_class_is_read_before_the_text_is_cut() -> None:
    long = TRACEBACK + '  File "a.py", line 2, in g\n    g()\n' * 400 + "TypeError: bad\n"
    read = Execution.from_bytes(execution(error=long))
    assert read.error_class == "TypeError"
    assert read.error is not None
    assert len(read.error.encode()) <= MAX_ERROR_BYTES


@pytest.mark.parametrize("field", ["error", "error_type", "session_id", "unknown"])
def test_a_lone_surrogate_does_not_reject_a_failure(field: str) -> None:
    read = Execution.from_bytes(execution(**{field: "a\ud800b"}))
    assert not read.success
    assert getattr(read, field, "a\ufffdb") == "a\ufffdb"


@pytest.mark.parametrize(
    "strange", [int("9" * 4_000), json.loads("[" * 300 + "]" * 300), {"a": "\ud800"}]
)
def test_a_strange_unknown_field_is_ignored(strange: Any) -> None:
    assert not Execution.from_bytes(execution(unknown=strange)).success


def test_a_lone_surrogate_in_a_name_or_in_code_is_rejected() -> None:
    with pytest.raises(Rejected):
        Execution.from_bytes(execution(tool_name="a\ud800"))
    bad = json.dumps({"deployment_id": str(uuid4()), "code": "\ud800"}).encode()
    with pytest.raises(Rejected):
        Deployment.from_bytes(bad)
    assert DeploymentId.from_bytes(bad).tool_name is None


def deployment(**fields: Any) -> bytes:
    sent = {
        "deployment_id": str(uuid4()),
        "tool_name": "t",
        "code": "x = 1",
        "created_by": "human",
        "improvement_type": "initial",
        "deployed_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps(sent | fields).encode()


def test_a_byte_order_mark_is_no_part_of_deployed_code() -> None:
    read = Deployment.from_bytes(deployment(code="\ufeffX = '\ufeff'\n"))
    assert read.code == "X = '\ufeff'\n"


def test_the_checks_of_a_deployment() -> None:
    good = {"name": "n" * 255, "ok": False, "detail": "a\ud800\0" + "d" * 997, "more": 1}
    [check] = Deployment.from_bytes(deployment(checks=[good])).checks or []
    assert (check.ok, check.detail) == (False, "a\ufffd\u2400" + "d" * 997)
    Deployment.from_bytes(deployment(checks=[good] * MAX_CHECKS))
    for wrong in (
        [good] * (MAX_CHECKS + 1),
        [good | {"name": ""}],
        [good | {"name": "n" * 256}],
        [good | {"name": "two\nlines"}],
        [good | {"name": 7}],
        [good | {"ok": "no"}],
        [good | {"ok": 0}],
        [good | {"detail": "d" * (MAX_CHECK_DETAIL + 1)}],
        [{"ok": True}],
        [{"name": "smoke"}],
        good,
        "smoke",
    ):
        with pytest.raises(Rejected, match="checks"):
            Deployment.from_bytes(deployment(checks=wrong))


def test_a_deployment_has_one_answer() -> None:
    assert not Deployment.from_bytes(deployment(dismissal="why")).is_answer
    for answer in ("approved_by", "dismissed_by"):
        assert Deployment.from_bytes(deployment(**{answer: "ann"})).is_answer
        assert DeploymentId.from_bytes(deployment(code=7, **{answer: 7})).is_answer
    with pytest.raises(Rejected, match="exclude each other"):
        Deployment.from_bytes(deployment(approved_by="ann", dismissed_by="ben"))


@pytest.mark.parametrize(
    ("time", "good"),
    [
        ("2026-01-01T00:00:00Z", True),
        ("2026-01-01t00:00:00.123456789+05:30", True),
        ("1970-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59Z", True),
        ("1970-01-01T00:00:00+00:01", False),
        ("9999-12-31T23:59:59-00:01", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("2026-01-01T00:00:00", False),
        ("1767225600", False),
        ("2026-W01-1T00:00:00Z", False),
        (1767225600, False),
    ],
)
def test_times_have_an_offset_and_lie_in_1970_to_9999(time: Any, good: bool) -> None:
    if good:
        Execution.from_bytes(execution(executed_at=time))
    else:
        with pytest.raises(Rejected, match="executed_at"):
            Execution.from_bytes(execution(executed_at=time))


def test_numbers_of_an_activation_are_bounded() -> None:
    activation = {
        "kind": "activation",
        "tool_name": "t",
        "version_id": 1,
        "version_number": 1,
        "code_hash": "0" * 64,
        "activation": 1,
        "activated_at": "2026-01-01T00:00:00Z",
        "activated_by": {"kind": "deployment", "id": str(uuid4())},
    }
    assert isinstance(read_log_entry(json.dumps(activation).encode()), Activation)
    for field in ("activation", "version_number", "version_id"):
        with pytest.raises(Rejected, match=field):
            read_log_entry(json.dumps(activation | {field: 2**31}).encode())


def test_a_long_kind_is_not_repeated() -> None:
    with pytest.raises(Rejected) as rejected:
        read_log_entry(execution(kind="x" * 1_000_000))
    assert len(str(rejected.value)) < 200


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_is_utf_8(codec: str) -> None:
    """Python's parser would accept the others too."""
    good = execution().decode()
    with pytest.raises(Rejected):
        read_log_entry(good.encode(codec))
    assert read_log_entry(good.encode("utf-8-sig")) == read_log_entry(good.encode())


@pytest.mark.parametrize(("depth", "is_good"), [(199, True), (499, True), (500, False)])
def test_nesting_has_a_fixed_limit(depth: int, is_good: bool) -> None:
    """The limit is for ignored fields too, and does not depend on the depth of the call stack."""

    def read(frames: int) -> bool:
        if frames:
            return read(frames - 1)
        try:
            read_log_entry(value)
        except Rejected:
            return False
        return True

    fields = execution().decode()[:-1]
    value = f'{fields}, "extra": {"[" * depth}{"]" * depth}}}'.encode()
    assert [read(0), read(300)] == [is_good, is_good]


def rollback_command(**fields: Any) -> bytes:
    good = {
        "command_id": str(uuid4()),
        "tool_name": "t",
        "tier": "fast",
        "reason": "regression",
        "mode": "hold",
        "issued_by": "detector",
        "issued_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps(good | fields).encode()


def test_a_held_command_has_one_answer() -> None:
    command = RollbackCommand.from_bytes(rollback_command())
    assert (command.is_answer, command.is_by_machine) == (False, True)
    yes = RollbackCommand.from_bytes(rollback_command(approved_by="ann"))
    assert (yes.is_answer, yes.is_by_machine) == (True, False)
    no = RollbackCommand.from_bytes(rollback_command(dismissed_by="ben", dismissal="a \ud800"))
    assert (no.is_answer, no.dismissal) == (True, "a \ufffd")
    with pytest.raises(Rejected, match="approved_by and dismissed_by exclude each other"):
        RollbackCommand.from_bytes(rollback_command(approved_by="ann", dismissed_by="ben"))


@pytest.mark.parametrize("strange", [7, {}, ["a"], "x" * 256, 1e308, True])
def test_a_bad_hint_does_not_reject_an_execution(strange: object) -> None:
    fields = json.loads(execution(success=False))
    hints = dict.fromkeys(("caller", "input_hash", "engine_id"), strange)
    read = Execution.from_bytes(json.dumps(fields | hints).encode())
    assert (read.success, read.caller, read.input_hash) == (False, None, None)
    assert read.engine_id is None
    value = json.dumps(fields | {"caller": "a", "input_hash": "b"}).encode()
    assert Execution.from_bytes(value).caller == "a"
    assert Execution.from_bytes(value).input_hash == "b"
