"""The program of a tool process: it loads the code of one tool and answers calls of it.

It is started as ``python -I -S runner.py``, so it imports only the standard library. Questions are
lines of JSON on stdin. The first one is ``{"code", "file", "alarm_s"}``, each later one is a call:
``{"args", "kwargs"}``. The first answer to each is one line on stdout, ``{"success": true}`` or
``{"success": false, "error", "error_type"}``. After the success of a call a second line follows,
``{"result"}``: to show a result is the engine's work, so it is no failure of the tool if it cannot
be shown. What the tool itself prints goes to stderr.
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
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    first = json.loads(questions.readline())
    loaded: list[Callable[..., Any]] = []
    signal.alarm(first["alarm_s"])
    answer(answers, lambda: loaded.append(load(first["code"], first["file"])))
    signal.alarm(0)
    for line in questions:
        signal.alarm(first["alarm_s"])
        answer_call(answers, loaded[0], json.loads(line))
        signal.alarm(0)


def answer_call(out: TextIO, execute: Callable[..., Any], call: dict[str, Any]) -> None:
    """Call the tool, and write whether it succeeded, and if so its result."""
    results: list[Any] = []
    if answer(out, lambda: results.append(done(execute(*call["args"], **call["kwargs"])))):
        print(json.dumps({"result": shown(results[0])}), file=out, flush=True)


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


def answer(out: TextIO, work: Callable[[], object]) -> bool:
    """Do the work, write whether it succeeded, and return that."""
    reply: dict[str, Any] = {"success": True}
    try:
        work()
    except BaseException as error:
        name = type(error).__name__
        reply = {"success": False, "error": f"{name}: {_text(error)}", "error_type": name}
    print(json.dumps(reply), file=out, flush=True)
    return bool(reply["success"])


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
