"""Exception groups and tracebacks: the class, and whether a leaf is a signature error.

The texts are those that Python itself and loggers write, and each reader must find the same.
"""

import traceback
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from typing import Any, NoReturn

import pytest
from rich.console import Console
from rich.traceback import Traceback as RichTraceback

from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry, read_execution_entry
from schemas.failures.error_class import class_of
from tests.support.inputs.error_texts import GROUP, TRACEBACK, is_signature_error_of
from tests.support.inputs.messages import execution

NO_KEYS: dict[str, int] = {}


def a_chain() -> None:
    try:
        NO_KEYS["a"]
    except KeyError as error:
        raise TypeError from error


def a_handled_error() -> None:
    try:
        NO_KEYS["a"]
    except KeyError:
        "".x  # type: ignore[attr-defined] # noqa: B018


def a_local_class() -> NoReturn:
    class ToolFailure(Exception):
        pass

    raise ToolFailure("TypeError: x")


def several_lines() -> NoReturn:
    raise ValueError("one\ntwo\nTypeError: three")


def recursion() -> None:
    recursion()


def syntax() -> None:
    compile("x =\n", "a.py", "exec")


def noted() -> NoReturn:
    error = TypeError("bad")
    error.add_note("KeyError: a note\n" + TRACEBACK)
    raise error


def a_message_with_a_traceback() -> NoReturn:
    raise RuntimeError(f"failed:\n{TRACEBACK}TypeError: bad")


def a_cause_that_was_never_raised() -> NoReturn:
    error = TypeError("t")
    error.__cause__ = KeyError("k")
    raise group(OSError(), group(error))


def group(*errors: Exception) -> ExceptionGroup:
    return ExceptionGroup("TypeError: g", errors)


def raised(error: BaseException) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


def a_leaf_with_a_group_as_its_cause() -> NoReturn:
    try:
        raise group(TypeError("k"))
    except ExceptionGroup as cause:
        try:
            raise ValueError("v") from cause
        except ValueError as error:
            raise group(error) from None


def a_group_with_a_cause() -> NoReturn:
    try:
        raise TypeError
    except TypeError as error:
        raise group(ValueError("v")) from error


def a_group_as_the_cause() -> NoReturn:
    try:
        raise group(TypeError("t"))
    except ExceptionGroup as error:
        raise ValueError from error


def logged(prefix: str, text: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in text.rstrip("\n").split("\n"))


REPRS: list[tuple[str, str, bool]] = [
    (repr(ExceptionGroup("m", [TypeError("x")])), "ExceptionGroup", True),
    (repr(ExceptionGroup("m", (KeyError("x"), AttributeError("y")))), "ExceptionGroup", True),
    (repr(BaseExceptionGroup("m", [SystemExit(), TypeError()])), "BaseExceptionGroup", True),
    (repr(group(OSError(), group(group(TypeError("x"))))), "ExceptionGroup", True),
    (f"Error: {group(TypeError())!r}", "ExceptionGroup", True),
    (repr(group(KeyError("\\"), TypeError("'\"")))[:-1], "ExceptionGroup", True),
    (f"ERROR:root:{group(TypeError())!r}", "ExceptionGroup", True),
    ("a.b.MyGroup('m', [KeyError(1), builtins.TypeError('x')])", "MyGroup", True),
    (repr(ExceptionGroup("m [TypeError('x')]", [KeyError("x")])), "ExceptionGroup", False),
    (
        repr(group(ValueError("TypeError('x')"), KeyError("it's [TypeError()"))),
        "ExceptionGroup",
        False,
    ),
    (repr(group(ValueError("m", [TypeError("x")]))), "ExceptionGroup", False),
    (repr(group(ValueError(group(TypeError("x"))))), "ExceptionGroup", False),
    (f"{group(KeyError())!r} after TypeError('x')", "ExceptionGroup", False),
    (repr(ValueError("m", [TypeError("x")])), "ValueError", False),
    ("ExceptionGroup('m', [TypeError", "ExceptionGroup", False),
    ("ExceptionGroup: m (1 sub-exception)", "ExceptionGroup", False),
]


@pytest.mark.parametrize(("text", "named", "is_signature_error"), REPRS)
def test_the_repr_of_a_group(text: str, named: str, is_signature_error: bool) -> None:
    for error_type in (None, named, text):
        agree(text, error_type, named, is_signature_error)


@pytest.mark.parametrize("is_signature_error", [True, False])
@pytest.mark.parametrize(
    "prefix",
    [
        "ERROR:root:",
        "2026-01-01 ERROR name: ",
        "2026-01-01 12:00:00,123 - my.tool - ERROR - ",
        "[ERROR] ",
        "app_1  | ",
    ],
)
def test_a_group_with_the_prefix_of_a_logger(prefix: str, is_signature_error: bool) -> None:
    leaf = "TypeError" if is_signature_error else "KeyError"
    for text in (
        GROUP.format(name="ExceptionGroup", leaf=leaf),
        "".join(traceback.format_exception(_raised(group(OSError(), group(error_named(leaf)))))),
    ):
        shown = [logged(prefix, text), prefix + "boom\n" + text, logged(prefix, "boom\n" + text)]
        if prefix != "app_1  | ":
            shown += [prefix + text, prefix + text.strip()]
        seconds = iter(range(100, 999))
        shown.append(
            "".join(
                f"{line.replace('123', str(next(seconds)))}\n"
                for line in logged(prefix, text).splitlines()
            )
        )
        for error in shown:
            agree(error, None, "ExceptionGroup", is_signature_error)
            agree(error, "ExceptionGroup", "ExceptionGroup", is_signature_error)


