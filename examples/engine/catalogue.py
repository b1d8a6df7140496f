"""The catalogue of tools: what each does, what its versions change, and how it is called."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TOOLS: Final = Path(__file__).with_name("tools")


@dataclass(frozen=True)
class Call:
    """The arguments of one call; they must be values that JSON can express."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool and its versions, which are the files ``tools/<name>/v<number>.py``.

    ``changes[n - 1]`` says in one line what version ``n`` is or changes. ``call`` returns the
    arguments with which the engine calls the tool for the path of a file; they are the same for all
    versions.
    """

    name: str
    does: str
    changes: tuple[str, ...]
    call: Callable[[str], Call]

    def code(self, number: int) -> str:
        """Return the source of a version, numbered from 1. Raises FileNotFoundError."""
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
            _call,
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
            _call,
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
            _call,
        ),
        Tool(
            "public_api",
            "what a module offers to others",
            (
                "works on every file",
                "an index of names; takes every assigned thing for a name: AttributeError on files "
                "that assign to attributes, items or tuples",
            ),
            _call,
        ),
        Tool(
            "identifiers",
            "the names that a file uses most",
            ("by tokenize; works on every file",),
            lambda path: _call(path, top=10),
        ),
    )
}
"""The tools by name."""
