"""How an engine loads versions, and what is in use then."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from schemas.deployment import ToolVersion

T = TypeVar("T")


class Loader(Protocol[T]):
    """How an engine turns the code of a version into a tool that it can run."""

    async def load(self, version: ToolVersion) -> T:
        """Return the tool. Any exception becomes the version's load error, even a SystemExit.

        Only a cancellation by the engine and a signal to the process do not. The loader must limit
        the time itself: nothing else stops a load, and only some loads run at the same time.
        """
        ...

    async def unload(self, tool: T) -> None:
        """Release what the tool holds. A call of it may still run: wait until that has ended."""
        ...


@dataclass(frozen=True)
class LoadedTool(Generic[T]):
    """A current version and its tool. Exactly one of ``tool`` and ``error`` is not None.

    A version with an ``error`` is current all the same. The engine should publish each call of it
    as a failed execution of this version with this error, so that the version is rolled back.
    """

    version: ToolVersion
    tool: T | None
    error: BaseException | None = None
