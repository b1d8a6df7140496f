"""Addresses ``http://host:port`` at which workers reach each other."""

from urllib.parse import urlsplit


def host_of(url: str) -> str | None:
    """Return the host in lower case; None if the text is more, or less, than such an address.

    An address without a path, a query or a user: where it leads is decided by its host alone.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return None
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment)
    if parts.scheme not in ("http", "https") or any(rest) or "@" in parts.netloc:
        return None
    if any(each.isspace() or each in "\\?#" for each in url):
        return None
    return parts.hostname or None
