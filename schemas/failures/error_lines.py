"""The exception class that a line of an error's text names: of a log, of pytest, of ``repr``.

Takes time proportional to the line. ``schemas/failures/error_class.py`` reads whole texts.
"""

import builtins
import re
from typing import Final

from schemas.failures.error_repr import is_one_call

_MOST_OF_NAME: Final = 1_000
"""A class with its module is at most this long."""
MOST_OF_PREFIX: Final = 200
"""The most characters that a logger writes before a message."""
_NAME: Final = re.compile(r"[\w.<>]*")
_WORD: Final = re.compile(r"[A-Za-z]+")
_AFTER: Final = frozenset(("", "(", ":"))
_LEVEL: Final = re.compile(r"\b(?:CRITICAL|FATAL|ERROR|WARNING|WARN|INFO|DEBUG)\b", re.ASCII)
_TIME: Final = re.compile(r"\[?\d{2,4}[-/:.]\d\d", re.ASCII)
_FULL_TIME: Final = re.compile(
    r"\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\S*\s+", re.ASCII
)
_BUILTIN: Final = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
_ERROR: Final = "E   "
"""How pytest marks the lines of an error."""
_HEADER: Final = "Traceback (most recent call last)"
_ENDS: Final = ("error", "exception", "warning", "interrupt", "timeout", "group")
_PLURALS: Final = ("(s)", "(es)")
"""What follows a word that a sentence begins with: ``TypeError(s) found``."""
_NO_ERRORS: Final = frozenset({"None", "True", "False", "NoneType"})
"""What is no exception, although it begins with a capital."""
_CODE: Final = re.compile(r" \[[A-Z][A-Z0-9_]*\]:", re.ASCII)
"""What Node writes between class and message."""
_WHERE: Final = re.compile(r"(?:\S*\.py:[0-9]+[\])]?:?|\[[^\]\s]*\]|in [\w.]+:) ", re.ASCII)
"""How a logger says where a message was logged: ``root:a.py:3``, ``[root]``, ``in app:``."""


def is_report(text: str) -> bool:
    """Return whether a text is a report of pytest: an error comes before any plain traceback."""
    error = 0 if text.startswith(_ERROR) else text.find(f"\n{_ERROR}")
    if error < 0 or class_at(text, sure=True):
        return False
    header = 0 if text.startswith(_HEADER) else text.find(f"\n{_HEADER}")
    return header < 0 or error < header


def class_in_report(text: str) -> str:
    """Return the class of the last error in a report of pytest; "" if there is none.

    Of lines that begin with ``E`` the first names the class; the others belong to the message.
    """
    found, in_error = "", False
    for line in text.split("\n"):
        if line.startswith(_ERROR):
            if not in_error:
                message = line[1:].strip()
                assertion = "AssertionError" if message.startswith("assert ") else ""
                found = assertion or class_at(message, sure=None) or found
            in_error = True
        else:
            in_error = False
            found = (_of_place(line) if line else "") or found
    return found


def _of_place(line: str) -> str:
    """Return the class in a line of pytest that has a place: ``a.py:3: TypeError``.

    Or ``FAILED a.py::test - TypeError: …``; "" if it names none.
    """
    if line.startswith(("FAILED ", "ERROR ")) and "::" in line:
        name, dash, message = line.partition(" - ")
        if "[" in name and not name.endswith("]"):  # the parameters of a test may be any text
            _, dash, message = line.partition("] - ")
        return class_at(message, sure=True) if dash else ""
    drive = line[1:3] == ":\\"
    path, _, rest = line[2 if drive else 0 :].partition(":")
    number, colon, rest = rest.partition(":")
    is_path = path.endswith(".py") and (drive or path[:1] == "/" or " " not in path)
    is_place = colon and is_path and number.isdecimal() and rest[:1] == " "
    return class_at(rest[1:].rstrip(), sure=None) if is_place else ""


def builtin_in_line(line: str) -> str:
    """Return the exception of Python's own that begins a line; "" if ``class_in_line`` must look.

    This is what most texts are, and it is found in a fraction of the time.
    """
    match = _WORD.match(line)
    if match is None or line[match.end() : match.end() + 1] not in _AFTER:
        return ""
    if line.startswith(_PLURALS, match.end()):
        return ""
    name = match.group()
    return name if name in _BUILTIN else ""


