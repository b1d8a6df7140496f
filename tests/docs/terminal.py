"""A shell in which the commands of a page of the documentation run one after the other.

An id in the output that the page shows is another one in reality: later commands get the one that
was printed.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.docs.pages import Command

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_END: Final = "--- end of command ---"


class Terminal:
    """One shell in which the commands of a page run one after the other."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._ids: dict[str, str] = {}

    @classmethod
    async def opened(cls, folder: Path, env: Mapping[str, str]) -> "Terminal":
        """Start the shell in the folder."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-s"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=env,
            limit=2**20,
        )
        return cls(process, folder)

    async def close(self) -> None:
        """End the shell."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def run(self, command: Command) -> str:
        """Run the command with the ids of this run; check its exit code and its output.

        Return what it printed.
        """
        line = _UUID.sub(lambda shown: self._ids.get(shown[0], shown[0]), command.line)
        printed, code = await self._answer(line)
        assert code == 0, f"{line}\n{printed}"
        shown = "\n".join(command.output)
        missing = _words(shown) - _words(printed)
        assert not missing, f"{line}: the page shows {sorted(missing)}, printed was\n{printed}"
        self._ids |= dict(zip(_UUID.findall(shown), _UUID.findall(printed), strict=False))
        return printed

    async def write(self, name: str, text: str) -> None:
        """Write a file into the folder in which the shell is now."""
        where, _ = await self._answer("pwd")
        (Path(where.strip()) / name).write_text(text, "utf-8")

    async def _answer(self, line: str) -> tuple[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\nprintf '\\n%s %s\\n' '{_END}' $?\n".encode())
        await self._process.stdin.drain()
        printed = ""
        async with asyncio.timeout(240):
            while not (answer := (await self._process.stdout.readline()).decode()).startswith(_END):
                assert answer, f"the shell ended in {line}"
                printed += answer
        return printed, int(answer.removeprefix(_END))


def _words(text: str) -> set[str]:
    """Return the words of an output that are the same in each run: letters, no ids, no times."""
    return set(re.findall(r"(?<![\w-])[^\W\d]+(?![\w-])", _UUID.sub("", text)))
