"""Lines of a file of text, each no longer than memory holds."""

from collections.abc import Iterator
from typing import IO

from judge.errors import InputError
from judge.tables.sniff import refuse_head

LIMIT = 64 * 1024 * 1024
"""The longest line in bytes. Few bytes of gzip can be a line of gigabytes."""


def byte_lines(stream: IO[bytes], name: str, *, encodings: bool = True) -> Iterator[bytes]:
    """Lines as the file has them, without a byte order mark. They end with LF, CRLF or CR, in any mixture.

    Of one that is too long, not much more than `LIMIT` is read.

    Args:
        stream: The file's bytes.
        name: What to call it in messages.
        encodings: Whether the user can say that such a file is in another encoding than UTF-8.

    Raises:
        InputError: A line is longer than `LIMIT`, or the first bytes are of another kind of file.
    """
    number, rest = 0, b""
    while (raw := stream.readline(LIMIT + 1)) or rest:
        lines = _parted(rest + raw)
        # Of a line that goes on, the CR at its end may be half of a CRLF.
        rest = lines.pop() if raw and not raw.endswith(b"\n") else b""
        for line in lines if len(rest) <= LIMIT else [*lines, rest]:
            number += 1
            if len(line) > LIMIT:
                size = f"{LIMIT // 2**20} MiB"
                raise InputError(f"{name}, line {number}: is longer than {size}", "write each row on a line of its own")
            if number == 1:
                refuse_head(line, name, encodings=encodings)
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield line


def _parted(raw: bytes) -> list[bytes]:
    """The lines of what was read up to an LF: one, unless a CR stands alone in it."""
    at = raw.find(b"\r")
    return [raw] if at < 0 or raw[at:] == b"\r\n" else raw.splitlines(keepends=True)


def text_lines(stream: IO[bytes], name: str, *, encodings: bool = True) -> Iterator[str]:
    """The same with undecodable bytes kept as surrogates, which `as_text` finds later, at their row and field."""
    for raw in byte_lines(stream, name, encodings=encodings):
        yield raw.decode("utf-8", "surrogateescape")
