"""The reference of the command line: every verb with its arguments and options."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, Protocol, cast, get_args, get_origin

import typer

from documentation.markdown import code, code_block, prose, table
from rollguard.cli.app import app

_VALUES: Final = {int: "NUMBER", float: "NUMBER"}
_OWN_EXIT_CODES: Final = {
    "demo": "1 if anything went otherwise than expected",
    "prune": "1 if the answer is not yes; 2 if it must ask and there is no terminal",
    "erase": "1 if the answer is not yes; 2 if it must ask and there is no terminal",
    "record": "1 if a line of the file is bad; the good lines are published",
    "backtest": "1 if a line of the file is bad; the good lines are judged",
    "rollback": "1 if the outcome is not `applied`",
    "approve": "1 if the outcome is not `applied`",
    "dismiss": "1 if the outcome is not `dismissed`",
    "replay": "1 if a record was refused",
    "notify": "1 if a receiver did not take its test message",
    "console": "0 after SIGTERM or Ctrl-C; 1 if an operator must act",
    "worker": "0 after SIGTERM or Ctrl-C; 1 if an operator must act, or if the process must be "
    "started again",
}


class Parameter(Protocol):
    """An argument or an option, as Typer and click describe it."""

    name: str
    opts: Sequence[str]
    secondary_opts: Sequence[str]
    metavar: str | None
    type_descriptor: Any
    default: object
    required: bool
    param_type_name: str


class Command(Protocol):
    """A verb, as Typer and click describe it."""

    help: str | None
    params: Sequence[Parameter]


class _Group(Protocol):
    commands: Mapping[str, Command]


@cache
def verbs() -> Mapping[str, Command]:
    """Return the commands of ``rollguard`` by name; those of a group by both names."""
    found: dict[str, Command] = {}
    for name, command in cast(_Group, typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            inner = cast(_Group, command).commands
            found |= {f"{name} {each}": inner[each] for each in inner}
        else:
            found[name] = command
    return dict(sorted(found.items()))


def options_of(command: Command) -> frozenset[str]:
    """Return all names of the options of a verb, ``--help`` included."""
    return frozenset(
        name for each in command.params for name in (*each.opts, *each.secondary_opts)
    ) | {"--help"}


def command_line_reference() -> str:
    """Return a section for each verb."""
    return "\n\n".join(_section(name, command) for name, command in verbs().items())


def _section(name: str, command: Command) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    words = [_argument(each) for each in arguments]
    usage = " ".join(["rollguard", name, *words, *(["[OPTIONS]"] if options else [])])
    parts = [f"## {name}", prose(command.help or ""), code_block("text", usage)]
    rows = [(code(_argument(each)), _help(each), _default(each)) for each in arguments]
    rows += [(code(_option(each)), _help(each), _default(each)) for each in options]
    if rows:
        parts.append(table(("argument or option", "meaning", "default"), rows))
    if name in _OWN_EXIT_CODES:
        parts.append(f"Exit code: {_OWN_EXIT_CODES[name]}.")
    return "\n\n".join(parts)


def _argument(parameter: Parameter) -> str:
    name = (parameter.metavar or parameter.name).strip("{}[]").upper()
    return name if parameter.required else f"[{name}]"


def _option(parameter: Parameter) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    if getattr(parameter, "is_flag", False):
        return names
    return f"{names} {parameter.metavar or _value(parameter.type_descriptor.annotation)}"


def _value(annotation: Any) -> str:
    """Return what stands for an option's value: its choices, or its type."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return "|".join(arguments)
    if arguments:
        return _value(arguments[0])
    return _VALUES.get(annotation, "TEXT")


def _help(parameter: Parameter) -> str:
    text = getattr(parameter, "help", None) or ""
    required = parameter.required and parameter.param_type_name == "option"
    return f"{text} Required." if required else text


def _default(parameter: Parameter) -> str:
    value = parameter.default
    if value in (None, False, ()) or callable(value):
        return ""
    return code(str(value)) if isinstance(value, int | float | str) else ""
