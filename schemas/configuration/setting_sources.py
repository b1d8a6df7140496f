"""Where settings are given: in the environment, and in a file that is named there.

The environment wins over the file that ``ROLLGUARD_ENV_FILE`` names. No other file is read: one
that merely lies in the working directory may belong to somebody else, and could send our token
and our password to a server of theirs. A variable with an empty text gives nothing. In the file,
entries without the prefix ``ROLLGUARD_`` are ignored, because other programs may share the file.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from schemas.errors import Misconfigured

PREFIX: Final = "ROLLGUARD_"
FILE_VARIABLE: Final = "ROLLGUARD_ENV_FILE"
"""Names a file of settings; only the environment may set it."""
TESTS_PREFIX: Final = "ROLLGUARD_TEST_"
"""Variables with this prefix belong to the tests and are no settings."""
CLIENT_PREFIX: Final = "ROLLGUARD_CLIENT_"
"""Variables with this prefix are settings of `rollguard-client` alone."""
ENVIRONMENT: Final = "environment"
"""The source of a setting that a variable of the environment gives."""


@dataclass(frozen=True)
class GivenSetting:
    """The text of one setting, and the source that gives it."""

    name: str
    text: str
    source: str
    """``environment``, or ``file`` and its path."""


def variable_of(name: str) -> str:
    """Return the variable that gives this setting."""
    return PREFIX + name.upper()


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that is most like this one."""
    return get_close_matches(name, known, n=1, cutoff=0.0)[0]


def given_settings(known: Collection[str]) -> dict[str, GivenSetting]:
    """Read what the environment and the named file give, by the name of the setting.

    Names are compared without regard to case. Raises Misconfigured that names every variable with
    the prefix that is no setting, and the nearest one that is; never shows a value.
    """
    found: dict[str, GivenSetting] = {}
    unknown: list[str] = []
    for source, variables in _sources():
        for variable, text in variables.items():
            upper = variable.upper()
            if not upper.startswith(PREFIX) or upper.startswith((TESTS_PREFIX, CLIENT_PREFIX)):
                continue
            if upper == FILE_VARIABLE and source == ENVIRONMENT:
                continue
            name = upper.removeprefix(PREFIX).lower()
            if name not in known:
                unknown.append(_unknown(variable, source, known))
            elif text and not text.isspace():
                found[name] = GivenSetting(name, text, source)
    if unknown:
        raise Misconfigured(f"settings: {'; '.join(unknown)}")
    return found


def _unknown(variable: str, source: str, known: Collection[str]) -> str:
    if variable.upper() == FILE_VARIABLE:
        return f"{variable} in {source} has no effect: set it in the environment"
    likely = nearest(variable.upper(), [variable_of(name) for name in known])
    place = "" if source == ENVIRONMENT else f" in {source}"
    return f"{variable}{place} is not a setting; did you mean {likely}?"


def _sources() -> Iterator[tuple[str, Mapping[str, str | None]]]:
    """Yield each source with its variables, the one that wins last."""
    named = next((os.environ[each] for each in os.environ if each.upper() == FILE_VARIABLE), "")
    if named:
        yield f"file {named}", _file(Path(named))
    yield ENVIRONMENT, os.environ


def _file(path: Path) -> Mapping[str, str | None]:
    """Return the entries of a file of settings. Raises Misconfigured if it cannot be read."""
    if not path.is_file():
        raise Misconfigured(f"settings: {FILE_VARIABLE} {path}: no such file")
    try:
        return dotenv_values(path, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"settings: file {path}: {error}") from None
