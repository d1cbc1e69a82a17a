"""Lines of a file of text, each no longer than memory holds."""

from collections.abc import Iterator
from typing import IO

from judge.errors import InputError
from judge.heads import refuse_head

LIMIT = 64 * 1024 * 1024
"""The longest line in bytes. Few bytes of gzip can be a line of gigabytes."""


def byte_lines(stream: IO[bytes], name: str) -> Iterator[bytes]:
    """Lines as the file has them, without a byte order mark. Of one that is too long, no more than `LIMIT` is read.

    Raises:
        InputError: A line is longer than `LIMIT`, or the first bytes are of another kind of file.
    """
    number = 0
    while raw := stream.readline(LIMIT + 1):
        number += 1
        if len(raw) > LIMIT:
            size = f"{LIMIT // 2**20} MiB"
            raise InputError(f"{name}, line {number}: is longer than {size}", "write each row on a line of its own")
        if number == 1:
            refuse_head(raw, name)
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        yield raw


def text_lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """The same with undecodable bytes kept as surrogates, which `as_text` finds later, at their row and field."""
    for raw in byte_lines(stream, name):
        yield raw.decode("utf-8", "surrogateescape")
