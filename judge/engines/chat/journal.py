"""Answers as they arrive, on disk before anything else happens to them: what was paid for is not asked again.

A line of `RUN/answers.jsonl` is one answer: the rows it is about, what it says of each, and the tokens it took. The
run's labels are made of them; the file stays, as the record of what was asked and what it cost.
"""

import json
import math
import os
import threading
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from judge.documents import check
from judge.engines.chat.answers import Reply, Unusable
from judge.records import Choice, Record, Scores
from judge.run.usage import JOURNAL, Usage, lines_of

Key = tuple[int, int, int]
"""Row, sample, attempt: 0 with its neighbours, 1 alone or once more."""


class Journal:
    """The answers of one run; the caller holds `run.writing()`. Threads may share it.

    Args:
        path: The file; it need not be there.
        fingerprint: The run's: lines of another are passed over.
        done: Rows that have their label: their answers are counted, and not kept in memory.
    """

    def __init__(self, path: Path, fingerprint: str, done: Container[int] = ()) -> None:
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._replies: dict[Key, Reply] = {}
        self.usage = Usage()
        """Of all answers, earlier sittings included."""
        for line in lines_of(path, fingerprint):
            self.usage += line.usage
            for row, said in zip(line.rows, line.replies, strict=False):
                if row not in done and (reply := _decoded(said, path)) is not None:
                    self._replies[row, line.sample, line.attempt] = reply
        self._stream = path.open("ab+")
        self._end_line()

    def find(self, key: Key) -> Reply | None:
        """The answer that came for this before; null where none did."""
        return self._replies.get(key)

    def add(self, rows: Sequence[int], sample: int, attempt: int, replies: Sequence[Reply], usage: Usage) -> None:
        """Note an answer; it is on disk when this returns."""
        line = {
            "fingerprint": self._fingerprint,
            "rows": list(rows),
            "sample": sample,
            "attempt": attempt,
            "replies": [_encoded(reply) for reply in replies],
            "usage": usage.model_dump(),
        }
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._stream.write(data)
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self.usage += usage

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _end_line(self) -> None:
        """A last line that a kill cut short stays one, and is no part of the next."""
        size = self._stream.seek(0, os.SEEK_END)
        if size:
            self._stream.seek(size - 1)
            if self._stream.read(1) != b"\n":
                self._stream.write(b"\n")


def _encoded(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Choice):
        return {"place": reply.place}
    if isinstance(reply, Unusable):
        return {"reason": reply.reason, "again": reply.again}
    # JSON has no infinity: the log of nothing is null.
    logs = [value if math.isfinite(value) else None for value in reply.logprobs]
    return {"logprobs": logs, "outside": reply.outside_mass}


class _Reply(Record):
    """A reply as a line has it."""

    place: Annotated[int, Field(ge=0)] | None = None
    reason: str | None = None
    again: bool = False
    logprobs: tuple[float | None, ...] | None = None
    outside: float = 0.0


def _decoded(said: Mapping[str, Any], path: Path) -> Reply | None:
    reply = check(said, _Reply, JOURNAL, path)
    if reply.place is not None:
        return Choice(reply.place)
    if reply.reason is not None:
        return Unusable(reply.reason, reply.again)
    if reply.logprobs is not None:
        return Scores(tuple(-math.inf if value is None else value for value in reply.logprobs), reply.outside)
    return None