def class_in_line(line: str) -> str:
    """Return the class that a line without a traceback names; "" if it names none."""
    if line.startswith("(<class '"):  # the text of sys.exc_info()
        line = line[1:]
    if line.startswith(_ERROR):
        return class_in_report(line)
    message = without_log_prefix(line)
    if message is not None:
        return _of_place(line) or _of_message(message)
    for prefix in ("Error: ", "Uncaught (in promise) ", "Uncaught "):
        if line.startswith(prefix):
            inner = class_at(line.removeprefix(prefix).strip(), sure=True)
            if inner:
                return inner
    return _of_place(line) or class_at(line, sure=None)


def _of_message(message: str) -> str:
    """Return the class that a logged message names; the logger's name may stand before it."""
    name = class_at(message, sure=True)
    if name:
        return name
    where = _WHERE.match(message[:MOST_OF_PREFIX])
    if where is not None:
        return class_at(message[where.end() :].strip(), sure=True)
    for separator in (" - ", ":"):
        logger, found, rest = message.partition(separator)
        name, colon, number = logger.rstrip().rpartition(":")
        if found and " " not in logger.strip() and (not colon or number.isdecimal()):
            return class_at(rest.strip(), sure=True)
    return ""


def without_log_prefix(line: str) -> str | None:
    """Return a line without its time and level; None if it does not begin as a line of a log."""
    begin = line[:MOST_OF_PREFIX]
    level = _LEVEL.search(begin)
    if level is None:
        time = _FULL_TIME.match(begin)
        return None if time is None else line[time.end() :]
    before = begin[: level.start()]
    if before not in ("", "[", "(") and not _TIME.match(before):
        return None
    return line[level.end() :].lstrip(" :-|])\t")


def begins_with_class(line: str) -> str:
    """Return the class that surely begins a line, with its message after it; "" if none does.

    Not a word that may begin any message: ``Error: …``, ``ERROR: …``, ``UserWarning: …``.
    """
    name = class_at(line, sure=True)
    if not name[:1].isupper() or name.isupper() or name.endswith("Warning"):
        return ""
    return "" if name in ("Error", "Exception") else name


def class_at(text: str, *, sure: bool | None = False) -> str:
    """Return the class at the beginning of a text; "" if there is none.

    ``sure`` says what the name must look like, because a text may begin with any word. True: like
    the name of an exception. None: that, or begin with a capital. False: any name will do, because
    it stands where a traceback has the class.
    """
    name, rest = name_and_rest(text)
    if not name:
        return ""
    after = rest.lstrip()
    is_exception = name in _BUILTIN or name.lower().endswith(_ENDS)
    if after.startswith("(") and (rest != after or after.startswith(_PLURALS)):
        return ""
    if after and (after[0] not in "(:" or after.startswith(("://", ":\\"))):
        if is_exception and _CODE.match(rest):
            return name
        return name if after[0] == "," and text.startswith("<class '") else ""
    if sure is False or is_exception:
        return name
    if sure or rest != after or name in _NO_ERRORS or not name.lstrip("_")[:1].isupper():
        return ""
    return name if after[:1] != "(" or is_one_call(after) else ""


def name_and_rest(text: str) -> tuple[str, str]:
    """Return the class at the beginning of a text, without its module, and what follows it."""
    written, rest = _written_and_rest(text)
    return _last_of(written), rest


def dotted_name(text: str) -> str:
    """Return the class that is all of a text, with its module if that is given; "" if it is none.

    ``<class 'a.B'>`` is ``a.B``.
    """
    written, rest = _written_and_rest(text.strip())
    return "" if rest or not _last_of(written) else written


def _written_and_rest(text: str) -> tuple[str, str]:
    """Return what may be a class at the beginning of a text, as written, and what follows it."""
    if text.startswith("<class '"):
        name, quote, _ = text[8 : 8 + _MOST_OF_NAME].partition("'>")
        return name if quote else "", text[8 + len(name) + 2 :]
    match = _NAME.match(text[:_MOST_OF_NAME])
    end = match.end() if match else 0
    return text[:end], text[end:]


def _last_of(dotted: str) -> str:
    """Return the last part of a dotted name; "" if it is none. ``<locals>`` may be a part."""
    *modules, last = dotted.split(".")
    if not last.isidentifier():
        return ""
    for module in modules:
        inner = module[1:-1] if module[:1] == "<" and module[-1:] == ">" else module
        if not inner.isidentifier():
            return ""
    return last
