"""The child's side: loads one tool's code, then runs it for each line of JSON on stdin.

Started as ``python -I -S runner.py``, so it imports nothing but the standard library. First line:
``{"code", "name", "alarm_s"}``; then jobs ``{"args", "kwargs"}``. Each is answered by one line:
``{"result"}`` or ``{"error", "error_type"}``. What a tool prints goes to stderr.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TextIO


def load(code: str, name: str) -> Callable[..., Any]:
    """The ``execute`` of a module made of this code."""
    module = ModuleType("tool")
    sys.modules["tool"] = module
    exec(compile(code, f"<{name}>", "exec"), module.__dict__)
    execute: Callable[..., Any] = module.execute
    return execute


def answer(out: TextIO, work: Callable[[], Any]) -> Any:
    """Do the work and answer with its result, or with what it raised; the result, or None."""
    try:
        result = work()
        reply = json.dumps({"result": None if callable(result) else result}, default=repr)
    except BaseException as error:
        result = None
        name = type(error).__name__
        reply = json.dumps({"error": f"{name}: {error}", "error_type": name})
    print(reply, file=out, flush=True)
    return result


def main() -> None:
    """Answer until stdin ends. A tool that outlives the alarm is killed by it, parent or no."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    first = json.loads(sys.stdin.readline())
    signal.alarm(first["alarm_s"])
    execute = answer(out, lambda: load(first["code"], first["name"]))
    signal.alarm(0)
    for line in sys.stdin:
        job = json.loads(line)
        signal.alarm(first["alarm_s"])
        answer(out, lambda job=job: execute(*job["args"], **job["kwargs"]))  # type: ignore[misc]
        signal.alarm(0)


if __name__ == "__main__":
    main()