def error_named(name: str) -> Exception:
    return TypeError("x") if name == "TypeError" else KeyError("x")


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


RAISED: list[tuple[Callable[[], object], str, bool]] = [
    (a_chain, "TypeError", True),
    (a_handled_error, "AttributeError", True),
    (a_local_class, "ToolFailure", False),
    (several_lines, "ValueError", False),
    (recursion, "RecursionError", False),
    (syntax, "SyntaxError", False),
    (noted, "TypeError", True),
    (raised(group(ValueError("a"), TypeError("b\nc"))), "ExceptionGroup", True),
    (raised(group(ValueError("AttributeError: a\nTypeError: b"))), "ExceptionGroup", False),
    (raised(group(OSError(), group(KeyError(1), AttributeError()))), "ExceptionGroup", True),
    (raised(group(group(TypeError(1), KeyError()), OSError())), "ExceptionGroup", True),
    (raised(group(group(group(KeyError())), OSError())), "ExceptionGroup", False),
    (raised(BaseExceptionGroup("g", [KeyboardInterrupt()])), "BaseExceptionGroup", False),
    (raised(group(*map(ValueError, range(20)))), "ExceptionGroup", False),
    (a_leaf_with_a_group_as_its_cause, "ExceptionGroup", False),
    (a_group_with_a_cause, "ExceptionGroup", False),
    (a_group_as_the_cause, "ValueError", False),
    (a_message_with_a_traceback, "RuntimeError", False),
    (raised(group(RuntimeError(f"failed:\n{TRACEBACK}TypeError: b"))), "ExceptionGroup", False),
    (raised(group(RuntimeError("failed:\nmore"), TypeError("b"))), "ExceptionGroup", True),
    (a_cause_that_was_never_raised, "ExceptionGroup", True),
]


@pytest.mark.parametrize(("fail", "named", "is_signature_error"), RAISED)
def test_tracebacks_of_this_python(
    fail: Callable[[], object], named: str, is_signature_error: bool
) -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        fail()
    text = "".join(traceback.format_exception(caught.value))
    for error in (text, text.strip(), "failed:\n" + text):
        for error_type in (None, f"builtins.{named}"):
            agree(error, error_type, named, is_signature_error)
    only = "".join(traceback.format_exception_only(caught.value))
    assert class_of(None, only) == named


@pytest.mark.parametrize("style", [{}, {"safe_box": True, "legacy_windows": True}, {"ascii": True}])
@pytest.mark.parametrize(
    ("fail", "named", "is_signature_error"),
    [
        (raised(group(ValueError("TypeError: x"), TypeError("y"))), "ExceptionGroup", True),
        (raised(group(ValueError("TypeError: x"))), "ExceptionGroup", False),
        (raised(group(OSError(), group(group(AttributeError("a"))))), "ExceptionGroup", True),
        (a_leaf_with_a_group_as_its_cause, "ExceptionGroup", False),
        (a_group_as_the_cause, "ValueError", False),
        (a_chain, "TypeError", True),
    ],
)
def test_tracebacks_of_rich(
    style: dict[str, Any], fail: Callable[[], object], named: str, is_signature_error: bool
) -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        fail()
    file = TextIOWrapper(BytesIO(), "ascii" if "ascii" in style else "utf-8", "backslashreplace")
    options = {name: value for name, value in style.items() if name != "ascii"}
    shown = RichTraceback.from_exception(caught.type, caught.value, caught.tb)
    Console(file=file, width=100, **options).print(shown)
    file.seek(0)
    agree(file.read(), None, named, is_signature_error)


def agree(error: str, error_type: str | None, named: str, is_signature_error: bool) -> None:
    """Check both readers; the text may be so long that it is cut."""
    whole = {"error": error, "error_type": error_type}
    value = execution("t", error="x").model_copy(update=whole).to_bytes()
    strict, quick = Execution.from_bytes(value), read_execution_entry(value)
    for each in (strict, quick or ExecutionEntry.of(strict)):
        assert each.error_class == named
        assert is_signature_error_of(each) == is_signature_error


def test_a_group_whose_text_is_cut_keeps_its_leaf() -> None:
    frames = '  |   File "a.py", line 2, in g\n  |     g()\n' * 400
    begin, end = GROUP.format(name="ExceptionGroup", leaf="TypeError").split("  |   File", 1)
    for error_type in (None, "ExceptionGroup"):
        agree(begin + frames + "  |   File" + end, error_type, "ExceptionGroup", True)
