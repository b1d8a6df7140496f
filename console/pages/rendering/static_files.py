"""The static files: scripts, style sheets, licences. Each has its hash in its address."""

import gzip
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.problems import ProblemError

router: Final = APIRouter()
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class _File(NamedTuple):
    data: bytes
    packed: bytes
    media_type: str
    digest: str


@cache
def _all() -> dict[str, _File]:
    """Return all files by their name."""
    found = {}
    root = files("console").joinpath("static")
    for folder in (root, root.joinpath("vendor")):
        for each in folder.iterdir():
            kind = each.name.rpartition(".")[2]
            if kind in _TYPES:
                data = each.read_bytes()
                digest = blake2b(data, digest_size=8).hexdigest()
                found[each.name] = _File(data, gzip.compress(data, 9), _TYPES[kind], digest)
    return found


def static_url(name: str) -> str:
    """Return the address of a file, for a template."""
    return f"/static/{_all()[name].digest}/{name}"


@router.get("/static/{digest}/{name}", include_in_schema=False)
async def static_file(request: Request, digest: str, name: str) -> Response:
    """Return a file, which a browser may keep for ever.

    Beside a console of another release a page may ask for another hash: then the browser gets our
    file, and keeps it for this time only.
    """
    file = _all().get(name)
    if file is None:
        raise ProblemError(404, f"there is no file {name[:100]!r}")
    headers = {
        "Cache-Control": _FOR_EVER if digest == file.digest else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, 200, headers, file.media_type)
    return Response(file.data, 200, headers, file.media_type)
