"""Bounds on a template that somebody else wrote: a sandbox keeps it from files, and not from running for ever.

A chat template is a program. Loops within loops, texts that double, and numbers that do, end here after some seconds
or with some memory; a single power, which neither can stop, is refused unread.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS = 5.0
"""Of the processor, for filling one template in; ordinary ones take some thousandths."""
MEMORY = 1 << 30
"""Bytes beyond what the process has."""
LONGEST = 1 << 20
"""Characters of a template."""


def refuse_powers(template: str, refuse: Callable[[str], Exception]) -> None:
    """Refuse a template that is too long, or in which a power stands: `9**9**9` is one step, and never done."""
    from jinja2 import Environment

    if len(template) > LONGEST:
        raise refuse(f"it has more than {LONGEST:,} characters")
    if "**" in template and any(what == "operator" and sign == "**" for _, what, sign in Environment().lex(template)):  # noqa: S701
        raise refuse("it takes the power of a number")


@contextmanager
def bounded(refuse: Callable[[str], Exception]) -> Iterator[None]:
    """End what this thread does within by `refuse`'s error once it took too long, and by a MemoryError once it took
    too much memory (where the system can limit that)."""
    before, late = sys.gettrace(), time.thread_time() + SECONDS

    def watch(frame: FrameType, event: str, arg: Any) -> Any:
        if time.thread_time() > late:
            raise refuse(f"filling it in takes more than {SECONDS:g} seconds")
        # Line by line in templates; elsewhere the calls are enough.
        return watch if frame.f_code.co_filename.startswith("<") else None

    with _little_memory():
        sys.settrace(watch)
        try:
            yield
        finally:
            sys.settrace(before)


@contextmanager
def _little_memory() -> Iterator[None]:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):  # another system
        yield
        return
    limit = pages * resource.getpagesize() + MEMORY
    if soft == resource.RLIM_INFINITY or limit < soft:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
