"""A server that plays a console."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

PROBLEM = "application/problem+json"


class Seen(NamedTuple):
    """A request as a server gets it."""

    method: str
    path: str
    headers: Any
    body: bytes


class Server:
    """A server that gives the same answer to each request, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.status = 200
        self.headers = {"Content-Type": "application/json"}
        self.body = b"{}"
        self.is_slow = threading.Event()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                ours.seen.append(Seen(self.command, self.path, self.headers, body))
                if ours.is_slow.is_set():
                    return
                self.send_response(ours.status)
                for name, value in ours.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(ours.body)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - their names are given

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()
