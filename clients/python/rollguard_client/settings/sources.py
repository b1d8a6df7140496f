"""The variables ``ROLLGUARD_…`` of the environment, and of the file that is named there.

They mean what they mean to the server: the environment wins over the file, an empty variable gives
nothing, and no file is read that ``ROLLGUARD_ENV_FILE`` does not name. Variables of the server that
the client does not use are passed over. One that is nearly the name of a setting is an error.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from rollguard_client.errors import Misconfigured

PREFIX: Final = "ROLLGUARD_"
OWN_PREFIX: Final = "ROLLGUARD_CLIENT_"
"""The settings of the client alone; the server passes them over."""
FILE_VARIABLE: Final = "ROLLGUARD_ENV_FILE"
_LIKE: Final = 0.85
_OF_THE_SERVER: Final = frozenset({"ROLLGUARD_WEB_TOKEN", "ROLLGUARD_WEB_URL"})
"""Variables of the server that are nearly the name of a setting."""
_ENTRY: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "'": "'"}


def given_variables(known: Collection[str]) -> dict[str, str]:
    """Return the text of each variable in ``known`` that is given, by its name.

    Raises Misconfigured that names a file that cannot be read, and every variable that is nearly
    the name of one of these; never shows a value.
    """
    found: dict[str, str] = {}
    unknown: list[str] = []
    for place, variables in _sources():
        for variable, text in variables.items():
            name = variable.upper()
            if name in known:
                if text and not text.isspace():
                    found[name] = text
            elif name.startswith(PREFIX) and name != FILE_VARIABLE:
                meant = _meant(name, known)
                if meant:
                    unknown.append(f"{variable}{place} is not a setting; did you mean {meant}?")
    if unknown:
        raise Misconfigured(f"settings: {'; '.join(unknown)}")
    return found


def _meant(name: str, known: Collection[str]) -> str | None:
    """Return the setting that a variable must have meant; None if it may be one of the server."""
    if name in _OF_THE_SERVER:
        return None
    from difflib import get_close_matches

    is_own = name.startswith(OWN_PREFIX)
    near = get_close_matches(name, known, n=1, cutoff=0.0 if is_own else _LIKE)
    return near[0] if near else None


def _sources() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each source with its variables, the one that wins last."""
    named = next((os.environ[each] for each in os.environ if each.upper() == FILE_VARIABLE), "")
    if named:
        yield f" in file {named}", _file(Path(named))
    yield "", os.environ


def _file(path: Path) -> dict[str, str]:
    """Return the entries ``ROLLGUARD_…`` of a file of settings. Raises Misconfigured."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Misconfigured(f"settings: {FILE_VARIABLE} {path}: {reason}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        entry = _ENTRY.fullmatch(line)
        if entry is None or not entry[1].upper().startswith(PREFIX):
            continue
        text = _text(entry[2])
        if text is None:
            raise Misconfigured(
                f"settings: file {path}, line {number}: {entry[1]} must be on one line, with its "
                "quotes closed, and without ${…}"
            )
        found[entry[1]] = text
    return found


def _text(written: str) -> str | None:
    """Return what the text after ``=`` stands for; None if it cannot be told."""
    quote = written[:1]
    if quote == "'":
        end = written.find("'", 1)
        return written[1:end] if end > 0 and _is_rest(written[end + 1 :]) else None
    if "${" in written:
        return None
    if quote == '"':
        match = re.match(r'"((?:[^"\\]|\\.)*)"(.*)', written)
        if match is None or not _is_rest(match[2]):
            return None
        return re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[0]), match[1])
    return re.split(r"\s+#", written, maxsplit=1)[0].strip() if quote != "#" else ""


def _is_rest(text: str) -> bool:
    """Return whether nothing but a comment follows."""
    return not text.strip() or text.lstrip().startswith("#")
