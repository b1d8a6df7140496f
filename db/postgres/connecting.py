"""The reasons why a connection cannot be opened: address, TLS or database, in one line each."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from db.postgres.errors import POSTGRES_ERRORS, translate
from schemas.errors import Misconfigured, Retryable, RollguardError

_TLS_FILES: Final = {
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
}
"""The parameters of a DSN that name files, and the variables that stand for them."""
_ABOUT_TLS: Final = (
    "root certificate file",
    "`ssl",
    "No such TLS",
    "Unsupported TLS",
    "direct TLS",
)
"""The texts of asyncpg about a wrong setting of TLS begin with these."""
_NO_ADDRESS: Final = "ROLLGUARD_POSTGRES_DSN is not a Postgres address"
_NO_TLS: Final = "rejected SSL upgrade"
"""asyncpg has no error class for a server that answers the request for TLS with 'no'."""
_TLS_LOST: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""The server went away during the handshake."""
_ADVICE: Final = {
    # Postgres says so if `pg_hba.conf` has no line for this connection without TLS.
    "no encryption": "if the server asks for TLS, set sslmode=verify-full in the DSN",
    "unsupported startup parameter": "a pooler does not take it: leave it out of the DSN",
}


@contextmanager
def connecting(dsn: str, timeout_s: float) -> Iterator[None]:
    """Raise Retryable or Misconfigured instead of any error of opening a connection.

    The text names the host, the database and the mode of TLS, but no user and no password, and
    says of a Misconfigured that it is not tried again.
    """
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        text = str(error).splitlines()[0]
        if not text.startswith(_ABOUT_TLS):  # another text may contain the password
            raise Misconfigured(_NO_ADDRESS) from None
        raise _misconfigured(dsn, text) from None
    except TimeoutError:
        raise Retryable("Postgres", f"{_place(dsn)}: no answer within {timeout_s:g} s") from None
    except POSTGRES_ERRORS as error:  # also those of `ssl`
        raise _translated(dsn, error) from error
    except ValueError:  # raised while the DSN is read; its text may contain the password
        raise Misconfigured(_NO_ADDRESS) from None


def require_utf8(connection: "asyncpg.Connection[asyncpg.Record]", dsn: str) -> None:
    """Raise Misconfigured, with the way out, if the database cannot hold every text."""
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise _misconfigured(
            dsn,
            f"the encoding of the database is {encoding}, but it must be UTF8: create a new one by "
            "`createdb --encoding=UTF8 --template=template0 NAME` (in SQL: CREATE DATABASE name "
            "ENCODING 'UTF8' TEMPLATE template0)",
        )


def _translated(dsn: str, error: Exception) -> RollguardError:
    """Return the error of this program that stands for an error of opening a connection."""
    for each in (error, error.__cause__):  # asyncpg puts its own error before a late one of TLS
        if isinstance(each, ssl.SSLError):
            return _tls_error(dsn, each)
    if isinstance(error, OSError):
        if _NO_TLS in str(error):
            return _misconfigured(dsn, _no_tls(dsn))
        _require_tls_files(dsn)
    known = translate(error)
    if isinstance(known, Retryable):
        return Retryable(known.part, f"{_place(dsn)}: {known.cause}")
    return _misconfigured(dsn, _refusal(str(known or error) or type(error).__name__))


def _tls_error(dsn: str, error: ssl.SSLError) -> RollguardError:
    if isinstance(error, ssl.SSLCertVerificationError):
        trust = f"the certificate of the server is not trusted: {error.verify_message}"
        return _misconfigured(dsn, trust.removesuffix("."))
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, _TLS_LOST):
        return Retryable("Postgres", f"{_place(dsn)}: the connection ended within TLS: {reason}")
    _require_tls_files(dsn)
    files = "".join(f", {source}={path}" for source, path in _tls_files(dsn))
    return _misconfigured(dsn, f"TLS failed: {reason}{files}")


def _no_tls(dsn: str) -> str:
    if _mode(dsn) == "prefer":  # then asyncpg takes the 'no' of a Postgres
        return "what answers there is no Postgres"
    return "the server does not support TLS, which sslmode asks for"


def _refusal(text: str) -> str:
    for part, advice in _ADVICE.items():
        if part in text:
            return f"{text} ({advice})"
    return text


def _misconfigured(dsn: str, reason: str) -> Misconfigured:
    return Misconfigured(f"Postgres at {_place(dsn)}: {reason}; this is not tried again")


def _require_tls_files(dsn: str) -> None:
    """Raise Misconfigured with the first file for TLS that cannot be read, if any."""
    for source, path in _tls_files(dsn):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            reason = f"{source}={path} cannot be read: {error.strerror}"
            raise _misconfigured(dsn, reason) from None


def _tls_files(dsn: str) -> list[tuple[str, str]]:
    """Return what names each file for TLS, a parameter or a variable, and the file."""
    given = _parameters(dsn) | os.environ
    found = []
    for name, variable in _TLS_FILES.items():
        source = name if given.get(name) else variable
        if path := given.get(source):
            found.append((source, path))
    return found


def _place(dsn: str) -> str:
    """Return host, database and mode of TLS, without user and password."""
    parts, given = urlsplit(dsn), _parameters(dsn)
    host = (
        parts.netloc.rpartition("@")[2]
        or given.get("host")
        or os.environ.get("PGHOST")
        or "a local socket"
    )
    return f"{host}{parts.path} (sslmode={_mode(dsn)})"


def _mode(dsn: str) -> str:
    return _parameters(dsn).get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"


def _parameters(dsn: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(dsn).query).items()}
