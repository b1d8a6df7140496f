"""The tools that an engine runs, by name or by a pattern of names."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


class ChosenTools:
    """The tools of one engine: ``name in chosen``."""

    def __init__(self, names: Iterable[str], *, globs: bool = True) -> None:
        """Take names and globs (``*``, ``?``, ``[…]``). Raises ValueError if there is none."""
        if isinstance(names, str):
            raise TypeError(f"tools: a list of names, not the single text {names!r}")
        self.names = frozenset(names)
        if not self.names:
            raise ValueError("tools: an engine without tools needs no registry")
        self._globs = [name for name in self.names if globs and any(each in name for each in "*?[")]

    @classmethod
    def of(cls, names: Iterable[str] | None) -> "ChosenTools":
        """Return the tools with these names; all tools for None."""
        return cls(("*",) if names is None else names)

    def __contains__(self, tool_name: object) -> bool:
        return isinstance(tool_name, str) and (
            tool_name in self.names or any(fnmatchcase(tool_name, each) for each in self._globs)
        )
