"""Whose failure it is and whether it is a signature error, by lists of class names."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures.error_class import class_in, is_signature_error, label_of
from schemas.failures.failure_classes import ErrorOrigin, FailureClasses
from schemas.rules.rules import Rules
from tests.support.inputs.messages import execution
from tests.support.policy.generated_logs import FAILURES, GROUP, SIGNATURE_FAILURES

RULES = Rules(
    caller_errors=("ValueError", "app.errors.NotFound", "a.Ambiguous"),
    environment_errors=(
        *("httpx.ConnectTimeout", "OSError", "lib.ValueError", "b.Ambiguous"),
        "m.f.<locals>.Inner",
    ),
)


@pytest.mark.parametrize(
    ("error_type", "error", "origin"),
    [
        ("ValueError", None, "caller"),
        ("builtins.ValueError", None, "caller"),
        ("any.module.ValueError", None, "caller"),
        ("<class 'any.ValueError'>", None, "caller"),
        (" ValueError ", None, "caller"),
        ("lib.ValueError", None, "environment"),  # the name with its module is the exact one
        (None, "ValueError: no such page", "caller"),
        (None, "ValueError('no such page')", "caller"),
        (None, 'Traceback (most recent call last):\n  File "a.py"\nValueError: no', "caller"),
        ("app.errors.NotFound", None, "caller"),
        ("NotFound", None, "caller"),  # its module is not known
        (None, "app.errors.NotFound: no", "caller"),
        (None, "other.NotFound: no", "caller"),  # a text says no module for certain
        ("other.NotFound", None, "tool"),
        ("errors.NotFound", None, "tool"),
        ("ConnectTimeout", None, "environment"),
        ("httpx.ConnectTimeout", None, "environment"),
        ("requests.ConnectTimeout", None, "tool"),
        ("a.Ambiguous", None, "caller"),
        ("b.Ambiguous", None, "environment"),
        ("Ambiguous", None, "tool"),  # it may be either
        ("m.f.<locals>.Inner", None, "environment"),
        ("OSError", "ValueError: x", "environment"),
        ("ConnectionError", "OSError: x", "tool"),  # that it is a subclass is not known
        ("valueerror", None, "tool"),
        ("ValueErrors", None, "tool"),
        ("HTTP 500", None, "tool"),
        ("KeyError", "KeyError: 'ValueError'", "tool"),
        (None, "it was a ValueError", "tool"),
        (None, None, "tool"),
        ("", "", "tool"),
        (None, GROUP.format(leaf="OSError"), "tool"),  # its other leaf may be the tool's
    ],
)
def test_origins(error_type: str | None, error: str | None, origin: ErrorOrigin) -> None:
    failure = execution("t", success=False, error=error, error_type=error_type)
    assert RULES.failure_classes.origin_of(failure) == origin
    for said in ("tool", "caller", "environment"):
        stated = failure.model_copy(update={"error_origin": said})
        assert RULES.failure_classes.origin_of(stated) == said
    assert Rules().failure_classes.origin_of(failure) == "tool"


@pytest.mark.parametrize(
    ("names", "error_type", "error", "counts"),
    [
        (("TypeError",), "TypeError", None, True),
        (("TypeError",), "AttributeError", None, False),
        (("Gone",), "app.Gone", None, True),
        (("app.Gone",), "Gone", None, True),
        (("app.Gone",), "lib.Gone", None, False),
        (("Gone",), "TypeError", None, False),
        (("Gone",), None, "Gone: no more", True),
        (("Gone",), None, GROUP.format(leaf="Gone"), True),
        (("app.Gone",), None, GROUP.format(leaf="Gone"), True),
        (("Gone",), "ExceptionGroup", GROUP.format(leaf="Gone"), True),
        (("Gone",), None, "ExceptionGroup('x', [Gone('y')])", True),
        (("Gone",), None, "ExceptionGroup('Gone(', [KeyError('Gone(')])", False),
        (("Gone",), None, GROUP.format(leaf="TypeError"), False),
        (("TypeError",), "ExceptionGroup[TypeError]", None, True),
        (("Gone",), "ExceptionGroup[TypeError]", None, False),
        ((), "TypeError", None, False),
        ((), None, GROUP.format(leaf="TypeError"), False),
    ],
)
def test_signature_errors(
    names: Sequence[str], error_type: str | None, error: str | None, counts: bool
) -> None:
    failure = execution("t", success=False, error=error, error_type=error_type)
    classes = Rules(signature_errors=tuple(names)).failure_classes
    assert classes.is_signature_error(failure) == counts
    label = classes.label_of(failure)
    assert is_signature_error(label) == counts
    assert class_in(label) == failure.error_class


class _NotUsual(FailureClasses):
    """Asks names one by one, also for the usual signature errors."""

    def __init__(self) -> None:
        super().__init__(("TypeError", "AttributeError"), {})
        object.__setattr__(self, "_is_usual", False)


TEXTS = st.sampled_from([each for failure in (*FAILURES, *SIGNATURE_FAILURES) for each in failure])
WORDS = st.sampled_from(
    ["TypeError", "a.", "AttributeError", "ExceptionGroup", "[", "]", "(", "'x'", "\n", ": ", "Key"]
)
ANY = TEXTS | st.text() | st.lists(WORDS, max_size=8).map("".join)


@given(ANY, ANY)
def test_names_one_by_one_are_read_as_the_usual_ones(
    error_type: str | None, error: str | None
) -> None:
    failure = execution("t", success=False, error=error, error_type=error_type)
    usual, others = Rules().failure_classes, _NotUsual()
    assert others.is_signature_error(failure) == usual.is_signature_error(failure)
    assert others.label_of(failure) == usual.label_of(failure)
    assert usual.label_of(failure) == label_of(failure.error_type, failure.error)[:255]


@given(ANY, ANY, st.sampled_from([(), ("Key",), ("a.TypeError",), ("ExceptionGroup", "Key")]))
def test_a_label_says_the_same_class_and_what_counted(
    error_type: str | None, error: str | None, names: tuple[str, ...]
) -> None:
    failure = execution("t", success=False, error=error, error_type=error_type)
    classes = Rules(signature_errors=names).failure_classes
    label, usual = classes.label_of(failure), Rules().failure_classes.label_of(failure)
    assert class_in(label) == class_in(usual)
    assert is_signature_error(label) == classes.is_signature_error(failure)
