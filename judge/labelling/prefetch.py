"""Work handed from one thread to the next, a few pieces ahead: memory stays bounded, errors arrive where they count."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

_END = object()


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """The same items in the same order, made by another thread up to `depth` items before they are asked for.

    What making them raises is raised here, at its place. Ending early ends the thread at its next item.
    """
    waiting: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
            put((_END, None))
        except BaseException as error:  # it is the other thread's to handle
            put((_END, error))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        thread.join()


@contextmanager
def background(take: Callable[[Item], None], depth: int = 2) -> Iterator[Callable[[Item], None]]:
    """A function that hands items to `take`, which runs in another thread, in order and at most `depth` items behind.

    At the end everything handed over has been taken, also when the caller ends with an error. What `take` raises is
    raised at the next call, or at the end; nothing is taken after it.
    """
    waiting: queue.Queue[Any] = queue.Queue(depth)
    failed: list[BaseException] = []

    def work() -> None:
        while (item := waiting.get()) is not _END:
            if not failed:
                try:
                    take(item)
                except BaseException as error:  # it is the other thread's to handle
                    failed.append(error)

    def put(item: Item) -> None:
        if failed:
            raise failed[0]
        waiting.put(item)

    thread = threading.Thread(target=work, name="behind", daemon=True)
    thread.start()
    try:
        yield put
    finally:
        waiting.put(_END)
        thread.join()
    if failed:
        raise failed[0]
