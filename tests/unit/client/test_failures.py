"""The server reads from what the client publishes of an exception what it really was."""

import json
from typing import Any

import pytest

from rollguard_client.calls.failures import class_text, text_of
from schemas.execution import Execution
from schemas.failures.error_class import class_of, is_signature_error, label_of, leaf_of
from schemas.failures.failure_classes import FailureClasses


class ToolError(Exception):
    pass


def raised(*leaves: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("several 'things'", list(leaves))


def failure(error: BaseException) -> Execution:
    return Execution.model_validate_json(
        json.dumps(
            {
                "execution_id": "5d2b3d0e-7c1e-5f3a-8a37-1f1d9f0b6c42",
                "tool_name": "t",
                "success": False,
                "executed_at": "2026-01-01T00:00:00Z",
                "error": text_of(error),
                "error_type": class_text(error),
            }
        )
    )


def decode_error() -> Exception:
    try:
        json.loads("{")
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        TypeError("f() got an unexpected keyword argument 'x'"),
        AttributeError("no"),
        KeyError("TypeErrorCount"),
        ValueError("TypeError: in the text"),
        ValueError('Traceback (most recent call last):\n  File "a"\nTypeError: in the text'),
        ValueError("ExceptionGroup('a', [TypeError('x')])"),
        ToolError("x"),
        decode_error(),
        OSError(2, "No such file", "/x"),
        raised(ValueError("x")),
    ],
)
def test_the_class_is_that_of_the_exception(error: Exception) -> None:
    sent = failure(error)
    name = type(error).__name__
    assert class_of(sent.error_type, sent.error) == name == sent.error_class
    is_signature = isinstance(error, TypeError | AttributeError)
    assert is_signature_error(label_of(sent.error_type, sent.error)) == is_signature


@pytest.mark.parametrize(
    ("error", "leaf"),
    [
        (raised(ValueError("x"), TypeError("it's")), "TypeError"),
        (raised(raised(AttributeError('"[('))), "AttributeError"),
        (raised(ValueError("TypeError('x')"), ToolError("[TypeError()]")), ""),
        (raised(*[ValueError("x" * 5_000)] * 10, TypeError("last")), "TypeError"),
        (raised(ToolError("e" * 10_000)), ""),
    ],
)
def test_signature_errors_among_the_leaves_of_a_group_are_found(error: Any, leaf: str) -> None:
    sent = failure(error)
    label = label_of(sent.error_type, sent.error)
    assert label == (f"ExceptionGroup[{leaf}]" if leaf else "ExceptionGroup")
    has_own = any(isinstance(each, ToolError) for each in error.exceptions)
    assert leaf_of(sent.error_type, sent.error, {"ToolError"}) == ("ToolError" if has_own else "")


def test_the_settings_name_classes_with_their_modules() -> None:
    classes = FailureClasses(
        ["TypeError"],
        {"environment": ["json.decoder.JSONDecodeError"], "caller": ["other.ToolError"]},
    )
    assert classes.origin_of(failure(decode_error())) == "environment"
    assert classes.origin_of(failure(ToolError("x"))) == "tool", "of another module"
