"""The tools: what each does, what each version changes, and how the engine calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TOOLS: Final = Path(__file__).with_name("tools")


@dataclass(frozen=True)
class Call:
    """The arguments of one call; what JSON can say."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """``changes[n - 1]`` says in a line what version ``n`` is or changes; ``call`` makes the
    engine's call for the path of a file: it stays the same, whatever a version does.
    """

    name: str
    does: str
    changes: tuple[str, ...]
    call: Callable[[str], Call]

    def code(self, number: int) -> str:
        """The source text of version ``number``, from 1. FileNotFoundError where there is none."""
        return (_TOOLS / self.name / f"v{number}.py").read_text(encoding="utf-8")


def _call(*args: Any, **kwargs: Any) -> Call:
    return Call(args, kwargs)


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool(
            "dependencies",
            "which modules a file imports",
            (
                "by ast; works on every file",
                "signature changed: `stdlib` went, `origins` is required; the engine's calls raise "
                "TypeError",
            ),
            lambda path: _call(path, stdlib=True),
        ),
        Tool(
            "todo_comments",
            "comments that say what is still to be done",
            (
                "by tokenize; works on every file",
                "unpacks each token into three, which has five: ValueError on every file",
            ),
            lambda path: _call(path),
        ),
        Tool(
            "complexity",
            "cyclomatic complexity of each function",
            (
                "McCabe's; works on every file",
                "nesting counts; knows no weight for `with` and classes inside functions: KeyError "
                "on files that have them",
                "weights for all; works on every file",
            ),
            lambda path: _call(path, at_least=3),
        ),
        Tool(
            "docstring_coverage",
            "how much of a module is documented",
            (
                "the share; works on every file",
                "with the module's summary: IndexError on files without a docstring",
            ),
            lambda path: _call(path),
        ),
        Tool(
            "longest_functions",
            "the longest functions of a file",
            (
                "reads ASCII: UnicodeDecodeError on files with any other character",
                "better: reads the encoding that the file declares; works on every file",
            ),
            lambda path: _call(path, 5),
        ),
        Tool(
            "line_endings",
            "encoding, byte order mark and line endings",
            ("works on every file",),
            lambda path: _call(path),
        ),
        Tool(
            "public_api",
            "what a module offers to others",
            (
                "works on every file",
                "an index of names; takes every assigned thing for a name: AttributeError on files "
                "that assign to attributes, items or tuples",
            ),
            lambda path: _call(path),
        ),
        Tool(
            "identifiers",
            "the names that a file uses most",
            ("by tokenize; works on every file",),
            lambda path: _call(path, top=10),
        ),
    )
}
"""By name."""
