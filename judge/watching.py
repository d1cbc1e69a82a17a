"""How far work has come inside one call: engines and encoders tell after every batch, and who called them may listen.

The protocols of both stay at one method, and what nobody listens to costs nothing. Batches are told in the thread that
listens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[int], None] | None] = ContextVar("listener", default=None)


def done(count: int) -> None:
    """Tell that so many more prompts or texts are done."""
    if (listener := _LISTENER.get()) is not None:
        listener(count)


@contextmanager
def listening(listener: Callable[[int], None], most: int) -> Iterator[Callable[[], int]]:
    """Hear of every batch that is done in here, of `most` at most: what is asked a second time counts once.

    Yields:
        A function that tells how many were heard of.
    """
    heard = 0

    def hear(count: int) -> None:
        nonlocal heard
        new = min(count, most - heard)
        if new > 0:
            heard += new
            listener(new)

    token = _LISTENER.set(hear)
    try:
        yield lambda: heard
    finally:
        _LISTENER.reset(token)
