"""The program of a tool's process: it loads the code of one tool and answers calls of it.

The keeper starts it as ``python -I -S runner.py``, so it imports only the standard library. The
engine asks by lines of JSON on stdin. The first one is ``{"code", "file", "alarm_s"}``, each later
one is a call: ``{"args", "kwargs"}``. An answer on stdout has three lines:

1. ``finished``: the tool has returned or raised. Only now the engine sends a nonce, one line.
2. The nonce and ``ok`` or ``failed``. A line without this nonce was written by the tool.
3. In JSON, the ``result``; or else the ``error`` and its ``error_type``.

So the nonce is not in this process while the tool runs. To show a result is the engine's work, so
it is no failure of the tool if that is not possible. What the tool itself prints goes to stderr.
"""

import inspect
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import islice
from typing import Any, Final, TextIO

MAX_ITEMS: Final = 10_000
"""So many items are taken from a generator that a tool returns."""
MAX_RESULT: Final = 1_000_000
"""The longest result that is passed on, in characters of JSON."""
MAX_ERROR: Final = 10_000


def main() -> None:
    """Answer questions until stdin ends.

    An alarm kills this process if a tool runs too long, even if the parent is dead by then.
    """
    questions, answers = os.fdopen(os.dup(0)), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    serve(questions, answers)


def serve(questions: TextIO, answers: int) -> None:
    """Load the tool, then call it for each question."""
    # The tool can replace what modules and our globals hold. So whatever decides about its success
    # is a local variable, and the line that says so is not made by json.
    write, read_line, alarm, parse = os.write, questions.readline, signal.alarm, json.loads
    load_tool, finish, show_details = load, done, details
    line, execute, alarm_s = read_line(), None, 0
    while line:
        question, result, error = parse(line), None, None
        alarm_s = question.get("alarm_s", alarm_s)
        alarm(alarm_s)
        try:
            if execute is None:
                execute = load_tool(question["code"], question["file"])
            else:
                result = finish(execute(*question["args"], **question["kwargs"]))
        except BaseException as raised:
            error = raised
        write(answers, b"finished\n")
        verdict = " ok\n" if error is None else " failed\n"
        write(answers, (read_line().strip() + verdict).encode())
        show_details(answers, result, error)
        alarm(0)
        line = read_line()


def details(answers: int, result: Any, error: BaseException | None) -> None:
    """Write the result as far as JSON can express it, or the error."""
    reply: dict[str, Any] = {"result": shown(result)}
    if error is not None:
        name = type(error).__name__
        reply = {"error": f"{name}: {_text(error)}", "error_type": name}
    with os.fdopen(os.dup(answers), "w") as out:
        out.write(json.dumps(reply) + "\n")


def load(code: str, file: str) -> Callable[..., Any]:
    """Return the function ``execute`` of a new module that is made of the code.

    ``file`` holds the code, so that the tool finds itself there (``__file__``,
    ``inspect.getsource``).
    """
    spec = spec_from_file_location("tool", file)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["tool"] = module
    # Python skips a byte order mark in a file, but not in a text.
    exec(compile(code.removeprefix("\ufeff"), file, "exec"), module.__dict__)
    execute: Callable[..., Any] = module.execute
    return execute


def done(result: Any) -> Any:
    """Return what the tool has computed after all: a coroutine is awaited, a generator is read.

    Until then the tool has done nothing, so nobody could say whether it works.
    """
    if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
        import asyncio

        return done(asyncio.run(_awaited(result)))
    if isinstance(result, Iterator):
        return list(islice(result, MAX_ITEMS))
    return result


async def _awaited(result: Any) -> Any:
    if not isinstance(result, AsyncIterator):
        return await result
    items: list[Any] = []
    async for item in result:
        items.append(item)
        if len(items) == MAX_ITEMS:
            break
    return items


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_ERROR]
    except BaseException:
        return "an exception that has no text"


def shown(result: Any) -> Any:
    """Return what JSON can express of a result; otherwise its ``repr``, or what class it has."""
    for express in (lambda: _plain(result), lambda: repr(result)[:MAX_RESULT]):
        try:
            return express()
        except BaseException:  # the result's own code, such as its __repr__, may raise anything
            continue
    return f"a {type(result).__name__} that cannot be shown"


def _plain(result: Any) -> Any:
    text = json.dumps(result, default=repr)
    if len(text) > MAX_RESULT:
        return f"{text[:1000]}… ({len(text)} characters)"
    return json.loads(text)


if __name__ == "__main__":
    main()
