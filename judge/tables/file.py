"""A file of rows before anything in it is understood: its bytes as UTF-8 text, and how to say what is wrong with it.

Whatever reads rows (`judge.tables.rows.Table` chooses which reader) takes its bytes from here, unpacked and in UTF-8.
"""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from judge.errors import InputError
from judge.records import Problem, counted
from judge.tables.line_count import CHUNK, CountedBytes, open_bytes
from judge.tables.sniff import parts_of, refuse_place

USE_ENCODING = "save the file as UTF-8, or say what it is with --encoding, such as --encoding cp1252"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the file has it."""

    number: int
    """Counted from 1; a header and blank lines do not count."""
    line: int | None
    """The line of the file it starts on; null where a row is not a line."""
    values: Mapping[str, Any]
    aside: str | None = None
    """Why the file itself says that the row gives no grade, such as `cancelled`; null for others."""


class File:
    """A file that can be opened.

    Args:
        path: Where it lies. `.gz` may follow its suffix, or `.zip` with one file inside.
        name: What to call it in messages; the path unless given.
        encoding: What its text is in, unless it is UTF-8; a codec of Python, such as `cp1252`.

    Raises:
        InputError: It is absent, no file, a ZIP of several files, or there is no such encoding.
    """

    def __init__(self, path: Path, name: str | None = None, encoding: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)
        with self.reading():
            self.parts = parts_of(path, self.name)
            if not self.parts:
                refuse_place(path, self.name)
        suffixes = [s.lower() for s in path.suffixes]
        self.packing = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zip") else ""
        self.suffix = ".parquet" if self.parts else suffixes[-1] if suffixes else ""
        self._member: str | None = None
        if self.packing == ".zip":
            with self.reading():
                self._member = self._only_member()
            self.suffix = Path(self._member).suffix.lower()
        self.encoding: str | None = None
        if encoding is not None and not self.parts:
            with self.reading():
                self.encoding = self._needed(_codec(encoding))

    def raw(self) -> IO[bytes]:
        """The bytes of its text, unpacked and in UTF-8; what the encoding cannot say stays a byte that is not UTF-8."""
        stream: IO[bytes]
        if self._member is not None:
            stream = zipfile.ZipFile(self.path).open(self._member)  # noqa: SIM115 (its member closes it)
        else:
            stream = open_bytes(self.path, self.packing == ".gz")
        return stream if self.encoding is None else cast("IO[bytes]", _Recoded(stream, self.encoding))

    def open(self) -> tuple[CountedBytes, io.BufferedReader]:
        """The same bytes to read, with their lines counted on the way."""
        counted_bytes = CountedBytes(self.raw())
        return counted_bytes, io.BufferedReader(counted_bytes, CHUNK)

    def problem(
        self, kind: str, message: str, fix: str, row: int, line: int | None, field: str | None = None
    ) -> Problem:
        """A problem at a place in this file."""
        return Problem(kind=kind, file=self.name, message=message, fix=fix, row=row, line=line, field=field)

    def prove(self, read: int, there: int, noun: str) -> None:
        """Refuse a file of which not all was read."""
        if read != there:
            message = f"{self.name}: {counted(read, noun)} could be read of {there:,} that the file has"
            raise InputError(message, "write the file again, or give its rows as JSONL")

    def reading(self) -> "_Reading":
        """A context in which what goes wrong with the file's bytes becomes one clear error."""
        return _Reading(self.name)

    def _only_member(self) -> str:
        with zipfile.ZipFile(self.path) as archive:
            # What macOS and file managers add of their own is no file of the user's.
            inside = [
                info
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX/") and not _hidden(info.filename)
            ]
        if len(inside) != 1:
            raise InputError(f"{self.name}: holds {counted(len(inside), 'file')}", "unzip it, and name one of them")
        if inside[0].flag_bits & 1:
            raise InputError(f"{self.name}: is locked with a password", "unzip it, and name the file inside")
        return inside[0].filename

    def _needed(self, encoding: str) -> str | None:
        """The encoding, or null for a text that is UTF-8: of several files of one command, not all need be in it.

        Bytes of ASCII alone are UTF-8, and may be UTF-16 without its mark, or Japanese behind escapes.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        ascii_only, shifted = True, False
        with self.raw() as stream:
            try:
                while data := stream.read(CHUNK):
                    decoder.decode(data)
                    ascii_only = ascii_only and data.isascii()
                    shifted = shifted or b"\0" in data or b"\x1b" in data
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return encoding
        return encoding if ascii_only and shifted else None


class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._held = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        while not self._held:
            data = self._stream.read(CHUNK)
            self._held = self._decoder.decode(data, final=not data).encode("utf-8", "surrogateescape")
            if not data:
                break
        part, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the stream too."""
        self._stream.close()
        super().close()


def _codec(encoding: str) -> str:
    """The codec of a name.

    Raises:
        InputError: Python knows none of text.
    """
    try:
        found = codecs.lookup(encoding)
        b"a".decode(found.name)
    except (LookupError, UnicodeDecodeError):
        # UTF-16 refuses one byte alone, and is a codec of text all the same.
        if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
            return encoding
        raise InputError(
            f"--encoding {encoding}: there is no such encoding", "name one like cp1252 or latin-1"
        ) from None
    return found.name


def _hidden(name: str) -> bool:
    return Path(name).name.startswith(".")


class _Reading:
    """Turns what readers raise in mid-file into one clear error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, InputError | GeneratorExit):
            return
        if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile | zipfile.BadZipFile):
            cut = "ends in the middle: the gzip is truncated" if isinstance(error, EOFError) else "is not whole gzip"
            cut = "is not a whole ZIP file" if isinstance(error, zipfile.BadZipFile) else cut
            raise InputError(f"{self.name}: {cut}", "copy or write the file again") from None
        if isinstance(error, OSError) and error.strerror:
            raise InputError(
                f"{self.name}: cannot be read ({error.strerror})", "name a file that can be read"
            ) from None
        if isinstance(error, UnicodeError):
            raise InputError(
                f"{self.name}: is not in the encoding that --encoding names", "name the one it is"
            ) from None
        if isinstance(error, MemoryError):
            raise InputError(
                f"{self.name}: holds more than memory does", "give it in parts, or without its longest texts"
            ) from None
        # A damaged page of Parquet is an OSError without a number.
        if isinstance(error, OSError) or type(error).__module__.startswith("pyarrow"):
            raise InputError(f"{self.name}: is not whole Parquet", "write the file again") from None
