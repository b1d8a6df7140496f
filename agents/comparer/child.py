"""The child process of `CodeComparer`: for each line of JSON on stdin it prints one on stdout.

A question is ``[what, old, new, cpu_s]``; ``what`` is ``findings`` or ``diff``. The answer is a
list of findings, the hunks of the diff in a list with one text, or the text of an error. The JSON
is ASCII, because code may hold characters that UTF-8 cannot encode. The process ends when its stdin
ends. If a comparison takes more than ``cpu_s`` seconds of CPU time, SIGPROF ends the process, even
if the parent has died.
"""

import gc
import json
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import astuple
from typing import Any, Final

from agents.comparer.line_diff import hunks_of
from policy.breaking.compare import compare_code

MAX_MEMORY_BYTES: Final = 1024**3
"""Half a megabyte of code, as dense as it can be, takes half of it."""


def main() -> None:
    """Answer questions until stdin ends.

    Ctrl-C is ignored: the terminal sends it to the whole process group, but only the parent decides
    when this process ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError):  # the hard limit is lower already
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, hard_limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    gc.disable()  # syntax trees have no reference cycles, and searching for them doubles the time
    for line in sys.stdin:
        what, old, new, cpu_s = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        answer = json.dumps(_answer(what, old, new))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(answer, flush=True)
        gc.collect()


def _answer(what: str, old: str | None, new: str) -> Any:
    try:
        if what == "diff":
            return [hunks_of(old or "", new)]
        return [astuple(finding) for finding in compare_code(old, new)]
    except Exception as error:  # for example, out of memory
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
