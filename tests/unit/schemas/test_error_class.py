"""The class of an error, read from texts as real tools write them."""

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry, read_execution_entry
from schemas.failures.error_class import class_of, label_of
from schemas.fields import MAX_ERROR_BYTES
from tests.support.cpu_time import reference_seconds
from tests.support.messages import execution

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
HANDLING = "\nDuring handling of the above exception, another exception occurred:\n\n"
RULE = "-" * 75 + "\n"
IPYTHON = "                                 Traceback (most recent call last)\n"
CELL = "Cell In[1], line 2\n      1 def f(x): pass\n----> 2 f()\n\n"
MISSING = "f() missing 1 required positional argument: 'x'"
PYTEST = """=================================== FAILURES ===================================
__________________________________ test_type ___________________________________

>   def test_type(): f()
                     ^^^
"""
SUMMARY = "=========================== short test summary info ============================\n"
CAPTURED = "------------------------------ Captured log call -------------------------------\n"
COLOURED = (
    'Traceback (most recent call last):\n  File \x1b[35m"<string>"\x1b[0m, line \x1b[35m3\x1b[0m, '
    "in \x1b[35m<module>\x1b[0m\n    \x1b[31mf\x1b[0m\x1b[1;31m()\x1b[0m\n"
    "    \x1b[31m~\x1b[0m\x1b[1;31m^^\x1b[0m\n"
)
COLOURED_IPYTHON = (
    "\x1b[91m" + "-" * 75 + "\x1b[39m\n\x1b[91mTypeError\x1b[39m" + IPYTHON + "\x1b[96mCell\x1b[39m"
    "\x1b[96m \x1b[39m\x1b[32mIn[1]\x1b[39m\x1b[32m, line 1\x1b[39m\n\x1b[92m----> \x1b[39m\x1b[92m"
    "1\x1b[39m \x1b[30;43mlen\x1b[39;49m\x1b[30;43m(\x1b[39;49m\x1b[30;43m)\x1b[39;49m\n\n"
    "\x1b[91mTypeError\x1b[39m: len() takes exactly one argument (0 given)"
)
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 2, in <module>
  |     raise ExceptionGroup('g', errors)
  | {name}: g (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | OSError: TypeError: no
    +---------------- 2 ----------------
    | {leaf}: 1
    +------------------------------------
"""
RICH = """╭───────────────────── Traceback (most recent call last) ──────────────────────╮
│ in <module>:3                                                                │
╰──────────────────────────────────────────────────────────────────────────────╯
TypeError: len() takes exactly one argument (0 given)"""
LOGURU = """2026-11-29 04:28:46.124 | ERROR    | __main__:<module>:4 - boom
Traceback (most recent call last):

> File "<string>", line 3, in <module>

TypeError: len() takes exactly one argument (0 given)"""

TEXTS: list[tuple[str, str | None]] = [
    # str, repr and the names of classes
    ("TypeError", "TypeError"),
    ("TypeError: bad", "TypeError"),
    ("TypeError:", "TypeError"),
    ("TypeError()", "TypeError"),
    ("TypeError('bad')", "TypeError"),
    ("builtins.TypeError: bad", "TypeError"),
    ("<class 'TypeError'>: bad", "TypeError"),
    ("<class 'TypeError'>", "TypeError"),
    ("<class 'a.b.MyError'>, bad", "MyError"),
    ("(<class 'TypeError'>, TypeError('x'), <traceback object at 0x7f>)", "TypeError"),
    ("a.tests.test_it.<locals>.MyError: bad", "MyError"),
    ("psycopg2.errors.UniqueViolation: duplicate key", "UniqueViolation"),
    ("struct.error: unpack requires a buffer of 4 bytes", "error"),
    ("java.lang.NullPointerException: x\n\tat A.main(A.java:3)", "NullPointerException"),
    ("Uncaught TypeError: x is not a function", "TypeError"),
    ("TypeError: bad\nAttributeError: a note", "TypeError"),
    ("TypeError\nAttributeError: a note", "TypeError"),
    ("KeyError: 'TypeErrorCount'", "KeyError"),
    ("ValueError: TypeError: x", "ValueError"),
    ("RuntimeError: pytest failed\nE   TypeError: x", "RuntimeError"),
    # Tracebacks
    (TRACEBACK + "TypeError: bad\n", "TypeError"),
    (TRACEBACK + "TypeError", "TypeError"),
    (TRACEBACK + "my_failure: bad", "my_failure"),
    (TRACEBACK + "a.b.f.<locals>.MyError: bad", "MyError"),
    (TRACEBACK + "KeyError: 'a'\n" + HANDLING + TRACEBACK + "TypeError: b\n", "TypeError"),
    (TRACEBACK + "TypeError: a\n" + CAUSED + TRACEBACK + "ValueError: b\n", "ValueError"),
    (TRACEBACK + "ValueError: one\ntwo\nTypeError: three\n", "ValueError"),
    (TRACEBACK + "TypeError: bad\nAttributeError: a note\nmore\n", "TypeError"),
    (TRACEBACK.replace("\n", "\r\n") + "TypeError: bad\r\n", "TypeError"),
    (
        TRACEBACK + "  [Previous line repeated 995 more times]\nRecursionError: deep",
        "RecursionError",
    ),
    (TRACEBACK + '  File "b.py", line 1\n    x =\n       ^\nSyntaxError: invalid', "SyntaxError"),
    ('  File "b.py", line 1\n    x =\n       ^\nSyntaxError: invalid\n', "SyntaxError"),
    ("".join(f"    {line}\n" for line in (TRACEBACK + "KeyError: 1\nx").split("\n")), "KeyError"),
    ("".join(f"app_1  | {line}\n" for line in (TRACEBACK + "KeyError: 1").split("\n")), "KeyError"),
    ("ERROR:root:boom\n" + TRACEBACK + "TypeError: bad", "TypeError"),
    ("Exception in thread Thread-1:\n" + TRACEBACK + "TypeError: bad", "TypeError"),
    (COLOURED + f"\x1b[1;35mTypeError\x1b[0m: \x1b[35m{MISSING}\x1b[0m\n", "TypeError"),
    ("\x1b[1;35mTypeError\x1b[0m: \x1b[35mbad\x1b[0m", "TypeError"),
    (RICH, "TypeError"),
    (LOGURU, "TypeError"),
    # Exception groups
    (GROUP.format(name="ExceptionGroup", leaf="TypeError"), "ExceptionGroup"),
    (GROUP.format(name="a.MyErrors", leaf="KeyError"), "MyErrors"),
    (GROUP.format(name="\x1b[1;35mExceptionGroup\x1b[0m", leaf="KeyError"), "ExceptionGroup"),
    (GROUP.format(name="ExceptionGroup", leaf="KeyError").strip(), "ExceptionGroup"),
    (GROUP[GROUP.index("  | {") :].format(name="ExceptionGroup", leaf="E"), "ExceptionGroup"),
    (
        GROUP.format(name="ExceptionGroup", leaf="E") + CAUSED + TRACEBACK + "KeyError: 1",
        "KeyError",
    ),
    # IPython
    (RULE + "TypeError" + IPYTHON + CELL + f"TypeError: {MISSING}", "TypeError"),
    (RULE + "KeyError" + IPYTHON + CELL + "KeyError: 'TypeError: x'", "KeyError"),
    (
        RULE
        + "KeyError"
        + IPYTHON
        + CELL
        + "KeyError: 'a'\n"
        + CAUSED
        + "TypeError"
        + IPYTHON
        + CELL,
        "TypeError",
    ),
    (COLOURED_IPYTHON, "TypeError"),
    ("  Cell In[1], line 2\n    def (\n        ^\nSyntaxError: invalid syntax\n", "SyntaxError"),
    # pytest
    (f"E   TypeError: {MISSING}", "TypeError"),
    (PYTEST + f"E   TypeError: {MISSING}\n\ntest_a.py:3: TypeError\n", "TypeError"),
    (PYTEST + "E   ValueError: one\nE   TypeError: two\n", "ValueError"),
    (PYTEST + "E       assert 1 == 2\nE        +  where 1 = TypeError: x\n", "AssertionError"),
    (
        PYTEST + "E   KeyError: 'a'\n" + CAUSED + "E   TypeError: x\n\na.py:7: TypeError",
        "TypeError",
    ),
    (PYTEST + "E   KeyError: 'k'\n\n" + CAPTURED + TRACEBACK + "TypeError: logged", "KeyError"),
    ("F   [100%]\n" + SUMMARY + "FAILED a.py::test - TypeError: f() missing 1…\n", "TypeError"),
    ("FF\n" + PYTEST + f"E   TypeError: {MISSING}\n", "TypeError"),
    ("/tmp/test_a.py:3: TypeError: f() missing 1 required positional argument: 'x'", "TypeError"),
    # Lines of a log, and what agents say
    ("ERROR:root:TypeError: bad", "TypeError"),
    ("ERROR:my.tool:KeyError: 'TypeError: x'", "KeyError"),
    ("CRITICAL:root:TypeError('bad')", "TypeError"),
    ("[ERROR] TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00,123 - my.tool - ERROR - TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00,123 ERROR root: TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00.124 | ERROR    | __main__:<module>:4 - TypeError: bad", "TypeError"),
    ("Error: TypeError('bad')\n Please fix your mistakes.", "TypeError"),
    ("Error: TypeError: bad", "TypeError"),
    ("Error: something", "Error"),
    # Nothing is named
    ("", None),
    ("  \n ", None),
    ("a TypeError happened", None),
    ("TypeError happened", None),
    ("500 Internal Server Error", None),
    (MISSING, None),
    ("'NoneType' object has no attribute 'x'", None),
    ("[Errno 2] No such file or directory: 'TypeError: x'", None),
    ("https://example.com/TypeError failed", None),
    ("ERROR: something", None),
    ("ERROR:root:a TypeError: bad", None),
    ("ERROR:root:TypeError happened", None),
    ("2026-01-01 12:00:00,123 ERROR root: found a TypeError: x", None),
    ("the tool said: TypeError: bad", None),
    ("Traceback (most recent call last):", None),
    ("file a.py, line 9\nE       fixture 'nope' not found\n", None),
    ("\x1b[31m\x1b[0m", None),
]


@pytest.mark.parametrize(("text", "named"), TEXTS)
def test_the_class_that_a_text_names(text: str, named: str | None) -> None:
    failure = execution("t", error=text)
    assert failure.error_class == named
    assert ExecutionEntry.of(failure).error_class == named


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


def agree(error: str, error_type: str | None, named: str, is_signature_error: bool) -> None:
    """Check both readers; the text may be so long that it is cut."""
    whole = {"error": error, "error_type": error_type}
    value = execution("t", error="x").model_copy(update=whole).to_bytes()
    strict, quick = Execution.from_bytes(value), read_execution_entry(value)
    for each in (strict, quick or ExecutionEntry.of(strict)):
        assert (each.error_class, each.is_signature_error) == (named, is_signature_error)


def test_a_group_whose_text_is_cut_keeps_its_leaf() -> None:
    frames = '  |   File "a.py", line 2, in g\n  |     g()\n' * 400
    begin, end = GROUP.format(name="ExceptionGroup", leaf="TypeError").split("  |   File", 1)
    for error_type in (None, "ExceptionGroup"):
        agree(begin + frames + "  |   File" + end, error_type, "ExceptionGroup", True)


@pytest.mark.parametrize(
    ("error_type", "named"),
    [
        ("TypeError", "TypeError"),
        ("builtins.TypeError", "TypeError"),
        (" TypeError ", "TypeError"),
        ("<class 'TypeError'>", "TypeError"),
        ("<class 'a.b.MyError'>", "MyError"),
        ("a.f.<locals>.MyError", "MyError"),
        ("TypeError('x')", "TypeError"),
        ("\x1b[1;35mTypeError\x1b[0m", "TypeError"),
        ("java.lang.NullPointerException", "NullPointerException"),
        ("HTTP 500", "HTTP 500"),
        ("a TypeError", "a TypeError"),
        ("ExceptionGroup[TypeError]", "ExceptionGroup"),
        ("tool failed [TypeError]", "tool failed [TypeError]"),
        ("  ", "KeyError"),
        ("", "KeyError"),
        (None, "KeyError"),
    ],
)
def test_the_class_that_a_producer_gives(error_type: str | None, named: str) -> None:
    failure = execution("t", error="KeyError: 'x'", error_type=error_type)
    assert failure.error_class == named
    assert ExecutionEntry.of(failure).error_class == named
    assert class_of(named, None) == named
    is_signature_error = named == "TypeError" or error_type == "ExceptionGroup[TypeError]"
    assert failure.is_signature_error == is_signature_error


def test_a_success_has_no_class() -> None:
    entry = ExecutionEntry(UUID(int=1), "t", True, "", error_type="TypeError")
    assert (entry.error_class, entry.error_label, entry.is_signature_error) == (None, None, False)


def test_what_pytest_really_writes(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def f(x): pass\ndef test_it():\n    f()\n", "utf-8")
    for style in ("long", "line", "native"):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=yes"]
        ran = subprocess.run(
            [*command, "-p", "no:randomly", f"--tb={style}", "--rootdir=.", "test_it.py"],
            cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert class_of(None, ran.stdout) == "TypeError", ran.stdout


PIECES = st.sampled_from(
    [
        *(
            "\n",
            " ",
            "  ",
            "| ",
            "  | ",
            "+-",
            "  +-+---------------- 1 ----------------\n",
            "E   ",
        ),
        *(
            "TypeError",
            ": ",
            "(",
            ")",
            "[TypeError]",
            "<class '",
            "'>",
            ".",
            "<locals>",
            "\x1b[",
            "0m",
        ),
        *(
            "Traceback (most recent call last)",
            ":\n",
            "  + Exception Group ",
            '  File "',
            "ERROR",
            ":",
        ),
        *(
            "╭",
            "│",
            "Error: ",
            "FAILED a::b - ",
            "ExceptionGroup('",
            "', [",
            "'",
            "a.py:3: ",
            "2026-01-01",
            "\x1b]",
            "> File ",
            " - ",
        ),
    ]
)


@given(
    st.none() | st.text() | st.lists(PIECES).map("".join),
    st.none() | st.text() | st.lists(PIECES | st.text(max_size=3)).map("".join),
)
def test_any_text_is_read(error_type: str | None, error: str | None) -> None:
    named, label = class_of(error_type, error), label_of(error_type, error)
    assert named is None or class_of(named, None) == named
    assert (named is None) == (label == "")
    assert label_of(label, None) == label


@given(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.lists(PIECES).map("".join))
def test_a_hostile_text_takes_linear_time(repeated: str, before: str) -> None:
    text = before + repeated * (MAX_ERROR_BYTES * 2 // len(repeated))
    begin = process_time()
    label_of(None, text)
    label_of(text, text)
    assert process_time() - begin < 0.2


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[" + "0" * 200_000,
        "ExceptionGroup(''" + "0m" * 100_000,
        "\x1b]" * 100_000,
        "a." * 100_000,
        " " * 200_000 + "x",
        "<" * 200_000,
    ],
)
def test_a_long_run_takes_linear_time(text: str) -> None:
    seconds, _ = reference_seconds(lambda: label_of(None, text))
    assert seconds < 0.5
