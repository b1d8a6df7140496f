"""The class of an error, read from texts as real tools write them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from schemas.execution_entry import ExecutionEntry
from schemas.failures.error_class import class_of
from tests.support.inputs.error_texts import GROUP, TRACEBACK, is_signature_error_of
from tests.support.inputs.messages import execution

CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
HANDLING = "\nDuring handling of the above exception, another exception occurred:\n\n"
RULE = "-" * 75 + "\n"
IPYTHON = "                                 Traceback (most recent call last)\n"
CELL = "Cell In[1], line 2\n      1 def f(x): pass\n----> 2 f()\n\n"
MISSING = "f() missing 1 required positional argument: 'x'"
CHAINED = TRACEBACK + "KeyError: 'a'\n" + HANDLING + TRACEBACK + "TypeError: bad\n"
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
RICH = """╭───────────────────── Traceback (most recent call last) ──────────────────────╮
│ in <module>:3                                                                │
╰──────────────────────────────────────────────────────────────────────────────╯
TypeError: len() takes exactly one argument (0 given)"""
RICH_ASCII = """+--------------------- Traceback (most recent call last) ----------------------+
| in <module>:3                                                                |
+------------------------------------------------------------------------------+
TypeError: len() takes exactly one argument (0 given)"""
RICH_SYNTAX = """╭───────────────────── Traceback (most recent call last) ──────────────────────╮
│ in <module>:3                                                                │
╰──────────────────────────────────────────────────────────────────────────────╯
╭──────────────────────────────────────────────────────────────────────────────╮
│ def f(:                                                                      │
│       ▲                                                                      │
╰──────────────────────────────────────────────────────────────────────────────╯
SyntaxError: invalid syntax"""
LOGURU = """2026-11-29 04:28:46.124 | ERROR    | __main__:<module>:4 - boom
Traceback (most recent call last):

> File "<string>", line 3, in <module>

TypeError: len() takes exactly one argument (0 given)"""

IGNORED = "Exception ignored in: <function A.__del__ at 0x7f>\n"
"""What Python says of an exception that stops nothing, before its traceback."""


def each_line(prefix: str, text: str) -> str:
    """Return a text as a logger shows it that writes something before each line."""
    return "".join(f"{prefix}{line}\n" for line in text.rstrip("\n").split("\n"))


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
    ("Uncaught (in promise) TypeError: Failed to fetch", "TypeError"),
    ('TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be a string', "TypeError"),
    ("MyFailure(code=3, message='TypeError: (x')", "MyFailure"),
    ("ray.exceptions.RayTaskError(TypeError): ray::f()", "RayTaskError"),
    ("\ufeffTypeError: bad", "TypeError"),
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
    (RICH_ASCII, "TypeError"),
    (RICH.replace("╭", "┌").replace("╮", "┐").replace("╰", "└").replace("╯", "┘"), "TypeError"),
    ("[11/30/26 13:23:47] ERROR    boom\n" + each_line(" " * 29, RICH), "TypeError"),
    (RICH_SYNTAX, "SyntaxError"),
    ("KeyError: 1\n" + CAUSED + "TypeError: bad\n", "TypeError"),
    (TRACEBACK + "KeyError: 1\n" + CAUSED + "TypeError: bad\n", "TypeError"),
    ("KeyError: 1\n" + CAUSED + TRACEBACK + "TypeError: bad\n", "TypeError"),
    # A traceback with something before it, or before each of its lines
    ("\ufeff" + TRACEBACK + "TypeError: bad", "TypeError"),
    ("Error: " + TRACEBACK + "TypeError: bad", "TypeError"),
    ("Tool failed: " + TRACEBACK + "TypeError: bad", "TypeError"),
    ("Error: boom\n" + TRACEBACK + "TypeError: bad", "TypeError"),
    ("UserWarning: old\n" + TRACEBACK + "TypeError: bad", "TypeError"),
    *(
        (each_line(prefix, CHAINED), "TypeError")
        for prefix in (
            *("    ", "\t", "> ", "app_1  | ", "ERROR:root:", "[stderr] ", "INTERNALERROR> "),
            *("2026-01-01 12:00:00,123 ERROR ", "2026-01-01T12:00:00.123456789Z stderr F "),
            "Nov 30 13:00:00 host app[123]: ",
        )
    ),
    (json.dumps({"event": "boom", "exception": CHAINED, "level": "error"}), "TypeError"),
    (json.dumps({"exception": CHAINED, "level": "error"}, indent=2), "TypeError"),
    (json.dumps(CHAINED), "TypeError"),
    (json.dumps(CHAINED.replace("\n", "\r\n")), "TypeError"),
    (repr(CHAINED), "TypeError"),
    (f"event='boom' exception={CHAINED!r}", "TypeError"),
    # A traceback within a message, or of an exception that stops nothing
    ("RuntimeError: failed:\n" + TRACEBACK + "TypeError: bad", "RuntimeError"),
    ("RuntimeError: failed\n\n" + TRACEBACK + "TypeError: bad", "RuntimeError"),
    (TRACEBACK + "RuntimeError: failed:\n" + TRACEBACK + "TypeError: bad", "RuntimeError"),
    (TRACEBACK + "RuntimeError: " + TRACEBACK + "TypeError: bad", "RuntimeError"),
    (
        TRACEBACK + "RuntimeError: failed:\n" + GROUP.format(name="G", leaf="TypeError"),
        "RuntimeError",
    ),
    (
        TRACEBACK + "RemoteTraceback:\n" + CHAINED + CAUSED + TRACEBACK + "TypeError: bad",
        "TypeError",
    ),
    (
        TRACEBACK + "KeyError: the key:\nERROR:root:boom\n" + TRACEBACK + "TypeError: bad",
        "TypeError",
    ),
    (TRACEBACK + "KeyError: 1\n" + IGNORED + TRACEBACK + "TypeError: bad", "KeyError"),
    (IGNORED + TRACEBACK + "TypeError: bad", "TypeError"),
    (IGNORED + TRACEBACK + "TypeError: bad\n" + TRACEBACK + "KeyError: 1", "KeyError"),
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
    ("  File <tokenize>:2\n    x\n    ^\nIndentationError: bad\n", "IndentationError"),
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
    (PYTEST + "E   http.client.Gone: TypeError: x\n\na.py:7: Gone\n", "Gone"),
    (PYTEST + "E   Failed: DID NOT RAISE <class 'TypeError'>\n\na.py:7: Failed\n", "Failed"),
    (PYTEST + "E   KeyError: 1\n\n  /a/b.py:3: UserWarning: TypeError: x\n", "KeyError"),
    (PYTEST + "E   Failed: x\n\nC:\\work\\test_a.py:3: TypeError\n", "TypeError"),
    ("C:\\work\\test_a.py:3: TypeError: bad", "TypeError"),
    ("FAILED a.py::test[a - KeyError: b] - TypeError: bad", "TypeError"),
    ("FAILED a.py::test - KeyError: [1] - TypeError: x", "KeyError"),
    # Lines of a log, and what agents say
    ("ERROR:root:TypeError: bad", "TypeError"),
    ("ERROR:my.tool:KeyError: 'TypeError: x'", "KeyError"),
    ("CRITICAL:root:TypeError('bad')", "TypeError"),
    ("[ERROR] TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00,123 - my.tool - ERROR - TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00,123 ERROR root: TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00.124 | ERROR    | __main__:<module>:4 - TypeError: bad", "TypeError"),
    ("2026-01-01 12:00:00,123 TypeError: bad", "TypeError"),
    ("(ERROR) TypeError: bad", "TypeError"),
    ("ERROR\tTypeError: bad", "TypeError"),
    ("ERROR [my.tool] TypeError: bad", "TypeError"),
    ("ERROR in app: TypeError: bad", "TypeError"),
    ("ERROR    root:test_a.py:3 TypeError: bad", "TypeError"),
    ("Error: TypeError('bad')\n Please fix your mistakes.", "TypeError"),
    ("Error: TypeError: bad", "TypeError"),
    ("Error: something", "Error"),
    # Nothing is named
    ("", None),
    ("  \n ", None),
    ("a TypeError happened", None),
    ("TypeError happened", None),
    ("TypeError, AttributeError and KeyError are caught", None),
    ("TypeError(s) found: 3", None),
    ("builtins.TypeError(s) found: 3", None),
    ("AttributeError (or TypeError) is what it raises", None),
    ("see a.py:3: TypeError: x", None),
    ("a.py:3:    TypeError: x\na.py:4:Name: str\na.py:5:    Foo(x)", None),
    ("C:\\work\\TypeError: no such file", None),
    ("Sorry, the service is not available", None),
    ("HTTPSConnectionPool(host='x'): Max retries (Caused by Error('x'))", None),
    ("None", None),
    ("NoneType: None", None),
    ("ERROR    retry:3 of TypeError: x", None),
    ("The traceback was lost. Traceback (most recent call last): TypeError: x", None),
    ('{"message": "TypeError: bad", "level": "error"}', None),
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
    assert is_signature_error_of(failure) == is_signature_error


def test_a_success_has_no_class() -> None:
    entry = ExecutionEntry(UUID(int=1), "t", True, "", error_type="TypeError")
    assert entry.error_class is None


def test_what_pytest_really_writes(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def f(x): pass\ndef test_it():\n    f()\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=yes"]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    for style in ("long", "line", "native"):
        ran = subprocess.run(
            [*command, f"--tb={style}", "--rootdir=.", "test_it.py"],
            cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, env=env,
        )  # fmt: skip
        assert class_of(None, ran.stdout) == "TypeError", ran.stdout
