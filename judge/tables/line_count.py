"""How many lines a file has, from its bytes alone: what readers that part lines into cells are held against."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

BOM = b"\xef\xbb\xbf"
SPACE = b" \t\v\f"
"""The bytes of a blank line that are not its end; the space of other scripts and NUL are text."""
CHUNK = 2**18
"""Bytes read at once; what is counted at once stays within the processor's cache."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file. They end with LF, CRLF or CR, in any mixture; a last line without an end counts."""

    total: int
    empty: int
    """Lines without any byte; a byte order mark is not one."""
    filled: int
    """Lines that hold a byte that is not in `SPACE`: rows, headers and parts of cells, but not blank lines."""


class LineCounter:
    """Counts the lines of bytes that come in pieces of any size, in memory of one piece."""

    def __init__(self) -> None:
        self._total = self._empty = self._filled = 0
        self._head: bytes | None = b""
        self._tail = b""
        """Of the line that is still open: nothing, a space, or `x` for any text; and a CR that an LF may follow."""

    def update(self, data: bytes) -> None:
        """Count the next bytes."""
        if self._head is not None:
            self._head += data
            if len(self._head) < len(BOM):
                return
            data, self._head = self._head.removeprefix(BOM), None
        data = self._tail + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        self._tail = data[end:]
        if len(self._tail) > 1:
            held = b"\r" if self._tail.endswith(b"\r") else b""
            self._tail = (b"x" if self._tail.strip(SPACE + b"\r") else b" ") + held
        if end:
            self._count(data[:end])

    def finish(self) -> Lines:
        """The count, after the last bytes."""
        last = (self._head or b"").removeprefix(BOM) + self._tail
        self._head, self._tail = None, b""
        if last:
            self._count(last if last.endswith((b"\r", b"\n")) else last + b"\n")
        return Lines(self._total, self._empty, self._filled)

    def _count(self, data: bytes) -> None:
        """Count whole lines."""
        import numpy as np

        codes = np.frombuffer(data, np.uint8)
        ends = codes == 10
        feeds, returns, crlf = int(np.count_nonzero(ends)), 0, 0
        if b"\r" in data:
            carriage = codes == 13
            returns = int(np.count_nonzero(carriage))
            crlf = int(np.count_nonzero(carriage[:-1] & ends[1:]))
            ends |= carriage
        total = feeds + returns - crlf
        # Of one end, nothing lies between the CR and the LF; else an end after an end is that of an empty line.
        twins = int(np.count_nonzero(ends[:-1] & ends[1:])) + bool(ends[0])
        empty = twins - crlf
        filled = total - empty
        # Few lines begin with a space: others are not blank.
        if data[0] in SPACE or (ends[:-1] & (codes[1:] <= 32) & ~ends[1:]).any():
            squeezed = np.frombuffer(data.translate(None, SPACE), np.uint8)
            ends = (squeezed == 10) | (squeezed == 13)
            filled = int(np.count_nonzero(ends[1:] & ~ends[:-1]))
        self._total += total
        self._empty += empty
        self._filled += filled


class CountedBytes(io.RawIOBase):
    """A stream whose lines are counted as its bytes are read, before any reader has seen them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._counter = LineCounter()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, and count their lines."""
        data = self._stream.read(len(buffer))
        self._counter.update(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream too."""
        self._stream.close()
        super().close()

    def finish(self) -> Lines:
        """The lines of the whole stream, with those that nobody has read."""
        while data := self._stream.read(CHUNK):
            self._counter.update(data)
        return self._counter.finish()


def open_bytes(path: Path, zipped: bool) -> IO[bytes]:
    """A file's bytes, unpacked where it is gzip."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if zipped else path.open("rb", buffering=0)
