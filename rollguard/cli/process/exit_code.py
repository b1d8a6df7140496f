"""The end of a verb: its exit code, and one line on stderr for each error that is foreseen."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import typer

from rollguard.cli.process.missing_extra import missing_extra
from rollguard.cli.process.standard_streams import StreamFailed, open_standard_streams
from schemas.errors import RollguardError

PROGRAM: Final = "rollguard"

FAILED: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130

_TYPER_ERROR: Final = cast(type[Exception], typer.BadParameter.__mro__[2])
"""The base of all errors of usage, which Typer does not export."""


def exit_code_of(verb: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run the verb with standard streams that are ready, and return the exit code.

    ``arguments`` are those of the command line. An error that is not foreseen is raised.
    """
    try:
        open_standard_streams()
        _require_utf8(arguments)
        code = verb()
        sys.stdout.flush()
    except _TYPER_ERROR as error:
        return _usage_error(error)
    except (RollguardError, StreamFailed, OSError) as error:
        return _failed(str(error))
    except ModuleNotFoundError as error:
        text = missing_extra(error, arguments)
        if text is None:
            raise
        return _failed(text)
    except typer.Abort:
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _require_utf8(arguments: Sequence[str]) -> None:
    for number, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="backslashreplace").decode()
            raise typer.BadParameter(f"argument {number} is not UTF-8: {shown}") from None


def _usage_error(error: Any) -> int:
    message = error.format_message().removeprefix("Invalid value: ")
    if message:  # without a verb, the help was printed instead
        command = getattr(error.ctx, "command_path", PROGRAM)
        _failed(f"{message} (`{command} --help` shows how it is used)")
    code: int = error.exit_code
    return code


def _failed(text: str) -> int:
    from rollguard.printing import print_note

    print_note(text)
    return FAILED
