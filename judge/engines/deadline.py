"""One deadline for a whole exchange over HTTP: connecting, sending, and every byte of the answer.

The standard library's timeout is for each wait for a byte, so that an endpoint which sends one a minute is never given
up. Here the connection is shut when the time is over, which ends whatever waits for it.
"""

import http.client
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_current = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[Callable[[], bool]]:
    """Shut the connections that this thread opens in the block through `handlers()` once the time is over.

    Yields a function that tells whether it is. What was waiting then ends with an error of its own, or too early.
    """
    exchange = _Exchange()
    timer = threading.Timer(seconds, exchange.end)
    timer.daemon = True
    _current.exchange = exchange
    timer.start()
    try:
        yield exchange.over.is_set
    finally:
        timer.cancel()
        _current.exchange = None


def handlers() -> tuple[urllib.request.BaseHandler, ...]:
    """Handlers for `urllib.request.build_opener` whose connections `within` can shut."""
    return _Http(), _Https()


class _Exchange:
    """The connections of one exchange."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def add(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.append(opened)
        if self.over.is_set():
            self._shut()

    def end(self) -> None:
        self.over.set()
        self._shut()

    def _shut(self) -> None:
        with self._lock, suppress(OSError):
            for opened in self._sockets:
                opened.shutdown(socket.SHUT_RDWR)


def _note(opened: socket.socket) -> None:
    exchange = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.add(opened)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _note(self.sock)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _note(self.sock)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: Any) -> Any:
        return self.do_open(_Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: Any) -> Any:
        return self.do_open(_Secure, request, context=self._context)  # type: ignore[attr-defined]
