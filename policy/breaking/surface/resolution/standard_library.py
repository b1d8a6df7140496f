"""The classes of the standard library, as the running Python has them.

A base or an annotation may be spelled in several ways (`IOError` and `OSError`, `typing.Mapping`
and `collections.abc.Mapping`), and a class may be derived from others that its source does not
name. The running Python knows both. Only the modules listed here are asked. Importing one of them
runs nothing of the code that is compared.
"""

import builtins
import inspect
import sys
from collections import OrderedDict
from functools import cache
from importlib import import_module
from typing import Final

_LISTED: Final = """
abc argparse array ast asyncio asyncio.events asyncio.exceptions asyncio.futures asyncio.locks
asyncio.protocols asyncio.queues asyncio.streams asyncio.tasks asyncio.transports base64 bdb
binascii bz2 calendar cmath cmd code codecs collections collections.abc concurrent.futures
concurrent.futures.process concurrent.futures.thread configparser contextlib contextvars copy csv
ctypes dataclasses datetime decimal difflib dis doctest email email.errors email.message
email.policy enum errno fnmatch fractions ftplib functools getopt getpass glob graphlib gzip hashlib
heapq hmac html html.parser http http.client http.cookiejar http.cookies http.server imaplib
importlib importlib.abc importlib.machinery importlib.metadata importlib.resources importlib.util
inspect io ipaddress itertools json json.decoder json.encoder keyword linecache locale logging
logging.config logging.handlers lzma mailbox math mimetypes multiprocessing netrc numbers operator
optparse os os.path pathlib pickle platform plistlib poplib pprint profile queue random re reprlib
runpy sched secrets select selectors shelve shlex shutil signal smtplib socket socketserver sqlite3
ssl stat statistics string struct subprocess sys sysconfig tarfile tempfile textwrap threading time
timeit tokenize tomllib trace traceback types typing unicodedata unittest unittest.case
unittest.mock urllib urllib.error urllib.parse urllib.request uuid warnings wave weakref xml xml.dom
xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.handler xmlrpc.client xmlrpc.server zipfile
zipimport zlib zoneinfo
"""
_MODULES: Final = frozenset(_LISTED.split())
_WINDOWS: Final = frozenset({"_winapi", "msvcrt", "nt", "winreg", "winsound"})
_UNIX: Final = frozenset(
    {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
)
#: Names that `typing` makes special, and the class that a caller finds at run time.
_MARKERS: Final = {"typing.NamedTuple": "tuple", "typing.TypedDict": "dict"}


@cache
def canonical_name(dotted: str) -> str:
    """Return one dotted name for all names of the same thing.

    ``dotted`` starts with the module that was imported, or with a built-in name. A name that is not
    known here is returned as it is.
    """
    package, _, rest = dotted.partition(".")
    if package == "typing_extensions":
        dotted = f"typing.{rest}"
    found = standard_class(dotted)
    if found is None:
        return dotted
    name = f"{found.__module__}.{found.__qualname__}".removeprefix("builtins.")
    # A class may say that its home is a module which nobody imports, such as `_queue`.
    return name if standard_class(name) is found else dotted


@cache
def standard_class(dotted: str) -> type | None:
    """Return the class of this name; None if there is none, or its module is not listed."""
    found = standard_object(dotted)
    if dotted.startswith("typing."):
        found = getattr(found, "__origin__", found)
    return found if isinstance(found, type) else None


@cache
def standard_object(dotted: str) -> object | None:
    """Return what the dotted name stands for; None if it is not known."""
    *path, name = dotted.removeprefix("builtins.").split(".")
    if not path:
        return getattr(builtins, name, None)
    module = ".".join(path)
    if module in _MODULES:
        return getattr(import_module(module), name, None)
    owner = standard_object(module)
    return getattr(owner, name, None) if isinstance(owner, type) else None


def is_importable(module: str, name: str | None = None) -> bool | None:
    """Return whether the running Python can import the module, and the name from it.

    None if that is not known, because the module is not listed here.
    """
    if module in _WINDOWS | _UNIX:
        is_windows = sys.platform == "win32"
        return None if name else (module in _WINDOWS) == is_windows
    if module not in _MODULES:
        return None
    return name is None or f"{module}.{name}" in _MODULES or hasattr(import_module(module), name)


def names_of_all(module: str) -> list[str]:
    """Return the names that ``from module import *`` binds; none if that is not known."""
    if module not in _MODULES:
        return []
    found = import_module(module)
    public = [name for name in vars(found) if not name.startswith("_")]
    return list(getattr(found, "__all__", public))


def known_ancestors(dotted: str) -> list[str]:
    """Return the names of a standard class and of its bases, without ``object``."""
    dotted = _MARKERS.get(dotted, dotted)
    found = standard_class(dotted)
    if found is None:
        return []
    return [canonical_name(f"{each.__module__}.{each.__qualname__}") for each in found.__mro__[:-1]]


def run_time_base(dotted: str) -> str:
    """Return the class that the name stands for as a base of a class that runs."""
    return _MARKERS.get(dotted, dotted)


@cache
def is_subclass(dotted: str, of: str) -> bool:
    """Return whether ``isinstance`` takes the one standard class for a subclass of the other."""
    this, other = standard_class(dotted), standard_class(of)
    try:
        return this is not None and other is not None and issubclass(this, other)
    except TypeError:
        return False


def is_implemented_by(special_methods: frozenset[str], dotted: str) -> bool:
    """Return whether a class with these special methods is a subclass, as `Iterable` has it."""
    if not dotted.startswith("collections.abc.") and dotted not in _BY_METHODS:
        return False
    probe = type("Probe", (), dict.fromkeys(special_methods, 1))
    return is_subclass(dotted, dotted) and issubclass(probe, standard_class(dotted) or ())


#: Abstract classes outside of `collections.abc` that ask for methods alone.
_BY_METHODS: Final = frozenset(
    {"contextlib.AbstractContextManager", "contextlib.AbstractAsyncContextManager", "os.PathLike"}
)


@cache
def standard_signature(dotted: str) -> inspect.Signature | None:
    """Return how a standard class is called; None if that is not known."""
    found = standard_class(run_time_base(dotted))
    if found is None or found.__module__ == "typing":
        return None if found is None else inspect.Signature()
    if found in _SIGNATURES:
        return _SIGNATURES[found]
    if issubclass(found, BaseException) and not inspect.isfunction(found.__init__):
        takes_any = not issubclass(found, UnicodeError | BaseExceptionGroup)
        return _ANY_POSITIONAL if takes_any else None
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return None


_P = inspect.Parameter
_ANY_POSITIONAL: Final = inspect.Signature([_P("args", _P.VAR_POSITIONAL)])
_ENTRIES: Final = inspect.Signature(
    [_P("iterable", _P.POSITIONAL_ONLY, default=()), _P("entries", _P.VAR_KEYWORD)]
)
_ITEMS: Final = inspect.Signature([_P("iterable", _P.POSITIONAL_ONLY, default=())])
#: Classes written in C that do not say how they are called.
_SIGNATURES: Final[dict[type, inspect.Signature]] = {
    dict: _ENTRIES,
    OrderedDict: _ENTRIES,
    set: _ITEMS,
    frozenset: _ITEMS,
    list: _ITEMS,
    tuple: _ITEMS,
}
