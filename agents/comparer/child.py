"""The child's side of `analyst`: answers each line of JSON on stdin by one on stdout.

Question ``[old, new, alarm_s]``; answer a list of findings, or the text of an error. The JSON is
ASCII, for code may hold what UTF-8 cannot. It ends with its stdin or, should the parent be gone
while it works, by its alarm.
"""

import gc
import json
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import astuple
from typing import Any, Final

from policy.breaking.compare import compare_code

_MAX_MEMORY_BYTES: Final = 2 * 1024**3


def main() -> None:
    """Answer until stdin ends. Ctrl-C goes to the whole group, but it is the parent who ends
    this.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError):  # the limit is lower already
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    gc.disable()  # trees of code hold no circles, and looking for them doubles the time
    for line in sys.stdin:
        old, new, alarm_s = json.loads(line)
        signal.alarm(alarm_s)
        print(json.dumps(_answer(old, new)), flush=True)
        signal.alarm(0)
        gc.collect()


def _answer(old: str | None, new: str) -> Any:
    try:
        return [astuple(each) for each in compare_code(old, new)]
    except Exception as error:  # out of memory, say
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
