"""The program of a tool process: it loads the code of one tool and answers calls of it.

It is started as ``python -I -S runner.py``, so it imports only the standard library. Questions are
lines of JSON on stdin. The first one is ``{"code", "name", "alarm_s"}``, each later one is a call:
``{"args", "kwargs"}``. Each is answered by one line on stdout: ``{"result"}`` or ``{"error",
"error_type"}``. What the tool itself prints goes to stderr.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TextIO


def main() -> None:
    """Answer questions until stdin ends.

    An alarm kills this process if a tool runs too long, even if the parent is dead by then.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    first = json.loads(sys.stdin.readline())
    signal.alarm(first["alarm_s"])
    execute = answer(answers, lambda: load(first["code"], first["name"]))
    signal.alarm(0)
    for line in sys.stdin:
        call = json.loads(line)
        signal.alarm(first["alarm_s"])
        answer(answers, lambda call=call: execute(*call["args"], **call["kwargs"]))  # type: ignore[misc]
        signal.alarm(0)


def load(code: str, name: str) -> Callable[..., Any]:
    """Return the function ``execute`` of a new module that is made of the code."""
    module = ModuleType("tool")
    sys.modules["tool"] = module
    exec(compile(code, f"<{name}>", "exec"), module.__dict__)
    execute: Callable[..., Any] = module.execute
    return execute


def answer(out: TextIO, work: Callable[[], Any]) -> Any:
    """Do the work, write its result or its exception as an answer, and return the result.

    Return None if the work raised an exception.
    """
    try:
        result = work()
        reply = json.dumps({"result": None if callable(result) else result}, default=repr)
    except BaseException as error:
        result = None
        name = type(error).__name__
        reply = json.dumps({"error": f"{name}: {error}", "error_type": name})
    print(reply, file=out, flush=True)
    return result


if __name__ == "__main__":
    main()
