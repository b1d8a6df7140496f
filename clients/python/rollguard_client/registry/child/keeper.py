"""The keeper of a tool's process: it shuts the tool in, and lets nothing of it live longer.

It is started as ``python -I -S keeper.py CPU_S``. First it writes one line on stdout: that the tool
is ``separated``, or why it has the engine's network. Then it starts ``runner.py``, and ends when
that has ended or when the engine has closed stdin. On Linux all processes that the tool has started
end then, too. This is no sandbox: the tool can read and write the files of the engine's user.
"""

import ctypes
import os
import resource
import select
import signal
import sys
from typing import Final, NoReturn

RUNNER: Final = os.path.join(os.path.dirname(__file__), "runner.py")
MEMORY_BYTES: Final = 2 * 1024**3
FILE_BYTES: Final = 64 * 1024**2
OPEN_FILES: Final = 64
PROCESSES: Final = 64
"""How many processes and threads more the user may have, because the system counts by user."""

_OWN_USER_PROCESSES_AND_NETWORK: Final = 0x10000000 | 0x20000000 | 0x40000000  # CLONE_NEWUSER, …
_SET_CHILD_SUBREAPER: Final = 36


def main() -> None:
    """Become the runner, kept by a process that stays."""
    cpu_s, processes = int(sys.argv[1]), threads_of_user() + PROCESSES
    why_not = separate()
    print(why_not or "separated", flush=True)
    if sys.platform == "linux" and (child := os.fork()):
        keep(child)
    if not why_not and (runner := os.fork()):
        exit_with(runner)  # the first process of the namespace: all others end with it
    limit(cpu_s, processes)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-X", "utf8", RUNNER])


def separate() -> str | None:
    """Give the processes that start from now on no network, and numbers of their own.

    Return why that is not possible. Then orphans of the tool become our children, so that they can
    be ended. Both need no privileges.
    """
    if sys.platform != "linux":
        return f"{sys.platform} has no namespaces"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_OWN_USER_PROCESSES_AND_NETWORK) == 0:
        return None
    why_not = os.strerror(ctypes.get_errno())
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return f"namespaces are not permitted: {why_not}"


def limit(cpu_s: int, processes: int) -> None:
    """Set limits that this process and those that it starts cannot raise."""
    for kind, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:  # noqa: SIM105 - contextlib would make each start slower
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # the system has no such limit
            pass


def threads_of_user() -> int:
    """Return how many threads the processes of this user have; 0 if the system does not say so."""
    count = 0
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        try:
            if name.isdecimal() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:  # the process has ended
            pass
    return count


def keep(child: int) -> NoReturn:
    """Wait until the child has ended or the engine is gone; end everything, and exit as the child.

    Only the tool's processes may hold stdout: the engine reads its end when they have ended.
    """
    os.close(1)
    poll = select.poll()
    poll.register(0, 0)  # only that the other end is closed; what is written there the runner reads
    poll.register(os.pidfd_open(child), select.POLLIN)
    poll.poll()
    os.kill(child, signal.SIGKILL)
    code = exit_code(os.waitpid(child, 0)[1])
    try:
        end_orphans()
    finally:
        os._exit(code)


def end_orphans() -> None:
    """End the processes that have become our children because their parents are dead."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            pids = [int(pid) for pid in children.read().split()]
        if not pids:
            return
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def exit_with(runner: int) -> NoReturn:
    """Wait for the end of all processes until the runner has ended, and exit as it did."""
    os.close(0)
    os.close(1)
    while (ended := os.wait())[0] != runner:
        pass
    os._exit(exit_code(ended[1]))


def exit_code(status: int) -> int:
    """Return the exit code of a process; for a signal, 128 and its number, as a shell does."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
