"""The child processes of a process, which may end at any time."""

import psutil


def children_of(pid: int, *command: str) -> list[psutil.Process]:
    """Return the living children whose command line has all these words in a row."""
    found = []
    for child in psutil.Process(pid).children():
        try:
            words = child.cmdline()
        except psutil.Error:  # it has just ended
            continue
        if any(tuple(words[at : at + len(command)]) == command for at in range(len(words))):
            found.append(child)
    return found
